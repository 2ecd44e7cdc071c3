"""The whole way from observations to a ranking, by hand and by property."""

from __future__ import annotations

import dataclasses
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Criterion, Preset, Weights
from mailrubric.evidence.observation import Observation
from mailrubric.scoring.evaluate import (
    ENGINE_VERSION,
    ScoringError,
    WeightError,
    effective_weights,
    evaluate,
    tabulate,
    weigh,
)
from mailrubric.scoring.evaluation import Evaluation, VendorScore
from tests.mailrubric.scoring.building import NOW, catalogue, criterion, fact, measured, submission, vendor

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def as_json(evaluation: Evaluation) -> bytes:
    return json.dumps(dataclasses.asdict(evaluation), sort_keys=True, allow_nan=False).encode()


def by_id(evaluation: Evaluation) -> dict[str, VendorScore]:
    return {each.id: each for each in evaluation.vendors}


# --- an example done by hand ------------------------------------------------------------------------------------------


def example() -> tuple[Catalogue, list[Observation]]:
    """Two groups of weight 3 and 1. TLS: oldest version (weight 3) and days left (1). Price: monthly (1), free (1).

    Global weights: 3/4·3/4 = 56.25 %, 3/4·1/4 = 18.75 %, 1/4·1/2 = 12.5 % twice.
    """
    oldest = criterion(
        "oldest",
        weight=3,
        **{
            "from": {"probe": "tls.oldest_version", "roles": ["submission"]},
            "score": {"map": {"TLSv1.3": 100, "TLSv1.2": 90, "TLSv1.0": 0}},
            "must": {"one_of": ["TLSv1.2", "TLSv1.3"], "else": "it still takes TLS 1.0"},
        },
    )
    days = criterion(
        "days-left",
        unit="d",
        **{"from": {"probe": "certificate.days_left"}, "score": {"points": [[0, 0], [50, 100]]}},
    )
    monthly = criterion("monthly", score={"points": [[10, 100], [1000, 0]], "scale": "log"})
    free = criterion("free", score={"points": [[0, 0], [100, 100]]})
    made = catalogue(
        {"tls": [oldest, days], "price": [monthly, free]},
        [
            vendor("acme", endpoints=submission("a.example"), facts={"monthly": fact(100), "free": fact(40)}),
            vendor("bolt", endpoints=submission("b.example"), facts={"monthly": fact(10)}),
            vendor("cash", endpoints=submission("c.example"), facts={"monthly": fact(1000)}),
            vendor("dusk", endpoints=submission("d.example"), facts={"monthly": fact(10), "free": fact(100)}),
        ],
        weights={"tls": 3, "price": 1},
    )
    observations = [
        measured("acme", "tls.oldest_version", "TLSv1.2", host="a.example"),
        measured("acme", "certificate.days_left", 25, host="a.example", unit="d"),
        measured("bolt", "tls.oldest_version", "TLSv1.3", host="b.example"),
        measured("bolt", "certificate.days_left", cause="throttled", host="b.example", unit="d"),
        measured("cash", "tls.oldest_version", cause="connection_timeout", host="c.example"),
        measured("dusk", "tls.oldest_version", "TLSv1.0", host="d.example"),
        measured("dusk", "certificate.days_left", 50, host="d.example", unit="d"),
    ]
    return made, observations


