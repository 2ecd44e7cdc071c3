"""``mailrubric reviews collect``: what people write about a vendor at public places that need no key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, complain, print_json, print_table, say

if TYPE_CHECKING:
    from mailrubric.reviews.collectors.collected import Collected
    from mailrubric.reviews.collectors.everywhere import Place
    from mailrubric.workspace import Workspace

CACHE_FOLDER = "collected"
"""Folder of a workspace with what the sources answered, for at most a week."""


def collect(
    vendor: options.Vendor,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="Only this source: apple, google-play, hacker-news or stack-exchange. Repeatable. Default: all.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Only what was written from 2026-01-01 on.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many reviews of each place.")
    ] = 1000,
    anew: Annotated[
        bool, typer.Option("--anew", help="Ask again what was asked within a day.", show_default=False)
    ] = False,
    apple_id: Annotated[
        list[str] | None,
        typer.Option(
            "--apple-id",
            metavar="NUMBER",
            help="App in the App Store, instead of the profile's: 931370077. Repeatable.",
            show_default=False,
        ),
    ] = None,
    country: Annotated[
        list[str] | None,
        typer.Option(
            "--country", metavar="CC", help="Country of the App Store, such as us. Repeatable.", show_default=False
        ),
    ] = None,
    google_play_id: Annotated[
        list[str] | None,
        typer.Option(
            "--google-play-id",
            metavar="NAME",
            help="App in Google Play, instead of the profile's: com.example.mail. Repeatable.",
            show_default=False,
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="[SITE/]TAG",
            help="Tag on Stack Exchange, instead of the profile's: mailgun, serverfault/postfix. Repeatable.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="Name to search Hacker News for. Repeatable.", show_default=False),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            metavar="WORD",
            help="A word that must stand beside the name on Hacker News. Repeatable. Default: words about email.",
            show_default=False,
        ),
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Collect reviews into the evidence, politely, and sum up all reviews anew.

    What was answered is kept for a day: a collection that was stopped goes on where it was.
    """
    from mailrubric.cli.catalogue import choose, parse_as_of, read_catalogue
    from mailrubric.cli.workspace import open_workspace
    from mailrubric.reviews.collectors.everywhere import Wanted, places

    opened = open_workspace(workspace)
    catalogue = read_catalogue(opened)
    choose(catalogue, (vendor,))
    profile = catalogue.vendors[vendor]
    if profile.lab:
        raise Usage(f"{vendor} is a server of the lab; nobody writes about it")
    start = None if since is None else parse_as_of(since, "--since")
    if start is not None and since is not None and len(since) == 10:
        start = start.replace(hour=0, minute=0, second=0)
    wanted = Wanted(
        sources=_sources(source or ()),
        since=start,
        limit=limit,
        apple=tuple(apple_id or ()),
        countries=tuple(country or ()),
        google_play=tuple(google_play_id or ()),
        tags=[_tag(each) for each in tag or ()],
        names=tuple(name or ()),
        context=None if context is None else tuple(context),
    )
    found = _run(opened, places(profile, wanted), anew=anew, quiet=json)
    _show(vendor, found, json)
    if not any(each.seen for each, _ in found.collected):
        raise typer.Exit(3)


def _sources(words: Sequence[str]) -> tuple[str, ...]:
    from mailrubric.reviews.collectors.everywhere import SOURCES

    known = {source.replace("_", "-"): source for source in SOURCES}
    for word in words:
        if word.replace("_", "-") not in known:
            raise Usage(f"--source: there is no source {word}; there are {', '.join(known)}")
    return tuple(known[word.replace("_", "-")] for word in words)


def _tag(word: str) -> tuple[str, str]:
    site, _, tag = word.rpartition("/")
    return site or "stackoverflow", tag


class _Found:
    """What came of it: each place with how many of its reviews are new."""

    def __init__(self) -> None:
        self.collected: list[tuple[Collected, int]] = []
        self.changed = 0


