"""CSV files that people keep by hand: read strictly with the place of every cell, changed without losing anything.

A row that is added or changed leaves every other byte of the file as it was: comments (lines that begin with #),
unknown columns, the order of the columns, the delimiter, quotes and line ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mailrubric import files
from mailrubric.catalogue.messages import Problem, shown, suggestion

T = TypeVar("T")

MAX_BYTES = 4 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 100
MAX_CELL = 5_000
MAX_PROBLEMS = 100

_DELIMITERS = (",", ";", "\t")
_BOM = "\ufeff"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# Spreadsheets read a cell that begins so as a formula; in the file it stands after an apostrophe.
_FORMULA = re.compile("'*[=+\\-@\t\r＝＋－＠\N{MINUS SIGN}]")
_PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class TableError(Exception):
    """The file cannot be changed; a sentence for people."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row. ``cells``: column → text without outer space, empty where it is left out. ``line``: its first, from 1.
    ``columns``: column → where its cell begins in the line, from 1. ``span``: characters of the file it takes, without
    its line end. ``texts``: every cell as it stands there."""

    line: int
    cells: dict[str, str]
    columns: dict[str, int]
    span: tuple[int, int]
    texts: tuple[str, ...]

    def problem(self, path: Path, column: str, message: str) -> Problem:
        """A fault of one cell."""
        return Problem(path, self.line, self.columns.get(column, 1), message, column)


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A file as far as it could be read. ``header``: its columns as they are named in the file, in lower case."""

    path: Path
    text: str
    delimiter: str
    line_end: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Cell:
    """``value``: without its quotes; ``text``: as it stands in the file."""

    value: str
    column: int
    text: str


class _Fault(Exception):
    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line, self.column, self.message = line, column, message


