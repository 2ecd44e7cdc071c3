"""Commands that write or check files: export, new, validate, metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailrubric.export import FORMATS
from mailrubric.workspace import shipped_folder


@pytest.mark.parametrize("ending", FORMATS)
def test_a_scorecard_in_every_format(call, probed, ending):
    result = call("export", "-o", f"card.{ending}", "--workspace", probed.workspace, "--json").json
    data = Path(f"card.{ending}").read_bytes()
    assert (result["path"], result["format"], result["bytes"]) == (f"card.{ending}", ending, len(data))
    assert result["vendors"] == 13
    if ending != "xlsx":
        assert result["rules_hash"].encode() in data
    assert [path.name for path in Path().iterdir()] == [f"card.{ending}"]  # nothing temporary is left


def test_the_json_scorecard_is_the_score_with_evidence(call, probed):
    words = ["--workspace", probed.workspace, "--as-of", "2026-11-30"]
    assert call("export", "-o", "card.json", *words).code == 0
    card = json.loads(Path("card.json").read_text())
    printed = call("score", *words, "--robust", "--json").json
    for vendor in card["vendors"]:
        for cell in vendor["criteria"]:
            cell.pop("evidence")
    assert card == printed


def test_a_file_is_never_overwritten_silently(call):
    Path("card.csv").write_text("mine")
    result = call("export", "postmark", "-o", "card.csv")
    assert result.code == 1
    assert "--force" in result.err
    assert Path("card.csv").read_text() == "mine"
    assert call("export", "postmark", "-o", "card.csv", "--force").code == 0
    assert Path("card.csv").read_text() != "mine"


def test_formats_that_do_not_exist_are_answered_with_those_that_do(call):
    result = call("export", "-o", "card.pdf")
    assert result.code == 2
    assert all(f".{name}" in result.err for name in FORMATS)
    assert not Path("card.pdf").exists()


def test_endings_in_capitals_count_too(call):
    assert call("export", "postmark", "-o", "CARD.CSV").code == 0


@pytest.mark.parametrize(("kind", "folder"), [("vendor", "vendors"), ("criterion", "criteria")])
def test_a_skeleton_is_valid_and_never_overwritten(call, kind, folder):
    result = call("new", kind, "acme-mail", "--json")
    path = Path(result.json["path"])
    assert path == Path(folder) / "acme-mail.yaml"
    assert "mailrubric validate" in result.json["next"]
    assert call("validate").code == 0
    path.write_text("mine")
    again = call("new", kind, "acme-mail")
    assert again.code == 1
    assert path.read_text() == "mine"


def test_a_skeleton_in_another_workspace(call, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    result = call("new", "vendor", "acme-mail", "--workspace", other)
    assert (other / "vendors" / "acme-mail.yaml").is_file()
    assert f"mailrubric validate --workspace {other}" in result.out


def test_an_id_cannot_leave_the_workspace(call):
    for name in ("../evil", "/evil", "a/b", ".."):
        assert call("new", "vendor", name).code == 2
    assert list(Path().iterdir()) == []


def test_the_shipped_catalogue_is_valid(call):
    assert call("validate", "--workspace", shipped_folder(), "--json").json["valid"] is True


def test_every_fault_of_every_file_with_its_place(call):
    Path("vendors").mkdir()
    Path("vendors/one.yaml").write_text("id: one\nname: One\ncategory: espp\nhomepag: x\n")
    Path("vendors/two.yaml").write_text("id: two\n  name: [\n")
    result = call("validate")
    assert result.code == 1
    assert "vendors/one.yaml:3:11: category: " in result.out
    assert "vendors/one.yaml:4:1: homepag: " in result.out
    assert "vendors/two.yaml:" in result.out
    problems = call("validate", "--json").json["problems"]
    assert {(p["path"], p["line"], p["column"], p["severity"]) for p in problems} >= {
        ("vendors/one.yaml", 3, 11, "error"),
        ("vendors/one.yaml", 4, 1, "error"),
    }


def test_only_the_files_that_were_named(call):
    Path("vendors").mkdir()
    Path("vendors/good.yaml").write_text("id: good\nname: Good\ncategory: esp\n")
    Path("vendors/bad.yaml").write_text("id: bad\n")
    assert call("validate", "vendors/good.yaml").code == 0
    assert call("validate", "vendors/bad.yaml").code == 1


def test_people_s_weights_are_checked_where_they_are_read_for_use(call):
    Path("evaluations").mkdir()
    anna, bert = Path("evaluations/anna.yaml"), Path("evaluations/bert.yaml")
    anna.write_text("name: Anna\nranking:\n  - tls\n  - smpt\n")
    bert.write_text("swing: {tls: 0}\n")
    Path("evaluations/clara.yml").write_text("")
    Path("evaluations/dora.yaml").symlink_to("gone.yaml")
    Path("evaluations/._eve.yaml").write_bytes(b"\x00\x05\x16\x07")  # as macOS leaves beside a copied file
    told = [
        "evaluations/anna.yaml:4:5: ranking[1]: there is no group 'smpt'; did you mean 'smtp'?",
        "evaluations/bert.yaml:1:1: swing: every swing is 0",
        "evaluations/clara.yml: warning: is not read: its name must end in .yaml",
        "evaluations/dora.yaml: cannot be read: No such file or directory",
    ]
    result = call("validate")
    assert (result.code, result.out.splitlines()) == (1, told)
    assert "3 errors, 1 warning" in result.err
    used = call("people")
    assert used.code == 1
    assert used.err.splitlines()[: len(told)] == told
    anna.write_text("ranking: [tls, smtp]\n")
    assert call("validate", anna).code == 0


def test_faulty_settings_are_found(call):
    Path("mailrubric.yaml").write_text("preset: no-such-preset\n")
    assert call("validate").code == 1
    Path("mailrubric.yaml").write_text("allow_privat: true\n")
    result = call("validate")
    assert result.code == 1
    assert "mailrubric.yaml:1:1" in result.out


def test_a_folder_without_files_of_its_own_is_no_fault(call):
    result = call("validate", "--json")
    assert result.code == 0
    assert result.json == {"version": 1, "valid": True, "problems": []}


def test_messages_cannot_steer_the_terminal(call):
    Path("vendors").mkdir()
    Path("vendors/evil.yaml").write_text('id: evil\nname: Evil\ncategory: "\\e[2J\\x07"\n')
    result = call("validate")
    assert result.code == 1
    assert "\x1b" not in result.out + result.err
    assert "\x07" not in result.out + result.err


def test_metrics_and_facts(call):
    reference = call("metrics", "--json").json
    metrics = {metric["key"]: metric for metric in reference["metrics"]}
    assert metrics["smtp.size_limit"]["unit"] == "B"
    assert metrics["smtp.size_limit"]["probe"] == "smtp"
    assert metrics["tls.oldest_version"]["levels"]
    assert all(
        metric["meaning"] and bool(metric["roles"]) == (metric["probe"] is not None) for metric in metrics.values()
    )
    facts = {fact["name"]: fact for fact in reference["facts"]}
    assert facts["dedicated_ip"]["meaning"]
    text = call("metrics").out
    assert all(name in text for name in [*metrics, *facts])


def test_facts_of_a_workspace_are_listed_too(call):
    call("new", "criterion", "postmaster-reachable")
    assert "postmaster_reachable" in {fact["name"] for fact in call("metrics", "--json").json["facts"]}


def test_the_metric_reference_is_current(call):
    page = shipped_folder() / "docs" / "metrics.md"
    written = call("metrics", "--markdown", "--workspace", shipped_folder()).out
    assert page.read_text(encoding="utf-8") == written, "run: make docs"


def test_a_new_evaluation_can_be_scored_with_at_once_and_is_never_overwritten(call):
    result = call("new", "evaluation", "ana", "--method", "ranking", "--json")
    path = Path(result.json["path"])
    assert path == Path("evaluations/ana.yaml")
    assert call("score", "--weights", path).code == 0
    assert "ana" in call("people").out
    path.write_text("mine")
    assert call("new", "evaluation", "ana").code == 1
    assert path.read_text() == "mine"
    assert call("new", "evaluation", "bob", "--method", "guess").code == 2
    assert call("new", "evaluation", "../bob").code == 2
