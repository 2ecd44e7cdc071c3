from __future__ import annotations

import pytest

from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.scoring.contradictions import between, differ
from tests.mailrubric.scoring.building import measured


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


def test_what_cannot_be_compared_is_no_contradiction() -> None:
    claim = Observation("acme", "tls", True, "claimed", "https://acme.example", "2026-08-13")
    assert between("tls", claim, True, measured("acme", "tls.oldest_version", "TLSv1.2"), "TLSv1.2", 0.1, "") is None
