"""Running a program and saying what it took: wall clock, CPU, memory; and medians of several runs."""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LONG_SECONDS = 20.0
"""A program that takes longer than this is run less often."""
LIMIT_SECONDS = 420.0
"""After this a run is given up."""

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
    return f"{times:.1f} ×" if times < 20 else f"{times:.0f} ×"


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
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=folder,
            start_new_session=True,
        )
        usage = None
        while usage is None:
            found, status, rusage = os.wait4(process.pid, os.WNOHANG if timeout else 0)
            if found:
                usage = rusage
                break
            elapsed = time.perf_counter() - start
            if elapsed > timeout:
                os.killpg(process.pid, 9)
                process.wait()
                raise Failed(f"{Path(command[0]).name} was given up after {timeout:.0f} s")
            time.sleep(0.0005 if elapsed < 3 else 0.01)
        wall = time.perf_counter() - start
        process.returncode = code = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        said = output.read()
        if code not in codes:
            text = (errors.read() or said).decode("utf-8", "replace").strip()
            raise Failed(f"{Path(command[0]).name} ended with {code}: {text[-400:]}")
        return Figure(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), said


def median(once: Callable[[], Figure], repeats: int, *, first: Figure | None = None) -> Figure:
    """The medians of ``repeats`` runs, ``first`` among them if given; of 3 when one takes more than ``LONG_SECONDS``,
    of 1 when it takes more than three times that."""
    figures = [first if first is not None else once()]
    wall = figures[0].wall
    if wall > 3 * LONG_SECONDS:
        repeats = 1
    elif wall > LONG_SECONDS:
        repeats = min(repeats, 3)
    while len(figures) < repeats:
        figures.append(once())
    return Figure(
        statistics.median(each.wall for each in figures),
        statistics.median(each.cpu for each in figures),
        max(each.peak for each in figures),
        len(figures),
    )
