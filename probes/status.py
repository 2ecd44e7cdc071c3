"""Status pages: what a vendor says of its own service, read as its machine-readable form.

A page has to prove first that it is of the kind that the profile names; only then is anything else asked of it, and
only then does it have values. What a feed does not hold is never made up: a history that is cut before 90 days is no
short history.

Formats: Statuspage and pages in its form (incident.io): ``/api/v2/summary.json``, ``/api/v2/incidents.json``;
Instatus: ``/summary.json``, ``/v3/components.json``; Sorry: ``/api/v1/status``, ``/components``, ``/notices``;
StatusIQ: ``/rss``; Google: ``incidents.json`` beside the dashboard; AWS: ``/public/currentevents``, in UTF-16. The
Azure feed is not read: it states neither severity nor end, and some of its instances are empty in the midst of an
incident.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import math
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from probes.http import follow, page, visit_of
from probes.markup import parse_xml, text_of
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured, Value
from probes.replies import printable, quoted

if TYPE_CHECKING:
    from probes.fetch import Visit
    from probes.network import HTTPResponse, Network

_STATUS: frozenset[Role] = frozenset({"status"})

DAYS = 90
STATUSPAGE_INCIDENTS = 50
"""How many incidents Statuspage lists: the most recent ones."""
MAXIMUM_VALUES = 50_000
"""Objects and lists of a JSON document; a megabyte of empty ones would take thirty to hold."""
HOUSE_OF_PRODUCTS = 30
"""A feed with more components than this is of a house with many products, of which only the mail ones count."""

INDICATORS = ("critical", "major", "minor", "maintenance", "none")
"""What Statuspage calls the state of everything, worst first."""

_DAY = 86_400.0
_SKEW = 300.0  # seconds by which a page's clock may be ahead of ours
_REFERENCE = "Statuspage status API, GET /api/v2/summary.json"
_HISTORY_REFERENCE = "Statuspage status API, GET /api/v2/incidents.json"

METRICS: tuple[Metric, ...] = (
    Metric(
        "status.indicator",
        "level",
        "State of all components as the status page sums it up; none means that nothing is wrong. Where it only names "
        "components, the worst one: degraded is minor, a partial outage major, a major outage critical; with Google a "
        "disruption is minor, an outage major. Of a house with many products, only those for mail.",
        reference=_REFERENCE,
        levels=INDICATORS,
    ),
    Metric(
        "status.open_incidents",
        "integer",
        "Incidents on the status page that are not resolved; maintenance is none.",
        reference=_REFERENCE,
    ),
    Metric(
        "status.components",
        "integer",
        "Components whose state the status page shows, groups not counted.",
        reference=_REFERENCE,
    ),
    Metric(
        "status.incidents_90_days",
        "integer",
        f"Published incidents, of any impact, that began in the last {DAYS} days or are still open. There is no value "
        f"when the page lists fewer days.",
        reference=_HISTORY_REFERENCE,
    ),
    Metric(
        "status.incident_minutes_90_days",
        "number",
        f"Minutes of the last {DAYS} days that lie between beginning and end of such an incident (until now, while it "
        "is open); of several at a time, each minute once.",
        unit="min",
        reference=_HISTORY_REFERENCE,
    ),
)
NOW = ("status.indicator", "status.open_incidents", "status.components")
HISTORY = ("status.incidents_90_days", "status.incident_minutes_90_days")

Finding = list[Measurement]


# --- reading ----------------------------------------------------------------------------------------------------------


class _Site:
    """The server of a status page, read in the course of one visit. ``base``: what the paths of its interface are
    appended to."""

    def __init__(self, endpoint: Endpoint, network: Network, visit: Visit) -> None:
        parts = urllib.parse.urlsplit(endpoint.url)
        self.base = f"{parts.scheme}://{parts.netloc}"
        self.folder = parts.path.rpartition("/")[0]
        self._network = network
        self._visit = visit

    async def read(self, path: str) -> HTTPResponse:
        """A complete response with status 200. ``Unmeasured`` for anything else."""
        responses, dead_end = await follow(self.base + path, self._network, self._visit)
        if dead_end is not None:
            raise dead_end
        response = responses[-1]
        if response.status == 429:
            raise Unmeasured(Cause.THROTTLED, f"{path} answers with HTTP 429")
        if response.status != 200:
            raise _wrong(f"{path} answers with HTTP {response.status}")
        if response.truncated:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"{path} is longer than {len(response.body)} bytes")
        if len(responses) > 1 and response.url.endswith(path):
            self.base = response.url.removesuffix(path)  # what is read next needs no redirect
        return response

    async def json(self, path: str) -> Any:
        """The JSON document at this path."""
        return parse_json((await self.read(path)).body, path)


def _wrong(detail: str) -> Unmeasured:
    return Unmeasured(Cause.PROTOCOL_ERROR, detail)


def _nothing(detail: str) -> Unmeasured:
    return Unmeasured(Cause.NOT_APPLICABLE, detail)


def parse_json(body: bytes, path: str, encoding: str = "utf-8-sig") -> Any:
    """The JSON value of a body, or ``Unmeasured``: no JSON, or so many values that they would fill the memory."""
    try:
        text = body.decode(encoding)
        if text.count("{") + text.count("[") > MAXIMUM_VALUES:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"{path} has more than {MAXIMUM_VALUES} objects and lists")
        return json.loads(text)
    except (ValueError, RecursionError):  # not that encoding, not JSON, or nested to attack the parser
        raise _wrong(f"{path} is not JSON") from None


def _text(value: Any, key: str) -> str:
    """A text field of an object; "" when it has none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _objects(value: Any) -> list[dict[str, Any]] | None:
    """``value`` when it is a list of nothing but objects."""
    return value if isinstance(value, list) and all(isinstance(entry, dict) for entry in value) else None


