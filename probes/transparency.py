"""Signed certificate timestamps: a log's promise to publish a certificate (RFC 6962 §3).

They come in the certificate, in its OCSP staple or in a TLS extension; the first two are looked at, since our TLS
library hands the third to nobody. Which organisation runs a log, and whether a signature is a log's, cannot be told
offline: timestamps are counted and their logs named by id, as in the lists of logs that browsers publish.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
from typing import TYPE_CHECKING

from probes.der import extension, malformed, quiet
from probes.model import Cause, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from cryptography import x509


@dataclasses.dataclass(frozen=True, slots=True)
class Timestamp:
    """``log``: the id of the log (SHA-256 of its key) in base64. ``signature``: its signature, which tells repetitions
    of one timestamp apart from two of the same log."""

    log: str
    signature: bytes


@quiet
def in_certificate(certificate: x509.Certificate) -> list[Timestamp]:
    """The timestamps in the certificate's own extension; none when it has no such extension.

    Raises ``Unmeasured(protocol_error)`` for a malformed one.
    """
    from cryptography import x509

    listed = extension(certificate, x509.PrecertificateSignedCertificateTimestamps)
    return [_timestamp(each) for each in listed or ()]


@quiet
def in_staple(staple: bytes) -> list[Timestamp]:
    """The timestamps in a stapled OCSP response (DER) of one answer; our library shows those of no others. None are in
    what is no such response: that is a fault of the staple.

    Raises ``Unmeasured(protocol_error)`` for a malformed list.
    """
    from cryptography import x509
    from cryptography.x509 import ocsp

    try:
        response = ocsp.load_der_ocsp_response(staple)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return []
        if len(list(itertools.islice(response.responses, 2))) != 1:
            return []
    except malformed():
        return []
    try:
        listed = response.single_extensions.get_extension_for_class(x509.SignedCertificateTimestamps).value
        return [_timestamp(each) for each in listed]
    except x509.ExtensionNotFound:
        return []
    except malformed() as error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"malformed timestamps: {printable(str(error), 200)}") from None


def _timestamp(found: x509.certificate_transparency.SignedCertificateTimestamp) -> Timestamp:
    return Timestamp(base64.b64encode(found.log_id).decode("ascii"), found.signature)
