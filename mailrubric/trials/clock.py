"""What may be written down as having happened: nothing that lies in the future."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

CLOCK_DIFFERENCE = timedelta(minutes=5)
"""By so much the clocks of two machines may differ."""


def lies_ahead(when: datetime) -> bool:
    """Whether a time, which knows its offset, has not come yet."""
    return when > datetime.now(UTC) + CLOCK_DIFFERENCE


def refuse_ahead(name: str, when: datetime) -> None:
    """``ValueError`` with a sentence for people when a time has not come yet. ``name``: of what has it."""
    if lies_ahead(when):
        raise ValueError(f"{name}: lies in the future; write down what has happened")


def refuse_day_ahead(name: str, day: date) -> None:
    """The same for a day: it has come when it has in UTC or in the time zone of this machine."""
    soon = datetime.now(UTC) + CLOCK_DIFFERENCE
    if day > max(soon.date(), soon.astimezone().date()):
        raise ValueError(f"{name}: {day.isoformat()} lies in the future; write down what has happened")
