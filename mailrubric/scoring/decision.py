"""What an evaluation is worth in the meeting: how sure the ranking is, what would flip it, why one beats another.

Everything is made from a finished ``Evaluation``: its cells hold scores, bounds, imputed values and weights. Only
ranked vendors take part; vendors without a rank have too little evidence to be compared, or have failed a gate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mailrubric.catalogue.models import Criterion
from mailrubric.scoring import robustness, sensitivity
from mailrubric.scoring.additive import WeightError
from mailrubric.scoring.evaluation import Evaluation, VendorScore
from mailrubric.scoring.robustness import DRAWS, SEED, SPREAD, IntArray, Uncertain, WeightsKind
from mailrubric.scoring.value_functions import FloatArray
from mailrubric.scoring.words import value_reaching

CLOSE_CALL = 0.75
"""A leader that beats the next one in fewer than this share of the draws is a close call."""


class DecisionError(ValueError):
    """Nothing to decide between; a sentence for people."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The ranked vendors of an evaluation as arrays. ``vendors``: V of them, best first. ``shares``: (C,), adding up to
    1. ``groups``: (C,), index of each criterion's group in ``group_ids``."""

    vendors: tuple[VendorScore, ...]
    criteria: tuple[str, ...]
    group_ids: tuple[str, ...]
    group_titles: tuple[str, ...]
    groups: IntArray
    shares: FloatArray
    cells: Uncertain

    @property
    def values(self) -> FloatArray:
        """(V, C): score, or imputed score; 0 where not applicable."""
        return self.cells.mode

    def index(self, vendor: str) -> int:
        """Row of a vendor. ``DecisionError`` when it has no rank."""
        for row, line in enumerate(self.vendors):
            if line.id == vendor:
                return row
        raise DecisionError(f"{vendor} has no rank, so there is nothing to compare: see mailrubric explain {vendor}")


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """How a vendor fares over all draws. ``ranks``: probability of each place, first to last. ``central``: weight of
    each group, in per cent, with which it typically wins; empty when it never does. ``confidence``: None likewise.
    ``dominated_by``: ids of vendors that are nowhere worse, and better at something, as far as is known and filled in:
    no weights put this one before them."""

    id: str
    name: str
    rank: int
    win: float
    ranks: tuple[float, ...]
    expected_rank: float
    central: dict[str, float]
    confidence: float | None
    dominated_by: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class RobustRanking:
    """``standings`` in rank order. ``beats``: row beats column, in the same order. ``close_call``: whether the first
    beats the second too seldom to call it settled."""

    kind: WeightsKind
    spread: float
    draws: int
    seed: int
    exact: bool
    standard_error: float
    standings: tuple[Standing, ...]
    beats: tuple[tuple[float, ...], ...]
    close_call: bool
    sentence: str