def _worst(indicators: Iterable[str]) -> str:
    return min(indicators, key=INDICATORS.index, default="none")


def _missing(keys: Sequence[str], reason: Unmeasured) -> Finding:
    return [Measurement.missing(key, reason.cause, reason.detail) for key in keys]


def _measured(key: str, value: Value | Unmeasured, detail: str = "") -> Measurement:
    if isinstance(value, Unmeasured):
        return Measurement.missing(key, value.cause, value.detail)
    return Measurement(key, value, detail=detail)


# --- history ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Incident:
    """One incident; times in seconds since 1970. ``created``: when it was put on the page, which for incidents that
    were added later is not when they began. ``ended`` is None when it is open or nobody says."""

    began: float
    created: float
    ended: float | None
    open: bool


def seconds(value: Any) -> float | None:
    """Seconds since 1970 of an ISO 8601 time with its offset from UTC; None for anything else."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.datetime.fromisoformat(value)
        return None if moment.tzinfo is None else moment.timestamp()
    except (ValueError, OverflowError):
        return None


def incident(entry: dict[str, Any], keys: tuple[str, str, str], is_open: bool, now: float) -> Incident:
    """An incident whose times are under these keys (begin, creation, end). Without a begin the creation counts.
    ``Unmeasured`` when its times are no times, or of the future."""
    began, created, ended = (entry.get(key) for key in keys)
    times = [seconds(began if began is not None else created), seconds(created if created is not None else began)]
    end = None if ended is None or is_open else seconds(ended)
    if None in times or (ended is not None and not is_open and end is None):
        raise _wrong(f"an incident has no valid time: {quoted(repr([began, created, ended]), 120)}")
    if any(each is not None and each > now + _SKEW for each in (*times, end)):
        raise _wrong(f"an incident is of the future: {quoted(repr([began, created, ended]), 120)}")
    return Incident(times[0] or 0.0, times[1] or 0.0, end, is_open)


def last_days(incidents: Sequence[Incident], now: float, complete: bool) -> Finding:
    """The two metrics of the last 90 days. ``complete``: whether the list holds all incidents there ever were;
    otherwise it has to reach back beyond those days.

    A list may be sorted by begin or by creation: what was cut off is older than the later of the oldest two. Open
    incidents prove nothing there, as pages list them however old they are.
    """
    since = now - DAYS * _DAY
    if not complete:
        over = [each for each in incidents if not each.open]
        if not over:
            return _missing(HISTORY, _wrong("the page lists no incident that is over: nobody knows how far it reaches"))
        reach = max(min(each.began for each in over), min(each.created for each in over))
        if reach >= since:
            days = max(0, math.floor((now - reach) / _DAY))
            return _missing(HISTORY, _wrong(f"the feed reaches back {days} days only"))
    within = [each for each in incidents if each.open or each.began >= since]
    counted = Measurement(HISTORY[0], len(within))
    spans: list[tuple[float, float]] = []
    for each in within:
        end = now if each.open else each.ended
        if end is None or end < min(each.began, now):
            why = "names no end" if end is None else "ends before it begins"
            return [counted, *_missing(HISTORY[1:], _wrong(f"an incident that is over {why}"))]
        spans.append((max(since, min(each.began, now)), min(end, now)))
    return [counted, Measurement(HISTORY[1], round(covered(spans) / 60, 1))]


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length of the union of these spans."""
    total, until = 0.0, -math.inf
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


