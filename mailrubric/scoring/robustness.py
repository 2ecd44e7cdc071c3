"""How far a ranking can be trusted: stochastic multicriteria acceptability analysis (SMAA) on the additive model.

Instead of one set of weights and one value for each cell, many are drawn: weights around the team's own (or any
weights at all), and a score for each vendor from what is known, aged, sampled or unknown of it. Counting who comes
where gives the probability of each rank, of winning, and of beating each other vendor; the mean of the weights with
which a vendor wins says what one would have to value for it to win.

R. Lahdelma, P. Salminen: SMAA-2: Stochastic multicriteria acceptability analysis for group decision making, Operations
Research 49 (2001) 444-454; R. Lahdelma, J. Hokkanen, P. Salminen: SMAA, European Journal of Operational Research 106
(1998) 137-143.

Shapes: D draws, V vendors, C criteria. All functions are pure; the same seed gives the same numbers.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mailrubric.scoring.additive import BoolArray, WeightError
from mailrubric.scoring.value_functions import FloatArray

IntArray = npt.NDArray[np.intp]
WeightsKind = Literal["around", "order", "any"]
"""Weights within a spread of the given ones, any that keep their order, or any at all."""

DRAWS = 10_000
SPREAD = 0.3
"""By how much each weight may be off, as a share of itself, when nothing else is said."""
SEED = 1
_SLICE = 4_000_000
"""Numbers that are drawn at once where every cell is sampled: bounds the memory."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Uncertain:
    """Cells as triangular distributions. ``low``, ``mode``, ``high``: (V, C), 0 where not applicable; a known and fresh
    cell has all three alike. ``applicable``: (V, C)."""

    low: FloatArray
    mode: FloatArray
    high: FloatArray
    applicable: BoolArray

    @property
    def mean(self) -> FloatArray:
        """(V, C)."""
        return (self.low + self.mode + self.high) / 3.0

    @property
    def variance(self) -> FloatArray:
        """(V, C)."""
        a, b, c = self.low, self.mode, self.high
        one, two, three = b - a, c - b, c - a
        return (one * one + two * two + three * three) / 36.0  # exactly 0 where nothing is open


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Robustness:
    """What the draws showed.

    ``rank``: (V, V), probability that the vendor of this row takes the place of this column, 0 being the first.
    ``win``: (V,), its first column. ``beats``: (V, V), probability that the row's vendor scores more than the column's;
    0.5 on the diagonal. ``expected_rank``: (V,), 1 for the first. ``central``: (V, C), mean of the weights (shares)
    with which the vendor wins, NaN when it never does. ``confidence``: (V,), probability of winning with its central
    weights, NaN likewise. ``standard_error``: the largest that sampling leaves in a probability, 0.5/√draws.
    """

    rank: FloatArray
    win: FloatArray
    beats: FloatArray
    expected_rank: FloatArray
    central: FloatArray
    confidence: FloatArray
    draws: int
    standard_error: float


def uncertain(
    scores: FloatArray, low: FloatArray, high: FloatArray, imputed: FloatArray, applicable: BoolArray
) -> Uncertain:
    """The cells of a table as distributions: a known cell's mode is its score, an unknown one's the imputed score;
    the ends are the cell's bounds. All arguments (V, C), as in ``cells.Table``."""
    mode = np.where(np.isnan(scores), imputed, scores)
    mode = np.where(applicable, mode, 0.0)
    lows = np.where(applicable, np.minimum(low, mode), 0.0)
    highs = np.where(applicable, np.maximum(high, mode), 0.0)
    return Uncertain(lows, mode, highs, applicable)


