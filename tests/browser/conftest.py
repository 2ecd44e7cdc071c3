"""A dashboard over the lab, and Chromium driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

PATIENCE = 120_000
"""Milliseconds for whatever is waited for, on a machine whose processors are busy with something else."""
WIDE, NARROW = {"width": 1400, "height": 1100}, {"width": 400, "height": 900}

# Counts how often the page's script has come to its end.
_COUNT = """
window.scriptEnds = 0;
new MutationObserver(changes => {
    for (const each of changes)
        if (each.target.getAttribute("data-test-script-state") === "notRunning") window.scriptEnds += 1;
}).observe(document, {subtree: true, attributes: true, attributeFilter: ["data-test-script-state"]});
"""
_READY = """ends => {
    const app = document.querySelector("[data-testid=stApp]");
    const drawn = [...document.querySelectorAll("[data-testid=stPlotlyChart]")]
        .every(chart => chart.offsetParent === null || chart.querySelector(".main-svg"));
    return app?.getAttribute("data-test-script-state") === "notRunning" && window.scriptEnds > ends && drawn
        && document.querySelector("h1") !== null && document.querySelector("[data-testid=stSkeleton]") === null;
}"""
_DARK = """dark => {
    const colour = getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor;
    return (colour.match(/\\d+/g).slice(0, 3).reduce((sum, each) => sum + Number(each), 0) < 200) === dark;
}"""
_FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


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


def ready(page: Any, ends: int = 0) -> None:
    """Wait until the script has run to its end, more than ``ends`` times since the page was loaded, and everything is
    drawn."""
    page.wait_for_function(_READY, arg=ends)


@contextlib.contextmanager
def script_run(page: Any) -> Iterator[None]:
    """What is done inside makes the script run; wait until it has."""
    ends = page.evaluate("window.scriptEnds")
    yield
    ready(page, ends)


def every_look(page: Any, address: str, pictures: Path, *, narrow_first: bool = False) -> Iterator[str]:
    """Load a page (unless ``address`` is "": the one that is there), on a telephone or on a wide screen, and see it
    light and dark, wide and narrow: nothing has failed and nothing is wider than the window. Gives the name of each
    look, whose picture is taken afterwards."""
    sizes = [(WIDE, "wide"), (NARROW, "narrow")]
    if narrow_first:
        sizes.reverse()
    loaded = False
    for scheme, order in (("light", sizes), ("dark", sizes[::-1])):
        page.emulate_media(color_scheme=scheme)
        for size, width in order:
            page.set_viewport_size(size)
            if address and not loaded:
                page.goto(address)
                loaded = True
            ready(page)
            failed = page.get_by_test_id("stException")
            assert failed.count() == 0, failed.all_inner_texts()
            page.wait_for_function(_DARK, arg=scheme == "dark")
            look = f"{scheme} and {width}"
            yield look
            try:
                page.wait_for_function(_FITS, timeout=PATIENCE / 8)
            except Exception:
                overflow = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
                pytest.fail(f"{look}: {overflow[0]} pixels in a window of {overflow[1]}")
            page.screenshot(path=pictures / f"{look}.png", full_page=True)


def new_context(chromium: Any, **options: Any) -> Any:
    """A browser's profile, whose pages know when their script has run."""
    context = chromium.new_context(viewport=WIDE, accept_downloads=True, **options)
    context.set_default_timeout(PATIENCE)
    context.add_init_script(_COUNT)
    return context


@contextlib.contextmanager
def page_of(context: Any) -> Iterator[Any]:
    """A page that asks for nothing outside this machine."""
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    try:
        yield page
    finally:
        page.close()
    foreign = [url for url in asked if not re.match(r"(http://localhost|ws://localhost|data:|blob:)", url)]
    assert not foreign, "the dashboard asked for something outside this machine"


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


@pytest.fixture(scope="module")
def context(chromium):
    """One profile for a whole file: what the dashboard consists of is fetched and compiled once."""
    context = new_context(chromium)
    yield context
    context.close()


@pytest.fixture
def page(context):
    with page_of(context) as page:
        yield page
