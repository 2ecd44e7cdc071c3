"""An event loop that waits for nothing but its sockets: where nothing comes, its clock leaps to what is due next.

For tests of time-outs whose client and servers share one loop. A time-out takes no time then, and may be long, which
keeps a machine with no time left from exceeding it at steps that are not what is tested. Not for tests in which another
thread or process has to answer: it would be late.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")

QUIET_SECONDS = 0.03
"""For how long nothing must come before the clock leaps: on loopback, what was sent is there at once."""


class _Selector(selectors.DefaultSelector):
    ahead = 0.0
    """By how many seconds the loop's clock is ahead of the machine's."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= QUIET_SECONDS:
            return super().select(timeout)
        found = super().select(QUIET_SECONDS)
        if not found:
            self.ahead += timeout - QUIET_SECONDS
        return found


class LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Selector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return super().time() + self._leaping.ahead


def leaping(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that runs on a loop of this kind."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
