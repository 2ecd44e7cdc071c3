"""What a message's body holds: its parts, its text beside its HTML, pictures, links, signs of tracking.

MIME is walked over bytes with limits on parts, depth and text; no attachment is opened. HTML is read with expressions
that take time in proportion to its length, whatever is in it: it is looked at, never rendered, and nothing that it
names is fetched.
"""

from __future__ import annotations

import binascii
import dataclasses
import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailrubric.mail import fields

PARTS = 500
"""Parts that are looked at; what follows is left out, and ``Content.defects`` says so."""
DEPTH = 20
TEXT_BYTES = 512 * 1024
"""What is decoded of each text part."""
_LINKS = 2000
_HOSTS = 50
_PART_HEADER = 16 * 1024

_CHARSETS = re.compile(
    r"utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?\d|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-jp|"
    r"euc-kr|shift_jis|iso-2022-jp|utf-16(?:le|be)?",
    re.IGNORECASE,
)
"""Character sets that are decoded by their name. Python knows others by which a few bytes become very many."""


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """``text_alike``: share of the HTML's words that the plain text has too, None without both; the counts of
    ``images`` and what follows are None without HTML. ``https_links`` of ``links``: web links (http and https)."""

    parts: int = 0
    attachments: int = 0
    plain_text: bool = False
    html: bool = False
    html_bytes: int | None = None
    text_alike: float | None = None
    words: int | None = None
    images: int | None = None
    links: int | None = None
    https_links: int | None = None
    link_hosts: tuple[str, ...] = ()
    tracking_pixels: int | None = None
    redirect_links: int | None = None
    defects: tuple[str, ...] = ()


_WORD = re.compile(r"\w{2,}")


class _Part(NamedTuple):
    kind: str
    parameters: dict[str, str]
    encoding: str
    attached: bool
    body: bytes


def read(message: fields.Fields, body: bytes) -> Content:
    """Everything about a body. ``body``: what follows the header section."""
    defects: list[str] = []
    plain: list[str] = []
    rich: list[str] = []
    parts = attachments = 0
    taken = 0
    sizes = 0
    for part in _walk(message, body, defects):
        parts += 1
        if part.attached:
            attachments += 1
        elif part.kind in ("text/plain", "text/html") and taken < 2 * TEXT_BYTES:
            text = _decode(part)
            taken += len(text)
            (plain if part.kind == "text/plain" else rich).append(text)
            sizes += len(part.body) if part.kind == "text/html" else 0
    found = Content(
        parts=parts,
        attachments=attachments,
        plain_text=any(map(str.strip, plain)),
        html=bool(rich),
        html_bytes=sizes if rich else None,
        defects=tuple(dict.fromkeys(defects)),
    )
    plain_words = _words("\n".join(plain))
    if not rich:
        return _with_links(dataclasses.replace(found, words=len(plain_words)), _text_links("\n".join(plain)))
    page = page_of("\n".join(rich))
    shown = _words(page.text)
    alike = None
    if found.plain_text and shown:
        both = set(plain_words)
        distinct = set(shown)
        alike = len(distinct & both) / len(distinct)
    found = dataclasses.replace(
        found, text_alike=alike, words=len(shown), images=page.images, tracking_pixels=page.pixels
    )
    return _with_links(found, page.links)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


# --- MIME, RFC 2045 and RFC 2046 --------------------------------------------------------------------------------------


def _walk(message: fields.Fields, body: bytes, defects: list[str]) -> Iterator[_Part]:
    """The leaves of the tree, in order."""
    waiting: list[tuple[fields.Fields | None, bytes, int, str]] = [(message, body, 0, "text/plain")]
    left = PARTS
    while waiting:
        head, content, depth, default = waiting.pop()
        if left == 0:
            defects.append(f"more than {PARTS} parts")
            return
        left -= 1
        kind, parameters = fields.parameters((head.first("content-type") if head else None) or default)
        if "/" not in kind:
            kind = default if not kind else "text/plain"
        if kind.startswith("multipart/"):
            boundary = parameters.get("boundary", "").encode("utf-8", "replace")
            if not boundary or depth >= DEPTH:
                defects.append("a multipart without a boundary" if not boundary else f"nested deeper than {DEPTH}")
                continue
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            children = list(_split(content, boundary, left + 1))
            if not children:
                defects.append("a multipart without parts")
            waiting.extend((*_part(child), depth + 1, inner) for child in reversed(children))
            continue
        disposition = fields.parameters(head.first("content-disposition") or "") if head else ("", {})
        named = "filename" in disposition[1] or any(name.startswith("filename*") for name in disposition[1])
        attached = disposition[0] == "attachment" or (named and not kind.startswith("text/"))
        # An attached message is an attachment: what it holds is not this message's.
        attached = attached or not kind.startswith(("text/", "image/"))
        encoding = ((head.first("content-transfer-encoding") if head else None) or "").split("(")[0].strip().lower()
        yield _Part(kind, parameters, encoding, attached, content)


