"""The lab's servers, seen by clients that are not ours: smtplib, imaplib, poplib, ssl, dnspython, httpx."""

from __future__ import annotations

import datetime
import imaplib
import poplib
import smtplib
import socket
import ssl
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import httpx
import pytest

from mailrubric.lab import Lab, Place
from mailrubric.lab.vendors import Service


def place(lab: Lab, vendor: str, label: str, service: Service) -> tuple[str, int, str]:
    """(address, port, host name), the address as the lab's own name server gives it."""
    host = f"{label}.{vendor}.lab.test"
    answer = ask(lab, host, "A")
    return answer.answer[0][0].address, lab.ports[Place(host, service)], host


def ask(lab: Lab, name: str, kind: str, **options: object) -> dns.message.Message:
    query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]
    address, port = lab.resolver
    return dns.query.udp(query, address, port=port, timeout=30)


def trusting(lab: Lab) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does by default
    return context


class Client(smtplib.SMTP):
    """smtplib, but the certificate is checked for the name asked for, not for the address dialled."""

    def __init__(self, address: str, port: int, host: str) -> None:
        super().__init__(address, port, local_hostname="tests.lab.test", timeout=30)
        self._host = host


def test_modern_submission_offers_login_only_after_tls_and_takes_mail(running_lab: Lab) -> None:
    with Client(*place(running_lab, "modern", "smtp", "submission")) as client:
        client.ehlo()
        assert client.has_extn("starttls")
        assert not client.has_extn("auth")
        assert client.esmtp_features["size"] == "52428800"
        assert client.mail("a@example.org")[0] == 530
        assert client.docmd("AUTH", "PLAIN AGxhYgBsYWI=")[0] == 530
        client.starttls(context=trusting(running_lab))
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.has_extn("requiretls")
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN", "SCRAM-SHA-256", "XOAUTH2"]
        assert client.mail("a@example.org")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("lab", "wrong")
        assert client.login("lab", "lab")[0] == 235
        assert client.sendmail("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\n..dots\r\n") == {}
        client.mail("a@example.org")
        client.rcpt("b@example.org")
        client.send(b"BDAT 9\r\nSubject: BDAT 5 LAST\r\n: x\r\n")  # pipelined, and binary looks like a command
        assert client.getreply()[0] == 250
        assert client.getreply() == (250, b"2.0.0 accepted, and thrown away: this is a lab")
        assert client.quit()[0] == 221


def test_mx_takes_mail_for_its_own_domain_only(running_lab: Lab) -> None:
    with Client(*place(running_lab, "modern", "mx", "mx")) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.mail("a@example.org")
        assert client.rcpt("b@modern.lab.test")[0] == 250
        assert client.rcpt("b@example.org")[0] == 550


def test_plaintext_injected_before_tls_is_forgotten(running_lab: Lab) -> None:
    address, port, host = place(running_lab, "modern", "smtp", "submission")
    with socket.create_connection((address, port), timeout=30) as plain:
        assert plain.recv(1000).startswith(b"220 ")
        plain.sendall(b"EHLO tests\r\nSTARTTLS\r\nNOOP injected\r\n")
        received = b""
        while b"\r\n220 " not in received:
            received += plain.recv(1000)
        with trusting(running_lab).wrap_socket(plain, server_hostname=host) as encrypted:
            encrypted.sendall(b"EHLO tests\r\n")
            assert encrypted.recv(1000).startswith(b"250-smtp.modern")


@pytest.mark.parametrize(
    ("vendor", "code"),
    [("expired", 10), ("self-signed", 18), ("wrong-name", 62)],  # X509_V_ERR_* of OpenSSL
)
def test_bad_certificates_fail_for_their_own_reason_alone(running_lab: Lab, vendor: str, code: int) -> None:
    address, port, host = place(running_lab, vendor, "smtp", "submissions")
    with socket.create_connection((address, port), timeout=30) as plain:
        with pytest.raises(ssl.SSLCertVerificationError) as failure:
            trusting(running_lab).wrap_socket(plain, server_hostname=host)
        assert failure.value.verify_code == code


