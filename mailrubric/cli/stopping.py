"""Ctrl-C, or a request to terminate, while something long runs: the first ends it politely, the second at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from mailrubric.cli.terminal import complain

T = TypeVar("T")


def run(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]], promise: str) -> T:
    """Run ``work`` on an event loop of its own, and give what it gives.

    ``work`` is handed an event that the first SIGINT or SIGTERM sets: from then on it comes to its end by itself.
    ``promise``: what it still does then, told on stderr. The second signal cancels it, and ``KeyboardInterrupt`` is
    raised. The handlers of both signals are as they were before afterwards.
    """

    async def guarded() -> T:
        stop = asyncio.Event()
        with _heard(stop, promise):
            return await work(stop)

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@contextlib.contextmanager
def _heard(stop: asyncio.Event, promise: str) -> Iterator[None]:
    loop, work = asyncio.get_running_loop(), asyncio.current_task()

    def asked() -> None:
        if stop.is_set() and work is not None:
            work.cancel()
            return
        complain(f"{promise} (Ctrl-C again to leave at once)")
        stop.set()

    former: dict[signal.Signals, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            before = signal.getsignal(number)
            loop.add_signal_handler(number, asked)
            former[number] = before
    try:
        yield
    finally:
        for number, handler in former.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
