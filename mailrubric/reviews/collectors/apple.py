"""Customer reviews of an app in Apple's App Store, from the public feed.

``https://itunes.apple.com/{country}/rss/customerreviews/id={id}/sortBy=mostRecent/page={1…10}/json``: up to 50 reviews
a page and ten pages for each country, nothing older. The feed has been seen empty for apps with many reviews, above all
when a server asks, so an empty one is asked for once more under its other address
(``…/page={n}/id={id}/sortby=mostrecent/json``), and one that is empty there too is a fault, never "no reviews".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mailrubric.evidence.times import written
from mailrubric.reviews.authors import author_hash
from mailrubric.reviews.collectors.client import Client, NotCollected, NothingToAsk, read_json
from mailrubric.reviews.collectors.collected import (
    EMPTY,
    MAXIMUM_TITLE,
    Collected,
    Harvest,
    field,
    plain,
    web_link,
)
from mailrubric.reviews.review import Review
from probes.model import Cause

SOURCE = "apple"
BASE = "https://itunes.apple.com"
PAGES = 10
"""Pages that the feed has at most for each country."""

_LANGUAGES = {
    language: frozenset(countries.split())
    for language, countries in {
        "en": "us gb au ca ie nz za in sg ng ke ph",
        "de": "de at",
        "fr": "fr",
        "es": "es mx ar cl co pe ec uy",
        "pt": "pt br",
        "it": "it",
        "nl": "nl",
        "sv": "se",
        "da": "dk",
        "nb": "no",
        "fi": "fi",
        "pl": "pl",
        "cs": "cz",
        "hu": "hu",
        "ro": "ro",
        "el": "gr",
        "tr": "tr",
        "ru": "ru",
        "uk": "ua",
        "ja": "jp",
        "ko": "kr",
        "zh": "cn tw hk",
        "th": "th",
        "vi": "vn",
        "id": "id",
    }.items()
}
"""The language that a store's reviews are taken to be in; the feed does not say."""

_ADDRESSES = (
    "/{country}/rss/customerreviews/id={id}/sortBy=mostRecent/page={page}/json",
    "/{country}/rss/customerreviews/page={page}/id={id}/sortby=mostrecent/json",
)


async def collect(
    client: Client,
    vendor: str,
    app: str,
    *,
    countries: Sequence[str] = ("us",),
    since: datetime | None = None,
    limit: int = 1000,
) -> Collected:
    """Reviews of the app with this id in these countries' stores, the newest first. ``NothingToAsk`` for an id that is
    no number or a country that is not two letters."""
    if not re.fullmatch(r"[0-9]{3,15}", app) or not all(re.fullmatch(r"[a-z]{2}", each) for each in countries):
        raise NothingToAsk("an app has a number, and a country two letters such as us")
    harvest = Harvest(client, SOURCE, f"app {app} in {', '.join(countries)}", since, limit)
    fault: NotCollected | None = None
    for country in countries:
        try:
            await _country(client, harvest, vendor, app, country)
        except NotCollected as reason:  # one country's fault does not keep us from the others
            fault = NotCollected(reason.cause, f"{country}: {reason.detail}")
            if reason.cause == Cause.THROTTLED:
                break
    return harvest.result(fault)


async def _country(client: Client, harvest: Harvest, vendor: str, app: str, country: str) -> None:
    announced = 0  # the last page, as the feed says
    for page in range(1, PAGES + 1):
        if harvest.full or (announced and page > announced):
            return
        entries, last = await _page(client, app, country, page, announced)
        announced = announced or last
        reviews = [review for entry in entries if (review := _review(entry, vendor, app, country)) is not None]
        for review in reviews:
            if harvest.new(review.id):
                harvest.add(review)
        if not reviews or all(harvest.too_old(review.written) for review in reviews):
            return


async def _page(client: Client, app: str, country: str, page: int, announced: int) -> tuple[list[Any], int]:
    """The reviews of a page, and the number of the last page. An empty page is an end only after the first one, and
    only where the feed has announced no more."""

    def read(body: bytes) -> tuple[list[Any], int]:
        entries, last = _entries(read_json(body))
        if not entries and (page == 1 or page <= announced):
            raise NotCollected(EMPTY, f"page {page} of the feed is empty; see docs/reviews.md for what can be done")
        return entries, last

    for number, address in enumerate(_ADDRESSES, 1):
        try:
            return (await client.ask(address.format(country=country, id=app, page=page), read)).value
        except NotCollected as reason:
            if reason.cause != EMPTY or number == len(_ADDRESSES):
                raise
    raise AssertionError("the last address returns or raises")


def _entries(document: Any) -> tuple[list[Any], int]:
    """The reviews in a feed, and the number of its last page (0 when it does not say). The app itself may stand before
    them as an entry without stars; one entry alone stands there without a list."""
    feed = field(document, "feed")
    if not isinstance(feed, dict):
        raise NotCollected(Cause.PROTOCOL_ERROR, "JSON, but no feed of reviews")
    entry = feed.get("entry", [])
    entries = entry if isinstance(entry, list) else [entry]
    links = feed.get("link", [])
    last = 0
    for link in links if isinstance(links, list) else [links]:
        href = field(link, "attributes", "href")
        if field(link, "attributes", "rel") == "last" and isinstance(href, str):
            found = re.search(r"/page=([0-9]{1,2})/", href)
            last = min(int(found[1]), PAGES) if found else 0
    return [each for each in entries if field(each, "im:rating", "label") is not None], last


def _review(entry: Any, vendor: str, app: str, country: str) -> Review | None:
    identifier = plain(field(entry, "id", "label"), 100)
    rating = field(entry, "im:rating", "label")
    if not identifier or not isinstance(rating, str) or rating not in ("1", "2", "3", "4", "5"):
        return None
    return Review(
        vendor,
        SOURCE,
        identifier,
        written=_time(field(entry, "updated", "label")),
        rating=float(rating),
        title=plain(field(entry, "title", "label"), MAXIMUM_TITLE),
        text=plain(field(entry, "content", "label")),
        author=author_hash(SOURCE, plain(field(entry, "author", "name", "label"), 200)),
        url=web_link(field(entry, "link", "attributes", "href"))
        or f"https://apps.apple.com/{country}/app/id{app}?see-all=reviews",
        language=next((language for language, countries in _LANGUAGES.items() if country in countries), "und"),
    )


def _time(text: object) -> str:
    """``2026-05-01T07:21:08-07:00`` in UTC. Older feeds have no time at all."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return ""
    if found is None or found.tzinfo is None:
        return ""
    try:
        return written(found)
    except OverflowError:
        return ""
