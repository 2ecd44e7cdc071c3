"""What is measured of one chain that a server showed: everything about it, each thing apart from the others.

Pure functions over DER, for ``probes.certificate``, which says what the metrics mean.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from probes.chain import Arrangement
from probes.der import (
    alternative_names,
    days_left,
    issuer_name,
    malformed,
    name_matches,
    names_responder,
    public_key,
    quiet,
    self_signed,
    signature_algorithm,
    subject_name,
    wants_staple,
)
from probes.model import Cause, Measurement, Unmeasured, Value
from probes.replies import printable
from probes.revocation import Staple, read_staple
from probes.transparency import in_certificate, in_staple

if TYPE_CHECKING:
    from cryptography import x509

MAXIMUM_NAMES = 100
"""Names listed in ``certificate.subject_names``, and logs in ``certificate.timestamp_logs``."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """A value with what there is to say about it."""

    value: Value
    detail: str


@quiet
def measure_chain(
    chain: Sequence[bytes],
    host: str,
    ca_file: str | None = None,
    now: datetime.datetime | None = None,
    staple: bytes | None = None,
) -> list[Measurement]:
    """Every metric of ``probes.certificate.CHAIN_METRICS`` about a served chain (DER, leaf first) and its OCSP
    ``staple`` (DER). What one of them cannot say, the others can: raises ``Unmeasured`` only when there is no readable
    leaf."""
    arrangement = Arrangement(chain, ca_file, now)
    leaf = arrangement.leaf

    def names() -> Value:
        dns_names, ip_addresses = alternative_names(leaf)
        return tuple(sorted({printable(each, 260) for each in (*dns_names, *ip_addresses)})[:MAXIMUM_NAMES])

    def superfluous() -> _Found:
        found = arrangement.superfluous()
        return _Found(len(found), ", ".join(subject_name(each) for each in found[:3]))

    error = _or_cause("certificate.trust_error", arrangement.trust_error)
    return [
        _trusted("certificate.trusted", error),
        error,
        _or_cause("certificate.trusted_by", lambda: _trusted_by(arrangement)),
        _or_cause("certificate.name_matches", lambda: name_matches(leaf, host)),
        _or_cause("certificate.days_left", lambda: days_left(leaf, _moment(now))),
        _or_cause("certificate.key_type", lambda: public_key(leaf).kind),
        _or_cause("certificate.key_bits", lambda: _bits(leaf)),
        _or_cause("certificate.signature_algorithm", lambda: signature_algorithm(leaf)),
        _or_cause("certificate.self_signed", lambda: self_signed(leaf)),
        Measurement("certificate.chain_length", len(chain)),
        _or_cause("certificate.chain_in_order", lambda: _Found(*arrangement.in_order())),
        _or_cause("certificate.chain_complete", lambda: _Found(*arrangement.complete())),
        _or_cause("certificate.root_sent", arrangement.root_sent),
        _or_cause("certificate.superfluous", superfluous),
        _or_cause("certificate.subject_names", names),
        _or_cause("certificate.issuer", lambda: issuer_name(leaf)),
        *_measure_timestamps(leaf, staple),
        *_measure_staple(arrangement, staple, _moment(now)),
    ]


@quiet
def measure_other_chain(
    chain: Sequence[bytes], host: str, ca_file: str | None = None, now: datetime.datetime | None = None
) -> list[Measurement]:
    """Every metric of ``probes.certificate.OTHER_METRICS`` but the first about the chain of the other kind, as
    :func:`measure_chain`."""
    arrangement = Arrangement(chain, ca_file, now)
    leaf = arrangement.leaf
    error = _or_cause("certificate.other_trust_error", arrangement.trust_error)
    return [
        _trusted("certificate.other_trusted", error),
        error,
        _or_cause("certificate.other_name_matches", lambda: name_matches(leaf, host)),
        _or_cause("certificate.other_days_left", lambda: days_left(leaf, _moment(now))),
        _or_cause("certificate.other_key_bits", lambda: _bits(leaf)),
        _or_cause("certificate.other_signature_algorithm", lambda: signature_algorithm(leaf)),
        _or_cause("certificate.other_chain_in_order", lambda: _Found(*arrangement.in_order())),
        _or_cause("certificate.other_chain_complete", lambda: _Found(*arrangement.complete())),
    ]


def _or_cause(metric: str, find: Callable[[], Value | _Found]) -> Measurement:
    """The value found, or why there is none. The libraries parse lazily, so any field of a hostile certificate may
    turn out to be malformed when it is first looked at."""
    try:
        found = find()
    except Unmeasured as reason:
        return Measurement.missing(metric, reason.cause, reason.detail)
    except malformed() as error:
        return Measurement.missing(metric, Cause.PROTOCOL_ERROR, f"malformed: {printable(str(error), 200)}")
    return (
        Measurement(metric, found.value, detail=found.detail)
        if isinstance(found, _Found)
        else Measurement(metric, found)
    )


def _moment(now: datetime.datetime | None) -> datetime.datetime:
    return now or datetime.datetime.now(datetime.UTC)


def _trusted(metric: str, error: Measurement) -> Measurement:
    if error.cause is not None:
        return Measurement.missing(metric, error.cause, error.detail)
    found = "" if error.value == "none" else str(error.value)
    return Measurement(metric, not found, detail=found)


def _trusted_by(arrangement: Arrangement) -> _Found:
    errors = arrangement.trust_errors()
    trusting = tuple(sorted(name for name, error in errors.items() if error == "none"))
    said = [f"{name}: {error}" for name, error in errors.items() if not isinstance(error, Unmeasured)]
    for problem in errors.values():
        if isinstance(problem, Unmeasured):  # without it the set would say that this store does not trust it
            raise Unmeasured(problem.cause, "; ".join([problem.detail, *said]))
    return _Found(trusting, "; ".join(said))


def _bits(leaf: x509.Certificate) -> Value:
    key = public_key(leaf)
    if key.bits is None:
        raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, f"our library cannot read this {key.kind} key")
    return key.bits


def _measure_timestamps(leaf: x509.Certificate, staple: bytes | None) -> list[Measurement]:
    keys = ("certificate.timestamps", "certificate.timestamp_logs")
    try:
        embedded, stapled = in_certificate(leaf), in_staple(staple or b"")
    except Unmeasured as reason:
        return [Measurement.missing(key, reason.cause, reason.detail) for key in keys]
    found = set(embedded) | set(stapled)
    detail = f"{len(embedded)} in the certificate, {len(stapled)} in the staple" if found else ""
    logs = tuple(sorted({timestamp.log for timestamp in found})[:MAXIMUM_NAMES])
    return [Measurement(keys[0], len(found), detail=detail), Measurement(keys[1], logs)]


def _measure_staple(arrangement: Arrangement, der: bytes | None, now: datetime.datetime) -> list[Measurement]:
    must = _or_cause("certificate.must_staple", lambda: wants_staple(arrangement.leaf))
    stapled = _or_cause("certificate.ocsp_stapled", lambda: _stapled(arrangement.leaf, der, bool(must.value)))
    staple: Staple | Unmeasured
    if der is None:
        why = "the server stapled no OCSP response; revocation lists and responders of others are not asked"
        staple = Unmeasured(Cause.NOT_APPLICABLE, why)
    else:
        try:
            staple = read_staple(der, arrangement, now)
        except Unmeasured as reason:
            staple = reason
        except malformed() as error:
            staple = Unmeasured(Cause.PROTOCOL_ERROR, f"a malformed chain: {printable(str(error), 200)}")

    def read() -> Staple:
        if isinstance(staple, Unmeasured):
            raise Unmeasured(staple.cause, staple.detail)
        return staple

    def status() -> _Found:
        found = read()
        if found.status is None:
            detail = f"the staple says nothing of the certificate ({found.error}): {found.detail}"
            raise Unmeasured(Cause.PROTOCOL_ERROR, detail)
        return _Found(found.status, found.detail)

    def honoured() -> _Found:
        if must.cause is not None:
            raise Unmeasured(must.cause, must.detail)
        if not must.value:
            raise Unmeasured(Cause.NOT_APPLICABLE, "the certificate demands no staple")
        if der is None:
            return _Found(False, "no staple")
        return _Found(read().error == "none", read().detail)

    return [
        must,
        stapled,
        _or_cause("certificate.ocsp_error", lambda: _Found(read().error, read().detail)),
        _or_cause("certificate.ocsp_status", status),
        _or_cause("certificate.must_staple_honoured", honoured),
    ]


def _stapled(leaf: x509.Certificate, der: bytes | None, must: bool) -> Value:
    if der is None and not must and not names_responder(leaf):
        raise Unmeasured(Cause.NOT_APPLICABLE, "no staple, and the certificate names no OCSP responder to get one from")
    return der is not None
