"""The delegation of a mail domain's zone: its name servers are asked themselves, one by one.

What a resolver says of a zone is one server's word, and hides a server that is dead, that does not know the zone, or
that still serves last week's. A server that gives no answer at all is a cause, not a finding: the way to it may be the
trouble. One that answers without authority is lame.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from probes import addresses
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.names import MAXIMUM_NAME_SERVERS, is_alias, named, top_of_zone
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Network, ServerAnswer

T = TypeVar("T")

_DOMAIN: frozenset[Role] = frozenset({"domain"})

MAXIMUM_PARENT_SERVERS = 3
"""Name servers of the parent zone that are asked, one after the other, until one says what it delegates to."""

METRICS: tuple[Metric, ...] = (
    Metric(
        "delegation.name_servers_answering",
        "integer",
        "How many name servers of the domain's zone answer for it with authority (AA) when they are asked themselves; "
        "those that the parent zone names are asked too.",
        reference="RFC 1034 §4.2.2, RFC 2182",
    ),
    Metric(
        "delegation.lame",
        "set",
        "Name servers of the zone that answer, but not with authority for it, or whose names do not exist.",
        reference="RFC 9499 §7, RFC 1912 §2.8",
    ),
    Metric(
        "delegation.consistent",
        "boolean",
        "Whether all the name servers show the same serial number of the zone (it may differ for the moment after a "
        "change).",
        reference="RFC 1034 §4.3.5, RFC 1035 §3.3.13",
    ),
    Metric(
        "delegation.parent_matches",
        "boolean",
        "Whether the parent zone delegates to just those name servers that the zone itself names.",
        reference="RFC 1034 §4.2.2",
    ),
    Metric(
        "delegation.ipv4_reachable",
        "boolean",
        "Whether at least one name server of the zone answers with authority over IPv4.",
        reference="RFC 3901",
    ),
    Metric(
        "delegation.ipv6_reachable",
        "boolean",
        "Whether at least one name server of the zone answers with authority over IPv6.",
        reference="RFC 3901",
    ),
    Metric(
        "delegation.networks",
        "integer",
        "Different networks (IPv4 /24, IPv6 /48) that the answering name servers stand in, counted for the IP version "
        "with more of them.",
        reference="RFC 2182 §3.1",
    ),
)
_PARENT_KEY = "delegation.parent_matches"
_SERVER_KEYS = tuple(metric.key for metric in METRICS if metric.key != _PARENT_KEY)


@dataclasses.dataclass(frozen=True, slots=True)
class _Answer:
    """What came of asking at one address. ``serial``: of an answer with authority, else None. ``lame``: what makes it
    none. ``unknown``: why no answer came."""

    address: addresses.IPAddress
    serial: int | None = None
    lame: str = ""
    unknown: Unmeasured | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Server:
    """A name server by its name; ``unknown``: why there is no address to ask; ``gone``: its name does not exist."""

    name: str
    answers: tuple[_Answer, ...] = ()
    unknown: Unmeasured | None = None
    gone: bool = False

    @property
    def works(self) -> bool:
        """Whether it answers with authority, at one address at least."""
        return any(answer.serial is not None for answer in self.answers)

    @property
    def lame(self) -> str:
        """What is lame about it, "" when nothing is known to be."""
        if self.gone and self.unknown is not None:
            return self.unknown.detail
        said = [f"{self.name} ({answer.address}): {answer.lame}" for answer in self.answers if answer.lame]
        return "; ".join(said)

    @property
    def problem(self) -> Unmeasured | None:
        """Why nothing at all is known of it; None when something is."""
        if self.works or self.lame:
            return None
        problems = [answer.unknown for answer in self.answers if answer.unknown is not None]
        return self.unknown or next(iter(problems), None)


class DelegationProbe:
    """The name servers of a domain's zone, asked one by one."""

    name = "delegation"
    roles = _DOMAIN
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, each with its value or cause."""
        domain = named(endpoint.domain, "domain")
        zone, records = await top_of_zone(domain, "NS", network)
        child = {_name(record) for record in records}
        parent = await _or_cause(_delegated(zone, network))
        known = child | (parent if isinstance(parent, set) else set())
        servers = await asyncio.gather(*(_ask(name, zone, network) for name in sorted(known)[:MAXIMUM_NAME_SERVERS]))
        return [_parent_matches(child, parent), *_of_servers(zone, servers)]


# --- asking -----------------------------------------------------------------------------------------------------------


def _name(text: str) -> str:
    return printable(text.removesuffix(".").lower(), 255)


async def _or_cause(work: Awaitable[T]) -> T | Unmeasured:
    try:
        return await work
    except Unmeasured as reason:
        return reason


async def _ask(name: str, zone: str, network: Network) -> _Server:
    """Ask one name server for the zone's SOA record, at its first address of each IP version."""
    try:
        found = await network.addresses(name)
    except Unmeasured as reason:
        return _Server(name, unknown=reason, gone=reason.cause is Cause.DNS_NXDOMAIN)
    literals = [address for text in found if (address := addresses.literal(text)) is not None]
    first = {address.version: address for address in reversed(literals)}
    answers = await asyncio.gather(*(_ask_at(first[version], zone, network) for version in sorted(first)))
    return _Server(name, tuple(answers))


async def _ask_at(address: addresses.IPAddress, zone: str, network: Network) -> _Answer:
    try:
        answer = await network.ask_server(str(address), zone, "SOA")
    except Unmeasured as reason:
        return _Answer(address, unknown=reason)
    if answer.code == "SERVFAIL":  # lame, or in trouble for the moment
        return _Answer(address, unknown=Unmeasured(Cause.DNS_SERVFAIL, f"{address}: SERVFAIL"))
    if answer.code != "NOERROR":
        return _Answer(address, lame=answer.code)
    if not answer.authoritative:
        return _Answer(address, lame="no authority")
    if not answer.records:
        return _Answer(address, lame="no SOA record")
    return _Answer(address, serial=int(answer.records[0].split()[2]))


