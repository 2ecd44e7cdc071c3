"""A certificate zoo: authorities, intermediates and leaves of every kind, made with the cryptography library."""

from __future__ import annotations

import atexit
import dataclasses
import datetime
import functools
import ipaddress
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Mailrubric tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


@dataclasses.dataclass(frozen=True)
class Issued:
    """A certificate, its key, and the certificates to serve with it (without the root)."""

    certificate: x509.Certificate
    key: Any
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Leaf first, as DER."""
        return (self.der, *(each.public_bytes(serialization.Encoding.DER) for each in self.intermediates))

    @property
    def pem(self) -> bytes:
        """The leaf and the intermediates."""
        every = (self.certificate, *self.intermediates)
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in every)

    @property
    def key_pem(self) -> bytes:
        encoding = serialization.PrivateFormat.PKCS8
        data = self.key.private_bytes(serialization.Encoding.PEM, encoding, serialization.NoEncryption())
        assert isinstance(data, bytes)
        return data


def issue(
    issuer: Issued | None,
    names: Sequence[str | x509.GeneralName] = (),
    *,
    common: str = "leaf",
    key: Any = None,
    days: tuple[float, float] = (-10, 90),
    authority: bool = False,
    aia: str = "",
    serial: int | None = None,
    digest: hashes.HashAlgorithm | None = None,
    usages: Sequence[x509.ObjectIdentifier] = (),
    responder: str = "",
    extensions: Sequence[x509.ExtensionType] = (),
) -> Issued:
    """A certificate signed by ``issuer`` (None: by itself) for DNS names and IP addresses, valid from and until so
    many days from now. ``aia``: where its issuer's certificate is, ``responder``: the OCSP responder."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer.certificate.subject if issuer else name(common))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=days[0]))
        .not_valid_after(NOW + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if names:
        entries = [_general_name(each) for each in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(entries), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    places = {AuthorityInformationAccessOID.CA_ISSUERS: aia, AuthorityInformationAccessOID.OCSP: responder}
    access = [x509.AccessDescription(how, x509.UniformResourceIdentifier(url)) for how, url in places.items() if url]
    if access:
        builder = builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    signer = issuer.key if issuer else key
    if digest is None and not isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        digest = hashes.SHA256()
    certificate = builder.sign(signer, digest)
    above = ()
    if issuer is not None and issuer.certificate.issuer != issuer.certificate.subject:
        above = (issuer.certificate, *issuer.intermediates)
    return Issued(certificate, key, above)


def _general_name(text: str | x509.GeneralName) -> x509.GeneralName:
    if isinstance(text, x509.GeneralName):
        return text
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@functools.cache
def root() -> Issued:
    """The one trust anchor of the tests."""
    return issue(None, common="Test Root", authority=True, days=(-100, 1000))


@functools.cache
def other_root() -> Issued:
    """A root that nobody trusts."""
    return issue(None, common="Unknown Root", authority=True, days=(-100, 1000))


@functools.cache
def intermediate() -> Issued:
    return issue(root(), common="Test Intermediate", authority=True, days=(-100, 500), aia="http://ca.example/root.der")


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@functools.cache
def folder() -> Path:
    """A folder that lives as long as the test process."""
    holder = tempfile.TemporaryDirectory(prefix="mailrubric-tests-")
    atexit.register(holder.cleanup)
    return Path(holder.name)


@functools.cache
def ca_file() -> Path:
    """The trust anchor as PEM."""
    path = folder() / "ca.pem"
    path.write_bytes(root().pem)
    return path


@dataclasses.dataclass(frozen=True)
class Served:
    """Files for a server, all PEM: chain (leaf first), private key, and what is above the leaf (maybe empty)."""

    chain: Path
    key: Path
    above: Path


@functools.cache
def save(issued: Issued) -> Served:
    number = len(list(folder().iterdir()))
    served = Served(*(folder() / f"{number}.{part}.pem" for part in ("chain", "key", "above")))
    served.chain.write_bytes(issued.pem)
    served.above.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in issued.intermediates))
    served.key.write_bytes(issued.key_pem)
    return served


@functools.cache
def localhost() -> Served:
    """A good certificate for localhost and 127.0.0.1, RSA so that every TLS version can use it."""
    names = ("localhost", "127.0.0.1", "::1", "*.mail.example")
    return save(issue(intermediate(), names, common="localhost", key=rsa_key()))


def issue_chain() -> tuple[bytes, ...]:
    """What goes above a leaf of the intermediate."""
    return (intermediate().der,)


# --- revocation and transparency --------------------------------------------------------------------------------------

MUST_STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])


