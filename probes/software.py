"""Which software a mail server says it is, in its greeting or by an IMPLEMENTATION capability. Read, never guessed:
nothing here draws conclusions from the way a server behaves, and its answers may be lies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from probes.addresses import literal
from probes.model import Cause, Measurement, Metric, Unmeasured
from probes.replies import printable

_PRODUCTS = (
    "Amazon SES", "Axigen", "Barracuda", "Cisco ESA", "CommuniGate Pro", "Courier-IMAP", "Courier Mail Server",
    "Cyrus IMAP", "Cyrus POP3", "Cyrus timsieved", "Cyrus", "DeepMail", "Dovecot Pigeonhole", "Dovecot",
    "EmailEngine", "Exim", "Gimap", "Google Frontend", "gsmtp", "Gpop", "Halon", "Haraka", "hMailServer",
    "IceWarp", "IdeaSmtpServer", "IMail", "ecelerity", "IronPort", "James", "JAMES SMTP Server",
    "JAMES IMAP4rev1 Server", "Kerio Connect", "KumoMTA", "Lotus Domino", "IBM Domino", "HCL Domino", "Domino",
    "MailEnable Service", "MailEnable", "MailerQ", "maddy", "MDaemon", "Mercury/32",
    "Microsoft ESMTP MAIL Service", "Microsoft Exchange", "MailMarshal", "Mimecast", "Momentum", "OpenSMTPD",
    "OpenSMTP", "PMail", "Postal", "Postfix", "PowerMTA", "Proofpoint", "qmail", "qpsmtpd", "s_smtpd",
    "Sendmail", "SimpleEmailService", "SmarterMail", "Stalwart", "SurgeMail", "Symantec Messaging Gateway",
    "UW-IMAP", "WinGate", "WinRoute", "XMail", "Zimbra", "Zoho", "ZMTP", "chasquid", "mox", "aiosmtpd",
    "netqmail", "magma", "indimail", "smtp4dev", "MailHog", "Mailpit", "GreenMail", "inbucket",
)  # fmt: skip
"""Names by which mail software and services introduce themselves, in the spelling that is shown."""

_EDGE = r"(?<![\w.@/-])"
_VERSION = r"(?:[vV]?[0-9]+(?:\.[0-9A-Za-z]+)*(?:[._+~-][0-9A-Za-z]+)*)"
_NAMED = re.compile(
    _EDGE
    + "("
    + "|".join(re.escape(name) for name in sorted(_PRODUCTS, key=len, reverse=True))
    + r")(?![\w@]|[\w-]*(?:\.[\w-]+)*\.[A-Za-z])"
    + rf"(?:(?:[ /_-]|,? [vV]ersion:? ?|: ?)\(?({_VERSION})(?![\w:@-]))?",
    re.IGNORECASE,
)
_AFTER_PROTOCOL = re.compile(
    rf"\bE?SMTP(?:SA?|A)? +([A-Za-z][A-Za-z+-]{{1,40}})(?: +|/)({_VERSION.replace('*', '+', 1)})(?![\w:@-])"
)
"""An unknown name with a version of at least two parts, where greetings name the software: behind ESMTP."""
_ANY_VERSION = re.compile(r"(?<![\w.])[vV]?[0-9]+\.[0-9]")
_NO_NAMES = frozenset({"at", "by", "for", "from", "id", "is", "on", "ready", "server", "service", "with"})
_SPELLING = {name.lower(): name for name in _PRODUCTS}


class Software(NamedTuple):
    """A name, and the version when it is shown beside it, else ""."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def named(text: str) -> Software | None:
    """The software that a printable text names, or None. A name that is part of a host name, an address or a path does
    not count."""
    found = list(_NAMED.finditer(text))
    if found:
        match = max(found, key=lambda match: bool(match[2]))  # the first, or the first with a version
        return Software(_SPELLING[match[1].lower()], match[2] or "")
    unknown = _AFTER_PROTOCOL.search(text)
    if unknown is None or unknown[1].lower() in _NO_NAMES or literal(unknown[2]) is not None:
        return None
    return Software(unknown[1], unknown[2])


def metrics(protocol: str, where: str, reference: str) -> tuple[Metric, Metric]:
    """``software`` and ``software_version_shown`` of a protocol; ``where`` says what it is read from."""
    return (
        Metric(
            f"{protocol}.software",
            "text",
            f"The software that the server says it is, with its version where shown, as {where} names it; not what it "
            "behaves like. Not applicable when none is named.",
            reference=reference,
        ),
        Metric(
            f"{protocol}.software_version_shown",
            "boolean",
            f"Whether {where} shows strangers the version of the software.",
            reference=f"{reference}; CWE-200",
        ),
    )


def measurements(
    protocol: str, texts: Iterable[bytes | str] | None, why: Unmeasured, implementation: str = ""
) -> list[Measurement]:
    """Both metrics, from the texts in which the server may name its software, best first. ``implementation``: the text
    by which it says so in so many words (RFC 5804 §1.7, RFC 2449 §6.9), which is taken as it is. ``texts`` is None when
    they were not observed whole; then ``why`` is the reason."""
    keys = (f"{protocol}.software", f"{protocol}.software_version_shown")
    if texts is None:
        return [Measurement.missing(key, why.cause, why.detail) for key in keys]
    if implementation.strip():
        shown = printable(implementation.strip(), 200)
        return [Measurement(keys[0], shown), Measurement(keys[1], _ANY_VERSION.search(shown) is not None)]
    found = [software for text in texts if (software := named(printable(text))) is not None]
    if not found:
        unnamed = Measurement.missing(keys[0], Cause.NOT_APPLICABLE, "the server names no software that is known")
        return [unnamed, Measurement(keys[1], False)]
    best = max(found, key=lambda software: bool(software.version))
    return [Measurement(keys[0], str(best)), Measurement(keys[1], bool(best.version))]
