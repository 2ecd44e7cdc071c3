"""Values for unknown cells, used for ranking only and never in the score of record.

Two-way mean: the criterion's mean over the vendors that have a value, plus how much better or worse the vendor does
than those means on the criteria where it has one; times 0.8, because facts are more often hidden when they are weak.
Of eleven rules tried in simulation this was the most robust (docs/methodology.md).
"""

from __future__ import annotations

import numpy as np

from mailrubric.scoring.additive import BoolArray
from mailrubric.scoring.value_functions import FloatArray

DISCOUNT = 0.8
"""What an unknown cell keeps of its expected value."""


def two_way(scores: FloatArray, applicable: BoolArray) -> FloatArray:
    """Imputed scores, shape (V, C), 0–100 where a cell is applicable and unknown, NaN elsewhere.

    ``scores``: (V, C), NaN when unknown. A criterion that nobody has a value for takes the mean of all known cells;
    with no known cell at all, 50 stands for that mean. Weights play no part, so re-weighting does not change it.
    """
    known = applicable & ~np.isnan(scores)
    values = np.where(known, scores, 0.0)
    count = known.sum(axis=0)
    grand = float(values.sum()) / int(known.sum()) if known.any() else 50.0
    criterion_mean = np.where(count > 0, values.sum(axis=0) / np.where(count > 0, count, 1), grand)
    residuals = np.where(known, scores - criterion_mean, 0.0)
    known_of_vendor = known.sum(axis=1)
    vendor_effect = residuals.sum(axis=1) / np.where(known_of_vendor > 0, known_of_vendor, 1)
    expected = DISCOUNT * (criterion_mean[None, :] + vendor_effect[:, None])
    return np.where(applicable & ~known, np.clip(expected, 0.0, 100.0), np.nan)
