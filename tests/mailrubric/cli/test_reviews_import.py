"""``mailrubric reviews import`` from a file to the evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailrubric.evidence.store import Store
from mailrubric.workspace import Workspace
from tests.mailrubric.cli.conftest import Call
from tests.mailrubric.cli.test_json_documented import check
from tests.mailrubric.reviews.files import write_csv

HEADER = ["Review Id", "Review Created (UTC)", "Review Consumer User Id", "Review Title", "Review Content",
          "Review Stars", "Company Response"]  # fmt: skip
ROWS = [
    HEADER,
    ["r1", "2026-01-02 10:00:00", "c1", "Fine", "Mail arrives, always.", "5", "Thanks"],
    ["r2", "2026-02-03 10:00:00", "c2", "", "", "", ""],
    ["r3", "2026-03-04 10:00:00", "c3", "=cmd|' /C calc'!A0", "\x1b]0;owned\x07<b>Late</b> again", "1", ""],
    ["r4", "some day", "c4", "So so", "It works on most days.", "many", ""],
]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / "vendors").mkdir(parents=True)
    for name in ("acme", "other"):
        (folder / "vendors" / f"{name}.yaml").write_text(f"id: {name}\nname: {name.title()}\ncategory: esp\n")
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "trustpilot.csv", ROWS)


def stored(workspace: Path) -> list[tuple[str, str, str, float | None]]:
    with Store(Workspace.open(workspace).store_url()) as store:
        return [(each.vendor, each.source, each.id, each.rating) for each in store.reviews()]


def test_a_preview_shows_what_would_be_read_and_stores_nothing(call: Call, workspace: Path, file: Path) -> None:
    done = call("reviews", "import", file, "--vendor", "acme", "--workspace", workspace, "--preview")
    assert done.code == 0
    assert "Trustpilot, service reviews" in done.out
    assert "Not read: Company Response" in done.out
    assert "3 reviews of acme from trustpilot would be read; nothing was stored." in done.out
    assert "neither text nor rating" in done.out
    assert "\x1b" not in done.out
    assert "\x07" not in done.out
    assert not list(workspace.rglob("*.sqlite")), "not even an empty store"
    real = call("reviews", "import", file, "--vendor", "acme", "--workspace", workspace, "--preview", "--json").json
    check("reviews-import", real)
    assert (real["reviews"], real["new"], real["export"], real["delimiter"]) == (3, None, "trustpilot", ",")
    assert [each["id"] for each in real["preview"]] == ["r1", "r3", "r4"]
    assert real["preview"][1]["title"] == "=cmd|' /C calc'!A0"
    assert real["ratings"] == {"read": 2, "unread": 1, "scale": 5}
    assert real["dates"] == {"read": 3, "unread": 1, "order": None}


def test_reviews_are_stored_once_and_summed_up(call: Call, workspace: Path, file: Path) -> None:
    words = ("reviews", "import", file, "--vendor", "acme", "--workspace", workspace)
    first = call(*words, "--json").json
    check("reviews-import", first)
    assert (first["reviews"], first["new"]) == (3, 3)
    assert first["changed_observations"] > 0
    assert [(each["reason"], each["rows"]) for each in first["skipped"]] == [("empty", [3])]
    again = call(*words, "--json").json
    assert (again["reviews"], again["new"]) == (3, 0)
    assert stored(workspace) == [
        ("acme", "trustpilot", "r4", None),
        ("acme", "trustpilot", "r1", 5),
        ("acme", "trustpilot", "r3", 1),
    ]
    write_csv(file, [*ROWS[:3], [*ROWS[3][:5], "2", ""]])
    done = call(*words)
    assert "2 reviews of acme from trustpilot read: 1 new, 1 stored before." in done.out
    assert ("acme", "trustpilot", "r3", 2) in stored(workspace)
    with Store(Workspace.open(workspace).store_url()) as store:
        kinds = {(each.vendor, each.kind) for each in store.observations()}
    assert kinds == {("acme", "reviewed")}


def test_a_plain_file_needs_a_source_and_takes_columns_dates_and_scale(
    call: Call, workspace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ours.csv"
    path.write_text("Wann;Was;Wie\n03/04/2026;Gut;8\n05/06/2026;Schlecht;2\n", encoding="cp1252")
    words = ("reviews", "import", path, "--vendor", "acme", "--workspace", workspace)
    done = call(*words)
    assert done.code == 2
    assert "no column with the text or the rating of reviews was found; the columns are Wann, Was, Wie" in done.err
    words = (*words, "--column", "text=Was", "--column", "rating=Wie", "--column", "written=Wann")
    done = call(*words)
    assert (done.code, "name it, such as --source g2" in done.err) == (2, True)
    assert not list(workspace.rglob("*.sqlite"))
    done = call(*words, "--preview")
    assert done.code == 0
    assert "which site the reviews are from: the import needs --source, such as --source g2." in done.out
    noted = call(*words, "--preview", "--json").json
    assert noted["source"] is None
    assert any("needs --source" in note for note in noted["notes"])
    done = call(*words, "--source", "our-survey", "--preview")
    assert "needs --source" not in done.out
    assert "Note: 2 dates are left out, because nothing shows whether the day or the month comes first" in done.out
    call(*words, "--source", "our-survey", "--dates", "month-first", "--scale", "10")
    with Store(Workspace.open(workspace).store_url()) as store:
        found = [(each.source, each.written, each.rating, each.text) for each in store.reviews("acme")]
    assert found == [("our-survey", "2026-03-04", 4, "Gut"), ("our-survey", "2026-05-06", 1, "Schlecht")]


@pytest.mark.slow
def test_usage(call: Call, workspace: Path, file: Path, tmp_path: Path) -> None:
    words = ("--vendor", "acme", "--workspace", workspace)
    for arguments, code, said in (
        ((tmp_path / "none.csv", *words), 2, "there is no file"),
        ((tmp_path, *words), 2, "there is no file"),
        ((file, "--vendor", "acmee", "--workspace", workspace), 2, "no vendor has the id acmee"),
        ((file, *words, "--source", "Our Survey"), 2, "expected lower-case letters"),
        ((file, *words, "--column", "text"), 2, "expected FIELD=COLUMN"),
        ((file, *words, "--column", "colour=x"), 2, "there is no field colour"),
        ((file, *words, "--dates", "backwards"), 2, "expected day-first or month-first"),
        ((file, *words, "--encoding", "klingon"), 3, "there is no encoding 'klingon'"),
    ):
        done = call("reviews", "import", *arguments)
        assert (done.code, said in done.err) == (code, True), done.err
    assert not list(workspace.rglob("*.sqlite"))


def test_a_file_that_is_none_or_holds_no_review_is_code_3(call: Call, workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"PK\x03\x04 and nothing else")
    done = call("reviews", "import", path, "--vendor", "acme", "--workspace", workspace, "--json")
    assert done.code == 3
    assert "damaged or cut short" in json.loads(done.out)["error"]["message"]
    empty = write_csv(tmp_path / "empty.csv", [HEADER, ["r1", "", "", "", "", "", ""]])
    done = call("reviews", "import", empty, "--vendor", "acme", "--workspace", workspace)
    assert done.code == 3
    assert "no review could be read" in done.err


def test_a_file_cut_short_gives_what_it_has_and_warns(call: Call, workspace: Path, file: Path) -> None:
    file.write_text('Text,Stars\nMail arrives every day.,5\n"Never clos', encoding="utf-8")
    done = call("reviews", "import", file, "--vendor", "acme", "--workspace", workspace, "--source", "ours")
    assert done.code == 0
    assert "1 review of acme from ours read: 1 new" in done.out
    assert "the file is cut short" in done.err


def test_reviews_of_two_vendors_are_kept_apart(call: Call, workspace: Path, file: Path) -> None:
    for vendor in ("acme", "other"):
        assert call("reviews", "import", file, "--vendor", vendor, "--workspace", workspace).code == 0
    assert [vendor for vendor, *_ in stored(workspace)] == ["acme"] * 3 + ["other"] * 3
