"""The only module that opens sockets.

Probes never dial: they receive a ``Network`` and ask it to ``dial``, ``resolve`` or fetch over ``http``. It keeps
one absolute deadline per endpoint, caps every reply, counts and spaces connections per address, stops an address
at the first 421, refuses private addresses after resolution (the address is then pinned), and writes the transcript.

One ``Network`` belongs to one endpoint in one run. What is shared between the endpoints of a run (DNS cache,
connection counts per address, addresses that said 421, TLS contexts, trust anchors) lives in a ``Surroundings``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from probes.model import Endpoint, Step

if TYPE_CHECKING:
    import dns.message

    from probes.replies import Reply

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """All caps in one place. Times in seconds, sizes in bytes."""

    deadline: float = 30.0
    connect_timeout: float = 8.0
    greeting_timeout: float = 15.0
    greeting_timeout_mx: float = 25.0
    read_timeout: float = 10.0
    dns_timeout: float = 4.0
    reply_lines: int = 64
    reply_bytes: int = 16 * 1024
    line_bytes: int = 4096
    http_bytes: int = 1024 * 1024
    connections_per_address: int = 8
    concurrent_per_address: int = 4
    concurrent_per_address_mx: int = 1
    spacing_mx: float = 1.0
    transcript_steps: int = 500
    transcript_text: int = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How this run may behave. ``resolver``: (host, port) or None for the system's. ``ca_file``: one more trust
    anchor in PEM. ``vantage``: label of the place we measure from. ``own_server``: opt-in to intrusive steps."""

    limits: Limits = Limits()
    allow_private: bool = False
    resolver: tuple[str, int] | None = None
    ca_file: str | None = None
    ehlo_name: str = ""
    vantage: str = "local"


@dataclasses.dataclass(frozen=True, slots=True)
class TLSSession:
    """What one full, non-verifying handshake showed. ``version`` as ``TLSv1.3``; ``cipher`` is the IANA name;
    ``group`` e.g. ``x25519`` or "" when unknown; ``chain``: DER certificates as served, leaf first;
    ``ocsp_staple``: DER or None; ``handshake_ms``: from ClientHello sent to our Finished sent."""

    version: str
    cipher: str
    group: str
    chain: tuple[bytes, ...]
    ocsp_staple: bytes | None
    alpn: str
    handshake_ms: float


class Connection:
    """One TCP connection, plain at first. Made by ``Network.dial`` alone. Every method keeps the deadline and raises
    ``Unmeasured`` with a cause; nothing else escapes."""

    number: int
    address: str
    port: int
    connect_ms: float
    tls: TLSSession | None

    @property
    def buffered(self) -> bytes:
        """Bytes received and not yet consumed."""
        raise NotImplementedError

    async def read_line(self, timeout: float | None = None) -> bytes:
        """One line without its CRLF (a bare LF ends a line too)."""
        raise NotImplementedError

    async def read_reply(self, timeout: float | None = None) -> Reply:
        """One complete SMTP-style reply (RFC 5321 §4.2.1), by ``probes.replies``."""
        raise NotImplementedError

    async def receive(self, at_most: int = 16384, timeout: float | None = None) -> bytes:
        """Raw bytes; b"" at end of stream. For hand-made TLS records."""
        raise NotImplementedError

    async def send_line(self, line: str, *, shown: str | None = None) -> None:
        """Send ``line`` + CRLF; ``shown`` replaces it in the transcript when it holds a secret."""
        raise NotImplementedError

    async def send(self, data: bytes, *, shown: str) -> None:
        """Send raw bytes; the transcript gets ``shown``."""
        raise NotImplementedError

    async def start_tls(self, server_name: str, *, alpn: Sequence[str] = ()) -> TLSSession:
        """A full handshake that does not verify. The caller must have dealt with ``buffered`` (never upgrade over
        leftovers). Causes: ``tls_alert``, ``tls_handshake_error``, ``connection_reset``, ``deadline_exceeded``."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close at once, without waiting for close_notify. Safe to call twice."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, slots=True)
class HTTPResponse:
    """``headers``: lower-case name → value (several joined by ", "). ``elapsed_ms``: request sent to headers read,
    on an open connection. ``body`` is cut at ``Limits.http_bytes`` (``truncated`` says so)."""

    url: str
    status: int
    http_version: str
    headers: dict[str, str]
    body: bytes
    truncated: bool
    elapsed_ms: float
    connect_ms: float


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A DNS answer that arrived. ``exists`` is False for NXDOMAIN; ``records`` is empty for NXDOMAIN and NODATA.
    ``authenticated``: the AD bit, meaningful only from a validating resolver. ``message``: for what else is needed."""

    name: str
    kind: str
    exists: bool
    records: tuple[str, ...]
    authenticated: bool
    message: dns.message.Message


class Network:
    """One endpoint's way to the outside."""

    endpoint: Endpoint
    options: Options
    transcript: list[Step]

    def note(self, text: str, connection: int = 0) -> None:
        """Add a remark to the transcript."""
        raise NotImplementedError

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; never negative."""
        raise NotImplementedError

    async def dial(self, host: str, port: int) -> Connection:
        """Connect to the pinned address of ``host``, or resolve and try its addresses in turn, then pin the first that
        answers. Waits for its turn (concurrency, spacing)."""
        raise NotImplementedError

    async def resolve(self, name: str, kind: str) -> Answer:
        """One DNS question. NXDOMAIN and NODATA are answers; SERVFAIL, REFUSED and silence raise ``Unmeasured``."""
        raise NotImplementedError

    async def addresses(self, host: str) -> tuple[str, ...]:
        """IPv4 then IPv6 addresses of a host name or literal, after the private-address guard."""
        raise NotImplementedError

    async def http(self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> HTTPResponse:
        """One request without following redirects, certificate not verified here (trust is a metric of its own)."""
        raise NotImplementedError

    async def once(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """Run ``make`` once for this endpoint and give every caller the same result or the same exception, so that
        several probes share one conversation."""
        raise NotImplementedError

    def throttled(self, address: str) -> None:
        """Remember that this address asked us to stop (421): every later dial to it in this run raises ``throttled``."""
        raise NotImplementedError