def test_an_example_worked_by_hand() -> None:
    # No claim is fresh at noon of its day, so the claims are trusted 0.5^(0.5/365).
    trust = 0.5 ** (0.5 / 365)
    result = evaluate(*example(), as_of=NOW)
    found = by_id(result)
    assert [(each.id, each.status, each.rank) for each in result.vendors] == [
        ("bolt", "ranked", 1),
        ("acme", "ranked", 2),
        ("cash", "insufficient", None),
        ("dusk", "failed", None),
    ]
    acme = found["acme"]
    # 0.5625·90 + 0.1875·50 + 0.125·50 + 0.125·40 = 50.625 + 9.375 + 6.25 + 5
    assert acme.score == pytest.approx(71.25)
    assert [cell.contribution for cell in acme.cells] == pytest.approx([50.625, 9.375, 6.25, 5])
    assert [cell.weight for cell in acme.cells] == pytest.approx([56.25, 18.75, 12.5, 12.5])
    assert acme.coverage == pytest.approx(100)
    assert acme.low == pytest.approx(60 + trust * 11.25)
    assert acme.high == pytest.approx(60 + trust * 11.25 + (1 - trust) * 25)
    assert [(group.id, group.score, group.contribution) for group in acme.groups] == [
        ("tls", pytest.approx(80), pytest.approx(60)),
        ("price", pytest.approx(45), pytest.approx(11.25)),
    ]

    bolt = found["bolt"]
    # Known: 0.5625·100 and 0.125·100 of 0.6875, so 100; days left and free mails are unknown.
    assert bolt.score == pytest.approx(100)
    assert bolt.coverage == pytest.approx(68.75)
    assert bolt.low == pytest.approx(56.25 + 12.5 * trust)
    assert bolt.high == pytest.approx(100)
    # Criterion means: oldest (90+100+0)/3, days (50+100)/2, monthly (50+100+0+100)/4, free (40+100)/2.
    # bolt is (100 - 63.33) and (100 - 62.5) better than the means where it is known: 37.08 on average.
    effect = ((100 - 190 / 3) + (100 - 62.5)) / 2
    days, free = 0.8 * (75 + effect), 0.8 * (70 + effect)
    assert [cell.imputed for cell in bolt.cells] == [None, pytest.approx(days), None, pytest.approx(free)]
    assert bolt.ranking_score == pytest.approx(56.25 + 0.1875 * days + 12.5 + 0.125 * free)

    cash = found["cash"]
    assert (cash.score, cash.coverage) == (pytest.approx(0), pytest.approx(12.5))
    assert cash.gates[0].status == "provisional"
    assert "connection_timeout" in cash.gates[0].reason

    dusk = found["dusk"]
    assert dusk.gates[0].status == "fail"
    assert dusk.gates[0].reason.startswith("it still takes TLS 1.0 (TLSv1.0;")
    assert dusk.score == pytest.approx(18.75 + 12.5 + 12.5)


def test_what_a_reader_is_told_of_a_criterion() -> None:
    info = evaluate(*example(), as_of=NOW).criteria[0]
    assert (info.id, info.group, info.group_title) == ("oldest", "tls", "Tls")
    assert info.weight == pytest.approx(56.25)
    assert info.value_function == "100 at TLSv1.3; 90 at TLSv1.2; 0 at TLSv1.0"
    assert info.sources == "probe tls.oldest_version (submission; worst counts)"
    assert info.must == "must be one of TLSv1.2, TLSv1.3, else it still takes TLS 1.0"


def test_newest_and_oldest_evidence_are_named() -> None:
    acme = by_id(evaluate(*example(), as_of=NOW))["acme"]
    assert (acme.newest, acme.oldest) == ("2026-11-22T12:00:00Z", "2026-11-22")


# --- weights ----------------------------------------------------------------------------------------------------------


def preset(identifier: str, **weights: Any) -> Preset:
    return Preset.model_validate({"id": identifier, "title": "A buyer", "description": "for the test", **weights})


def test_overrides_go_over_the_preset_and_that_over_the_catalogue() -> None:
    made, observations = example()
    made = dataclasses.replace(
        made, presets={"thrifty": preset("thrifty", groups={"price": 3, "elsewhere": 9}, criteria={"free": 4})}
    )
    groups, criteria = effective_weights(made, "thrifty", Weights(criteria={"free": 0}))
    assert groups == {"tls": 3, "price": 3}
    assert criteria == {"oldest": 3, "days-left": 1, "monthly": 1, "free": 0}
    result = evaluate(made, observations, preset="thrifty", weights=Weights(criteria={"free": 0}), as_of=NOW)
    assert (result.preset, result.group_weights, result.criterion_weights) == ("thrifty", groups, criteria)
    assert sum(info.weight for info in result.criteria) == pytest.approx(100)
    assert [info.weight for info in result.criteria] == pytest.approx([37.5, 12.5, 50, 0])


def test_unknown_names_are_refused() -> None:
    made, observations = example()
    with pytest.raises(ScoringError, match="no preset has the id thrifty"):
        evaluate(made, observations, preset="thrifty")
    with pytest.raises(ScoringError, match="unknown group: nothing"):
        evaluate(made, observations, weights=Weights(groups={"nothing": 1}))
    with pytest.raises(ScoringError, match="unknown criterion: nothing"):
        evaluate(made, observations, weights=Weights(criteria={"nothing": 1}))


