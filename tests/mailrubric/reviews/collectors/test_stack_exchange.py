from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailrubric.reviews.authors import author_hash
from mailrubric.reviews.collectors import stack_exchange
from mailrubric.reviews.review import Review
from tests.mailrubric.reviews.collectors.server import response, site
from tests.mailrubric.reviews.collectors.sources import HOUR, NOW, StackExchange


async def collect(client, api, **more):
    async with site(api) as there, client(there.base) as asking:
        return await stack_exchange.collect(asking, "acme", "stackoverflow", "acme", **more), there


async def test_a_question_and_its_answer_as_they_stand_there(client):
    got, there = await collect(client, StackExchange([(7, NOW, [8])]))
    assert got.reviews == (
        Review(
            "acme",
            "stack_exchange",
            "stackoverflow-7",
            written="2026-09-21T14:13:20Z",
            title="Acme isn't sending 7 <mails>",
            text="It is <slow> & bad, 7.\n\nWhy?",
            author=author_hash("stack_exchange", "stackoverflow/7"),
            url="https://stackoverflow.com/questions/7/acme-isn-t-sending",
            language="en",
        ),
        Review(
            "acme",
            "stack_exchange",
            "stackoverflow-8",
            written="2026-09-21T14:14:20Z",
            title="Acme isn't sending 7 <mails>",
            text="Works great for me, 8.",
            author=author_hash("stack_exchange", "stackoverflow/gone"),
            url="https://stackoverflow.com/a/8",  # leads to the post, its author and its licence
            language="en",
        ),
    )
    assert (got.complete, got.seen, got.requests) == (True, 2, 2)
    assert there.requests[0].parameters["pagesize"] == "100"


async def test_questions_without_answers_cost_no_request(client):
    got, there = await collect(client, StackExchange([(number, NOW - number, []) for number in range(150)]))
    assert (len(got.reviews), len(there.requests)) == (150, 2)


async def test_answers_of_many_questions_by_pages(client):
    questions = [(number, NOW - number, [1000 + 2 * number, 1001 + 2 * number]) for number in range(1, 101)]
    got, there = await collect(client, StackExchange(questions))
    assert (len(got.reviews), len(there.requests), got.complete) == (300, 3, True)


async def test_beyond_page_25_by_slices_of_time(client):
    questions = [(number, NOW - number * HOUR, []) for number in range(1, 2701)]
    got, there = await collect(client, StackExchange(questions), limit=10_000)
    assert (len(got.reviews), got.complete) == (2700, True)
    assert max(int(request.parameters["page"]) for request in there.requests) == 25
    assert there.requests[25].parameters["todate"] == str(NOW - 2500 * HOUR)


