"""Planning, running, storing, stopping and resuming, over the lab's real servers and a real store."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from mailrubric import lab, probing
from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Endpoints, MailEndpoint, Vendor
from mailrubric.evidence.store import Store, StoreError
from mailrubric.probing import (
    Job,
    ProbeService,
    ProbingError,
    Progress,
    StoreFailure,
    Summary,
    plan,
    probe_vendors,
    shared_service,
)
from mailrubric.workspace import Workspace
from probes.model import Endpoint, Measurement, Metric, Probe, Report, Role
from probes.network import Network, Options
from probes.registry import probe as shipped_probe

WORKSPACE = "the workspace"
PATIENCE = 60.0
"""Seconds for what is done at once on a machine that has time."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Lab]:
    with lab.start(tmp_path_factory.mktemp("lab") / "workspace") as started:
        yield started


@pytest.fixture(scope="module")
def options(running: lab.Lab) -> Options:
    return Options(**Workspace.open(running.workspace).network_options())


@pytest.fixture(scope="module")
def catalogue(running: lab.Lab) -> Catalogue:
    return Workspace.open(running.workspace).catalogue()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


class Waiting:
    """A probe that waits: for an event, or for ever. It counts how many endpoints it is at."""

    name = "waiting"
    roles: frozenset[Role] = frozenset({"submission", "api", "web", "status", "domain"})
    metrics = (Metric("waiting.done", "boolean", "Whether the wait is over."),)

    def __init__(self, wait: Callable[[Endpoint], float | None]) -> None:
        self.wait = wait
        self.visits: collections.Counter[str] = collections.Counter()
        self.now = 0
        self.most = 0
        self.cancelled = 0

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        self.visits[endpoint.key] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            seconds = self.wait(endpoint)
            await (asyncio.Event().wait() if seconds is None else asyncio.sleep(seconds))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= 1
        return [Measurement("waiting.done", True)]


def jobs_for(count: int, vendor: str = "v") -> list[Job]:
    """Endpoints that nobody has to listen at."""
    return [
        Job(f"{vendor}{number}", Endpoint("submission", host="127.0.0.1", port=1000 + number))
        for number in range(count)
    ]


def quick(catalogue: Catalogue) -> list[Job]:
    """Everything of three vendors whose servers answer quickly."""
    return plan(catalogue, ["lab-legacy", "lab-expired", "lab-no-starttls"])


# --- planning ---------------------------------------------------------------------------------------------------------


def test_a_plan_visits_a_different_vendor_each_time(catalogue: Catalogue) -> None:
    jobs = plan(catalogue, ["lab-modern", "lab-legacy", "lab-throttle"])
    assert [job.vendor_id for job in jobs[:5]] == [
        "lab-modern",
        "lab-legacy",
        "lab-throttle",
        "lab-modern",
        "lab-legacy",
    ]
    for vendor in ("lab-modern", "lab-legacy", "lab-throttle"):
        mine = [job.endpoint for job in jobs if job.vendor_id == vendor]
        assert mine == catalogue.endpoints(vendor)


def test_a_plan_keeps_to_roles_and_refuses_strangers(catalogue: Catalogue) -> None:
    jobs = plan(catalogue, ["lab-modern", "lab-modern"], roles=["domain", "mx"])
    assert [job.endpoint.role for job in jobs] == ["mx", "domain"]
    assert plan(catalogue, ["lab-modern"], roles=[]) == []
    with pytest.raises(KeyError):
        plan(catalogue, ["nobody"])


def test_an_endpoint_listed_twice_is_one_job() -> None:
    twice = tuple(MailEndpoint(host="smtp.example.org", port=587, label=label) for label in ("one", "two"))
    vendor = Vendor(id="twice", name="Twice", category="esp", endpoints=Endpoints(submission=twice))
    (job,) = plan(Catalogue(vendors={"twice": vendor}), ["twice"])
    assert job.endpoint.label == "one"


# --- running ----------------------------------------------------------------------------------------------------------