def _run(workspace: Workspace, places: Sequence[Place], *, anew: bool, quiet: bool) -> _Found:
    import asyncio
    import ssl
    import sys

    from mailrubric.cli.catalogue import parse_as_of, store_of
    from mailrubric.cli.terminal import interactive
    from mailrubric.reviews.collectors import everywhere
    from mailrubric.reviews.collectors.client import Cache, NothingToAsk
    from mailrubric.reviews.summary import refresh

    settings, found = workspace.settings, _Found()
    cache = Cache(workspace.directory / CACHE_FOLDER, anew=anew)
    ca_file: Path | None = workspace.directory / settings.ca if settings.ca else None

    async def gather() -> None:
        collecting = everywhere.collect(
            places, cache, allow_private=settings.allow_private, ca_file=None if ca_file is None else str(ca_file)
        )
        async for each in collecting:
            found.collected.append((each, store.add_reviews(each.reviews)))

    asked = ", ".join(dict.fromkeys(place.source.replace("_", "-") for place in places if place.read is not None))
    if asked and not quiet and interactive(sys.stderr):
        complain(f"asking {asked}; Ctrl-C stops, and the next call goes on where this one was")
    try:
        with store_of(workspace) as store:
            asyncio.run(gather())
            if any(each.seen for each, _ in found.collected):  # new or not: an earlier call may have been stopped
                found.changed = refresh(store, parse_as_of(None))
    except NothingToAsk as error:
        raise Usage(f"that is nothing to ask for: {error}") from error
    except ssl.SSLError as error:
        raise Failure(f"the trust anchor {settings.ca} cannot be read: {error}", 2) from error
    order = {place.source: number for number, place in enumerate(places)}
    found.collected.sort(key=lambda each: (order.get(each[0].source, 0), each[0].place))
    return found


def _show(vendor: str, found: _Found, json: bool) -> None:
    reviews = sum(len(each.reviews) for each, _ in found.collected)
    new = sum(count for _, count in found.collected)
    if json:
        print_json(
            {
                "vendor": vendor,
                "places": [_place(each, count) for each, count in found.collected],
                "reviews": reviews,
                "new": new,
                "changed_observations": found.changed,
            }
        )
        return
    print_table(
        ("source", "place", "seen", "reviews", "new", "from", "to", ""),
        [
            (
                each.source.replace("_", "-"),
                each.place,
                f"{each.seen:,}" if each.seen else "",
                f"{len(each.reviews):,}" if each.seen else "",
                f"{count:,}" if each.seen else "",
                _first(each)[:10],
                _last(each)[:10],
                _state(each),
            )
            for each, count in found.collected
        ],
        right=(2, 3, 4),
        whole=(0, 5, 6),
    )
    for each, _ in found.collected:
        if each.cause and each.place:
            from mailrubric.causes import explain

            words = explain(each.cause)
            complain(f"{each.source.replace('_', '-')}: {words.sentence} {words.advice} ({each.detail})")
    say(f"{reviews:,} reviews of {vendor} collected: {new:,} new, {reviews - new:,} stored before.")


def _place(each: Collected, new: int) -> dict[str, Any]:
    return {
        "source": each.source,
        "place": each.place or None,
        "seen": each.seen,
        "reviews": len(each.reviews),
        "new": new,
        "oldest": _first(each) or None,
        "newest": _last(each) or None,
        "complete": each.complete,
        "requests": each.requests,
        "cached": each.cached,
        "cause": each.cause or None,
        "detail": each.detail or None,
    }


def _first(each: Collected) -> str:
    return min((review.written for review in each.reviews if review.written), default="")


def _last(each: Collected) -> str:
    return max((review.written for review in each.reviews), default="")


def _state(each: Collected) -> str:
    from mailrubric.causes import short

    if each.cause:
        return each.detail if not each.place else f"{'broke off' if each.seen else 'nothing'}: {short(each.cause)}"
    return "" if each.complete else "up to the limit"
