"""What changed between two runs over the same endpoint. Pure functions over observations and lists of reports.

Compared is what both runs looked at: a metric that only one of them has says something about the probes or about us,
not about the server. Times flap from run to run, so they count as changed only by a factor; what counts down by itself
(the days that a certificate has left) is compared with where it should have come to by now.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from mailrubric.causes import short
from mailrubric.display import value_words
from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.evidence.times import moment

if TYPE_CHECKING:
    from mailrubric.evidence.store import ReportSummary

TIME_FACTOR = 3.0
"""A time in milliseconds has changed when one of the two is at least so many times the other …"""
TIME_FLOOR_MS = 100.0
"""… and they differ by at least so much."""
DAYS_TOLERANCE = 1.0
"""A number of days has changed when it is further than this from the old one less the days that have gone by."""
OURS = frozenset({"latency.samples"})
"""Metrics that count what we did; they are not compared."""

Kind = Literal["changed", "known", "unknown", "cause"]
"""Another value; a value where there was a cause; a cause where there was a value; another cause."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One metric of one endpoint that is not what it was."""

    kind: Kind
    before: Observation
    after: Observation

    @property
    def added(self) -> tuple[str, ...]:
        """Of a set: what is new in it; () for any other value."""
        return _beyond(self.after.value, self.before.value)

    @property
    def removed(self) -> tuple[str, ...]:
        """Of a set: what is no longer in it; () for any other value."""
        return _beyond(self.before.value, self.after.value)


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """Two reports on one endpoint of one vendor."""

    before: ReportSummary
    after: ReportSummary


def _beyond(value: ObservedValue | None, other: ObservedValue | None) -> tuple[str, ...]:
    if not isinstance(value, tuple) or not isinstance(other, tuple):
        return ()
    return tuple(entry for entry in value if entry not in set(other))


def changes(before: Iterable[Observation], after: Iterable[Observation]) -> list[Change]:
    """What is different in ``after``, by vendor, endpoint and metric, sorted by these."""
    known = {(each.vendor, each.endpoint, each.metric): each for each in before}
    found = []
    for new in sorted(after, key=lambda each: (each.vendor, each.endpoint, each.metric)):
        old = known.get((new.vendor, new.endpoint, new.metric))
        if old is None or new.metric in OURS:
            continue
        kind = _kind(old, new)
        if kind is not None:
            found.append(Change(kind, old, new))
    return found


def _kind(old: Observation, new: Observation) -> Kind | None:
    if old.value is None and new.value is None:
        return None if old.cause == new.cause else "cause"
    if old.value is None:
        return "known"
    if new.value is None:
        return "unknown"
    return None if same(old.value, new.value, new.unit, _days_between(old, new)) else "changed"


def same(old: ObservedValue, new: ObservedValue, unit: str, days: float) -> bool:
    """Whether a value is still what it was ``days`` ago, as far as it can be told from flapping."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return old == new
    match unit:
        case "ms":
            less, more = sorted((old, new))
            return more < TIME_FACTOR * less or more - less < TIME_FLOOR_MS
        case "d":
            return abs(old - days - new) <= DAYS_TOLERANCE
    return math.isclose(old, new, rel_tol=1e-9)


def in_words(change: Change) -> tuple[str, str]:
    """The old and the new value as people read them: of sets what differs, of a cause its short name."""
    if change.added or change.removed:
        more = f"with {value_words(change.added)}" if change.added else ""
        less = f"without {value_words(change.removed)}" if change.removed else ""
        return value_words(change.before.value), ", ".join(part for part in (more, less) if part)
    return _in_words(change.before), _in_words(change.after)


def _in_words(observation: Observation) -> str:
    if observation.cause is not None:
        return f"unknown: {short(observation.cause)}"
    return value_words(observation.value, observation.unit)


def _days_between(old: Observation, new: Observation) -> float:
    then, now = moment(old.observed), moment(new.observed)
    return 0.0 if then is None or now is None else (now - then).total_seconds() / 86_400


def pairs(
    reports: Iterable[ReportSummary], since: datetime | None = None, until: datetime | None = None
) -> tuple[list[Pair], list[ReportSummary]]:
    """The two reports to compare of each endpoint and vantage, and those that have no other to be compared with.

    The later one is the newest until ``until`` (default: the newest there is); the earlier one the newest until
    ``since``, by default the one before the later one. Sorted by vendor and endpoint.
    """
    by_place: dict[tuple[str, str, str], list[ReportSummary]] = {}
    for report in reports:
        by_place.setdefault((report.vendor, report.endpoint, report.vantage), []).append(report)
    found, alone = [], []
    for place in sorted(by_place):
        in_order = sorted(by_place[place], key=lambda each: (_when(each), each.stored, each.id))
        until_then = [each for each in in_order if until is None or _when(each) <= until]
        if not until_then:
            continue
        after = until_then[-1]
        earlier = [each for each in until_then[:-1] if since is None or _when(each) <= since]
        if earlier:
            found.append(Pair(earlier[-1], after))
        else:
            alone.append(after)
    return found, alone


def _when(report: ReportSummary) -> datetime:
    return moment(report.started) or _LONG_AGO


def observations_of(report: Mapping[str, Any]) -> list[Observation]:
    """The measurements of a stored report (``Store.report``) as observations."""
    versions = tuple(sorted((str(name), str(version)) for name, version in report["versions"].items()))
    return [
        Observation(
            vendor=report["vendor"],
            metric=row["metric"],
            value=tuple(row["value"]) if isinstance(row["value"], list) else row["value"],
            kind="measured",
            source=f"probe {row['metric'].partition('.')[0]}",
            observed=report["started"],
            cause=row["cause"],
            detail=row["detail"],
            unit=row["unit"],
            endpoint=report["endpoint_key"],
            role=report["role"],
            vantage=report["vantage"],
            report=report["id"],
            versions=versions,
            parent=report["parent"],
        )
        for row in report["measurements"]
    ]


def other_versions(before: Sequence[Observation], after: Sequence[Observation]) -> list[str]:
    """Names of what we measured with (the probes, a library) that had another version, sorted: then a change may be
    ours."""
    old = dict(before[0].versions) if before else {}
    new = dict(after[0].versions) if after else {}
    return sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