def test_no_weight_at_all_is_refused() -> None:
    made, observations = example()
    with pytest.raises(WeightError):
        evaluate(made, observations, weights=Weights(groups={"tls": 0, "price": 0}))


def test_a_gate_holds_whatever_it_weighs() -> None:
    made, observations = example()
    result = evaluate(made, observations, weights=Weights(groups={"tls": 0}), as_of=NOW)
    assert by_id(result)["dusk"].status == "failed"
    tls = by_id(result)["acme"].groups[0]
    assert (tls.weight, tls.contribution) == (0, 0)
    assert tls.score == pytest.approx(80)  # a group's own score does not depend on its weight


def test_weighing_a_table_again_is_the_same_as_evaluating_anew() -> None:
    made, observations = example()
    table = tabulate(made, observations, NOW)
    for weights in (None, Weights(groups={"price": 9}), Weights(criteria={"oldest": 0})):
        assert as_json(weigh(table, weights=weights)) == as_json(
            evaluate(made, observations, weights=weights, as_of=NOW)
        )


# --- status and order -------------------------------------------------------------------------------------------------


def simple(values: dict[str, Any], count: int = 1, **fields: Any) -> Catalogue:
    """Vendors whose facts x0, x1 … are given; None leaves a fact out."""
    criteria = [criterion(f"x{number}", **fields) for number in range(count)]
    vendors = []
    for identifier, given_values in values.items():
        several = given_values if isinstance(given_values, list) else [given_values]
        facts = {f"x{number}": fact(value) for number, value in enumerate(several) if value is not None}
        vendors.append(vendor(identifier, facts=facts))
    return catalogue({"group": criteria}, vendors)


def test_equal_scores_share_a_rank_and_stand_in_order_of_id() -> None:
    result = evaluate(simple({"d": 50, "b": 50, "a": 20, "c": 90}), [], as_of=NOW)
    assert [(each.id, each.rank) for each in result.vendors] == [("c", 1), ("b", 2), ("d", 2), ("a", 3)]


def test_too_little_evidence_gives_no_rank_and_the_threshold_can_be_moved() -> None:
    made = simple({"half": [90, None], "full": [10, 10]}, 2)
    strict = evaluate(made, [], as_of=NOW)
    assert [(each.id, each.status, each.rank) for each in strict.vendors] == [
        ("full", "ranked", 1),
        ("half", "insufficient", None),
    ]
    assert by_id(strict)["half"].ranking_score is not None
    lenient = evaluate(made, [], as_of=NOW, minimum_coverage=50)
    assert [(each.id, each.rank) for each in lenient.vendors] == [("half", 1), ("full", 2)]


def test_a_vendor_of_whom_nothing_is_known_is_never_ranked() -> None:
    nobody = evaluate(simple({"nobody": None}), [], as_of=NOW, minimum_coverage=0).vendors[0]
    assert (nobody.status, nobody.score, nobody.ranking_score, nobody.rank) == ("insufficient", None, None, None)
    assert (nobody.low, nobody.high, nobody.coverage, nobody.newest) == (0, 100, 0, "")


def test_not_applicable_leaves_the_weight_and_unknown_does_not() -> None:
    tools = criterion("tools", applies_to=["marketing"])
    other = criterion("other")
    made = catalogue(
        {"group": [tools, other]},
        [
            vendor("relay", "esp", facts={"other": fact(50)}),
            vendor("campaigns", "marketing", facts={"other": fact(50)}),
        ],
    )
    found = by_id(evaluate(made, [], as_of=NOW))
    assert found["relay"].coverage == pytest.approx(100)
    assert found["campaigns"].coverage == pytest.approx(50)
    assert found["relay"].score == found["campaigns"].score == pytest.approx(50)
    assert found["relay"].groups[0].applicable


def test_a_vendor_to_whom_nothing_applies() -> None:
    made = catalogue({"group": [criterion("tools", applies_to=["marketing"])]}, [vendor("relay")])
    relay = evaluate(made, [], as_of=NOW).vendors[0]
    assert (relay.status, relay.score, relay.coverage) == ("insufficient", None, 0)
    assert not relay.groups[0].applicable


