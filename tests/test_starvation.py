"""Only what failed in a stall is run again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import starvation
from tests.starvation import SHARE, STALL, SWITCH, TICK, Lateness, Watch

FAILS_ONCE = """
import pathlib

def test_it(tmp_path_factory):
    mark = pathlib.Path(__file__).with_suffix(".seen")
    seen = mark.exists()
    mark.touch()
    assert seen
"""

CONFTEST = """
from tests import starvation

class Stalled(starvation.Lateness):
    def starved(self, now):
        return {starved}

starvation.Lateness = Stalled

def pytest_configure(config):
    config.pluginmanager.register(starvation.Plugin())
"""


def run(folder: Path, test: str, *, starved: bool) -> str:
    """pytest's output over one test, on a machine that stands still all the time or never."""
    (folder / "conftest.py").write_text(CONFTEST.format(starved=starved))
    (folder / "test_it.py").write_text(test)
    root = Path(starvation.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-rR", "-p", "no:cacheprovider", "-o", "addopts=", str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_what_failed_in_a_stall_is_run_again_and_said_to_have_been(tmp_path: Path) -> None:
    output = run(tmp_path, FAILS_ONCE + "\ndef test_that(): assert False", starved=True)
    assert "RERUN test_it.py::test_it" in output
    assert "1 failed, 1 passed, 3 rerun" in output, "what always fails fails"


def test_what_failed_without_a_stall_has_failed(tmp_path: Path) -> None:
    output = run(tmp_path, FAILS_ONCE, starved=False)
    assert "1 failed" in output
    assert "rerun" not in output


def test_one_long_stall_or_many_short_ones() -> None:
    late = STALL / 2 + SWITCH
    calm = Lateness(since=0.0)
    calm.woke(late)
    assert not calm.starved(now=10.0)
    calm.woke(STALL + SWITCH)
    assert calm.starved(now=10.0)
    busy = Lateness(since=0.0)
    for _ in range(30):
        busy.woke(late)
    assert busy.total == pytest.approx(1.5)
    assert busy.starved(now=10.0)
    assert not busy.starved(now=1.5 / SHARE + 1)


def test_threads_that_take_turns_are_no_stall() -> None:
    turns = Lateness(since=0.0)
    for _ in range(400):
        turns.woke(sys.getswitchinterval())
    assert not turns.starved(now=10.0)


def test_a_stall_that_still_lasts_counts() -> None:
    now = [100.0]
    watch = Watch(clock=lambda: now[0])  # never started: it has slept since now
    watch.begin()
    now[0] += TICK
    assert not watch.starved()
    now[0] += STALL + SWITCH
    assert watch.starved()
