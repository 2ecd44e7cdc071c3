"""What a collector brings home, and what all of them do with a text, a date and a name."""

from __future__ import annotations

import dataclasses
import html
import html.parser
import re
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mailrubric.evidence.times import written
from mailrubric.reviews.collectors.client import Client, NotCollected
from mailrubric.reviews.review import Review

MAXIMUM_TEXT = 20_000
"""Characters of a review that are kept."""
MAXIMUM_TITLE = 300

EMPTY = "empty_answer"
"""Cause: the source answered without one review, which it also does when something is wrong on its side."""


@dataclasses.dataclass(frozen=True, slots=True)
class Collected:
    """What one source gave. ``place``: where exactly, for people. ``seen``: entries read, whatever became of them.
    ``complete``: all that the source gives of the time asked for was read; when not, ``cause`` says why, or is "" when
    the limit was reached. ``requests`` were made, ``cached`` answers came from disk."""

    source: str
    place: str
    reviews: tuple[Review, ...] = ()
    seen: int = 0
    complete: bool = False
    requests: int = 0
    cached: int = 0
    cause: str = ""
    detail: str = ""


class Harvest:
    """Reviews of one place while they are gathered: no id twice, none written before ``since``, at most ``limit``."""

    def __init__(self, client: Client, source: str, place: str, since: datetime | None, limit: int) -> None:
        self._client = client
        self._before = client.requests, client.cached
        self.source = source
        self.place = place
        self.since = since
        self.limit = limit
        self.seen = 0
        self._ids: set[str] = set()
        self._reviews: list[Review] = []

    def new(self, identifier: str) -> bool:
        """Count one entry; whether its id has not been met before."""
        self.seen += 1
        if identifier in self._ids:
            return False
        self._ids.add(identifier)
        return True

    def add(self, review: Review) -> None:
        """Take a review, unless it is too old or there are enough."""
        if not self.full and not self.too_old(review.written):
            self._reviews.append(review)

    def too_old(self, written: str) -> bool:
        """Whether something of this time lies before what was asked for; without a time it does not."""
        return self.since is not None and bool(written) and written < timestamp(self.since.timestamp())

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return len(self._reviews) >= self.limit

    def result(self, fault: NotCollected | None = None) -> Collected:
        """All that was gathered, with what ended it early."""
        return Collected(
            self.source,
            self.place,
            tuple(self._reviews),
            self.seen,
            complete=fault is None and not self.full,
            requests=self._client.requests - self._before[0],
            cached=self._client.cached - self._before[1],
            cause="" if fault is None else fault.cause,
            detail="" if fault is None else fault.detail,
        )


def timestamp(seconds: float) -> str:
    """A time as reviews carry it: ``2026-11-22T10:00:00Z``. ``ValueError`` for one that no calendar has."""
    try:
        return written(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from None


def epoch(value: object) -> str:
    """Unix seconds from an answer as a review's time, or "" when it holds none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    try:
        return timestamp(value)
    except ValueError:
        return ""


def plain(value: object, at_most: int = MAXIMUM_TEXT) -> str:
    """A text from an answer, with its surrounding space and what is too much cut off; "" when it is none. Half a
    surrogate pair, which JSON may hold and no encoding can, becomes a question mark."""
    if not isinstance(value, str):
        return ""
    return value.strip()[:at_most].rstrip().encode("utf-8", "replace").decode("utf-8")


def web_link(value: object) -> str:
    """A link from an answer when it is http or https and harmless to keep, else ""."""
    if not isinstance(value, str) or len(value) > 2000 or re.search(r"[\s\x00-\x20\x7f\"'<>\\]", value):
        return ""
    try:
        parts = urllib.parse.urlsplit(value)
        return value if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def field(entry: Any, *names: str) -> Any:
    """``entry[a][b]…`` in a document from outside, or None where something else stands."""
    for name in names:
        if not isinstance(entry, Mapping):
            return None
        entry = entry.get(name)
    return entry


_BREAKING = frozenset({"p", "br", "li", "ul", "ol", "div", "h1", "h2", "h3", "h4", "blockquote", "pre", "tr"})
_CODE = frozenset({"pre", "script", "style"})


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _CODE:
            self._silent += 1
        if tag in _BREAKING:
            self.parts.append("\n\n" if tag in ("p", "pre") else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _CODE and self._silent:
            self._silent -= 1
        if tag in _BREAKING:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def from_html(value: object, at_most: int = MAXIMUM_TEXT) -> str:
    """The words of an HTML fragment, as paragraphs; blocks of code are left out, since they are nobody's opinion. It
    is text afterwards, and has to be escaped like any other where it is shown."""
    if not isinstance(value, str):
        return ""
    reader = _Reader()
    reader.feed(value[: 10 * at_most])
    reader.close()
    text = re.sub(r"[^\S\n]+", " ", "".join(reader.parts))
    return plain(re.sub(r" ?\n ?(?:\n ?)+", "\n\n", text), at_most)


def unescaped(value: object, at_most: int = MAXIMUM_TITLE) -> str:
    """A title that came with character references, without them."""
    return plain(html.unescape(value), at_most) if isinstance(value, str) else ""
