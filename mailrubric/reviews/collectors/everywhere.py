"""All places where something may be written about a vendor, and reading them: one client for each source, the sources
side by side, the places of one source one after the other."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from mailrubric.catalogue.models import Vendor
from mailrubric.reviews.collectors import apple, google_play, hacker_news, stack_exchange
from mailrubric.reviews.collectors.client import Cache, Client, Limits
from mailrubric.reviews.collectors.collected import Collected
from probes.model import Cause

BASES = {
    apple.SOURCE: apple.BASE,
    google_play.SOURCE: google_play.BASE,
    hacker_news.SOURCE: hacker_news.BASE,
    stack_exchange.SOURCE: stack_exchange.BASE,
}
"""Source → whom it asks, and nobody else."""
SOURCES = tuple(BASES)
LIMITS = Limits()


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One place of a source, and how it is read. Without ``read`` nothing is known of the vendor there; ``why`` says
    what is missing."""

    source: str
    read: Callable[[Client], Awaitable[Collected]] | None = None
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. ``sources``: empty means all. ``limit``: reviews of each place. The others take the place of
    what the profile says: ids of apps, countries of the App Store, names and context for Hacker News, tags as
    (site, tag)."""

    sources: Collection[str] = ()
    since: datetime | None = None
    limit: int = 1000
    apple: Sequence[str] = ()
    google_play: Sequence[str] = ()
    countries: Sequence[str] = ()
    names: Sequence[str] = ()
    context: Sequence[str] | None = None
    tags: Sequence[tuple[str, str]] = ()


def places(vendor: Vendor, wanted: Wanted) -> list[Place]:
    """Where to look for this vendor, source by source."""
    known, since, limit = vendor.reviews, wanted.since, wanted.limit
    found: list[Place] = []
    for source in SOURCES:
        if wanted.sources and source not in wanted.sources:
            continue
        reads: list[Callable[[Client], Awaitable[Collected]]] = []
        if source == apple.SOURCE:
            apps: dict[str, Sequence[str]] = dict.fromkeys(wanted.apple, ("us",))
            apps = apps or {app.id: app.countries for app in known.apple}
            reads = [
                partial(
                    apple.collect,
                    vendor=vendor.id,
                    app=app,
                    countries=wanted.countries or countries,
                    since=since,
                    limit=limit,
                )
                for app, countries in apps.items()
            ]
            why = "the profile names no app in the App Store (--apple-id)"
        elif source == google_play.SOURCE:
            play = [(app, "us", "en") for app in wanted.google_play] or [
                (app.id, app.country, app.language) for app in known.google_play
            ]
            reads = [
                partial(
                    google_play.collect,
                    vendor=vendor.id,
                    app=app,
                    country=country,
                    language=language,
                    since=since,
                    limit=limit,
                )
                for app, country, language in play
            ]
            why = "the profile names no app in Google Play (--google-play-id)"
        elif source == stack_exchange.SOURCE:
            tags = list(wanted.tags) or [(tag.site, tag.tag) for tag in known.stack_exchange]
            reads = [
                partial(stack_exchange.collect, vendor=vendor.id, site=site, tag=tag, since=since, limit=limit)
                for site, tag in tags
            ]
            why = "the profile names no tag on Stack Exchange (--tag)"
        else:
            told = known.hacker_news
            names = tuple(wanted.names) or told.names or (vendor.name,)
            reads = [
                partial(
                    hacker_news.collect,
                    vendor=vendor.id,
                    names=names,
                    context=told.context if wanted.context is None else wanted.context,
                    exact=told.exact,
                    since=since,
                    limit=limit,
                )
            ]
            why = ""
        found += [Place(source, read) for read in reads] or [Place(source, None, why)]
    return found


async def collect(
    places: Sequence[Place],
    cache: Cache | None,
    *,
    limits: Limits | None = None,
    allow_private: bool = False,
    ca_file: str | None = None,
    bases: dict[str, str] | None = None,
) -> AsyncIterator[Collected]:
    """What each place gives, as soon as it has given it. One source's fault is no other's. ``NothingToAsk`` for an id
    or a tag that cannot be one."""
    bases = BASES if bases is None else bases
    done: asyncio.Queue[Collected | None] = asyncio.Queue()

    async def read(source: str) -> None:
        async with Client(
            bases[source], cache, limits or LIMITS, allow_private=allow_private, ca_file=ca_file
        ) as client:
            for place in places:
                if place.source == source and place.read is not None:
                    await done.put(await place.read(client))

    for place in places:
        if place.read is None:
            yield Collected(place.source, "", cause=Cause.NOT_APPLICABLE.value, detail=place.why)
    asked = dict.fromkeys(place.source for place in places if place.read is not None)
    tasks = [asyncio.create_task(read(source)) for source in asked]
    everything = asyncio.gather(*tasks)
    everything.add_done_callback(lambda _: done.put_nowait(None))
    try:
        while (got := await done.get()) is not None:
            yield got
        await everything
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
