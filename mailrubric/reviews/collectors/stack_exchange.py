"""Questions and answers from the sites of Stack Exchange, through its API 2.3, without a key.

``https://api.stackexchange.com/2.3``: 300 requests a day for an address, 100 items a page, no page above 25 (what is
older is asked for with ``todate``), and a ``backoff`` in an answer means that many seconds without a further request.
The texts are licensed CC BY-SA: ``url`` leads to the post and to its author, who has to be named wherever a text is
shown publicly; the licence of each post stands there too.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mailrubric.reviews.authors import author_hash
from mailrubric.reviews.collectors.client import (
    DAY,
    KEPT_SECONDS,
    Client,
    NotCollected,
    NothingToAsk,
    TryLater,
    read_json,
)
from mailrubric.reviews.collectors.collected import (
    EMPTY,
    Collected,
    Harvest,
    epoch,
    field,
    from_html,
    unescaped,
    web_link,
)
from mailrubric.reviews.review import Review
from probes.model import Cause
from probes.replies import printable

SOURCE = "stack_exchange"
BASE = "https://api.stackexchange.com"
ITEMS = 100
"""Items a page."""
PAGES = 25
"""The last page that can be had without a key."""

_STATUSES = frozenset({200, 400, 401, 402, 403, 404, 405, 406, 500, 502})
"""Whose bodies are read: an error is JSON too, and says more than its status. (429 and 503 are the client's.)"""


async def collect(
    client: Client, vendor: str, site: str, tag: str, *, since: datetime | None = None, limit: int = 1000
) -> Collected:
    """Questions of a site with this tag, and the answers to them. ``since`` goes by the day of the question: a new
    answer to an older one is not seen. ``NothingToAsk`` for a site or a tag that cannot be one."""
    if not re.fullmatch(r"[a-z][a-z0-9.-]{0,60}", site) or not re.fullmatch(r"[a-z0-9.+#-]{1,60}", tag):
        raise NothingToAsk("a site such as stackoverflow, and a tag in small letters")
    harvest = Harvest(client, SOURCE, f"{site}, tag {tag}", since, limit)
    fault: NotCollected | None = None
    try:
        await _Search(client, harvest, vendor, site, tag).run()
        if not harvest.seen and since is None:
            raise NotCollected(EMPTY, f"{site} has no question with the tag {tag}")
    except NotCollected as reason:
        fault = reason
    return harvest.result(fault)


class _Search:
    def __init__(self, client: Client, harvest: Harvest, vendor: str, site: str, tag: str) -> None:
        self.client = client
        self.harvest = harvest
        self.vendor = vendor
        self.site = site
        self.tag = tag
        self._end: NotCollected | None = None

    async def run(self) -> None:
        """Pages of questions, each followed by the answers to them, window after window into the past."""
        until: int | None = None
        while not self.harvest.full:
            oldest, page = until, 0
            while True:
                page += 1
                questions, more = await self._ask("/2.3/questions", {"tagged": self.tag}, page, until)
                answered = []
                for question in questions[:ITEMS]:
                    when = field(question, "creation_date")
                    if isinstance(when, int) and (oldest is None or when < oldest):
                        oldest = when
                    self._take(question, question)
                    number = field(question, "question_id")
                    if isinstance(number, int) and field(question, "answer_count"):
                        answered.append((number, question))
                await self._answers(dict(answered), until)
                if self.harvest.full or not more or not questions:
                    return
                if page == PAGES:
                    break
            if oldest is None:
                return
            until = oldest if oldest != until else oldest - 1

    async def _answers(self, questions: Mapping[int, Any], until: int | None) -> None:
        """The answers to these questions, at most 100 of them."""
        if not questions or self.harvest.full:
            return
        ids = ";".join(str(number) for number in questions)
        for page in range(1, PAGES + 1):
            answers, more = await self._ask(f"/2.3/questions/{ids}/answers", {}, page, None, closed=until is not None)
            for answer in answers[:ITEMS]:
                number = field(answer, "question_id")
                self._take(answer, questions.get(number) if isinstance(number, int) else None)
            if self.harvest.full or not more or not answers:
                return

    async def _ask(
        self, path: str, what: Mapping[str, str], page: int, until: int | None, closed: bool = False
    ) -> tuple[list[Any], bool]:
        """The items of one page, and whether there are more."""
        if self._end is not None:
            raise self._end
        parameters: dict[str, str | int] = {
            **what,
            "site": self.site,
            "sort": "creation",
            "order": "desc",
            "pagesize": ITEMS,
            "page": page,
            "filter": "withbody",
        }
        if self.harvest.since is not None:
            parameters["fromdate"] = int(self.harvest.since.timestamp())
        if until is not None:
            parameters["todate"] = until
        age = KEPT_SECONDS if until is not None or closed else DAY
        answer = await self.client.ask(path, _wrapper, parameters=parameters, accept=_STATUSES, age=age)
        items, more, backoff, quota = answer.value
        if not answer.cached:
            try:
                self.client.hold(backoff)
            except NotCollected as reason:
                self._end = reason  # what this page holds is taken first
            if quota == 0:
                detail = "the day's quota of requests is used up; what was answered is kept, so go on tomorrow"
                self._end = NotCollected(Cause.THROTTLED, detail)
        return items, more

    def _take(self, item: Any, question: Any) -> None:
        """One question or answer."""
        number = field(item, "answer_id") or field(item, "question_id")
        if not isinstance(number, int):
            return
        identifier = f"{self.site}-{number}"  # questions and answers of a site are numbered together
        if not self.harvest.new(identifier):
            return
        text = from_html(field(item, "body"))
        title = unescaped(field(question, "title"))
        if not text:
            return
        name = field(item, "owner", "user_id") or field(item, "owner", "display_name")
        link = web_link(field(question, "link"))
        host = urllib.parse.urlsplit(link).netloc
        answers = field(item, "answer_id") is not None
        self.harvest.add(
            Review(
                self.vendor,
                SOURCE,
                identifier,
                written=epoch(field(item, "creation_date")),
                title=title,
                text=text,
                author=author_hash(SOURCE, f"{self.site}/{name}") if name else "",
                url=f"https://{host}/a/{number}" if answers and host else link,
                language=_language(self.site),
            )
        )


def _wrapper(body: bytes) -> tuple[list[Any], bool, float, int | None]:
    """Items, whether there are more, seconds of backoff, and what is left of the quota."""
    document = read_json(body)
    error = field(document, "error_name")
    if error is not None or field(document, "error_id") is not None:
        message = printable(str(field(document, "error_message") or ""), 200)
        shown = f"{printable(str(error), 60)}: {message}"
        if error == "throttle_violation":
            found = re.search(r"available in ([0-9]{1,9}) seconds", message)
            raise TryLater(shown, float(found[1]) if found else None)
        if error == "temporarily_unavailable":
            raise TryLater(shown)
        denied = error in ("access_denied", "access_token_required", "key_required")
        raise NotCollected(Cause.NOT_PERMITTED if denied else Cause.PROTOCOL_ERROR, shown)
    items, more = field(document, "items"), field(document, "has_more")
    if not isinstance(items, list) or not isinstance(more, bool):
        raise NotCollected(Cause.PROTOCOL_ERROR, "JSON, but no answer of the API")
    backoff, quota = field(document, "backoff"), field(document, "quota_remaining")
    return (
        items,
        more,
        float(backoff) if isinstance(backoff, int) and backoff > 0 else 0.0,
        quota if isinstance(quota, int) else None,
    )


def _language(site: str) -> str:
    """``pt`` of pt.stackoverflow; the others write English, as far as is known."""
    first, dot, _ = site.partition(".")
    return first if dot and len(first) == 2 else "en"
