"""``mailrubric serve``: the dashboard."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, interactive, print_json

Port = Annotated[
    int, typer.Option("--port", metavar="N", min=1, max=65535, help="Port of the dashboard.", show_default=True)
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.", show_default=False)]


def serve(
    port: Port = 8501,
    address: Annotated[
        str, typer.Option("--address", metavar="HOST", help="Address to listen on. The dashboard asks for no password.")
    ] = "localhost",
    no_browser: NoBrowser = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Open the dashboard and serve it until Ctrl-C."""
    from mailrubric.cli.workspace import open_workspace

    place = open_workspace(workspace)
    words = command(port=port, address=address, browser=not no_browser and not json)
    if json:
        print_json({"url": f"http://{address}:{port}", "workspace": str(place.directory)})
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(words[0], words, environment(place.directory))  # noqa: S606 no shell on purpose
    raise typer.Exit(subprocess.call(words, env=environment(place.directory)))  # noqa: S603 our own arguments


def command(*, port: int, address: str = "localhost", browser: bool = True) -> list[str]:
    """The dashboard's command line."""
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(entry()),
        f"--server.port={port}",
        f"--server.address={address}",
        f"--server.headless={'false' if browser and interactive(sys.stdout) else 'true'}",
        # No question about an email address at the first start, and nothing sent to anybody.
        "--server.showEmailPrompt=false",
        "--browser.gatherUsageStats=false",
    ]


def environment(workspace: Path) -> dict[str, str]:
    """Our environment, with the workspace for the dashboard in it."""
    return {**os.environ, "MAILRUBRIC_WORKSPACE": str(workspace)}


def entry() -> Path:
    """The dashboard's ``app.py``: the repository's in a checkout, else the wheel's."""
    package = Path(__file__).resolve().parents[1]
    for path in (package.parent / "app.py", package / "shipped" / "app.py"):
        if path.is_file() and (path.parent / ".streamlit" / "config.toml").is_file():
            return path
    raise Failure("the dashboard's app.py is missing from this installation", 70)
