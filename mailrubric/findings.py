"""What is unknown of a vendor, and what would find it out."""

from __future__ import annotations

import dataclasses
from typing import Any

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Criterion
from mailrubric.scoring.evaluation import Cell, VendorScore

_LATER = {
    "survey": "a survey would answer it",
    "trial": "a trial of one's own would answer it",
    "price": "add plans with prices to the vendor's profile",
}

_BY_HAND: dict[str, tuple[str, str]] = {
    "survey.sus": ("let those who tried it answer the ten statements", "mailrubric survey add {vendor} sus"),
    "survey.reference_score": ("ask teams that use it", "mailrubric survey add {vendor} reference --score N"),
    "survey.reference_nps": ("ask teams that use it", "mailrubric survey add {vendor} reference --score N"),
    "trial.first_send_minutes": ("try it by hand", "mailrubric trial start {vendor} sign-up"),
    "trial.tasks_completed": ("try it by hand", "mailrubric trial start {vendor} sign-up"),
    "trial.support_": ("ask its support something", "mailrubric support log {vendor} --channel email"),
    "trial.inbox_rate": ("send to mailboxes of your own", "mailrubric send {vendor} --to ADDRESS"),
    "trial.delivery_seconds": ("send to mailboxes of your own", "mailrubric send {vendor} --to ADDRESS"),
}
"""Metric, or the beginning of several → what to do, and the command that records it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """One thing to do: ``command`` when it is one, the criteria it would answer, and their weight in per cent."""

    sentence: str
    command: str
    criteria: tuple[str, ...]
    weight: float


def ways(catalogue: Catalogue, vendor: VendorScore) -> list[Way]:
    """What to do about the unknown criteria of a vendor, the heaviest first."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in vendor.cells:
        if cell.score is None and cell.applicable:
            found.setdefault(_way(catalogue, vendor.id, catalogue.criterion(cell.criterion), cell), []).append(cell)
    made = []
    for (sentence, command), cells in found.items():
        facts = dict.fromkeys(catalogue.criterion(cell.criterion).source.fact or "" for cell in cells)
        made.append(
            Way(
                sentence.format(facts=", ".join(facts)),
                command,
                tuple(cell.criterion for cell in cells),
                sum(cell.weight for cell in cells),
            )
        )
    return sorted(made, key=lambda way: (-way.weight, way.sentence))


def ways_json(catalogue: Catalogue, vendor: VendorScore) -> list[dict[str, Any]]:
    """The same for programs."""
    return [dataclasses.asdict(way) | {"criteria": list(way.criteria)} for way in ways(catalogue, vendor)]


def _way(catalogue: Catalogue, vendor: str, criterion: Criterion, cell: Cell) -> tuple[str, str]:
    """(sentence, command). Criteria with the same one are put together; ``{facts}`` stands for their facts."""
    source = criterion.source
    if cell.cause == "no_document":
        return (f"add to vendors/{vendor}.yaml the documents that prove (document: …): {{facts}}", "")
    if source.probe:
        roles = {endpoint.role for endpoint in catalogue.endpoints(vendor)}
        metric = catalogue.metrics.get(source.probe)
        wanted = set(source.roles) or (set(metric.roles) if metric is not None and metric.roles else roles)
        usable = sorted(roles & wanted)
        if usable:
            command = f"mailrubric probe {vendor}" + "".join(f" --role {role}" for role in usable)
            again = "probe it again" if cell.cause not in (None, "no_evidence") else "probe it"
            return (f"{again}: {command}", command)
        if not source.fact:
            names = " or ".join(sorted(wanted)) or "probed"
            article = "an" if names[0] in "aeiou" else "a"
            return (f"add {article} {names} endpoint to vendors/{vendor}.yaml, then probe it", "")
    by_hand = f"survey.{source.survey}" if source.survey else f"trial.{source.trial}" if source.trial else ""
    for beginning, (doing, template) in _BY_HAND.items():
        if by_hand.startswith(beginning) and not source.fact:
            command = template.format(vendor=vendor)
            if cell.cause == "unfinished":
                doing = "go on with what is not finished"
                support = beginning == "trial.support_"
                command = f"mailrubric {'support' if support else 'trial'} summary {vendor}"
            return (f"{doing}: {command}", command)
    if source.reviews and not source.fact:
        command = f"mailrubric reviews import FILE --vendor {vendor}"
        which = "more reviews of it" if cell.cause == "too_few_reviews" else "reviews of it"
        return (f"read in {which}: {command}", command)
    for kind, sentence in _LATER.items():
        if getattr(source, kind) and not source.fact:
            return (sentence, "")
    return (f"state in vendors/{vendor}.yaml, each with its source: {{facts}}", "")
