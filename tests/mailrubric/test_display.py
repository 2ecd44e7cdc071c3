import pytest

from mailrubric.display import age_words, how_many, interval, one_line, points, tenths, value_words


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (-0.04, "0.0"),
        (62.25, "62.3"),
        (62.349999999999994, "62.4"),
        (62.35, "62.4"),
        (62.3499999, "62.3"),
        (99.96, "100.0"),
        (100, "100.0"),
        (1e-20, "0.0"),
        (-3.25, "-3.3"),
    ],
)
def test_one_decimal_rounds_as_a_spreadsheet_shows_it(number, shown):
    assert tenths(number) == shown


def test_what_is_not_known_is_never_a_number():
    assert points(None) == "unknown"
    assert points(None, applicable=False) == "not applicable"
    assert points(0.0) == "0.0"
    assert interval(0, 100) == "0.0–100.0"


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (True, "", "yes"),
        (False, "", "no"),
        (None, "d", "unknown"),
        ((), "", "none"),
        (("LOGIN", "PLAIN"), "", "LOGIN, PLAIN"),
        (26_214_400, "B", "26,214,400 B"),
        (-3, "d", "-3 d"),
        (12.345, "ms", "12.3 ms"),
        (1234.5678, "ms", "1,234.57 ms"),
        (99, "%", "99%"),
        (99.95, "%", "99.95%"),
        (99.9, "%", "99.9%"),
        ("TLSv1.2", "", "TLSv1.2"),
        (0, "", "0"),
        (0.00111, "h", "4 s"),
        (0.2, "h", "12 min"),
        (0.5, "min", "30 s"),
        (0.25, "d", "6 h"),
        (-0.5, "d", "-12 h"),
        (1e-9, "h", "0.0036 ms"),
        (0, "h", "0 h"),
        (1, "h", "1 h"),
        (72, "h", "72 h"),
        (108, "h", "4.5 d"),
        (-120, "h", "-5 d"),
        (float("inf"), "h", "inf h"),
        (0.25, "s", "0.25 s"),
        (0.5, "emails/h", "0.5 emails/h"),
    ],
)
def test_values_in_words_are_those_of_the_reasons_and_contradictions(value, unit, words):
    assert value_words(value, unit) == words


@pytest.mark.parametrize(
    ("days", "observed", "words"),
    [
        (None, "", "undated"),
        (None, "undated", "undated"),
        (None, "2026", "2026"),
        (0.4, "2026-11-22T10:00:00Z", "2026-11-22, today"),
        (1.9, "2026-11-20", "2026-11-20, 1 day ago"),
        (45, "2026-10", "2026-10, 45 days ago"),
        (100, "", "3 months ago"),
        (800, "2024", "2024, 2 years ago"),
    ],
)
def test_ages_as_people_say_them(days, observed, words):
    assert age_words(days, observed) == words


def test_numbers_of_things() -> None:
    assert [how_many(number, "row") for number in (0, 1, 12_000)] == ["0 rows", "1 row", "12,000 rows"]
    assert [how_many(number, "row has", "rows have") for number in (1, 2)] == ["1 row has", "2 rows have"]


def test_text_from_outside_cannot_steer_a_terminal():
    assert one_line("220 \x1b]0;pwned\x07\x9b31m ok\r\nnext") == "220 \\x1b]0;pwned\\x07\\x9b31m ok  next"
    assert one_line("a\u202eb\u2066c\u200bd") == "a\\u202eb\\u2066c\\u200bd"
    assert one_line("\ud800") == "\\ud800"
    assert one_line("Grüße, 日本 \U0001f600") == "Grüße, 日本 \U0001f600"
