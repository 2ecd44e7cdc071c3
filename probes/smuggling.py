"""SMTP smuggling: what a server of one's own takes for the end of a message's text, other than <CRLF>.<CRLF>.

Whoever takes more than that for the end lets the rest of the text pass for commands of the client that brought it, and
with it a second message under that client's name (RFC 5321 §4.1.1.4 forbids it; CVE-2023-51764 and its kin).

An ending stands in the text of a message to the user's own recipient, and behind it stands NOOP: harmless as text, and
answered as a command. No reply to an ending alone is no evidence that it was not taken: the true end has to be
acknowledged after it, once, and QUIT after that, so that silence never counts.
"""

from __future__ import annotations

import dataclasses

from probes.model import Cause, Unmeasured
from probes.own_session import Session, Sessions, shortened
from probes.replies import Reply

WAIT = 0.5
"""Seconds that a reply to an ending gets before the true end is sent. A later one is noticed as one too many."""

BEHIND = b"NOOP mailrubric\r\n"
"""What stands behind an ending, and what would be a command if that were taken for the end."""

_MAIL = "MAIL FROM:<>"


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """Bytes that must not end a text."""

    data: bytes

    @property
    def name(self) -> str:
        """The bytes written out, such as ``<LF>.<CRLF>``."""
        text = self.data.replace(b"\r\n", b"<CRLF>").replace(b"\n", b"<LF>").replace(b"\r", b"<CR>")
        return text.replace(b"\x00", b"<NUL>").decode("ascii")


ENDINGS: tuple[Ending, ...] = tuple(
    Ending(data)
    for data in (
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\n.\r",
        b"\r.\n",
        b"\r\r\n.\r\r\n",
        b"\r\n\x00.\r\n",
        b"\r\n.\x00\r\n",
    )
)


async def accepted_endings(sessions: Sessions, head: bytes) -> tuple[list[str], str]:
    """The names of the endings that the server takes for the end of the text, and what happened, for people.

    ``head``: headers of the test messages with the empty line behind them. The server has to have taken a message with
    them already. One message with all endings is sent and, when anything but one reply comes of it, one for each, and
    another for each that anything else comes of.
    """
    if await _all_are_text(sessions, head):
        return [], "a message that holds all of them is taken as one"
    taken = []
    said = []
    for ending in ENDINGS:
        outcome = await _is_taken(await sessions.fresh(), head, ending)
        if outcome.taken or outcome.hung_up:  # that is these bytes' doing only if it comes of them every time
            again = await _is_taken(await sessions.fresh(), head, ending)
            if (again.taken, again.hung_up) != (outcome.taken, outcome.hung_up):
                raise Unmeasured(
                    Cause.PROTOCOL_ERROR, f"{ending.name}: {outcome.words}; when tried again: {again.words}"
                )
        said.append(f"{ending.name}: {outcome.words}")
        if outcome.taken:
            taken.append(ending.name)
    return sorted(taken), "; ".join(said)


async def _all_are_text(sessions: Sessions, head: bytes) -> bool:
    """Whether a message with all endings is taken as one message: one reply at its true end, and QUIT after it."""
    session = await sessions.fresh()
    await session.begin_data(_MAIL)
    try:
        await session.send_text(head + b"".join(b"text" + ending.data + BEHIND for ending in ENDINGS))
        if await session.reply_within(WAIT) is not None:
            await session.hang_up()
            return False
        reply = await session.end_data()
        return reply.positive and not await session.goodbye()
    except Unmeasured:
        return False  # whatever happened: each ending is looked at by itself, and has its own cause then
    finally:
        session.over = True


@dataclasses.dataclass(frozen=True, slots=True)
class _Outcome:
    """Whether an ending was taken for the end, or refused by a server that hung up; and what it said."""

    taken: bool
    words: str
    hung_up: bool = False


async def _is_taken(session: Session, head: bytes, ending: Ending) -> _Outcome:
    """What comes of one ending. ``Unmeasured`` when that cannot be told."""
    await session.begin_data(_MAIL)
    try:
        return await _send(session, head + b"text" + ending.data + BEHIND)
    finally:
        session.over = True  # its replies are no longer in step with our commands, or it has said goodbye


def _said(reply: Reply) -> str:
    return shortened(str(reply))


async def _send(session: Session, text: bytes) -> _Outcome:
    await session.send_text(text)
    first = await session.reply_within(WAIT)
    if first is None:
        reply = await session.end_data()
        extra = await session.goodbye()
        # With a reply too many, that to the ending came late, and what we read as extra are those to NOOP and so on.
        return _Outcome(bool(extra), f"{_said(reply)}, then {_said(extra[0])}" if extra else _said(reply))
    if first.positive:
        await session.hang_up()
        return _Outcome(True, _said(first))
    if first.code < 400:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"before the end of the text came {_said(first)}")
    # A refusal: of the message, at what is taken for its end, and then NOOP is answered next; or of the bytes.
    try:
        second = await session.reply_within(WAIT)
    except Unmeasured as problem:
        if problem.cause is not Cause.CONNECTION_RESET:
            raise
        return _Outcome(False, f"{_said(first)}, and hung up", hung_up=True)
    if second is None:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"before the end of the text came {_said(first)}, and nothing more")
    if second.code == 421:
        return _Outcome(False, f"{_said(first)}, then {_said(second)}", hung_up=True)
    await session.hang_up()
    return _Outcome(True, f"{_said(first)}, then {_said(second)}")
