"""``mailrubric export``: the scorecard as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailrubric import files
from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, print_json, say


def export(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; the ending says the format: .xlsx .html .md .csv .json",
            show_default=False,
        ),
    ],
    vendors: options.Vendors = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.", show_default=False)] = False,
    preset: options.Preset = None,
    weights: options.Weights = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write the scorecard with evidence and rules to a file. The same evidence, time and rules give the same bytes."""
    from mailrubric.export import FORMATS, render

    ending = output.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise Usage(f"{output.name} does not end in a format that can be written: {known}")
    must_be_writable(output, replace=force)

    from mailrubric.cli.catalogue import Choice, score

    scored = score(
        Choice(workspace, tuple(vendors or ()), tuple(category or ()), everyone, preset, weights, min_coverage, as_of)
    )
    data = render(scored.evaluation, ending)
    write_output(output, data, replace=force)
    if json:
        print_json(
            {
                "path": str(output),
                "format": ending,
                "bytes": len(data),
                "vendors": len(scored.evaluation.vendors),
                "rules_hash": scored.evaluation.rules_hash,
                "as_of": scored.evaluation.as_of,
            }
        )
    else:
        from mailrubric.display import how_many

        say(f"{output} ({how_many(len(data), 'byte')}, {how_many(len(scored.evaluation.vendors), 'vendor')})")


def must_be_writable(path: Path, *, replace: bool) -> None:
    """A failure, before any work is done, when ``write_output`` could not write this file."""
    if path.is_dir():
        raise Usage(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise Usage(f"there is no folder {path.parent}; make it first")
    if path.exists() and not replace:
        raise Failure(f"{path} exists already; say --force to replace it", 1)


def write_output(path: Path, data: bytes, *, replace: bool) -> None:
    """Write what a command was asked for; a failure in words when that cannot be done."""
    try:
        (files.replace if replace else files.write_new)(path, data)
    except FileExistsError as error:
        raise Failure(f"{path} exists already; say --force to replace it", 1) from error
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror or error}") from error
