"""A dashboard over the lab, and Chromium driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailrubric import lab
from tests import needs

ROOT = Path(__file__).resolve().parents[2]
# Without these, Chromium looks for hosts that a closed network refuses.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running lab's workspace."""
    with lab.start(tmp_path_factory.mktemp("dashboard") / "lab") as running:
        yield running.workspace


@pytest.fixture(scope="session")
def dashboard(workspace: Path) -> Iterator[str]:
    """The address of a dashboard over the lab."""
    with serving(workspace) as address:
        yield address


@contextlib.contextmanager
def serving(workspace: Path) -> Iterator[str]:
    """The address of a dashboard over a workspace, while it runs."""
    port = _free_port()
    log = workspace.parent / "dashboard.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "streamlit",
                "run",
                str(ROOT / "app.py"),
                f"--server.port={port}",
                "--server.headless=true",
                "--server.fileWatcherType=none",  # an edit during the tests must not mix two versions of a module
            ],
            env={**os.environ, "MAILRUBRIC_WORKSPACE": str(workspace)},
            cwd=workspace,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://localhost:{port}"
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).read()
                break
            except OSError:
                if process.poll() is not None:
                    pytest.fail(f"the dashboard did not start:\n{log.read_text()}")
                time.sleep(0.2)
        else:
            pytest.fail(f"the dashboard did not answer:\n{log.read_text()}")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
    text = log.read_text()
    assert "Traceback" not in text, text


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium. Not for the whole session: while Playwright is there, an event loop is running in this thread,
    and asyncio's tests that come later in the same process can't start theirs."""
    program = needs.require("chromium", "chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()
