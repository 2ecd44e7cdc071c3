from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.scoring.additive import WeightError, completed, global_weights, totals
from mailrubric.scoring.value_functions import FloatArray

NAN = float("nan")


def plain(scores: list[list[float]], weights: list[float], applicable: list[list[bool]] | None = None):
    given_scores = np.array(scores, dtype=np.float64)
    unknown = np.isnan(given_scores)
    applies = np.ones(given_scores.shape, dtype=bool) if applicable is None else np.array(applicable)
    low, high = np.where(unknown, 0.0, given_scores), np.where(unknown, 100.0, given_scores)
    return totals(given_scores, low, high, applies, np.array(weights, dtype=np.float64))


def test_a_criterion_weighs_its_groups_share_times_its_share_within() -> None:
    shares, within = global_weights(
        {"a": "first", "b": "first", "c": "second"}, {"first": 3, "second": 1}, {"a": 1, "b": 3, "c": 8}
    )
    assert shares.tolist() == pytest.approx([0.1875, 0.5625, 0.25])
    assert within.tolist() == pytest.approx([0.25, 0.75, 1])


def test_a_group_without_weighted_criteria_leaves_its_share_to_the_others() -> None:
    shares, _ = global_weights({"a": "first", "b": "second"}, {"first": 3, "second": 1}, {"a": 0, "b": 2})
    assert shares.tolist() == [0, 1]


@pytest.mark.parametrize(("groups", "criteria"), [({"g": 0}, {"a": 1}), ({"g": 1}, {"a": 0})])
def test_no_weight_at_all_is_refused(groups: dict[str, float], criteria: dict[str, float]) -> None:
    with pytest.raises(WeightError, match="weight"):
        global_weights({"a": "g"}, groups, criteria)


def test_score_coverage_and_interval_by_hand() -> None:
    # weights 5, 3, 2; the second is unknown: score (5·80 + 2·50)/7, interval (400 + 0|300 + 100)/10.
    found = plain([[80, NAN, 50]], [5, 3, 2])
    assert found.score[0] == pytest.approx(500 / 7)
    assert found.coverage[0] == pytest.approx(70)
    assert (found.low[0], found.high[0]) == pytest.approx((50, 80))
    assert found.contributions[0].tolist() == pytest.approx([400 / 7, 0, 100 / 7])


def test_what_does_not_apply_leaves_the_weight() -> None:
    found = plain([[80, NAN, 50]], [5, 3, 2], [[True, False, True]])
    assert found.coverage[0] == pytest.approx(100)
    assert found.low[0] == pytest.approx(found.high[0]) == pytest.approx(500 / 7)


def test_nothing_known_and_nothing_applicable() -> None:
    unknown = plain([[NAN, NAN]], [1, 1])
    assert np.isnan(unknown.score[0])
    assert (unknown.low[0], unknown.high[0], unknown.coverage[0]) == (0, 100, 0)
    nothing = plain([[NAN]], [1], [[False]])
    assert np.isnan(nothing.score[0])
    assert (nothing.low[0], nothing.high[0], nothing.coverage[0]) == (0, 100, 0)


cell = st.one_of(st.just(NAN), st.floats(0, 100))


@st.composite
def problems(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    vendors, criteria = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    scores = draw(st.lists(st.lists(cell, min_size=criteria, max_size=criteria), min_size=vendors, max_size=vendors))
    weights = draw(st.lists(st.floats(0.001, 100), min_size=criteria, max_size=criteria))
    return np.array(scores, dtype=np.float64), np.array(weights, dtype=np.float64)


@given(problems())
def test_contributions_add_up_to_the_score_and_a_plain_loop_agrees(problem: tuple[FloatArray, FloatArray]) -> None:
    scores, weights = problem
    found = plain(scores.tolist(), weights.tolist())
    for row, line in enumerate(scores):
        known = [(value, weight) for value, weight in zip(line, weights, strict=True) if value == value]
        if not known:
            assert np.isnan(found.score[row])
            continue
        by_loop = sum(value * weight for value, weight in known) / sum(weight for _, weight in known)
        assert found.score[row] == pytest.approx(by_loop, abs=1e-9)
        assert found.contributions[row].sum() == pytest.approx(found.score[row], abs=1e-9)
        assert found.low[row] <= found.score[row] <= found.high[row]


@given(problems(), st.data())
def test_the_interval_contains_every_completion_of_the_unknown(
    problem: tuple[FloatArray, FloatArray], data: st.DataObject
) -> None:
    scores, weights = problem
    found = plain(scores.tolist(), weights.tolist())
    guess = np.array(data.draw(st.lists(st.floats(0, 100), min_size=scores.size, max_size=scores.size)))
    complete = completed(scores, guess.reshape(scores.shape), np.ones(scores.shape, dtype=bool), weights)
    assert (found.low - 1e-9 <= complete).all()
    assert (complete <= found.high + 1e-9).all()


@given(problems())
def test_a_row_is_the_same_to_the_last_bit_whatever_stands_beside_it(problem: tuple[FloatArray, FloatArray]) -> None:
    scores, weights = problem
    together = plain(scores.tolist(), weights.tolist())
    for row, line in enumerate(scores):
        alone = plain([line.tolist()], weights.tolist())
        assert np.array_equal(alone.score[0], together.score[row], equal_nan=True)
        assert alone.low[0] == together.low[row]
        assert alone.high[0] == together.high[row]


@given(problems(), st.floats(0.01, 1000))
def test_only_the_proportions_of_weights_matter(problem: tuple[FloatArray, FloatArray], factor: float) -> None:
    scores, weights = problem
    one, other = plain(scores.tolist(), weights.tolist()), plain(scores.tolist(), (weights * factor).tolist())
    assert np.allclose(one.score, other.score, atol=1e-9, equal_nan=True)
    assert np.allclose(one.coverage, other.coverage, atol=1e-9)


@given(problems(), st.data())
def test_a_better_value_never_lowers_a_score(problem: tuple[FloatArray, FloatArray], data: st.DataObject) -> None:
    scores, weights = problem
    known = np.argwhere(~np.isnan(scores))
    if not len(known):
        return
    row, column = known[data.draw(st.integers(0, len(known) - 1))]
    better = scores.copy()
    better[row, column] = data.draw(st.floats(scores[row, column], 100))
    before, after = plain(scores.tolist(), weights.tolist()), plain(better.tolist(), weights.tolist())
    assert after.score[row] >= before.score[row] - 1e-9
    assert after.low[row] >= before.low[row] - 1e-9


@given(problems(), st.randoms())
def test_the_order_of_criteria_does_not_matter(problem: tuple[FloatArray, FloatArray], random: object) -> None:
    scores, weights = problem
    order = list(range(len(weights)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = plain(scores.tolist(), weights.tolist()), plain(scores[:, order].tolist(), weights[order].tolist())
    assert np.allclose(one.score, other.score, atol=1e-9, equal_nan=True)
