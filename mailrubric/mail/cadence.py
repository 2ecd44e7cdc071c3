"""What a stream of mail over weeks shows of its sender: how much, when, how evenly, and whether it heeds its readers.

Pure functions over analysed messages. The unit is a subscription: one recipient of one sender. Every figure has its
number of cases and a 95 % interval, or no value and a cause (``mailrubric.causes``): too little mail is no figure.

What is published: burstiness after Goh and Barabási (EPL 81, 48002, 2008) with the finite-size correction of Kim and Jo
(Physical Review E 94, 032311, 2016); the time to honour an unsubscription after Google's sender guidelines (48 hours).
How intervals are made is in ``mailrubric.mail.intervals``; docs/methodology.md tells it to people.
"""

from __future__ import annotations

import array
import dataclasses
import datetime
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from mailrubric.display import how_many
from mailrubric.evidence.times import written
from mailrubric.intervals import clopper_pearson, quantile_bounds, student_t
from mailrubric.mail import intervals
from mailrubric.mail.intervals import FloatArray, IntArray

if TYPE_CHECKING:
    from mailrubric.mail.message import AnalysedMessage

DAY = 86_400.0
WEEK = 7 * DAY

MOST_MESSAGES = 1_000_000
"""What is looked at in one go; the rest is left out, and that is said."""
MINIMUM_MESSAGES = 10
"""For a share among messages, on at least ``MINIMUM_DAYS`` days."""
MINIMUM_DAYS = 5
MINIMUM_WEEKS = 4
"""Whole weeks for a rate: fewer have a t-interval so wide that it says nothing."""
MINIMUM_GAPS = 15
"""Times between messages for burstiness. With fewer the jackknife's interval is no longer one of 95 %."""
MINIMUM_CAMPAIGNS = 6
"""Campaigns to several zones: six that all went one way are the fewest that exclude even odds."""
MINIMUM_EARLY = 5
"""Messages in the first half of the time to somebody who never opens, for saying that there are fewer in the second."""
MINIMUM_ZONE_SPREAD = 2 * 3600.0
"""Seconds between the clocks of a campaign's recipients; less is lost in the time that sending takes."""
CAMPAIGN_HOURS = 36.0
"""A campaign by local time takes up to 26 hours (UTC+14 to UTC−12) plus the sending."""
ALIKE = 0.75
"""Share of words that two subjects have in common (Jaccard) when they count as one campaign's."""
ANCHOR = DAY / 2
"""Weeks are counted from half a day after the first message, so that a message sent at the same hour each day or week
never falls on a border."""
OPEN_CAMPAIGNS = 32
"""How many of a sender's latest campaigns a subject is compared with."""
KEPT_SUBJECTS = 10_000
"""Subjects whose words are kept at hand."""
CHANCE_OF_SILENCE = 3.0
"""Messages that would have come by the rate before: none instead has a chance of e⁻³ = 5 %."""
EARLIEST = datetime.datetime(1995, 1, 1, tzinfo=datetime.UTC).timestamp()
"""Before it nobody sent campaigns: a date like 1970 is a clock that was never set."""
MOST_CELLS = 20_000_000
"""Recipients × weeks that are kept; of more, the latest weeks."""
LONGEST_LIST = 1_000
"""Recipients that are listed one by one."""

Feature = Literal["local-time", "sunset", "frequency-cap"]
FEATURES: tuple[Feature, ...] = ("local-time", "sunset", "frequency-cap")

