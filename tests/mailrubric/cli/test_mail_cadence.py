"""``mailrubric mail cadence`` over mailboxes written here, from the files to the score."""

from __future__ import annotations

import datetime
import mailbox
import re
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from mailrubric.mail import folder
from tests.hostile.server import authority_file
from tests.mailrubric.cli.conftest import Call, Result
from tests.mailrubric.mail.test_folder import Server, served
from tests.probes.misbehaving import PASSWORD, USER

ZONES = {"ann": "Europe/Berlin", "bob": "America/New_York", "cy": "Asia/Tokyo"}
START = datetime.datetime(2026, 3, 2)


def write(path: Path, **options: Any) -> Path:
    """Twenty-six weeks of a newsletter to three readers, on Mondays and Thursdays.

    ``local``: at ten by each reader's own clock, else for all at ten in Berlin. ``one_click``: as RFC 8058 asks.
    Ann reads, Bob reads every second one, Cy none. The sender stands in summer time of its own, whoever reads.
    """
    box = mailbox.mbox(path)
    for number in range(52):
        day = START + datetime.timedelta(weeks=number // 2, days=3 * (number % 2), hours=10)
        for name, place in ZONES.items():
            when = day.replace(tzinfo=ZoneInfo(place if options.get("local") else "Europe/Berlin"))
            arrived = when.astimezone(datetime.UTC) + datetime.timedelta(seconds=20)
            letter = mailbox.mboxMessage()
            letter.set_from("bounce@shop.example", arrived.timetuple())
            letter["Received"] = f"from out.shop.example by mx.example with ESMTPS; {format_datetime(arrived)}"
            letter["Delivered-To"] = f"{name}@reader.example"
            letter["From"] = f"Shop <news@{options.get('domain', 'shop.example')}>"
            letter["To"] = f"{name}@reader.example"
            letter["Subject"] = f"{name.title()}, our letter of the week no. {number}"
            letter["Date"] = format_datetime(when.astimezone(ZoneInfo("Asia/Kolkata")))
            letter["List-Unsubscribe"] = "<https://shop.example/leave>"
            if options.get("one_click"):
                letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            read = {"ann": True, "bob": number % 2 == 0, "cy": False}[name]
            letter["Status"] = "RO" if read else "O"
            letter.set_payload("Hello.")
            box.add(letter)
    box.flush()
    return path


@pytest.fixture
def zones(tmp_path: Path) -> Path:
    path = tmp_path / "recipients.csv"
    lines = [f"{name}@reader.example,{place}" for name, place in ZONES.items()]
    path.write_text("address,zone\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def figures(result: Result) -> dict[str, dict[str, Any]]:
    assert result.code == 0, result.err
    return {each["metric"].removeprefix("trial."): each for each in result.json["figures"]}


def test_the_same_local_hour_everywhere(call: Call, tmp_path: Path, zones: Path) -> None:
    found = figures(call("mail", "cadence", write(tmp_path / "a.mbox", local=True), "--zones", zones, "--json"))
    assert found["messages_per_week"]["value"] == 2
    assert (found["waking_hours_share"]["value"], found["waking_hours_share"]["n"]) == (100, 156)
    assert found["working_hours_share"]["value"] == 100
    assert (found["zone_following_share"]["value"], found["zone_following_share"]["n"]) == (100, 52)
    assert found["local_time_sending"]["value"] is True
    assert found["overfed_weeks_share"]["value"] == 0
    assert found["sunset_ratio"]["value"] == pytest.approx(1, abs=0.05)


def test_one_moment_for_all(call: Call, tmp_path: Path, zones: Path) -> None:
    result = call("mail", "cadence", write(tmp_path / "a.mbox"), "--zones", zones, "--json")
    found = figures(result)
    # Ten in Berlin is four in New York and five or six in Tokyo's afternoon: two of three are awake.
    assert found["waking_hours_share"]["value"] == pytest.approx(100 * 2 / 3)
    assert found["zone_following_share"]["value"] == 0
    assert (found["local_time_sending"]["value"], found["local_time_sending"]["cause"]) == (None, "not_tried")
    assert any(each.startswith("Send by the recipient's time zone") for each in result.json["recommendations"])
    hours = {hour for row in result.json["heat"] for hour, count in enumerate(row) if count}
    # Summer time begins three weeks earlier in New York than in Berlin, and never in Tokyo.
    assert hours == {4, 5, 10, 17, 18}


def test_without_zones_hours_are_unknown(call: Call, tmp_path: Path) -> None:
    result = call("mail", "cadence", write(tmp_path / "a.mbox"), "--json")
    found = figures(result)
    assert {found[name]["cause"] for name in ("waking_hours_share", "working_hours_share", "zone_following_share")} == {
        "zone_unknown"
    }
    assert result.json["heat"] is None
    assert found["messages_per_week"]["value"] == 2


def test_for_people(call: Call, tmp_path: Path, zones: Path) -> None:
    result = call("mail", "cadence", write(tmp_path / "a.mbox"), "--zones", zones, "--sender", "shop.example")
    assert result.code == 0
    assert result.out.startswith("156 messages from shop.example to 3 recipients, 2026-03-02 to 2026-08-27\n")
    assert "66.7%" in result.out
    assert re.search(r"Messages a week +2 messages/week +2 messages/week +3 recipients", result.out)
    assert "trial." not in result.out
    assert (
        "- Send by the recipient's time zone: of campaigns to several zones only 0 % (95 % interval 0 to 7 %"
        in result.out
    )
    assert "not told: It takes something that only people know, and nobody said it." in result.out


def test_unsubscribing_and_signing_up(call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mbox")
    words = ("--signed-up", "2026-03-02T08:30:00Z", "--unsubscribed", "2026-06-01")
    found = figures(call("mail", "cadence", path, *words, "--json"))
    assert found["first_mail_minutes"]["value"] == pytest.approx(30.33, abs=0.01)
    assert found["unsubscribe_obeyed"]["value"] is False
    assert found["mail_after_unsubscribing"]["value"] > 60
    gone = figures(call("mail", "cadence", path, "--unsubscribed", "2026-08-30", "--until", "2026-10-30", "--json"))
    assert gone["unsubscribe_obeyed"]["value"] is True


@pytest.mark.slow
def test_what_was_tried_and_did_not_show_contradicts_the_claim(call: Call, tmp_path: Path, zones: Path) -> None:
    """From a mailbox to the evidence, to the score, to the contradiction."""
    here = tmp_path / "here"
    (here / "vendors").mkdir()
    stated = "{value: %s, source: 'https://acme.example/features', as_of: 2026-08-13}"
    (here / "vendors" / "acme.yaml").write_text(
        "id: acme\nname: Acme\ncategory: marketing\nfacts:\n"
        f"  local_time_sending: {stated % 'true'}\n  one_click_unsubscribe: {stated % 'automatic'}\n",
        encoding="utf-8",
    )
    path = write(tmp_path / "a.mbox")
    words = ("--zones", zones, "--vendor", "acme", "--json")
    assert call("mail", "cadence", path, "--tried", "local-time", *words).json["stored"] > 5
    assert call("mail", "analyse", path, "--offline", "--bulk", "--vendor", "acme", "--json").code == 0
    explained = call("explain", "acme")
    assert "tested no, n = 52" in explained.out
    assert "tested 0% (95 % interval 0% to " in explained.out
    cells = {each["id"]: each for each in call("explain", "acme", "--json").json["vendor"]["criteria"]}
    assert (cells["time-zone-delivery"]["kind"], cells["time-zone-delivery"]["score"]) == ("tested", 0)
    assert (cells["one-click-unsubscribe"]["kind"], cells["one-click-unsubscribe"]["score"]) == ("tested", 0)
    # One customer's habits are not held against the platform.
    assert cells["customers-overfeed"]["score"] is None
    assert cells["customers-overfeed"]["cause"] == "too_few"


@pytest.mark.slow
def test_several_mailboxes_and_a_maildir(call: Call, tmp_path: Path) -> None:
    folder = mailbox.Maildir(tmp_path / "Mail")
    for key, letter in mailbox.mbox(write(tmp_path / "a.mbox")).items():
        kept = mailbox.MaildirMessage(letter)
        kept.set_subdir("cur")
        kept.set_flags("S" if key % 3 == 0 else "")
        folder.add(kept)
    found = figures(call("mail", "cadence", tmp_path / "Mail", "--json"))
    assert found["never_opened_share"]["value"] == pytest.approx(100 * 2 / 3, abs=1)
    other = write(tmp_path / "b.mbox", domain="other.example")
    both = call("mail", "cadence", tmp_path / "a.mbox", other, "--json").json
    assert (both["messages"], both["senders"], both["recipients"]) == (312, 2, 3)
    one = call("mail", "cadence", tmp_path / "a.mbox", other, "--sender", "other.example", "--json").json
    assert (one["messages"], one["senders"]) == (156, 1)
    assert one["left_out"] == [{"reason": "of other senders", "count": 156}]


@pytest.mark.parametrize("breaks", [[], [1] + [0] * 20])
def test_a_folder_over_imap_or_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: list[int]
) -> None:
    """A part of a mailbox would look like a sender who has stopped, so it gives no figures."""
    monkeypatch.setattr(folder, "GROUP", 20)
    monkeypatch.setenv("MAILRUBRIC_IMAP_PASSWORD", PASSWORD)
    letters = mailbox.mbox(write(tmp_path / "a.mbox"))
    mails = {key + 1: letters.get_bytes(key).replace(b"\n", b"\r\n") for key in letters.keys()}  # noqa: SIM118
    with served(Server(mails, breaks=breaks)) as server:
        url = f"imaps://{quote(USER, safe='')}@127.0.0.1:{server.port}/INBOX"
        words = ("--allow-private", "--ca", authority_file(tmp_path), "--json")
        result = call("mail", "cadence", url, *words)
    if breaks:
        assert result.code == 3
        assert "the mailbox was not read to its end" in result.json["error"]["message"]
        return
    found = figures(result)
    assert result.json["messages"] == 156
    assert found["messages_per_week"]["value"] == 2
    assert found["never_opened_share"]["value"] == pytest.approx(50, abs=1)  # odd numbers carry \\Seen


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--recipient-zone", "Berlin"), "--recipient-zone: 'Berlin' is no time zone; write its IANA name"),
        (("--sender", "not a domain"), "--sender: a domain such as example.com"),
        (("--signed-up", "yesterday"), "--signed-up: expected a time such as 2026-11-22T10:00:00Z, got 'yesterday'"),
        (("--unsubscribed", "0001-01-01"), "--unsubscribed: expected a time of this age"),
        (("--waking", "22-8"), "waking hours must be two hours of one day, such as 8-22"),
        (("--waking", "early"), "--waking: expected hours such as 8-22, got early"),
        (("--working-days", "5-1"), "--working-days: no day at all"),
        (("--working-days", "mon"), "--working-days: expected days such as 1-5 or 1,2,7, got mon"),
        (("--tolerance", "0"), "the tolerance must be a number of messages a week above 0"),
        (("--tolerance", "nan"), "the tolerance must be a number of messages a week above 0"),
        (("--tried", "magic"), "--tried: expected one of local-time, sunset, frequency-cap, got magic"),
        (("--tried", "frequency-cap"), "--tried: write local-time, sunset, or frequency-cap=N"),
        (("--tried", "sunset=3"), "--tried: write local-time, sunset, or frequency-cap=N"),
        (("--vendor", "nobody"), "nobody"),
        (("--zones", "missing.csv"), "--zones: missing.csv cannot be read: No such file or directory"),
    ],
)
def test_wrong_words(call: Call, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    result = call("mail", "cadence", write(tmp_path / "a.mbox"), *words)
    assert result.code == 2
    assert said in result.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the file of recipients is empty"),
        (b"name,zone\nx,y\n", "the first line must name the columns"),
        (b"address,zone\nann,Europe/Berlin\n", "line 2: address: expected a mail address, got 'ann'"),
        (b"address,zone\na@b.example,Mars/Olympus\n", "line 2: 'Mars/Olympus' is no time zone"),
        (b"address,zone\na@b.example,UTC\nA@B.example,UTC\n", "line 3: this address stands twice"),
        (b"address,zone\na@b.example,UTC,more\n", "line 2: 3 fields, where the first line has 2"),
        (b"address,tolerance\na@b.example,-1\n", "line 2: expected messages a week above 0, got '-1'"),
        (b"address,tolerance\na@b.example,nan\n", "line 2: expected messages a week above 0, got 'nan'"),
        (b"address,signed_up\na@b.example,soon\n", "line 2: expected a time such as"),
        (b"address,zone\n\xff\xfe,UTC\n", "the file of recipients is not in UTF-8"),
        (b'address,zone\n"a@b.example,UTC\n', "line "),
        (b"address,zone\n" + b"x" * 200_000 + b"@b.example,UTC\n", "line "),
    ],
)
def test_wrong_files_of_recipients(call: Call, tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "zones.csv"
    path.write_bytes(text)
    result = call("mail", "cadence", write(tmp_path / "a.mbox"), "--zones", path)
    assert result.code == 2
    assert said in result.err
    assert len(result.err) < 2000


def test_other_separators_and_a_mark_before_the_text(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "zones.csv"
    path.write_bytes("\ufeffAddress;Zone;Tolerance\r\nann@reader.example;Europe/Berlin;1\r\n\r\n".encode())
    found = figures(call("mail", "cadence", write(tmp_path / "a.mbox"), "--zones", path, "--json"))
    assert found["waking_hours_share"]["n"] == 52
    assert found["overfed_weeks_share"]["value"] == pytest.approx(100 / 3, abs=2)


def test_nothing_to_read(call: Call, tmp_path: Path) -> None:
    assert call("mail", "cadence", tmp_path / "missing").code == 2
    empty = tmp_path / "empty.mbox"
    empty.write_bytes(b"")
    result = call("mail", "cadence", empty)
    assert (result.code, result.out) == (3, "")
    assert "there is no mail to look at" in result.err
    receipt = tmp_path / "receipt.eml"
    receipt.write_text(
        "From: a@b.example\nDate: Mon, 2 Mar 2026 10:00:00 +0100\nIn-Reply-To: <x@y>\n\nThank you.\n", encoding="utf-8"
    )
    result = call("mail", "cadence", receipt, "--json")
    assert result.code == 3
    assert "there is no mail to look at; 1 × not bulk mail" in result.json["error"]["message"]


def test_what_comes_from_outside_is_escaped(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "evil.eml"
    path.write_bytes(
        b"From: <x@\x1b[31mevil.example>\r\nSubject: \x1b]0;owned\x07\r\nPrecedence: bulk\r\n"
        b"Date: Mon, 2 Mar 2026 10:00:00 +0100\r\n\r\nhello\r\n"
    )
    result = call("mail", "cadence", path)
    assert "\x1b" not in result.out + result.err
