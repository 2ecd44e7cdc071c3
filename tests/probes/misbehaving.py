"""What the servers share that have TLS and a login, and can be told to misbehave at one reply of a run.

The certificate is from ``tests.hostile.server.authority``.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import ssl
from collections.abc import AsyncIterator, Callable

from tests.hostile.server import authority
from tests.probes.loopback import Listening, reset, scripted
from tests.probes.smtpserver import Fault

HOST = "127.0.0.1"
USER, PASSWORD, TOKEN = "me@own.test", "Tr0ub4dor&3-is-secret", "ya29.token-that-is-secret"


@functools.cache
def server_context(name: str = HOST) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name).configure_cert(context)
    return context


class Gone(Exception):
    """The connection is over."""


@dataclasses.dataclass
class Misbehaving(Listening):
    """How a server behaves, and what it has seen. ``name``: of its certificate. ``instead``: another answer to commands
    with this verb. ``flood``: the octets of a line that does not end."""

    name: str = HOST
    instead: dict[str, str] = dataclasses.field(default_factory=dict)
    fault: Fault | None = None
    flood: int = 10_000

    replies: int = 0
    lines: list[str] = dataclasses.field(default_factory=list)
    """What it was told."""


class Session:
    """One connection to a server that may misbehave."""

    def __init__(self, server: Misbehaving, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._misbehaving, self._reader, self._writer = server, reader, writer
        self._tls = self._in = False

    async def run(self) -> None:
        """All that is said."""
        raise NotImplementedError

    async def _start_tls(self) -> None:
        await self._writer.start_tls(server_context(self._misbehaving.name))
        self._tls = True

    def _hear(self, line: str) -> None:
        self._misbehaving.lines.append(line)

    async def _line(self) -> str:
        line = (await self._reader.readuntil(b"\r\n")).decode()[:-2]
        self._hear(line)
        return line

    async def _answer(self, data: bytes) -> None:
        """Send a reply, or do what is to be done instead of it."""
        server = self._misbehaving
        server.replies += 1
        if server.fault is None or server.fault.number != server.replies:
            await self._send(data)
            return
        match server.fault.what:
            case "silence":
                await self._reader.read()
            case "reset":
                reset(self._writer)
            case "half-close":
                with contextlib.suppress(NotImplementedError):  # TLS has none
                    self._writer.write_eof()
                    await self._reader.read()
            case "garbage":
                await self._send(b"\x00\xff\x1b[31mgarbage\x07\r\n")
                await self._reader.read()
            case "endless line":
                await self._send(b"x" * server.flood)
                await self._reader.read()
            case "421":
                await self._send(b"421 4.3.2 going down\r\n")
            case "450":
                await self._send(b"450 4.3.2 not now\r\n")
                return
            case "too much":
                await self._send(data + b"250 2.0.0 and something else\r\n")
                return
            case "cut off":
                await self._send(data[: len(data) // 2])
        raise Gone

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


@contextlib.asynccontextmanager
async def serving(
    server: Misbehaving, session: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Session]
) -> AsyncIterator[None]:
    """Run a server on a free port, with a ``session`` for each connection."""

    async def connected(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # ValueError: a client that gives up answers a challenge with QUIT, which is no Base64.
        with contextlib.suppress(Gone, OSError, asyncio.IncompleteReadError, ssl.SSLError, ValueError):
            await session(reader, writer).run()

    async with scripted(connected) as listening:
        server.port = listening.port
        yield
        server.connections = listening.connections
