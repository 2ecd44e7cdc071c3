"""ARC chains, sealed here set by set and validated by us and by dkimpy; and every way in which one does not hold."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.mail import arc, dkim, fields, results
from mailrubric.mail.aggregate import aggregate
from mailrubric.mail.analysis import Wanted, analyse_message
from mailrubric.mail.message import AnalysedMessage
from mailrubric.mail.names import Text
from mailrubric.mail.reading import Place, Raw

MESSAGE = (
    b"From: Ann <ann@author.example>\r\nTo: list@list.example\r\nSubject: [list]  Is it\r\n\tready?\r\n"
    b"Date: Mon, 23 Nov 2026 05:00:00 +0000\r\nMessage-ID: <1@author.example>\r\n\r\n"
    b"It is  ready. \r\n\r\n-- \r\nA footer of the list\r\n\r\n\r\n"
)
SEALERS = ("author.example", "list.example", "forwarder.example")


def key(bits: int = 2048) -> tuple[rsa.RSAPrivateKey, str]:
    """A key and its record, the same each time."""
    return _key(bits)


@cache
def _key(bits: int) -> tuple[rsa.RSAPrivateKey, str]:
    made = rsa.generate_private_key(65537, bits)
    der = made.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return made, f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def name(domain: str) -> str:
    return f"arc._domainkey.{domain}"


def records(count: int = 3, bits: int = 2048) -> dict[str, Text]:
    return {name(domain): Text((key(bits)[1],)) for domain in SEALERS[:count]}


def relaxed(field: bytes) -> bytes:
    """RFC 6376 §3.4.2, with its line end."""
    before, _, value = field.partition(b":")
    text = re.sub(rb"[ \t]+", b" ", re.sub(rb"\r\n(?=[ \t])", b"", value)).strip()
    return before.lower().strip() + b":" + text + b"\r\n"


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4."""
    text = re.sub(rb"[ \t]+(?=\r\n)", b"", body)
    return re.sub(rb"[ \t]+", b" ", text).rstrip(b"\r\n") + b"\r\n"


def signed(field: bytes, before: bytes, bits: int) -> bytes:
    """The field, which ends in b=, with its signature over ``before`` and itself."""
    signature = key(bits)[0].sign(before + relaxed(field).rstrip(b"\r\n"), padding.PKCS1v15(), SHA256())
    return field + base64.b64encode(signature)


