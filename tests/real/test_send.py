"""Real messages: Postfix with Dovecot's SASL takes them, Dovecot files them (one rule files into Junk) and shows them
over IMAP; chasquid and Haraka take them too."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import imaplib
import json
import ssl
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mailrubric.cli import main
from probes import seed_mailbox
from tests import needs
from tests.real.servers import (
    ADDRESSES,
    DOMAIN,
    Authority,
    Certificate,
    Listener,
    Service,
    chasquid,
    give,
    haraka,
    postfix,
    running,
    scratch,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

POSTFIX, DOVECOT = f"postfix.{DOMAIN}", f"dovecot.{DOMAIN}"
PASSWORD = 'Tr0ub4dor&3 \\ "quoted" = ,ünï'
"""With everything that a mechanism has to escape, and letters beyond ASCII."""
PLAIN_PASSWORD = "kX9-plain-and-simple"
USERS = {"sender": PASSWORD, "inbox": PLAIN_PASSWORD, "spam": PASSWORD, "rule": PLAIN_PASSWORD, "lost": PLAIN_PASSWORD}
MECHANISMS = "plain login cram-md5 scram-sha-1 scram-sha-256"

SIEVE = """\
require ["fileinto", "mailbox", "envelope"];
if envelope :localpart "to" "spam" { fileinto :create "Junk"; stop; }
if envelope :localpart "to" "rule" { fileinto :create "Newsletters"; stop; }
if envelope :localpart "to" "lost" { discard; stop; }
"""


@contextlib.contextmanager
def mailboxes(certificate: Certificate) -> Iterator[tuple[dict[str, Service], Path, Path]]:
    """A Dovecot with a maildir for each of ``USERS``. Its IMAP services, its SASL socket, and its configuration, with
    which ``dovecot-lda`` delivers."""
    needs.require_root()
    program = needs.require("dovecot", "dovecot-core")
    for package, part in (("dovecot-imapd", "imap-login"), ("dovecot-sieve", "modules/lib90_sieve_plugin.so")):
        if not Path("/usr/lib/dovecot", part).exists():
            needs.lacking(f"Debian package {package} is not installed")
    services = {name: Service.on(certificate.name) for name in ("imap", "imaps")}
    with scratch("mailboxes") as folder:
        give(folder / "mail", "nobody")
        accounts = [f"{user}@{DOMAIN}:{{PLAIN}}{password}::::::\n" for user, password in USERS.items()]
        (folder / "users").write_text("".join(accounts), encoding="utf-8")
        (folder / "users").chmod(0o644)
        (folder / "rules.sieve").write_text(SIEVE, encoding="utf-8")
        subprocess.run([needs.require("sievec", "dovecot-sieve"), folder / "rules.sieve"], check=True, timeout=30)
        config = folder / "dovecot.conf"
        config.write_text(
            textwrap.dedent(f"""\
                base_dir = {folder}/run
                state_dir = {folder}/state
                log_path = {folder}/log
                protocols = imap
                listen = {ADDRESSES[certificate.name]}
                hostname = {certificate.name}
                postmaster_address = postmaster@{DOMAIN}
                ssl = required
                ssl_cert = <{certificate.chain}
                ssl_key = <{certificate.key}
                auth_mechanisms = {MECHANISMS}
                mail_location = maildir:{folder}/mail/%n
                first_valid_uid = 1
                default_vsz_limit = 512M
                passdb {{
                  driver = passwd-file
                  args = {folder}/users
                }}
                userdb {{
                  driver = static
                  args = uid=nobody gid=nogroup home={folder}/mail/%n allow_all_users=yes
                }}
                namespace inbox {{
                  inbox = yes
                  mailbox Junk {{
                    special_use = \\Junk
                    auto = create
                  }}
                  mailbox Sent {{
                    special_use = \\Sent
                    auto = create
                  }}
                }}
                protocol lda {{
                  mail_plugins = sieve
                  log_path = {folder}/mail/lda.log
                }}
                auth_failure_delay = 0
                service anvil {{
                  unix_listener anvil-auth-penalty {{
                    mode = 0
                  }}
                }}
                service stats {{
                  unix_listener stats-writer {{
                    mode = 0666
                  }}
                }}
                plugin {{
                  sieve_before = {folder}/rules.sieve
                }}
                service imap-login {{
                  inet_listener imap {{
                    port = {services["imap"].port}
                  }}
                  inet_listener imaps {{
                    port = {services["imaps"].port}
                    ssl = yes
                  }}
                }}
                service auth {{
                  unix_listener {folder}/auth {{
                    mode = 0666
                  }}
                }}
                """),
            encoding="utf-8",
        )
        listens = [(service.address, service.port) for service in services.values()]
        with running("dovecot", [program, "-F", "-c", config], listens, folder):
            yield services, folder / "auth", config


@contextlib.contextmanager
def submission(certificate: Certificate, sasl: Path, dovecot: Path) -> Iterator[dict[str, Service]]:
    """A Postfix that takes mail for ``DOMAIN`` from those who log in, and gives it to ``dovecot-lda``."""
    settings = {
        "smtpd_tls_chain_files": f"{certificate.key}, {certificate.chain}",
        "smtpd_tls_security_level": "encrypt",
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": str(sasl),
        "smtpd_sasl_security_options": "noanonymous",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
        "smtpd_recipient_restrictions": "reject_unlisted_recipient, permit_sasl_authenticated, reject",
        "virtual_mailbox_domains": DOMAIN,
        "virtual_mailbox_maps": f"inline:{{ {', '.join(f'{{ {user}@{DOMAIN} = x }}' for user in USERS)} }}",
        "virtual_transport": "lda",
        "lda_destination_recipient_limit": "1",
        "message_size_limit": "1000000",
        "smtpd_error_sleep_time": "0",
        "smtpd_hard_error_limit": "12",
    }
    more = (
        "qmgr unix n - n 300 1 qmgr",
        "error unix - - n - - error",
        "retry unix - - n - - error",
        *(f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")),
        "lda unix - n n - - pipe",
        "  flags=DRhu user=nobody:nogroup",
        f"  argv=/usr/lib/dovecot/dovecot-lda -c {dovecot} -f ${{sender}} -d ${{recipient}}",
    )
    places = {name: Service.on(POSTFIX) for name in ("submission", "submissions")}
    listeners = [
        Listener(places["submission"], {}),
        Listener(places["submissions"], {"smtpd_tls_wrappermode": "yes"}),
    ]
    with postfix(listeners, settings, more=more):
        yield places


@pytest.fixture(scope="module")
def post(authority: Authority) -> Iterator[dict[str, Service]]:
    """Postfix's and Dovecot's services."""
    with (
        mailboxes(authority.issue(DOVECOT)) as (boxes, sasl, config),
        submission(authority.issue(POSTFIX), sasl, config) as places,
    ):
        yield boxes | places


class Sent:
    """What one run of the command printed. Nothing of it holds a secret."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        secrets = set(USERS.values()) | {"worth-nothing"}
        for text in secrets | {base64.b64encode(secret.encode()).decode() for secret in secrets}:
            assert text not in out + err
        self.json: dict[str, Any] = json.loads(out) if out.startswith("{") else {}

    def observed(self) -> dict[str, Any]:
        return {each["metric"]: each["value"] for each in self.json["observations"]}

    def causes(self) -> dict[str, str]:
        return {each["metric"]: each["cause"] for each in self.json["observations"] if each["cause"]}


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_mailbox, "SPACING_SECONDS", 0.3)