TOO_FEW = "too_few"
ZONE_UNKNOWN = "zone_unknown"
NOT_TOLD = "not_told"
NOT_RECORDED = "not_recorded"
NOT_TRIED = "not_tried"
UNDECIDED = "undecided"


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What counts as what. Hours are local, from and up to but not including; ``working_days``: Monday is 0.

    ``tolerance``: messages a week from one sender that a recipient bears, where none of his own is given. Three is the
    upper end of what most people want: of 1,000 consumers asked by Litmus most chose weekly (32 %) or two to three
    times a week (20 %); of 2,057 asked by MarketingSherpa (2015) 86 % wanted promotional mail at least monthly, 61 %
    weekly. ``settled_days``: mail younger than this may still be opened. ``grace_hours``: in which an unsubscription
    has to be honoured (Google's sender guidelines).
    """

    waking: tuple[int, int] = (8, 22)
    working: tuple[int, int] = (9, 18)
    working_days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    tolerance: float = 3.0
    settled_days: float = 7.0
    grace_hours: float = 48.0

    def __post_init__(self) -> None:
        for name, (start, end) in (("waking", self.waking), ("working", self.working)):
            if not 0 <= start < end <= 24:
                raise ValueError(f"{name} hours must be two hours of one day, such as 8-22")
        if not 0 < self.tolerance < 10_000:
            raise ValueError("the tolerance must be a number of messages a week above 0")


@dataclasses.dataclass(frozen=True, slots=True)
class Recipient:
    """What only people know of a recipient. ``zone``: IANA name, "" when unknown; times are aware."""

    zone: str = ""
    signed_up: datetime.datetime | None = None
    unsubscribed: datetime.datetime | None = None
    tolerance: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What only people know, of everybody. ``recipients``: by the hash in ``AnalysedMessage.recipient``; ``everybody``
    holds for what they leave open. ``tried``: features that were switched on while this mail was sent, with the most
    messages a week for ``frequency-cap``: only then does their absence say something about the platform."""

    everybody: Recipient = Recipient()
    recipients: Mapping[str, Recipient] = dataclasses.field(default_factory=dict)
    tried: Mapping[Feature, float] = dataclasses.field(default_factory=dict)

    def of(self, recipient: str) -> Recipient:
        """What is known of one recipient."""
        own = self.recipients.get(recipient)
        if own is None:
            return self.everybody
        return Recipient(
            own.zone or self.everybody.zone,
            own.signed_up or self.everybody.signed_up,
            own.unsubscribed or self.everybody.unsubscribed,
            self.everybody.tolerance if own.tolerance is None else own.tolerance,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """One figure in its metric's unit, or None with a ``cause``. ``n``: how many ``counted`` it rests on. ``low`` and
    ``high``: 95 % interval, None where a count or a truth value needs none."""

    value: float | bool | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    counted: str = "messages"
    cause: str = ""
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Subscription:
    """One recipient of one sender, for a table. ``name``: the recipient's hash, shortened. ``per_week`` over the
    ``weeks`` that were seen whole, None without one; ``most``: in the busiest of them; ``over``: how many were above
    ``tolerance``; ``opened``: share from 0 to 1 where the mailbox says it."""

    name: str
    sender: str
    zone: str
    messages: int
    weeks: int
    per_week: float | None
    most: int | None
    tolerance: float
    over: int
    opened: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Week:
    """Messages to a subscription in one week: from ``start`` (ISO 8601), over those ``recipients`` who were there the
    whole week: mean, smallest and largest number."""

    start: str
    recipients: int
    mean: float
    least: int
    most: int


@dataclasses.dataclass(frozen=True, slots=True)
class Cadence:
    """All that was found. ``estimates``: by metric key (``trial.…``). ``messages``: counted ones; ``left_out``: how
    many of what kind were not. ``heat``: messages by weekday (7, from Monday) and local hour (24), None without
    zones."""

    sender: str
    messages: int
    left_out: dict[str, int]
    senders: int
    recipients: int
    campaigns: int
    first: str
    last: str
    estimates: dict[str, Estimate]
    heat: tuple[tuple[int, ...], ...] | None
    weeks: tuple[Week, ...]
    subscriptions: tuple[Subscription, ...]
    recommendations: tuple[str, ...]


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises ``ValueError`` with a sentence for people."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name[:60]!r} is no time zone; write its IANA name, such as Europe/Berlin") from None


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class _Stream:
    """The messages that count, in order of time: columns of shape (n,). ``unit``: index into ``units``, which are
    (sender, recipient). ``seen``: 1, 0 or −1 when unknown. ``everything``: times and units of all mail from the sender,
    that which answers somebody's own doing too. ``since``, ``until``: the time looked at, to the last message of
    anybody where nobody says otherwise."""

    units: list[tuple[str, str]]
    unit: IntArray
    time: FloatArray
    seen: IntArray
    campaign: IntArray
    everything: tuple[FloatArray, IntArray]
    since: float
    until: float
    left_out: dict[str, int]


def of_sender(domain: str, sender: str) -> bool:
    """Whether a domain is the sender's or below it."""
    return domain == sender or domain.endswith("." + sender)


def _read(
    messages: Iterable[AnalysedMessage],
    sender: str,
    latest: datetime.datetime | None,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
) -> _Stream:
    ceiling = math.inf if latest is None else latest.timestamp()
    begin = EARLIEST if since is None else max(EARLIEST, since.timestamp())
    end = math.inf if until is None else until.timestamp()
    left_out: dict[str, int] = {}
    units: dict[tuple[str, str], int] = {}
    # Columns of plain numbers: a hundred thousand messages must fit beside whatever else is done.
    times, numbers = array.array("d"), array.array("q")
    seen, marks = array.array("b"), array.array("q")
    other_times, other_numbers = array.array("d"), array.array("q")
    labels: dict[tuple[str, str, str], int] = {}
    last = -math.inf
    looked_at = 0

    def leave(why: str) -> None:
        left_out[why] = left_out.get(why, 0) + 1

    for message in messages:
        if looked_at >= MOST_MESSAGES:
            leave("beyond the limit")
            continue
        looked_at += 1
        then = message.arrived or message.sent
        if then is None:
            leave("without a time")
            continue
        moment = then.timestamp()
        if moment > ceiling:
            leave("dated in the future")
            continue
        if moment < EARLIEST:
            leave("dated before 1995")
            continue
        if moment < begin:
            leave("before the time looked at")
            continue
        if moment > end:
            leave("after the time looked at")
            continue
        last = max(last, moment)
        if sender and not of_sender(message.from_domain, sender):
            leave("of other senders")
            continue
        unit = units.setdefault((sender or message.from_domain, message.recipient), len(units))
        if message.bulk is False:
            leave("not bulk mail")
            other_times.append(moment)
            other_numbers.append(unit)
            continue
        label = (message.campaign_id, message.feedback_id, message.subject[:200])
        times.append(moment)
        numbers.append(unit)
        seen.append(-1 if message.seen is None else int(message.seen))
        marks.append(labels.setdefault(label, len(labels)))
    time, unit_of = np.array(times, dtype=np.float64), np.array(numbers, dtype=np.int64)
    # Ties by recipient, so that the order in which messages are given never matters.
    order = np.lexsort((np.array(marks, dtype=np.int64), unit_of, time))
    known = list(units)
    everything = np.concatenate((time, np.array(other_times, dtype=np.float64)))
    everyone = np.concatenate((unit_of, np.array(other_numbers, dtype=np.int64)))
    sorting = np.argsort(everything, kind="stable")
    mark = np.array(marks, dtype=np.int64)[order]
    return _Stream(
        units=known,
        unit=unit_of[order],
        time=time[order],
        seen=np.array(seen, dtype=np.int64)[order],
        campaign=_campaigns(time[order], unit_of[order], mark, list(labels), known),
        everything=(everything[sorting], everyone[sorting]),
        since=begin,
        until=end if until is not None else last,
        left_out=dict(sorted(left_out.items())),
    )


_WORD = re.compile(r"[^\W\d_]+")


def subject_words(subject: str) -> frozenset[str]:
    """The words of a subject that tell campaigns apart: without figures and case."""
    return frozenset(_WORD.findall(subject.casefold()))


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two subjects are one campaign's, give or take a name."""
    if not one or not ALIKE * len(one) <= len(other) <= len(one) / ALIKE:
        return False
    shared = len(one & other)
    return shared >= ALIKE * (len(one) + len(other) - shared)


@dataclasses.dataclass(slots=True, eq=False)
class _Campaign:
    number: int
    began: float
    identity: str
    feedback: str
    words: frozenset[str]
    recipients: set[str]


def _campaigns(
    time: FloatArray,
    unit: IntArray,
    mark: IntArray,
    labels: Sequence[tuple[str, str, str]],
    units: Sequence[tuple[str, str]],
) -> IntArray:
    """The campaign of each message, in order of time. ``labels``: (campaign id, Feedback-ID, subject) by ``mark``.

    One campaign reaches a recipient once, within ``CAMPAIGN_HOURS`` of its start. It is told by the platform's own
    campaign id; where there is none, by alike subjects under one Feedback-ID. (That field alone does not tell: with
    some platforms all of a customer's mail has the same one.)
    """
    open_ones: dict[str, list[_Campaign]] = {}
    found = array.array("q")
    count = 0
    words: dict[str, frozenset[str]] = {}
    for moment, which, label in zip(time.tolist(), unit.tolist(), mark.tolist(), strict=True):
        sender, recipient = units[which]
        identity, feedback, subject = labels[label]
        mine = open_ones.setdefault(sender, [])
        if mine and moment - mine[0].began > CAMPAIGN_HOURS * 3600:
            mine[:] = [each for each in mine if moment - each.began <= CAMPAIGN_HOURS * 3600]
        told = words.get(subject)
        if told is None:
            if len(words) >= KEPT_SUBJECTS:
                words.clear()
            told = words[subject] = subject_words(subject)
        for each in reversed(mine):
            if recipient in each.recipients:
                continue
            if identity or each.identity:
                same = identity == each.identity
            else:
                same = feedback == each.feedback and alike(told, each.words)
            if same:
                each.recipients.add(recipient)
                found.append(each.number)
                break
        else:
            mine.append(_Campaign(count, moment, identity, feedback, told, {recipient}))
            del mine[:-OPEN_CAMPAIGNS]
            found.append(count)
            count += 1
    return np.array(found, dtype=np.int64)


# --- figures ----------------------------------------------------------------------------------------------------------


def _missing(cause: str, detail: str, n: int = 0, counted: str = "messages") -> Estimate:
    return Estimate(None, n=n, counted=counted, cause=cause, detail=detail)


def _percent(share: tuple[float, float, float], n: int, counted: str, detail: str = "") -> Estimate:
    value, low, high = (100.0 * each for each in share)
    return Estimate(value, min(low, value), max(high, value), n, counted, detail=detail)


def _share(yes: npt.NDArray[np.bool_], groups: IntArray, time: FloatArray, what: str, detail: str = "") -> Estimate:
    """A share among messages in per cent, or why there is none."""
    days = (time // DAY).astype(np.int64)
    if len(yes) < MINIMUM_MESSAGES or len(np.unique(days)) < MINIMUM_DAYS:
        return _missing(
            TOO_FEW,
            f"{how_many(len(yes), 'message')} {what} on {how_many(len(np.unique(days)), 'day')}; "
            f"it takes {MINIMUM_MESSAGES} on {MINIMUM_DAYS}",
            len(yes),
        )
    return _percent(intervals.clustered_share(yes, groups, days), len(yes), "messages", detail)


def cases(estimate: Estimate) -> str:
    """What a figure rests on, in words: ``1 recipient``, ``144 messages``; "" for nothing."""
    return how_many(estimate.n, estimate.counted.removesuffix("s")) if estimate.n else ""


@dataclasses.dataclass(slots=True)
class _Weeks:
    """``counts``: messages, shape (units, weeks); ``seen``: whether the unit was there the whole week. ``start``: of
    the first week, in seconds since 1970."""

    counts: IntArray
    seen: npt.NDArray[np.bool_]
    start: float


def _weeks(stream: _Stream, people: Sequence[Recipient]) -> _Weeks:
    """Messages by subscription and week. A subscription begins with its sign-up where that is known, else half a day
    after its first message (which therefore is not counted), and ends with its unsubscription or with the mail."""
    count = len(stream.units)
    first = np.full(count, np.inf)
    np.minimum.at(first, stream.everything[1], stream.everything[0])
    start = np.array(
        [
            first[index] + ANCHOR if person.signed_up is None else max(stream.since, person.signed_up.timestamp())
            for index, person in enumerate(people)
        ]
    )
    end = np.array(
        [
            stream.until if person.unsubscribed is None else min(stream.until, person.unsubscribed.timestamp())
            for person in people
        ]
    )
    origin = float(np.min(start)) if count else 0.0
    number = int(max(0.0, (stream.until - origin) // WEEK)) if math.isfinite(origin) else 0
    surplus = max(0, number - max(1, MOST_CELLS // max(1, count)))
    origin, number = origin + surplus * WEEK, number - surplus
    place = ((stream.time - origin) // WEEK).astype(np.int64)
    inside = (place >= 0) & (place < number)
    counts = np.zeros((count, number), dtype=np.int64)
    np.add.at(counts, (stream.unit[inside], place[inside]), 1)
    borders = origin + WEEK * np.arange(number + 1)
    seen = (borders[:-1] >= start[:, None] - 1.0) & (borders[1:] <= end[:, None] + 1.0)
    return _Weeks(counts, seen, origin)


def _rates(weeks: _Weeks) -> tuple[FloatArray, _Weeks]:
    """Messages a week of those who were there ``MINIMUM_WEEKS`` whole weeks, and their rows."""
    rows = weeks.seen.sum(axis=1) >= MINIMUM_WEEKS
    kept = _Weeks(np.where(weeks.seen, weeks.counts, 0)[rows], weeks.seen[rows], weeks.start)
    return kept.counts.sum(axis=1) / np.maximum(1, kept.seen.sum(axis=1)), kept


def _rate_estimate(weeks: _Weeks, statistic: Callable[[FloatArray], float], share: float) -> Estimate:
    """A quantile over subscriptions of their messages a week. The interval is the hull of two: over the weeks (they
    share campaigns and seasons; delete-one-week jackknife) and, for a sample of subscriptions, over these."""
    rates, kept = _rates(weeks)
    most = int(weeks.seen.sum(axis=1).max(initial=0))
    if not len(rates):
        return _missing(TOO_FEW, f"{how_many(most, 'whole week')} seen; it takes {MINIMUM_WEEKS}", 0, "recipients")
    value = statistic(rates)
    bounds = quantile_bounds(rates, share)
    if bounds is None and (share != 0.5 or len(rates) >= intervals.SAMPLE):
        return _missing(TOO_FEW, f"{how_many(len(rates), 'recipient')}; it takes 36", len(rates), "recipients")
    used = np.flatnonzero(kept.seen.any(axis=0))
    total, cells = kept.counts.sum(axis=1), kept.seen.sum(axis=1)
    without = np.array(
        [
            statistic((total - kept.counts[:, week]) / np.maximum(1, cells - kept.seen[:, week]))
            for week in used.tolist()
        ]
    )
    low, high = intervals.jackknife(value, without)
    if bounds is not None:
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return Estimate(
        value, max(0.0, min(low, value)), max(high, value), len(rates), "recipients", detail=f"over {len(used)} weeks"
    )


def corrected_burstiness(gaps: FloatArray) -> float:
    """Kim and Jo's A_n of n ≥ 2 times between messages: −1 for a clock, 0 for chance, towards 1 for bursts.

    Goh and Barabási's (σ − μ)/(σ + μ), with what few events take from it given back: with r = σ/μ,
    (√(n+1)·r − √(n−1)) / ((√(n+1) − 2)·r + √(n−1)). Here n counts the times between messages: as many points on a ring
    have as many gaps, and the gaps of n + 1 messages at random are distributed as those. NaN when all came at once.
    """
    n = len(gaps)
    mean = float(np.mean(gaps))
    if n < 2 or mean <= 0.0:
        return math.nan
    r = float(np.std(gaps)) / mean
    up, down = math.sqrt(n + 1), math.sqrt(n - 1)
    return (up * r - down) / ((up - 2.0) * r + down)


def _burstiness_of(gaps: FloatArray) -> tuple[float, float, float]:
    """(A, low, high) of one subscription: the jackknife over the gaps, on the scale of artanh A (about ½·ln r), where
    the distribution is nearest to symmetric."""

    def transformed(each: float) -> float:
        return math.atanh(min(max(each, -0.999999), 0.999999))

    whole = corrected_burstiness(gaps)
    n = len(gaps)
    total, squares = float(np.sum(gaps)), float(np.sum(gaps**2))
    # All leave-one-out values at once, from the sums.
    mean = (total - gaps) / (n - 1)
    variance = np.maximum(0.0, (squares - gaps**2) / (n - 1) - mean**2)
    r = np.sqrt(variance) / np.maximum(mean, 1e-12)
    up, down = math.sqrt(n), math.sqrt(n - 2)
    without = (up * r - down) / ((up - 2.0) * r + down)
    low, high = intervals.jackknife(transformed(whole), np.arctanh(np.clip(without, -0.999999, 0.999999)))
    return whole, math.tanh(low), math.tanh(high)


def _burstiness(stream: _Stream) -> Estimate:
    found, most = [], 0
    for times in _apart(stream.time, stream.unit, len(stream.units)):
        gaps = np.diff(times)
        most = max(most, len(gaps))
        if len(gaps) >= MINIMUM_GAPS and float(np.sum(gaps)) > 0.0:
            found.append(_burstiness_of(gaps))
    if not found:
        return _missing(
            TOO_FEW,
            f"at most {how_many(most, 'time')} between messages to one recipient; it takes {MINIMUM_GAPS}",
            0,
            "recipients",
        )
    values, lows, highs = (np.array(each) for each in zip(*found, strict=True))
    value, low, high = (float(np.median(each)) for each in (values, lows, highs))
    bounds = quantile_bounds(values, 0.5)
    if bounds is not None:
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return Estimate(value, min(low, value), max(high, value), len(found), "recipients")


def _local_times(stream: _Stream, people: Sequence[Recipient]) -> tuple[FloatArray, FloatArray]:
    """(local seconds since 1970, as if they were UTC; the zone's offset in seconds), NaN where the zone is unknown."""
    local = np.full(len(stream.time), np.nan)
    offset = np.full(len(stream.time), np.nan)
    zones = {person.zone: zone(person.zone) for person in people if person.zone}
    by_unit = [zones.get(person.zone) for person in people]
    for index, (unit, moment) in enumerate(zip(stream.unit.tolist(), stream.time.tolist(), strict=True)):
        place = by_unit[unit]
        if place is None:
            continue
        shift = datetime.datetime.fromtimestamp(moment, place).utcoffset()
        if shift is not None:
            offset[index] = shift.total_seconds()
            local[index] = moment + offset[index]
    return local, offset


def _hours(local: FloatArray) -> tuple[IntArray, IntArray]:
    """(weekday from Monday, hour) of local times; 1 January 1970 was a Thursday."""
    return ((local // DAY).astype(np.int64) + 3) % 7, ((local % DAY) // 3600).astype(np.int64)


def _circular_spread(seconds: FloatArray) -> float:
    """Mean distance in seconds of times of day from their circular mean."""
    angles = seconds % DAY * (2.0 * math.pi / DAY)
    middle = math.atan2(float(np.mean(np.sin(angles))), float(np.mean(np.cos(angles))))
    away = np.abs((angles - middle + math.pi) % (2.0 * math.pi) - math.pi)
    return float(np.mean(away)) * DAY / (2.0 * math.pi)


def _zone_following(stream: _Stream, local: FloatArray, offset: FloatArray) -> Estimate:
    """The share of campaigns to several zones whose times of day agree better on the recipients' clocks than on one."""
    counted = "campaigns"
    known = np.flatnonzero(~np.isnan(local))
    if not len(known):
        return _missing(ZONE_UNKNOWN, "no recipient's time zone is given", 0, counted)
    order = known[np.argsort(stream.campaign[known], kind="stable")]
    numbers = stream.campaign[order]
    pieces = np.split(order, np.flatnonzero(np.diff(numbers)) + 1)
    answers = []
    for piece in pieces:
        if len(piece) > 1 and float(np.ptp(offset[piece])) >= MINIMUM_ZONE_SPREAD:
            answers.append(_circular_spread(local[piece]) < _circular_spread(stream.time[piece]))
    if len(answers) < MINIMUM_CAMPAIGNS:
        return _missing(
            TOO_FEW,
            f"{how_many(len(answers), 'campaign')} reached recipients whose clocks are two hours or more apart; "
            f"it takes {MINIMUM_CAMPAIGNS}",
            len(answers),
            counted,
        )
    yes = sum(answers)
    low, high = clopper_pearson(yes, len(answers))
    return _percent((yes / len(answers), low, high), len(answers), counted)


def _local_sending(following: Estimate, tried: bool) -> Estimate:
    """Whether this mail shows sending by the recipient's time zone."""
    if following.value is None or following.low is None or following.high is None:
        return _missing(following.cause, following.detail, following.n, following.counted)
    told = f"{_share_words(following)} of campaigns follow the recipients' clocks"
    return _feature(following.low > 50.0, following.high < 50.0, tried, told, following.n, following.counted)


def _feature(yes: bool, no: bool, tried: bool, told: str, n: int, counted: str) -> Estimate:
    """A feature of a platform, as its mail shows it. That nobody used it does not say that it is not there."""
    if yes:
        return Estimate(True, n=n, counted=counted, detail=told)
    if not no:
        return _missing(UNDECIDED, told, n, counted)
    if not tried:
        return _missing(NOT_TRIED, told, n, counted)
    return Estimate(False, n=n, counted=counted, detail=told)


def _never_opened(stream: _Stream, groups: IntArray, rules: Rules) -> Estimate:
    known = stream.seen >= 0
    if not known.any():
        return _missing(NOT_RECORDED, "this mailbox does not say what was opened", len(known))
    settled = known & (stream.time <= stream.until - rules.settled_days * DAY)
    return _share(
        stream.seen[settled] == 0,
        groups[settled],
        stream.time[settled],
        f"older than {rules.settled_days:g} days whose opening is known",
        "" if known.all() else f"of {np.count_nonzero(~known):,} more it is not known",
    )


def _apart(time: FloatArray, unit: IntArray, count: int) -> list[FloatArray]:
    """The times of each unit by itself, in order."""
    order = np.lexsort((time, unit))
    borders = np.searchsorted(unit[order], np.arange(1, count))
    return np.split(time[order], borders)


def _first_mail(stream: _Stream, people: Sequence[Recipient]) -> Estimate:
    """Minutes from sign-up to the first mail of any kind: the median over recipients."""
    told = [person.signed_up is not None for person in people]
    if not any(told):
        return _missing(NOT_TOLD, "no time of sign-up is given", 0, "recipients")
    apart = _apart(*stream.everything, len(people))
    waits = []
    for mine, person in zip(apart, people, strict=True):
        if person.signed_up is not None:
            after = mine[mine >= person.signed_up.timestamp()]
            if len(after):
                waits.append((float(after[0]) - person.signed_up.timestamp()) / 60.0)
    if not waits:
        return _missing(TOO_FEW, "no mail came after the time of sign-up", 0, "recipients")
    silent = sum(told) - len(waits)
    bounds = quantile_bounds(np.array(waits), 0.5)
    low, high = bounds if bounds is not None else (None, None)
    detail = f"{how_many(silent, 'recipient')} got nothing yet" if silent else ""
    return Estimate(float(np.median(waits)), low, high, len(waits), "recipients", detail=detail)


def _same_day(stream: _Stream, groups: IntArray, local: FloatArray) -> Estimate:
    """Among days on which a recipient got mail, the share with several messages (the recipient's days where his zone is
    known, else days of UTC)."""
    clock = np.where(np.isnan(local), stream.time, local)
    days = (clock // DAY).astype(np.int64)
    pairs, index, counts = np.unique(
        np.column_stack((stream.unit, days)), axis=0, return_index=True, return_counts=True
    )
    when = pairs[:, 1] if len(pairs) else np.zeros(0, dtype=np.int64)
    if len(counts) < MINIMUM_MESSAGES or len(np.unique(when)) < MINIMUM_DAYS:
        return _missing(
            TOO_FEW,
            f"mail on {how_many(len(np.unique(when)), 'day')}; it takes {MINIMUM_MESSAGES}",
            len(counts),
            "days",
        )
    found = intervals.clustered_share(counts > 1, groups[index], when)
    return _percent(found, len(counts), "recipient-days")


def _overfed(weeks: _Weeks, groups: IntArray, tolerance: FloatArray) -> Estimate:
    rows, columns = np.nonzero(weeks.seen)
    counted = "recipient-weeks"
    if len(np.unique(columns)) < MINIMUM_WEEKS:
        return _missing(
            TOO_FEW,
            f"{how_many(len(np.unique(columns)), 'whole week')} seen; it takes {MINIMUM_WEEKS}",
            len(rows),
            counted,
        )
    over = weeks.counts[rows, columns] > tolerance[rows]
    found = intervals.clustered_share(over, groups[rows], columns.astype(np.int64))
    limits = sorted(set(tolerance.tolist()))
    words = f"{limits[0]:g}" if len(limits) == 1 else f"{limits[0]:g} to {limits[-1]:g}"
    return _percent(found, len(rows), counted, f"over {words} messages a week")


def _sunset(stream: _Stream, weeks: _Weeks) -> Estimate:
    """Messages to those who never opened any: the second half of their time ÷ the first.

    Where others did open, what these got in the same weeks is the measure (indirect standardisation), so that a sender
    who slows down for everybody is not taken for one who heeds. The interval is on the logarithm, its variance that of
    two ratios of sums by week: those of one week share campaigns. Of no message at all in the second half the upper
    bound is the ratio at which that would have a chance of 5 %, a campaign to several counted once.
    """
    count = len(stream.units)
    known = np.bincount(stream.unit[stream.seen >= 0], minlength=count)
    opened = np.bincount(stream.unit[stream.seen == 1], minlength=count)
    total = np.bincount(stream.unit, minlength=count)
    counted = "recipients"
    if not known.any():
        return _missing(NOT_RECORDED, "this mailbox does not say what was opened", 0, counted)
    whole = weeks.seen.sum(axis=1)
    never = (whole >= 2 * MINIMUM_WEEKS) & (known == total) & (opened == 0) & (total > 0)
    n = int(np.count_nonzero(never))
    if not n:
        return _missing(
            TOO_FEW, f"no recipient of {2 * MINIMUM_WEEKS} whole weeks or more who never opened anything", 0, counted
        )
    openers = opened > 0
    there = weeks.seen[openers].sum(axis=0)
    theirs = np.where(weeks.seen, weeks.counts, 0)[openers].sum(axis=0)
    compared = bool((there > 0)[weeks.seen[never].any(axis=0)].all()) and theirs.sum() >= MINIMUM_EARLY
    usual = theirs / np.maximum(there, 1) if compared else np.ones(weeks.counts.shape[1])
    sums = np.zeros((2, len(usual)))
    expected = np.zeros((2, len(usual)))
    for row in np.flatnonzero(never).tolist():
        mine = np.flatnonzero(weeks.seen[row])
        half = len(mine) // 2
        for part, chosen in enumerate((mine[:half], mine[len(mine) - half :])):
            sums[part, chosen] += weeks.counts[row, chosen]
            expected[part, chosen] += usual[chosen]
    early, late = float(sums[0].sum()), float(sums[1].sum())
    if early < MINIMUM_EARLY or not expected.sum(axis=1).all():
        return _missing(
            TOO_FEW,
            f"{how_many(int(early), 'message')} in the first half of the time; it takes {MINIMUM_EARLY}",
            n,
            counted,
        )
    rate = sums.sum(axis=1) / expected.sum(axis=1)
    detail = f"{int(early):,} messages, then {int(late):,}"
    if compared:
        detail += f", measured by {how_many(int(np.count_nonzero(openers)), 'recipient')} who opened"
    value = float(rate[1] / rate[0])
    if not late:
        high = CHANCE_OF_SILENCE * n / float(rate[0] * expected[1].sum())
        return Estimate(0.0, 0.0, high, n, counted, detail=detail)
    variance = 0.0
    freedom = -2
    for part in (0, 1):
        used = expected[part] + sums[part] > 0
        number = int(np.count_nonzero(used))
        freedom += number
        rest = (sums[part] - rate[part] * expected[part])[used]
        variance += float(np.sum(rest**2)) / float(sums[part].sum()) ** 2 * number / max(1, number - 1)
    if freedom < 1:
        return _missing(TOO_FEW, detail, n, counted)
    half_width = student_t(freedom) * math.sqrt(variance)
    return Estimate(value, value * math.exp(-half_width), value * math.exp(half_width), n, counted, detail=detail)


def _sunset_policy(ratio: Estimate, tried: bool) -> Estimate:
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return _missing(ratio.cause, ratio.detail, ratio.n, ratio.counted)
    yes = ratio.value <= 0.5 and ratio.high < 1.0
    return _feature(yes, ratio.low > 0.5, tried, ratio.detail, ratio.n, ratio.counted)


def _unsubscribed(stream: _Stream, people: Sequence[Recipient], rules: Rules) -> tuple[Estimate, Estimate]:
    """(messages that came after the time to honour it, whether it was obeyed)."""
    told = sum(person.unsubscribed is not None for person in people)
    if not told:
        missing = _missing(NOT_TOLD, "no time of unsubscription is given", 0, "recipients")
        return missing, missing
    after = 0
    expected = 0.0
    watched = 0.0
    for mine, person in zip(_apart(stream.time, stream.unit, len(people)), people, strict=True):
        if person.unsubscribed is None:
            continue
        left = person.unsubscribed.timestamp()
        after += int(np.count_nonzero(mine > left + rules.grace_hours * 3600))
        seconds = max(0.0, stream.until - left - rules.grace_hours * 3600)
        watched = max(watched, seconds)
        before = mine[mine <= left]
        start = person.signed_up.timestamp() if person.signed_up is not None else None
        if start is None and len(before):
            start, before = float(before[0]), before[1:]
        if start is not None and left > start:
            expected += len(before) / (left - start) * seconds
    days = f"watched for {watched / DAY:.0f} days after {rules.grace_hours:g} hours"
    if after:
        said = f"{how_many(after, 'message')} came, {days}"
        return (
            Estimate(float(after), n=told, counted="recipients", detail=said),
            Estimate(False, n=told, counted="recipients", detail=said),
        )
    if expected < CHANCE_OF_SILENCE:
        detail = (
            f"nothing came, {days}, but at the rate before only {expected:.1f} messages were to be expected; "
            f"it takes {CHANCE_OF_SILENCE:g}"
        )
        missing = _missing(TOO_FEW, detail, told, "recipients")
        return missing, missing
    said = f"nothing came, {days}, where {expected:.0f} messages were to be expected"
    return (
        Estimate(0.0, n=told, counted="recipients", detail=said),
        Estimate(True, n=told, counted="recipients", detail=said),
    )


def _frequency_cap(stream: _Stream, cap: float | None) -> Estimate:
    """Whether no recipient got more than so many messages in any seven days. Without a word that the cap was on, mail
    says nothing: few messages may be all that anybody wanted to send."""
    if cap is None:
        return _missing(NOT_TOLD, "nobody said that a cap on messages a week was switched on", 0, "recipients")
    order = np.lexsort((stream.time, stream.unit))
    unit, time = stream.unit[order], stream.time[order]
    most = 0
    first = 0
    for last in range(len(time)):
        # A day's slack of an hour: seven days later at the same hour is a new week.
        while unit[first] != unit[last] or time[last] - time[first] >= WEEK - 3600:
            first += 1
        most = max(most, last - first + 1)
    n = len(np.unique(unit))
    said = f"at most {how_many(most, 'message')} in seven days, with a cap of {cap:g}"
    if most < cap:
        return _missing(UNDECIDED, said + ", which was never reached", n, "recipients")
    return Estimate(most <= cap, n=n, counted="recipients", detail=said)


# --- all of it --------------------------------------------------------------------------------------------------------


def cadence(
    messages: Iterable[AnalysedMessage],
    known: Known = Known(),
    rules: Rules = Rules(),
    *,
    sender: str = "",
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    latest: datetime.datetime | None = None,
) -> Cadence:
    """What this mail shows of its sender.

    ``messages``: of one folder or several, in any order; read once. ``sender``: a domain, to look only at its mail and
    that of the domains below it; without it all of the mail, each From domain a sender of its own. ``since``,
    ``until``: the time looked at, default from the first message to the last one of anybody. ``latest``: mail dated
    after it (now, for mail just read) has a false date and is left out. Raises ``ValueError`` for a zone that does not
    exist.
    """
    sender = sender.lower().rstrip(".")
    stream = _read(messages, sender, latest, since, until)
    people = [known.of(recipient) for _, recipient in stream.units]
    senders = sorted({name for name, _ in stream.units})
    number = {name: index for index, name in enumerate(senders)}
    # Several customers of a platform differ more among each other than their recipients do.
    group_of_unit = np.array(
        [number[name] if len(senders) > 1 else index for index, (name, _) in enumerate(stream.units)], dtype=np.int64
    )
    groups = group_of_unit[stream.unit]
    tolerance = np.array([rules.tolerance if each.tolerance is None else each.tolerance for each in people])
    local, offset = _local_times(stream, people)
    weeks = _weeks(stream, people)
    at = ~np.isnan(local)
    weekday, hour = _hours(local[at])
    following = _zone_following(stream, local, offset)
    ratio = _sunset(stream, weeks)
    after, obeyed = _unsubscribed(stream, people, rules)
    tried = known.tried
    estimates = {
        "trial.messages_per_week": _rate_estimate(weeks, lambda rates: float(np.median(rates)), 0.5),
        "trial.messages_per_week_p90": _rate_estimate(weeks, lambda rates: float(np.quantile(rates, 0.9)), 0.9),
        "trial.overfed_weeks_share": _overfed(weeks, group_of_unit, tolerance),
        "trial.same_day_share": _same_day(stream, groups, local),
        "trial.burstiness": _burstiness(stream),
        "trial.waking_hours_share": _by_clock(stream, groups, at, (rules.waking[0] <= hour) & (hour < rules.waking[1])),
        "trial.working_hours_share": _by_clock(
            stream,
            groups,
            at,
            np.isin(weekday, sorted(rules.working_days)) & (rules.working[0] <= hour) & (hour < rules.working[1]),
        ),
        "trial.zone_following_share": following,
        "trial.local_time_sending": _local_sending(following, "local-time" in tried),
        "trial.never_opened_share": _never_opened(stream, groups, rules),
        "trial.sunset_ratio": ratio,
        "trial.sunset_policy": _sunset_policy(ratio, "sunset" in tried),
        "trial.frequency_capping": _frequency_cap(stream, tried.get("frequency-cap")),
        "trial.first_mail_minutes": _first_mail(stream, people),
        "trial.mail_after_unsubscribing": after,
        "trial.unsubscribe_obeyed": obeyed,
    }
    heat = None
    if at.any():
        table = np.zeros((7, 24), dtype=np.int64)
        np.add.at(table, (weekday, hour), 1)
        heat = tuple(tuple(row) for row in table.tolist())
    found = Cadence(
        sender=sender,
        messages=len(stream.time),
        left_out=stream.left_out,
        senders=len(senders),
        recipients=len({recipient for _, recipient in stream.units}),
        campaigns=int(stream.campaign.max(initial=-1)) + 1,
        first=_stamp(float(stream.time[0])) if len(stream.time) else "",
        last=_stamp(float(stream.time[-1])) if len(stream.time) else "",
        estimates=estimates,
        heat=heat,
        weeks=_week_lines(weeks),
        subscriptions=_subscriptions(stream, people, weeks, tolerance),
        recommendations=(),
    )
    return dataclasses.replace(found, recommendations=recommendations(found, rules))


def _by_clock(stream: _Stream, groups: IntArray, at: npt.NDArray[np.bool_], yes: npt.NDArray[np.bool_]) -> Estimate:
    """A share of the messages whose recipients' zones are known."""
    unknown = int(np.count_nonzero(~at))
    if len(at) and not at.any():
        return _missing(ZONE_UNKNOWN, "no recipient's time zone is given", 0)
    detail = f"{how_many(unknown, 'message')} more to recipients of unknown zone" if unknown else ""
    return _share(yes, groups[at], stream.time[at], "to recipients of known zone", detail)


def _stamp(moment: float) -> str:
    return written(datetime.datetime.fromtimestamp(moment, datetime.UTC))


def _week_lines(weeks: _Weeks) -> tuple[Week, ...]:
    lines = []
    for index in range(weeks.counts.shape[1]):
        counts = weeks.counts[weeks.seen[:, index], index]
        if len(counts):
            start = _stamp(weeks.start + WEEK * index)
            lines.append(Week(start, len(counts), float(np.mean(counts)), int(counts.min()), int(counts.max())))
    return tuple(lines)


def _subscriptions(
    stream: _Stream, people: Sequence[Recipient], weeks: _Weeks, tolerance: FloatArray
) -> tuple[Subscription, ...]:
    """The busiest first."""
    count = len(stream.units)
    total = np.bincount(stream.unit, minlength=count)
    known = np.bincount(stream.unit[stream.seen >= 0], minlength=count)
    opened = np.bincount(stream.unit[stream.seen == 1], minlength=count)
    lines = []
    for index in np.argsort(-total, kind="stable")[:LONGEST_LIST].tolist():
        if not total[index]:
            continue
        sender, recipient = stream.units[index]
        mine = weeks.counts[index, weeks.seen[index]]
        lines.append(
            Subscription(
                name=recipient[:8] or "unknown",
                sender=sender,
                zone=people[index].zone,
                messages=int(total[index]),
                weeks=len(mine),
                per_week=float(np.mean(mine)) if len(mine) else None,
                most=int(mine.max()) if len(mine) else None,
                tolerance=float(tolerance[index]),
                over=int(np.count_nonzero(mine > tolerance[index])),
                opened=float(opened[index] / known[index]) if known[index] else None,
            )
        )
    return tuple(sorted(lines, key=lambda line: (-line.messages, line.sender, line.name)))


# --- recommendations --------------------------------------------------------------------------------------------------


def _share_words(estimate: Estimate) -> str:
    """``61 % (95 % interval 52 to 69 %, 140 messages)``."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "unknown"
    return f"{estimate.value:.0f} % (95 % interval {estimate.low:.0f} to {estimate.high:.0f} %, {cases(estimate)})"


def recommendations(found: Cadence, rules: Rules) -> tuple[str, ...]:
    """What the sender should do, each with the figures behind it. Only what the whole interval bears out is said."""
    figures = found.estimates
    said = []

    def low(key: str) -> float:
        estimate = figures[key]
        return -math.inf if estimate.value is None or estimate.low is None else estimate.low

    def high(key: str) -> float:
        estimate = figures[key]
        return math.inf if estimate.value is None or estimate.high is None else estimate.high

    rate, overfed = figures["trial.messages_per_week"], figures["trial.overfed_weeks_share"]
    if low("trial.overfed_weeks_share") > 10.0:
        about = ""
        if rate.value is not None and rate.low is not None and rate.high is not None:
            about = f" The median recipient gets {rate.value:.1f} a week ({rate.low:.1f} to {rate.high:.1f})."
        said.append(
            f"Send less, or cap it: in {_share_words(overfed)} more came than the recipient tolerates, "
            f"{overfed.detail}.{about}"
        )
    if low("trial.same_day_share") > 10.0:
        said.append(
            "Put into one message what goes out on one day: on "
            f"{_share_words(figures['trial.same_day_share'])} several came."
        )
    if low("trial.burstiness") > 0.2:
        bursts = figures["trial.burstiness"]
        said.append(
            "Spread the messages: they come in bursts with silence between, burstiness "
            f"{bursts.value:.2f} ({bursts.low:.2f} to {bursts.high:.2f}; chance alone is 0, a clock −1)."
        )
    if high("trial.waking_hours_share") < 95.0:
        said.append(
            f"Send when people are awake: only {_share_words(figures['trial.waking_hours_share'])} came between "
            f"{rules.waking[0]} and {rules.waking[1]} o'clock on the recipient's clock."
        )
    if high("trial.zone_following_share") < 50.0:
        said.append(
            "Send by the recipient's time zone: of campaigns to several zones only "
            f"{_share_words(figures['trial.zone_following_share'])} kept the same local hour."
        )
    if low("trial.never_opened_share") > 50.0:
        said.append(
            f"Leave out those who never open: {_share_words(figures['trial.never_opened_share'])} were never opened, "
            "and receivers judge a sender by that."
        )
    if low("trial.sunset_ratio") > 0.5:
        sunset = figures["trial.sunset_ratio"]
        said.append(
            "Slow down for those who do not open: they still get "
            f"{sunset.value:.2f} times ({sunset.low:.2f} to {sunset.high:.2f}) as many messages in the second half of "
            f"the time as in the first ({how_many(sunset.n, 'recipient')}: {sunset.detail})."
        )
    first = figures["trial.first_mail_minutes"]
    if first.value is not None and first.value > 60.0:
        said.append(
            f"Answer a sign-up at once: the first mail took {first.value:,.0f} minutes "
            f"({how_many(first.n, 'recipient')}); people look for it within minutes."
        )
    obeyed = figures["trial.unsubscribe_obeyed"]
    if obeyed.value is False:
        said.append(
            f"Obey unsubscriptions: {obeyed.detail}. Large receivers ask for it within 48 hours, and the law in many "
            "places forbids mail after it."
        )
    return tuple(said)
