"""``mailrubric survey``, ``trial`` and ``support``: what is written is read back, summed up, scored and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

HOSTILE = "\x1b[31mred\x07 =HYPERLINK(1) \u202eabc"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    (folder / "vendors").mkdir(parents=True)
    (folder / "mailrubric.yaml").write_text("shipped_vendors: false\n")
    for name in ("acme", "bolt"):
        (folder / "vendors" / f"{name}.yaml").write_text(f"id: {name}\nname: {name.title()}\ncategory: esp\n")
    return folder


@pytest.fixture
def run(call, own):
    return lambda *words: call(*words, "--workspace", own)


def cell(run, criterion: str) -> dict:
    found = run("explain", "acme", "--json").json["vendor"]["criteria"]
    return next(each for each in found if each["id"] == criterion)


@pytest.mark.slow
def test_answers_are_added_summed_up_and_scored(run, own):
    assert run("survey", "add", "acme", "sus", "--answers", "5,4,2,1,2,3,2,4,5,2").out.endswith(
        "surveys.csv: 55.0 of 100\n"
    )
    run("survey", "add", "acme", "--answers", "4,2,4,2,4,2,4,2,4,2", "--date", "2024-03-04", "--comment", HOSTILE)
    run("survey", "add", "acme", "reference", "--score", 9)
    result = run("survey", "summary")
    assert result.out.splitlines()[0] == "acme"
    assert "65.0 of 100 from 2 answers" in result.out
    assert "net promoter score +100" in result.out
    found = run("survey", "summary", "acme", "--json").json["vendors"]
    assert [each["id"] for each in found] == ["acme"]
    assert found[0]["sus"]["score"]["value"] == 65
    assert found[0]["reference"]["score"]["n"] == 1
    text = (own / "trials" / "surveys.csv").read_text()
    assert "\x1b" not in text
    assert "\x07" not in text
    scored = cell(run, "usability-scale")
    assert (scored["value"], scored["kind"], scored["n"]) == (65.0, "surveyed", 2)
    assert scored["low"] < scored["score"] < scored["high"]
    assert run("validate").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "nobody", "sus"), "no vendor has the id nobody"),
        (("add", "acme", "nps", "--score", "9"), "no such survey: nps"),
        (("add", "acme", "sus"), "--answers is missing"),
        (("add", "acme", "sus", "--answers", "1,2,3"), "expected ten figures from 1 to 5"),
        (("add", "acme", "sus", "--answers", "1,2,3,4,5,1,2,3,4,6"), "expected ten figures"),
        (("add", "acme", "sus", "--score", "9"), "--score is for references"),
        (("add", "acme", "reference"), "a reference answers with --score N"),
        (("add", "acme", "reference", "--score", "9", "--date", "yesterday"), "a date such as 2026-11-23"),
        (("add", "acme", "reference", "--score", "9", "--date", "2999-01-01"), "date: 2999-01-01 lies in the future"),
        (("summary", "nobody"), "no vendor has the id nobody"),
    ],
)
def test_wrong_words_about_surveys(run, own, words, said):
    result = run("survey", *words)
    assert result.code == 2
    assert said in result.err
    assert not (own / "trials").exists()


def test_the_statements_are_asked_one_by_one(run, own, monkeypatch):
    typed = iter(["4", "9", "", "2", "4", "2", "4", "2", "4", "2", "4", "2"])
    monkeypatch.setattr("mailrubric.cli.survey.interactive", lambda stream: True)
    monkeypatch.setattr("typer.prompt", lambda text, **options: next(typed))
    assert run("survey", "add", "acme", "sus").out.endswith("75.0 of 100\n")


@pytest.mark.parametrize(
    ("group", "hint"), [("survey", "survey add"), ("trial", "trial start"), ("support", "support log")]
)
def test_nothing_yet_is_exit_code_3_and_says_what_to_do(run, group, hint):
    result = run(group, "summary")
    assert result.code == 3
    assert f"mailrubric {hint}" in result.out
    assert run(group, "summary", "--json").json["vendors"] == []


@pytest.mark.slow
def test_a_trial_from_start_to_score(run, own):
    run("trial", "start", "acme", "sign-up", "--at", "2024-03-04T10:00+01:00")
    run("trial", "log", "acme", "sign-up", "--done", "--at", "2024-03-04T09:06Z", "--note", HOSTILE)
    run("trial", "start", "acme", "first-message", "--at", "2024-03-04T10:00Z")
    paused = run("trial", "log", "acme", "first-message", "--pause", "--at", "2024-03-04T10:10Z", "--json").json
    assert (paused["state"], paused["minutes"]) == ("paused", 10)
    unfinished = cell(run, "time-to-first-send")
    assert (unfinished["value"], unfinished["cause"]) == (None, "unfinished")
    assert "at least 16 minutes" in unfinished["detail"]
    ways = run("explain", "acme", "--json").json["find_out"]
    assert "mailrubric trial summary acme" in [
        way["command"] for way in ways if "time-to-first-send" in way["criteria"]
    ]
    run("trial", "start", "acme", "first-message", "--at", "2024-03-04T12:00Z")
    assert "done, 15 minutes" in run("trial", "log", "acme", "first-message", "--done", "--at", "2024-03-04T12:05Z").out
    run("trial", "log", "acme", "webhook", "--gave-up", "--started", "2024-03-04T13:00Z", "--at", "2024-03-04T13:30Z")
    result = run("trial", "summary")
    assert "21 minutes of work from sign-up to the first message (one tester)." in result.out
    assert "2 of 3 tasks that came to an end were completed: 67 %" in result.out
    assert "\x1b" not in result.out
    found = run("trial", "summary", "--json").json["vendors"][0]
    assert (found["first_send_minutes"], found["completed"]["n"]) == (21, 3)
    assert [work["state"] for work in found["work"]] == ["done", "done", "gave-up"]
    assert cell(run, "time-to-first-send")["value"] == 21
    assert cell(run, "tasks-completed")["n"] == 3
    assert run("validate").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "acme", "nothing"), "no task has the id nothing; there are sign-up, first-message"),
        (("start", "nobody", "sign-up"), "no vendor has the id nobody"),
        (("start", "acme", "sign-up", "--tester", "Ann Smith"), "is no label such as tester-1"),
        (("start", "acme", "sign-up", "--at", "9:00"), "--at: expected a time such as"),
        (("log", "acme", "sign-up", "--done"), "it was not started"),
        (("start", "acme", "sign-up", "--at", "2999-01-01T10:00Z"), "start: lies in the future"),
        (
            ("log", "acme", "sign-up", "--done", "--started", "2024-03-04T09:00Z", "--at", "2999-01-01T10:00Z"),
            "done: lies in the future",
        ),
        (("log", "acme", "sign-up"), "say one of --done, --gave-up and --pause"),
        (("log", "acme", "sign-up", "--done", "--gave-up"), "say one of --done"),
    ],
)
def test_wrong_words_about_trials(run, own, words, said):
    result = run("trial", *words)
    assert result.code == 2
    assert said in result.err
    assert not list((own / "trials").glob("*")) if (own / "trials").exists() else True


def test_tasks_are_listed_and_copied_once(run, own):
    assert "webhook" in run("trial", "tasks", "acme").out
    assert "mail-program" not in run("trial", "tasks", "acme").out
    written = run("trial", "tasks", "--write", "--json").json
    assert written["path"].endswith("trials/tasks.yaml")
    again = run("trial", "tasks", "--write")
    assert again.code == 1
    assert "exists already and is left as it is" in again.err
    (own / "trials" / "tasks.yaml").write_text("tasks: [{id: only-this, title: Only this}]\n")
    assert run("trial", "tasks", "--json").json["tasks"] == [
        {"id": "only-this", "title": "Only this", "applies_to": []}
    ]


@pytest.mark.slow
def test_a_ticket_from_opened_to_score(run, own):
    run("support", "log", "acme", "--channel", "email", "--opened", "2024-03-04T10:00+01:00", "--note", "@sum")
    replied = run("support", "log", "acme", "--replied", "2024-03-04T12:00+01:00", "--json").json
    assert (replied["opened"], replied["new"]) == ("2024-03-04T09:00:00Z", False)
    run("support", "log", "acme", "--solved", "2024-03-05T10:00+01:00", "--helpful")
    run(
        "support", "log", "acme", "--channel", "chat", "--opened", "2024-03-05T09:00Z", "--replied", "2024-03-05T09:30Z"
    )
    result = run("support", "summary", "--hours", "Europe/Berlin mon-fri 09:00-17:00")
    assert "Median time to first reply over 2 tickets: 1.25 hours (too few for an interval)" in result.out
    assert "Working hours: Europe/Berlin mon-fri 09:00-17:00." in result.out
    found = run("support", "summary", "--json").json["vendors"][0]
    assert found["first_reply"]["median"]["value"] == 1.25
    assert found["first_reply"]["median"]["high"] is None
    assert (found["solved"]["waiting"], found["hours"]) == (1, None)
    assert cell(run, "support-first-reply")["value"] == 1.25
    assert cell(run, "support-helpful")["n"] == 1
    # Solved by the first reply: both are written. One whose solution is missing is meant without naming it.
    both = run(
        "support", "log", "bolt", "--opened", "2024-03-05T09:00Z", "--solved", "2024-03-05T10:00Z", "--json"
    ).json
    assert both["changes"] == {"first_reply": "2024-03-05T10:00:00Z", "solved": "2024-03-05T10:00:00Z"}
    run("support", "log", "acme", "--solved", "2024-03-06T09:00Z")
    assert run("support", "summary", "--json").json["vendors"][0]["solved"]["waiting"] == 0
    assert run("validate").code == 0


def test_two_waiting_tickets_must_be_told_apart(run, own):
    for hour in (9, 10):
        run("support", "log", "acme", "--opened", f"2024-03-04T{hour:02d}:00Z")
    result = run("support", "log", "acme", "--replied", "now")
    assert result.code == 2
    assert "say which with --opened: 2024-03-04T09:00:00Z, 2024-03-04T10:00:00Z" in result.err
    named = run("support", "log", "acme", "--opened", "2024-03-04T10:00Z", "--replied", "2024-03-04T11:00Z")
    assert named.code == 0
    again = run("support", "log", "acme", "--opened", "2024-03-04T10:00Z", "--replied", "2024-03-04T12:00Z")
    assert again.code == 2
    assert "first_reply is '2024-03-04T11:00:00Z' already (line 3)" in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("log", "acme", "--replied", "now"), "no ticket of acme waits for that"),
        (("log", "acme", "--opened", "2024-03-04T09:00"), "lacks its offset from UTC"),
        (("log", "acme", "--opened", "2999-01-01T10:00Z"), "opened: lies in the future"),
        (("log", "acme", "--opened", "2024-03-04T09:00Z", "--replied", "2999-01-01T10:00Z"), "first_reply: lies in"),
        (("log", "nobody"), "no vendor has the id nobody"),
        (("summary", "--hours", "whenever"), "--hours: write time zone, days and hours"),
    ],
)
def test_wrong_words_about_support(run, own, words, said):
    result = run("support", *words)
    assert result.code == 2
    assert said in result.err
    assert not (own / "trials" / "support.csv").exists()


def test_what_has_not_happened_yet_is_not_filled_in(run, own):
    run("support", "log", "acme", "--opened", "2024-03-04T09:00Z")
    before = (own / "trials" / "support.csv").read_bytes()
    for option in ("--replied", "--solved"):
        refused = run("support", "log", "acme", option, "2999-01-01T10:00Z")
        assert refused.code == 2
        assert "first_reply: lies in the future; write down what has happened" in refused.err
    assert (own / "trials" / "support.csv").read_bytes() == before
    filled = run("support", "log", "acme", "--replied", "2024-03-04T11:00Z")
    assert "acme: the ticket opened at 2024-03-04T09:00:00Z is filled in (first reply: 2024-03-04T11" in filled.out


@pytest.mark.slow
def test_a_faulty_file_stops_the_score_and_is_shown_by_validate(run, own):
    (own / "trials").mkdir()
    (own / "trials" / "support.csv").write_text("vendor,opened\nacme,then\n")
    for words in (("score",), ("explain", "acme"), ("freeze", "-o", own / "card.json"),
                  ("export", "-o", own / "card.csv"), ("support", "summary"), ("support", "log", "acme")):  # fmt: skip
        result = run(*words)
        assert result.code == 1, words
        assert "support.csv:2:6: opened: expected a time such as" in result.err
    assert (own / "trials" / "support.csv").read_text() == "vendor,opened\nacme,then\n"
    checked = run("validate", "--json").json
    assert [problem["key"] for problem in checked["problems"]] == ["opened"]
    assert run("validate", own / "trials").code == 1
    assert run("validate", own / "trials" / "support.csv").code == 1
    assert run("validate", own / "vendors").code == 0


def test_a_frozen_scorecard_keeps_them(run, own):
    run("survey", "add", "acme", "reference", "--score", 8)
    card = own / "card.json"
    assert run("freeze", "-o", card).code == 0
    (own / "trials" / "surveys.csv").unlink()
    assert "survey.reference_score" in card.read_text()
    assert cell(run, "peer-references")["value"] is None
