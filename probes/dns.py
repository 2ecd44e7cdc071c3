"""A mail domain's DNS: where its mail goes, who may send for it, and what its policies ask of others.

NXDOMAIN and an empty answer are observed absence; SERVFAIL, REFUSED and silence are causes. The parts (MX, SPF, DMARC
…) are independent: a name server that fails for one name costs only what depends on it. The one thing that is not DNS
is the MTA-STS policy file, which its RFC puts on an HTTPS server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from probes import addresses, dkim, policies, spf
from probes.certificate import dns_name_matches, load, name_matches, trust_error
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured, Value
from probes.names import canonical_name
from probes.policies import DMARCRecord, STSPolicy
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Answer, Network

_DOMAIN: frozenset[Role] = frozenset({"domain"})
_SENDING: frozenset[Role] = frozenset({"sending"})

MAXIMUM_MX = 50
"""MX hosts that are listed and matched."""
IPV6_MX = 10
"""MX hosts whose IPv6 addresses are asked for."""
MAXIMUM_REPORT_DOMAINS = 5
_RECORD_CHARACTERS = 1000

METRICS: tuple[Metric, ...] = (
    Metric(
        "dns.mx_hosts",
        "set",
        "Hosts that take mail for the domain; empty when it has no MX record or a null MX.",
        reference="RFC 5321 §5.1",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.mx_null",
        "boolean",
        "Whether the domain says that it takes no mail (a single MX record with the root as its host).",
        reference="RFC 7505",
        roles=_DOMAIN,
    ),
    Metric(
        "dns.addresses_ipv6",
        "boolean",
        f"Whether at least one of the MX hosts (the first {IPV6_MX} by name) has an IPv6 address.",
        reference="RFC 3596",
        roles=_DOMAIN,
    ),
    Metric(
        "spf.present", "boolean", "Whether an SPF record is published, a faulty one too.", reference="RFC 7208 §4.5"
    ),
    Metric("spf.record", "text", "The SPF record as published, for display.", reference="RFC 7208 §3"),
    Metric(
        "spf.valid",
        "boolean",
        "Whether exactly one SPF record is published that evaluates without a permerror: syntax, every include and "
        "redirect, at most 10 look-ups and 2 empty answers. What depends on the message (macros) is not judged.",
        reference="RFC 7208 §4.6",
    ),
    Metric(
        "spf.error",
        "text",
        "Why an evaluator has to call it a permerror; none when it need not.",
        reference="RFC 7208 §2.6.7",
    ),
    Metric(
        "spf.bytes",
        "integer",
        "Size of the SPF record.",
        unit="B",
        reference="RFC 7208 §3.4",
    ),
    Metric(
        "spf.answer_bytes",
        "integer",
        "Size of the name and of all its TXT records, of which the SPF record is one; up to 450 B they are sure to fit "
        "into a single UDP packet.",
        unit="B",
        reference="RFC 7208 §3.4",
    ),
    Metric(
        "spf.lookups",
        "integer",
        "Terms that ask DNS, over the whole tree of includes and redirects (10 are allowed). Counting stops at "
        f"{spf.COUNTED}, which then means that many or more.",
        reference="RFC 7208 §4.6.4",
        roles=_DOMAIN,
    ),
    Metric(
        "spf.void_lookups",
        "integer",
        "Look-ups of that tree with an empty answer (2 are allowed).",
        reference="RFC 7208 §4.6.4",
    ),
    Metric(
        "spf.all",
        "level",
        "What the SPF record says of all other senders, redirects followed: +all anybody may send, none nothing is "
        "said, ?all neutral, ~all probably not, -all nobody; absent: there is no SPF record.",
        reference="RFC 7208 §5.1, §8",
        levels=("+all", "absent", "none", "?all", "~all", "-all"),
        roles=_DOMAIN,
    ),
    Metric(
        "spf.include_lookups",
        "integer",
        "How many of a customer's 10 SPF look-ups including this name takes: 1 for the include and its whole tree.",
        reference="RFC 7208 §4.6.4",
        roles=_SENDING,
    ),
    Metric(
        "spf.include_addresses",
        "integer",
        "IPv4 addresses that including this name lets send in the customer's name: those of ip4, a and mx terms over "
        "the whole tree, each counted once, without those that an earlier term rules out.",
        reference="RFC 7208 §4.6.2, §5, §11.4",
        roles=_SENDING,
    ),
    Metric(
        "spf.include_networks_ipv6",
        "integer",
        "The same for IPv6, counted in networks of 64 bits, of which even a single machine often has one.",
        reference="RFC 7208 §4.6.2, §5, RFC 6177",
        roles=_SENDING,
    ),
    Metric(
        "spf.includes",
        "set",
        "Names whose SPF records are part of the tree, by include or redirect, at any depth.",
        reference="RFC 7208 §5.2, §6.1",
    ),
    Metric(
        "dmarc.present",
        "boolean",
        "Whether a DMARC record applies to the domain, its own or one of a parent domain.",
        reference="RFC 9989 §4.10",
        roles=_DOMAIN,
    ),
    Metric(
        "dmarc.policy",
        "level",
        "What the applying DMARC record asks receivers to do with mail that fails; absent: there is no record, or only "
        "one that receivers must ignore.",
        reference="RFC 9989 §4.7, §4.10.1",
        levels=("absent", "none", "quarantine", "reject"),
        roles=_DOMAIN,
    ),
    Metric(
        "dmarc.testing",
        "boolean",
        "Whether the applying DMARC record asks that its policy be not applied yet (t=y).",
        reference="RFC 9989 §4.7",
        roles=_DOMAIN,
    ),
    Metric(
        "dmarc.reports",
        "boolean",
        "Whether the applying DMARC record names an address for aggregate reports (rua).",
        reference="RFC 9989 §4.7, RFC 9990",
        roles=_DOMAIN,
    ),
    Metric(
        "dmarc.reports_authorised",
        "boolean",
        "Whether every other organisation whose mail addresses the record names for reports has agreed to get them; "
        "reports go to no others.",
        reference="RFC 9990 §4",
        roles=_DOMAIN,
    ),
    Metric(
        "bimi.present",
        "boolean",
        "Whether the domain's own default BIMI record names a logo at an https URL.",
        reference="draft-brand-indicators-for-message-identification §4",
        roles=_DOMAIN,
    ),
    Metric(
        "bimi.logo",
        "text",
        "URL of that logo.",
        reference="draft-brand-indicators-for-message-identification §4.3",
        roles=_DOMAIN,
    ),
    Metric(
        "bimi.evidence",
        "boolean",
        "Whether the record names evidence for the right to the logo (a mark certificate), which large mailbox "
        "providers ask for.",
        reference="draft-brand-indicators-for-message-identification §4.3",
        roles=_DOMAIN,
    ),
    Metric(
        "mta_sts.record",
        "boolean",
        "Whether the domain has exactly one well-formed MTA-STS record.",
        reference="RFC 8461 §3.1",
        roles=_DOMAIN,
    ),
    Metric(
        "mta_sts.mode",
        "level",
        "Mode of the MTA-STS policy; absent: there is no record, or no policy that senders may accept (a 4xx or 3xx "
        "answer, an untrusted or wrong certificate, a malformed file).",
        reference="RFC 8461 §3.2, §3.3, §5",
        levels=("absent", "none", "testing", "enforce"),
        roles=_DOMAIN,
    ),
    Metric(
        "mta_sts.max_age",
        "integer",
        "How long senders may keep the MTA-STS policy.",
        unit="s",
        reference="RFC 8461 §3.2",
        roles=_DOMAIN,
    ),
    Metric(
        "mta_sts.covers_mx",
        "boolean",
        "Whether the MTA-STS policy names every MX host of the domain.",
        reference="RFC 8461 §4.1",
        roles=_DOMAIN,
    ),
    Metric(
        "tls_rpt.present",
        "boolean",
        "Whether the domain asks for reports on TLS failures.",
        reference="RFC 8460 §3",
        roles=_DOMAIN,
    ),
    Metric(
        "caa.present",
        "boolean",
        "Whether CAA records, the domain's own or a parent's, limit which authorities may issue certificates.",
        reference="RFC 8659 §3",
        roles=_DOMAIN,
    ),
    *dkim.METRICS,
)

Finding = list[Measurement]


class _Part:
    """Metrics that are measured together; a fault while doing so is the cause for all of them."""

    def __init__(
        self, prefixes: tuple[str, ...], measure: Callable[[str, Endpoint, Network], Awaitable[Finding]]
    ) -> None:
        self.prefixes = prefixes
        self.measure = measure

    async def __call__(self, domain: str, endpoint: Endpoint, network: Network) -> Finding:
        keys = [
            metric.key
            for metric in METRICS
            if metric.key.startswith(self.prefixes) and (metric.roles is None or endpoint.role in metric.roles)
        ]
        if not keys:
            return []
        try:
            found = await self.measure(domain, endpoint, network)
        except Unmeasured as reason:
            return [Measurement.missing(key, reason.cause, reason.detail) for key in keys]
        return [each for each in found if each.metric in keys]


def _none_apply(keys: Sequence[str], why: str) -> Finding:
    return [Measurement.missing(key, Cause.NOT_APPLICABLE, why) for key in keys]


# --- MX ---------------------------------------------------------------------------------------------------------------


async def mail_exchangers(domain: str, network: Network) -> tuple[tuple[str, ...], bool]:
    """The domain's MX hosts, sorted by name, and whether it has a null MX."""
    answer = await network.resolve(domain, "MX")
    hosts = [record.split()[-1].removesuffix(".").lower() for record in answer.records if record]
    if hosts == [""]:
        return (), True
    return tuple(sorted({printable(host, 255) for host in hosts if host})[:MAXIMUM_MX]), False


