"""A probe's only way to the outside: ``dial``, ``resolve``, ``http``.

Probes never dial: they receive a ``Network`` and ask it. It keeps one absolute deadline per endpoint, caps every
reply, counts and spaces connections, stops an address at the first 421, refuses private addresses after resolution (the
address is then pinned), and writes the transcript.

One ``Network`` belongs to one endpoint in one run. What is shared between the endpoints of a run (DNS cache, connection
counts, addresses that said 421, TLS contexts) lives in a ``Surroundings``, which belongs to one event loop.

The network layer is this module with ``probes.connection`` (TCP, TLS), ``probes.resolver`` (DNS) and
``probes.fetch`` (HTTP over a ``Connection``); only ``connection`` and ``resolver`` open sockets, and nothing else does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import errno
import functools
import ipaddress
import os
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from probes.addresses import IPAddress, blocked_reason, host_name, literal
from probes.connection import Connection, TLSSession, Wire, connect, handshake_ms, now, tls_context
from probes.model import WEB_ROLES, Cause, Endpoint, Step, Unmeasured
from probes.replies import printable
from probes.resolver import Answer, Resolver, ServerAnswer, ServerFailure

if TYPE_CHECKING:
    from OpenSSL import SSL

    from probes.fetch import Visit
    from probes.recording import Tape

__all__ = [
    "BLOCKLISTS",
    "IPV6_REFERENCES",
    "PORT_25_REFERENCES",
    "VALIDATION_REFERENCES",
    "Answer",
    "Connection",
    "HTTPResponse",
    "Limits",
    "Network",
    "Options",
    "Sample",
    "ServerAnswer",
    "Surroundings",
    "TLSSession",
]

T = TypeVar("T")

purpose: ContextVar[str] = ContextVar("purpose", default="")
"""For which probe or which shared work something is done: so a recording tells apart connections to one server."""

Depth = Literal["standard", "full"]

DEADLINES: dict[Depth, float] = {"standard": 30.0, "full": 120.0}
"""Seconds for one endpoint, where nobody says otherwise. ``Limits`` has the first one."""

PORT_25_REFERENCES: tuple[tuple[str, int], ...] = (
    ("gmail-smtp-in.l.google.com", 25),
    ("outlook-com.olc.protection.outlook.com", 25),
)
"""Two hosts that everybody on the internet can connect to on port 25, unless his own network keeps him from it."""

IPV6_REFERENCES: tuple[tuple[str, int], ...] = (("2620:fe::fe", 53), ("2001:4860:4860::8888", 443))
"""Two public services, by address, to which a TCP connection works from wherever there is IPv6."""

BLOCKLISTS: tuple[str, ...] = (
    "zen.spamhaus.org",
    "bl.spamcop.net",
    "psbl.surriel.com",
    "dnsbl.dronebl.org",
    "bl.mailspike.net",
    "bl.blocklist.de",
)
"""Lists of mail servers' addresses that may be queried without an account, in small numbers. Each has to prove in every
run that it answers (``probes.blocklists``): several refuse public resolvers."""

NOT_OWN_SERVER = "intrusive: only on a server that is declared to be one's own"
FULL_DEPTH_ONLY = "measured at full depth only"
"""What the details of ``not_permitted`` say where the user need only ask for more."""
"""The detail of what was not asked of a server because it is not declared to be the user's own."""

