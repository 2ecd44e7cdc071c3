"""Surveys: the System Usability Scale among one's own testers, and one question to references.

Answers are rows of ``trials/surveys.csv``: vendor, survey (sus or reference), date, q1 to q10 or score, comment.
Nothing personal is asked for.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from mailrubric.catalogue.messages import Problem, shown, suggestion
from mailrubric.display import how_many, tenths
from mailrubric.trials import intervals, table
from mailrubric.trials.clock import refuse_day_ahead
from mailrubric.trials.intervals import Estimate

FILE = "surveys.csv"
ITEMS: tuple[str, ...] = (
    "I think that I would like to use this system frequently.",
    "I found the system unnecessarily complex.",
    "I thought the system was easy to use.",
    "I think that I would need the support of a technical person to be able to use this system.",
    "I found the various functions in this system were well integrated.",
    "I thought there was too much inconsistency in this system.",
    "I would imagine that most people would learn to use this system very quickly.",
    "I found the system very cumbersome to use.",
    "I felt very confident using the system.",
    "I needed to learn a lot of things before I could get going with this system.",
)
"""The ten statements of the System Usability Scale, 1 (strongly disagree) to 5 (strongly agree); Brooke 1996."""
REFERENCE_QUESTION = "How likely are you to choose this platform again, from 0 (not at all) to 10 (certainly)?"

QUESTIONS = tuple(f"q{number}" for number in range(1, 11))
COLUMNS = ("vendor", "survey", "date", *QUESTIONS, "score", "comment")
REQUIRED = ("vendor", "survey", "date")
SURVEYS = ("sus", "reference")

_GRADES: tuple[tuple[float, str, int, int], ...] = (
    (84.1, "A+", 96, 100),
    (80.8, "A", 90, 95),
    (78.9, "A−", 85, 89),
    (77.2, "B+", 80, 84),
    (74.1, "B", 70, 79),
    (72.6, "B−", 65, 69),
    (71.1, "C+", 60, 64),
    (65.0, "C", 41, 59),
    (62.7, "C−", 35, 40),
    (51.7, "D", 15, 34),
    (0.0, "F", 0, 14),
)
"""From this score on: grade, and the percentiles of published studies it covers (the curved grading scale of Sauro and
Lewis, Quantifying the User Experience, 2nd edition 2016, table 8.5; norms from 241 studies)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One row. ``items``: ten answers of 1 to 5, None where left out (sus); ``score``: 0 to 10 or None (reference)."""

    vendor: str
    survey: str
    date: str
    items: tuple[int | None, ...] = ()
    score: int | None = None
    comment: str = ""

    @property
    def complete(self) -> bool:
        """Whether it can be counted."""
        return self.score is not None if self.survey == "reference" else None not in self.items

    @property
    def straight(self) -> bool:
        """Whether all ten statements, of which every second one says the contrary, got the same answer."""
        return self.survey == "sus" and self.complete and len(set(self.items)) == 1


@dataclasses.dataclass(frozen=True, slots=True)
class SusSummary:
    """``score``: the mean with its interval; None without a complete answer. ``grade`` and ``percentile`` (from, to)
    are the mean's, ``grades`` those of the interval's ends. ``incomplete`` answers are not counted, ``straight`` ones
    are."""

    vendor: str
    score: Estimate | None
    grade: str
    percentile: tuple[int, int] | None
    grades: tuple[str, str] | None
    answers: int
    incomplete: int
    straight: int
    newest: str
    sentence: str


@dataclasses.dataclass(frozen=True, slots=True)
class ReferenceSummary:
    """``score``: the mean of 0 to 10; ``nps``: the net promoter score, -100 to 100; None without a complete answer."""

    vendor: str
    score: Estimate | None
    nps: Estimate | None
    promoters: int
    passives: int
    detractors: int
    answers: int
    incomplete: int
    newest: str
    sentence: str


def sus_score(items: Sequence[int]) -> float:
    """0 to 100 from the ten answers of one person (Brooke 1996): odd statements count their answer less 1, even ones 5
    less their answer; the sum times 2.5. ``ValueError`` for other than ten answers of 1 to 5."""
    if len(items) != 10 or any(item not in (1, 2, 3, 4, 5) for item in items):
        raise ValueError("the System Usability Scale takes ten answers of 1 to 5")
    return 2.5 * sum(item - 1 if index % 2 == 0 else 5 - item for index, item in enumerate(items))


def sus_grade(score: float) -> tuple[str, int, int]:
    """Grade and percentiles (from, to) of a mean score among published studies. Grades meet at a tenth of a point."""
    rounded = round(score, 1)
    return next((grade, low, high) for least, grade, low, high in _GRADES if rounded >= least)


# --- reading ----------------------------------------------------------------------------------------------------------


def read(path: Path, vendors: Collection[str]) -> tuple[list[Answer], list[Problem]]:
    """The answers in a file and every fault in it; none of either when there is no file."""
    return table.read_all(path, COLUMNS, REQUIRED, lambda row: _answer(row, path, vendors))


def _answer(row: table.Row, path: Path, vendors: Collection[str]) -> tuple[Answer | None, list[Problem]]:
    cells = row.cells
    problems = vendor_faults(row, path, vendors)
    survey = cells["survey"].lower()
    if survey not in SURVEYS:
        hint = suggestion(survey, SURVEYS)
        problems.append(row.problem(path, "survey", f"expected sus or reference, got {shown(cells['survey'])}{hint}"))
    problems += _date_faults(row, path)
    items: list[int | None] = []
    score = None
    if survey == "sus":
        for name in QUESTIONS:
            items.append(_whole(row, path, name, 1, 5, problems))
        if cells.get("score"):
            problems.append(row.problem(path, "score", "is for references; of sus it is computed from q1 to q10"))
    elif survey == "reference":
        score = _whole(row, path, "score", 0, 10, problems)
        for name in QUESTIONS:
            if cells.get(name):
                problems.append(row.problem(path, name, "is for sus; a reference answers with a score"))
                break
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    return Answer(cells["vendor"], survey, cells["date"], tuple(items), score, cells.get("comment", "")), problems


def vendor_faults(row: table.Row, path: Path, vendors: Collection[str]) -> list[Problem]:
    """What is wrong with the vendor's id of a row."""
    vendor = row.cells["vendor"]
    if vendor in vendors:
        return []
    return [row.problem(path, "vendor", f"no vendor has the id {shown(vendor)}{suggestion(vendor, vendors)}")]


