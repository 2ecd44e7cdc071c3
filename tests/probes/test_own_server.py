"""What is asked of a server of one's own: each metric with its good value, its bad value and its cause."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime

import pytest

from probes import envelope, registry, replay, smuggling
from probes.model import Cause, Endpoint, Measurement, Report, Role, TLSMode
from probes.network import Limits, Options
from probes.own_server import METRICS, WRONG_COMMANDS, OwnServerProbe
from probes.recording import Recorder, from_text, to_text
from probes.runner import probe_endpoint
from tests.hostile.server import Close, Script, Send, smtp
from tests.hostile.server import serve as scripted
from tests.probes.loopback import measure
from tests.probes.smtpserver import RECIPIENT, Server, serve, well_formed

pytestmark = pytest.mark.slow

LIMITS = Limits(deadline=20, deadline_own_server=20, greeting_timeout=2, read_timeout=1.0, spacing_mx=0.0)
OPTIONS = Options(
    limits=LIMITS,
    allow_private=True,
    ehlo_name="probe.example",
    own_servers=frozenset({"127.0.0.1"}),
    own_server_recipient=RECIPIENT,
)
NO_MESSAGES = dataclasses.replace(OPTIONS, own_server_recipient="")


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smuggling, "WAIT", 0.03)


async def found(server: Server, options: Options = OPTIONS, role: Role = "mx") -> dict[str, Measurement]:
    """The metrics without the beginning of their keys."""
    async with serve(server):
        endpoint = Endpoint(role, host="127.0.0.1", port=server.port, tls="none")
        measured = await measure(OwnServerProbe(), endpoint, options)
    return {key.removeprefix("own_server."): each for key, each in measured.items()}


def values(measured: dict[str, Measurement]) -> dict[str, object]:
    return {key: each.value if each.cause is None else each.cause for key, each in measured.items()}


GOOD: dict[str, object] = {
    "malformed_senders_accepted": (),
    "malformed_recipients_accepted": (),
    "wellformed_senders_refused": (),
    "wellformed_recipients_refused": (),
    "vrfy": "noncommittal",
    "expn": "refused",
    "open_relay": False,
    "size_enforced": True,
    "pipelining_honest": True,
    "hundred_recipients": True,
    "eight_bit_accepted": True,
    "smtputf8_accepted": True,
    "smuggling_accepted": (),
    "error_limit": 12,
}


@pytest.mark.parametrize("role", ["mx", "submission"])
async def test_a_strict_server(role: Role) -> None:
    server = Server()
    assert values(await found(server, role=role)) == GOOD
    assert {metric.key for metric in METRICS} == {f"own_server.{key}" for key in GOOD}
    # Four messages: a plain one, 8-bit, international, and one with all endings. Nobody else has got any.
    assert [(sender, recipients) for sender, recipients, _ in server.delivered] == [
        (b"<>", [f"<{RECIPIENT}>".encode()])
    ] * 4


async def test_nothing_is_sent_to_a_server_that_is_not_declared() -> None:
    for names in (frozenset[str](), frozenset({"127.0.0.2", "localhost", "own.test"})):
        server = Server()
        measured = await found(server, dataclasses.replace(OPTIONS, own_servers=names))
        assert set(values(measured).values()) == {Cause.NOT_PERMITTED}
        assert server.connections == 0


def test_the_default_is_nobodys_server() -> None:
    assert Options().own_servers == frozenset()
    assert Options().own_server_recipient == ""


@pytest.mark.parametrize(
    ("host", "domain", "names", "own"),
    [
        ("mail.own.test", "", {"mail.own.test"}, True),
        ("MAIL.own.test.", "", {"mail.own.test"}, True),
        ("mail.own.test", "", {"own.test"}, False),  # a domain covers the hosts that its MX records name, no others
        ("mail.own.test", "own.test", {"own.test"}, True),
        ("own.test", "own.test", {"own.test"}, True),
        ("mx.provider.test", "own.test", {"own.test"}, False),  # its mail host is somebody else's
        ("notown.test", "own.test", {"own.test"}, False),
        ("2001:DB8::0:1", "", {"2001:db8::1"}, True),
        ("", "own.test", {"own.test"}, False),
        ("mail.own.test", "", set(), False),
    ],
)
def test_whose_server_it_is(host: str, domain: str, names: set[str], own: bool) -> None:
    from probes.network import is_own_server

    assert is_own_server(Endpoint("mx", host=host, port=25, domain=domain), frozenset(names)) is own


async def test_without_a_recipient_no_message_is_sent_and_it_is_said_why() -> None:
    server = Server()
    measured = await found(server, NO_MESSAGES)
    expected = GOOD | dict.fromkeys(
        (
            "malformed_recipients_accepted",
            "wellformed_recipients_refused",
            "hundred_recipients",
            "eight_bit_accepted",
            "smtputf8_accepted",
            "smuggling_accepted",
        ),
        Cause.NOT_PERMITTED,
    )
    assert values(measured) == expected
    assert "own_server_recipient" in measured["smuggling_accepted"].detail
    assert server.delivered == []
    assert b"DATA" not in [command for command, _ in server.said]


async def test_other_probes_come_first() -> None:
    """Who is fed up with us afterwards has answered everything else before."""
    server = Server()
    async with serve(server):
        endpoint = Endpoint("submission", host="127.0.0.1", port=server.port, tls="none")
        report = await probe_endpoint(
            endpoint, options=OPTIONS, probes=[registry.probe("own_server"), registry.probe("smtp")]
        )
    by_key = {each.metric: each for each in report.measurements}
    assert by_key["smtp.quit_code"].value == 221
    assert by_key["own_server.open_relay"].value is False
    first = next(step.connection for step in report.transcript if step.text.startswith("VRFY"))
    assert all(
        step.connection >= first for step in report.transcript if step.text.startswith(("EXPN", "RCPT", "MAILRUBRIC"))
    )
    assert first > 1


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", envelope.MALFORMED, ids=lambda form: form.name)
def test_malformed_addresses_are_malformed(form: envelope.Form) -> None:
    argument = form.argument("tester@own.test")
    assert well_formed(argument) is None
    assert len(argument) < 500
    assert b"\r\n" not in argument


@pytest.mark.parametrize(
    "form", [*envelope.WELL_FORMED_SENDERS, *envelope.WELL_FORMED_RECIPIENTS], ids=lambda form: form.name
)
def test_well_formed_addresses_are_well_formed(form: envelope.Form) -> None:
    argument = form.argument("tester@own.test")
    assert argument in (b"<>", b"<Postmaster>") or well_formed(argument) is not None


async def test_a_server_that_takes_every_address() -> None:
    server = Server(sender=lambda path: "250 ok", recipient=lambda path: "250 ok")
    measured = values(await found(server))
    every = tuple(sorted(form.name for form in envelope.MALFORMED))
    assert measured["malformed_senders_accepted"] == every
    assert measured["malformed_recipients_accepted"] == every
    assert measured["wellformed_senders_refused"] == ()


async def test_which_codes_refuse_which_form() -> None:
    def sender(path: bytes) -> str | None:
        if b".." in path:
            return "250 2.1.0 why not"
        return "553 5.1.7 no literals" if path.endswith(b"]>") else None

    server = Server(sender=sender, recipient=lambda path: "250 2.1.5 never mind" if b"(comment)" in path else None)
    measured = await found(server)
    assert measured["malformed_senders_accepted"].value == ("domain-double-dot", "double-dot")
    assert "501 5.1.7: no-brackets" in measured["malformed_senders_accepted"].detail
    assert "553 5.1.7: ipv4-literal, ipv6-literal" in measured["wellformed_senders_refused"].detail
    assert measured["malformed_recipients_accepted"].value == ("comment",)


async def test_a_bare_lf_that_ends_a_line_is_not_an_address_that_is_taken() -> None:
    def sender(path: bytes) -> str | None:
        return "250 ok\r\n500 5.5.1 and what is this line?" if b"\n" in path else None

    measured = await found(Server(sender=sender))
    assert measured["malformed_senders_accepted"].value == ()
    assert "250: bare-lf (as two lines)" in measured["malformed_senders_accepted"].detail


async def test_what_is_put_off_is_not_refused() -> None:
    measured = await found(Server(sender=lambda path: "451 4.3.0 later" if b'"' in path else None))
    assert measured["wellformed_senders_refused"].cause is Cause.THROTTLED
    assert measured["malformed_senders_accepted"].value == ()
    assert "451 4.3.0: quote-inside" in measured["malformed_senders_accepted"].detail


async def test_a_recipient_that_does_not_exist() -> None:
    measured = await found(Server(recipient=lambda path: "550 5.1.1 nobody"))
    for key in ("malformed_recipients_accepted", "wellformed_recipients_refused", "smuggling_accepted"):
        assert measured[key].cause is Cause.NOT_PERMITTED
        assert "550 5.1.1 nobody" in measured[key].detail


async def test_a_login_is_wanted() -> None:
    measured = await found(Server(mail="530 5.7.0 Authentication required"), role="submission")
    assert values(measured) == {
        **dict.fromkeys(GOOD, Cause.NOT_PERMITTED),
        "vrfy": "noncommittal",
        "expn": "refused",
        "open_relay": False,  # who wants a login before MAIL relays for nobody without
        "pipelining_honest": True,
        "error_limit": 12,
    }
    assert "wants a login" in measured["size_enforced"].detail


# --- VRFY, EXPN, relaying ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "not_there", "expected"),
    [
        ("250 2.1.5 tester", "550 5.1.1 nobody", "discloses"),
        ("252 2.0.0 tester", "550 5.1.1 nobody", "discloses"),
        ("250 ok", "250 ok", "noncommittal"),
        ("502 5.5.1 no", "502 5.5.1 no", "refused"),
        ("550 5.7.1 no", "550 5.7.1 no", "refused"),
        ("450 4.2.0 later", "450 4.2.0 later", Cause.THROTTLED),
        ("354 what", "502 5.5.1 no", Cause.PROTOCOL_ERROR),
    ],
)
async def test_what_vrfy_and_expn_tell(there: str, not_there: str, expected: object) -> None:
    measured = values(await found(Server(vrfy=(there, not_there), expn=(there, not_there)), NO_MESSAGES))
    assert (measured["vrfy"], measured["expn"]) == (expected, expected)


async def test_vrfy_of_a_postmaster_who_is_not_there_says_nothing() -> None:
    unknown = ("550 5.1.1 unknown", "550 5.1.1 unknown")
    assert values(await found(Server(vrfy=unknown), NO_MESSAGES))["vrfy"] is Cause.NOT_PERMITTED
    assert values(await found(Server(vrfy=unknown)))["vrfy"] == "refused"


async def test_an_open_relay() -> None:
    server = Server(relays=True)
    measured = await found(server)
    assert measured["open_relay"].value is True
    assert measured["open_relay"].detail.startswith("for 127.0.0.1: plain from <>")
    assert all(recipients == [f"<{RECIPIENT}>".encode()] for _, recipients, _ in server.delivered)


@pytest.mark.parametrize("way", [b"%", b"!", b'"mailrubric-relay-test@example.org"@', b"@own.test:"])
async def test_a_relay_by_a_classic_detour(way: bytes) -> None:
    server = Server(recipient=lambda path: "250 ok" if way in path and b"example.org" in path else None)
    assert (await found(server))["open_relay"].value is True


async def test_who_takes_every_local_part_is_no_relay_for_that() -> None:
    server = Server(recipient=lambda path: "250 ok" if path.endswith(b"@own.test>") and b":" not in path else None)
    assert (await found(server))["open_relay"].value is False


async def test_strangers_put_off_are_no_strangers_refused() -> None:
    server = Server(recipient=lambda path: "450 4.7.1 greylisted" if b"@example.org>" in path else None)
    assert (await found(server))["open_relay"].cause is Cause.THROTTLED


async def test_who_refuses_everybody_may_be_a_relay_for_others() -> None:
    assert (await found(Server(recipient=lambda path: "554 5.7.1 go away")))["open_relay"].cause is Cause.NOT_PERMITTED
    server = Server(recipient=lambda path: None if b"own.test" in path else "554 5.7.1 go away")
    assert (await found(server))["open_relay"].value is False
    assert (await found(server, NO_MESSAGES))["open_relay"].cause is Cause.NOT_PERMITTED


# --- promises ---------------------------------------------------------------------------------------------------------


async def test_size() -> None:
    assert (await found(Server(size=False)))["size_enforced"].value is False
    for extensions in ((), ("SIZE",), ("SIZE 0",), ("SIZE many",)):
        assert (await found(Server(extensions=extensions)))["size_enforced"].cause is Cause.NOT_APPLICABLE
    measured = await found(Server(sender=lambda path: "451 4.3.1 full" if b"SIZE=" in path else None))
    assert measured["size_enforced"].cause is Cause.THROTTLED


async def test_pipelining() -> None:
    measured = await found(Server(group=2))
    assert measured["pipelining_honest"].value is False
    assert "the rest was lost" in measured["pipelining_honest"].detail
    assert (await found(Server(extensions=("SIZE",))))["pipelining_honest"].cause is Cause.NOT_APPLICABLE


async def test_pipelining_that_is_answered_otherwise() -> None:
    asked = 0

    def recipient(path: bytes) -> str | None:
        nonlocal asked
        if path != b"<>":
            return None
        asked += 1
        return "501 5.1.3 malformed" if asked == 1 else "250 2.1.5 ok"  # the second time is in one segment

    measured = await found(Server(recipient=recipient))
    assert measured["pipelining_honest"].value is False
    assert measured["pipelining_honest"].detail == "one by one 250 501 250, then QUIT; together 250 250 250 221"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("452 4.5.3 too many", False),
        ("452 too many recipients", False),
        ("550 5.5.3 enough", False),
        ("451 4.3.0 later", Cause.THROTTLED),
    ],
)
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
async def test_a_hundred_recipients(reply: str, expected: object, extensions: tuple[str, ...]) -> None:
    named = 0

    def recipient(path: bytes) -> str | None:
        nonlocal named
        if server.said[-1][0].startswith(b"MAIL"):
            named = 0
        named += 1
        return reply if named > 50 else None

    server = Server(extensions=extensions, recipient=recipient)
    measured = await found(server)
    assert (
        measured["hundred_recipients"].value if expected is False else measured["hundred_recipients"].cause
    ) is expected
    assert "50" in measured["hundred_recipients"].detail or expected is Cause.THROTTLED


async def test_eight_bit_text() -> None:
    refusing = Server(text=lambda text: "554 5.6.1 no 8-bit text" if b"\xd0" in text else "250 ok")
    assert (await found(refusing))["eight_bit_accepted"].value is False
    refusing = Server(sender=lambda path: "555 5.5.4 no" if path.endswith(b"BODY=8BITMIME") else None)
    assert (await found(refusing))["eight_bit_accepted"].value is False
    measured = await found(Server(extensions=("SIZE 1000000",)))
    assert measured["eight_bit_accepted"].cause is Cause.NOT_APPLICABLE
    assert measured["smtputf8_accepted"].cause is Cause.NOT_APPLICABLE


async def test_international_mail() -> None:
    refusing = Server(sender=lambda path: "553 5.6.7 no" if path.endswith(b"SMTPUTF8") and b"\xc3" in path else None)
    assert (await found(refusing))["smtputf8_accepted"].value is False
    refusing = Server(text=lambda text: "451 4.6.9 later" if b"K\xc3\xb6pfe" in text else "250 ok")
    assert (await found(refusing))["smtputf8_accepted"].cause is Cause.THROTTLED


async def test_messages_are_sound() -> None:
    import email
    import email.policy

    server = Server()
    await found(server)
    for _, _, text in server.delivered[:3]:
        message = email.message_from_bytes(text, policy=email.policy.SMTPUTF8)
        assert message["To"] == RECIPIENT
        assert message["Auto-Submitted"] == "auto-generated"
        assert not message.defects


async def test_a_message_that_is_refused_by_itself() -> None:
    measured = await found(Server(text=lambda text: "554 5.7.1 spam"))
    for key in ("eight_bit_accepted", "smtputf8_accepted", "smuggling_accepted"):
        assert measured[key].cause is Cause.NOT_PERMITTED
        assert "554 5.7.1 spam" in measured[key].detail


LF_DOT_LF = ("<CRLF>.<LF>", "<LF>.<LF>")
"""The endings that hold <LF>.<LF>."""

# --- the end of the text ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("ending", smuggling.ENDINGS, ids=lambda ending: ending.name)
async def test_each_ending_that_is_taken(ending: smuggling.Ending) -> None:
    measured = await found(Server(ends=(b"\r\n.\r\n", ending.data)))
    taken = measured["smuggling_accepted"].value
    assert isinstance(taken, tuple)
    # Some endings hold a shorter one.
    assert taken == tuple(sorted(each.name for each in smuggling.ENDINGS if ending.data in b"text" + each.data))


@pytest.mark.parametrize("slow", [0.2, 0.02])
async def test_a_reply_to_an_ending_that_comes_late(slow: float) -> None:
    """After the true end was sent: the reply too many tells."""
    measured = await found(Server(ends=(b"\r\n.\r\n", b"\n.\n"), slow=slow))
    assert measured["smuggling_accepted"].value == LF_DOT_LF


async def test_an_ending_at_which_the_message_is_refused_ends_it_all_the_same() -> None:
    def text(said: bytes) -> str:
        return "550 5.7.1 not this one" if said.endswith(b"text") else "250 ok"

    measured = await found(Server(ends=(b"\r\n.\r\n", b"\n.\n"), text=text))
    assert measured["smuggling_accepted"].value == LF_DOT_LF


async def test_who_refuses_bare_newlines_and_hangs_up_takes_none_for_the_end() -> None:
    measured = await found(Server(refuses_endings=True))
    assert measured["smuggling_accepted"].value == ()
    assert "<LF>.<LF>: 554 5.5.2 bare LF, and hung up" in measured["smuggling_accepted"].detail


async def test_a_message_with_endings_that_is_refused_at_its_true_end_is_taken_as_one() -> None:
    server = Server(text=lambda text: "554 5.6.0 no" if b"NOOP" in text else "250 ok")
    measured = await found(server)
    assert measured["smuggling_accepted"].value == ()
    assert measured["smuggling_accepted"].detail.count("554 5.6.0 no") == len(smuggling.ENDINGS)


async def test_silence_after_the_true_end_is_no_answer() -> None:
    options = dataclasses.replace(OPTIONS, limits=dataclasses.replace(LIMITS, read_timeout=0.2))
    server = Server(slow=0.0)

    def text(said: bytes) -> str:
        server.slow = 0.5 if b"NOOP" in said else 0.0
        return "250 ok"

    server.text = text
    measured = await found(server, options)
    assert measured["smuggling_accepted"].cause is Cause.DEADLINE_EXCEEDED
    assert measured["eight_bit_accepted"].value is True


# --- patience ---------------------------------------------------------------------------------------------------------


async def test_patience() -> None:
    assert (await found(Server(errors=3)))["error_limit"].value == 3
    measured = await found(Server(errors=None))
    assert measured["error_limit"].cause is Cause.NOT_APPLICABLE
    assert str(WRONG_COMMANDS) in measured["error_limit"].detail


async def test_hanging_up_without_a_word_may_be_anything() -> None:
    assert (await found(Server(end_of_patience="")))["error_limit"].cause is Cause.CONNECTION_RESET
    server = Server(end_of_patience="", unknown="500 Too many unrecognized commands", errors=4)
    assert (await found(server))["error_limit"].value == 4


async def test_a_server_that_hangs_up_after_three_errors_is_asked_everything_all_the_same() -> None:
    server = Server(errors=3)
    assert values(await found(server)) == GOOD | {"error_limit": 3}
    assert server.connections < LIMITS.connections_per_address_own_server


# --- TLS and greetings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
async def test_questions_are_asked_under_tls(mode: TLSMode) -> None:
    answers: dict[bytes, Script] = {
        b"MAIL": (Send(b"250 2.1.0 ok\r\n"),),
        b"RCPT": (Send(b"554 5.7.1 relay access denied\r\n"),),
        b"VRFY": (Send(b"252 see\r\n"),),
    }
    script = smtp(implicit=mode == "implicit", tls=answers)
    async with scripted(script) as server:
        endpoint = Endpoint("submission", host="127.0.0.1", port=server.port, tls=mode)
        measured = await measure(OwnServerProbe(), endpoint, NO_MESSAGES)
    assert measured["own_server.vrfy"].value == "noncommittal"
    assert measured["own_server.open_relay"].value is False
    assert all(session.tls for session in server.sessions)


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        (b"554 no\r\n", Cause.GREETING_REJECTED),
        (b"421 too many\r\n", Cause.GREETING_REJECTED),
        (b"\x00garbage\r\n", Cause.PROTOCOL_ERROR),
    ],
)
async def test_who_does_not_want_us_is_asked_once(greeting: bytes, cause: Cause) -> None:
    async with scripted((Send(greeting), Close())) as server:
        endpoint = Endpoint("mx", host="127.0.0.1", port=server.port, tls="none")
        measured = await measure(OwnServerProbe(), endpoint, OPTIONS)
        await asyncio.sleep(0)
    assert {each.cause for each in measured.values()} == {cause}
    assert len(server.sessions) == 1


def test_a_recording_of_it_replays_to_the_same() -> None:
    """Messages bear the date of the run, and nothing else in them differs from one run to the next."""
    began = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)

    async def live() -> tuple[Report, Recorder]:
        server = Server(ends=(b"\r\n.\r\n", b"\n.\n"))
        async with serve(server):
            endpoint = Endpoint("mx", host="127.0.0.1", port=server.port, tls="none")
            recorder = Recorder(endpoint, OPTIONS, began)
            probes = [OwnServerProbe()]
            report = await probe_endpoint(endpoint, options=OPTIONS, probes=probes, tapes=recorder, started=began)
        return report, recorder

    report, recorder = asyncio.run(live())
    assert {each.cause for each in report.measurements} == {None}
    again = replay.replay(from_text(to_text(recorder.recording).encode()), probes=[OwnServerProbe()])
    assert again.measurements == report.measurements
