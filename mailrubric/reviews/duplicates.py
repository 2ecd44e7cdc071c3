"""Which reviews repeat another one and so must not count twice.

Nothing is deleted: a repeated review is marked with the one that it repeats and with the reason.

Texts are compared as sets of five-character shingles (Broder 1997, "On the resemblance and containment of documents")
by their Jaccard similarity. Which pairs are compared at all comes from prefix filtering (Chaudhuri, Ganti and Kaushik
2006; Bayardo, Ma and Srikant 2007): shingles in one order for all texts, the rarest first; two sets as similar as asked
share at least one shingle among the first n - ceil(similarity × n) + 1 of each. So no pair is missed, unlike with
MinHash, except among more than a thousand different texts that share their rarest words.
"""

from __future__ import annotations

import dataclasses
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mailrubric.reviews.review import Review

Key = tuple[str, str]
"""(source, id) of a review."""

Reason = Literal["repeated", "author", "same_text", "similar_text", "syndicated"]

REASONS: dict[str, str] = {
    "repeated": "the same text, rating, date and author once more at the same source",
    "author": "an older review by an author who has written a newer one at the same source",
    "same_text": "the same text as an older review at the same source",
    "similar_text": "nearly the same text as an older review at the same source",
    "syndicated": "the same or nearly the same text as a review at another source",
}
"""Reason → what it means, for people."""

SIMILARITY = 0.8
"""Jaccard similarity of shingles from which on two texts are one."""

SHORTEST_TEXT = 40
"""Characters from which on a text is compared with others: many people write «Great product», each for themselves."""

LONGEST_TEXT = 5_000
"""Characters of a text that are compared."""

_SHINGLE = 5
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD)
_CHUNK_TEXTS = 1 << 12  # whose shingles are made at once; 12 bits in the keys of _ranked
_CHUNK_CHARACTERS = 500_000
_BUCKETS = 1 << 22  # of the table of how often a shingle occurs; sharing one only makes it look more frequent
_MOST_OFTEN = (1 << 20) - 1  # 20 bits in the keys of _ranked
# These two bound the work that made-up texts can cause.
_LONGEST_LIST = 1_000  # texts under one shingle
_MOST_CANDIDATES = 100  # texts that one is compared with, those with the most rare shingles in common


@dataclasses.dataclass(frozen=True, slots=True)
class Duplicate:
    """``of``: (source, id) of the review that counts instead; itself never a duplicate. ``reason``: see ``REASONS``.
    ``similarity``: of the two texts, 0 to 1; 1 where texts did not decide."""

    of: Key
    reason: Reason
    similarity: float = 1.0


def duplicates(reviews: Sequence[Review]) -> dict[Key, Duplicate]:
    """The reviews that must not count, by (source, id): what each repeats and why.

    ``reviews``: of one vendor (``ValueError`` otherwise), in any order, which the answer does not depend on. Of each
    author the newest review at a source counts; among texts that are one the oldest counts, before an undated one.
    100,000 reviews take a few seconds and about 300 MB.
    """
    if len({review.vendor for review in reviews}) > 1:
        raise ValueError("reviews of one vendor at a time: the same words about two vendors are two reviews")
    one_each = {(review.source, review.id): review for review in reviews}
    ordered = sorted(one_each.values(), key=_oldest_first)
    found: dict[Key, Duplicate] = {}
    ordered = _without(ordered, found, _repeated(ordered))
    ordered = _without(ordered, found, _older_of_author(ordered))
    _without(ordered, found, _similar(ordered))
    return {key: dataclasses.replace(each, of=_last(found, each.of)) for key, each in found.items()}


def _without(reviews: list[Review], found: dict[Key, Duplicate], more: Iterator[tuple[Key, Duplicate]]) -> list[Review]:
    found.update(more)
    return [review for review in reviews if (review.source, review.id) not in found]


def _last(found: dict[Key, Duplicate], key: Key) -> Key:
    """The review that counts in the end. Each step marks only what the steps before it left, so this ends."""
    while key in found:
        key = found[key].of
    return key


def _oldest_first(review: Review) -> tuple[Any, ...]:
    # Where nothing else decides, the review that says more about itself stays.
    return not review.written, review.written, review.rating is None, not review.author, review.source, review.id


def _repeated(ordered: Sequence[Review]) -> Iterator[tuple[Key, Duplicate]]:
    first: dict[tuple[Any, ...], Key] = {}
    for review in ordered:
        if not review.written and not review.author:
            continue  # nothing tells two people apart who say the same in a few words
        content = (review.source, review.written, review.author, review.rating, review.title, review.text)
        key = (review.source, review.id)
        original = first.setdefault(content, key)
        if original != key:
            yield key, Duplicate(original, "repeated")


def _older_of_author(ordered: Sequence[Review]) -> Iterator[tuple[Key, Duplicate]]:
    by_author: dict[tuple[str, str], list[Review]] = defaultdict(list)
    for review in ordered:
        if review.author:
            by_author[review.source, review.author].append(review)
    for written in by_author.values():
        if len(written) > 1:
            newest = max(written, key=lambda review: (review.written, review.rating is not None, review.id))
            for review in written:
                if review is not newest:
                    yield (review.source, review.id), Duplicate((newest.source, newest.id), "author")


