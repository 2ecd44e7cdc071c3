"""Messages from files: one ``.eml`` (or ``.emlx`` of Apple Mail), an mbox, a Maildir, or a folder of these, found one
after another.

Finding and loading are apart: a ``Place`` says where a message stands, so that a mailbox of any size passes through
in little memory, and several processes can load and analyse at once. Only regular files are opened; links are not
followed out of the folder.

An mbox (RFC 4155 and its relatives mboxo and mboxrd) is cut where a line begins with "From " and ends in a date, or
where such a line stands between an empty line and a header field. How a body's own lines that begin with "From " were
quoted can't be told from the file, so ``Raw.bodies`` has each way of undoing it, for signatures to decide.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from mailrubric.display import one_line
from mailrubric.mail import fields

MESSAGE_BYTES = 8 * 1024 * 1024
"""Of a larger message only the header section is read."""
FOLDER_DEPTH = 20

Kind = Literal["file", "mbox", "maildir", "memory"]

_APPLE = ".emlx"
_CHUNK = 1024 * 1024
_LOOK = 1200
_DATE = re.compile(
    rb"From .{0,500}?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:\d{1,2} +)?"
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[^\r\n]{0,100}\d{4}[^\r\n]{0,40}\r?\n"
)
_FIELD = re.compile(rb"From [^\r\n]*\r?\n[!-9;-~]{1,80}[ \t]*:")
_FLAGS = re.compile(r"[:;!]2,([A-Za-z]*)$")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """A message, or what was taken for one, that was not analysed. ``reason``: the same words for the same reason, to
    be counted; ``place``: where it stands."""

    place: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands. ``name``: for people. ``start``, ``size``: within ``path``; size -1 for the whole file.
    ``seen``: by the mailbox's flags. ``arrived``: when it came into the mailbox, if that says so. ``data``: the message
    itself, where it did not come from a file; ``whole`` is its size on the server then, more than ``data`` when only
    the beginning was fetched."""

    name: str
    kind: Kind
    path: str = ""
    start: int = 0
    size: int = -1
    seen: bool | None = None
    arrived: datetime.datetime | None = None
    data: bytes = b""
    whole: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Raw:
    """A loaded message. ``size``: of all of it; ``cut``: ``data`` is only its beginning."""

    data: bytes
    size: int
    cut: bool = False
    mbox: bool = False

    def bodies(self, start: int) -> tuple[bytes, ...]:
        """The body that begins at ``start``, as it may have been before it was put into the mbox: mboxrd quoting
        undone, mboxo quoting undone, and as it stands; equal ones once."""
        body = self.data[start:]
        if not self.mbox or not (b"\n>" in body or body.startswith(b">")):
            return (body,)
        return tuple(dict.fromkeys((_QUOTED.sub(rb"\1", body), re.sub(rb"(?m)^>From ", b"From ", body), body)))


