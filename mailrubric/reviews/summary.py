"""What all reviews of a vendor say together, and what of it becomes evidence.

The same rules for every vendor: repeated reviews do not count, a review counts half after two years, a burst counts as
three ordinary weeks, texts are classified and the counts corrected for the classifier's errors, a share is published
from thirty mentions on. Whatever counts less is counted and named.

Every figure has two halves: the vendor's own reviews, and what all vendors' reviews tell about the level of a source
and about how vendors differ. So one import can move the figures of all, a little, and ``refresh`` stores whichever did.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mailrubric.display import UNKNOWN, how_many
from mailrubric.evidence.observation import Observation
from mailrubric.evidence.select import newest
from mailrubric.evidence.times import moment
from mailrubric.intervals import NORMAL_QUANTILE, student_t
from mailrubric.reviews import correction, ratings
from mailrubric.reviews.duplicates import REASONS, duplicates
from mailrubric.reviews.metrics import ASPECTS, FEWEST_MENTIONS, FEWEST_RATINGS, FEWEST_TEXTS, PREFIX
from mailrubric.reviews.ratings import Burst, Pool, Sample
from mailrubric.reviews.reading import Reader, keeping, read
from mailrubric.reviews.review import Review
from mailrubric.reviews.sentiment import LABELS, Matrix, Sentiment, model

if TYPE_CHECKING:
    from mailrubric.evidence.store import Store

VERSION = "1"
"""Of these rules; stands in every observation, so that figures of other rules are told apart."""

TOO_FEW = "too_few_reviews"

SMALL = 5.0
"""Texts a vendor must have at a source for the source's level to be learnt from them."""

_DAY = 86_400.0


# --- the record -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One number, or why there is none. ``value`` lies between ``low`` and ``high``, in ``unit``; all three are None
    with a ``cause``. ``n``: reviews that it rests on, ``effective``: equally fresh ones that they are worth. ``own``:
    the plain share or mean before anything was corrected or drawn. ``counts``: texts as classified: positive, neutral,
    negative. ``sources``: reviews of each source. ``detail``: how it came about, for people."""

    metric: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    effective: float
    own: float | None
    sources: Mapping[str, int]
    detail: str
    cause: str | None = None
    counts: tuple[int, int, int] | None = None
    observed: str = ""

    def words(self, value: float | None) -> str:
        """``value``, or one of its bounds, for people: ``4.21`` stars, ``73 %``, ``unknown``."""
        if value is None:
            return UNKNOWN
        return f"{value:.2f}" if self.unit == "stars" else f"{value:.0f} %"

    def range_words(self) -> str:
        """``3.90 to 4.40``."""
        return f"{self.words(self.low)} to {self.words(self.high)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One place's part. ``reviews``: all that are stored; ``counted``: without repeated ones; ``rated``, ``texts``: of
    these. ``mean``: plain mean of their stars. ``first``, ``last``: dates. ``weight``: share of the vendor's rating
    that comes from here. ``offset``: stars by which people rate higher here than on average, None when unknown."""

    name: str
    reviews: int
    counted: int
    rated: int
    texts: int
    mean: float | None
    first: str
    last: str
    weight: float | None
    offset: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Quarter:
    """Three months (``2026-Q3``). ``mean`` of the stars with a 95 % interval where there are two or more; bursts count
    as they do in the rating."""

    name: str
    reviews: int
    rated: int
    mean: float | None
    low: float | None
    high: float | None
    positive: int
    neutral: int
    negative: int


@dataclasses.dataclass(frozen=True, slots=True)
class Discount:
    """Reviews that count less, or not at all. ``counted``: as how many reviews of today they count."""

    reason: str
    words: str
    count: int
    counted: float


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """A review as it counts. ``sentiment`` and ``aspects`` (aspect → label) where it has a text in English."""

    review: Review
    when: datetime | None
    recency: float
    share: float
    sentiment: Sentiment | None
    aspects: Mapping[str, str]

    @property
    def weight(self) -> float:
        """Recency times share."""
        return self.recency * self.share


