"""Header fields, Received, Authentication-Results, ARC and list fields: what real servers write, and what others do."""

from __future__ import annotations

import datetime

import pytest

from mailrubric.mail import fields, listing, received, results
from mailrubric.mail.fields import Fields
from mailrubric.mail.message import AnalysedMessage

UTC = datetime.UTC


def header(text: str) -> Fields:
    return fields.parse(fields.with_crlf(text.strip("\n").encode()))


# --- fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Foo, Bar" <a@b.example>, x@y.example (a (nested) comment)', ["a@b.example", "x@y.example"]),
        ("Group: q@r.example, s@t.example;", ["q@r.example", "s@t.example"]),
        ("<@one,@two:u@v.example>", ["u@v.example"]),
        ('"a b"@c.example', ['"a b"@c.example']),
        ("=?utf-8?q?a=40b?= <x@y.example>", ["x@y.example"]),
        ('"evil@phish.example" <real@y.example>', ["real@y.example"]),
        ("no address at all", []),
        ("", []),
        ("a@b.example <", []),
        ("<" * 5000, []),
    ],
)
def test_addresses(text: str, expected: list[str]) -> None:
    assert fields.addresses(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EXAMPLE.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a..b", ""),
        ("-" * 300, ""),
        ("ex ample.com", ""),
        ("ü" * 250, ""),
    ],
)
def test_domains(name: str, expected: str) -> None:
    assert fields.domain(name) == expected


@pytest.mark.parametrize(
    ("text", "when", "offset"),
    [
        ("Mon, 23 Nov 2026 05:00:00 +0530 (IST)", datetime.datetime(2026, 11, 22, 23, 30, tzinfo=UTC), 330),
        ("23 Nov 2026 05:00:00 -0000", datetime.datetime(2026, 11, 23, 5, tzinfo=UTC), None),
        ("Mon, 23 Nov 2026 05:00:00 GMT", datetime.datetime(2026, 11, 23, 5, tzinfo=UTC), 0),
        ("Mon, 23 Nov 2026 05:00:00", datetime.datetime(2026, 11, 23, 5, tzinfo=UTC), None),
        ("Mon, 99 Nov 2026 05:00:00 +0000", None, None),
        ("Mon, 30 Nov 2026 24:00:00 +0000", None, None),
        ("Mon, 30 Nov 2026 23:59:60 +0000", datetime.datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), 0),
        ("Fri, 31 Dec 9999 23:00:00 -0500", None, None),
        ("Mon, 23 Nov 2026 05:00:00.123 +0000 (UTC)", datetime.datetime(2026, 11, 23, 5, tzinfo=UTC), 0),
        ("gibberish", None, None),
        ("", None, None),
    ],
)
def test_dates(text: str, when: datetime.datetime | None, offset: int | None) -> None:
    found, east = fields.date(text)
    assert found == when
    assert east == offset


def test_a_header_is_cut_and_unfolded() -> None:
    raw = b"From x\nA: one\n two\nB : three\nbroken line\nA: four\n\nbody"
    head, start = fields.split(raw)
    message = fields.parse(head)
    assert raw[start:] == b"body"
    assert message.all("a") == ["one two", "four"]
    assert message.first("b") == "three"
    assert message.first("c") is None
    assert message.faults == 1


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"no header here", b"\x00\xff\xfe" * 10])
def test_what_is_no_message(raw: bytes) -> None:
    with pytest.raises(fields.Unreadable):
        fields.parse(fields.split(raw)[0])


def test_parameters_of_a_content_type() -> None:
    assert fields.parameters('multipart/mixed; boundary="a;b\\"c"; x=y (no)') == (
        "multipart/mixed",
        {"boundary": 'a;b"c', "x": "y"},
    )
    assert fields.parameters("TEXT/HTML (really); Charset=UTF-8")[0] == "text/html"


def test_hashes_tell_addresses_apart_and_show_none() -> None:
    assert fields.digest("A@B.example") == fields.digest("a@b.example ") != fields.digest("c@b.example")
    assert "b.example" not in fields.digest("a@b.example")
    assert fields.digest("") == ""


# --- Received ---------------------------------------------------------------------------------------------------------

