"""Messages in the browser: mail is uploaded, looked at, kept; wide and narrow, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import NARROW, every_look, ready, script_run, serving
from tests.mailrubric.cli.test_mail_cadence import write

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("messages") / "work"
    folder.mkdir()
    with serving(folder) as address:
        yield address


def _uploaded(page, dashboard: str, file: Path) -> None:
    page.goto(f"{dashboard}/messages")
    page.get_by_role("heading", name="Messages").wait_for()
    ready(page)
    with script_run(page):
        page.locator("input[type=file]").set_input_files(str(file))
    page.get_by_role("heading", name=re.compile("Cadence")).wait_for()
    ready(page)


def test_mail_is_uploaded_looked_at_and_kept(page, dashboard, tmp_path: Path):
    _uploaded(page, dashboard, write(tmp_path / "shop.mbox"))
    page.get_by_text("Nobody said in which time zone the recipients live.").wait_for()
    zone = page.get_by_test_id("stSelectbox").filter(has_text="Recipients' time zone").locator("input")
    zone.click()
    zone.fill("America/New_York")
    zone.press("Enter")
    page.get_by_text(re.compile("most come on Mon from 4 o'clock; 0 % come while people are awake")).wait_for()
    page.get_by_text(re.compile("Send when people are awake: only 0 %")).wait_for()
    ready(page)
    assert page.locator(".js-plotly-plot").count() == 3
    vendor = page.get_by_test_id("stSelectbox").filter(has_text="Whose platform sent it?").locator("input")
    vendor.click()
    vendor.fill("Postmark")
    vendor.press("Enter")
    page.get_by_role("button", name="Store the figures").click()
    page.get_by_text(re.compile(r"\d+ figures stored for Postmark")).wait_for()


def test_it_fits_a_telephone(page, dashboard, tmp_path: Path):
    page.set_viewport_size(NARROW)
    _uploaded(page, dashboard, write(tmp_path / "shop.mbox"))
    assert {*every_look(page, "", tmp_path, narrow_first=True)} >= {"light and narrow", "dark and narrow"}
