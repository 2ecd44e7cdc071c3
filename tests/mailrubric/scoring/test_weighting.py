"""Weights by ranking, comparison and together, against published figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.scoring.weighting import (
    comparison_matrix,
    concordance,
    pairwise,
    rank_order_centroid,
    rank_sum,
    together,
)


def test_rank_order_centroid_weights_of_the_paper() -> None:
    # F. H. Barron, B. E. Barrett (1996), weights for 4 and 5 attributes.
    assert rank_order_centroid(4) == pytest.approx([0.5208, 0.2708, 0.1458, 0.0625], abs=5e-5)
    assert rank_order_centroid(5) == pytest.approx([0.4567, 0.2567, 0.1567, 0.0900, 0.0400], abs=5e-5)


def test_rank_sum_weights() -> None:
    # W. G. Stillwell, D. A. Seaver, W. Edwards (1981): 4 attributes give 0.4, 0.3, 0.2, 0.1.
    assert rank_sum(4) == pytest.approx([0.4, 0.3, 0.2, 0.1])


@given(st.integers(1, 30))
def test_weights_of_a_ranking_fall_and_add_up(count: int) -> None:
    for shares in (rank_order_centroid(count), rank_sum(count)):
        assert shares.sum() == pytest.approx(1)
        assert (np.diff(shares) < 0).all()


def test_the_worked_example_of_saaty() -> None:
    # T. L. Saaty, How to make a decision: the AHP, EJOR 48 (1990) 9-26, table 1: buying a house, eight criteria;
    # printed: λmax 9.669, C.R. 0.169 and these priorities.
    matrix = np.array(
        [
            [1, 5, 3, 7, 6, 6, 1 / 3, 1 / 4],
            [1 / 5, 1, 1 / 3, 5, 3, 3, 1 / 5, 1 / 7],
            [1 / 3, 3, 1, 6, 3, 4, 6, 1 / 5],
            [1 / 7, 1 / 5, 1 / 6, 1, 1 / 3, 1 / 4, 1 / 7, 1 / 8],
            [1 / 6, 1 / 3, 1 / 3, 3, 1, 1 / 2, 1 / 5, 1 / 6],
            [1 / 6, 1 / 3, 1 / 4, 4, 2, 1, 1 / 5, 1 / 6],
            [3, 5, 1 / 6, 7, 5, 5, 1, 1 / 2],
            [4, 7, 5, 8, 6, 6, 2, 1],
        ]
    )
    shares, ratio = pairwise(matrix)
    assert shares == pytest.approx([0.173, 0.054, 0.188, 0.018, 0.031, 0.036, 0.167, 0.333], abs=1e-3)
    assert ratio == pytest.approx(0.169, abs=1e-3)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=7))
def test_consistent_comparisons_give_back_the_weights(weights: list[float]) -> None:
    own = np.array(weights)
    shares, ratio = pairwise(own[:, None] / own[None, :])
    assert shares == pytest.approx(own / own.sum())
    assert ratio == pytest.approx(0, abs=1e-6)


def test_comparisons_must_be_whole() -> None:
    assert comparison_matrix(["a", "b"], {"a": {"b": 4.0}}).tolist() == [[1, 4], [0.25, 1]]
    with pytest.raises(ValueError, match="b and c are not compared"):
        comparison_matrix(["a", "b", "c"], {"a": {"b": 2.0, "c": 3.0}})
    with pytest.raises(ValueError, match="compared twice"):
        comparison_matrix(["a", "b"], {"a": {"b": 2.0}, "b": {"a": 3.0}})
    with pytest.raises(ValueError, match="inverse of its opposite"):
        pairwise(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_together() -> None:
    shares = np.array([[0.8, 0.2], [0.2, 0.8]])
    assert together(shares) == pytest.approx([0.5, 0.5])
    uneven = np.array([[0.9, 0.1], [0.5, 0.5]])
    assert together(uneven, geometric=True) == pytest.approx([0.75, 0.25])  # √(0.9·0.5) : √(0.1·0.5) = 3 : 1


def test_concordance() -> None:
    same = np.array([[1.0, 2, 3], [1, 2, 3]])
    assert concordance(same) == 1
    assert concordance(np.array([[1.0, 2, 3], [3, 2, 1]])) == 0
    # S. Siegel, N. J. Castellan, Nonparametric Statistics (1988): three executives rank six applicants, W = 0.16.
    executives = np.array([[1.0, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]])
    assert concordance(executives) == pytest.approx(0.16, abs=0.005)
    assert concordance(np.array([[1.0, 2.5, 2.5], [1, 2.5, 2.5]])) == pytest.approx(1)
