"""``mailrubric lab``: local mail platforms to try everything on, with no network."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mailrubric.cli import options, serve
from mailrubric.cli.terminal import Usage, complain, print_json, say


def lab(
    directory: Annotated[
        Path,
        typer.Option(
            "--directory", metavar="DIR", help="Workspace to write: new, empty, or written by the lab before."
        ),
    ] = Path("lab"),
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Probe all lab vendors. Without --serve the lab ends after that.", show_default=False
        ),
    ] = False,
    serve_too: Annotated[
        bool, typer.Option("--serve", help="Open the dashboard over the lab.", show_default=False)
    ] = False,
    port: serve.Port = 8501,
    no_browser: serve.NoBrowser = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Start mail servers of different quality on this machine, and a workspace that points at them.

    Runs until Ctrl-C.
    """
    from mailrubric.lab import LabError, start

    try:
        running = start(workspace if workspace is not None else directory)
    except LabError as error:
        raise Usage(str(error)) from error
    code = 0
    with running, _until_interrupted() as stop:
        resolver, resolver_port = running.resolver
        document: dict[str, Any] = {
            "workspace": str(running.workspace),
            "resolver": f"{resolver}:{resolver_port}",
            "ca": str(running.ca_file),
            "vendors": [{"id": vendor.id, "purpose": vendor.purpose} for vendor in running.vendors],
            "notes": list(running.notes),
        }
        if not json:
            for vendor in running.vendors:
                say(f"{vendor.id:20} {vendor.purpose}")
            for note in running.notes:
                complain(f"note: {note}")
            say(f"The lab is up. Try: mailrubric score --workspace {running.workspace}")
            sys.stdout.flush()
        if probe:
            code, document["probing"] = _probe(running.workspace, show=not json)
            if document["probing"]["cancelled"]:
                stop.set()
        if json:
            print_json(document)
        sys.stdout.flush()
        if serve_too and not stop.is_set():
            _serve(running.workspace, stop, port=port, browser=not no_browser and not json)
        elif not probe:
            stop.wait()
    raise typer.Exit(code)


@contextlib.contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C or a request to terminate sets, instead of ending the program at once."""
    stop = threading.Event()
    former = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _probe(workspace: Path, *, show: bool) -> tuple[int, dict[str, Any]]:
    """Probe every vendor of the lab's workspace: exit code and summary."""
    from mailrubric.cli import network, probe_vendors
    from mailrubric.cli.catalogue import choose, read_catalogue
    from mailrubric.cli.workspace import open_workspace

    place = open_workspace(workspace)
    catalogue = read_catalogue(place)
    outcome = probe_vendors.run(
        place, catalogue, choose(catalogue, (), lab_too=True), options=network.options(workspace)
    )
    if show:
        probe_vendors.show(outcome)
    return outcome.exit_code, probe_vendors.outcome_json(outcome)


def _serve(workspace: Path, stop: threading.Event, *, port: int, browser: bool) -> None:
    """The dashboard as a program of its own, until it ends or we are asked to stop."""
    dashboard = subprocess.Popen(  # noqa: S603 our own arguments
        serve.command(port=port, browser=browser), env=serve.environment(workspace)
    )
    try:
        while dashboard.poll() is None and not stop.wait(0.2):
            pass
    finally:
        dashboard.terminate()
        try:
            dashboard.wait(10)
        except subprocess.TimeoutExpired:
            dashboard.kill()
            dashboard.wait()
