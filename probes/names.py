"""The names around a mail host and a mail domain: addresses, reverse names, MX records in all their oddities, name
servers and the zone's SOA record.

DNS alone: nothing here connects to a mail server. NXDOMAIN and an empty answer are observed absence; SERVFAIL, REFUSED
and silence are causes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from probes import addresses
from probes.model import MAIL_ROLES, Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Answer, Network

_DOMAIN: frozenset[Role] = frozenset({"domain"})
_REVERSE: frozenset[Role] = frozenset({"mx", "submission"})

MAXIMUM_ADDRESSES = 8
"""Addresses of a host whose reverse names are asked for."""
MAXIMUM_REVERSE_NAMES = 10
"""Reverse names of one address that are followed."""
MAXIMUM_MX = 10
"""MX hosts that are looked up: the most preferred ones."""
MAXIMUM_NAME_SERVERS = 13

METRICS: tuple[Metric, ...] = (
    Metric(
        "dns.addresses",
        "integer",
        "IPv4 and IPv6 addresses of the endpoint's host.",
        reference="RFC 1035 §3.4.1, RFC 3596",
        roles=MAIL_ROLES,
    ),
    Metric(
        "dns.ipv6",
        "boolean",
        "Whether the endpoint's host has an IPv6 address.",
        reference="RFC 3596",
        roles=MAIL_ROLES,
    ),
    Metric(
        "dns.ptr",
        "set",
        f"Reverse names of the host's public addresses (the first {MAXIMUM_ADDRESSES}).",
        reference="RFC 1035 §3.5, RFC 3596 §2.5",
        roles=_REVERSE,
    ),
    Metric(
        "dns.forward_confirmed",
        "boolean",
        f"Whether every public address of the host (of the first {MAXIMUM_ADDRESSES}) has a reverse name that leads "
        "back to the address.",
        reference="RFC 1912 §2.1, RFC 8601 §2.7.3",
        roles=_REVERSE,
    ),
    Metric(
        "dns.mx_preferences",
        "integer",
        "Different preferences among the MX records; with 2 or more there are backup hosts.",
        reference="RFC 5321 §5.1",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.mx_duplicates",
        "set",
        "MX hosts that are listed more than once, with different preferences.",
        reference="RFC 5321 §5.1",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.mx_alias",
        "set",
        f"MX hosts (of the {MAXIMUM_MX} most preferred) that are aliases (CNAME), which they must not be.",
        reference="RFC 2181 §10.3, RFC 5321 §5.1",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.mx_literal",
        "set",
        "MX hosts that are written as IP addresses where a host name has to stand.",
        reference="RFC 1035 §3.3.9",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.mx_dangling",
        "set",
        f"MX hosts (of the {MAXIMUM_MX} most preferred) that do not exist or have no address.",
        reference="RFC 5321 §5.1",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.name_servers",
        "set",
        "Name servers of the zone that the domain is in.",
        reference="RFC 1034 §4.2.2, RFC 2182",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.name_servers_ipv6",
        "integer",
        f"How many of those name servers (of the first {MAXIMUM_NAME_SERVERS} by name) have an IPv6 address.",
        reference="RFC 3901",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.soa_expire",
        "integer",
        "How long secondary name servers go on answering when they cannot reach the primary one.",
        unit="s",
        reference="RFC 1035 §3.3.13, RFC 1912 §2.2",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.soa_negative_ttl",
        "integer",
        "How long resolvers may remember that a name of the zone does not exist (the SOA record's last field).",
        unit="s",
        reference="RFC 2308 §4",
        roles=_DOMAIN,
    ),
)

Finding = list[Measurement]


def _missing(keys: Iterable[str], reason: Unmeasured) -> Finding:
    return [Measurement.missing(key, reason.cause, reason.detail) for key in keys]


async def _all_or_cause(work: Iterable[Awaitable[Answer]]) -> list[Answer | Unmeasured]:
    """The answers side by side, those that did not come as their reasons."""

    async def one(each: Awaitable[Answer]) -> Answer | Unmeasured:
        try:
            return await each
        except Unmeasured as reason:
            return reason

    return await asyncio.gather(*map(one, work))


async def _guarded(keys: Sequence[str], work: Callable[[], Awaitable[Finding]]) -> Finding:
    """What ``work`` finds; a fault while doing so is the cause for all of ``keys``, and for nothing else."""
    try:
        return await work()
    except Unmeasured as reason:
        return _missing(keys, reason)


# --- a mail host ------------------------------------------------------------------------------------------------------


async def _host(host: str, network: Network) -> Finding:
    results = await _all_or_cause((network.resolve(host, "A"), network.resolve(host, "AAAA")))
    found: Finding = []
    four, six = results
    for answer in results:
        if not isinstance(answer, Unmeasured) and not answer.exists:
            reason = Unmeasured(Cause.DNS_NXDOMAIN, f"{printable(host, 255)} does not exist")
            return _missing(("dns.addresses", "dns.ipv6", *_REVERSE_KEYS), reason)
    if isinstance(six, Unmeasured):
        found += _missing(["dns.ipv6"], six)
    else:
        found.append(Measurement("dns.ipv6", bool(six.records)))
    for answer in (four, six):
        if isinstance(answer, Unmeasured):
            return found + _missing(("dns.addresses", *_REVERSE_KEYS), answer)
    every = [text for answer in results if not isinstance(answer, Unmeasured) for text in answer.records]
    found.append(Measurement("dns.addresses", len(every)))
    return found + await _reverse(every, network)


_REVERSE_KEYS = ("dns.ptr", "dns.forward_confirmed")


async def _reverse(texts: Sequence[str], network: Network) -> Finding:
    public = [
        address
        for text in texts
        if (address := addresses.literal(text)) is not None and addresses.blocked_reason(address) is None
    ]
    if not public:
        return _missing(_REVERSE_KEYS, Unmeasured(Cause.NOT_APPLICABLE, "the host has no public address"))
    public = public[:MAXIMUM_ADDRESSES]
    answers = await _all_or_cause(network.resolve(address.reverse_pointer, "PTR") for address in public)
    failed = [answer for answer in answers if isinstance(answer, Unmeasured)]
    names = sorted({_name(text) for answer in answers if not isinstance(answer, Unmeasured) for text in answer.records})
    found = _missing(["dns.ptr"], failed[0]) if failed else [Measurement("dns.ptr", tuple(names))]
    confirmed = await asyncio.gather(
        *(
            _confirmed(address, answer, network)
            for address, answer in zip(public, answers, strict=True)
            if not isinstance(answer, Unmeasured)
        )
    )
    not_confirmed = [str(address) for address, verdict in confirmed if verdict is False]
    unknown = [*failed, *(verdict for _, verdict in confirmed if isinstance(verdict, Unmeasured))]
    if not_confirmed:  # one address is enough to say no, whatever the others are
        return [
            *found,
            Measurement("dns.forward_confirmed", False, detail=f"not confirmed: {', '.join(not_confirmed)}"),
        ]
    if unknown:
        return found + _missing(["dns.forward_confirmed"], unknown[0])
    return [*found, Measurement("dns.forward_confirmed", True)]


async def _confirmed(
    address: addresses.IPAddress, reverse: Answer, network: Network
) -> tuple[addresses.IPAddress, bool | Unmeasured]:
    """Whether one of the reverse names has the address."""
    kind = "A" if address.version == 4 else "AAAA"
    names = [_name(text) for text in reverse.records[:MAXIMUM_REVERSE_NAMES]]
    answers = await _all_or_cause(network.resolve(name, kind) for name in names)
    unknown: bool | Unmeasured = False
    for answer in answers:
        if not isinstance(answer, Unmeasured):
            if any(addresses.literal(text) == address for text in answer.records):
                return address, True
        elif answer.cause is not Cause.DNS_NXDOMAIN:  # (a reverse name that can be no DNS name leads nowhere)
            unknown = answer
    return address, unknown


def _name(text: str) -> str:
    return printable(text.removesuffix(".").lower(), 255)


# --- MX records -------------------------------------------------------------------------------------------------------

_MX_KEYS = ("dns.mx_preferences", "dns.mx_duplicates", "dns.mx_literal")
_MX_HOST_KEYS = ("dns.mx_alias", "dns.mx_dangling")


class Exchanger(NamedTuple):
    """One MX record; ``host`` without its final dot, "" for the root."""

    preference: int
    host: str


def exchangers(answer: Answer) -> list[Exchanger]:
    """The MX records of an answer, the most preferred first."""
    found = []
    for record in answer.records:
        number, _, host = record.partition(" ")
        found.append(Exchanger(int(number), _name(host)))
    return sorted(found)


async def _mx(domain: str, network: Network) -> Finding:
    records = [each for each in exchangers(await network.resolve(domain, "MX")) if each.host]
    if not records:
        none = Unmeasured(Cause.NOT_APPLICABLE, "the domain has no MX host")
        return _missing((*_MX_KEYS, *_MX_HOST_KEYS), none)
    hosts = [each.host for each in records]
    literals = {host for host in hosts if addresses.literal(host) is not None}
    found = [
        Measurement("dns.mx_preferences", len({each.preference for each in records})),
        Measurement("dns.mx_duplicates", tuple(sorted({host for host in hosts if hosts.count(host) > 1}))),
        Measurement("dns.mx_literal", tuple(sorted(literals))),
    ]
    names = list(dict.fromkeys(host for host in hosts if host not in literals))[:MAXIMUM_MX]
    return found + await _mx_hosts(names, network)


async def _mx_hosts(names: Sequence[str], network: Network) -> Finding:
    four, six = await asyncio.gather(
        _all_or_cause(network.resolve(name, "A") for name in names),
        _all_or_cause(network.resolve(name, "AAAA") for name in names),
    )
    aliases = set()
    dangling = set()
    alias_unknown: list[Unmeasured] = []
    dangling_unknown: list[Unmeasured] = []
    for name, pair in zip(names, zip(four, six, strict=True), strict=True):
        answers = [answer for answer in pair if not isinstance(answer, Unmeasured)]
        problems = [answer for answer in pair if isinstance(answer, Unmeasured)]
        if not answers:
            alias_unknown += problems
        elif is_alias(answers[0]):
            aliases.add(name)
        if any(answer.records for answer in answers):
            continue
        if problems and not any(not answer.exists for answer in answers):
            dangling_unknown += problems
        else:
            dangling.add(name)
    found: Finding = []
    for key, seen, unknown in (
        ("dns.mx_alias", aliases, alias_unknown),
        ("dns.mx_dangling", dangling, dangling_unknown),
    ):
        found += _missing([key], unknown[0]) if unknown else [Measurement(key, tuple(sorted(seen)))]
    return found


def is_alias(answer: Answer) -> bool:
    """Whether the name that was asked for is an alias (CNAME) of another."""
    return canonical_name(answer) != answer.name


def canonical_name(answer: Answer) -> str:
    """The name at the end of the answer's chain of aliases, in lower case without the final dot."""
    import dns.exception
    import dns.message

    message = answer.message
    if not isinstance(message, dns.message.QueryMessage):
        return answer.name
    try:
        name = message.canonical_name()
    except dns.exception.DNSException as error:
        raise Unmeasured(Cause.DNS_SERVFAIL, f"{answer.name}: {printable(str(error), 200)}") from None
    return _name(name.to_text())


