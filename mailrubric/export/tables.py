"""An evaluation as tables: the one place where rows and columns are chosen, for every format that people read.

A row's entries are numbers, texts, None (nothing to say) or ``Missing`` (a figure that is not known, with the word to
show instead: never 0). Texts are on one line and hold no control characters; each format escapes what is special to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from mailrubric.causes import explain
from mailrubric.display import NOT_APPLICABLE, UNKNOWN, one_line, tenths, value_words
from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.scoring.decision import RobustRanking
from mailrubric.scoring.evaluation import Cell, Evaluation, VendorScore


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """A figure that is not known; ``word`` is shown in its place."""

    word: str


Entry = str | int | float | Missing | None
ColumnKind = Literal["text", "figure", "number", "integer", "weight", "link"]
"""``figure``: points or per cents, shown with one decimal. ``number``: a value in a unit of its own, in full.
``weight``: as given, not as a share."""


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """``key`` names the column for programs, ``title`` for people; ``width`` in characters of a spreadsheet."""

    key: str
    title: str
    kind: ColumnKind = "text"
    width: int = 14


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """``rows`` have one entry for each of ``columns``."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]

    def records(self) -> Iterator[dict[str, Entry]]:
        """The rows by column key."""
        keys = [column.key for column in self.columns]
        for row in self.rows:
            yield dict(zip(keys, row, strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class Tables:
    """Everything an export shows. ``rules``: name and value pairs."""

    rules: Table
    ranking: Table
    robustness: Table
    gates: Table
    groups: Table
    criteria: Table
    evidence: Table
    contradictions: Table
    weights: Table
    rubric: Table


STATUS_WORDS = {"ranked": "ranked", "insufficient": "insufficient evidence", "failed": "failed a gate"}

METHOD = (
    "A score is the weighted mean of the criteria that have a value, from 0 to 100. Contributions add up to it; "
    "figures are rounded to one decimal here, and the JSON scorecard holds them in full.",
    "The interval runs from the score if everything unknown were worth 0 to the score if it were worth 100. "
    "It also widens with the age of the evidence.",
    "Coverage is the share of the applicable weight whose criteria have a value. Below the minimum coverage a vendor "
    "has insufficient evidence and no rank.",
    "Unknown is never counted as 0 and never as no. Ranks follow the estimate, in which what is unknown is filled in "
    "cautiously (imputed), so that a gap is never an advantage; the score itself counts only what is known.",
    "A gate is a condition that a vendor must meet: one that fails is listed apart, without a rank; one that cannot be "
    "decided yet is shown as undecided.",
    "Kinds of evidence: measured by a probe, claimed by a source, reviewed, surveyed, tested by hand. A measurement "
    "beats a claim, and a difference between the two is listed as a contradiction.",
    "The same evidence, time and rules hash give the same file, byte for byte.",
)
"""How to read a scorecard, for the foot of every format."""

_RANKING = (
    Column("rank", "Rank", "integer", 6),
    Column("vendor", "Vendor id", "text", 18),
    Column("name", "Vendor", "text", 24),
    Column("category", "Category", "text", 12),
    Column("status", "Status", "text", 20),
    Column("score", "Score", "figure", 8),
    Column("low", "Low", "figure", 8),
    Column("high", "High", "figure", 8),
    Column("coverage", "Coverage %", "figure", 11),
    Column("ranking_score", "Estimate", "figure", 10),
    Column("gates", "Gates", "text", 40),
    Column("contradictions", "Contradictions", "integer", 14),
    Column("oldest", "Oldest evidence", "text", 21),
    Column("newest", "Newest evidence", "text", 21),
    Column("lab", "Lab", "text", 6),
)
_ROBUSTNESS = (
    Column("rank", "Rank", "integer", 6),
    Column("vendor", "Vendor id", "text", 18),
    Column("name", "Vendor", "text", 24),
    Column("win", "Wins %", "figure", 9),
    Column("beats_next", "Beats the next %", "figure", 11),
    Column("expected_rank", "Mean place", "figure", 9),
    Column("likely_rank", "Most frequent place", "integer", 11),
    Column("likely", "There in %", "figure", 9),
    Column("dominated_by", "Nowhere better than", "text", 30),
)
_GATES = (
    Column("vendor", "Vendor id", "text", 18),
    Column("name", "Vendor", "text", 24),
    Column("criterion", "Criterion", "text", 28),
    Column("status", "Gate", "text", 12),
    Column("reason", "Reason", "text", 60),
)
_GROUPS = (
    Column("vendor", "Vendor id", "text", 18),
    Column("name", "Vendor", "text", 24),
    Column("group", "Group id", "text", 16),
    Column("group_title", "Group", "text", 28),
    Column("score", "Score", "figure", 8),
    Column("low", "Low", "figure", 8),
    Column("high", "High", "figure", 8),
    Column("coverage", "Coverage %", "figure", 11),
    Column("weight", "Weight %", "figure", 10),
    Column("contribution", "Contribution", "figure", 12),
)
_CRITERIA = (
    Column("vendor", "Vendor id", "text", 18),
    Column("name", "Vendor", "text", 24),
    Column("group", "Group id", "text", 16),
    Column("criterion", "Criterion", "text", 28),
    Column("question", "Question", "text", 50),
    Column("value", "Value", "number", 24),
    Column("unit", "Unit", "text", 10),
    Column("kind", "Kind", "text", 10),
    Column("score", "Score", "figure", 10),
    Column("low", "Low", "figure", 8),
    Column("high", "High", "figure", 8),
    Column("weight", "Weight %", "figure", 10),
    Column("contribution", "Contribution", "figure", 12),
    Column("imputed", "Imputed for ranking", "figure", 12),
    Column("cause", "Cause", "text", 18),
    Column("why", "Why there is no value", "text", 44),
    Column("detail", "Detail", "text", 40),
    Column("source", "Source", "link", 40),
    Column("observed", "Observed", "text", 21),
    Column("age_days", "Age in days", "figure", 11),
    Column("grade", "Grade", "text", 11),
    Column("vantage", "Vantage", "text", 10),
    Column("n", "n", "integer", 6),
    Column("contradiction", "Contradiction", "text", 60),
)
_EVIDENCE = (
    Column("vendor", "Vendor id", "text", 18),
    Column("name", "Vendor", "text", 24),
    Column("criterion", "Criterion", "text", 28),
    Column("metric", "Metric or fact", "text", 26),
    Column("value", "Value", "number", 24),
    Column("unit", "Unit", "text", 10),
    Column("kind", "Kind", "text", 10),
    Column("cause", "Cause", "text", 18),
    Column("detail", "Detail", "text", 40),
    Column("endpoint", "Endpoint", "text", 36),
    Column("label", "Label", "text", 12),
    Column("source", "Source", "link", 44),
    Column("observed", "Observed", "text", 21),
    Column("vantage", "Vantage", "text", 10),
    Column("grade", "Grade", "text", 11),
    Column("document", "Document", "link", 30),
    Column("note", "Note", "text", 40),
    Column("n", "n", "integer", 6),
    Column("low", "Low", "number", 8),
    Column("high", "High", "number", 8),
    Column("disputed", "Sources that disagree", "text", 40),
    Column("report", "Report", "text", 14),
    Column("versions", "Versions", "text", 40),
)
_CONTRADICTIONS = (
    Column("vendor", "Vendor id", "text", 18),
    Column("name", "Vendor", "text", 24),
    Column("subject", "Subject", "text", 28),
    Column("sentence", "Contradiction", "text", 70),
    Column("claimed", "Claimed", "text", 20),
    Column("claimed_source", "Claimed by", "link", 40),
    Column("claimed_as_of", "As of", "text", 12),
    Column("measured", "Measured", "text", 20),
    Column("measured_source", "Measured by", "link", 20),
    Column("measured_at", "Observed", "text", 21),
)
_RULES = (Column("rule", "Rule", "text", 28), Column("setting", "Setting", "text", 70))
_WEIGHTS = (
    Column("group", "Group id", "text", 16),
    Column("group_title", "Group", "text", 28),
    Column("weight", "Weight as given", "weight", 14),
)
_RUBRIC = (
    Column("group_title", "Group", "text", 28),
    Column("criterion", "Criterion", "text", 28),
    Column("question", "Question", "text", 50),
    Column("weight", "Weight %", "figure", 9),
    Column("unit", "Unit", "text", 8),
    Column("value_function", "Value function", "text", 50),
    Column("must", "Gate", "text", 40),
    Column("sources", "Evidence from", "text", 44),
    Column("rationale", "Rationale", "text", 60),
    Column("reference", "Reference", "text", 30),
)


def tables(evaluation: Evaluation, sure: RobustRanking | None = None) -> Tables:
    """All tables of an evaluation, vendors and criteria in its order. ``sure``: how its ranking stands over many draws,
    None when nobody has a rank."""
    vendors = evaluation.vendors
    return Tables(
        rules=Table("Rules", _RULES, tuple(_rules(evaluation))),
        ranking=Table("Ranking", _RANKING, tuple(map(_ranking_row, vendors))),
        robustness=Table("Robustness", _ROBUSTNESS, tuple(_robustness(evaluation, sure))),
        gates=Table("Gates", _GATES, tuple(row for vendor in vendors for row in _gate_rows(vendor))),
        groups=Table("Groups", _GROUPS, tuple(row for vendor in vendors for row in _group_rows(vendor))),
        criteria=Table("Criteria", _CRITERIA, tuple(_criteria_rows(evaluation))),
        evidence=Table("Evidence", _EVIDENCE, tuple(row for vendor in vendors for row in _evidence_rows(vendor))),
        contradictions=Table(
            "Contradictions", _CONTRADICTIONS, tuple(row for vendor in vendors for row in _contradiction_rows(vendor))
        ),
        weights=Table("Weights", _WEIGHTS, tuple(_weights(evaluation))),
        rubric=Table("Rubric", _RUBRIC, tuple(_rubric(evaluation))),
    )


def robustness_words(sure: RobustRanking) -> str:
    """How sure the ranking is, in two sentences."""
    return (
        f"{one_line(sure.sentence)} In each of {sure.draws:,} draws every weight is up to {100 * sure.spread:.0f} % "
        f"off the one given, and every vendor's score is drawn from what is old, sampled or unknown about it "
        f"(seed {sure.seed})."
    )


def shown(entry: Entry, kind: ColumnKind) -> str:
    """An entry as people read it; empty for None."""
    if entry is None:
        return ""
    if isinstance(entry, Missing):
        return entry.word
    if isinstance(entry, str):
        return entry
    return tenths(entry) if kind == "figure" else f"{entry:g}" if kind == "weight" else str(entry)


def gate_summary(vendor: VendorScore) -> str:
    """``passed``, or why gates failed and how many are undecided; empty when the rubric has none."""
    if not vendor.gates:
        return ""
    failed = [gate.reason or gate.criterion for gate in vendor.gates if gate.status == "fail"]
    undecided = sum(gate.status == "provisional" for gate in vendor.gates)
    parts = []
    if failed:
        parts.append("failed: " + "; ".join(failed))
    if undecided:
        parts.append(f"{undecided} undecided")
    return one_line(". ".join(parts)) or "passed"


def versions_words(observation: Observation) -> str:
    """``tls 1, openssl 3.5.0``; empty for claims."""
    return one_line(", ".join(f"{name} {version}" for name, version in observation.versions))


def _figure(number: float | None, applicable: bool = True) -> Entry:
    if not applicable:
        return Missing(NOT_APPLICABLE)
    return Missing(UNKNOWN) if number is None else number


def _value(value: ObservedValue | None, cause: str | None) -> Entry:
    if value is None:
        return Missing(NOT_APPLICABLE if cause == "not_applicable" else UNKNOWN)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return value_words(value)


def _rules(evaluation: Evaluation) -> Iterator[tuple[Entry, ...]]:
    yield ("Rules hash", evaluation.rules_hash)
    yield ("Engine version", one_line(evaluation.engine_version))
    yield ("Weight preset", one_line(evaluation.preset) or "default weights")
    yield ("As of", one_line(evaluation.as_of))
    yield ("Minimum coverage", f"{tenths(evaluation.minimum_coverage)} %")
    yield ("Vendors", str(len(evaluation.vendors)))
    yield ("Criteria", str(len(evaluation.criteria)))


def _ranking_row(vendor: VendorScore) -> tuple[Entry, ...]:
    return (
        vendor.rank,
        vendor.id,
        one_line(vendor.name),
        vendor.category,
        STATUS_WORDS[vendor.status],
        _figure(vendor.score),
        vendor.low,
        vendor.high,
        vendor.coverage,
        _figure(vendor.ranking_score),
        gate_summary(vendor),
        len(vendor.contradictions),
        one_line(vendor.oldest),
        one_line(vendor.newest),
        "lab" if vendor.lab else "",
    )


def _robustness(evaluation: Evaluation, sure: RobustRanking | None) -> Iterator[tuple[Entry, ...]]:
    if sure is None:
        return
    shown = {vendor.id for vendor in evaluation.vendors}
    for row, each in enumerate(sure.standings):
        if each.id in shown:
            last = row + 1 == len(sure.standings)
            likely = max(range(len(each.ranks)), key=each.ranks.__getitem__)
            yield (
                each.rank,
                each.id,
                one_line(each.name),
                100.0 * each.win,
                None if last else 100.0 * sure.beats[row][row + 1],
                each.expected_rank,
                likely + 1,
                100.0 * each.ranks[likely],
                ", ".join(each.dominated_by),
            )


def _gate_rows(vendor: VendorScore) -> Iterator[tuple[Entry, ...]]:
    for gate in vendor.gates:
        status = "undecided" if gate.status == "provisional" else gate.status
        yield (vendor.id, one_line(vendor.name), gate.criterion, status, one_line(gate.reason))


def _group_rows(vendor: VendorScore) -> Iterator[tuple[Entry, ...]]:
    for group in vendor.groups:
        applies = group.applicable
        yield (
            vendor.id,
            one_line(vendor.name),
            group.id,
            one_line(group.title),
            _figure(group.score, applies),
            _figure(group.low, applies),
            _figure(group.high, applies),
            _figure(group.coverage, applies),
            group.weight,
            _figure(None if group.score is None else group.contribution, applies),
        )


def _criteria_rows(evaluation: Evaluation) -> Iterator[tuple[Entry, ...]]:
    about = {criterion.id: criterion for criterion in evaluation.criteria}
    for vendor in evaluation.vendors:
        for cell in vendor.cells:
            info = about[cell.criterion]
            yield (
                vendor.id,
                one_line(vendor.name),
                info.group,
                cell.criterion,
                one_line(info.question),
                _value(cell.value, cell.cause if cell.applicable else "not_applicable"),
                one_line(cell.unit) if cell.value is not None else "",
                cell.kind or "",
                _figure(cell.score, cell.applicable),
                _figure(cell.low, cell.applicable),
                _figure(cell.high, cell.applicable),
                cell.weight,
                _figure(cell.contribution, cell.applicable),
                cell.imputed,
                cell.cause or "",
                why(cell),
                one_line(cell.detail),
                one_line(cell.source),
                one_line(cell.observed),
                cell.age_days,
                cell.grade,
                one_line(cell.vantage),
                cell.n,
                one_line(cell.contradiction.sentence) if cell.contradiction else "",
            )


def why(cell: Cell) -> str:
    """Why a cell has no score, as a sentence; empty when it has one."""
    if cell.score is not None:
        return ""
    return explain(cell.cause or ("no_evidence" if cell.applicable else "not_applicable")).sentence


def reason(cell: Cell) -> str:
    """``why`` with the cell's detail: ``Nothing is recorded about this yet: no survey``."""
    sentence = why(cell)
    if sentence and cell.detail:
        return f"{sentence.removesuffix('.')}: {cell.detail}"
    return sentence or cell.detail


def _evidence_rows(vendor: VendorScore) -> Iterator[tuple[Entry, ...]]:
    for cell in vendor.cells:
        for item in cell.evidence:
            yield (
                vendor.id,
                one_line(vendor.name),
                cell.criterion,
                one_line(item.metric),
                _value(item.value, item.cause),
                one_line(item.unit) if item.value is not None else "",
                item.kind,
                item.cause or "",
                one_line(item.detail),
                one_line(item.endpoint),
                one_line(item.label),
                one_line(item.source),
                one_line(item.observed),
                one_line(item.vantage),
                item.grade,
                one_line(item.document),
                one_line(item.note),
                item.n,
                item.low,
                item.high,
                one_line("; ".join(f"{value} ({source}, {as_of})" for value, source, as_of in item.disputed)),
                one_line(item.report),
                versions_words(item),
            )


def _contradiction_rows(vendor: VendorScore) -> Iterator[tuple[Entry, ...]]:
    for item in vendor.contradictions:
        yield (
            vendor.id,
            one_line(vendor.name),
            one_line(item.subject),
            one_line(item.sentence),
            one_line(item.claimed),
            one_line(item.claimed_source),
            one_line(item.claimed_as_of),
            one_line(item.measured),
            one_line(item.measured_source),
            one_line(item.measured_at),
        )


def _weights(evaluation: Evaluation) -> Iterator[tuple[Entry, ...]]:
    titles = {criterion.group: criterion.group_title for criterion in evaluation.criteria}
    for group, weight in evaluation.group_weights.items():
        yield (group, one_line(titles.get(group, group)), weight)


def _rubric(evaluation: Evaluation) -> Iterator[tuple[Entry, ...]]:
    for criterion in evaluation.criteria:
        yield (
            one_line(criterion.group_title),
            criterion.id,
            one_line(criterion.question),
            criterion.weight,
            one_line(criterion.unit),
            one_line(criterion.value_function),
            one_line(criterion.must),
            one_line(criterion.sources),
            one_line(criterion.rationale),
            one_line(criterion.reference),
        )
