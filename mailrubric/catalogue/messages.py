"""What is wrong in a YAML file, where, and how to put it right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning"]


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One fault in one file.

    ``line`` and ``column`` count from 1; both are 0 when the fault is of the file as a whole. ``key``: where in the
    document (``endpoints.submission[0].port``), empty for the whole. ``severity``: a warning is allowed but looks
    like a mistake.
    """

    path: Path
    line: int
    column: int
    message: str
    key: str = ""
    severity: Severity = "error"

    @property
    def shown_path(self) -> str:
        """The path from the current folder when it lies inside, as given otherwise."""
        try:
            return self.path.absolute().relative_to(Path.cwd()).as_posix()
        except (ValueError, OSError):
            return str(self.path)

    def __str__(self) -> str:
        place = self.shown_path + (f":{self.line}:{self.column}" if self.line else "")
        warning = "warning: " if self.severity == "warning" else ""
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {warning}{key}{self.message}"


class CatalogueError(Exception):
    """The files cannot be used. ``problems`` lists every fault of every file, sorted by path and position."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=order)
        super().__init__("\n".join(map(str, self.problems)))


def order(problem: Problem) -> tuple[str, int, int, str, str]:
    """Sort key: path, position, then text, so that the same files always give the same list."""
    return (str(problem.path), problem.line, problem.column, problem.key, problem.message)
