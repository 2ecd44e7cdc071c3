"""An evaluation as plain data: what ``score --json`` prints and a ``.json`` scorecard holds (docs/json.md)."""

from __future__ import annotations

import json
from typing import Any

from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.scoring.evaluation import Cell, Contradiction, CriterionInfo, Evaluation, VendorScore

VERSION = 1
"""Of the JSON shapes. Fields may be added under the same number; none is renamed, removed or given a new meaning."""


def dumps(document: dict[str, Any]) -> str:
    """JSON text: ASCII alone (safe on any terminal), indented, keys in the order of the documentation."""
    return json.dumps(document, ensure_ascii=True, indent=2, allow_nan=False) + "\n"


def scorecard(evaluation: Evaluation, *, evidence: bool = False) -> dict[str, Any]:
    """The whole evaluation, figures in full. ``evidence`` adds to each criterion the observations behind it."""
    group_of = {criterion.id: criterion.group for criterion in evaluation.criteria}
    return {
        "version": VERSION,
        "rules": _rules(evaluation),
        "as_of": evaluation.as_of,
        "vendors": [_vendor(vendor, group_of, evidence) for vendor in evaluation.vendors],
    }


def _rules(evaluation: Evaluation) -> dict[str, Any]:
    titles = {criterion.group: criterion.group_title for criterion in evaluation.criteria}
    return {
        "hash": evaluation.rules_hash,
        "engine": evaluation.engine_version,
        "preset": evaluation.preset,
        "minimum_coverage": evaluation.minimum_coverage,
        "groups": [
            {"id": group, "title": titles.get(group, group), "weight": weight}
            for group, weight in evaluation.group_weights.items()
        ],
        "criteria": [_criterion(criterion) for criterion in evaluation.criteria],
    }


def _criterion(criterion: CriterionInfo) -> dict[str, Any]:
    return {
        "id": criterion.id,
        "group": criterion.group,
        "question": criterion.question,
        "weight": criterion.weight,
        "unit": criterion.unit,
        "value_function": criterion.value_function,
        "must": criterion.must,
        "sources": criterion.sources,
        "rationale": criterion.rationale,
        "reference": criterion.reference,
    }


def _vendor(vendor: VendorScore, group_of: dict[str, str], evidence: bool) -> dict[str, Any]:
    return {
        "id": vendor.id,
        "name": vendor.name,
        "category": vendor.category,
        "lab": vendor.lab,
        "status": vendor.status,
        "rank": vendor.rank,
        "score": vendor.score,
        "low": vendor.low,
        "high": vendor.high,
        "coverage": vendor.coverage,
        "ranking_score": vendor.ranking_score,
        "oldest": vendor.oldest,
        "newest": vendor.newest,
        "gates": [{"criterion": gate.criterion, "status": gate.status, "reason": gate.reason} for gate in vendor.gates],
        "groups": [
            {
                "id": group.id,
                "title": group.title,
                "weight": group.weight,
                "score": group.score,
                "low": group.low,
                "high": group.high,
                "coverage": group.coverage,
                "contribution": group.contribution,
                "applicable": group.applicable,
            }
            for group in vendor.groups
        ],
        "criteria": [_cell(cell, group_of.get(cell.criterion, ""), evidence) for cell in vendor.cells],
        "contradictions": [_contradiction(item) for item in vendor.contradictions],
    }


def _cell(cell: Cell, group: str, evidence: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": cell.criterion,
        "group": group,
        "value": json_value(cell.value),
        "unit": cell.unit,
        "kind": cell.kind,
        "cause": cell.cause,
        "detail": cell.detail,
        "source": cell.source,
        "observed": cell.observed,
        "age_days": cell.age_days,
        "score": cell.score,
        "low": cell.low,
        "high": cell.high,
        "imputed": cell.imputed,
        "applicable": cell.applicable,
        "weight": cell.weight,
        "contribution": cell.contribution,
        "grade": cell.grade,
        "vantage": cell.vantage,
        "n": cell.n,
        "contradicted": cell.contradiction is not None,
    }
    if evidence:
        fields["evidence"] = [_observation(item) for item in cell.evidence]
    return fields


def _contradiction(item: Contradiction) -> dict[str, Any]:
    return {
        "subject": item.subject,
        "claimed": {"value": item.claimed, "source": item.claimed_source, "as_of": item.claimed_as_of},
        "measured": {"value": item.measured, "source": item.measured_source, "observed": item.measured_at},
        "sentence": item.sentence,
    }


def _observation(item: Observation) -> dict[str, Any]:
    return {
        "metric": item.metric,
        "value": json_value(item.value),
        "unit": item.unit,
        "kind": item.kind,
        "cause": item.cause,
        "detail": item.detail,
        "source": item.source,
        "observed": item.observed,
        "endpoint": item.endpoint,
        "role": item.role,
        "label": item.label,
        "vantage": item.vantage,
        "grade": item.grade,
        "document": item.document,
        "note": item.note,
        "n": item.n,
        "low": item.low,
        "high": item.high,
        "report": item.report,
        "versions": dict(item.versions),
        "disputed": [{"value": value, "source": source, "as_of": as_of} for value, source, as_of in item.disputed],
    }


def json_value(value: ObservedValue | None) -> bool | int | float | str | list[str] | None:
    """A value as JSON holds it: a set is a list."""
    return list(value) if isinstance(value, tuple) else value
