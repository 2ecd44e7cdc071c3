"""Frozen scorecards: everything that made a decision in one file, from which the same scorecard comes out again.

A frozen scorecard holds the criteria with their value functions, the weights, the profiles of the vendors, the evidence
up to its time, and the result. Nothing else is read when it is scored again, so it outlives the workspace it came from.
Two of them can be compared: what changed, and how much of each vendor's change comes from evidence, criteria or
weights.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Criterion, FactDeclaration, Group, Preset, Vendor, Weights
from mailrubric.evidence.observation import Observation
from mailrubric.evidence.times import moment
from mailrubric.scoring.evaluate import ENGINE_VERSION, ScoringError, WeightError, effective_weights, evaluate
from mailrubric.scoring.evaluation import Evaluation, VendorScore
from probes.model import Metric

FORMAT = "mailrubric-scorecard"
VERSION = 1
LARGEST = 200_000_000
"""Bytes of a file that are read."""


_MOST_DIGITS = 30


class FrozenError(ValueError):
    """Not a frozen scorecard, or one that cannot be scored; a sentence for people."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Everything that an evaluation is made from. ``catalogue`` holds the chosen vendors only. ``engine`` and
    ``result``: of a frozen scorecard, the version of the scoring that made it and the scorecard it came to."""

    catalogue: Catalogue
    observations: tuple[Observation, ...]
    preset: str | None
    weights: Weights | None
    as_of: datetime
    minimum_coverage: float
    engine: str = ENGINE_VERSION
    result: Mapping[str, Any] | None = None

    def evaluate(self) -> Evaluation:
        """The scorecard. Raises ``ScoringError`` and ``WeightError`` as ``scoring.evaluate`` does."""
        return evaluate(
            self.catalogue,
            self.observations,
            vendors=list(self.catalogue.vendors),
            preset=self.preset,
            weights=self.weights,
            as_of=self.as_of,
            minimum_coverage=self.minimum_coverage,
        )


def inputs(
    catalogue: Catalogue,
    observations: Iterable[Observation],
    *,
    vendors: Sequence[str],
    preset: str | None,
    weights: Weights | None,
    as_of: datetime,
    minimum_coverage: float,
) -> Inputs:
    """The inputs of an evaluation, reduced to what it looks at."""
    chosen = set(vendors)
    reduced = dataclasses.replace(
        catalogue,
        vendors={name: vendor for name, vendor in catalogue.vendors.items() if name in chosen},
        presets={preset: catalogue.presets[preset]} if preset else {},
        paths={},
        warnings=(),
    )
    return Inputs(
        reduced,
        tuple(each for each in observations if each.vendor in chosen),
        preset,
        weights,
        as_of.replace(microsecond=0),
        float(minimum_coverage),
    )


def freeze(given: Inputs) -> bytes:
    """The file: JSON in ASCII, the same bytes for the same inputs. Ends with the result, for readers without us."""
    from mailrubric.export.document import scorecard

    catalogue = given.catalogue
    document = {
        "format": FORMAT,
        "version": VERSION,
        "engine": ENGINE_VERSION,
        "as_of": given.as_of.isoformat().replace("+00:00", "Z"),
        "preset": given.preset,
        "weights": None if given.weights is None else given.weights.model_dump(mode="json"),
        "minimum_coverage": given.minimum_coverage,
        "groups": [group.model_dump(mode="json", by_alias=True) for group in catalogue.groups],
        "criteria": [
            {"group": catalogue.group_of[each.id], **each.model_dump(mode="json", by_alias=True)}
            for each in catalogue.criteria
        ],
        "facts": {name: each.model_dump(mode="json") for name, each in catalogue.facts.items()},
        "metrics": [_metric(each) for each in catalogue.metrics.values()],
        "presets": [each.model_dump(mode="json") for each in catalogue.presets.values()],
        "vendors": [each.model_dump(mode="json", by_alias=True) for each in catalogue.vendors.values()],
        "observations": [_slim(each) for each in given.observations],
        "scorecard": scorecard(given.evaluate()),
    }
    return (json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False) + "\n").encode("ascii")


def thaw(data: bytes) -> Inputs:
    """The inputs in a frozen scorecard. Raises ``FrozenError`` for everything that is none, or of a newer version."""
    if len(data) > LARGEST:
        raise FrozenError(f"larger than {LARGEST:,} bytes")
    try:
        document = json.loads(data, parse_constant=_finite, parse_float=_finite, parse_int=_short)
    except FrozenError:
        raise
    except (ValueError, RecursionError) as error:
        raise FrozenError(f"not JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FrozenError("not a frozen scorecard: mailrubric freeze -o FILE makes one")
    if document.get("version") != VERSION:
        raise FrozenError(f"version {document.get('version')!r} of the format; this Mailrubric reads version {VERSION}")
    try:
        return _inputs(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise FrozenError(f"{place}: {first['msg']}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FrozenError(f"damaged: {type(error).__name__}: {str(error)[:200]}") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise FrozenError(f"{text[:40]} is no number that can be scored")
    return number


def _short(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise FrozenError(f"a number of {len(text):,} digits")
    return int(text)


def _distinct(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FrozenError(f"{what} {name} stands in it twice")
        seen.add(name)


def unlike(given: Inputs, evaluation: Evaluation) -> str:
    """How a frozen scorecard's own result differs from what its inputs come to, as the path of the first field that
    does; "" when it does not, or there is none. Numbers may differ by a millionth: other machines round otherwise. The
    hash and the version of the rules count only where the version is ours."""
    from mailrubric.export.document import scorecard

    if given.result is None:
        return ""
    kept, made = dict(given.result), json.loads(json.dumps(scorecard(evaluation)))
    if given.engine != ENGINE_VERSION and isinstance(kept.get("rules"), dict):
        kept["rules"] = {**kept["rules"], "engine": made["rules"]["engine"], "hash": made["rules"]["hash"]}
    return _first_difference(kept, made, "scorecard")


def _first_difference(kept: Any, made: Any, path: str) -> str:
    if isinstance(kept, float | int) and isinstance(made, float | int) and not isinstance(kept, bool):
        return "" if not isinstance(made, bool) and math.isclose(kept, made, rel_tol=1e-9, abs_tol=1e-6) else path
    if isinstance(kept, dict) and isinstance(made, dict):
        for name in sorted({*kept, *made}):
            if name not in kept or name not in made:
                return f"{path}.{name}"
            found = _first_difference(kept[name], made[name], f"{path}.{name}")
            if found:
                return found
        return ""
    if isinstance(kept, list) and isinstance(made, list):
        if len(kept) != len(made):
            return path
        pairs = zip(kept, made, strict=True)
        return next((found for i, (a, b) in enumerate(pairs) if (found := _first_difference(a, b, f"{path}[{i}]"))), "")
    return "" if type(kept) is type(made) and kept == made else path


def _inputs(document: dict[str, Any]) -> Inputs:
    as_of = moment(document["as_of"])
    if as_of is None:
        raise FrozenError(f"as_of is no time: {str(document['as_of'])[:60]!r}")
    criteria, group_of = [], {}
    for raw in document["criteria"]:
        fields = dict(raw)
        group = fields.pop("group")
        criterion = _model(Criterion, fields)
        criteria.append(criterion)
        group_of[criterion.id] = group
    groups = tuple(_model(Group, raw) for raw in document["groups"])
    presets = [_model(Preset, raw) for raw in document["presets"]]
    vendors = [_model(Vendor, raw) for raw in document["vendors"]]
    for what, found in (("criterion", criteria), ("group", groups), ("preset", presets), ("vendor", vendors)):
        _distinct(what, (each.id for each in found))
    strays = sorted(set(group_of.values()) - {group.id for group in groups})
    if strays:
        raise FrozenError(f"criteria stand in groups that it does not have: {', '.join(map(str, strays))}")
    weights = document["weights"]
    preset = document["preset"]
    if preset is not None and preset not in [each.id for each in presets]:
        raise FrozenError("its preset is not among its presets")
    minimum = document["minimum_coverage"]
    if isinstance(minimum, bool) or not isinstance(minimum, int | float) or not 0 <= minimum <= 100:
        raise FrozenError("minimum_coverage: expected 0 to 100")
    return Inputs(
        catalogue=Catalogue(
            groups=groups,
            criteria=tuple(criteria),
            group_of=group_of,
            facts={name: _model(FactDeclaration, raw) for name, raw in document["facts"].items()},
            metrics={raw["key"]: _metric_of(raw) for raw in document["metrics"]},
            vendors={vendor.id: vendor for vendor in vendors},
            presets={preset.id: preset for preset in presets},
        ),
        observations=tuple(_observation(raw) for raw in document["observations"]),
        preset=preset,
        weights=None if weights is None else _model(Weights, weights),
        as_of=as_of,
        minimum_coverage=float(minimum),
        engine=str(document["engine"])[:100],
        result=_result(document["scorecard"]),
    )


def _result(raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise FrozenError("scorecard: expected the result as an object")
    return raw


def _model(kind: Any, raw: Any) -> Any:
    # By way of JSON, as it was written: JSON's lists are the models' tuples.
    return kind.model_validate_json(json.dumps(raw))


def _slim(observation: Observation) -> dict[str, Any]:
    """The fields that say something."""
    defaults = {field.name: field.default for field in dataclasses.fields(Observation)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in ((name, getattr(observation, name)) for name in Observation.__slots__)
        if name in ("vendor", "metric", "value", "kind", "source", "observed") or value != defaults[name]
    }


def _observation(raw: Mapping[str, Any]) -> Observation:
    fields = dict(raw)
    if isinstance(fields["value"], list):
        fields["value"] = tuple(str(member) for member in fields["value"])
    if (fields["value"] is None) == (fields.get("cause") is None):
        raise FrozenError(f"an observation of {fields.get('metric')} has a value and a cause, or neither")
    for name, width in (("versions", 2), ("disputed", 3)):
        if name in fields:
            fields[name] = tuple(tuple(map(str, each)) for each in fields[name])
            if any(len(each) != width for each in fields[name]):
                raise FrozenError(f"{name} of an observation of {fields.get('metric')} has another shape")
    unknown = sorted(set(fields) - set(Observation.__slots__))
    if unknown:
        raise FrozenError(f"an observation has fields that there are not: {', '.join(unknown)[:100]}")
    # The file may come from anywhere: a field of another type must be refused here and not trip the scoring.
    observation: Observation = _reader(Observation).validate_json(json.dumps(fields), strict=True)
    return observation


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "key": metric.key,
        "type": metric.type,
        "unit": metric.unit,
        "meaning": metric.meaning,
        "levels": list(metric.levels),
        "roles": None if metric.roles is None else sorted(metric.roles),
    }


def _metric_of(raw: Mapping[str, Any]) -> Metric:
    metric: Metric = _reader(Metric).validate_json(json.dumps(raw), strict=True)
    return metric


@functools.cache
def _reader(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


# --- what changed between two -----------------------------------------------------------------------------------------

Factor = Literal["evidence", "criteria", "weights", "vendors"]
FACTORS: tuple[Factor, ...] = ("evidence", "criteria", "weights", "vendors")
"""What a ranking depends on: observations, profiles and the time they are looked at; questions, value functions and
groups; weights, preset and minimum coverage; which vendors stand beside each other (they have ranks of their own, and
what is unknown is filled in with their help)."""


@dataclasses.dataclass(frozen=True, slots=True)
class VendorChange:
    """One vendor in both. ``before``/``after``: ranking scores. ``parts``: points of the change that come from each
    factor; they add up to it. None where one of the two has no score. ``rank_parts``: places gained (below 0: lost) by
    each factor, which add up to ``rank_before`` - ``rank_after``; None where the vendor has no rank with some of them.
    """

    id: str
    name: str
    rank_before: int | None
    rank_after: int | None
    status_before: str
    status_after: str
    before: float | None
    after: float | None
    parts: dict[str, float] | None
    rank_parts: dict[str, float] | None


@dataclasses.dataclass(frozen=True, slots=True)
class CellChange:
    """A criterion of one vendor whose value, cause or score is another one."""

    vendor: str
    criterion: str
    before: str
    after: str
    score_before: float | None
    score_after: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two frozen scorecards. ``weights``: id → (before, after) in per cent of all weight."""

    vendors: tuple[VendorChange, ...]
    cells: tuple[CellChange, ...]
    added_vendors: tuple[str, ...]
    removed_vendors: tuple[str, ...]
    added_criteria: tuple[str, ...]
    removed_criteria: tuple[str, ...]
    changed_criteria: tuple[str, ...]
    weights: dict[str, tuple[float, float]]
    as_of: tuple[str, str]

    @property
    def nothing(self) -> bool:
        """Whether both are the same but for their time."""
        lists = (
            self.cells, self.added_vendors, self.removed_vendors, self.added_criteria, self.removed_criteria,
            self.changed_criteria, self.weights,
        )  # fmt: skip
        moved = any(
            (each.rank_before, each.status_before) != (each.rank_after, each.status_after) for each in self.vendors
        )
        return not any(lists) and not moved