def _date_faults(row: table.Row, path: Path) -> list[Problem]:
    text = row.cells["date"]
    day = _day(text)
    if day is None:
        return [row.problem(path, "date", f"expected a date such as 2026-11-23, got {shown(text)}")]
    if day > datetime.now(UTC).date():
        return [
            dataclasses.replace(row.problem(path, "date", "lies in the future: not counted yet"), severity="warning")
        ]
    return []


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None


def _whole(row: table.Row, path: Path, name: str, least: int, most: int, problems: list[Problem]) -> int | None:
    text = row.cells.get(name, "")
    if not text:
        return None
    if re.fullmatch(r"\d{1,2}", text, re.ASCII) and least <= int(text) <= most:
        return int(text)
    problems.append(row.problem(path, name, f"expected a whole number from {least} to {most}, got {shown(text)}"))
    return None


# --- adding -----------------------------------------------------------------------------------------------------------


def add(folder: Path, answer: Answer) -> Path:
    """Write one answer more into ``folder``/surveys.csv and return its path. Raises ``ValueError`` for an answer that
    could not be read back or is of a day to come, ``table.TableError`` when the file is at fault, ``OSError``."""
    day = _day(answer.date)
    if answer.survey not in SURVEYS or day is None:
        raise ValueError("an answer needs a survey (sus or reference) and a date such as 2026-11-23")
    refuse_day_ahead("date", day)
    if answer.survey == "sus":
        sus_score([item or 0 for item in answer.items])
    elif answer.score is None or not 0 <= answer.score <= 10:
        raise ValueError("a reference answers with a score from 0 to 10")
    path = folder / FILE
    values = {
        "vendor": answer.vendor,
        "survey": answer.survey,
        "date": answer.date,
        **{name: str(item) for name, item in zip(QUESTIONS, answer.items, strict=False)},
        "score": "" if answer.score is None else str(answer.score),
        "comment": answer.comment,
    }
    table.change(path, COLUMNS, REQUIRED, lambda found: table.with_row(found, COLUMNS, values))
    return path


