"""Weights from what people find easier to say than numbers: a ranking, swings, or comparisons two at a time.

- **Ranking** (SMARTER): rank order centroid weights (F. H. Barron, B. E. Barrett: Decision quality using ranked
  attribute weights, Management Science 42 (1996) 1515-1523) or rank-sum weights (W. G. Stillwell, D. A. Seaver,
  W. Edwards 1981).
- **Swing** (W. Edwards, F. H. Barron: SMARTS and SMARTER, OBHDP 60 (1994) 306-325): points for going from the worst to
  the best end of each group, the most important one getting 100. They are weights as they are.
- **Pairwise** comparisons (T. L. Saaty: The Analytic Hierarchy Process, 1980): the principal eigenvector, with the
  consistency ratio; up to 0.1 is taken for consistent.

Several people: each keeps weights of his own; together they are the mean of shares, and where all compared two at a
time the normalised geometric mean, as J. Aczél and T. L. Saaty (1983) derive. All functions are pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mailrubric.scoring.value_functions import FloatArray

CONSISTENT = 0.1
"""The largest consistency ratio that is taken for consistent (Saaty 1980)."""

_RANDOM_INDEX = (0.0, 0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.54, 1.56, 1.57, 1.59)
"""Mean consistency index of random reciprocal matrices of order 0, 1, 2 … (Saaty 1980; from 11 on Saaty 1987)."""


def rank_order_centroid(count: int) -> FloatArray:
    """Shares, (count,), of the first to the last in a ranking: the centroid of all weights in that order."""
    inverse = 1.0 / np.arange(1, count + 1)
    shares: FloatArray = np.cumsum(inverse[::-1])[::-1] / count
    return shares


def rank_sum(count: int) -> FloatArray:
    """Shares, (count,), falling by equal steps from the first to the last in a ranking."""
    shares: FloatArray = 2.0 * np.arange(count, 0, -1) / (count * (count + 1))
    return shares


def pairwise(matrix: FloatArray) -> tuple[FloatArray, float]:
    """Shares, (n,), and consistency ratio of a reciprocal matrix, (n, n): ``matrix[i, j]`` says how many times as
    important *i* is as *j*. The ratio of up to two is 0. ``ValueError`` when the matrix is not positive and reciprocal.
    """
    count = matrix.shape[0]
    if matrix.shape != (count, count) or not (matrix > 0).all() or not np.allclose(matrix * matrix.T, 1.0):
        raise ValueError("comparisons must be positive, and each the inverse of its opposite")
    values, vectors = np.linalg.eig(matrix)
    principal = int(np.argmax(values.real))
    vector = np.abs(vectors[:, principal].real)
    shares: FloatArray = vector / vector.sum()
    if count < 3:
        return shares, 0.0
    index = (float(values[principal].real) - count) / (count - 1)
    return shares, max(0.0, index / _RANDOM_INDEX[min(count, len(_RANDOM_INDEX) - 1)])


def comparison_matrix(names: Sequence[str], more: Mapping[str, Mapping[str, float]]) -> FloatArray:
    """The reciprocal matrix, (n, n) in the order of ``names``, of comparisons ``more[a][b]``: *a* is so many times as
    important as *b*. ``ValueError`` names the first pair that is missing or said twice."""
    position = {name: index for index, name in enumerate(names)}
    matrix = np.eye(len(names))
    said: set[frozenset[str]] = set()
    for first, others in more.items():
        for second, times in others.items():
            pair = frozenset((first, second))
            if len(pair) < 2 or pair in said:
                raise ValueError(f"{first} and {second} are compared twice, or with themselves")
            said.add(pair)
            matrix[position[first], position[second]] = times
            matrix[position[second], position[first]] = 1.0 / times
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            if frozenset((one, other)) not in said:
                raise ValueError(f"{one} and {other} are not compared")
    return matrix


def together(shares: FloatArray, *, geometric: bool = False) -> FloatArray:
    """The shares of several people, (P, n), as one, (n,): arithmetic mean, or normalised geometric mean."""
    if geometric:
        positive = np.where(shares > 0, shares, 1e-300)
        product = np.exp(np.log(positive).mean(axis=0))
        mean: FloatArray = product / product.sum()
        return mean
    return np.asarray(shares.mean(axis=0), dtype=np.float64)


def concordance(ranks: FloatArray) -> float:
    """Kendall's W of several rankings, (P, n), with mean ranks for ties: 1 when all agree, 0 when nothing is common
    (M. G. Kendall, B. Babington Smith 1939). 1 for fewer than two people or vendors."""
    people, count = ranks.shape
    if people < 2 or count < 2:
        return 1.0
    sums = ranks.sum(axis=0)
    deviation = float(((sums - sums.mean()) ** 2).sum())
    ties = 0.0
    for row in ranks:
        _, sizes = np.unique(row, return_counts=True)
        ties += float((sizes.astype(np.float64) ** 3 - sizes).sum())
    divisor = people**2 * (count**3 - count) - people * ties
    return 1.0 if divisor <= 0 else min(1.0, 12.0 * deviation / divisor)
