"""Whatever document a source sends, a collector comes home: with sound reviews, or with a cause."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailrubric.causes import EXPLANATIONS
from mailrubric.evidence.store import Store
from mailrubric.reviews.collectors import apple, google_play, hacker_news, stack_exchange
from mailrubric.reviews.collectors.client import Answer, Client, NotCollected, TryLater

WORDS = [
    "feed", "entry", "im:rating", "label", "id", "title", "content", "updated", "link", "attributes", "href", "rel",
    "hits", "nbHits", "objectID", "comment_text", "story_text", "created_at_i", "author", "name", "items", "has_more",
    "question_id", "answer_id", "answer_count", "body", "creation_date", "owner", "user_id", "display_name", "backoff",
    "quota_remaining", "error_name", "error_message", "error_id",
]  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.integers(0, 5)
    | st.floats()
    | st.sampled_from(
        ["5", "1", "Acme mail", "https://a.example/page=3/", "last", "2026-01-01T00:00:00+01:00", "\ud800"]
    )
    | st.text(max_size=20)
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=8),
    max_leaves=40,
)


STORE = Store("sqlite://")


class Says(Client):
    """A client whose every answer is one document."""

    def __init__(self, document: Any, play: bool = False) -> None:
        super().__init__("https://reviews.example")
        text = json.dumps(document)
        self._said = (")]}'\n\n" + json.dumps([["wrb.fr", "x", text]]) if play else text).encode()
        self._left = 40

    async def ask(self, path: str, read: Any, **_: Any) -> Answer[Any]:
        self._left -= 1
        if self._left < 0:
            raise NotCollected("not_permitted", "enough")
        try:
            return Answer(read(self._said), cached=False)
        except TryLater as later:
            raise NotCollected("throttled", later.detail) from None


def sound(got: Any) -> None:
    assert bool(got.cause) <= (got.cause in EXPLANATIONS)
    assert not (got.complete and got.cause)
    assert len({review.id for review in got.reviews}) == len(got.reviews)
    for review in got.reviews:
        assert review.id
        assert review.rating is None or 1 <= review.rating <= 5
        assert re.fullmatch(r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", review.written)
        assert re.fullmatch(r"|https?://\S+", review.url)
        assert re.fullmatch(r"|[0-9a-f]{16}", review.author)
        assert len(review.text) <= 20_000
    STORE.add_reviews(got.reviews)


@pytest.mark.slow
@pytest.mark.usefixtures("google_play_scraper")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS)
@pytest.mark.parametrize("source", ["apple", "hacker_news", "stack_exchange", "google_play"])
def test_any_document(source, document):
    if source == "apple" and isinstance(document, list):
        document = {"feed": {"entry": document}}
    if source == "hacker_news" and isinstance(document, list):
        document = {"hits": document, "nbHits": 1}
    if source == "stack_exchange" and isinstance(document, list):
        document = {"items": document, "has_more": len(document) % 2 == 0}
    if source == "google_play" and isinstance(document, list):
        document = [[["id", ["a b"], 5, None, "text", [1]], document], [document], None]

    async def collect() -> Any:
        async with Says(document, source == "google_play") as client:
            if source == "apple":
                return await apple.collect(client, "acme", "931")
            if source == "hacker_news":
                return await hacker_news.collect(client, "acme", ["Acme"])
            if source == "stack_exchange":
                return await stack_exchange.collect(client, "acme", "stackoverflow", "acme")
            return await google_play.collect(client, "acme", "com.acme.mail")

    sound(asyncio.run(collect()))
