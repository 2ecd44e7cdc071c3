"""The Trials page, drawn by Streamlit itself over real files."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from mailrubric.trials import folder, support, surveys
from mailrubric.workspace import Workspace

pytestmark = [pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)> **bold** $x$ :material/close: \u202eabc"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "vendors").mkdir()
    (tmp_path / "mailrubric.yaml").write_text("shipped_vendors: false\n")
    for name in ("acme", "bolt"):
        (tmp_path / "vendors" / f"{name}.yaml").write_text(f"id: {name}\nname: {name.title()}\ncategory: esp\n")
    monkeypatch.setenv("MAILRUBRIC_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)
    return tmp_path


def opened(part: str) -> AppTest:
    app = AppTest.from_string("from mailrubric.dashboard import trials\ntrials.page()", default_timeout=120)
    app.query_params["trial_part"] = part
    app.run()
    assert not app.exception
    return app


def press(app: AppTest, name: str) -> AppTest:
    next(button for button in app.button if button.label == name).click()
    app.run()
    assert not app.exception
    return app


def read(place: Path) -> folder.Trials:
    return folder.of_workspace(place, Workspace.open(place).catalogue())


def said(app: AppTest) -> str:
    return " ".join(each.value for each in (*app.markdown, *app.caption, *app.info)).replace("\\", "")


def test_nothing_yet_says_how_to_begin(place):
    assert "Nothing has been tried or answered yet." in said(opened("Overview"))


def test_the_clock_of_a_task(place):
    app = press(opened("Tasks"), "Start")
    work = read(place).trials["acme"].of("tester-1", "sign-up")
    assert work is not None
    assert work.state == "running"
    assert "the clock runs" in said(app)
    press(app, "Pause")
    press(app, "Go on")
    app = press(app, "Done")
    work = read(place).trials["acme"].of("tester-1", "sign-up")
    assert work.state == "done"
    assert len(work.spans) == 2
    assert "The first message is not sent" in said(app)


def test_a_tester_is_a_label(place):
    app = opened("Tasks")
    app.text_input(key="tester").set_value("Ann Smith").run()
    assert "is no label" in app.error[0].value.replace("\\", "")
    assert not app.exception


def test_ten_answers_or_none(place):
    app = opened("Usability")
    press(app, "Keep this answer")
    assert "please answer statement 1, 2, 3" in app.error[0].value
    assert not (place / "trials").exists()
    for number in range(1, 11):
        app.button_group(key=f"sus_acme_0_q{number}").set_value(5 if number % 2 else 1)
    app.text_input(key="sus_acme_0_comment").set_value(HOSTILE)
    press(app, "Keep this answer")
    (answer,) = read(place).answers
    assert surveys.sus_score([item or 0 for item in answer.items]) == 100
    assert "\u202e" not in answer.comment
    assert "100.0 of 100 from 1 answer" in said(app)
    assert app.button_group(key="sus_acme_1_q1").value is None, "the next person finds an empty form"


def test_a_reference(place):
    app = opened("References")
    press(app, "Keep this answer")
    assert "please choose a figure" in app.error[0].value
    app.button_group(key="reference_acme_0_score").set_value(9)
    press(app, "Keep this answer")
    assert read(place).answers[0].score == 9
    assert "9.0 of 10 from 1 reference" in said(app)


def test_a_ticket_and_what_came_of_it(place):
    app = opened("Support")
    app.text_input(key="ticket_acme_0_note").set_value(HOSTILE)
    press(app, "Write it down")
    (ticket,) = read(place).tickets
    assert ticket.first_reply is None
    assert "onerror" in ticket.note
    app.button_group(key="came_acme_1_what").set_value("Reply that solved it")
    app.button_group(key="came_acme_1_helpful").set_value("yes")
    next(button for button in reversed(app.button) if button.label == "Write it down").click()
    app.run()
    assert not app.exception
    assert not app.error, [each.value for each in app.error]
    (ticket,) = read(place).tickets
    assert ticket.solved == ticket.first_reply is not None
    assert ticket.helpful is True
    assert "Median time to solution over 1 ticket" in said(app)


def test_a_ticket_that_is_to_come_is_refused(place):
    app = opened("Support")
    app.datetime_input(key="ticket_acme_0_opened").set_value(datetime.now().replace(microsecond=0) + timedelta(days=3))
    next(button for button in app.button if button.label == "Write it down").click()
    app.run()
    assert not app.exception
    assert "opened: lies in the future" in " ".join(each.value for each in app.error).replace("\\", "")
    assert not (place / "trials" / support.FILE).exists()


def test_what_cannot_be_written_is_said(place):
    opened_at = read(place)
    assert not opened_at.tickets
    app = opened("Support")
    (place / "trials").mkdir()
    (place / "trials" / support.FILE).write_text('vendor,opened\n"open\n')
    next(button for button in app.button if button.label == "Write it down").click()
    app.run()
    assert not app.exception
    assert "never closed" in " ".join(each.value for each in app.error).replace("\\", "")
    assert (place / "trials" / support.FILE).read_text() == 'vendor,opened\n"open\n'


def test_the_overview_shows_each_vendor_with_its_interval_and_why_not(place):
    (place / "trials").mkdir()
    (place / "trials" / "surveys.csv").write_text(
        "vendor,survey,date,q1,q2,q3,q4,q5,q6,q7,q8,q9,q10,score,comment\n"
        "acme,sus,2024-03-04,4,2,4,2,4,2,4,2,4,2,,\nacme,sus,2024-03-05,5,1,5,1,5,1,5,1,5,1,,\n"
        "bolt,sus,2024-03-05,4,,,,,,,,,,,\n"
    )
    app = opened("Overview")
    (table,) = app.dataframe
    rows = {row["Vendor"]: row for row in table.value.to_dict("records")}
    assert rows["Acme"]["Usability (SUS)"] == 87.5
    assert rows["Acme"]["Answers"] == 2
    assert rows["Acme"]["Interval"] == "0.0 to 100.0"
    assert pd.isna(rows["Bolt"]["Usability (SUS)"])
    assert "the best is Acme with 87.5, of 1 vendor" in said(app)
    assert "No complete answer yet" in rows["Bolt"]["Why unknown"]
    assert "87.5 of 100 from 2 answers" in said(app)


def test_a_faulty_file_is_named_and_nothing_is_scored(place):
    (place / "trials").mkdir()
    (place / "trials" / "support.csv").write_text("vendor,opened\nacme,then\n")
    app = opened("Overview")
    assert "support.csv:2:6: opened: expected a time" in app.error[0].value.replace("\\", "")
    assert not app.dataframe
