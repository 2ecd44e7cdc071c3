"""Probing many endpoints of many vendors: in which order, how many at once, what is told on the way, what is stored.

``plan`` makes jobs from a catalogue, ``probe_vendors`` runs them on the caller's event loop, ``ProbeService`` runs them
in a background thread for a program that must not wait (the dashboard). One endpoint's measuring is
``probes.runner.probe_endpoint``; manners towards servers are ``probes.network``'s.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import itertools
import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from mailrubric.evidence.runs import Condition
from mailrubric.evidence.runs import Run as RunRecord
from mailrubric.evidence.times import moment
from probes.model import Cause, Endpoint, Probe, Report, Role
from probes.network import Options, Surroundings
from probes.runner import answered, probe_endpoint, unasked

if TYPE_CHECKING:
    from mailrubric.catalogue.catalogue import Catalogue
    from mailrubric.evidence.store import Store

_log = logging.getLogger(__name__)

_REPORTS_LOOKED_AT = 1000
"""How many of a vendor's newest reports are looked at to find out which endpoints are fresh."""

State = Literal["waiting", "started", "finished", "failed", "skipped", "cancelled"]
"""What became of an endpoint. ``finished``: it showed at least one value. ``failed``: it showed none, whatever DNS says
of its name; the causes are stored just as well. ``skipped``: its evidence is fresh enough. ``cancelled``: the run was
stopped before its report was complete, and nothing of it was stored."""


class ProbingError(Exception):
    """The run cannot start or go on; the text is a sentence for people."""


class StoreFailure(ProbingError):
    """A report could not be stored, so the run has been stopped. ``summary``: what was done until then."""

    def __init__(self, message: str, summary: Summary) -> None:
        super().__init__(message)
        self.summary = summary


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One endpoint of one vendor, to be probed."""

    vendor_id: str
    endpoint: Endpoint


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """One thing that has just happened to one endpoint.

    ``done`` of ``total`` endpoints are over. ``endpoint``: its key. ``values``: how many were measured, on all hosts of
    a domain that has several. ``causes``: cause → how many metrics have no value because of it (``not_applicable`` is
    no loss and is left out). ``fault``: what went wrong in our own program, for people; "" when nothing did.
    """

    done: int
    total: int
    vendor: str
    endpoint: str
    state: State
    values: int = 0
    causes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    fault: str = ""


@dataclasses.dataclass(slots=True)
class VendorSummary:
    """One vendor's part of a run: endpoints by what became of them, values measured, causes of those missing."""

    states: collections.Counter[State] = dataclasses.field(default_factory=collections.Counter)
    values: int = 0
    causes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


@dataclasses.dataclass(slots=True)
class Summary:
    """What a run did. ``reports``: (vendor id, report) in the order they finished, when they were to be kept.
    ``faults``: (vendor id, endpoint key, sentence) for endpoints that our own program failed at. ``record``: when the
    run began and what this machine let it measure; None when it was over before that was known."""

    vendors: dict[str, VendorSummary] = dataclasses.field(default_factory=dict)
    total: int = 0
    done: int = 0
    cancelled: bool = False
    reports: list[tuple[str, Report]] = dataclasses.field(default_factory=list)
    faults: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    record: RunRecord | None = None

    @property
    def values(self) -> int:
        """Values measured, of all vendors."""
        return sum(vendor.values for vendor in self.vendors.values())

    @property
    def causes(self) -> collections.Counter[str]:
        """Causes of missing values, of all vendors."""
        total: collections.Counter[str] = collections.Counter()
        for vendor in self.vendors.values():
            total.update(vendor.causes)
        return total


def plan(catalogue: Catalogue, vendors: Iterable[str], roles: Collection[Role] | None = None) -> list[Job]:
    """The jobs for these vendors, in an order that visits a different vendor each time as long as there are several.

    ``roles``: only these; None for all. The same endpoint listed twice by a vendor is one job. ``KeyError`` for a
    vendor that the catalogue does not have.
    """
    queues: list[list[Job]] = []
    for vendor in dict.fromkeys(vendors):
        distinct: dict[str, Job] = {}
        for endpoint in catalogue.endpoints(vendor):
            if roles is None or endpoint.role in roles:
                distinct.setdefault(endpoint.key, Job(vendor, endpoint))
        queues.append(list(distinct.values()))
    return [job for turn in itertools.zip_longest(*queues) for job in turn if job is not None]


