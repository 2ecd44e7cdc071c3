"""The additive value model over arrays: weights, score of record, contributions, coverage, interval.

Shapes: V vendors in rows, C criteria in columns. Sums run along rows of contiguous arrays with numpy's pairwise
summation, never through a matrix product: a BLAS kernel may round a row differently when the number of rows changes,
and then adding a vendor would change another vendor's score in its last bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mailrubric.scoring.value_functions import FloatArray

BoolArray = npt.NDArray[np.bool_]


class WeightError(ValueError):
    """Weights that define no score, or that name something unknown."""


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """One row per vendor. ``score``: NaN when nothing is known. ``contributions``: shape (V, C), points that add up to
    ``score``, 0 where unknown. ``coverage``: per cent of the applicable weight."""

    score: FloatArray
    low: FloatArray
    high: FloatArray
    coverage: FloatArray
    contributions: FloatArray


def global_weights(
    group_of: Mapping[str, str], group_weight: Mapping[str, float], criterion_weight: Mapping[str, float]
) -> tuple[FloatArray, FloatArray]:
    """Weights as shares: (of the whole rubric, within the group), each of shape (C,) in the order of ``group_of``.

    The first sum to 1: a criterion's share is its group's share times its share within the group. Groups whose
    criteria weigh nothing together are left out, so their share goes to the others. Raises ``WeightError`` when
    nothing has any weight.
    """
    criteria = list(group_of)
    raw = np.array([float(criterion_weight[criterion]) for criterion in criteria], dtype=np.float64)
    groups = list(dict.fromkeys(group_of.values()))
    position = {group: index for index, group in enumerate(groups)}
    member = np.array([position[group_of[criterion]] for criterion in criteria], dtype=np.intp)
    inside = np.bincount(member, weights=raw, minlength=len(groups)) if criteria else np.zeros(0)
    of_group = np.array([float(group_weight[group]) for group in groups], dtype=np.float64)
    of_group = np.where(inside > 0, of_group, 0.0)
    total = float(of_group.sum())
    if not total > 0:
        raise WeightError("no criterion has any weight: give at least one group and one of its criteria a weight")
    within = raw / np.where(inside > 0, inside, 1.0)[member]
    return within * (of_group / total)[member], within


def totals(scores: FloatArray, low: FloatArray, high: FloatArray, applicable: BoolArray, weights: FloatArray) -> Totals:
    """Score of record, interval, coverage and contributions.

    ``scores``: (V, C), 0–100 or NaN when unknown. ``low``/``high``: (V, C) bounds of each cell, 0 and 100 when unknown.
    ``applicable``: (V, C). ``weights``: (C,), any scale.
    score = Σ w·v / Σ w over known cells; low and high = Σ w·bound / Σ w over applicable cells;
    coverage = 100 · Σ known w / Σ applicable w. Nothing applicable: interval [0, 100], coverage 0.
    """
    known = applicable & ~np.isnan(scores)
    weight_known = np.where(known, weights, 0.0)
    weight_applicable = np.where(applicable, weights, 0.0)
    sum_known = weight_known.sum(axis=1)
    sum_applicable = weight_applicable.sum(axis=1)
    some_known = sum_known > 0
    some_applicable = sum_applicable > 0
    divisor_known = np.where(some_known, sum_known, 1.0)
    divisor = np.where(some_applicable, sum_applicable, 1.0)
    contributions = np.where(known, scores, 0.0) * weight_known / divisor_known[:, None]
    score = np.where(some_known, contributions.sum(axis=1), np.nan)
    lows = (np.where(applicable, low, 0.0) * weight_applicable / divisor[:, None]).sum(axis=1)
    highs = (np.where(applicable, high, 0.0) * weight_applicable / divisor[:, None]).sum(axis=1)
    lows = np.where(some_applicable, np.clip(lows, 0.0, 100.0), 0.0)
    highs = np.where(some_applicable, np.clip(highs, 0.0, 100.0), 100.0)
    return Totals(
        score=score,
        low=np.fmin(lows, score),  # fmin and fmax pass over NaN; they keep rounding from putting a score outside
        high=np.fmax(highs, score),
        coverage=np.where(some_applicable, 100.0 * sum_known / divisor, 0.0),
        contributions=contributions,
    )


def completed(scores: FloatArray, imputed: FloatArray, applicable: BoolArray, weights: FloatArray) -> FloatArray:
    """Ranking scores, shape (V,): unknown applicable cells take their imputed value; NaN when nothing applies."""
    filled = np.where(np.isnan(scores), imputed, scores)
    weight = np.where(applicable, weights, 0.0)
    total = weight.sum(axis=1)
    safe = np.where(total > 0, total, 1.0)
    summed = (np.where(applicable, filled, 0.0) * weight / safe[:, None]).sum(axis=1)
    return np.where(total > 0, summed, np.nan)
