"""DKIM: the RFC's own examples, messages signed by dkimpy, and every way in which a signature cannot be checked."""

from __future__ import annotations

import base64
import datetime
import functools
import random

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.mail import dkim, fields
from mailrubric.mail.message import Signature
from mailrubric.mail.names import Text

# RFC 8463, appendix A: one message with both kinds of signature, and the two published keys.
EXAMPLE = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
ED25519 = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
RSA = (
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi"
    "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
)
BRISBANE, TEST = "brisbane._domainkey.football.example.com", "test._domainkey.football.example.com"


def check(raw: bytes, keys: dict[str, str | Text], at: datetime.datetime | None = None) -> list[Signature]:
    head, start = fields.split(raw)
    message = fields.parse(head)
    found = dkim.prepare(message)
    texts = {name: text if isinstance(text, Text) else Text((text,)) for name, text in keys.items()}
    return dkim.verify(message, dkim.Body(raw[start:]), found, texts, at)


def key_pair(bits: int = 2048) -> tuple[bytes, str]:
    """A private key in PEM and its record, the same each time."""
    return _key_pair(bits)


@functools.cache
def _key_pair(bits: int) -> tuple[bytes, str]:
    made = rsa.generate_private_key(65537, bits)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    der = made.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


PLAIN = (
    b"From: a@example.com\r\nSubject: one  \t two\r\nTo: b@example.net\r\n\r\n"
    b"A line  \r\n\r\n\tand  another\t\r\n\r\n\r\n"
)
NAME = "sel._domainkey.example.com"


def signed(message: bytes = PLAIN, canonical: str = "relaxed/relaxed", length: bool = False, bits: int = 2048) -> bytes:
    head, body = (part.encode() for part in canonical.split("/"))
    field: bytes = dkimpy.sign(
        message, b"sel", b"example.com", key_pair(bits)[0], canonicalize=(head, body), length=length
    )
    return field + message


def test_the_examples_of_the_rfc() -> None:
    ed25519, with_rsa = check(EXAMPLE, {BRISBANE: ED25519, TEST: RSA})
    assert (ed25519.result, ed25519.algorithm, ed25519.bits) == ("pass", "ed25519-sha256", 256)
    assert (with_rsa.result, with_rsa.algorithm, with_rsa.bits) == ("pass", "rsa-sha256", 1024)
    assert ed25519.covers == ("date", "from", "message-id", "subject", "to")
    assert ed25519.signed == 1528637909


@pytest.mark.parametrize("old", [b"Suzie Q", b"hungry", b"Is dinner", b"Joe SixPack"])
def test_the_examples_altered(old: bytes) -> None:
    for signature in check(EXAMPLE.replace(old, old + b"!"), {BRISBANE: ED25519, TEST: RSA}):
        assert signature.result == "fail"
        assert signature.cause == ""
        assert ("body" in signature.detail) == (old == b"hungry")


def test_crlf_and_lf_are_the_same_message() -> None:
    found = check(EXAMPLE.replace(b"\n", b"\r\n"), {BRISBANE: ED25519, TEST: RSA})
    assert [each.result for each in found] == ["pass", "pass"]


@pytest.mark.parametrize("canonical", ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t \r\n",
        b"x",
        b"x \t y \r\n\r\n",
        b" \r\n x",
        b"x\r\r\n\r\n",
        b"\r\r\n\r\n\r",
    ],
)
def test_what_dkimpy_signs_we_verify(canonical: str, body: bytes) -> None:
    message = PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    (found,) = check(signed(message, canonical), {NAME: key_pair()[1]})
    assert found.result == "pass", found.detail
    (altered,) = check(signed(message, canonical) + b"more\r\n", {NAME: key_pair()[1]})
    assert altered.result == "fail"


def test_white_space_matters_only_without_relaxed() -> None:
    for canonical, result in (("relaxed/relaxed", "pass"), ("simple/simple", "fail"), ("relaxed/simple", "fail")):
        raw = signed(canonical=canonical).replace(b"and  another", b"and another")
        assert check(raw, {NAME: key_pair()[1]})[0].result == result


def test_a_length_leaves_the_rest_unsigned() -> None:
    raw = signed(length=True)
    (whole,) = check(raw, {NAME: key_pair()[1]})
    assert (whole.result, whole.unsigned_bytes) == ("pass", 0)
    (longer,) = check(raw + b"an addition\r\n", {NAME: key_pair()[1]})
    assert longer.result == "pass"
    assert longer.unsigned_bytes is not None
    assert longer.unsigned_bytes >= len(b"an addition\r\n")


def test_small_keys_are_measured_not_refused() -> None:
    (found,) = check(signed(bits=1024), {NAME: key_pair(1024)[1]})
    assert (found.result, found.bits) == ("pass", 1024)


def test_a_key_too_small_for_our_library_is_measured_as_well() -> None:
    choose = random.Random(5)
    one, other = (_prime(choose) for _ in range(2))
    modulus, private = one * other, pow(65537, -1, (one - 1) * (other - 1))
    numbers = (0, modulus, 65537, private, one, other, private % (one - 1), private % (other - 1), pow(other, -1, one))
    pem = base64.encodebytes(_der(*numbers)).decode()
    text = f"-----BEGIN RSA PRIVATE KEY-----\n{pem}-----END RSA PRIVATE KEY-----\n"
    raw = dkimpy.sign(PLAIN, b"sel", b"example.com", text.encode()) + PLAIN
    record = f"v=DKIM1; p={base64.b64encode(_der(modulus, 65537)).decode()}"
    (found,) = check(raw, {NAME: record})
    assert (found.result, found.bits) == ("pass", modulus.bit_length())
    assert modulus.bit_length() <= 512
    (altered,) = check(raw.replace(b"one", b"two"), {NAME: record})
    assert altered.result == "fail"


