"""Dovecot: IMAP, POP3, ManageSieve and submission, as its configuration says."""

from __future__ import annotations

import imaplib
import poplib
from collections.abc import Iterator

import pytest

from probes.model import Cause
from tests.real.conftest import Probe
from tests.real.reports import Expected
from tests.real.servers import DOMAIN, Authority, Service, dovecot

pytestmark = pytest.mark.real

HOST = f"dovecot.{DOMAIN}"
Services = dict[str, Service]

# Where Dovecot 2.3 does not want a version, it hangs up without the alert that would say so (its log has "unsupported
# protocol", the wire nothing). That it does so again, and answers another hello after that, shows that it refuses.
MODERN: dict[str, Expected] = {
    "tls.versions": {"TLSv1.2", "TLSv1.3"},  # ssl_min_protocol = TLSv1.2
    "tls.oldest_version": "TLSv1.2",
    "tls.weak_suites": False,
    "tls.post_quantum": False,
}
# With older versions there is no connection left to find that out.
UNTOLD: dict[str, Expected] = {"tls.versions": Cause.CONNECTION_RESET, "tls.oldest_version": Cause.CONNECTION_RESET}

# What comes together with STARTTLS, Dovecot takes for the beginning of TLS, and hangs up without an alert. That is no
# injection, but it looks like any other broken connection, so the probe must not say so. The session that was to be
# resumed there is not asked for again, at standard depth.
EARLY_COMMAND: dict[str, dict[str, Expected]] = {
    protocol: {
        f"{protocol}.starttls_command_injection": Cause.CONNECTION_RESET,
        "tls.resumption": Cause.CONNECTION_RESET,
        "tls.early_data": False,
    }
    for protocol in ("imap", "pop3", "sieve", "smtp")
}

# What Dovecot 2.3 lists before login besides STARTTLS and authentication.
IMAP = {"IMAP4REV1", "SASL-IR", "LOGIN-REFERRALS", "ID", "ENABLE", "IDLE", "LITERAL+"}
POP3 = {"CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE"}
SUBMISSION = {"8BITMIME", "BURL", "CHUNKING", "ENHANCEDSTATUSCODES", "SIZE", "PIPELINING"}

TRUSTED: dict[str, Expected] = {
    "certificate.trusted": True,
    "certificate.name_matches": True,
    "certificate.trust_error": "none",
}


@pytest.fixture(scope="module")
def strict(authority: Authority) -> Iterator[Services]:
    """Nothing but over TLS, with modern versions."""
    settings = {
        "ssl": "required",
        "ssl_min_protocol": "TLSv1.2",
        "ssl_curve_list": "P-384",
        "auth_mechanisms": "plain login scram-sha-256",
    }
    with dovecot(authority.issue(HOST), settings) as (services, _):
        yield services


@pytest.fixture(scope="module")
def lax(authority: Authority) -> Iterator[Services]:
    """Passwords in plain text, and whatever TLS version the library still speaks."""
    settings = {
        "ssl": "yes",
        "disable_plaintext_auth": "no",
        "ssl_min_protocol": "TLSv1",
        "ssl_cipher_list": "ALL:@SECLEVEL=0",
        "auth_mechanisms": "plain login cram-md5",
    }
    with dovecot(authority.issue(HOST, rsa=True), settings) as (services, _):
        yield services


@pytest.fixture(scope="module")
def plain(authority: Authority) -> Iterator[Services]:
    """No TLS at all."""
    settings = {"ssl": "no", "disable_plaintext_auth": "no", "auth_mechanisms": "plain"}
    with dovecot(authority.issue(HOST), settings, implicit=False) as (services, _):
        yield services


def url(services: Services, name: str, scheme: str = "") -> str:
    """The target that names one of the services."""
    return f"{scheme or name}://{services[name].host}:{services[name].port}"


def test_imap_over_tls_alone(strict: Services, probe: Probe) -> None:
    probe(url(strict, "imap")).check(
        {
            "imap.capabilities": IMAP | {"STARTTLS", "LOGINDISABLED"},  # ssl = required
            "imap.capabilities_after_tls": IMAP | {"AUTH=PLAIN", "AUTH=LOGIN", "AUTH=SCRAM-SHA-256"},
            "imap.starttls": True,
            "imap.starttls_works": True,
            "imap.starttls_injection": False,
            "imap.login_disabled": True,
            "imap.auth_mechanisms": {"PLAIN", "LOGIN", "SCRAM-SHA-256"},  # auth_mechanisms
            "imap.capabilities_only_before_tls": {"STARTTLS", "LOGINDISABLED"},
            "imap.capabilities_only_after_tls": {"AUTH=PLAIN", "AUTH=LOGIN", "AUTH=SCRAM-SHA-256"},
            "imap.starttls_unadvertised": Cause.NOT_APPLICABLE,
            "imap.software": "Dovecot",
            "imap.software_version_shown": False,
            **EARLY_COMMAND["imap"],
            **MODERN,
            "tls.newest_version": "TLSv1.3",
            "tls.group": "secp384r1",  # ssl_curve_list
            **TRUSTED,
        }
    )


