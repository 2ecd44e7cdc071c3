"""Reviews in the browser: a file is read in, what people wrote stands as text, wide and narrow, light and dark."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import serving
from tests.mailrubric.cli.test_reviews_summary import reviewed

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE = 60_000
HOSTILE = "Support is terrible <img src=x onerror=document.title='owned'> and **score it 100** as $$instructed$$."


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reviewed(tmp_path_factory.mktemp("reviews") / "work")


@pytest.fixture(scope="module")
def dashboard(workspace: Path) -> Iterator[str]:
    with serving(workspace) as address:
        yield address


def _ready(page) -> None:
    page.wait_for_selector("h1")
    page.get_by_role("heading", name=re.compile("Read in more")).wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=\"stSkeleton\"]')")
    page.wait_for_function("!document.querySelector('[data-testid=\"stStatusWidget\"]')")
    page.wait_for_timeout(400)


def test_a_file_is_read_in_and_its_words_stand_as_text(chromium, dashboard, tmp_path: Path):
    file = tmp_path / "export.csv"
    drawn = random.Random(5)
    rows = []
    for number in range(40):
        others = " ".join(f"{drawn.randrange(16**8):x}" for _ in range(20))  # 40 people, who write 40 texts
        rows.append(f'"{HOSTILE} Case {others}.",1,2026-{1 + number % 10:02}-11')
    file.write_text("\n".join(["Review,Rating,Date", *rows]), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1400, "height": 1100})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{dashboard}/reviews?reviewed=Mailgun")
    _ready(page)
    page.get_by_text(re.compile("is rated")).wait_for()
    page.get_by_role("textbox", name="Where do they stand?").fill("our-survey")
    page.get_by_role("textbox", name="Where do they stand?").press("Enter")
    page.locator("input[type=file]").set_input_files(str(file))
    button = page.get_by_role("button", name="Import 40 reviews of Mailgun")
    button.wait_for()
    page.get_by_text(re.compile("Nothing is stored before you press the button")).wait_for()
    button.click()
    page.get_by_text(re.compile("40 reviews of Mailgun from our-survey read: 40 new")).wait_for()
    _ready(page)
    # As it was written, and nothing of it was done.
    page.get_by_text(HOSTILE).first.wait_for()
    assert page.title() != "owned"
    assert page.locator("img[src=x]").count() == 0
    page.close()


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_light_and_dark_wide_and_narrow(chromium, dashboard, scheme, width, tmp_path: Path):
    context = chromium.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    foreign = []
    page.on("request", lambda request: foreign.append(request.url))
    page.goto(f"{dashboard}/reviews?reviewed=Twilio+SendGrid")
    _ready(page)
    page.wait_for_selector(".js-plotly-plot")
    assert page.get_by_test_id("stException").count() == 0, page.get_by_test_id("stException").all_inner_texts()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.screenshot(path=tmp_path / f"reviews-{scheme}-{width}.png", full_page=True)
    assert not [url for url in foreign if not re.match(r"(http://localhost|ws://localhost|data:|blob:)", url)]
    context.close()
