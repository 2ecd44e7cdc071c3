"""The benchmark of repeated reviews: what it plants is there to be found."""

from __future__ import annotations

from bench.duplicates import BANDS, Writer, problem
from mailrubric.reviews.duplicates import duplicates


def test_what_is_planted_is_alike_and_found() -> None:
    reviews, planted = problem(1_000)
    assert len(reviews) == 1_000
    assert len({(each.source, each.id) for each in reviews}) == 1_000
    assert len(planted) > 50
    assert min(planted.values()) >= BANDS[0]
    found = duplicates(reviews)
    assert len(planted.keys() - found.keys()) <= 1
    # Texts that were not planted are not alike by chance.
    assert len(found.keys() - planted.keys()) <= 1


def test_texts_are_the_same_for_a_seed_and_different_in_themselves() -> None:
    one, other = Writer(3), Writer(3)
    texts = [one.text() for _ in range(200)]
    assert texts == [other.text() for _ in range(200)]
    assert len(set(texts)) == 200
