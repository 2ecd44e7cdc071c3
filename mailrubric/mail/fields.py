"""Header fields of a message that anybody may have written: cut, unfolded, and the parts of structured ones.

Works on bytes, without regular expressions whose time could grow faster than their input. What the ``email`` package
does beside this (decoding words, building objects) is not needed here and would cost most of the time.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import re
from collections.abc import Iterable
from email.utils import parsedate_tz

HEADER_BYTES = 256 * 1024
"""A longer header section is not read: the message is skipped and counted."""
HEADER_FIELDS = 2000
"""The same for more fields than this."""
FIELD_CHARACTERS = 16 * 1024
"""What is read of one structured field."""
_ADDRESSES = 100

_BREAK = re.compile(rb"\r\n(?![ \t])")
_NAME = re.compile(rb"[!-9;-~]+")
_ZONE = re.compile(r"\d:\d\d(?::\d\d)?\s*([+-]\d{4}|[A-Za-z]+)")
_FRACTION = re.compile(r"(\d:\d\d:\d\d)[.,]\d{1,9}")
_TOKENS = re.compile(r'[^()"\\]+|\\.?|["()]', re.DOTALL)
_ADDRESS_PIECES = re.compile(r'[^()"\\<>,;]+|\\.?|["()<>,;]', re.DOTALL)
_PARAMETER_PIECES = re.compile(r'[^";\\]+|\\.?|[";]', re.DOTALL)
_SIMPLE_ADDRESS = re.compile(r"(?:[^()\"\\<>,;:@]*<)?([A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9.-]{1,255})>?")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")


class Unreadable(ValueError):
    """Not a message, or one whose header section is beyond all measure; the text says which, for people."""


@dataclasses.dataclass(slots=True)
class Fields:
    """The fields of one header section, in order. ``entries``: (name in lower case, name as written, value with its
    folds as CRLF, without the last CRLF). ``faults``: lines that are no field."""

    entries: list[tuple[bytes, bytes, bytes]]
    faults: int = 0
    _places: dict[bytes, list[int]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, (name, _, _) in enumerate(self.entries):
            self._places.setdefault(name, []).append(index)

    def places(self, name: str) -> list[int]:
        """Indices of the fields of this name (lower case), from the top."""
        return self._places.get(name.encode("ascii"), [])

    def all(self, name: str) -> list[str]:
        """The values of the fields of this name as text, unfolded, from the top."""
        return [self.text(index) for index in self.places(name)]

    def first(self, name: str) -> str | None:
        """The topmost value; None without such a field."""
        places = self.places(name)
        return self.text(places[0]) if places else None

    def text(self, index: int) -> str:
        """One value as text, unfolded (RFC 5322 §2.2.3), at most ``FIELD_CHARACTERS`` long."""
        return as_text(self.entries[index][2])


def as_text(value: bytes) -> str:
    """A field's value: unfolded, UTF-8 if it is, else Latin-1, without white space around it."""
    value = value[:FIELD_CHARACTERS].replace(b"\r\n", b"")
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def split(raw: bytes) -> tuple[bytes, int]:
    """The header section with CRLF line ends and without the empty line, and where in ``raw`` the body begins.

    ``Unreadable`` when it is longer than ``HEADER_BYTES``, or when an empty line ends it before it begins.
    """
    if raw.startswith((b"\n", b"\r\n")):
        raise Unreadable("no header field in it")
    ends = [(raw.find(mark, 0, HEADER_BYTES + 2), len(mark)) for mark in (b"\n\n", b"\n\r\n")]
    found = [(at, length) for at, length in ends if at >= 0]
    if found:
        at, length = min(found)
        head, body = raw[:at], at + length
    elif len(raw) > HEADER_BYTES:
        raise Unreadable(f"the header section is longer than {HEADER_BYTES // 1024} KiB")
    else:
        head, body = raw.rstrip(b"\r\n"), len(raw)
    return with_crlf(head.removesuffix(b"\r")), body


def with_crlf(data: bytes) -> bytes:
    """``data`` with CRLF wherever a line ends; a CR alone ends none."""
    if data.count(b"\n") == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def parse(head: bytes) -> Fields:
    """The fields of a header section; ``Unreadable`` when there are too many or not one."""
    lines = _BREAK.split(head, HEADER_FIELDS + 1)
    if len(lines) > HEADER_FIELDS:
        raise Unreadable(f"more than {HEADER_FIELDS:,} header fields")
    entries = []
    faults = 0
    for number, line in enumerate(lines):
        name, colon, value = line.partition(b":")
        bare = name.rstrip(b" \t")
        if colon and _NAME.fullmatch(bare):
            entries.append((bare.lower(), name, value))
        elif line and not (number == 0 and line.startswith((b"From ", b">From "))):
            faults += 1
    if not entries:
        raise Unreadable("no header field in it")
    return Fields(entries, faults)


