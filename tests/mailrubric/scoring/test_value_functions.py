from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailrubric.catalogue.models import (
    CurveFunction,
    MapFunction,
    NoneFunction,
    PointsFunction,
    ShareFunction,
    YesNoFunction,
)
from mailrubric.scoring.value_functions import ValueFunctionError, apply, apply_columns

finite = st.floats(-1e6, 1e6)


def points(*pairs: tuple[float, float], scale: str = "linear") -> PointsFunction:
    return PointsFunction.model_validate({"points": pairs, "scale": scale})


def curve(worth_90: float, worth_50: float) -> CurveFunction:
    return CurveFunction.model_validate({"curve": {"worth_90": worth_90, "worth_50": worth_50}})


def test_points_are_linear_between_and_flat_outside() -> None:
    days_left = points((0, 0), (7, 40), (30, 100))
    found = apply(days_left, [-5, 0, 3.5, 7, 18.5, 30, 400])
    assert found.tolist() == [0, 0, 20, 40, 70, 100, 100]


def test_points_may_lie_as_far_apart_as_numbers_reach() -> None:
    assert apply(points((0, 0), (1e308, 100)), [5e307, 1e308]) == pytest.approx([50.0, 100.0])


def test_points_may_be_listed_in_any_order() -> None:
    assert apply(points((30, 100), (0, 0), (7, 40)), [3.5]).tolist() == [20]


def test_a_step_takes_the_later_of_two_points_at_one_value() -> None:
    step = points((0, 0), (10, 20), (10, 80), (20, 100))
    assert apply(step, [9.999999, 10, 15]).tolist() == pytest.approx([20, 80, 90], abs=1e-4)


def test_a_logarithmic_scale_is_linear_in_the_logarithm() -> None:
    price = points((10, 100), (1000, 0), scale="log")
    assert apply(price, [1, 10, 100, 1000, 5000]).tolist() == pytest.approx([100, 100, 50, 0, 0])


def test_zero_and_less_lie_left_of_a_logarithmic_scale() -> None:
    assert apply(points((10, 100), (1000, 0), scale="log"), [0, -3]).tolist() == [100, 100]


def test_a_logarithmic_scale_refuses_a_point_at_zero() -> None:
    with pytest.raises(ValueFunctionError, match="above zero"):
        apply(points((0, 100), (1000, 0), scale="log"), [5])


@pytest.mark.parametrize(("best", "middle"), [(150, 600), (99.99, 99.0), (4, 1), (0.2, 2)])
def test_the_curve_is_the_log_normal_survival_function(best: float, middle: float) -> None:
    # Oracle: the standard library's normal distribution, with sigma from the 90th percentile.
    sigma = math.log(middle / best) / NormalDist().inv_cdf(0.9)
    values = [best / 3, best, (best + middle) / 2, middle, middle * 3]
    wanted = [100 * (1 - NormalDist().cdf(math.log(value / middle) / sigma)) for value in values]
    assert apply(curve(best, middle), values).tolist() == pytest.approx(wanted, abs=1e-9)


def test_the_curve_passes_through_its_two_ends_in_both_directions() -> None:
    assert apply(curve(150, 600), [150, 600]).tolist() == pytest.approx([90, 50], abs=1e-9)
    assert apply(curve(600, 150), [600, 150]).tolist() == pytest.approx([90, 50], abs=1e-9)


def test_zero_is_the_best_latency_and_the_worst_throughput() -> None:
    assert apply(curve(150, 600), [0, -1]).tolist() == [100, 100]
    assert apply(curve(600, 150), [0]).tolist() == [0]


def test_a_curve_whose_ends_coincide_is_refused() -> None:
    with pytest.raises(ValueFunctionError, match="must differ"):
        apply(curve(5, 5), [5])


def test_a_map_knows_its_levels_and_nothing_else() -> None:
    oldest = MapFunction(map={"TLSv1.3": 100, "TLSv1.0": 0, "7": 70})
    found = apply(oldest, ["TLSv1.3", "tlsv1.0", 7, 7.0, "SSLv2", None, ("TLSv1.3",)])
    assert found[:4].tolist() == [100, 0, 70, 70]
    assert np.isnan(found[4:]).all()


