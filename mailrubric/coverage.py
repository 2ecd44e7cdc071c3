"""docs/coverage.md: the checks of other mail testing tools, row by row, and the metrics that answer them.

``docs/coverage.yaml`` maps rows to metrics; what is covered is counted here, against what the probes declare.
``python -m mailrubric.coverage`` writes the page.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

ROWS = 109
"""Rows of the union table: distinct checks of twelve tools."""

_STATES = {
    "covered": "answered in safe mode",
    "part": "answered in part",
    "planned": "planned",
    "opt_in": "own server or account only",
    "left_out": "left out",
}
_KEYS = frozenset({"check", "metrics", "also", *_STATES} - {"covered"})


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One check. ``number``: in the union table, from 1. ``state``: a key of ``_STATES``. ``words``: how it is answered
    without a metric, what is missing from the answer, or why there is none."""

    number: int
    check: str
    metrics: tuple[str, ...]
    state: str
    words: str


def rows(text: str, declared: Collection[str]) -> list[Row]:
    """The rows of a mapping file. ``declared``: keys of all metrics there are.

    Raises ``ValueError``: for a metric that no probe declares, an unknown key, an entry that says nothing or two
    things that exclude each other, and when there are not ``ROWS`` of them.
    """
    import yaml

    found = [_row(number, entry, declared) for number, entry in enumerate(yaml.safe_load(text), 1)]
    if len(found) != ROWS:
        raise ValueError(f"{len(found)} rows instead of {ROWS}")
    return found


def _row(number: int, entry: dict[str, Any], declared: Collection[str]) -> Row:
    place = f"row {number}, {entry.get('check')!r}"
    if set(entry) - _KEYS:
        raise ValueError(f"{place}: unknown key {', '.join(sorted(set(entry) - _KEYS))}")
    metrics = tuple(entry.get("metrics", ()))
    missing = [key for key in metrics if key not in declared]
    if missing:
        raise ValueError(f"{place}: no probe declares {', '.join(missing)}")
    answered = bool(metrics) or "also" in entry
    states = [state for state in _STATES if state in entry] or ["covered"]
    silent = states[0] not in ("covered", "part")
    if len(states) > 1 or (answered == silent and states != ["opt_in"]) or not entry.get("check"):
        raise ValueError(f"{place}: it is either answered (metrics, also; maybe part, or opt_in) or not (one reason)")
    words = "; ".join(entry[key] for key in ("also", *_STATES) if key in entry)
    return Row(number, entry["check"], metrics, states[0], words)


def markdown(found: list[Row]) -> str:
    """The page."""
    from mailrubric.export.markdown import escape

    counts = {state: sum(row.state == state for row in found) for state in _STATES}
    lines = [
        "# Coverage",
        "",
        "Written by `python -m mailrubric.coverage` from `docs/coverage.yaml` and the metrics that the probes declare;",
        f"a test keeps it current. The {ROWS} rows are the checks that twelve tools have between them (Internet.nl,",
        "SSLyze, testssl.sh, checkdmarc, mailvalidator, DomainDetective, blackbox_exporter, zgrab2, nmap,",
        "Mail-in-a-Box, MECSA, the EFF's starttls-backend), of which the best single one has 54, with eleven that none",
        "of them has. Safe mode is what may be done to anybody's server.",
        "",
        "| | rows |",
        "| --- | ---: |",
        *(f"| {words} | {counts[state]} |" for state, words in _STATES.items()),
        f"| in all | {len(found)} |",
        "",
        "| # | check | | metrics | remarks |",
        "| ---: | --- | --- | --- | --- |",
    ]
    for row in found:
        metrics = " ".join(f"`{key}`" for key in row.metrics)
        lines.append(f"| {row.number} | {escape(row.check)} | {_STATES[row.state]} | {metrics} | {escape(row.words)} |")
    return "\n".join(lines) + "\n"


def page(folder: Path) -> str:
    """What ``coverage.md`` in this folder has to be, by the ``coverage.yaml`` there and the shipped probes."""
    from probes import registry

    text = (folder / "coverage.yaml").read_text(encoding="utf-8")
    return markdown(rows(text, {metric.key for metric in registry.metrics()}))


def main() -> None:
    """Bring ``docs/coverage.md`` of this checkout up to date."""
    folder = Path(__file__).resolve().parents[1] / "docs"
    try:
        content = page(folder)
    except ValueError as error:
        sys.exit(f"coverage.yaml: {error}")
    (folder / "coverage.md").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