# --- the zone ---------------------------------------------------------------------------------------------------------

_NS_KEYS = ("dns.name_servers", "dns.name_servers_ipv6")
_SOA_KEYS = ("dns.soa_expire", "dns.soa_negative_ttl")


async def top_of_zone(domain: str, kind: str, network: Network) -> tuple[str, tuple[str, ...]]:
    """The top of the zone that the domain is in, and its records: the domain or its nearest parent that has some, but
    for top-level domains, which are somebody else's."""
    labels = domain.split(".")
    for at in range(max(1, len(labels) - 1)):
        name = ".".join(labels[at:])
        answer = await network.resolve(name, kind)
        if not answer.exists and at == 0:
            raise Unmeasured(Cause.DNS_NXDOMAIN, f"{printable(domain, 255)} does not exist")
        if answer.records and not is_alias(answer):
            return name, answer.records
    raise Unmeasured(Cause.NOT_APPLICABLE, f"no {kind} record at the domain or at a parent below the top level")


async def _name_servers(domain: str, network: Network) -> Finding:
    _, records = await top_of_zone(domain, "NS", network)
    hosts = sorted(set(map(_name, records)))
    found: Finding = [Measurement("dns.name_servers", tuple(hosts))]
    answers = await _all_or_cause(network.resolve(host, "AAAA") for host in hosts[:MAXIMUM_NAME_SERVERS])
    for answer in answers:
        if isinstance(answer, Unmeasured):
            return found + _missing(["dns.name_servers_ipv6"], answer)
    six = sum(bool(answer.records) for answer in answers if not isinstance(answer, Unmeasured))
    return [*found, Measurement("dns.name_servers_ipv6", six)]


