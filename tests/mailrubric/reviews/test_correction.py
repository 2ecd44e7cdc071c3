"""Shares corrected by a confusion matrix: exact where the answer is known, honest where it is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.reviews.correction import share_positive, shares

MATRIX = [[85, 10, 5], [8, 80, 12], [4, 10, 86]]
PERFECT = [[200, 0, 0], [0, 200, 0], [0, 0, 200]]


def test_it_is_rogan_and_gladen_where_one_class_is_absent() -> None:
    """With no neutral class the matrix is theirs: p = (q - FPR) / (TPR - FPR)."""
    found, _, _ = share_positive((60, 0, 40), [[90, 0, 10], [0, 100, 0], [20, 0, 80]])
    assert found == pytest.approx((0.6 - 0.2) / (0.9 - 0.2))


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
@settings(max_examples=20, deadline=None)
def test_the_truth_is_recovered_from_the_counts_it_should_give(weights: list[float]) -> None:
    truth = np.array(weights) / sum(weights)
    rates = np.array(MATRIX) / np.sum(MATRIX, axis=1, keepdims=True)
    counts = truth @ rates * 1000
    for (value, low, high), expected in zip(shares(tuple(counts), MATRIX), truth, strict=True):
        assert value == pytest.approx(expected, abs=1e-9)
        assert low <= value <= high


@given(st.tuples(*[st.integers(0, 500)] * 3), st.lists(st.tuples(*[st.integers(1, 300)] * 3), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None)
def test_shares_are_shares_whatever_was_counted(counts: tuple[int, int, int], matrix: list[tuple[int, ...]]) -> None:
    if sum(counts) == 0:
        return
    found = shares(counts, matrix)
    assert sum(value for value, _, _ in found) == pytest.approx(1)
    assert all(0 <= low <= value <= high <= 1 for value, low, high in found)
    assert shares(counts, matrix) == found


@given(st.tuples(*[st.integers(0, 60)] * 3).filter(any))
@settings(max_examples=15, deadline=None)
def test_least_squares_over_the_simplex_beats_every_point_of_a_grid(counts: tuple[int, int, int]) -> None:
    rates = np.array(MATRIX) / np.sum(MATRIX, axis=1, keepdims=True)
    counted = np.array(counts) / sum(counts)
    best = ((np.array([value for value, _, _ in shares(counts, MATRIX)]) @ rates - counted) ** 2).sum()
    for a, b in itertools.product(range(41), repeat=2):
        if a + b <= 40:
            point = np.array([a, b, 40 - a - b]) / 40
            assert best <= ((point @ rates - counted) ** 2).sum() + 1e-12


def test_thirty_of_thirty_is_not_certain() -> None:
    value, low, high = share_positive((30, 0, 0), MATRIX)
    assert value == high == 1
    assert 0.6 < low < 0.97


def test_a_classifier_that_knows_nothing_says_nothing() -> None:
    _, low, high = share_positive((30, 30, 30), [[30, 30, 30]] * 3)
    assert low < 0.05
    assert high > 0.95


def test_more_texts_narrow_the_interval_but_the_matrix_keeps_it_open() -> None:
    widths = [
        high - low for _, low, high in (share_positive((6 * n, 2 * n, 2 * n), MATRIX) for n in (5, 50, 500, 500_000))
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 0.05
    _, low, high = share_positive((600, 200, 200), np.multiply(MATRIX, 100).tolist())
    assert high - low < widths[1]


def test_a_higher_level_is_a_wider_interval() -> None:
    _, low, high = share_positive((20, 5, 9), MATRIX, 0.8)
    _, lower, higher = share_positive((20, 5, 9), MATRIX, 0.99)
    assert lower < low < high < higher


@pytest.mark.slow
@pytest.mark.parametrize("truth", [(0.6, 0.2, 0.2), (0.95, 0.03, 0.02), (0.1, 0.3, 0.6)])
@pytest.mark.parametrize("n", [30, 300])
def test_the_interval_covers_as_often_as_it_says(truth: tuple[float, float, float], n: int) -> None:
    """300 worlds with a matrix measured on 150 texts a class each; 95 % less three standard errors is 91 %."""
    random = np.random.default_rng(7)
    rates = np.array(MATRIX) / np.sum(MATRIX, axis=1, keepdims=True)
    covered = 0
    for _ in range(300):
        matrix = [random.multinomial(150, row).tolist() for row in rates]
        counts = random.multinomial(n, np.array(truth) @ rates)
        _, low, high = share_positive(tuple(counts), matrix)
        covered += low <= truth[0] <= high
    assert covered / 300 > 0.91


def test_counts_the_matrix_cannot_explain_do_not_look_certain() -> None:
    _, low, _ = share_positive((3000, 0, 0), MATRIX)
    assert low < 0.999


def test_a_perfect_classifier_changes_nothing() -> None:
    assert share_positive((70, 20, 10), PERFECT)[0] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("counts", "matrix", "said"),
    [
        ((0, 0, 0), MATRIX, "no text"),
        ((-1, 2, 3), MATRIX, "below zero"),
        ((float("nan"), 2, 3), MATRIX, "three counts"),
        ((1, 2), MATRIX, "three counts"),
        ((1, 2, 3), MATRIX[:2], "3 × 3"),
        ((1, 2, 3), [[0, 0, 0], [1, 2, 3], [1, 2, 3]], "never seen"),
    ],
)
def test_what_is_no_count_is_refused(counts: tuple[float, ...], matrix: list[list[int]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        share_positive(counts, matrix)


@pytest.mark.parametrize("level", [0, 1, -1, 2])
def test_a_level_is_between_none_and_all(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        share_positive((1, 1, 1), MATRIX, level)