async def _history(measure: Awaitable[Finding]) -> Finding:
    """What is measured of the last 90 days; a fault there costs the rest nothing."""
    try:
        return await measure
    except Unmeasured as reason:
        return _missing(HISTORY, reason)


# --- Statuspage, incident.io ------------------------------------------------------------------------------------------

_SUMMARY = "/api/v2/summary.json"
_INCIDENTS = "/api/v2/incidents.json"
_CLOSED = frozenset({"resolved", "postmortem"})
_MAINTENANCE = frozenset({"scheduled", "in_progress", "verifying", "completed"})


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """What a Statuspage summary says. ``opened``: its incidents that are not over."""

    page: str
    indicator: str
    opened: tuple[dict[str, Any], ...]
    components: int


def parse_summary(summary: Any, nulls: bool = False) -> Summary | str:
    """A Statuspage summary, or in words why it is none. ``nulls``: lists without entries may be null, as incident.io
    has them."""
    page = summary.get("page") if isinstance(summary, dict) else None
    if not all(_text(page, key) for key in ("id", "name", "url")):
        return "it names no page"
    indicator = _text(summary.get("status"), "indicator")
    if indicator not in INDICATORS:
        return "it has no known status indicator"
    lists = [summary.get("incidents"), summary.get("components")]
    incidents, components = (_objects([] if nulls and found is None else found) for found in lists)
    if incidents is None or components is None:
        return "its incidents or components are no lists"
    if not all(_text(entry, "status") for entry in incidents):
        return "an incident has no status"
    opened = tuple(entry for entry in incidents if entry["status"] not in _CLOSED | _MAINTENANCE)
    return Summary(_text(page, "id"), indicator, opened, sum(entry.get("group") is not True for entry in components))


async def _statuspage(site: _Site, now: float, nulls: bool = False) -> Finding:
    found = parse_summary(await site.json(_SUMMARY), nulls)
    if isinstance(found, str):
        raise _wrong(f"{_SUMMARY} is no Statuspage summary: {found}")
    return [
        Measurement("status.indicator", found.indicator),
        Measurement("status.open_incidents", len(found.opened)),
        Measurement("status.components", found.components),
        *await _history(_statuspage_history(site, found, now, nulls)),
    ]


async def _incident_io(site: _Site, now: float) -> Finding:
    return await _statuspage(site, now, nulls=True)


async def _statuspage_history(site: _Site, summary: Summary, now: float, nulls: bool) -> Finding:
    listed = await site.json(_INCIDENTS)
    entries = listed.get("incidents") if isinstance(listed, dict) else None
    found = _objects([] if nulls and isinstance(listed, dict) and entries is None else entries)
    if found is None or not all(_text(entry, "status") for entry in found):
        raise _wrong(f"{_INCIDENTS} has no list of incidents")
    page = _text(listed.get("page"), "id")
    if page and page != summary.page:
        raise _wrong(f"{_INCIDENTS} is of another page")
    known = {_text(entry, "id") for entry in found}
    every = found + [entry for entry in summary.opened if _text(entry, "id") not in known]
    keys = ("started_at", "created_at", "resolved_at")
    incidents = [
        incident(entry, keys, entry["status"] not in _CLOSED, now)
        for entry in every
        if entry["status"] not in _MAINTENANCE
    ]
    # Statuspage documents how many it lists; incident.io, which has the same form, does not.
    return last_days(incidents, now, complete=not nulls and len(found) < STATUSPAGE_INCIDENTS)