DATE = "; Mon, 23 Nov 2026 05:00:00 +0000"
POSTFIX = (
    "from mail.example.com (mail.example.com [192.0.2.1]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
    "(256/256 bits) key-exchange X25519) (No client certificate requested) by mx.example.org (Postfix) with ESMTPS "
    "id 4ABC for <x@example.org>" + DATE
)
GOOGLE = (
    "from a.example.com (a.example.com. [198.51.100.41]) by mx.google.com with SMTPS id abc for <x@example.org> "
    "(version=TLS1_2 cipher=ECDHE-RSA-AES128-GCM-SHA256 bits=128/128); Mon, 23 Nov 2026 05:00:00 -0800 (PST)"
)
EXIM = (
    "from [203.0.113.7] (helo=shop.example) by in.example.org with esmtps (TLS1.3) tls TLS_AES_128_GCM_SHA256 "
    "(Exim 4.96) (envelope-from <a@b>) id 1" + DATE
)
MICROSOFT = (
    "from A.prod.exchangelabs.com (2603:10a6:208::1) by B.prod.exchangelabs.com (2603:10a6:208::2) with Microsoft SMTP "
    "Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20" + DATE
)


@pytest.mark.parametrize(
    ("value", "address", "protocol", "tls", "version", "internal"),
    [
        (POSTFIX, "192.0.2.1", "ESMTPS", True, "TLSv1.3", False),
        (GOOGLE, "198.51.100.41", "SMTPS", True, "TLSv1.2", False),
        (EXIM, "203.0.113.7", "ESMTPS", True, "TLSv1.3", False),
        (MICROSOFT, "2603:10a6:208::1", "MICROSOFT", True, "TLSv1.2", True),
        ("from h.example (h.example [192.0.2.9]) by mx.example with ESMTP", "192.0.2.9", "ESMTP", False, "", False),
        ("from unknown (HELO f.example) (203.0.113.9) by b.example with SMTP", "203.0.113.9", "SMTP", False, "", False),
        ("from h.example ([IPv6:2001:db8::7]) by mx.example with ESMTPSA", "2001:db8::7", "ESMTPSA", True, "", False),
        ("from localhost (localhost [127.0.0.1]) by mx.example with ESMTP", "127.0.0.1", "ESMTP", False, "", True),
        ("from pc (unknown [10.1.2.3]) by mx.example with ESMTPSA id x", "10.1.2.3", "ESMTPSA", True, "", True),
        ("by 2002:a05:6402:1234:b0:12 with SMTP id abc" + DATE, "", "SMTP", False, "", True),
        ("from a by a with LMTP id x" + DATE, "", "LMTP", None, "", True),
        ("from filter1 by x.example (SG) with HTTP id abc" + DATE, "", "HTTP", None, "", True),
        ("(qmail 1234 invoked by uid 89)" + DATE, "", "", None, "", True),
        ("from h.example (192.0.2.4) by mx.example id x" + DATE, "192.0.2.4", "", None, "", False),
        # These say in comments, or behind the protocol, that there was TLS; Amazon SES never says.
        ("from f.example (192.0.2.7) by ex.example (10.1.1.1) with Microsoft SMTP Server (TLS) id 14.3.1" + DATE,
         "192.0.2.7", "MICROSOFT", True, "", False),
        ("from f.example (HELO f.example) ([192.0.2.8]) by esa.example with ESMTP/TLS/TLS_AES_256_GCM_SHA384" + DATE,
         "192.0.2.8", "ESMTP", True, "", False),
        ("from [192.0.2.9] ([192.0.2.9:4567]) by mta.example (envelope-from <b@f.example>) (ecelerity 4.4.1 r(tags)) "
         "with ESMTP (cipher=ECDHE-RSA-AES256-GCM-SHA384) id A1" + DATE, "192.0.2.9", "ESMTP", True, "", False),
        ("from tls1.f.example (tls1-3.f.example [192.0.2.7]) by tls1.3.mx.example with ESMTP" + DATE,
         "192.0.2.7", "ESMTP", False, "", False),
        ("from f.example (HELO TLS) (192.0.2.7) by mx.example with SMTP" + DATE, "192.0.2.7", "SMTP", False, "", False),
        ("from f.example (192.0.2.5) by b.example with (DHE-RSA-AES256-SHA encrypted) SMTP", "192.0.2.5", "SMTP", True,
         "", False),
        ("from f.example (f.example [192.0.2.6]) by inbound-smtp.us-east-1.amazonaws.com with SMTP id x" + DATE,
         "192.0.2.6", "SMTP", None, "", False),
        ("", "", "", None, "", True),
    ],
)  # fmt: skip
def test_hops_of_many_servers(
    value: str, address: str, protocol: str, tls: bool | None, version: str, internal: bool
) -> None:
    hop = received.hop(value)
    assert (hop.address, hop.protocol, hop.tls) == (address, protocol, tls)
    assert (hop.tls_version, hop.internal) == (version, internal)