@dataclasses.dataclass(frozen=True, slots=True)
class WeightFlip:
    """The weight at which two vendors are level. ``id``: of a group or criterion. ``now``/``at``: per cent of all
    weight, everything else keeping its proportions; ``at`` None when no weight does it. ``entered``/``entered_at``: the
    same as people enter weights, every other entry left alone (a criterion's makes room within its group only)."""

    kind: str
    id: str
    title: str
    now: float
    at: float | None
    entered: float
    entered_at: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class ValueFlip:
    """The points that one cell would need for the two to be level; ``points`` are today's (or the imputed ones of an
    unknown cell). ``value``: what the value would have to be, in words; "" when no value is worth so much."""

    vendor: str
    criterion: str
    title: str
    known: bool
    points: float
    at: float
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Unknown:
    """A cell that is not fully known, and how likely knowing it is to change the winner. ``gate``: whether the winner's
    gate on it is undecided, so that it may fail it and be out."""

    vendor: str
    criterion: str
    title: str
    probability: float
    weight: float
    cause: str
    gate: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Sensitivity:
    """What would put ``challenger`` before ``leader``; ``unknowns`` is the to-do list over all vendors."""

    leader: str
    challenger: str
    gap: float
    groups: tuple[WeightFlip, ...]
    criteria: tuple[WeightFlip, ...]
    values: tuple[ValueFlip, ...]
    unknowns: tuple[Unknown, ...]
    sentence: str


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """One criterion's part in the difference of two ranking scores. ``first``/``second``: their points on it (imputed
    where ``…_known`` is False), None where it does not apply. ``points`` add up to the difference."""

    criterion: str
    title: str
    points: float
    weight: float
    first: float | None
    second: float | None
    first_known: bool
    second_known: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Why ``first`` is ahead of ``second`` (or behind: then ``difference`` is negative)."""

    first: str
    second: str
    difference: float
    reasons: tuple[Reason, ...]
    sentences: tuple[str, ...]


def problem(evaluation: Evaluation) -> Problem:
    """The arrays behind an evaluation. ``DecisionError`` when no vendor has a rank."""
    ranked = tuple(line for line in evaluation.vendors if line.status == "ranked")
    if not ranked:
        raise DecisionError(
            "no vendor has a rank yet: probe some (mailrubric probe), or lower --min-coverage to rank on less evidence"
        )
    group_ids = tuple(dict.fromkeys(criterion.group for criterion in evaluation.criteria))
    titles = {criterion.group: criterion.group_title for criterion in evaluation.criteria}
    position = {group: index for index, group in enumerate(group_ids)}

    def column(read: str) -> FloatArray:
        return np.array(
            [[math.nan if (each := getattr(cell, read)) is None else each for cell in line.cells] for line in ranked],
            dtype=np.float64,
        )

    applicable = np.array([[cell.applicable for cell in line.cells] for line in ranked], dtype=np.bool_)
    cells = robustness.uncertain(column("score"), column("low"), column("high"), column("imputed"), applicable)
    return Problem(
        vendors=ranked,
        criteria=tuple(criterion.id for criterion in evaluation.criteria),
        group_ids=group_ids,
        group_titles=tuple(titles[group] for group in group_ids),
        groups=np.array([position[criterion.group] for criterion in evaluation.criteria], dtype=np.intp),
        shares=np.array([criterion.weight for criterion in evaluation.criteria], dtype=np.float64) / 100.0,
        cells=cells,
    )


def robust(
    evaluation: Evaluation,
    *,
    kind: WeightsKind = "around",
    spread: float = SPREAD,
    draws: int = DRAWS,
    seed: int = SEED,
    exact: bool = False,
) -> RobustRanking:
    """Probabilities of ranks over drawn weights and uncertain cells; see ``mailrubric.scoring.robustness``.

    Raises ``DecisionError`` when no vendor has a rank or ``spread``, ``draws`` or ``kind`` mean nothing.
    """
    if not 1 <= draws <= 1_000_000:
        raise DecisionError(f"the number of draws must be from 1 to 1,000,000, got {draws}")
    given = problem(evaluation)
    try:
        weights = robustness.draw_weights(given.shares, given.groups, kind=kind, spread=spread, draws=draws, seed=seed)
    except WeightError as error:
        raise DecisionError(str(error)) from None
    found = robustness.analyse(given.cells, weights, seed=seed, exact=exact)
    members = np.arange(len(given.group_ids))[:, None] == given.groups[None, :]
    standings = []
    for row, line in enumerate(given.vendors):
        never = math.isnan(found.confidence[row])
        central = {} if never else _percent(given.group_ids, members @ found.central[row])
        standings.append(
            Standing(
                id=line.id,
                name=line.name,
                rank=line.rank or 0,
                win=float(found.win[row]),
                ranks=tuple(map(float, found.rank[row])),
                expected_rank=float(found.expected_rank[row]),
                central=central,
                confidence=None if never else float(found.confidence[row]),
                dominated_by=_dominating(given, row),
            )
        )
    close = len(standings) > 1 and float(found.beats[0, 1]) < CLOSE_CALL
    return RobustRanking(
        kind=kind,
        spread=spread,
        draws=draws,
        seed=seed,
        exact=exact,
        standard_error=found.standard_error,
        standings=tuple(standings),
        beats=tuple(tuple(map(float, row)) for row in found.beats),
        close_call=close,
        sentence=_robust_sentence(standings, found.beats, close),
    )


def _dominating(given: Problem, row: int) -> tuple[str, ...]:
    """Who is nowhere worse than the vendor in ``row`` and better at something that counts. Two are compared only where
    the same criteria apply to both: otherwise the shares of the weights differ."""
    counts = given.shares > 0
    applicable, values = given.cells.applicable[:, counts], given.values[:, counts]
    same = (applicable == applicable[row]).all(axis=1)
    better = (values >= values[row]).all(axis=1) & (values > values[row]).any(axis=1)
    return tuple(given.vendors[index].id for index in np.flatnonzero(same & better))


def _percent(names: Sequence[str], shares: FloatArray) -> dict[str, float]:
    return {name: 100.0 * float(share) for name, share in zip(names, shares, strict=True)}


def _robust_sentence(standings: Sequence[Standing], beats: FloatArray, close: bool) -> str:
    first = standings[0]
    if len(standings) == 1:
        return f"{first.name} is the only vendor with a rank."
    second = standings[1]
    if first.rank == second.rank:
        return (
            f"Not settled: {first.name} and {second.name} are level; {first.name} beats {second.name} in "
            f"{_share(float(beats[0, 1]))} of the draws."
        )
    if float(beats[0, 1]) < 0.5:
        return (
            f"Not settled: {second.name} beats {first.name} in {_share(float(beats[1, 0]))} of the draws, although "
            f"it ranks after it: the lead rests on what is old or has been filled in."
        )
    told = (
        f"{first.name} beats {second.name} in {_share(float(beats[0, 1]))} of the draws, "
        f"and wins over all in {_share(first.win)}."
    )
    return f"A close call: {told}" if close else told


def _share(share: float) -> str:
    """In whole per cent; 100 % and 0 % are said only of all and of none."""
    if 0.995 <= share < 1:
        return "more than 99 %"
    if 0 < share < 0.005:
        return "less than 1 %"
    return f"{100 * share:.0f} %"


def sensitive(
    evaluation: Evaluation,
    *,
    leader: str | None = None,
    challenger: str | None = None,
    criteria: Iterable[Criterion] = (),
) -> Sensitivity:
    """What would put ``challenger`` (the second, by default) before ``leader`` (the first). ``criteria``: those of the
    catalogue, so that flips can say the value beside the points.

    Raises ``DecisionError`` when one of them has no rank, or there is only one with a rank.
    """
    given = problem(evaluation)
    if len(given.vendors) < 2 and (leader is None or challenger is None):
        raise DecisionError(f"{given.vendors[0].name} is the only vendor with a rank: nothing can overtake it")
    first = given.index(leader) if leader is not None else 0
    second = given.index(challenger) if challenger is not None else next(row for row in (1, 0) if row != first)
    if first == second:
        raise DecisionError("a vendor cannot overtake itself: name two different ones")
    values, applicable, shares = given.values, given.cells.applicable, given.shares
    scores = _scores(given)
    if scores[second] > scores[first]:
        first, second = second, first
    one_by_one, by_group = sensitivity.selections(given.groups)
    titles = {criterion.id: criterion.question for criterion in evaluation.criteria}
    entered = np.array([evaluation.criterion_weights[each] for each in given.criteria], dtype=np.float64)
    of_groups = sensitivity.flips(values, applicable, shares, by_group, first, second, entered=entered)
    of_criteria = sensitivity.flips(values, applicable, shares, one_by_one, first, second)
    entered_at = sensitivity.entered_flips(values, applicable, shares, given.groups, entered, first, second)
    group_weights = np.array([evaluation.group_weights[each] for each in given.group_ids], dtype=np.float64)
    counted = np.where(by_group @ entered > 0, group_weights, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        group_at = of_groups.share / (1.0 - of_groups.share) * ((1.0 - np.eye(counted.size)) @ counted)
    groups = _weight_flips("group", given.group_ids, given.group_titles, of_groups, group_weights, group_at)
    single = _weight_flips(
        "criterion", given.criteria, [titles[each] for each in given.criteria], of_criteria, entered, entered_at
    )
    return Sensitivity(
        leader=given.vendors[first].id,
        challenger=given.vendors[second].id,
        gap=float(scores[first] - scores[second]),
        groups=groups,
        criteria=single,
        values=_value_flips(given, titles, first, second, {criterion.id: criterion for criterion in criteria}),
        unknowns=_unknowns(given, evaluation, titles),
        sentence=_flip_sentence(
            given.vendors[first], given.vendors[second], float(scores[first] - scores[second]), groups
        ),
    )


def _scores(given: Problem) -> FloatArray:
    weight = given.shares * given.cells.applicable
    scores: FloatArray = (weight * given.values).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-300)
    return scores


def _weight_flips(
    kind: str,
    ids: Sequence[str],
    titles: Sequence[str],
    found: sensitivity.Flips,
    entered: FloatArray,
    entered_at: FloatArray,
) -> tuple[WeightFlip, ...]:
    """Nearest to today's weight first, in points of per cent; those that nothing flips last."""
    made = [
        WeightFlip(kind, identifier, title, 100.0 * now, _percent_or_none(share), weight, _or_none(weight_at))
        for identifier, title, now, share, weight, weight_at in zip(
            ids, titles, found.now.tolist(), found.share.tolist(), entered.tolist(), entered_at.tolist(), strict=True
        )
    ]
    return tuple(sorted(made, key=lambda flip: (math.inf if flip.at is None else abs(flip.at - flip.now), flip.id)))


