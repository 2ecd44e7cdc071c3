"""Scripted servers on loopback that behave badly in exactly the way a test asks for.

A **script** is a tuple of **steps**, which are plain data: send these bytes, expect a line, drip one byte a second,
reset, close half, go over to TLS, say nothing … A server runs one script per connection and remembers what the client
sent. Scripts are composed with ``+``; a fault is put into a well-behaved server by replacing one reply::

    async with serve((Send(b"220-"), Silence())) as server:            # a greeting that never ends
        ...

    async with serve(smtp(EHLO=(Reset(),))) as server:                 # reset at EHLO
        await probe(server.port)
        assert server.sessions[0].lines == [b"EHLO probe.example"]

``smtp()``, ``imap()``, ``pop3()`` and ``sieve()`` give whole servers as data (:class:`Dialogue`): a greeting, and a
script for each command, before and after TLS. Their keyword arguments replace the script of the command of that name
(``greeting=`` the greeting's); ``tls={…}`` does so after TLS; ``implicit=True`` begins with TLS::

    smtp(STARTTLS=(Send(b"220 go\r\n250 injected\r\n"), StartTLS()))
    smtp(tls={b"EHLO": (Send(b"421 later\r\n"), Close())})
    imap(implicit=True)

``FAULTS`` names the faults that fit at any step, for a matrix. ``serve`` runs on the test's own event loop;
``serve_in_thread`` runs on its own, for clients that block or are another process. Give several scripts to let the
first connection get the first, the second the second …; the last one serves all the rest.

TLS is done over memory BIOs, so that an alert is really sent before the connection goes, which asyncio's own TLS
servers do not guarantee. Certificates come from an authority made for this process (``authority()``).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import trustme

HOST = "127.0.0.1"
NAME = "localhost"
"""The name in the servers' certificates, unless ``StartTLS`` says otherwise."""


# --- steps ------------------------------------------------------------------------------------------------------------


class Step:
    """Something that a server does on one connection."""


Script = tuple[Step, ...]


@dataclasses.dataclass(frozen=True)
class Send(Step):
    """Send these bytes in one segment (through TLS when it is on). ``{tag}`` becomes the tag of the IMAP command that
    is being answered, ``{argument}`` what stands behind the verb of any command."""

    data: bytes


@dataclasses.dataclass(frozen=True)
class Raw(Step):
    """Send these bytes past TLS even when it is on."""

    data: bytes


@dataclasses.dataclass(frozen=True)
class Expect(Step):
    """Read one line. When it does not begin with ``prefix`` (in any case), the session's ``failure`` says so and the
    connection is closed."""

    prefix: bytes = b""


@dataclasses.dataclass(frozen=True)
class ReadRecord(Step):
    """Read one TLS record, such as a ClientHello, and keep it in ``Session.records``."""


@dataclasses.dataclass(frozen=True)
class Quiet(Step):
    """Listen for so many seconds; what the client sends meanwhile is kept in ``Session.early``."""

    seconds: float


@dataclasses.dataclass(frozen=True)
class Pause(Step):
    """Do nothing for so many seconds."""

    seconds: float


@dataclasses.dataclass(frozen=True)
class Drip(Step):
    """Send ``data`` one byte at a time, ``every`` so many seconds."""

    data: bytes
    every: float = 1.0


@dataclasses.dataclass(frozen=True)
class Flood(Step):
    """Send ``chunk`` over and over, until the client hangs up or ``at_most`` bytes have gone."""

    chunk: bytes
    at_most: int = 1 << 30


@dataclasses.dataclass(frozen=True)
class Silence(Step):
    """Say nothing and read nothing more, until the client hangs up."""


@dataclasses.dataclass(frozen=True)
class Reset(Step):
    """Close with RST."""


@dataclasses.dataclass(frozen=True)
class HalfClose(Step):
    """Close our side only (FIN, without close_notify); go on with the script."""


@dataclasses.dataclass(frozen=True)
class Close(Step):
    """Close (FIN, without close_notify)."""


@dataclasses.dataclass(frozen=True)
class CloseNotify(Step):
    """Send TLS close_notify; go on with the script."""


@dataclasses.dataclass(frozen=True)
class StartTLS(Step):
    """Do the server's part of a TLS handshake. When it fails, the alert is sent and the connection closed.

    ``name``: of the certificate. ``minimum``, ``maximum``: versions. ``ciphers``: an OpenSSL cipher list for TLS 1.2
    and older. ``alpn``: protocols. ``client_certificate``: demand one. ``tickets``: how many TLS 1.3 tickets are given;
    none at all, not even by TLS 1.2, when it is 0. ``careless``: commands that came in plain text are carried out under
    TLS (CVE-2011-0411) instead of being forgotten."""

    name: str = NAME
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: str = ""
    alpn: tuple[str, ...] = ()
    client_certificate: bool = False
    tickets: int = 2
    careless: bool = False