async def test_events_summary_and_store_tell_the_same(catalogue: Catalogue, options: Options, store: Store) -> None:
    jobs = plan(catalogue, ["lab-expired", "lab-down"])
    events: list[Progress] = []
    summary = await probe_vendors(jobs, options=options, store=store, progress=events.append, keep_reports=True)
    started = [event for event in events if event.state == "started"]
    ended = [event for event in events if event.state != "started"]
    keys = {(job.vendor_id, job.endpoint.key) for job in jobs}
    assert {(event.vendor, event.endpoint) for event in started} == keys
    assert {(event.vendor, event.endpoint) for event in ended} == keys
    assert len(started) == len(ended) == len(jobs)
    assert [event.done for event in ended] == list(range(1, len(jobs) + 1))
    assert {event.total for event in events} == {len(jobs)}
    assert {event.state for event in ended if event.vendor == "lab-down"} == {"failed"}
    assert {event.state for event in ended if event.vendor == "lab-expired"} == {"finished"}
    assert summary.values == sum(event.values for event in events) > summary.vendors["lab-expired"].values > 0
    assert set(summary.causes) == {"connection_refused", "resolver_not_validating"}
    assert summary.causes == collections.Counter(
        {cause: sum(event.causes.get(cause, 0) for event in events) for cause in summary.causes}
    )
    assert not summary.cancelled
    assert summary.faults == []
    values = {(each.endpoint, each.metric): each.value for each in store.observations() if each.value is not None}
    measured = {
        (report.endpoint.key, each.metric): each.value
        for _, report in summary.reports
        for each in report.measurements
        if each.value is not None
    }
    assert values == measured
    assert len(values) == summary.values
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_store_and_no_listener_are_fine(catalogue: Catalogue, options: Options) -> None:
    summary = await probe_vendors(plan(catalogue, ["lab-throttle"]), options=options)
    assert (summary.done, summary.values, summary.reports) == (1, 5, [])  # three of its connection, two of its name
    assert (await probe_vendors([], options=options)).total == 0
    with pytest.raises(ValueError, match="concurrency"):
        await probe_vendors([], options=options, concurrency=0)


async def test_no_more_endpoints_at_a_time_than_allowed(options: Options) -> None:
    probe = Waiting(lambda _: 0.01)
    summary = await probe_vendors(jobs_for(30), options=options, concurrency=4, probes=[probe])
    assert (summary.done, summary.values, probe.most) == (30, 30, 4)


async def test_a_slow_vendor_keeps_nobody_waiting(options: Options) -> None:
    probe = Waiting(lambda endpoint: 1.0 if endpoint.port == 1000 else 0.0)
    order: list[str] = []
    await probe_vendors(
        jobs_for(10),
        options=options,
        concurrency=2,
        probes=[probe],
        progress=lambda event: order.append(event.vendor) if event.state == "finished" else None,
    )
    assert order[-1] == "v0"


