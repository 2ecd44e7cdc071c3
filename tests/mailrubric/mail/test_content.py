"""Bodies: MIME beside what Python's ``email`` sees in it, HTML as senders write it."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from mailrubric.mail import content, fields
from mailrubric.mail.content import Content, page_of


def read(raw: bytes) -> Content:
    head, start = fields.split(raw)
    return content.read(fields.parse(head), raw[start:])


def newsletter() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "a@b.example"
    message.set_content("Grüße aus Köln: https://shop.example/a and http://shop.example/b")
    message.add_alternative(
        "<html><head><title>t</title><style>p{}</style></head><body><p>Grüße aus&nbsp;Köln</p>"
        '<a href="https://click.esp.example/ls/click?u=https%3A%2F%2Fshop.example">one</a>'
        '<a href="HTTP://shop.example/b">two</a><a href="mailto:x@y.example">mail</a><a name=x>none</a>'
        '<img src="https://img.example/1.png" width="600"><img src="https://t.example/o" width=1 height=1 alt="">'
        "<script>var words = 'do not count'</script></body></html>",
        subtype="html",
    )
    return message


@pytest.mark.parametrize("policy", [email.policy.SMTP, email.policy.default])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_a_newsletter(policy: email.policy.EmailPolicy, encoding: str) -> None:
    message = newsletter()
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        text = part.get_content()
        part.set_content(text, subtype=part.get_content_subtype(), cte=encoding)
    found = read(message.as_bytes(policy=policy))
    assert (found.parts, found.attachments, found.plain_text, found.html) == (2, 0, True, True)
    assert (found.images, found.tracking_pixels) == (1, 1)
    assert (found.links, found.https_links, found.redirect_links) == (2, 1, 1)
    assert found.link_hosts == ("click.esp.example", "shop.example")
    assert found.words == 7  # Grüße aus Köln one two mail none
    assert found.text_alike == pytest.approx(3 / 7)
    assert found.defects == ()


def test_attachments_are_counted_and_never_opened() -> None:
    message = newsletter()
    message.add_attachment(b"PK\x03\x04" + bytes(1000), maintype="application", subtype="zip", filename="a.zip")
    message.add_attachment("<a href='https://inside.example'>x</a>", subtype="html", filename="b.html")
    inner = EmailMessage()
    inner["From"] = "c@d.example"
    inner.set_content("<a href='https://inner.example'>x</a>", subtype="html")
    message.add_attachment(inner)
    found = read(message.as_bytes())
    assert (found.parts, found.attachments) == (5, 3)
    assert not {"inside.example", "inner.example"} & set(found.link_hosts)
    assert found.html_bytes is not None


def test_plain_text_alone() -> None:
    found = read(b"From: a@b.example\n\nSee https://a.example/x and http://b.example. Bye\n")
    assert (found.plain_text, found.html, found.text_alike, found.images) == (True, False, None, None)
    assert (found.links, found.https_links) == (2, 1)


def test_html_alone_and_pictures_alone() -> None:
    found = read(b'From: a@b.example\nContent-Type: text/html\n\n<img src="https://a.example/1.png">')
    assert (found.plain_text, found.html, found.images, found.words, found.text_alike) == (False, True, 1, 0, None)


@pytest.mark.parametrize(
    ("tag", "pixels"),
    [
        ('<img src="https://a.example/o" width="1" height="1">', 1),
        ("<img src=https://a.example/o width=0 height=0>", 1),
        ("<IMG SRC='http://a.example/o' STYLE='width:1px;height:1px'>", 1),
        ('<img src="//a.example/o" style="display: none">', 1),
        ('<img src="https://a.example/o" width="1" height="200">', 0),
        ('<img src="cid:1" width="1" height="1">', 0),
        ('<img src="https://a.example/o" style="width:10px;height:1px">', 0),
        ("<img>", 0),
    ],
)
def test_pictures_that_nobody_can_see(tag: str, pixels: int) -> None:
    page = page_of(tag)
    assert (page.pixels, page.images) == (pixels, 1 - pixels)


@pytest.mark.parametrize(
    ("url", "redirects"),
    [
        ("https://click.example/ls/click?upn=abc", True),
        ("https://example.com/r?to=https%3A%2F%2Fshop.example", True),
        ("https://links.shop.example/" + "a1B2" * 12, True),
        ("https://shop.example/summer-sale", False),
        ("https://shop.example/" + "a1B2" * 12, False),
        ("https://track.shop.example/parcel/7", False),
    ],
)
def test_links_that_look_like_a_counters(url: str, redirects: bool) -> None:
    found = read(f'From: a@b.example\nContent-Type: text/html\n\n<a href="{url}">x</a>'.encode())
    assert found.redirect_links == int(redirects)


def test_what_is_commented_out_or_not_shown_does_not_count() -> None:
    page = page_of("<!-- <img src=https://a.example/1> --><style>one</style>two<!-- open <b>three</b>")
    assert page.images == 0
    assert page.text.split() == ["two<!--", "open", "three"]


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed\n\n--x\n\nhello\n",
        b"Content-Type: multipart/mixed; boundary=x\n\nnothing is marked\n",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nhi\n",
        b"Content-Type: text/html; charset=unicode_escape\nContent-Transfer-Encoding: base64\n\n!!!!=\n",
        b"Content-Type: text/html; charset=iso-8859-12\n\n\xff\xfe<a href=https://a.example>\n",
        b"Content-Type: ;;;=\nContent-Transfer-Encoding: x-what\n\nhello\n",
        b'Content-Type: multipart/alternative; boundary=""\n\n--\n\nx\n----\n',
    ],
)
def test_broken_mime_is_read_as_far_as_it_goes(raw: bytes) -> None:
    found = read(b"From: a@b.example\n" + raw)
    assert found.parts <= 2


def test_a_boundary_that_begins_like_another() -> None:
    raw = (
        b'From: a@b.example\nContent-Type: multipart/mixed; boundary="x"\n\n--x\n\none\n--xy\nstill one\n'
        b"--x  \n\ntwo\n--x--\nthe epilogue https://no.example\n--x\n\nthree\n"
    )
    found = read(raw)
    theirs = [part for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
    assert found.parts == len(theirs) == 2
    assert found.links == 0


def test_the_last_delimiter_may_be_missing() -> None:
    raw = b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\none https://a.example\n"
    assert read(raw).links == 1
