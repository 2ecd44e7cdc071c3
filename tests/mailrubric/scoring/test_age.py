from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.evidence.times import moment
from mailrubric.scoring import age
from tests.mailrubric.scoring.building import NOW


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-08", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2026-08-13", datetime(2026, 8, 13, tzinfo=UTC)),
        ("2026-08-13T10:00:00Z", datetime(2026, 8, 13, 10, tzinfo=UTC)),
        ("2026-08-13T12:00:00.5+02:00", datetime(2026, 8, 13, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-08-13T10:00:00", datetime(2026, 8, 13, 10, tzinfo=UTC)),
        ("undated", None),
        ("2026-13", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
    ],
)
def test_a_date_as_precise_as_its_source(text: str, wanted: datetime | None) -> None:
    assert moment(text) == wanted


def test_ages_count_from_the_earliest_day_and_never_below_zero() -> None:
    assert age.age_days("2026-11-20", NOW) == pytest.approx(2.5)
    assert age.age_days("2026-11", NOW) == pytest.approx(21.5)
    assert age.age_days("2027-01-01", NOW) == 0
    assert age.age_days("undated", NOW) is None


def test_half_lives_by_kind_and_by_criterion() -> None:
    assert age.half_life("measured") == 30
    assert age.half_life("claimed") == 365
    assert age.half_life("claimed", price=True) == 90
    assert age.half_life("measured", override=7) == 7


def test_confidence_halves_with_every_half_life() -> None:
    assert [age.confidence(days, 30) for days in (0, 30, 60)] == [1, 0.5, 0.25]
    assert age.confidence(None, 30) == 0.25


@pytest.mark.parametrize(
    ("unit", "price"), [("USD", True), ("USD/month", True), ("EUR", True), ("USDT", False), ("d", False)]
)
def test_amounts_of_money_are_prices(unit: str, price: bool) -> None:
    assert age.is_price(unit) is price


def test_age_opens_the_interval_around_the_score() -> None:
    assert age.widen(80, 80, 1) == (80, 80)
    assert age.widen(80, 80, 0.5) == (40, 90)


@given(st.floats(0, 100), st.floats(0, 1))
def test_the_score_stays_inside_its_interval(score: float, trust: float) -> None:
    low, high = age.widen(score, score, trust)
    assert -1e-9 <= low <= score + 1e-9
    assert score - 1e-9 <= high <= 100 + 1e-9
