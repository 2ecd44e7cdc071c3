"""Probes of a workspace's own folder: made, tested, used, and broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from probes import registry
from tests.hostile.server import serve_in_thread, smtp

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _forget(tmp_path):
    yield
    registry.add_folder(tmp_path / "no such folder")


def test_a_new_probe_works_as_it_stands(call):
    made = call("new", "probe", "first_words")
    assert made.code == 0
    assert made.out.splitlines()[:3] == ["probes/first_words.py", "probes/test_first_words.py", "probes/README.md"]
    module = Path("probes/first_words.py")
    assert len(module.read_text().splitlines()) < 60
    assert "## `first_words`" in Path("probes/README.md").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "probes/test_first_words.py"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert call("validate").code == 0
    with serve_in_thread(smtp()) as server:
        report = call("probe", "--target", f"smtp://127.0.0.1:{server.port}", "--allow-private", "--json").json
    found = {each["metric"]: each["value"] for each in report["measurements"]}
    assert found["first_words.first_line"] == "220 hostile.test ESMTP ready"
    assert found["smtp.greeting_name"] == "hostile.test"
    assert "first_words.first_line" in {each["key"] for each in call("metrics", "--json").json["metrics"]}


def test_its_metrics_answer_criteria_for_vendors(call):
    call("new", "probe", "first_words")
    Path("criteria").mkdir()
    Path("criteria/words.yaml").write_text(
        "group: {id: words, title: Words, weight: 1}\n"
        "criteria:\n"
        "  - {id: esmtp, question: Does it say so?, from: {probe: first_words.first_line, roles: [submission]},\n"
        "     weight: 1, score: {map: {220 hostile.test ESMTP ready: 100}}, rationale: To try it.}\n"
    )
    Path("vendors").mkdir()
    with serve_in_thread(smtp()) as server:
        Path("vendors/acme.yaml").write_text(
            "id: acme\nname: Acme\ncategory: esp\nendpoints:\n"
            f"  submission: [{{host: 127.0.0.1, port: {server.port}, tls: starttls}}]\nfacts: {{}}\n"
        )
        assert call("probe", "acme", "--probe", "first_words", "--allow-private", "--json").json["values"] == 2
    explained = call("explain", "acme", "--json").json
    assert '"esmtp"' in json.dumps(explained)
    assert "220 hostile.test ESMTP ready" in json.dumps(explained)


def test_nothing_is_overwritten_and_no_name_is_taken_twice(call):
    assert call("new", "probe", "mine").code == 0
    before = Path("probes/mine.py").read_text()
    again = call("new", "probe", "mine")
    assert again.code == 1
    assert "left as it is" in again.err
    assert Path("probes/mine.py").read_text() == before
    for name in ("smtp", "spf", "Mine", "../mine", "test_mine", "1st", ""):
        assert call("new", "probe", name).code == 2, name
    assert call("new", "probe", "other").code == 0
    entries = Path("probes/README.md").read_text()
    assert entries.count("## `mine`") == entries.count("## `other`") == 1


def test_a_broken_file_is_named_with_its_line_and_costs_the_others_nothing(call):
    call("new", "probe", "mine")
    Path("probes/gloomy.py").write_text("import sys\n\nsys.exit('\\x1b[2J')\n")
    checked = call("validate")
    assert checked.code == 1
    assert "probes/gloomy.py:3:1: SystemExit" in checked.out
    assert "\x1b" not in checked.out
    with serve_in_thread(smtp()) as server:
        target = ("--target", f"smtp://127.0.0.1:{server.port}", "--allow-private")
        result = call("probe", *target, "--probe", "mine")
        assert result.code == 0
        assert "gloomy.py:3: SystemExit" in result.err
        assert "220 hostile.test" in result.out
        missing = call("probe", *target, "--probe", "gloomy")
    assert missing.code == 2
    assert "no such probe: gloomy" in missing.err
    listed = call("metrics", "--json")
    assert "gloomy" in listed.err
    assert "mine.first_line" in listed.out


def test_a_probe_that_fails_or_hangs_costs_the_others_nothing(call):
    call("new", "probe", "mine")
    text = Path("probes/mine.py").read_text()
    begins = text.index("        # The only way")
    Path("probes/mine.py").write_text(text[:begins] + "        return 1 / 0\n\n\nPROBE = MineProbe()\n")
    with serve_in_thread(smtp()) as server:
        report = call("probe", "--target", f"smtp://127.0.0.1:{server.port}", "--allow-private", "--json").json
    found = {each["metric"]: each for each in report["measurements"]}
    assert found["mine.first_line"]["cause"] == "probe_bug"
    assert "ZeroDivisionError" in found["mine.first_line"]["detail"]
    assert found["smtp.greeting_name"]["value"] == "hostile.test"


def test_a_package_is_not_a_folder_of_probes(call):
    Path("probes").mkdir()
    Path("probes/__init__.py").write_text("")
    Path("probes/mine.py").write_text("raise RuntimeError('a module of another package was run')\n")
    assert call("validate").code == 0
    assert call("metrics", "--json").code == 0
    assert call("new", "probe", "other").code == 2