def seal(
    raw: bytes,
    validation: str = "",
    bits: int = 2048,
    algorithm: bytes = b"rsa-sha256",
    sealers: Sequence[str] = SEALERS,
) -> bytes:
    """The message with one set more, of the sealer whose turn it is."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n(?![ \t])", head)
    by_name = {line.partition(b":")[0].lower(): line for line in reversed(lines)}
    number = sum(line.startswith(b"ARC-Seal:") for line in lines) + 1
    domain = sealers[number - 1].encode()
    stated = b"ARC-Authentication-Results: i=%d; mx.%s;\r\n\tdkim=pass header.d=author.example" % (number, domain)
    covered = [b"from", b"to", b"subject", b"date", b"message-id"]
    digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest())
    message = signed(
        b"ARC-Message-Signature: i=%d; a=%s; c=relaxed/relaxed; d=%s; s=arc;\r\n h=%s;\r\n bh=%s;\r\n b="
        % (number, algorithm, domain, b" : ".join(covered), digest),
        b"".join(relaxed(by_name[each]) for each in covered),
        bits,
    )
    sets = [line for line in lines if line.startswith(b"ARC-")]  # the newest set first, each from seal to results
    before = b"".join(relaxed(line) for line in [*reversed(sets), stated, message])
    state = validation or ("none" if number == 1 else "pass")
    own = signed(
        b"ARC-Seal: i=%d; a=rsa-sha256; cv=%s; d=%s; s=arc; b=" % (number, state.encode(), domain), before, bits
    )
    return b"\r\n".join([own, message, stated, *lines]) + b"\r\n\r\n" + body


def chain(count: int, bits: int = 2048) -> bytes:
    raw = MESSAGE
    for _ in range(count):
        raw = seal(raw, bits=bits)
    return raw


def validated(raw: bytes, keys: dict[str, Text], at: datetime.datetime | None = None) -> arc.Chain:
    head, start = fields.split(raw)
    message = fields.parse(head)
    sets = arc.prepare(message, results.chain(message))
    assert set(arc.wanted(sets)) <= {name(domain) for domain in SEALERS}
    return arc.verify(message, dkim.Body(raw[start:]), sets, keys, at)


def by_dkimpy(raw: bytes, keys: dict[str, Text]) -> str:
    def ask(wanted: bytes, timeout: int = 5) -> bytes:
        return "".join(keys.get(wanted.decode().rstrip("."), Text()).records).encode()

    return str(dkimpy.arc_verify(raw, dnsfunc=ask)[0].decode())


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_chain_that_holds(count: int) -> None:
    raw, keys = chain(count), records()
    found = validated(raw, keys)
    assert found == arc.Chain("pass" if count else "none", SEALERS[:count])
    assert by_dkimpy(raw, keys) == found.result


def replacing(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: raw.replace(old, new)


CHANGES = {
    "the body": replacing(b"footer", b"feature"),
    "a signed field": replacing(b"ready?", b"steady?"),
    "old results": replacing(b"mx.author.example;\r\n\tdkim=pass", b"mx.author.example; dkim=fail"),
    "newest results": replacing(b"mx.list.example;\r\n\tdkim=pass", b"mx.list.example; dkim=fail"),
    "an old seal": lambda raw: re.sub(rb"(cv=none; d=author.example; s=arc; b=.)", rb"\1AAAA", raw),
    "an old signature": replacing(b"Signature: i=1; a=rsa-sha256;", b"Signature: i=1; a=rsa-sha256; t=1;"),
    "cv of the newest seal": replacing(b"cv=pass", b"cv=none"),
    "a set less": lambda raw: re.sub(rb"ARC-Authentication-Results: i=1;.*\r\n\t.*\r\n", b"", raw),
    "a set twice": lambda raw: b"ARC-Authentication-Results: i=1; mx.author.example; none\r\n" + raw,
    "no From covered": replacing(b"h=from : ", b"h="),
    "seals covered": replacing(b"h=from : ", b"h=arc-seal : from : "),
    "h= in a seal": replacing(b"cv=pass;", b"cv=pass; h=from;"),
    "no base64": lambda raw: re.sub(rb"(cv=none; d=author.example; s=arc; b=)", rb"\1*", raw),
    "SHA-1": replacing(b"Signature: i=2; a=rsa-sha256", b"Signature: i=2; a=rsa-sha1"),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_chain_that_was_changed_does_not_hold(change: str) -> None:
    raw = chain(2)
    altered = CHANGES[change](raw)
    assert altered != raw
    found = validated(altered, records())
    assert found.result == "fail"
    assert found.detail
    # dkimpy takes a signature that does not cover From.
    assert by_dkimpy(altered, records()) == "fail" or change in ("no From covered", "SHA-1")


def test_what_is_added_above_leaves_the_chain_whole() -> None:
    raw = b"Received: from a.example by b.example; Mon, 23 Nov 2026 05:00:09 +0000\r\n" + chain(2)
    assert validated(raw, records()).result == "pass"
    assert validated(raw.replace(b"\r\n", b"\n"), records()).result == "pass"


def test_a_seal_that_says_that_the_chain_was_broken() -> None:
    found = validated(seal(chain(1), "fail"), records())
    assert (found.result, found.detail) == ("fail", "the newest seal says that the chain was broken when it came there")


@pytest.mark.parametrize(
    ("domain", "text", "cause"),
    [
        ("list.example", Text(), "key_missing"),
        ("author.example", Text(), "key_missing"),
        ("author.example", Text(("v=DKIM1; p=",)), "key_revoked"),
        ("list.example", Text(cause="dns_timeout", detail="no answer"), "dns_timeout"),
    ],
)
def test_a_key_that_is_gone_says_nothing_of_the_chain(domain: str, text: Text, cause: str) -> None:
    found = validated(chain(2), {**records(), name(domain): text})
    assert (found.result, found.cause) == (None, cause)
    # But a bad seal is bad, whatever the others are.
    altered = CHANGES["an old seal"](chain(3))
    found = validated(altered, {**records(), name("forwarder.example"): text})
    assert found.result == "fail"


def test_a_key_that_is_too_small_seals_nothing() -> None:
    found = validated(chain(1, bits=1024), records(bits=1024))
    assert found.result == "pass"
    stated = Text((key(1024)[1].replace(key(1024)[1].partition("p=")[2], small_key()),))
    assert validated(chain(1), {name("author.example"): stated}).detail.endswith("its key has only 512 bits")


def small_key() -> str:
    """The published part of a key of 512 bits, as it would stand behind p=."""
    numbers = rsa.RSAPublicNumbers(65537, (1 << 511) + 1)
    modulus = numbers.n.to_bytes(65, "big")
    sequence = b"\x02" + bytes([len(modulus)]) + modulus + b"\x02\x03\x01\x00\x01"
    body = b"\x30" + bytes([len(sequence)]) + sequence
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    bits = b"\x03" + bytes([len(body) + 1]) + b"\x00" + body
    return base64.b64encode(b"\x30" + bytes([len(algorithm + bits)]) + algorithm + bits).decode()


def analysed(raw: bytes, keys: dict[str, Text]) -> AnalysedMessage | Wanted:
    found = analyse_message(Place("one", "memory"), Raw(raw, len(raw)), keys)
    assert isinstance(found, AnalysedMessage | Wanted)
    return found


def test_a_message_is_analysed_with_its_chain() -> None:
    raw = chain(2)
    wanted = analysed(raw, {})
    assert isinstance(wanted, Wanted)
    assert set(wanted.names) == {name("author.example"), name("list.example")}
    found = analysed(raw, records())
    assert isinstance(found, AnalysedMessage)
    assert (found.arc, found.arc_sealers, found.cause("arc")) == ("pass", SEALERS[:2], None)
    altered = analysed(CHANGES["the body"](raw), records())
    assert isinstance(altered, AnalysedMessage)
    assert (altered.arc, altered.arc_detail) == ("fail", "the signature of set 2: the body is not what was signed")
    offline = analysed(raw, dict.fromkeys(records(), Text(cause="offline", detail="DNS was not asked")))
    assert isinstance(offline, AnalysedMessage)
    missing = offline.cause("arc")
    assert offline.arc is None
    assert missing is not None
    assert missing.cause == "offline"
    plain = analysed(MESSAGE, {})
    assert isinstance(plain, AnalysedMessage)
    assert (plain.arc, plain.arc_sealers) == ("none", ())


def test_what_receivers_state_and_what_we_find_are_counted_apart() -> None:
    total = aggregate(
        [
            AnalysedMessage(dkim="fail", dkim_stated="pass", arc_sets=2, arc="pass", arc_results="fail"),
            AnalysedMessage(dkim="pass", dkim_stated=None, arc_sets=1, arc=None),
            AnalysedMessage(dkim="pass", dkim_stated="pass", spf="softfail", arc="none"),
        ]
    )
    assert {method: dict(counter) for method, counter in total.results.items()} == {
        "dkim": {"pass": 2},
        "spf": {"softfail": 1},
        "dmarc": {},
        "arc": {"fail": 1},
    }
    assert dict(total.chains) == {"pass": 1, "unknown": 1}
    assert total.as_json()["arc"] == [{"name": "pass", "messages": 1}, {"name": "unknown", "messages": 1}]


FIELDS = ("ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results")
TAGS = st.sampled_from(
    ["i=1", "i=2", "cv=none", "cv=pass", "cv=fail", "a=rsa-sha256", "b=AAAA", "bh=AAAA", "d=a.example", "s=x", "h=from",
     "c=simple", "c=;", "l=1", "t=x", "=", "\u00e9", "i=1; i=2"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FIELDS), st.lists(TAGS, max_size=9)), max_size=8))
def test_no_field_of_anybodys_is_too_much(written: Sequence[tuple[str, Sequence[str]]]) -> None:
    lines = "".join(f"{field}: {'; '.join(tags)}\r\n" for field, tags in written).encode()
    raw = lines + MESSAGE
    head, start = fields.split(raw)
    message = fields.parse(head)
    sets = arc.prepare(message, results.chain(message))
    keys = dict.fromkeys(arc.wanted(sets), Text((key()[1],)))
    found = arc.verify(message, dkim.Body(raw[start:]), sets, keys, None)
    assert found.result == ("fail" if written else "none")
