"""The workspace as commands need it. Apart from ``cli.catalogue``: reading settings loads no store and no scoring."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailrubric.catalogue.messages import CatalogueError, Problem
from mailrubric.cli.terminal import Failure, Usage
from mailrubric.workspace import Workspace


@contextlib.contextmanager
def catalogue_faults() -> Iterator[None]:
    """Faults of YAML files become a failure that lists them all, with exit code 1."""
    try:
        yield
    except CatalogueError as error:
        count = sum(problem.severity == "error" for problem in error.problems)
        raise Failure(
            "1 error in the catalogue; mend it first"
            if count == 1
            else f"{count} errors in the catalogue; mend them first",
            1,
            details=[str(problem) for problem in error.problems],
            problems=[problem_json(problem) for problem in error.problems],
        ) from error


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem for programs."""
    return {
        "path": problem.shown_path,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "key": problem.key,
        "message": problem.message,
    }


def open_workspace(directory: Path | None) -> Workspace:
    """The workspace; a failure when its folder or its settings are at fault."""
    if directory is not None and not directory.is_dir():
        raise Usage(f"--workspace: there is no folder {directory}")
    with catalogue_faults():
        return Workspace.open(directory)
