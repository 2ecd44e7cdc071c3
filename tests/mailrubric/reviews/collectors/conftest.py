from __future__ import annotations

import ssl

import pytest

from mailrubric.reviews.collectors.client import Cache, Client, Limits

QUICK = Limits(connect=5, read=5, request=10, spacing=0, waiting=60, first_wait=0.01)
"""For tests: no pauses, and time-outs that a busy machine does not reach."""


class Waits(list[float]):
    """Takes note of how long somebody wanted to wait, and does not."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def client(tmp_path, waits):
    """Makes clients of a site on loopback that share a cache."""

    def make(base: str, limits: Limits = QUICK, cached: bool = True, **more) -> Client:
        cache = Cache(tmp_path / "collected") if cached else None
        return Client(base, cache, limits, **{"allow_private": True, "sleep": waits, **more})

    return make


@pytest.fixture
def google_play_scraper():
    """The optional package, without what it does to Python's HTTPS when it is imported."""
    checked = ssl.create_default_context
    pytest.importorskip("google_play_scraper")
    ssl._create_default_https_context = checked
    yield
    ssl._create_default_https_context = checked
