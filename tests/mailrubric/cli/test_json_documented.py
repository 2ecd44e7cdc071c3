"""docs/json.md shows what the commands print: the same fields, of the same types, in the same order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mailrubric.workspace import shipped_folder
from tests.mailrubric.cli.test_mail_analyse import write as write_letter
from tests.mailrubric.cli.test_mail_cadence import write as write_mailbox

KEYED_BY_DATA = {"causes", "versions", "central", "options", "aspects", "sources"}
"""Objects whose keys are data."""

EXAMPLES: dict[str, dict[str, Any]] = {
    name: json.loads(text)
    for name, text in re.findall(
        r"<!-- example: ([a-z-]+) -->\n```json\n(.*?)```",
        (shipped_folder() / "docs" / "json.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
}


def differences(example: Any, real: Any, place: str = "") -> list[str]:
    """Where a real document does not have the example's shape."""
    if example is None or real is None:
        return []
    if isinstance(example, bool) or isinstance(real, bool):
        return [] if isinstance(example, bool) == isinstance(real, bool) else [f"{place}: {example!r} and {real!r}"]
    if isinstance(example, int | float) and isinstance(real, int | float):
        return []
    if type(example) is not type(real):
        return [f"{place}: {example!r} and {real!r}"]
    if isinstance(example, dict):
        if place.rpartition(".")[2] in KEYED_BY_DATA:
            first = next(iter(example.values()))
            return [d for key, value in real.items() for d in differences(first, value, f"{place}[{key}]")]
        if list(example) != list(real):
            return [f"{place}: documented {list(example)}, printed {list(real)}"]
        return [d for key in example for d in differences(example[key], real[key], f"{place}.{key}")]
    if isinstance(example, list) and example:
        return [d for number, item in enumerate(real) for d in differences(example[0], item, f"{place}[{number}]")]
    return []


def check(name: str, real: dict[str, Any]) -> None:
    # A measured value may be of any type.
    found = [d for d in differences(EXAMPLES[name], real) if not re.match(r"\S*\.value: ", d)]
    assert found == []


def test_probe_target(call, probed):
    address, port = probed.lab.resolver
    words = ["probe", "--target", probed.target(), "--allow-private", "--resolver", f"{address}:{port}", "--json"]
    check("probe-target", call(*words).json)


def test_preconditions(call):
    check("preconditions", call("preconditions", "--allow-private", "--json").json)


def test_probe_vendors(probed):
    check("probe-vendors", probed.summary)


def test_score(call, probed):
    card = call("score", "--workspace", probed.workspace, "--json").json
    check("score", card)
    assert any(vendor["contradictions"] for vendor in card["vendors"])
    assert any(vendor["gates"] for vendor in card["vendors"])


def test_robust(call, probed):
    card = call("score", "--workspace", probed.workspace, "--robust", "--draws", "500", "--json").json
    check("robust", card.pop("robust"))
    check("score", card)


def test_sensitivity(call, probed):
    check("sensitivity", call("sensitivity", "--workspace", probed.workspace, "--json").json)


def test_why(call, probed):
    check("why", call("why", "lab-modern", "lab-legacy", "--workspace", probed.workspace, "--json").json)


def test_price(call):
    check(
        "price", call("price", "amazon-ses", "resend", "--volume", 100_000, "--option", "dedicated_ip", "--json").json
    )
    check("price-curve", call("price", "--curve", "--json").json)
    check("price-break-even", call("price", "amazon-ses", "resend", "--break-even", "--json").json)


def test_reviews_summary(call, tmp_path):
    from tests.mailrubric.cli.test_reviews_summary import reviewed

    real = call("reviews", "summary", "sendgrid", "--workspace", reviewed(tmp_path / "reviewed"), "--json").json
    assert real["bursts"]
    assert real["discounted"]
    assert real["quotations"]
    check("reviews-summary", real)


def test_survey_trial_and_support(call):
    check("survey-add", call("survey", "add", "postmark", "sus", "--answers", "4,2,4,2,4,2,4,2,4,2", "--json").json)
    call("survey", "add", "postmark", "reference", "--score", 9)
    check("survey-summary", call("survey", "summary", "--json").json)
    check("trial-tasks", call("trial", "tasks", "--json").json)
    check("trial-log", call("trial", "start", "postmark", "sign-up", "--at", "2024-03-04T09:00Z", "--json").json)
    check("trial-log", call("trial", "log", "postmark", "sign-up", "--done", "--note", "quick", "--json").json)
    check("trial-summary", call("trial", "summary", "--json").json)
    opened = ("support", "log", "postmark", "--opened", "2024-03-04T09:00Z")
    call(*opened, "--channel", "email")
    check("support-log", call(*opened, "--replied", "2024-03-04T10:00Z", "--helpful", "--json").json)
    hours = ("--hours", "UTC mon-fri 09:00-17:00")
    check("support-summary", call("support", "summary", *hours, "--json").json)


