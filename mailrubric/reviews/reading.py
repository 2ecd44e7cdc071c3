"""What the classifier says of texts: asked once for each text, kept in memory and in the evidence store.

To classify is by far the slowest step from reviews to figures. What it says of a text depends on nothing but the text
and the classifier, so it is kept under the SHA-256 of the one and the identity of the other. A kept answer is only ever
a shortcut: where the store can't be read or written, or holds what can't be understood, the text is classified.
"""

from __future__ import annotations

import functools
import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from mailrubric.reviews import aspects as aspects_module
from mailrubric.reviews import model
from mailrubric.reviews.aspects import aspects as aspects_of
from mailrubric.reviews.sentiment import LABELS, Sentiment, classify

if TYPE_CHECKING:
    from mailrubric.evidence.store import Store

Reading = tuple[Sentiment, Mapping[str, str]]
"""Sentiment of a text, and aspect → label of what it speaks of."""

Reader = Callable[[Sequence[str]], list[Reading]]
"""Gives the reading of each text, in order."""

_CODE = ("aspects.py", "language.py", "sentiment.py", "vocabulary.py")
"""What decides a reading, beside the model's file."""

_MOST_IN_MEMORY = 200_000
_AT_ONCE = 1_000
"""Texts that are classified and then stored at once: so many are lost at most when somebody stops it."""

_memory: dict[bytes, Reading] = {}


def _hash_of_code() -> str:
    try:
        content = [resources.files("mailrubric.reviews").joinpath(name).read_bytes() for name in _CODE]
    except OSError:
        return ""
    return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in content)).hexdigest()


_code = _hash_of_code()
"""Taken when the code is loaded: what lies on the disk later may be another version than the one that runs."""


def classifier() -> str:
    """Identity of the classifier: the model's version and a hash over its weights and over the code that reads texts.

    Code counts whole, comments too: to classify once too often costs time, to keep an answer of other code would be an
    error that nobody sees. "" when the code can't be read (an installation without sources): then nothing is kept.
    """
    if not _code:
        return ""
    found = hashlib.sha256(f"{model.SHA256} {_code} {unicodedata.unidata_version}".encode("ascii"))
    return f"{model.VERSION}-{found.hexdigest()[:32]}"


def read(texts: Sequence[str]) -> list[Reading]:
    """The reading of each text; what was read before comes from memory."""
    return _read(texts, None)


def keeping(store: Store) -> Reader:
    """A reader that asks the store before the classifier and stores what it had to classify.

    After the first fault of the store (it is read-only, busy, damaged or gone) it leaves the store alone.
    """
    return functools.partial(_read, kept=_Kept(store))


def _read(texts: Sequence[str], kept: _Kept | None) -> list[Reading]:
    identity = classifier()
    salt = identity.encode("ascii")
    keys = [key_of(text) for text in texts]
    known = {key: found for key in keys if (found := _memory.get(salt + key)) is not None}
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    new: dict[bytes, Reading] = {}
    if missing and kept is not None and identity:
        new = kept.look_up(identity, list(missing))
    left = [(key, text) for key, text in missing.items() if key not in new]
    for start in range(0, len(left), _AT_ONCE):
        some = left[start : start + _AT_ONCE]
        words = [text for _, text in some]
        answers = {
            key: (sentiment, about)
            for (key, _), sentiment, about in zip(some, classify(words), aspects_of(words), strict=True)
        }
        if kept is not None and identity:
            kept.add(identity, answers)
        new |= answers
    if len(_memory) + len(new) > _MOST_IN_MEMORY:
        _memory.clear()
    _memory.update((salt + key, each) for key, each in new.items())
    known |= new
    return [known[key] for key in keys]


def key_of(text: str) -> bytes:
    """SHA-256 of a text, lone surrogates included."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class _Kept:
    """The readings in a store, for as long as it works."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._readable = self._writable = True

    def look_up(self, identity: str, keys: Sequence[bytes]) -> dict[bytes, Reading]:
        """Those of these texts that are kept and understood."""
        from mailrubric.evidence.store import StoreError

        if not self._readable:
            return {}
        try:
            found = self._store.classified(identity, keys)
        except StoreError:
            self._readable = self._writable = False
            return {}
        return {key: each for key, packed in found.items() if (each := unpacked(packed)) is not None}

    def add(self, identity: str, readings: Mapping[bytes, Reading]) -> None:
        """Keep them, if the store takes them."""
        from mailrubric.evidence.store import StoreError

        if not self._writable:
            return
        try:
            self._store.add_classified(identity, {key: packed(each) for key, each in readings.items()})
        except StoreError:
            self._writable = False


def packed(reading: Reading) -> str:
    """A reading as it is stored: compact JSON, ``[label, [positive, neutral, negative], {aspect: label}]``."""
    sentiment, about = reading
    return json.dumps([sentiment.label, sentiment.probabilities, dict(about)], separators=(",", ":"))


def unpacked(text: str) -> Reading | None:
    """A stored reading, exactly as it was; None for anything else, which somebody else must have written."""
    try:
        label, probabilities, about = json.loads(text)
        positive, neutral, negative = probabilities
        numbers = all(type(each) is float and 0.0 <= each <= 1.0 for each in probabilities)
        named = all(name in aspects_module.ASPECTS and how in LABELS for name, how in about.items())
        if label in LABELS and numbers and named:
            return Sentiment(label, (positive, neutral, negative)), about
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return None
