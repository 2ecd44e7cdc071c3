"""The whole of scoring against a plain calculation in fractions, over catalogues as odd as a team may write them:
groups and criteria of no weight or a millionth of it, one vendor, nothing known, gates that fail, ties."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Criterion
from mailrubric.scoring.additive import WeightError
from mailrubric.scoring.evaluate import evaluate
from tests.mailrubric.scoring.building import NOW, catalogue, criterion, fact, vendor

weights = st.sampled_from([0.0, 1e-6, 0.5, 1.0, 3.0, 1e6])
answers = st.one_of(st.none(), st.sampled_from([0.0, 50.0, 100.0]), st.floats(0, 100))


@dataclasses.dataclass(frozen=True)
class Line:
    """What a vendor's line must say. Fractions of points; ``gates`` by criterion."""

    score: Fraction | None
    low: Fraction
    high: Fraction
    coverage: Fraction
    ranking: Fraction | None
    gates: dict[str, str]
    status: str


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Up to three groups of up to three criteria, up to four vendors of two categories."""
    groups: dict[str, list[Criterion]] = {}
    for group in range(draw(st.integers(1, 3))):
        members = []
        for number in range(draw(st.integers(1, 3))):
            fields = {"weight": draw(weights), "applies_to": draw(st.sampled_from([[], [], ["esp"], ["mailbox"]]))}
            if draw(st.integers(0, 3)) == 0:
                fields["must"] = {"at_least": draw(st.sampled_from([10, 50])), "else": "not enough"}
            members.append(criterion(f"c{group}{number}", **fields))
        groups[f"g{group}"] = members
    asked = [each for members in groups.values() for each in members]
    vendors = []
    for number in range(draw(st.integers(1, 4))):
        facts = {str(each.source.fact): draw(answers) for each in asked}
        stated = {name: fact(value, "2026-11-22") for name, value in facts.items() if value is not None}
        vendors.append(vendor(f"v{number}", draw(st.sampled_from(["esp", "mailbox"])), facts=stated))
    return catalogue(groups, vendors, weights={name: draw(weights) for name in groups})


def by_hand(made: Catalogue, minimum: Fraction) -> dict[str, Line] | None:
    """The definitions of docs/methodology.md, cell by cell; None where nothing has any weight."""
    inside = {group.id: Fraction(0) for group in made.groups}
    for each in made.criteria:
        inside[made.group_of[each.id]] += Fraction(each.weight)
    counted = {group.id: Fraction(group.weight) if inside[group.id] else Fraction(0) for group in made.groups}
    total = sum(counted.values())
    if not total:
        return None
    share = {
        each.id: counted[group] / total * Fraction(each.weight) / inside[group] if inside[group] else Fraction(0)
        for each in made.criteria
        for group in [made.group_of[each.id]]
    }
    value: dict[tuple[str, str], Fraction | None] = {}  # applicable cells only
    for line in made.vendors.values():
        for each in made.criteria:
            if not each.applies_to or line.category in each.applies_to:
                stated = line.facts.get(str(each.source.fact))
                value[line.id, each.id] = None if stated is None else Fraction(float(stated.value))  # type: ignore[arg-type]
    known = {key: points for key, points in value.items() if points is not None}
    grand = sum(known.values(), Fraction(0)) / len(known) if known else Fraction(50)
    mean = {}
    for each in made.criteria:
        column = [points for (_, name), points in known.items() if name == each.id]
        mean[each.id] = sum(column, Fraction(0)) / len(column) if column else grand
    found = {}
    for line in made.vendors.values():
        mine = {name: points for (who, name), points in known.items() if who == line.id}
        mine_all = [name for who, name in value if who == line.id]
        lead = sum((points - mean[name] for name, points in mine.items()), Fraction(0)) / max(1, len(mine))
        filled = {
            name: mine.get(name, min(max((mean[name] + lead) * 4 / 5, Fraction(0)), Fraction(100))) for name in mine_all
        }
        weight_known = sum((share[name] for name in mine), Fraction(0))
        weight_all = sum((share[name] for name in mine_all), Fraction(0))
        points = sum((share[name] * each for name, each in mine.items()), Fraction(0))
        score = points / weight_known if weight_known else None
        low = points / weight_all if weight_all else Fraction(0)
        coverage = 100 * weight_known / weight_all if weight_all else Fraction(0)
        gates = {
            each.id: "provisional" if each.id not in mine else "pass" if mine[each.id] >= each.must.at_least else "fail"
            for each in made.criteria
            if each.must is not None and each.must.at_least is not None and each.id in mine_all
        }
        status = "ranked"
        if "fail" in gates.values():
            status = "failed"
        elif score is None or coverage < minimum - Fraction(1, 10**9):
            status = "insufficient"
        found[line.id] = Line(
            score,
            low,
            low + 100 - coverage if weight_all else Fraction(100),
            coverage,
            sum((share[name] * each for name, each in filled.items()), Fraction(0)) / weight_all
            if weight_known
            else None,
            gates,
            status,
        )
    return found


def same(number: float | None, wanted: Fraction | None) -> bool:
    """Whether a figure is the fraction, as far as floats go."""
    if number is None or wanted is None:
        return number is None and wanted is None
    return number == pytest.approx(float(wanted), abs=1e-7)


@settings(deadline=None, max_examples=150)
@given(catalogues(), st.sampled_from([0, 30, 60]))
def test_every_figure_is_that_of_a_plain_calculation(made: Catalogue, minimum: int) -> None:
    wanted = by_hand(made, Fraction(minimum))
    # At midnight of the day that the facts are from nothing has aged, so that the bounds are exact too.
    as_of = NOW.replace(hour=0, minute=0)
    if wanted is None:
        with pytest.raises(WeightError):
            evaluate(made, (), as_of=as_of, minimum_coverage=minimum)
        return
    found = evaluate(made, (), as_of=as_of, minimum_coverage=minimum)
    for line in found.vendors:
        told = wanted[line.id]
        assert same(line.score, told.score)
        assert same(line.low, told.low)
        assert same(line.high, told.high)
        assert same(line.coverage, told.coverage)
        assert same(line.ranking_score, told.ranking)
        assert {gate.criterion: gate.status for gate in line.gates} == told.gates
        assert line.status == told.status
        if line.score is not None:
            assert sum(cell.contribution or 0.0 for cell in line.cells) == pytest.approx(line.score, abs=1e-9)
    ranks = [line.ranking_score for line in found.vendors if line.status == "ranked" and line.ranking_score is not None]
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(ranks))
    # Another order of everything, and one vendor fewer: every score of record stays as it was.
    turned = dataclasses.replace(
        made,
        criteria=tuple(reversed(made.criteria)),
        groups=tuple(reversed(made.groups)),
        group_of=dict(reversed(made.group_of.items())),
        vendors=dict(list(made.vendors.items())[1:]),
    )
    for line in evaluate(turned, (), as_of=as_of, minimum_coverage=minimum).vendors if turned.vendors else ():
        assert same(line.score, wanted[line.id].score)
        assert same(line.coverage, wanted[line.id].coverage)