def difference(old: Inputs, new: Inputs) -> Difference:
    """What changed, and what of each vendor's change comes from where.

    The parts are Shapley values (L. S. Shapley 1953): the mean, over all orders in which the factors could have changed
    one after the other, of what each adds; so they add up to the whole and favour no order. Vendors that only one of
    the two has are told by name; what their coming and going does to the others is a factor of its own. Raises
    ``ScoringError``/``WeightError`` as scoring does.
    """
    common = [name for name in old.catalogue.vendors if name in new.catalogue.vendors]
    before, after = old.evaluate(), new.evaluate()
    was, now = _lines(before), _lines(after)
    parts, rank_parts = _parts(old, new, common) if common else ({}, {})
    old_criteria = {each.id: each for each in old.catalogue.criteria}
    new_criteria = {each.id: each for each in new.catalogue.criteria}
    shares_before = {each.id: each.weight for each in before.criteria}
    shares_after = {each.id: each.weight for each in after.criteria}
    return Difference(
        vendors=tuple(
            VendorChange(
                name, now[name].name, was[name].rank, now[name].rank, was[name].status, now[name].status,
                was[name].ranking_score, now[name].ranking_score, parts.get(name), rank_parts.get(name),
            )
            for name in sorted(common, key=lambda name: (now[name].rank or math.inf, name))
        ),
        cells=tuple(change for name in common for change in _cells(was[name], now[name])),
        added_vendors=tuple(sorted(set(new.catalogue.vendors) - set(old.catalogue.vendors))),
        removed_vendors=tuple(sorted(set(old.catalogue.vendors) - set(new.catalogue.vendors))),
        added_criteria=tuple(sorted(set(new_criteria) - set(old_criteria))),
        removed_criteria=tuple(sorted(set(old_criteria) - set(new_criteria))),
        changed_criteria=tuple(
            sorted(
                name
                for name, criterion in new_criteria.items()
                if name in old_criteria
                and criterion.model_copy(update={"weight": 1}) != old_criteria[name].model_copy(update={"weight": 1})
            )
        ),
        weights={
            name: (shares_before[name], share)
            for name, share in shares_after.items()
            if name in shares_before and abs(share - shares_before[name]) > 1e-9
        },
        as_of=(before.as_of, after.as_of),
    )  # fmt: skip


