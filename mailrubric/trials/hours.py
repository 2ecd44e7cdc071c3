"""Working hours: how much of a span of time a support desk was open, in its own time zone."""

from __future__ import annotations

import dataclasses
import functools
import re
import zoneinfo
from datetime import UTC, date, datetime, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_HINT = "such as Europe/Berlin mon-fri 09:00-17:00"


class HoursError(ValueError):
    """No working hours; a sentence for people. ``part``: zone, days, hours or holidays."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclasses.dataclass(frozen=True, slots=True)
class WorkingHours:
    """Open on ``days`` (0 is Monday) from minute ``start`` to minute ``end`` of the day, but not on ``holidays``.

    ``end`` is at most 1440, midnight at the day's end.
    """

    zone: str
    days: frozenset[int]
    start: int
    end: int
    holidays: frozenset[date] = frozenset()

    def between(self, begin: datetime, end: datetime) -> float:
        """Working hours from ``begin`` to ``end``, which know their offset; 0 when they are the other way round.

        A day is as long as the clock makes it: on the day that summer time begins an hour less lies between 1 and 4.
        """
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
        if end <= begin:
            return 0.0
        zone = zone_named(self.zone)
        years = range(begin.astimezone(zone).year, end.astimezone(zone).year)
        worked = sum((_year(self, year)[-1] for year in years), timedelta())
        return (worked + self._this_year(end, zone) - self._this_year(begin, zone)).total_seconds() / 3600

    def _this_year(self, when: datetime, zone: zoneinfo.ZoneInfo) -> timedelta:
        """Working hours from the beginning of the desk's year to a time of it."""
        day = when.astimezone(zone).date()
        before = _year(self, day.year)[day.timetuple().tm_yday - 1]
        opens, closes = self.span(day, zone)
        return before + max(timedelta(), min(when, closes) - opens)

    def span(self, day: date, zone: zoneinfo.ZoneInfo) -> tuple[datetime, datetime]:
        """When it opens and closes on a day, in UTC; the same time twice on a day without working hours."""
        opens, closes = self._at(day, self.start, zone), self._at(day, self.end, zone)
        # The last: a date that a country skipped when it moved across the date line.
        open_then = day.weekday() in self.days and day not in self.holidays and opens.astimezone(zone).date() == day
        return opens, closes if open_then else opens

    @property
    def words(self) -> str:
        """As ``parse`` reads it."""
        return f"{self.zone} {_days_text(self.days)} {_clock_text(self.start)}-{_clock_text(self.end)}"

    @staticmethod
    def _at(day: date, minute: int, zone: zoneinfo.ZoneInfo) -> datetime:
        midnight = datetime(day.year, day.month, day.day)
        return (midnight + timedelta(minutes=minute)).replace(tzinfo=zone).astimezone(UTC)


@functools.lru_cache(maxsize=256)
def _year(desk: WorkingHours, year: int) -> tuple[timedelta, ...]:
    """Working hours from the beginning of a year to that of each of its days, and to its end."""
    zone = zone_named(desk.zone)
    sums = [timedelta()]
    day = date(year, 1, 1)
    while day.year == year:
        opens, closes = desk.span(day, zone)
        sums.append(sums[-1] + max(timedelta(), closes - opens))
        if day == date.max:
            break
        day += timedelta(days=1)
    return tuple(sums)


def parse(text: str) -> WorkingHours:
    """``Europe/Berlin mon-fri 09:00-17:00``. Raises ``HoursError``."""
    words = text.split()
    if len(words) != 3:
        raise HoursError("hours", f"write time zone, days and hours, {_HINT}")
    return working_hours(words[0], words[1], words[2])


def working_hours(zone: str, days: str, hours: str, holidays: tuple[str, ...] = ()) -> WorkingHours:
    """From the texts of a file. Raises ``HoursError``."""
    zone_named(zone)
    opens, closes = _clocks(hours)
    free = set()
    for each in holidays:
        try:
            free.add(date.fromisoformat(each))
        except ValueError:
            raise HoursError("holidays", f"{each[:40]!r} is no date such as 2026-12-25") from None
    return WorkingHours(zone, _days(days), opens, closes, frozenset(free))


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """A time zone of the IANA data base. Raises ``HoursError``."""
    try:
        if len(name) > 64:
            raise ValueError
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise HoursError("zone", f"{name[:64]!r} is no time zone such as Europe/Berlin or UTC") from None


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise HoursError("days", f"{text[:40]!r} are no days such as mon-fri or mon,wed,sat")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def _days_text(days: frozenset[int]) -> str:
    ordered = sorted(days)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{DAYS[ordered[0]]}-{DAYS[ordered[-1]]}"
    return ",".join(DAYS[day] for day in ordered)


def _clocks(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    minutes = []
    for word in (first.strip(), last.strip()):
        match = _CLOCK.fullmatch(word)
        if not match or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > 1440:
            raise HoursError("hours", f"{text[:40]!r} are no hours such as 09:00-17:00 or 00:00-24:00")
        minutes.append(int(match[1]) * 60 + int(match[2]))
    if not dash or minutes[1] <= minutes[0]:
        raise HoursError("hours", f"{text[:40]!r}: the hours must end after they begin, at 24:00 at the latest")
    return minutes[0], minutes[1]


def _clock_text(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
