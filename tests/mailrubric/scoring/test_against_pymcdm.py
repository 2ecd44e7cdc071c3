"""pymcdm as an oracle: the same weighted sums, the same ranks, the same rank probabilities, from another hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mailrubric.scoring import additive
from mailrubric.scoring.robustness import analyse, draw_weights, uncertain
from mailrubric.scoring.value_functions import FloatArray

pymcdm_methods = pytest.importorskip("pymcdm.methods", reason="pymcdm is not installed")


def _oracle(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """pymcdm's weighted sum model over values that are points already, so without its normalisation."""
    method = pymcdm_methods.WSM(normalization_function=lambda column, cost=False: column)
    found: FloatArray = method(scores, weights, np.ones(scores.shape[1]), validation=False)
    return found


problems = st.tuples(st.integers(2, 8), st.integers(2, 9)).flatmap(
    lambda shape: st.tuples(
        arrays.arrays(np.float64, shape, elements=st.integers(0, 1000).map(lambda points: points / 10)),
        arrays.arrays(np.float64, shape[1], elements=st.integers(1, 100).map(float)),
    )
)


@settings(deadline=None, max_examples=60)
@given(problems)
def test_the_score_of_record_is_the_weighted_sum(problem: tuple[FloatArray, FloatArray]) -> None:
    scores, raw = problem
    weights = raw / raw.sum()
    ours = additive.totals(scores, scores, scores, np.ones_like(scores, dtype=np.bool_), weights)
    assert ours.score == pytest.approx(_oracle(scores, weights))


def test_rank_probabilities_are_those_of_a_loop_over_pymcdm() -> None:
    random = np.random.default_rng(3)
    scores = random.uniform(0, 100, (6, 12))
    weights = draw_weights(random.dirichlet(np.ones(12)), np.arange(12) % 4, kind="any", draws=400)
    counted = np.zeros((6, 6))
    for row in weights:
        order = np.argsort(-_oracle(scores, row), kind="stable")
        counted[order, np.arange(6)] += 1
    nothing = np.full_like(scores, np.nan)
    found = analyse(uncertain(scores, scores, scores, nothing, np.ones_like(scores, dtype=np.bool_)), weights)
    assert found.rank == pytest.approx(counted / 400)
