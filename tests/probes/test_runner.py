"""From a target to a report: URLs, MX hosts, guards, the JSON document, and what is imported for it."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from probes import registry
from probes.model import Cause, Endpoint, Measurement, Metric, Probe, Role, Unmeasured, Value
from probes.network import Limits, Network, Options, Surroundings
from probes.runner import SCHEMES, expand, parse_target, probe_endpoint, report_to_json
from tests.hostile.server import Send, Silence, authority_file, imap, pop3, serve, sieve, smtp
from tests.probes.dnsserver import name_server, txt

LIMITS = Limits(deadline=3, connect_timeout=1, greeting_timeout=0.5, read_timeout=0.5, dns_timeout=0.5, spacing_mx=0.0)
OPTIONS = Options(limits=LIMITS, allow_private=True, ehlo_name="probe.example", vantage="test bench")


# --- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("smtp://mx.example.com", Endpoint("submission", host="mx.example.com", port=587)),
        ("smtp://mx.example.com:2525/", Endpoint("submission", host="mx.example.com", port=2525)),
        ("submission://mx.example.com", Endpoint("submission", host="mx.example.com", port=587)),
        ("SMTPS://Mx.Example.com.", Endpoint("submission", host="mx.example.com", port=465, tls="implicit")),
        ("submissions://127.0.0.1:1465", Endpoint("submission", host="127.0.0.1", port=1465, tls="implicit")),
        ("smtp://[2001:DB8::1]:587", Endpoint("submission", host="2001:db8::1", port=587)),
        ("smtp://münchen.example", Endpoint("submission", host="xn--mnchen-3ya.example", port=587)),
        ("mx://example.com", Endpoint("mx", domain="example.com", port=25)),
        ("mx://example.com:2525", Endpoint("mx", domain="example.com", port=2525)),
        ("mx://127.0.0.1:2525", Endpoint("mx", host="127.0.0.1", port=2525)),
        ("mx://[::1]", Endpoint("mx", host="::1", port=25)),
        ("mx://localhost:2525", Endpoint("mx", host="localhost", port=2525)),
        ("imap://h.example", Endpoint("imap", host="h.example", port=143)),
        ("imaps://h.example", Endpoint("imap", host="h.example", port=993, tls="implicit")),
        ("pop3://h.example", Endpoint("pop3", host="h.example", port=110)),
        ("pop3s://h.example", Endpoint("pop3", host="h.example", port=995, tls="implicit")),
        ("sieve://h.example", Endpoint("sieve", host="h.example", port=4190)),
        ("dns://example.com", Endpoint("domain", domain="example.com")),
        ("https://api.example.com/v1?x=y", Endpoint("web", url="https://api.example.com/v1?x=y")),
        (" http://localhost:8080 ", Endpoint("web", url="http://localhost:8080")),
    ],
)
def test_targets(url: str, endpoint: Endpoint) -> None:
    assert parse_target(url) == endpoint


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mx.example.com", "begins with none of smtp://"),
        ("ftp://x", "begins with none of smtp://"),
        ("", "begins with none of"),
        ("smtp:x", "begins with none of"),
        ("smtp://", "names no host"),
        ("dns://", "names no domain"),
        ("mx://:25", "names no domain"),
        ("smtp://x:0", "from 1 to 65535"),
        ("smtp://x:65536", "from 1 to 65535"),
        ("smtp://x:many", "from 1 to 65535"),
        ("smtp://x:-5", "from 1 to 65535"),
        ("smtp://x:", "port after the colon is missing"),
        ("smtp://2001:db8::1", "stands in brackets"),
        ("smtp://[2001:db8::1", "not valid"),
        ("smtp://[nonsense]:25", "not valid"),
        ("smtp://user:secret@x", "no place here"),
        ("smtp://x/path", "nothing may follow"),
        ("smtp://x?starttls=no", "nothing may follow"),
        ("smtp://a..b", "two dots in a row"),
        ("smtp://" + "x" * 64, "63 characters"),
        ("smtp://1.2.3", "last label is a number"),
        ("smtp://a b", "no host name"),
        ("smtp://\x1b[2J", "no"),
        ("dns://example.com:53", "--resolver"),
        ("dns://127.0.0.1", "--resolver"),
        ("https://", "names no host"),
        ("https://u:secret@x/", "user name or password"),
        ("ftp://u:secret@x/", "begins with none of"),
    ],
)
def test_what_is_no_target_is_explained(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\x00-\x1f\x7f]*$") as problem:
        parse_target(url)
    assert words in str(problem.value)
    assert "secret" not in str(problem.value)


def test_every_scheme_is_known() -> None:
    for scheme in SCHEMES:
        parse_target(f"{scheme}://localhost")


# --- the registry -----------------------------------------------------------------------------------------------------


def test_the_registry_agrees_with_the_probes() -> None:
    assert registry.names() == (
        "smtp", "imap", "pop3", "sieve", "tls", "resumption", "certificate", "dns", "names", "dnssec", "dane",
        "blocklist", "delegation", "bimi", "discovery", "own_server", "http", "security_txt", "status", "reach",
        "latency",
    )  # fmt: skip
    for name, entry in registry._SHIPPED.items():
        probe = registry.probe(name)
        assert probe.name == name
        assert probe.roles == entry.roles
    with pytest.raises(KeyError):
        registry.probe("nosuch")


def test_every_metric_is_declared_once_and_completely() -> None:
    metrics = registry.metrics()
    assert [metric.key for metric in metrics] == sorted({metric.key for metric in metrics})
    for metric in metrics:
        assert metric.meaning.endswith(".") or metric.meaning.endswith(")"), metric.key
        assert (metric.type == "level") == bool(metric.levels), metric.key
        assert registry.unit(metric.key) == metric.unit
    assert registry.unit("smtp.size_limit") == "B"
    assert registry.unit("no.such") == ""


def test_what_applies_to_an_endpoint() -> None:
    names = {
        role: [probe.name for probe in registry.applicable(Endpoint(role))]
        for role in ("submission", "mx", "imap", "domain", "status", "web")
    }
    assert names == {
        "submission": [
            "smtp", "tls", "resumption", "certificate", "names", "blocklist", "own_server", "reach", "latency",
        ],
        "mx": [
            "smtp", "tls", "resumption", "certificate", "names", "dnssec", "dane", "blocklist", "own_server", "reach",
            "latency",
        ],
        "imap": ["imap", "tls", "resumption", "certificate", "names", "reach", "latency"],
        "domain": ["dns", "names", "dnssec", "delegation", "bimi", "discovery"],
        "status": ["tls", "resumption", "certificate", "http", "status", "latency"],
        "web": ["tls", "resumption", "certificate", "http", "security_txt", "latency"],
    }  # fmt: skip


MINE = """
from probes.model import Metric

