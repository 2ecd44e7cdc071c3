"""Recordings of many endpoints: where they lie, and vendors' reports made from them instead of from the network."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mailrubric.probing import Job, Progress, StoreFailure, Summary, VendorSummary, count
from probes.recording import RecordingError, file_name, read
from probes.replay import replay
from probes.runner import answered

if TYPE_CHECKING:
    from mailrubric.evidence.store import Store
    from mailrubric.probing import State
    from probes.model import Probe


def path_of(folder: Path, job: Job) -> Path:
    """Where the recording of a job's endpoint lies, or would lie."""
    return folder / file_name(job.endpoint)


def recorded(jobs: Sequence[Job], folder: Path) -> list[Job]:
    """The jobs whose endpoint has a recording in ``folder``."""
    return [job for job in jobs if path_of(folder, job).is_file()]


def replay_vendors(
    jobs: Sequence[Job],
    folder: Path,
    *,
    store: Store | None = None,
    progress: Callable[[Progress], None] | None = None,
    probes: Sequence[Probe] | None = None,
    ca_file: str | None = None,
) -> Summary:
    """Make and store the report of each job from its recording. Opens no socket.

    A report bears the time of its recording: it takes the place of a report of the same time, and of none that is
    newer. A recording that cannot be read is a fault of its endpoint alone. Raises ``StoreFailure`` when a report
    cannot be stored.
    """
    summary = Summary(total=len(jobs))
    for job in jobs:
        vendor = summary.vendors.setdefault(job.vendor_id, VendorSummary())
        state: State = "failed"
        values, causes, fault = 0, collections.Counter[str](), ""
        try:
            recording = read(path_of(folder, job))
            report = replay(recording, endpoint=job.endpoint, probes=probes, ca_file=ca_file)
        except RecordingError as error:
            fault = str(error)
            summary.faults.append((job.vendor_id, job.endpoint.key, fault))
        else:
            if report.endpoint.host == job.endpoint.host:  # otherwise it is an MX host of the job's domain
                report = dataclasses.replace(report, endpoint=job.endpoint)
            if store is not None:
                try:
                    store.add_report(job.vendor_id, report)
                except Exception as error:
                    # Whatever a database can come up with: the run stops, and the caller gets a sentence.
                    sentence = f"the report on {job.endpoint.key} of {job.vendor_id} could not be stored: {error}"
                    raise StoreFailure(sentence, summary) from error
            values, causes = count(report)
            state = "finished" if answered(report) else "failed"
        vendor.states[state] += 1
        vendor.values += values
        vendor.causes.update(causes)
        summary.done += 1
        if progress is not None:
            key = job.endpoint.key
            progress(Progress(summary.done, summary.total, job.vendor_id, key, state, values, causes, fault))
    return summary
