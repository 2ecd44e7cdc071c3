"""What would change the decision: weights and values at which two vendors change places, in closed form.

The ranking score of a vendor is (P + u·p) / (Q + u·q): u scales the weight of one criterion or one group, p and q are
its weighted score and weight, P and Q those of all the rest (a criterion that does not apply leaves both). Two vendors
are equal where (P₁ + u·p₁)(Q₂ + u·q₂) = (P₂ + u·p₂)(Q₁ + u·q₁), a quadratic in u: no search, no simulation.
Where every criterion applies to both, it is linear.

Shapes: V vendors, C criteria, S selections of criteria (a criterion each, or a group each). All functions are pure.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mailrubric.scoring.additive import BoolArray
from mailrubric.scoring.robustness import IntArray, Uncertain
from mailrubric.scoring.value_functions import FloatArray


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Flips:
    """Weights at which the challenger draws level with the leader.

    ``share``: (S,), share of the selection in all weights (0 to 1) at which they are level, NaN when there is none;
    where there are two, the nearer to today's. ``now``: (S,), today's share. ``factor``: (S,), today's weight times
    this gives it.
    """

    share: FloatArray
    now: FloatArray
    factor: FloatArray


def selections(groups: IntArray) -> tuple[BoolArray, BoolArray]:
    """The criteria one by one, (C, C), and by group, (G, C), as selections. ``groups``: (C,), numbered from 0."""
    count = int(groups.max()) + 1 if groups.size else 0
    return np.eye(groups.size, dtype=np.bool_), np.arange(count)[:, None] == groups[None, :]


def flips(
    values: FloatArray, applicable: BoolArray, shares: FloatArray, selected: BoolArray, leader: int, challenger: int
) -> Flips:
    """At which weight of each selection ``challenger`` draws level with ``leader``.

    ``values``: (V, C), score or imputed score, 0 where not applicable. ``shares``: (C,). ``selected``: (S, C): the
    weights of a selection grow or shrink together, all others keep their proportions to each other.
    """
    chosen = selected.astype(np.float64)
    weight = shares * applicable  # (V, C)
    weighted = weight * values
    pair = np.array([leader, challenger])
    p = weighted[pair] @ chosen.T  # (2, S)
    q = weight[pair] @ chosen.T
    rest_p = weighted[pair].sum(axis=1)[:, None] - p
    rest_q = weight[pair].sum(axis=1)[:, None] - q
    now = chosen @ shares / shares.sum()
    a = p[0] * q[1] - p[1] * q[0]
    b = p[0] * rest_q[1] + rest_p[0] * q[1] - p[1] * rest_q[0] - rest_p[1] * q[0]
    c = rest_p[0] * rest_q[1] - rest_p[1] * rest_q[0]
    factor = _nearest_root(a, b, c)
    mine = chosen @ shares
    others = shares.sum() - mine
    with np.errstate(invalid="ignore"):
        total = factor * mine + others
        share = np.where(total > 0, factor * mine / np.where(total > 0, total, 1.0), np.nan)
    nothing = (mine <= 0) | np.isnan(factor)
    return Flips(np.where(nothing, np.nan, share), now, np.where(nothing, np.nan, factor))


def _nearest_root(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """The root of a·u² + b·u + c that is not negative and nearest to 1 on a logarithmic scale; NaN when there is none.
    Coefficients that vanish beside the others count as 0."""
    scale = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.abs(c))
    tiny = 1e-12 * scale
    linear = np.abs(a) <= tiny
    with np.errstate(divide="ignore", invalid="ignore"):
        of_line = np.where(np.abs(b) > tiny, -c / b, np.nan)
        discriminant = b * b - 4.0 * a * c
        root = np.sqrt(np.where(discriminant >= 0, discriminant, np.nan))
        half = -0.5 * (b + np.where(b >= 0, root, -root))  # without cancellation (Numerical Recipes 5.6)
        first = np.where(linear, of_line, half / a)
        second = np.where(linear, np.nan, np.where(half != 0, c / half, np.nan))
        candidates = np.stack([first, second])
        candidates = np.where((candidates >= 0) & np.isfinite(candidates), candidates, np.nan)
        distance = np.abs(np.log(np.maximum(candidates, 1e-300)))
    distance = np.where(np.isnan(candidates), np.inf, distance)
    nearest = np.argmin(distance, axis=0)
    result: FloatArray = np.take_along_axis(candidates, nearest[None, :], axis=0)[0]
    return result


def values_that_flip(
    values: FloatArray, applicable: BoolArray, shares: FloatArray, leader: int, challenger: int
) -> tuple[FloatArray, FloatArray]:
    """The score, (C,), that each criterion of the challenger would have to have for it to draw level with the leader,
    and the score that each criterion of the leader would have to have; NaN where no score from 0 to 100 does it."""
    weight = shares * applicable
    divisor = np.maximum(weight.sum(axis=1), 1e-300)
    scores = (weight * values).sum(axis=1) / divisor
    gap = float(scores[leader] - scores[challenger])
    with np.errstate(divide="ignore", invalid="ignore"):
        raised = np.where(
            weight[challenger] > 0, values[challenger] + gap * divisor[challenger] / weight[challenger], np.nan
        )
        lowered = np.where(weight[leader] > 0, values[leader] - gap * divisor[leader] / weight[leader], np.nan)
    return (
        np.where((raised >= 0) & (raised <= 100), raised, np.nan),
        np.where((lowered >= 0) & (lowered <= 100), lowered, np.nan),
    )


def value_of_information(cells: Uncertain, shares: FloatArray) -> FloatArray:
    """How likely it is, for each cell, (V, C), that knowing it would change the winner: the part of its distribution
    that puts another vendor first while everything else stays as estimated; 0 for cells that are known, and 0
    everywhere with a single vendor.
    """
    vendors = cells.mode.shape[0]
    result = np.zeros_like(cells.mode)
    if vendors < 2:
        return result
    weight = shares * cells.applicable
    divisor = np.maximum(weight.sum(axis=1), 1e-300)
    scores = (weight * cells.mode).sum(axis=1) / divisor
    order = np.argsort(-scores, kind="stable")
    leader, second = int(order[0]), int(order[1])
    reach = np.where(np.arange(vendors) == leader, scores[second], scores[leader]) - scores  # what must be gained
    with np.errstate(divide="ignore", invalid="ignore"):
        threshold = cells.mode + reach[:, None] * divisor[:, None] / weight
    below = _triangular_cdf(cells, threshold)
    changes = np.where((np.arange(vendors) == leader)[:, None], below, 1.0 - below)
    open_ = (cells.high > cells.low) & (weight > 0)
    return np.where(open_, changes, result)


def _triangular_cdf(cells: Uncertain, at: FloatArray) -> FloatArray:
    a, b, c = cells.low, cells.mode, cells.high
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = (at - a) ** 2 / ((c - a) * (b - a))
        falling = 1.0 - (c - at) ** 2 / ((c - a) * (c - b))
    inner = np.where(at < b, rising, falling)
    return np.where(at <= a, 0.0, np.where(at >= c, 1.0, inner))


def differences(values: FloatArray, applicable: BoolArray, shares: FloatArray, one: int, other: int) -> FloatArray:
    """Points by which each criterion, (C,), puts ``one`` ahead of ``other``; they add up to the difference of the two
    ranking scores."""
    weight = shares * applicable
    divisor = np.maximum(weight.sum(axis=1), 1e-300)
    points = weight * values / divisor[:, None]
    difference: FloatArray = points[one] - points[other]
    return difference
