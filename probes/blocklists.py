"""Blocklists in DNS (RFC 5782): whether lists of mail servers' addresses hold the endpoint's host.

A list has to prove in every run that it answers this resolver properly: the address 127.0.0.2 must be listed and
127.0.0.1 must not (RFC 5782 §5). Answers in 127.255.255.0/24 are errors (a public or blocked resolver, a limit), so is
127.0.0.1, and an address outside 127.0.0.0/8 comes from no list at all: none of these is ever taken for a listing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from probes import addresses
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.addresses import IPAddress
    from probes.network import Network, Surroundings
    from probes.resolver import Answer

_ROLES: frozenset[Role] = frozenset({"mx", "submission"})

MAXIMUM_ADDRESSES = 4
"""Public addresses of a host that are looked up in each list."""
MAXIMUM_LISTS = 20

_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
_ERRORS = ipaddress.IPv4Network("127.255.255.0/24")
_NOTHING = ipaddress.IPv4Address("127.0.0.1")
_LISTED: dict[int, IPAddress] = {
    4: ipaddress.IPv4Address("127.0.0.2"),
    6: ipaddress.IPv6Address("::ffff:127.0.0.2"),
}
_NOT_LISTED: dict[int, IPAddress] = {4: _NOTHING, 6: ipaddress.IPv6Address("::ffff:127.0.0.1")}
"""The test entries, by version of the address (RFC 5782 §5)."""

METRICS: tuple[Metric, ...] = (
    Metric(
        "blocklist.listed",
        "set",
        f"Blocklists that hold a public address of the host (one of the first {MAXIMUM_ADDRESSES}), among those that "
        "proved in this run that they answer from here; what the entry says is in the detail.",
        reference="RFC 5782 §2.1, §5",
    ),
    Metric(
        "blocklist.lists_asked",
        "integer",
        "How many blocklists proved in this run that they answer from here, and did so for every one of those "
        "addresses that they have a section for.",
        reference="RFC 5782 §5",
    ),
)


# --- answers ----------------------------------------------------------------------------------------------------------


class ListFault(Exception):
    """A list's answer that says nothing about the address, in words."""


def question(address: IPAddress, zone: str) -> str:
    """The name that a list is asked for (RFC 5782 §2.1, §2.4)."""
    reverse = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return f"{reverse}.{zone}"


def codes(answer: Answer) -> tuple[str, ...]:
    """The codes under which an address is listed; empty when it is not. ``ListFault`` for an error."""
    found = [address for text in answer.records if (address := addresses.literal(text)) is not None]
    for address in found:
        if not isinstance(address, ipaddress.IPv4Address) or address not in _LOOPBACK:
            raise ListFault(f"it answers {address}, which is no code of a blocklist")
        if address in _ERRORS or address == _NOTHING:
            raise ListFault(f"it answers with the error {address}: it does not serve this resolver")
    return tuple(sorted(map(str, found)))


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """Whether a list answers properly for one version of addresses; if not, why: a cause and words."""

    zone: str
    works: bool
    cause: Cause = Cause.NOT_APPLICABLE
    why: str = ""


async def prove(zone: str, version: int, surroundings: Surroundings) -> Proof:
    """The list's self-test, made once per run. ``version``: 4 or 6, of the addresses to be looked up."""
    return await surroundings.once(f"does {zone} answer for IPv{version}?", lambda: _prove(zone, version, surroundings))


async def _require_proof(zone: str, version: int, network: Network) -> Proof:
    """The self-test as this endpoint sees it: its deadline may come first."""

    async def test() -> bool:
        proof = await prove(zone, version, network.surroundings)
        if not proof.works:
            raise Unmeasured(proof.cause, proof.why)
        return True

    try:
        works = await network.within_deadline(test(), f"testing {zone} for IPv{version}")
    except Unmeasured as reason:
        return Proof(zone, False, reason.cause, reason.detail)
    return Proof(zone, works)


async def _prove(zone: str, version: int, surroundings: Surroundings) -> Proof:
    ask = surroundings.resolver.ask
    try:
        listed, not_listed = await asyncio.gather(
            ask(question(_LISTED[version], zone), "A"), ask(question(_NOT_LISTED[version], zone), "A")
        )
        present, absent = codes(listed), codes(not_listed)
    except Unmeasured as reason:
        return Proof(zone, False, reason.cause, reason.detail)
    except ListFault as fault:
        return Proof(zone, False, Cause.NOT_PERMITTED, str(fault))
    if not present:
        return Proof(zone, False, Cause.NOT_PERMITTED, "its test entry is not there: it does not serve this resolver")
    if absent:
        return Proof(zone, False, Cause.PROTOCOL_ERROR, "it lists every address, 127.0.0.1 too")
    return Proof(zone, True)


