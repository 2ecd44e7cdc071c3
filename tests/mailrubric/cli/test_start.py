"""What is imported when, how long a start takes, and what every command has in common."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMANDS = ["validate", "probe", "score", "explain", "export", "metrics", "lab", "serve"]
HEAVY = {
    "pydantic",
    "sqlalchemy",
    "numpy",
    "scipy",
    "pandas",
    "rich",
    "streamlit",
    "yaml",
    "plotly",
    "xlsxwriter",
    "httpx",
}


def modules_after(*words: str, cwd: Path) -> tuple[int, set[str], str]:
    """Exit code, top-level modules loaded, stdout of a command in a process of its own."""
    code = (
        "import json, sys\n"
        "from mailrubric.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "json.dump([code, sorted({name.partition('.')[0] for name in sys.modules})], sys.stderr)\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )
    exit_code, modules = json.loads(done.stderr.splitlines()[-1])
    return exit_code, set(modules), done.stdout


def test_probing_a_target_loads_only_what_it_needs(probed, tmp_path):
    address, port = probed.lab.resolver
    code, modules, out = modules_after(
        "probe", "--target", probed.target(), "--json", "--allow-private", "--resolver", f"{address}:{port}",
        "--ca", str(probed.lab.ca_file), cwd=tmp_path,
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["version"] == 1
    assert not modules & HEAVY


def test_a_refused_probe_loads_neither_dns_nor_tls_libraries(tmp_path):
    code, modules, out = modules_after(
        "probe", "--target", "smtp://127.0.0.1:1", "--json", "--allow-private", cwd=tmp_path
    )
    assert code == 3
    # (Of a private address there is nothing to ask DNS: the names probe's metrics do not apply.)
    assert {one["cause"] for one in json.loads(out)["measurements"]} == {
        "connection_refused",
        "not_applicable",
        "not_permitted",
    }
    assert not modules & (HEAVY | {"dns"})


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--help"], 0), (["probe", "--target", "smtp://127.0.0.1:1", "--json", "--allow-private"], 3)],
    ids=["help", "probe"],
)
def test_a_start_costs_little(tmp_path, words, code):
    # Processor time, since the machine may be busy: about 0.09 s on a quiet one, of which Python itself is 0.01 s.
    assert min(_processor_time(*words, cwd=tmp_path, code=code) for _ in range(3)) < 0.35


def _processor_time(*words: str, cwd: Path, code: int) -> float:
    root = Path(__file__).resolve().parents[3]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "mailrubric", *words],
        capture_output=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["new", "vendor"], ["new", "criterion"]])
def test_every_command_has_help_a_workspace_and_json(call, command):
    result = call(*command, "--help")
    assert result.code == 0
    assert "--workspace" in result.out
    assert "--json" in result.out


def test_the_list_of_commands_names_the_exit_codes(call):
    result = call("--help")
    assert result.code == 0
    assert all(f"  {command}" in result.out for command in [*COMMANDS, "new"])
    assert "3 nothing could be" in result.out


def test_the_version(call):
    from mailrubric import __version__

    assert call("--version").out == f"mailrubric {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["score", "--nonsense"],
        ["probe", "--deadline", "soon", "--target", "smtp://a"],
        ["probe"],
        ["probe", "a", "--all"],
        ["probe", "--all", "--role", "postman"],
        ["probe", "--all", "--probe", "gopher"],
        ["probe", "no-such-vendor"],
        ["probe", "--target", "gopher://a"],
        ["probe", "--target", "smtp://a:0"],
        ["probe", "--target", "smtp://a", "--all"],
        ["probe", "--target", "smtp://a", "--role", "web"],
        ["probe", "--target", "smtp://a", "--role", "mx", "--role", "submission"],
        ["probe", "--target", "smtp://a", "--resolver", "dns.example"],
        ["probe", "--target", "smtp://a", "--resolver", "127.0.0.1:0"],
        ["probe", "--target", "smtp://a", "--ca", "no-such-file"],
        ["probe", "--target", "smtp://a", "--ehlo", "a\r\nMAIL FROM:<>"],
        ["probe", "--target", "smtp://a", "--workspace", "no-such-folder"],
        ["score", "no-such-vendor"],
        ["score", "--category", "pigeons"],
        ["score", "--preset", "no-such-preset"],
        ["score", "--weights", "no-such-file"],
        ["score", "--as-of", "yesterday"],
        ["score", "--as-of", "2026-13-01"],
        ["score", "--min-coverage", "101"],
        ["score", "--workspace", "no-such-folder"],
        ["explain"],
        ["explain", "no-such-vendor"],
        ["export"],
        ["export", "-o", "scorecard.pdf"],
        ["export", "-o", "scorecard"],
        ["export", "-o", "no-such-folder/scorecard.csv"],
        ["new", "vendor"],
        ["new", "vendor", "Not An Id"],
        ["metrics", "--json", "--markdown"],
        ["validate", "no-such-file.yaml"],
        ["serve", "--port", "0"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_exit_code_2_and_a_sentence(call, words):
    result = call(*words)
    assert result.code == 2
    assert "Error: " in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "words", [["score", "--preset", "x"], ["probe", "--target", "gopher://a"], ["explain", "nobody"]]
)
def test_a_failure_is_json_too_when_json_was_asked_for(call, words):
    result = call(*words, "--json")
    assert result.code == 2
    error = result.json["error"]
    assert error["message"] in result.err
    assert error["problems"] == []


def test_a_fault_of_our_own_is_never_taken_for_an_answer(call, monkeypatch):
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("mailrubric.cli.catalogue.evaluated", broken)
    result = call("score", "postmark", "--json")
    assert result.code == 70
    assert "Traceback" in result.err
    assert "ZeroDivisionError: oops" in result.json["error"]["message"]


def test_a_near_miss_is_suggested(call):
    assert "did you mean amazon-ses?" in call("explain", "amazon-se").err
    assert "did you mean smtp?" in call("probe", "--all", "--probe", "stmp").err


def test_a_reader_that_goes_away_is_neither_our_fault_nor_the_answer_no(tmp_path):
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-m", "mailrubric", "metrics"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


def test_a_terminal_without_unicode_still_gets_its_answer(tmp_path):
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "mailrubric", "score", "postmark"],
        capture_output=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert re.search(rb"^ +postmark +Postmark +\S+ +\S+ +\d+\.\d-\d+\.\d ", done.stdout, re.MULTILINE)  # not \\u2013
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("words", "redirected", "code", "told"),
    [
        ("--help", "> /dev/full", 2, "Error: the output: No space left on device\n"),
        ("diff a.json b.json --json", "> /dev/full", 2, "Error: the output: No space left on device\n"),
        ("diff a.json b.json", "2> /dev/full", 2, ""),
        ("diff a.json b.json --json", ">&-", 2, "Error: a.json cannot be read: No such file or directory\n"),
    ],
)
def test_an_output_that_takes_nothing_changes_no_exit_code(tmp_path, words, redirected, code, told):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    done = subprocess.run(
        f"{sys.executable} -m mailrubric {words} {redirected}",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.endswith(told)
    assert "Traceback" not in done.stderr


def test_what_the_system_refuses_is_no_fault_of_ours(call):
    result = call("validate", "x" * 300)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"Error: {'x' * 300}: File name too long\n"
