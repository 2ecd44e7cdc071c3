"""chasquid: a mail server in Go, with Go's own TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes.model import Cause
from tests.real.conftest import Probe
from tests.real.servers import DOMAIN, Authority, Service, chasquid

pytestmark = pytest.mark.real

HOST = f"chasquid.{DOMAIN}"
ALWAYS = {"8BITMIME", "PIPELINING", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE", "HELP"}

# chasquid sets no minimum; that of Go 1.19, with which Debian 12 builds it, is TLS 1.0 for servers (crypto/tls).
VERSIONS = {"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"}


@pytest.fixture(scope="module")
def services(authority: Authority) -> Iterator[dict[str, Service]]:
    """One chasquid with its three listeners."""
    with chasquid(authority.issue(HOST), size_megabytes=7) as services:
        yield services


def test_submission(services: dict[str, Service], probe: Probe) -> None:
    probe(f"smtp://{HOST}:{services['submission'].port}").check(
        {
            "smtp.greeting_name": HOST,  # hostname
            "smtp.extensions": ALWAYS | {"STARTTLS"},
            "smtp.extensions_after_tls": ALWAYS | {"AUTH"},
            "smtp.starttls_works": True,
            "smtp.starttls_injection": False,
            "smtp.size_limit": 7 * 1024 * 1024,  # max_data_size_mb
            "smtp.auth_before_tls": set(),
            "smtp.auth_mechanisms": {"PLAIN"},
            "smtp.tls_required": True,  # submission needs AUTH, and AUTH needs TLS
            "smtp.chunking": False,
            "smtp.greeting_name_leads_here": True,  # the zone
            "smtp.ehlo_name": HOST,
            "smtp.software": "chasquid",
            "smtp.software_version_shown": False,
            "smtp.extensions_only_before_tls": {"STARTTLS"},
            "smtp.extensions_only_after_tls": {"AUTH"},
            "smtp.extension_parameters": (ALWAYS - {"SIZE"}) | {"SIZE 7340032", "AUTH PLAIN"},
            "smtp.extensions_unregistered": set(),
            "smtp.starttls_command_injection": False,  # Go's reader is made anew for TLS
            "smtp.enhanced_codes_used": True,
            "tls.resumption": True,  # Go's own tickets
            "tls.early_data": False,
            "smtp.quit_code": 221,
            "tls.versions": VERSIONS,
            "certificate.trusted": True,
            "certificate.name_matches": True,
        }
    )


def test_submission_with_implicit_tls(services: dict[str, Service], probe: Probe) -> None:
    probe(f"smtps://{HOST}:{services['submissions'].port}").check(
        {
            "smtp.extensions": ALWAYS | {"AUTH"},
            "smtp.starttls": Cause.NOT_APPLICABLE,
            "smtp.size_limit": 7 * 1024 * 1024,
            "tls.resumption": True,
            "tls.versions": VERSIONS,
            "certificate.trusted": True,
        }
    )


def test_incoming_mail(services: dict[str, Service], probe: Probe) -> None:
    # mx:// with an address is that host itself. The certificate is for the name, so it can't match the address.
    service = services["mx"]
    reported = probe(f"mx://{service.address}:{service.port}")
    reported.check(
        {
            "smtp.extensions": ALWAYS | {"STARTTLS"},
            "smtp.starttls_works": True,
            "smtp.auth_before_tls": set(),
            "smtp.greeting_name_leads_here": True,
            "smtp.starttls_command_injection": False,
            "tls.resumption": True,
            "tls.versions": VERSIONS,
            "certificate.trusted": True,
            "certificate.name_matches": False,
        }
    )
    assert "smtp.tls_required" not in reported.found
