"""The log of hands-on trials: the clock, what a file may say, and how it grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.catalogue import yamlfile
from mailrubric.trials import table, tasks
from mailrubric.trials.tasks import Event, Trial

patient = settings(deadline=None, max_examples=30)  # the machine may have much else to do

TASKS = tasks.shipped_tasks()
NINE = datetime(2024, 3, 4, 9, tzinfo=UTC)
NOW = NINE + timedelta(days=1)


def at(minutes: float) -> str:
    return (NINE + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(minutes: float, kind: str, task: str = "first-message", tester: str = "tester-1", note: str = "") -> Event:
    return Event.model_validate({"at": at(minutes), "tester": tester, "task": task, "event": kind, "note": note})


def logged(tmp_path: Path, *events: Event) -> Trial:
    for each in events:
        tasks.log(tmp_path, "acme", [each], {"acme"}, TASKS)
    trial, problems = tasks.read_trial(tmp_path / "acme.yaml", {"acme"}, TASKS)
    assert problems == []
    assert trial is not None
    return trial


def summary(trial: Trial, now: datetime = NOW) -> tasks.TrialSummary:
    return tasks.summarise(trial, TASKS, "esp", now)


def signed_up(tester: str = "tester-1", begin: float = 0) -> list[Event]:
    return [event(begin, "start", "sign-up", tester), event(begin + 6, "done", "sign-up", tester)]


def test_pauses_and_the_time_between_tasks_do_not_count(tmp_path):
    trial = logged(
        tmp_path,
        *signed_up(),
        event(60, "start"), event(70, "pause"), event(300, "start"), event(305, "done"),
    )  # fmt: skip
    found = summary(trial)
    assert found.first_send == 6 + 10 + 5
    assert (found.shortest, found.longest) == (21, 21)
    assert found.sentences[0] == "21 minutes of work from sign-up to the first message (one tester)."


def test_all_that_was_done_on_the_way_counts_once(tmp_path):
    trial = logged(
        tmp_path,
        *signed_up(),
        event(10, "start", "domain-authenticated"), event(40, "done", "domain-authenticated"),
        event(30, "start"), event(50, "done"),
        event(60, "start", "export"), event(90, "done", "export"),
    )  # fmt: skip
    assert summary(trial).first_send == 6 + 40, "two clocks ran together for ten minutes; export came after it"


def test_what_is_not_finished_has_no_time_and_is_not_zero(tmp_path):
    trial = logged(tmp_path, *signed_up(), event(10, "start"), event(30, "pause"))
    found = summary(trial)
    assert found.first_send is None
    assert found.at_least == 26
    assert found.sentences[0] == "The first message is not sent: at least 26 minutes of work (not there yet)."
    running = logged(tmp_path, event(40, "start"))
    assert summary(running, NINE + timedelta(minutes=50)).at_least == 36


def test_signed_up_and_nothing_sent_is_no_time_either(tmp_path):
    found = summary(logged(tmp_path, *signed_up()))
    assert (found.first_send, found.at_least) == (None, 6)


def test_without_a_timed_sign_up_there_is_no_time(tmp_path):
    found = summary(logged(tmp_path, event(0, "start"), event(5, "done")))
    assert (found.first_send, found.first_sends) == (None, ())
    assert found.sentences[0].startswith("Nobody's sign-up was timed")


def test_the_median_of_testers_with_their_range(tmp_path):
    events = []
    for number, minutes in enumerate((10, 40, 20), 1):
        tester = f"tester-{number}"
        events += [*signed_up(tester), event(10, "start", tester=tester), event(10 + minutes, "done", tester=tester)]
    found = summary(logged(tmp_path, *events))
    assert (found.first_send, found.shortest, found.longest) == (26, 16, 46)
    assert "median of 3 testers, 16 to 46" in found.sentences[0]


def test_who_gives_up_is_later_than_everybody_not_as_quick_as_he_was(tmp_path):
    one = [*signed_up(), event(10, "start"), event(30, "done")]
    other = [*signed_up("tester-2"), event(10, "start", tester="tester-2"), event(12, "gave-up", tester="tester-2")]
    found = summary(logged(tmp_path, *one, *other))
    assert found.first_send is None, "half of them never sent: the median is not known"
    assert "1 of 2 gave up" in found.sentences[0]
    third = [*signed_up("tester-3"), event(10, "start", tester="tester-3"), event(20, "done", tester="tester-3")]
    found = summary(logged(tmp_path, *third))
    assert found.first_send == 26, "of 16, 26 and never"
    assert "or more" in found.sentences[0]


def test_the_share_of_tasks_counts_what_came_to_an_end(tmp_path):
    trial = logged(
        tmp_path,
        *signed_up(),
        event(10, "start", "webhook"), event(20, "gave-up", "webhook"),
        event(20, "start", "export"),
        event(20, "start", "webhook", "tester-2"), event(20, "done", "webhook", "tester-2"),
    )  # fmt: skip
    found = summary(trial)
    assert found.completed is not None
    assert found.completed.value == pytest.approx(100 * 2 / 3)
    assert found.completed.n == 3
    assert found.completed.low < 66.6 < found.completed.high
    assert len(found.gave_up) == 1
    assert any("template" in title for title in found.untried)


def test_one_task_is_not_spoken_of_as_several(tmp_path):
    one = [event(10, "start", "webhook"), event(20, "gave-up", "webhook")]
    assert (
        "1 of 1 task that came to an end was completed: 100 %" in summary(logged(tmp_path, *signed_up())).sentences[1]
    )
    assert "1 of 2 tasks that came to an end was completed: 50 %" in summary(logged(tmp_path, *one)).sentences[1]


def test_what_lies_ahead_is_not_logged(tmp_path):
    with pytest.raises(ValueError, match="start: lies in the future"):
        tasks.log(tmp_path, "acme", [event(0, "start").model_copy(update={"at": "2999-01-01T00:00Z"})], {"acme"}, TASKS)
    assert not list(tmp_path.glob("*.yaml"))


def test_a_task_that_was_given_up_and_done_later_is_done(tmp_path):
    trial = logged(tmp_path, event(0, "start"), event(5, "gave-up"), event(60, "start"), event(65, "done"))
    found = summary(trial)
    assert found.completed is not None
    assert found.completed.value == 100
    assert trial.work[0].minutes(NOW) == 10


def test_tasks_are_those_of_the_category():
    names = {task.id for task in tasks.applicable(TASKS, "mailbox")}
    assert "mail-program" in names
    assert "webhook" not in names
    assert {tasks.SIGN_UP, tasks.FIRST_MESSAGE} <= names


def test_what_was_not_yet_known_is_left_out(tmp_path):
    logged(tmp_path, *signed_up(), event(10, "start"), event(30, "done"))
    trial, problems = tasks.read_trial(tmp_path / "acme.yaml", {"acme"}, TASKS, NINE + timedelta(minutes=20))
    assert problems == []
    assert trial is not None
    assert trial.of("tester-1", "first-message").state == "running"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], "done", "it was not started"),
        ([], "pause", "it does not run"),
        (["start"], "start", "it was started already and runs"),
        (["start", "done"], "done", "it is done already"),
        (["start", "gave-up"], "done", "it is given up already"),
        (["start", "pause"], "pause", "it does not run"),
    ],
)
def test_an_event_that_cannot_follow_is_refused_and_nothing_written(tmp_path, before, after, said):
    path = tmp_path / "acme.yaml"
    path.write_text("vendor: acme\n")
    for minute, kind in enumerate(before):
        logged(tmp_path, event(minute, kind))
    text = path.read_text()
    with pytest.raises(ValueError, match=said):
        tasks.log(tmp_path, "acme", [event(30, after)], {"acme"}, TASKS)
    assert path.read_text() == text


FILES = {
    "no log yet": "# mine\nvendor: acme   # a remark\n",
    "an empty log": "vendor: acme\nlog:\n# the end\n",
    "no line end": "vendor: acme\nlog:\n  - {at: 2024-02-20T09:00:00Z, task: export, event: start}",
    "windows": "vendor: acme\r\nlog:\r\n  - {at: 2024-02-20T09:00:00Z, task: export, event: start}\r\n",
    "no indent": "vendor: acme\nlog:\n- {at: 2024-02-20T09:00:00Z, task: export, event: start}\n",
    "a key behind": (
        "log:\n    # why\n    - at: 2024-02-20T09:00:00Z\n      task: export\n      event: start\n      note: |\n"
        "        two\n        lines\n\n# hours\nsupport_hours: {zone: Europe/Berlin}\nvendor: acme # x\n"
    ),
    "a long event": (
        "vendor: acme\nlog:\n  - {at: 2024-02-20T09:00:00Z,\n     task: export, event: start,\n     note: x}\n"
    ),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_a_file_grows_and_nothing_of_it_is_lost(tmp_path, text):
    path = tmp_path / "acme.yaml"
    path.write_bytes(text.encode())
    before = yamlfile.read(path.read_bytes()).data
    logged(tmp_path, event(0, "start", "sign-up", note='he said: "no" # é 👍'), event(4, "done", "sign-up"))
    new = path.read_bytes().decode()
    rest = iter(new.splitlines())
    assert all(any(line == other for other in rest) for line in text.splitlines()), "every old line is there, in order"
    data = yamlfile.read(path.read_bytes()).data
    assert {key: data[key] for key in before if key != "log"} == {k: v for k, v in before.items() if k != "log"}
    assert data["log"][: len(before.get("log") or [])] == (before.get("log") or [])
    assert [each["event"] for each in data["log"][-2:]] == ["start", "done"]
    assert data["log"][-2]["note"] == 'he said: "no" # é 👍'
    if "\r\n" in text:
        assert "\n" not in new.replace("\r\n", "")


@pytest.mark.parametrize(
    "text",
    ["vendor: acme\nlog: []\n", "{vendor: acme, log: [{at: 2024-02-20T09:00:00Z, task: export, event: start}]}\n"],
)
def test_a_layout_that_cannot_grow_is_left_alone(tmp_path, text):
    path = tmp_path / "acme.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="by hand"):
        tasks.log(tmp_path, "acme", [event(0, "start")], {"acme"}, TASKS)
    assert path.read_text() == text


def test_nothing_is_added_to_a_file_with_faults(tmp_path):
    path = tmp_path / "acme.yaml"
    path.write_text("vendor: acme\nlog:\n  - {at: yesterday, task: export, event: start}\n")
    with pytest.raises(table.TableError, match="expected a time such as"):
        tasks.log(tmp_path, "acme", [event(0, "start")], {"acme"}, TASKS)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("vendor: bolt\n", "1:9: vendor", "must be the file's name, 'acme'"),
        ("vendor: acme\nlogs: []\n", "2:1: logs", "unknown key; did you mean 'log'?"),
        ("vendor: acme\nvendor: acme\n", "2:1: vendor", "this key stands in line 1 already"),
        (
            "vendor: acme\nlog:\n  - {at: 2024-02-20T09:00, task: export, event: start}\n",
            "3:10: log[0].at",
            "lacks its offset",
        ),
        (
            "vendor: acme\nlog:\n  - {at: 2024-13-20T09:00Z, task: export, event: start}\n",
            "3:10: log[0].at",
            "is no time",
        ),
        (
            "vendor: acme\nlog:\n  - {at: 2024-02-20T09:00Z, task: exprt, event: start}\n",
            "3:35: log[0].task",
            "no task has the id 'exprt'; did you mean 'export'?",
        ),
        (
            "vendor: acme\nlog:\n  - {at: 2024-02-20T09:00Z, task: export, event: begin}\n",
            "3:50: log[0].event",
            "expected",
        ),
        (
            "vendor: acme\nlog:\n  - {at: 2024-02-20T09:00Z, task: export, event: done}\n",
            "3:50: log[0].event",
            "it was not started",
        ),
        ("vendor: acme\nsupport_hours: {zone: Nowhere}\n", "2:23: support_hours.zone", "is no time zone"),
        ("vendor: acme\nsupport_hours: {zone: UTC, days: always}\n", "2:34: support_hours.days", "are no days"),
        ("- a\n", "1:1: ", "expected"),
        ("vendor: [\n", "2:1: ", "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, monkeypatch, text, place, said):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "acme.yaml"
    path.write_text(text)
    _, problems = tasks.read_trial(path, {"acme"}, TASKS)
    errors = [str(problem) for problem in problems if problem.severity == "error"]
    assert len(errors) == 1
    assert errors[0].startswith(f"acme.yaml:{place}")
    assert said in errors[0]


def test_an_unknown_vendor_is_named(tmp_path):
    (tmp_path / "acmee.yaml").write_text("vendor: acmee\n")
    _, problems = tasks.read_trial(tmp_path / "acmee.yaml", {"acme"}, TASKS)
    assert "no vendor has the id 'acmee'; did you mean 'acme'?" in str(problems[0])


def test_a_list_of_tasks_of_ones_own(tmp_path):
    path = tasks.write_tasks(tmp_path)
    assert tasks.read_tasks(path) == (TASKS, [])
    with pytest.raises(FileExistsError):
        tasks.write_tasks(tmp_path)
    path.write_text("tasks:\n  - {id: sign-up, title: x}\n  - {id: 'on', title: y}\n  - {id: sign-up, title: z}\n")
    found, problems = tasks.read_tasks(path)
    assert [task.id for task in found] == ["sign-up", "on", "sign-up"]
    assert "another task has the id 'sign-up'" in str(problems[0])
    path.write_text("tasks:\n  - {id: sign-up, title: x}\n  - {id: 'on', title: y}\n")
    own, _ = tasks.read_tasks(path)
    tasks.log(tmp_path, "acme", [event(0, "start", "on", "no")], {"acme"}, own)
    trial, problems = tasks.read_trial(tmp_path / "acme.yaml", {"acme"}, own)
    assert problems == []
    assert trial.of("no", "on").state == "running", "words that YAML takes for values are put in quotes"


spans = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 100)), min_size=1, max_size=6)


@patient
@given(spans)
def test_hands_on_time_is_never_more_than_the_clock_and_never_less_than_the_longest_span(pairs):
    clock = 0
    made: list[tuple[datetime, datetime]] = []
    for gap, length in pairs:
        clock += gap
        made.append((NINE + timedelta(minutes=clock), NINE + timedelta(minutes=clock + length)))
        clock += length
    last = made[-1][1]
    work = (
        tasks.Work("a", "sign-up", "done", ((made[0]),), (), made[0][1], made[0][1]),
        tasks.Work("a", "first-message", "done", tuple(made), (), last, last),
    )
    found = tasks.first_send(Trial("acme", work), "a", NOW + timedelta(days=30))
    assert found.minutes == pytest.approx(sum(length for _, length in pairs))
    assert found.minutes <= (last - made[0][0]).total_seconds() / 60 + 1e-9
