"""The simulation of ratings: what it compares by, and that it is a fair one."""

from __future__ import annotations

import numpy as np
import pytest

from bench import ratings


def test_kendalls_tau() -> None:
    one = np.array([1.0, 2.0, 3.0, 4.0])
    assert ratings.kendall(one, one * 10) == 1
    assert ratings.kendall(one, -one) == -1
    assert ratings.kendall(one, np.array([1.0, 2.0, 4.0, 3.0])) == pytest.approx(4 / 6)


def test_the_truth_is_the_mean_of_the_stars_that_are_given() -> None:
    random = np.random.default_rng(2)
    for quality in (2.0, 4.0, 4.8):
        stars = np.clip(np.rint(random.normal(quality, ratings.NOISE, 200_000)), 1, 5)
        (truth,) = ratings._mean_stars(np.array([quality]))
        assert truth == pytest.approx(stars.mean(), abs=0.01)


def test_a_burst_is_one_vendors_and_changes_nothing_else() -> None:
    calm, bought = (ratings.problem(np.random.default_rng(4), drift=False, burst=burst) for burst in (False, True))
    assert all(len(given.stars) == ratings.VENDORS for given in (calm, bought))
    assert np.array_equal(calm.truth, bought.truth)
    sizes = [len(stars) for stars in bought.stars]
    assert all(ratings.FEWEST <= size <= ratings.MOST * 1.5 for size in sizes)


@pytest.mark.slow
def test_the_cap_helps_where_reviews_were_bought() -> None:
    plain, capped = (ratings.ours(730.0, cap=cap) for cap in (False, True))
    found: dict[str, list[float]] = {"plain": [], "capped": []}
    for seed in range(60):
        given = ratings.problem(np.random.default_rng((9, seed)), drift=True, burst=True)
        for name, estimator in (("plain", plain), ("capped", capped)):
            values, low, high = estimator(given)
            assert low is not None
            assert high is not None
            assert ((low <= values) & (values <= high)).all()
            found[name].append(ratings.kendall(values, given.truth))
    assert np.mean(found["capped"]) > np.mean(found["plain"]) + 0.01
