"""Mutated replies of real servers, and what may be said about them.

``replies/`` holds recordings of real servers. Here one of their bytes, lengths, lines, records or certificates is
changed in the ways that break readers (:func:`mutated`), and probes run over the result with no socket
(:class:`Loose`): a server that answers whatever is said with what comes next in its recording. :class:`Stream` knows
all that such a server sent, and tells which measured values it did not contain.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import json
import random
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver

from probes import registry, resolver
from probes.connection import Connection
from probes.flight import GROUP_NAMES
from probes.model import Cause, Endpoint, Measurement, Metric, Probe, Report, Unmeasured
from probes.network import Limits, Options
from probes.recording import Attempt, Event, Learnt, Recording, Session, read, session_from_json
from probes.replay import Playback, PlayedConnection, PlayedTape, PlayedWire, Player, ReplayLoop
from probes.replies import printable
from probes.runner import probe_endpoint

FOLDER = Path(__file__).parent / "replies"
HUGE = 512 * 1024
PIECE = 16 * 1024
"""Bytes of a huge stream, and of the pieces that it comes in."""
LIMITS = Limits(deadline=20, spacing_mx=0.01)
GRACE = 1.0


@functools.cache
def recordings() -> dict[str, Recording]:
    """The recordings of real servers, by name."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*.json"))}


# --- mutating ---------------------------------------------------------------------------------------------------------


def mutated(data: bytes, chance: random.Random, others: Sequence[bytes] = (), huge: bool = False) -> bytes:
    """``data`` changed in one to three ways. ``others``: to splice in. ``huge``: it grows by ``HUGE`` bytes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(_WAYS)(data, chance, others)
    if huge and data:
        at = chance.randrange(len(data))
        size = chance.choice((1, 4, 64, len(data)))
        piece = data[at : at + size]
        data = data[:at] + piece * (HUGE // max(1, len(piece))) + data[at:]
    return data if huge else data[: 2 * PIECE]


def _flip(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data or b"\x00")
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(changed))
        changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _byte(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes([chance.choice((0, 10, 13, 32, 45, 46, 34, 123, 127, 128, 255))]) + data[at + 1 :]


def _cut(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _remove(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice((1, 2, 4, 32)) :]


def _twice(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    piece = data[at : at + chance.choice((1, 2, 16, 64, 1024))]
    return data[:at] + piece * chance.choice((2, 3, 50)) + data[at:]


def _lines(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    match chance.randrange(4):
        case 0:
            chance.shuffle(lines)
        case 1:
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
        case 2:
            del lines[chance.randrange(len(lines))]
        case _:
            at = chance.randrange(len(lines))
            lines[at] = lines[at].swapcase()
    return b"\n".join(lines)


def _splice(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others) if others else data
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _length(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A field that may be a length, in bytes or in digits, becomes another."""
    digits = list(re.finditer(rb"[0-9]+", data))
    if digits and chance.random() < 0.5:
        found = chance.choice(digits)
        number = chance.choice((b"0", b"-1", b"1", b"65536", b"4294967296", b"9" * 30, b"0x10", b"1e9", b""))
        return data[: found.start()] + number + data[found.end() :]
    width = chance.choice((1, 2, 3, 4))
    at = chance.randrange(max(1, len(data) - width + 1))
    value = chance.choice((0, 1, len(data), (1 << 8 * width) - 1, 1 << (8 * width - 1))) % (1 << 8 * width)
    return data[:at] + value.to_bytes(width, "big") + data[at + width :]


_WAYS: tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...] = (
    _flip, _flip, _byte, _cut, _remove, _twice, _lines, _splice, _length, _length,
)  # fmt: skip


def replies(recording: Recording) -> list[bytes]:
    """Everything that the server sent, piece by piece."""
    return [
        event.data
        for session in recording.sessions
        for attempt in session.attempts
        for event in attempt.events
        if event.kind == "in"
    ]


