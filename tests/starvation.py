"""A fault is never a fact, of tests too: what failed while the machine stood still is run again, and said to have been.

Tests here talk to real servers in real time: a name server that answers within 0.8 s is no fault, and one that doesn't
is. On a machine that gives this process no processor for half a second, both look alike. A thread measures that: it
sleeps 20 ms at a time and adds up how late it wakes. It is late when the machine has no processor to give, or stands
still as a whole; Python code that blocks an event loop keeps it waiting for no longer than the interpreter's own switch
between threads, which does not count.

A test that failed without such a stall has failed. One that failed in a stall is run again, at most twice, by
pytest-rerunfailures, whose summary lists it as RERUN.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from collections.abc import Callable

import pytest

TICK = 0.02
"""Seconds that the watching thread sleeps at a time."""
STALL = 0.1
"""Seconds: one wait for a processor that is longer than this starves a test."""
SHARE = 0.1
"""So do many short ones that come to this share of the test's time."""
RERUNS = 2
SWITCH = 2 * sys.getswitchinterval()
"""Seconds that another thread of Python may keep the watching one waiting."""
CALM = 1.0
"""Seconds between a test that was starved and its next turn."""


@dataclasses.dataclass
class Lateness:
    """How late the watching thread woke since ``since`` (seconds of ``time.monotonic``): all in all, and at most."""

    since: float
    total: float = 0.0
    longest: float = 0.0

    def woke(self, late: float) -> None:
        """Adds one awakening that came ``late`` seconds after its time."""
        late = max(0.0, late - SWITCH)
        self.total += late
        self.longest = max(self.longest, late)

    def starved(self, now: float) -> bool:
        """Whether what ran from ``since`` to ``now`` was kept waiting for a processor."""
        return self.longest >= STALL or self.total >= SHARE * max(now - self.since, TICK)


class Watch(threading.Thread):
    """Measures stalls for as long as the process lives. ``clock``: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name="watch for stalls", daemon=True)
        self._clock = clock
        self._lateness = Lateness(clock())
        self._asleep_since = self._lateness.since

    def run(self) -> None:
        while True:
            self._asleep_since = self._clock()
            time.sleep(TICK)
            self._lateness.woke(self._clock() - self._asleep_since - TICK)

    def begin(self) -> None:
        """Forgets what came before."""
        self._lateness = Lateness(self._clock())

    def starved(self) -> bool:
        """Whether there was a stall since ``begin``, the one included that may still last."""
        now = self._clock()
        seen = dataclasses.replace(self._lateness)
        seen.woke(now - self._asleep_since - TICK)
        return seen.starved(now)


class Plugin:
    """Gives every test its further turns."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.watch.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """Every turn of a test begins with a clean slate."""
        self.watch.begin()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Marks all tests; whether a failed one gets another turn is decided when it has failed."""
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=RERUNS, reruns_delay=CALM, condition=self.watch.starved))
