"""Two ways to TLS that every protocol's probes share.

:func:`handshake` gives the one full handshake of an endpoint, made in the course of its conversation and shared by all
probes. :func:`ready_for_tls` gives a fresh connection at the point where a ClientHello may be sent, for hand-made ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probes.conversation import Conversation, DialogueMaker, converse, open_for_tls
from probes.model import WEB_ROLES, Cause, Endpoint, Unmeasured

if TYPE_CHECKING:
    from probes.connection import Connection, TLSSession
    from probes.network import Network

WEB_PROTOCOLS = ("h2", "http/1.1")
"""What we offer in ALPN to web servers (RFC 7301)."""


def dialogue_of(endpoint: Endpoint) -> DialogueMaker:
    """The words for this endpoint's protocol. ``Unmeasured(not_applicable)`` when it is no mail protocol."""
    match endpoint.role:
        case "submission" | "mx":
            from probes.smtp import SMTPDialogue

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
        return await network.once("web handshake", lambda: _web_handshake(endpoint, network))
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


async def _web_handshake(endpoint: Endpoint, network: Network) -> TLSSession:
    host, port = _web_server(endpoint)
    async with await network.dial(host, port) as connection:
        return await connection.start_tls(host, alpn=WEB_PROTOCOLS)


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
