"""Whether a message is bulk mail, and how its reader can get rid of such mail: list fields, one-click unsubscription.

Bulk is what goes to many alike (a newsletter, a campaign, a mailing list); transactional is what one person gets for
something he did. The message does not say which it is, so the rule is stated here, and its reasons go with the answer.
"""

from __future__ import annotations

import dataclasses
import re

from mailrubric.mail import fields
from mailrubric.mail.fields import Fields
from mailrubric.mail.message import AnalysedMessage
from probes.replies import printable

FINGERPRINTS: tuple[str, ...] = (
    "x-sg-eid", "x-sg-id", "x-ses-outgoing", "x-mailgun-sid", "x-mailgun-variables", "x-mc-user", "x-mandrill-user",
    "x-pm-message-id", "x-pm-message-stream", "x-msys-api", "x-msfbl", "x-mj-mid", "x-mailjet-campaign", "x-campaign",
    "x-campaignid", "x-csa-complaints", "x-sfmc-stack", "x-hs-cid", "x-kmail-account", "x-kmail-message", "x-sib-id",
    "x-mailin-eid", "x-mailin-campaign", "x-roving-id", "x-marketoid", "x-mktarchive",
)  # fmt: skip
"""Names of fields that sending platforms are known to add. That one is there is a fact, whose it is a guess."""

LIST_UNSUBSCRIBE = "List-Unsubscribe"
LIST_ID = "List-Id"
"""Signs of bulk mail that are measured themselves (``kind``)."""

_PRECEDENCE = frozenset({"bulk", "list", "junk"})
_URI = re.compile(r"<\s*([A-Za-z][A-Za-z0-9+.-]{0,20}):([^<>\s]{1,4000})\s*>")


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """See ``message.AnalysedMessage``, whose fields have these names."""

    bulk: bool | None
    bulk_reasons: tuple[str, ...]
    personal_signs: tuple[str, ...]
    list_unsubscribe: bool
    unsubscribe_https: bool
    unsubscribe_mailto: bool
    one_click: bool
    list_id: str
    feedback_id: str
    precedence: str
    auto_submitted: str
    mailer: str
    fingerprints: tuple[str, ...]


def look(message: Fields) -> Listing:
    """What the header says about lists and automation."""
    unsubscribe = message.all("list-unsubscribe")
    schemes = {scheme.lower() for value in unsubscribe for scheme, _ in _URI.findall(value)}
    posts = message.all("list-unsubscribe-post")
    # RFC 8058 §3.1: one HTTPS address, and the one value that there is; §8 of RFC 2369: each field once.
    one_click = (
        len(unsubscribe) == 1
        and "https" in schemes
        and len(posts) == 1
        and re.sub(r"\s", "", posts[0]).lower() == "list-unsubscribe=one-click"
    )
    precedence = (message.first("precedence") or "").strip().lower()
    automatic = (message.first("auto-submitted") or "").partition(";")[0].partition("(")[0].strip().lower()
    list_id = message.first("list-id") or ""
    bulk, reasons, personal = _bulk(message, bool(schemes), bool(list_id), precedence, automatic)
    return Listing(
        bulk=bulk,
        bulk_reasons=reasons,
        personal_signs=personal,
        list_unsubscribe=bool(schemes),
        unsubscribe_https="https" in schemes,
        unsubscribe_mailto="mailto" in schemes,
        one_click=one_click,
        list_id=printable(_identifier(list_id), 255),
        feedback_id=printable(message.first("feedback-id") or "", 255),
        precedence=printable(precedence, 40),
        auto_submitted=printable(automatic, 40),
        mailer=printable(message.first("x-mailer") or message.first("user-agent") or "", 120),
        fingerprints=fields.words(name for name in FINGERPRINTS if message.places(name)),
    )


def kind(message: AnalysedMessage, without: str = "") -> bool | None:
    """Whether a message is bulk mail (True), made for one person (False), or neither is known, by every sign but
    ``without``. A share of the bulk messages with some field may not know them by that field: it would be 100 %."""
    if message.bulk and any(sign != without for sign in message.bulk_reasons):
        return True
    return False if message.personal_signs else None


def _identifier(value: str) -> str:
    """What stands in angle brackets (RFC 2919 §3), else the whole."""
    _, bracket, inside = value.rpartition("<")
    return inside.partition(">")[0].strip().lower() if bracket else value.lower()


def _bulk(
    message: Fields, unsubscribe: bool, list_id: bool, precedence: str, automatic: str
) -> tuple[bool | None, tuple[str, ...], tuple[str, ...]]:
    """Bulk by a way to unsubscribe, a list's name, its precedence, or a platform's bulk stream; otherwise, made for one
    person by a reply or by a machine's answer; otherwise nothing is known. Third: the signs of the latter, which are
    kept beside those of bulk mail (``kind``)."""
    stream = (message.first("x-pm-message-stream") or "").strip().lower()
    signs = [
        (unsubscribe, LIST_UNSUBSCRIBE),
        (list_id, LIST_ID),
        (precedence in _PRECEDENCE, f"Precedence: {precedence}"),
        (stream == "broadcast", "X-PM-Message-Stream: broadcast"),
    ]
    found = tuple(reason for there, reason in signs if there)
    signs = [
        (automatic.startswith("auto-"), f"Auto-Submitted: {printable(automatic, 40)}"),
        (bool(message.places("in-reply-to")), "In-Reply-To"),
        (stream == "outbound", "X-PM-Message-Stream: outbound"),
        (bool(message.places("x-auto-response-suppress")), "X-Auto-Response-Suppress"),
    ]
    personal = tuple(reason for there, reason in signs if there)
    if found:
        return True, found, personal
    if personal:
        return False, tuple(f"{sign}, without list fields" for sign in personal), personal
    return None, (), ()
