"""What a message's header says of the campaign that it belongs to."""

from __future__ import annotations

import binascii
import re
from email.errors import HeaderParseError
from email.header import decode_header

from mailrubric.display import one_line
from mailrubric.mail.fields import Fields
from probes.replies import printable

CAMPAIGN_FIELDS: tuple[str, ...] = (
    "x-campaign-id", "x-campaignid", "x-campaign", "x-mailgun-tag", "x-mailjet-campaign", "x-mailin-campaign",
    "x-pm-tag", "x-mailer-campaign",
)  # fmt: skip
"""Fields in which platforms name a campaign, or let their customers name it."""

_READ = 1000
_SHOWN = 200
_ENCODED = re.compile(r"=\?[^?\s]{1,40}\?[bqBQ]\?")


def campaign_id(message: Fields) -> str:
    """The platform's own name of the campaign; "" when no field gives one."""
    for name in CAMPAIGN_FIELDS:
        value = (message.first(name) or "").strip()
        if value:
            return printable(f"{name}: {value}", _SHOWN)
    return ""


def subject(message: Fields) -> str:
    """The subject as people read it (RFC 2047 words decoded), on one printable line, cut."""
    text = " ".join((message.first("subject") or "")[:_READ].split())
    if _ENCODED.search(text):
        try:
            pieces = decode_header(text)
            text = "".join(
                piece if isinstance(piece, str) else piece.decode(charset or "ascii", "replace")
                for piece, charset in pieces
            )
        except (HeaderParseError, binascii.Error, LookupError, ValueError):
            pass  # no such character set, or broken base64: the words as they stand tell campaigns apart, too
    return one_line(text)[:_SHOWN]
