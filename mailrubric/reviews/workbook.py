"""Rows of .xlsx workbooks (ECMA-376), read in pieces with expat.

No tree of a sheet is ever built: a sheet may unpack to gigabytes, and readers that build one keep at least an element a
row. What has to be kept (the shared texts) is counted. XML entities are refused.
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from xml.parsers import expat

from mailrubric.reviews.rows import (
    LONGEST_ROW,
    MOST_COLUMNS,
    MOST_ROWS,
    ROWS_BEFORE_HEADER,
    Format,
    Problem,
    Row,
    Unreadable,
    known,
)
from mailrubric.reviews.values import Cell, of_serial

_MOST_PARTS = 2_000
_LARGEST_DIRECTORY = 1_000_000  # bytes of the archive's list of parts
_LARGEST_PART = 512_000_000  # bytes, unpacked
_SHARED_CHARACTERS = 64_000_000
_SHARED_TEXTS = 4_000_000
_MOST_STYLES = 100_000
_MOST_SHEETS = 1_000
_DEEPEST = 100  # tags in each other; a sheet has six
_LAST_ROW = 1_048_576
_PIECE = 65_536


class Workbook:
    """A table in a sheet of a workbook: in ``wanted_sheet``, or else in the one whose first rows look most like the
    header of reviews."""

    format: Format = "xlsx"
    encoding = ""
    delimiter = ""

    def __init__(self, path: Path, wanted: Collection[str], wanted_sheet: str = "") -> None:
        self._path = path
        best: tuple[int, str, str, int, list[str]] | None = None
        filled: dict[str, None] = {}
        with _Package(path) as package:
            self._shared, self._date_styles = package.shared_texts(), package.date_styles()
            self.since_1904: bool | None = package.since_1904
            if wanted_sheet and wanted_sheet not in (title for title, _ in package.sheets):
                titles = ", ".join(title[:40] for title, _ in package.sheets[:20]) or "none"
                raise Unreadable(f"there is no visible sheet {wanted_sheet!r}; there is {titles}")
            for title, part in package.sheets:
                for number, cells in self._read(package, part, ROWS_BEFORE_HEADER):
                    names = [] if isinstance(cells, Problem) else [_name(cell) for cell in cells]
                    while names and not names[-1]:
                        names.pop()
                    if names:
                        filled[title] = None
                    if wanted_sheet not in ("", title):
                        break
                    score = known(names, wanted)
                    if names and (best is None or score > best[0]):
                        best = (score, title, part, number, names)
        if best is None:
            where = f"the sheet {wanted_sheet}" if wanted_sheet else "the visible sheets of the workbook"
            raise Unreadable(f"there is nothing in {where}")
        _, self.sheet, self._part, self._place, header = best
        self.others: Sequence[str] = [title for title in filled if title != self.sheet]
        self.header: Sequence[str] = header

    def rows(self) -> Iterator[Row | Problem]:
        """See ``rows.Table``."""
        width = len(self.header)
        with _Package(self._path) as package:
            for number, cells in self._read(package, self._part):
                if number <= self._place:
                    continue
                if isinstance(cells, Problem):
                    yield cells
                    continue
                lost = [place for place, cell in enumerate(cells[:width]) if cell is _LOST]
                row = [None if cell is _LOST else cell for cell in cells[:width]]
                if lost:
                    names = ", ".join(self.header[place] or "a column without a name" for place in lost)
                    yield Problem(number, "formula", f"a formula without a stored result in {names}")
                elif any(cell not in (None, "") for cell in row):
                    yield number, row + [None] * (width - len(row))

    def _read(self, package: _Package, part: str, most: int = MOST_ROWS) -> Iterator[tuple[int, list[Cell] | Problem]]:
        sheet = _Sheet(self._shared, self._date_styles, bool(self.since_1904))
        given = 0
        for _ in package.parse(part, sheet):
            for row in sheet.take():
                given += 1
                if given > most:
                    if most < MOST_ROWS:
                        return
                    raise Unreadable(f"the sheet has more than {MOST_ROWS:,} rows; split it")
                yield row


def _name(cell: Cell) -> str:
    return "" if cell is None or cell is _LOST else str(cell).strip()[:500]


# --- the archive ------------------------------------------------------------------------------------------------------


class _Handler:
    """What is called for the tags of a part, their prefixes gone, and for the text between them."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """A tag opens."""

    def end(self, tag: str) -> None:
        """A tag closes."""

    def text(self, text: str) -> None:
        """Text, in as many pieces as the parser likes."""


class _Package:
    """The parts of a workbook. ``sheets``: (title, name of the part) of those that are visible."""

    def __init__(self, path: Path) -> None:
        try:
            _check_directory(path)
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise Unreadable(f"the workbook is damaged or cut short: {error}") from None
        try:
            self._names = {part.filename.lstrip("/"): part for part in self._archive.infolist()}
            self._find()
        except BaseException:
            self._archive.close()
            raise

    def _find(self) -> None:
        if len(self._names) > _MOST_PARTS:
            raise Unreadable(f"the workbook has more than {_MOST_PARTS:,} parts; it is not read")
        if "mimetype" in self._names and "content.xml" in self._names:
            raise Unreadable("this is an OpenDocument file; save it as CSV or .xlsx first")
        main = next(
            (target for kind, target in self._relations("").values() if kind == "officeDocument"), "xl/workbook.xml"
        )
        if main.endswith(".bin"):
            raise Unreadable("this is a binary workbook (.xlsb); save it as .xlsx first")
        if main not in self._names:
            raise Unreadable("this is a ZIP archive and no workbook; unpack it first")
        relations = self._relations(main)
        self._by_kind = dict(relations.values())
        book = _Book()
        self._parse_whole(main, book)
        self.since_1904 = book.since_1904
        self.sheets = [
            (title, relations[relation][1])
            for title, relation in book.sheets
            if relations.get(relation, ("", ""))[0] == "worksheet" and relations[relation][1] in self._names
        ]

    def __enter__(self) -> _Package:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def shared_texts(self) -> list[str]:
        """Texts that cells name by their number."""
        shared = _SharedTexts()
        if self._by_kind.get("sharedStrings", "") in self._names:
            self._parse_whole(self._by_kind["sharedStrings"], shared)
        return shared.texts

    def date_styles(self) -> frozenset[int]:
        """Numbers of the cell styles that show a number as a date."""
        styles = _Styles()
        if self._by_kind.get("styles", "") in self._names:
            self._parse_whole(self._by_kind["styles"], styles)
        return frozenset(styles.dates())

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Id → (kind, name of the part) of what a part refers to; of the package itself for ""."""
        folder, name = posixpath.split(part)
        listed = posixpath.join(folder, "_rels", f"{name}.rels")
        relations = _Relations(folder)
        if listed in self._names:
            self._parse_whole(listed, relations)
        return relations.found

    def _parse_whole(self, part: str, handler: _Handler) -> None:
        for _ in self.parse(part, handler):
            pass

    def parse(self, part: str, handler: _Handler) -> Iterator[None]:
        """Feed a part to a handler, piece by piece."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = _PIECE
        depth = 0

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > _DEEPEST:  # expat keeps every open tag
                raise Unreadable(f"the workbook is damaged: the tags of {part} are nested too deeply")
            handler.start(tag.rpartition(":")[2] if ":" in tag else tag, attributes)

        def end(tag: str) -> None:
            nonlocal depth
            depth -= 1
            handler.end(tag.rpartition(":")[2] if ":" in tag else tag)

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = handler.text
        parser.StartDoctypeDeclHandler = _refuse_entities
        size = 0
        try:
            with self._archive.open(self._names[part]) as stream:
                while piece := stream.read(_PIECE):
                    size += len(piece)
                    if size > _LARGEST_PART:
                        raise Unreadable(
                            f"{part} unpacks to more than {_LARGEST_PART // 1_000_000} MB; the workbook is not read"
                        )
                    parser.Parse(piece, False)
                    yield
                parser.Parse(b"", True)
                yield
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, expat.ExpatError) as error:
            # RuntimeError is how zipfile says that a password is needed.
            raise Unreadable(f"the workbook is damaged or cut short: {part}: {error}") from None


def _refuse_entities(*_: object) -> None:
    raise Unreadable("the workbook declares XML entities, which no spreadsheet program does; it is not read")


def _check_directory(path: Path) -> None:
    """Refuse an archive whose list of parts alone would fill the memory, before ``zipfile`` reads it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65_557))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < 22:
        raise zipfile.BadZipFile("its list of parts is missing")
    if struct.unpack_from("<L", tail, place + 12)[0] > _LARGEST_DIRECTORY or tail[place - 20 : place - 16] == b"PK\6\7":
        raise Unreadable("the workbook has a list of parts as long as no spreadsheet program writes it; it is not read")


