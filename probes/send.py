"""One test message through a submission server on which one has an account: RFC 5321 and RFC 4954 from end to end.

Connect, greeting, EHLO, TLS with a verified certificate, EHLO, AUTH, MAIL, RCPT, DATA up to the lone dot, the 250 with
its queue id, QUIT. No probe does this and ``mailrubric probe`` never comes here: the command ``mailrubric send`` does,
when its user has declared the account in his settings and says so again (docs/send.md).

Every step keeps the time that the server took for it. What ends the session is a cause with the step's name and the
server's words, and costs only what would have come later.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from probes.authentication import Credentials, Mechanism, Redactor, choose, decoded, encoded
from probes.conversation import Capabilities, leftover_bytes
from probes.letter import Letter, dot_stuffed
from probes.model import Cause, Endpoint, Measurement, Step, Unmeasured
from probes.own_session import shortened
from probes.replies import Reply, printable, quoted, sasl_mechanisms
from probes.smtp_dialogue import SMTPDialogue
from probes.verified_tls import channel_binding, start_verified_tls

if TYPE_CHECKING:
    from probes.connection import Connection
    from probes.envelope import Answer
    from probes.network import Network

ACCEPTANCE_SECONDS = 300.0
"""How long we wait for the reply to the lone dot, within the deadline of the whole session: servers look for spam and
viruses then (RFC 5321 §4.5.3.2.6 allows twice as long)."""

_COMMAND_OCTETS = 512
"""Longest command line, with CRLF (RFC 5321 §4.5.3.1.4): an initial response that does not fit waits for the server's
empty challenge (RFC 4954 §4)."""

_ROUNDS = 8
"""More challenges than any mechanism needs."""

ASKED_FORMS = (
    "leading-dot", "trailing-dot", "double-dot", "space-inside", "two-at-signs", "no-domain", "domain-double-dot",
    "domain-leading-hyphen",
)  # fmt: skip
"""Malformed writings of the recipient that are tried where the user asks for it, by their names in
``probes.envelope.MALFORMED``: few, since a vendor counts refusals."""

StepName = Literal["connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data", "text", "quit"]
STEPS: tuple[StepName, ...] = (
    "connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data", "text", "quit",
)  # fmt: skip
"""The steps of a session. ``text`` is the time from the lone dot to the server's acceptance."""

_MEANINGS: Mapping[int, str] = {
    432: "a password transition is needed",
    450: "the mailbox is unavailable for now",
    451: "an error in processing",
    452: "too little storage, or too many recipients",
    454: "a temporary failure",
    500: "the command is not understood",
    501: "the parameters are not understood",
    502: "the command is not implemented",
    503: "the command comes at the wrong time",
    504: "the parameter is not implemented",
    530: "a login is required first",
    534: "the mechanism is too weak",
    535: "the credentials are not valid",
    538: "the mechanism needs encryption",
    550: "the mailbox is unavailable, or a policy forbids it",
    551: "the user is not local",
    552: "a limit of size or storage is exceeded",
    553: "the mailbox name is not allowed",
    554: "the transaction failed",
    555: "the parameters of MAIL or RCPT are not known",
    556: "the domain takes no mail",
}
"""RFC 5321 §4.2.3, RFC 4954 §6, RFC 7504."""


@dataclasses.dataclass(frozen=True, slots=True)
class StepTaken:
    """A step that went well. ``ms``: how long the server took; ``said``: its reply, printable and short."""

    name: StepName
    ms: float
    said: str = ""


@dataclasses.dataclass(slots=True)
class Sending:
    """What one session showed, as far as it went.

    ``accepted``: the server has taken the message (250 after the lone dot, replies in step). ``problem`` with
    ``failed_at``: what ended the session before that; both None when nothing did. A session that breaks off between
    the dot and its reply leaves open whether the message was taken: ``sent_at`` is set then, ``accepted`` is not.
    """

    number: int
    recipient: str
    steps: list[StepTaken] = dataclasses.field(default_factory=list)
    address: str = ""
    tls: str = ""
    mechanism: str = ""
    offered: Capabilities | None = None
    """What the server offers under TLS."""
    sent_at: datetime.datetime | None = None
    """When the lone dot was sent, by our clock, in UTC."""
    accepted: bool = False
    reply: str = ""
    """The server's last word on the message."""
    queue_id: str = ""
    """The id that the server gave the message; "" when none is recognised."""
    problem: Unmeasured | None = None
    failed_at: StepName | None = None
    quit_problem: Unmeasured | None = None
    """Why there was no proper goodbye, after the message had been taken."""
    transcript: tuple[Step, ...] = ()

    def ms(self, name: StepName) -> float | None:
        """How long the server took for a step; None when it did not come to it."""
        found = [step.ms for step in self.steps if step.name == name]
        return sum(found) if found else None

    @property
    def accepted_ms(self) -> float | None:
        """How long the server took for everything up to its acceptance; None without one."""
        return round(sum(step.ms for step in self.steps if step.name != "quit"), 3) if self.accepted else None


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """How to log in. ``mechanism``: the only one to use; "" for the best that is offered."""

    credentials: Credentials
    mechanism: str = ""


