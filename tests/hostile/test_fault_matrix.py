"""Every probe × every fault: no crash, no value that was not observed, the right cause, in time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from probes import registry
from probes.model import Cause, Endpoint, Measurement, Probe, Report, Value
from probes.network import Limits, Options
from probes.runner import probe_endpoint
from tests.hostile import faults
from tests.hostile.faults import MAIL, SIDE, TARGETS, Case, Target, stage_of
from tests.hostile.server import authority_file, serve

pytestmark = pytest.mark.slow

DEADLINE = 3.0
GRACE = 1.0
"""How much later than its deadline a report may come."""
AT_ONCE = 8
"""Cases under way at once; client and servers share one thread."""

LIMITS = Limits(
    deadline=DEADLINE,
    connect_timeout=0.8,
    greeting_timeout=0.8,
    greeting_timeout_mx=0.8,
    read_timeout=0.8,
    dns_timeout=0.8,
    spacing_mx=0.01,
    concurrent_per_address_mx=1,
)

TOGETHER = "together"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Short limits, loopback allowed, the scripted servers' authority trusted."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return Options(
        limits=LIMITS, allow_private=True, ca_file=str(authority_file(folder)), ehlo_name="probe.example.test"
    )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A report and how long it took, in seconds."""

    report: Report
    seconds: float

    @property
    def found(self) -> dict[str, Measurement]:
        return {each.metric: each for each in self.report.measurements}


async def timed(endpoint: Endpoint, options: Options, probes: Sequence[Probe] | None) -> Outcome:
    began = time.perf_counter()
    report = await probe_endpoint(endpoint, options=options, probes=probes)
    return Outcome(report, time.perf_counter() - began)


# --- mail -------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(case: Case) -> AsyncIterator[int]:
    """The port of the case's server."""
    if case.script is not None:
        async with serve(case.script) as server:
            yield server.port
    else:
        with faults.nobody() if case.listening == "no" else faults.black_hole() as port:
            yield port


async def run(case: Case, probes: Sequence[Probe] | None, options: Options) -> Outcome:
    async with listening(case) as port:
        endpoint = Endpoint(case.target.role, host="127.0.0.1", port=port, tls=case.target.mode)
        return await timed(endpoint, options, probes)


async def run_all(
    chosen: Iterable[Case], probes: Sequence[Probe] | None, options: Options
) -> list[tuple[Case, Outcome]]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> tuple[Case, Outcome]:
        async with turn:
            return case, await run(case, probes, options)

    return await asyncio.gather(*map(one, chosen))


def same(metric: str, value: Value | None, truth: Value | None) -> bool:
    """Whether a value is the truth; a time is true when it can be one."""
    if metric.endswith("_ms"):
        return isinstance(value, float) and math.isfinite(value) and 0 <= value <= 1000 * DEADLINE
    if metric == "certificate.days_left":
        return isinstance(value, float) and isinstance(truth, float) and abs(value - truth) < 0.1
    return type(value) is type(truth) and value == truth


def problems_of(case: Case, outcome: Outcome, truth: Mapping[str, Measurement]) -> list[str]:
    """What the report on a case says that it must not say, or leaves out."""
    problems = check_time_and_bugs(outcome)
    if set(outcome.found) != set(truth):
        problems.append(f"metrics differ: {sorted(set(outcome.found) ^ set(truth))}")
    for metric, each in outcome.found.items():
        if each.cause is Cause.PROBE_BUG or metric not in truth:
            continue
        problem = problem_of(case, each, truth[metric])
        if problem:
            problems.append(f"{metric} {problem}")
    return problems


def check_time_and_bugs(outcome: Outcome) -> list[str]:
    problems = []
    if outcome.seconds > DEADLINE + GRACE:
        problems.append(f"took {outcome.seconds:.2f} s")
    problems += [
        f"{each.metric}: {each.detail}" for each in outcome.report.measurements if each.cause is Cause.PROBE_BUG
    ]
    return problems


