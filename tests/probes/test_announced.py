"""Announcements of servers compared with servers on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.announced import MAXIMUM_PLACES, Announced, announced, compare, disagreements
from probes.model import Cause, Endpoint, Measurement, TLSMode, Unmeasured
from probes.network import Network, Surroundings
from probes.upgrade import conversation
from tests.hostile import faults
from tests.hostile.server import Close, Reset, Script, Send, Server, Silence, imap, serve, smtp
from tests.probes.dnsserver import name_server
from tests.probes.loopback import QUICK, options

HOST = "mail.named.test"


def server(
    port: int, protocol: str = "smtp", tls: TLSMode = "starttls", by: str = "SRV submission", host: str = HOST
) -> Announced:
    return Announced(host, port, protocol, tls, by)


@contextlib.asynccontextmanager
async def domain(
    surroundings: Surroundings | None = None, addresses: tuple[str, ...] = ("127.0.0.1",)
) -> AsyncIterator[Network]:
    zone = {HOST: {"A": list(addresses)}, "broken.named.test": {"FAULT": ["SERVFAIL"]}}
    async with name_server(zone) as asked:
        chosen = options(asked.resolver, QUICK)
        async with Network(Endpoint("domain", domain="named.test"), chosen, surroundings) as network:
            yield network


async def look(
    servers: list[Announced], *, unread: tuple[Unmeasured, ...] = (), addresses: tuple[str, ...] = ("127.0.0.1",)
) -> tuple[Measurement, Measurement]:
    async with domain(addresses=addresses) as network:
        answering, contradictions, consistent = await compare(servers, unread, network)
    assert [each.metric.partition(".")[2] for each in (answering, contradictions, consistent)] == [
        "answering",
        "contradictions",
        "consistent",
    ]
    assert consistent.cause is contradictions.cause
    if contradictions.cause is None:
        assert consistent.value is (contradictions.value == ())
    return answering, contradictions


async def test_servers_that_are_there() -> None:
    async with serve(smtp()) as submission, serve(imap(implicit=True)) as imaps:
        answering, contradictions = await look(
            [server(submission.port), server(imaps.port, "imap", "implicit", "autoconfig")]
        )
        assert answering.value == tuple(sorted(f"{HOST}:{each.port}" for each in (submission, imaps)))
        assert contradictions.value == ()
        assert answering.detail == contradictions.detail == ""
        assert [session.lines for session in submission.sessions] == [[b"QUIT"]]
        assert len(imaps.sessions) == 1
        assert imaps.sessions[0].tls


async def test_a_server_that_refuses_and_a_host_that_is_not_there() -> None:
    async with serve(smtp()) as gone:
        pass
    answering, contradictions = await look([server(gone.port), server(587, host="nowhere.named.test")])
    assert answering.value == ()
    assert contradictions.value == (
        f"{HOST}:{gone.port} refuses connections (SRV submission)",
        "nowhere.named.test:587 is on a host that does not exist (SRV submission)",
    )


async def test_plain_text_where_tls_is_announced() -> None:
    async with serve(smtp()) as plain:
        answering, contradictions = await look([server(plain.port, tls="implicit", by="SRV submissions")])
    assert answering.value == ()
    assert contradictions.value == (
        f"{HOST}:{plain.port} answers in plain text where TLS from the start is announced (SRV submissions)",
    )


async def test_one_connection_for_a_place_that_is_named_twice() -> None:
    async with serve(smtp()) as twice:
        answering, contradictions = await look(
            [server(twice.port), server(twice.port, tls="implicit", by="autoconfig")]
        )
        assert len(twice.sessions) == 1
    assert answering.value == (f"{HOST}:{twice.port}",)
    assert contradictions.value == (
        f"{HOST}:{twice.port} is announced as smtp with TLS from the start (autoconfig) and as smtp with STARTTLS "
        "(SRV submission)",
    )


@pytest.mark.parametrize(
    "script", [(Silence(),), (Close(),), (Reset(),), (Send(b"554 no\r\n"), Close()), (Send(b"\xff\r\n"),)]
)
async def test_whatever_follows_a_connection_it_was_taken(script: Script) -> None:
    async with serve(script) as odd:
        answering, contradictions = await look([server(odd.port)])
    assert answering.value == (f"{HOST}:{odd.port}",)
    assert contradictions.value == ()


async def test_silence_contradicts_nothing() -> None:
    with faults.black_hole() as silent:
        answering, contradictions = await look([server(silent)])
        assert answering.cause is contradictions.cause is Cause.CONNECTION_TIMEOUT
        async with serve(smtp()) as there:
            answering, contradictions = await look([server(silent), server(there.port)])
    assert answering.value == (f"{HOST}:{there.port}",)
    assert "connection_timeout" in answering.detail
    assert contradictions.cause is Cause.CONNECTION_TIMEOUT


async def test_a_contradiction_stands_beside_what_stays_open() -> None:
    async with serve(smtp()) as gone:
        pass
    with faults.black_hole() as silent:
        _, contradictions = await look([server(silent), server(gone.port), server(25, host="broken.named.test")])
    assert contradictions.value == (f"{HOST}:{gone.port} refuses connections (SRV submission)",)
    assert "connection_timeout" in contradictions.detail
    assert "dns_servfail" in contradictions.detail


async def test_every_address_has_to_refuse() -> None:
    async with serve(smtp(), host="127.0.0.2") as there:
        answering, contradictions = await look([server(there.port)], addresses=("127.0.0.1", "127.0.0.2"))
    assert answering.value == (f"{HOST}:{there.port}",)
    assert contradictions.value == ()


async def test_what_was_not_read_is_not_free_of_contradictions() -> None:
    unread = (Unmeasured(Cause.DNS_TIMEOUT, "no answer"),)
    async with serve(smtp()) as there:
        answering, contradictions = await look([server(there.port)], unread=unread)
    assert answering.value == (f"{HOST}:{there.port}",)
    assert "not all was read" in answering.detail
    assert contradictions.cause is Cause.DNS_TIMEOUT


async def test_not_more_than_a_few_places_are_tried() -> None:
    async with contextlib.AsyncExitStack() as running:
        many: list[Server] = [await running.enter_async_context(serve(smtp())) for _ in range(MAXIMUM_PLACES + 3)]
        answering, _ = await look(sorted(server(each.port) for each in many))
        assert sum(len(each.sessions) for each in many) == MAXIMUM_PLACES
    assert answering.value is not None
    assert "3 more were not tried" in answering.detail


async def test_what_another_endpoint_has_seen_costs_no_connection() -> None:
    async with name_server({HOST: {"A": ["127.0.0.1"]}}) as asked, serve(smtp()) as there:
        chosen = options(asked.resolver, QUICK)
        surroundings = Surroundings(chosen)
        endpoint = Endpoint("submission", host=HOST, port=there.port)
        async with Network(endpoint, chosen, surroundings) as network:
            await conversation(endpoint, network)
        async with Network(Endpoint("domain", domain="named.test"), chosen, surroundings) as network:
            answering, contradictions, _ = await compare([server(there.port)], (), network)
        await surroundings.close()
        assert len(there.sessions) == 1
    assert answering.value == (f"{HOST}:{there.port}",)
    assert contradictions.value == ()


# --- reading announcements --------------------------------------------------------------------------------------------


def test_both_sources_are_read() -> None:
    found = announced(
        [("imaps", ("IMAP.named.test:993",)), ("submission", ("",)), ("jmap", ("j.named.test:443",))],
        ("imap imap.named.test:993 SSL", "smtp smtp.named.test:587 STARTTLS", "smtp x:25 plain", "nonsense"),
    )
    assert found == sorted(
        [
            server(993, "imap", "implicit", "SRV imaps", "imap.named.test"),
            server(993, "imap", "implicit", "autoconfig", "imap.named.test"),
            server(587, "smtp", "starttls", "autoconfig", "smtp.named.test"),
            server(25, "smtp", "none", "autoconfig", "x"),
        ]
    )
    assert disagreements(found) == []


def test_two_protocols_at_one_place() -> None:
    said = disagreements([server(993, "imap", "implicit", "SRV imaps"), server(993, "pop3", "implicit", "SRV pop3s")])
    assert said == [
        f"{HOST}:993 is announced as imap with TLS from the start (SRV imaps) and as pop3 with TLS from the start "
        "(SRV pop3s)"
    ]


@given(
    st.lists(st.text(max_size=40), max_size=5),
    st.lists(st.text(alphabet="imap pop3smtp:0123456789SLxTARP.", max_size=40), max_size=5),
)
def test_only_what_is_said_is_announced(srv: list[str], autoconfig: list[str]) -> None:
    places = [f"{text}:1" for text in srv if ":" not in text]
    for each in announced([("imaps", places)], autoconfig):
        assert each.by in ("SRV imaps", "autoconfig")
        assert any(str(each.port) in text for text in (*places, *autoconfig))
