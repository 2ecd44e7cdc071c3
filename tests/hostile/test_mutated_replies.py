"""Never wrong: whatever bytes come, no probe raises, goes on past its deadline, takes much memory, or yields a value
that the bytes did not contain.

100,000 mutants of what real servers of many makes said (``replies/``), and streams that Hypothesis makes up, at every
step. No socket is opened, and the clock is virtual, so that waiting costs nothing. How many there are of each kind:

=======  ==============================================================================================
 12,000  whole runs of the one probe of a protocol, over all its connections, with certificates and DNS
  1,750  whole runs of all the probes of an endpoint together
 16,650  whole conversations in SMTP, IMAP, POP3 and ManageSieve, from greeting to farewell
 40,000  SMTP replies and EHLO lists, by the one reader of replies
 10,000  answers to hand-made ClientHellos, and 8,000 first flights of TLS 1.2
 12,000  DNS messages and the policies in them: SPF, DMARC, DKIM, MTA-STS, TLS-RPT, BIMI, TLSA
=======  ==============================================================================================

``MAILRUBRIC_MUTATION_SEED`` in the environment makes others than the usual ones.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes import policies, registry, security_txt, spf
from probes.conversation import Conversation, converse
from probes.dane import parse_tlsa
from probes.flight import Flight, FlightReader
from probes.hello import Alert, AnswerReader, HelloAnswer, ServerHello, Unreadable
from probes.markup import parse_xml
from probes.model import MAIL_ROLES, Cause, Endpoint, Probe, Unmeasured
from probes.network import Network, Surroundings
from probes.recording import Attempt, Event, Recording, Session
from probes.replay import ReplayLoop
from probes.replies import Reply, ReplyCollector, parse_ehlo, printable, take_line
from probes.resolver import Answer
from probes.upgrade import dialogue_of
from tests.hostile import mutation
from tests.hostile.mutation import LIMITS, OPTIONS, LooseTape, mutant, mutated, problems, recordings

pytestmark = pytest.mark.slow

SEED = os.environ.get("MAILRUBRIC_MUTATION_SEED", "2026")
MEMORY = 32 * 1024 * 1024
TOO_SLOW = 5.0
"""Seconds of computing that no stream may cost (it is some milliseconds; other work on the machine counts too)."""

WHOLE = {
    "postfix-submission": 1200, "postfix-submissions": 1000, "postfix-mx": 1000, "exim-submission": 1200,
    "dovecot-submission": 1000, "dovecot-imap": 1500, "dovecot-imaps": 800, "dovecot-pop3": 1500,
    "dovecot-sieve": 1500, "nginx-api": 400, "nginx-web": 200, "nginx-status": 300, "nsd-domain": 200,
    "signed-domain": 200,
}  # fmt: skip
TOGETHER = 125  # of each of the twelve
CONVERSATIONS = 1850  # on each main conversation of a mail server, and of each of the others in turn


def chance_of(*what: object) -> random.Random:
    """Reproducible: the same for the same test."""
    return random.Random(" ".join(map(str, (SEED, *what))))


def own_probe(endpoint: Endpoint) -> Probe:
    """The probe of the endpoint's own protocol."""
    names = {"submission": "smtp", "mx": "smtp", "domain": "dns", "api": "http", "web": "http"}
    return registry.probe(names.get(endpoint.role, endpoint.role))


def fail(wrong: list[str], runs: int) -> None:
    assert not wrong, f"{len(wrong)} faults in {runs} streams\n" + "\n".join(wrong[:20])


# --- whole probes -----------------------------------------------------------------------------------------------------


