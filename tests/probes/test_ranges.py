"""Sets of addresses: against Python's own sets of integers."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from probes.ranges import EVERYTHING, AddressSet

_SMALL = st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=12)


def networks(pairs: list[tuple[int, int]]) -> list[ipaddress.IPv4Network]:
    return [ipaddress.IPv4Network((0xC0000200 + last, length), strict=False) for last, length in pairs]


def members(pairs: list[tuple[int, int]]) -> set[ipaddress.IPv4Address]:
    return {address for network in networks(pairs) for address in network}


@given(_SMALL, _SMALL)
def test_as_sets_of_addresses(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    first, second = AddressSet.of(networks(one)), AddressSet.of(networks(other))
    assert first.ipv4_addresses == len(members(one))
    assert (first | second).ipv4_addresses == len(members(one) | members(other))
    assert (first - second).ipv4_addresses == len(members(one) - members(other))
    assert (first - second) | second == first | second
    assert (EVERYTHING - first).ipv4_addresses == 2**32 - len(members(one))


def test_networks_of_64_bits() -> None:
    six = [ipaddress.IPv6Network(text) for text in ("2001:db8::/62", "2001:db8::1/128", "2001:db8:1::ff/128")]
    assert AddressSet.of(six).ipv6_networks == 5
    assert AddressSet.of(six).ipv4_addresses == 0
    assert EVERYTHING.ipv6_networks == 2**64
