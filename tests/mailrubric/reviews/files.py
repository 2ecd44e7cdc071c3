"""Files of reviews as other programs write them, for tests."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from mailrubric.reviews.importing import ReviewFile, inspect
from mailrubric.reviews.review import Review


def write_csv(
    path: Path, rows: Sequence[Sequence[object]], *, delimiter: str = ",", encoding: str = "utf-8", end: str = "\r\n"
) -> Path:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    path.write_bytes(out.getvalue().encode(encoding))
    return path


def write_json_lines(path: Path, rows: Sequence[Mapping[str, object]], *, encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(encoding))
    return path


def write_workbook(path: Path, rows: Sequence[Sequence[Any]], *, title: str = "Reviews") -> Path:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        cells = []
        for value in row:
            cell = openpyxl.cell.WriteOnlyCell(sheet, value=value)
            if isinstance(value, str):
                cell.data_type = "s"  # text, even when it begins like a formula
            cells.append(cell)
        sheet.append(cells)
    book.save(path)
    return path


def repack(path: Path, changes: Mapping[str, bytes | None]) -> Path:
    """A workbook with some of its parts changed, added or (None) left out."""
    with zipfile.ZipFile(path) as archive:
        parts: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    parts.update(changes)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def read(path: Path, **options: Any) -> tuple[list[Review], ReviewFile]:
    found = inspect(path, **options)
    return list(found.reviews("acme")), found