async def probe_vendors(
    jobs: Sequence[Job],
    *,
    options: Options,
    store: Store | None = None,
    progress: Callable[[Progress], None] | None = None,
    concurrency: int = 20,
    probes: Sequence[Probe] | None = None,
    stop: asyncio.Event | None = None,
    keep_reports: bool = False,
    skip_fresh: datetime.timedelta | None = None,
    began: Callable[[RunRecord], None] | None = None,
) -> Summary:
    """Probe all jobs, ``concurrency`` endpoints at a time, and store each report as soon as it is complete.

    ``progress`` is called on the event loop and must return quickly. ``probes``: only these; None for all. Setting
    ``stop`` ends the run early: what is in flight is given up, what is being stored gets stored, and the summary comes
    back with ``cancelled``. Cancelling the task does the same and then raises ``CancelledError``.
    ``skip_fresh``: endpoints with a stored report from this vantage that is younger are not probed again.
    An endpoint that several vendors share is probed once, and stored for each.
    First of all it is found out what this machine lets us measure (``probes.preconditions``): that is stored too, and
    told to ``began``.

    Raises ``StoreFailure`` when a report cannot be stored or the store cannot be read. A fault at one endpoint never
    costs another its results: it is named in ``Summary.faults``.
    """
    run = _Run(options, store, progress, concurrency, probes, keep_reports, began)
    return await run.go(jobs, stop, skip_fresh)


