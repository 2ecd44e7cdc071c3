"""Frozen scorecards: the same bytes again, nothing else needed, hostile files refused, changes attributed in full."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.catalogue.models import Weights
from mailrubric.export.document import scorecard
from mailrubric.frozen import FACTORS, FrozenError, Inputs, difference, freeze, inputs, thaw, unlike
from tests.mailrubric.scoring.building import (
    NOW,
    catalogue,
    criterion,
    fact,
    measured,
    submission,
    vendor,
)


def _inputs(
    facts: dict[str, dict[str, float]],
    *,
    weights: Weights | None = None,
    speed: dict[str, Any] | None = None,
    latency: float | None = 40.0,
) -> Inputs:
    made = catalogue(
        {
            "speed": [criterion("fast", **(speed or {})), criterion("quick", **{"from": {"probe": "smtp.connect_ms"}})],
            "cost": [criterion("cheap")],
        },
        [
            vendor(name, facts={key: fact(value) for key, value in each.items()}, endpoints=submission("mx.example"))
            for name, each in facts.items()
        ],
    )
    found = [measured(name, "smtp.connect_ms", latency) for name in facts] if latency is not None else []
    return inputs(made, found, vendors=list(facts), preset=None, weights=weights, as_of=NOW, minimum_coverage=0.0)


TWO = {"ant": {"fast": 90.0, "cheap": 20.0}, "bee": {"fast": 40.0, "cheap": 80.0}}


def test_the_same_scorecard_comes_out_again() -> None:
    given_inputs = _inputs(TWO, weights=Weights(groups={"speed": 3}))
    data = freeze(given_inputs)
    again = thaw(data)
    assert scorecard(again.evaluate()) == scorecard(given_inputs.evaluate())
    assert freeze(again) == data
    assert json.loads(data)["scorecard"]["vendors"][0]["id"] == given_inputs.evaluate().vendors[0].id


def test_what_was_missing_is_missing_again() -> None:
    given_inputs = dataclasses.replace(
        _inputs(TWO, latency=None),
        observations=(measured("ant", "smtp.connect_ms", None, cause="connection_timeout", detail="no answer"),),
    )
    again = thaw(freeze(given_inputs))
    assert again.observations == given_inputs.observations
    assert again.observations[0].cause == "connection_timeout"


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda document: document.update(format="other"), "not a frozen scorecard"),
        (lambda document: document.update(version=2), "reads version 1"),
        (lambda document: document.pop("criteria"), "damaged: KeyError"),
        (lambda document: document.update(as_of="yesterday"), "as_of is no time"),
        (lambda document: document["criteria"][0].update(weight="heavy"), "weight"),
        (lambda document: document["criteria"][0].update(group="elsewhere"), "groups that it does not have"),
        (lambda document: document["observations"][0].update(cause="throttled"), "has a value and a cause"),
        (lambda document: document["criteria"].append(document["criteria"][0]), "criterion fast stands in it twice"),
        (lambda document: document["vendors"].append(document["vendors"][1]), "vendor bee stands in it twice"),
        (lambda document: document["observations"][0].update(value=float("nan")), "NaN is no number"),
        (lambda document: document["observations"][0].update(value=10**400), "a number of 401 digits"),
        (lambda document: document.update(scorecard=[]), "expected the result as an object"),
        (lambda document: document["observations"][0].update(surprise=1), "fields that there are not: surprise"),
        (lambda document: document["observations"][0].update(observed=5), "observed"),
        (lambda document: document["observations"][0].update(value={"a": 1}), "value"),
        (lambda document: document["observations"][0].update(n="many"), "n: "),
        (
            lambda document: document["metrics"].append({"key": "x.y", "type": "mood", "meaning": "", "unit": ""}),
            "type",
        ),
        (lambda document: document.update(preset=[1]), "preset is not among"),
        (lambda document: document.update(minimum_coverage=True), "minimum_coverage"),
        (lambda document: document["vendors"][0].update(category="bank"), "category"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(break_it: Any, told: str) -> None:
    document = json.loads(freeze(_inputs(TWO)))
    break_it(document)
    with pytest.raises(FrozenError, match=told):
        thaw(json.dumps(document).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    with pytest.raises(FrozenError):
        thaw(data)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(FrozenError):
        thaw(b"[" * 200_000)


def test_a_result_of_other_rules_is_told_from_the_same() -> None:
    document = json.loads(freeze(_inputs(TWO)))
    document["engine"] = document["scorecard"]["rules"]["engine"] = "0"
    document["scorecard"]["rules"]["hash"] = "0" * 64
    older = thaw(json.dumps(document).encode())
    assert unlike(older, older.evaluate()) == ""
    document["scorecard"]["vendors"][1]["coverage"] += 1
    older = thaw(json.dumps(document).encode())
    assert unlike(older, older.evaluate()) == "scorecard.vendors[1].coverage"


def test_nothing_changed() -> None:
    assert difference(_inputs(TWO), _inputs(TWO)).nothing


def test_each_change_is_laid_to_what_caused_it() -> None:
    before = _inputs(TWO)
    evidence = difference(before, _inputs({**TWO, "ant": {"fast": 50.0, "cheap": 20.0}}))
    (ant, bee) = sorted(evidence.vendors, key=lambda each: each.id)
    assert ant.parts is not None
    assert ant.parts["evidence"] == pytest.approx((ant.after or 0) - (ant.before or 0))
    assert (ant.parts["criteria"], ant.parts["weights"]) == pytest.approx((0, 0))
    assert bee.parts == pytest.approx(dict.fromkeys(FACTORS, 0.0))
    assert [(each.vendor, each.criterion, each.before, each.after) for each in evidence.cells] == [
        ("ant", "fast", "90", "50")
    ]
    weights = difference(before, _inputs(TWO, weights=Weights(groups={"speed": 9})))
    assert weights.cells == ()
    assert weights.weights["cheap"] == pytest.approx((50.0, 10.0))
    assert all(each.parts is not None and abs(each.parts["evidence"]) < 1e-9 for each in weights.vendors)
    judged = difference(before, _inputs(TWO, speed={"score": {"points": [[0, 100], [100, 0]]}}))
    assert judged.changed_criteria == ("fast",)
    assert all(each.parts is not None and abs(each.parts["criteria"]) > 1 for each in judged.vendors)


def test_what_came_and_went_is_named() -> None:
    old = _inputs(TWO)
    new = _inputs({"bee": TWO["bee"], "cat": {"fast": 1.0, "cheap": 1.0}})
    found = difference(old, new)
    assert (found.added_vendors, found.removed_vendors) == (("cat",), ("ant",))
    assert [each.id for each in found.vendors] == ["bee"]
    assert not found.nothing


def test_what_newcomers_do_to_the_others_is_laid_to_them() -> None:
    # Ant's price is unknown, so it is filled in with the help of whoever stands beside it.
    before = _inputs({"ant": {"fast": 90.0}, "bee": TWO["bee"]})
    after = _inputs({"ant": {"fast": 90.0}, "bee": TWO["bee"], "cat": {"fast": 95.0, "cheap": 10.0}})
    ant = next(each for each in difference(before, after).vendors if each.id == "ant")
    assert ant.parts is not None
    assert ant.before is not None
    assert ant.after is not None
    assert abs(ant.after - ant.before) > 1
    assert ant.parts == pytest.approx({**dict.fromkeys(FACTORS, 0.0), "vendors": ant.after - ant.before})


def test_places_are_laid_to_what_caused_them() -> None:
    # With cost at four times the weight Bee overtakes Ant; then Cat comes and is before both.
    before = _inputs({"ant": {"fast": 90.0, "cheap": 50.0}, "bee": {"fast": 40.0, "cheap": 60.0}})
    after = _inputs(
        {
            "ant": {"fast": 90.0, "cheap": 50.0},
            "bee": {"fast": 40.0, "cheap": 60.0},
            "cat": {"fast": 100.0, "cheap": 100.0},
        },
        weights=Weights(groups={"cost": 9}),
    )
    found = {each.id: each for each in difference(before, after).vendors}
    assert (found["ant"].rank_before, found["ant"].rank_after) == (1, 3)
    assert found["ant"].rank_parts == pytest.approx({"evidence": 0, "criteria": 0, "weights": -1, "vendors": -1})
    assert found["bee"].rank_parts == pytest.approx({"evidence": 0, "criteria": 0, "weights": 1, "vendors": -1})


values = st.fixed_dictionaries({"fast": st.floats(0, 100), "cheap": st.floats(0, 100)})


@settings(deadline=None, max_examples=30)
@given(values, values, st.floats(0.1, 9), st.booleans(), st.one_of(st.none(), st.floats(0, 100)), st.booleans())
def test_the_parts_always_add_up(
    old: dict[str, float],
    new: dict[str, float],
    weight: float,
    turned: bool,
    latency: float | None,
    comes: bool,
) -> None:
    before = _inputs({"ant": old, "bee": {"fast": 40.0}})
    after = _inputs(
        {"ant": new, "bee": {"fast": 40.0}, **({"cat": {"cheap": 50.0}} if comes else {})},
        weights=Weights(groups={"speed": weight}),
        speed={"score": {"points": [[0, 100], [100, 0]]}} if turned else None,
        latency=latency,
    )
    for each in difference(before, after).vendors:
        assert each.parts is not None
        assert each.before is not None
        assert each.after is not None
        assert sum(each.parts.values()) == pytest.approx(each.after - each.before, abs=1e-9)
        assert each.rank_before is not None
        assert each.rank_after is not None
        assert each.rank_parts is not None
        assert sum(each.rank_parts.values()) == pytest.approx(each.rank_before - each.rank_after, abs=1e-9)
