from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.catalogue.models import (
    CurveEnds,
    CurveFunction,
    From,
    MapFunction,
    Must,
    NoneFunction,
    PointsFunction,
    ShareFunction,
    YesNoFunction,
)
from mailrubric.scoring import words
from mailrubric.scoring.value_functions import curve
from mailrubric.scoring.words import value_reaching
from tests.mailrubric.scoring.building import criterion


@pytest.mark.parametrize(
    ("score", "unit", "wanted"),
    [
        (
            {"points": [[30, 100], [0, 0]]},
            "d",
            "0 at 0 d, 100 at 30 d; in proportion between, flat outside",
        ),
        (
            {"points": [[5, 100], [60, 0]], "scale": "log"},
            "USD",
            "100 at 5 USD, 0 at 60 USD; in proportion to the logarithm between, flat outside",
        ),
        ({"map": {"b": 0, "a": 100, "c": 100}}, "", "100 at a, c; 0 at b"),
        ({"yes": 100, "no": 10}, "", "100 for yes, 10 for no"),
        ({"share_of": ["A", "B"]}, "", "share of these 2: A, B"),
        ({"none_of": ["A", "B"]}, "", "100 for none of these 2, 0 for any: A, B"),
        (
            {"curve": {"worth_90": 150, "worth_50": 600}},
            "ms",
            "90 at 150 ms, 50 at 600 ms; log-normal curve, lower is better",
        ),
        (
            {"curve": {"worth_90": 600, "worth_50": 150}},
            "",
            "90 at 600, 50 at 150; log-normal curve, higher is better",
        ),
    ],
)
def test_value_functions(score: dict[str, Any], unit: str, wanted: str) -> None:
    assert words.value_function(criterion("x", score=score).score, unit) == wanted


def test_gates_and_sources() -> None:
    must = Must.model_validate({"above": 0, "else": "the certificate has expired"})
    assert words.must_text(must, "d") == "must be above 0 d, else the certificate has expired"
    assert words.must_text(None) == ""
    source = From(probe="tls.oldest_version", roles=("submission", "mx"), fact="oldest_tls")
    assert words.sources(source) == "probe tls.oldest_version (submission, mx; worst counts); else fact oldest_tls"
    assert words.sources(From(reviews="rating")) == "reviews rating"
    promising = From(trial="share", fact="stated", promises={"yes": (90, 100), "no": (0, 0)})
    assert words.sources(promising) == "trial share; else fact stated (yes as 90 to 100, no as 0)"


@pytest.mark.parametrize(
    ("function", "score", "at_least", "expected"),
    [
        (PointsFunction(points=((0, 100), (24, 0))), 50.0, True, "12 h"),
        (PointsFunction(points=((5, 100), (500, 0)), scale="log"), 50.0, True, "50 h"),
        (PointsFunction(points=((0, 20), (10, 80))), 90.0, True, ""),
        (PointsFunction(points=((0, 100), (72, 0))), 33.0, True, "48.2 h"),
        (PointsFunction(points=((0, 100), (72, 0))), 33.0, False, "48.3 h"),
        (MapFunction(map={"TLSv1.0": 0, "TLSv1.2": 60, "TLSv1.3": 100}), 40.0, True, "TLSv1.2"),
        (MapFunction(map={"TLSv1.0": 0, "TLSv1.2": 60, "TLSv1.3": 100}), 40.0, False, "TLSv1.0"),
        (YesNoFunction(yes=100, no=20), 10.0, False, ""),
        (YesNoFunction(yes=100, no=20), 60.0, False, "no"),
        (ShareFunction(share_of=("a", "b", "c", "d")), 60.0, True, "3 of the 4"),
        (NoneFunction(none_of=("a", "b")), 60.0, True, "none of the 2"),
        (NoneFunction(none_of=("a", "b")), 60.0, False, "any of the 2"),
    ],
)
def test_the_value_that_is_worth_so_many_points(function, score, at_least, expected) -> None:
    assert value_reaching(function, "h", score, at_least=at_least) == expected


def test_an_uptime_is_not_told_as_one_that_is_worth_less() -> None:
    uptime = PointsFunction(points=((99, 20), (99.9, 60), (99.95, 80), (99.99, 100)))
    # Three digits would say 99.9, which is worth 60, and 100, which is not asked for.
    assert value_reaching(uptime, "%", 70.0, at_least=True) == "99.93%"
    assert value_reaching(uptime, "%", 99.0, at_least=False) == "99.98%"
    assert value_reaching(uptime, "%", 60.0, at_least=True) == "99.9%"


@given(st.floats(1, 99), st.sampled_from([(100.0, 400.0), (400.0, 100.0)]), st.booleans())
def test_a_curve_is_turned_round(score: float, ends: tuple[float, float], at_least: bool) -> None:
    function = CurveFunction(curve=CurveEnds(worth_90=ends[0], worth_50=ends[1]))
    value = float(value_reaching(function, "", score, at_least=at_least).replace(",", ""))
    worth = float(curve(np.array([value]), function)[0])
    assert worth == pytest.approx(score, abs=0.5)
    assert worth >= score - 1e-9 if at_least else worth <= score + 1e-9
