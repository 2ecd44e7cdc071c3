"""What counts as a change between two runs, and which two runs are compared."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.evidence.changes import (
    OURS,
    TIME_FACTOR,
    Pair,
    changes,
    observations_of,
    other_versions,
    pairs,
    same,
)
from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.evidence.store import ReportSummary, Store
from probes.model import Cause, Endpoint, Measurement, Report

THEN, NOW = "2026-11-20T10:00:00Z", "2026-11-22T10:00:00Z"


def seen(
    value: ObservedValue | None,
    metric: str = "tls.oldest_version",
    *,
    when: str = NOW,
    unit: str = "",
    cause: str = "",
    endpoint: str = "submission smtp.acme.example:587",
    versions: tuple[tuple[str, str], ...] = (),
) -> Observation:
    cause_or_none = (cause or "connection_timeout") if value is None else None
    return Observation(
        "acme",
        metric,
        value,
        "measured",
        "probe x",
        when,
        cause_or_none,
        unit=unit,
        endpoint=endpoint,
        versions=versions,
    )


def kinds(before: list[Observation], after: list[Observation]) -> list[tuple[str, str]]:
    return [(each.after.metric, each.kind) for each in changes(before, after)]


# --- what is a change -------------------------------------------------------------------------------------------------


def test_each_kind_of_change() -> None:
    before = [seen("TLSv1.0", "a"), seen(None, "b"), seen(True, "c"), seen(None, "d"), seen(1, "e"), seen(None, "f")]
    after = [
        seen("TLSv1.2", "a"), seen(False, "b"), seen(None, "c"), seen(None, "d", cause="dns_timeout"), seen(1, "e"),
        seen(None, "f"),
    ]  # fmt: skip
    assert kinds(before, after) == [("a", "changed"), ("b", "known"), ("c", "unknown"), ("d", "cause")]


def test_only_what_both_runs_looked_at_is_compared() -> None:
    assert kinds([seen(1, "a")], [seen(1, "b")]) == []
    assert kinds([seen(1, "a", endpoint="mx a:25")], [seen(2, "a", endpoint="mx b:25")]) == []
    assert kinds([], []) == []


def test_sets_tell_what_differs() -> None:
    (change,) = changes([seen(("A", "B", "C"))], [seen(("B", "D"))])
    assert (change.added, change.removed) == (("D",), ("A", "C"))
    (other,) = changes([seen("A")], [seen("B")])
    assert (other.added, other.removed) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (20.0, 90.0, False),
        (0.0, 99.0, False),
        (200.0, 500.0, False),
        (200.0, 700.0, True),
        (900.0, 250.0, True),
        (10, 200, True),
    ],
)
def test_times_flap(old: float, new: float, changed: bool) -> None:
    assert bool(kinds([seen(old, "smtp.connect_ms", unit="ms")], [seen(new, "smtp.connect_ms", unit="ms")])) is changed


def test_other_numbers_do_not() -> None:
    assert kinds([seen(20)], [seen(21)])
    assert kinds([seen(20.0, unit="min")], [seen(20.5, unit="min")])
    assert not kinds([seen(20.0, unit="min")], [seen(20, unit="min")])


def test_days_count_down_by_themselves() -> None:
    def days(before: float, after: float) -> bool:
        old = seen(before, "certificate.days_left", when=THEN, unit="d")
        return bool(kinds([old], [seen(after, "certificate.days_left", when=NOW, unit="d")]))

    assert not days(50.0, 48.0), "two days have gone by"
    assert days(50.0, 50.0)
    assert days(10.0, 88.0), "it was renewed"
    assert days(50.0, 30.0)


def test_truth_values_are_no_numbers() -> None:
    assert kinds([seen(True)], [seen(1)])
    assert kinds([seen(0)], [seen(False)])
    assert kinds([seen(False)], [seen(True)])


def test_what_we_did_ourselves_is_no_change() -> None:
    assert all(not kinds([seen(1, metric)], [seen(20, metric)]) for metric in OURS)


VALUES = (
    st.none() | st.booleans() | st.integers(0, 10**6) | st.floats(0, 1e6) | st.text(max_size=5) | st.tuples(st.text())
)


@given(VALUES, VALUES, st.sampled_from(["", "ms", "d", "B"]))
def test_a_change_is_one_both_ways_and_none_to_itself(
    one: ObservedValue | None, other: ObservedValue | None, unit: str
) -> None:
    assert kinds([seen(one, unit=unit)], [seen(one, unit=unit)]) == []
    forth, back = (kinds([seen(a, unit=unit)], [seen(b, unit=unit)]) for a, b in ((one, other), (other, one)))
    opposite = {"known": "unknown", "unknown": "known"}
    assert [(metric, opposite.get(kind, kind)) for metric, kind in forth] == back
    if isinstance(one, float) and isinstance(other, float) and unit == "ms" and one > TIME_FACTOR * other + 100:
        assert not same(one, other, unit, 0.0)


def test_what_was_measured_with_is_compared_too() -> None:
    old = [seen(1, versions=(("mailrubric-probes", "0.1"), ("openssl", "3.5")))]
    new = [seen(1, versions=(("mailrubric-probes", "0.2"), ("openssl", "3.5"), ("python", "3.11")))]
    assert other_versions(old, new) == ["mailrubric-probes"]
    assert other_versions([], new) == []


# --- which runs -------------------------------------------------------------------------------------------------------


def summary(
    day: int, endpoint: str = "mx a:25", vantage: str = "local", vendor: str = "acme", hour: int = 10
) -> ReportSummary:
    started = f"2026-11-{day:02}T{hour:02}:00:00Z"
    name = f"{vendor} {endpoint} {vantage} {started}"
    return ReportSummary(name, name, vendor, endpoint, "", "mx", started, started, vantage, "", 1.0)


def at(day: int) -> datetime.datetime:
    return datetime.datetime(2026, 11, day, 23, 59, 59, tzinfo=datetime.UTC)


def days(found: tuple[list[Pair], list[ReportSummary]]) -> tuple[list[tuple[int, int]], list[int]]:
    def day(report: ReportSummary) -> int:
        return int(report.started[8:10])

    return [(day(pair.before), day(pair.after)) for pair in found[0]], [day(report) for report in found[1]]


def test_the_newest_is_compared_with_the_one_before() -> None:
    runs = [summary(22), summary(20), summary(21)]
    assert days(pairs(runs)) == ([(21, 22)], [])
    assert days(pairs(runs, until=at(21))) == ([(20, 21)], [])
    assert days(pairs(runs, since=at(20))) == ([(20, 22)], [])
    assert days(pairs(runs, since=at(20), until=at(21))) == ([(20, 21)], [])
    assert days(pairs(runs, since=at(22))) == ([(21, 22)], []), "a run is not compared with itself"
    assert days(pairs(runs, since=at(1))) == ([], [22])
    assert days(pairs(runs, until=at(1))) == ([], [])
    assert days(pairs([summary(22)])) == ([], [22])


def test_endpoints_and_vantages_are_kept_apart() -> None:
    runs = [summary(20), summary(21, "mx b:25"), summary(22, vantage="office"), summary(22, vendor="other")]
    assert days(pairs(runs)) == ([], [20, 22, 21, 22])
    assert days(pairs([*runs, summary(23, "mx b:25")]))[0] == [(21, 23)]


def test_stored_reports_become_observations(tmp_path: Path) -> None:
    endpoint = Endpoint("submission", host="smtp.acme.example", port=587)
    measured = (
        Measurement("tls.versions", ("TLSv1.2", "TLSv1.3")),
        Measurement.missing("tls.group", Cause.TLS_ALERT, "no"),
        Measurement("smtp.connect_ms", 12.5),
    )
    with Store(f"sqlite:///{tmp_path / 'evidence.sqlite'}") as store:
        identifier = store.add_report("acme", Report(endpoint, NOW, "local", {"python": "3.11"}, measured))
        found = {each.metric: each for each in observations_of(store.report(identifier))}
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")
    assert (found["tls.group"].value, found["tls.group"].cause) == (None, "tls_alert")
    assert found["smtp.connect_ms"].unit == "ms"
    first = found["tls.versions"]
    assert (first.vendor, first.endpoint, first.observed, first.report) == ("acme", endpoint.key, NOW, identifier)
    assert first.versions == (("python", "3.11"),)