async def _mx(domain: str, endpoint: Endpoint, network: Network) -> Finding:
    hosts, null = await mail_exchangers(domain, network)
    found = [Measurement("dns.mx_hosts", hosts), Measurement("dns.mx_null", null)]
    if not hosts:
        return found + _none_apply(["dns.addresses_ipv6"], "the domain has no MX host")
    return [*found, await _ipv6(hosts[:IPV6_MX], network)]


async def _ipv6(hosts: Sequence[str], network: Network) -> Measurement:
    async def has_one(host: str) -> bool | Unmeasured:
        try:
            return bool((await network.resolve(host, "AAAA")).records)
        except Unmeasured as reason:
            return reason

    found = await asyncio.gather(*map(has_one, hosts))
    if any(each is True for each in found):
        return Measurement("dns.addresses_ipv6", True)
    for each in found:
        if isinstance(each, Unmeasured):
            return Measurement.missing("dns.addresses_ipv6", each.cause, each.detail)
    return Measurement("dns.addresses_ipv6", False)


# --- SPF --------------------------------------------------------------------------------------------------------------

_SPF_SIZES = ("spf.bytes", "spf.answer_bytes")
_SPF_ADDRESSES = ("spf.include_addresses", "spf.include_networks_ipv6")
_SPF_COSTS = ("spf.lookups", "spf.void_lookups", "spf.include_lookups", "spf.includes", *_SPF_ADDRESSES)