# --- Instatus ---------------------------------------------------------------------------------------------------------

_INSTATUS_PAGES = frozenset({"UP", "HASISSUES", "UNDERMAINTENANCE"})
_INSTATUS_IMPACTS = {
    "OPERATIONAL": "none",
    "DEGRADEDPERFORMANCE": "minor",
    "PARTIALOUTAGE": "major",
    "MAJOROUTAGE": "critical",
}


async def _instatus(site: _Site, now: float) -> Finding:
    path, of_components = "/summary.json", "/v3/components.json"
    summary = await site.json(path)
    page = summary.get("page") if isinstance(summary, dict) else None
    state = _text(page, "status")
    if state not in _INSTATUS_PAGES or not _text(page, "name") or not _text(page, "url"):
        raise _wrong(f"{path} is no Instatus summary: it names no page with a known status")
    active = _objects(summary.get("activeIncidents", []))  # left out when there are none
    if active is None:
        raise _wrong(f"{path} is no Instatus summary: its incidents are no list")
    opened = [entry for entry in active if _text(entry, "status") != "RESOLVED"]
    try:
        components: int | Unmeasured = instatus_components(await site.json(of_components))
    except Unmeasured as reason:
        components = reason
    return [
        _measured("status.indicator", instatus_indicator(state, opened)),
        Measurement("status.open_incidents", len(opened)),
        _measured("status.components", components),
        *_missing(HISTORY, _nothing("Instatus publishes no history that programs can read")),
    ]


def instatus_indicator(state: str, opened: Sequence[dict[str, Any]]) -> str | Unmeasured:
    """The page's state; how bad its issues are, only the incidents say."""
    if state != "HASISSUES":
        return "none" if state == "UP" else "maintenance"
    impacts = [_INSTATUS_IMPACTS.get(_text(entry, "impact")) for entry in opened]
    worst = _worst(impact for impact in impacts if impact is not None)
    if worst == "none" or None in impacts:
        return _wrong("the page has issues but does not say how bad they are")
    return worst


def instatus_components(listed: Any) -> int:
    """Components that are no groups."""
    found = _objects(listed.get("components") if isinstance(listed, dict) else listed)
    if found is None or not all(_text(entry, "status") for entry in found):
        raise _wrong("/v3/components.json has no list of components")
    groups = {_text(entry.get("group"), "id") for entry in found} - {""}
    return sum(entry.get("isParent") is not True and _text(entry, "id") not in groups for entry in found)


# --- Sorry ------------------------------------------------------------------------------------------------------------

_SORRY_STATES = {"operational": "none", "degraded": "minor", "under_maintenance": "maintenance"}
_SORRY_OPEN = frozenset({"investigating", "identified", "recovering"})
_SORRY_CLOSED = frozenset({"resolved", "false_alarm"})


async def _sorry(site: _Site, now: float) -> Finding:
    status = await site.json("/api/v1/status")
    page = status.get("page") if isinstance(status, dict) else None
    indicator = _SORRY_STATES.get(_text(page, "state"))
    if indicator is None or not _text(page, "state_text"):
        raise _wrong("/api/v1/status is no status of Sorry: it names no page with a known state")
    components, notices = await asyncio.gather(_sorry_components(site), _sorry_notices(site, now))
    return [Measurement("status.indicator", indicator), components, *notices]


async def _sorry_components(site: _Site) -> Measurement:
    path = "/api/v1/components"
    try:
        listed = await site.json(path)
        found = _objects(listed.get("components") if isinstance(listed, dict) else listed)
        if found is None or not all(_text(entry, "state") for entry in found):
            raise _wrong(f"{path} has no list of components")
    except Unmeasured as reason:
        return _measured("status.components", reason)
    return Measurement("status.components", len(found))


