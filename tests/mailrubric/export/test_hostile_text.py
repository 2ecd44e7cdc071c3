"""Text from outside must not become a formula, markup, a link or a terminal command in any format."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import unicodedata
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.export import render
from mailrubric.export.comma_separated import neutral
from mailrubric.export.markdown import escape as escape_markdown
from mailrubric.export.markdown import link as link_markdown
from mailrubric.export.web_page import link as link_html
from tests.mailrubric.export.sample import HOSTILE_NAME, HOSTILE_TEXTS, evaluation, good
from tests.mailrubric.export.test_formats import Page, sheet_rows


def begins_a_formula(text: str) -> bool:
    """What a spreadsheet would do after trimming and folding widths."""
    plain = unicodedata.normalize("NFKC", text)
    seen = "".join(c for c in plain if unicodedata.category(c)[0] not in "CZ").strip()
    return seen[:1] in ("=", "+", "-", "@", "\N{MINUS SIGN}") and bool(seen[:1])


@pytest.mark.parametrize("text", [text for text in HOSTILE_TEXTS if not text.startswith("a")])
def test_every_hidden_operator_is_seen_through(text):
    assert begins_a_formula(text)
    assert neutral(text) == "'" + text


def test_a_formula_after_a_semicolon_is_broken_too():
    assert neutral("a;=1") == "a;'=1"
    assert neutral("a; ＋1") == "a; '＋1"


@pytest.mark.parametrize(
    "text", ["", "plain", "TLSv1.2", "a=b", "x - y", "5", "https://x.example/?a=1&b=-2", "Łódź", "'"]
)
def test_harmless_text_is_left_alone(text):
    assert neutral(text) == text


@given(st.text(max_size=40))
def test_no_text_at_all_begins_a_formula(text):
    assert not begins_a_formula(neutral(text))


def test_no_csv_cell_begins_a_formula_but_for_our_own_negative_numbers():
    rows = list(csv.reader(io.StringIO(render(evaluation(), "csv").decode(), newline="")))
    assert len({len(row) for row in rows}) == 1
    for row in rows:
        for text in row:
            assert not begins_a_formula(text) or re.fullmatch(r"-\d+(\.\d+)?", text)
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert any(row[2] == "'" + HOSTILE_NAME for row in rows)


def test_a_workbook_has_neither_formulas_nor_links():
    data = render(evaluation(), "xlsx")
    book = openpyxl.load_workbook(io.BytesIO(data))
    kinds = {cell.data_type for page in book for row in page.iter_rows() for cell in row}
    assert kinds <= {"s", "n"}
    assert {row["Vendor"] for row in sheet_rows(data, "Ranking")} >= {HOSTILE_NAME}
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        names = parts.namelist()
        assert not [name for name in names if "externalLink" in name or "vba" in name.lower()]
        pages = [parts.read(name).decode() for name in names if name.startswith("xl/worksheets/")]
    assert not [page for page in pages if "<f>" in page or "<hyperlink" in page]


def test_a_text_longer_than_a_cell_is_cut_and_not_lost():
    vendor = dataclasses.replace(good(), name="x" * 40_000)
    assert len(str(sheet_rows(render(evaluation(vendor), "xlsx"), "Ranking")[0]["Vendor"])) == 32_767


def test_html_shows_hostile_text_and_runs_none_of_it():
    data = render(evaluation(), "html")
    page = Page(data)
    assert HOSTILE_NAME in page.text
    allowed = {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "b", "ul", "li", "a", "code", "div",
        "table", "colgroup", "col", "thead", "tbody", "tr", "th", "td", "svg", "rect", "span", "small", "br", "section",
        "footer",
    }  # fmt: skip
    assert {tag for tag, _ in page.elements} <= allowed
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("href", "src"):
            address = attributes.get(name)
            assert address is None or address.startswith(("#", "https://", "http://")), address
    policy = next(a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_html_loads_nothing_from_anywhere():
    text = render(evaluation(), "html").decode()
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert not [tag for tag, _ in Page(text.encode()).elements if tag in ("link", "script", "img", "iframe")]


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://x", "https://a b"]
)
def test_only_web_addresses_become_links(address):
    assert "href" not in link_html(address)
    assert not link_markdown(address).startswith("<")


def test_a_link_cannot_leave_its_attribute():
    page = Page(link_html('https://x.example/"onmouseover="alert(1)').encode())
    assert page.elements == [
        ("a", {"href": 'https://x.example/"onmouseover="alert(1)', "rel": "noopener noreferrer nofollow"})
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", "a\\|b"),
        ("<b>", "&lt;b&gt;"),
        ("`x`", "\\`x\\`"),
        ("[a](http://b)", "\\[a\\](http&#58;//b)"),
        ("![a](x)", "!\\[a\\](x)"),
        ("**b** _i_ ~s~", "\\*\\*b\\*\\* \\_i\\_ \\~s\\~"),
        ("https://evil.example", "https&#58;//evil.example"),
        ("www.evil.example", "www&#46;evil.example"),
        ("me@evil.example", "me&#64;evil.example"),
        (":smile: mailto:a", "&#58;smile: mailto&#58;a"),
        ("&lt;", "&amp;lt;"),
        ("a\nb\r\n# c", "a b  \\# c"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
        ("smtp.example.com:587", "smtp.example.com:587"),
    ],
)
def test_markdown_shows_exactly_the_characters(text, written):
    assert escape_markdown(text) == written


def test_a_markdown_table_keeps_its_columns():
    text = render(evaluation(), "md").decode()
    width = None
    for line in text.splitlines():
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line))
            assert width is None or cells == width, line
            width = cells
        else:
            width = None


@pytest.mark.parametrize("name", ["csv", "md", "html", "json"])
def test_no_format_carries_control_or_direction_characters(name):
    text = render(evaluation(), name).decode()
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