class _Run:
    """One run in progress. Everything happens on one event loop, but for the store, which has a thread."""

    def __init__(
        self,
        options: Options,
        store: Store | None,
        progress: Callable[[Progress], None] | None,
        concurrency: int,
        probes: Sequence[Probe] | None,
        keep_reports: bool,
        began: Callable[[RunRecord], None] | None,
    ) -> None:
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        self._options = options
        self._store = store
        self._progress = progress
        self._probes = probes
        self._keep_reports = keep_reports
        self._began = began
        self._checking: asyncio.Task[RunRecord] | None = None
        self._surroundings = Surroundings(options)
        self._places = asyncio.Semaphore(concurrency)
        self._store_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mailrubric-store")
        self._measuring: dict[Endpoint, asyncio.Task[Report]] = {}
        self._sharers: collections.Counter[Endpoint] = collections.Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._store_fault = ""
        self._caller_fault: Exception | None = None
        self._summary = Summary()

    async def go(
        self, jobs: Sequence[Job], stop: asyncio.Event | None, skip_fresh: datetime.timedelta | None
    ) -> Summary:
        """Run to the end, whichever it is."""
        watch = asyncio.create_task(self._watch(stop)) if stop is not None else None
        self._summary.total = len(jobs)
        try:
            fresh = await self._fresh(jobs, skip_fresh)
            await self._check([job for job in jobs if (job.vendor_id, job.endpoint.key) not in fresh])
            for job in jobs:
                self._summary.vendors.setdefault(job.vendor_id, VendorSummary())
                if (job.vendor_id, job.endpoint.key) in fresh:
                    self._over(job, "skipped")
                else:
                    self._begin(job)
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            # Also the way out when our own task is cancelled: what is in flight is given up, but what is being
            # written gets written.
            self._give_up()
            while self._tasks:
                await asyncio.wait(self._tasks)
            if watch is not None:
                watch.cancel()
            await self._surroundings.close()
            self._store_thread.shutdown(wait=False)
        if self._store_fault:
            raise StoreFailure(self._store_fault, self._summary)
        if self._caller_fault is not None:
            raise self._caller_fault
        return self._summary

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._give_up()

    def _give_up(self) -> None:
        """Cancel all that waits or measures. Without effect when nothing is left."""
        self._stopping = True
        if self._checking is not None:
            self._checking.cancel()
        for task in self._tasks - self._storing:
            task.cancel()  # and with it the measuring that it awaits

    async def _check(self, jobs: Sequence[Job]) -> None:
        """Find out what this machine lets us measure of these endpoints, store it and tell it."""
        if not jobs or self._stopping:
            return
        self._checking = asyncio.create_task(_preconditions(jobs, self._surroundings), name="preconditions")
        try:
            record = await self._checking
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return
        self._summary.record = record
        if self._store is not None:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._store_thread, self._store.add_run, record)
            except Exception as error:
                # Whatever a database can come up with: the caller gets a sentence, and nothing has been probed.
                raise StoreFailure(str(error), self._summary) from error
        if self._began is not None:
            self._began(record)

    async def _fresh(self, jobs: Sequence[Job], age: datetime.timedelta | None) -> set[tuple[str, str]]:
        """(vendor id, endpoint key) of what was probed from this vantage less than ``age`` ago."""
        if age is None or self._store is None:
            return set()
        vendors = sorted({job.vendor_id for job in jobs})
        since = datetime.datetime.now(datetime.UTC) - age
        vantage = self._options.vantage
        store = self._store

        def read() -> set[tuple[str, str]]:
            return {
                (vendor, key)
                for vendor in vendors
                for report in store.reports(vendor, limit=_REPORTS_LOOKED_AT)
                if report.vantage == vantage and (began := moment(report.started)) is not None and began >= since
                for key in (report.endpoint, report.parent)  # the parent: the domain that an MX host was found through
            }

        try:
            return await asyncio.get_running_loop().run_in_executor(self._store_thread, read)
        except Exception as error:
            # Whatever a database can come up with: the caller gets a sentence, and nothing has been probed.
            raise StoreFailure(str(error), self._summary) from error

    def _begin(self, job: Job) -> None:
        if self._stopping:
            self._over(job, "cancelled")
            return
        self._sharers[_place(job.endpoint)] += 1
        task = asyncio.create_task(self._one(job), name=f"{job.vendor_id}: {job.endpoint.key}")
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(job, ended))

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._storing.discard(task)
        if task.cancelled():  # also when it was cancelled before its first step
            self._over(job, "cancelled")

    async def _one(self, job: Job) -> None:
        """All that happens to one endpoint. Raises nothing but ``CancelledError``."""
        try:
            async with self._places:
                self._tell(job, "started")
                report = await self._measure(job.endpoint)
        except Exception as error:
            # A bug of ours at this endpoint (a server's faults are causes in the report): it is named in the summary,
            # and the other endpoints go on.
            _log.exception("%s: %s could not be probed", job.vendor_id, job.endpoint.key)
            self._over(job, "failed", fault=f"{type(error).__name__}: {error}")
            return
        if report.endpoint.host == job.endpoint.host:  # otherwise it is an MX host of the job's domain
            report = dataclasses.replace(report, endpoint=job.endpoint)
        await self._keep(job, report)

    async def _measure(self, endpoint: Endpoint) -> Report:
        """The report on an endpoint, made once however many vendors share it."""
        place = _place(endpoint)
        if place not in self._measuring:
            self._measuring[place] = asyncio.create_task(
                probe_endpoint(endpoint, options=self._options, surroundings=self._surroundings, probes=self._probes),
                name=endpoint.key,
            )
        try:
            return await self._measuring[place]
        finally:
            self._sharers[place] -= 1
            if not self._sharers[place]:  # a report is kept no longer than it is needed
                del self._measuring[place]

    async def _keep(self, job: Job, report: Report) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._storing.add(task)  # from here on it is not cancelled any more
        if self._store is not None:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._store_thread, self._store.add_report, job.vendor_id, report)
            except Exception as error:
                # Whatever a database can come up with: the run stops, and the caller gets a sentence.
                sentence = f"the report on {job.endpoint.key} of {job.vendor_id} could not be stored: {error}"
                self._store_fault = self._store_fault or sentence
                self._over(job, "failed", fault=sentence)
                self._give_up()
                return
        if self._keep_reports:
            self._summary.reports.append((job.vendor_id, report))
        values, causes = count(report)
        self._over(job, "finished" if answered(report) else "failed", values, causes)

    def _over(
        self,
        job: Job,
        state: State,
        values: int = 0,
        causes: Mapping[str, int] | None = None,
        fault: str = "",
    ) -> None:
        causes = causes or {}
        vendor = self._summary.vendors.setdefault(job.vendor_id, VendorSummary())
        vendor.states[state] += 1
        vendor.values += values
        vendor.causes.update(causes)
        if state == "cancelled":
            self._summary.cancelled = True
        if fault:
            self._summary.faults.append((job.vendor_id, job.endpoint.key, fault))
        self._summary.done += 1
        self._tell(job, state, values, causes, fault)

    def _tell(
        self,
        job: Job,
        state: State,
        values: int = 0,
        causes: Mapping[str, int] | None = None,
        fault: str = "",
    ) -> None:
        if self._progress is None or self._caller_fault is not None:
            return
        event = Progress(
            self._summary.done, self._summary.total, job.vendor_id, job.endpoint.key, state, values, causes or {}, fault
        )
        try:
            self._progress(event)
        except Exception as error:
            # The caller's own fault, which must reach him and not be taken for this endpoint's.
            self._caller_fault = error
            self._give_up()