def test_all_known_and_fresh_leaves_no_interval() -> None:
    one = criterion("speed", **{"from": {"probe": "smtp.speed"}})
    made = catalogue({"group": [one]}, [vendor("acme", endpoints=submission("mx.example"))])
    acme = evaluate(made, [measured("acme", "smtp.speed", 37.3)], as_of=NOW).vendors[0]
    assert acme.low == acme.score == acme.high == 37.3


def test_no_vendors_make_an_empty_evaluation() -> None:
    assert evaluate(simple({}), [], as_of=NOW).vendors == ()


# --- rules hash and determinism ---------------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes_in_any_order() -> None:
    made, observations = example()
    wanted = as_json(evaluate(made, observations, as_of=NOW))
    for seed in range(5):
        shuffled = observations.copy()
        random.Random(seed).shuffle(shuffled)
        vendors = list(made.vendors.items())
        random.Random(seed).shuffle(vendors)
        again = dataclasses.replace(made, vendors=dict(vendors))
        assert as_json(evaluate(again, shuffled, as_of=NOW)) == wanted


def test_the_hash_follows_the_rules_and_nothing_else() -> None:
    made, observations = example()

    def of(changed: Catalogue = made, seen: list[Observation] = observations, **fields: Any) -> str:
        return evaluate(changed, seen, **{"as_of": NOW, **fields}).rules_hash

    plain = of()
    assert len(plain) == 64
    assert of(seen=[]) == plain
    assert of(as_of=NOW + timedelta(days=3)) == plain
    assert of(vendors=["acme"]) == plain
    criteria = list(made.criteria)
    criteria[3] = criteria[3].model_copy(update={"weight": 2.0})
    others = {
        "criterion": of(dataclasses.replace(made, criteria=tuple(criteria))),
        "weights": of(weights=Weights(groups={"price": 2})),
        "coverage": of(minimum_coverage=50),
        "preset": of(dataclasses.replace(made, presets={"p": preset("p")}), preset="p"),
        "fact": of(
            dataclasses.replace(made, facts={**made.facts, "free": made.facts["free"].model_copy(update={"unit": "d"})})
        ),
    }
    assert len({plain, *others.values()}) == 6
    # A key that says what holds without it changes nothing: files that were frozen before there was such a key agree.
    source = made.criteria[3].source
    for update, same in (({"tolerance": source.tolerance}, True), ({"tolerance": 0.5}, False)):
        spelt = made.criteria[3].model_copy(update={"source": source.model_validate({**source.model_dump(), **update})})
        assert (of(dataclasses.replace(made, criteria=(*made.criteria[:3], spelt))) == plain) == same
    assert evaluate(made, observations, as_of=NOW).engine_version == ENGINE_VERSION


# --- properties -------------------------------------------------------------------------------------------------------

values_of_vendor = st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=5, max_size=5)
raw_weights = st.lists(st.integers(1, 20), min_size=5, max_size=5)


def built(rows: list[list[float | None]], raw: list[int]) -> Catalogue:
    made = simple({f"v{number}": row for number, row in enumerate(rows)}, 5)
    weighted: tuple[Criterion, ...] = tuple(
        each.model_copy(update={"weight": float(weight)}) for each, weight in zip(made.criteria, raw, strict=True)
    )
    return dataclasses.replace(made, criteria=weighted)


@quick
@given(st.lists(values_of_vendor, min_size=1, max_size=5), raw_weights)
def test_contributions_and_groups_add_up(rows: list[list[float | None]], raw: list[int]) -> None:
    for line in evaluate(built(rows, raw), [], as_of=NOW).vendors:
        parts = [cell.contribution for cell in line.cells if cell.contribution is not None]
        assert (line.score is None) == (not parts)
        assert abs(sum(parts) - (line.score or 0)) < 1e-9
        assert abs(sum(group.contribution for group in line.groups) - (line.score or 0)) < 1e-9
        assert abs(sum(cell.weight for cell in line.cells) - 100) < 1e-9
        assert all((cell.contribution is None) == (cell.score is None) for cell in line.cells)
        if line.score is not None:
            assert line.low <= line.score <= line.high


