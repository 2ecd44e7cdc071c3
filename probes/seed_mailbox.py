"""Mailboxes of one's own that test messages are sent to, read over IMAP: did a message arrive, where, and when.

Nothing is changed there: folders are opened with EXAMINE (RFC 9051 §6.3.3), headers read with PEEK, no flag is set and
nothing is moved. Every folder but those of sent mail and drafts is looked in. That a message is nowhere is only said
when a whole round, begun after the stated wait, has looked in all of them; anything else is a cause.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import re
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from probes.authentication import Mechanism, Redactor, choose, decoded, encoded
from probes.conversation import Capabilities
from probes.imap import IMAPDialogue
from probes.letter import MARK_HEADER, number_in
from probes.model import Cause, Endpoint, Step, Unmeasured
from probes.replies import Budget, printable, quoted, sasl_mechanisms
from probes.send import Login
from probes.verified_tls import channel_binding, start_verified_tls

if TYPE_CHECKING:
    from probes.connection import Connection
    from probes.network import Limits, Network

HEADER_BYTES = 32 * 1024
"""How much of a message's headers is read."""
MOST_FOLDERS = 200
"""Folders that are looked in; of a mailbox with more, absence is never concluded."""
SPACING_SECONDS = 5.0
"""Between two looks at the inbox and the spam folder, unless the server tells of new mail itself (IDLE, RFC 2177)."""
ROUNDS_BETWEEN = 6
"""The other folders are looked in every so many rounds, and in the last one."""
MOST_SESSIONS = 4
"""How often a session that broke off is taken up again, and the first one."""
MARGIN_SECONDS = 120.0
"""For the last round, beyond the wait."""
_ROUNDS = 8

Placement = Literal["inbox", "spam", "other"]

_SPAM_NAMES = frozenset(
    {
        "junk", "spam", "bulk", "bulk mail", "junk mail", "junk e-mail", "junk email", "junk-e-mail", "unwanted",
        "spamverdacht", "pourriel", "correo no deseado", "posta indesiderata",
    }
)  # fmt: skip
"""Last parts of names of spam folders, where no folder carries \\Junk (RFC 6154)."""
_SENT_NAMES = frozenset({"sent", "sent items", "sent messages", "sent mail", "sent-mail", "gesendet", "drafts"})
_LABELS = 50
_MOST_FETCHED = 200
_FETCHED_AT_ONCE = 10
"""Messages whose headers are fetched by one command, so that they fit into what we read of a reply."""


