"""The questions that are put to a server of one's own, one after the other, and what their answers mean.

Recipients in domains of others are named (those that RFC 2606 reserves) and given up again; a message is sent to the
user's own mailbox alone. Each question is asked on sessions of its own, so that a fault of one costs no other anything.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from probes import envelope, smuggling
from probes.addresses import literal
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.own_server import WRONG_COMMANDS
from probes.own_session import Session, Sessions, refusal, shortened, wants_login
from probes.replies import Reply, printable

if TYPE_CHECKING:
    from probes.network import Network

NO_SUCH_MAILBOX = "mailrubric-no-such-mailbox"
"""A local part that no mailbox has."""

STRANGER = "mailrubric-relay-test@example.org"
"""A recipient in a domain of nobody's (RFC 2606 §3), which exists in DNS: some servers refuse domains that do not."""

DETAIL_CHARACTERS = 6000
"""How long the words beside one metric may be: a catalogue by reply codes takes about 1500."""

_MAIL = envelope.MAIL_FROM_NOBODY
_SPEAKS_OF_RELAYING = re.compile(r"\brelay|cannot deliver mail for|not (?:a )?local", re.IGNORECASE)
_RECIPIENTS = 100
_GROUP = 20
_TOO_MANY_RECIPIENTS = re.compile(r"4\.5\.3|\brecipients?\b", re.IGNORECASE)
_TOO_MANY = re.compile(r"\btoo (?:many|much)\b", re.IGNORECASE)

_DELIVERIES = ("own_server.eight_bit_accepted", "own_server.smtputf8_accepted", "own_server.smuggling_accepted")

Part = Callable[["_Examination"], Awaitable[Iterable[Measurement]]]


async def examine(endpoint: Endpoint, network: Network) -> list[Measurement]:
    """Put all questions to the endpoint. ``not_permitted`` when it is not declared to be the user's own."""
    network.require_own_server()
    network.note(f"{endpoint.host} is declared to be the user's own server: what is intrusive begins here")
    examination = _Examination(endpoint, network)
    found: list[Measurement] = []
    for keys, part in _PARTS:
        found += await examination.take(keys, part)
    return [dataclasses.replace(each, detail=shortened(each.detail, DETAIL_CHARACTERS)) for each in found]


@dataclasses.dataclass(frozen=True, slots=True)
class _RelayForm:
    """A way to write a stranger's address. ``control``: an address of nobody's in the same place; where the server
    takes that one too, taking the form says nothing about relaying. "" where it does by itself."""

    name: str
    text: str
    control: str = ""


_RELAY_FORMS = (
    _RelayForm("plain", "<{user}@{away}>"),
    _RelayForm("source-route", "<@{own}:{user}@{away}>"),
    _RelayForm("quoted", '<"{user}@{away}">', "<{nobody}>"),
    _RelayForm("quoted-local-part", '<"{user}@{away}"@{own}>', "<{nobody}@{own}>"),
    _RelayForm("percent", "<{user}%{away}@{own}>", "<{nobody}@{own}>"),
    _RelayForm("percent-without-domain", "<{user}%{away}>", "<{nobody}>"),
    _RelayForm("percent-at-literal", "<{user}%{away}@[{address}]>", "<{nobody}@[{address}]>"),
    _RelayForm("bang", "<{away}!{user}@{own}>", "<{nobody}@{own}>"),
    _RelayForm("bang-without-domain", "<{away}!{user}>", "<{nobody}>"),
    _RelayForm("two-at-signs", "<{user}@{away}@{own}>", "<{nobody}@{own}>"),
)


