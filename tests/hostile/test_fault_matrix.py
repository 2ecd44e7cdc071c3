"""Every probe × every fault: no crash, no value that was not observed, the right cause, in time."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import math
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from probes import registry
from probes.dns import DNSProbe
from probes.model import DEFAULT_PORTS, ROLES, Cause, Endpoint, Measurement, Probe, Report, Role, Value
from probes.network import Limits, Network, Options
from probes.runner import probe_endpoint
from tests.hostile import faults, faults_dns, faults_web
from tests.hostile.faults import SECOND, SIDE, TARGETS, Case, Target
from tests.hostile.server import Close, Flood, Script, Send, authority_file, serve, serve_in_thread
from tests.probes.dnsserver import name_server, txt

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
        async with serve(*([case.script, case.later] if case.later else [case.script])) as server:
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
    if metric == "latency.samples":
        return isinstance(value, int) and value >= 1
    if metric.startswith("certificate.") and metric.endswith("days_left"):
        return isinstance(value, float) and isinstance(truth, float) and abs(value - truth) < 0.1
    return type(value) is type(truth) and value == truth


def too_few(each: Measurement) -> bool:
    """Whether it is a percentile for which there were too few samples: a fault may cost some, which is no fault."""
    return each.metric.startswith("latency.") and each.metric.endswith("_p95_ms") and each.cause is Cause.NOT_PERMITTED


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
    metric = each.metric
    shown = repr(each.value) if each.cause is None else f"{each.cause.value} ({each.detail})"
    if metric in case.instead:
        return "" if each.value == case.instead[metric] else f"must be {case.instead[metric]!r}, is {shown}"
    if each.cause is truth.cause and each.cause in (Cause.NOT_APPLICABLE, Cause.NOT_PERMITTED):
        return ""  # it never applied, or was never asked
    true = too_few(each) or (each.cause is None and same(metric, each.value, truth.value))
    stage = case.target.stage_of(metric)
    if case.later is not None and stage != SIDE and stage not in SECOND:
        return "" if true or each.cause is truth.cause is not None else f"must be {truth.value!r}, is {shown}"
    if case.later is not None and metric in faults.SHOWN_BY_HANDSHAKE and true:
        return ""  # the main conversation's own handshake showed it
    comes = False
    if stage == SIDE or stage in SECOND:
        comes = case.reached(faults.HANDSHAKE) if stage == SIDE else case.second_reached(stage)
        if (comes and true) or each.cause in case.side:
            return ""
    elif case.reached(stage):
        return "" if true or each.cause is truth.cause is not None else f"must be {truth.value!r}, is {shown}"
    if each.cause in case.causes and not (comes and stage in SECOND):
        return ""
    allowed = ", ".join(sorted(cause.value for cause in case.causes))
    return f"must be missing because of {allowed or 'nothing'}, is {shown}"


def probe_sets() -> list[tuple[Target, str]]:
    """Every target with every probe that applies to it alone, and with all of them together."""
    pairs = []
    for target in TARGETS:
        endpoint = Endpoint(target.role, host="127.0.0.1", port=1, tls=target.mode)
        names = [probe.name for probe in registry.applicable(endpoint)]
        if target.without_tls:
            names = [target.protocol]
        pairs += [(target, name) for name in (TOGETHER, *names)]
    return pairs


def concerns(case: Case, name: str) -> bool:
    """Whether a case can make a difference to this probe: later connections get beyond their greeting and handshake for
    few of them, and under TLS for the second conversation alone."""
    second = (TOGETHER, case.target.protocol, "resumption")
    if case.later is None or name in second or case.place in (faults.GREETING, faults.HANDSHAKE):
        return True
    return name == "tls" and case.place != faults.AFTER_TLS


@pytest.mark.parametrize(("target", "name"), probe_sets(), ids=lambda value: getattr(value, "name", value))
async def test_mail_server(target: Target, name: str, options: Options) -> None:
    probes = None if name == TOGETHER else [registry.probe(name)]
    chosen = [case for case in faults.cases(target) if concerns(case, name)]
    outcomes = await run_all(chosen, probes, options)
    well_behaved = outcomes[0]
    assert well_behaved[0].fault == "well-behaved"
    truth = well_behaved[1].found
    wrong = []
    for case, outcome in outcomes:
        if problems_of(case, outcome, truth):
            # Once more and alone: on a machine with no time left, an honest time-out is no defect of the probe.
            outcome = await run(case, probes, options)
        wrong += [f"{case.name}: {problem}" for problem in problems_of(case, outcome, truth)]
    assert not wrong, f"{len(wrong)} of {len(outcomes)} cases\n" + "\n".join(wrong)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
async def test_well_behaved_server_is_the_truth(target: Target, options: Options) -> None:
    """The matrix compares with what the well-behaved server shows; here that is compared with its script."""
    found = {
        metric: each.value if each.cause is None else each.cause
        for metric, each in (await run(next(faults.cases(target)), None, options)).found.items()
    }
    protocol, upgraded = target.protocol, target.mode == "starttls"
    if target.without_tls:
        assert found[f"{protocol}.starttls"] is found[f"{protocol}.starttls_unadvertised"] is False
        upgrade = ("starttls_works", "starttls_injection", "starttls_command_injection")
        beyond = [*(f"{protocol}.{metric}" for metric in upgrade), "tls.versions", "tls.resumption", "tls.early_data"]
        assert {found[metric] for metric in beyond} == {Cause.TLS_NOT_OFFERED}
        return
    expected: dict[str, object] = {
        f"{protocol}.starttls": Cause.NOT_APPLICABLE if target.mode == "implicit" else True,
        f"{protocol}.starttls_works": True if upgraded else Cause.NOT_APPLICABLE,
        f"{protocol}.starttls_injection": False if upgraded else Cause.NOT_APPLICABLE,
        "tls.versions": Cause.NOT_APPLICABLE if target.mode == "none" else ("TLSv1.2", "TLSv1.3"),
        "certificate.trusted": Cause.NOT_APPLICABLE if target.mode == "none" else True,
        f"{protocol}.starttls_unadvertised": Cause.NOT_APPLICABLE,
        f"{protocol}.starttls_command_injection": False if upgraded else Cause.NOT_APPLICABLE,
        "tls.resumption": Cause.NOT_APPLICABLE if target.mode == "none" else True,
        "tls.early_data": Cause.NOT_APPLICABLE if target.mode == "none" else False,
    }
    if target.mode != "none":
        expected[f"{protocol}.auth_mechanisms"] = ("LOGIN", "PLAIN") if protocol == "smtp" else ("PLAIN",)
    if protocol == "smtp":
        expected |= {"smtp.greeting_name": "hostile.test", "smtp.quit_code": 221, "smtp.pipelining": True}
        expected["smtp.size_limit"] = 1000000 if target.mode == "none" else 2000000
        expected |= {"smtp.dsn": False, "smtp.vrfy_offered": False, "smtp.software_version_shown": False}
        expected |= {"smtp.ehlo_name": "hostile.test", "smtp.ehlo_name_is_greeting_name": True}
        expected["smtp.extensions_only_after_tls"] = ("AUTH",) if upgraded else Cause.NOT_APPLICABLE
    if target.role == "submission":
        expected["smtp.tls_required"] = Cause.NOT_APPLICABLE if target.mode == "implicit" else True
    assert {metric: found[metric] for metric in expected} == expected


# --- web --------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def web_server(case: faults_web.Case) -> AsyncIterator[int]:
    """The port of the case's server."""
    if case.script is not None:
        async with serve(case.script) as server:
            yield server.port
    else:
        with faults.nobody() if case.listening == "no" else faults.black_hole() as port:
            yield port


