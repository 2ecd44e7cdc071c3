"""Status pages of every kind, served on loopback; the pages' forms are the vendors', their contents invented."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import status
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.status import HISTORY, INDICATORS, KINDS, METRICS, NOW, Incident, StatusProbe, covered, last_days, seconds
from tests.probes import certificates as zoo
from tests.probes.loopback import QUICK, measure, options
from tests.probes.webserver import response, web_server

TODAY = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
Pages = Mapping[str, bytes]


def ago(days: float) -> str:
    """A time this many days ago, as the pages write it."""
    return (TODAY - days * DAY).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def page(value: Any, **headers: str) -> bytes:
    return response(body=json.dumps(value).encode(), Content_Type="application/json", **headers)


async def look(kind: str, pages: Pages, path: str = "/", http_bytes: int = QUICK.http_bytes) -> dict[str, Measurement]:
    async with web_server(pages, zoo.localhost()) as port:
        chosen = options(limits=dataclasses.replace(QUICK, http_bytes=http_bytes))
        endpoint = Endpoint("status", url=f"https://localhost:{port}{path}", kind=kind)
        return await measure(StatusProbe(clock=TODAY.timestamp), endpoint, chosen)


def values(found: Mapping[str, Measurement]) -> list[object]:
    """Indicator, open incidents, components, incidents, minutes: value or cause."""
    return [found[key].value if found[key].cause is None else found[key].cause for key in (*NOW, *HISTORY)]


def everything(cause: Cause) -> list[object]:
    return [cause] * 5


# --- Statuspage -------------------------------------------------------------------------------------------------------

ENTRY = {"id": "1", "name": "Late mail", "status": "resolved", "impact": "minor", "created_at": ago(10),
         "started_at": ago(10), "resolved_at": ago(9.5)}  # fmt: skip


def summary(indicator: Any = "none", incidents: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    return {
        "page": {"id": "abc", "name": "Platform", "url": "https://status.example"},
        "status": {"indicator": indicator, "description": "…"},
        "incidents": [
            {**ENTRY, "id": f"open {index}", "status": each, "resolved_at": None} if isinstance(each, str) else each
            for index, each in enumerate(incidents)
        ],
        "components": [{"group": False}, {"group": True}, {}],
        **more,
    }


async def statuspage(body: Any, incidents: Any = (), kind: str = "statuspage") -> dict[str, Measurement]:
    listed = incidents if isinstance(incidents, bytes) else page({"page": {"id": "abc"}, "incidents": incidents})
    pages = {"/api/v2/summary.json": body if isinstance(body, bytes) else page(body), "/api/v2/incidents.json": listed}
    return await look(kind, pages, "/somewhere")


async def test_a_page_without_a_fault() -> None:
    assert values(await statuspage(summary())) == ["none", 0, 2, 0, 0.0]


async def test_a_page_in_trouble() -> None:
    opened = ("investigating", "resolved", "postmortem", "monitoring", "in_progress")
    found = await statuspage(summary("critical", opened), [ENTRY])
    # Two are open for ten days, of which one more covers a part.
    assert values(found) == ["critical", 2, 2, 3, 14400.0]


async def test_only_the_last_90_days_count_and_each_minute_once() -> None:
    listed = [
        {**ENTRY, "id": "1", "started_at": ago(10), "resolved_at": ago(9)},
        {**ENTRY, "id": "2", "started_at": ago(9.5), "resolved_at": ago(8.5)},
        {**ENTRY, "id": "3", "started_at": None, "created_at": ago(5), "resolved_at": ago(4.75)},
        {**ENTRY, "id": "4", "started_at": ago(95), "created_at": ago(95), "resolved_at": ago(50)},
        {
            **ENTRY,
            "id": "5",
            "started_at": ago(300),
            "created_at": ago(300),
            "resolved_at": None,
            "status": "identified",
        },
        {**ENTRY, "id": "6", "status": "completed"},
    ]
    found = await statuspage(summary(), listed[:4])
    assert values(found)[3:] == [3, (1.5 + 0.25) * 1440]
    found = await statuspage(summary(), listed)
    assert values(found)[3:] == [4, 90 * 1440.0]


async def test_fifty_incidents_are_a_list_that_may_be_cut() -> None:
    fifty = [{**ENTRY, "id": str(number), "started_at": ago(number), "created_at": ago(number),
              "resolved_at": ago(number - 0.5)} for number in range(1, 51)]  # fmt: skip
    found = await statuspage(summary(), fifty)
    assert values(found) == ["none", 0, 2, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR]
    assert found[HISTORY[0]].detail == "the feed reaches back 50 days only"
    assert values(await statuspage(summary(), fifty[:49]))[3] == 49
    fifty[-1] |= {"started_at": ago(91), "created_at": ago(91)}
    assert values(await statuspage(summary(), fifty))[3:] == [49, 49 * 720.0]
    # Neither an incident that was added later nor one that is still open shows how far the list reaches.
    for change in ({"created_at": ago(1)}, {"status": "monitoring", "resolved_at": None}):
        found = await statuspage(summary(), [*fifty[:-1], fifty[-1] | change])
        assert values(found)[3:] == [Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR]


@pytest.mark.parametrize(
    ("change", "counted", "minutes"),
    [
        ({"resolved_at": ago(11)}, 1, Cause.PROTOCOL_ERROR),
        ({"resolved_at": None}, 1, Cause.PROTOCOL_ERROR),
        ({"resolved_at": ago(10)}, 1, 0.0),
        ({"resolved_at": ago(-1)}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"started_at": ago(-1)}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"created_at": ago(-1)}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"started_at": ago(-0.002), "resolved_at": ago(0)}, 1, 0.0),
        ({"started_at": "yesterday"}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"started_at": "2026-11-01T00:00:00"}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"started_at": float("nan")}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"started_at": 1e308}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"started_at": None, "created_at": None}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"resolved_at": 5}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
        ({"status": None}, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR),
    ],
)
async def test_times_that_cannot_be(change: dict[str, Any], counted: object, minutes: object) -> None:
    assert values(await statuspage(summary(), [{**ENTRY, **change}])) == ["none", 0, 2, counted, minutes]


@pytest.mark.parametrize(
    ("listed", "cause"),
    [
        (response("404 Not Found"), Cause.PROTOCOL_ERROR),
        (response("429 Too Many Requests"), Cause.THROTTLED),
        (response(body=b"<html>"), Cause.PROTOCOL_ERROR),
        (page([]), Cause.PROTOCOL_ERROR),
        (page({"incidents": None}), Cause.PROTOCOL_ERROR),
        (page({"incidents": [1]}), Cause.PROTOCOL_ERROR),
        (page({"page": {"id": "other"}, "incidents": []}), Cause.PROTOCOL_ERROR),
        (page({"incidents": [{}] * 60_000}), Cause.REPLY_TOO_LONG),
        (response(body=b" " * (1 << 21)), Cause.REPLY_TOO_LONG),
        (b"", Cause.CONNECTION_RESET),
    ],
)
async def test_a_history_that_is_none_costs_the_present_nothing(listed: bytes, cause: Cause) -> None:
    assert values(await statuspage(summary("minor"), listed)) == ["minor", 0, 2, cause, cause]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (response(body=b"<html>"), Cause.PROTOCOL_ERROR),
        (response("404 Not Found"), Cause.PROTOCOL_ERROR),
        (response("429 Too Many Requests"), Cause.THROTTLED),
        (response(body=b"[" * 40_000), Cause.PROTOCOL_ERROR),
        (response(body=b"[" * 100_000), Cause.REPLY_TOO_LONG),
        (response(body=b'{"a": ' + b"9" * 10_000 + b"}"), Cause.PROTOCOL_ERROR),
        (response(body=b" " * (1024 * 1024 + 10)), Cause.REPLY_TOO_LONG),
        (response("302 Found", Location="https://localhost:1/api/v2/summary.json"), Cause.CONNECTION_REFUSED),
    ],
)
async def test_what_is_no_summary(body: bytes, cause: Cause) -> None:
    assert values(await statuspage(body, [ENTRY])) == everything(cause)


@pytest.mark.parametrize(
    "body",
    [
        [], "text", None, {}, summary("green"), summary(None), summary(3), summary(page=None), summary(status="none"),
        summary(page={"id": "", "name": "x", "url": "y"}), summary(page={"id": 1, "name": "x", "url": "y"}),
        summary(components={}), summary(components=[1]), {**summary(), "incidents": [{}]},
        {**summary(), "incidents": None}, {**summary(), "incidents": ["x"]},
    ],
)  # fmt: skip
async def test_what_only_looks_like_a_summary(body: Any) -> None:
    assert values(await statuspage(body)) == everything(Cause.PROTOCOL_ERROR)


async def test_a_page_that_has_moved() -> None:
    async with web_server(
        {"/api/v2/summary.json": page(summary()), "/api/v2/incidents.json": page({"incidents": [ENTRY]})},
        zoo.localhost(),
    ) as port:
        moved = response("301 Moved Permanently", Location=f"https://localhost:{port}/api/v2/summary.json")
        found = await look("statuspage", {"/api/v2/summary.json": moved})
    assert values(found) == ["none", 0, 2, 1, 720.0]


async def test_a_dead_page() -> None:
    endpoint = Endpoint("status", url="https://localhost:1/", kind="statuspage")
    assert values(await measure(StatusProbe(), endpoint, options())) == everything(Cause.CONNECTION_REFUSED)


@pytest.mark.parametrize("kind", ["", "html-only", "azure", "none-machine-readable", "Statuspage"])
async def test_no_kind_is_guessed(kind: str) -> None:
    found = await look(kind, {"/api/v2/summary.json": page(summary())})
    assert values(found) == everything(Cause.NOT_APPLICABLE)
    assert (kind or "names no kind") in found["status.indicator"].detail


# --- incident.io ------------------------------------------------------------------------------------------------------


async def test_incident_io() -> None:
    nulls = {**summary(), "incidents": None, "components": [{"id": "1", "name": "API", "status": "operational"}]}
    old = {**ENTRY, "id": "old", "started_at": None, "created_at": ago(120), "resolved_at": ago(119)}
    recent = {**ENTRY, "started_at": None}
    found = await statuspage(nulls, [recent, old], "incident-io")
    assert values(found) == ["none", 0, 1, 1, 720.0]
    # How many it lists is not documented, so only the oldest shows how far the list reaches.
    for listed in ([recent], [], None):
        found = await statuspage(nulls, listed, "incident-io")
        assert values(found) == ["none", 0, 1, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR]
    assert values(await statuspage(nulls, [old], "statuspage")) == everything(Cause.PROTOCOL_ERROR)
    assert values(await statuspage(summary("major", ["identified"]), [old], "incident-io")) == [
        "major",
        1,
        2,
        1,
        14400.0,
    ]


# --- Instatus ---------------------------------------------------------------------------------------------------------


async def instatus(body: Any, components: Any = None) -> list[object]:
    parts = {
        "components": [{"id": "a", "status": "OPERATIONAL", "group": {"id": "g"}}, {"id": "g", "status": "OPERATIONAL"}]
    }
    return values(
        await look("instatus", {"/summary.json": page(body), "/v3/components.json": page(components or parts)})
    )


def instatus_page(state: str, *impacts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"page": {"name": "P", "url": "https://status.example", "status": state}}
    if impacts:
        found["activeIncidents"] = [{"status": "INVESTIGATING", "impact": impact} for impact in impacts]
    return found


@pytest.mark.parametrize(
    ("body", "indicator", "opened"),
    [
        (instatus_page("UP"), "none", 0),
        (instatus_page("UNDERMAINTENANCE"), "maintenance", 0),
        (instatus_page("HASISSUES", "DEGRADEDPERFORMANCE"), "minor", 1),
        (instatus_page("HASISSUES", "OPERATIONAL", "PARTIALOUTAGE"), "major", 2),
        (instatus_page("HASISSUES", "MAJOROUTAGE", "PARTIALOUTAGE"), "critical", 2),
        (instatus_page("HASISSUES"), Cause.PROTOCOL_ERROR, 0),
        (instatus_page("HASISSUES", "TERRIBLE"), Cause.PROTOCOL_ERROR, 1),
    ],
)
async def test_instatus(body: Any, indicator: object, opened: int) -> None:
    assert await instatus(body) == [indicator, opened, 1, Cause.NOT_APPLICABLE, Cause.NOT_APPLICABLE]


async def test_instatus_components_in_their_older_form_and_in_none() -> None:
    older = [{"id": "g", "status": "OPERATIONAL", "isParent": True}, {"id": "a", "status": "OPERATIONAL"}]
    assert (await instatus(instatus_page("UP"), older))[2] == 1
    assert (await instatus(instatus_page("UP"), {"components": [{}]}))[2] is Cause.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "body",
    [
        summary(), {}, [], {"page": {"name": "P", "url": "u", "status": "FINE"}}, {"page": {"status": "UP"}},
        {**instatus_page("UP"), "activeIncidents": "none"}, {"page": {"name": "P", "url": "u", "status": ["UP"]}},
    ],
)  # fmt: skip
async def test_what_is_no_instatus_page(body: Any) -> None:
    assert await instatus(body) == everything(Cause.PROTOCOL_ERROR)


# --- Sorry ------------------------------------------------------------------------------------------------------------


def notice(state: str, began: float, ended: float | None, kind: str = "unplanned") -> dict[str, Any]:
    return {"id": 1, "type": kind, "state": state, "began_at": ago(began), "created_at": ago(began),
            "ended_at": None if ended is None else ago(ended)}  # fmt: skip


OLD = notice("resolved", 100, 99)


async def sorry(state: Any, notices: Any, components: Any = ({"state": "operational"},)) -> list[object]:
    pages = {
        "/api/v1/status": page({"page": {"state": state, "state_text": "…", "name": "P"}}),
        "/api/v1/components": page({"components": components}),
        "/api/v1/notices": page({"notices": notices}),
    }
    return values(await look("sorry", pages, "/api/v1/status"))


@pytest.mark.parametrize(
    ("state", "notices", "found"),
    [
        ("operational", [OLD], ["none", 0, 1, 0, 0.0]),
        ("under_maintenance", [notice("scheduled", -3, None, "planned"), OLD], ["maintenance", 0, 1, 0, 0.0]),
        ("degraded", [notice("identified", 0.5, None), notice("resolved", 2, 1), OLD], ["minor", 1, 1, 2, 2160.0]),
        ("operational", [notice("false_alarm", 2, 1), OLD], ["none", 0, 1, 0, 0.0]),
        ("operational", [notice("resolved", 2, 1)], ["none", 0, 1, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR]),
        ("operational", [], ["none", 0, 1, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR]),
        ("operational", [notice("odd", 2, 1), OLD], ["none", *[Cause.PROTOCOL_ERROR], 1, *[Cause.PROTOCOL_ERROR] * 2]),
        ("operational", None, ["none", Cause.PROTOCOL_ERROR, 1, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR]),
        ("fine", [OLD], everything(Cause.PROTOCOL_ERROR)),
        (None, [OLD], everything(Cause.PROTOCOL_ERROR)),
    ],
)
async def test_sorry(state: Any, notices: Any, found: list[object]) -> None:
    assert await sorry(state, notices) == found


async def test_sorry_without_components() -> None:
    assert (await sorry("operational", [OLD], [1]))[2] is Cause.PROTOCOL_ERROR


async def test_a_statuspage_is_no_sorry_page() -> None:
    found = await look("sorry", {"/api/v1/status": page(summary())})
    assert values(found) == everything(Cause.PROTOCOL_ERROR)


# --- StatusIQ ---------------------------------------------------------------------------------------------------------


def rss(*titles: str, channel: str = "<title>Status</title>") -> bytes:
    items = "".join(f"<item><title>{title}</title></item>" for title in titles)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{channel}{items}</channel></rss>'.encode()


async def statusiq(body: bytes) -> list[object]:
    return values(await look("statusiq", {"/rss": response(body=body, Content_Type="application/rss+xml")}))


@pytest.mark.parametrize(
    ("titles", "indicator", "components"),
    [
        (["API - Operational", "Mail - IMAP - operational"], "none", 2),
        (["API - Operational", "Mail - Under Maintenance"], "maintenance", 2),
        (["API - Degraded Performance", "Mail - Operational"], "minor", 2),
        (["API - Partial Outage", "Mail - Degraded Performance"], "major", 2),
        (["API - Major Outage"], "critical", 1),
        # Of a house with many products, only those for mail.
        ([f"Product {number} - Major Outage" for number in range(40)] + ["Zoo Mail - Operational"], "none", 1),
        ([f"Product {number} - Major Outage" for number in range(40)], "critical", 40),
    ],
)
async def test_statusiq(titles: list[str], indicator: str, components: int) -> None:
    missing = Cause.NOT_APPLICABLE
    assert await statusiq(rss(*titles)) == [indicator, missing, components, missing, missing]


@pytest.mark.parametrize(
    "body",
    [
        rss(), rss("API - Splendid"), rss("Operational"), rss("API - Operational", channel=""), b"<html/>", b"", b"{}",
        rss("API - Operational").replace(b"rss", b"feed"), rss("A - Operational", "An incident of last week"),
        b"<!DOCTYPE rss [<!ENTITY a 'Operational'>]>" + rss("API - &a;").partition(b"?>")[2],
        rss(*["a - Operational"] * 20_000),
    ],
)  # fmt: skip
async def test_what_is_no_feed_of_statusiq(body: bytes) -> None:
    assert await statusiq(body) == everything(Cause.PROTOCOL_ERROR)


# --- Google -----------------------------------------------------------------------------------------------------------


def google(began: float, ended: float | None, impact: str = "SERVICE_DISRUPTION", *products: str) -> dict[str, Any]:
    return {
        "id": f"{began}", "number": "1", "begin": ago(began).replace("Z", "+00:00"), "created": ago(began),
        "end": None if ended is None else ago(ended), "status_impact": impact, "service_name": "Multiple Products",
        "affected_products": [{"title": title, "id": title} for title in products or ("Gmail", "Google Meet")],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([google(200, 199)], ["none", 0, 0, 0.0]),
        ([google(1, 0.5), google(100, 99)], ["none", 0, 1, 720.0]),
        ([google(1, None), google(100, 99)], ["minor", 1, 1, 1440.0]),
        ([google(2, None, "SERVICE_OUTAGE"), google(1, None), google(100, 99)], ["major", 2, 2, 2880.0]),
        ([google(2, None, "SERVICE_INFORMATION"), google(100, 99)], ["none", 1, 1, 2880.0]),
        (
            [google(2, None, "SERVICE_OUTAGE", "Google Meet"), google(100, 99, "SERVICE_OUTAGE", "Docs")],
            ["none", 0, 0, 0.0],
        ),
        ([google(1, 0.5)], ["none", 0, Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR]),
    ],
)
@pytest.mark.parametrize("kind", ["google", "google-dashboard"])
async def test_google(kind: str, entries: list[Any], found: list[object]) -> None:
    measured = await look(kind, {"/appsstatus/dashboard/incidents.json": page(entries)}, "/appsstatus/dashboard/")
    assert values(measured) == [*found[:2], Cause.NOT_APPLICABLE, *found[2:]]


@pytest.mark.parametrize(
    "entries",
    [[], {}, None, [1], [{}], [{**google(1, 0), "status_impact": "BAD"}], [{**google(1, 0), "affected_products": None}],
     [{**google(1, 0), "affected_products": [{}]}], [google(200, 199), {"id": "x"}]],
)  # fmt: skip
async def test_what_is_no_list_of_googles(entries: Any) -> None:
    assert values(await look("google", {"/incidents.json": page(entries)})) == everything(Cause.PROTOCOL_ERROR)


# --- AWS --------------------------------------------------------------------------------------------------------------


def aws(service: str, state: str, **impacted: str) -> dict[str, Any]:
    found = {
        "arn": "arn:aws:health:us-east-1::event/X/Y/Z", "date": "1763800000", "status": state, "service": service,
        "service_name": "A service", "region_name": "N. Virginia",
    }  # fmt: skip
    named = {name.replace("_", "-"): {"service_name": name, "current": current} for name, current in impacted.items()}
    return {**found, "impacted_services": named} if named else found


async def current_events(events: Any, encoding: str = "utf-16") -> list[object]:
    body = json.dumps(events).encode(encoding)
    pages = {"/public/currentevents": response(body=body, Content_Type="application/json;charset=utf-16")}
    return values(await look("aws-health", pages, "/health/status"))


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([], ["none", 0]),
        ([aws("ec2-us-east-1", "3")], ["none", 0]),
        ([aws("ses-us-east-1", "2")], ["minor", 1]),
        ([aws("ses-us-east-1", "1"), aws("workmail-eu-west-1", "3")], ["major", 2]),
        ([aws("ses-us-east-1", "0")], ["none", 0]),
        ([aws("multipleservices-me-central-1", "3", ses_me_central_1="2", ec2_me_central_1="3")], ["minor", 1]),
        ([aws("multipleservices-me-central-1", "3", ec2_me_central_1="3")], ["none", 0]),
        ([aws("multipleservices-me-central-1", "3", ses_me_central_1="9")], [Cause.PROTOCOL_ERROR, 1]),
    ],
)
async def test_aws(events: list[Any], found: list[object]) -> None:
    assert await current_events(events) == [*found, *[Cause.NOT_APPLICABLE] * 3]


@pytest.mark.parametrize(
    ("events", "encoding"),
    [
        ([], "utf-8"), ({}, "utf-16"), ([1], "utf-16"), ([{}], "utf-16"), ([], "utf-16-le"),
        ([{**aws("ses", "1"), "arn": "arn:other"}], "utf-16"), ([{**aws("ses", "1"), "status": 1}], "utf-16"),
        ([{**aws("ses", "1"), "impacted_services": []}], "utf-16"),
        ([{**aws("ses", "1"), "impacted_services": {"ses": None}}], "utf-16"),
    ],
)  # fmt: skip
async def test_what_is_no_list_of_aws_events(events: Any, encoding: str) -> None:
    assert await current_events(events, encoding) == everything(Cause.PROTOCOL_ERROR)


async def test_utf_16_that_is_cut_off() -> None:
    pages = {"/public/currentevents": response(body=b"\xff\xfe[")}
    assert values(await look("aws", pages)) == everything(Cause.PROTOCOL_ERROR)


# --- arithmetic and hostile input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "total"),
    [
        ([], 0),
        ([(1, 2)], 1),
        ([(1, 3), (2, 5)], 4),
        ([(1, 9), (2, 3), (4, 5)], 8),
        ([(5, 6), (1, 2)], 2),
        ([(3, 3)], 0),
    ],
)
def test_the_union_of_spans(spans: list[tuple[float, float]], total: float) -> None:
    assert covered(spans) == total


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (min(pair), max(pair)))))
def test_the_union_is_what_counting_gives(spans: list[tuple[int, int]]) -> None:
    assert covered(spans) == len({point for begin, end in spans for point in range(begin, end)})


@given(
    st.lists(st.tuples(st.integers(-200, 0), st.none() | st.integers(-200, 0), st.booleans()), max_size=8),
    st.booleans(),
)
def test_minutes_never_exceed_the_days(entries: list[tuple[int, int | None, bool]], complete: bool) -> None:
    now = TODAY.timestamp()
    incidents = [
        Incident(now + 86400 * began, now + 86400 * began, None if ended is None else now + 86400 * ended, is_open)
        for began, ended, is_open in entries
    ]
    count, minutes = last_days(incidents, now, complete)
    if minutes.cause is None:
        assert isinstance(minutes.value, float)
        assert isinstance(count.value, int)
        assert 0 <= minutes.value <= 90 * 1440
        assert count.value or minutes.value == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-22T12:00:00Z", TODAY.timestamp()), ("2026-11-22T13:00:00.000+01:00", TODAY.timestamp()),
        ("2026-11-22T12:00:00", None), ("2026-11-22", None), ("", None), (None, None), (True, None), (1.5, None),
        ("9999-12-31T23:59:59-23:59", None), ("0001-01-01T00:00:00+23:59", None), ("2026-13-01T00:00:00Z", None),
        ("2" * 5000, None), ({}, None),
    ],
)  # fmt: skip
def test_times(text: Any, value: float | None) -> None:
    if value is None:
        found = seconds(text)
        assert found is None or abs(found) > 6e10  # a real time, however far away
    else:
        assert seconds(text) == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["none", ago(1)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["page", "status", "indicator", "incidents", "components", "id", "state", "group", "service", "arn"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values | st.binary(max_size=40))
def test_no_json_breaks_a_parser(value: Any) -> None:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    with contextlib.suppress(Unmeasured):
        status.parse_json(body, "/")
    if isinstance(value, bytes):
        return
    status.parse_summary(value)
    status.parse_summary(value, nulls=True)
    with contextlib.suppress(Unmeasured):
        status.instatus_components(value)
    if isinstance(value, dict):
        status.parse_summary({**summary(), **value})
        status.is_google_incident({**google(1, 0), **value})
        event = {**aws("ses", "1"), **value}
        if status.is_aws_event(event):
            status.aws_mail_states(event)
        with contextlib.suppress(Unmeasured):
            status.incident({**ENTRY, **value}, ("id", "page", "status"), False, TODAY.timestamp())


@given(st.binary(max_size=60) | st.text(alphabet="<>/rschanelitmt -&;!", max_size=60).map(str.encode))
def test_no_feed_breaks_its_parser(body: bytes) -> None:
    assert isinstance(status.parse_statusiq(body), str)


def test_every_kind_is_documented() -> None:
    assert set(KINDS) == {
        "statuspage", "incident-io", "instatus", "sorry", "statusiq", "google", "google-dashboard", "aws", "aws-health",
    }  # fmt: skip
    assert [metric.key for metric in METRICS] == [*NOW, *HISTORY]
    assert METRICS[0].levels == INDICATORS
