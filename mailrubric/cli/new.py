"""``mailrubric new``: commented skeletons to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, print_json, say

app = typer.Typer(
    help="Write the commented skeleton of a vendor or a criterion.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Identifier = Annotated[
    str, typer.Argument(metavar="ID", help="Lower-case letters and digits, joined by hyphens.", show_default=False)
]


@app.command()
def vendor(identifier: Identifier, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Write vendors/ID.yaml. Never overwrites."""
    _write("vendor", identifier, workspace, json)


@app.command()
def criterion(identifier: Identifier, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Write criteria/ID.yaml: a group with one criterion. Never overwrites."""
    _write("criterion", identifier, workspace, json)


def _write(what: str, identifier: str, workspace: Path | None, as_json: bool) -> None:
    from mailrubric.catalogue.skeletons import new_criterion, new_vendor

    folder = workspace if workspace is not None else Path()
    if not folder.is_dir():
        raise Usage(f"--workspace: there is no folder {folder}")
    make = {"vendor": new_vendor, "criterion": new_criterion}[what]
    try:
        path = make(folder, identifier)
    except ValueError as error:
        raise Usage(f"{identifier!r}: {error}") from error
    except FileExistsError as error:
        raise Failure(f"{error.filename or identifier} exists already and is left as it is", 1) from error
    except OSError as error:
        raise Usage(f"the skeleton cannot be written: {error}") from error
    option = f" --workspace {workspace}" if workspace is not None else ""
    step = f"fill it in, then check it with: mailrubric validate{option}"
    if as_json:
        print_json({"kind": what, "id": identifier, "path": str(path), "next": step})
    else:
        say(str(path))
        say(f"Next: {step}")
