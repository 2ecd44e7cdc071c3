"""``mailrubric changes``: what is different from the run before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import print_json, print_table, print_title, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mailrubric.evidence.changes import Change, Pair
    from mailrubric.evidence.observation import Observation
    from mailrubric.evidence.store import ReportSummary, Store

_SHORTEST_ID = 6
_REPORTS = 10_000  # of one vendor that are looked through

_From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="RUN|DATE",
        help="What to compare with: the id of a stored report (its beginning is enough), or what was known at a date "
        "(2026-11-20, the end of that day in UTC) or time. Default: the run before.",
        show_default=False,
    ),
]
_To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="RUN|DATE", help="What to compare: the same. Default: the newest run.", show_default=False
    ),
]


def changes(
    vendors: options.Vendors = None,
    from_: _From = None,
    to: _To = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Show what changed at each endpoint between two stored runs."""
    from mailrubric.cli.catalogue import choose, nothing_stored, read_catalogue, store_of
    from mailrubric.cli.workspace import open_workspace

    opened = open_workspace(workspace)
    catalogue = read_catalogue(opened)
    chosen = choose(catalogue, vendors or ())
    compared: list[_Compared] = []
    alone: list[ReportSummary] = []
    if not nothing_stored(opened):
        with store_of(opened) as store:
            found, alone = _pairs(store, chosen, from_, to)
            compared = [(pair, *_compare(store, pair)) for pair in found]
    if json:
        print_json(_document(compared, alone))
    else:
        _show(compared, alone, {name: catalogue.vendors[name].name for name in chosen})


_Compared = tuple["Pair", "list[Change]", "list[str]"]
"""Two reports, what is different in the later one, and of what the versions differ."""


def _pairs(
    store: Store, vendors: Sequence[str], from_: str | None, to: str | None
) -> tuple[list[Pair], list[ReportSummary]]:
    from mailrubric.cli.terminal import Usage
    from mailrubric.evidence.changes import Pair, pairs
    from mailrubric.evidence.store import ReportSummary

    reports = [report for vendor in vendors for report in store.reports(vendor, limit=_REPORTS)]
    since, until = _run_or_time("--from", from_, reports), _run_or_time("--to", to, reports)
    if isinstance(since, ReportSummary):
        if isinstance(until, ReportSummary):
            later = until
        else:
            found, _ = pairs(_of_same_place(reports, since), None, until)
            later = found[0].after if found else since
        if (since.vendor, since.endpoint) != (later.vendor, later.endpoint):
            raise Usage(f"the two runs are over different endpoints: {since.endpoint} and {later.endpoint}")
        return ([], [since]) if later.id == since.id else ([Pair(since, later)], [])
    if isinstance(until, ReportSummary):
        earlier = [each for each in _of_same_place(reports, until) if each.started < until.started]
        return pairs([*earlier, until], since)
    return pairs(reports, since, until)


def _of_same_place(reports: Sequence[ReportSummary], run: ReportSummary) -> list[ReportSummary]:
    place = (run.vendor, run.endpoint, run.vantage)
    return [each for each in reports if (each.vendor, each.endpoint, each.vantage) == place]


def _run_or_time(option: str, text: str | None, reports: Sequence[ReportSummary]) -> ReportSummary | datetime | None:
    """A report by the beginning of its id, a time, or None when nothing was asked for."""
    import re

    from mailrubric.cli.catalogue import parse_as_of
    from mailrubric.cli.terminal import Usage

    if text is None:
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ].+)?", text):
        return parse_as_of(text, option)
    found = [report for report in reports if len(text) >= _SHORTEST_ID and report.id.startswith(text.lower())]
    if len(found) > 1:
        raise Usage(f"{option}: several stored reports begin with {text}")
    if not found:
        raise Usage(
            f"{option}: {text!r} is neither a date such as 2026-11-22 nor the id of a stored report of these vendors; "
            "mailrubric changes --json lists the ids"
        )
    return found[0]


def _compare(store: Store, pair: Pair) -> tuple[list[Change], list[str]]:
    from mailrubric.evidence.changes import changes as differences
    from mailrubric.evidence.changes import observations_of, other_versions

    before, after = (observations_of(store.report(each.id)) for each in (pair.before, pair.after))
    return differences(before, after), other_versions(before, after)


# --- what is printed --------------------------------------------------------------------------------------------------


def _document(compared: Sequence[_Compared], alone: Sequence[ReportSummary]) -> dict[str, Any]:
    return {
        "compared": [
            {
                "vendor": pair.after.vendor,
                "endpoint": pair.after.endpoint,
                "vantage": pair.after.vantage,
                "from": {"report": pair.before.id, "started": pair.before.started},
                "to": {"report": pair.after.id, "started": pair.after.started},
                "other_versions": versions,
                "changes": [
                    {
                        "metric": each.after.metric,
                        "kind": each.kind,
                        "unit": each.after.unit,
                        "before": _observed(each.before),
                        "after": _observed(each.after),
                        "added": list(each.added),
                        "removed": list(each.removed),
                    }
                    for each in found
                ],
            }
            for pair, found, versions in compared
        ],
        "not_compared": [
            {"vendor": each.vendor, "endpoint": each.endpoint, "vantage": each.vantage, "report": each.id}
            for each in alone
        ],
    }


def _observed(observation: Observation) -> dict[str, Any]:
    value = observation.value
    return {
        "value": list(value) if isinstance(value, tuple) else value,
        "cause": observation.cause,
        "detail": observation.detail,
    }


def _show(compared: Sequence[_Compared], alone: Sequence[ReportSummary], names: dict[str, str]) -> None:
    from mailrubric.evidence.changes import in_words

    if not compared:
        say("Nothing to compare: no endpoint was probed twice. mailrubric probe measures again.")
        return
    vendor = ""
    for pair, found, versions in compared:
        if not found:
            continue
        if pair.after.vendor != vendor:
            if vendor:
                say()
            vendor = pair.after.vendor
            print_title(f"{names.get(vendor, vendor)} ({vendor})")
        say()
        vantage = f", from {pair.after.vantage}" if pair.after.vantage else ""
        say(f"{pair.after.endpoint}: {_short(pair.before.started)} to {_short(pair.after.started)}{vantage}")
        if versions:
            say(f"measured with other versions of {', '.join(versions)}, so a change may be ours")
        rows = [(each.after.metric, *in_words(each)) for each in found]
        print_table(("metric", "was", "is"), rows, whole=(0,))
    changed = sum(bool(found) for _, found, _ in compared)
    if vendor:
        say()
    say(f"{changed} of {len(compared)} endpoints changed" + (f"; {len(alone)} probed only once" if alone else "") + ".")


def _short(started: str) -> str:
    return started[:16].replace("T", " ")