VALIDATION_REFERENCES: tuple[str, str] = ("iana.org", "dnssec-failed.org")
"""A name whose zone is signed, and one whose zone is signed wrongly on purpose: a resolver that authenticates the one
and refuses the other validates DNSSEC."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """All caps in one place. Times in seconds, sizes in bytes.

    ``connections_per_address``, ``concurrent_per_address`` and ``spacing_mx`` count per address **and port**: a port is
    a service of its own, and a provider's 587, 465 and 25 often share one address. For HTTP they count per host name
    besides: thousands of status pages and APIs stand behind one address of a content delivery network.
    ``connections_for_requests``: so many further ones may be made for HTTP requests, so that what is asked of a web
    server by hand-made hellos costs nobody its pages. ``connections_per_address_full`` takes the place of
    ``connections_per_address`` at full depth. At one's own server ``deadline_own_server``,
    ``connections_per_address_own_server`` and ``transcript_steps_deep`` take the places of theirs.
    """

    deadline: float = 30.0
    deadline_own_server: float = 120.0
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
    connections_for_requests: int = 4
    connections_per_address_full: int = 128
    connections_per_address_own_server: int = 200
    concurrent_per_address: int = 4
    concurrent_per_address_mx: int = 1
    spacing_mx: float = 1.0
    transcript_steps: int = 500
    transcript_steps_deep: int = 4000
    transcript_text: int = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How this run may behave. ``resolver``: (address, port) or None for the system's. ``ca_file``: one more trust
    anchor in PEM. ``ehlo_name``: how we introduce ourselves; "" for this machine's own name. ``vantage``: label of the
    place we measure from. ``depth``: ``standard`` keeps to few connections; ``full`` asks also what takes one
    connection for each answer, such as the list of cipher suites. ``own_servers``: host names, addresses and domains
    that the user has declared to be his own and wants probed intrusively (lower case, no trailing dot); empty for
    nobody's. ``own_server_recipient``: his mailbox that test messages go to; "" for none, and no message is sent.
    ``validation_references``: a signed and a wrongly signed name, by which the resolver has to prove that it validates
    DNSSEC. ``port_25_references``, ``ipv6_references``: hosts that show whether outbound port 25 and IPv6 work from
    here. ``blocklists``: DNS zones of the lists (RFC 5782) that addresses are looked up in."""

    limits: Limits = Limits()
    allow_private: bool = False
    resolver: tuple[str, int] | None = None
    ca_file: str | None = None
    ehlo_name: str = ""
    vantage: str = "local"
    depth: Depth = "standard"
    own_servers: frozenset[str] = frozenset()
    own_server_recipient: str = ""
    validation_references: tuple[str, str] = VALIDATION_REFERENCES
    port_25_references: tuple[tuple[str, int], ...] = PORT_25_REFERENCES
    ipv6_references: tuple[tuple[str, int], ...] = IPV6_REFERENCES
    blocklists: tuple[str, ...] = BLOCKLISTS
    record_to: str | None = None
    """Folder that a recording of each endpoint goes to (``probes.recording``); None for no recording."""


@dataclasses.dataclass(frozen=True, slots=True)
class HTTPResponse:
    """``headers``: lower-case name → value (several joined by ", "). ``elapsed_ms``: request sent to headers read,
    on an open connection. ``body`` is cut at ``Limits.http_bytes`` (``truncated`` says so). ``tls``: the session, for
    https."""

    url: str
    status: int
    http_version: str
    headers: dict[str, str]
    body: bytes
    truncated: bool
    elapsed_ms: float
    connect_ms: float
    tls: TLSSession | None = None


SampledStep = Literal["connect", "greeting", "reply", "handshake", "response"]


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """How long one step took that went well, on a connection that was made anyway. ``step``: ``connect``; ``greeting``
    that welcomes us, from the open connection or the finished handshake; ``reply`` to the first command; full TLS
    ``handshake``; HTTP ``response``, from request sent to headers read."""

    step: SampledStep
    ms: float
    host: str
    address: str
    port: int


@dataclasses.dataclass(slots=True)
class _Place:
    """Our manners at one address and port: how often we have connected, and whose turn it is. ``accepted``: whether it
    has taken a connection in this run; ``requests``: connections for HTTP requests, which are counted apart."""

    turns: asyncio.Semaphore
    dials: int = 0
    requests: int = 0
    accepted: bool = False
    next_dial: float = 0.0


