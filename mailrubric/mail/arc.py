"""The chain of ARC sets of a message, validated (RFC 8617 §5.2) with keys that the caller has fetched.

Every server that passes a message on may add a set: what it found of the sender (ARC-Authentication-Results), a
signature over the message as it then was (ARC-Message-Signature, made like DKIM's), and a seal over all sets so far. A
chain that holds says who vouches for what was found before the message was changed on its way, by a mailing list, say.
Whether they are to be believed is another question.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from dkim import RE_BTAG
from dkim.canonicalization import Relaxed

from mailrubric.mail import dkim, results
from mailrubric.mail.dkim import Body, Prepared
from mailrubric.mail.fields import Fields
from mailrubric.mail.message import Result
from mailrubric.mail.names import Text

_FEWEST_BITS = 1024
"""Of an RSA key (RFC 8301 §3.2): with fewer, anybody may have made the seal."""
_NO_CHAIN = frozenset({"signature_malformed", "signature_expired"})
"""Causes of a signature without a result that break the chain for every receiver."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """``result``: ``pass`` for a chain that holds, ``fail`` for one that does not, ``none`` without one, as RFC 8617
    has these words; None when it can't be told, with a ``cause``. ``sealers``: domains of the seals, the oldest first;
    they are who they say only when the result is ``pass``."""

    result: Result | None = "none"
    sealers: tuple[str, ...] = ()
    cause: str = ""
    detail: str = ""


class Sets(NamedTuple):
    """A chain whose fields were read. ``places``: of the three fields of each set in the header (results, signature,
    seal), the oldest set first. ``signature``: of the message, of the newest set; ``seals``: of each set. ``fault``:
    why the chain fails whatever the keys are; "" when it may hold."""

    places: tuple[tuple[int, int, int], ...] = ()
    signature: Prepared | None = None
    seals: tuple[Prepared, ...] = ()
    fault: str = ""


def prepare(message: Fields, chain: results.Chain) -> Sets:
    """The sets of a message, without any key. ``chain``: what its fields show."""
    if chain.complete is None:
        return Sets()
    if chain.validation == "fail":
        return Sets(fault="the newest seal says that the chain was broken when it came there")
    if not chain.complete:
        return Sets(fault="a set is incomplete, comes twice or has a cv= out of place")
    by_kind = [
        {results.instance(message.text(place)): place for place in message.places(kind)}
        for kind in ("arc-authentication-results", "arc-message-signature", "arc-seal")
    ]
    stated, signatures, seals = by_kind
    places = tuple((stated[number], signatures[number], seals[number]) for number in range(1, chain.sets + 1))
    newest = dkim.prepare_field(message, places[-1][1], "arc-message-signature")
    made = tuple(dkim.prepare_field(message, each[2], "arc-seal") for each in places)
    fault = next(
        (
            f"the {kind} of set {number} is malformed: {each.problem[1]}"
            for number, kind, each in (
                (chain.sets, "signature", newest),
                *((number, "seal", seal) for number, seal in enumerate(made, start=1)),
            )
            if each.problem is not None
        ),
        "",
    )
    return Sets(places, newest, made, fault)


def wanted(sets: Sets) -> list[str]:
    """The names whose TXT records ``verify`` needs."""
    if sets.fault or sets.signature is None:
        return []
    return dkim.wanted((sets.signature, *sets.seals))


def verify(message: Fields, body: Body, sets: Sets, keys: Mapping[str, Text], at: datetime.datetime | None) -> Chain:
    """Whether the chain holds: the newest signature of the message and every seal are good. ``at``: when the message
    arrived, at which an expired signature is judged; None for now."""
    sealers = tuple(seal.signature.domain for seal in sets.seals if seal.signature.domain)
    if sets.fault:
        return Chain("fail", sealers, detail=sets.fault)
    if sets.signature is None:
        return Chain()
    last = len(sets.seals)
    (signed,) = dkim.verify(message, body, (sets.signature,), keys, at)
    small = signed.bits is not None and signed.bits < _FEWEST_BITS and not signed.algorithm.startswith("ed25519")
    if signed.result == "fail" or signed.cause in _NO_CHAIN or small:
        why = f"its key has only {signed.bits} bits" if small else signed.detail
        return Chain("fail", sealers, detail=f"the signature of set {last}: {why}")
    unknown = Chain(None, sealers, signed.cause, f"the signature of set {last}: {signed.detail}")
    # One bad seal is enough, whatever is not known of the others.
    lines = [[_relaxed(message, place) for place in places] for places in sets.places]
    for number in range(last, 0, -1):
        seal = sets.seals[number - 1]
        key = dkim.find_key(keys.get(seal.name), seal.tags[b"a"])
        if not isinstance(key, dkim.Key):
            if not unknown.cause:
                unknown = Chain(None, sealers, key[0], f"the seal of set {number}: {key[1]}")
            continue
        if key.kind == "rsa" and key.bits < _FEWEST_BITS:
            return Chain("fail", sealers, detail=f"the seal of set {number}: its key has only {key.bits} bits")
        before = b"".join(line for places in lines[:number] for line in places)
        own = lines[number - 1][2]
        covered = before.removesuffix(own) + _unsigned(message, sets.places[number - 1][2])
        if not _good(key, covered, seal.tags[b"b"]):
            return Chain("fail", sealers, detail=f"the seal of set {number} does not fit, or is of another key")
    return unknown if unknown.cause else Chain("pass", sealers)


def _relaxed(message: Fields, place: int) -> bytes:
    """A field in the only form that seals are made over (RFC 8617 §5.1.1), with its line end."""
    _, name, value = message.entries[place]
    ((canonical, text),) = Relaxed.canonicalize_headers([(name, value + b"\r\n")])
    return bytes(canonical + b":" + text)


def _unsigned(message: Fields, place: int) -> bytes:
    """A seal as it is signed: without the content of b= and without a line end (RFC 6376 §3.7)."""
    _, name, value = message.entries[place]
    ((canonical, text),) = Relaxed.canonicalize_headers([(name, RE_BTAG.sub(b"\\1", value + b"\r\n"))])
    return bytes(canonical + b":" + text.rstrip())


def _good(key: dkim.Key, content: bytes, signature: bytes) -> bool:
    if isinstance(key.value, dict):
        return False  # too small a key, or one that no library takes
    check = dkim.Check(key.value)
    check.verify(hashlib.sha256(content).digest(), base64.b64decode(signature))
    return check.good
