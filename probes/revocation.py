"""What an OCSP staple says of a certificate, and whether it may be believed (RFC 6960, RFC 6066 §8, RFC 7633).

Only what the server itself shows is looked at: no revocation list is fetched and no authority's responder asked, since
both belong to others, who would learn whom we look at. A staple counts when it answers for this very certificate,
covers the present and is signed by the certificate's issuer or by a responder whom the issuer has delegated it to.
Anything else is an observation about the staple (``Staple.error``), and says nothing about the certificate.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
from typing import TYPE_CHECKING, Literal

from probes.chain import Arrangement
from probes.der import SIGNATURES, extension, malformed, quiet
from probes.model import Cause, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509 import ocsp

MAXIMUM_STAPLE = 64 * 1024
"""Bytes of a staple that are looked at."""
_MAXIMUM_ANSWERS = 100
_MAXIMUM_RESPONDERS = 5
SKEW = datetime.timedelta(minutes=5)
"""By how much the responder's clock and ours may differ, as OpenSSL has it."""

Status = Literal["revoked", "unknown", "good"]
STATUSES: tuple[Status, ...] = ("revoked", "unknown", "good")


@dataclasses.dataclass(frozen=True, slots=True)
class Staple:
    """``error``: ``none``, or what makes the staple worthless, from ``ERRORS``. ``status``: what a staple without error
    says. ``detail``: its dates and more, printable."""

    error: str
    status: Status | None = None
    detail: str = ""


ERRORS: dict[str, str] = {
    "malformed": "no OCSP response",
    "responder_error": "the responder's refusal instead of an answer",
    "other_certificate": "no answer for the served certificate",
    "not_yet_valid": "its time has not come",
    "expired": "a newer one was due",
    "without_end": "it does not say until when it counts",
    "wrong_signature": "neither the issuer's signature nor that of a responder it carries along",
    "unauthorised_responder": "signed by one whom the issuer has not delegated it to",
}


@quiet
def read_staple(der: bytes, chain: Arrangement, now: datetime.datetime) -> Staple:
    """What the stapled response ``der`` says of the chain's leaf. Where several things are wrong, the first of
    ``ERRORS`` counts.

    Raises ``Unmeasured(tls_client_unsupported)`` when the signature cannot be checked here: the issuer is neither
    served nor a trust anchor, or the algorithm is unknown.
    """
    from cryptography.x509 import ocsp

    if len(der) > MAXIMUM_STAPLE:
        return Staple("malformed", detail=f"{len(der)} bytes")
    issuer = chain.issuer_of_leaf()
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Staple("responder_error", detail=response.response_status.name.lower())
        return _read(response, chain, issuer, now)
    except malformed() as error:
        return Staple("malformed", detail=printable(str(error), 200))


def _read(
    response: ocsp.OCSPResponse, chain: Arrangement, issuer: x509.Certificate | None, now: datetime.datetime
) -> Staple:
    answers = list(itertools.islice(response.responses, _MAXIMUM_ANSWERS))
    answer = next((each for each in answers if _is_for(each, chain.leaf, issuer)), None)
    if answer is None:
        return Staple("other_certificate", detail=f"{ERRORS['other_certificate']}, but {len(answers)} for others")
    detail = _described(answer)
    error = _date_error(answer, now)
    if not error:
        if issuer is None:
            raise Unmeasured(
                Cause.TLS_CLIENT_UNSUPPORTED,
                f"the signature cannot be checked: nobody shows or knows the certificate's issuer here ({detail})",
            )
        error = _signature_error(response, issuer, chain, now)
    if error:
        return Staple(error, detail=f"{ERRORS[error]}; {detail}")
    return Staple("none", _STATUSES[answer.certificate_status.name], detail)


def _described(answer: ocsp.OCSPSingleResponse) -> str:
    said = [answer.certificate_status.name.lower(), f"of {answer.this_update_utc:%Y-%m-%d %H:%M} UTC"]
    if answer.next_update_utc is not None:
        said.append(f"until {answer.next_update_utc:%Y-%m-%d %H:%M} UTC")
    if answer.revocation_time_utc is not None:
        said.append(f"revoked {answer.revocation_time_utc:%Y-%m-%d %H:%M} UTC")
    if answer.revocation_reason is not None:
        said.append(f"because of {answer.revocation_reason.value}")
    return ", ".join(said)


