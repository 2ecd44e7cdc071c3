"""From single ratings to one figure a vendor: how much each review counts, what sources have in common, how far few
reviews can be trusted. Pure functions over numbers; nothing here knows of texts or of a store.

A review counts by two weights. Its *recency* halves every 730 days. Its *share* is below 1 when it came in a burst: a
week in which a vendor got more than three times as many reviews from one source as in its median week counts as three
median weeks, shared out evenly. Of n reviews with recency r and share f the effective number is (Σ r f)² / Σ r² f,
which without bursts is Kish's (Σw)² / Σw²; forty invited reviews of one week are three opinions, not forty.

Vendors are compared by one model: the mean of vendor v's reviews at source s is a_s + t_v + e, where a_s is the level
of the source (people rate higher at one place than at another), t_v ~ N(0, τ²) the vendor, and e ~ N(0, s²/n) chance.
s² is estimated from the differences among reviews of one vendor at one source; τ² by restricted maximum likelihood,
multiplied by τ² from four vendors on (Morris and Tang 2011), since an estimate of exactly 0, which chance often gives,
would make all vendors alike with unjustified certainty. With one source the estimate is the well-known
(n·mean + m·prior) / (n + m) with m = s²/τ² (Efron and Morris 1975), so that m, which fixed-prior formulas choose by
hand, comes from the data; with several, each mean is centred by its source's level and they are combined by inverse
variance first. Intervals are those of Prasad and Rao (1990): chance, the uncertainty of the levels, and that of τ².

So every vendor's figure depends on all vendors' reviews, and changes a little when others' do.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mailrubric.intervals import LEVEL, student_t

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

HALF_LIFE_DAYS = 730.0
"""Days after which a review counts half."""

UNDATED_HALF_LIVES = 2.0
"""An undated review counts as if it were so many half-lives old (a quarter), as undated claims do."""

BURST_FACTOR = 3.0
"""A week counts at most so many times the median of the weeks that have reviews."""

NO_WEEK = -1
"""Week number of a review whose day is not known."""

TYPICAL_VARIANCE = 1.0
TYPICAL_DEGREES = 3.0
"""Before there are reviews, s² is taken to be 1 (a standard deviation of one star), with the weight of three reviews:
three times five stars do not prove that nobody will ever give four. Dozens of reviews outweigh it."""

LOWEST, HIGHEST = 1.0, 5.0


# --- how much a review counts -----------------------------------------------------------------------------------------


def recency(age_days: npt.ArrayLike, half_life: float = HALF_LIFE_DAYS) -> FloatArray:
    """0.5^(age / half-life) of each age in days; NaN stands for an undated review, a negative age for none."""
    ages = np.asarray(age_days, dtype=np.float64)
    halvings = np.where(np.isnan(ages), UNDATED_HALF_LIVES, np.maximum(ages, 0.0) / half_life)
    weights: FloatArray = np.exp2(-halvings)
    return weights


@dataclasses.dataclass(frozen=True, slots=True)
class Burst:
    """A week with far more reviews than usual. ``week``: its Monday (``2026-03-02``). ``count``: its reviews;
    ``expected``: those of the vendor's median week at that source; ``counted``: as how many they count."""

    source: str
    week: str
    count: int
    expected: float
    counted: float


def week_of(day: datetime.date) -> int:
    """Number of the week that a day is in: weeks begin on Mondays, counted from the year 1."""
    return (day.toordinal() - 1) // 7


def monday_of(week: int) -> datetime.date:
    """First day of a week."""
    return datetime.date.fromordinal(week * 7 + 1)


def cap_bursts(weeks: Sequence[int], source: str = "", factor: float = BURST_FACTOR) -> tuple[FloatArray, list[Burst]]:
    """(share of each review that counts, the bursts in the order of time) of one vendor's reviews at one source.

    ``weeks``: number of each review's week, or ``NO_WEEK``, which is no week and never a burst. What is usual is the
    median over the weeks that have reviews; the week in question is one of them, so that with fewer than three weeks
    nothing is a burst.
    """
    numbers: IntArray = np.asarray(weeks, dtype=np.int64)
    shares = np.ones(len(numbers))
    known = numbers[numbers != NO_WEEK]
    if not len(known):
        return shares, []
    present, counts = np.unique(known, return_counts=True)
    usual = float(np.median(counts))
    most = factor * usual
    found = []
    for week, count in zip(present.tolist(), counts.tolist(), strict=True):
        if count > most:
            shares[numbers == week] = most / count
            found.append(Burst(source, monday_of(week).isoformat(), count, usual, most))
    return shares, found