def limits_for_reading(limits: Limits, seconds: float) -> Limits:
    """The caps for a seed mailbox that is watched for so long: replies are longer here, and a search of a big mailbox
    takes its time."""
    return dataclasses.replace(
        limits,
        deadline=seconds + MARGIN_SECONDS,
        read_timeout=max(limits.read_timeout, 60.0),
        reply_lines=4096,
        reply_bytes=512 * 1024,
        line_bytes=16 * 1024,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A folder that can be opened. ``name``: as it travels; ``placement``: what it is for the one who reads there."""

    name: bytes
    placement: Placement
    everything: bool = False
    """Whether it shows what lies elsewhere (\\All, \\Flagged, \\Important): looked in last."""

    @property
    def shown(self) -> str:
        """The name for people, as it travels: letters beyond ASCII are in modified UTF-7 (RFC 3501 §5.1.3)."""
        return printable(self.name, 200)


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """A message that was found. Times are in UTC; those of the server by its clock, the others by ours.

    ``received``: of the topmost Received header, when it says; ``internal_date``: IMAP's INTERNALDATE; ``seen``: when
    we found it; ``absent``: when the last look began that did not find it there, None when the first look found it.
    ``labels``: Gmail's (X-GM-LABELS); ``headers``: printable lines, capped.
    """

    number: int
    placement: Placement
    folder: str
    seen: datetime.datetime
    absent: datetime.datetime | None = None
    received: datetime.datetime | None = None
    internal_date: datetime.datetime | None = None
    labels: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    def bounds_since(self, sent: datetime.datetime) -> tuple[float, float]:
        """Seconds from ``sent`` between which the message arrived, by our own clock alone."""
        latest = max(0.0, (self.seen - sent).total_seconds())
        earliest = 0.0 if self.absent is None else min(latest, max(0.0, (self.absent - sent).total_seconds()))
        return round(earliest, 3), round(latest, 3)

    def stamped_since(self, sent: datetime.datetime) -> float | None:
        """Seconds from ``sent`` by our clock to the server's stamp by its own, which has whole seconds, so that it may
        be negative: the later one of Received and INTERNALDATE. None without a stamp."""
        stamps = [stamp for stamp in (self.received, self.internal_date) if stamp is not None]
        return round((max(stamps) - sent).total_seconds(), 3) if stamps else None

    def seconds_since(self, sent: datetime.datetime) -> float:
        """Seconds from ``sent`` to the arrival: the middle of the second that the server stamped, as far as it lies
        between the last look without the message and the first one with it, which our own clock vouches for. Without a
        stamp, the first sight."""
        earliest, latest = self.bounds_since(sent)
        stamped = self.stamped_since(sent)
        return latest if stamped is None else round(min(latest, max(earliest, stamped + 0.5)), 3)


class Expectation:
    """What is looked for in one mailbox: messages of one run, by number. Whoever sends adds to it, and says when all
    are sent and how long to wait."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.pending: set[int] = set()
        self.arrivals: dict[int, Arrival] = {}
        self.until: float | None = None
        """Loop time at which the wait is over; None while messages are still being sent."""

    def add(self, number: int) -> None:
        """A message is on its way, or may be."""
        if number not in self.arrivals:
            self.pending.add(number)

    def arrived(self, arrival: Arrival) -> None:
        """A message was found; only its first sight counts."""
        self.arrivals.setdefault(arrival.number, arrival)
        self.pending.discard(arrival.number)


@dataclasses.dataclass(slots=True)
class Watch:
    """What watching one mailbox came to. ``complete``: a round begun after the wait has looked everywhere, so that what
    was not found is not there. ``problem``: why it could not be read, or not to the end."""

    complete: bool = False
    problem: Unmeasured | None = None
    rounds: int = 0
    folders: int = 0
    unlooked: int = 0
    """Folders that were left out, because of their number or their names, or since the server would not open them."""
    address: str = ""
    tls: str = ""
    mechanism: str = ""
    transcript: tuple[Step, ...] = ()


_MAY_BE_TAKEN_UP = frozenset({Cause.CONNECTION_RESET, Cause.DEADLINE_EXCEEDED, Cause.CONNECTION_TIMEOUT})


async def watch(
    endpoint: Endpoint,
    network: Network,
    login: Login,
    expectation: Expectation,
    *,
    spam_folder: str = "",
    ready: Callable[[Unmeasured | None], None] = lambda problem: None,
) -> Watch:
    """Watch a mailbox until every expected message was found, or the wait is over and a last round done. Never raises
    ``Unmeasured``.

    ``endpoint``: role imap, with STARTTLS or TLS from the start. ``network``: made with ``surroundings_for_secrets``
    and ``limits_for_reading``. ``spam_folder``: the name of the spam folder, where neither \\Junk nor its name tells.
    ``ready``: told once, None when the mailbox has been opened and looked in, else why it cannot be.
    """
    if endpoint.tls == "none":
        raise ValueError("nobody logs in without TLS")
    found = Watch()
    redactor = Redactor()
    redactor.hide(login.credentials.secret.reveal())
    began = len(network.transcript)
    watching = _Watching(endpoint, network, login, expectation, spam_folder, ready, found, redactor)
    try:
        await watching.run()
    except Unmeasured as problem:
        found.problem = redactor.problem(problem)
    except Exception as error:
        # A fault of ours is a cause like any other. Its text is left out: nobody knows what is in it.
        found.problem = Unmeasured(Cause.PROBE_BUG, type(error).__name__)
    watching.tell(found.problem)
    found.address = network.address
    found.transcript = tuple(dataclasses.replace(step, text=redactor(step.text)) for step in network.transcript[began:])
    network.transcript[began:] = found.transcript
    for number, arrival in expectation.arrivals.items():
        headers = tuple(redactor(line) for line in arrival.headers)
        expectation.arrivals[number] = dataclasses.replace(arrival, headers=headers)
    return found


class _Watching:
    def __init__(
        self,
        endpoint: Endpoint,
        network: Network,
        login: Login,
        expectation: Expectation,
        spam_folder: str,
        ready: Callable[[Unmeasured | None], None],
        found: Watch,
        redactor: Redactor,
    ) -> None:
        self._endpoint = endpoint
        self._network = network
        self._login = login
        self._expectation = expectation
        self._spam_folder = spam_folder
        self._ready: Callable[[Unmeasured | None], None] | None = ready
        self._found = found
        self._redactor = redactor
        self._since = network.now - datetime.timedelta(days=2)
        self._looked: dict[bytes, datetime.datetime] = {}

    def tell(self, problem: Unmeasured | None) -> None:
        """Say once whether the mailbox can be read."""
        if self._ready is not None:
            ready, self._ready = self._ready, None
            ready(problem)

    async def run(self) -> None:
        """One session after the other, as long as they only break off."""
        for attempt in range(1, MOST_SESSIONS + 1):
            try:
                await self._session()
                return
            except Unmeasured as problem:
                opened = self._ready is None
                if not opened or problem.cause not in _MAY_BE_TAKEN_UP or attempt == MOST_SESSIONS:
                    raise
                if self._network.remaining <= SPACING_SECONDS:
                    raise
                self._network.note(f"taken up again: {self._redactor.problem(problem)}")
            await asyncio.sleep(SPACING_SECONDS)

    async def _session(self) -> None:
        connection = await self._network.dial(self._endpoint.host, self._endpoint.port)
        async with connection:
            reader = Reader(connection, self._network, self._redactor)
            await reader.open(self._endpoint, self._login, self._found)
            folders = await self._folders(reader)
            await self._look(reader, folders[:1])
            self.tell(None)
            await self._rounds(reader, folders)
            await reader.leave()

    async def _folders(self, reader: Reader) -> list[Folder]:
        """The folders that there are now: a rule may make one for the very message that is looked for."""
        folders, self._found.unlooked = await reader.folders(self._spam_folder)
        self._found.folders = len(folders)
        return folders

    async def _rounds(self, reader: Reader, folders: Sequence[Folder]) -> None:
        expectation = self._expectation
        loop = asyncio.get_running_loop()
        while True:
            until = expectation.until
            if until is not None and not expectation.pending:
                self._found.complete = True
                return
            last = until is not None and loop.time() >= until
            self._found.rounds += 1
            everywhere = last or self._found.rounds % ROUNDS_BETWEEN == 0
            steps = len(self._network.transcript)
            if expectation.pending:
                if everywhere:
                    folders = await self._folders(reader)
                    if not last:
                        del self._network.transcript[steps:]
                near = [folder for folder in folders if folder.placement != "other"]
                refused = await self._look(reader, folders if everywhere else near, tell=last)
                self._found.unlooked += refused if everywhere else 0
            if last:
                self._found.complete = not self._found.unlooked
                return
            if until is None or expectation.pending:
                pause = SPACING_SECONDS if until is None else min(SPACING_SECONDS, max(0.0, until - loop.time()))
                steps = len(self._network.transcript)
                await reader.wait_for_mail(pause)
                del self._network.transcript[steps:]

    async def _look(self, reader: Reader, folders: Sequence[Folder], *, tell: bool = True) -> int:
        """Look for what is expected in these folders; how many of them the server would not open. The inbox stays open
        at the end, to wait in. Unless ``tell``, the transcript says nothing of looks that found nothing: there may be
        hundreds."""
        refused = 0
        for folder in (*folders, *folders[:1]) if len(folders) > 1 else folders:
            began, steps = datetime.datetime.now(datetime.UTC), len(self._network.transcript)
            new = 0
            arrivals = await reader.find(folder, self._expectation.run, self._since)
            if arrivals is None:
                refused += 1
                continue
            for found in arrivals:
                if found.number in self._expectation.pending:
                    absent = self._looked.get(folder.name)
                    self._expectation.arrived(dataclasses.replace(found, absent=absent))
                    new += 1
            self._looked[folder.name] = began
            if not new and not tell:
                del self._network.transcript[steps:]
        return refused


class Reader(IMAPDialogue):
    """IMAP's words for one who is logged in and only reads."""

    def __init__(self, connection: Connection, network: Network, redactor: Redactor) -> None:
        super().__init__(connection, network)
        self._redactor = redactor
        self._capabilities: Capabilities = {}
        self._known: set[tuple[bytes, int]] = set()
        """Messages by folder and UID that have been fetched in this session."""

    # -- login --------------------------------------------------------------------------------------------------------

    async def open(self, endpoint: Endpoint, login: Login, found: Watch) -> None:
        """Greeting, TLS with a verified certificate, login."""
        if endpoint.tls == "implicit":
            found.tls = (await start_verified_tls(self.connection, endpoint.host, self.network)).version
        greeting = await self.greet()
        if greeting[0].upper().startswith(b"* PREAUTH"):
            raise Unmeasured(Cause.PROTOCOL_ERROR, "the server takes us for logged in before TLS and login")
        if endpoint.tls == "starttls":
            if self.upgrade not in await self.capabilities():
                await self.leave()
                raise Unmeasured(
                    Cause.TLS_NOT_OFFERED, "the server does not offer STARTTLS: no password is sent without"
                )
            refusal = await self.request_tls()
            if refusal is not None:
                await self.leave()
                raise refusal
            found.tls = (await start_verified_tls(self.connection, endpoint.host, self.network)).version
        offered = await self.capabilities(after_tls=True)
        try:
            found.mechanism = await self._log_in(endpoint, login, offered)
        except Unmeasured as problem:
            if problem.cause is not Cause.CONNECTION_RESET:
                await self.leave()
            raise
        self._capabilities = await self.capabilities(after_tls=True)

    async def _log_in(self, endpoint: Endpoint, login: Login, offered: Capabilities) -> str:
        names = [word.removeprefix("AUTH=") for word in offered if word.startswith("AUTH=")]
        credentials = login.credentials
        try:
            mechanism = choose(
                sasl_mechanisms(tuple(names)),
                credentials,
                host=endpoint.host,
                port=endpoint.port,
                wanted=login.mechanism,
                binding=channel_binding(self.connection),
            )
        except Unmeasured:
            # The LOGIN command is no SASL mechanism and is there unless it is switched off (RFC 9051 §6.2.3).
            if credentials.password is None or login.mechanism or "LOGINDISABLED" in offered:
                raise
            user, password = _quoted(credentials.user), _quoted(credentials.password.reveal())
            self._redactor.hide_line(password)
            status, text, _ = await self._say(f"LOGIN {user} {password}", shown="LOGIN [hidden]")
            _require_login(status, text, "LOGIN", "")
            return "LOGIN command"
        await self._authenticate(mechanism, "SASL-IR" in offered)
        return mechanism.name

    async def _authenticate(self, mechanism: Mechanism, initial: bool) -> None:
        """AUTHENTICATE (RFC 9051 §6.2.2), with the initial response at once where that may be (RFC 4959)."""
        tag = self._new_tag()
        command, first = f"{tag.decode()} AUTHENTICATE {mechanism.name}", mechanism.first
        shown = command
        if initial and first is not None:
            text = encoded(first) or "="
            self._redactor.hide_line(text)
            command, shown, first = f"{command} {text}", f"{command} [hidden]", None
        with self.connection.step():
            await self.connection.send_line(command, shown=shown)
            for _ in range(_ROUNDS):
                challenge = await self._challenge(tag)
                if isinstance(challenge, tuple):
                    status, said = challenge
                    _require_login(status, said, mechanism.name, mechanism.complaint)
                    mechanism.finished()
                    return
                self._redactor.hide_line(challenge.decode("ascii", "replace"))  # see hide_line
                try:
                    if first is not None:
                        response, first = first, None
                    else:
                        response = mechanism.respond(challenge if mechanism.prompts else decoded(challenge))
                except Unmeasured:
                    await self.connection.send_line("*")
                    if isinstance(answer := await self._challenge(tag), tuple) and answer[0] == b"OK":
                        raise Unmeasured(
                            Cause.PROTOCOL_ERROR, "the server lets us in although the login was cancelled"
                        ) from None
                    raise
                text = encoded(response)
                self._redactor.hide_line(text)
                await self.connection.send_line(text, shown="[hidden]" if text else "")
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"no end of challenges in {mechanism.name}")

    async def _challenge(self, tag: bytes) -> bytes | tuple[bytes, str]:
        """The next challenge, or the status and text of the command's end."""
        limits = self.network.options.limits
        budget = Budget(limits.reply_lines, limits.reply_bytes)
        while True:
            line = await self.connection.read_line()
            budget.spend(line)
            if line.startswith(b"+"):
                return line[1:].strip()
            if line.startswith(b"* "):
                if line[2:5].upper() == b"BYE":
                    raise Unmeasured(Cause.CONNECTION_RESET, f"the server hangs up: {printable(line, 300)}")
                continue
            words = line.split(maxsplit=2)
            if len(words) > 1 and words[0] == tag and words[1].upper() in (b"OK", b"NO", b"BAD"):
                return words[1].upper(), printable(words[2] if len(words) > 2 else b"", 300)
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"not an IMAP reply: {quoted(line, 200)}")

    # -- folders ------------------------------------------------------------------------------------------------------

    async def folders(self, spam_folder: str = "") -> tuple[list[Folder], int]:
        """The folders to look in, the inbox first and those of spam next; and how many had to be left out."""
        extended = {"LIST-EXTENDED", "SPECIAL-USE"} <= set(self._capabilities)
        lines = await self._ok('LIST "" "*" RETURN (SPECIAL-USE)' if extended else 'LIST "" "*"')
        listed: dict[bytes, tuple[frozenset[bytes], bytes]] = {}
        for line in lines:
            if not line.upper().startswith(b"LIST "):
                continue
            parts = parse(line[5:])
            if len(parts) < 3 or not isinstance(parts[0], list) or not isinstance(parts[2], bytes):
                raise Unmeasured(Cause.PROTOCOL_ERROR, f"not a list of folders: {quoted(line, 200)}")
            flags = frozenset(flag.lower() for flag in parts[0] if isinstance(flag, bytes))
            delimiter = parts[1] if isinstance(parts[1], bytes) and parts[1].upper() != b"NIL" else b""
            if not flags & {b"\\noselect", b"\\nonexistent"}:
                listed[parts[2]] = (flags, delimiter)
        junk = any(b"\\junk" in flags for flags, _ in listed.values())
        found, unlooked = [Folder(b"INBOX", "inbox")], 0
        for name, (flags, delimiter) in listed.items():
            last = (name.rpartition(delimiter)[2] if delimiter else name).decode("ascii", "replace").lower()
            if name.upper() == b"INBOX" or flags & {b"\\sent", b"\\drafts"} or last in _SENT_NAMES:
                continue
            if any(byte < 0x20 or byte > 0x7E for byte in name) or len(name) > 1000:
                unlooked += 1
                continue
            if spam_folder:
                spam = name == spam_folder.encode("ascii", "replace")
            else:
                spam = b"\\junk" in flags or (not junk and last in _SPAM_NAMES)
            everything = bool(flags & {b"\\all", b"\\flagged", b"\\important"})
            found.append(Folder(name, "spam" if spam else "other", everything))
        found.sort(key=lambda each: (["inbox", "spam", "other"].index(each.placement), each.everything))
        if spam_folder and not any(each.placement == "spam" for each in found):
            raise Unmeasured(Cause.NOT_APPLICABLE, f"there is no folder {printable(spam_folder, 100)}")
        return found[:MOST_FOLDERS], unlooked + max(0, len(found) - MOST_FOLDERS)

    async def find(self, folder: Folder, run: str, since: datetime.datetime) -> list[Arrival] | None:
        """The messages of a run in a folder that were not there before in this session. The folder is opened for
        reading only. None where it is listed and cannot be opened, as those that others share often are, or that are
        gone meanwhile; without the inbox there is nothing to go on with."""
        status, text, _ = await self._say(f"EXAMINE {_quoted_name(folder.name)}")
        if status == b"NO" and folder.placement != "inbox" and not _passing(text):
            return None
        self._require(status, text, "EXAMINE")
        day = f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"
        marked = f'OR SUBJECT "{run}" OR HEADER "{MARK_HEADER}" "{run}" HEADER "Message-ID" "{run}"'
        lines = await self._ok(f"UID SEARCH SINCE {day} {marked}")
        numbers = [number for number in _found_numbers(lines) if (folder.name, number) not in self._known]
        found = []
        for start in range(0, min(len(numbers), _MOST_FETCHED), _FETCHED_AT_ONCE):
            chosen = numbers[start : start + _FETCHED_AT_ONCE]
            found += await self._fetch(folder, run, chosen)
            self._known |= {(folder.name, number) for number in chosen}
        return found

    async def _fetch(self, folder: Folder, run: str, numbers: Sequence[int]) -> list[Arrival]:
        """The headers of these messages of the folder that is open, those of the run only."""
        gmail = " X-GM-LABELS" if "X-GM-EXT-1" in self._capabilities else ""
        chosen = ",".join(map(str, numbers))
        lines = await self._ok(f"UID FETCH {chosen} (UID INTERNALDATE{gmail} BODY.PEEK[HEADER]<0.{HEADER_BYTES}>)")
        seen = datetime.datetime.now(datetime.UTC)
        found = []
        for line in lines:
            match = re.match(rb"[0-9]{1,10} FETCH (?=\()", line, re.IGNORECASE)
            if match is not None:
                arrival = _arrival(parse(line[match.end() :]), run, folder, seen)
                if arrival is not None:
                    found.append(arrival)
        return found

    async def wait_for_mail(self, seconds: float) -> None:
        """Until the server tells of new mail in the open folder, or so many seconds are over (IDLE, RFC 9051 §6.3.13);
        a mere pause where it does not know that."""
        if "IDLE" not in self._capabilities or seconds <= 0:
            await asyncio.sleep(min(seconds, self.network.remaining))
            return
        tag = self._new_tag()
        await self.connection.send_line(f"{tag.decode()} IDLE")
        answer = await self._challenge(tag)
        if isinstance(answer, tuple):
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"the server offers IDLE and refuses it: {answer[1]}")
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                line = await self.connection.read_line(left)
            except Unmeasured as problem:
                if problem.cause is not Cause.DEADLINE_EXCEEDED or self.network.remaining == 0:
                    raise
                break
            if line.upper().startswith(b"* BYE"):
                raise Unmeasured(Cause.CONNECTION_RESET, f"the server hangs up: {printable(line, 300)}")
            if not line.startswith(b"* "):
                raise Unmeasured(Cause.PROTOCOL_ERROR, f"not an IMAP reply: {quoted(line, 200)}")
            if line.upper().endswith((b" EXISTS", b" RECENT")):
                break
        with self.connection.step():
            await self.connection.send_line("DONE")
            status, text, _ = await self._tagged(tag)
        if status != b"OK":
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"IDLE does not end: {text}")

    # -- words --------------------------------------------------------------------------------------------------------

    async def _ok(self, command: str) -> list[bytes]:
        """The untagged lines of a command that has to succeed."""
        status, text, untagged = await self._say(command)
        self._require(status, text, " ".join(command.split()[: 2 if command.startswith("UID ") else 1]))
        return untagged

    @staticmethod
    def _require(status: bytes, text: str, verb: str) -> None:
        if status != b"OK":
            cause = Cause.THROTTLED if _passing(text) else Cause.PROTOCOL_ERROR
            raise Unmeasured(cause, f"the server answers {verb} with {printable(status, 10)} {text}")

    async def _say(self, command: str, *, shown: str | None = None) -> tuple[bytes, str, list[bytes]]:
        tag = self._new_tag()
        shown = None if shown is None else f"{tag.decode()} {shown}"
        with self.connection.step():
            await self.connection.send_line(f"{tag.decode()} {command}", shown=shown)
            return await self._tagged(tag)

    async def _whole_line(self, budget: Budget) -> bytes:
        """One line with its literals, each still behind the ``{count}`` that announces it, for :func:`parse`."""
        part = await self.connection.read_line()
        budget.spend(part)
        line = part
        while (literal := re.search(rb"\{(\d{1,9})\+?\}\Z", part)) is not None:
            data = await self.connection.read_exactly(int(literal.group(1)))
            part = await self.connection.read_line()
            budget.spend(data + part)
            line += b"\r\n" + data + part
        return line


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PASSING_CODES = ("[UNAVAILABLE", "[LIMIT", "[INUSE", "[SERVERBUG", "[OVERQUOTA", "[THROTTLED")


