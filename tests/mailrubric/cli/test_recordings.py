"""``probe --record`` and ``--replay``."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest

from mailrubric.evidence.store import Store
from tests.hostile.server import serve_in_thread, smtp

pytestmark = pytest.mark.slow


def measured(report):
    return {each["metric"]: (each["value"], each["cause"], each["detail"]) for each in report["measurements"]}


def test_a_target_recorded_and_replayed(call):
    with serve_in_thread(smtp()) as server:
        url = f"smtp://127.0.0.1:{server.port}"
        live = call("probe", "--target", url, "--allow-private", "--record", "kept", "--json").json
        (file,) = Path("kept").iterdir()
        before = file.read_bytes()
        again = call("probe", "--target", url, "--allow-private", "--record", "kept")
        connections = len(server.sessions)
    assert again.code == 1
    assert "exists already and is left as it is" in again.err
    assert file.read_bytes() == before
    result = call("probe", "--target", url, "--replay", "kept", "--json")
    assert result.code == 0
    assert measured(result.json) == measured(live)
    assert result.json["started"] == live["started"]
    assert "replayed" in result.json["versions"]
    assert "replayed" not in live["versions"]
    assert len(server.sessions) == connections
    assert ", replayed" in call("probe", "--target", url, "--replay", "kept").out


def test_what_has_no_recording_is_said(call):
    Path("empty").mkdir()
    result = call("probe", "--target", "smtp://mail.example.test", "--replay", "empty")
    assert result.code == 1
    assert "holds no recording of submission mail.example.test:587" in result.err
    assert call("probe", "postmark", "--replay", "empty").code == 1
    assert call("probe", "--target", "smtp://mail.example.test", "--replay", "nowhere").code == 2


def test_what_is_no_folder_is_told_before_anything_is_asked(call):
    Path("file").write_text("mine")
    with serve_in_thread(smtp()) as server:
        target = f"smtp://127.0.0.1:{server.port}"
        result = call("probe", "--target", target, "--allow-private", "--record", "file")
        assert (result.code, server.sessions) == (2, [])
        assert "--record: file is no folder" in result.err
        Path("link").symlink_to("nowhere")
        result = call("probe", "--target", target, "--allow-private", "--record", "link")
        assert result.code == 1
        assert "nothing can be recorded into link: it is no folder" in result.err


@pytest.mark.parametrize("option", [("--record", "x"), ("--deadline", "5"), ("--allow-private",), ("--depth", "full")])
def test_a_replay_runs_as_the_recording_did(call, option):
    Path("kept").mkdir()
    result = call("probe", "--target", "smtp://mail.example.test", "--replay", "kept", *option)
    assert result.code == 2
    assert "runs as the recording did" in result.err


def test_a_damaged_recording_is_no_fault_of_ours(call):
    with serve_in_thread(smtp()) as server:
        url = f"smtp://127.0.0.1:{server.port}"
        call("probe", "--target", url, "--allow-private", "--record", "kept")
    (file,) = Path("kept").iterdir()
    document = json.loads(file.read_text())
    document["sessions"][0]["connections"][0]["events"][0]["kind"] = "\x1b[2J"
    file.write_text(json.dumps(document))
    result = call("probe", "--target", url, "--replay", "kept")
    assert result.code == 1
    assert "no usable recording: sessions[0].connections[0].events[0]" in result.err
    assert "\x1b" not in result.err


def test_vendors_recorded_and_replayed_with_the_recording_s_time(call):
    Path("vendors").mkdir()
    with serve_in_thread(smtp()) as server:
        place = f"{{host: 127.0.0.1, port: {server.port}, tls: starttls}}"
        Path("vendors/acme.yaml").write_text(
            f"id: acme\nname: Acme\ncategory: esp\nendpoints:\n  submission: [{place}]\nfacts: {{}}\n"
        )
        live = call("probe", "acme", "--allow-private", "--record", "kept", "--json")
        assert live.code == 0
        again = call("probe", "acme", "--allow-private", "--record", "kept", "--json")
        assert again.code == 1
        assert "nothing is overwritten" in again.err
    # As if it had been long ago.
    (file,) = Path("kept").iterdir()
    document = json.loads(file.read_text())
    document["started"] = "2026-02-03T04:05:06+00:00"
    file.write_text(json.dumps(document))
    result = call("probe", "acme", "--replay", "kept", "--json")
    assert result.code == 0
    assert result.json["values"] > 0.8 * live.json["values"]
    with Store(f"sqlite:///{Path('mailrubric.sqlite').absolute()}") as store:
        reports = store.reports("acme")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert [report.started[:10] for report in reports] == [today, "2026-02-03"]


def test_endpoints_without_a_recording_are_left_out(call):
    Path("vendors").mkdir()
    with serve_in_thread(smtp()) as server:
        place = f"{{host: 127.0.0.1, port: {server.port}, tls: starttls}}"
        profile = f"id: acme\nname: Acme\ncategory: esp\nendpoints:\n  submission: [{place}]\n"
        Path("vendors/acme.yaml").write_text(f"{profile}facts: {{}}\n")
        call("probe", "acme", "--allow-private", "--record", "kept")
        Path("vendors/acme.yaml").write_text(f"{profile}  domain: [{{domain: acme.test}}]\nfacts: {{}}\n")
    other = profile.replace("acme", "bolt").replace("Acme", "Bolt").replace("submission: [{host", "mx: [{host")
    Path("vendors/bolt.yaml").write_text(f"{other.replace(', tls: starttls', '')}facts: {{}}\n")
    Path("vendors/cold.yaml").write_text("id: cold\nname: Cold\ncategory: esp\nendpoints: {}\nfacts: {}\n")
    result = call("probe", "acme", "bolt", "cold", "--replay", "kept")
    assert result.code == 0
    assert "2 of 3 endpoints have no recording" in result.err
    assert re.search(r"^Bolt +none in the recordings +0$", result.out, re.MULTILINE)
    assert re.search(r"^Cold +none in its profile +0$", result.out, re.MULTILINE)
    result = call("probe", "acme", "cold", "--role", "imap")
    assert re.search(r"^Acme +none that was asked for +0$", result.out, re.MULTILINE)
