"""Support tickets: strict reading, filling in without overwriting, waits with those that go on."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.evidence.times import written
from mailrubric.trials import support
from mailrubric.trials.hours import parse
from mailrubric.trials.intervals import Quantile
from mailrubric.trials.support import Ticket

patient = settings(deadline=None, max_examples=30)  # the machine may have much else to do

HEADER = "vendor,channel,opened,first_reply,solved,helpful,note\n"
MONDAY = datetime(2024, 3, 4, 9, tzinfo=UTC)
BERLIN = parse("Europe/Berlin mon-fri 09:00-17:00")


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def read(folder: Path, text: str):
    path = folder / support.FILE
    path.write_text(text)
    return support.read(path, {"acme", "bolt"})


def ticket(reply: float | None = None, solved: float | None = None, helpful: bool | None = None, begin: float = 0):
    opened = MONDAY + hours(begin)
    return Ticket(
        "acme", "email", opened,
        None if reply is None else opened + hours(reply), None if solved is None else opened + hours(solved), helpful,
    )  # fmt: skip


def summary(tickets, now: float = 1000, desk=None) -> support.SupportSummary:
    return support.summarise(tickets, {} if desk is None else {"acme": desk}, MONDAY + hours(now))["acme"]


def test_median_and_ninetieth_percentile():
    found = summary([ticket(hour, hour * 2) for hour in range(1, 11)])
    assert found.first_reply.median.value == 5.5
    assert found.first_reply.slow.value == 9.5
    assert (found.first_reply.median.low, found.first_reply.median.high) == (2, 9)
    assert found.solved.median.value == 11
    assert found.first_reply.business_median is None


def test_waiting_tickets_count_with_what_they_have_waited():
    found = summary([ticket(1), ticket(2), ticket()], now=120)
    assert found.first_reply.median.value == 2
    assert (found.first_reply.tickets, found.first_reply.waiting) == (3, 1)
    assert found.solved.median.value is None
    assert found.solved.median.at_least == 120
    assert "3 of them still waiting: at least 5 days" in found.sentences[1]


def test_only_what_was_known_then_counts():
    tickets = [ticket(10, 20, True), ticket(1, begin=50)]
    found = summary(tickets, now=5)
    assert found.tickets == 1
    assert found.first_reply.median.value is None
    assert found.first_reply.median.at_least == 5
    assert found.helpful is None
    assert support.summarise(tickets, {}, MONDAY - hours(1)) == {}


def test_working_hours_beside_the_clock():
    # Opened on Friday at 16:00 in Berlin, answered on Monday at 10:00: 66 hours by the clock, two at work.
    friday = datetime(2024, 3, 8, 15, tzinfo=UTC)
    weekend = Ticket("acme", "email", friday, friday + hours(66))
    found = summary([weekend], now=500, desk=BERLIN)
    assert found.first_reply.median.value == 66
    assert found.first_reply.business_median.value == 2
    assert found.hours == "Europe/Berlin mon-fri 09:00-17:00"
    assert "In working hours: 2 hours" in found.sentences[0]


def test_an_answer_across_the_change_of_clocks():
    # Opened on the evening before summer time begins: the night is an hour shorter.
    opened = datetime.fromisoformat("2024-03-30T20:00+01:00")
    answered = datetime.fromisoformat("2024-03-31T08:00+02:00")
    found = summary([Ticket("acme", "chat", opened, answered)], now=2000)
    assert found.first_reply.median.value == 11


def test_the_share_of_helpful_answers():
    found = summary([ticket(1, helpful=True), ticket(1, helpful=False), ticket(1, helpful=True), ticket(1)])
    assert found.helpful is not None
    assert (found.helpful.n, found.helpful.value) == (3, pytest.approx(66.67, abs=0.01))


@patient
@given(st.lists(st.tuples(st.integers(0, 200), st.none() | st.integers(0, 300)), min_size=1, max_size=20), st.randoms())
def test_the_order_of_tickets_means_nothing(pairs, chance):
    tickets = [ticket(reply, begin=begin) for begin, reply in pairs]
    before = support.summarise(tickets, {"acme": BERLIN}, MONDAY + hours(600))
    chance.shuffle(tickets)
    assert support.summarise(tickets, {"acme": BERLIN}, MONDAY + hours(600)) == before


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2024-03-04T09:30+01:00", "2024-03-04T08:30:00Z"),
        ("2024-03-04 09:30 +01:00", "2024-03-04T08:30:00Z"),
        ("2024-03-04T09:30:15Z", "2024-03-04T09:30:15Z"),
        ("2024-03-04T09:30-0500", "2024-03-04T14:30:00Z"),
    ],
)
def test_times_with_their_offset(text, when):
    assert written(support.instant(text)) == when


@pytest.mark.parametrize(
    ("row", "place", "said"),
    [
        ("acme,email,2024-03-04T09:00,,,,", "12: opened", "lacks its offset from UTC"),
        ("acme,email,,,,,", "12: opened", "expected a time such as"),
        ("acme,email,04.03.2024 09:00,,,,", "12: opened", "expected a time such as"),
        ("acme,email,2024-02-30T09:00Z,,,,", "12: opened", "is no time"),
        ("acme,email,0001-01-01T00:00+23:00,,,,", "12: opened", "is no time that can be used"),
        ("acme,email,2024-03-04T09:00Z,2024-03-04T08:00Z,,,", "30: first_reply", "comes before the ticket was opened"),
        ("acme,email,2024-03-04T09:00Z,2024-03-05T08:00Z,2024-03-04T10:00Z,,", "48: solved", "before the first reply"),
        ("acme,email,2024-03-04T09:00Z,,2024-03-04T10:00Z,,", "31: solved", "had a first reply"),
        ("acme,email,2024-03-04T09:00Z,,,perhaps,", "32: helpful", "expected yes, no or nothing, got 'perhaps'"),
        ("akme,email,2024-03-04T09:00Z,,,,", "1: vendor", "did you mean 'acme'?"),
    ],
)
def test_what_is_wrong_is_said_with_its_cell(tmp_path, monkeypatch, row, place, said):
    monkeypatch.chdir(tmp_path)
    tickets, problems = read(tmp_path, f"{HEADER}bolt,chat,2024-03-04T09:00Z,,,,\n{row}\n")
    assert [each.vendor for each in tickets] == ["bolt"]
    assert len(problems) == 1
    assert str(problems[0]).startswith(f"support.csv:3:{place}: ")
    assert said in str(problems[0])


def test_a_time_to_come_is_a_warning(tmp_path):
    tickets, problems = read(tmp_path, f"{HEADER}acme,email,2024-03-04T09:00Z,2999-01-01T00:00Z,,,\n")
    assert [problem.severity for problem in problems] == ["warning"]
    assert tickets[0].at(MONDAY + hours(1)).first_reply is None


def test_clocks_may_differ_by_minutes_but_not_by_more(tmp_path):
    now = datetime.now(UTC).replace(microsecond=0)
    support.open_ticket(tmp_path, Ticket("acme", "email", now + timedelta(minutes=3)))
    before = (tmp_path / support.FILE).read_text()
    with pytest.raises(ValueError, match="opened: lies in the future"):
        support.open_ticket(tmp_path, Ticket("acme", "email", now + timedelta(hours=1)))
    with pytest.raises(ValueError, match="solved: lies in the future"):
        support.open_ticket(tmp_path, Ticket("acme", "email", MONDAY, MONDAY, now + timedelta(hours=1)))
    assert (tmp_path / support.FILE).read_text() == before


@pytest.mark.parametrize(
    ("value", "at_least", "low", "high", "words"),
    [
        (3.5, 3.5, 1, 9, "3.5 hours (95 % interval 1.0 to 9.0)"),
        (2, 2, 1, 34, "2 hours (95 % interval 1 to 34)"),
        (2.25, 2.25, 1, 33.96, "2.2 hours (95 % interval 1.0 to 34.0)"),
        (50, 50, 0.02, 120, "50.00 hours (95 % interval 0.02 to 120.00)"),
        (50.4, 50.4, 20, 1200, "50 hours (95 % interval 20 to 1,200)"),
        (4, 4, 1.5, None, "4.0 hours (95 % interval from 1.5 hours upwards)"),
        (None, 5, 1, None, "at least 5 hours (95 % interval from 1 hour upwards)"),
        (None, 100, 0, None, "at least 4.17 days (too few for an interval)"),
        (None, 72, 0, None, "at least 72 hours (too few for an interval)"),
        (1, 1, 1, 2, "1 hour (95 % interval 1 to 2)"),
        (50, 50, 24, 240, "50 hours (95 % interval 24 to 240)"),
        (96, 96, 24, 240, "4 days (95 % interval 1 to 10)"),
        (0.0, 0.0, 0, 0, "0 hours (95 % interval 0 to 0)"),
        (4 / 3600, 4 / 3600, 0, None, "4 seconds (too few for an interval)"),
        (0.2, 0.2, 4 / 3600, 0.5, "12.0 minutes (95 % interval 0.1 to 30.0)"),
        (0.2, 0.2, 0.1, None, "12 minutes (95 % interval from 6 minutes upwards)"),
    ],
)
def test_a_wait_and_its_interval_have_one_precision(value, at_least, low, high, words):
    assert support.quantile_words(Quantile(value, at_least, low, high, 9, 0)) == words


def test_a_ticket_is_written_then_filled_in(tmp_path):
    path = support.open_ticket(tmp_path, ticket())
    path.write_text("# ours\n" + path.read_text().replace("note\n", "note,own\n"))
    found, problems = support.read(path, {"acme"})
    assert problems == []
    support.update_ticket(tmp_path, found[0], {"first_reply": "2024-03-04T11:00:00Z", "note": "=help"})
    (again,), _ = support.read(path, {"acme"})
    assert (again.first_reply, again.note) == (MONDAY + hours(2), "=help")
    support.update_ticket(tmp_path, again, {"solved": "2024-03-05T11:00:00Z", "helpful": "yes"})
    assert path.read_text() == (
        "# ours\nvendor,channel,opened,first_reply,solved,helpful,note,own\n"
        "acme,email,2024-03-04T09:00:00Z,2024-03-04T11:00:00Z,2024-03-05T11:00:00Z,yes,'=help,\n"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first_reply": "2024-03-04T12:00:00Z"}, "first_reply is '2024-03-04T11:00:00Z' already"),
        ({"solved": "2024-03-04T10:00:00Z"}, "solved: comes before the first reply"),
        ({"helpful": "maybe"}, "helpful: expected yes, no or nothing"),
    ],
)
def test_nothing_is_overwritten_and_nothing_wrong_written(tmp_path, changes, said):
    path = support.open_ticket(tmp_path, ticket(2))
    text = path.read_text()
    (found,), _ = support.read(path, {"acme"})
    with pytest.raises(ValueError, match=said):
        support.update_ticket(tmp_path, found, changes)
    assert path.read_text() == text


def test_the_same_ticket_is_not_written_twice(tmp_path):
    support.open_ticket(tmp_path, ticket())
    with pytest.raises(ValueError, match=r"has a ticket opened at 2024-03-04T09:00:00Z already \(line 2\)"):
        support.open_ticket(tmp_path, ticket(1))


def test_a_ticket_at_fault_is_not_written(tmp_path):
    for wrong, said in ((ticket(-1), "comes before the ticket was opened"), (ticket(None, 2), "had a first reply")):
        with pytest.raises(ValueError, match=said):
            support.open_ticket(tmp_path, wrong)
    assert not (tmp_path / support.FILE).exists()


def test_a_ticket_that_somebody_took_out_meanwhile(tmp_path):
    path = support.open_ticket(tmp_path, ticket())
    (found,), _ = support.read(path, {"acme"})
    path.write_text(HEADER)
    with pytest.raises(ValueError, match="is not in the file any more"):
        support.update_ticket(tmp_path, found, {"helpful": "no"})
    moved = f"{HEADER}bolt,,2024-03-04T09:00Z,,,,\nacme,,2024-03-04T10:00+01:00,,,,\n"
    path.write_text(moved)
    support.update_ticket(tmp_path, dataclasses.replace(found, line=2), {"first_reply": "2024-03-04T11:00:00Z"})
    assert path.read_text() == moved.replace("10:00+01:00,,", "10:00+01:00,2024-03-04T11:00:00Z,")
