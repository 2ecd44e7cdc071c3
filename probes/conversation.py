"""The course that every mail conversation takes, whatever its protocol, and what it showed.

Greeting, capabilities, upgrade to TLS, capabilities again, farewell: SMTP, IMAP, POP3 and ManageSieve differ in their
words only. A ``Dialogue`` knows the words of one protocol on one connection; :func:`converse` leads it and keeps, step
by step, what was observed, so that whatever cuts it short costs only what would have come later.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from probes.model import Cause, Endpoint, Measurement, Unmeasured, Value
from probes.replies import quoted

if TYPE_CHECKING:
    from probes.connection import Connection, Ticket, TLSSession
    from probes.network import Network

Capabilities = Mapping[str, tuple[str, ...]]
"""What a server says it can do: upper-case keyword → parameters."""

PEER_FAULTS = frozenset({Cause.TLS_ALERT, Cause.TLS_HANDSHAKE_ERROR})
"""Causes that show that it is the server whose TLS does not work; anything else may be the way or we."""


class Dialogue(abc.ABC):
    """One protocol's words on one connection. Every method raises ``Unmeasured`` when the dialogue cannot go on."""

    upgrade: str
    """The capability that offers the upgrade to TLS."""
    listing: tuple[bytes, ...] = ()
    """The lines of the latest complete list of capabilities as they were sent."""
    gives_codes = False
    """Whether a reply to a command of this dialogue carried an enhanced status code (RFC 2034)."""

    def __init__(self, connection: Connection, network: Network) -> None:
        self.connection = connection
        self.network = network

    @abc.abstractmethod
    async def greet(self) -> tuple[bytes, ...]:
        """Read the complete greeting, before anything is sent; its lines. ``greeting_rejected`` when we are refused."""

    @abc.abstractmethod
    async def capabilities(self, after_tls: bool = False) -> Capabilities:
        """A complete list of capabilities."""

    @abc.abstractmethod
    async def request_tls(self) -> Unmeasured | None:
        """Ask for the upgrade. None when the server agrees; what it said when it definitely refuses."""

    @abc.abstractmethod
    async def request_tls_and_more(self) -> Unmeasured | None:
        """The same with one more harmless command behind it, both sent at once: the beginning of a command injection
        (CVE-2011-0411), in which a careless server carries out under TLS what it received before."""

    @abc.abstractmethod
    async def answers_twice(self) -> bool:
        """After that and the handshake: ask for something under TLS, and say whether the command from before TLS is
        answered as well. Decided by replies alone, never by waiting for one that does not come."""

    @abc.abstractmethod
    async def quit(self) -> int:
        """Say goodbye; the reply code, or 0 in protocols without codes."""

    async def leave(self) -> None:
        """Say goodbye without waiting for more than the words to be sent, whatever state the dialogue is in."""
        with contextlib.suppress(Unmeasured):
            await self.connection.send_line(self.farewell)

    def sample_first_reply(self) -> None:
        """Count the time of the reply to the first command, once it has proved to be one."""
        if self.connection.first_reply_ms is not None:
            self.connection.samples.append(("reply", self.connection.first_reply_ms))

    @contextlib.asynccontextmanager
    async def greeted(self) -> AsyncIterator[tuple[bytes, ...]]:
        """Read the greeting, whose lines are given, then do what is inside. Where the server refuses us, or once it has
        greeted us and says what we do not understand, goodbye is said before ``Unmeasured`` goes on its way."""
        listens = {Cause.GREETING_REJECTED}
        try:
            began = self.connection.clock()
            lines = await self.greet()
            self.connection.samples.append(("greeting", self.connection.ms_since(began)))
            listens.add(Cause.PROTOCOL_ERROR)
            yield lines
        except Unmeasured as problem:
            if problem.cause in listens:
                await self.leave()
            raise

    @property
    @abc.abstractmethod
    def farewell(self) -> str:
        """The command that ends the session."""


DialogueMaker = Callable[["Connection", "Network"], Dialogue]


