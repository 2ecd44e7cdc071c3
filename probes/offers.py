"""What a server accepts of what it is offered: hand-made ClientHellos, each on a connection of its own.

The way to find all that a server accepts is to offer everything, note what it chooses, leave that out and offer the
rest, until it refuses (RFC 5246 §7.4.1.2 lets the server choose, so one hello shows one suite). Lists longer than
``CHUNK`` go in chunks that take every n-th entry, so that a server that looks at the beginning of a list only, or
chokes on one entry, does not hide a whole kind.

What is evidence: a ServerHello that chooses something that was offered, or an alert ``handshake_failure`` or
``insufficient_security`` for "nothing of this". A choice that was not offered is a ``protocol_error``; anything else
leaves the question open, with its cause.

Some servers (Dovecot) hang up where an alert is due. That is no evidence by itself: a server that has had enough of us
does so too. But one that has answered other hellos, that hangs up a second time on the same hello, or on one which
nobody could accept, since it offers nothing but numbers that stand for no suite at all (RFC 8701), and that answers a
hello after that as it did before, has shown that this is how it refuses (:meth:`Hellos.learn_refusal`).
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from probes import ciphers
from probes.certificate import host_of
from probes.flight import Flight, FlightAnswer, HungUp, ask_flight, describe_problem, group_name, hello_shown
from probes.hello import (
    CODES,
    DEFLATE,
    GROUP_NAMES,
    HYBRID_GROUPS,
    NO_COMPRESSION,
    Alert,
    HelloError,
    Unreadable,
    Version,
    client_hello,
    suites,
)
from probes.model import Cause, Endpoint, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Network

CHUNK = 64
"""Suites in one hello: old servers (Windows Server 2003) look at the first 64 only, and others break at 128."""
AT_ONCE = 3
"""Questions under way at once when a list is taken apart; ``mx`` gets one, by the network's own rule."""

REFUSED = frozenset({"handshake_failure", "insufficient_security"})
"""Alerts that refuse what was offered."""
_UNREADABLE = {
    "plaintext": Cause.TLS_HANDSHAKE_ERROR,
    "garbage": Cause.PROTOCOL_ERROR,
    "too_long": Cause.REPLY_TOO_LONG,
}

_FOR_OTHERS = 2
"""Connections at standard depth that belong to others: the first conversation (or handshake) and the second one. The
other kind of certificate is counted apart."""
_FOR_OTHERS_FULL = 8

_RESERVED = (0x0A0A, 0x2A2A, 0x4A4A, 0x6A6A)
"""Numbers that will never be given to a suite, RFC 8701 §3.1."""
_CURVES = tuple(code for code in GROUP_NAMES if code < 0x0100)


@dataclasses.dataclass(slots=True)
class Accepted:
    """Suites or groups that a server accepts, by IANA number in the order of their discovery. ``problem``: why there
    may be more; None when these are all."""

    found: list[int] = dataclasses.field(default_factory=list)
    problem: Unmeasured | None = None


