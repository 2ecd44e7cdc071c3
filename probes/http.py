"""HTTP endpoints of a vendor: its API, its web pages, its status page (what that says is the status probe's to read).

A GET without credentials, redirects followed by hand (each hop through the network, with its guards). An API gets the
same request a few times more on the same connection, for the sake of its latency, and what it answers to somebody
without a key is looked at: that is the first thing a new user sees. Whether the certificate is any good is the
certificate probe's to say.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes.model import WEB_ROLES, Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.fetch import Visit
    from probes.network import HTTPResponse, Network

_API: frozenset[Role] = frozenset({"api"})

API_REQUESTS = 5
"""How often an API is asked in all, on one connection; ``API_REQUESTS_FULL`` at full depth."""
API_REQUESTS_FULL = 20
MAXIMUM_REDIRECTS = 3
MAXIMUM_ERROR_BYTES = 64 * 1024
"""Of an error's body; what is longer is not parsed."""
MAXIMUM_FIELDS = 30
VERSIONS = ("HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

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
        "http.hsts_include_subdomains",
        "boolean",
        "Whether that header holds for the subdomains too (includeSubDomains).",
        reference="RFC 6797 §6.1.2",
    ),
    Metric(
        "http.hsts_preload",
        "boolean",
        "Whether that header asks browsers to know the host beforehand (preload). Whether they do is another matter.",
        reference="hstspreload.org",
    ),
    Metric(
        "http.http3_announced",
        "boolean",
        "Whether the response says that the same is to be had over HTTP/3 (h3 in Alt-Svc). HTTP/3 itself is not tried.",
        reference="RFC 9114 §3.1.1, RFC 7838 §3",
    ),
    Metric(
        "http.authentication_required",
        "boolean",
        "Whether the URL answers a request without credentials with 401 or 403.",
        reference="RFC 9110 §15.5.2, §15.5.4",
        roles=_API,
    ),
    Metric(
        "http.authentication_schemes",
        "set",
        "Authentication schemes that the API names in WWW-Authenticate to a request without credentials, in lower "
        "case; empty when it answers 401 without naming any, which the standard does not allow. Not applicable to any "
        "other answer without that header.",
        reference="RFC 9110 §11.6.1",
        roles=_API,
    ),
    Metric(
        "http.error_json",
        "boolean",
        "Whether the body is JSON when the API refuses a request without credentials with an error of the client (4xx, "
        "the detail says which), so that a program can read what was wrong. Not applicable when it does not refuse.",
        reference="RFC 8259",
        roles=_API,
    ),
    Metric(
        "http.error_fields",
        "set",
        f"Names of the fields at the top of that JSON, the first {MAXIMUM_FIELDS} of them; not applicable to anything "
        "but an object.",
        reference="RFC 8259 §4",
        roles=_API,
    ),
    Metric(
        "http.problem_details",
        "boolean",
        "Whether that error is in the standard form, an object of type application/problem+json.",
        reference="RFC 9457 §3",
        roles=_API,
    ),
    Metric(
        "http.request_id_headers",
        "set",
        "Headers of the response by whose value support finds the request in its logs, such as x-request-id, in lower "
        "case; empty when there is none of the usual ones.",
        roles=_API,
    ),
    Metric(
        "http.rate_limit_headers",
        "set",
        "Headers of the response that tell a rate limit (RateLimit, RateLimit-Policy, X-RateLimit-… and its spellings, "
        "Retry-After), in lower case. Without credentials there may be fewer than with them.",
        reference="draft-ietf-httpapi-ratelimit-headers, RFC 9110 §10.2.3",
        roles=_API,
    ),
    Metric(
        "http.lifecycle_headers",
        "set",
        "Headers of the response that tell the version of the API or its end (API-Version, X-API-Version, Deprecation, "
        "Sunset), in lower case.",
        reference="RFC 9745, RFC 8594",
        roles=_API,
    ),
)

_REQUEST_IDS = frozenset(
    {
        "x-request-id", "request-id", "x-requestid", "x-correlation-id", "correlation-id", "x-amzn-requestid",
        "x-amz-request-id", "apigw-requestid", "x-amz-apigw-id", "x-ms-request-id", "x-trace-id", "x-message-id",
        "traceparent", "traceresponse", "x-cloud-trace-context", "x-amzn-trace-id",
    }
)  # fmt: skip
_RATE_LIMIT = re.compile(r"(x-)?rate-?limit(-[a-z-]+)?|retry-after")
_LIFECYCLE = frozenset({"api-version", "x-api-version", "deprecation", "sunset"})
_ERROR_METRICS = ("http.error_json", "http.error_fields", "http.problem_details")
_RESPONSE_METRICS = ("http.status", "http.version", "http.latency_ms", "http.tls", "http.http3_announced")
_HSTS_METRICS = ("http.hsts", "http.hsts_max_age", "http.hsts_include_subdomains", "http.hsts_preload")


