"""Where a claim and a measurement, or a hands-on test, of the same thing do not agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from mailrubric.display import value_words
from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.scoring.evaluation import Contradiction
from mailrubric.scoring.value_functions import level_text, number
from probes.model import Endpoint

ENDPOINT_SUBJECT = "endpoint"
STARTTLS_METRICS = frozenset({"smtp.starttls", "imap.starttls", "pop3.starttls", "sieve.starttls"})
"""Truth values: whether a complete list of capabilities had STARTTLS (STLS) in it."""


def differ(claimed: ObservedValue, measured: ObservedValue, tolerance: float) -> bool | None:
    """Whether a measurement contradicts a claim; None when the two can't be compared.

    Numbers: relative difference above ``tolerance`` of the larger. Sets: the measurement lacks a claimed member
    (members that nobody claimed are no contradiction: profiles seldom list everything). Others: not equal.
    """
    if isinstance(claimed, bool) or isinstance(measured, bool):
        return claimed is not measured if isinstance(claimed, bool) and isinstance(measured, bool) else None
    if isinstance(claimed, tuple) or isinstance(measured, tuple):
        return bool(missing_members(claimed, measured)) if isinstance(measured, tuple) else None
    one, other = number(claimed), number(measured)
    if one == one and other == other:
        return abs(one - other) > tolerance * max(abs(one), abs(other))
    if isinstance(claimed, str) and isinstance(measured, str):
        return claimed.casefold() != measured.casefold()
    return None


def missing_members(claimed: ObservedValue, measured: tuple[str, ...]) -> list[str]:
    """Claimed members that the measured set lacks, in the claim's order."""
    members = claimed if isinstance(claimed, tuple) else (level_text(claimed) or "",)
    seen = {str(member).casefold() for member in measured}
    return [str(member) for member in members if str(member).casefold() not in seen]


def between(
    subject: str,
    claim: Observation,
    claimed: ObservedValue,
    measurement: Observation,
    measured: ObservedValue,
    tolerance: float,
    unit: str,
    bounds: tuple[float, float] | None = None,
    counts: Literal["any", "less", "more"] = "any",
) -> Contradiction | None:
    """The contradiction between a claim and a measurement or test, both values in ``unit``; None when there is none.

    ``bounds``: of a sample. A number that lies between them is not contradicted, however far from the sample's own.
    ``counts``: which measured number contradicts a claimed one; a limit that turns out wider breaks no promise.
    """
    if not differ(claimed, measured, tolerance):
        return None
    if (counts == "less" and number(measured) > number(claimed)) or (
        counts == "more" and number(measured) < number(claimed)
    ):
        return None
    if bounds is not None and bounds[0] <= number(claimed) <= bounds[1]:
        return None
    return _contradiction(subject, claim, claimed, measurement, measured, unit, bounds)


def of_promise(
    subject: str,
    claim: Observation,
    claimed: ObservedValue,
    promised: tuple[float, float],
    measurement: Observation,
    measured: ObservedValue,
    unit: str,
    bounds: tuple[float, float] | None = None,
) -> Contradiction | None:
    """The contradiction between a claim in words and the number that it promises to lie in a range; None when there is
    none. Of a sample the whole interval has to lie outside: what chance could have done contradicts nobody."""
    seen = number(measured)
    low, high = bounds if bounds is not None else (seen, seen)
    if not (high < promised[0] or low > promised[1]):  # also when ``seen`` is no number
        return None
    return _contradiction(subject, claim, claimed, measurement, measured, unit, bounds)


def _contradiction(
    subject: str,
    claim: Observation,
    claimed: ObservedValue,
    measurement: Observation,
    measured: ObservedValue,
    unit: str,
    bounds: tuple[float, float] | None,
) -> Contradiction:
    said, seen = value_words(claimed, unit), value_words(measured, unit)
    if measurement.kind == "tested":
        if bounds is not None:
            seen += f" (95 % interval {value_words(bounds[0], unit)} to {value_words(bounds[1], unit)})"
        if measurement.n is not None:
            seen += f", n = {measurement.n}"
    lacking = ""
    if isinstance(measured, tuple):
        lacking = f" (without {', '.join(missing_members(claimed, measured))})"
    joined = " measurements" in measurement.endpoint  # of several endpoints
    where = f" {'as' if joined else 'on'} {measurement.endpoint}" if measurement.endpoint else ""
    return Contradiction(
        vendor=claim.vendor,
        subject=subject,
        claimed=said,
        claimed_source=claim.source,
        claimed_as_of=claim.observed,
        measured=seen,
        measured_source=_measured_by(measurement),
        measured_at=measurement.observed,
        sentence=f"Profile says {said} ({claim.source}, {claim.observed}), "
        f"{measurement.kind} {seen}{lacking}{where} at {measurement.observed}.",
    )


def _measured_by(measurement: Observation) -> str:
    return f"{measurement.source}, {measurement.endpoint}" if measurement.endpoint else measurement.source


def of_endpoints(
    vendor: str,
    endpoints: Mapping[str, Endpoint],
    provenance: Mapping[str, tuple[str, str]],
    measurements: Iterable[Observation],
) -> list[Contradiction]:
    """What the profile says of how TLS begins at an endpoint, against what a complete capability list showed.

    ``endpoints``: by key. ``provenance``: source and date of the profile's statement, by key. Only observed values
    count: a server that talks plain text on a port for implicit TLS gives a cause, not a value, so no contradiction.
    ``mx`` is left out: STARTTLS there is opportunistic and no profile promises it.
    """
    found = []
    for measurement in measurements:
        endpoint = endpoints.get(measurement.endpoint)
        if endpoint is None or endpoint.role == "mx" or measurement.metric not in STARTTLS_METRICS:
            continue
        promised = {"starttls": True, "none": False}.get(endpoint.tls)
        if promised is None or not isinstance(measurement.value, bool) or measurement.value == promised:
            continue
        source, as_of = provenance.get(measurement.endpoint, ("", ""))
        said = "STARTTLS" if promised else "no TLS"
        seen = "STARTTLS offered" if measurement.value else "no STARTTLS in a complete reply"
        said_where = f" ({', '.join(part for part in (source, as_of) if part)})" if source or as_of else ""
        found.append(
            Contradiction(
                vendor=vendor,
                subject=ENDPOINT_SUBJECT,
                claimed=said,
                claimed_source=source,
                claimed_as_of=as_of,
                measured=seen,
                measured_source=_measured_by(measurement),
                measured_at=measurement.observed,
                sentence=f"Profile says {said} on {measurement.endpoint}{said_where}, "
                f"measured {seen} at {measurement.observed}.",
            )
        )
    return found
