"""The System Usability Scale and references: published figures, strict reading, summaries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.trials import surveys, table
from mailrubric.trials.surveys import Answer

patient = settings(deadline=None, max_examples=30)  # the machine may have much else to do

HEADER = "vendor,survey,date,q1,q2,q3,q4,q5,q6,q7,q8,q9,q10,score,comment\n"
BROOKE = (5, 4, 2, 1, 2, 3, 2, 4, 5, 2)
"""The answers of the worked example in Brooke 1996, which come to 22 and so to 55."""

figures = st.lists(st.integers(1, 5), min_size=10, max_size=10)


def read(folder: Path, text: str):
    path = folder / surveys.FILE
    path.write_text(text)
    return surveys.read(path, {"acme", "bolt"})


def sus(*answers: tuple[int | None, ...]) -> surveys.SusSummary:
    found, _ = surveys.summarise([Answer("acme", "sus", "2024-11-20", items) for items in answers])
    return found["acme"]


def test_the_worked_example_of_brooke():
    assert surveys.sus_score(BROOKE) == 55


def test_the_ends_and_the_middle_of_the_scale():
    assert surveys.sus_score((5, 1) * 5) == 100
    assert surveys.sus_score((1, 5) * 5) == 0
    assert surveys.sus_score((3,) * 10) == 50


@patient
@given(figures, st.integers(0, 9))
def test_a_better_answer_is_worth_two_and_a_half_points(items, place):
    better = list(items)
    better[place] += 1 if place % 2 == 0 else -1
    if 1 <= better[place] <= 5:
        assert surveys.sus_score(better) == surveys.sus_score(items) + 2.5


@pytest.mark.parametrize("items", [(3,) * 9, (3,) * 11, (0,) * 10, (6,) * 10])
def test_what_is_no_answer_is_refused(items):
    with pytest.raises(ValueError, match="ten answers of 1 to 5"):
        surveys.sus_score(items)


@pytest.mark.parametrize(
    ("score", "grade", "low", "high"),
    # Sauro and Lewis 2016, table 8.5; 68 is the median, 75 the 73rd and 52 the 15th percentile (Sauro 2011).
    [(100, "A+", 96, 100), (84.1, "A+", 96, 100), (84.0, "A", 90, 95), (80.8, "A", 90, 95), (80.7, "A−", 85, 89),
     (77.2, "B+", 80, 84), (75, "B", 70, 79), (72.6, "B−", 65, 69), (71.1, "C+", 60, 64), (68, "C", 41, 59),
     (65, "C", 41, 59), (62.7, "C−", 35, 40), (52, "D", 15, 34), (51.6, "F", 0, 14), (0, "F", 0, 14)],
)  # fmt: skip
def test_grades_are_the_published_ones(score, grade, low, high):
    assert surveys.sus_grade(score) == (grade, low, high)


def test_a_summary_has_its_interval_and_says_it():
    found = sus((4, 2, 4, 2, 4, 2, 4, 2, 4, 2), (5, 1, 5, 1, 5, 1, 5, 1, 5, 1), (3, 3, 3, 3, 3, 3, 3, 3, 4, 2))
    assert found.score is not None
    assert found.score.value == pytest.approx((75 + 100 + 55) / 3)
    assert found.score.low < found.score.value < found.score.high == 100
    assert found.sentence.startswith("76.7 of 100 from 3 answers (95 % interval 20.7 to 100.0): grade B,")
    assert "the interval reaches from F to A+" in found.sentence


def test_incomplete_answers_are_counted_and_left_out():
    found = sus((4, 2, 4, 2, 4, 2, 4, 2, 4, 2), (5, None, 5, 1, 5, 1, 5, 1, 5, 1))
    assert found.score is not None
    assert (found.score.value, found.score.n, found.answers, found.incomplete) == (75, 1, 2, 1)
    assert "1 answer leaves a statement out and is not counted." in found.sentence
    alone = sus((5, None, 5, 1, 5, 1, 5, 1, 5, 1))
    assert alone.score is None
    assert alone.sentence == "No complete answer yet: 1 answer leaves a statement out."


def test_the_same_figure_ten_times_is_flagged_and_counted():
    found = sus((4,) * 10, (4, 2, 4, 2, 4, 2, 4, 2, 4, 2))
    assert found.straight == 1
    assert found.score is not None
    assert found.score.n == 2
    assert "look whether it was meant" in found.sentence


def test_a_day_has_come_when_it_has_in_utc_or_here(tmp_path):
    items = (4, 2, 4, 2, 4, 2, 4, 2, 4, 2)
    surveys.add(tmp_path, Answer("acme", "sus", datetime.now(UTC).date().isoformat(), items))
    surveys.add(tmp_path, Answer("acme", "sus", datetime.now().astimezone().date().isoformat(), items))
    before = (tmp_path / surveys.FILE).read_text()
    ahead = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    with pytest.raises(ValueError, match=f"date: {ahead} lies in the future"):
        surveys.add(tmp_path, Answer("acme", "sus", ahead, items))
    assert (tmp_path / surveys.FILE).read_text() == before


def test_references_with_both_figures():
    scores = [10, 9, 9, 8, 7, 6, 3]
    _, found = surveys.summarise([Answer("acme", "reference", f"2024-11-0{n}", (), s) for n, s in enumerate(scores, 1)])
    reference = found["acme"]
    assert (reference.promoters, reference.passives, reference.detractors) == (3, 2, 2)
    assert reference.score is not None
    assert reference.nps is not None
    assert reference.score.value == pytest.approx(52 / 7)
    assert reference.nps.value == pytest.approx(100 / 7)
    assert reference.nps.low < 0 < reference.nps.high
    assert reference.newest == "2024-11-07"
    assert "net promoter score +14 (" in reference.sentence


@patient
@given(st.lists(st.tuples(figures, st.booleans()), min_size=1, max_size=12), st.randoms())
def test_the_order_of_answers_means_nothing(answers, chance):
    rows = [
        Answer("acme", "sus", f"2024-11-{1 + i}", tuple([None, *items[1:]] if gap else items))
        for i, (items, gap) in enumerate(answers)
    ]
    before = surveys.summarise(rows)
    chance.shuffle(rows)
    assert surveys.summarise(rows) == before


@pytest.mark.parametrize(
    ("row", "place", "said"),
    [
        ("acmee,sus,2024-11-20,,,,,,,,,,,,", "1: vendor", "no vendor has the id 'acmee'; did you mean 'acme'?"),
        (",sus,2024-11-20,,,,,,,,,,,,", "1: vendor", "no vendor has the id ''"),
        ("acme,nps,2024-11-20,,,,,,,,,,,9,", "6: survey", "expected sus or reference, got 'nps'"),
        ("acme,sus,20.11.2026,,,,,,,,,,,,", "10: date", "expected a date such as 2026-11-23, got '20.11.2026'"),
        ("acme,sus,2024-02-30,,,,,,,,,,,,", "10: date", "expected a date"),
        ("acme,sus,2024-11-20,6,,,,,,,,,,,", "21: q1", "expected a whole number from 1 to 5, got '6'"),
        ("acme,sus,2024-11-20,1,2.5,,,,,,,,,,", "23: q2", "expected a whole number from 1 to 5, got '2.5'"),
        ("acme,sus,2024-11-20,١,,,,,,,,,,,", "21: q1", "expected a whole number"),
        ("acme,sus,2024-11-20,1,2,1,2,1,2,1,2,1,2,9,", "41: score", "of sus it is computed"),
        ("acme,reference,2024-11-20,,,,,,,,,,,11,", "37: score", "expected a whole number from 0 to 10"),
        ("acme,reference,2024-11-20,3,,,,,,,,,,9,", "27: q1", "is for sus"),
    ],
)
def test_what_is_wrong_is_said_with_its_cell(tmp_path, monkeypatch, row, place, said):
    monkeypatch.chdir(tmp_path)
    answers, problems = read(tmp_path, f"{HEADER}bolt,reference,2024-11-20,,,,,,,,,,,9,\n{row}\n")
    assert [answer.vendor for answer in answers] == ["bolt"]
    assert len(problems) == 1
    assert str(problems[0]).startswith(f"surveys.csv:3:{place}: ")
    assert said in str(problems[0])


def test_an_answer_of_tomorrow_is_a_warning(tmp_path):
    answers, problems = read(tmp_path, f"{HEADER}acme,reference,2999-01-01,,,,,,,,,,,9,\n")
    assert [problem.severity for problem in problems] == ["warning"]
    assert len(answers) == 1


def test_answers_are_added_and_read_back(tmp_path):
    given_ = [
        Answer("acme", "sus", "2024-11-20", BROOKE, None, "=1+1, said one"),
        Answer("bolt", "reference", "2024-11-21", (), 0, ""),
        Answer("acme", "reference", "2024-11-22", (), 10, "fine"),
    ]
    for answer in given_:
        surveys.add(tmp_path, answer)
    answers, problems = surveys.read(tmp_path / surveys.FILE, {"acme", "bolt"})
    assert problems == []
    assert answers == given_


@pytest.mark.parametrize(
    "answer",
    [
        Answer("acme", "sus", "2024-11-20", (3,) * 9),
        Answer("acme", "sus", "2024-11-20", (3, None) * 5),
        Answer("acme", "reference", "2024-11-20", (), None),
        Answer("acme", "reference", "2024-11-20", (), 11),
        Answer("acme", "reference", "today", (), 9),
        Answer("acme", "other", "2024-11-20", (), 9),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, answer):
    with pytest.raises(ValueError, match="answer"):
        surveys.add(tmp_path, answer)
    assert not (tmp_path / surveys.FILE).exists()


def test_a_file_with_a_column_too_few_is_left_as_it_is(tmp_path):
    path = tmp_path / surveys.FILE
    path.write_text("vendor,survey,date,score\n")
    surveys.add(tmp_path, Answer("acme", "reference", "2024-11-20", (), 9))
    assert path.read_text() == "vendor,survey,date,score\nacme,reference,2024-11-20,9\n"
    with pytest.raises(table.TableError, match="has no column q1"):
        surveys.add(tmp_path, Answer("acme", "sus", "2024-11-20", BROOKE))
    assert path.read_text() == "vendor,survey,date,score\nacme,reference,2024-11-20,9\n"
