"""What one certificate says, read from its DER: names, key, signature, dates.

Nothing here needs a network, and nothing raises on hostile bytes but ``Unmeasured``, or what :func:`malformed` lists:
the libraries parse lazily, so any field of a certificate may turn out to be malformed when it is first looked at.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from probes import addresses
from probes.model import Cause, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from cryptography import x509

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound="x509.ExtensionType")

MAXIMUM_DER = 64 * 1024
"""Bytes of one certificate that are looked at."""

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


def malformed() -> tuple[type[Exception], ...]:
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


def quiet(judge: Callable[P, T]) -> Callable[P, T]:
    """Without the libraries' warnings: a serial number below 1 or an over-long country is against RFC 5280, is served
    all the same, and is no matter for the terminal of whoever probes."""

    @functools.wraps(judge)
    def quietly(*args: P.args, **kwargs: P.kwargs) -> T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return judge(*args, **kwargs)

    return quietly


@quiet
def load(der: bytes) -> x509.Certificate:
    """The parsed certificate; raises ``Unmeasured(protocol_error)`` for what is none."""
    from cryptography import x509

    if len(der) > MAXIMUM_DER:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"a certificate of {len(der)} bytes")
    try:
        return x509.load_der_x509_certificate(der)
    except malformed() as error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"not a certificate: {printable(str(error), 200)}") from None


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """The certificate's extension of this kind, None when it has none.

    Raises ``Unmeasured``: ``protocol_error`` when it is malformed, ``tls_client_unsupported`` when it holds what our
    library does not know.
    """
    from cryptography import x509

    unreadable: tuple[type[Exception], ...] = (KeyError, *malformed())
    try:
        try:
            return certificate.extensions.get_extension_for_class(kind).value
        except unreadable:
            # The library reads all or none: without the others, what is wrong with them does not matter.
            return _with_one_extension(certificate, kind.oid).extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except KeyError as error:  # a TLS feature without a name there
        detail = f"an extension with a value that our library does not know: {printable(str(error), 80)}"
        raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, detail) from None
    except malformed() as error:
        detail = f"a malformed certificate extension: {printable(str(error), 200)}"
        raise Unmeasured(Cause.PROTOCOL_ERROR, detail) from None


def _with_one_extension(certificate: x509.Certificate, wanted: x509.ObjectIdentifier) -> x509.Certificate:
    """The certificate without any other extensions; its signature is worth nothing. RFC 5280 §4.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    identifier = _element(_IDENTIFIER, _arcs(wanted.dotted_string))
    [(_, signed)] = _elements(certificate.public_bytes(Encoding.DER))
    (_, body), *rest = _elements(signed)
    fields = []
    for tag, content in _elements(body):
        if tag == _EXTENSIONS:
            [(_, listed)] = _elements(content)
            kept = [each for each in _elements(listed) if each[1].startswith(identifier)]
            content = _element(_SEQUENCE, b"".join(_element(*each) for each in kept))
        fields.append(_element(tag, content))
    body = _element(_SEQUENCE, b"".join(fields))
    return x509.load_der_x509_certificate(_element(_SEQUENCE, body + b"".join(_element(*each) for each in rest)))


_SEQUENCE, _EXTENSIONS, _IDENTIFIER = 0x30, 0xA3, 0x06


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of DER elements that follow each other. ``ValueError`` when they are none."""
    found = []
    at = 0
    while at < len(data):
        tag, length, at = data[at], int.from_bytes(data[at + 1 : at + 2], "big"), at + 2
        if length > 0x80:
            width = length & 0x7F
            length, at = int.from_bytes(data[at : at + width], "big"), at + width
        if at + length > len(data) or tag & 0x1F == 0x1F:
            raise ValueError("not DER")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    width = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + length.to_bytes(width, "big") + content


def _arcs(dotted: str) -> bytes:
    """The content of an object identifier, X.690 §8.19."""
    first, second, *others = map(int, dotted.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *others):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(digits))
    return bytes(encoded)


def alternative_names(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The DNS names (lower case, without a trailing dot) and IP addresses of the subject alternative name; empty when
    there is none. Raises ``Unmeasured`` as :func:`extension` does."""
    from cryptography import x509

    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return (), ()
    dns_names = tuple(name.lower().removesuffix(".") for name in names.get_values_for_type(x509.DNSName))
    return dns_names, tuple(str(address) for address in names.get_values_for_type(x509.IPAddress))


@quiet
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
    except malformed() as error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"a malformed public key: {printable(str(error), 200)}") from None
    try:
        bits = getattr(certificate.public_key(), "key_size", None)
    except malformed():
        # Keys that the cryptography library refuses (too short, an odd curve) may still be readable.
        try:
            bits = crypto.X509.from_cryptography(certificate).get_pubkey().bits()
        except malformed():
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
    except malformed():
        return True
    return True


def days_left(certificate: x509.Certificate, now: datetime.datetime) -> float:
    """Days from ``now`` until the certificate expires, rounded to hundredths; negative when it has."""
    return round((certificate.not_valid_after_utc - now).total_seconds() / 86400, 2)


def issuer_name(certificate: x509.Certificate) -> str:
    """The issuer's distinguished name (RFC 4514) as printable text, at most 500 characters."""
    return printable(certificate.issuer.rfc4514_string(), 500) or "(empty)"


def subject_name(certificate: x509.Certificate) -> str:
    """The subject's distinguished name (RFC 4514) as printable text."""
    return printable(certificate.subject.rfc4514_string(), 200) or "(empty)"


def wants_staple(certificate: x509.Certificate) -> bool:
    """Whether the certificate demands an OCSP staple: a TLS feature extension with status_request (RFC 7633 §4)."""
    from cryptography import x509

    features = extension(certificate, x509.TLSFeature)
    return features is not None and x509.TLSFeatureType.status_request in features


def names_responder(certificate: x509.Certificate) -> bool:
    """Whether the certificate names an OCSP responder (authority information access, RFC 5280 §4.2.2.1)."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    access = extension(certificate, x509.AuthorityInformationAccess)
    return access is not None and any(entry.access_method == AuthorityInformationAccessOID.OCSP for entry in access)
