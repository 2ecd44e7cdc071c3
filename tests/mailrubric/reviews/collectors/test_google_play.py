from __future__ import annotations

import json
import ssl
import sys
from datetime import UTC, datetime

import pytest

from mailrubric.reviews.authors import person_hash
from mailrubric.reviews.collectors import google_play
from mailrubric.reviews.review import Review
from tests.mailrubric.reviews.collectors.server import response, site
from tests.mailrubric.reviews.collectors.sources import HOUR, NOW, Play

pytestmark = pytest.mark.usefixtures("google_play_scraper")


async def collect(client, store, app="com.acme.mail", **more):
    async with site(store) as there, client(there.base) as asking:
        return await google_play.collect(asking, "acme", app, **more), there


async def test_a_review_as_it_stands_there(client):
    got, there = await collect(client, Play([[3]]))
    assert got.reviews == (
        Review(
            "acme",
            "google_play",
            "uuid-3",
            written="2026-09-21T11:13:20Z",
            rating=4.0,
            text="Text 3 & <b>",
            author=person_hash("google_play", "Given3 Family3"),
            url="https://play.google.com/store/apps/details?id=com.acme.mail&reviewId=uuid-3",
            language="en",
        ),
    )
    assert got.complete
    (request,) = there.requests
    assert request.parameters == {"hl": "en", "gl": "us"}
    assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")


async def test_page_after_page_until_there_is_no_token(client):
    got, there = await collect(client, Play([range(200), range(200, 400), range(400, 450)]))
    assert (len(got.reviews), got.complete, len(there.requests)) == (450, True, 3)


async def test_reviews_that_come_twice_count_once(client):
    got, _ = await collect(client, Play([range(200), range(150, 350)]))
    assert (len(got.reviews), got.seen, got.complete) == (350, 400, True)


async def test_a_store_that_repeats_itself_is_left(client):
    got, there = await collect(client, Play([range(10), range(10)], ["T", "T"]))
    assert (len(got.reviews), got.cause, got.complete, len(there.requests)) == (10, "protocol_error", False, 2)
    assert "again and again" in got.detail


async def test_tokens_that_stop_early_are_no_end(client):
    got, _ = await collect(client, Play([range(200), []]))
    assert (len(got.reviews), got.cause, got.complete) == (200, "empty_answer", False)
    assert "stopped after 200" in got.detail


async def test_no_review_at_all_is_an_empty_answer(client):
    for nothing in (Play([[]]), lambda _: Play([]).wrap(None, [5])):
        got, _ = await collect(client, nothing)
        assert (got.cause, got.complete) == ("empty_answer", False)


async def test_since_and_limit(client):
    pages = [range(100), range(100, 200), range(200, 300)]
    got, there = await collect(client, Play(pages), since=datetime.fromtimestamp(NOW - 49 * HOUR, UTC))
    assert (len(got.reviews), got.complete, len(there.requests)) == (50, True, 2)
    got, there = await collect(client, Play(pages), limit=20)
    assert (len(got.reviews), got.complete, len(there.requests)) == (20, False, 1)


async def test_the_store_that_wants_to_be_left_alone(client, waits):
    error = [8, None, [["type.googleapis.com/com.google.play.gateway.proto.PlayGatewayError", [2]]]]
    got, there = await collect(client, lambda _: Play([]).wrap(None, error))
    assert (got.cause, len(there.requests)) == ("throttled", 3)
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (response("<html>consent</html>"), "protocol_error"),
        (response(")]}'\n\n[["), "protocol_error"),
        (response(")]}'\n\n{}"), "protocol_error"),
        (Play([]).wrap("{}"), "protocol_error"),
        (Play([]).wrap(json.dumps([["not a review"], [None, "t"], None])), "protocol_error"),
        (Play([]).wrap(json.dumps([[["id", ["n"], 5, None, "t"]], [None, '"]]%22'], None])), "protocol_error"),
        (Play([]).wrap(json.dumps([[[["id"], ["n"], 5, None, "t"]], None, None])), "protocol_error"),
        (Play([]).wrap(json.dumps({"a": 1})), "protocol_error"),
        (response("", "404 Not Found"), "protocol_error"),
        (response("", "302 Found", Location="https://consent.google.example/"), "protocol_error"),
        (response("", "429 Too Many Requests", Retry_After="999"), "throttled"),
    ],
)
async def test_what_is_no_answer_of_the_store(client, answer, cause):
    got, _ = await collect(client, lambda _: answer)
    assert (got.cause, got.complete, got.reviews) == (cause, False, ())


async def test_reviews_without_text_stars_or_time(client):
    bare = [["a"], ["b", None, 9, None, None, "now"], ["c", ["A Google user"], 0, None, "text", [None]]]
    got, _ = await collect(client, lambda _: Play([]).wrap(json.dumps([bare, None, None])))
    assert [(each.id, each.rating, each.text, each.written, each.author) for each in got.reviews] == [
        ("a", None, "", "", ""),
        ("b", None, "", "", ""),
        ("c", None, "text", "", ""),
    ]


async def test_without_the_package_the_cause_says_what_to_install(client, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "google_play_scraper"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "google_play_scraper", None)
    got, there = await collect(client, Play([[1]]))
    assert (got.cause, got.complete, there.requests) == ("not_installed", False, [])
    assert "pip install mailrubric[google-play]" in got.detail


async def test_the_package_does_not_switch_off_the_checking_of_certificates(client, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "google_play_scraper"]:
        monkeypatch.delitem(sys.modules, name)
    before = ssl._create_default_https_context
    await collect(client, Play([[1]]))
    assert "google_play_scraper.utils.request" in sys.modules  # what switches it off was imported
    assert ssl._create_default_https_context is before
    assert ssl._create_default_https_context is not ssl._create_unverified_context


@pytest.mark.parametrize(
    ("app", "more"),
    [("acme", {}), ('com.a"]', {}), ("com.acme.mail", {"country": "USA"}), ("com.a", {"language": "e"})],
)
async def test_what_cannot_be_an_app_is_never_asked_for(client, app, more):
    async with site(Play([[1]])) as there, client(there.base) as asking:
        with pytest.raises(ValueError, match="such as"):
            await google_play.collect(asking, "acme", app, **more)
    assert there.requests == []
