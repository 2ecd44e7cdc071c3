"""``mailrubric changes`` over a store written by hand, and over the lab probed twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailrubric import lab
from mailrubric.cli import main
from mailrubric.evidence.store import Store
from probes.model import Cause, Endpoint, Measurement, Report

SMTP = Endpoint("submission", host="smtp.acme.example", port=587)
WEB = Endpoint("web", url="https://acme.example/")
HOSTILE = "\x1b[2J=cmd()"
RUNS = ("2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z")


def two_runs(folder: Path) -> Path:
    """A workspace with one vendor, whose submission server was probed three times and its web site once."""
    (folder / "vendors").mkdir(parents=True)
    (folder / "vendors" / "acme-mail.yaml").write_text(
        "id: acme-mail\nname: Acme Mail\ncategory: esp\nhomepage: https://acme.example\n"
    )
    with Store(f"sqlite:///{folder / 'mailrubric.sqlite'}") as store:
        for when, versions, group, works, name, connect in zip(
            RUNS, (("TLSv1.0", "TLSv1.2"), ("TLSv1.0", "TLSv1.2"), ("TLSv1.2", "TLSv1.3")),
            ("x25519", "x25519", Cause.TLS_ALERT), (Cause.CONNECTION_RESET, Cause.CONNECTION_RESET, True),
            ("a", HOSTILE, "b"), (20.0, 21.0, 25.0), strict=True,
        ):  # fmt: skip
            measured = (
                Measurement("tls.versions", versions),
                Measurement.missing("tls.group", group)
                if isinstance(group, Cause)
                else Measurement("tls.group", group),
                Measurement.missing("smtp.starttls_works", works)
                if isinstance(works, Cause)
                else Measurement("smtp.starttls_works", works),
                Measurement("smtp.greeting_name", name),
                Measurement("smtp.connect_ms", connect),
            )
            store.add_report("acme-mail", Report(SMTP, when, "office", {"mailrubric-probes": "1"}, measured))
        store.add_report("acme-mail", Report(WEB, RUNS[0], "office", {}, (Measurement("http.tls", True),)))
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return two_runs(tmp_path / "workspace")


def test_the_newest_run_and_the_one_before(call, workspace):
    document = call("changes", "--workspace", workspace, "--json").json
    (compared,) = document["compared"]
    assert (compared["from"]["started"], compared["to"]["started"]) == RUNS[1:]
    assert {each["metric"]: each["kind"] for each in compared["changes"]} == {
        "smtp.greeting_name": "changed",
        "smtp.starttls_works": "known",
        "tls.group": "unknown",
        "tls.versions": "changed",
    }
    by_metric = {each["metric"]: each for each in compared["changes"]}
    assert (by_metric["tls.versions"]["added"], by_metric["tls.versions"]["removed"]) == (["TLSv1.3"], ["TLSv1.0"])
    assert by_metric["tls.group"]["after"]["cause"] == "tls_alert"
    assert [each["endpoint"] for each in document["not_compared"]] == [WEB.key]


def test_for_people(call, workspace):
    result = call("changes", "acme-mail", "--workspace", workspace)
    assert result.code == 0
    assert "Acme Mail (acme-mail)" in result.out
    assert "with TLSv1.3, without TLSv1.0" in result.out
    assert "1 of 1 endpoints changed; 1 probed only once." in result.out
    assert "smtp.connect_ms" not in result.out, "times flap"
    assert "\x1b" not in result.out


def test_runs_and_dates(call, workspace):
    def started(*words: object) -> list[tuple[str, str]]:
        document = call("changes", "--workspace", workspace, "--json", *words).json
        return [(each["from"]["started"], each["to"]["started"]) for each in document["compared"]]

    ids = {RUNS[2]: call("changes", "--workspace", workspace, "--json").json["compared"][0]["to"]["report"]}
    ids[RUNS[1]] = call("changes", "--workspace", workspace, "--json").json["compared"][0]["from"]["report"]
    assert started("--from", "2026-11-20") == [(RUNS[0], RUNS[2])]
    assert started("--to", "2026-11-21") == [(RUNS[0], RUNS[1])]
    assert started("--from", "2026-11-20T09:00:00Z") == []
    assert started("--from", ids[RUNS[1]]) == [(RUNS[1], RUNS[2])]
    assert started("--to", ids[RUNS[1]][:8]) == [(RUNS[0], RUNS[1])]
    assert started("--from", ids[RUNS[1]], "--to", ids[RUNS[2]]) == [(RUNS[1], RUNS[2])]
    assert started("--from", ids[RUNS[2]], "--to", ids[RUNS[1]]) == [(RUNS[2], RUNS[1])], "backwards too"
    assert started("--from", ids[RUNS[2]]) == []
    assert started("--from", "2026-11-20", "--to", ids[RUNS[2]]) == [(RUNS[0], RUNS[2])]


def test_wrong_usage(call, workspace):
    web = call("changes", "--workspace", workspace, "--json").json["not_compared"][0]["report"]
    smtp = call("changes", "--workspace", workspace, "--json").json["compared"][0]["to"]["report"]
    for words, message in (
        (("--from", "last week"), "neither a date"),
        (("--to", smtp[:3]), "neither a date"),
        (("--from", "2026-99-99"), "is not a date"),
        (("--from", web, "--to", smtp), "different endpoints"),
        (("nobody",), "no vendor has the id"),
    ):
        result = call("changes", *words, "--workspace", workspace)
        assert result.code == 2
        assert message in result.err


def test_nothing_to_compare(call, tmp_path):
    result = call("changes")
    assert result.code == 0
    assert "Nothing to compare" in result.out
    assert call("changes", "--json").json == {"version": 1, "compared": [], "not_compared": []}
    assert not list((tmp_path / "here").iterdir()), "looking made no file"


def test_the_same_server_twice_shows_nothing_but_times(call, tmp_path):
    with lab.start(tmp_path / "lab") as running:
        for _ in range(2):
            assert main(["probe", "lab-modern", "--role", "api", "--workspace", str(running.workspace)]) == 0
        document = call("changes", "lab-modern", "--workspace", running.workspace, "--json").json
    assert document["compared"]
    assert [each for row in document["compared"] for each in row["changes"] if each["unit"] != "ms"] == []
    assert document["not_compared"] == []
