"""The one reader of lines and replies for all line protocols, without any socket in it.

SMTP, POP3, IMAP and ManageSieve all speak in lines ended by CRLF. This module cuts lines from a buffer, collects
SMTP replies, parses EHLO replies and makes bytes from outside printable. It works on a ``bytearray`` that the
connection owns, so there is one buffer and one set of caps for every protocol.

What comes from outside stays bytes until it is shown: :func:`printable` is the only way from those bytes to text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from probes.model import Cause, Unmeasured

PRINTABLE_CHARACTERS = 1000
"""How much of one line :func:`printable` shows unless told otherwise."""

_UNPRINTABLE = re.compile(rb"[^\x20-\x7e]")
_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(rb"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?=[ \t]|$)")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def printable(data: bytes | bytearray | memoryview | str, at_most: int = PRINTABLE_CHARACTERS) -> str:
    r"""``data`` as harmless one-line ASCII: every control, escape or 8-bit byte becomes ``\xNN``; cut with ``…``.

    Text is taken as UTF-8. Safe for terminals, logs and reports; HTML still has to be escaped where it is made.
    """
    raw = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else bytes(data[: at_most + 1])
    cut = len(raw) > at_most
    if not cut and raw.isascii() and (text := raw.decode("ascii")).isprintable():
        return text  # as nearly everything is
    shown = _UNPRINTABLE.sub(lambda match: b"\\x%02x" % match.group()[0], raw[:at_most]).decode("ascii")
    if len(shown) > at_most:
        shown, cut = shown[:at_most], True
    return shown + "…" if cut else shown


def whole(data: bytes) -> str:
    """The same without a cut, for what becomes a value: a keyword that was cut is one that nobody sent."""
    return printable(data, 4 * len(data) + 1)


def quoted(data: bytes | bytearray | memoryview | str, at_most: int = 200) -> str:
    """The same in quotation marks, for sentences."""
    return f'"{printable(data, at_most)}"'


def take_line(buffer: bytearray, at_most: int) -> bytes | None:
    """Remove and return the first line of ``buffer`` without its CRLF (a bare LF ends a line too), or None if it is
    not complete yet.

    Raises ``Unmeasured(reply_too_long)`` when more than ``at_most`` bytes hold no line end.
    """
    end = buffer.find(b"\n", 0, at_most + 2)
    if end < 0:
        if len(buffer) > at_most:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"a line is longer than {at_most} bytes")
        return None
    line = bytes(buffer[: end - 1] if end and buffer[end - 1] == 0x0D else buffer[:end])
    del buffer[: end + 1]
    if len(line) > at_most:
        raise Unmeasured(Cause.REPLY_TOO_LONG, f"a line is longer than {at_most} bytes")
    return line


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """One complete SMTP reply (RFC 5321 §4.2). ``lines``: the bytes after the code, one entry a line."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The lines as printable text."""
        return tuple(printable(line) for line in self.lines)

    @property
    def text(self) -> str:
        """All lines as one printable text."""
        return " ".join(text for text in self.texts if text)

    @property
    def positive(self) -> bool:
        """Whether the command was carried out (2xx)."""
        return 200 <= self.code < 300

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463, RFC 2034) of the first line, such as ``5.7.0``; "" when there is none or
        when its class is not that of the reply code."""
        match = _ENHANCED.match(self.lines[0]) if self.lines else None
        if match is None:
            return ""
        code = match.group(1).decode("ascii")
        return code if code[0] == str(self.code)[0] else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


class Budget:
    """How much one reply may take: counts its lines and bytes and raises ``Unmeasured(reply_too_long)`` beyond."""

    def __init__(self, lines: int, bytes_: int) -> None:
        self._lines = self._lines_allowed = lines
        self._bytes = self._bytes_allowed = bytes_

    def spend(self, line: bytes) -> None:
        """Count one line (without its line end)."""
        self._lines -= 1
        self._bytes -= len(line) + 2
        if self._lines < 0:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"a reply has more than {self._lines_allowed} lines")
        if self._bytes < 0:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"a reply is longer than {self._bytes_allowed} bytes")


class ReplyCollector:
    """Collects the lines of one SMTP reply: feed it lines until it returns the reply.

    The rule (RFC 5321 §4.2.1): three digits, then ``-`` for "more lines follow" or a space or nothing for the last
    line; all the codes must be equal. Anything else raises ``Unmeasured(protocol_error)``; more than ``lines`` lines or
    ``bytes_`` bytes raise ``Unmeasured(reply_too_long)``.
    """

    def __init__(self, lines: int, bytes_: int) -> None:
        self._budget = Budget(lines, bytes_)
        self._code: int | None = None
        self._lines: list[bytes] = []

    def add(self, line: bytes) -> Reply | None:
        """Take one line (without line end). The reply when it was the last one, else None."""
        self._budget.spend(line)
        match = _REPLY_LINE.fullmatch(line)
        if match is None:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"not an SMTP reply: {quoted(line, 200)}")
        code = int(match.group(1))
        if self._code is not None and code != self._code:
            raise Unmeasured(
                Cause.PROTOCOL_ERROR,
                f"the lines of one reply carry different codes ({self._code}, {code}): {quoted(line, 200)}",
            )
        self._code = code
        self._lines.append(match.group(3) or b"")
        return None if match.group(2) == b"-" else Reply(code, tuple(self._lines))


def parse_ehlo(reply: Reply) -> dict[str, tuple[str, ...]]:
    """The extensions of a positive EHLO reply: upper-case keyword → its parameters as printable text.

    The first line is the greeting and holds none (RFC 5321 §4.1.1.1). The old ``AUTH=LOGIN PLAIN`` counts as ``AUTH``;
    parameters of a keyword that comes twice are joined without duplicates; lines that hold no keyword are left out.
    """
    extensions: dict[str, tuple[str, ...]] = {}
    for line in reply.lines[1:]:
        text = whole(line)
        match = _KEYWORD.match(text)
        if match is None:
            continue
        rest = text[match.end() :]
        if rest and rest[0] not in " =":
            continue
        keyword = match.group().upper()
        parameters = rest[1:].split()
        known = extensions.get(keyword, ())
        extensions[keyword] = known + tuple(text for text in dict.fromkeys(parameters) if text not in known)
    return extensions


def sasl_mechanisms(parameters: tuple[str, ...]) -> tuple[str, ...]:
    """SASL mechanism names (RFC 4422 §3.1) as a sorted set in upper case; whatever is no such name is left out."""
    names = {text.upper() for text in parameters}
    return tuple(sorted(name for name in names if re.fullmatch(r"[A-Z0-9_-]{1,20}", name)))


def keywords(extensions: Mapping[str, object]) -> tuple[str, ...]:
    """The keywords as a measured set: sorted, without duplicates."""
    return tuple(sorted(extensions))
