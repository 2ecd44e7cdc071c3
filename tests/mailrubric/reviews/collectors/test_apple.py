from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime

import pytest

from mailrubric.reviews.authors import author_hash
from mailrubric.reviews.collectors import apple
from mailrubric.reviews.review import Review
from tests.mailrubric.reviews.collectors.server import response, site
from tests.mailrubric.reviews.collectors.sources import AppStore


async def collect(client, store, **more):
    async with site(store) as there, client(there.base) as asking:
        return await apple.collect(asking, "acme", "931", **more), there


async def test_a_review_as_it_stands_in_the_feed(client):
    got, there = await collect(client, AppStore([3]))
    assert got.reviews == (
        Review(
            "acme",
            "apple",
            "11900000003",
            written="2026-09-28T14:21:03Z",
            rating=4.0,
            title="Title 3 <b>",
            text="Text of review 3 & so on\nsecond line",
            author=author_hash("apple", "Writer3"),
            url="https://itunes.apple.com/us/review?id=93",
            language="en",
        ),
    )
    assert got.complete
    assert (got.seen, got.requests, got.cause) == (1, 1, "")
    assert there.targets == ["/us/rss/customerreviews/id=931/sortBy=mostRecent/page=1/json"]


async def test_ten_pages_and_no_more(client):
    got, there = await collect(client, AppStore(range(700)))
    assert [review.id for review in got.reviews] == [f"119{number:08}" for number in range(500)]
    assert len(there.requests) == 10
    assert got.complete


async def test_the_last_page_that_the_feed_announces_is_the_end(client):
    got, there = await collect(client, AppStore(range(101)))
    assert (len(got.reviews), len(there.requests), got.complete) == (101, 3, True)


async def test_reviews_that_come_on_two_pages_count_once(client):
    got, _ = await collect(client, AppStore([*range(50), *range(40, 90)]))
    assert (len(got.reviews), got.seen) == (90, 100)


async def test_the_app_itself_is_no_review(client):
    store = AppStore([1, 2])
    of_app = {"im:name": {"label": "Acme"}, "id": {"label": "https://itunes.apple.com/app"}, "title": {"label": "Acme"}}
    store.broken[1] = response(store.feed([of_app, store.entry(1), "x", None, {"im:rating": {"label": "9"}}], 1))
    got, _ = await collect(client, store)
    assert [review.id for review in got.reviews] == ["11900000001"]


async def test_an_empty_feed_is_a_fault_and_not_no_reviews(client):
    got, there = await collect(client, AppStore([]))
    assert (got.cause, got.complete, got.reviews) == ("empty_answer", False, ())
    assert "page 1 of the feed is empty" in got.detail
    # It was asked for under its other address too, and neither is kept.
    assert there.targets[1] == "/us/rss/customerreviews/page=1/id=931/sortby=mostrecent/json"
    async with site(AppStore([1])) as other, client(other.base) as asking:
        assert len((await apple.collect(asking, "acme", "931")).reviews) == 1


async def test_the_other_address_helps_where_the_first_is_empty(client):
    store = AppStore(range(60))
    store.broken[1] = response(store.feed(None, 1))
    got, there = await collect(client, store)
    assert (len(got.reviews), got.complete, len(there.requests)) == (60, True, 3)


async def test_a_page_that_is_announced_and_empty_is_a_fault_that_keeps_what_came_before(client):
    store = AppStore(range(200))
    store.broken[3] = response(store.feed(None, 4))
    store.alternate = False
    got, _ = await collect(client, store)
    assert (len(got.reviews), got.complete, got.cause) == (100, False, "empty_answer")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (response("<html>Store</html>"), "protocol_error"),
        (response('{"feed": {"entry": ['), "protocol_error"),
        (response({"errors": []}), "protocol_error"),
        (response([]), "protocol_error"),
        (response("", "404 Not Found"), "protocol_error"),
        (response("", "403 Forbidden"), "not_permitted"),
        (response("", "429 Too Many Requests", Retry_After="3600"), "throttled"),
        (response("", "302 Found", Location="https://apps.apple.com/"), "protocol_error"),
    ],
)
async def test_a_fault_on_the_way_keeps_what_came_before(client, answer, cause):
    store = AppStore(range(150))
    store.broken[2] = answer
    got, _ = await collect(client, store)
    assert (len(got.reviews), got.complete, got.cause) == (50, False, cause)
    assert got.detail.startswith("us: ")


