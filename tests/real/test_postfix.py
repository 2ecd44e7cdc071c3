"""Postfix: what the probes report is what its configuration says (postconf(5))."""

from __future__ import annotations

import smtplib
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from probes.model import Cause
from tests import needs
from tests.real.conftest import Probe
from tests.real.reports import Expected
from tests.real.servers import DOMAIN, Authority, Listener, Service, dovecot, postfix

pytestmark = pytest.mark.real

HOST = f"postfix.{DOMAIN}"

# What smtpd of Postfix 3.7 offers when nothing is discarded, without STARTTLS and AUTH.
ALWAYS = {"PIPELINING", "SIZE", "VRFY", "ETRN", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"}
MECHANISMS = {"PLAIN", "LOGIN", "CRAM-MD5"}

OF_THE_SERVER = "smtp tls certificate"
"""The probes that have nothing to say without the server."""

VALID: Mapping[str, Expected] = {
    "certificate.trusted": True,
    "certificate.trust_error": "none",
    "certificate.name_matches": True,
    "certificate.self_signed": False,
    "certificate.signature_algorithm": "ecdsa-with-SHA256",
    "certificate.chain_length": 1,
}


def all_of(group: Mapping[str, Expected], cause: Cause) -> dict[str, Expected]:
    """The same metrics with one cause for all."""
    return dict.fromkeys(group, cause)


@pytest.fixture(scope="module")
def services(authority: Authority) -> Iterator[dict[str, Service]]:
    """One Postfix with a listener for each configuration; Dovecot behind it for AUTH."""
    certificate, rsa = authority.issue(HOST), authority.issue(HOST, rsa=True)
    mx = authority.issue(f"mx1.{DOMAIN}")
    tls = {
        "smtpd_tls_cert_file": str(certificate.chain),
        "smtpd_tls_key_file": str(certificate.key),
        "smtpd_tls_security_level": "may",
    }
    with dovecot(authority.issue(f"dovecot.{DOMAIN}"), {"auth_mechanisms": "plain login cram-md5"}) as (_, socket):
        auth = {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": str(socket),
            "smtpd_sasl_security_options": "noanonymous",
        }
        places = {
            name: Service.on(HOST)
            for name in (
                "strict",
                "lax",
                "implicit",
                "legacy",
                "one_cipher",
                "none",
                "rejecting",
                "limited",
                "talkative",
            )
        }
        places |= {"mx1": Service.on(f"mx1.{DOMAIN}", 25), "mx2": Service.on(f"mx2.{DOMAIN}", 25)}
        parameters = {
            "strict": {
                **tls,
                **auth,
                "smtpd_tls_security_level": "encrypt",
                "smtpd_tls_auth_only": "yes",
                "smtpd_tls_mandatory_protocols": ">=TLSv1.2",
                "tls_eecdh_auto_curves": "X25519",
                "message_size_limit": "12345678",
            },
            "lax": {
                **tls,
                **auth,
                "smtpd_tls_auth_only": "no",
                "smtpd_discard_ehlo_keywords": "chunking, dsn, smtputf8, etrn, silent-discard",
                "message_size_limit": "0",
            },
            "implicit": {
                **tls,
                **auth,
                "smtpd_tls_wrappermode": "yes",
                "smtpd_tls_security_level": "encrypt",
                "smtpd_tls_mandatory_protocols": "TLSv1.3",
            },
            "legacy": {
                **tls,
                "smtpd_tls_cert_file": str(rsa.chain),
                "smtpd_tls_key_file": str(rsa.key),
                "smtpd_tls_protocols": ">=TLSv1",
                "smtpd_tls_ciphers": "medium",
                "tls_medium_cipherlist": "ALL:@SECLEVEL=0",
            },
            "one_cipher": {
                **tls,
                "smtpd_tls_protocols": "TLSv1.2",
                "smtpd_tls_ciphers": "high",
                "tls_high_cipherlist": "ECDHE-ECDSA-AES256-GCM-SHA384",
                "tls_eecdh_auto_curves": "prime256v1",
            },
            "none": {"smtpd_tls_security_level": "none"},
            "rejecting": {**tls, "smtpd_delay_reject": "no", "smtpd_client_restrictions": "reject"},
            # Says too much, offers too much, and gives nothing to resume a session by.
            "talkative": {
                **tls,
                **auth,
                "smtpd_banner": "localhost ESMTP $mail_name $mail_version",
                "broken_sasl_auth_clients": "yes",
                "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
                "smtpd_tls_auth_only": "yes",
                "tls_ssl_options": "NO_TICKET",
            },
            # One connection of the allowance goes to whoever waits for the port to open.
            "limited": {**tls, "smtpd_client_connection_rate_limit": "2"},
            "mx1": {
                "smtpd_tls_cert_file": str(mx.chain),
                "smtpd_tls_key_file": str(mx.key),
                "smtpd_tls_security_level": "may",
                "smtpd_banner": f"mx1.{DOMAIN} ESMTP",
            },
            "mx2": {"smtpd_tls_security_level": "none", "smtpd_banner": f"mx2.{DOMAIN} ESMTP"},
        }
        listeners = [Listener(places[name], parameters[name]) for name in places]
        # Waits 2 s behind the first line of a greeting of two, for clients that speak too early.
        places["screened"] = Service.on(HOST)
        screen = {
            "postscreen_greet_wait": "2s",
            "postscreen_greet_banner": "please wait",
            "postscreen_greet_action": "enforce",
            "postscreen_access_list": "",
            "postscreen_tls_security_level": "may",
        }
        listeners.append(Listener(places["screened"], screen, daemon="postscreen"))
        with postfix(listeners, {**tls, "postscreen_cache_map": ""}):
            yield places


def url(service: Service, scheme: str = "smtp") -> str:
    """The target that names a service."""
    return f"{scheme}://{service.host}:{service.port}"


def test_encryption_demanded(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["strict"]))
    assert reported.exit_code == 0
    offered = {
        "smtp.pipelining": True,
        "smtp.eight_bit_mime": True,
        "smtp.smtputf8": True,
        "smtp.chunking": True,
        "smtp.dsn": True,
        "smtp.enhanced_status_codes": True,
        "smtp.requiretls": False,
    }
    reported.check(
        {
            "smtp.greeting_name": HOST,
            "smtp.extensions": ALWAYS | {"STARTTLS"},
            "smtp.extensions_after_tls": ALWAYS | {"AUTH"},
            "smtp.starttls": True,
            "smtp.starttls_works": True,
            "smtp.starttls_injection": False,
            "smtp.size_limit": 12345678,  # message_size_limit
            "smtp.auth_mechanisms": MECHANISMS,  # auth_mechanisms of Dovecot
            "smtp.auth_before_tls": set(),  # smtpd_tls_auth_only = yes
            "smtp.tls_required": True,  # smtpd_tls_security_level = encrypt
            "smtp.greeting_name_is_fqdn": True,  # myhostname
            "smtp.greeting_name_leads_here": True,  # the zone
            "smtp.ehlo_name": HOST,
            "smtp.ehlo_name_is_fqdn": True,
            "smtp.ehlo_name_is_greeting_name": True,
            "smtp.software": "Postfix",  # smtpd_banner = $myhostname ESMTP $mail_name, the default
            "smtp.software_version_shown": False,
            "smtp.extensions_only_before_tls": {"STARTTLS"},
            "smtp.extensions_only_after_tls": {"AUTH"},
            "smtp.extension_parameters": (ALWAYS - {"SIZE"}) | {"SIZE 12345678", "AUTH PLAIN LOGIN CRAM-MD5"},
            "smtp.extensions_unregistered": set(),
            "smtp.auth_legacy_syntax": False,
            "smtp.client_override": False,
            "smtp.vrfy_offered": True,
            "smtp.etrn": True,
            "smtp.expn_offered": False,
            "smtp.starttls_command_injection": False,  # Postfix 2.7.3 and later forget what came too early
            "smtp.starttls_unadvertised": Cause.NOT_APPLICABLE,
            "smtp.enhanced_codes_used": True,
            "tls.resumption": True,  # tickets, as tls_ssl_options does not forbid them
            "tls.early_data": False,
            "smtp.quit_code": 221,
            **offered,
            "tls.versions": {"TLSv1.2", "TLSv1.3"},  # smtpd_tls_mandatory_protocols = >=TLSv1.2
            "tls.oldest_version": "TLSv1.2",
            "tls.newest_version": "TLSv1.3",
            "tls.group": "x25519",  # tls_eecdh_auto_curves
            **VALID,
            "certificate.key_type": "EC",
            "certificate.key_bits": 256,
        }
    )
    times = [reported.found[metric] for metric in ("smtp.connect_ms", "smtp.greeting_ms", "tls.handshake_ms")]
    assert all(isinstance(value, float) and 0 < value < 10_000 for value in times)


