"""Scoring in words: value functions, gates and sources as people read them."""

from __future__ import annotations

from mailrubric.catalogue.models import (
    CurveFunction,
    From,
    MapFunction,
    Must,
    PointsFunction,
    ShareFunction,
    ValueFunction,
    YesNoFunction,
)
from mailrubric.display import value_words


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
        case CurveFunction():
            ends = function.curve
            better = "lower" if ends.worth_90 < ends.worth_50 else "higher"
            return (
                f"90 at {value_words(ends.worth_90, unit)}, 50 at {value_words(ends.worth_50, unit)}; "
                f"log-normal curve, {better} is better"
            )


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
        parts.append(f"fact {source.fact}")
    return "; else ".join(parts)