@quick
@given(st.lists(values_of_vendor, min_size=1, max_size=4), values_of_vendor, raw_weights)
def test_another_vendor_changes_nobodys_score(
    rows: list[list[float | None]], newcomer: list[float | None], raw: list[int]
) -> None:
    before, after = (by_id(evaluate(built(each, raw), [], as_of=NOW)) for each in (rows, [*rows, newcomer]))
    for identifier, line in before.items():
        other = after[identifier]
        assert (line.score, line.low, line.high, line.coverage) == (other.score, other.low, other.high, other.coverage)


@quick
@given(st.lists(values_of_vendor, min_size=1, max_size=3), raw_weights, st.data())
def test_the_interval_contains_every_completion_of_the_unknown(
    rows: list[list[float | None]], raw: list[int], data: st.DataObject
) -> None:
    complete = [[data.draw(st.floats(0, 100)) if value is None else value for value in row] for row in rows]
    before = by_id(evaluate(built(rows, raw), [], as_of=NOW))
    for identifier, line in by_id(evaluate(built(complete, raw), [], as_of=NOW)).items():
        assert line.score is not None
        assert before[identifier].low - 1e-9 <= line.score <= before[identifier].high + 1e-9


@quick
@given(values_of_vendor, raw_weights, st.integers(0, 4), st.data())
def test_a_better_value_never_lowers_the_score(
    row: list[float | None], raw: list[int], place: int, data: st.DataObject
) -> None:
    if row[place] is None:
        return
    better = row.copy()
    better[place] = data.draw(st.floats(row[place], 100))
    before, after = (evaluate(built([each], raw), [], as_of=NOW).vendors[0] for each in (row, better))
    assert before.score is not None
    assert after.score is not None
    assert after.score >= before.score - 1e-9
    assert after.low >= before.low - 1e-9
    assert after.high >= before.high - 1e-9


@quick
@given(values_of_vendor, raw_weights, st.integers(0, 4), st.integers(1, 30))
def test_more_weight_moves_the_score_towards_the_criterion(
    row: list[float | None], raw: list[int], position: int, more: int
) -> None:
    heavier = [weight + more * (number == position) for number, weight in enumerate(raw)]
    (before,), (after,) = (evaluate(built([row], each), [], as_of=NOW).vendors for each in (raw, heavier))
    value = row[position]
    if value is None or before.score is None or after.score is None:
        assert before.score == pytest.approx(after.score)  # what is unknown weighs nothing in the score of record
        assert after.coverage <= before.coverage + 1e-9
    else:
        assert abs(after.score - value) <= abs(before.score - value) + 1e-9
        assert after.coverage >= before.coverage - 1e-9


@quick
@given(st.lists(st.floats(0, 100), min_size=5, max_size=5), raw_weights)
def test_with_everything_known_the_interval_has_no_width(row: list[float], raw: list[int]) -> None:
    (line,) = evaluate(built([list(row)], raw), [], as_of=NOW.replace(hour=0)).vendors
    assert line.coverage == pytest.approx(100)
    assert line.low == pytest.approx(line.high, abs=1e-9)


@quick
@given(st.lists(values_of_vendor, min_size=1, max_size=3), raw_weights, st.permutations(range(5)))
def test_the_order_of_criteria_changes_no_score(
    rows: list[list[float | None]], raw: list[int], order: list[int]
) -> None:
    made = built(rows, raw)
    turned = dataclasses.replace(
        made,
        criteria=tuple(made.criteria[place] for place in order),
        group_of={made.criteria[place].id: "group" for place in order},
    )
    one, other = (by_id(evaluate(each, [], as_of=NOW)) for each in (made, turned))
    for identifier, line in one.items():
        assert line.score == pytest.approx(other[identifier].score, abs=1e-9)
        assert line.ranking_score == pytest.approx(other[identifier].ranking_score, abs=1e-9)


@quick
@given(values_of_vendor, st.floats(0, 1500), st.floats(1, 1000))
def test_age_widens_the_interval_and_leaves_the_score(row: list[float | None], days: float, more: float) -> None:
    made = built([row], [1] * 5)
    younger, older = (evaluate(made, [], as_of=NOW + timedelta(days=age)).vendors[0] for age in (days, days + more))
    assert older.score == younger.score
    assert older.low <= younger.low + 1e-9
    assert older.high >= younger.high - 1e-9
