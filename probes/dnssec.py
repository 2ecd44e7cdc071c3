"""DNSSEC as a validating resolver sees it: secure, insecure, bogus (RFC 4035 §4.3).

The resolver's AD bit is believed only when the resolver has proved itself in this run (``Network.require_validation``);
otherwise there is no value but ``resolver_not_validating``. What lies between this machine and the resolver is not
covered by that proof: a resolver on this machine is the one to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.names import named
from probes.replies import printable
from probes.resolver import ServerFailure

if TYPE_CHECKING:
    from probes.network import Answer, Network

_ROLES: frozenset[Role] = frozenset({"domain", "mx"})
_LEVELS = ("bogus", "insecure", "secure")
_BOGUS = frozenset({6, 7, 8, 9, 10, 11, 12})
"""Extended DNS errors (RFC 8914 §4) of a validation that failed: bogus, expired, not yet valid, keys or signatures
missing …."""

METRICS: tuple[Metric, ...] = (
    Metric(
        "dnssec.domain",
        "level",
        "What a validating resolver says of the domain's MX records, or of their absence: secure (a chain of "
        "signatures from the root), insecure (not signed), bogus (signed, but wrongly; nobody can send mail there).",
        reference="RFC 4033 §5, RFC 4035 §4.3",
        levels=_LEVELS,
        roles=frozenset({"domain"}),
    ),
    Metric(
        "dnssec.mx",
        "level",
        "The same of the MX host's addresses; DANE needs it to be secure.",
        reference="RFC 4035 §4.3, RFC 7672 §2.2.2",
        levels=_LEVELS,
        roles=frozenset({"mx"}),
    ),
)


def is_bogus(reason: Unmeasured) -> bool:
    """Whether the resolver refused to answer because validation failed."""
    return isinstance(reason, ServerFailure) and bool(reason.extended & _BOGUS)


async def security(name: str, kinds: Iterable[str], network: Network) -> str:
    """The worst of the answers' states: ``bogus``, ``insecure`` or ``secure``. Raises ``Unmeasured`` when an answer
    did not come, when the name does not exist, and ``resolver_not_validating``."""

    async def ask(kind: str) -> Answer | ServerFailure:
        try:
            return await network.resolve(name, kind)
        except ServerFailure as reason:
            if not is_bogus(reason):
                raise
            return reason

    answers = await asyncio.gather(*map(ask, kinds))
    for answer in answers:
        if not isinstance(answer, ServerFailure) and not answer.exists:
            raise Unmeasured(Cause.DNS_NXDOMAIN, f"{printable(name, 255)} does not exist")
    await network.require_validation()
    if any(isinstance(answer, ServerFailure) for answer in answers):
        return "bogus"
    secure = all(answer.authenticated for answer in answers if not isinstance(answer, ServerFailure))
    return "secure" if secure else "insecure"


class DNSSECProbe:
    """Whether the answers about a mail domain, or about one of its MX hosts, are authenticated."""

    name = "dnssec"
    roles = _ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """The one metric of the endpoint's role."""
        if endpoint.role == "domain":
            name = named(endpoint.domain, "domain")
            return [Measurement("dnssec.domain", await security(name, ["MX"], network))]
        host = named(endpoint.host, "host")
        return [Measurement("dnssec.mx", await security(host, ["A", "AAAA"], network))]
