"""``.md``: a scorecard for a wiki, an issue or a pull request (GitHub-flavoured Markdown)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mailrubric.display import age_words, interval, one_line, points, tenths, value_words
from mailrubric.evidence.observation import Observation
from mailrubric.export.tables import (
    METHOD,
    STATUS_WORDS,
    Table,
    gate_summary,
    reason,
    robustness_words,
    shown,
    tables,
    versions_words,
)
from mailrubric.scoring.decision import RobustRanking
from mailrubric.scoring.evaluation import Cell, Evaluation, VendorScore

# Enough inside a line, where all our text from outside stands; more backslashes would make the source hard to read.
_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#^$])")
# Entities, because a backslash does not stop a viewer from finding links, mentions and emoji in bare text.
_ENTITY = re.compile(r"[&<>@]|:(?=//|[A-Za-z_+-]|100:|1234:)|(?<=www)\.", re.IGNORECASE)
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SAFE_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[^\s<>|\\`\"'\x00-\x20\x7f-\U0010ffff]*)?")


def write_markdown(evaluation: Evaluation, sure: RobustRanking | None = None) -> bytes:
    """The whole scorecard; ends in one newline."""
    return ("\n".join(_lines(evaluation, sure)).rstrip("\n") + "\n").encode()


def escape(text: str) -> str:
    """Text from outside, showing exactly its characters: no markup, HTML, link, mention or table cell comes of it."""
    line = one_line(text)
    pieces, end = [], 0
    for match in _ENTITY.finditer(line):
        entity = _NAMED.get(match.group()) or f"&#{ord(match.group())};"
        pieces += [_SPECIAL.sub(r"\\\1", line[end : match.start()]), entity]
        end = match.end()
    return "".join([*pieces, _SPECIAL.sub(r"\\\1", line[end:])])


def link(text: str) -> str:
    """A source: a link when it is a plain web address, else the text."""
    return f"<{text}>" if _SAFE_URL.fullmatch(text) else escape(text)


def _lines(evaluation: Evaluation, sure: RobustRanking | None) -> Iterator[str]:
    sheet = tables(evaluation, sure)
    yield "# Email platform scorecard"
    yield ""
    yield from (f"- {name}: {_code(str(setting))}" for name, setting in sheet.rules.rows)
    yield ""
    yield "## Ranking"
    yield ""
    yield from _table(
        ("Rank", "Vendor", "Category", "Estimate", "Score", "Interval", "Coverage %", "Gates", "Status"),
        (
            (
                "" if vendor.rank is None else str(vendor.rank),
                _name(vendor),
                escape(vendor.category),
                points(vendor.ranking_score),
                points(vendor.score),
                interval(vendor.low, vendor.high),
                tenths(vendor.coverage),
                escape(gate_summary(vendor)),
                STATUS_WORDS[vendor.status],
            )
            for vendor in evaluation.vendors
        ),
        right=(0, 3, 4, 5, 6),
    )
    yield ""
    if evaluation.vendors and evaluation.vendors[0].groups:
        yield "### Scores by group"
        yield ""
        titles = [escape(group.title) for group in evaluation.vendors[0].groups]
        yield from _table(
            ("Vendor", *titles),
            (
                (_name(vendor), *(points(group.score, applicable=group.applicable) for group in vendor.groups))
                for vendor in evaluation.vendors
            ),
            right=range(1, len(titles) + 1),
        )
        yield ""
    if sure is not None:
        yield "## How sure the ranking is"
        yield ""
        yield escape(robustness_words(sure))
        yield ""
        yield from _plain(sheet.robustness, leave_out=("vendor",))
        yield ""
    yield "## Contradictions between claim and measurement"
    yield ""
    if sheet.contradictions.rows:
        yield from _plain(sheet.contradictions, leave_out=("vendor",))
    else:
        yield "None found."
    yield ""
    for vendor in evaluation.vendors:
        yield from _vendor(vendor, evaluation)
    yield "## Rules"
    yield ""
    yield from _plain(sheet.weights)
    yield ""
    yield from _plain(sheet.rubric)
    yield ""
    yield "## How to read this"
    yield ""
    yield from (f"- {sentence}" for sentence in METHOD)


def _vendor(vendor: VendorScore, evaluation: Evaluation) -> Iterator[str]:
    about = {criterion.id: criterion for criterion in evaluation.criteria}
    yield f"## {_name(vendor)}"
    yield ""
    rank = f"rank {vendor.rank}" if vendor.rank is not None else STATUS_WORDS[vendor.status]
    yield (
        f"{rank[0].upper() + rank[1:]}, estimate {points(vendor.ranking_score)}, score {points(vendor.score)}, "
        f"interval {interval(vendor.low, vendor.high)}, coverage {tenths(vendor.coverage)} %."
    )
    yield ""
    for gate in vendor.gates:
        if gate.status != "pass":
            word = "Gate failed" if gate.status == "fail" else "Gate undecided"
            yield f"- {word}: {escape(gate.criterion)}: {escape(gate.reason)}"
    if any(gate.status != "pass" for gate in vendor.gates):
        yield ""
    for group in vendor.groups:
        yield f"### {escape(vendor.name)}: {escape(group.title)}"
        yield ""
        yield (
            f"Score {points(group.score, applicable=group.applicable)}, weight {tenths(group.weight)} %, "
            f"contribution {points(None if group.score is None else group.contribution, applicable=group.applicable)}."
        )
        yield ""
        cells = [cell for cell in vendor.cells if about[cell.criterion].group == group.id]
        yield from _table(
            ("Criterion", "Value", "Kind", "Score", "Weight %", "Contribution", "Evidence"),
            (
                (
                    f"{escape(about[cell.criterion].question)} ({escape(cell.criterion)})",
                    _value(cell),
                    cell.kind or "",
                    points(cell.score, applicable=cell.applicable),
                    tenths(cell.weight),
                    points(cell.contribution, applicable=cell.applicable),
                    _evidence(cell),
                )
                for cell in cells
            ),
            right=(3, 4, 5),
        )
        yield ""


def _value(cell: Cell) -> str:
    if cell.value is not None:
        words = escape(value_words(cell.value, cell.unit))
        return f"{words}. {escape(reason(cell))}" if cell.score is None else words
    return f"{points(None, applicable=cell.applicable)}: {escape(reason(cell))}"


def _evidence(cell: Cell) -> str:
    parts = [_observation(item) for item in cell.evidence]
    if cell.contradiction:
        parts.insert(0, f"**Contradiction**: {escape(cell.contradiction.sentence)}")
    if cell.observed:
        parts.append(f"evidence: {escape(age_words(cell.age_days, cell.observed))}")
    return "<br>".join(parts)


def _observation(item: Observation) -> str:
    value = value_words(item.value, item.unit) if item.value is not None else f"no value, {item.cause}"
    about = [link(item.source), *map(escape, (item.observed, item.vantage, item.grade, versions_words(item)))]
    return f"{escape(item.endpoint or item.metric)}: {escape(value)} ({item.kind}; {', '.join(filter(None, about))})"


def _name(vendor: VendorScore) -> str:
    return escape(vendor.name) + (" (lab)" if vendor.lab and not vendor.name.endswith("(lab)") else "")


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39)).replace('|', '/')}`"


def _plain(table: Table, leave_out: Sequence[str] = ()) -> Iterator[str]:
    columns = [column for column in table.columns if column.key not in leave_out]
    right = [index for index, column in enumerate(columns) if column.kind in ("figure", "number", "integer", "weight")]
    yield from _table(
        [column.title for column in columns],
        (
            [(link if column.kind == "link" else escape)(shown(record[column.key], column.kind)) for column in columns]
            for record in table.records()
        ),
        right=right,
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    aligned = set(right)
    yield "| " + " | ".join(header) + " |"
    yield "|" + "|".join(" ---: " if index in aligned else " --- " for index in range(len(header))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
