"""Small catalogues and observations, built straight from the models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Criterion, FactDeclaration, Group, Preset, Vendor
from mailrubric.evidence.observation import Observation, ObservedValue
from probes.model import Metric

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FRESH = "2026-11-22T12:00:00Z"
LINE = {"points": [[0, 0], [100, 100]]}
"""A value function that gives a value between 0 and 100 its own number of points."""


def criterion(identifier: str, **fields: Any) -> Criterion:
    """A criterion; by default it reads the fact of the same name (``-`` as ``_``) on a straight line."""
    return Criterion.model_validate(
        {
            "id": identifier,
            "question": f"What is {identifier}?",
            "from": {"fact": identifier.replace("-", "_")},
            "score": LINE,
            "rationale": "for the test",
            **fields,
        }
    )


def fact(value: Any, as_of: str = "2026-11-22", **fields: Any) -> dict[str, Any]:
    """A fact of a profile."""
    return {"value": value, "source": "https://vendor.example/page", "as_of": as_of, **fields}


def vendor(identifier: str, category: str = "esp", **fields: Any) -> Vendor:
    """A vendor named after its id."""
    return Vendor.model_validate({"id": identifier, "name": identifier.title(), "category": category, **fields})


def submission(*hosts: str, port: int = 587, tls: str = "starttls") -> dict[str, Any]:
    """Endpoints of a profile: submission servers."""
    return {"submission": [{"host": host, "port": port, "tls": tls} for host in hosts]}


def catalogue(
    groups: Mapping[str, Sequence[Criterion]],
    vendors: Iterable[Vendor],
    *,
    weights: Mapping[str, float] | None = None,
    presets: Iterable[Preset] = (),
    facts: Mapping[str, FactDeclaration] | None = None,
    metrics: Iterable[Metric] = (),
) -> Catalogue:
    """A catalogue of these groups (each of weight 1 unless ``weights`` says otherwise)."""
    declared = {
        each.source.fact: FactDeclaration(type="number", meaning="for the test", unit=each.unit)
        for members in groups.values()
        for each in members
        if each.source.fact
    }
    profiles = sorted(vendors, key=lambda each: each.id)
    return Catalogue(
        groups=tuple(Group(id=name, title=name.title(), weight=(weights or {}).get(name, 1)) for name in groups),
        criteria=tuple(each for members in groups.values() for each in members),
        group_of={each.id: name for name, members in groups.items() for each in members},
        facts={**declared, **(facts or {})},
        metrics={metric.key: metric for metric in metrics},
        vendors={each.id: each for each in profiles},
        presets={each.id: each for each in presets},
    )


def measured(
    vendor_id: str,
    metric: str,
    value: ObservedValue | None = None,
    *,
    host: str = "mx.example",
    port: int = 587,
    cause: str | None = None,
    observed: str = FRESH,
    vantage: str = "local",
    **fields: Any,
) -> Observation:
    """A measurement at a submission server."""
    return Observation(
        vendor=vendor_id,
        metric=metric,
        value=value,
        kind="measured",
        source=f"probe {metric.partition('.')[0]}",
        observed=observed,
        cause=cause,
        endpoint=fields.pop("endpoint", f"submission {host}:{port}"),
        role=fields.pop("role", "submission"),
        vantage=vantage,
        **fields,
    )
