"""Reviews of an exported file: what its columns are, settled over the whole file, and then its reviews one by one.

The file is read twice. ``inspect`` looks at all of it (which columns there are, what scale the ratings have, whether
the day or the month comes first) and stores nothing; ``ReviewFile.reviews`` gives the reviews. Neither holds the file
in memory: about a hundred bytes a row are kept, to know ids again. Every row that gives no review is counted with its
reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from mailrubric.display import how_many
from mailrubric.reviews.authors import author_hash, person_hash
from mailrubric.reviews.columns import Columns, Field, columns
from mailrubric.reviews.review import Review
from mailrubric.reviews.rows import Problem, Table, open_table
from mailrubric.reviews.values import Cell, DateColumn, DateOrder, RatingColumn

LONGEST_TEXT = 20_000
"""Characters of a review's text that are kept."""

LONGEST_TITLE = 500
_LONGEST_ID = 300
_LONGEST_URL = 2_000

SkipReason = Literal["too_long", "columns", "encoding", "json", "formula", "cut_short", "empty", "repeated", "older"]

SKIPS: dict[str, str] = {
    "too_long": "longer than any review",
    "columns": "another number of columns than the header: a quotation mark or a delimiter is missing or too much",
    "encoding": "has bytes that are no text in the file's encoding",
    "json": "no JSON object",
    "formula": "a formula without a stored result",
    "cut_short": "the file ends within it",
    "empty": "neither text nor rating",
    "repeated": "the same id and content as a row before it",
    "older": "an older version of a review that is in the file too",
}
"""Reason of a skipped row → what it means, for people."""

_SAMPLE = 200  # rows by which a column is known whose name is not
_SAMPLE_CELL = 300  # characters of a cell that are looked at for it
_SHEETS_NAMED = 10
_CALLED: Mapping[Field, str] = {"written": "date", "rating": "rating", "text": "text"}

_ROWS_NAMED = 1_000  # rows of each reason whose numbers are kept


class Skipped:
    """Rows that gave no review. ``counts``: reason → how many; exact, while ``rows`` names the first thousand of each
    reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, list[int]] = {}
        self.details: dict[str, str] = {}
        """Reason → what was the matter with the first such row."""

    def add(self, row: int, reason: SkipReason, detail: str = "") -> None:
        """Count a row."""
        self.counts[reason] += 1
        named = self.rows.setdefault(reason, [])
        if len(named) < _ROWS_NAMED:
            named.append(row)
        self.details.setdefault(reason, detail)

    @property
    def total(self) -> int:
        """How many rows."""
        return self.counts.total()


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a file is like. ``scale``: the highest rating possible, None when cells say it themselves or there are no
    ratings; ``dates_ambiguous``: dates of which nothing shows whether the day or the month comes first, so that they
    are left out; ``unread``: field → how many cells have something in them that is none."""

    rows: int
    ratings: int
    scale: float | None
    dates: int
    date_order: DateOrder | None
    dates_ambiguous: int
    unread: Mapping[str, int]
    notes: tuple[str, ...]


