"""How often the 95 % intervals of cadence hold the truth: senders with known habits, simulated many times over.

Each sender is a process whose true figures are known; its mail is drawn, the cadence of it computed as for real mail,
and counted is how often the truth lies in the interval: python -m bench cadence
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from bench.measuring import progress
from bench.tables import Table
from mailrubric.mail.cadence import Known, Recipient, cadence
from mailrubric.mail.message import AnalysedMessage

DAY = 86_400.0
WEEK = 7 * DAY
MONDAY = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
SENDER = "news.example"

NOTHING = Known()


def message(
    seconds: float, recipient: str = "reader", *, seen: bool | None = None, subject: str = "", sender: str = SENDER
) -> AnalysedMessage:
    """One message, so many seconds after the Monday on which all simulations begin."""
    return AnalysedMessage(
        arrived=MONDAY + datetime.timedelta(seconds=seconds),
        from_domain=sender,
        recipient=recipient,
        seen=seen,
        bulk=True,
        subject=subject,
    )


def renewal(generator: np.random.Generator, variation: float, per_week: float, weeks: float) -> list[float]:
    """Times of messages whose gaps are gamma distributed with this coefficient of variation: 0.1 is a clock, 1 chance
    (Poisson), 2 bursts. The burstiness of the process is (variation − 1) / (variation + 1)."""
    shape = 1.0 / variation**2
    count = int(per_week * weeks * 3 + 50)
    gaps = generator.gamma(shape, WEEK / per_week / shape, count)
    while float(gaps.sum()) < weeks * WEEK:
        gaps = np.concatenate((gaps, generator.gamma(shape, WEEK / per_week / shape, count)))
    times = np.cumsum(gaps)
    return [float(each) for each in times[times < weeks * WEEK]]


def _steady(generator: np.random.Generator, per_week: float, weeks: int) -> list[AnalysedMessage]:
    """The same slots each week, each give or take an hour."""
    slots = (np.arange(per_week) + 0.5) * WEEK / per_week
    return [message(week * WEEK + slot + generator.normal(0, 3600)) for week in range(weeks) for slot in slots]


def _shared(
    generator: np.random.Generator, recipients: int, per_week: float, weeks: int, variation: float = 0.3
) -> list[AnalysedMessage]:
    """Campaigns at random times in weeks that differ (log-normal); each recipient gets each with a probability of his
    own, which are spread evenly around one half."""
    chances = 0.5 + 0.3 * (np.arange(recipients) / (recipients - 1) - 0.5)
    found = []
    for week in range(weeks):
        intensity = 2 * per_week * generator.lognormal(-(variation**2) / 2, variation)
        for start in generator.uniform(0, WEEK, generator.poisson(intensity)):
            for index in np.flatnonzero(generator.random(recipients) < chances).tolist():
                found.append(message(week * WEEK + float(start) + index, f"reader{index}"))
    return found


def _by_hours(generator: np.random.Generator, recipients: int, share: float, campaigns: int) -> list[AnalysedMessage]:
    """Campaigns, each to everybody at one moment, of which this share falls into the waking hours."""
    found = []
    for day in range(campaigns):
        hour = generator.uniform(8, 22) if generator.random() < share else generator.uniform(-2, 8)
        found += [message(day * DAY + DAY + hour * 3600 + index, f"reader{index}") for index in range(recipients)]
    return found


def zoned(
    generator: np.random.Generator, follows: float, campaigns: int, zones: Sequence[str]
) -> tuple[list[AnalysedMessage], Known]:
    """Campaigns to one reader in each zone: by their clocks at nine, with this probability, or all at once. They take
    up to twenty minutes to go out."""
    from zoneinfo import ZoneInfo

    found = []
    for day in range(campaigns):
        local = generator.random() < follows
        for index, name in enumerate(zones):
            at = MONDAY + datetime.timedelta(days=3 * day + 1, hours=9)
            if local:
                at = at.replace(tzinfo=ZoneInfo(name))
            seconds = at.timestamp() - MONDAY.timestamp() + float(generator.uniform(0, 1200))
            found.append(message(seconds, f"reader{index}", subject=f"Our news, number {day}"))
    known = Known(recipients={f"reader{index}": Recipient(zone=name) for index, name in enumerate(zones)})
    return found, known


def sunsetting(
    generator: np.random.Generator, ratio: float, *, readers: int, silent: int, weeks: int, per_week: float = 3.0
) -> list[AnalysedMessage]:
    """To those who never open, after half of the time only ``ratio`` times as many messages. Each one, whoever it is,
    is left out of one campaign in five."""
    found = []
    for week in range(weeks):
        for start in generator.uniform(0, WEEK, generator.poisson(per_week)):
            late = week >= weeks / 2
            for index in np.flatnonzero(generator.random(readers) < 0.8).tolist():
                at = week * WEEK + float(start) + index
                found.append(message(at, f"reader{index}", seen=bool(generator.random() < 0.4)))
            if not late or generator.random() < ratio:
                at = week * WEEK + float(start)
                chosen = np.flatnonzero(generator.random(silent) < 0.8).tolist()
                found += [message(at + index, f"silent{index}", seen=False) for index in chosen]
    return found


def _opening(generator: np.random.Generator, recipients: int, share: float, weeks: int) -> list[AnalysedMessage]:
    """Two campaigns a week; recipients open with chances of their own (beta distributed), campaigns please or not."""
    chances = generator.beta(2 * (1 - share), 2 * share, recipients)
    found = []
    for number in range(2 * weeks):
        for index in range(recipients):
            seen = bool(generator.random() < chances[index])
            found.append(message(number * WEEK / 2 + index, f"reader{index}", seen=seen))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One simulated sender: what it does, which figure is looked at and what it truly is."""

    name: str
    metric: str
    truth: float
    draw: Callable[[np.random.Generator], tuple[list[AnalysedMessage], Known]]


