"""HTTP endpoints of a vendor: its API, its web pages, its status page.

One request, redirects followed by hand (each hop through the network, with its guards). Nothing is sent but a GET
without credentials. Whether the certificate is any good is the certificate probe's to say.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from probes.model import WEB_ROLES, Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import HTTPResponse, Network

_API: frozenset[Role] = frozenset({"api"})
_STATUS: frozenset[Role] = frozenset({"status"})

MAXIMUM_REDIRECTS = 3
VERSIONS = ("HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3")
INDICATORS = ("critical", "major", "minor", "maintenance", "none")
"""What Statuspage calls the state of everything, worst first."""
_SUMMARY_PATH = "/api/v2/summary.json"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CLOSED_INCIDENTS = frozenset({"resolved", "postmortem"})

METRICS: tuple[Metric, ...] = (
    Metric(
        "http.reachable",
        "boolean",
        "True when a complete HTTP response arrived, whatever its status. There is no false: what kept it from "
        "arriving is the cause.",
        reference="RFC 9110 §15",
    ),
    Metric(
        "http.status",
        "integer",
        f"Status code of the response, after at most {MAXIMUM_REDIRECTS} redirects (none from https to http).",
        reference="RFC 9110 §15",
    ),
    Metric("http.redirects", "integer", "Redirects followed.", reference="RFC 9110 §15.4"),
    Metric(
        "http.version",
        "level",
        "HTTP version of that response; HTTP/2 and HTTP/1.1 were offered (HTTP/3 is not tried).",
        reference="RFC 9112, RFC 9113",
        levels=VERSIONS,
    ),
    Metric(
        "http.latency_ms",
        "number",
        "Time from that request sent to its response headers read, on an open connection, one sample.",
        unit="ms",
    ),
    Metric("http.tls", "boolean", "Whether that response came over TLS.", reference="RFC 9110 §4.2.2"),
    Metric(
        "http.hsts",
        "boolean",
        "Whether the first response over https carries a valid Strict-Transport-Security header with a max-age above "
        "0.",
        reference="RFC 6797 §6.1",
    ),
    Metric("http.hsts_max_age", "integer", "The max-age of that header.", unit="s", reference="RFC 6797 §6.1.1"),
    Metric(
        "http.authentication_required",
        "boolean",
        "Whether the URL answers a request without credentials with 401 or 403.",
        reference="RFC 9110 §15.5.2, §15.5.4",
        roles=_API,
    ),
    Metric(
        "status.indicator",
        "level",
        "State of all components as the status page sums it up; none means that nothing is wrong.",
        reference="Statuspage status API, GET /api/v2/summary.json",
        levels=INDICATORS,
        roles=_STATUS,
    ),
    Metric(
        "status.open_incidents",
        "integer",
        "Incidents on the status page that are not resolved.",
        reference="Statuspage status API, GET /api/v2/summary.json",
        roles=_STATUS,
    ),
    Metric(
        "status.components",
        "integer",
        "Components whose state the status page shows, groups not counted.",
        reference="Statuspage status API, GET /api/v2/summary.json",
        roles=_STATUS,
    ),
)
_STATUS_KEYS = tuple(metric.key for metric in METRICS if metric.key.startswith("status."))


async def follow(url: str, network: Network) -> tuple[list[HTTPResponse], Unmeasured | None]:
    """The response, preceded by the redirects that led to it; and why a redirect led nowhere, if one did. Not followed:
    a fourth redirect, one from https to http, one without a usable Location; the redirect itself is then the response.

    Raises ``Unmeasured`` when not even the first response arrived.
    """
    responses = [await _get(url, network)]
    while True:
        target = redirect_target(responses[-1])
        if target is None or len(responses) > MAXIMUM_REDIRECTS or target in {each.url for each in responses}:
            return responses, None
        try:
            responses.append(await _get(target, network))
        except Unmeasured as reason:
            detail = f"{reason.detail} (after a redirect to {printable(target, 100)})"
            return responses, Unmeasured(reason.cause, detail)


async def _get(url: str, network: Network) -> HTTPResponse:
    try:
        return await network.http(url)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_APPLICABLE, f"not a URL to fetch: {printable(str(error), 200)}") from None


def redirect_target(response: HTTPResponse) -> str | None:
    """Where the response redirects to, without the fragment; None when it does not, or to what must not be followed:
    a scheme other than http and https, or http from https."""
    location = response.headers.get("location", "").strip()
    if response.status not in _REDIRECTS or not location or len(location) > 2000:
        return None
    try:
        target = urllib.parse.urldefrag(urllib.parse.urljoin(response.url, location)).url
        scheme = urllib.parse.urlsplit(target).scheme
    except ValueError:
        return None
    allowed = ("https",) if response.url.lower().startswith("https:") else ("http", "https")
    return target if scheme in allowed else None


def hsts_max_age(header: str) -> int | None:
    """The max-age of a Strict-Transport-Security header, or None when the header is not valid (RFC 6797 §6.1).

    Of several headers (joined by ", " here) the first counts, §8.1; a directive must not come twice, and unknown ones
    are ignored.
    """
    directives: dict[str, str] = {}
    for part in re.findall(r'(?:[^;"]|"[^"]*"?)+', _first_value(header)):
        if not part.strip():
            continue
        match = _DIRECTIVE.fullmatch(part.strip())
        if match is None or match[1].lower() in directives:
            return None
        directives[match[1].lower()] = (match[2] or "").strip('"')
    age = directives.get("max-age", "")
    return int(age) if re.fullmatch(r"[0-9]{1,15}", age) else None


_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_DIRECTIVE = re.compile(rf'({_WORD})(?:\s*=\s*({_WORD}|"[^"]*"))?')


def _first_value(header: str) -> str:
    """What stands before the first comma outside quotes."""
    match = re.match(r'(?:[^",]|"[^"]*")*', header)
    return match.group() if match else ""


def _hsts(responses: list[HTTPResponse], dead_end: Unmeasured | None) -> list[Measurement]:
    secure = [response for response in responses if response.tls is not None]
    if not secure and dead_end is not None:
        return [Measurement.missing(key, dead_end.cause, dead_end.detail) for key in ("http.hsts", "http.hsts_max_age")]
    header = secure[0].headers.get("strict-transport-security") if secure else None
    age = None if header is None else hsts_max_age(header)
    if age is not None:
        return [Measurement("http.hsts", age > 0), Measurement("http.hsts_max_age", age)]
    if not secure:
        why = "no response came over https, where alone the header counts"
    elif header is None:
        why = "no Strict-Transport-Security header"
    else:
        why = f"not valid: {printable(header, 200)}"
    return [
        Measurement("http.hsts", False, detail=why),
        Measurement.missing("http.hsts_max_age", Cause.NOT_APPLICABLE, why),
    ]


def parse_summary(body: bytes) -> tuple[str, int, int] | str:
    """Indicator, open incidents and components of a Statuspage summary, or in words why it is none."""
    try:
        summary = json.loads(body)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested to attack the parser
        return "it is not JSON"
    page, status = _object(summary, "page"), _object(summary, "status")
    if any(not isinstance(page.get(key), str) or not page[key] for key in ("id", "name", "url")):
        return "it names no page"
    indicator = status.get("indicator")
    if not isinstance(indicator, str) or indicator not in INDICATORS:
        return "it has no known status indicator"
    incidents, components = summary.get("incidents"), summary.get("components")
    if not _all_objects(incidents) or not _all_objects(components):
        return "its incidents or components are no lists"
    if any(not isinstance(incident.get("status"), str) for incident in incidents):
        return "an incident has no status"
    opened = sum(incident["status"] not in _CLOSED_INCIDENTS for incident in incidents)
    return indicator, opened, sum(component.get("group") is not True for component in components)


def _object(value: Any, key: str) -> dict[str, Any]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _all_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


async def _status_page(endpoint: Endpoint, network: Network) -> list[Measurement]:
    if endpoint.kind != "statuspage":
        kind = printable(endpoint.kind, 60) or "(none)"
        raise Unmeasured(Cause.NOT_APPLICABLE, f"kind {kind} is not read yet")
    parts = urllib.parse.urlsplit(endpoint.url)
    responses, dead_end = await follow(f"{parts.scheme}://{parts.netloc}{_SUMMARY_PATH}", network)
    if dead_end is not None:
        raise dead_end
    response = responses[-1]
    if response.status == 429:
        raise Unmeasured(Cause.THROTTLED, f"{_SUMMARY_PATH} answers with HTTP 429")
    if response.status != 200:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"{_SUMMARY_PATH} answers with HTTP {response.status}")
    if response.truncated:
        raise Unmeasured(Cause.REPLY_TOO_LONG, f"{_SUMMARY_PATH} is longer than {len(response.body)} bytes")
    found = parse_summary(response.body)
    if isinstance(found, str):
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"{_SUMMARY_PATH} is no Statuspage summary: {found}")
    indicator, incidents, components = found
    return [
        Measurement("status.indicator", indicator),
        Measurement("status.open_incidents", incidents),
        Measurement("status.components", components),
    ]


async def _page(endpoint: Endpoint, network: Network) -> list[Measurement]:
    responses, dead_end = await follow(endpoint.url, network)
    last = responses[-1]
    found = [Measurement("http.reachable", True), Measurement("http.redirects", len(responses) - 1)]
    found += _hsts(responses, dead_end)
    if dead_end is not None:
        keys = ["http.status", "http.version", "http.latency_ms", "http.tls"]
        keys += ["http.authentication_required"] if endpoint.role == "api" else []
        return found + [Measurement.missing(key, dead_end.cause, dead_end.detail) for key in keys]
    found += [
        Measurement("http.status", last.status, detail="" if len(responses) == 1 else f"at {printable(last.url, 200)}"),
        Measurement("http.latency_ms", round(last.elapsed_ms, 3)),
        Measurement("http.tls", last.tls is not None),
    ]
    if last.http_version in VERSIONS:
        found.append(Measurement("http.version", last.http_version))
    else:
        detail = f"an unknown version {printable(last.http_version, 40)}"
        found.append(Measurement.missing("http.version", Cause.PROTOCOL_ERROR, detail))
    if endpoint.role == "api":
        found.append(Measurement("http.authentication_required", last.status in (401, 403)))
    return found


class HTTPProbe:
    """Reachability, version, latency and HSTS; and what a status page says, where it is of a kind we can read."""

    name = "http"
    roles = WEB_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """The metrics of the endpoint's role. A status page and its summary are measured apart from each other."""
        found: list[Measurement] = []
        parts = [(_page, tuple(metric.key for metric in METRICS if metric.key.startswith("http.")))]
        if endpoint.role == "status":
            parts.append((_status_page, _STATUS_KEYS))
        for measure, keys in parts:
            applying = [key for key in keys if key != "http.authentication_required" or endpoint.role == "api"]
            try:
                found += await measure(endpoint, network)
            except Unmeasured as reason:
                found += [Measurement.missing(key, reason.cause, reason.detail) for key in applying]
        return found
