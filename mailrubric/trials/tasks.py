"""Hands-on trials: what each tester did on a platform, kept as a log of events in ``trials/VENDOR.yaml``.

The log only grows: an event is written behind the last one, and nothing else of the file is touched. Times come from
the events, so pauses cost nothing, and a task that nobody finished has no time at all.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from mailrubric import files
from mailrubric.catalogue import yamlfile
from mailrubric.catalogue.messages import Finding, Hint, Problem, findings_of, place, shown
from mailrubric.catalogue.models import Category, Identifier, Model, Text
from mailrubric.display import how_many, one_line
from mailrubric.evidence.times import written
from mailrubric.trials import intervals, table
from mailrubric.trials.clock import lies_ahead, refuse_ahead
from mailrubric.trials.hours import HoursError, WorkingHours, working_hours
from mailrubric.trials.intervals import Duration, Estimate
from mailrubric.trials.support import instant

TASKS_FILE = "tasks.yaml"
SIGN_UP, FIRST_MESSAGE = "sign-up", "first-message"
LONGEST_NOTE = 2000

EventKind = Literal["start", "pause", "done", "gave-up", "note"]
Tester = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
State = Literal["running", "paused", "done", "gave-up"]


class Task(Model):
    """One thing to do by hand. Without ``applies_to`` it is for vendors of all categories."""

    id: Identifier
    title: Text
    applies_to: tuple[Category, ...] = ()


class TaskFile(Model):
    """``tasks.yaml``."""

    tasks: tuple[Task, ...] = Field(min_length=1, max_length=100)


class Hours(Model):
    """When a vendor's support works, in its own time zone."""

    zone: str
    days: str = "mon-fri"
    hours: str = "09:00-17:00"
    holidays: tuple[str, ...] = Field(default=(), max_length=400)


class Event(Model):
    """One line of the log. ``at``: a time with its offset. ``tester``: a label, not a name."""

    at: str
    tester: Tester = "tester-1"
    task: str
    event: EventKind
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)] = ""


