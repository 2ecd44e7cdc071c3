"""One TCP connection with our own buffer, our own limits and TLS over memory BIOs. Network layer: opens sockets.

Made by ``probes.network.Network.dial`` alone. Why not asyncio's streams: their reader keeps bytes that came before a
TLS upgrade and hands them out as if they had come after it, their TLS close can wait for 30 seconds, and their limits
do not bound a conversation. Here the buffer is ours, so leftovers before an upgrade are seen; reading stops while the
buffer is full; and every wait ends at the step's timeout or at the endpoint's deadline, whichever is first.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from probes.hello import ALERTS
from probes.model import Cause, Unmeasured
from probes.replies import Reply, ReplyCollector, printable, quoted, take_line

if TYPE_CHECKING:
    from OpenSSL import SSL

    from probes.network import Limits, SampledStep

BUFFER_BYTES = 64 * 1024
"""Reading from the socket pauses while this much waits to be consumed."""

_CHUNK_BYTES = 16 * 1024
_RECORD_TYPES = range(0x14, 0x19)
_OUR_LIMITS = (
    "no protocols available",
    "no ciphers available",
    "unsupported protocol",
    "version too low",
    "dh key too small",
    "ee key too small",
    "ca key too small",
    "ca md too weak",
    "unsafe legacy renegotiation disabled",
    "legacy sigalg disallowed",
    "no suitable groups",
    "no suitable key share",
    "no suitable signature algorithm",
    "unknown certificate type",
    "unsupported certificate type",
    "unsupported algorithm",
)
"""Reasons of OpenSSL that speak of what our own TLS library can or may do, not of what the server did wrong."""

_FATAL = 2
_TLS_1_3 = 0x304
_FOR_A_REPLY = "waiting for a reply"


def alert_name(number: int) -> str:
    """The name of a TLS alert (IANA TLS Alerts registry), such as ``handshake_failure``."""
    return ALERTS.get(number, f"alert {number}")


@dataclasses.dataclass(frozen=True, slots=True)
class TLSSession:
    """What one full, non-verifying handshake showed. ``version`` as ``TLSv1.3``; ``cipher`` is the IANA name;
    ``group`` e.g. ``x25519`` or "" when unknown; ``chain``: DER certificates as served, leaf first;
    ``ocsp_staple``: DER or None; ``handshake_ms``: from ClientHello sent to our Finished sent; ``resumed``: whether the
    server took up the session that was offered to it (then it shows no chain)."""

    version: str
    cipher: str
    group: str
    chain: tuple[bytes, ...]
    ocsp_staple: bytes | None
    alpn: str
    handshake_ms: float
    resumed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """What a server had given by some moment to resume a TLS session by. ``resumable``: whether it had given anything,
    be it a session id or a ticket. ``early_data``: how many bytes of early data the TLS 1.3 ticket allows (RFC 8446
    §4.2.10), 0 for none; None without such a ticket. ``session``: OpenSSL's encoding of it, with its secret, to offer
    it again: an object of OpenSSL's would be spoilt by the first handshake that fails."""

    resumable: bool
    early_data: int | None
    session: bytes = dataclasses.field(default=b"", repr=False, compare=False)


Recorder = Callable[[Literal["in", "out", "note"], str, int], None]
"""Writes one step of the transcript: direction, text, number of the connection."""


def now() -> float:
    """The loop's time in whole microseconds, so that differences are the same wherever the clock began."""
    return round(asyncio.get_running_loop().time(), 6)


class Arrivals:
    """When each byte of a buffer came: bytes are counted as they arrive and as they are consumed."""

    def __init__(self) -> None:
        self._arrived = self._consumed = 0
        self._pieces: deque[tuple[int, float]] = deque()
        self.latest = 0.0
        """When the last piece came."""

    def add(self, count: int, at: float) -> None:
        """``count`` bytes have come at the time ``at``."""
        self._arrived += count
        self.latest = at
        self._pieces.append((self._arrived, at))

    def consume(self, count: int) -> float | None:
        """Take ``count`` bytes off; the time at which the last of them came, None for no bytes."""
        self._consumed += count
        at = None
        while count and self._pieces:
            end, at = self._pieces[0]
            if end > self._consumed:
                break
            self._pieces.popleft()
            if end == self._consumed:
                break
        return at


