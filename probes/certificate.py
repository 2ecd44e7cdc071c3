"""The certificates of a server: trust, names, dates, keys, chain, timestamps and staple, each judged apart.

The first chain comes from the endpoint's one full handshake, which verifies nothing. What is wrong with a certificate
never hides what else is wrong with it: an expired certificate still gets its name compared. A server may have a second
one with a key of another kind, which other clients are shown: ``probes.other_certificate`` asks for it.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from probes.anchors import certifi_bundle, describe_stores
from probes.chain import MAXIMUM_CHAIN, trust_error
from probes.der import dns_name_matches, load, name_matches
from probes.model import MAIL_ROLES, WEB_ROLES, Cause, Endpoint, Measurement, Metric, Unmeasured, Value
from probes.revocation import ERRORS, STATUSES
from probes.served_chain import MAXIMUM_NAMES, measure_chain, measure_other_chain

if TYPE_CHECKING:
    from probes.network import Network

__all__ = [
    "ALL_METRICS", "CHAIN_METRICS", "MAXIMUM_CHAIN", "MAXIMUM_NAMES", "METRICS", "OTHER_METRICS", "CertificateProbe",
    "certifi_bundle", "dns_name_matches", "has_tls", "host_of", "load", "measure_chain", "name_matches", "trust_error",
]  # fmt: skip

_ERRORS_OF_STAPLES = ", ".join(f"{error} ({meaning})" for error, meaning in ERRORS.items())

CHAIN_METRICS: tuple[Metric, ...] = (
    Metric(
        "certificate.trusted",
        "boolean",
        "Whether a path of valid signatures and dates leads from the certificate to a trust anchor; its name is a "
        "metric of its own.",
        reference="RFC 5280 §6",
    ),
    Metric(
        "certificate.trust_error",
        "text",
        "Why it is not trusted: none, expired, not_yet_valid, self_signed, unknown_issuer (it ends at an issuer that "
        "is no trust anchor), incomplete_chain (the server left out its issuer, which the certificate says can be "
        "fetched) or other: ….",
        reference="RFC 5280 §6, RFC 8446 §4.4.2",
    ),
    Metric(
        "certificate.trusted_by",
        "set",
        "Which trust stores each trust it for themselves: bundled (certifi's, which is Mozilla's), system (the "
        "operating system's) and given (what the user has added).",
        reference="RFC 5280 §6.1.1",
    ),
    Metric(
        "certificate.name_matches",
        "boolean",
        "Whether the certificate is for the host name that was asked for (on mx: the name of the MX host).",
        reference="RFC 9525 §6",
    ),
    Metric(
        "certificate.days_left",
        "number",
        "Days until the certificate expires; negative when it has expired.",
        unit="d",
        reference="RFC 5280 §4.1.2.5",
    ),
    Metric(
        "certificate.key_type",
        "text",
        "Algorithm of the public key: RSA, EC, Ed25519 ….",
        reference="RFC 5280 §4.1.2.7",
    ),
    Metric(
        "certificate.key_bits",
        "integer",
        "Size of the public key: modulus of RSA and DSA, field of EC.",
        unit="bit",
        reference="RFC 5280 §4.1.2.7",
    ),
    Metric(
        "certificate.signature_algorithm",
        "text",
        "Algorithm that signed the certificate, such as sha256WithRSAEncryption.",
        reference="RFC 5280 §4.1.1.2",
    ),
    Metric("certificate.self_signed", "boolean", "Whether the certificate signs itself.", reference="RFC 5280 §3.2"),
    Metric(
        "certificate.chain_length",
        "integer",
        "Certificates the server showed, the leaf included.",
        reference="RFC 8446 §4.4.2",
    ),
    Metric(
        "certificate.chain_in_order",
        "boolean",
        "Whether each certificate that the server showed was issued by the next one.",
        reference="RFC 8446 §4.4.2, RFC 5246 §7.4.2",
    ),
    Metric(
        "certificate.chain_complete",
        "boolean",
        "Whether the server left out no intermediate certificate, whatever the dates: known when the chain leads to a "
        "trust anchor or a self-signed certificate, or when a publicly trusted leaf comes without its issuer.",
        reference="RFC 8446 §4.4.2",
    ),
    Metric(
        "certificate.root_sent",
        "boolean",
        "Whether the server showed a self-signed certificate besides the leaf, which clients have or do not trust.",
        reference="RFC 8446 §4.4.2",
    ),
    Metric(
        "certificate.superfluous",
        "integer",
        "Certificates the server showed that lead nowhere from the leaf, or a second time.",
        reference="RFC 8446 §4.4.2",
    ),
    Metric(
        "certificate.subject_names",
        "set",
        f"DNS names and IP addresses the certificate is for (at most {MAXIMUM_NAMES}).",
        reference="RFC 5280 §4.2.1.6",
    ),
    Metric("certificate.issuer", "text", "Distinguished name of the issuer.", reference="RFC 5280 §4.1.2.4, RFC 4514"),
    Metric(
        "certificate.timestamps",
        "integer",
        "Signed certificate timestamps in the certificate and its OCSP staple; those that come in a TLS extension "
        "cannot be seen, and signatures of logs are not checked.",
        reference="RFC 6962 §3.3",
    ),
    Metric(
        "certificate.timestamp_logs",
        "set",
        "Ids of the logs that made these timestamps, in base64 as in the published lists of logs.",
        reference="RFC 6962 §3.2",
    ),
    Metric(
        "certificate.must_staple",
        "boolean",
        "Whether the certificate tells clients not to accept it without an OCSP staple.",
        reference="RFC 7633 §4",
    ),
    Metric(
        "certificate.ocsp_stapled",
        "boolean",
        "Whether the server stapled an OCSP response; not applicable when it did not and the certificate names no "
        "responder that could give one.",
        reference="RFC 6066 §8, RFC 6960",
    ),
    Metric(
        "certificate.ocsp_error",
        "text",
        f"What makes the staple worthless: none, {_ERRORS_OF_STAPLES}.",
        reference="RFC 6960 §3.2, §4.2.2",
    ),
    Metric(
        "certificate.ocsp_status",
        "level",
        "What a staple without error says of the certificate. Revocation lists and the authorities' responders belong "
        "to others and are not asked.",
        reference="RFC 6960 §2.2",
        levels=STATUSES,
    ),
    Metric(
        "certificate.must_staple_honoured",
        "boolean",
        "Whether a certificate that demands an OCSP staple came with one without error.",
        reference="RFC 7633 §4",
    ),
)
"""What is measured of the chain that the shared handshake showed."""

OTHER_METRICS: tuple[Metric, ...] = (
    Metric(
        "certificate.key_types",
        "set",
        "Kinds of keys that the server has certificates for: that of the shared handshake, and RSA or EC if a TLS 1.2 "
        "hello that offers only suites of the other kind gets a certificate too.",
        reference="RFC 5246 §7.4.2, RFC 8422 §2",
    ),
    Metric(
        "certificate.other_trusted",
        "boolean",
        "As certificate.trusted, of the certificate of the other kind; not applicable when there is none.",
        reference="RFC 5280 §6",
    ),
    Metric(
        "certificate.other_trust_error",
        "text",
        "As certificate.trust_error, of the certificate of the other kind.",
        reference="RFC 5280 §6",
    ),
    Metric(
        "certificate.other_name_matches",
        "boolean",
        "As certificate.name_matches, of the certificate of the other kind.",
        reference="RFC 9525 §6",
    ),
    Metric(
        "certificate.other_days_left",
        "number",
        "As certificate.days_left, of the certificate of the other kind.",
        unit="d",
        reference="RFC 5280 §4.1.2.5",
    ),
    Metric(
        "certificate.other_key_bits",
        "integer",
        "As certificate.key_bits, of the certificate of the other kind.",
        unit="bit",
        reference="RFC 5280 §4.1.2.7",
    ),
    Metric(
        "certificate.other_signature_algorithm",
        "text",
        "As certificate.signature_algorithm, of the certificate of the other kind.",
        reference="RFC 5280 §4.1.1.2",
    ),
    Metric(
        "certificate.other_chain_in_order",
        "boolean",
        "As certificate.chain_in_order, of the certificate of the other kind.",
        reference="RFC 5246 §7.4.2",
    ),
    Metric(
        "certificate.other_chain_complete",
        "boolean",
        "As certificate.chain_complete, of the certificate of the other kind.",
        reference="RFC 5246 §7.4.2",
    ),
)
"""What is measured of the certificate that the server has besides."""

ALL_METRICS: tuple[Metric, ...] = (
    Metric(
        "certificate.all_trusted",
        "boolean",
        "Whether every certificate that the server has, of either kind, is trusted.",
        reference="RFC 5280 §6",
    ),
    Metric(
        "certificate.all_names_match",
        "boolean",
        "Whether every certificate that the server has, of either kind, is for the host name that was asked for.",
        reference="RFC 9525 §6",
    ),
    Metric(
        "certificate.fewest_days_left",
        "number",
        "Days until the first of the certificates that the server has expires; negative when one has expired.",
        unit="d",
        reference="RFC 5280 §4.1.2.5",
    ),
)
"""What is measured of both together: a bad one may stand behind a good one, and some clients are shown it."""

METRICS = CHAIN_METRICS + OTHER_METRICS + ALL_METRICS


def host_of(endpoint: Endpoint) -> str:
    """The host that the endpoint's certificate has to be for."""
    if endpoint.url:
        return urllib.parse.urlsplit(endpoint.url).hostname or ""
    return endpoint.host


