"""The menu."""

from __future__ import annotations

from mailrubric.dashboard import pages


def test_every_page_stands_once_in_the_menu_and_the_ranking_first() -> None:
    listed = [name for names in pages._SECTIONS.values() for name in names]
    assert listed[0] == "ranking"
    assert sorted(listed) == sorted(pages._PAGES)