@dataclasses.dataclass(slots=True)
class Conversation:
    """What one conversation showed. A field is None until it was observed; ``stopped`` says what kept the rest from
    being observed, ``tls_failure`` what kept TLS from it."""

    connect_ms: float | None = None
    greeting_ms: float | None = None
    greeting: tuple[bytes, ...] | None = None
    before: Capabilities | None = None
    """The first complete list of capabilities: in plain text, or under implicit TLS."""
    after: Capabilities | None = None
    """The list after the upgrade."""
    starttls: bool | None = None
    starttls_works: bool | None = None
    injection: bool | None = None
    """Whether bytes came after the agreement to begin TLS, where the server must be silent."""
    unadvertised: bool | None = None
    """Whether the server agrees to begin TLS although its list does not offer the upgrade."""
    listing: tuple[bytes, ...] = ()
    """The lines of ``before`` as they were sent."""
    listing_after: tuple[bytes, ...] = ()
    """The lines of ``after`` as they were sent."""
    gives_codes: bool | None = None
    """Whether a reply to STARTTLS or QUIT carried an enhanced status code; known with ``quit_code``."""
    session: TLSSession | None = None
    ticket: Ticket | None = None
    """What the server had given to resume ``session`` by when the conversation ended."""
    quit_code: int | None = None
    tls_failure: Unmeasured | None = None
    stopped: Unmeasured | None = None

    listed: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set as soon as ``before`` is known or never will be."""

    def offered(self, endpoint: Endpoint) -> Capabilities | None:
        """The capabilities that a client uses: those after the upgrade where it is offered, else the first ones."""
        return self.after if self.starttls and endpoint.tls == "starttls" else self.before

    def why(self) -> Unmeasured:
        """Why something was not observed."""
        return self.stopped or Unmeasured(Cause.PROTOCOL_ERROR, "the conversation did not get that far")


async def converse(endpoint: Endpoint, network: Network, make: DialogueMaker, talk: Conversation) -> Conversation:
    """Hold one whole conversation with the endpoint, filling and returning ``talk``. Never raises ``Unmeasured``: see
    ``Conversation.stopped``."""
    try:
        if endpoint.tls != "none":
            network.surroundings.tls_context()  # dear in a new process: not while somebody's time is being taken
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            await _converse_on(endpoint, make(connection, network), talk)
    except Unmeasured as problem:
        talk.stopped = problem
    finally:
        talk.listed.set()
    return talk


async def _converse_on(endpoint: Endpoint, dialogue: Dialogue, talk: Conversation) -> None:
    try:
        await _converse(endpoint, dialogue, talk)
    except Unmeasured as problem:
        dialogue.network.note(f"the conversation ends here: {problem}", dialogue.connection.number)
        refused = problem.cause is Cause.GREETING_REJECTED
        if refused or (problem.cause is Cause.PROTOCOL_ERROR and talk.greeting is not None and not talk.tls_failure):
            await dialogue.leave()
        raise
    finally:
        if talk.session is not None:
            talk.ticket = dialogue.connection.ticket()


async def _converse(endpoint: Endpoint, dialogue: Dialogue, talk: Conversation) -> None:
    connection = dialogue.connection
    talk.connect_ms = connection.connect_ms
    if endpoint.tls == "implicit":
        talk.session = await _start_tls(endpoint, connection, talk)
    began = connection.clock()
    talk.greeting = await dialogue.greet()
    talk.greeting_ms = connection.ms_since(began)
    connection.samples.append(("greeting", talk.greeting_ms))
    talk.before = await dialogue.capabilities()
    talk.listing = dialogue.listing
    dialogue.sample_first_reply()
    talk.listed.set()
    if endpoint.tls != "implicit":
        talk.starttls = dialogue.upgrade in talk.before
        if endpoint.tls == "starttls":
            go_on = _upgrade(endpoint, dialogue, talk) if talk.starttls else _try_unadvertised(dialogue, talk)
            if not await go_on:
                return
    talk.quit_code = await dialogue.quit()
    talk.gives_codes = dialogue.gives_codes


async def _upgrade(endpoint: Endpoint, dialogue: Dialogue, talk: Conversation) -> bool:
    """Go over to TLS; False when the session has to end here."""
    connection = dialogue.connection
    refusal = await dialogue.request_tls()
    if refusal is not None:
        talk.tls_failure = talk.stopped = refusal
        talk.starttls_works = False
        return True
    leftovers = await leftover_bytes(connection)
    talk.injection = bool(leftovers)
    if leftovers:
        talk.tls_failure = talk.stopped = _injected(leftovers)
        dialogue.network.note(f"the conversation ends here: {talk.stopped}", connection.number)
        return False
    talk.session = await _start_tls(endpoint, connection, talk)
    talk.starttls_works = True
    talk.after = await dialogue.capabilities(after_tls=True)
    talk.listing_after = dialogue.listing
    return True


async def _try_unadvertised(dialogue: Dialogue, talk: Conversation) -> bool:
    """Ask for TLS although it is not offered; False when the server agrees, so that the session has to end here."""
    talk.unadvertised = await dialogue.request_tls() is None
    if talk.unadvertised:
        talk.stopped = Unmeasured(
            Cause.PROTOCOL_ERROR,
            f"the server agreed to {dialogue.upgrade}, which it had not offered; the session ended there",
        )
        dialogue.network.note(f"the conversation ends here: {talk.stopped}", dialogue.connection.number)
    return not talk.unadvertised


async def _start_tls(endpoint: Endpoint, connection: Connection, talk: Conversation) -> TLSSession:
    try:
        return await connection.start_tls(endpoint.host)
    except Unmeasured as problem:
        talk.tls_failure = problem
        if endpoint.tls == "starttls" and problem.cause in PEER_FAULTS:
            talk.starttls_works = False
        raise


async def leftover_bytes(connection: Connection) -> bytes:
    """What the server sent after its agreement to begin TLS, before it could have seen our first TLS byte. One round
    of the event loop lets bytes in that lie ready in the socket."""
    await asyncio.sleep(0)
    return connection.buffered


def _injected(leftovers: bytes) -> Unmeasured:
    return Unmeasured(
        Cause.PROTOCOL_ERROR,
        f"bytes followed the agreement to begin TLS, so the session ended there: {quoted(leftovers, 200)}",
    )


async def open_for_tls(endpoint: Endpoint, network: Network, make: DialogueMaker | None) -> Connection:
    """A new connection brought to where a ClientHello may be sent, with nothing in its buffer. ``make`` is None where
    TLS begins at once."""
    connection = await network.dial(endpoint.host, endpoint.port)
    try:
        if make is not None:
            dialogue = make(connection, network)
            async with dialogue.greeted():
                offered = dialogue.upgrade in await dialogue.capabilities()
                dialogue.sample_first_reply()
                refusal = await dialogue.request_tls() if offered else None
            if not offered:
                refusal = Unmeasured(Cause.TLS_NOT_OFFERED, f"the server does not offer {dialogue.upgrade}")
            if refusal is not None:
                await dialogue.leave()
                raise refusal
            await no_leftovers(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def no_leftovers(connection: Connection) -> None:
    """Raise ``protocol_error`` when bytes have come after the server's agreement to begin TLS."""
    leftovers = await leftover_bytes(connection)
    if leftovers:
        raise _injected(leftovers)


