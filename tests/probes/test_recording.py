"""Recordings: what a replay gives back, what it refuses, and what becomes of a file that is none."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import recording, replay
from probes.dns import DNSProbe
from probes.hello import client_hello
from probes.model import Cause, Endpoint, Measurement, Metric, Probe, Report
from probes.network import Limits, Network, Options
from probes.recording import Recorder, Recording, RecordingError, file_name, from_text, to_text
from probes.runner import probe_endpoint
from tests.hostile import faults, faults_dns, faults_web
from tests.hostile.server import Close, Script, Send, authority_file, imap, serve, smtp
from tests.probes.dnsserver import name_server

pytestmark = pytest.mark.slow

LIMITS = Limits(
    deadline=2, connect_timeout=0.5, greeting_timeout=0.3, greeting_timeout_mx=0.3, read_timeout=0.3, dns_timeout=0.5,
    spacing_mx=0.01,
)  # fmt: skip


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder: Path = tmp_path_factory.mktemp("authority")
    return Options(limits=LIMITS, allow_private=True, ca_file=str(authority_file(folder)), ehlo_name="probe.test")


async def record(endpoint: Endpoint, options: Options, probes: list[Probe] | None = None) -> tuple[Report, Recording]:
    recorder = Recorder(endpoint, options, datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC))
    started = recorder.recording.started
    report = await probe_endpoint(endpoint, options=options, probes=probes, tapes=recorder, started=started)
    return report, from_text(to_text(recorder.recording).encode())


async def record_server(
    script: Script, options: Options, role: Any = "submission", probes: list[Probe] | None = None
) -> tuple[Report, Recording]:
    async with serve(script) as server:
        return await record(Endpoint(role, host="127.0.0.1", port=server.port), options, probes)


def played(found: Recording, options: Options, probes: list[Probe] | None = None) -> Report:
    """The replay, in which whoever opens a socket or asks the system for a name fails the test."""
    with pytest.MonkeyPatch.context() as patch:

        def forbidden(*_: object, **__: object) -> None:
            raise AssertionError("a socket was opened")

        for name in ("socket", "socketpair", "create_connection", "getaddrinfo"):
            patch.setattr(socket, name, forbidden)
        return replay.replay(found, probes=probes, ca_file=options.ca_file)


def differences(live: Report, again: Report) -> list[str]:
    one, two = ({each.metric: each for each in report.measurements} for report in (live, again))
    assert one.keys() == two.keys()
    return [f"{one[key]} became {two[key]}" for key in one if one[key] != two[key]]


# --- the same again ---------------------------------------------------------------------------------------------------


def mail_cases(target: faults.Target) -> list[faults.Case]:
    """A well-behaved server, and faults that differ in how a conversation ends; few of those that cost time."""
    quick = ("well-behaved", "reset", "close", "half-close", "garbage", "421", "554", "TLS alert", "cut off half-way",
             "injected bytes after the agreement", "plain text on a TLS port", "close with close_notify",
             "greeting of several lines", "endless line")  # fmt: skip
    slow = {f"{fault} at {place}" for fault in ("silence", "drip") for place in (faults.GREETING, faults.AFTER_TLS)}
    return [case for case in faults.cases(target) if case.script and (case.fault in quick or case.name in slow)]


@pytest.mark.slow
@pytest.mark.parametrize("target", faults.TARGETS, ids=lambda target: target.name)
def test_a_replay_measures_the_same_to_the_microsecond(target: faults.Target, options: Options) -> None:
    async def live(case: faults.Case) -> tuple[Report, Recording]:
        scripts = [case.script, case.later] if case.later else [case.script]
        async with serve(*[script for script in scripts if script is not None]) as server:
            return await record(Endpoint(target.role, host="127.0.0.1", port=server.port, tls=target.mode), options)

    async def all_live(cases: list[faults.Case]) -> list[tuple[Report, Recording]]:
        return await asyncio.gather(*map(live, cases))

    def found_wrong(cases: list[faults.Case]) -> dict[str, tuple[faults.Case, list[str]]]:
        wrong = {}
        for at in range(0, len(cases), 8):
            some = cases[at : at + 8]
            for case, (report, found) in zip(some, asyncio.run(all_live(some)), strict=True):
                if different := differences(report, played(found, options)):
                    wrong[case.name] = case, different
        return wrong

    cases = mail_cases(target)
    assert len(cases) > 15
    wrong = found_wrong(cases)
    # Which of two connections a starved machine served first is in no recording: what differs must do so again.
    for _ in range(2):
        wrong = {name: each for case, _ in wrong.values() for name, each in found_wrong([case]).items()}
    assert not wrong, "\n".join(f"{name}: {each}" for name, (_, found) in wrong.items() for each in found)


@pytest.mark.parametrize("changes", [{"depth": "full"}, {"own_servers": frozenset({"127.0.0.1"})}], ids=["full", "own"])
@pytest.mark.parametrize("role", ["submission", "imap"])
def test_a_replay_at_other_depths_is_the_same(role: Any, changes: dict[str, Any], options: Options) -> None:
    script = smtp() if role == "submission" else imap()
    report, found = asyncio.run(record_server(script, dataclasses.replace(options, **changes), role))
    assert differences(report, played(found, options)) == []


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_replay_of_a_web_server_is_the_same(scheme: str, options: Options) -> None:
    async def live(case: faults_web.Case) -> tuple[Report, Recording]:
        assert case.script is not None
        async with serve(case.script) as server:
            url = f"{scheme}://127.0.0.1:{server.port}/"
            return await record(Endpoint("status", url=url, kind="statuspage"), options)

    chosen = ("well-behaved", "close in the body", "redirect that comes again", "garbage instead of a response",
              "status 404 Not Found", "silence in the headers")  # fmt: skip
    for case in faults_web.cases(scheme):
        if case.name in chosen:
            report, found = asyncio.run(live(case))
            assert differences(report, played(found, options)) == [], case.name


@pytest.mark.parametrize("name", ["servfail", "silence", "truncated, TCP refused"])
def test_a_replay_of_a_failing_name_server_is_the_same(name: str, options: Options) -> None:
    fault = next(each for each in faults_dns.FAULTS if each.name == name)

    async def live(endpoint: Endpoint) -> tuple[Report, Recording]:
        async with faults_dns.failing_server(fault) as resolver:
            return await record(endpoint, dataclasses.replace(options, resolver=resolver))

    for endpoint in (Endpoint("domain", domain="a.test"), Endpoint("mx", domain="a.test", port=25)):
        report, found = asyncio.run(live(endpoint))
        assert differences(report, played(found, options)) == []


def test_a_domain_with_several_hosts(options: Options) -> None:
    async def live() -> tuple[Report, Recording]:
        async with serve(smtp()) as server:
            zone = {
                "many.test": {"MX": ["10 mx1.many.test.", "20 mx2.many.test."], "TXT": ['"v=spf1 mx -all"']},
                "mx1.many.test": {"A": ["127.0.0.1"]},
                "mx2.many.test": {"A": ["127.0.0.2"]},
            }
            async with name_server(zone) as asked:
                asking = dataclasses.replace(options, resolver=asked.resolver)
                return await record(Endpoint("mx", domain="many.test", port=server.port), asking)

    report, found = asyncio.run(live())
    assert len(found.sessions) == 3
    again = played(found, options)
    assert differences(report, again) == []
    assert len(again.also) == len(report.also) == 1
    assert differences(report.also[0], again.also[0]) == []
    assert "smtp.greeting_ms" in {each.metric for each in again.measurements if each.cause is None}


def test_a_domain_and_its_policy_server(options: Options) -> None:
    policy = faults_web.response(b"version: STSv1\r\nmode: enforce\r\nmx: *.a.test\r\nmax_age: 86400\r\n")
    served = faults_web.served(
        "https", (Send(policy.replace(b"application/json", b"text/plain")), Close()), name="mta-sts.a.test"
    )

    async def live() -> tuple[Report, Recording, list[Probe]]:
        async with serve(served) as server:
            zone = {
                "a.test": {"MX": ["10 mx.a.test."], "TXT": ['"v=spf1 -all"']},
                "_mta-sts.a.test": {"TXT": ['"v=STSv1; id=1;"']},
                "mta-sts.a.test": {"A": ["127.0.0.1"]},
                "mx.a.test": {"A": ["127.0.0.1"]},
            }
            async with name_server(zone) as asked:
                asking = dataclasses.replace(options, resolver=asked.resolver)
                probes: list[Probe] = [DNSProbe(mta_sts_port=server.port)]
                report, found = await record(Endpoint("domain", domain="a.test"), asking, probes)
                return report, found, probes

    for _ in range(3):  # on a machine with no time left, the policy may come too late
        report, found, probes = asyncio.run(live())
        assert differences(report, played(found, options, probes)) == []
        if {each.metric: each.value for each in report.measurements}["mta_sts.mode"] == "enforce":
            break
    else:
        pytest.fail("the policy was not read in three runs")


def test_nobody_there(options: Options) -> None:
    with faults.nobody() as port:
        report, found = asyncio.run(record(Endpoint("imap", host="127.0.0.1", port=port), options))
    assert differences(report, played(found, options)) == []


def test_a_report_says_that_it_is_a_replay_and_of_when(options: Options) -> None:
    report, found = asyncio.run(record_server(smtp(), options))
    again = played(found, options)
    assert "replayed" not in report.versions
    assert "mailrubric-probes" in again.versions["replayed"]
    assert again.started == report.started == "2026-03-01T12:00:00.000Z"
    assert again.vantage == report.vantage


# --- other probes than those that recorded ----------------------------------------------------------------------------


class Asking:
    """A probe that does one thing with the network. ``do`` gives its value."""

    name = "asking"
    roles = frozenset({"submission"})
    metrics = (Metric("asking.value", "text", "What was found."),)

    def __init__(self, do: Callable[[Endpoint, Network], Awaitable[str]]) -> None:
        self._do = do

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        return [Measurement("asking.value", await self._do(endpoint, network))]


def says(*lines: str) -> Asking:
    """A probe that says these lines, one after the other's reply, and yields the last reply."""

    async def do(endpoint: Endpoint, network: Network) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            reply = await connection.read_reply()
            for line in lines:
                await connection.send_line(line)
                reply = await connection.read_reply()
            return str(reply)

    return Asking(do)