def test_encryption_optional(services: dict[str, Service], probe: Probe) -> None:
    probe(url(services["lax"])).check(
        {
            # smtpd_discard_ehlo_keywords takes effect before and after TLS
            "smtp.extensions": (ALWAYS | {"STARTTLS", "AUTH"}) - {"CHUNKING", "DSN", "SMTPUTF8", "ETRN"},
            "smtp.extensions_after_tls": (ALWAYS | {"AUTH"}) - {"CHUNKING", "DSN", "SMTPUTF8", "ETRN"},
            "smtp.chunking": False,
            "smtp.dsn": False,
            "smtp.smtputf8": False,
            "smtp.pipelining": True,
            "smtp.size_limit": Cause.NOT_APPLICABLE,  # message_size_limit = 0: SIZE without a number
            "smtp.auth_before_tls": MECHANISMS,  # smtpd_tls_auth_only = no
            "smtp.auth_mechanisms": MECHANISMS,
            "smtp.tls_required": False,  # smtpd_tls_security_level = may
            "smtp.starttls_works": True,
        }
    )


def test_a_server_that_says_and_offers_too_much(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["talkative"]))
    reported.check(
        {
            "smtp.greeting_name": "localhost",  # smtpd_banner
            "smtp.greeting_name_is_fqdn": False,
            "smtp.greeting_name_leads_here": Cause.NOT_APPLICABLE,
            "smtp.ehlo_name": HOST,  # myhostname
            "smtp.ehlo_name_is_greeting_name": False,
            "smtp.software_version_shown": True,  # $mail_version
            "smtp.extensions_unregistered": {"XCLIENT"},  # smtpd_authorized_xclient_hosts
            "smtp.client_override": True,
            "smtp.auth_legacy_syntax": True,  # broken_sasl_auth_clients
            "smtp.extensions_only_after_tls": {"AUTH"},  # smtpd_tls_auth_only
            "smtp.auth_mechanisms": MECHANISMS,
            # What it gives as tickets are mere numbers (tls_ssl_options), for a cache that smtpd does not have.
            "tls.resumption": False,
            "tls.early_data": False,
        }
    )
    software = str(reported.found["smtp.software"])
    assert software.removeprefix("Postfix ") == version()