def web_problem(each: Measurement, expected: faults_web.Expected, truth: Measurement) -> str:
    """What is wrong with one measurement of a web server; "" when nothing is."""
    shown = repr(each.value) if each.cause is None else f"{each.cause.value} ({each.detail})"
    if truth.cause is Cause.NOT_APPLICABLE and each.cause is Cause.NOT_APPLICABLE:
        return ""
    if isinstance(expected, Mapping):
        wanted = expected.get(each.metric)
        if wanted is None:
            is_true = same(each.metric, each.value, truth.value) if each.cause is None else each.cause is truth.cause
            is_true = is_true or too_few(each)
            return "" if is_true else f"must be {truth.value!r}, is {shown}"
        if not isinstance(wanted, frozenset):
            return (
                "" if each.value == wanted and type(each.value) is type(wanted) else f"must be {wanted!r}, is {shown}"
            )
        expected = wanted
    if each.cause in expected:
        return ""
    return f"must be missing because of {', '.join(sorted(expected))}, is {shown}"


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("role", faults_web.ROLES)
async def test_web_server(role: Role, scheme: str, options: Options) -> None:
    turn = asyncio.Semaphore(AT_ONCE)

    async def run_web(case: faults_web.Case) -> Outcome:
        async with turn, web_server(case) as port:
            endpoint = Endpoint(
                role, url=f"{scheme}://127.0.0.1:{port}/", kind="statuspage" if role == "status" else ""
            )
            return await timed(endpoint, options, None)

    every = list(faults_web.cases(scheme))
    chosen = [case for case in every if not case.alone]
    outcomes = list(await asyncio.gather(*map(run_web, chosen)))
    for case in every:
        if case.alone:
            chosen.append(case)
            outcomes.append(await run_web(case))
    truth = outcomes[0].found
    assert (truth["http.status"].value, truth["http.reachable"].value) == (200, True)
    assert truth["http.hsts"].value is (scheme == "https")
    if role == "status":
        assert (truth["status.indicator"].value, truth["status.components"].value) == ("none", 1)

    def problems(case: faults_web.Case, outcome: Outcome) -> list[str]:
        assert set(outcome.found) == set(truth)
        found = [f"{case.name}: {problem}" for problem in check_time_and_bugs(outcome)]
        for metric, each in outcome.found.items():
            problem = web_problem(each, case.expected(metric), truth[metric])
            if problem and each.cause is not Cause.PROBE_BUG:
                found.append(f"{case.name}: {metric} {problem}")
        return found

    wrong = []
    for case, outcome in zip(chosen, outcomes, strict=True):
        if problems(case, outcome):
            outcome = await run_web(case)  # once more and alone, see test_mail_server
        wrong += problems(case, outcome)
    assert not wrong, f"in {len(outcomes)} cases\n" + "\n".join(wrong)


