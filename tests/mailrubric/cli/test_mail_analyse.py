"""``mailrubric mail analyse`` over mailboxes written here, from the files to the store."""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailrubric.mail.folder import limits_for_folder, parse_url, quoted_folder, ranges
from mailrubric.mail.metrics import METRICS
from mailrubric.mail.reading import Place
from probes.model import Cause, Unmeasured
from probes.network import Limits
from tests.mailrubric.cli.conftest import Call

LETTER = b"""\
Return-Path: <bounce@mail.shop.example>
Delivered-To: ann@reader.example
Received: from out.mail.shop.example (out.mail.shop.example [192.0.2.25])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
\tby mx.reader.example (Postfix) with ESMTPS id 4F2A for <ann@reader.example>;
\tMon, 02 Mar 2026 08:00:04 +0000
Authentication-Results: mx.reader.example; dkim=pass header.d=shop.example header.s=s1;
\tspf=pass smtp.mailfrom=bounce@mail.shop.example; dmarc=pass (p=reject) header.from=shop.example
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=s1;
\th=from:to:subject:date:list-unsubscribe:list-unsubscribe-post; bh=AAAA; b=AAAA
From: Shop <news@shop.example>
To: ann@reader.example
Subject: Our letter of the week
Date: Mon, 02 Mar 2026 09:00:00 +0100
Message-ID: <1@shop.example>
List-Unsubscribe: <https://shop.example/leave/1>, <mailto:leave@shop.example>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
List-Id: <news.shop.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_1"

--=_1
Content-Type: text/plain; charset=utf-8

Twenty lamps at half the price: https://shop.example/lamps
--=_1
Content-Type: text/html; charset=utf-8

<p>Twenty lamps at half the price: <a href="https://click.shop.example/ls/click?u=1">see them</a></p>
<img src="https://click.shop.example/o/1" width="1" height="1">
--=_1--
"""


def write(path: Path) -> Path:
    """The letter in a file of its own."""
    path.write_bytes(LETTER)
    return path


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Six letters of the shop, and one of somebody else that can't be read."""
    found = mailbox.Maildir(tmp_path / "box")
    for number in range(6):
        found.add(LETTER.replace(b"/leave/1", b"/leave/%d" % number))
    (tmp_path / "box" / "new" / "broken").write_bytes(b"\x00nothing")
    return tmp_path / "box"


def test_one_letter_in_full(call: Call, tmp_path: Path) -> None:
    result = call("mail", "analyse", write(tmp_path / "1.eml"), "--offline")
    assert result.code == 0
    for words in (
        "from shop.example",
        "unknown (offline: DNS was not asked)",
        "pass for mail.shop.example",
        "one-click unsubscription",
        "TLSv1.3 TLS_AES_256_GCM_SHA384",
        "1 hidden picture, 1 redirecting link\n",
        "192.0.2.25",
    ):
        assert words in result.out, words


def test_a_mailbox_summed_up(call: Call, box: Path) -> None:
    result = call("mail", "analyse", box, "--offline", "--each")
    assert result.code == 0
    assert "6 messages, 2026-03-02 to 2026-03-02" in result.out
    assert result.out.count("one-click\n") == 6
    assert "192.0.2.25 (1 domain)" in result.out
    assert re.search(r"Bulk: one-click unsubscribe +100\.0% +61\.0 to 100\.0% +6\n", result.out)
    assert "trial." not in result.out
    assert "skipped: 1 × no header field in it (new/broken)" in result.err
    document = call("mail", "analyse", box, "--offline", "--json", "--each").json
    assert len(document["messages"]) == document["summary"]["messages"] == 6
    figures = {each["metric"]: each for each in document["summary"]["figures"]}
    assert list(figures) == [metric.key for metric in METRICS]
    assert figures["trial.one_click_share"]["value"] == 100
    assert figures["trial.one_click_share"]["low"] == pytest.approx(60.97, abs=0.01)  # Wilson, 6 of 6
    assert (figures["trial.dkim_pass_share"]["value"], figures["trial.dkim_pass_share"]["cause"]) == (None, "offline")
    assert document["skipped"] == [{"reason": "no header field in it", "count": 1, "places": ["new/broken"]}]


def test_the_header_that_is_measured_does_not_choose_the_messages(call: Call, tmp_path: Path) -> None:
    """Of 50 newsletters 5 have List-Unsubscribe: not 100 % of 5, but unknown until somebody says what they are."""
    found = mailbox.Maildir(tmp_path / "box")
    rest = LETTER.replace(b"List-Id: <news.shop.example>\n", b"")
    bare = b"".join(line for line in rest.splitlines(keepends=True) if not line.startswith(b"List-Unsubscribe"))
    for number in range(50):
        found.add(rest if number < 5 else bare)
    path = tmp_path / "box"
    keys = ["trial.list_unsubscribe_share", "trial.one_click_share", "trial.list_id_share", "trial.feedback_id_share"]

    def shares(*words: str) -> dict[str, dict[str, object]]:
        summary = call("mail", "analyse", path, "--offline", "--json", *words).json["summary"]
        assert summary["all_bulk"] is bool(words)
        return {each["metric"]: each for each in summary["figures"]}

    unsaid = shares()
    for key in keys:
        assert (unsaid[key]["value"], unsaid[key]["cause"]) == (None, "kind_unknown"), key
    assert unsaid[keys[0]]["unknown"] == 50
    assert unsaid[keys[2]]["unknown"] == 45
    said = shares("--bulk")
    assert [(said[key]["value"], said[key]["n"], said[key]["unknown"]) for key in keys] == [
        (10, 50, 0),
        (10, 50, 0),
        (0, 50, 0),
        (0, 50, 0),
    ]
    assert said[keys[0]]["low"] == pytest.approx(4.35, abs=0.01)  # Wilson, 5 of 50
    assert said["trial.bulk_share"] == unsaid["trial.bulk_share"]
    assert "If all of them are bulk mail, say so (--bulk" in call("mail", "analyse", path, "--offline").out
    shown = call("mail", "analyse", path, "--offline", "--bulk").out
    assert re.search(r"Bulk: one-click unsubscribe +10\.0% +4\.3 to 21\.4% +50 ", shown)


