"""What is asked of a server of one's own, by the command line with both its keys: what is reported is what each
server's configuration says, or what is known of its version.

Every server here throws away what it takes, so nothing is delivered to anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probes import envelope, smuggling
from probes.model import Cause
from tests.real.conftest import Probe
from tests.real.reports import Expected, Reported
from tests.real.servers import ADDRESSES, DOMAIN, Authority, Listener, Service, chasquid, exim, haraka, postfix

pytestmark = pytest.mark.real

POSTFIX, EXIM, CHASQUID, HARAKA = (f"{name}.{DOMAIN}" for name in ("postfix", "exim", "chasquid", "haraka"))

LINE_FEEDS = {"<LF>.<LF>", "<LF>.<CRLF>", "<CRLF>.<LF>"}

KEPT: dict[str, Expected] = {
    "own_server.open_relay": False,
    "own_server.size_enforced": True,
    "own_server.pipelining_honest": True,
    "own_server.hundred_recipients": True,
    "own_server.eight_bit_accepted": True,
    "own_server.smtputf8_accepted": True,
}
"""What all careful servers have in common."""

Examine = Callable[..., Reported]


@pytest.fixture
def examine(probe: Probe, tmp_path: Path) -> Examine:
    """Probe one's own server: ``examine(url, host, recipient)``, with both keys turned."""

    def run(target: str, host: str, recipient: str) -> Reported:
        (tmp_path / "mailrubric.yaml").write_text(f"own_servers: [{host}]\nown_server_recipient: {recipient}\n")
        options = ("--workspace", str(tmp_path), "--own-server")
        return probe(target, *options, only="own_server")

    return run