# --- DNS --------------------------------------------------------------------------------------------------------------


def named_endpoints() -> list[Endpoint]:
    """One endpoint of every role, each to be found by a name."""
    mail = [
        Endpoint(role, host="mail.hostile.test", port=port, tls=mode) for (role, mode), port in DEFAULT_PORTS.items()
    ]
    web = [Endpoint(role, url="https://www.hostile.test/", kind="statuspage") for role in faults_web.ROLES]
    policy = [Endpoint(role, domain="hostile.test", selectors=("s1",)) for role in ("domain", "sending")]
    return [*mail, Endpoint("mx", domain="hostile.test", port=25), *web, *policy]


def test_every_role_and_probe_is_in_the_matrix() -> None:
    """A probe that is added joins the matrix by itself; a role that is added has to be put there."""
    endpoints = named_endpoints()
    assert {endpoint.role for endpoint in endpoints} == set(ROLES)
    reached = {probe.name for endpoint in endpoints for probe in registry.applicable(endpoint)}
    assert reached == set(registry.names())
    assert {target.role for target in TARGETS} | set(faults_web.ROLES) | {"domain", "sending"} == set(ROLES)


@pytest.mark.parametrize("fault", faults_dns.FAULTS, ids=lambda fault: fault.name)
async def test_name_server(fault: faults_dns.Fault, options: Options) -> None:
    def problems_at(endpoint: Endpoint, outcome: Outcome) -> list[str]:
        wrong = [f"{endpoint.key}: {problem}" for problem in check_time_and_bugs(outcome)]
        for each in outcome.report.measurements:
            never = each.cause is Cause.NOT_APPLICABLE and endpoint.tls != "starttls" and endpoint.host != ""
            # Whose server it is, is asked before its name.
            never = never or (each.cause is Cause.NOT_PERMITTED and each.metric.startswith("own_server."))
            if each.cause not in fault.causes and not never:
                shown = repr(each.value) if each.cause is None else f"{each.cause.value} ({each.detail})"
                wrong.append(f"{endpoint.key}: {each.metric.partition('.')[0]} metrics: {shown}")
        return wrong

    turn = asyncio.Semaphore(AT_ONCE)
    async with faults_dns.failing_server(fault) as resolver:
        asking = dataclasses.replace(options, resolver=resolver)

        async def ask(endpoint: Endpoint) -> Outcome:
            async with turn:
                return await timed(endpoint, asking, None)

        endpoints = named_endpoints()
        outcomes = await asyncio.gather(*map(ask, endpoints))
        wrong = []
        for endpoint, outcome in zip(endpoints, outcomes, strict=True):
            if problems_at(endpoint, outcome):
                wrong += problems_at(endpoint, await ask(endpoint))  # once more and alone, see test_mail_server
    assert not wrong, "\n".join(dict.fromkeys(wrong))