def test_the_cipher_and_the_time_of_a_hop() -> None:
    hop = received.hop(POSTFIX)
    assert hop.cipher == "TLS_AES_256_GCM_SHA384"
    assert hop.time == datetime.datetime(2026, 11, 23, 5, tzinfo=UTC)
    assert received.hop(GOOGLE).cipher == "ECDHE-RSA-AES128-GCM-SHA256"
    qmail = "from f.example (192.0.2.5) by b.example with (TLS_AES_256_GCM_SHA384 encrypted) ESMTPS; 23 Nov 2026 -0000"
    assert received.hop(qmail).cipher == "TLS_AES_256_GCM_SHA384"
    cisco = "from f.example (HELO f.example) ([192.0.2.8]) by esa.example with ESMTP/TLS/TLS_AES_256_GCM_SHA384" + DATE
    assert received.hop(cisco).cipher == "TLS_AES_256_GCM_SHA384"


def test_the_boundary_is_the_newest_hop_from_outside() -> None:
    inside = "from mx.example.org by box.example.org with LMTP id 1" + DATE
    hops = received.hops([inside, POSTFIX, EXIM])
    assert [hop.protocol for hop in hops] == ["ESMTPS", "ESMTPS", "LMTP"]
    found = received.boundary(hops)
    assert found is not None
    assert found.address == "192.0.2.1"
    assert received.boundary(received.hops([inside])) is None


def test_networks() -> None:
    assert received.network_of("192.0.2.77") == "192.0.2.0/24"
    assert received.network_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert received.network_of("") == ""


# --- Authentication-Results -------------------------------------------------------------------------------------------

RESULTS = (
    "Authentication-Results: mx.example.org; dkim=pass header.i=@example.com header.s=s1;\n"
    " spf=pass (mx: domain of x@b.example.com designates 192.0.2.1; dkim=fail) smtp.mailfrom=x@b.example.com;\n"
    " dmarc=pass (p=NONE dis=NONE) header.from=example.com\n"
)


def test_results_of_the_topmost_field() -> None:
    found = results.trusted(header(RESULTS + "From: a@b.example"))
    assert found.authserv_id == "mx.example.org"
    assert [found.result(method) for method in ("dkim", "spf", "dmarc", "arc")] == ["pass", "pass", "pass", None]
    assert found.passed_domain("spf", "smtp.mailfrom") == "b.example.com"


def test_a_forged_field_further_down_is_ignored() -> None:
    forged = "Authentication-Results: mx.example.org; dmarc=pass; arc=pass; spf=pass\n"
    real = "Authentication-Results: mx.example.org; spf=fail smtp.mailfrom=evil.example\n"
    found = results.trusted(header(real + "Received: x\n" + forged + "From: a@b.example"))
    assert (found.result("spf"), found.result("dmarc")) == ("fail", None)
    # Nor does naming the server help the forger: it stands below another server's Received field.
    below = header(real + f"Received: {POSTFIX}\nReceived: {EXIM}\n" + forged + "From: a@b.example")
    named = results.trusted(below, "MX.example.org")
    assert (named.result("spf"), named.result("dmarc")) == ("fail", None)
    # And where the receiver has added two fields, the upper one wins for what both state.
    two = header(real + "Authentication-Results: mx.example.org; dkim=pass; spf=pass\nReceived: x\nFrom: a@b.example")
    both = results.trusted(two, "mx.example.org")
    assert (both.result("spf"), both.result("dkim")) == ("fail", "pass")


def test_a_forged_field_at_the_top_is_not_the_named_servers() -> None:
    message = header("Authentication-Results: evil.example; dmarc=pass\nReceived: x\n" + RESULTS + "From: a@b.example")
    assert results.trusted(message, "mx.example.org").result("dmarc") == "pass"  # the server's own, above any other hop
    assert results.trusted(message, "elsewhere.example").why
    assert results.trusted(header("From: a@b.example")).why


