"""Preconditions against reference hosts and a resolver on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from OpenSSL import SSL

from probes import addresses
from probes.blocklists import question
from probes.connection import tls_context
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import VALIDATION_REFERENCES, Limits, Network, Options, Surroundings
from probes.preconditions import NAMES, ROLES, Name, Precondition, check
from tests.hostile.faults import black_hole, nobody
from tests.probes.dnsserver import name_server
from tests.probes.loopback import scripted

LIMITS = Limits(deadline=5, connect_timeout=0.4, dns_timeout=0.6)


def entry(address: str = "127.0.0.2") -> str:
    found = addresses.literal(address)
    assert found is not None
    return question(found, "list.test")


ZONE: dict[str, dict[str, Sequence[str]]] = {
    "signed.test": {"SOA": ["ns.signed.test. a.signed.test. 1 2 3 4 5"], "SIGNED": ["yes"]},
    "bogus.test": {"FAULT": ["BOGUS"]},
    "list.test": {"TXT": ['"a list"']},
    entry(): {"A": ["127.0.0.2"]},
}


@contextlib.asynccontextmanager
async def world(zone: Any = None, **more: Any) -> AsyncIterator[Surroundings]:
    """Surroundings that ask nobody but a name server on loopback. ``more``: options."""
    async with name_server(ZONE if zone is None else zone) as asked:
        options = Options(
            limits=LIMITS,
            resolver=asked.resolver,
            validation_references=("signed.test", "bogus.test"),
            port_25_references=(),
            ipv6_references=(),
            blocklists=("list.test",),
        )
        surroundings = Surroundings(dataclasses.replace(options, **more))
        try:
            yield surroundings
        finally:
            await surroundings.close()


async def one(name: Name, zone: Any = None, **more: Any) -> Precondition:
    async with world(zone, **more) as surroundings:
        (found,) = await check(surroundings, [name])
        assert found.name == name
        return found


@pytest.mark.parametrize("name", ["port_25", "ipv6"])
async def test_a_reference_that_takes_a_connection_is_enough(name: Name) -> None:
    async with scripted(lambda *_: asyncio.sleep(0)) as open_:
        with black_hole() as silent:
            references = (("127.0.0.1", silent), ("127.0.0.1", open_.port))
            assert (await one(name, **{f"{name}_references": references})).ok is True
    assert open_.connections == 1


@pytest.mark.parametrize("name", ["port_25", "ipv6"])
async def test_references_that_all_time_out_show_that_it_does_not_work(name: Name) -> None:
    with black_hole() as silent:
        found = await one(name, **{f"{name}_references": (("127.0.0.1", silent),) * 2})
        assert found.ok is False
        assert "127.0.0.1" in found.detail


@pytest.mark.parametrize("name", ["port_25", "ipv6"])
async def test_what_may_be_the_reference_hosts_own_trouble_shows_nothing(name: Name) -> None:
    with nobody() as refusing, black_hole() as silent:
        for references in (
            (("127.0.0.1", refusing),),
            (("127.0.0.1", refusing), ("127.0.0.1", silent)),
            (("gone.test", 25), ("127.0.0.1", silent)),
            (),
        ):
            assert (await one(name, **{f"{name}_references": references})).ok is None, references


async def test_a_resolver_that_does_not_know_the_reference_hosts_is_named() -> None:
    references = (("gone.test", 25), ("silent.test", 25))
    found = await one("port_25", {"silent.test": {"FAULT": ["SILENT"]}}, port_25_references=references)
    assert (found.ok, found.detail) == (None, "not tried: the resolver knows no address of gone.test and silent.test")
    with nobody() as refusing:
        found = await one("port_25", port_25_references=(("127.0.0.1", refusing), ("gone.test", 25)))
    assert (found.ok, found.detail) == (None, "neither reached nor timed out: 127.0.0.1 and gone.test")


async def test_no_route_is_an_answer_about_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("probes.network.connect", connect)
    assert (await one("ipv6", ipv6_references=(("2620:fe::fe", 53),))).ok is False
    assert (await one("port_25", port_25_references=(("127.0.0.1", 25),))).ok is None


async def test_names() -> None:
    nobody_else = (("gone.test", 25), ("127.0.0.1", 25))
    found = await one("names", port_25_references=nobody_else)
    assert (found.ok, found.detail) == (True, "the resolver knows the internet's names")
    found = await one("names", {"other.test": {"A": ["192.0.2.1"]}}, port_25_references=nobody_else)
    assert (found.ok, found.detail) == (False, "it says that there is no signed.test and gone.test")
    found = await one("names", {"signed.test": {"FAULT": ["SILENT"]}}, port_25_references=nobody_else)
    assert found.ok is False
    assert found.detail.startswith("no answer about signed.test and gone.test: ")
    found = await one("names", {"gone.test": {"A": ["192.0.2.1"]}}, port_25_references=nobody_else)
    assert found.ok is True, "one is enough"


async def test_dnssec() -> None:
    assert (await one("dnssec")).ok is True
    found = await one("dnssec", {**ZONE, "signed.test": {"SOA": ZONE["signed.test"]["SOA"]}})
    assert (found.ok, found.detail) == (False, "its answer for signed.test, which is signed, has no AD bit")
    found = await one("dnssec", {"bogus.test": ZONE["bogus.test"]})
    assert found.ok is False
    assert found.detail.startswith("it says that there is no signed.test, which is signed")
    found = await one("dnssec", {**ZONE, "bogus.test": {"A": ["192.0.2.1"]}})
    assert found.ok is False
    assert (await one("dnssec", {**ZONE, "signed.test": {"FAULT": ["SILENT"]}})).ok is False


async def test_blocklists() -> None:
    found = await one("blocklists")
    assert (found.ok, found.detail) == (True, "list.test answer properly")
    found = await one("blocklists", {**ZONE, entry(): {"A": ["127.255.255.254"]}})
    assert found.ok is False
    assert "127.255.255.254" in found.detail
    assert (await one("blocklists", blocklists=("silent.test", "list.test"))).ok is True
    found = await one("blocklists", blocklists=("gone.test", "missing.test"))
    assert found.detail.startswith("no list answers properly: gone.test, missing.test: its test entry is not there")
    assert (await one("blocklists", blocklists=())).ok is None


async def test_our_tls_library(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await one("tls")
    assert found.ok is True
    assert "from TLSv1.0 to TLSv1.3" in found.detail

    def modern() -> SSL.Context:
        context = tls_context()
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        return context

    monkeypatch.setattr("probes.preconditions.tls_context", modern)
    found = await one("tls")
    assert found.ok is False
    assert "completes no handshake of TLSv1.0, TLSv1.1" in found.detail


async def test_all_of_them_in_order_and_side_by_side() -> None:
    for _ in range(3):  # a starved machine runs into a time-out now and then, not every time
        with black_hole() as silent:
            references = (("127.0.0.1", silent),)
            began = time.monotonic()
            async with world(port_25_references=references, ipv6_references=references) as surroundings:
                found = await check(surroundings)
            quick = time.monotonic() - began < 2
        assert tuple(each.name for each in found) == NAMES == tuple(ROLES)
        if quick and [each.ok for each in found] == [True, False, False, True, True, True]:
            break
    else:
        pytest.fail(f"{found}, quick: {quick}")


async def test_a_lab_asks_nobody_outside() -> None:
    async with scripted(lambda *_: asyncio.sleep(0)) as outside, name_server(ZONE) as asked:
        references = (("127.0.0.1", outside.port),)
        options = Options(allow_private=True, port_25_references=references, ipv6_references=references)
        surroundings = Surroundings(options)
        found = {each.name: each.ok for each in await check(surroundings)}
        await surroundings.close()
        assert found == {"names": None, "port_25": None, "ipv6": None, "dnssec": None, "blocklists": None, "tls": True}
        assert (outside.connections, asked.questions) == (0, [])
    # Its own resolver may be asked.
    assert (await one("dnssec", allow_private=True)).ok is True
    assert (await one("dnssec", allow_private=True, resolver=("9.9.9.9", 53))).ok is None
    assert (await one("dnssec", allow_private=True, validation_references=VALIDATION_REFERENCES)).ok is None


# --- what follows for the endpoints -----------------------------------------------------------------------------------


async def cause_of(surroundings: Surroundings, host: str, port: int) -> Unmeasured:
    endpoint = Endpoint("mx", host=host, port=port)
    async with Network(endpoint, surroundings.options, surroundings) as network:
        with pytest.raises(Unmeasured) as raised:
            await network.dial(host, port)
    return raised.value


@pytest.mark.parametrize(
    ("name", "host", "port", "cause"),
    [
        ("port_25", "9.9.9.9", 25, Cause.PORT_BLOCKED_LOCALLY),
        ("ipv6", "2620:fe::9", 587, Cause.NO_IPV6_LOCALLY),
    ],
)
async def test_whole_groups_get_their_cause_at_once(
    name: Name, host: str, port: int, cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    with black_hole() as silent:
        async with world(**{f"{name}_references": (("127.0.0.1", silent),)}) as surroundings:
            await check(surroundings, [name])

            async def connect(*_: object) -> None:
                raise AssertionError("nobody is dialled")

            monkeypatch.setattr("probes.network.connect", connect)
            began = time.monotonic()
            assert (await cause_of(surroundings, host, port)).cause is cause
            assert time.monotonic() - began < 0.2


async def test_nothing_is_held_against_an_address_before_it_is_known_or_where_it_does_not_matter() -> None:
    public, six, private = (addresses.literal(text) for text in ("9.9.9.9", "2620:fe::9", "10.1.2.3"))
    assert public is not None
    assert six is not None
    assert private is not None
    with black_hole() as silent:
        references = (("127.0.0.1", silent),)
        async with world(port_25_references=references, ipv6_references=references) as surroundings:
            assert surroundings.known_obstacle(public, 25) is surroundings.known_obstacle(six, 587) is None
            await check(surroundings, ["port_25", "ipv6"])
            assert surroundings.known_obstacle(public, 25) is not None
            assert surroundings.known_obstacle(public, 587) is surroundings.known_obstacle(private, 25) is None
            assert surroundings.known_obstacle(six, 587) is not None
