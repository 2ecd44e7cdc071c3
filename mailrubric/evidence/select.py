"""Which of many observations count: the newest per vendor, metric, kind, endpoint and vantage.

An attempt that failed says nothing about the server, so it does not undo what an earlier one saw: the older value
stays, with its age, and the failed attempt is kept beside it. Some causes are findings in themselves and do take
an older value's place (``CONCLUSIVE_CAUSES``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime

from mailrubric.evidence.observation import Kind, Observation
from mailrubric.evidence.times import moment

CONCLUSIVE_CAUSES = frozenset({"not_applicable", "tls_not_offered", "dns_nxdomain", "too_few_reviews"})
"""Causes that the server or the DNS answered with, or that a new look at all reviews gave, and that therefore supersede
an older value."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Key = tuple[str, Kind, str]
"""(vendor, kind, metric)"""


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """What counts for one metric of one endpoint from one vantage.

    ``current``: the newest value or conclusive cause; when there never was one, the newest failed attempt.
    ``attempt``: an attempt newer than ``current`` that failed, or None.
    """

    current: Observation
    attempt: Observation | None = None


def conclusive(observation: Observation) -> bool:
    """Whether an observation says something about the vendor, rather than about a failed attempt to look."""
    return observation.value is not None or observation.cause in CONCLUSIVE_CAUSES


def _order(observation: Observation) -> tuple[datetime, bool, str, str, str]:
    # Ties of time are broken by content, so that the order in which observations are given never matters.
    return (
        moment(observation.observed) or _LONG_AGO,
        conclusive(observation),
        observation.report,
        observation.source,
        repr(observation.value),
    )


def newest(observations: Iterable[Observation]) -> dict[Key, list[Evidence]]:
    """What counts, by vendor, kind and metric; each list is sorted by endpoint and vantage.

    The result does not depend on the order of ``observations``. Undated claims are older than any dated one.
    """
    piles: dict[tuple[str, Kind, str, str, str], list[Observation]] = {}
    for observation in observations:
        place = (observation.vendor, observation.kind, observation.metric, observation.endpoint, observation.vantage)
        pile = piles.get(place)
        if pile is None:
            piles[place] = [observation]
        else:
            pile.append(observation)
    found: dict[Key, list[Evidence]] = {}
    for place in sorted(piles):
        found.setdefault(place[:3], []).append(_decide(piles[place]))
    return found


def _decide(pile: list[Observation]) -> Evidence:
    if len(pile) == 1:
        return Evidence(pile[0])
    pile = sorted(pile, key=_order)
    last = pile[-1]
    for observation in reversed(pile):
        if conclusive(observation):
            return Evidence(observation, None if observation is last else last)
    return Evidence(last)
