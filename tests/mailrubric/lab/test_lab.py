"""The lab as a whole: its folder, its ports, its beginning and its end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from mailrubric import lab
from mailrubric.catalogue.models import Settings, Vendor
from mailrubric.lab.vendors import VENDORS
from mailrubric.workspace import Workspace


def test_it_starts_quickly_and_leaves_nothing_behind(folder: Path) -> None:
    threads = threading.active_count()
    began = time.process_time()  # of this process alone: other tests may have the processor
    running = lab.start(folder)
    assert time.process_time() - began < 1
    ports = {(running._servers.addresses[place.host], port) for place, port in running.ports.items()}
    with socket.create_connection(running.resolver, timeout=30):  # a conversation that goes on while the lab closes
        began = time.monotonic()
        running.close()
        assert time.monotonic() - began < 9  # its own patience would be ten seconds
    running.close()
    assert threading.active_count() == threads
    for address, port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=30)
    assert yaml.safe_load((folder / "mailrubric.yaml").read_text())["vantage"] == "lab"  # the workspace stays


def test_it_writes_a_workspace_that_points_at_itself(running_lab: lab.Lab) -> None:
    settings = Workspace.open(running_lab.workspace).settings
    assert settings.allow_private
    assert not settings.shipped_vendors
    address, port = running_lab.resolver
    assert settings.resolver == f"{address}:{port}"
    assert (running_lab.workspace / settings.ca).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    assert settings.minimum_coverage == Settings().minimum_coverage


def test_every_profile_says_that_it_is_invented(running_lab: lab.Lab) -> None:
    for vendor in VENDORS:
        path = running_lab.workspace / "vendors" / f"{vendor.id}.yaml"
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Written by `mailrubric lab`")
        assert "# An invented platform of the local lab" in text
        data = yaml.safe_load(text)
        profile = Vendor.model_validate(data)
        assert profile.lab
        assert profile.name.endswith("(lab)")
        assert all(fact.source.startswith("https://lab.test/") for fact in profile.facts.values())


def test_a_folder_with_files_of_others_is_refused_untouched(folder: Path) -> None:
    folder.mkdir()
    (folder / "mailrubric.yaml").write_text("mine")
    with pytest.raises(lab.LabError, match=r"did not write \(mailrubric\.yaml\)"):
        lab.start(folder)
    assert [path.name for path in folder.iterdir()] == ["mailrubric.yaml"]
    assert (folder / "mailrubric.yaml").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    folder.write_text("mine")
    with pytest.raises(lab.LabError, match="cannot be the lab's folder"):
        lab.start(folder)


def test_two_labs_never_share_a_folder_but_share_a_machine(folder: Path, running_lab: lab.Lab) -> None:
    with lab.start(folder) as first:
        with pytest.raises(lab.LabError, match="already running"):
            lab.start(folder)
        assert first.resolver != running_lab.resolver
        assert set(first.ports) == set(running_lab.ports)


def test_what_a_person_added_or_edited_survives_a_restart(folder: Path) -> None:
    with lab.start(folder) as first:
        ports = first.ports
    edited = folder / "vendors" / "lab-slow.yaml"
    edited.write_text("edited")
    (folder / "vendors" / "mine.yaml").write_text("mine")
    with lab.start(folder) as second:
        assert second.ports == ports  # so that stored evidence is still about the same endpoints
        assert second.notes[0] == "vendors/lab-slow.yaml had been edited: kept as lab-slow.yaml.bak"
    assert (folder / "vendors" / "lab-slow.yaml.bak").read_text() == "edited"
    assert (folder / "vendors" / "mine.yaml").read_text() == "mine"
    assert yaml.safe_load(edited.read_text())["id"] == "lab-slow"
    edited.write_text("edited again")
    with lab.start(folder):
        pass
    assert (folder / "vendors" / "lab-slow.yaml.bak").read_text() == "edited"
    assert (folder / "vendors" / "lab-slow.yaml.bak2").read_text() == "edited again"


def test_a_marker_that_was_cut_short_is_still_a_marker(folder: Path) -> None:
    with lab.start(folder):
        pass
    (folder / ".mailrubric-lab.json").write_text('{"ports": {"x"')
    with lab.start(folder) as again:
        assert not [note for note in again.notes if "ca.pem" not in note and "edited" not in note and "443" not in note]


def test_given_ports_are_kept_or_refused(folder: Path) -> None:
    threads = threading.active_count()
    with socket.create_server(("127.77.0.53", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(lab.LabError, match=f"port {port} "):
            lab.start(folder, ports={"dns": port})
    assert threading.active_count() == threads
    with lab.start(folder, ports={"dns": port}) as running:
        assert running.resolver[1] == port
    with pytest.raises(lab.LabError, match="no such service: dsn"):
        lab.start(folder, ports={"dsn": 1})  # type: ignore[dict-item]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_runs_until_it_is_told_to_stop(folder: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mailrubric", "lab", "--directory", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    while not (line := process.stdout.readline()).startswith("The lab is up"):
        assert line, process.communicate()
        lines.append(line)
    assert len([line for line in lines if line.startswith("lab-")]) == len(VENDORS)
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout) == (2, "")
    assert "already running" in second.stderr
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, [line for line in errors.splitlines() if not line.startswith("note: ")]) == (0, [])


def test_the_documentation_names_every_vendor() -> None:
    text = (Path(__file__).parents[3] / "docs" / "lab.md").read_text(encoding="utf-8")
    named = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `lab-")]
    assert named == [vendor.id for vendor in VENDORS]


def test_the_profiles_fit_the_shipped_criteria(running_lab: lab.Lab) -> None:
    workspace = Workspace.open(running_lab.workspace)
    assert [str(problem) for problem in workspace.check()] == []
    catalogue = workspace.catalogue()
    assert set(catalogue.vendors) == {vendor.id for vendor in VENDORS}
    for vendor in VENDORS:
        assert set(catalogue.vendors[vendor.id].facts) <= set(catalogue.facts)
        assert catalogue.endpoints(vendor.id)