KEY = base64.b64encode(
    rsa.generate_private_key(public_exponent=65537, key_size=1024)
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()

ZONE: dict[str, dict[str, list[str]]] = {
    "hostile.test": {
        "MX": ["10 mx1.hostile.test.", "20 mx2.hostile.test."],
        "TXT": ['"v=spf1 include:a.hostile.test mx redirect=b.hostile.test"'],
        "CAA": [],
    },
    "test": {"CAA": ['0 issue "authority.test"']},
    "a.hostile.test": {"TXT": ['"v=spf1 a:mx1.hostile.test ip4:192.0.2.0/28 -all"']},
    "b.hostile.test": {"TXT": ['"v=spf1 ip4:198.51.100.0/24 -all"']},
    "mx1.hostile.test": {"A": ["127.0.0.1"], "AAAA": []},
    "mx2.hostile.test": {"A": ["127.0.0.1"], "AAAA": ["::1"]},
    "_dmarc.hostile.test": {"TXT": ['"v=DMARC1; p=reject; rua=mailto:a@reports.test"']},
    "hostile.test._report._dmarc.reports.test": {"TXT": ['"v=DMARC1"']},
    "default._bimi.hostile.test": {"TXT": ['"v=BIMI1; l=https://hostile.test/logo.svg"']},
    "_mta-sts.hostile.test": {"TXT": ['"v=STSv1; id=1;"']},
    "mta-sts.hostile.test": {"A": ["127.0.0.1"]},
    "_smtp._tls.hostile.test": {"TXT": ['"v=TLSRPTv1; rua=mailto:a@hostile.test"']},
    "s1._domainkey.hostile.test": {"TXT": [txt(f"v=DKIM1; k=rsa; p={KEY}")]},
}
POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: *.hostile.test\r\nmax_age: 86400\r\n"


@pytest.mark.parametrize("role", ["domain", "sending"])
async def test_name_server_that_fails_for_one_question(role: Role, options: Options) -> None:
    """Every question that the probe asks is answered once with SERVFAIL, once with REFUSED and once not at all: what
    does not depend on it stays as it was, and nothing becomes anything else."""
    endpoint = Endpoint(role, domain="hostile.test", selectors=("s1",))
    said = faults_web.response(POLICY).replace(b"application/json", b"text/plain")
    policy_server = faults_web.served("https", (Send(said), Close()), name="mta-sts.hostile.test")
    async with serve(policy_server) as server:
        probes = [DNSProbe(mta_sts_port=server.port)]

        async def ask(records: Mapping[str, Mapping[str, Sequence[str]]]) -> tuple[Outcome, list[tuple[str, str]]]:
            async with name_server(records) as asked:
                outcome = await timed(endpoint, dataclasses.replace(options, resolver=asked.resolver), probes)
                return outcome, asked.questions

        healthy, questions = await ask(ZONE)
        truth = healthy.found
        assert [metric for metric, each in truth.items() if each.cause is not None] == []
        turn = asyncio.Semaphore(AT_ONCE)

        async def broken(name: str, kind: str, how: str) -> list[str]:
            zone = {**ZONE, name: {**ZONE.get(name, {}), f"FAULT/{kind}": [how]}}
            async with turn:
                outcome, _ = await ask(zone)
            case = f"{how} for {name} {kind}"
            allowed = faults_dns.NO_ANSWER if how == "SILENT" else faults_dns.FAILURE
            wrong = [f"{case}: {problem}" for problem in check_time_and_bugs(outcome)]
            changed = 0
            for metric, each in outcome.found.items():
                if each.cause is None and same(metric, each.value, truth[metric].value):
                    continue
                changed += 1
                if each.cause not in allowed:
                    wrong.append(f"{case}: {metric} is {each.value!r} {each.cause} ({each.detail})")
            if role == "domain" and changed > len(truth) / 2:
                wrong.append(f"{case}: costs {changed} of {len(truth)} metrics")
            return wrong

        asked_once = sorted(set(questions))
        assert len(asked_once) >= (9 if role == "domain" else 4)

        async def broken_again(name: str, kind: str, how: str) -> list[str]:
            for _ in range(3):  # a starved machine runs into the deadline now and then, not every time
                wrong = await broken(name, kind, how)
                if not wrong:
                    break
            return wrong

        results = await asyncio.gather(
            *(broken_again(name, kind, how) for name, kind in asked_once for how in ("SERVFAIL", "REFUSED", "SILENT"))
        )
    wrong = [problem for result in results for problem in result]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("fault", list(faults_web.cases("https"))[1:], ids=lambda case: case.name)
async def test_policy_server(fault: faults_web.Case, options: Options) -> None:
    """Faults of the server that holds the MTA-STS policy: a policy is never made of them."""
    patient = dataclasses.replace(LIMITS, dns_timeout=DEADLINE)  # the name server is not what fails
    async with name_server(ZONE) as asked, web_server(fault) as port:
        asking = dataclasses.replace(options, limits=patient, resolver=asked.resolver)
        outcome = await timed(Endpoint("domain", domain="hostile.test"), asking, [DNSProbe(mta_sts_port=port)])
    assert check_time_and_bugs(outcome) == []
    found = outcome.found
    assert found["mta_sts.record"].value is True
    assert found["dmarc.policy"].value == "reject"
    mode = found["mta_sts.mode"]
    if isinstance(fault.http, frozenset):
        assert mode.cause in fault.http, mode
    else:
        # The server's certificate is not for the policy's name: whatever it says, there is no policy.
        assert mode.value == "absent", mode
    assert found["mta_sts.covers_mx"].value is None
    assert found["mta_sts.max_age"].value is None


# --- memory -----------------------------------------------------------------------------------------------------------

MEMORY = 32 * 1024 * 1024
"""Bytes by which one process may grow, however much it is sent."""


def floods() -> dict[str, list[tuple[dict[str, object], Script]]]:
    """The cases in which a server sends without end, or much at once: group → (endpoint without its port, script); the
    first of each is well-behaved."""
    found: dict[str, list[tuple[dict[str, object], Script]]] = {}
    kinds = ("endless reply", "endless line", "line of 1 MiB")
    for target in (target for target in TARGETS if not target.without_tls):
        place: dict[str, object] = {"role": target.role, "host": "127.0.0.1", "tls": target.mode}
        every = [case for case in faults.cases(target) if case.script is not None and case.later is None]
        # (What most protocols answer to a farewell is no metric, so nothing would be missing.)
        chosen = [every[0], *(case for case in every if case.fault in kinds and case.place != faults.QUIT)]
        found[target.name] = [(place, case.script or ()) for case in chosen]
    for scheme in ("http", "https"):
        named = [case for case in faults_web.cases(scheme) if case.script is not None]
        chosen_web = [named[0], *(case for case in named if {"endless", "MiB", "TiB"} & set(case.name.split()))]
        place = {"role": "status", "kind": "statuspage", "url": scheme}
        found[scheme] = [(place, case.script or ()) for case in chosen_web]
    return found


@pytest.mark.parametrize("group", floods())
def test_memory_is_bounded(group: str) -> None:
    cases = floods()[group]
    assert len(cases) > 5
    places: list[dict[str, object]] = []
    with contextlib.ExitStack() as running:
        for place, script in cases:
            port = running.enter_context(serve_in_thread(script)).port
            if "url" in place:
                places.append(place | {"url": f"{place['url']}://127.0.0.1:{port}/"})
            else:
                places.append(place | {"port": port})
        done = subprocess.run(
            [sys.executable, "-m", "tests.hostile.memory"],
            check=True,
            input=json.dumps(places),
            capture_output=True,
            text=True,
            timeout=90,
            cwd=Path(__file__).parents[2],
        )
    result = json.loads(done.stdout)
    assert result["growth"] < MEMORY, result
    # The floods were met, not avoided: all is well without one, and something is missing because of each.
    # (The measuring process does not know the authority, so it cannot say whether a chain is complete.)
    fine = {"", "not_applicable", "not_permitted", "tls_client_unsupported"}
    assert set(result["causes"][0]) <= fine, result
    assert not any("probe_bug" in causes for causes in result["causes"]), result
    assert all(set(causes) - fine for causes in result["causes"][1:]), result


async def test_a_flood_that_nobody_reads_is_not_kept(options: Options) -> None:
    """While a probe waits for something else, reading stops: bytes beyond 64 KiB and a piece stay with the system."""
    endpoint = Endpoint("submission", host="127.0.0.1")
    async with serve((Flood(b"220-and there is more\r\n"),)) as server, Network(endpoint, options) as network:
        connection = await network.dial("127.0.0.1", server.port)
        await asyncio.sleep(0.5)
        assert 64 * 1024 <= len(connection.buffered) <= 80 * 1024
