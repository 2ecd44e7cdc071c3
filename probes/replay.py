"""The probes over a recording, without any socket.

A ``Player`` gives a network what a recording holds (``probes.recording``), on an event loop whose clock is the
recording's, so that waiting costs no time and every time that is measured is the recorded one.

What the probes ask for and the recording does not hold (other bytes to send, one more connection, another question)
is ``not_permitted`` with a detail that begins "not in the recording": no server may be asked any more, and what it
would have said is unknown.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from probes.connection import Connection, Ticket, TLSSession, Wire
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import purpose
from probes.recording import (
    ACTIONS,
    Attempt,
    Event,
    Kind,
    Learnt,
    Recording,
    Session,
    Tape,
    decoded,
    drawn,
    lost_error,
    options_from_json,
    problem_from_json,
    session_from_json,
)
from probes.replies import printable

if TYPE_CHECKING:
    from probes.model import Probe, Report
    from probes.network import Network

T = TypeVar("T")

_SLACK = 0.05  # seconds by which a replayed wait may be ahead of the recorded one, which also did some work
_SAME = 0.001  # seconds by which two times are the same in spite of rounding
_EPOCH = 1000.0  # where the clock of a replay begins: any number will do


def missing(what: str) -> Unmeasured:
    """The cause for what a recording does not hold."""
    return Unmeasured(Cause.NOT_PERMITTED, f"not in the recording: {what}")


class _Silence:
    """What a ``ReplayLoop`` has in place of a selector: nothing ever comes from outside; waiting moves the clock."""

    def __init__(self) -> None:
        self.now = _EPOCH

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("a replay waits for something that can never happen")
        self.now += max(0.0, timeout)
        return []


class ReplayLoop(asyncio.BaseEventLoop):
    """An event loop without a single socket, whose clock jumps to the next thing that is due."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self._silence = _Silence()  # what BaseEventLoop._run_once asks

    def time(self) -> float:
        """The recording's time."""
        return self._silence.now

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class Player:
    """Gives the networks of one endpoint what its recording holds."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._sessions = list(recording.sessions)

    def tape(self, endpoint: Endpoint) -> Tape:
        """A tape that plays; an empty one for an endpoint that was not recorded."""
        for session in self._sessions:
            if session.endpoint == endpoint.key:
                self._sessions.remove(session)
                return PlayedTape(self.recording, session)
        return PlayedTape(self.recording, Session(endpoint.key))


class PlayedTape:
    """A tape that plays one session: nothing goes to the outside."""

    replays = True

    def __init__(self, recording: Recording, session: Session) -> None:
        self.now = recording.started
        self._seed = recording.seed
        self._answers: dict[str, list[Learnt]] = {}
        for each in session.learnt:
            self._answers.setdefault(each.question, []).append(each)
        self._attempts: dict[tuple[str, int], list[Attempt]] = {}
        for attempt in session.attempts:
            self._attempts.setdefault((attempt.address, attempt.port), []).append(attempt)
        self._playing: dict[tuple[str, int], list[Playback]] = {}
        self._started = 0.0

    def attach(self, network: Network, started: float) -> None:
        """The network begins."""
        self._started = started

    def random(self, purpose: str, size: int) -> bytes:
        """What was drawn then."""
        return drawn(self._seed, purpose, size)

    def time(self, at: float) -> float:
        """A time of the recording as one of the loop."""
        return round(self._started + at, 6)

    async def reach(self, at: float) -> None:
        """Let the clock reach a time of the recording."""
        wait = self.time(at) - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)

    async def learn(self, question: str, work: Awaitable[T], in_time: Callable[[Awaitable[T]], Awaitable[T]]) -> T:
        """What was learnt then; ``work`` is never begun."""
        discard(work)
        known = self._answers.get(question)
        if not known:
            raise missing(question)
        learnt = known.pop(0) if len(known) > 1 else known[0]
        await self.reach(learnt.at)
        return cast(T, decoded(learnt.answer))

    async def dial(self, address: str, port: int, go: Callable[..., Awaitable[Connection]]) -> Connection:
        """The recorded connection that this is, or why there was none."""
        waiting = self._attempts.get((address, port))
        if not waiting:
            raise missing(f"one more connection to {address} port {port}")
        attempt = waiting.pop(self._likeliest(waiting))
        if not attempt.tried:
            await self.reach(attempt.done)
            raise Unmeasured(attempt.cause or Cause.NOT_PERMITTED, attempt.detail)
        playback = Playback(self, attempt, waiting, self._playing.setdefault((address, port), []))

        async def open_wire(text: str, number: int, until: float) -> Wire:
            await self.reach(attempt.done)
            if attempt.cause is not None:
                raise Unmeasured(attempt.cause, attempt.detail)
            return PlayedWire(playback)

        return await go(open_wire=open_wire, make=functools.partial(PlayedConnection, playback))

    @staticmethod
    def _likeliest(waiting: Sequence[Attempt]) -> int:
        """Which of the recorded connections a dial is, as far as is known before anything is sent: the next of the same
        purpose. Without one (a probe that the recording knows nothing of), the last that came about, else the last that
        was tried: what we kept ourselves from doing then is no answer to somebody else."""
        own = [index for index, each in enumerate(waiting) if each.purpose == purpose.get()]
        if own:
            return own[0]
        return max(range(len(waiting)), key=lambda index: (waiting[index].cause is None, waiting[index].tried, index))


def discard(work: Awaitable[Any]) -> None:
    """Give up what was to be done, before it has begun."""
    if asyncio.iscoroutine(work):
        work.close()
    elif isinstance(work, asyncio.Future):
        work.cancel()


class _Mismatch(Exception):
    """We do something else than was done when the recording was made."""


_Action = tuple[Kind, bytes, str]
"""What we do on a connection: kind, bytes (of ``out``), and a text that says the rest."""


class Playback:
    """One recorded connection as it is played. What came is handed out in its order and at its time, but nothing that
    came after something we did before we do it too.

    What we send is compared with what was sent as one stream, random fields of ClientHellos aside. Which of several
    recorded connections to one address and port this is, is settled by their purpose and order; as soon as what we send
    does not fit, another one that fits from its beginning takes its place: one that nobody has taken yet, or one that
    is being played elsewhere, when that can go on with this one.
    """

    def __init__(self, tape: PlayedTape, attempt: Attempt, waiting: list[Attempt], playing: list[Playback]) -> None:
        self.tape = tape
        self._waiting = waiting
        self._playing = playing
        self._done: list[_Action] = []
        self._heard = False
        self._begin(attempt)
        playing.append(self)

    def _begin(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self._next = 0
        self._actions = [index for index, event in enumerate(attempt.events) if event.kind in ACTIONS]
        self._passed = 0
        self._offset = 0

    def peek(self) -> Event | None:
        """The next thing that happens, or that we have to do first; None at the end."""
        events = self.attempt.events
        done = self._actions[self._passed] if self._passed < len(self._actions) else len(events)
        while self._next < done and (events[self._next].kind in ACTIONS or events[self._next].kind == "step"):
            self._next += 1
        return events[self._next] if self._next < len(events) else None

    def step(self) -> Event | None:
        """Where the step began that the next thing came in, or was waited for in vain; None when that is not known."""
        self.peek()
        before = self._next - 1
        found = self.attempt.events[before] if before >= 0 else None
        return found if found is not None and found.kind == "step" else None

    def take(self) -> None:
        """What :meth:`peek` showed has happened."""
        self._next += 1
        self._heard = True

    def act(self, kind: Kind, data: bytes = b"", text: str = "", *, may_change: bool = True) -> Event:
        """We do something; the event of the recording that it is. ``Unmeasured`` when it was never done."""
        action = (kind, normal(data), text)
        state = (self._passed, self._offset)
        try:
            event = self._match(action)
        except _Mismatch:
            self._passed, self._offset = state
            found = self._other(action) if may_change else None
            if found is None:
                raise missing(_shown(action)) from None
            event = found
        self._done.append(action)
        self._heard = False
        return event

    def _other(self, action: _Action) -> Event | None:
        """Go over to another recorded connection that all we have done fits to."""
        mine = self.attempt
        for other in [each for each in self._waiting if each.cause is None]:
            event = self._change(other, action)
            if event is not None:
                self._waiting[self._waiting.index(other)] = mine
                return event
        for playback in [each for each in self._playing if each is not self]:
            other = playback.attempt
            event = self._change(other, action)
            if event is not None:
                if playback._change(mine) is not None:
                    return event
                self._change(mine)
        return None

    def _change(self, attempt: Attempt, action: _Action | None = None) -> Event | None:
        """Play this connection from now on, if all we have done, and ``action``, fits to it; else nothing changes, and
        None comes back."""
        before = self.attempt, self._next, self._actions, self._passed, self._offset
        self._begin(attempt)
        event = Event(0, "eof")
        try:
            for each in self._done:
                event = self._match(each)
            if self._heard:  # what the other connection said since, this one need not say again
                self._next = self._actions[self._passed] if self._passed < len(self._actions) else len(attempt.events)
            elif self._passed:
                self._next = self._actions[self._passed - 1]
            if action is not None:
                event = self._match(action)
        except _Mismatch:
            self.attempt, self._next, self._actions, self._passed, self._offset = before
            return None
        return event

    def _match(self, action: _Action) -> Event:
        kind, data, text = action
        if kind != "out":
            event = self._action()
            if self._offset or event.kind != kind or _asked(event) != text:
                raise _Mismatch
            self._passed += 1
            return event
        while True:
            event = self._action()
            if event.kind != "out":
                raise _Mismatch
            due = normal(event.data)[self._offset :]
            size = min(len(due), len(data))
            if due[:size] != data[:size]:
                raise _Mismatch
            data = data[size:]
            self._offset = 0 if size == len(due) else self._offset + size
            self._passed += size == len(due)
            if not data:
                return event

    def _action(self) -> Event:
        if self._passed >= len(self._actions):
            raise _Mismatch
        return self.attempt.events[self._actions[self._passed]]


def _asked(event: Event) -> str:
    """The text that tells one action from others of its kind."""
    if event.kind == "tls":
        return _tls_text(event.facts["name"], event.facts["alpn"], event.facts["resume"])
    return event.text if event.kind == "secret" else ""


def _tls_text(name: str, alpn: Sequence[str], resume: bool) -> str:
    return f"a TLS handshake for {name} ({', '.join(alpn) or 'without ALPN'}{', resumed' if resume else ''})"


def _shown(action: _Action) -> str:
    kind, data, text = action
    if kind == "out":
        return f"what is answered to {printable(data, 80)}"
    return text or kind


def normal(data: bytes) -> bytes:
    """Bytes to send without what is drawn by chance: the random, the session id and the key shares of a ClientHello
    (RFC 8446 §4.1.2), which do not change what a server shows to somebody who hangs up then."""
    if len(data) > 11 and data[0] & 0x80 and data[2:5] == b"\x01\x00\x02":  # a ClientHello of SSLv2: its challenge
        size = min(int.from_bytes(data[9:11], "big"), len(data) - 11)
        return data[: len(data) - size] + bytes(size)
    if data[:2] != b"\x16\x03" or data[5:6] != b"\x01" or len(data) < 44:
        return data
    plain = bytearray(data)
    at = 11
    plain[at : at + 32] = bytes(32)
    at += 32
    size = data[at]
    _blank(plain, at + 1, size)
    at += 1 + size
    at += 2 + int.from_bytes(data[at : at + 2], "big")  # suites
    at += 1 + int.from_bytes(data[at : at + 1], "big")  # compression
    at += 2
    while at + 4 <= len(data):
        kind, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        at += 4
        if kind == 51:
            _blank_shares(plain, at + 2, min(at + length, len(data)))
        elif kind in (35, 41):  # a ticket, a pre-shared key
            _blank(plain, at, length)
        at += length
    return bytes(plain)


def _blank(plain: bytearray, at: int, size: int) -> None:
    plain[at : at + size] = bytes(len(plain[at : at + size]))


def _blank_shares(plain: bytearray, at: int, end: int) -> None:
    while at + 4 <= end:
        size = int.from_bytes(plain[at + 2 : at + 4], "big")
        at += 4
        _blank(plain, at, size)
        at += size


class _PlayedTransport:
    """What little of a transport a connection needs."""

    def __init__(self, wire: Wire, local: str) -> None:
        self._wire = wire
        self._local = local

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Our own address, as it was."""
        return (self._local, 0) if name == "sockname" and self._local else default

    def abort(self) -> None:
        """Hang up."""
        asyncio.get_running_loop().call_soon(self._wire.connection_lost, None)


