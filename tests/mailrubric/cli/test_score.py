"""Ranking and explaining from the command line, over the probed lab and over the shipped catalogue."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mailrubric.display import tenths


def test_the_ranking_as_json(call, probed):
    card = call("score", "--workspace", probed.workspace, "--json").json
    assert set(card) == {"version", "rules", "as_of", "vendors"}
    assert len(card["rules"]["hash"]) == 64
    ranks = [vendor["rank"] for vendor in card["vendors"]]
    ranked = [rank for rank in ranks if rank is not None]
    assert ranked == sorted(ranked)
    assert ranks[: len(ranked)] == ranked
    for vendor in card["vendors"]:
        known = [cell["contribution"] for cell in vendor["criteria"] if cell["contribution"] is not None]
        if vendor["score"] is None:
            assert known == []
        else:
            assert math.fsum(known) == pytest.approx(vendor["score"], abs=1e-9)
        assert (vendor["rank"] is None) == (vendor["status"] != "ranked")
        assert "evidence" not in vendor["criteria"][0]
    by_id = {vendor["id"]: vendor for vendor in card["vendors"]}
    assert by_id["lab-modern"]["rank"] == 1
    assert by_id["lab-expired"]["status"] == "failed"
    assert by_id["lab-contradiction"]["contradictions"]


def test_the_ranking_for_people_shows_the_same_figures(call, probed):
    as_of = "2026-11-30T00:00:00Z"
    card = call("score", "--workspace", probed.workspace, "--as-of", as_of, "--json").json
    text = call("score", "--workspace", probed.workspace, "--as-of", as_of).out
    for vendor in card["vendors"]:
        line = next(line for line in text.splitlines() if vendor["id"] in line.split())
        assert ("unknown" if vendor["score"] is None else tenths(vendor["score"])) in line.split()
        assert f"{tenths(vendor['low'])}–{tenths(vendor['high'])}" in line
    assert card["rules"]["hash"][:12] in text


def test_a_failed_gate_is_exit_code_1_only_when_asked(call, probed):
    assert call("score", "--workspace", probed.workspace).code == 0
    assert call("score", "--workspace", probed.workspace, "--fail-on-gate").code == 1
    assert call("score", "lab-modern", "--workspace", probed.workspace, "--fail-on-gate").code == 0


def test_the_same_evidence_time_and_rules_give_the_same_bytes(call, probed):
    words = ["score", "--workspace", probed.workspace, "--as-of", "2026-11-30", "--json"]
    assert call(*words).out == call(*words).out


def test_evidence_later_than_as_of_is_not_known_yet(call, probed):
    then = call("score", "lab-modern", "--workspace", probed.workspace, "--as-of", "2020-01-01", "--json").json
    assert then["as_of"].startswith("2020-01-01T23:59:59")
    assert "measured" not in {cell["kind"] for cell in then["vendors"][0]["criteria"]}


def test_looking_makes_no_file(call):
    result = call("score", "postmark", "--json")
    assert result.code == 0
    assert [vendor["id"] for vendor in result.json["vendors"]] == ["postmark"]
    assert list(Path().iterdir()) == []


def test_a_preset_brings_its_weights_and_its_categories(call):
    card = call("score", "--preset", "transactional-sender", "--json").json
    assert card["rules"]["preset"] == "transactional-sender"
    everyone = call("score", "--preset", "transactional-sender", "--all", "--json").json
    assert {vendor["category"] for vendor in card["vendors"]} < {vendor["category"] for vendor in everyone["vendors"]}
    mailboxes = call("score", "--preset", "transactional-sender", "--category", "mailbox", "--json").json
    assert {vendor["category"] for vendor in mailboxes["vendors"]} == {"mailbox"}


def test_a_weights_file_moves_the_weights(call):
    Path("weights.yaml").write_text("groups: {tls: 0, price: 50}\n")
    plain = call("score", "postmark", "--json").json
    moved = call("score", "postmark", "--weights", "weights.yaml", "--json").json

    def weights(card):
        return {group["id"]: group["weight"] for group in card["vendors"][0]["groups"]}

    assert weights(moved)["tls"] == 0
    assert weights(moved)["price"] > weights(plain)["price"]
    assert moved["rules"]["hash"] != plain["rules"]["hash"]


def test_a_faulty_weights_file_is_exit_code_1_with_its_place(call):
    Path("weights.yaml").write_text("groups:\n  tsl: 5\n")
    result = call("score", "postmark", "--weights", "weights.yaml", "--json")
    assert result.code == 1
    assert "weights.yaml:2:3" in result.err
    assert result.json["error"]["problems"][0]["line"] == 2


def test_the_workspace_sets_preset_and_coverage(call):
    Path("mailrubric.yaml").write_text("preset: marketing-team\nminimum_coverage: 0\n")
    card = call("score", "--json").json
    assert card["rules"]["preset"] == "marketing-team"
    assert card["rules"]["minimum_coverage"] == 0
    assert any(vendor["rank"] for vendor in card["vendors"])
    assert call("score", "--min-coverage", "100", "--json").json["rules"]["minimum_coverage"] == 100


def test_a_faulty_catalogue_is_exit_code_1_and_scores_nothing(call):
    Path("vendors").mkdir()
    Path("vendors/broken.yaml").write_text("id: broken\nname: Broken\ncategory: espp\n")
    for words in (["score"], ["explain", "postmark"], ["export", "-o", "x.csv"], ["metrics"], ["probe", "--all"]):
        result = call(*words)
        assert result.code == 1, words
        assert "vendors/broken.yaml:3:11" in result.err
        assert result.out == ""
    assert not Path("x.csv").exists()


def test_explain_shows_every_criterion_with_evidence_and_what_to_do(call, probed):
    result = call("explain", "lab-down", "--workspace", probed.workspace, "--json").json
    assert set(result) == {"version", "rules", "as_of", "vendor", "find_out"}
    assert result["vendor"]["id"] == "lab-down"
    assert len(result["vendor"]["criteria"]) == len(result["rules"]["criteria"])
    refused = [cell for cell in result["vendor"]["criteria"] if cell["cause"] == "connection_refused"]
    assert refused
    assert refused[0]["evidence"][0]["versions"]
    commands = {way["command"] for way in result["find_out"] if way["command"]}
    assert any(command.startswith("mailrubric probe lab-down --role") for command in commands)
    unknown = {c["id"] for c in result["vendor"]["criteria"] if c["score"] is None and c["applicable"]}
    assert {criterion for way in result["find_out"] for criterion in way["criteria"]} == unknown
    assert [way["weight"] for way in result["find_out"]] == sorted(
        (way["weight"] for way in result["find_out"]), reverse=True
    )


def test_explain_for_people(call, probed):
    text = call("explain", "lab-contradiction", "--workspace", probed.workspace).out
    assert "Contradiction (lab) (lab-contradiction, esp, lab)" in text
    assert "contradiction: " in text
    assert "  claimed " in text
    assert "  measured " in text
    assert "(contradicted)" in text
    assert "What would find out more" in text
    assert "probe tls" in text


def test_explain_says_what_to_add_when_nothing_can_be_probed(call):
    call("new", "vendor", "acme-mail")
    text = call("explain", "acme-mail").out
    assert "endpoint to vendors/acme-mail.yaml, then probe it" in text
    assert "state in vendors/acme-mail.yaml, each with its source: " in text
    assert "add an api endpoint to vendors/acme-mail.yaml" in text
    assert "add a submission endpoint to vendors/acme-mail.yaml" in text
    assert "let those who tried it answer the ten statements: mailrubric survey add acme-mail sus" in text
    assert "try it by hand: mailrubric trial start acme-mail sign-up" in text
    assert "ask its support something: mailrubric support log acme-mail --channel email" in text


def test_explain_ranks_among_the_same_vendors_as_score(call):
    ranking = call("score", "--min-coverage", "20", "--json").json
    chosen = next(vendor for vendor in ranking["vendors"] if vendor["rank"] == 3)
    as_of = ranking["as_of"]
    one = call("explain", chosen["id"], "--min-coverage", "20", "--as-of", as_of, "--json").json
    assert one["vendor"]["rank"] == 3
    assert one["rules"]["hash"] == ranking["rules"]["hash"]
