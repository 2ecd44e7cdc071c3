"""What a server sees of us when things go wrong, and that one deadline holds for all that a target entails."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import cast

from probes.model import Endpoint, Probe
from probes.network import Limits, Options
from probes.runner import parse_target, probe_endpoint
from probes.smtp import SMTPProbe
from probes.tls import TLSProbe
from tests.hostile.server import Quiet, Script, Send, Session, Silence, serve, smtp
from tests.probes.dnsserver import name_server
from tests.probes.loopback import measure

LIMITS = Limits(deadline=3, connect_timeout=1, greeting_timeout=0.3, read_timeout=0.3, spacing_mx=0.0)
OPTIONS = Options(limits=LIMITS, allow_private=True, ehlo_name="probe.example")


async def sessions(probe: Probe, *scripts: Script) -> list[Session]:
    """What each connection brought, in the order of the connections."""
    async with serve(*scripts) as server:
        await measure(probe, Endpoint("submission", host="localhost", port=server.port), OPTIONS)
        await asyncio.sleep(0.2)  # what was sent last is read
        return server.sessions


async def test_goodbye_after_a_reply_that_we_do_not_understand() -> None:
    found = await sessions(SMTPProbe(), smtp(MAIL=(Send(b"\x00\xff what\r\n"),)))
    assert [b"EHLO probe.example", b"MAIL FROM:<>", b"QUIT"] in [each.lines for each in found]


async def test_a_transaction_is_given_up_by_quit_or_before_starttls() -> None:
    without_tls = smtp(
        EHLO=(Send(b"250 mx.example\r\n"),), STARTTLS=(Send(b"502 no\r\n"),), MAIL=(Send(b"250 ok\r\n"),)
    )
    found = await sessions(SMTPProbe(), without_tls)
    assert [b"EHLO probe.example", b"MAIL FROM:<>", b"QUIT"] in [each.lines for each in found]
    found = await sessions(SMTPProbe(), smtp(MAIL=(Send(b"250 ok\r\n"),)))
    assert found[1].lines[1:4] == [b"MAIL FROM:<>", b"RSET", b"STARTTLS"]


async def test_goodbye_on_a_later_connection_that_is_refused() -> None:
    refusing = (Send(b"554 no service for you\r\n"), Quiet(0.2))
    found = await sessions(TLSProbe(), smtp(), refusing)
    assert found[1].early == b"QUIT\r\n"


async def test_silence_after_what_is_no_greeting() -> None:
    nonsense = (Send(b"\x00\xff what\r\n"), Quiet(0.2))
    found = await sessions(TLSProbe(), smtp(), nonsense)
    assert len(found) > 1
    assert found[1].early == b""


class _Late(asyncio.DatagramProtocol):
    """Passes questions on to a name server, a while later."""

    def __init__(self, server: tuple[str, int], delay: float) -> None:
        self._server = server
        self._delay = delay
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.create_task(self._pass_on(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, data: bytes, addr: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        class Client(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                if not answer.done():
                    answer.set_result(data)

        await asyncio.sleep(self._delay)
        client, _ = await loop.create_datagram_endpoint(Client, remote_addr=self._server)
        client.sendto(data)
        self._transport.sendto(await answer, addr)
        client.close()


@contextlib.asynccontextmanager
async def late(server: tuple[str, int], delay: float) -> AsyncIterator[tuple[str, int]]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Late(server, delay), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.close()


async def test_looking_up_mail_hosts_takes_from_the_same_deadline_and_clock() -> None:
    limits = dataclasses.replace(LIMITS, deadline=1.5, greeting_timeout_mx=10, dns_timeout=3)
    records = {"example.test": {"MX": ["10 mx.example.test."]}, "mx.example.test": {"A": ["127.0.0.1"]}}
    async with (
        serve(smtp(greeting=(Silence(),))) as server,
        name_server(records) as names,
        late(names.resolver, 0.6) as resolver,
    ):
        options = dataclasses.replace(OPTIONS, limits=limits, resolver=resolver)
        began = time.monotonic()
        report = await probe_endpoint(parse_target(f"mx://example.test:{server.port}"), options=options)
        seconds = time.monotonic() - began
    causes = {each.metric: each.cause for each in report.measurements}
    assert causes["smtp.greeting_ms"] == "deadline_exceeded"
    assert 1.4 < seconds < 2.0
    assert 1400 < report.duration_ms < 2000
    times = [step.ms for step in report.transcript]
    assert times == sorted(times)
    assert times[-1] > 1200