async def page(endpoint: Endpoint, network: Network) -> tuple[list[HTTPResponse], Unmeasured | None]:
    """What :func:`follow` finds at the endpoint's URL, fetched once and shared by every probe that asks."""
    return await network.once("web page", lambda: _fetch_page(endpoint, network))


async def _fetch_page(endpoint: Endpoint, network: Network) -> tuple[list[HTTPResponse], Unmeasured | None]:
    often = 1
    if endpoint.role == "api":
        often = API_REQUESTS if network.options.depth == "standard" else API_REQUESTS_FULL
    visit = await visit_of(network)
    try:
        return await follow(endpoint.url, network, visit, often)
    finally:
        if endpoint.role == "api":  # whose page nobody reads any more from
            await visit.close()


async def visit_of(network: Network) -> Visit:
    """The visit in the course of which the page was fetched: what else is wanted of the site needs no connection of
    its own. Not for several askers at a time."""
    return await network.once("web visit", _begin_visit)


async def _begin_visit() -> Visit:
    from probes.fetch import Visit

    return Visit()


async def follow(
    url: str, network: Network, visit: Visit | None = None, repeat: int = 1
) -> tuple[list[HTTPResponse], Unmeasured | None]:
    """The response, preceded by the redirects that led to it; and why a redirect led nowhere, if one did. Not followed:
    a fourth redirect, one from https to http, one without a usable Location; the redirect itself is then the response.
    ``visit``: whose connections are used; None for one of its own. ``repeat``: how often the first request is sent, see
    ``Network.http``.

    Raises ``Unmeasured`` when not even the first response arrived.
    """
    if visit is None:
        from probes.fetch import Visit

        async with Visit() as own:
            return await follow(url, network, own, repeat)
    responses = [await _get(url, network, visit, repeat)]
    while True:
        target = redirect_target(responses[-1])
        if target is None or len(responses) > MAXIMUM_REDIRECTS or target in {each.url for each in responses}:
            return responses, None
        try:
            responses.append(await _get(target, network, visit))
        except Unmeasured as reason:
            detail = f"{reason.detail} (after a redirect to {printable(target, 100)})"
            return responses, Unmeasured(reason.cause, detail)


async def _get(url: str, network: Network, visit: Visit, repeat: int = 1) -> HTTPResponse:
    try:
        return await network.http(url, repeat=repeat, visit=visit)
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
    """The max-age of a Strict-Transport-Security header, or None when the header is not valid."""
    directives = hsts(header)
    return None if directives is None else int(directives["max-age"])


def hsts(header: str) -> dict[str, str] | None:
    """The directives of a Strict-Transport-Security header by their names in lower case, max-age among them; None when
    the header is not valid (RFC 6797 §6.1).

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
    return directives if re.fullmatch(r"[0-9]{1,15}", directives.get("max-age", "")) else None


_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_DIRECTIVE = re.compile(rf'({_WORD})(?:\s*=\s*({_WORD}|"[^"]*"))?')


def _first_value(header: str) -> str:
    """What stands before the first comma outside quotes."""
    match = re.match(r'(?:[^",]|"[^"]*")*', header)
    return match.group() if match else ""


def _hsts(responses: list[HTTPResponse], dead_end: Unmeasured | None) -> list[Measurement]:
    secure = [response for response in responses if response.tls is not None]
    if not secure and dead_end is not None:
        return _missing(_HSTS_METRICS, dead_end)
    header = secure[0].headers.get("strict-transport-security") if secure else None
    directives = None if header is None else hsts(header)
    if directives is not None:
        age = int(directives["max-age"])
        return [
            Measurement("http.hsts", age > 0),
            Measurement("http.hsts_max_age", age),
            Measurement("http.hsts_include_subdomains", "includesubdomains" in directives),
            Measurement("http.hsts_preload", "preload" in directives),
        ]
    if not secure:
        why = "no response came over https, where alone the header counts"
    elif header is None:
        why = "no Strict-Transport-Security header"
    else:
        why = f"not valid: {printable(header, 200)}"
    return [
        Measurement("http.hsts", False, detail=why),
        *_missing(_HSTS_METRICS[1:], Unmeasured(Cause.NOT_APPLICABLE, why)),
    ]


# --- what an API answers to somebody without a key --------------------------------------------------------------------


def authentication_schemes(header: str) -> tuple[str, ...]:
    """The schemes of a WWW-Authenticate header, sorted, in lower case (RFC 9110 §11.6.1).

    Challenges and their parameters are both separated by commas; what begins a challenge is a word that no equals sign
    follows, as in ``Basic realm="a, b", Bearer``.
    """
    found = set()
    for part in re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', header):
        match = re.match(rf"\s*({_WORD})(?=\s*$|\s+[^\s=])", part)
        if match is not None:
            found.add(printable(match[1], 40).lower())
    return tuple(sorted(found)[:MAXIMUM_FIELDS])


def _named(response: HTTPResponse, wanted: re.Pattern[str] | frozenset[str]) -> tuple[str, ...]:
    """Names of the response's headers that are wanted."""
    return tuple(
        sorted(
            name
            for name in response.headers
            if (name in wanted if isinstance(wanted, frozenset) else wanted.fullmatch(name) is not None)
        )
    )


