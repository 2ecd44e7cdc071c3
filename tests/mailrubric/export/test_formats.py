"""Round trips: what each format says, read back with somebody else's reader, against the evaluation and each other."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
import math
from html.parser import HTMLParser

import openpyxl
import pytest

from mailrubric.display import tenths
from mailrubric.export import FORMATS, MEDIA_TYPES, UnknownFormat, render
from mailrubric.export.document import scorecard
from tests.mailrubric.export.sample import evaluation, unknown


class Page(HTMLParser):
    """The tables of a page as rows of texts, and its elements and attributes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in_cell = False
        self.feed(data.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data):
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data


def markdown_rows(data: bytes) -> list[list[str]]:
    rows = []
    for line in data.decode().splitlines():
        if line.startswith("| "):
            rows.append([cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")])
    return rows


def sheet_rows(data: bytes, name: str) -> list[dict[str, object]]:
    page = openpyxl.load_workbook(io.BytesIO(data))[name]
    head, *rows = page.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def figure(value: object) -> str:
    return tenths(value) if isinstance(value, int | float) else str(value)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_evaluation_gives_the_same_bytes(name):
    first = render(evaluation(), name)
    assert first == render(evaluation(), name)
    assert first != render(dataclasses.replace(evaluation(), as_of="2026-11-23T10:00:00Z"), name)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_names_the_rules_the_time_and_the_versions(name):
    data = render(evaluation(), name)
    if name == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(data))
        text = " ".join(
            str(v) for page in book for row in page.iter_rows(values_only=True) for v in row if v is not None
        )
    else:
        text = data.decode()
    assert "ab" * 32 in text
    assert "2026-11-22T10:00:00Z" in text
    assert "3.5.0" in text
    assert "transactional" in text


def test_a_lab_vendor_is_marked_once():
    for name in ("Modern", "Modern (lab)"):
        lines = [dataclasses.replace(line, name=name, lab=True) for line in evaluation().vendors]
        text = render(dataclasses.replace(evaluation(), vendors=tuple(lines)), "md").decode()
        assert "Modern (lab)" in text
        assert "(lab) (lab)" not in text


def test_every_format_has_a_media_type():
    assert set(MEDIA_TYPES) == set(FORMATS)


def test_an_unknown_format_is_refused_with_the_list_of_those_that_exist():
    with pytest.raises(UnknownFormat, match=r"'pdf'.*\.xlsx, \.html, \.md, \.csv, \.json"):
        render(evaluation(), "pdf")


def test_json_holds_the_figures_in_full():
    document = json.loads(render(evaluation(), "json"))
    sure = document.pop("robust")
    assert [(each["id"], each["win"]) for each in sure["standings"]] == [(document["vendors"][0]["id"], 1.0)]
    assert document == scorecard(evaluation(), evidence=True)
    good = document["vendors"][0]
    assert good["low"] == 41.249999999999996
    assert good["criteria"][0]["evidence"][0]["versions"] == {"tls": "1", "openssl": "3.5.0"}
    assert good["criteria"][0]["evidence"][1]["value"] is None
    assert good["criteria"][0]["evidence"][1]["cause"] == "connection_timeout"
    assert math.fsum(c["contribution"] for c in good["criteria"] if c["contribution"] is not None) == pytest.approx(
        good["score"], abs=1e-9
    )


def test_the_ranking_shows_the_same_figures_in_every_format():
    document = json.loads(render(evaluation(), "json"))
    workbook = sheet_rows(render(evaluation(), "xlsx"), "Ranking")
    lines = {row["vendor"]: row for row in csv_rows(render(evaluation(), "csv"))}
    markdown = {row[1]: row for row in markdown_rows(render(evaluation(), "md")) if len(row) == 9 and "–" in row[5]}
    page = {row[1]: row for row in Page(render(evaluation(), "html")).rows if len(row) == 9 and "–" in row[5]}
    for vendor, sheet in zip(document["vendors"], workbook, strict=True):
        expected = [
            "unknown" if vendor["score"] is None else tenths(vendor["score"]),
            tenths(vendor["low"]),
            tenths(vendor["high"]),
            tenths(vendor["coverage"]),
        ]
        line = lines[vendor["id"]]
        assert [line[k] for k in ("vendor_score", "vendor_low", "vendor_high", "coverage")] == expected
        assert [figure(sheet[k]) for k in ("Score", "Low", "High", "Coverage %")] == expected
        assert sheet["Rank"] == vendor["rank"]
        assert line["rank"] == ("" if vendor["rank"] is None else str(vendor["rank"]))
        if vendor["id"] == "hostile":
            continue  # its name is escaped differently in each format
        name = vendor["name"]
        estimate = "unknown" if vendor["ranking_score"] is None else tenths(vendor["ranking_score"])
        figures = [estimate, expected[0], f"{expected[1]}–{expected[2]}", expected[3]]
        assert markdown[name.replace("&", "&amp;")][3:7] == figures
        assert line["vendor_estimate"] == figure(sheet["Estimate"]) == estimate
        row = page[name]
        assert [row[2], row[3], row[5], row[6]] == [*figures[:3], f"{expected[3]} %"]


def test_how_sure_the_ranking_is_stands_in_every_format():
    document = json.loads(render(evaluation(), "json"))
    (ranked,) = document["robust"]["standings"]
    (sheet,) = sheet_rows(render(evaluation(), "xlsx"), "Robustness")
    assert (sheet["Vendor id"], figure(sheet["Wins %"]), sheet["Most frequent place"]) == (ranked["id"], "100.0", 1)
    wins = {row["vendor"]: row["wins"] for row in csv_rows(render(evaluation(), "csv"))}
    assert wins.pop(ranked["id"]) == "100.0"
    assert set(wins.values()) == {""}  # who has no rank takes no part
    for text in (render(evaluation(), "md").decode(), render(evaluation(), "html").decode()):
        assert "How sure the ranking is" in text
        assert "10,000 draws" in text
    others = [vendor["id"] for vendor in document["vendors"] if vendor["id"] != ranked["id"]]
    assert sheet_rows(render(evaluation(), "xlsx", others), "Robustness") == []


def test_criteria_show_the_same_figures_in_every_format():
    document = json.loads(render(evaluation(), "json"))
    workbook = sheet_rows(render(evaluation(), "xlsx"), "Criteria")
    lines = csv_rows(render(evaluation(), "csv"))
    markdown = [
        row for row in markdown_rows(render(evaluation(), "md")) if len(row) == 7 and row[0].startswith("Question")
    ]
    page = [row for row in Page(render(evaluation(), "html")).rows if len(row) == 6 and row[0].startswith("Question")]
    cells = [cell for vendor in document["vendors"] for cell in vendor["criteria"]]
    assert len(cells) == len(workbook) == len(lines) == len(markdown) == len(page) == 9
    for cell, sheet, line, text, row in zip(cells, workbook, lines, markdown, page, strict=True):
        missing = "unknown" if cell["applicable"] else "not applicable"
        score = missing if cell["score"] is None else tenths(cell["score"])
        contribution = missing if cell["contribution"] is None else tenths(cell["contribution"])
        assert (sheet["Criterion"], line["criterion"]) == (cell["id"], cell["id"])
        assert [line["score"], line["weight"], line["contribution"]] == [score, tenths(cell["weight"]), contribution]
        assert [figure(sheet[k]) for k in ("Score", "Weight %", "Contribution")] == [
            score,
            tenths(cell["weight"]),
            contribution,
        ]
        assert text[3:6] == [score, tenths(cell["weight"]), contribution]
        assert row[2:5] == [score, f"{tenths(cell['weight'])} %", contribution]


def test_unknown_is_the_word_unknown_and_never_a_zero():
    only = evaluation(unknown())
    sheet = sheet_rows(render(only, "xlsx"), "Ranking")[0]
    assert sheet["Score"] == "unknown"
    assert sheet["TLS and certificates"] == "unknown"
    assert {row["Score"] for row in sheet_rows(render(only, "xlsx"), "Criteria")} == {"unknown"}
    assert {row["score"] for row in csv_rows(render(only, "csv"))} == {"unknown"}
    assert {row["contribution"] for row in csv_rows(render(only, "csv"))} == {"unknown"}
    page = Page(render(only, "html"))
    marks = [attrs for tag, attrs in page.elements if tag == "rect" and attrs.get("fill") == "var(--accent)"]
    assert marks == []  # no score, no mark on the bar
    assert json.loads(render(only, "json"))["vendors"][0]["score"] is None


def test_numbers_stay_numbers_in_a_workbook():
    rows = sheet_rows(render(evaluation(), "xlsx"), "Criteria")
    assert rows[1]["Value"] == -3
    assert rows[0]["Contribution"] == 12.5
    book = openpyxl.load_workbook(io.BytesIO(render(evaluation(), "xlsx")))
    score = book["Ranking"]["F2"]
    assert (score.value, score.number_format) == (62.25, "0.0")


def test_the_workbook_is_ready_to_read():
    book = openpyxl.load_workbook(io.BytesIO(render(evaluation(), "xlsx")))
    assert book.sheetnames == ["Ranking", "Robustness", "Criteria", "Evidence", "Contradictions", "Rules"]
    for name in book.sheetnames[:-1]:
        assert book[name].freeze_panes is not None
        assert book[name].auto_filter.ref
    assert book["Ranking"].conditional_formatting
    assert book.properties.created == datetime.datetime(2026, 11, 22, 10, 0)
    assert len(list(book["Evidence"].iter_rows())) == 1 + 3 + 19


def test_an_as_of_that_is_no_moment_still_gives_a_workbook():
    for odd in ("", "undated", "2026-02-31T10:00:00Z"):
        book = openpyxl.load_workbook(io.BytesIO(render(dataclasses.replace(evaluation(), as_of=odd), "xlsx")))
        assert book.properties.created == datetime.datetime(1980, 1, 1)


def test_contradictions_show_both_sides_everywhere():
    for name in ("html", "md"):
        text = render(evaluation(), name).decode()
        assert "The profile says TLSv1.2, the probe saw TLSv1.0." in text
        assert "The profile says STARTTLS; the server offers none." in text
    assert [row["Subject"] for row in sheet_rows(render(evaluation(), "xlsx"), "Contradictions")] == [
        "oldest-tls",
        "endpoint",
    ]
    first = csv_rows(render(evaluation(), "csv"))[0]
    assert first["contradiction"] == "The profile says TLSv1.2, the probe saw TLSv1.0."
    assert first["endpoint_contradictions"] == "The profile says STARTTLS; the server offers none."


def test_choosing_vendors_keeps_their_ranks():
    chosen = json.loads(render(evaluation(), "json", vendors={"good"}))
    assert [(v["id"], v["rank"]) for v in chosen["vendors"]] == [("good", 1)]
    assert [v["id"] for v in json.loads(render(evaluation(), "json", vendors=[]))["vendors"]] == []


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_evaluation_is_still_a_file(name):
    empty = dataclasses.replace(evaluation(), vendors=(), criteria=(), group_weights={}, criterion_weights={})
    assert render(empty, name)


def test_a_vendor_without_criteria_has_a_line_of_its_own():
    bare = dataclasses.replace(unknown(), cells=(), groups=())
    rows = csv_rows(render(evaluation(bare), "csv"))
    assert [(row["vendor"], row["criterion"], row["rules_hash"]) for row in rows] == [("unknown", "", "ab" * 32)]