async def _spf(domain: str, endpoint: Endpoint, network: Network) -> Finding:
    answer = await network.resolve(domain, "TXT")
    records = spf.records_of(answer.records)
    present = Measurement("spf.present", bool(records))
    if not records:
        why = "there is no SPF record"
        return [
            present,
            Measurement("spf.valid", False, detail=why),
            Measurement("spf.all", "absent"),
            *_none_apply(["spf.record", "spf.error", *_SPF_SIZES, *_SPF_COSTS], why),
        ]
    sizes = _text_sizes(answer)
    present_and_shown = [
        present,
        Measurement("spf.record", printable(records[0], _RECORD_CHARACTERS)),
        Measurement("spf.bytes", sizes[answer.records.index(records[0])]),
        Measurement("spf.answer_bytes", len(domain) + sum(sizes)),
    ]
    if len(records) > 1:
        return present_and_shown + _broken_spf(f"there are {len(records)} SPF records")
    try:
        record = spf.parse(records[0])
    except spf.SPFSyntaxError as error:
        return present_and_shown + _broken_spf(str(error))
    return present_and_shown + _spf_cost(
        await spf.cost_of(domain, record, network.resolve, addresses=endpoint.role == "sending")
    )


def _text_sizes(answer: Answer) -> list[int]:
    """Bytes of each TXT record's text, in the order of ``Answer.records``."""
    end = canonical_name(answer)
    found = [each for each in answer.message.answer if each.name.to_text(omit_final_dot=True).lower() == end]
    return [sum(map(len, record.strings)) for each in found for record in each if hasattr(record, "strings")]


