"""SMTP extensions with their parameters, names in greeting and EHLO, and where the greeting's name leads."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import extensions
from probes.conversation import Conversation, Findings
from probes.model import Endpoint, Measurement, TLSMode
from probes.network import Limits, Options
from probes.replies import Reply, parse_ehlo, printable
from probes.smtp import SMTPProbe, is_fqdn
from tests.hostile.server import FAULTS, Close, Script, Send, StartTLS, serve, smtp
from tests.probes.dnsserver import Records, name_server
from tests.probes.loopback import measure

LIMITS = Limits(deadline=3, connect_timeout=1, greeting_timeout=0.3, read_timeout=0.3, dns_timeout=0.5, spacing_mx=0.0)
OPTIONS = Options(limits=LIMITS, allow_private=True, ehlo_name="probe.example")
MISSING = "not_applicable"
NAMES = [metric.key for metric in extensions.METRICS]


class Found(dict[str, Measurement]):
    """Metric without ``smtp.`` → its measurement; ``value`` is the value or the cause as text."""

    def value(self, metric: str) -> Any:
        each = self[f"smtp.{metric}"]
        return each.value if each.cause is None else each.cause.value


async def probe(script: Script, tls: TLSMode = "starttls", options: Options = OPTIONS) -> Found:
    async with serve(script) as server:
        return Found(await measure(SMTPProbe(), Endpoint("mx", host="127.0.0.1", port=server.port, tls=tls), options))


def reply(*lines: bytes) -> Script:
    """A reply to EHLO that lists these."""
    every = (b"mx.example", *lines)
    return (Send(b"".join(b"250" + (b" " if line is every[-1] else b"-") + line + b"\r\n" for line in every)),)


async def offering(*lines: bytes) -> Found:
    """A server that lists these under TLS."""
    return await probe(smtp(tls={b"EHLO": reply(*lines)}))


EVERYTHING = (
    b"SIZE 1000", b"8BITMIME", b"BINARYMIME", b"BURL imap imap://mail.example", b"DELIVERBY 240",
    b"FUTURERELEASE 86400 2027-01-01T00:00:00Z", b"limits rcptmax=100 MAILMAX=20 RCPTDOMAINMAX=5", b"MT-PRIORITY MIXER",
    b"NO-SOLICITING net.example:ADV", b"ETRN", b"VRFY", b"EXPN", b"HELP", b"XCLIENT NAME ADDR", b"XFORWARD NAME",
    b"X-CUSTOM  a   b", b"AUTH PLAIN", b"AUTH=PLAIN LOGIN", b"PIPECONNECT",
)  # fmt: skip


async def test_a_server_that_offers_everything() -> None:
    found = await offering(*EVERYTHING)
    assert {key: found.value(key.removeprefix("smtp.")) for key in NAMES} == {
        "smtp.extension_parameters": (
            "8BITMIME", "AUTH PLAIN", "AUTH=PLAIN LOGIN", "BINARYMIME", "BURL imap imap://mail.example",
            "DELIVERBY 240", "ETRN", "EXPN", "FUTURERELEASE 86400 2027-01-01T00:00:00Z", "HELP",
            "LIMITS rcptmax=100 MAILMAX=20 RCPTDOMAINMAX=5", "MT-PRIORITY MIXER", "NO-SOLICITING net.example:ADV",
            "PIPECONNECT", "SIZE 1000", "VRFY", "X-CUSTOM a b", "XCLIENT NAME ADDR", "XFORWARD NAME",
        ),
        "smtp.extensions_only_before_tls": ("PIPELINING", "STARTTLS"),
        "smtp.extensions_only_after_tls": tuple(
            sorted(
                {
                    "8BITMIME", "AUTH", "BINARYMIME", "BURL", "DELIVERBY", "ETRN", "EXPN", "FUTURERELEASE", "HELP",
                    "LIMITS", "MT-PRIORITY", "NO-SOLICITING", "PIPECONNECT", "VRFY", "X-CUSTOM", "XCLIENT", "XFORWARD",
                }
            )
        ),
        "smtp.extensions_unregistered": ("PIPECONNECT", "X-CUSTOM", "XCLIENT", "XFORWARD"),
        "smtp.client_override": True,
        "smtp.auth_legacy_syntax": True,
        **dict.fromkeys(
            (
                "smtp.binary_mime", "smtp.burl", "smtp.deliver_by", "smtp.future_release", "smtp.limits",
                "smtp.mt_priority", "smtp.no_soliciting", "smtp.etrn", "smtp.vrfy_offered", "smtp.expn_offered",
                "smtp.help_offered",
            ),
            True,
        ),
        "smtp.limit_mail": 20,
        "smtp.limit_recipients": 100,
        "smtp.limit_recipient_domains": 5,
        "smtp.deliver_by_minimum": 240,
        "smtp.future_release_seconds": 86400,
        "smtp.future_release_until": "2027-01-01T00:00:00Z",
    }  # fmt: skip


async def test_a_server_that_offers_nothing() -> None:
    found = await probe(smtp(EHLO=reply(b"STARTTLS"), tls={b"EHLO": (Send(b"250 mx.example\r\n"),)}))
    stated = {
        "limit_mail", "limit_recipients", "limit_recipient_domains", "deliver_by_minimum", "future_release_seconds",
        "future_release_until",
    }  # fmt: skip
    for key in NAMES:
        name = key.removeprefix("smtp.")
        if name in stated:
            assert found.value(name) == MISSING
        elif name == "extensions_only_before_tls":
            assert found.value(name) == ("STARTTLS",)
        else:
            assert found.value(name) in ((), False)


@pytest.mark.parametrize(
    ("line", "metric", "expected"),
    [
        (b"DELIVERBY", "deliver_by_minimum", MISSING),
        (b"DELIVERBY soon", "deliver_by_minimum", "protocol_error"),
        (b"DELIVERBY -5", "deliver_by_minimum", "protocol_error"),
        (b"FUTURERELEASE", "future_release_seconds", MISSING),
        (b"FUTURERELEASE 60", "future_release_until", MISSING),
        (b"FUTURERELEASE 1e9 x", "future_release_seconds", "protocol_error"),
        (b"FUTURERELEASE 60 tomorrow", "future_release_until", "protocol_error"),
        (b"LIMITS", "limit_mail", MISSING),
        (b"LIMITS MAILMAX", "limit_mail", MISSING),
        (b"LIMITS MAILMAX=0", "limit_mail", 0),
        (b"LIMITS MAILMAX=", "limit_mail", "protocol_error"),
        (b"LIMITS MAILMAX=many RCPTMAX=7", "limit_recipients", 7),
        (b"LIMITS MAILMAX=" + b"9" * 30, "limit_mail", "protocol_error"),
        (b"LIMITS FOOMAX=3", "limit_recipients", MISSING),
        (b"XADDR", "client_override", True),
        (b"X-\x1b[31mEVIL \xff", "extension_parameters", ("X-\\X1B[31MEVIL \\xff",)),
        (b"AUTH PLAIN", "auth_legacy_syntax", False),
    ],
)
async def test_parameters_that_say_nothing_or_nonsense(line: bytes, metric: str, expected: Any) -> None:
    assert (await offering(line)).value(metric) == expected


@pytest.mark.parametrize("fault", ["close", "garbage", "silence", "endless reply", "554", "421"])
async def test_a_list_that_is_not_whole_offers_and_lacks_nothing(fault: str) -> None:
    found = await probe(smtp(tls={b"EHLO": FAULTS[fault]}))
    for key in NAMES:
        each = found[key]
        assert each.value is None
        assert each.cause != "not_applicable"


async def test_lists_before_and_after_are_compared_only_where_there_are_two() -> None:
    for tls, cause in (("implicit", MISSING), ("none", MISSING)):
        found = await probe(smtp(implicit=tls == "implicit"), tls=tls)  # type: ignore[arg-type]
        assert found.value("extensions_only_before_tls") == found.value("extensions_only_after_tls") == cause
        assert found.value("extension_parameters")
    found = await probe(smtp(EHLO=reply(b"DSN"), STARTTLS=(Send(b"502 no\r\n"),)))
    assert found.value("extensions_only_before_tls") == "tls_not_offered"
    assert found.value("extension_parameters") == ("DSN",)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("mx.example.com", True),
        ("mx.example.com.", True),
        ("MX1.EXAMPLE", True),
        ("xn--mx-xka.example", True),
        ("localhost", False),
        ("mx", False),
        ("[192.0.2.1]", False),
        ("192.0.2.1", False),
        ("mx.example.7", False),
        ("my_host.example.com", False),
        ("-.example.com", False),
        ("a..b", False),
        ("", False),
        ("m\\xfcnchen.example", False),
    ],
)
def test_fully_qualified_names(name: str, full: bool) -> None:
    assert is_fqdn(name) is full


@pytest.mark.parametrize(
    ("greeting", "listed", "expected"),
    [
        (b"mx.example.com ESMTP", b"MX.example.com Hello", (True, "MX.example.com", True, True)),
        (b"mx.example.com ESMTP", b"other.example", (True, "other.example", True, False)),
        (b"localhost ESMTP", b"localhost", (False, "localhost", False, True)),
        (b"mx.example.com", b"[192.0.2.1] at your service", (True, "[192.0.2.1]", False, False)),
    ],
)
async def test_names_in_greeting_and_ehlo(greeting: bytes, listed: bytes, expected: tuple[object, ...]) -> None:
    found = await probe(
        smtp(greeting=(Send(b"220 " + greeting + b"\r\n"),), EHLO=(Send(b"250-" + listed + b"\r\n250 STARTTLS\r\n"),))
    )
    keys = ("greeting_name_is_fqdn", "ehlo_name", "ehlo_name_is_fqdn", "ehlo_name_is_greeting_name")
    assert tuple(found.value(key) for key in keys) == expected


async def test_a_reply_to_ehlo_without_a_name_and_one_that_does_not_come() -> None:
    found = await probe(smtp(EHLO=(Send(b"250-\r\n250 STARTTLS\r\n"),)))
    assert (found.value("ehlo_name"), found.value("ehlo_name_is_fqdn")) == ("protocol_error", False)
    assert found.value("starttls_works") is True
    found = await probe(smtp(EHLO=(Send(b"250-mx.example\r\n"), Close())))
    for key in ("ehlo_name", "ehlo_name_is_fqdn", "ehlo_name_is_greeting_name", "software", "software_version_shown"):
        assert found.value(key) == "connection_reset"
    assert found.value("greeting_name_is_fqdn") is True


@pytest.mark.parametrize(
    ("greeting", "listed", "software", "version"),
    [
        (b"mx.example ESMTP Exim 4.96 today", b"mx.example", "Exim 4.96", True),
        (b"mx.example ESMTP Postfix", b"mx.example", "Postfix", False),
        (b"mx.example ESMTP", b"mx.example Haraka is at your service", "Haraka", False),
        (b"postfix.example ESMTP", b"exim Hello dovecot.example", MISSING, False),
        (b"Postfix", b"Exim", MISSING, False),  # host names, whatever they say
    ],
)
async def test_software_named(greeting: bytes, listed: bytes, software: str, version: bool) -> None:
    script = smtp(greeting=(Send(b"220 " + greeting + b"\r\n"),), EHLO=(Send(b"250 " + listed + b"\r\n"),))
    found = await probe(script, tls="none")
    assert (found.value("software"), found.value("software_version_shown")) == (software, version)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"mx.example": {"A": ["127.0.0.1"]}}, True),
        ({"mx.example": {"A": ["192.0.2.1", "127.0.0.1"]}}, True),
        ({"mx.example": {"A": ["192.0.2.1"]}}, False),
        ({"mx.example": {"AAAA": ["::1"]}}, False),
        ({}, False),
        ({"mx.example": {"FAULT": ["SERVFAIL"]}}, "dns_servfail"),
        ({"mx.example": {"FAULT": ["REFUSED"]}}, "dns_servfail"),
        ({"mx.example": {"FAULT": ["SILENT"]}}, "dns_timeout"),
    ],
)
async def test_where_the_name_in_the_greeting_leads(records: Records, expected: Any) -> None:
    async with name_server(records) as asked:
        options = dataclasses.replace(OPTIONS, resolver=asked.resolver)
        found = await probe(smtp(greeting=(Send(b"220 mx.example ESMTP\r\n"),)), options=options)
        assert found.value("greeting_name_leads_here") == expected
        assert asked.questions[:1] == [("mx.example", "A")]
        # Nobody asks for what can be no name.
        count = len(asked.questions)
        found = await probe(smtp(greeting=(Send(b"220 localhost ESMTP\r\n"),)), options=options)
        assert found.value("greeting_name_leads_here") == MISSING
        assert len(asked.questions) == count


async def test_public_dns_is_not_asked_about_a_private_address() -> None:
    assert (await probe(smtp())).value("greeting_name_leads_here") == MISSING
    found = await probe(smtp(greeting=(Close(),)))
    assert found.value("greeting_name_leads_here") == "connection_reset"


# --- enhanced codes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starttls", "farewell", "used"),
    [
        (b"220 2.0.0 go", b"221 2.0.0 bye", True),
        (b"220 go", b"221 2.0.0 bye", True),
        (b"220 2.0.0 go", b"221 bye", True),
        (b"220 go", b"221 bye", False),
        (b"220 5.0.0 wrong class", b"221 mx.example 2.0.0 is here", False),
    ],
)
async def test_enhanced_codes_that_are_really_used(starttls: bytes, farewell: bytes, used: bool) -> None:
    script = smtp(STARTTLS=(Send(starttls + b"\r\n"), StartTLS()), tls={b"QUIT": (Send(farewell + b"\r\n"), Close())})
    found = await probe(script)
    assert found.value("enhanced_codes_used") is used
    assert found.value("enhanced_status_codes") is False  # whatever is offered


async def test_without_the_last_reply_nothing_is_said_about_codes() -> None:
    found = await probe(smtp(tls={b"QUIT": (Close(),)}))
    assert found.value("enhanced_codes_used") == "connection_reset"


# --- whatever is sent -------------------------------------------------------------------------------------------------

PIECE = st.sampled_from(
    [b"LIMITS ", b"MAILMAX=", b"DELIVERBY ", b"FUTURERELEASE ", b"AUTH=", b"AUTH ", b" ", b"=", b"-", b"7", b"\xff"]
)  # fmt: skip
LINE = st.one_of(st.binary(max_size=60), st.lists(PIECE, max_size=8).map(b"".join)).map(
    lambda line: line.replace(b"\r", b"").replace(b"\n", b"")
)


@given(st.lists(LINE, max_size=12))
def test_whatever_is_listed_gives_values_that_were_sent(lines: list[bytes]) -> None:
    every = Reply(250, (b"mx.example", *lines))
    findings = Findings(Conversation())
    extensions.add(findings, parse_ehlo(every), every.lines)
    found = {each.metric: each for each in findings.measurements}
    assert set(found) == set(NAMES) - set(extensions.DIFFERENCES)
    sent = " ".join(printable(line) for line in lines).upper()
    words = "".join(sent.split())  # how many spaces stand between words says nothing
    for metric, each in found.items():
        value = each.value
        if value is True:
            assert {"smtp.client_override": "X", "smtp.auth_legacy_syntax": "AUTH="}.get(metric, "") in sent
        elif isinstance(value, int) and value is not False:
            assert any(int(number) == value for number in re.findall(r"[0-9]+", sent))
        elif isinstance(value, tuple):
            assert all("".join(text.upper().split()) in words for text in value)
