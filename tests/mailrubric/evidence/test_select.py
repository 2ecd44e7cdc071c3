from __future__ import annotations

import dataclasses
import random

import pytest

from mailrubric.evidence.observation import Observation
from mailrubric.evidence.select import CONCLUSIVE_CAUSES, newest
from probes.model import Cause

TRANSIENT_CAUSES = sorted({cause.value for cause in Cause} - CONCLUSIVE_CAUSES)


def seen(when: str, value: object = None, cause: str | None = None, **fields: str) -> Observation:
    return Observation(
        vendor="acme",
        metric="tls.oldest_version",
        value=value,  # type: ignore[arg-type]
        kind="measured",
        source="probe tls",
        observed=when,
        cause=cause,
        endpoint=fields.get("endpoint", "submission smtp.acme.example:587"),
        vantage=fields.get("vantage", "local"),
    )


KEY = ("acme", "measured", "tls.oldest_version")
OLD = seen("2026-11-01T10:00:00Z", "TLSv1.2")


def test_the_newest_value_counts() -> None:
    new = seen("2026-11-02T10:00:00Z", "TLSv1.3")
    (evidence,) = newest([new, OLD])[KEY]
    assert evidence.current is new
    assert evidence.attempt is None


@pytest.mark.parametrize("cause", TRANSIENT_CAUSES)
def test_a_failed_attempt_does_not_undo_what_was_seen(cause: str) -> None:
    failed = seen("2026-11-02T10:00:00Z", cause=cause)
    (evidence,) = newest([OLD, failed])[KEY]
    assert evidence.current is OLD
    assert evidence.attempt is failed


@pytest.mark.parametrize("cause", sorted(CONCLUSIVE_CAUSES))
def test_a_cause_that_is_a_finding_takes_the_place_of_an_older_value(cause: str) -> None:
    finding = seen("2026-11-02T10:00:00Z", cause=cause)
    failed = seen("2026-11-03T10:00:00Z", cause="connection_timeout")
    (evidence,) = newest([OLD, finding, failed])[KEY]
    assert evidence.current is finding
    assert evidence.attempt is failed


def test_the_vocabulary_of_findings_is_the_probes_and_the_reviews() -> None:
    assert CONCLUSIVE_CAUSES - {cause.value for cause in Cause} == {"too_few_reviews"}


def test_an_attempt_older_than_the_value_is_forgotten() -> None:
    (evidence,) = newest([seen("2026-10-01T10:00:00Z", cause="throttled"), OLD])[KEY]
    assert evidence.attempt is None


def test_nothing_but_failures_leaves_the_newest_of_them() -> None:
    last = seen("2026-11-02T10:00:00Z", cause="connection_refused")
    (evidence,) = newest([last, seen("2026-11-01T10:00:00Z", cause="throttled")])[KEY]
    assert evidence.current is last
    assert evidence.attempt is None


def test_endpoints_vantages_and_kinds_do_not_replace_one_another() -> None:
    elsewhere = seen("2026-11-02T10:00:00Z", "TLSv1.0", endpoint="submission smtp.acme.example:2525")
    from_afar = seen("2026-11-02T10:00:00Z", "TLSv1.1", vantage="frankfurt")
    claimed = dataclasses.replace(OLD, kind="claimed", endpoint="", vantage="")
    found = newest([from_afar, elsewhere, OLD, claimed])
    assert [evidence.current for evidence in found[KEY]] == [elsewhere, from_afar, OLD]
    assert [evidence.current for evidence in found[("acme", "claimed", "tls.oldest_version")]] == [claimed]


def test_times_are_compared_as_times() -> None:
    # As text, "…00.500Z" comes before "…00Z", and "+02:00" hides an earlier moment.
    later = seen("2026-11-01T10:00:00.500Z", "TLSv1.3")
    assert newest([later, OLD])[KEY][0].current is later
    earlier = seen("2026-11-01T11:00:00+02:00", "TLSv1.0")
    assert newest([earlier, OLD])[KEY][0].current is OLD
    undated = seen("undated", "SSLv3")
    assert newest([undated, OLD])[KEY][0].current is OLD


def test_the_order_of_observations_does_not_matter() -> None:
    pile = [
        seen(f"2026-11-{day:02d}T10:00:00Z", f"TLSv1.{day % 4}" if day % 3 else None, None if day % 3 else "throttled")
        for day in (1, 2, 3, 3, 4, 4, 5, 6)
    ]
    wanted = newest(pile)
    for seed in range(20):
        shuffled = pile.copy()
        random.Random(seed).shuffle(shuffled)
        assert newest(shuffled) == wanted
