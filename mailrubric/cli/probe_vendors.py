"""Probing vendors of the catalogue: progress while it runs, a summary at the end, and a polite stop at Ctrl-C."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailrubric.causes import explain, short
from mailrubric.cli import own_server, stopping
from mailrubric.cli.catalogue import choose, read_catalogue, store_of, store_words
from mailrubric.cli.terminal import Failure, Usage, complain, interactive, print_json, print_table, say
from mailrubric.cli.workspace import open_workspace
from mailrubric.display import one_line
from mailrubric.evidence.runs import Run, conditions_to_json, sentences
from mailrubric.probing import Progress, State, StoreFailure, Summary, VendorSummary, plan, probe_vendors

if TYPE_CHECKING:
    import asyncio

    from mailrubric.catalogue.catalogue import Catalogue
    from mailrubric.evidence.store import Store
    from mailrubric.probing import Job
    from mailrubric.workspace import Workspace
    from probes.model import Probe, Role
    from probes.network import Options

STOPPED = 130
NOTHING_MEASURED = 3
_OVER: tuple[State, ...] = ("finished", "failed", "skipped", "cancelled")


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. ``names``: vendor id → name of all that were chosen. ``events``: the last one of each
    endpoint. ``fault``: what went wrong with the store, "" when nothing did. ``without``: vendor id → why no endpoint
    of it was to be probed."""

    summary: Summary
    events: tuple[Progress, ...]
    names: dict[str, str]
    store_label: str
    fault: str
    without: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 when something was measured or was fresh already, 3 when not, 130 when the run was stopped."""
        if self.summary.cancelled:
            return STOPPED
        fresh = any(vendor.states["skipped"] for vendor in self.summary.vendors.values())
        answered = any(vendor.states["finished"] for vendor in self.summary.vendors.values())
        return 0 if answered or fresh else NOTHING_MEASURED


def answer(
    *,
    workspace: Path | None,
    vendors: Sequence[str],
    everyone: bool,
    categories: Sequence[str],
    roles: Sequence[Role],
    probes: Sequence[Probe] | None,
    concurrency: int | None,
    skip_fresh: float | None,
    settings: Callable[[], Options],
    record: Path | None = None,
    replay: Path | None = None,
    as_json: bool,
) -> int:
    """Probe and summarise; gives the exit code."""
    if not (vendors or everyone or categories):
        raise Usage("name the vendors to probe, or say --all or --category; or probe one endpoint with --target URL")
    if vendors and everyone:
        raise Usage("either name vendors or say --all")
    place = open_workspace(workspace)
    catalogue = read_catalogue(place)
    outcome = run(
        place,
        catalogue,
        choose(catalogue, vendors, categories),
        options=settings(),
        roles=roles,
        probes=probes,
        concurrency=concurrency,
        skip_fresh=skip_fresh,
        record=record,
        replay=replay,
    )
    if as_json:
        print_json(outcome_json(outcome))
    else:
        show(outcome)
    if outcome.fault:
        raise Failure(outcome.fault, 2)
    return outcome.exit_code


def run(
    place: Workspace,
    catalogue: Catalogue,
    vendors: Sequence[str],
    *,
    options: Options,
    roles: Sequence[Role] = (),
    probes: Sequence[Probe] | None = None,
    concurrency: int | None = None,
    skip_fresh: float | None = None,
    record: Path | None = None,
    replay: Path | None = None,
) -> Outcome:
    """Probe vendors into the workspace's store, with progress on stderr. ``skip_fresh`` in hours. ``record``: folder
    that recordings go to. ``replay``: folder that they come from, instead of the network."""
    jobs = plan(catalogue, vendors, roles=roles or None)
    if probes is not None:
        jobs = [job for job in jobs if any(job.endpoint.role in each.roles for each in probes)]
    if options.own_servers:
        own_server.announce((job.endpoint for job in jobs), options)
    fresh = None if skip_fresh is None else datetime.timedelta(hours=skip_fresh)
    if record is not None:
        options = dataclasses.replace(options, record_to=str(record))
        _refuse_overwriting(jobs, record)
    with store_of(place) as store:
        if replay is not None:
            summary, events, fault = _replay(jobs, replay, options, store, probes)
        else:
            at_once = concurrency or place.settings.concurrency
            summary, events, fault = _run(jobs, options, store, probes, at_once, fresh)
    names = {vendor: catalogue.vendors[vendor].name for vendor in vendors}
    having = {job.vendor_id for job in plan(catalogue, vendors)}
    chosen = {job.vendor_id for job in jobs}
    without = {vendor: "none that was asked for" for vendor in vendors if vendor not in chosen}
    without |= {vendor: "none in its profile" for vendor in vendors if vendor not in having}
    if replay is not None:
        without |= dict.fromkeys(chosen, "none in the recordings")
    return Outcome(summary, tuple(events), names, store_words(place), fault, without)


def _refuse_overwriting(jobs: Sequence[Job], folder: Path) -> None:
    from mailrubric.replaying import recorded

    there = recorded(jobs, folder)
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise Failure(
            f"{folder} holds a recording of {there[0].endpoint.key}{more} already: nothing is overwritten; "
            "record into another folder",
            1,
        )


def _replay(
    jobs: Sequence[Job], folder: Path, options: Options, store: Store, probes: Sequence[Probe] | None
) -> tuple[Summary, list[Progress], str]:
    from mailrubric.replaying import recorded, replay_vendors

    there = recorded(jobs, folder)
    if not there:
        raise Failure(f"{folder} holds no recording of any of these {len(jobs)} endpoints", 1)
    if len(there) < len(jobs):
        complain(f"{len(jobs) - len(there)} of {len(jobs)} endpoints have no recording and are left out")
    events: list[Progress] = []
    try:
        with _progress(len(there)) as tell:

            def heard(event: Progress) -> None:
                events.append(event)
                tell(event)

            summary = replay_vendors(there, folder, store=store, progress=heard, probes=probes, ca_file=options.ca_file)
        return summary, events, ""
    except StoreFailure as failure:
        return failure.summary, events, str(failure)


def _run(
    jobs: Sequence[Job],
    options: Options,
    store: Store,
    probes: Sequence[Probe] | None,
    concurrency: int,
    skip_fresh: datetime.timedelta | None,
) -> tuple[Summary, list[Progress], str]:
    events: list[Progress] = []

    async def run(stop: asyncio.Event) -> Summary:
        with _progress(len(jobs)) as tell:

            def heard(event: Progress) -> None:
                if event.state in _OVER:
                    events.append(event)
                tell(event)

            return await probe_vendors(
                jobs,
                options=options,
                store=store,
                progress=heard,
                concurrency=concurrency,
                probes=probes,
                stop=stop,
                skip_fresh=skip_fresh,
                began=_tell_preconditions,
            )

    try:
        return stopping.run(run, "stopping; what was measured is kept"), events, ""
    except StoreFailure as failure:
        return failure.summary, events, str(failure)


def _tell_preconditions(run: Run) -> None:
    """At once, before a long run: what it will not be able to measure from here."""
    for sentence in sentences(run):
        complain(sentence)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[Progress], None]]:
    """A live bar when somebody watches stderr; otherwise a line now and then."""
    if interactive(sys.stderr):
        with _live(total) as live:
            yield live
        return
    told = time.monotonic()
    values = 0

    def tell(event: Progress) -> None:
        nonlocal told, values
        values += event.values
        now = time.monotonic()
        if event.state in _OVER and now - told >= 5 and event.done < event.total:
            told = now
            complain(f"{event.done} of {event.total} endpoints, {values} values")

    yield tell


@contextlib.contextmanager
def _live(total: int) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import (
        Progress as Bar,
    )
    from rich.text import Text

    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    bar = Bar(
        SpinnerColumn(),
        MofNCompleteColumn(),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
    )
    running: dict[tuple[str, str], None] = {}
    with bar:
        task = bar.add_task("", total=total)

        def tell(event: Progress) -> None:
            place = (event.vendor, event.endpoint)
            if event.state == "started":
                running[place] = None
            else:
                running.pop(place, None)
            if event.state == "failed":
                cause = max(event.causes, key=lambda name: event.causes[name], default="")
                why = event.fault or (short(cause) if cause else "nothing was measured")
                bar.console.print(Text(one_line(f"{event.vendor}  {event.endpoint}  {why}"), style="yellow"))
            now = ", ".join(one_line(vendor) for vendor in dict.fromkeys(vendor for vendor, _ in running))
            bar.update(task, completed=event.done, description=now[:60])

        yield tell


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome for programs (docs/json.md)."""
    summary = outcome.summary
    nothing = VendorSummary()
    return {
        "total": summary.total,
        "done": summary.done,
        "values": summary.values,
        "missing": sum(summary.causes.values()),
        "cancelled": summary.cancelled,
        "causes": _by_count(summary.causes),
        "preconditions": conditions_to_json(summary.record.preconditions) if summary.record else [],
        "vendors": [
            {
                "id": identifier,
                "name": name,
                "endpoints": {state: summary.vendors.get(identifier, nothing).states[state] for state in _OVER},
                "values": summary.vendors.get(identifier, nothing).values,
                "causes": _by_count(summary.vendors.get(identifier, nothing).causes),
            }
            for identifier, name in outcome.names.items()
        ],
        "endpoints": [
            {
                "vendor": event.vendor,
                "endpoint": event.endpoint,
                "state": event.state,
                "values": event.values,
                "causes": _by_count(event.causes),
                "fault": event.fault,
            }
            for event in sorted(outcome.events, key=lambda event: (event.vendor, event.endpoint))
        ],
    }


