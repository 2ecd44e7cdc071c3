"""Every address of a mail host, one by one: which of them answer, and whether IPv6 is among them.

A client takes whichever address its resolver puts first, and a host with one dead address loses a share of its
connections that a look at the host by name never shows. The addresses that the main conversation dialled are not
dialled again; each of the others gets one connection: greeting and QUIT, with implicit TLS the handshake alone.

A refusal is an answer of the other side and so evidence; silence, a reset and a greeting that turns us away may be
about us or the way, and leave an address undecided, with its cause.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from probes.addresses import literal
from probes.model import MAIL_ROLES, Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.conversation import Conversation
    from probes.network import Network

_SMTP: frozenset[Role] = frozenset({"submission", "mx"})

MAXIMUM_ADDRESSES = 8
"""Addresses of one host that are tried."""
_AT_ONCE = 4  # on mx one

METRICS: tuple[Metric, ...] = (
    Metric(
        "reach.addresses",
        "integer",
        "IPv4 and IPv6 addresses that DNS gives for the host.",
        reference="RFC 5321 §5.1",
    ),
    Metric(
        "reach.answering",
        "set",
        f"Those that answered, of at most {MAXIMUM_ADDRESSES} that were tried (IPv4 and IPv6 in turn): with a greeting "
        "that welcomes us, or with implicit TLS with a finished handshake. The detail says what became of the others.",
        reference="RFC 5321 §5.1",
    ),
    Metric(
        "reach.all_answer",
        "boolean",
        "Whether every address that was tried answered. False when one refuses connections while another answers; what "
        "kept the rest from answering is the cause when none refuses.",
        reference="RFC 5321 §5.1",
    ),
    Metric(
        "reach.ipv4",
        "boolean",
        "Whether an IPv4 address answered. False when all of them refuse connections while an IPv6 address answers; "
        "not applicable when the host has none.",
        reference="RFC 5321 §5.2",
    ),
    Metric(
        "reach.ipv6",
        "boolean",
        "Whether an IPv6 address answered. False when all of them refuse connections while an IPv4 address answers; "
        "not applicable when the host has none.",
        reference="RFC 5321 §5.2",
    ),
    Metric(
        "reach.greeting_names",
        "set",
        "Host names with which the addresses greet us. Several of them are usual where several machines share a name. "
        "Not applicable with implicit TLS, where no second greeting is waited for.",
        reference="RFC 5321 §4.2",
        roles=_SMTP,
    ),
)


def in_turn(addresses: Iterable[str]) -> list[str]:
    """The addresses, each kind sorted, IPv4 and IPv6 in turn, so that a cap costs neither kind all of its addresses."""
    parsed = sorted({ipaddress.ip_address(address) for address in addresses}, key=lambda each: each.packed)
    kinds = [[str(each) for each in parsed if each.version == version] for version in (4, 6)]
    longest = max(map(len, kinds))
    return [kind[at] for at in range(longest) for kind in kinds if at < len(kind)]


def decided(results: Sequence[Unmeasured | None], key: str, every: bool) -> Measurement:
    """One boolean from what became of some addresses (None: answered): ``every`` asks whether all answered, otherwise
    whether any did. A refusal is a no; anything else that kept an address from answering leaves its part open."""
    answered = [result is None for result in results]
    refused = [result is not None and result.cause is Cause.CONNECTION_REFUSED for result in results]
    if all(answered) or (any(answered) and not every):
        return Measurement(key, True)
    if any(refused) if every else all(refused):
        return Measurement(key, False, detail="; ".join(sorted({str(each.detail) for each in results if each}))[:500])
    undecided = [result for result, no in zip(results, refused, strict=True) if result is not None and not no]
    return Measurement.missing(key, undecided[0].cause, undecided[0].detail)


class ReachProbe:
    """One connection to each address of a mail host that the main conversation left out."""

    name = "reach"
    roles = MAIL_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, or ``Unmeasured``: ``not_applicable`` when the endpoint is an address itself; when no
        address answers, what kept the first one from it."""
        from probes.upgrade import conversation

        if literal(endpoint.host) is not None:
            raise Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is named by one address")
        talk = await conversation(endpoint, network)
        if talk.stopped is not None and talk.stopped.cause in (Cause.GREETING_REJECTED, Cause.THROTTLED):
            raise Unmeasured(talk.stopped.cause, talk.stopped.detail)  # who turns us away is not asked elsewhere
        known = await network.addresses(endpoint.host)
        tried = in_turn(known)[:MAXIMUM_ADDRESSES]
        names: set[str] = set()
        results = _already(endpoint, network, talk, names)
        turn = asyncio.Semaphore(1 if endpoint.role == "mx" else _AT_ONCE)

        async def look(address: str) -> None:
            async with turn:
                try:
                    names.update(await _greeting(endpoint, network, address))
                    results[address] = None
                except Unmeasured as reason:
                    network.note(f"{address}: {reason}")
                    results[address] = reason

        await asyncio.gather(*(look(address) for address in tried if address not in results))
        if None not in results.values():
            first = talk.stopped or next(reason for reason in results.values() if reason is not None)
            raise Unmeasured(first.cause, first.detail)
        tried += sorted(set(results) - set(tried))  # the main conversation may have got further than the cap
        return _findings(endpoint, len(known), {address: results[address] for address in tried}, names)


