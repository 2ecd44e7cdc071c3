"""swaks as a second opinion on the SMTP dialogue: the same extensions, the same outcome of STARTTLS and the same reply
codes as the probes see."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import envelope
from tests import needs
from tests.real.conftest import Probe
from tests.real.reports import Reported
from tests.real.servers import ADDRESSES, DOMAIN, Authority, Listener, Service, chasquid, exim, haraka, postfix

pytestmark = pytest.mark.real

EHLO = "probe.example.test"


@dataclasses.dataclass(frozen=True)
class Swaks:
    """What swaks printed. It marks lines of the server with ``<-`` (under TLS ``<~``), with stars where they refuse
    something, and those that it sends with ``->`` (``~>``)."""

    output: str
    code: int

    def extensions(self, tls: bool) -> set[str]:
        """Keywords of the EHLO reply before or after TLS."""
        mark = "~" if tls else "-"
        said = re.search(rf"^ {mark}> EHLO [^\n]*\n((?:<{mark}[^\n]*\n)+)", self.output, re.MULTILINE)
        assert said, self.output
        lines = re.findall(rf"<{mark}  250[- ]([^\n]*)", said[1])
        return {re.split(r"[ =]", line)[0].upper() for line in lines[1:]}

    @property
    def tls(self) -> tuple[str, str] | None:
        """Version and cipher suite, by OpenSSL's name; None without TLS."""
        found = re.search(r"=== TLS started with cipher ([^:]+):([^:]+):", self.output)
        return (found[1], found[2]) if found else None

    @property
    def conversation(self) -> list[tuple[str, int]]:
        """Each command with the code of its reply."""
        found = []
        command = ""
        for line in self.output.splitlines():
            if sent := re.match(r" [-~]> (.*)", line):
                command = sent[1]
            elif (said := re.match(r"<[-~*]\*? +(\d{3}) ", line)) or (said := re.match(r"<[-~*]\*? +(\d{3})$", line)):
                found.append((command, int(said[1])))
                command = ""
        return found


def swaks(service: Service, *options: str) -> Swaks:
    """Run swaks against a service."""
    program = needs.require("swaks", "swaks")
    command = [program, "--server", service.address, "--port", str(service.port), "--ehlo", EHLO, "--timeout", "10"]
    done = subprocess.run(
        [*command, *options], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )
    return Swaks(done.stdout, done.returncode)


def probed(reported: Reported) -> list[tuple[str, int]]:
    """Each command of the first connection of a report with the code of its reply."""
    found = []
    command = ""
    for step in reported.document["transcript"]:
        if step["connection"] != 1:
            continue
        if step["direction"] == "out":
            command = step["text"]
        elif step["direction"] == "in" and re.match(r"\d{3}( |$)", step["text"]):
            found.append((command, int(step["text"][:3])))
            command = ""
    return found


@pytest.fixture(scope="module")
def services(authority: Authority) -> Iterator[dict[str, Service]]:
    """Every server that speaks SMTP here, in the state in which it takes mail without a login."""
    postfix_host, exim_host, chasquid_host, haraka_host = (
        f"{name}.{DOMAIN}" for name in ("postfix", "exim", "chasquid", "haraka")
    )
    certificate = authority.issue(postfix_host)
    tls = {
        "smtpd_tls_cert_file": str(certificate.chain),
        "smtpd_tls_key_file": str(certificate.key),
        "smtpd_tls_security_level": "may",
    }
    main = {
        "mydestination": DOMAIN,
        "local_recipient_maps": "inline:{ {tester=x}, {postmaster=x} }",
        "smtpd_relay_restrictions": "reject_unauth_destination",
        "smtpd_error_sleep_time": "0",
        "local_transport": "discard:",
        "default_transport": "discard:",
    }
    more = ("qmgr unix n - n 300 1 qmgr", "discard unix - - n - - discard")  # without them each RCPT takes a second
    places = {name: Service.on(postfix_host) for name in ("postfix", "plain", "demanding", "implicit")}
    listeners = [
        Listener(places["postfix"], tls),
        Listener(places["plain"], {"smtpd_tls_security_level": "none"}),
        Listener(places["demanding"], {**tls, "smtpd_tls_security_level": "encrypt"}),
        Listener(places["implicit"], {**tls, "smtpd_tls_wrappermode": "yes"}),
    ]
    with (
        postfix(listeners, main, more=more),
        exim(authority.issue(exim_host), {"tls_advertise_hosts": "*"}) as exims,
        chasquid(authority.issue(chasquid_host), size_megabytes=7) as chasquids,
        haraka(authority.issue(haraka_host, rsa=True), size=7654321) as harakas,
    ):
        yield places | {
            "exim": exims["submission"],
            "chasquid": chasquids["submission"],
            "haraka": harakas["submission"],
        }


def at(service: Service, scheme: str = "smtp") -> str:
    """The URL of a service."""
    return f"{scheme}://{service.host}:{service.port}"


