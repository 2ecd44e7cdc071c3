"""The page that says which checks of other tools the probes answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailrubric import coverage
from probes import registry

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_current_and_counts() -> None:
    page = coverage.page(DOCS)
    assert (DOCS / "coverage.md").read_text(encoding="utf-8") == page, "run: make docs"
    found = coverage.rows(
        (DOCS / "coverage.yaml").read_text(encoding="utf-8"), {metric.key for metric in registry.metrics()}
    )
    states = [row.state for row in found]
    assert len(states) == coverage.ROWS
    assert f"| answered in safe mode | {states.count('covered')} |" in page
    assert page.count("| answered in safe mode |") == states.count("covered") + 1
    assert states.count("covered") >= 60
    assert all(row.words for row in found if row.state != "covered")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{check: a, metrics: [no.such]}", r"row 1, 'a': no probe declares no\.such"),
        ("{check: a}", "either answered"),
        ("{check: a, metrics: [a.b], planned: b}", "either answered"),
        ("{check: a, part: b}", "either answered"),
        ("{check: a, planned: b, left_out: c}", "either answered"),
        ("{metrics: [a.b]}", "either answered"),
        ("{check: a, metric: [a.b]}", "unknown key metric"),
        ("{check: a, metrics: [a.b]}", "1 rows instead of 109"),
    ],
)
def test_a_mapping_that_says_what_is_not_so(entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        coverage.rows(f"- {entry}", {"a.b"})
