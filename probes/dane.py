"""DANE for SMTP (RFC 7672): the TLSA records of an MX host, and whether the chain it serves matches them.

The order of decisions is the RFC's: the host's addresses must be authenticated (§2.2.2), an insecure TLSA RRset is none
(§2.2), usages PKIX-TA(0) and PKIX-EE(1) are unusable (§3.1.3), DANE-EE(3) needs neither name nor dates (§3.1.1) and
DANE-TA(2) needs the path, its dates and the name (§3.1.2). All of that from a resolver that has proved to validate.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from probes.certificate import MAXIMUM_CHAIN, load, name_matches
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.names import canonical_name, named
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Answer, Network

_MX: frozenset[Role] = frozenset({"mx"})
MAXIMUM_RECORDS = 50
"""TLSA records that are looked at."""
_DIGEST_BYTES = {1: 32, 2: 64}

METRICS: tuple[Metric, ...] = (
    Metric(
        "dane.present",
        "boolean",
        "Whether the host publishes TLSA records that count: authenticated ones, for a host whose addresses (or whose "
        "alias) are authenticated too.",
        reference="RFC 7672 §2.2",
    ),
    Metric(
        "dane.parameters",
        "set",
        "Usage, selector and matching type of those records, such as 3 1 1; unusable ones too.",
        reference="RFC 6698 §2.1",
    ),
    Metric(
        "dane.usable",
        "boolean",
        "Whether at least one of the records is usable for SMTP: usage DANE-TA(2) or DANE-EE(3), known selector and "
        "matching type, well-formed data.",
        reference="RFC 7672 §3.1, §3.1.3",
    ),
    Metric(
        "dane.usable_records",
        "integer",
        "How many are usable; with 2 or more the next key or certificate can be announced before it is served.",
        reference="RFC 7671 §8",
    ),
    Metric(
        "dane.matches",
        "boolean",
        "Whether the chain that the host serves matches a usable record: for DANE-EE(3) the certificate itself, for "
        "DANE-TA(2) an authority of the chain, with valid path, dates and name.",
        reference="RFC 7672 §3.1, §3.2, RFC 7671 §9",
    ),
)


# --- pure functions over records and certificates ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class TLSA:
    """One TLSA record (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def usable(self) -> bool:
        """Whether an SMTP client can use it (RFC 7672 §3.1)."""
        if self.usage not in (2, 3) or self.selector not in (0, 1) or not self.data:
            return False
        return self.matching == 0 or len(self.data) == _DIGEST_BYTES.get(self.matching)


def parse_tlsa(text: str) -> TLSA | None:
    """The record in presentation form (``3 1 1 0123ab…``), or None for what is none."""
    match = re.fullmatch(r"(\d{1,3}) (\d{1,3}) (\d{1,3}) ([0-9A-Fa-f ]*)", text)
    if match is None:
        return None
    try:
        data = bytes.fromhex(match[4].replace(" ", ""))
    except ValueError:
        return None
    return TLSA(int(match[1]), int(match[2]), int(match[3]), data)


def strongest(records: Sequence[TLSA]) -> list[TLSA]:
    """Without digests that a stronger one of the same usage and selector makes needless (RFC 7671 §9)."""
    best: dict[tuple[int, int], int] = {}
    for record in records:
        place = (record.usage, record.selector)
        best[place] = max(best.get(place, 0), record.matching)
    return [record for record in records if record.matching in (0, best[record.usage, record.selector])]


def record_matches(record: TLSA, der: bytes) -> bool:
    """Whether the record's data is that of the certificate. Raises ``Unmeasured(protocol_error)`` for what is none."""
    selected = der if record.selector == 0 else subject_public_key_info(der)
    match record.matching:
        case 1:
            return hashlib.sha256(selected).digest() == record.data
        case 2:
            return hashlib.sha512(selected).digest() == record.data
    return selected == record.data


def subject_public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, byte for byte as it stands there (RFC 5280 §4.1). Raises
    ``Unmeasured(protocol_error)`` when there is none."""
    certificate, _ = _content(der)
    fields, _ = _content(certificate)
    if fields[:1] == b"\xa0":  # the version, which version 1 leaves out
        fields = _content(fields)[1]
    for _ in ("serial number", "signature", "issuer", "validity", "subject"):
        fields = _content(fields)[1]
    rest = _content(fields)[1]
    return fields[: len(fields) - len(rest)]


def _content(data: bytes) -> tuple[bytes, bytes]:
    """The content of the DER element that ``data`` begins with, and what follows it."""
    length, at = (data[1], 2) if len(data) >= 2 else (0, 2)
    if length & 0x80:
        width = length & 0x7F
        length, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
    if len(data) < at + length or at > 6:
        raise Unmeasured(Cause.PROTOCOL_ERROR, "a malformed certificate")
    return data[at : at + length], data[at + length :]


def chain_matches(records: Sequence[TLSA], chain: Sequence[bytes], names: Sequence[str]) -> bool:
    """Whether the served chain (DER, leaf first) matches one of the usable records. ``names``: those of which one must
    be in the certificate for DANE-TA(2): what the records stand at, the host, the mail domain (RFC 7672 §3.2.2)."""
    if not chain:
        raise Unmeasured(Cause.PROTOCOL_ERROR, "the server showed no certificate")
    leaf, *others = chain[:MAXIMUM_CHAIN]
    for record in strongest([record for record in records if record.usable]):
        if record.usage == 3:
            if record_matches(record, leaf):
                return True
            continue
        for authority in others:
            if record_matches(record, authority) and _leads_to(authority, leaf, others, names):
                return True
    return False


def _leads_to(authority: bytes, leaf: bytes, others: Sequence[bytes], names: Sequence[str]) -> bool:
    """Whether a valid path leads from the leaf to this authority, and the leaf is for one of the names."""
    from OpenSSL import crypto

    certificate = load(leaf)
    if not any(name_matches(certificate, name) for name in names):
        return False
    try:
        store = crypto.X509Store()
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        store.add_cert(crypto.X509.from_cryptography(load(authority)))
        between = [crypto.X509.from_cryptography(load(other)) for other in others]
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate), between).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    except (crypto.Error, ValueError, TypeError) as error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"an unreadable chain: {printable(str(error), 200)}") from None
    return True


# --- looking up -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The TLSA records that count, and the name they are for; or why there are none."""

    records: tuple[TLSA, ...]
    base: str = ""
    why_none: str = ""


async def tlsa_records(host: str, port: int, network: Network) -> Found:
    """The host's TLSA records by RFC 7672 §2.2. Raises ``Unmeasured`` when an answer did not come (a failed validation
    is such a fault: senders then defer the mail), and ``resolver_not_validating``."""
    four, six = await asyncio.gather(network.resolve(host, "A"), network.resolve(host, "AAAA"))
    if not (four.records or six.records):
        raise Unmeasured(Cause.DNS_NXDOMAIN, f"{host} {'has no address' if four.exists else 'does not exist'}")
    await network.require_validation()
    bases = await _bases(host, four, six, network)
    if not bases:
        return Found((), why_none="the host's addresses are not authenticated")
    insecure = False
    for base in bases:
        answer = await network.resolve(f"_{port}._tcp.{base}", "TLSA")
        if answer.records and answer.authenticated:
            parsed = [parse_tlsa(text) for text in answer.records[:MAXIMUM_RECORDS]]
            return Found(tuple(record for record in parsed if record is not None), base)
        insecure = insecure or bool(answer.records)
    return Found((), why_none="the TLSA records are not authenticated" if insecure else "")


async def _bases(host: str, four: Answer, six: Answer, network: Network) -> list[str]:
    """TLSA base domains, in the order to try them (RFC 7672 §2.2.2): what an alias leads to, then the alias."""
    end = canonical_name(four if four.records else six)
    if all(answer.authenticated for answer in (four, six)):
        return [end, host] if end != host else [host]
    if end != host and (await network.resolve(host, "CNAME")).authenticated:
        return [host]
    return []


class DANEProbe:
    """TLSA records of an MX host, held against the chain of the endpoint's shared handshake."""

    name = "dane"
    roles = _MX
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``; ``dane.matches`` alone depends on the handshake."""
        from probes.upgrade import handshake

        host = named(endpoint.host, "host")
        found = await tlsa_records(host, endpoint.port, network)
        if not found.base:
            why = found.why_none or "the host has no TLSA record"
            return [
                Measurement("dane.present", False, detail=found.why_none),
                *(
                    Measurement.missing(metric.key, Cause.NOT_APPLICABLE, why)
                    for metric in METRICS
                    if metric.key != "dane.present"
                ),
            ]
        usable = [record for record in found.records if record.usable]
        parameters = {f"{record.usage} {record.selector} {record.matching}" for record in found.records}
        measured = [
            Measurement("dane.present", True, detail="" if found.base == host else f"at {found.base}"),
            Measurement("dane.parameters", tuple(sorted(parameters))),
            Measurement("dane.usable", bool(usable)),
            Measurement("dane.usable_records", len(usable)),
        ]
        if not usable:
            why = "no TLSA record is usable for SMTP"
            return [*measured, Measurement.missing("dane.matches", Cause.NOT_APPLICABLE, why)]
        try:
            session = await handshake(endpoint, network)
            names = [each for each in (found.base, host, endpoint.domain) if each]
            matches = chain_matches(usable, session.chain, names)
        except Unmeasured as reason:
            return [*measured, Measurement.missing("dane.matches", reason.cause, reason.detail)]
        return [*measured, Measurement("dane.matches", matches)]