@pytest.mark.parametrize("name", ["postfix", "demanding", "exim", "chasquid", "haraka"])
def test_the_same_dialogue_with_starttls(name: str, services: dict[str, Service], probe: Probe) -> None:
    service = services[name]
    reported = probe(at(service), only="smtp tls")
    theirs = swaks(service, "--tls", "--quit-after", "EHLO")
    assert theirs.code == 0, theirs.output
    found = reported.found
    assert found["smtp.extensions"] == theirs.extensions(tls=False)
    assert found["smtp.extensions_after_tls"] == theirs.extensions(tls=True)
    assert found["smtp.starttls_works"] is True
    assert theirs.tls is not None
    assert found["tls.newest_version"] == theirs.tls[0]
    # Greeting, EHLO, STARTTLS, EHLO, QUIT: the same words and the same codes, one after the other.
    assert probed(reported) == theirs.conversation


def test_the_same_dialogue_without_tls(services: dict[str, Service], probe: Probe) -> None:
    service = services["plain"]
    reported = probe(at(service), only="smtp")
    theirs = swaks(service, "--quit-after", "EHLO")
    assert reported.found["smtp.extensions"] == theirs.extensions(tls=False)
    assert reported.found["smtp.starttls"] is False
    assert theirs.tls is None
    ours = probed(reported)
    assert ours.pop(2) == ("STARTTLS", 502)  # asked for though it is not offered
    assert ours == theirs.conversation
    refused = swaks(service, "--tls", "--quit-after", "EHLO")
    assert refused.code == 29  # swaks's code for "TLS was demanded and is not to be had"


def test_the_same_dialogue_under_implicit_tls(services: dict[str, Service], probe: Probe) -> None:
    service = services["implicit"]
    reported = probe(at(service, "smtps"), only="smtp tls")
    theirs = swaks(service, "--tls-on-connect", "--quit-after", "EHLO")
    assert reported.found["smtp.extensions"] == theirs.extensions(tls=True)
    assert theirs.tls is not None
    assert reported.found["tls.newest_version"] == theirs.tls[0]
    assert probed(reported) == theirs.conversation


@pytest.mark.parametrize(("name", "demanded"), [("postfix", False), ("demanding", True), ("haraka", False)])
def test_mail_before_tls(name: str, demanded: bool, services: dict[str, Service], probe: Probe) -> None:
    theirs = dict(swaks(services[name], "--quit-after", "MAIL", "--from", "<>").conversation)
    assert (theirs["MAIL FROM:<>"] == 530) is demanded
    assert probe(at(services[name]), only="smtp").found["smtp.tls_required"] is demanded


def test_the_same_codes_for_addresses(services: dict[str, Service], probe: Probe, tmp_path: Path) -> None:
    """Of the catalogue those that swaks can be made to send; it puts the brackets around them itself."""
    service = services["postfix"]
    recipient = f"tester@{DOMAIN}"
    (tmp_path / "mailrubric.yaml").write_text(f"own_servers: [{service.host}]\nown_server_recipient: {recipient}\n")
    reported = probe(at(service), "--workspace", str(tmp_path), "--own-server", only="own_server")
    compared = 0
    for metric, forms in (
        ("own_server.malformed_recipients_accepted", envelope.MALFORMED),
        ("own_server.wellformed_recipients_refused", envelope.WELL_FORMED_RECIPIENTS),
    ):
        listed = reported.detail(metric)
        assert listed, reported.transcript
        ours = {
            name: int(code)
            for code, names in re.findall(r"(\d{3})(?: [0-9.]+)?: ([a-z0-9, -]+)", listed)
            for name in names.split(", ")
        }
        assert set(ours) == {form.name for form in forms}
        for form in forms:
            argument = form.argument(recipient).decode("utf-8", "surrogateescape")
            plain = re.fullmatch(r'<([A-Za-z0-9@."\[\]()-]+)>', argument)
            if plain is None or form.splits:
                continue
            said = dict(swaks(service, "--quit-after", "RCPT", "--from", "<>", "--to", plain[1]).conversation)
            command = f"RCPT TO:<{plain[1]}>"
            assert command in said, form.name
            assert said[command] == ours[form.name], form.name
            compared += 1
    assert compared >= 20
    relay = dict(swaks(service, "--quit-after", "RCPT", "--from", "<>", "--to", "somebody@example.org").conversation)
    assert relay["RCPT TO:<somebody@example.org>"] == 554
    assert reported.found["own_server.open_relay"] is False


def test_a_message_that_swaks_delivers_we_deliver(authority: Authority, probe: Probe, tmp_path: Path) -> None:
    host = f"chasquid.{DOMAIN}"
    aliases = "tester: | true\npostmaster: | true\n"
    with chasquid(authority.issue(host), size_megabytes=7, aliases=aliases) as chasquids:
        address, port = ADDRESSES[host], chasquids["mx"].port
        theirs = swaks(chasquids["mx"], "--tls", "--from", "<>", "--to", f"tester@{host}")
        (tmp_path / "mailrubric.yaml").write_text(f"own_servers: [{address}]\nown_server_recipient: tester@{host}\n")
        options = ("--workspace", str(tmp_path), "--own-server")
        reported = probe(f"mx://{address}:{port}", *options, only="own_server")
    assert theirs.code == 0, theirs.output
    assert reported.found["own_server.eight_bit_accepted"] is True