async def _soa(domain: str, network: Network) -> Finding:
    _, records = await top_of_zone(domain, "SOA", network)
    *_, expire, minimum = records[0].split()
    return [Measurement("dns.soa_expire", int(expire)), Measurement("dns.soa_negative_ttl", int(minimum))]


# --- the probe --------------------------------------------------------------------------------------------------------


class NamesProbe:
    """Addresses and reverse names of mail hosts; MX records, name servers and SOA record of mail domains."""

    name = "names"
    roles = MAIL_ROLES | _DOMAIN
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """The metrics of the endpoint's role, each with its value or cause."""
        if endpoint.role == "domain":
            domain = named(endpoint.domain, "domain")
            parts = await asyncio.gather(
                _guarded((*_MX_KEYS, *_MX_HOST_KEYS), lambda: _mx(domain, network)),
                _guarded(_NS_KEYS, lambda: _name_servers(domain, network)),
                _guarded(_SOA_KEYS, lambda: _soa(domain, network)),
            )
            return [measurement for part in parts for measurement in part]
        host = endpoint.host
        literal = addresses.literal(host)
        if literal is None:
            found = await _host(named(host, "host"), network)
        else:
            none = Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is named by its address")
            found = _missing(("dns.addresses", "dns.ipv6"), none) + await _reverse([str(literal)], network)
        applying = {metric.key for metric in METRICS if metric.roles is None or endpoint.role in metric.roles}
        return [each for each in found if each.metric in applying]


def named(text: str, what: str) -> str:
    """The host or domain name to ask DNS about. ``Unmeasured(not_applicable)`` for what is in no DNS: IP addresses,
    localhost (RFC 6761 §6.3), and what is no name at all."""
    if addresses.literal(text) is not None:
        raise Unmeasured(Cause.NOT_APPLICABLE, f"the {what} is an IP address")
    try:
        name = addresses.host_name(text)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_APPLICABLE, f"not a {what} name: {error}") from None
    if addresses.is_localhost(name):
        raise Unmeasured(Cause.NOT_APPLICABLE, f"{name} is not in DNS")
    return name
