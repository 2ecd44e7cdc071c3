"""Files made to do harm, and damaged ones: a clear error or a counted skip, and never more than bounded memory."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailrubric.reviews.columns import ColumnError
from mailrubric.reviews.importing import inspect
from mailrubric.reviews.rows import LONGEST_ROW, MOST_COLUMNS, Unreadable
from tests.mailrubric.reviews.files import read, repack, write_csv, write_workbook

MEGABYTE = 1_000_000
pytestmark = pytest.mark.timeout(900)
ROWS = [["id", "text", "stars"], ["1", "Good", "5"], ["2", "Bad", "1"]]


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[Path], dict[str, Any]]:
    """Read a file in a process of its own."""

    def run(path: Path) -> dict[str, Any]:
        # A workbook first, so that the modules for it are there.
        warm_up = write_workbook(tmp_path / "warm.xlsx", ROWS)
        command = [sys.executable, "-m", "tests.mailrubric.reviews.memory", str(path), str(warm_up)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600, check=True, cwd=Path(__file__).parents[3]
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def _fill(path: Path, pieces: Iterator[bytes]) -> Path:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    return path


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("quoted", "megabytes"), [(True, 300), (False, 2_000)])
def test_a_field_of_two_gigabytes_is_one_skipped_row(
    tmp_path: Path, measured: Callable[[Path], dict[str, Any]], quoted: bool, megabytes: int
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"id,text,stars\n1,Good,5\n2," + b'"' * quoted
        for _ in range(megabytes):
            yield b"x" * (MEGABYTE - 1) + (b"\n" if quoted else b"x")
        yield b'"' * quoted + b",3\n3,Fine,4\n"

    found = measured(_fill(tmp_path / "huge.csv", pieces()))
    assert (found["reviews"], found["skipped"], found["error"]) == (2, {"too_long": 1}, "")
    assert found["growth"] < 40 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "piece", "end"),
    [
        (b"text\n", b",", b"\n"),
        (b"text\n", b'"",', b"\n"),
        (b"text\n", b'""', b"\n"),
        (b"", b"x", b""),
        (b"", b"x,", b"\n1"),
        (b'{"text": "', b"x", b'"}\n'),
        (b'{"a": ', b"[", b""),
        (b"[", b"[", b""),
        (b'[{"text": "', b"\\\\", b'"}]'),
        (b"[", b'{"text": "x"}', b"]"),
        (b"[", b" ", b"]"),
        (b"", b" ", b""),
        (b"\xff\xfe", b"x\0", b""),
        (b"", b"\0", b""),
        (b"text\n", b'"\n', b""),
        (b'{"a":1}\n{"text": 1', b"0", b"}"),
    ],
)
def test_endless_texts_take_bounded_memory(
    tmp_path: Path, measured: Callable[[Path], dict[str, Any]], start: bytes, piece: bytes, end: bytes
) -> None:
    many = piece * (MEGABYTE // len(piece))
    path = _fill(tmp_path / "file", iter([start, *[many] * 30, end]))
    found = measured(path)
    assert found["error"] or found["skipped"] or found["reviews"]
    assert found["growth"] < 20 * MEGABYTE


def test_a_truncated_csv_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [["id", "text", "stars"], *([str(n), f"Good, {n}", "5"] for n in range(100))])
    whole = path.read_bytes()
    for length in range(len(b"id,text,stars\r\n0"), len(whole), 11):
        path.write_bytes(whole[:length])
        try:
            found, file = read(path, source="ours")
        except Unreadable:
            continue
        assert [each.id for each in found] == [str(n) for n in range(len(found))]
        assert all(each.text == f"Good, {n}" or n == len(found) - 1 for n, each in enumerate(found))
        lost = whole[:length].count(b"\r\n") - 1 - len(found) + (not whole[:length].endswith(b"\r\n"))
        assert file.skipped.total == max(0, lost)


def test_a_text_cut_off_in_the_middle_of_a_character_stays_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("text,stars\nschön,5\nüber".encode()[:-3])
    found, file = read(path, source="ours")
    assert file.table.encoding == "utf-8"
    assert [each.text for each in found] == ["schön"]
    path.write_bytes("text\nschon\nja \N{EURO SIGN}".encode()[:-1])
    found, file = read(path, source="ours")
    assert (file.table.encoding, file.skipped.counts) == ("utf-8", {"encoding": 1})


def test_a_quotation_mark_that_is_never_closed_tells_how_much_it_swallowed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('text,stars\nGood,5\n"Bad,1\n' + "More,3\n" * 500)
    found, file = read(path, source="ours")
    assert len(found) == 1
    assert file.skipped.rows == {"cut_short": [3]}
    assert "501 lines" in file.skipped.details["cut_short"]
    assert file.cut_short


def test_nul_bytes_are_taken_out_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"text,stars\nGo\0od mail arrives everywhere and always,5\n")
    (review,), _ = read(path, source="ours")
    assert review.text == "Good mail arrives everywhere and always"


def test_lines_of_json_that_are_none_are_skipped_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = [
        '{"text": "one"}', "", "not json", "[1]", '"text"', "[" * 100_000, '{"text": "two", "x": ' + "9" * 5_000 + "}",
        '{"text": NaN, "stars": 3}', '{"text": "three", "text": "four"}', '{"text": "cut',
    ]  # fmt: skip
    path.write_text("\n".join(lines))
    found, file = read(path, source="ours")
    assert [(each.text, each.rating) for each in found] == [("one", None), ("", 3), ("four", None)]
    assert file.skipped.rows == {"json": [3, 4, 5, 6, 7, 10]}


def test_an_array_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('[{"text": "one, [two] \\" }"}, {"text": "three"}, 5, {"text": "fo')
    found, file = read(path, source="ours")
    assert [each.text for each in found] == ['one, [two] " }', "three"]
    assert file.skipped.rows == {"json": [3], "cut_short": [4]}


def test_too_many_columns_and_keys_are_refused(tmp_path: Path) -> None:
    wide = [["text", *(f"c{n}" for n in range(MOST_COLUMNS))]]
    with pytest.raises(Unreadable, match="501 columns"):
        read(write_csv(tmp_path / "x.csv", wide))
    (tmp_path / "y.jsonl").write_text("".join(json.dumps({f"k{n}": 1, "text": "x"}) + "\n" for n in range(600)))
    with pytest.raises(Unreadable, match="more than 500 different keys"):
        read(tmp_path / "y.jsonl")


_ANY = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@_ANY
@given(
    content=st.binary(max_size=400)
    | st.text(alphabet='ab,;"\n\r\t{}[]:\\ 5', max_size=200).map(str.encode)
    | st.text(alphabet='ab,;"\n\r\t\\ü5', max_size=200).map(lambda text: f"text,stars\n{text}".encode()),
)
def test_any_bytes_are_read_or_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    try:
        found, file = read(path, source="ours")
    except (Unreadable, ColumnError):
        return
    again, _ = read(path, source="ours")
    assert again == found
    assert file.skipped.counts.total() == sum(len(rows) for rows in file.skipped.rows.values())


# --- workbooks --------------------------------------------------------------------------------------------------------

_SHEET = "xl/worksheets/sheet1.xml"
_NAMESPACE = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def _sheet(rows: bytes) -> bytes:
    return b"<worksheet " + _NAMESPACE + b"><sheetData>" + rows + b"</sheetData></worksheet>"


_HEADER = (
    b'<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c>'
    b'<c r="B1" t="inlineStr"><is><t>stars</t></is></c></row>'
)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return write_workbook(tmp_path / "book.xlsx", ROWS)


@pytest.mark.slow
def test_a_workbook_that_unpacks_to_gigabytes_is_refused(
    book: Path, measured: Callable[[Path], dict[str, Any]]
) -> None:
    cell = b'<row><c t="inlineStr"><is><t>'
    repack(book, {_SHEET: _sheet(_HEADER + cell + b"x" * 600_000_000 + b"</t></is></c></row>")})
    assert book.stat().st_size < 2 * MEGABYTE
    found = measured(book)
    assert "unpacks to more than 512 MB" in found["error"]
    assert found["growth"] < 40 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        b'<row><c t="inlineStr"><is><t>' + b"x" * 30 * MEGABYTE + b"</t></is></c></row>",
        b"<row>" + b"<c/>" * MEGABYTE + b"</row>",
        b"<row/>" * MEGABYTE,
        b"<row/>" + b"<x/>" * MEGABYTE,
        b"<row>" + b'<c t="inlineStr"><is><t>x</t></is></c>' * 500_000 + b"</row>",
        b"<x>" * MEGABYTE,
    ],
    ids=["long cell", "cells", "rows", "beside rows", "wide row", "deep"],
)
def test_swollen_sheets_take_bounded_memory(
    book: Path, measured: Callable[[Path], dict[str, Any]], rows: bytes
) -> None:
    found = measured(repack(book, {_SHEET: _sheet(_HEADER + rows)}))
    assert found["growth"] < 20 * MEGABYTE
    assert found["error"] or found["skipped"] or found["reviews"] <= 1


@pytest.mark.slow
def test_swollen_shared_texts_are_refused(tmp_path: Path, measured: Callable[[Path], dict[str, Any]]) -> None:
    path = tmp_path / "shared.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:  # openpyxl shares no texts
        book.add_worksheet().write_row(0, 0, ["text", "stars"])
    texts = b"<sst " + _NAMESPACE + b"><si><t>" + b"x" * 70 * MEGABYTE + b"</t></si></sst>"
    found = measured(repack(path, {"xl/sharedStrings.xml": texts}))
    assert "more than 64,000,000 characters" in found["error"]
    assert found["growth"] < 150 * MEGABYTE


def test_xml_entities_are_refused(book: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    for declaration in (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        f'<!DOCTYPE x [<!ENTITY b SYSTEM "file://{secret}">]>'.encode(),
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ):
        cell = b'<row r="2"><c r="A2" t="inlineStr"><is><t>&b;</t></is></c></row>'
        repack(book, {_SHEET: b'<?xml version="1.0"?>' + declaration + _sheet(_HEADER + cell)})
        with pytest.raises(Unreadable, match="XML entities"):
            read(book)


def test_an_archive_with_an_endless_list_of_parts_is_refused_before_it_is_read(book: Path) -> None:
    with zipfile.ZipFile(book, "a") as archive:
        for number in range(2_500):
            archive.writestr(f"x{number}", b"")
    with pytest.raises(Unreadable, match="more than 2,000 parts"):
        read(book)
    content = bytearray(book.read_bytes())
    struct.pack_into("<L", content, content.rfind(b"PK\x05\x06") + 12, 2_000_000_000)
    book.write_bytes(content)
    with pytest.raises(Unreadable, match="as long as no spreadsheet program writes it"):
        read(book)


def test_places_that_no_sheet_has(book: Path) -> None:
    rows = b'<row r="99999999"><c r="A99999999"><v>1</v></c></row>'
    with pytest.raises(Unreadable, match="a row 99,999,999, which no spreadsheet has"):
        read(repack(book, {_SHEET: _sheet(_HEADER + rows)}))
    rows = (
        b'<row r="2"><c r="A2" t="inlineStr"><is><t>Good</t></is></c><c r="ZZZ2"><v>9</v></c></row>'
        b'<row r="1"><c r="!!" t="s"><v>77</v></c><c r="B1" t="e"><v>#N/A</v></c></row>'
        b'<row r="-5"><c t="s"><v>x</v></c><c><v>1e999</v></c></row>'
        b'<row><c t="inlineStr"><is><t>Bad</t></is></c><c s="9999999999"><v>4</v></c></row>'
    )
    found, _ = read(repack(book, {_SHEET: _sheet(_HEADER + rows)}), source="ours")
    assert [(each.text, each.rating) for each in found] == [("Good", None), ("Bad", 4)]


def test_formulas_are_never_computed_and_skipped_where_no_result_is_stored(book: Path) -> None:
    rows = (
        b'<row r="2"><c r="A2" t="str"><f>CONCAT("Go","od")</f><v>Good</v></c><c r="B2"><f>2+2</f><v>4</v></c></row>'
        b'<row r="3"><c r="A3"><f>WEBSERVICE("http://127.0.0.1:9/")</f></c><c r="B3"><v>1</v></c></row>'
        b'<row r="4"><c r="A4"><f>1/0</f><v></v></c></row>'
        b"""<row r="5"><c r="A5" t="inlineStr"><is><t>=cmd|' /C calc'!A0</t></is></c><c r="B5"><v>2</v></c></row>"""
    )
    found, file = read(repack(book, {_SHEET: _sheet(_HEADER + rows)}), source="ours")
    assert [(each.text, each.rating) for each in found] == [("Good", 4), ("=cmd|' /C calc'!A0", 2)]
    assert file.skipped.rows == {"formula": [3, 4]}
    assert file.skipped.details["formula"] == "a formula without a stored result in text"


def test_damaged_workbooks_are_refused_in_words(book: Path) -> None:
    whole = book.read_bytes()
    for length in range(4, len(whole), max(1, len(whole) // 40)):
        book.write_bytes(whole[:length])
        with pytest.raises(Unreadable, match="damaged or cut short"):
            read(book)
    for place in range(0, len(whole), 11):
        book.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with contextlib.suppress(Unreadable, ColumnError):
            assert len(read(book, source="ours")[0]) <= 2


def test_other_archives_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for names, words in (
        (["reviews.csv"], "ZIP archive and no workbook"),
        (["mimetype", "content.xml"], "OpenDocument"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
        with pytest.raises(Unreadable, match=words):
            inspect(path)


def test_a_folder_and_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="can't be read"):
        inspect(tmp_path)
    locked = write_csv(tmp_path / "x.csv", ROWS)
    locked.chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(Unreadable, match="Permission denied"):
            inspect(locked)


def test_a_row_of_just_the_longest_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('text,stars\n"' + "y" * (LONGEST_ROW - 3) + '",4\n"' + "y" * LONGEST_ROW + '",5\n')
    found, file = read(path, source="ours")
    assert [each.rating for each in found] == [4]
    assert file.skipped.rows == {"too_long": [3]}