def mutant(recording: Recording, chance: random.Random, huge: bool = False) -> Recording:
    """The recording with some of what came from outside changed: bytes, certificates, staples, DNS messages."""
    others = replies(recording)
    sessions = []
    for session in recording.sessions:
        places = sum(len(attempt.events) for attempt in session.attempts) + len(session.learnt)
        share = chance.choice((1, 1, 2, 5)) / max(1, places)
        attempts = [
            dataclasses.replace(
                attempt,
                events=[new for event in attempt.events for new in _event(event, chance, others, share, huge)],
            )
            for attempt in session.attempts
        ]
        # What is learnt decides more than one reply does: a smaller share of it, or little would come through.
        learnt = [
            dataclasses.replace(each, answer=_answer(each.answer, chance)) if chance.random() < share else each
            for each in session.learnt
        ]
        sessions.append(dataclasses.replace(session, attempts=attempts, learnt=learnt))
    return dataclasses.replace(recording, sessions=sessions)


def _event(event: Event, chance: random.Random, others: Sequence[bytes], share: float, huge: bool) -> Iterator[Event]:
    if chance.random() >= 2 * share:
        yield event
    elif event.kind == "in":
        data = mutated(event.data, chance, others, huge)
        for at in range(0, len(data), PIECE):
            yield dataclasses.replace(event, data=data[at : at + PIECE])
    elif event.kind == "tls" and "session" in event.facts:
        session = dict(event.facts["session"])
        chain = [base64.b64decode(each) for each in session["chain"]]
        match chance.randrange(4):
            case 0:
                chance.shuffle(chain)
                chain = chain * chance.choice((1, 2))
            case 1 if session["ocsp_staple"]:
                session["ocsp_staple"] = _coded(mutated(base64.b64decode(session["ocsp_staple"]), chance))
            case 2:
                session["ocsp_staple"] = _coded(mutated(chance.choice(chain or [b""]), chance))
            case _ if chain:
                at = chance.randrange(len(chain))
                chain[at] = mutated(chain[at], chance, chain)
        session["chain"] = [_coded(each) for each in chain]
        yield dataclasses.replace(event, facts=event.facts | {"session": session})
    else:
        yield event


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _answer(answer: Mapping[str, Any], chance: random.Random) -> dict[str, Any]:
    """A DNS message changed, as the resolver would take it."""
    if "answer" not in answer:
        return dict(answer)
    said = answer["answer"]
    found = resolved(mutated(base64.b64decode(said["message"]), chance), said["name"], said["kind"])
    return resolver_answer(found)


def resolver_answer(found: resolver.Answer | Unmeasured) -> dict[str, Any]:
    """As a recording keeps it."""
    from probes.recording import encoded

    return encoded(found)


def resolved(wire: bytes, name: str, kind: str) -> resolver.Answer | Unmeasured:
    """What the run's resolver makes of a message in answer to this question (``Resolver._ask`` without its socket)."""
    try:
        message = dns.message.from_wire(wire)
        question, rdtype = dns.name.from_text(name + "."), dns.rdatatype.from_text(kind)
        if not isinstance(message, dns.message.QueryMessage) or not (message.flags & dns.flags.QR):
            return Unmeasured(Cause.DNS_TIMEOUT, f"{kind} {name}: no answer")  # as the resolver goes on waiting
        if message.rcode() not in (0, 3):
            return resolver.ServerFailure(f"{kind} {name}: mutated", frozenset({"SERVFAIL"}))
        answer = dns.resolver.Answer(question, rdtype, dns.rdataclass.IN, message)
    except (dns.exception.DNSException, ValueError, IndexError, NotImplementedError) as error:
        return Unmeasured(Cause.DNS_SERVFAIL, f"{kind} {name}: {printable(str(error), 200)}")
    exists = message.rcode() == 0
    records = tuple(resolver._text(each) for each in answer.rrset) if exists and answer.rrset is not None else ()
    return resolver.Answer(name, kind, exists, records, resolver._authenticated(message), message)


