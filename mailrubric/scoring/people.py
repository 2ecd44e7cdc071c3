"""Several people, each with weights of his own: side by side, together, and how far they agree."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.checks import compared
from mailrubric.catalogue.models import Judgement, Weights
from mailrubric.scoring import weighting
from mailrubric.scoring.cells import Table
from mailrubric.scoring.evaluate import MINIMUM_COVERAGE, effective_weights, weigh
from mailrubric.scoring.evaluation import Evaluation


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """One person's view. ``method``: direct, ranking, swing or pairwise. ``consistency``: the consistency ratio of
    pairwise comparisons, else None. ``groups``: group id → share in per cent. ``winner``: id of the first, "" when none
    is ranked. ``ranks``: vendor id → rank, of those with one."""

    name: str
    method: str
    consistency: float | None
    groups: dict[str, float]
    winner: str
    ranks: dict[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Agreement:
    """All of them. ``together``: with their mean weights. ``concordance``: Kendall's W over the ``ranked_by_all``
    vendors that have a rank with everybody's weights. ``disagreement``: group id → standard deviation of the shares, in
    points of per cent, largest first."""

    people: tuple[Person, ...]
    together: Person
    concordance: float
    ranked_by_all: int
    disagreement: dict[str, float]
    sentence: str


def method_of(judgement: Judgement) -> str:
    """How the groups' weights are said."""
    return next((way for way in ("ranking", "swing", "pairwise") if getattr(judgement, way)), "direct")


def judged(judgement: Judgement, catalogue: Catalogue) -> Weights:
    """The weights that a judgement comes to: the groups' from its ranking, swings or comparisons, where it has them;
    groups that these leave out weigh nothing."""
    said: dict[str, float] = {}
    match method_of(judgement):
        case "ranking":
            of_rank = weighting.rank_sum if judgement.rule == "sum" else weighting.rank_order_centroid
            said = dict(zip(judgement.ranking, (100.0 * of_rank(len(judgement.ranking))).tolist(), strict=True))
        case "swing":
            said = dict(judgement.swing)
        case "pairwise":
            names = compared(judgement)
            shares, _ = weighting.pairwise(weighting.comparison_matrix(names, judgement.pairwise))
            said = dict(zip(names, (100.0 * shares).tolist(), strict=True))
    if not said:
        return Weights(groups=judgement.groups, criteria=judgement.criteria)
    groups = {group.id: said.get(group.id, 0.0) for group in catalogue.groups}
    return Weights(groups=groups, criteria=judgement.criteria)


