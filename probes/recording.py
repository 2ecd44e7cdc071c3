"""Recordings: what one live measurement saw, as a file.

A ``Recorder`` stands between one endpoint's ``Network`` and the outside and keeps what the probes saw: every connection
with its bytes in both directions (plain ones before TLS, decrypted ones after it), when they came, what a handshake
showed; every question to DNS with its answer or cause; whatever else was learnt about the surroundings.
``probes.replay`` runs probes over it again.

A recording read back is hostile input like any other: its size, its structure and every number in it are checked, and
``RecordingError`` names the place of the fault. A recording never holds a secret: what is sent under another name in
the transcript (``send_line(…, shown=…)``) is kept under that name only.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import errno
import functools
import hashlib
import json
import math
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast, get_args

from probes.addresses import literal
from probes.connection import Connection, Ticket, TLSSession, Wire, connect, now
from probes.model import ROLES, Cause, Endpoint, TLSMode, Unmeasured
from probes.network import purpose
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Network, Options
    from probes.resolver import Answer

T = TypeVar("T")

FORMAT = "mailrubric-recording"
VERSION = 1
MAXIMUM_FILE_BYTES = 32 * 1024 * 1024
"""A longer file is not read."""
MAXIMUM_BYTES = 8 * 1024 * 1024
MAXIMUM_EVENTS = 50_000
"""How many bytes and events of one endpoint are kept. What comes later is not in the recording; it says so itself."""
MAXIMUM_SESSIONS = 16
MAXIMUM_SECONDS = 3600.0

Kind = Literal["in", "out", "secret", "tls", "ticket", "eof", "lost", "late", "fail", "closed", "step"]
ACTIONS: frozenset[str] = frozenset({"out", "secret", "tls", "ticket", "closed"})
"""Events that are our own doing. The others happen to us, except for ``step``, which only marks a time."""


class RecordingError(Exception):
    """A recording cannot be written or read; the text is a sentence for people."""


# --- what a recording holds -------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Event:
    """One thing that happened on a connection. ``at``: seconds since the measurement began.

    ``in``, ``out``: ``data``. ``secret``: sent, ``text`` stands for it. ``tls``: a handshake, ``facts`` say what was
    asked and what it showed. ``ticket``: asked for in ``facts``. ``eof``: the server sends no more. ``lost``: the
    connection is gone, ``text`` says how. ``late``: we waited in vain. ``fail``: ``facts`` name the cause that the step
    ended with. ``closed``: we hung up. ``step``: we began something that had to end at ``until`` of the ``facts``, in
    seconds; on a busy machine that is later than the bytes alone tell.
    """

    at: float
    kind: Kind
    data: bytes = b""
    text: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Attempt:
    """One connection, or why there is none. ``purpose``: for which part of the measurement. ``tried``: whether the
    server was asked at all (or our own manners kept us from it). ``done``: seconds until it was open, or had failed.
    ``cut``: more happened than was kept."""

    address: str
    port: int
    purpose: str = ""
    tried: bool = False
    done: float = 0.0
    connect_ms: float = 0.0
    local: str = ""
    cause: Cause | None = None
    detail: str = ""
    cut: bool = False
    events: list[Event] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Learnt:
    """Something that was found out: ``answer`` as :func:`encoded`, at so many seconds."""

    question: str
    at: float
    answer: dict[str, Any]


@dataclasses.dataclass(slots=True)
class Session:
    """What one endpoint's network saw: an endpoint has one, a domain with several MX hosts one more for each."""

    endpoint: str
    learnt: list[Learnt] = dataclasses.field(default_factory=list)
    attempts: list[Attempt] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Recording:
    """One endpoint's whole measurement. ``started``: in UTC. ``options``: how the run behaved, as JSON. ``seed``: what
    ``Network.random`` drew from."""

    endpoint: Endpoint
    started: datetime.datetime
    versions: dict[str, str]
    options: dict[str, Any]
    seed: bytes
    sessions: list[Session] = dataclasses.field(default_factory=list)


