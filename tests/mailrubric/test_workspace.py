import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import sqlalchemy

from mailrubric.catalogue.messages import CatalogueError
from mailrubric.workspace import Workspace, shipped_folder
from probes import registry
from probes.network import Options

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(folder: Path, text: str) -> Workspace:
    (folder / "mailrubric.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    return Workspace.open(folder)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(CatalogueError) as raised:
        settings(folder, text)
    return [str(problem) for problem in raised.value.problems]


def vendor(folder: Path, name: str) -> None:
    (folder / "vendors").mkdir(exist_ok=True)
    (folder / "vendors" / f"{name}.yaml").write_text(f"id: {name}\nname: Own\ncategory: esp\n")


def test_an_empty_folder_is_a_workspace_over_the_shipped_catalogue(folder):
    workspace = Workspace.open()
    assert workspace.directory == folder
    assert workspace.settings.shipped
    assert workspace.folders() == [ROOT, folder]
    assert workspace.catalogue().criteria
    assert workspace.catalogue() is workspace.catalogue()
    assert workspace.check() == []


def test_own_files_lie_over_the_shipped_ones(folder):
    vendor(folder, "acme")
    workspace = Workspace.open(folder)
    shipped = Workspace.open(ROOT).catalogue()
    assert set(workspace.catalogue().vendors) == {*shipped.vendors, "acme"}
    assert workspace.catalogue().groups == shipped.groups


def test_shipped_vendors_or_everything_shipped_can_be_left_out(folder):
    vendor(folder, "acme")
    workspace = settings(folder, "shipped_vendors: false")
    assert list(workspace.catalogue().vendors) == ["acme"]
    assert workspace.catalogue().criteria
    workspace = settings(folder, "shipped: false")
    assert workspace.folders() == [folder]
    assert list(workspace.catalogue().vendors) == ["acme"]
    assert workspace.catalogue().criteria == ()


def test_the_repository_as_a_workspace_is_not_read_twice(monkeypatch, tmp_path):
    assert shipped_folder() == ROOT
    assert Workspace.open(ROOT).folders() == [ROOT]
    monkeypatch.chdir(ROOT)
    assert Workspace.open().folders() == [ROOT]
    link = tmp_path / "link"
    link.symlink_to(ROOT)
    assert Workspace.open(link).folders() == [link]


def test_an_installed_package_finds_what_it_was_shipped_with(tmp_path):
    """The package as a wheel lays it out: beside other packages, with its YAML inside."""
    site = tmp_path / "site-packages"
    shutil.copytree(ROOT / "mailrubric", site / "mailrubric", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "probes", site / "probes", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("criteria", "vendors"):
        shutil.copytree(ROOT / name, site / "mailrubric" / "shipped" / name)
    (tmp_path / "empty").mkdir()
    code = (
        "from mailrubric.workspace import Workspace, shipped_folder; workspace = Workspace.open()\n"
        "print(shipped_folder()); print(len(workspace.catalogue().criteria), workspace.check())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "empty",
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    expected = len(Workspace.open(ROOT).catalogue().criteria)
    assert done.stdout.splitlines() == [str(site / "mailrubric" / "shipped"), f"{expected} []"]


def test_a_folder_that_is_not_there_is_said(folder):
    with pytest.raises(CatalogueError) as raised:
        Workspace.open(folder / "absent")
    assert [str(problem) for problem in raised.value.problems] == ["absent: there is no such folder"]


def test_settings_are_read_and_every_fault_is_told(folder):
    workspace = settings(
        folder,
        """
        store: postgresql+pg8000://team@db.example/rubric
        minimum_coverage: 40
        deadline: 12.5
        concurrency: 3
        """,
    )
    assert workspace.settings.minimum_coverage == 40
    assert workspace.settings.deadline == 12.5
    assert settings(folder, "# nothing set\n").settings.shipped
    assert faults(
        folder,
        """\
        storr: x
        allow_private: maybe
        minimum_coverage: 101
        deadline: 0
        concurrency: 2.5
        vantage: 5
        """,
    ) == [
        "mailrubric.yaml:1:1: storr: unknown key; did you mean 'store'?",
        "mailrubric.yaml:2:16: allow_private: expected true or false, got 'maybe'",
        "mailrubric.yaml:3:19: minimum_coverage: expected 0–100, got 101",
        "mailrubric.yaml:4:11: deadline: expected a number greater than 0 and at most 600, got 0",
        "mailrubric.yaml:5:14: concurrency: expected a whole number from 1 to 500, got 2.5",
        "mailrubric.yaml:6:10: vantage: expected a text, got 5; put it in quotes",
    ]
    assert faults(
        folder,
        """\
        store: somewhere
        resolver: dns.example:53
        ehlo: my mail server
        ca: absent.pem
        vantage: ' '
        """,
    ) == [
        "mailrubric.yaml:1:8: store: expected a database URL, such as postgresql+pg8000://host/database",
        "mailrubric.yaml:2:11: resolver: expected an IP address and a port, such as 127.0.0.1:53, got 'dns.example:53'",
        "mailrubric.yaml:3:7: ehlo: expected this machine's host name, got 'my mail server'",
        "mailrubric.yaml:4:5: ca: there is no file 'absent.pem' in this folder",
        "mailrubric.yaml:5:10: vantage: must not be empty",
    ]


def test_a_password_in_the_settings_is_refused_without_repeating_it(folder):
    found = faults(folder, "store: postgresql://team:hunter2@db.example/rubric")
    assert len(found) == 1
    assert "MAILRUBRIC_STORE" in found[0]
    assert "hunter2" not in found[0]
    for text in ("store: hunter2", "store: 'postgresql:/team:hunter2@db'", "store: 'x://[hunter2'"):
        assert "hunter2" not in "".join(faults(folder, text))


def test_the_preset_must_exist(folder):
    workspace = settings(folder, "# ours\npreset: transactional-sendr\n")
    with pytest.raises(CatalogueError) as raised:
        workspace.catalogue()
    assert [str(problem) for problem in raised.value.problems] == [
        "mailrubric.yaml:2:9: preset: there is no preset 'transactional-sendr'; did you mean 'transactional-sender'?"
    ]
    assert settings(folder, "preset: transactional-sender\n").catalogue().presets


def test_the_store_is_a_file_of_the_folder_unless_told_otherwise(folder, monkeypatch):
    assert Workspace.open().store_url() == f"sqlite:///{folder}/mailrubric.sqlite"
    workspace = settings(folder, "store: postgresql+pg8000://team@db.example/rubric")
    assert workspace.store_url() == "postgresql+pg8000://team@db.example/rubric"
    monkeypatch.setenv("MAILRUBRIC_STORE", "postgresql+pg8000://team:hunter2@db.example/rubric?sslmode=require")
    assert workspace.store_url() == "postgresql+pg8000://team:hunter2@db.example/rubric?sslmode=require"
    assert workspace.store_label() == "postgresql+pg8000://…@db.example/rubric"
    monkeypatch.setenv("MAILRUBRIC_STORE", "postgresql://team:p/?w@rd@db.example/rubric")
    assert workspace.store_label() == "postgresql://…@db.example/rubric"
    monkeypatch.setenv("MAILRUBRIC_STORE", " ")
    assert workspace.store_url() == "postgresql+pg8000://team@db.example/rubric"


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("sqlite:///evidence.sqlite", "sqlite:///{folder}/evidence.sqlite"),
        ("sqlite:///data/evidence.sqlite?timeout=5", "sqlite:///{folder}/data/evidence.sqlite?timeout=5"),
        ("sqlite+pysqlite:///evidence.sqlite", "sqlite+pysqlite:///{folder}/evidence.sqlite"),
        ("sqlite:////var/lib/evidence.sqlite", "sqlite:////var/lib/evidence.sqlite"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_a_relative_sqlite_path_is_of_the_workspace(folder, monkeypatch, store, expected):
    workspace = settings(folder, f"store: '{store}'")
    monkeypatch.chdir("/")
    assert workspace.store_url() == expected.format(folder=folder)
    assert sqlalchemy.make_url(workspace.store_url()).get_backend_name() == "sqlite"
    assert workspace.store_label() == workspace.store_url().partition("?")[0]


def test_network_options_fit_the_network(folder):
    options = Options(**Workspace.open().network_options())
    assert (options.allow_private, options.resolver, options.ca_file, options.vantage) == (False, None, None, "local")
    assert options.limits.deadline == 30
    (folder / "ca.pem").write_text("")
    options = Options(
        **settings(
            folder,
            """
            allow_private: true
            resolver: 127.0.0.1:5353
            ca: ca.pem
            ehlo: probe.example
            vantage: lab
            deadline: 5
            """,
        ).network_options()
    )
    assert options.allow_private
    assert options.resolver == ("127.0.0.1", 5353)
    assert options.ca_file == str(folder / "ca.pem")
    assert options.ehlo_name == "probe.example"
    assert options.vantage == "lab"
    assert options.limits.deadline == 5


def test_depth_brings_its_own_deadline_unless_one_is_set(folder):
    assert Options(**Workspace.open().network_options()).depth == "standard"
    full = Options(**Workspace.open().network_options("full"))
    assert (full.depth, full.limits.deadline) == ("full", 120)
    workspace = settings(folder, "depth: full\ndeadline: 30\n")
    options = Options(**workspace.network_options())
    assert (options.depth, options.limits.deadline) == ("full", 30)
    assert Options(**workspace.network_options("standard")).depth == "standard"


def test_a_depth_that_is_none(folder):
    with pytest.raises(CatalogueError, match="depth"):
        settings(folder, "depth: deep\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)
def test_a_resolver_is_an_address_and_a_port(folder, text, expected):
    assert settings(folder, f"resolver: '{text}'").network_options()["resolver"] == expected


@pytest.mark.parametrize("text", ["dns.example", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2:53", "[::1", "1.2.3.4:x"])
def test_what_is_no_resolver_is_refused(folder, text):
    assert len(faults(folder, f"resolver: '{text}'")) == 1


def test_the_fingerprint_follows_the_files(folder):
    vendor(folder, "acme")
    workspace = settings(folder, "shipped: false")
    first = workspace.fingerprint()
    assert {Path(path).name for path, _, _ in first} == {"acme.yaml", "mailrubric.yaml"}
    assert workspace.fingerprint() == first
    vendor(folder, "beta")
    second = workspace.fingerprint()
    assert second != first
    (folder / "vendors" / "beta.yaml").write_text("id: beta\nname: Longer name\ncategory: esp\n")
    third = workspace.fingerprint()
    assert third != second
    (folder / "vendors" / "beta.yaml").unlink()
    assert workspace.fingerprint() == first


def test_check_looks_at_the_own_folder_beside_the_shipped_criteria(folder):
    vendor(folder, "acme")
    (folder / "vendors" / "beta.yaml").write_text("id: gamma\nname: B\ncategory: esp\n")
    workspace = Workspace.open(folder)
    expected = ["vendors/beta.yaml:1:5: id: must be the file's name, 'beta', or the file be called gamma.yaml"]
    assert [str(problem) for problem in workspace.check()] == expected
    assert [str(problem) for problem in workspace.check([folder / "vendors" / "acme.yaml"])] == []
    (folder / "note.yaml").write_text("not: ours\n")
    assert [str(problem) for problem in workspace.check()] == expected


PROBE = """
from probes.model import Measurement, Metric

class Weather:
    name = "weather"
    roles = frozenset({"web"})
    metrics = (Metric("weather.sunny", "boolean", "Whether the sun shines."),)

    async def measure(self, endpoint, network):
        return [Measurement("weather.sunny", True)]

PROBE = Weather()
"""


def test_probes_of_the_folder_add_metrics(folder):
    assert "weather.sunny" not in Workspace.open(folder).catalogue().metrics
    (folder / "probes").mkdir()
    (folder / "probes" / "weather.py").write_text(PROBE)
    before = Workspace.open(folder)
    assert before.catalogue().metrics["weather.sunny"].roles == {"web"}
    assert before.check() == []
    first = before.fingerprint()
    (folder / "probes" / "gloomy.py").write_text("# nothing\n1 / 0\n")
    after = Workspace.open(folder)
    assert after.fingerprint() != first
    assert [str(each) for each in after.check()] == ["probes/gloomy.py:2:1: ZeroDivisionError: division by zero"]
    assert [str(each) for each in after.check([folder / "probes" / "weather.py"])] == []
    assert len(after.check([folder / "probes" / "gloomy.py"])) == 1
    assert "weather.sunny" in after.catalogue().metrics  # one that is broken costs the others nothing
    assert Workspace.open(ROOT).add_probes() == []
    assert "weather.sunny" not in {metric.key for metric in registry.metrics()}


def test_a_criterion_that_lacks_a_broken_probe_says_why(folder):
    criterion = "score: {yes: 100, no: 0}, rationale: It matters.}"
    (folder / "criteria").mkdir(exist_ok=True)
    (folder / "criteria" / "sky.yaml").write_text(
        "group: {id: sky, title: Sky, weight: 1}\n"
        f"criteria: [{{id: sunny, question: Is it?, from: {{probe: weather.sunny}}, weight: 1, {criterion}]\n"
    )
    (folder / "probes").mkdir()
    (folder / "probes" / "weather.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(CatalogueError) as caught:
        Workspace.open(folder).catalogue()
    assert "weather.sunny" in str(caught.value)
    assert "probes/weather.py:1:1: ModuleNotFoundError" in str(caught.value)
    (folder / "probes" / "weather.py").write_text(PROBE)
    assert "sunny" in {each.id for each in Workspace.open(folder).catalogue().criteria}
    Workspace.open(ROOT).add_probes()
