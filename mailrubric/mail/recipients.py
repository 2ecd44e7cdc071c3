"""What people say about the recipients of mail: a CSV file, one line each. Addresses are hashed and not kept.

Columns: ``address`` and ``zone`` (IANA name), and where known ``signed_up``, ``unsubscribed`` (ISO 8601) and
``tolerance`` (messages a week). An empty field leaves it to what holds for everybody.
"""

from __future__ import annotations

import csv
import datetime
import io
import math
from pathlib import Path

from mailrubric.display import one_line
from mailrubric.mail.cadence import Recipient, zone
from mailrubric.mail.fields import digest

COLUMNS = ("address", "zone", "signed_up", "unsubscribed", "tolerance")
MOST_BYTES = 16 * 1024 * 1024
MOST_LINES = 200_000


class RecipientsError(ValueError):
    """The file can't be used; the text says where and why, for people."""


def moment(text: str) -> datetime.datetime:
    """A time as people write it: ISO 8601, UTC when it names no zone; a date alone is its beginning. ``ValueError``."""
    try:
        found = datetime.datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=datetime.UTC) if found.tzinfo is None else found.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time such as 2026-11-22T10:00:00Z, got {one_line(text)[:60]!r}") from None
    if not 1990 <= found.year <= 2200:
        raise ValueError(f"expected a time of this age, got {one_line(text)[:60]!r}")
    return found


def read(path: Path) -> dict[str, Recipient]:
    """The recipients of a CSV file, by hash. Raises ``RecipientsError`` and ``OSError``."""
    with path.open("rb") as file:
        return parse(file.read(MOST_BYTES + 1))


def parse(data: bytes) -> dict[str, Recipient]:
    """The same from bytes: UTF-8 with or without a mark, fields apart by commas, semicolons or tabs."""
    if len(data) > MOST_BYTES:
        raise RecipientsError(f"the file of recipients is larger than {MOST_BYTES // 1024 // 1024} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipientsError(f"the file of recipients is not in UTF-8 (byte {error.start})") from None
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: dict[str, Recipient] = {}
    columns: dict[str, int] = {}
    try:
        for row in lines:
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns = _columns(row)
                continue
            if len(found) >= MOST_LINES:
                raise RecipientsError(f"more than {MOST_LINES:,} recipients")
            address, recipient = _recipient(row, columns, lines.line_num)
            key = digest(address)
            if key in found:
                raise RecipientsError(f"line {lines.line_num}: this address stands twice")
            found[key] = recipient
    except csv.Error as error:
        raise RecipientsError(f"line {lines.line_num}: {error}") from None
    if not columns:
        raise RecipientsError("the file of recipients is empty; its first line names the columns: address,zone")
    return found


def _columns(row: list[str]) -> dict[str, int]:
    names = [cell.strip().lower().replace(" ", "_") for cell in row]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or len(set(names)) != len(names) or "address" not in names:
        shown = one_line(", ".join(names))[:200]
        raise RecipientsError(f"the first line must name the columns, of {', '.join(COLUMNS)}; it has: {shown}")
    return {name: index for index, name in enumerate(names)}


def _recipient(row: list[str], columns: dict[str, int], line: int) -> tuple[str, Recipient]:
    def cell(name: str) -> str:
        place = columns.get(name, len(row))
        return row[place].strip() if place < len(row) else ""

    if len(row) > len(columns):
        raise RecipientsError(f"line {line}: {len(row)} fields, where the first line has {len(columns)}")
    address = cell("address")
    if "@" not in address:
        raise RecipientsError(f"line {line}: address: expected a mail address, got {one_line(address)[:60]!r}")
    try:
        if cell("zone"):
            zone(cell("zone"))
        limit = float(cell("tolerance")) if cell("tolerance") else None
        if limit is not None and not (math.isfinite(limit) and 0 < limit < 10_000):
            raise ValueError(f"expected messages a week above 0, got {cell('tolerance')[:20]!r}")
        return address, Recipient(
            zone=cell("zone"),
            signed_up=moment(cell("signed_up")) if cell("signed_up") else None,
            unsubscribed=moment(cell("unsubscribed")) if cell("unsubscribed") else None,
            tolerance=limit,
        )
    except ValueError as error:
        raise RecipientsError(f"line {line}: {one_line(str(error))}") from None
