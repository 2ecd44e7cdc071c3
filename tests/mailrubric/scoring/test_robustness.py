"""SMAA over the additive model: probabilities add up, known truths come out, the same seed gives the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mailrubric.scoring.additive import WeightError
from mailrubric.scoring.robustness import analyse, draw_weights, score_draws, uncertain
from mailrubric.scoring.value_functions import FloatArray


def _known(scores: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, np.ndarray]:
    return scores, scores, scores, np.full_like(scores, np.nan), np.ones_like(scores, dtype=np.bool_)


scores_of = arrays.arrays(
    np.float64, st.tuples(st.integers(2, 6), st.integers(1, 7)), elements=st.floats(0, 100, allow_nan=False)
)


@settings(deadline=None, max_examples=60)
@given(scores_of, st.sampled_from(["around", "order", "any"]), st.integers(0, 5))
def test_each_rank_and_each_vendor_adds_up_to_one(scores: FloatArray, kind, seed: int) -> None:
    groups = np.arange(scores.shape[1]) % 3
    weights = draw_weights(np.linspace(1, 2, scores.shape[1]), groups, kind=kind, draws=200, seed=seed)
    assert weights.sum(axis=1) == pytest.approx(np.ones(200))
    assert (weights >= 0).all()
    found = analyse(uncertain(*_known(scores)), weights, seed=seed)
    assert found.rank.sum(axis=0) == pytest.approx(np.ones(len(scores)))
    assert found.rank.sum(axis=1) == pytest.approx(np.ones(len(scores)))
    assert found.beats + found.beats.T == pytest.approx(np.ones_like(found.beats))
    assert found.win == pytest.approx(found.rank[:, 0])


def test_two_criteria_and_any_weights_have_the_probability_of_geometry() -> None:
    # A is worth (100, 0), B (0, 50): A leads while its criterion has more than a third of the weight.
    weights = draw_weights(np.array([0.5, 0.5]), np.array([0, 1]), kind="any", draws=100_000)
    found = analyse(uncertain(*_known(np.array([[100.0, 0.0], [0.0, 50.0]]))), weights)
    assert found.win[0] == pytest.approx(2 / 3, abs=4 * found.standard_error)
    assert found.central[0] == pytest.approx([2 / 3, 1 / 3], abs=0.01)  # the mean of a uniform from 1/3 to 1
    assert found.confidence == pytest.approx([1.0, 1.0])


def test_order_is_kept_and_is_uniform_among_what_keeps_it() -> None:
    weights = draw_weights(np.array([0.5, 0.3, 0.2]), np.array([0, 1, 2]), kind="order", draws=50_000)
    assert (np.diff(weights, axis=1) <= 0).all()
    # The mean of ordered uniform weights are the rank order centroid weights (Barron and Barrett 1996).
    centroid = [(1 + 1 / 2 + 1 / 3) / 3, (1 / 2 + 1 / 3) / 3, (1 / 3) / 3]
    assert weights.mean(axis=0) == pytest.approx(centroid, abs=0.005)


def test_equal_weights_stand_in_no_order() -> None:
    weights = draw_weights(np.array([0.4, 0.4, 0.2]), np.array([0, 1, 2]), kind="order", draws=20_000)
    assert np.mean(weights[:, 0] > weights[:, 1]) == pytest.approx(0.5, abs=0.02)
    assert (weights[:, :2].min(axis=1) >= weights[:, 2]).all()


def test_spread_keeps_each_weight_near_the_teams_own() -> None:
    own = np.array([0.6, 0.2, 0.2])
    assert draw_weights(own, np.array([0, 1, 1]), spread=0.0, draws=10) == pytest.approx(np.tile(own, (10, 1)))
    drawn = draw_weights(own, np.array([0, 1, 1]), spread=0.2, draws=5000)
    ratio = drawn[:, 0] / drawn[:, 1:].sum(axis=1) / (0.6 / 0.4)
    assert 0.8 / 1.2 <= ratio.min() < 0.72
    assert 1.35 < ratio.max() <= 1.2 / 0.8


def test_a_criterion_without_weight_keeps_none() -> None:
    for kind in ("around", "order", "any"):
        drawn = draw_weights(np.array([0.5, 0.0, 0.5]), np.array([0, 0, 1]), kind=kind, draws=50)  # type: ignore[arg-type]
        assert (drawn[:, 1] == 0).all()


def test_splitting_a_group_does_not_make_it_grow() -> None:
    whole = draw_weights(np.array([0.5, 0.5]), np.array([0, 1]), kind="any", draws=40_000)
    split = draw_weights(
        np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]), np.array([0, 1, 1, 1, 1, 1]), kind="any", draws=40_000
    )
    assert split[:, 1:].sum(axis=1).mean() == pytest.approx(whole[:, 1].mean(), abs=0.01)


def test_same_seed_same_numbers_and_another_seed_others() -> None:
    scores = np.array([[50.0, 40.0], [45.0, 47.0]])
    cells = uncertain(scores, scores - 20, scores + 20, np.full_like(scores, np.nan), np.ones((2, 2), np.bool_))

    def run(seed: int) -> FloatArray:
        return analyse(
            cells, draw_weights(np.array([0.5, 0.5]), np.array([0, 1]), seed=seed, draws=500), seed=seed
        ).rank

    assert (run(3) == run(3)).all()
    assert not (run(3) == run(4)).all()


def test_the_quick_way_agrees_with_drawing_every_cell() -> None:
    random = np.random.default_rng(5)
    scores = random.uniform(20, 80, (6, 20))
    unknown = random.random((6, 20)) < 0.3
    values = np.where(unknown, np.nan, scores)
    cells = uncertain(
        values, np.where(unknown, 0, scores), np.where(unknown, 100, scores), np.where(unknown, 45.0, np.nan),
        random.random((6, 20)) < 0.9,
    )  # fmt: skip
    weights = draw_weights(np.full(20, 0.05), np.arange(20) % 4, draws=20_000)
    quick = analyse(cells, weights)
    exact = analyse(cells, weights, exact=True)
    assert np.abs(quick.rank - exact.rank).max() < 0.02
    assert np.abs(quick.beats - exact.beats).max() < 0.02


@settings(deadline=None, max_examples=40)
@given(scores_of, st.booleans())
def test_no_draw_leaves_what_the_cells_allow(scores: FloatArray, exact: bool) -> None:
    unknown = scores > 60
    values = np.where(unknown, np.nan, scores)
    low, high = np.where(unknown, 0.0, scores), np.where(unknown, 100.0, scores)
    applicable = scores < 90
    cells = uncertain(values, low, high, np.full_like(scores, 30.0), applicable)
    weights = draw_weights(np.ones(scores.shape[1]), np.zeros(scores.shape[1], dtype=np.intp), draws=50)
    drawn = score_draws(cells, weights, exact=exact)
    total = np.where(weights @ applicable.T > 0, weights @ applicable.T, 1.0)
    assert (drawn >= weights @ np.where(applicable, low, 0.0).T / total - 1e-9).all()
    assert (drawn <= weights @ np.where(applicable, high, 0.0).T / total + 1e-9).all()


def test_everything_known_leaves_only_the_weights_uncertain() -> None:
    scores = np.array([[10.0, 90.0], [20.0, 95.0]])
    weights = draw_weights(np.array([0.5, 0.5]), np.array([0, 1]), kind="any", draws=300)
    found = analyse(uncertain(*_known(scores)), weights)
    assert found.win.tolist() == [0.0, 1.0]  # the second is better in everything, whatever the weights
    assert np.isnan(found.central[0]).all()
    assert np.isnan(found.confidence[0])


@pytest.mark.parametrize("spread", [-0.1, 1.5, float("nan")])
def test_a_spread_that_means_nothing_is_refused(spread: float) -> None:
    with pytest.raises(WeightError, match="spread"):
        draw_weights(np.array([1.0]), np.array([0]), spread=spread)


def test_no_weight_at_all_is_refused() -> None:
    with pytest.raises(WeightError, match="weight"):
        draw_weights(np.array([0.0, 0.0]), np.array([0, 1]))


def test_many_vendors_in_single_precision_fare_the_same() -> None:
    random = np.random.default_rng(11)
    scores = random.uniform(0, 100, (120, 8))
    unknown = random.random(scores.shape) < 0.2
    values = np.where(unknown, np.nan, scores)
    low, high = np.where(unknown, 0.0, scores), np.where(unknown, 100.0, scores)
    everywhere = np.ones_like(unknown)
    weights = draw_weights(np.ones(8), np.arange(8), draws=4000)
    many = analyse(uncertain(values, low, high, np.full_like(scores, 40.0), everywhere), weights)
    # One cell that does not apply sends the same problem the other way.
    everywhere = everywhere.copy()
    everywhere[int(np.argmin(many.win)), 0] = False
    other = analyse(uncertain(values, low, high, np.full_like(scores, 40.0), everywhere), weights)
    assert np.abs(many.win - other.win).max() < 5 * many.standard_error
    assert many.rank.sum(axis=1) == pytest.approx(np.ones(120))


@pytest.mark.parametrize("others", [0, 70])
def test_vendors_that_are_the_same_in_everything_win_as_often(others: int) -> None:
    # Two alike win every draw between them, a third of the same kind stands with them; all others are worse.
    values = np.vstack([np.full((3, 4), 80.0), np.linspace(1.0, 40.0, others * 4 + 4).reshape(others + 1, 4)])
    cells = uncertain(values, values, values, np.full_like(values, np.nan), np.ones(values.shape, np.bool_))
    weights = draw_weights(np.full(4, 0.25), np.arange(4), kind="any", draws=6000, seed=1)
    found = analyse(cells, weights, seed=1)
    assert found.win[:3] == pytest.approx(1 / 3, abs=0.03)
    assert found.rank[:3, :3] == pytest.approx(np.full((3, 3), 1 / 3), abs=0.03)
    assert found.expected_rank[:3] == pytest.approx(2.0, abs=0.05)
    assert found.central[:3] == pytest.approx(np.full((3, 4), 0.25), abs=0.02)
    assert found.rank.sum(axis=0) == pytest.approx(1.0)
    assert found.rank.sum(axis=1) == pytest.approx(1.0)
    if not others:
        assert found.beats[:3, :3] == pytest.approx(np.full((3, 3), 0.5))
