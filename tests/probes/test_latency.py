"""Percentiles over the connections of a run: what they rest on, and that no connection is made for them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from probes import registry
from probes.latency import FEWEST_FOR_P95, FULL_DEPTH_SAMPLES, LatencyProbe, median, nearest_rank
from probes.model import Cause, Endpoint, Measurement, Probe, Report, Role, TLSMode, Unmeasured
from probes.network import Depth, Limits, Network, Surroundings
from probes.runner import probe_endpoint
from probes.upgrade import conversation, handshake
from tests.hostile.server import Answer, Close, Pause, Script, Send, Server, imap, pop3, serve, sieve, smtp
from tests.probes import certificates as zoo
from tests.probes.loopback import QUICK, options, scripted
from tests.probes.webserver import response, web_server

LATENCY = LatencyProbe()


def chosen(*names: str) -> list[Probe]:
    return [*map(registry.probe, names), LATENCY]


async def report(
    endpoint: Endpoint, probes: list[Probe] | None = None, depth: Depth = "standard", limits: Limits = QUICK
) -> Report:
    return await probe_endpoint(
        endpoint, options=dataclasses.replace(options(limits=limits), depth=depth), probes=probes or [LATENCY]
    )


def mail(server: Server, role: Role = "submission", tls: TLSMode = "starttls") -> Endpoint:
    return Endpoint(role, host="127.0.0.1", port=server.port, tls=tls)


def latencies(found: Report) -> dict[str, Measurement]:
    return {
        each.metric.removeprefix("latency."): each for each in found.measurements if each.metric.startswith("latency.")
    }


@pytest.mark.parametrize("how", ["smtp", "https", "without TLS"])
async def test_what_is_dear_to_make_ready_takes_nobodys_time(how: str) -> None:
    seen: list[int] = []

    class Watched(Surroundings):
        def tls_context(self) -> SSL.Context:
            seen.append(state.connections)
            return super().tls_context()

    async def serve_one(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 not now\r\n")

    async with scripted(serve_one) as state:
        endpoint = Endpoint("submission", host="127.0.0.1", port=state.port)
        if how == "https":
            endpoint = Endpoint("web", url=f"https://127.0.0.1:{state.port}/")
        elif how == "without TLS":
            endpoint = dataclasses.replace(endpoint, tls="none")
        chosen = options()
        surroundings = Watched(chosen)
        async with Network(endpoint, chosen, surroundings) as network:
            with contextlib.suppress(Unmeasured):
                await handshake(endpoint, network)
            if how != "https":
                await conversation(endpoint, network)
        await surroundings.close()
    assert state.connections == 1
    assert seen[:1] == ([] if how == "without TLS" else [0])


# --- figures ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0.1, 100))
def test_percentiles_are_what_they_say(values: list[float], percent: float) -> None:
    found = nearest_rank(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-9
    below = [value for value in values if value < found]
    assert len(below) < percent / 100 * len(values) + 1e-9
    assert min(values) <= median(values) <= max(values)
    assert sum(value <= median(values) for value in values) * 2 >= len(values)


def test_known_percentiles() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
    assert nearest_rank(range(1, 21), 95) == 19
    assert nearest_rank([5, 1, 4], 95) == 5


# --- mail -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "tls", "script"),
    [
        ("submission", "starttls", smtp()), ("submission", "implicit", smtp(implicit=True)), ("mx", "starttls", smtp()),
        ("imap", "starttls", imap()), ("pop3", "implicit", pop3(implicit=True)), ("sieve", "starttls", sieve()),
    ],
)  # fmt: skip
async def test_one_conversation_gives_one_sample_of_each_step(role: Role, tls: TLSMode, script: Script) -> None:
    async with serve(script) as server:
        found = latencies(await report(mail(server, role, tls)))
    assert len(server.sessions) == 1
    assert found["samples"].value == 1
    steps = ["connect", "greeting", "handshake", *(["reply"] if role != "sieve" else [])]
    assert set(found) == {"samples", *(f"{step}_{which}_ms" for step in steps for which in ("p50", "p95"))}
    for step in steps:
        value = found[f"{step}_p50_ms"].value
        assert isinstance(value, float)
        assert 0 < value < 1000
        assert found[f"{step}_p50_ms"].detail == "1 sample"
        assert found[f"{step}_p95_ms"].cause is Cause.NOT_PERMITTED


async def test_the_connections_of_others_are_the_samples_and_no_more_are_made() -> None:
    async with serve(smtp()) as server:
        alone = await report(mail(server), chosen("tls", "smtp")[:-1])
        without = len(server.sessions)
        found = latencies(await report(mail(server), chosen("tls", "smtp")))
    assert alone.measurements
    assert len(server.sessions) == 2 * without, "the latency probe made connections of its own"
    assert found["samples"].value == without
    connects = found["connect_p50_ms"].value
    assert isinstance(connects, float)
    if without >= FEWEST_FOR_P95:
        assert isinstance(found["connect_p95_ms"].value, float)
    assert found["connect_p50_ms"].detail == f"{without} samples"


async def test_a_slow_server_is_seen_to_be_slow_and_where() -> None:
    slow = (Pause(0.3), Send(b"220 slow.test ESMTP\r\n"))
    async with serve(smtp(greeting=slow)) as server:
        found = latencies(await report(mail(server), limits=dataclasses.replace(QUICK, greeting_timeout=3)))
    greeting, connect, reply = (found[f"{step}_p50_ms"].value for step in ("greeting", "connect", "reply"))
    assert isinstance(greeting, float)
    assert isinstance(connect, float)
    assert isinstance(reply, float)
    assert greeting >= 290
    assert connect < 200
    assert reply < 200


async def test_full_depth_takes_enough_samples_for_percentiles() -> None:
    async with serve(smtp()) as server:
        found = latencies(await report(mail(server), depth="full"))
    assert len(server.sessions) == FULL_DEPTH_SAMPLES
    assert found["samples"].value == FULL_DEPTH_SAMPLES
    for step in ("connect", "greeting", "reply", "handshake"):
        p50, p95 = found[f"{step}_p50_ms"], found[f"{step}_p95_ms"]
        assert p50.detail == p95.detail == f"{FULL_DEPTH_SAMPLES} samples"
        assert isinstance(p50.value, float)
        assert isinstance(p95.value, float)
        assert p50.value <= p95.value


async def test_full_depth_ends_where_the_server_asks_us_to_stop() -> None:
    stop = smtp(greeting=(Send(b"421 too many\r\n"), Close()))
    async with serve(smtp(), smtp(), stop) as server:
        found = latencies(await report(mail(server), depth="full"))
    assert len(server.sessions) == 3, "no connection after 421"
    assert found["greeting_p50_ms"].detail == "2 samples"
    assert found["greeting_p95_ms"].cause is Cause.THROTTLED
    assert found["samples"].value == 3


async def test_only_what_went_well_counts() -> None:
    refusal = smtp(greeting=(Send(b"554 go away\r\n"), Close()))
    async with serve(refusal) as server:
        found = latencies(await report(mail(server)))
    assert found["samples"].value == 1
    assert found["connect_p50_ms"].value is not None
    for step in ("greeting", "reply", "handshake"):
        assert found[f"{step}_p50_ms"].cause is Cause.GREETING_REJECTED
        assert found[f"{step}_p95_ms"].cause is Cause.GREETING_REJECTED
    async with serve(smtp(EHLO=(Send(b"250 plain.test\r\n"),))) as server:
        found = latencies(await report(mail(server)))
    assert found["handshake_p50_ms"].cause is Cause.TLS_NOT_OFFERED
    assert found["reply_p50_ms"].value is not None
    async with serve(smtp()) as server:
        found = latencies(await report(mail(server, tls="none")))
    assert found["handshake_p50_ms"].cause is Cause.NOT_APPLICABLE


async def test_no_connection_no_percentiles() -> None:
    async with serve(smtp()) as server:
        endpoint = mail(server)
    found = latencies(await report(endpoint))
    assert {each.cause for each in found.values()} == {Cause.CONNECTION_REFUSED}


# --- web --------------------------------------------------------------------------------------------------------------


async def test_an_api() -> None:
    served = 0

    async def serve_requests(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while await reader.readuntil(b"\r\n\r\n"):
            served += 1
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    async with scripted(serve_requests) as state:
        endpoint = Endpoint("api", url=f"http://127.0.0.1:{state.port}/v1")
        found = latencies(await report(endpoint, chosen("http")))
        assert state.connections == 1
    assert served == 5
    assert found["response_p50_ms"].detail == "5 samples"
    assert isinstance(found["response_p95_ms"].value, float)
    assert found["response_p95_ms"].value >= 50
    assert found["samples"].value == 1
    assert found["handshake_p50_ms"].cause is Cause.NOT_APPLICABLE
    assert not any(key.startswith(("greeting", "reply")) for key in found)


async def test_a_web_site_at_full_depth() -> None:
    async with web_server({"/": response()}, zoo.localhost()) as port:
        found = latencies(await report(Endpoint("web", url=f"https://localhost:{port}/"), depth="full"))
    assert found["samples"].value == FULL_DEPTH_SAMPLES
    for step in ("connect", "handshake", "response"):
        assert isinstance(found[f"{step}_p95_ms"].value, float)


async def test_only_the_endpoints_own_server_counts() -> None:
    async with web_server({"/": response(body=b"x")}) as elsewhere:
        moved = response("302 Found", Location=f"http://127.0.0.1:{elsewhere}/")
        async with web_server({"/": moved}) as port:
            found = latencies(await report(Endpoint("web", url=f"http://127.0.0.1:{port}/"), chosen("http")))
    assert found["samples"].value == 1
    assert found["response_p50_ms"].detail == "1 sample"


async def test_a_web_server_that_never_answers() -> None:
    async with serve((Answer({b"": (Close(),)}, otherwise=()),)) as server:
        found = latencies(await report(Endpoint("web", url=f"http://127.0.0.1:{server.port}/")))
    assert found["samples"].value == 1
    assert found["response_p50_ms"].cause is Cause.CONNECTION_RESET
    found = latencies(await report(Endpoint("web", url="https://user@localhost/")))
    assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with Network(Endpoint("submission", host="127.0.0.1", port=1), options()) as made:
        yield made


async def test_a_failed_connection_is_no_sample_but_an_attempt(network: Network) -> None:
    async with serve(smtp()) as server:
        port = server.port
    with pytest.raises(Exception, match="connection_refused"):
        await network.dial("127.0.0.1", port)
    assert network.samples == ()
    attempt = network.attempts("127.0.0.1", port)["127.0.0.1"]
    assert attempt is not None
    assert attempt.cause is Cause.CONNECTION_REFUSED