def _part(raw: bytes) -> tuple[fields.Fields | None, bytes]:
    if raw.startswith((b"\r\n", b"\n")):  # no header section: its defaults hold
        return None, raw[2 if raw[0] == 0x0D else 1 :]
    ends = [(at, len(mark)) for mark in (b"\n\n", b"\n\r\n") if (at := raw.find(mark, 0, _PART_HEADER)) >= 0]
    at, length = min(ends, default=(min(len(raw), _PART_HEADER), 0))
    try:
        return fields.parse(fields.with_crlf(raw[:at].removesuffix(b"\r"))), raw[at + length :]
    except fields.Unreadable:
        return None, raw[at + length :]


def _split(content: bytes, boundary: bytes, at_most: int) -> Iterator[bytes]:
    """The parts between the delimiter lines of a multipart (RFC 2046 §5.1.1)."""
    mark = b"--" + boundary
    start = -1
    at = 0 if content.startswith(mark) else content.find(b"\n" + mark) + 1 or -1
    while at >= 0:
        after = content[at + len(mark) : at + len(mark) + 2]
        if after[:1] not in (b"\r", b"\n", b" ", b"\t", b"") and after != b"--":
            at = content.find(b"\n" + mark, at) + 1 or -1
            continue
        if start >= 0:
            yield content[start:at].removesuffix(b"\n").removesuffix(b"\r")
            at_most -= 1
            if at_most <= 0:
                return
        if after == b"--":
            return
        line = content.find(b"\n", at + len(mark))
        if line < 0:
            return
        start = line + 1
        at = start if content.startswith(mark, start) else content.find(b"\n" + mark, line) + 1 or -1
    if start >= 0:  # the closing delimiter is missing
        yield content[start:]


def _decode(part: _Part) -> str:
    data = part.body[: 2 * TEXT_BYTES]
    try:
        if part.encoding == "base64":
            data = binascii.a2b_base64(data[: len(data) - len(data) % 4] if len(data) == 2 * TEXT_BYTES else data)
        elif part.encoding == "quoted-printable":
            data = binascii.a2b_qp(data)
    except binascii.Error:
        data = _forgiving_base64(data)
    charset = part.parameters.get("charset", "").strip().lower()
    if not _CHARSETS.fullmatch(charset):
        charset = "utf-8"
    try:
        return data[:TEXT_BYTES].decode(charset, "replace")
    except LookupError:  # such as iso-8859-12, which there never was
        return data[:TEXT_BYTES].decode("latin-1")


def _forgiving_base64(data: bytes) -> bytes:
    """What can be read of base64 that was cut or badly padded."""
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    return binascii.a2b_base64(clean[: len(clean) - len(clean) % 4])


# --- HTML -------------------------------------------------------------------------------------------------------------