class Mine:
    name = 'mine'
    roles = frozenset({'mx'})
    metrics = (Metric('mine.answer', 'integer', 'The answer.', unit='B'),)

    async def measure(self, endpoint, network):
        return []

PROBE = Mine()
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """An empty folder of one's own probes, forgotten afterwards."""
    yield tmp_path
    registry.add_folder(tmp_path / "nothing")


def test_a_folder_of_ones_own_probes(own: Path) -> None:
    for helper in ("_helper.py", "test_mine.py", "conftest.py"):
        (own / helper).write_text("raise RuntimeError('neither helpers nor tests are probes')")
    (own / "mine.py").write_text(MINE)
    (added,), broken = registry.add_folder(own)
    assert broken == ()
    assert registry.probe("mine") is added
    assert registry.applicable(Endpoint("mx"))[-1] is added
    assert registry.unit("mine.answer") == "B"
    assert registry.add_folder(own)[0] == (added,)  # unchanged, so not run again
    assert registry.add_folder(own / "nothing") == ((), ())
    assert "mine" not in registry.names()
    assert registry.unit("mine.answer") == ""
    (own / "__init__.py").write_text("")  # a package, such as another checkout's
    assert registry.add_folder(own) == ((), ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "broken.py: it sets no PROBE"),
        ("x = (\n", "broken.py:1: SyntaxError"),
        ("\n\nimport sys\nsys.exit(3)\n", "broken.py:4: SystemExit"),
        ("def f():\n    return 1 / 0\nf()\n", "broken.py:2: ZeroDivisionError"),
        (MINE.replace("Mine()", "Mine"), "PROBE is a class"),
        (MINE.replace("'mine'", "'My Probe'"), "name"),
        (MINE.replace("{'mx'}", "{'king'}"), "roles"),
        (MINE.replace("frozenset({'mx'})", "frozenset()"), "roles"),
        (MINE.replace("(Metric", "(1, Metric"), "metrics"),
        (MINE.replace("mine.answer", "smtp.greeting_name"), "does not begin with the probe's name"),
        (MINE.replace("'integer'", "'level'"), "levels"),
        (MINE.replace("async def", "def"), "async def measure"),
        (MINE.replace("'mine'", "'spf'").replace("mine.answer", "spf.record"), "the probe dns has a metric spf.record"),
    ],
)
def test_a_broken_file_names_its_fault_and_costs_the_others_nothing(own: Path, text: str, words: str) -> None:
    (own / "broken.py").write_text(text)
    (own / "mine.py").write_text(MINE.replace("'mine'", "'other'").replace("mine.answer", "other.answer"))
    found, (broken,) = registry.add_folder(own)
    assert [each.name for each in found] == ["other"]
    assert words in str(broken)
    assert broken.path == own / "broken.py"