def agreement(
    table: Table,
    judgements: Mapping[str, Judgement],
    *,
    preset: str | None = None,
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> Agreement:
    """What each person would choose, and what all together. ``judgements``: name → weights; at least one.

    Together they have the mean of their shares, of groups and of criteria within them; where all compared the same
    groups two at a time, the normalised geometric mean of the groups' shares. Raises ``WeightError`` for weights that
    define no score.
    """
    catalogue = table.catalogue
    people, shares, inner = [], [], []
    for name, judgement in judgements.items():
        weights = judged(judgement, catalogue)
        groups, criteria = effective_weights(catalogue, preset, weights)
        within = _within(catalogue, criteria)
        # A group whose criteria weigh nothing leaves its share to the others, in the score and so here.
        share = _shares({name: weight if name in within else 0.0 for name, weight in groups.items()})
        shares.append(share)
        inner.append(within)
        consistency = None
        if method_of(judgement) == "pairwise":
            _, consistency = weighting.pairwise(weighting.comparison_matrix(compared(judgement), judgement.pairwise))
        evaluation = weigh(table, preset=preset, weights=weights, minimum_coverage=minimum_coverage)
        people.append(_person(name, method_of(judgement), consistency, share, evaluation))
    names = [group.id for group in catalogue.groups]
    # One who leaves a group out would take it from all others too: no geometric mean over different groups.
    same_groups = len({frozenset(name for name in names if share[name] > 0) for share in shares}) == 1
    all_pairwise = same_groups and all(person.method == "pairwise" for person in people)
    mean = weighting.together(
        np.array([[share[name] for name in names] for share in shares]) / 100.0, geometric=all_pairwise
    )
    common = Weights(
        groups=dict(zip(names, (100.0 * mean).tolist(), strict=True)),
        criteria=_together_within(catalogue, inner),
    )
    evaluation = weigh(table, preset=preset, weights=common, minimum_coverage=minimum_coverage)
    whole = _person("together", "mean", None, dict(zip(names, (100.0 * mean).tolist(), strict=True)), evaluation)
    spread = {name: statistics.pstdev([share[name] for share in shares]) for name in names}
    ranked = sorted(set.intersection(*(set(person.ranks) for person in people))) if people else []
    return Agreement(
        people=tuple(people),
        together=whole,
        concordance=weighting.concordance(
            np.array([_mean_ranks([person.ranks[name] for name in ranked]) for person in people], dtype=np.float64)
        ),
        ranked_by_all=len(ranked),
        disagreement=dict(sorted(spread.items(), key=lambda item: (-item[1], item[0]))),
        sentence=_sentence(people, whole, table),
    )


def _within(catalogue: Catalogue, criteria: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Group → criterion → its share within the group, which adds up to 1; groups without any weight are left out."""
    members: dict[str, dict[str, float]] = {}
    for criterion in catalogue.criteria:
        members.setdefault(catalogue.group_of[criterion.id], {})[criterion.id] = criteria[criterion.id]
    totals = {group: sum(weights.values()) for group, weights in members.items()}
    return {
        group: {name: weight / totals[group] for name, weight in weights.items()}
        for group, weights in members.items()
        if totals[group] > 0
    }


def _together_within(catalogue: Catalogue, people: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """The mean share of each criterion within its group, over those to whom anything in the group counts: one who
    enters hundreds must not outweigh one who enters ones."""
    together = {}
    for criterion in catalogue.criteria:
        group = catalogue.group_of[criterion.id]
        said = [each[group][criterion.id] for each in people if group in each]
        together[criterion.id] = statistics.fmean(said) if said else 0.0
    return together


def _mean_ranks(ranks: Sequence[int]) -> list[float]:
    """Ranks among these alone, equal ones sharing their mean."""
    return [sum(other < rank for other in ranks) + (sum(other == rank for other in ranks) + 1) / 2 for rank in ranks]


def _shares(groups: Mapping[str, float]) -> dict[str, float]:
    total = sum(groups.values()) or 1.0
    return {name: 100.0 * weight / total for name, weight in groups.items()}


def _person(
    name: str, method: str, consistency: float | None, groups: dict[str, float], evaluation: Evaluation
) -> Person:
    ranks = {line.id: line.rank for line in evaluation.vendors if line.rank is not None}
    winner = next((line.id for line in evaluation.vendors if line.rank == 1), "")
    return Person(name, method, consistency, groups, winner, ranks)


def _sentence(people: Sequence[Person], together: Person, table: Table) -> str:
    names = {vendor.id: vendor.name for vendor in table.vendors}
    first = _leaders(together)
    if not first:
        return "No vendor has enough evidence for a rank."
    if len(first) > 1:
        level = ", ".join(names[vendor] for vendor in first[:-1])
        return f"Together they find {level} and {names[first[-1]]} level: none of them is ahead."
    chosen = names[first[0]]
    agreeing = sum(first[0] in _leaders(person) for person in people)
    if agreeing == len(people):
        return f"All {len(people)} would choose {chosen}."
    return f"Together they would choose {chosen}, as {agreeing} of {len(people)} would alone."


def _leaders(person: Person) -> list[str]:
    """All that share the first rank, in order of id."""
    return sorted(vendor for vendor, rank in person.ranks.items() if rank == 1)
