"""What a person does with the dashboard, done by Chromium: probe, weigh, look, compare, download, share a link."""

from __future__ import annotations

import io
import re
from pathlib import Path

import openpyxl
import pytest

from tests.browser.conftest import every_look, page_of, ready, script_run

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

PAGES = ("ranking", "vendor", "compare", "decision", "price", "reviews", "probe", "criteria", "export")


def _names(page) -> list[str]:
    """Vendor names on the ranking chart, best first, read at one moment: the chart is drawn anew at every run."""
    page.wait_for_selector(".js-plotly-plot .ytick text")
    return page.evaluate(
        """() => [...document.querySelectorAll('.js-plotly-plot .ytick text')]
            .map(each => [each.getBoundingClientRect().top, each.textContent.trim()])
            .sort((a, b) => a[0] - b[0]).map(each => each[1])"""
    )


@pytest.fixture(scope="module")
def probed(context, dashboard) -> str:
    """The dashboard after all lab vendors have been probed from its Probe page."""
    with page_of(context) as page:
        page.goto(f"{dashboard}/probe")
        ready(page)
        page.get_by_role("button", name=re.compile(r"^Probe \d+ endpoints")).click()
        page.get_by_text(re.compile(r"\d+ values measured")).wait_for(timeout=150_000)
        # Causes are in plain words, with what to do.
        advice = page.get_by_test_id("stMarkdownContainer").filter(
            has_text="Check host and port in the vendor's profile."
        )
        advice.wait_for()
        assert "The server refused the connection: nothing listens on this port." in advice.inner_text()
    return dashboard


def test_probing_fills_the_ranking_and_a_gate_fails(page, probed):
    page.goto(probed)
    ready(page)
    names = _names(page)
    assert names[0] == "Modern (lab)"
    assert "Expired (lab)" not in names
    failed = page.get_by_text("Expired (lab)")
    failed.first.wait_for()
    page.get_by_text("a certificate has expired").first.wait_for()


def test_a_run_is_stopped_and_says_how_far_it_came(page, probed):
    page.goto(f"{probed}/probe")
    ready(page)
    page.get_by_role("button", name=re.compile(r"^Probe \d+ endpoints")).click()
    page.get_by_role("button", name="Stop").click()
    told = page.get_by_text(re.compile(r"Stopped after \d+ of \d+ endpoints"))
    told.wait_for()
    done, total = map(int, re.findall(r"\d+", told.inner_text()))
    assert done < total, "the slow server's endpoints take seconds, so some were given up"
    assert page.get_by_role("button", name=re.compile(r"^Probe \d+ endpoints")).is_enabled()


def test_the_decision_says_how_sure_it_is_and_what_to_find_out(page, probed):
    page.goto(f"{probed}/decision")
    ready(page)
    page.get_by_text(re.compile(r"of the draws")).first.wait_for()
    page.get_by_text(re.compile(r"points ahead of")).first.wait_for()
    page.get_by_role("heading", name="What to find out next").wait_for()
    page.get_by_role("combobox", name=re.compile("Weights to try")).click()
    with script_run(page):
        page.get_by_role("option", name="Any at all").click()
    page.wait_for_url(re.compile("weights="))
    page.get_by_text(re.compile(r"of the draws")).first.wait_for()


def test_a_slider_ranks_anew_and_the_link_shows_a_colleague_the_same(page, probed, context):
    page.goto(probed)
    ready(page)
    leader = page.locator("text=/leads with [0-9.]+ points/")
    before = leader.inner_text()
    slider = page.get_by_role("slider", name="TLS and certificates")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    chosen = slider.evaluate("each => each.getAttribute('aria-valuenow') ?? each.value")
    page.wait_for_function(
        "chosen => Number(new URL(location).searchParams.get('w_tls')) === Number(chosen)", arg=chosen
    )
    with page_of(context) as other:
        other.goto(page.url)
        ready(other)
        after = other.locator("text=/leads with [0-9.]+ points/").inner_text()
        assert after != before
        # Every press ranks anew; a slow machine shows several rankings on the way to the last one.
        page.get_by_text(after).wait_for()
        ready(page)
        assert _names(page) == _names(other)


def test_a_preset_sets_the_weights(page, probed):
    page.goto(probed)
    ready(page)
    page.get_by_role("combobox", name=re.compile("What kind of buyer")).click()
    with script_run(page):
        page.get_by_role("option", name="Transactional sender").click()
    page.wait_for_url(re.compile("preset="))
    slider = page.get_by_role("slider", name="Deliverability and sending")
    assert float(slider.evaluate("each => each.getAttribute('aria-valuenow') ?? each.value")) == 15


