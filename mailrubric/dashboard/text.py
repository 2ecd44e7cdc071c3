"""Text on its way to the browser. Whatever came from outside (profiles, greetings, reviews) passes through here."""

from __future__ import annotations

import html
import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$~:^=])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: object, limit: int = 2000) -> str:
    """``text`` for a Markdown place, showing exactly its characters: no formatting, link, icon or formula.

    Control and direction-changing characters become spaces; longer text is cut at ``limit`` characters.
    """
    cleaned = _CONTROL.sub(" ", str(text))
    if len(cleaned) > limit:
        cleaned = cleaned[: limit - 1] + "…"
    return _MARKDOWN.sub(r"\\\1", cleaned.replace("\n", " "))


def label(text: object, limit: int = 80) -> str:
    """``text`` for a Plotly label, which reads a little HTML."""
    cleaned = _CONTROL.sub(" ", str(text))
    return html.escape(cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…")


def link(text: str, url: str) -> str:
    """A Markdown link when ``url`` is plain http(s), else just the text."""
    if re.fullmatch(r"https?://[^\s<>()\"'`\\]+", url):
        return f"[{plain(text)}]({url})"
    return plain(text)