def version() -> str:
    """Postfix's own word on its version."""
    said = subprocess.run(
        [needs.require("postconf"), "-dh", "mail_version"], check=True, capture_output=True, text=True
    )
    return said.stdout.strip()


def test_openssl_agrees_on_resumption(services: dict[str, Service], tmp_path: Path) -> None:
    # The listeners for which tls.resumption is True and False.
    for name, resumed in (("strict", True), ("talkative", False)):
        file = str(tmp_path / name)
        assert handshake(services[name], "-tls1_2", "-sess_out", file)
        assert (b"Reused, TLSv1.2" in said(services[name], "-tls1_2", "-sess_in", file)) is resumed


def test_implicit_tls(services: dict[str, Service], probe: Probe) -> None:
    probe(url(services["implicit"], "smtps")).check(
        {
            "smtp.extensions": ALWAYS | {"AUTH"},
            "smtp.extensions_after_tls": ALWAYS | {"AUTH"},
            "smtp.starttls": Cause.NOT_APPLICABLE,
            "smtp.starttls_works": Cause.NOT_APPLICABLE,
            "smtp.starttls_injection": Cause.NOT_APPLICABLE,
            "smtp.auth_before_tls": Cause.NOT_APPLICABLE,
            "smtp.tls_required": Cause.NOT_APPLICABLE,
            "smtp.auth_mechanisms": MECHANISMS,
            "smtp.starttls_command_injection": Cause.NOT_APPLICABLE,
            "smtp.starttls_unadvertised": Cause.NOT_APPLICABLE,
            "smtp.extensions_only_before_tls": Cause.NOT_APPLICABLE,
            "tls.resumption": True,
            "tls.early_data": False,
            "smtp.quit_code": 221,
            "tls.versions": {"TLSv1.3"},  # smtpd_tls_mandatory_protocols = TLSv1.3
            "tls.oldest_version": "TLSv1.3",
            **VALID,
        }
    )