def outcome(report: Report) -> tuple[object, Cause | None, str]:
    (each,) = report.measurements
    return each.value, each.cause, each.detail


def refused(report: Report) -> str:
    value, cause, detail = outcome(report)
    assert (value, cause) == (None, Cause.NOT_PERMITTED)
    assert detail.startswith("not in the recording: ")
    return detail


def test_new_rules_over_an_old_recording(options: Options) -> None:
    _, found = asyncio.run(record_server(smtp(), options, probes=[says("EHLO a.test", "QUIT")]))

    async def shout(endpoint: Endpoint, network: Network) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            return (await connection.read_reply()).text.upper()

    assert outcome(played(found, options, [Asking(shout)]))[0] == "HOSTILE.TEST ESMTP READY"
    value = outcome(played(found, options, [says("EHLO a.test")]))[0]
    assert isinstance(value, str)
    assert value.startswith("250 hostile.test")


def test_a_new_probe_over_an_old_recording_gets_a_connection_that_came_about(options: Options) -> None:
    """What our own limit kept another probe from, last of all, is no answer to it."""

    async def too_often(endpoint: Endpoint, network: Network) -> str:
        for _ in range(3):
            async with await network.dial(endpoint.host, endpoint.port) as connection:
                await connection.read_reply()
        return "not reached"

    few = dataclasses.replace(options, limits=dataclasses.replace(options.limits, connections_per_address=2))
    report, found = asyncio.run(record_server(smtp(), few, probes=[Asking(too_often)]))
    assert outcome(report)[2] == "our own limit of 2 connections per address"

    async def listen(endpoint: Endpoint, network: Network) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            return (await connection.read_reply()).text

    new = Asking(listen)
    new.name = "another"
    assert outcome(played(found, few, [new]))[0] == "hostile.test ESMTP ready"
    assert outcome(played(found, few, [Asking(too_often)])) == outcome(report)