# --- playing ----------------------------------------------------------------------------------------------------------


class LoosePlayback(Playback):
    """Answers whatever is said with what comes next."""

    def act(self, kind: Any, data: bytes = b"", text: str = "", *, may_change: bool = True) -> Event:
        for place in range(self._passed, len(self._actions)):
            event = self.attempt.events[self._actions[place]]
            if event.kind == kind:
                self._passed = place + 1
                return event
        if kind == "tls":
            raise Unmeasured(Cause.TLS_HANDSHAKE_ERROR, "this server never spoke TLS")
        facts = {"resumable": False, "early_data": None} if kind == "ticket" else {}
        last = self.attempt.events[-1].at if self.attempt.events else 0.0
        return Event(last, kind, facts=facts)


class LooseTape(PlayedTape):
    """Connections are had as often as they are asked for."""

    async def dial(self, address: str, port: int, go: Callable[..., Awaitable[Connection]]) -> Connection:
        from probes.network import purpose
        from probes.replay import missing

        every = self._attempts.get((address, port))
        if not every:
            raise missing(f"a connection to {address} port {port}")
        own = [each for each in every if each.purpose == purpose.get()] or every
        attempt = own[0]
        every.append(every.pop(every.index(attempt)))
        playback = LoosePlayback(self, attempt, [], [])

        async def open_wire(text: str, number: int, until: float) -> PlayedWire:
            if attempt.cause is not None:
                raise Unmeasured(attempt.cause, attempt.detail)
            return PlayedWire(playback)

        return await go(open_wire=open_wire, make=functools.partial(PlayedConnection, playback))


class Loose:
    """The tapes of one run over a mutant."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def tape(self, endpoint: Endpoint) -> LooseTape:
        """The first session that fits."""
        for session in self.recording.sessions:
            if session.endpoint == endpoint.key:
                return LooseTape(self.recording, session)
        return LooseTape(self.recording, Session(endpoint.key))


async def run(recording: Recording, probes: Sequence[Probe] | None, own: Options) -> Report:
    """Probe a mutant, on a ``ReplayLoop``."""
    return await probe_endpoint(
        recording.endpoint, options=own, probes=probes, started=recording.started, tapes=Loose(recording)
    )


async def run_strictly(recording: Recording, own: Options) -> Report:
    """Probe a recording that answers only what it was asked, with all probes."""
    return await probe_endpoint(recording.endpoint, options=own, started=recording.started, tapes=Player(recording))


OPTIONS = Options(
    ca_file=str(FOLDER / "authority.pem"),
    limits=LIMITS,
    allow_private=True,
    ehlo_name="probe.example.test",
    resolver=("127.0.0.1", 53),
)


# --- what a stream contains -------------------------------------------------------------------------------------------

TRUE_NEEDS: dict[str, str] = {
    **{
        f"smtp.{metric}": keyword
        for metric, keyword in {
            "starttls": "starttls", "pipelining": "pipelining", "eight_bit_mime": "8bitmime", "smtputf8": "smtputf8",
            "chunking": "chunking", "dsn": "dsn", "enhanced_status_codes": "enhancedstatuscodes",
            "requiretls": "requiretls", "binary_mime": "binarymime", "burl": "burl", "deliver_by": "deliverby",
            "future_release": "futurerelease", "limits": "limits", "mt_priority": "mt-priority",
            "no_soliciting": "no-soliciting", "etrn": "etrn", "vrfy_offered": "vrfy", "expn_offered": "expn",
            "help_offered": "help", "client_override": "xclient", "auth_before_tls_offered": "auth",
            "auth_legacy_syntax": "auth=", "tls_required": "5",
        }.items()
    },
    "imap.starttls": "starttls", "imap.login_disabled": "logindisabled", "pop3.starttls": "stls",
    "sieve.starttls": "starttls", "http.hsts": "strict-transport-security", "http.hsts_preload": "preload",
    "http.hsts_include_subdomains": "includesubdomains", "http.http3_announced": "h3",
    "http.authentication_required": "40", "http.problem_details": "problem+json", "spf.present": "v=spf1",
    "dmarc.present": "v=dmarc1", "mta_sts.record": "v=stsv1", "tls_rpt.present": "v=tlsrptv1",
    "bimi.present": "v=bimi1",
}  # fmt: skip
"""A metric that is true, or of a record that is there: what must have been sent for that."""

SPOKEN = ("smtp.", "imap.", "pop3.", "sieve.", "http.", "status.", "spf.record", "spf.all", "reach.greeting_names")
"""Metrics whose texts and numbers are the server's own words, so that they must be found in the stream as they are."""