def _broken_spf(error: str) -> Finding:
    """A record that no evaluator looks into."""
    return [
        Measurement("spf.valid", False, detail=error),
        Measurement("spf.error", error),
        *(Measurement.missing(key, Cause.PROTOCOL_ERROR, error) for key in (*_SPF_COSTS, "spf.all")),
    ]


def _spf_cost(cost: spf.Cost) -> Finding:
    costs: dict[str, Value] = {
        "spf.lookups": cost.lookups,
        "spf.void_lookups": cost.voids,
        "spf.include_lookups": cost.lookups + 1,
        "spf.includes": tuple(sorted(cost.names)),
        "spf.include_addresses": cost.passing.ipv4_addresses,
        "spf.include_networks_ipv6": cost.passing.ipv6_networks,
        "spf.all": cost.all,
    }
    # An error that was found is there, however much of the tree could not be seen; none found proves nothing then.
    verdict: Finding = [Measurement("spf.valid", False, detail=cost.error), Measurement("spf.error", cost.error)]
    if not cost.error:
        verdict = [Measurement("spf.valid", True), Measurement("spf.error", "none")]
    unknown = cost.unknown
    if unknown is not None:
        if not cost.error:
            verdict = [Measurement.missing(key, unknown.cause, unknown.detail) for key in ("spf.valid", "spf.error")]
        seen = f"{unknown.detail}; seen up to there: {cost.lookups} look-ups"
        return verdict + [Measurement.missing(key, unknown.cause, seen) for key in costs]
    found = [Measurement(key, value) for key, value in costs.items() if key == "spf.all"]
    if cost.endless:
        return verdict + found + [
            Measurement.missing(key, Cause.PROTOCOL_ERROR, cost.error) for key in costs if key != "spf.all"
        ]  # fmt: skip
    if cost.per_sender:
        why = f"a part of the tree depends on the message (macros); at least {cost.lookups} look-ups"
        return verdict + found + _none_apply([key for key in costs if key != "spf.all"], why)
    uncounted = _why_not_counted(cost)
    return verdict + [
        Measurement(key, value)
        if uncounted is None or key not in _SPF_ADDRESSES
        else Measurement.missing(key, uncounted.cause, uncounted.detail)
        for key, value in costs.items()
    ]


def _why_not_counted(cost: spf.Cost) -> Unmeasured | None:
    """Why it is not known how many addresses pass; None when it is."""
    if cost.passing_unknown is not None:
        return cost.passing_unknown
    if cost.lookups >= spf.COUNTED:
        return Unmeasured(Cause.PROTOCOL_ERROR, f"the tree takes {spf.COUNTED} look-ups or more and is not followed")
    if cost.open_ended:
        return Unmeasured(Cause.NOT_APPLICABLE, "which addresses pass depends on the message (exists, ptr or macros)")
    return None


# --- DMARC ------------------------------------------------------------------------------------------------------------


async def _dmarc(domain: str, endpoint: Endpoint, network: Network) -> Finding:
    found: dict[str, DMARCRecord] = {}
    for name in policies.tree_walk(domain):
        record = policies.dmarc_record((await network.resolve(f"_dmarc.{name}", "TXT")).records)
        if record is not None:
            found[name] = record
            if name == domain or record.psd in ("y", "n"):
                break
    where = policies.dmarc_applies(domain, found)
    if where is None:
        return [
            Measurement("dmarc.present", False),
            Measurement("dmarc.policy", "absent"),
            *_none_apply(["dmarc.testing", "dmarc.reports", "dmarc.reports_authorised"], "no DMARC record applies"),
        ]
    record = found[where]
    policy = record.policy
    detail = ""
    if where != domain:
        detail = f"by the record of {where}"
        exists = (await network.resolve(domain, "MX")).exists
        policy = record.subdomains if exists else record.nonexistent
    if policy is None:
        detail = "an invalid policy tag and no report address: receivers ignore the record"
    return [
        Measurement("dmarc.present", True, detail=detail),
        Measurement("dmarc.policy", policy or "absent", detail=detail),
        Measurement("dmarc.testing", record.testing),
        Measurement("dmarc.reports", record.reports),
        await _reports_authorised(where, record, network),
    ]