# --- texts ------------------------------------------------------------------------------------------------------------

_NO_LETTER = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """The words of a text as they are compared: compatibility forms, letter case, punctuation and spacing gone."""
    return _NO_LETTER.sub(" ", unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).casefold()).strip()


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of the shingles of two texts, 0 to 1, computed plainly (to check the fast way against)."""
    left, right = _plain_shingles(normalised(one)), _plain_shingles(normalised(other))
    return len(left & right) / len(left | right) if left or right else 0.0


def _plain_shingles(text: str) -> set[str]:
    return {text[start : start + _SHINGLE] for start in range(len(text) - _SHINGLE + 1)}


def _similar(ordered: Sequence[Review]) -> Iterator[tuple[Key, Duplicate]]:
    originals: dict[str, Review] = {}
    for review in ordered:
        text = normalised(review.text or review.title)
        if len(text) < SHORTEST_TEXT:
            continue
        original = originals.setdefault(text, review)
        if original is not review:
            yield (review.source, review.id), _of_text(review, original, 1.0)
    different = list(originals.values())
    for later, earlier, how_much in _similar_pairs(list(originals)):
        review = different[later]
        yield (review.source, review.id), _of_text(review, different[earlier], how_much)


def _of_text(review: Review, original: Review, how_much: float) -> Duplicate:
    reason: Reason = "same_text" if how_much == 1.0 else "similar_text"
    if review.source != original.source:
        reason = "syndicated"
    return Duplicate((original.source, original.id), reason, how_much)


def _similar_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(later, earlier, similarity): for each text that is like an earlier one, the most similar of those that are not
    like one before themselves, so that likeness does not creep from text to text."""
    how_often = np.zeros(_BUCKETS, dtype=np.int64)
    for _, hashes, _ in _chunks(texts):
        how_often += np.bincount(_bucket(hashes), minlength=_BUCKETS)
    sets: dict[int, npt.NDArray[np.uint32]] = {}
    index: dict[int, list[int]] = {}
    for number, (shingles, rarest) in enumerate(_ranked(texts, how_often)):
        shared = Counter(chain.from_iterable(index.get(shingle, ()) for shingle in rarest))
        best, most = -1, 0.0
        for candidate, _ in shared.most_common(_MOST_CANDIDATES):
            how_much = _jaccard(shingles, sets[candidate], most)
            if how_much > most or (how_much == most and candidate < best):
                best, most = candidate, how_much
        if most >= SIMILARITY:
            yield number, best, most
            continue
        sets[number] = shingles
        for shingle in rarest:
            under = index.setdefault(shingle, [])
            if len(under) < _LONGEST_LIST:
                under.append(number)


def _jaccard(one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32], at_least: float) -> float:
    small, large = sorted((len(one), len(other)))
    if small < max(SIMILARITY, at_least) * large:
        return 0.0  # one set is too small for that, whatever is in it
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (small + large - common)


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, npt.NDArray[np.uint32], npt.NDArray[np.uint64]]]:
    """(number of the first text, hashes of the shingles of some texts, which of these texts each belongs to)."""
    first = 0
    while first < len(texts):
        last, characters = first, 0
        while last < len(texts) and last - first < _CHUNK_TEXTS and characters < _CHUNK_CHARACTERS:
            characters += len(texts[last])
            last += 1
        some = texts[first:last]
        letters = np.frombuffer("".join(some).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
        owners = np.repeat(np.arange(len(some), dtype=np.uint64), [len(text) for text in some])
        count = len(letters) - _SHINGLE + 1
        mixed = np.zeros(max(count, 0), dtype=np.uint64)
        for place, factor in enumerate(_FACTORS):
            mixed += letters[place : place + count] * np.uint64(factor)  # modulo 2^64
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(_FACTORS[0])
        inside = owners[:count] == owners[_SHINGLE - 1 :]  # not across two texts
        yield first, (mixed[inside] >> np.uint64(32)).astype(np.uint32), owners[:count][inside]
        first = last


def _bucket(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
    return (hashes & np.uint32(_BUCKETS - 1)).astype(np.intp)


def _ranked(
    texts: Sequence[str], how_often: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.uint32], list[int]]]:
    """For each text all its shingles, and the rarest of them among which a similar text must have one too, without
    those that no other text has."""
    bits = np.uint64(32)
    for _, hashes, owners in _chunks(texts):
        rarity = np.minimum(how_often[_bucket(hashes)], _MOST_OFTEN).astype(np.uint64)
        # One number a shingle, so that one sort groups by text, puts the rarest first and brings equal ones together.
        keys = np.sort((owners << np.uint64(52)) | (rarity << bits) | hashes)
        keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))]
        ends = np.searchsorted(keys >> np.uint64(52), np.arange(int(owners[-1]) + 2, dtype=np.uint64))
        for start, end in pairwise(ends.tolist()):
            size = end - start
            rarest = keys[start : start + size - math.ceil(SIMILARITY * size) + 1]
            rarest = rarest[(rarest >> bits) & np.uint64(_MOST_OFTEN) > 1]
            yield keys[start:end].astype(np.uint32), rarest.astype(np.uint32).tolist()