def run_mutants(name: str, probes: list[Probe] | None, count: int) -> None:
    recording = recordings()[name]
    wrong: list[str] = []
    values = 0
    with asyncio.Runner(loop_factory=ReplayLoop) as runner:
        unchanged = runner.run(mutation.run(recording, probes, OPTIONS))
        assert problems(recording, unchanged) == []
        known = sum(each.cause is None for each in unchanged.measurements)
        assert known
        for number in range(count):
            changed = mutant(recording, chance_of(name, len(probes or ()), number))
            began = time.process_time()
            report = runner.run(mutation.run(changed, probes, OPTIONS))
            if time.process_time() - began > TOO_SLOW:
                wrong.append(f"{name} {number}: took {time.process_time() - began:.1f} s of computing")
            values += sum(each.cause is None for each in report.measurements)
            wrong += [f"{name} {number}: {problem}" for problem in problems(changed, report)]
    fail(wrong, count)
    # Neither did the mutants come to nothing, nor did nothing change.
    assert 0.2 * known * count < values < known * count


@pytest.mark.parametrize("name", WHOLE)
def test_whole_probe(name: str) -> None:
    run_mutants(name, [own_probe(recordings()[name].endpoint)], WHOLE[name])


@pytest.mark.parametrize("name", WHOLE)
def test_all_probes_together(name: str) -> None:
    run_mutants(name, None, TOGETHER)


# --- conversations ----------------------------------------------------------------------------------------------------


def conversations() -> list[str]:
    return [name for name, recording in recordings().items() if recording.endpoint.role in MAIL_ROLES]


async def talk_over(recording: Recording, attempt: Attempt) -> tuple[Conversation, float]:
    """One conversation with a server that says what is in the attempt, and how long it took by its own clock."""
    endpoint = recording.endpoint
    tape = LooseTape(recording, Session(endpoint.key, recording.sessions[0].learnt, [attempt]))
    async with Network(endpoint, OPTIONS, Surroundings(OPTIONS), tape=tape) as network:
        talk = await converse(endpoint, network, dialogue_of(endpoint), Conversation())
        return talk, network.elapsed_ms


def talk_problems(talk: Conversation, attempt: Attempt, took_ms: float) -> Iterator[str]:
    if took_ms > 1000 * (LIMITS.deadline + mutation.GRACE):
        yield f"took {took_ms:.0f} ms"
    sent = b"".join(event.data for event in attempt.events)
    sent += sent.replace(b"\\", b"")  # ManageSieve may put a backslash before any character of a quoted string
    shown = printable(sent, 1 << 30).upper()
    for line in talk.greeting or ():
        if any(word not in sent for word in line.split()):  # ManageSieve's come without their quotation marks
            yield f"greeting {line!r}"
    for capabilities in (talk.before, talk.after):
        for keyword, parameters in (capabilities or {}).items():
            for text in (keyword, *parameters):
                if text.upper() not in shown:
                    yield f"capability {text!r}"
    if talk.quit_code and str(talk.quit_code) not in shown:
        yield f"reply code {talk.quit_code}"
    if talk.starttls and b"STARTTLS" not in sent.upper() and b"STLS" not in sent.upper():
        yield "an upgrade that nobody offered"
    if talk.stopped is None and talk.before is None:
        yield "nothing was seen, and nothing stopped it"


@pytest.mark.parametrize("name", conversations())
def test_conversation(name: str) -> None:
    recording = recordings()[name]
    attempts = [each for each in recording.sessions[0].attempts if any(event.kind == "in" for event in each.events)]
    main = [each for each in attempts if each.purpose == "conversation"] or attempts[:1]
    others = [event.data for each in attempts for event in each.events if event.kind == "in"]
    wrong: list[str] = []
    whole = 0
    with asyncio.Runner(loop_factory=ReplayLoop) as runner:
        for number in range(CONVERSATIONS):
            chance = chance_of(name, "conversation", number)
            source = main[0]
            spoken = [at for at, event in enumerate(source.events) if event.kind == "in"]
            events = list(source.events)
            for at in chance.sample(spoken, k=chance.choice((1, 1, 2))):
                events[at] = Event(events[at].at, "in", mutated(events[at].data, chance, others))
            attempt = Attempt(source.address, source.port, "", True, events=events, local=source.local)
            talk, took = runner.run(talk_over(recording, attempt))
            whole += talk.stopped is None
            wrong += [f"{name} {number}: {problem}" for problem in talk_problems(talk, attempt, took)]
    fail(wrong, CONVERSATIONS)
    assert 0 < whole < CONVERSATIONS


