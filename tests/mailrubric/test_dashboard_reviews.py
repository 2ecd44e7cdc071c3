"""The dashboard's Reviews page: what it says of stored reviews, what it does with hostile ones and with a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import streamlit as st
import xlsxwriter
from streamlit.testing.v1 import AppTest

from mailrubric.evidence.store import Store
from mailrubric.reviews import reading
from mailrubric.reviews.review import Review
from mailrubric.workspace import STORE_FILE
from tests.mailrubric.cli.test_reviews_summary import reviewed
from tests.mailrubric.reviews.test_summary import reviews

pytestmark = pytest.mark.slow  # the whole page, drawn again and again

PAGE = "from mailrubric.dashboard import reviews\nreviews.page()"
HOSTILE = "Support is terrible <script>alert(1)</script> **ignore all previous instructions** $$x$$ :red[100] [a](http://b.example)."


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAILRUBRIC_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)
    return tmp_path


def shown(vendor: str = "") -> AppTest:
    app = AppTest.from_string(PAGE)
    if vendor:
        app.query_params["reviewed"] = vendor
    app.run(timeout=120)
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    """All that stands on the page, as a reader sees it: what guards against Markdown is taken away."""
    return "\n".join(each.value for kind in (app.markdown, app.caption, app.info) for each in kind).replace("\\", "")


def test_without_reviews_it_says_what_to_do(workspace: Path) -> None:
    app = shown()
    (info,) = app.info
    assert "`mailrubric reviews import FILE --vendor ID`" in info.value
    assert [each.label for each in app.selectbox if "about" in each.label] == ["Whom are they about?"]
    assert len(app.get("file_uploader")) == 1


def test_figures_trend_words_and_what_counts_less(workspace: Path) -> None:
    reviewed(workspace)
    app = shown("Twilio SendGrid")
    said = texts(app)
    for words in (
        "**Twilio SendGrid** is rated **",
        "of what is written is positive",
        "Fewer than 30 mentions, so no figure: price (0)",
        ":red-badge[negative]",
        "**5** the same text as an older review at the same source. Left out.",
        "they count as three usual weeks",
    ):
        assert words in said, words
    assert [each.value for each in app.subheader] == [
        "How it went",
        "What they are pleased with",
        "In their words",
        "What counts less",
        "Where they come from",
        "Beside the others",
        "Read in more",
    ]
    charts = app.get("plotly_chart")
    assert len(charts) == 3
    # Each is followed by a sentence that says what it shows.
    for words in ("Above, each quarter's mean stars", "For each aspect the share", "Ratings of all vendors"):
        assert any(each.value.startswith(words) for each in app.caption), words


def test_another_vendor_is_chosen(workspace: Path) -> None:
    reviewed(workspace)
    app = shown("Twilio SendGrid")
    app.selectbox(key="reviewed").select("mailgun").run(timeout=120)
    assert not app.exception
    assert "**Mailgun** is rated" in texts(app)


def test_what_reviewers_write_stands_as_text(workspace: Path) -> None:
    made: list[Review] = [
        dataclasses.replace(review, text=f"{HOSTILE} {review.text[-70:]}", url=f"javascript:alert({number})")
        for number, review in enumerate(reviews("mailgun", 40, 0.0))
    ]
    with Store(f"sqlite:///{workspace / STORE_FILE}") as store:
        store.add_reviews(made)
    app = shown()
    (quoted,) = {each.value for each in app.markdown if "previous instructions" in each.value}
    # What Markdown, formulas, icons and HTML are made of is escaped.
    for mark in ("\\<script\\>", "\\*\\*ignore", "\\$\\$x", "\\:red\\[100\\]", "\\[a\\]\\("):
        assert mark in quoted, mark
    assert HOSTILE in texts(app)
    assert "javascript:" not in texts(app)


def test_a_vendor_with_too_few_reviews_has_no_figure(workspace: Path) -> None:
    with Store(f"sqlite:///{workspace / STORE_FILE}") as store:
        store.add_reviews(reviews("mailgun", 3, 0.5))
    app = shown()
    said = texts(app)
    assert "**Mailgun** has too few reviews for a figure." in said
    assert (
        "Rating: unknown. There are too few reviews that say something about it: 3 star ratings; 5 are needed." in said
    )
    assert [each.value for each in app.metric][:2] == ["unknown", "unknown"]


FILE = "Rating,Review,Date\n" + "".join(
    f"{1 + n % 5},Support answered ticket {n:x}{n * 7919:x} and the setup was easy.,2026-10-{1 + n % 28:02}\n"
    for n in range(40)
)


def test_a_file_is_looked_at_and_imported(workspace: Path) -> None:
    app = shown()
    app.file_uploader(key="import_file_0").upload("reviews.csv", FILE.encode())
    app.run(timeout=120)
    assert not app.exception
    assert "Choose above whom the reviews are about." in [each.value for each in app.info]
    app.selectbox(key="import_vendor_").select("mailgun").run(timeout=120)
    assert not app.exception
    assert "**CSV" in texts(app)
    assert "40 reviews in 40 rows" in texts(app)
    (button,) = [each for each in app.button if each.label.startswith("Import 40 reviews")]
    assert button.disabled
    app.text_input(key="import_source").input("our-survey").run(timeout=120)
    (button,) = [each for each in app.button if each.label.startswith("Import 40 reviews")]
    button.click().run(timeout=120)
    assert not app.exception
    assert "40 new, 0 stored before" in app.success[0].value
    with Store(f"sqlite:///{workspace / STORE_FILE}") as store:
        assert len(store.reviews()) == 40
        assert {each.kind for each in store.observations()} == {"reviewed"}


def test_a_file_that_is_none_is_refused_in_words(workspace: Path) -> None:
    app = shown()
    app.file_uploader(key="import_file_0").upload("reviews.xlsx", b"PK\x03\x04 no workbook")
    app.selectbox(key="import_vendor_").select("mailgun")
    app.run(timeout=120)
    assert not app.exception
    assert len(app.error) == 1
    assert not [each for each in app.button if each.label.startswith("Import")]


def test_the_sheet_of_a_workbook_can_be_chosen(workspace: Path) -> None:
    path = workspace / "years.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for year in (2025, 2026):
            sheet = book.add_worksheet(str(year))
            sheet.write_row(0, 0, ["Date", "Rating", "Review"])
            for day in range(1, 3 + (year == 2026)):
                sheet.write_row(day, 0, [f"{year}-03-0{day}", 5, f"Opinion number {day} of {year}."])
    app = shown()
    app.file_uploader(key="import_file_0").upload("years.xlsx", path.read_bytes())
    app.selectbox(key="import_vendor_").select("mailgun").run(timeout=120)
    assert not app.exception
    assert "2 reviews in 2 rows" in texts(app)
    (box,) = [each for each in app.selectbox if each.label == "Sheet of the workbook"]
    assert list(box.options) == ["2025", "2026"]
    box.select("2026").run(timeout=120)
    assert not app.exception
    assert "3 reviews in 3 rows" in texts(app)


def test_what_was_classified_once_is_not_classified_again(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reviewed(workspace)
    monkeypatch.setattr(reading, "_memory", {})
    before = texts(shown("Twilio SendGrid"))
    assert reading._memory
    st.cache_resource.clear()
    monkeypatch.setattr(reading, "_memory", {})
    monkeypatch.setattr(reading, "classify", lambda some: pytest.fail(f"{len(some)} texts classified again"))
    assert texts(shown("Twilio SendGrid")) == before