def draw_weights(
    shares: FloatArray,
    groups: IntArray,
    *,
    kind: WeightsKind = "around",
    spread: float = SPREAD,
    draws: int = DRAWS,
    seed: int = SEED,
) -> FloatArray:
    """Weights as shares, (D, C), each row adding up to 1.

    ``shares``: (C,), the team's own; a criterion without weight keeps none. ``groups``: (C,), the number of each
    criterion's group: weights are drawn in two levels, so that a group that was split into many criteria does not
    grow. ``around``: each group's and each criterion's weight is multiplied by a factor uniform in [1-spread,
    1+spread]. ``order``: uniform over all weights with the same order of groups, and of criteria within each (ties
    are broken anew in each draw). ``any``: uniform over all weights.

    Raises ``WeightError`` when nothing has weight or the spread is not from 0 to 1.
    """
    if not 0.0 <= spread <= 1.0:
        raise WeightError(f"the spread must be from 0 to 1, got {spread:g}")
    own = np.asarray(shares, dtype=np.float64)
    used = np.flatnonzero(own > 0)
    if not used.size:
        raise WeightError("no criterion has any weight: give at least one group and one of its criteria a weight")
    names, member = np.unique(np.asarray(groups)[used], return_inverse=True)
    of_group = np.bincount(member, weights=own[used], minlength=len(names))
    within = own[used] / of_group[member]
    basis = _basis(kind != "around", draws, used.size, len(names), seed)
    inner, outer = basis
    if kind == "around":
        drawn = spread * inner  # in place from here on: fresh memory costs more than the sums
        drawn += 1.0
        drawn *= within
        drawn_group = of_group * (1.0 + spread * outer)
    else:
        drawn, drawn_group = inner, outer
    if kind == "order":
        drawn_group = _in_order(drawn_group, of_group, seed)
        drawn = drawn.copy()
        for group in range(len(names)):
            columns = np.flatnonzero(member == group)
            if columns.size > 1:
                drawn[:, columns] = _in_order(drawn[:, columns], within[columns], seed + 1 + group)
    # A spread of 1 can draw a zero for every member of a group: then the group has its own proportions.
    belongs = (member[:, None] == np.arange(len(names))).astype(np.float64)
    inside = drawn @ belongs
    total = drawn_group.sum(axis=1, keepdims=True)
    factor = np.where(total > 0, drawn_group / np.where(total > 0, total, 1.0), of_group / of_group.sum())
    factor /= np.where(inside > 0, inside, 1.0)
    shared: FloatArray = factor @ belongs.T
    shared *= drawn
    if used.size == own.size:
        return shared
    result = np.zeros((drawn.shape[0], own.size))
    result[:, used] = shared
    return result