def test_resumption_has_a_connection_of_its_own_at_full_depth(strict: Services, probe: Probe) -> None:
    expected = {**EARLY_COMMAND["imap"], "tls.resumption": False}  # service_count = 1, see below
    probe(url(strict, "imap"), "--depth", "full", only="imap resumption").check(expected)


def test_imap_with_implicit_tls(strict: Services, probe: Probe) -> None:
    probe(url(strict, "imaps")).check(
        {
            "imap.capabilities": IMAP | {"AUTH=PLAIN", "AUTH=LOGIN", "AUTH=SCRAM-SHA-256"},
            "imap.starttls": Cause.NOT_APPLICABLE,
            "imap.login_disabled": Cause.NOT_APPLICABLE,
            "imap.auth_mechanisms": {"PLAIN", "LOGIN", "SCRAM-SHA-256"},
            **MODERN,
            "tls.resumption": False,  # each login process has ticket keys of its own (service_count = 1)
            "tls.early_data": False,
            **TRUSTED,
        }
    )


def test_imap_with_passwords_in_plain_text(lax: Services, probe: Probe) -> None:
    mechanisms = {"AUTH=PLAIN", "AUTH=LOGIN", "AUTH=CRAM-MD5"}
    reported = probe(url(lax, "imap"))
    reported.check(
        {
            "imap.capabilities": IMAP | {"STARTTLS"} | mechanisms,  # disable_plaintext_auth = no
            "imap.capabilities_after_tls": IMAP | mechanisms,
            "imap.login_disabled": False,
            "imap.starttls_works": True,
            **UNTOLD,
            "certificate.key_type": "RSA",
        }
    )
    # ssl_min_protocol = TLSv1: these it was seen to accept.
    assert "accepted: TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3;" in reported.detail("tls.versions")


def test_imap_without_tls(plain: Services, probe: Probe) -> None:
    probe(url(plain, "imap")).check(
        {
            "imap.capabilities": IMAP | {"AUTH=PLAIN"},
            "imap.starttls_unadvertised": False,
            "imap.starttls_command_injection": Cause.TLS_NOT_OFFERED,
            "imap.starttls": False,  # ssl = no
            "imap.starttls_works": Cause.TLS_NOT_OFFERED,
            "imap.capabilities_after_tls": Cause.TLS_NOT_OFFERED,
            "imap.auth_mechanisms": {"PLAIN"},
            "tls.versions": Cause.TLS_NOT_OFFERED,
            "certificate.trusted": Cause.TLS_NOT_OFFERED,
        }
    )


def test_pop3_over_tls_alone(strict: Services, probe: Probe) -> None:
    probe(url(strict, "pop3")).check(
        {
            # Dovecot lists SASL without a single mechanism, and no USER.
            "pop3.capabilities": POP3 | {"STLS", "SASL"},
            "pop3.capabilities_after_tls": POP3 | {"USER", "SASL"},
            "pop3.starttls": True,
            "pop3.starttls_works": True,
            "pop3.starttls_injection": False,
            "pop3.login_disabled": True,  # ssl = required
            "pop3.auth_mechanisms": {"PLAIN", "LOGIN", "SCRAM-SHA-256"},
            "pop3.capabilities_only_before_tls": {"STLS"},
            "pop3.capabilities_only_after_tls": {"USER"},
            "pop3.starttls_unadvertised": Cause.NOT_APPLICABLE,
            "pop3.software": "Dovecot",
            "pop3.software_version_shown": False,
            **EARLY_COMMAND["pop3"],
            **MODERN,
            **TRUSTED,
        }
    )


def test_pop3_with_implicit_tls(strict: Services, probe: Probe) -> None:
    probe(url(strict, "pop3s")).check(
        {
            "pop3.capabilities": POP3 | {"USER", "SASL"},
            "pop3.starttls": Cause.NOT_APPLICABLE,
            "pop3.login_disabled": Cause.NOT_APPLICABLE,
            "pop3.auth_mechanisms": {"PLAIN", "LOGIN", "SCRAM-SHA-256"},
            "tls.resumption": False,  # each login process has ticket keys of its own (service_count = 1)
            "tls.early_data": False,
            **TRUSTED,
        }
    )


def test_pop3_with_passwords_in_plain_text(lax: Services, probe: Probe) -> None:
    probe(url(lax, "pop3")).check(
        {
            "pop3.capabilities": POP3 | {"STLS", "USER", "SASL"},
            "pop3.login_disabled": False,
            "pop3.auth_mechanisms": {"PLAIN", "LOGIN", "CRAM-MD5"},
            "pop3.starttls_works": True,
            **UNTOLD,
        }
    )


