"""The result of scoring: what the CLI prints, the dashboard draws and exports write. Plain immutable records."""

from __future__ import annotations

import dataclasses
from typing import Literal

from mailrubric.evidence.observation import Kind, Observation, ObservedValue

GateStatus = Literal["pass", "fail", "provisional"]
VendorStatus = Literal["ranked", "insufficient", "failed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Contradiction:
    """A claim that a measurement does not bear out. Both sides with source and time."""

    vendor: str
    subject: str
    """The criterion id, or ``endpoint`` for what a profile says of an endpoint."""
    claimed: str
    claimed_source: str
    claimed_as_of: str
    measured: str
    measured_source: str
    measured_at: str
    sentence: str


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One criterion of one vendor.

    ``value`` in ``unit`` (the criterion's), or None with ``cause`` (a probe's cause, ``no_evidence`` when nothing was
    ever recorded, ``not_applicable``, ``no_document`` for a compliance claim without proof, ``outdated`` for evidence
    that has run out, ``unscored`` for a value that the value function or unit can't take).
    ``score``: 0–100 or None. ``low``/``high``: bounds of the score by missing endpoints, age and sampling (0 and 100
    when unknown).
    ``weight``: share of the whole rubric in per cent (all criteria sum to 100). ``contribution``: points of the
    vendor's score that come from here (they add up to it), None when unknown.
    ``imputed``: the score used for ranking when unknown.
    """

    criterion: str
    value: ObservedValue | None
    unit: str
    kind: Kind | None
    cause: str | None
    detail: str
    source: str
    observed: str
    age_days: float | None
    score: float | None
    low: float
    high: float
    imputed: float | None
    applicable: bool
    weight: float
    contribution: float | None
    grade: str = ""
    vantage: str = ""
    n: int | None = None
    evidence: tuple[Observation, ...] = ()
    contradiction: Contradiction | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Gate:
    """A criterion's ``must`` for one vendor: ``provisional`` when the value is unknown."""

    criterion: str
    status: GateStatus
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class GroupScore:
    """A group's own score of record (None when nothing is known), and its part in the vendor's score."""

    id: str
    title: str
    weight: float
    score: float | None
    low: float
    high: float
    coverage: float
    contribution: float
    applicable: bool


@dataclasses.dataclass(frozen=True, slots=True)
class VendorScore:
    """One vendor's line. ``score`` None when nothing is known. ``coverage`` in per cent of the applicable weight.
    ``ranking_score``: with imputed cells, what the order is made of. ``rank`` is None unless status is ``ranked``."""

    id: str
    name: str
    category: str
    lab: bool
    status: VendorStatus
    rank: int | None
    score: float | None
    low: float
    high: float
    coverage: float
    ranking_score: float | None
    gates: tuple[Gate, ...]
    groups: tuple[GroupScore, ...]
    cells: tuple[Cell, ...]
    contradictions: tuple[Contradiction, ...]
    newest: str
    oldest: str


@dataclasses.dataclass(frozen=True, slots=True)
class CriterionInfo:
    """What a reader needs to know about a criterion beside a cell."""

    id: str
    group: str
    group_title: str
    question: str
    weight: float
    unit: str
    value_function: str
    """In words, for people: ``100 at TLSv1.3 … 0 at SSLv3``."""
    must: str
    rationale: str
    reference: str
    sources: str
    """In words: ``probe tls.oldest_version (submission, worst)``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluation:
    """A whole scoring run. ``rules_hash``: SHA-256 over criteria, weights and engine version; the same observations,
    ``as_of`` and hash give the same bytes. Vendors in rank order, then insufficient, then failed.
    ``group_weights``/``criterion_weights``: raw, as entered, after preset and overrides; the shares in per cent are in
    ``criteria[].weight`` and ``groups[].weight``."""

    rules_hash: str
    as_of: str
    preset: str
    minimum_coverage: float
    engine_version: str
    group_weights: dict[str, float]
    criterion_weights: dict[str, float]
    criteria: tuple[CriterionInfo, ...]
    vendors: tuple[VendorScore, ...]