@pytest.mark.parametrize("vendor", ["modern", "legacy", "slow", "plaintext-auth", "short-lived"])
def test_other_certificates_are_good_under_the_strict_rules(running_lab: Lab, vendor: str) -> None:
    address, port, host = place(running_lab, vendor, "smtp", "submissions")
    with (
        socket.create_connection((address, port), timeout=30) as plain,
        trusting(running_lab).wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        end = ssl.cert_time_to_seconds(str((encrypted.getpeercert() or {})["notAfter"]))
        days = datetime.timedelta(seconds=end - time.time()).days
        assert days == (5 if vendor == "short-lived" else 80)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("vendor", "accepted"),
    [("modern", {"TLSv1.2", "TLSv1.3"}), ("legacy", {"TLSv1", "TLSv1.1", "TLSv1.2"})],
)
def test_tls_versions_are_refused_by_an_alert_that_arrives(running_lab: Lab, vendor: str, accepted: set[str]) -> None:
    address, port, _ = place(running_lab, vendor, "smtp", "submissions")
    answers = {}
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with socket.create_connection((address, port), timeout=30) as plain:
            try:
                with context.wrap_socket(plain) as encrypted:
                    answers[version] = encrypted.version()
            except ssl.SSLError as error:
                answers[version] = error.reason
    assert len(answers) == 4
    assert set(answers.values()) == accepted | {"TLSV1_ALERT_PROTOCOL_VERSION"}  # no reset, no end of file


def test_throttle_says_421_and_hangs_up(running_lab: Lab) -> None:
    address, port, _ = place(running_lab, "throttle", "smtp", "submission")
    with socket.create_connection((address, port), timeout=30) as plain:
        assert plain.makefile("rb").read().startswith(b"421 ")


def test_down_refuses(running_lab: Lab) -> None:
    for label, service in (("smtp", "submission"), ("smtp", "submissions"), ("api", "https")):
        address, port, _ = place(running_lab, "down", label, service)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=30)


def test_slow_greets_late(running_lab: Lab) -> None:
    address, port, _ = place(running_lab, "slow", "smtp", "submission")
    began = time.monotonic()
    with socket.create_connection((address, port), timeout=30) as plain:
        assert plain.recv(1000).startswith(b"220 ")
    assert time.monotonic() - began > 2.4