def _or_none(weight: float) -> float | None:
    """A weight that may be entered: files take none above a million."""
    return weight if weight <= 1_000_000 else None


def _percent_or_none(share: float) -> float | None:
    return None if math.isnan(share) else 100.0 * share


def _value_flips(
    given: Problem, titles: dict[str, str], first: int, second: int, criteria: Mapping[str, Criterion]
) -> tuple[ValueFlip, ...]:
    raised, lowered = sensitivity.values_that_flip(given.values, given.cells.applicable, given.shares, first, second)
    made = []
    for row, needed in ((second, raised), (first, lowered)):
        line = given.vendors[row]
        for column, at in enumerate(needed):
            if not math.isnan(at):
                cell = line.cells[column]
                points = float(given.values[row, column])
                name = given.criteria[column]
                told = criteria.get(name)
                value = "" if told is None else value_reaching(told.score, told.unit, float(at), at_least=at >= points)
                made.append(ValueFlip(line.id, name, titles[name], cell.score is not None, points, float(at), value))
    return tuple(sorted(made, key=lambda flip: (abs(flip.at - flip.points), flip.vendor, flip.criterion)))


def _unknowns(given: Problem, evaluation: Evaluation, titles: dict[str, str]) -> tuple[Unknown, ...]:
    probability = sensitivity.value_of_information(given.cells, given.shares)
    fails = _gates_that_may_fail(given, evaluation)
    for column, chance in fails.items():
        probability[0, column] = 1.0 - (1.0 - probability[0, column]) * (1.0 - chance)
    made = []
    for row, column in zip(*np.nonzero(probability > 0), strict=True):
        line = given.vendors[int(row)]
        cell = line.cells[int(column)]
        criterion = given.criteria[int(column)]
        cause = cell.cause or ("aged" if cell.score is not None else "no_evidence")
        gate = row == 0 and int(column) in fails
        chance = float(probability[row, column])
        made.append(Unknown(line.id, criterion, titles[criterion], chance, cell.weight, cause, gate))
    return tuple(sorted(made, key=lambda each: (-each.probability, -each.weight, each.vendor, each.criterion)))


