"""SPF records: what their text means, and what their tree costs."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import spf
from probes.model import Cause, Unmeasured
from probes.spf import Cost, SPFSyntaxError, Term, cost_of, parse, records_of


def test_records_of() -> None:
    texts = ["v=spf1 -all", "V=SPF1", "v=spf10 -all", "v=spf1\t-all", " v=spf1", "spf2.0/pra", "v=spf1-all"]
    assert records_of(texts) == ["v=spf1 -all", "V=SPF1"]


def test_a_record_with_everything() -> None:
    record = parse(
        "v=spf1  a A:mail.example.com/28 mx/24//64 mx:example.org -PTR ptr:example.com ip4:192.0.2.0/24 ip4:192.0.2.1 "
        "~ip6:2001:DB8::/32 ?include:_spf.Example.com. exists:%{ir}.%{l1r+-}._spf.%{d} unknown=%{s} exp=e.example.com "
        "a:%{d}/24 -all redirect=ignored.example mx"
    )
    assert record.terms == (
        Term("+", "a"),
        Term("+", "a", "mail.example.com", lengths=(28, 128)),
        Term("+", "mx", lengths=(24, 64)),
        Term("+", "mx", "example.org"),
        Term("-", "ptr"),
        Term("+", "ptr", "example.com"),
        Term("+", "ip4", network=ipaddress.IPv4Network("192.0.2.0/24")),
        Term("+", "ip4", network=ipaddress.IPv4Network("192.0.2.1/32")),
        Term("~", "ip6", network=ipaddress.IPv6Network("2001:db8::/32")),
        Term("?", "include", "_spf.example.com"),
        Term("+", "exists", "%{ir}.%{l1r+-}._spf.%{d}"),
        Term("+", "a", "%{d}", lengths=(24, 128)),
        Term("-", "all"),
    )
    assert record.all == "-"
    assert record.redirect == ""
    assert parse("v=spf1 redirect=_spf.example.com").redirect == "_spf.example.com"
    assert parse("v=spf1").terms == ()


@pytest.mark.parametrize(
    "text",
    [
        "v=spf2 -all", "v=spf1 -al", "v=spf1 all:x.example", "v=spf1 include", "v=spf1 include:", "v=spf1 include:com",
        "v=spf1 exists", "v=spf1 ip4", "v=spf1 ip4:", "v=spf1 ip4:192.0.2", "v=spf1 ip4:192.0.2.0/33",
        "v=spf1 ip4:192.0.2.0/024", "v=spf1 ip4:192.0.2.0/", "v=spf1 ip4:2001:db8::1", "v=spf1 ip6:192.0.2.1",
        "v=spf1 ip6:fe80::1%eth0", "v=spf1 ip6:2001:db8::/129", "v=spf1 a/33", "v=spf1 mx//129", "v=spf1 a/01",
        "v=spf1 a:example.com/x", "v=spf1 a:", "v=spf1 -", "v=spf1 =x", "v=spf1 --all", "v=spf1 include= z",
        "v=spf1 include:%{x}.example", "v=spf1 include:%d.example", "v=spf1 x=%", "v=spf1 a:b..example.com",
        "v=spf1 redirect=a.example redirect=b.example", "v=spf1 exp=a.example exp=b.example", "v=spf1 redirect=",
        "v=spf1 include:example.123", "v=spf1 -all\n", "v=spf1 a\tmx", "v=spf1 include:b\u00fccher.example",
        "v=spf1 include:" + "a" * 64 + ".example",
    ],
)  # fmt: skip
def test_permanent_errors(text: str) -> None:
    with pytest.raises(SPFSyntaxError) as caught:
        parse(text)
    assert str(caught.value).isprintable()


pieces = st.sampled_from(
    ["a", "mx", ":", "/", "//", "24", "%{", "}", "d", "ip4", "ip6", "include", "all", "=", "redirect", ".x", "-", " "]
)


@given(st.text(max_size=80) | st.lists(pieces, max_size=12).map("".join))
def test_no_text_breaks_the_parser(text: str) -> None:
    for candidate in (text, "v=spf1 " + text):
        try:
            record = parse(candidate)
        except SPFSyntaxError:
            continue
        assert all(term.mechanism for term in record.terms)


# --- the cost ---------------------------------------------------------------------------------------------------------


async def cost(zone: dict[tuple[str, str], Any], domain: str = "d.example") -> Cost:
    """Evaluate ``domain`` over a zone: (name, type) → records, None for NXDOMAIN, or the Unmeasured to raise."""

    async def resolve(name: str, kind: str) -> Any:
        found = zone.get((name, kind))
        if isinstance(found, Unmeasured):
            raise found
        return SimpleNamespace(exists=found is not None, records=tuple(found or ()))

    return await cost_of(domain, parse(zone[domain, "TXT"][0]), resolve, addresses=True)


async def test_lookups_of_the_whole_tree_are_counted() -> None:
    found = await cost(
        {
            ("d.example", "TXT"): ["v=spf1 a mx ip4:192.0.2.1 ptr exists:%{i}.x.example include:one.example ~all mx"],
            ("d.example", "A"): ["192.0.2.1"],
            ("d.example", "MX"): ["10 mx.d.example."],
            ("one.example", "TXT"): ["other", "v=spf1 include:two.example ip4:198.51.100.0/24 ip4:198.51.100.7 -all"],
            ("two.example", "TXT"): ["v=spf1 redirect=three.example"],
            ("three.example", "TXT"): ["v=spf1 ip4:203.0.113.0/31 ip4:0.0.0.0/0 ?all"],
        }
    )
    assert found.lookups == 7
    assert found.voids == 0
    assert found.all == "~all"
    assert found.error == ""
    assert found.passing.ipv4_addresses == 2**32
    assert found.open_ended
    assert found.names == {"one.example", "two.example", "three.example"}


async def test_redirect_decides_the_end() -> None:
    zone = {("d.example", "TXT"): ["v=spf1 redirect=r.example"], ("r.example", "TXT"): ["v=spf1 -all"]}
    assert (await cost(zone)).all == "-all"
    zone["r.example", "TXT"] = ["v=spf1 mx:m.example"]
    assert (await cost(zone)).all == "none"
    del zone["r.example", "TXT"]
    assert "no SPF record" in (await cost(zone)).error


async def test_only_what_passes_is_authorised() -> None:
    zone = {
        ("d.example", "TXT"): [
            "v=spf1 ip4:192.0.2.0/30 -ip4:198.51.100.0/24 -include:bad.example include:good.example -all"
        ],
        ("bad.example", "TXT"): ["v=spf1 ip4:203.0.113.0/24 -all"],
        ("good.example", "TXT"): ["v=spf1 ip4:192.0.2.2 ip6:2001:db8::/64 ip4:192.0.2.128/31 -all"],
    }
    found = await cost(zone)
    assert found.passing.ipv4_addresses == 6
    assert found.passing.ipv6_networks == 1
    assert not found.open_ended


async def addresses(record: str, **more: list[str]) -> tuple[int, int]:
    """IPv4 addresses and IPv6 networks that pass. ``more``: such as ``a_mx1=[…]`` for the A records of mx1.example."""
    zone: dict[tuple[str, str], Any] = {("d.example", "TXT"): [record]}
    for key, records in more.items():
        kind, _, name = key.partition("_")
        zone[f"{name}.example", kind.upper()] = records
    found = await cost(zone)
    assert found.error == ""
    return found.passing.ipv4_addresses, found.passing.ipv6_networks


async def test_each_address_is_counted_once() -> None:
    assert await addresses("v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.128/25 ip4:192.0.3.0 ip4:192.0.2.255/31 -all") == (
        257,
        0,
    )
    assert await addresses("v=spf1 ip6:2001:db8::/63 ip6:2001:db8:0:1::5 ip6:2001:db8:0:2::5/126 -all") == (0, 3)
    assert await addresses("v=spf1 ip4:10.0.0.0/8 +all") == (2**32, 2**64)
    assert await addresses("v=spf1 -all ip4:10.0.0.0/8") == (0, 0)


async def test_an_earlier_term_decides() -> None:
    assert await addresses("v=spf1 -ip4:192.0.2.0/25 ip4:192.0.2.0/24 -all") == (128, 0)
    assert await addresses("v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.0/25 -all") == (256, 0)
    assert await addresses("v=spf1 ~ip4:192.0.2.64/26 ~ip6:2001:db8::/64 +all") == (2**32 - 64, 2**64 - 1)
    # An include matches only where its record says pass; its own -all ends nothing.
    inner = ["v=spf1 -ip4:192.0.2.0/25 ip4:192.0.2.0/24 -all"]
    assert await addresses("v=spf1 include:i.example ip4:192.0.2.0/28 -all", txt_i=inner) == (144, 0)
    assert await addresses("v=spf1 -include:i.example ip4:192.0.2.0/24 -all", txt_i=inner) == (128, 0)
    assert await addresses("v=spf1 ip4:192.0.2.0/28 redirect=i.example", txt_i=inner) == (144, 0)
    assert await addresses("v=spf1 include:i.example -all", txt_i=["v=spf1 +all"]) == (2**32, 2**64)


async def test_hosts_count_with_their_prefixes() -> None:
    hosts = {"a_h": ["192.0.2.1", "192.0.2.77"], "aaaa_h": ["2001:db8::1"]}
    assert await addresses("v=spf1 a:h.example -all", **hosts) == (2, 1)
    assert await addresses("v=spf1 a:h.example/24//56 -all", **hosts) == (256, 256)
    assert await addresses("v=spf1 mx:m.example/26 -all", mx_m=["10 h.example.", "20 h.example."], **hosts) == (128, 1)
    assert await addresses("v=spf1 exists:h.example -all", **hosts) == (2**32, 2**64)
    assert await addresses("v=spf1 exists:no.example a:no.example ip4:192.0.2.1 -all") == (1, 0)


async def test_what_cannot_be_counted() -> None:
    for term in ("ptr", "exists:%{i}.example.com", "a:%{d}", "-ptr:example.com"):
        assert (await cost({("d.example", "TXT"): [f"v=spf1 {term} ip4:192.0.2.1 -all"]})).open_ended, term
    silent = Unmeasured(Cause.DNS_TIMEOUT, "AAAA h.example: no answer")
    zone: dict[tuple[str, str], Any] = {
        ("d.example", "TXT"): ["v=spf1 a:h.example -all"],
        ("h.example", "A"): ["192.0.2.1"],
        ("h.example", "AAAA"): silent,
    }
    found = await cost(zone)
    assert found.passing_unknown is silent
    assert (found.unknown, found.error, found.lookups) == (None, "", 1)


async def test_empty_answers_are_counted() -> None:
    zone: dict[tuple[str, str], Any] = {
        ("d.example", "TXT"): [
            "v=spf1 a:no.example mx:no.example a:six.example exists:no.example include:no.example -all"
        ],
        ("six.example", "A"): [],
        ("six.example", "AAAA"): ["2001:db8::1"],
    }
    found = await cost(zone)
    assert found.lookups == 5
    assert found.voids == 4
    assert "no SPF record" in found.error
    zone["d.example", "TXT"] = ["v=spf1 a:a.example a:b.example a:c.example -all"]
    assert "3 DNS look-ups have an empty answer" in (await cost(zone)).error
    zone["d.example", "TXT"] = ["v=spf1 a:a.example a:b.example -all"]
    assert (await cost(zone)).error == ""


async def test_eleven_lookups_are_too_many() -> None:
    zone = {("d.example", "TXT"): ["v=spf1 " + " ".join(["exists:%{i}.example.com"] * 10) + " -all"]}
    assert (await cost(zone)).error == ""
    zone = {("d.example", "TXT"): ["v=spf1 " + " ".join(["exists:%{i}.example.com"] * 11) + " -all"]}
    found = await cost(zone)
    assert found.lookups == 11
    assert "11 DNS look-ups" in found.error
    zone = {("d.example", "TXT"): ["v=spf1 " + " ".join(["exists:%{i}.example.com"] * 500) + " -all"]}
    assert (await cost(zone)).lookups == spf.COUNTED


async def test_a_tree_that_explodes_is_given_up() -> None:
    zone = {
        (f"n{level}.example", "TXT"): ["v=spf1 " + f"include:n{level + 1}.example " * 10 + "-all"]
        for level in range(40)
    }
    zone["d.example", "TXT"] = ["v=spf1 include:n0.example -all"]
    found = await cost(zone)
    assert found.lookups == spf.COUNTED
    assert "30 DNS look-ups" in found.error


async def test_loops() -> None:
    found = await cost({("d.example", "TXT"): ["v=spf1 include:d.example -all"]})
    assert found.endless
    assert "leads back to itself" in found.error
    found = await cost(
        {("d.example", "TXT"): ["v=spf1 redirect=e.example"], ("e.example", "TXT"): ["v=spf1 redirect=d.example"]}
    )
    assert found.endless


async def test_what_depends_on_the_message_is_not_followed() -> None:
    found = await cost({("d.example", "TXT"): ["v=spf1 include:%{ir}.%{v}.%{d}.spf.example.com ~all"]})
    assert found.per_sender
    assert found.lookups == 1
    assert found.error == ""


async def test_a_fault_leaves_the_tree_unknown() -> None:
    silent = Unmeasured(Cause.DNS_TIMEOUT, "TXT two.example: no answer")
    found = await cost({("d.example", "TXT"): ["v=spf1 include:two.example mx -all"], ("two.example", "TXT"): silent})
    assert found.unknown is silent
    assert found.error == ""


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (["v=spf1 -all", "v=spf1 ~all"], "several"),
        (["nothing"], "no SPF record"),
        (["v=spf1 bogus"], "unknown mechanism"),
    ],
)
async def test_broken_includes(records: list[str], said: str) -> None:
    found = await cost({("d.example", "TXT"): ["v=spf1 include:two.example -all"], ("two.example", "TXT"): records})
    assert said in found.error
    assert found.lookups == 1


async def test_too_many_mx_hosts() -> None:
    zone = {
        ("d.example", "TXT"): ["v=spf1 mx -all"],
        ("d.example", "MX"): [f"10 mx{number}.example." for number in range(11)],
    }
    assert "more than 10 hosts" in (await cost(zone)).error
