"""Rows of exported files: CSV in many dialects, JSON lines and JSON, read in pieces (XLSX: see ``workbook``).

A file comes from anywhere, so nothing in it may cost more than a bounded amount of memory: a field of 2 GB, a workbook
that unpacks to a terabyte, a quotation mark that is never closed. What can't be read is a ``Problem`` with its row, or
``Unreadable`` where it concerns the file as a whole.
"""

from __future__ import annotations

import abc
import codecs
import dataclasses
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from mailrubric.reviews.columns import normalise, recognised
from mailrubric.reviews.values import Cell

LONGEST_ROW = 1_000_000
"""Characters of a row; a longer one is skipped."""

MOST_ROWS = 1_000_000
"""Rows of a file, as many as a spreadsheet has; a longer file is refused."""

MOST_COLUMNS = 500

Reason = Literal["too_long", "columns", "encoding", "json", "formula", "cut_short"]

Format = Literal["csv", "jsonl", "json", "xlsx"]


class Unreadable(Exception):
    """The file can't be read; the text is a sentence for people that says why and, where it can, what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A row that can't be read. ``row``: its number in the file as programs that show it count, the header included."""

    row: int
    reason: Reason
    detail: str = ""


Row = tuple[int, Sequence[Cell]]


class Table(Protocol):
    """A file with a header. ``rows`` may be called again and starts anew each time."""

    format: Format
    encoding: str
    delimiter: str
    sheet: str
    header: Sequence[str]
    others: Sequence[str]
    """Visible sheets of the workbook with something in them that are not read."""
    since_1904: bool | None
    """What the numbers of a workbook count days from, 1904 or 1900; None where numbers count none."""

    def rows(self) -> Iterator[Row | Problem]:
        """What follows the header, row by row, empty ones left out. May raise ``Unreadable``."""
        ...


def open_table(path: Path, *, encoding: str = "", wanted: Collection[str] = (), sheet: str = "") -> Table:
    """The table in a file, whatever its name ends with. ``encoding``: of a text, over what is found; ``wanted``: names
    of columns that were asked for, by which its header is known too; ``sheet``: of a workbook, over what is found."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if not start:
            raise Unreadable("the file is empty")
        if start.startswith(b"PK"):
            from mailrubric.reviews.workbook import Workbook

            return Workbook(path, wanted, sheet)
        for magic, what in _OTHER_FORMATS:
            if start.startswith(magic):
                raise Unreadable(f"this is {what}; save it as CSV, JSON lines or .xlsx first")
        if sheet:
            raise Unreadable("this is no workbook, so it has no sheets")
        found = _usable(encoding) if encoding else _encoding_of(path)
        with _text(path, found) as stream:
            first = _first_character(stream)
        if first == "[":
            return _Json(path, found)
        if first == "{":
            return _JsonLines(path, found) if _is_json_lines(path, found) else _JsonObject(path, found)
        if not first:
            raise Unreadable("there is nothing in the file but spaces")
        return _Csv(path, found, wanted)
    except OSError as error:
        raise Unreadable(f"the file can't be read: {error.strerror or error}") from None


_OTHER_FORMATS = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls) or one with a password"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite f", "an SQLite database"),
)

# --- text -------------------------------------------------------------------------------------------------------------

_BROKEN = "\udcff"
"""Stands for bytes that are no text in the file's encoding; no decoder gives it otherwise."""

_PIECE = 65_536


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _BROKEN, error.end


codecs.register_error("mailrubric_mark", _mark)


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    return path.open(encoding=encoding, errors="mailrubric_mark", newline="")