# --- guards -----------------------------------------------------------------------------------------------------------


class Scripted:
    """A probe that does what it is told."""

    def __init__(
        self, name: str, *returned: Measurement, raises: BaseException | None = None, waits: float = 0
    ) -> None:
        self.name = name
        self.roles: frozenset[Role] = frozenset({"submission"})
        self.metrics = (
            Metric(f"{name}.flag", "boolean", "A flag."),
            Metric(f"{name}.count", "integer", "A count."),
            Metric(f"{name}.mx_only", "text", "Not here.", roles=frozenset({"mx"})),
        )
        self._returned = returned
        self._raises = raises
        self._waits = waits

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        await asyncio.sleep(self._waits)
        if self._raises is not None:
            raise self._raises
        return self._returned


ENDPOINT = Endpoint("submission", host="127.0.0.1", port=1)


async def run(*probes: Probe, **limits: Any) -> dict[str, Measurement]:
    options = dataclasses.replace(OPTIONS, limits=dataclasses.replace(LIMITS, **limits))
    report = await probe_endpoint(ENDPOINT, options=options, probes=probes)
    keys = [each.metric for each in report.measurements]
    assert keys == sorted(set(keys))
    return {each.metric: each for each in report.measurements}


async def test_one_probe_never_costs_another_its_results() -> None:
    found = await run(
        Scripted("good", Measurement("good.flag", True), Measurement("good.count", 3)),
        Scripted("buggy", raises=KeyError("\x1b[2Jno such\nthing")),
        Scripted("stopped", raises=Unmeasured(Cause.THROTTLED, "421 later")),
    )
    assert (found["good.flag"].value, found["good.count"].value) == (True, 3)
    for key in ("buggy.flag", "buggy.count"):
        assert found[key].cause is Cause.PROBE_BUG
        assert found[key].detail.startswith("KeyError: ")
        assert found[key].detail.isprintable()
    assert {(found[key].cause, found[key].detail) for key in ("stopped.flag", "stopped.count")} == {
        (Cause.THROTTLED, "421 later")
    }
    assert len(found) == 6