@pytest.fixture
def send(
    authority: Authority,
    resolver: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Run ``mailrubric send postfix …`` in a workspace with these settings."""

    def run(settings: Mapping[str, Any], *words: str, environment: Mapping[str, str]) -> Sent:
        tmp_path.joinpath("mailrubric.yaml").write_text(json.dumps(settings), encoding="utf-8")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)
        options = (
            "--allow-private",
            "--resolver",
            resolver,
            "--ca",
            str(authority.file),
            "--ehlo",
            "probe.example.test",
        )
        code = main(["send", *words, "--workspace", str(tmp_path), "--own-account", "--json", *options])
        captured = capsys.readouterr()
        return Sent(code, captured.out, captured.err)

    return run


def account(service: Service, scheme: str, mechanism: str = "", sender: str = "sender") -> dict[str, Any]:
    return {
        "server": f"{scheme}://{service.host}:{service.port}",
        "user_variable": "SENDER_USER",
        "password_variable": "SENDER_PASSWORD",
        "from": f"{sender}@{DOMAIN}",
        "mechanism": mechanism,
    }


def seed(post: Mapping[str, Service], name: str, *, implicit: bool, mechanism: str = "") -> dict[str, Any]:
    service = post["imaps" if implicit else "imap"]
    return {
        "server": f"imap{'s' if implicit else ''}://{service.host}:{service.port}",
        "address": f"{name}@{DOMAIN}",
        "password_variable": f"{name.upper()}_PASSWORD",
        "mechanism": mechanism,
    }


ENVIRONMENT = {
    "SENDER_USER": f"sender@{DOMAIN}",
    "SENDER_PASSWORD": PASSWORD,
    **{f"{user.upper()}_PASSWORD": password for user, password in USERS.items() if user != "sender"},
}


def test_messages_are_found_where_they_are_filed(post: dict[str, Service], send: Any, tmp_path: Path) -> None:
    settings = {
        "sending": {
            "accounts": {"postfix": account(post["submission"], "smtp")},
            "seeds": {
                "inbox": seed(post, "inbox", implicit=True),
                "spam": seed(post, "spam", implicit=False, mechanism="SCRAM-SHA-256"),
                "rule": seed(post, "rule", implicit=True, mechanism="CRAM-MD5"),
            },
        }
    }
    words = [word for name in ("inbox", "spam", "rule") for word in ("--seed", name)]
    sent = send(
        settings, "postfix", *words, "--messages", "2", "--wait", "60", "--spacing", "0.1", "--malformed-recipients",
        "--unknown-recipient", environment=ENVIRONMENT,
    )  # fmt: skip
    assert sent.code == 0, sent.err
    messages = sent.json["messages"]
    assert len(messages) == 6
    for message in messages:
        assert message["accepted"] is True
        assert message["mechanism"] == "SCRAM-SHA-256"
        assert message["queue_id"]
        assert message["queue_id"] in message["reply"]
        steps = [each["step"] for each in message["steps"]]
        assert steps == [
            "connect", "greeting", "ehlo", "starttls", "tls", "ehlo", "auth", "mail", "rcpt", "data", "text", "quit",
        ]  # fmt: skip
        arrival = message["arrival"]
        assert 0 <= arrival["seconds_not_before"] <= arrival["seconds"] <= arrival["seconds_seen"] <= 70
        assert any("X-Mailrubric-Test" in line for line in arrival["headers"])
        assert any(line.startswith("Received:") for line in arrival["headers"])
    placed = {message["seed"]: (message["arrival"]["placement"], message["arrival"]["folder"]) for message in messages}
    assert placed == {"inbox": ("inbox", "INBOX"), "spam": ("spam", "Junk"), "rule": ("other", "Newsletters")}
    observed = sent.observed()
    assert observed["trial.inbox_rate"] == observed["trial.spam_rate"] == 33.333
    assert observed["trial.delivered_rate"] == 100
    assert observed["trial.delivery_seconds"] < 70
    assert observed["trial.unknown_recipient_accepted"] is False
    # append_at_myorigin; the others are malformed, or nobody has these names (reject_unlisted_recipient).
    assert observed["trial.malformed_recipients_accepted"] == ["no-domain"]
    assert sent.causes() == {}
    rate = next(each for each in sent.json["observations"] if each["metric"] == "trial.inbox_rate")
    assert (rate["n"], round(rate["low"], 1), round(rate["high"], 1)) == (6, 9.7, 70.0)
    assert {each["mechanism"] for each in sent.json["seeds"]} == {"SCRAM-SHA-256", "CRAM-MD5"}

    # The store has them, and the criteria use them.
    from mailrubric.evidence.store import Store
    from mailrubric.workspace import Workspace

    place = Workspace.open(tmp_path)
    with Store(place.store_url()) as store:
        stored = {each.metric: each for each in store.observations(["postfix"])}
        assert stored["trial.inbox_rate"].n == 6
        assert stored["trial.inbox_rate"].kind == "tested"
        kept = store.report(stored["trial.inbox_rate"].report)
    text = json.dumps(kept)
    assert "EXAMINE" in text
    assert "AUTH SCRAM-SHA-256 [hidden]" in text
    for secret in USERS.values():
        assert secret not in text
    from mailrubric.scoring.evaluate import evaluate

    with Store(place.store_url()) as store:
        scored = evaluate(place.catalogue(), store.observations(), vendors=["postfix"])
    cells = {cell.criterion: cell for cell in scored.vendors[0].cells}
    assert cells["inbox-placement"].value == 33.333
    assert cells["inbox-placement"].kind == "tested"
    assert cells["delivery-time"].value == observed["trial.delivery_seconds"]


def test_the_mailbox_is_as_it_was_and_the_message_whole(
    post: dict[str, Service], send: Any, authority: Authority
) -> None:
    settings = {
        "sending": {
            "accounts": {"postfix": account(post["submission"], "smtp")},
            "seeds": {"inbox": seed(post, "inbox", implicit=True)},
        }
    }
    sent = send(settings, "postfix", "--seed", "inbox", "--wait", "60", environment=ENVIRONMENT)
    assert sent.code == 0, sent.err
    service = post["imaps"]
    context = ssl.create_default_context(cafile=str(authority.file))
    context.check_hostname = False  # imaplib knows no name beside the address that it dials
    with imaplib.IMAP4_SSL(service.address, service.port, ssl_context=context, timeout=30) as client:
        client.login(f"inbox@{DOMAIN}", PLAIN_PASSWORD)
        client.select("INBOX", readonly=True)
        _, found = client.search(None, "SUBJECT", sent.json["run"])
        (number,) = found[0].split()
        _, answer = client.fetch(number.decode(), "(FLAGS BODY.PEEK[])")
        flags, text = next(part for part in answer if isinstance(part, tuple))
    assert b"\\Seen" not in flags + answer[-1]
    message = email.message_from_bytes(text, policy=email.policy.default)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Mailrubric-Test"] == f"{sent.json['run']}.01"
    assert message["List-Unsubscribe"] is None
    assert message.get_content_type() == "multipart/alternative"
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "This message is a delivery test." in plain.get_content()
    assert f"sender@{DOMAIN}" in html.get_content()
    assert message.defects == plain.defects == html.defects == []


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
@pytest.mark.parametrize(("name", "scheme"), [("submission", "smtp"), ("submissions", "smtps")])
def test_every_mechanism(post: dict[str, Service], send: Any, mechanism: str, name: str, scheme: str) -> None:
    settings = {"sending": {"accounts": {"postfix": account(post[name], scheme, mechanism)}}}
    sent = send(settings, "postfix", "--to", f"inbox@{DOMAIN}", environment=ENVIRONMENT)
    assert sent.code == 0, sent.err
    assert [message["mechanism"] for message in sent.json["messages"]] == [mechanism]
    assert sent.observed()["trial.send_login_mechanism"] == mechanism


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_a_wrong_password_is_a_cause(post: dict[str, Service], send: Any, mechanism: str) -> None:
    settings = {"sending": {"accounts": {"postfix": account(post["submission"], "smtp", mechanism)}}}
    environment = {**ENVIRONMENT, "SENDER_PASSWORD": "wrong-but-still-secret"}
    sent = send(settings, "postfix", "--to", f"inbox@{DOMAIN}", environment=environment)
    assert sent.code == 3
    (message,) = sent.json["messages"]
    assert message["accepted"] is None
    assert (message["failed_at"], message["cause"]) == ("auth", "not_permitted")
    assert "535" in message["detail"]
    assert "credentials are not valid" in message["detail"]
    assert "wrong-but-still-secret" not in sent.out + sent.err
    assert base64.b64encode(b"wrong-but-still-secret").decode() not in sent.out
    assert sent.observed()["trial.send_accepted_ms"] is None
    assert sent.observed()["trial.send_connect_ms"] > 0  # what was seen before stays


def test_a_refused_recipient_and_a_mailbox_that_cannot_be_read(post: dict[str, Service], send: Any) -> None:
    settings = {
        "sending": {
            "accounts": {"postfix": account(post["submission"], "smtp")},
            "seeds": {"inbox": seed(post, "inbox", implicit=True)},
        }
    }
    environment = {**ENVIRONMENT, "INBOX_PASSWORD": "not-the-one"}
    sent = send(
        settings, "postfix", "--seed", "inbox", "--to", f"stranger@{DOMAIN}", "--wait", "5", "--spacing", "0",
        environment=environment,
    )  # fmt: skip
    assert sent.code == 3
    stranger, unread = sent.json["messages"]
    assert (stranger["failed_at"], stranger["cause"]) == ("rcpt", "not_permitted")
    assert "550" in stranger["detail"]
    assert unread["steps"] == []
    assert unread["cause"] == "not_permitted"
    assert "not sent" in unread["detail"]
    assert "AUTHENTICATIONFAILED" in unread["detail"]
    assert sent.causes()["trial.inbox_rate"] == "not_permitted"


def test_what_is_lost_is_unknown_after_a_short_wait(post: dict[str, Service], send: Any) -> None:
    settings = {
        "sending": {
            "accounts": {"postfix": account(post["submissions"], "smtps", "PLAIN")},
            "seeds": {name: seed(post, name, implicit=True, mechanism="PLAIN") for name in ("lost", "inbox")},
        }
    }
    words = ("--seed", "lost", "--seed", "inbox", "--wait", "8", "--spacing", "0")
    sent = send(settings, "postfix", *words, environment=ENVIRONMENT)
    assert sent.code == 0
    lost, found = sent.json["messages"]
    assert lost["accepted"] is True
    assert lost["arrival"] is None
    assert lost["arrival_cause"] == "deadline_exceeded"
    assert "in none of 3 folders" in lost["arrival_detail"] or "in none of 2 folders" in lost["arrival_detail"]
    assert found["arrival"]["placement"] == "inbox"
    assert sent.causes() == dict.fromkeys(
        ("trial.inbox_rate", "trial.spam_rate", "trial.delivered_rate", "trial.delivery_seconds"), "deadline_exceeded"
    )


def test_an_untrusted_certificate_stops_us_before_the_password(
    post: dict[str, Service], send: Any, authority: Authority
) -> None:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch("other-authority"))
        other = Authority(folder)
        authority_file = authority.file.read_bytes()
        try:
            authority.file.write_bytes(other.file.read_bytes())
            settings = {"sending": {"accounts": {"postfix": account(post["submission"], "smtp")}}}
            sent = send(settings, "postfix", "--to", f"inbox@{DOMAIN}", environment=ENVIRONMENT)
        finally:
            authority.file.write_bytes(authority_file)
    assert sent.code == 3
    (message,) = sent.json["messages"]
    assert (message["failed_at"], message["cause"]) == ("tls", "tls_handshake_error")
    assert "not trusted" in message["detail"]
    assert not any("AUTH" in step["text"] for step in sent.json["transcript"] if step["direction"] == "out")


def test_chasquid(authority: Authority, send: Any) -> None:
    host = f"chasquid.{DOMAIN}"
    users = {"me": PLAIN_PASSWORD, "tester": PLAIN_PASSWORD}
    with chasquid(authority.issue(host), size_megabytes=7, users=users) as services:
        for name, scheme in (("submission", "smtp"), ("submissions", "smtps")):
            entry = account(services[name], scheme) | {"from": f"me@{host}"}
            environment = {"SENDER_USER": f"me@{host}", "SENDER_PASSWORD": PLAIN_PASSWORD}
            settings = {"sending": {"accounts": {"chasquid": entry}}}
            sent = send(settings, "chasquid", "--to", f"tester@{host}", environment=environment)
            assert sent.code == 0, sent.err
            (message,) = sent.json["messages"]
            assert message["mechanism"] == "PLAIN"
            assert message["accepted"] is True


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_haraka(authority: Authority, send: Any, mechanism: str) -> None:
    host = f"haraka.{DOMAIN}"
    with haraka(authority.issue(host, rsa=True), size=7654321, local="local.test") as services:
        entry = account(services["submission"], "smtp", mechanism)
        environment = {"SENDER_USER": "somebody", "SENDER_PASSWORD": "worth-nothing"}
        sent = send({"sending": {"accounts": {"haraka": entry}}}, "haraka", "--to", "tester@local.test",
                    environment=environment)  # fmt: skip
    assert sent.code == 0, sent.err
    (message,) = sent.json["messages"]
    assert message["mechanism"] == mechanism
    assert message["accepted"] is True
    assert message["queue_id"]
