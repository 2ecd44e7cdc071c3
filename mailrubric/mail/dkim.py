"""DKIM signatures of a message, verified by dkimpy (RFC 6376, RFC 8463), with keys that the caller has fetched.

What dkimpy calls a failure alike is told apart here: a signature that does not fit the message (``fail``), and one that
cannot be checked because its key is gone, revoked or unusable, because it has expired, or because it is malformed (no
result, with the cause). dkimpy is given the header fields and the body already cut, with limits on everything that its
regular expressions would take long for.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import functools
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import dkim as dkimpy
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from dkim.crypto import UnparsableKeyError
from dkim.util import InvalidTagValueList, parse_tag_value

from mailrubric.mail import fields
from mailrubric.mail.fields import Fields
from mailrubric.mail.message import Signature
from mailrubric.mail.names import Text
from probes import policies
from probes.replies import printable

SIGNATURES = 10
"""Signatures of one message that are checked."""
SIGNED_FIELDS = 200
"""Names in ``h=``; with more, the signature counts as malformed."""
_KEY_BITS = 16_384
"""A larger key is refused: it would take its time, and nobody uses one."""
_SLOP = 36_000
"""Seconds that clocks may differ (dkimpy's figure)."""
_ALGORITHMS = {b"rsa-sha256": "rsa", b"rsa-sha1": "rsa", b"ed25519-sha256": "ed25519"}
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_MUCH_WHITE = re.compile(rb"\s{200}")
_MALFORMED = "signature_malformed"

Kind = Literal["dkim-signature", "arc-message-signature", "arc-seal"]

_silent = logging.getLogger("mailrubric.dkimpy")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class Prepared(NamedTuple):
    """A DKIM-Signature field that was read. ``tags``: as dkimpy wants them; ``place``: its index in the header.
    ``name``: where its key stands. ``problem``: (cause, detail) why it can't be checked whatever the key is."""

    tags: dict[bytes, bytes]
    place: int
    name: str
    signature: Signature
    problem: tuple[str, str] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Body:
    """What may have been signed. ``raw``: as it stands; ``others``: the same with other ways of undoing the mbox
    quoting of lines that begin with "From ". ``cut``: it is not whole."""

    raw: bytes
    others: tuple[bytes, ...] = ()
    cut: bool = False


def prepare(message: Fields) -> list[Prepared]:
    """The signatures of a message, from the top, without any key."""
    return [prepare_field(message, place) for place in message.places("dkim-signature")[:SIGNATURES]]


def prepare_field(message: Fields, place: int, kind: Kind = "dkim-signature") -> Prepared:
    """One field that is a signature: of DKIM, or one of ARC's, which are made like it (RFC 8617 §4.1)."""
    value = message.entries[place][2]
    if len(value) > fields.FIELD_CHARACTERS or _MUCH_WHITE.search(value):
        return Prepared({}, place, "", Signature("", ""), (_MALFORMED, "the field is too long, or has too much space"))
    try:
        tags = parse_tag_value(b" ".join(value.split()))
    except InvalidTagValueList as error:
        return Prepared(
            {}, place, "", Signature("", ""), (_MALFORMED, f"no list of tags: {printable(str(error), 100)}")
        )
    tight = {key: b"".join(each.split()) for key, each in tags.items()}
    domain = fields.domain(tight.get(b"d", b"").decode("utf-8", "replace"))
    selector = fields.domain(tight.get(b"s", b"").decode("utf-8", "replace"))
    names = [name for name in tight.get(b"h", b"").lower().split(b":") if name]
    signature = Signature(
        domain=domain,
        selector=selector,
        algorithm=printable(tight.get(b"a", b"").lower(), 40),
        covers=fields.words(printable(name, 80) for name in names[:SIGNED_FIELDS]),
        body_length=_number(tight.get(b"l")),
        signed=_number(tight.get(b"t")),
        expires=_number(tight.get(b"x")),
    )
    problem = _fault(tight, names, domain, selector, kind)
    # dkimpy reads these where they stand: without white space they have the same meaning (RFC 6376 §3.2, §3.5).
    tags |= {key: tight[key] for key in (b"a", b"c", b"d", b"s", b"l", b"b", b"bh", b"h") if key in tight}
    if b"a" in tags:
        tags[b"a"] = tags[b"a"].lower()
    if b"c" in tags:
        tags[b"c"] = tags[b"c"].lower()
    elif kind == "arc-message-signature":
        tags[b"c"] = b"relaxed/relaxed"  # what those who leave it out mean by it, unlike in DKIM
    name = f"{selector}._domainkey.{domain}" if selector and domain else ""
    return Prepared(tags, place, name, signature, (_MALFORMED, problem) if problem else None)


def _number(value: bytes | None) -> int | None:
    return int(value) if value is not None and len(value) <= 15 and value.isdigit() else None


_TAGS: Mapping[Kind, tuple[bytes, ...]] = {
    "dkim-signature": (b"v", b"a", b"b", b"bh", b"d", b"h", b"s"),
    "arc-message-signature": (b"i", b"a", b"b", b"bh", b"d", b"h", b"s"),
    "arc-seal": (b"i", b"a", b"b", b"cv", b"d", b"s"),
}
"""What each kind must have."""


def _fault(tags: Mapping[bytes, bytes], names: list[bytes], domain: str, selector: str, kind: Kind) -> str:
    """What keeps a verifier from taking the field for a signature (RFC 6376 §3.5, §6.1.1, RFC 8617 §4.1); "" for
    nothing."""
    for tag in _TAGS[kind]:
        if not tags.get(tag):
            return f"it lacks {tag.decode()}="
    if kind == "dkim-signature" and tags[b"v"] != b"1":
        return "its version is not 1"
    if kind == "arc-seal" and b"h" in tags:
        return "it has h=, though nobody may choose what a seal covers"
    if tags[b"a"].lower() not in _ALGORITHMS:
        return f"its algorithm is {printable(tags[b'a'], 40)}"
    if kind != "dkim-signature" and tags[b"a"].lower().endswith(b"-sha1"):
        return "its algorithm is rsa-sha1, which RFC 8301 forbids"
    if not domain or not selector:
        return "its d= or s= is no name"
    if b"from" not in names and kind != "arc-seal":
        return "it does not cover From"
    if kind == "arc-message-signature" and b"arc-seal" in names:
        return "it covers seals"
    if len(names) > SIGNED_FIELDS:
        return f"it covers more than {SIGNED_FIELDS} fields"
    for tag in (b"b", b"bh") if b"bh" in _TAGS[kind] else (b"b",):
        if len(tags[tag]) % 4 or not _BASE64.fullmatch(tags[tag]):
            return f"its {tag.decode()}= is no base64"
    for tag in (b"l", b"t", b"x"):
        if tag in tags and _number(tags[tag]) is None:
            return f"its {tag.decode()}= is no number"
    # In ARC i= is the number of the set.
    named = tags.get(b"i", b"") if kind == "dkim-signature" else b""
    identity = named.decode("utf-8", "replace").rpartition("@")[2].lower()
    if identity and not f".{fields.domain(identity)}".endswith(f".{domain}"):
        return "its i= is not of d="
    if b"q" in tags and b"dns/txt" not in tags[b"q"].lower().split(b":"):
        return "its key is not in DNS"
    canonical = tags.get(b"c", b"simple").lower().split(b"/")
    if len(canonical) > 2 or any(each not in (b"simple", b"relaxed") for each in canonical):
        return "its c= is unknown"
    return ""


def wanted(prepared: Iterable[Prepared]) -> list[str]:
    """The names whose TXT records ``verify`` needs."""
    return [each.name for each in prepared if each.name and each.problem is None]


def verify(
    message: Fields,
    body: Body,
    prepared: Iterable[Prepared],
    keys: Mapping[str, Text],
    at: datetime.datetime | None,
) -> list[Signature]:
    """The signatures with their results. ``at``: when the message arrived, at which an expired signature is judged;
    None for now."""
    moment = (at or datetime.datetime.now(datetime.UTC)).timestamp()
    bodies = _Bodies(body)
    return [_verify(message, bodies, each, keys.get(each.name), moment) for each in prepared]


class _Bodies:
    """The candidates for the body, with CRLF, without empty lines at the end, and for relaxed canonicalization without
    runs of white space, which dkimpy would need much time for: that changes nothing, since no canonical form has
    them."""

    def __init__(self, body: Body) -> None:
        self.cut = body.cut
        self._candidates = (body.raw, *body.others)
        self._made: dict[tuple[int, bool], bytes] = {}

    def __len__(self) -> int:
        return len(self._candidates)

    def get(self, index: int, relaxed: bool) -> bytes:
        if (index, relaxed) not in self._made:
            if relaxed:
                made = self.get(index, False).replace(b"\t", b" ")
                while b"  " in made:
                    made = made.replace(b"  ", b" ")
                made = made.replace(b" \r\n", b"\r\n")
            else:
                made = fields.with_crlf(self._candidates[index])
            self._made[index, relaxed] = _without_empty_lines_at_end(made)
        return self._made[index, relaxed]


def _without_empty_lines_at_end(body: bytes) -> bytes:
    """Both canonical forms drop them, dkimpy one at a time."""
    if not body.endswith(b"\r\n\r\n"):
        return body
    kept = len(body.rstrip(b"\r\n"))
    odd = body.rfind(b"\r\r", kept)  # a CR alone is content
    return body[: odd + 1 if odd >= 0 else kept] + b"\r\n"


class Key(NamedTuple):
    """A usable key. ``bits``: its size; ``value``: a dict of numbers where no other library takes it (too small)."""

    kind: Literal["rsa", "ed25519"]
    bits: int
    value: Ed25519PublicKey | RSAPublicKey | dict[str, int]
    testing: bool


def _verify(message: Fields, bodies: _Bodies, prepared: Prepared, text: Text | None, moment: float) -> Signature:
    signature = prepared.signature
    if prepared.problem is not None:
        return dataclasses.replace(signature, cause=prepared.problem[0], detail=prepared.problem[1])
    if signature.expires is not None and signature.expires + _SLOP < moment:
        return dataclasses.replace(
            signature, cause="signature_expired", detail="x= had passed when the message arrived"
        )
    if bodies.cut:
        return dataclasses.replace(signature, cause="message_cut", detail="the message was not read whole")
    key = find_key(text, prepared.tags[b"a"])
    if not isinstance(key, Key):
        return dataclasses.replace(signature, cause=key[0], detail=key[1])
    signature = dataclasses.replace(signature, bits=key.bits, testing=key.testing)
    relaxed = prepared.tags.get(b"c", b"").endswith(b"/relaxed")
    detail = ""
    for index in range(len(bodies)):
        content = bodies.get(index, relaxed)
        try:
            good = _fits(message, content, relaxed, prepared, key)
        except _BodyAltered:
            detail = detail or "the body is not what was signed"
            continue
        except (dkimpy.DKIMException, UnparsableKeyError, ValueError, OverflowError) as error:
            return dataclasses.replace(signature, cause="key_unusable", detail=printable(str(error), 200))
        if good:
            unsigned = None
            if signature.body_length is not None:
                unsigned = max(0, len(content.rstrip(b"\r\n")) + 2 - signature.body_length)
            return dataclasses.replace(signature, result="pass", unsigned_bytes=unsigned)
        detail = "the signature does not fit the header fields, or is of another key"
        break
    return dataclasses.replace(signature, result="fail", detail=detail)


class _BodyAltered(Exception):
    """The hash of the body is not ``bh``."""


class Check:
    """What dkimpy expects of PyNaCl's key, with keys of the library that is here anyway and quicker than dkimpy's own
    arithmetic. It does not raise for a bad signature, since dkimpy would look for PyNaCl's exception then."""

    def __init__(self, key: Ed25519PublicKey | RSAPublicKey, hash_: SHA1 | SHA256 | None = None) -> None:
        self._key = key
        self._hash = hash_ or SHA256()
        self.good = False

    def verify(self, digest: bytes, signature: bytes) -> None:
        """Sets ``good``. ``digest``: SHA-256 or SHA-1 of what was signed."""
        try:
            if isinstance(self._key, RSAPublicKey):
                self._key.verify(signature, digest, PKCS1v15(), Prehashed(self._hash))
            else:
                self._key.verify(signature, digest)
            self.good = True
        except InvalidSignature:
            self.good = False


def _fits(message: Fields, body: bytes, relaxed: bool, prepared: Prepared, key: Key) -> bool:
    verifier = dkimpy.DKIM(logger=_silent, minkey=0)
    # Of the header only what is signed: dkimpy makes a copy of all that it is given, for every signature.
    covered = {name.encode() for name in prepared.signature.covers} | {b"from"}
    verifier.headers = [[entry[1], entry[2] + b"\r\n"] for entry in message.entries if entry[0] in covered]
    verifier.body = body
    check = None
    if isinstance(key.value, dict):
        verifier.pk, verifier.keysize, verifier.ktag = key.value, key.bits, b"rsa"
    else:
        sha1 = prepared.tags[b"a"].endswith(b"sha1")
        check = Check(key.value, SHA1() if sha1 else SHA256())  # noqa: S303 - it is the sender who chose it
        verifier.pk, verifier.keysize, verifier.ktag = check, key.bits, b"ed25519"
    tags = prepared.tags
    if relaxed and body.strip(b"\r\n"):
        # The body is in its relaxed form but for lines at its end, and there both forms are the same (RFC 6376 §3.4.3,
        # §3.4.4): this saves dkimpy's going over it again.
        tags = {**tags, b"c": tags[b"c"].partition(b"/")[0] + b"/simple"}
    _, written, value = message.entries[prepared.place]
    include = [name for name in tags[b"h"].lower().split(b":") if name]
    try:
        good = bool(verifier.verify_sig_process(tags, include, (written, value + b"\r\n"), None))
    except dkimpy.ValidationError as error:
        if str(error).startswith("body hash"):
            raise _BodyAltered from None
        raise
    return check.good if check is not None else good


def find_key(text: Text | None, algorithm: bytes) -> Key | tuple[str, str]:
    """The key to check with, or (cause, detail) why there is none."""
    if text is None or text.cause:
        return (text.cause, text.detail) if text is not None else ("key_missing", "the key was not asked for")
    found = [(record, _stated(record)) for record in text.records[:10]]
    usable = [(record, key) for record, key in found if isinstance(key, policies.DKIMKey)]
    if not usable:
        if any(key == policies.REVOKED for _, key in found):
            return "key_revoked", policies.REVOKED
        return "key_missing", str(found[0][1]) if found else "DNS has no record there any more"
    record, stated = usable[0]
    if stated.kind != _ALGORITHMS[algorithm]:
        return "key_unusable", f"the key is {stated.kind}, the signature {printable(algorithm, 40)}"
    if stated.hashes and algorithm.rpartition(b"-")[2].decode() not in stated.hashes:
        return "key_unusable", f"the key is not for {printable(algorithm, 40)}"
    if stated.services and not {"*", "email"} & set(stated.services):
        return "key_unusable", "the key is not for mail"
    if stated.bits > _KEY_BITS:
        return "key_unusable", f"a key of {stated.bits:,} bits"
    value = _loaded(policies.tags(record)["p"], stated.kind)
    return ("key_unusable", value) if isinstance(value, str) else Key(stated.kind, stated.bits, value, stated.testing)


_stated = functools.lru_cache(maxsize=1024)(policies.parse_dkim)


@functools.lru_cache(maxsize=1024)
def _loaded(text: str, kind: str) -> Ed25519PublicKey | RSAPublicKey | dict[str, int] | str:
    """The key in ``p=``, or why it can't be used."""
    try:
        der = base64.b64decode("".join(text.split()), validate=True)
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(der)
        key: dict[str, int] = dkimpy.parse_public_key(der)
    except (binascii.Error, UnparsableKeyError, ValueError, IndexError, TypeError, KeyError) as error:
        # dkimpy's reader of ASN.1 trips over malformed input in many ways.
        return f"the key can't be read: {printable(str(error), 100)}"
    if key["publicExponent"].bit_length() > 64:
        return "a public exponent of more than 64 bits"
    try:
        return RSAPublicNumbers(key["publicExponent"], key["modulus"]).public_key()
    except ValueError:  # such as a key too small for it; dkimpy can still check with it
        return key
