"""``mailrubric score`` and ``mailrubric explain``: the ranking, and why a vendor stands where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailrubric.cli import options
from mailrubric.cli.decision import robust_json, robust_ranking, show_robust
from mailrubric.cli.terminal import Usage, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from mailrubric.cli.catalogue import Scored
    from mailrubric.scoring.evaluation import Cell, VendorScore


def score(
    vendors: options.Vendors = None,
    preset: options.Preset = None,
    weights: options.Weights = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    frozen: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE.json",
            help="Score what mailrubric freeze kept in this file, and nothing else.",
            show_default=False,
        ),
    ] = None,
    fail_on_gate: Annotated[
        bool,
        typer.Option("--fail-on-gate", help="Exit code 1 when a vendor fails a gate.", show_default=False),
    ] = False,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust",
            help="Say also how sure the ranking is: draw weights and unknowns many times.",
            show_default=False,
        ),
    ] = False,
    drawn: Annotated[
        str,
        typer.Option(
            "--weights-drawn",
            metavar="HOW",
            help="With --robust: around the given weights, any in their order (order), or any at all (any).",
        ),
    ] = "around",
    spread: Annotated[
        float,
        typer.Option(
            "--spread", metavar="SHARE", min=0, max=1, help="With --robust: by how much each weight may be off, 0 to 1."
        ),
    ] = 0.3,
    draws: Annotated[int, typer.Option("--draws", metavar="N", min=1, max=1_000_000, help="With --robust.")] = 10_000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="With --robust: same seed, same numbers.")
    ] = 1,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="With --robust: draw every unknown by itself. Slower, hardly different.", show_default=False
        ),
    ] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Rank vendors: score, interval, coverage and gates."""
    from mailrubric.cli.catalogue import Choice, Scored
    from mailrubric.cli.catalogue import score as evaluate

    if frozen is not None:
        if any((vendors, preset, weights, category, everyone, min_coverage is not None, as_of, workspace)):
            raise Usage("--from takes vendors, weights and time from the file: leave the other choices out")
        from mailrubric.cli import frozen as kept

        given = kept.read(frozen)
        scored = Scored(None, given.catalogue, kept.scored(frozen, given), ())
    else:
        scored = evaluate(
            Choice(
                workspace, tuple(vendors or ()), tuple(category or ()), everyone, preset, weights, min_coverage, as_of
            )
        )
    sureness = robust_ranking(scored.evaluation, drawn, spread, draws, seed, exact) if robust else None
    if json:
        from mailrubric.export.document import scorecard

        document = scorecard(scored.evaluation)
        document.pop("version")
        if sureness is not None:
            document["robust"] = robust_json(sureness)
        print_json(document)
    else:
        _show_ranking(scored)
        if sureness is not None:
            show_robust(sureness)
    failed = any(vendor.status == "failed" for vendor in scored.evaluation.vendors)
    raise typer.Exit(1 if fail_on_gate and failed else 0)