class PlayedWire(Wire):
    """What comes in place of a socket."""

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self._playback = playback
        self._transport = cast(asyncio.Transport, _PlayedTransport(self, playback.attempt.local))

    def consumed(self) -> None:
        """Nothing is ever held back."""

    async def changed(self, until: float) -> None:
        """The next thing happens, at its time; ``TimeoutError`` when nothing does until then."""
        playback = self._playback
        tape = playback.tape
        while True:
            event = playback.peek()
            if event is None:
                raise missing("what came on this connection later on")
            same = self._same_wait(until)
            await self._wait_for(event, until, same)
            if playback.peek() is event:
                break
            # While we waited, this turned out to be another of the recorded connections.
        if event.kind == "late":
            playback.take()
        elif event.kind in ACTIONS and until > tape.time(event.at) + _SLACK:
            raise missing("what would have come if we had waited longer")
        elif event.kind not in ACTIONS and (same or tape.time(event.at) <= until + _SLACK):
            self.happen(event)
            return
        raise TimeoutError

    def _same_wait(self, until: float) -> bool:
        """Whether the recorded wait for the next thing would have ended at the same time. Then it ended as recorded:
        what a busy machine noticed late was received all the same."""
        step = self._playback.step()
        return step is not None and abs(self._playback.tape.time(step.facts["until"]) - until) < _SAME

    async def _wait_for(self, event: Event, until: float, same: bool) -> None:
        """Let the time come at which this event, or ``until``, ends the wait."""
        at = self._playback.tape.time(event.at) + (_SLACK if event.kind in ACTIONS else 0)
        if event.kind == "late" or (at > until + _SLACK and not same):
            at = until
        elif event.kind in ACTIONS:
            at = min(at, until)
        wait = at - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)

    def happen(self, event: Event) -> None:
        """Take what has come."""
        self._playback.take()
        match event.kind:
            case "in":
                self.received += event.data
                self.arrivals.add(len(event.data), self._playback.tape.time(event.at))
            case "eof":
                self.ended = True
            case "lost":
                self.ended = self.lost = True
                self.error = lost_error(event.text)
            case "fail":
                raise problem_from_json(event.facts)

    def happen_now(self) -> None:
        """Take all that has come by now."""
        loop = asyncio.get_running_loop()
        while (event := self._playback.peek()) is not None and event.kind in ("in", "eof", "lost"):
            if self._playback.tape.time(event.at) > loop.time() + _SLACK:
                return
            self.happen(event)


