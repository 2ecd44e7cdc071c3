"""How figures, values and ages are written wherever people read them: terminal, dashboard and exports show the same.

Points and per cents have one decimal, rounded half up from 15 significant digits, which is what a spreadsheet shows
for the same number. JSON and the cells of a workbook hold numbers in full. Imports nothing heavy.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal

from mailrubric.units import convert

UNKNOWN = "unknown"
NOT_APPLICABLE = "not applicable"

_TENTH = Decimal("0.1")
_LONG = ("min", "h", "d")
_JOINERS = "\u200c\u200d"  # needed inside words of several scripts


def tenths(number: float) -> str:
    """A number with one decimal: ``62.3``; never ``-0.0``."""
    rounded = Decimal(f"{number:.15g}").quantize(_TENTH, ROUND_HALF_UP)
    return str(rounded if rounded else abs(rounded))


def points(number: float | None, *, applicable: bool = True) -> str:
    """Points or per cents, or the word for not having them. Never 0 for what is unknown."""
    if not applicable:
        return NOT_APPLICABLE
    return UNKNOWN if number is None else tenths(number)


def how_many(number: int, one: str, many: str = "") -> str:
    """``1 row``, ``12,000 rows``. ``many``: the plural, where it is not ``one`` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def interval(low: float, high: float) -> str:
    """``41.2–78.9``."""
    return f"{tenths(low)}–{tenths(high)}"


def value_words(value: object, unit: str = "") -> str:
    """A value with its unit: ``yes``, ``26,214,400 B``, ``LOGIN, PLAIN``, ``none`` for an empty set, ``unknown``.

    Less than one minute, hour or day and more than 72 hours are said in a unit that fits: ``4 s``, ``12 min``, ``5 d``.
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        value, unit = _fitting(value, unit)
        shown = _digits(value)
        return one_line(f"{shown}{unit}" if unit in ("", "%") else f"{shown} {unit}")
    if isinstance(value, Collection) and not isinstance(value, str):
        return one_line(", ".join(map(str, value))) if value else "none"
    return one_line(str(value))


def age_words(days: float | None, observed: str = "") -> str:
    """``2026-11-22, today``, ``2026-08, 3 months ago``, ``undated``; without ``observed`` only the age."""
    date = "" if observed == "undated" else one_line(observed)[:10]
    if days is None:
        return date or "undated"
    age = _age(days)
    return f"{date}, {age}" if date else age


def one_line(text: str) -> str:
    """Text from outside on one line, every control and direction-changing character shown as an escape.

    Line breaks and tabs become spaces. The result is safe for a terminal; each format still escapes what is special
    to it.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _fitting(value: float, unit: str) -> tuple[float, str]:
    """A length of time in a unit that people would use for it; everything else as it is."""
    size = abs(value)
    if unit == "h" and 72 < size < math.inf:
        return convert(value, "h", "d"), "d"
    if unit not in _LONG or not 0 < size < 1:
        return value, unit
    smaller = next((name for name in ("h", "min", "s") if convert(size, unit, name) >= 1), "ms")
    return convert(value, unit, smaller), smaller


def _digits(value: float) -> str:
    if isinstance(value, float) and not value.is_integer():
        if abs(value) >= 99:  # an uptime of 99.95 % must not read 100
            return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.2f}"
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"


def _age(days: float) -> str:
    if days < 1:
        return "today"
    for size, name in ((365.25, "year"), (30.44, "month")):
        if days >= 2 * size:
            return f"{int(days / size)} {name}s ago"
    return f"{int(days)} day{'' if int(days) == 1 else 's'} ago"


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character in "\t\n\r\x0b\x0c\x85" or unicodedata.category(character) in ("Zs", "Zl", "Zp"):
        return " "
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
