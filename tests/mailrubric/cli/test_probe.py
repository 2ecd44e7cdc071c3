"""Probing from the command line, against the lab and against servers that mean no good."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailrubric.cli import network
from mailrubric.cli.probe import _show_unknown
from mailrubric.evidence.store import Store
from mailrubric.workspace import Workspace
from probes.model import Cause, Measurement

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def greeting(line: bytes) -> Iterator[int]:
    """A server that says one line to everybody and hangs up; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(line)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def lab_options(probed) -> list[str]:
    address, port = probed.lab.resolver
    return ["--allow-private", "--resolver", f"{address}:{port}", "--ca", str(probed.lab.ca_file)]


def test_a_target_gives_the_whole_report(call, probed):
    report = call("probe", "--target", probed.target(), *lab_options(probed), "--ehlo", "me.example", "--json").json
    assert set(report) == {
        "version", "endpoint", "address", "started", "duration_ms", "vantage", "versions", "measurements", "transcript",
        "also",
    }  # fmt: skip
    values = {one["metric"]: one["value"] for one in report["measurements"]}
    assert values["smtp.starttls"] is True
    assert values["certificate.trusted"] is True
    assert values["tls.versions"] == ["TLSv1.2", "TLSv1.3"]
    assert all((one["value"] is None) == (one["cause"] is not None) for one in report["measurements"])
    assert "EHLO me.example" in {step["text"] for step in report["transcript"]}
    assert report["vantage"] == "local"


def test_settings_of_a_workspace_are_defaults_and_options_win(call, probed):
    report = call(
        "probe", "--target", probed.target(), "--workspace", probed.workspace, "--ehlo", "me.example", "--json"
    ).json
    assert report["vantage"] == "lab"
    said = {step["text"] for step in report["transcript"]}
    assert "EHLO me.example" in said
    assert "EHLO prober.lab.test" not in said


def test_only_the_probes_that_were_named(call, probed):
    report = call("probe", "--target", probed.target(), *lab_options(probed), "--probe", "tls", "--json").json
    assert {one["metric"].partition(".")[0] for one in report["measurements"]} == {"tls"}


@pytest.mark.parametrize(
    ("words", "depth", "deadline"),
    [({}, "standard", 30), ({"depth": "full"}, "full", 120), ({"depth": "full", "deadline": 7.5}, "full", 7.5)],
    ids=["none", "full", "full with a deadline"],
)
def test_the_depth_of_a_run(tmp_path, monkeypatch, words, depth, deadline):
    monkeypatch.chdir(tmp_path)
    options = network.options(None, **words)
    assert (options.depth, options.limits.deadline) == (depth, deadline)
    (tmp_path / "mailrubric.yaml").write_text("depth: full\n", encoding="utf-8")
    assert network.options(None, depth="standard").limits.deadline == 30
    assert network.options(None).depth == "full"


def test_a_target_in_another_role(call, probed):
    report = call("probe", "--target", probed.target(), *lab_options(probed), "--role", "mx", "--json").json
    assert report["endpoint"]["role"] == "mx"


def test_a_private_address_is_refused_unless_allowed(call):
    report = call("probe", "--target", "smtp://127.0.0.1:1", "--json")
    assert report.code == 3
    causes = {one["cause"] for one in report.json["measurements"] if not one["metric"].startswith("own_server.")}
    assert causes == {"blocked_address", "not_applicable"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--deadline", "nan"], "a number of seconds"),
        (["--ca", "notes.txt"], "no certificate in PEM"),
        (["--depth", "deep"], "standard or full"),
    ],
)
def test_values_that_cannot_be_meant(call, options, words):
    Path("notes.txt").write_text("no certificate here\n", encoding="utf-8")
    result = call("probe", "--target", "smtp://127.0.0.1:1", "--allow-private", "--json", *options)
    assert result.code == 2
    assert words in result.json["error"]["message"]


def test_nothing_measured_is_exit_code_3_with_advice(call):
    result = call("probe", "--target", "smtp://127.0.0.1:1", "--allow-private")
    assert result.code == 3
    assert "The server refused the connection" in result.out
    assert "Check host and port" in result.out
    assert "unknown, connection refused: 127.0.0.1 refuses connections to port 1\n" in result.out
    assert re.search(r"^  all \d+ of certificate\.\*, all \d+ of latency\.\*,", result.out, re.MULTILINE)
    assert "metric  " not in result.out, "a table of what was found, and there is nothing"


def test_what_has_no_value_stands_once_for_each_reason(capsys: pytest.CaptureFixture[str]) -> None:
    many = [f"smtp.m{number}" for number in range(12)]
    shown = [
        Measurement("certificate.trusted", True),
        *(Measurement.missing(name, Cause.GREETING_REJECTED, "554 5.7.1 \x1b[31mno") for name in many),
        Measurement("smtp.connect_ms", 0.5),
        *(Measurement.missing(f"tls.{name}", Cause.TLS_NOT_OFFERED, "") for name in ("versions", "cipher")),
        Measurement.missing("certificate.key_bits", Cause.TLS_NOT_OFFERED, ""),
        Measurement.missing("certificate.days_left", Cause.TLS_ALERT, "handshake_failure"),
    ]
    _show_unknown(shown)
    assert capsys.readouterr().out.splitlines() == [
        r"unknown, greeting rejected: 554 5.7.1 \x1b[31mno",
        "  all 13 of smtp.* but smtp.connect_ms",
        "",
        "unknown, TLS not offered",
        "  all 2 of tls.*, certificate.key_bits",
        "",
        "unknown, TLS alert: handshake_failure",
        "  certificate.days_left",
        "",
    ]