async def test_a_bug_at_one_endpoint_costs_no_other_its_results(
    catalogue: Catalogue, options: Options, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = probing.probe_endpoint

    async def faulty(endpoint: Endpoint, **rest: object) -> Report:
        if endpoint.role == "domain" and endpoint.domain.startswith("legacy"):
            raise RuntimeError("a bug of ours")
        return await real(endpoint, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(probing, "probe_endpoint", faulty)
    jobs = quick(catalogue)
    summary = await probe_vendors(jobs, options=options, store=store)
    assert summary.faults == [("lab-legacy", "domain legacy.lab.test", "RuntimeError: a bug of ours")]
    assert summary.vendors["lab-legacy"].states["failed"] == 1
    assert store.counts()["reports"] == len(jobs) - 1


async def test_an_endpoint_of_several_vendors_is_probed_once_and_stored_for_each(
    options: Options, store: Store
) -> None:
    probe = Waiting(lambda _: 0.05)
    endpoints = [Endpoint("submission", host="127.0.0.1", port=1000, label=label) for label in ("Dublin", "Ohio", "")]
    jobs = [Job(f"v{number}", endpoint) for number, endpoint in enumerate(endpoints)]
    summary = await probe_vendors(jobs, options=options, store=store, probes=[probe])
    assert summary.values == 3
    assert probe.visits == {"submission 127.0.0.1:1000": 1}
    assert {(each.vendor, each.label) for each in store.observations()} == {
        ("v0", "Dublin"),
        ("v1", "Ohio"),
        ("v2", ""),
    }


async def test_the_hosts_of_an_mx_domain_are_stored_under_the_host(
    catalogue: Catalogue, options: Options, store: Store
) -> None:
    (job,) = plan(catalogue, ["lab-modern"], roles=["mx"])
    assert (job.endpoint.host, job.endpoint.domain) == ("", "modern.lab.test")
    await probe_vendors([job], options=options, store=store, probes=[shipped_probe("smtp")])
    (report,) = store.reports("lab-modern")
    assert report.endpoint == f"mx mx.modern.lab.test:{job.endpoint.port}"
    assert report.parent == job.endpoint.key


# --- resuming ---------------------------------------------------------------------------------------------------------


async def test_what_is_fresh_is_skipped(catalogue: Catalogue, options: Options, store: Store) -> None:
    jobs = plan(catalogue, ["lab-legacy", "lab-down", "lab-modern"], roles=["domain", "status", "mx"])
    smtp_and_dns: list[Probe] = [shipped_probe(name) for name in ("smtp", "dns", "http")]
    hour = datetime.timedelta(hours=1)

    async def again(age: datetime.timedelta, options: Options = options) -> Summary:
        return await probe_vendors(jobs, options=options, store=store, skip_fresh=age, probes=smtp_and_dns)

    first = await again(hour)
    assert first.done == len(jobs)
    assert all(vendor.states["skipped"] == 0 for vendor in first.vendors.values())
    second = await again(hour)
    # What could not be reached is fresh too, and an MX host is fresh under its domain.
    assert [vendor.states for vendor in second.vendors.values()] == [
        {"skipped": 2}, {"skipped": 1}, {"skipped": 3},
    ]  # fmt: skip
    assert (second.done, second.values) == (len(jobs), 0)
    assert not second.cancelled
    third = await again(datetime.timedelta(0))
    assert third.values == first.values
    elsewhere = Options(**{**_fields(options), "vantage": "elsewhere"})
    assert (await again(hour, elsewhere)).values == first.values


def _fields(options: Options) -> dict[str, object]:
    return {name: getattr(options, name) for name in Options.__dataclass_fields__}


# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_stopping_gives_up_what_is_in_flight_and_keeps_what_is_done(options: Options, store: Store) -> None:
    probe = Waiting(lambda endpoint: 0.0 if endpoint.port < 1003 else None)
    stop = asyncio.Event()
    events: list[Progress] = []

    def heard(event: Progress) -> None:
        events.append(event)
        if sum(each.state == "finished" for each in events) == 3:
            stop.set()

    run = probe_vendors(
        jobs_for(40), options=options, store=store, progress=heard, concurrency=6, probes=[probe], stop=stop
    )
    summary = await asyncio.wait_for(run, PATIENCE)  # the probe would wait for ever
    assert summary.cancelled
    assert summary.done == summary.total == 40
    assert probe.cancelled > 0
    assert probe.now == 0
    finished = [event.endpoint for event in events if event.state == "finished"]
    assert len(finished) == 3
    assert {each.endpoint for each in store.observations()} == set(finished)
    assert sum(event.state == "cancelled" for event in events) == 37
    assert len([event for event in events if event.state == "started"]) <= 9  # no new ones after the stop
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_stopped_before_it_began(options: Options) -> None:
    stop = asyncio.Event()
    stop.set()
    probe = Waiting(lambda _: None)
    summary = await asyncio.wait_for(probe_vendors(jobs_for(5), options=options, probes=[probe], stop=stop), PATIENCE)
    assert summary.cancelled
    assert [dict(vendor.states) for vendor in summary.vendors.values()] == [{"cancelled": 1}] * 5
    assert probe.now == 0


async def test_cancelling_the_task_cleans_up_too(options: Options, store: Store) -> None:
    probe = Waiting(lambda endpoint: 0.0 if endpoint.port == 1000 else None)
    finished = asyncio.Event()

    def heard(event: Progress) -> None:
        if event.state == "finished":
            finished.set()

    task = asyncio.create_task(probe_vendors(jobs_for(5), options=options, store=store, probes=[probe], progress=heard))
    await asyncio.wait_for(finished.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, PATIENCE)
    assert probe.now == 0
    assert store.counts()["reports"] == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_real_conversations_are_cut_off_cleanly(catalogue: Catalogue, options: Options, store: Store) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.4, stop.set)
    summary = await probe_vendors(plan(catalogue, ["lab-slow"]), options=options, store=store, stop=stop)
    assert summary.vendors["lab-slow"].states["cancelled"] >= 2
    # Its greeting alone takes several seconds.
    assert "submission" not in {each.role for each in store.observations()}


class SlowStore(Store):
    """A store on a slow disk: ``write`` is done before each report is written."""

    def __init__(self, url: str, write: Callable[[], object] = lambda: time.sleep(0.4)) -> None:
        super().__init__(url)
        self.write = write
        self.began = 0

    def add_report(self, vendor_id: str, report: Report, units: object = None) -> str:
        self.began += 1
        self.write()
        return super().add_report(vendor_id, report)


async def test_what_is_being_written_when_the_run_stops_gets_written(options: Options, url: str) -> None:
    stop = asyncio.Event()
    probe = Waiting(lambda endpoint: 0.0 if endpoint.port < 1002 else None)

    async def when_writing() -> None:
        while store.began == 0 or sum(probe.visits.values()) < 4 or probe.now > 2:  # noqa: ASYNC110 - counts, no events
            await asyncio.sleep(0.01)
        stop.set()

    with SlowStore(url) as store:
        stopping = asyncio.ensure_future(when_writing())
        summary = await probe_vendors(jobs_for(4), options=options, store=store, probes=[probe], stop=stop)
        await stopping
        assert store.counts()["reports"] == 2
    assert sum((vendor.states for vendor in summary.vendors.values()), collections.Counter()) == {
        "finished": 2, "cancelled": 2,
    }  # fmt: skip


async def test_writing_never_holds_up_the_event_loop(options: Options, url: str) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    def until_it_ticked() -> None:
        so_far = ticks
        _until(lambda: ticks > so_far + 3)

    ticking = asyncio.create_task(tick())
    with SlowStore(url, until_it_ticked) as store:
        await probe_vendors(jobs_for(3), options=options, store=store, probes=[Waiting(lambda _: 0.0)])
        ticking.cancel()
        assert store.began == store.counts()["reports"] == 3


class FullStore(Store):
    """A store on a disk that is full after a few reports."""

    room = 3

    def add_report(self, vendor_id: str, report: Report, units: object = None) -> str:
        if self.room == 0:
            raise StoreError(f"the store {self.name} can't be written: the disk is full")
        self.room -= 1
        return super().add_report(vendor_id, report)


async def test_a_store_that_fails_stops_the_run_and_says_what_was_lost(options: Options, url: str) -> None:
    probe = Waiting(lambda endpoint: 0.0 if endpoint.port < 1005 else None)
    with FullStore(url) as store, pytest.raises(StoreFailure, match="the disk is full") as failure:
        await asyncio.wait_for(probe_vendors(jobs_for(20), options=options, store=store, probes=[probe]), 10)
    summary = failure.value.summary
    states = sum((vendor.states for vendor in summary.vendors.values()), collections.Counter())
    assert states["finished"] == 3
    assert states["failed"] == len(summary.faults) >= 1
    assert states["finished"] + states["failed"] + states["cancelled"] == 20
    vendor, endpoint, sentence = summary.faults[0]
    assert f"the report on {endpoint} of {vendor} could not be stored" in sentence
    assert sentence in str(failure.value)
    assert probe.now == 0
    with Store(url) as again:
        assert again.counts()["reports"] == 3


async def test_a_store_that_cannot_be_read_stops_before_the_first_probe(options: Options, tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    probe = Waiting(lambda _: 0.0)
    with Store(f"sqlite:///{file}") as store:
        store.close()
        _spoil(file)
        with pytest.raises(StoreFailure, match="not a Mailrubric store"):
            await probe_vendors(
                jobs_for(1), options=options, store=store, probes=[probe], skip_fresh=datetime.timedelta(hours=1)
            )
    assert probe.visits == {}


async def test_a_fault_of_the_callers_own_reaches_the_caller(options: Options) -> None:
    probe = Waiting(lambda endpoint: 0.0 if endpoint.port == 1000 else None)

    def faulty(event: Progress) -> None:
        if event.state == "finished":
            raise LookupError("the progress bar broke")

    with pytest.raises(LookupError, match="progress bar"):
        await asyncio.wait_for(probe_vendors(jobs_for(3), options=options, probes=[probe], progress=faulty), PATIENCE)
    assert probe.now == 0


def _spoil(file: Path) -> None:
    for each in file.parent.iterdir():
        each.unlink()
    file.write_bytes(b"no database" * 1000)


# --- killed -----------------------------------------------------------------------------------------------------------

SCRIPT = """
import asyncio, sys
from pathlib import Path
from mailrubric.evidence.store import Store
from mailrubric.probing import plan, probe_vendors
from mailrubric.workspace import Workspace
from probes.network import Options

workspace = Workspace.open(Path(sys.argv[1]))
catalogue = workspace.catalogue()
jobs = plan(catalogue, [vendor for vendor in catalogue.vendors if vendor != "lab-slow"])

def heard(event):
    if event.state in ("finished", "failed"):
        print(event.vendor, event.endpoint, sep="|", flush=True)

with Store(sys.argv[2]) as store:
    asyncio.run(probe_vendors(jobs, options=Options(**workspace.network_options()), store=store, progress=heard,
                              concurrency=8))
"""


def _run_and_kill(workspace: Path, url: str, reports: int) -> list[str]:
    """Kill a run when it has told of so many reports; what it had told by then."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(workspace), url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(reports)]
    os.kill(process.pid, signal.SIGKILL)
    told += [line.strip() for line in process.communicate()[0].splitlines()]
    assert process.returncode == -signal.SIGKILL
    return told


@pytest.mark.slow
@pytest.mark.parametrize("reports", [1, 40])
async def test_killed_in_the_middle_it_loses_at_most_what_is_in_flight(
    running: lab.Lab, catalogue: Catalogue, options: Options, url: str, reports: int
) -> None:
    told = await asyncio.to_thread(_run_and_kill, running.workspace, url, reports)
    jobs = plan(catalogue, [vendor for vendor in catalogue.vendors if vendor != "lab-slow"])
    options = dataclasses.replace(options, limits=dataclasses.replace(options.limits, spacing_mx=0.05))
    with Store(url) as store:
        stored = {
            f"{report.vendor}|{key}"
            for vendor in catalogue.vendors
            for report in store.reports(vendor)
            for key in (report.endpoint, report.parent)
            if key
        }
        assert set(told) <= stored  # nothing that was told to be done is lost
        assert len(told) >= reports
        counts = store.counts()
        assert counts["reports"] < len(jobs)
        assert counts["measurements"] > counts["reports"]  # a report is there with its measurements or not at all
        # And the next run takes up where this one was killed.
        rest = await probe_vendors(
            jobs, options=options, store=store, skip_fresh=datetime.timedelta(hours=1), keep_reports=True
        )
        skipped = sum(vendor.states["skipped"] for vendor in rest.vendors.values())
        assert skipped == counts["reports"]
        assert len(rest.reports) == len(jobs) - skipped


# --- the service ------------------------------------------------------------------------------------------------------


@pytest.fixture
def service() -> Iterator[ProbeService]:
    made = ProbeService()
    yield made
    made.close()


def test_the_service_runs_in_the_background(
    service: ProbeService, catalogue: Catalogue, options: Options, url: str
) -> None:
    jobs = plan(catalogue, ["lab-expired", "lab-down"])
    assert service.current(WORKSPACE) is None
    run_id = service.start(WORKSPACE, jobs, options=options, store_url=url, concurrency=4)
    first = service.status(run_id)
    assert first.total == len(first.items) == len(jobs)
    done = service.wait(run_id, PATIENCE)
    assert (done.finished, done.cancelled, done.error, done.done) == (True, False, "", len(jobs))
    assert service.current(WORKSPACE) == done
    assert set(done.causes) == {"connection_refused", "resolver_not_validating"}
    assert sum(done.causes.values()) == done.missing
    assert done.values == sum(item.values for item in done.items) > 0
    by_vendor = {item.vendor: item for item in done.items if item.endpoint.startswith("web")}
    assert (by_vendor["lab-down"].state, by_vendor["lab-down"].main_cause) == ("failed", "connection_refused")
    assert (by_vendor["lab-expired"].state, by_vendor["lab-expired"].main_cause) == ("finished", "")
    with Store(url) as store:
        assert store.counts()["reports"] == len(jobs)
    with pytest.raises(KeyError):
        service.status("no such run")


def test_one_run_at_a_time_in_a_workspace(service: ProbeService, options: Options, tmp_path: Path) -> None:
    probe = Waiting(lambda _: None)

    def begin(workspace: str) -> str:
        store_url = f"sqlite:///{tmp_path / workspace}.sqlite"
        return service.start(workspace, jobs_for(3), options=options, store_url=store_url, probes=[probe])

    first = begin("one")
    with pytest.raises(ProbingError, match="already under way"):
        begin("one")
    other = begin("other")
    _until(lambda: probe.now == 6)
    assert {item.state for item in service.status(first).items} == {"started"}
    service.cancel(first)
    ended = service.wait(first, PATIENCE)
    assert (ended.finished, ended.cancelled, ended.error) == (True, True, "")
    assert {item.state for item in ended.items} == {"cancelled"}
    assert not service.status(other).finished
    assert begin("one") != first
    service.close()
    assert probe.now == 0
    assert service.status(other).cancelled


def test_what_stops_a_run_is_told(service: ProbeService, options: Options, tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'no' / 'such' / 'folder'}/store.sqlite"
    run_id = service.start(WORKSPACE, jobs_for(1), options=options, store_url=nowhere, probes=[Waiting(lambda _: 0)])
    status = service.wait(run_id, PATIENCE)
    assert status.finished
    assert not status.cancelled
    assert "can't be opened" in status.error


def test_only_the_last_runs_are_kept(service: ProbeService, options: Options, url: str) -> None:
    ids = []
    for _ in range(ProbeService.RUNS_KEPT + 3):
        ids.append(service.start(WORKSPACE, [], options=options, store_url=url))
        assert service.wait(ids[-1], PATIENCE).finished
    with pytest.raises(KeyError):
        service.status(ids[0])
    assert service.status(ids[-2]).finished
    current = service.current(WORKSPACE)
    assert current is not None
    assert current.run_id == ids[-1]


def test_the_service_can_be_asked_from_many_threads(service: ProbeService, options: Options, url: str) -> None:
    run_id = service.start(
        WORKSPACE, jobs_for(60), options=options, store_url=url, probes=[Waiting(lambda _: 0.01)], concurrency=5
    )
    faults: list[BaseException] = []
    done: list[int] = []

    def ask() -> None:
        try:
            seen = 0
            while not (status := service.status(run_id)).finished:
                assert seen <= status.done <= status.total
                assert status.values == sum(item.state == "finished" for item in status.items)
                seen = status.done
            done.append(status.done)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert done == [60] * 6


def test_the_service_leaves_no_thread_behind(options: Options, url: str) -> None:
    before = threading.active_count()
    made = ProbeService()
    made.start(WORKSPACE, jobs_for(2), options=options, store_url=url, probes=[Waiting(lambda _: None)])
    made.close()
    made.close()
    _until(lambda: threading.active_count() == before)
    again = made.start(WORKSPACE, jobs_for(2), options=options, store_url=url, probes=[Waiting(lambda _: 0.0)])
    assert made.wait(again, PATIENCE).values == 2
    made.close()


def test_there_is_one_service_for_a_process() -> None:
    assert shared_service() is shared_service()


def _until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
