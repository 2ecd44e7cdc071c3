"""Trains the sentiment classifier: ``python -m bench.sentiment.train --data FOLDER``.

Writes mailrubric/reviews/sentiment.npz and its hash. The same sets give the same file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from bench.sentiment.data import Set
from mailrubric.reviews import language

VERSION = "1"
WEIGHT = {"mail": 3.0, "amazon": 0.7, "senti4sd": 0.7, "uci_amazon_cells": 1.0, "uci_imdb": 0.5, "uci_yelp": 0.7}
"""How much a text of each set counts. The classifier is for mail products; the others lend it their English."""
STRENGTH = 1.0
BLOCKS = (1.0, 0.7)
FLOOR = 8.0
FIGURES = 0.7
OWN_INTERCEPT = 3.0


@functools.lru_cache(maxsize=1 << 15)
def seen(text: str) -> language.Features:
    return language.features(text)


def counts(texts: Sequence[str]) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """Sub-linear counts (texts × buckets) and figures (texts × figures)."""
    found = [seen(text) for text in texts]
    indptr = np.cumsum([0, *(len(each.buckets) for each in found)])
    indices = np.concatenate([np.array(each.buckets, dtype=np.int32) for each in found])
    data = np.concatenate([np.array(each.counts) for each in found])
    matrix = sparse.csr_matrix((data, indices, indptr), shape=(len(texts), language.BUCKETS))
    return matrix, np.array([each.figures for each in found])


@dataclasses.dataclass
class Trained:
    """A classifier in full precision. ``weights`` buckets × 3, ``figures`` figures × 3."""

    idf: NDArray[np.float64]
    weights: NDArray[np.float64]
    figures: NDArray[np.float64]
    intercept: NDArray[np.float64]
    temperature: float = 1.0

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        matrix, figures = counts(texts)
        out: NDArray[np.float64] = weighted(matrix, self.idf) @ self.weights + figures @ self.figures + self.intercept
        return out

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        from mailrubric.reviews.sentiment import probabilities

        return probabilities(self.scores(texts), self.temperature)


def weighted(matrix: sparse.csr_matrix, idf: NDArray[np.float64]) -> sparse.csr_matrix:
    """TF-IDF, the blocks of words and characters each brought to about the same length."""
    matrix = matrix @ sparse.diags(idf)
    edge = language.BUCKETS_WORDS
    parts = []
    for part, weight in ((matrix[:, :edge], BLOCKS[0]), (matrix[:, edge:], BLOCKS[1])):
        norm = np.sqrt(np.asarray(part.multiply(part).sum(axis=1)).ravel() + FLOOR)
        parts.append(sparse.diags(weight / norm) @ part)
    return sparse.hstack(parts).tocsr()


def fit(sets: Sequence[Set], strength: float | None = None) -> Trained:
    """A classifier from sets. Every set but the mail texts has an intercept of its own that is thrown away: how
    many of its texts are positive, and how readily its raters called a sentence neutral, is no property of English."""
    texts = [text for each in sets for text in each.texts]
    matrix, figures = counts(texts)
    df = np.bincount(matrix.indices, minlength=language.BUCKETS)
    idf = np.where(df >= 2, np.log((1 + len(texts)) / (1 + df)) + 1, 0.0)
    names = [each.name for each in sets]
    own = np.zeros((len(texts), len(sets)))
    weight = np.zeros(len(texts))
    start = 0
    for place, each in enumerate(sets):
        stop = start + len(each.texts)
        if each.name != "mail" or names == ["mail"]:
            own[start:stop, place] = OWN_INTERCEPT
        weight[start:stop] = WEIGHT[each.name]
        start = stop
    if "mail" not in names:
        own[:] = 0
    soft = np.concatenate([each.soft for each in sets])
    used = np.flatnonzero(idf)
    x = sparse.hstack([weighted(matrix, idf)[:, used], figures * FIGURES, own]).tocsr()
    rows = np.concatenate([np.flatnonzero(soft[:, k]) for k in range(3)])
    labels = np.concatenate([np.full(np.count_nonzero(soft[:, k]), k) for k in range(3)])
    model = LogisticRegression(C=strength or STRENGTH, max_iter=300, tol=1e-4)
    model.fit(x[rows], labels, sample_weight=weight[rows] * soft[rows, labels])
    coefficients = model.coef_.T
    edge, width = len(used), figures.shape[1]
    weights = np.zeros((language.BUCKETS, 3))
    weights[used] = coefficients[:edge]
    return Trained(idf, weights, coefficients[edge : edge + width] * FIGURES, model.intercept_)


def temperature(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature that makes the probabilities of held-out texts fit best (least log loss)."""

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-logs[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def pack(
    trained: Trained, confusion: NDArray[np.int64], aspects: dict[str, NDArray[np.int64]], version: str = VERSION
) -> bytes:
    """The file that is shipped: plain arrays, weights and idf in eight bits each."""
    scale = np.abs(trained.weights).max(axis=0) / 127
    idf_scale = float(trained.idf.max()) / 255
    # Rounding down to nothing would drop a bucket from the length of its text, so a seen bucket keeps at least one.
    idf = np.where(trained.idf > 0, np.clip(np.rint(trained.idf / idf_scale), 1, 255), 0)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        version=np.array(version),
        weights=np.rint(trained.weights / scale).astype(np.int8),
        weights_scale=scale.astype(np.float32),
        idf=idf.astype(np.uint8),
        idf_scale=np.float32(idf_scale),
        blocks=np.array(BLOCKS, dtype=np.float32),
        floor=np.float32(FLOOR),
        figures=trained.figures.astype(np.float32),
        intercept=trained.intercept.astype(np.float32),
        temperature=np.float32(trained.temperature),
        confusion=confusion.astype(np.int32),
        aspect_names=np.array(sorted(aspects), dtype=np.str_),
        aspect_confusion=np.array([aspects[name] for name in sorted(aspects)], dtype=np.int32).reshape(-1, 3, 3),
    )
    return file.getvalue()


def release(content: bytes) -> None:
    """Writes the file and its hash into the package."""
    from mailrubric.reviews import sentiment

    sentiment.FILE.write_bytes(content)
    sentiment.FILE.with_name("model.py").write_text(
        '"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""\n\n'
        "from typing import Final\n\n"
        f'VERSION: Final = "{VERSION}"\n'
        f'SHA256: Final = "{hashlib.sha256(content).hexdigest()}"\n',
        encoding="utf-8",
    )