def _error(response: HTTPResponse) -> list[Measurement]:
    """The shape of the body of a refusal."""
    shown = f"HTTP {response.status}"
    if not 400 <= response.status < 500 or response.status == 429:
        return _missing(_ERROR_METRICS, Unmeasured(Cause.NOT_APPLICABLE, f"{shown} is no refusal of the request"))
    if response.truncated or len(response.body) > MAXIMUM_ERROR_BYTES:
        detail = f"the body of {shown} is longer than {MAXIMUM_ERROR_BYTES} bytes"
        return _missing(_ERROR_METRICS, Unmeasured(Cause.REPLY_TOO_LONG, detail))
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    shown += f", {printable(kind, 60)}" if kind else ""
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):  # not JSON, or nested to attack the parser
        none = Unmeasured(Cause.NOT_APPLICABLE, f"{shown}, not JSON")
        return [
            Measurement("http.error_json", False, detail=shown),
            *_missing(["http.error_fields"], none),
            Measurement("http.problem_details", False, detail=shown),
        ]
    found = [Measurement("http.error_json", True, detail=shown)]
    if isinstance(body, dict):
        names = {printable(name, 60) for name in list(body)[:MAXIMUM_FIELDS]}
        found.append(Measurement("http.error_fields", tuple(sorted(names))))
    else:
        no_object = Unmeasured(Cause.NOT_APPLICABLE, f"{shown}, JSON but no object")
        found += _missing(["http.error_fields"], no_object)
    problem = kind == "application/problem+json" and isinstance(body, dict)
    return [*found, Measurement("http.problem_details", problem, detail=shown)]


def _of_api(response: HTTPResponse) -> list[Measurement]:
    header = response.headers.get("www-authenticate")
    schemes = Measurement.missing(
        "http.authentication_schemes", Cause.NOT_APPLICABLE, f"HTTP {response.status} without WWW-Authenticate"
    )
    if header is not None or response.status == 401:
        schemes = Measurement("http.authentication_schemes", authentication_schemes(header or ""))
    return [
        Measurement("http.authentication_required", response.status in (401, 403)),
        schemes,
        *_error(response),
        Measurement("http.request_id_headers", _named(response, _REQUEST_IDS)),
        Measurement("http.rate_limit_headers", _named(response, _RATE_LIMIT)),
        Measurement("http.lifecycle_headers", _named(response, _LIFECYCLE)),
    ]


def announces_http3(header: str) -> bool:
    """Whether an Alt-Svc header names HTTP/3 (RFC 7838 §3): ``h3="…"``."""
    return any(part.strip().startswith("h3=") for part in re.findall(r'(?:[^",]|"[^"]*"?)+', header))


# --- the probe --------------------------------------------------------------------------------------------------------


def _missing(keys: Iterable[str], reason: Unmeasured) -> list[Measurement]:
    return [Measurement.missing(key, reason.cause, reason.detail) for key in keys]


async def _page(endpoint: Endpoint, network: Network) -> list[Measurement]:
    responses, dead_end = await page(endpoint, network)
    last = responses[-1]
    found = [Measurement("http.reachable", True), Measurement("http.redirects", len(responses) - 1)]
    found += _hsts(responses, dead_end)
    if dead_end is not None:
        of_api = [metric.key for metric in METRICS if metric.roles == _API] if endpoint.role == "api" else []
        return found + _missing([*_RESPONSE_METRICS, *of_api], dead_end)
    found += [
        Measurement("http.status", last.status, detail="" if len(responses) == 1 else f"at {printable(last.url, 200)}"),
        Measurement("http.latency_ms", round(last.elapsed_ms, 3)),
        Measurement("http.tls", last.tls is not None),
        Measurement("http.http3_announced", announces_http3(last.headers.get("alt-svc", ""))),
    ]
    if last.http_version in VERSIONS:
        found.append(Measurement("http.version", last.http_version))
    else:
        detail = f"an unknown version {printable(last.http_version, 40)}"
        found.append(Measurement.missing("http.version", Cause.PROTOCOL_ERROR, detail))
    if endpoint.role == "api":
        found += _of_api(last)
    return found


class HTTPProbe:
    """Reachability, version, latency, HSTS, and what an API answers without credentials."""

    name = "http"
    roles = WEB_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """The metrics of the endpoint's role."""
        return await _page(endpoint, network)
