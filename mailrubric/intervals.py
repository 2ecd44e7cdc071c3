"""Intervals that several kinds of evidence share: Student's t, shares, quantiles. Pure functions over plain numbers.

Rooms build what is theirs alone (clustered shares, waiting times that go on, net promoter scores) on these. The special
functions are SciPy's, of which ``scipy.special`` alone is needed; it is imported where it is called, since reading
evidence imports this module and few commands make an interval of it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from typing import Final

LEVEL: Final = 0.95
"""Of every interval that does not say otherwise."""

TAIL: Final = (1.0 - LEVEL) / 2.0
"""What an interval of ``LEVEL`` leaves out on either side."""

NORMAL_QUANTILE: Final = 1.959963984540054
"""What a standard normal variable stays below with probability 1 − ``TAIL``."""


def student_t(freedom: float, level: float = LEVEL) -> float:
    """The t of a two-sided interval of ``level``: 12.706 for 0.95 and one degree of freedom, 1.960 for very many.

    ``freedom``: degrees, more than 0; may be a fraction. Raises :class:`ValueError` for none at all: an infinite t
    would be as true, but times a spread of 0 it is NaN, so whoever may have none says what that means.
    """
    from scipy import special

    if not 0.0 < level < 1.0 or not freedom > 0.0:
        raise ValueError("t needs some degree of freedom and a level between 0 and 1")
    return float(special.stdtrit(freedom, (1.0 + level) / 2.0))


def wilson(yes: int, n: int) -> tuple[float, float]:
    """The score interval of a share ``yes``/``n``, from 0 to 1 (Wilson, J. Am. Stat. Assoc. 22, 1927, 209–212).

    For independent trials: narrower than :func:`clopper_pearson`, and close to its level on average (Newcombe 1998). At
    none and at all a bound meets the share exactly, and rounding never puts one beyond it.
    """
    if not 0 <= yes <= n or n == 0:
        raise ValueError("a share needs 0 <= yes <= n and n > 0")
    share, z2 = yes / n, NORMAL_QUANTILE**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = NORMAL_QUANTILE / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if yes == 0 else max(0.0, centre - reach)
    high = 1.0 if yes == n else min(1.0, centre + reach)
    return min(low, share), max(high, share)


def clopper_pearson(yes: float, n: float) -> tuple[float, float]:
    """The exact interval of a share ``yes``/``n``, from 0 to 1 (Clopper and Pearson, Biometrika 26, 1934, 404–413).

    It never covers less than its level. The numbers may be fractions, which are the effective ones of a sample that is
    not simple (Korn and Graubard 1998).
    """
    from scipy import special

    if not 0 <= yes <= n or n == 0:
        raise ValueError("a share needs 0 <= yes <= n and n > 0")
    low = 0.0 if yes == 0 else float(special.betaincinv(yes, n - yes + 1.0, TAIL))
    high = 1.0 if yes == n else float(special.betaincinv(yes + 1.0, n - yes, 1.0 - TAIL))
    return low, high


def order_bounds(n: int, p: float) -> tuple[int, int]:
    """Which of ``n`` sorted values bound the ``p``-quantile of their population, counted from 1; 0 where none does.

    The lower is the last X(l) with P(B < l) ≤ 0.025, the upper the first X(u) with P(B ≥ u) ≤ 0.025, where B is
    binomial with ``n`` and ``p`` (Conover, Practical Nonparametric Statistics, §3.2; David and Nagaraja, Order
    Statistics, §7.1): no distribution is assumed. A median needs 6 values for either, a 90th percentile 36 for both.
    """
    if n < 0 or not 0.0 < p < 1.0:
        raise ValueError("a quantile needs 0 < p < 1")
    upper = _last_below(n, 1.0 - p)  # the same, counted from the largest
    return _last_below(n, p), n + 1 - upper if upper else 0


def _last_below(n: int, p: float) -> int:
    """How many k from 0 to ``n`` − 1 have P(B ≤ k) ≤ ``TAIL``."""
    from scipy import special

    return bisect.bisect_right(range(n), TAIL, key=lambda k: float(special.bdtr(k, n, p)))


def quantile_bounds(values: Iterable[float], p: float) -> tuple[float, float] | None:
    """The two of ``values`` that bound the ``p``-quantile of their population by :func:`order_bounds`, or None where
    they are too few for one of them."""
    ordered = sorted(values)
    lower, upper = order_bounds(len(ordered), p)
    return (float(ordered[lower - 1]), float(ordered[upper - 1])) if lower and upper else None