def _gates_that_may_fail(given: Problem, evaluation: Evaluation) -> dict[int, float]:
    """The undecided gates of the first vendor, by column, and how likely each is to fail: as often as it does for the
    vendors of which it is decided, by Laplace's rule of succession. Nothing to lose where nobody else is ranked."""
    if len(given.vendors) < 2:
        return {}
    decided: dict[str, list[str]] = {}
    for line in evaluation.vendors:
        for gate in line.gates:
            if gate.status != "provisional":
                decided.setdefault(gate.criterion, []).append(gate.status)
    chances = {}
    for gate in given.vendors[0].gates:
        if gate.status == "provisional":
            seen = decided.get(gate.criterion, [])
            chances[given.criteria.index(gate.criterion)] = (seen.count("fail") + 1) / (len(seen) + 2)
    return chances


_LEVEL = 5e-10
"""Points within which two scores are the same, as in the ranking."""


def _flip_sentence(leader: VendorScore, challenger: VendorScore, gap: float, groups: Sequence[WeightFlip]) -> str:
    if abs(gap) <= _LEVEL:
        return f"{leader.name} and {challenger.name} are level: whatever moves one of them decides."
    nearest = next((flip for flip in groups if flip.at is not None), None)
    if nearest is None or nearest.at is None:
        return f"No weight of a single group puts {challenger.name} before {leader.name}."
    way = "more" if nearest.at > nearest.now else "less"
    return (
        f"{challenger.name} overtakes {leader.name} when “{nearest.title}” gets {way} weight: "
        f"{nearest.at:.1f} % instead of {nearest.now:.1f} %."
    )


