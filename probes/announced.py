"""Whether the servers that a domain announces to mail clients are there: each named place gets at most one connection.

What SRV records (RFC 6186) and the autoconfig file say is a claim like any other; a client that follows it runs into
whatever is wrong with it. Evidence of a contradiction is a refused connection, a host that does not exist, plain text
where TLS from the start is announced, and two announcements that exclude each other. Silence is none.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from probes.model import Cause, Endpoint, Measurement, Role, TLSMode, Unmeasured

if TYPE_CHECKING:
    from probes.network import Network

MAXIMUM_PLACES = 8
"""Named places that are tried."""
_AT_ONCE = 4
_GREETING_SECONDS = 5.0  # for a greeting that is awaited only to say goodbye after it

_SRV: dict[str, tuple[str, TLSMode]] = {
    "submissions": ("smtp", "implicit"),
    "submission": ("smtp", "starttls"),
    "imaps": ("imap", "implicit"),
    "imap": ("imap", "starttls"),
    "pop3s": ("pop3", "implicit"),
    "pop3": ("pop3", "starttls"),
    "sieve": ("sieve", "starttls"),
}
_SOCKETS: dict[str, TLSMode] = {"SSL": "implicit", "STARTTLS": "starttls", "plain": "none"}
_ROLES: dict[str, Role] = {"smtp": "submission", "imap": "imap", "pop3": "pop3", "sieve": "sieve"}
_WORDS: dict[TLSMode, str] = {"implicit": "TLS from the start", "starttls": "STARTTLS", "none": "no TLS"}


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Announced:
    """One server as it is announced. ``by``: who says so, such as ``SRV imaps`` or ``autoconfig``."""

    host: str
    port: int
    protocol: str
    tls: TLSMode
    by: str

    @property
    def place(self) -> str:
        """Such as ``imap.example.com:993``."""
        return f"{self.host}:{self.port}"


def announced(srv: Iterable[tuple[str, Sequence[str]]], autoconfig: Iterable[str]) -> list[Announced]:
    """The servers of SRV records, as (service, "host:port" …), and of an autoconfig file, as "imap host:993 SSL"."""
    found = set()
    for service, places in srv:
        if service not in _SRV:
            continue
        protocol, tls = _SRV[service]
        for place in places:
            host, _, port = place.rpartition(":")
            if host:
                found.add(Announced(host.lower(), int(port), protocol, tls, f"SRV {service}"))
    for server in autoconfig:
        match = re.fullmatch(r"(\w+) (\S+):(\d+) (\w+)", server)
        if match is not None and match[1] in _ROLES and match[4] in _SOCKETS:
            found.add(Announced(match[2].lower(), int(match[3]), match[1], _SOCKETS[match[4]], "autoconfig"))
    return sorted(found)


def disagreements(servers: Iterable[Announced]) -> list[str]:
    """Places that are announced for two protocols, or with two beginnings of TLS; in words."""
    by_place: dict[str, list[Announced]] = {}
    for server in servers:
        by_place.setdefault(server.place, []).append(server)
    found = []
    for place, of_place in by_place.items():
        said: dict[tuple[str, TLSMode], str] = {}
        for each in of_place:
            said.setdefault((each.protocol, each.tls), each.by)
        if len(said) > 1:
            words = [f"{protocol} with {_WORDS[tls]} ({by})" for (protocol, tls), by in sorted(said.items())]
            found.append(f"{place} is announced as {' and as '.join(words)}")
    return found


async def compare(servers: Sequence[Announced], unread: Sequence[Unmeasured], network: Network) -> list[Measurement]:
    """``discovery.answering``, ``.contradictions`` and ``.consistent`` of what is announced, at least one server.
    ``unread``: why further announcements could not be read, so that nobody takes what was found for all there is."""
    places: dict[str, list[Announced]] = {}
    for server in servers:
        places.setdefault(server.place, []).append(server)
    tried = dict(list(places.items())[:MAXIMUM_PLACES])
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look(of_place: list[Announced]) -> str | Unmeasured | None:
        async with turn:
            try:
                return await _contradiction(of_place, network)
            except Unmeasured as reason:
                return reason

    results = dict(zip(tried, await asyncio.gather(*map(look, tried.values())), strict=True))
    answering = tuple(sorted(place for place, result in results.items() if result is None))
    open_ = [f"{place}: {result}" for place, result in results.items() if isinstance(result, Unmeasured)]
    open_ += [f"not all was read: {reason}" for reason in unread]
    if len(places) > len(tried):
        open_.append(f"{len(places) - len(tried)} more were not tried")
    against = disagreements(servers)
    for place, result in results.items():
        if isinstance(result, str):
            against.append(f"{place} {result} ({', '.join(sorted({each.by for each in tried[place]}))})")
    remark = "; ".join(open_)[:1000]
    faults = [*(result for result in results.values() if isinstance(result, Unmeasured)), *unread]
    found = []
    if answering or not faults:
        found.append(Measurement("discovery.answering", answering, detail=remark))
    else:
        found.append(Measurement.missing("discovery.answering", faults[0].cause, remark))
    if against or not faults:
        found.append(Measurement("discovery.contradictions", tuple(sorted(against)), detail=remark))
        found.append(Measurement("discovery.consistent", not against, detail="; ".join(sorted(against))[:1000]))
    else:
        found += [
            Measurement.missing(f"discovery.{key}", faults[0].cause, remark) for key in ("contradictions", "consistent")
        ]
    return found


async def _contradiction(of_place: list[Announced], network: Network) -> str | None:
    """What contradicts the announcement of this place, in words; None when it takes connections. Raises ``Unmeasured``
    when that stays open."""
    first = of_place[0]
    try:
        if await network.accepted_before(first.host, first.port):
            return None  # another endpoint of this run has seen it, in more detail than is asked here
        connection = await network.dial(first.host, first.port)
    except Unmeasured as reason:
        if reason.cause is Cause.DNS_NXDOMAIN:
            return "is on a host that does not exist"
        failures = network.attempts(first.host, first.port).values()
        if failures and all(each is not None and each.cause is Cause.CONNECTION_REFUSED for each in failures):
            return "refuses connections"
        raise
    from probes.upgrade import dialogue_of

    async with connection:
        try:
            if {each.tls for each in of_place} == {"implicit"}:
                await connection.start_tls(first.host)
            dialogue = dialogue_of(Endpoint(_ROLES[first.protocol], host=first.host, port=first.port))(
                connection, network
            )
            with connection.step(_GREETING_SECONDS):
                async with dialogue.greeted():
                    await dialogue.leave()
        except Unmeasured as reason:
            if reason.cause is Cause.TLS_HANDSHAKE_ERROR and "plain text" in reason.detail:
                return "answers in plain text where TLS from the start is announced"
            network.note(f"{first.place} takes connections, then: {reason}", connection.number)
    return None
