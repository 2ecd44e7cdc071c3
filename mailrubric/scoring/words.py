"""Scoring in words: value functions, gates and sources as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from itertools import pairwise

import numpy as np

from mailrubric.catalogue.models import (
    CurveFunction,
    From,
    MapFunction,
    Must,
    NoneFunction,
    PointsFunction,
    ShareFunction,
    ValueFunction,
    YesNoFunction,
)
from mailrubric.display import value_words
from mailrubric.scoring.value_functions import curve, points


def value_function(function: ValueFunction, unit: str = "") -> str:
    """What is worth how many points, in one line, best first for levels."""
    match function:
        case PointsFunction():
            ordered = sorted(function.points, key=lambda point: point[0])
            steps = ", ".join(f"{score:g} at {value_words(value, unit)}" for value, score in ordered)
            between = "in proportion to the logarithm" if function.scale == "log" else "in proportion"
            return f"{steps}; {between} between, flat outside"
        case MapFunction():
            levels: dict[float, list[str]] = {}
            for name, score in function.map.items():
                levels.setdefault(score, []).append(name)
            return "; ".join(f"{score:g} at {', '.join(levels[score])}" for score in sorted(levels, reverse=True))
        case YesNoFunction():
            return f"{function.yes:g} for yes, {function.no:g} for no"
        case ShareFunction():
            return f"share of these {len(function.share_of)}: {', '.join(function.share_of)}"
        case NoneFunction():
            return f"100 for none of these {len(function.none_of)}, 0 for any: {', '.join(function.none_of)}"
        case CurveFunction():
            ends = function.curve
            better = "lower" if ends.worth_90 < ends.worth_50 else "higher"
            return (
                f"90 at {value_words(ends.worth_90, unit)}, 50 at {value_words(ends.worth_50, unit)}; "
                f"log-normal curve, {better} is better"
            )


def end_points(function: ValueFunction, unit: str = "") -> tuple[str, str]:
    """The worst and the best value: the swing that a weight stands for. A log-normal curve never ends; its values worth
    10 and 90 points stand for its ends."""
    match function:
        case PointsFunction():
            ordered = sorted(function.points, key=lambda point: point[1])
            return value_words(ordered[0][0], unit), value_words(ordered[-1][0], unit)
        case MapFunction():
            low, high = min(function.map.values()), max(function.map.values())
            names = [[name for name, points in function.map.items() if points == end] for end in (low, high)]
            return names[0][-1], names[1][0]
        case YesNoFunction():
            return ("no", "yes") if function.yes >= function.no else ("yes", "no")
        case ShareFunction():
            return f"none of {len(function.share_of)}", f"all {len(function.share_of)}"
        case NoneFunction():
            return f"any of {len(function.none_of)}", f"none of {len(function.none_of)}"
        case CurveFunction():
            worst, best = (value_words(_tidy(_curve_worth(function, points)), unit) for points in (10, 90))
            return worst, best


def value_reaching(function: ValueFunction, unit: str, score: float, *, at_least: bool) -> str:
    """The value, in words, that is worth ``score`` points: the nearest one worth at least (or at most) as much, where
    values come in steps. Empty when no value is."""
    match function:
        case PointsFunction():
            found = _number_worth(function, score)
            if found is None:
                return ""
            return value_words(_worth_it(found, lambda value: _points_of(function, value), score, at_least), unit)
        case CurveFunction():
            if not 0 < score < 100:
                return ""
            found = _curve_worth(function, score)
            return value_words(_worth_it(found, lambda value: _curve_of(function, value), score, at_least), unit)
        case MapFunction():
            levels = {name: float(points) for name, points in function.map.items()}
        case YesNoFunction():
            levels = {"yes": float(function.yes), "no": float(function.no)}
        case ShareFunction():
            count = len(function.share_of)
            levels = {f"{each} of the {count}": 100.0 * each / count for each in range(count + 1)}
        case NoneFunction():
            count = len(function.none_of)
            levels = {f"none of the {count}": 100.0, f"any of the {count}": 0.0}
    enough = {name: points for name, points in levels.items() if (points >= score if at_least else points <= score)}
    if not enough:
        return ""
    nearest = min(enough.values()) if at_least else max(enough.values())
    return " or ".join(name for name, points in enough.items() if points == nearest)


def _number_worth(function: PointsFunction, score: float) -> float | None:
    ordered = sorted(function.points, key=lambda point: point[0])
    for (low, below), (high, above) in pairwise(ordered):
        if min(below, above) <= score <= max(below, above) and below != above:
            part = (score - below) / (above - below)
            if function.scale == "log":
                return float(10 ** (math.log10(low) + part * (math.log10(high) - math.log10(low))))
            return float(low + part * (high - low))
    return None


def _curve_worth(function: CurveFunction, score: float) -> float:
    """By halving the logarithm's interval: the curve has no inverse in closed form."""
    low, high = math.log(1e-12), math.log(1e15)
    rising = function.curve.worth_90 > function.curve.worth_50
    for _ in range(200):
        middle = (low + high) / 2
        worth = _curve_of(function, math.exp(middle))
        if (worth < score) == rising:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def _points_of(function: PointsFunction, value: float) -> float:
    return float(points(np.array([value]), function)[0])


