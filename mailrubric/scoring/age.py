"""How old evidence is, and how far that loosens what it says.

Evidence keeps a confidence c = 0.5^(age / half-life). Age never lowers a score: a value worth v points spans
[v·c, v·c + 100·(1 − c)], so that evidence of no age says v exactly and very old evidence says nothing.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mailrubric.evidence.observation import Kind
from mailrubric.evidence.times import moment

HALF_LIFE_DAYS: dict[Kind, float] = {
    "measured": 30.0,
    "claimed": 365.0,
    "reviewed": 365.0,
    "surveyed": 365.0,
    "tested": 365.0,
}
"""Days until evidence of a kind counts half."""

PRICE_HALF_LIFE_DAYS = 90.0
"""Half-life of prices: computed ones and facts stated in a currency."""

UNDATED_HALF_LIVES = 2.0
"""An undated claim counts as if it were this many half-lives old: confidence 0.25. Its date could be anything, so it
must weigh less than any claim that is dated within two half-lives; it is not worth nothing, since somebody read it."""

EXPIRY_METRICS = frozenset(
    {
        "certificate.days_left",
        "certificate.fewest_days_left",
        "certificate.other_days_left",
        "bimi.certificate_days_left",
        "security_txt.expires_days",
    }
)
"""Metrics that count days down to a known date. Their value is carried forward to the as-of time."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Evidence dated this far after the as-of time still counts: clocks of several machines differ."""

_CURRENCY_UNIT = re.compile(r"^(USD|EUR|GBP|CHF)(\b|/)")
_DAY = 86_400.0


def is_price(unit: str) -> bool:
    """Whether a fact in this unit is an amount of money (``USD/month``)."""
    return bool(_CURRENCY_UNIT.match(unit))


def half_life(kind: Kind, *, price: bool = False, override: float | None = None) -> float:
    """Days until evidence of this kind counts half; a criterion's own ``half_life`` overrides it."""
    if override is not None:
        return override
    return PRICE_HALF_LIFE_DAYS if price else HALF_LIFE_DAYS[kind]


def age_days(observed: str, as_of: datetime) -> float | None:
    """Days from the observation to ``as_of``, never negative; None when the observation is undated."""
    then = moment(observed)
    return None if then is None else max(0.0, (as_of - then).total_seconds() / _DAY)


def confidence(age: float | None, half_life_days: float) -> float:
    """c = 0.5^(age / half-life), 1 for fresh evidence; undated evidence has the confidence of two half-lives."""
    halvings = UNDATED_HALF_LIVES if age is None else age / half_life_days
    return float(0.5**halvings)


def widen(low: float, high: float, trust: float) -> tuple[float, float]:
    """Bounds of a score after age: the part that is no longer trusted may be anything from 0 to 100."""
    if trust >= 1.0:
        return low, high
    return low * trust, high * trust + 100.0 * (1.0 - trust)