class Wire(asyncio.BufferedProtocol):
    """The socket's side: received bytes, up to ``BUFFER_BYTES``, and how the connection ended."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.arrivals = Arrivals()
        self.ended = False
        self.lost = False
        self.error: Exception | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._chunk = bytearray(_CHUNK_BYTES)
        self._first = True
        self._paused = False
        self._may_write = True
        self._waiter: asyncio.Future[None] | None = None
        self._until = 0.0  # when the wait that is under way ends
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, once connected."""
        if self._transport is None:
            raise RuntimeError("not connected")
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio calls this once."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where the event loop puts what it reads."""
        return self._chunk

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` have arrived."""
        self.received += memoryview(self._chunk)[:nbytes]
        at = now()
        if self._first:  # it may have come long ago: much of what we load is loaded while the first server greets us
            self._first = False
            at = round(at - waited_ms(self) / 1000, 6)
        self.arrivals.add(nbytes, at)
        if len(self.received) >= BUFFER_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The peer will send no more; we may still."""
        self.ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: reset (``exc``) or closed by us."""
        self.ended = True
        self.lost = True
        self.error = exc
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._chunk = bytearray()  # what nobody will fill any more would be most of a run's memory
        if not self.gone.done():
            self.gone.set_result(None)
        self._wake()

    def pause_writing(self) -> None:
        """The peer takes our bytes too slowly."""
        self._may_write = False

    def resume_writing(self) -> None:
        """There is room again."""
        self._may_write = True
        self._wake()

    @property
    def may_write(self) -> bool:
        """Whether the transport takes more bytes now."""
        return self._may_write or self.lost

    def consumed(self) -> None:
        """Tell that ``received`` has shrunk, so that reading goes on."""
        if self._paused and not self.ended and len(self.received) < BUFFER_BYTES:
            self._paused = False
            self.transport.resume_reading()

    def acknowledge_at_once(self) -> None:
        """Have the operating system (Linux) acknowledge what comes next without waiting for something to send along,
        40 ms otherwise. A server that sends two small messages in a row, as TLS 1.3 tickets and the reply to the next
        command are, and has not switched Nagle's algorithm off, keeps the second until the first is acknowledged."""
        plug = self.transport.get_extra_info("socket")
        option = getattr(socket, "TCP_QUICKACK", None)
        if plug is not None and option is not None:
            with contextlib.suppress(OSError):  # no more than a courtesy to ourselves
                plug.setsockopt(socket.IPPROTO_TCP, option, 1)

    async def changed(self, until: float) -> None:
        """Wait until something has happened; ``TimeoutError`` at the loop time ``until``."""
        if self._waiter is not None:
            raise RuntimeError("two tasks wait for one connection")
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        self._until = until
        # One alarm for many waits: each of them mostly ends long before, and the next one a little later.
        if self._alarm is None or self._alarm.when() > until:
            self._set_alarm(loop)
        try:
            await waiter
        finally:
            self._waiter = None

    def _set_alarm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = loop.call_at(self._until, self._ring, loop, self._until)

    def _ring(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """The alarm of the loop time ``at`` goes off."""
        self._alarm = None
        if self._waiter is None or self._waiter.done():
            return
        if self._until <= at:
            self._waiter.set_exception(TimeoutError())
        else:
            self._set_alarm(loop)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection:
    """One TCP connection, plain at first. Made by ``Network.dial`` alone. Every method keeps the deadline and raises
    ``Unmeasured`` with a cause; nothing else escapes (but ``CancelledError``).

    Which cause a wait ends with:

    ======================================================  ==================================================
    the endpoint's deadline, in whatever step               ``deadline_exceeded``
    the step's own timeout: connecting                      ``connection_timeout``
    the step's own timeout: the first line or reply         ``greeting_timeout``
    the step's own timeout: anything later, TLS, HTTP       ``deadline_exceeded`` (the detail names the step)
    the peer resets or closes, in whatever step             ``connection_reset`` (the detail names the step)
    ======================================================  ==================================================
    """

    def __init__(
        self,
        wire: Wire,
        *,
        number: int,
        address: str,
        port: int,
        connect_ms: float,
        deadline: float,
        limits: Limits,
        greeting_timeout: float,
        tls_context: Callable[[], SSL.Context],
        record: Recorder,
        released: Callable[[], None],
        host: str = "",
        opened: float | None = None,
    ) -> None:
        """``opened``: when the TCP handshake was over, by the loop's clock; None for now."""
        self.number = number
        self.host = host
        self.address = address
        self.port = port
        self.connect_ms = connect_ms
        self.tls: TLSSession | None = None
        self.samples: list[tuple[SampledStep, float]] = [("connect", connect_ms)]
        """(step, milliseconds) of what went well on this connection and how long it took; see ``network.Sample``."""
        self.first_reply_ms: float | None = None
        """From the first line that we sent to the next line or reply that was read."""
        self._first_line_sent: float | None = None
        self._wire = wire
        self._at = now() if opened is None else opened
        self._deadline = deadline
        self._limits = limits
        self._greeting_timeout = greeting_timeout
        self._tls_context = tls_context
        self._record = record
        self._released: Callable[[], None] | None = released
        self._greeted = False
        self._step_until: float | None = None
        self._ssl: SSL.Connection | None = None
        self._decrypted = bytearray()
        self._decrypted_at = Arrivals()
        self._tickets_due = False  # whether the server sends something of its own accord, after a TLS 1.3 handshake
        self._fed_at = 0.0  # when the last of what the TLS library has been given came
        self._alert: int | None = None
        self._staple: bytes | None = None

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def local_address(self) -> str:
        """Our own address on this connection; "" when the system does not tell."""
        name = self._wire.transport.get_extra_info("sockname")
        return str(name[0]) if name else ""

    @property
    def buffered(self) -> bytes:
        """Bytes received and not yet consumed."""
        return bytes(self._buffer)

    @property
    def ended(self) -> bool:
        """Whether the peer has closed its side and everything it sent has been consumed."""
        return self._wire.ended and not self._buffer and not self._wire.received

    def clock(self) -> float:
        """The time, in seconds, of the last thing that happened on this connection: it was opened, bytes were sent, TLS
        was agreed, or the last byte that has been consumed arrived. Whoever measures how long the other side takes
        reads this clock before and after: it knows nothing of how busy we are ourselves, and a recording keeps it."""
        return self._at

    def ms_since(self, began: float) -> float:
        """Milliseconds from ``began`` until now by :meth:`clock`, in whole microseconds."""
        return round(1000 * (self._at - began), 3)

    @contextlib.contextmanager
    def step(self, timeout: float | None = None) -> Iterator[None]:
        """Bound everything inside by one timeout together (default: the greeting's before it, else
        ``Limits.read_timeout``), so that a reply of many lines cannot take a timeout for each."""
        self._step_until = self._until(timeout)
        try:
            yield
        finally:
            self._step_until = None

    async def read_line(self, timeout: float | None = None) -> bytes:
        """One line without its CRLF (a bare LF ends a line too). Recorded in the transcript."""
        line = await self._line(self._until(timeout))
        self._heard_from()
        return line

    async def read_reply(self, timeout: float | None = None) -> Reply:
        """One complete SMTP-style reply (RFC 5321 §4.2.1), by ``probes.replies``. ``timeout`` is for all its lines."""
        until = self._until(timeout)
        collector = ReplyCollector(self._limits.reply_lines, self._limits.reply_bytes)
        reply = None
        while reply is None:
            reply = collector.add(await self._line(until))
        self._heard_from()
        return reply

    async def read_exactly(self, count: int, timeout: float | None = None) -> bytes:
        """Exactly ``count`` bytes, for the literals of IMAP and ManageSieve. More than ``Limits.reply_bytes`` raises
        ``reply_too_long``."""
        if count > self._limits.reply_bytes:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"the server announces {count} bytes in one piece")
        until = self._until(timeout)
        while len(self._buffer) < count:
            if not await self._more(until, "reading"):
                raise self._closed("in the middle of a reply")
        data = bytes(self._buffer[:count])
        self._consume(count)
        self._record("in", printable(data), self.number)
        return data

    async def receive(self, at_most: int = 16384, timeout: float | None = None) -> bytes:
        """Raw bytes; b"" at end of stream. For hand-made TLS records and HTTP; not recorded in the transcript."""
        self._greeted = True  # whoever reads raw bytes waits for no greeting
        if not self._buffer and not await self._more(self._until(timeout), "waiting for bytes"):
            if self._wire.error is not None:
                raise self._closed("while waiting for bytes")
            return b""
        data = bytes(self._buffer[:at_most])
        self._consume(len(data))
        return data

    async def send_line(self, line: str, *, shown: str | None = None) -> None:
        """Send ``line`` + CRLF; ``shown`` replaces it in the transcript when it holds a secret.

        ``ValueError`` when ``line`` holds a line end itself: nothing from outside may become a second command.
        """
        if "\r" in line or "\n" in line:
            raise ValueError("a line to send must not hold line ends")
        await self.send(line.encode("utf-8") + b"\r\n", shown=line if shown is None else shown)
        if self._first_line_sent is None:
            self._first_line_sent = self.clock()

    async def send(self, data: bytes, *, shown: str) -> None:
        """Send raw bytes; the transcript gets ``shown``."""
        self._record("out", printable(shown), self.number)
        self._at = now()
        if self._ssl is None:
            self._write(data)
        else:
            from OpenSSL import SSL

            try:
                self._ssl.sendall(data)
            except SSL.Error as error:
                raise self._tls_failure(error, "while sending") from None
            self._flush()
            if self._tickets_due:  # sending has made the system patient again
                self._tickets_due = False
                self._wire.acknowledge_at_once()
        until = self._until(self._limits.read_timeout)
        while not self._wire.may_write:
            await self._wait(until, "sending")

    async def start_tls(
        self, server_name: str, *, alpn: Sequence[str] = (), resume: Ticket | None = None
    ) -> TLSSession:
        """A handshake that does not verify: a full one, or one that offers to ``resume`` a session. The caller must
        have dealt with ``buffered`` (never upgrade over leftovers: ``protocol_error``). ``server_name`` goes into SNI
        unless it is an IP address.

        Causes: ``tls_alert`` (the detail names the alert), ``tls_handshake_error`` (also: the server answered in plain
        text), ``tls_client_unsupported`` (our TLS library cannot do what the server chose), ``connection_reset``,
        ``deadline_exceeded``.
        """
        from OpenSSL import SSL

        from probes.addresses import host_name, literal

        if self._ssl is not None:
            raise RuntimeError("this connection has TLS already")
        if self.buffered:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"bytes before the TLS upgrade: {quoted(self.buffered, 200)}")
        until = self._until(self._limits.read_timeout)
        tls = SSL.Connection(self._tls_context(), None)
        tls.set_app_data(self)
        tls.set_connect_state()
        if server_name and literal(server_name) is None:
            try:
                tls.set_tlsext_host_name(host_name(server_name).encode("ascii"))
            except ValueError as error:
                raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, f"no name to put into SNI: {error}") from None
        if alpn:
            tls.set_alpn_protos([protocol.encode("ascii") for protocol in alpn])
        tls.request_ocsp()
        if resume is not None and resume.session:
            _offer(tls, resume.session)
        self._ssl = tls
        began = time.perf_counter()
        first = b""
        while True:
            try:
                tls.do_handshake()
            except SSL.WantReadError:
                self._flush()
            except SSL.Error as error:
                self._flush()
                raise self._tls_failure(error, "during the TLS handshake") from None
            else:
                self._flush()
                break
            if not self._wire.received:
                if self._wire.ended:
                    raise self._closed("during the TLS handshake")
                await self._wait(until, "the TLS handshake")
                continue
            if len(first) < 5:
                first += bytes(self._wire.received[:200])
                if first[0] not in _RECORD_TYPES:
                    raise self._plain_text(first)
            self._feed()
        self.tls = self._session(tls, 1000 * (time.perf_counter() - began))
        self._at = now()
        self._tickets_due = self.tls.version == "TLSv1.3"
        if self._tickets_due:
            self._wire.acknowledge_at_once()
        if not self.tls.resumed:
            self.samples.append(("handshake", self.tls.handshake_ms))
        self._record("note", f"TLS {self.tls.version} {self.tls.cipher} {self.tls.group}".rstrip(), self.number)
        return self.tls

    def ticket(self) -> Ticket:
        """What the server has given so far to resume this TLS session by. TLS 1.3 gives it after the handshake, so ask
        when something has been received under TLS, and before the connection is closed."""
        session = None if self._ssl is None else self._ssl.get_session()
        if session is None:
            raise RuntimeError("no TLS on this connection")
        return _ticket(session)

    def exported(self, label: bytes, length: int) -> bytes:
        """Keying material of this TLS session that only its two ends know (RFC 5705; RFC 8446 §7.5), such as ties a
        login to the connection (RFC 9266)."""
        if self._ssl is None:
            raise RuntimeError("no TLS on this connection")
        return self._ssl.export_keying_material(label, length)

    async def close(self) -> None:
        """Close at once, without waiting for close_notify. Safe to call twice."""
        self.abort()
        await asyncio.shield(self._wire.gone)  # the loop reports the loss in its next round

    def abort(self) -> None:
        """Close at once, for callers that cannot wait."""
        released, self._released = self._released, None
        if released is not None:
            self._wire.transport.abort()
            if self._ssl is not None:
                self._ssl.set_app_data(None)
            released()

    def _heard_from(self) -> None:
        """A line or reply was read whole."""
        self._greeted = True
        if self._first_line_sent is not None and self.first_reply_ms is None:
            self.first_reply_ms = self.ms_since(self._first_line_sent)

    # -- waiting --------------------------------------------------------------------------------------------------

    def _until(self, timeout: float | None) -> float:
        """Loop time at which the step that begins now must have ended."""
        if timeout is None:
            timeout = self._limits.read_timeout if self._greeted else self._greeting_timeout
        until = min(self._deadline, self._step_begins() + timeout)
        return until if self._step_until is None else min(until, self._step_until)

    def _step_begins(self) -> float:
        """Loop time at which the step begins whose end is asked for."""
        return asyncio.get_running_loop().time()

    async def _wait(self, until: float, doing: str) -> None:
        try:
            await self._wire.changed(until)
        except TimeoutError:
            raise self._late(until, doing) from None

    def _late(self, until: float, doing: str) -> Unmeasured:
        if until >= self._deadline:
            return Unmeasured(Cause.DEADLINE_EXCEEDED, f"the deadline came while {doing}")
        if not self._greeted and doing == _FOR_A_REPLY:
            return Unmeasured(Cause.GREETING_TIMEOUT, "no complete greeting in time")
        return Unmeasured(Cause.DEADLINE_EXCEEDED, f"the step took too long: {doing}")

    async def _line(self, until: float) -> bytes:
        while True:
            size = len(self._buffer)
            line = take_line(self._buffer, self._limits.line_bytes)
            if line is not None:
                self._consumed(size - len(self._buffer))
                self._record("in", printable(line), self.number)
                return line
            if not await self._more(until, _FOR_A_REPLY):
                raise self._closed("in the middle of a line" if self._buffer else "while we waited for a reply")

    async def _more(self, until: float, doing: str) -> bool:
        """Wait for more bytes in the buffer; False at the end of the stream."""
        if self._ssl is None:
            if self._wire.ended:
                return False
            size = len(self._wire.received)
            await self._wait(until, doing)
            return not self._wire.ended or len(self._wire.received) > size
        return await self._more_decrypted(until, doing)

    async def _more_decrypted(self, until: float, doing: str) -> bool:
        from OpenSSL import SSL

        tls = self._ssl
        if tls is None:
            raise RuntimeError("no TLS on this connection")
        while True:
            try:
                data = tls.recv(_CHUNK_BYTES)
                self._decrypted += data
                self._decrypted_at.add(len(data), self._fed_at)
                return True
            except SSL.WantReadError:
                self._flush()
            except (SSL.ZeroReturnError, SSL.SysCallError):
                return False
            except SSL.Error as error:
                raise self._tls_failure(error, f"while {doing}") from None
            if self._wire.received:
                self._feed()
            elif self._wire.ended:
                return False
            else:
                await self._wait(until, doing)

    # -- bytes ----------------------------------------------------------------------------------------------------

    @property
    def _buffer(self) -> bytearray:
        return self._wire.received if self._ssl is None else self._decrypted

    def _consume(self, count: int) -> None:
        del self._buffer[:count]
        self._consumed(count)

    def _consumed(self, count: int) -> None:
        arrivals = self._wire.arrivals if self._ssl is None else self._decrypted_at
        at = arrivals.consume(count)
        if at is not None:
            self._at = max(self._at, at)  # what was there before we spoke has kept nobody waiting
        self._wire.consumed()

    def _feed(self) -> None:
        """Give what has arrived to the TLS library."""
        if self._ssl is not None and self._wire.received:
            self._ssl.bio_write(bytes(self._wire.received))
            self._fed_at = self._wire.arrivals.consume(len(self._wire.received)) or 0.0
            self._wire.received.clear()
            self._wire.consumed()

    def _flush(self) -> None:
        """Send what the TLS library wants sent."""
        from OpenSSL import SSL

        if self._ssl is None:
            return
        while True:
            try:
                data = self._ssl.bio_read(_CHUNK_BYTES)
            except SSL.WantReadError:
                return
            if not self._wire.lost:
                self._wire.transport.write(data)

    def _write(self, data: bytes) -> None:
        if self._wire.lost:
            raise self._closed("before we could send")
        self._wire.transport.write(data)

    # -- what went wrong ------------------------------------------------------------------------------------------

    def _closed(self, when: str) -> Unmeasured:
        error = self._wire.error
        if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
            return Unmeasured(Cause.CONNECTION_TIMEOUT, f"the connection timed out {when}")
        how = "reset" if error is not None else "closed"
        return Unmeasured(Cause.CONNECTION_RESET, f"the server {how} the connection {when}")

    def _plain_text(self, first: bytes) -> Unmeasured:
        return Unmeasured(
            Cause.TLS_HANDSHAKE_ERROR, f"the server answered in plain text where TLS was due: {quoted(first, 100)}"
        )

    def _tls_failure(self, error: SSL.Error, when: str) -> Unmeasured:
        """The cause behind an error of the TLS library: an alert the peer sent, our own limits, or an invalid peer."""
        from OpenSSL import SSL

        if self._alert is not None:
            if self._alert == 0:
                return Unmeasured(Cause.CONNECTION_RESET, f"the server closed TLS {when}")
            return Unmeasured(Cause.TLS_ALERT, f"{alert_name(self._alert)} {when}")
        if isinstance(error, (SSL.ZeroReturnError, SSL.SysCallError)):
            return self._closed(when)
        reason = "; ".join(str(entry[-1]) for entry in error.args[0]) if error.args and error.args[0] else str(error)
        reason = printable(reason, 200)
        if any(limit in reason for limit in _OUR_LIMITS):
            return Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, f"{reason} {when}")
        return Unmeasured(Cause.TLS_HANDSHAKE_ERROR, f"{reason} {when}")

    # -- what the handshake showed --------------------------------------------------------------------------------

    def alert_received(self, level: int, number: int) -> None:
        """The TLS library tells that the peer sent an alert."""
        if level == _FATAL or number == 0:
            self._alert = number
        else:
            self._record("note", f"TLS warning from the server: {alert_name(number)}", self.number)

    def staple_received(self, staple: bytes) -> None:
        """The TLS library tells that the peer stapled an OCSP response (DER)."""
        self._staple = staple or None

    def _session(self, tls: SSL.Connection, handshake_ms: float) -> TLSSession:
        from OpenSSL import crypto

        from probes.suites import iana_name

        chain = tls.get_peer_cert_chain() or []
        return TLSSession(
            version={"TLSv1": "TLSv1.0"}.get(name := tls.get_protocol_version_name(), name),
            cipher=iana_name(tls.get_cipher_name() or ""),
            group=_group(tls),
            chain=tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in chain),
            ocsp_staple=self._staple,
            alpn=tls.get_alpn_proto_negotiated().decode("ascii", "backslashreplace"),
            handshake_ms=handshake_ms,
            resumed=_resumed(tls),
        )


def _group(tls: SSL.Connection) -> str:
    """The key exchange group, "" when there was none (RSA key exchange) or pyOpenSSL cannot tell (before 25.1)."""
    group_name = getattr(tls, "get_group_name", None)
    return (group_name() or "") if group_name is not None else ""


def _resumed(tls: SSL.Connection) -> bool:
    """Whether an offered session was resumed. pyOpenSSL does not tell, so its library is asked."""
    from cryptography.hazmat.bindings.openssl.binding import Binding

    return bool(Binding().lib.SSL_session_reused(tls._ssl))


def _ticket(session: SSL.Session) -> Ticket:
    from cryptography.hazmat.bindings.openssl.binding import Binding

    binding = Binding()
    handle = session._session  # pyOpenSSL shows nothing of a session itself
    size = binding.lib.i2d_SSL_SESSION(handle, binding.ffi.NULL)
    place = binding.ffi.new("unsigned char[]", size)
    binding.lib.i2d_SSL_SESSION(handle, binding.ffi.new("unsigned char **", place))
    der = bytes(binding.ffi.buffer(place, size))
    resumable, early_data = session_facts(der)
    return Ticket(resumable, early_data, der)


def _offer(tls: SSL.Connection, der: bytes) -> None:
    """Let a handshake that has not begun offer to resume a session."""
    from cryptography.hazmat.bindings.openssl.binding import Binding

    binding = Binding()
    place = binding.ffi.new("const unsigned char[]", der)
    session = binding.lib.d2i_SSL_SESSION(binding.ffi.NULL, binding.ffi.new("const unsigned char **", place), len(der))
    if session == binding.ffi.NULL or binding.lib.SSL_set_session(tls._ssl, session) != 1:
        raise RuntimeError("OpenSSL does not take back the session that it gave")
    binding.lib.SSL_SESSION_free(session)  # the connection has a reference of its own


def session_facts(der: bytes) -> tuple[bool, int | None]:
    """Whether a TLS session can be resumed, and how much early data its TLS 1.3 ticket allows, from OpenSSL's encoding
    of it (``i2d_SSL_SESSION``): SEQUENCE { version, TLS version, suite, session id, secret, … [10] ticket …
    [15] early data … }, where no early data at all goes unsaid."""
    fields = list(_elements(next(_elements(der))[1]))
    version, session_id = int.from_bytes(fields[1][1]), fields[3][1]
    tagged = {tag & 0x1F: next(_elements(value))[1] for tag, value in fields[5:] if tag & 0xE0 == 0xA0}
    ticket = tagged.get(10, b"")
    if version < _TLS_1_3:
        return bool(ticket or session_id), None
    return bool(ticket), int.from_bytes(tagged.get(15, b"")) if ticket else None


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element of DER, one after the other."""
    place = 0
    while place < len(der):
        tag, length, start = der[place], der[place + 1], place + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[place + 2 : start])
        place = start + length
        yield tag, der[start:place]


def tls_context() -> SSL.Context:
    """A context that verifies nothing and accepts whatever our TLS library can do, so that it is the server that
    shapes the result: TLS 1.0 and later, security level 0, old servers without secure renegotiation. Suites without
    a certificate are not offered, since mail servers would choose them. Costs about a millisecond: build it once.
    """
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_cipher_list(b"ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0")
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_options(getattr(SSL, "OP_LEGACY_SERVER_CONNECT", 0x4) | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_info_callback(_heard)
    context.set_ocsp_client_callback(_stapled)
    return context


def _heard(tls: SSL.Connection, where: int, value: int) -> None:
    if where & 0x4000 and where & 0x4:  # SSL_CB_ALERT and SSL_CB_READ: an alert from the peer
        connection = tls.get_app_data()
        if isinstance(connection, Connection):
            connection.alert_received(value >> 8, value & 0xFF)


def _stapled(tls: SSL.Connection, staple: bytes, data: object | None) -> bool:
    connection = tls.get_app_data()
    if isinstance(connection, Connection):
        connection.staple_received(staple)
    return True


_TCP_INFO_BYTES = 104
_LAST_RECEIVED, _ROUND_TRIP, _RETRANSMITTED = 52, 68, 100
"""Where ``tcpi_last_data_recv`` (ms), ``tcpi_rtt`` (µs) and ``tcpi_total_retrans`` stand, since Linux 2.6."""
_TICK_MS = 4
"""How far off ``tcpi_last_data_recv`` may be: it counts the kernel's ticks (CONFIG_HZ=250)."""


def _tcp_info(wire: Wire) -> bytes | None:
    """What the system knows of a connection; None where it does not tell."""
    plug = wire.transport.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
    if plug is None or option is None:
        return None
    try:
        told: bytes = plug.getsockopt(socket.IPPROTO_TCP, option, _TCP_INFO_BYTES)
    except OSError:
        return None
    return told if len(told) == _TCP_INFO_BYTES else None


def waited_ms(wire: Wire) -> float:
    """How long what has just been read had been waiting for us at least, in milliseconds."""
    told = _tcp_info(wire)
    return 0.0 if told is None else max(0.0, struct.unpack_from("=I", told, _LAST_RECEIVED)[0] - _TICK_MS)


def handshake_ms(wire: Wire) -> float | None:
    """How long the TCP handshake of a connection that has just been opened took, in milliseconds, by the clock of the
    operating system (Linux, ``TCP_INFO``): our own knows no more than when we came round to look, which may be long
    after when the machine is busy. None where the system does not tell, or when a lost SYN had to be sent again: what
    it tells then is not the time since the first."""
    told = _tcp_info(wire)
    if told is None:
        return None
    (round_trip,), (again,) = (struct.unpack_from("=I", told, place) for place in (_ROUND_TRIP, _RETRANSMITTED))
    return round_trip / 1000 if round_trip and not again else None


async def connect(address: str, port: int, until: float, make: Callable[[], Wire] = Wire) -> Wire:
    """Open a TCP connection to a literal address (names never get here). ``OSError`` or ``TimeoutError`` when not."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(until):
        _, wire = await loop.create_connection(make, address, port)
    return wire
