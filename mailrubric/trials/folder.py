"""A workspace's ``trials/``: every file read and checked, and what they say as observations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailrubric.catalogue.load import listing
from mailrubric.catalogue.messages import CatalogueError, Problem, order
from mailrubric.display import how_many
from mailrubric.evidence.observation import Observation
from mailrubric.evidence.times import written
from mailrubric.trials import support, surveys, tasks
from mailrubric.trials.intervals import Estimate, Quantile
from mailrubric.trials.metrics import METRICS, WORKING_HOURS

if TYPE_CHECKING:
    from mailrubric.catalogue.catalogue import Catalogue

FOLDER = "trials"
UNFINISHED = "unfinished"
INCOMPLETE = "incomplete_answers"
OPEN_END = 8760.0
"""A year in hours: the upper bound of a wait that so few tickets bound by nothing."""
PATIENCE = {"first_reply": 120.0, "solved": 336.0}
"""Hours by the clock after which an unanswered (5 days) or unsolved (14 days) ticket counts as what it is, at least
that long; before, a median that most tickets have not reached is unknown."""
PATIENCE_AT_WORK = {"first_reply": 40.0, "solved": 80.0}
"""The same in working hours: five and ten working days of eight hours."""

_UNITS = {metric.key: metric.unit for metric in METRICS}


@dataclasses.dataclass(frozen=True, slots=True)
class Trials:
    """What the files of a folder say. ``categories``: vendor → category, of the vendors that there are."""

    folder: Path
    answers: tuple[surveys.Answer, ...]
    tickets: tuple[support.Ticket, ...]
    trials: dict[str, tasks.Trial]
    tasks: tuple[tasks.Task, ...]
    categories: dict[str, str]


def read(directory: Path, categories: Mapping[str, str], until: datetime | None = None) -> tuple[Trials, list[Problem]]:
    """The files of a workspace's ``trials/`` and every fault in them. ``categories``: vendor → category. ``until``:
    only what happened until then. A folder that does not exist holds nothing."""
    folder = directory / FOLDER
    vendors = dict(categories)
    listed, problems = tasks.read_tasks(folder / tasks.TASKS_FILE)
    answers, faults = surveys.read(folder / surveys.FILE, vendors)
    problems += faults
    tickets, faults = support.read(folder / support.FILE, vendors)
    problems += faults
    trials: dict[str, tasks.Trial] = {}
    paths, faults = listing(folder)
    problems += faults
    for path in paths:
        if path.name == tasks.TASKS_FILE:
            continue
        trial, faults = tasks.read_trial(path, vendors, listed, until)
        problems += faults
        if trial is not None:
            trials[trial.vendor] = trial
    day = None if until is None else until.astimezone(UTC).date().isoformat()
    return Trials(
        folder,
        tuple(each for each in answers if day is None or each.date <= day),
        tuple(each for each in tickets if until is None or each.opened <= until),
        trials,
        listed,
        vendors,
    ), sorted(set(problems), key=order)


def of_workspace(directory: Path, catalogue: Catalogue, until: datetime | None = None) -> Trials:
    """The same, for a catalogue's vendors. Raises ``CatalogueError`` with every fault when a file cannot be used."""
    found, problems = read(directory, {vendor.id: vendor.category for vendor in catalogue.vendors.values()}, until)
    if any(problem.severity == "error" for problem in problems):
        raise CatalogueError(problems)
    return found


def fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Path, time of change (ns) and size of every file: when it differs, read anew."""
    found = []
    for path in sorted((directory / FOLDER).glob("*")):
        if path.suffix in (".yaml", ".csv") and not path.name.startswith("."):
            try:
                status = path.stat()
            except OSError:
                continue  # removed since it was listed
            found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


def observations(trials: Trials, now: datetime) -> list[Observation]:
    """What the files say of every vendor as of ``now``, one observation a metric, sorted by vendor."""
    found: list[Observation] = []
    sus, references = surveys.summarise(trials.answers)
    for survey in sus.values():
        found += _sus(survey)
    for reference in references.values():
        found += _reference(reference)
    for vendor, trial in sorted(trials.trials.items()):
        found += _trial(tasks.summarise(trial, trials.tasks, trials.categories[vendor], now))
    for tickets in support.summarise(trials.tickets, tasks.hours_of(trials.trials), now).values():
        found += _support(tickets)
    return sorted(found, key=lambda each: each.vendor)


def _observation(
    vendor: str,
    metric: str,
    value: float | None,
    *,
    file: str,
    observed: str,
    n: int,
    low: float | None = None,
    high: float | None = None,
    cause: str | None = None,
    detail: str = "",
    note: str = "",
) -> Observation:
    return Observation(
        vendor=vendor,
        metric=metric,
        value=value,
        kind="surveyed" if metric.startswith("survey.") else "tested",
        source=f"{FOLDER}/{file}",
        observed=observed,
        cause=cause,
        detail=detail,
        unit=_UNITS[metric],
        n=n,
        low=low,
        high=high,
        note=note,
    )


def _of_estimate(vendor: str, metric: str, found: Estimate, file: str, observed: str, note: str = "") -> Observation:
    return _observation(
        vendor, metric, found.value, file=file, observed=observed, n=found.n, low=found.low, high=found.high, note=note
    )


def _sus(found: surveys.SusSummary) -> list[Observation]:
    if found.score is None:
        return [
            _observation(
                found.vendor, "survey.sus", None, file=surveys.FILE, observed=found.newest, n=0, cause=INCOMPLETE,
                detail=found.sentence,
            )
        ]  # fmt: skip
    return [_of_estimate(found.vendor, "survey.sus", found.score, surveys.FILE, found.newest, found.sentence)]


def _reference(found: surveys.ReferenceSummary) -> list[Observation]:
    if found.score is None or found.nps is None:
        return [
            _observation(
                found.vendor, metric, None, file=surveys.FILE, observed=found.newest, n=0, cause=INCOMPLETE,
                detail=found.sentence,
            )
            for metric in ("survey.reference_score", "survey.reference_nps")
        ]  # fmt: skip
    place = (surveys.FILE, found.newest, found.sentence)
    return [
        _of_estimate(found.vendor, "survey.reference_score", found.score, *place),
        _of_estimate(found.vendor, "survey.reference_nps", found.nps, *place),
    ]


def _trial(found: tasks.TrialSummary) -> list[Observation]:
    if found.newest is None:
        return []
    file, observed = f"{found.vendor}.yaml", written(found.newest)
    made = []
    if found.first_sends:
        several = found.first_send is not None and len(found.first_sends) > 1
        made.append(
            _observation(
                found.vendor,
                "trial.first_send_minutes",
                found.first_send,
                file=file,
                observed=observed,
                n=len(found.first_sends),
                low=found.shortest if several else None,
                high=found.longest if several else None,
                cause=UNFINISHED if found.first_send is None else None,
                detail="" if found.first_send is not None else found.sentences[0],
                note=found.sentences[0] if found.first_send is not None else "",
            )
        )
    if found.completed is not None:
        note = " ".join(found.sentences[1:])
        made.append(_of_estimate(found.vendor, "trial.tasks_completed", found.completed, file, observed, note))
    return made


def _support(found: support.SupportSummary) -> list[Observation]:
    observed = written(found.newest)
    made = []
    for name, wait, sentence in (
        ("first_reply", found.first_reply, found.sentences[0]),
        ("solved", found.solved, found.sentences[1]),
    ):
        for metric, quantile, patience in (
            (f"trial.support_{name}_hours", wait.median, PATIENCE[name]),
            (f"trial.support_{name}_p90_hours", wait.slow, PATIENCE[name]),
            (f"trial.support_{name}_working_hours", wait.business_median, PATIENCE_AT_WORK[name]),
        ):
            if quantile is not None:
                made.append(_waiting(found.vendor, metric, quantile, patience, observed, sentence))
    if found.helpful is not None:
        place = (support.FILE, observed)
        made.append(_of_estimate(found.vendor, "trial.support_helpful_share", found.helpful, *place))
    return made


def _waiting(vendor: str, metric: str, found: Quantile, patience: float, observed: str, sentence: str) -> Observation:
    """A wait of which too many still go on is unknown, until they have gone on for so long that the least it can be
    says enough: a vendor that never answers must not stay unknown."""
    value, note = found.value, sentence
    at_work = _UNITS[metric] == WORKING_HOURS
    if value is None and found.at_least >= patience:
        value = found.at_least
        least = support.least_words(value, at_work=at_work).capitalize()
        note = f"{least}, since most of the tickets still wait. {sentence}"
    if value is None:
        tickets = f"{how_many(found.n, 'ticket')} still {'waits' if found.waiting == 1 else 'wait'}"
        detail = f"{support.least_words(found.at_least, at_work=at_work)}: {found.waiting} of {tickets}"
        return _observation(
            vendor, metric, None, file=support.FILE, observed=observed, n=found.n, cause=UNFINISHED, detail=detail
        )
    low = found.low if found.value is not None else found.at_least
    high = OPEN_END if found.high is None else found.high
    return _observation(
        vendor, metric, value, file=support.FILE, observed=observed, n=found.n, low=min(low, value),
        high=max(high, value), note=note,
    )  # fmt: skip
