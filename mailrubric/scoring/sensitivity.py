"""What would change the decision: weights and values at which two vendors change places, in closed form.

The ranking score of a vendor is (P + u·p) / (Q + u·q): u is the weight of one criterion or one group beside that of all
the rest, p and q are its weighted score and weight, P and Q those of the rest (a criterion that does not apply leaves
both). Two vendors are equal where (P₁ + u·p₁)(Q₂ + u·q₂) = (P₂ + u·p₂)(Q₁ + u·q₁), a quadratic in u: no search, no
simulation. Where every criterion applies to both, it is linear.

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
    this gives it; NaN also where there is no weight today.
    """

    share: FloatArray
    now: FloatArray
    factor: FloatArray


_VANISHING = 1e-12
"""A coefficient of so little beside the others is rounding."""


_LARGEST = 1e9
"""Times the weight of all the rest: a flip beyond is all weight on one thing, and found by rounding alone."""


def selections(groups: IntArray) -> tuple[BoolArray, BoolArray]:
    """The criteria one by one, (C, C), and by group, (G, C), as selections. ``groups``: (C,), numbered from 0."""
    count = int(groups.max()) + 1 if groups.size else 0
    return np.eye(groups.size, dtype=np.bool_), np.arange(count)[:, None] == groups[None, :]


def flips(
    values: FloatArray,
    applicable: BoolArray,
    shares: FloatArray,
    selected: BoolArray,
    leader: int,
    challenger: int,
    *,
    entered: FloatArray | None = None,
) -> Flips:
    """At which weight of each selection ``challenger`` draws level with ``leader``.

    ``values``: (V, C), score or imputed score, 0 where not applicable. ``shares``: (C,). ``selected``: (S, C): the
    weights of a selection grow or shrink together, all others keep their proportions to each other. ``entered``: (C,),
    weights as given, for the proportions within a selection that has no share today; a single criterion needs none.
    """
    chosen = selected.astype(np.float64)
    mine, others = chosen @ shares, (1.0 - chosen) @ shares
    inside = chosen * shares
    of_nothing = chosen * entered if entered is not None else chosen * (chosen.sum(axis=1) == 1)[:, None]
    inside = np.where((mine > 0)[:, None], inside, of_nothing)
    # Both parts as shares of themselves: a selection of hardly any weight would else drown in rounding.
    size = inside.sum(axis=1)
    with np.errstate(over="ignore"):  # of weights that are next to nothing: what is not finite has no flip
        inside = inside / np.where(size > 0, size, 1.0)[:, None]
        outside = (1.0 - chosen) * shares / np.where(others > 0, others, 1.0)[:, None]
        today = mine / np.where(others > 0, others, 1.0)
    pair = np.array([leader, challenger])
    applies, weighted = applicable[pair].astype(np.float64), applicable[pair] * values[pair]
    p, q = weighted @ inside.T, applies @ inside.T  # (2, S)
    rest_p, rest_q = weighted @ outside.T, applies @ outside.T
    a = p[0] * q[1] - p[1] * q[0]
    b = p[0] * rest_q[1] + rest_p[0] * q[1] - p[1] * rest_q[0] - rest_p[1] * q[0]
    c = rest_p[0] * rest_q[1] - rest_p[1] * rest_q[0]
    sound = (size > 0) & (others > 0) & np.isfinite(today)
    odds = _nearest_root(a, b, c, today)
    with np.errstate(invalid="ignore"):
        # Where one of the two has no weight left there is no score, and nothing to be level with.
        sound &= (rest_q + odds * q > 1e-12 * (1.0 + odds)).all(axis=0) & (odds <= _LARGEST)
        share = np.where(sound, np.abs(odds) / (1.0 + odds), np.nan)
        factor = np.where(sound & (mine > 0), np.abs(odds) / np.where(today > 0, today, 1.0), np.nan)
    return Flips(share, mine / shares.sum(), factor)


