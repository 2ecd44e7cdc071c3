"""SMTP extensions beyond the everyday ones, and what their parameters say: metrics and how they are read from the EHLO
reply that a client acts on (under TLS where there is TLS)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from probes.conversation import Capabilities, Findings
from probes.model import Cause, Metric, Unmeasured
from probes.replies import quoted, whole

_OFFERED = {
    "smtp.binary_mime": ("BINARYMIME", "message bodies may be binary (BINARYMIME)", "RFC 3030 §3"),
    "smtp.burl": ("BURL", "a message may be fetched from an IMAP server instead of being sent (BURL)", "RFC 4468"),
    "smtp.deliver_by": ("DELIVERBY", "the sender may set a time by which to deliver (DELIVERBY)", "RFC 2852"),
    "smtp.future_release": ("FUTURERELEASE", "a message may be held for later (FUTURERELEASE)", "RFC 4865"),
    "smtp.limits": ("LIMITS", "the server states its limits on transactions and recipients (LIMITS)", "RFC 9422"),
    "smtp.mt_priority": ("MT-PRIORITY", "a message may carry a priority (MT-PRIORITY)", "RFC 6710"),
    "smtp.no_soliciting": ("NO-SOLICITING", "the server declines solicitations (NO-SOLICITING)", "RFC 3865"),
    "smtp.etrn": ("ETRN", "a client may ask for queued mail to be sent to it (ETRN)", "RFC 1985"),
    "smtp.vrfy_offered": ("VRFY", "the server offers to verify addresses (VRFY); it is not asked to", "RFC 5321 §3.5"),
    "smtp.expn_offered": ("EXPN", "the server offers to expand lists (EXPN); it is not asked to", "RFC 5321 §3.5"),
    "smtp.help_offered": ("HELP", "the server offers help texts (HELP)", "RFC 5321 §4.1.1.8"),
}
"""Metric → keyword, what it means that it is offered, reference."""

REGISTERED = frozenset(
    {
        "8BITMIME", "ATRN", "AUTH", "BINARYMIME", "BURL", "CHECKPOINT", "CHUNKING", "CONNEG", "CONPERM",
        "DELIVERBY", "DSN", "ENHANCEDSTATUSCODES", "ETRN", "EXPN", "FUTURERELEASE", "HELP", "LIMITS",
        "MT-PRIORITY", "MTRK", "NO-SOLICITING", "PIPELINING", "REQUIRETLS", "RRVS", "SAML", "SEND", "SIZE",
        "SMTPUTF8", "SOML", "STARTTLS", "SUBMITTER", "TURN", "UTF8SMTP", "VERB", "VRFY", "ONEX",
    }
)  # fmt: skip
"""Keywords of IANA's registry of SMTP service extensions (MAIL Parameters), obsolete ones included."""

_LIMITS = {
    "smtp.limit_mail": ("MAILMAX", "mail transactions in one session"),
    "smtp.limit_recipients": ("RCPTMAX", "recipients in one transaction"),
    "smtp.limit_recipient_domains": ("RCPTDOMAINMAX", "different recipient domains in one session"),
}

METRICS: tuple[Metric, ...] = (
    Metric(
        "smtp.extension_parameters",
        "set",
        "Every line of the EHLO reply that a client acts on, whole: keyword in upper case, then its parameters as they "
        "were sent.",
        reference="RFC 5321 §4.1.1.1",
    ),
    Metric(
        "smtp.extensions_only_before_tls",
        "set",
        "Keywords of the EHLO reply in plain text that the one under TLS lacks.",
        reference="RFC 3207 §4.2",
    ),
    Metric(
        "smtp.extensions_only_after_tls",
        "set",
        "Keywords of the EHLO reply under TLS that the one in plain text lacks.",
        reference="RFC 3207 §4.2",
    ),
    Metric(
        "smtp.extensions_unregistered",
        "set",
        "Keywords offered that are not in IANA's registry, such as those that begin with X.",
        reference="RFC 5321 §2.2.2; IANA MAIL Parameters",
    ),
    Metric(
        "smtp.client_override",
        "boolean",
        "Whether XCLIENT, XFORWARD or XADDR is offered to us, by which a client claims to act for another address.",
        reference="Postfix XCLIENT_README, XFORWARD_README",
    ),
    Metric(
        "smtp.auth_legacy_syntax",
        "boolean",
        "Whether mechanisms are listed as AUTH=, the way of a draft that some old clients wait for.",
        reference="RFC 4954 §3; Postfix broken_sasl_auth_clients",
    ),
    *(
        Metric(key, "boolean", f"Whether {meaning}.", reference=reference)
        for key, (_, meaning, reference) in _OFFERED.items()
    ),
    *(
        Metric(
            key,
            "integer",
            f"The largest number of {what} that the server says it takes ({name}); not applicable when it states none.",
            reference="RFC 9422",
        )
        for key, (name, what) in _LIMITS.items()
    ),
    Metric(
        "smtp.deliver_by_minimum",
        "integer",
        "The shortest time by which the server lets a client demand delivery; not applicable when it states none.",
        unit="s",
        reference="RFC 2852",
    ),
    Metric(
        "smtp.future_release_seconds",
        "integer",
        "The longest time for which the server holds a message back on request.",
        unit="s",
        reference="RFC 4865",
    ),
    Metric(
        "smtp.future_release_until",
        "text",
        "The latest moment until which the server holds a message back on request, in UTC as it states it.",
        reference="RFC 4865",
    ),
)

