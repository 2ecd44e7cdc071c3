"""SMTP sessions with a server of one's own, for questions that nobody asks of a stranger's.

A session here is expected to end early: servers hang up after so many wrong commands. :class:`Sessions` opens the next
one then, asks again what was cut off, and checks at the end of each session that its replies were in step with our
commands, since a reply too many would make every later answer a wrong one.

Every message goes from the null reverse-path, so that nothing that becomes of it is ever returned to anybody, and to
``Options.own_server_recipient`` alone: :meth:`Session.begin_data` is the only place where DATA is sent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from probes.conversation import Capabilities, leftover_bytes
from probes.model import Cause, Endpoint, Unmeasured
from probes.replies import Reply, ReplyCollector, printable, quoted
from probes.smtp_dialogue import SMTPDialogue

if TYPE_CHECKING:
    from probes.network import Network

T = TypeVar("T")

ERRORS_OF_A_SESSION = 8
"""After so many refused commands we begin another session ourselves: Postfix slows down after 10."""

RESETS_OF_A_SESSION = 5
"""The same for RSET: Exim bears 10 commands that lead to no message, and EHLO counts."""

REPLIES_TOO_MANY = 50
"""After so many replies that were not asked for nobody listens any longer."""

_ENDS = frozenset({Cause.CONNECTION_RESET, Cause.THROTTLED})
"""Causes by which a session ends where the next one may go on."""

_TLS_BROKE = frozenset({Cause.TLS_ALERT, Cause.TLS_HANDSHAKE_ERROR})
_SPEAKS_OF_LOGIN = re.compile(r"\bauth|\blog ?in\b", re.IGNORECASE)


def shortened(text: str, at_most: int = 200) -> str:
    """The beginning of a printable text: a server may put 16 KiB into each of its replies."""
    return text if len(text) <= at_most else text[:at_most] + "…"


def refusal(reply: Reply, what: str) -> Unmeasured:
    """The cause behind a reply that keeps us from going on; ``what`` was asked, such as "the recipient"."""
    said = f"{what}: {shortened(str(reply))}"
    if wants_login(reply):
        return Unmeasured(Cause.NOT_PERMITTED, f"the server wants a login first: {said}")
    if 400 <= reply.code < 500:
        return Unmeasured(Cause.THROTTLED, f"put off, {said}")
    if reply.code >= 500:
        return Unmeasured(Cause.NOT_PERMITTED, f"refused, {said}")
    return Unmeasured(Cause.PROTOCOL_ERROR, f"not a reply to what was asked, {said}")


def wants_login(reply: Reply) -> bool:
    """Whether a reply demands authentication: 530 (RFC 4954 §6), or any other refusal that speaks of it."""
    return reply.code == 530 or (reply.code >= 500 and _SPEAKS_OF_LOGIN.search(reply.text) is not None)


class _OwnDialogue(SMTPDialogue):
    """SMTP's words, where a 421 in the middle of a session says that this session is over and no more than that."""

    at_home = False

    async def reply(self) -> Reply:
        """The next complete reply, 421 too once the session is under way."""
        return await self.connection.read_reply() if self.at_home else await super().reply()