async def _preconditions(jobs: Sequence[Job], surroundings: Surroundings) -> RunRecord:
    """Those that matter to these endpoints, each with the number of endpoints that it concerns."""
    from probes import preconditions

    now = datetime.datetime.now(datetime.UTC)
    concerned = {
        name: sum(job.endpoint.role in roles and (name != "port_25" or job.endpoint.port in (0, 25)) for job in jobs)
        for name, roles in preconditions.ROLES.items()
    }
    found = await preconditions.check(surroundings, [name for name, count in concerned.items() if count])
    return RunRecord(
        started=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        vantage=surroundings.options.vantage,
        endpoints=len(jobs),
        preconditions=tuple(Condition(each.name, each.ok, each.detail, concerned[each.name]) for each in found),
    )


def _place(endpoint: Endpoint) -> Endpoint:
    """What makes two vendors' endpoints the same: everything but the vendor's own name for it."""
    return dataclasses.replace(endpoint, label="")


def count(report: Report) -> tuple[int, collections.Counter[str]]:
    """How many values a report holds, and why others are missing: cause → number of metrics. What does not apply, or is
    for servers of one's own and was not asked, is left out. Counts the further hosts of a domain too."""
    values = 0
    causes: collections.Counter[str] = collections.Counter()
    for each in (report, *report.also):
        for measurement in each.measurements:
            if measurement.cause is None:
                values += 1
            elif measurement.cause is not Cause.NOT_APPLICABLE and not unasked(measurement):
                causes[measurement.cause.value] += 1
    return values, causes


# --- for programs that must not wait ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class ItemStatus:
    """One endpoint of a run: what became of it, values measured and missing, the cause of most that are missing."""

    vendor: str
    endpoint: str
    state: State = "waiting"
    values: int = 0
    missing: int = 0
    main_cause: str = ""
    fault: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class RunStatus:
    """A snapshot of a run. ``error``: why it stopped early, a sentence for people; "" when it did not.
    ``cancelled``: it was asked to stop. ``causes``: cause → number of values missing because of it. ``record``: what
    this machine lets it measure, once that is known."""

    run_id: str
    workspace: str
    total: int
    done: int
    finished: bool
    cancelled: bool
    error: str
    values: int
    missing: int
    causes: dict[str, int]
    items: tuple[ItemStatus, ...]
    record: RunRecord | None = None


class _Record:
    """One run in the job table. Written by the service's thread, read by any, under the service's lock."""

    def __init__(self, run_id: str, workspace: str, jobs: Sequence[Job]) -> None:
        self.run_id = run_id
        self.workspace = workspace
        self.items: dict[tuple[str, str], ItemStatus] = {
            (job.vendor_id, job.endpoint.key): ItemStatus(job.vendor_id, job.endpoint.key) for job in jobs
        }
        self.causes: collections.Counter[str] = collections.Counter()
        self.total = len(jobs)
        self.done = 0
        self.finished = threading.Event()
        self.cancelled = False
        self.error = ""
        self.record: RunRecord | None = None
        self.stop = asyncio.Event()  # touched on the service's event loop only

    def heard(self, event: Progress) -> None:
        """Take note of what has happened."""
        self.done, self.total = event.done, event.total
        self.causes.update(event.causes)
        main_cause = max(event.causes, key=lambda cause: event.causes[cause], default="")
        self.items[event.vendor, event.endpoint] = ItemStatus(
            event.vendor, event.endpoint, event.state, event.values, sum(event.causes.values()), main_cause, event.fault
        )

    def snapshot(self) -> RunStatus:
        """What is known now."""
        items = tuple(self.items.values())
        return RunStatus(
            run_id=self.run_id,
            workspace=self.workspace,
            total=self.total,
            done=self.done,
            finished=self.finished.is_set(),
            cancelled=self.cancelled,
            error=self.error,
            values=sum(item.values for item in items),
            missing=sum(item.missing for item in items),
            causes=dict(self.causes.most_common()),
            items=items,
            record=self.record,
        )


