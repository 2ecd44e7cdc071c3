"""Every address of a host, on 127.0.0.1, 127.0.0.2 and ::1 behind a name on loopback.

Which IPv4 address is the main conversation's is DNS's choice; where it matters, ::1 is the further one."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import Cause, Endpoint, Measurement, Role, TLSMode, Unmeasured
from probes.network import Limits, Network
from probes.reach import MAXIMUM_ADDRESSES, ReachProbe, decided, in_turn
from probes.runner import probe_endpoint
from tests.hostile.server import FAULTS, Script, Send, Server, imap, serve, smtp
from tests.probes.dnsserver import name_server
from tests.probes.loopback import QUICK, options

ONE, TWO, SIX = "127.0.0.1", "127.0.0.2", "::1"
HOST = "mail.reach.test"
SHORT = dataclasses.replace(QUICK, deadline=6, connect_timeout=1, greeting_timeout=0.5, read_timeout=0.5)


def named(name: str, **changes: Script) -> Script:
    return smtp(greeting=(Send(f"220 {name} ESMTP\r\n".encode()),), **changes)


@contextlib.asynccontextmanager
async def servers(**scripts: Script) -> AsyncIterator[dict[str, Server]]:
    """Servers on one port of several addresses: ``one``, ``two`` and ``six``; on the others nobody listens there."""
    at = {"one": ONE, "two": TWO, "six": SIX}
    for attempt in range(20):
        try:
            async with contextlib.AsyncExitStack() as running:
                found: dict[str, Server] = {}
                for name, script in scripts.items():
                    port = next((server.port for server in found.values()), 0)
                    found[name] = await running.enter_async_context(serve(script, host=at[name], port=port))
                yield found
                return
        except OSError:  # the port that the first one got is taken at another address
            if attempt == 19:
                raise


async def look(
    found: dict[str, Server],
    addresses: Sequence[str] = (ONE, TWO, SIX),
    role: Role = "submission",
    tls: TLSMode = "starttls",
    limits: Limits = SHORT,
) -> dict[str, Measurement]:
    zone = {
        HOST: {
            "A": [address for address in addresses if ":" not in address],
            "AAAA": [address for address in addresses if ":" in address],
        }
    }
    port = next(iter(found.values())).port
    async with name_server(zone) as asked:
        report = await probe_endpoint(
            Endpoint(role, host=HOST, port=port, tls=tls),
            options=options(asked.resolver, limits),
            probes=[ReachProbe()],
        )
    return {each.metric.removeprefix("reach."): each for each in report.measurements}


def values(found: dict[str, Measurement]) -> dict[str, object]:
    return {key: each.value if each.cause is None else each.cause for key, each in found.items()}


# --- values -----------------------------------------------------------------------------------------------------------


async def test_every_address_answers() -> None:
    async with servers(one=named("a.test"), two=named("B.test"), six=named("a.test")) as found:
        measured = await look(found)
        assert values(measured) == {
            "addresses": 3, "answering": (ONE, TWO, SIX), "all_answer": True, "ipv4": True, "ipv6": True,
            "greeting_names": ("a.test", "b.test"),
        }  # fmt: skip
        assert [len(server.sessions) for server in found.values()] == [1, 1, 1], "one connection each"
        goodbyes = [server.sessions[0].lines == [b"QUIT"] for server in found.values()]
        assert sum(goodbyes) == 2, "only one of the addresses is spoken to, whichever DNS puts first"
        assert measured["answering"].detail == ""


async def test_one_address_refuses() -> None:
    async with servers(one=named("a.test"), six=named("a.test")) as found:
        measured = await look(found)
    assert measured["all_answer"].value is False
    assert TWO in measured["all_answer"].detail
    assert measured["answering"].value == (ONE, SIX)
    assert "connection_refused" in measured["answering"].detail
    assert measured["ipv4"].value is True
    assert measured["addresses"].value == 3


async def test_ipv6_is_published_but_refuses() -> None:
    async with servers(one=named("a.test"), two=named("a.test")) as found:
        measured = values(await look(found))
    assert measured["ipv6"] is False
    assert measured["ipv4"] is True
    assert measured["all_answer"] is False


async def test_the_first_address_refuses_and_is_not_dialled_again() -> None:
    async with servers(two=named("b.test")) as found:
        measured = values(await look(found, (ONE, TWO)))
        assert measured == {
            "addresses": 2, "answering": (TWO,), "all_answer": False, "ipv4": True, "ipv6": Cause.NOT_APPLICABLE,
            "greeting_names": ("b.test",),
        }  # fmt: skip
        assert len(found["two"].sessions) == 1


async def test_only_ipv6() -> None:
    async with servers(six=named("six.test")) as found:
        measured = values(await look(found, (SIX,)))
    assert (measured["ipv6"], measured["ipv4"], measured["all_answer"]) == (True, Cause.NOT_APPLICABLE, True)


async def test_implicit_tls_shakes_hands_and_no_more() -> None:
    script = smtp(implicit=True)
    async with servers(one=script, two=script) as found:
        measured = values(await look(found, (ONE, TWO), tls="implicit"))
        assert measured["answering"] == (ONE, TWO)
        assert measured["greeting_names"] is Cause.NOT_APPLICABLE
        assert all(server.sessions[0].tls for server in found.values())
        assert [] in [server.sessions[0].lines for server in found.values()]


async def test_other_protocols_have_no_names() -> None:
    async with servers(one=imap(), two=imap()) as found:
        measured = values(await look(found, (ONE, TWO), role="imap"))
    assert measured["answering"] == (ONE, TWO)
    assert "greeting_names" not in measured


async def test_an_endpoint_that_is_an_address_has_no_others() -> None:
    async with servers(one=named("a.test")) as found:
        endpoint = Endpoint("submission", host=ONE, port=found["one"].port)
        report = await probe_endpoint(endpoint, options=options(limits=SHORT), probes=[ReachProbe()])
        assert {each.cause for each in report.measurements} == {Cause.NOT_APPLICABLE}
        assert found["one"].sessions == []


# --- causes -----------------------------------------------------------------------------------------------------------

UNDECIDED = {
    "silence": Cause.GREETING_TIMEOUT,
    "close": Cause.CONNECTION_RESET,
    "reset": Cause.CONNECTION_RESET,
    "garbage": Cause.PROTOCOL_ERROR,
    "endless line": Cause.REPLY_TOO_LONG,
    "421": Cause.THROTTLED,
    "554": Cause.GREETING_REJECTED,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("role", ["submission", "mx"])
async def test_a_fault_of_a_further_address_is_no_no(fault: str, role: Role) -> None:
    """Whatever is wrong with the second address, the first one's answer stands and the second's part stays open."""
    async with servers(one=named("a.test"), six=smtp(greeting=FAULTS[fault])) as found:
        measured = await look(found, (ONE, SIX), role)
        assert len(found["six"].sessions) == 1
    assert measured["answering"].value == (ONE,)
    assert measured["greeting_names"].value == ("a.test",)
    assert measured["ipv4"].value is True
    cause = measured["all_answer"].cause
    assert cause is not None
    assert cause is not Cause.PROBE_BUG
    assert cause is UNDECIDED.get(fault, cause)
    assert cause.value in measured["answering"].detail


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_main_address_is_no_no(fault: str) -> None:
    async with servers(one=smtp(greeting=FAULTS[fault]), six=named("six.test")) as found:
        measured = await look(found, (ONE, SIX))
        asked = len(found["six"].sessions)
    if fault in ("421", "554"):
        assert asked == 0, "who turns us away is not asked at another door"
        assert {each.cause for each in measured.values()} == {Cause.GREETING_REJECTED}
    else:
        assert asked == 1
        assert values(measured) | {"all_answer": None, "ipv4": None} == {
            "addresses": 2, "answering": (SIX,), "all_answer": None, "ipv4": None, "ipv6": True,
            "greeting_names": ("six.test",),
        }  # fmt: skip
        assert measured["ipv4"].cause is measured["all_answer"].cause is not None


async def test_faults_of_tls_on_a_further_address() -> None:
    plain = smtp()
    async with servers(one=smtp(implicit=True), six=plain) as found:
        measured = await look(found, (ONE, SIX), tls="implicit")
    assert measured["answering"].value == (ONE,)
    assert measured["all_answer"].cause is Cause.TLS_HANDSHAKE_ERROR


async def test_nobody_answers_anywhere() -> None:
    async with servers(one=named("a.test"), six=named("b.test")) as found:
        pass
    measured = await look(found, (ONE, SIX))
    assert {each.cause for each in measured.values()} == {Cause.CONNECTION_REFUSED}


async def test_a_name_without_addresses() -> None:
    async with servers(one=named("a.test")) as found:
        measured = await look(found, ())
    assert {each.cause for each in measured.values()} == {Cause.DNS_NXDOMAIN}


# --- parts ------------------------------------------------------------------------------------------------------------


async def test_only_addresses_of_the_host_are_dialled() -> None:
    async with servers(one=named("a.test")) as found:
        async with Network(Endpoint("submission", host=ONE, port=1), options()) as network:
            with pytest.raises(ValueError, match="no address of"):
                await network.dial_address(ONE, TWO, found["one"].port)
        blocked = dataclasses.replace(options(), allow_private=False)
        async with Network(Endpoint("submission", host=ONE, port=1), blocked) as network:
            with pytest.raises(Unmeasured, match="blocked_address"):
                await network.dial_address(ONE, ONE, found["one"].port)
        assert found["one"].sessions == []


async def test_the_report_stays_with_the_pinned_address() -> None:
    async with servers(one=named("a.test"), six=named("b.test")) as found:
        async with name_server({HOST: {"A": [ONE], "AAAA": [SIX]}}) as asked:
            endpoint = Endpoint("submission", host=HOST, port=found["one"].port)
            report = await probe_endpoint(endpoint, options=options(asked.resolver, SHORT), probes=[ReachProbe()])
        assert len(found["six"].sessions) == 1
    assert report.address == ONE


@given(st.lists(st.ip_addresses().map(str), max_size=30))
def test_the_cap_costs_no_kind_all_of_its_addresses(addresses: list[str]) -> None:
    order = in_turn(addresses)
    assert sorted(order) == sorted(set(addresses))
    assert order == in_turn(reversed(addresses))
    kept = order[:MAXIMUM_ADDRESSES]
    for colon in (True, False):
        of_kind = [address for address in order if (":" in address) is colon]
        wanted = min(len(of_kind), MAXIMUM_ADDRESSES // 2)
        assert sum((":" in address) is colon for address in kept) >= wanted


@given(st.lists(st.sampled_from([None, Cause.CONNECTION_REFUSED, Cause.CONNECTION_TIMEOUT]), min_size=1), st.booleans())
def test_a_no_needs_a_refusal(causes: list[Cause | None], every: bool) -> None:
    results = [None if cause is None else Unmeasured(cause, "x") for cause in causes]
    measured = decided(results, "reach.all_answer", every)
    answered, refused = causes.count(None), causes.count(Cause.CONNECTION_REFUSED)
    if measured.value is True:
        assert answered == len(causes) if every else answered
    elif measured.value is False:
        assert refused if every else refused == len(causes)
    else:
        assert measured.cause is Cause.CONNECTION_TIMEOUT
