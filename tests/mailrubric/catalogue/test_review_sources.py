"""The section ``reviews`` of a vendor profile: where people write about a vendor."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailrubric.catalogue.load import check, load

HEAD = "id: acme\nname: Acme\ncategory: mailbox\n"
SAID = "source: https://a.example, as_of: 2026"


@pytest.fixture
def profile(tmp_path: Path):
    (tmp_path / "vendors").mkdir()

    def write(text: str) -> Path:
        (tmp_path / "vendors" / "acme.yaml").write_text(HEAD + text)
        return tmp_path

    return write


def messages(folder: Path) -> list[str]:
    return [f"{problem.line}: {problem.key}: {problem.message}" for problem in check([folder])]


def test_a_profile_without_the_section_is_searched_by_its_name_only(profile):
    sources = load([profile("")]).vendors["acme"].reviews
    assert sources.apple == sources.google_play == sources.stack_exchange == ()
    assert sources.hacker_news.names == ()
    assert sources.hacker_news.context is None
    assert sources.hacker_news.exact is False


def test_a_whole_section(profile):
    folder = profile(
        f"reviews:\n  apple: [{{id: '931370077', countries: [us, de], {SAID}}}]\n"
        f"  google_play: [{{id: com.acme.mail, {SAID}}}]\n"
        f"  stack_exchange: [{{site: serverfault, tag: acme-mail, {SAID}}}]\n"
        "  hacker_news: {names: [Acme Mail], context: [], exact: true}\n"
    )
    assert messages(folder) == []
    sources = load([folder]).vendors["acme"].reviews
    assert (sources.apple[0].id, sources.apple[0].countries) == ("931370077", ("us", "de"))
    assert (sources.google_play[0].id, sources.google_play[0].language) == ("com.acme.mail", "en")
    assert (sources.stack_exchange[0].site, sources.stack_exchange[0].tag) == ("serverfault", "acme-mail")
    assert sources.hacker_news.context == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"  apple: [{{id: 931370077, {SAID}}}]", "reviews.apple[0].id: expected a text, got 931370077"),
        (f"  apple: [{{id: id9, {SAID}}}]", "reviews.apple[0].id: "),
        ("  apple: [{id: '931370077', as_of: 2026}]", "reviews.apple[0].source: this key is missing"),
        (f"  apple: [{{id: '9313', countries: [UK], {SAID}}}]", "reviews.apple[0].countries[0]: "),
        (f"  apple: [{{id: '9313', countries: [], {SAID}}}]", "reviews.apple[0].countries: "),
        (f"  google_play: [{{id: acme, {SAID}}}]", "reviews.google_play[0].id: "),
        (f"  stack_exchange: [{{tag: Acme Mail, {SAID}}}]", "reviews.stack_exchange[0].tag: "),
        (
            "  google_play: [{id: com.acme, source: 'https://u:p@a.example', as_of: 2026}]",
            "reviews.google_play[0].source: must not hold a user name or password",
        ),
        (
            "  stack_exchange: [{tag: acme, source: https://a.example, as_of: 2026-13-01}]",
            "reviews.stack_exchange[0].as_of: there is no such date",
        ),
        ("  reddit: acme", "reviews.reddit: unknown key; expected apple, google_play"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(profile, line, expected):
    found = messages(profile(f"reviews:\n{line}\n"))
    assert len(found) == 1
    assert found[0].startswith(f"5: {expected}")
