"""Ratings and dates: what a cell says, what its column settles, and what stays unknown."""

from __future__ import annotations

import math
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.reviews.values import DateColumn, RatingColumn, of_serial, read_date, read_rating


def stars(cells: list[object], name: str = "", scale: float | None = None) -> list[float | None]:
    column = RatingColumn(name, scale)
    for cell in cells:
        column.see(cell)  # type: ignore[arg-type]
    found = [column.stars(cell) for cell in cells]  # type: ignore[arg-type]
    assert column.readable == sum(each is not None for each in found)
    return found


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("4", 4), ("4,5", 4.5), ("4.5", 4.5), (4, 4), (3.5, 3.5), ("4/5", 4), ("8/10", 4), ("4 out of 5", 4),
        ("9 von 10", 4.5), ("Rated 3 out of 5 stars", 3), ("★★★★☆", 4), ("★★½", 2.5), ("⭐️⭐️⭐️", 3), ("4 stars", 4),
        ("1 star", 1), ("5 Sterne", 5), ("4-star rating", 4), ("80%", 4), ("4 étoiles", 4), ("10 / 100", 1),
    ],
)  # fmt: skip
def test_a_rating_in_many_notations(cell: object, expected: float) -> None:
    assert stars([cell]) == [expected]


@pytest.mark.parametrize(
    "cell",
    [None, "", "n/a", "good", "-1", "1e3", "11/10", "5/0", "★★★★★★", "☆☆☆☆☆", "0", "0/5", True, math.nan, math.inf, -3,
     "4 5", datetime(2026, 1, 4), "9" * 500, "five"],
)  # fmt: skip
def test_what_is_no_rating_is_left_out(cell: object) -> None:
    assert stars([cell, 4]) == [None, 4]


def test_the_scale_is_settled_over_the_column() -> None:
    assert stars([3, 5, "4"]) == [3, 5, 4]
    assert stars([3, 10, "4"]) == [1.5, 5, 2]
    assert stars([0, 9]) == [1, 4.5]
    assert stars([50, 100, 4]) == [2.5, 5, 1]
    assert stars([0.2, 1, 0.9]) == [1, 5, 4.5]
    assert stars([1, 1]) == [1, 1], "one star, not everything of one"
    assert stars([3, 1000]) == [None, None], "no scale that anybody uses"
    assert stars(["7/10", 3, 4]) == [3.5, 3, 4], "a cell that tells its scale says nothing about the others"


def test_slips_of_the_pen_do_not_change_the_scale_of_a_long_column() -> None:
    found = stars([*[4.0] * 300, 44])
    assert found[:300] == [4] * 300
    assert found[300] is None


def test_the_name_of_the_column_or_a_person_says_the_scale() -> None:
    for name in ("Score (out of 10)", "Score / 10", "NPS 0-10", "Note sur 10", "Bewertung von 10", "0–10"):
        assert stars([4], name) == [2], name
    assert stars([4], scale=10) == [2]
    assert stars([4, 8], scale=7) == [pytest.approx(20 / 7), None]
    with pytest.raises(ValueError, match="between 1 and 1000"):
        RatingColumn(scale=math.nan)


@given(st.lists(st.integers(1, 5), min_size=1), st.sampled_from([1, 2, 20]))
def test_stars_come_back_whatever_the_scale(given_stars: list[int], factor: int) -> None:
    # The highest rating shows the scale; without it, the scale has to be named.
    found = stars([value * factor for value in given_stars], scale=5 * factor)
    assert found == given_stars
    assert stars([5 * factor, *(value * factor for value in given_stars)])[1:] == given_stars


@given(st.one_of(st.text(max_size=80), st.floats(), st.integers(), st.none(), st.booleans(), st.datetimes()))
def test_any_cell_is_stars_from_1_to_5_or_nothing(cell: object) -> None:
    for found in stars([cell, 5]) + stars([cell, 10]) + stars([cell, 100]):
        assert found is None or 1 <= found <= 5


# --- dates ------------------------------------------------------------------------------------------------------------


