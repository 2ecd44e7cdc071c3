"""Ctrl-C and a request to terminate, as real signals to a real program."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, signal, sys
from mailrubric.cli import stopping

number = signal.Signals(int(sys.argv[1]))
former = lambda *_: print("former", flush=True)
signal.signal(number, former)

async def work(stop):
    print("working", flush=True)
    await stop.wait()
    if sys.argv[2] == "polite":
        return "what was seen"
    print("still working", flush=True)
    await asyncio.Event().wait()

try:
    print(stopping.run(work, "stopping; all is kept"), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(signal.getsignal(number) is former, flush=True)
signal.raise_signal(number)
"""
NUMBERS = (signal.SIGINT, signal.SIGTERM)


def signalled(number: signal.Signals, manner: str, until: tuple[str, ...]) -> tuple[list[str], str]:
    """The lines that the program writes, to both, when each line of ``until`` is answered with a signal."""
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(int(number)), manner],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as process:
        assert process.stdout is not None
        lines = []
        for word in until:
            lines.append(process.stdout.readline().strip())
            assert lines[-1] == word
            process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return lines + out.splitlines(), err


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_ends_it_politely_and_the_former_handler_is_back(number: signal.Signals) -> None:
    lines, told = signalled(number, "polite", ("working",))
    assert lines == ["working", "what was seen", "True", "former"]
    assert told == "stopping; all is kept (Ctrl-C again to leave at once)\n"


@pytest.mark.parametrize("number", NUMBERS)
def test_the_second_ends_it_at_once(number: signal.Signals) -> None:
    lines, told = signalled(number, "stubborn", ("working", "still working"))
    assert lines == ["working", "still working", "interrupted", "True", "former"]
    assert told.count("\n") == 1