class _Relations(_Handler):
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: dict[str, tuple[str, str]] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External" and len(self.found) < _MOST_PARTS:
            target = attributes.get("Target", "")
            part = target.lstrip("/") if target.startswith("/") else posixpath.join(self._folder, target)
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found[attributes.get("Id", "")] = (kind, posixpath.normpath(part))


class _Book(_Handler):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.since_1904 = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "workbookPr":
            self.since_1904 = attributes.get("date1904") in ("1", "true")
        elif tag == "sheet" and attributes.get("state", "visible") == "visible" and len(self.sheets) < _MOST_SHEETS:
            relation = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "id"), "")
            self.sheets.append((attributes.get("name", ""), relation))


class _SharedTexts(_Handler):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._in_text = self._phonetic = False
        self._characters = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "t":
            self._in_text = True
        elif tag == "rPh":
            self._phonetic = True

    def end(self, tag: str) -> None:
        if tag == "t":
            self._in_text = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            self.texts.append(_unescaped("".join(self._parts)))
            self._parts.clear()
            if len(self.texts) > _SHARED_TEXTS:
                raise Unreadable(f"the workbook has more than {_SHARED_TEXTS:,} different texts; save it as CSV")

    def text(self, text: str) -> None:
        if self._in_text and not self._phonetic:
            self._characters += len(text)
            if self._characters > _SHARED_CHARACTERS:
                raise Unreadable(f"the texts of the workbook have more than {_SHARED_CHARACTERS:,} characters")
            self._parts.append(text)


