"""The hellos that the tls probe sends to every server, and the further ones of full depth: which, in which order, with
which connections.

How many there are at standard depth, and when they go out, is told in ``probes.tls``; the order in which they are given
connections, where those are few, is the order of importance: weak suites, versions, post-quantum groups, how a server
refuses that hung up, and the fallback signal if one more is left for the other kind of certificate.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from probes import ciphers
from probes.flight import Flight
from probes.hello import CODES, VERSIONS, Alert, Version
from probes.model import MAIL_ROLES, Cause, Endpoint, Unmeasured
from probes.offers import (
    CHUNK,
    REFUSED,
    Accepted,
    Hellos,
    candidate_groups,
    ended,
    hybrid_groups,
    undecided,
    weak_families,
)
from probes.versions import ANSWERS_TLS, Versions, find_versions

if TYPE_CHECKING:
    from probes.network import Network, TLSSession

Order = Literal["client", "mixed", "server"]
"""Whose order decides which suite is used."""

_TLS_CAUSES = frozenset({Cause.TLS_ALERT, Cause.TLS_HANDSHAKE_ERROR, Cause.TLS_CLIENT_UNSUPPORTED})
"""A handshake that ended like this reached a TLS server, or what should be one: hellos may still learn its versions."""

_FOR_ORDER = 2
_FOR_GROUPS = 20
"""Hellos that show the server's order, and those that take its groups apart, which a long list of suites must not eat
up."""
_FALLBACK_PLACES = 2
"""The fallback signal is asked for when so many hellos may still be sent: itself, and the other kind of certificate."""
_SSLV2_REFUSED = REFUSED | {"protocol_version"}


@dataclasses.dataclass(slots=True)
class WeakFamilies:
    """``families``: weak families that are accepted. ``problem``: why there may be more; None when there are not."""

    families: set[ciphers.Family]
    problem: Unmeasured | None


@dataclasses.dataclass(slots=True)
class FirstHellos:
    """What is asked of every server. ``fallback``: whether the fallback signal is heeded."""

    hellos: Hellos
    session: TLSSession | Unmeasured
    versions: Versions
    weak: WeakFamilies
    hybrid: Accepted
    fallback: bool | Unmeasured

    @property
    def tls_13(self) -> bool | None:
        """Whether TLS 1.3 is accepted; None when that is not known."""
        return self.versions.accepted.get("TLSv1.3")


async def room_beside_hellos(network: Network) -> asyncio.Event:
    """Set once the other kind of certificate has its place beside all hellos that are still to come, so that nobody
    need wait for anybody. Never set where places are scarce, nor on ``mx``, where everything goes one by one."""
    return await network.once("room beside hellos", _no_room_yet)


async def _no_room_yet() -> asyncio.Event:
    return asyncio.Event()


async def first_hellos(endpoint: Endpoint, network: Network) -> FirstHellos:
    """All hellos of standard depth, sent once and shared by every probe that asks. Who wants to connect when they are
    over awaits this.

    Raises ``Unmeasured`` when the endpoint cannot be reached, offers no TLS, or its TLS says nothing.
    """
    return await network.once("first hellos", lambda: _ask_first(endpoint, network))


async def _ask_first(endpoint: Endpoint, network: Network) -> FirstHellos:
    from probes.upgrade import conversation_so_far, handshake

    async def shake_hands() -> TLSSession | Unmeasured:
        try:
            return await handshake(endpoint, network)
        except Unmeasured as problem:
            return problem

    hellos = Hellos(endpoint, network)
    shaking = asyncio.create_task(shake_hands(), name=f"handshake of {endpoint.key}")
    try:
        one_by_one = endpoint.role == "mx"
        talk = await conversation_so_far(network) if endpoint.role in MAIL_ROLES and not one_by_one else None
        if talk is not None:
            await talk.listed.wait()
        if talk is None or talk.before is None or (endpoint.tls == "starttls" and not talk.starttls):
            session = await shaking
            if isinstance(session, Unmeasured) and session.cause not in _TLS_CAUSES:
                raise Unmeasured(session.cause, session.detail)
        return await _ask_of_tls(hellos, shaking, one_by_one=one_by_one)
    finally:
        shaking.cancel()


async def _ask_of_tls(
    hellos: Hellos, shaking: asyncio.Task[TLSSession | Unmeasured], *, one_by_one: bool
) -> FirstHellos:
    # The order in which these begin is the order in which they get connections where those are few.
    weak = asyncio.create_task(_find_weak(hellos))
    try:
        versions = await find_versions(hellos, shaking, one_by_one=one_by_one)
        session, found = await shaking, await weak
        if not isinstance(session, Unmeasured):
            hellos.chosen |= ciphers.numbers(session.cipher)
        fallback: bool | Unmeasured | None = None
        if not one_by_one and not hellos.hung_up and _leave_room(hellos, versions):
            (await room_beside_hellos(hellos.network)).set()
            hybrid, fallback = await asyncio.gather(
                _find_hybrid(hellos, versions), _ask_fallback(hellos, versions, places=1)
            )
        else:
            hybrid = await _find_hybrid(hellos, versions)
        if hellos.hung_up and versions.answered:
            hellos.answered = next(version for version in reversed(VERSIONS) if version in versions.flights)
            await hellos.learn_refusal(versions.hung_up_on)
            if hellos.hangs_up:
                versions.take_hanging_up_for_refusal()
            if hellos.refuses_so(found.problem):
                found.problem = None
            if hellos.refuses_so(hybrid.problem):
                hybrid.problem = None
        heard = versions.heard or found.problem is None or found.problem.cause in (Cause.TLS_ALERT, Cause.NOT_PERMITTED)
        if isinstance(session, Unmeasured) and session.cause not in ANSWERS_TLS and not heard:
            raise Unmeasured(session.cause, session.detail)
        if fallback is None:
            fallback = await _ask_fallback(hellos, versions)
        return FirstHellos(hellos, session, versions, found, hybrid, fallback)
    finally:
        weak.cancel()


async def _find_weak(hellos: Hellos) -> WeakFamilies:
    return WeakFamilies(*await weak_families(hellos, "TLSv1.2", to_the_end=hellos.full))


async def _find_hybrid(hellos: Hellos, versions: Versions) -> Accepted:
    """The hybrid groups of a server that accepts TLS 1.3."""
    match versions.accepted.get("TLSv1.3"):
        case True:
            return await hybrid_groups(hellos, to_the_end=hellos.full)
        case False if versions.seen:
            return Accepted(problem=Unmeasured(Cause.NOT_APPLICABLE, "the server refuses TLS 1.3"))
    return Accepted(problem=versions.why_not("TLSv1.3"))


def _leave_room(hellos: Hellos, versions: Versions) -> bool:
    """Whether the allowance has a place for the other kind of certificate beside the last hellos, :func:`_find_hybrid`
    and then :func:`_ask_fallback`, as far as they will be sent. If so, it is taken out of the allowance: from now on
    all of them may go at once, and it does not depend on chance who comes off empty-handed."""
    sent = hellos.sent + (versions.accepted.get("TLSv1.3") is True)
    fallback = len(versions.seen) > 1 and sent + _FALLBACK_PLACES <= hellos.allowance
    if sent + fallback >= hellos.allowance:
        return False
    hellos.allowance -= 1
    return True


async def _ask_fallback(hellos: Hellos, versions: Versions, places: int = _FALLBACK_PLACES) -> bool | Unmeasured:
    """Whether a hello of the second newest version that says it is a fallback is refused. Asked when so many ``places``
    are left: one is kept for the other kind of certificate, which tells more."""
    seen = versions.seen
    if len(seen) < 2:
        unknown = [version for version in VERSIONS if version not in versions.accepted]
        if unknown or not seen:
            return versions.why_not(unknown[-1] if unknown else "TLSv1.2")
        return Unmeasured(Cause.NOT_APPLICABLE, "the server accepts one version alone")
    try:
        hellos.require(places)
        answer = await hellos.ask(seen[-2], "as a fallback", fallback=True)
    except Unmeasured as problem:
        return problem
    if isinstance(answer, Alert) and answer.name == "inappropriate_fallback":
        return True
    if isinstance(answer, Unmeasured) and hellos.refuses_so(answer) and await hellos.still_answers():
        return True  # without the signal it has answered the same hello
    return False if isinstance(answer, Flight) else undecided(answer, f"a hello of {seen[-2]} as a fallback")


# --- what is asked at full depth --------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Everything:
    """What full depth adds; each is a value or why there is none."""

    sslv2: bool | Unmeasured
    dh_bits: int | Unmeasured
    groups: Accepted
    suites: Accepted
    order: Order | Unmeasured


async def ask_everything(first: FirstHellos) -> Everything:
    """Everything side by side; only the order of suites waits until these are known. Places are kept for it and for the
    groups, so that a long list of suites, should it meet our limit, takes nothing from them."""
    hellos, versions = first.hellos, first.versions
    kept = _FOR_ORDER + _FOR_GROUPS
    hellos.allowance -= kept
    small = asyncio.create_task(_ask_small(first, kept), name="groups, primes and SSL 2.0")
    try:
        suites, older = await _find_suites(first)
        groups, dh_bits, sslv2 = await small
    finally:
        small.cancel()
    hellos.allowance += kept
    order = await _ask_order(hellos, versions, suites, older)
    if hellos.relied and not await hellos.with_more(1).still_answers():
        ended_so = Unmeasured(Cause.CONNECTION_RESET, "in the end the server hung up on a hello that it had answered")
        sslv2 = ended_so if sslv2 is False else sslv2
        if isinstance(dh_bits, Unmeasured) and dh_bits.cause is Cause.NOT_APPLICABLE:
            dh_bits = ended_so
        for accepted in (groups, suites):
            accepted.problem = accepted.problem or ended_so
    return Everything(sslv2, dh_bits, groups, suites, order)


async def _ask_small(first: FirstHellos, kept: int) -> tuple[Accepted, int | Unmeasured, bool | Unmeasured]:
    """The few questions, which may use the places that the list of suites must leave."""
    hellos = first.hellos.with_more(kept - _FOR_ORDER)
    dh_bits = await _ask_prime(hellos, first.versions)
    groups = await _find_groups(dataclasses.replace(first, hellos=hellos))
    return groups, dh_bits, await _ask_sslv2(hellos)


async def _ask_sslv2(hellos: Hellos) -> bool | Unmeasured:
    from probes.sslv2 import Error2, ServerHello2, ask_sslv2

    try:
        hellos.require()
        hellos.sent += 1
        answer = await ask_sslv2(hellos.endpoint, hellos.network)
    except Unmeasured as problem:
        return problem
    if isinstance(answer, Unmeasured) and hellos.refuses_so(answer):
        return False
    if isinstance(answer, Unmeasured):
        return Unmeasured(answer.cause, f"{answer.detail} in answer to a hello of SSL 2.0")
    if isinstance(answer, ServerHello2):
        return True
    if isinstance(answer, Error2) or (isinstance(answer, Alert) and answer.name in _SSLV2_REFUSED):
        return False
    return undecided(answer, "a hello of SSL 2.0")


async def _ask_prime(hellos: Hellos, versions: Versions) -> int | Unmeasured:
    """The size of the prime, seen when nothing but finite-field Diffie-Hellman is offered, and no group of RFC 7919:
    then the server uses its own."""
    maximum = versions.newest_up_to_12
    if maximum is None:
        return versions.why_nothing_older()
    offer = [each for each in ciphers.candidates(False) if ciphers.key_exchange(each) in ("DHE_RSA", "DHE_DSS")]
    asked = f"a hello of at most {maximum} (finite-field Diffie-Hellman alone)"
    try:
        answer = await hellos.ask(
            maximum, "finite-field Diffie-Hellman alone", offer=offer[:CHUNK], groups=candidate_groups("TLSv1.2")
        )
        flight = hellos.decided(answer, asked)
    except Unmeasured as problem:
        return problem
    if flight is None:
        return Unmeasured(Cause.NOT_APPLICABLE, "the server refuses every suite with finite-field Diffie-Hellman")
    missing = ended(flight, asked) or Unmeasured(Cause.PROTOCOL_ERROR, f"no prime in answer to {asked}")
    return prime_of(flight) or missing


async def _find_groups(first: FirstHellos) -> Accepted:
    """The groups of TLS 1.3, and then those that TLS 1.2 or an older version has besides."""
    hellos, versions = first.hellos, first.versions
    if first.tls_13 is None:
        return Accepted(problem=versions.why_not("TLSv1.3"))
    accepted = Accepted()
    if first.tls_13:
        accepted = await hellos.all_groups("TLSv1.3", candidate_groups("TLSv1.3"), first.hybrid.found)
    if accepted.problem is None and versions.newest_up_to_12 is not None:
        curves = candidate_groups(versions.newest_up_to_12)
        accepted = await hellos.all_groups(versions.newest_up_to_12, curves, accepted.found)
    elif accepted.problem is None and not versions.only_tls_13:
        accepted.problem = versions.why_not("TLSv1.2")
    return accepted


async def _find_suites(first: FirstHellos) -> tuple[Accepted, list[int]]:
    """The suites of every accepted version, newest first, each asked for what the newer ones have not shown; and those
    of the newest version up to TLS 1.2 apart."""
    hellos, versions = first.hellos, first.versions
    every = Accepted()
    newest: list[int] = []
    for version in reversed(versions.seen):
        modern = version == "TLSv1.3"
        candidates = ciphers.candidates(modern, before_tls12=CODES[version] < CODES["TLSv1.2"])
        known = [suite for suite in candidates if suite in hellos.chosen and suite not in every.found]
        rest = [suite for suite in candidates if suite not in every.found]
        accepted = await hellos.all_suites(version, rest, known)
        every.found += accepted.found
        newest = newest or ([] if modern else list(accepted.found))
        every.problem = every.problem or accepted.problem
        if every.problem is not None:
            break
    unknown = [version for version in VERSIONS if version not in versions.accepted]
    if every.problem is None and (unknown or not versions.seen):
        every.problem = versions.why_not(unknown[-1] if unknown else "TLSv1.3")
    return every, newest


async def _ask_order(hellos: Hellos, versions: Versions, suites: Accepted, older: Sequence[int]) -> Order | Unmeasured:
    """Offer what was found to be accepted, and then the same in reverse. ChaCha20 is left out: some servers put it
    first for clients that do, whatever their order is."""
    version = versions.newest_up_to_12
    offers: list[tuple[Version, Sequence[int]]] = [] if version is None else [(version, older)]
    offers += [("TLSv1.3", [suite for suite in suites.found if suite in ciphers.registered(True)])]
    for maximum, found in offers:
        offer = [suite for suite in found if "CHACHA20" not in ciphers.name(suite)][:CHUNK]
        if len(offer) < 2:
            continue
        try:
            first = await hellos.choose_suite(maximum, offer, "all accepted suites")
            second = await hellos.choose_suite(maximum, offer[::-1], "all accepted suites in reverse")
        except Unmeasured as problem:
            return problem
        if first is None or second is None:
            return Unmeasured(Cause.PROTOCOL_ERROR, "the server refused suites that it had accepted one by one")
        if first.hello.suite == second.hello.suite:
            return "server"
        return "client" if (first.hello.suite, second.hello.suite) == (offer[0], offer[-1]) else "mixed"
    none = Unmeasured(Cause.NOT_APPLICABLE, "the server accepts no two suites that there could be an order of")
    return suites.problem or none


def prime_of(flight: Flight) -> int | None:
    """Bits of the prime in a flight's finite-field key exchange; None when it has another one, or none."""
    exchange = flight.key_exchange
    return exchange.bits if exchange is not None and exchange.kind == "finite_field" else None
