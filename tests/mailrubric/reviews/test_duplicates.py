"""Which reviews repeat others: planted ones are found, all of them and no others."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.reviews.duplicates import (
    REASONS,
    SHORTEST_TEXT,
    SIMILARITY,
    Duplicate,
    Key,
    duplicates,
    normalised,
    similarity,
)
from mailrubric.reviews.review import Review

LONG = "The setup took ten minutes and since then every message has arrived within seconds, even on Mondays."
OTHER = "Support answered after four days with a link to the very page that I had asked about. We left."


def review(number: object, text: str = LONG, source: str = "g2", **fields: object) -> Review:
    given_fields = {"vendor": "acme", "written": "2026-01-01", "rating": 5.0, "text": text, **fields}
    return Review(source=source, id=str(number), **given_fields)  # type: ignore[arg-type]


def reasons(*reviews: Review) -> dict[str, tuple[str, str]]:
    """Id → (id of the review that counts, reason), the same whatever the order."""
    found = duplicates(reviews)
    assert duplicates(reviews[::-1]) == found
    for each in found.values():
        assert each.of not in found
        assert each.reason in REASONS
    return {identifier: (each.of[1], each.reason) for (_, identifier), each in found.items()}


def test_nothing_repeats_in_different_reviews() -> None:
    assert reasons() == {}
    assert reasons(review(1), review(2, OTHER)) == {}


def test_the_same_text_again_counts_once_and_the_oldest_stays() -> None:
    later = {"written": "2026-02-01", "author": "b"}
    assert reasons(review(1, author="a"), review(2, **later)) == {"2": ("1", "same_text")}
    shouted = LONG.upper().replace(",", " —")
    assert reasons(review(1, author="a"), review(2, shouted, **later)) == {"2": ("1", "same_text")}
    assert reasons(review(1, written="", author="a"), review(2, **later)) == {"1": ("2", "same_text")}, "undated"


def test_a_few_words_changed_are_no_new_review() -> None:
    changed = LONG.replace("Mondays", "Sundays")
    assert similarity(LONG, changed) >= SIMILARITY
    assert reasons(review(1), review(2, changed, written="2026-02-01")) == {"2": ("1", "similar_text")}
    found = duplicates([review(1), review(2, changed, written="2026-02-01")])
    assert found["g2", "2"].similarity == pytest.approx(similarity(LONG, changed))


def test_syndicated_reviews_count_once() -> None:
    copy = review(2, source="capterra", written="2026-01-05", author="c1")
    assert reasons(review(1, author="g1"), copy) == {"2": ("1", "syndicated")}
    # Of the same day, the one with stars stays.
    assert reasons(review(1, rating=None), review(2, source="capterra")) == {"1": ("2", "syndicated")}


def test_many_people_may_say_the_same_in_a_few_words() -> None:
    assert len("Great product, easy to use") < SHORTEST_TEXT
    short = [review(number, "Great product, easy to use", written=f"2026-01-{number:02}") for number in range(1, 20)]
    assert reasons(*short) == {}
    assert reasons(*(review(number, "") for number in range(5)), review(9, "", author="a")) == {
        str(number): ("0", "repeated") for number in range(1, 5)
    }
    assert reasons(*(review(number, "", written="") for number in range(5))) == {}


def test_of_each_author_the_newest_counts_at_each_source() -> None:
    found = reasons(
        review(1, OTHER, author="a", written="2025-01-01", rating=1.0),
        review(2, LONG, author="a", written="2026-01-01"),
        review(3, "Fine.", author="a", written="2024-01-01"),
        review(4, "Also fine.", author="a", source="capterra"),
        review(5, "Good.", author="b"),
        review(6, "So so.", author=""),
        review(7, "Hm.", author=""),
    )
    assert found == {"1": ("2", "author"), "3": ("2", "author")}


def test_an_author_who_repeats_himself_leaves_his_newest() -> None:
    assert reasons(review(1, author="a"), review(2, author="a", written="2026-03-01")) == {"1": ("2", "author")}


def test_chains_end_at_a_review_that_counts() -> None:
    found = reasons(
        review(1, author="a", written="2026-01-01"),
        review(2, OTHER, author="a", written="2026-02-01"),
        review(3, OTHER, author="b", written="2025-01-01", source="capterra"),
    )
    assert found == {"1": ("3", "author"), "2": ("3", "syndicated")}


def test_a_copy_of_a_similar_review_is_similar_too() -> None:
    changed = LONG.replace("Mondays", "Sundays")
    found = duplicates(
        [review(1), review(2, changed, written="2026-02-01"), review(3, changed, written="2026-03-01", source="c")]
    )
    assert {key[1]: (each.of[1], each.reason) for key, each in found.items()} == {
        "2": ("1", "similar_text"),
        "3": ("1", "syndicated"),
    }
    assert found["c", "3"].similarity == found["g2", "2"].similarity < 1


def test_likeness_does_not_creep() -> None:
    words = [f"word{number}" for number in range(60)]
    texts = [" ".join(words[start : start + 40]) for start in range(0, 20, 2)]
    assert similarity(texts[0], texts[1]) >= SIMILARITY > similarity(texts[0], texts[-1])
    chain = [review(number, text, written=f"2026-01-{number + 1:02}") for number, text in enumerate(texts)]
    found = duplicates(chain)
    by_key = {(each.source, each.id): each.text for each in chain}
    assert 0 < len(found) < len(chain) - 1
    assert all(similarity(by_key[key], by_key[each.of]) >= SIMILARITY for key, each in found.items())


def test_reviews_of_several_vendors_are_refused() -> None:
    with pytest.raises(ValueError, match="one vendor at a time"):
        duplicates([review(1), review(2, vendor="other")])


def test_any_alphabet_and_odd_characters() -> None:
    japanese = "設定は十分で終わり、それ以来すべてのメールが数秒以内に届いています。" * 2
    assert reasons(review(1, japanese), review(2, japanese + "！", written="2026-02-01")) == {"2": ("1", "same_text")}
    odd = "\ud800\udfff \x00 " * 30 + LONG
    assert reasons(review(1, odd), review(2, odd, written="2026-02-01")) == {"2": ("1", "same_text")}
    assert reasons(review(1, "?!… " * 100), review(2, "--- " * 100)) == {}


# --- against the plain way --------------------------------------------------------------------------------------------

_SENTENCE = """mail arrives fast support slow price high setup easy never again api docs spam team works dashboard
            export template webhook domain bounce list campaign editor report"""
_WORDS = _SENTENCE.split()


def _text(random_numbers: random.Random, words: int) -> str:
    return " ".join(random_numbers.choice(_WORDS) + random.Random(random_numbers.random()).choice(["", "s", "ing"])
                    for _ in range(words))  # fmt: skip


def _edited(random_numbers: random.Random, text: str, changes: int) -> str:
    words = text.split()
    for _ in range(changes):
        place = random_numbers.randrange(len(words))
        words[place : place + random_numbers.randrange(2)] = random_numbers.choice([[], ["really"], ["indeed", "so"]])
        words = words or ["x"]
    return " ".join(words)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.integers(2, 20))
def test_marked_pairs_are_alike_and_unmarked_ones_are_not(seed: int, count: int) -> None:
    numbers = random.Random(seed)
    texts = [_text(numbers, numbers.randrange(8, 40)) for _ in range(count)]
    texts += [_edited(numbers, numbers.choice(texts), numbers.randrange(6)) for _ in range(count)]
    reviews = [review(number, text, written=f"2026-01-01T00:00:{number % 60:02}Z") for number, text in enumerate(texts)]
    found = duplicates(reviews)
    by_key: dict[Key, Review] = {(each.source, each.id): each for each in reviews}
    for key, each in found.items():
        assert each.similarity == pytest.approx(similarity(by_key[key].text, by_key[each.of].text), abs=1e-3)
        assert each.similarity >= SIMILARITY
    kept = [each for key, each in by_key.items() if key not in found and len(normalised(each.text)) >= SHORTEST_TEXT]
    # A pair just at the limit may be missed once in 600 times, a clear one must not be.
    for number, one in enumerate(kept):
        for other in kept[number + 1 :]:
            assert similarity(one.text, other.text) < 0.88


@pytest.mark.slow
def test_planted_duplicates_among_20_000_reviews() -> None:
    numbers = random.Random(7)
    # Texts that go on like real ones: which words follow which is fixed.
    follows: dict[str, list[str]] = defaultdict(list)
    vocabulary = [
        "".join(numbers.choice("abcdefghilmnoprstu") for _ in range(numbers.randrange(2, 9))) for _ in range(3_000)
    ]
    for word in vocabulary:
        follows[word] = numbers.sample(vocabulary, 12)

    def written() -> str:
        word, words = numbers.choice(vocabulary), []
        for _ in range(numbers.randrange(12, 80)):
            words.append(word)
            word = numbers.choice(follows[word])
        return " ".join(words)

    base = [review(number, written(), author=f"a{number}") for number in range(18_000)]
    planted: dict[Key, Key] = {}
    copies = []
    for number in range(2_000):
        original = numbers.choice(base)
        text = _edited(numbers, original.text, max(1, len(original.text.split()) // 20))
        source = numbers.choice(["g2", "capterra"])
        copy = review(f"copy{number}", text, source=source, written="2026-03-01", author=f"b{number}")
        copies.append(copy)
        if similarity(text, original.text) >= SIMILARITY:
            planted[copy.source, copy.id] = (original.source, original.id)
    found = duplicates([*base, *copies])
    texts = {(each.source, each.id): each.text for each in [*base, *copies]}
    assert len(planted) > 1_000
    recall = sum(key in found for key in planted) / len(planted)
    wrong = [key for key, each in found.items() if similarity(texts[key], texts[each.of]) < SIMILARITY]
    assert recall > 0.995
    assert wrong == []


@pytest.mark.slow
def test_made_up_texts_that_share_much_cost_bounded_work() -> None:
    # Texts of which each is two thirds the same as the others: all in the same bands, none alike.
    numbers = random.Random(3)
    shared = " ".join(_WORDS)
    reviews = [
        review(
            number, f"{shared} {''.join(numbers.choice('abcdefghijklmnop') for _ in range(70))}", author=f"a{number}"
        )
        for number in range(1_000)
    ]
    assert duplicates(reviews) == {}


def test_what_is_given() -> None:
    assert Duplicate(("g2", "1"), "author").similarity == 1.0
