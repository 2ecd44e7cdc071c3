"""Intervals against published figures, against another implementation, and by their properties."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mailrubric.trials import intervals
from mailrubric.trials.intervals import Duration

patient = settings(deadline=None, max_examples=30)  # the machine may have much else to do

LEUKAEMIA = [
    *((weeks, True) for weeks in (6, 6, 6, 7, 10, 13, 16, 22, 23)),
    *((weeks, False) for weeks in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)),
]
"""Weeks of remission under 6-mercaptopurine (Gehan 1965; Freireich et al. 1963), False where it went on. The textbook
value of the Kaplan-Meier median is 23 weeks."""

lengths = st.lists(
    st.builds(Duration, st.floats(0, 500, allow_nan=False).map(lambda each: round(each, 2)), st.booleans()),
    min_size=1,
    max_size=60,
)
shares = st.sampled_from([0.5, 0.9])


def test_a_mean_with_its_t_interval():
    # 60, 70 and 80: s = 10, so 70 ± 4.303 · 10 / √3.
    found = intervals.mean([60, 70, 80], 0, 100)
    assert (found.value, found.n) == (70, 3)
    assert found.low == pytest.approx(70 - 24.84, abs=0.01)
    assert found.high == pytest.approx(70 + 24.84, abs=0.01)


def test_one_answer_bounds_nearly_nothing_and_equal_ones_slowly_more():
    one, five, fifty = (intervals.mean([80.0] * n, 0, 100) for n in (1, 5, 50))
    assert (one.low, one.high) == (pytest.approx(2.0), pytest.approx(99.5))
    assert one.low < five.low < fifty.low < 80 < fifty.high < five.high < one.high


def test_a_share_is_in_per_cent_with_its_wilson_interval():
    # Newcombe 1998, table I: 81 of 263, score method without continuity correction.
    found = intervals.share(81, 263)
    assert (found.value, found.n) == (pytest.approx(30.80, abs=0.01), 263)
    assert (found.low, found.high) == (pytest.approx(25.53, abs=0.01), pytest.approx(36.62, abs=0.01))


def test_net_promoter_by_its_definition_and_adjusted_wald_by_hand():
    found = intervals.net_promoter(15, 13, 8)
    assert found.value == pytest.approx(100 * 7 / 36)
    p, d = 15.75 / 39, 8.75 / 39
    reach = 1.959964 * math.sqrt((p + d - (p - d) ** 2) / 39)
    assert found.low == pytest.approx(100 * (p - d - reach), abs=1e-3)
    assert found.high == pytest.approx(100 * (p - d + reach), abs=1e-3)


def test_the_net_promoter_interval_holds_its_level_in_small_samples():
    # Of samples of 10 drawn from a half of promoters, three tenths of passives and a fifth of detractors.
    chance = random.Random(7)
    hit = 0
    for _ in range(4000):
        drawn = chance.choices("pnd", (5, 3, 2), k=10)
        found = intervals.net_promoter(drawn.count("p"), drawn.count("n"), drawn.count("d"))
        hit += found.low <= 30 <= found.high
    assert 0.93 <= hit / 4000 <= 0.98


def test_the_median_of_the_textbook_of_survival_times():
    durations = [Duration(weeks, over) for weeks, over in LEUKAEMIA]
    found = intervals.quantile(durations, 0.5)
    assert found.value == 23
    assert (found.n, found.waiting) == (21, 12)
    assert found.at_least == 16, "the least that it can be: all remissions ending when they were last looked at"
    assert found.low <= 23
    assert found.high is None, "so many go on that nothing bounds it above"


def test_a_ticket_of_five_days_is_at_least_five_days():
    found = intervals.quantile([Duration(120, False)], 0.5)
    assert found.value is None
    assert found.at_least == 120
    two = intervals.quantile([Duration(1), Duration(120, False)], 0.5)
    assert two.value is None
    assert two.at_least == 60.5


def test_a_median_has_an_interval_from_six_times_on():
    five, six = (intervals.quantile([Duration(each) for each in range(1, n + 1)], 0.5) for n in (5, 6))
    assert (five.value, five.low, five.high) == (3, 0.0, None)
    assert (six.value, six.low, six.high) == (3.5, 1, 6)


def test_order_statistics_cover_the_median_they_promise():
    chance = random.Random(3)
    hit = 0
    for _ in range(2000):
        drawn = [Duration(chance.expovariate(1)) for _ in range(12)]
        found = intervals.quantile(drawn, 0.5)
        assert found.high is not None
        hit += found.low <= math.log(2) <= found.high
    assert hit / 2000 >= 0.94


@patient
@given(st.lists(st.integers(0, 40).map(lambda each: 2.5 * each), min_size=1, max_size=60), st.randoms())
def test_a_mean_lies_in_its_interval_and_order_means_nothing(values, chance):
    found = intervals.mean(values, 0, 100)
    assert 0 <= found.low <= found.value <= found.high <= 100
    chance.shuffle(values)
    again = intervals.mean(values, 0, 100)
    assert again.value == pytest.approx(found.value)
    assert again.low == pytest.approx(found.low)


@patient
@given(st.integers(0, 300), st.integers(0, 300))
def test_a_share_lies_in_its_interval(yes, no):
    assume(yes + no)
    found = intervals.share(yes, yes + no)
    assert 0 <= found.low <= found.value <= found.high <= 100


@patient
@given(st.integers(0, 80), st.integers(0, 80), st.integers(0, 80))
def test_a_net_promoter_score_lies_in_its_interval_and_turns_with_the_scale(promoters, passives, detractors):
    assume(promoters + passives + detractors)
    found = intervals.net_promoter(promoters, passives, detractors)
    assert -100 <= found.low <= found.value <= found.high <= 100
    turned = intervals.net_promoter(detractors, passives, promoters)
    assert (turned.low, turned.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


@patient
@given(lengths, shares)
def test_a_quantile_lies_in_its_interval_and_above_what_it_cannot_be_below(times, p):
    found = intervals.quantile(times, p)
    assert found.low <= found.at_least
    if found.value is not None:
        assert found.at_least <= found.value
        assert found.high is None or found.value <= found.high
    else:
        assert found.high is None, "where the median is not known, nothing bounds it above"


@patient
@given(lengths, shares, st.randoms())
def test_the_order_of_times_means_nothing(times, p, chance):
    found = intervals.quantile(times, p)
    chance.shuffle(times)
    assert intervals.quantile(times, p) == found


@patient
@given(st.lists(st.floats(0, 500), min_size=1, max_size=60))
def test_times_that_are_all_over_have_the_usual_median(values):
    found = intervals.quantile([Duration(each) for each in values], 0.5)
    assert found.value == pytest.approx(statistics.median(values))


@patient
@given(lengths, st.floats(0.1, 100))
def test_waiting_longer_never_makes_it_quicker(times, more):
    later = [each if each.over else Duration(each.length + more, False) for each in times]
    before, after = intervals.quantile(times, 0.5), intervals.quantile(later, 0.5)
    assert after.at_least >= before.at_least
    assert after.low >= before.low


@pytest.mark.parametrize("call", [lambda: intervals.mean([], 0, 1), lambda: intervals.share(0, 0),
                                  lambda: intervals.share(3, 2), lambda: intervals.net_promoter(0, 0, 0),
                                  lambda: intervals.quantile([], 0.5)])  # fmt: skip
def test_nothing_is_made_of_nothing(call):
    with pytest.raises(ValueError, match=r"needs|has no"):
        call()
