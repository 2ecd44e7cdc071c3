"""Shares of classes in the truth from shares of classes as a fallible classifier counted them.

A classifier that takes one negative text in ten for a positive one makes every vendor look better than it is, and the
worse the vendor, the more. Rogan and Gladen (1978, doi:10.1093/oxfordjournals.aje.a112510) undo this for two classes
from the classifier's measured rates of error: p = (q - FPR) / (TPR - FPR). For three classes it is the same with a
matrix: the counted shares are q = Mᵀ p, where M[i][j] is the share of texts truly of class i that are counted as class
j; p is found by least squares over the simplex, because the plain inverse may leave it.

It is right as long as the classifier errs on the new texts as it did on the measured ones, class by class; the mixture
of the classes may be any.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mailrubric.intervals import LEVEL

Floats = NDArray[np.float64]

DRAWS: Final = 4000
"""For the interval; its ends are then stable to about 0.005."""

_JEFFREYS: Final = 0.5
_MOST_TEXTS: Final = 2000.0
_FEWEST_POINTS: Final = 100


def share_positive(
    counts: tuple[float, float, float], confusion: Sequence[Sequence[float]], level: float = LEVEL
) -> tuple[float, float, float]:
    """The share of positive texts, corrected, with its interval: ``(value, low, high)``, each from 0 to 1.

    ``counts``: how many texts were counted as positive, neutral and negative; they may be weighted. ``confusion``: the
    classifier's confusion matrix in texts, a row for each true class and a column for each counted class, both in the
    order positive, neutral, negative. ``level``: of the interval, between 0 and 1. The interval holds the uncertainty
    of the counts and that of the matrix. The same arguments always give the same answer.

    Raises :class:`ValueError` for counts that are no counts, without any text, or for a matrix with an empty row.
    """
    value, low, high = shares(counts, confusion, level)[0]
    return value, low, high


def shares(
    counts: tuple[float, float, float], confusion: Sequence[Sequence[float]], level: float = LEVEL
) -> tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]:
    """All three shares (positive, neutral, negative), each as ``(value, low, high)``; see :func:`share_positive`."""
    counted = np.asarray(counts, dtype=np.float64)
    matrix = np.asarray(confusion, dtype=np.float64)
    if counted.shape != (3,) or not np.isfinite(counted).all() or (counted < 0).any():
        raise ValueError("three counts are needed, none below zero")
    if counted.sum() <= 0:
        raise ValueError("no text was counted")
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("a confusion matrix of 3 × 3 counts is needed, none below zero")
    if (matrix.sum(axis=1) <= 0).any():
        raise ValueError("the confusion matrix has a class that was never seen")
    if not 0 < level < 1:
        raise ValueError("the level of an interval is between 0 and 1")
    value = _on_simplex((matrix / matrix.sum(axis=1, keepdims=True))[np.newaxis], (counted / counted.sum())[np.newaxis])
    # Beyond this the matrix, measured on some hundreds of texts, and not the counting is what is uncertain.
    heard = counted * min(1.0, _MOST_TEXTS / counted.sum())
    points, weights = _posterior(heard, matrix)
    while 1 / (weights**2).sum() < _FEWEST_POINTS:
        # Counts that the matrix can hardly explain (all of thousands positive, though it should have missed some): the
        # texts differ from those it was measured on. They are believed less, and the interval is wider for it.
        heard = heard / 2
        points, weights = _posterior(heard, matrix)
    tail = (1 - level) / 2
    low, high = (_quantile(points, weights, each) for each in (tail, 1 - tail))
    positive, neutral, negative = (
        (float(value[0, k]), float(min(low[k], value[0, k])), float(max(high[k], value[0, k]))) for k in range(3)
    )
    return positive, neutral, negative


def _posterior(counted: Floats, matrix: Floats) -> tuple[Floats, Floats]:
    """Points of the simplex (n × 3) with weights (n): what the true shares may be, the matrix being uncertain too.

    Importance sampling with Jeffreys' priors. Each point has a matrix of its own, drawn from what the measured one
    leaves open, and lies near the shares that this matrix makes of the counts. Resampling the counts and clipping to
    the simplex, the usual way, would call 30 positives out of 30 certain: every draw ends in the same corner.
    """
    random = np.random.default_rng(19780701)
    total = counted.sum()
    m = np.stack([random.dirichlet(row + _JEFFREYS, size=DRAWS) for row in matrix], axis=1)
    # A little of the identity keeps a matrix that cannot be inverted from stopping the search; it guides, no more.
    guide = np.linalg.solve(np.swapaxes(m, 1, 2) + 1e-3 * np.eye(3), (counted / total)[:, np.newaxis])[..., 0]
    guide = np.clip(guide, 0, None) + 1e-9
    guide /= guide.sum(axis=1, keepdims=True)
    # Three widths, so that no plausible point is out of reach.
    strength = np.resize([0.6 * total, 0.15 * total, 0.0], DRAWS)[:, np.newaxis]
    parameters = guide * strength + _JEFFREYS
    drawn = random.standard_gamma(parameters) + 1e-300
    points = drawn / drawn.sum(axis=1, keepdims=True)
    logs = np.log(np.maximum(points, 1e-12))
    likelihood = (counted * np.log(np.einsum("nij,ni->nj", m, points) + 1e-300)).sum(axis=1)
    proposal = np.full((3, DRAWS), -np.inf)
    for row, width in enumerate((0.6 * total, 0.15 * total, 0.0)):
        each = guide * width + _JEFFREYS
        proposal[row] = _log_dirichlet(each, logs)
    mixture = np.logaddexp.reduce(proposal, axis=0)
    prior = ((_JEFFREYS - 1) * logs).sum(axis=1)
    log_weights = likelihood + prior - mixture
    weights = np.exp(log_weights - log_weights.max())
    return points, weights / weights.sum()


def _log_dirichlet(parameters: Floats, logs: Floats) -> Floats:
    """The density of Dirichlet distributions (n × 3) at points whose logarithms are given, as a logarithm (n)."""
    from scipy.special import gammaln

    constant = gammaln(parameters.sum(axis=1)) - gammaln(parameters).sum(axis=1)
    density: Floats = constant + ((parameters - 1) * logs).sum(axis=1)
    return density


def _quantile(points: Floats, weights: Floats, at: float) -> Floats:
    """The weighted quantile of each column."""
    found = np.empty(points.shape[1])
    for column in range(points.shape[1]):
        order = np.argsort(points[:, column], kind="stable")
        place = int(np.searchsorted(np.cumsum(weights[order]), at))
        found[column] = points[order[min(place, len(order) - 1)], column]
    return found


def _on_simplex(matrices: Floats, counted: Floats) -> Floats:
    """For each of n rates of error (n × 3 × 3, rows sum to one) and counted shares (n × 3) the true shares (n × 3) that
    explain them best: least squares over the simplex.

    The simplex of three classes has seven faces: the inside, three edges, three corners. On each the best point is
    known in closed form; the best of those that lie on their face is the answer, exactly and without iterating.
    """
    n = len(counted)
    best = np.full(n, np.inf)
    answer = np.zeros((n, 3))
    for size in (1, 2, 3):
        for face in itertools.combinations(range(3), size):
            point = np.zeros((n, 3))
            point[:, face] = _on_face(matrices[:, face, :], counted)
            inside = (point >= 0).all(axis=1)
            missed = np.einsum("nij,ni->nj", matrices, point) - counted
            error = np.where(inside, (missed**2).sum(axis=1), np.inf)
            # A wider face is taken only for a real gain, so that rounding chooses nothing.
            better = error < best - 1e-15
            best = np.where(better, error, best)
            answer[better] = point[better]
    return answer


def _on_face(rows: Floats, counted: Floats) -> Floats:
    """Least squares over the plane in which the shares of these classes sum to one: n × k rows × 3 → n × k."""
    n, k, _ = rows.shape
    if k == 1:
        return np.ones((n, 1))
    # The last share is one minus the others: what remains is an ordinary small system. A classifier that tells two
    # classes apart by nothing makes it singular; the pseudo-inverse then shares out evenly.
    base = rows[:, -1, :]
    steps = rows[:, :-1, :] - base[:, np.newaxis, :]
    free = np.einsum("nji,nj->ni", np.linalg.pinv(steps, rcond=1e-12), counted - base)
    return np.concatenate([free, 1 - free.sum(axis=1, keepdims=True)], axis=1)
