"""The SMTP probe against scripted servers: what is observed, what is missing and why, and what is never said."""

from __future__ import annotations

import dataclasses
import ssl
import time
from typing import Any

import pytest

from probes.model import Cause, Endpoint, Measurement, TLSMode
from probes.network import Limits, Network, Options
from probes.smtp import SMTPProbe
from probes.upgrade import conversation, handshake, ready_for_tls
from tests.hostile.server import (
    FAULTS,
    Alert,
    Close,
    Drip,
    Flood,
    HalfClose,
    Pause,
    Quiet,
    Raw,
    ReadRecord,
    Reset,
    Script,
    Send,
    Server,
    Silence,
    StartTLS,
    serve,
    smtp,
)
from tests.probes.loopback import measure

LIMITS = Limits(
    deadline=3, connect_timeout=1, greeting_timeout=0.3, greeting_timeout_mx=0.3, read_timeout=0.3, spacing_mx=0.0
)
OPTIONS = Options(limits=LIMITS, allow_private=True, ehlo_name="probe.example")
AFTER_TLS = (
    "smtp.pipelining", "smtp.eight_bit_mime", "smtp.smtputf8", "smtp.chunking", "smtp.dsn",
    "smtp.enhanced_status_codes", "smtp.requiretls", "smtp.size_limit", "smtp.auth_mechanisms",
    "smtp.extensions_after_tls",
)  # fmt: skip
FIRST = ("smtp.extensions", "smtp.starttls", "smtp.auth_before_tls", "smtp.auth_before_tls_offered")
UPGRADE = ("smtp.starttls_works", "smtp.starttls_injection")
NEVER_STATED = (
    "starttls_unadvertised", "greeting_name_leads_here", "software", "limit_mail", "limit_recipients",
    "limit_recipient_domains", "deliver_by_minimum", "future_release_seconds", "future_release_until",
)  # fmt: skip
"""What the well-behaved server gives no occasion to measure."""


async def probe(*scripts: Script, role: Any = "submission", tls: TLSMode = "starttls", **limits: Any) -> Found:
    """Measure a server that runs these scripts."""
    options = dataclasses.replace(OPTIONS, limits=dataclasses.replace(LIMITS, **limits))
    async with serve(*scripts) as server:
        began = time.monotonic()
        found = await measure(SMTPProbe(), Endpoint(role, host="localhost", port=server.port, tls=tls), options)
        return Found(found, server, time.monotonic() - began)


@dataclasses.dataclass
class Found:
    measurements: dict[str, Measurement]
    server: Server
    seconds: float

    def __getitem__(self, metric: str) -> Any:
        """The value."""
        return self.measurements[f"smtp.{metric.removeprefix('smtp.')}"].value

    def cause(self, metric: str) -> str:
        """The cause, "" when there is a value."""
        measurement = self.measurements[f"smtp.{metric.removeprefix('smtp.')}"]
        return measurement.cause.value if measurement.cause else ""

    def detail(self, metric: str) -> str:
        return self.measurements[f"smtp.{metric.removeprefix('smtp.')}"].detail


# --- servers that work ------------------------------------------------------------------------------------------------


async def test_a_submission_server_with_starttls() -> None:
    found = await probe(smtp())
    causes = {key.removeprefix("smtp."): each.cause for key, each in found.measurements.items() if each.cause}
    assert causes == dict.fromkeys(NEVER_STATED, Cause.NOT_APPLICABLE)
    assert found["greeting_name"] == "hostile.test"
    assert found["extensions"] == ("PIPELINING", "SIZE", "STARTTLS")
    assert found["extensions_after_tls"] == ("AUTH", "PIPELINING", "SIZE")
    assert (found["starttls"], found["starttls_works"], found["starttls_injection"]) == (True, True, False)
    assert found["size_limit"] == 2000000  # under TLS, as a client would see it
    assert (found["auth_before_tls"], found["auth_mechanisms"]) == ((), ("LOGIN", "PLAIN"))
    assert (found["pipelining"], found["chunking"]) == (True, False)
    assert found["tls_required"] is True
    assert found["quit_code"] == 221
    assert 0 < found["connect_ms"] < 1000
    assert 0 < found["greeting_ms"] < 1000
    assert [session.lines for session in found.server.sessions] == [
        [b"EHLO probe.example", b"STARTTLS", b"EHLO probe.example", b"QUIT"],
        # (The server forgets the NOOP that came with STARTTLS.)
        [b"EHLO probe.example", b"MAIL FROM:<>", b"STARTTLS", b"EHLO probe.example", b"QUIT"],
    ]


