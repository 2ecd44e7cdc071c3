"""A fault at any reply of the examination of one's own server costs values and never makes one.

Whatever goes wrong once, at whichever step: each metric has the value that it has without the fault, or none and a
cause that fits.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Callable
from typing import get_args

import pytest

from probes import smuggling
from probes.model import Cause, Endpoint, Measurement
from probes.network import Limits, Options
from probes.own_server import OwnServerProbe
from tests.probes.loopback import measure
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