class Findings:
    """Turns a conversation into measurements: a value that was observed, or the cause why it was not."""

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk
        self.measurements: list[Measurement] = []

    def add(self, metric: str, value: Value | None, why: Unmeasured | None = None) -> None:
        """The value; when it is None, ``why`` or else what stopped the conversation."""
        if value is None:
            problem = why or self.talk.why()
            self.measurements.append(Measurement.missing(metric, problem.cause, problem.detail))
        else:
            self.measurements.append(Measurement(metric, round(value, 3) if isinstance(value, float) else value))

    def add_answer(self, metric: str, answer: bool | Unmeasured) -> None:
        """What was answered, or why nothing was."""
        if isinstance(answer, Unmeasured):
            self.add(metric, None, answer)
        else:
            self.add(metric, answer)

    def add_set(self, metric: str, values: Sequence[str] | None, why: Unmeasured | None = None) -> None:
        """The values as a sorted set without duplicates."""
        self.add(metric, None if values is None else tuple(sorted(set(values))), why)

    def add_upgrade(self, protocol: str, endpoint: Endpoint) -> None:
        """``starttls``, ``starttls_works``, ``starttls_injection`` and ``starttls_unadvertised`` of ``protocol``, which
        mean the same in all of them."""
        talk = self.talk
        implicit = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
        absent = Unmeasured(Cause.TLS_NOT_OFFERED, "the complete list of capabilities offers no upgrade to TLS")
        untried = Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is declared to be without TLS")
        why = None
        if endpoint.tls == "implicit":
            why = implicit
        elif talk.starttls is False:
            why = absent
        elif talk.starttls and endpoint.tls == "none":
            why = untried
        self.add(f"{protocol}.starttls", talk.starttls, implicit if endpoint.tls == "implicit" else None)
        self.add(f"{protocol}.starttls_works", talk.starttls_works, why or talk.tls_failure)
        self.add(f"{protocol}.starttls_injection", talk.injection, why or talk.tls_failure)
        why = None
        if endpoint.tls == "implicit":
            why = implicit
        elif endpoint.tls == "none" and talk.starttls is not None:
            why = untried
        elif talk.starttls:
            why = Unmeasured(Cause.NOT_APPLICABLE, "it is offered")
        self.add(f"{protocol}.starttls_unadvertised", talk.unadvertised, why)

    def add_difference(self, metric: str, endpoint: Endpoint) -> None:
        """``{metric}_only_before_tls`` and ``{metric}_only_after_tls``: what the two lists of capabilities do not have
        in common."""
        before, after = self.talk.before, self.talk.after
        why = self.after_tls(endpoint)
        if endpoint.tls == "implicit":
            why = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
        both = before is not None and after is not None
        self.add_set(
            f"{metric}_only_before_tls", [*(before or {}).keys() - (after or {}).keys()] if both else None, why
        )
        self.add_set(f"{metric}_only_after_tls", [*(after or {}).keys() - (before or {}).keys()] if both else None, why)

    def after_tls(self, endpoint: Endpoint) -> Unmeasured | None:
        """Why nothing is known of the time after the upgrade, when that is not simply what stopped the conversation."""
        if self.talk.starttls is False and endpoint.tls == "starttls":
            return Unmeasured(Cause.TLS_NOT_OFFERED, "the complete list of capabilities offers no upgrade to TLS")
        if endpoint.tls == "none":
            return Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is declared to be without TLS")
        return self.talk.tls_failure
