"""``mailrubric new``: commented skeletons to fill in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, print_json, say

app = options.group("Write the commented skeleton of a vendor, a criterion, a probe or one person's weights.")
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


@app.command()
def evaluation(
    identifier: Identifier,
    method: Annotated[
        str, typer.Option("--method", metavar="WAY", help="How the weights are said: direct, ranking, swing, pairwise.")
    ] = "swing",
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write evaluations/ID.yaml: one person's weights, with what each group's swing means. Never overwrites."""
    from mailrubric.cli.catalogue import read_catalogue
    from mailrubric.cli.workspace import open_workspace
    from mailrubric.scoring.elicitation import METHODS, blank, save_judgement

    if method not in METHODS:
        raise Usage(f"--method: expected one of {', '.join(METHODS)}, got {method}")
    folder = _folder(workspace)
    catalogue = read_catalogue(open_workspace(workspace))
    with _faults(identifier):
        path = save_judgement(folder, identifier, catalogue, blank(catalogue, method))
    option = f" --workspace {workspace}" if workspace is not None else ""
    step = f"change it to what it is worth to you; then: mailrubric score --weights {path}{option}"
    if json:
        print_json({"kind": "evaluation", "id": identifier, "path": str(path), "next": step})
    else:
        say(str(path))
        say(f"Next: {step}")


@app.command()
def probe(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and underscores.", show_default=False)
    ],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write probes/NAME.py, its test, and its entry in probes/README.md. Never overwrites."""
    from mailrubric.catalogue.probe_skeleton import new_probe

    folder = _folder(workspace)
    with _faults(name):
        paths = new_probe(folder, name)
    step = f"python -m pytest {paths[1]}; then mailrubric probe --target URL --probe {name}"
    if workspace is not None:
        step += f" --workspace {workspace}"
    if json:
        print_json({"kind": "probe", "id": name, "path": str(paths[0]), "paths": list(map(str, paths)), "next": step})
    else:
        for path in paths:
            say(str(path))
        say(f"Next: {step}")


def _folder(workspace: Path | None) -> Path:
    folder = workspace if workspace is not None else Path()
    if not folder.is_dir():
        raise Usage(f"--workspace: there is no folder {folder}")
    return folder


@contextlib.contextmanager
def _faults(identifier: str) -> Iterator[None]:
    """What keeps a skeleton from being written, for people."""
    try:
        yield
    except ValueError as error:
        raise Usage(f"{identifier!r}: {error}") from error
    except FileExistsError as error:
        raise Failure(f"{error.filename or identifier} exists already and is left as it is", 1) from error
    except OSError as error:
        raise Usage(f"{error.filename or identifier} cannot be written: {error.strerror or error}") from error


def _write(what: str, identifier: str, workspace: Path | None, as_json: bool) -> None:
    from mailrubric.catalogue.skeletons import new_criterion, new_vendor

    folder = _folder(workspace)
    make = {"vendor": new_vendor, "criterion": new_criterion}[what]
    with _faults(identifier):
        path = make(folder, identifier)
    option = f" --workspace {workspace}" if workspace is not None else ""
    step = f"fill it in, then check it with: mailrubric validate{option}"
    if as_json:
        print_json({"kind": what, "id": identifier, "path": str(path), "next": step})
    else:
        say(str(path))
        say(f"Next: {step}")
