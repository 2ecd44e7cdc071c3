"""A test message to a mailbox of one's own: proper MIME, honest about what it is, and found again by its mark."""

from __future__ import annotations

import dataclasses
import datetime
import email.policy
import re
from email.message import EmailMessage
from email.utils import format_datetime

MARK_HEADER = "X-Mailrubric-Test"
"""The header that holds the mark."""

_MARK = re.compile(r"\b(mr[0-9a-f]{16})[.-]([0-9]{2})\b")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9.-]{1,253})")


@dataclasses.dataclass(frozen=True, slots=True)
class Letter:
    """One test message. ``run``: one word for all messages of a run; ``number``: of this one, from 1 to 99. ``data``:
    the message with CRLF line ends (RFC 5322), 7-bit clean."""

    run: str
    number: int
    sender: str
    recipient: str
    data: bytes

    @property
    def mark(self) -> str:
        """What is looked for in the mailbox, such as ``mr0123456789abcdef.01``."""
        return f"{self.run}.{self.number:02}"


def is_address(text: str) -> bool:
    """Whether this is one plain ASCII address (RFC 5321 §4.1.2 without quotes and literals), which can stand in a
    command and in a header as it is."""
    from probes.addresses import host_name, literal

    match = _ADDRESS.fullmatch(text)
    if match is None or len(text.rpartition("@")[0]) > 64:
        return False
    try:
        return literal(match[2]) is None and host_name(match[2]) == match[2].lower()
    except ValueError:
        return False


def run_mark(random: bytes) -> str:
    """One word that names a run, from eight random bytes."""
    return f"mr{random.hex():0>16}"


def compose(run: str, number: int, sender: str, recipient: str, now: datetime.datetime) -> Letter:
    """The message. It says that it is a test by the owner of the account; it pretends to no mailing list, so it has no
    ``List-Unsubscribe``; ``Auto-Submitted`` (RFC 3834 §5) keeps vacation notices away. ``ValueError`` for addresses
    that are none."""
    for address in (sender, recipient):
        if not is_address(address):
            raise ValueError(f"{address!r} is not one plain address")
    if not re.fullmatch(r"mr[0-9a-f]{16}", run) or not 1 <= number <= 99:
        raise ValueError("a run is marked by mr and 16 hexadecimal digits, its messages from 1 to 99")
    mark = f"{run}.{number:02}"
    said = (
        "This message is a delivery test.",
        f"The owner of the sending account ({sender}) has sent it with Mailrubric to a mailbox of their own or of "
        "somebody who agreed to it, in order to see whether it arrives, where it is filed and how long it takes.",
        "Nobody needs to answer it. If you do not know what this is about, please write to the address above.",
        f"Mark of this test: {mark}",
    )
    message = EmailMessage(policy=email.policy.SMTP.clone(cte_type="7bit", max_line_length=76))
    message["Date"] = format_datetime(now.astimezone(datetime.UTC))
    message["From"] = f"Mailrubric delivery test <{sender}>"
    message["To"] = recipient
    message["Subject"] = f"Delivery test {run} {number:02}"
    message["Message-ID"] = f"<{mark}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message[MARK_HEADER] = mark
    message.set_content("\n\n".join(said) + "\n")
    paragraphs = "\n".join(f"<p>{_escaped(each)}</p>" for each in said)
    message.add_alternative(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Delivery test</title></head>\n'
        f"<body>\n{paragraphs}\n</body></html>\n",
        subtype="html",
    )
    return Letter(run, number, sender, recipient, message.as_bytes())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def number_in(headers: bytes, run: str) -> int | None:
    """Which message of this run these headers belong to, by the mark in our own header, the Message-ID or the subject,
    whichever the platform has left alone; None when it is none of them."""
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", headers)
    for line in unfolded.splitlines():
        name, _, value = line.partition(b":")
        if name.strip().lower() in (MARK_HEADER.lower().encode(), b"message-id", b"subject"):
            text = value.decode("ascii", "replace")
            for match in _MARK.finditer(text.replace(f"{run} ", f"{run}-")):
                if match[1] == run:
                    return int(match[2])
    return None


def dot_stuffed(data: bytes) -> bytes:
    """The text as it is sent after DATA, without its end: every line ends in CRLF, a dot that begins a line is doubled
    (RFC 5321 §4.5.2)."""
    lines = re.split(rb"\r\n|\r|\n", data)
    if lines and not lines[-1]:
        lines.pop()
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
