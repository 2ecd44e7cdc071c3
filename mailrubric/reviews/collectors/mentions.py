"""Whether a text is about a vendor: its name as a word of its own and, where the name is a common word, other words
that tell which thing is meant (Postmark, Resend and Loops are words of the language before they are companies)."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

MAIL_WORDS = (
    "email", "emails", "e-mail", "e-mails", "mail", "mails", "mailing", "mailbox", "mailboxes", "mailserver", "smtp",
    "imap", "jmap", "pop3", "inbox", "newsletter", "newsletters", "deliverability", "transactional", "spam", "dkim",
    "spf", "dmarc", "mta", "bounce", "bounces", "webmail", "postmaster", "esp",
)  # fmt: skip
"""The context that is asked for where the profile says nothing else: one of these words."""


@functools.lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...], exact: bool) -> re.Pattern[str]:
    # Neither "mail.com" in "gmail.com" and "a@mail.com", nor "Loops" in "Loops-like"; but "Loops." and "Loops' API".
    choice = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w@.+/-])(?:{choice})(?![\w@-]|\.\w)", 0 if exact else re.IGNORECASE)


def mentions(text: str, names: Sequence[str], *, exact: bool = False) -> bool:
    """Whether one of the names stands in the text as a word of its own. ``exact``: in just these letters."""
    return bool(names) and _pattern(tuple(names), exact).search(text) is not None


def about(
    text: str, names: Sequence[str], context: Sequence[str] | None, *, exact: bool = False, setting: str = ""
) -> bool:
    """Whether the text names the vendor and the context is its own: one of the ``context`` words stands in the text or
    in its ``setting`` (the title above it). ``context``: None for ``MAIL_WORDS``, empty for no condition."""
    if not mentions(text, names, exact=exact):
        return False
    words = MAIL_WORDS if context is None else tuple(context)
    return not words or mentions(f"{text}\n{setting}", words)
