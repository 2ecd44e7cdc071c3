"""Asking people for weights: what a weight is the weight of, and the file in which their answer is kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import yaml

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import EVALUATIONS
from mailrubric.catalogue.models import Judgement
from mailrubric.catalogue.skeletons import check_identifier
from mailrubric.files import write_new
from mailrubric.scoring.words import end_points

METHODS = ("direct", "ranking", "swing", "pairwise")
"""The ways in which a judgement says the groups' weights."""


@dataclasses.dataclass(frozen=True, slots=True)
class Swing:
    """One criterion from its worst to its best value, both in words. ``share``: of its group's weight, in per cent."""

    criterion: str
    question: str
    worst: str
    best: str
    share: float


def swings(catalogue: Catalogue, group: str) -> list[Swing]:
    """What going from the worst to the best in a group means, heaviest criterion first (Edwards, Barron 1994)."""
    criteria = [criterion for criterion in catalogue.criteria_in(group) if criterion.weight > 0]
    total = sum(criterion.weight for criterion in criteria)
    found = [
        Swing(each.id, each.question, *end_points(each.score, each.unit), 100.0 * each.weight / total)
        for each in criteria
    ]
    return sorted(found, key=lambda swing: (-swing.share, swing.criterion))


def judgement_text(catalogue: Catalogue, judgement: Judgement) -> str:
    """A judgement as a file for ``evaluations/``, with what each group's swing means as comments."""
    said = judgement.model_dump(exclude_defaults=True, mode="json")
    lines = ["# Weights of one person. A group's weight is what going from the worst to the best in it is worth:"]
    for group in catalogue.groups:
        lines.append(f"#   {group.id}: {group.title}")
        lines += [f"#     {each.question} {each.worst} → {each.best}" for each in swings(catalogue, group.id)[:3]]
    written = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110) if said else ""
    return "\n".join(lines) + "\n" + written


def save_judgement(directory: Path, name: str, catalogue: Catalogue, judgement: Judgement) -> Path:
    """Write ``evaluations/NAME.yaml`` into a workspace: its path. ``ValueError`` for a name that is no identifier,
    ``FileExistsError`` rather than replace a file, ``OSError`` when it cannot be written."""
    check_identifier(name)
    path = directory / EVALUATIONS / f"{name}.yaml"
    return write_new(path, judgement_text(catalogue, judgement).encode())


def blank(catalogue: Catalogue, method: str) -> Judgement:
    """A judgement to start from: the catalogue's weights, said in this way (direct, ranking, swing or pairwise: four
    groups, all equal, for every pair has to be compared)."""
    groups = sorted(catalogue.groups, key=lambda group: (-group.weight, group.id))
    most = max((group.weight for group in groups), default=0.0) or 1.0
    match method:
        case "ranking":
            return Judgement(ranking=tuple(group.id for group in groups))
        case "swing":
            return Judgement(swing={group.id: round(100 * group.weight / most) for group in groups})
        case "pairwise":
            few = [group.id for group in groups[:4]]
            return Judgement(pairwise={one: dict.fromkeys(few[at + 1 :], 1.0) for at, one in enumerate(few[:-1])})
    return Judgement(groups={group.id: group.weight for group in groups})