class PlayedConnection(Connection):
    """TLS is not done again: what comes after a recorded handshake is played as it was decrypted."""

    def __init__(self, playback: Playback, wire: PlayedWire, **about: Any) -> None:
        super().__init__(wire, **about | {"connect_ms": playback.attempt.connect_ms})
        self._at = playback.tape.time(playback.attempt.done)
        self._playback = playback
        self._played_wire = wire

    @property
    def buffered(self) -> bytes:
        """What has come by now and was not consumed."""
        self._played_wire.happen_now()
        return super().buffered

    @property
    def ended(self) -> bool:
        """Whether all that will ever come has come and was consumed."""
        self._played_wire.happen_now()
        return super().ended

    def _step_begins(self) -> float:
        """As the recording has it, where it does: our own work takes no time here, which it did then."""
        begins = super()._step_begins()
        step = self._playback.step()
        return begins if step is None else max(begins, self._playback.tape.time(step.at))

    async def send_line(self, line: str, *, shown: str | None = None) -> None:
        """As it was sent; what stands for a secret is compared, not the secret."""
        if shown is None:
            return await super().send_line(line)
        await self._send("secret", text=shown, shown=shown)
        if self._first_line_sent is None:
            self._first_line_sent = self.clock()

    async def send(self, data: bytes, *, shown: str) -> None:
        """As it was sent."""
        await self._send("out", bytes(data), shown=shown)

    async def _send(self, kind: Kind, data: bytes = b"", text: str = "", *, shown: str) -> None:
        self._record("out", printable(shown), self.number)
        self._played_wire.happen_now()
        if self._wire.lost:
            raise self._closed("before we could send")
        if not data and kind == "out":
            return
        event = self._playback.act(kind, data, text, may_change=not self._wire.received)
        await self._playback.tape.reach(event.at)
        self._at = self._playback.tape.time(event.at)
        following = self._playback.peek()
        if following is not None and following.kind == "fail":
            self._played_wire.happen(following)

    async def start_tls(
        self, server_name: str, *, alpn: Sequence[str] = (), resume: Ticket | None = None
    ) -> TLSSession:
        """What the handshake showed then."""
        if self.tls is not None:
            raise RuntimeError("this connection has TLS already")
        event = self._playback.act(
            "tls", text=_tls_text(server_name, alpn, resume is not None), may_change=not self._wire.received
        )
        await self._playback.tape.reach(event.at)
        if "session" not in event.facts:
            raise problem_from_json(event.facts)
        self.tls = session_from_json(event.facts["session"])
        self._at = self._playback.tape.time(event.at)
        if not self.tls.resumed:
            self.samples.append(("handshake", self.tls.handshake_ms))
        self._record("note", f"TLS {self.tls.version} {self.tls.cipher} {self.tls.group}".rstrip(), self.number)
        return self.tls

    def ticket(self) -> Ticket:
        """What the server had given then."""
        facts = self._playback.act("ticket").facts
        return Ticket(facts["resumable"], facts["early_data"])