@dataclasses.dataclass(frozen=True)
class Alert(Step):
    """Read a ClientHello and answer with a fatal TLS alert; 40 is handshake_failure, 70 protocol_version."""

    number: int = 40


@dataclasses.dataclass(frozen=True)
class Answer(Step):
    """Answer commands until a script closes the connection or the client goes.

    ``commands``: upper-case verb → script; ``tls_commands`` take over once TLS is on. A verb that is not there gets
    ``otherwise``. ``tagged``: the verb is the line's second word, the first is the tag (IMAP)."""

    commands: Mapping[bytes, Script]
    tls_commands: Mapping[bytes, Script] | None = None
    otherwise: Script = (Send(b"500 what?\r\n"),)
    tagged: bool = False


# --- whole servers ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Dialogue:
    """A server: its greeting, its answers before and after TLS. ``script`` makes it one that ``serve`` takes."""

    greeting: Script
    commands: Mapping[bytes, Script]
    tls_commands: Mapping[bytes, Script]
    otherwise: Script
    tagged: bool = False
    implicit: StartTLS | None = None

    @property
    def script(self) -> Script:
        """The steps of one connection."""
        commands = self.tls_commands if self.implicit else self.commands
        answer = Answer(commands, self.tls_commands, self.otherwise, self.tagged)
        return ((self.implicit,) if self.implicit else ()) + self.greeting + (answer,)

    def changed(
        self, implicit: bool | StartTLS, tls: Mapping[bytes, Script] | None, changes: Mapping[str, Script]
    ) -> Dialogue:
        """The same server with other scripts for some commands; ``greeting`` names the greeting's."""
        given = {name.upper().encode(): script for name, script in changes.items() if name != "greeting"}
        starts = StartTLS() if implicit is True else implicit or None
        return dataclasses.replace(
            self,
            greeting=changes.get("greeting", self.greeting),
            commands={**self.commands, **given},
            tls_commands={**self.tls_commands, **(given if starts else {}), **(tls or {})},
            implicit=starts,
        )


def smtp(*, implicit: bool | StartTLS = False, tls: Mapping[bytes, Script] | None = None, **commands: Script) -> Script:
    """A submission server: STARTTLS before TLS, AUTH after it, mail refused without TLS."""
    common = {
        b"MAIL": (Send(b"530 5.7.0 Must issue a STARTTLS command first\r\n"),),
        b"NOOP": (Send(b"250 2.0.0 ok\r\n"),),
        b"RSET": (Send(b"250 2.0.0 ok\r\n"),),
        b"QUIT": (Send(b"221 2.0.0 bye\r\n"), Close()),
    }
    server = Dialogue(
        greeting=(Send(b"220 hostile.test ESMTP ready\r\n"),),
        commands={
            **common,
            b"EHLO": (Send(b"250-hostile.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 STARTTLS\r\n"),),
            b"STARTTLS": (Send(b"220 2.0.0 go ahead\r\n"), StartTLS()),
        },
        tls_commands={
            **common,
            b"EHLO": (Send(b"250-hostile.test\r\n250-PIPELINING\r\n250-SIZE 2000000\r\n250 AUTH PLAIN LOGIN\r\n"),),
        },
        otherwise=(Send(b"502 5.5.2 not known\r\n"),),
    )
    return server.changed(implicit, tls, commands).script