def _usable(encoding: str) -> str:
    try:
        # Of a text: «base64» and the like are codecs too, and a null byte in a name is a ValueError.
        b"a".decode(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise Unreadable(f"there is no encoding {encoding!r}; names are such as utf-8, cp1252 or shift_jis") from None


def _encoding_of(path: Path) -> str:
    """The encoding of a text: by its byte order mark, by the NUL bytes of UTF-16, else UTF-8 if it is nearly that,
    else Windows-1252 if it can be that."""
    with path.open("rb") as file:
        sample = file.read(_PIECE)
        for mark, name in (
            (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
            (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
        ):  # fmt: skip
            if sample.startswith(mark):
                return name
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        half = max(1, len(sample) // 2)
        if odd > 0.3 * half and even < 0.05 * half:
            return "utf-16-le"
        if even > 0.3 * half and odd < 0.05 * half:
            return "utf-16-be"
        if even + odd > 0.05 * len(sample):
            raise Unreadable("this is no text, CSV, JSON or .xlsx file")
        file.seek(0)
        return _eight_bit(file)


_NOT_CP1252 = b"\x81\x8d\x8f\x90\x9d"


def _eight_bit(file: IO[bytes]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("mailrubric_mark")
    broken = characters = high = letters = 0
    undefined = False
    while True:
        piece = file.read(1 << 20)
        text = decoder.decode(piece, final=not piece)
        if not text.isascii():
            broken += text.count(_BROKEN)
            characters += sum(letter > "\x7f" for letter in text) if broken else 0
            high += len(piece) - len(piece.translate(None, _HIGH))
            undefined = undefined or any(byte in piece for byte in _NOT_CP1252)
        letters += len(piece) - len(piece.translate(None, _LETTERS))
        if not piece:
            break
    if not broken or broken * 10 <= characters - broken or (broken == 1 and text.endswith(_BROKEN)):
        return "utf-8"  # the rows with broken bytes are skipped and counted
    # Four in ten letters beyond ASCII is no western language: Windows-1251, Shift JIS and so on can't be told apart.
    if undefined or high > 0.4 * (high + letters):
        raise Unreadable("the encoding of the file can't be told; name it, such as --encoding shift_jis")
    return "cp1252"


_HIGH = bytes(range(0x80, 0x100))
_LETTERS = bytes([*range(0x41, 0x5B), *range(0x61, 0x7B)])


def _first_character(stream: IO[str]) -> str:
    while piece := stream.read(_PIECE):
        if stripped := piece.lstrip("\ufeff \t\r\n"):
            return stripped[0]
    return ""


# --- CSV --------------------------------------------------------------------------------------------------------------

_DELIMITERS = (",", ";", "\t", "|")
_NO_DELIMITER = "\x1f"
_ROWS_LOOKED_AT = 50
ROWS_BEFORE_HEADER = 20


class _Csv:
    format: Format = "csv"
    sheet = ""
    others: Sequence[str] = ()
    since_1904: bool | None = None

    def __init__(self, path: Path, encoding: str, wanted: Collection[str]) -> None:
        self._path, self.encoding = path, encoding
        with _text(path, encoding) as stream:
            sample = stream.read(4 * _PIECE).lstrip("\ufeff")
        named = re.match(r"\s*sep=([,;\t|])\r?\n", sample)  # what Excel writes for itself
        if named:
            sample = sample[named.end() :]
        self._rows_before = 1 if named else 0
        dialects = [_dialect(sample, each, wanted) for each in ((named[1],) if named else _DELIMITERS)]
        _, delimiter, place, header = max(dialects, key=lambda found: found[0])
        if len(header) == 1 and not named:
            # No delimiter is in the header, so commas in the rows are parts of sentences.
            _, delimiter, place, header = _dialect(sample, _NO_DELIMITER, wanted)
        if not header:
            raise Unreadable("the first rows are too long or not closed: this is no CSV file that can be read")
        if len(header) > MOST_COLUMNS:
            raise Unreadable(f"the file has {len(header):,} columns; at most {MOST_COLUMNS} are read")
        self.delimiter = "" if delimiter == _NO_DELIMITER else delimiter
        self._delimiter, self._place = delimiter, place
        self.header: Sequence[str] = [name.strip() for name in header]

    def rows(self) -> Iterator[Row | Problem]:
        width = len(self.header)
        with _text(self._path, self.encoding) as stream:
            for number, record in _records(_unmarked(stream), self._delimiter):
                if number <= self._place + self._rows_before:
                    continue
                if number > MOST_ROWS:
                    raise Unreadable(f"the file has more than {MOST_ROWS:,} rows; split it")
                if isinstance(record, Problem):
                    yield record
                    continue
                while len(record) > width and not record[-1]:
                    record.pop()
                if len(record) != width:
                    yield Problem(number, "columns", f"{len(record)} columns where the header has {width}")
                elif any(_BROKEN in cell for cell in record):
                    yield Problem(number, "encoding", f"bytes that are no text in {self.encoding}")
                else:
                    yield number, record


_Dialect = tuple[tuple[int, float, int], str, int, list[str]]


def _dialect(sample: str, delimiter: str, wanted: Collection[str]) -> _Dialect:
    """(how well a delimiter fits, the delimiter, number of the header's row, the header). A delimiter fits when known
    names of columns appear, then when most rows are as wide as the header."""
    records: list[tuple[int, list[str]]] = []
    for number, record in _records(io.StringIO(sample, newline=""), delimiter):
        if len(records) == _ROWS_LOOKED_AT:
            break
        if isinstance(record, list):
            records.append((number, record))
    if not records:
        return (0, 0.0, 0), delimiter, 0, []
    scores = [known(record, wanted) for _, record in records[:ROWS_BEFORE_HEADER]]
    # Rows of a title or a date may come before the header; the header has the most known names.
    best = max(range(len(scores)), key=lambda place: (scores[place], -place))
    place, header = records[best]
    below = records[best + 1 :]
    widths = Counter(len(record) for _, record in below)
    fitting = widths[len(header)] / len(below) if below else 0.0
    return (scores[best], fitting, len(header)), delimiter, place, header


def known(record: Sequence[str], wanted: Collection[str]) -> int:
    """How many names of columns a row has that are known or asked for."""
    if len(record) > MOST_COLUMNS:
        return 0
    asked = {normalise(name) for name in wanted}
    return recognised(record) + sum(normalise(name) in asked for name in record)


def _unmarked(stream: io.TextIOWrapper) -> IO[str]:
    """The stream without a byte order mark at its start (``utf-16-le`` leaves it in)."""
    if stream.read(1) != "\ufeff":
        stream.seek(0)
    return stream


def _records(stream: IO[str], delimiter: str) -> Iterator[tuple[int, list[str] | Problem]]:
    """(number, fields) of each record that is not empty, as RFC 4180 has them; lenient like Python's ``csv`` where it
    is silent: a quotation mark inside a field that does not begin with one is itself.

    Unlike with ``csv``, no record takes more memory than ``LONGEST_ROW`` characters, and one that the end of the file
    cuts off is told from a whole one.
    """
    reader = _RecordReader(delimiter)
    number, line, first_line = 0, 0, 0
    while piece := stream.readline(_PIECE):
        if reader.fresh:
            number, first_line = number + 1, line
        line += piece.endswith(("\n", "\r"))
        if reader.fresh and '"' not in piece and piece.endswith(("\n", "\r")):
            fields: list[str] | None = piece.rstrip("\r\n").split(delimiter)
        else:
            fields = reader.take(piece)
        if fields is not None:
            if reader.too_long:
                yield number, Problem(number, "too_long", f"more than {LONGEST_ROW:,} characters")
            elif any(fields):
                yield number, fields
            reader.begin()
    if reader.fresh:
        return
    fields = reader.end()
    if fields is None:
        lines = f"; {line - first_line:,} lines belong to it" if line - first_line > 1 else ""
        yield number, Problem(number, "cut_short", f"a quotation mark is not closed before the end of the file{lines}")
    elif reader.too_long:
        yield number, Problem(number, "too_long", f"more than {LONGEST_ROW:,} characters")
    elif any(fields):
        yield number, fields


_QUOTED = re.compile(r'(?:[^"]++|"")*+')


def _quoted_end(piece: str, start: int) -> int:
    """Where the quotation mark is that ends a quoted field, or the end of the piece."""
    inner = _QUOTED.match(piece, start)
    return start if inner is None else inner.end()


class _RecordReader:
    """Takes the pieces of one record. ``fresh``: none taken yet; ``too_long``: its content was dropped."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self.begin()

    def begin(self) -> None:
        self.fresh, self.too_long = True, False
        self._fields: list[str] = []
        self._parts: list[str] = []
        self._at_start = True  # of a field
        self._quoted = False
        self._quote_pending = False  # a quotation mark ended the last piece: the next letter tells what it was
        self._size = 0

    def take(self, piece: str) -> list[str] | None:
        """The fields once the record is complete, else None. A piece ends with its line, if it has an end of one."""
        self.fresh = False
        line_end = len(piece.rstrip("\r\n"))
        place = 0
        if self._quote_pending:
            self._quote_pending = False
            if piece[0] == '"':
                self._add('"')
                place = 1
            else:
                self._quoted = False
        while place < len(piece):
            if self._quoted:
                end = _quoted_end(piece, place)
                self._add(piece[place:end].replace('""', '"'))
                place = end + 1
                if place == len(piece):
                    self._quote_pending = True
                elif place < len(piece):
                    self._quoted = False
            elif self._at_start and piece[place] == '"':
                self._quoted, self._at_start = True, False
                place += 1
            else:
                stop = piece.find(self._delimiter, place)
                if stop >= 0:
                    self._add(piece[place:stop])
                    self._end_field()
                    place = stop + 1
                    continue
                self._add(piece[place:line_end])
                if line_end == len(piece):
                    return None
                self._end_field()
                return self._fields
        return None

    def end(self) -> list[str] | None:
        """The fields at the end of the file, None when it is in the middle of a quoted one."""
        if self._quoted and not self._quote_pending:
            return None
        self._end_field()
        return self._fields

    def _add(self, text: str) -> None:
        self._at_start = False
        self._size += len(text)
        if self._size > LONGEST_ROW:
            self.too_long = True
            self._fields.clear()
            self._parts.clear()
        elif text:
            self._parts.append(text)

    def _end_field(self) -> None:
        self._at_start = True
        self._size += 1
        if self._size > LONGEST_ROW:  # as many delimiters
            self.too_long = True
            self._fields.clear()
        else:
            self._fields.append("".join(self._parts))
        self._parts.clear()


# --- JSON -------------------------------------------------------------------------------------------------------------

LARGEST_OBJECT = 16_000_000
"""Bytes of a JSON file that is one object; a longer one has to be given as JSON lines or as an array."""

_LISTS = ("data", "reviews", "results", "items", "records", "entries", "feed.entry")
_DEEPEST = 6
_MOST_IN_LIST = 3  # of a list of objects inside a review


class _JsonTable(abc.ABC):
    """What files of JSON have in common: columns are the keys of all objects, those of objects in them joined with a
    dot."""

    delimiter = ""
    sheet = ""
    others: Sequence[str] = ()
    since_1904: bool | None = None
    header: Sequence[str]

    def __init__(self, path: Path, encoding: str) -> None:
        self._path, self.encoding = path, encoding
        keys: dict[str, None] = {}
        for _, flat in self._flat():
            if not isinstance(flat, Problem):
                keys.update(dict.fromkeys(flat))
                if len(keys) > MOST_COLUMNS:
                    raise Unreadable(f"the objects have more than {MOST_COLUMNS} different keys")
        if not keys:
            raise Unreadable("there is no JSON object in the file that could be a review")
        self.header = list(keys)

    def rows(self) -> Iterator[Row | Problem]:
        for number, flat in self._flat():
            if number > MOST_ROWS:
                raise Unreadable(f"the file has more than {MOST_ROWS:,} reviews; split it")
            yield flat if isinstance(flat, Problem) else (number, [flat.get(name) for name in self.header])

    def _flat(self) -> Iterator[tuple[int, dict[str, Cell] | Problem]]:
        for number, text in self._texts():
            if isinstance(text, Problem):
                yield number, text
                continue
            if _BROKEN in text:
                yield number, Problem(number, "encoding", f"bytes that are no text in {self.encoding}")
                continue
            yield number, self._object(number, text)

    def _object(self, number: int, text: str) -> dict[str, Cell] | Problem:
        try:
            value = _loads(text)
        except ValueError as error:
            return Problem(number, "json", str(error))
        if not isinstance(value, dict):
            return Problem(number, "json", "this is no JSON object")
        return _flatten(value)

    @abc.abstractmethod
    def _texts(self) -> Iterator[tuple[int, str | Problem]]:
        """Number and text of each record, or why it is none."""


def _loads(text: str) -> Any:
    """``ValueError`` with a sentence for all that is no JSON, is nested too deeply or has a number too long."""
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is no JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("this JSON is nested too deeply") from None


def _flatten(value: dict[str, Any]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}

    def add(name: str, item: Any, depth: int) -> None:
        if len(found) > MOST_COLUMNS:
            return
        if isinstance(item, dict):
            if depth < _DEEPEST:
                for key, inner in item.items():
                    add(f"{name}.{key}" if name else str(key), inner, depth + 1)
        elif isinstance(item, list):
            if all(isinstance(inner, str) for inner in item):
                found[name] = "\n\n".join(item)
            elif depth < _DEEPEST:
                for place, inner in enumerate(item[:_MOST_IN_LIST]):
                    add(f"{name}.{place}", inner, depth + 1)
        elif isinstance(item, bool):
            found[name] = str(item).lower()
        else:
            found[name] = item

    add("", value, 0)
    return {name[:200]: item for name, item in found.items()}


class _JsonLines(_JsonTable):
    format: Format = "jsonl"

    def _texts(self) -> Iterator[tuple[int, str | Problem]]:
        number, parts, size = 0, [], 0
        with _text(self._path, self.encoding) as stream:
            _unmarked(stream)
            ended = False
            while not ended:
                piece = stream.readline(_PIECE)
                ended = not piece
                parts.append(piece)
                size += len(piece)
                if size > LONGEST_ROW:
                    parts.clear()
                if not ended and not piece.endswith(("\n", "\r")):
                    continue
                line = "".join(parts).strip()
                number += 1
                if size > LONGEST_ROW:
                    yield number, Problem(number, "too_long", f"more than {LONGEST_ROW:,} characters")
                elif line:
                    yield number, line
                parts, size = [], 0


def _is_json_lines(path: Path, encoding: str) -> bool:
    """Whether the first line is an object of its own and not the shell around a list of reviews."""
    with _text(path, encoding) as stream:
        _unmarked(stream)
        first = ""
        while not first:
            line = stream.readline(LONGEST_ROW)
            if not line:
                return False
            first = line.strip()
        more = bool(stream.read(_PIECE).strip())
    try:
        value = _loads(first)
    except ValueError:
        return more and not first.endswith(("{", "[", ","))
    return more or not isinstance(value, dict) or _list_in(value) is None


def _list_in(value: dict[str, Any]) -> list[Any] | None:
    """The list of reviews in an answer of an API, such as ``{"data": […], "links": …}``."""
    for path in _LISTS:
        inner: Any = value
        for key in path.split("."):
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, list) and inner and all(isinstance(each, dict) for each in inner):
            return inner
    return None


class _JsonObject(_JsonTable):
    """One object with a list of reviews in it; read whole, and so limited in size."""

    format: Format = "json"

    def _texts(self) -> Iterator[tuple[int, str | Problem]]:
        if self._path.stat().st_size > LARGEST_OBJECT:
            raise Unreadable(
                f"the file is one JSON object of more than {LARGEST_OBJECT // 1_000_000} MB; give its reviews as JSON "
                "lines or as an array"
            )
        with _text(self._path, self.encoding) as stream:
            text = _unmarked(stream).read()
        try:
            value = _loads(text)
        except ValueError as error:
            raise Unreadable(f"the file begins like JSON and can't be read as such: {error}") from None
        for number, each in enumerate(_list_in(value) or [value], start=1):
            yield number, json.dumps(each)


class _Json(_JsonTable):
    """An array of objects, read one by one."""

    format: Format = "json"

    def _texts(self) -> Iterator[tuple[int, str | Problem]]:
        with _text(self._path, self.encoding) as stream:
            yield from _elements(stream)


_JSON_MARKS = re.compile(r'["\\{}\[\],]')


def _elements(stream: IO[str]) -> Iterator[tuple[int, str | Problem]]:
    """The texts of the elements of a JSON array, found by brackets alone; also of several arrays in a row, as they come
    of putting the pages of an API into one file. What stands between or behind arrays is a ``Problem``."""
    number, depth, in_string, escaped = 1, 0, False, -1
    parts: list[str] = []
    size = 0

    def taken() -> str | Problem:
        if size > LONGEST_ROW:
            return Problem(number, "too_long", f"more than {LONGEST_ROW:,} characters")
        text = "".join(parts).strip(" \t\r\n\ufeff")
        return text if depth or not text else Problem(number, "json", "this stands outside of the array")

    while piece := stream.read(_PIECE):
        start = 0
        for found in _JSON_MARKS.finditer(piece):
            place, mark = found.start(), found[0]
            if place == escaped:
                continue
            if in_string:
                if mark == "\\":
                    escaped = place + 1
                elif mark == '"':
                    in_string = False
            elif mark == '"':
                in_string = True
            elif (mark == "[" and not depth) or (mark in ",]}" and depth == 1):
                size += place - start
                parts.append(piece[start:place] if size <= LONGEST_ROW else "")
                text = taken()
                if text:
                    yield number, text
                number += bool(text) or depth == 1
                parts, size, start = [], 0, place + 1
                depth = int(mark in "[,")
            elif depth and mark in "{[":
                depth += 1
            elif depth and mark in "}]":
                depth -= 1
        size += len(piece) - start
        if size > LONGEST_ROW:
            parts.clear()
        else:
            parts.append(piece[start:])
        escaped = escaped - len(piece) if escaped >= len(piece) else -1
    if depth:
        yield number, Problem(number, "cut_short", "the file ends in the middle of the array")
    elif text := taken():
        yield number, text