def _plain(
    make: Callable[[np.random.Generator], list[AnalysedMessage]], known: Known = NOTHING
) -> Callable[[np.random.Generator], tuple[list[AnalysedMessage], Known]]:
    return lambda generator: (make(generator), known)


_UTC = Known(Recipient(zone="UTC"))
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")


def _poisson_above(limit: int, mean: float) -> float:
    return 1.0 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(limit + 1))


def _corrected(r: float, n: int) -> float:
    """What Kim and Jo's correction makes of a coefficient of variation over n gaps. It is made for chance, and takes
    some hundredths from a clock: (0.2 − 1)/(0.2 + 1) is −0.667, this −0.697."""
    up, down = math.sqrt(n + 1), math.sqrt(n - 1)
    return (up * r - down) / ((up - 2) * r + down)


CASES: tuple[Case, ...] = (
    Case(
        "steady, 3 a week, 12 weeks", "trial.messages_per_week", 3.0, _plain(lambda g: _steady(g, 3, 12))
    ),
    Case(
        "chance, 3 a week, 12 weeks", "trial.messages_per_week", 3.0,
        _plain(lambda g: [message(each) for each in renewal(g, 1.0, 3.0, 12)]),
    ),
    Case(
        "bursty (r = 2), 5 a week, 26 weeks", "trial.messages_per_week", 5.0,
        _plain(lambda g: [message(each) for each in renewal(g, 2.0, 5.0, 26)]),
    ),
    Case(
        "shared campaigns, 20 recipients, 12 weeks", "trial.messages_per_week", 2.0,
        _plain(lambda g: _shared(g, 20, 2.0, 12)),
    ),
    Case(
        "chance, 3 a week: weeks over 3, 26 weeks", "trial.overfed_weeks_share", 100 * _poisson_above(3, 3.0),
        _plain(lambda g: [message(each) for each in renewal(g, 1.0, 3.0, 26)]),
    ),
    Case(
        "a clock (r = 0.2), 40 messages", "trial.burstiness", _corrected(0.2, 39),
        _plain(lambda g: [message(each) for each in renewal(g, 0.2, 4.0, 10)]),
    ),
    Case(
        "chance (r = 1), 40 messages", "trial.burstiness", 0.0,
        _plain(lambda g: [message(each) for each in renewal(g, 1.0, 4.0, 10)]),
    ),
    Case(
        "bursty (r = 2), 100 messages", "trial.burstiness", 1 / 3,
        _plain(lambda g: [message(each) for each in renewal(g, 2.0, 10.0, 10)]),
    ),
    Case(
        "70 % when awake, 1 recipient, 30 campaigns", "trial.waking_hours_share", 70.0,
        _plain(lambda g: _by_hours(g, 1, 0.7, 30), _UTC),
    ),
    Case(
        "95 % when awake, 20 recipients, 30 campaigns", "trial.waking_hours_share", 95.0,
        _plain(lambda g: _by_hours(g, 20, 0.95, 30), _UTC),
    ),
    Case(
        "60 % never opened, 30 recipients, 12 weeks", "trial.never_opened_share", 60.0,
        _plain(lambda g: _opening(g, 30, 0.6, 12)),
    ),
    Case(
        "half the campaigns by local time, 20 of them", "trial.zone_following_share", 50.0,
        lambda g: zoned(g, 0.5, 20, ZONES),
    ),
    Case(
        "a third as much to the silent, 26 weeks", "trial.sunset_ratio", 1 / 3,
        _plain(lambda g: sunsetting(g, 1 / 3, readers=5, silent=5, weeks=26)),
    ),
    Case(
        "no less to the silent, 26 weeks", "trial.sunset_ratio", 1.0,
        _plain(lambda g: sunsetting(g, 1.0, readers=5, silent=5, weeks=26)),
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """Of ``runs`` simulations ``known`` gave a figure, and of these ``held`` held the truth. ``middle``: median figure;
    ``width``: median width of the interval."""

    runs: int
    known: int
    held: int
    middle: float
    width: float


def coverage(case: Case, runs: int, seed: int = 20260105) -> Coverage:
    """Simulate a case so many times."""
    values, widths, held = [], [], 0
    for run in range(runs):
        messages, known = case.draw(np.random.default_rng([seed, run]))
        found = cadence(messages, known).estimates[case.metric]
        if found.value is None or found.low is None or found.high is None:
            continue
        values.append(float(found.value))
        widths.append(found.high - found.low)
        held += found.low - 1e-9 <= case.truth <= found.high + 1e-9
    if not values:
        return Coverage(runs, 0, 0, math.nan, math.nan)
    return Coverage(runs, len(values), held, statistics.median(values), statistics.median(widths))


def table(repeats: int = 1000) -> Table:
    """All cases, each simulated so many times."""
    made = Table(
        ("simulated sender", "figure", "truth", "median figure", "median width", "held", "gave a figure"),
        f"{repeats:,} simulations of each sender: how often the 95 % interval held the truth.",
        notes=[
            "Shares hold it more often than they say: Clopper and Pearson's interval is exact at its worst and "
            "conservative elsewhere, and few days make it wider. Burstiness of so few messages holds it a little less "
            "often (r is skewed, and Kim and Jo's correction is made for chance).",
            "r is the coefficient of variation of the times between messages. Truth of the clock: what the correction "
            "makes of r = 0.2 over 39 gaps; of the others (r − 1)/(r + 1).",
        ],
    )
    for case in CASES:
        progress(case.name)
        found = coverage(case, repeats)
        made.rows.append(
            (
                case.name,
                f"`{case.metric}`",
                f"{case.truth:.3g}",
                f"{found.middle:.3g}",
                f"{found.width:.2g}",
                f"{100 * found.held / found.known:.1f} %" if found.known else "–",
                f"{found.known:,} of {found.runs:,}",
            )
        )
    return made
