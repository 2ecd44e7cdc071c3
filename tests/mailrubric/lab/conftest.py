from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailrubric import lab


@pytest.fixture(scope="package")
def running_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Lab]:
    """One lab for the tests that only look at it."""
    with lab.start(tmp_path_factory.mktemp("lab") / "workspace") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspace"