class ReviewFile:
    """A file that has been looked at, as ``inspect`` gives it. ``table``: format, encoding and so on; ``columns``:
    which column is what; ``skipped``: what the last ``reviews`` left out."""

    def __init__(
        self,
        table: Table,
        found_columns: Columns,
        source: str,
        ratings: RatingColumn,
        dates: DateColumn,
        found: Found,
        id_column: int | None,
        shared_ids: frozenset[int],
    ) -> None:
        self.table, self.columns, self.source, self.found = table, found_columns, source, found
        self._ratings, self._dates, self._id_column, self._shared_ids = ratings, dates, id_column, shared_ids
        self.skipped = Skipped()
        self.capped = 0
        """Texts of which only the first ``LONGEST_TEXT`` characters were kept, in the last ``reviews``."""

    @property
    def cut_short(self) -> bool:
        """Whether the file ends in the middle of a row: what followed is missing."""
        return bool(self.skipped.counts["cut_short"])

    def reviews(self, vendor: str) -> Iterator[Review]:
        """The reviews, in the order of the file; ``skipped`` is complete when they have all been taken. Raises
        ``Unreadable``."""
        self.skipped, self.capped = Skipped(), 0
        versions: dict[int, tuple[str, int]] = {}  # of ids that several rows have
        contents: set[int] = set()
        again: Counter[int] = Counter()
        for entry in self.table.rows():
            if isinstance(entry, Problem):
                self.skipped.add(entry.row, entry.reason, entry.detail)
                continue
            number, row = entry
            review = self._review(vendor, row)
            if not review.text and not review.title and review.rating is None:
                self.skipped.add(number, "empty")
                continue
            if not review.id:
                content = _digest(_content(review))
                # The same content twice in a file without ids may be two people; importing it again must not be four.
                again[content] += content in contents
                contents.add(content)
                tail = f"-{again[content] + 1}" if again[content] else ""
                yield dataclasses.replace(review, id=f"content-{content:016x}{tail}")
                continue
            key = _digest(review.id)
            if key in self._shared_ids:
                version = (review.written, _digest(_content(review)))
                before = versions.get(key)
                if before is not None and before[1] == version[1]:
                    self.skipped.add(number, "repeated")
                    continue
                if before is not None and version[0] < before[0]:
                    self.skipped.add(number, "older")
                    continue
                versions[key] = version
            yield review

    def _review(self, vendor: str, row: Sequence[Cell]) -> Review:
        fields = self.columns.fields

        def text_of(field: Field) -> str:
            return _text(row[fields[field]]) if field in fields else ""

        paragraphs = [_text(row[place]) for place in self.columns.text]
        text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
        self.capped += len(text) > LONGEST_TEXT
        url = _url(text_of("url"))
        return Review(
            vendor=vendor,
            source=self.source,
            id=_id(row, self._id_column, url, self.columns.export.name),
            written=self._dates.written(row[fields["written"]]) if "written" in fields else "",
            rating=self._ratings.stars(row[fields["rating"]]) if "rating" in fields else None,
            title=text_of("title")[:LONGEST_TITLE],
            text=text[:LONGEST_TEXT],
            author=author_hash(self.source, text_of("author")) or person_hash(self.source, text_of("person")),
            url=url,
            language=_language(text_of("language")),
        )


def inspect(
    path: Path,
    *,
    source: str = "",
    asked: Mapping[str, Sequence[str]] | None = None,
    encoding: str = "",
    scale: float | None = None,
    date_order: DateOrder | None = None,
    sheet: str = "",
) -> ReviewFile:
    """Look at a whole file. ``source``: over what the columns tell; ``asked``: field → names of its columns (see
    ``columns.columns``); ``encoding``, ``scale`` (the highest rating possible), ``date_order`` and ``sheet`` (of a
    workbook): over what the cells show.

    Raises ``Unreadable`` for a file that can't be read and ``ColumnError`` when its columns are not those of reviews.
    """
    wanted = [name for names in (asked or {}).values() for name in names]
    table = open_table(path, encoding=encoding, wanted=wanted, sheet=sheet)
    sample = [
        [cell[:_SAMPLE_CELL] if isinstance(cell, str) else cell for cell in entry[1]]
        for entry in itertools.islice(table.rows(), _SAMPLE)
        if not isinstance(entry, Problem)
    ]
    found_columns = columns(table.header, asked, sample)
    fields, header, export = found_columns.fields, found_columns.header, found_columns.export
    ratings = RatingColumn(header[fields["rating"]] if "rating" in fields else "", scale)
    dates = DateColumn(header[fields["written"]] if "written" in fields else "", date_order, table.since_1904)
    id_column = fields.get("id")
    ids: set[int] = set()
    shared_ids: set[int] = set()
    rows = with_id = rounded = 0
    with_content: set[int] = set()
    numeric = set() if "text" in (asked or {}) else set(found_columns.text)
    filled: Counter[str] = Counter()
    for entry in table.rows():
        if isinstance(entry, Problem):
            continue
        rows += 1
        row = entry[1]
        for place in tuple(numeric):
            if row[place] not in _NOTHING:
                with_content.add(place)
                if not _NUMERIC.fullmatch(_text(row[place])):
                    numeric.remove(place)
        if "rating" in fields and row[fields["rating"]] not in _NOTHING:
            filled["rating"] += 1
            ratings.see(row[fields["rating"]])
        if "written" in fields and row[fields["written"]] not in _NOTHING:
            filled["written"] += 1
            dates.see(row[fields["written"]])
        url = _url(_text(row[fields["url"]])) if "url" in fields else ""
        rounded += id_column is not None and _is_rounded(row[id_column])
        if identifier := _id(row, id_column, url, export.name):
            with_id += 1
            key = _digest(identifier)
            if key in ids:
                shared_ids.add(key)
            ids.add(key)
    notes = [
        f"{found_columns.named[field][0]} is taken for the {_CALLED[field]} because of what stands in it; "
        f"--column {field}= leaves it out"
        for field in found_columns.by_values
    ]
    if table.others:
        more = len(table.others) - _SHEETS_NAMED
        named = ", ".join(name[:40] for name in table.others[:_SHEETS_NAMED]) + (
            f" and {more} more" if more > 0 else ""
        )
        which = "another sheet that is" if len(table.others) == 1 else "other sheets that are"
        notes.append(f"only the sheet {table.sheet} is read; --sheet names {which} not empty: {named}")
    numeric &= with_content
    if numeric:
        # How many liked a review, perhaps.
        found_columns = dataclasses.replace(
            found_columns, text=tuple(place for place in found_columns.text if place not in numeric)
        )
        notes += [f"{header[place]} is not used as text: there are only numbers in it" for place in sorted(numeric)]
    if id_column is not None and with_id >= 10 and len(ids) * 2 < with_id:
        # Of a product or a person, perhaps: as ids of reviews they would make all but a few rows disappear.
        notes.append(f"{header[id_column]} is not used: {with_id:,} rows have only {len(ids):,} different values in it")
        id_column = None
    if rounded and id_column is not None:
        notes.append(
            f"{how_many(rounded, 'value')} of {header[id_column]} {'was' if rounded == 1 else 'were'} rounded by a "
            "spreadsheet and no longer tell reviews apart; these rows are known by their content"
        )
    order = dates.order
    if dates.ambiguous and order is None:
        notes.append(
            f"{dates.ambiguous:,} {'dates are' if dates.ambiguous > 1 else 'date is'} left out, because nothing shows "
            "whether the day or the month comes first; "
            "--dates day-first or --dates month-first says it"
        )
    if dates.counts_days:
        notes.append(
            f"{how_many(dates.serials, 'date')} of {header[fields['written']]} "
            f"{'is a plain number' if dates.serials == 1 else 'are plain numbers'}, read as days since "
            f"{1904 if table.since_1904 else 1900}, which this workbook counts from"
        )
    elif dates.other_numbers:
        notes.append(
            f"{how_many(dates.serials + dates.other_numbers, 'plain number')} in {header[fields['written']]} "
            "cannot be told to be dates, since not all of them would be of 2000 to 2099; give the cells the format of "
            "a date in the spreadsheet, or write dates such as 2026-11-23"
        )
    readable = {"rating": ratings.readable, "written": dates.readable}
    found = Found(
        rows=rows,
        ratings=ratings.readable,
        scale=ratings.scale,
        dates=dates.readable,
        date_order=order,
        dates_ambiguous=dates.ambiguous if order is None else 0,
        unread={field: filled[field] - count for field, count in readable.items() if filled[field] > count},
        notes=tuple(notes),
    )
    return ReviewFile(
        table, found_columns, source or export.source, ratings, dates, found, id_column, frozenset(shared_ids)
    )


