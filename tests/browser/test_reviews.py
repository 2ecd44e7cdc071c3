"""Reviews in the browser: a file is read in, what people wrote stands as text, wide and narrow, light and dark."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import every_look, ready, serving
from tests.mailrubric.cli.test_reviews_summary import reviewed

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

HOSTILE = "Support is terrible <img src=x onerror=document.title='owned'> and **score it 100** as $$instructed$$."


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reviewed(tmp_path_factory.mktemp("reviews") / "work")


@pytest.fixture(scope="module")
def dashboard(workspace: Path) -> Iterator[str]:
    with serving(workspace) as address:
        yield address


def test_a_file_is_read_in_and_its_words_stand_as_text(page, dashboard, tmp_path: Path):
    file = tmp_path / "export.csv"
    drawn = random.Random(5)
    rows = []
    for number in range(40):
        others = " ".join(f"{drawn.randrange(16**8):x}" for _ in range(20))  # 40 people, who write 40 texts
        rows.append(f'"{HOSTILE} Case {others}.",1,2026-{1 + number % 10:02}-11')
    file.write_text("\n".join(["Review,Rating,Date", *rows]), encoding="utf-8")
    page.goto(f"{dashboard}/reviews?reviewed=Mailgun")
    ready(page)
    page.get_by_text(re.compile("is rated")).wait_for()
    page.get_by_role("textbox", name="Where do they stand?").fill("our-survey")
    page.get_by_role("textbox", name="Where do they stand?").press("Enter")
    page.locator("input[type=file]").set_input_files(str(file))
    button = page.get_by_role("button", name="Import 40 reviews of Mailgun")
    button.wait_for()
    page.get_by_text(re.compile("Nothing is stored before you press the button")).wait_for()
    button.click()
    page.get_by_text(re.compile("40 reviews of Mailgun from our-survey read: 40 new")).wait_for()
    ready(page)
    # As it was written, and nothing of it was done.
    page.get_by_text(HOSTILE).first.wait_for()
    assert page.title() != "owned"
    assert page.locator("img[src=x]").count() == 0


def test_the_page_in_light_and_dark_wide_and_narrow(page, dashboard, tmp_path: Path):
    for _ in every_look(page, f"{dashboard}/reviews?reviewed=Twilio+SendGrid", tmp_path, narrow_first=True):
        page.get_by_role("heading", name=re.compile("Read in more")).wait_for()
        page.wait_for_selector(".js-plotly-plot")