_OVERRIDES = frozenset({"XCLIENT", "XFORWARD", "XADDR"})
_LINE = re.compile(r"([^ =]*)([ =]?)(.*)", re.DOTALL)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")


def add(findings: Findings, offered: Capabilities | None, listing: Sequence[bytes]) -> None:
    """Add every metric but the differences. ``offered``: the extensions that a client acts on, None when they were not
    observed; ``listing``: the reply that lists them, line by line."""
    why = findings.talk.tls_failure
    if offered is None:
        for declared in METRICS:
            if declared.key not in DIFFERENCES:
                findings.add(declared.key, None, why)
        return
    lines = [line for line in map(_normal, listing[1:]) if line]
    findings.add_set("smtp.extension_parameters", lines)
    findings.add_set("smtp.extensions_unregistered", [*offered.keys() - REGISTERED])
    findings.add("smtp.client_override", not _OVERRIDES.isdisjoint(offered))
    findings.add("smtp.auth_legacy_syntax", any(line.startswith("AUTH=") for line in lines))
    for metric, (keyword, _, _) in _OFFERED.items():
        findings.add(metric, keyword in offered)
    stated = dict(text.upper().split("=", 1) for text in offered.get("LIMITS", ()) if "=" in text)
    for metric, (name, _) in _LIMITS.items():
        findings.add(metric, *_number("LIMITS", name, stated.get(name)))
    minimum = (*offered.get("DELIVERBY", ()), None)[0]
    findings.add("smtp.deliver_by_minimum", *_number("DELIVERBY", "a shortest time", minimum))
    longest, latest = (*offered.get("FUTURERELEASE", ()), None, None)[:2]
    findings.add("smtp.future_release_seconds", *_number("FUTURERELEASE", "a longest time", longest))
    findings.add("smtp.future_release_until", *_moment(latest))


DIFFERENCES = ("smtp.extensions_only_before_tls", "smtp.extensions_only_after_tls")
"""The metrics that compare two replies; :meth:`Findings.add_difference` adds them."""


def _normal(line: bytes) -> str:
    """A line of the reply with its keyword in upper case and single spaces, as printable text."""
    match = _LINE.fullmatch(whole(line))
    keyword, separator, rest = match.groups() if match else ("", "", "")
    return f"{keyword.upper()}{separator}{' '.join(rest.split())}".rstrip()


def _number(keyword: str, what: str, text: str | None) -> tuple[int | None, Unmeasured | None]:
    if text is None:
        return None, Unmeasured(Cause.NOT_APPLICABLE, f"not stated: no {keyword} with {what}")
    if re.fullmatch(r"[0-9]{1,20}", text) is None:
        return None, Unmeasured(Cause.PROTOCOL_ERROR, f"{keyword} states {quoted(text, 80)} where a number is due")
    return int(text), None


def _moment(text: str | None) -> tuple[str | None, Unmeasured | None]:
    if text is None:
        return None, Unmeasured(Cause.NOT_APPLICABLE, "not stated: no FUTURERELEASE with a latest moment")
    if _MOMENT.fullmatch(text) is None:
        return None, Unmeasured(Cause.PROTOCOL_ERROR, f"FUTURERELEASE states {quoted(text, 80)} where a moment is due")
    return text, None
