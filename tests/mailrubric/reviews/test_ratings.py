"""One figure of many ratings: what must never move it, what must move it less than it would like to, how sure it is."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.reviews.ratings import (
    HALF_LIFE_DAYS,
    NO_WEEK,
    Estimate,
    Pool,
    Sample,
    cap_bursts,
    effective,
    estimate,
    estimates,
    monday_of,
    pool,
    recency,
    sample,
    shrunk,
    week_of,
)

STARS = st.integers(1, 5).map(float)
MANY = st.lists(STARS, min_size=1, max_size=40)
unhurried = settings(deadline=None)  # the first interval of a process loads SciPy


def plain(vendor: str, stars: list[float], source: str = "g2") -> Sample:
    """Reviews of today, none in a burst."""
    return sample(vendor, source, stars, np.ones(len(stars)), np.ones(len(stars)))


FIELD = [plain("a", [5, 4, 4, 5, 3, 4]), plain("b", [2, 3, 3, 1, 4]), plain("c", [4, 4, 3, 5]), plain("d", [3, 3, 5])]


# --- weights ----------------------------------------------------------------------------------------------------------


def test_a_review_counts_half_after_two_years_and_an_undated_one_a_quarter() -> None:
    assert recency([0.0, HALF_LIFE_DAYS, 2 * HALF_LIFE_DAYS, math.nan, -3.0]).tolist() == [1.0, 0.5, 0.25, 0.25, 1.0]


def test_weeks_begin_on_mondays() -> None:
    monday = datetime.date(2026, 11, 23)
    assert [week_of(monday + datetime.timedelta(days)) - week_of(monday) for days in (-1, 0, 6, 7)] == [-1, 0, 0, 1]
    assert monday_of(week_of(monday + datetime.timedelta(3))) == monday


def test_a_week_counts_at_most_three_median_weeks_and_is_reported() -> None:
    busy = week_of(datetime.date(2026, 3, 4))
    weeks = [1, 2, 3, 4, 4, *[busy] * 40, NO_WEEK, NO_WEEK]
    shares, (burst,) = cap_bursts(weeks, "g2")
    assert (burst.source, burst.week, burst.count, burst.expected, burst.counted) == ("g2", "2026-03-02", 40, 1.0, 3.0)
    assert shares[5:45].tolist() == [3 / 40] * 40
    assert shares[:5].tolist() == [1.0] * 5
    assert shares[45:].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("weeks", [[], [NO_WEEK] * 9, [7] * 50, [7] * 50 + [8], [1, 2, 3, 3, 3]])
def test_where_nothing_is_unusual_nothing_is_a_burst(weeks: list[int]) -> None:
    shares, found = cap_bursts(weeks)
    assert found == []
    assert shares.tolist() == [1.0] * len(weeks)


def test_a_burst_is_worth_no_more_opinions_than_it_counts() -> None:
    assert effective(np.ones(12), np.ones(12)) == 12
    # Kish's own formula would say 12 here, more than without the forty invited ones.
    assert effective(np.ones(45), [1.0] * 5 + [3 / 40] * 40) == pytest.approx(8)
    w = np.array([1.0, 0.5, 0.25])
    assert effective(w, np.ones(3)) == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert effective([], []) == 0


# --- one vendor, the others held fixed --------------------------------------------------------------------------------


@unhurried
@given(MANY, st.floats(1, 5), st.floats(0.1, 50))
def test_a_review_more_at_the_mean_moves_nothing(stars: list[float], prior: float, m: float) -> None:
    before = shrunk(float(np.mean(stars)), len(stars), prior, m)
    after = shrunk(float(np.mean([*stars, before])), len(stars) + 1, prior, m)
    assert after == pytest.approx(before, abs=1e-9)


@unhurried
@given(MANY, st.integers(0, 39), STARS)
def test_a_better_review_never_lowers_the_value(stars: list[float], place: int, better: float) -> None:
    learnt = pool([*FIELD, plain("e", stars)])
    place %= len(stars)
    raised = [*stars]
    raised[place] = max(raised[place], better)
    assert estimate([plain("e", raised)], learnt).value >= estimate([plain("e", stars)], learnt).value - 1e-12


@unhurried
@given(MANY)
def test_few_reviews_are_drawn_to_the_others_and_never_beyond(stars: list[float]) -> None:
    learnt = pool([*FIELD, plain("e", stars)])
    found = estimate([plain("e", stars)], learnt)
    low, high = sorted((found.own, learnt.level))
    assert low - 1e-12 <= found.value <= high + 1e-12
    assert found.own == pytest.approx(np.mean(stars))
    assert 0 < found.drawn < 1
    assert learnt.m is not None
    assert found.value == pytest.approx(shrunk(found.own, found.effective, learnt.level, learnt.m))


@unhurried
@given(st.integers(1, 6))
def test_the_interval_narrows_with_more_of_the_same(times: int) -> None:
    learnt = pool(FIELD)

    def width(copies: int) -> float:
        found = estimate([plain("e", [3.0, 4.0, 5.0] * copies)], learnt)
        return found.high - found.low

    assert width(times + 1) < width(times)


def test_a_burst_moves_less_than_its_share() -> None:
    quiet = [4.0, 3.0, 4.0, 2.0, 3.0, 4.0, 3.0, 3.0, 4.0, 2.0]
    weeks = list(range(10))
    learnt = pool([*FIELD, plain("e", quiet)])

    def value(*, capped: bool) -> float:
        stars, all_weeks = [*quiet, *[5.0] * 20], [*weeks, *[50] * 20]
        shares = cap_bursts(all_weeks)[0] if capped else np.ones(30)
        return estimate([sample("e", "g2", stars, np.ones(30), shares)], learnt).value

    before = estimate([plain("e", quiet)], learnt).value
    # Two reviews in three are of the burst; it moves the value by less than what three of its reviews would.
    assert 0 < value(capped=True) - before < (value(capped=False) - before) / 3
    three = estimate([plain("e", [*quiet, 5.0, 5.0, 5.0])], learnt).value
    assert value(capped=True) == pytest.approx(three)


# --- all vendors ------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(MANY, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_no_order_of_reviews_or_vendors_changes_anything(fields: list[list[float]], random: object) -> None:
    made = [(f"v{number}", stars) for number, stars in enumerate(fields)]
    mixed = [(vendor, random.sample(stars, len(stars))) for vendor, stars in made]  # type: ignore[attr-defined]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert estimates([plain(*each) for each in made])[0] == estimates([plain(*each) for each in mixed])[0]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["g2", "apple", "hn"]), MANY), min_size=1, max_size=9)
)
def test_whatever_comes_the_value_lies_in_its_interval_on_the_scale(drawn: list[tuple[str, str, list[float]]]) -> None:
    samples = {(vendor, source): plain(vendor, stars, source) for vendor, source, stars in drawn}
    found, learnt = estimates(samples.values())
    assert sorted(found) == sorted({vendor for vendor, _ in samples})
    for each in found.values():
        assert 1 <= each.low <= each.value <= each.high <= 5
        assert math.fsum(each.weights.values()) == pytest.approx(1)
    assert set(learnt.offsets) | set(learnt.uncompared) == {source for _, source in samples}


def test_m_comes_from_the_data() -> None:
    random = np.random.default_rng(5)

    def m(between: float) -> float:
        samples = [
            plain(f"v{vendor:02}", random.normal(4 + between * random.normal(), 1.0, 200).tolist())
            for vendor in range(60)
        ]
        found = pool(samples).m
        assert found is not None
        return found

    assert m(0.5) == pytest.approx(4, rel=0.5)
    assert m(0.25) == pytest.approx(16, rel=0.5)


def test_with_one_vendor_nothing_is_drawn_to_anything() -> None:
    found, learnt = estimates([plain("a", [5.0, 4.0, 4.0, 3.0, 5.0, 4.0])])
    assert learnt.between is None
    assert learnt.m is None
    assert found["a"].value == found["a"].own == pytest.approx(25 / 6)
    assert found["a"].drawn == 0


def test_one_review_in_the_world_says_nothing_for_sure() -> None:
    found, _ = estimates([plain("a", [5.0])])
    assert found["a"] == Estimate(5.0, 1.0, 5.0, 5.0, 0.0, 1, 1.0, {"g2": 1.0})


def test_unanimous_reviews_are_not_certainty() -> None:
    found, _ = estimates([plain("a", [5.0, 5.0, 5.0])])
    assert found["a"].low < 4.2


def test_two_vendors_that_chance_alone_tells_apart_share_a_value_and_keep_their_width() -> None:
    found, learnt = estimates([plain("a", [4.0, 3.0, 5.0]), plain("b", [3.0, 5.0, 4.0])])
    assert learnt.between == 0
    assert learnt.m == math.inf
    assert found["a"].value == found["b"].value == pytest.approx(4)
    assert found["a"].high - found["a"].low > 1


def test_each_source_is_centred_by_its_level() -> None:
    # Everybody rates a star and a half lower at the second source; c is there only, and no worse than a.
    high, low = [5.0, 4.0, 5.0, 4.0] * 10, [3.0, 3.0, 2.0, 4.0] * 10
    samples = [
        plain("a", high, "g2"), plain("a", low, "trustpilot"), plain("b", high, "g2"), plain("b", low, "trustpilot"),
        plain("c", low, "trustpilot"), plain("d", high, "g2"), plain("e", [3.0, 4.0] * 20, "g2"),
    ]  # fmt: skip
    found, learnt = estimates(samples)
    assert learnt.offsets["g2"] - learnt.offsets["trustpilot"] == pytest.approx(1.5, abs=0.1)
    assert found["c"].value == pytest.approx(found["a"].value, abs=0.1)
    assert found["d"].value == pytest.approx(found["a"].value, abs=0.1)
    assert found["e"].value < found["a"].value - 0.5


def test_a_source_with_one_vendor_only_is_taken_as_it_is() -> None:
    samples = [*FIELD, plain("e", [2.0] * 30, "trustpilot")]
    found, learnt = estimates(samples)
    assert learnt.uncompared == ("trustpilot",)
    assert "trustpilot" not in learnt.offsets
    assert found["e"].own == 2


def test_sources_are_combined_by_what_they_are_worth() -> None:
    samples = [*FIELD, plain("e", [4.0, 3.0] * 50, "g2"), plain("e", [4.0], "own"), plain("a", [4.0, 5.0], "own")]
    found, _ = estimates(samples)
    assert found["e"].weights["g2"] > 0.9


@pytest.mark.slow
def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(11)
    held = []
    for _ in range(150):
        truth = random.normal(3.5, 0.4, 8)
        samples = [
            plain(f"v{vendor}", random.normal(mean, 0.8, int(random.integers(2, 60))).tolist())
            for vendor, mean in enumerate(truth)
        ]
        found, _ = estimates(samples)
        held += [found[f"v{vendor}"].low <= mean <= found[f"v{vendor}"].high for vendor, mean in enumerate(truth)]
    assert 0.92 < np.mean(held) < 0.985


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_nothing_is_refused_in_plain_words() -> None:
    with pytest.raises(ValueError, match="no review"):
        pool([])
    with pytest.raises(ValueError, match="at least one review that counts"):
        plain("a", [])


def test_the_model_says_from_whom_it_has_learnt() -> None:
    learnt = pool(FIELD)
    assert isinstance(learnt, Pool)
    assert learnt.vendors == 4
    assert 3 < learnt.level < 4.2
    assert learnt.degrees == pytest.approx(14)