def test_reviews_collect(call, tmp_path, monkeypatch):
    from mailrubric.reviews.collectors import everywhere
    from tests.mailrubric.cli.test_reviews_collect import PROFILE, served
    from tests.mailrubric.reviews.collectors.sources import AppStore

    (tmp_path / "ws" / "vendors").mkdir(parents=True)
    (tmp_path / "ws" / "mailrubric.yaml").write_text("allow_private: true\n")
    (tmp_path / "ws" / "vendors" / "acme.yaml").write_text(PROFILE)
    with served({"apple": AppStore([1, 2])}) as sites:
        monkeypatch.setitem(everywhere.BASES, "apple", sites["apple"].base)
        words = ("reviews", "collect", "acme", "--workspace", tmp_path / "ws", "--source", "apple", "--json")
        check("reviews-collect", call(*words).json)


def test_freeze_and_diff(call, probed, tmp_path):
    one, other, heavy = tmp_path / "one.json", tmp_path / "other.json", tmp_path / "heavy.yaml"
    heavy.write_text("groups: {tls: 60}\n")
    where = ("--workspace", probed.workspace)
    check("freeze", call("freeze", "-o", one, *where, "--json").json)
    call("freeze", "-o", other, *where, "--weights", heavy)
    real = call("diff", one, other, "--json").json
    # Ids are data here.
    example = {**EXAMPLES["diff"], "weights": real["weights"]}
    assert list(next(iter(real["weights"].values()))) == ["before", "after"]
    assert differences(example, real) == []


def test_check(call, probed):
    check("check", call("check", "--workspace", probed.workspace, "--min-score", 70, "--json").json)


def test_changes(call, tmp_path):
    from tests.mailrubric.cli.test_changes import two_runs

    real = call("changes", "--workspace", two_runs(tmp_path / "workspace"), "--json").json
    assert real["not_compared"]
    check("changes", real)


def test_explain(call, probed):
    real = call("explain", "lab-contradiction", "--workspace", probed.workspace, "--json").json
    assert list(real) == list(EXAMPLES["explain"])
    card = call("score", "--workspace", probed.workspace, "--json").json
    assert differences(card["rules"], real["rules"]) == []
    example = EXAMPLES["explain"]["vendor"]["criteria"][0]["evidence"][0]
    evidence = [item for cell in real["vendor"]["criteria"] for item in cell.pop("evidence")]
    assert evidence
    assert [d for item in evidence for d in differences(example, item) if not d.startswith(".value: ")] == []
    check("score", {**card, "vendors": [real["vendor"]]})
    assert differences(EXAMPLES["explain"]["find_out"], real["find_out"]) == []
    assert real["find_out"]


def test_failure_and_validate(call):
    Path("vendors").mkdir()
    Path("vendors/broken.yaml").write_text("id: broken\nname: Broken\ncategory: espp\n")
    check("failure", call("score", "--json").json)
    check("validate", call("validate", "--json").json)


def test_export_and_new_and_metrics(call):
    check("new", call("new", "vendor", "acme-mail", "--json").json)
    check("export", call("export", "postmark", "-o", "card.csv", "--json").json)
    check("metrics", call("metrics", "--json").json)


def test_serve(call, monkeypatch):
    def instead(*_arguments: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("mailrubric.cli.serve.os.execve", instead)
    check("serve", call("serve", "--json").json)


def test_send(call, tmp_path, monkeypatch):
    from tests.mailrubric.cli.test_send import ENVIRONMENT, whole_run

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    result, _, _ = whole_run(call, tmp_path, "--json")
    check("send", result.json)


def test_mail_cadence(call, tmp_path):
    path = write_mailbox(tmp_path / "shop.mbox", local=True)
    check("mail-cadence", call("mail", "cadence", path, "--recipient-zone", "Europe/Berlin", "--json").json)


def test_mail_analyse(call, tmp_path):
    path = write_letter(tmp_path / "1.eml")
    check("mail-analyse", call("mail", "analyse", path, "--offline", "--json").json)


def test_every_command_is_documented():
    assert set(EXAMPLES) == {
        "failure", "validate", "probe-target", "preconditions", "probe-vendors", "score", "robust", "sensitivity",
        "why", "people", "price", "price-curve", "price-break-even", "freeze", "diff", "check", "changes", "explain",
        "survey-add", "survey-summary", "trial-tasks", "trial-log", "trial-summary", "support-log", "support-summary",
        "export", "new", "metrics", "lab", "serve", "mail-analyse", "mail-cadence",
        "reviews-summary", "reviews-import", "reviews-collect",
        "send",
    }  # fmt: skip
    assert all(example["version"] == 1 for name, example in EXAMPLES.items() if name != "robust")


def test_the_comparison_notices_a_difference():
    assert differences({"a": 1}, {"a": 1, "b": 2})
    assert differences({"a": 1}, {"a": "1"})
    assert differences({"a": True}, {"a": 1})
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"c": 1}]})
    assert differences({"a": []}, {"a": {}})
    assert not differences({"a": None, "causes": {"x": 1}}, {"a": 5, "causes": {"y": 2, "z": 3}})