def test_starttls_asked_of_a_port_with_implicit_tls(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["implicit"]), "--deadline", "4", only=OF_THE_SERVER)
    # Postfix waits for a ClientHello and we for a greeting. Connecting worked, and its time is a fact.
    missing = {metric: value for metric, value in reported.found.items() if metric != "smtp.connect_ms"}
    assert set(missing.values()) <= {Cause.GREETING_TIMEOUT, Cause.DEADLINE_EXCEEDED}, reported.transcript


def test_implicit_tls_asked_of_a_port_with_starttls(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["strict"], "smtps"))
    reported.check(
        {
            "smtp.extensions": Cause.TLS_HANDSHAKE_ERROR,
            "tls.cipher": Cause.TLS_HANDSHAKE_ERROR,
            "tls.versions": Cause.TLS_HANDSHAKE_ERROR,
            "certificate.trusted": Cause.TLS_HANDSHAKE_ERROR,
        }
    )
    assert "plain text" in reported.detail("tls.cipher")


def test_old_tls_versions(services: dict[str, Service], probe: Probe) -> None:
    service = services["legacy"]
    probe(url(service)).check(
        {
            "tls.versions": {"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"},  # smtpd_tls_protocols = >=TLSv1
            "tls.oldest_version": "TLSv1.0",
            "tls.newest_version": "TLSv1.3",
            "smtp.starttls_command_injection": False,
            "tls.resumption": True,
            "certificate.key_type": "RSA",
            "certificate.key_bits": 2048,
            "certificate.trusted": True,
        }
    )
    # A second opinion from OpenSSL's own client on the versions that its library still speaks.
    for option in ("-tls1", "-tls1_1", "-tls1_2", "-tls1_3"):
        assert handshake(service, option, "-cipher", "ALL:@SECLEVEL=0"), option


def handshake(service: Service, *options: str) -> bool:
    """Whether ``openssl s_client`` completes a handshake after STARTTLS."""
    done = talk(service, *options)
    return done.returncode == 0 and b"Cipher is (NONE)" not in done.stdout


def said(service: Service, *options: str) -> bytes:
    """What ``openssl s_client`` says of a handshake after STARTTLS."""
    return talk(service, *options).stdout


def talk(service: Service, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [needs.require("openssl"), "s_client", "-connect", f"{service.address}:{service.port}"]
    command += ["-starttls", "smtp", *options]
    return subprocess.run(command, check=False, input=b"QUIT\r\n", capture_output=True, timeout=20)


def test_openssl_agrees_on_refused_versions(services: dict[str, Service]) -> None:
    # The same listener for which tls.versions is {TLSv1.2, TLSv1.3}: were openssl to get through, we would be wrong.
    loose = ("-cipher", "ALL:@SECLEVEL=0")
    outcome = [handshake(services["strict"], version, *loose) for version in ("-tls1_1", "-tls1_2", "-tls1_3")]
    assert outcome == [False, True, True]


def test_one_cipher(services: dict[str, Service], probe: Probe) -> None:
    probe(url(services["one_cipher"])).check(
        {
            "tls.resumption": True,  # TLS 1.2: a ticket in the handshake itself
            "tls.early_data": Cause.NOT_APPLICABLE,
            "tls.versions": {"TLSv1.2"},
            "tls.oldest_version": "TLSv1.2",
            "tls.newest_version": "TLSv1.2",
            "tls.cipher": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",  # tls_high_cipherlist
            "tls.group": "secp256r1",  # tls_eecdh_auto_curves
        }
    )


def test_no_tls(services: dict[str, Service], probe: Probe) -> None:
    probe(url(services["none"])).check(
        {
            "smtp.extensions": ALWAYS,
            "smtp.starttls": False,
            "smtp.starttls_works": Cause.TLS_NOT_OFFERED,
            "smtp.extensions_after_tls": Cause.TLS_NOT_OFFERED,
            "smtp.auth_mechanisms": set(),  # no smtpd_sasl_auth_enable
            "smtp.auth_before_tls": set(),
            "smtp.tls_required": False,
            "smtp.size_limit": 10240000,  # Postfix's default
            "smtp.starttls_unadvertised": False,  # 502
            "smtp.starttls_command_injection": Cause.TLS_NOT_OFFERED,
            "smtp.extensions_only_after_tls": Cause.TLS_NOT_OFFERED,
            "tls.resumption": Cause.TLS_NOT_OFFERED,
            "tls.versions": Cause.TLS_NOT_OFFERED,
            "tls.cipher": Cause.TLS_NOT_OFFERED,
            "certificate.trusted": Cause.TLS_NOT_OFFERED,
        }
    )


def test_rejected_at_the_greeting(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["rejecting"]), only=OF_THE_SERVER)
    missing = {metric: value for metric, value in reported.found.items() if metric != "smtp.connect_ms"}
    assert set(missing.values()) == {Cause.GREETING_REJECTED}, reported.transcript
    assert "5.7.1" in reported.detail("smtp.extensions")