async def test_a_slice_may_end_in_the_middle_of_a_second(client):
    questions = [(number, NOW - number // 3, []) for number in range(1, 2701)]
    got, _ = await collect(client, StackExchange(questions), limit=10_000)
    assert len(got.reviews) == 2700


async def test_backoff_is_obeyed(client, waits):
    api = StackExchange([(number, NOW - number, []) for number in range(250)])
    api.backoff = {1: 10, 2: 30}
    got, _ = await collect(client, api)
    assert len(got.reviews) == 250
    assert [round(each, -1) for each in waits] == [10, 30]


async def test_a_backoff_longer_than_we_wait_keeps_what_came_with_it(client, waits):
    api = StackExchange([(number, NOW - number, []) for number in range(250)])
    api.backoff = {1: 3600}
    got, there = await collect(client, api)
    assert (len(got.reviews), got.cause, got.complete, len(there.requests)) == (100, "throttled", False, 1)
    assert waits == []


async def test_a_backoff_in_a_kept_answer_holds_nobody_back(client, waits):
    api = StackExchange([(1, NOW, [])])
    api.backoff = {1: 10}
    async with site(api) as there:
        for _ in range(2):
            async with client(there.base) as asking:
                got = await stack_exchange.collect(asking, "acme", "stackoverflow", "acme")
    assert (got.cached, got.complete, len(there.requests), waits) == (1, True, 1, [])


async def test_the_quota_ends_it_and_tomorrow_it_goes_on(client):
    api = StackExchange([(number, NOW - number, []) for number in range(450)], quota=3)
    async with site(api) as there:
        async with client(there.base) as asking:
            first = await stack_exchange.collect(asking, "acme", "stackoverflow", "acme")
        assert (len(first.reviews), first.cause, first.complete) == (300, "throttled", False)
        assert "quota" in first.detail
        assert len(there.requests) == 3
        api.quota = 300
        async with client(there.base) as asking:
            second = await stack_exchange.collect(asking, "acme", "stackoverflow", "acme")
    assert (len(second.reviews), second.complete, second.cached, second.requests) == (450, True, 3, 2)


async def test_a_violation_of_the_throttle_is_left_alone_for_as_long_as_it_says(client, waits):
    got, there = await collect(client, StackExchange([(1, NOW, [])], quota=0))
    assert (got.cause, len(there.requests), waits) == ("throttled", 1, [])
    assert "79183 s" in got.detail


async def test_a_short_violation_is_waited_for(client, waits):
    api, said = StackExchange([(1, NOW, [])]), []

    def answer(request):
        if not said:
            said.append(1)
            message = "too many requests from this IP, more requests available in 7 seconds"
            error = {"error_id": 502, "error_name": "throttle_violation", "error_message": message}
            return response(error, "502 Bad Gateway")
        return api(request)

    got, _ = await collect(client, answer)
    assert (len(got.reviews), got.complete) == (1, True)
    assert round(waits[0]) == 7


@pytest.mark.parametrize(
    ("answer", "cause", "detail"),
    [
        (
            response({"error_id": 400, "error_name": "bad_parameter", "error_message": "site\x1b"}, "400 Bad Request"),
            "protocol_error",
            "bad_parameter: site\\x1b",
        ),
        (
            response({"error_id": 403, "error_name": "access_denied", "error_message": "key"}, "400 Bad Request"),
            "not_permitted",
            "access_denied",
        ),
        (response("<html>", "502 Bad Gateway"), "protocol_error", "a page for people"),
        (response({"items": {}, "has_more": False}), "protocol_error", "no answer of the API"),
        (response({"items": []}), "protocol_error", "no answer of the API"),
        (response("", "503 Service Unavailable", Retry_After="999"), "throttled", "999"),
    ],
)
async def test_a_fault_on_the_way_keeps_what_came_before(client, answer, cause, detail):
    api = StackExchange([(number, NOW - number, []) for number in range(250)])
    got, _ = await collect(client, lambda request: answer if "&page=2" in request.target else api(request))
    assert (len(got.reviews), got.complete, got.cause) == (100, False, cause)
    assert detail in got.detail


async def test_since_and_limit(client):
    questions = [(number, NOW - number * HOUR, []) for number in range(500)]
    got, there = await collect(client, StackExchange(questions), since=datetime.fromtimestamp(NOW - 49 * HOUR, UTC))
    assert (len(got.reviews), got.complete) == (50, True)
    assert there.requests[0].parameters["fromdate"] == str(NOW - 49 * HOUR)
    got, there = await collect(client, StackExchange(questions), limit=120)
    assert (len(got.reviews), got.complete, len(there.requests)) == (120, False, 2)


async def test_an_unknown_tag_is_an_empty_answer(client):
    got, _ = await collect(client, StackExchange([]))
    assert (got.cause, got.complete) == ("empty_answer", False)
    got, _ = await collect(client, StackExchange([]), since=datetime(2026, 1, 1, tzinfo=UTC))
    assert (got.cause, got.complete) == ("", True)


async def test_strange_items_and_an_end_that_never_comes(client):
    items = [None, {}, {"question_id": "1;2"}, {"question_id": 5, "answer_count": 1, "body": None}]
    items += [{"question_id": 6, "body": "<p>fine", "link": "javascript:x", "owner": [], "creation_date": 1e300}]

    def answer(request):
        if request.path == "/2.3/questions":
            return response({"items": items if request.parameters["page"] == "1" else [], "has_more": True})
        return response({"items": [{"answer_id": 7, "question_id": [], "body": "<p>ok"}], "has_more": False})

    got, there = await collect(client, answer)
    assert [(review.id, review.url, review.written) for review in got.reviews] == [
        ("stackoverflow-6", "", ""),
        ("stackoverflow-7", "", ""),
    ]
    assert len(there.requests) == 3


@pytest.mark.parametrize(("where", "tag"), [("Stack Overflow", "acme"), ("../x", "acme"), ("stackoverflow", "a;b")])
async def test_what_cannot_be_a_site_or_a_tag_is_never_asked_for(client, where, tag):
    async with site(StackExchange([])) as there, client(there.base) as asking:
        with pytest.raises(ValueError, match="a site such as"):
            await stack_exchange.collect(asking, "acme", where, tag)
    assert there.requests == []


async def test_sites_in_other_languages(client):
    api = StackExchange([(1, NOW, [])])

    def answer(request):
        question = api.question(1, NOW, [])
        return response({"items": [question], "has_more": False, "quota_remaining": 5})

    async with site(answer) as there, client(there.base) as asking:
        got = await stack_exchange.collect(asking, "acme", "pt.stackoverflow", "acme")
    assert [(review.id, review.language) for review in got.reviews] == [("pt.stackoverflow-1", "pt")]