def test_a_receiver_with_a_name_for_each_method() -> None:
    # As iCloud does it.
    stated = "".join(
        f"Authentication-Results: {method}.icloud.test; {method}=pass\n" for method in ("bimi", "dmarc", "dkim", "spf")
    )
    message = header(stated + f"Received: {POSTFIX}\nReceived: {EXIM}\nFrom: a@b.example")
    found = results.trusted(message, "icloud.test")
    assert [found.result(method) for method in ("dmarc", "dkim", "spf")] == ["pass"] * 3
    assert results.trusted(message, "spf.icloud.test").result("dmarc") is None
    assert results.trusted(message, "loud.test").why


def test_results_below_the_receivers_own_hops() -> None:
    # As Gmail does it: an internal hop on top, then the one from outside, and the results under it.
    inside = "Received: by 2002:a05:6402:1234:b0:12 with SMTP id abc; Mon, 23 Nov 2026 05:00:00 +0000\n"
    border = f"Received: {GOOGLE}\n"
    theirs = "Received: from in.example ([192.0.2.200]) by out.example with ESMTPS; Mon, 23 Nov 2026 05:00:00 +0000\n"
    real = "Authentication-Results: mx.google.com; spf=fail smtp.mailfrom=evil.example\n"
    forged = "Authentication-Results: mx.google.com; spf=pass; dmarc=pass\n"
    found = results.trusted(header(inside + border + real + theirs + forged + "From: a@b.example"), "mx.google.com")
    assert (found.result("spf"), found.result("dmarc")) == ("fail", None)
    assert results.trusted(header(inside + border + theirs + forged + "From: a@b.example"), "mx.google.com").why


@pytest.mark.parametrize(
    ("text", "authserv_id", "stated"),
    [
        ("mx.example 1; none", "mx.example", []),
        ('"mx.example"; dkim = pass ; spf=SoftFail', "mx.example", [("dkim", "pass"), ("spf", "softfail")]),
        ("mx.example; dkim/1=neutral; madeup=pass; dkim=perfect", "mx.example", [("dkim", "neutral")]),
        ("mx.example; (spf=pass) ; dmarc=fail (because spf=pass;)", "mx.example", [("dmarc", "fail")]),
    ],
)
def test_the_grammar_of_results(text: str, authserv_id: str, stated: list[tuple[str, str]]) -> None:
    found = results.parse(text)
    assert found is not None
    assert found.authserv_id == authserv_id
    assert [(each.method, each.result) for each in found.stated] == stated


@pytest.mark.parametrize("text", ["", ";", "dkim=perfect", "made=up; spf", "(only a comment)"])
def test_results_of_nobody(text: str) -> None:
    assert results.parse(text) is None


def test_the_topmost_field_has_to_be_the_receivers() -> None:
    taken = (
        "Received: from a.example ([192.0.2.1]) by mx2.reader.example with ESMTPS; Mon, 23 Nov 2026 05:00:00 +0000\n"
    )
    for server, trusted in (
        ("mx.reader.example", True),  # another one of the same house
        ("mx2.reader.example", True),
        ("mx.evil.test", False),  # the receiver adds none, and the sender has written one
        ("example", False),
    ):
        message = header(taken + f"Authentication-Results: {server}; dmarc=pass\nFrom: a@b.example")
        found = results.trusted(message)
        assert (found.result("dmarc") == "pass") is trusted
        assert bool(found.why) is not trusted
    assert results.trusted(header(taken + taken + "Authentication-Results: mx2.reader.example; dmarc=pass")).why


def test_microsofts_results_have_no_server() -> None:
    stated = "Authentication-Results: spf=pass (sender IP is 192.0.2.1)\n smtp.mailfrom=b.example; dmarc=pass\n"
    taken = (
        "Received: from a.example (192.0.2.1) by X.mail.protection.outlook.com (10.0.0.1) with Microsoft SMTP Server"
    )
    found = results.trusted(header(f"{taken}; Mon, 23 Nov 2026 05:00:00 +0000\n{stated}From: a@b.example"))
    assert (found.result("spf"), found.result("dmarc"), found.authserv_id) == ("pass", "pass", "")
    other = taken.replace("outlook.com", "outlook.test")
    assert results.trusted(header(f"{other}; Mon, 23 Nov 2026 05:00:00 +0000\n{stated}From: a@b.example")).why


# --- ARC --------------------------------------------------------------------------------------------------------------


