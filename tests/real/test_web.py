"""nginx as an HTTPS API, as a plain web server and as a status page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from probes.model import Cause, Endpoint
from probes.network import Options
from probes.runner import probe_endpoint, report_to_json
from tests.real.conftest import Probe
from tests.real.reports import Reported
from tests.real.servers import DOMAIN, Authority, Service, nginx

pytestmark = pytest.mark.real

HOST = f"www.{DOMAIN}"

# As Atlassian Statuspage documents it.
SUMMARY = {
    "page": {"id": "abc", "name": "Example", "url": f"https://{HOST}", "updated_at": "2026-11-22T00:00:00Z"},
    "status": {"indicator": "minor", "description": "Partially Degraded Service"},
    "components": [
        {"id": "1", "name": "Mail", "status": "degraded_performance", "group": False},
        {"id": "2", "name": "API", "status": "operational", "group": False},
        {"id": "3", "name": "All", "status": "operational", "group": True},
    ],
    "incidents": [{"id": "9", "name": "Delays", "status": "investigating"}],
    "scheduled_maintenances": [],
}


PROBLEM = '{"type": "about:blank", "title": "Unauthorized", "status": 401}'


@pytest.fixture(scope="module")
def services(authority: Authority) -> Iterator[dict[str, Service]]:
    """One nginx: ``modern`` (HTTP/2, HSTS, TLS 1.3 alone), ``old`` (HTTP/1.1, TLS from 1.0), ``plain`` (redirects)."""
    certificate, rsa = authority.issue(HOST), authority.issue(HOST, rsa=True)
    services = {name: Service.on(HOST) for name in ("modern", "old", "plain")}
    modern, old, plain = (services[name] for name in ("modern", "old", "plain"))
    servers = [
        f"""
        server {{
            listen {modern.address}:{modern.port} ssl http2;
            ssl_certificate {certificate.chain};
            ssl_certificate_key {certificate.key};
            ssl_protocols TLSv1.3;
            ssl_ecdh_curve X25519;
            add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
            root @ROOT@;
            location = /v1/messages {{
                default_type application/problem+json;
                add_header WWW-Authenticate 'Bearer realm="api", Basic realm="a, b"' always;
                add_header X-Request-Id $request_id always;
                add_header RateLimit-Policy '"default";q=10;w=1' always;
                add_header Alt-Svc 'h3=":443"; ma=86400' always;
                return 401 '{PROBLEM}';
            }}
            location = /.well-known/security.txt {{
                default_type text/plain;
                return 200 "Contact: mailto:security@{DOMAIN}\nExpires: 2099-12-31T23:59:59Z\n";
            }}
        }}""",
        f"""
        server {{
            listen {old.address}:{old.port} ssl;
            ssl_certificate {rsa.chain};
            ssl_certificate_key {rsa.key};
            ssl_protocols TLSv1 TLSv1.1 TLSv1.2;
            ssl_ciphers ECDHE-RSA-AES128-SHA:@SECLEVEL=0;
            ssl_ecdh_curve secp384r1;
            root @ROOT@;
            keepalive_timeout 0;
            location = /api/v2/summary.json {{ return 200 "<html>not a status page</html>"; }}
            location = /.well-known/security.txt {{ default_type text/html; return 200 "<p>Contact: us"; }}
            location = /v1/messages {{ default_type text/html; return 403 "<h1>Forbidden"; }}
        }}""",
        f"""
        server {{
            listen {plain.address}:{plain.port};
            return 301 https://{HOST}:{modern.port}$request_uri;
        }}""",
    ]
    with nginx(servers, list(services.values()), {"api/v2/summary.json": json.dumps(SUMMARY), "index.html": "<p>ok"}):
        yield services


def url(service: Service, path: str = "/", scheme: str = "https") -> str:
    """A URL on this service."""
    return f"{scheme}://{service.host}:{service.port}{path}"


def test_modern_server(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["modern"]))
    reported.check(
        {
            "http.reachable": True,
            "http.status": 200,
            "http.redirects": 0,
            "http.version": "HTTP/2",
            "http.tls": True,
            "http.hsts": True,
            "http.hsts_max_age": 31536000,
            "http.hsts_include_subdomains": True,
            "http.hsts_preload": False,
            "http.http3_announced": False,
            "security_txt.present": True,
            "security_txt.valid": True,
            "security_txt.contact": {f"mailto:security@{DOMAIN}"},
            "security_txt.signed": False,
            "tls.versions": {"TLSv1.3"},  # ssl_protocols
            "tls.group": "x25519",  # ssl_ecdh_curve
            "certificate.trusted": True,
            "certificate.name_matches": True,
        }
    )
    latency = reported.found["http.latency_ms"]
    assert isinstance(latency, float)
    assert 0 < latency < 5000
    days = reported.found["security_txt.expires_days"]
    assert isinstance(days, float)
    assert days > 20_000
    # Page and file came over one connection, which nginx keeps open.
    requests = [line for line in reported.transcript.splitlines() if " GET " in line]
    assert len(requests) == 2
    assert len({line.split()[1] for line in requests}) == 1


def test_old_server(services: dict[str, Service], probe: Probe) -> None:
    probe(url(services["old"])).check(
        {
            "http.status": 200,
            "http.version": "HTTP/1.1",
            "http.hsts": False,
            "http.hsts_max_age": Cause.NOT_APPLICABLE,
            "security_txt.present": False,  # a web page stands there
            "tls.versions": {"TLSv1.0", "TLSv1.1", "TLSv1.2"},
            "tls.oldest_version": "TLSv1.0",
            "tls.newest_version": "TLSv1.2",
            "tls.cipher": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",  # ssl_ciphers
            "tls.group": "secp384r1",  # ssl_ecdh_curve
            "certificate.key_type": "RSA",
        }
    )


def test_redirect_from_http(services: dict[str, Service], probe: Probe) -> None:
    probe(url(services["plain"], scheme="http")).check(
        {
            "http.redirects": 1,
            "http.status": 200,
            "http.version": "HTTP/2",
            "http.tls": True,
            "http.hsts": True,
            "tls.versions": Cause.NOT_APPLICABLE,  # the endpoint itself is plain http
            "certificate.trusted": Cause.NOT_APPLICABLE,
        }
    )


def test_plain_http_where_tls_is_due(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["plain"]), only="http tls certificate")
    assert reported.exit_code == 3
    assert set(reported.found.values()) == {Cause.TLS_HANDSHAKE_ERROR}


def test_tls_where_plain_http_is_due(services: dict[str, Service], probe: Probe) -> None:
    # nginx answers 400 "The plain HTTP request was sent to HTTPS port", which is a complete response.
    probe(url(services["modern"], scheme="http")).check({"http.status": 400, "http.tls": False, "http.hsts": False})


def test_nobody_there(probe: Probe) -> None:
    reported = probe(url(Service.on(f"nobody.{DOMAIN}")), only="http tls certificate")
    assert reported.exit_code == 3
    assert set(reported.found.values()) == {Cause.CONNECTION_REFUSED}


def measure(endpoint: Endpoint, authority: Authority, resolver: str) -> Reported:
    """Probe an endpoint of a role that no target names."""
    host, _, port = resolver.rpartition(":")
    options = Options(allow_private=True, resolver=(host, int(port)), ca_file=str(authority.file))
    reported = Reported(report_to_json(asyncio.run(probe_endpoint(endpoint, options=options))), 0)
    reported.check_no_bug()
    return reported


def test_api_that_wants_credentials(services: dict[str, Service], authority: Authority, resolver: str) -> None:
    endpoint = Endpoint("api", url=url(services["modern"], "/v1/messages"))
    reported = measure(endpoint, authority, resolver)
    reported.check(
        {
            "http.status": 401,
            "http.authentication_required": True,
            "http.authentication_schemes": {"basic", "bearer"},
            "http.error_json": True,
            "http.error_fields": {"status", "title", "type"},
            "http.problem_details": True,
            "http.request_id_headers": {"x-request-id"},
            "http.rate_limit_headers": {"ratelimit-policy"},
            "http.lifecycle_headers": set(),
            "http.http3_announced": True,
            "http.version": "HTTP/2",
        }
    )
    assert reported.detail("latency.response_p50_ms") == "5 samples"
    assert isinstance(reported.found["latency.response_p95_ms"], float)
    endpoint = Endpoint("api", url=url(services["old"], "/v1/messages"))
    reported = measure(endpoint, authority, resolver)
    reported.check(
        {
            "http.status": 403,
            "http.authentication_required": True,
            "http.authentication_schemes": Cause.NOT_APPLICABLE,
            "http.error_json": False,
            "http.problem_details": False,
            "latency.response_p95_ms": Cause.NOT_PERMITTED,
        }
    )
    assert reported.detail("latency.response_p50_ms") == "1 sample", "keepalive_timeout 0: nginx hangs up"
    endpoint = Endpoint("api", url=url(services["modern"]))
    measure(endpoint, authority, resolver).check({"http.status": 200, "http.authentication_required": False})


def test_status_page(services: dict[str, Service], authority: Authority, resolver: str) -> None:
    endpoint = Endpoint("status", url=url(services["modern"]), kind="statuspage")
    measure(endpoint, authority, resolver).check(
        {"status.indicator": "minor", "status.open_incidents": 1, "status.components": 2, "http.status": 200}
    )


def test_page_that_only_claims_to_be_a_status_page(
    services: dict[str, Service], authority: Authority, resolver: str
) -> None:
    endpoint = Endpoint("status", url=url(services["old"]), kind="statuspage")
    measure(endpoint, authority, resolver).check(
        {
            "status.indicator": Cause.PROTOCOL_ERROR,
            "status.open_incidents": Cause.PROTOCOL_ERROR,
            "status.components": Cause.PROTOCOL_ERROR,
            "http.reachable": True,
        }
    )