def explain(
    vendor: options.Vendor,
    preset: options.Preset = None,
    weights: options.Weights = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Show every criterion of a vendor: value, source, age, score, weight, contribution, and how to find out more."""
    from mailrubric.cli.catalogue import Choice, explained

    scored, line = explained(
        vendor,
        Choice(workspace, (), tuple(category or ()), everyone, preset, weights, min_coverage, as_of),
    )
    if json:
        import dataclasses

        from mailrubric.export.document import scorecard
        from mailrubric.findings import ways_json

        document = scorecard(dataclasses.replace(scored.evaluation, vendors=(line,)), evidence=True)
        print_json(
            {
                "rules": document["rules"],
                "as_of": document["as_of"],
                "vendor": document["vendors"][0],
                "find_out": ways_json(scored.catalogue, line),
            }
        )
    else:
        _show_vendor(scored, line)


def _show_ranking(scored: Scored) -> None:
    from mailrubric.display import how_many, interval, points, tenths

    evaluation = scored.evaluation
    _show_rules(scored)
    print_table(
        ("rank", "id", "vendor", "estimate", "score", "interval", "coverage", "notes"),
        [
            (
                "" if vendor.rank is None else str(vendor.rank),
                vendor.id,
                vendor.name,
                points(vendor.ranking_score),
                points(vendor.score),
                interval(vendor.low, vendor.high),
                f"{tenths(vendor.coverage)} %",
                _notes(vendor),
            )
            for vendor in evaluation.vendors
        ],
        right=(0, 3, 4, 5, 6),
        whole=(0, 1, 3, 4, 5, 6),
    )
    insufficient = sum(vendor.status == "insufficient" for vendor in evaluation.vendors)
    if insufficient:
        say()
        say(
            f"{insufficient} of {how_many(len(evaluation.vendors), 'vendor')} {'has' if insufficient == 1 else 'have'} "
            f"evidence for less than {tenths(evaluation.minimum_coverage)} % of the weight and "
            f"{'gets' if insufficient == 1 else 'get'} no rank. "
            "mailrubric explain VENDOR says what would find out more."
        )


def _notes(vendor: VendorScore) -> str:
    """What sets a line apart: why it has no rank, gates that did not pass, contradictions."""
    failed = [gate.reason or gate.criterion for gate in vendor.gates if gate.status == "fail"]
    undecided = sum(gate.status == "provisional" for gate in vendor.gates)
    notes = [f"failed: {reason}" for reason in failed]
    if vendor.status == "insufficient":
        notes.append("insufficient evidence")
    if undecided:
        notes.append(f"{undecided} gate{'' if undecided == 1 else 's'} undecided")
    if vendor.contradictions:
        count = len(vendor.contradictions)
        notes.append(f"{count} contradiction{'' if count == 1 else 's'}")
    return "; ".join(notes)


def _show_rules(scored: Scored) -> None:
    evaluation = scored.evaluation
    of = f", categories {', '.join(scored.categories)}" if scored.categories else ""
    weights = f"weights {evaluation.preset}" if evaluation.preset else "default weights"
    print_title(f"As of {evaluation.as_of}, {weights}{of}, rules {evaluation.rules_hash[:12]}")
    say()


def _show_vendor(scored: Scored, vendor: VendorScore) -> None:
    from mailrubric.display import interval, points, tenths
    from mailrubric.export.tables import STATUS_WORDS
    from mailrubric.findings import ways

    evaluation = scored.evaluation
    _show_rules(scored)
    ranked = sum(other.rank is not None for other in evaluation.vendors)
    standing = f"rank {vendor.rank} of {ranked}" if vendor.rank is not None else STATUS_WORDS[vendor.status]
    print_title(f"{vendor.name} ({vendor.id}, {vendor.category}{', lab' if vendor.lab else ''})")
    say(
        f"{standing}, score {points(vendor.score)}, interval {interval(vendor.low, vendor.high)}, "
        f"coverage {tenths(vendor.coverage)} %"
    )
    for gate in vendor.gates:
        word = {"pass": "passed", "fail": "FAILED", "provisional": "undecided"}[gate.status]
        say(f"gate {gate.criterion}: {word}{': ' + gate.reason if gate.reason and gate.status != 'pass' else ''}")
    for item in vendor.contradictions:
        say(f"contradiction: {item.sentence}")
        say(f"  claimed {item.claimed} by {item.claimed_source}, {item.claimed_as_of}")
        say(f"  measured {item.measured} by {item.measured_source}, {item.measured_at}")
    about = {criterion.id: criterion for criterion in evaluation.criteria}
    for group in vendor.groups:
        cells = [cell for cell in vendor.cells if about[cell.criterion].group == group.id]
        if not cells:
            continue
        contribution = points(None if group.score is None else group.contribution, applicable=group.applicable)
        say()
        print_title(
            f"{group.title}: score {points(group.score, applicable=group.applicable)}, "
            f"weight {tenths(group.weight)} %, contribution {contribution}"
        )
        applicable = [cell for cell in cells if cell.applicable]
        if applicable:
            print_table(
                ("criterion", "value", "score", "weight", "points", "evidence"),
                [_cell(cell) for cell in applicable],
                right=(2, 3, 4),
                whole=(0, 2, 3, 4),
            )
        if len(applicable) < len(cells):
            say(f"not applicable: {', '.join(cell.criterion for cell in cells if not cell.applicable)}")
    found = ways(scored.catalogue, vendor)
    if found:
        say()
        print_title("What would find out more")
        for way in found:
            say(f"  {way.sentence} ({', '.join(way.criteria)}; {tenths(way.weight)} % of the weight)")


def _cell(cell: Cell) -> tuple[str, ...]:
    from mailrubric.causes import short
    from mailrubric.display import age_words, points, tenths, value_words

    value = value_words(cell.value, cell.unit)
    if cell.cause is not None:
        value = f"{value}: {short(cell.cause)}" + (f", {cell.detail}" if cell.detail else "")
    if cell.contradiction is not None:
        value += " (contradicted)"
    kind = f"{cell.kind} ({cell.grade})" if cell.kind and cell.grade else cell.kind
    age = age_words(cell.age_days, cell.observed) if cell.observed else ""
    return (
        cell.criterion,
        value,
        points(cell.score),
        f"{tenths(cell.weight)} %",
        points(cell.contribution),
        ", ".join(part for part in (kind, age, cell.source) if part),
    )
