"""Small samples with honest intervals. Pure functions; nothing here knows where the numbers come from.

Means of a bounded scale (t), shares (Wilson), net promoter scores (adjusted Wald) and quantiles of waiting times of
which some are still running (Kaplan-Meier, bounded by order statistics). All intervals are of 95 %, on top of
:mod:`mailrubric.intervals`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

from mailrubric.intervals import NORMAL_QUANTILE, TAIL, order_bounds, student_t, wilson

_ALIKE = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A figure from ``n`` answers: ``low`` ≤ ``value`` ≤ ``high``."""

    value: float
    low: float
    high: float
    n: int


@dataclasses.dataclass(frozen=True, slots=True)
class Duration:
    """How long something took, or has taken so far: when it is not ``over``, ``length`` is the least it can be."""

    length: float
    over: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of waiting times.

    ``value``: None while too many still wait for it to be known. ``at_least``: what it cannot be below, given what has
    been waited so far; equal to ``value`` when nothing is waiting. ``low``: 0 and ``high``: None (open) where so few
    times bound nothing. ``n``: how many times, ``waiting`` of them not over.
    """

    value: float | None
    at_least: float
    low: float
    high: float | None
    n: int
    waiting: int


def mean(values: Sequence[float], least: float, most: float) -> Estimate:
    """The mean of at least one answer on a scale from ``least`` to ``most``, with its t-interval cut to the scale.

    Where all answers are equal (one answer is), their spread says nothing, and a t-interval would claim certainty. Then
    the share of people who would answer so is at least 0.025^(1/n) with 97.5 % confidence (Clopper and Pearson 1934),
    and the others may answer anything: the interval is what the mean can be with that share.
    """
    if not values:
        raise ValueError("no answer has no mean")
    n = len(values)
    centre = min(max(math.fsum(values) / n, min(values)), max(values))
    if max(values) - min(values) < _ALIKE:
        share = TAIL ** (1.0 / n)
        return Estimate(centre, centre * share + least * (1 - share), centre * share + most * (1 - share), n)
    deviation = math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (n - 1))
    reach = student_t(n - 1) * deviation / math.sqrt(n)
    return Estimate(centre, max(least, centre - reach), min(most, centre + reach), n)


def share(yes: int, n: int) -> Estimate:
    """A share in per cent with the score interval of Wilson (1927)."""
    low, high = wilson(yes, n)
    return Estimate(100 * (yes / n), 100 * low, 100 * high, n)


def net_promoter(promoters: int, passives: int, detractors: int) -> Estimate:
    """The net promoter score, -100 to 100: per cent of promoters less per cent of detractors.

    The interval is the adjusted Wald one that holds its level best in small samples (Rocks 2016; Bonett and Price
    2012): three further answers, ¾ of them promoters, ¾ detractors. It is drawn around a figure nearer to 0 than the
    score, so it is stretched to the score where it would leave it out (everybody a promoter, say).
    """
    n = promoters + passives + detractors
    if min(promoters, passives, detractors) < 0 or n == 0:
        raise ValueError("a net promoter score needs answers")
    score = (promoters - detractors) / n
    adjusted = n + 3
    p, d = (promoters + 0.75) / adjusted, (detractors + 0.75) / adjusted
    reach = NORMAL_QUANTILE * math.sqrt((p + d - (p - d) ** 2) / adjusted)
    low, high = max(-1.0, p - d - reach), min(1.0, p - d + reach)
    return Estimate(100 * score, 100 * min(low, score), 100 * max(high, score), n)


def quantile(durations: Iterable[Duration], p: float) -> Quantile:
    """The ``p``-quantile (0.5: the median) of at least one waiting time, those that go on taken for what they are.

    The value is the Kaplan-Meier one (1958); where the curve runs level at 1 - p, the middle of the step, which for
    times that are all over is the usual median. The interval is made of order statistics and assumes no distribution:
    the lower bound takes what goes on as ending now, the upper one as never ending, so it holds whatever the reason for
    which some are still waiting.
    """
    times = sorted(durations, key=lambda each: (each.length, not each.over))
    if not times or not 0.0 < p < 1.0:
        raise ValueError("a quantile needs times and a p between 0 and 1")
    n = len(times)
    lower, upper = order_bounds(n, p)
    ended = sorted(each.length if each.over else math.inf for each in times)
    high = ended[upper - 1] if upper else math.inf
    value = _kaplan_meier(times, p)
    at_least = _kaplan_meier([Duration(each.length) for each in times], p)
    assert at_least is not None
    return Quantile(
        value=value,
        at_least=at_least if value is None else min(at_least, value),
        low=times[lower - 1].length if lower else 0.0,
        high=None if math.isinf(high) else high,
        n=n,
        waiting=sum(not each.over for each in times),
    )


def _kaplan_meier(times: Sequence[Duration], p: float) -> float | None:
    """``times`` are sorted, at equal lengths those that are over first."""
    left, at_risk = 1.0, len(times)
    level: float | None = None
    for _, together in itertools.groupby(times, key=lambda each: each.length):
        group = list(together)
        length = group[0].length
        over = sum(each.over for each in group)
        if over:
            if level is not None:
                return (level + length) / 2
            left *= 1 - over / at_risk
            if abs(left - (1 - p)) < _ALIKE:
                level = length
            elif left < 1 - p:
                return length
        at_risk -= len(group)
    return None