def problem_of(case: Case, each: Measurement, truth: Measurement) -> str:
    metric, mode = each.metric, case.target.mode
    shown = repr(each.value) if each.cause is None else f"{each.cause.value} ({each.detail})"
    if metric in case.instead:
        return "" if each.value == case.instead[metric] else f"must be {case.instead[metric]!r}, is {shown}"
    if truth.cause is Cause.NOT_APPLICABLE and each.cause is Cause.NOT_APPLICABLE:
        return ""  # it never applied
    true = each.cause is None and same(metric, each.value, truth.value)
    stage = stage_of(metric, mode)
    if stage in (SIDE, MAIL):
        last = faults.HANDSHAKE if stage == SIDE else faults.CAPABILITIES
        comes = case.reached(last) and not (stage == MAIL and case.place == MAIL)
        if comes and (true or each.cause in case.side):
            return ""
    elif case.reached(stage):
        return "" if true or each.cause is truth.cause is not None else f"must be {truth.value!r}, is {shown}"
    if each.cause in case.causes or (stage in (SIDE, MAIL) and each.cause in case.side):
        return ""
    allowed = ", ".join(sorted(cause.value for cause in case.causes))
    return f"must be missing because of {allowed or 'nothing'}, is {shown}"


def probe_sets() -> list[tuple[Target, str]]:
    """Every target with every probe that applies to it alone, and with all of them together."""
    pairs = []
    for target in TARGETS:
        endpoint = Endpoint(target.role, host="127.0.0.1", port=1, tls=target.mode)
        names = [probe.name for probe in registry.applicable(endpoint)]
        pairs += [(target, name) for name in (TOGETHER, *names)]
    return pairs


@pytest.mark.parametrize(("target", "name"), probe_sets(), ids=lambda value: getattr(value, "name", value))
async def test_mail_server(target: Target, name: str, options: Options) -> None:
    probes = None if name == TOGETHER else [registry.probe(name)]
    chosen = list(faults.cases(target))
    outcomes = await run_all(chosen, probes, options)
    well_behaved = outcomes[0]
    assert well_behaved[0].fault == "well-behaved"
    truth = well_behaved[1].found
    wrong = [f"{case.name}: {problem}" for case, outcome in outcomes for problem in problems_of(case, outcome, truth)]
    assert not wrong, f"{len(wrong)} of {len(outcomes)} cases\n" + "\n".join(wrong)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
async def test_well_behaved_server_is_the_truth(target: Target, options: Options) -> None:
    """The matrix compares with what the well-behaved server shows; here that is compared with its script."""
    found = {
        metric: each.value if each.cause is None else each.cause
        for metric, each in (await run(next(faults.cases(target)), None, options)).found.items()
    }
    protocol, upgraded = target.protocol, target.mode == "starttls"
    expected: dict[str, object] = {
        f"{protocol}.starttls": Cause.NOT_APPLICABLE if target.mode == "implicit" else True,
        f"{protocol}.starttls_works": True if upgraded else Cause.NOT_APPLICABLE,
        f"{protocol}.starttls_injection": False if upgraded else Cause.NOT_APPLICABLE,
        "tls.versions": Cause.NOT_APPLICABLE if target.mode == "none" else ("TLSv1.2", "TLSv1.3"),
        "certificate.trusted": Cause.NOT_APPLICABLE if target.mode == "none" else True,
    }
    if target.mode != "none":
        expected[f"{protocol}.auth_mechanisms"] = ("LOGIN", "PLAIN") if protocol == "smtp" else ("PLAIN",)
    if protocol == "smtp":
        expected |= {"smtp.greeting_name": "hostile.test", "smtp.quit_code": 221, "smtp.pipelining": True}
        expected["smtp.size_limit"] = 1000000 if target.mode == "none" else 2000000
        expected["smtp.dsn"] = False
    if target.role == "submission":
        expected["smtp.tls_required"] = Cause.NOT_APPLICABLE if target.mode == "implicit" else True
    assert {metric: found[metric] for metric in expected} == expected
