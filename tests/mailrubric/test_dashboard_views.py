"""Pages over little workspaces: what is said first, and what is said when there is nothing to show."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the dashboard's extra is not installed")

from streamlit.testing.v1 import AppTest

CRITERIA = (
    "group: {id: little, title: Little, weight: 5}\n"
    "facts:\n"
    "  colour: {type: boolean, meaning: Whether it is green.}\n"
    "  sound: {type: boolean, meaning: Whether it is loud.}\n"
    "criteria:\n"
    "  - {id: colour, question: Is it green?, from: {fact: colour}, weight: 1, score: {yes: 100, no: 60},"
    " rationale: To see it.}\n"
    "  - {id: sound, question: Is it loud?, from: {fact: sound}, weight: 1, score: {yes: 100, no: 90},"
    " rationale: To hear it.}\n"
)


def vendor(place: Path, name: str, **facts: bool) -> None:
    said = "".join(f"  {fact}: {{value: {str(value).lower()}, source: https://a.example, as_of: 2026-11-01}}\n"
                   for fact, value in facts.items())  # fmt: skip
    text = f"id: {name}\nname: {name.title()}\ncategory: esp\n" + (f"facts:\n{said}" if said else "")
    (place / "vendors" / f"{name}.yaml").write_text(text)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of two criteria and no vendor."""
    for folder in ("vendors", "criteria"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mailrubric.yaml").write_text("shipped: false\nshipped_vendors: false\nminimum_coverage: 40\n")
    (tmp_path / "criteria" / "little.yaml").write_text(CRITERIA)
    monkeypatch.setenv("MAILRUBRIC_WORKSPACE", str(tmp_path))
    return tmp_path


def opened(name: str, **link: str) -> AppTest:
    def script(name: str) -> None:
        import importlib

        importlib.import_module(f"mailrubric.dashboard.{name}").page()

    app = AppTest.from_function(script, args=(name,), default_timeout=120)
    for key, value in link.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    places = (app.title, app.markdown, app.caption, app.info, app.warning, app.error)
    return " ".join(str(each.value) for some in places for each in some).replace("\\", "")


def test_the_headline_says_what_the_order_is_made_of(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the one half is known and all of it good; of the other all, and nearly all good: lower score, higher estimate.
    vendor(place, "half", colour=True)
    vendor(place, "whole", colour=True, sound=False)
    vendor(place, "third", colour=False, sound=False)
    from mailrubric.dashboard import pages

    monkeypatch.setattr(pages, "named", lambda name: "https://a.example")
    app = opened("ranking")
    headline = next(each.value for each in app.markdown if "leads with" in each.value)
    estimates = dict(zip(app.dataframe[0].value["Vendor"], app.dataframe[0].value["Estimate"], strict=True))
    scores = dict(zip(app.dataframe[0].value["Vendor"], app.dataframe[0].value["Score"], strict=True))
    first, second = list(estimates)[:2]
    assert estimates[first] >= estimates[second]
    assert (first, scores["Half"]) == ("Whole", 100.0)
    assert f"**{first}** leads with {estimates[first]:.1f} points" in headline.replace("\\", "")
    assert "of the draws" in said(app)
    app.text_input(key="name").set_value("third").run()
    assert next(each.value for each in app.markdown if "leads with" in each.value) == headline, (
        "a filter hides, no more"
    )
    assert list(app.dataframe[0].value["Vendor"]) == ["Third"]


@pytest.mark.parametrize("name", ["ranking", "vendor", "compare"])
def test_no_vendor_at_all_is_said_and_how_to_begin(place: Path, name: str) -> None:
    assert "There is no vendor yet. `mailrubric new vendor ID`" in said(opened(name))


def test_a_faulty_file_is_told_under_the_title_of_the_page(place: Path) -> None:
    (place / "vendors" / "bad.yaml").write_text("id: [bad\n")
    app = opened("compare")
    assert app.title[0].value == "Compare"
    assert "bad.yaml:1:5: is not valid YAML" in said(app)


def test_a_link_to_a_vendor_that_is_not_here_says_so(place: Path) -> None:
    vendor(place, "half", colour=True)
    assert "The link asks for Nobody <b>, and no vendor here has this name." in said(
        opened("vendor", vendor="Nobody <b>")
    )
    assert "The link asks for" not in said(opened("vendor", vendor="Half"))
