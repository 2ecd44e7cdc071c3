"""From observations to cells: the part of scoring that does not depend on weights, and so can be kept while they move.

``tabulate`` is the expensive half (once per change of evidence or catalogue); ``evaluate.weigh`` the cheap one (once
per move of a slider).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from mailrubric import units
from mailrubric.catalogue.catalogue import Catalogue, endpoints
from mailrubric.catalogue.models import Criterion, Vendor
from mailrubric.display import value_words
from mailrubric.evidence.claims import all_claims, stated_values
from mailrubric.evidence.observation import Kind, Observation, ObservedValue
from mailrubric.evidence.select import Evidence, Key, newest
from mailrubric.evidence.times import moment
from mailrubric.scoring import age, contradictions, gates, imputation, value_functions
from mailrubric.scoring.additive import BoolArray
from mailrubric.scoring.evaluation import Cell, Contradiction, Gate
from mailrubric.scoring.value_functions import FloatArray
from probes.model import Endpoint

NO_EVIDENCE = "no_evidence"
"""Nothing was ever recorded."""
NOT_APPLICABLE = "not_applicable"
NO_DOCUMENT = "no_document"
"""A claim that needs proof and has none."""
OUTDATED = "outdated"
"""What was seen has run out since, so it says nothing any more (a certificate past the expiry it had)."""
UNSCORED = "unscored"
"""There is a value, but the criterion's value function or unit can't take it."""

NAMED_IN_DETAIL = 3
"""How many endpoints a cell's detail names before it only counts them."""


class ScoringError(ValueError):
    """Scoring was asked for something that is not there; the text is a sentence for people."""


@dataclasses.dataclass(frozen=True)
class Table:
    """All cells of an evaluation before weighting. Rows: vendors, sorted by id; columns: criteria, in catalogue order.

    ``scores``: (V, C), NaN when unknown or not applicable. ``low``/``high``: (V, C), 0 and 100 when unknown.
    ``applicable``: (V, C). ``imputed``: (V, C), NaN unless unknown and applicable. ``cells``: without weight and
    contribution. ``rules``: canonical JSON of groups, criteria and facts, for the hash. ``dates``: (newest, oldest)
    evidence of each vendor.
    """

    catalogue: Catalogue
    as_of: str
    vendors: tuple[Vendor, ...]
    criteria: tuple[Criterion, ...]
    scores: FloatArray
    low: FloatArray
    high: FloatArray
    applicable: BoolArray
    imputed: FloatArray
    cells: tuple[tuple[Cell, ...], ...]
    gates: tuple[tuple[Gate, ...], ...]
    contradictions: tuple[tuple[Contradiction, ...], ...]
    dates: tuple[tuple[str, str], ...]
    rules: str


@dataclasses.dataclass(slots=True, eq=False)
class _Piece:
    """One observation on its way into a cell, its value in the criterion's unit and carried forward to the as-of time.

    ``value`` None with ``cause`` when it says nothing. ``others``: further values of disagreeing sources, ``low`` and
    ``high`` of a sample. ``trust``: confidence by age. ``first``: index of its score among all that are scored.
    """

    observation: Observation
    attempt: Observation | None
    value: ObservedValue | None
    cause: str
    detail: str
    age: float | None
    trust: float
    others: tuple[ObservedValue, ...] = ()
    first: int = -1
    score: float = float("nan")
    low: float = 0.0
    high: float = 100.0


@dataclasses.dataclass(slots=True, eq=False)
class _Draft:
    """A cell being made: what was found in the source that counts, and in the others."""

    vendor: Vendor
    known: list[_Piece]
    missing: list[_Piece]
    unprobed: list[str]
    claim: _Piece | None
    evidence: tuple[Observation, ...]
    all_not_applicable: bool
    combined: ObservedValue | None = None
    combined_index: int = -1


