"""The certificate that a server shows: trust, name, dates and key, each judged apart from the others.

The chain comes from the endpoint's one full handshake, which verifies nothing. What is wrong with a certificate never
hides what else is wrong with it: an expired certificate still gets its name compared. The functions over DER
(``trust``, ``name_matches`` …) need no network and are used for other certificates too (MTA-STS policy hosts).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import importlib.util
import os
import urllib.parse
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from probes import addresses
from probes.model import MAIL_ROLES, WEB_ROLES, Cause, Endpoint, Measurement, Metric, Unmeasured, Value
from probes.replies import printable

if TYPE_CHECKING:
    from cryptography import x509
    from OpenSSL import crypto

    from probes.network import Network

P = ParamSpec("P")
T = TypeVar("T")

MAXIMUM_CHAIN = 20
"""Certificates of a chain that are looked at."""
MAXIMUM_NAMES = 100
"""Names listed in ``certificate.subject_names``."""
_MAXIMUM_DER = 64 * 1024

SIGNATURES: dict[str, str] = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.14": "sha224WithRSAEncryption",
    "1.2.840.10040.4.3": "dsa-with-SHA1",
    "2.16.840.1.101.3.4.3.2": "dsa-with-SHA256",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}
"""Names of signature algorithms as their RFCs spell them (RFC 3279, 4055, 5758, 8410, 9881)."""

KEYS: dict[str, str] = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSA-PSS",
    "1.2.840.10040.4.1": "DSA",
    "1.2.840.10045.2.1": "EC",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}
"""Names of public key algorithms by object identifier."""


# --- pure functions over DER ------------------------------------------------------------------------------------------


def _malformed() -> tuple[type[Exception], ...]:
    """What the libraries raise over hostile certificates, some of it documented: ``InvalidVersion`` and the rest are no
    ``ValueError``, and an odd attribute of a name is a ``TypeError``."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from OpenSSL import crypto

    return (
        ValueError,
        TypeError,
        OverflowError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        crypto.Error,
    )


def _quiet(judge: Callable[P, T]) -> Callable[P, T]:
    """Without the libraries' warnings: a serial number below 1 or an over-long country is against RFC 5280, is served
    all the same, and is no matter for the terminal of whoever probes."""

    @functools.wraps(judge)
    def quietly(*args: P.args, **kwargs: P.kwargs) -> T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return judge(*args, **kwargs)

    return quietly


@_quiet
def load(der: bytes) -> x509.Certificate:
    """The parsed certificate; raises ``Unmeasured(protocol_error)`` for what is none."""
    from cryptography import x509

    if len(der) > _MAXIMUM_DER:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"a certificate of {len(der)} bytes")
    try:
        return x509.load_der_x509_certificate(der)
    except _malformed() as error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"not a certificate: {printable(str(error), 200)}") from None


def certifi_bundle() -> str:
    """The path of certifi's trust anchors. Importing certifi for it costs four times as much as reading them."""
    found = importlib.util.find_spec("certifi")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "cacert.pem"
        if path.is_file():
            return str(path)
    import certifi

    return certifi.where()


def _new_store(ca_file: str | None) -> crypto.X509Store:
    from OpenSSL import crypto

    store = crypto.X509Store()
    try:
        store.load_locations(certifi_bundle())
        if ca_file is not None:
            store.load_locations(ca_file)
    except (crypto.Error, OSError) as error:
        # Our own fault, and nothing can be said about anybody's certificate.
        raise Unmeasured(Cause.PROBE_BUG, f"the trust anchors cannot be read: {printable(str(error), 200)}") from None
    # A trust anchor is trusted as it is (RFC 5280 §6.1.1 d): it need not be self-signed.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    return store


@functools.lru_cache(maxsize=4)
def _kept_store(ca_file: str | None, state: tuple[int, int]) -> crypto.X509Store:
    return _new_store(ca_file)


def _store(ca_file: str | None) -> crypto.X509Store:
    """The trust anchors, read again only when ``ca_file`` has changed (a lab writes a new authority at each start)."""
    state = (0, 0)
    if ca_file is not None:
        with contextlib.suppress(OSError):  # reading it will say what is wrong
            found = os.stat(ca_file)
            state = (found.st_mtime_ns, found.st_size)
    return _kept_store(ca_file, state)


_TRUST_ERRORS = {9: "not_yet_valid", 10: "expired", 18: "self_signed", 19: "unknown_issuer"}
"""X509_V_ERR numbers of OpenSSL with a name here. 2, 20 and 21 (no issuer found) are told apart below."""


