"""How many dialogues a second one process can hold with Postfix: bare protocol, our network layer, asyncio's streams.

    python -m bench raw

Each is a process of its own on the same machine as the server (``python -m bench.raw_limit KIND …``): 1,000 dialogues,
40 at once, each greeting, EHLO, STARTTLS, full handshake without verification, end. Nothing is measured but the rate.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from OpenSSL import SSL

from bench.measuring import progress, run
from bench.tables import Table
from bench.world import MAIL_ADDRESS, postfix, world
from probes.network import Limits, Network, Options, Surroundings
from probes.runner import parse_target

COUNT = 1000
AT_ONCE = 40
_GOAL = 0.6


# --- the bare protocol ------------------------------------------------------------------------------------------------


class _Bare(asyncio.Protocol):
    """As little as will do: no time limits, no checks, no transcript."""

    def __init__(self, context: SSL.Context, done: asyncio.Future[None]) -> None:
        self._context = context
        self._done = done
        self._step = 0
        self._received = b""
        self._tls: SSL.Connection | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.bio_write(data)
            self._shake()
            return
        self._received += data
        *_, last, rest = [b"", *self._received.split(b"\r\n")]
        if rest or last[3:4] != b" ":
            return
        self._received = b""
        self._step += 1
        if self._step < 3:
            self._write(b"EHLO probe.example\r\n" if self._step == 1 else b"STARTTLS\r\n")
            return
        self._tls = SSL.Connection(self._context, None)
        self._tls.set_connect_state()
        self._tls.set_tlsext_host_name(b"mail.example.test")
        self._shake()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _shake(self) -> None:
        if self._tls is None:
            return
        over = True
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            over = False
        try:
            while True:
                self._write(self._tls.bio_read(16384))
        except SSL.WantReadError:
            pass
        if over and not self._done.done():
            self._done.set_result(None)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("closed by the server"))


def _bare(address: str, port: int) -> Callable[[], Awaitable[None]]:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    loop = asyncio.get_running_loop()

    async def once() -> None:
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda: _Bare(context, done), address, port)
        await done

    return once


# --- ours -------------------------------------------------------------------------------------------------------------


def _ours(address: str, port: int) -> Callable[[], Awaitable[None]]:
    # One address stands for many servers here, so our manners towards one are set aside.
    limits = Limits(connections_per_address=COUNT * 2, concurrent_per_address=AT_ONCE)
    options = Options(limits=limits, allow_private=True, ehlo_name="probe.example")
    surroundings = Surroundings(options)
    endpoint = parse_target(f"smtp://{address}:{port}")

    async def once() -> None:
        async with Network(endpoint, options, surroundings) as network, await network.dial(address, port) as connection:
            await connection.read_reply()
            await connection.send_line("EHLO probe.example")
            await connection.read_reply()
            await connection.send_line("STARTTLS")
            await connection.read_reply()
            await connection.start_tls("mail.example.test")

    return once


# --- asyncio's streams ------------------------------------------------------------------------------------------------


def _streams(address: str, port: int) -> Callable[[], Awaitable[None]]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    async def reply(reader: asyncio.StreamReader) -> None:
        while (await reader.readline())[3:4] == b"-":
            pass

    async def once() -> None:
        reader, writer = await asyncio.open_connection(address, port)
        await reply(reader)
        writer.write(b"EHLO probe.example\r\n")
        await reply(reader)
        writer.write(b"STARTTLS\r\n")
        await reply(reader)
        await writer.start_tls(context, server_hostname="mail.example.test")
        writer.transport.abort()

    return once


KINDS: dict[str, tuple[str, Callable[[str, int], Callable[[], Awaitable[None]]]]] = {
    "bare": ("bare asyncio protocol, pyOpenSSL memory BIOs", _bare),
    "ours": ("our network layer (limits, deadlines, transcript, chain)", _ours),
    "streams": ("asyncio's streams with the standard library's TLS", _streams),
}


async def _rate(kind: str, address: str, port: int, count: int) -> dict[str, float]:
    once = KINDS[kind][1](address, port)
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            await once()

    await asyncio.gather(*(once() for _ in range(AT_ONCE)))  # the server's processes are up then
    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return {"rate": count / (time.perf_counter() - start), "cpu": (time.process_time() - cpu) / count}


def raw(repeats: int, only: Sequence[str]) -> Table:
    """Rates, in turns so that a slow moment of the machine hits all alike."""
    table = Table(
        ("client", "dialogues a second", "CPU of the client for each", "share of the bare protocol's rate"),
        f"One client process against one Postfix on loopback, {COUNT} dialogues, {AT_ONCE} at once; medians of "
        f"{repeats} runs in turns. Client and server share the machine's cores.",
    )
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with world() as made, postfix(made) as port:
        address = MAIL_ADDRESS if made.isolated else "127.0.0.1"
        for number in range(repeats):
            for kind in KINDS:
                progress(f"{kind}, run {number + 1} of {repeats}")
                words = [sys.executable, "-m", "bench.raw_limit", kind, address, str(port), str(COUNT)]
                found[kind].append(json.loads(run(words)[1]))
    rates = {kind: _middle([each["rate"] for each in runs]) for kind, runs in found.items()}
    for kind, (name, _) in KINDS.items():
        cpu = 1000 * _middle([each["cpu"] for each in found[kind]])
        table.rows.append((name, f"{rates[kind]:.0f}", f"{cpu:.2f} ms", f"{rates[kind] / rates['bare']:.0%}"))
    table.notes.append(f"Goal: our network layer reaches at least {_GOAL:.0%} of the bare protocol's rate.")
    return table


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_rate(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
