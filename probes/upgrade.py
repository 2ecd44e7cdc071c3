"""Two ways to TLS that every protocol's probes share.

:func:`handshake` gives the one full handshake of an endpoint, made in the course of its conversation and shared by all
probes. :func:`ready_for_tls` gives a fresh connection at the point where a ClientHello may be sent, for hand-made ones.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from probes.conversation import Conversation, DialogueMaker, converse, open_for_tls
from probes.model import WEB_ROLES, Cause, Endpoint, Unmeasured

if TYPE_CHECKING:
    from probes.connection import Connection, Ticket, TLSSession
    from probes.network import Network

WEB_PROTOCOLS = ("h2", "http/1.1")
"""What we offer in ALPN to web servers (RFC 7301)."""


def dialogue_of(endpoint: Endpoint) -> DialogueMaker:
    """The words for this endpoint's protocol. ``Unmeasured(not_applicable)`` when it is no mail protocol."""
    match endpoint.role:
        case "submission" | "mx":
            from probes.smtp_dialogue import SMTPDialogue

            return SMTPDialogue
        case "imap":
            from probes.imap import IMAPDialogue

            return IMAPDialogue
        case "pop3":
            from probes.pop3 import POP3Dialogue

            return POP3Dialogue
        case "sieve":
            from probes.sieve import SieveDialogue

            return SieveDialogue
    raise Unmeasured(Cause.NOT_APPLICABLE, f"an endpoint of role {endpoint.role} holds no mail conversation")


async def conversation(endpoint: Endpoint, network: Network) -> Conversation:
    """The endpoint's one whole conversation, held once and shared by every probe that asks."""
    make = dialogue_of(endpoint)
    talk = await conversation_so_far(network)
    return await network.once("conversation", lambda: converse(endpoint, network, make, talk))


async def conversation_so_far(network: Network) -> Conversation:
    """What the shared conversation has shown by now; it fills while the conversation goes on."""
    return await network.once("conversation so far", _nothing_said)


async def _nothing_said() -> Conversation:
    return Conversation()


async def handshake(endpoint: Endpoint, network: Network) -> TLSSession:
    """The endpoint's one full handshake, shared by every probe that asks.

    Raises ``Unmeasured``: ``tls_not_offered`` when a complete list of capabilities lacks the upgrade,
    ``not_applicable`` when the endpoint is declared to be without TLS, else what kept TLS from coming about.
    """
    if endpoint.role in WEB_ROLES:
        return (await _shaken(endpoint, network)).session
    if endpoint.tls == "none":
        raise Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is declared to be without TLS")
    talk = await conversation(endpoint, network)
    if talk.session is not None:
        return talk.session
    if talk.starttls is False:
        raise Unmeasured(Cause.TLS_NOT_OFFERED, "the complete list of capabilities offers no upgrade to TLS")
    problem = talk.tls_failure or talk.why()
    raise Unmeasured(problem.cause, problem.detail)


async def ready_for_tls(endpoint: Endpoint, network: Network) -> Connection:
    """A new connection at the point where a ClientHello may be sent, its buffer empty: after the positive reply to
    STARTTLS, or at once where TLS is implicit and for https. The caller closes it.

    Raises ``Unmeasured`` as :func:`handshake` does; bytes after the reply to STARTTLS are a ``protocol_error``.
    """
    if endpoint.role in WEB_ROLES:
        return await network.dial(*_web_server(endpoint))
    if endpoint.tls == "none":
        raise Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is declared to be without TLS")
    make = dialogue_of(endpoint)
    return await open_for_tls(endpoint, network, make if endpoint.tls == "starttls" else None)


@dataclasses.dataclass(frozen=True)
class _Shaken:
    """A connection to a web server on which the handshake is done."""

    connection: Connection
    session: TLSSession
    host: str

    async def ticket(self, network: Network) -> Ticket | Unmeasured:
        """What the server gives to resume the session by, asked for once. Closes the connection."""
        return await network.once("web ticket", lambda: _web_ticket(self))


async def web_ticket(endpoint: Endpoint, network: Network) -> Ticket:
    """What a web server has given to resume the session of :func:`handshake` by."""
    ticket = await (await _shaken(endpoint, network)).ticket(network)
    if isinstance(ticket, Unmeasured):
        raise Unmeasured(ticket.cause, ticket.detail)
    return ticket


async def resume_with_web_server(endpoint: Endpoint, network: Network, ticket: Ticket) -> TLSSession:
    """A bare handshake of its own that offers to resume a session."""
    host, port = _web_server(endpoint)
    async with await network.dial(host, port) as connection:
        return await connection.start_tls(host, alpn=WEB_PROTOCOLS, resume=ticket)


async def _shaken(endpoint: Endpoint, network: Network) -> _Shaken:
    return await network.once("web handshake", lambda: _web_handshake(endpoint, network))


async def _web_handshake(endpoint: Endpoint, network: Network) -> _Shaken:
    """Shake hands, and let the rest of the connection go on by itself, so that nobody waits for its end."""
    host, port = _web_server(endpoint)
    network.surroundings.tls_context()  # dear in a new process: not while somebody's time is being taken
    connection = await network.dial(host, port)
    try:
        session = await connection.start_tls(host, alpn=WEB_PROTOCOLS)
    except BaseException:
        await connection.close()
        raise
    shaken = _Shaken(connection, session, host)
    rest = asyncio.create_task(shaken.ticket(network))
    rest.add_done_callback(lambda task: task.cancelled() or task.exception())
    return shaken


async def _web_ticket(shaken: _Shaken) -> Ticket | Unmeasured:
    """Say a few words under TLS and hear the beginning of an answer: TLS 1.3 servers give tickets after the handshake,
    some only when they have something to say. An answer that stays out does not matter where a ticket has come."""
    connection, problem = shaken.connection, None
    async with connection:
        try:
            if shaken.session.alpn == "h2":
                await connection.send(_HTTP_2_BEGINNING, shown="(beginning of HTTP/2)")
            else:
                host = f"[{shaken.host}]" if ":" in shaken.host else shaken.host
                request = f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                await connection.send(request.encode("ascii"), shown="HEAD /")
            if not await connection.receive():
                problem = Unmeasured(
                    Cause.CONNECTION_RESET, "the server closed the connection without a word under TLS"
                )
        except Unmeasured as reason:
            problem = reason
        ticket = connection.ticket()
    return ticket if ticket.resumable or problem is None else problem


_HTTP_2_BEGINNING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""A client's connection preface with empty settings (RFC 9113 §3.4)."""


def _web_server(endpoint: Endpoint) -> tuple[str, int]:
    """Host and port of an https endpoint. ``Unmeasured(not_applicable)`` for plain http."""
    from probes.addresses import split_url

    try:
        scheme, host, port, _ = split_url(endpoint.url)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_APPLICABLE, str(error)) from None
    if scheme != "https":
        raise Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is plain http")
    return host, port