@_quiet
def trust_error(chain: Sequence[bytes], ca_file: str | None = None, now: datetime.datetime | None = None) -> str:
    """``none`` when a path leads from the first certificate to a trust anchor (certifi's, or one of ``ca_file``) at the
    time ``now``, else the first thing wrong with it (see ``METRICS``); names are not looked at. RFC 5280 §6.

    Raises ``Unmeasured(protocol_error)`` when the leaf is no certificate.
    """
    from OpenSSL import crypto

    leaf, *others = _certificates(chain)
    extra: list[crypto.X509] = []
    for certificate in others:
        with contextlib.suppress(crypto.Error):  # an extra certificate that OpenSSL cannot read is only no help
            extra.append(crypto.X509.from_cryptography(certificate))
    if now is None:
        store = _store(ca_file)
    else:
        store = _new_store(ca_file)
        store.set_time(now.astimezone(datetime.UTC))
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), extra).verify_certificate()
    except crypto.X509StoreContextError as error:
        number = error.errors[0] if error.errors else 0
        if number in _TRUST_ERRORS:
            return _TRUST_ERRORS[number]
        if number in (2, 20, 21):
            return "incomplete_chain" if _lacks_intermediate(leaf, others) else "unknown_issuer"
        return f"other: {printable(str(error), 200)}"
    except _malformed():
        raise Unmeasured(Cause.PROTOCOL_ERROR, "OpenSSL cannot read the certificate") from None
    return "none" if _is_for_servers(leaf) else "other: not meant for servers (extended key usage)"


def _is_for_servers(leaf: x509.Certificate) -> bool:
    """Whether the leaf's extended key usage, if it has one, includes TLS servers (RFC 5280 §4.2.1.12)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except _malformed():
        return True  # OpenSSL, which has read it, accepts the certificate
    return any(
        usage in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE) for usage in usages
    )


def _certificates(chain: Sequence[bytes]) -> list[x509.Certificate]:
    """The leaf, and whatever else of the chain can be read: a broken extra certificate is only no help."""
    if not chain:
        raise Unmeasured(Cause.PROTOCOL_ERROR, "the server showed no certificate")
    certificates = [load(chain[0])]
    for der in chain[1:MAXIMUM_CHAIN]:
        try:
            certificates.append(load(der))
        except Unmeasured:
            continue
    return certificates


def _lacks_intermediate(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> bool:
    """Whether the server left out the leaf's issuer although the leaf says where that certificate can be fetched
    (authority information access, RFC 5280 §4.2.2.1), as the leaves of public authorities do."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    try:
        issuer = leaf.issuer
        if any(other.subject == issuer for other in others):
            return False
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return False
    except _malformed():
        return False
    return any(entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS for entry in access)


def alternative_names(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The DNS names (lower case, without a trailing dot) and IP addresses of the subject alternative name; empty when
    there is none. Raises ``Unmeasured(protocol_error)`` for malformed extensions."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns_names = tuple(name.lower().removesuffix(".") for name in names.get_values_for_type(x509.DNSName))
        ip_addresses = tuple(str(address) for address in names.get_values_for_type(x509.IPAddress))
    except x509.ExtensionNotFound:
        return (), ()
    except _malformed() as error:
        detail = f"malformed certificate extensions: {printable(str(error), 200)}"
        raise Unmeasured(Cause.PROTOCOL_ERROR, detail) from None
    return dns_names, ip_addresses


@_quiet
def name_matches(certificate: x509.Certificate, host: str) -> bool:
    """Whether the certificate is for ``host`` (a name or an IP literal), by RFC 9525 §6: subject alternative names
    alone, a wildcard only as the whole left-most label and for exactly one label, IP addresses only as such.

    Raises ``Unmeasured``: ``protocol_error`` for malformed extensions, ``not_applicable`` when ``host`` is no name.
    """
    dns_names, ip_addresses = alternative_names(certificate)
    address = addresses.literal(host.partition("%")[0])
    if address is not None:
        return any(addresses.literal(each) == address for each in ip_addresses)
    try:
        wanted = addresses.host_name(host)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_APPLICABLE, f"the endpoint has no host name to compare: {error}") from None
    return any(dns_name_matches(pattern, wanted) for pattern in dns_names)


def dns_name_matches(pattern: str, name: str) -> bool:
    """Whether the presented name ``pattern`` (maybe ``*.example.com``) is for ``name``; both lower case."""
    if pattern == name:
        return "*" not in pattern
    first, dot, rest = pattern.partition(".")
    label, _, parent = name.partition(".")
    return first == "*" and bool(dot) and bool(rest) and "*" not in rest and bool(label) and parent == rest


@dataclasses.dataclass(frozen=True, slots=True)
class PublicKey:
    """``kind``: a name from ``KEYS``, or the object identifier. ``bits``: None when our libraries cannot tell."""

    kind: str
    bits: int | None


def public_key(certificate: x509.Certificate) -> PublicKey:
    """Kind and size of the key. RSA and DSA: bits of the modulus; EC: bits of the field. Raises
    ``Unmeasured(protocol_error)`` when there is a key that cannot be read."""
    from OpenSSL import crypto

    try:
        identifier = certificate.public_key_algorithm_oid.dotted_string
        kind = KEYS.get(identifier, f"OID {identifier}")
    except _malformed() as error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"a malformed public key: {printable(str(error), 200)}") from None
    try:
        bits = getattr(certificate.public_key(), "key_size", None)
    except _malformed():
        # Keys that the cryptography library refuses (too short, an odd curve) may still be readable.
        try:
            bits = crypto.X509.from_cryptography(certificate).get_pubkey().bits()
        except _malformed():
            bits = None
    return PublicKey(kind, _FIXED_BITS.get(kind, bits))


