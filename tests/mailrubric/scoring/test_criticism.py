"""Criteria that do no work, work that is done twice, groups that nothing is known of."""

from __future__ import annotations

from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("one", "other", "twice"),
    [
        ({}, {"applies_to": ["esp"]}, True),
        ({"applies_to": ["esp", "mailbox"]}, {"applies_to": ["mailbox"]}, True),
        ({"applies_to": ["esp"]}, {"applies_to": ["mailbox"]}, False),
        ({"roles": ["submission"]}, {}, True),
        ({"roles": ["submission", "imap"]}, {"roles": ["imap"]}, True),
        ({"roles": ["submission"]}, {"roles": ["imap"]}, False),
    ],
)
def test_what_is_counted_twice_for_some_only(one: dict[str, Any], other: dict[str, Any], twice: bool) -> None:
    made = []
    for name, each in (("first", one), ("second", other)):
        roles = {"roles": each.get("roles", [])}
        applies = {"applies_to": each.get("applies_to", [])}
        made.append(criterion(name, **{"from": {"probe": "smtp.connect_ms", **roles}, **applies}))
    found = criticise(tabulate(catalogue({"g": made}, [vendor("v0")]), (), NOW))
    told = "reads the same probe smtp.connect_ms as first: counted twice"
    assert (("criterion:second", told) in [(each.subject, each.sentence) for each in found]) == twice


def test_a_group_that_no_evidence_reaches() -> None:
    groups = {"known": [criterion("fast")], "dark": [criterion("mood"), criterion("charm")]}
    values = [{"fast": float(index)} for index in range(3)]
    assert [subject for subject, _ in _remarks(groups, values)] == ["group:dark"]
    assert _remarks(groups, [*values, {"mood": 1.0}]) == []
