"""What a vendor costs at a volume: exact arithmetic over the plans of its profile.

A plan is a base price a month, messages included in it, and what further ones cost. Its cost is linear in the number of
messages between a few volumes where it bends or jumps, so that cheapest plans and break-even volumes between vendors
are computed, not searched for. What the plan's source does not say (messages beyond those included, an option's price)
is unknown, never 0. Currencies are never mixed unless the team gives a rate.

All amounts are ``Decimal``: a price list is exact, and so is what follows from it. All functions are pure.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from mailrubric.catalogue.models import Plan, Vendor

LARGEST_VOLUME = 10_000_000
CURVE_VOLUMES = (*(digit * 10**power for power in range(3, 7) for digit in (1, 2, 5)), LARGEST_VOLUME)
"""Messages a month at which a cost curve is drawn."""


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """What is to be paid for: messages a month, mailboxes (0: none wanted), options by name and number
    (``dedicated_ip``: 2). ``ahead``: whether we would pay a year ahead, where that makes a month cheaper."""

    volume: int = 0
    users: int = 0
    options: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ahead: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.volume <= 1_000_000_000_000:
            raise ValueError(f"the number of messages must be from 0 to 1,000,000,000,000, got {self.volume}")
        if not 0 <= self.users <= 1_000_000:
            raise ValueError(f"the number of users must be from 0 to 1,000,000, got {self.users}")
        for name, count in self.options.items():
            if not 0 < count <= 10_000:
                raise ValueError(f"the number of {name} must be from 1 to 10,000, got {count}")


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """A plan's price for a need. ``amount`` a month in ``currency``, None with ``why`` when the plan's source does not
    allow to compute it, or the plan does not reach so far. ``parts``: what it is made of, for people."""

    plan: Plan
    amount: Decimal | None
    currency: str
    why: str = ""
    parts: tuple[tuple[str, Decimal], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """The cheapest plan of a vendor whose price for a need is known. ``best`` None when none is. ``complete``: whether
    every plan's price is known here, so that no stated plan can be cheaper."""

    vendor: str
    best: Cost | None
    costs: tuple[Cost, ...]
    complete: bool
    currency: str

    @property
    def why(self) -> str:
        """Why there is no price; "" when there is one."""
        if self.best is not None:
            return ""
        if not self.costs:
            return f"the profile states no plan in {self.currency}" if self.currency else "the profile states no plan"
        return "; ".join(f"{cost.plan.name}: {cost.why}" for cost in self.costs)


def exact(number: float) -> Decimal:
    """A price as written: 0.1 is a tenth."""
    return Decimal(repr(number))


def cost(plan: Plan, need: Need) -> Cost:
    """The price of one plan for a need; see ``Cost``."""
    parts: list[tuple[str, Decimal]] = []

    def unknown(why: str) -> Cost:
        return Cost(plan, None, plan.currency, why)

    base = exact(plan.monthly)
    if plan.billing == "yearly" and not need.ahead:
        return unknown("only by paying a year ahead")
    if plan.per_user:
        if not need.users:
            return unknown("sold by the mailbox: say how many users")
        parts.append((f"{need.users} users" if need.users > 1 else "one user", base * need.users))
    else:
        parts.append(("base", base))
    if plan.maximum_emails is not None and need.volume > plan.maximum_emails:
        return unknown(f"only up to {plan.maximum_emails:,} messages")
    if not plan.per_user or plan.included_emails is not None:
        if plan.included_emails is None:
            return unknown("its source does not say how many messages are included")
        further = need.volume - _included(plan, need)
        if further > 0:
            charged = _further(plan, need.volume, further)
            if charged is None:
                return unknown(f"no price stated beyond {plan.included_emails:,} messages")
            parts.append((f"{further:,} further messages", charged))
    for name, count in sorted(need.options.items()):
        charged_for = max(0, count - plan.includes.get(name, 0))
        if charged_for < count:
            parts.append((f"{count - charged_for} × {name} included", Decimal(0)))
        if not charged_for:
            continue
        if name not in plan.add_ons:
            more = "more than the included " if charged_for < count else ""
            return unknown(f"no price stated for {more}{name}")
        parts.append((f"{charged_for} × {name}", exact(plan.add_ons[name]) * charged_for))
    amount = sum((part for _, part in parts), Decimal(0))
    if plan.minimum is not None and amount < exact(plan.minimum):
        parts.append(("up to the minimum", exact(plan.minimum) - amount))
        amount = exact(plan.minimum)
    return Cost(plan, amount, plan.currency, "", tuple(parts))


