"""Which reviews repeat another one and so must not count twice.

Nothing is deleted: a repeated review is marked with the one that it repeats and with the reason.

Texts are compared as sets of five-character shingles (Broder 1997, "On the resemblance and containment of documents")
by their Jaccard similarity, computed exactly. Which pairs are compared at all comes from MinHash signatures in bands
(Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4): a pair whose similarity is just 0.8 shares
none of the 16 bands of 5 hashes once in 600 times, one of 0.9 never in practice. The hashes are fixed, so the same
reviews give the same answer everywhere.
"""

from __future__ import annotations

import dataclasses
import heapq
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
_BANDS, _ROWS = 16, 5
_CHUNK_CHARACTERS = 200_000  # of texts whose shingles are made at once
# These two bound the work that made-up texts can cause.
_LONGEST_LIST = 200  # texts of one band
_MOST_CANDIDATES = 100  # texts that one is compared with, those that share the most bands


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
    100,000 reviews take about five seconds of computing and 200 MB.
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
    same: dict[str, list[Review]] = {}
    for review in ordered:
        text = normalised(review.text or review.title)
        if len(text) >= SHORTEST_TEXT:
            same.setdefault(text, []).append(review)
    different = list(same.values())
    for original, *copies in different:
        for review in copies:
            yield (review.source, review.id), _of_text(review, original, 1.0)
    for later, earlier, how_much in _similar_pairs(list(same)):
        for review in different[later]:  # its copies too: they repeat what their own original repeats
            yield (review.source, review.id), _of_text(review, different[earlier][0], how_much)


def _of_text(review: Review, original: Review, how_much: float) -> Duplicate:
    reason: Reason = "same_text" if how_much == 1.0 else "similar_text"
    if review.source != original.source:
        reason = "syndicated"
    return Duplicate((original.source, original.id), reason, how_much)


def _similar_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(later, earlier, similarity): for each text that is like an earlier one, the most similar of those that are not
    like one before themselves, so that likeness does not creep from text to text."""
    groups = _groups(_band_keys(texts))
    members = sorted(groups)
    sets: dict[int, npt.NDArray[np.uint32]] = {}
    index: dict[int, list[int]] = {}
    for number, shingles in zip(members, _sets([texts[member] for member in members]), strict=True):
        shared = Counter(chain.from_iterable(index.get(group, ()) for group in groups[number]))
        # A set whose size is too different can't be similar enough, whatever is in it.
        smallest, largest = SIMILARITY * len(shingles), len(shingles) / SIMILARITY
        candidates = [each for each in shared if smallest <= len(sets[each]) <= largest]
        if len(candidates) > _MOST_CANDIDATES:
            candidates = heapq.nsmallest(_MOST_CANDIDATES, candidates, key=lambda each: (-shared[each], each))
        best, most = _most_similar(shingles, sorted(candidates), sets)
        if most >= SIMILARITY:
            yield number, best, most
            continue
        sets[number] = shingles
        for group in groups[number]:
            under = index.setdefault(group, [])
            if len(under) < _LONGEST_LIST:
                under.append(number)


def _groups(keys: npt.NDArray[np.uint64]) -> dict[int, list[int]]:
    """Text → the groups it is in; a group is the texts that have one band in common. Texts alone are left out."""
    found: dict[int, list[int]] = defaultdict(list)
    last = 0
    for band in keys.T:
        _, which, counts = np.unique(band, return_inverse=True, return_counts=True)
        for number in np.flatnonzero(counts[which] > 1).tolist():
            found[number].append(last + int(which[number]))
        last += len(counts)
    return found


def _band_keys(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """A number for each text and band that is the same where all MinHashes of the band are."""
    # Linear permutations (Broder and others 2000); the shingles' hashes are mixed well already.
    numbers = np.random.Generator(np.random.PCG64(20_261_122)).integers(
        0, 1 << 32, (2, _BANDS * _ROWS), dtype=np.uint32
    )
    factors, offsets = numbers[0] | np.uint32(1), numbers[1]
    mixers = np.array(_FACTORS, dtype=np.uint64)
    found = np.zeros((len(texts), _BANDS), dtype=np.uint64)
    for first, hashes, starts in _chunks(texts):
        least = np.empty((_BANDS * _ROWS, len(starts)), dtype=np.uint64)
        for place, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
            least[place] = np.minimum.reduceat(hashes * factor + offset, starts)
        bands = least.reshape(_BANDS, _ROWS, len(starts))
        found[first : first + len(starts)] = np.einsum("brt,r->tb", bands, mixers)  # modulo 2^64
    return found


def _sets(texts: Sequence[str]) -> Iterator[npt.NDArray[np.uint32]]:
    """The shingles of each text, each once, in order."""
    for _, hashes, starts in _chunks(texts):
        for start, end in pairwise([*starts.tolist(), len(hashes)]):
            yield np.unique(hashes[start:end])


def _most_similar(
    shingles: npt.NDArray[np.uint32], candidates: Sequence[int], sets: Mapping[int, npt.NDArray[np.uint32]]
) -> tuple[int, float]:
    """The candidate with the highest Jaccard similarity, the first of several, and the similarity; (-1, 0) for none."""
    if not candidates:
        return -1, 0.0
    others = [sets[each] for each in candidates]
    sizes = np.array([len(each) for each in others])
    flat = np.concatenate(others)
    places = np.minimum(np.searchsorted(shingles, flat), len(shingles) - 1)
    common = np.add.reduceat(shingles[places] == flat, np.concatenate(([0], np.cumsum(sizes)[:-1])), dtype=np.int64)
    similarities = common / (len(shingles) + sizes - common)
    best = int(np.argmax(similarities))
    return candidates[best], float(similarities[best])


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, npt.NDArray[np.uint32], npt.NDArray[np.intp]]]:
    """(number of the first text, hashes of the shingles of some texts one after the other, where each text's begin)."""
    first = 0
    while first < len(texts):
        last, characters = first, 0
        while last < len(texts) and characters < _CHUNK_CHARACTERS:
            characters += len(texts[last])
            last += 1
        some = texts[first:last]
        letters = np.frombuffer("".join(some).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
        lengths = np.array([len(text) for text in some])
        count = len(letters) - _SHINGLE + 1
        mixed = np.zeros(count, dtype=np.uint64)
        for place, factor in enumerate(_FACTORS):
            mixed += letters[place : place + count] * np.uint64(factor)  # modulo 2^64
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(_FACTORS[0])
        ends = np.cumsum(lengths)
        # A shingle lies within one text when no other begins in it.
        inside = np.ones(count, dtype=bool)
        for back in range(1, _SHINGLE):
            inside[ends[:-1] - back] = False
        starts = np.concatenate(([0], np.cumsum(lengths - _SHINGLE + 1)[:-1]))
        yield first, (mixed[inside] >> np.uint64(32)).astype(np.uint32), starts
        first = last
