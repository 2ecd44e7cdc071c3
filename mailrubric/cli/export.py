"""``mailrubric export``: the scorecard as a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

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
        say(f"{output} ({len(data):,} bytes, {len(scored.evaluation.vendors)} vendors)")


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
        write(path, data, replace=replace)
    except FileExistsError as error:
        raise Failure(f"{path} exists already; say --force to replace it", 1) from error
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror or error}") from error


def write(path: Path, data: bytes, *, replace: bool) -> None:
    """Write a file whole or not at all. ``FileExistsError`` when it exists and may not be replaced; ``OSError``."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        if replace:
            temporary.replace(path)
        else:
            _link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give the file its name unless the name is taken, in one step where the file system can."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (FAT, some network drives)
        if path.exists():
            raise FileExistsError(str(path)) from None
        temporary.rename(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