async def _reports_authorised(where: str, record: DMARCRecord, network: Network) -> Measurement:
    """Ask the other organisations among the receivers of reports (RFC 9990 §4)."""
    key = "dmarc.reports_authorised"

    async def refuses(receiver: str) -> bool | None:
        """None: it is of the same organisation."""
        if receiver == where or await _organisation(receiver, network) == await _organisation(where, network):
            return None
        answer = await network.resolve(f"{where}._report._dmarc.{receiver}", "TXT")
        return not any(policies.parse_dmarc(text) for text in answer.records)

    receivers = record.report_domains[:MAXIMUM_REPORT_DOMAINS]
    try:
        verdicts = dict(zip(receivers, await asyncio.gather(*map(refuses, receivers)), strict=True))
    except Unmeasured as reason:
        return Measurement.missing(key, reason.cause, reason.detail)
    others = [receiver for receiver, refused in verdicts.items() if refused is not None]
    if not others:
        return Measurement.missing(
            key, Cause.NOT_APPLICABLE, "no report goes to a mail address of another organisation"
        )
    left = [receiver for receiver in others if verdicts[receiver]]
    return Measurement(key, not left, detail=f"not agreed: {printable(', '.join(left), 300)}" if left else "")


async def _organisation(domain: str, network: Network) -> str:
    found: dict[str, DMARCRecord] = {}
    for name in policies.tree_walk(domain):
        record = policies.dmarc_record((await network.resolve(f"_dmarc.{name}", "TXT")).records)
        if record is not None:
            found[name] = record
    return policies.organisation(domain, found)


# --- MTA-STS ----------------------------------------------------------------------------------------------------------


async def sts_policy(domain: str, network: Network, port: int = 443) -> STSPolicy | str:
    """The domain's MTA-STS policy as a sender would accept it, or in words why a sender would not. Raises
    ``Unmeasured`` when a fault on the way leaves that open."""
    host = f"mta-sts.{domain}"
    place = host if port == 443 else f"{host}:{port}"
    try:
        response = await network.http(f"https://{place}/.well-known/mta-sts.txt")
    except ValueError as error:
        return f"the domain makes no host name: {printable(str(error), 200)}"
    except Unmeasured as reason:
        if reason.cause is Cause.DNS_NXDOMAIN:
            return reason.detail or f"{host} does not exist"
        raise
    if response.tls is None:
        raise Unmeasured(Cause.TLS_HANDSHAKE_ERROR, "the policy came without TLS")
    mistrust = trust_error(response.tls.chain, network.options.ca_file)
    if mistrust != "none":
        return f"the certificate of {host} is not trusted: {mistrust}"
    if not name_matches(load(response.tls.chain[0]), host):
        return f"the certificate is not for {host}"
    if 500 <= response.status < 600 or response.status == 429:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"{host} answers with HTTP {response.status}")
    if response.status != 200:
        return f"{host} answers with HTTP {response.status}"
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/plain":
        return f"the policy is {printable(kind, 80) or 'of no stated kind'} instead of text/plain"
    return policies.parse_sts_policy(response.body)