# Possessive (*+): what was taken is not given back, so that nothing is looked at twice.
_TAG = re.compile(r"<(a|area|img)(?=[\s/>])([^<>]*+)>", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*+>")
_ATTRIBUTE = re.compile(r"""(?<![a-zA-Z-])([a-zA-Z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_URL = re.compile(r"(https?)(?::|&#58;)/{1,3}([^/?#\s\"'<>]*)([^\s\"'<>]*)", re.IGNORECASE)
_HIDDEN_SIZE = re.compile(r"(?:^|[;\s])(?:max-)?(?:width|height)\s*+:\s*+[01](?:px)?\s*+(?=[;!]|$)", re.IGNORECASE)
_EMBEDDED = re.compile(r"https?(?:%3a|:)(?:%2f|/){2}", re.IGNORECASE)
_CLICK = re.compile(
    r"/(?:ls|wf|track|trk|e|t|c|u)?/?(?:click|clicks|redirect|redir|track/click|link/click|CL0)(?:[/?.]|$)|/e3t/|/f/a/",
    re.IGNORECASE,
)
_CLICK_HOST = re.compile(r"(?:click|clicks|track|tracking|trk|links?|lnks?|email|go|ct|cl|url\d+|r|t)\d*\.")
_TOKEN = re.compile(r"[A-Za-z0-9_~=.%-]{40}")


class Page(NamedTuple):
    """``text``: what people see, roughly; ``links``: web addresses of ``a`` and ``area``; ``images`` without
    ``pixels``: pictures of at most one pixel, or that are not shown."""

    text: str
    links: list[str]
    images: int
    pixels: int


def page_of(source: str) -> Page:
    """An HTML document, looked at."""
    source = _without(source, "<!--", "-->")
    for name in ("style", "script", "head", "title"):
        source = _without_element(source, name)
    links: list[str] = []
    images = pixels = 0
    for name, inside in _TAG.findall(source):
        name = name.lower()
        if name != "img" and len(links) >= _LINKS:
            continue
        attributes = {key.lower(): one or two or three for key, one, two, three in _ATTRIBUTE.findall(inside[:8192])}
        if name == "img":
            if _pixel(attributes):
                pixels += 1
            else:
                images += 1
        elif "href" in attributes:
            links.append(html.unescape(attributes["href"][:4096]).strip())
    return Page(html.unescape(_ANY_TAG.sub(" ", source)), links, images, pixels)


def _pixel(attributes: dict[str, str]) -> bool:
    source = attributes.get("src", "")
    if not source.lower().lstrip().startswith(("http:", "https:", "//")):
        return False
    sizes = [attributes.get(side, "").strip().lower().removesuffix("px") for side in ("width", "height")]
    if sizes[0] in ("0", "1") and sizes[1] in ("0", "1"):
        return True
    style = attributes.get("style", "")[:2000]
    if not style:
        return False
    bare = style.replace(" ", "").lower()
    return len(_HIDDEN_SIZE.findall(style)) >= 2 or "display:none" in bare or "visibility:hidden" in bare


def _without(source: str, opening: str, closing: str) -> str:
    """``source`` without what stands between these marks; without a closing one, nothing goes."""
    kept = []
    at = 0
    while (start := source.find(opening, at)) >= 0:
        end = source.find(closing, start + len(opening))
        if end < 0:
            break
        kept.append(source[at:start])
        at = end + len(closing)
    kept.append(source[at:])
    return "".join(kept)


def _without_element(source: str, name: str) -> str:
    small = source.lower()
    if len(small) != len(source):  # a letter whose small form is longer: the places would not fit
        small = re.sub(r"[A-Z]", lambda match: match[0].lower(), source)
    opening, closing = f"<{name}", f"</{name}"
    kept = []
    at = 0
    while (start := small.find(opening, at)) >= 0:
        after = start + len(opening)
        if small[after : after + 1].isalnum():  # <header> is not <head>
            kept.append(source[at:after])
            at = after
            continue
        end = small.find(closing, after)
        if end < 0:
            break
        kept.append(source[at:start])
        after = end + len(closing)
        tag_end = small.find(">", after, after + 100)
        at = tag_end + 1 if tag_end >= 0 else after
    kept.append(source[at:])
    return "".join(kept)


def _text_links(text: str) -> list[str]:
    return [match[0] for match, _ in zip(_URL.finditer(text), range(_LINKS), strict=False)]


def _with_links(found: Content, links: Sequence[str]) -> Content:
    web = [match for match in map(_URL.match, links) if match]
    hosts = fields.words(filter(None, (_host(match[2]) for match in web)))
    return dataclasses.replace(
        found,
        links=len(web),
        https_links=sum(match[1].lower() == "https" for match in web),
        link_hosts=hosts[:_HOSTS],
        redirect_links=sum(_redirects(_host(match[2]), match[3]) for match in web),
    )


def _host(authority: str) -> str:
    return fields.domain(authority.rpartition("@")[2].partition(":")[0])


def _redirects(host: str, rest: str) -> bool:
    """Whether a link looks as if it led to its target by way of somebody who counts: it holds another address, or its
    path is one that such services use, or an opaque word at a host that is named for it."""
    if _EMBEDDED.search(rest) or _CLICK.search(rest):
        return True
    return bool(_CLICK_HOST.match(host) and _TOKEN.search(rest))