async def test_implicit_tls() -> None:
    found = await probe(smtp(implicit=True), tls="implicit")
    assert found["extensions"] == found["extensions_after_tls"] == ("AUTH", "PIPELINING", "SIZE")
    assert found["auth_mechanisms"] == ("LOGIN", "PLAIN")
    assert found["quit_code"] == 221
    for metric in ("starttls", *UPGRADE, "tls_required", "auth_before_tls", "auth_before_tls_offered"):
        assert found.cause(metric) == "not_applicable"
    assert len(found.server.sessions) == 1


async def test_an_mx_is_asked_nothing_about_mail() -> None:
    found = await probe(smtp(), role="mx")
    assert "smtp.tls_required" not in found.measurements
    assert found["starttls_works"] is True
    assert [session.lines for session in found.server.sessions] == 2 * [
        [b"EHLO probe.example", b"STARTTLS", b"EHLO probe.example", b"QUIT"]
    ]


async def test_a_server_without_starttls() -> None:
    ehlo = (Send(b"250-mx\r\n250-AUTH LOGIN\r\n250-DSN\r\n250 SIZE 5\r\n"),)
    found = await probe(smtp(EHLO=ehlo, MAIL=(Send(b"250 ok\r\n"),)))
    assert found["starttls"] is False
    for metric in (*UPGRADE, "extensions_after_tls"):
        assert found.cause(metric) == "tls_not_offered"
    assert (found["dsn"], found["requiretls"], found["size_limit"]) == (True, False, 5)
    assert (found["auth_before_tls"], found["auth_mechanisms"]) == (("LOGIN",), ("LOGIN",))
    assert found["tls_required"] is False
    assert [b"EHLO probe.example", b"MAIL FROM:<>", b"QUIT"] in [each.lines for each in found.server.sessions]


async def test_an_endpoint_declared_without_tls_is_not_upgraded() -> None:
    found = await probe(smtp(), tls="none")
    assert found["starttls"] is True
    for metric in (*UPGRADE, "extensions_after_tls"):
        assert found.cause(metric) == "not_applicable"
    assert (found["pipelining"], found["size_limit"], found["auth_mechanisms"]) == (True, 1000000, ())
    assert b"STARTTLS" not in found.server.lines


async def test_a_server_that_knows_helo_only_offers_nothing() -> None:
    found = await probe(smtp(EHLO=(Send(b"502 what?\r\n"),), HELO=(Send(b"250 mx\r\n"),)))
    assert found["extensions"] == found["auth_mechanisms"] == found["auth_before_tls"] == ()
    assert (found["starttls"], found["pipelining"]) == (False, False)
    assert found.cause("size_limit") == "not_applicable"
    helo = [b"EHLO probe.example", b"HELO probe.example"]
    # (This one begins TLS without having offered it, and there we hang up.)
    assert [session.lines for session in found.server.sessions] == [
        [*helo, b"STARTTLS"], [*helo, b"MAIL FROM:<>", b"QUIT"],
    ]  # fmt: skip


@pytest.mark.parametrize("code", [b"450", b"550", b"554"])
async def test_a_refusal_of_ehlo_says_nothing_about_extensions(code: bytes) -> None:
    found = await probe(smtp(EHLO=(Send(code + b" 5.7.1 we do not talk to you\r\n"),)))
    for metric in (*FIRST, *UPGRADE, *AFTER_TLS, "tls_required", "quit_code"):
        assert found.cause(metric) == "greeting_rejected"
    assert found["greeting_name"] == "hostile.test"
    assert [session.lines for session in found.server.sessions] == [[b"EHLO probe.example", b"QUIT"]]


