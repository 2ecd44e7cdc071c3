"""From an evaluation to what a team needs in the meeting, over small catalogues whose answers are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.catalogue.models import Weights
from mailrubric.scoring.additive import WeightError
from mailrubric.scoring.decision import DecisionError, compare, problem, robust, sensitive
from mailrubric.scoring.evaluate import evaluate, tabulate, weigh
from mailrubric.scoring.evaluation import Evaluation
from tests.mailrubric.scoring.building import NOW, catalogue, criterion, fact, vendor


def _evaluation(facts: dict[str, dict[str, float]], weights: dict[str, float] | None = None) -> Evaluation:
    """Two groups, ``speed`` (criterion fast) and ``cost`` (criteria cheap and fair); values are points."""
    made = catalogue(
        {"speed": [criterion("fast")], "cost": [criterion("cheap"), criterion("fair")]},
        [vendor(name, facts={key: fact(value) for key, value in each.items()}) for name, each in facts.items()],
        weights=weights,
    )
    return evaluate(made, (), as_of=NOW, minimum_coverage=0)


CLEAR = {
    "ant": {"fast": 90.0, "cheap": 80.0, "fair": 80.0},
    "bee": {"fast": 40.0, "cheap": 30.0, "fair": 50.0},
}
BALANCED = {
    "ant": {"fast": 100.0, "cheap": 0.0, "fair": 0.0},
    "bee": {"fast": 0.0, "cheap": 80.0, "fair": 80.0},
}


def test_better_in_everything_wins_always() -> None:
    found = robust(_evaluation(CLEAR), kind="any", draws=500)
    first, second = found.standings
    assert (first.id, first.win, second.win) == ("ant", 1.0, 0.0)
    assert second.central == {}
    assert second.confidence is None
    assert not found.close_call
    assert "Ant beats Bee in 100 % of the draws" in found.sentence


def test_a_lead_that_depends_on_the_weights_is_a_close_call() -> None:
    found = robust(_evaluation(BALANCED), kind="any", draws=50_000)
    assert found.standings[0].id == "ant"
    assert found.standings[0].win == pytest.approx(1 - 80 / 180, abs=0.01)  # it leads above w·100 = (1-w)·80
    assert found.close_call
    assert found.standings[0].central["speed"] > 60 > found.standings[1].central["speed"]
    assert sum(found.standings[0].central.values()) == pytest.approx(100)


def test_a_hundred_per_cent_is_said_of_all_draws_only() -> None:
    # Ant leads by weights alone: Bee wins where "cost" gets next to everything.
    facts = {"ant": {"fast": 100.0, "cheap": 79.7, "fair": 79.7}, "bee": {"fast": 0.0, "cheap": 80.0, "fair": 80.0}}
    found = robust(_evaluation(facts), kind="any", draws=20_000)
    assert 0.995 < found.beats[0][1] < 1
    assert found.sentence == "Ant beats Bee in more than 99 % of the draws, and wins over all in more than 99 %."


def test_the_same_seed_gives_the_same_ranking_to_the_last_bit() -> None:
    evaluation = _evaluation(BALANCED)
    assert dataclasses.asdict(robust(evaluation, draws=300)) == dataclasses.asdict(robust(evaluation, draws=300))
    assert robust(evaluation, draws=300).standings != robust(evaluation, draws=300, seed=9).standings


def test_two_that_are_level_are_not_said_to_be_ahead() -> None:
    same = {"fast": 50.0, "cheap": 50.0, "fair": 50.0}
    evaluation = _evaluation({"ant": same, "bee": same})
    assert robust(evaluation, draws=500).sentence.startswith("Not settled: Ant and Bee are level; Ant beats Bee in")
    assert robust(evaluation, draws=500).close_call
    assert sensitive(evaluation).sentence == "Ant and Bee are level: whatever moves one of them decides."
    assert compare(evaluation, "ant", "bee").sentences[0] == "Ant and Bee are level."


def test_what_is_unknown_is_drawn_too() -> None:
    facts = {**CLEAR, "cat": {"fast": 88.0}}
    found = {each.id: each for each in robust(_evaluation(facts), spread=0.0, draws=4000).standings}
    assert 0 < found["cat"].win < found["ant"].win
    assert found["bee"].win == 0


def test_the_flip_is_where_the_two_are_level() -> None:
    found = sensitive(_evaluation(BALANCED))
    assert (found.leader, found.challenger) == ("ant", "bee")
    by_id = {flip.id: flip for flip in found.groups}
    assert by_id["speed"].now == pytest.approx(50)
    assert by_id["speed"].at == pytest.approx(100 * 80 / 180)
    assert by_id["cost"].at == pytest.approx(100 * 100 / 180)
    level = _evaluation(BALANCED, {"speed": 80, "cost": 100})
    scores = {line.id: line.ranking_score for line in level.vendors}
    assert scores["ant"] == pytest.approx(scores["bee"])
    assert "Bee overtakes Ant when" in found.sentence


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(*[st.sampled_from([None, 0.0, 35.0, 60.0, 100.0])] * 4), min_size=2, max_size=4),
    st.tuples(*[st.sampled_from([0.0, 1e-6, 1.0, 3.0, 1e5])] * 4),
    st.tuples(*[st.sampled_from([0.0, 1.0, 20.0])] * 2),
)
def test_the_weight_to_enter_makes_the_two_level_in_the_score_itself(points, inner, outer) -> None:
    names = ("fast", "quick", "cheap", "fair")
    made = catalogue(
        {
            "speed": [criterion(name, weight=weight) for name, weight in zip(names[:2], inner[:2], strict=True)],
            "cost": [criterion(name, weight=weight) for name, weight in zip(names[2:], inner[2:], strict=True)],
        },
        [
            vendor(
                f"v{row}",
                facts={name: fact(value) for name, value in zip(names, line, strict=True) if value is not None},
            )
            for row, line in enumerate(points)
        ],
        weights=dict(zip(("speed", "cost"), outer, strict=True)),
    )
    table = tabulate(made, (), NOW)
    try:
        found = sensitive(weigh(table, minimum_coverage=0))
    except (WeightError, DecisionError):
        return
    for flip in (*found.groups, *found.criteria):
        if flip.entered_at is None or not 1e-9 < flip.entered_at <= 1e6:
            continue
        weights = Weights(**{"groups" if flip.kind == "group" else "criteria": {flip.id: flip.entered_at}})
        scores = {line.id: line.ranking_score for line in weigh(table, weights=weights, minimum_coverage=0).vendors}
        assert scores[found.leader] == pytest.approx(scores[found.challenger], abs=1e-4), flip
        if flip.kind == "group":
            assert flip.at is not None


def test_naming_them_the_other_way_round_tells_the_same() -> None:
    evaluation = _evaluation(BALANCED)
    assert sensitive(evaluation, leader="bee", challenger="ant") == sensitive(evaluation)


def test_no_weight_flips_what_is_better_in_everything() -> None:
    found = sensitive(_evaluation(CLEAR))
    assert {flip.at for flip in (*found.groups, *found.criteria)} == {None}
    assert found.sentence == "No weight of a single group puts Bee before Ant."
    assert found.unknowns == ()


def test_the_unknown_that_may_change_the_winner_is_on_the_list() -> None:
    found = sensitive(_evaluation({**CLEAR, "cat": {"fast": 88.0, "cheap": 85.0}}))
    assert [(each.vendor, each.criterion) for each in found.unknowns] == [("cat", "fair")]
    assert 0 < found.unknowns[0].probability < 1


def test_an_undecided_gate_of_the_first_may_put_another_one_first() -> None:
    safe = criterion("safe", weight=0, must={"at_least": 50, "else": "not safe"})
    made = catalogue(
        {"speed": [criterion("fast"), safe]},
        [
            vendor("ant", facts={"fast": fact(90.0)}),
            vendor("bee", facts={"fast": fact(40.0)}),
            vendor("cat", facts={"fast": fact(30.0), "safe": fact(80.0)}),
            vendor("dog", facts={"fast": fact(99.0), "safe": fact(10.0)}),
            vendor("elk", facts={"fast": fact(20.0), "safe": fact(90.0)}),
        ],
    )
    found = sensitive(evaluate(made, (), as_of=NOW, minimum_coverage=0))
    # Ant's gate alone: Bee is not first, whatever becomes of its gate. One of three that are decided failed it.
    (unknown,) = found.unknowns
    assert (unknown.vendor, unknown.criterion, unknown.gate) == ("ant", "safe", True)
    assert unknown.probability == pytest.approx(2 / 5)
    alone = dataclasses.replace(made, vendors={"ant": made.vendors["ant"], "bee": made.vendors["bee"]})
    assert sensitive(evaluate(alone, (), as_of=NOW, minimum_coverage=0)).unknowns[0].probability == pytest.approx(1 / 2)


def test_the_reasons_add_up_to_the_difference() -> None:
    evaluation = _evaluation({**BALANCED, "cat": {"fast": 70.0, "cheap": 10.0}})
    found = compare(evaluation, "cat", "bee")
    scores = {line.id: line.ranking_score or 0.0 for line in evaluation.vendors}
    assert found.difference == pytest.approx(scores["cat"] - scores["bee"])
    assert sum(reason.points for reason in found.reasons) == pytest.approx(found.difference)
    unknown = next(reason for reason in found.reasons if reason.criterion == "fair")
    assert (unknown.first_known, unknown.second_known) == (False, True)
    assert any("unknown, taken for" in sentence for sentence in found.sentences)
    assert any(sentence.startswith("Cat gains 35.0 by “What is fast?”") for sentence in found.sentences)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda evaluation: robust(evaluation, draws=0), "number of draws"),
        (lambda evaluation: robust(evaluation, spread=2.0), "spread"),
        (lambda evaluation: sensitive(evaluation, leader="dog"), "dog has no rank"),
        (lambda evaluation: sensitive(evaluation, leader="ant", challenger="ant"), "cannot overtake itself"),
        (lambda evaluation: compare(evaluation, "ant", "ant"), "does not beat itself"),
        (lambda evaluation: compare(evaluation, "ant", "dog"), "dog has no rank"),
    ],
)
def test_what_cannot_be_decided_is_said_in_a_sentence(call, told: str) -> None:
    with pytest.raises(DecisionError, match=told):
        call(_evaluation(CLEAR))


def test_nobody_ranked_and_one_ranked() -> None:
    nobody = dataclasses.replace(_evaluation(CLEAR), vendors=())
    with pytest.raises(DecisionError, match="no vendor has a rank yet"):
        problem(nobody)
    alone = _evaluation({"ant": CLEAR["ant"]})
    assert robust(alone, draws=10).sentence == "Ant is the only vendor with a rank."
    with pytest.raises(DecisionError, match="only vendor with a rank"):
        sensitive(alone)


def test_who_is_nowhere_better_is_told_by_whom() -> None:
    first, second = robust(_evaluation(CLEAR), draws=50).standings
    assert (first.dominated_by, second.dominated_by) == ((), ("ant",))
    assert all(each.dominated_by == () for each in robust(_evaluation(BALANCED), draws=50).standings)
    same = {"ant": CLEAR["ant"], "bee": CLEAR["ant"]}
    assert all(each.dominated_by == () for each in robust(_evaluation(same), draws=50).standings)
    weightless = robust(_evaluation(BALANCED, weights={"speed": 0, "cost": 1}), draws=50).standings
    assert [(each.id, each.dominated_by) for each in weightless] == [("bee", ()), ("ant", ("bee",))]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=2, max_size=6), st.integers(0, 2**31))
def test_no_weights_put_a_dominated_vendor_before_the_one_that_dominates_it(
    rows: list[tuple[int, int, int]], seed: int
) -> None:
    keys = ("fast", "cheap", "fair")
    facts = {f"v{row}": {key: 25.0 * at for key, at in zip(keys, each, strict=True)} for row, each in enumerate(rows)}
    found = robust(_evaluation(facts), draws=2)
    drawn = np.random.default_rng(seed).dirichlet(np.ones(3), 200)
    scores = {name: drawn @ [values[key] for key in keys] for name, values in facts.items()}
    for each in found.standings:
        for better in each.dominated_by:
            assert (scores[better] >= scores[each.id] - 1e-9).all()
        assert set(each.dominated_by) == {
            other
            for other, values in facts.items()
            if values != facts[each.id] and all(values[key] >= facts[each.id][key] for key in keys)
        }
