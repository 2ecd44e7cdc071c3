"""What would change the decision: every flip is put back into the model, where the two vendors must be level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mailrubric.scoring.robustness import uncertain
from mailrubric.scoring.sensitivity import differences, flips, selections, value_of_information, values_that_flip
from mailrubric.scoring.value_functions import FloatArray

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # of numpy: an overflow, a division by nothing

NEXT_TO_NOTHING = (np.array([[2.3e-309, 1.0], [0.0, 0.0]]), np.ones((2, 2), np.bool_), np.array([0.5, 0.5]))

pairs = st.integers(2, 6).flatmap(
    lambda count: st.tuples(
        arrays.arrays(np.float64, (2, count), elements=st.floats(0, 100)),
        arrays.arrays(np.bool_, (2, count)),
        arrays.arrays(np.float64, count, elements=st.floats(0.01, 1)),
    )
)


def _scores(values: FloatArray, applicable: np.ndarray, shares: FloatArray) -> FloatArray:
    weight = shares * applicable
    return (weight * values).sum(axis=1) / weight.sum(axis=1)


@settings(deadline=None, max_examples=200)
@given(pairs)
@example(NEXT_TO_NOTHING)
def test_at_the_flip_both_are_level(problem) -> None:
    values, applicable, shares = problem
    assume(applicable.any(axis=1).all())
    values = np.where(applicable, values, 0.0)
    shares = shares / shares.sum()
    each, _ = selections(np.arange(shares.size))
    found = flips(values, applicable, shares, each, 0, 1)
    for criterion in np.flatnonzero(~np.isnan(found.factor)):
        changed = shares.copy()
        changed[criterion] *= found.factor[criterion]
        if not ((changed * applicable).sum(axis=1) > 1e-9).all() or found.factor[criterion] > 1e6:
            continue
        one, other = _scores(values, applicable, changed)
        assert one == pytest.approx(other, abs=1e-5)
        assert changed[criterion] / changed.sum() == pytest.approx(found.share[criterion], abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(pairs, st.floats(0.001, 1000))
@example(NEXT_TO_NOTHING, 1.0)
def test_where_no_flip_is_found_no_weight_makes_one(problem, factor: float) -> None:
    values, applicable, shares = problem
    assume(applicable.any(axis=1).all())
    values = np.where(applicable, values, 0.0)
    shares = shares / shares.sum()
    before = _scores(values, applicable, shares)
    assume(abs(before[0] - before[1]) > 1e-3)
    each, _ = selections(np.arange(shares.size))
    found = flips(values, applicable, shares, each, 0, 1)
    for criterion in np.flatnonzero(np.isnan(found.factor)):
        changed = shares.copy()
        changed[criterion] *= factor
        after = _scores(values, applicable, changed)
        assert (after[0] - after[1]) * (before[0] - before[1]) > -1e-6


def test_groups_grow_and_shrink_together() -> None:
    # Group 0 is worth 100 to A, group 1 is worth 80 to B: level where w·100 = (1-w)·80.
    values = np.array([[100.0, 100.0, 0.0], [0.0, 0.0, 80.0]])
    _, groups = selections(np.array([0, 0, 1]))
    found = flips(values, np.ones((2, 3), np.bool_), np.array([0.3, 0.3, 0.4]), groups, 0, 1)
    assert found.now == pytest.approx([0.6, 0.4])
    assert found.share == pytest.approx([80 / 180, 100 / 180])


def test_a_weight_of_next_to_nothing_has_its_flip_too() -> None:
    # A leads by 10 on all but everything; B is better by 40 on a millionth: level where 40·t = 10·(1-t).
    values = np.array([[60.0, 50.0], [50.0, 90.0]])
    each, _ = selections(np.arange(2))
    for tiny in (1e-6, 1e-14, 0.0):
        found = flips(values, np.ones((2, 2), np.bool_), np.array([1.0 - tiny, tiny]), each, 0, 1)
        assert found.share[1] == pytest.approx(0.2), tiny
        assert found.share[0] == pytest.approx(np.nan if tiny == 0.0 else 0.8, nan_ok=True), tiny


def test_a_group_without_weight_has_the_proportions_that_were_entered() -> None:
    # In the group of no weight A has 90 and 30, B 30 and 90; one to three: A 45, B 75. Elsewhere A leads by 10.
    values, groups = np.array([[60.0, 90.0, 30.0], [50.0, 30.0, 90.0]]), np.array([0, 1, 1])
    _, by_group = selections(groups)
    everywhere, shares = np.ones((2, 3), np.bool_), np.array([1.0, 0.0, 0.0])
    found = flips(values, everywhere, shares, by_group, 0, 1, entered=np.array([1.0, 1.0, 3.0]))
    assert found.share[1] == pytest.approx(0.25)
    nothing = flips(values, everywhere, shares, by_group, 0, 1, entered=np.array([1.0, 0.0, 0.0]))
    assert np.isnan(nothing.share).all(), "no criterion of it has a weight, so nothing says what it would count"


def test_where_one_has_no_weight_left_there_is_no_flip() -> None:
    # Only the first criterion applies to B: without it B has no score to be level with.
    values, applicable = np.array([[80.0, 90.0], [50.0, 0.0]]), np.array([[True, True], [True, False]])
    each, _ = selections(np.arange(2))
    assert np.isnan(flips(values, applicable, np.array([0.5, 0.5]), each, 0, 1).share).all()


def test_better_in_everything_has_no_flip_but_at_no_weight_at_all() -> None:
    values = np.array([[90.0, 80.0], [50.0, 40.0]])
    each, _ = selections(np.arange(2))
    found = flips(values, np.ones((2, 2), np.bool_), np.array([0.5, 0.5]), each, 0, 1)
    assert np.isnan(found.share).all()


def test_the_values_that_flip_do_so() -> None:
    values = np.array([[90.0, 60.0, 0.0], [70.0, 50.0, 80.0]])
    applicable = np.array([[True, True, False], [True, True, True]])
    shares = np.array([0.5, 0.3, 0.2])
    before = _scores(values, applicable, shares)
    assert before[0] > before[1]
    raised, lowered = values_that_flip(values, applicable, shares, 0, 1)
    for criterion in range(3):
        for row, needed in ((1, raised), (0, lowered)):
            if np.isnan(needed[criterion]):
                continue
            changed = values.copy()
            changed[row, criterion] = needed[criterion]
            one, other = _scores(changed, applicable, shares)
            assert one == pytest.approx(other)
    assert np.isnan(lowered[2]), "the criterion does not apply to the leader"


def test_knowing_a_cell_matters_as_often_as_it_would_change_the_winner() -> None:
    # A has 60 everywhere. B has 70 on one half and is unknown, estimated 40, on the other: it wins above 50.
    scores = np.array([[60.0, 60.0], [70.0, np.nan]])
    low, high = np.array([[60.0, 60.0], [70.0, 0.0]]), np.array([[60.0, 60.0], [70.0, 100.0]])
    cells = uncertain(scores, low, high, np.array([[np.nan, np.nan], [np.nan, 40.0]]), np.ones((2, 2), np.bool_))
    found = value_of_information(cells, np.array([0.5, 0.5]))
    drawn = np.random.default_rng(1).triangular(0, 40, 100, 200_000)
    assert found[1, 1] == pytest.approx(np.mean(drawn > 50), abs=0.005)
    assert (found[0] == 0).all()
    assert found[1, 0] == 0


def test_an_unknown_of_the_leader_matters_where_it_could_lose_by_it() -> None:
    scores = np.array([[np.nan, 90.0], [60.0, 60.0]])
    low, high = np.array([[0.0, 90.0], [60.0, 60.0]]), np.array([[100.0, 90.0], [60.0, 60.0]])
    cells = uncertain(scores, low, high, np.array([[50.0, np.nan], [np.nan, np.nan]]), np.ones((2, 2), np.bool_))
    found = value_of_information(cells, np.array([0.5, 0.5]))
    drawn = np.random.default_rng(2).triangular(0, 50, 100, 200_000)
    assert found[0, 0] == pytest.approx(np.mean(drawn < 30), abs=0.005)


@settings(deadline=None, max_examples=100)
@given(pairs)
def test_the_differences_add_up(problem) -> None:
    values, applicable, shares = problem
    assume(applicable.any(axis=1).all())
    one, other = _scores(values, applicable, shares)
    assert differences(values, applicable, shares, 0, 1).sum() == pytest.approx(one - other, abs=1e-9)
