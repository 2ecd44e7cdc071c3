"""Every cause of a missing value in plain words, with what a reader can do about it.

The command line, the dashboard and the exports all speak from this one table. It is complete over
``probes.model.Cause`` and the causes that evidence and scoring add (``no_evidence``, ``no_document``, ``outdated``,
``empty_answer``, ``not_installed``, ``too_few_reviews``, ``unfinished``, ``incomplete_answers``, ``unscored``).
"""

from __future__ import annotations

import dataclasses

from probes.model import Cause


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """``sentence``: what happened. ``advice``: what to do about it. Both are whole sentences."""

    sentence: str
    advice: str


_PROBE: dict[Cause, Explanation] = {
    Cause.DNS_NXDOMAIN: Explanation(
        "The name does not exist in DNS.",
        "Check the spelling of the host or domain in the vendor's profile; the service may have moved.",
    ),
    Cause.DNS_SERVFAIL: Explanation(
        "The DNS servers of this name answered with a failure.",
        "Try again later, or with another resolver (--resolver HOST:PORT); a broken DNSSEC signature looks like this.",
    ),
    Cause.DNS_TIMEOUT: Explanation(
        "No DNS server answered in time.",
        "Check that this machine can reach its resolver, or name another one (--resolver HOST:PORT).",
    ),
    Cause.CONNECTION_REFUSED: Explanation(
        "The server refused the connection: nothing listens on this port.",
        "Check host and port in the vendor's profile.",
    ),
    Cause.CONNECTION_TIMEOUT: Explanation(
        "Nothing answered on this address and port.",
        "Probe from another network to tell a firewall on the way from a server that is down.",
    ),
    Cause.CONNECTION_RESET: Explanation(
        "The connection broke off in the middle.",
        "Try again later; if it happens every time, a firewall or a limit on the server's side is likely.",
    ),
    Cause.GREETING_TIMEOUT: Explanation(
        "The server took the connection but never said its greeting.",
        "Try again with a longer deadline (--deadline); some servers make strangers wait on purpose.",
    ),
    Cause.GREETING_REJECTED: Explanation(
        "The server turned us away in its greeting.",
        "Read its reply in the transcript; often it refuses the network that we probe from, so try another one.",
    ),
    Cause.THROTTLED: Explanation(
        "The server asked us to come back later.",
        "Wait an hour, then probe only this vendor again; the other results are kept.",
    ),
    Cause.PROTOCOL_ERROR: Explanation(
        "The answer broke the rules of the protocol, so it could not be read.",
        "Read the transcript: another service may listen on this port.",
    ),
    Cause.REPLY_TOO_LONG: Explanation(
        "The answer was longer than we are willing to read.",
        "Read the beginning in the transcript; a sound server never sends this much.",
    ),
    Cause.TLS_ALERT: Explanation(
        "The server ended the TLS handshake with an alert.",
        "The detail names the alert; the server may need settings that this handshake did not offer.",
    ),
    Cause.TLS_HANDSHAKE_ERROR: Explanation(
        "The TLS handshake failed.",
        "Read the transcript; check that the profile has the right port and kind of TLS (starttls or implicit).",
    ),
    Cause.TLS_NOT_OFFERED: Explanation(
        "The server offers no TLS here, so nothing about TLS or its certificate can be measured.",
        "Nothing to do, unless the profile names the wrong port.",
    ),
    Cause.TLS_CLIENT_UNSUPPORTED: Explanation(
        "Our own TLS library cannot do what this measurement needs.",
        "Says nothing about the server; probe from a machine with another OpenSSL if the value matters.",
    ),
    Cause.PORT_BLOCKED_LOCALLY: Explanation(
        "The network that we probe from blocks this port (usual for port 25).",
        "Says nothing about the server; probe from a network that allows outgoing mail.",
    ),
    Cause.NO_IPV6_LOCALLY: Explanation(
        "The server has only IPv6 addresses and this machine has no IPv6.",
        "Says nothing about the server; probe from a network with IPv6.",
    ),
    Cause.RESOLVER_NOT_VALIDATING: Explanation(
        "The DNS resolver in use does not check DNSSEC signatures.",
        "Name a resolver that does (--resolver HOST:PORT).",
    ),
    Cause.NOT_APPLICABLE: Explanation(
        "The question does not apply here.",
        "Nothing to do: it does not count against the vendor.",
    ),
    Cause.NOT_PERMITTED: Explanation(
        "Finding out takes many connections or a permission, and this run was given neither.",
        "Ask for what takes many connections with --depth full; what intrudes is done on servers of your own only "
        "(--own-server), and a login takes an account of your own.",
    ),
    Cause.BLOCKED_ADDRESS: Explanation(
        "The name leads to a private or reserved address, which is not probed by default.",
        "If the server is your own, allow it: --allow-private, or allow_private: true in mailrubric.yaml.",
    ),
    Cause.DEADLINE_EXCEEDED: Explanation(
        "The time for this endpoint ran out before the answer came.",
        "Try again with a longer deadline (--deadline).",
    ),
    Cause.PROBE_BUG: Explanation(
        "The probe itself failed; this is a fault of Mailrubric.",
        "Please report it with the transcript; the other results of this run are sound.",
    ),
}