def outside(text: str) -> tuple[str, list[str]]:
    """``text`` without its comments (RFC 5322 §3.2.2), each replaced by a space, and the comments. Quotation marks go,
    what they quote stays."""
    plain: list[str] = []
    comments: list[str] = []
    comment: list[str] = []
    depth = 0
    quoted = False
    for piece in _TOKENS.findall(text[:FIELD_CHARACTERS]):
        if piece[0] == "\\":
            piece = piece[1:]
        elif piece == '"' and not depth:
            quoted = not quoted
            continue
        elif piece == "(" and not quoted:
            depth += 1
            if depth == 1:
                plain.append(" ")
                continue
        elif piece == ")" and not quoted and depth:
            depth -= 1
            if not depth:
                comments.append("".join(comment))
                comment.clear()
                continue
        (comment if depth else plain).append(piece)
    if depth:
        comments.append("".join(comment))
    return "".join(plain), comments


def addresses(text: str) -> list[str]:
    """The mail addresses of an address list (RFC 5322 §3.4), names and comments left out; at most 100 of them."""
    simple = _SIMPLE_ADDRESS.fullmatch(text)
    if simple is not None and text.endswith(">") == ("<" in text):
        return [simple[1]]
    found: list[str] = []
    plain: list[str] = []
    inside: list[str] | None = None
    depth = 0
    quoted = False

    def end() -> None:
        nonlocal inside
        word = "".join(inside if inside is not None else plain).strip()
        if inside is None:
            word = word.rpartition(":")[2].strip() if ":" in word and "[" not in word else word  # a group's name
        else:
            word = word.rpartition(":")[2] if word.startswith("@") else word  # an obsolete route
        if "@" in word and len(found) < _ADDRESSES:
            found.append(re.sub(r"\s+", "", word) if inside is None and '"' not in word else word)
        plain.clear()
        inside = None

    for piece in _ADDRESS_PIECES.findall(text[:FIELD_CHARACTERS]):
        if quoted:
            if piece == '"':
                quoted = False
            if inside is not None or piece == '"':
                (plain if inside is None else inside).append(piece)
            else:
                plain.append(piece)
        elif piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif piece == '"':
            quoted = True
            (plain if inside is None else inside).append(piece)
        elif piece == "<":
            inside = []
        elif piece == ">" or (piece in ",;" and inside is None):
            end()
        else:
            (plain if inside is None else inside).append(piece)
    end()
    return found


def domain_of(address: str) -> str:
    """The domain of a mail address in lower case, as A-labels; "" when it has none that can stand in DNS."""
    return domain(address.rpartition("@")[2])


def domain(name: str) -> str:
    """A domain name in lower case, as A-labels, without a dot at its end; "" for what is none."""
    return _domain(name) if len(name) <= 300 else ""


@functools.lru_cache(maxsize=8192)
def _domain(name: str) -> str:
    name = name.strip().removesuffix(".").lower()[:255]
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name if _DOMAIN.fullmatch(name) else ""


def digest(address: str) -> str:
    """A hash that tells addresses apart and shows none; "" for none. It is no secret: whoever guesses an address can
    check his guess."""
    return (
        hashlib.blake2b(address.strip().lower().encode("utf-8", "replace"), digest_size=8).hexdigest()
        if address
        else ""
    )


def date(text: str | None) -> tuple[datetime.datetime | None, int | None]:
    """A date field (RFC 5322 §3.3) as UTC, and the minutes east of UTC that it gives; None where it gives none, and for
    ``-0000``, which says that the place is not known. Fractions of a second, which some servers write, are left out."""
    if not text:
        return None, None
    text = _FRACTION.sub(r"\1", text[:200])
    try:
        parsed = parsedate_tz(text)
        if parsed is None or parsed[0] < 1970:
            return None, None
        # The calendar refuses the 31st of November, which arithmetic would take for the 1st of December.
        year, month, day, hour, minute, second = parsed[:6]
        zone = parsed[9] or 0
        when = datetime.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=datetime.UTC)
        when -= datetime.timedelta(seconds=zone)
    except (ValueError, TypeError, IndexError, OverflowError):  # parsedate_tz and the calendar refuse
        return None, None
    stated = _ZONE.search(outside(text)[0])
    return when, zone // 60 if stated is not None and stated[1] != "-0000" and abs(zone) < 86400 else None


def parameters(text: str) -> tuple[str, dict[str, str]]:
    """A value with parameters (RFC 2045 §5.1): ``text/html; charset=utf-8`` as ("text/html", {"charset": "utf-8"}), all
    in lower case but the values. The first of equal names counts. Pieces of a long value (RFC 2231) stay pieces."""
    found: dict[str, str] = {}
    main, *rest = _semicolons(text[:FIELD_CHARACTERS])
    for part in rest[:50]:
        name, equals, value = part.partition("=")
        if equals:
            value = value.strip()
            if value.startswith('"'):
                value = re.sub(
                    r"\\(.)", r"\1", value[1:].partition('"')[0] if "\\" not in value else value[1:].rstrip('"')
                )
            else:
                value = value.split(" ", 1)[0].split("(", 1)[0]
            found.setdefault(name.strip().lower(), value)
    return main.split("(", 1)[0].strip().lower(), found


def _semicolons(text: str) -> list[str]:
    if '"' not in text:
        return text.split(";")
    parts = [""]
    quoted = False
    for piece in _PARAMETER_PIECES.findall(text):
        if piece == '"':
            quoted = not quoted
        if piece == ";" and not quoted:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def words(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text once, sorted."""
    return tuple(sorted(set(texts)))
