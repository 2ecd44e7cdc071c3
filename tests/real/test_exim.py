"""Exim: what the probes report is what its configuration says. Debian builds it with GnuTLS, so its TLS is not
OpenSSL's, which all the other servers here use."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from probes.model import Cause
from tests.real.conftest import Probe
from tests.real.servers import DOMAIN, Authority, Service, exim

pytestmark = pytest.mark.real

HOST = f"exim.{DOMAIN}"
Services = dict[str, Service]

# What Exim 4.96 offers when nothing is set.
ALWAYS = {"SIZE", "8BITMIME", "PIPELINING", "PIPECONNECT", "CHUNKING", "SMTPUTF8", "HELP"}

# MAIL FROM before TLS: 530, as RFC 3207 wants it.
DEMAND_TLS = """demand_tls:
  deny
    condition = ${if eq{$tls_in_cipher}{}}
    message = 530 5.7.0 Must issue a STARTTLS command first
  accept
"""


@pytest.fixture(scope="module")
def strict(authority: Authority) -> Iterator[Services]:
    """TLS demanded; AUTH over TLS alone; some extensions switched off, others on."""
    settings = {
        "tls_advertise_hosts": "*",
        "auth_advertise_hosts": "${if eq{$tls_in_cipher}{}{}{*}}",
        "tls_require_ciphers": "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-GROUP-ALL:+GROUP-SECP256R1",
        "message_size_limit": "20M",
        "dsn_advertise_hosts": "*",
        "chunking_advertise_hosts": "",
        "smtputf8_advertise_hosts": "",
        "pipelining_connect_advertise_hosts": "",
        "acl_smtp_mail": "demand_tls",
    }
    with exim(authority.issue(HOST), settings, rules=DEMAND_TLS) as services:
        yield services


@pytest.fixture(scope="module")
def lax(authority: Authority) -> Iterator[Services]:
    """AUTH in plain text, TLS from 1.0, no limit on messages."""
    settings = {
        "tls_advertise_hosts": "*",
        "auth_advertise_hosts": "*",
        "tls_require_ciphers": "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1",
        "message_size_limit": "0",
        "pipelining_advertise_hosts": "",
        "smtp_banner": "$smtp_active_hostname ESMTP Exim $version_number $tod_full",
        "tls_resumption_hosts": "*",
    }
    with exim(authority.issue(HOST, rsa=True), settings) as services:
        yield services


@pytest.fixture(scope="module")
def plain(authority: Authority) -> Iterator[Services]:
    """No STARTTLS."""
    with exim(authority.issue(HOST), {"tls_advertise_hosts": "", "auth_advertise_hosts": ""}) as services:
        yield services


def url(service: Service, scheme: str = "smtp") -> str:
    """The target that names a service."""
    return f"{scheme}://{service.host}:{service.port}"


def test_tls_demanded(strict: Services, probe: Probe) -> None:
    offered = (ALWAYS | {"DSN"}) - {"CHUNKING", "SMTPUTF8", "PIPECONNECT"}
    probe(url(strict["submission"])).check(
        {
            "smtp.greeting_name": HOST,  # smtp_banner
            "smtp.extensions": offered | {"STARTTLS"},
            "smtp.extensions_after_tls": offered | {"AUTH"},
            "smtp.starttls_works": True,
            "smtp.starttls_injection": False,
            "smtp.size_limit": 20 * 1024 * 1024,  # message_size_limit = 20M
            "smtp.auth_before_tls": set(),
            "smtp.auth_mechanisms": {"PLAIN", "LOGIN"},
            "smtp.tls_required": True,  # acl_smtp_mail
            "smtp.dsn": True,  # dsn_advertise_hosts
            "smtp.chunking": False,  # chunking_advertise_hosts
            "smtp.smtputf8": False,  # smtputf8_advertise_hosts
            "smtp.pipelining": True,
            "smtp.enhanced_status_codes": False,
            "smtp.greeting_name_is_fqdn": True,
            "smtp.greeting_name_leads_here": True,  # the zone
            "smtp.ehlo_name": HOST,
            "smtp.ehlo_name_is_greeting_name": True,
            "smtp.software": Cause.NOT_APPLICABLE,  # smtp_banner leaves it out
            "smtp.software_version_shown": False,
            "smtp.extensions_only_before_tls": {"STARTTLS"},
            "smtp.extensions_only_after_tls": {"AUTH"},  # auth_advertise_hosts
            "smtp.extension_parameters": (offered - {"SIZE"}) | {"SIZE 20971520", "AUTH PLAIN LOGIN"},
            "smtp.help_offered": True,
            "smtp.vrfy_offered": False,
            "smtp.starttls_command_injection": False,
            "smtp.starttls_unadvertised": Cause.NOT_APPLICABLE,
            "smtp.enhanced_codes_used": False,
            "tls.resumption": False,  # tls_resumption_hosts: nobody, the default
            "tls.early_data": Cause.NOT_APPLICABLE,
            "smtp.quit_code": 221,
            "tls.versions": {"TLSv1.2", "TLSv1.3"},  # tls_require_ciphers
            "tls.group": "secp256r1",
            "certificate.trusted": True,
            "certificate.name_matches": True,
            "certificate.key_type": "EC",
        }
    )


def test_implicit_tls(strict: Services, probe: Probe) -> None:
    probe(url(strict["submissions"], "smtps")).check(
        {
            "smtp.auth_mechanisms": {"PLAIN", "LOGIN"},
            "smtp.starttls": Cause.NOT_APPLICABLE,
            "smtp.tls_required": Cause.NOT_APPLICABLE,
            "smtp.starttls_command_injection": Cause.NOT_APPLICABLE,
            "tls.resumption": False,
            "tls.versions": {"TLSv1.2", "TLSv1.3"},
            "certificate.trusted": True,
        }
    )


def test_everything_allowed(lax: Services, probe: Probe) -> None:
    probe(url(lax["submission"])).check(
        {
            "smtp.extensions": (ALWAYS | {"STARTTLS", "AUTH"}) - {"PIPELINING", "PIPECONNECT"},
            "smtp.pipelining": False,  # pipelining_advertise_hosts
            "smtp.auth_before_tls": {"PLAIN", "LOGIN"},  # auth_advertise_hosts
            "smtp.size_limit": Cause.NOT_APPLICABLE,  # message_size_limit = 0: no limit is stated
            "smtp.tls_required": False,
            "tls.versions": {"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"},  # tls_require_ciphers
            "smtp.software_version_shown": True,  # smtp_banner
            "smtp.extensions_only_after_tls": set(),
            "smtp.extensions_unregistered": set(),
            "smtp.starttls_command_injection": False,
            "tls.resumption": True,  # tls_resumption_hosts
            "tls.oldest_version": "TLSv1.0",
            "certificate.key_type": "RSA",
        }
    )


def test_no_starttls(plain: Services, probe: Probe) -> None:
    probe(url(plain["submission"])).check(
        {
            "smtp.extensions": ALWAYS,
            "smtp.starttls": False,
            "smtp.starttls_works": Cause.TLS_NOT_OFFERED,
            "smtp.auth_mechanisms": set(),
            "smtp.size_limit": 50 * 1024 * 1024,  # Exim's default
            "smtp.starttls_unadvertised": False,  # 503
            "smtp.starttls_command_injection": Cause.TLS_NOT_OFFERED,
            "tls.resumption": Cause.TLS_NOT_OFFERED,
            "tls.versions": Cause.TLS_NOT_OFFERED,
            "certificate.trusted": Cause.TLS_NOT_OFFERED,
        }
    )


def test_smtplib_sees_the_same(strict: Services, lax: Services, probe: Probe) -> None:
    for services in (strict, lax):
        service = services["submission"]
        with smtplib.SMTP(service.address, service.port, "probe.example.test", timeout=10) as client:
            client.ehlo()
            assert {each.upper() for each in client.esmtp_features} == probe(url(service)).found["smtp.extensions"]