class Session:
    """One session that is greeted, under TLS where TLS is offered.

    ``offered``: the extensions of the last EHLO. ``errors``, ``resets``: how many replies refused something, and how
    many transactions were given up. ``recipients``: how many the transaction has; whoever adds one counts it.
    """

    def __init__(self, dialogue: SMTPDialogue, offered: Capabilities) -> None:
        self.offered = offered
        self.errors = 0
        self.resets = 0
        self.commands = 0
        self.recipients = 0
        self.over = False
        self.problem: Unmeasured | None = None
        """Why a group of commands was not answered to the end."""
        self._dialogue = dialogue
        self._connection = dialogue.connection
        self._transaction: str | None = None

    async def ask(self, command: str | bytes) -> Reply:
        """Send one command as it is, with CRLF behind it, and read its reply. ``throttled`` for 421."""
        return (await self.ask_group([command]))[0]

    async def ask_group(self, commands: list[str | bytes]) -> list[Reply]:
        """Send commands in one segment (RFC 2920) and read a reply to each. What has come when the time is over or the
        connection is closed comes back; ``Unmeasured`` only when not even one reply has."""
        raw = [command.encode("utf-8") if isinstance(command, str) else command for command in commands]
        await self.in_step()
        self.commands += len(raw)
        replies: list[Reply] = []
        try:
            await self._connection.send(b"".join(each + b"\r\n" for each in raw), shown=_shown(raw))
            for _ in raw:
                replies.append(await self._reply())
        except Unmeasured as problem:
            self.over = True
            self.problem = problem
            if not replies:
                raise
        return replies

    async def _reply(self) -> Reply:
        try:
            reply = await self._dialogue.reply()
        except Unmeasured as problem:
            if problem.cause in _TLS_BROKE:  # Exim's last words come in plain text, for one
                raise Unmeasured(Cause.CONNECTION_RESET, f"TLS broke off: {problem.detail}") from None
            raise
        if reply.code == 421:
            self.over = True
            raise Unmeasured(Cause.THROTTLED, str(reply))
        self.errors += reply.code >= 400
        return reply

    async def in_step(self) -> None:
        """Raise ``protocol_error`` when something has come that was not asked for; ``throttled`` when it is the 421 by
        which a server ends a session of its own accord (RFC 5321 §3.8)."""
        extra = await leftover_bytes(self._connection)
        if extra:
            self.over = True
            if extra.startswith(b"421"):
                raise Unmeasured(Cause.THROTTLED, str(await self._connection.read_reply()))
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"the server says more than it was asked: {quoted(extra, 100)}")

    async def begin(self, mail: str | bytes, *, keep: bool = False) -> Reply:
        """Begin a transaction with this MAIL command; its reply. ``keep``: go on with the one that was begun with the
        same command. A former transaction is given up first."""
        shown = printable(mail)
        if self._transaction is not None:
            if keep and self._transaction == shown:
                return Reply(250, ())
            await self.reset()
        reply = await self.ask(mail)
        if reply.positive:
            self._transaction = shown
        return reply

    async def reset(self) -> None:
        """Give up the transaction. ``protocol_error`` when the server does not say that it has."""
        reply = await self.ask("RSET")
        self._transaction = None
        self.recipients = 0
        self.resets += 1
        if reply.code != 250:
            cause = Cause.THROTTLED if reply.code >= 400 else Cause.PROTOCOL_ERROR
            raise Unmeasured(cause, f"the reply to RSET is not 250: {reply}")

    async def begin_data(self, mail: str) -> None:
        """Begin a message to the user's own recipient and to nobody else, up to where its text is due. ``mail``: the
        MAIL command, whose reverse-path is null. Raises what keeps the server from taking it."""
        recipient = self._dialogue.network.options.own_server_recipient
        if not recipient or not mail.startswith("MAIL FROM:<>"):
            raise ValueError("messages go from the null reverse-path to the user's own recipient alone")
        await self.reset()  # no recipient of an earlier question may remain
        reply = await self.begin(mail)
        if not reply.positive:
            raise refusal(reply, mail)
        reply = await self.ask(f"RCPT TO:<{recipient}>")
        if not reply.positive:
            raise refusal(reply, "the recipient")
        reply = await self.ask("DATA")
        self._transaction = None
        if reply.code != 354:
            raise refusal(reply, "DATA")
        await self.in_step()

    async def send_text(self, text: bytes) -> None:
        """Send a piece of a message's text exactly as it is."""
        await self._connection.send(text, shown=printable(text, 300))

    async def end_data(self) -> Reply:
        """Send the true end of the text and read the reply."""
        await self.send_text(b"\r\n.\r\n")
        return await self._reply()

    async def reply_within(self, seconds: float) -> Reply | None:
        """The reply that comes within so many seconds, or None when not even its first line does. Unlike ``ask`` this
        gives 421 back."""
        connection, limits = self._connection, self._dialogue.network.options.limits
        try:
            line = await connection.read_line(min(seconds, limits.read_timeout))
        except Unmeasured as problem:
            if problem.cause is Cause.DEADLINE_EXCEEDED and self._dialogue.network.remaining > 0:
                return None
            raise
        collector = ReplyCollector(limits.reply_lines, limits.reply_bytes)
        with connection.step():
            while (reply := collector.add(line)) is None:
                line = await connection.read_line()
        return reply

    async def close(self) -> None:
        """Say goodbye and hang up. Raises ``protocol_error`` when the reply shows that there was one too many before,
        so that none of this session's replies can be told to a command."""
        if self.over:
            await self._connection.close()
            return
        try:
            await self.in_step()
            extra = await self.goodbye()
        except Unmeasured as problem:
            if problem.cause in (Cause.PROTOCOL_ERROR, Cause.REPLY_TOO_LONG):
                raise
            return  # hung up or silent: there was no reply too many
        finally:
            await self._connection.close()
        if extra:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"the reply to QUIT is not 221: {extra[0]}")

    async def hang_up(self) -> None:
        """Say goodbye and wait for nothing."""
        self.over = True
        await self._dialogue.leave()

    async def goodbye(self) -> list[Reply]:
        """Send QUIT; the replies that come before that to QUIT itself (221). Nothing can be asked afterwards."""
        self.over = True
        await self._connection.send_line("QUIT")
        extra: list[Reply] = []
        while (reply := await self._connection.read_reply()).code not in (221, 421):
            extra.append(reply)
            if len(extra) > REPLIES_TOO_MANY:
                raise Unmeasured(Cause.PROTOCOL_ERROR, f"no end of replies to QUIT: {reply}")
        return extra


