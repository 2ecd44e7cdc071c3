"""Units of metrics, facts and criteria, and the conversions between them. Pure and small on purpose.

Two dimensions are converted: data (``B kB KiB MB MiB GB GiB``, with SI and IEC prefixes as in IEC 80000-13) and time
(``ms s min h d``). Every other unit (``%``, ``USD``, ``emails/h`` …) is a name that equals only itself.
"""

from __future__ import annotations

import difflib

DATA: dict[str, int] = {"B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
"""Bytes in one unit."""
TIME: dict[str, int] = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds in one unit."""


class UnitError(ValueError):
    """There is no conversion between the two units; the text is a sentence for people."""


def convert(value: float, source: str, target: str) -> float:
    """``value`` in ``source`` units, expressed in ``target`` units.

    The empty unit is a plain count. An empty ``target`` asks for no conversion; an empty ``source`` fits any unit
    that is only a name (a count of ``emails``), but not one with a size (a bare 5 is not 5 days). Raises ``UnitError``.
    """
    if source == target or not target:
        return value
    for dimension in (DATA, TIME):
        if source in dimension and target in dimension:
            return value * dimension[source] / dimension[target]
    if not source and target not in DATA and target not in TIME and target != "%":
        return value
    known = [*DATA, *TIME]
    stranger = next((unit for unit in (target, source) if unit not in known), "")
    close = [unit for unit in known if unit.lower() == stranger.lower()] or difflib.get_close_matches(
        stranger, known, 1
    )
    hint = f"; did you mean {close[0]!r}?" if stranger and close else ""
    raise UnitError(f"{source!r} cannot be converted to {target!r}{hint}" if source else
                    f"a value without a unit cannot be read as {target!r}{hint}")  # fmt: skip


def convertible(source: str, target: str) -> bool:
    """Whether ``convert`` knows a way from ``source`` to ``target``."""
    try:
        convert(0, source, target)
    except UnitError:
        return False
    return True