def _passing(text: str) -> bool:
    """Whether a refusal is for now (RFC 9051 §7.1)."""
    return text.upper().startswith(_PASSING_CODES)


def _require_login(status: bytes, text: str, how: str, complaint: str) -> None:
    if status == b"OK":
        return
    why = f" ({complaint})" if complaint else ""
    cause = Cause.THROTTLED if _passing(text) else Cause.NOT_PERMITTED
    raise Unmeasured(cause, f"the server refuses the login by {how}{why}: {text}")


def _quoted(text: str) -> str:
    """A quoted string (RFC 9051 §4.3); ``not_permitted`` for what does not fit in one."""
    if not text.isascii() or any(not character.isprintable() for character in text):
        raise Unmeasured(
            Cause.NOT_PERMITTED, "the LOGIN command cannot carry this name or password, and no mechanism is offered"
        )
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted_name(name: bytes) -> str:
    return '"' + name.decode("ascii").replace("\\", "\\\\").replace('"', '\\"') + '"'


def _found_numbers(lines: Sequence[bytes]) -> list[int]:
    """The numbers of SEARCH, or of ESEARCH where the server speaks only the newer form (RFC 9051 §7.3.4)."""
    numbers: set[int] = set()
    for line in lines:
        words = line.split()
        if words and words[0].upper() == b"SEARCH":
            numbers |= {int(word) for word in words[1:] if re.fullmatch(rb"[0-9]{1,10}", word)}
        match = re.match(rb"ESEARCH\b.* ALL ([0-9:,]+)", line, re.IGNORECASE)
        if match is not None:
            for part in match[1].split(b","):
                first, _, last = part.partition(b":")
                if first.isdigit() and (not last or last.isdigit()) and len(first) < 11 and len(last) < 11:
                    low, high = sorted((int(first), int(last or first)))
                    numbers |= set(range(low, min(high, low + 1000) + 1))
    return sorted(numbers)


