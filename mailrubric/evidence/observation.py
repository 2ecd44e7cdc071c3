"""Observations: what scoring sees. A cell is a record, never a bare number."""

from __future__ import annotations

import dataclasses
from typing import Literal

Kind = Literal["measured", "claimed", "reviewed", "surveyed", "tested"]
ObservedValue = bool | int | float | str | tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """One metric or fact of one vendor at one time: a value, or no value and a cause.

    ``metric``: a metric key (``tls.oldest_version``) or a fact name (``dedicated_ip``; fact names have no dot).
    ``observed``: ISO 8601, UTC (``2026-11-22T10:00:00Z``), a date as precise as its source, or ``undated``.
    ``endpoint``: ``Endpoint.key``, empty for claims. ``source``: a URL, or ``probe <name>`` for measurements.
    ``n``: sample size of reviews and surveys. ``low``/``high``: bounds of a sampled value, in its unit.
    ``parent``: key of the profile's endpoint when ``endpoint`` was found through it (an MX host of a domain), else "".
    """

    vendor: str
    metric: str
    value: ObservedValue | None
    kind: Kind
    source: str
    observed: str
    cause: str | None = None
    detail: str = ""
    unit: str = ""
    endpoint: str = ""
    role: str = ""
    label: str = ""
    vantage: str = ""
    grade: str = ""
    document: str = ""
    note: str = ""
    n: int | None = None
    low: float | None = None
    high: float | None = None
    report: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    disputed: tuple[tuple[str, str, str], ...] = ()
    """For claims: (value as text, source, as_of) of sources that disagree."""
    parent: str = ""
