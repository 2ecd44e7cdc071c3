"""95 % intervals for what mail shows: of shares, rates and quantiles, where messages are not independent of each other.

All are pure. Student's t and the beta distribution are computed here from the regularised incomplete beta function
(continued fraction, Press et al., *Numerical Recipes* §6.4), so that nothing more than numpy is needed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

LEVEL = 0.95
NORMAL_QUANTILE = 1.959963984540054
"""Of 0.975."""
SAMPLE = 6
"""From so many recipients (or senders) on, they are a sample of all there might be, and the interval covers the choice
of them, too. Fewer are taken as given, and the interval is about them alone. Six is the smallest number whose smallest
and largest value enclose the median with 95 % confidence: 1 − 2 · 0.5⁶ = 0.969."""


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for 0 ≤ x ≤ 1 and a, b > 0."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges quickly on the other side only
        return 1.0 - front * _fraction(1.0 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's method for the continued fraction of the incomplete beta function."""
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    result = d
    for step in range(1, 10_000):
        even = step * (b - step) * x / ((a + 2 * step - 1.0) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1.0))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + term / c
            c = c if abs(c) > tiny else tiny
            result *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return result


def _root(function: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where an increasing function takes a value, by halving."""
    for _ in range(200):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return (low + high) / 2.0


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The value that a beta variable with these shapes stays below with this probability."""
    return _root(lambda x: incomplete_beta(x, a, b), probability, 0.0, 1.0)


@functools.lru_cache(maxsize=1024)
def t_quantile(freedom: float) -> float:
    """Student's t at 0.975 for so many degrees of freedom, 12.7 for one, 1.96 for very many."""
    if freedom <= 0:
        return math.inf
    # P(|T| > t) = I_x(df/2, 1/2) with x = df / (df + t²).
    x = beta_quantile(1.0 - LEVEL, freedom / 2.0, 0.5)
    return math.sqrt(freedom * (1.0 - x) / x)


def proportion(successes: float, trials: float) -> tuple[float, float]:
    """Clopper and Pearson's exact interval (1934), also for the effective numbers of a sample that is not simple."""
    tail = (1.0 - LEVEL) / 2.0
    low = 0.0 if successes <= 0 else beta_quantile(tail, successes, trials - successes + 1.0)
    high = 1.0 if successes >= trials else beta_quantile(1.0 - tail, successes + 1.0, trials - successes)
    return low, high


def clustered_share(yes: npt.NDArray[np.bool_], units: IntArray, times: IntArray) -> tuple[float, float, float]:
    """A share among things that belong together in two ways: (share, low, high), each 0 to 1.

    ``yes``: shape (n,), n ≥ 1; ``units``: which recipient (or sender) each belongs to; ``times``: which day or week.
    The interval is Korn and Graubard's (Survey Methodology 24, 1998): Clopper and Pearson's with the effective sample
    size p(1 − p)/V, lowered by (z/t)² for the few groups that V comes from. V is the two-way cluster-robust variance of
    Cameron, Gelbach and Miller (J. Business & Economic Statistics 29, 2011), never below that of one way. ``units``
    count as groups from ``SAMPLE`` of them on. Where all are alike, V says nothing: each group then counts as one
    trial.
    """
    n = len(yes)
    share = float(np.mean(yes))
    rest = yes.astype(np.float64) - share
    ways = [_group_sums(rest, times)]
    if len(np.unique(units)) >= SAMPLE:
        ways.append(_group_sums(rest, units))
    fewest = min(len(sums) for sums in ways)
    if fewest < 2:
        return share, 0.0, 1.0
    if share in (0.0, 1.0):
        effective = float(fewest)
    else:
        single = [float(np.sum(sums**2)) * len(sums) / (len(sums) - 1) for sums in ways]
        variance = max(single)
        if len(ways) == 2:
            both = _group_sums(rest, units * (int(times.max() - times.min()) + 1) + (times - times.min()))
            variance = max(variance, sum(single) - float(np.sum(both**2)))
        # Never more than the messages themselves: groups that cancel out by chance are no extra evidence.
        effective = min(float(n), share * (1.0 - share) * n * n / variance) if variance > 0 else float(n)
        effective *= (NORMAL_QUANTILE / t_quantile(fewest - 1)) ** 2
    effective = max(effective, 1.0)
    low, high = proportion(share * effective, effective)
    return share, low, high


def _group_sums(values: FloatArray, groups: IntArray) -> FloatArray:
    _, index = np.unique(groups, return_inverse=True)
    return np.bincount(index, weights=values).astype(np.float64)


def mean_of(values: FloatArray) -> tuple[float, float, float]:
    """Mean and t-interval of n ≥ 2 values (or of jackknife's pseudo-values): (mean, low, high)."""
    mean = float(np.mean(values))
    half = t_quantile(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def jackknife(whole: float, without: FloatArray) -> tuple[float, float]:
    """The t-interval of a statistic from its values with one of n ≥ 2 blocks left out (Tukey 1958; Quenouille).

    ``whole``: over all blocks; ``without``: shape (n,). Centred on ``whole``.
    """
    n = len(without)
    pseudo = n * whole - (n - 1) * without
    half = t_quantile(n - 1) * float(np.std(pseudo, ddof=1)) / math.sqrt(n)
    return whole - half, whole + half


def quantile_bounds(values: FloatArray, share: float) -> tuple[float, float] | None:
    """Two of the values that enclose a quantile of their population with 95 % confidence, whatever its distribution.

    By the binomial distribution of how many values lie below it (Conover, *Practical Nonparametric Statistics*, §3.2).
    None when even the smallest and the largest do not: that takes 6 values for the median, 36 for the 90th percentile.
    """
    n = len(values)
    k = np.arange(n + 1)
    logs = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(n + 1)])
    below = np.cumsum(np.exp(logs + k * math.log(share) + (n - k) * math.log1p(-share)))
    tail = (1.0 - LEVEL) / 2.0
    # The r-th smallest value lies above the quantile with probability P(B ≤ r − 1), below it with P(B ≥ r).
    lower = [r for r in range(1, n + 1) if below[r - 1] <= tail]
    upper = [r for r in range(1, n + 1) if 1.0 - below[r - 1] <= tail]
    if not lower or not upper:
        return None
    ordered = np.sort(values)
    return float(ordered[lower[-1] - 1]), float(ordered[upper[0] - 1])
