"""The fault matrix of the probes that ask further than the run's own resolver: name servers one by one, blocklists,
the files of BIMI. Every question they ask fails in every way; nothing becomes a value that was not seen."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import addresses, registry
from probes.blocklists import question
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.network import Network, Options
from probes.resolver import Answer, ServerAnswer
from tests.hostile import faults_dns, faults_web
from tests.hostile.server import authority_file
from tests.hostile.test_fault_matrix import AT_ONCE, LIMITS, Outcome, check_time_and_bugs, same, timed, web_server
from tests.leaping import leaping
from tests.probes.dnsserver import name_server

pytestmark = pytest.mark.slow

Zone = dict[str, dict[str, list[str]]]

PUBLIC = "9.9.9.9"  # never dialled: it is only asked about
SERVER = "127.0.0.1"
"""The resolver's address, and the name servers'."""


def entry(address: str, zone: str) -> str:
    found = addresses.literal(address)
    assert found is not None
    return question(found, zone)


ZONE: Zone = {
    "hostile.test": {
        "MX": ["10 mx1.hostile.test.", "20 mx2.hostile.test."],
        "NS": ["ns1.hostile.test.", "ns2.hostile.test."],
        "SOA": ["ns1.hostile.test. hostmaster.hostile.test. 1 7200 3600 1209600 900"],
    },
    "test": {"NS": ["a.registry.test."]},
    "a.registry.test": {"A": [SERVER]},
    "ns1.hostile.test": {"A": [SERVER]},
    "ns2.hostile.test": {"A": ["127.0.0.2"], "AAAA": []},
    "mx1.hostile.test": {"A": [PUBLIC], "AAAA": ["2620:fe::9"]},
    "mx2.hostile.test": {"A": [PUBLIC]},
    addresses.literal(PUBLIC).reverse_pointer: {"PTR": ["mx1.hostile.test."]},  # type: ignore[union-attr]
    "list.test": {"TXT": ['"a list"']},
    entry("127.0.0.2", "list.test"): {"A": ["127.0.0.2"]},
    entry(PUBLIC, "list.test"): {"A": ["127.0.0.4"]},
}

DOMAIN = Endpoint("domain", domain="hostile.test")
HOST = Endpoint("mx", host="mx1.hostile.test", port=25)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Short limits, loopback allowed, one list, the scripted servers' authority trusted."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return Options(
        limits=LIMITS,
        allow_private=True,
        ca_file=str(authority_file(folder)),
        ehlo_name="probe.example.test",
        blocklists=("list.test",),
    )


async def ask(
    zone: Mapping[str, Mapping[str, Sequence[str]]], endpoint: Endpoint, probe: str, options: Options
) -> tuple[Outcome, list[tuple[str, str]]]:
    async with name_server(zone) as asked, name_server(zone, address="127.0.0.2", port=asked.port) as second:
        outcome = await timed(endpoint, dataclasses.replace(options, resolver=asked.resolver), [registry.probe(probe)])
        return outcome, asked.questions + second.questions


def unlike(each: Measurement, truth: Measurement) -> bool:
    if each.cause is not None or truth.cause is not None:
        return each.cause is not truth.cause
    return not same(each.metric, each.value, truth.value)


@pytest.mark.parametrize(
    ("endpoint", "probe", "questions"),
    [(DOMAIN, "delegation", 8), (DOMAIN, "names", 7), (HOST, "names", 3), (HOST, "blocklist", 4)],
    ids=["delegation", "names of a domain", "names of a host", "blocklist"],
)
async def test_each_question_fails(endpoint: Endpoint, probe: str, questions: int, options: Options) -> None:
    healthy, asked = await ask(ZONE, endpoint, probe, options)
    truth = healthy.found
    assert {each.cause for each in truth.values()} <= {None, Cause.NOT_APPLICABLE}
    each_once = sorted(set(asked))
    assert len(each_once) >= questions, each_once
    turn = asyncio.Semaphore(AT_ONCE)

    async def once(name: str, kind: str, how: str) -> list[str]:
        zone = {**ZONE, name: {**ZONE.get(name, {}), f"FAULT/{kind}": [how]}}
        outcome, _ = await ask(zone, endpoint, probe, options)
        # (A name server that is silent over TCP too, but whose connection was lost, hangs up.)
        allowed = faults_dns.NO_ANSWER if how == "SILENT" else faults_dns.FAILURE
        case = f"{how} for {name} {kind}"
        return [f"{case}: {problem}" for problem in check_time_and_bugs(outcome)] + [
            f"{case}: {metric} is {each.value!r} {each.cause} ({each.detail})"
            for metric, each in outcome.found.items()
            if unlike(each, truth[metric]) and each.cause not in allowed
        ]

    async def broken(name: str, kind: str, how: str) -> tuple[tuple[str, str, str], list[str]]:
        async with turn:
            return (name, kind, how), await once(name, kind, how)

    results = await asyncio.gather(
        *(broken(name, kind, how) for name, kind in each_once for how in ("SERVFAIL", "REFUSED", "SILENT"))
    )
    wrong = []
    for case, problems in results:
        if (
            problems
        ):  # once more and alone: on a machine with no time left, an honest time-out is no defect of the probe
            wrong += await once(*case)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("fault", faults_dns.FAULTS, ids=lambda fault: fault.name)
async def test_name_servers_that_fail(fault: faults_dns.Fault, options: Options) -> None:
    """The resolver is well; both name servers of the zone have the fault."""
    zone = {**ZONE, "ns1.hostile.test": {"A": ["127.0.0.3"]}}
    async with contextlib.AsyncExitStack() as running:
        resolver = await running.enter_async_context(name_server(zone))
        for address in ("127.0.0.2", "127.0.0.3"):
            failing = faults_dns.failing_server(fault, address=address, port=resolver.port)
            await running.enter_async_context(failing)
        asking = dataclasses.replace(options, resolver=resolver.resolver)
        outcome = await timed(DOMAIN, asking, [registry.probe("delegation")])
    assert check_time_and_bugs(outcome) == []
    of_the_way = {Cause.CONNECTION_REFUSED, Cause.CONNECTION_RESET, Cause.PROTOCOL_ERROR, Cause.DNS_SERVFAIL}
    for metric, each in outcome.found.items():
        if metric != "delegation.parent_matches":  # the parent's servers are well
            assert each.cause in fault.causes | of_the_way, each


@pytest.mark.parametrize("fault", list(faults_web.cases("https"))[1:], ids=lambda case: case.name)
@leaping
async def test_a_server_of_bimi_files_that_fails(fault: faults_web.Case, options: Options) -> None:
    """Logo and certificate on one host: neither is ever made of a fault."""
    async with web_server(fault) as port, contextlib.AsyncExitStack() as running:
        record = f"v=BIMI1; l=https://127.0.0.1:{port}/logo.svg; a=https://127.0.0.1:{port}/mark.pem"
        zone = {"hostile.test": {"MX": ["0 ."]}, "default._bimi.hostile.test": {"TXT": [f'"{record}"']}}
        resolver = await running.enter_async_context(name_server(zone))
        asking = dataclasses.replace(options, resolver=resolver.resolver)
        outcome = await timed(DOMAIN, asking, [registry.probe("bimi")])
    assert check_time_and_bugs(outcome) == []
    found = outcome.found
    for file in ("svg", "certificate"):
        served = found[f"bimi.{file}_served"]
        rest = [each for metric, each in found.items() if metric.startswith(f"bimi.{file}_") and each is not served]
        if isinstance(fault.http, frozenset):
            assert served.cause in fault.http, served
            assert {each.cause for each in rest} <= fault.http
        elif served.value is not True:
            # An answer that is there, but is no file that receivers could use; or trouble of the server's own.
            assert served.value is False or served.cause in (Cause.PROTOCOL_ERROR, Cause.REPLY_TOO_LONG), served
            assert not any(each.cause is None for each in rest)
    if found["bimi.svg_served"].value is True:
        assert found["bimi.svg_deviations"].value != ()  # whatever came was no logo


# --- mutated answers --------------------------------------------------------------------------------------------------

_CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 2)), min_size=1, max_size=12)
_RECORDS = {
    "SOA": "ns1.hostile.test. hostmaster.hostile.test. 7 7200 3600 1209600 900",
    "NS": "ns1.hostile.test.",
    "A": "127.0.0.4",
    "TXT": '"v=spf1 -all"',
    "MX": "10 mx1.hostile.test.",
    "TLSA": "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "CAA": '0 issue "authority.test"',
}


def mutated(wire: bytes, changes: list[tuple[int, int, int]]) -> bytes:
    """The message with bytes replaced, put in or cut off; its number stays, so that it is taken for the answer."""
    data = bytearray(wire)
    for place, byte, how in changes:
        at = 2 + place % max(1, len(data) - 2)
        if how == 0:
            data[at : at + 1] = bytes([byte])
        elif how == 1:
            data.insert(at, byte)
        elif byte < 32:
            del data[at:]
    return bytes(data)


@settings(max_examples=15, deadline=None)
@given(kind=st.sampled_from(sorted(_RECORDS)), changes=st.lists(_CHANGES, min_size=32, max_size=32))
def test_mutated_answers_are_answers_or_causes(kind: str, changes: list[list[tuple[int, int, int]]]) -> None:
    """Whatever the bytes are, nothing but ``Unmeasured`` is raised, by asking a server itself and by the resolver."""
    query = dns.message.make_query("hostile.test", kind, use_edns=0)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    response.answer.append(dns.rrset.from_text("hostile.test.", 60, "IN", kind, _RECORDS[kind]))
    wire = response.to_wire()

    async def told(asking: Awaitable[Answer | ServerAnswer]) -> None:
        with contextlib.suppress(Unmeasured):
            assert all(isinstance(text, str) for text in (await asking).records)

    async def ask(change: list[tuple[int, int, int]]) -> None:
        said = mutated(wire, change)
        fault = faults_dns.Fault("mutated", lambda query: query[:2] + said[2:], faults_dns.FAILURE, tcp="refused")
        async with faults_dns.failing_server(fault) as resolver:
            limits = dataclasses.replace(LIMITS, dns_timeout=0.1)
            options = Options(limits=limits, allow_private=True, resolver=resolver)
            async with Network(DOMAIN, options) as network:
                await asyncio.gather(
                    told(network.ask_server(SERVER, "hostile.test", kind)),
                    told(network.resolve("hostile.test", kind)),
                )

    async def ask_all() -> None:
        await asyncio.gather(*map(ask, changes))

    asyncio.run(ask_all())
