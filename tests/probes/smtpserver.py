"""An SMTP server on loopback that takes mail, strict or careless in exactly the way a test asks for.

It knows the commands, checks addresses by a strict grammar unless told to be lax, and can be told to misbehave at one
reply of a whole run (:class:`Fault`), counted over all its connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
from collections.abc import AsyncIterator, Callable
from typing import Literal

from tests.probes.loopback import Listening, reset, scripted

HOST = "mx.own.test"
RECIPIENT = "tester@own.test"

Misbehaviour = Literal[
    "silence", "close", "reset", "half-close", "garbage", "endless line", "421", "450", "too much", "cut off"
]

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = rf"(?:{_ATOM}(?:\.{_ATOM})*|\"(?:[ !#-\[\]-~]|\\[ -~])*\")"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})"
_DOMAIN = rf"(?:{_NAME}|\[{_OCTET}(?:\.{_OCTET}){{3}}\]|\[IPv6:[0-9A-Fa-f:.]+\])"
_ROUTE = rf"(?:@{_NAME}(?:,@{_NAME})*:)?"
_PATH = re.compile(rf"<{_ROUTE}(?P<local>{_LOCAL})@(?P<domain>{_DOMAIN})>")


def well_formed(path: bytes) -> tuple[str, str] | None:
    """Local part (without quotes) and domain of a path in brackets, by RFC 5321 §4.1.2; None when it is malformed."""
    try:
        match = _PATH.fullmatch(path.decode("ascii"))
    except UnicodeDecodeError:
        return None
    if match is None or len(match["local"]) > 64 or len(match["domain"]) > 255:
        return None
    local = match["local"]
    return (re.sub(r"\\(.)", r"\1", local[1:-1]) if local[0] == '"' else local), match["domain"].lower()


@dataclasses.dataclass(frozen=True)
class Fault:
    """Do this instead of (``too much``: besides, ``cut off``: with half of) the reply of this number, from 1."""

    number: int
    what: Misbehaviour


@dataclasses.dataclass
class Server(Listening):
    """How the server behaves, and what it has seen.

    ``extensions``: of EHLO. ``ends``: what ends a text. ``errors``: how many refusals before 421; None for no limit.
    ``sender``, ``recipient``: an answer to a path other than the strict one, or None for that. ``relays``: recipients
    elsewhere are taken. ``vrfy``: the replies for a mailbox that exists and one that does not. ``size``: whether SIZE
    is enforced. ``group``: how many commands of one segment are answered. ``text``: the answer to a message.
    """

    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    ends: tuple[bytes, ...] = (b"\r\n.\r\n",)
    errors: int | None = 12
    greeting: str = f"220 {HOST} ESMTP"
    mail: str = ""
    sender: Callable[[bytes], str | None] = lambda path: None
    recipient: Callable[[bytes], str | None] = lambda path: None
    relays: bool = False
    vrfy: tuple[str, str] = ("252 2.0.0 try and see", "252 2.0.0 try and see")
    expn: tuple[str, str] = ("502 5.5.1 not here", "502 5.5.1 not here")
    size: bool = True
    group: int = 1000
    text: Callable[[bytes], str] = lambda text: "250 2.0.0 taken"
    unknown: str = "500 5.5.1 what?"
    end_of_patience: str = "421 4.7.0 too many errors"
    refuses_endings: bool = False
    slow: float = 0.0
    fault: Fault | None = None

    replies: int = 0
    said: list[tuple[bytes, str]] = dataclasses.field(default_factory=list)
    """(command, reply) of the whole run, numbered from 1; greetings have the command ``b""``."""
    delivered: list[tuple[bytes, list[bytes], bytes]] = dataclasses.field(default_factory=list)
    """(sender, recipients, text) of each message that was taken."""


@contextlib.asynccontextmanager
async def serve(server: Server) -> AsyncIterator[Server]:
    """Run it on a free port."""

    async def connected(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Connection(server, reader, writer).run()

    async with scripted(connected) as listening:
        server.port = listening.port
        yield server
        server.connections = listening.connections


class _Gone(Exception):
    pass


class _Connection:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._buffer = b""
        self._errors = 0
        self._sender: bytes | None = None
        self._recipients: list[bytes] = []

    async def run(self) -> None:
        with contextlib.suppress(_Gone, OSError):
            await self._reply(b"", self._server.greeting)
            while True:
                for command in (await self._commands())[: self._server.group]:
                    await self._command(command)

    async def _commands(self) -> list[bytes]:
        """The complete lines that have come."""
        while b"\r\n" not in self._buffer:
            await self._read()
        *lines, self._buffer = self._buffer.split(b"\r\n")
        return lines

    async def _read(self) -> None:
        data = await self._reader.read(65536)
        if not data:
            raise _Gone
        self._buffer += data

    async def _command(self, line: bytes) -> None:
        server = self._server
        verb, _, argument = line.partition(b" ")
        match verb.upper():
            case b"EHLO":
                *more, last = HOST, *server.extensions
                await self._reply(line, "".join(f"250-{each}\r\n" for each in more) + f"250 {last}")
            case b"MAIL":
                await self._reply(line, self._mail(argument[len("FROM:") :]))
            case b"RCPT":
                await self._reply(line, self._rcpt(argument[len("TO:") :]))
            case b"DATA" if self._recipients:
                await self._reply(line, "354 go on")
                await self._text()
            case b"DATA":
                await self._reply(line, "503 5.5.1 no recipient")
            case b"RSET":
                self._sender, self._recipients = None, []
                await self._reply(line, "250 2.0.0 forgotten")
            case b"NOOP":
                await self._reply(line, "250 2.0.0 nothing")
            case b"VRFY" | b"EXPN":
                there, not_there = server.vrfy if verb.upper() == b"VRFY" else server.expn
                await self._reply(line, not_there if b"no-such" in argument else there)
            case b"QUIT":
                await self._reply(line, "221 2.0.0 bye")
                raise _Gone
            case _:
                await self._reply(line, server.unknown)

    def _mail(self, argument: bytes) -> str:
        path, *parameters = re.split(rb"(?<=>) ", argument)
        options = {word.partition("=")[0]: word.partition("=")[2] for word in b" ".join(parameters).decode().split()}
        if self._server.mail:
            return self._server.mail
        said = self._server.sender(argument)
        if said is None:
            known = path == b"<>" or well_formed(path) is not None
            if "SMTPUTF8" in options and "SMTPUTF8" in self._server.extensions:
                known = known or well_formed(path.decode().replace("ü", "u").encode()) is not None
            said = "250 2.1.0 sender ok" if known else "501 5.1.7 malformed"
            if said[0] == "2" and set(options) - {"SIZE", "BODY", "SMTPUTF8"}:
                said = "555 5.5.4 unknown parameter"
            if said[0] == "2" and self._server.size and int(options.get("SIZE", "0")) > 1000000:
                said = "552 5.3.4 too big"
        if said[0] == "2":
            self._sender = path
        return said

    def _rcpt(self, path: bytes) -> str:
        if self._sender is None:
            return "503 5.5.1 no sender"
        said = self._server.recipient(path)
        if said is None:
            said = self._strict(path)
        if said[0] == "2":
            self._recipients.append(path)
        return said

    def _strict(self, path: bytes) -> str:
        if path.lower() == b"<postmaster>":
            return "250 2.1.5 recipient ok"
        parts = well_formed(path)
        if parts is None:
            return "501 5.1.3 malformed"
        local, domain = parts
        if domain != "own.test":
            return "250 2.1.5 recipient ok" if self._server.relays else "554 5.7.1 relay access denied"
        return "250 2.1.5 recipient ok" if local.lower() in ("tester", "postmaster") else "550 5.1.1 nobody"

    async def _text(self) -> None:
        """Read to what ends the text, answer, and go on with what comes behind it."""
        server = self._server
        while True:
            found = [(at, end) for end in server.ends if (at := self._buffer.find(end)) >= 0]
            if found:
                break
            if server.refuses_endings and re.search(rb"(?<!\r)\n", self._buffer):
                await self._reply(b"(text)", "554 5.5.2 bare LF")
                raise _Gone
            await self._read()
        at, end = min(found, key=lambda each: (each[0], -len(each[1])))
        text, self._buffer = self._buffer[:at], self._buffer[at + len(end) :]
        said = server.text(text)
        if said[0] == "2":
            assert self._sender is not None
            server.delivered.append((self._sender, self._recipients, text))
        self._sender, self._recipients = None, []
        await asyncio.sleep(server.slow)
        await self._reply(b"(text)", said)

    async def _reply(self, command: bytes, reply: str) -> None:
        server = self._server
        server.replies += 1
        server.said.append((command, reply))
        if server.fault is not None and server.fault.number == server.replies:
            await self._misbehave(server.fault.what, reply)
            return
        await self._send(reply.encode() + b"\r\n")
        self._errors += reply[0] == "5"
        if server.errors is not None and self._errors >= server.errors and command:
            await self._send(server.end_of_patience.encode() + b"\r\n" if server.end_of_patience else b"")
            raise _Gone

    async def _misbehave(self, what: Misbehaviour, reply: str) -> None:
        match what:
            case "silence":
                await self._wait_for_the_end()
            case "reset":
                reset(self._writer)
            case "half-close":
                self._writer.write_eof()
                await self._wait_for_the_end()
            case "garbage":
                await self._send(b"\x00\xff\x1b[31mgarbage\x07\r\n")
                await self._wait_for_the_end()
            case "endless line":
                await self._send(b"x" * 10000)
                await self._wait_for_the_end()
            case "421":
                await self._send(b"421 4.3.2 going down\r\n")
            case "450":
                await self._send(b"450 4.3.2 not now\r\n")
                return
            case "too much":
                await self._send(reply.encode() + b"\r\n250 2.0.0 and something else\r\n")
                return
            case "cut off":
                await self._send(reply.encode()[: len(reply) // 2])
        raise _Gone

    async def _wait_for_the_end(self) -> None:
        while await self._reader.read(65536):
            pass
        raise _Gone

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
