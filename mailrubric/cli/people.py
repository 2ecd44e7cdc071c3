"""``mailrubric people``: what each evaluator would choose, what all together would, and where they disagree."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, print_json, print_table, print_title, say


def people(
    preset: options.Preset = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """What each evaluator (evaluations/NAME.yaml) would choose, what all together would, and where they disagree."""
    from mailrubric.catalogue.load import EVALUATIONS, judgements_of
    from mailrubric.cli.catalogue import Choice, gather
    from mailrubric.cli.workspace import catalogue_faults
    from mailrubric.scoring.evaluate import ScoringError, WeightError, tabulate
    from mailrubric.scoring.people import agreement

    choice = Choice(workspace, (), tuple(category or ()), everyone, preset, None, min_coverage, as_of)
    place, catalogue, given, _ = gather(choice)
    with catalogue_faults():
        judgements = judgements_of(place.directory, catalogue)
    if not judgements:
        raise Usage(f"no evaluator has given weights yet: {_shown(place.directory)} has no {EVALUATIONS}/NAME.yaml")
    try:
        table = tabulate(given.catalogue, given.observations, given.as_of, vendors=list(given.catalogue.vendors))
        found = agreement(table, judgements, preset=given.preset, minimum_coverage=given.minimum_coverage)
    except (ScoringError, WeightError) as error:
        raise Usage(str(error)) from error
    if json:
        print_json(dataclasses.asdict(found))
        return
    print_title(found.sentence)
    everybody = [*found.people, found.together]
    print_table(
        ("who", "by", "first", "second", "third", "consistency"),
        [
            (
                person.name,
                person.method,
                *(_at(person.ranks, place) for place in (1, 2, 3)),
                "" if person.consistency is None else f"{person.consistency:.2f}",
            )
            for person in everybody
        ],
    )
    if len(found.people) > 1:
        among = f"{found.ranked_by_all} vendors that have a rank with everybody's weights"
        say(f"Agreement on the order of the {among} (Kendall's W): {found.concordance:.2f}, 1 being full agreement.")
    say()
    print_title("Weights of the groups, in per cent; those they disagree on most come first")
    print_table(
        ("group", *(person.name for person in everybody), "spread"),
        [
            (group, *(f"{person.groups[group]:.0f}" for person in everybody), f"{spread:.1f}")
            for group, spread in found.disagreement.items()
        ],
        right=range(1, len(everybody) + 2),
    )
    unsure = [person.name for person in found.people if person.consistency is not None and person.consistency > 0.1]
    if unsure:
        say(f"The comparisons of {', '.join(unsure)} contradict each other: a consistency ratio above 0.1.")


def _at(ranks: dict[str, int], place: int) -> str:
    return ", ".join(vendor for vendor, rank in ranks.items() if rank == place)


def _shown(path: Path) -> str:
    from mailrubric.catalogue.messages import shown_path

    return shown_path(path)
