"""The chain of certificates that a server shows: trust in several stores, order, completeness.

Trust is OpenSSL's word (RFC 5280 §6), asked of each store apart: the bundled one (certifi), the system's and the one
that the user has given. Order and completeness are looked at certificate by certificate, whatever the dates, so that
an expired leaf does not hide a missing intermediate. Nobody is asked for a certificate that the server left out.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from probes.anchors import Anchors, anchors_at, anchors_of, canonical, certifi_bundle, known_anchors, store_at
from probes.der import extension, load, malformed, quiet, self_signed, subject_name
from probes.model import Cause, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from cryptography import x509
    from OpenSSL import crypto

MAXIMUM_CHAIN = 20
"""Certificates of a chain that are looked at."""
_MAXIMUM_CHECKS = 64
"""Signatures of one chain that are checked: a hostile one could give every certificate the same name."""

# --- trust ------------------------------------------------------------------------------------------------------------

_TRUST_ERRORS = {9: "not_yet_valid", 10: "expired", 18: "self_signed", 19: "unknown_issuer"}
"""X509_V_ERR numbers of OpenSSL with a name here. 2, 20 and 21 (no issuer found) are told apart below."""


@quiet
def trust_error(chain: Sequence[bytes], ca_file: str | None = None, now: datetime.datetime | None = None) -> str:
    """``none`` when a path leads from the first certificate to a trust anchor (certifi's, or one of ``ca_file``) at the
    time ``now``, else the first thing wrong with it (see ``probes.certificate.METRICS``); names are not looked at.
    RFC 5280 §6.

    Raises ``Unmeasured(protocol_error)`` when the leaf is no certificate.
    """
    return _trust_error(_certificates(chain), _bundled_and_given(ca_file), now)


def _bundled_and_given(ca_file: str | None) -> Anchors:
    return anchors_at(certifi_bundle(), *([ca_file] if ca_file is not None else []))


def _trust_error(served: Sequence[x509.Certificate], anchors: Anchors, now: datetime.datetime | None) -> str:
    from OpenSSL import crypto

    leaf, *others = served
    extra: list[crypto.X509] = []
    for certificate in others:
        with contextlib.suppress(crypto.Error):  # an extra certificate that OpenSSL cannot read is only no help
            extra.append(_of_openssl(certificate))
    store = store_at(anchors, now)
    try:
        crypto.X509StoreContext(store, _of_openssl(leaf), extra).verify_certificate()
    except crypto.X509StoreContextError as error:
        number = error.errors[0] if error.errors else 0
        if number in _TRUST_ERRORS:
            return _TRUST_ERRORS[number]
        if number in (2, 20, 21):
            return "incomplete_chain" if _lacks_intermediate(leaf, others) else "unknown_issuer"
        return f"other: {printable(str(error), 200)}"
    except malformed():
        raise Unmeasured(Cause.PROTOCOL_ERROR, "OpenSSL cannot read the certificate") from None
    return "none" if _is_for_servers(leaf) else "other: not meant for servers (extended key usage)"


@functools.lru_cache(2 * MAXIMUM_CHAIN)
def _of_openssl(certificate: x509.Certificate) -> crypto.X509:
    """The same certificate as OpenSSL's, for several stores in turn."""
    from OpenSSL import crypto

    return crypto.X509.from_cryptography(certificate)


def _is_for_servers(leaf: x509.Certificate) -> bool:
    """Whether the leaf's extended key usage, if it has one, includes TLS servers (RFC 5280 §4.2.1.12)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usages = extension(leaf, x509.ExtendedKeyUsage)
    except Unmeasured:
        return True  # OpenSSL, which has read it, accepts the certificate
    wanted = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    return usages is None or any(usage in wanted for usage in usages)


def _certificates(chain: Sequence[bytes]) -> list[x509.Certificate]:
    """The leaf, and whatever else of the chain can be read: a broken extra certificate is only no help."""
    return [certificate for certificate in _loaded(chain) if certificate is not None]


def _loaded(chain: Sequence[bytes]) -> list[x509.Certificate | None]:
    """The chain's certificates, None in the places of broken ones. ``Unmeasured(protocol_error)`` without a leaf."""
    if not chain:
        raise Unmeasured(Cause.PROTOCOL_ERROR, "the server showed no certificate")
    found: list[x509.Certificate | None] = [load(chain[0])]
    for der in chain[1:MAXIMUM_CHAIN]:
        try:
            found.append(load(der))
        except Unmeasured:
            found.append(None)
    return found


def _lacks_intermediate(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> bool:
    """Whether the server left out the leaf's issuer although the leaf says where that certificate can be fetched
    (authority information access, RFC 5280 §4.2.2.1), as the leaves of public authorities do."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    try:
        issuer = leaf.issuer
        if any(other.subject == issuer for other in others):
            return False
        access = extension(leaf, x509.AuthorityInformationAccess)
    except Unmeasured:
        return False
    except malformed():
        return False
    return access is not None and any(
        entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS for entry in access
    )


# --- order and completeness -------------------------------------------------------------------------------------------


class Arrangement:
    """How the certificates of one served chain belong together. Every question raises ``Unmeasured`` where it cannot be
    answered, or what :func:`probes.der.malformed` lists; without a readable leaf there is no arrangement."""

    @quiet
    def __init__(
        self, chain: Sequence[bytes], ca_file: str | None = None, now: datetime.datetime | None = None
    ) -> None:
        self._places = _loaded(chain)
        self._ca_file = ca_file
        self._now = now
        self._length = len(chain)
        self._stores = anchors_of(ca_file)
        self._errors: dict[Anchors, str | Unmeasured] = {}
        self._known: dict[tuple[x509.Certificate, x509.Certificate], bool] = {}
        self._checks = 0
        self.certificates = [certificate for certificate in self._places if certificate is not None]
        self.leaf = self.certificates[0]

    @quiet
    def trust_error(self) -> str:
        """What :func:`trust_error` says of the chain."""
        error = self._error_by(_bundled_and_given(self._ca_file))
        if isinstance(error, Unmeasured):
            raise Unmeasured(error.cause, error.detail)
        return error

    @quiet
    def trust_errors(self) -> dict[str, str | Unmeasured]:
        """The same asked of each store apart (``STORES``); why not, for a store that is not there."""
        return {
            name: anchors if isinstance(anchors, Unmeasured) else self._error_by(anchors)
            for name, anchors in self._stores.items()
        }

    def _error_by(self, anchors: Anchors) -> str | Unmeasured:
        if anchors not in self._errors:
            try:
                self._errors[anchors] = _trust_error(self.certificates, anchors, self._now)
            except Unmeasured as problem:
                self._errors[anchors] = problem
        return self._errors[anchors]

    @quiet
    def in_order(self) -> tuple[bool, str]:
        """Whether each certificate was issued by the next one (RFC 8446 §4.4.2), and the first that was not."""
        for index, (certificate, issuer) in enumerate(itertools.pairwise(self._places), 1):
            if certificate is not None and issuer is not None and not self.issued(certificate, issuer):
                return False, f"number {index} ({subject_name(certificate)}) was not issued by number {index + 1}"
        self._require_all()
        return True, "" if self._length > 1 else "a single certificate"

    @quiet
    def root_sent(self) -> bool:
        """Whether a self-signed certificate was served besides the leaf."""
        if any(self_signed(certificate) for certificate in self.certificates[1:]):
            return True
        self._require_all()
        return False

    @quiet
    def superfluous(self) -> list[x509.Certificate]:
        """The served certificates that vouch for no other on the way up from the leaf, and repetitions."""
        self._require_all()
        above = self._above_leaf()
        return [
            certificate
            for index, certificate in enumerate(self.certificates)
            if certificate not in above or certificate in self.certificates[:index]
        ]

    @quiet
    def complete(self) -> tuple[bool, str]:
        """Whether the served certificates lack no intermediate one, and how that is known.

        True: a path leads from the leaf to a certificate that a store has as an anchor, that an anchor issued, or that
        issued itself, so that there is nothing above it. False: the leaf's issuer is neither served nor an anchor, and
        it must be an intermediate authority, since the leaf is a publicly trusted one, which roots do not sign
        themselves (CA/Browser Forum Baseline Requirements §6.1.7). Else ``Unmeasured``: the unknown issuer may be a
        root, rightly left out.
        """
        if "none" in self.trust_errors().values():
            return True, ""
        above = self._above_leaf()
        for certificate in above:
            if certificate in known_anchors(certificate.subject, self._anchors()):
                return True, f"up to the trust anchor {subject_name(certificate)}"
            anchor = self._anchor_above(certificate)
            if anchor is not None:
                return True, f"up to the trust anchor {subject_name(anchor)}"
        for certificate in above:
            if self_signed(certificate):
                return True, f"up to {subject_name(certificate)}, which signed itself and is no trust anchor"
        issuer = printable(self.leaf.issuer.rfc4514_string(), 200)
        if len(above) == 1 and _is_public(self.leaf):
            self._require_all()
            return False, f"the intermediate authority {issuer} is missing"
        raise Unmeasured(
            Cause.TLS_CLIENT_UNSUPPORTED,
            "no trust store here knows the authority at the chain's end: it may be a root that is rightly left out, or "
            "lack an intermediate; authorities are not asked for certificates that the server does not send",
        )

    @quiet
    def issuer_of_leaf(self) -> x509.Certificate | None:
        """The certificate whose key signed the leaf: served, an anchor, or the leaf itself; None when none is known."""
        for certificate in (*self.certificates[1:], self.leaf):
            if self.issued(self.leaf, certificate):
                return certificate
        return self._anchor_above(self.leaf)

    @quiet
    def issued(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether ``issuer`` signed ``certificate``: names (RFC 5280 §6.1.3 a 4) and signature. Where our library
        cannot check the signature (an old hash, an odd key), names and key identifiers decide."""
        from cryptography.exceptions import InvalidSignature

        pair = (certificate, issuer)
        if pair not in self._known:
            if not _same_name(certificate.issuer, issuer.subject):
                self._known[pair] = False
                return False
            if self._checks >= _MAXIMUM_CHECKS:
                raise Unmeasured(Cause.REPLY_TOO_LONG, "too many certificates of the same name in one chain")
            self._checks += 1
            try:
                certificate.verify_directly_issued_by(issuer)
            except InvalidSignature:
                self._known[pair] = False
            except malformed():
                self._known[pair] = _same_key(certificate, issuer)
            else:
                self._known[pair] = True
        return self._known[pair]

    def _anchor_above(self, certificate: x509.Certificate) -> x509.Certificate | None:
        for anchor in known_anchors(certificate.issuer, self._anchors()):
            if self.issued(certificate, anchor):
                return anchor
        return None

    def _anchors(self) -> list[Anchors]:
        return [anchors for anchors in self._stores.values() if not isinstance(anchors, Unmeasured)]

    def _above_leaf(self) -> list[x509.Certificate]:
        """The leaf, the served certificates that issued it, those that issued these, and so on."""
        found = [self.leaf]
        for certificate in found:  # grows meanwhile
            for other in self.certificates:
                if other not in found and self.issued(certificate, other):
                    found.append(other)
        return found

    def _require_all(self) -> None:
        """Raise ``Unmeasured`` when some of what was served could not be looked at."""
        if self._length > MAXIMUM_CHAIN:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"a chain of {self._length} certificates")
        if len(self.certificates) < self._length:
            broken = self._length - len(self.certificates)
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"{broken} of {self._length} certificates cannot be read")


def _same_name(one: x509.Name, other: x509.Name) -> bool:
    return one == other or canonical(one) == canonical(other)


def _same_key(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the key identifiers allow that ``issuer`` signed ``certificate`` (RFC 5280 §4.2.1.1)."""
    from cryptography import x509

    wanted = extension(certificate, x509.AuthorityKeyIdentifier)
    found = extension(issuer, x509.SubjectKeyIdentifier)
    if wanted is None or wanted.key_identifier is None or found is None:
        return True
    return wanted.key_identifier == found.digest


_PUBLIC_POLICIES = frozenset({"2.23.140.1.1", "2.23.140.1.2.1", "2.23.140.1.2.2", "2.23.140.1.2.3"})
"""Policies that only publicly trusted server certificates carry: extended, domain, organisation and individual
validation (CA/Browser Forum Baseline Requirements §7.1.6.1)."""


def _is_public(leaf: x509.Certificate) -> bool:
    """Whether the leaf says of itself that a public authority issued it to a server."""
    from cryptography import x509

    policies = extension(leaf, x509.CertificatePolicies) or ()
    return any(policy.policy_identifier.dotted_string in _PUBLIC_POLICIES for policy in policies)