def _lines(evaluation: Evaluation) -> dict[str, VendorScore]:
    return {line.id: line for line in evaluation.vendors}


def _cells(before: VendorScore, after: VendorScore) -> Iterable[CellChange]:
    from mailrubric.display import value_words

    was = {cell.criterion: cell for cell in before.cells}
    for cell in after.cells:
        old = was.get(cell.criterion)
        if old is None or (old.value, old.cause) == (cell.value, cell.cause):
            continue
        yield CellChange(
            after.id,
            cell.criterion,
            value_words(old.value, old.unit) if old.value is not None else f"unknown: {old.cause}",
            value_words(cell.value, cell.unit) if cell.value is not None else f"unknown: {cell.cause}",
            old.score,
            cell.score,
        )


def _parts(
    old: Inputs, new: Inputs, common: Sequence[str]
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Of each common vendor the parts of the change of its ranking score, and of its rank."""
    same = set(old.catalogue.vendors) == set(new.catalogue.vendors)
    moving = [factor for factor in FACTORS if not (same and factor == "vendors")]
    scores: dict[frozenset[Factor], dict[str, float]] = {}
    places: dict[frozenset[Factor], dict[str, float]] = {}
    for size in range(len(moving) + 1):
        for chosen in itertools.combinations(moving, size):
            lines = _mixed(old, new, frozenset(chosen), common).evaluate().vendors
            scores[frozenset(chosen)] = {
                line.id: line.ranking_score for line in lines if line.ranking_score is not None
            }
            places[frozenset(chosen)] = {line.id: -float(line.rank) for line in lines if line.rank is not None}
    return (
        {name: parts for name in common if (parts := _shapley(name, moving, scores)) is not None},
        {name: parts for name in common if (parts := _shapley(name, moving, places)) is not None},
    )


def _shapley(
    name: str, moving: Sequence[Factor], worth: Mapping[frozenset[Factor], Mapping[str, float]]
) -> dict[str, float] | None:
    """The Shapley value of each factor for one vendor; 0 for those that did not move, None when the vendor has no value
    with some of them. ``worth``: factors that changed → vendor → value."""
    if any(name not in each for each in worth.values()):
        return None
    parts = dict.fromkeys(map(str, FACTORS), 0.0)
    count = len(moving)
    for factor in moving:
        others = [each for each in moving if each != factor]
        for size in range(count):
            share = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for chosen in itertools.combinations(others, size):
                without = frozenset(chosen)
                parts[factor] += share * (worth[without | {factor}][name] - worth[without][name])
    return parts


def _mixed(old: Inputs, new: Inputs, changed: frozenset[Factor], common: Sequence[str]) -> Inputs:
    """The old inputs with these factors taken from the new ones. Vendors that only one side has keep its evidence."""
    rules = new if "criteria" in changed else old
    facts = new if "evidence" in changed else old
    weighing = new if "weights" in changed else old
    beside = new if "vendors" in changed else old
    groups, criteria = effective_weights(weighing.catalogue, weighing.preset, weighing.weights)
    # Weights of what only the other side knows stay as that side has them.
    own_groups, own_criteria = effective_weights(rules.catalogue, rules.preset, rules.weights)
    weights = Weights(
        groups={name: groups.get(name, weight) for name, weight in own_groups.items()},
        criteria={name: criteria.get(name, weight) for name, weight in own_criteria.items()},
    )
    source = {name: facts if name in common else beside for name in beside.catalogue.vendors}
    catalogue = dataclasses.replace(
        rules.catalogue, vendors={name: source[name].catalogue.vendors[name] for name in source}, presets={}
    )
    observations = [each for each in facts.observations if source.get(each.vendor) is facts]
    if beside is not facts:
        observations += [each for each in beside.observations if source.get(each.vendor) is beside]
    return Inputs(catalogue, tuple(observations), None, weights, facts.as_of, weighing.minimum_coverage)


__all__ = [
    "FACTORS",
    "FORMAT",
    "CellChange",
    "Difference",
    "FrozenError",
    "Inputs",
    "ScoringError",
    "VendorChange",
    "WeightError",
    "difference",
    "freeze",
    "inputs",
    "thaw",
    "unlike",
]
