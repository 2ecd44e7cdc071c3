"""What the dashboard says on top when something could not be measured from here at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mailrubric.evidence.runs import Condition, Run
from mailrubric.evidence.store import Store
from mailrubric.workspace import Workspace

BLOCKED = Condition("port_25", False, "no connection to port 25 of mx.example", 34)
SAID = "From here port 25 could not be reached on 2026-11-23: 34 MX endpoints could not be measured."


def shown(app: AppTest) -> list[str]:
    """Warnings as a reader sees them: what guards against Markdown is taken away."""
    assert not app.exception
    return [each.value.replace("\\", "") for each in app.warning]


def _notice(url: str) -> None:
    from mailrubric.dashboard.preconditions import notice
    from mailrubric.evidence.store import Store

    notice(Store(url))


def test_the_notice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    app = AppTest.from_function(_notice, kwargs={"url": url})
    assert shown(app.run(timeout=30)) == []
    with Store(url) as store:
        store.add_run(Run("2026-11-22T10:00:00.000Z", "local", 1, (Condition("ipv6", False, "", 3),)))
        store.add_run(Run("2026-11-23T10:00:00.000Z", "local", 1, (BLOCKED,)))
    (warning,) = shown(app.run(timeout=30))
    assert warning.startswith(f"{SAID}  \nFrom here there was no IPv6 on 2026-11-22")
    with Store(url) as store:
        met = (Condition("port_25", True, "", 34), Condition("ipv6", True, "", 3))
        store.add_run(Run("2026-11-24T10:00:00.000Z", "local", 1, met))
    assert shown(app.run(timeout=30)) == []


@pytest.mark.parametrize("page", ["ranking", "probe"])
def test_it_stands_on_top_of_the_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILRUBRIC_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)
    with Store(Workspace.open(tmp_path).store_url()) as store:
        store.add_run(Run("2026-11-23T10:00:00.000Z", "local", 40, (BLOCKED,)))
    app = AppTest.from_string(f"from mailrubric.dashboard import {page}\n{page}.page()").run(timeout=120)
    assert SAID in shown(app)
    # Nothing but the title stands above it.
    kinds = [type(each).__name__ for each in list(app.main)[1:]]  # the first is the block that holds the others
    assert kinds[:2] == ["Title", "Warning"]