def _already(endpoint: Endpoint, network: Network, talk: Conversation, names: set[str]) -> dict[str, Unmeasured | None]:
    """What the main conversation found out about the addresses that it dialled; the name of its greeting."""
    results = network.attempts(endpoint.host, endpoint.port)
    answered = talk.session is not None if endpoint.tls == "implicit" else talk.greeting is not None
    if talk.greeting is not None:
        names.update(_name(talk.greeting))
    for address, failure in results.items():
        if failure is None and not answered:
            reason = talk.tls_failure or talk.why()
            results[address] = Unmeasured(reason.cause, reason.detail)
    return results


async def _greeting(endpoint: Endpoint, network: Network, address: str) -> tuple[str, ...]:
    """Connect to one address and see whether it answers; the name in its greeting, if it has one."""
    from probes.upgrade import dialogue_of

    async with await network.dial_address(endpoint.host, address, endpoint.port) as connection:
        if endpoint.tls == "implicit":
            await connection.start_tls(endpoint.host)
            return ()
        dialogue = dialogue_of(endpoint)(connection, network)
        async with dialogue.greeted() as lines:
            await dialogue.leave()
        return _name(lines)


def _name(greeting: tuple[bytes, ...]) -> tuple[str, ...]:
    words = greeting[0].split(maxsplit=1) if greeting else []
    return (printable(words[0], 255).lower(),) if words else ()


def _findings(
    endpoint: Endpoint, published: int, results: dict[str, Unmeasured | None], names: set[str]
) -> list[Measurement]:
    failed = [f"{address}: {reason}" for address, reason in results.items() if reason is not None]
    left_out = published - len(results)
    remarks = [*failed, *([f"{left_out} more were not tried"] if left_out > 0 else [])]
    answering = tuple(sorted(address for address, reason in results.items() if reason is None))
    found = [
        Measurement("reach.addresses", published),
        Measurement("reach.answering", answering, detail="; ".join(remarks)[:1000]),
        decided(list(results.values()), "reach.all_answer", every=True),
    ]
    for version in (4, 6):
        of_kind = [reason for address, reason in results.items() if ipaddress.ip_address(address).version == version]
        key = f"reach.ipv{version}"
        if of_kind:
            found.append(decided(of_kind, key, every=False))
        else:
            found.append(Measurement.missing(key, Cause.NOT_APPLICABLE, f"the host has no IPv{version} address"))
    if endpoint.role in _SMTP:
        key = "reach.greeting_names"
        if endpoint.tls == "implicit":
            why = "with implicit TLS no further greeting is waited for"
            found.append(Measurement.missing(key, Cause.NOT_APPLICABLE, why))
        elif names:
            found.append(Measurement(key, tuple(sorted(names))))
        else:
            found.append(Measurement.missing(key, Cause.PROTOCOL_ERROR, "no greeting names a host"))
    return found
