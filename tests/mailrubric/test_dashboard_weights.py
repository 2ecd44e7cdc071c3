"""The page on which people say what matters to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mailrubric.catalogue.load import judgements_of
from mailrubric.scoring.people import judged
from mailrubric.workspace import Workspace

pytestmark = pytest.mark.slow

GROUP = """\
group: {{id: {id}, title: {title}, weight: {weight}}}
facts: {{{id}_fact: {{type: boolean, meaning: Whether.}}}}
criteria:
  - id: {id}-it
    question: Is it there?
    from: {{fact: {id}_fact}}
    weight: 1
    score: {{yes: 100, no: 0}}
    rationale: Because.
"""
SERVE = "from mailrubric.dashboard import weights\nweights.page()"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mailrubric.yaml").write_text("shipped: false\n")
    (tmp_path / "criteria").mkdir()
    for name, weight in (("safe", 8), ("cheap", 4), ("quick", 2)):
        text = GROUP.format(id=name, title=name.title(), weight=weight)
        (tmp_path / "criteria" / f"{name}.yaml").write_text(text)
    monkeypatch.setenv("MAILRUBRIC_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)
    return tmp_path


def opened() -> AppTest:
    app = AppTest.from_string(SERVE).run(timeout=120)
    assert not app.exception
    return app


def pressed(app: AppTest, label: str) -> AppTest:
    (button,) = [each for each in app.button if each.label == label]
    button.click().run(timeout=120)
    assert not app.exception
    return app


def sidebar(app: AppTest) -> dict[str, float]:
    return {each.key.removeprefix("w_"): each.value for each in app.slider if str(each.key).startswith("w_")}


def test_an_order_becomes_weights_that_are_used_and_kept(folder: Path) -> None:
    app = opened()
    assert [each.value for each in app.markdown if "no → yes" in each.value]
    app.multiselect(key="weights_order").set_value(["quick", "safe"]).run(timeout=120)
    app = pressed(app, "Use these weights")
    assert sidebar(app) == {"safe": 13.5, "cheap": 0.0, "quick": 40.0}  # rank order centroid of two: 1 to 3
    app.text_input(key="weights_name").set_value("ana").run(timeout=120)
    pressed(app, "Keep in the workspace")
    catalogue = Workspace.open(folder).catalogue()
    (kept,) = judgements_of(folder, catalogue).values()
    assert judged(kept, catalogue).groups == {"safe": 25.0, "cheap": 0.0, "quick": 75.0}
    app = pressed(app, "Keep in the workspace")
    assert [each for each in app.error if "exists" in each.value]  # never written over


def test_swings(folder: Path) -> None:
    app = opened()
    app.segmented_control(key="way").set_value("swing").run(timeout=120)
    for name, points in (("safe", 20), ("cheap", 100), ("quick", 0)):
        app.slider(key=f"swing_{name}").set_value(points).run(timeout=120)
    app = pressed(app, "Use these weights")
    assert sidebar(app) == {"safe": 8.0, "cheap": 40.0, "quick": 0.0}
    app.slider(key="swing_safe").set_value(0).run(timeout=120)
    app.slider(key="swing_cheap").set_value(0).run(timeout=120)
    assert "every swing is 0" in app.warning[0].value.casefold()


def test_comparisons_that_contradict_each_other_are_told(folder: Path) -> None:
    app = opened()
    app.segmented_control(key="way").set_value("pairwise").run(timeout=120)
    app.multiselect(key="weights_compared").set_value(["safe", "cheap", "quick"]).run(timeout=120)
    assert not app.warning
    app.select_slider(key="pair_safe_cheap").set_value(9.0).run(timeout=120)
    app.select_slider(key="pair_safe_quick").set_value(1 / 9).run(timeout=120)
    assert not app.exception
    assert "contradict each other" in app.warning[0].value