# --- what a FETCH says ------------------------------------------------------------------------------------------------

Parsed = bytes | list["Parsed"]

_TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|\{(\d{1,9})\+?\}\r\n|([^\s()"]+))', re.DOTALL)
_DEEPEST = 20


def parse(text: bytes) -> list[Parsed]:
    """The data of an IMAP response as lists and texts (RFC 9051 §9): atoms, quoted strings, literals behind their
    counts, and parentheses. ``Unmeasured(protocol_error)`` for anything else."""
    stack: list[list[Parsed]] = [[]]
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"not an IMAP response: {quoted(text, 200)}")
        place = match.end()
        if match[1]:
            stack.append([])
        elif match[2]:
            if len(stack) == 1:
                raise Unmeasured(Cause.PROTOCOL_ERROR, f"not an IMAP response: {quoted(text, 200)}")
            done = stack.pop()
            stack[-1].append(done)
        elif match[3] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", match[3], flags=re.DOTALL))
        elif match[4] is not None:
            end = place + int(match[4])
            stack[-1].append(text[place:end])
            place = end
        else:
            stack[-1].append(match[5])
        if len(stack) > _DEEPEST:
            raise Unmeasured(Cause.PROTOCOL_ERROR, "an IMAP response with too many parentheses")
    if len(stack) != 1:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"an IMAP response without its end: {quoted(text, 200)}")
    return stack[0]