def _further(plan: Plan, volume: int, further: int) -> Decimal | None:
    """The price of messages beyond the included ones: in steps or at one rate; in whole blocks where sold so."""
    if plan.steps:
        total = Decimal(0)
        low = volume - further
        for step, after in itertools.zip_longest(plan.steps, plan.steps[1:]):
            high = volume if after is None else min(volume, after.above)
            if high > max(low, step.above):
                total += (high - max(low, step.above)) * exact(step.per_thousand) / 1000
        return total if plan.steps[0].above <= low else None
    if plan.overage_per_thousand is None:
        return None
    return _blocks(further, plan.block or 1) * exact(plan.overage_per_thousand) / 1000


def _blocks(count: int, block: int) -> int:
    return -(-count // block) * block


_OTHER_NEEDS = ("only up to", "only by paying", "sold by the mailbox")
"""How the reason begins when a plan is not for this need at all, rather than of unknown price."""


def offer(vendor: Vendor, need: Need, *, currency: str | None = None) -> Offer:
    """The vendor's cheapest plan for a need, among those in ``currency`` (None: the currency of its first plan)."""
    wanted = currency or (vendor.plans[0].currency if vendor.plans else "")
    costs = tuple(cost(plan, need) for plan in vendor.plans if plan.currency == wanted)
    known = [each for each in costs if each.amount is not None]
    best = min(known, key=lambda each: (each.amount, each.plan.name), default=None)
    reaches = [each for each in costs if each.amount is None and not each.why.startswith(_OTHER_NEEDS)]
    return Offer(vendor.id, best, costs, not reaches, wanted)


def curve(
    vendor: Vendor, volumes: Iterable[int] = CURVE_VOLUMES, *, need: Need | None = None, currency: str | None = None
) -> list[Offer]:
    """Offers at each volume, all else as in ``need`` (None: no options)."""
    rest = need or Need()
    return [offer(vendor, dataclasses.replace(rest, volume=volume), currency=currency) for volume in volumes]


@dataclasses.dataclass(frozen=True, slots=True)
class BreakEven:
    """From ``volume`` messages a month on, ``cheaper`` costs less than ``dearer``, until the next entry. Both names are
    empty where both cost the same (``equal``) and where the price of one of them is not known (``unknown``)."""

    volume: int
    cheaper: str
    dearer: str
    equal: bool = False
    unknown: bool = False

    def words(self, name: Callable[[str], str] = str) -> str:
        """``mailgun is cheaper than postmark``, or why that cannot be said. ``name``: how a vendor is called."""
        if self.unknown:
            return "the price of one of them is not known"
        return "both cost the same" if self.equal else f"{name(self.cheaper)} is cheaper than {name(self.dearer)}"


def break_even(
    one: Vendor, other: Vendor, *, up_to: int = LARGEST_VOLUME, need: Need | None = None, currency: str = "USD"
) -> list[BreakEven]:
    """Who is cheaper from which volume on, from 1 to ``up_to`` messages a month: exact, to the message; all else as in
    ``need`` (None: no options).

    Between neighbouring bends of all plans, and crossings of any two plans, both cheapest prices are straight lines; so
    it is enough to compare at each such volume and the one after it.
    """
    found: list[BreakEven] = []
    rest = need or Need()
    for volume in _turning_points((*one.plans, *other.plans), up_to, rest):
        here = dataclasses.replace(rest, volume=volume)
        first, second = offer(one, here, currency=currency).best, offer(other, here, currency=currency).best
        state = BreakEven(volume, "", "", unknown=True)
        if first is not None and second is not None and first.amount is not None and second.amount is not None:
            if first.amount == second.amount:
                state = BreakEven(volume, "", "", equal=True)
            elif first.amount < second.amount:
                state = BreakEven(volume, one.id, other.id)
            else:
                state = BreakEven(volume, other.id, one.id)
        if not found or _kind(found[-1]) != _kind(state):
            found.append(state)
    return found


def _kind(state: BreakEven) -> tuple[str, bool, bool]:
    return state.cheaper, state.equal, state.unknown


_STEPS = 10_000
"""Steps of a staircase that are looked at one by one: all of them up to ``LARGEST_VOLUME`` for blocks of a thousand. Of
smaller blocks (nobody sells such) what lies beyond is taken for straight."""


def _turning_points(plans: Sequence[Plan], up_to: int, need: Need) -> list[int]:
    bends = {1, up_to}
    for plan in plans:
        bends.update(_bends(plan, up_to, need))
        if plan.block and plan.block > 1:
            # Sold in blocks: a staircase, every step of which is a turning point.
            start, end = _included(plan, need), min(up_to, plan.maximum_emails or up_to)
            bends.update(range(start, min(end, start + _STEPS * plan.block) + 1, plan.block))
    ordered = sorted({point for bend in bends for point in (bend - 1, bend, bend + 1) if 1 <= point <= up_to})
    points = set(ordered)

    @functools.cache
    def amounts(volume: int) -> list[Decimal | None]:
        here = dataclasses.replace(need, volume=volume)
        return [cost(plan, here).amount for plan in plans]

    for low, high in itertools.pairwise(ordered):
        if high - low > 1:
            found = _crossings(low, amounts(low), high, amounts(high))
            points.update(point for point in found if low <= point <= high)
    return sorted(points)


def _included(plan: Plan, need: Need) -> int:
    """Messages in the base price."""
    return (plan.included_emails or 0) * (need.users if plan.per_user else 1)


def _bends(plan: Plan, up_to: int, need: Need) -> Iterator[int]:
    yield _included(plan, need)
    if plan.maximum_emails is not None:
        yield plan.maximum_emails
    yield from (step.above for step in plan.steps)
    if plan.minimum is not None:
        free = plan.model_copy(update={"minimum": None})

        def above(volume: int) -> bool:
            amount = cost(free, dataclasses.replace(need, volume=volume)).amount
            return amount is None or amount > exact(plan.minimum or 0)

        yield bisect.bisect_left(range(up_to), True, key=above)  # prices never fall with volume


def _crossings(
    low: int, at_low: Sequence[Decimal | None], high: int, at_high: Sequence[Decimal | None]
) -> Iterator[int]:
    """Volumes next to where two plans cost the same, both being straight lines from ``low`` to ``high``; the plans'
    prices at both."""
    ends = [
        (first, last) for first, last in zip(at_low, at_high, strict=True) if first is not None and last is not None
    ]
    for (a, b), (c, d) in itertools.combinations(ends, 2):
        if (a - c) * (b - d) <= 0 and (a, b) != (c, d):  # also where they meet at an end, and part there
            left, right = Fraction(a - c), Fraction(b - d)
            crossing = int(low + (high - low) * left / (left - right))
            yield from (crossing - 1, crossing, crossing + 1, crossing + 2)


METRICS: dict[str, int] = {
    "monthly_10k": 10_000,
    "monthly_50k": 50_000,
    "monthly_100k": 100_000,
    "monthly_1m": 1_000_000,
}
"""Price metrics that criteria may name (``from: {price: …}``), in messages a month."""
NAMES = (*METRICS, "entry", "mailbox")
"""All price metrics: also the smallest plan that costs anything, and one mailbox (the cheapest plan per user)."""


def computed(vendor: Vendor, currency: str = "USD") -> dict[str, Cost]:
    """The price metrics of a vendor as far as its plans give them, each with the plan that does."""
    found: dict[str, Cost] = {}
    plans = [plan for plan in vendor.plans if plan.currency == currency]
    metered = vendor.model_copy(update={"plans": tuple(plan for plan in plans if not plan.per_user)})
    for name, volume in METRICS.items():
        best = offer(metered, Need(volume), currency=currency).best
        if best is not None:
            found[name] = best
    paid = [cost(plan, Need(0)) for plan in plans if plan.monthly > 0 and not plan.per_user]
    entry = min((each for each in paid if each.amount), key=lambda each: each.amount or 0, default=None)
    if entry is None:
        bare = [Cost(plan, exact(plan.monthly), currency) for plan in plans if plan.monthly > 0 and not plan.per_user]
        entry = min(bare, key=lambda each: each.amount or 0, default=None)
    if entry is not None:
        found["entry"] = entry
    seats = [Cost(plan, exact(plan.monthly), currency) for plan in plans if plan.per_user and plan.monthly > 0]
    mailbox = min(seats, key=lambda each: each.amount or 0, default=None)
    if mailbox is not None:
        found["mailbox"] = mailbox
    return found