def written(*cells: object, name: str = "", order: object = None) -> list[str]:
    column = DateColumn(name, order)  # type: ignore[arg-type]
    for cell in cells:
        column.see(cell)  # type: ignore[arg-type]
    found = [column.written(cell) for cell in cells]  # type: ignore[arg-type]
    assert column.readable == sum(map(bool, found))
    return found


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-11-22", "2026-11-22"),
        ("2026/1/5", "2026-01-05"),
        ("20261122", "2026-11-22"),
        ("2026-11", "2026-11"),
        ("2026", "2026"),
        ("November 2026", "2026-11"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        ("2026-11-22T10:00:00.123456Z", "2026-11-22T10:00:00Z"),
        ("2026-11-22 10:00:00 UTC", "2026-11-22T10:00:00Z"),
        ("2017-11-15T20:10:34-08:00", "2017-11-16T04:10:34Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
        ("2026-11-22 10:00:00", "2026-11-22"),  # whose ten o'clock?
        ("22.11.2026", "2026-11-22"),
        ("3.4.2026 14:30", "2026-04-03"),
        ("22 Nov 2026", "2026-11-22"),
        ("Nov 22, 2026", "2026-11-22"),
        ("Sunday, November 22nd, 2026", "2026-11-22"),
        ("Nov 22, 2026, 10:30 PM", "2026-11-22"),
        ("22. November 2026", "2026-11-22"),
        ("3. März 2026", "2026-03-03"),
        ("22 de noviembre de 2026", "2026-11-22"),
        ("1er août 2026", "2026-08-01"),
        ("5 mei 2026", "2026-05-05"),
        ("22-Nov-2026", "2026-11-22"),
        ("Sun, 22 Nov 2026 10:00:00 +0100", "2026-11-22T09:00:00Z"),
        ("Sun Nov 22 2026 10:00:00 GMT+0100 (CET)", "2026-11-22T09:00:00Z"),
        ("1789120800000", "2026-09-11T10:00:00Z"),
        (1789120800, "2026-09-11T10:00:00Z"),
        (datetime(2026, 11, 22, 10), "2026-11-22"),
        (date(2026, 11, 22), "2026-11-22"),
        ("13/04/2026", "2026-04-13"),
        ("04/13/26", "2026-04-13"),
        ("05/05/2026", "2026-05-05"),
    ],
)
def test_a_date_in_many_notations(cell: object, expected: str) -> None:
    assert written(cell) == [expected]


@pytest.mark.parametrize(
    "cell",
    [None, "", "yesterday", "3 days ago", "31/02/2026", "99/99/2026", "13.13.2026", "0000-00-00", "1899-12-31", 45000,
     "22 Foo 2026", "25:61", "2026-13-01", "Nov 31, 2026", "2026-11-22T25:00:00Z", math.nan, 1e300, True, "٢٠٢٦-١١-٢٢",
     "2026-11-22" * 50],
)  # fmt: skip
def test_what_is_no_date_is_left_out(cell: object) -> None:
    assert written(cell) == [""]


def test_a_column_settles_whether_the_day_comes_first() -> None:
    assert written("03/04/2026", "25/04/2026") == ["2026-04-03", "2026-04-25"]
    assert written("03/04/2026", "04/25/2026") == ["2026-03-04", "2026-04-25"]


def test_what_nothing_settles_is_unknown_and_never_guessed() -> None:
    assert written("03/04/2026", "05/06/2026") == ["", ""]
    assert written("03/04/2026", "25/04/2026", "04/25/2026") == ["", "2026-04-25", "2026-04-25"], "mixed"
    assert written("03/04/2026", "2026-11-22") == ["", "2026-11-22"]
    assert written("03/04/2026", order="day_first") == ["2026-04-03"]
    assert written("03/04/2026", order="month_first") == ["2026-03-04"]


def test_the_columns_name_says_that_times_are_in_utc() -> None:
    assert written("2026-01-02 10:00:00", name="Review Created (UTC)") == ["2026-01-02T10:00:00Z"]
    assert written(datetime(2026, 1, 2, 10, 1), name="Created UTC") == ["2026-01-02T10:01:00Z"]
    assert written("2026-01-02", name="Created UTC") == ["2026-01-02"]


_DAYS = st.dates(date(1990, 1, 2), date(2099, 12, 30))


@given(st.lists(_DAYS, min_size=1), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"]))
def test_a_column_is_read_right_or_not_at_all(days: list[date], pattern: str) -> None:
    found = written(*(day.strftime(pattern) for day in days))
    for day, each in zip(days, found, strict=True):
        assert each in ("", day.isoformat())
    if any(day.day > 12 for day in days):
        assert found == [day.isoformat() for day in days]


@given(_DAYS, st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%b %d, %Y", "%Y%m%d", "%A, %d %b %Y"]))
def test_notations_without_doubt_come_back(day: date, pattern: str) -> None:
    assert written(day.strftime(pattern)) == [day.isoformat()]


@given(st.one_of(st.text(max_size=100), st.floats(), st.integers(), st.datetimes()))
def test_any_cell_is_a_date_or_nothing(cell: object) -> None:
    read_rating(cell)  # type: ignore[arg-type]
    found = read_date(cell)  # type: ignore[arg-type]
    if found is not None:
        for each in (found.day_first, found.month_first):
            assert 1990 <= int(each[:4]) < 2100
            datetime.fromisoformat(f"{each}-01-01"[:10] if len(each) < 10 else each)


def test_the_last_days_that_a_spreadsheet_can_count_are_dates_or_nothing() -> None:
    assert of_serial(2_958_465, False) == datetime(9999, 12, 31)
    assert of_serial(2_958_465.9999999, False) is None
    assert of_serial(2_957_003, True) == datetime(9999, 12, 31)
    assert of_serial(2_958_465, True) is None
    assert of_serial(0.5, False) is None
