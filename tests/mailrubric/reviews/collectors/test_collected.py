from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.reviews.collectors.collected import epoch, field, from_html, plain, unescaped, web_link


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("I like it.<p>It&#x27;s fast &amp; cheap<p><i>really</i>", "I like it.\n\nIt's fast & cheap\n\nreally"),
        ("<p>one</p>\n\n<ul><li>two</li><li>three</li></ul>", "one\n\ntwo\n\nthree"),
        ("<p>use <code>send()</code> here</p><pre><code>x = 1\n</code></pre><p>end</p>", "use send() here\n\nend"),
        ("<script>alert(1)</script>bad<style>p{}</style>", "bad"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ("a<br>b", "a\nb"),
        ("<pre>never closed", ""),
        ("</pre></pre>fine", "fine"),
        ("  a \t b  ", "a b"),
        (None, ""),
        (5, ""),
    ],
)
def test_the_words_of_html(markup, text):
    assert from_html(markup) == text


@given(st.text(alphabet="<>&;#/pre!-\"' abc\n", max_size=200))
def test_no_fragment_breaks_the_reader(markup):
    assert len(from_html(markup, 50)) <= 50


def test_caps():
    assert len(from_html("<b>" * 100_000 + "x" * 50_000)) <= 20_000
    assert plain(" a" * 20, 5) == "a a a"
    assert plain(["a"]) == plain(None) == ""
    assert unescaped("I&#39;m <b>", 3) == "I'm"


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        ("https://a.example/x?y=1#z", True),
        ("http://a.example", True),
        ("javascript:alert(1)", False),
        ("https://", False),
        ("https://a.example/\x1b[31m", False),
        ("https://a.example/ b", False),
        ('https://a.example/"><script>', False),
        ("https://[::1", False),
        ("https://a.example/" + "x" * 2000, False),
        (None, False),
        (5, False),
    ],
)
def test_links_that_are_kept(link, kept):
    assert web_link(link) == (link if kept else "")


def test_times_from_outside():
    assert epoch(1_790_000_000) == "2026-09-21T14:13:20Z"
    assert epoch(1_790_000_000.7) == "2026-09-21T14:13:20Z"
    for strange in (None, "1790000000", True, 1e300, -(10**20), float("nan"), [1]):
        assert epoch(strange) == ""


def test_fields_of_documents_from_outside():
    assert field({"a": {"b": 1}}, "a", "b") == 1
    for document in ({"a": [1]}, {"a": None}, [], None, "a", {"b": 1}):
        assert field(document, "a", "b") is None
