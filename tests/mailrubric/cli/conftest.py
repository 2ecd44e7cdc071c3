"""Commands run in this process, over a lab that is started and probed once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailrubric import lab
from mailrubric.cli import main


@dataclasses.dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document = json.loads(self.out)
        assert document["version"] == 1
        assert self.out.isascii()
        return document


Call = Callable[..., Result]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Run one command from an empty folder: ``call("score", "--json").json``."""
    empty = tmp_path / "here"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)

    def run(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@dataclasses.dataclass(frozen=True)
class Probed:
    """A running lab and what probing all of it said."""

    lab: lab.Lab
    workspace: Path
    summary: dict[str, Any]

    def target(self, vendor: str = "modern") -> str:
        """The URL of a vendor's submission server."""
        from mailrubric.workspace import Workspace

        endpoints = Workspace.open(self.workspace).catalogue().endpoints(f"lab-{vendor}")
        first = next(endpoint for endpoint in endpoints if endpoint.role == "submission")
        return f"smtp://{first.host}:{first.port}"


@pytest.fixture(scope="session")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probed]:
    """The lab, probed by the command line itself."""
    import contextlib
    import io

    with lab.start(tmp_path_factory.mktemp("cli") / "lab") as running:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main(["probe", "--all", "--json", "--workspace", str(running.workspace)])
        assert code == 0
        yield Probed(running, running.workspace, json.loads(out.getvalue()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the probed lab is not for the quick tests: every worker would start and probe it anew."""
    for item in items:
        if "probed" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
