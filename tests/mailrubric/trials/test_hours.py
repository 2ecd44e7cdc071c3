"""Working hours across nights, weekends, holidays and the days on which the clocks are changed."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.trials.hours import HoursError, WorkingHours, parse, working_hours

patient = settings(deadline=None, max_examples=30)  # the machine may have much else to do

BERLIN = parse("Europe/Berlin mon-fri 09:00-17:00")


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone))


@pytest.mark.parametrize(
    ("begin", "end", "hours"),
    [
        ("2026-11-23T10:00", "2026-11-23T12:30", 2.5),
        ("2026-11-23T08:00", "2026-11-23T10:00", 1.0),
        ("2026-11-23T16:00", "2026-11-24T10:00", 2.0),
        ("2026-11-20T16:30", "2026-11-23T09:15", 0.75),  # a weekend between
        ("2026-11-21T10:00", "2026-11-22T18:00", 0.0),  # a weekend
        ("2026-11-23T00:00", "2026-11-30T00:00", 40.0),
        ("2026-11-23T12:00", "2026-11-23T11:00", 0.0),
    ],
)
def test_hours_of_an_ordinary_week(begin, end, hours):
    assert BERLIN.between(at(begin), at(end)) == hours


def test_a_holiday_has_none():
    with_holiday = working_hours("Europe/Berlin", "mon-fri", "09:00-17:00", ("2026-12-25",))
    assert BERLIN.between(at("2026-12-24T17:00"), at("2026-12-28T09:00")) == 8
    assert with_holiday.between(at("2026-12-24T17:00"), at("2026-12-28T09:00")) == 0


def test_the_day_is_the_desks_own():
    tokyo = parse("Asia/Tokyo mon-fri 09:00-18:00")
    # Sunday evening in New York is Monday morning in Tokyo.
    assert tokyo.between(at("2026-11-22T19:00", "America/New_York"), at("2026-11-22T23:00", "America/New_York")) == 4


def test_around_the_clock_is_the_clock():
    always = parse("America/New_York mon-sun 00:00-24:00")
    begin, end = at("2026-03-07T12:00", "America/New_York"), at("2026-03-09T12:00", "America/New_York")
    assert always.between(begin, end) == 47, "an hour was skipped on 8 March"


def test_clocks_are_put_forward_and_back():
    night = parse("Europe/Berlin mon-sun 01:00-04:00")
    assert night.between(at("2026-03-29T00:00"), at("2026-03-29T12:00")) == 2
    assert night.between(at("2026-10-25T00:00"), at("2026-10-25T12:00")) == 4
    assert night.between(at("2026-10-26T00:00"), at("2026-10-26T12:00")) == 3


def test_hours_that_begin_in_the_hour_that_is_skipped():
    skipped = parse("Europe/Berlin sun 02:30-05:00")
    assert skipped.between(at("2026-03-29T00:00"), at("2026-03-29T12:00")) == pytest.approx(1.5)


def test_a_day_that_a_country_skipped_has_no_hours():
    # Samoa went from Thursday the 29th to Saturday the 31st of December 2011.
    apia = parse("Pacific/Apia mon-sun 09:00-17:00")
    assert apia.between(at("2011-12-29T00:00", "Pacific/Apia"), at("2012-01-01T00:00", "Pacific/Apia")) == 16


def test_years_of_waiting_cost_no_time():
    # Monday to Monday, 105 weeks of five days of eight hours.
    assert BERLIN.between(at("2024-01-01T00:00"), at("2026-01-05T00:00")) == 105 * 40
    began, ended = at("2001-01-01T00:00"), at("2025-12-31T00:00")
    assert sum(BERLIN.between(began, ended) > 50_000 for _ in range(2_000)) == 2_000


zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(lambda each: each.replace(tzinfo=UTC))
desks = st.builds(
    lambda zone, days, start, length: WorkingHours(zone, frozenset(days), start, min(1440, start + length)),
    zones,
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1400),
    st.integers(1, 1440),
)


@patient
@given(desks, st.lists(moments, min_size=3, max_size=3))
def test_hours_of_spans_that_meet_add_up(desk, three):
    first, middle, last = sorted(three)
    whole = desk.between(first, last)
    assert whole == pytest.approx(desk.between(first, middle) + desk.between(middle, last))
    assert 0 <= whole <= (last - first).total_seconds() / 3600 + 1e-9


@patient
@given(desks, moments, st.integers(1, 400))
def test_a_later_end_never_takes_hours_away(desk, begin, minutes):
    end = begin + timedelta(minutes=minutes)
    assert desk.between(begin, end) <= desk.between(begin, end + timedelta(minutes=45)) + 1e-9


@patient
@given(desks)
def test_words_are_read_back(desk):
    assert parse(desk.words) == desk


@pytest.mark.parametrize(
    ("text", "part", "said"),
    [
        ("Europe/Berlin 09:00-17:00", "hours", "write time zone, days and hours"),
        ("Europe/Berln mon-fri 09:00-17:00", "zone", "is no time zone"),
        ("../../etc/passwd mon-fri 09:00-17:00", "zone", "is no time zone"),
        ("/etc/passwd mon-fri 09:00-17:00", "zone", "is no time zone"),
        (f"{'A' * 300} mon-fri 09:00-17:00", "zone", "is no time zone"),
        ("Europe mon-fri 09:00-17:00", "zone", "is no time zone"),
        ("UTC mon-friday 09:00-17:00", "days", "are no days"),
        ("UTC mon, 09:00-17:00", "days", "are no days"),
        ("UTC mon-fri 9-17", "hours", "are no hours"),
        ("UTC mon-fri 09:00-24:30", "hours", "are no hours"),
        ("UTC mon-fri 22:00-06:00", "hours", "must end after they begin"),
        ("UTC mon-fri 09:00", "hours", "are no hours"),
    ],
)
def test_what_is_wrong_is_said(text, part, said):
    with pytest.raises(HoursError, match=said) as caught:
        parse(text)
    assert caught.value.part == part


def test_days_may_go_over_the_weekend():
    assert working_hours("UTC", "sat-mon", "09:00-10:00").days == {5, 6, 0}
    assert working_hours("UTC", "mon,wed", "09:00-10:00").days == {0, 2}
    with pytest.raises(HoursError, match="is no date"):
        working_hours("UTC", "mon-fri", "09:00-10:00", ("25.12.2026",))
    assert working_hours("UTC", "mon-fri", "09:00-10:00", ("2026-12-25",)).holidays == {date(2026, 12, 25)}