def test_what_the_recording_does_not_hold_is_unknown(options: Options) -> None:
    _, found = asyncio.run(record_server(smtp(), options, probes=[says("EHLO a.test", "QUIT")]))

    async def twice(endpoint: Endpoint, network: Network) -> str:
        async with await network.dial(endpoint.host, endpoint.port):
            pass
        async with await network.dial(endpoint.host, endpoint.port):
            return "dialled"

    async def name(endpoint: Endpoint, network: Network) -> str:
        return str((await network.resolve("other.test", "TXT")).exists)

    async def handshake(endpoint: Endpoint, network: Network) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            await connection.read_reply()
            return (await connection.start_tls("a.test")).version

    async def waits(endpoint: Endpoint, network: Network) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            await connection.read_reply()
            return repr(await connection.receive(timeout=0.2))

    assert "EHLO b.test" in refused(played(found, options, [says("EHLO b.test")]))
    assert "NOOP" in refused(played(found, options, [says("EHLO a.test", "NOOP")]))
    assert "one more connection" in refused(played(found, options, [Asking(twice)]))
    assert "TXT other.test" in refused(played(found, options, [Asking(name)]))
    assert "a TLS handshake for a.test" in refused(played(found, options, [Asking(handshake)]))
    assert "waited longer" in refused(played(found, options, [Asking(waits)]))


