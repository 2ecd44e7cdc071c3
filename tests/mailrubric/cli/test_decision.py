"""``score --robust``, ``sensitivity`` and ``why`` over the probed lab."""

from __future__ import annotations

import pytest

AS_OF = "2026-11-30T00:00:00Z"


def test_the_robust_ranking_for_people_and_programs(call, probed):
    words = ["score", "--workspace", probed.workspace, "--as-of", AS_OF, "--robust", "--draws", "2000"]
    card = call(*words, "--json").json
    robust = card["robust"]
    ranked = [vendor["id"] for vendor in card["vendors"] if vendor["rank"] is not None]
    assert [each["id"] for each in robust["standings"]] == ranked
    for each in robust["standings"]:
        assert sum(each["ranks"]) == pytest.approx(1)
        assert each["win"] == each["ranks"][0]
    assert sum(each["win"] for each in robust["standings"]) == pytest.approx(1)
    text = call(*words).out
    assert robust["sentence"] in text
    assert f"{100 * robust['standings'][0]['win']:.1f} %" in text
    assert call(*words, "--json").out == call(*words, "--json").out


def test_without_asking_the_scorecard_stays_as_it_was(call, probed):
    assert "robust" not in call("score", "--workspace", probed.workspace, "--json").json


def test_sensitivity(call, probed):
    words = ["sensitivity", "--workspace", probed.workspace, "--as-of", AS_OF]
    found = call(*words, "--json").json
    card = call("score", "--workspace", probed.workspace, "--as-of", AS_OF, "--json").json
    assert [found["leader"], found["challenger"]] == [vendor["id"] for vendor in card["vendors"][:2]]
    assert found["gap"] == pytest.approx(card["vendors"][0]["ranking_score"] - card["vendors"][1]["ranking_score"])
    assert found["rules_hash"] == card["rules"]["hash"]
    text = call(*words).out
    assert found["sentence"] in text
    assert "Most worth finding out" in text


def test_why_adds_up(call, probed):
    words = ["why", "lab-modern", "lab-legacy", "--workspace", probed.workspace, "--as-of", AS_OF]
    found = call(*words, "--json").json
    assert found["difference"] > 0
    assert sum(reason["points"] for reason in found["reasons"]) == pytest.approx(found["difference"])
    assert found["sentences"][0] in call(*words).out


@pytest.mark.parametrize(
    "words",
    [
        ["why", "lab-modern", "lab-modern"],
        ["why", "lab-modern", "lab-expired"],
        ["sensitivity", "--leader", "nobody"],
        ["score", "--robust", "--weights-drawn", "wildly"],
        ["score", "--robust", "--min-coverage", "100"],
    ],
)
def test_what_cannot_be_decided_is_a_usage_error(call, probed, words):
    result = call(*words, "--workspace", probed.workspace)
    assert result.code == 2
    assert result.err.startswith("Error: ")
