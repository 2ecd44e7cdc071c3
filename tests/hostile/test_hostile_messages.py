"""Messages that somebody made to hurt whoever reads them: each is analysed or skipped with a reason, in little time and
memory, and never an exception. What takes time in proportion to the square of its size does not end within the test's
limit: the sizes here are those of the caps."""

from __future__ import annotations

import base64
import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.mailboxes import Mail
from mailrubric.cli import main
from mailrubric.mail import content, fields, listing, reading, received, results
from mailrubric.mail.analysis import Analysis, Wanted, align, analyse_message, undecided
from mailrubric.mail.message import AnalysedMessage
from mailrubric.mail.names import Text
from mailrubric.mail.reading import Place, Raw, Skipped

MEBIBYTE = 1024 * 1024
MAIL = Mail(12, seed=3)
SAMPLES = list(MAIL.copies(12))
SAMPLE_KEYS = {name: Text((text,)) for name, text in MAIL.keys.items()}
SAMPLE_KEYS["sel._domainkey.example.com"] = next(iter(SAMPLE_KEYS.values()))


def analysed(raw: bytes, *, mbox: bool = False) -> AnalysedMessage | Skipped:
    """One message, as an ``Analysis`` treats it, but that a fault of ours is not caught."""
    place, loaded = Place("bad", "mbox" if mbox else "file"), Raw(raw, len(raw), mbox=mbox)
    found = analyse_message(place, loaded, SAMPLE_KEYS)
    if isinstance(found, Wanted):
        found = analyse_message(place, loaded, {name: Text() for name in found.names} | SAMPLE_KEYS)
    assert isinstance(found, AnalysedMessage | Skipped)
    if isinstance(found, AnalysedMessage):
        _check(found)
        if undecided(found):
            _check(align(found, lambda one, other: None, offline=False))
    return found


def _check(found: AnalysedMessage) -> None:
    """What holds of every record, whatever it was made from."""
    for text in (found.message_id, found.list_id, found.feedback_id, found.mailer, found.precedence, *found.defects):
        assert text.isprintable()
        assert len(text) <= 300
    for signature in found.signatures:
        assert (signature.result is None) == bool(signature.cause)
        assert signature.domain.isascii()
    assert (found.dkim is None) == (found.cause("dkim") is not None)
    for field in ("dkim_aligned", "spf_aligned", "dmarc_aligned"):
        assert (getattr(found, field) is None) == (found.cause(field) is not None)
    for share in (found.text_alike,):
        assert share is None or 0 <= share <= 1
    assert found.tls_hops + found.plain_hops + found.unknown_hops == sum(not hop.internal for hop in found.hops)


@given(st.binary(max_size=3000), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_bytes(raw: bytes, mbox: bool) -> None:
    analysed(raw, mbox=mbox)


NAMES = [
    "from", "to", "date", "received", "dkim-signature", "authentication-results", "arc-seal", "arc-message-signature",
    "list-unsubscribe", "list-unsubscribe-post", "list-id", "content-type", "content-transfer-encoding",
    "content-disposition", "message-id", "auto-submitted", "x-mailer", "status", "subject", "delivered-to",
]  # fmt: skip
_LINES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.one_of(
            st.text(max_size=200),
            st.sampled_from(
                [
                    "a@b.example",
                    "multipart/mixed; boundary=x",
                    'multipart/alternative; boundary="x"',
                    "message/rfc822",
                    "text/html; charset=utf-16",
                    "base64",
                    "quoted-printable",
                    "i=1; cv=none; a=rsa-sha256; b=x",
                    "v=1; a=rsa-sha256; d=example.com; s=sel; h=from; bh=AAAA; b=AAAA; c=relaxed/relaxed; l=0",
                    "v=1; a=ed25519-sha256; d=example.com; s=sel; h=from:::from; bh=AAAA; b=AAAA",
                    "mx.example; dkim=pass header.d=b.example; spf=pass smtp.mailfrom=b.example",
                    "from a.example ([192.0.2.1]) by b.example with ESMTPS; Mon, 23 Nov 2026 05:00:00 +0000",
                    "<https://a.example/u>",
                    "List-Unsubscribe=One-Click",
                ]
            ),
        ),
    ),
    max_size=30,
)


@given(_LINES, st.one_of(st.binary(max_size=500), st.sampled_from([b"--x\n\n<a href=x>\n--x--", b"--x\n--x\n--x\n"])))
@settings(max_examples=300, deadline=None)
def test_any_fields_of_the_right_names(lines: list[tuple[str, str]], body: bytes) -> None:
    head = "".join(f"{name}: {value}\n" for name, value in lines).encode("utf-8", "surrogatepass")
    analysed(head + b"\n" + body)


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.large_base_example])
def test_messages_with_some_bytes_changed(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SAMPLES))[:20_000])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "repeat", "insert"]))
        if kind == "set":
            raw[at] = data.draw(st.sampled_from(list(b'\x00\n\r ;="<>():,@\xff')))
        elif kind == "cut":
            del raw[at : at + data.draw(st.integers(1, 3000))]
        elif kind == "repeat":
            raw[at:at] = raw[at : at + data.draw(st.integers(1, 300))] * 20
        else:
            raw[at:at] = data.draw(st.sampled_from([b"\r\n", b"\n\n", b"--=_part_1\n", b"\xf0\x9f", b"=?utf-8?b?"]))
        if not raw:
            break
    analysed(bytes(raw))