def refused(reply: Reply, what: str) -> Unmeasured:
    """The cause behind a refusal of ``what``, such as "the login": ``throttled`` when it is for now (4xx),
    ``not_permitted`` when it is for good, ``protocol_error`` for a reply that is neither."""
    meaning = _MEANINGS.get(reply.code)
    said = f"{what}{f', {meaning}' if meaning else ''}: {shortened(str(reply))}"
    if 400 <= reply.code < 500:
        return Unmeasured(Cause.THROTTLED, f"the server puts off {said}")
    if reply.code >= 500:
        return Unmeasured(Cause.NOT_PERMITTED, f"the server refuses {said}")
    return Unmeasured(Cause.PROTOCOL_ERROR, f"not a reply to {what}: {shortened(str(reply))}")


_QUEUE_IDS = (
    re.compile(r"queued as <?([\w.@+/=-]{4,100})", re.IGNORECASE),  # Postfix, SendGrid and many
    re.compile(r"\bid=([\w.-]{4,100})"),  # Exim
    re.compile(r"queued \(([\w.-]{4,100})\)", re.IGNORECASE),  # Haraka
    re.compile(r"\[InternalId=(\d{4,30})"),  # Exchange
    re.compile(r"^([\w.-]{4,100}) message accepted for delivery", re.IGNORECASE),  # Sendmail
    re.compile(r"^OK\s+\d{9,11}\s+([\w.-]{4,100}) - gsmtp"),  # Google
    re.compile(r"^OK:?\s+<?([\w-]*\d[\w.@-]{11,100})>?$", re.IGNORECASE),  # Amazon SES
)


def queue_id(reply: Reply) -> str:
    """The id that a server gives to a message that it takes; "" where none is recognised, which does not mean that
    there is none."""
    text = reply.text.removeprefix(reply.enhanced).strip()
    return next((match[1] for pattern in _QUEUE_IDS if (match := pattern.search(text))), "")


async def send(endpoint: Endpoint, network: Network, login: Login, letter: Letter) -> Sending:
    """Send one message in a session of its own. Never raises ``Unmeasured``: what went wrong is in the result.

    ``endpoint``: with STARTTLS or TLS from the start; its certificate has to be trusted and for its host. ``network``:
    made with ``surroundings_for_secrets``. No secret is in the result or in the network's transcript.
    """
    found = Sending(letter.number, letter.recipient)

    async def work(session: _Session) -> None:
        await session.begin(login)
        await session.submit(letter)
        await session.quit()

    await _session(endpoint, network, login, found, work)
    return found


async def try_recipients(
    endpoint: Endpoint, network: Network, login: Login, letter: Letter, *, malformed: bool, unknown: bool
) -> tuple[Sending, tuple[Measurement, ...]]:
    """See whether the server takes ``ASKED_FORMS`` of the letter's recipient (``malformed``), and a mailbox at his
    domain that nobody has (``unknown``): in a session of its own, so that it costs no message anything. No text
    follows, the transaction is given up. What the session showed, and the measurements of what was asked for."""
    found = Sending(letter.number, letter.recipient)
    answers: dict[str, Answer] = {}
    nobody: list[Reply] = []

    async def work(session: _Session) -> None:
        await session.begin(login)
        await session.name_recipients(letter, malformed, unknown, answers, nobody)
        await session.quit()

    await _session(endpoint, network, login, found, work)
    # Replies count only when the goodbye has shown that they were in step.
    problem = found.problem or found.quit_problem
    measured = []
    if malformed:
        measured.append(_malformed(answers, problem))
    if unknown:
        measured.append(_unknown(nobody, problem))
    return found, tuple(measured)


