"""``mailrubric sensitivity`` and ``mailrubric why``, and the robust ranking of ``mailrubric score --robust``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from mailrubric.scoring.decision import RobustRanking, WeightFlip
    from mailrubric.scoring.evaluation import Evaluation

_ROWS = 10
"""Lines of each table for people; JSON has them all."""

Rows = Annotated[int, typer.Option("--rows", metavar="N", min=1, help="How many lines of each table to print.")]


@contextlib.contextmanager
def _decidable() -> Iterator[None]:
    from mailrubric.scoring.decision import DecisionError

    try:
        yield
    except DecisionError as error:
        raise Usage(str(error)) from error


def sensitivity(
    leader: Annotated[
        str | None, typer.Option("--leader", metavar="VENDOR", help="Default: the first.", show_default=False)
    ] = None,
    challenger: Annotated[
        str | None, typer.Option("--challenger", metavar="VENDOR", help="Default: the second.", show_default=False)
    ] = None,
    preset: options.Preset = None,
    weights: options.Weights = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    rows: Rows = _ROWS,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """What would flip the order of two vendors: weights, values, and the unknowns most worth finding out."""
    from mailrubric.cli.catalogue import Choice, score
    from mailrubric.scoring.decision import sensitive

    scored = score(Choice(workspace, (), tuple(category or ()), everyone, preset, weights, min_coverage, as_of))
    with _decidable():
        criteria = scored.catalogue.criteria
        found = sensitive(scored.evaluation, leader=leader, challenger=challenger, criteria=criteria)
    if json:
        print_json({"rules_hash": scored.evaluation.rules_hash, "as_of": scored.evaluation.as_of, **_plain(found)})
        return
    print_title(found.sentence)
    if found.gap:
        say(f"{found.leader} is {found.gap:.1f} points ahead of {found.challenger}.")
    _flip_table("By the weight of a group", found.groups, rows)
    _flip_table("By the weight of a criterion", found.criteria, rows)
    if found.values:
        say()
        print_title("By the value of one criterion")
        print_table(
            ("vendor", "criterion", "points now", "level at", "which is"),
            [
                (
                    each.vendor,
                    each.criterion,
                    f"{each.points:.0f}{'' if each.known else ' (taken for)'}",
                    f"{each.at:.0f}",
                    each.value,
                )
                for each in found.values[:rows]
            ],
            right=(2, 3),
        )
    say()
    print_title("Most worth finding out")
    if not found.unknowns:
        say("No single unknown can change who comes first.")
    else:
        print_table(
            ("vendor", "criterion", "changes the winner", "why unknown"),
            [
                (
                    each.vendor,
                    each.criterion,
                    f"{100 * each.probability:.0f} %",
                    each.cause + ("; must be met to stay in" if each.gate else ""),
                )
                for each in found.unknowns[:rows]
            ],
            right=(2,),
        )
        say("mailrubric explain VENDOR says how to find out.")


def _flip_table(title: str, flips: tuple[WeightFlip, ...], rows: int) -> None:
    moving = [flip for flip in flips if flip.at is not None]
    say()
    print_title(title)
    if not moving:
        say("No weight changes the order of these two.")
        return
    print_table(
        ("id", "weight now", "level at", "as entered"),
        [(flip.id, f"{flip.now:.1f} %", f"{flip.at:.1f} %", _entered(flip)) for flip in moving[:rows]],
        right=(1, 2, 3),
    )


def _entered(flip: WeightFlip) -> str:
    """The weight to enter, all others left alone; empty when that alone does not do it."""
    return "" if flip.entered_at is None else f"{flip.entered:.3g} → {flip.entered_at:.3g}"


def why(
    first: Annotated[str, typer.Argument(metavar="A", help="Id of a vendor.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="Id of another.", show_default=False)],
    preset: options.Preset = None,
    weights: options.Weights = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    rows: Rows = 5,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Why vendor A is ahead of vendor B: what each criterion contributes to the difference."""
    from mailrubric.cli.catalogue import Choice, score
    from mailrubric.scoring.decision import compare

    scored = score(Choice(workspace, (), tuple(category or ()), everyone, preset, weights, min_coverage, as_of))
    with _decidable():
        found = compare(scored.evaluation, first, second, at_most=rows)
    if json:
        print_json({"rules_hash": scored.evaluation.rules_hash, "as_of": scored.evaluation.as_of, **_plain(found)})
        return
    print_title(found.sentences[0])
    for sentence in found.sentences[1:]:
        say(f"  {sentence}")


def robust_ranking(
    evaluation: Evaluation, kind: str, spread: float, draws: int, seed: int, exact: bool
) -> RobustRanking:
    """The robust ranking that the options of ``score --robust`` ask for; a usage failure when there is none."""
    from mailrubric.scoring.decision import robust

    if kind not in ("around", "order", "any"):
        raise Usage(f"--weights-drawn: expected around, order or any, got {kind}")
    with _decidable():
        return robust(evaluation, kind=kind, spread=spread, draws=draws, seed=seed, exact=exact)  # type: ignore[arg-type]


def robust_json(found: RobustRanking) -> dict[str, Any]:
    """The same for programs."""
    return _plain(found)


def show_robust(found: RobustRanking) -> None:
    """Probabilities of the ranks, as a table and in a sentence."""
    say()
    kinds = {
        "around": f"weights within {100 * found.spread:.0f} % of the given ones",
        "order": "any weights in the given order",
        "any": "any weights",
    }
    print_title(f"How sure the ranking is: {found.draws:,} draws, {kinds[found.kind]}, seed {found.seed}")
    say(found.sentence)
    places = min(5, len(found.standings))
    print_table(
        ("rank", "id", "wins", *(f"place {place + 1}" for place in range(places)), "mean place", "wins when it weighs"),
        [
            (
                str(each.rank),
                each.id,
                f"{100 * each.win:.1f} %",
                *(f"{100 * share:.1f} %" for share in each.ranks[:places]),
                f"{each.expected_rank:.2f}",
                _central(each.central),
            )
            for each in found.standings
        ],
        right=(0, *range(2, places + 4)),
    )
    for each in found.standings:
        if each.dominated_by:
            say(f"{each.id} is nowhere better than {', '.join(each.dominated_by)}: no weights put it before.")
    error = f"{100 * found.standard_error:.1f}"
    say(f"Sampling leaves an uncertainty of at most {error} points of per cent (one standard error).")


def _central(weights: dict[str, float]) -> str:
    largest = sorted(weights.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {share:.0f} %" for name, share in largest) or "never"


def _plain(record: Any) -> dict[str, Any]:
    """A record of records as JSON takes it."""
    plain: dict[str, Any] = dataclasses.asdict(record)
    return plain
