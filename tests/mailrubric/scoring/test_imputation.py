from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.scoring.imputation import two_way

NAN = float("nan")


def everywhere(scores: np.ndarray) -> np.ndarray:
    return np.ones(scores.shape, dtype=bool)


def test_the_expected_value_by_hand_times_0_8() -> None:
    scores = np.array([[80.0, 60.0, NAN], [40.0, 20.0, 30.0]])
    # Criterion means 60, 40, 30. The first vendor is 20 better than them on what is known of it: 30 + 20 = 50; ×0.8.
    found = two_way(scores, everywhere(scores))
    assert found[0, 2] == pytest.approx(40)
    assert np.isnan(found[~np.isnan(scores)]).all()


def test_a_criterion_that_nobody_knows_takes_the_mean_of_all() -> None:
    scores = np.array([[80.0, NAN], [40.0, NAN]])
    assert two_way(scores, everywhere(scores))[:, 1].tolist() == pytest.approx([0.8 * 80, 0.8 * 40])


def test_a_vendor_of_whom_nothing_is_known_is_taken_as_average() -> None:
    scores = np.array([[80.0, 20.0], [NAN, NAN]])
    assert two_way(scores, everywhere(scores))[1].tolist() == pytest.approx([64, 16])


def test_with_nothing_known_at_all_the_middle_of_the_scale_stands_in() -> None:
    scores = np.array([[NAN, NAN]])
    assert two_way(scores, everywhere(scores)).tolist() == [[40, 40]]


def test_what_does_not_apply_is_not_imputed_and_teaches_nothing() -> None:
    scores = np.array([[80.0, NAN], [40.0, NAN]])
    applicable = np.array([[True, False], [True, True]])
    found = two_way(scores, applicable)
    assert np.isnan(found[0, 1])
    assert found[1, 1] == pytest.approx(0.8 * 40)


@given(st.lists(st.lists(st.one_of(st.just(NAN), st.floats(0, 100)), min_size=4, max_size=4), min_size=1, max_size=6))
def test_imputed_values_stay_on_the_scale(rows: list[list[float]]) -> None:
    scores = np.array(rows)
    found = two_way(scores, everywhere(scores))
    assert np.array_equal(np.isnan(found), ~np.isnan(scores))
    assert ((found >= 0) & (found <= 100) | np.isnan(found)).all()