def compare(evaluation: Evaluation, first: str, second: str, *, at_most: int = 5) -> Comparison:
    """Why one ranked vendor is ahead of another: every criterion's part, largest first, and the ``at_most`` largest on
    each side as sentences. Raises ``DecisionError`` when one of them has no rank."""
    given = problem(evaluation)
    one, other = given.index(first), given.index(second)
    if one == other:
        raise DecisionError("a vendor does not beat itself: name two different ones")
    points = sensitivity.differences(given.values, given.cells.applicable, given.shares, one, other)
    questions = {criterion.id: criterion.question for criterion in evaluation.criteria}
    reasons = []
    for column, part in enumerate(points):
        mine, theirs = given.vendors[one].cells[column], given.vendors[other].cells[column]
        if not (mine.applicable or theirs.applicable) or mine.weight <= 0:
            continue
        reasons.append(
            Reason(
                criterion=given.criteria[column],
                title=questions[given.criteria[column]],
                points=float(part),
                weight=mine.weight,
                first=mine.score if mine.score is not None else mine.imputed,
                second=theirs.score if theirs.score is not None else theirs.imputed,
                first_known=mine.score is not None,
                second_known=theirs.score is not None,
            )
        )
    reasons.sort(key=lambda reason: (-abs(reason.points), reason.criterion))
    difference = float(_scores(given)[one] - _scores(given)[other])
    return Comparison(
        first, second, difference, tuple(reasons),
        tuple(_sentences(given.vendors[one], given.vendors[other], difference, reasons, at_most)),
    )  # fmt: skip


def _sentences(
    first: VendorScore, second: VendorScore, difference: float, reasons: Sequence[Reason], at_most: int
) -> list[str]:
    ahead = "ahead of" if difference >= 0 else "behind"
    told = [f"{first.name} is {abs(difference):.1f} points {ahead} {second.name}."]
    if abs(difference) <= _LEVEL:
        told = [f"{first.name} and {second.name} are level."]
    for line, sign in ((first, 1.0), (second, -1.0)):
        for reason in [each for each in reasons if sign * each.points > 1e-9][:at_most]:
            told.append(_sentence(line, first, second, reason))
    return told


def _sentence(line: VendorScore, first: VendorScore, second: VendorScore, reason: Reason) -> str:
    def worth(points: float | None, known: bool) -> str:
        if points is None:
            return "not applicable"
        return f"{points:.0f}" if known else f"unknown, taken for {points:.0f}"

    return (
        f"{line.name} gains {abs(reason.points):.1f} by “{reason.title}”: {first.name} "
        f"{worth(reason.first, reason.first_known)}, {second.name} {worth(reason.second, reason.second_known)} "
        f"of 100, at {reason.weight:.1f} % of the weight."
    )