class Tape(Protocol):
    """What stands between a ``Network`` and the outside."""

    now: datetime.datetime
    replays: bool

    def attach(self, network: Network, started: float) -> None:
        """The network begins, at this loop time."""

    def random(self, purpose: str, size: int) -> bytes:
        """See ``Network.random``."""

    async def learn(self, question: str, work: Awaitable[T], in_time: Callable[[Awaitable[T]], Awaitable[T]]) -> T:
        """What ``in_time(work)`` gives, or once gave."""

    async def dial(self, address: str, port: int, go: Callable[..., Awaitable[Connection]]) -> Connection:
        """What ``go(open_wire=…, make=…)`` gives, see ``Network._dial_now``."""


class Tapes(Protocol):
    """Where the networks of one endpoint get their tapes."""

    def tape(self, endpoint: Endpoint) -> Tape:
        """A tape for this endpoint's network."""


def drawn(seed: bytes, purpose: str, size: int) -> bytes:
    """Bytes drawn from a recording's seed, the same for the same purpose."""
    return hashlib.shake_256(seed + purpose.encode("utf-8", "backslashreplace")).digest(size)


# --- recording --------------------------------------------------------------------------------------------------------


class Recorder:
    """Keeps one endpoint's measurement. Give it to ``probes.runner.probe_endpoint``, then ``save`` it."""

    def __init__(self, endpoint: Endpoint, options: Options, started: datetime.datetime) -> None:
        self.recording = Recording(endpoint, started.astimezone(datetime.UTC), {}, {}, os.urandom(16))
        self._options = options
        self._bytes = MAXIMUM_BYTES
        self._events = MAXIMUM_EVENTS

    def tape(self, endpoint: Endpoint) -> Tape:
        """A tape that keeps what it lets through."""
        session = Session(endpoint.key)
        self.recording.sessions.append(session)
        return _RecordingTape(self, session)

    def attached(self, network: Network) -> None:
        """A network has begun: now it is known under which name we introduce ourselves."""
        self.recording.options = _options_to_json(self._options) | {"ehlo_name": network.ehlo_name}

    def keep(self, attempt: Attempt, event: Event) -> Event:
        """Add an event, as long as there is room."""
        if not attempt.cut:
            self._bytes -= len(event.data)
            self._events -= 1
            attempt.cut = self._bytes < 0 or self._events < 0
            if not attempt.cut:
                attempt.events.append(event)
        return event

    def save(self, folder: Path, versions: Mapping[str, str]) -> Path:
        """Write the recording into ``folder`` under its :func:`file_name`, never over another. ``RecordingError``."""
        self.recording.versions = dict(versions)
        path = folder / file_name(self.recording.endpoint)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror or error
            raise RecordingError(f"nothing can be recorded into {folder}: {why}") from None
        try:
            with path.open("x", encoding="ascii") as file:
                file.write(to_text(self.recording))
        except FileExistsError:
            raise RecordingError(f"{path} exists already and is left as it is") from None
        except OSError as error:
            raise RecordingError(f"the recording {path} cannot be written: {error.strerror or error}") from None
        return path


class _RecordingTape:
    replays = False

    def __init__(self, recorder: Recorder, session: Session) -> None:
        self.recorder = recorder
        self.now = recorder.recording.started
        self._session = session
        self._started = 0.0

    def attach(self, network: Network, started: float) -> None:
        self._started = started
        self.recorder.attached(network)

    def random(self, purpose: str, size: int) -> bytes:
        return drawn(self.recorder.recording.seed, purpose, size)

    def since(self, loop_time: float) -> float:
        """A time of the loop as one of the recording."""
        return round(loop_time - self._started, 6)

    def happened(self, attempt: Attempt, kind: Kind, at: float | None = None, **what: Any) -> Event:
        """Keep one event."""
        return self.recorder.keep(attempt, Event(self.since(now() if at is None else at), kind, **what))

    async def learn(self, question: str, work: Awaitable[T], in_time: Callable[[Awaitable[T]], Awaitable[T]]) -> T:
        try:
            result = await in_time(work)
        except Unmeasured as problem:
            self._session.learnt.append(Learnt(question, self.since(now()), encoded(problem)))
            raise
        self._session.learnt.append(Learnt(question, self.since(now()), encoded(result)))
        return result

    async def dial(self, address: str, port: int, go: Callable[..., Awaitable[Connection]]) -> Connection:
        attempt = Attempt(address, port, purpose.get())
        self._session.attempts.append(attempt)

        async def open_wire(text: str, number: int, until: float) -> Wire:
            attempt.tried = True
            wire = await connect(text, number, until, lambda: _RecordedWire(self, attempt))
            attempt.done = self.since(now())
            return wire

        try:
            connection = await go(open_wire=open_wire, make=functools.partial(_RecordedConnection, self, attempt))
        except Unmeasured as problem:
            attempt.cause, attempt.detail = problem.cause, problem.detail
            attempt.done = self.since(now())
            raise
        attempt.connect_ms = connection.connect_ms
        attempt.local = connection.local_address
        return connection


