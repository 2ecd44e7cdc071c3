"""Support test: tickets that a team really opened, and how long the vendor took.

Tickets are rows of ``trials/support.csv``: vendor, channel, opened, first_reply, solved, helpful (yes or no), note.
Times carry their offset from UTC. A ticket that waits still counts with what it has waited so far: never as 0, never
not at all. The first reply is a person's, or one that answers the question; an automatic receipt is none.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mailrubric.catalogue.messages import Problem, shown
from mailrubric.display import how_many
from mailrubric.evidence.times import written
from mailrubric.trials import intervals, table
from mailrubric.trials.clock import refuse_ahead
from mailrubric.trials.hours import WorkingHours
from mailrubric.trials.intervals import Duration, Estimate, Quantile
from mailrubric.trials.surveys import vendor_faults

FILE = "support.csv"
COLUMNS = ("vendor", "channel", "opened", "first_reply", "solved", "helpful", "note")
REQUIRED = ("vendor", "opened")
TIMES = ("opened", "first_reply", "solved")
_HELPFUL = {"yes": True, "no": False, "": None}


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket. Times are in UTC; None is what has not happened. ``line``: where it stands in the file, 0 for
    nowhere."""

    vendor: str
    channel: str
    opened: datetime
    first_reply: datetime | None = None
    solved: datetime | None = None
    helpful: bool | None = None
    note: str = ""
    line: int = 0

    def at(self, when: datetime) -> Ticket:
        """The ticket as it was known at this time."""
        reply = self.first_reply if self.first_reply is not None and self.first_reply <= when else None
        solved = self.solved if self.solved is not None and self.solved <= when else None
        return dataclasses.replace(
            self, first_reply=reply, solved=solved, helpful=self.helpful if reply is not None else None
        )

    @property
    def newest(self) -> datetime:
        """When something last happened to it."""
        return max(each for each in (self.opened, self.first_reply, self.solved) if each is not None)


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """How long one step took over all tickets, in hours: by the clock, and within the vendor's working hours where
    these are known."""

    median: Quantile
    slow: Quantile
    business_median: Quantile | None
    business_slow: Quantile | None

    @property
    def tickets(self) -> int:
        """How many tickets."""
        return self.median.n

    @property
    def waiting(self) -> int:
        """How many of them have not come to it."""
        return self.median.waiting


@dataclasses.dataclass(frozen=True, slots=True)
class SupportSummary:
    """One vendor's tickets. ``slow`` quantiles are 90th percentiles. ``hours``: its working hours in words, or empty.
    ``helpful``: share in per cent of the tickets of which somebody said so, None when nobody did."""

    vendor: str
    tickets: int
    first_reply: Wait
    solved: Wait
    helpful: Estimate | None
    hours: str
    newest: datetime
    sentences: tuple[str, ...]


# --- reading ----------------------------------------------------------------------------------------------------------


def read(path: Path, vendors: Collection[str]) -> tuple[list[Ticket], list[Problem]]:
    """The tickets in a file and every fault in it; none of either when there is no file."""
    return table.read_all(path, COLUMNS, REQUIRED, lambda row: _ticket(row, path, vendors))


def _ticket(row: table.Row, path: Path, vendors: Collection[str]) -> tuple[Ticket | None, list[Problem]]:
    cells = row.cells
    problems = vendor_faults(row, path, vendors)
    times: dict[str, datetime | None] = dict.fromkeys(TIMES)
    for name in TIMES:
        text = cells.get(name, "")
        if not text and name != "opened":
            continue
        try:
            times[name] = instant(text)
        except ValueError as error:
            problems.append(row.problem(path, name, str(error)))
    opened, reply, solved = (times[name] for name in TIMES)
    now = datetime.now(UTC)
    for name, when in times.items():
        if when is not None and when > now:
            future = row.problem(path, name, "lies in the future: not counted yet")
            problems.append(dataclasses.replace(future, severity="warning"))
    if opened is not None and reply is not None and reply < opened:
        problems.append(row.problem(path, "first_reply", "comes before the ticket was opened"))
    if opened is not None and solved is not None and solved < (reply or opened):
        before = "the first reply" if reply is not None else "the ticket was opened"
        problems.append(row.problem(path, "solved", f"comes before {before}"))
    if solved is not None and not cells.get("first_reply"):
        message = "a solved ticket had a first reply: write when it came, the solution itself if there was none before"
        problems.append(row.problem(path, "solved", message))
    helpful = cells.get("helpful", "").lower()
    if helpful not in _HELPFUL:
        problems.append(row.problem(path, "helpful", f"expected yes, no or nothing, got {shown(helpful)}"))
    if opened is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    ticket = Ticket(
        cells["vendor"],
        cells.get("channel", ""),
        opened,
        reply,
        solved,
        _HELPFUL[helpful],
        cells.get("note", ""),
        row.line,
    )
    return ticket, problems