def _shown(commands: list[bytes]) -> str:
    return " ⏎ ".join(printable(each) for each in commands) if len(commands) > 1 else printable(commands[0])


class Sessions:
    """Sessions with the endpoint, one at a time. Once none can be had, nobody tries again: the server is left alone."""

    def __init__(self, endpoint: Endpoint, network: Network) -> None:
        self._endpoint = endpoint
        self._network = network
        self._current: Session | None = None
        self._refused: Unmeasured | None = None
        self.own_address = ""
        """Our own address on the last connection."""

    @property
    def recipient(self) -> str:
        """The user's own mailbox for test messages. ``not_permitted`` when he has named none."""
        recipient = self._network.options.own_server_recipient
        if not recipient:
            raise Unmeasured(
                Cause.NOT_PERMITTED,
                "needs a mailbox of one's own there: own_server_recipient in mailrubric.yaml names none",
            )
        return recipient

    async def attempt(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """What ``work`` gives on a session. When the session ends in the middle and was not new, ``work`` is done once
        more on a new one: what is asked before has its share in a server's patience."""
        session = await self.session()
        stale = session.commands > 0
        try:
            return await self._watched(session, work)
        except Unmeasured as problem:
            if not stale or problem.cause not in _ENDS:
                raise
        return await self._watched(await self.fresh(), work)

    async def _watched(self, session: Session, work: Callable[[Session], Awaitable[T]]) -> T:
        try:
            return await work(session)
        except Unmeasured:
            session.over = True  # whatever is still to come on it, we could not tell what it answers
            raise

    async def session(self) -> Session:
        """A session in which something can be asked: the current one while the server can be expected to bear it."""
        current = self._current
        if (
            current is not None
            and not current.over
            and current.errors < ERRORS_OF_A_SESSION
            and current.resets < RESETS_OF_A_SESSION
        ):
            return current
        return await self.fresh()

    async def fresh(self) -> Session:
        """A new session, after the current one was closed in good order."""
        await self.close()
        if self._refused is not None:
            raise Unmeasured(self._refused.cause, self._refused.detail)
        try:
            self._current = await self._open()
        except Unmeasured as problem:
            self._refused = problem
            raise
        return self._current

    async def close(self) -> None:
        """Close the current session; see ``Session.close``."""
        current, self._current = self._current, None
        if current is not None:
            await current.close()

    async def _open(self) -> Session:
        connection = await self._network.dial(self._endpoint.host, self._endpoint.port)
        try:
            dialogue = _OwnDialogue(connection, self._network)
            if self._endpoint.tls == "implicit":
                await connection.start_tls(self._endpoint.host)
            async with dialogue.greeted():
                offered = await dialogue.capabilities()
                upgrades = self._endpoint.tls == "starttls" and dialogue.upgrade in offered
                refused = await dialogue.request_tls() if upgrades else None
            if refused is not None:
                await dialogue.leave()
                raise refused
            if upgrades:
                # start_tls refuses to go on over bytes that came after the agreement.
                await asyncio.sleep(0)
                await connection.start_tls(self._endpoint.host)
                offered = await dialogue.capabilities(after_tls=True)
        except BaseException:
            await connection.close()
            raise
        dialogue.at_home = True
        self.own_address = connection.local_address
        return Session(dialogue, offered)