# --- the probe --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Finding:
    """What one list said of all the addresses. ``listed``: entries, for people; ``silent``: why it did not say all."""

    zone: str
    listed: tuple[str, ...] = ()
    silent: Proof | None = None


class BlocklistProbe:
    """The host's addresses in the lists of ``Options.blocklists``."""

    name = "blocklist"
    roles = _ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """Both metrics, or one cause for both: that of the first list, when none proves that it answers."""
        zones = tuple(dict.fromkeys(zone.lower().removesuffix(".") for zone in network.options.blocklists))
        if not zones:
            raise Unmeasured(Cause.NOT_APPLICABLE, "no blocklist is configured")
        public = await _public_addresses(endpoint.host, network)
        found = await asyncio.gather(*(_look_up(zone, public, network) for zone in zones[:MAXIMUM_LISTS]))
        answered = [finding for finding in found if finding.silent is None]
        entries = [entry for finding in found for entry in finding.listed]
        if not answered and not entries:
            raise _nobody([finding.silent for finding in found if finding.silent is not None])
        left = "; ".join(f"{each.zone}: {each.silent.why}" for each in found if each.silent is not None)
        return [
            Measurement(
                "blocklist.listed",
                tuple(sorted(finding.zone for finding in found if finding.listed)),
                detail=printable("; ".join(entries), 500),
            ),
            Measurement(
                "blocklist.lists_asked", len(answered), detail=printable(f"without {left}" if left else "", 500)
            ),
        ]


async def _public_addresses(host: str, network: Network) -> list[IPAddress]:
    """What may be asked about: lists say nothing of private addresses, and nobody outside need hear of them. An answer
    that did not come leaves open what else the host has, so that nothing can be said of all its addresses."""
    literal = addresses.literal(host)
    if literal is not None:
        texts: list[str] = [str(literal)]
    elif addresses.is_localhost(host.lower().removesuffix(".")):
        texts = []
    else:
        answers = await asyncio.gather(network.resolve(host, "A"), network.resolve(host, "AAAA"))
        texts = [text for answer in answers for text in answer.records]
        if not texts:
            why = "has no address" if answers[0].exists else "does not exist"
            raise Unmeasured(Cause.DNS_NXDOMAIN, f"{printable(host, 255)} {why}")
    found = [address for text in texts if (address := addresses.literal(text)) is not None]
    public = [address for address in found if addresses.blocked_reason(address) is None]
    if not public:
        raise Unmeasured(Cause.NOT_APPLICABLE, "the host has no public address")
    return public[:MAXIMUM_ADDRESSES]


async def _look_up(zone: str, public: Sequence[IPAddress], network: Network) -> _Finding:
    """A list without a section for IPv6 is asked about IPv4 addresses alone, and the other way round."""
    versions = sorted({address.version for address in public})
    proofs = await asyncio.gather(*(_require_proof(zone, version, network) for version in versions))
    if not any(proof.works for proof in proofs):
        return _Finding(zone, silent=proofs[0])
    served = {version for version, proof in zip(versions, proofs, strict=True) if proof.works}
    entries: list[str] = []
    silent: Proof | None = None
    for address in public:
        if address.version not in served:
            continue
        try:
            said = codes(await network.resolve(question(address, zone), "A"))
        except Unmeasured as reason:
            silent = Proof(zone, False, reason.cause, reason.detail)
        except ListFault as fault:
            silent = Proof(zone, False, Cause.NOT_PERMITTED, str(fault))
        else:
            if said:
                entries.append(f"{address} in {zone} ({', '.join(said)})")
    return _Finding(zone, tuple(entries), silent)


def _nobody(silent: Sequence[Proof]) -> Unmeasured:
    """Why there is no value: refusals say more than silence."""
    first = min(silent, key=lambda proof: proof.cause is not Cause.NOT_PERMITTED)
    return Unmeasured(
        first.cause, printable(f"no blocklist answers properly from here; {first.zone}: {first.why}", 300)
    )