async def test_a_metric_that_is_not_returned_is_a_bug_and_one_that_does_not_apply_is_absent() -> None:
    found = await run(
        Scripted("lazy", Measurement("lazy.flag", False), Measurement("lazy.mx_only", "x"), Measurement("other.x", 1))
    )
    assert found["lazy.flag"].value is False
    assert found["lazy.count"].cause is Cause.PROBE_BUG
    assert set(found) == {"lazy.flag", "lazy.count"}


@pytest.mark.parametrize("value", [True, "3", 3.5, ("a",)])
async def test_a_value_of_the_wrong_type_is_a_bug(value: Value) -> None:
    found = await run(Scripted("odd", Measurement("odd.count", value), Measurement("odd.flag", True)))
    assert found["odd.count"].cause is Cause.PROBE_BUG
    assert "type integer" in found["odd.count"].detail
    assert found["odd.flag"].value is True


async def test_a_metric_returned_twice_is_a_bug() -> None:
    found = await run(Scripted("twice", Measurement("twice.flag", True), Measurement("twice.flag", False)))
    assert found["twice.flag"].cause is Cause.PROBE_BUG


async def test_a_probe_that_ignores_the_deadline_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.runner._GRACE", 0.1)
    found = await run(Scripted("slow", waits=30), Scripted("quick", Measurement("quick.flag", True)), deadline=0.1)
    assert found["slow.flag"].cause is Cause.DEADLINE_EXCEEDED
    assert found["quick.flag"].value is True


async def test_a_timeout_of_the_probes_own_is_a_bug() -> None:
    found = await run(Scripted("timid", raises=TimeoutError("mine")))
    assert found["timid.flag"].cause is Cause.PROBE_BUG


async def test_cancelling_passes_through_and_leaves_nothing_open() -> None:
    async with serve((Silence(),)) as server:
        endpoint = Endpoint("submission", host="127.0.0.1", port=server.port)
        task = asyncio.create_task(probe_endpoint(endpoint, options=OPTIONS))
        await asyncio.sleep(0.1)
        assert server.sessions
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.05)
        assert all(session.finished for session in server.sessions)


# --- MX ---------------------------------------------------------------------------------------------------------------

ZONE = {
    "example.test": {"MX": ["20 b.example.test.", "10 a.example.test.", "30 A.example.test.", "40 c.example.test.",
                            "50 d.example.test."]},
    "a.example.test": {"A": ["127.0.0.1"]},
    "b.example.test": {"A": ["127.0.0.1"]},
    "c.example.test": {"A": ["127.0.0.1"]},
    "nomail.test": {"MX": ["0 ."]},
    "bare.test": {"A": ["127.0.0.1"]},
    "broken.test": {"FAULT": ["SERVFAIL"]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "hosts"),
    [("example.test", ["a.example.test", "b.example.test", "c.example.test"]), ("bare.test", ["bare.test"])],
)
async def test_mx_hosts_of_a_domain(domain: str, hosts: list[str]) -> None:
    endpoint = Endpoint("mx", domain=domain, port=25)
    async with name_server(ZONE) as names:
        options = dataclasses.replace(OPTIONS, resolver=names.resolver)
        async with Network(endpoint, options) as network:
            found = await expand(endpoint, network)
    assert [each.host for each in found] == hosts
    assert {(each.domain, each.port, each.role) for each in found} == {(domain, 25, "mx")}


async def test_other_endpoints_are_not_expanded() -> None:
    async with Network(ENDPOINT, OPTIONS) as network:
        assert await expand(ENDPOINT, network) == (ENDPOINT,)
        host = Endpoint("mx", host="127.0.0.1", port=25)
        assert await expand(host, network) == (host,)


@pytest.mark.parametrize(
    ("domain", "cause"),
    [("nomail.test", "not_applicable"), ("nosuch.test", "dns_nxdomain"), ("broken.test", "dns_servfail")],
)
async def test_a_domain_without_mail_hosts_is_one_report_of_causes(domain: str, cause: str) -> None:
    async with name_server(ZONE) as names:
        options = dataclasses.replace(OPTIONS, resolver=names.resolver)
        report = await probe_endpoint(parse_target(f"mx://{domain}"), options=options)
    assert {each.cause.value for each in report.measurements if each.cause} == {cause}
    assert len(report.measurements) > 30
    assert report.endpoint.domain == domain
    assert report.also == ()


