"""Text on its way to the browser. Whatever came from outside (profiles, greetings, reviews) passes through here."""

from __future__ import annotations

import html
import re

from mailrubric.display import one_line

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$~:^=&])")


def _cut(text: object, limit: int) -> str:
    line = one_line(str(text))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def plain(text: object, limit: int = 2000) -> str:
    """``text`` for a Markdown place, showing exactly its characters: no formatting, icon or formula.

    A bare web address stays clickable, and leads where it says.
    Control and direction-changing characters are shown as escapes; longer text is cut at ``limit`` characters.
    """
    return _MARKDOWN.sub(r"\\\1", _cut(text, limit))


def label(text: object, limit: int = 80) -> str:
    """``text`` for a Plotly label, which reads a little HTML."""
    return html.escape(_cut(text, limit))


def link(text: str, url: str) -> str:
    """A Markdown link when ``url`` is plain http(s), else just the text."""
    if re.fullmatch(r"https?://[^\s<>()\"'`\\]+", url):
        return f"[{plain(text)}]({url})"
    return plain(text)
