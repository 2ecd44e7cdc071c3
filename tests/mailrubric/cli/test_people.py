"""``mailrubric people`` and weights files over the shipped profiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mailrubric.cli.test_json_documented import EXAMPLES


@pytest.fixture
def team(tmp_path: Path) -> Path:
    folder = tmp_path / "team"
    (folder / "evaluations").mkdir(parents=True)
    (folder / "mailrubric.yaml").write_text("minimum_coverage: 25\n")
    (folder / "evaluations" / "anna.yaml").write_text("name: Anna\nranking: [deliverability, tls, price]\n")
    (folder / "evaluations" / "bert.yaml").write_text("swing: {price: 100, ease-of-use: 80}\n")
    return folder


def test_each_and_together(call, team):
    found = call("people", "--preset", "transactional-sender", "--workspace", team, "--json").json
    assert [person["name"] for person in found["people"]] == ["Anna", "bert"]
    assert sum(found["people"][0]["groups"].values()) == pytest.approx(100)
    assert list(found) == list(EXAMPLES["people"])
    assert list(found["people"][0]) == list(EXAMPLES["people"]["people"][0])
    text = call("people", "--preset", "transactional-sender", "--workspace", team).out
    assert found["sentence"] in text
    assert "Kendall's W" in text


def test_a_file_of_weights_may_be_any_of_them(call, team):
    words = ["score", "--workspace", team, "--preset", "transactional-sender", "--json"]
    card = call(*words, "--weights", team / "evaluations" / "anna.yaml").json
    groups = {group["id"]: group["weight"] for group in card["rules"]["groups"]}
    assert groups["deliverability"] == pytest.approx(100 * (1 + 1 / 2 + 1 / 3) / 3)
    assert groups["support"] == 0


def test_nobody_has_said_anything(call):
    result = call("people")
    assert result.code == 2
    assert "evaluations/NAME.yaml" in result.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ranking: [tls, tls]\n", "dora.yaml:1:16: ranking[1]: tls stands higher up already"),
        ("ranking: [tls]\nswing: {price: 3}\n", "ranking and swing say the groups' weights; use one of them"),
        ("pairwise: {tls: {price: 3}, price: {smtp: 2}}\n", "not compared yet: tls and smtp"),
        ("pairwise: {tls: {price: 3}, price: {tls: 2}}\n", "compared twice"),
        ("pairwise: {tls: {price: 30}}\n", "pairwise.tls.price"),
        ("swing: {tlss: 3}\n", "there is no group 'tlss'; did you mean 'tls'?"),
        ("swing: {tls: 0}\n", "every swing is 0"),
        ("rule: steep\n", "rule"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(call, team, text, told):
    (team / "evaluations" / "dora.yaml").write_text(text)
    result = call("people", "--workspace", team, "--json")
    assert result.code == 1
    assert told in result.err
    assert json.loads(result.out)["error"]["problems"]