@functools.cache
def responder() -> Issued:
    """Whom the intermediate has delegated OCSP to."""
    return issue(intermediate(), common="Test Responder", usages=[ExtendedKeyUsageOID.OCSP_SIGNING])


def staple(
    leaf: Issued,
    issuer: Issued | None = None,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    signer: Issued | None = None,
    carried: Sequence[Issued] = (),
    hours: tuple[float, float | None] = (-1, 24),
    digest: hashes.HashAlgorithm | None = None,
    signed_with: hashes.HashAlgorithm | None = None,
) -> bytes:
    """An OCSP response (DER) of ``issuer`` (default: the intermediate) about ``leaf``, from and until so many hours
    from now. ``signer``: who signs it, if not the issuer; ``carried``: certificates that it carries along."""
    now = datetime.datetime.now(datetime.UTC).replace(
        microsecond=0
    )  # the tests may have run for longer than clocks differ
    issuer = issuer or intermediate()
    signer = signer or issuer
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf.certificate,
        issuer.certificate,
        digest or hashes.SHA1(),  # the hash that names the issuer, SHA-1 nearly everywhere
        status,
        now + datetime.timedelta(hours=hours[0]),
        None if hours[1] is None else now + datetime.timedelta(hours=hours[1]),
        now - datetime.timedelta(days=3) if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if carried:
        builder = builder.certificates([each.certificate for each in carried])
    if not isinstance(signer.key, ed25519.Ed25519PrivateKey):
        signed_with = signed_with or hashes.SHA256()
    return builder.sign(signer.key, signed_with).public_bytes(serialization.Encoding.DER)


def tlv(tag: int, *content: bytes) -> bytes:
    """An element of DER."""
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def timestamp(log: bytes, signature: bytes = b"\x30\x06\x02\x01\x01\x02\x01\x01", extensions: bytes = b"") -> bytes:
    """A signed certificate timestamp (RFC 6962 §3.2) of the log with this id, of 32 bytes."""
    made = int(NOW.timestamp() * 1000).to_bytes(8, "big")
    body = b"\x00" + log + made + len(extensions).to_bytes(2, "big") + extensions
    return body + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature


def timestamp_list(*timestamps: bytes) -> bytes:
    """A SignedCertificateTimestampList, RFC 6962 §3.3."""
    listed = b"".join(len(each).to_bytes(2, "big") + each for each in timestamps)
    return len(listed).to_bytes(2, "big") + listed


def timestamps(*found: bytes, listed: bytes | None = None) -> x509.UnrecognizedExtension:
    """The extension of a certificate that holds timestamps, or these very bytes instead of a list."""
    content = timestamp_list(*found) if listed is None else listed
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), tlv(4, content))


def staple_with_timestamps(leaf: Issued, content: bytes) -> bytes:
    """An OCSP response of the intermediate whose one answer holds a list of timestamps."""
    extension = tlv(0x30, bytes.fromhex("060a2b06010401d679020405"), tlv(4, tlv(4, content)))
    return signed_answers([single_answer(leaf, tlv(0xA1, tlv(0x30, extension)))])


def single_answer(leaf: Issued, extensions: bytes = b"") -> bytes:
    """A SingleResponse of the intermediate that the leaf is good (RFC 6960 §4.2.1), in DER made by hand: the
    cryptography library makes neither extensions of answers nor several answers."""
    asked = (
        ocsp.OCSPRequestBuilder().add_certificate(leaf.certificate, intermediate().certificate, hashes.SHA1()).build()
    )
    sha1 = tlv(0x30, bytes.fromhex("06052b0e03021a"), b"\x05\x00")
    serial = leaf.certificate.serial_number
    number = tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
    named = tlv(0x30, sha1, tlv(4, asked.issuer_name_hash), tlv(4, asked.issuer_key_hash), number)
    until = tlv(0xA0, _time(NOW + datetime.timedelta(days=1)))
    return tlv(0x30, named, b"\x80\x00", _time(NOW), until, extensions)


def signed_answers(answers: Sequence[bytes]) -> bytes:
    """An OCSP response of the intermediate with these answers."""
    key = x509.SubjectKeyIdentifier.from_public_key(intermediate().key.public_key()).digest
    said = tlv(0x30, tlv(0xA2, tlv(4, key)), _time(NOW), tlv(0x30, *answers))
    signature = intermediate().key.sign(said, ec.ECDSA(hashes.SHA256()))
    algorithm = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
    basic = tlv(0x30, said, algorithm, tlv(3, b"\x00", signature))
    kind = bytes.fromhex("06092b0601050507300101")
    return tlv(0x30, tlv(0x0A, b"\x00"), tlv(0xA0, tlv(0x30, kind, tlv(4, basic))))


def _time(moment: datetime.datetime) -> bytes:
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())
