"""Real messages: signed by OpenDKIM on the way out of one Postfix, checked by another OpenDKIM on the way into a second
one, filed into a Maildir, shown by Dovecot over IMAP. What they show is predicted from the configurations, and what
OpenDKIM says of each signature has to be what we say."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import json
import smtplib
import ssl
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailrubric.cli import main
from tests import needs
from tests.mailrubric.mail import test_arc
from tests.real.servers import (
    DOMAIN,
    Authority,
    Listener,
    Service,
    Zone,
    dovecot,
    give,
    nsd,
    postfix,
    running,
    scratch,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SENDING, RECEIVING, DOVECOT = f"postfix.{DOMAIN}", f"mx1.{DOMAIN}", f"dovecot.{DOMAIN}"
PASSWORD = "worth-nothing"
SEALERS = (f"list.{DOMAIN}", f"forwarder.{DOMAIN}")
SIGNED = (
    "From,Subject,Date,To,Message-ID,MIME-Version,Content-Type,Content-Transfer-Encoding,"
    "List-Unsubscribe,List-Unsubscribe-Post"
)


def _records(key: rsa.RSAPrivateKey) -> dict[str, str]:
    """What DNS has of the domains that OpenDKIM signs for: a good key, a revoked one, one that has been replaced; and
    the keys of those that seal."""
    other = rsa.generate_private_key(65537, 2048)
    return {
        f"s1._domainkey.{DOMAIN}": _record(key),
        f"s1._domainkey.revoked.{DOMAIN}": "v=DKIM1; k=rsa; p=",
        f"s1._domainkey.replaced.{DOMAIN}": _record(other),
        **{test_arc.name(sealer): test_arc.key()[1] for sealer in SEALERS},
    }


def _record(key: rsa.RSAPrivateKey) -> str:
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


@contextlib.contextmanager
def opendkim(folder: Path, name: str, lines: list[str]) -> Iterator[Service]:
    """OpenDKIM as a mail filter, with these lines of configuration."""
    program = needs.require("opendkim", "opendkim")
    service = Service.on(SENDING)
    config = folder / f"{name}.conf"
    config.write_text(
        "\n".join(
            [
                f"Socket inet:{service.port}@{service.address}",
                "Background no",
                "Syslog no",
                "RequireSafeKeys no",
                "UserID nobody",
                *lines,
                "",
            ]
        ),
        encoding="utf-8",
    )
    command = [program, "-f", "-x", config]
    with running(name, command, [(service.address, service.port)], folder):
        yield service


class House(NamedTuple):
    """``inbox``: the Maildir; ``imaps``: how it is shown; ``way_in``: where to hand in mail; ``resolver``: DNS."""

    inbox: Path
    imaps: Service
    way_in: Service
    resolver: str


@pytest.fixture(scope="module")
def house(authority: Authority) -> Iterator[House]:
    key = rsa.generate_private_key(65537, 2048)
    records = _records(key)
    texts = [
        f"{name.removesuffix('.' + DOMAIN)} IN TXT "
        + " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
        for name, text in records.items()
    ]
    zone = Zone(DOMAIN, [*texts, '_dmarc IN TXT "v=DMARC1; p=reject"'])
    with contextlib.ExitStack() as stack:
        address, port = stack.enter_context(nsd([Zone("test"), zone]))
        folder = stack.enter_context(scratch("opendkim"))
        key_file = folder / "key.pem"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        key_file.chmod(0o644)
        names = (DOMAIN, f"revoked.{DOMAIN}", f"replaced.{DOMAIN}", f"gone.{DOMAIN}")
        (folder / "keys").write_text("".join(f"{name} {name}:s1:{key_file}\n" for name in names))
        (folder / "signing").write_text("".join(f"{name} {name}\n" for name in names))
        (folder / "dns").write_text("".join(f"{name} {text}\n" for name, text in records.items()))
        signing = [
            "Mode s",
            f"KeyTable file:{folder}/keys",
            f"SigningTable file:{folder}/signing",
            "InternalHosts 0.0.0.0/0",
            "Canonicalization relaxed/relaxed",
            f"SignHeaders {SIGNED}",
        ]
        # OpenDKIM asks name servers on port 53 only, and ours cannot have that: it gets the same records as a file.
        checking = [
            "Mode v",
            f"AuthservID {RECEIVING}",
            "AlwaysAddARHeader yes",
            "InternalHosts 192.0.2.0/24",  # nobody: mail of one's own hosts would not be checked
            "RemoveOldSignatures no",
            f"TestDNSData file:{folder}/dns",
        ]
        signer = stack.enter_context(opendkim(folder, "signer", signing))
        checker = stack.enter_context(opendkim(folder, "checker", checking))
        services, socket = stack.enter_context(dovecot(authority.issue(DOVECOT), {"auth_failure_delay": "0"}))
        mail = give(socket.parent / "mail", "nobody")
        certificate = authority.issue(RECEIVING)
        way_in, mx = Service.on(SENDING), Service.on(RECEIVING)
        receiving = {
            "myhostname": RECEIVING,
            "smtpd_tls_chain_files": f"{certificate.key}, {certificate.chain}",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_received_header": "yes",
            "smtpd_relay_restrictions": "permit_auth_destination, reject",
            "virtual_mailbox_domains": f"box.{DOMAIN}",
            "virtual_mailbox_base": str(mail.parent),
            "virtual_mailbox_maps": "static:mail/",
            "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            "virtual_minimum_uid": "1",
            "smtpd_milters": f"inet:{checker.address}:{checker.port}",
        }
        sending = {
            "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "relayhost": f"[{mx.address}]:{mx.port}",
            "smtp_tls_security_level": "encrypt",
            "smtp_tls_protocols": ">=TLSv1.3",
            "smtpd_milters": f"inet:{signer.address}:{signer.port}",
        }
        queue = (
            "qmgr unix n - n 300 1 qmgr",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            *(f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")),
            "smtp unix - - n - - smtp",
            "virtual unix - n n - - virtual",
        )
        stack.enter_context(postfix([Listener(mx, {})], receiving, more=queue))
        stack.enter_context(postfix([Listener(way_in, {})], sending, more=queue))
        yield House(mail, services["imaps"], way_in, f"{address}:{port}")


def letter(sender: str, *, bulk: bool = False) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"News <news@{sender}>"
    message["To"] = f"reader@box.{DOMAIN}"
    message["Subject"] = "Von uns für Sie"
    message["Date"] = "Mon, 23 Nov 2026 05:00:00 +0530"
    message["Message-ID"] = f"<{time.time_ns()}@{sender}>"
    message.set_content("Guten Tag,\nFrom here on: a line that an mbox has to quote.\nEnde  \n")
    if bulk:
        message["List-Unsubscribe"] = f"<https://{sender}/u/1>, <mailto:leave@{sender}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.add_alternative('<p>Guten Tag, <a href="https://example.test/">hier</a></p>', subtype="html")
    return message


SEALED = "sealed.test"
SENDERS = (DOMAIN, f"gone.{DOMAIN}", f"revoked.{DOMAIN}", f"replaced.{DOMAIN}", "unsigned.test", SEALED)


@pytest.fixture(scope="module")
def delivered(house: House) -> House:
    """One letter from each of ``SENDERS`` is in the Maildir; the one from ``DOMAIN`` is bulk mail, the one from
    ``SEALED`` has a chain of ARC sets."""
    with smtplib.SMTP(house.way_in.address, house.way_in.port, timeout=30) as client:
        for sender in SENDERS:
            written = letter(sender, bulk=sender == DOMAIN)
            raw = written.as_bytes(policy=written.policy.clone(linesep="\r\n"))
            for _ in SEALERS if sender == SEALED else ():
                raw = test_arc.seal(raw, sealers=SEALERS)
            client.sendmail(f"news@{sender}", [f"reader@box.{DOMAIN}"], raw)
    until = time.monotonic() + 60
    while len(list(house.inbox.glob("new/*"))) < len(SENDERS):
        assert time.monotonic() < until, "the letters did not arrive"
        time.sleep(0.1)
    return house


@pytest.fixture
def analyse(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(source: str, house: House, *options: str, code: int = 0) -> dict[str, Any]:
        words = ["--resolver", house.resolver, "--allow-private", "--ca", str(authority.file), "--each", "--json"]
        workspace = ["--workspace", str(tmp_path), "--processes", "1"]
        assert main(["mail", "analyse", source, *words, *workspace, *options]) == code
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return run


def by_sender(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["from_domain"]: each for each in document["messages"]}


def causes(message: dict[str, Any]) -> dict[str, str]:
    return {each["field"]: each["cause"] for each in message["causes"]}


def test_what_openDKIM_signed_and_checked(delivered: House, analyse: Any) -> None:
    document = analyse(str(delivered.inbox), delivered)
    assert document["skipped"] == []
    found = by_sender(document)
    assert set(found) == set(SENDERS)

    good = found[DOMAIN]
    assert (good["dkim"], good["dkim_aligned"], good["dmarc_aligned"]) == ("pass", True, True)
    (signature,) = good["signatures"]
    assert (signature["selector"], signature["algorithm"], signature["bits"]) == ("s1", "rsa-sha256", 2048)
    assert signature["strict"] is True
    assert {"from", "list-unsubscribe", "list-unsubscribe-post"} <= set(signature["covers"])  # SignHeaders
    assert (good["bulk"], good["one_click"], good["one_click_signed"]) == (True, True, True)
    assert (good["plain_text"], good["html"], good["links"], good["https_links"]) == (True, True, 1, 1)
    assert (good["sent"], good["date_offset"]) == ("2026-11-22T23:30:00Z", 330)
    assert good["seen"] is False  # it lies in "new"

    gone = found[f"gone.{DOMAIN}"]
    assert (gone["dkim"], causes(gone)["dkim"]) == (None, "key_missing")
    assert gone["dkim_aligned"] is None
    revoked = found[f"revoked.{DOMAIN}"]
    assert (revoked["dkim"], causes(revoked)["dkim"]) == (None, "key_revoked")
    assert (found[f"replaced.{DOMAIN}"]["dkim"], found[f"replaced.{DOMAIN}"]["dkim_aligned"]) == ("fail", False)
    assert (found["unsigned.test"]["dkim"], found["unsigned.test"]["dkim_aligned"]) == ("none", False)

    # The second OpenDKIM has looked at the same signatures, with the same keys. A revoked key is a failure to it; where
    # it finds none, it says nothing at all.
    for sender, theirs in ((DOMAIN, "pass"), (f"replaced.{DOMAIN}", "fail"), ("unsigned.test", "none")):
        assert found[sender]["authserv_id"] == RECEIVING
        assert found[sender]["dkim_stated"] == theirs == found[sender]["dkim"]
    assert revoked["dkim_stated"] == "fail"
    assert gone["dkim_stated"] is None
    assert causes(gone)["dkim_stated"] == "no_trusted_results"


def test_a_chain_of_seals_that_came_through_them(delivered: House, analyse: Any, tmp_path: Path) -> None:
    found = by_sender(analyse(str(delivered.inbox), delivered))
    assert {sender: each["arc"] for sender, each in found.items()} == {
        sender: "pass" if sender == SEALED else "none" for sender in SENDERS
    }
    assert found[SEALED]["arc_sealers"] == list(SEALERS)
    original = next(path for path in delivered.inbox.glob("*/*") if b"ARC-Seal: i=2" in path.read_bytes())
    copy = tmp_path / "altered.eml"
    copy.write_bytes(original.read_bytes().replace(b"cv=none", b"cv=none;t=1"))
    (altered,) = analyse(str(copy), delivered)["messages"]
    assert (altered["arc"], altered["arc_detail"]) == ("fail", "the seal of set 2 does not fit, or is of another key")


def test_hops_and_their_encryption(delivered: House, analyse: Any) -> None:
    for message in analyse(str(delivered.inbox), delivered)["messages"]:
        first, second = message["hops"]
        assert (first["by"], first["protocol"], first["tls"]) == (SENDING, "ESMTP", False)
        assert (second["by"], second["helo"], second["tls"]) == (RECEIVING, SENDING, True)
        assert (second["protocol"], second["tls_version"]) == ("ESMTPS", "TLSv1.3")  # smtp_tls_protocols
        assert second["cipher"].startswith("TLS_")
        assert first["internal"] is True  # all of this happens on one machine
        assert second["internal"] is True


def test_an_altered_copy_fails(delivered: House, analyse: Any, tmp_path: Path) -> None:
    original = next(path for path in delivered.inbox.glob("*/*") if f"news@{DOMAIN}>".encode() in path.read_bytes())
    copy = tmp_path / "altered.eml"
    copy.write_bytes(original.read_bytes().replace(b"Guten Tag", b"Guten Abend"))
    (altered,) = analyse(str(copy), delivered)["messages"]
    assert (altered["dkim"], altered["dkim_aligned"], altered["one_click_signed"]) == ("fail", False, False)
    assert "body" in altered["signatures"][0]["detail"]
    copy.write_bytes(original.read_bytes().replace(b"Von uns", b"Von mir").replace(b"Von_uns", b"Von_mir"))
    (altered,) = analyse(str(copy), delivered)["messages"]
    assert altered["dkim"] == "fail"
    assert "header" in altered["signatures"][0]["detail"]
    copy.write_bytes(original.read_bytes())
    (untouched,) = analyse(str(copy), delivered)["messages"]
    assert (untouched["dkim"], untouched["seen"]) == ("pass", None)


def test_the_same_letters_over_imap(
    delivered: House, analyse: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.check_hostname = False
    with imaplib.IMAP4_SSL(delivered.imaps.address, delivered.imaps.port, ssl_context=context, timeout=30) as client:
        client.login("reader", PASSWORD)
        client.select("INBOX")
        _, found = client.search(None, "FROM", f"news@{DOMAIN}")
        client.store(found[0].split()[0].decode(), "+FLAGS", "\\Seen")
    monkeypatch.setenv("MAILRUBRIC_IMAP_PASSWORD", PASSWORD)
    url = f"imaps://reader@{delivered.imaps.host}:{delivered.imaps.port}/INBOX"
    over_imap = by_sender(analyse(url, delivered))
    in_files = by_sender(analyse(str(delivered.inbox), delivered))
    assert set(over_imap) == set(SENDERS)
    for sender, message in over_imap.items():
        assert message["seen"] is (sender == DOMAIN)
        # The Maildir says the same by its flags, now that Dovecot has moved the files.
        same = in_files[sender]
        for field in ("dkim", "dkim_aligned", "one_click_signed", "seen", "hops", "signatures", "causes", "message_id"):
            assert message[field] == same[field], field
    # Reading has left everything as it was.
    with imaplib.IMAP4_SSL(delivered.imaps.address, delivered.imaps.port, ssl_context=context, timeout=30) as client:
        client.login("reader", PASSWORD)
        client.select("INBOX", readonly=True)
        assert len(client.search(None, "UNSEEN")[1][0].split()) == len(SENDERS) - 1


def test_a_wrong_password_and_a_missing_folder_are_causes(
    delivered: House, authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"imaps://reader@{delivered.imaps.host}:{delivered.imaps.port}"
    options = ["--resolver", delivered.resolver, "--allow-private", "--ca", str(authority.file)]
    monkeypatch.setenv("MAILRUBRIC_IMAP_PASSWORD", "certainly-wrong")
    assert main(["mail", "analyse", f"{url}/INBOX", *options]) == 3
    said = capsys.readouterr().err
    assert "not permitted" in said
    assert "certainly-wrong" not in said
    monkeypatch.setenv("MAILRUBRIC_IMAP_PASSWORD", PASSWORD)
    assert main(["mail", "analyse", f"{url}/Nowhere", *options]) == 3
    assert "EXAMINE" in capsys.readouterr().err