async def test_a_domain_of_several_hosts_is_reported_on_by_the_most_preferred_one() -> None:
    async with serve(smtp()) as server, name_server(ZONE) as names:
        options = dataclasses.replace(
            OPTIONS, resolver=names.resolver, limits=dataclasses.replace(LIMITS, connections_per_address=99)
        )
        report = await probe_endpoint(parse_target(f"mx://example.test:{server.port}"), options=options)
    assert report.endpoint == Endpoint("mx", host="a.example.test", domain="example.test", port=server.port)
    assert [each.endpoint.host for each in report.also] == ["b.example.test", "c.example.test"]
    assert report.transcript[0].text == "MX 10 a.example.test"
    for each in (report, *report.also):
        values = {measurement.metric: measurement.value for measurement in each.measurements}
        assert values["smtp.starttls_works"] is True
        assert "smtp.tls_required" not in values
    document = report_to_json(report)
    assert [each["endpoint"]["host"] for each in document["also"]] == ["b.example.test", "c.example.test"]


async def test_at_full_depth_every_mx_host_gets_a_report() -> None:
    many = [f"{number} mx{number}.example.test." for number in range(20)]
    zone = {**ZONE, "example.test": {"MX": many}}  # none of them has an address: nobody is dialled
    async with name_server(zone) as names:
        for depth, count in (("standard", 3), ("full", 16)):
            options = dataclasses.replace(OPTIONS, resolver=names.resolver, depth=depth)
            report = await probe_endpoint(parse_target("mx://example.test"), options=options)
            assert [each.endpoint.host for each in (report, *report.also)] == [
                f"mx{number}.example.test" for number in range(count)
            ]


# --- whole reports ----------------------------------------------------------------------------------------------------


async def test_a_whole_report_as_json(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, ca_file=str(authority_file(tmp_path)))
    began = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
    async with serve(smtp()) as server:
        endpoint = parse_target(f"smtp://localhost:{server.port}")
        report = await probe_endpoint(endpoint, options=options, started=began)
    document = json.loads(json.dumps(report_to_json(report), allow_nan=False))
    assert list(document) == [
        "version", "endpoint", "address", "started", "duration_ms", "vantage", "versions", "measurements", "transcript",
        "also",
    ]  # fmt: skip
    assert document["version"] == 1
    assert document["endpoint"] == {"role": "submission", "host": "localhost", "port": server.port, "tls": "starttls"}
    assert (document["address"], document["started"]) == ("127.0.0.1", "2026-01-02T03:04:05.678Z")
    assert document["vantage"] == "test bench"
    assert 0 < document["duration_ms"] < 3000
    assert set(document["versions"]) >= {"mailrubric-probes", "python", "openssl"}
    for each in document["measurements"]:
        assert list(each) == ["metric", "value", "unit", "cause", "detail"]
        assert (each["value"] is None) == (each["cause"] is not None)
    values = {each["metric"]: each["value"] for each in document["measurements"]}
    assert values["smtp.extensions"] == ["PIPELINING", "SIZE", "STARTTLS"]
    assert values["certificate.trusted"] is True
    assert values["tls.newest_version"] == "TLSv1.3"
    assert values["tls.versions"] == ["TLSv1.2", "TLSv1.3"]
    units = {each["metric"]: each["unit"] for each in document["measurements"]}
    assert (units["smtp.size_limit"], units["smtp.greeting_ms"], units["smtp.starttls"]) == ("B", "ms", "")
    assert {"ms", "direction", "text", "connection"} == set(document["transcript"][0])
    assert len(server.sessions) <= 8


