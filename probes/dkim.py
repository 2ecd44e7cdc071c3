"""DKIM as DNS shows it: the keys at the selectors that a profile names, and evidence for keys at others.

Selectors can be guessed but not listed, so the absence of keys is never claimed. What can be seen is whether anything
at all stands below ``_domainkey``: then a name server answers for that name with an empty answer, not with NXDOMAIN
(RFC 8020). The other way round proves nothing, since not every server does so.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probes import policies
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.policies import DKIMKey
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Network

_DOMAIN: frozenset[Role] = frozenset({"domain"})

MAXIMUM_SELECTORS = 20
CONTROL = "_mailrubric-no-such-name"
"""A label that no zone has: a zone that answers for it as for ``_domainkey`` answers so for every name."""

METRICS: tuple[Metric, ...] = (
    Metric(
        "dkim.selectors",
        "set",
        "Those of the profile's DKIM selectors at which a usable key is published.",
        reference="RFC 6376 §3.6",
    ),
    Metric(
        "dkim.key_type",
        "text",
        "Kind of the weakest key at those selectors: rsa (the shortest one), or ed25519 when there is no other.",
        reference="RFC 6376 §3.6.1, RFC 8463",
    ),
    Metric("dkim.key_bits", "integer", "Size of that key.", unit="bit", reference="RFC 8301 §3.2"),
    Metric(
        "dkim.keys",
        "set",
        "Selector, kind and size of each of those keys, such as s1: rsa 2048.",
        reference="RFC 6376 §3.6.1, RFC 8463",
    ),
    Metric(
        "dkim.testing",
        "set",
        "Selectors whose key is marked as being tested (t=y): receivers must treat mail with it like unsigned mail.",
        reference="RFC 6376 §3.6.1",
    ),
    Metric(
        "dkim.revoked",
        "set",
        "Those of the profile's selectors whose key has been revoked (an empty p=).",
        reference="RFC 6376 §3.6.1",
    ),
    Metric(
        "dkim.hashes",
        "set",
        "Hash algorithms that the keys may be used with (h=); any: at least one key sets no limit.",
        reference="RFC 6376 §3.6.1, RFC 8301 §3.1",
    ),
    Metric(
        "dkim.services",
        "set",
        "Services that the keys may be used for (s=); *: at least one key may be used for all.",
        reference="RFC 6376 §3.6.1",
    ),
    Metric(
        "dkim.evidence",
        "boolean",
        "Whether DNS shows that DKIM keys are published somewhere: a key at one of the profile's selectors, or names "
        "below _domainkey (an answer without records for it, where another name gets NXDOMAIN). Their absence cannot "
        "be seen, so this is true or has no value.",
        reference="RFC 6376 §3.6.2.1, RFC 8020",
        roles=_DOMAIN,
    ),
)
EVIDENCE = "dkim.evidence"
KEYS = tuple(metric.key for metric in METRICS if metric.key != EVIDENCE)


def _none_apply(keys: tuple[str, ...], why: str) -> list[Measurement]:
    return [Measurement.missing(key, Cause.NOT_APPLICABLE, why) for key in keys]


async def key_at(selector: str, domain: str, network: Network) -> DKIMKey | str:
    """The usable key at a selector, or in words why there is none."""
    answer = await network.resolve(f"{selector}._domainkey.{domain}", "TXT")
    found = [policies.parse_dkim(text) for text in answer.records]
    usable = [key for key in found if isinstance(key, DKIMKey)]
    return usable[0] if usable else (str(found[0]) if found else "no record")


async def keys(domain: str, endpoint: Endpoint, network: Network) -> list[Measurement]:
    """What is published at the profile's selectors: all of ``KEYS``."""
    selectors = endpoint.selectors[:MAXIMUM_SELECTORS]
    if not selectors:
        return _none_apply(KEYS, "the profile names no DKIM selector")
    at = await asyncio.gather(*(key_at(selector, domain, network) for selector in selectors))
    published = {printable(selector, 63): key for selector, key in zip(selectors, at, strict=True)}
    usable = {selector: key for selector, key in published.items() if isinstance(key, DKIMKey)}
    unusable = "; ".join(f"{name}: {key}" for name, key in published.items() if isinstance(key, str))
    found = [
        Measurement("dkim.selectors", tuple(sorted(usable)), detail=unusable),
        Measurement("dkim.revoked", tuple(sorted(name for name, key in published.items() if key == policies.REVOKED))),
    ]
    if not usable:
        rest = tuple(key for key in KEYS if key not in ("dkim.selectors", "dkim.revoked"))
        return [*found, *_none_apply(rest, f"no usable key at the profile's selectors ({unusable})")]
    weakest = min(usable.values(), key=lambda key: (key.kind != "rsa", key.bits))
    hashes = {name for key in usable.values() for name in key.hashes or ("any",)}
    services = {name for key in usable.values() for name in key.services or ("*",)}
    return [
        *found,
        Measurement("dkim.key_type", weakest.kind),
        Measurement("dkim.key_bits", weakest.bits),
        Measurement("dkim.keys", tuple(sorted(f"{name}: {key.kind} {key.bits}" for name, key in usable.items()))),
        Measurement("dkim.testing", tuple(sorted(name for name, key in usable.items() if key.testing))),
        Measurement("dkim.hashes", tuple(sorted(hashes))),
        Measurement("dkim.services", tuple(sorted(services))),
    ]


async def evidence(domain: str, endpoint: Endpoint, network: Network) -> list[Measurement]:
    """``dkim.evidence``: true, or why nothing can be said."""
    selectors = endpoint.selectors[:MAXIMUM_SELECTORS]
    # Side by side: a name server that is silent costs its time once.
    base, control, *at = await asyncio.gather(
        _exists(f"_domainkey.{domain}", network),
        _exists(f"{CONTROL}.{domain}", network),
        *(_published(selector, domain, network) for selector in selectors),
    )
    for selector, published in zip(selectors, at, strict=True):
        if published is True:
            return [Measurement(EVIDENCE, True, detail=f"a key at {printable(selector, 63)}")]
    for reason in (base, control):
        if isinstance(reason, Unmeasured):
            raise reason
    if not base:
        return _none_apply((EVIDENCE,), "NXDOMAIN for _domainkey is no proof that there are no keys")
    if control:
        return _none_apply((EVIDENCE,), "the zone answers for every name as if it existed")
    return [Measurement(EVIDENCE, True, detail="there are names below _domainkey")]


async def _exists(name: str, network: Network) -> bool | Unmeasured:
    try:
        return (await network.resolve(name, "TXT")).exists
    except Unmeasured as reason:
        return reason


async def _published(selector: str, domain: str, network: Network) -> bool | Unmeasured:
    try:
        key = await key_at(selector, domain, network)
    except Unmeasured as reason:
        return reason
    return isinstance(key, DKIMKey) or key == policies.REVOKED
