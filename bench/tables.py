"""What a section of the benchmarks gives: a table, and remarks under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(slots=True)
class Table:
    """``intro`` stands before the table, ``notes`` after it."""

    header: tuple[str, ...]
    intro: str = ""
    rows: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def markdown(self) -> str:
        """As Markdown; every note once."""
        lines = [self.intro, ""] if self.intro else []
        lines += [_row(self.header), _row(["---"] * len(self.header)), *map(_row, self.rows)]
        if self.notes:
            lines += ["", *(f"- {note}" for note in dict.fromkeys(self.notes))]
        return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def differences(ours: Mapping[str, object], theirs: Mapping[str, object], name: str) -> str:
    """What two sets of findings differ in, in words; "" when they are the same. ``name``: whose ``theirs`` are."""
    found = []
    for key in dict.fromkeys([*ours, *theirs]):
        mine, other = ours.get(key), theirs.get(key)
        if mine == other:
            continue
        if isinstance(mine, list) and isinstance(other, list):
            only_ours = [str(each) for each in mine if each not in other]
            only_theirs = [str(each) for each in other if each not in mine]
            parts = [f"only we: {', '.join(only_ours)}"] if only_ours else []
            parts += [f"only {name}: {', '.join(only_theirs)}"] if only_theirs else []
            found.append(f"{key}: {'; '.join(parts)}")
        else:
            found.append(f"{key}: we say {mine}, {name} says {other}")
    return "; ".join(found)