def _arrival(parsed: list[Parsed], run: str, folder: Folder, seen: datetime.datetime) -> Arrival | None:
    """What one FETCH shows; None when it is not one of the run's messages after all."""
    items = parsed[0] if parsed and isinstance(parsed[0], list) else []
    given = {
        name.upper(): value for name, value in zip(items[::2], items[1::2], strict=False) if isinstance(name, bytes)
    }
    headers = next((value for name, value in given.items() if name.startswith(b"BODY[HEADER]")), b"")
    number = number_in(headers, run) if isinstance(headers, bytes) else None
    if number is None or not isinstance(headers, bytes):
        return None
    labels = given.get(b"X-GM-LABELS")
    return Arrival(
        number,
        folder.placement,
        folder.shown,
        seen,
        received=received_time(headers),
        internal_date=_internal_date(given.get(b"INTERNALDATE")),
        labels=tuple(printable(each, 100) for each in labels[:_LABELS] if isinstance(each, bytes))
        if isinstance(labels, list)
        else (),
        headers=tuple(printable(line) for line in headers.splitlines()[:400] if line),
    )


def received_time(headers: bytes) -> datetime.datetime | None:
    """The time in the topmost Received header (RFC 5321 §4.4), in UTC; None when it has none that can be read."""
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", headers[: 64 * 1024])
    match = re.search(rb"^received:(.*)$", unfolded, re.IGNORECASE | re.MULTILINE)
    if match is None:
        return None
    return _time(match[1].rpartition(b";")[2].strip().decode("ascii", "replace"))


def _internal_date(value: Parsed | None) -> datetime.datetime | None:
    return _time(value.decode("ascii", "replace").strip().replace("-", " ", 2)) if isinstance(value, bytes) else None


def _time(text: str) -> datetime.datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.astimezone(datetime.UTC) if found.tzinfo is not None else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
