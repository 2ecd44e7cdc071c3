"""The pages and their order. Each page's module is imported when it is opened, so the first one shows sooner."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "icon.png"
"""A file of our own: a named icon would be fetched from the network at every start."""


_DARK_ON_LIGHT = """<style>
[data-testid="stBaseButton-primary"], [data-testid="stBaseButton-primaryFormSubmit"],
[data-testid="stMultiSelect"] [data-tag], [data-testid="stMultiSelect"] [data-tag] * {color: #0f1716}
</style>"""
"""The dark appearance's own colour is light, and Streamlit writes white on it: a contrast of 2.2; 4.5 is asked."""


def _page(module: str) -> Callable[[], None]:
    def run() -> None:
        if getattr(st.context.theme, "type", "light") == "dark":
            st.html(_DARK_ON_LIGHT)
        importlib.import_module(f"mailrubric.dashboard.{module}").page()

    # Streamlit names a page after its function.
    run.__name__ = module
    return run


@cache
def _runners() -> dict[str, Callable[[], None]]:
    return {name: _page(name) for name in _PAGES}


def named(name: str) -> st.Page:
    """The page of this name, for links and ``st.switch_page``."""
    title, icon, help_text = _PAGES[name]
    return st.Page(_runners()[name], title=title, icon=icon, url_path=name, default=name == "ranking", help=help_text)


_PAGES: dict[str, tuple[str, str, str]] = {
    "ranking": ("Ranking", ":material/leaderboard:", "Who scores best, and how sure we are"),
    "vendor": ("Vendor", ":material/storefront:", "Every criterion of one vendor, with its evidence"),
    "compare": ("Compare", ":material/compare_arrows:", "Two to four vendors side by side, differences first"),
    "decision": (
        "Decision",
        ":material/balance:",
        "How sure the ranking is, what would flip it, what to find out next",
    ),
    "weights": ("Weights", ":material/tune:", "Say what matters, by an order, by swings or two at a time"),
    "price": ("Price", ":material/payments:", "What it costs at your volume"),
    "reviews": ("Reviews", ":material/rate_review:", "What people say, how sure that is, and reading reviews in"),
    "messages": ("Messages", ":material/mail:", "What real mail shows, message by message and over weeks"),
    "trials": (
        "Trials",
        ":material/science:",
        "Try platforms by hand, ask people and the support, see what came of it",
    ),
    "probe": ("Probe", ":material/radar:", "Measure what the servers really do"),
    "criteria": ("Criteria", ":material/rule:", "Browse the criteria, try one of your own"),
    "export": ("Export", ":material/download:", "Take the scorecard with you"),
}


_SECTIONS: dict[str, tuple[str, ...]] = {
    "Decide": ("ranking", "vendor", "compare", "decision", "price"),
    "Evidence": ("probe", "reviews", "trials", "messages"),
    "Rules": ("weights", "criteria"),
    "Results": ("export",),
}


def navigation() -> dict[str, list[st.Page]]:
    """All pages in menu order, by section."""
    return {title: [named(name) for name in names] for title, names in _SECTIONS.items()}
