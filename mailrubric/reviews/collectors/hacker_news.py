"""What people write on Hacker News, from the search that Algolia runs for it.

``https://hn.algolia.com/api/v1/search_by_date`` gives the newest first, and never more than 1,000 hits to one query
whatever the page, so what is older is asked for with ``created_at_i<=`` the oldest seen so far. Comments count, and
stories that have a text of their own. Without stars: what people think is the sentiment of their words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mailrubric.reviews.authors import author_hash
from mailrubric.reviews.collectors.client import DAY, KEPT_SECONDS, Client, NotCollected, NothingToAsk, read_json
from mailrubric.reviews.collectors.collected import (
    EMPTY,
    Collected,
    Harvest,
    epoch,
    field,
    from_html,
    plain,
    unescaped,
)
from mailrubric.reviews.collectors.mentions import about
from mailrubric.reviews.review import Review
from probes.model import Cause

SOURCE = "hacker_news"
BASE = "https://hn.algolia.com"
PATH = "/api/v1/search_by_date"
HITS = 100
"""Hits a page."""
WINDOW = 1000
"""Hits that can be had of one query."""


async def collect(
    client: Client,
    vendor: str,
    names: Sequence[str],
    *,
    context: Sequence[str] | None = None,
    exact: bool = False,
    since: datetime | None = None,
    limit: int = 1000,
) -> Collected:
    """Comments and posts that name the vendor by one of ``names``, each of which is searched for. What the words must
    stand beside: :func:`mailrubric.reviews.collectors.mentions.about`. ``NothingToAsk`` without a name."""
    names = [word for name in names if (word := " ".join(name.replace('"', " ").split()))]
    if not names:
        raise NothingToAsk("there is no name to search for")
    harvest = Harvest(client, SOURCE, ", ".join(names), since, limit)
    fault: NotCollected | None = None
    try:
        for name in names:
            await _search(client, harvest, vendor, name, names, context, exact)
        if not harvest.seen and since is None:
            raise NotCollected(EMPTY, f"the search knows no post with {' or '.join(names)}")
    except NotCollected as reason:
        fault = reason
    return harvest.result(fault)


async def _search(
    client: Client,
    harvest: Harvest,
    vendor: str,
    name: str,
    names: Sequence[str],
    context: Sequence[str] | None,
    exact: bool,
) -> None:
    """Every hit of one name, window after window into the past."""
    until: int | None = None
    while not harvest.full:
        oldest, hits = until, 0
        for page in range(WINDOW // HITS):
            found = await _page(client, harvest, name, page, until)
            for hit in found:
                hits += 1
                when = field(hit, "created_at_i")
                if isinstance(when, int) and (oldest is None or when < oldest):
                    oldest = when
                identifier = plain(field(hit, "objectID"), 40)
                if identifier and harvest.new(identifier):
                    review = _review(hit, vendor, identifier)
                    setting = " ".join(plain(field(hit, each), 1000) for each in ("title", "story_title"))
                    if review is not None and about(review.text, names, context, exact=exact, setting=setting):
                        harvest.add(review)
            if len(found) < HITS or harvest.full:
                break
        if hits < WINDOW or oldest is None:
            return
        # The same second once more, since the window may have been cut in the middle of it.
        until = oldest if oldest != until else oldest - 1


async def _page(client: Client, harvest: Harvest, name: str, page: int, until: int | None) -> list[Any]:
    ends = []
    if harvest.since is not None:
        ends.append(f"created_at_i>={int(harvest.since.timestamp())}")
    if until is not None:
        ends.append(f"created_at_i<={until}")
    parameters: dict[str, str | int] = {
        "query": f'"{name}"' if " " in name else name,
        "tags": "(comment,story)",
        "restrictSearchableAttributes": "comment_text,story_text",
        "typoTolerance": "false",
        "hitsPerPage": HITS,
        "page": page,
    }
    if ends:
        parameters["numericFilters"] = ",".join(ends)
    # A window that ended in the past does not change any more.
    age = DAY if until is None else KEPT_SECONDS
    return (await client.ask(PATH, _hits, parameters=parameters, age=age)).value


def _hits(body: bytes) -> list[Any]:
    document = read_json(body)
    hits = field(document, "hits")
    if not isinstance(hits, list) or not isinstance(field(document, "nbHits"), int):
        raise NotCollected(Cause.PROTOCOL_ERROR, "JSON, but no answer of the search")
    return hits


def _review(hit: Any, vendor: str, identifier: str) -> Review | None:
    if not isinstance(hit, Mapping):
        return None
    text = from_html(hit.get("comment_text") or hit.get("story_text"))
    if not text or not identifier.isdigit():
        return None
    return Review(
        vendor,
        SOURCE,
        identifier,
        written=epoch(hit.get("created_at_i")),
        title=unescaped(hit.get("title") or hit.get("story_title")),
        text=text,
        author=author_hash(SOURCE, plain(hit.get("author"), 100)),
        url=f"https://news.ycombinator.com/item?id={identifier}",
        language="en",
    )
