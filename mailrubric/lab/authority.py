"""The lab's own certificate authority, and the certificates that its servers show.

Everything is made afresh at each start and the private keys never leave the process: only the root certificate is
written to disk, so that a workspace can name it as ``ca:``.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from collections.abc import Sequence
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KeyKind = Literal["ec", "rsa"]

_CA_USAGE = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_SERVER_USAGE = x509.KeyUsage(
    digital_signature=True, key_encipherment=True, key_cert_sign=False, crl_sign=False, content_commitment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What a server proves itself with: its private key, and its certificate chain as sent (leaf first, no root)."""

    key: PrivateKey
    chain: tuple[x509.Certificate, ...]


def _private_key(kind: KeyKind) -> PrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Mailrubric lab"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
        ]
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """A root and an intermediate, from which server certificates are issued (RFC 5280 profiles)."""

    def __init__(self, now: datetime.datetime | None = None) -> None:
        """``now``: aware time that all validity periods are counted from; default is the present."""
        self._now = (now or datetime.datetime.now(datetime.UTC)).replace(microsecond=0)
        self._root_key = _private_key("ec")
        root_name = _name("Mailrubric lab root")
        self.root = self._sign(
            root_name, self._root_key, issuer=root_name, issuer_key=self._root_key, days=365, path_length=1
        )
        self._intermediate_key = _private_key("ec")
        self._intermediate = self._sign(
            _name("Mailrubric lab issuing authority"), self._intermediate_key,
            issuer=root_name, issuer_key=self._root_key, days=365, path_length=0,
        )  # fmt: skip

    @property
    def root_pem(self) -> bytes:
        """The root certificate in PEM: what a client must trust."""
        return self.root.public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Sequence[str], *, days_left: int = 80, key: KeyKind = "ec") -> Identity:
        """A server certificate for ``names`` that ends ``days_left`` days from now; negative: it has expired."""
        private_key = _private_key(key)
        leaf = self._sign(
            _name(names[0]), private_key,
            issuer=self._intermediate.subject, issuer_key=self._intermediate_key, days=days_left, names=names,
        )  # fmt: skip
        return Identity(private_key, (leaf, self._intermediate))

    def self_signed(self, names: Sequence[str], *, days_left: int = 3650) -> Identity:
        """A certificate that vouches for itself: nobody has any reason to trust it."""
        private_key = _private_key("ec")
        subject = _name(names[0])
        leaf = self._sign(subject, private_key, issuer=subject, issuer_key=private_key, days=days_left, names=names)
        return Identity(private_key, (leaf,))

    def _sign(
        self,
        subject: x509.Name,
        subject_key: PrivateKey,
        *,
        issuer: x509.Name,
        issuer_key: PrivateKey,
        days: int,
        names: Sequence[str] = (),
        path_length: int | None = None,
    ) -> x509.Certificate:
        """One certificate. With ``path_length`` it is an authority's, otherwise a server's for ``names``.

        It begins ten days before the earlier of now and its end, so that an expired one was valid once.
        """
        # An hour more than whole days: a certificate with 80 days left must not show 79 a second later.
        end = self._now + datetime.timedelta(days=days, hours=1)
        begin = min(self._now, end) - datetime.timedelta(days=10)
        is_authority = path_length is not None
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(subject_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True)
            .add_extension(_CA_USAGE if is_authority else _SERVER_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject_key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
            ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())
