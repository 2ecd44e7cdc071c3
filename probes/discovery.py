"""How a mail client that knows only an address finds the servers: SRV records, autoconfig, Autodiscover, JMAP.

NXDOMAIN, an empty answer, HTTP 404 and a complete answer that is something else are observed absence; everything else
that stands in the way is a cause. Only what clients may use counts: over HTTPS, from a host whose certificate is
trusted and for its name. Nothing is posted, and no mail address is sent.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from probes import addresses
from probes.announced import MAXIMUM_PLACES, announced, compare
from probes.certificate import load, name_matches, trust_error
from probes.http import follow
from probes.markup import parse_xml, text_of
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import HTTPResponse, Network

_DOMAIN: frozenset[Role] = frozenset({"domain"})

SERVICES: dict[str, tuple[str, str]] = {
    "submissions": ("submission with TLS from the start", "RFC 8314 §5.1"),
    "submission": ("submission with STARTTLS", "RFC 6186 §3.1"),
    "imaps": ("IMAP with TLS from the start", "RFC 6186 §3.2"),
    "imap": ("IMAP with STARTTLS", "RFC 6186 §3.2"),
    "pop3s": ("POP3 with TLS from the start", "RFC 6186 §3.3"),
    "pop3": ("POP3 with STARTTLS", "RFC 6186 §3.3"),
    "sieve": ("ManageSieve", "RFC 5804 §1.8"),
}
"""Service with an SRV record ``_service._tcp`` → what it is and where that is defined."""
_JMAP = "jmap"

MAXIMUM_TARGETS = 20
"""SRV records of one service that are listed."""
MAXIMUM_SERVERS = 50
"""Servers of one autoconfig file that are listed."""

METRICS: tuple[Metric, ...] = (
    Metric(
        "discovery.srv",
        "set",
        'Servers that SRV records name, as "service host:port", over all services asked for (those below and jmap).',
        reference="RFC 6186 §3",
    ),
    *(
        Metric(
            f"discovery.{service}",
            "boolean",
            f"Whether an SRV record _{service}._tcp offers {what}; false when there is none and when it says that the "
            "service is not offered (a target of one dot).",
            reference=reference,
        )
        for service, (what, reference) in SERVICES.items()
    ),
    Metric(
        "discovery.autoconfig",
        "boolean",
        "Whether a configuration for mail clients lies at autoconfig.DOMAIN or in the domain's .well-known, over "
        "HTTPS with a trusted certificate.",
        reference="draft-ietf-mailmaint-autoconfig",
    ),
    Metric(
        "discovery.autoconfig_servers",
        "set",
        'Servers that this configuration names, as "protocol host:port socket type"; what is no valid server is left '
        "out.",
        reference="draft-ietf-mailmaint-autoconfig",
    ),
    Metric(
        "discovery.autodiscover",
        "boolean",
        "Whether DNS leads to Microsoft's Autodiscover: an SRV record _autodiscover._tcp, or a host "
        "autodiscover.DOMAIN (an alias or an address) that not every name of the domain has. Nothing is sent there.",
        reference="MS-OXDISCO",
    ),
    Metric(
        "discovery.jmap",
        "boolean",
        "Whether the host of the SRV record _jmap._tcp, or else the domain itself, has a JMAP session at "
        "/.well-known/jmap: a session object, or 401 with a challenge, over HTTPS with a trusted certificate.",
        reference="RFC 8620 §2.2",
    ),
    Metric(
        "discovery.answering",
        "set",
        'Servers that SRV records or the autoconfig file name, as "host:port", and that take connections, of at most '
        f"{MAXIMUM_PLACES} that were tried. The detail says what became of the others. Not applicable when none is "
        "named.",
        reference="RFC 6186 §3.4",
    ),
    Metric(
        "discovery.contradictions",
        "set",
        "What contradicts those announcements, each with who announces it: a server that refuses connections, one on a "
        "host that does not exist, one that answers in plain text where TLS from the start is announced, and a place "
        "that is announced in two ways that exclude each other. Empty when all announcements were read and every named "
        "server takes connections; where nothing is wrong but a server or an announcement stays open, its cause.",
        reference="RFC 6186 §3.4, RFC 8314 §5.1",
    ),
    Metric(
        "discovery.consistent",
        "boolean",
        "Whether there are no such contradictions.",
        reference="RFC 6186 §3.4",
    ),
)


def _absent(key: str, why: str) -> Measurement:
    return Measurement(key, False, detail=why)


def _missing(keys: Sequence[str], reason: Unmeasured) -> list[Measurement]:
    return [Measurement.missing(key, reason.cause, reason.detail) for key in keys]


async def _caught(work: Awaitable[tuple[str, ...]]) -> tuple[str, ...] | Unmeasured:
    """The result, or the cause as a value, so that one question that fails costs no other its answer."""
    try:
        return await work
    except Unmeasured as reason:
        return reason


# --- SRV --------------------------------------------------------------------------------------------------------------


async def targets(service: str, domain: str, network: Network) -> tuple[str, ...]:
    """The "host:port" that SRV records of a service name, the preferred first; ("",) when they say that it is not
    offered, () when there is none. Records that name no valid host and port are left out."""
    answer = await network.resolve(f"_{service}._tcp.{domain}", "SRV")
    found: list[tuple[int, int, str]] = []
    denied = False
    for record in answer.records[:MAXIMUM_TARGETS]:
        match = re.fullmatch(r"(\d{1,5}) (\d{1,5}) (\d{1,5}) (\S+)", record)
        if match is None:
            continue
        if match[4] == ".":
            denied = True
            continue
        try:
            host = addresses.host_name(match[4])
        except ValueError:
            continue
        if 0 < int(match[3]) < 65536:
            found.append((int(match[1]), -int(match[2]), f"{host}:{int(match[3])}"))
    if not found and denied:
        return ("",)
    return tuple(dict.fromkeys(place for _, _, place in sorted(found)))


def _services(found: dict[str, tuple[str, ...] | Unmeasured]) -> list[Measurement]:
    """``discovery.srv`` and one boolean a service."""
    measured: list[Measurement] = []
    for service in SERVICES:
        key, places = f"discovery.{service}", found[service]
        if isinstance(places, Unmeasured):
            measured += _missing([key], places)
        elif places == ("",):
            measured.append(_absent(key, "the record says that it is not offered"))
        else:
            measured.append(Measurement(key, bool(places), detail=", ".join(places[:3])))
    listed: set[str] = set()
    for service, places in found.items():
        if isinstance(places, Unmeasured):
            return [*measured, *_missing(["discovery.srv"], places)]
        listed |= {f"{service} {place}" for place in places if place}
    return [*measured, Measurement("discovery.srv", tuple(sorted(listed)))]


# --- HTTPS ------------------------------------------------------------------------------------------------------------


async def _fetch(url: str, network: Network) -> HTTPResponse | str:
    """What a client gets at this URL, or in words why it gets nothing. ``Unmeasured`` when a fault on the way leaves
    that open."""
    try:
        responses, dead_end = await follow(url, network)
    except Unmeasured as reason:
        if reason.cause is Cause.DNS_NXDOMAIN:
            return reason.detail or "the host does not exist"
        raise
    if dead_end is not None:
        raise dead_end
    for response in responses:
        mistrust = _mistrust(response, network)
        if mistrust:
            return mistrust
    last = responses[-1]
    shown = printable(last.url, 120)
    if last.status in (404, 410):
        return f"{shown} answers with HTTP {last.status}"
    if last.status == 429:
        raise Unmeasured(Cause.THROTTLED, f"{shown} answers with HTTP 429")
    if last.status not in (200, 401):
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"{shown} answers with HTTP {last.status}")
    return last


def _mistrust(response: HTTPResponse, network: Network) -> str:
    """Why a client would not believe this response; "" when it would."""
    host = addresses.split_url(response.url)[1]
    if response.tls is None:
        return f"{host} answers without TLS"
    error = trust_error(response.tls.chain, network.options.ca_file)
    if error != "none":
        return f"the certificate of {host} is not trusted: {error}"
    return "" if name_matches(load(response.tls.chain[0]), host) else f"the certificate is not for {host}"


# --- autoconfig -------------------------------------------------------------------------------------------------------

_SOCKETS = {"ssl": "SSL", "starttls": "STARTTLS", "plain": "plain"}
_PROTOCOLS = frozenset({"imap", "pop3", "smtp"})


def parse_autoconfig(body: bytes, domain: str) -> tuple[str, ...] | str:
    """The servers that an autoconfig file names, or in words why it is none. ``Unmeasured`` for a file with a document
    type or of a size that we do not read: others may."""
    try:
        root = parse_xml(body)
    except ValueError as error:
        if b"clientConfig" in body.replace(b"\0", b""):  # in UTF-16 too
            raise Unmeasured(
                Cause.PROTOCOL_ERROR, f"a configuration that is not read: {printable(str(error), 200)}"
            ) from None
        return f"what is there is no configuration: {printable(str(error), 200)}"
    provider = root.find("emailProvider") if root.tag == "clientConfig" else None
    if provider is None:
        return "what is there is no configuration"
    servers = [*provider.findall("incomingServer"), *provider.findall("outgoingServer")]
    if not servers:
        return "the configuration names no server"
    return tuple(sorted({text for each in servers[:MAXIMUM_SERVERS] if (text := _server(each, domain))}))


def _server(server: Element, domain: str) -> str:
    """ "smtp host:port SSL", or "" for what is no such server."""
    protocol = server.get("type", "").strip().lower()
    socket = _SOCKETS.get(text_of(server, "socketType").lower())
    port = text_of(server, "port")
    if protocol not in _PROTOCOLS or socket is None or re.fullmatch(r"[0-9]{1,5}", port) is None:
        return ""
    try:
        host = addresses.host_name(text_of(server, "hostname").replace("%EMAILDOMAIN%", domain))
    except ValueError:
        return ""
    return f"{protocol} {host}:{int(port)} {socket}" if 0 < int(port) < 65536 else ""


async def _autoconfig(domain: str, network: Network, port: int) -> list[Measurement]:
    keys = ["discovery.autoconfig", "discovery.autoconfig_servers"]
    places = (
        f"https://{_place(f'autoconfig.{domain}', port)}/mail/config-v1.1.xml",
        f"https://{_place(domain, port)}/.well-known/autoconfig/mail/config-v1.1.xml",
    )

    async def look(url: str) -> tuple[str, ...] | str | Unmeasured:
        try:
            response = await _fetch(url, network)
            if isinstance(response, str):
                return response
            if response.status != 200:
                return Unmeasured(Cause.PROTOCOL_ERROR, f"{url} answers with HTTP {response.status}")
            if response.truncated:
                return Unmeasured(Cause.REPLY_TOO_LONG, f"{url} is longer than {len(response.body)} bytes")
            return parse_autoconfig(response.body, domain)
        except Unmeasured as reason:
            return reason

    found = await asyncio.gather(*map(look, places))
    for url, servers in zip(places, found, strict=True):
        if isinstance(servers, tuple):
            return [Measurement(keys[0], True, detail=url), Measurement(keys[1], servers, detail=url)]
    for reason in found:
        if isinstance(reason, Unmeasured):
            return _missing(keys, reason)
    why = "; ".join(str(each) for each in found)
    return [_absent(keys[0], why), Measurement.missing(keys[1], Cause.NOT_APPLICABLE, "there is no configuration")]


def _place(host: str, port: int) -> str:
    return host if port == 443 else f"{host}:{port}"


# --- Autodiscover -----------------------------------------------------------------------------------------------------


async def _autodiscover(domain: str, network: Network) -> Measurement:
    key = "discovery.autodiscover"
    host = f"autodiscover.{domain}"

    async def named(name: str) -> tuple[str, ...]:
        """The alias or the addresses of a name."""
        answers = await asyncio.gather(*(_caught(_records(name, kind, network)) for kind in ("CNAME", "A", "AAAA")))
        for records in answers:
            if isinstance(records, tuple) and records:
                return records
        for problem in answers:
            if isinstance(problem, Unmeasured):
                raise problem
        return ()

    places, records = await asyncio.gather(_caught(targets("autodiscover", domain, network)), _caught(named(host)))
    if isinstance(places, tuple) and any(places):
        return Measurement(key, True, detail=", ".join(places[:3]))
    if isinstance(records, tuple) and records:
        # Where every name exists, this one says nothing.
        other = await _caught(named(f"{network.random('a name that does not exist', 8).hex()}.{domain}"))
        if isinstance(other, Unmeasured):
            return Measurement.missing(key, other.cause, other.detail)
        if not other:
            return Measurement(key, True, detail=f"{host}: {printable(records[0], 255)}")
        records = ()
    for problem in (places, records):
        if isinstance(problem, Unmeasured):
            return Measurement.missing(key, problem.cause, problem.detail)
    return _absent(key, "no record, or only one for every name of the domain")


async def _records(name: str, kind: str, network: Network) -> tuple[str, ...]:
    return (await network.resolve(name, kind)).records


# --- JMAP -------------------------------------------------------------------------------------------------------------


async def _jmap(domain: str, srv: tuple[str, ...] | Unmeasured, network: Network, port: int) -> Measurement:
    key = "discovery.jmap"
    if srv == ("",):
        return _absent(key, "the SRV record says that it is not offered")
    # A record says where it is; clients that find none try the domain.
    place = srv[0].removesuffix(":443") if isinstance(srv, tuple) and srv else _place(domain, port)
    try:
        response = await _fetch(f"https://{place}/.well-known/jmap", network)
        why_not = response if isinstance(response, str) else _no_session(response)
        if why_not and isinstance(srv, Unmeasured):
            raise srv  # the record might have led elsewhere
    except Unmeasured as reason:
        return Measurement.missing(key, reason.cause, reason.detail)
    return _absent(key, why_not) if why_not else Measurement(key, True, detail=f"at {place}")


def _no_session(response: HTTPResponse) -> str:
    """Why a response is no JMAP session; "" when it is one, or asks for the credentials to see it. Raises
    ``Unmeasured`` for a body that is too long."""
    if response.status == 401:
        # RFC 9110 §11.6.1: a 401 without a challenge is nobody's answer to a client.
        return "" if response.headers.get("www-authenticate") else "401 without a challenge"
    if response.truncated:
        raise Unmeasured(Cause.REPLY_TOO_LONG, f"longer than {len(response.body)} bytes")
    if b"urn:ietf:params:jmap:core" not in response.body:
        return "what is there is no session object"
    try:
        session = json.loads(response.body)
    except (ValueError, RecursionError):
        return "what is there is not JSON"
    capabilities = session.get("capabilities") if isinstance(session, dict) else None
    known = isinstance(capabilities, dict) and "urn:ietf:params:jmap:core" in capabilities
    return "" if known and isinstance(session.get("apiUrl"), str) else "what is there is no session object"


# --- the probe --------------------------------------------------------------------------------------------------------


class DiscoveryProbe:
    """Automatic configuration of mail clients. ``https_port``: where the domain's web servers listen (443 for all the
    world; tests and labs can't always have it)."""

    name = "discovery"
    roles = _DOMAIN
    metrics = METRICS

    def __init__(self, https_port: int = 443) -> None:
        self._port = https_port

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All metrics, each with its value or cause; the questions are asked side by side."""
        try:
            domain = addresses.host_name(endpoint.domain)
        except ValueError as error:
            raise Unmeasured(Cause.NOT_APPLICABLE, f"not a domain name: {error}") from None

        async def srv() -> tuple[dict[str, tuple[str, ...] | Unmeasured], list[Measurement]]:
            names = (*SERVICES, _JMAP)
            found = await asyncio.gather(*(_caught(targets(name, domain, network)) for name in names))
            records = dict(zip(names, found, strict=True))
            return records, [*_services(records), await _jmap(domain, records[_JMAP], network, self._port)]

        (records, services), configuration, autodiscover = await asyncio.gather(
            srv(), _autoconfig(domain, network, self._port), _autodiscover(domain, network)
        )
        return [*services, *configuration, autodiscover, *await _compared(records, configuration, network)]


async def _compared(
    records: dict[str, tuple[str, ...] | Unmeasured], configuration: list[Measurement], network: Network
) -> list[Measurement]:
    """What becomes of the servers that are named."""
    listed = next(each for each in configuration if each.metric == "discovery.autoconfig_servers")
    named = listed.value if isinstance(listed.value, tuple) else ()
    servers = announced(((name, places) for name, places in records.items() if isinstance(places, tuple)), named)
    unread = [places for name, places in records.items() if isinstance(places, Unmeasured) and name in SERVICES]
    if listed.cause is not None and listed.cause is not Cause.NOT_APPLICABLE:
        unread.append(Unmeasured(listed.cause, listed.detail))
    if servers:
        return await compare(servers, unread, network)
    keys = ["discovery.answering", "discovery.contradictions", "discovery.consistent"]
    if unread:
        return _missing(keys, unread[0])
    return _missing(keys, Unmeasured(Cause.NOT_APPLICABLE, "neither SRV records nor autoconfig name a server"))
