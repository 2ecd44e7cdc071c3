"""Sets of IP addresses as ranges: how many there are, without writing them out. Pure, no socket."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_Ranges = tuple[tuple[int, int], ...]
"""First and last of each range, sorted, with at least one address between two."""


@dataclasses.dataclass(frozen=True, slots=True)
class AddressSet:
    """IPv4 and IPv6 addresses, each in it once."""

    four: _Ranges = ()
    six: _Ranges = ()

    @classmethod
    def of(cls, networks: Iterable[IPNetwork]) -> AddressSet:
        """All addresses of these networks."""
        pairs: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for network in networks:
            pairs[network.version].append((int(network.network_address), int(network.broadcast_address)))
        return cls(_merged(pairs[4]), _merged(pairs[6]))

    def __or__(self, other: AddressSet) -> AddressSet:
        return AddressSet(_merged(self.four + other.four), _merged(self.six + other.six))

    def __sub__(self, other: AddressSet) -> AddressSet:
        return AddressSet(_without(self.four, other.four), _without(self.six, other.six))

    @property
    def ipv4_addresses(self) -> int:
        """How many IPv4 addresses."""
        return sum(last - first + 1 for first, last in self.four)

    @property
    def ipv6_networks(self) -> int:
        """How many IPv6 networks of 64 bits have an address in the set."""
        return sum(last - first + 1 for first, last in _merged((first >> 64, last >> 64) for first, last in self.six))


def _merged(ranges: Iterable[tuple[int, int]]) -> _Ranges:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _without(ranges: _Ranges, others: _Ranges) -> _Ranges:
    left: list[tuple[int, int]] = []
    for first, last in ranges:
        for start, end in others:
            if end < first or start > last:
                continue
            if start > first:
                left.append((first, start - 1))
            first = end + 1
            if first > last:
                break
        if first <= last:
            left.append((first, last))
    return tuple(left)


EVERYTHING = AddressSet.of((ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0")))