def has_tls(endpoint: Endpoint) -> bool:
    """Whether the endpoint claims TLS at all: not for ``tls: none`` and ``http://``."""
    if endpoint.url:
        return urllib.parse.urlsplit(endpoint.url).scheme == "https"
    return endpoint.tls != "none"


class CertificateProbe:
    """Looks at the chain of the endpoint's shared handshake, and asks on one more connection for a certificate with a
    key of the other kind."""

    name = "certificate"
    roles = MAIL_ROLES | WEB_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, or ``Unmeasured`` when the handshake or the leaf cannot be had."""
        from probes.other_certificate import other_chain, other_kind
        from probes.upgrade import handshake

        if not has_tls(endpoint):
            raise Unmeasured(Cause.NOT_APPLICABLE, "this endpoint is without TLS")
        session = await handshake(endpoint, network)
        host, ca_file = host_of(endpoint), network.options.ca_file
        network.note(describe_stores(ca_file))
        first = measure_chain(session.chain, host, ca_file, network.now, session.ocsp_staple)
        found = {each.metric: each for each in first}
        try:
            key_type = _value(found["certificate.key_type"])
            other = await other_chain(endpoint, network, other_kind(key_type), host)
        except Unmeasured as reason:
            return [*first, *_missing(OTHER_METRICS, reason), *_together(found, {}, reason)]
        kinds = {key_type, other.key_type} if other else {key_type}
        key_types = Measurement("certificate.key_types", tuple(sorted(kinds)))
        if other is None:
            why = Unmeasured(Cause.NOT_APPLICABLE, "the server has no certificate with a key of the other kind")
            return [*first, key_types, *_missing(OTHER_METRICS[1:], why), *_together(found, {}, None)]
        second = measure_other_chain(other.chain, host, ca_file, network.now)
        return [*first, key_types, *second, *_together(found, {each.metric: each for each in second}, None)]


def _fewer(one: Value, two: Value) -> Value:
    return min(value for value in (one, two) if isinstance(value, float))


def _value(measurement: Measurement) -> str:
    if measurement.cause is not None:
        raise Unmeasured(measurement.cause, measurement.detail)
    return str(measurement.value)


def _missing(metrics: Sequence[Metric], why: Unmeasured) -> list[Measurement]:
    return [Measurement.missing(metric.key, why.cause, why.detail) for metric in metrics]


def _together(
    first: Mapping[str, Measurement], second: Mapping[str, Measurement], unknown: Unmeasured | None
) -> list[Measurement]:
    """``ALL_METRICS``. ``second``: of the other chain, empty when there is none. ``unknown``: why nothing is known of
    the other chain; then only what the first decides alone is known of both."""

    def both(metric: str, name: str, combine: Callable[[Value, Value], Value]) -> Measurement:
        one, two = first[f"certificate.{name}"], second.get(f"certificate.other_{name}")
        if one.value is None or one.value is False:
            return dataclasses.replace(one, metric=metric)
        if unknown is not None:
            return Measurement.missing(metric, unknown.cause, unknown.detail)
        if two is None:
            return dataclasses.replace(one, metric=metric)
        if two.value is None:
            return dataclasses.replace(two, metric=metric)
        return Measurement(metric, combine(one.value, two.value), detail=two.detail or one.detail)

    return [
        both("certificate.all_trusted", "trusted", lambda one, two: bool(one and two)),
        both("certificate.all_names_match", "name_matches", lambda one, two: bool(one and two)),
        both("certificate.fewest_days_left", "days_left", _fewer),
    ]