async def _session(
    endpoint: Endpoint, network: Network, login: Login, found: Sending, work: Callable[[_Session], Awaitable[None]]
) -> None:
    if endpoint.tls == "none":
        raise ValueError("nobody logs in without TLS")
    redactor = Redactor()
    redactor.hide(login.credentials.secret.reveal())
    began = len(network.transcript)
    found.failed_at = "connect"
    try:
        connection = await network.dial(endpoint.host, endpoint.port)
        async with connection:
            await work(_Session(endpoint, network, connection, found, redactor))
    except Unmeasured as problem:
        found.problem = redactor.problem(problem)
        found.accepted = False
    except Exception as error:
        # A fault of ours is a cause like any other. Its text is left out: nobody knows what is in it.
        found.problem = Unmeasured(Cause.PROBE_BUG, type(error).__name__)
        found.accepted = False
    found.address = network.address
    found.reply = redactor(found.reply)
    found.queue_id = redactor(found.queue_id)
    found.steps = [dataclasses.replace(step, said=redactor(step.said)) for step in found.steps]
    network.transcript[began:] = [
        dataclasses.replace(step, text=redactor(step.text)) for step in network.transcript[began:]
    ]
    found.transcript = tuple(network.transcript[began:])


class _Dialogue(SMTPDialogue):
    patience: float | None = None
    """Seconds for a reply, where not the usual."""

    async def reply(self) -> Reply:
        """The next complete reply. ``throttled`` for 421, after which the address is left alone."""
        reply = await self.connection.read_reply(self.patience)
        if reply.code == 421:
            self.network.throttled(self.connection.address)
            raise Unmeasured(Cause.THROTTLED, f"the server ends the session: {shortened(str(reply))}")
        return reply