@pytest.mark.parametrize(
    ("greeting", "name"),
    [
        (b"220-mx.example.com\r\n220-welcome\r\n220 to our server\r\n", "mx.example.com"),
        (b"220 mx.example.com\r\n", "mx.example.com"),
        (b"220 mx.example.com ready when you are\n", "mx.example.com"),
        (b"220 m\xfcnchen.example \x1b[31mhi\r\n", "m\\xfcnchen.example"),
        (b"220 [192.0.2.1] ESMTP\r\n", "[192.0.2.1]"),
    ],
)
async def test_greetings_of_all_kinds(greeting: bytes, name: str) -> None:
    found = await probe(smtp(greeting=(Send(greeting),)))
    assert found["greeting_name"] == name
    assert found["starttls_works"] is True


@pytest.mark.parametrize("greeting", [b"220\r\n", b"220 \r\n"])
async def test_a_greeting_without_a_name_is_no_name(greeting: bytes) -> None:
    found = await probe(smtp(greeting=(Send(greeting),)))
    assert found.cause("greeting_name") == "protocol_error"
    assert found["starttls_works"] is True


@pytest.mark.parametrize(
    "ehlo",
    [
        b"250-mx\r\n250-SIZE\r\n250 STARTTLS\r\n",
        b"250-mx\r\n250-starttls\r\n250 size 0\r\n",
        b"250-mx\n250-SIZE 0\n250-StartTLS\n250 \n",
        b"250-mx\r\n250-SIZE\r\n250-STARTTLS \r\n250 HELP\r\n",
    ],
)
async def test_starttls_anywhere_in_any_case_and_size_without_a_limit(ehlo: bytes) -> None:
    found = await probe(smtp(EHLO=(Send(ehlo),), tls={b"EHLO": (Send(ehlo),)}))
    assert (found["starttls"], found["starttls_works"]) == (True, True)
    assert found.cause("size_limit") == "not_applicable"
    assert "no limit stated" in found.detail("size_limit")


@pytest.mark.parametrize("size", [b"-1", b"10M", b"1" * 30, b"0x10"])
async def test_a_size_that_is_no_number_is_not_taken_for_one(size: bytes) -> None:
    ehlo = (Send(b"250-mx\r\n250 SIZE " + size + b"\r\n"),)
    assert (await probe(smtp(EHLO=ehlo))).cause("size_limit") == "protocol_error"


async def test_a_reply_in_pieces_is_one_reply() -> None:
    pieces = (b"25", b"0-mx\r", b"\n250-PIPELIN", b"ING\r\n250 STAR", b"TTLS\r\n")
    script = tuple(step for piece in pieces for step in (Send(piece), Pause(0.01)))
    found = await probe(smtp(EHLO=script))
    assert found["extensions"] == ("PIPELINING", "STARTTLS")


async def test_auth_before_tls_in_both_spellings() -> None:
    ehlo = (Send(b"250-mx\r\n250-AUTH=LOGIN PLAIN\r\n250-AUTH PLAIN cram-md5\r\n250 STARTTLS\r\n"),)
    assert (await probe(smtp(EHLO=ehlo)))["auth_before_tls"] == ("CRAM-MD5", "LOGIN", "PLAIN")


async def test_a_quit_code_of_its_own_kind_and_a_hang_up_instead() -> None:
    found = await probe(smtp(tls={b"QUIT": (Send(b"250 ok\r\n"), Close())}))
    assert found["quit_code"] == 250
    found = await probe(smtp(tls={b"QUIT": (Close(),)}))
    assert found.cause("quit_code") == "connection_reset"
    assert found["extensions_after_tls"] == ("AUTH", "PIPELINING", "SIZE")


# --- what is never said -----------------------------------------------------------------------------------------------