class ProbeService:
    """Runs in a background thread of this process, with an event loop of its own; any thread may ask.

    A run goes on whatever becomes of the page that started it. Only one run per workspace at a time. The last
    ``RUNS_KEPT`` finished runs can still be looked at. ``shared_service`` gives the process's own.
    """

    RUNS_KEPT = 20

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, _Record] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(
        self,
        workspace: str,
        jobs: Sequence[Job],
        *,
        options: Options,
        store_url: str,
        concurrency: int = 20,
        probes: Sequence[Probe] | None = None,
        skip_fresh: datetime.timedelta | None = None,
    ) -> str:
        """Begin a run and return its id at once. ``workspace``: its folder; runs in the same one exclude each other.

        ``store_url``: see ``mailrubric.evidence.store``. Raises ``ProbingError`` when a run is under way there."""
        with self._lock:
            if any(run.workspace == workspace and not run.finished.is_set() for run in self._runs.values()):
                raise ProbingError("a run is already under way in this workspace: wait for it or stop it")
            record = _Record(uuid.uuid4().hex, workspace, jobs)
            self._runs[record.run_id] = record
            over = [run.run_id for run in self._runs.values() if run.finished.is_set()]
            for run_id in over[: -self.RUNS_KEPT]:
                del self._runs[run_id]
            loop = self._running_loop()
        asyncio.run_coroutine_threadsafe(
            self._run(record, list(jobs), options, store_url, concurrency, probes, skip_fresh), loop
        )
        return record.run_id

    def status(self, run_id: str) -> RunStatus:
        """A snapshot; ``KeyError`` for a run that never was or is long over."""
        with self._lock:
            return self._runs[run_id].snapshot()

    def current(self, workspace: str) -> RunStatus | None:
        """The newest run in a workspace, under way or finished; None when there was none in this process."""
        with self._lock:
            runs = [run for run in self._runs.values() if run.workspace == workspace]
            return runs[-1].snapshot() if runs else None

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop. Returns at once; ``KeyError`` as for ``status``."""
        with self._lock:
            record, loop = self._runs[run_id], self._loop
        if loop is not None and not record.finished.is_set():
            loop.call_soon_threadsafe(record.stop.set)

    def wait(self, run_id: str, timeout: float | None = None) -> RunStatus:
        """Wait until a run is over, at most ``timeout`` seconds, and return its status."""
        with self._lock:
            record = self._runs[run_id]
        record.finished.wait(timeout)
        return self.status(run_id)

    def close(self) -> None:
        """Stop every run and end the thread; the table can still be read."""
        with self._lock:
            running = [run.run_id for run in self._runs.values() if not run.finished.is_set()]
        for run_id in running:
            self.cancel(run_id)
        for run_id in running:
            self.wait(run_id)
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The thread's event loop, begun at the first use. The lock must be held."""
        if self._loop is None:
            ready: Future[asyncio.AbstractEventLoop] = Future()
            self._thread = threading.Thread(target=_live, args=(ready,), name="mailrubric-probing", daemon=True)
            self._thread.start()
            self._loop = ready.result()
        return self._loop

    async def _run(
        self,
        record: _Record,
        jobs: list[Job],
        options: Options,
        store_url: str,
        concurrency: int,
        probes: Sequence[Probe] | None,
        skip_fresh: datetime.timedelta | None,
    ) -> None:
        def heard(event: Progress) -> None:
            with self._lock:
                record.heard(event)

        def began(found: RunRecord) -> None:
            with self._lock:
                record.record = found

        error = ""
        try:
            store = await asyncio.to_thread(_open_store, store_url)
            try:
                summary = await probe_vendors(
                    jobs, options=options, store=store, progress=heard, concurrency=concurrency, probes=probes,
                    stop=record.stop, skip_fresh=skip_fresh, began=began,
                )  # fmt: skip
                record.cancelled = summary.cancelled
            finally:
                await asyncio.to_thread(store.close)
        except Exception as fault:
            # Nobody waits for this coroutine: whatever ended it is shown to the person who looks at the run.
            _log.exception("the run in %s stopped", record.workspace)
            error = str(fault) or type(fault).__name__
        finally:
            with self._lock:
                record.error = error
                record.finished.set()


def _live(ready: Future[asyncio.AbstractEventLoop]) -> None:
    """The background thread's whole life."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.call_soon(ready.set_result, loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _open_store(url: str) -> Store:
    from mailrubric.evidence.store import Store

    return Store(url)


_shared_lock = threading.Lock()
_shared: ProbeService | None = None


def shared_service() -> ProbeService:
    """The one service of this process, made at the first use: whoever asks sees the same runs."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = ProbeService()
        return _shared