def _curve_of(function: CurveFunction, value: float) -> float:
    return float(curve(np.array([value]), function)[0])


def _tidy(number: float) -> float:
    """Three significant digits."""
    return float(f"{number:.3g}")


_NEAR = 0.5
"""Points by which a value told in words may miss the ones it is told for."""


def _worth_it(number: float, worth: Callable[[float], float], score: float, at_least: bool) -> float:
    """A short number near ``number`` that is worth at least (or at most) ``score`` points, and where that can be had
    hardly more (or less): 99.93 % must not be told as 99.9 % where that is worth ten points less."""
    exact = Decimal(repr(number))
    if not exact:
        return number
    steps = [Decimal(1).scaleb(exact.adjusted() - 2)]  # three digits; from 99 on, two decimals are shown too
    if abs(exact) >= 99 and steps[0] > Decimal("0.01"):
        steps.append(Decimal("0.01"))
    enough = None
    for step in steps:
        for rounding in (ROUND_HALF_EVEN, ROUND_FLOOR, ROUND_CEILING):
            rounded = float((exact / step).to_integral_value(rounding) * step)
            over = (worth(rounded) - score) * (1 if at_least else -1)
            if 0 <= over <= _NEAR:
                return rounded
            if over >= 0:
                enough = rounded
    return _tidy(number) if enough is None else enough


def condition(must: Must, unit: str = "") -> str:
    """A gate's condition: ``above 0 d``."""
    parts = [
        f"{word} {value_words(limit, unit)}"
        for word, limit in (
            ("above", must.above),
            ("at least", must.at_least),
            ("below", must.below),
            ("at most", must.at_most),
        )
        if limit is not None
    ]
    if must.equals is not None:
        parts.append(value_words(must.equals))
    if must.one_of is not None:
        parts.append("one of " + ", ".join(must.one_of))
    if must.includes is not None:
        parts.append("including " + ", ".join(must.includes))
    return " and ".join(parts)


def must_text(must: Must | None, unit: str = "") -> str:
    """A gate in words, empty when there is none."""
    return "" if must is None else f"must be {condition(must, unit)}, else {must.otherwise}"


def sources(source: From) -> str:
    """Where a criterion's value comes from, in the order of precedence."""
    parts = []
    if source.probe:
        roles = ", ".join(source.roles) or "all endpoints"
        parts.append(f"probe {source.probe} ({roles}; {source.combine} counts)")
    if source.trial:
        parts.append(f"trial {source.trial}")
    if source.survey:
        parts.append(f"survey {source.survey}")
    if source.reviews:
        parts.append(f"reviews {source.reviews}")
    if source.price:
        parts.append(f"price {source.price}")
    if source.fact:
        promises = ", ".join(f"{name} as {_range(low, high)}" for name, (low, high) in source.promises.items())
        parts.append(f"fact {source.fact}" + (f" ({promises})" if promises else ""))
    return "; else ".join(parts)


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