class _MTASTS:
    """The MTA-STS part, with the port at which policy hosts listen."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __call__(self, domain: str, endpoint: Endpoint, network: Network) -> Finding:
        rest = ["mta_sts.max_age", "mta_sts.covers_mx"]
        record = policies.sts_record((await network.resolve(f"_mta-sts.{domain}", "TXT")).records)
        present = Measurement("mta_sts.record", record is not None)
        if record is None:
            return [present, Measurement("mta_sts.mode", "absent"), *_none_apply(rest, "there is no MTA-STS record")]
        try:
            policy = await sts_policy(domain, network, self.port)
        except Unmeasured as reason:
            missing = ["mta_sts.mode", *rest]
            return [present, *(Measurement.missing(key, reason.cause, reason.detail) for key in missing)]
        if isinstance(policy, str):
            return [present, Measurement("mta_sts.mode", "absent", detail=policy), *_none_apply(rest, policy)]
        return [
            present,
            Measurement("mta_sts.mode", policy.mode),
            Measurement("mta_sts.max_age", policy.max_age),
            await _covers_mx(domain, policy, network),
        ]


async def _covers_mx(domain: str, policy: STSPolicy, network: Network) -> Measurement:
    key = "mta_sts.covers_mx"
    if policy.mode == "none":
        return Measurement.missing(key, Cause.NOT_APPLICABLE, "the policy's mode is none")
    try:
        hosts, _ = await mail_exchangers(domain, network)
    except Unmeasured as reason:
        return Measurement.missing(key, reason.cause, reason.detail)
    if not hosts:
        return Measurement.missing(key, Cause.NOT_APPLICABLE, "the domain has no MX host")
    left = [host for host in hosts if not any(dns_name_matches(pattern, host) for pattern in policy.mx)]
    return Measurement(key, not left, detail=f"not named: {', '.join(left)}" if left else "")


# --- TLS-RPT, BIMI, CAA -----------------------------------------------------------------------------------------------


async def _tls_rpt(domain: str, endpoint: Endpoint, network: Network) -> Finding:
    answer = await network.resolve(f"_smtp._tls.{domain}", "TXT")
    return [Measurement("tls_rpt.present", bool(policies.tls_report_addresses(answer.records)))]


async def _bimi(domain: str, endpoint: Endpoint, network: Network) -> Finding:
    record = policies.bimi_record((await network.resolve(f"default._bimi.{domain}", "TXT")).records)
    present = Measurement("bimi.present", record is not None)
    if record is None:
        return [present, *_none_apply(["bimi.logo", "bimi.evidence"], "there is no BIMI record")]
    return [
        present,
        Measurement("bimi.logo", printable(record.logo, _RECORD_CHARACTERS)),
        Measurement("bimi.evidence", bool(record.evidence), detail=printable(record.evidence, _RECORD_CHARACTERS)),
    ]


async def _caa(domain: str, endpoint: Endpoint, network: Network) -> Finding:
    labels = domain.split(".")
    for index in range(len(labels)):
        name = ".".join(labels[index:])
        if (await network.resolve(name, "CAA")).records:
            return [Measurement("caa.present", True, detail="" if index == 0 else f"at {name}")]
    return [Measurement("caa.present", False)]


# --- the probe --------------------------------------------------------------------------------------------------------


class DNSProbe:
    """Mail routing and sender policies of a domain. ``mta_sts_port``: where MTA-STS policy hosts listen (443 for all
    the world; tests and labs can't always have it)."""

    name = "dns"
    roles = _DOMAIN | _SENDING
    metrics = METRICS

    def __init__(self, mta_sts_port: int = 443) -> None:
        self._parts = (
            _Part(("dns.",), _mx),
            _Part(("spf.",), _spf),
            _Part(("dmarc.",), _dmarc),
            _Part(("mta_sts.",), _MTASTS(mta_sts_port)),
            _Part(("tls_rpt.",), _tls_rpt),
            _Part(("bimi.",), _bimi),
            _Part(("caa.",), _caa),
            _Part(dkim.KEYS, dkim.keys),
            _Part((dkim.EVIDENCE,), dkim.evidence),
        )

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """The metrics of the endpoint's role, each with its value or cause."""
        try:
            domain = addresses.host_name(endpoint.domain)
        except ValueError as error:
            raise Unmeasured(Cause.NOT_APPLICABLE, f"not a domain name: {error}") from None
        found = await asyncio.gather(*(part(domain, endpoint, network) for part in self._parts))
        return [measurement for part in found for measurement in part]