def test_a_wait_that_the_recording_covers_ends_as_it_would_have(options: Options) -> None:
    async def patient(endpoint: Endpoint, network: Network, seconds: float) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            await connection.read_reply()
            return repr(await connection.receive(timeout=seconds))

    _, found = asyncio.run(record_server(smtp(), options, probes=[Asking(lambda e, n: patient(e, n, 0.3))]))
    for seconds in (0.3, 0.1):
        value, cause, _ = outcome(played(found, options, [Asking(lambda e, n, s=seconds: patient(e, n, s))]))
        assert (value, cause) == (None, Cause.DEADLINE_EXCEEDED)


def busy(seconds: float) -> None:
    """The event loop comes to nothing else meanwhile."""
    threading.Event().wait(seconds)


@contextlib.contextmanager
def elsewhere() -> Iterator[int]:
    """A server on a thread of its own, which goes on while our event loop is busy; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listening.accept()
                    with peer, peer.makefile("rb") as lines:
                        peer.sendall(b"220 ready\r\n")
                        for line in lines:
                            time.sleep(0.3 if line.startswith(b"NOOP") else 0.1)
                            peer.sendall(b"250 late\r\n" if line.startswith(b"NOOP") else b"252 early\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_what_was_recorded_on_a_busy_machine_replays_the_same(options: Options) -> None:
    """A wait began late, or its end was noticed late: a replay, which has all the time there is, must not take the
    answer for one that came too late."""

    async def slow(endpoint: Endpoint, network: Network) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            await connection.read_reply(10)
            await connection.send_line("NOOP")
            await asyncio.sleep(0)
            busy(0.2)  # the wait begins only now: it ends 0.2 s later than the bytes alone would tell
            late = await connection.read_reply(0.2)
            await connection.send_line("VRFY")
            asyncio.get_running_loop().call_later(0.02, busy, 0.6)
            return f"{late} / {await connection.read_reply(0.2)}"  # it came in time, and was noticed too late

    # Where the live run did not get there on this machine, it proves nothing; five times would be no accident.
    for _ in range(5):
        with elsewhere() as port:
            endpoint = Endpoint("submission", host="127.0.0.1", port=port)
            report, found = asyncio.run(record(endpoint, options, [Asking(slow)]))
        assert outcome(played(found, options, [Asking(slow)]))[:2] == outcome(report)[:2]
        if outcome(report)[0] == "250 late / 252 early":
            break
    else:
        pytest.fail(f"never measured: {outcome(report)}")


def test_connections_are_found_by_what_is_sent_on_them(options: Options) -> None:
    class Several(Asking):
        pass

    async def both(endpoint: Endpoint, network: Network, names: tuple[str, str]) -> str:
        heard = []
        for name in names:
            value = await says(f"EHLO {name}", "RSET" if name == "a.test" else "NOOP")._do(endpoint, network)
            heard.append(value)
        return " / ".join(heard)

    script = smtp(NOOP=(Send(b"250 nothing done\r\n"),))
    _, found = asyncio.run(
        record_server(script, options, probes=[Asking(lambda e, n: both(e, n, ("a.test", "b.test")))])
    )
    for names, heard in {
        ("a.test", "b.test"): "250 2.0.0 ok / 250 nothing done",
        ("b.test", "a.test"): "250 nothing done / 250 2.0.0 ok",
    }.items():
        assert outcome(played(found, options, [Asking(lambda e, n, o=names: both(e, n, o))]))[0] == heard


def test_the_random_fields_of_a_hello_do_not_matter_and_the_others_do() -> None:
    normal = replay.normal
    for version in ("SSLv3", "TLSv1.0", "TLSv1.2", "TLSv1.3"):
        one, two = (client_hello(version, "a.test") for _ in range(2))
        assert one != two
        assert normal(one) == normal(two)
    assert normal(client_hello("TLSv1.2", "a.test")) != normal(client_hello("TLSv1.2", "b.test"))
    assert normal(client_hello("TLSv1.2", "a.test")) != normal(client_hello("TLSv1.1", "a.test"))
    assert normal(b"EHLO a.test\r\n") == b"EHLO a.test\r\n"


@given(st.binary(max_size=300))
def test_any_bytes_can_be_compared(data: bytes) -> None:
    for start in (b"", b"\x16\x03\x01\x00\xff\x01", b"\x80\x40\x01\x00\x02"):
        assert len(replay.normal(start + data)) == len(start + data)


def test_chance_is_kept(options: Options) -> None:
    async def drawn(endpoint: Endpoint, network: Network) -> str:
        return f"{network.random('one', 8).hex()} {network.random('two', 8).hex()} {network.random('one', 8).hex()}"

    report, found = asyncio.run(record_server(smtp(), options, probes=[Asking(drawn)]))
    one, two, three = str(outcome(report)[0]).split()
    assert one == three != two
    assert outcome(played(found, options, [Asking(drawn)])) == outcome(report)


def test_a_secret_is_not_in_the_file_and_its_answer_is(options: Options) -> None:
    async def log_in(endpoint: Endpoint, network: Network, secret: str) -> str:
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            await connection.read_reply()
            await connection.send_line(f"AUTH PLAIN {secret}", shown="AUTH PLAIN ***")
            return str(await connection.read_reply())

    script = smtp(AUTH=(Send(b"535 5.7.8 no\r\n"),))
    report, found = asyncio.run(
        record_server(script, options, probes=[Asking(lambda e, n: log_in(e, n, "AGFuZHJlAHNlY3JldA=="))])
    )
    text = to_text(found)
    assert "AGFuZHJl" not in text
    assert base64.b64encode(b"AUTH PLAIN AGF").decode()[:-4] not in text
    assert outcome(report)[0] == "535 5.7.8 no"
    assert outcome(played(found, options, [Asking(lambda e, n: log_in(e, n, "another"))]))[0] == "535 5.7.8 no"


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_never_overwritten(tmp_path: Path, options: Options) -> None:
    async def live() -> None:
        async with serve(smtp()) as server:
            endpoint = Endpoint("submission", host="127.0.0.1", port=server.port)
            asked = dataclasses.replace(options, record_to=str(tmp_path / "new"))
            await probe_endpoint(endpoint, options=asked)
            (path,) = (tmp_path / "new").iterdir()
            assert path.name == file_name(endpoint)
            before = path.read_bytes()
            with pytest.raises(RecordingError, match="exists already"):
                await probe_endpoint(endpoint, options=asked)
            assert path.read_bytes() == before

    asyncio.run(live())


def test_names_of_files_are_safe_and_different() -> None:
    endpoints = [
        Endpoint("web", url="https://a.test/../../etc/passwd"),
        Endpoint("web", url="https://a.test/%2e%2e"),
        Endpoint("web", url="https://a.test/" + "x" * 5000),
        Endpoint("submission", host="::1", port=587),
        Endpoint("domain", domain="ex\x00ample\n.test"),
    ]
    names = [file_name(endpoint) for endpoint in endpoints]
    assert len(set(names)) == len(names)
    for name in names:
        assert Path(name).name == name
        assert len(name) < 120
        assert name.isascii()
        assert name.isprintable()


@pytest.fixture(scope="module")
def document(options: Options) -> dict[str, Any]:
    async def live() -> Recording:
        async with serve(smtp()) as server, name_server({"a.test": {"TXT": ['"v=spf1 -all"']}}) as asked:
            asking = dataclasses.replace(options, resolver=asked.resolver)
            recorder = Recorder(
                Endpoint("submission", host="127.0.0.1", port=server.port), asking, datetime.datetime.now(datetime.UTC)
            )
            await probe_endpoint(recorder.recording.endpoint, options=asking, tapes=recorder)
            return recorder.recording

    found: dict[str, Any] = json.loads(to_text(asyncio.run(live())))
    return found


def changed(document: Mapping[str, Any], path: tuple[str | int, ...], value: object) -> bytes:
    copy: Any = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(copy).encode()


CONNECTION = ("sessions", 0, "connections", 0)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("format",), "something else", '"format"'),
        (("version",), 2, "another Mailrubric"),
        (("endpoint",), [], "endpoint"),
        (("endpoint", "role"), "king", "role"),
        (("endpoint", "port"), 70000, "port"),
        (("started",), "yesterday", "document"),
        (("started",), "2026-03-01T12:00:00", "time zone"),
        (("seed",), "xyz", "document"),
        (("versions", "python"), 3.11, "versions"),
        (("options", "limits", "deadline"), "long", "options.limits"),
        (("options", "depth"), "bottomless", "options"),
        (("options", "own_servers"), 5, "options"),
        (("options", "vantage"), None, "options"),
        (("sessions",), {}, "sessions"),
        (("sessions",), [{}] * 17, "sessions"),
        (("sessions", 0, "learnt"), [{"question": "x", "at": 0, "answer": {}}], "no answer"),
        (("sessions", 0, "learnt"), [{"question": "x", "at": -1, "answer": {"value": 1}}], '"at"'),
        (
            ("sessions", 0, "learnt"),
            [{"question": "x", "at": 0, "answer": {"cause": "bad luck", "detail": ""}}],
            "cause",
        ),
        (
            ("sessions", 0, "learnt"),
            [{"question": "x", "at": 0, "answer": {"addresses": ["home"], "remark": ""}}],
            "IP",
        ),
        ((*CONNECTION, "address"), "home", "IP address"),
        ((*CONNECTION, "port"), 1.5, "port"),
        ((*CONNECTION, "tried"), 1, "tried"),
        ((*CONNECTION, "cause"), "bad luck", "cause"),
        ((*CONNECTION, "done"), 1e9, "seconds"),
        ((*CONNECTION, "events", 0, "at"), True, '"at"'),
        ((*CONNECTION, "events", 0, "kind"), "explosion", "kind"),
        ((*CONNECTION, "events", 0, "data"), "not base64!", "base64"),
        ((*CONNECTION, "events", 0), {"at": 0, "kind": "tls"}, "facts"),
        ((*CONNECTION, "events", 0), {"at": 0, "kind": "fail", "facts": {"cause": "x"}}, "cause"),
        ((*CONNECTION, "events"), [{"at": 0, "kind": "in", "data": "AAAA" * 1000000}] * 3, "more than"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(
    document: dict[str, Any], path: tuple[str | int, ...], value: object, words: str
) -> None:
    assert from_text(json.dumps(document).encode()).endpoint.role == "submission"
    with pytest.raises(RecordingError) as caught:
        from_text(changed(document, path, value))
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[" * 100_000, b"\xff", b'{"format": NaN}', b"9" * 100_000, b"null", b'"mailrubric-recording"'],
    ids=["empty", "cut", "deep", "binary", "NaN", "number", "null", "text"],
)
def test_what_is_no_json_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "recording.json"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="no usable recording"):
        recording.read(path)


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAXIMUM_FILE_BYTES", 1000)
    path = tmp_path / "recording.json"
    path.write_bytes(b" " * 1001)
    with pytest.raises(RecordingError, match="longer than 1000 bytes"):
        recording.read(path)
    with pytest.raises(RecordingError, match="cannot be read"):
        recording.read(tmp_path / "nothing.json")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damage_to_a_file_is_a_fault_of_ours(
    data: st.DataObject, document: dict[str, Any], options: Options
) -> None:
    """One value somewhere is replaced: the file is refused, or its replay reports as any other does."""
    paths: list[tuple[str | int, ...]] = []

    def walk(found: object, path: tuple[str | int, ...]) -> None:
        if path:
            paths.append(path)
        if isinstance(found, dict):
            for key, value in found.items():
                walk(value, (*path, key))
        elif isinstance(found, list):
            for index, value in enumerate(found):
                walk(value, (*path, index))

    walk(document, ())
    value = data.draw(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just([]) | st.just({})
    )
    try:
        found = from_text(changed(document, data.draw(st.sampled_from(paths)), value))
    except RecordingError:
        return
    report = replay.replay(found, ca_file=options.ca_file)
    assert [each for each in report.measurements if each.cause is Cause.PROBE_BUG] == []


def test_a_flood_is_not_kept_whole(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAXIMUM_BYTES", 600)
    _, found = asyncio.run(record_server(smtp(), options))
    assert (
        sum(len(event.data) for session in found.sessions for each in session.attempts for event in each.events) <= 600
    )
    report = played(found, options)
    assert {each.cause for each in report.measurements} >= {None, Cause.NOT_PERMITTED}