class _RecordedWire(Wire):
    def __init__(self, tape: _RecordingTape, attempt: Attempt) -> None:
        super().__init__()
        self.plain = True
        """Whether what comes is what the probes see; under TLS the connection knows that."""
        self._tape = tape
        self._attempt = attempt

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` have arrived."""
        super().buffer_updated(nbytes)
        if self.plain:
            self._tape.happened(self._attempt, "in", self.arrivals.latest, data=bytes(self._chunk[:nbytes]))

    def eof_received(self) -> bool:
        """The peer will send no more."""
        if self.plain:
            self._tape.happened(self._attempt, "eof")
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self.plain:
            self._tape.happened(self._attempt, "lost", text=_how(exc))
        super().connection_lost(exc)


class _RecordedConnection(Connection):
    def __init__(self, tape: _RecordingTape, attempt: Attempt, wire: _RecordedWire, **about: Any) -> None:
        super().__init__(wire, **about)
        attempt.done = tape.since(self._at)
        self._tape = tape
        self._attempt = attempt
        self._recorded_wire = wire
        self._secret: str | None = None
        self._busy = False  # in a step whose failure is kept as its own

    async def send_line(self, line: str, *, shown: str | None = None) -> None:
        self._secret = shown
        try:
            await super().send_line(line, shown=shown)
        finally:
            self._secret = None

    async def send(self, data: bytes, *, shown: str) -> None:
        if self._secret is None:
            sent = self._tape.happened(self._attempt, "out", data=bytes(data))
        else:
            sent = self._tape.happened(self._attempt, "secret", text=self._secret)
        self._busy = True
        try:
            await super().send(data, shown=shown)
        except Unmeasured as problem:
            self._tape.happened(self._attempt, "fail", facts=encoded(problem))
            raise
        finally:
            self._busy = False
            sent.at = self._tape.since(self._at)

    async def start_tls(
        self, server_name: str, *, alpn: Sequence[str] = (), resume: Ticket | None = None
    ) -> TLSSession:
        asked = {"name": server_name, "alpn": list(alpn), "resume": resume is not None}
        self._recorded_wire.plain = False
        self._busy = True
        try:
            session = await super().start_tls(server_name, alpn=alpn, resume=resume)
        except Unmeasured as problem:
            self._tape.happened(self._attempt, "tls", facts=asked | encoded(problem))
            raise
        finally:
            self._busy = False
        self._tape.happened(self._attempt, "tls", self._at, facts=asked | {"session": session_to_json(session)})
        return session

    def ticket(self) -> Ticket:
        ticket = super().ticket()
        facts = {"resumable": ticket.resumable, "early_data": ticket.early_data}
        self._tape.happened(self._attempt, "ticket", facts=facts)
        return ticket

    def abort(self) -> None:
        if self._released is not None:
            self._recorded_wire.plain = False
            self._tape.happened(self._attempt, "closed")
        super().abort()

    def _until(self, timeout: float | None) -> float:
        began = now()
        until = super()._until(timeout)
        if not self._busy:
            self._tape.happened(self._attempt, "step", began, facts={"until": self._tape.since(until)})
        return until

    async def _wait(self, until: float, doing: str) -> None:
        try:
            await super()._wait(until, doing)
        except Unmeasured:
            if not self._busy:
                self._tape.happened(self._attempt, "late")
            raise

    async def _more_decrypted(self, until: float, doing: str) -> bool:
        before = len(self._decrypted)
        events = len(self._attempt.events)
        try:
            more = await super()._more_decrypted(until, doing)
        except Unmeasured as problem:
            if len(self._attempt.events) == events:  # else it came too late, and that has been kept
                self._tape.happened(self._attempt, "fail", facts=encoded(problem))
            raise
        if more:
            self._tape.happened(self._attempt, "in", self._fed_at, data=bytes(self._decrypted[before:]))
        elif self._wire.error is not None:
            self._tape.happened(self._attempt, "lost", text=_how(self._wire.error))
        else:
            self._tape.happened(self._attempt, "eof")
        return more


def _how(error: Exception | None) -> str:
    if error is None:
        return "closed"
    return "timed out" if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT else "reset"


def lost_error(how: str) -> Exception | None:
    """The error behind a lost connection, from how it was kept."""
    if how == "closed":
        return None
    return TimeoutError(errno.ETIMEDOUT, how) if how == "timed out" else ConnectionResetError(how)


# --- the file ---------------------------------------------------------------------------------------------------------


def file_name(endpoint: Endpoint) -> str:
    """The name of an endpoint's recording: readable, and different for different endpoints."""
    words = re.sub(r"[^a-z0-9.]+", "-", endpoint.key.lower().replace("://", " ")).strip("-.")[:80].strip("-.")
    return f"{words}-{hashlib.sha256(endpoint.key.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}.json"


def to_text(recording: Recording) -> str:
    """The recording as ASCII JSON, an event a line."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "endpoint": recording.endpoint.to_json(),
        "started": recording.started.isoformat(),
        "versions": recording.versions,
        "options": recording.options,
        "seed": recording.seed.hex(),
        "sessions": [
            {
                "endpoint": session.endpoint,
                "learnt": [dataclasses.asdict(each) for each in session.learnt],
                "connections": [_attempt_to_json(each) for each in session.attempts],
            }
            for session in recording.sessions
        ],
    }
    return json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def _attempt_to_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "address": attempt.address,
        "port": attempt.port,
        "purpose": attempt.purpose,
        "tried": attempt.tried,
        "done": attempt.done,
        "connect_ms": attempt.connect_ms,
        "local": attempt.local,
        "cause": None if attempt.cause is None else attempt.cause.value,
        "detail": attempt.detail,
        "cut": attempt.cut,
        "events": [_event_to_json(each) for each in attempt.events],
    }


def _event_to_json(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = {"at": event.at, "kind": event.kind}
    if event.data:
        found["data"] = _base64(event.data)
    if event.text:
        found["text"] = event.text
    if event.facts:
        found["facts"] = event.facts
    return found


def read(path: Path) -> Recording:
    """The recording in a file. ``RecordingError`` when there is none, or its text is no recording."""
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_FILE_BYTES + 1)
    except OSError as error:
        raise RecordingError(f"the recording {path} cannot be read: {error.strerror or error}") from None
    if len(data) > MAXIMUM_FILE_BYTES:
        raise RecordingError(f"{path} is longer than {MAXIMUM_FILE_BYTES} bytes: no recording is")
    try:
        return from_text(data)
    except RecordingError as error:
        raise RecordingError(f"{path} is no usable recording: {error}") from None


def from_text(data: bytes) -> Recording:
    """The recording that a file's bytes are. ``RecordingError`` names the place of the first fault."""
    try:
        document = json.loads(data, parse_constant=_no_number, parse_int=_whole_number)
    except (ValueError, RecursionError) as error:  # also not UTF-8
        raise RecordingError(f"it is no JSON: {printable(str(error), 120) or 'nested too deeply'}") from None
    return _Reader().recording(document)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _whole_number(text: str) -> int:
    if len(text) > 18:
        raise ValueError("a number of more than 18 digits")
    return int(text)


class _Reader:
    """Checks every part of a document that comes from who knows where, and makes a recording of it."""

    def __init__(self) -> None:
        self._bytes = self._events = 0

    def recording(self, document: object) -> Recording:
        """The whole."""
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise RecordingError(f'its "format" is not "{FORMAT}"')
        if document.get("version") != VERSION:
            raise RecordingError(f'its "version" is not {VERSION}: another Mailrubric has made it')
        where = "the document"
        sessions = _list(document, "sessions", where, MAXIMUM_SESSIONS)
        try:
            started = datetime.datetime.fromisoformat(_text(document, "started", where, 40))
            seed = bytes.fromhex(_text(document, "seed", where, 64))
        except ValueError as error:
            raise RecordingError(f"{where}: {error}") from None
        if started.tzinfo is None:
            raise RecordingError(f'{where}: "started" names no time zone')
        versions = _table(document, "versions", where)
        for name in versions:
            _text(versions, name, "versions", 200)
        return Recording(
            endpoint=_endpoint(_table(document, "endpoint", where)),
            started=started.astimezone(datetime.UTC),
            versions=versions,
            options=_checked_options(_table(document, "options", where)),
            seed=seed,
            sessions=[self._session(each, f"sessions[{index}]") for index, each in enumerate(sessions)],
        )

    def _session(self, found: object, where: str) -> Session:
        table = _as_table(found, where)
        learnt = _list(table, "learnt", where, MAXIMUM_EVENTS)
        attempts = _list(table, "connections", where, 1000)
        return Session(
            endpoint=_text(table, "endpoint", where),
            learnt=[self._learnt(each, f"{where}.learnt[{index}]") for index, each in enumerate(learnt)],
            attempts=[self._attempt(each, f"{where}.connections[{index}]") for index, each in enumerate(attempts)],
        )

    def _learnt(self, found: object, where: str) -> Learnt:
        table = _as_table(found, where)
        answer = _table(table, "answer", where)
        _check_answer(answer, f"{where}.answer")
        return Learnt(_text(table, "question", where, 1000), _seconds(table, "at", where), answer)

    def _attempt(self, found: object, where: str) -> Attempt:
        table = _as_table(found, where)
        address = _text(table, "address", where, 60)
        local = _text(table, "local", where, 60)
        if literal(address) is None or (local and literal(local) is None):
            raise RecordingError(f"{where}: an address is no IP address")
        events: list[Event] = []
        for index, each in enumerate(_list(table, "events", where, MAXIMUM_EVENTS)):
            event = self._event(each, f"{where}.events[{index}]")
            if self._bytes > MAXIMUM_BYTES or self._events > MAXIMUM_EVENTS:
                raise RecordingError(f"{where}.events[{index}]: more than a recording may hold")
            events.append(event)
        port = _number(table, "port", where)
        if not (isinstance(port, int) and 0 < port < 65536):
            raise RecordingError(f'{where}: "port" is no port')
        return Attempt(
            address=address,
            port=port,
            purpose=_text(table, "purpose", where, 200),
            tried=_truth(table, "tried", where),
            done=_seconds(table, "done", where),
            connect_ms=float(_number(table, "connect_ms", where)),
            local=local,
            cause=None if table.get("cause") is None else _cause(table, where),
            detail=_text(table, "detail", where),
            cut=_truth(table, "cut", where),
            events=events,
        )

    def _event(self, found: object, where: str) -> Event:
        table = _as_table(found, where)
        kind = _text(table, "kind", where, 20)
        if kind not in _KINDS:
            raise RecordingError(f'{where}: there is no "kind" {printable(kind, 20)}')
        data = _bytes(table, "data", where) if "data" in table else b""
        self._bytes += len(data)
        self._events += 1
        text = _text(table, "text", where) if "text" in table else ""
        facts = _table(table, "facts", where) if "facts" in table else {}
        if kind == "tls":
            _check_handshake(facts, f"{where}.facts")
        elif kind == "ticket":
            _truth(facts, "resumable", f"{where}.facts")
            if facts.get("early_data") is not None:
                _number(facts, "early_data", f"{where}.facts")
        elif kind == "step":
            _seconds(facts, "until", f"{where}.facts")
        elif kind == "fail":
            _cause(facts, f"{where}.facts")
            _text(facts, "detail", f"{where}.facts")
        return Event(_seconds(table, "at", where), cast("Kind", kind), data, text, facts)


_KINDS = frozenset(get_args(Kind))
_MAXIMUM_TEXT = 64 * 1024


def _as_table(found: object, where: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise RecordingError(f"{where}: no object")
    return found


def _table(table: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    return _as_table(table.get(name), f"{where}.{name}")


def _list(table: Mapping[str, Any], name: str, where: str, at_most: int) -> list[Any]:
    found = table.get(name)
    if not isinstance(found, list) or len(found) > at_most:
        raise RecordingError(f'{where}: "{printable(name, 40)}" is no list of at most {at_most}')
    return found


def _text(table: Mapping[str, Any], name: str, where: str, at_most: int = _MAXIMUM_TEXT) -> str:
    found = table.get(name)
    if not isinstance(found, str) or len(found) > at_most:
        raise RecordingError(f'{where}: "{printable(name, 40)}" is no text of at most {at_most} characters')
    return found


def _texts(table: Mapping[str, Any], name: str, where: str, at_most: int = 1000) -> list[str]:
    found = _list(table, name, where, at_most)
    if not all(isinstance(each, str) and len(each) <= _MAXIMUM_TEXT for each in found):
        raise RecordingError(f'{where}: "{printable(name, 40)}" holds something that is no text')
    return found


def _truth(table: Mapping[str, Any], name: str, where: str) -> bool:
    found = table.get(name)
    if not isinstance(found, bool):
        raise RecordingError(f'{where}: "{name}" is neither true nor false')
    return found


def _number(table: Mapping[str, Any], name: str, where: str) -> int | float:
    found = table.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found) or found < 0:
        raise RecordingError(f'{where}: "{name}" is no number from 0 on')
    return found


def _seconds(table: Mapping[str, Any], name: str, where: str) -> float:
    found = _number(table, name, where)
    if found > MAXIMUM_SECONDS:
        raise RecordingError(f'{where}: "{name}" is more than {MAXIMUM_SECONDS:g} seconds')
    return float(found)


def _cause(table: Mapping[str, Any], where: str) -> Cause:
    try:
        return Cause(_text(table, "cause", where, 40))
    except ValueError:
        raise RecordingError(f'{where}: "cause" is no known cause') from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(table: Mapping[str, Any], name: str, where: str) -> bytes:
    try:
        return base64.b64decode(_text(table, name, where, MAXIMUM_FILE_BYTES), validate=True)
    except ValueError:  # binascii.Error is one
        raise RecordingError(f'{where}: "{name}" is not base64') from None


def _endpoint(table: Mapping[str, Any]) -> Endpoint:
    where = "endpoint"
    role, tls = _text(table, "role", where, 20), table.get("tls", "starttls")
    port = _number(table, "port", where) if "port" in table else 0
    if role not in ROLES or tls not in get_args(TLSMode) or not (isinstance(port, int) and port < 65536):
        raise RecordingError(f"{where}: role, tls or port is not one")
    texts = {
        name: _text(table, name, where, 2000) for name in ("host", "domain", "url", "kind", "label") if name in table
    }
    selectors = tuple(_texts(table, "selectors", where)) if "selectors" in table else ()
    return Endpoint(role, port=port, tls=cast("TLSMode", tls), selectors=selectors, **texts)


# --- options ----------------------------------------------------------------------------------------------------------

_NOT_KEPT = frozenset({"ca_file", "record_to"})
"""Options that name files of the machine that recorded."""


def _options_to_json(options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {"limits": dataclasses.asdict(options.limits)}
    for field in dataclasses.fields(options):
        if field.name not in _NOT_KEPT and field.name != "limits":
            value = getattr(options, field.name)
            found[field.name] = sorted(value) if isinstance(value, frozenset) else _listed(value)
    return found


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _checked_options(table: dict[str, Any]) -> dict[str, Any]:
    options_from_json(table, None)
    return table


def options_from_json(table: Mapping[str, Any], ca_file: str | None) -> Options:
    """The options that a recording was made with; what it does not name is as today. ``RecordingError``."""
    from probes.network import Limits, Options

    limits: dict[str, Any] = {}
    given = _table(table, "limits", "options")
    for field in dataclasses.fields(Limits):
        if field.name in given:
            value = _number(given, field.name, "options.limits")
            limits[field.name] = int(value) if isinstance(field.default, int) else float(value)
    chosen: dict[str, Any] = {}
    for field in dataclasses.fields(Options):
        if field.name in table and field.name not in (*_NOT_KEPT, "limits"):
            chosen[field.name] = _option(field.name, table[field.name], field.default)
    return Options(limits=Limits(**limits), ca_file=ca_file, **chosen)


def _option(name: str, value: Any, default: Any) -> Any:
    """A value of the default's type."""
    wrong = RecordingError(f"options: {name} is not what it should be")
    if default is None:  # resolver
        if value is None:
            return None
        default = ("", 0)
    if isinstance(default, frozenset | tuple):
        if not isinstance(value, list) or len(value) > 1000:
            raise wrong
        made = tuple(tuple(each) if isinstance(each, list) else each for each in value)
        if not all(_is_text_or_pair(each) for each in made) and not _is_text_or_pair(made):
            raise wrong
        return frozenset(made) if isinstance(default, frozenset) else made
    if type(value) is not type(default) or (isinstance(value, str) and len(value) > 1000):
        raise wrong
    if name == "depth" and value not in ("standard", "full"):
        raise wrong
    return value


def _is_text_or_pair(value: Any) -> bool:
    """A text, or (host, port)."""
    if isinstance(value, tuple):
        return len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | str)
    return isinstance(value, str) and len(value) <= 1000


# --- what is learnt and shown -----------------------------------------------------------------------------------------


def encoded(result: object) -> dict[str, Any]:
    """What was learnt, as JSON: an ``answer`` from DNS, a ``server`` answer, ``addresses``, a plain ``value``, or a
    ``cause``."""
    from probes.resolver import Answer, ServerAnswer, ServerFailure

    match result:
        case ServerFailure():
            extra = {"codes": sorted(result.codes), "extended": sorted(result.extended)}
            return {"cause": result.cause.value, "detail": result.detail, **extra}
        case Unmeasured():
            return {"cause": result.cause.value, "detail": result.detail}
        case Answer():
            return {
                "answer": {
                    "name": result.name,
                    "kind": result.kind,
                    "exists": result.exists,
                    "records": list(result.records),
                    "authenticated": result.authenticated,
                    "message": _base64(getattr(result.message, "wire", None) or result.message.to_wire()),
                }
            }
        case ServerAnswer():
            return {"server": {name: _listed(value) for name, value in _fields(result)}}
        case (tuple() as addresses, str(remark)) if all(hasattr(each, "packed") for each in addresses):
            return {"addresses": [str(each) for each in addresses], "remark": remark}
        case None | bool() | int() | float() | str():
            return {"value": result}
        case tuple() | list() | frozenset() if all(isinstance(each, str) for each in result):
            return {"values": sorted(result) if isinstance(result, frozenset) else list(result)}
    # Something that a newer part of the network layer learns: it works, but the recording cannot give it back.
    return {"cause": Cause.NOT_PERMITTED.value, "detail": f"not in the recording: {type(result).__name__}"}


def _fields(result: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(result, field.name)) for field in dataclasses.fields(result)]


def problem_from_json(answer: Mapping[str, Any]) -> Unmeasured:
    """The cause that a step ended with."""
    from probes.resolver import ServerFailure

    cause, detail = Cause(answer["cause"]), answer["detail"]
    if "codes" in answer:
        return ServerFailure(detail, frozenset(answer["codes"]), frozenset(answer["extended"]))
    return Unmeasured(cause, detail)


def decoded(answer: Mapping[str, Any]) -> object:
    """The opposite of :func:`encoded`; raises what was raised then."""
    if "cause" in answer:
        raise problem_from_json(answer)
    if "answer" in answer:
        return _dns_answer(answer["answer"])
    if "server" in answer:
        from probes.resolver import ServerAnswer

        said: dict[str, Any] = answer["server"]
        fields: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in said.items()}
        return ServerAnswer(**fields)
    if "addresses" in answer:
        return tuple(literal(each) for each in answer["addresses"]), answer["remark"]
    return tuple(answer["values"]) if "values" in answer else answer["value"]


def _dns_answer(said: Mapping[str, Any]) -> Answer:
    import dns.exception
    import dns.message

    from probes.resolver import Answer

    try:
        message = dns.message.from_wire(base64.b64decode(said["message"]))
    except (dns.exception.DNSException, ValueError) as error:
        detail = f"not in the recording: its DNS message cannot be read ({printable(str(error), 80)})"
        raise Unmeasured(Cause.NOT_PERMITTED, detail) from None
    rest = {name: said[name] for name in ("name", "kind", "exists", "authenticated")}
    return Answer(records=tuple(said["records"]), message=message, **rest)


def _check_answer(answer: dict[str, Any], where: str) -> None:
    """``RecordingError`` unless :func:`decoded` can do with it."""
    if "cause" in answer:
        _cause(answer, where)
        _text(answer, "detail", where)
        if "codes" in answer:
            _texts(answer, "codes", where)
            if not all(isinstance(each, int) for each in _list(answer, "extended", where, 100)):
                raise RecordingError(f'{where}: "extended" holds something that is no number')
    elif "answer" in answer:
        said = _table(answer, "answer", where)
        for name in ("name", "kind"):
            _text(said, name, where, 300)
        for name in ("exists", "authenticated"):
            _truth(said, name, where)
        _texts(said, "records", where)
        _bytes(said, "message", where)
    elif "server" in answer:
        _check_fields(_table(answer, "server", where), _server_answer_fields(), where)
    elif "addresses" in answer:
        _text(answer, "remark", where)
        addresses = _texts(answer, "addresses", where)
        if not addresses or not all(literal(each) for each in addresses):
            raise RecordingError(f"{where}: an address is no IP address, or there is none")
    elif "values" in answer:
        _texts(answer, "values", where)
    elif "value" not in answer or isinstance(answer["value"], dict | list):
        raise RecordingError(f"{where}: it is no answer")


def _server_answer_fields() -> dict[str, type]:
    return {
        "server": str, "name": str, "kind": str, "code": str, "authoritative": bool, "records": list, "referral": list,
        "tcp": bool,
    }  # fmt: skip


def _check_fields(table: Mapping[str, Any], types: Mapping[str, type], where: str) -> None:
    if set(table) != set(types):
        raise RecordingError(f"{where}: it has other fields than {', '.join(types)}")
    for name, kind in types.items():
        if kind is list:
            _texts(table, name, where)
        elif not isinstance(table[name], kind):
            raise RecordingError(f'{where}: "{name}" is of a wrong type')


def session_to_json(session: TLSSession) -> dict[str, Any]:
    """What a handshake showed; certificates and the staple in base64."""
    found = dict(_fields(session))
    found["chain"] = [_base64(each) for each in session.chain]
    found["ocsp_staple"] = None if session.ocsp_staple is None else _base64(session.ocsp_staple)
    return found


def session_from_json(found: Mapping[str, Any]) -> TLSSession:
    """The opposite."""
    staple = found["ocsp_staple"]
    return TLSSession(
        **{
            **found,
            "chain": tuple(base64.b64decode(each) for each in found["chain"]),
            "ocsp_staple": None if staple is None else base64.b64decode(staple),
        }
    )


def _check_handshake(facts: dict[str, Any], where: str) -> None:
    _text(facts, "name", where, 300)
    _texts(facts, "alpn", where, 20)
    _truth(facts, "resume", where)
    if "session" not in facts:
        _cause(facts, where)
        _text(facts, "detail", where)
        return
    where = f"{where}.session"
    session = _table(facts, "session", where)
    for name in ("version", "cipher", "group", "alpn"):
        _text(session, name, where, 200)
    _number(session, "handshake_ms", where)
    for index, each in enumerate(_texts(session, "chain", where, 100)):
        _bytes({"certificate": each}, "certificate", f"{where}.chain[{index}]")
    if session.get("ocsp_staple") is not None:
        _bytes(session, "ocsp_staple", where)
    known = {field.name: field for field in dataclasses.fields(TLSSession)}
    required = {name for name, field in known.items() if field.default is dataclasses.MISSING}
    if not required <= set(session) <= set(known):
        raise RecordingError(f"{where}: other fields than a TLS session has")
    for name in set(session) - required:
        default = known[name].default
        if default is not None and type(session[name]) is not type(default):
            raise RecordingError(f'{where}: "{name}" is of a wrong type')
