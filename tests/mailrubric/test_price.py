"""Price at a volume: exact sums, cheapest plans, break-even volumes to the message; what is not stated is unknown."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.catalogue.models import Plan, Vendor
from mailrubric.evidence.claims import claims
from mailrubric.price import BreakEven, Need, break_even, computed, cost, curve, offer

SOURCE = {"source": "https://vendor.example/pricing", "as_of": "2026-08-13"}


def plan(name: str = "Basic", monthly: float = 15, **fields: Any) -> Plan:
    return Plan.model_validate({"name": name, "monthly": monthly, **SOURCE, **fields})


def vendor(identifier: str, *plans: Plan) -> Vendor:
    return Vendor(id=identifier, name=identifier.title(), category="esp", plans=plans)


def amount(of: Plan, volume: int, **need: Any) -> Decimal | None:
    return cost(of, Need(volume, **need)).amount


@pytest.mark.parametrize(
    ("fields", "volume", "expected"),
    [
        ({"included_emails": 10_000}, 0, "15"),
        ({"included_emails": 10_000}, 10_000, "15"),
        ({"included_emails": 10_000, "overage_per_thousand": 1.8}, 10_001, "15.0018"),
        ({"included_emails": 10_000, "overage_per_thousand": 1.8}, 100_000, "177"),
        ({"included_emails": 10_000, "overage_per_thousand": 0.1}, 10_003, "15.0003"),
        ({"included_emails": 10_000, "overage_per_thousand": 0.8, "block": 25_000}, 10_001, "35"),
        ({"included_emails": 10_000, "overage_per_thousand": 0.8, "block": 25_000}, 35_000, "35"),
        ({"included_emails": 10_000, "overage_per_thousand": 0.8, "block": 25_000}, 35_001, "55"),
        ({"included_emails": 0, "overage_per_thousand": 0.1, "monthly": 0, "minimum": 5}, 1000, "5"),
        ({"included_emails": 0, "overage_per_thousand": 0.1, "monthly": 0, "minimum": 5}, 60_000, "6"),
    ],
)
def test_a_plan_costs_what_it_says(fields: dict[str, Any], volume: int, expected: str) -> None:
    assert amount(plan(**fields), volume) == Decimal(expected)


def test_steps_fall_with_volume() -> None:
    steps = [
        {"above": 0, "per_thousand": 1.0},
        {"above": 100_000, "per_thousand": 0.5},
        {"above": 1_000_000, "per_thousand": 0.1},
    ]
    stepped = plan(monthly=10, included_emails=20_000, steps=steps)
    assert amount(stepped, 20_000) == 10
    assert amount(stepped, 100_000) == 10 + 80
    assert amount(stepped, 300_000) == 10 + 80 + 100
    assert amount(stepped, 2_000_000) == 10 + 80 + 450 + 100


@pytest.mark.parametrize(
    ("fields", "need", "why"),
    [
        ({}, {}, "does not say how many messages are included"),
        ({"included_emails": 100}, {}, "no price stated beyond 100 messages"),
        ({"included_emails": 100, "maximum_emails": 500, "overage_per_thousand": 1}, {}, "only up to 500 messages"),
        ({"included_emails": 9000}, {"options": {"dedicated_ip": 1}}, "no price stated for dedicated_ip"),
    ],
)
def test_what_the_source_does_not_say_is_unknown(fields: dict[str, Any], need: dict[str, Any], why: str) -> None:
    found = cost(plan(**fields), Need(1000, **need))
    assert found.amount is None
    assert why in found.why


def test_options_and_users_are_counted() -> None:
    with_address = plan(included_emails=1000, add_ons={"dedicated_ip": 24.95})
    found = cost(with_address, Need(10, options={"dedicated_ip": 2}))
    assert found.amount == Decimal("64.90")
    assert sum(part for _, part in found.parts) == found.amount
    seat = plan(monthly=3, per_user=True)
    assert amount(seat, 0, users=12) == 36
    assert "say how many users" in cost(seat, Need(1000)).why


def test_what_the_base_price_includes_costs_nothing_more() -> None:
    with_one = plan(monthly=80, included_emails=1000, includes={"dedicated_ip": 1}, add_ons={"dedicated_ip": 59})
    assert cost(with_one, Need(10, options={"dedicated_ip": 1})).amount == 80
    three = cost(with_one, Need(10, options={"dedicated_ip": 3}))
    assert three.amount == 80 + 2 * 59
    assert sum(part for _, part in three.parts) == three.amount
    only_one = plan(included_emails=1000, includes={"dedicated_ip": 1})
    assert cost(only_one, Need(10, options={"dedicated_ip": 1})).amount == 15
    assert cost(only_one, Need(10, options={"dedicated_ip": 2})).why == (
        "no price stated for more than the included dedicated_ip"
    )


def test_the_cheapest_plan_counts_and_an_unknown_one_is_told() -> None:
    three = vendor(
        "acme",
        plan("Small", 15, included_emails=10_000),
        plan("Large", 35, included_emails=50_000),
        plan("Euro", 1, included_emails=50_000, currency="EUR"),
    )
    small = offer(three, Need(5000))
    assert small.best is not None
    assert (small.best.plan.name, small.complete) == ("Small", True)
    between = offer(three, Need(20_000))
    assert between.best is not None
    assert (between.best.plan.name, between.complete) == ("Large", False)
    beyond = offer(three, Need(60_000))
    assert beyond.best is None
    assert "Small: no price stated beyond 10,000 messages" in beyond.why
    assert offer(vendor("none"), Need(1)).why == "the profile states no plan"


def test_break_even_to_the_message() -> None:
    metered = vendor("metered", plan("Pay", 0, included_emails=0, overage_per_thousand=0.3))
    flat = vendor("flat", plan("Flat", 15, included_emails=100_000))
    assert break_even(metered, flat) == [
        BreakEven(1, "metered", "flat"),
        BreakEven(50_000, "", "", equal=True),
        BreakEven(50_001, "flat", "metered"),
        BreakEven(100_001, "", "", unknown=True),
    ]


def test_two_that_meet_at_a_step_part_there() -> None:
    metered = vendor("metered", plan("Pay", 0, included_emails=1, overage_per_thousand=50))
    blocks = vendor("blocks", plan("Blocks", 0, included_emails=7, overage_per_thousand=50, block=7))
    found = break_even(metered, blocks, up_to=13)
    assert [(each.volume, each.cheaper, each.equal) for each in found] == [
        (1, "", True), (2, "blocks", False), (8, "", True), (9, "blocks", False),
    ]  # fmt: skip


plans = st.builds(
    lambda monthly, included, rate, block, most, least, seats, billing: plan(
        "P", monthly, included_emails=included, overage_per_thousand=rate, block=block, maximum_emails=most,
        minimum=least, per_user=seats, billing=billing, add_ons={"dedicated_ip": 7.5},
    ),
    st.integers(0, 40).map(float),
    st.integers(0, 60),
    st.sampled_from([None, 0.0, 50.0, 125.0, 400.0, 333.0]),
    st.sampled_from([None, 7, 20]),
    st.sampled_from([None, 90]),
    st.sampled_from([None, None, 0.5, 9.0, 20.0]),
    st.booleans(),
    st.sampled_from(["monthly", "yearly"]),
)  # fmt: skip
needs = st.builds(
    lambda users, options, ahead: Need(0, users, options, ahead),
    st.integers(0, 3),
    st.sampled_from([{}, {"dedicated_ip": 2}]),
    st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(plans, min_size=1, max_size=3), st.lists(plans, min_size=1, max_size=3), needs)
def test_break_even_is_right_at_every_single_volume(first: list[Plan], second: list[Plan], need: Need) -> None:
    one, other = vendor("one", *first), vendor("other", *second)
    found = break_even(one, other, up_to=150, need=need)
    assert [each.volume for each in found] == sorted({each.volume for each in found})
    for volume in range(1, 151):
        state = [each for each in found if each.volume <= volume][-1]
        here = dataclasses.replace(need, volume=volume)
        left, right = offer(one, here).best, offer(other, here).best
        if left is None or right is None:
            assert state.unknown
        elif left.amount == right.amount:
            assert state.equal
        else:
            assert left.amount is not None
            assert right.amount is not None
            assert state.cheaper == ("one" if left.amount < right.amount else "other")


@settings(deadline=None, max_examples=60)
@given(plans, st.integers(0, 200), st.integers(0, 200))
def test_more_messages_never_cost_less_in_one_plan(of: Plan, volume: int, more: int) -> None:
    less, many = amount(of, volume), amount(of, volume + more)
    if many is not None:
        assert less is not None
        assert many >= less


def test_price_metrics_are_claims_with_the_source_of_their_plan() -> None:
    acme = vendor("acme", plan("Small", 15, included_emails=10_000), plan("Seat", 4, per_user=True))
    assert {name: found.amount for name, found in computed(acme).items()} == {
        "monthly_10k": 15, "entry": 15, "mailbox": 4,
    }  # fmt: skip
    stated = {claim.metric: claim for claim in claims(acme, {})}
    ten = stated["price.monthly_10k"]
    assert (ten.value, ten.unit, ten.source, ten.observed, ten.note) == (
        15.0, "USD", SOURCE["source"], SOURCE["as_of"], "plan Small",
    )  # fmt: skip
    assert "price.monthly_100k" not in stated


def test_a_year_paid_ahead_is_an_option() -> None:
    acme = vendor("acme", plan("Month", 15, included_emails=10), plan("Year", 12, included_emails=10, billing="yearly"))
    best = [offer(acme, Need(5, ahead=ahead)).best for ahead in (True, False)]
    assert [each.plan.name for each in best if each] == ["Year", "Month"]
    dear = vendor("dear", plan("Year", 12, included_emails=10, billing="yearly"))
    assert offer(dear, Need(5, ahead=False)).why == "Year: only by paying a year ahead"


def test_a_curve_has_an_offer_at_each_volume() -> None:
    found = curve(vendor("acme", plan(included_emails=1000)), [10, 1000, 1001])
    assert [each.best is not None for each in found] == [True, True, False]


@pytest.mark.parametrize("need", [{"volume": -1}, {"volume": 1, "users": -1}, {"volume": 1, "options": {"x": 0}}])
def test_a_need_that_means_nothing_is_refused(need: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be from"):
        Need(**need)