class Surroundings:
    """What the endpoints of one run share. Belongs to one event loop; ``close`` it at the end of the run.

    ``port_25_references``: instead of those of the options.
    """

    def __init__(self, options: Options, *, port_25_references: tuple[tuple[str, int], ...] | None = None) -> None:
        self.options = options
        self.resolver = Resolver(options.resolver, options.limits.dns_timeout)
        self._port_25_references = options.port_25_references if port_25_references is None else port_25_references
        self._places: dict[tuple[str, int, str], _Place] = {}
        self._stopped: set[tuple[str, int]] = set()
        self._contexts: dict[str, Any] = {}
        self._once: dict[str, asyncio.Task[Any]] = {}

    def cached(self, key: str, make: Callable[[], T]) -> T:
        """``make()``, made once in this run: for what is dear to build (trust anchors, TLS contexts)."""
        if key not in self._contexts:
            self._contexts[key] = make()
        made: T = self._contexts[key]
        return made

    def tls_context(self) -> SSL.Context:
        """The client context of all handshakes of this run."""
        return self.cached("tls_context", tls_context)

    def place(self, address: str, port: int, concurrent: int, site: str = "") -> _Place:
        """The record of our manners at this address and port; ``site``: the host name, where an address houses many."""
        if (address, port, site) not in self._places:
            self._places[address, port, site] = _Place(asyncio.Semaphore(concurrent))
        return self._places[address, port, site]

    def stop(self, address: str, port: int) -> None:
        """This address said 421: no more connections to it in this run. A private address (a lab) may house several
        servers that know nothing of each other; there, only the port is left alone."""
        self._stopped.add((address, port if _is_private(address) else 0))

    def stopped(self, address: str, port: int) -> bool:
        """Whether this address asked us to stop."""
        return (address, 0) in self._stopped or (address, port) in self._stopped

    async def once(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """Run ``make`` once in this run, and give its result or exception to everybody who asks. It must keep to its
        own time limits: no endpoint's deadline ends it."""
        task = self._once.get(key)
        if task is None:
            task = self._once[key] = asyncio.create_task(_run(make, key), name=key)
            task.add_done_callback(_retrieve)
        result: T = await asyncio.shield(task)
        return result

    async def port_25_works(self) -> bool | None:
        """Whether outbound port 25 works from here: True when a reference host takes a connection, False when every one
        times out, None when neither can be said. Found out once per run."""
        return await self.once("is port 25 blocked?", self._try_port_25)

    async def port_25_blocked(self) -> bool:
        """Whether outbound port 25 is closed from here: every reference host times out."""
        return await self.port_25_works() is False

    async def ipv6_works(self) -> bool | None:
        """Whether the IPv6 internet can be reached from here; as ``port_25_works``, but that the lack of a route is an
        answer too. Found out once per run."""
        return await self.once("is there IPv6?", self._try_ipv6)

    def known_obstacle(self, address: IPAddress, port: int) -> Unmeasured | None:
        """Why this address and port need not be tried: what has been found out in this run (``port_25_works``,
        ``ipv6_works``) about this machine. None when nothing has, and for private addresses, of which that says
        nothing."""
        if self.options.allow_private or blocked_reason(address) is not None:
            return None
        if isinstance(address, ipaddress.IPv6Address) and self._found("is there IPv6?") is False:
            return Unmeasured(Cause.NO_IPV6_LOCALLY, "this machine has no way to the IPv6 internet")
        if port == 25 and self._found("is port 25 blocked?") is False:
            return Unmeasured(Cause.PORT_BLOCKED_LOCALLY, "no connection to port 25 of any host works from here")
        return None

    def _found(self, key: str) -> object:
        task = self._once.get(key)
        return task.result() if task and task.done() and not task.cancelled() and not task.exception() else None

    async def resolver_mistrust(self) -> str:
        """Why the resolver's word on DNSSEC counts for nothing; "" when it has proved that it validates, by answering
        for a signed name with the AD bit (RFC 4035 §3.2.3) and with SERVFAIL for a wrongly signed one. Found out once
        per run."""
        return await self.once("does the resolver validate?", self._try_validation)

    async def close(self) -> None:
        """Give up what still runs in the background."""
        running = [task for task in self._once.values() if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.resolver.close()

    async def _try_validation(self) -> str:
        signed, bogus = self.options.validation_references
        proof, refusal = await asyncio.gather(
            self.resolver.ask(signed, "SOA"), self.resolver.ask(bogus, "A"), return_exceptions=True
        )
        for result in (proof, refusal):
            if isinstance(result, BaseException) and not isinstance(result, Unmeasured):
                raise result
        if isinstance(proof, Unmeasured):
            return f"it could not prove that it validates: {proof.detail}"
        if isinstance(proof, Answer) and not proof.exists:
            return f"it says that there is no {signed}, which is signed: it does not know the internet's names"
        if isinstance(proof, Answer) and not proof.authenticated:
            return f"its answer for {signed}, which is signed, has no AD bit"
        if isinstance(refusal, ServerFailure) and refusal.codes == {"SERVFAIL"}:
            return ""
        if isinstance(refusal, Unmeasured):
            return f"it could not prove that it validates: {refusal.detail}"
        return f"it answers for {bogus}, which is signed wrongly on purpose"

    async def _try_port_25(self) -> bool | None:
        found = await asyncio.gather(*(self._reaches(host, port) for host, port in self._port_25_references))
        return _verdict(found)

    async def _try_ipv6(self) -> bool | None:
        references = self.options.ipv6_references
        found = await asyncio.gather(*(self._reaches(address, port, no_route=True) for address, port in references))
        return _verdict(found)

    async def _reaches(self, host: str, port: int, no_route: bool = False) -> bool | None:
        """Whether a host that everybody can reach takes our connection; False when that times out (``no_route``: or
        there is no way to it), None when the name or the host may be the trouble."""
        until = asyncio.get_running_loop().time() + self.options.limits.connect_timeout
        try:
            addresses, _ = await self.resolver.addresses(host)
            wire = await connect(str(addresses[0]), port, until)
        except TimeoutError:
            return False
        except OSError as error:
            return False if no_route and error.errno in _NO_ROUTE else None
        except Unmeasured:
            return None
        wire.transport.abort()
        return True


_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTUNREACH})


