"""HTTP endpoints of a vendor: its API, its web pages, its status page (what that says is the status probe's to read).

One request, redirects followed by hand (each hop through the network, with its guards). Nothing is sent but a GET
without credentials. Whether the certificate is any good is the certificate probe's to say.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes.model import WEB_ROLES, Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import HTTPResponse, Network

_API: frozenset[Role] = frozenset({"api"})

MAXIMUM_REDIRECTS = 3
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
        "http.authentication_required",
        "boolean",
        "Whether the URL answers a request without credentials with 401 or 403.",
        reference="RFC 9110 §15.5.2, §15.5.4",
        roles=_API,
    ),
)


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
    """Reachability, version, latency and HSTS."""

    name = "http"
    roles = WEB_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """The metrics of the endpoint's role."""
        return await _page(endpoint, network)