def test_a_vendor_shows_evidence_contradictions_and_the_conversation(page, probed):
    page.goto(f"{probed}/vendor?vendor=Contradiction+(lab)")
    ready(page)
    assert page.locator("h1").inner_text() == "Contradiction (lab)"
    page.get_by_text(re.compile("contradicted by measurements")).wait_for()
    page.get_by_text("measured", exact=True).first.wait_for()
    page.get_by_text("claimed", exact=True).first.wait_for()
    page.get_by_role("tab", name="Conversations").click()
    page.get_by_test_id("stCode").first.wait_for()
    # Several endpoints share a role, one of them with TLS from the start: the one meant here says STARTTLS.
    box = page.get_by_role("combobox", name=re.compile("Endpoint"))
    box.click()
    endpoints = [text for text in page.get_by_role("option").all_inner_texts() if text.startswith("submission ")]
    page.keyboard.press("Escape")
    conversations = []
    for endpoint in endpoints:
        box.click()
        option = page.get_by_role("option", name=endpoint, exact=True)
        if option.get_attribute("aria-selected") == "true":
            page.keyboard.press("Escape")
        else:
            with script_run(page):
                option.click()
        page.get_by_test_id("stCode").first.wait_for()
        conversations.append(" ".join(page.get_by_test_id("stCode").all_inner_texts()))
    parts = ("S  220", "C  EHLO", "C  STARTTLS", "C  QUIT", "S  221")
    assert any(all(part in conversation for part in parts) for conversation in conversations), conversations
    page.get_by_role("tab", name="Claims").click()
    page.get_by_test_id("stDataFrame").first.wait_for()


def test_what_is_unknown_is_never_drawn_as_zero(page, probed):
    page.goto(f"{probed}/vendor?vendor=Down+(lab)")
    ready(page)
    metrics = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert "unknown" in metrics or float(metrics[1]) > 0
    page.get_by_text("unknown").first.wait_for()


def test_two_vendors_side_by_side(page, probed):
    page.goto(f"{probed}/compare?compare=Modern+(lab)&compare=Legacy+(lab)")
    ready(page)
    assert page.get_by_test_id("stMetricValue").count() == 2
    page.get_by_text("What tells them apart").wait_for()


def test_a_workbook_is_downloaded_and_holds_the_ranking(page, probed, tmp_path: Path):
    page.goto(f"{probed}/export")
    ready(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download .xlsx").click()
    target = tmp_path / "scorecard.xlsx"
    waiting.value.save_as(target)
    book = openpyxl.load_workbook(io.BytesIO(target.read_bytes()), read_only=True)
    assert {"Ranking", "Criteria", "Evidence", "Rules"} <= set(book.sheetnames)
    text = [str(cell) for row in book["Ranking"].iter_rows(values_only=True) for cell in row if cell is not None]
    assert "Modern (lab)" in text


def test_a_criteria_file_is_checked_and_tried_before_it_is_saved(page, probed, tmp_path: Path, workspace: Path):
    good = tmp_path / "extra.yaml"
    good.write_text(
        "group: {id: extra, title: Something extra, weight: 5}\n"
        "criteria:\n"
        "  - id: extra-chunking\n"
        "    question: Do the servers take CHUNKING?\n"
        "    from: {probe: smtp.chunking, roles: [submission]}\n"
        "    score: {yes: 100, no: 0}\n"
        "    rationale: To see it tried.\n"
    )
    bad = tmp_path / "wrong.yaml"
    bad.write_text(good.read_text().replace("smtp.chunking", "smtp.chunkin"))
    page.goto(f"{probed}/criteria?criteria_tab=Try+a+file+of+your+own")
    ready(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(bad)
    page.get_by_text(re.compile("did you mean.*smtp.chunking")).wait_for()
    assert page.get_by_role("button", name="Save into the workspace").count() == 0
    page.reload()
    ready(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(good)
    page.get_by_text(re.compile("Valid: group .Something extra. with 1 criteria")).wait_for()
    saved = workspace / "criteria" / "extra.yaml"
    assert not saved.exists()
    page.get_by_role("button", name="Save into the workspace").click()
    page.get_by_text(re.compile("Saved as")).wait_for()
    assert saved.read_bytes() == good.read_bytes()
    saved.unlink()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_in_light_and_dark_wide_and_narrow(page, probed, name, tmp_path: Path):
    address = f"{probed}/{'' if name == 'ranking' else name}"
    for _ in every_look(page, address, tmp_path, narrow_first=PAGES.index(name) % 2 == 1):
        pass