def effective(recencies: npt.ArrayLike, shares: npt.ArrayLike) -> float:
    """(Σ r f)² / Σ r² f: how many equally fresh reviews these are worth; 0 for none."""
    r, f = np.asarray(recencies, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    squares = _sum(r * r * f)
    return _sum(r * f) ** 2 / squares if squares > 0 else 0.0


def _sum(values: npt.ArrayLike) -> float:
    """Exactly rounded, so that the order of the reviews changes not even the last digit."""
    return math.fsum(np.asarray(values, dtype=np.float64).tolist())


# --- samples ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One vendor's reviews at one source. ``n``: how many; ``effective``: what they are worth; ``mean``: weighted;
    ``spread``: weighted mean square of the differences from it."""

    vendor: str
    source: str
    n: int
    effective: float
    mean: float
    spread: float


def sample(vendor: str, source: str, values: npt.ArrayLike, recencies: npt.ArrayLike, shares: npt.ArrayLike) -> Sample:
    """The sample of these values, all three of shape (n,) with n ≥ 1."""
    x = np.asarray(values, dtype=np.float64)
    r, f = np.asarray(recencies, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    weights = r * f
    total = _sum(weights)
    if not len(x) or total <= 0:
        raise ValueError("a sample needs at least one review that counts")
    mean = min(max(_sum(weights * x) / total, float(x.min())), float(x.max()))
    spread = _sum(weights * (x - mean) ** 2) / total
    return Sample(vendor, source, len(x), effective(r, f), mean, spread)


# --- the model over all vendors ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """What all vendors together tell about any one of them.

    ``level``: the mean of vendors at the average source, to which few reviews are drawn. ``between``: τ², None when
    there is one vendor only, from whom nothing can be learnt about others. ``within``: s² of each source. ``degrees``:
    of freedom behind s². ``offsets``: how much higher (or lower) people rate at a source than at the average one, for
    sources at which at least two vendors have reviews; ``uncompared``: the others, whose level is taken as average.
    ``uncertainty``: variance of the estimate of τ².
    """

    level: float
    between: float | None
    within: Mapping[str, float]
    degrees: float
    offsets: Mapping[str, float]
    uncompared: tuple[str, ...]
    vendors: int
    uncertainty: float = 0.0
    _compared: tuple[str, ...] = ()
    _shares: FloatArray = dataclasses.field(default_factory=lambda: np.ones(1))
    _covariance: FloatArray = dataclasses.field(default_factory=lambda: np.zeros((1, 1)))

    @property
    def m(self) -> float | None:
        """s²/τ²: how many reviews the other vendors' experience is worth. Infinite when vendors do not differ beyond
        chance, None with one vendor."""
        if self.between is None:
            return None
        mean = sum(self.within.values()) / len(self.within)
        return mean / self.between if self.between > 0 else math.inf

    def row(self, source: str) -> FloatArray:
        """The weights of the compared sources' levels that make this source's level."""
        if source in self._compared:
            found = np.zeros(len(self._compared))
            found[self._compared.index(source)] = 1.0
            return found
        return self._shares

    def mixed(self, weights: Mapping[str, float]) -> tuple[float, float]:
        """(how much higher people rate in this mixture of sources than in everybody's, variance of that)."""
        offset = math.fsum(weight * self.offsets.get(source, 0.0) for source, weight in sorted(weights.items()))
        away = sum((weight * self.row(source) for source, weight in sorted(weights.items())), -self._shares)
        return offset, float(away @ self._covariance @ away)


def pool(samples: Sequence[Sample], variances: Sequence[float] | None = None) -> Pool:
    """The model fitted to all samples (at least one; one for each vendor and source).

    ``variances``: of each sample's mean, where it is known otherwise (for shares); default s² / effective number.
    """
    if not samples:
        raise ValueError("there is no review")
    order = sorted(range(len(samples)), key=lambda index: (samples[index].vendor, samples[index].source))
    ordered = [samples[index] for index in order]
    within, degrees = _within(ordered)
    known = (
        np.array([variances[index] for index in order])
        if variances is not None
        else np.array([within[each.source] / each.effective for each in ordered])
    )
    vendors = sorted({each.vendor for each in ordered})
    at_source: dict[str, dict[str, float]] = {}
    for each in ordered:
        at_source.setdefault(each.source, {})[each.vendor] = each.effective
    compared = tuple(source for source, seen in sorted(at_source.items()) if len(seen) > 1)
    uncompared = tuple(source for source in sorted(at_source) if source not in compared)
    size = np.array([math.fsum(at_source[source].values()) for source in compared]) if compared else np.ones(1)
    shares = size / size.sum()
    draft = Pool(0.0, None, within, degrees, {}, uncompared, len(vendors), 0.0, compared, shares)
    rows = np.array([draft.row(each.source) for each in ordered])
    means = np.array([each.mean for each in ordered])
    owners = np.array([vendors.index(each.vendor) for each in ordered])
    fit = _Fit(rows, means, 1.0 / known, owners, len(vendors))
    between = fit.between() if len(vendors) > 1 else None
    levels, covariance = fit.levels(between or 0.0)
    level = float(shares @ levels)
    # What one vendor's own mean is worth, for the uncertainty of τ² (information of its likelihood).
    spread = (between or 0.0) + 1.0 / np.bincount(owners, 1.0 / known)
    return dataclasses.replace(
        draft,
        level=level,
        between=between,
        offsets={source: float(each) - level for source, each in zip(compared, levels.tolist(), strict=False)},
        uncertainty=2.0 / float((spread**-2).sum()) if between is not None else 0.0,
        _covariance=covariance,
    )


def _within(samples: Sequence[Sample]) -> tuple[dict[str, float], float]:
    """(s² of each source, degrees of freedom). A source with few reviews leans on all of them."""
    squares: dict[str, list[float]] = {}
    degrees: dict[str, list[float]] = {}
    for each in samples:
        squares.setdefault(each.source, []).append(each.effective * each.spread)
        degrees.setdefault(each.source, []).append(max(0.0, each.effective - 1.0))
    total = math.fsum(value for values in degrees.values() for value in values)
    overall = (
        math.fsum(value for values in squares.values() for value in values) + TYPICAL_DEGREES * TYPICAL_VARIANCE
    ) / (total + TYPICAL_DEGREES)
    lean = 10.0
    return {
        source: (math.fsum(squares[source]) + lean * overall) / (math.fsum(degrees[source]) + lean)
        for source in squares
    }, total


class _Fit:
    """Generalised least squares with one random effect a vendor. The variance of the means is block diagonal, one block
    a vendor, each a diagonal plus τ² everywhere; so its inverse is known in closed form (Woodbury)."""

    def __init__(
        self, rows: FloatArray, means: FloatArray, precisions: FloatArray, owners: IntArray, vendors: int
    ) -> None:
        self.adjusted = vendors - rows.shape[1] > 2
        self.vendor_precision = np.bincount(owners, precisions, vendors)
        self.vendor_rows = np.zeros((vendors, rows.shape[1]))
        np.add.at(self.vendor_rows, owners, rows * precisions[:, None])
        self.vendor_means = np.bincount(owners, precisions * means, vendors)
        self.rows_rows = (rows * precisions[:, None]).T @ rows
        self.rows_means = (rows * precisions[:, None]).T @ means
        self.means_means = float(precisions @ means**2)

    def _normal(self, between: float) -> tuple[FloatArray, FloatArray, float, float]:
        less = between / (1.0 + between * self.vendor_precision)
        matrix = self.rows_rows - (self.vendor_rows * less[:, None]).T @ self.vendor_rows
        right = self.rows_means - self.vendor_rows.T @ (less * self.vendor_means)
        squares = self.means_means - float(less @ self.vendor_means**2)
        return matrix, right, squares, float(np.log1p(between * self.vendor_precision).sum())

    def levels(self, between: float) -> tuple[FloatArray, FloatArray]:
        """(level of each compared source, covariance of these estimates)."""
        matrix, right, _, _ = self._normal(between)
        covariance = np.asarray(np.linalg.pinv(matrix, hermitian=True), dtype=np.float64)
        return covariance @ right, covariance

    def likelihood(self, between: float) -> float:
        """Twice the restricted log-likelihood, adjusted by τ² where there are enough vendors, but for a constant."""
        if self.adjusted and between <= 0:
            return -math.inf
        matrix, right, squares, logarithm = self._normal(between)
        sign, determinant = np.linalg.slogdet(matrix)
        if sign <= 0:
            return -math.inf
        residual = squares - float(right @ np.linalg.solve(matrix, right))
        twice = -(logarithm + float(determinant) + residual)
        return twice + 2.0 * math.log(between) if self.adjusted and between > 0 else twice

    def between(self) -> float:
        """τ² at which the likelihood is highest; 0 when it falls from there on."""
        spread = self.vendor_means / self.vendor_precision
        largest = 4.0 * (float(np.ptp(spread)) ** 2 + 1.0 / float(self.vendor_precision.min()))
        tried = [0.0, *np.geomspace(largest * 1e-6, largest, 25).tolist()]
        found = [self.likelihood(each) for each in tried]
        best = int(np.argmax(found))
        low, high = tried[max(0, best - 1)], tried[min(len(tried) - 1, best + 1)]
        golden = (math.sqrt(5.0) - 1.0) / 2.0
        for _ in range(30):
            left, right = high - golden * (high - low), low + golden * (high - low)
            if self.likelihood(left) >= self.likelihood(right):
                high = right
            else:
                low = left
        middle = (low + high) / 2.0
        return 0.0 if self.likelihood(0.0) >= self.likelihood(middle) else middle


# --- one vendor -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """``value`` with its 95 % interval. ``own``: the vendor's own mean, centred and combined, before it was drawn to
    the others'. ``drawn``: how far, 0 (not at all) to 1 (the others' level alone). ``weights``: share of each source.
    """

    value: float
    low: float
    high: float
    own: float
    drawn: float
    n: int
    effective: float
    weights: Mapping[str, float]


def shrunk(mean: float, n: float, prior: float, m: float) -> float:
    """(n·mean + m·prior) / (n + m): n reviews of this mean, drawn to what is usual with the weight of m reviews."""
    return prior if math.isinf(m) else (n * mean + m * prior) / (n + m)


def estimate(samples: Sequence[Sample], learnt: Pool, *, level: float = LEVEL) -> Estimate:
    """The rating of one vendor from its samples (one a source) and what was learnt from all vendors.

    The interval is a t interval, cut to the scale from 1 to 5. With one vendor in ``learnt`` nothing is drawn to
    anything; with one review alone in the world the interval is the whole scale. Where τ² is 0 (chance explains all
    differences, which only two or three vendors can show) the value is the others' level, with an interval as wide as
    the vendor's own reviews give.
    """
    ordered = sorted(samples, key=lambda each: each.source)
    precisions = np.array([each.effective / learnt.within[each.source] for each in ordered])
    weights = precisions / precisions.sum()
    centred = np.array([each.mean - learnt.offsets.get(each.source, 0.0) for each in ordered])
    own = float(weights @ centred)
    variance = 1.0 / float(precisions.sum())
    count = math.fsum(each.effective for each in ordered)
    mix = weights @ np.array([learnt.row(each.source) for each in ordered])
    shares, covariance = learnt._shares, learnt._covariance
    # The levels matter only where this vendor's mix of sources differs from everybody's.
    own_only = variance + float((shares - mix) @ covariance @ (shares - mix)) * (learnt.vendors > 1)
    if learnt.between is None:
        value, drawn, total = own, 0.0, own_only
    else:
        drawn = variance / (variance + learnt.between)
        value = shrunk(own, 1.0, learnt.level, drawn / (1.0 - drawn) if drawn < 1.0 else math.inf)
        away = shares - (1.0 - drawn) * mix
        total = (
            learnt.between * drawn
            + float(away @ covariance @ away)
            + 2.0 * learnt.uncertainty * drawn**2 / (variance + learnt.between)
        )
        total = min(total, own_only) if learnt.between > 0 else own_only
    half = student_t(max(1.0, learnt.degrees), level) * math.sqrt(total) if learnt.degrees > 0 else HIGHEST
    value = min(max(value, LOWEST), HIGHEST)
    return Estimate(
        value,
        max(LOWEST, value - half),
        min(HIGHEST, value + half),
        own,
        drawn,
        sum(each.n for each in ordered),
        count,
        {each.source: float(weight) for each, weight in zip(ordered, weights, strict=True)},
    )


def estimates(samples: Iterable[Sample], *, level: float = LEVEL) -> tuple[dict[str, Estimate], Pool]:
    """(vendor → estimate, what was learnt from all) of these samples, one for each vendor and source."""
    given = list(samples)
    learnt = pool(given)
    by_vendor: dict[str, list[Sample]] = {}
    for each in given:
        by_vendor.setdefault(each.vendor, []).append(each)
    return {vendor: estimate(by_vendor[vendor], learnt, level=level) for vendor in sorted(by_vendor)}, learnt
