"""Running a program and saying what it took: wall clock, CPU, memory; and medians of several runs."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LONG_SECONDS = 20.0
"""A program that takes longer than this is run once."""
patience = 5.0
"""A program that takes longer than this is run three times at most; set by the command line."""
LIMIT_SECONDS = 600.0
"""After this a run is given up."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailrubric-bench"
_LAUNCHER = Path(__file__).with_name("launch.py")
_began = time.monotonic()


def progress(text: str) -> None:
    """Tell, on stderr, what is being done."""
    seconds = time.monotonic() - _began
    print(f"[{int(seconds // 60)}:{seconds % 60:04.1f}] {text}", file=sys.stderr, flush=True)


@dataclasses.dataclass(slots=True)
class Figure:
    """What something took. ``wall``, ``cpu``: seconds, CPU with that of child processes. ``peak``: MiB of the largest
    of its processes. ``runs``: how many runs these are the medians of."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0
    runs: int = 1

    @property
    def words(self) -> str:
        """For the table."""
        return f"{seconds(self.wall)}, {seconds(self.cpu)} CPU, {self.peak:.0f} MiB"

    def share(self, count: int) -> Figure:
        """One of ``count`` equal parts; memory is not shared out."""
        return dataclasses.replace(self, wall=self.wall / count, cpu=self.cpu / count)


def seconds(value: float) -> str:
    """Seconds with as many digits as mean something."""
    return f"{value:.3f} s" if value < 0.1 else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def ratio(theirs: float, ours: float) -> str:
    """How many times less ours is."""
    if ours <= 0:
        return "no measurable time"
    times = theirs / ours
    return f"{times:.2f} ×" if times < 1 else f"{times:.1f} ×" if times < 20 else f"{times:.0f} ×"


class Failed(Exception):
    """A program did not do what it was started for; the text says what it said."""


def run(
    command: Sequence[str | Path],
    *,
    codes: Sequence[int] = (0,),
    timeout: float = LIMIT_SECONDS,
    folder: Path | None = None,
) -> tuple[Figure, bytes]:
    """One run and its standard output. ``codes``: exit codes that are in order. ``Failed`` for others, and after
    ``timeout`` seconds."""
    with tempfile.TemporaryDirectory() as name:
        result, output, errors = (Path(name) / each for each in ("result", "output", "errors"))
        launcher = [sys.executable, "-I", "-S", _LAUNCHER, result, str(timeout)]
        with output.open("wb") as out, errors.open("wb") as err:
            subprocess.run(
                [str(part) for part in (*launcher, *command)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                check=True,
                env=environment(),
            )
        took = json.loads(result.read_bytes())
        said = output.read_bytes()
        if took["code"] is None:
            raise Failed(f"{_shown(command)} was given up after {timeout:.0f} s")
        if took["code"] not in codes:
            text = (errors.read_bytes() or said).decode("utf-8", "replace").strip()
            raise Failed(f"{_shown(command)} ended with {took['code']}: {text[-400:]}")
        return Figure(took["wall"], took["cpu"], took["peak"]), said


def environment() -> dict[str, str]:
    """The environment of what is measured, without what some machines set for Python: it keeps compiled modules, as pip
    leaves them where a package is installed, and it buffers what it prints."""
    ours = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    found = {key: value for key, value in os.environ.items() if key not in ours}
    return {**found, "PYTHONPYCACHEPREFIX": str(CACHE / "pycache")}


def _shown(command: Sequence[str | Path]) -> str:
    """The program's name, without what brings it into its namespace."""
    words = [Path(part).name for part in command]
    return words[2] if words[0] == "nsenter" else words[0]


def median(once: Callable[[], Figure], repeats: int, *, first: Figure | None = None) -> Figure:
    """The medians of ``repeats`` runs, ``first`` among them if given; of at most 3 where one takes longer than
    ``patience``, of 1 where it takes more than ``LONG_SECONDS``. ``peak`` is the highest of all."""
    figures = [first if first is not None else once()]
    if figures[0].wall > LONG_SECONDS:
        repeats = 1
    elif figures[0].wall > patience:
        repeats = min(repeats, 3)
    while len(figures) < repeats:
        figures.append(once())
    return Figure(
        statistics.median(each.wall for each in figures),
        statistics.median(each.cpu for each in figures),
        max(each.peak for each in figures),
        len(figures),
    )
