"""``mailrubric reviews import``: reviews from a file that a site or a team exported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, complain, print_json, print_table, print_title, say
from mailrubric.display import how_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailrubric.reviews.importing import ReviewFile
    from mailrubric.reviews.review import Review
    from mailrubric.reviews.values import DateOrder

_AT_ONCE = 5_000  # reviews that are stored in one transaction
_SHOWN = 5  # reviews of a preview
_ROWS_SHOWN = 12  # numbers of skipped rows; --json has more
_WIDEST = 60  # characters of a text in a preview

_NO_SOURCE = "the columns do not tell which site the reviews are from"
_DATES: dict[str, DateOrder] = {"day-first": "day_first", "month-first": "month_first"}


def import_reviews(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines, JSON or .xlsx with one review a row.")],
    vendor: Annotated[
        str, typer.Option("--vendor", metavar="ID", help="Whom the reviews are about.", show_default=False)
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="NAME",
            help="Where they stand, such as g2 or our-survey. Default: what the columns tell.",
            show_default=False,
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what would be read and store nothing.", show_default=False)
    ] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="FIELD=COLUMN",
            help="Which column is what: text=Body, rating=Stars, written, title, author, id, url or language. "
            "Repeatable; several for text; FIELD= for none.",
            show_default=False,
        ),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            "--dates",
            metavar="ORDER",
            help="What 03/04/2026 means where the file does not show it: day-first or month-first.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="N",
            min=1,
            max=1000,
            help="The highest rating possible, such as 10. Default: what the ratings show.",
            show_default=False,
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="Of a CSV or JSON file, such as shift_jis. Default: what its bytes show.",
            show_default=False,
        ),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(
            "--sheet",
            metavar="NAME",
            help="Of a workbook. Default: the one that looks most like reviews.",
            show_default=False,
        ),
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Read reviews from an exported file into the evidence, and sum up all reviews anew.

    Importing a file again adds nothing; a review that was edited since counts as it is now.
    """
    from mailrubric.cli.catalogue import choose, parse_as_of, read_catalogue, store_of
    from mailrubric.cli.workspace import open_workspace

    opened = open_workspace(workspace)
    choose(read_catalogue(opened), (vendor,))
    if dates is not None and dates not in _DATES:
        raise Usage(f"--dates: expected day-first or month-first, got {dates}")
    order = _DATES.get(dates or "")
    found = _inspect(file, _source(source), _columns(column or ()), encoding or "", scale, order, sheet or "")
    if preview:
        with _faults(file):
            count, first = _count(found.reviews(vendor))
        _show(file, vendor, found, count, None, None, first, json)
    else:
        if not found.source:
            raise Usage(f"{_NO_SOURCE}; name it, such as --source g2")
        from mailrubric.reviews.summary import refresh

        with _faults(file), store_of(opened) as store:
            count = new = 0
            for some in _batches(found.reviews(vendor)):
                count, new = count + len(some), new + store.add_reviews(some)
            changed = refresh(store, parse_as_of(None)) if count else 0
        _show(file, vendor, found, count, new, changed, (), json)
    if found.cut_short:
        complain("Warning: the file is cut short; what is missing at its end was not read.")
    if not count and not json:
        complain("Error: no review could be read")
    if not count:
        raise typer.Exit(3)


def _source(name: str | None) -> str:
    import re

    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise Usage(f"--source: expected lower-case letters, digits, - and _ (at most 40), got {name}")
    return name or ""


def _columns(words: Sequence[str]) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {}
    for word in words:
        field, separator, name = word.partition("=")
        if not separator:
            raise Usage(f"--column: expected FIELD=COLUMN such as text=Body, got {word}")
        asked.setdefault(field.strip(), []).extend([name] if name else [])
    return asked


def _inspect(
    file: Path,
    source: str,
    asked: dict[str, list[str]],
    encoding: str,
    scale: float | None,
    date_order: DateOrder | None,
    sheet: str,
) -> ReviewFile:
    from mailrubric.reviews.importing import inspect

    if not file.is_file():
        raise Usage(f"there is no file {file}")
    with _faults(file):
        return inspect(
            file, source=source, asked=asked, encoding=encoding, scale=scale, date_order=date_order, sheet=sheet
        )


@contextlib.contextmanager
def _faults(file: Path) -> Iterator[None]:
    """What keeps a file from being read, for people."""
    from mailrubric.reviews.columns import ColumnError
    from mailrubric.reviews.rows import Unreadable

    try:
        yield
    except ColumnError as error:
        raise Usage(f"{file}: {error}") from error
    except Unreadable as error:
        raise Failure(f"{file}: {error}", 3) from error


def _batches(reviews: Iterator[Review]) -> Iterator[list[Review]]:
    from itertools import islice

    while some := list(islice(reviews, _AT_ONCE)):
        yield some


