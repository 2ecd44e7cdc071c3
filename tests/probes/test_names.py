"""The names probe against a real name server on loopback."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

import pytest

from probes.model import Cause, Endpoint, Measurement, Role
from probes.names import NamesProbe
from tests.probes.dnsserver import Asked, name_server
from tests.probes.loopback import measure, options

Zone = dict[str, dict[str, Sequence[str]]]


def reverse(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


FOUR, SIX = "9.9.9.9", "2620:fe::9"  # public ones: there is nothing to ask about others. Nothing is ever dialled.


def good() -> Zone:
    return {
        "shop.example": {
            "MX": ["10 mx1.shop.example.", "20 MX2.shop.example."],
            "NS": ["ns2.host.example.", "ns1.host.example."],
            "SOA": ["ns1.host.example. hostmaster.shop.example. 1 7200 3600 1209600 900"],
        },
        "mx1.shop.example": {"A": [FOUR], "AAAA": [SIX]},
        "mx2.shop.example": {"A": ["9.9.9.10"]},
        reverse(FOUR): {"PTR": ["other.shop.example.", "mx1.shop.example."]},
        reverse(SIX): {"PTR": ["MX1.shop.example."]},
        "other.shop.example": {"A": ["9.9.9.11"]},
        "ns1.host.example": {"A": ["9.9.9.12"], "AAAA": ["2620:fe::12"]},
        "ns2.host.example": {"A": ["9.9.9.13"]},
    }


async def look_at(
    zone: Mapping[str, Mapping[str, Sequence[str]]], endpoint: Endpoint
) -> tuple[dict[str, Measurement], Asked]:
    async with name_server(zone) as asked:
        return await measure(NamesProbe(), endpoint, options(asked.resolver)), asked


async def host(zone: Zone, name: str = "mx1.shop.example", role: Role = "mx") -> dict[str, object]:
    found, _ = await look_at(zone, Endpoint(role, host=name, port=25))
    return shown(found)


async def domain(zone: Zone, name: str = "shop.example") -> dict[str, object]:
    found, _ = await look_at(zone, Endpoint("domain", domain=name))
    return shown(found)


def shown(found: Mapping[str, Measurement]) -> dict[str, object]:
    return {key.removeprefix("dns."): each.value if each.cause is None else each.cause for key, each in found.items()}


# --- hosts ------------------------------------------------------------------------------------------------------------


async def test_a_good_host() -> None:
    assert await host(good()) == {
        "addresses": 2,
        "ipv6": True,
        "ptr": ("mx1.shop.example", "other.shop.example"),
        "forward_confirmed": True,
    }


async def test_a_host_without_ipv6_and_without_reverse_names() -> None:
    assert await host(good(), "mx2.shop.example", "submission") == {
        "addresses": 1,
        "ipv6": False,
        "ptr": (),
        "forward_confirmed": False,
    }


async def test_a_reverse_name_that_leads_elsewhere() -> None:
    zone = good()
    zone[reverse(SIX)] = {"PTR": ["other.shop.example."]}
    found, _ = await look_at(zone, Endpoint("mx", host="mx1.shop.example", port=25))
    assert found["dns.forward_confirmed"].value is False
    assert found["dns.forward_confirmed"].detail == f"not confirmed: {SIX}"
    zone[reverse(SIX)] = {"PTR": ["no\\032name.shop.example."]}
    assert (await host(zone))["forward_confirmed"] is False


async def test_mail_access_hosts_have_addresses_only() -> None:
    assert await host(good(), role="imap") == {"addresses": 2, "ipv6": True}


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "localhost", "mail.localhost", "10.1.2.3"])
async def test_private_addresses_are_asked_nothing(name: str) -> None:
    found, asked = await look_at(good(), Endpoint("mx", host=name, port=25))
    assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}
    assert asked.questions == []


async def test_a_private_address_has_no_public_reverse_name() -> None:
    zone = good()
    zone["mx1.shop.example"] = {"A": ["127.0.0.1"]}
    found = await host(zone)
    assert found["addresses"] == 1
    assert found["ptr"] is found["forward_confirmed"] is Cause.NOT_APPLICABLE


async def test_a_public_address_as_host() -> None:
    found = await host(good(), FOUR)
    assert found["ptr"] == ("mx1.shop.example", "other.shop.example")
    assert found["forward_confirmed"] is True
    assert found["addresses"] is found["ipv6"] is Cause.NOT_APPLICABLE


async def test_a_host_that_does_not_exist() -> None:
    assert set((await host(good(), "gone.shop.example")).values()) == {Cause.DNS_NXDOMAIN}
    empty = await host({**good(), "empty.shop.example": {}}, "empty.shop.example")
    assert (empty["addresses"], empty["ipv6"]) == (0, False)
    assert empty["ptr"] is Cause.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("name", "kind", "lost"),
    [
        ("mx1.shop.example", "AAAA", {"addresses", "ipv6", "ptr", "forward_confirmed"}),
        ("mx1.shop.example", "A", {"addresses", "ptr", "forward_confirmed"}),
        (reverse(SIX), "PTR", {"ptr", "forward_confirmed"}),
        ("other.shop.example", "A", set()),
    ],
)
@pytest.mark.parametrize(("fault", "cause"), [("SERVFAIL", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)])
async def test_a_failing_question_costs_only_what_depends_on_it(
    name: str, kind: str, lost: set[str], fault: str, cause: Cause
) -> None:
    zone = good()
    zone[name] = {**zone[name], f"FAULT/{kind}": [fault]}
    found = await host(zone)
    assert {key for key, value in found.items() if value is cause} == lost
    truth = await host(good())
    assert {key: value for key, value in found.items() if key not in lost} == {
        key: value for key, value in truth.items() if key not in lost
    }


async def test_one_address_that_is_not_confirmed_says_no_whatever_the_others_are() -> None:
    zone = good()
    zone[reverse(FOUR)] = {"FAULT": ["SERVFAIL"]}
    zone[reverse(SIX)] = {}
    found = await host(zone)
    assert found["forward_confirmed"] is False
    assert found["ptr"] is Cause.DNS_SERVFAIL


# --- domains ----------------------------------------------------------------------------------------------------------


async def test_a_good_domain() -> None:
    assert await domain(good()) == {
        "mx_preferences": 2,
        "mx_duplicates": (),
        "mx_alias": (),
        "mx_literal": (),
        "mx_dangling": (),
        "name_servers": ("ns1.host.example", "ns2.host.example"),
        "name_servers_ipv6": 1,
        "soa_expire": 1209600,
        "soa_negative_ttl": 900,
    }


async def test_oddities_of_mx_records() -> None:
    zone = good()
    zone["shop.example"] = {
        **zone["shop.example"],
        "MX": [
            "10 mx1.shop.example.", "20 mx1.shop.example.", "10 192.0.2.25.", "10 alias.shop.example.",
            "10 gone.shop.example.", "10 empty.shop.example.", "10 lost.shop.example.",
        ],
    }  # fmt: skip
    zone["alias.shop.example"] = {"CNAME": ["mx1.shop.example."]}
    zone["lost.shop.example"] = {"CNAME": ["nowhere.example."]}
    zone["empty.shop.example"] = {"TXT": ['"here"']}
    found = await domain(zone)
    assert {key: value for key, value in found.items() if key.startswith("mx_")} == {
        "mx_preferences": 2,
        "mx_duplicates": ("mx1.shop.example",),
        "mx_alias": ("alias.shop.example", "lost.shop.example"),
        "mx_literal": ("192.0.2.25",),
        "mx_dangling": ("empty.shop.example", "gone.shop.example", "lost.shop.example"),
    }


async def test_a_domain_without_mx_hosts() -> None:
    for records in ([], ["0 ."]):
        zone = good()
        zone["shop.example"] = {**zone["shop.example"], "MX": records}
        found = await domain(zone)
        assert {value for key, value in found.items() if key.startswith("mx_")} == {Cause.NOT_APPLICABLE}


async def test_the_zone_of_a_subdomain() -> None:
    zone = good()
    zone["mail.shop.example"] = {"MX": ["10 mx1.shop.example."]}
    zone["example"] = {"NS": ["a.registry.example."], "SOA": ["a.registry.example. b.example. 1 2 3 4 5"]}
    found = await domain(zone, "mail.shop.example")
    assert found["name_servers"] == ("ns1.host.example", "ns2.host.example")
    assert found["soa_negative_ttl"] == 900
    # The top-level domain's name servers are not the domain's.
    zone["shop.example"] = {"MX": ["10 mx1.shop.example."]}
    found = await domain(zone, "mail.shop.example")
    assert found["name_servers"] is found["soa_expire"] is Cause.NOT_APPLICABLE


async def test_a_domain_that_does_not_exist() -> None:
    found = await domain(good(), "gone.example")
    assert found["name_servers"] is found["soa_expire"] is Cause.DNS_NXDOMAIN
    assert found["mx_dangling"] is Cause.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("name", "kind", "lost"),
    [
        ("shop.example", "MX", {"mx_preferences", "mx_duplicates", "mx_alias", "mx_literal", "mx_dangling"}),
        ("shop.example", "NS", {"name_servers", "name_servers_ipv6"}),
        ("shop.example", "SOA", {"soa_expire", "soa_negative_ttl"}),
        ("ns1.host.example", "AAAA", {"name_servers_ipv6"}),
        ("mx2.shop.example", "A", {"mx_dangling"}),
        ("mx1.shop.example", "A", set()),
    ],
)
@pytest.mark.parametrize(("fault", "cause"), [("REFUSED", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)])
async def test_a_failing_question_of_the_domain(name: str, kind: str, lost: set[str], fault: str, cause: Cause) -> None:
    zone = good()
    zone[name] = {**zone[name], f"FAULT/{kind}": [fault]}
    found = await domain(zone)
    truth = await domain(good())
    assert {key for key, value in found.items() if value is cause} == lost
    assert {key: value for key, value in found.items() if key not in lost} == {
        key: value for key, value in truth.items() if key not in lost
    }


async def test_an_mx_host_of_which_nothing_is_known() -> None:
    zone = good()
    zone["mx2.shop.example"] = {"FAULT": ["SERVFAIL"]}
    found = await domain(zone)
    assert found["mx_alias"] is found["mx_dangling"] is Cause.DNS_SERVFAIL
    assert found["mx_preferences"] == 2
