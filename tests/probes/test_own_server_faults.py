"""A fault at any reply of the examination of one's own server costs values and never makes one.

Whatever goes wrong once, at whichever step: each metric has the value that it has without the fault, or none and a
cause that fits.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import random
import time
from collections.abc import Callable
from typing import get_args

import pytest

from probes import smuggling
from probes.model import Cause, Endpoint, Measurement
from probes.network import Limits, Options
from probes.own_server import OwnServerProbe
from probes.runner import probe_endpoint
from tests.probes.loopback import measure, scripted
from tests.probes.smtpserver import RECIPIENT, Fault, Misbehaviour, Server, serve

pytestmark = pytest.mark.slow

OPTIONS = Options(
    limits=Limits(deadline_own_server=15, greeting_timeout_mx=0.4, read_timeout=0.4, spacing_mx=0.0),
    allow_private=True,
    ehlo_name="probe.example",
    own_servers=frozenset({"127.0.0.1"}),
    own_server_recipient=RECIPIENT,
)

CAUSES: dict[Misbehaviour, set[Cause]] = {
    "silence": {Cause.DEADLINE_EXCEEDED, Cause.GREETING_TIMEOUT},
    "close": {Cause.CONNECTION_RESET},
    "reset": {Cause.CONNECTION_RESET},
    "half-close": {Cause.CONNECTION_RESET},
    "cut off": {Cause.CONNECTION_RESET},
    "garbage": {Cause.PROTOCOL_ERROR},
    "too much": {Cause.PROTOCOL_ERROR},
    "endless line": {Cause.REPLY_TOO_LONG},
    "421": {Cause.THROTTLED, Cause.GREETING_REJECTED},
    "450": {Cause.THROTTLED, Cause.GREETING_REJECTED, Cause.CONNECTION_RESET},  # it closes after QUIT all the same
}


def strict() -> Server:
    return Server()


def careless() -> Server:
    """One that has the other value of each metric, as far as one server can."""
    return Server(
        ends=(b"\r\n.\r\n", b"\n.\n"),
        relays=True,
        size=False,
        vrfy=("250 2.1.5 tester", "550 5.1.1 nobody"),
        expn=("250 2.1.5 tester", "550 5.1.1 nobody"),
        sender=lambda path: "250 ok" if b".." in path else "501 no" if path.endswith(b"]>") else None,
        recipient=lambda path: "250 ok" if b"(comment)" in path else "501 no" if path.startswith(b'<"') else None,
        errors=4,
    )


async def examine(server: Server) -> dict[str, Measurement]:
    async with serve(server):
        endpoint = Endpoint("mx", host="127.0.0.1", port=server.port, tls="none")
        return await measure(OwnServerProbe(), endpoint, OPTIONS)


def steps(server: Server) -> list[int]:
    """Numbers of replies where a fault is worth trying: of each kind of command and answer the first and the last."""
    kinds: dict[tuple[bytes, str], list[int]] = collections.defaultdict(list)
    for number, (command, reply) in enumerate(server.said, 1):
        verb = command.partition(b" ")[0]
        special = command.rpartition(b" ")[2] if verb == b"MAIL" and command.count(b" ") > 1 else b""
        kinds[verb + special, reply[:5]].append(number)
    return sorted({number for numbers in kinds.values() for number in (numbers[0], numbers[-1])})


def wrong(fault: Fault, command: bytes, truth: dict[str, Measurement], found: dict[str, Measurement]) -> list[str]:
    """What is reported that must not be."""
    problems = []
    for metric, each in found.items():
        if each.cause is None and each.value == truth[metric].value:
            continue
        if each.cause in CAUSES[fault.what] or each.cause is truth[metric].cause is not None:
            continue
        if metric == "own_server.error_limit" and fault.what == "421" and command == b"MAILRUBRIC":
            continue  # a 421 after a wrong command is what is being waited for
        shown = repr(each.value) if each.cause is None else f"{each.cause.value} ({each.detail})"
        problems.append(f"{fault.what} at {fault.number} ({command!r}): {metric} is {shown}")
    return problems


@pytest.mark.parametrize("what", get_args(Misbehaviour))
@pytest.mark.parametrize("make", [strict, careless])
async def test_a_fault_is_never_a_fact(
    make: Callable[[], Server], what: Misbehaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smuggling, "WAIT", 0.02)
    healthy = make()
    truth = await examine(healthy)
    assert all(each.cause is None for each in truth.values()), truth
    turn = asyncio.Semaphore(8)
    touched = 0

    async def broken(number: int) -> list[str]:
        nonlocal touched
        fault = Fault(number, what)
        async with turn:
            found = await examine(dataclasses.replace(make(), fault=fault))
        touched += any(each.cause is not None for each in found.values())
        return wrong(fault, healthy.said[number - 1][0], truth, found)

    tried = steps(healthy)
    problems = [problem for found in await asyncio.gather(*map(broken, tried)) for problem in found]
    if problems:  # once more and alone: on a machine with no time left, an honest time-out is no defect
        numbers = {int(problem.split(" at ")[1].split()[0]) for problem in problems}
        problems = [problem for number in sorted(numbers) for problem in await broken(number)]
    assert not problems, f"{len(problems)} in {len(tried)} cases\n" + "\n".join(problems)
    assert touched, "no fault cost anything: it was not there"


SAYINGS = (
    b"220 own.test\r\n",
    b"250 2.0.0 ok\r\n",
    b"250-own.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    b"250-own.test\r\n250 SIZE 99999999999999999999\r\n",
    b"251 elsewhere\r\n",
    b"252 maybe\r\n",
    b"354 go on\r\n",
    b"221 bye\r\n",
    b"450 later\r\n",
    b"501 no\r\n",
    b"550 5.1.1 nobody\r\n",
    b"530 login\r\n",
    b"250 \xff\x00\x1b[2J\r\n",
    b"250-a\r\n550 b\r\n",
    b"999 what\r\n",
    b"250",
    b"\r\n",
    b"",
    b"250 ok\r\n250 ok\r\n",
    b"250 " + b"x" * 4000 + b"\r\n",
    b"250-" + b"y" * 100 + b"\r\n250 ok\r\n",
)


@pytest.mark.parametrize("seed", range(0, 240, 8))
async def test_a_server_that_says_anything_is_survived(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No exception, no time beyond the deadline, and no more words than were promised, whatever is said to whatever."""
    monkeypatch.setattr(smuggling, "WAIT", 0.02)
    limits = Limits(deadline_own_server=1.0, greeting_timeout_mx=0.1, read_timeout=0.1)
    options = dataclasses.replace(OPTIONS, limits=limits)

    async def one(number: int) -> None:
        chance = random.Random(number)
        likely = chance.choice((0.5, 0.9, 0.97))

        async def connected(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(SAYINGS[0] if chance.random() < likely else chance.choice(SAYINGS))
            while await reader.readline():
                writer.write(chance.choice(SAYINGS[1:4] if chance.random() < likely else SAYINGS))
                await writer.drain()

        async with scripted(connected) as server:
            endpoint = Endpoint("mx", host="127.0.0.1", port=server.port, tls="none")
            began = time.monotonic()
            report = await probe_endpoint(endpoint, options=options, probes=[OwnServerProbe()])
            assert time.monotonic() - began < 2.5
        for each in report.measurements:
            assert each.cause is not Cause.PROBE_BUG, f"{number}: {each}"
            assert len(each.detail) <= 6001
        assert len(report.measurements) == len(OwnServerProbe.metrics)

    await asyncio.gather(*(one(number) for number in range(seed, seed + 8)))
