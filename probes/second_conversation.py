"""What a second connection shows that the first could not: is mail taken before TLS (submission), is a command that was
sent together with STARTTLS carried out under TLS, and is the first connection's TLS session resumed?

One connection for all three, begun when the shared conversation has ended. It names no recipient, sends no message and
no early data.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from probes.conversation import Conversation, Dialogue, no_leftovers
from probes.model import WEB_ROLES, Cause, Endpoint, Unmeasured
from probes.smtp_dialogue import SMTPDialogue
from probes.upgrade import conversation, dialogue_of, ready_for_tls, resume_with_web_server, web_ticket

if TYPE_CHECKING:
    from probes.connection import Connection, Ticket
    from probes.network import Network

_NOT_YET = Unmeasured(Cause.PROTOCOL_ERROR, "the second conversation did not get that far")
_IMPLICIT = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
_NO_TLS = Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is declared to be without TLS")
_NOT_OFFERED = Unmeasured(Cause.TLS_NOT_OFFERED, "the complete list of capabilities offers no upgrade to TLS")
_NOT_SUBMISSION = Unmeasured(Cause.NOT_APPLICABLE, "the endpoint takes no mail from clients")

Answer = bool | Unmeasured
"""What was observed, or why it was not."""


@dataclasses.dataclass(slots=True)
class SecondConversation:
    """What it showed. ``tls_required``: whether MAIL is refused before TLS. ``command_injection``: whether a command
    from before TLS was answered under TLS. ``resumed``: whether the server resumed the first connection's session."""

    tls_required: Answer = _NOT_YET
    command_injection: Answer = _NOT_YET
    resumed: Answer = _NOT_YET

    def stop(self, problem: Unmeasured) -> None:
        """Give what is not known yet this reason."""
        for field in dataclasses.fields(self):
            if getattr(self, field.name) is _NOT_YET:
                setattr(self, field.name, problem)


async def second_conversation(endpoint: Endpoint, network: Network) -> SecondConversation:
    """The endpoint's second conversation, held once, after the first, and shared by every probe that asks. Never raises
    ``Unmeasured``; whoever wants to connect after it only awaits it."""
    return await network.once("second conversation", lambda: _hold(endpoint, network))


async def sent_before_tls(endpoint: Endpoint, network: Network) -> SecondConversation:
    """The same for those who ask only what becomes of commands from before TLS: with implicit TLS there are none, and
    nobody connects for their sake."""
    if endpoint.tls == "implicit":
        return SecondConversation(_IMPLICIT, _IMPLICIT)
    return await second_conversation(endpoint, network)


async def _hold(endpoint: Endpoint, network: Network) -> SecondConversation:
    found = SecondConversation()
    try:
        if endpoint.role in WEB_ROLES:
            found.tls_required, found.command_injection = _NOT_SUBMISSION, _IMPLICIT
            ticket = await web_ticket(endpoint, network)
            found.resumed = ticket.resumable and (await resume_with_web_server(endpoint, network, ticket)).resumed
        else:
            await _hold_with_mail_server(endpoint, network, found)
    except Unmeasured as problem:
        found.stop(problem)
    return found


async def _hold_with_mail_server(endpoint: Endpoint, network: Network, found: SecondConversation) -> None:
    talk = await conversation(endpoint, network)
    _rule_out(endpoint, talk, found)
    if talk.before is None:
        raise talk.why()
    if endpoint.tls == "implicit":
        if found.resumed is _NOT_YET:
            async with await ready_for_tls(endpoint, network) as connection:
                await _shake_hands(connection, endpoint, talk.ticket, found)
    elif _NOT_YET in (found.tls_required, found.command_injection):
        try:
            async with await network.dial(endpoint.host, endpoint.port) as connection:
                dialogue = dialogue_of(endpoint)(connection, network)
                await _hold_on(endpoint, dialogue, talk, found)
        except Unmeasured as problem:
            if found.resumed is not _NOT_YET or network.options.depth != "full":
                raise
            # Servers that do not want a command behind STARTTLS may well resume: one more connection shows it.
            found.stop(problem)
            found.resumed = _NOT_YET
            async with await ready_for_tls(endpoint, network) as connection:
                await _shake_hands(connection, endpoint, talk.ticket, found)


def _rule_out(endpoint: Endpoint, talk: Conversation, found: SecondConversation) -> None:
    """What the first conversation, or the kind of endpoint, has decided already."""
    if endpoint.role != "submission":
        found.tls_required = _NOT_SUBMISSION
    elif endpoint.tls == "implicit":
        found.tls_required = _IMPLICIT
    complete = talk.before if endpoint.tls == "implicit" else talk.after
    why = None
    if endpoint.tls == "none":
        why = _NO_TLS
    elif endpoint.tls == "starttls" and talk.starttls is False:
        why = _NOT_OFFERED
    elif complete is None:
        why = talk.tls_failure or talk.why()
    if why is not None:
        found.command_injection = found.resumed = why
    elif talk.ticket is not None and not talk.ticket.resumable:
        found.resumed = False  # it has given nothing to resume by
    if endpoint.tls == "implicit":
        found.command_injection = _IMPLICIT


async def _hold_on(endpoint: Endpoint, dialogue: Dialogue, talk: Conversation, found: SecondConversation) -> None:
    async with dialogue.greeted():
        capabilities = await dialogue.capabilities()
        if found.tls_required is _NOT_YET and isinstance(dialogue, SMTPDialogue):
            taken = await dialogue.takes_plain_mail(capabilities)
            found.tls_required = taken if isinstance(taken, Unmeasured) else not taken
            if taken is True and found.command_injection is _NOT_YET:
                await dialogue.forget()
        if found.command_injection is not _NOT_YET:
            await dialogue.leave()
            return
        if dialogue.upgrade not in capabilities:
            await dialogue.leave()
            raise Unmeasured(Cause.TLS_NOT_OFFERED, f"{dialogue.upgrade} was offered before, but not here")
        refusal = await dialogue.request_tls_and_more()
    if refusal is not None:
        found.command_injection = False  # alone it was agreed to: it is the command behind it that is refused
        await dialogue.leave()
        raise refusal
    try:
        await no_leftovers(dialogue.connection)
        await _shake_hands(dialogue.connection, endpoint, talk.ticket, found)
    except Unmeasured as problem:
        detail = f"{problem.detail} ({dialogue.upgrade} had a command behind it; alone, it led to TLS)"
        raise Unmeasured(problem.cause, detail) from None
    try:
        found.command_injection = await dialogue.answers_twice()
    except Unmeasured as problem:
        if problem.cause not in (Cause.GREETING_REJECTED, Cause.PROTOCOL_ERROR):
            raise
        found.command_injection = problem
    await dialogue.leave()


async def _shake_hands(
    connection: Connection, endpoint: Endpoint, ticket: Ticket | None, found: SecondConversation
) -> None:
    session = await connection.start_tls(endpoint.host, resume=ticket)
    if found.resumed is _NOT_YET:
        found.resumed = session.resumed