def arc(*sets: tuple[int, str]) -> Fields:
    lines = "".join(
        f"ARC-Seal: i={number}; a=rsa-sha256; cv={validation}; b=x\nARC-Message-Signature: i={number}; b=x\n"
        f"ARC-Authentication-Results: i={number}; mx.example; spf=pass\n"
        for number, validation in sets
    )
    return header(lines + "From: a@b.example")


def test_arc_chains() -> None:
    assert results.chain(header("From: a@b.example")) == results.Chain(0, "", None)
    assert results.chain(arc((2, "pass"), (1, "none"))) == results.Chain(2, "pass", True)
    assert results.chain(arc((2, "fail"), (1, "none"))) == results.Chain(2, "fail", False)
    assert results.chain(arc((3, "pass"), (1, "none"))).complete is False
    assert results.chain(arc((1, "pass"))).complete is False  # the first set has nothing to validate
    assert results.chain(header("ARC-Seal: i=1; cv=none\nFrom: a@b.example")).complete is False
    assert results.chain(header("ARC-Seal: i=9999; cv=none\nFrom: a@b.example")).complete is False


# --- lists ------------------------------------------------------------------------------------------------------------

POST = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"


@pytest.mark.parametrize(
    ("lines", "one_click", "https", "mailto"),
    [
        ("List-Unsubscribe: <https://e.example/u>\n" + POST, True, True, False),
        ("List-Unsubscribe: <mailto:u@e.example>,\n <https://e.example/u>\n" + POST, True, True, True),
        ("List-Unsubscribe: <http://e.example/u>\n" + POST, False, False, False),
        ("List-Unsubscribe: <mailto:u@e.example>\n" + POST, False, False, True),
        ("List-Unsubscribe: <https://e.example/u>\n", False, True, False),
        ("List-Unsubscribe: <https://e.example/u>\n" + POST + POST, False, True, False),
        ("List-Unsubscribe: <https://e.example/u>\nList-Unsubscribe-Post: yes please\n", False, True, False),
        ("List-Unsubscribe: https://e.example/u\n" + POST, False, False, False),
        (POST, False, False, False),
    ],
)
def test_one_click(lines: str, one_click: bool, https: bool, mailto: bool) -> None:
    found = listing.look(header(lines + "From: a@b.example"))
    assert (found.one_click, found.unsubscribe_https, found.unsubscribe_mailto) == (one_click, https, mailto)


@pytest.mark.parametrize(
    ("lines", "bulk"),
    [
        ("List-Unsubscribe: <https://e.example/u>", True),
        ("List-Id: News <news.e.example>", True),
        ("Precedence: Bulk", True),
        ("X-PM-Message-Stream: broadcast", True),
        ("Auto-Submitted: auto-generated", False),
        ("Auto-Submitted: auto-generated\nList-Id: <x.y>", True),
        ("Auto-Submitted: no", None),
        ("In-Reply-To: <1@b.example>", False),
        ("X-PM-Message-Stream: outbound", False),
        ("Subject: hello", None),
    ],
)
def test_bulk_by_a_stated_rule(lines: str, bulk: bool | None) -> None:
    found = listing.look(header(lines + "\nFrom: a@b.example"))
    assert found.bulk is bulk
    assert bool(found.bulk_reasons) == (bulk is not None)


def test_signs_of_both_kinds_are_kept() -> None:
    found = listing.look(header("Auto-Submitted: auto-generated\nList-Id: <x.y>\nFrom: a@b.example"))
    message = AnalysedMessage(bulk=found.bulk, bulk_reasons=found.bulk_reasons, personal_signs=found.personal_signs)
    assert found.personal_signs == ("Auto-Submitted: auto-generated",)
    assert (listing.kind(message), listing.kind(message, without=listing.LIST_ID)) == (True, False)
    assert listing.kind(AnalysedMessage()) is None


def test_other_list_fields() -> None:
    found = listing.look(
        header(
            "List-Id: =?utf-8?q?N?= <News.E.example>\nFeedback-ID: 1:2:3:s\n"
            "X-Mailer: M\x1b[31m 1\nX-SG-EID: x\nFrom: a@b"
        )
    )
    assert (found.list_id, found.feedback_id) == ("news.e.example", "1:2:3:s")
    assert found.mailer == r"M\x1b[31m 1"
    assert found.fingerprints == ("x-sg-eid",)