@dataclasses.dataclass(frozen=True, slots=True)
class _Profile:
    """What a vendor's profile says of its endpoints. ``order``: place of each key. ``by_role``: keys of each role."""

    endpoints: dict[str, Endpoint]
    order: dict[str, int]
    by_role: dict[str, list[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Context:
    catalogue: Catalogue
    as_of: datetime
    evidence: dict[Key, list[Evidence]]
    profiles: dict[str, _Profile]
    attempted: set[tuple[str, str, str]]
    """(vendor, endpoint key, first word of the metric): what a probe has looked at."""
    trust: dict[tuple[str, float], tuple[float | None, float]]
    """(observed, half-life) → (age in days, confidence): thousands of observations share a few times."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Question:
    """What is the same for all vendors of one criterion. ``keys``: where to look, in order of precedence. ``roles``:
    endpoints that count, empty for all. ``known_roles``: those that the metric is about, as far as anybody said."""

    criterion: Criterion
    keys: tuple[tuple[Kind, str], ...]
    roles: frozenset[str]
    known_roles: tuple[str, ...]
    prefix: str


def tabulate(
    catalogue: Catalogue,
    observations: Iterable[Observation],
    as_of: datetime | None = None,
    *,
    vendors: Sequence[str] | None = None,
) -> Table:
    """All cells of these vendors at ``as_of`` (default: now; whole seconds, UTC when it has no zone).

    ``vendors``: ids; default all real ones, or the lab's when the catalogue has no others. The profiles' claims are
    added here. Evidence dated after ``as_of`` is left out, so that an old scorecard can be made again; so are
    measurements of endpoints that the profile no longer has. Raises ``ScoringError`` for an unknown vendor.
    """
    time = as_of if as_of is not None else datetime.now(UTC)
    time = (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)).replace(microsecond=0)
    chosen = _choose(catalogue, vendors)
    context = _context(catalogue, chosen, observations, time)
    criteria = catalogue.criteria
    columns = [_column(context, criterion, chosen) for criterion in criteria]
    rows = tuple(tuple(column[row][0] for column in columns) for row in range(len(chosen)))
    shape = (len(chosen), len(criteria))
    scores = np.array(
        [[np.nan if cell.score is None else cell.score for cell in row] for row in rows], dtype=np.float64
    ).reshape(shape)
    applicable = np.array([[cell.applicable for cell in row] for row in rows], dtype=np.bool_).reshape(shape)
    imputed = imputation.two_way(scores, applicable)
    rows = tuple(
        tuple(
            dataclasses.replace(cell, imputed=float(value)) if cell.score is None and cell.applicable else cell
            for cell, value in zip(row, line, strict=True)
        )
        for row, line in zip(rows, imputed.tolist(), strict=True)
    )
    return Table(
        catalogue=catalogue,
        as_of=time.isoformat().replace("+00:00", "Z"),
        vendors=chosen,
        criteria=criteria,
        scores=scores,
        low=np.array([[cell.low for cell in row] for row in rows], dtype=np.float64).reshape(shape),
        high=np.array([[cell.high for cell in row] for row in rows], dtype=np.float64).reshape(shape),
        applicable=applicable,
        imputed=imputed,
        cells=rows,
        gates=tuple(
            tuple(gate for column in columns if (gate := column[row][1]) is not None) for row in range(len(chosen))
        ),
        contradictions=tuple(
            (
                *(cell.contradiction for cell in row if cell.contradiction is not None),
                *_endpoint_contradictions(context, vendor),
            )
            for vendor, row in zip(chosen, rows, strict=True)
        ),
        dates=tuple(_dates(row) for row in rows),
        rules=_rules(catalogue),
    )


def _choose(catalogue: Catalogue, vendors: Sequence[str] | None) -> tuple[Vendor, ...]:
    if vendors is None:
        real = [vendor for vendor in catalogue.vendors.values() if not vendor.lab]
        picked = real or list(catalogue.vendors.values())
    else:
        unknown = sorted({identifier for identifier in vendors if identifier not in catalogue.vendors})
        if unknown:
            raise ScoringError(f"no vendor has the id {', '.join(unknown)}")
        picked = [catalogue.vendors[identifier] for identifier in set(vendors)]
    return tuple(sorted(picked, key=lambda vendor: vendor.id))


def _rules(catalogue: Catalogue) -> str:
    """Canonical JSON of everything that says how values are judged. What is left at its default is left out, so that a
    key which criteria files gain later changes nobody's hash."""
    return json.dumps(
        {
            "groups": [group.id for group in catalogue.groups],
            "group_of": catalogue.group_of,
            "criteria": [
                criterion.model_dump(mode="json", by_alias=True, exclude_defaults=True)
                for criterion in catalogue.criteria
            ],
            "facts": {
                name: fact.model_dump(mode="json", exclude_defaults=True) for name, fact in catalogue.facts.items()
            },
            "metrics": {name: [metric.type, metric.unit] for name, metric in catalogue.metrics.items()},
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )


# --- evidence ---------------------------------------------------------------------------------------------------------


def _context(
    catalogue: Catalogue, chosen: Sequence[Vendor], observations: Iterable[Observation], as_of: datetime
) -> _Context:
    profiles = {}
    for vendor in chosen:
        found = endpoints(vendor)
        by_role: dict[str, list[str]] = {}
        for endpoint in found:
            keys = by_role.setdefault(endpoint.role, [])
            if endpoint.key not in keys:
                keys.append(endpoint.key)
        profiles[vendor.id] = _Profile(
            endpoints={endpoint.key: endpoint for endpoint in found},
            order={endpoint.key: place for place, endpoint in reversed(list(enumerate(found)))},
            by_role=by_role,
        )
    latest = as_of + age.CLOCK_TOLERANCE
    counted = []
    attempted = set()
    for observation in (*observations, *all_claims(chosen, catalogue.facts)):
        profile = profiles.get(observation.vendor)
        if profile is None:
            continue
        if observation.kind == "measured" and observation.endpoint:
            place = observation.endpoint if observation.endpoint in profile.endpoints else observation.parent
            if place not in profile.endpoints:
                continue
        else:
            place = ""
        then = moment(observation.observed)
        if then is not None and then > latest:
            continue
        counted.append(observation)
        if place:
            attempted.add((observation.vendor, place, observation.metric.partition(".")[0]))
    return _Context(catalogue, as_of, newest(counted), profiles, attempted, {})


def _source_keys(criterion: Criterion) -> list[tuple[Kind, str]]:
    """Where to look, in order of precedence: a measurement beats people's experience, and that a claim."""
    source = criterion.source
    keys: list[tuple[Kind, str]] = []
    if source.probe:
        keys.append(("measured", source.probe))
    if source.trial:
        keys.append(("tested", f"trial.{source.trial}"))
    if source.survey:
        keys.append(("surveyed", f"survey.{source.survey}"))
    if source.reviews:
        keys.append(("reviewed", f"reviews.{source.reviews}"))
    if source.price:
        keys.append(("claimed", f"price.{source.price}"))
    if source.fact:
        keys.append(("claimed", source.fact))
    return keys


def _role(observation: Observation) -> str:
    return observation.role or observation.endpoint.partition(" ")[0]


def _unit_of(context: _Context, observation: Observation) -> str:
    if observation.unit:
        return observation.unit
    metric = context.catalogue.metrics.get(observation.metric)
    return metric.unit if metric is not None else ""


def _convert(value: ObservedValue, unit: str, target: str) -> ObservedValue:
    if isinstance(value, bool) or not isinstance(value, int | float) or unit == target:
        return value
    return units.convert(float(value), unit, target)


def _piece(context: _Context, criterion: Criterion, evidence: Evidence) -> _Piece:
    observation = evidence.current
    unit = _unit_of(context, observation)
    price = observation.kind == "claimed" and (observation.metric.startswith("price.") or age.is_price(unit))
    half_life = age.half_life(observation.kind, price=price, override=criterion.half_life)
    found = context.trust.get((observation.observed, half_life))
    if found is None:
        old = age.age_days(observation.observed, context.as_of)
        found = context.trust[(observation.observed, half_life)] = (old, age.confidence(old, half_life))
    old, trust = found
    piece = _Piece(
        observation, evidence.attempt, None, observation.cause or NO_EVIDENCE, observation.detail, old, trust
    )
    value = observation.value
    if value is None:
        return piece
    if observation.metric in age.EXPIRY_METRICS and old is not None:
        value, piece.trust, gone = _count_down(value, old, trust)
        if gone:
            piece.cause = OUTDATED
            piece.detail = f"what was seen at {observation.observed} has run out since, and nothing newer was seen"
            return piece
    try:
        piece.value = _convert(value, unit, criterion.unit)
        if observation.low is not None and observation.high is not None:
            piece.others = (
                _convert(observation.low, unit, criterion.unit),
                _convert(observation.high, unit, criterion.unit),
            )
        elif observation.disputed:
            fact = context.catalogue.vendors[observation.vendor].facts.get(observation.metric)
            stated = stated_values(fact)[1:] if fact is not None else ()
            piece.others = tuple(_convert(other, unit, criterion.unit) for other in stated)
    except units.UnitError as error:
        piece.value = None
        piece.cause = UNSCORED
        piece.detail = f"{value_words(value, unit)}: {error}"
    return piece


def _count_down(value: ObservedValue, old: float, trust: float) -> tuple[ObservedValue, float, bool]:
    """Days left at the as-of time, the confidence in them, and whether the expiry passed unobserved.

    What was valid when seen is trusted in full until its expiry: a date does not wear off. Past it, the certificate
    has most likely been renewed, and we have not looked: that is no value, not an expired certificate. One that had
    expired when it was seen stays expired, with ordinary age.
    """
    days = value_functions.number(value)
    if days != days:
        return value, trust, False
    left = days - old
    if days > 0:
        return left, 1.0, left <= 0
    return left, trust, False


# --- one column -------------------------------------------------------------------------------------------------------


def _column(context: _Context, criterion: Criterion, vendors: Sequence[Vendor]) -> list[tuple[Cell, Gate | None]]:
    """The cells of one criterion for all vendors; all values are scored in one call of its value function."""
    question = _question(context, criterion)
    values: list[ObservedValue | None] = []
    drafts: list[_Draft | None] = []
    for vendor in vendors:
        if criterion.applies_to and vendor.category not in criterion.applies_to:
            drafts.append(None)
            continue
        draft = _draft(context, question, vendor)
        drafts.append(draft)
        pieces = draft.known if draft.claim is None or draft.claim in draft.known else [*draft.known, draft.claim]
        for piece in pieces:
            piece.first = len(values)
            values.extend(_to_score(criterion, piece))
        if len(draft.known) > 1 and criterion.source.combine in ("mean", "median"):
            draft.combined = _central(draft.known, criterion.source.combine)
            if draft.combined is not None:
                draft.combined_index = len(values)
                values.append(draft.combined)
    try:
        scores = value_functions.apply(criterion.score, values).tolist()
    except value_functions.ValueFunctionError as error:
        raise ScoringError(f"criterion {criterion.id}: {error}") from error
    return [
        (_excluded(criterion, vendor), None) if draft is None else _finish(context, criterion, draft, scores)
        for vendor, draft in zip(vendors, drafts, strict=True)
    ]


def _draft(context: _Context, question: _Question, vendor: Vendor) -> _Draft:
    profile = context.profiles[vendor.id]
    criterion, roles = question.criterion, question.roles
    known: list[_Piece] = []
    missing: list[_Piece] = []
    claim: _Piece | None = None
    not_applicable = 0
    looked_at: list[Observation] = []
    seen_at: set[str] = set()
    for kind, metric in question.keys:
        pieces = []
        for evidence in context.evidence.get((vendor.id, kind, metric), ()):
            observation = evidence.current
            if kind == "measured" and roles and observation.endpoint and _role(observation) not in roles:
                continue
            looked_at.append(observation)
            if evidence.attempt is not None:
                looked_at.append(evidence.attempt)
            if kind == "measured":
                seen_at.add(observation.endpoint if observation.endpoint in profile.endpoints else observation.parent)
            if observation.cause == NOT_APPLICABLE:
                not_applicable += 1
                continue
            pieces.append(_piece(context, criterion, evidence))
        with_value = [piece for piece in pieces if piece.value is not None]
        if kind == "claimed" and with_value and metric == criterion.source.fact:
            claim = with_value[0]
        if kind == "measured":
            missing = [piece for piece in pieces if piece.value is None]
        elif not known:
            missing += [piece for piece in pieces if piece.value is None]
        if with_value and not known:
            known = with_value
    order = profile.order
    for pieces in (known, missing):
        if len(pieces) > 1:
            pieces.sort(key=lambda piece: _place(piece.observation, order))
    unprobed = _unprobed(context, question, vendor, seen_at)
    return _Draft(
        vendor=vendor,
        known=known,
        missing=missing,
        unprobed=unprobed,
        claim=claim,
        evidence=tuple(looked_at),
        all_not_applicable=not_applicable > 0 and not_applicable_only(looked_at) and not unprobed,
    )


def not_applicable_only(evidence: Iterable[Observation]) -> bool:
    """Whether every observation says ``not_applicable``."""
    return all(observation.cause == NOT_APPLICABLE for observation in evidence)


def _place(observation: Observation, order: dict[str, int]) -> tuple[int, str, str]:
    place = order.get(observation.endpoint, order.get(observation.parent, len(order)))
    return place, observation.endpoint, observation.vantage


def _question(context: _Context, criterion: Criterion) -> _Question:
    metric_key = criterion.source.probe or ""
    metric = context.catalogue.metrics.get(metric_key)
    roles: list[str] = [*criterion.source.roles]
    if metric is not None and metric.roles is not None:
        roles = [role for role in roles if role in metric.roles] if roles else sorted(metric.roles)
    return _Question(
        criterion=criterion,
        keys=tuple(_source_keys(criterion)),
        roles=frozenset(criterion.source.roles),
        known_roles=tuple(dict.fromkeys(roles)) if metric_key else (),
        prefix=metric_key.partition(".")[0],
    )


def _unprobed(context: _Context, question: _Question, vendor: Vendor, seen_at: set[str]) -> list[str]:
    """The profile's endpoints that this criterion is about and that its probe has never looked at.

    Only where the roles are known, from the criterion or the metric. A probe that looked at an endpoint and left the
    metric out says that it does not apply there.
    """
    by_role = context.profiles[vendor.id].by_role
    return [
        key
        for role in question.known_roles
        for key in by_role.get(role, ())
        if key not in seen_at and (vendor.id, key, question.prefix) not in context.attempted
    ]


def _central(pieces: Sequence[_Piece], combine: str) -> ObservedValue | None:
    """Mean or median of the values; None when they are not all numbers (the worst then counts)."""
    numbers = [value_functions.number(piece.value) for piece in pieces]
    if any(each != each for each in numbers):
        return None
    return float(np.mean(numbers)) if combine == "mean" else float(np.median(numbers))


def _excluded(criterion: Criterion, vendor: Vendor) -> Cell:
    detail = f"does not apply to category {vendor.category}"
    return _cell(criterion, cause=NOT_APPLICABLE, detail=detail, applicable=False, low=0.0, high=0.0)


def _cell(
    criterion: Criterion,
    *,
    value: ObservedValue | None = None,
    kind: Kind | None = None,
    cause: str | None = None,
    detail: str = "",
    source: str = "",
    observed: str = "",
    age_days: float | None = None,
    score: float | None = None,
    low: float = 0.0,
    high: float = 100.0,
    applicable: bool = True,
    grade: str = "",
    vantage: str = "",
    n: int | None = None,
    evidence: tuple[Observation, ...] = (),
    contradiction: Contradiction | None = None,
) -> Cell:
    """A cell before weighting and imputation."""
    return Cell(
        criterion.id, value, criterion.unit, kind, cause, detail, source, observed, age_days, score, low, high, None,
        applicable, 0.0, None, grade, vantage, n, evidence, contradiction,
    )  # fmt: skip


def _finish(
    context: _Context, criterion: Criterion, draft: _Draft, scores: Sequence[float]
) -> tuple[Cell, Gate | None]:
    for piece in draft.known:
        _score_piece(piece, scores)
    scored = [piece for piece in draft.known if piece.score == piece.score]
    unscored = [piece for piece in draft.known if piece.score != piece.score]
    for piece in unscored:
        piece.cause = UNSCORED
        piece.detail = f"the value function does not know {value_words(piece.value, criterion.unit)}"
    missing = [*draft.missing, *unscored]
    contradiction = _contradiction(criterion, draft)
    if scored and criterion.document_required and scored[0].observation.kind == "claimed":
        # A claim against oneself needs no proof: what is worth nothing stays known.
        proven = [piece for piece in scored if piece.observation.document or piece.score <= 0]
        for piece in scored:
            if piece not in proven:
                piece.cause = NO_DOCUMENT
                piece.detail = f"claimed {value_words(piece.value, criterion.unit)} without a document"
                missing.append(piece)
        scored = proven
    if not scored:
        return _unknown(context, criterion, draft, missing, contradiction)
    return _known(criterion, draft, scored, missing, contradiction, scores)


def _score_piece(piece: _Piece, scores: Sequence[float]) -> None:
    piece.score = scores[piece.first]
    if not piece.others:
        if piece.score == piece.score:
            piece.low, piece.high = age.widen(piece.score, piece.score, piece.trust)
        return
    spread = [each for each in scores[piece.first : piece.first + 1 + len(piece.others)] if each == each]
    if spread:
        piece.low, piece.high = age.widen(min(spread), max(spread), piece.trust)


def _contradiction(criterion: Criterion, draft: _Draft) -> Contradiction | None:
    claim = draft.claim
    if claim is None or claim.value is None or not draft.known:
        return None
    if draft.known[0].observation.kind not in ("measured", "tested"):
        return None
    bounds: tuple[float, float] | None = None
    if draft.combined is not None:
        # Not what any one of them showed: all are named, at the time of the oldest.
        measured, oldest = draft.combined, min(draft.known, key=lambda piece: piece.trust).observation
        places = f"{criterion.source.combine} of {len(draft.known)} measurements"
        at = dataclasses.replace(oldest, endpoint=places)
    else:
        deciding = _deciding([piece for piece in draft.known if piece.score == piece.score] or draft.known, criterion)
        if deciding.value is None:
            return None
        measured, at = deciding.value, deciding.observation
        if at.low is not None and at.high is not None and len(deciding.others) == 2:
            low, high = (value_functions.number(each) for each in deciding.others)
            bounds = (low, high)
    if criterion.source.promises:
        promised = _promised(criterion, claim.value)
        if promised is None:
            return None
        return contradictions.of_promise(
            criterion.id, claim.observation, claim.value, promised, at, measured, criterion.unit, bounds
        )
    source = criterion.source
    return contradictions.between(
        criterion.id, claim.observation, claim.value, at, measured, source.tolerance, criterion.unit, bounds,
        source.contradicts,
    )  # fmt: skip


def _promised(criterion: Criterion, value: ObservedValue | None) -> tuple[float, float] | None:
    """The range of the number that a claim in words promises, None when the criterion does not say."""
    if isinstance(value, bool):
        return criterion.source.promises.get("yes" if value else "no")
    return criterion.source.promises.get(value_functions.level_text(value) or "")


def _to_score(criterion: Criterion, piece: _Piece) -> list[ObservedValue | None]:
    """What the value function is given for a piece: its value and the other values that it spans. A claim in words that
    promises a number is worth the middle of its range, and spans it."""
    if not (criterion.source.promises and piece.observation.metric == criterion.source.fact):
        return [piece.value, *piece.others]
    promised = _promised(criterion, piece.value)
    if promised is None:
        return [None, *([None] * len(piece.others))]
    stated = [promised, *(each for other in piece.others if (each := _promised(criterion, other)) is not None)]
    piece.others = tuple(end for each in stated for end in each)
    return [(promised[0] + promised[1]) / 2, *piece.others]


def _deciding(pieces: Sequence[_Piece], criterion: Criterion) -> _Piece:
    """The piece whose value counts: the best or worst score, the oldest of equals (its age decides the interval)."""
    sign = -1.0 if criterion.source.combine == "best" else 1.0
    return min(pieces, key=lambda piece: (sign * piece.score, piece.trust))


def _known(
    criterion: Criterion,
    draft: _Draft,
    scored: list[_Piece],
    missing: list[_Piece],
    contradiction: Contradiction | None,
    scores: Sequence[float],
) -> tuple[Cell, Gate | None]:
    combine = criterion.source.combine
    measured = scored[0].observation.kind == "measured"
    seen = {piece.observation.endpoint for piece in scored}
    failed = [piece for piece in missing if piece.observation.kind == "measured"]
    # An endpoint that another vantage has measured is not unmeasured.
    absent_keys = {piece.observation.endpoint for piece in failed} - seen if measured else set()
    unprobed = draft.unprobed if measured else []
    absent = len(absent_keys) + len(unprobed)
    central = draft.combined is not None and len(scored) == len(draft.known)
    deciding = _deciding(scored, criterion)
    if central:
        deciding = min(scored, key=lambda piece: piece.trust)
        score = scores[draft.combined_index]
        value = draft.combined
        low, high = age.widen(score, score, sum(piece.trust for piece in scored) / len(scored))
        if any(piece.others for piece in scored):  # samples with bounds of their own
            low = min(low, sum(piece.low for piece in scored) / len(scored))
            high = max(high, sum(piece.high for piece in scored) / len(scored))
    elif combine == "best":
        score, value = deciding.score, deciding.value
        low = max(piece.low for piece in scored)
        high = max(piece.high for piece in scored)
    else:
        score, value = deciding.score, deciding.value
        low = min(piece.low for piece in scored)
        high = min(piece.high for piece in scored)
    share = absent / (absent + len(seen))
    if share and (central or combine != "best"):
        low *= 1.0 - share
    if share and (central or combine == "best"):
        high += (100.0 - high) * share
    observation = deciding.observation
    cell = _cell(
        criterion,
        value=value,
        kind=observation.kind,
        detail=_known_detail(scored, failed, unprobed, deciding, combine),
        source=observation.source,
        observed=observation.observed,
        age_days=deciding.age,
        score=score,
        low=min(low, score),
        high=max(high, score),
        grade=observation.grade,
        vantage=observation.vantage,
        n=observation.n,
        evidence=draft.evidence,
        contradiction=contradiction,
    )
    if criterion.must is None:
        return cell, None
    disputed = list(deciding.others) if observation.disputed else []
    if disputed:
        parts, how = [part for part in (value, *disputed) if part is not None], "any source"
    else:
        parts, how = [piece.value for piece in scored if piece.value is not None], "mean" if central else combine
    status, reason = gates.judge(criterion.must, value, parts, how, criterion.unit, "")
    if status == "pass" and absent:
        reason += f"; {absent} of {absent + len(seen)} endpoints not measured"
    return cell, Gate(criterion.id, status, reason)


def _names(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:NAMED_IN_DETAIL])
    return shown if len(keys) <= NAMED_IN_DETAIL else f"{shown} and {len(keys) - NAMED_IN_DETAIL} more"


def _because(piece: _Piece) -> str:
    return f"{_where(piece) or piece.observation.metric} ({piece.cause}{': ' + piece.detail if piece.detail else ''})"


def _where(piece: _Piece) -> str:
    observation = piece.observation
    return f"{observation.endpoint} from {observation.vantage}" if observation.vantage else observation.endpoint


def _known_detail(
    scored: Sequence[_Piece],
    failed: Sequence[_Piece],
    unprobed: Sequence[str],
    deciding: _Piece,
    combine: str,
) -> str:
    sentences = []
    observation = deciding.observation
    if len(scored) > 1:
        how = f"{combine} of {len(scored)} measurements"
        sentences.append(f"{how}: {_where(deciding)}" if combine in ("worst", "best") else how)
    elif observation.endpoint:
        sentences.append(observation.endpoint)
    if observation.detail:
        sentences.append(observation.detail)
    if failed:
        sentences.append("not measured: " + _names([_because(piece) for piece in failed]))
    if unprobed:
        sentences.append("not probed yet: " + _names(unprobed))
    for piece in scored:
        if piece.attempt is not None:
            sentences.append(_failed_attempt(piece.attempt))
    if observation.disputed:
        others = [f"{value} ({source}, {as_of})" for value, source, as_of in observation.disputed]
        sentences.append("sources disagree: " + _names(others))
    if observation.note:
        sentences.append(observation.note)
    if deciding.age is None:
        sentences.append("undated, so counted as two half-lives old")
    return "; ".join(sentences)


def _failed_attempt(attempt: Observation) -> str:
    where = f" on {attempt.endpoint}" if attempt.endpoint else ""
    return f"a newer attempt{where} at {attempt.observed} failed: {attempt.cause}"


def _unknown(
    context: _Context,
    criterion: Criterion,
    draft: _Draft,
    missing: list[_Piece],
    contradiction: Contradiction | None,
) -> tuple[Cell, Gate | None]:
    if draft.all_not_applicable:
        cell = _cell(
            criterion,
            cause=NOT_APPLICABLE,
            detail=draft.evidence[0].detail or "every endpoint says that it does not apply",
            applicable=False,
            low=0.0,
            high=0.0,
            evidence=draft.evidence,
        )
        return cell, None
    if missing:
        shown = _telling(missing)
        cause = shown.cause
        parts = [_names([_because(piece) for piece in missing])]
        if draft.unprobed:
            parts.append("not probed yet: " + _names(draft.unprobed))
        parts += [_failed_attempt(piece.attempt) for piece in missing if piece.attempt is not None]
        cell = _cell(
            criterion,
            cause=cause,
            detail="; ".join(parts),
            kind=shown.observation.kind,
            source=shown.observation.source,
            observed=shown.observation.observed,
            age_days=shown.age,
            grade=shown.observation.grade,
            vantage=shown.observation.vantage,
            evidence=draft.evidence,
            contradiction=contradiction,
        )
    else:
        cell = _cell(criterion, cause=NO_EVIDENCE, detail=_nothing(context, criterion, draft), evidence=draft.evidence)
    if criterion.must is None:
        return cell, None
    status, reason = gates.judge(criterion.must, None, (), "worst", criterion.unit, cell.detail or str(cell.cause))
    return cell, Gate(criterion.id, status, reason)


def _telling(missing: Sequence[_Piece]) -> _Piece:
    """The piece whose cause stands for all: the most frequent cause, the first piece that has it."""
    count: dict[str, int] = {}
    for piece in missing:
        count[piece.cause] = count.get(piece.cause, 0) + 1
    most = max(count.values())
    return next(piece for piece in missing if count[piece.cause] == most)


def _nothing(context: _Context, criterion: Criterion, draft: _Draft) -> str:
    """Why nothing was ever recorded, and so what would help."""
    source = criterion.source
    parts = []
    if source.probe:
        if draft.unprobed:
            parts.append("not probed yet: " + _names(draft.unprobed))
        elif source.roles and not any(context.profiles[draft.vendor.id].by_role.get(role) for role in source.roles):
            *others, last = source.roles
            parts.append(f"the profile has no {', '.join(others)}{' or ' if others else ''}{last} endpoint")
        else:
            parts.append("no measurement yet")
    if source.trial:
        parts.append("no trial yet")
    if source.survey:
        parts.append("no survey yet")
    if source.reviews:
        parts.append("no review evidence yet")
    if source.price:
        parts.append("no computed price yet")
    if source.fact:
        parts.append(f"the profile does not state {source.fact}")
    return "; ".join(parts)


# --- one row ----------------------------------------------------------------------------------------------------------


def _endpoint_contradictions(context: _Context, vendor: Vendor) -> list[Contradiction]:
    profile = context.profiles[vendor.id]
    provenance: dict[str, tuple[str, str]] = {}
    for role in ("submission", "imap", "pop3", "sieve"):
        for entry in getattr(vendor.endpoints, role):
            key = Endpoint(role=role, host=entry.host, port=entry.port, tls=entry.tls).key
            provenance.setdefault(key, (entry.source, entry.as_of or ""))
    measurements = [
        evidence.current
        for metric in sorted(contradictions.STARTTLS_METRICS)
        for evidence in context.evidence.get((vendor.id, "measured", metric), ())
    ]
    return contradictions.of_endpoints(vendor.id, profile.endpoints, provenance, measurements)


def _dates(row: Sequence[Cell]) -> tuple[str, str]:
    dated = [(then, cell.observed) for cell in row if cell.score is not None and (then := moment(cell.observed))]
    return (max(dated)[1], min(dated)[1]) if dated else ("", "")