_STATUSES: dict[str, Status] = {"REVOKED": "revoked", "UNKNOWN": "unknown", "GOOD": "good"}


def _is_for(answer: ocsp.OCSPSingleResponse, leaf: x509.Certificate, issuer: x509.Certificate | None) -> bool:
    """Whether an answer is for the leaf: serial number, and name and key of its issuer (RFC 6960 §4.1.1)."""
    from cryptography.x509 import ocsp

    if answer.serial_number != leaf.serial_number:
        return False
    if issuer is None:
        return True
    asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, answer.hash_algorithm).build()
    return (asked.issuer_name_hash, asked.issuer_key_hash) == (answer.issuer_name_hash, answer.issuer_key_hash)


def _date_error(answer: ocsp.OCSPSingleResponse, now: datetime.datetime) -> str:
    """RFC 6960 §4.2.2.1. Without nextUpdate newer information is available all the time, so that a staple, which is old
    by nature, says nothing."""
    if answer.this_update_utc > now + SKEW:
        return "not_yet_valid"
    if answer.next_update_utc is None:
        return "without_end"
    return "expired" if answer.next_update_utc < now - SKEW else ""


def _signature_error(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, chain: Arrangement, now: datetime.datetime
) -> str:
    """Whether the issuer signed, or one whom it has given a certificate for signing OCSP responses (RFC 6960
    §4.2.2.2). Whether that certificate has been revoked in its turn is not asked."""
    if _signed(response, issuer):
        return ""
    for responder in response.certificates[:_MAXIMUM_RESPONDERS]:
        signed = False
        with contextlib.suppress(*malformed()):  # a responder that cannot be read is only no help
            signed = _signed(response, responder)
        if signed:
            return "" if _is_delegated(responder, issuer, chain, now) else "unauthorised_responder"
    return "wrong_signature"


def _is_delegated(
    responder: x509.Certificate, issuer: x509.Certificate, chain: Arrangement, now: datetime.datetime
) -> bool:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usages = extension(responder, x509.ExtendedKeyUsage) or ()
        if not responder.not_valid_before_utc - SKEW <= now <= responder.not_valid_after_utc + SKEW:
            return False
        return ExtendedKeyUsageOID.OCSP_SIGNING in usages and chain.issued(responder, issuer)
    except Unmeasured:
        return False
    except malformed():
        return False


def _signed(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    """Whether the signer's key made the response's signature. ``Unmeasured(tls_client_unsupported)`` for algorithms
    that our library cannot check."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

    name = SIGNATURES.get(response.signature_algorithm_oid.dotted_string, "")
    signature, signed = response.signature, response.tbs_response_bytes
    key = signer.public_key()
    try:
        match key:
            case rsa.RSAPublicKey() if name == "rsassaPss":
                return _signed_pss(key, signature, signed)
            case rsa.RSAPublicKey() if name.endswith("WithRSAEncryption"):
                key.verify(signature, signed, padding.PKCS1v15(), _hash(response))
            case ec.EllipticCurvePublicKey() if name.startswith("ecdsa-"):
                key.verify(signature, signed, ec.ECDSA(_hash(response)))
            case ed25519.Ed25519PublicKey() if name == "Ed25519":
                key.verify(signature, signed)
            case ed448.Ed448PublicKey() if name == "Ed448":
                key.verify(signature, signed)
            case _ if name in _CHECKED or name.endswith("WithRSAEncryption") or name.startswith("ecdsa-"):
                return False  # the signature of another kind of key
            case _:
                raise UnsupportedAlgorithm(name or response.signature_algorithm_oid.dotted_string)
    except InvalidSignature:
        return False
    except UnsupportedAlgorithm as error:
        detail = f"our library cannot check the staple's signature: {printable(str(error), 100)}"
        raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, detail) from None
    return True


_CHECKED = frozenset({"rsassaPss", "Ed25519", "Ed448"})


def _hash(response: ocsp.OCSPResponse) -> hashes.HashAlgorithm:
    from cryptography.exceptions import UnsupportedAlgorithm

    found = response.signature_hash_algorithm
    if found is None:
        raise UnsupportedAlgorithm("no hash")
    return found


def _signed_pss(key: rsa.RSAPublicKey, signature: bytes, signed: bytes) -> bool:
    """RSASSA-PSS with any of the hashes that are used with it: our library does not say which the response names."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    for digest in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        with contextlib.suppress(InvalidSignature):
            key.verify(signature, signed, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
            return True
    return False