@pytest.mark.parametrize(("role", "script"), [("imap", imap()), ("pop3", pop3()), ("sieve", sieve())])
async def test_every_mail_role_yields_its_own_tls_and_certificate_metrics(role: Role, script: Any) -> None:
    async with serve(script) as server:
        endpoint = Endpoint(role, host="localhost", port=server.port)
        report = await probe_endpoint(endpoint, options=OPTIONS)
    values = {each.metric: each.value for each in report.measurements}
    assert values[f"{role}.starttls_works"] is True
    assert values["tls.newest_version"] == "TLSv1.3"
    assert values["certificate.name_matches"] is True


NEVER_ASKED = {Cause.NOT_APPLICABLE, Cause.NOT_PERMITTED}
"""Of an endpoint that is an address, and without the user's leave."""


async def test_a_refused_port_is_one_cause_for_everything_and_one_attempt() -> None:
    async with serve((Silence(),)) as server:
        port = server.port
    report = await probe_endpoint(parse_target(f"smtp://127.0.0.1:{port}"), options=OPTIONS)
    causes = {each.cause for each in report.measurements if not each.metric.startswith("dns.")}
    assert causes - NEVER_ASKED == {Cause.CONNECTION_REFUSED}
    assert len(report.transcript) == 1


async def test_private_addresses_are_refused_unless_allowed() -> None:
    report = await probe_endpoint(parse_target("smtp://127.0.0.1"), options=Options(limits=LIMITS))
    causes = {each.cause for each in report.measurements if not each.metric.startswith("dns.")}
    assert causes - NEVER_ASKED == {Cause.BLOCKED_ADDRESS}


async def test_endpoints_of_one_run_share_their_surroundings() -> None:
    async with serve((Send(b"421 4.7.0 enough\r\n"), Silence())) as server:
        surroundings = Surroundings(OPTIONS)
        endpoint = parse_target(f"smtp://127.0.0.1:{server.port}")
        for expected in (Cause.GREETING_REJECTED, Cause.THROTTLED):
            report = await probe_endpoint(endpoint, options=OPTIONS, surroundings=surroundings)
            causes = {each.metric: each.cause for each in report.measurements if each.value is None}
            assert causes["smtp.extensions"] is expected
            assert causes["tls.versions"] in (expected, Cause.THROTTLED)
        await surroundings.close()
        assert len(server.sessions) == 1


# --- imports ----------------------------------------------------------------------------------------------------------


def test_a_probe_imports_only_what_it_needs() -> None:
    script = (
        "import asyncio, sys\n"
        "from probes.runner import parse_target, probe_endpoint, report_to_json\n"
        "from probes.network import Options\n"
        "before = set(sys.modules)\n"
        "endpoint = parse_target('smtp://127.0.0.1:1')\n"
        "report = asyncio.run(probe_endpoint(endpoint, options=Options(allow_private=True)))\n"
        "report_to_json(report)\n"
        "heavy = ('dns', 'httpx', 'httpcore', 'h2', 'pydantic', 'sqlalchemy', 'numpy', 'pandas', 'streamlit',\n"
        "         'mailrubric', 'OpenSSL', 'anyio', 'certifi')\n"
        "print([name for name in heavy if name in before], [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    before, after = done.stdout.strip().split("] [")
    assert before == "["
    assert set(after.strip("]").replace("'", "").split(", ")) <= {"OpenSSL", "certifi", ""}


async def test_a_domain_that_does_not_exist_is_no_domain_without_policies() -> None:
    async with name_server({"shop.example": {"TXT": [txt("v=spf1 -all")]}}) as names:
        options = dataclasses.replace(OPTIONS, resolver=names.resolver)
        for role in ("domain", "sending"):
            report = await probe_endpoint(Endpoint(role, domain="shpo.example"), options=options)
            assert report.measurements
            assert {each.cause for each in report.measurements} == {Cause.DNS_NXDOMAIN}
        there = await probe_endpoint(Endpoint("domain", domain="shop.example"), options=options)
        assert {each.metric: each.value for each in there.measurements}["spf.present"] is True
