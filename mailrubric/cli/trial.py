"""``mailrubric trial``: a timer and a log for what testers do by hand on each platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from mailrubric.trials.tasks import EventKind, Work

app = options.group("What testers do by hand on a platform, with a timer: a log in trials/VENDOR.yaml.")
Task = Annotated[
    str, typer.Argument(metavar="TASK", help="Id of a task; mailrubric trial tasks lists them.", show_default=False)
]
Tester = Annotated[str, typer.Option("--tester", metavar="LABEL", help="Who does it: a label, not a name.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="When, with its offset: 2026-11-23T09:30+01:00. Default: now.",
        show_default=False,
    ),
]
Note = Annotated[str, typer.Option("--note", help="What was seen on the way.", show_default=False)]


@app.command()
def tasks(
    vendor: Annotated[
        str | None, typer.Argument(metavar="VENDOR", help="Only those for this vendor.", show_default=False)
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write", help="Copy the list to trials/tasks.yaml to edit it. Never overwrites.", show_default=False
        ),
    ] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """List the tasks."""
    from mailrubric.cli.by_hand import opened, writing
    from mailrubric.trials.tasks import applicable, write_tasks

    place = opened(workspace, (vendor,) if vendor else ())
    written = None
    if write:
        try:
            with writing():
                written = write_tasks(place.folder)
        except Usage as error:
            if isinstance(error.__cause__, FileExistsError):
                raise Failure(
                    f"{place.shown(place.folder / 'tasks.yaml')} exists already and is left as it is", 1
                ) from error
            raise
    found = place.trials.tasks
    if vendor is not None:
        found = tuple(applicable(found, place.trials.categories[vendor]))
    if json:
        listed = [{"id": task.id, "title": task.title, "applies_to": list(task.applies_to)} for task in found]
        print_json({"tasks": listed, "path": None if written is None else place.shown(written)})
        return
    print_table(("task", "what to do", "for"), [(t.id, t.title, ", ".join(t.applies_to)) for t in found], whole=(0,))
    if written is not None:
        say(f"Written to {place.shown(written)}.")


@app.command()
def start(
    vendor: options.Vendor,
    task: Task,
    tester: Tester = "tester-1",
    at: At = None,
    note: Note = "",
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Start the clock of a task, or go on after a pause."""
    _record(vendor, task, tester, [("start", at, "--at", note)], workspace, json)


@app.command("log")
def log_event(
    vendor: options.Vendor,
    task: Task,
    done: Annotated[bool, typer.Option("--done", help="It is completed.", show_default=False)] = False,
    gave_up: Annotated[bool, typer.Option("--gave-up", help="It was given up.", show_default=False)] = False,
    pause: Annotated[
        bool, typer.Option("--pause", help="Stop the clock; trial start goes on.", show_default=False)
    ] = False,
    note: Note = "",
    started: Annotated[
        str | None,
        typer.Option(
            "--started", metavar="TIME", help="When it began, if nobody started the clock.", show_default=False
        ),
    ] = None,
    tester: Tester = "tester-1",
    at: At = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Say how a task ended, pause it, or write a note."""
    if done + gave_up + pause > 1 or not (done or gave_up or pause or note):
        raise Usage("say one of --done, --gave-up and --pause, or give a --note")
    event: EventKind = "done" if done else "gave-up" if gave_up else "pause" if pause else "note"
    first: list[tuple[EventKind, str | None, str, str]] = []
    if started is not None:
        first = [("start", started, "--started", "")]
    _record(vendor, task, tester, [*first, (event, at, "--at", note)], workspace, json)


def _record(
    vendor: str,
    task: str,
    tester: str,
    said: list[tuple[EventKind, str | None, str, str]],
    workspace: Path | None,
    json: bool,
) -> None:
    from mailrubric.cli.by_hand import now, opened, time_of, writing
    from mailrubric.display import one_line
    from mailrubric.evidence.times import written
    from mailrubric.trials.folder import of_workspace
    from mailrubric.trials.tasks import Event, log, tester_label

    place = opened(workspace, (vendor,))
    ids = [each.id for each in place.trials.tasks]
    if task not in ids:
        raise Usage(f"no task has the id {task}; there are {', '.join(ids)}")
    with writing():
        tester_label(tester)
        events = [
            Event(
                at=written(time_of(at, option) or now()),
                tester=tester,
                task=task,
                event=event,
                note=one_line(note)[:2000],
            )
            for event, at, option, note in said
        ]
        path = log(place.folder, vendor, events, place.trials.categories, place.trials.tasks)
    trial = of_workspace(place.directory, place.catalogue).trials[vendor]
    work = trial.of(tester, task)
    minutes = None if work is None else work.minutes(now())
    if json:
        print_json(
            {
                "vendor": vendor,
                "task": task,
                "tester": tester,
                "events": [{"at": event.at, "event": event.event} for event in events],
                "state": None if work is None else work.state,
                "minutes": minutes,
                "path": place.shown(path),
            }
        )
        return
    state = "noted" if work is None else f"{_STATES[work.state]}, {minutes:.0f} minutes so far"
    say(f"{vendor}, {task} ({tester}): {state}; {place.shown(path)}")


_STATES = {"running": "the clock runs", "paused": "paused", "done": "done", "gave-up": "given up"}


@app.command()
def summary(vendors: options.Vendors = None, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Time to the first message, tasks completed, and every task. Exit code 3 when nothing was tried."""
    from mailrubric.cli.by_hand import chosen, estimate_json, now, opened
    from mailrubric.trials.tasks import summarise

    place = opened(workspace, vendors or ())
    when = now()
    found = {
        name: summarise(trial, place.trials.tasks, place.trials.categories[name], when)
        for name, trial in place.trials.trials.items()
    }
    names = [name for name in chosen(vendors, sorted(found)) if found[name].work]
    if json:
        print_json(
            {
                "vendors": [
                    {
                        "id": name,
                        "first_send_minutes": found[name].first_send,
                        "at_least": found[name].at_least,
                        "shortest": found[name].shortest,
                        "longest": found[name].longest,
                        "completed": estimate_json(found[name].completed),
                        "gave_up": list(found[name].gave_up),
                        "untried": list(found[name].untried),
                        "testers": list(found[name].testers),
                        "work": [_work_json(work, when) for work in found[name].work],
                        "sentences": list(found[name].sentences),
                    }
                    for name in names
                ]
            }
        )
    for name in () if json else names:
        print_title(name)
        for sentence in found[name].sentences:
            say(f"  {sentence}")
        print_table(
            ("task", "tester", "state", "minutes", "notes"),
            [
                (work.task, work.tester, _STATES[work.state], f"{work.minutes(when):.0f}", " / ".join(work.notes))
                for work in found[name].work
            ],
            right=(3,),
            whole=(0, 1),
        )
    if not names:
        if not json:
            say("Nothing was tried yet: mailrubric trial start VENDOR sign-up begins.")
        raise typer.Exit(3)


def _work_json(work: Work, when: datetime) -> dict[str, Any]:
    return {
        "task": work.task,
        "tester": work.tester,
        "state": work.state,
        "minutes": work.minutes(when),
        "notes": list(work.notes),
    }