class _Session:
    def __init__(
        self, endpoint: Endpoint, network: Network, connection: Connection, found: Sending, redactor: Redactor
    ) -> None:
        self._endpoint = endpoint
        self._network = network
        self._connection = connection
        self._dialogue = _Dialogue(connection, network)
        self._found = found
        self._redactor = redactor
        self._speaks = False
        """Whether the server can be told that we leave: it has greeted us, and it is who it should be."""

    async def begin(self, login: Login) -> None:
        """Everything up to the login."""
        self._taken("connect", self._connection.connect_ms)
        async with self._polite():
            offered = await self._offers()
            self._found.offered = offered
            await self._log_in(login, offered)

    async def submit(self, letter: Letter) -> None:
        """Everything from MAIL up to the server's acceptance."""
        async with self._polite():
            await self._envelope(letter)
            await self._text(letter)

    @contextlib.asynccontextmanager
    async def _polite(self) -> AsyncIterator[None]:
        """Where we give up in the middle, say goodbye to a server that still listens."""
        try:
            yield
        except Unmeasured as problem:
            if self._speaks and problem.cause not in (Cause.CONNECTION_RESET, Cause.DEADLINE_EXCEEDED):
                await self._dialogue.leave()
            raise

    # -- greeting and TLS ---------------------------------------------------------------------------------------------

    async def _offers(self) -> Capabilities:
        """Greeting, EHLO and TLS: what the server offers to those who are in private with it."""
        endpoint, dialogue = self._endpoint, self._dialogue
        if endpoint.tls == "implicit":
            await self._start_tls()
        await self._greet()
        offered = await self._ehlo()
        if endpoint.tls == "implicit":
            return offered
        if dialogue.upgrade not in offered:
            self._found.failed_at = "starttls"
            raise Unmeasured(Cause.TLS_NOT_OFFERED, "the server does not offer STARTTLS: no password is sent without")
        reply = await self._ask("starttls", "STARTTLS")
        if reply.code != 220:
            raise refused(reply, "the STARTTLS that it offers")
        self._taken("starttls", self._ms, reply)
        self._speaks = False
        await self._start_tls()
        self._speaks = True
        return await self._ehlo()

    async def _greet(self) -> None:
        self._found.failed_at = "greeting"
        began = self._connection.clock()
        lines = await self._dialogue.greet()
        self._taken("greeting", self._connection.ms_since(began), Reply(220, lines))
        self._speaks = True

    async def _ehlo(self) -> Capabilities:
        self._found.failed_at = "ehlo"
        await self._in_step()
        began = self._connection.clock()
        offered = await self._dialogue.capabilities()
        self._taken("ehlo", self._connection.ms_since(began))
        return offered

    async def _start_tls(self) -> None:
        self._found.failed_at = "tls"
        session = await start_verified_tls(self._connection, self._endpoint.host, self._network)
        self._found.tls = session.version
        self._taken("tls", session.handshake_ms)

    # -- login --------------------------------------------------------------------------------------------------------

    async def _log_in(self, login: Login, offered: Capabilities) -> None:
        """AUTH (RFC 4954 §4)."""
        self._found.failed_at = "auth"
        mechanism = choose(
            sasl_mechanisms(offered.get("AUTH", ())),
            login.credentials,
            host=self._endpoint.host,
            port=self._endpoint.port,
            wanted=login.mechanism,
            binding=channel_binding(self._connection),
        )
        self._found.mechanism = mechanism.name
        command, first = f"AUTH {mechanism.name}", mechanism.first
        shown = command
        if first is not None:
            text = encoded(first) or "="
            if len(command) + len(text) + 3 <= _COMMAND_OCTETS:
                self._redactor.hide_line(text)
                command, shown, first = f"{command} {text}", f"{command} [hidden]", None
        reply = await self._ask("auth", command, shown=shown)
        spent = self._ms
        for _ in range(_ROUNDS):
            if reply.code != 334:
                break
            self._redactor.hide_line(b"".join(reply.lines).strip().decode("ascii", "replace"))  # see hide_line
            response = first if first is not None else await self._response(mechanism, reply)
            first = None
            text = encoded(response)
            self._redactor.hide_line(text)
            reply = await self._ask("auth", text, shown="[hidden]" if text else "")
            spent += self._ms
        if reply.code == 334:
            await self._cancel()
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"no end of challenges in {mechanism.name}")
        if reply.code != 235:
            why = f" ({mechanism.complaint})" if mechanism.complaint else ""
            raise refused(reply, f"the login by {mechanism.name}{why}")
        mechanism.finished()
        self._taken("auth", spent, reply)

    async def _response(self, mechanism: Mechanism, reply: Reply) -> bytes:
        """The response to a challenge. Where there can be none, the login is cancelled in the proper way."""
        text = b"".join(reply.lines).strip()
        try:
            return mechanism.respond(text if mechanism.prompts else decoded(text))
        except Unmeasured:
            await self._cancel()
            raise

    async def _cancel(self) -> None:
        reply = await self._ask("auth", "*")
        if reply.code == 235:
            raise Unmeasured(Cause.PROTOCOL_ERROR, "the server lets us in although the login was cancelled")

    # -- message ------------------------------------------------------------------------------------------------------

    async def _envelope(self, letter: Letter) -> None:
        """MAIL and RCPT."""
        self._found.failed_at = "mail"
        reply = await self._ask("mail", _mail(letter, self._found.offered or {}))
        if not reply.positive:
            raise refused(reply, "the sender")
        self._taken("mail", self._ms, reply)
        reply = await self._ask("rcpt", f"RCPT TO:<{letter.recipient}>")
        if not reply.positive:
            raise refused(reply, "the recipient")
        self._taken("rcpt", self._ms, reply)

    async def _text(self, letter: Letter) -> None:
        """DATA, the text, and the reply to the lone dot."""
        reply = await self._ask("data", "DATA")
        if reply.code != 354:
            raise refused(reply, "DATA")
        self._taken("data", self._ms, reply)
        await self._in_step()
        text = dot_stuffed(letter.data)
        self._found.failed_at = "text"
        await self._connection.send(text, shown=f"({len(text)} bytes of text, marked {letter.mark})")
        # The dot goes out by itself, so that its time does not hold that of the text on a slow line.
        await self._in_step()
        self._found.sent_at = datetime.datetime.now(datetime.UTC)
        self._dialogue.patience = ACCEPTANCE_SECONDS
        await self._connection.send(b".\r\n", shown=".")
        began = self._connection.clock()
        reply = await self._dialogue.reply()
        self._dialogue.patience = None
        self._found.reply = shortened(str(reply))
        if not reply.positive:
            self._found.sent_at = None  # it has not left
            raise refused(reply, "the message")
        self._taken("text", self._connection.ms_since(began), reply)
        await self._in_step()
        self._found.queue_id = queue_id(reply)
        self._found.accepted = True
        self._found.failed_at = None

    async def quit(self) -> None:
        """QUIT. A goodbye that is answered with something else shows that one of the replies before was not to what
        it seemed to be to, so that nothing is known of the message."""
        try:
            reply = await self._ask("quit", "QUIT")
        except Unmeasured as problem:
            if problem.cause in (Cause.PROTOCOL_ERROR, Cause.REPLY_TOO_LONG):
                raise
            self._found.failed_at = None
            self._found.quit_problem = self._redactor.problem(problem)
            return
        if reply.code != 221:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"the reply to QUIT is not 221: {shortened(str(reply))}")
        self._found.failed_at = None
        self._taken("quit", self._ms, reply)

    # -- recipients that are no good ----------------------------------------------------------------------------------

    async def name_recipients(
        self, letter: Letter, malformed: bool, unknown: bool, answers: dict[str, Answer], nobody: list[Reply]
    ) -> None:
        """The replies to recipients that are no good, in a transaction that is given up."""
        async with self._polite():
            reply = await self._ask("mail", _mail(letter, self._found.offered or {}))
            if not reply.positive:
                raise refused(reply, "the sender")
            self._taken("mail", self._ms, reply)
            if unknown:
                nobody.append(await self._ask("rcpt", f"RCPT TO:<{_nobody(letter)}>"))
            if malformed:
                await self._ask_forms(letter, answers)
            reply = await self._ask("rcpt", "RSET")
            if reply.code != 250:
                raise refused(reply, "to forget the recipients")

    async def _ask_forms(self, letter: Letter, answers: dict[str, Answer]) -> None:
        from probes.envelope import MALFORMED, Answer

        for form in MALFORMED:
            if form.name in ASKED_FORMS:
                argument = form.argument(letter.recipient).decode("ascii")
                reply = await self._ask("rcpt", f"RCPT TO:{argument}")
                answers[form.name] = Answer(reply, reply.positive)

    # -- words --------------------------------------------------------------------------------------------------------

    async def _ask(self, step: StepName, line: str, *, shown: str | None = None) -> Reply:
        """Send a line and read its reply; ``_ms`` is how long it took."""
        self._found.failed_at = step
        await self._in_step()
        await self._connection.send_line(line, shown=shown)
        began = self._connection.clock()
        reply = await self._dialogue.reply()
        self._ms = self._connection.ms_since(began)
        return reply

    _ms = 0.0

    async def _in_step(self) -> None:
        """Raise when something has come that was not asked for: the next reply would not be to what we say next."""
        extra = await leftover_bytes(self._connection)
        if not extra:
            return
        if extra.startswith(b"421"):  # the server ends the session of its own accord (RFC 5321 §3.8)
            await self._dialogue.reply()
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"the server says more than it was asked: {quoted(extra, 100)}")

    def _taken(self, name: StepName, ms: float, reply: Reply | None = None) -> None:
        said = "" if reply is None else shortened(str(reply))
        self._found.steps.append(StepTaken(name, round(ms, 3), said))