def instant(text: str) -> datetime:
    """A time with its offset, in UTC. ``ValueError`` with a sentence for people."""
    hint = "such as 2026-11-23T09:30+01:00 or 2026-11-23T08:30Z"
    if not re.fullmatch(
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?\s?(Z|[+-]\d{2}:?\d{2})?", text, re.ASCII
    ):
        raise ValueError(f"expected a time {hint}, got {shown(text)}")
    try:
        when = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
    except ValueError:
        raise ValueError(f"{shown(text)} is no time; write one {hint}") from None
    if when.tzinfo is None:
        raise ValueError(f"{shown(text)} lacks its offset from UTC; write it behind the time, {hint}")
    if not 1990 <= when.year <= 9990:  # at the ends of the calendar, time zones lead out of it
        raise ValueError(f"{shown(text)} is no time that can be used")
    return when.astimezone(UTC)


# --- writing ----------------------------------------------------------------------------------------------------------


def open_ticket(folder: Path, ticket: Ticket) -> Path:
    """Write one ticket more into ``folder``/support.csv. Raises ``ValueError`` when the vendor has one that was opened
    at that second, when a time lies in the future or the row would be at fault, ``table.TableError`` when the file is,
    ``OSError``."""
    path = folder / FILE
    values = _values(ticket)
    _refuse_ahead(values)

    def edit(found: table.Table | None) -> str:
        for row in found.rows if found is not None else ():
            if row.cells["vendor"] == ticket.vendor and _opened(row) == values["opened"]:
                raise ValueError(f"{ticket.vendor} has a ticket opened at {values['opened']} already (line {row.line})")
        _refuse_faults(table.Row(0, values, {}, (0, 0), ()), path, ticket.vendor)
        return table.with_row(found, COLUMNS, values)

    table.change(path, COLUMNS, REQUIRED, edit)
    return path


def update_ticket(folder: Path, ticket: Ticket, changes: Mapping[str, str]) -> Path:
    """Fill empty cells of a ticket that was read from ``folder``/support.csv. ``changes``: column → text.

    Raises ``ValueError`` when a cell holds something else already, when the file has changed so that the ticket cannot
    be found, when a time lies in the future or the row would be at fault; ``table.TableError``; ``OSError``. Nothing is
    overwritten.
    """
    path = folder / FILE
    _refuse_ahead(changes)

    def edit(found: table.Table | None) -> str:
        rows = [
            row
            for row in (found.rows if found is not None else ())
            if row.cells["vendor"] == ticket.vendor and _opened(row) == written(ticket.opened)
        ]
        row = next((row for row in rows if row.line == ticket.line), rows[0] if len(rows) == 1 else None)
        if found is None or row is None:
            raise ValueError(
                f"the ticket of {ticket.vendor} opened at {written(ticket.opened)} is not in the file any more"
            )
        wanted = {}
        for name, text in changes.items():
            held = row.cells.get(name, "")
            if held and held != text:
                raise ValueError(
                    f"{name} is {shown(held)} already (line {row.line}); change it in the file if it is wrong"
                )
            if not held:
                wanted[name] = text
        whole = dataclasses.replace(row, cells={**row.cells, **wanted})
        _refuse_faults(whole, path, ticket.vendor)
        return table.with_changed(found, row, wanted)

    table.change(path, COLUMNS, REQUIRED, edit)
    return path


def _refuse_faults(row: table.Row, path: Path, vendor: str) -> None:
    """Nothing is written that could not be read back."""
    for fault in _ticket(row, path, {vendor})[1]:
        if fault.severity == "error":
            raise ValueError(f"{fault.key}: {fault.message}")


def _refuse_ahead(values: Mapping[str, str]) -> None:
    for name in TIMES:
        if values.get(name):
            refuse_ahead(name, instant(values[name]))


def _opened(row: table.Row) -> str:
    try:
        return written(instant(row.cells["opened"]))
    except ValueError:
        return ""


def _values(ticket: Ticket) -> dict[str, str]:
    return {
        "vendor": ticket.vendor,
        "channel": ticket.channel,
        "opened": written(ticket.opened),
        "first_reply": "" if ticket.first_reply is None else written(ticket.first_reply),
        "solved": "" if ticket.solved is None else written(ticket.solved),
        "helpful": {True: "yes", False: "no", None: ""}[ticket.helpful],
        "note": ticket.note,
    }


# --- summaries --------------------------------------------------------------------------------------------------------


def summarise(tickets: Iterable[Ticket], hours: Mapping[str, WorkingHours], now: datetime) -> dict[str, SupportSummary]:
    """By vendor, as it was known at ``now``. ``hours``: working hours of the vendors of which they are known. The order
    of tickets means nothing."""
    piles: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        if ticket.opened <= now:
            piles.setdefault(ticket.vendor, []).append(ticket.at(now))
    return {vendor: _summary(vendor, pile, hours.get(vendor), now) for vendor, pile in sorted(piles.items())}


