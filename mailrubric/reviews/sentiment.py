"""Sentiment of texts about mail products: positive, neutral or negative, with probabilities.

A multinomial logistic regression over hashed n-grams and a few figures (:mod:`mailrubric.reviews.language`), trained by
``bench/sentiment/train.py`` and shipped as plain arrays. What it was trained on, how well it does and where it fails
stands in docs/sentiment-model.md. It needs numpy, no network and no model hub.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from mailrubric.reviews import language
from mailrubric.reviews.model import SHA256

Label = Literal["positive", "neutral", "negative"]
Matrix = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]

LABELS: Final[tuple[Label, Label, Label]] = ("positive", "neutral", "negative")
"""In the order of every probability and of rows and columns of every confusion matrix."""

FILE: Final = Path(__file__).with_name("sentiment.npz")

_AT_ONCE: Final = 512
_DIGITS: Final = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Sentiment:
    """``probabilities``: of positive, neutral and negative; they sum to one. ``label``: the likeliest of the three."""

    label: Label
    probabilities: tuple[float, float, float]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Model:
    """``weights``: buckets × 3; ``idf``: buckets, 0 where the training saw nothing; ``blocks``: how much the n-grams of
    words and of characters weigh; ``figures``: figures × 3; ``intercept``: 3; ``temperature``: divides the scores.

    For aspects: ``detectors``: buckets of words × aspects; ``detector_patterns``: aspects whose pattern fits × aspects;
    ``detector_intercept``: aspects, all in the order of ``ASPECTS``; ``aspect_label``: scores, contrast and sides × 3
    (:mod:`mailrubric.reviews.aspects`)."""

    version: str
    weights: NDArray[np.float32]
    idf: NDArray[np.float32]
    blocks: tuple[float, float]
    floor: float
    figures: NDArray[np.float64]
    intercept: NDArray[np.float64]
    temperature: float
    confusion: Matrix
    aspect_confusion: dict[str, Matrix]
    detectors: NDArray[np.float32]
    detector_patterns: NDArray[np.float64]
    detector_intercept: NDArray[np.float64]
    aspect_label: NDArray[np.float64]

    def evidence(self, sentence: str) -> NDArray[np.float64]:
        """What the words of a cleaned sentence add to the log-odds of each aspect, beside patterns and intercept."""
        places, counts = language.words(sentence)
        buckets = np.array(places, dtype=np.intp)
        values = np.array(counts, dtype=np.float64) * self.idf[buckets]
        values *= self.blocks[0] / np.sqrt((values**2).sum() + self.floor)
        found: NDArray[np.float64] = (self.detectors[buckets] * values[:, np.newaxis]).sum(axis=0)
        return found

    def scores(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Scores before the temperature: texts × 3."""
        return np.array([_scores(self, text) for text in texts], dtype=np.float64).reshape(-1, 3)

    def score(self, text: str) -> NDArray[np.float64]:
        """Scores of one text before the temperature: 3."""
        seen = language.features(text)
        buckets = np.array(seen.buckets, dtype=np.intp)
        values = np.array(seen.counts, dtype=np.float64) * self.idf[buckets]
        edge = int(np.searchsorted(buckets, language.BUCKETS_WORDS))
        for part, weight in zip((slice(None, edge), slice(edge, None)), self.blocks, strict=True):
            values[part] *= weight / np.sqrt((values[part] ** 2).sum() + self.floor)
        # No matrix product: its rounding may depend on how many texts come together, and then so would the answer.
        score: NDArray[np.float64] = self.intercept + (self.weights[buckets] * values[:, np.newaxis]).sum(axis=0)
        score += (self.figures * np.array(seen.figures)[:, np.newaxis]).sum(axis=0)
        return score


@functools.lru_cache(maxsize=2048)
def _scores(current: Model, text: str) -> tuple[float, float, float]:
    # A text of one sentence is asked for by classify() and again by aspects().
    return cast(tuple[float, float, float], tuple(current.score(text).tolist()))


@functools.cache
def model() -> Model:
    """The shipped model. Raises :class:`RuntimeError` when the file is not the one this version was released with."""
    content = FILE.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise RuntimeError(f"{FILE.name} is damaged or of another version; install mailrubric again")
    return read(content)


def read(content: bytes) -> Model:
    """A model from the bytes of its file: arrays only, nothing that could run."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        weights = arrays["weights"].astype(np.float32) * arrays["weights_scale"].astype(np.float32)
        confusion = arrays["aspect_confusion"]
        return Model(
            version=str(arrays["version"]),
            weights=weights,
            idf=arrays["idf"].astype(np.float32) * np.float32(arrays["idf_scale"]),
            blocks=cast(tuple[float, float], tuple(float(each) for each in arrays["blocks"])),
            floor=float(arrays["floor"]),
            figures=arrays["figures"].astype(np.float64),
            intercept=arrays["intercept"].astype(np.float64),
            temperature=float(arrays["temperature"]),
            confusion=_matrix(arrays["confusion"]),
            aspect_confusion={
                str(name): _matrix(confusion[place]) for place, name in enumerate(arrays["aspect_names"])
            },
            detectors=arrays["detectors"].astype(np.float32) * arrays["detectors_scale"].astype(np.float32),
            detector_patterns=arrays["detector_patterns"].astype(np.float64),
            detector_intercept=arrays["detector_intercept"].astype(np.float64),
            aspect_label=arrays["aspect_label"].astype(np.float64),
        )


def _matrix(array: NDArray[Any]) -> Matrix:
    return cast(Matrix, tuple(tuple(int(count) for count in row) for row in array))


def classify(texts: Sequence[str]) -> list[Sentiment]:
    """The sentiment of each text, in order.

    Each text is judged alone, so that neither order nor company changes anything. Any text has an answer: an empty one
    is neutral, of a very long one the beginning is read (:data:`mailrubric.reviews.language.MOST_CHARACTERS`), and one
    in another language than English comes out mostly neutral.
    """
    return list(_classified(texts))


def _classified(texts: Sequence[str]) -> Iterator[Sentiment]:
    current = model()
    for start in range(0, len(texts), _AT_ONCE):
        for row in probabilities(current.scores(texts[start : start + _AT_ONCE]), current.temperature):
            positive, neutral, negative = (round(float(each), _DIGITS) for each in row)
            # Rounded, so that the last bit of another machine's exp() shows nowhere; the largest takes up the rest.
            best = max(range(3), key=lambda k: (positive, neutral, negative)[k])
            rest = [positive, neutral, negative]
            rest[best] = round(1.0 - (positive + neutral + negative - rest[best]), _DIGITS)
            yield Sentiment(LABELS[best], (rest[0], rest[1], rest[2]))


def probabilities(scores: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Softmax of scores (n × 3) over a temperature."""
    scaled = scores / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    share: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return share


def __getattr__(name: str) -> Any:
    # The file is opened when somebody asks, not by every command that imports this module.
    if name == "CONFUSION":
        return model().confusion
    raise AttributeError(name)