def places(path: Path) -> Iterator[Place | Skipped]:
    """The messages in a file or folder, in an order that is the same every time. ``FileNotFoundError`` when there is no
    such thing, ``OSError`` when it can't be read."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        # A folder that can't be listed is an error here; one inside it is a counted skip.
        os.scandir(path).close()
        yield from _folder(str(path), "", 0)
    elif stat.S_ISREG(mode):
        yield from _file(str(path), path.name)
    else:
        raise OSError(f"{path.name} is neither a file nor a folder")


def _folder(path: str, name: str, depth: int) -> Iterator[Place | Skipped]:
    try:
        with os.scandir(path) as found:
            entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)
    except OSError as error:
        yield Skipped(_shown(name), f"a folder that can't be read: {error.strerror}")
        return
    folders = {entry for entry, is_folder in entries if is_folder}
    if {"cur", "new"} <= folders:
        yield from _maildir(path, name)
        folders -= {"cur", "new", "tmp"}
    for entry, is_folder in entries:
        inner, shown = f"{path}/{entry}", f"{name}/{entry}" if name else entry
        if is_folder and entry in folders:
            if depth < FOLDER_DEPTH:
                yield from _folder(inner, shown, depth + 1)
            else:
                yield Skipped(_shown(shown), f"a folder deeper than {FOLDER_DEPTH}")
        elif not is_folder and entry.lower().endswith((".eml", _APPLE, ".mbox", ".mbx")):
            yield from _file(inner, shown)


def _maildir(path: str, name: str) -> Iterator[Place]:
    for part in ("cur", "new"):
        with contextlib.suppress(OSError):
            for entry in sorted(os.listdir(f"{path}/{part}")):
                if entry.startswith("."):
                    continue
                flags = _FLAGS.search(entry)
                seconds = entry.partition(".")[0]
                arrived = None
                if seconds.isdecimal() and seconds.isascii() and len(seconds) <= 11:
                    arrived = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
                # What is in "new" no program has shown yet; in "cur" the flag S says whether it was read.
                seen = part == "cur" and flags is not None and "S" in flags[1]
                shown = _shown(f"{name}/{part}/{entry}" if name else f"{part}/{entry}")
                yield Place(shown, "maildir", f"{path}/{part}/{entry}", seen=seen, arrived=arrived)


def _file(path: str, name: str) -> Iterator[Place | Skipped]:
    if name.lower().endswith(f".partial{_APPLE}"):  # as it stands there, no signature would fit
        yield Skipped(_shown(name), "a message of which Apple Mail keeps parts elsewhere")
        return
    try:
        with _open(path) as file:
            begins = file.read(5)
            mbox = begins == b"From "
            if mbox:
                yield from _mbox(file, path, _shown(name))
    except OSError as error:
        yield Skipped(_shown(name), f"a file that can't be read: {error.strerror or error}")
        return
    if not mbox and (begins or not name.lower().endswith((".mbox", ".mbx"))):
        yield Place(_shown(name), "file", path)


def _open(path: str) -> BinaryIO:
    """A regular file, opened; ``OSError`` for anything else, such as a pipe on which we would wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("no regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def _mbox(file: BinaryIO, path: str, name: str) -> Iterator[Place]:
    file.seek(0)
    number = 0
    base = at = 0
    begun = -1  # where in the file the current message begins, after its "From " line
    buffer = b"\n"
    shift = -1  # buffer[0] stands before the file, so that the first line is found like the others
    more = True
    while more:
        chunk = file.read(_CHUNK)
        more = bool(chunk)
        buffer += chunk
        limit = len(buffer) - (_LOOK if more else 0)
        while 0 <= (found := buffer.find(b"\nFrom ", at)) < limit:
            at = found + 1
            line = buffer.find(b"\n", at, at + _LOOK)
            if line < 0 or not (begun < 0 or _separates(buffer, found)):
                continue
            if begun >= 0:
                number += 1
                end = found + (0 if _empty_before(buffer, found) else 1)
                end -= buffer[end - 1 : end] == b"\r" and end == found
                yield Place(f"{name} {number}", "mbox", path, begun, max(0, base + shift + end - begun))
            begun = base + shift + line + 1
        keep = max(0, min(limit, len(buffer)) - 8)
        at = max(0, max(at, limit - 6) - keep)
        base += keep
        buffer = buffer[keep:]
    if begun >= 0:
        end = len(buffer) - (2 if buffer.endswith(b"\n\r\n") else 1 if buffer.endswith(b"\n\n") else 0)
        yield Place(f"{name} {number + 1}", "mbox", path, begun, max(0, base + shift + end - begun))


def _empty_before(buffer: bytes, newline: int) -> bool:
    return buffer[max(0, newline - 1) : newline] == b"\n" or buffer[max(0, newline - 2) : newline] == b"\n\r"


def _separates(buffer: bytes, newline: int) -> bool:
    """Whether the line after ``newline``, which begins with "From ", begins a message."""
    line = buffer[newline + 1 : newline + 1 + _LOOK]
    return bool(_DATE.match(line) or (_empty_before(buffer, newline) and _FIELD.match(line)))


def load(batch: Sequence[Place]) -> Iterator[tuple[Place, Raw | Skipped]]:
    """The messages at these places, one at a time; a file is opened once for places that follow each other in it."""
    with contextlib.ExitStack() as stack:
        opened = ""
        file: BinaryIO | None = None
        for place in batch:
            if place.kind == "memory":
                yield place, Raw(place.data, max(place.whole, len(place.data)), place.whole > len(place.data))
                continue
            try:
                if file is None or place.path != opened:
                    stack.close()
                    file, opened = stack.enter_context(_open(place.path)), place.path
                yield place, _read(file, place)
            except OSError as error:
                file = None
                yield place, Skipped(place.name, f"a file that can't be read: {error.strerror or error}")


def _read(file: BinaryIO, place: Place) -> Raw:
    size = place.size if place.size >= 0 else os.fstat(file.fileno()).st_size
    file.seek(place.start)
    if place.kind == "file" and place.path.lower().endswith(_APPLE):
        # A line with the message's size, the message, and a property list about it.
        stated = re.match(rb"(\d{1,12})[ \t]*\r?\n", file.read(20))
        size = min(int(stated[1]), size - stated.end()) if stated else size
        file.seek(stated.end() if stated else 0)
    cut = size > MESSAGE_BYTES
    wanted = fields.HEADER_BYTES + 4 if cut else size
    pieces = []
    while wanted > 0 and (piece := file.read(wanted)):
        pieces.append(piece)
        wanted -= len(piece)
    return Raw(b"".join(pieces), size, cut, place.kind == "mbox")


def _shown(name: str) -> str:
    """A file's name for people: the system's may hold bytes that are no text."""
    return one_line(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))[:300]