async def test_strange_entries_do_no_harm(client):
    store = AppStore([1])
    long = {"content": {"label": "x" * 90_000}, "updated": {"label": "yesterday"}, "link": [], "author": None}
    script = {"attributes": {"href": "javascript:alert(1)"}}
    strange = [
        {**store.entry(2), "id": {"label": 5}},
        {**store.entry(3), "im:rating": {"label": ["5"]}},
        {**store.entry(4), **long},
        {**store.entry(5), "link": script, "updated": {"label": "0001-01-01T00:00:00+14:00"}},
    ]
    store.broken[1] = response(store.feed([store.entry(1), *strange], 1))
    got, _ = await collect(client, store)
    assert [review.id[-1] for review in got.reviews] == ["1", "4", "5"]
    four, five = got.reviews[1:]
    assert (four.written, four.author, len(four.text)) == ("", "", 20_000)
    assert five.url == "https://apps.apple.com/us/app/id931?see-all=reviews"
    assert five.written == ""


async def test_since_and_limit(client):
    since = datetime(2026, 9, 27, tzinfo=UTC)  # numbers 0 to 199 are from the 27th and 28th
    got, there = await collect(client, AppStore(range(500)), since=since)
    assert (len(got.reviews), got.complete, len(there.requests)) == (200, True, 5)
    got, there = await collect(client, AppStore(range(500)), limit=70)
    assert (len(got.reviews), got.complete, got.cause, len(there.requests)) == (70, False, "", 2)


async def test_one_old_review_among_new_ones_is_not_the_end(client):
    store = AppStore([0, 450, *range(1, 99)])  # 450 is older, whatever order the feed keeps
    got, _ = await collect(client, store, since=datetime(2026, 9, 28, tzinfo=UTC))
    assert (len(got.reviews), got.complete) == (99, True)


async def test_one_countrys_fault_keeps_nobody_from_the_next(client):
    got, _ = await collect(client, AppStore(range(10), "gb"), countries=("us", "gb"))
    assert (len(got.reviews), got.cause, got.complete) == (10, "empty_answer", False)
    assert got.detail.startswith("us: ")


@pytest.mark.parametrize(("country", "language"), [("gb", "en"), ("at", "de"), ("br", "pt"), ("ch", "und")])
async def test_the_language_is_that_of_the_store(client, country, language):
    got, _ = await collect(client, AppStore([1], country), countries=(country,))
    assert [review.language for review in got.reviews] == [language]


@pytest.mark.parametrize(("app", "country"), [("com.acme", "us"), ("931/../x", "us"), ("931", "USA"), ("931", "u/")])
async def test_what_cannot_be_an_app_or_a_country_is_never_asked_for(client, app, country):
    async with site(AppStore([1])) as there, client(there.base) as asking:
        with pytest.raises(ValueError, match="an app has a number"):
            await apple.collect(asking, "acme", app, countries=(country,))
    assert there.requests == []


CHILD = """
import asyncio, sys
from pathlib import Path
from mailrubric.reviews.collectors import apple
from mailrubric.reviews.collectors.client import Cache, Client, Limits

async def main():
    async with Client(sys.argv[1], Cache(Path(sys.argv[2])), Limits(spacing=0), allow_private=True) as client:
        await apple.collect(client, "acme", "931")

asyncio.run(main())
"""


async def test_a_collection_that_was_killed_goes_on_where_it_was(client, tmp_path):
    store, reached = AppStore(range(300)), asyncio.Event()

    def answer(request):
        if not reached.is_set() and "page=4" in request.target:
            reached.set()
            return wait
        return store(request)

    async def wait(_) -> None:
        await asyncio.sleep(60)

    async with site(answer) as there:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, there.base, tmp_path / "collected")
        await asyncio.wait_for(reached.wait(), 60)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        assert len(there.requests) == 4
        async with client(there.base) as asking:
            got = await apple.collect(asking, "acme", "931")
    assert (len(got.reviews), got.complete, got.cached, got.requests) == (300, True, 3, 3)
    assert [target.split("page=")[1] for target in there.targets[4:]] == ["4/json", "5/json", "6/json"]