# --- cells ------------------------------------------------------------------------------------------------------------

_NOTHING: tuple[Cell, ...] = (None, "")
_NUMERIC = re.compile(r"[\d\s.,+-]*")
_LINE_ENDS = re.compile(r"\r\n?")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?[Ee]\+\d{2,3}")
"""A long number as a spreadsheet shows it: of its digits the last ones are lost, so that several ids become one."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")


def _text(cell: Cell) -> str:
    """A cell as text: lines end with a line feed, what no encoding can hold becomes U+FFFD, NUL is gone."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    text = str(cell).replace("\0", "")
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)
    return _LINE_ENDS.sub("\n", text).strip()


def _is_rounded(cell: Cell) -> bool:
    """Whether a spreadsheet has taken an id for a number and lost the end of it (it keeps 15 digits)."""
    if isinstance(cell, str):
        return _ROUNDED.fullmatch(cell.strip()) is not None
    return isinstance(cell, float) and abs(cell) >= 1e15


def _id(row: Sequence[Cell], column: int | None, url: str, export: str) -> str:
    if column is not None and not _is_rounded(row[column]) and (given := _text(row[column])[:_LONGEST_ID]):
        return given
    if export == "google_play_console" and url:
        # The export has the review's id in its link only.
        found = re.search(r"[?&#:](?:reviewId|id)=([^&#]+)", url)
        if found:
            return urllib.parse.unquote(found[1])[:_LONGEST_ID]
    return ""


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or len(text) > _LONGEST_URL or any(c <= " " for c in text):
        return ""
    try:
        return text if urllib.parse.urlsplit(text).hostname else ""
    except ValueError:
        return ""


def _language(text: str) -> str:
    tag = text.replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else ""


def _content(review: Review) -> str:
    return "\0".join(
        (review.source, review.written, str(review.rating), review.title, review.text, review.author, review.url)
    )


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