def _by_count(causes: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(causes.items(), key=lambda item: (-item[1], item[0])))


def show(outcome: Outcome) -> None:
    """What cannot be measured from here at all; a table of the vendors; each cause in plain words with what to do."""
    summary = outcome.summary
    missing = sentences(summary.record) if summary.record else []
    for sentence in missing:
        say(sentence)
    if missing:
        say()
    rows = []
    for identifier, name in outcome.names.items():
        vendor = summary.vendors.get(identifier)
        if vendor is None:
            rows.append((name, outcome.without.get(identifier, "none"), "0", "", ""))
            continue
        states = ", ".join(f"{vendor.states[state]} {state}" for state in _OVER if vendor.states[state])
        causes = ", ".join(f"{short(cause)} ×{count}" for cause, count in _by_count(vendor.causes).items())
        rows.append((name, states, str(vendor.values), str(sum(vendor.causes.values())), causes))
    print_table(("vendor", "endpoints", "values", "missing", "because"), rows, right=(2, 3))
    for cause in _by_count(summary.causes):
        words = explain(cause)
        say()
        say(f"{short(cause)} ({summary.causes[cause]} values): {words.sentence}")
        say(f"  {words.advice}")
    for vendor_id, endpoint, fault in summary.faults:
        complain(f"{vendor_id}: {endpoint}: {fault}")
    say()
    stopped = "Stopped. " if summary.cancelled else ""
    probed = sum(vendor.states["finished"] + vendor.states["failed"] for vendor in summary.vendors.values())
    of = "" if probed == summary.total else f" of {summary.total}"
    many = f"{probed}{of} endpoint{'' if summary.total == 1 else 's'}"
    say(f"{stopped}{summary.values} values from {many}, kept in {outcome.store_label}")
