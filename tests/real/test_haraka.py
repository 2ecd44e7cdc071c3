"""Haraka: a mail server in JavaScript, with Node's TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes.model import Cause
from tests.real.conftest import Probe
from tests.real.servers import DOMAIN, Authority, Service, haraka

pytestmark = pytest.mark.real

HOST = f"haraka.{DOMAIN}"
ALWAYS = {"PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE"}
MECHANISMS = {"PLAIN", "LOGIN", "CRAM-MD5"}


@pytest.fixture(scope="module")
def services(authority: Authority) -> Iterator[dict[str, Service]]:
    """One Haraka with STARTTLS on one port and TLS from the start on another."""
    with haraka(authority.issue(HOST, rsa=True), size=7654321) as services:
        yield services


def test_submission(services: dict[str, Service], probe: Probe) -> None:
    probe(f"smtp://{HOST}:{services['submission'].port}").check(
        {
            "smtp.greeting_name": HOST,  # config/me
            "smtp.extensions": ALWAYS | {"STARTTLS", "AUTH"},
            "smtp.extensions_after_tls": ALWAYS | {"AUTH"},
            "smtp.starttls_works": True,
            "smtp.starttls_injection": False,
            "smtp.size_limit": 7654321,  # connection.ini, max.bytes
            "smtp.auth_before_tls": MECHANISMS,  # auth/flat_file offers AUTH in plain text to private addresses
            "smtp.auth_mechanisms": MECHANISMS,  # auth_flat_file.ini, core.methods
            "smtp.tls_required": False,
            "smtp.chunking": False,
            "smtp.dsn": False,
            "smtp.greeting_name_leads_here": True,  # the zone
            "smtp.ehlo_name_is_greeting_name": True,
            "smtp.software_version_shown": True,  # in the greeting
            "smtp.extensions_only_before_tls": {"STARTTLS"},
            "smtp.extensions_only_after_tls": set(),
            "smtp.starttls_command_injection": False,
            "smtp.enhanced_codes_used": False,
            "tls.early_data": False,
            "smtp.quit_code": 221,
            "tls.versions": {"TLSv1.2", "TLSv1.3"},  # tls.ini, minVersion
            "certificate.trusted": True,
            "certificate.name_matches": True,
            "certificate.key_type": "RSA",
            "certificate.key_bits": 2048,
        }
    )


def test_submission_with_implicit_tls(services: dict[str, Service], probe: Probe) -> None:
    probe(f"smtps://{HOST}:{services['submissions'].port}").check(
        {
            "smtp.extensions": ALWAYS | {"AUTH"},
            "smtp.starttls": Cause.NOT_APPLICABLE,
            "smtp.auth_mechanisms": MECHANISMS,
            "tls.resumption": True,  # Node's own tickets
            "tls.versions": {"TLSv1.2", "TLSv1.3"},
            "certificate.trusted": True,
        }
    )
