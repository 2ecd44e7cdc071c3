"""Commands that stay: the lab and the dashboard, as programs of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailrubric.cli import serve
from tests.mailrubric.cli.test_json_documented import check

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def running(*words: object, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "mailrubric", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def healthy(port: int, process: subprocess.Popen[str]) -> bool:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5) as answer:
                return bool(answer.read() == b"ok")
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def json_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON document that a program that stays has printed."""
    assert process.stdout is not None
    text = ""
    while True:
        line = process.stdout.readline()
        assert line, text
        text += line
        if line == "}\n":
            return json.loads(text)


@pytest.mark.slow
def test_the_dashboard_is_served_over_the_workspace(tmp_path):
    port = free_port()
    with running("serve", "--port", port, "--no-browser", "--workspace", tmp_path, cwd=tmp_path) as process:
        assert healthy(port, process), process.communicate(timeout=5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_the_dashboard_sends_nothing_to_anybody_and_asks_nothing():
    words = serve.command(port=8501, browser=True)
    assert "--browser.gatherUsageStats=false" in words
    assert "--server.showEmailPrompt=false" in words
    assert "--server.address=localhost" in words
    assert "--server.headless=true" in words  # nobody watches this output
    assert Path(words[4]).name == "app.py"


def test_the_lab_runs_until_it_is_told_to_stop(tmp_path):
    with running("lab", "--directory", tmp_path / "lab", "--json", cwd=tmp_path) as process:
        document = json_line(process)
        check("lab", document)
        assert Path(str(document["workspace"])) == tmp_path / "lab"
        assert (tmp_path / "lab" / "mailrubric.yaml").is_file()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_a_folder_with_other_files_is_refused(call):
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    result = call("lab", "--directory", "mine")
    assert result.code == 2
    assert Path("mine/letter.txt").read_text() == "dear"


@pytest.mark.slow
def test_the_lab_probed_and_served(tmp_path):
    port = free_port()
    words = ["lab", "--directory", tmp_path / "lab", "--probe", "--serve", "--port", port, "--json"]
    with running(*words, cwd=tmp_path) as process:
        document = json_line(process)
        probing = document.pop("probing")
        check("lab", document)
        check("probe-vendors", {"version": 1, **probing})
        assert probing["values"] > 1000
        assert healthy(port, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    with pytest.raises((urllib.error.URLError, OSError)):  # the dashboard went with the lab
        urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5)
