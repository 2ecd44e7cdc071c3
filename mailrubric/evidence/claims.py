"""What vendor profiles state, as observations of kind ``claimed``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailrubric.catalogue.models import Fact, FactDeclaration, Vendor
from mailrubric.evidence.observation import Observation, ObservedValue


def normal_value(value: object) -> ObservedValue:
    """A stated value as observations hold it: lists and sets become sorted tuples without duplicates."""
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(sorted({str(member) for member in value}))
    if isinstance(value, bool | int | float | str):
        return value
    return str(value)


def claims(vendor: Vendor, declarations: Mapping[str, FactDeclaration]) -> list[Observation]:
    """One observation for each fact of a profile, in the profile's order, then one for each price metric that its
    plans give (``mailrubric.price.METRICS``), in US dollars.

    The unit is the declaration's. ``disputed`` holds the values of sources that disagree, as text with source and
    date; where the value was read second-hand, the note says so.
    """
    stated = [_claim(vendor.id, name, fact, declarations.get(name)) for name, fact in vendor.facts.items()]
    return stated + (_prices(vendor) if vendor.plans else [])


def _prices(vendor: Vendor) -> list[Observation]:
    from mailrubric.price import computed

    return [
        Observation(
            vendor=vendor.id,
            metric=f"price.{name}",
            value=float(cost.amount),
            kind="claimed",
            source=cost.plan.source,
            observed=cost.plan.as_of,
            unit=cost.currency,
            grade=cost.plan.grade,
            note=f"plan {cost.plan.name}" + ("" if cost.plan.billing == "monthly" else ", paid yearly"),
        )
        for name, cost in computed(vendor).items()
        if cost.amount is not None
    ]


def all_claims(vendors: Iterable[Vendor], declarations: Mapping[str, FactDeclaration]) -> list[Observation]:
    """The claims of several profiles."""
    return [claim for vendor in vendors for claim in claims(vendor, declarations)]


def stated_values(fact: Fact) -> tuple[ObservedValue, ...]:
    """The profile's value, then those of the sources that disagree with it."""
    return (
        normal_value(fact.value),
        *(normal_value(other.value) for other in fact.disputed if other.value is not None),
    )


def _claim(vendor: str, name: str, fact: Fact, declaration: FactDeclaration | None) -> Observation:
    notes = [fact.note] if fact.note else []
    if fact.via:
        notes.append(f"read at {fact.via}")
    return Observation(
        vendor=vendor,
        metric=name,
        value=normal_value(fact.value),
        kind="claimed",
        source=fact.source,
        observed=fact.as_of,
        unit=declaration.unit if declaration else "",
        grade=fact.grade,
        document=fact.document,
        note="; ".join(notes),
        disputed=tuple(
            (_text(other.value), other.source, other.as_of) for other in fact.disputed if other.value is not None
        ),
    )


def _text(value: object) -> str:
    normal = normal_value(value)
    if isinstance(normal, bool):
        return "yes" if normal else "no"
    return ", ".join(normal) if isinstance(normal, tuple) else str(normal)