def test_too_many_connections(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["limited"]))
    # The first conversation was allowed and is the truth; whatever needed another connection met 421.
    reported.check(
        {
            "smtp.extensions": ALWAYS | {"STARTTLS"},
            "smtp.starttls_works": True,
            "smtp.tls_required": Cause.THROTTLED,
            "tls.versions": Cause.THROTTLED,
            "certificate.trusted": True,
        }
    )
    steps = reported.document["transcript"]
    told = next(index for index, step in enumerate(steps) if step["text"].startswith("421"))
    again = [step for step in steps[told:] if step["text"].startswith("connected to")]
    # Of four at a time, three may have been on their way when the 421 came.
    assert len(again) <= 3, "after the first 421 nobody begins to connect"


def test_waits_for_the_last_line_of_the_greeting(services: dict[str, Service], probe: Probe) -> None:
    reported = probe(url(services["screened"]))
    # Who speaks during the two seconds is turned away with 521.
    reported.check({"smtp.greeting_name": "please", "smtp.extensions": ALWAYS | {"STARTTLS"}, "smtp.quit_code": 221})
    waited = reported.found["smtp.greeting_ms"]
    assert isinstance(waited, float)
    assert 1900 < waited < 4000  # postscreen_greet_wait = 2s


def test_mail_hosts_of_a_domain(services: dict[str, Service], probe: Probe) -> None:
    # The zone says MX 10 mx1, MX 20 mx2; both listen on port 25 of addresses of their own.
    assert services["mx1"].port == 25
    first = probe(f"mx://{DOMAIN}")
    assert first.document["endpoint"]["host"] == f"mx1.{DOMAIN}"
    first.check(
        {
            "smtp.greeting_name": f"mx1.{DOMAIN}",
            "smtp.starttls": True,
            "smtp.starttls_works": True,
            "smtp.auth_mechanisms": set(),
            **VALID,
        }
    )
    assert "smtp.tls_required" not in first.found  # a metric of submission alone
    assert len(first.document["also"]) == 1
    second = first.other(0)
    assert second.document["endpoint"]["host"] == f"mx2.{DOMAIN}"
    second.check({"smtp.greeting_name": f"mx2.{DOMAIN}", "smtp.starttls": False, "tls.versions": Cause.TLS_NOT_OFFERED})


def test_certificate_for_another_name(services: dict[str, Service], probe: Probe) -> None:
    service = services["strict"]
    reported = probe(f"smtp://{service.address}:{service.port}")
    reported.check({"certificate.trusted": True, "certificate.name_matches": False, "smtp.starttls_works": True})


def test_unknown_authority(services: dict[str, Service], probe: Probe) -> None:
    probe(url(services["strict"]), trust=False).check(
        {
            "certificate.trusted": False,
            "certificate.trust_error": "unknown_issuer",
            "certificate.name_matches": True,
            "certificate.self_signed": False,
        }
    )


def test_smtplib_sees_the_same(services: dict[str, Service], probe: Probe) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name in ("strict", "lax", "legacy"):
        service = services[name]
        found = probe(url(service)).found
        with smtplib.SMTP(service.address, service.port, "probe.example.test", timeout=10) as client:
            client.ehlo()
            assert {keyword.upper() for keyword in client.esmtp_features} == found["smtp.extensions"]
            client.starttls(context=context)
            client.ehlo()
            assert {keyword.upper() for keyword in client.esmtp_features} == found["smtp.extensions_after_tls"]


def test_nobody_there(probe: Probe) -> None:
    service = Service.on(f"nobody.{DOMAIN}")
    reported = probe(url(service), only=OF_THE_SERVER)
    assert reported.exit_code == 3
    assert set(reported.found.values()) == {Cause.CONNECTION_REFUSED}


def test_no_such_name(probe: Probe) -> None:
    reported = probe(f"smtp://no-such-host.{DOMAIN}:587", only=OF_THE_SERVER)
    assert reported.exit_code == 3
    assert set(reported.found.values()) == {Cause.DNS_NXDOMAIN}
