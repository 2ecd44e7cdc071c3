from __future__ import annotations

from typing import Any

import pytest

from mailrubric.catalogue.models import From, Must
from mailrubric.scoring import words
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