async def _sorry_notices(site: _Site, now: float) -> Finding:
    path = "/api/v1/notices"
    try:
        listed = await site.json(path)
        found = _objects(listed.get("notices") if isinstance(listed, dict) else None)
        if found is None or not all(_text(entry, "type") for entry in found):
            raise _wrong(f"{path} has no list of notices")
        unplanned = [entry for entry in found if entry["type"] == "unplanned"]
        if any(_text(entry, "state") not in _SORRY_OPEN | _SORRY_CLOSED for entry in unplanned):
            raise _wrong(f"{path} has a notice of an unknown state")
    except Unmeasured as reason:
        return _missing(["status.open_incidents", *HISTORY], reason)
    keys = ("began_at", "created_at", "ended_at")

    async def history() -> Finding:
        real = [entry for entry in unplanned if entry["state"] != "false_alarm"]
        return last_days([incident(entry, keys, entry["state"] in _SORRY_OPEN, now) for entry in real], now, False)

    opened = sum(entry["state"] in _SORRY_OPEN for entry in unplanned)
    return [Measurement("status.open_incidents", opened), *await _history(history())]


# --- StatusIQ ---------------------------------------------------------------------------------------------------------

_STATUSIQ = {
    "operational": "none",
    "under maintenance": "maintenance",
    "degraded performance": "minor",
    "partial outage": "major",
    "major outage": "critical",
}
_FOR_MAIL = re.compile("mail", re.IGNORECASE)


async def _statusiq(site: _Site, now: float) -> Finding:
    states = parse_statusiq((await site.read("/rss")).body)
    if isinstance(states, str):
        raise _wrong(f"/rss is no feed of StatusIQ: {states}")
    for_mail = [pair for pair in states if _FOR_MAIL.search(pair[0])]
    chosen, detail = states, ""
    if len(states) > HOUSE_OF_PRODUCTS and for_mail:
        chosen, detail = for_mail, f"the {len(for_mail)} of {len(states)} components that are for mail"
    return [
        Measurement("status.indicator", _worst(state for _, state in chosen), detail=detail),
        Measurement("status.components", len(chosen), detail=detail),
        *_missing(["status.open_incidents", *HISTORY], _nothing("the feed of StatusIQ names no incidents")),
    ]


def parse_statusiq(body: bytes) -> list[tuple[str, str]] | str:
    """(component, state as an indicator) of each item, or in words why it is no such feed."""
    try:
        root = parse_xml(body)
    except ValueError as error:
        return printable(str(error), 200)
    channel = root.find("channel") if root.tag == "rss" else None
    items = [] if channel is None else channel.findall("item")
    if not items or not text_of(channel, "title"):
        return "it is no RSS channel with items"
    found = []
    for item in items:
        component, separator, state = text_of(item, "title").rpartition(" - ")
        if not separator or state.strip().lower() not in _STATUSIQ:
            return f"the item {quoted(text_of(item, 'title'), 80)} names no component with a known state"
        found.append((component, _STATUSIQ[state.strip().lower()]))
    return found


# --- Google -----------------------------------------------------------------------------------------------------------

_GOOGLE_IMPACTS = {"SERVICE_INFORMATION": "none", "SERVICE_DISRUPTION": "minor", "SERVICE_OUTAGE": "major"}


async def _google(site: _Site, now: float) -> Finding:
    path = f"{site.folder}/incidents.json"
    entries = _objects(await site.json(path))
    if not entries or not all(map(is_google_incident, entries)):
        raise _wrong(f"{path} is no list of Google's incidents")
    for_mail = [any(_FOR_MAIL.search(product["title"]) for product in entry["affected_products"]) for entry in entries]
    detail = f"of {len(entries)} incidents, the {sum(for_mail)} that affect mail"
    opened = [entry for entry, mail in zip(entries, for_mail, strict=True) if mail and entry.get("end") is None]

    async def history() -> Finding:
        every = [incident(entry, ("begin", "created", "end"), entry.get("end") is None, now) for entry in entries]
        reaching = last_days(every, now, complete=False)
        if reaching[0].cause is not None:
            return reaching
        return last_days([each for each, mail in zip(every, for_mail, strict=True) if mail], now, complete=True)

    indicator = _worst(_GOOGLE_IMPACTS[entry["status_impact"]] for entry in opened)
    return [
        Measurement("status.indicator", indicator, detail=detail),
        Measurement("status.open_incidents", len(opened), detail=detail),
        *_missing(["status.components"], _nothing("the feed lists incidents, not components")),
        *await _history(history()),
    ]