NOT_WORDS = frozenset({
    # Derived: how many there are of something, a level of ours, another form of the same, what is wrong in our words.
    "http.redirects", "http.version", "status.open_incidents", "status.components", "status.incidents_90_days",
    "status.incident_minutes_90_days", "status.indicator", "smtp.future_release_until", "smtp.extension_parameters",
    "spf.all", "spf.error",
    # What is wrong, in our words.
    "certificate.trust_error", "certificate.other_trust_error", "certificate.ocsp_error", "bimi.svg_deviations",
    "bimi.certificate_deviations",
    # Names of numbers in certificates (object identifiers).
    "certificate.signature_algorithm", "certificate.other_signature_algorithm",
})  # fmt: skip


class Stream:
    """All that a mutant sends, and what it does not contain."""

    def __init__(self, recording: Recording) -> None:
        parts: list[bytes] = []
        own = {str(recording.endpoint.host), recording.endpoint.domain, recording.endpoint.url, "probe.example.test"}
        for session in recording.sessions:
            for learnt in session.learnt:
                parts += _parts_of_answer(learnt)
            for attempt in session.attempts:
                own.add(attempt.address)
                for event in attempt.events:
                    parts.append(event.data)
                    if event.kind == "tls" and "session" in event.facts:
                        shown = session_from_json(event.facts["session"])
                        parts += [*shown.chain, shown.ocsp_staple or b""]
                        own |= {shown.version, shown.cipher, shown.group, shown.alpn}
        self._bytes = b"\n".join(parts)
        self.text = self._bytes.decode("latin-1").casefold() + "\n" + "\n".join(own).casefold()
        self._plain = self.text.translate(_NO_PUNCTUATION)
        self.http2 = "h2" in own

    @functools.cached_property
    def shown(self) -> str:
        """The stream as the probes show it, 8-bit and control bytes escaped."""
        return printable(self._bytes, 1 << 30).casefold()

    def problem(self, metric: Metric, found: Measurement) -> str:
        """What of a measured value the stream does not contain; "" when all is there."""
        value = found.value
        if value is None or metric.key in NOT_WORDS or (self.http2 and metric.key.startswith("http.")):
            return ""  # (headers are compressed in HTTP/2)
        if metric.key in TRUE_NEEDS and value is True:
            needed = TRUE_NEEDS[metric.key]
            return "" if needed in self.text else f"{metric.key} is true without {needed}"
        if metric.key.endswith("_ms"):
            return "" if isinstance(value, float) and 0 <= value <= 1000 * (LIMITS.deadline + GRACE) else f"{value} ms"
        spoken = metric.key.startswith(SPOKEN)
        if isinstance(value, bool) or metric.type == "level":
            return ""
        if isinstance(value, int | float):
            return "" if not spoken or self._number(int(value)) else f"{metric.key} {value} is not in the stream"
        for text in value if isinstance(value, tuple) else (value,):
            wrong = self._words(text) if spoken else self._tokens(text)
            if wrong:
                return f"{metric.key}: {wrong!r} is not in the stream"
        return ""

    def _number(self, value: int) -> bool:
        return re.search(rf"(?<!\d)0*{value}(?!\d)", self.text) is not None or value in (0, 1)

    def _words(self, text: str) -> str:
        return "" if text.casefold() in self.text or text.casefold() in self.shown else self._tokens(text)

    def _tokens(self, text: str) -> str:
        """The first word of a text that was neither sent nor is one of the probes' own names."""
        for token in re.findall(r"[a-z0-9]{3,}", text.casefold()):
            if token not in self._plain and token not in own_words() and token not in self.shown:
                return token
        return ""