def imap(*, implicit: bool | StartTLS = False, tls: Mapping[bytes, Script] | None = None, **commands: Script) -> Script:
    """An IMAP server: STARTTLS and LOGINDISABLED before TLS, AUTH=PLAIN after it."""
    common = {b"LOGOUT": (Send(b"* BYE bye\r\n{tag} OK done\r\n"), Close())}
    server = Dialogue(
        greeting=(Send(b"* OK hostile.test ready\r\n"),),
        commands={
            **common,
            b"CAPABILITY": (Send(b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n{tag} OK done\r\n"),),
            b"STARTTLS": (Send(b"{tag} OK begin\r\n"), StartTLS()),
        },
        tls_commands={
            **common,
            b"CAPABILITY": (Send(b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN\r\n{tag} OK done\r\n"),),
        },
        otherwise=(Send(b"{tag} BAD not known\r\n"),),
        tagged=True,
    )
    return server.changed(implicit, tls, commands).script


def pop3(*, implicit: bool | StartTLS = False, tls: Mapping[bytes, Script] | None = None, **commands: Script) -> Script:
    """A POP3 server: STLS and no login before TLS, USER and SASL PLAIN after it."""
    common = {b"QUIT": (Send(b"+OK bye\r\n"), Close())}
    server = Dialogue(
        greeting=(Send(b"+OK hostile.test ready\r\n"),),
        commands={
            **common,
            b"CAPA": (Send(b"+OK\r\nTOP\r\nSTLS\r\n.\r\n"),),
            b"STLS": (Send(b"+OK begin\r\n"), StartTLS()),
        },
        tls_commands={**common, b"CAPA": (Send(b"+OK\r\nTOP\r\nUSER\r\nSASL PLAIN\r\n.\r\n"),)},
        otherwise=(Send(b"-ERR not known\r\n"),),
    )
    return server.changed(implicit, tls, commands).script


def sieve(
    *, implicit: bool | StartTLS = False, tls: Mapping[bytes, Script] | None = None, **commands: Script
) -> Script:
    """A ManageSieve server: STARTTLS before TLS, SASL PLAIN after it."""
    before = b'"IMPLEMENTATION" "hostile"\r\n"SASL" ""\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\nOK "ready"\r\n'
    after = b'"IMPLEMENTATION" "hostile"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto vacation"\r\nOK "ready"\r\n'
    common = {
        b"NOOP": (Send(b'OK (TAG {argument}) "done"\r\n'),),
        b"LOGOUT": (Send(b'OK "bye"\r\n'), Close()),
    }
    server = Dialogue(
        greeting=(Send(after if implicit else before),),
        commands={**common, b"STARTTLS": (Send(b'OK "begin"\r\n'), StartTLS(), Send(after))},
        tls_commands=common,
        otherwise=(Send(b'NO "not known"\r\n'),),
    )
    return server.changed(implicit, tls, commands).script


FAULTS: dict[str, Script] = {
    "silence": (Silence(),),
    "close": (Close(),),
    "half-close": (HalfClose(), Silence()),
    "reset": (Reset(),),
    "garbage": (Send(b"\x00\xff\x1b[31mgarbage\x07\r\n" * 3), Silence()),
    "drip": (Drip(b"220 2.0.0 one byte at a time\r\n"), Silence()),
    "endless reply": (Flood(b"220-and there is more\r\n"),),
    "endless line": (Flood(b"x" * 1024),),
    "line of 1 MiB": (Send(b"220 " + b"x" * (1 << 20) + b"\r\n"), Silence()),
    "421": (Send(b"421 4.7.0 too many connections\r\n"), Close()),
    "554": (Send(b"554 5.7.1 not you\r\n"), Silence()),
    "binary": (Send(bytes(range(256)) * 8), Silence()),
}
"""Faults that fit in the place of any reply (of the greeting, of the answer to a command, of TLS). The two codes are
SMTP's."""


# --- serving ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Session:
    """What one connection brought. ``lines``: complete lines read as commands, in plain text or under TLS.
    ``early``: what came during ``Quiet``. ``records``: TLS records read raw. ``tls``: the version, once it is on.
    ``failure``: what went otherwise than the script expected; "" when nothing did. ``finished``: the script is done."""

    number: int
    lines: list[bytes] = dataclasses.field(default_factory=list)
    early: bytes = b""
    records: list[bytes] = dataclasses.field(default_factory=list)
    tls: str = ""
    failure: str = ""
    finished: bool = False


@dataclasses.dataclass
class Server:
    """A running server: where it listens and what it has seen."""

    port: int
    sessions: list[Session] = dataclasses.field(default_factory=list)

    @property
    def lines(self) -> list[bytes]:
        """The lines of all sessions, one after the other."""
        return [line for session in self.sessions for line in session.lines]


@contextlib.asynccontextmanager
async def serve(*scripts: Script, host: str = HOST, port: int = 0) -> AsyncIterator[Server]:
    """Listen on ``port`` (0 for a free one) of ``host`` and run the scripts, on the running event loop."""
    if not scripts:
        raise ValueError("a server needs a script")
    state = Server(0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        session = Session(len(state.sessions) + 1)
        state.sessions.append(session)
        try:
            await _Connection(reader, writer, session).run(scripts[min(session.number, len(scripts)) - 1])
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, host, port)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def serve_in_thread(*scripts: Script, host: str = HOST) -> Iterator[Server]:
    """The same in a thread of its own, for clients that block or are another process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="hostile server", daemon=True)
    thread.start()
    manager = serve(*scripts, host=host)
    try:
        yield asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@functools.cache
def authority() -> trustme.CA:
    """The certificate authority of this process's servers."""
    return trustme.CA()


def authority_file(folder: Path) -> Path:
    """Its certificate in PEM, for ``Options.ca_file``."""
    path = folder / "hostile-ca.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


@functools.cache
def _context(step: StartTLS) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(step.name).configure_cert(context)
    context.set_ciphers(step.ciphers or "ALL:@SECLEVEL=0")
    context.minimum_version = step.minimum
    context.maximum_version = step.maximum
    if not step.tickets:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if step.alpn:
        context.set_alpn_protocols(list(step.alpn))
    if step.client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        authority().configure_trust(context)
    return context


class _Gone(Exception):
    """The client has hung up, or the script has ended the connection."""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session) -> None:
        self._reader = reader
        self._writer = writer
        self._session = session
        self._plain = bytearray()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._tag = b""
        self._argument = b""

    async def run(self, script: Script) -> None:
        try:
            await self._run(script)
            self._session.finished = True
        except (_Gone, OSError):
            self._session.finished = True
        except asyncio.CancelledError:
            self._writer.transport.abort()  # the test is over; nobody waits for what is still to be sent

    async def _run(self, script: Script) -> None:
        for step in script:
            await self._step(step)

    async def _step(self, step: Step) -> None:
        match step:
            case Send(data):
                await self._send(data.replace(b"{tag}", self._tag).replace(b"{argument}", self._argument))
            case Raw(data):
                await self._send_raw(data)
            case Expect(prefix):
                line = await self._line()
                if not line.upper().startswith(prefix.upper()):
                    self._session.failure = f"expected {prefix!r}, got {line!r}"
                    raise _Gone
            case ReadRecord():
                await self._read_record()
            case Quiet(seconds):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        while data := await self._reader.read(4096):
                            self._session.early += data
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Drip(data, every):
                for byte in data:
                    await self._send(bytes([byte]))
                    await asyncio.sleep(every)
            case Flood(chunk, at_most):
                block = chunk * max(1, 16384 // len(chunk))  # many small writes cost the test time
                for _ in range(0, at_most, len(block)):
                    await self._send(block)
                    await asyncio.sleep(0)
            case Silence():
                while await self._reader.read(4096):
                    pass
                raise _Gone
            case Reset():
                connected: socket.socket = self._writer.get_extra_info("socket")
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._writer.transport.abort()
                raise _Gone
            case HalfClose():
                self._writer.write_eof()
            case Close():
                raise _Gone
            case CloseNotify():
                assert self._tls is not None
                with contextlib.suppress(ssl.SSLError):  # it wants the client's close_notify as well
                    self._tls.unwrap()
                await self._flush()
            case StartTLS():
                await self._start_tls(step)
            case Alert(number):
                await self._read_record()
                await self._send_raw(bytes([21, 3, 3, 0, 2, 2, number]))
            case Answer():
                await self._answer(step)
            case _:
                raise TypeError(f"{step!r} is no step")

    async def _answer(self, step: Answer) -> None:
        while True:
            words = (await self._line()).split()
            if step.tagged:
                self._tag, words = (words[0] if words else b"*"), words[1:]
            verb = words[0].upper() if words else b""
            self._argument = b" ".join(words[1:])
            commands = step.commands if self._tls is None or step.tls_commands is None else step.tls_commands
            await self._run(commands.get(verb, step.otherwise))

    async def _read_record(self) -> None:
        try:
            head = await self._reader.readexactly(5)
            self._session.records.append(head + await self._reader.readexactly(int.from_bytes(head[3:5], "big")))
        except asyncio.IncompleteReadError:
            raise _Gone from None

    async def _line(self) -> bytes:
        while b"\n" not in self._plain:
            self._plain += await self._receive()
        line, _, rest = bytes(self._plain).partition(b"\n")
        self._plain[:] = rest
        self._session.lines.append(line.rstrip(b"\r"))
        return line.rstrip(b"\r")

    async def _receive(self) -> bytes:
        while True:
            if self._tls is not None:
                try:
                    if data := self._tls.read(16384):
                        return data
                    raise _Gone
                except ssl.SSLWantReadError:
                    await self._flush()
                except ssl.SSLError:
                    raise _Gone from None
            data = await self._reader.read(16384)
            if not data:
                raise _Gone
            if self._tls is None:
                return data
            self._incoming.write(data)

    async def _send(self, data: bytes) -> None:
        if self._tls is None:
            await self._send_raw(data)
        else:
            self._tls.write(data)
            await self._flush()

    async def _send_raw(self, data: bytes) -> None:
        if self._writer.transport.is_closing():
            raise _Gone
        self._writer.write(data)
        await self._writer.drain()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._send_raw(data)

    async def _start_tls(self, step: StartTLS) -> None:
        if not step.careless:
            self._plain.clear()
        tls = _context(step).wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError as error:
                await self._flush()  # the alert
                self._session.failure = f"TLS: {error.reason}"
                raise _Gone from None
            else:
                await self._flush()
                break
            data = await self._reader.read(16384)
            if not data:
                raise _Gone
            self._incoming.write(data)
        self._tls = tls
        self._session.tls = tls.version() or ""