def replay(
    recording: Recording,
    *,
    endpoint: Endpoint | None = None,
    probes: Sequence[Probe] | None = None,
    ca_file: str | None = None,
) -> Report:
    """Run the probes over a recording: the report that they would have made, dated as the recording and marked by
    ``replayed`` in its versions (which probes and when had recorded it). Opens no socket. Must not be called on a
    running event loop.

    ``endpoint``: as the profile says today; None for the recorded one. ``ca_file``: one more trust anchor, for trust is
    judged by today's anchors as of the recording's time.
    """
    with asyncio.Runner(loop_factory=ReplayLoop) as runner:
        return runner.run(_replay(recording, endpoint, probes, ca_file))


async def _replay(
    recording: Recording, endpoint: Endpoint | None, probes: Sequence[Probe] | None, ca_file: str | None
) -> Report:
    from probes.runner import probe_endpoint

    report = await probe_endpoint(
        endpoint or recording.endpoint,
        options=options_from_json(recording.options, ca_file),
        probes=probes,
        started=recording.started,
        tapes=Player(recording),
    )
    return marked(report, recording)


def marked(report: Report, recording: Recording) -> Report:
    """The report with a mark that it comes from a recording, made by these probes."""
    by = recording.versions.get("mailrubric-probes", "unknown")
    versions = {**report.versions, "replayed": f"recorded by mailrubric-probes {by}"}
    also = tuple(marked(other, recording) for other in report.also)
    return dataclasses.replace(report, versions=versions, also=also)
