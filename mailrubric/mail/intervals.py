"""95 % intervals for what mail shows, where messages are not independent of each other: of shares among messages that
belong together, and of statistics over blocks of time. Pure functions, on top of :mod:`mailrubric.intervals`.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mailrubric.intervals import NORMAL_QUANTILE, clopper_pearson, student_t

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

SAMPLE = 6
"""From so many recipients (or senders) on, they are a sample of all there might be, and the interval covers the choice
of them, too. Fewer are taken as given, and the interval is about them alone. Six is the smallest number whose smallest
and largest value enclose the median with 95 % confidence: 1 − 2 · 0.5⁶ = 0.969."""


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
        effective *= (NORMAL_QUANTILE / student_t(fewest - 1)) ** 2
    effective = max(effective, 1.0)
    low, high = clopper_pearson(share * effective, effective)
    return share, low, high


def _group_sums(values: FloatArray, groups: IntArray) -> FloatArray:
    _, index = np.unique(groups, return_inverse=True)
    return np.bincount(index, weights=values).astype(np.float64)


def jackknife(whole: float, without: FloatArray) -> tuple[float, float]:
    """The t-interval of a statistic from its values with one of n ≥ 2 blocks left out (Tukey 1958; Quenouille).

    ``whole``: over all blocks; ``without``: shape (n,). Centred on ``whole``.
    """
    n = len(without)
    pseudo = n * whole - (n - 1) * without
    half = student_t(n - 1) * float(np.std(pseudo, ddof=1)) / math.sqrt(n)
    return whole - half, whole + half