def is_google_incident(entry: dict[str, Any]) -> bool:
    """Whether an object has the form of an incident of a Google dashboard."""
    products = _objects(entry.get("affected_products"))
    return (
        all(_text(entry, key) for key in ("id", "begin", "service_name"))
        and _text(entry, "status_impact") in _GOOGLE_IMPACTS
        and products is not None
        and all(_text(product, "title") for product in products)
    )


# --- AWS --------------------------------------------------------------------------------------------------------------

_AWS_STATES = {"0": "none", "1": "none", "2": "minor", "3": "major"}
"""Operational, informational, degraded, disrupted."""
_AWS_MAIL = re.compile(r"ses-|ses$|workmail")


async def _aws(site: _Site, now: float) -> Finding:
    path = "/public/currentevents"
    response = await site.read(path)
    if not response.body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _wrong(f"{path} is not in UTF-16, as AWS has it")
    events = _objects(parse_json(response.body, path, "utf-16"))
    if events is None or not all(map(is_aws_event, events)):
        raise _wrong(f"{path} is no list of AWS events")
    states = [state for event in events for state in aws_mail_states(event)]
    opened = sum(any(state != "0" for state in aws_mail_states(event)) for event in events)
    detail = f"of {len(events)} current events, the {opened} that affect mail"
    unknown = _wrong(f"{path} has an unknown state") if any(state not in _AWS_STATES for state in states) else None
    return [
        _measured("status.indicator", unknown or _worst(_AWS_STATES[state] for state in states), detail),
        Measurement("status.open_incidents", opened, detail=detail),
        *_missing(["status.components", *HISTORY], _nothing("AWS publishes its current events only")),
    ]


def is_aws_event(event: dict[str, Any]) -> bool:
    """Whether an object has the form of a public AWS event."""
    impacted = event.get("impacted_services", {})
    return (
        re.match(r"arn:aws[a-z-]*:health:", _text(event, "arn")) is not None
        and re.fullmatch(r"[0-9]{9,11}", _text(event, "date")) is not None
        and _text(event, "status") in _AWS_STATES
        and _text(event, "service") != ""
        and isinstance(impacted, dict)
        and all(_text(service, "current") for service in impacted.values())
    )


def aws_mail_states(event: dict[str, Any]) -> list[str]:
    """States of the mail services that an event names."""
    impacted = event.get("impacted_services", {})
    found = [
        service["current"]
        for name, service in impacted.items()
        if _AWS_MAIL.match(name) or _FOR_MAIL.search(_text(service, "service_name"))
    ]
    if not found and (_AWS_MAIL.match(event["service"]) or _FOR_MAIL.search(_text(event, "service_name"))):
        found = [event["status"]]
    return found


# --- the probe --------------------------------------------------------------------------------------------------------

KINDS: dict[str, Callable[[_Site, float], Awaitable[Finding]]] = {
    "statuspage": _statuspage,
    "incident-io": _incident_io,
    "instatus": _instatus,
    "sorry": _sorry,
    "statusiq": _statusiq,
    "google": _google,
    "google-dashboard": _google,
    "aws": _aws,
    "aws-health": _aws,
}
"""Kind, as profiles name it → how it is read."""


class StatusProbe:
    """What a status page says now and of the last 90 days. ``clock``: seconds since 1970; None for the network's."""

    name = "status"
    roles = _STATUS
    metrics = METRICS

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All metrics of a page of a known kind; ``not_applicable`` for others: no kind is guessed."""
        read = KINDS.get(endpoint.kind)
        if read is None:
            kind = printable(endpoint.kind, 60)
            raise _nothing(f"status pages of kind {kind} are not read" if kind else "the profile names no kind of page")
        now = network.now.timestamp() if self._clock is None else self._clock()
        # The page first: both take one connection where the server agrees, and one that does not answer is not
        # bothered twice.
        await page(endpoint, network)
        async with await visit_of(network) as visit:
            return await read(_Site(endpoint, network, visit), now)
