"""How figures of mail are written for people: a value and its interval with one precision and the unit once."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from mailrubric.display import value_words

_UNITS = {"messages/week": "message/week"}
"""Units that have a singular of their own."""


def decimals(*numbers: float) -> int:
    """How many decimals numbers that stand together get: none from 1,000 on or when all are whole, two below 2, else
    one."""
    largest = max(map(abs, numbers))
    if largest >= 1000 or all(float(number).is_integer() for number in numbers):
        return 0
    return 2 if largest < 2 else 1


def number_words(number: float, places: int) -> str:
    """``1,234``, ``56.3``; rounded half up from 15 significant digits, never ``-0``."""
    rounded = Decimal(f"{number:.15g}").quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded if rounded else abs(rounded):,f}"


def with_unit(shown: str, unit: str) -> str:
    """``56.3%``, ``1 message/week``, ``6 messages/week``, ``12 min``."""
    word = _UNITS.get(unit, unit) if shown == "1" else unit
    return f"{shown}{word}" if word in ("", "%") else f"{shown} {word}"


def interval_words(low: float | None, high: float | None, unit: str = "") -> str:
    """``47.5 to 64.7%``, ``2.0 to 6.5 messages/week``; ``6 messages/week`` where both ends are the same as shown, ""
    without an interval. Shares have one decimal."""
    if low is None or high is None:
        return ""
    places = 1 if unit == "%" else decimals(low, high)
    least, most = number_words(low, places), number_words(high, places)
    return with_unit(least if least == most else f"{least} to {most}", unit)


def figure_words(value: object, low: float | None = None, high: float | None = None, unit: str = "") -> str:
    """A value with its unit, as precise as its interval is shown; yes, no, unknown and counts as everywhere."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value_words(value, unit)
    if isinstance(value, int) and (low is None or high is None):
        return with_unit(value_words(value), unit)
    if low is None or high is None:
        places = 1 if unit == "%" else decimals(value)
    else:
        places = 1 if unit == "%" else decimals(low, high, value)
    return with_unit(number_words(value, places), unit)