@given(st.text(max_size=400))
@settings(max_examples=300, deadline=None)
def test_parsers_of_single_fields_never_raise(text: str) -> None:
    fields.addresses(text)
    fields.parameters(text)
    fields.outside(text)
    fields.date(text)
    fields.domain(text)
    received.hop(text)
    results.parse(text)
    content.page_of(text)


@given(st.binary(max_size=2000))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mbox(tmp_path: Path, tail: bytes) -> None:
    box = tmp_path / "a.mbox"
    box.write_bytes(b"From x Mon Nov 23 05:00:00 2026\n" + tail)
    analysis = Analysis(box)
    found = list(analysis)
    assert len(found) + sum(analysis.skipped.values()) >= 1
    assert not any("fault" in reason for reason in analysis.skipped)


# --- bombs ------------------------------------------------------------------------------------------------------------

SIGNATURE = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=sel; "
FULL = 8 * MEBIBYTE - 20_000

SIGNED = (SIGNATURE + "h=from; bh=AAAA; b=AAAA\nFrom: a@b.example\n").encode()


def html(body: str) -> bytes:
    return f"From: a@b.example\nContent-Type: text/html\n\n{body}".encode()


BOMBS: dict[str, bytes] = {
    "a megabyte in one field": b"From: a@b.example\nX: " + b"y" * MEBIBYTE + b"\n\nx",
    "100,000 fields": b"X: y\n" * 100_000 + b"\nx",
    "no end of the header": b"From: a@b.example\n" * 30_000,
    "many Received": b"Received: from a by b with SMTP; x\n" * 1900 + b"From: a@b.example\n\nx",
    "parentheses": b"Received: " + b"(" * 200_000 + b"\nFrom: " + b"(" * 20_000 + b"\n\nx",
    "quotes and backslashes": b"From: " + b'"\\' * 60_000 + b"\nTo: " + b'<"' * 40_000 + b"\n\nx",
    "many addresses": b"From: " + b"a@b.example," * 15_000 + b"\n\nx",
    "encoded words": b"Subject: " + b"=?utf-8?q?=41?= " * 10_000 + b"\nFrom: a@b.example\n\nx",
    "an endless encoded word": b"Subject: =?utf-8?b?" + b"QUFB" * 50_000 + b"?=\nFrom: a@b.example\n\nx",
    "results": b"Authentication-Results: a; " + b"dkim=pass (;" * 15_000 + b"\nFrom: a@b.example\n\nx",
    "NULs": b"From: a@b.example\n\n" + b"\0" * FULL,
    "10,000 parts": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n"
    + b"--x\nContent-Type: text/html\n\n<a href=https://a.example>\n" * 10_000
    + b"--x--\n",
    "nested a thousand deep": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b0\n\n"
    + b"".join(
        b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (number, number + 1) for number in range(1000)
    ),
    "every part a multipart": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n"
    + b"--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 100_000,
    "almost boundaries": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n" + b"\n--xx" * 1_500_000,
    "attached messages in messages": b"From: a@b.example\nContent-Type: message/rfc822\n\n" * 20_000,
    "open tags": html("<" * FULL),
    "one long tag": html("<a" + "a" * FULL),
    "attributes without values": html("<a " + "b" * FULL + ">"),
    "attributes": html('<a ' + "href=x " * 1_000_000 + ">"),
    "spaces in attributes": html('<a href' + " " * FULL + ">"),
    "open comments": html("<!--" * 2_000_000),
    "open styles": html("<style>" * 1_000_000),
    "styles that end": html("<style></style>" * 500_000),
    "links": html('<a href="https://a.example/1">' * 250_000),
    "entities": html("&#65;&amp;" * 800_000),
    "letters that grow": html("İ" * 4_000_000 + "<script>"),
    "hidden sizes": html('<img src="https://a.example" style="' + "width: " * 900_000 + '">'),
    "base64 of nothing": b"From: a@b.example\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
    + b"=" * FULL,
    "quoted-printable of nothing": b"From: a@b.example\nContent-Type: text/plain\n"
    b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * FULL,
    "spaces under a signature": SIGNED + b"\n" + b" \t" * (FULL // 2),
    "empty lines under a signature": SIGNED + b"\n" + b"\n" * FULL,
    "spaces and lines under ten signatures": SIGNED.partition(b"From:")[0] * 10
    + b"From: a@b.example\n\n"
    + b" \n" * (FULL // 2),
    "a hundred signatures": SIGNED.partition(b"From:")[0] * 100 + b"From: a@b.example\n\n" + b"x " * (FULL // 2),
    "a signature over 200 of 1,900 fields": (SIGNATURE + "h=" + "x:" * 199 + "from; bh=AAAA; b=AAAA").encode()
    + b"\nFrom: a@b.example\n" + b"X: y\n" * 1900 + b"\nx",
    "a signature of spaces": (SIGNATURE + "h=from; bh=AAAA; b=" + " \n ".join("A" for _ in range(4000))).encode()
    + b"\nFrom: a@b.example\n\nx",
    "a signature over everything": (SIGNATURE + "h=" + "from:x:" * 2000 + "; bh=AAAA; b=AAAA").encode()
    + b"\nFrom: a@b.example\n" + b"X: y\n" * 1900 + b"\nx",
    "a length of many digits": (SIGNATURE + f"l={'9' * 5000}; h=from; bh=AAAA; b=AAAA").encode()
    + b"\nFrom: a@b.example\n\nx",
    "an enormous date": b"Date: Mon, " + b"9" * 10_000 + b" Nov 2026 05:00:00 +0000\nFrom: a@b.example\n\nx",
    "a long domain": b"From: a@" + b"b." * 50_000 + b"example\nTo: a@" + "ü".encode() * 50_000 + b"\n\nx",
    "unsubscribe addresses": b"List-Unsubscribe: " + b"<https://a" * 20_000 + b"\nFrom: a@b.example\n\nx",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    raw = BOMBS[name]
    assert len(raw) <= reading.MESSAGE_BYTES
    found = analysed(raw)
    if isinstance(found, Skipped):
        assert found.reason
    elif name == "10,000 parts":
        assert found.parts == content.PARTS - 1
        assert found.defects == (f"more than {content.PARTS} parts",)
    elif name == "nested a thousand deep":
        assert found.defects == (f"nested deeper than {content.DEPTH}",)


@pytest.mark.parametrize("name", ["100,000 fields", "a megabyte in one field", "no end of the header"])
def test_header_bombs_are_skipped_with_a_reason(name: str) -> None:
    found = analysed(BOMBS[name])
    assert isinstance(found, Skipped)
    assert "header" in found.reason


def test_memory_stays_bounded_whatever_comes(tmp_path: Path) -> None:
    """Thirty of the largest bombs in one folder, and a message of 2 GB: no more than a few of them at a time."""
    largest = sorted(BOMBS, key=lambda name: -len(BOMBS[name]))[:10]
    for number, name in enumerate(largest):
        (tmp_path / f"{number}.eml").write_bytes(BOMBS[name])
    with (tmp_path / "huge.eml").open("wb") as file:
        file.write(b"From: a@b.example\n\n")
        file.truncate(2 * 1024 * MEBIBYTE)
    tracemalloc.start()
    try:
        analysis = Analysis(tmp_path)
        found = list(analysis)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) + sum(analysis.skipped.values()) == len(largest) + 1
    assert any(message.cut and message.size == 2 * 1024 * MEBIBYTE for message in found)
    # One message, its body once more with CRLF and in its canonical form, its text; not ten of them.
    assert peak < 16 * reading.MESSAGE_BYTES


def test_archives_are_never_opened(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50 * MEBIBYTE))
    raw = b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n"
    for data, kind in ((packed.getvalue(), "zip"), (gzip.compress(bytes(50 * MEBIBYTE)), "gzip")):
        raw += b"--x\nContent-Type: application/%s\nContent-Transfer-Encoding: base64\n\n" % kind.encode()
        raw += base64.encodebytes(data)
    tracemalloc.start()
    try:
        found = analysed(raw + b"--x--\n")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found, AnalysedMessage)
    assert (found.parts, found.attachments) == (2, 2)
    assert peak < 4 * MEBIBYTE


def test_what_is_shown_holds_no_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.eml").write_bytes(
        b"Received: from a\x1b[2J\x9b (x [192.0.2.1]) by b\x07 with ESMTPS; Mon, 23 Nov 2026 05:00:00 +0000\n"
        b"Authentication-Results: mx\x1b[31m; spf=pass smtp.mailfrom=\x1b[31m\n"
        b"DKIM-Signature: v=1; a=\x1b[31m; d=\x1b[31m; s=x; h=from:\x1b[31m; bh=x; b=x\n"
        b"From: \x1b]0;title\x07 <a@b.example>\nMessage-ID: <\x1b[5m@b>\nX-Mailer: \xe2\x80\xae evil \x1b[31m\n"
        b"List-Id: <\x1b[31m>\nSubject: =?utf-8?q?=1B[31m?=\nContent-Type: text/html\n\n"
        b"<a href='https://\x1b[31m.example/\x1b'>x</a><a href='https://&#27;.example'>y</a>"
    )
    for options in ([], ["--json", "--each"]):
        assert (
            main(["mail", "analyse", str(tmp_path / "1.eml"), "--offline", "--workspace", str(tmp_path), *options]) == 0
        )
        said = capsys.readouterr()
        for text in (said.out, said.err):
            assert not {each for each in text if not each.isprintable()} - {"\n"}


def test_list_fields_are_looked_at_in_linear_time() -> None:
    message = fields.parse(b"List-Unsubscribe: " + b"<https:" * 2000 + b"\r\nList-Id: " + b"<" * 10_000)
    assert listing.look(message).list_unsubscribe is False
