"""A test message through a server that behaves, and through ones that don't: a fault is a cause, a secret stays one."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path
from typing import get_args

import pytest

from probes.authentication import Credentials, Secret
from probes.letter import Letter, compose, dot_stuffed, is_address, number_in, run_mark
from probes.model import Cause, Endpoint, Measurement
from probes.network import Limits, Network, Options
from probes.replies import Reply
from probes.send import ASKED_FORMS, Login, Sending, queue_id, send, try_recipients
from probes.verified_tls import surroundings_for_secrets
from tests.hostile.server import authority_file
from tests.leaping import leaping
from tests.probes.misbehaving import HOST, PASSWORD, TOKEN, USER
from tests.probes.sendserver import Server, serve
from tests.probes.smtpserver import Fault, Misbehaviour

NOW = datetime.datetime(2026, 11, 23, 6, 0, tzinfo=datetime.UTC)
RUN = run_mark(b"\x01\x23\x45\x67\x89\xab\xcd\xef")
LIMITS = Limits(deadline=60, connect_timeout=10, greeting_timeout=10, read_timeout=10)


@pytest.fixture
def trusting(tmp_path: Path) -> Options:
    return Options(
        limits=LIMITS, allow_private=True, ca_file=str(authority_file(tmp_path)), ehlo_name="probe.example"
    )  # fmt: skip


def letter(number: int = 1) -> Letter:
    return compose(RUN, number, "me@own.test", "tester@own.test", NOW)


def login(mechanism: str = "", *, password: str = PASSWORD, token: str = "") -> Login:
    secret = Secret(token or password)
    return Login(Credentials(USER, token=secret) if token else Credentials(USER, secret), mechanism)


async def sent(server: Server, options: Options, how: Login | None = None) -> Sending:
    async with serve(server):
        endpoint = Endpoint(
            "submission", host=HOST, port=server.port, tls="implicit" if server.implicit else "starttls"
        )
        surroundings = surroundings_for_secrets(options)
        async with Network(endpoint, options, surroundings) as network:
            found = await send(endpoint, network, how or login(), letter())
            assert tuple(network.transcript) == found.transcript
        await surroundings.close()
    return found


# --- well-behaved -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [False, True])
async def test_the_whole_session(implicit: bool, trusting: Options) -> None:
    server = Server(implicit=implicit)
    found = await sent(server, trusting)
    assert found.accepted, found.problem
    assert (found.problem, found.failed_at, found.quit_problem) == (None, None, None)
    assert found.mechanism == "SCRAM-SHA-256"
    assert found.queue_id == "4ZABCD1234"
    assert found.tls == "TLSv1.3"
    assert found.sent_at is not None
    steps = ["connect", "greeting", "ehlo", "starttls", "tls", "ehlo", "auth", "mail", "rcpt", "data", "text", "quit"]
    if implicit:
        steps = ["connect", "tls", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "text", "quit"]
    assert [step.name for step in found.steps] == steps
    assert all(step.ms >= 0 for step in found.steps)
    assert found.accepted_ms == pytest.approx(sum(step.ms for step in found.steps if step.name != "quit"), abs=0.01)
    size = len(dot_stuffed(letter().data))
    assert f"MAIL FROM:<me@own.test> SIZE={size} BODY=7BIT" in server.lines
    assert "RCPT TO:<tester@own.test>" in server.lines
    assert len(server.delivered) == 1
    assert number_in(server.delivered[0], RUN) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"])
async def test_each_mechanism(mechanism: str, trusting: Options) -> None:
    bearer = mechanism in ("XOAUTH2", "OAUTHBEARER")
    found = await sent(Server(), trusting, login(mechanism, token=TOKEN if bearer else ""))
    assert found.accepted, found.problem
    assert found.mechanism == mechanism
    wrong = await sent(Server(), trusting, login(mechanism, password="not-the-one", token="no-token" if bearer else ""))
    assert wrong.failed_at == "auth"
    assert wrong.problem is not None
    assert wrong.problem.cause is Cause.NOT_PERMITTED
    assert "535" in wrong.problem.detail
    assert ("invalid_token" in wrong.problem.detail) is bearer


async def test_a_long_token_waits_to_be_asked(trusting: Options) -> None:
    token = "ya29." + "x" * 600
    server = Server()
    found = await sent(server, trusting, login("XOAUTH2", token=token))
    assert "AUTH XOAUTH2" in server.lines  # 512 octets are all that fits in a command
    assert found.failed_at == "auth"  # it is not the right one


async def test_extensions_that_are_not_offered_are_not_used(trusting: Options) -> None:
    server = Server(extensions=())
    assert (await sent(server, trusting)).accepted
    assert "MAIL FROM:<me@own.test>" in server.lines


# --- what must stop us ------------------------------------------------------------------------------------------------


def nothing_secret_said(server: Server) -> bool:
    return not any(line.startswith(("AUTH", "MAIL")) for line in server.lines)


@pytest.mark.parametrize("implicit", [False, True])
async def test_an_untrusted_certificate(implicit: bool) -> None:
    server = Server(implicit=implicit)
    found = await sent(server, Options(limits=LIMITS, allow_private=True, ehlo_name="probe.example"))
    assert found.failed_at == "tls"
    assert found.problem is not None
    assert found.problem.cause is Cause.TLS_HANDSHAKE_ERROR
    assert "not trusted" in found.problem.detail
    assert nothing_secret_said(server)


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_for_another_name(implicit: bool, trusting: Options) -> None:
    server = Server(implicit=implicit, name="other.test")
    found = await sent(server, trusting)
    assert found.problem is not None
    assert (found.failed_at, found.problem.cause) == ("tls", Cause.TLS_HANDSHAKE_ERROR)
    assert "not for 127.0.0.1" in found.problem.detail
    assert nothing_secret_said(server)


async def test_no_starttls(trusting: Options) -> None:
    server = Server(starttls=False)
    found = await sent(server, trusting)
    assert found.problem is not None
    assert (found.failed_at, found.problem.cause) == ("starttls", Cause.TLS_NOT_OFFERED)
    assert nothing_secret_said(server)
    assert server.lines[-1] == "QUIT"


async def test_no_tls_at_all_is_refused(trusting: Options) -> None:
    endpoint = Endpoint("submission", host=HOST, port=1, tls="none")
    async with Network(endpoint, trusting) as network:
        with pytest.raises(ValueError, match="without TLS"):
            await send(endpoint, network, login(), letter())


async def test_a_server_that_does_not_know_the_password_gets_no_message(trusting: Options) -> None:
    server = Server(signs=False)
    found = await sent(server, trusting)
    assert found.problem is not None
    assert (found.failed_at, found.problem.cause) == ("auth", Cause.PROTOCOL_ERROR)
    assert "does not know the password" in found.problem.detail
    assert "*" in server.lines
    assert not any(line.startswith("MAIL") for line in server.lines)


async def test_a_server_that_lets_anybody_in_gets_no_message(trusting: Options) -> None:
    server = Server(instead={"AUTH": "235 2.7.0 welcome, whoever you are"})
    found = await sent(server, trusting)
    assert found.problem is not None
    assert (found.failed_at, found.problem.cause) == ("auth", Cause.PROTOCOL_ERROR)
    assert not any(line.startswith("MAIL") for line in server.lines)


# --- refusals, each with its name -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "reply", "step", "cause", "words"),
    [
        ("AUTH", "535 5.7.8 no", "auth", Cause.NOT_PERMITTED, "credentials are not valid"),
        ("AUTH", "534 5.7.9 stronger, please", "auth", Cause.NOT_PERMITTED, "too weak"),
        ("AUTH", "454 4.7.0 database down", "auth", Cause.THROTTLED, "temporary failure"),
        ("AUTH", "432 4.7.12 change it", "auth", Cause.THROTTLED, "password transition"),
        ("AUTH", "421 4.7.0 too often", "auth", Cause.THROTTLED, "ends the session"),
        ("AUTH", "334 not base 64!", "auth", Cause.PROTOCOL_ERROR, "not Base64"),
        ("AUTH", "250 what", "auth", Cause.PROTOCOL_ERROR, "not a reply"),
        ("MAIL", "530 5.7.0 log in", "mail", Cause.NOT_PERMITTED, "a login is required"),
        ("MAIL", "553 5.7.1 not your address", "mail", Cause.NOT_PERMITTED, "not allowed"),
        ("MAIL", "552 5.3.4 too big", "mail", Cause.NOT_PERMITTED, "size or storage"),
        ("MAIL", "452 4.3.1 full", "mail", Cause.THROTTLED, "too little storage"),
        ("DATA", "554 5.5.1 no valid recipients", "data", Cause.NOT_PERMITTED, "the transaction failed"),
        ("DATA", "250 ok", "data", Cause.PROTOCOL_ERROR, "not a reply"),
        ("TEXT", "554 5.7.1 spam", "text", Cause.NOT_PERMITTED, "the transaction failed"),
        ("TEXT", "552 5.2.3 too big", "text", Cause.NOT_PERMITTED, "size or storage"),
        ("TEXT", "451 4.7.1 greylisted", "text", Cause.THROTTLED, "puts off the message"),
        ("TEXT", "421 4.3.0 shutting down", "text", Cause.THROTTLED, "ends the session"),
        ("STARTTLS", "454 4.7.0 TLS not available", "starttls", Cause.THROTTLED, "temporary failure"),
        ("QUIT", "500 what", "quit", Cause.PROTOCOL_ERROR, "not 221"),
    ],
)
async def test_every_refusal_is_named(
    verb: str, reply: str, step: str, cause: Cause, words: str, trusting: Options
) -> None:
    found = await sent(Server(instead={verb: reply}), trusting)
    assert found.problem is not None
    assert not found.accepted
    assert (found.failed_at, found.problem.cause) == (step, cause)
    assert words in found.problem.detail
    assert found.accepted_ms is None


async def test_a_refused_recipient(trusting: Options) -> None:
    server = Server(recipient=lambda path: "550 5.1.1 \x1b[31mnobody")
    found = await sent(server, trusting)
    assert found.problem is not None
    assert (found.failed_at, found.problem.cause) == ("rcpt", Cause.NOT_PERMITTED)
    assert "mailbox is unavailable" in found.problem.detail
    assert "\x1b" not in found.problem.detail
    assert server.lines[-1] == "QUIT"
    assert "DATA" not in server.lines


async def test_too_small_a_server(trusting: Options) -> None:
    found = await sent(Server(extensions=("SIZE 100",)), trusting)
    assert found.problem is not None
    assert (found.failed_at, found.problem.cause) == (
        "auth",
        Cause.NOT_PERMITTED,
    ) or "takes 100" in found.problem.detail


# --- faults -----------------------------------------------------------------------------------------------------------

CAUSES: dict[Misbehaviour, set[Cause]] = {
    "silence": {Cause.DEADLINE_EXCEEDED, Cause.GREETING_TIMEOUT},
    "close": {Cause.CONNECTION_RESET},
    "reset": {Cause.CONNECTION_RESET},
    "half-close": {Cause.CONNECTION_RESET},
    "cut off": {Cause.CONNECTION_RESET},
    "garbage": {Cause.PROTOCOL_ERROR},
    "too much": {Cause.PROTOCOL_ERROR},
    "endless line": {Cause.REPLY_TOO_LONG},
    "421": {Cause.THROTTLED, Cause.GREETING_REJECTED},
    "450": {Cause.THROTTLED, Cause.GREETING_REJECTED, Cause.PROTOCOL_ERROR},
}
STEP_OF = {"greeting": "greeting", "EHLO": "ehlo", "STARTTLS": "starttls", "AUTH": "auth", "AUTH done": "auth",
           "MAIL": "mail", "RCPT": "rcpt", "DATA": "data", "TEXT": "text", "QUIT": "quit"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", get_args(Misbehaviour))
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("implicit", [False, True])
@leaping
async def test_a_fault_is_never_a_fact(implicit: bool, mechanism: str, what: Misbehaviour, trusting: Options) -> None:
    healthy = Server(implicit=implicit)
    assert (await sent(healthy, trusting, login(mechanism))).accepted
    for number, (command, _) in enumerate(healthy.said, 1):
        server = Server(implicit=implicit, fault=Fault(number, what))
        found = await sent(server, trusting, login(mechanism))
        where = f"{what} at {number} ({command}): {found.failed_at} {found.problem}"
        if command == "QUIT" and what not in ("garbage", "endless line", "450"):
            # The message has been taken by then, and a goodbye that never comes changes nothing of that.
            assert found.accepted, where
            continue
        assert not found.accepted, where
        assert found.problem is not None, where
        assert found.problem.cause in CAUSES[what], where
        if what != "too much":
            assert found.failed_at == STEP_OF[command], where
        if found.sent_at is None:
            assert not server.delivered or command == "TEXT", where


@pytest.mark.parametrize("what", ["close", "reset", "half-close"])
async def test_a_message_that_may_have_been_taken(what: Misbehaviour, trusting: Options) -> None:
    healthy = Server()
    await sent(healthy, trusting)
    number = next(number for number, (command, _) in enumerate(healthy.said, 1) if command == "TEXT")
    server = Server(fault=Fault(number, what))
    found = await sent(server, trusting)
    assert server.delivered  # it has taken it, and we cannot know
    assert not found.accepted
    assert found.problem is not None
    assert found.problem.cause is Cause.CONNECTION_RESET
    assert found.sent_at is not None


# --- secrets ----------------------------------------------------------------------------------------------------------


def everything(found: Sending) -> str:
    problem = "" if found.problem is None else f"{found.problem} {found.problem!r} {found.problem.args}"
    return f"{found!r} {problem} " + " ".join(step.text for step in found.transcript)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("verb", ["", "AUTH", "MAIL", "TEXT"])
async def test_the_secret_is_nowhere_even_if_the_server_repeats_it(
    mechanism: str, verb: str, trusting: Options
) -> None:
    bearer = mechanism in ("XOAUTH2", "OAUTHBEARER")
    instead = {verb: "554 5.7.1 no, because"} if verb else {}
    server = Server(echo=True, instead=instead)
    how = login(mechanism, token=TOKEN if bearer else "")
    found = await sent(server, trusting, how)
    assert found.accepted is not bool(verb)
    text = everything(found) + repr(how)
    secret = TOKEN if bearer else PASSWORD
    responses = [line for line in server.lines if len(line) > 12 and " " not in line and ":" not in line]
    responses += [line.split()[2] for line in server.lines if line.startswith("AUTH") and line.count(" ") == 2]
    # With the challenges somebody could try passwords at leisure.
    responses += [said[4:] for _, said in server.said if said.startswith("334 ") and len(said) > 20]
    for hidden in (secret, base64.b64encode(secret.encode()).decode(), *responses):
        assert hidden not in text
        assert hidden[:12] not in text  # nor the beginning of one that was cut off
    if not verb:
        assert "[hidden]" in text


# --- recipients that are no good --------------------------------------------------------------------------------------


async def tried(server: Server, options: Options) -> tuple[Sending, dict[str, Measurement]]:
    async with serve(server):
        endpoint = Endpoint("submission", host=HOST, port=server.port)
        surroundings = surroundings_for_secrets(options)
        async with Network(endpoint, options, surroundings) as network:
            found, measured = await try_recipients(endpoint, network, login(), letter(), malformed=True, unknown=True)
        await surroundings.close()
    assert "DATA" not in server.lines
    return found, {each.metric: each for each in measured}


async def test_recipients_that_are_no_good(trusting: Options) -> None:
    def answer(path: str) -> str:
        return "250 ok" if path == "TO:<te..ster@own.test>" or ".." in path or "nobody-" in path else "553 5.1.3 no"

    server = Server(recipient=answer)
    found, measured = await tried(server, trusting)
    assert found.problem is None
    malformed, unknown = measured.values()
    assert malformed.value == ("domain-double-dot", "double-dot")
    assert unknown.value is True
    assert sum(line.startswith("RCPT") for line in server.lines) == len(ASKED_FORMS) + 1
    assert server.lines[-2:] == ["RSET", "QUIT"]
    _, measured = await tried(Server(recipient=lambda path: "550 5.1.1 no"), trusting)
    assert [each.value for each in measured.values()] == [(), False]
    _, measured = await tried(Server(recipient=lambda path: "450 4.2.1 later"), trusting)
    assert [each.cause for each in measured.values()] == [Cause.THROTTLED, Cause.THROTTLED]


@pytest.mark.slow
@pytest.mark.parametrize("what", get_args(Misbehaviour))
@leaping
async def test_a_fault_among_recipients(what: Misbehaviour, trusting: Options) -> None:
    healthy = Server(recipient=lambda path: "550 5.1.1 no")
    _, truth = await tried(healthy, trusting)
    for number, (command, _) in enumerate(healthy.said, 1):
        server = Server(recipient=lambda path: "550 5.1.1 no", fault=Fault(number, what))
        _, measured = await tried(server, trusting)
        for metric, each in measured.items():
            where = f"{what} at {number} ({command}): {each}"
            if each.cause is None:
                # 450 once to one of the forms is no acceptance either, and what comes after the goodbye is no reply.
                assert each.value == truth[metric].value, where
                assert command == "RCPT" or (command, what) == ("QUIT", "too much"), where
            else:
                assert each.cause in CAUSES[what] | {Cause.CONNECTION_RESET}, where


# --- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"2.0.0 Ok: queued as 4Zabc12345", "4Zabc12345"),  # Postfix
        (b"OK id=1tAbCd-000000001Ab-2cDe", "1tAbCd-000000001Ab-2cDe"),  # Exim
        (b"Message Queued (4E4B3E0C-8A3B-4C0E-9E0A-1B2C3D4E5F60.1)", "4E4B3E0C-8A3B-4C0E-9E0A-1B2C3D4E5F60.1"),
        (b"Ok 0102019350d5c1b2-3f6c7f2e-aaaa-bbbb-cccc-1234567890ab-000000",
         "0102019350d5c1b2-3f6c7f2e-aaaa-bbbb-cccc-1234567890ab-000000"),  # Amazon SES
        (b"2.0.0 4ANBxyz123 Message accepted for delivery", "4ANBxyz123"),  # Sendmail
        (b"2.0.0 OK  1732345678 d2e1a72fcca58-7251c3a.42 - gsmtp", "d2e1a72fcca58-7251c3a.42"),
        (b"2.6.0 <a@b.example> [InternalId=1234567890123, Hostname=X.PROD] 1234 bytes Queued mail for delivery",
         "1234567890123"),  # Exchange
        (b"Ok: queued as <20261123.abc@sendgrid>", "20261123.abc@sendgrid"),
        (b"2.0.0 Ok", ""),
        (b"Great success", ""),
        (b"", ""),
    ],
)  # fmt: skip
def test_queue_ids(line: bytes, found: str) -> None:
    assert queue_id(Reply(250, (line,))) == found


def test_the_message() -> None:
    made = letter(7)
    text = made.data.decode("ascii")  # 7-bit clean
    head, _, body = text.partition("\r\n\r\n")
    for line in (
        "Subject: Delivery test mr0123456789abcdef 07",
        "Message-ID: <mr0123456789abcdef.07@own.test>",
        "Auto-Submitted: auto-generated",
        "X-Mailrubric-Test: mr0123456789abcdef.07",
        "Date: Mon, 23 Nov 2026 06:00:00 +0000",
        "To: tester@own.test",
        "MIME-Version: 1.0",
    ):
        assert line in head.split("\r\n")
    assert "List-Unsubscribe" not in head
    assert "text/plain" in body
    assert "text/html" in body
    assert "delivery test" in body
    assert all(len(line) <= 78 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")


@pytest.mark.parametrize(
    ("headers", "number"),
    [
        (b"Subject: x\r\nX-Mailrubric-Test: mr0123456789abcdef.03\r\n", 3),
        (b"Message-ID: <mr0123456789abcdef.04@own.test>\r\n", 4),
        (b"subject: Delivery test mr0123456789abcdef 05", 5),
        (b"Subject: [SPAM] Delivery test\r\n mr0123456789abcdef\r\n 06\r\n", 6),
        (b"Subject: Delivery test mr9999999999999999 05", None),
        (b"X-Other: mr0123456789abcdef.03", None),
        (b"", None),
        (bytes(range(256)), None),
    ],
)
def test_the_mark_is_found(headers: bytes, number: int | None) -> None:
    assert number_in(headers, RUN) == number


def test_dot_stuffing() -> None:
    assert dot_stuffed(b".a\r\n..\r\nb.\r\n.\r\n") == b"..a\r\n...\r\nb.\r\n..\r\n"
    assert dot_stuffed(b"a\nb\rc") == b"a\r\nb\r\nc\r\n"
    assert dot_stuffed(b"") == b""


def test_addresses() -> None:
    for good in ("a@b.example", "a.b+c@d-e.example", "o'neil@x.example"):
        assert is_address(good)
    for bad in ("", "a", "a@", "@b", "a b@c.example", "a@b@c", "<a@b.example>", "a@[192.0.2.1]", "a@192.0.2.1",
                "a..b@c.example", "ü@b.example", "a@b.example\r\nRCPT TO:<x@y>", "a" * 65 + "@b.example"):  # fmt: skip
        assert not is_address(bad)
        with pytest.raises(ValueError, match="address"):
            compose(RUN, 1, "a@b.example", bad, NOW)