def _summary(vendor: str, pile: Sequence[Ticket], hours: WorkingHours | None, now: datetime) -> SupportSummary:
    reply = _wait([(ticket.opened, ticket.first_reply) for ticket in pile], hours, now)
    solved = _wait([(ticket.opened, ticket.solved) for ticket in pile], hours, now)
    said = [ticket.helpful for ticket in pile if ticket.helpful is not None]
    helpful = intervals.share(sum(said), len(said)) if said else None
    sentences = [_wait_words("first reply", reply), _wait_words("solution", solved)]
    if helpful is not None:
        sentences.append(
            f"Helpful: {helpful.value:.0f} % of {helpful.n} (95 % interval {helpful.low:.0f} to {helpful.high:.0f} %)."
        )
    return SupportSummary(
        vendor,
        len(pile),
        reply,
        solved,
        helpful,
        hours.words if hours is not None else "",
        max(ticket.newest for ticket in pile),
        tuple(sentences),
    )


def _wait(spans: Sequence[tuple[datetime, datetime | None]], hours: WorkingHours | None, now: datetime) -> Wait:
    clock = [Duration(((end or now) - begin).total_seconds() / 3600, end is not None) for begin, end in spans]
    at_work = (
        [] if hours is None else [Duration(hours.between(begin, end or now), end is not None) for begin, end in spans]
    )
    return Wait(
        intervals.quantile(clock, 0.5),
        intervals.quantile(clock, 0.9),
        intervals.quantile(at_work, 0.5) if at_work else None,
        intervals.quantile(at_work, 0.9) if at_work else None,
    )


def _wait_words(step: str, wait: Wait) -> str:
    many = "which is still waiting" if wait.tickets == 1 else f"{wait.waiting} of them still waiting"
    waiting = f", {many}" if wait.waiting else ""
    words = f"Median time to {step} over {how_many(wait.tickets, 'ticket')}{waiting}: {quantile_words(wait.median)}"
    words += f"; 90th percentile: {quantile_words(wait.slow)}."
    if wait.business_median is not None and wait.business_slow is not None:
        words += (
            f" In working hours: {quantile_words(wait.business_median, at_work=True)}; 90th percentile: "
            f"{quantile_words(wait.business_slow, at_work=True)}."
        )
    return words


def quantile_words(found: Quantile, *, at_work: bool = False) -> str:
    """``3.5 hours (95 % interval 1.0 to 9.0)``, or what is known when there is no value or no bound. Where all of it is
    less than an hour, in minutes or seconds: a chat that is answered in 4 seconds is not answered in 0 hours. More than
    72 hours are said in days, as ``value_words`` does; ``at_work``: but not working hours, of which 24 are no day."""
    value = found.at_least if found.value is None else found.value
    unit, size = _unit(value, value if found.high is None else max(value, found.high), at_work)
    least = "at least " if found.value is None else ""
    if found.high is None and found.low * size < 0.005:  # it would read 0
        return f"{least}{_length(value, unit, size)} (too few for an interval)"
    bounds = [found.low * size, *([] if found.high is None else [found.high * size])]
    shown, low, *rest = _figures(value * size, *bounds)
    bounded = f"{low} to {rest[0]}" if rest else f"from {_with_unit(low, unit)} upwards"
    return f"{least}{_with_unit(shown, unit)} (95 % interval {bounded})"


def least_words(hours: float, *, at_work: bool = False) -> str:
    """``at least 48 hours``, ``at least 5 days``."""
    return f"at least {_length(hours, *_unit(hours, hours, at_work))}"


def _unit(value: float, largest: float, at_work: bool) -> tuple[str, float]:
    """A unit for lengths of time in hours that stand together, and how many of it an hour has."""
    if value > 72 and not at_work:
        return "days", 1 / 24
    units = (("hours", 1.0), ("minutes", 60.0), ("seconds", 3600.0))
    return next((each for each in units if largest * each[1] >= 1), units[-1] if largest else units[0])


def _length(hours: float, unit: str, size: float) -> str:
    return _with_unit(_figures(hours * size)[0], unit)


def _with_unit(figure: str, unit: str) -> str:
    return f"{figure} {unit[:-1] if figure == '1' else unit}"


def _figures(*values: float) -> list[str]:
    """Figures that stand together, with as many decimals each: as the largest asks for, but more where a smaller one
    would read 0; none where there are only zeros behind the points."""
    largest = max(values)
    places = 0 if largest >= 99.5 else 1 if largest >= 9.95 else 2
    while places < 2 and any(value >= 0.005 and round(value, places) == 0 for value in values):
        places += 1
    while places and all(f"{value:.{places}f}".endswith("0") for value in values):
        places -= 1
    return [f"{value:,.{places}f}" for value in values]