_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')


class _Styles(_Handler):
    def __init__(self) -> None:
        self._formats: dict[str, str] = {}
        self._styles: list[str] = []
        self._in_cells = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "cellXfs":
            self._in_cells = True
        elif tag == "numFmt" and len(self._formats) < _MOST_STYLES:
            self._formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")[:500]
        elif tag == "xf" and self._in_cells:
            if len(self._styles) >= _MOST_STYLES:
                raise Unreadable(f"the workbook has more than {_MOST_STYLES:,} styles; save it as CSV")
            self._styles.append(attributes.get("numFmtId", "0")[:10])

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            self._in_cells = False

    def dates(self) -> Iterator[int]:
        for number, style in enumerate(self._styles):
            if style in self._formats:
                shown = _NOT_SHOWN.sub("", self._formats[style].partition(";")[0]).casefold()
                if any(letter in shown for letter in "dmyhs") and "general" not in shown:
                    yield number
            elif style.isascii() and style.isdecimal() and int(style) in _BUILT_IN_DATES:
                yield number


# --- a sheet ----------------------------------------------------------------------------------------------------------


class _Lost(str):
    """A cell with a formula whose result is not in the file."""

    __slots__ = ()


_LOST = _Lost()

_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class _Sheet(_Handler):
    """Makes rows from the tags of a sheet; ``take`` hands out those that are complete."""

    def __init__(self, shared: Sequence[str], date_styles: Collection[int], since_1904: bool) -> None:
        self._shared, self._date_styles, self._since_1904 = shared, date_styles, since_1904
        self._ready: list[tuple[int, list[Cell] | Problem]] = []
        self._row = 0
        self._in_row = False
        self._begin_row()
        self._begin_cell({})

    def take(self) -> list[tuple[int, list[Cell] | Problem]]:
        """The rows complete by now."""
        ready, self._ready = self._ready, []
        return ready

    def _begin_row(self) -> None:
        self._cells: list[Cell] = []
        self._column = -1
        self._size = 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._kind = attributes.get("t", "n")
        self._style = attributes.get("s", "")
        self._parts: list[str] = []
        self._formula = self._phonetic = False
        self._collects = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self._in_row = True
            self._begin_row()
            stated = attributes.get("r", "")
            number = int(stated) if re.fullmatch(r"\d{1,9}", stated, re.ASCII) else 0
            self._row = number if number > self._row else self._row + 1
            if self._row > _LAST_ROW:
                raise Unreadable(f"the sheet has a row {self._row:,}, which no spreadsheet has")
        elif not self._in_row:
            return
        elif tag == "c":
            self._begin_cell(attributes)
            found = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = _column(found[1]) if found else self._column + 1
        elif tag == "f":
            self._formula = True
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "v" or (tag == "t" and not self._phonetic):
            self._collects = True

    def text(self, text: str) -> None:
        if self._collects:
            self._size += len(text)
            if self._size <= LONGEST_ROW:
                self._parts.append(text)

    def end(self, tag: str) -> None:
        if tag in ("v", "t"):
            self._collects = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "c" and self._in_row:
            self._end_cell()
        elif tag == "row" and self._in_row:
            self._in_row = False
            if self._size > LONGEST_ROW:
                problem = Problem(self._row, "too_long", f"more than {LONGEST_ROW:,} characters")
                self._ready.append((self._row, problem))
            elif any(cell not in (None, "") or cell is _LOST for cell in self._cells):
                self._ready.append((self._row, self._cells))
            self._begin_row()

    def _end_cell(self) -> None:
        if not 0 <= self._column < MOST_COLUMNS or self._size > LONGEST_ROW:
            return
        written = "".join(self._parts)
        value = self._value(written) if written else None
        if value is None and self._formula and self._kind != "e":
            value = _LOST
        if value is not None:
            self._cells.extend([None] * (self._column + 1 - len(self._cells)))
            self._cells[self._column] = value

    def _value(self, written: str) -> Cell:
        if self._kind == "s":
            place = int(written) if re.fullmatch(r"\s*\d{1,9}\s*", written, re.ASCII) else -1
            return self._shared[place] if 0 <= place < len(self._shared) else None
        if self._kind in ("inlineStr", "str"):
            return _unescaped(written)
        if self._kind == "e":
            return None  # an error such as #N/A
        if self._kind == "b":
            return "true" if written.strip() == "1" else "false"
        if self._kind == "d":
            return written.strip()
        try:
            number = float(written)
        except ValueError:
            return None
        if self._style.isascii() and self._style.isdecimal() and int(self._style[:9]) in self._date_styles:
            when = of_serial(number, self._since_1904)
            if when is not None:
                return when
        return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _column(letters: str) -> int:
    place = 0
    for letter in letters.upper():
        place = place * 26 + ord(letter) - 64
    return place - 1


def _unescaped(text: str) -> str:
    """Office writes characters that XML can't hold as ``_xHHHH_``, and the end of a line as ``_x000D_``."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
