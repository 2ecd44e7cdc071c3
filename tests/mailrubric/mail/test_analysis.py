"""Whole messages and mailboxes: what is known, what is not and why, in one process and in several."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.mailboxes import Mail, write_maildir, write_mbox
from mailrubric.causes import EXPLANATIONS
from mailrubric.intervals import wilson
from mailrubric.mail import reading
from mailrubric.mail.aggregate import Aggregate, Figure, aggregate, bounds, house
from mailrubric.mail.analysis import Analysis, Settings, Wanted, align, analyse_message, undecided
from mailrubric.mail.cadence_metrics import METRICS as CADENCE_METRICS
from mailrubric.mail.cadence_metrics import TITLES as CADENCE_TITLES
from mailrubric.mail.message import AnalysedMessage, Hop, Missing
from mailrubric.mail.metrics import METRICS, TITLES
from mailrubric.mail.names import Names, Text
from mailrubric.mail.reading import Place, Raw
from mailrubric.mail.words import figure_words, interval_words
from probes.network import Options


@pytest.fixture(scope="module")
def mail() -> Mail:
    return Mail(40, seed=7)


def one(raw: bytes, keys: dict[str, Text] | None = None, **settings: str) -> AnalysedMessage:
    found = analyse_message(Place("test", "file"), Raw(raw, len(raw)), keys or {}, Settings(**settings))
    assert isinstance(found, AnalysedMessage), found
    for missing in found.causes:
        assert missing.cause in EXPLANATIONS
        assert getattr(found, missing.field) in (None, "")
    return found


def cause(message: AnalysedMessage, field: str) -> str:
    missing = message.cause(field)
    return missing.cause if missing else ""


def test_a_message_without_anything() -> None:
    found = one(b"Subject: hello\n\nworld\n")
    for field in ("sent", "arrived", "seen", "bulk", "spf", "dmarc", "dmarc_aligned", "one_click_signed"):
        assert getattr(found, field) is None
        assert cause(found, field)
    assert found.from_domain == ""
    assert cause(found, "from_domain") == "field_missing"
    assert found.dkim == "none"  # that there is no signature is known


def test_realistic_messages(mail: Mail) -> None:
    keys = {name: Text((text,)) for name, text in mail.keys.items()}
    for raw in mail.copies(40):
        found = one(raw, keys)
        assert found.dkim in ("pass", "none")
        assert found.dkim_aligned is (found.dkim == "pass")
        assert found.tls_hops == 1
        assert found.dmarc == "pass"
        assert found.arrived is not None
        assert found.sent is not None
        assert 0 < (found.arrived - found.sent).total_seconds() < 90
        assert found.date_offset == 120
        if found.one_click:
            assert found.bulk is True
            assert found.one_click_signed is True


def test_keys_are_asked_for_and_offline_is_a_cause(mail: Mail) -> None:
    raw = next(each for each in mail.copies(40) if b"DKIM-Signature" in each)
    wanted = analyse_message(Place("test", "file"), Raw(raw, len(raw)), {})
    assert isinstance(wanted, Wanted)
    assert all("._domainkey." in name for name in wanted.names)
    found = one(raw, {name: Text(cause="offline") for name in wanted.names})
    assert found.dkim is None
    assert cause(found, "dkim") == cause(found, "dkim_aligned") == cause(found, "dmarc_aligned") == "offline"


def test_more_than_one_author_is_nobody() -> None:
    two = one(b"From: a@one.example\nFrom: b@two.example\n\nx")
    assert (two.from_domain, two.dkim_aligned) == ("", None)
    assert cause(two, "dmarc_aligned") == "not_applicable"
    assert one(b"From: a@one.example, b@two.example\n\nx").from_domain == ""
    assert one(b"From: a@one.example, b@one.example\n\nx").from_domain == "one.example"


AUTHENTICATED = (
    b"Authentication-Results: mx.example; spf=pass smtp.mailfrom=b@bounce.shop.example; dmarc=pass\n"
    b"From: News <a@news.shop.example>\n\nx"
)


def test_alignment_where_dns_has_to_be_asked() -> None:
    offline = one(AUTHENTICATED)
    assert undecided(offline)
    assert offline.spf_aligned is None
    assert cause(offline, "spf_aligned") == "offline"
    related = align(offline, lambda one, other: True, offline=False)
    assert (related.spf_aligned, related.dmarc_aligned) == (True, True)
    assert related.cause("spf_aligned") is None
    apart = align(offline, lambda one, other: False, offline=False)
    assert (apart.spf_aligned, apart.dmarc_aligned) == (False, False)
    silent = align(offline, lambda one, other: None, offline=False)
    assert cause(silent, "dmarc_aligned") == "dns_servfail"


def test_alignment_that_needs_no_dns() -> None:
    strict = one(AUTHENTICATED.replace(b"bounce.shop", b"news.shop"))
    assert (strict.spf_aligned, strict.dmarc_aligned) == (True, True)
    other = one(AUTHENTICATED.replace(b"bounce.shop.example", b"esp.test"))
    assert other.spf_aligned is False
    failed = one(AUTHENTICATED.replace(b"spf=pass", b"spf=softfail"))
    assert (failed.spf, failed.spf_aligned) == ("softfail", False)


def test_a_good_signature_of_another_leaves_an_unchecked_one_open(mail: Mail) -> None:
    raw = next(each for each in mail.copies(40) if each.count(b"DKIM-Signature") == 2)
    keys = {
        name: Text((text,)) if "platform" in name else Text(cause="dns_timeout", detail="silence")
        for name, text in mail.keys.items()
    }
    found = one(raw, keys)
    assert (found.dkim, found.dkim_aligned) == ("pass", None)
    assert cause(found, "dkim_aligned") == "dns_timeout"


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b"Status: RO", True),
        (b"Status: O", False),
        (b"X-Mozilla-Status: 0001", True),
        (b"X-Mozilla-Status: 0000", False),
        (b"X-Gmail-Labels: Inbox,Unread", False),
        (b"X-Gmail-Labels: Inbox,Opened", True),
        (b"X-Gmail-Labels: Posteingang,Ungelesen", None),
        (b"X: y", None),
    ],
)
def test_what_an_mbox_says_of_being_opened(line: bytes, seen: bool | None) -> None:
    raw = line + b"\nFrom: a@b.example\n\nx"
    found = analyse_message(Place("m 1", "mbox"), Raw(raw, len(raw), mbox=True), {})
    assert isinstance(found, AnalysedMessage)
    assert found.seen is seen
    # In a file of its own, the sender might have written it.
    assert one(raw).seen is None


def test_a_quoted_line_does_not_break_the_signature(mail: Mail, tmp_path: Path) -> None:
    from tests.mailrubric.mail.test_dkim_signatures import NAME, key_pair, signed

    keys = {NAME: Text((key_pair()[1],))}
    for body, quoted in (
        (b"From here\n>From there\n", b">From here\n>>From there\n"),  # mboxrd
        (b"From here\n>>From there\n", b">From here\n>>From there\n"),  # mboxo
        (b">From here\n", b">From here\n"),  # as it stands, in an mbox that quotes by lengths
    ):
        message = signed(b"From: a@example.com\r\n\r\n" + body.replace(b"\n", b"\r\n")).replace(b"\r\n", b"\n")
        assert message.endswith(b"\n\n" + body)
        box = tmp_path / "a.mbox"
        box.write_bytes(b"From x Mon Nov 23 05:00:00 2026\n" + message.removesuffix(body) + quoted)
        ((place, raw),) = reading.load([each for each in reading.places(box) if isinstance(each, Place)])
        assert isinstance(raw, Raw)
        found = analyse_message(place, raw, keys)
        assert isinstance(found, AnalysedMessage)
        assert found.dkim == "pass"


def test_a_message_that_was_cut_says_so(tmp_path: Path) -> None:
    path = tmp_path / "1.eml"
    with path.open("wb") as file:
        file.write(b"From: a@b.example\nList-Id: <x.y>\n\nHello")
        file.truncate(reading.MESSAGE_BYTES + 1)
    (found,) = Analysis(path)
    assert (found.cut, found.bulk, found.size) == (True, True, reading.MESSAGE_BYTES + 1)
    assert found.plain_text is None
    assert cause(found, "plain_text") == "message_cut"


# --- mailboxes --------------------------------------------------------------------------------------------------------


def test_only_one_sender(mail: Mail, tmp_path: Path) -> None:
    write_maildir(tmp_path / "m", mail.copies(40))
    every = list(Analysis(tmp_path / "m"))
    domain = every[0].from_domain
    chosen = Analysis(tmp_path / "m", settings=Settings(sender=domain))
    found = list(chosen)
    assert {each.from_domain for each in found} == {domain}
    assert chosen.others == 40 - len(found) > 0
    signers = Analysis(tmp_path / "m", settings=Settings(sender="platform.test"))
    assert len(list(signers)) == sum(bool(each.signatures) for each in every)


def test_what_was_left_out_is_counted(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(b"From: a@b.example\n\nx")
    (tmp_path / "2.eml").write_bytes(b"")
    (tmp_path / "3.eml").write_bytes(b"\x00\x01garbage")
    (tmp_path / "4.eml").write_bytes(b"X: 1\n" * 3000 + b"\nx")
    (tmp_path / "5.eml").write_bytes(b"X: " + b"y" * 1_000_000 + b"\n\nx")
    analysis = Analysis(tmp_path)
    assert len(list(analysis)) == analysis.read == 1
    assert dict(analysis.skipped) == {
        "an empty file or message": 1,
        "no header field in it": 1,
        "more than 2,000 header fields": 1,
        "the header section is longer than 256 KiB": 1,
    }
    assert analysis.examples["an empty file or message"] == ["2.eml"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_several_processes_give_the_same_as_one(mail: Mail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailrubric.mail.analysis.FEW", 50)
    write_mbox(tmp_path / "a.mbox", mail.copies(400))
    alone = Analysis(tmp_path / "a.mbox", processes=1)
    together = Analysis(tmp_path / "a.mbox", processes=2)
    assert list(alone) == list(together)
    assert alone.read == together.read == 400
    first = iter(Analysis(tmp_path / "a.mbox", processes=2))
    assert next(first).place == "a.mbox 1"
    first.close()  # type: ignore[attr-defined]  # a reader that goes away leaves no process behind


def test_dns_is_asked_once_for_each_key(mail: Mail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mbox(tmp_path / "a.mbox", mail.copies(120))
    asked: list[str] = []

    async def answer(name: str, network: object) -> Text:
        asked.append(name)
        return Text((mail.keys[name],)) if name in mail.keys else Text()

    monkeypatch.setattr("mailrubric.mail.names._text", answer)
    found = list(Analysis(tmp_path / "a.mbox", options=Options()))
    assert {each.dkim for each in found} == {"pass", "none"}
    assert len(asked) == len(set(asked))
    assert [each.place for each in found] == [f"a.mbox {number}" for number in range(1, 121)]


def test_organisations_by_a_tree_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    records = {"_dmarc.shop.example": "v=DMARC1; p=none", "_dmarc.co.test": "v=DMARC1; p=none; psd=y"}

    async def answer(name: str, network: object) -> Text:
        if name.endswith("broken.test"):
            return Text(cause="dns_servfail")
        return Text((records[name],)) if name in records else Text()

    monkeypatch.setattr("mailrubric.mail.names._text", answer)
    with Names(Options()) as names:
        assert names.aligned("a.shop.example", "b.c.shop.example") is True
        assert names.aligned("one.co.test", "two.co.test") is False  # co.test is a public suffix
        assert names.aligned("x.one.co.test", "one.co.test") is True
        assert names.aligned("a.broken.test", "b.broken.test") is None
        assert names.aligned("", "a.example") is False
    with Names(None) as offline:
        assert offline.aligned("a.shop.example", "b.shop.example") is None


def test_the_number_of_questions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(name: str, network: object) -> Text:
        return Text()

    monkeypatch.setattr("mailrubric.mail.names._text", answer)
    monkeypatch.setattr("mailrubric.mail.names.QUESTIONS", 64)
    with Names(Options()) as names:
        found = names.texts(f"n{number}.example" for number in range(200))
    assert sum(not text.cause for text in found.values()) == 64
    assert {text.cause for text in found.values()} == {"", "not_permitted"}


# --- the sum ----------------------------------------------------------------------------------------------------------


def test_what_is_unknown_widens_the_interval_to_both_sides() -> None:
    low, high = bounds(50, 100, 10)
    assert low == wilson(50, 110)[0] < wilson(50, 100)[0]
    assert high == wilson(60, 110)[1] > wilson(50, 100)[1]
    assert bounds(3, 7, 0) == wilson(3, 7)


def plain(**values: object) -> AnalysedMessage:
    whole = AnalysedMessage(from_domain="a.example", dkim="none", dkim_aligned=False, html=False, links=0)
    return dataclasses.replace(whole, **values)  # type: ignore[arg-type]


def figures(messages: Iterator[AnalysedMessage] | list[AnalysedMessage]) -> dict[str, tuple[float | None, str]]:
    return {each.metric: (each.value, each.cause) for each in aggregate(messages).figures()}


def test_a_signature_that_was_not_checked_is_not_its_absence() -> None:
    unchecked = plain(
        dkim=None,
        dkim_aligned=None,
        causes=(Missing("dkim", "offline"), Missing("dkim_aligned", "offline")),
    )
    found = figures([plain()] * 3 + [unchecked] * 7)
    assert found["trial.dkim_pass_share"] == (None, "offline")
    assert found["trial.dkim_aligned_share"] == (None, "offline")
    assert found["trial.dkim_key_bits"] == (None, "offline")
    few = figures([plain()] * 95 + [unchecked] * 5)
    assert few["trial.dkim_pass_share"] == (0.0, "")


def test_a_message_that_was_not_read_whole_may_hold_anything() -> None:
    why = tuple(Missing(field, "message_cut") for field in ("plain_text", "html", "links"))
    cut = plain(cut=True, html=None, plain_text=None, links=None, causes=why)
    rich = plain(html=True, plain_text=True, links=3, https_links=3)
    found = figures([rich] * 3 + [cut])
    for metric in ("plain_text_share", "picture_only_share", "https_links_share", "tracking_pixel_share"):
        assert found[f"trial.{metric}"] == (None, "message_cut"), metric
    seldom = {each.metric: each for each in aggregate([rich] * 19 + [cut]).figures()}
    assert (seldom["trial.plain_text_share"].value, seldom["trial.plain_text_share"].unknown) == (100.0, 1)
    assert seldom["trial.plain_text_share"].low == 100 * wilson(19, 20)[0]


def test_shares_are_of_what_they_are_about() -> None:
    listed = {"bulk": True, "bulk_reasons": ("List-Unsubscribe", "Precedence: bulk")}
    bulk = plain(**listed, list_unsubscribe=True, one_click=True, one_click_signed=True, html=True, plain_text=True)
    bulk = dataclasses.replace(bulk, text_alike=0.5, words=300, images=2)
    worse = plain(**listed, list_unsubscribe=True, html=True, plain_text=False, links=2, https_links=1)
    worse = dataclasses.replace(worse, words=3, images=1)
    person = plain(bulk=False, personal_signs=("In-Reply-To",), html=False, plain_text=True, links=1, https_links=1)
    found = figures([bulk, bulk, bulk, worse, person])
    assert found["trial.one_click_share"] == (75.0, "")
    assert found["trial.one_click_signed_share"] == (100.0, "")
    assert found["trial.bulk_share"] == (80.0, "")
    assert found["trial.plain_text_share"] == (75.0, "")
    assert found["trial.https_links_share"] == (50.0, "")
    assert found["trial.picture_only_share"] == (25.0, "")
    assert found["trial.plain_text_likeness"] == (50.0, "")
    assert found["trial.messages_analysed"] == (5, "")


def test_a_field_does_not_choose_the_messages_that_it_is_counted_among() -> None:
    def share(metric: str, messages: list[AnalysedMessage], *, all_bulk: bool = False) -> Figure:
        total = aggregate(messages)
        total = total.taken_for_bulk() if all_bulk else total
        return next(each for each in total.figures() if each.metric == f"trial.{metric}")

    by_header = plain(bulk=True, bulk_reasons=("List-Unsubscribe",), list_unsubscribe=True, one_click=True)
    by_both = dataclasses.replace(by_header, bulk_reasons=("List-Unsubscribe", "List-Id"), list_id="a.example")
    by_id = plain(bulk=True, bulk_reasons=("List-Id",), list_id="a.example")
    bare = plain()
    reply = plain(bulk=True, bulk_reasons=("List-Unsubscribe",), personal_signs=("In-Reply-To",), list_unsubscribe=True)

    # Nobody knows what the 45 are, nor what the five are but for the header itself.
    for metric in ("list_unsubscribe_share", "one_click_share"):
        found = share(metric, [by_header] * 5 + [bare] * 45)
        assert (found.value, found.cause, found.unknown) == (None, "kind_unknown", 50)
        found = share(metric, [by_header] * 5 + [bare] * 45, all_bulk=True)
        assert (found.value, found.n, found.unknown) == (10, 50, 0)
        # Another sign settles it; up to one in ten unknown widen the interval on both sides.
        found = share(metric, [by_both] * 20 + [by_id] * 70 + [bare] * 5 + [by_header] * 5)
        assert found.value == pytest.approx(100 * 20 / 90)
        assert (found.n, found.unknown) == (90, 10)
        assert (found.low, found.high) == tuple(100 * bound for bound in bounds(20, 90, 10))
    # The other way round: what List-Id is counted among is known by List-Unsubscribe.
    found = share("list_id_share", [by_both] * 20 + [by_header] * 60)
    assert (found.value, found.n, found.unknown) == (25, 80, 0)
    assert share("list_id_share", [by_id] * 5).cause == "kind_unknown"
    assert share("feedback_id_share", [by_id] * 5 + [bare] * 45).cause == "kind_unknown"
    # Without the header it is a reply, made for one person: of no bulk mail.
    assert share("list_unsubscribe_share", [reply] * 5).cause == "not_applicable"
    assert share("list_id_share", [reply] * 5).n == 5


def test_one_precision_and_one_unit_in_an_interval() -> None:
    assert interval_words(6.0, 6.0, "messages/week") == "6 messages/week"
    assert interval_words(1.0, 1.0, "messages/week") == "1 message/week"
    assert interval_words(5.0, 6.25, "messages/week") == "5.0 to 6.3 messages/week"
    assert interval_words(0.0, 7.1347, "%") == "0.0 to 7.1%"
    assert interval_words(-0.812, 0.4, "") == "-0.81 to 0.40"
    assert interval_words(990.5, 12345.6, "min") == "991 to 12,346 min"
    assert interval_words(None, None, "%") == ""
    assert figure_words(6, unit="messages/week") == "6 messages/week"
    assert figure_words(1.0, 0.5, 3.25, "messages/week") == "1.0 messages/week"
    assert figure_words(12345, unit="B") == "12,345 B"
    assert figure_words(True) == "yes"
    assert figure_words(None) == "unknown"


def test_every_metric_has_a_title() -> None:
    assert list(TITLES) == [metric.key for metric in METRICS]
    assert list(CADENCE_TITLES) == [metric.key for metric in CADENCE_METRICS]


def test_without_messages_every_figure_has_a_cause() -> None:
    found = figures([])
    assert found.pop("trial.messages_analysed") == (0, "")
    assert set(found.values()) == {(None, "not_applicable")}
    assert {*found, "trial.messages_analysed"} == {metric.key for metric in METRICS}


def test_hops_and_addresses() -> None:
    outside = Hop(by="mx", helo="out", address="192.0.2.1", protocol="ESMTPS", tls=True, tls_version="TLSv1.3")
    encrypted = plain(hops=(outside,), tls_hops=1, sending_address="192.0.2.1")
    other = plain(hops=(outside,), tls_hops=1, plain_hops=1, sending_address="192.0.2.1", from_domain="b.example")
    total = aggregate([encrypted, encrypted, other])
    found = {each.metric: each.value for each in total.figures()}
    assert (found["trial.tls_hop_share"], found["trial.tls_last_hop_share"]) == (75.0, 100.0)
    assert (found["trial.sending_addresses"], found["trial.sending_networks"]) == (1, 1)
    assert total.sharing()[0] == "shared"
    assert aggregate([encrypted]).sharing()[0] == "unknown"
    # A second domain of the same owner, and a message that names none, are nobody else.
    own = dataclasses.replace(encrypted, from_domain=f"news.{encrypted.from_domain}")
    nobody = dataclasses.replace(encrypted, from_domain="")
    assert aggregate([encrypted, own, nobody]).sharing()[0] == "unknown"
    elsewhere = dataclasses.replace(other, sending_address="192.0.2.2")
    assert aggregate([encrypted, own, elsewhere]).sharing()[0] == "one sender"


def test_which_domains_have_one_owner_by_their_names() -> None:
    for domain, owner in (
        ("news.shop.example", "shop.example"), ("shop.example", "shop.example"), ("a.b.shop.co.uk", "shop.co.uk"),
        ("co.uk", "co.uk"), ("mail.shop.de", "shop.de"), ("shop.com", "shop.com"), ("localhost", "localhost"),
    ):  # fmt: skip
        assert house(domain) == owner


def test_observations_are_dated_by_the_mail() -> None:
    now = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
    old = now - datetime.timedelta(days=400)
    total = aggregate([plain(arrived=old), plain(arrived=old - datetime.timedelta(days=3))])
    found = total.observations("postmark", now)
    assert {each.observed for each in found} == {"2025-10-19T00:00:00Z"}
    assert {each.kind for each in found} == {"tested"}
    assert [each.metric for each in found] == [metric.key for metric in METRICS]
    future = aggregate([plain(arrived=now + datetime.timedelta(days=9))]).observations("postmark", now)
    assert {each.observed for each in future} == {"2026-11-23T00:00:00Z"}
    for each in found:
        assert (each.value is None) == (each.cause is not None)


def test_the_sum_is_json(mail: Mail, tmp_path: Path) -> None:
    write_mbox(tmp_path / "a.mbox", mail.copies(40))
    total = Aggregate()
    for message in Analysis(tmp_path / "a.mbox"):
        total.add(message)
    document = json.loads(json.dumps(total.as_json(), allow_nan=False))
    assert document["messages"] == 40
    assert len(document["addresses"]) <= 20


ENDLESS = """
import itertools, multiprocessing, signal, threading, time
from mailrubric.mail.analysis import Analysis
from mailrubric.mail.reading import Place

def tell():
    while len(multiprocessing.active_children()) < 2:
        time.sleep(0.001)
    print("started", flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a program that was started in the background ignores it
threading.Thread(target=tell, daemon=True).start()
letter = b"From: a@example.com\\r\\n\\r\\nHello\\r\\n"
try:
    for _ in Analysis((Place(str(n), "memory", data=letter) for n in itertools.count()), processes=2):
        pass
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_ctrl_c_ends_all_processes_without_a_word_of_theirs() -> None:
    with endless() as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them, while they start
        out, err = process.communicate(timeout=120)  # until the last of them has closed its output
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_no_process_outlives_the_first_one() -> None:
    with endless() as process:
        process.kill()
        process.communicate(timeout=120)  # until the last of them has closed its output


@contextlib.contextmanager
def endless() -> Iterator[subprocess.Popen[str]]:
    """A program that analyses without end, its other processes just started."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
