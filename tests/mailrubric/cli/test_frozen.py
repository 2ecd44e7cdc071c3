"""``freeze``, ``score --from``, ``diff`` and ``check`` over the probed lab."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from mailrubric.cli import main

AS_OF = "2026-11-30T00:00:00Z"


@pytest.fixture(scope="module")
def scorecard(probed, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("frozen") / "scorecard.json"
    assert main(["freeze", "-o", str(path), "--workspace", str(probed.workspace), "--as-of", AS_OF]) == 0
    return path.read_bytes()


@pytest.fixture
def frozen(scorecard, tmp_path):
    path = tmp_path / "scorecard.json"
    path.write_bytes(scorecard)
    return path


def test_a_frozen_scorecard_scores_the_same_to_the_byte(call, probed, frozen):
    live = call("score", "--workspace", probed.workspace, "--as-of", AS_OF, "--json").out
    assert call("score", "--from", frozen, "--json").out == live
    robust = ["--robust", "--draws", "300", "--json"]
    assert (
        call("score", "--from", frozen, *robust).out
        == call("score", "--workspace", probed.workspace, "--as-of", AS_OF, *robust).out
    )


def test_a_file_that_is_there_is_not_overwritten(call, probed, frozen):
    before = frozen.read_bytes()
    again = call("freeze", "-o", frozen, "--workspace", probed.workspace)
    assert (again.code, frozen.read_bytes()) == (1, before)
    assert call("freeze", "-o", frozen, "--workspace", probed.workspace, "--force", "--json").json["vendors"] > 5
    assert frozen.read_bytes() != before


def test_no_secret_of_the_workspace_is_in_it(call, probed, frozen):
    assert b"mailrubric.sqlite" not in frozen.read_bytes()
    assert str(probed.workspace).encode() not in frozen.read_bytes()


def test_diff_of_two_weightings(call, probed, frozen, tmp_path):
    weights = tmp_path / "weights.yaml"
    weights.write_text("groups: {tls: 60}\n")
    other = tmp_path / "other.json"
    words = ["--workspace", probed.workspace, "--as-of", AS_OF]
    assert call("freeze", "-o", other, *words, "--weights", weights).code == 0
    found = call("diff", frozen, other, "--json").json
    modern = next(each for each in found["vendors"] if each["id"] == "lab-modern")
    assert sum(modern["parts"].values()) == pytest.approx(modern["after"] - modern["before"])
    assert modern["parts"]["evidence"] == pytest.approx(0)
    assert found["weights"]
    assert "Where each vendor's change comes from" in call("diff", frozen, other).out
    assert "Nothing changed" in call("diff", frozen, frozen).out


def test_check_fails_for_gates_scores_and_contradictions(call, probed, tmp_path):
    where = ["--workspace", probed.workspace]
    report = tmp_path / "report.xml"
    result = call("check", *where, "--junit", report)
    assert result.code == 1
    assert "lab-modern: passed" in result.out
    assert "lab-expired: FAILED" in result.out
    assert "contradiction: " in result.out
    suite = ElementTree.parse(report).getroot()[0]
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert {"lab-expired", "lab-contradiction"} <= failed
    assert suite.get("failures") == str(len(failed))
    assert "lab-modern" not in failed
    assert call("check", "lab-modern", *where).code == 0
    assert call("check", "lab-modern", *where, "--min-score", "99.9").code == 1
    assert call("check", "lab-contradiction", *where).code == 1
    assert call("check", "lab-contradiction", *where, "--allow-contradictions").code == 0
    down = call("check", "lab-down", *where, "--min-score", "50", "--json")
    assert down.json["vendors"][0]["undecided"], "what is unknown fails nothing, but it is said"


def test_check_reads_a_frozen_scorecard(call, frozen):
    assert call("check", "lab-modern", "--from", frozen).code == 0
    assert call("check", "--from", frozen).code == 1


def test_a_result_that_was_changed_is_found_out(call, frozen, tmp_path):
    document = json.loads(frozen.read_text())
    document["scorecard"]["vendors"][0]["score"] = 99.5
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(document))
    for words in (["score", "--from", forged], ["check", "--from", forged], ["diff", frozen, forged]):
        refused = call(*words)
        assert refused.code == 2
        assert "scorecard.vendors[0].score" in refused.err
        assert "was changed after mailrubric freeze wrote it" in refused.err
    # Evidence that was changed comes to another result, and is found out by that.
    document = json.loads(frozen.read_text())
    seen = next(each for each in document["observations"] if each["metric"] == "tls.oldest_version" and each["value"])
    seen["value"] = "SSLv3" if seen["value"] != "SSLv3" else "TLSv1.3"
    forged.write_text(json.dumps(document))
    assert call("score", "--from", forged).code == 2
    # Of another engine's scorecard the figures may differ; that is no forgery, but it is said.
    forged.write_text(json.dumps({**document, "engine": "0"}))
    older = call("score", "--from", forged)
    assert older.code == 0
    assert "was made by version 0 of the scoring" in older.err


@pytest.mark.parametrize(
    "words",
    [
        ["score", "--from", "nowhere.json"],
        ["diff", "nowhere.json", "nowhere.json"],
        ["freeze", "-o", "scorecard.xlsx"],
        ["freeze", "-o", "no/such/folder.json"],
    ],
)
def test_what_cannot_be_read_or_written_is_a_usage_error(call, words):
    result = call(*words)
    assert result.code == 2
    assert result.err.startswith("Error: ")


def test_from_takes_no_other_choice(call, frozen):
    assert call("score", "lab-modern", "--from", frozen).code == 2
    assert call("check", "--from", frozen, "--preset", "transactional-sender").code == 2
    assert call("check", "--from", frozen, "--as-of", AS_OF).code == 2
