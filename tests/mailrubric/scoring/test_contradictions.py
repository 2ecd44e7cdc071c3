from __future__ import annotations

import pytest

from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.scoring.contradictions import between, differ
from mailrubric.scoring.evaluate import evaluate
from tests.mailrubric.scoring.building import NOW, catalogue, criterion, fact, measured, submission, vendor


@pytest.mark.parametrize(
    ("claimed", "seen", "wanted"),
    [
        (100, 100, False),
        (100, 91, False),
        (100, 89, True),
        (0, 0, False),
        (0, 1, True),
        (True, True, False),
        (True, False, True),
        (True, 1, None),
        (True, "yes", None),
        ("reject", "Reject", False),
        ("reject", "none", True),
        ("reject", 3, None),
        (("A", "B"), ("b", "a", "C"), False),
        (("A", "B"), ("A",), True),
        (("A",), (), True),
        ((), ("A",), False),
        ("A", ("A", "B"), False),
        (("A",), "A", None),
    ],
)
def test_difference(claimed: ObservedValue, seen: ObservedValue, wanted: bool | None) -> None:
    assert differ(claimed, seen, 0.1) is wanted


def test_both_sides_are_named_with_source_and_time() -> None:
    claim = Observation("acme", "auth", ("LOGIN", "PLAIN"), "claimed", "https://acme.example/smtp", "2026-08-13")
    measurement = measured("acme", "smtp.auth_mechanisms", ("PLAIN",), host="smtp.acme.example")
    found = between("auth", claim, ("LOGIN", "PLAIN"), measurement, ("PLAIN",), 0.1, "")
    assert found is not None
    assert found.sentence == (
        "Profile says LOGIN, PLAIN (https://acme.example/smtp, 2026-08-13), measured PLAIN (without LOGIN) "
        "on submission smtp.acme.example:587 at 2026-11-22T12:00:00Z."
    )
    assert (found.subject, found.claimed, found.measured) == ("auth", "LOGIN, PLAIN", "PLAIN")
    assert found.measured_source == "probe smtp, submission smtp.acme.example:587"


def test_a_mean_that_contradicts_is_laid_to_no_single_endpoint() -> None:
    speed = criterion("speed", **{"from": {"probe": "smtp.connect_ms", "fact": "speed", "combine": "mean"}})
    made = catalogue(
        {"speed": [speed]},
        [vendor("acme", facts={"speed": fact(10.0)}, endpoints=submission("a.example", "b.example"))],
    )
    seen = [
        measured("acme", "smtp.connect_ms", 20.0, host="a.example"),
        measured("acme", "smtp.connect_ms", 60.0, host="b.example", observed="2026-11-20T08:00:00Z"),
    ]
    (found,) = evaluate(made, seen, as_of=NOW).vendors[0].contradictions
    assert (found.measured, found.measured_at) == ("40", "2026-11-20T08:00:00Z")
    assert found.measured_source == "probe smtp, mean of 2 measurements"
    assert found.sentence.endswith("measured 40 as mean of 2 measurements at 2026-11-20T08:00:00Z.")


@pytest.mark.parametrize(
    ("counts", "seen", "wanted"),
    [
        ("any", 35.9, True),
        ("any", 10.0, True),
        ("less", 35.9, False),
        ("less", 10.0, True),
        ("less", 24.0, False),
        ("more", 35.9, True),
        ("more", 10.0, False),
    ],
)
def test_a_limit_may_turn_out_wider_than_claimed(counts, seen: float, wanted: bool) -> None:
    claim = Observation("acme", "size", 25.0, "claimed", "https://acme.example", "2026-08-13")
    found = between("size", claim, 25.0, measured("acme", "smtp.size_limit", seen), seen, 0.1, "MB", counts=counts)
    assert (found is not None) == wanted


def test_what_cannot_be_compared_is_no_contradiction() -> None:
    claim = Observation("acme", "tls", True, "claimed", "https://acme.example", "2026-08-13")
    assert between("tls", claim, True, measured("acme", "tls.oldest_version", "TLSv1.2"), "TLSv1.2", 0.1, "") is None