_SCORING: dict[str, Explanation] = {
    "no_evidence": Explanation(
        "Nothing is recorded about this yet.",
        "Probe the vendor, or add a sourced fact to its profile.",
    ),
    "no_document": Explanation(
        "The vendor claims it, but no report or certificate proves it.",
        "Add the address of the document to the fact (document: …).",
    ),
    "outdated": Explanation(
        "What was measured has run out since, and nobody has looked again.",
        "Probe the vendor again.",
    ),
    "empty_answer": Explanation(
        "The source answered, but without a single review, which it also does when something is wrong on its side.",
        "Check the id or tag, try again later or for another country, or import an export of the reviews instead.",
    ),
    "not_installed": Explanation(
        "An optional package that this source needs is not installed.",
        "Install it; the detail says how. The other sources work without it.",
    ),
    "too_few_reviews": Explanation(
        "There are too few reviews that say something about it.",
        "Import or collect more reviews; a share of a handful would mean nothing.",
    ),
    "unfinished": Explanation(
        "It was begun, but too little of it is finished to say how long it takes.",
        "Go on with the trial, or log the replies that have come meanwhile; the detail says what is known so far.",
    ),
    "incomplete_answers": Explanation(
        "There are answers, but none of them is complete.",
        "Complete the rows in trials/surveys.csv: all of q1 to q10, or the score.",
    ),
    "too_few": Explanation(
        "There is too little of it to say.",
        "Collect for longer or from more mailboxes; the detail says how much there is and how much it takes.",
    ),
    "zone_unknown": Explanation(
        "Nobody said in which time zone the recipients live.",
        "Name it (--recipient-zone Europe/Berlin, or a file with one for each: --zones FILE); the messages' own dates "
        "are the sender's.",
    ),
    "not_told": Explanation(
        "It takes something that only people know, and nobody said it.",
        "Give the time that the detail names, such as --signed-up or --unsubscribed.",
    ),
    "not_recorded": Explanation(
        "What was read does not record it.",
        "Read a mailbox that does, such as a Maildir or an IMAP folder with its flags.",
    ),
    "not_tried": Explanation(
        "The feature was not seen at work, and nobody said that it was switched on.",
        "Switch it on, collect mail for some weeks and say so (--tried); that nobody used it says nothing about it.",
    ),
    "undecided": Explanation(
        "What was seen fits both answers.",
        "Collect for longer or from more mailboxes until the interval leaves one answer only.",
    ),
    "unscored": Explanation(
        "There is a value, but the criterion's value function cannot take it.",
        "Extend the criterion's score (another level, another unit) so that it covers this value.",
    ),
}

_MESSAGES: dict[str, Explanation] = {
    "offline": Explanation(
        "This run was told to ask nothing of the network.",
        "Run it again without --offline.",
    ),
    "key_missing": Explanation(
        "DNS has no usable key for this DKIM signature any more, so it can't be checked.",
        "Analyse messages while they are new: senders change their keys and take the old ones away.",
    ),
    "key_revoked": Explanation(
        "The key of this DKIM signature has been revoked.",
        "Analyse messages while they are new: a revoked key says nothing about the day on which it signed.",
    ),
    "key_unusable": Explanation(
        "The published key cannot check this DKIM signature: it is of another kind, malformed or much too large.",
        "Tell the sender: no receiver can check this signature.",
    ),
    "signature_expired": Explanation(
        "The DKIM signature had run out before the message arrived.",
        "Nothing to do: no receiver could count it. A message that was under way for days looks like this.",
    ),
    "signature_malformed": Explanation(
        "The DKIM signature breaks the rules of its format.",
        "Nothing to do: no receiver could count it; the detail says what is wrong.",
    ),
    "message_cut": Explanation(
        "The message is very large and was not read whole.",
        "Nothing to do: what its header shows is there.",
    ),
    "no_trusted_results": Explanation(
        "The receiving server has left no result of its own in the message.",
        "Name the server whose Authentication-Results you trust (--authserv-id), or use a mailbox that has them.",
    ),
    "not_stated": Explanation(
        "The message or the mailbox says nothing about it.",
        "Nothing to do: not every message or kind of mailbox shows it.",
    ),
    "kind_unknown": Explanation(
        "Whether the messages are bulk mail shows in no field but the one that is counted, which must not choose them.",
        "If all of them are bulk mail, say so (--bulk, or the switch on the page Messages).",
    ),
    "field_missing": Explanation(
        "The header field that would say it is not there, or is malformed.",
        "Nothing to do.",
    ),
}

EXPLANATIONS: dict[str, Explanation] = {
    **{cause.value: words for cause, words in _PROBE.items()},
    **_SCORING,
    **_MESSAGES,
}
"""Cause → explanation, for every cause that can stand in a report or a cell."""


def explain(cause: str) -> Explanation:
    """The words for a cause. One from a newer version that this one does not know is named, never guessed."""
    known = EXPLANATIONS.get(cause)
    if known is not None:
        return known
    return Explanation(f"There is no value ({short(cause)}).", "This version of Mailrubric does not know the cause.")


def with_detail(cause: str, detail: str) -> str:
    """A cause in a few words and what is known of it besides: ``connection refused: 192.0.2.1 port 25``."""
    return f"{short(cause)}: {detail}" if detail else short(cause)


def short(cause: str) -> str:
    """A cause as two or three words for a table: ``connection refused``."""
    words = cause.replace("_", " ")
    for name, written in (
        ("dns", "DNS"),
        ("tls", "TLS"),
        ("ipv6", "IPv6"),
        ("nxdomain", "NXDOMAIN"),
        ("servfail", "SERVFAIL"),
    ):
        words = " ".join(written if word == name else word for word in words.split(" "))
    return words
