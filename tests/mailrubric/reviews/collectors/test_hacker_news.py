from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailrubric.reviews.authors import author_hash
from mailrubric.reviews.collectors import hacker_news
from mailrubric.reviews.review import Review
from tests.mailrubric.reviews.collectors.server import response, site
from tests.mailrubric.reviews.collectors.sources import HOUR, NOW, Algolia


async def collect(client, search, names=("Acme",), **more):
    async with site(search) as there, client(there.base) as asking:
        return await hacker_news.collect(asking, "acme", names, **more), there


async def test_a_comment_as_it_stands_there(client):
    got, there = await collect(client, Algolia([(42, NOW, "Acme&#x27;s SMTP<p>is <i>fast</i>")]))
    assert got.reviews == (
        Review(
            "acme",
            "hacker_news",
            "42",
            written="2026-09-21T14:13:20Z",
            title="Ask HN: which email provider?",
            text="Acme's SMTP\n\nis fast",
            author=author_hash("hacker_news", "user42"),
            url="https://news.ycombinator.com/item?id=42",
            language="en",
        ),
    )
    asked = there.requests[0].parameters
    assert (asked["query"], asked["typoTolerance"], asked["page"]) == ("Acme", "false", "0")
    assert "numericFilters" not in asked


async def test_a_name_of_several_words_is_searched_as_one(client):
    _, there = await collect(client, Algolia([]), ["Acme Mail", "Acme"])
    assert [request.parameters["query"] for request in there.requests] == ['"Acme Mail"', "Acme"]


async def test_what_is_about_something_else_is_left_out(client):
    posts = [
        (1, NOW, "Acme email is good"),
        (2, NOW, "acmeology of email"),
        (3, NOW, "road runner bought from acme"),
        (4, NOW, ""),
    ]
    got, _ = await collect(client, Algolia(posts, story_title="Cartoons"))
    assert ([review.id for review in got.reviews], got.seen, got.complete) == (["1"], 3, True)
    got, _ = await collect(client, Algolia(posts, story_title="Cartoons"), context=(), exact=False)
    assert [review.id for review in got.reviews] == ["1", "3"]
    got, _ = await collect(client, Algolia(posts, story_title="Cartoons"), context=(), exact=True)
    assert [review.id for review in got.reviews] == ["1"]


@pytest.mark.parametrize("count", [99, 100, 999, 1000, 1001, 2500])
async def test_more_than_a_thousand_hits_are_had_by_slices_of_time(client, count):
    posts = [(number, NOW - number * HOUR, f"Acme mail {number}") for number in range(count)]
    got, there = await collect(client, Algolia(posts), limit=10_000)
    assert [review.id for review in got.reviews] == [str(number) for number in range(count)]
    assert got.complete
    assert all(int(request.parameters["page"]) < 10 for request in there.requests)


async def test_a_slice_may_end_in_the_middle_of_a_second(client):
    posts = [(number, NOW - number // 3, f"Acme mail {number}") for number in range(2500)]
    got, _ = await collect(client, Algolia(posts), limit=10_000)
    assert {review.id for review in got.reviews} == {str(number) for number in range(2500)}


async def test_a_thousand_posts_of_one_second_end_nothing(client):
    posts = [(number, NOW, f"Acme mail {number}") for number in range(1000)]
    posts += [(5000, NOW - HOUR, "Acme mail"), (5001, NOW + HOUR, "Acme mail")]
    got, _ = await collect(client, Algolia(posts), limit=10_000)
    assert {"5000", "5001"} < {review.id for review in got.reviews}
    assert len(got.reviews) >= 1001


async def test_since_is_asked_for(client):
    posts = [(number, NOW - number * HOUR, "Acme mail") for number in range(50)]
    got, there = await collect(client, Algolia(posts), since=datetime.fromtimestamp(NOW - 9 * HOUR, UTC))
    assert len(got.reviews) == 10
    assert there.requests[0].parameters["numericFilters"] == f"created_at_i>={NOW - 9 * HOUR}"


async def test_the_limit_ends_the_search(client):
    posts = [(number, NOW - number * HOUR, "Acme mail") for number in range(500)]
    got, there = await collect(client, Algolia(posts), limit=150)
    assert (len(got.reviews), got.complete, got.cause, len(there.requests)) == (150, False, "", 2)


async def test_nothing_at_all_is_an_empty_answer_but_nothing_new_is_none(client):
    got, _ = await collect(client, Algolia([]))
    assert (got.cause, got.complete) == ("empty_answer", False)
    assert "Acme" in got.detail
    got, _ = await collect(client, Algolia([]), since=datetime(2026, 1, 1, tzinfo=UTC))
    assert (got.cause, got.complete) == ("", True)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (response({"status": 400, "error": "invalid"}), "protocol_error"),
        (response({"hits": [], "nbHits": "many"}), "protocol_error"),
        (response("<html>"), "protocol_error"),
        (response("", "503 Service Unavailable", Retry_After="900"), "throttled"),
    ],
)
async def test_a_fault_on_the_way_keeps_what_came_before(client, answer, cause):
    search = Algolia([(number, NOW - number, "Acme mail") for number in range(300)])
    got, _ = await collect(client, lambda request: answer if "page=2" in request.target else search(request))
    assert (len(got.reviews), got.complete, got.cause) == (200, False, cause)


async def test_strange_hits_do_no_harm(client):
    hits = [None, "x", {}, {"objectID": 7}, {"objectID": "../8", "comment_text": "Acme mail"}]
    hits += [{"objectID": "9", "comment_text": "Acme mail", "created_at_i": "now", "author": None}]
    got, _ = await collect(client, lambda _: response({"hits": hits, "nbHits": 6}))
    assert [(review.id, review.written, review.author) for review in got.reviews] == [("9", "", "")]


async def test_a_second_collection_of_the_day_asks_nobody(client):
    posts = [(number, NOW - number * HOUR, "Acme mail") for number in range(1500)]
    async with site(Algolia(posts)) as there:
        async with client(there.base) as asking:
            first = await hacker_news.collect(asking, "acme", ["Acme"], limit=9999)
        asked = len(there.requests)
        async with client(there.base) as asking:
            second = await hacker_news.collect(asking, "acme", ["Acme"], limit=9999)
    assert second.reviews == first.reviews
    assert (len(there.requests), second.requests, second.cached) == (asked, 0, asked)


async def test_without_a_name_nobody_is_asked(client):
    async with site(Algolia([])) as there, client(there.base) as asking:
        with pytest.raises(ValueError, match="no name"):
            await hacker_news.collect(asking, "acme", ["", "  "])
    assert there.requests == []