# --- summaries --------------------------------------------------------------------------------------------------------


def summarise(answers: Iterable[Answer]) -> tuple[dict[str, SusSummary], dict[str, ReferenceSummary]]:
    """By vendor, of those with an answer to the survey. The order of answers means nothing."""
    piles: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        piles.setdefault((answer.survey, answer.vendor), []).append(answer)
    sus = {vendor: _sus(vendor, pile) for (survey, vendor), pile in sorted(piles.items()) if survey == "sus"}
    references = {
        vendor: _references(vendor, pile) for (survey, vendor), pile in sorted(piles.items()) if survey == "reference"
    }
    return sus, references


def _sus(vendor: str, pile: Sequence[Answer]) -> SusSummary:
    complete = [answer for answer in pile if answer.complete]
    incomplete = len(pile) - len(complete)
    straight = sum(answer.straight for answer in complete)
    newest = max(answer.date for answer in complete or pile)
    if not complete:
        sentence = f"No complete answer yet: {how_many(incomplete, 'answer leaves', 'answers leave')} a statement out."
        return SusSummary(vendor, None, "", None, None, len(pile), incomplete, 0, newest, sentence)
    scores = sorted(sus_score([item or 0 for item in answer.items]) for answer in complete)
    score = intervals.mean(scores, 0.0, 100.0)
    grade, low, high = sus_grade(score.value)
    ends = (sus_grade(score.low)[0], sus_grade(score.high)[0])
    words = [
        f"{tenths(score.value)} of 100 from {how_many(score.n, 'answer', 'answers')} (95 % interval "
        f"{tenths(score.low)} to {tenths(score.high)}): grade {grade}, better than {low} to {high} % of published "
        f"studies; the interval reaches from {ends[0]} to {ends[1]}."
    ]
    if incomplete:
        words.append(
            f"{how_many(incomplete, 'answer leaves a statement out and is', 'answers leave a statement out and are')} "
            "not counted."
        )
    if straight:
        words.append(
            f"{how_many(straight, 'answer gives', 'answers give')} the same figure to all ten statements, every second "
            "of which says the contrary: look whether it was meant."
        )
    return SusSummary(vendor, score, grade, (low, high), ends, len(pile), incomplete, straight, newest, " ".join(words))


def _references(vendor: str, pile: Sequence[Answer]) -> ReferenceSummary:
    scores = sorted(answer.score for answer in pile if answer.score is not None)
    incomplete = len(pile) - len(scores)
    newest = max(answer.date for answer in pile if answer.score is not None or not scores)
    if not scores:
        return ReferenceSummary(vendor, None, None, 0, 0, 0, len(pile), incomplete, newest, "No score yet.")
    promoters, detractors = sum(score >= 9 for score in scores), sum(score <= 6 for score in scores)
    passives = len(scores) - promoters - detractors
    mean = intervals.mean(scores, 0.0, 10.0)
    nps = intervals.net_promoter(promoters, passives, detractors)
    sentence = (
        f"{tenths(mean.value)} of 10 from {how_many(mean.n, 'reference', 'references')} (95 % interval "
        f"{tenths(mean.low)} to {tenths(mean.high)}); net promoter score {nps.value:+.0f} ({nps.low:+.0f} to "
        f"{nps.high:+.0f})."
    )
    if incomplete:
        sentence += f" {how_many(incomplete, 'row has', 'rows have')} no score."
    return ReferenceSummary(vendor, mean, nps, promoters, passives, detractors, len(pile), incomplete, newest, sentence)