def _prime(choose: random.Random) -> int:
    while True:
        found = choose.getrandbits(256) | 1 | 3 << 254
        if all(pow(base, found - 1, found) == 1 for base in (2, 3, 5, 7, 11)) and (found - 1) % 65537:
            return found


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (Text(), "key_missing"),
        (Text(("something else",)), "key_missing"),
        (Text(("v=DKIM1; p=",)), "key_revoked"),
        (Text(("v=DKIM1; p=!!!",)), "key_missing"),
        (Text((ED25519,)), "key_unusable"),
        (Text((RSA + "; h=sha1",)), "key_unusable"),
        (Text((RSA + "; s=tlsrpt",)), "key_unusable"),
        (Text(cause="dns_timeout", detail="no answer"), "dns_timeout"),
        (Text(cause="offline"), "offline"),
    ],
)
def test_without_a_key_there_is_no_result(text: Text, cause: str) -> None:
    (found,) = check(signed(), {NAME: text})
    assert (found.result, found.cause) == (None, cause)


def test_another_key_is_a_failure() -> None:
    (found,) = check(signed(), {NAME: RSA})
    assert (found.result, found.cause) == ("fail", "")


def test_the_first_usable_of_several_records_counts() -> None:
    assert check(signed(), {NAME: Text(("v=spf1 -all", key_pair()[1]))})[0].result == "pass"


def test_expiry_is_judged_by_the_arrival() -> None:
    made = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    stamp = int(made.timestamp())
    raw = signed().replace(b"; t=", b"; x=%d; t=" % (stamp + 86400))  # breaks the signature, but not its expiry
    assert check(raw, {NAME: key_pair()[1]}, made)[0].result == "fail"
    late = check(raw, {NAME: key_pair()[1]}, made + datetime.timedelta(days=3))[0]
    assert (late.result, late.cause) == (None, "signature_expired")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"v=1;", b"v=2;"),
        (b"a=rsa-sha256", b"a=rsa-md5"),
        (b"d=example.com", b"d=exa mple..com"),
        (b"c=relaxed/relaxed", b"c=loose"),
        (b"q=dns/txt", b"q=http"),
        (b"i=@example.com", b"i=@example.net"),
        (b"bh=", b"bh=!"),
        (b"v=1;", b"v=1; v=1;"),
        (b"v=1;", b"v=1; junk;"),
        (b"v=1;", b"v=1; l=abc;"),
        (b"v=1;", b"v=1;" + b" " * 300),
        (b"s=sel;", b""),
    ],
)
def test_a_malformed_signature_is_no_result(old: bytes, new: bytes) -> None:
    raw = signed()
    assert old in raw
    (found,) = check(raw.replace(old, new, 1), {NAME: key_pair()[1]})
    assert (found.result, found.cause) == (None, "signature_malformed")
    assert found.detail


def test_a_signature_has_to_cover_from() -> None:
    field, _, rest = signed().partition(b"\r\nFrom:")
    (found,) = check(field.replace(b"from", b"x-fr") + b"\r\nFrom:" + rest, {NAME: key_pair()[1]})
    assert found.cause == "signature_malformed"


def test_a_second_from_field_breaks_the_signature() -> None:
    # Whoever shows the first From shows one that nobody signed (RFC 6376 §8.15).
    (found,) = check(b"From: evil@example.org\r\n" + signed(), {NAME: key_pair()[1]})
    assert found.result == "fail"


def test_a_key_that_would_take_minutes_is_refused() -> None:
    huge = rsa.RSAPublicNumbers(65537, (1 << 20000) + 1)
    der = _der(huge.n, huge.e)
    (found,) = check(signed(), {NAME: f"v=DKIM1; p={base64.b64encode(der).decode()}"})
    assert (found.cause, found.bits) == ("key_unusable", None)
    der = _der((1 << 2047) + 1, (1 << 4000) + 1)
    (found,) = check(signed(), {NAME: f"v=DKIM1; p={base64.b64encode(der).decode()}"})
    assert found.cause == "key_unusable"


def _der(*numbers: int) -> bytes:
    """A sequence of numbers in DER: RSAPublicKey and RSAPrivateKey, of numbers that no library would make a key of."""

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    return element(0x30, b"".join(element(2, each.to_bytes(each.bit_length() // 8 + 1, "big")) for each in numbers))


_BASES = [
    signed(canonical=canonical, length=length, bits=1024)
    for canonical in ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")
    for length in (False, True)
]


def theirs(raw: bytes) -> bool | None:
    """What dkimpy says by itself; None when it gives up on the message, as on a line that is no header field."""
    record = key_pair(1024)[1].encode()
    verifier = dkimpy.DKIM(minkey=0)
    try:
        verifier.set_message(raw)
    except (dkimpy.DKIMException, IndexError):
        return None
    try:
        return bool(verifier.verify(dnsfunc=lambda name, timeout: record))
    except Exception:  # dkimpy lets many kinds of faults out; here they all mean that it did not verify
        return False


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_we_verify_what_dkimpy_verifies(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(_BASES)))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(raw)))
        new = data.draw(
            st.sampled_from([b"", b" ", b"\t", b"\r\n", b"\r\n ", b"  ", b"\r\n\r\n", b"\r", b"x", b";", b"="])
        )
        raw[at : at + data.draw(st.integers(0, 2))] = new
    message = bytes(raw)
    try:
        found = check(message, {NAME: key_pair(1024)[1]})
    except fields.Unreadable:
        assert not theirs(message)
        return
    if found and found[0].result == "pass":
        assert theirs(message) is not False
    elif theirs(message):
        # What we call malformed, dkimpy may let pass; the rest has to be the same.
        assert found[0].cause == "signature_malformed"