async def _delegated(zone: str, network: Network) -> set[str]:
    """The name servers that the parent zone delegates the zone to, from a name server of the parent."""
    problem = Unmeasured(Cause.NOT_APPLICABLE, "the parent zone's name servers serve the zone themselves")
    for address in await _parent_addresses(zone, network):
        try:
            answer = await network.ask_server(address, zone, "NS")
        except Unmeasured as reason:
            problem = reason
            continue
        if answer.code == "NOERROR" and not answer.authoritative and answer.referral:
            return set(map(_name, answer.referral))
        if not (answer.authoritative and answer.records):
            problem = Unmeasured(
                Cause.DNS_SERVFAIL, f"{address}, of the parent zone, shows no delegation ({_said(answer)})"
            )
    raise problem


def _said(answer: ServerAnswer) -> str:
    return answer.code if answer.code != "NOERROR" else "no records"


async def _parent_addresses(zone: str, network: Network) -> list[str]:
    """One address of each of the first name servers of the nearest zone above."""
    labels = zone.split(".")
    for at in range(1, len(labels)):
        answer = await network.resolve(".".join(labels[at:]), "NS")
        if answer.records and not is_alias(answer):
            hosts = sorted(set(map(_name, answer.records)))[:MAXIMUM_PARENT_SERVERS]
            found = await asyncio.gather(*(_or_cause(network.addresses(host)) for host in hosts))
            first = [each[0] for each in found if not isinstance(each, Unmeasured)]
            if not first:
                raise next(each for each in found if isinstance(each, Unmeasured))
            return list(dict.fromkeys(first))
    raise Unmeasured(Cause.DNS_SERVFAIL, f"no zone above {printable(zone, 255)} is found")


# --- what it comes to -------------------------------------------------------------------------------------------------


def _parent_matches(child: set[str], parent: set[str] | Unmeasured) -> Measurement:
    if isinstance(parent, Unmeasured):
        return Measurement.missing(_PARENT_KEY, parent.cause, parent.detail)
    said = []
    if parent - child:
        said.append(f"only the parent names {', '.join(sorted(parent - child))}")
    if child - parent:
        said.append(f"only the zone names {', '.join(sorted(child - parent))}")
    return Measurement(_PARENT_KEY, not said, detail=printable("; ".join(said), 500))


def _of_servers(zone: str, servers: Sequence[_Server]) -> list[Measurement]:
    working = [server for server in servers if server.works]
    lame = {server.name: server.lame for server in servers if server.lame}
    problems = [(server.name, problem) for server in servers if (problem := server.problem) is not None]
    if not working and not problems:
        # A resolver found the zone, so somebody does answer for it: more likely something on the way answers in the
        # place of all of them than that all of them are lame.
        why = f"no name server answers for {zone} with authority, though a resolver finds the zone"
        problems = [("", Unmeasured(Cause.DNS_SERVFAIL, why))]
    unknown: Unmeasured | None = None
    if problems:
        name, first = problems[0]
        seen = f"{len(working)} of {len(servers)} name servers answer"
        unknown = Unmeasured(first.cause, f"{name}: {first.detail}; {seen}" if name else first.detail)
    serials = {answer.serial for server in working for answer in server.answers if answer.serial is not None}
    found = [
        _unless(unknown, Measurement("delegation.name_servers_answering", len(working))),
        _unless(
            unknown,
            Measurement("delegation.lame", tuple(sorted(lame)), detail=printable("; ".join(lame.values()), 500)),
        ),
        _reachable(4, servers, unknown if not working else None),
        _reachable(6, servers, unknown if not working else None),
        _unless(unknown if not working else None, Measurement("delegation.networks", _networks(working))),
    ]
    if len(serials) > 1:  # two are enough to say no, whatever the others show
        shown = ", ".join(map(str, sorted(serials)))
        return [*found, Measurement("delegation.consistent", False, detail=f"serial numbers {shown}")]
    return [*found, _unless(unknown, Measurement("delegation.consistent", True))]


def _unless(unknown: Unmeasured | None, measurement: Measurement) -> Measurement:
    return measurement if unknown is None else Measurement.missing(measurement.metric, unknown.cause, unknown.detail)


def _reachable(version: Literal[4, 6], servers: Sequence[_Server], unknown: Unmeasured | None) -> Measurement:
    """Whether one answers over this IP version: no, only when none has such an address or all that have are lame."""
    key = f"delegation.ipv{version}_reachable"
    answers = [answer for server in servers for answer in server.answers if answer.address.version == version]
    if any(answer.serial is not None for answer in answers):
        return Measurement(key, True)
    problems = [answer.unknown for answer in answers if answer.unknown is not None]
    problems += [server.unknown for server in servers if server.unknown is not None and not server.gone]
    problem = next(iter(problems), unknown)
    if problem is not None:
        return Measurement.missing(key, problem.cause, problem.detail)
    return Measurement(key, False, detail="" if answers else f"no name server has an IPv{version} address")


def _networks(working: Iterable[_Server]) -> int:
    found = {
        ipaddress.ip_network((answer.address, 24 if answer.address.version == 4 else 48), strict=False)
        for server in working
        for answer in server.answers
        if answer.serial is not None
    }
    return max((sum(network.version == version for network in found) for version in (4, 6)), default=0)