def test_what_was_found_is_stored_for_a_vendor(call: Call, box: Path) -> None:
    result = call("mail", "analyse", box, "--offline", "--vendor", "postmark", "--json")
    assert result.code == 0, result.err
    assert result.json["stored"] == len(METRICS)
    from mailrubric.evidence.store import Store

    with Store("sqlite:///mailrubric.sqlite") as store:
        found = {each.metric: each for each in store.observations(["postmark"])}
    one_click = found["trial.one_click_share"]
    assert (one_click.value, one_click.n, one_click.kind, one_click.unit) == (100.0, 6, "tested", "%")
    assert one_click.observed == "2026-03-02T08:00:04Z"
    assert found["trial.dkim_pass_share"].cause == "offline"


def test_only_one_sender(call: Call, box: Path) -> None:
    assert call("mail", "analyse", box, "--offline", "--sender", "SHOP.example", "--json").json["of_other_senders"] == 0
    other = call("mail", "analyse", box, "--offline", "--sender", "elsewhere.example", "--json")
    assert (other.code, other.json["of_other_senders"]) == (3, 6)


def test_whose_results_are_trusted(call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "1.eml")
    (message,) = call("mail", "analyse", path, "--offline", "--authserv-id", "other.example", "--json").json["messages"]
    assert message["dmarc"] is None
    (message,) = call("mail", "analyse", path, "--offline", "--authserv-id", "MX.reader.example", "--json").json[
        "messages"
    ]
    assert message["dmarc"] == "pass"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing.mbox"], 2, "there is no file or folder nothing.mbox"),
        (["empty.mbox"], 3, "there is no message"),
        (["loop.mbox"], 3, "loop.mbox cannot be read: "),
        (["empty.mbox", "--sender", "not a domain"], 2, "--sender"),
        (["empty.mbox", "--vendor", "no-such-vendor"], 2, "no-such-vendor"),
        (["pop3://a@b.example/"], 2, "imaps://"),
        (["imaps://b.example/INBOX"], 2, "names no user"),
        (["imaps://a:hunter2secret@b.example/INBOX"], 2, "environment"),
        (["imaps://a@b.example/INBOX"], 2, "MAILRUBRIC_IMAP_PASSWORD is not set"),
        (["imaps://a@b.example/INBOX", "--token-variable", "NO_SUCH"], 2, "NO_SUCH is not set"),
    ],
)
def test_wrong_usage(call: Call, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, said: str) -> None:
    monkeypatch.delenv("MAILRUBRIC_IMAP_PASSWORD", raising=False)
    Path("empty.mbox").write_bytes(b"")
    Path("loop.mbox").symlink_to("loop.mbox")
    result = call("mail", "analyse", "--offline", *words)
    assert result.code == code
    assert said in result.err
    assert "hunter2secret" not in result.err


def test_a_server_that_is_not_there(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILRUBRIC_IMAP_PASSWORD", "worth-nothing")
    result = call("mail", "analyse", "imaps://a@127.0.0.1:1/INBOX", "--allow-private", "--offline")
    assert result.code == 3
    assert "connection refused" in result.err
    guarded = call("mail", "analyse", "imaps://a@127.0.0.1:1/INBOX", "--offline")
    assert guarded.code == 3
    assert "blocked address" in guarded.err


def test_a_mailbox_that_breaks_off_gives_what_came_before(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off(*_: object) -> Iterator[Place]:
        yield from (Place(f"INBOX {number}", "memory", data=LETTER) for number in range(100))
        raise Unmeasured(Cause.CONNECTION_RESET, "gone")

    monkeypatch.setattr("mailrubric.mail.folder.messages", breaks_off)
    monkeypatch.setenv("MAILRUBRIC_IMAP_PASSWORD", "worth-nothing")
    result = call("mail", "analyse", "imaps://a@b.example/INBOX", "--offline", "--json")
    assert result.code == 3
    assert (result.json["cause"], result.json["detail"]) == ("connection_reset", "gone")
    assert result.json["summary"]["messages"] == 100
    assert "not read to its end: connection reset: gone" in result.err


def test_addresses_of_folders() -> None:
    found = parse_url("imaps://ann%40reader.example@imap.example:9930/Lists/Caf%C3%A9")
    assert (found.user, found.name) == ("ann@reader.example", "Lists/Café")
    assert (found.endpoint.host, found.endpoint.port, found.endpoint.tls) == ("imap.example", 9930, "implicit")
    plain = parse_url("imap://ann@imap.example")
    assert (plain.name, plain.endpoint.port, plain.endpoint.tls) == ("INBOX", 143, "starttls")


def test_words_of_imap() -> None:
    assert ranges([1, 2, 3, 7, 9, 10]) == "1:3,7,9:10"
    assert ranges([]) == ""
    assert quoted_folder('Caf\u00e9 & "co"') == '"Caf&AOk- &- \\"co\\""'  # RFC 3501 §5.1.3
    assert quoted_folder("台北") == '"&U,BTFw-"'
    assert limits_for_folder(Limits(), 5).deadline == 5