def test_mailboxes_refuse_logins_before_tls(running_lab: Lab) -> None:
    address, port, host = place(running_lab, "mailbox", "imap", "imap")
    with imaplib.IMAP4(address, port, timeout=30) as imap:
        assert {"STARTTLS", "LOGINDISABLED"} <= set(imap.capabilities)
        with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
            imap.login("a", "b")
        relaxed = trusting(running_lab)
        relaxed.check_hostname = False  # imaplib checks for the address that it dialled
        imap.starttls(relaxed)
        assert "LOGINDISABLED" not in imap.capabilities
        assert "AUTH=PLAIN" in imap.capabilities
    address, port, host = place(running_lab, "mailbox", "imap", "imaps")
    with (
        socket.create_connection((address, port), timeout=30) as plain,
        trusting(running_lab).wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        assert encrypted.recv(1000).startswith(b"* OK [CAPABILITY IMAP4rev2")
    address, port, _ = place(running_lab, "mailbox", "pop3", "pop3")
    pop3 = poplib.POP3(address, port, timeout=30)
    assert "STLS" in pop3.capa()
    assert "SASL" not in pop3.capa()
    pop3.stls(relaxed)
    assert pop3.capa()["SASL"] == ["PLAIN", "OAUTHBEARER"]
    assert pop3.quit().startswith(b"+OK")
    address, port, host = place(running_lab, "mailbox", "imap", "sieve")
    with socket.create_connection((address, port), timeout=30) as plain:
        assert b'"STARTTLS"\r\n' in plain.recv(1000)
        plain.sendall(b"STARTTLS\r\n")
        assert plain.recv(1000).startswith(b"OK ")
        with trusting(running_lab).wrap_socket(plain, server_hostname=host) as encrypted:
            assert b'"SASL" "PLAIN"' in encrypted.recv(1000)


def get(lab: Lab, vendor: str, label: str, path: str, *, http2: bool) -> httpx.Response:
    address, port, host = place(lab, vendor, label, "https")
    with httpx.Client(http2=http2, verify=trusting(lab), timeout=30) as client:
        url = f"https://{address}:{port}{path}"
        first = client.get(url, headers={"host": f"{host}:{port}"}, extensions={"sni_hostname": host})
        again = client.get(url, headers={"host": f"{host}:{port}"}, extensions={"sni_hostname": host})
        assert first.headers["x-request-id"] != again.headers["x-request-id"]
        assert first.content == again.content
        return again


@pytest.mark.parametrize("http2", [False, True])
def test_the_api_asks_for_a_key_in_json(running_lab: Lab, http2: bool) -> None:
    answer = get(running_lab, "modern", "api", "/v1/messages", http2=http2)
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["ratelimit-limit"] == "600"


def test_status_pages_tell_how_the_vendor_is(running_lab: Lab) -> None:
    good = get(running_lab, "modern", "status", "/api/v2/summary.json", http2=False).json()
    assert (good["status"]["indicator"], good["incidents"]) == ("none", [])
    poor = get(running_lab, "legacy", "status", "/api/v2/summary.json", http2=False).json()
    assert poor["status"]["indicator"] == "minor"
    assert [incident["impact"] for incident in poor["incidents"]] == ["minor"]
    port = running_lab.ports[Place("status.legacy.lab.test", "https")]
    assert poor["page"]["url"] == f"https://status.legacy.lab.test:{port}"


def test_a_request_that_is_no_request_ends_the_connection_politely(running_lab: Lab) -> None:
    address, port, host = place(running_lab, "modern", "www", "https")
    for request, status in (
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"413"),
        (b"HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n", b"200"),
    ):
        with (
            socket.create_connection((address, port), timeout=30) as plain,
            trusting(running_lab).wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            encrypted.sendall(request)
            answer = encrypted.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 " + status)
            assert answer.endswith(b"\r\n\r\n")


def test_dns_tells_missing_names_from_missing_records(running_lab: Lab) -> None:
    nobody = ask(running_lab, "nobody.lab.test", "A")
    assert (nobody.rcode(), nobody.answer) == (dns.rcode.NXDOMAIN, [])
    assert nobody.authority[0].rdtype == dns.rdatatype.SOA
    for name in ("smtp.modern.lab.test", "_domainkey.modern.lab.test", "lab.test", "test"):  # some just above others
        nothing = ask(running_lab, name, "AAAA")
        assert (nothing.rcode(), nothing.answer) == (dns.rcode.NOERROR, [])
        assert nothing.authority[0].rdtype == dns.rdatatype.SOA
    assert ask(running_lab, "example.org", "A").rcode() == dns.rcode.REFUSED
    policy = ask(running_lab, "_dmarc.modern.lab.test", "TXT")
    assert policy.flags & dns.flags.AA
    assert policy.answer[0][0].strings[0].startswith(b"v=DMARC1; p=reject;")


def test_dns_follows_aliases_and_sends_long_answers_over_tcp(running_lab: Lab) -> None:
    key = ask(running_lab, "lab1._domainkey.modern.lab.test", "TXT")
    assert [rrset.rdtype for rrset in key.answer] == [dns.rdatatype.CNAME, dns.rdatatype.TXT]
    address, port = running_lab.resolver
    query = dns.message.make_query("modern.lab.test", "MX", use_edns=True, payload=1232)
    over_tcp = dns.query.tcp(query, address, port=port, timeout=30)
    assert over_tcp.answer == dns.query.udp(query, address, port=port, timeout=30).answer
    assert str(over_tcp.answer[0][0]) == "10 mx.modern.lab.test."


def test_garbage_to_dns_is_ignored_and_harmless(running_lab: Lab) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for garbage in (b"", b"\0", b"\xff" * 600, b"\0" * 12):
            client.sendto(garbage, running_lab.resolver)
    assert ask(running_lab, "ns.lab.test", "A").rcode() == dns.rcode.NOERROR