def entered_flips(
    values: FloatArray,
    applicable: BoolArray,
    shares: FloatArray,
    groups: IntArray,
    entered: FloatArray,
    leader: int,
    challenger: int,
) -> FloatArray:
    """The weight, as entered, of each criterion, (C,), at which the two are level when all other weights stay as they
    were entered: a group's share stays, so its other criteria make room. NaN when there is none.

    ``groups``: (C,), as in ``selections``; ``entered``: (C,), weights within the groups as given. The rest as in
    ``flips``.
    """
    together = groups[:, None] == groups[None, :]
    mates = together & ~np.eye(groups.size, dtype=np.bool_)
    beside = mates @ entered  # (C,), what the other criteria of the group weigh
    of_group = together @ shares
    pair = np.array([leader, challenger])
    applies, weighted = applicable[pair].astype(np.float64), applicable[pair] * values[pair]
    outside = (~together) * shares  # (C, C)
    inside = mates * entered / np.where(beside > 0, beside, 1.0)[:, None]
    elsewhere_p, elsewhere_q = weighted @ outside.T, applies @ outside.T  # (2, C)
    rest_p, rest_q = elsewhere_p + of_group * (weighted @ inside.T), elsewhere_q + of_group * (applies @ inside.T)
    p, q = elsewhere_p + of_group * weighted, elsewhere_q + of_group * applies
    a = p[0] * q[1] - p[1] * q[0]
    b = p[0] * rest_q[1] + rest_p[0] * q[1] - p[1] * rest_q[0] - rest_p[1] * q[0]
    c = rest_p[0] * rest_q[1] - rest_p[1] * rest_q[0]
    with np.errstate(over="ignore"):
        today = entered / np.where(beside > 0, beside, 1.0)
    root = _nearest_root(a, b, c, today)
    with np.errstate(invalid="ignore"):
        sound = (
            np.isfinite(today) & (beside > 0) & (of_group > 0) & (rest_q + root * q > 1e-12 * (1.0 + root)).all(axis=0)
        )
        sound &= root <= _LARGEST
    return np.where(sound, np.abs(root) * beside, np.nan)


def _nearest_root(a: FloatArray, b: FloatArray, c: FloatArray, today: FloatArray) -> FloatArray:
    """The root of a·u² + b·u + c that is not negative and nearest to ``today`` on a logarithmic scale; NaN when there
    is none. Coefficients that vanish beside the others count as 0."""
    scale = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.abs(c))
    a, b, c = (each / np.where(scale > 0, scale, 1.0) for each in (a, b, c))
    curved = np.abs(a) > _VANISHING
    discriminant = b * b - 4.0 * a * c
    real = curved & (discriminant >= 0)
    root = np.sqrt(np.where(real, discriminant, 0.0))
    half = -0.5 * (b + np.where(b >= 0, root, -root))  # without cancellation (Numerical Recipes 5.6)
    first = np.where(curved, _ratio(half, a, real), _ratio(-c, b, np.abs(b) > _VANISHING))
    candidates = np.stack([first, _ratio(c, half, real & (half != 0))])
    candidates = np.where(candidates >= 0, candidates, np.nan)
    distance = np.abs(np.log(np.maximum(candidates, 1e-300)) - np.log(np.maximum(today, 1e-300)))
    distance = np.where(np.isnan(candidates), np.inf, distance)
    nearest = np.argmin(distance, axis=0)
    result: FloatArray = np.take_along_axis(candidates, nearest[None, :], axis=0)[0]
    return result


def _ratio(above: FloatArray, below: FloatArray, where: BoolArray) -> FloatArray:
    """``above / below``, NaN elsewhere: what is no root is not computed, since a divisor next to nothing overflows."""
    ratio: FloatArray = np.full(above.shape, np.nan)
    np.divide(above, below, out=ratio, where=where)
    return ratio


def values_that_flip(
    values: FloatArray, applicable: BoolArray, shares: FloatArray, leader: int, challenger: int
) -> tuple[FloatArray, FloatArray]:
    """The score, (C,), that each criterion of the challenger would have to have for it to draw level with the leader,
    and the score that each criterion of the leader would have to have; NaN where no score from 0 to 100 does it."""
    weight = shares * applicable
    divisor = np.maximum(weight.sum(axis=1), 1e-300)
    scores = (weight * values).sum(axis=1) / divisor
    gap = float(scores[leader] - scores[challenger])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        threshold = cells.mode + reach[:, None] * divisor[:, None] / weight
    below = _triangular_cdf(cells, threshold)
    changes = np.where((np.arange(vendors) == leader)[:, None], below, 1.0 - below)
    open_ = (cells.high > cells.low) & (weight > 0)
    return np.where(open_, changes, result)


def _triangular_cdf(cells: Uncertain, at: FloatArray) -> FloatArray:
    a, b, c = cells.low, cells.mode, cells.high
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
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
