"""``.xlsx``: a workbook with the sheets Ranking, Criteria, Evidence, Contradictions and Rules.

Texts are written as texts, never as formulas or links. Figures are held in full and shown with one decimal. What is
unknown stands as the word ``unknown``, so that no sum or colour scale takes it for 0.
"""

from __future__ import annotations

import datetime
import io
import re

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from mailrubric.display import one_line
from mailrubric.export.tables import METHOD, Column, Entry, Missing, Table, Tables, tables
from mailrubric.scoring.decision import RobustRanking
from mailrubric.scoring.evaluation import Evaluation

_CELL_CHARACTERS = 32_767
"""Excel's limit for one cell."""
_SCALE = {
    "type": "3_color_scale",
    # Fixed ends: a colour means the same in every column and file. Blue against orange suits colour-blind eyes.
    "min_type": "num", "mid_type": "num", "max_type": "num",
    "min_value": 0, "mid_value": 50, "max_value": 100,
    "min_color": "#F6B26B", "mid_color": "#FFFFFF", "max_color": "#6FA8DC",
}  # fmt: skip


def write_xlsx(evaluation: Evaluation, sure: RobustRanking | None = None) -> bytes:
    """The workbook. Its creation date is the evaluation's ``as_of``, so the same evaluation gives the same bytes."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(
        file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties(
        {
            "title": "Email platform scorecard",
            "subject": f"Rules {evaluation.rules_hash}",
            "author": "Mailrubric",
            "comments": f"As of {one_line(evaluation.as_of)}; weights: {one_line(evaluation.preset) or 'default'}",
            "created": _moment(evaluation.as_of),
        }
    )
    styles = _Styles(book)
    sheet = tables(evaluation, sure)
    _write(book, styles, "Ranking", _with_groups(evaluation, sheet), frozen=3)
    _write(book, styles, "Robustness", sheet.robustness, frozen=3)
    _write(book, styles, "Criteria", sheet.criteria, frozen=4)
    _write(book, styles, "Evidence", sheet.evidence, frozen=3)
    _write(book, styles, "Contradictions", sheet.contradictions, frozen=2)
    _write_rules(book, styles, sheet)
    book.close()
    return file.getvalue()


class _Styles:
    """The cell formats, made once: the number of formats in a workbook is limited."""

    def __init__(self, book: Workbook) -> None:
        top = {"valign": "top"}
        self.head: Format = book.add_format(
            {"bold": True, "bottom": 1, "bg_color": "#E8ECF1", "font_color": "#1C2127", "text_wrap": True, **top}
        )
        self.text: Format = book.add_format({"text_wrap": True, **top})
        self.figure: Format = book.add_format({"num_format": "0.0", **top})
        self.number: Format = book.add_format({"num_format": "General", "align": "left", **top})
        self.integer: Format = book.add_format({"num_format": "0", **top})
        self.missing: Format = book.add_format({"italic": True, "font_color": "#7A8591", "align": "right", **top})
        self.title: Format = book.add_format({"bold": True, "font_size": 13, **top})


def _with_groups(evaluation: Evaluation, sheet: Tables) -> Table:
    """The ranking with one more column for each group's score."""
    scores = {(row["vendor"], row["group"]): row["score"] for row in sheet.groups.records()}
    groups = dict.fromkeys((row["group"], row["group_title"]) for row in sheet.groups.records())
    columns = tuple(Column(f"group_{group}", str(title), "figure", 12) for group, title in groups)
    rows = tuple(
        (*row, *(scores.get((vendor.id, group)) for group, _ in groups))
        for vendor, row in zip(evaluation.vendors, sheet.ranking.rows, strict=True)
    )
    return Table(sheet.ranking.name, (*sheet.ranking.columns, *columns), rows)


def _write(book: Workbook, styles: _Styles, name: str, table: Table, frozen: int) -> None:
    page: Worksheet = book.add_worksheet(name)
    _write_table(page, styles, table, 0)
    for index, column in enumerate(table.columns):
        page.set_column(index, index, column.width)
        if table.rows and (column.key == "score" or column.key.startswith("group_")) and column.kind == "figure":
            page.conditional_format(1, index, len(table.rows), index, _SCALE)
    page.freeze_panes(1, frozen)
    page.autofilter(0, 0, max(len(table.rows), 1), len(table.columns) - 1)
    _print_setup(page, repeat_head=True)


def _write_rules(book: Workbook, styles: _Styles, sheet: Tables) -> None:
    page: Worksheet = book.add_worksheet("Rules")
    for index, width in enumerate((28, 28, 50, 10, 10, 44, 36, 44, 60, 30)):
        page.set_column(index, index, width)
    line = 0
    for name, setting in sheet.rules.rows:
        _write_entry(page, styles, line, 0, name, "text")
        _write_entry(page, styles, line, 1, setting, "text")
        line += 1
    for table in (sheet.weights, sheet.rubric, sheet.gates):
        line += 1
        page.write_string(line, 0, table.name, styles.title)
        line = _write_table(page, styles, table, line + 1)
    line += 1
    page.write_string(line, 0, "How to read this", styles.title)
    for sentence in METHOD:
        line += 1
        page.write_string(line, 0, sentence)
    _print_setup(page, repeat_head=False)


def _print_setup(page: Worksheet, repeat_head: bool) -> None:
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    if repeat_head:
        page.repeat_rows(0)


def _write_table(page: Worksheet, styles: _Styles, table: Table, line: int) -> int:
    """Write head and rows from ``line`` on; gives the first free line."""
    for index, column in enumerate(table.columns):
        page.write_string(line, index, column.title, styles.head)
    for row in table.rows:
        line += 1
        for index, (column, entry) in enumerate(zip(table.columns, row, strict=True)):
            _write_entry(page, styles, line, index, entry, column.kind)
    return line + 1


def _write_entry(page: Worksheet, styles: _Styles, line: int, index: int, entry: Entry, kind: str) -> None:
    if entry is None or entry == "":
        return
    if isinstance(entry, Missing):
        page.write_string(line, index, entry.word, styles.missing)
    elif isinstance(entry, str):
        page.write_string(line, index, entry[:_CELL_CHARACTERS], styles.text)
    else:
        style = {"figure": styles.figure, "integer": styles.integer}.get(kind, styles.number)
        page.write_number(line, index, entry, style)


def _moment(as_of: str) -> datetime.datetime:
    """``as_of`` as a date that a workbook can hold; the earliest one when it is not a date."""
    match = re.match(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?", as_of)
    try:
        return datetime.datetime.fromisoformat(match.group() if match else "1980-01-01")
    except ValueError:
        return datetime.datetime(1980, 1, 1)