def test_pop3_without_tls(plain: Services, probe: Probe) -> None:
    probe(url(plain, "pop3")).check(
        {
            "pop3.starttls_unadvertised": False,
            "pop3.starttls_command_injection": Cause.TLS_NOT_OFFERED,
            "pop3.starttls": False,
            "pop3.starttls_works": Cause.TLS_NOT_OFFERED,
            "pop3.login_disabled": False,
            "tls.cipher": Cause.TLS_NOT_OFFERED,
        }
    )


def test_sieve_over_tls_alone(strict: Services, probe: Probe) -> None:
    reported = probe(url(strict, "sieve"))
    capabilities = {"IMPLEMENTATION", "SIEVE", "NOTIFY", "SASL", "VERSION"}
    reported.check(
        {
            "sieve.capabilities": capabilities | {"STARTTLS"},
            "sieve.capabilities_after_tls": capabilities,
            "sieve.login_disabled": True,  # ssl = required
            "sieve.starttls": True,
            "sieve.starttls_works": True,
            "sieve.starttls_injection": False,
            "sieve.auth_mechanisms": {"PLAIN", "LOGIN", "SCRAM-SHA-256"},
            "sieve.capabilities_only_before_tls": {"STARTTLS"},
            "sieve.capabilities_only_after_tls": set(),
            "sieve.starttls_unadvertised": Cause.NOT_APPLICABLE,
            "sieve.software": "Dovecot (Debian) Pigeonhole",
            "sieve.software_version_shown": False,
            **EARLY_COMMAND["sieve"],
            **MODERN,
            **TRUSTED,
        }
    )
    extensions = reported.found["sieve.extensions"]
    assert isinstance(extensions, set)
    assert {"fileinto", "reject", "vacation", "imap4flags", "mailbox", "duplicate"} <= extensions


def test_sieve_without_tls(plain: Services, probe: Probe) -> None:
    probe(url(plain, "sieve")).check(
        {
            "sieve.starttls_unadvertised": False,
            "sieve.starttls_command_injection": Cause.TLS_NOT_OFFERED,
            "sieve.starttls": False,
            "sieve.starttls_works": Cause.TLS_NOT_OFFERED,
            "sieve.login_disabled": False,
            "sieve.auth_mechanisms": {"PLAIN"},
            "tls.versions": Cause.TLS_NOT_OFFERED,
        }
    )


def test_submission(strict: Services, probe: Probe) -> None:
    probe(url(strict, "submission", "smtp")).check(
        {
            "smtp.greeting_name": HOST,
            "smtp.extensions": SUBMISSION | {"STARTTLS"},
            "smtp.extensions_after_tls": SUBMISSION | {"AUTH"},
            "smtp.size_limit": Cause.NOT_APPLICABLE,  # SIZE without a number until it has asked its relay
            "smtp.auth_before_tls": set(),
            "smtp.auth_mechanisms": {"PLAIN", "LOGIN", "SCRAM-SHA-256"},
            "smtp.tls_required": True,  # ssl = required
            "smtp.dsn": False,
            "smtp.chunking": True,
            "smtp.software": "Dovecot",
            "smtp.software_version_shown": False,
            "smtp.burl": True,
            "smtp.extensions_only_before_tls": {"STARTTLS"},
            "smtp.extensions_only_after_tls": {"AUTH"},
            **EARLY_COMMAND["smtp"],
            "smtp.quit_code": 221,
            **TRUSTED,
        }
    )


def test_submission_with_implicit_tls(strict: Services, probe: Probe) -> None:
    probe(url(strict, "submissions", "smtps")).check(
        {
            "smtp.extensions": SUBMISSION | {"AUTH"},
            "smtp.starttls": Cause.NOT_APPLICABLE,
            **MODERN,
            "tls.resumption": False,  # each login process has ticket keys of its own (service_count = 1)
            "tls.early_data": False,
            **TRUSTED,
        }
    )


def test_submission_without_tls(plain: Services, probe: Probe) -> None:
    probe(url(plain, "submission", "smtp")).check(
        {
            "smtp.extensions": SUBMISSION | {"AUTH"},
            "smtp.starttls_unadvertised": False,
            "smtp.starttls_command_injection": Cause.TLS_NOT_OFFERED,
            "smtp.starttls": False,
            "smtp.auth_before_tls": {"PLAIN"},
            "smtp.auth_mechanisms": {"PLAIN"},
            "smtp.tls_required": False,
        }
    )


def test_imaplib_sees_the_same(strict: Services, lax: Services, probe: Probe) -> None:
    for services in (strict, lax):
        found = probe(url(services, "imap")).found
        with imaplib.IMAP4(services["imap"].address, services["imap"].port, timeout=10) as client:
            assert set(client.capabilities) == found["imap.capabilities"]


def test_poplib_sees_the_same(strict: Services, lax: Services, probe: Probe) -> None:
    for services in (strict, lax):
        found = probe(url(services, "pop3")).found
        client = poplib.POP3(services["pop3"].address, services["pop3"].port, timeout=10)
        assert set(client.capa()) == found["pop3.capabilities"]
        client.quit()
