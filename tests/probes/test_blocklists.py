"""The blocklist probe against lists on a real name server on loopback. Nothing but that name server is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from probes import addresses
from probes.blocklists import BlocklistProbe, question
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.network import Network, Options, Surroundings
from tests.probes.dnsserver import Asked, name_server
from tests.probes.loopback import measure, options

Zone = dict[str, dict[str, Sequence[str]]]
FOUR, OTHER, SIX = "9.9.9.9", "149.112.112.9", "2620:fe::9"  # public ones; nothing is ever dialled
LISTS = ("one.list.test", "two.list.test", "three.list.test")


def entry(address: str, zone: str) -> str:
    found = addresses.literal(address)
    assert found is not None
    return question(found, zone)


def serving(zone: str) -> Zone:
    """What makes a list one: its apex, and the test entry."""
    return {zone: {"TXT": ['"a list"']}, entry("127.0.0.2", zone): {"A": ["127.0.0.2"]}}


def good() -> Zone:
    return {
        "mx.shop.test": {"A": [FOUR, OTHER]},
        "six.shop.test": {"AAAA": [SIX]},
        "lab.shop.test": {"A": ["127.0.0.1"]},
        **{name: records for zone in LISTS for name, records in serving(zone).items()},
    }


async def ask(
    zone: Mapping[str, Mapping[str, Sequence[str]]],
    host: str = "mx.shop.test",
    lists: tuple[str, ...] = LISTS,
) -> tuple[dict[str, Measurement], Asked]:
    async with name_server(zone) as asked:
        chosen: Options = dataclasses.replace(options(asked.resolver), blocklists=lists)
        return await measure(BlocklistProbe(), Endpoint("mx", host=host, port=25), chosen), asked


def test_what_a_list_is_asked() -> None:
    """The examples of RFC 5782 §2.1 and §2.4."""
    assert entry("192.0.2.99", "bad.example.com") == "99.2.0.192.bad.example.com"
    assert entry("2001:db8:1:2:3:4:567:89ab", "ugly.example.com") == (
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com"
    )


async def test_a_host_that_no_list_holds() -> None:
    found, asked = await ask(good())
    assert found["blocklist.listed"].value == ()
    assert found["blocklist.lists_asked"].value == 3
    about = [name for name, _ in asked.questions if name.endswith("one.list.test")]
    assert sorted(about) == sorted(entry(each, "one.list.test") for each in ("127.0.0.2", "127.0.0.1", FOUR, OTHER))


async def test_a_host_that_two_lists_hold() -> None:
    zone = good()
    zone[entry(OTHER, "one.list.test")] = {"A": ["127.0.0.4", "127.0.0.11"]}
    zone[entry(FOUR, "three.list.test")] = {"A": ["127.0.0.2"]}
    found, _ = await ask(zone)
    assert found["blocklist.listed"].value == ("one.list.test", "three.list.test")
    assert f"{OTHER} in one.list.test (127.0.0.11, 127.0.0.4)" in found["blocklist.listed"].detail
    assert found["blocklist.lists_asked"].value == 3


@pytest.mark.parametrize(
    "code", ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.1", "93.184.216.34"]
)
async def test_an_error_is_never_a_listing(code: str) -> None:
    zone = good()
    zone[entry(FOUR, "one.list.test")] = {"A": [code]}
    found, _ = await ask(zone)
    assert found["blocklist.listed"].value == ()
    assert found["blocklist.lists_asked"].value == 2
    assert code in found["blocklist.lists_asked"].detail


@pytest.mark.parametrize("code", ["127.255.255.254", "93.184.216.34"])
async def test_a_list_that_refuses_this_resolver_is_not_believed(code: str) -> None:
    """Such lists answer the same for every name."""
    zone = good()
    for address in (FOUR, OTHER, "127.0.0.1", "127.0.0.2"):
        zone[entry(address, "two.list.test")] = {"A": [code]}
    found, asked = await ask(zone)
    assert found["blocklist.listed"].value == ()
    assert found["blocklist.lists_asked"].value == 2
    assert (entry(FOUR, "two.list.test"), "A") not in asked.questions


async def test_a_list_that_lists_the_world_is_not_believed() -> None:
    zone = good()
    for address in (FOUR, OTHER, "127.0.0.1"):
        zone[entry(address, "two.list.test")] = {"A": ["127.0.0.2"]}
    found, _ = await ask(zone)
    assert found["blocklist.listed"].value == ()
    assert "127.0.0.1 too" in found["blocklist.lists_asked"].detail


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({entry("127.0.0.2", "one.list.test"): {"A": ["127.255.255.254"]}}, Cause.NOT_PERMITTED),
        ({entry("127.0.0.2", "one.list.test"): {}}, Cause.NOT_PERMITTED),
        ({entry("127.0.0.2", "one.list.test"): {"FAULT": ["REFUSED"]}}, Cause.DNS_SERVFAIL),
        ({entry("127.0.0.1", "one.list.test"): {"FAULT": ["SILENT"]}}, Cause.DNS_TIMEOUT),
        ({entry("127.0.0.1", "one.list.test"): {"A": ["127.0.0.3"]}}, Cause.PROTOCOL_ERROR),
        ({entry(FOUR, "one.list.test"): {"FAULT": ["SERVFAIL"]}}, Cause.DNS_SERVFAIL),
        ({"mx.shop.test": {"FAULT": ["SERVFAIL"]}}, Cause.DNS_SERVFAIL),
        ({"mx.shop.test": {}}, Cause.DNS_NXDOMAIN),
    ],
)
async def test_when_no_list_answers_there_is_a_cause(change: Zone, cause: Cause) -> None:
    found, _ = await ask({**good(), **change}, lists=("one.list.test",))
    assert {each.cause for each in found.values()} == {cause}


async def test_a_listing_that_was_seen_stays_one_though_the_next_question_fails() -> None:
    zone = good()
    zone[entry(FOUR, "one.list.test")] = {"A": ["127.0.0.2"]}
    zone[entry(OTHER, "one.list.test")] = {"FAULT": ["SERVFAIL"]}
    found, _ = await ask(zone)
    assert found["blocklist.listed"].value == ("one.list.test",)
    assert found["blocklist.lists_asked"].value == 2


async def test_ipv6_needs_a_proof_of_its_own() -> None:
    found, _ = await ask(good(), "six.shop.test")
    assert found["blocklist.listed"].cause is Cause.NOT_PERMITTED  # no list here has a section for IPv6
    zone = good()
    zone[entry("::ffff:127.0.0.2", "two.list.test")] = {"A": ["127.0.0.2"]}
    zone[entry(SIX, "two.list.test")] = {"A": ["127.0.0.3"]}
    found, _ = await ask(zone, "six.shop.test")
    assert found["blocklist.listed"].value == ("two.list.test",)
    assert found["blocklist.lists_asked"].value == 1


@pytest.mark.parametrize("host", ["lab.shop.test", "127.0.0.1", "10.1.2.3", "localhost", "::1"])
async def test_nobody_hears_of_private_addresses(host: str) -> None:
    found, asked = await ask(good(), host)
    assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}
    assert not any("list.test" in name for name, _ in asked.questions)


async def test_no_list_to_ask() -> None:
    found, asked = await ask(good(), lists=())
    assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}
    assert asked.questions == []


async def test_a_silent_list_is_tested_once_in_a_run() -> None:
    zone = good()
    zone[entry("127.0.0.2", "one.list.test")] = {"FAULT": ["SILENT"]}
    async with name_server(zone) as asked:
        chosen = dataclasses.replace(options(asked.resolver), blocklists=("one.list.test",))
        surroundings = Surroundings(chosen)
        for host in (FOUR, OTHER):
            endpoint = Endpoint("mx", host=host, port=25)
            async with Network(endpoint, chosen, surroundings) as network:
                with pytest.raises(Unmeasured, match="dns_timeout"):
                    await BlocklistProbe().measure(endpoint, network)
        await surroundings.close()
    tests = [name for name, _ in asked.questions if name == entry("127.0.0.2", "one.list.test")]
    assert 1 <= len(tests) <= 4  # the retries of one question