def _count(reviews: Iterator[Review]) -> tuple[int, list[Review]]:
    count, first = 0, []
    for count, review in enumerate(reviews, start=1):
        if count <= _SHOWN:
            first.append(review)
    return count, first


def _show(
    file: Path,
    vendor: str,
    found: ReviewFile,
    count: int,
    new: int | None,
    changed: int | None,
    first: Sequence[Review],
    json: bool,
) -> None:
    if json:
        print_json(_document(file, vendor, found, count, new, changed, first))
        return
    kind = found.table.format.upper().replace("JSONL", "JSON lines")
    about = [
        kind,
        *([found.table.encoding] if found.table.encoding else []),
        *([f"sheet {found.table.sheet}"] if found.table.sheet else []),
        *([f"fields apart by {found.table.delimiter!r}"] if found.table.delimiter else []),
    ]
    print_title(f"{file.name}: {', '.join(about)}; {found.columns.export.title}")
    if new is None:
        print_table(("field", "column"), [(field, ", ".join(names)) for field, names in found.columns.named.items()])
        if found.columns.unused:
            say(f"Not read: {', '.join(found.columns.unused)}")
    _say_values(found)
    for note in _notes(found):
        say(f"Note: {note}.")
    if found.skipped.total:
        from mailrubric.reviews.importing import SKIPS

        print_table(
            ("skipped", "because", "rows", "the first"),
            [
                (f"{number:,}", SKIPS[reason], _numbers(found.skipped.rows[reason]), found.skipped.details[reason])
                for reason, number in found.skipped.counts.most_common()
            ],
            right=(0,),
            whole=(0,),
        )
    if found.capped:
        from mailrubric.reviews.importing import LONGEST_TEXT

        say(f"Note: of {how_many(found.capped, 'text')} the first {LONGEST_TEXT:,} characters are kept.")
    if first:
        print_table(
            ("written", "stars", "title", "text", "author"),
            [
                (each.written, "" if each.rating is None else f"{each.rating:g}", _cut(each.title), _cut(each.text),
                 each.author[:8])
                for each in first
            ],
        )  # fmt: skip
    source = f" from {found.source}" if found.source else ""
    if new is None:
        say(f"{how_many(count, 'review')} of {vendor}{source} would be read; nothing was stored.")
    else:
        say(f"{how_many(count, 'review')} of {vendor}{source} read: {new:,} new, {count - new:,} stored before.")


def _say_values(found: ReviewFile) -> None:
    values = found.found
    rows = how_many(values.rows, "row")
    if "rating" in found.columns.fields:
        scale = f", of at most {values.scale:g}" if values.scale is not None else ""
        say(f"Ratings: {values.ratings:,} in {rows}{scale}{_unread(values.unread.get('rating', 0))}")
    if "written" in found.columns.fields:
        order = {"day_first": ", the day first", "month_first": ", the month first", None: ""}[values.date_order]
        say(f"Dates: {values.dates:,} in {rows}{order}{_unread(values.unread.get('written', 0))}")


def _notes(found: ReviewFile) -> list[str]:
    # Without a source only a preview gets as far as this.
    missing = [] if found.source else [f"{_NO_SOURCE}: the import needs --source, such as --source g2"]
    return [*found.found.notes, *missing]


def _unread(count: int) -> str:
    return f"; {count:,} could not be read and {'are' if count > 1 else 'is'} left out" if count else ""


def _numbers(rows: Sequence[int]) -> str:
    return ", ".join(str(row) for row in rows[:_ROWS_SHOWN]) + (" …" if len(rows) > _ROWS_SHOWN else "")


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _document(
    file: Path,
    vendor: str,
    found: ReviewFile,
    count: int,
    new: int | None,
    changed: int | None,
    first: Sequence[Review],
) -> dict[str, Any]:
    import dataclasses

    from mailrubric.reviews.importing import SKIPS

    values, table = found.found, found.table
    return {
        "file": str(file),
        "vendor": vendor,
        "source": found.source or None,
        "format": table.format,
        "encoding": table.encoding or None,
        "delimiter": table.delimiter or None,
        "sheet": table.sheet or None,
        "export": found.columns.export.name,
        "columns": [{"field": field, "names": names} for field, names in found.columns.named.items()],
        "unused": list(found.columns.unused),
        "rows": values.rows,
        "ratings": {"read": values.ratings, "unread": values.unread.get("rating", 0), "scale": values.scale},
        "dates": {"read": values.dates, "unread": values.unread.get("written", 0), "order": values.date_order},
        "notes": _notes(found),
        "skipped": [
            {
                "reason": reason,
                "meaning": SKIPS[reason],
                "count": number,
                "rows": found.skipped.rows[reason],
                "detail": found.skipped.details[reason],
            }
            for reason, number in found.skipped.counts.most_common()
        ],
        "capped": found.capped,
        "cut_short": found.cut_short,
        "reviews": count,
        "new": new,
        "changed_observations": changed,
        "preview": [dataclasses.asdict(review) for review in first],
    }
