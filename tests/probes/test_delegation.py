"""The delegation probe against a resolver and name servers of its own, each on a loopback address."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from probes.delegation import DelegationProbe
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.network import Network, Options
from tests.probes.dnsserver import Asked, name_server
from tests.probes.loopback import measure, options

Zone = dict[str, dict[str, Sequence[str]]]
Records = Mapping[str, Mapping[str, Sequence[str]]]

FIRST, SECOND, PARENT, NOBODY = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"


def soa(serial: int) -> list[str]:
    return [f"ns1.shop.test. hostmaster.shop.test. {serial} 7200 3600 1209600 900"]


def zone_itself(serial: int = 7) -> Zone:
    return {"shop.test": {"NS": ["ns1.shop.test.", "ns2.shop.test."], "SOA": soa(serial), "MX": ["0 ."]}}


def seen_by_the_resolver() -> Zone:
    return {
        **zone_itself(),
        "test": {"NS": ["a.registry.test."]},
        "a.registry.test": {"A": [PARENT]},
        "ns1.shop.test": {"A": [FIRST]},
        "ns2.shop.test": {"A": [SECOND]},
    }


def parents() -> Zone:
    return {"shop.test": {"DELEGATED": ["NS2.shop.test.", "ns1.shop.test."]}}


@dataclasses.dataclass
class World:
    """What each server knows; None: nobody listens there. ``lame``: addresses that answer without authority."""

    resolver: Zone = dataclasses.field(default_factory=seen_by_the_resolver)
    servers: dict[str, Zone | None] = dataclasses.field(
        default_factory=lambda: {FIRST: zone_itself(), SECOND: zone_itself(), PARENT: parents()}
    )
    lame: frozenset[str] = frozenset()

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[tuple[Options, dict[str, Asked]]]:
        """Options to ask it with, and what each server has been asked."""
        async with contextlib.AsyncExitStack() as running:
            resolver = await running.enter_async_context(name_server(self.resolver))
            asked = {"resolver": resolver}
            for address, records in self.servers.items():
                if records is not None:
                    served = name_server(
                        records, address=address, port=resolver.port, authoritative=address not in self.lame
                    )
                    asked[address] = await running.enter_async_context(served)
            yield options(resolver.resolver), asked

    async def probe(self, domain: str = "shop.test") -> dict[str, Measurement]:
        async with self.serve() as (chosen, _):
            return await measure(DelegationProbe(), Endpoint("domain", domain=domain), chosen)

    async def shown(self, domain: str = "shop.test") -> dict[str, object]:
        found = await self.probe(domain)
        return {
            key.removeprefix("delegation."): each.value if each.cause is None else each.cause
            for key, each in found.items()
        }


GOOD = {
    "name_servers_answering": 2,
    "lame": (),
    "consistent": True,
    "parent_matches": True,
    "ipv4_reachable": True,
    "ipv6_reachable": False,
    "networks": 1,
}


async def test_a_good_zone() -> None:
    found = await World().probe()
    assert {key.removeprefix("delegation."): each.value for key, each in found.items()} == GOOD
    assert found["delegation.ipv6_reachable"].detail == "no name server has an IPv6 address"


async def test_a_subdomain_is_in_its_parents_zone() -> None:
    world = World()
    world.resolver["mail.shop.test"] = {"MX": ["0 ."]}
    assert await world.shown("mail.shop.test") == GOOD


async def test_few_questions_and_none_with_recursion() -> None:
    async with World().serve() as (chosen, asked):
        await measure(DelegationProbe(), Endpoint("domain", domain="shop.test"), chosen)
        assert asked[FIRST].questions == [("shop.test", "SOA")]
        assert asked[SECOND].questions == [("shop.test", "SOA")]
        assert asked[PARENT].questions == [("shop.test", "NS")]


async def test_a_name_server_that_still_has_the_old_zone() -> None:
    world = World()
    world.servers[SECOND] = zone_itself(6)
    found = await world.probe()
    assert found["delegation.consistent"].value is False
    assert found["delegation.consistent"].detail == "serial numbers 6, 7"
    assert found["delegation.name_servers_answering"].value == 2


@pytest.mark.parametrize("fault", ["no authority", "REFUSED", "NXDOMAIN", "no SOA record"])
async def test_a_lame_name_server(fault: str) -> None:
    world = World()
    match fault:
        case "no authority":
            world.lame = frozenset({SECOND})
        case "REFUSED":
            world.servers[SECOND] = {"shop.test": {"FAULT": ["REFUSED"]}}
        case "NXDOMAIN":
            world.servers[SECOND] = {"other.test": {}}
        case _:
            world.servers[SECOND] = {"shop.test": {"TXT": ['"here"']}}
    found = await world.probe()
    assert found["delegation.lame"].value == ("ns2.shop.test",)
    assert found["delegation.lame"].detail == f"ns2.shop.test ({SECOND}): {fault}"
    assert found["delegation.name_servers_answering"].value == 1
    assert found["delegation.consistent"].value is True


async def test_a_name_server_whose_name_does_not_exist() -> None:
    world = World()
    del world.resolver["ns2.shop.test"]
    found = await world.probe()
    assert found["delegation.lame"].value == ("ns2.shop.test",)
    assert found["delegation.lame"].detail == "ns2.shop.test does not exist"
    assert found["delegation.name_servers_answering"].value == 1


async def test_all_lame_is_more_likely_something_on_the_way() -> None:
    """A resolver found the zone, so somebody answers for it."""
    found = await World(lame=frozenset({FIRST, SECOND})).shown()
    assert found.pop("parent_matches") is True
    assert found.pop("ipv6_reachable") is Cause.DNS_SERVFAIL
    assert set(found.values()) == {Cause.DNS_SERVFAIL}


async def test_a_silent_name_server_is_a_cause_and_costs_only_what_it_leaves_open() -> None:
    world = World()
    world.servers[SECOND] = {"shop.test": {"FAULT": ["SILENT"]}}
    found = await world.probe()
    for key in ("name_servers_answering", "lame", "consistent"):
        assert found[f"delegation.{key}"].cause is Cause.DNS_TIMEOUT
        assert "1 of 2 name servers answer" in found[f"delegation.{key}"].detail
    assert found["delegation.ipv4_reachable"].value is True
    assert found["delegation.networks"].value == 1
    assert found["delegation.parent_matches"].value is True


async def test_servfail_of_one_name_server_may_be_trouble_of_the_moment() -> None:
    world = World()
    world.servers[SECOND] = {"shop.test": {"FAULT": ["SERVFAIL"]}}
    found = await world.shown()
    assert found["lame"] is found["name_servers_answering"] is found["consistent"] is Cause.DNS_SERVFAIL
    assert found["ipv4_reachable"] is True


async def test_nobody_listens() -> None:
    world = World()
    world.servers[FIRST] = world.servers[SECOND] = None
    found = await world.shown()
    assert found["parent_matches"] is True
    assert found["name_servers_answering"] is Cause.CONNECTION_REFUSED
    assert found["ipv4_reachable"] is found["ipv6_reachable"] is Cause.CONNECTION_REFUSED


async def test_two_different_serials_say_no_whatever_a_silent_third_shows() -> None:
    world = World()
    world.resolver["shop.test"]["NS"] = ["ns1.shop.test.", "ns2.shop.test.", "ns3.shop.test."]
    world.resolver["ns3.shop.test"] = {"A": [NOBODY]}
    world.servers[SECOND] = zone_itself(6)
    found = await world.shown()
    assert found["consistent"] is False
    assert found["name_servers_answering"] is Cause.CONNECTION_REFUSED


# --- the parent -------------------------------------------------------------------------------------------------------


async def test_a_parent_that_delegates_elsewhere() -> None:
    world = World()
    world.servers[PARENT] = {"shop.test": {"DELEGATED": ["ns1.shop.test.", "ns9.shop.test."]}}
    world.resolver["ns9.shop.test"] = {"A": [NOBODY]}
    found = await world.probe()
    assert found["delegation.parent_matches"].value is False
    assert found["delegation.parent_matches"].detail == (
        "only the parent names ns9.shop.test; only the zone names ns2.shop.test"
    )
    # What the parent names is what resolvers of others ask: it is asked too.
    assert found["delegation.name_servers_answering"].cause is Cause.CONNECTION_REFUSED


async def test_a_parent_that_serves_the_zone_itself() -> None:
    world = World()
    world.servers[PARENT] = zone_itself()
    assert (await world.shown())["parent_matches"] is Cause.NOT_APPLICABLE


async def test_a_parent_that_shows_no_delegation() -> None:
    world = World()
    nothing: list[Zone] = [{"shop.test": {"FAULT": ["REFUSED"]}}, {"other.test": {}}, {"shop.test": {"TXT": ['"x"']}}]
    for records in nothing:
        world.servers[PARENT] = records
        assert (await world.shown())["parent_matches"] is Cause.DNS_SERVFAIL
    world.servers[PARENT] = None
    assert (await world.shown())["parent_matches"] is Cause.CONNECTION_REFUSED
    del world.resolver["a.registry.test"]
    assert (await world.shown())["parent_matches"] is Cause.DNS_NXDOMAIN
    world.resolver["test"] = {}
    assert (await world.shown())["parent_matches"] is Cause.DNS_SERVFAIL


async def test_the_next_server_of_the_parent_is_asked_when_one_is_silent() -> None:
    world = World()
    world.resolver["test"] = {"NS": ["a.registry.test.", "b.registry.test."]}
    world.resolver["a.registry.test"] = {"A": [NOBODY]}
    world.resolver["b.registry.test"] = {"A": [PARENT]}
    assert (await world.shown())["parent_matches"] is True


# --- faults of the resolver, IPv6, guard ------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "cause"), [("SERVFAIL", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)])
async def test_a_resolver_that_fails(fault: str, cause: Cause) -> None:
    world = World()
    world.resolver["shop.test"] = {"FAULT": [fault]}
    assert set((await world.shown()).values()) == {cause}
    world = World()
    world.resolver["ns2.shop.test"] = {"FAULT": [fault]}
    found = await world.shown()
    assert {key for key, value in found.items() if value is cause} == {
        "name_servers_answering", "lame", "consistent", "ipv6_reachable",
    }  # fmt: skip


async def test_a_domain_that_does_not_exist_or_is_under_a_top_level_domain_alone() -> None:
    assert set((await World().shown("gone.other")).values()) == {Cause.DNS_NXDOMAIN}
    world = World()
    world.resolver["lone.test"] = {"MX": ["0 ."]}
    assert set((await world.shown("lone.test")).values()) == {Cause.NOT_APPLICABLE}


async def test_over_ipv6() -> None:
    world = World()
    world.resolver["ns1.shop.test"] = {"AAAA": ["::1"]}
    world.servers["::1"] = world.servers.pop(FIRST)
    assert await world.shown() == {**GOOD, "ipv6_reachable": True}


async def test_without_ipv6_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The route is missing on this side: that says nothing about the servers."""
    import dns.asyncquery

    really = dns.asyncquery.udp

    async def no_route(query: object, where: str, *rest: object, **more: object) -> object:
        if ":" in where:
            raise OSError(101, "Network is unreachable")
        return await really(query, where, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(dns.asyncquery, "udp", no_route)
    world = World()
    world.resolver["ns1.shop.test"] = {"A": [FIRST], "AAAA": ["::1"]}
    assert await world.shown() == {**GOOD, "ipv6_reachable": Cause.NO_IPV6_LOCALLY}
    world.resolver["ns2.shop.test"] = {"AAAA": ["::1"]}
    found = await world.shown()
    assert found["name_servers_answering"] is found["lame"] is Cause.NO_IPV6_LOCALLY


async def test_private_addresses_are_not_asked_unless_allowed() -> None:
    async with World().serve() as (chosen, asked):
        guarded = dataclasses.replace(chosen, allow_private=False)
        found = await measure(DelegationProbe(), Endpoint("domain", domain="shop.test"), guarded)
        assert {each.cause for each in found.values()} == {Cause.BLOCKED_ADDRESS}
        assert not any(asked[address].questions for address in (FIRST, SECOND, PARENT))
        async with Network(Endpoint("domain", domain="shop.test"), guarded) as network:
            for address in (FIRST, "::1", "169.254.169.254", "::ffff:10.0.0.1"):
                with pytest.raises(Unmeasured, match="blocked_address"):
                    await network.ask_server(address, "shop.test", "SOA")
            with pytest.raises(ValueError, match="no IP address"):
                await network.ask_server("ns1.shop.test", "shop.test", "SOA")


# --- one server, as the resolver asks it ------------------------------------------------------------------------------


async def test_what_is_cut_over_udp_comes_over_tcp() -> None:
    many = {"shop.test": {"NS": [f"ns{number}.a-rather-long-name-of-a-host.shop.test." for number in range(90)]}}
    async with name_server(many) as asked:
        chosen = options(asked.resolver)
        async with Network(Endpoint("domain", domain="shop.test"), chosen) as network:
            answer = await network.ask_server("127.0.0.1", "shop.test", "NS")
    assert (len(answer.records), answer.tcp, answer.authoritative, answer.code) == (90, True, True, "NOERROR")


async def test_a_question_is_asked_once_and_no_server_is_asked_without_end() -> None:
    async with name_server(zone_itself()) as asked:
        chosen = options(asked.resolver)
        async with Network(Endpoint("domain", domain="shop.test"), chosen) as network:
            same = [network.ask_server("127.0.0.1", "shop.test", "SOA") for _ in range(20)]
            assert len({each.records for each in await asyncio.gather(*same)}) == 1
            assert asked.questions == [("shop.test", "SOA")]
            for number in range(255):
                await network.ask_server("127.0.0.1", f"n{number}.shop.test", "A")
            with pytest.raises(Unmeasured, match="not_permitted: our own limit of 256 questions"):
                await network.ask_server("127.0.0.1", "one-more.shop.test", "A")
    assert len(asked.questions) == 256


async def test_a_server_that_hangs_up_over_tcp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        chosen = options(("127.0.0.1", port))
        async with Network(Endpoint("domain", domain="shop.test"), chosen) as network:
            with pytest.raises(Unmeasured) as raised:
                await network.ask_server("127.0.0.1", "shop.test", "SOA")
        server.close()
    assert raised.value.cause is Cause.CONNECTION_RESET