def _parts_of_answer(learnt: Learnt) -> list[bytes]:
    answer = learnt.answer
    said = answer.get("answer", answer.get("server"))
    parts = [learnt.question.encode("utf-8", "backslashreplace")]
    if said is not None:
        parts += [each.encode("utf-8", "backslashreplace") for each in said["records"]]
        if "message" in said:
            parts.append(base64.b64decode(said["message"]))
            parts.append(parts[-1].translate(_ESCAPED))
    return [*parts, *(each.encode() for each in answer.get("addresses", ()))]


_NO_PUNCTUATION = dict.fromkeys(code for code in range(256) if not chr(code).isalnum())
_ESCAPED = bytes(byte if 32 < byte < 127 else 46 for byte in range(256))


@functools.cache
def own_words() -> frozenset[str]:
    """The words of names that probes give to what they saw in bytes: cipher suites, groups, signature schemes, key
    types, faults. Not of keywords, names and numbers, which are the server's."""
    from probes import ciphers, suites

    words: set[str] = set()
    for module in (ciphers, suites):
        for value in vars(module).values():
            if isinstance(value, dict):
                words |= {str(each) for pair in value.items() for each in pair}
    words |= set(GROUP_NAMES.values())
    for metric in registry.metrics():
        words |= set(metric.levels)
        if not metric.key.startswith(SPOKEN):
            words |= set(re.findall(r"[A-Za-z0-9_-]+", metric.meaning))
    return frozenset(token for word in words for token in re.findall(r"[a-z0-9]{3,}", word.casefold()))


@functools.cache
def metrics() -> dict[str, Metric]:
    """Every metric, by key."""
    return {metric.key: metric for metric in registry.metrics()}


def problems(recording: Recording, report: Report) -> list[str]:
    """What a report on a mutant must not say."""
    wrong = []
    stream: Stream | None = None
    if report.duration_ms > 1000 * (LIMITS.deadline + GRACE):
        wrong.append(f"took {report.duration_ms:.0f} ms")
    for each in report.measurements:
        if each.cause is Cause.PROBE_BUG:
            wrong.append(f"{each.metric}: {each.detail}")
        elif each.value is not None:
            stream = stream or Stream(recording)
            problem = stream.problem(metrics()[each.metric], each)
            if problem:
                wrong.append(problem)
    return wrong


# --- memory -----------------------------------------------------------------------------------------------------------


def main() -> None:
    """Run probes over huge mutants and print by how many bytes the peak of the memory grew: a process of its own, as
    ``tests.hostile.memory``."""
    from tests.hostile.memory import peak

    chance = random.Random(int(sys.argv[1]))
    with asyncio.Runner(loop_factory=ReplayLoop) as runner:
        for recording in recordings().values():
            runner.run(run(recording, None, OPTIONS))
        before = peak()
        values = causes = 0
        for recording in list(recordings().values()) * int(sys.argv[2]):
            report = runner.run(run(mutant(recording, chance, huge=True), None, OPTIONS))
            values += sum(each.cause is None for each in report.measurements)
            causes += sum(each.cause is Cause.REPLY_TOO_LONG for each in report.measurements)
        print(json.dumps({"growth": peak() - before, "values": values, "too long": causes}))


if __name__ == "__main__":
    main()


__all__ = ["Attempt", "Event", "Loose", "Stream", "mutant", "mutated", "problems", "recordings", "run"]
