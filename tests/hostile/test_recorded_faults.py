"""Every probe × every fault × every step of its conversations with real servers, generated from their recordings.

Each recording of ``replies/`` is replayed with all probes of its endpoint, once for each thing that happened in it and
each way in which that can go wrong: a connection that is refused, times out or is reset; a reply that is cut off, lost
or never comes; a handshake that fails; a question to DNS that meets SERVFAIL or silence. Nothing is listed by hand, so
a new probe, metric or step is in as soon as it is recorded (``python -m tests.hostile.record_replies``).

With one thing less to be seen, every metric has the value that it had, or no value and a cause; only what counts the
very things that failed may differ, and says so in ``OBSERVES_THE_FAULT``.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest

from probes import registry
from probes.model import Cause, Measurement, Report
from probes.recording import Attempt, Event, Learnt, Recording
from probes.replay import ReplayLoop
from tests.hostile import mutation
from tests.hostile.mutation import OPTIONS, recordings

pytestmark = pytest.mark.slow

DNS = {"servfail": Cause.DNS_SERVFAIL, "silence": Cause.DNS_TIMEOUT}
CONNECTING = {
    "refused": Cause.CONNECTION_REFUSED,
    "connect timeout": Cause.CONNECTION_TIMEOUT,
    "reset at once": Cause.CONNECTION_RESET,
}
HANDSHAKE = {
    "alert": Cause.TLS_ALERT,
    "no TLS": Cause.TLS_HANDSHAKE_ERROR,
    "reset in TLS": Cause.CONNECTION_RESET,
    "silence in TLS": Cause.DEADLINE_EXCEEDED,
}
REPLY = ("end", "half", "reset", "silence")


def faults(recording: Recording) -> Iterator[tuple[str, Recording]]:
    """The recording with one thing gone wrong, for each thing and each way; and what it is."""
    for number, session in enumerate(recording.sessions):

        def changed(what: str, session_number: int = number, **parts: object) -> tuple[str, Recording]:
            sessions = list(recording.sessions)
            sessions[session_number] = dataclasses.replace(sessions[session_number], **parts)  # type: ignore[arg-type]
            return what, dataclasses.replace(recording, sessions=sessions)

        for question in dict.fromkeys(each.question for each in session.learnt):
            for name, cause in DNS.items():
                learnt = [_without(each, cause) if each.question == question else each for each in session.learnt]
                yield changed(f"{name}: {question}", learnt=learnt)
        for place, attempt in enumerate(session.attempts):
            for what, other in _connection_faults(attempt):
                attempts = [*session.attempts[:place], other, *session.attempts[place + 1 :]]
                yield changed(f"connection {place}: {what}", attempts=attempts)


def _without(learnt: Learnt, cause: Cause) -> Learnt:
    return dataclasses.replace(learnt, answer={"cause": cause.value, "detail": "made to fail"})


def _connection_faults(attempt: Attempt) -> Iterator[tuple[str, Attempt]]:
    for name, cause in CONNECTING.items():
        yield name, dataclasses.replace(attempt, cause=cause, detail="made to fail", events=[])
    for place, event in enumerate(attempt.events):
        before = attempt.events[:place]
        if event.kind == "in":
            for how in REPLY:
                yield f"{how} at {place}", dataclasses.replace(attempt, events=[*before, *_instead(event, how)])
        elif event.kind == "tls" and "session" in event.facts:
            for name, cause in HANDSHAKE.items():
                asked = {key: value for key, value in event.facts.items() if key != "session"}
                failed = dataclasses.replace(event, facts=asked | {"cause": cause.value, "detail": "made to fail"})
                yield f"{name} at {place}", dataclasses.replace(attempt, events=[*before, failed])


def _instead(event: Event, how: str) -> list[Event]:
    at = event.at
    if how == "half":
        return [Event(at, "in", event.data[: len(event.data) // 2]), Event(at, "eof"), Event(at + 30, "closed")]
    if how == "silence":
        return [Event(at + 30, "closed")]
    return [Event(at, "lost", text="reset") if how == "reset" else Event(at, "eof"), Event(at + 30, "closed")]


OBSERVES_THE_FAULT = ("reach.", "latency.")
"""Metrics of how often, how fast and at which addresses a server answers: a failure is what they observe."""


REDUNDANT = frozenset({"dkim.evidence"})
"""Metrics for which one of many answers is enough, so that no single failure takes them away."""

BROKEN_TLS = tuple(f"{name} at {place}" for name in ("alert", "no TLS") for place in range(20))


def problems(what: str, truth: dict[str, Measurement], report: Report) -> Iterator[str]:
    """What a report says that it must not say."""
    found = {each.metric: each for each in report.measurements}
    if found.keys() != truth.keys():
        yield f"{what}: other metrics"
    for metric, each in found.items():
        if each.cause is Cause.PROBE_BUG:
            yield f"{what}: {metric} {each.detail}"
        elif metric.endswith(".starttls_works") and each.value is False and what.endswith(BROKEN_TLS):
            continue  # it is the server's TLS that does not work
        elif each.cause is None and each.value != truth[metric].value and not metric.startswith(OBSERVES_THE_FAULT):
            shown = truth[metric].value if truth[metric].cause is None else truth[metric].cause
            yield f"{what}: {metric} is {each.value!r}, but was {shown!r}"


@pytest.mark.parametrize("name", recordings())
def test_one_thing_less_to_be_seen(name: str) -> None:
    recording = recordings()[name]
    wrong: list[str] = []
    cases = 0
    with asyncio.Runner(loop_factory=ReplayLoop) as runner:

        def run(one: Recording) -> Report:
            return runner.run(mutation.run_strictly(one, OPTIONS))

        truth = {each.metric: each for each in run(recording).measurements}
        known = {metric for metric, each in truth.items() if each.cause is None}
        lost: set[str] = set()
        for what, broken in faults(recording):
            cases += 1
            report = run(broken)
            wrong += problems(what, truth, report)
            lost |= {each.metric for each in report.measurements if each.metric in known and each.cause is not None}
    assert not wrong, f"{len(wrong)} faults in {cases} cases\n" + "\n".join(wrong[:60])
    assert cases > 20
    # Every value depends on something that was seen: no probe is without a fault here.
    assert known - lost <= REDUNDANT


def test_every_probe_is_recorded() -> None:
    """A probe that is added has to be recorded, or it would have no recorded faults."""
    shown: set[str] = set()
    with asyncio.Runner(loop_factory=ReplayLoop) as runner:
        for recording in recordings().values():
            report = runner.run(mutation.run_strictly(recording, OPTIONS))
            values = {each.metric for each in report.measurements if each.cause is None}
            shown |= {probe.name for probe in registry.probes() if values & {metric.key for metric in probe.metrics}}
    assert set(registry.shipped_names()) - shown <= NOT_RECORDED


NOT_RECORDED = frozenset({"own_server", "blocklist"})
"""Probes that a recording of somebody's own loopback server shows no value of: one does not run unasked, the other has
nothing to look up of a private address."""
