"""Aspects: found where a clause speaks of them, with that clause's sentiment; never an exception."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.reviews import aspects as module
from mailrubric.reviews.aspects import ASPECTS, aspects, clauses, detect, mentions
from mailrubric.reviews.correction import share_positive
from mailrubric.reviews.sentiment import LABELS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great editor, but support never answers.", {"features": "positive", "support": "negative"}),
        ("The price is fair. The webmail is unreliable.", {"price": "positive", "reliability": "negative"}),
        ("Half of our mail landed in spam", {"deliverability": "negative"}),
        ("The API is excellent and well documented", {"integration": "positive"}),
        ("Very easy to use", {"ease_of_use": "positive"}),
        ("The web client is painfully slow", {"speed": "negative"}),
        ("Four days and still no reply from anyone.", {"support": "negative"}),
        ("Our bill went up by half.", {"price": "negative"}),
        ("All of it ends up in junk.", {"deliverability": "negative"}),
        ("The Zapier connector never worked for us.", {"integration": "negative"}),
        ("It was down again this morning.", {"reliability": "negative"}),
        ("Two-factor login for everybody, finally.", {"security": "positive"}),
        ("Cons: support is slow. Pros: easy to use", {"support": "negative", "ease_of_use": "positive"}),
        ("", {}),
        ("It is blue.", {}),
    ],
)
def test_each_clause_has_its_say(text: str, expected: dict[str, str]) -> None:
    found = aspects([text])[0]
    assert {name: found.get(name) for name in expected} == expected
    if not expected:
        assert found == {}


@pytest.mark.parametrize(
    ("text", "praised", "blamed"),
    [
        ("Easy to use but support is slow and emails bounce", "ease_of_use", "deliverability support"),
        ("Terrible. Emails land in spam and nobody replies to my tickets.", "", "deliverability support"),
        ("Support is friendly, but delivery is slow and the API keeps breaking.", "support", "integration speed"),
        ("The editor is great but the price is too high", "features", "price"),
        ("Great editor, awful support.", "features", "support"),
        ("Wonderful support, horrible prices.", "support", "price"),
        ("Clunky interface, rock-solid uptime.", "reliability", "ease_of_use"),
        (
            "The price is fair and support answers quickly, but half of our mail lands in spam.",
            "price support",
            "deliverability",
        ),
        ("The API is excellent, although the documentation is confusing.", "integration", "ease_of_use"),
        ("Setup was easy and emails arrive, but nobody answers our tickets.", "ease_of_use", "support"),
        ("I love the templates, but the app crashes and support ignores us.", "features", "reliability support"),
        ("Expensive, but support is excellent.", "support", "price"),
        (
            "Deliverability is great, however the dashboard is slow and confusing.",
            "deliverability",
            "ease_of_use speed",
        ),
        ("It is cheap, but the server goes down every week.", "price", "reliability"),
        ("Delivery rates are excellent but the reports are useless.", "deliverability", "features"),
    ],
)
def test_a_sentence_that_balances_leaves_each_aspect_its_own_label(text: str, praised: str, blamed: str) -> None:
    found = aspects([text])[0]
    assert {aspect: found.get(aspect) for aspect in praised.split()} == dict.fromkeys(praised.split(), "positive")
    assert {aspect: found.get(aspect) for aspect in blamed.split()} == dict.fromkeys(blamed.split(), "negative")


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("support is slow and emails bounce", ["support is slow", "emails bounce"]),
        ("the app crashes, and it is slow", ["the app crashes", "it is slow"]),
        (
            "we use it for mailings and receipts arrive within seconds",
            ["we use it for mailings", "receipts arrive within seconds"],
        ),
        ("great editor, awful support", ["great editor", "awful support"]),
        ("Support, delivery and price are great", ["Support, delivery and price are great"]),
        ("The editor and the templates are great", ["The editor and the templates are great"]),
        ("I like the editor and customer support", ["I like the editor and customer support"]),
        ("It has bugs and app crashes", ["It has bugs and app crashes"]),
        ("It has templates and segments that work", ["It has templates and segments that work"]),
        ("messages go to a queue and are kept", ["messages go to a queue and are kept"]),
        ("fast, reliable and cheap", ["fast, reliable and cheap"]),
        (", and", [", and"]),
        ("", []),
    ],
)
def test_clauses_are_parted_and_lists_of_nouns_are_not(sentence: str, parts: list[str]) -> None:
    assert clauses(sentence) == parts


def test_only_a_sentence_that_sets_clauses_against_each_other_is_a_contrast() -> None:
    def contrast(text: str) -> set[bool]:
        return {each.contrast for each in mentions(text)}

    assert contrast("Easy to use but support is slow") == {True}
    assert contrast("Great editor, awful support.") == {True}
    assert contrast("Support is slow and the price is high.") == {False}
    assert contrast("The price is fair.") == {False}


@pytest.mark.parametrize(
    ("clause", "spoken", "silent"),
    [
        ("fast support", "support", "speed"),
        ("support answered quickly", "support", "speed"),
        ("it has support for smtp and imap", "features", "support"),
        ("does it support hardware keys?", "security", "support"),
        ("the client supports dark mode", "features", "support"),
        ("the support team is kind", "support", "features"),
        ("this is priceless", "", "price"),
        ("the price doubled", "price", "reliability"),
        ("quick to set up", "ease_of_use", "speed"),
        ("the app is slow", "speed", "support"),
        ("two-factor is missing", "security", "deliverability"),
        ("easygoing colleagues", "", "ease_of_use"),
        ("the service went down twice", "reliability", "support"),
        ("webhooks work", "integration", "security"),
    ],
)
def test_a_word_counts_in_its_sense(clause: str, spoken: str, silent: str) -> None:
    found = detect(clause)
    assert silent not in found
    assert spoken in found or not spoken


def test_a_mention_knows_its_clause_and_its_side() -> None:
    text = "Pros: the editor is great.\nCons: the price is high, and support never answers."
    found = [(each.aspect, each.clause, each.side) for each in mentions(text)]
    assert ("features", "the editor is great", 1) in found
    assert ("price", "the price is high", -1) in found
    assert ("support", "support never answers", -1) in found


def test_a_sentence_that_implies_an_aspect_has_it_in_one_clause() -> None:
    text = "Ten days on the 4th, and not so much as an automatic reply."
    assert detect("Ten days on the 4th") == []
    assert [each.aspect for each in mentions(text)].count("support") == 1


@given(st.text(max_size=500))
@settings(max_examples=40, deadline=None)
def test_any_text_has_an_answer(text: str) -> None:
    found = aspects([text])
    assert aspects([text, "support is slow", text]) == [found[0], *aspects(["support is slow"]), found[0]]
    assert set(found[0]) <= set(ASPECTS)
    assert set(found[0].values()) <= set(LABELS)
    assert list(found[0]) == [each for each in ASPECTS if each in found[0]]


@pytest.mark.parametrize(
    "piece",
    [
        "a, ",
        "support is in ",
        "and the is ",
        "price, price but ",
        "emails never ",
        "spam. ",
        "- ",
        "!\n",
        "good, bad and ",
    ],
)
def test_a_text_of_a_megabyte_is_read_to_its_cap(piece: str) -> None:
    assert set(aspects([(piece * 1_000_000)[:1_000_000]])[0]) <= set(ASPECTS)
    assert len(mentions((piece * 1_000_000)[:1_000_000])) <= 120 * len(ASPECTS)


def test_gaps_of_any_width_are_one_space() -> None:
    wide = "Great editor," + " \u2003\t" * 3000 + "but support never answers."
    assert mentions(wide) == mentions("Great editor, but support never answers.") != []


def test_every_aspect_has_a_matrix_that_can_correct_a_share() -> None:
    assert set(module.CONFUSION) == set(ASPECTS)
    for matrix in module.CONFUSION.values():
        assert np.array(matrix).shape == (3, 3)
        value, low, high = share_positive((40, 10, 10), matrix)
        assert 0 <= low <= value <= high <= 1
        assert high - low < 1
    with pytest.raises(AttributeError):
        _ = module.NO_SUCH_NAME
