"""What a set of criteria does badly with the vendors and the evidence at hand: warnings, never judgements."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from mailrubric.catalogue.models import Criterion
from mailrubric.scoring.cells import Table

KNOWN_AT_LEAST = 3
"""Vendors that must have a score before a criterion is said to tell none of them apart."""


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """``subject``: ``criterion:ID`` or ``group:ID``, as in ``Catalogue.paths``."""

    subject: str
    sentence: str


def criticise(table: Table) -> list[Remark]:
    """Remarks on a table's criteria, in catalogue order: those that tell no two vendors apart, those that count the
    same thing twice, groups of which nothing is known."""
    return [*_alike(table), *_double(table), *_unreached(table)]


def _alike(table: Table) -> Iterator[Remark]:
    """Weight spent on what is the same everywhere moves no vendor."""
    for column, criterion in enumerate(table.criteria):
        scores = table.scores[:, column]
        known = scores[table.applicable[:, column] & ~np.isnan(scores)]
        if criterion.weight and known.size >= KNOWN_AT_LEAST and float(np.ptp(known)) == 0.0:
            yield Remark(
                f"criterion:{criterion.id}",
                f"all {known.size} vendors with a value score {known[0]:g}: it tells none of them apart here",
            )


def _double(table: Table) -> Iterator[Remark]:
    """Two criteria that read the same source of the same vendors at the same places, or at some of them, both with
    weight."""
    seen: dict[tuple[str, str], list[Criterion]] = {}
    for criterion in table.criteria:
        source = criterion.source
        for kind in ("probe", "fact", "reviews", "survey", "trial", "price"):
            name = getattr(source, kind)
            if not name or not criterion.weight:
                continue
            earlier = seen.setdefault((kind, name), [])
            for other in earlier:
                if _meet(other.applies_to, criterion.applies_to) and (
                    kind != "probe" or _meet(other.source.roles, source.roles)
                ):
                    text = f"reads the same {kind} {name} as {other.id}: counted twice"
                    yield Remark(f"criterion:{criterion.id}", text)
                    break
            earlier.append(criterion)


def _meet(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two selections have anything in common; an empty one is everything."""
    return not some or not others or not set(some).isdisjoint(others)


def _unreached(table: Table) -> Iterator[Remark]:
    group_of = table.catalogue.group_of
    for group in table.catalogue.groups:
        columns = [index for index, each in enumerate(table.criteria) if group_of[each.id] == group.id and each.weight]
        if not columns or not group.weight:
            continue
        applicable = table.applicable[:, columns]
        if applicable.any() and np.isnan(np.where(applicable, table.scores[:, columns], np.nan)).all():
            yield Remark(f"group:{group.id}", "no evidence reaches this group: it only lowers everybody's coverage")
