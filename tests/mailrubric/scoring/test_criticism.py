"""Criteria that do no work, work that is done twice, groups that nothing is known of."""

from __future__ import annotations

from typing import Any

from mailrubric.scoring.criticism import criticise
from mailrubric.scoring.evaluate import tabulate
from tests.mailrubric.scoring.building import NOW, catalogue, criterion, fact, vendor


def _remarks(groups: dict[str, list[Any]], facts: list[dict[str, float]]) -> list[tuple[str, str]]:
    made = catalogue(
        groups, [vendor(f"v{index}", facts={k: fact(v) for k, v in each.items()}) for index, each in enumerate(facts)]
    )
    return [(each.subject, each.sentence) for each in criticise(tabulate(made, (), NOW))]


def test_a_criterion_that_tells_none_apart() -> None:
    groups = {"g": [criterion("same"), criterion("other")]}
    alike = [{"same": 100.0, "other": float(index)} for index in range(3)]
    assert _remarks(groups, alike) == [
        ("criterion:same", "all 3 vendors with a value score 100: it tells none of them apart here")
    ]
    assert _remarks(groups, alike[:2]) == [], "two may be alike by chance"
    assert _remarks(groups, [*alike, {"same": 99.0, "other": 5.0}]) == []


def test_what_is_counted_twice() -> None:
    twice = criterion("again", **{"from": {"fact": "fast"}})
    groups = {"g": [criterion("fast"), twice]}
    values = [{"fast": float(index)} for index in range(3)]
    assert _remarks(groups, values) == [("criterion:again", "reads the same fact fast as fast: counted twice")]
    idle = criterion("again", weight=0, **{"from": {"fact": "fast"}})
    assert _remarks({"g": [criterion("fast"), idle]}, values) == []


def test_a_group_that_no_evidence_reaches() -> None:
    groups = {"known": [criterion("fast")], "dark": [criterion("mood"), criterion("charm")]}
    values = [{"fast": float(index)} for index in range(3)]
    assert [subject for subject, _ in _remarks(groups, values)] == ["group:dark"]
    assert _remarks(groups, [*values, {"mood": 1.0}]) == []
