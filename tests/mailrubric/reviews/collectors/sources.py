"""The sources as they answer: the App Store's feed, Algolia's search of Hacker News, the API of Stack Exchange and the
review pages of Google Play, each over reviews that a test makes up."""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from collections.abc import Sequence
from typing import Any

from tests.mailrubric.reviews.collectors.server import Request, response

NOW = 1_790_000_000  # 2026-09-21
HOUR = 3600


def label(text: str, **attributes: str) -> dict[str, Any]:
    return {"label": text, **({"attributes": attributes} if attributes else {})}


class AppStore:
    """50 reviews a page, ten pages a country, the newest first."""

    def __init__(self, numbers: Sequence[int], country: str = "us", size: int = 50) -> None:
        self.numbers = list(numbers)
        self.country = country
        self.size = size
        self.broken: dict[int, bytes] = {}
        self.alternate = True

    def entry(self, number: int) -> dict[str, Any]:
        return {
            "author": {
                "uri": label(f"https://itunes.apple.com/{self.country}/reviews/id{number}"),
                "name": label(f"Writer{number}"),
                "label": "",
            },
            "updated": label(f"2026-09-{28 - number // 100:02}T07:21:{number % 60:02}-07:00"),
            "im:rating": label(str(1 + number % 5)),
            "im:version": label("9.4.1"),
            "id": label(f"119{number:08}"),
            "title": label(f"Title {number} <b>"),
            "content": label(f"Text of review {number} & so on\nsecond line", type="text"),
            "link": {"attributes": {"rel": "related", "href": f"https://itunes.apple.com/{self.country}/review?id=93"}},
            "im:voteSum": label("0"),
            "im:contentType": {"attributes": {"term": "Application", "label": "Application"}},
            "im:voteCount": label("0"),
        }

    def feed(self, entries: Any, last: int) -> dict[str, Any]:
        base = f"https://itunes.apple.com/{self.country}/rss/customerreviews"
        feed: dict[str, Any] = {
            "author": {"name": label("iTunes Store"), "uri": label("http://www.apple.com/itunes/")},
            "entry": entries,
            "updated": label("2026-09-30T01:00:00-07:00"),
            "rights": label("Copyright 2008 Apple Inc."),
            "title": label("iTunes Store: Customer Reviews"),
            "icon": label("http://itunes.apple.com/favicon.ico"),
            "link": [
                {"attributes": {"rel": "alternate", "type": "text/html", "href": "https://apps.apple.com/x"}},
                {"attributes": {"rel": "self", "href": f"{base}/id=931/sortBy=mostRecent/page=1/json"}},
                {"attributes": {"rel": "first", "href": f"{base}/page=1/id=931/sortby=mostrecent/xml?urlDesc=/x"}},
                {"attributes": {"rel": "last", "href": f"{base}/page={last}/id=931/sortby=mostrecent/xml?urlDesc=/x"}},
            ],
            "id": label("https://itunes.apple.com/x"),
        }
        if entries is None:
            del feed["entry"]
        return {"feed": feed}

    def __call__(self, request: Request) -> bytes:
        found = re.fullmatch(
            r"/(\w\w)/rss/customerreviews/(?:id=931/sortBy=mostRecent/page=(\d+)|page=(\d+)/id=931/sortby=mostrecent)/json",
            request.path,
        )
        if found is None:
            return response("", "404 Not Found")
        page = int(found[2] or found[3])
        if page in self.broken and (found[2] or not self.alternate):
            return self.broken[page]
        last = max(1, min(10, -(-len(self.numbers) // self.size)))
        some = self.numbers[(page - 1) * self.size : page * self.size] if page <= 10 else []
        entries: Any = [self.entry(number) for number in some]
        if not entries:
            entries = None
        elif len(entries) == 1:
            entries = entries[0]  # the feed has no list for one
        if found[1] != self.country:
            entries, last = None, 1
        return response(self.feed(entries, last), Content_Type="text/javascript; charset=utf-8")


class Algolia:
    """Posts by (number, unix time, HTML); 1,000 hits a query at most."""

    def __init__(self, posts: Sequence[tuple[int, int, str]], **more: Any) -> None:
        self.posts = sorted(posts, key=lambda post: -post[1])
        self.more = more

    def hit(self, number: int, when: int, text: str) -> dict[str, Any]:
        return {
            "_highlightResult": {"author": {"matchLevel": "none", "matchedWords": [], "value": f"user{number}"}},
            "_tags": ["comment", f"author_user{number}", "story_1"],
            "author": f"user{number}",
            "comment_text": text,
            "created_at": "2026-01-01T00:00:00Z",
            "created_at_i": when,
            "objectID": str(number),
            "parent_id": 1,
            "story_id": 1,
            "story_title": "Ask HN: which email provider?",
            "story_url": None,
            **self.more,
        }

    def __call__(self, request: Request) -> bytes:
        asked = request.parameters
        assert request.path == "/api/v1/search_by_date"
        assert asked["tags"] == "(comment,story)"
        found = [post for post in self.posts if asked["query"].strip('"').lower() in post[2].lower()]
        for condition in filter(None, asked.get("numericFilters", "").split(",")):
            matched = re.fullmatch(r"created_at_i(>=|<=)(\d+)", condition)
            assert matched is not None
            limit = int(matched[2])
            found = [post for post in found if (post[1] >= limit if matched[1] == ">=" else post[1] <= limit)]
        size, page = int(asked["hitsPerPage"]), int(asked["page"])
        reachable = found[:1000]  # paginationLimitedTo
        hits = reachable[page * size : (page + 1) * size]
        return response(
            {
                "exhaustive": {"nbHits": True, "typo": True},
                "exhaustiveNbHits": True,
                "exhaustiveTypo": True,
                "hits": [self.hit(*post) for post in hits],
                "hitsPerPage": size,
                "nbHits": len(found),
                "nbPages": -(-len(reachable) // size),
                "page": page,
                "params": "advancedSyntax=true&analyticsTags=backend",
                "processingTimeMS": 5,
                "query": asked["query"],
                "serverTimeMS": 6,
            }
        )


class StackExchange:
    """Questions by (number, unix time, answers to it); no page above 25 without a key, a quota for the day."""

    def __init__(self, questions: Sequence[tuple[int, int, Sequence[int]]], quota: int = 300) -> None:
        self.questions = sorted(questions, key=lambda question: -question[1])
        self.quota = quota
        self.backoff: dict[int, int] = {}
        """Number of the request, from 1 → what it says."""
        self.count = 0

    def question(self, number: int, when: int, answers: Sequence[int]) -> dict[str, Any]:
        return {
            "tags": ["acme"],
            "owner": {
                "account_id": 1,
                "reputation": 21,
                "user_id": number,
                "user_type": "registered",
                "display_name": f"user {number}",
                "link": f"https://stackoverflow.com/users/{number}/user",
            },
            "is_answered": bool(answers),
            "view_count": 7,
            "answer_count": len(answers),
            "score": 0,
            "last_activity_date": when,
            "creation_date": when,
            "question_id": number,
            "content_license": "CC BY-SA 4.0",
            "link": f"https://stackoverflow.com/questions/{number}/acme-isn-t-sending",
            "title": f"Acme isn&#39;t sending {number} &lt;mails&gt;",
            "body": f"<p>It is {html.escape('<slow>')} &amp; bad, {number}.</p>\n"
            "<pre><code>acme.send()\n</code></pre>\n<p>Why?</p>",
        }

    def answer(self, number: int, question: int, when: int) -> dict[str, Any]:
        return {
            "owner": {"user_type": "does_not_exist", "display_name": "gone"},
            "is_accepted": False,
            "score": 1,
            "last_activity_date": when,
            "creation_date": when,
            "answer_id": number,
            "question_id": question,
            "content_license": "CC BY-SA 4.0",
            "body": f"<p>Works great for me, {number}.</p>",
        }

    def __call__(self, request: Request) -> bytes:
        self.count += 1
        asked = request.parameters
        if self.quota <= 0:
            message = "too many requests from this IP, more requests available in 79183 seconds"
            return self._error(502, "throttle_violation", message)
        self.quota -= 1
        page, size = int(asked["page"]), int(asked["pagesize"])
        if page > 25:
            return self._error(403, "access_denied", "page above 25 requires access token or app key")
        first, last = int(asked.get("fromdate", 0)), int(asked.get("todate", 1 << 40))
        assert asked["site"] == "stackoverflow"
        assert asked["filter"] == "withbody"
        if request.path == "/2.3/questions":
            known = [each for each in self.questions if asked["tagged"] == "acme" and first <= each[1] <= last]
            items = [self.question(*each) for each in known]
        else:
            found = re.fullmatch(r"/2\.3/questions/([\d;]+)/answers", urllib.parse.unquote(request.path))
            assert found is not None
            ids = {int(each) for each in found[1].split(";")}
            assert len(ids) <= 100
            items = [
                self.answer(number, question, when + 60)
                for question, when, answers in self.questions
                for number in answers
                if question in ids
            ]
        some = items[(page - 1) * size : page * size]
        more = page * size < len(items)
        wrapper = {"items": some, "has_more": more, "quota_max": 300, "quota_remaining": self.quota}
        if self.count in self.backoff:
            wrapper["backoff"] = self.backoff[self.count]
        return response(wrapper, Content_Type="application/json; charset=utf-8")

    def _error(self, number: int, name: str, message: str) -> bytes:
        return response({"error_id": number, "error_message": message, "error_name": name}, "400 Bad Request")


class Play:
    """The answers of the store's batchexecute: pages of reviews by number, each with the token of the next."""

    def __init__(self, pages: Sequence[Sequence[int]], tokens: Sequence[str | None] | None = None) -> None:
        self.pages = pages
        following = [f"Cm{page}_-token=" for page in range(1, len(pages))]
        self.tokens = list(tokens) if tokens is not None else [*following, None]

    def review(self, number: int) -> list[Any]:
        person = [f"Given{number} Family{number}", [None, 2, None, [None, None, "https://play-lh.example/a"]]]
        when = [NOW - number * HOUR, 123_000_000]
        return [
            f"uuid-{number}",
            person,
            1 + number % 5,
            None,
            f"Text {number} & <b>",
            when,
            number,
            None,
            None,
            None,
            "9",
        ]

    def __call__(self, request: Request) -> bytes:
        assert request.method == "POST"
        assert request.path == "/_/PlayStoreUi/data/batchexecute"
        form = urllib.parse.parse_qs(request.body.decode())["f.req"][0]
        inner = json.loads(json.loads(form)[0][0][1])
        assert inner[2][0] == "com.acme.mail"
        asked = inner[1][2]  # [count] or [count, null, token]
        page = 0 if len(asked) == 1 else [None, *self.tokens].index(asked[2])
        reviews: list[Any] = [self.review(number) for number in self.pages[page]]
        body = [reviews, [None, self.tokens[page]], None] if reviews else []
        return self.wrap(json.dumps(body))

    def wrap(self, text: str | None, error: list[Any] | None = None) -> bytes:
        outer = [["wrb.fr", "oCPfdb", text, None, None, error, "generic"], ["di", 42], ["af.httprm", 42, "1", 3]]
        return response(")]}'\n\n" + json.dumps(outer), Content_Type="application/json; charset=utf-8")