# --- Postfix ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postfixes(authority: Authority) -> Iterator[dict[str, Service]]:
    """One Postfix in several configurations. It knows two mailboxes, and discards what it takes."""
    certificate = authority.issue(POSTFIX)
    tls = {
        "smtpd_tls_cert_file": str(certificate.chain),
        "smtpd_tls_key_file": str(certificate.key),
        "smtpd_tls_security_level": "may",
    }
    main = {
        "mydestination": DOMAIN,
        "local_recipient_maps": "inline:{ {tester=x}, {postmaster=x} }",
        "smtpd_relay_restrictions": "reject_unauth_destination",
        "local_transport": "discard:",
        "default_transport": "discard:",
        "smtpd_error_sleep_time": "0",
        "message_size_limit": "2345678",
    }
    parameters = {
        # As a careful administrator sets it up since December 2023.
        "modern": {
            **tls,
            "smtpd_forbid_bare_newline": "normalize",
            "disable_vrfy_command": "yes",
            "strict_rfc821_envelopes": "yes",
            "smtpd_hard_error_limit": "12",
        },
        # As it came before.
        "legacy": {"smtpd_forbid_bare_newline": "no", "smtpd_hard_error_limit": "10"},
        # Broken on purpose, for those in its own network: that is us.
        "relay": {
            "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "smtpd_discard_ehlo_keywords": "size, pipelining, 8bitmime, smtputf8, silent-discard",
        },
        "refusing": {"smtpd_client_restrictions": "reject", "smtpd_delay_reject": "yes"},
    }
    places = {name: Service.on(POSTFIX) for name in parameters}
    more = (
        "qmgr unix n - n 300 1 qmgr",
        "discard unix - - n - - discard",
        *(f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")),
    )
    with postfix([Listener(places[name], parameters[name]) for name in places], main, more=more):
        yield places


def at(service: Service) -> str:
    """The URL of a service."""
    return f"smtp://{service.host}:{service.port}"


def test_postfix(postfixes: dict[str, Service], examine: Examine) -> None:
    reported = examine(at(postfixes["modern"]), POSTFIX, f"tester@{DOMAIN}")
    reported.check(
        {
            **KEPT,
            "own_server.vrfy": "refused",  # disable_vrfy_command = yes
            "own_server.expn": "refused",  # Postfix has none
            "own_server.smuggling_accepted": set(),  # smtpd_forbid_bare_newline = normalize
            "own_server.error_limit": 12,  # smtpd_hard_error_limit
            "own_server.wellformed_senders_refused": set(),
            "own_server.wellformed_recipients_refused": set(),
        }
    )
    assert "SIZE=2345679: 552 5.3.4" in reported.detail("own_server.size_enforced")  # message_size_limit
    for kind in ("senders", "recipients"):
        taken = reported.found[f"own_server.malformed_{kind}_accepted"]
        assert isinstance(taken, set)
        # strict_rfc821_envelopes = yes: the path stands in brackets and holds nothing else
        assert not taken & {"no-brackets", "unopened-bracket", "unclosed-bracket", "comment", "display-name"}
        assert not taken & {"bare-cr", "bare-lf", "nul", "unknown-parameter"}
        assert "space-after-colon" in taken  # which it does not count among that


def test_postfix_before_it_knew_of_smuggling(postfixes: dict[str, Service], examine: Examine) -> None:
    reported = examine(at(postfixes["legacy"]), POSTFIX, f"tester@{DOMAIN}")
    reported.check(
        {
            **KEPT,
            "own_server.vrfy": "discloses",  # disable_vrfy_command = no: 252 for a mailbox, 550 for none
            # smtpd_forbid_bare_newline = no; carriage returns before a line end are stripped, however many
            "own_server.smuggling_accepted": LINE_FEEDS | {"<CR><CRLF>.<CR><CRLF>"},
            "own_server.error_limit": 10,
        }
    )
    taken = reported.found["own_server.malformed_senders_accepted"]
    assert isinstance(taken, set)
    assert taken > {"no-brackets", "comment", "double-dot", "utf8-unannounced"}  # strict_rfc821_envelopes = no


def test_an_open_relay(postfixes: dict[str, Service], examine: Examine) -> None:
    reported = examine(at(postfixes["relay"]), POSTFIX, f"tester@{DOMAIN}")
    reported.check(
        {
            "own_server.open_relay": True,  # permit_mynetworks, and we are in it
            "own_server.size_enforced": Cause.NOT_APPLICABLE,  # smtpd_discard_ehlo_keywords
            "own_server.pipelining_honest": Cause.NOT_APPLICABLE,
            "own_server.eight_bit_accepted": Cause.NOT_APPLICABLE,
            "own_server.smtputf8_accepted": Cause.NOT_APPLICABLE,
        }
    )
    assert "plain from <>" in reported.detail("own_server.open_relay")
    texts = [step["text"] for step in reported.document["transcript"] if step["direction"] == "out"]
    behind = [texts[number + 1] for number, text in enumerate(texts) if "example.org" in text and "RCPT" in text]
    assert behind
    assert "DATA" not in behind  # a stranger is given up before any text


def test_a_server_that_refuses_us(postfixes: dict[str, Service], examine: Examine) -> None:
    """smtpd_delay_reject: it lets everybody come as far as RCPT, and then refuses us whatever we ask."""
    reported = examine(at(postfixes["refusing"]), POSTFIX, f"tester@{DOMAIN}")
    reported.check(
        {
            "own_server.open_relay": Cause.NOT_PERMITTED,  # may be one for others: we are refused as a client
            "own_server.smuggling_accepted": Cause.NOT_PERMITTED,
            "own_server.malformed_recipients_accepted": Cause.NOT_PERMITTED,
            "own_server.size_enforced": True,
            "own_server.pipelining_honest": True,
        }
    )


def test_one_key_is_not_enough(postfixes: dict[str, Service], probe: Probe, tmp_path: Path) -> None:
    service = postfixes["modern"]
    (tmp_path / "mailrubric.yaml").write_text(f"own_servers: [{service.host}]\n")
    reported = probe(at(service), "--workspace", str(tmp_path), only="own_server smtp")
    assert set(reported.of("own_server").values()) == {Cause.NOT_PERMITTED}
    said = [step["text"] for step in reported.document["transcript"] if step["direction"] == "out"]
    assert not [text for text in said if re.match("VRFY|EXPN|RCPT|DATA", text)]


# --- Exim -------------------------------------------------------------------------------------------------------------

# The rules that Debian ships check local parts and relaying at RCPT.
RULES = r"""rcpt:
  deny
    local_parts = ^[.] : ^.*[@%!/|]
    message = restricted characters in address
  accept
    domains = +local_domains
    verify = recipient
  deny
    message = relay not permitted
"""
ROUTES = """begin routers
known:
  driver = accept
  domains = +local_domains
  local_parts = tester : postmaster
  transport = nowhere
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
  user = nobody
"""


def test_exim(authority: Authority, examine: Examine) -> None:
    settings = {
        "tls_advertise_hosts": "",  # Exim 4.96 ends TLS before its last words: over TLS they are lost
        "domainlist local_domains": EXIM,
        "acl_smtp_rcpt": "rcpt",
        "message_size_limit": "3M",
        "smtp_max_unknown_commands": "5",
        "smtp_max_synprot_errors": "9",
    }
    with exim(authority.issue(EXIM), settings, rules=RULES, more=ROUTES) as services:
        reported = examine(at(services["submission"]), EXIM, f"tester@{EXIM}")
    reported.check(
        {
            **KEPT,
            "own_server.vrfy": "noncommittal",  # no acl_smtp_vrfy: 252 for whatever is asked
            "own_server.expn": "refused",  # no acl_smtp_expn: 550
            "own_server.smuggling_accepted": set(),  # Debian's 4.96 has the remedy of CVE-2023-51766
            "own_server.error_limit": 6,  # smtp_max_unknown_commands = 5: the sixth is the last
            "own_server.wellformed_senders_refused": {"ipv4-literal", "ipv6-literal"},  # allow_domain_literals = no
            "own_server.wellformed_recipients_refused": set(),
        }
    )
    assert f"SIZE={3 * 1024 * 1024 + 1}: 552" in reported.detail("own_server.size_enforced")


# --- chasquid, Haraka -------------------------------------------------------------------------------------------------


def test_chasquid(authority: Authority, examine: Examine) -> None:
    aliases = "tester: | true\npostmaster: | true\n"
    with chasquid(authority.issue(CHASQUID), size_megabytes=7, aliases=aliases) as services:
        address = ADDRESSES[CHASQUID]
        reported = examine(f"mx://{address}:{services['mx'].port}", address, f"tester@{CHASQUID}")
    reported.check(
        {
            **KEPT,
            "own_server.size_enforced": False,  # chasquid takes no notice of the parameter, only of the data
            "own_server.vrfy": "refused",
            "own_server.expn": "refused",
            "own_server.smuggling_accepted": LINE_FEEDS,  # 1.11, before CVE-2023-52354 was mended in 1.13
            "own_server.error_limit": 2,  # the third error is the last, and is answered with 421
            "own_server.malformed_recipients_accepted": {"no-brackets", "space-after-colon", "unknown-parameter"},
            # Go's net/mail parses addresses, and knows neither literals nor routes.
            "own_server.wellformed_senders_refused": {
                "ipv4-literal",
                "ipv6-literal",
                "quoted-space",
                "source-route",
            },
        }
    )


def test_haraka(authority: Authority, examine: Examine) -> None:
    with haraka(authority.issue(HARAKA, rsa=True), size=7654321, local=HARAKA) as services:
        reported = examine(at(services["submission"]), HARAKA, f"tester@{HARAKA}")
    reported.check(
        {
            **KEPT,
            "own_server.vrfy": "noncommittal",
            "own_server.expn": "refused",
            "own_server.smuggling_accepted": set(),  # it refuses bare line feeds and hangs up
            "own_server.error_limit": Cause.NOT_APPLICABLE,  # it has none by itself
            "own_server.wellformed_senders_refused": set(),
            "own_server.wellformed_recipients_refused": {"postmaster"},
        }
    )
    assert "SIZE=7654322" in reported.detail("own_server.size_enforced")  # connection.ini, max.bytes
    detail = reported.detail("own_server.smuggling_accepted")
    assert "<LF>.<LF>: 451 Bare line-feed" in detail
    bare = [ending for ending in smuggling.ENDINGS if b"\n" in ending.data.replace(b"\r\n", b"")]
    assert detail.count("and hung up") == len(bare)


def test_names_of_forms_are_those_of_the_page() -> None:
    """docs/own-server.md lists the catalogue."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "own-server.md").read_text(encoding="utf-8")
    forms = (*envelope.MALFORMED, *envelope.WELL_FORMED_SENDERS, *envelope.WELL_FORMED_RECIPIENTS)
    assert [form.name for form in forms if f"`{form.name}`" not in page] == []
    assert [ending.name for ending in smuggling.ENDINGS if f"`{ending.name}`" not in page] == []


def test_the_run_says_what_it_is_about_to_do(postfixes: dict[str, Service], tmp_path: Path, resolver: str) -> None:
    import subprocess
    import sys

    service = postfixes["modern"]
    command = [sys.executable, "-m", "mailrubric", "probe", "--target", at(service), "--allow-private"]
    command += ["--probe", "own_server", "--resolver", resolver, "--workspace", str(tmp_path), "--own-server"]
    for settings, words in (
        ("{}", "mailrubric.yaml names no own_servers"),
        (f"own_servers: [other.{DOMAIN}]", f"no SMTP endpoint of this run is among the own_servers .*other.{DOMAIN}"),
    ):
        (tmp_path / "mailrubric.yaml").write_text(settings)
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert re.search(words, done.stderr), done.stderr
    (tmp_path / "mailrubric.yaml").write_text(f"own_servers: [{service.host}]")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert f"submission {service.host}:{service.port}" in done.stderr
    assert "no test messages" in done.stderr