@functools.lru_cache(maxsize=8)
def _basis(exponential: bool, draws: int, criteria: int, groups: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """The random numbers behind weights, kept: a slider moves the weights, not the dice."""
    random = np.random.default_rng(seed)
    if exponential:  # normalised, these are uniform over all weights (Dirichlet with parameters 1)
        pair = random.standard_exponential((draws, criteria)), random.standard_exponential((draws, groups))
    else:
        pair = random.uniform(-1.0, 1.0, (draws, criteria)), random.uniform(-1.0, 1.0, (draws, groups))
    for each in pair:
        each.setflags(write=False)
    return pair


@functools.lru_cache(maxsize=8)
def _normal(draws: int, vendors: int, seed: int) -> FloatArray:
    drawn = np.random.default_rng((seed, 2)).standard_normal((draws, vendors))
    drawn.setflags(write=False)
    return drawn


def _in_order(drawn: FloatArray, own: npt.NDArray[Any], seed: int) -> FloatArray:
    """Each row's numbers handed out so that they stand in the order of ``own``; ties by lot."""
    largest_first = -np.sort(-drawn, axis=1)
    if np.unique(own).size == own.size:
        result = np.empty_like(drawn)
        result[:, np.argsort(-own, kind="stable")] = largest_first
        return result
    lots = np.random.default_rng((seed, 3)).random(drawn.shape)
    order = np.lexsort((lots, np.broadcast_to(-own, drawn.shape)), axis=1)
    result = np.empty_like(drawn)
    np.put_along_axis(result, order, largest_first, axis=1)
    return result


def score_draws(cells: Uncertain, weights: FloatArray, *, seed: int = SEED, exact: bool = False) -> npt.NDArray[Any]:
    """Scores, (D, V): each draw's weights, with each vendor's uncertain cells drawn too.

    By default a vendor's score is drawn from the normal distribution with the mean and variance that its cells have
    under these weights, and kept within what they allow; with ``exact`` every cell is drawn by itself, which takes some
    twenty times as long and differs by less than 0.02 in a rank's probability. A criterion that does not apply to a
    vendor leaves its sum and its divisor.
    """
    applies = cells.applicable.astype(np.float64)
    everything = bool(cells.applicable.all())
    if everything and not exact and applies.shape[0] > _MANY:
        return _many_scores(cells, weights, seed)
    divisor = np.ones((weights.shape[0], applies.shape[0])) if everything else weights @ applies.T
    safe = np.where(divisor > 0, divisor, 1.0)
    if exact:
        return np.where(divisor > 0, _sampled_sums(cells, weights, seed) / safe, 0.0)
    scores: FloatArray = (cells.mean @ weights.T).T  # a vendor's draws side by side: that is how they are compared
    variance = cells.variance
    if variance.any():
        open_ = np.flatnonzero(variance.any(axis=1))
        spread = np.sqrt(variance[open_] @ (weights * weights).T)
        lowest, highest = cells.low[open_] @ weights.T, cells.high[open_] @ weights.T
        spread *= _normal(weights.shape[0], applies.shape[0], seed)[:, open_].T
        spread += scores.T[open_]
        scores.T[open_] = np.clip(spread, lowest, highest, out=spread)
    if everything:
        return scores
    return np.where(divisor > 0, scores / safe, 0.0)


_MANY = 100
"""Vendors beyond which single precision is used: its error is far below that of the draws, and it takes half the time.
"""


def _many_scores(cells: Uncertain, weights: FloatArray, seed: int) -> npt.NDArray[np.float32]:
    """``score_draws`` for many vendors to all of which every criterion applies, in single precision."""
    single = weights.astype(np.float32)
    scores = single @ cells.mean.T.astype(np.float32)
    variance = cells.variance
    if variance.any():
        spread = (single * single) @ variance.T.astype(np.float32)
        np.sqrt(spread, out=spread)
        spread *= _single_normal(weights.shape[0], scores.shape[1], seed)
        scores += spread
    return np.clip(scores, np.float32(0.0), np.float32(100.0))


@functools.lru_cache(maxsize=2)
def _single_normal(draws: int, vendors: int, seed: int) -> npt.NDArray[np.float32]:
    drawn = np.random.default_rng((seed, 5)).standard_normal((draws, vendors), dtype=np.float32)
    drawn.setflags(write=False)
    return drawn


def _sampled_sums(cells: Uncertain, weights: FloatArray, seed: int) -> FloatArray:
    """Σ weight × value, (D, V), every uncertain cell drawn from its triangular distribution by inversion."""
    draws, vendors = weights.shape[0], cells.low.shape[0]
    sums = np.empty((draws, vendors))
    random = np.random.default_rng((seed, 4))
    for vendor in range(vendors):
        low, mode, high = cells.low[vendor], cells.mode[vendor], cells.high[vendor]
        open_ = np.flatnonzero(high > low)
        base = weights @ np.where(high > low, 0.0, mode)
        step = max(1, _SLICE // max(1, open_.size))
        for begin in range(0, draws, step):
            part = slice(begin, min(begin + step, draws))
            if open_.size:
                drawn = random.random((part.stop - part.start, open_.size))
                a, b, c = low[open_], mode[open_], high[open_]
                knee = (b - a) / (c - a)
                values = np.where(
                    drawn < knee,
                    a + np.sqrt(drawn * (c - a) * (b - a)),
                    c - np.sqrt((1.0 - drawn) * (c - a) * (c - b)),
                )
                base[part] += (weights[part][:, open_] * values).sum(axis=1)
        sums[:, vendor] = base
    return sums


def analyse(
    cells: Uncertain,
    weights: FloatArray,
    *,
    seed: int = SEED,
    exact: bool = False,
    central: bool = True,
) -> Robustness:
    """Rank probabilities and what follows from them, from weights as ``draw_weights`` gives them.

    Vendors with equal scores get the places between them by lot, anew in each draw: of two that are the same in
    everything, each wins as often as the other. ``central``: False leaves central weights and confidence out (NaN), for
    speed.
    """
    scores = score_draws(cells, weights, seed=seed, exact=exact)
    draws, vendors = scores.shape
    if vendors <= _PAIRS_AT_MOST:
        place, beats = _by_pairs(np.ascontiguousarray(scores.T, dtype=np.float32), seed)
        places = np.stack([np.bincount(row, minlength=vendors) for row in place]).astype(np.float64)
        winners = place.argmin(axis=0)
    else:
        order = np.argsort(-scores, axis=1)
        places, beats = _count_places(order, vendors), np.full((vendors, vendors), np.nan)
        winners = order[:, 0]
        for alike in _alike(cells):
            places[alike] = places[alike].mean(axis=0)
            won = np.flatnonzero(np.isin(winners, alike))
            winners[won] = alike[np.arange(won.size) % alike.size]
    rank = places / draws
    win = rank[:, 0].copy()
    central_weights = np.full((vendors, weights.shape[1]), np.nan)
    confidence = np.full(vendors, np.nan)
    if central:
        central_weights, confidence = _central(cells, weights, winners)
    return Robustness(
        rank=rank,
        win=win,
        beats=beats,
        expected_rank=rank @ np.arange(1.0, vendors + 1.0),
        central=central_weights,
        confidence=confidence,
        draws=draws,
        standard_error=0.5 / float(np.sqrt(draws)),
    )


def _alike(cells: Uncertain) -> list[IntArray]:
    """Vendors that are the same in everything and certain, so that they are level in every draw: rows of each such lot.
    They stand next to each other in every order, so that their places are shared out evenly."""
    whole = np.hstack([cells.mode, cells.applicable.astype(np.float64)])
    certain = np.flatnonzero((cells.low == cells.high).all(axis=1))
    if certain.size < 2:
        return []
    _, lot = np.unique(whole[certain], axis=0, return_inverse=True)
    members = [certain[lot.ravel() == each] for each in np.flatnonzero(np.bincount(lot.ravel()) > 1)]
    return members


def _count_places(order: IntArray, vendors: int) -> FloatArray:
    """How often each vendor (row) took each place (column); ``order``: (D, V), vendors best first."""
    flat = order * vendors
    flat += np.arange(vendors)
    return np.bincount(flat.ravel(), minlength=vendors * vendors).reshape(vendors, vendors).astype(np.float64)


_PAIRS_AT_MOST = 64
"""Vendors up to which each pair is compared, which gives the places too, sooner than sorting every draw. Beyond,
pairwise probabilities are left out: nobody reads them."""


def _by_pairs(scores: npt.NDArray[np.float32], seed: int) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """The place of each vendor in each draw, (V, D), 0 being the first, and how often it beat each other, (V, V), equal
    ones half each, from scores (V, D). Single precision: a hundred-thousandth of a point decides nothing."""
    vendors, draws = scores.shape
    place = np.zeros((vendors, draws), dtype=np.int8)
    beats = np.full((vendors, vendors), 0.5)
    ahead, level = np.empty((2, draws), dtype=np.bool_)
    for first in range(vendors):
        own = np.full(draws, vendors - first - 1, dtype=np.int8)
        for second in range(first + 1, vendors):
            np.greater(scores[first], scores[second], out=ahead)
            np.equal(scores[first], scores[second], out=level)
            ties = np.count_nonzero(level)
            share = (np.count_nonzero(ahead) + 0.5 * ties) / draws
            if ties:
                lots = _normal(draws, vendors, seed + 7)
                ahead |= level & (lots[:, first] > lots[:, second])
            place[second] += ahead.view(np.int8)
            own -= ahead.view(np.int8)
            beats[first, second], beats[second, first] = share, 1.0 - share
        place[first] += own
    return place, beats


def _central(cells: Uncertain, weights: FloatArray, winners: IntArray) -> tuple[FloatArray, FloatArray]:
    vendors = cells.low.shape[0]
    wins = np.bincount(winners, minlength=vendors)
    central = np.full((vendors, weights.shape[1]), np.nan)
    confidence = np.full(vendors, np.nan)
    some = np.flatnonzero(wins)
    if some.size:
        won = (winners == some[:, None]).astype(np.float64)
        central[some] = (won @ weights) / wins[some][:, None]
        confidence[some] = _confidence(cells, central[some], some)
    return central, confidence


def _confidence(cells: Uncertain, central: FloatArray, vendors: IntArray) -> FloatArray:
    """Probability that each of ``vendors`` wins with its own central weights, over the uncertain cells."""
    draws = 2_000
    noise = np.ascontiguousarray(_normal(draws, cells.low.shape[0], SEED + 1).T)
    applies = cells.applicable.astype(np.float64)
    divisor = np.maximum(central @ applies.T, 1e-300)
    mean = central @ cells.mean.T / divisor
    spread = np.sqrt((central * central) @ cells.variance.T) / divisor
    low, high = central @ cells.low.T / divisor, central @ cells.high.T / divisor
    result = np.empty(len(vendors))
    for index, vendor in enumerate(vendors):
        drawn = spread[index][:, None] * noise
        drawn += mean[index][:, None]
        np.clip(drawn, low[index][:, None], high[index][:, None], out=drawn)
        result[index] = float(np.mean(drawn[vendor] >= drawn.max(axis=0)))
    return result
