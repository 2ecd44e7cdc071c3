import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.units import DATA, TIME, UnitError, convert, convertible


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (35882577, "B", "B", 35882577),
        (10, "MiB", "B", 10485760),
        (10485760, "B", "MiB", 10),
        (25, "MB", "kB", 25000),
        (1, "GB", "MB", 1000),
        (1, "GiB", "MiB", 1024),
        (512, "B", "KiB", 0.5),
        (1500, "ms", "s", 1.5),
        (2, "h", "min", 120),
        (45, "d", "h", 1080),
        (36, "h", "d", 1.5),
        (99.9, "%", "%", 99.9),
        (7, "", "", 7),
        (7, "d", "", 7),
        (7, "", "emails", 7),
        (7, "USD", "USD", 7),
    ],
)
def test_known_conversions(value, source, target, expected):
    assert convert(value, source, target) == expected
    assert convertible(source, target)


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("B", "s", "'B' cannot be converted to 's'"),
        ("MB", "%", "'MB' cannot be converted to '%'"),
        ("USD", "EUR", "'USD' cannot be converted to 'EUR'"),
        ("B", "mb", "'B' cannot be converted to 'mb'; did you mean 'MB'?"),
        ("ms", "sec", "'ms' cannot be converted to 'sec'"),
        ("Mib", "B", "'Mib' cannot be converted to 'B'; did you mean 'MiB'?"),
        ("", "d", "a value without a unit cannot be read as 'd'"),
        ("", "MB", "a value without a unit cannot be read as 'MB'"),
        ("", "%", "a value without a unit cannot be read as '%'"),
    ],
)
def test_what_cannot_be_converted_is_said(source, target, sentence):
    with pytest.raises(UnitError) as raised:
        convert(1, source, target)
    assert str(raised.value) == sentence
    assert not convertible(source, target)


@given(
    st.sampled_from([DATA, TIME]).flatmap(
        lambda units: st.tuples(st.sampled_from([*units]), st.sampled_from([*units]))
    ),
    st.floats(1e-6, 1e12),
)
def test_there_and_back_is_the_same(units, value):
    source, target = units
    assert convert(convert(value, source, target), target, source) == pytest.approx(value, rel=1e-12)