class _Examination:
    """One run of all questions at one endpoint."""

    def __init__(self, endpoint: Endpoint, network: Network) -> None:
        self.endpoint = endpoint
        self.network = network
        self.sessions = Sessions(endpoint, network)
        self._recipient = network.options.own_server_recipient

    @property
    def domain(self) -> str:
        """A domain that the server may be expected to be at home in."""
        recipient = self._recipient.rpartition("@")[2]
        if recipient or self.endpoint.domain:
            return recipient or self.endpoint.domain
        return f"[{self.endpoint.host}]" if literal(self.endpoint.host) else self.endpoint.host

    async def take(self, keys: tuple[str, ...], part: Part) -> list[Measurement]:
        """One part's measurements; what it raises is the cause of all of its metrics that it has not returned."""
        try:
            found = {each.metric: each for each in await part(self)}
            await self.sessions.close()
        except Unmeasured as problem:
            found = {key: Measurement.missing(key, problem.cause, problem.detail) for key in keys}
            await self._abandon()
        return [found[key] for key in keys]

    async def _abandon(self) -> None:
        """Give the session up in which something went wrong, whatever it has still to say."""
        try:
            await self.sessions.close()
        except Unmeasured as problem:
            self.network.note(f"and at the end of that session: {problem}")

    async def one(self, key: str, question: Callable[[], Awaitable[Measurement]]) -> Measurement:
        """One question's measurement, or its own cause."""
        try:
            found = await question()
            await self.sessions.close()
        except Unmeasured as problem:
            await self._abandon()
            return Measurement.missing(key, problem.cause, problem.detail)
        return found

    # -- what can be asked about mailboxes ------------------------------------------------------------------------

    async def vrfy(self) -> list[Measurement]:
        """VRFY."""
        return [await self._disclosure("own_server.vrfy", "VRFY")]

    async def expn(self) -> list[Measurement]:
        """EXPN."""
        return [await self._disclosure("own_server.expn", "EXPN")]

    async def _disclosure(self, key: str, verb: str) -> Measurement:
        nobody = f"{NO_SUCH_MAILBOX}@{self.domain}" if self._recipient else NO_SUCH_MAILBOX
        there = await self.sessions.attempt(functools.partial(Session.ask, command=f"{verb} {self._known}"))
        not_there = await self.sessions.attempt(functools.partial(Session.ask, command=f"{verb} {nobody}"))
        return Measurement(key, self._level(there, not_there), detail=f"{self._known}: {there}; {nobody}: {not_there}")

    @property
    def _known(self) -> str:
        """A mailbox that exists: the user's, or the postmaster's, which has to (RFC 5321 §4.5.1)."""
        return self._recipient or "postmaster"

    def _level(self, there: Reply, not_there: Reply) -> str:
        for reply in (there, not_there):
            if reply.code < 500 and not reply.positive:
                raise refusal(reply, "about a mailbox")
        if there.code != not_there.code:
            return "discloses"
        if there.positive:
            return "noncommittal"
        if not self._recipient and there.code in (550, 551, 553) and there.enhanced.startswith("5.1."):
            raise Unmeasured(
                Cause.NOT_PERMITTED, f"needs a mailbox that exists there; the postmaster's does not: {there}"
            )
        return "refused"

    # -- addresses ------------------------------------------------------------------------------------------------

    async def senders(self) -> list[Measurement]:
        """MAIL with the whole catalogue."""
        candidates = [f"{envelope.LOCAL_PART}@example.org"]
        name = self.network.ehlo_name
        if "." in name and literal(name) is None:
            candidates.insert(0, f"{envelope.LOCAL_PART}@{name}")
        if self._recipient:
            candidates.append(self._recipient)
        address = await envelope.sender_taken(self.sessions, candidates)
        well_formed = await envelope.senders(self.sessions, envelope.WELL_FORMED_SENDERS, address)
        malformed = await envelope.senders(self.sessions, envelope.MALFORMED, address)
        return [
            envelope.accepted("own_server.malformed_senders_accepted", malformed),
            envelope.refused("own_server.wellformed_senders_refused", well_formed),
        ]

    async def recipients(self) -> list[Measurement]:
        """RCPT with the whole catalogue, made of the user's own mailbox."""
        address = self.sessions.recipient
        await envelope.recipient_taken(self.sessions, address)
        well_formed = await envelope.recipients(self.sessions, envelope.WELL_FORMED_RECIPIENTS, address)
        forms = envelope.MALFORMED
        if address.lower().startswith("postmaster@"):  # the one name that needs no domain
            forms = tuple(form for form in forms if form.name != "no-domain")
        malformed = await envelope.recipients(self.sessions, forms, address)
        return [
            envelope.accepted("own_server.malformed_recipients_accepted", malformed),
            envelope.refused("own_server.wellformed_recipients_refused", well_formed),
        ]

    # -- relaying -------------------------------------------------------------------------------------------------

    async def relaying(self) -> list[Measurement]:
        """RCPT with strangers' addresses, from nobody and from somebody who claims to be one of the domain's own."""
        key = "own_server.open_relay"
        refusals: list[Reply] = []  # of senders, and of the stranger in plain writing: others may not be understood
        relayed: list[str] = []
        put_off: Reply | None = None
        for sender in ("<>", f"<{envelope.LOCAL_PART}@{self.domain}>", f"<{envelope.LOCAL_PART}@example.net>"):
            mail = f"MAIL FROM:{sender}"
            begun = await self.sessions.attempt(functools.partial(Session.begin, mail=mail))
            if not begun.positive:
                refusals.append(begun)
                continue
            for form in _RELAY_FORMS:
                reply = await self._name(form.text, mail)
                if reply.positive and not (form.control and (await self._name(form.control, mail)).positive):
                    relayed.append(f"{form.name} from {sender}: {shortened(str(reply))}")
                elif form is _RELAY_FORMS[0]:
                    refusals.append(reply)
                if reply.code < 500 and not reply.positive:
                    put_off = reply
        if relayed:
            return [Measurement(key, True, detail=f"for {self.sessions.own_address}: {'; '.join(relayed)}")]
        for refused in (put_off, *refusals):
            if refused is not None and refused.code < 500:
                raise refusal(refused, "a recipient elsewhere")
        if not all(wants_login(reply) or _SPEAKS_OF_RELAYING.search(reply.text) for reply in refusals):
            # It may be us, or everybody, who is refused. Only a recipient that is taken shows that it is the stranger.
            await envelope.recipient_taken(self.sessions, self.sessions.recipient)
        return [Measurement(key, False, detail=str(refusals[0]))]

    async def _name(self, form: str, mail: str) -> Reply:
        user, _, away = STRANGER.partition("@")
        address = self.network.address
        text = form.format(
            user=user,
            away=away,
            own=self.domain,
            nobody=NO_SUCH_MAILBOX,
            address=f"IPv6:{address}" if ":" in address else address,
        )
        return await self.sessions.attempt(functools.partial(envelope.name_recipient, address=text, mail=mail))

    # -- what the server promises ---------------------------------------------------------------------------------

    async def size(self) -> list[Measurement]:
        """MAIL SIZE just within the limit, which has to be taken, and just beyond it."""
        key = "own_server.size_enforced"
        session = await self.sessions.fresh()
        stated = session.offered.get("SIZE", ())
        if not stated or re.fullmatch(r"[0-9]{1,19}", stated[0]) is None or int(stated[0]) == 0:
            raise Unmeasured(Cause.NOT_APPLICABLE, "the server states no limit")
        limit = int(stated[0])
        within = await session.begin(f"{_MAIL} SIZE=1000")
        if not within.positive:
            raise refusal(within, f"{_MAIL} SIZE=1000")
        beyond = await session.begin(f"{_MAIL} SIZE={limit + 1}")
        if not beyond.positive and (beyond.code < 500 or wants_login(beyond)):
            raise refusal(beyond, f"{_MAIL} SIZE={limit + 1}")
        return [Measurement(key, not beyond.positive, detail=f"SIZE={limit + 1}: {beyond}")]

    async def pipelining(self) -> list[Measurement]:
        """Commands one by one, then the same in one segment."""
        key = "own_server.pipelining_honest"
        session = await self.sessions.fresh()
        if "PIPELINING" not in session.offered:
            raise Unmeasured(Cause.NOT_APPLICABLE, "PIPELINING is not offered")
        commands: list[str | bytes] = [_MAIL, "RCPT TO:<>", "RSET"]  # refused and taken in turn: the order shows
        alone = [await session.ask(command) for command in commands]
        for reply in alone:
            if 400 <= reply.code < 500:
                raise refusal(reply, "commands one by one")
        group = await session.ask_group([*commands, "QUIT"])
        said = f"one by one {_codes(alone)}, then QUIT; together {_codes(group)}"
        wanted = [reply.code // 100 for reply in alone]
        for reply in group:
            if 400 <= reply.code < 500:
                raise refusal(reply, "commands in one segment")
        right = [reply.code // 100 for reply in group] == [*wanted, 2][: len(group)]
        if len(group) > len(commands):
            if group[-1].code != 221:
                raise Unmeasured(Cause.PROTOCOL_ERROR, f"the replies are out of step: {said}")
            session.over = True
            return [Measurement(key, right, detail=said)]
        if not right:
            return [Measurement(key, False, detail=said)]
        # Too few replies: a fact only if the server is still there and answers to what comes now.
        if session.problem is None or session.problem.cause is not Cause.DEADLINE_EXCEEDED:
            raise session.problem or Unmeasured(Cause.PROTOCOL_ERROR, said)
        if await session.goodbye():  # not lost, but late
            raise session.problem
        return [Measurement(key, False, detail=f"{said}; the rest was lost")]

    async def hundred(self) -> list[Measurement]:
        """RCPT with the user's own mailbox, a hundred times in one transaction."""
        key = "own_server.hundred_recipients"
        recipient = self.sessions.recipient
        session = await self.sessions.fresh()
        # Not from the null reverse-path, which some servers allow one recipient alone.
        begun = await session.begin(f"MAIL FROM:<{recipient}>")
        if not begun.positive:
            raise refusal(begun, f"the sender <{recipient}>")
        group = _GROUP if "PIPELINING" in session.offered else 1
        taken = 0
        while taken < _RECIPIENTS:
            for reply in await session.ask_group([f"RCPT TO:<{recipient}>"] * group):
                if not taken and not reply.positive:
                    raise refusal(reply, "the recipient")
                if not reply.positive:
                    return [self._not_hundred(key, reply, taken)]
                taken += 1
            if session.problem is not None:
                raise session.problem
        return [Measurement(key, True)]

    def _not_hundred(self, key: str, reply: Reply, taken: int) -> Measurement:
        if reply.code < 400 or (reply.code < 500 and not _TOO_MANY_RECIPIENTS.search(str(reply))):
            raise refusal(reply, f"recipient {taken + 1}")
        return Measurement(key, False, detail=f"{taken} are taken, then {reply}")

    # -- messages -------------------------------------------------------------------------------------------------

    async def deliveries(self) -> list[Measurement]:
        """Messages to the user's own mailbox: a plain one, which has to be taken; then those in question."""
        recipient = self.sessions.recipient
        reply = await self._deliver(_MAIL, self._head("a plain message") + b"A message like any other.")
        if not reply.positive:
            raise refusal(reply, "a message that nothing is wrong with")
        self.network.note(f"a message to <{recipient}> is taken: {reply}")
        eight_bit, smtputf8, smuggled = _DELIVERIES
        return [
            await self.one(eight_bit, self._eight_bit),
            await self.one(smtputf8, self._smtputf8),
            await self.one(smuggled, self._smuggling),
        ]

    def _head(self, subject: str) -> bytes:
        """Headers of a message to the user, from himself, and the empty line behind them."""
        from email.utils import format_datetime

        lines = (
            f"Date: {format_datetime(self.network.now)}",
            f"From: <{self._recipient}>",
            f"To: <{self._recipient}>",
            f"Subject: Mailrubric tests your server {self.endpoint.host}: {subject}",
            f"Message-ID: <mailrubric.{self.network.random(subject, 12).hex()}@{self.domain}>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("utf-8")

    async def _deliver(self, mail: str, text: bytes) -> Reply:
        """The reply at the end of a message; why it does not come to that is raised."""
        session = await self.sessions.fresh()
        await session.begin_data(mail)
        await session.send_text(text)
        reply = await session.end_data()
        await self.sessions.close()
        return reply

    async def _extension(self, key: str, extension: str, mails: tuple[str, ...], text: bytes) -> Measurement:
        """Whether all ``mails`` are taken, and a message that the last of them begins."""
        session = await self.sessions.session()
        if extension not in session.offered:
            raise Unmeasured(Cause.NOT_APPLICABLE, f"{extension} is not offered")
        for mail in mails:
            reply = await session.begin(mail)
            if not reply.positive and (reply.code < 500 or wants_login(reply)):
                raise refusal(reply, mail)
            if not reply.positive:
                return Measurement(key, False, detail=f"{printable(mail)}: {reply}")
        reply = await self._deliver(mails[-1], text)
        if reply.code < 500 and not reply.positive:
            raise refusal(reply, "the message")
        return Measurement(key, reply.positive, detail=str(reply))

    async def _eight_bit(self) -> Measurement:
        text = self._head("8-bit text") + "Grüße, привет, 你好".encode()
        return await self._extension("own_server.eight_bit_accepted", "8BITMIME", (f"{_MAIL} BODY=8BITMIME",), text)

    async def _smtputf8(self) -> Measurement:
        body = " BODY=8BITMIME" if "8BITMIME" in (await self.sessions.session()).offered else ""
        mails = (f"MAIL FROM:<{envelope.LOCAL_PART}-ü@{self.domain}> SMTPUTF8", f"{_MAIL}{body} SMTPUTF8")
        text = self._head("internationale Köpfe") + "Grüße".encode()
        return await self._extension("own_server.smtputf8_accepted", "SMTPUTF8", mails, text)

    async def _smuggling(self) -> Measurement:
        endings, said = await smuggling.accepted_endings(self.sessions, self._head("the end of the text"))
        return Measurement("own_server.smuggling_accepted", tuple(endings), detail=said)

    # -- patience -------------------------------------------------------------------------------------------------

    async def patience(self) -> list[Measurement]:
        """Unknown commands until the server hangs up. That it does so because of them, its last words have to say: a
        connection can break for other reasons."""
        key = "own_server.error_limit"
        session = await self.sessions.fresh()
        last: Reply | None = None
        for number in range(WRONG_COMMANDS):
            try:
                reply = await session.ask("MAILRUBRIC")
            except Unmeasured as problem:
                told = problem.cause is Cause.THROTTLED or (
                    problem.cause is Cause.CONNECTION_RESET and last is not None and _TOO_MANY.search(last.text)
                )
                if not told or not number:
                    raise
                return [Measurement(key, number, detail=problem.detail if last is None else str(last))]
            if reply.code < 500:
                raise refusal(reply, "an unknown command")
            last = reply
        raise Unmeasured(Cause.NOT_APPLICABLE, f"the server answers {WRONG_COMMANDS} unknown commands in a row: {last}")


def _codes(replies: Iterable[Reply]) -> str:
    return " ".join(str(reply.code) for reply in replies)


_PARTS: tuple[tuple[tuple[str, ...], Part], ...] = (
    (("own_server.vrfy",), _Examination.vrfy),
    (("own_server.expn",), _Examination.expn),
    (("own_server.malformed_senders_accepted", "own_server.wellformed_senders_refused"), _Examination.senders),
    (("own_server.malformed_recipients_accepted", "own_server.wellformed_recipients_refused"), _Examination.recipients),
    (("own_server.open_relay",), _Examination.relaying),
    (("own_server.size_enforced",), _Examination.size),
    (("own_server.pipelining_honest",), _Examination.pipelining),
    (("own_server.hundred_recipients",), _Examination.hundred),
    (_DELIVERIES, _Examination.deliveries),
    (("own_server.error_limit",), _Examination.patience),
)
"""The questions in their order; the one that a server may resent most comes last."""
