"""Repeated reviews: how many planted near copies are found among many reviews, and what it costs.

python -m bench duplicates
"""

from __future__ import annotations

import random
import time
from collections import Counter
from itertools import accumulate

from bench.measuring import progress
from bench.tables import Table
from mailrubric.reviews.duplicates import SHORTEST_TEXT, SIMILARITY, Key, duplicates, normalised, similarity
from mailrubric.reviews.review import Review

SIZES = (10_000, 100_000)
COPIES = 0.1
BANDS = (0.8, 0.85, 0.9, 0.95)
WORDS, FOLLOWERS = 8_000, 25


class Writer:
    """Texts of made-up words in which, as in English, few words are most of the text and each is followed by few."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgk"
        lengths = [2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10]
        words: dict[str, None] = {}
        while len(words) < WORDS:
            words["".join(self.random.choice(letters) for _ in range(self.random.choice(lengths)))] = None
        self._words = list(words)
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(WORDS)))
        self._follow = {word: self._common(FOLLOWERS) for word in self._words}

    def _common(self, count: int) -> list[str]:
        return self.random.choices(self._words, cum_weights=self._weights, k=count)

    def text(self) -> str:
        """8 to 120 words."""
        found = self._common(1)
        for _ in range(int(self.random.triangular(8, 120, 30))):
            found.append(self.random.choice(self._follow[found[-1]]))
        return " ".join(found)

    def copy(self, text: str) -> str:
        """The text with up to an eighth of its words left out, changed or added."""
        words = text.split()
        for _ in range(self.random.randint(1, max(1, len(words) // 8))):
            place = self.random.randrange(len(words))
            words[place : place + self.random.randrange(2)] = self._common(self.random.randrange(2))
            words = words or self._common(1)
        return " ".join(words)


def problem(count: int, seed: int = 1) -> tuple[list[Review], dict[Key, float]]:
    """Reviews of one vendor, a tenth of them near copies of others; the copies that are alike enough to be found, with
    their similarity."""
    writer = Writer(seed)
    originals = [
        Review("acme", "g2", str(number), f"2024-01-{1 + number % 28:02}", 5.0, "", writer.text(), f"a{number}")
        for number in range(round(count * (1 - COPIES)))
    ]
    copies, planted = [], {}
    for number in range(count - len(originals)):
        original = writer.random.choice(originals)
        source = ("g2", "capterra")[number % 2]
        copy = Review("acme", source, f"c{number}", "2025-01-01", 4.0, "", writer.copy(original.text), f"b{number}")
        copies.append(copy)
        alike = similarity(copy.text, original.text)
        if alike >= SIMILARITY and min(len(normalised(each.text)) for each in (copy, original)) >= SHORTEST_TEXT:
            planted[copy.source, copy.id] = alike
    reviews = [*originals, *copies]
    writer.random.shuffle(reviews)
    return reviews, planted


def table() -> Table:
    """Measure."""
    bands = [f"{low:g} to {high:g}" for low, high in zip(BANDS, (*BANDS[1:], 1), strict=True)]
    result = Table(
        ("reviews", *(f"found, {band}" for band in bands), "marked wrongly", "seconds of computing"),
        f"Made-up reviews of 8 to 120 words (about {_mean_length()} characters), a tenth of them copies of others with "
        "up to an eighth of the words left out, changed or added. Found of those planted, by Jaccard similarity of "
        f"five-character shingles; from {SIMILARITY:g} on a text is a copy.",
    )
    for count in SIZES:
        progress(f"duplicates: {count:,}")
        reviews, planted = problem(count)
        began = time.process_time()
        found = duplicates(reviews)
        seconds = time.process_time() - began
        there = Counter(map(_band, planted.values()))
        seen = Counter(_band(alike) for key, alike in planted.items() if key in found)
        texts = {(each.source, each.id): each.text for each in reviews}
        mistakes = sum(similarity(texts[key], texts[each.of]) < SIMILARITY for key, each in found.items())
        cells = [f"{seen[band]:,} of {there[band]:,}" for band in range(len(BANDS))]
        result.rows.append((f"{count:,}", *cells, f"{mistakes:,}", f"{seconds:.1f}"))
    return result


def _band(alike: float) -> int:
    return max(place for place, low in enumerate(BANDS) if alike >= low)


def _mean_length() -> int:
    writer = Writer(0)
    return round(sum(len(writer.text()) for _ in range(2_000)) / 2_000 / 10) * 10
