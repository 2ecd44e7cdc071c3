"""Ways to make one figure of a vendor's star ratings, beside each other on simulated vendors whose quality is known.

python -m bench ratings
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bench.measuring import progress
from bench.tables import Table
from mailrubric import intervals
from mailrubric.reviews import ratings

FloatArray = npt.NDArray[np.float64]

VENDORS, PROBLEMS, YEARS = 10, 1500, 4.0
QUALITY, SPREAD, NOISE, DRIFT = 4.0, 0.55, 1.1, 0.6
FEWEST, MOST = 4, 400
_STARS = np.arange(1, 6, dtype=np.float64)


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """``ages``, ``stars``: of each vendor's reviews, in days and from 1 to 5. ``truth``: mean stars that an honest
    review of today would give each vendor, (VENDORS,)."""

    ages: list[FloatArray]
    stars: list[FloatArray]
    truth: FloatArray


def problem(random: np.random.Generator, *, drift: bool, burst: bool) -> Problem:
    """Very uneven numbers of reviews over some years; with ``drift`` every vendor's quality moves steadily to its own
    end; with ``burst`` one vendor got half as many five-star reviews again within one week of the last year."""
    today = random.normal(QUALITY, SPREAD, VENDORS)
    past = today + (random.normal(0.0, DRIFT, VENDORS) if drift else 0.0)
    ages, stars = [], []
    bought = int(random.integers(VENDORS)) if burst else -1
    for vendor in range(VENDORS):
        count = int(np.exp(random.uniform(np.log(FEWEST), np.log(MOST))))
        age = random.uniform(0.0, YEARS, count)
        mean = today[vendor] + (past[vendor] - today[vendor]) * age / YEARS
        given = np.clip(np.rint(random.normal(mean, NOISE)), 1, 5)
        days = age * 365.25
        if vendor == bought:
            more = max(2, count // 2)
            days = np.concatenate([days, random.uniform(0, 51) * 7 + random.uniform(0, 7, more)])
            given = np.concatenate([given, np.full(more, 5.0)])
        ages.append(days)
        stars.append(given)
    return Problem(ages, stars, _mean_stars(today))


def _mean_stars(quality: FloatArray) -> FloatArray:
    """Mean of the stars that reviews of this quality give: the normal curve cut into whole stars."""
    from math import erf, sqrt

    def below(edge: float, mean: float) -> float:
        return 0.5 * (1 + erf((edge - mean) / (NOISE * sqrt(2))))

    return np.array([5.0 - sum(below(edge, mean) for edge in (1.5, 2.5, 3.5, 4.5)) for mean in quality.tolist()])


# --- estimators: (VENDORS,) values, and the lower and upper bounds where they have any --------------------------------

Answer = tuple[FloatArray, FloatArray | None, FloatArray | None]


def raw(given: Problem) -> Answer:
    """Plain means."""
    return np.array([stars.mean() for stars in given.stars]), None, None


def fixed(given: Problem) -> Answer:
    """The formula of a film site: as if each vendor had 25 reviews more at the mean of all."""
    mean = np.concatenate(given.stars).mean()
    return np.array([ratings.shrunk(stars.mean(), len(stars), mean, 25) for stars in given.stars]), None, None


def wilson(given: Problem) -> Answer:
    """Lower bound (95 %) of the share of four and five stars (Wilson 1927)."""
    return np.array([intervals.wilson(int((stars >= 4).sum()), len(stars))[0] for stars in given.stars]), None, None


def ours(half_life: float, *, cap: bool) -> Callable[[Problem], Answer]:
    """Empirical Bayes with this half-life and, if asked for, the cap on bursts: the product's own functions."""

    def estimator(given: Problem) -> Answer:
        samples = []
        for vendor, (ages, stars) in enumerate(zip(given.ages, given.stars, strict=True)):
            fresh = ratings.recency(ages, half_life)
            # Ages count backwards; for whole weeks it does not matter.
            shares, _ = ratings.cap_bursts((ages // 7).astype(int).tolist()) if cap else (np.ones(len(ages)), [])
            samples.append(ratings.sample(f"{vendor:02}", "one", stars, fresh, shares))
        found, _ = ratings.estimates(samples)
        each = [found[f"{vendor:02}"] for vendor in range(VENDORS)]
        return np.array([e.value for e in each]), np.array([e.low for e in each]), np.array([e.high for e in each])

    return estimator


ESTIMATORS: dict[str, Callable[[Problem], Answer]] = {
    "plain mean": raw,
    "fixed prior, m = 25 (IMDb)": fixed,
    "Wilson lower bound of 4 stars and more": wilson,
    "empirical Bayes, m = s²/τ²": ours(float("inf"), cap=False),
    "the same, half-life 365 days": ours(365.0, cap=False),
    "the same, half-life 730 days": ours(730.0, cap=False),
    "the same, no half-life, weekly cap of 3 medians": ours(float("inf"), cap=True),
    "ours: half-life 730 days, weekly cap of 3 medians": ours(ratings.HALF_LIFE_DAYS, cap=True),
}


def kendall(one: FloatArray, other: FloatArray) -> float:
    """Kendall's tau-b of two orders of the same things."""
    upper = np.triu_indices(len(one), 1)
    left, right = (np.sign(each[:, None] - each[None, :])[upper] for each in (one, other))
    return float((left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum()))


def table() -> Table:
    """The section of the document."""
    scenes = {
        "no drift": {"drift": False, "burst": False},
        "drift": {"drift": True, "burst": False},
        "drift and a burst": {"drift": True, "burst": True},
    }
    result = Table(
        ("estimator", *scenes, "95 % intervals that hold the truth"),
        f"{PROBLEMS:,} problems a column: {VENDORS} vendors with {FEWEST} to {MOST} reviews each (logarithmically "
        f"even) over {YEARS:g} years, whole stars. Quality today N({QUALITY:g}, {SPREAD:g}²), one review's noise "
        f"{NOISE:g}, so that s²/τ² is about {NOISE**2 / SPREAD**2:.0f}; with drift quality was another by "
        f"N(0, {DRIFT:g}²) {YEARS:g} years ago; the burst is half as many five-star reviews again for one vendor in "
        "one week of the last year. In each cell Kendall's tau with the true order of today, then how often the best "
        "vendor comes first; the last column has the three scenes in turn.",
    )
    scores: dict[str, dict[str, list[float]]] = {name: {scene: [] for scene in scenes} for name in ESTIMATORS}
    firsts: dict[str, dict[str, list[bool]]] = {name: {scene: [] for scene in scenes} for name in ESTIMATORS}
    held: dict[str, dict[str, list[float]]] = {name: {scene: [] for scene in scenes} for name in ESTIMATORS}
    for number, (scene, options) in enumerate(scenes.items()):
        progress(f"ratings: {scene}")
        for seed in range(PROBLEMS):
            given = problem(np.random.default_rng((number, seed)), **options)
            for name, estimator in ESTIMATORS.items():
                values, low, high = estimator(given)
                scores[name][scene].append(kendall(values, given.truth))
                firsts[name][scene].append(int(values.argmax()) == int(given.truth.argmax()))
                if low is not None and high is not None:
                    held[name][scene].append(float(((low <= given.truth) & (given.truth <= high)).mean()))
    for name in ESTIMATORS:
        cells = [f"{np.mean(scores[name][scene]):.3f} / {np.mean(firsts[name][scene]):.3f}" for scene in scenes]
        covered = ", ".join(f"{100 * np.mean(held[name][scene]):.0f} %" for scene in scenes if held[name][scene])
        result.rows.append((name, *cells, covered))
    error = 1.0 / np.sqrt(PROBLEMS)
    widest = max(float(np.std(each)) for by in scores.values() for each in by.values())
    result.notes.append(
        f"Standard errors: at most {widest * error:.3f} of tau and {0.5 * error:.3f} of first places; the same "
        "problems for all estimators, so differences between them are surer than that."
    )
    result.notes.append(
        "Intervals know of chance, of the other vendors and of uncertain levels, not of change since a review was "
        "written: where quality drifts or reviews are bought they hold the truth less often than they say."
    )
    return result