_FIXED_BITS = {"Ed25519": 256, "Ed448": 456}
"""Keys of one size only; bits of the encoded key (RFC 8032)."""


def signature_algorithm(certificate: x509.Certificate) -> str:
    """The name of the algorithm that signed it, or ``OID 1.2.3``."""
    identifier = certificate.signature_algorithm_oid.dotted_string
    return SIGNATURES.get(identifier, f"OID {identifier}")


def self_signed(certificate: x509.Certificate) -> bool:
    """Whether the certificate was issued by its own key. Where our libraries cannot check the signature, equal subject
    and issuer names decide."""
    from cryptography.exceptions import InvalidSignature

    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return False
    except _malformed():
        return True
    return True


def days_left(certificate: x509.Certificate, now: datetime.datetime) -> float:
    """Days from ``now`` until the certificate expires, rounded to hundredths; negative when it has."""
    return round((certificate.not_valid_after_utc - now).total_seconds() / 86400, 2)


def issuer_name(certificate: x509.Certificate) -> str:
    """The issuer's distinguished name (RFC 4514) as printable text, at most 500 characters."""
    return printable(certificate.issuer.rfc4514_string(), 500) or "(empty)"


# --- the probe --------------------------------------------------------------------------------------------------------

METRICS: tuple[Metric, ...] = (
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
        "certificate.subject_names",
        "set",
        f"DNS names and IP addresses the certificate is for (at most {MAXIMUM_NAMES}).",
        reference="RFC 5280 §4.2.1.6",
    ),
    Metric("certificate.issuer", "text", "Distinguished name of the issuer.", reference="RFC 5280 §4.1.2.4, RFC 4514"),
)


@_quiet
def measure_chain(
    chain: Sequence[bytes], host: str, ca_file: str | None = None, now: datetime.datetime | None = None
) -> list[Measurement]:
    """Every metric of ``METRICS`` about a served chain (DER, leaf first). What one of them cannot say, the others can:
    raises ``Unmeasured`` only when there is no readable leaf."""
    leaf = _certificates(chain)[0]
    moment = now or datetime.datetime.now(datetime.UTC)

    def names() -> Value:
        dns_names, ip_addresses = alternative_names(leaf)
        return tuple(sorted({printable(each, 260) for each in (*dns_names, *ip_addresses)})[:MAXIMUM_NAMES])

    def bits() -> Value:
        key = public_key(leaf)
        if key.bits is None:
            raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, f"our library cannot read this {key.kind} key")
        return key.bits

    error = _or_cause("certificate.trust_error", lambda: trust_error(chain, ca_file, now))
    if error.cause is not None:
        trusted = Measurement.missing("certificate.trusted", error.cause, error.detail)
    else:
        found = "" if error.value == "none" else str(error.value)
        trusted = Measurement("certificate.trusted", not found, detail=found)
    return [
        trusted,
        error,
        _or_cause("certificate.name_matches", lambda: name_matches(leaf, host)),
        _or_cause("certificate.days_left", lambda: days_left(leaf, moment)),
        _or_cause("certificate.key_type", lambda: public_key(leaf).kind),
        _or_cause("certificate.key_bits", bits),
        _or_cause("certificate.signature_algorithm", lambda: signature_algorithm(leaf)),
        _or_cause("certificate.self_signed", lambda: self_signed(leaf)),
        Measurement("certificate.chain_length", len(chain)),
        _or_cause("certificate.subject_names", names),
        _or_cause("certificate.issuer", lambda: issuer_name(leaf)),
    ]


def _or_cause(metric: str, find: Callable[[], Value]) -> Measurement:
    """The value found, or why there is none. The libraries parse lazily, so any field of a hostile certificate may
    turn out to be malformed when it is first looked at."""
    try:
        return Measurement(metric, find())
    except Unmeasured as reason:
        return Measurement.missing(metric, reason.cause, reason.detail)
    except _malformed() as error:
        return Measurement.missing(metric, Cause.PROTOCOL_ERROR, f"malformed: {printable(str(error), 200)}")


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
    """Looks at the certificate of the endpoint's shared handshake; opens no connection of its own."""

    name = "certificate"
    roles = MAIL_ROLES | WEB_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, or ``Unmeasured`` when the handshake or the leaf cannot be had."""
        from probes.upgrade import handshake

        if not has_tls(endpoint):
            raise Unmeasured(Cause.NOT_APPLICABLE, "this endpoint is without TLS")
        session = await handshake(endpoint, network)
        return measure_chain(session.chain, host_of(endpoint), network.options.ca_file)