async def test_nothing_is_said_before_the_final_line_of_the_greeting() -> None:
    greeting = (Quiet(0.1), Send(b"220-wait\r\n"), Quiet(0.1), Send(b"220 now\r\n"))
    found = await probe(smtp(greeting=greeting))
    assert all(session.early == b"" for session in found.server.sessions)
    assert found["greeting_ms"] > 190
    assert found["starttls_works"] is True


async def test_no_recipient_no_message_no_login() -> None:
    found = await probe(smtp(MAIL=(Send(b"250 ok\r\n"),)))
    verbs = {line.split()[0] for line in found.server.lines}
    assert verbs == {b"EHLO", b"STARTTLS", b"MAIL", b"RSET", b"QUIT"}


async def test_without_a_configured_name_ehlo_has_a_full_name_or_an_address_literal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = dataclasses.replace(OPTIONS, ehlo_name="")
    for own, said in (
        ("mail.example.com", b"EHLO mail.example.com"),
        ("laptop", b"EHLO [127.0.0.1]"),
        ("laptop.local", b"EHLO [127.0.0.1]"),
        ("bad name.example.com", b"EHLO [127.0.0.1]"),
    ):
        monkeypatch.setattr("probes.network.socket.gethostname", lambda own=own: own)
        async with serve(smtp()) as server:
            await measure(SMTPProbe(), Endpoint("mx", host="127.0.0.1", port=server.port), options)
        assert server.sessions[0].lines[0] == said
    async with serve(smtp(), host="::1") as server:
        await measure(SMTPProbe(), Endpoint("mx", host="::1", port=server.port), options)
    assert server.sessions[0].lines[0] == b"EHLO [IPv6:::1]"


# --- is TLS required? -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "auth_in_the_clear", "expected"),
    [
        (b"530 5.7.0 Must issue a STARTTLS command first", False, True),
        (b"530 Must issue a STARTTLS command first", True, True),
        (b"530-5.7.1 Encryption\r\n530 is required here", True, True),
        (b"550 5.7.1 Please use STARTTLS first", False, True),
        (b"530 5.7.0 Authentication required", False, True),
        (b"530 5.7.0 Authentication required", True, False),
        (b"550 5.7.1 authentication required", True, False),
        (b"250 2.1.0 ok", False, False),
        (b"250 2.1.0 ok", True, False),
        (b"550 5.7.1 rejected by policy", False, "protocol_error"),
        (b"451 4.3.0 not now", False, "protocol_error"),
        (b"503 5.5.1 bad sequence", False, "protocol_error"),
        (b"421 4.7.0 too many", False, "throttled"),
        (b"banana", False, "protocol_error"),
    ],
)
async def test_tls_required(reply: bytes, auth_in_the_clear: bool, expected: bool | str) -> None:
    auth = b"250-AUTH PLAIN\r\n" if auth_in_the_clear else b""
    ehlo = (Send(b"250-mx\r\n" + auth + b"250 STARTTLS\r\n"),)
    found = await probe(smtp(EHLO=ehlo, MAIL=(Send(reply + b"\r\n"),)))
    if isinstance(expected, bool):
        assert found["tls_required"] is expected
    else:
        assert found.cause("tls_required") == expected
        if reply.startswith((b"4", b"5")):
            assert reply.decode()[4:] in found.detail("tls_required")
    assert found["starttls_works"] is True or expected == "throttled"


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"421", "554"}))
async def test_a_cut_answer_to_mail_from_says_nothing_about_tls(fault: str) -> None:
    found = await probe(smtp(MAIL=FAULTS[fault]))
    assert found["tls_required"] is None
    assert found["starttls_works"] is True


async def test_a_server_that_does_not_talk_to_us_is_not_bothered_twice() -> None:
    for greeting in ((Silence(),), (Send(b"554 no\r\n"), Silence()), (Close(),)):
        found = await probe(smtp(greeting=greeting))
        assert len(found.server.sessions) == 1


