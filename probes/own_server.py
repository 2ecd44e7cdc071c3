"""What may be asked of a server of one's own only: addresses, VRFY, relaying, the end of the text, real messages.

Nothing of it is sent to a server that the user has not declared to be his own, in his settings and again for this run:
every metric is then missing with ``not_permitted``, without a connection. The questions are in
``probes.own_examination``; what is sent, and to whom, says docs/own-server.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes.model import Endpoint, Measurement, Metric, Role

if TYPE_CHECKING:
    from probes.network import Network

WRONG_COMMANDS = 25
"""How many wrong commands are sent at most."""

_VRFY_LEVELS = ("discloses", "noncommittal", "refused")

METRICS = (
    Metric(
        "own_server.malformed_senders_accepted",
        "set",
        "Malformed addresses that the server takes after MAIL FROM (2xx), by the names of the catalogue in "
        "docs/own-server.md, such as double-dot. The detail has the reply codes of all. Own server only.",
        reference="RFC 5321 §4.1.2",
    ),
    Metric(
        "own_server.malformed_recipients_accepted",
        "set",
        "Malformed writings of the user's own mailbox that the server takes after RCPT TO (2xx). Own server only.",
        reference="RFC 5321 §4.1.2",
    ),
    Metric(
        "own_server.wellformed_senders_refused",
        "set",
        "Unusual but well-formed addresses that the server refuses after MAIL FROM (5xx), such as quoted local parts "
        "and address literals. Own server only.",
        reference="RFC 5321 §4.1.2, §4.1.3",
    ),
    Metric(
        "own_server.wellformed_recipients_refused",
        "set",
        "Other well-formed writings of the user's own mailbox, and those of the postmaster's, that the server refuses "
        "after RCPT TO (5xx). Own server only.",
        reference="RFC 5321 §4.1.2, §4.5.1",
    ),
    Metric(
        "own_server.vrfy",
        "level",
        "What VRFY tells about mailboxes: discloses (one that exists gets another reply than one that does not), "
        "noncommittal (both get the same positive reply, such as 252), refused. Own server only.",
        reference="RFC 5321 §3.5, §7.3",
        levels=_VRFY_LEVELS,
    ),
    Metric(
        "own_server.expn",
        "level",
        "What EXPN tells about mailing lists and aliases, in the words of own_server.vrfy. Own server only.",
        reference="RFC 5321 §3.5, §7.3",
        levels=_VRFY_LEVELS,
    ),
    Metric(
        "own_server.open_relay",
        "boolean",
        "Whether the server takes a recipient in somebody else's domain from us, who have not logged in, in any of the "
        "classic writings. Asked from where the probe runs: a network that the server trusts may relay. No message "
        "follows. Own server only.",
        reference="RFC 2505 §2.1; RFC 5321 §3.6.2",
    ),
    Metric(
        "own_server.size_enforced",
        "boolean",
        "Whether MAIL with a declared size of one byte more than the limit that the server states is refused (5xx). "
        "Own server only.",
        reference="RFC 1870 §6.1",
    ),
    Metric(
        "own_server.pipelining_honest",
        "boolean",
        "Whether MAIL, RCPT, RSET and QUIT in one segment get the replies that they get one by one, each and in order. "
        "Own server only.",
        reference="RFC 2920 §3.1",
    ),
    Metric(
        "own_server.hundred_recipients",
        "boolean",
        "Whether one message may have 100 recipients, as every server has to allow: the user's own mailbox is named so "
        "often. No message follows. Own server only.",
        reference="RFC 5321 §4.5.3.1.8",
    ),
    Metric(
        "own_server.eight_bit_accepted",
        "boolean",
        "Whether a message with 8-bit text, declared as such, is taken. That it arrives unchanged, only the mailbox "
        "shows. Own server only.",
        reference="RFC 6152 §3",
    ),
    Metric(
        "own_server.smtputf8_accepted",
        "boolean",
        "Whether an international sender and a message with international headers are taken. That it arrives "
        "unchanged, only the mailbox shows. Own server only.",
        reference="RFC 6531 §3",
    ),
    Metric(
        "own_server.smuggling_accepted",
        "set",
        "Byte sequences other than <CRLF>.<CRLF> that the server takes for the end of a message's text, so that what "
        "follows counts as commands. Own server only.",
        reference="RFC 5321 §4.1.1.4; CVE-2023-51764",
    ),
    Metric(
        "own_server.error_limit",
        "integer",
        f"How many unknown commands in a row the server bears before it hangs up; {WRONG_COMMANDS} are sent at most. "
        "Own server only.",
        reference="RFC 5321 §7.8",
    ),
)


class OwnServerProbe:
    """Measures what is intrusive, on one's own server."""

    name = "own_server"
    roles: frozenset[Role] = frozenset({"submission", "mx"})
    metrics: tuple[Metric, ...] = METRICS
    last = True

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, each with a value or its own cause."""
        network.require_own_server()
        from probes.own_examination import examine  # what most runs never need

        return await examine(endpoint, network)
