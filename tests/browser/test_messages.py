"""Messages in the browser: mail is uploaded, looked at, kept; wide and narrow, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import serving
from tests.mailrubric.cli.test_mail_cadence import write

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE = 60_000


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("messages") / "work"
    folder.mkdir()
    with serving(folder) as address:
        yield address


def _ready(page) -> None:
    page.wait_for_function("!document.querySelector('[data-testid=\"stSkeleton\"]')")
    page.wait_for_function("!document.querySelector('[data-testid=\"stStatusWidget\"]')")
    page.wait_for_timeout(400)


def _uploaded(page, dashboard: str, file: Path) -> None:
    page.set_default_timeout(PATIENCE)
    page.goto(f"{dashboard}/messages")
    page.get_by_role("heading", name="Messages").wait_for()
    page.locator("input[type=file]").set_input_files(str(file))
    page.get_by_role("heading", name=re.compile("Cadence")).wait_for()
    _ready(page)


def test_mail_is_uploaded_looked_at_and_kept(chromium, dashboard, tmp_path: Path):
    page = chromium.new_page(viewport={"width": 1400, "height": 1100})
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    _uploaded(page, dashboard, write(tmp_path / "shop.mbox"))
    page.get_by_text("Nobody said in which time zone the recipients live.").wait_for()
    zone = page.get_by_test_id("stSelectbox").filter(has_text="Recipients' time zone").locator("input")
    zone.click()
    zone.fill("America/New_York")
    zone.press("Enter")
    page.get_by_text(re.compile("most come on Mon from 4 o'clock; 0 % come while people are awake")).wait_for()
    page.get_by_text(re.compile("Send when people are awake: only 0 %")).wait_for()
    _ready(page)
    assert page.locator(".js-plotly-plot").count() == 3
    vendor = page.get_by_test_id("stSelectbox").filter(has_text="Whose platform sent it?").locator("input")
    vendor.click()
    vendor.fill("Postmark")
    vendor.press("Enter")
    page.get_by_role("button", name="Store the figures").click()
    page.get_by_text(re.compile(r"\d+ figures stored for Postmark")).wait_for()
    foreign = [url for url in outside if not re.match(r"(http://localhost|ws://localhost|data:|blob:)", url)]
    page.close()
    assert not foreign


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone(chromium, dashboard, tmp_path: Path, scheme: str):
    context = chromium.new_context(viewport={"width": 400, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    _uploaded(page, dashboard, write(tmp_path / "shop.mbox"))
    wide = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert wide <= 400