def test_yes_and_no_take_only_truth_values() -> None:
    found = apply(YesNoFunction(yes=100, no=20), [True, False, 1, "yes", None])
    assert found[:2].tolist() == [100, 20]
    assert np.isnan(found[2:]).all()


def test_the_share_counts_members_without_regard_to_case_or_strangers() -> None:
    extensions = ShareFunction(share_of=("PIPELINING", "8BITMIME", "SIZE", "DSN"))
    found = apply(extensions, [("8bitmime", "SIZE", "XCLIENT"), (), "DSN", 4])
    assert found[:3].tolist() == [50, 0, 25]
    assert math.isnan(found[3])


def test_none_of_asks_whether_anything_is_there_that_must_not_be() -> None:
    lists = NoneFunction(none_of=("zen.spamhaus.org", "bl.spamcop.net"))
    found = apply(
        lists, [(), ("dnsbl.example",), ("ZEN.spamhaus.org",), lists.none_of, "bl.spamcop.net", None, 0, False]
    )
    assert found[:5].tolist() == [100, 100, 0, 0, 0]
    assert np.isnan(found[5:]).all()


members = st.sampled_from("abcdefABCDEF")


@given(st.sets(members, min_size=1), st.lists(members), members)
def test_none_of_is_full_where_a_share_is_empty_and_never_rises_with_a_member(
    unwanted: set[str], held: list[str], further: str
) -> None:
    named = tuple(sorted(unwanted))
    function = NoneFunction(none_of=named)
    score, with_further = apply(function, [tuple(held), (*held, further)])
    (share,) = apply(ShareFunction(share_of=named), [tuple(held)])
    assert score == (100 if share == 0 else 0)
    assert with_further <= score
    assert apply(function, [tuple(reversed(held))]) == score
    assert apply(NoneFunction(none_of=tuple(reversed(named))), [tuple(held)]) == score


@pytest.mark.parametrize("value", [True, "12", None, float("nan"), float("inf"), 10**400, ("1",)])
def test_what_is_no_number_has_no_score(value: object) -> None:
    assert math.isnan(apply(points((0, 0), (1, 100)), [value])[0])  # type: ignore[list-item]
    assert math.isnan(apply(curve(1, 2), [value])[0])  # type: ignore[list-item]


@given(
    st.lists(st.tuples(finite, st.floats(0, 100)), min_size=2, max_size=8),
    st.lists(finite, min_size=1, max_size=20),
)
def test_points_never_leave_the_scale_of_their_scores(pairs: list[tuple[float, float]], values: list[float]) -> None:
    found = apply(points(*pairs), values)
    scores = [score for _, score in pairs]
    assert (found >= min(scores) - 1e-9).all()
    assert (found <= max(scores) + 1e-9).all()


@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=6),
    st.lists(st.floats(-10, 60), min_size=2, max_size=20),
    st.sampled_from(["linear", "log"]),
)
def test_rising_points_give_rising_scores(scores: list[float], values: list[float], scale: str) -> None:
    function = points(*((1 + 10 * place, score) for place, score in enumerate(sorted(scores))), scale=scale)
    found = apply(function, sorted(values))
    assert (np.diff(found) >= -1e-9).all()


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4), st.lists(st.floats(0.001, 1e6), min_size=2, max_size=20))
def test_the_curve_is_monotone_and_stays_between_0_and_100(best: float, middle: float, values: list[float]) -> None:
    if best == middle:
        return
    found = apply(curve(best, middle), sorted(values))
    rising = np.diff(found) if middle < best else -np.diff(found)
    assert (rising >= -1e-9).all()
    assert ((found >= 0) & (found <= 100)).all()


def test_a_table_of_columns_becomes_rows() -> None:
    table = apply_columns(
        [points((0, 0), (10, 100)), YesNoFunction(yes=90, no=10)], [[1, 2, None], [True, None, False]]
    )
    assert table.shape == (3, 2)
    assert table.flags.c_contiguous
    assert np.array_equal(table, [[10, 90], [20, np.nan], [np.nan, 10]], equal_nan=True)
    assert apply_columns([], []).size == 0