def read_bytes(path: Path) -> bytes | None:
    """What a file holds, None when there is none. Raises ``TableError`` for what is no file, or larger than
    ``MAX_BYTES``; never waits for a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TableError(f"cannot be read: {error.strerror or error}") from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise TableError("is not a file")
        if status.st_size > MAX_BYTES:
            raise TableError(f"is larger than {MAX_BYTES // 1024**2} MiB ({status.st_size:,} bytes); split it")
        try:
            content = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise TableError(f"cannot be read: {error.strerror or error}") from error
    return _small(content)


def _small(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise TableError(f"is larger than {MAX_BYTES // 1024**2} MiB; split it")
    return content


def read(path: Path, known: Sequence[str], required: Sequence[str]) -> tuple[Table | None, list[Problem]]:
    """The table in a file and what is wrong with its form. (None, []) when there is no file.

    ``known``: columns that mean something; others are kept and not looked at. ``required``: those it must have.
    """
    try:
        content = read_bytes(path)
    except TableError as error:
        return None, [Problem(path, 0, 0, str(error))]
    if content is None:
        return None, []
    try:
        return _table(path, _decode(content), known, required)
    except _Fault as fault:
        return None, [Problem(path, fault.line, fault.column, fault.message)]


def read_all(
    path: Path,
    known: Sequence[str],
    required: Sequence[str],
    of_row: Callable[[Row], tuple[T | None, list[Problem]]],
) -> tuple[list[T], list[Problem]]:
    """What ``of_row`` makes of the rows of a file, and every fault, up to ``MAX_PROBLEMS``; see :func:`read`."""
    found, problems = read(path, known, required)
    made: list[T] = []
    for row in found.rows if found is not None else ():
        value, faults = of_row(row)
        problems += faults
        if value is not None:
            made.append(value)
        if len(problems) >= MAX_PROBLEMS:
            break
    return made, problems


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Fault(1, 1, "is UTF-16; save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise _Fault(line, 1, message) from None
    bad = _UNPRINTABLE.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        raise _Fault(line, bad.start() - text.rfind("\n", 0, bad.start()), "a control character is not allowed here")
    return text


def _table(path: Path, text: str, known: Sequence[str], required: Sequence[str]) -> tuple[Table | None, list[Problem]]:
    start = len(_BOM) if text.startswith(_BOM) else 0
    first = _header_line(text, start)
    delimiter = max(_DELIMITERS, key=lambda each: (_matches(first, each, known), -_DELIMITERS.index(each)))
    records = _records(text, start, delimiter)
    header_record = next(records, None)
    if header_record is None:
        raise _Fault(1, 1, f"is empty; its first line names the columns: {','.join(known)}")
    line, _, cells = header_record
    if len(cells) > MAX_COLUMNS:
        raise _Fault(line, 1, f"has more than {MAX_COLUMNS} columns")
    header = tuple(cell.value.strip().lower() for cell in cells)
    problems = []
    for index, (name, cell) in enumerate(zip(header, cells, strict=True)):
        if name and name in header[:index]:
            problems.append(Problem(path, line, cell.column, f"two columns are named {shown(name)}"))
        elif name and name not in known:
            hint = suggestion(name, [each for each in known if each not in header])
            if hint:
                problems.append(
                    Problem(path, line, cell.column, f"{shown(name)} is not read{hint}", severity="warning")
                )
    for name in required:
        if name not in header:
            problems.append(Problem(path, line, 1, f"the column {name} is missing"))
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    rows: list[Row] = []
    for line, span, cells in records:
        if len(rows) >= MAX_ROWS:
            raise _Fault(line, 1, f"has more than {MAX_ROWS:,} rows; split it")
        if len(cells) > len(header) and any(cell.value.strip() for cell in cells[len(header) :]):
            message = f"has {len(cells)} cells, but the first line names {len(header)} columns"
            problems.append(Problem(path, line, cells[len(header)].column, message))
            continue
        pairs = list(zip(header, cells, strict=False))
        rows.append(
            Row(
                line,
                dict.fromkeys(header, "") | {name: unguarded(cell.value.strip()) for name, cell in pairs},
                {name: cell.column for name, cell in pairs},
                span,
                tuple(cell.text for cell in cells),
            )
        )
    line_end = "\r\n" if "\r\n" in text[: text.find("\n") + 1] else "\n"
    return Table(path, text, delimiter, line_end, header, tuple(rows)), problems


def _header_line(text: str, start: int) -> str:
    for line in text[start : start + 100_000].splitlines():
        if line.strip() and not line.startswith("#"):
            return line
    return ""


def _matches(line: str, delimiter: str, known: Sequence[str]) -> int:
    return sum(word.strip().strip('"').lower() in known for word in line.split(delimiter))


def _records(text: str, at: int, delimiter: str) -> Iterator[tuple[int, tuple[int, int], list[_Cell]]]:
    """(line, span, cells) of every record; comments and empty lines are passed over."""
    plain = re.compile(f"[^{re.escape(delimiter)}\r\n]*")
    quoted = re.compile('"((?:[^"]+|"")*+)"')
    line, length = 1, len(text)
    while at < length:
        begin = at
        end = text.find("\n", at)
        end = length if end < 0 else end
        whole = text[at:end]
        if not whole.strip(f" \t\r{delimiter}") or whole.startswith("#"):
            at, line = end + 1, line + 1
            continue
        cells: list[_Cell] = []
        first_line, line_start = line, at
        while True:
            column, beginning = at - line_start + 1, at
            if text.startswith('"', at):
                match = quoted.match(text, at)
                if match is None:
                    raise _Fault(line, column, "a quote was opened here and never closed")
                cell, at = match[1].replace('""', '"'), match.end()
                breaks = match[0].count("\n")
                if breaks:
                    line, line_start = line + breaks, text.rfind("\n", 0, at) + 1
                if at < length and not text.startswith((delimiter, "\r", "\n"), at):
                    raise _Fault(
                        line, at - line_start + 1, "a quoted cell goes on after its quote; double quotes in it"
                    )
            else:
                match = plain.match(text, at)
                assert match is not None  # it also matches nothing
                cell, at = match[0], match.end()
            if len(cell) > MAX_CELL:
                raise _Fault(line, column, f"a cell is longer than {MAX_CELL:,} characters")
            cells.append(_Cell(cell, column, text[beginning:at]))
            if len(cells) > 10 * MAX_COLUMNS:
                raise _Fault(line, column, f"a row has more than {10 * MAX_COLUMNS:,} cells")
            if not text.startswith(delimiter, at):
                break
            at += 1
        yield first_line, (begin, at), cells
        line += 1
        at += 2 if text.startswith("\r\n", at) else 1


# --- cells ------------------------------------------------------------------------------------------------------------


def unguarded(cell: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from calculating it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _encoded(value: str, delimiter: str, first: bool) -> str:
    if _FORMULA.match(value) and not _PLAIN_NUMBER.fullmatch(value):
        value = f"'{value}"
    special = re.search(f'["\r\n{re.escape(delimiter)}]', value) or (first and value.startswith("#"))
    if special or value != value.strip():
        return '"' + value.replace('"', '""') + '"'
    return value


def _record(table_header: Sequence[str], values: Mapping[str, str], delimiter: str) -> str:
    cells = [_encoded(values.get(name, ""), delimiter, not index) for index, name in enumerate(table_header)]
    return delimiter.join(cells)


def _checked(header: Sequence[str], values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if value and name not in header:
            raise TableError(f"has no column {name} to write into; add it to the first line")
        if len(value) > MAX_CELL:
            raise TableError(f"{name}: longer than {MAX_CELL:,} characters")
        if _UNPRINTABLE.search(value):
            raise TableError(f"{name}: a control character is not allowed here")


def with_row(table: Table | None, columns: Sequence[str], values: Mapping[str, str]) -> str:
    """The file's text with one row more at its end; a new file's text when there is no table. Raises ``TableError``."""
    if table is None:
        _checked(columns, values)
        return f"{','.join(columns)}\n{_record(columns, values, ',')}\n"
    _checked(table.header, values)
    text = table.text if table.text.endswith("\n") else table.text + table.line_end
    return text + _record(table.header, values, table.delimiter) + table.line_end


def with_changed(table: Table, row: Row, values: Mapping[str, str]) -> str:
    """The file's text with these cells of one row set; the row's other cells keep their text. Raises ``TableError``."""
    _checked(table.header, values)
    cells = list(row.texts) + [""] * (len(table.header) - len(row.texts))
    for name, value in values.items():
        if name in table.header:
            index = table.header.index(name)
            cells[index] = _encoded(value, table.delimiter, not index)
    begin, end = row.span
    return table.text[:begin] + table.delimiter.join(cells) + table.text[end:]


# --- files ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else changes files of ``folder`` (which is made when it is missing) through here meanwhile, where the
    system has such locks."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows: no lock on a folder; ``replace`` still never leaves half a file
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def change(path: Path, known: Sequence[str], required: Sequence[str], edit: Callable[[Table | None], str]) -> None:
    """Change a table under the lock of its folder: ``edit`` gives the new text from what the file holds now.

    Raises ``TableError`` when the file is at fault, so that nothing is added to what cannot be read, and ``OSError``.
    """
    with locked(path.parent):
        table, problems = read(path, known, required)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise TableError("\n".join(map(str, errors[:10])))
        text = edit(table)
        try:  # what would be too large or too long to be read again is not written
            _table(path, _decode(_small(text.encode("utf-8"))), known, required)
        except _Fault as fault:
            raise TableError(fault.message) from None
        files.replace(path, text.encode())
