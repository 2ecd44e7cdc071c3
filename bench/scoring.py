"""Scoring 1,000 vendors × 60 criteria, beside the bare matrix product on the same numbers.

python -m bench scoring
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from bench.tables import Table
from mailrubric.catalogue.catalogue import Catalogue, overlay
from mailrubric.catalogue.models import CriteriaFile, Vendor, Weights
from mailrubric.scoring.evaluate import tabulate, weigh

VENDORS, GROUPS, PER_GROUP = 1000, 12, 5


def catalogue(vendors: int, seed: int = 1) -> Catalogue:
    """Vendors with numeric, boolean and level facts, one cell in five unknown."""
    random = np.random.default_rng(seed)
    made = Catalogue()
    kinds = ("number", "boolean", "level")
    functions: dict[str, object] = {
        "number": {"points": [[0, 0], [50, 40], [100, 100]]},
        "boolean": {"yes": 100, "no": 0},
        "level": {"map": {"low": 0, "middle": 50, "high": 100}},
    }
    names: list[tuple[str, str]] = []
    for group in range(GROUPS):
        facts, criteria = {}, []
        for number in range(PER_GROUP):
            kind = kinds[(group + number) % 3]
            name = f"fact_{group}_{number}"
            names.append((name, kind))
            facts[name] = {"type": kind, "meaning": "made up for the benchmark"} | (
                {"levels": ["low", "middle", "high"]} if kind == "level" else {}
            )
            criteria.append(
                {
                    "id": f"criterion-{group}-{number}",
                    "question": "A question?",
                    "from": {"fact": name},
                    "weight": 1 + number,
                    "score": functions[kind],
                    "rationale": "For the benchmark.",
                }
            )
        file = CriteriaFile.model_validate(
            {
                "group": {"id": f"group-{group}", "title": f"Group {group}", "weight": 1 + group},
                "facts": facts,
                "criteria": criteria,
            }
        )
        made = overlay(made, file)
    profiles = {}
    for index in range(vendors):
        claims = {}
        for name, kind in names:
            if random.random() < 0.2:
                continue
            drawn = random.random()
            value: object = {
                "number": 100 * drawn,
                "boolean": drawn > 0.5,
                "level": ("low", "middle", "high")[int(drawn * 3)],
            }[kind]
            claims[name] = {"value": value, "source": "https://example.com/", "as_of": "2026-11-01"}
        identifier = f"vendor-{index}"
        profiles[identifier] = Vendor.model_validate(
            {"id": identifier, "name": identifier, "category": "esp", "facts": claims}
        )
    return Catalogue(
        groups=made.groups,
        criteria=made.criteria,
        group_of=made.group_of,
        facts=made.facts,
        metrics=made.metrics,
        vendors=profiles,
        presets={},
        paths={},
    )


def median_ms(run: Callable[[], object], repeats: int) -> float:
    """The median time of one call in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def table() -> Table:
    """The section of the document."""
    return Table(("what", "figure"), "Medians of 3 to 200 runs.", list(run()))


def run() -> list[tuple[str, str]]:
    """Rows (what, figure) for the report."""
    rows = []
    for vendors, repeats in ((70, 15), (VENDORS, 7)):
        made = catalogue(vendors)
        table = tabulate(made, [])
        first = median_ms(lambda made=made: tabulate(made, []), 3)  # type: ignore[misc]
        again = median_ms(lambda table=table: weigh(table, weights=Weights(groups={"group-0": 7.0})), repeats)  # type: ignore[misc]
        matrix = np.nan_to_num(table.scores)
        shares = np.full(matrix.shape[1], 1 / matrix.shape[1])
        bare = median_ms(lambda: matrix @ shares, 200)  # noqa: B023
        from mailrubric.scoring import additive

        kernel = median_ms(
            lambda: additive.totals(table.scores, table.low, table.high, table.applicable, shares),  # noqa: B023
            100,
        )
        size = f"{vendors} × {GROUPS * PER_GROUP}"
        rows += [
            (
                f"{size}: cells from claims (value functions, age, gates), once per change of evidence",
                f"{first:.0f} ms",
            ),
            (f"{size}: new weights to a complete evaluation (what a slider costs)", f"{again:.1f} ms"),
            (f"{size}: the numeric kernel alone (scores, contributions, intervals, coverage)", f"{kernel:.2f} ms"),
            (f"{size}: bare matrix product, the limit", f"{bare:.3f} ms"),
        ]
    return rows
