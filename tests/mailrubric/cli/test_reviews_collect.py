"""``mailrubric reviews collect`` against servers on loopback that answer as the sources do."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailrubric.evidence.store import Store
from mailrubric.reviews.collectors import everywhere
from mailrubric.reviews.collectors.client import Limits
from tests.mailrubric.reviews.collectors.conftest import google_play_scraper  # noqa: F401 - a fixture
from tests.mailrubric.reviews.collectors.server import Site, response, site
from tests.mailrubric.reviews.collectors.sources import HOUR, NOW, Algolia, AppStore, Play, StackExchange

PROFILE = """\
id: acme
name: Acme
category: mailbox
reviews:
  apple: [{id: '931', source: https://a.example, as_of: 2026}]
  google_play: [{id: com.acme.mail, source: https://a.example, as_of: 2026}]
  stack_exchange: [{tag: acme, source: https://a.example, as_of: 2026}]
"""
BARE = "id: bare\nname: Bare\ncategory: esp\n"

Sources = dict[str, Callable[[Any], Any]]


@contextlib.contextmanager
def served(sources: Sources) -> Iterator[dict[str, Site]]:
    """The sources, each on a port of its own, in a thread."""
    loop, sites = asyncio.new_event_loop(), {}
    stack = contextlib.AsyncExitStack()

    async def start() -> None:
        for name, answer in sources.items():
            sites[name] = await stack.enter_async_context(site(answer))

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield sites
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@pytest.fixture
def sources(request: pytest.FixtureRequest) -> Sources:
    request.getfixturevalue("google_play_scraper")
    posts = [(number, NOW - number * HOUR, f"Acme mail number {number} is fine") for number in range(120)]
    return {
        "apple": AppStore(range(120)),
        "google_play": Play([range(30)]),
        "hacker_news": Algolia(posts),
        "stack_exchange": StackExchange([(number, NOW - number, [900 + number]) for number in range(1, 21)]),
    }


@pytest.fixture
def internet(sources, monkeypatch) -> Iterator[dict[str, Site]]:
    with served(sources) as sites:
        for name, there in sites.items():
            monkeypatch.setitem(everywhere.BASES, name, there.base)
        limits = Limits(connect=10, read=10, request=20, spacing=0, waiting=0, first_wait=0)
        monkeypatch.setattr(everywhere, "LIMITS", limits)
        yield sites


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    (folder / "vendors").mkdir(parents=True)
    (folder / "mailrubric.yaml").write_text("shipped_vendors: false\nallow_private: true\n")
    (folder / "vendors" / "acme.yaml").write_text(PROFILE)
    (folder / "vendors" / "bare.yaml").write_text(BARE)
    return folder


def stored(workspace: Path) -> list[Any]:
    with Store(f"sqlite:///{workspace / 'mailrubric.sqlite'}") as store:
        return store.reviews()


def test_every_source_into_the_evidence(call, internet, workspace):
    result = call("reviews", "collect", "acme", "--workspace", workspace, "--json")
    assert result.code == 0
    document = result.json
    assert [(each["source"], each["reviews"], each["complete"], each["cause"]) for each in document["places"]] == [
        ("apple", 120, True, None),
        ("google_play", 30, True, None),
        ("hacker_news", 120, True, None),
        ("stack_exchange", 40, True, None),
    ]
    assert (document["reviews"], document["new"]) == (310, 310)
    assert document["changed_observations"] > 0
    assert len(stored(workspace)) == 310
    with Store(f"sqlite:///{workspace / 'mailrubric.sqlite'}") as store:
        (rating,) = [each for each in store.observations(["acme"]) if each.metric == "reviews.rating"]
    assert rating.kind == "reviewed"
    assert rating.value is not None


def test_a_second_time_asks_nobody_and_adds_nothing(call, internet, workspace):
    call("reviews", "collect", "acme", "--workspace", workspace)
    asked = {name: len(there.requests) for name, there in internet.items()}
    result = call("reviews", "collect", "acme", "--workspace", workspace)
    assert "310 reviews of acme collected: 0 new, 310 stored before." in result.out
    assert {name: len(there.requests) for name, there in internet.items()} == asked
    assert len(stored(workspace)) == 310
    call("reviews", "collect", "acme", "--workspace", workspace, "--anew", "--source", "apple")
    assert len(internet["apple"].requests) == 2 * asked["apple"]


def test_words_for_people(call, internet, workspace):
    lines = call("reviews", "collect", "acme", "--workspace", workspace, "--limit", 100).out.splitlines()
    assert lines[0].split() == ["source", "place", "seen", "reviews", "new", "from", "to"]
    assert lines[1].startswith("apple           app 931 in us")
    assert lines[1].endswith("up to the limit")
    assert lines[-1] == "270 reviews of acme collected: 270 new, 0 stored before."


def test_one_sources_fault_is_no_others(call, sources, internet, workspace, monkeypatch):
    sources["apple"].broken = {1: response("<html>\x1b[31m"), 2: response("<html>")}
    result = call("reviews", "collect", "acme", "--workspace", workspace)
    assert result.code == 0
    assert "nothing: protocol error" in result.out
    assert "apple: The answer broke the rules of the protocol" in result.err
    assert "190 reviews of acme collected" in result.out


def test_when_no_source_answers_the_code_is_3(call, internet, workspace):
    for there in internet.values():
        there.requests.clear()
    words = ("reviews", "collect", "acme", "--workspace", workspace, "--source", "apple", "--country", "de", "--json")
    result = call(*words)
    assert result.code == 3
    (place,) = result.json["places"]
    assert (place["cause"], place["seen"], place["oldest"]) == ("empty_answer", 0, None)
    assert stored(workspace) == []


def test_sources_of_which_the_profile_knows_nothing(call, internet, workspace):
    document = call("reviews", "collect", "bare", "--workspace", workspace, "--json").json
    causes = {each["source"]: each["cause"] for each in document["places"]}
    assert causes == {
        "apple": "not_applicable",
        "google_play": "not_applicable",
        "stack_exchange": "not_applicable",
        "hacker_news": "empty_answer",  # it is searched for by its name
    }
    assert internet["apple"].requests == []
    result = call("reviews", "collect", "bare", "--workspace", workspace, "--source", "apple")
    assert (result.code, "the profile names no app in the App Store (--apple-id)" in result.out) == (3, True)


def test_options_over_the_profile(call, internet, workspace):
    words = ["reviews", "collect", "bare", "--workspace", workspace, "--apple-id", "931", "--tag", "acme"]
    words += [
        "--google-play-id",
        "com.acme.mail",
        "--name",
        "Acme",
        "--context",
        "fine",
        "--since",
        "2026-09-21",
        "--json",
    ]
    document = call(*words).json
    assert {each["source"]: each["place"] for each in document["places"]} == {
        "apple": "app 931 in us",
        "google_play": "app com.acme.mail in en",
        "hacker_news": "Acme",
        "stack_exchange": "stackoverflow, tag acme",
    }
    counts = {each["source"]: each["reviews"] for each in document["places"]}
    assert counts["hacker_news"] == 15  # the hours of that day up to NOW
    assert counts["apple"] == 120
    assert all(each["oldest"] >= "2026-09-21" for each in document["places"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "no vendor has the id nobody"),
        (["acme", "--source", "g2"], "there is no source g2; there are apple, google-play"),
        (["acme", "--since", "yesterday"], "--since: 'yesterday' is not a date"),
        (["acme", "--apple-id", "../x"], "that is nothing to ask for: an app has a number"),
        (["acme", "--country", "USA"], "that is nothing to ask for"),
        (["acme", "--tag", "a/b/c"], "that is nothing to ask for"),
        (["acme", "--limit", "0"], "--limit"),
    ],
)
def test_what_is_called_wrongly(call, internet, workspace, words, said):
    result = call("reviews", "collect", *words, "--workspace", workspace)
    assert result.code == 2
    assert said in result.err


def test_without_permission_no_private_address_is_asked(call, internet, workspace):
    (workspace / "mailrubric.yaml").write_text("shipped_vendors: false\n")
    result = call("reviews", "collect", "acme", "--workspace", workspace, "--json")
    assert result.code == 3
    assert {each["cause"] for each in result.json["places"]} == {"blocked_address"}
    assert all(there.requests == [] for there in internet.values())


def test_a_server_of_the_lab_has_no_reviews(call, internet, workspace):
    (workspace / "vendors" / "bare.yaml").write_text(BARE + "lab: true\n")
    result = call("reviews", "collect", "bare", "--workspace", workspace)
    assert (result.code, "a server of the lab" in result.err) == (2, True)


def test_what_stands_on_disk_names_no_file_of_the_catalogue(call, internet, workspace):
    call("reviews", "collect", "acme", "--workspace", workspace)
    assert (workspace / "collected" / ".gitignore").read_text() == "*\n"
    assert call("validate", "--workspace", workspace).code == 0


def test_the_hosts_are_those_of_the_sources_and_over_https():
    assert dataclasses.asdict(Limits())["spacing"] >= 1
    assert dict(everywhere.BASES) == {
        "apple": "https://itunes.apple.com",
        "google_play": "https://play.google.com",
        "hacker_news": "https://hn.algolia.com",
        "stack_exchange": "https://api.stackexchange.com",
    }