# --- readers ----------------------------------------------------------------------------------------------------------


def read_replies(data: bytes) -> list[Reply]:
    """As a connection does it, until the bytes end or are refused."""
    buffer, found = bytearray(data), []
    collector = ReplyCollector(LIMITS.reply_lines, LIMITS.reply_bytes)
    while (line := take_line(buffer, LIMITS.line_bytes)) is not None:
        reply = collector.add(line)
        if reply is not None:
            found.append(reply)
            collector = ReplyCollector(LIMITS.reply_lines, LIMITS.reply_bytes)
    return found


def reply_problems(data: bytes, reply: Reply) -> Iterator[str]:
    # Several lines only where every line but the last has a hyphen, and the one code (RFC 5321 §4.2.1).
    code = str(reply.code).encode()
    wanted = [code + b"-" + line for line in reply.lines[:-1]]
    block = b"\n".join(line.rstrip(b"\r") for line in data.split(b"\n"))
    last = reply.lines[-1]
    for line in wanted:
        if line.rstrip(b"\r") not in block:
            yield f"line {line!r}"
    if code + b" " + last not in data and (last or code not in data):
        yield f"last line {last!r}"
    shown = printable(data, 1 << 30).upper()
    for keyword, parameters in parse_ehlo(reply).items():
        for text in (keyword, *parameters):
            if text.upper() not in shown:
                yield f"extension {text!r}"
    if reply.enhanced and reply.enhanced.encode() not in data:
        yield f"enhanced code {reply.enhanced}"


def smtp_replies() -> list[bytes]:
    return [
        data
        for recording in recordings().values()
        if recording.endpoint.role in ("submission", "mx")
        for data in mutation.replies(recording)
        if data[:1].isdigit()
    ]


@pytest.mark.parametrize("part", range(4))
def test_smtp_replies(part: int) -> None:
    corpus = smtp_replies()
    assert sum(len(read_replies(data)) for data in corpus) >= len(corpus)
    wrong = []
    complete = refused = 0
    for number in range(10_000):
        chance = chance_of("replies", part, number)
        data = mutated(chance.choice(corpus), chance, corpus)
        try:
            found = read_replies(data)
        except Unmeasured as problem:
            refused += 1
            if problem.cause not in (Cause.PROTOCOL_ERROR, Cause.REPLY_TOO_LONG):
                wrong.append(f"{data!r}: {problem}")
            continue
        complete += bool(found)
        wrong += [f"{data!r}: {problem}" for reply in found for problem in reply_problems(data, reply)]
    fail(wrong, 10_000)
    assert complete > 1000
    assert refused > 1000


def hello_answers() -> list[bytes]:
    """What came in answer to hand-made hellos, whole."""
    found = []
    for recording in recordings().values():
        for session in recording.sessions:
            for attempt in session.attempts:
                data = b""
                for event in attempt.events:
                    if event.kind == "out" and event.data[:1] == b"\x16":
                        data = b"\x00"
                    elif data and event.kind == "in":
                        data += event.data
                if len(data) > 1:
                    found.append(data[1:])
    return found


def answer_problems(data: bytes, answer: HelloAnswer | None) -> Iterator[str]:
    match answer:
        case ServerHello():
            if answer.suite.to_bytes(2, "big") not in data:
                yield f"suite {answer.suite:04x}"
            if answer.group is not None and answer.group.to_bytes(2, "big") not in data:
                yield f"group {answer.group:04x}"
            if answer.version == "TLSv1.3" and b"\x03\x04" not in data:
                yield "TLS 1.3"
        case Alert():
            if bytes([answer.level, answer.description]) not in data and answer.description not in data:
                yield f"alert {answer.description}"
        case Unreadable():
            if answer.excerpt and answer.excerpt not in data:
                yield f"excerpt {answer.excerpt!r}"