class Hellos:
    """The hand-made hellos to one endpoint, and how many there may be.

    ``allowance``: how many hellos there may be in all, so that others get the connections that are theirs; a hello that
    goes beyond it is not sent.
    """

    def __init__(self, endpoint: Endpoint, network: Network) -> None:
        limits = network.options.limits
        self.endpoint = endpoint
        self.network = network
        self._sent = [0]
        self.full = network.options.depth == "full"
        self.most = limits.connections_per_address_full if self.full else limits.connections_per_address
        if network.is_own_server:
            self.most = limits.connections_per_address_own_server
        self.allowance = self.most - (_FOR_OTHERS_FULL if self.full else _FOR_OTHERS)
        self._drawn: Counter[str] = Counter()
        self.chosen: set[int] = set()
        """Every suite that the server has chosen in answer to some hello."""
        self.hung_up = False
        """Whether the server has closed or reset the connection on some hello."""
        self.hangs_up = False
        """Whether that is known to be how it refuses, of all hellos sent so far."""
        self.answered: Version = "TLSv1.2"
        """Maximum of a hello that the server has answered with a ServerHello."""
        self._relied = [False]

    @property
    def sent(self) -> int:
        """How many hellos have been sent."""
        return self._sent[0]

    @sent.setter
    def sent(self, count: int) -> None:
        self._sent[0] = count

    def with_more(self, places: int) -> Hellos:
        """The same hellos, counted together with these, for questions that may use so many more places."""
        others = copy.copy(self)
        others.allowance += places
        return others

    def require(self, count: int = 1) -> None:
        """Raise ``Unmeasured`` unless so many more hellos may be sent."""
        if self.sent + count > self.allowance:
            raise Unmeasured(
                Cause.NOT_PERMITTED, f"our own limit of {self.most} connections per address leaves none for it"
            )

    async def ask(
        self,
        maximum: Version,
        what: str = "",
        *,
        offer: Sequence[int] | None = None,
        groups: Sequence[int] | None = None,
        key_share: bool = True,
        fallback: bool = False,
        older: bool = True,
        compress: bool = False,
    ) -> FlightAnswer | Unmeasured:
        """Send one hello and read the answer; arguments as of ``client_hello``. ``what`` it offers, for the transcript.

        ``protocol_error`` when the server chooses a version above the maximum, a suite or a method that was not
        offered. Raises ``Unmeasured`` when no hello could be sent, which is no answer.
        """
        self.require()
        self.sent += 1
        methods = (DEFLATE, NO_COMPRESSION) if compress else (NO_COMPRESSION,)
        asked = hello_shown(maximum, what)
        try:
            hello = client_hello(
                maximum,
                host_of(self.endpoint),
                key_share=key_share,
                offer=offer,
                groups=groups,
                compressions=methods,
                fallback=fallback,
                older=older,
                random=lambda size: self._random(asked, size),
            )
        except HelloError as error:
            raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, str(error)) from None
        answer = await ask_flight(self.endpoint, self.network, hello, asked)
        if isinstance(answer, Unmeasured):
            self.hung_up = self.hung_up or isinstance(answer, HungUp)
            return type(answer)(answer.cause, f"{answer.detail} in answer to {_asked(maximum, what)}")
        if isinstance(answer, Flight):
            wrong = _not_offered(answer, maximum, suites(maximum) if offer is None else offer, methods)
            if wrong:
                problem = Unmeasured(Cause.PROTOCOL_ERROR, f"{wrong} in answer to {_asked(maximum, what)}")
                self.network.note(problem.detail)
                return problem
            self.chosen.add(answer.hello.suite)
        return answer

    async def learn_refusal(self, version: Version | None) -> None:
        """Find out whether a server that hung up refuses in that way (``hangs_up``). Ask only when it has answered some
        other hello, one of at most ``answered``, and when nothing else is under way. ``version``: maximum of a hello
        with everything that it hung up on, None for none."""
        with contextlib.suppress(Unmeasured):
            if version is None:
                answer = await self.ask("TLSv1.2", "reserved numbers alone", offer=_RESERVED)
            else:
                answer = await self.ask(version, "once more")
            if isinstance(answer, HungUp) and await self.still_answers():
                self.hangs_up = True
                self.network.note("this server hangs up where it refuses")

    async def still_answers(self) -> bool:
        """Whether the server answers a hello that it has answered before. If not, it may have hung up because it had
        enough of us, whatever we offered."""
        with contextlib.suppress(Unmeasured):
            return isinstance(await self.ask(self.answered, "once more"), Flight)
        return False

    @property
    def relied(self) -> bool:
        """Whether anything has been taken for a refusal because the server hung up."""
        return self._relied[0]

    def decided(self, answer: FlightAnswer | Unmeasured, asked: str) -> Flight | None:
        """The flight, or None when the server refuses what it was offered. Raises ``Unmeasured`` for what shows
        neither."""
        if isinstance(answer, Flight):
            return answer
        if isinstance(answer, Alert) and answer.name in REFUSED:
            return None
        if isinstance(answer, Unmeasured) and self.refuses_so(answer):
            return None
        raise undecided(answer, asked)

    def refuses_so(self, problem: Unmeasured | None) -> bool:
        """Whether what is missing is missing because the server refuses by hanging up."""
        so = self.hangs_up and isinstance(problem, HungUp)
        self._relied[0] = self._relied[0] or so
        return so

    def _random(self, asked: str, size: int) -> bytes:
        """Random bytes for a hello, which a recording can give again."""
        self._drawn[asked] += 1
        return self.network.random(f"{asked} {self._drawn[asked]}", size)

    # -- one question ---------------------------------------------------------------------------------------------

    async def choose_suite(self, maximum: Version, offer: Sequence[int], what: str) -> Flight | None:
        """Which of these suites the server chooses; None when it refuses them all. Raises ``Unmeasured`` when that was
        not to be learnt."""
        if maximum == "TLSv1.3":
            answer = await self.ask(maximum, what, offer=offer, key_share=False, older=False)
        else:
            answer = await self.ask(maximum, what, offer=offer)
        return self.decided(answer, _asked(maximum, what))

    async def choose_group(self, maximum: Version, offer: Sequence[int], what: str) -> int | None:
        """Which of these groups the server chooses, in TLS 1.3 or for ECDHE in an older version; None when it refuses
        them all. Raises ``Unmeasured`` when that was not to be learnt."""
        if maximum == "TLSv1.3":
            own = suites("TLSv1.3")[: len(suites("TLSv1.3")) - len(suites("TLSv1.2"))]
            answer = await self.ask(maximum, what, offer=own, groups=offer, key_share=False, older=False)
        else:
            curved = [suite for suite in suites(maximum) if ciphers.key_exchange(suite).startswith("ECDHE_")]
            answer = await self.ask(maximum, what, offer=curved, groups=offer)
        flight = self.decided(answer, _asked(maximum, what))
        if flight is None:
            return None
        group = flight.hello.group
        if flight.key_exchange is not None:
            group = flight.key_exchange.group
        if group is None:
            if isinstance(flight.problem, Unmeasured):
                raise Unmeasured(flight.problem.cause, f"{flight.problem.detail} before the group was named")
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"no group was named in answer to {_asked(maximum, what)}")
        if group not in offer:
            detail = f"the server chose the group {group_name(group)}, which was not offered"
            self.network.note(detail)
            raise Unmeasured(Cause.PROTOCOL_ERROR, detail)
        return group

    # -- everything -----------------------------------------------------------------------------------------------

    async def all_suites(self, maximum: Version, candidates: Sequence[int], known: Sequence[int] = ()) -> Accepted:
        """Every suite out of ``candidates`` that the server accepts with this maximum version. ``known``: those that it
        was seen to accept."""

        async def choose(offer: Sequence[int]) -> int | None:
            flight = await self.choose_suite(maximum, offer, f"{len(offer)} suites")
            return None if flight is None else flight.hello.suite

        return await take_apart(candidates, choose, known, CHUNK)

    async def all_groups(self, maximum: Version, candidates: Sequence[int], known: Sequence[int] = ()) -> Accepted:
        """Every group out of ``candidates`` that the server accepts with this maximum version."""
        return await take_apart(
            candidates, lambda offer: self.choose_group(maximum, offer, f"{len(offer)} groups"), known, len(candidates)
        )


