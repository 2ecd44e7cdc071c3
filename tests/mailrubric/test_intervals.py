"""Shared intervals against tables in books, and by what they promise."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys

import numpy as np
import pytest

from mailrubric import intervals


def test_the_normal_quantile_is_that_of_the_level() -> None:
    exact = statistics.NormalDist().inv_cdf(1 - intervals.TAIL)
    assert math.isclose(intervals.NORMAL_QUANTILE, exact, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("level", "degrees", "t"),
    [
        (0.5, 1, 1.0),
        (0.95, 1, 12.7062047362),
        (0.95, 2, 4.3026527297),
        (0.95, 3.5, 2.9400886380),
        (0.95, 4, 2.7764451052),
        (0.95, 10, 2.2281388520),
        (0.999, 10, 4.5868938587),
        (0.95, 30, 2.0422724563),
        (0.95, 99.5, 1.9840936110),
        (0.95, 120, 1.9799304051),
        (0.95, 1e4, 1.9602012398),
        (0.95, 1e6, 1.9599663568),
        (0.95, 1e15, 1.9599639845),
    ],
)
def test_students_t_as_in_the_tables(level: float, degrees: float, t: float) -> None:
    assert intervals.student_t(degrees, level) == pytest.approx(t, rel=1e-9)


@pytest.mark.parametrize(("degrees", "level"), [(0, 0.95), (-2, 0.95), (math.nan, 0.95), (3, 0.0), (3, 1.0)])
def test_t_refuses_what_it_has_not(degrees: float, level: float) -> None:
    with pytest.raises(ValueError, match="degree of freedom"):
        intervals.student_t(degrees, level)


@pytest.mark.parametrize(
    ("yes", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (0, 20, 0, 0.1611),
    ],
)
def test_wilsons_interval(yes: int, n: int, low: float, high: float) -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263 is 0.2553 to 0.3662, 0 of 20 to 0.1611.
    assert intervals.wilson(yes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilsons_interval_never_leaves_its_share_out_nor_the_scale() -> None:
    for n in (1, 2, 3, 7, 49, 1000):
        for yes in range(n + 1):
            low, high = intervals.wilson(yes, n)
            assert 0.0 <= low <= yes / n <= high <= 1.0
            assert (low == 0.0) == (yes == 0)
            assert (high == 1.0) == (yes == n)


@pytest.mark.parametrize(
    ("yes", "n", "wanted"),
    [
        (0, 10, (0.0, 0.3085)),
        (10, 10, (0.6915, 1.0)),
        (1, 10, (0.0025, 0.4450)),
        (5, 10, (0.1871, 0.8129)),
        (38, 40, (0.8308, 0.9939)),
    ],
)
def test_the_exact_interval_is_clopper_and_pearsons(yes: int, n: int, wanted: tuple[float, float]) -> None:
    assert intervals.clopper_pearson(yes, n) == pytest.approx(wanted, abs=5e-5)


def test_the_exact_interval_of_effective_numbers_lies_between_those_of_whole_ones() -> None:
    lows, highs = zip(*(intervals.clopper_pearson(0.4 * n, n) for n in (10, 12.5, 15)), strict=True)
    assert lows[0] < lows[1] < lows[2] < 0.4 < highs[2] < highs[1] < highs[0]


@pytest.mark.parametrize("interval", [intervals.wilson, intervals.clopper_pearson])
@pytest.mark.parametrize(("yes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_no_share_of_nothing(interval: object, yes: int, n: int) -> None:
    assert callable(interval)
    with pytest.raises(ValueError, match="a share needs"):
        interval(yes, n)


@pytest.mark.parametrize(
    ("n", "p", "wanted"),
    [
        (0, 0.5, (0, 0)),
        (5, 0.5, (0, 0)),
        (6, 0.5, (1, 6)),
        # David and Nagaraja's tables: the median of 10 lies between the 2nd and the 9th, of 20 the 6th and the 15th.
        (10, 0.5, (2, 9)),
        (20, 0.5, (6, 15)),
        (25, 0.5, (8, 18)),
        (35, 0.9, (28, 0)),
        (36, 0.9, (29, 36)),
    ],
)
def test_order_statistics_that_bound_a_quantile(n: int, p: float, wanted: tuple[int, int]) -> None:
    assert intervals.order_bounds(n, p) == wanted


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_order_statistics_are_the_closest_that_hold_the_level(p: float) -> None:
    """By exact sums, each tail at most 0.025 and the next value one too many."""
    for n in range(1, 80):
        weights = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
        lower, upper = intervals.order_bounds(n, p)
        assert math.fsum(weights[:lower]) <= 0.025 < math.fsum(weights[: lower + 1])
        assert math.fsum(weights[upper or n + 1 :]) <= 0.025 < math.fsum(weights[(upper or n + 1) - 1 :])


def test_the_values_that_bound_a_quantile() -> None:
    assert intervals.quantile_bounds([6, 5, 4, 3, 2, 1], 0.5) == (1, 6)
    assert intervals.quantile_bounds([5, 4, 3, 2, 1], 0.5) is None
    assert intervals.quantile_bounds([], 0.5) is None
    assert intervals.quantile_bounds(np.arange(36.0), 0.9) == (28.0, 35.0)
    assert intervals.quantile_bounds(np.arange(35.0), 0.9) is None, "it has a lower bound and no upper one"
    with pytest.raises(ValueError, match="0 < p < 1"):
        intervals.order_bounds(6, 1.0)


def test_a_share_costs_no_library() -> None:
    code = "import sys; from mailrubric.intervals import wilson; wilson(3, 7); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert not {"scipy", "numpy"} & {name.partition(".")[0] for name in loaded.split()}
