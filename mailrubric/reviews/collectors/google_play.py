"""Reviews of an app in Google Play, by way of ``google-play-scraper`` (``pip install mailrubric[google-play]``).

There is no public interface; the package knows how the store's own page asks for reviews and what stands where in the
answer, and breaks whenever the store changes. Its request and its reading are used here, its networking is not: that
has no time limit, takes answers of any length, turns every fault into an empty list, and from the moment it is imported
switches the checking of certificates off for all of Python's own HTTPS, which is undone below.

Tokens to the next page have been seen to stop after 200 to 400 reviews, and reviews to come twice.
"""

from __future__ import annotations

import json
import re
import ssl
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mailrubric.reviews.authors import person_hash
from mailrubric.reviews.collectors.client import Client, NotCollected, NothingToAsk, TryLater
from mailrubric.reviews.collectors.collected import EMPTY, Collected, Harvest, epoch, plain
from mailrubric.reviews.review import Review
from probes.model import Cause

SOURCE = "google_play"
BASE = "https://play.google.com"
ITEMS = 200
"""Reviews a page."""
PAGES = 100

NOT_INSTALLED = "not_installed"
"""Cause: an optional package is missing."""

_NEWEST = 2  # the store's number for that order
_GATEWAY_ERROR = b"com.google.play.gateway.proto.PlayGatewayError"


async def collect(
    client: Client,
    vendor: str,
    app: str,
    *,
    country: str = "us",
    language: str = "en",
    since: datetime | None = None,
    limit: int = 1000,
) -> Collected:
    """Reviews of the app with this package name, in one language, the newest first. ``NothingToAsk`` for a name,
    country or language that cannot be one."""
    if not re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+", app, re.ASCII) or len(app) > 200:
        raise NothingToAsk("an app has a package name such as com.example.mail")
    if not re.fullmatch(r"[a-z]{2}", country) or not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", language):
        raise NothingToAsk("a country is two letters such as us, a language a tag such as en")
    harvest = Harvest(client, SOURCE, f"app {app} in {language}", since, limit)
    fault: NotCollected | None = None
    try:
        await _pages(client, harvest, _Store(), vendor, app, country, language)
    except NotCollected as reason:
        fault = reason
    return harvest.result(fault)


async def _pages(
    client: Client, harvest: Harvest, store: _Store, vendor: str, app: str, country: str, language: str
) -> None:
    token: str | None = None
    tokens: set[str] = set()
    for _ in range(PAGES):
        path, form = store.request(app, country, language, token)
        items, token = (await client.ask(path, store.read, form=form)).value
        if not items:
            why = f"the store stopped after {harvest.seen} reviews, having announced more"
            raise NotCollected(EMPTY, why if harvest.seen else "no review: does the app have this package name?")
        fresh = [item for item in items if harvest.new(item["reviewId"])]
        reviews = [_review(item, vendor, app, language) for item in fresh]
        for review in reviews:
            harvest.add(review)
        if harvest.full or token is None or (reviews and all(harvest.too_old(review.written) for review in reviews)):
            return
        if not fresh or token in tokens:
            raise NotCollected(Cause.PROTOCOL_ERROR, "the store gives the same page again and again")
        tokens.add(token)
    raise NotCollected(Cause.NOT_PERMITTED, f"{PAGES} pages have been read: enough for once")


class _Store:
    """How the package writes a request and reads an answer."""

    def __init__(self) -> None:
        checked: Callable[..., ssl.SSLContext] = ssl._create_default_https_context
        try:
            from google_play_scraper.constants.element import ElementSpecs
            from google_play_scraper.constants.request import Formats

            self._formats: Any = Formats.Reviews
            self._specs: Mapping[str, Any] = ElementSpecs.Review
        except ModuleNotFoundError:
            how = "the package google-play-scraper is not installed: pip install mailrubric[google-play]"
            raise NotCollected(NOT_INSTALLED, how) from None
        except (ImportError, AttributeError) as error:
            detail = f"this google-play-scraper is not one that we know ({type(error).__name__})"
            raise NotCollected(NOT_INSTALLED, detail) from None
        finally:
            ssl._create_default_https_context = checked  # the import has switched it to one that checks nothing

    def request(self, app: str, country: str, language: str, token: str | None) -> tuple[str, bytes]:
        """Path and form of the request for a page."""
        parts = urllib.parse.urlsplit(self._formats.build(lang=language, country=country))
        form: bytes = self._formats.build_body(app, _NEWEST, ITEMS, "null", "null", token)
        return f"{parts.path}?{parts.query}", form

    def read(self, body: bytes) -> tuple[list[dict[str, Any]], str | None]:
        """Reviews and the token of the next page, None where there is none.

        The answer is a guard line, then a list whose first member holds as its third the JSON that counts, as a text:
        the reviews, and near the end the token. When the store wants to be left alone it says so in place of that text.
        """
        if _GATEWAY_ERROR in body:
            raise TryLater("the store has had too many requests")
        strange = NotCollected(Cause.PROTOCOL_ERROR, "an answer that is not in the store's usual form")
        try:
            outer = json.loads(body.partition(b"\n\n")[2])
            inner = json.loads(outer[0][2]) if outer[0][2] is not None else []
        except (ValueError, TypeError, LookupError, RecursionError):
            raise strange from None
        if not isinstance(inner, list):
            raise strange
        if not inner or not inner[0]:
            return [], None
        token = inner[-2][-1] if len(inner) >= 2 and isinstance(inner[-2], list) and inner[-2] else None
        if not isinstance(inner[0], list):
            raise strange
        items = []
        for entry in inner[0]:
            if not isinstance(entry, list):
                raise strange
            item = {name: self._value(name, entry) for name in ("reviewId", "userName", "content", "score")}
            item["seconds"] = entry[5][0] if len(entry) > 5 and isinstance(entry[5], list) and entry[5] else None
            item["reviewId"] = plain(item["reviewId"], 200)
            if not item["reviewId"]:
                raise strange
            items.append(item)
        if isinstance(token, str) and not re.fullmatch(r"[A-Za-z0-9_=.-]{1,2000}", token):
            raise strange  # it goes into the next request as it is
        return items, token if isinstance(token, str) else None

    def _value(self, name: str, entry: list[Any]) -> Any:
        try:
            return self._specs[name].extract_content(entry)
        except (LookupError, TypeError):
            return None


def _review(item: Mapping[str, Any], vendor: str, app: str, language: str) -> Review:
    identifier, score = item["reviewId"], item["score"]
    return Review(
        vendor,
        SOURCE,
        identifier,
        written=epoch(item["seconds"]),
        rating=float(score) if score in (1, 2, 3, 4, 5) else None,
        text=plain(item["content"]),
        author=person_hash(SOURCE, plain(item["userName"], 200)),
        url=f"{BASE}/store/apps/details?id={app}&reviewId={urllib.parse.quote(identifier, safe='')}",
        language=language,
    )
