"""CSV files of people: read strictly, changed without losing a byte of theirs."""

from __future__ import annotations

import csv
import io
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.trials import table

patient = settings(deadline=None, max_examples=30)  # the machine may have much else to do

KNOWN = ("vendor", "date", "comment")


def read(path: Path, text: str | bytes):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return table.read(path, KNOWN, ("vendor",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.csv"


def test_cells_with_their_places(path):
    found, problems = read(path, '# a remark\nvendor, date ,comment\nacme,2026-11-23,"a, ""b""\nand c"\n\n  \nbolt,,\n')
    assert problems == []
    assert [(row.line, row.cells) for row in found.rows] == [
        (3, {"vendor": "acme", "date": "2026-11-23", "comment": 'a, "b"\nand c'}),
        (7, {"vendor": "bolt", "date": "", "comment": ""}),
    ]
    assert found.rows[0].columns == {"vendor": 1, "date": 6, "comment": 17}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_as_spreadsheets_save_them(path, delimiter, line_end, mark):
    lines = ["vendor,Date,own,comment", "acme,2026-11-23,1,x"]
    text = mark + line_end.join(lines).replace(",", delimiter) + line_end
    found, problems = read(path, text)
    assert problems == []
    assert found.rows[0].cells == {"vendor": "acme", "date": "2026-11-23", "own": "1", "comment": "x"}
    more = table.with_row(found, KNOWN, {"vendor": "bolt", "comment": f"a{delimiter}b"})
    row = f'bolt,,,"a{delimiter}b"'.replace(",", delimiter) if delimiter == "," else (
        delimiter.join(["bolt", "", "", f'"a{delimiter}b"'])
    )  # fmt: skip
    assert more == text + (f'bolt,,,"a,b"{line_end}' if delimiter == "," else row + line_end)


def test_a_changed_row_leaves_the_rest_alone(path):
    text = (
        "# keep me\r\nown;vendor;;date;comment;\r\n"
        '1 ; acme;\'=1+1;;"old;";\r\n# and me\r\n=2+3;bolt;x;2026-11-20;y\r\nlast;cask;;;'
    )
    found, problems = read(path, text)
    assert problems == []
    new = table.with_changed(found, found.rows[0], {"date": "2026-11-23"})
    assert new == text.replace("acme;'=1+1;;", "acme;'=1+1;2026-11-23;")
    assert table.with_row(found, KNOWN, {"vendor": "dray"}) == f"{text}\r\n;dray;;;;\r\n"


def test_a_formula_is_a_text_and_comes_back_as_one(path):
    for value in ("=cmd|' /C calc'!A0", "+1", "-x", "@SUM(1)", "＝1", "'=1", "#1", " x", "a\nb", "plain", "-5", "'tis"):
        written = table.with_row(None, KNOWN, {"vendor": "acme", "comment": value})
        cell = next(csv.DictReader(io.StringIO(written)))["comment"]
        assert cell[:1] not in "=@＝"
        found, problems = read(path, written)
        assert problems == []
        assert found.rows[0].cells["comment"] == value.strip()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (b"", 1, "is empty; its first line names the columns"),
        (b"# only a remark\n", 1, "is empty"),
        (b"date,comment\n", 1, "the column vendor is missing"),
        (b"vendor,vendor\n", 1, "two columns are named 'vendor'"),
        (b'vendor,comment\nacme,"open\nacme,x\n', 2, "never closed"),
        (b'vendor,comment\nacme,"a"b\n', 2, "goes on after its quote"),
        (b"vendor,comment\nacme,x,y\n", 2, "has 3 cells, but the first line names 2 columns"),
        (b"vendor\n\x00acme\n", 2, "a control character"),
        (b"vendor\nacm\xe9\n", 2, "is not UTF-8"),
        ("vendor\nacme\n".encode("utf-16"), 1, "is UTF-16"),
        (b"vendor,comment\nacme," + b"x" * 5001 + b"\n", 2, "longer than 5,000 characters"),
        (b"vendor\n" + b"acme\n" * 20_001, 20_002, "more than 20,000 rows"),
        (b"vendor" + b"," * 200 + b"\nacme\n", 1, "more than 100 columns"),
        (b"vendor,comment\nacme" + b"," * 5000 + b"\n", 2, "cells"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(path, text, line, said):
    _, problems = read(path, text)
    assert [problem.severity for problem in problems] == ["error"]
    assert said in problems[0].message
    assert problems[0].line == line


def test_a_misspelt_column_is_a_warning(path):
    _, problems = read(path, "vendor,dat,coment\n")
    assert [(each.severity, each.message) for each in problems] == [
        ("warning", "'dat' is not read; did you mean 'date'?"),
        ("warning", "'coment' is not read; did you mean 'comment'?"),
    ]


def test_what_is_too_large_or_no_file_is_not_read(path, tmp_path):
    with path.open("wb") as stream:
        stream.truncate(2 * 1024**3)  # two gigabytes that take no room
    assert "is larger than 4 MiB" in table.read(path, KNOWN, ())[1][0].message
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    assert table.read(pipe, KNOWN, ())[1][0].message == "is not a file"
    assert table.read(tmp_path / "none.csv", KNOWN, ()) == (None, [])


def test_nothing_is_added_to_what_cannot_be_read(path):
    path.write_text('vendor\n"open\n')
    with pytest.raises(table.TableError, match="never closed"):
        table.change(path, KNOWN, ("vendor",), lambda found: table.with_row(found, KNOWN, {"vendor": "x"}))
    assert path.read_text() == 'vendor\n"open\n'
    path.write_text("vendor\n")
    for values, said in (({"comment": "x"}, "has no column comment"), ({"vendor": "a\x1bb"}, "control character"),
                         ({"vendor": "x" * 5001}, "longer than")):  # fmt: skip
        with pytest.raises(table.TableError, match=said):
            table.change(path, KNOWN, ("vendor",), lambda found, v=values: table.with_row(found, KNOWN, v))
    assert path.read_text() == "vendor\n"
    assert sorted(each.name for each in path.parent.iterdir()) == ["some.csv"], "nothing is left lying about"


def test_a_file_does_not_grow_beyond_what_is_read(path):
    for full, said in (
        ("acme\n" * 20_000, "more than 20,000 rows"),
        ("# " + "x" * (4 * 1024**2 - 10) + "\n", "larger than"),
    ):
        path.write_text("vendor\n" + full)
        with pytest.raises(table.TableError, match=said):
            table.change(path, KNOWN, ("vendor",), lambda found: table.with_row(found, KNOWN, {"vendor": "acme"}))
        assert path.read_text() == "vendor\n" + full


def test_many_writers_lose_nothing(path):
    def write(number: int) -> None:
        for row in range(10):
            values = {"vendor": f"v{number}-{row}"}
            table.change(path, KNOWN, ("vendor",), lambda found, v=values: table.with_row(found, KNOWN, v))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, problems = table.read(path, KNOWN, ("vendor",))
    assert problems == []
    assert len({row.cells["vendor"] for row in found.rows}) == 60


def test_a_link_stays_a_link_and_the_mode_stays(path, tmp_path):
    real = tmp_path / "shared.csv"
    real.write_text("vendor\n")
    real.chmod(0o640)
    path.symlink_to(real)
    table.change(path, KNOWN, ("vendor",), lambda found: table.with_row(found, KNOWN, {"vendor": "acme"}))
    assert path.is_symlink()
    assert real.read_text() == "vendor\nacme\n"
    assert real.stat().st_mode & 0o777 == 0o640


cells = st.text(st.characters(blacklist_categories=("Cc", "Cs")), max_size=40)


@pytest.mark.slow
@patient
@given(st.lists(st.tuples(cells, cells), max_size=8))
def test_whatever_is_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "some.csv"
    path.write_text("vendor,own,comment\n", encoding="utf-8")
    for vendor, comment in rows:
        table.change(
            path, KNOWN, ("vendor",),
            lambda found, v=vendor, c=comment: table.with_row(found, KNOWN, {"vendor": f"x{v}", "comment": c}),
        )  # fmt: skip
    found, problems = table.read(path, KNOWN, ("vendor",))
    assert problems == []
    assert [(row.cells["vendor"], row.cells["comment"]) for row in found.rows] == [
        (f"x{vendor}".strip(), comment.strip()) for vendor, comment in rows
    ]


@patient
@given(st.binary(max_size=300))
def test_any_bytes_give_rows_or_problems(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "some.csv"
    found, problems = read(path, b"vendor,comment\n" + content)
    assert found is not None or problems
