"""Trials in the browser: a clock, an answer, a ticket; then the score knows them. Wide and narrow, light and dark."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailrubric.trials import folder
from mailrubric.workspace import Workspace
from tests.browser.conftest import every_look, new_context, page_of, ready, script_run, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

HOSTILE = "<img src=x onerror=document.title='owned'> =1+1"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trials") / "work"
    (place / "vendors").mkdir(parents=True)
    (place / "mailrubric.yaml").write_text("shipped_vendors: false\n")
    for name in ("acme", "bolt"):
        (place / "vendors" / f"{name}.yaml").write_text(f"id: {name}\nname: {name.title()}\ncategory: esp\n")
    return place


@pytest.fixture(autouse=True)
def _only_bolt_was_tried(workspace: Path) -> None:
    shutil.rmtree(workspace / "trials", ignore_errors=True)
    (workspace / "trials").mkdir()
    (workspace / "trials" / "support.csv").write_text(
        "vendor,channel,opened,first_reply,solved,helpful,note\n"
        + "".join(f"bolt,email,2024-03-0{day}T09:00Z,2024-03-0{day}T1{day}:00Z,,yes,\n" for day in range(1, 8))
    )


@pytest.fixture(scope="module")
def dashboard(workspace: Path) -> Iterator[str]:
    with serving(workspace) as address:
        yield address


def test_what_a_person_does_counts_at_once(chromium, dashboard, workspace):
    berlin = new_context(chromium, timezone_id="Europe/Berlin")
    with contextlib.closing(berlin) as context, page_of(context) as page:
        page.goto(f"{dashboard}/trials?trial_vendor=Acme&trial_part=Tasks")
        ready(page)
        page.get_by_role("button", name="Start").first.click()
        page.get_by_text("the clock runs").wait_for()
        page.get_by_role("button", name="Note").first.click()
        page.get_by_role("textbox", name="What was seen on the way").fill(HOSTILE)
        page.get_by_role("button", name="Write it down").click()
        page.get_by_text(HOSTILE).first.wait_for()
        page.get_by_role("button", name="Done").click()
        page.get_by_text("1 of 1 task that came to an end was completed").wait_for()

        page.goto(f"{dashboard}/trials?trial_vendor=Acme&trial_part=Usability")
        ready(page)
        for number in range(10):
            page.get_by_role("radio", name="5 agree" if number % 2 == 0 else "1 disagree").nth(number).click()
        page.get_by_role("button", name="Keep this answer").click()
        page.get_by_text("100.0 of 100 from 1 answer").wait_for()

        page.goto(f"{dashboard}/trials?trial_vendor=Acme&trial_part=Support")
        ready(page)
        page.get_by_text("Times in Europe/Berlin").wait_for()
        page.get_by_role("textbox", name="What was asked, without names").fill(HOSTILE)
        page.get_by_role("button", name="Write it down").click()
        page.get_by_text("Median time to first reply over 1 ticket, which is still waiting").wait_for()
        assert page.title() != "owned"
        assert page.locator("img[src=x]").count() == 0

        found = folder.of_workspace(workspace, Workspace.open(workspace).catalogue())
        assert found.trials["acme"].of("tester-1", "sign-up").state == "done"
        assert [answer.vendor for answer in found.answers] == ["acme"]
        assert [ticket.note for ticket in found.tickets if ticket.vendor == "acme"] == [HOSTILE]
        page.goto(f"{dashboard}/vendor?vendor=Acme")
        page.get_by_text(re.compile("trials/surveys")).first.wait_for()


@pytest.mark.parametrize("part", ["Overview", "Usability", "Support"])
def test_the_page_in_light_and_dark_wide_and_narrow(page, dashboard, part, tmp_path: Path):
    address = f"{dashboard}/trials?trial_vendor=Bolt&trial_part={part}"
    for look in every_look(page, address, tmp_path, narrow_first=part == "Overview"):
        page.get_by_role("heading", name="Trials").wait_for()
        if part == "Overview" and look == "light and narrow":
            with script_run(page):
                choice = page.get_by_role("button", name="First reply", exact=True)
                choice.or_(page.get_by_role("radio", name="First reply", exact=True)).click()
            page.get_by_text("Median hours, by the clock", exact=True).wait_for()