def _mail(letter: Letter, offered: Capabilities) -> str:
    """The MAIL command with what the server has asked to be told: size (RFC 1870) and body type (RFC 6152)."""
    size = len(dot_stuffed(letter.data))
    stated = next(iter(offered.get("SIZE", ())), "")
    if stated.isdecimal() and 0 < int(stated[:20]) < size:
        limit = printable(stated, 20)
        raise Unmeasured(Cause.NOT_PERMITTED, f"the server takes {limit} bytes and the message has {size}")
    command = f"MAIL FROM:<{letter.sender}>"
    if "SIZE" in offered:
        command += f" SIZE={size}"
    if "8BITMIME" in offered:
        command += " BODY=7BIT"
    return command


def _nobody(letter: Letter) -> str:
    """A mailbox that nobody has, where the recipient has his."""
    return f"nobody-{letter.run}@{letter.recipient.rpartition('@')[2]}"


MALFORMED_METRIC = "trial.malformed_recipients_accepted"
UNKNOWN_METRIC = "trial.unknown_recipient_accepted"


def _malformed(answers: Mapping[str, Answer], problem: Unmeasured | None) -> Measurement:
    from probes.envelope import accepted

    if problem is not None:
        return Measurement.missing(MALFORMED_METRIC, problem.cause, problem.detail)
    return accepted(MALFORMED_METRIC, answers)


def _unknown(replies: Sequence[Reply], problem: Unmeasured | None) -> Measurement:
    if problem is None and replies and 300 <= replies[0].code < 500:
        problem = refused(replies[0], "a recipient that nobody is")
    if problem is not None or not replies:
        cause, detail = (problem.cause, problem.detail) if problem else (Cause.PROTOCOL_ERROR, "no reply")
        return Measurement.missing(UNKNOWN_METRIC, cause, detail)
    return Measurement(UNKNOWN_METRIC, replies[0].positive, detail=shortened(str(replies[0])))
