"""The parsers of DMARC, MTA-STS, TLS-RPT and DKIM texts."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from probes import policies
from probes.policies import (
    DKIMKey,
    DMARCRecord,
    STSPolicy,
    dmarc_applies,
    dmarc_record,
    parse_dkim,
    parse_dmarc,
    parse_sts_policy,
    sts_record,
    tls_report_addresses,
    tree_walk,
)
from tests.probes import certificates as zoo


def dmarc(text: str) -> DMARCRecord:
    record = parse_dmarc(text)
    assert record is not None
    return record


def test_dmarc_policies() -> None:
    record = dmarc("v=DMARC1; p=Reject; sp=quarantine; np=none; rua=mailto:a@example.com; t=y; psd=n; x=y;")
    assert (record.policy, record.subdomains, record.nonexistent) == ("reject", "quarantine", "none")
    assert record.testing
    assert record.reports
    assert record.psd == "n"
    plain = dmarc("v = DMARC1 ;p=quarantine")
    assert (plain.policy, plain.subdomains, plain.nonexistent) == ("quarantine", "quarantine", "quarantine")
    assert not plain.testing
    assert not plain.reports
    assert plain.psd == "u"
    assert dmarc("v=DMARC1").policy == "none"
    assert dmarc("v=DMARC1; p=reject; p=none").policy == "reject"
    # An invalid policy tag: none with a report address, no record at all without one.
    assert dmarc("v=DMARC1; p=refuse").policy is None
    assert dmarc("v=DMARC1; p=reject; sp=refuse").policy is None
    assert dmarc("v=DMARC1; p=refuse; rua=mailto:a@example.com").policy == "none"
    assert dmarc("v=DMARC1; p=refuse; rua=nonsense").policy is None


@pytest.mark.parametrize(
    "text", ["", "v=DMARC2; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1", "v=DMARC10", "DMARC1"]
)
def test_what_is_no_dmarc_record(text: str) -> None:
    assert parse_dmarc(text) is None


def test_several_dmarc_records_are_none() -> None:
    assert dmarc_record(["v=DMARC1; p=none", "unrelated"]) is not None
    assert dmarc_record(["v=DMARC1; p=none", "v=DMARC1; p=none"]) is None
    assert dmarc_record([]) is None


def test_the_tree_walk() -> None:
    assert tree_walk("example.com") == ("example.com", "com")
    assert tree_walk("a.mail.example.com") == ("a.mail.example.com", "mail.example.com", "example.com", "com")
    long = tree_walk("a.b.c.d.e.f.g.h.example.com")
    assert long[:3] == ("a.b.c.d.e.f.g.h.example.com", "d.e.f.g.h.example.com", "e.f.g.h.example.com")
    assert len(long) == 8
    assert len(tree_walk("a.b.c.d.e.f.example.com")) == 8
    assert tree_walk("com") == ("com",)


def test_which_record_applies() -> None:
    any_ = dmarc("v=DMARC1; p=none")
    stop, suffix = dmarc("v=DMARC1; p=none; psd=n"), dmarc("v=DMARC1; p=none; psd=y")
    name = "a.mail.example.com"
    assert dmarc_applies(name, {}) is None
    assert dmarc_applies(name, {name: any_, "com": suffix}) == name
    # The fewest labels win, unless a flag says where the organisation is.
    assert dmarc_applies(name, {"mail.example.com": any_, "example.com": any_}) == "example.com"
    assert dmarc_applies(name, {"mail.example.com": stop}) == "mail.example.com"
    assert dmarc_applies(name, {"com": suffix}) == "com"
    assert dmarc_applies(name, {"example.com": any_, "com": suffix}) == "example.com"
    # A record that is neither the organisation's nor the suffix's does not apply.
    assert dmarc_applies(name, {"mail.example.com": any_, "com": suffix}) == "com"


# --- MTA-STS ----------------------------------------------------------------------------------------------------------


def test_sts_records() -> None:
    assert sts_record(["v=STSv1; id=20160831085700Z;"]) == "20160831085700Z"
    assert sts_record(["v=STSv1;id=1", "unrelated"]) == "1"
    assert sts_record(["v=STSv1; x=y; id=1"]) == "1"
    for wrong in (
        [], ["v=STSv1"], ["v=STSv1;"], ["v=STSv1; id="], ["v=STSv1; id=a-b"], ["v=STSv1; id=" + "1" * 33],
        ["v=STSv2; id=1"], [" v=STSv1; id=1"], ["v=STSv1; id=1", "v=STSv1; id=1"], ["v=STSv1; id=1 2"],
        ["v=STSv1; id=1; id=2"],
    ):  # fmt: skip
        assert sts_record(wrong) is None, wrong


def test_sts_policies() -> None:
    text = b"version: STSv1\r\nmode: enforce\r\nmx: mail.Example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"
    assert parse_sts_policy(text) == STSPolicy("enforce", 604800, ("mail.example.com", "*.example.net"))
    loose = b"mode:testing\nmax_age: 0\nx-new: \xc3\xbc\nversion:\tSTSv1 \nmx:a.example\nmode: enforce\n\n"
    assert parse_sts_policy(loose) == STSPolicy("testing", 0, ("a.example",))
    assert parse_sts_policy(b"version: STSv1\nmode: none\nmax_age: 86400") == STSPolicy("none", 86400, ())


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"\xff\xfe", b"version: STSv2\nmode: none\nmax_age: 1", b"mode: none\nmax_age: 1",
        b"version: STSv1\nmode: strict\nmax_age: 1\nmx: a.example", b"version: STSv1\nmode: none",
        b"version: STSv1\nmode: none\nmax_age: -1", b"version: STSv1\nmode: none\nmax_age: 31557601",
        b"version: STSv1\nmode: enforce\nmax_age: 1", b"version: STSv1\nmode: enforce\nmax_age: 1\nmx: *",
        b"version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.*.example",
        b"version : STSv1\nmode: none\nmax_age: 1", b" version: STSv1\nmode: none\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmax_age: 1\nmx: mx_1.example",
        b"version: STSv1\nmode: enforce\nmax_age: 1\nmx: -mx.example",
        b"version: STSv1\nmode: enforce\nmax_age: 1\nmx:",
        b"version: STSv1\nmode: none\nmax_age: 1\nno field", b"version: STSv1\nmode: none\nmax_age: " + b"9" * 5000,
        b"version: STSv1\nmode: none\nmax_age: 1\n" + b"x: y\n" * 20000,
    ],
)  # fmt: skip
def test_malformed_sts_policies(body: bytes) -> None:
    error = parse_sts_policy(body)
    assert isinstance(error, str)
    assert error.isprintable()


# --- TLS-RPT ----------------------------------------------------------------------------------------------------------


def test_tls_reports() -> None:
    assert tls_report_addresses(["v=TLSRPTv1; rua=mailto:a@example.com"]) == ("mailto:a@example.com",)
    both = tls_report_addresses(["v=TLSRPTv1;rua=https://r.example/v1, mailto:a@example.com;x=1", "other"])
    assert both == ("https://r.example/v1", "mailto:a@example.com")
    for wrong in (
        [], ["v=TLSRPTv1"], ["v=TLSRPTv1;"], ["v=TLSRPTv1; rua=http://r.example"], ["v=TLSRPTv1; rua=a@example.com"],
        ["v=TLSRPTv1; rua=mailto:a@example.com"] * 2, ["v=TLSRPTv2; rua=mailto:a@example.com"],
    ):  # fmt: skip
        assert tls_report_addresses(wrong) == (), wrong


# --- DKIM -------------------------------------------------------------------------------------------------------------


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.mark.parametrize("bits", [1024, 2048])
def test_rsa_keys(bits: int) -> None:
    public = zoo.rsa_key(bits).public_key()
    der = serialization.Encoding.DER
    for form in (serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1):
        key = encoded(public.public_bytes(der, form))
        assert parse_dkim(f"v=DKIM1; k=rsa; p={key}") == DKIMKey("rsa", bits)
        assert parse_dkim(f"p={key[:40]} {key[40:]}; t=s") == DKIMKey("rsa", bits)


def test_other_keys_and_none() -> None:
    assert parse_dkim(f"v=DKIM1; k=ed25519; p={encoded(bytes(32))}") == DKIMKey("ed25519", 256)
    ec_key = zoo.root().certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    for text, said in (
        ("v=DKIM1; p=", "revoked"), ("v=DKIM2; p=AAAA", "version"), ("k=rsa; v=DKIM1; p=AAAA", "version"),
        ("v=spf1 -all", "version"), ("hello", "no DKIM"), ("p=%%%", "base64"), ("p=AAAA", "malformed"),
        (f"k=ed25519; p={encoded(bytes(31))}", "wrong length"), ("k=dsa; p=AAAA", "unknown kind"),
        (f"p={encoded(ec_key)}", "malformed"), (f"p={encoded(bytes.fromhex('3006020100020103'))}", "malformed"),
    ):  # fmt: skip
        found = parse_dkim(text)
        assert isinstance(found, str), text
        assert said in found, (text, found)


@given(st.binary(max_size=80))
def test_no_key_bytes_break_the_parser(data: bytes) -> None:
    for prefix in (b"", b"\x30\x80", b"\x30\x10\x30\x02", b"\x30\x84\xff"):
        assert isinstance(parse_dkim(f"p={encoded(prefix + data)}"), DKIMKey | str)


@given(st.text(max_size=100))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for candidate in (text, "v=DMARC1;" + text, "v=STSv1;" + text, "v=TLSRPTv1;" + text, "v=DKIM1;" + text):
        parse_dmarc(candidate)
        sts_record([candidate])
        tls_report_addresses([candidate])
        parse_dkim(candidate)
        parse_sts_policy(candidate.encode("utf-8", "surrogatepass"))
        assert all(name == name.lower() for name in policies.tags(candidate))
