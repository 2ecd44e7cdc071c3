"""One review, as every source is brought to."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Review:
    """What one person wrote about one vendor at one place.

    ``source``: where it stands: ``g2``, ``capterra``, ``trustpilot``, ``apple``, ``google_play``, ``hacker_news``,
    ``stack_exchange``, or a name that the importing person gave. ``id``: unique within the source; where the source
    gives none, a hash of the review's own content. ``written``: ISO 8601, a date or a UTC time as precise as the
    source (``2026-11-22`` or ``2026-11-22T10:00:00Z``), or "" when it gives none. ``rating``: stars from 1 to 5
    whatever the source's scale was, or None where people only write. ``text``: as written, capped, never escaped;
    likes and dislikes of sources that ask for both follow each other as paragraphs. ``author``: a hash that tells two
    authors of one source apart and names nobody, or "". ``url``: http or https, or "". ``language``: a BCP 47 tag, or
    "".
    """

    vendor: str
    source: str
    id: str
    written: str = ""
    rating: float | None = None
    title: str = ""
    text: str = ""
    author: str = ""
    url: str = ""
    language: str = ""
