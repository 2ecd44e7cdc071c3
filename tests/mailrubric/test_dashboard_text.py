"""Text from outside on its way into Markdown and Plotly labels."""

import pytest

from mailrubric.dashboard.text import label, link, plain


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain words", "plain words"),
        ("*bold* _it_ `code`", r"\*bold\* \_it\_ \`code\`"),
        ("<script>alert(1)</script>", r"\<script\>alert\(1\)\</script\>"),
        (":material/bomb: $x$ [a](b)", r"\:material/bomb\: \$x\$ \[a\]\(b\)"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("220 hello\x1b[31m\r\nred", r"220 hello\\x1b\[31m  red"),
        ("abc\u202egnp", r"abc\\u202egnp"),
    ],
)
def test_markdown_shows_the_characters_and_no_more(text, written):
    assert plain(text) == written


def test_long_text_is_cut():
    assert plain("x" * 50, 10) == "x" * 9 + "…"
    assert label("x" * 500) == "x" * 79 + "…"


def test_labels_hold_no_markup():
    assert label("<b>Acme</b> & \x00co") == "&lt;b&gt;Acme&lt;/b&gt; &amp; \\x00co"


def test_only_web_addresses_become_links():
    assert link("source", "https://acme.example/a?b=c") == "[source](https://acme.example/a?b=c)"
    for hostile in ("javascript:alert(1)", "https://a.example/)](x", "https://a b", "data:text/html,x"):
        assert link("source", hostile) == "source"
