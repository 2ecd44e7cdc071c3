"""Intervals of things that belong together, by what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from mailrubric.intervals import clopper_pearson
from mailrubric.mail import intervals


def test_the_jackknife_of_a_mean_is_the_t_interval() -> None:
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    without = (values.sum() - values) / (len(values) - 1)
    low, high = intervals.jackknife(values.mean(), without)
    reach = 2.364624 * values.std(ddof=1) / np.sqrt(8)
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), rel=1e-5)


def test_a_share_among_independent_messages_is_nearly_exact() -> None:
    yes = np.arange(40) % 4 == 0
    share, low, high = intervals.clustered_share(yes, np.zeros(40, dtype=np.int64), np.arange(40))
    exact = clopper_pearson(10, 40)
    assert share == 0.25
    # Wider by what 39 degrees of freedom cost, and no more.
    assert exact[0] - 0.02 < low <= exact[0]
    assert exact[1] <= high < exact[1] + 0.02


def test_messages_of_one_campaign_count_as_what_they_are() -> None:
    """A hundred copies of each of ten campaigns say as much as ten messages."""
    campaigns = np.arange(10) % 2 == 0
    yes = np.repeat(campaigns, 100)
    one = intervals.clustered_share(yes, np.tile(np.arange(100), 10), np.repeat(np.arange(10), 100))
    few = intervals.clustered_share(campaigns, np.zeros(10, dtype=np.int64), np.arange(10))
    assert one == pytest.approx(few)


def test_recipients_are_a_sample_from_six_on() -> None:
    """Each recipient always does the same: with few of them that is known of them, with more it is a sample."""
    days = 50

    def width(recipients: int) -> float:
        yes = np.repeat(np.arange(recipients) % 2 == 0, days)
        units, times = np.repeat(np.arange(recipients), days), np.tile(np.arange(days), recipients)
        _, low, high = intervals.clustered_share(yes, units, times)
        return high - low

    assert width(4) < 0.2
    assert width(6) > 0.7
    assert width(6) > width(20) > width(100) > 0.15


def test_where_all_are_alike_each_day_is_one_trial() -> None:
    yes = np.ones(300, dtype=bool)
    share, low, high = intervals.clustered_share(yes, np.zeros(300, dtype=np.int64), np.repeat(np.arange(10), 30))
    assert (share, high) == (1.0, 1.0)
    assert low == pytest.approx(clopper_pearson(10, 10)[0])


def test_one_day_says_nothing() -> None:
    yes = np.ones(300, dtype=bool)
    assert intervals.clustered_share(yes, np.arange(300) % 5, np.zeros(300, dtype=np.int64)) == (1.0, 0.0, 1.0)