def test_a_conversation_is_readable(call, probed):
    result = call("probe", "--target", probed.target(), *lab_options(probed))
    assert result.code == 0
    assert re.search(r"^ +\d+\.\d ms  < 220 .*ESMTP", result.out, re.MULTILINE)
    assert re.search(r"^ +\d+\.\d ms  > EHLO ", result.out, re.MULTILINE)
    assert re.search(r"^smtp\.size_limit +52,428,800 B$", result.out, re.MULTILINE)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_greeting_cannot_steer_the_terminal(call, as_json):
    with greeting(b"220 evil \x1b]0;owned\x07\x1b[2J\x9b31m\xe2\x80\xae ESMTP\r\n") as port:
        words = ["probe", "--target", f"smtp://127.0.0.1:{port}", "--allow-private", "--deadline", "5"]
        result = call(*words, *(["--json"] if as_json else []))
    for text in (result.out, result.err):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "owned" in result.out


def test_vendors_are_probed_and_kept(probed):
    summary = probed.summary
    assert summary["version"] == 1
    by_id = {vendor["id"]: vendor for vendor in summary["vendors"]}
    assert summary["total"] == summary["done"] == len(summary["endpoints"])
    assert by_id["lab-modern"]["values"] > 100
    assert set(by_id["lab-modern"]["causes"]) == {"resolver_not_validating"}
    assert by_id["lab-down"]["endpoints"]["failed"] == 5
    assert set(by_id["lab-down"]["causes"]) == {"connection_refused"}
    assert set(by_id["lab-throttle"]["causes"]) <= {"greeting_rejected", "throttled"}
    with Store(Workspace.open(probed.workspace).store_url()) as store:
        assert store.counts()["reports"] >= summary["total"]


def test_a_summary_in_plain_words(call, probed):
    result = call("probe", "lab-down", "lab-no-starttls", "--role", "submission", "--workspace", probed.workspace)
    assert result.code == 0
    assert "connection refused ×" in result.out
    assert "The server refused the connection" in result.out
    assert "The server offers no TLS here" in result.out
    assert str(probed.workspace) in result.out


def test_a_vendor_that_is_down_alone_is_exit_code_3(call, probed):
    result = call("probe", "lab-down", "--role", "submission", "--workspace", probed.workspace, "--json")
    assert result.code == 3
    assert {each["state"] for each in result.json["endpoints"]} == {"failed"}


def test_what_is_fresh_can_be_left_out(call, probed):
    result = call("probe", "lab-modern", "--skip-fresh", "1", "--workspace", probed.workspace, "--json")
    assert result.code == 0
    total = result.json["total"]
    assert result.json["vendors"][0]["endpoints"]["skipped"] == total > 0
    shown = call("probe", "lab-modern", "--skip-fresh", "1", "--workspace", probed.workspace).out
    assert f"\n0 values from 0 of {total} endpoints, kept in " in shown


def test_only_endpoints_that_a_named_probe_applies_to(call, probed):
    result = call("probe", "lab-modern", "--probe", "dns", "--workspace", probed.workspace, "--json").json
    assert {one["endpoint"].split()[0] for one in result["endpoints"]} == {"domain", "sending"}


def test_a_vendor_without_endpoints_is_nothing_measured(call):
    assert call("new", "vendor", "acme-mail").code == 0
    result = call("probe", "acme-mail")
    assert result.code == 3
    assert "none in its profile" in result.out


def test_a_store_that_cannot_be_used_is_told(call, monkeypatch):
    call("new", "vendor", "acme-mail")
    monkeypatch.setenv("MAILRUBRIC_STORE", "postgresql://someone:hunter2@127.0.0.1:1/none")
    result = call("probe", "acme-mail")
    assert result.code == 2
    assert "store" in result.err
    assert "hunter2" not in result.err + result.out


def test_ctrl_c_stops_politely_and_keeps_what_was_stored(probed):
    process = subprocess.Popen(
        [sys.executable, "-m", "mailrubric", "probe", "--all", "--concurrency", "1", "--json", "--workspace",
         str(probed.workspace)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with Store(Workspace.open(probed.workspace).store_url()) as store:
        before = store.counts()["reports"]
        until = time.monotonic() + 30
        while store.counts()["reports"] < before + 2 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        after = store.counts()["reports"]
    assert process.returncode == 130
    assert "what was measured is kept" in err
    summary = json.loads(out)
    assert summary["cancelled"] is True
    kept = sum(vendor["endpoints"]["finished"] + vendor["endpoints"]["failed"] for vendor in summary["vendors"])
    assert kept >= 2
    assert after - before >= kept


def test_a_terminal_sees_live_progress(probed):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mailrubric", "probe", "lab-modern", "lab-down", "--workspace", str(probed.workspace)],
        stdout=follower, stderr=follower, stdin=follower,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(follower)
    seen = b""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # the other end has closed
                break
            if not chunk:
                break
            seen += chunk
        elif process.poll() is not None:
            break
    os.close(leader)
    assert process.wait(30) == 0
    assert b"Modern (lab)" in seen
    assert b"connection refused" in seen
    assert b"/13" in seen.replace(b" ", b"")  # 8 endpoints of lab-modern and 5 of lab-down
