"""Scoring: cells times weights, gates, coverage, intervals, order. Pure functions of their arguments."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Weights
from mailrubric.evidence.observation import Observation
from mailrubric.scoring import additive, words
from mailrubric.scoring.additive import WeightError
from mailrubric.scoring.cells import ScoringError, Table, tabulate
from mailrubric.scoring.evaluation import (
    Cell,
    CriterionInfo,
    Evaluation,
    GroupScore,
    VendorScore,
    VendorStatus,
)
from mailrubric.scoring.value_functions import FloatArray

__all__ = ["ENGINE_VERSION", "ScoringError", "Table", "WeightError", "evaluate", "tabulate", "weigh"]

ENGINE_VERSION = "2"
"""Raised whenever the same observations and rules would give another result. Part of the rules hash."""

MINIMUM_COVERAGE = 60.0
"""Per cent of the applicable weight that must be known before a vendor is ranked."""

_TIE_DIGITS = 9


def evaluate(
    catalogue: Catalogue,
    observations: Iterable[Observation],
    *,
    vendors: Sequence[str] | None = None,
    preset: str | None = None,
    weights: Weights | None = None,
    as_of: datetime | None = None,
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> Evaluation:
    """Score vendors on observations and their profiles' claims.

    ``vendors``: ids; default all real ones (the lab's when there are no others). ``preset``: id; ``weights`` go over
    it. ``as_of``: the time that ages refer to, default now. Raises ``ScoringError`` for unknown ids and
    ``WeightError`` for weights that define no score; both are ``ValueError`` with a sentence for people.
    """
    table = tabulate(catalogue, observations, as_of, vendors=vendors)
    return weigh(table, preset=preset, weights=weights, minimum_coverage=minimum_coverage)


def weigh(
    table: Table,
    *,
    preset: str | None = None,
    weights: Weights | None = None,
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> Evaluation:
    """The evaluation that these weights make of cells already tabulated: cheap enough for every move of a slider."""
    catalogue = table.catalogue
    group_weights, criterion_weights = effective_weights(catalogue, preset, weights)
    ids = [criterion.id for criterion in table.criteria]
    group_of = {identifier: catalogue.group_of[identifier] for identifier in ids}
    shares, within = additive.global_weights(group_of, group_weights, criterion_weights)
    sums = additive.totals(table.scores, table.low, table.high, table.applicable, shares)
    ranking = additive.completed(table.scores, table.imputed, table.applicable, shares)
    known = table.applicable & ~np.isnan(table.scores)
    groups = _group_scores(table, shares, within, sums.contributions)
    percent = (shares * 100.0).tolist()
    some_known = np.where(known, shares, 0.0).sum(axis=1) > 0
    lines = []
    for row, vendor in enumerate(table.vendors):
        coverage = float(sums.coverage[row])
        gates = table.gates[row]
        status: VendorStatus = "ranked"
        if any(gate.status == "fail" for gate in gates):
            status = "failed"
        elif round(coverage, _TIE_DIGITS) < minimum_coverage or not some_known[row]:
            status = "insufficient"
        lines.append(
            VendorScore(
                id=vendor.id,
                name=vendor.name,
                category=vendor.category,
                lab=vendor.lab,
                status=status,
                rank=None,
                score=_number(sums.score[row]),
                low=float(sums.low[row]),
                high=float(sums.high[row]),
                coverage=coverage,
                ranking_score=_number(ranking[row]) if some_known[row] else None,
                gates=gates,
                groups=groups[row],
                cells=_weighted(table.cells[row], percent, sums.contributions[row].tolist()),
                contradictions=table.contradictions[row],
                newest=table.dates[row][0],
                oldest=table.dates[row][1],
            )
        )
    return Evaluation(
        rules_hash=_rules_hash(table, preset, group_weights, criterion_weights, minimum_coverage),
        as_of=table.as_of,
        preset=preset or "",
        minimum_coverage=minimum_coverage,
        engine_version=ENGINE_VERSION,
        group_weights=group_weights,
        criterion_weights=criterion_weights,
        criteria=_criteria(table, percent),
        vendors=_ordered(lines),
    )


def effective_weights(
    catalogue: Catalogue, preset: str | None = None, weights: Weights | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """Raw weights of groups and of criteria: the catalogue's, overlaid by the preset's, overlaid by ``weights``.

    Raises ``ScoringError`` for a preset, group or criterion that the catalogue does not have (in ``weights``: a preset
    may name criteria of a file that this workspace left out).
    """
    groups = {group.id: float(group.weight) for group in catalogue.groups}
    criteria = {criterion.id: float(criterion.weight) for criterion in catalogue.criteria}
    if preset:
        if preset not in catalogue.presets:
            raise ScoringError(f"no preset has the id {preset}; there are: {', '.join(sorted(catalogue.presets))}")
        chosen = catalogue.presets[preset]
        groups.update({name: float(weight) for name, weight in chosen.groups.items() if name in groups})
        criteria.update({name: float(weight) for name, weight in chosen.criteria.items() if name in criteria})
    if weights is not None:
        _refuse_unknown("group", weights.groups, groups)
        _refuse_unknown("criterion", weights.criteria, criteria)
        groups.update({name: float(weight) for name, weight in weights.groups.items()})
        criteria.update({name: float(weight) for name, weight in weights.criteria.items()})
    return groups, criteria


def _refuse_unknown(what: str, named: Mapping[str, float], present: Mapping[str, float]) -> None:
    unknown = sorted(set(named) - set(present))
    if unknown:
        raise ScoringError(f"weights name an unknown {what}: {', '.join(unknown)}")


def _number(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _weighted(cells: Sequence[Cell], percent: Sequence[float], contributions: Sequence[float]) -> tuple[Cell, ...]:
    # Positional and without dataclasses.replace: 4,000 cells are made anew on every move of a slider.
    return tuple(
        Cell(
            cell.criterion,
            cell.value,
            cell.unit,
            cell.kind,
            cell.cause,
            cell.detail,
            cell.source,
            cell.observed,
            cell.age_days,
            cell.score,
            cell.low,
            cell.high,
            cell.imputed,
            cell.applicable,
            weight,
            None if cell.score is None else contribution,
            cell.grade,
            cell.vantage,
            cell.n,
            cell.evidence,
            cell.contradiction,
        )
        for cell, weight, contribution in zip(cells, percent, contributions, strict=True)
    )


def _group_scores(
    table: Table, shares: FloatArray, within: FloatArray, contributions: FloatArray
) -> list[tuple[GroupScore, ...]]:
    """Each group on its own, from the weights within it: a group that weighs nothing still has a score of its own."""
    columns: dict[str, list[int]] = {group.id: [] for group in table.catalogue.groups}
    for index, criterion in enumerate(table.criteria):
        columns[table.catalogue.group_of[criterion.id]].append(index)
    rows: list[list[GroupScore]] = [[] for _ in table.vendors]
    for group in table.catalogue.groups:
        chosen = np.array(columns[group.id], dtype=np.intp)
        part = additive.totals(
            np.ascontiguousarray(table.scores[:, chosen]),
            np.ascontiguousarray(table.low[:, chosen]),
            np.ascontiguousarray(table.high[:, chosen]),
            np.ascontiguousarray(table.applicable[:, chosen]),
            within[chosen],
        )
        weight = float(shares[chosen].sum() * 100.0)
        points = contributions[:, chosen].sum(axis=1)
        applies = np.logical_or.reduce(table.applicable[:, chosen], axis=1)
        for row, line in enumerate(rows):
            line.append(
                GroupScore(
                    id=group.id,
                    title=group.title,
                    weight=weight,
                    score=_number(part.score[row]),
                    low=float(part.low[row]),
                    high=float(part.high[row]),
                    coverage=float(part.coverage[row]),
                    contribution=float(points[row]),
                    applicable=bool(applies[row]),
                )
            )
    return [tuple(line) for line in rows]


def _ordered(lines: Sequence[VendorScore]) -> tuple[VendorScore, ...]:
    """Ranked by ranking score, then insufficient, then failed; equal scores share a rank and stand in order of id.

    Insufficient vendors stand in order of coverage, nearest to a rank first: the estimate of one of which three per
    cent are known says next to nothing, and must not head a list.
    """
    place = {"ranked": 0, "insufficient": 1, "failed": 2}

    def key(line: VendorScore) -> tuple[int, float, float, str]:
        score = -math.inf if line.ranking_score is None else round(line.ranking_score, _TIE_DIGITS)
        coverage = round(line.coverage, _TIE_DIGITS) if line.status == "insufficient" else 0.0
        return place[line.status], -coverage, -score, line.id

    ordered = []
    rank, previous = 0, math.inf
    for line in sorted(lines, key=key):
        if line.status == "ranked" and line.ranking_score is not None:
            score = round(line.ranking_score, _TIE_DIGITS)
            if score != previous:
                rank, previous = rank + 1, score
            line = _with_rank(line, rank)
        ordered.append(line)
    return tuple(ordered)


def _with_rank(line: VendorScore, rank: int) -> VendorScore:
    fields = {name: getattr(line, name) for name in VendorScore.__slots__}
    return VendorScore(**{**fields, "rank": rank})


def _criteria(table: Table, percent: Sequence[float]) -> tuple[CriterionInfo, ...]:
    titles = {group.id: group.title for group in table.catalogue.groups}
    return tuple(
        CriterionInfo(
            id=criterion.id,
            group=table.catalogue.group_of[criterion.id],
            group_title=titles[table.catalogue.group_of[criterion.id]],
            question=criterion.question,
            weight=weight,
            unit=criterion.unit,
            value_function=words.value_function(criterion.score, criterion.unit),
            must=words.must_text(criterion.must, criterion.unit),
            rationale=criterion.rationale,
            reference=criterion.reference,
            sources=words.sources(criterion.source),
        )
        for criterion, weight in zip(table.criteria, percent, strict=True)
    )


def _rules_hash(
    table: Table,
    preset: str | None,
    group_weights: Mapping[str, float],
    criterion_weights: Mapping[str, float],
    minimum_coverage: float,
) -> str:
    rest = json.dumps(
        {
            "engine": ENGINE_VERSION,
            "preset": preset or "",
            "minimum_coverage": minimum_coverage,
            "groups": dict(group_weights),
            "criteria": dict(criterion_weights),
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return hashlib.sha256(f"{table.rules}\n{rest}".encode("ascii")).hexdigest()
