"""Value functions: from an observed value to 0–100 points, absolute, over arrays.

They never look at other vendors, so that adding or removing one leaves every other score as it was. All are pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mailrubric.catalogue.models import (
    CurveFunction,
    MapFunction,
    NoneFunction,
    PointsFunction,
    ShareFunction,
    ValueFunction,
    YesNoFunction,
)
from mailrubric.evidence.observation import ObservedValue

FloatArray = npt.NDArray[np.float64]

INVERSE_ERFC_OF_ONE_FIFTH = 0.9061938024368232
"""erfc⁻¹(1/5): places the 90-point value at the 90th percentile of the log-normal, as Lighthouse does."""


class ValueFunctionError(ValueError):
    """A value function that defines no score, such as a curve whose two ends coincide."""


def points(values: FloatArray, function: PointsFunction) -> FloatArray:
    """Piecewise linear between the points in value, or in log10(value) for ``scale: log``; flat outside.

    ``values``: any shape, in the criterion's unit; NaN stays NaN. Values at or below zero on a logarithmic scale lie
    left of every point. Where two points share a value (a step), the one listed later counts at that value.
    """
    ordered = sorted(function.points, key=lambda point: point[0])
    x = np.array([value for value, _ in ordered], dtype=np.float64)
    y = np.array([score for _, score in ordered], dtype=np.float64)
    given = np.asarray(values, dtype=np.float64)
    if function.scale == "log":
        if x[0] <= 0:
            raise ValueFunctionError("a logarithmic scale needs values above zero")
        x = np.log10(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            given = np.where(given > 0, np.log10(given), np.where(np.isnan(given), np.nan, -np.inf))
    above = np.searchsorted(x, given, side="right")
    left = np.clip(above - 1, 0, len(x) - 1)
    right = np.clip(above, 0, len(x) - 1)
    span = x[right] - x[left]
    inside = (above > 0) & (above < len(x))
    width = np.where(span > 0, span, 1.0)
    with np.errstate(invalid="ignore", over="ignore"):  # multiplied before divided: whole numbers stay whole
        product = (y[right] - y[left]) * (given - x[left])
        part = np.where(np.isfinite(product), product / width, (y[right] - y[left]) * ((given - x[left]) / width))
        rise = np.where(inside, part, 0.0)
    # A segment never leaves its two ends, whatever rounding does near them.
    result: FloatArray = np.clip(y[left] + rise, np.minimum(y[left], y[right]), np.maximum(y[left], y[right]))
    return np.where(np.isnan(given), np.nan, result)


def curve(values: FloatArray, function: CurveFunction) -> FloatArray:
    """Log-normal survival curve through (worth_90, 90) and (worth_50, 50); the lower the better when worth_90 is the
    smaller of the two, otherwise the higher the better.

    Form and constant: Lighthouse, ``shared/statistics.js``, ``getLogNormalScore``:
    (1 − erf(ln(value / median) · erfc⁻¹(1/5) / −ln(p10 / median))) / 2. Both directions follow from the sign of the
    denominator. Values at or below zero are the best (or, when higher is better, the worst) possible.
    """
    best, middle = function.curve.worth_90, function.curve.worth_50
    if best == middle:
        raise ValueFunctionError("the values worth 90 and worth 50 must differ")
    spread = -math.log(best / middle) / INVERSE_ERFC_OF_ONE_FIFTH
    given = np.asarray(values, dtype=np.float64)
    positive = given > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = np.log(np.where(positive, given, 1.0) / middle) / spread
    shape = deviations.shape
    survival = np.array([math.erfc(each) for each in deviations.ravel().tolist()], dtype=np.float64).reshape(shape)
    at_zero = 100.0 if best < middle else 0.0
    return np.where(np.isnan(given), np.nan, np.where(positive, 50.0 * survival, at_zero))


def number(value: object) -> float:
    """A number as float; NaN for everything that is none (truth values and texts are not numbers)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        converted = float(value)
    except OverflowError:
        return math.nan
    return converted if math.isfinite(converted) else math.nan


def level_text(value: object) -> str | None:
    """How a map names a value: texts as they are, numbers in digits, truth values as ``true`` and ``false``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
    return None


def apply(function: ValueFunction, values: Sequence[ObservedValue | None]) -> FloatArray:
    """Scores of many values of one criterion.

    ``values``: shape (n,), in the criterion's unit. Returns shape (n,), 0–100, NaN where there is no value or the
    function does not know it (a level that its map lacks, a text where it needs a number): never a guess.
    Raises ``ValueFunctionError`` for a function that defines no score.
    """
    match function:
        case PointsFunction():
            return points(np.array([number(value) for value in values], dtype=np.float64), function)
        case CurveFunction():
            return curve(np.array([number(value) for value in values], dtype=np.float64), function)
        case MapFunction():
            exact = function.map
            folded = {name.casefold(): score for name, score in exact.items()}
            texts = (level_text(value) for value in values)
            return np.array(
                [
                    math.nan if text is None else exact.get(text, folded.get(text.casefold(), math.nan))
                    for text in texts
                ],
                dtype=np.float64,
            )
        case YesNoFunction():
            of = {True: float(function.yes), False: float(function.no)}
            return np.array([of[value] if isinstance(value, bool) else math.nan for value in values], dtype=np.float64)
        case ShareFunction():
            wanted = {member.casefold() for member in function.share_of}
            return np.array([100.0 * _held(value, wanted) / len(wanted) for value in values], dtype=np.float64)
        case NoneFunction():
            unwanted = {member.casefold() for member in function.none_of}
            held = np.array([_held(value, unwanted) for value in values], dtype=np.float64)
            return np.where(np.isnan(held), np.nan, np.where(held > 0, 0.0, 100.0))


def _held(value: ObservedValue | None, members: set[str]) -> float:
    """How many of these members a set has; a text is a set of one. NaN for what is no set."""
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, tuple | list):
        return math.nan
    return len(members & {str(member).casefold() for member in value})


def apply_columns(functions: Sequence[ValueFunction], columns: Sequence[Sequence[ObservedValue | None]]) -> FloatArray:
    """A whole value table at once: ``columns`` holds one sequence of V values for each of the C criteria.

    Returns shape (V, C) in row order, ready for ``additive.totals``; NaN where unknown.
    """
    if not functions:
        return np.empty((0, 0), dtype=np.float64)
    stacked = [apply(function, column) for function, column in zip(functions, columns, strict=True)]
    return np.ascontiguousarray(np.column_stack(stacked))
