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
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

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
    names: Sequence[str] = (),
    *,
    common: str = "leaf",
    key: Any = None,
    days: tuple[float, float] = (-10, 90),
    authority: bool = False,
    aia: str = "",
    serial: int | None = None,
    digest: hashes.HashAlgorithm | None = None,
    usages: Sequence[x509.ObjectIdentifier] = (),
) -> Issued:
    """A certificate signed by ``issuer`` (None: by itself) for DNS names and IP addresses, valid from and until so
    many days from now."""
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
    if aia:
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(aia))
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    signer = issuer.key if issuer else key
    if digest is None and not isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        digest = hashes.SHA256()
    certificate = builder.sign(signer, digest)
    above = ()
    if issuer is not None and issuer.certificate.issuer != issuer.certificate.subject:
        above = (issuer.certificate, *issuer.intermediates)
    return Issued(certificate, key, above)


def _general_name(text: str) -> x509.GeneralName:
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