def pieces(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """The same in pieces, as a network may cut it."""
    at = 0
    while at < len(data):
        size = chance.choice((1, 3, 5, 100, 4096))
        yield data[at : at + size]
        at += size


def test_answers_to_hellos() -> None:
    corpus = hello_answers()
    wrong = []
    read = 0
    for number in range(10_000):
        chance = chance_of("hello", number)
        data = mutated(chance.choice(corpus), chance, corpus)
        reader, answer = AnswerReader(), None
        for piece in pieces(data, chance):
            answer = reader.feed(piece)
            if answer is not None:
                break
        read += isinstance(answer, ServerHello)
        wrong += [f"{data[:100]!r}: {problem}" for problem in answer_problems(data, answer)]
    fail(wrong, 10_000)
    assert 1000 < read < 9000


def test_flights() -> None:
    corpus = hello_answers()
    wrong = []
    read = 0
    for number in range(8_000):
        chance = chance_of("flight", number)
        data = mutated(chance.choice(corpus), chance, corpus)
        reader, answer = FlightReader(), None
        for piece in pieces(data, chance):
            answer = reader.feed(piece)
        if answer is None:
            answer = reader.cut_off(Unmeasured(Cause.CONNECTION_RESET, "cut off"))
        if isinstance(answer, Flight):
            read += 1
            wrong += [f"{data[:100]!r}: {problem}" for problem in answer_problems(data, answer.hello)]
            # A certificate may be spread over several records, whose headers are then in between.
            for der in answer.chain:
                if der[:200] not in data and len(der) < len(data) // 2:
                    wrong.append(f"{number}: a certificate that was not sent")
            if answer.complete and answer.hello.version != "TLSv1.3" and b"\x0e\x00\x00\x00" not in data:
                wrong.append(f"{number}: complete without an end")
    fail(wrong, 8_000)
    assert 1000 < read < 8000


def texts_of(found: object) -> Iterator[str]:
    """All texts in a parsed record."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, tuple | list | frozenset | set):
        for each in found:
            yield from texts_of(each)


PARSERS: dict[str, Callable[[str], object]] = {
    "SPF": spf.parse,
    "DMARC": policies.parse_dmarc,
    "DKIM": policies.parse_dkim,
    "TLSA": parse_tlsa,
    "MTA-STS": lambda text: policies.sts_record([text]),
    "TLS-RPT": lambda text: policies.tls_report_addresses([text]),
    "BIMI": lambda text: policies.bimi_record([text]),
    "tags": lambda text: tuple(policies.tags(text).items()),
}


@pytest.mark.parametrize("part", range(2))
def test_dns_messages_and_policies(part: int) -> None:
    learnt = [
        each.answer["answer"]
        for recording in recordings().values()
        for session in recording.sessions
        for each in session.learnt
        if "answer" in each.answer
    ]
    wires = [base64.b64decode(said["message"]) for said in learnt]
    texts = ["v=DKIM1; k=rsa; t=s; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7", "3 1 1 " + "ab" * 32,
             *(text for said in learnt for text in said["records"])]  # fmt: skip
    wrong = []
    answered = parsed = 0
    for number in range(6_000):
        chance = chance_of("dns", part, number)
        said = chance.choice(learnt)
        data = mutated(base64.b64decode(said["message"]), chance, wires)
        found = mutation.resolved(data, said["name"], said["kind"])
        if isinstance(found, Answer):
            answered += 1
            texts_now = list(found.records)
        else:
            texts_now = []
        texts_now.append(mutated(chance.choice(texts).encode(), chance, wires).decode("utf-8", "backslashreplace"))
        for text in texts_now:
            for name, parse in PARSERS.items():
                try:
                    result = parse(text)
                except spf.SPFSyntaxError:
                    continue
                parsed += result not in (None, ())
                missing = [each for each in texts_of(result) if each.casefold() not in text.casefold()]
                if missing and name in ("MTA-STS", "TLS-RPT", "tags"):
                    wrong.append(f"{number}: {name} {missing[0]!r} of {text!r}")
    fail(wrong, 6_000)
    assert answered > 300
    assert parsed > 1000


def test_there_are_100_000() -> None:
    direct = 4 * 10_000 + 10_000 + 8_000 + 2 * 6_000
    assert sum(WHOLE.values()) == 12_000
    assert set(WHOLE) == set(recordings())
    total = direct + sum(WHOLE.values()) + TOGETHER * len(WHOLE) + CONVERSATIONS * len(conversations())
    assert total >= 100_000


# --- made-up streams --------------------------------------------------------------------------------------------------

WORDS = (
    b"220 ", b"220-", b"250 ", b"250-", b"221 ", b"421 ", b"554 ", b"* OK ", b"* CAPABILITY ", b"a1 OK ", b"+OK ",
    b"-ERR ", b".", b"OK ", b'"SASL" "', b"{5}", b"STARTTLS", b"STLS", b"\r\n", b"\n", b"\r", b"\x00", b" ", b"AUTH",
    b"SIZE 1", b"HTTP/1.1 200 OK", b"Content-Length: ", b"Transfer-Encoding: chunked", b"9", b'{"page": {', b"\xff",
    b"\x16\x03\x03\x00\x05", b"\x15\x03\x01\x00\x02\x02\x28",
)  # fmt: skip
BYTES = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(WORDS), max_size=30).map(b"".join))


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"nsd-domain"}))  # which is DNS alone
def test_any_bytes_at_any_step(name: str) -> None:
    """At one step the server says anything at all, instead of what it said."""
    recording = recordings()[name]
    probe = own_probe(recording.endpoint)
    session = recording.sessions[0]
    places = [
        (attempt, event)
        for attempt in range(len(session.attempts))
        for event, one in enumerate(session.attempts[attempt].events)
        if one.kind == "in"
    ]
    assert places
    with asyncio.Runner(loop_factory=ReplayLoop) as runner:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(st.sampled_from(places), st.lists(BYTES, min_size=1, max_size=3))
        def holds(place: tuple[int, int], said: list[bytes]) -> None:
            attempts = list(session.attempts)
            number, at = place
            old = attempts[number]
            instead = [Event(old.events[at].at, "in", data) for data in said if data]
            events = [*old.events[:at], *instead, *old.events[at + 1 :]]
            attempts[number] = Attempt(
                old.address, old.port, old.purpose, True, old.done, old.connect_ms, old.local, events=events
            )
            changed = Recording(
                recording.endpoint, recording.started, {}, {}, recording.seed,
                [Session(session.endpoint, session.learnt, attempts)],
            )  # fmt: skip
            report = runner.run(mutation.run(changed, [probe], OPTIONS))
            assert problems(changed, report) == []

        holds()


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(BYTES, max_size=6))
def test_any_bytes_for_the_readers(said: list[bytes]) -> None:
    data = b"".join(said)
    answer = None
    hellos, flights = AnswerReader(), FlightReader()
    for piece in said:
        answer = hellos.feed(piece) or answer
        flights.feed(piece)
    assert list(answer_problems(data, answer)) == []
    flights.cut_off(Unmeasured(Cause.CONNECTION_RESET, "cut off"))
    try:
        found = read_replies(data)
    except Unmeasured:
        found = []
    assert [problem for reply in found for problem in reply_problems(data, reply)] == []
    for kind in ("text/plain", "", "text/html; charset=nonsense"):
        security_txt.parse(data, kind)
    policies.parse_sts_policy(data)
    try:
        parse_xml(data)
    except ValueError:
        return


# --- memory -----------------------------------------------------------------------------------------------------------


def test_memory_is_bounded_over_huge_mutants() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.mutation", "1", "10"],
        check=True,
        capture_output=True,
        text=True,
        timeout=110,
        cwd=Path(__file__).parents[2],
    )
    result = json.loads(done.stdout)
    assert result["growth"] < MEMORY, result
    assert result["values"] > 500, result
    assert result["too long"] > 20, result