# --- TLS that does not work -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "works", "cause"),
    [
        ((Send(b"502 not now\r\n"),), False, "tls_handshake_error"),
        ((Send(b"554 5.7.0 no TLS\r\n"),), False, "tls_handshake_error"),
        ((Send(b"220 go\r\n"), Alert(40)), False, "tls_alert"),
        ((Send(b"220 go\r\n"), ReadRecord(), Send(b"500 what?\r\n"), Silence()), False, "tls_handshake_error"),
        ((Send(b"220 go\r\n"), StartTLS(maximum=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA")), False, "tls_alert"),
        ((Send(b"454 4.7.0 not now\r\n"),), None, "protocol_error"),
        ((Send(b"220 go\r\n"), Silence()), None, "deadline_exceeded"),
        ((Send(b"220 go\r\n"), Close()), None, "connection_reset"),
        ((Send(b"220 go\r\n"), ReadRecord(), Reset()), None, "connection_reset"),
        ((Silence(),), None, "deadline_exceeded"),
        ((Reset(),), None, "connection_reset"),
        ((Send(b"banana\r\n"), Silence()), None, "protocol_error"),
        ((Send(b"421 busy\r\n"), Close()), None, "throttled"),
        ((Flood(b"220-more\r\n"),), None, "reply_too_long"),
    ],
)
async def test_starttls_that_fails(answer: Script, works: bool | None, cause: str) -> None:
    found = await probe(smtp(STARTTLS=answer), role="mx")
    assert found["starttls"] is True
    assert found["starttls_works"] is works
    if works is None:
        assert found.cause("starttls_works") == cause
    for metric in AFTER_TLS:
        assert found.cause(metric) == cause, metric
    assert found["extensions"] == ("PIPELINING", "SIZE", "STARTTLS")
    assert found["auth_before_tls"] == ()
    reached = answer[0] == Send(b"220 go\r\n")
    assert found["starttls_injection"] is (False if reached else None)
    assert found.seconds < 1


async def test_after_a_refused_starttls_we_still_say_goodbye() -> None:
    found = await probe(smtp(STARTTLS=(Send(b"502 not now\r\n"),)), role="mx")
    assert found["quit_code"] == 221
    assert found.server.lines == [b"EHLO probe.example", b"STARTTLS", b"QUIT"]


@pytest.mark.parametrize(
    "answer", [(Send(b"220 go\r\n250 injected\r\n"), StartTLS()), (Send(b"220 go\r\n"), Send(b"2"), StartTLS())]
)
async def test_bytes_after_the_220_are_an_injection_and_the_session_ends_there(answer: Script) -> None:
    found = await probe(smtp(STARTTLS=answer), role="mx")
    assert found["starttls_injection"] is True
    assert found["starttls"] is True
    for metric in ("starttls_works", *AFTER_TLS, "quit_code"):
        assert found.cause(metric) == "protocol_error"
    assert found.server.lines == [b"EHLO probe.example", b"STARTTLS"]
    assert found.server.sessions[0].tls == ""


async def test_implicit_tls_on_a_plain_port_is_told_apart() -> None:
    found = await probe(smtp(), tls="implicit")
    assert found.cause("extensions") == "tls_handshake_error"
    assert "plain text" in found.detail("extensions")
    assert found["connect_ms"] > 0
    assert found.cause("tls_required") == "not_applicable"


async def test_a_tls_port_taken_for_a_plain_one_says_nothing() -> None:
    found = await probe(smtp(implicit=True))
    for metric in ("greeting_ms", *FIRST, *UPGRADE, *AFTER_TLS):
        assert found.cause(metric) == "greeting_timeout"


async def test_plain_text_within_tls_is_a_cause() -> None:
    found = await probe(smtp(tls={b"EHLO": (Raw(b"250 mx\r\n"), Silence())}), role="mx")
    assert found["starttls_works"] is True
    assert found.cause("extensions_after_tls") == "tls_handshake_error"


# --- faults at every step ---------------------------------------------------------------------------------------------

STEPS = ("greeting", "EHLO", "STARTTLS", "EHLO after TLS", "QUIT")
CAUSES = {
    "silence": {"greeting_timeout", "deadline_exceeded"},
    "close": {"connection_reset"},
    "half-close": {"connection_reset"},
    "reset": {"connection_reset"},
    "garbage": {"protocol_error"},
    "drip": {"greeting_timeout", "deadline_exceeded"},
    "endless reply": {"reply_too_long"},
    "endless line": {"reply_too_long"},
    "line of 1 MiB": {"reply_too_long"},
    "421": {"throttled"},
    "554": {"greeting_rejected"},
    "binary": {"protocol_error", "reply_too_long"},
}
IN_GREETING = {"greeting_ms", "greeting_name", "greeting_name_is_fqdn"}
IN_EHLO = {
    "extensions", "starttls", "auth_before_tls", "auth_before_tls_offered", "ehlo_name", "ehlo_name_is_fqdn",
    "ehlo_name_is_greeting_name", "software_version_shown",
}  # fmt: skip
SEEN_BEFORE = {
    "greeting": set[str](),
    "EHLO": IN_GREETING,
    "STARTTLS": IN_GREETING | IN_EHLO,
    "EHLO after TLS": IN_GREETING | IN_EHLO | {"starttls_works", "starttls_injection"},
}


def faulty(step: str, fault: Script) -> Script:
    match step:
        case "greeting":
            return smtp(greeting=fault)
        case "EHLO after TLS":
            return smtp(tls={b"EHLO": fault})
        case "QUIT":
            return smtp(tls={b"QUIT": fault})
    return smtp(**{step: fault})


@pytest.mark.parametrize("fault", sorted(CAUSES))
@pytest.mark.parametrize("step", STEPS)
async def test_a_fault_costs_what_comes_after_it_and_never_makes_a_value(step: str, fault: str) -> None:
    causes = {"greeting_rejected"} if (step, fault) == ("greeting", "421") else CAUSES[fault]
    found = await probe(faulty(step, FAULTS[fault]), role="mx")
    assert found.seconds < 1.5
    healthy = {
        key.removeprefix("smtp."): each.value for key, each in (await probe(smtp(), role="mx")).measurements.items()
    }
    at_the_end = {"quit_code", "enhanced_codes_used"}
    if step == "QUIT":
        if fault == "554":
            assert (found["quit_code"], found["enhanced_codes_used"]) == (554, True)
        else:
            for metric in at_the_end:
                assert found.cause(metric) in CAUSES[fault] - {"greeting_timeout"}
        # A server that told us to stop is not asked again.
        seen = set(healthy) - at_the_end - ({"starttls_command_injection"} if fault == "421" else set())
    else:
        seen = SEEN_BEFORE[step] | {"connect_ms"}
        for metric in set(healthy) - seen - {"starttls_works"} - at_the_end - set(NEVER_STATED):
            expected = causes
            if (step, fault) == ("STARTTLS", "554"):
                expected = {"tls_handshake_error"}
            assert found.cause(metric) in expected, metric
        if (step, fault) == ("STARTTLS", "554"):
            assert found["starttls_works"] is False
        elif step != "EHLO after TLS":
            assert found.cause("starttls_works") in causes
    for metric in seen - {"connect_ms", "greeting_ms"}:
        assert found[metric] == healthy[metric], metric


async def test_421_stops_every_later_connection_of_the_endpoint() -> None:
    for step in ("greeting", "EHLO", "STARTTLS", "EHLO after TLS"):
        async with serve(faulty(step, FAULTS["421"])) as server:
            endpoint = Endpoint("submission", host="localhost", port=server.port)
            async with Network(endpoint, OPTIONS) as network:
                await conversation(endpoint, network)
                with pytest.raises(Exception, match="throttled"):
                    await ready_for_tls(endpoint, network)
            assert len(server.sessions) == 1


async def test_the_deadline_is_kept_against_a_server_that_drips_for_ever() -> None:
    found = await probe(smtp(greeting=(Drip(b"220-x\r\n" * 999, 0.05),)), deadline=0.5, greeting_timeout=60)
    assert found.cause("extensions") == "deadline_exceeded"
    assert found.seconds < 1


async def test_half_close_after_the_greeting_does_not_stop_a_server_that_still_reads() -> None:
    found = await probe(smtp(greeting=(Send(b"220 mx\r\n"), HalfClose())), role="mx")
    assert found["greeting_name"] == "mx"
    assert found.cause("extensions") == "connection_reset"


# --- sharing ----------------------------------------------------------------------------------------------------------


async def test_one_conversation_serves_every_probe() -> None:
    async with serve(smtp()) as server:
        endpoint = Endpoint("mx", host="localhost", port=server.port)
        async with Network(endpoint, OPTIONS) as network:
            session = await handshake(endpoint, network)
            assert session.version == "TLSv1.3"
            assert await handshake(endpoint, network) is session
            assert (await conversation(endpoint, network)).session is session
        assert len(server.sessions) == 1


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (smtp(EHLO=(Send(b"250 mx\r\n"),)), Cause.TLS_NOT_OFFERED),
        (smtp(STARTTLS=(Send(b"502 no\r\n"),)), Cause.TLS_HANDSHAKE_ERROR),
        (smtp(STARTTLS=(Send(b"220 go\r\n250 x\r\n"),)), Cause.PROTOCOL_ERROR),
        (smtp(STARTTLS=(Send(b"220 go\r\n"), Alert(70))), Cause.TLS_ALERT),
        (smtp(EHLO=(Send(b"250-mx\r\n"), Close())), Cause.CONNECTION_RESET),
        (smtp(greeting=(Send(b"554 no\r\n"),)), Cause.GREETING_REJECTED),
    ],
)
async def test_why_there_is_no_handshake(script: Script, cause: Cause) -> None:
    async with serve(script) as server:
        endpoint = Endpoint("submission", host="localhost", port=server.port)
        async with Network(endpoint, OPTIONS) as network:
            with pytest.raises(Exception, match=cause.value):
                await handshake(endpoint, network)
            if cause is not Cause.TLS_ALERT:
                with pytest.raises(Exception, match=cause.value):
                    await ready_for_tls(endpoint, network)