class TrialFile(Model):
    """``VENDOR.yaml``. ``log`` may be left out or empty."""

    vendor: Identifier
    support_hours: Hours | None = None
    log: tuple[Event, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What one tester did of one task. ``spans``: (begin, end) of his time on it; the last end is None while the clock
    runs. ``notes``: in their order. ``done_at``: when it was done for the first time, None when it never was."""

    tester: str
    task: str
    state: State
    spans: tuple[tuple[datetime, datetime | None], ...]
    notes: tuple[str, ...]
    newest: datetime
    done_at: datetime | None = None

    def minutes(self, now: datetime) -> float:
        """His time on it until ``now``, without pauses."""
        return sum(((end or max(now, begin)) - begin).total_seconds() for begin, end in self.spans) / 60


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One vendor's trial as it was at a time. ``work``: by tester, then in the order of the tasks."""

    vendor: str
    work: tuple[Work, ...]
    hours: WorkingHours | None = None

    def of(self, tester: str, task: str) -> Work | None:
        """What a tester did of a task, None when he has not begun it."""
        return next((each for each in self.work if each.tester == tester and each.task == task), None)


@dataclasses.dataclass(frozen=True, slots=True)
class FirstSend:
    """One tester's way to the first message: minutes of work from the beginning of sign-up until it was sent, or until
    now or until he gave up (``state``)."""

    tester: str
    minutes: float
    state: State


@dataclasses.dataclass(frozen=True, slots=True)
class TrialSummary:
    """``first_send``: the median over testers in minutes, None while too many of them are not there. ``at_least``: what
    it cannot be below. ``shortest``/``longest``: the range over testers, those still on the way with their minutes so
    far. ``completed``: share in per cent of the tasks that came to an end, None when none did. ``untried``: tasks that
    nobody has begun."""

    vendor: str
    first_sends: tuple[FirstSend, ...]
    first_send: float | None
    at_least: float | None
    shortest: float | None
    longest: float | None
    completed: Estimate | None
    gave_up: tuple[str, ...]
    untried: tuple[str, ...]
    testers: tuple[str, ...]
    work: tuple[Work, ...]
    newest: datetime | None
    sentences: tuple[str, ...]


# --- reading ----------------------------------------------------------------------------------------------------------


def shipped_tasks() -> tuple[Task, ...]:
    """The list that holds where a workspace has none of its own."""
    return TaskFile.model_validate(yamlfile.read_file(shipped_tasks_file()).data).tasks


def shipped_tasks_file() -> Path:
    """Where it is kept."""
    return Path(__file__).with_name(TASKS_FILE)


def read_tasks(path: Path) -> tuple[tuple[Task, ...], list[Problem]]:
    """The tasks of a workspace's own list, or the shipped one when there is no file."""
    if not os.path.lexists(path):
        return shipped_tasks(), []
    document, problems = _document(path)
    if document is None:
        return (), problems
    try:
        tasks = TaskFile.model_validate(document.data).tasks
    except ValidationError as error:
        return (), [*problems, *place(findings_of(error, TaskFile, document.data), path, document)]
    seen: set[str] = set()
    findings = []
    for index, task in enumerate(tasks):
        if task.id in seen:
            findings.append(Finding(("tasks", index, "id"), f"another task has the id {shown(task.id)}"))
        seen.add(task.id)
    return tasks, [*problems, *place(findings, path, document)]


def read_trial(
    path: Path, vendors: Iterable[str], tasks: Sequence[Task], until: datetime | None = None
) -> tuple[Trial | None, list[Problem]]:
    """One vendor's trial and every fault of its file. ``until``: only what was logged until then (default: all)."""
    document, problems = _document(path)
    if document is None:
        return None, problems
    try:
        file = TrialFile.model_validate(document.data)
    except ValidationError as error:
        return None, [*problems, *place(findings_of(error, TrialFile, document.data), path, document)]
    known = sorted(vendors)
    findings: list[Finding] = []
    if file.vendor != path.stem:
        findings.append(Finding(("vendor",), f"must be the file's name, {shown(path.stem)}"))
    elif file.vendor not in known:
        hint = Hint(file.vendor, known)
        findings.append(Finding(("vendor",), f"no vendor has the id {shown(file.vendor)}", hint=hint))
    hours = None
    if file.support_hours is not None:
        stated = file.support_hours
        try:
            hours = working_hours(stated.zone, stated.days, stated.hours, stated.holidays)
        except HoursError as error:
            findings.append(Finding(("support_hours", error.part), str(error)))
    timed = _timed(file.log or (), tasks, findings)
    work = _work(timed, tasks, until, findings)
    problems += place(findings, path, document)
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    return Trial(file.vendor, work, hours), problems


def _document(path: Path) -> tuple[yamlfile.Document | None, list[Problem]]:
    try:
        document = yamlfile.read_file(path)
    except yamlfile.YAMLFault as fault:
        return None, [Problem(path, fault.line, fault.column, fault.message)]
    problems = [
        Problem(path, *each.second, f"this key stands in line {each.first[0]} already", str(each.location[-1]))
        for each in document.duplicates
    ]
    return document, problems


def _timed(log: Sequence[Event], tasks: Sequence[Task], findings: list[Finding]) -> list[tuple[datetime, int, Event]]:
    """The events in the order of their times; at one time in that of the file."""
    ids = [task.id for task in tasks]
    timed = []
    for index, event in enumerate(log):
        where = ("log", index)
        if event.task not in ids:
            hint = Hint(event.task, ids, "; mailrubric trial tasks lists them")
            findings.append(Finding((*where, "task"), f"no task has the id {shown(event.task)}", hint=hint))
        try:
            when = instant(event.at)
        except ValueError as error:
            findings.append(Finding((*where, "at"), str(error)))
            continue
        if lies_ahead(when):
            findings.append(Finding((*where, "at"), "lies in the future: not counted yet", "warning"))
        timed.append((when, index, event))
    return sorted(timed, key=lambda each: each[:2])


def _work(
    timed: Sequence[tuple[datetime, int, Event]],
    tasks: Sequence[Task],
    until: datetime | None,
    findings: list[Finding],
) -> tuple[Work, ...]:
    found: dict[tuple[str, str], Work] = {}
    for when, index, event in timed:
        if until is not None and when > until:
            continue
        key = (event.tester, event.task)
        before = found.get(key)
        fault = refusal(before, event.event)
        if fault:
            findings.append(Finding(("log", index, "event"), f"{fault} ({event.tester}, {event.task})"))
            continue
        found[key] = _after(before, when, event)
    order = {task.id: place for place, task in enumerate(tasks)}
    works = [each for each in found.values() if each.spans]
    return tuple(sorted(works, key=lambda each: (each.tester, order.get(each.task, len(order)))))


def refusal(before: Work | None, event: EventKind) -> str:
    """Why an event cannot follow what happened before; empty when it can."""
    state = before.state if before is not None and before.spans else None
    if event == "start" and state == "running":
        return "it was started already and runs"
    if event == "pause" and state != "running":
        return "it does not run, so it cannot be paused"
    if event in ("done", "gave-up") and state not in ("running", "paused"):
        ended = "given up" if state == "gave-up" else state
        return "it was not started" if state is None else f"it is {ended} already; start it again first"
    return ""


def _after(before: Work | None, when: datetime, event: Event) -> Work:
    spans = before.spans if before is not None else ()
    notes = (*(before.notes if before is not None else ()), *([event.note] if event.note else []))
    state: State = before.state if before is not None else "paused"
    if event.event == "start":
        spans, state = (*spans, (when, None)), "running"
    elif event.event != "note":
        if spans and spans[-1][1] is None:
            spans = (*spans[:-1], (spans[-1][0], when))
        state = {"pause": "paused", "done": "done", "gave-up": "gave-up"}[event.event]  # type: ignore[assignment]
    done_at = before.done_at if before is not None else None
    if done_at is None and event.event == "done":
        done_at = when
    return Work(event.tester, event.task, state, spans, notes, when, done_at)


# --- writing ----------------------------------------------------------------------------------------------------------


def log(folder: Path, vendor: str, events: Sequence[Event], vendors: Iterable[str], tasks: Sequence[Task]) -> Path:
    """Write events behind the last one of ``folder``/VENDOR.yaml, which is made when it is missing; returns its path.

    Raises ``ValueError`` when an event lies in the future or cannot follow (a task that was not started cannot be done)
    or the file is laid out so that nothing can be added without touching the rest, ``table.TableError`` when it is at
    fault, ``OSError``.
    """
    path = folder / f"{vendor}.yaml"
    known = list(vendors)
    for event in events:
        refuse_ahead(event.event, instant(event.at))
        if len(event.note) > LONGEST_NOTE:
            raise ValueError(f"the note is longer than {LONGEST_NOTE:,} characters")
    with table.locked(folder):
        content = table.read_bytes(path)
        if content is None:
            text = _NEW.format(vendor=_word(vendor)) + "".join(f"  {line}\n" for line in map(_line, events))
            _verify(path, None, text, events, known, tasks)
        else:
            _, problems = read_trial(path, known, tasks)
            errors = [problem for problem in problems if problem.severity == "error"]
            if errors:
                raise table.TableError("\n".join(map(str, errors[:10])))
            old = content.decode("utf-8")
            text = _extended(old, yamlfile.read(content), events)
            _verify(path, old, text, events, known, tasks)
        files.replace(path, text.encode())
    return path


_NEW = """\
# Hands-on trial: what was done when. The commands trial start and trial log, and the dashboard, write at its end.
vendor: {vendor}
# When its support works, for waiting times in working hours:
# support_hours: {{zone: Europe/Berlin, days: mon-fri, hours: "09:00-17:00"}}
log:
"""


def _line(event: Event) -> str:
    fields = {"at": written(instant(event.at)), "tester": event.tester, "task": event.task, "event": event.event}
    said = ", ".join(f"{name}: {_word(text)}" for name, text in fields.items())
    note = f", note: {json.dumps(one_line(event.note), ensure_ascii=False)}" if event.note else ""
    return f"- {{{said}{note}}}"


def _word(text: str) -> str:
    """A word as YAML text: in quotes when it would be a value of its own, as no and on would."""
    return text if yamlfile.read(text.encode()).data == text else f'"{text}"'


def _extended(old: str, document: yamlfile.Document, events: Sequence[Event]) -> str:
    """The file's text with the events behind the last one."""
    lines = old.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    data = document.data
    if "log" not in data:
        return "".join([*lines, f"log:{end}", *(f"  {line}{end}" for line in map(_line, events))])
    log_line = document.position(("log",), of_key=True)[0]
    following = [document.position((key,), of_key=True)[0] for key in data]
    stop = min((line for line in following if line > log_line), default=len(lines) + 1) - 1
    while stop > log_line and (not lines[stop - 1].strip() or lines[stop - 1].lstrip().startswith("#")):
        stop -= 1
    indent = "  "
    if data["log"]:
        line, column = document.position(("log", len(data["log"]) - 1))
        before = lines[line - 1][: column - 1].rstrip()
        if not before.endswith("-") or before[:-1].strip():
            raise ValueError("its log is not written as one event a line (- {…}); write the event by hand")
        indent = before[:-1]
    added = [f"{indent}{line}{end}" for line in map(_line, events)]
    return "".join([*lines[:stop], *added, *lines[stop:]])


def _verify(
    path: Path, old: str | None, text: str, events: Sequence[Event], vendors: Sequence[str], tasks: Sequence[Task]
) -> None:
    """That the new text says what the old one said and the events besides: nothing is written otherwise."""
    try:
        new = yamlfile.read(text.encode("utf-8"))
    except yamlfile.YAMLFault as fault:
        raise ValueError(f"the event cannot be added to this file ({fault.message}); write it by hand") from fault
    before = yamlfile.read(old.encode("utf-8")).data if old is not None else {"vendor": new.data.get("vendor")}
    said = [dict(entry) for entry in new.data.get("log") or ()]
    kept = {key: value for key, value in new.data.items() if key != "log"}
    if kept != {key: value for key, value in before.items() if key != "log"} or said[: -len(events)] != list(
        before.get("log") or ()
    ):
        raise ValueError("the event cannot be added to this file without touching the rest; write it by hand")
    file = TrialFile.model_validate(new.data)
    findings: list[Finding] = []
    _work(_timed(file.log or (), tasks, findings), tasks, None, findings)
    first = next((finding for finding in findings if finding.severity == "error"), None)
    if first is not None:
        raise ValueError(f"{first.message}{first.hint or ''}")


def write_tasks(folder: Path) -> Path:
    """Copy the shipped list to ``folder``/tasks.yaml. ``FileExistsError`` when there is one; ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TASKS_FILE
    with path.open("xb") as stream:
        stream.write(shipped_tasks_file().read_bytes())
    return path


# --- summaries --------------------------------------------------------------------------------------------------------


def applicable(tasks: Sequence[Task], category: str) -> list[Task]:
    """The tasks for vendors of a category."""
    return [task for task in tasks if not task.applies_to or category in task.applies_to]


def summarise(trial: Trial, tasks: Sequence[Task], category: str, now: datetime) -> TrialSummary:
    """What the testers found out about one vendor until ``now``. ``tasks``: the whole list."""
    wanted = {task.id: task.title for task in applicable(tasks, category)}
    work = tuple(each for each in trial.work if each.task in wanted)
    testers = tuple(sorted({each.tester for each in work}))
    sends = tuple(found for tester in testers if (found := first_send(trial, tester, now)) is not None)
    ended = [each for each in work if each.state in ("done", "gave-up")]
    done = sum(each.state == "done" for each in ended)
    completed = intervals.share(done, len(ended)) if ended else None
    untried = tuple(title for name, title in wanted.items() if all(each.task != name for each in work))
    gave_up = tuple(dict.fromkeys(wanted[each.task] for each in ended if each.state == "gave-up"))
    value = at_least = shortest = longest = None
    if sends:
        minutes = [each.minutes for each in sends]
        # Who gave up will never have sent: later than everybody else, not at the minute in which he gave up.
        value = intervals.quantile(
            [
                Duration(float("inf") if each.state == "gave-up" else each.minutes, each.state == "done")
                for each in sends
            ],
            0.5,
        ).value
        at_least = intervals.quantile([Duration(each) for each in minutes], 0.5).at_least
        shortest, longest = min(minutes), max(minutes)
    return TrialSummary(
        trial.vendor,
        sends,
        value,
        at_least,
        shortest,
        longest,
        completed,
        gave_up,
        untried,
        testers,
        work,
        max((each.newest for each in work), default=None),
        tuple(_sentences(sends, value, at_least, completed, done, gave_up, untried)),
    )


def first_send(trial: Trial, tester: str, now: datetime) -> FirstSend | None:
    """One tester's time to the first message; None when his sign-up was never timed.

    All that he did from the beginning of his sign-up until the message was sent counts, whichever task it was for, and
    once where two clocks ran together: on many platforms the domain comes before the first message.
    """
    sign_up, message = trial.of(tester, SIGN_UP), trial.of(tester, FIRST_MESSAGE)
    if sign_up is None:
        return None
    begin = sign_up.spans[0][0]
    state, until = sign_up.state, now
    if message is not None:
        state = message.state
        if message.done_at is not None:
            state, until = "done", message.done_at
    elif state == "done":
        state = "paused"  # signed up, and nothing sent yet
    spans = sorted(
        (max(start, begin), min(end or now, until))
        for each in trial.work
        if each.tester == tester
        for start, end in each.spans
        if start < until and (end or now) > begin
    )
    total = timedelta()
    reached = begin
    for start, end in spans:
        total += max(timedelta(), end - max(start, reached))
        reached = max(reached, end)
    return FirstSend(tester, total.total_seconds() / 60, state)


def _sentences(
    sends: Sequence[FirstSend],
    value: float | None,
    at_least: float | None,
    completed: Estimate | None,
    done: int,
    gave_up: Sequence[str],
    untried: Sequence[str],
) -> list[str]:
    said = []
    if not sends:
        said.append("Nobody's sign-up was timed, so the time to the first message is not known.")
    elif value is not None:
        over = f"median of {len(sends)} testers, {_range(sends)}" if len(sends) > 1 else "one tester"
        said.append(f"{value:.0f} minutes of work from sign-up to the first message ({over}).")
    else:
        stuck = sum(each.state == "gave-up" for each in sends)
        why = f"{stuck} of {len(sends)} gave up" if stuck else "not there yet"
        said.append(f"The first message is not sent: at least {at_least or 0:.0f} minutes of work ({why}).")
    if completed is not None:
        said.append(
            f"{done} of {how_many(completed.n, 'task')} that came to an end {'was' if done == 1 else 'were'} "
            f"completed: {completed.value:.0f} % (95 % interval {completed.low:.0f} to {completed.high:.0f} %)."
        )
    if gave_up:
        said.append(f"Given up: {'; '.join(gave_up)}.")
    if untried:
        said.append(f"{len(untried)} task{' is' if len(untried) == 1 else 's are'} not tried yet.")
    return said


def _range(sends: Sequence[FirstSend]) -> str:
    minutes = sorted(each.minutes for each in sends)
    return f"{minutes[0]:.0f} to {minutes[-1]:.0f}" + (
        " or more" if any(each.state != "done" for each in sends) else ""
    )


def hours_of(trials: Mapping[str, Trial]) -> dict[str, WorkingHours]:
    """The working hours of the vendors whose file states them."""
    return {vendor: trial.hours for vendor, trial in trials.items() if trial.hours is not None}


def tester_label(text: str) -> str:
    """A label for a tester, checked. ``ValueError`` with a sentence for people."""
    if len(text) > 64 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", text):
        raise ValueError(
            f"{shown(text)} is no label such as tester-1 (lower-case letters and digits joined by hyphens)"
        )
    return text