def candidate_groups(maximum: Version) -> tuple[int, ...]:
    """The groups that can be chosen in TLS 1.3, or for ECDHE in older versions."""
    return tuple(GROUP_NAMES) if maximum == "TLSv1.3" else _CURVES


async def take_apart(
    candidates: Sequence[int], choose: Callable[[Sequence[int]], Awaitable[int | None]], known: Sequence[int], most: int
) -> Accepted:
    """All candidates that are accepted: offer, leave out what was chosen, until nothing is. ``choose`` gives what was
    chosen out of an offer, None for nothing, and raises ``Unmeasured`` when that was not to be learnt; ``most``
    candidates are offered at once."""
    accepted = Accepted(list(known))
    rest = [candidate for candidate in candidates if candidate not in accepted.found]
    count = -(-len(rest) // most) if rest else 0
    turns = asyncio.Semaphore(AT_ONCE)

    async def one_chunk(chunk: list[int]) -> None:
        while chunk and accepted.problem is None:
            try:
                async with turns:
                    chosen = await choose(chunk)
            except Unmeasured as problem:
                accepted.problem = accepted.problem or problem
                return
            if chosen is None:
                return
            chunk.remove(chosen)
            accepted.found.append(chosen)

    await asyncio.gather(*(one_chunk(rest[start::count]) for start in range(count)))
    return accepted


async def weak_families(
    hellos: Hellos, maximum: Version, *, to_the_end: bool
) -> tuple[set[ciphers.Family], Unmeasured | None]:
    """The weak families that the server accepts with this maximum version: those found, and why there may be more (None
    when these are all). All suites of all families are in one hello, the 64 that servers may have; after each choice
    its families are left out of the next."""
    found: set[ciphers.Family] = set()
    offer = list(ciphers.weak()[:CHUNK])
    while offer:
        try:
            flight = await hellos.choose_suite(maximum, offer, "weak suites alone")
        except Unmeasured as problem:
            return found, problem
        if flight is None:
            return found, None
        found |= ciphers.families(flight.hello.suite)
        offer = [suite for suite in offer if not ciphers.families(suite) <= found]
        if not to_the_end:
            return found, Unmeasured(Cause.NOT_PERMITTED, _MORE)
    return found, None


_MORE = "whether there are more takes more connections: measured at full depth only"


async def hybrid_groups(hellos: Hellos, *, to_the_end: bool) -> Accepted:
    """The post-quantum hybrid groups that the server accepts in TLS 1.3, asked for with an empty key share, so that it
    names its choice in a HelloRetryRequest (RFC 8446 §4.1.4)."""
    if to_the_end:
        return await hellos.all_groups("TLSv1.3", HYBRID_GROUPS)
    try:
        group = await hellos.choose_group("TLSv1.3", HYBRID_GROUPS, "post-quantum groups alone")
    except Unmeasured as problem:
        return Accepted(problem=problem)
    return Accepted() if group is None else Accepted([group], Unmeasured(Cause.NOT_PERMITTED, _MORE))


def undecided(answer: Alert | Unreadable | Unmeasured, asked: str) -> Unmeasured:
    """Why this is no answer to a question."""
    match answer:
        case Alert():
            return Unmeasured(Cause.TLS_ALERT, f"{answer.name} in answer to {asked}")
        case Unreadable():
            shown = f": {printable(answer.excerpt, 60)!r}" if answer.excerpt else ""
            return Unmeasured(_UNREADABLE[answer.kind], f"{answer.why} in answer to {asked}{shown}")
        case _:
            return answer


def ended(flight: Flight, asked: str) -> Unmeasured | None:
    """What ended a flight before its end, as a cause."""
    if flight.problem is None:
        return None
    if isinstance(flight.problem, Unmeasured):
        return Unmeasured(flight.problem.cause, f"{flight.problem.detail} in answer to {asked}")
    cause = _UNREADABLE[flight.problem.kind] if isinstance(flight.problem, Unreadable) else Cause.TLS_ALERT
    return Unmeasured(cause, f"{describe_problem(flight.problem)} after the ServerHello in answer to {asked}")


def _asked(maximum: Version, what: str) -> str:
    return f"a hello of at most {maximum}" + (f" ({what})" if what else "")


def _not_offered(flight: Flight, maximum: Version, offer: Sequence[int], methods: Sequence[int]) -> str:
    """What the server chose without having been offered it; "" for nothing."""
    hello = flight.hello
    if CODES[hello.version] > CODES[maximum]:
        return f"{hello.version}, which was not offered,"
    if hello.suite not in offer:
        return f"the suite {ciphers.name(hello.suite)}, which was not offered,"
    if hello.compression not in methods:
        return f"the compression method {hello.compression}, which was not offered,"
    return ""