async def test_a_connection_ready_for_a_hand_made_hello() -> None:
    async with serve(smtp()) as server:
        endpoint = Endpoint("submission", host="localhost", port=server.port)
        async with (
            Network(endpoint, OPTIONS) as network,
            await ready_for_tls(endpoint, network) as connection,
        ):
            assert connection.buffered == b""
            await connection.send(b"\x16\x03\x01\x00\x04abcd", shown="(a broken ClientHello)")
            assert (await connection.receive())[:1] == b"\x15"
    assert server.lines == [b"EHLO probe.example", b"STARTTLS"]


async def test_endpoints_without_tls_have_no_handshake() -> None:
    endpoint = Endpoint("submission", host="localhost", port=1, tls="none")
    async with Network(endpoint, OPTIONS) as network:
        for attempt in (handshake, ready_for_tls):
            with pytest.raises(Exception, match="not_applicable"):
                await attempt(endpoint, network)


async def test_a_web_server_is_shaken_hands_with_directly() -> None:
    async with serve((StartTLS(alpn=("h2", "http/1.1")), Silence())) as server:
        endpoint = Endpoint("api", url=f"https://localhost:{server.port}/v1")
        async with Network(endpoint, OPTIONS) as network:
            assert (await handshake(endpoint, network)).alpn == "h2"
            async with await ready_for_tls(endpoint, network) as connection:
                assert connection.port == server.port
    for url in ("http://localhost/", "ftp://x", "https://a..b/"):
        endpoint = Endpoint("api", url=url)
        async with Network(endpoint, OPTIONS) as network:
            with pytest.raises(Exception, match="not_applicable"):
                await handshake(endpoint, network)