@dataclasses.dataclass(frozen=True, slots=True)
class VendorSummary:
    """All of one vendor at ``as_of``. ``reviews``: stored until then; ``counted``: those that count."""

    vendor: str
    as_of: str
    reviews: int
    counted: tuple[Counted, ...] = dataclasses.field(repr=False)
    first: str
    last: str
    rating: Figure
    sentiment: Figure
    aspects: Mapping[str, Figure]
    sources: tuple[Source, ...]
    trend: tuple[Quarter, ...]
    discounts: tuple[Discount, ...]
    bursts: tuple[Burst, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Rating, sentiment, aspects."""
        return (self.rating, self.sentiment, *self.aspects.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Quotation:
    """A sentence of a review, as written. ``aspect``: "" for an opinion of the whole. ``clarity``: the classifier's
    probability of ``label``."""

    aspect: str
    label: str
    text: str
    clarity: float
    source: str
    url: str
    written: str
    rating: float | None


# --- reading texts ----------------------------------------------------------------------------------------------------


def text_of(review: Review) -> str:
    """What is read of a review: its title and its text."""
    title, text = review.title.strip(), review.text.strip()
    if not title or text.startswith(title):
        return text
    return f"{title}\n{text}" if text else title


def _english(review: Review) -> bool:
    return review.language.partition("-")[0].partition("_")[0].lower() in ("", "en", "eng")


# --- one review -------------------------------------------------------------------------------------------------------

_PARTIAL = re.compile(r"^\d{4}(-\d{2})?$")


def _when(written: str) -> tuple[datetime | None, bool]:
    """(time, whether its day is known). Of a month or a year the middle stands for all of it."""
    found = moment(written) if written else None
    if found is None:
        return None, False
    if _PARTIAL.match(written):
        return found + timedelta(days=15 if "-" in written else 182), False
    return found, True


@dataclasses.dataclass(slots=True)
class _Draft:
    """One vendor on the way to its summary."""

    vendor: str
    stored: list[Review]
    counted: list[Counted] = dataclasses.field(default_factory=list)
    bursts: list[Burst] = dataclasses.field(default_factory=list)
    discounts: list[Discount] = dataclasses.field(default_factory=list)
    samples: list[Sample] = dataclasses.field(default_factory=list)


def _draft(vendor: str, reviews: Iterable[Review], as_of: datetime, reader: Reader) -> _Draft:
    one_each: dict[tuple[str, str], Review] = {}
    for review in reviews:
        other = one_each.setdefault((review.source, review.id), review)
        if other is not review and _last_version(other) < _last_version(review):
            one_each[review.source, review.id] = review
    everything = [one_each[key] for key in sorted(one_each)]
    present = [review for review in everything if (moment(review.written) or as_of) <= as_of]
    repeated = duplicates(present)
    kept = [review for review in present if (review.source, review.id) not in repeated]
    made = _Draft(vendor, present)
    whens = [_when(review.written) for review in kept]
    ages = [math.nan if when is None else (as_of - when).total_seconds() / _DAY for when, _ in whens]
    fresh = ratings.recency(ages).tolist()
    shares = [1.0] * len(kept)
    for source in sorted({review.source for review in kept}):
        places = [place for place, review in enumerate(kept) if review.source == source]
        weeks = [
            ratings.week_of(when.date()) if when is not None and exact else ratings.NO_WEEK
            for when, exact in (whens[place] for place in places)
        ]
        found, bursts = ratings.cap_bursts(weeks, source)
        made.bursts += bursts
        for place, share in zip(places, found.tolist(), strict=True):
            shares[place] = share
    readable = [place for place, review in enumerate(kept) if text_of(review) and _english(review)]
    understood = dict(zip(readable, reader([text_of(kept[place]) for place in readable]), strict=True))
    for place, review in enumerate(kept):
        sentiment, about = understood.get(place, (None, {}))
        made.counted.append(Counted(review, whens[place][0], fresh[place], shares[place], sentiment, about))
    made.discounts = _discounts(everything, present, repeated, made)
    for source in sorted({each.review.source for each in made.counted}):
        rated = [each for each in made.counted if each.review.source == source and each.review.rating is not None]
        if rated:
            made.samples.append(
                ratings.sample(
                    vendor,
                    source,
                    [each.review.rating or 0.0 for each in rated],
                    [each.recency for each in rated],
                    [each.share for each in rated],
                )
            )
    return made


def _last_version(review: Review) -> tuple[str, str]:
    return review.written, repr(review)


def _discounts(
    everything: Sequence[Review], present: Sequence[Review], repeated: Mapping[Any, Any], made: _Draft
) -> list[Discount]:
    found = []
    reasons = Counter(each.reason for each in repeated.values())
    for reason, words in REASONS.items():
        if reasons[reason]:
            found.append(Discount(reason, words, reasons[reason], 0.0))
    ahead = len(everything) - len(present)
    if ahead:
        found.append(Discount("future", "dated after the time that this is about", ahead, 0.0))
    for reason, words, chosen in (
        ("burst", "of a week with more than three times as many reviews as usual there", _in_burst),
        ("old", "more than two years old, each counting less than half", _is_old),
        ("undated", "undated, each counting a quarter as if four years old", _is_undated),
    ):
        some = [each for each in made.counted if chosen(each)]
        if some:
            counted = math.fsum(each.share if reason == "burst" else each.recency for each in some)
            found.append(Discount(reason, words, len(some), round(counted, 2)))
    foreign = sum(bool(text_of(each.review)) and each.sentiment is None for each in made.counted)
    if foreign:
        words = "not in English, or in no language that is known: the stars count, the text is not read"
        found.append(Discount("language", words, foreign, float(foreign)))
    return found


def _in_burst(each: Counted) -> bool:
    return each.share < 1.0


def _is_old(each: Counted) -> bool:
    return each.when is not None and each.recency < 0.5


def _is_undated(each: Counted) -> bool:
    return each.when is None


# --- all vendors ------------------------------------------------------------------------------------------------------


def summarise(reviews: Sequence[Review], as_of: datetime, reader: Reader = read) -> dict[str, VendorSummary]:
    """Vendor → summary of these reviews at ``as_of`` (UTC when it has no zone), for every vendor with a review.

    ``reviews`` must be those of *all* vendors: the level of each source and how vendors differ are learnt from all of
    them. Their order changes nothing, nor does a review that repeats another one, but for its being counted as such.
    ``reader``: what classifies the texts; ``keeping(store)`` spares those that were classified before.
    """
    as_of = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of.astimezone(UTC)
    by_vendor: dict[str, list[Review]] = {}
    for review in reviews:
        by_vendor.setdefault(review.vendor, []).append(review)
    drafts = [_draft(vendor, by_vendor[vendor], as_of, reader) for vendor in sorted(by_vendor)]
    samples = [each for draft in drafts for each in draft.samples]
    stars = ratings.pool(samples) if samples else None
    tone = _tone(drafts)
    return {draft.vendor: _summary(draft, stars, tone, as_of) for draft in drafts}


def _tone(drafts: Sequence[_Draft]) -> Pool | None:
    """How much more favourably people write at one source than at another, learnt from vendors with both."""
    samples, variances = [], []
    for draft in drafts:
        for source in sorted({each.review.source for each in draft.counted}):
            some = [each for each in draft.counted if each.review.source == source and each.sentiment is not None]
            worth = _worth(some)
            if worth < SMALL:
                continue
            counts = _weighed(some, [each.sentiment.label for each in some if each.sentiment is not None], worth)
            value, low, high = correction.share_positive(counts, model().confusion)
            samples.append(Sample(draft.vendor, source, len(some), worth, value, value * (1 - value)))
            variances.append(max(((high - low) / (2 * NORMAL_QUANTILE)) ** 2, 1e-6))
    return ratings.pool(samples, variances) if samples else None


def _worth(some: Sequence[Counted]) -> float:
    return ratings.effective([each.recency for each in some], [each.share for each in some])


def _weighed(some: Sequence[Counted], labels: Sequence[str], worth: float) -> tuple[float, float, float]:
    """Texts by label, weighted, and scaled to as many as they are worth."""
    total = math.fsum(each.weight for each in some)
    positive, neutral, negative = (
        worth * math.fsum(each.weight for each, label in zip(some, labels, strict=True) if label == wanted) / total
        for wanted in LABELS
    )
    return positive, neutral, negative


def _summary(draft: _Draft, stars: Pool | None, tone: Pool | None, as_of: datetime) -> VendorSummary:
    dated = sorted(
        (each for each in draft.stored if moment(each.written)), key=lambda each: (moment(each.written), each.written)
    )
    rating, weights = _rating(draft, stars)
    texts = [(each, each.sentiment.label) for each in draft.counted if each.sentiment is not None]
    last_text = _last(review for review in draft.stored if text_of(review))
    return VendorSummary(
        vendor=draft.vendor,
        as_of=as_of.isoformat().replace("+00:00", "Z"),
        reviews=len(draft.stored),
        counted=tuple(draft.counted),
        first=dated[0].written if dated else "",
        last=dated[-1].written if dated else "",
        rating=rating,
        sentiment=_share("sentiment", texts, FEWEST_TEXTS, model().confusion, tone, last_text),
        aspects={
            name: _share(
                name,
                [(each, each.aspects[name]) for each in draft.counted if name in each.aspects],
                FEWEST_MENTIONS,
                model().aspect_confusion.get(name, model().confusion),
                tone,
                last_text,
            )
            for name in ASPECTS
        },
        sources=_sources(draft, weights, stars),
        trend=_trend(draft.counted),
        discounts=tuple(draft.discounts),
        bursts=tuple(draft.bursts),
    )


def _last(reviews: Iterable[Review]) -> str:
    """Date of the newest, repeated ones too: it never moves back, so that a new figure always takes the place of an
    older one in the store."""
    dated = [(when, review.written) for review in reviews if (when := moment(review.written)) is not None]
    return max(dated)[1] if dated else "undated"


def _mix(some: Iterable[Review]) -> dict[str, int]:
    return dict(sorted(Counter(review.source for review in some).items(), key=lambda each: (-each[1], each[0])))


def _too_few(n: int, word: str, needed: int) -> str:
    return f"{how_many(n, word)}; {needed} are needed"


# --- figures ----------------------------------------------------------------------------------------------------------


def _rating(draft: _Draft, stars: Pool | None) -> tuple[Figure, Mapping[str, float]]:
    rated = [each for each in draft.counted if each.review.rating is not None]
    n = len(rated)
    plain = math.fsum(each.review.rating or 0.0 for each in rated) / n if n else None
    last = _last(review for review in draft.stored if review.rating is not None)
    missing = Figure(
        f"{PREFIX}rating", "stars", None, None, None, n, _worth(rated), plain, _mix(each.review for each in rated),
        _too_few(n, "star rating", FEWEST_RATINGS), TOO_FEW, observed=last,
    )  # fmt: skip
    if stars is None or n < FEWEST_RATINGS:
        return missing, {}
    found = ratings.estimate(draft.samples, stars)
    return (
        dataclasses.replace(
            missing,
            value=found.value,
            low=found.low,
            high=found.high,
            effective=found.effective,
            cause=None,
            detail=_rating_words(found, stars, plain or 0.0),
        ),
        found.weights,
    )


def _rating_words(found: ratings.Estimate, stars: Pool, plain: float) -> str:
    parts = [f"{how_many(found.n, 'rating')} worth {found.effective:.0f} of today, plain mean {plain:.2f}"]
    centred = [source for source in found.weights if abs(stars.offsets.get(source, 0.0)) >= 0.005]
    if centred:
        levels = ", ".join(f"{source} {stars.offsets[source]:+.2f}" for source in sorted(centred))
        parts.append(f"each source's level taken out ({levels})")
    alone = [source for source in sorted(found.weights) if source in stars.uncompared]
    if alone and stars.vendors > 1 and len(stars.within) > 1:
        parts.append(f"{', '.join(alone)}: no other vendor has ratings there, so its level is taken for average")
    if stars.between is None:
        parts.append("no other vendor has ratings, so it stands as it is, drawn to nothing")
    elif stars.between == 0:
        parts.append(f"chance explains all differences between {stars.vendors} vendors, so all have the same rating")
    else:
        few = ", which so few vendors tell roughly" if stars.vendors < 4 else ""
        parts.append(
            f"drawn by {100 * found.drawn:.0f} % to {stars.level:.2f}, the level of {stars.vendors} vendors "
            f"(m = {stars.m:.1f}{few})"
        )
    return "; ".join(parts)


def _share(
    name: str,
    labelled: Sequence[tuple[Counted, str]],
    needed: int,
    confusion: Matrix,
    tone: Pool | None,
    observed: str,
) -> Figure:
    some, labels = [each for each, _ in labelled], [label for _, label in labelled]
    n, worth = len(some), _worth(some)
    tally = Counter(labels)
    counts = (tally["positive"], tally["neutral"], tally["negative"])
    word = "text" if name == "sentiment" else "mention"
    missing = Figure(
        f"{PREFIX}{name}", "%", None, None, None, n, worth, 100 * counts[0] / n if n else None,
        _mix(each.review for each in some), _too_few(n, word, needed), TOO_FEW, counts, observed,
    )  # fmt: skip
    if n < needed:
        return missing
    value, low, high = correction.share_positive(_weighed(some, labels, worth), confusion)
    parts = [
        f"{how_many(n, word)} worth {worth:.0f} of today: {counts[0]:,} positive, {counts[1]:,} neutral, "
        f"{counts[2]:,} negative as classified; {100 * value:.0f} % positive after the classifier's errors"
    ]
    if tone is not None and tone.vendors > 1:
        total = math.fsum(each.weight for each in some)
        mix: dict[str, float] = {}
        for each in some:
            mix[each.review.source] = mix.get(each.review.source, 0.0) + each.weight / total
        moved, variance = tone.mixed(mix)
        if moved or variance:
            if abs(moved) >= 0.005:
                much = how_many(round(100 * abs(moved)), "point")
                how = "more" if moved > 0 else "less"
                parts.append(
                    f"people write {much} {how} favourably at these sources than on average, which is taken out"
                )
            below, above = (
                math.hypot(reach, NORMAL_QUANTILE * math.sqrt(variance)) for reach in (value - low, high - value)
            )
            value -= moved
            low, high = value - below, value + above
    value, low, high = (min(max(each, 0.0), 1.0) for each in (value, low, high))
    return dataclasses.replace(
        missing, value=100 * value, low=100 * low, high=100 * high, cause=None, detail="; ".join(parts)
    )


def _sources(draft: _Draft, weights: Mapping[str, float], stars: Pool | None) -> tuple[Source, ...]:
    found = []
    for name, count in _mix(draft.stored).items():
        some = [each for each in draft.counted if each.review.source == name]
        given = [each.review.rating for each in some if each.review.rating is not None]
        dated = sorted(
            (when, review.written)
            for review in draft.stored
            if review.source == name and (when := moment(review.written)) is not None
        )
        found.append(
            Source(
                name,
                count,
                len(some),
                len(given),
                sum(each.sentiment is not None for each in some),
                math.fsum(given) / len(given) if given else None,
                dated[0][1] if dated else "",
                dated[-1][1] if dated else "",
                weights.get(name),
                stars.offsets.get(name) if stars is not None and given else None,
            )
        )
    return tuple(found)


def _trend(counted: Sequence[Counted]) -> tuple[Quarter, ...]:
    """By quarter, the empty ones between included; undated reviews and those of which only the year is known are not
    in it."""
    quarters: dict[int, list[Counted]] = {}
    for each in counted:
        if each.when is not None and len(each.review.written) > 4:
            quarters.setdefault(each.when.year * 4 + (each.when.month - 1) // 3, []).append(each)
    if not quarters:
        return ()
    return tuple(_quarter(number, quarters.get(number, [])) for number in range(min(quarters), max(quarters) + 1))


def _quarter(number: int, some: Sequence[Counted]) -> Quarter:
    rated = [each for each in some if each.review.rating is not None]
    tally = Counter(each.sentiment.label for each in some if each.sentiment is not None)
    mean = low = high = None
    if rated:
        shares = [each.share for each in rated]
        found = ratings.sample("", "", [each.review.rating or 0.0 for each in rated], [1.0] * len(rated), shares)
        mean = found.mean
        if found.effective > 1.5:
            spread = (found.effective * found.spread + ratings.TYPICAL_DEGREES * ratings.TYPICAL_VARIANCE) / (
                found.effective - 1 + ratings.TYPICAL_DEGREES
            )
            degrees = found.effective - 1 + ratings.TYPICAL_DEGREES
            reach = student_t(degrees) * math.sqrt(spread / found.effective)
            low, high = max(ratings.LOWEST, mean - reach), min(ratings.HIGHEST, mean + reach)
    return Quarter(
        f"{number // 4}-Q{number % 4 + 1}", len(some), len(rated), mean, low, high,
        tally["positive"], tally["neutral"], tally["negative"],
    )  # fmt: skip


# --- evidence ---------------------------------------------------------------------------------------------------------


def observations(summary: VendorSummary) -> list[Observation]:
    """What scoring sees of a summary: one observation a metric, with n and interval, or with its cause.

    Dated like the newest review behind it, so that evidence of long ago ages whenever it was imported. Rounded, so that
    a day's passing alone changes nothing.
    """
    found = []
    for figure in summary.figures:
        digits = 3 if figure.unit == "stars" else 2
        mix = ", ".join(f"{source} {count:,}" for source, count in figure.sources.items())
        versions = (("reviews", VERSION),)
        found.append(
            Observation(
                vendor=summary.vendor,
                metric=figure.metric,
                value=_rounded(figure.value, digits),
                kind="reviewed",
                source=f"reviews: {mix}" if mix else "reviews",
                observed=figure.observed or "undated",
                cause=figure.cause,
                detail=figure.detail,
                unit=figure.unit,
                n=figure.n,
                low=_rounded(figure.low, digits),
                high=_rounded(figure.high, digits),
                versions=versions if figure.unit == "stars" else (*versions, ("sentiment", model().version)),
            )
        )
    return found


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def refresh(store: Store, as_of: datetime) -> int:
    """Sum up all reviews in the store anew and store the observations that changed, of whichever vendor; returns how
    many. To be called after reviews were added."""
    summaries = summarise(store.reviews(), as_of, keeping(store))
    made = [observation for summary in summaries.values() for observation in observations(summary)]
    vendors = sorted({observation.vendor for observation in made})
    known = {
        key: evidence[0].current
        for key, evidence in newest(each for each in store.observations(vendors) if each.kind == "reviewed").items()
    }
    return store.add_observations([each for each in made if known.get((each.vendor, each.kind, each.metric)) != each])


# --- quotations -------------------------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")
_WORD = re.compile(r"[^\W\d_]{4,}")
_CLEAR = 0.7
_SHORTEST, _LONGEST = 25, 280
_LOOKED_AT = 25


def quotations(summary: VendorSummary, reader: Reader = read) -> tuple[Quotation, ...]:
    """One sentence for each aspect and label (positive, negative), and for the whole, chosen by rule.

    Of the newest 25 reviews of that aspect and label, the sentences of 25 to 280 characters that say it clearly (the
    classifier gives the label, with a probability of 0.7 or more); of these the most typical one: the one whose longer
    words the others share most. No review is quoted twice.
    """
    by_topic: dict[tuple[str, str], list[Counted]] = {}
    for each in sorted(summary.counted, key=_newest_first):
        if each.sentiment is None:
            continue
        for topic in (*each.aspects.items(), ("", each.sentiment.label)):
            if topic[1] != "neutral":
                by_topic.setdefault(topic, []).append(each)
    sentences: dict[str, list[tuple[Counted, int]]] = {}
    for some in by_topic.values():
        for each in some[:_LOOKED_AT]:
            for place, sentence in enumerate(_sentences(each.review)):
                sentences.setdefault(sentence, []).append((each, place))
    meant = dict(zip(sentences, reader(list(sentences)), strict=True))
    found, used = [], set()
    for topic in [(aspect, label) for aspect in ("", *ASPECTS) for label in ("positive", "negative")]:
        aspect, label = topic
        place = LABELS.index(label)
        candidates = []
        for each in by_topic.get(topic, [])[:_LOOKED_AT]:
            for sentence in _sentences(each.review):
                sentiment, about = meant[sentence]
                fits = about.get(aspect) == label if aspect else sentiment.label == label
                if fits and sentiment.probabilities[place] >= _CLEAR:
                    candidates.append((each, sentence, sentiment.probabilities[place]))
        common = Counter(word for _, sentence, _ in candidates for word in set(_WORD.findall(sentence.casefold())))
        best = None
        for each, sentence, clarity in candidates:
            if (each.review.source, each.review.id) in used:
                continue
            words = set(_WORD.findall(sentence.casefold()))
            typical = sum(common[word] for word in words) / len(words) if words else 0.0
            if best is None or typical > best[0]:
                best = (typical, each, sentence, clarity)
        if best is not None:
            _, each, sentence, clarity = best
            review = each.review
            used.add((review.source, review.id))
            found.append(
                Quotation(aspect, label, sentence, clarity, review.source, review.url, review.written, review.rating)
            )
    return tuple(found)


def _newest_first(each: Counted) -> tuple[float, str, str]:
    return -each.when.timestamp() if each.when is not None else math.inf, each.review.source, each.review.id


def _sentences(review: Review) -> list[str]:
    parts = (part.strip() for part in _SENTENCE.split(review.text or review.title))
    return [part for part in parts if _SHORTEST <= len(part) <= _LONGEST]


# --- for programs -----------------------------------------------------------------------------------------------------


def to_json(summary: VendorSummary, reader: Reader = read) -> dict[str, Any]:
    """The summary without single reviews but for quotations, ready for JSON."""
    return {
        "vendor": summary.vendor,
        "as_of": summary.as_of,
        "reviews": summary.reviews,
        "counted": len(summary.counted),
        "first": summary.first or None,
        "last": summary.last or None,
        "rating": _figure_json(summary.rating),
        "sentiment": _figure_json(summary.sentiment),
        "aspects": {name: _figure_json(figure) for name, figure in summary.aspects.items()},
        "sources": [dataclasses.asdict(each) for each in summary.sources],
        "trend": [dataclasses.asdict(each) for each in summary.trend],
        "discounted": [dataclasses.asdict(each) for each in summary.discounts],
        "bursts": [dataclasses.asdict(each) for each in summary.bursts],
        "quotations": [dataclasses.asdict(each) for each in quotations(summary, reader)],
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    counts = None if figure.counts is None else dict(zip(LABELS, figure.counts, strict=True))
    return dataclasses.asdict(figure) | {"sources": dict(figure.sources), "counts": counts}
