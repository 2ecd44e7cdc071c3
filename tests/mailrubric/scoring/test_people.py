"""Several people's weights: each alone, all together, how far they agree."""

from __future__ import annotations

import json

import pytest

from mailrubric.catalogue.models import Judgement
from mailrubric.scoring.additive import WeightError
from mailrubric.scoring.evaluate import tabulate
from mailrubric.scoring.people import agreement, judged
from tests.mailrubric.scoring.building import NOW, catalogue, criterion, fact, vendor

MADE = catalogue(
    {"speed": [criterion("fast")], "cost": [criterion("cheap")], "looks": [criterion("pretty")]},
    [
        vendor("ant", facts={"fast": fact(90.0), "cheap": fact(10.0), "pretty": fact(50.0)}),
        vendor("bee", facts={"fast": fact(20.0), "cheap": fact(80.0), "pretty": fact(50.0)}),
    ],
)
TABLE = tabulate(MADE, (), NOW)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"groups": {"speed": 7}}, {"speed": 7}),
        ({"ranking": ["cost", "speed"]}, {"cost": 75, "speed": 25, "looks": 0}),
        ({"ranking": ["cost", "speed"], "rule": "sum"}, {"cost": 200 / 3, "speed": 100 / 3, "looks": 0}),
        ({"swing": {"speed": 100, "looks": 50}}, {"speed": 100, "looks": 50, "cost": 0}),
        ({"pairwise": {"speed": {"cost": 4}}}, {"speed": 80, "cost": 20, "looks": 0}),
    ],
)
def test_each_way_of_saying_weights(said: dict[str, object], expected: dict[str, float]) -> None:
    judgement = Judgement.model_validate_json(json.dumps(said))
    assert judged(judgement, MADE).groups == pytest.approx(expected)


def _judgement(**said: object) -> Judgement:
    return Judgement.model_validate(said)


def test_two_who_agree() -> None:
    found = agreement(TABLE, {"a": _judgement(swing={"speed": 9}), "b": _judgement(swing={"speed": 5, "looks": 5})})
    assert {person.winner for person in found.people} == {"ant"}
    assert found.sentence == "All 2 would choose Ant."
    assert found.concordance == 1
    assert found.together.groups == pytest.approx({"speed": 75, "looks": 25, "cost": 0})
    assert next(iter(found.disagreement)) in {"speed", "looks"}
    assert found.disagreement["cost"] == 0


def test_two_who_do_not() -> None:
    found = agreement(TABLE, {"a": _judgement(swing={"speed": 9}), "b": _judgement(swing={"cost": 9})})
    assert [person.winner for person in found.people] == ["ant", "bee"]
    assert found.concordance == 0
    assert found.disagreement["speed"] == pytest.approx(50)
    # 90 and 10 against 20 and 80, half and half: 50 each.
    assert found.sentence == "Together they find Ant and Bee level: none of them is ahead."
    third = agreement(
        TABLE, {**dict.fromkeys("ab", _judgement(swing={"speed": 9})), "c": _judgement(swing={"cost": 9})}
    )
    assert third.together.winner == "ant"
    assert third.sentence == "Together they would choose Ant, as 2 of 3 would alone."


def test_comparisons_of_all_are_taken_together_by_their_geometric_mean() -> None:
    one, other = _judgement(pairwise={"speed": {"cost": 9.0}}), _judgement(pairwise={"speed": {"cost": 1.0}})
    found = agreement(TABLE, {"a": one, "b": other})
    assert found.together.groups["speed"] == pytest.approx(75)
    assert found.people[0].consistency == 0


def test_one_who_leaves_a_group_out_does_not_take_it_from_the_others() -> None:
    three = {"speed": {"cost": 1.0, "looks": 1.0}, "cost": {"looks": 1.0}}
    people = {"a": _judgement(pairwise=three), "b": _judgement(pairwise={"speed": {"cost": 1.0}})}
    found = agreement(TABLE, people)
    assert found.together.groups == pytest.approx({"speed": 500 / 12, "cost": 500 / 12, "looks": 200 / 12})


def test_who_enters_large_numbers_within_a_group_says_no_more_than_the_others() -> None:
    made = catalogue(
        {"speed": [criterion("fast"), criterion("quick")]},
        [
            vendor("ant", facts={"fast": fact(100.0), "quick": fact(0.0)}),
            vendor("bee", facts={"fast": fact(0.0), "quick": fact(90.0)}),
        ],
    )
    table = tabulate(made, (), NOW)
    loud, quiet = _judgement(criteria={"fast": 300, "quick": 100}), _judgement(criteria={"fast": 1, "quick": 9})
    found = agreement(table, {"a": loud, "b": quiet})
    # 3/4 and 1/10 of the group are 42.5 % together: Bee is ahead, though 301 of 410 points went to what Ant is good at.
    assert found.together.winner == "bee"
    # To a third nothing in the group counts: that says nothing of the proportions in it.
    silent = _judgement(criteria={"fast": 0, "quick": 0}, groups={"speed": 5})
    with pytest.raises(WeightError):
        agreement(table, {"a": loud, "c": silent})


def test_a_group_in_which_nothing_counts_has_no_share() -> None:
    nothing = _judgement(criteria={"pretty": 0})
    found = agreement(TABLE, {"a": nothing, "b": _judgement()})
    assert found.people[0].groups == pytest.approx({"speed": 50, "cost": 50, "looks": 0})
    assert found.together.groups == pytest.approx({"speed": 125 / 3, "cost": 125 / 3, "looks": 50 / 3})
