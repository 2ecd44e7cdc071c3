"""``mailrubric validate``: every fault of every file, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, complain, print_json, say

if TYPE_CHECKING:
    from mailrubric.catalogue.messages import Problem
    from mailrubric.workspace import Workspace


def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files or folders. Default: the whole workspace.", show_default=False),
    ] = None,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence",
            help="Warn also of criteria that tell no two vendors apart or count a thing twice, and of groups that no "
            "evidence reaches.",
            show_default=False,
        ),
    ] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Check criteria, presets, vendors, settings, people's weights, trials and probes.

    Every fault is printed as file:line:col: message.
    Exit code 1 when there is an error; warnings alone are no error.
    """
    from mailrubric.catalogue.messages import CatalogueError, order
    from mailrubric.cli.workspace import problem_json
    from mailrubric.workspace import Workspace

    if workspace is not None and not workspace.is_dir():
        raise Usage(f"--workspace: there is no folder {workspace}")
    for path in paths or ():
        if not path.exists():
            raise Usage(f"there is no such file or folder: {path}")
    try:
        place = Workspace.open(workspace)
        if not paths and not _has_files(place):
            complain("nothing of your own here; checking the shipped catalogue")
            paths = place.folders()[:1]
        problems = place.check(paths or ())
        if not paths:
            try:
                place.catalogue()
            except CatalogueError as error:  # what only shows when all is put together, such as an unknown preset
                problems = sorted({*problems, *error.problems}, key=order)
        if evidence and not any(problem.severity == "error" for problem in problems):
            problems = sorted({*problems, *_remarks(place)}, key=order)
    except CatalogueError as error:  # mailrubric.yaml itself
        problems = error.problems
    errors = sum(problem.severity == "error" for problem in problems)
    if json:
        print_json({"valid": not errors, "problems": [problem_json(problem) for problem in problems]})
    else:
        for problem in problems:
            say(str(problem))
        warnings = len(problems) - errors
        complain(f"{errors} error{_s(errors)}, {warnings} warning{_s(warnings)}" if problems else "no faults found")
    raise typer.Exit(1 if errors else 0)


def _remarks(place: Workspace) -> list[Problem]:
    """What the criteria do badly with the vendors and the evidence at hand, as warnings at their places."""
    from mailrubric.catalogue import yamlfile
    from mailrubric.catalogue.messages import Problem
    from mailrubric.cli.catalogue import Choice, gather
    from mailrubric.scoring.criticism import criticise
    from mailrubric.scoring.evaluate import tabulate

    _, catalogue, given, _ = gather(Choice(place.directory, (), (), True))
    table = tabulate(given.catalogue, given.observations, given.as_of, vendors=list(given.catalogue.vendors))
    found = []
    for remark in criticise(table):
        path = catalogue.paths[remark.subject]
        kind, _, identifier = remark.subject.partition(":")
        document = yamlfile.read_file(path)
        where: tuple[str | int, ...] = ("group",)
        if kind == "criterion":
            entries = document.data["criteria"]
            where = ("criteria", next(at for at, each in enumerate(entries) if each["id"] == identifier))
        line, column = document.position(where)
        found.append(Problem(path, line, column, remark.sentence, identifier, "warning"))
    return found


def _has_files(place: Workspace) -> bool:
    from mailrubric.catalogue.load import EVALUATIONS, SETTINGS_FILE
    from mailrubric.trials.folder import FOLDER

    return any((place.directory / name).exists() for name in (SETTINGS_FILE, EVALUATIONS, FOLDER)) or any(
        place.directory in path.parents for path in (*place.files(), *place.own_probes())
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"
