"""Seed mailboxes: what is found and where, what is never changed there, and when absence is an observation."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import seed_mailbox
from probes.authentication import Credentials, Secret
from probes.letter import compose, run_mark
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import Limits, Network, Options
from probes.seed_mailbox import Arrival, Expectation, Watch, parse, received_time, watch
from probes.send import Login
from probes.verified_tls import surroundings_for_secrets
from tests.hostile.server import authority_file
from tests.leaping import leaping
from tests.probes.mailboxserver import Mail, Mailbox, serve
from tests.probes.misbehaving import PASSWORD, TOKEN, USER
from tests.probes.smtpserver import Fault, Misbehaviour

RUN = run_mark(b"\x01\x23\x45\x67\x89\xab\xcd\xef")
NOW = datetime.datetime(2026, 11, 23, 6, 0, tzinfo=datetime.UTC)
LIMITS = dataclasses.replace(
    seed_mailbox.limits_for_reading(Limits(connect_timeout=10, greeting_timeout=10), 60), read_timeout=10
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_mailbox, "SPACING_SECONDS", 0.05)


@pytest.fixture
def trusting(tmp_path: Path) -> Options:
    return Options(limits=LIMITS, allow_private=True, ca_file=str(authority_file(tmp_path)))


def mail(number: int, folder: str = "INBOX", *, after: int = 0, labels: str = "") -> Mail:
    head = compose(RUN, number, "me@own.test", "tester@own.test", NOW).data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    received = b"Received: from a by b;\r\n\tMon, 23 Nov 2026 06:00:03 +0000\r\n"
    received += b"Received: older; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    return Mail(received + head, folder, after=after, labels=labels)


def login(mechanism: str = "", *, password: str = PASSWORD, token: str = "") -> Login:
    secret = Secret(token or password)
    return Login(Credentials(USER, token=secret) if token else Credentials(USER, secret), mechanism)


async def watched(
    box: Mailbox,
    options: Options,
    numbers: set[int],
    how: Login | None = None,
    *,
    wait: float = 0.3,
    spam_folder: str = "",
    ready: Callable[[Unmeasured | None], None] = lambda problem: None,
) -> tuple[Watch, dict[int, Arrival]]:
    expectation = Expectation(RUN)
    for number in numbers:
        expectation.add(number)
    expectation.until = asyncio.get_running_loop().time() + wait
    async with serve(box):
        endpoint = Endpoint("imap", host="127.0.0.1", port=box.port, tls="implicit" if box.implicit else "starttls")
        surroundings = surroundings_for_secrets(options)
        async with Network(endpoint, options, surroundings) as network:
            found = await watch(endpoint, network, how or login(), expectation, spam_folder=spam_folder, ready=ready)
        await surroundings.close()
    return found, expectation.arrivals


# --- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [False, True])
@leaping
async def test_found_where_it_was_filed(implicit: bool, trusting: Options) -> None:
    box = Mailbox(implicit=implicit, mails=[mail(1), mail(2, "Junk"), mail(3, 'Some "list"'), mail(4, "Sent")])
    told: list[Unmeasured | None] = []
    found, arrivals = await watched(box, trusting, {1, 2, 3, 4}, ready=told.append)
    assert found.problem is None
    assert told == [None]
    assert found.complete
    assert {number: (each.placement, each.folder) for number, each in arrivals.items()} == {
        1: ("inbox", "INBOX"), 2: ("spam", "Junk"), 3: ("other", 'Some "list"'),
    }  # fmt: skip
    assert found.folders == 3
    assert arrivals[1].received == datetime.datetime(2026, 11, 23, 6, 0, 3, tzinfo=datetime.UTC)
    assert arrivals[1].internal_date == datetime.datetime(2026, 11, 23, 6, 0, 2, tzinfo=datetime.UTC)
    assert any(line.startswith("Subject: Delivery test") for line in arrivals[1].headers)


@leaping
async def test_nothing_is_changed(trusting: Options) -> None:
    box = Mailbox(mails=[mail(1, after=4)])
    await watched(box, trusting, {1, 2})
    verbs = {line.split()[1] if line.split()[1] != "UID" else line.split()[2] for line in box.lines if line != "DONE"}
    assert verbs <= {"CAPABILITY", "AUTHENTICATE", "LIST", "EXAMINE", "SEARCH", "FETCH", "IDLE", "LOGOUT"}
    assert all("BODY.PEEK" in line for line in box.lines if " FETCH " in line)
    assert not any(" SELECT " in line or "STORE" in line for line in box.lines)


@leaping
async def test_it_comes_while_we_wait(trusting: Options) -> None:
    for capabilities in ("IMAP4rev1 IDLE AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN"):
        box = Mailbox(mails=[mail(1, after=6)], capabilities=capabilities)
        found, arrivals = await watched(box, trusting, {1}, wait=60)
        assert found.complete
        arrival = arrivals[1]
        assert arrival.absent is not None
        assert arrival.absent < arrival.seen
        assert any(" IDLE" in line for line in box.lines) is ("IDLE" in capabilities)


@leaping
async def test_a_folder_that_a_rule_makes_later(trusting: Options) -> None:
    box = Mailbox(mails=[mail(1, "New", after=3)])

    async def add() -> None:
        await asyncio.sleep(0.15)
        box.folders = (*box.folders, '() "/" New')

    adding = asyncio.create_task(add())
    _, arrivals = await watched(box, trusting, {1}, wait=60)
    await adding
    assert arrivals[1].folder == "New"


@leaping
async def test_gmail(trusting: Options) -> None:
    box = Mailbox(
        capabilities="IMAP4rev1 AUTH=PLAIN X-GM-EXT-1 SPECIAL-USE",
        folders=('() "/" "INBOX"', '(\\All) "/" "[Gmail]/All Mail"', '(\\Junk) "/" "[Gmail]/Spam"'),
        mails=[mail(1, "[Gmail]/All Mail", labels='"\\\\Inbox" Newsletters'), mail(2, "[Gmail]/Spam")],
    )
    _, arrivals = await watched(box, trusting, {1, 2})
    assert arrivals[1].labels == ("\\Inbox", "Newsletters")
    assert arrivals[2].placement == "spam"


@pytest.mark.parametrize("name", ["Spam", "INBOX.Junk", "Junk E-Mail", "bulk"])
@leaping
async def test_spam_folders_known_by_name(name: str, trusting: Options) -> None:
    box = Mailbox(folders=('() "." INBOX', f'() "." "{name}"'), mails=[mail(1, name)])
    _, arrivals = await watched(box, trusting, {1})
    assert arrivals[1].placement == "spam"


@leaping
async def test_a_spam_folder_named_by_the_user(trusting: Options) -> None:
    box = Mailbox(mails=[mail(1, 'Some "list"'), mail(2, "Junk")])
    _, arrivals = await watched(box, trusting, {1, 2}, spam_folder='Some "list"')
    assert [arrivals[1].placement, arrivals[2].placement] == ["spam", "other"]
    found, _ = await watched(Mailbox(), trusting, {1}, spam_folder="Nowhere")
    assert found.problem is not None
    assert found.problem.cause is Cause.NOT_APPLICABLE


@leaping
async def test_more_messages_than_fit_into_one_reply(trusting: Options) -> None:
    long = b"".join(b"ARC-Seal: %d %s\r\n" % (number, b"x" * 900) for number in range(33))
    box = Mailbox(mails=[dataclasses.replace(mail(number), headers=mail(number).headers[:-2] + long + b"\r\n")
                         for number in range(1, 21)])  # fmt: skip
    found, arrivals = await watched(box, trusting, set(range(1, 22)), wait=0.5)
    assert found.complete
    assert set(arrivals) == set(range(1, 21))
    assert sum(" FETCH " in line for line in box.lines) == 2  # and nobody is asked again for what is known


# --- absence ----------------------------------------------------------------------------------------------------------


@leaping
async def test_absence_is_said_after_a_last_look_everywhere(trusting: Options) -> None:
    box = Mailbox(mails=[mail(1, 'Some "list"', after=10_000)])
    found, arrivals = await watched(box, trusting, {1}, wait=0.2)
    assert found.complete
    assert arrivals == {}
    examined = [line.partition("EXAMINE ")[2] for line in box.lines if "EXAMINE" in line]
    assert set(examined) == {'"INBOX"', '"Junk"', '"Some \\"list\\""'}


@leaping
async def test_folders_that_cannot_be_looked_in_leave_it_open(
    trusting: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tuple(f'() "/" f{number}' for number in range(10))
    monkeypatch.setattr(seed_mailbox, "MOST_FOLDERS", 5)
    found, _ = await watched(Mailbox(folders=many), trusting, {1}, wait=0.1)
    assert (found.complete, found.unlooked, found.problem) == (False, 6, None)
    found, _ = await watched(Mailbox(folders=('() "/" {4}\r\n\xfcber',)), trusting, {1}, wait=0.1)
    assert not found.complete


# --- logins -----------------------------------------------------------------------------------------------------------


@leaping
async def test_logins(trusting: Options) -> None:
    for capabilities, how, mechanism in (
        ("IMAP4rev1 SASL-IR AUTH=PLAIN", login(), "PLAIN"),
        ("IMAP4rev1 AUTH=PLAIN", login(), "PLAIN"),
        ("IMAP4rev1 AUTH=LOGIN", login(), "LOGIN"),
        ("IMAP4rev1", login(), "LOGIN command"),
        ("IMAP4rev1 AUTH=GSSAPI", login(), "LOGIN command"),
        ("IMAP4rev1 SASL-IR AUTH=XOAUTH2", login(token=TOKEN), "XOAUTH2"),
    ):
        found, _ = await watched(Mailbox(capabilities=capabilities), trusting, set(), how)
        assert found.problem is None, capabilities
        assert found.mechanism == mechanism


@pytest.mark.parametrize(
    ("capabilities", "how", "words"),
    [
        ("IMAP4rev1 AUTH=PLAIN", login(password="not-the-one-at-all"), "AUTHENTICATIONFAILED"),
        ("IMAP4rev1", login(password="not-the-one-at-all"), "AUTHENTICATIONFAILED"),
        ("IMAP4rev1 AUTH=XOAUTH2", login(token="not-the-one-at-all"), "400"),
        ("IMAP4rev1 LOGINDISABLED", login(), "does not offer"),
        ("IMAP4rev1 AUTH=PLAIN", login("SCRAM-SHA-256"), "does not offer SCRAM-SHA-256"),
        ("IMAP4rev1", login(password="sécret-of-mine"), "cannot carry"),
    ],
)
@leaping
async def test_refused_logins(capabilities: str, how: Login, words: str, trusting: Options) -> None:
    told: list[Unmeasured | None] = []
    found, _ = await watched(Mailbox(capabilities=capabilities), trusting, {1}, how, ready=told.append)
    assert found.problem is not None
    assert found.problem.cause is Cause.NOT_PERMITTED
    assert words in found.problem.detail
    assert told == [found.problem]
    assert not found.complete
    text = f"{found!r} {found.problem!r}"  # the server repeats what it was told
    secret = how.credentials.secret.reveal()
    for hidden in (secret, base64.b64encode(secret.encode()).decode(), "bm90LXRoZS1vbmU"):
        assert hidden not in text


@leaping
async def test_passing_troubles_are_no_refusals(trusting: Options) -> None:
    box = Mailbox(instead={"AUTHENTICATE": "{tag} NO [UNAVAILABLE] the database is down"})
    found, _ = await watched(box, trusting, {1})
    assert found.problem is not None
    assert found.problem.cause is Cause.THROTTLED


@pytest.mark.parametrize("implicit", [False, True])
@leaping
async def test_no_password_without_a_trusted_certificate(implicit: bool, trusting: Options) -> None:
    for box, options in (
        (Mailbox(implicit=implicit), dataclasses.replace(trusting, ca_file=None)),
        (Mailbox(implicit=implicit, name="other.test"), trusting),
    ):
        found, _ = await watched(box, options, {1})
        assert found.problem is not None
        assert found.problem.cause is Cause.TLS_HANDSHAKE_ERROR
        assert box.lines == []
        assert not any("AUTH" in line or "LOGIN" in line for line in box.early)


@leaping
async def test_no_password_without_starttls(trusting: Options) -> None:
    box = Mailbox(implicit=False, instead={"CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done"})
    found, _ = await watched(box, trusting, {1})
    assert found.problem is not None
    assert found.problem.cause is Cause.TLS_NOT_OFFERED
    box = Mailbox(implicit=False, greeting="* PREAUTH welcome")
    found, _ = await watched(box, trusting, {1})
    assert found.problem is not None
    assert found.problem.cause is Cause.PROTOCOL_ERROR


# --- faults -----------------------------------------------------------------------------------------------------------

CAUSES: dict[Misbehaviour, set[Cause]] = {
    "silence": {Cause.DEADLINE_EXCEEDED, Cause.GREETING_TIMEOUT},
    "close": {Cause.CONNECTION_RESET},
    "reset": {Cause.CONNECTION_RESET},
    "cut off": {Cause.CONNECTION_RESET},
    "garbage": {Cause.PROTOCOL_ERROR},
    "endless line": {Cause.REPLY_TOO_LONG},
}


@pytest.mark.slow
@pytest.mark.parametrize("what", CAUSES)
@pytest.mark.parametrize("implicit", [False, True])
@leaping
async def test_a_fault_is_never_absence(implicit: bool, what: Misbehaviour, trusting: Options) -> None:
    healthy = Mailbox(implicit=implicit, mails=[mail(1, after=3)])
    found, arrivals = await watched(healthy, trusting, {1, 2}, wait=0.05)
    assert found.complete
    assert set(arrivals) == {1}
    reached = 0
    for number in range(1, min(healthy.replies, 30) + 1):
        box = Mailbox(implicit=implicit, mails=[mail(1, after=3)], fault=Fault(number, what))
        found, arrivals = await watched(box, trusting, {1, 2}, wait=0.05)
        if box.replies < number:
            continue  # how often it is asked within the wait depends on the machine
        where = f"{what} at {number} ({box.said[number - 1]}): {found.problem} {found.complete}"
        if found.problem is None:
            assert found.complete, where  # a session that broke off was taken up again, or it was the goodbye
            assert set(arrivals) == {1}, where
        else:
            assert not found.complete, where
            assert found.problem.cause in CAUSES[what], where
        assert set(arrivals) <= {1}, where
        reached += 1
    assert reached >= 12  # greeting, login, folders and the first looks at the least


@leaping
async def test_a_session_that_breaks_off_is_taken_up_again(trusting: Options) -> None:
    healthy = Mailbox(mails=[mail(1, after=8)])
    await watched(healthy, trusting, {1}, wait=60)
    number = healthy.said.index("IDLE") + 1
    box = Mailbox(mails=[mail(1, after=8)], fault=Fault(number, "close"))
    found, arrivals = await watched(box, trusting, {1}, wait=60)
    assert box.connections == 2
    assert found.complete
    assert set(arrivals) == {1}


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("LIST", "{tag} NO no"),
        ("LIST", "* LIST nonsense\r\n{tag} OK done"),
        ("LIST", '* LIST (((((((((((((((((((((((((a "/" x\r\n{tag} OK done'),
        ("EXAMINE", "{tag} NO [NONEXISTENT] gone"),
        ("SEARCH", "{tag} BAD what"),
        ("FETCH", "* 1 FETCH (UID 1 BODY[HEADER]<0> {{99999999}}\r\n{tag} OK done"),
        ("FETCH", "* 1 FETCH (UID 1\r\n{tag} OK done"),
        ("IDLE", "{tag} NO not now"),
        ("CAPABILITY", "{tag} OK done"),
    ],
)
@leaping
async def test_answers_that_are_no_answers(verb: str, answer: str, trusting: Options) -> None:
    box = Mailbox(mails=[mail(1)], instead={verb: answer})
    found, _ = await watched(box, trusting, {1, 2})
    assert found.problem is not None
    assert found.problem.cause in (Cause.PROTOCOL_ERROR, Cause.REPLY_TOO_LONG)
    assert not found.complete


@leaping
async def test_a_message_that_only_pretends(trusting: Options) -> None:
    other = Mail(b"Subject: about " + RUN.encode() + b"\r\n\r\n")
    hostile = Mail(mail(1).headers + b"X: \x1b[31m) UID 7 BODY[HEADER]<0> {3}\r\n\r\n")
    _, arrivals = await watched(Mailbox(mails=[other, hostile]), trusting, {1, 2})
    assert set(arrivals) == {1}
    assert not any("\x1b" in line for line in arrivals[1].headers)


# --- parts ------------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_parse_takes_anything(text: bytes) -> None:
    with contextlib.suppress(Unmeasured):
        parse(text)
    time = received_time(b"Received: x; " + text)
    assert time is None or time.tzinfo is datetime.UTC


def test_parse() -> None:
    assert parse(b'(UID 1 X "a \\"b\\"" L {3}\r\n)"( (N (M))) tail') == [
        [b"UID", b"1", b"X", b'a "b"', b"L", b')"(', [b"N", [b"M"]]],
        b"tail",
    ]
    assert parse(b"") == []
    for bad in (b")", b"(", b'"', b"(" * 30, b'("a'):
        with pytest.raises(Unmeasured):
            parse(bad)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (b"Received: x; Mon, 23 Nov 2026 07:00:00 +0100\r\nReceived: y; nonsense\r\n", 6),
        (b"Received: x;\r\n Mon, 23 Nov 2026\r\n\t06:00:00 +0000 (UTC)\r\n", 6),
        (b"Received: nonsense\r\n", None),
        (b"Received: x; Mon, 99 Nov 2026 06:00:00 +0000\r\n", None),
        (b"X-Received: x; Mon, 23 Nov 2026 06:00:00 +0000\r\n", None),
        (b"\xff\xfe", None),
    ],
)
def test_received_time(headers: bytes, found: int | None) -> None:
    time = received_time(headers)
    assert (None if time is None else time.hour) == found


def test_seconds() -> None:
    sent = NOW
    at = lambda seconds: NOW + datetime.timedelta(seconds=seconds)  # noqa: E731
    arrival = Arrival(1, "inbox", "INBOX", seen=at(9.0), absent=at(4.0), received=at(6.0))
    assert arrival.seconds_since(sent) == 6.5
    assert arrival.bounds_since(sent) == (4.0, 9.0)
    assert arrival.stamped_since(sent) == 6.0
    assert dataclasses.replace(arrival, internal_date=at(8.0)).seconds_since(sent) == 8.5  # it waited somewhere
    fast_clock = dataclasses.replace(arrival, received=at(3600.0))
    assert fast_clock.seconds_since(sent) == 9.0
    slow_clock = dataclasses.replace(arrival, received=at(-3600.0))
    assert slow_clock.seconds_since(sent) == 4.0
    assert dataclasses.replace(arrival, received=None).seconds_since(sent) == 9.0
    early = dataclasses.replace(arrival, seen=at(-1.0), absent=None)
    assert early.seconds_since(sent) == 0.0
