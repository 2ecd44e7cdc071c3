"""``.csv``: one row for each vendor and criterion, RFC 4180, UTF-8, with evidence and rules in every row.

Spreadsheets read a text that begins with an operator as a formula, so such texts get an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata

from mailrubric.display import one_line, tenths, value_words
from mailrubric.evidence.observation import Observation
from mailrubric.export.tables import Table, shown, tables, versions_words
from mailrubric.scoring.decision import RobustRanking
from mailrubric.scoring.evaluation import Evaluation

_OPERATORS = "=+-@\N{MINUS SIGN}"
# Where the list separator is a semicolon, quotes are no protection: a formula could begin after one.
_AFTER_SEMICOLON = re.compile(r"(;\s*)(?=[=+\-@＝＋－＠﹢﹣﹦﹫−])")

_VENDOR = {
    "rank": "rank",
    "vendor": "vendor",
    "name": "name",
    "category": "category",
    "lab": "lab",
    "status": "status",
    "ranking_score": "vendor_estimate",
    "score": "vendor_score",
    "low": "vendor_low",
    "high": "vendor_high",
    "coverage": "coverage",
    "gates": "gates",
}
_GROUP = {"group_title": "group_title", "score": "group_score", "weight": "group_weight"}
_CRITERION = {
    name: name
    for name in (
        "group", "criterion", "question", "value", "unit", "kind", "score", "low", "high", "weight", "contribution",
        "imputed", "cause", "why", "detail", "source", "observed", "age_days", "grade", "vantage", "n", "contradiction",
    )
}  # fmt: skip
_RULES = ("rules_hash", "engine", "preset", "minimum_coverage", "as_of")
HEADER: tuple[str, ...] = (
    *_VENDOR.values(),
    *_GROUP.values(),
    *_CRITERION.values(),
    "evidence",
    "endpoint_contradictions",
    *_RULES,
    "wins",
    "dominated_by",
)


def write_csv(evaluation: Evaluation, sure: RobustRanking | None = None) -> bytes:
    """The rows under one header line; lines end in CRLF. A vendor without any criterion has one row."""
    sheet = tables(evaluation, sure)
    settings = (
        evaluation.rules_hash,
        evaluation.engine_version,
        evaluation.preset,
        tenths(evaluation.minimum_coverage),
        evaluation.as_of,
    )
    rules = {name: neutral(one_line(text)) for name, text in zip(_RULES, settings, strict=True)}
    groups = {(row["vendor"], row["group"]): row for row in _texts(sheet.groups)}
    standings = {
        row["vendor"]: {"wins": row["win"], "dominated_by": row["dominated_by"]} for row in _texts(sheet.robustness)
    }
    cells: dict[str, list[dict[str, str]]] = {}
    for row in _texts(sheet.criteria):
        cells.setdefault(row["vendor"], []).append(row)

    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, HEADER, restval="", lineterminator="\r\n")
    writer.writeheader()
    for vendor, ranking in zip(evaluation.vendors, _texts(sheet.ranking), strict=True):
        common = {new: ranking[old] for old, new in _VENDOR.items()} | rules
        common["endpoint_contradictions"] = neutral(
            one_line("; ".join(item.sentence for item in vendor.contradictions if item.subject == "endpoint"))
        )
        common |= standings.get(vendor.id, {})
        if not vendor.cells:
            writer.writerow(common)
        for cell, row in zip(vendor.cells, cells.get(vendor.id, []), strict=True):
            group = groups.get((vendor.id, row["group"]), {})
            writer.writerow(
                common
                | {new: group.get(old, "") for old, new in _GROUP.items()}
                | {new: row[old] for old, new in _CRITERION.items()}
                | {"evidence": neutral(" | ".join(map(_evidence, cell.evidence)))}
            )
    return file.getvalue().encode()


def neutral(text: str) -> str:
    """``text`` that no spreadsheet takes for a formula.

    What hides an operator is looked through: white space, invisible characters, full-width and small forms.
    """
    plain = unicodedata.normalize("NFKC", text)
    first = next((c for c in plain if not c.isspace() and unicodedata.category(c)[0] not in "CZM"), "")
    hidden = text[:1] in ("\t", "\r", "\n") or (first != "" and first in _OPERATORS)
    return ("'" if hidden else "") + _AFTER_SEMICOLON.sub(r"\1'", text)


def _texts(table: Table) -> list[dict[str, str]]:
    """The rows as texts, those from outside neutralised; numbers are our own and stay numbers."""
    return [
        {
            column.key: shown(entry, column.kind) if not isinstance(entry, str) else neutral(entry)
            for column, entry in zip(table.columns, row, strict=True)
        }
        for row in table.rows
    ]


def _evidence(item: Observation) -> str:
    """One observation: ``submission smtp.example.com:587 = TLSv1.2 (measured, probe tls, 2026-11-22T10:00:00Z, …)``."""
    value = value_words(item.value, item.unit) if item.value is not None else f"no value: {item.cause}"
    provenance = (item.kind, item.source, item.observed, item.vantage, item.grade, versions_words(item))
    about = ", ".join(one_line(text) for text in provenance if text)
    return f"{one_line(item.endpoint or item.metric)} = {value} ({about})"
