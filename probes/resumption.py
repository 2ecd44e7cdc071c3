"""TLS sessions that are taken up again: resumption by session id or ticket, and early data as tickets announce it.

The session is that of the shared handshake; it is offered again on the endpoint's second connection, which other
measurements need anyway (``probes.second_conversation``). Early data is never sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes.model import MAIL_ROLES, WEB_ROLES, Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.second_conversation import second_conversation
from probes.upgrade import conversation, handshake, web_ticket

if TYPE_CHECKING:
    from probes.connection import Ticket
    from probes.network import Network

METRICS = (
    Metric(
        "tls.resumption",
        "boolean",
        "Whether the server resumes the session of a first connection on a second one, by session id or ticket. False "
        "when it gives nothing to resume by, or answers the offer with a full handshake.",
        reference="RFC 8446 §2.2; RFC 5246 §7.3; RFC 5077",
    ),
    Metric(
        "tls.early_data",
        "boolean",
        "Whether the server's tickets allow early data (0-RTT), which an attacker can replay. It is read from the "
        "ticket; none is sent. Not applicable before TLS 1.3, or when no ticket is given.",
        reference="RFC 8446 §4.2.10, §8",
    ),
)


class ResumptionProbe:
    """Measures whether and how sessions are resumed."""

    name = "resumption"
    roles: frozenset[Role] = MAIL_ROLES | WEB_ROLES
    metrics: tuple[Metric, ...] = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """Both metrics, each with a value or its own cause."""
        await handshake(endpoint, network)  # without one, its cause is that of both
        found = await second_conversation(endpoint, network)
        return [_measurement("tls.resumption", found.resumed), await _early_data(endpoint, network)]


def _measurement(metric: str, answer: bool | Unmeasured) -> Measurement:
    if isinstance(answer, Unmeasured):
        return Measurement.missing(metric, answer.cause, answer.detail)
    return Measurement(metric, answer)


async def _early_data(endpoint: Endpoint, network: Network) -> Measurement:
    try:
        ticket = await _ticket(endpoint, network)
    except Unmeasured as problem:
        return _measurement("tls.early_data", problem)
    if ticket.early_data is None:
        version = (await handshake(endpoint, network)).version
        why = "no ticket was given" if version == "TLSv1.3" else f"{version} has no early data"
        return _measurement("tls.early_data", Unmeasured(Cause.NOT_APPLICABLE, why))
    return _measurement("tls.early_data", ticket.early_data > 0)


async def _ticket(endpoint: Endpoint, network: Network) -> Ticket:
    """What the server gave by the end of the first connection; once something has been said under TLS, that is all it
    gives at first."""
    if endpoint.role in WEB_ROLES:
        return await web_ticket(endpoint, network)
    talk = await conversation(endpoint, network)
    heard = talk.before if endpoint.tls == "implicit" else talk.after
    if talk.ticket is None or heard is None:
        raise talk.why()
    return talk.ticket