def _verdict(found: Iterable[bool | None]) -> bool | None:
    """One success proves that it works; only failures of the telling kind, and at least one, that it doesn't."""
    seen = set(found)
    return True if True in seen else False if seen == {False} else None


def _is_private(address: str) -> bool:
    found = literal(address)
    return found is not None and blocked_reason(found) is not None


class Network:
    """One endpoint's way to the outside. Use as ``async with``, or ``close`` it: that closes its connections.

    ``started``: loop time at which the deadline and the transcript begin; None for now. ``tape``: what everything goes
    through where it is recorded or comes from a recording (``probes.recording``).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: Options,
        surroundings: Surroundings | None = None,
        *,
        started: float | None = None,
        tape: Tape | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.options = options
        self.surroundings = surroundings or Surroundings(options)
        self.transcript: list[Step] = []
        self.address = ""
        """The address that was dialled last for this endpoint; "" before."""
        self._loop = asyncio.get_running_loop()
        self._started = now() if started is None else started
        self._tape = tape
        self.now = datetime.datetime.now(datetime.UTC) if tape is None else tape.now
        """The date and time of this measurement, in UTC: when it began. In a recording, the recording's."""
        self.is_own_server = is_own_server(endpoint, options.own_servers)
        """Whether the user has declared this endpoint to be his own and asked for intrusive probes."""
        deep = self.is_own_server or options.depth == "full"
        self._most_steps = options.limits.transcript_steps_deep if deep else options.limits.transcript_steps
        self._deadline = self._started + (
            options.limits.deadline_own_server if self.is_own_server else options.limits.deadline
        )
        self._owns_surroundings = surroundings is None
        self._connections: list[Connection] = []
        self._dialled = 0
        self._pinned: dict[str, IPAddress] = {}
        self._unreachable: dict[tuple[str, int], Unmeasured] = {}
        self._attempts: dict[tuple[str, int], dict[str, Unmeasured | None]] = {}
        self._choosing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._shared: dict[str, asyncio.Task[Any]] = {}
        self._random: dict[tuple[str, int], bytes] = {}
        if tape is not None:
            tape.attach(self, self._started)

    async def __aenter__(self) -> Network:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection and end every shared conversation. Safe to call twice."""
        tasks = [task for task in self._shared.values() if not task.done()]
        for task in tasks:
            task.cancel()
        for connection in self._connections:
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connections:
            await asyncio.sleep(0)  # lets the loop close the sockets
        if self._owns_surroundings:
            await self.surroundings.close()

    # -- time and transcript --------------------------------------------------------------------------------------

    def note(self, text: str, connection: int = 0) -> None:
        """Add a remark to the transcript."""
        self._record("note", printable(text, self.options.limits.transcript_text), connection)

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the probe of this endpoint began."""
        return 1000 * (self._loop.time() - self._started)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._deadline - self._loop.time())

    def _record(self, direction: Literal["in", "out", "note"], text: str, connection: int) -> None:
        """Add a step. ``text`` is printable already."""
        count = len(self.transcript)
        if count > self._most_steps:
            return
        at_most = self.options.limits.transcript_text
        if len(text) > at_most:
            text = text[:at_most] + "…"
        if count == self._most_steps:
            direction, text, connection = "note", "the transcript is full; what follows is left out", 0
        self.transcript.append(Step(round(self.elapsed_ms, 3), direction, text, connection))

    # -- names ----------------------------------------------------------------------------------------------------

    async def resolve(self, name: str, kind: str) -> Answer:
        """One DNS question. NXDOMAIN and NODATA are answers; SERVFAIL, REFUSED and silence raise ``Unmeasured``."""
        return await self._learn(self.surroundings.resolver.ask(name, kind), f"asking DNS for {kind} {name}")

    async def ask_server(self, address: str, name: str, kind: str) -> ServerAnswer:
        """Ask one name server itself, by its address, without recursion; see ``Resolver.ask_server``.

        The address guard holds: a private address is ``blocked_address`` unless they are allowed; then it is asked at
        the port of the run's own resolver, since a lab's name servers cannot always have port 53.
        """
        found = literal(address)
        if found is None:
            raise ValueError(f"{printable(address, 80)} is no IP address")
        reason = blocked_reason(found)
        port = 53
        if reason is not None:
            if not self.options.allow_private:
                raise Unmeasured(Cause.BLOCKED_ADDRESS, f"{found} is {reason}")
            port = self.options.resolver[1] if self.options.resolver is not None else port
        asking = self._ask_server(found, port, name, kind)
        return await self._learn(asking, f"asking {found} for {kind} {printable(name, 255)}")

    async def _ask_server(self, address: IPAddress, port: int, name: str, kind: str) -> ServerAnswer:
        obstacle = self.surroundings.known_obstacle(address, port)
        if obstacle is not None:
            raise obstacle
        return await self.surroundings.resolver.ask_server(str(address), port, name, kind)

    async def require_validation(self) -> None:
        """Raise ``Unmeasured(resolver_not_validating)`` unless the resolver has proved in this run that it validates
        DNSSEC: only then does ``Answer.authenticated`` mean anything."""
        mistrust = await self._learn(
            self.surroundings.resolver_mistrust(), "finding out whether the resolver validates DNSSEC"
        )
        if mistrust:
            raise Unmeasured(Cause.RESOLVER_NOT_VALIDATING, mistrust)

    async def addresses(self, host: str) -> tuple[str, ...]:
        """IPv4 then IPv6 addresses of a host name or literal, after the private-address guard."""
        return tuple(str(address) for address in await self._addresses(host))

    async def _addresses(self, host: str) -> tuple[IPAddress, ...]:
        found, remark = await self._learn(
            self.surroundings.resolver.addresses(host), f"looking up {printable(host, 255)}"
        )
        if remark:
            self.note(f"{host}: {remark}")
        if self.options.allow_private:
            return found
        allowed = []
        reasons = []
        for address in found:
            reason = blocked_reason(address)
            if reason is None:
                allowed.append(address)
            else:
                reasons.append(f"{address} is {reason}")
        for refusal in reasons:
            self.note(f"{host}: {refusal}, not dialled")
        if not allowed:
            raise Unmeasured(Cause.BLOCKED_ADDRESS, "; ".join(reasons[:3]))
        return tuple(allowed)

    async def within_deadline(self, work: Awaitable[T], doing: str) -> T:
        """What ``work`` gives, such as something that the whole run shares (``Surroundings.once``); raises
        ``Unmeasured(deadline_exceeded)`` when this endpoint's deadline comes first. ``doing``: for people."""
        return await self._learn(work, doing)

    async def _learn(self, work: Awaitable[T], doing: str) -> T:
        """The same for what is found out from outside: a recording keeps it, under the name ``doing``."""
        if self._tape is None:
            return await self._before_deadline(work, doing)
        return await self._tape.learn(doing, work, functools.partial(self._before_deadline, doing=doing))

    async def _before_deadline(self, work: Awaitable[T], doing: str) -> T:
        limit = asyncio.timeout_at(self._deadline)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unmeasured(Cause.DEADLINE_EXCEEDED, f"the deadline came while {doing}") from None

    @property
    def ehlo_name(self) -> str:
        """How to introduce ourselves in EHLO: the configured name, else this machine's own when it is a full one, else
        "" (then an address literal of ``Connection.local_address`` is due, RFC 5321 §4.1.4)."""
        if self.options.ehlo_name or (self._tape is not None and self._tape.replays):
            return self.options.ehlo_name
        name = socket.gethostname()
        try:
            return host_name(name) if "." in name and not name.endswith((".localdomain", ".local")) else ""
        except ValueError:
            return ""

    # -- connections ----------------------------------------------------------------------------------------------

    async def dial(self, host: str, port: int, *, for_request: bool = False) -> Connection:
        """Connect to the pinned address of ``host``, or resolve and try its addresses in turn, then pin the first that
        answers. Waits for its turn (concurrency, spacing).

        When every address fails, the cause is the first address's; the transcript holds a note on each. A host and port
        that could not be reached are not tried again for this endpoint: the same cause is raised at once.
        ``for_request``: for an HTTP request, see ``Limits.connections_for_requests``.
        """
        async with self._choosing[host] if host not in self._pinned else _no_lock:
            if (host, port) in self._unreachable:
                known = self._unreachable[host, port]
                raise Unmeasured(known.cause, known.detail)
            if host in self._pinned:
                return await self._dial(host, self._pinned[host], port, for_request)
            try:
                return await self._dial_first(host, port, for_request)
            except Unmeasured as problem:
                if problem.cause is not Cause.DEADLINE_EXCEEDED:
                    self._unreachable[host, port] = problem
                raise

    async def dial_address(self, host: str, address: str, port: int) -> Connection:
        """Connect to this one of the host's addresses, whether it is the pinned one or not; the pin stays as it is.

        ``ValueError`` when it is none of ``addresses(host)``, so that the address guard holds here as well.
        """
        shown = self.address
        for known in await self._addresses(host):
            if str(known) == address:
                try:
                    return await self._dial(host, known, port)
                finally:
                    self.address = shown or self.address  # the report is on the pinned one
        raise ValueError(f"{address} is no address of {printable(host, 255)} that may be dialled")

    def attempts(self, host: str, port: int) -> dict[str, Unmeasured | None]:
        """The addresses of ``host`` that were dialled for this endpoint so far, in order: None for one that took a
        connection at least once, else why the last attempt failed."""
        return dict(self._attempts.get((host, port), {}))

    async def accepted_before(self, host: str, port: int) -> str:
        """An address of ``host`` that has taken a connection to ``port`` in this run, for whichever endpoint; "" when
        none has. Whoever asks no more than that can spare the server a connection."""
        addresses = await self._addresses(host)

        async def accepted() -> str:
            places = ((str(each), self._place(host, str(each), port)) for each in addresses)
            return next((address for address, place in places if place.accepted), "")

        return await self._learn(
            accepted(), f"remembering what has taken a connection of {printable(host, 255)} {port}"
        )

    @property
    def samples(self) -> tuple[Sample, ...]:
        """How long each step took on each connection of this endpoint, in the order of the connections."""
        return tuple(
            Sample(step, ms, connection.host, connection.address, connection.port)
            for connection in self._connections
            for step, ms in connection.samples
        )

    async def _dial_first(self, host: str, port: int, for_request: bool) -> Connection:
        problems: list[Unmeasured] = []
        addresses = await self._addresses(host)
        for address in addresses:
            try:
                connection = await self._dial(host, address, port, for_request)
            except Unmeasured as problem:
                if problem.cause is Cause.DEADLINE_EXCEEDED and not problems:
                    raise
                self.note(str(problem))
                problems.append(problem)
                if self.remaining == 0:
                    break
            else:
                self._pinned[host] = address
                return connection
        self.address = str(addresses[0])
        first = problems[0]
        if first.cause is Cause.CONNECTION_TIMEOUT and port == 25 and not self.options.allow_private:
            blocked = await self._learn(
                self.surroundings.port_25_blocked(), "finding out whether port 25 is blocked from here"
            )
            if blocked:
                raise Unmeasured(Cause.PORT_BLOCKED_LOCALLY, "no connection to port 25 of any host works from here")
        raise Unmeasured(first.cause, first.detail)

    def random(self, purpose: str, size: int) -> bytes:
        """So many random bytes, the same for the same ``purpose`` at this endpoint in this run; a recording keeps them.
        Not for secrets."""
        if self._tape is not None:
            return self._tape.random(purpose, size)
        return self._random.setdefault((purpose, size), os.urandom(size))

    async def _dial(self, host: str, address: IPAddress, port: int, for_request: bool = False) -> Connection:
        text = str(address)
        attempts = self._attempts.setdefault((host, port), {})
        dial = functools.partial(self._dial_now, host, address, port, for_request)
        try:
            connection = await (dial() if self._tape is None else self._tape.dial(text, port, dial))
        except Unmeasured as problem:
            if attempts.get(text, problem) is not None:
                attempts[text] = problem
            raise
        attempts[text] = None
        return connection

    async def _dial_now(
        self,
        host: str,
        address: IPAddress,
        port: int,
        for_request: bool,
        open_wire: Callable[[str, int, float], Awaitable[Wire]] | None = None,
        make: Callable[..., Connection] = Connection,
    ) -> Connection:
        text = str(address)
        limits = self.options.limits
        mx = self.endpoint.role == "mx"
        obstacle = self.surroundings.known_obstacle(address, port)
        if obstacle is not None:
            raise obstacle
        place = self._place(host, text, port)
        self.address = text
        await self._before_deadline(place.turns.acquire(), f"waiting for our turn at {text} port {port}")
        try:
            if self.surroundings.stopped(text, port):
                raise Unmeasured(Cause.THROTTLED, f"{text} asked us to stop (421) earlier in this run")
            apart = for_request and place.requests < limits.connections_for_requests
            if place.dials >= self._connections_allowed and not apart:
                raise Unmeasured(
                    Cause.NOT_PERMITTED, f"our own limit of {self._connections_allowed} connections per address"
                )
            if mx and not self.is_own_server:  # his own may be asked as fast as it answers
                await self._before_deadline(
                    asyncio.sleep(place.next_dial - self._loop.time()), f"keeping our distance from {text}"
                )
                place.next_dial = self._loop.time() + limits.spacing_mx
            if apart:
                place.requests += 1
            else:
                place.dials += 1
            self._dialled += 1
            number = self._dialled
            until = min(self._deadline, self._loop.time() + limits.connect_timeout)
            began, began_at = time.perf_counter(), now()
            try:
                wire = await (open_wire or connect)(text, port, until)
            except OSError as error:
                raise self._connect_failure(address, port, error) from None
            connect_ms = 1000 * (time.perf_counter() - began)
            told = handshake_ms(wire)
            opened = None
            if told is not None:
                connect_ms = min(connect_ms, told)
                opened = round(began_at + connect_ms / 1000, 6)
            place.accepted = True
        except BaseException:
            place.turns.release()
            raise
        connection = make(
            wire,
            number=number,
            address=text,
            port=port,
            connect_ms=connect_ms,
            deadline=self._deadline,
            limits=limits,
            greeting_timeout=limits.greeting_timeout_mx if mx else limits.greeting_timeout,
            tls_context=self.surroundings.tls_context,
            record=self._record,
            released=place.turns.release,
            host=host,
            opened=opened,
        )
        self._connections.append(connection)
        shown = f"[{text}]" if isinstance(address, ipaddress.IPv6Address) else text
        self.note(f"connected to {shown}:{port} in {connection.connect_ms:.1f} ms", number)
        return connection

    def _place(self, host: str, address: str, port: int) -> _Place:
        limits = self.options.limits
        return self.surroundings.place(
            address,
            port,
            limits.concurrent_per_address_mx if self.endpoint.role == "mx" else limits.concurrent_per_address,
            host.lower() if self.endpoint.role in WEB_ROLES or port == 443 else "",
        )

    @property
    def _connections_allowed(self) -> int:
        limits = self.options.limits
        if self.is_own_server:
            return limits.connections_per_address_own_server
        return (
            limits.connections_per_address if self.options.depth == "standard" else limits.connections_per_address_full
        )

    def connections_left(self, host: str, port: int) -> int:
        """How many more connections our manners allow to the pinned address of ``host``; all of them before one is
        pinned. Others may take them in the meantime: dialling is what decides."""
        if host not in self._pinned:
            return self._connections_allowed
        return max(0, self._connections_allowed - self._place(host, str(self._pinned[host]), port).dials)

    def require_full_depth(self, what: str) -> None:
        """Raise ``Unmeasured(not_permitted)`` unless the run is at full depth. ``what`` begins the sentence for people,
        such as "the list of cipher suites"."""
        if self.options.depth != "full":
            raise Unmeasured(Cause.NOT_PERMITTED, f"{what} takes many connections: {FULL_DEPTH_ONLY}")

    def require_own_server(self) -> None:
        """Raise ``Unmeasured(not_permitted)`` unless the user has declared this endpoint to be his own and asked for
        intrusive probes: its host, or the domain that it was found through and that its name lies in. (Whose mail
        a big provider takes does not own that provider's servers.)"""
        if not self.is_own_server:
            raise Unmeasured(Cause.NOT_PERMITTED, NOT_OWN_SERVER)

    def _connect_failure(self, address: IPAddress, port: int, error: OSError) -> Unmeasured:
        """The cause behind a failed connection (``TimeoutError`` is an ``OSError``)."""
        if isinstance(error, TimeoutError):
            if self.remaining == 0:
                return Unmeasured(Cause.DEADLINE_EXCEEDED, f"the deadline came while connecting to {address}")
            return Unmeasured(Cause.CONNECTION_TIMEOUT, f"no connection to {address} port {port} in time")
        six = isinstance(address, ipaddress.IPv6Address)
        match error.errno:
            case errno.ECONNREFUSED:
                return Unmeasured(Cause.CONNECTION_REFUSED, f"{address} refuses connections to port {port}")
            case errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED:
                return Unmeasured(Cause.CONNECTION_RESET, f"{address} reset the connection at once")
            case errno.EADDRNOTAVAIL | errno.ENETUNREACH | errno.EAFNOSUPPORT if six:
                return Unmeasured(Cause.NO_IPV6_LOCALLY, "this machine has no way to the IPv6 internet")
            case errno.EPERM | errno.EACCES | errno.ENETUNREACH:
                return Unmeasured(Cause.PORT_BLOCKED_LOCALLY, f"this machine may not connect to port {port}")
            case errno.EHOSTUNREACH | errno.EHOSTDOWN:
                return Unmeasured(Cause.CONNECTION_TIMEOUT, f"no route to host {address}")
        return Unmeasured(Cause.CONNECTION_TIMEOUT, f"{address} port {port}: {printable(str(error), 200)}")

    def throttled(self, address: str) -> None:
        """Remember that this address asked us to stop (421): every later dial to it raises ``throttled``."""
        self.surroundings.stop(address, self.endpoint.port)
        self.note(f"{address} asks us to stop; no more connections to it in this run")

    # -- more -----------------------------------------------------------------------------------------------------

    async def http(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        repeat: int = 1,
        visit: Visit | None = None,
    ) -> HTTPResponse:
        """One request without following redirects, certificate not verified here (trust is a metric of its own).
        ``repeat``: how often it is sent on its connection; ``visit``: whose open connections it may use
        (``probes.fetch``).

        A URL that is not http or https, or has no valid host or port, is ``not_applicable``.
        """
        from probes.fetch import fetch

        return await self._before_deadline(
            fetch(self, url, method, headers or {}, repeat, visit), f"fetching {printable(url, 200)}"
        )

    async def once(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """Run ``make`` once for this endpoint and give every caller the same result or the same exception, so that
        several probes share one conversation. A caller that is cancelled takes nothing from the others; the work
        itself ends with the network."""
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.create_task(_run(make, key), name=f"{key} of {self.endpoint.key}")
            task.add_done_callback(_retrieve)
        try:
            result: T = await asyncio.shield(task)
        except Unmeasured as problem:
            raise Unmeasured(problem.cause, problem.detail) from None
        return result

    async def after(self, *keys: str) -> None:
        """Wait until what others share under these keys (``once``) is over, whatever comes of it; what nobody has begun
        is not waited for. For work that shall get its connections after theirs."""
        begun = [task for key, task in self._shared.items() if key in keys]
        if begun:
            await asyncio.wait(begun)


def is_own_server(endpoint: Endpoint, names: frozenset[str]) -> bool:
    """Whether ``names`` (``Options.own_servers``) declare the endpoint to be the user's own: its host is one of them,
    or it was found through one of them that its name lies in."""
    host, domain = (name.lower().removesuffix(".") for name in (endpoint.host, endpoint.domain))
    host = str(literal(host) or host)
    return bool(host) and (host in names or (domain in names and f".{host}".endswith(f".{domain}")))


async def _run(make: Callable[[], Awaitable[T]], key: str) -> T:
    purpose.set(key)
    return await make()


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the task's exception, so that asyncio does not complain when every caller has gone."""
    if not task.cancelled():
        task.exception()


class _NoLock:
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


_no_lock = _NoLock()
