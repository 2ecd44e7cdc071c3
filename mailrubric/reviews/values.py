"""Ratings and dates as files write them. What one cell leaves open is settled over its whole column, or stays unknown.

A rating becomes stars from 1 to 5 as its share of the highest one: 8 out of 10 are 4 stars, as sites that show such
answers as stars do it; less than one star is one. A date becomes ISO 8601, as precise as it was written. ``03/04/2026``
is a date only when other cells of the column show whether the day or the month comes first.
"""

from __future__ import annotations

import dataclasses
import email.utils
import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

Cell = str | int | float | datetime | date | None
"""A cell as a file gives it; text unless the format knows better."""

DateOrder = Literal["day_first", "month_first"]

# --- ratings ----------------------------------------------------------------------------------------------------------

_NUMBER = r"(\d{1,6}(?:[.,]\d{1,6})?)"
_WITH_MAXIMUM = re.compile(r"(?:rated\s+)?" + _NUMBER + r"\s*(?:/|out of|of|von|sur|de|di|su)\s*(\d{1,3})\b.*")
_PERCENT = re.compile(_NUMBER + r"\s*%")
_WITH_STARS = re.compile(_NUMBER + r"[\s-]*(?:stars?|sterne?|etoiles?|estrellas?|stelle|star rating)\b.*")
_ONLY_NUMBER = re.compile(_NUMBER)
_FULL_STARS, _EMPTY_STARS = "★⭐🌟✭✮⭑", "☆✩⚝"
_SCALE_IN_NAME = re.compile(r"(?:out of|/|von|sur|max(?:imum)?|[01]\s*(?:-|–|to|bis))\s*(5|10|100)\b")
_ZERO_TO_TEN = re.compile(r"\bnps\b|net promoter|likelihood to recommend|how likely\b", re.IGNORECASE)
"""Names of columns with answers from 0 to 10 by their definition, even if nobody has answered with more than 5."""

_FEW = 0.01
"""Share of a long column that may be slips of the pen: one «44» among a thousand ratings up to 5 is one."""


def read_rating(cell: Cell) -> tuple[float, float | None] | None:
    """(value, highest value possible or None when the cell does not tell), None when it is no rating."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, datetime | date):
        return None
    if isinstance(cell, int | float):
        return (float(cell), None) if math.isfinite(cell) and cell >= 0 else None
    text = cell.strip()
    if len(text) > 60:
        return None
    stars = _drawn(text)
    if stars is not None:
        return stars
    text = "".join(
        letter for letter in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(letter)
    )
    if found := _WITH_MAXIMUM.fullmatch(text):
        value, maximum = _number(found[1]), float(found[2])
        return (value, maximum) if maximum > 0 and value <= maximum else None
    if found := _PERCENT.fullmatch(text):
        return (_number(found[1]), 100.0) if _number(found[1]) <= 100 else None
    if found := _WITH_STARS.fullmatch(text):
        return (_number(found[1]), 5.0) if _number(found[1]) <= 5 else None
    return (_number(text), None) if _ONLY_NUMBER.fullmatch(text) else None


def _drawn(text: str) -> tuple[float, float] | None:
    """Stars as they are drawn: ``★★★★☆``."""
    drawn = text.replace(" ", "").replace("\ufe0f", "").replace("½", "\u00bd")
    full = sum(drawn.count(star) for star in _FULL_STARS)
    empty = sum(drawn.count(star) for star in _EMPTY_STARS)
    half = drawn.count("\u00bd")
    if not full or full + empty + half != len(drawn) or full + empty > 5 or half > 1:
        return None
    return full + half / 2, 5.0


def _number(text: str) -> float:
    return float(text.replace(",", "."))


class RatingColumn:
    """What the ratings of a column have in common. ``name``: of the column; «Score (out of 10)» settles it."""

    def __init__(self, name: str = "", scale: float | None = None) -> None:
        named = _SCALE_IN_NAME.search(name.casefold())
        by_name = float(named[1]) if named else 10.0 if _ZERO_TO_TEN.search(name) else None
        self._settled = scale if scale is not None else by_name
        if self._settled is not None and not 1 <= self._settled <= 1000:
            raise ValueError("the highest rating possible is between 1 and 1000")
        self._count = self._zeros = self._with_maximum = 0
        self._over = dict.fromkeys((1.0, 5.0, 10.0, 100.0, self._settled or 5.0), 0)
        self._fractions = 0  # strictly between 0 and 1

    def see(self, cell: Cell) -> None:
        """Take a cell into account."""
        read = read_rating(cell)
        if read is None:
            return
        if read[1] is not None:
            self._with_maximum += read != (0, 5)
        else:
            self._count += 1
            self._zeros += read[0] == 0
            self._fractions += 0 < read[0] < 1
            for scale in self._over:
                self._over[scale] += read[0] > scale

    @property
    def scale(self) -> float | None:
        """The highest rating possible where cells give a bare number, None when no cell does."""
        if self._settled is not None or not self._count:
            return self._settled
        if self._fractions and not self._over[1.0]:
            return 1.0
        return next((scale for scale in (5.0, 10.0, 100.0) if self._fit(scale)), None)

    @property
    def readable(self) -> int:
        """How many of the cells seen are ratings on the column's scale."""
        scale = self.scale
        bare = 0 if scale is None else self._count - self._over[scale] - (self._zeros if scale == 5 else 0)
        return self._with_maximum + bare

    def _fit(self, scale: float) -> bool:
        return self._over[scale] <= _FEW * self._count if self._count >= 100 else not self._over[scale]

    def stars(self, cell: Cell) -> float | None:
        """1 to 5 stars, None when the cell is no rating on the column's scale. 0 of 5 stars means that none were
        given."""
        read = read_rating(cell)
        if read is None:
            return None
        value, maximum = read[0], read[1] if read[1] is not None else self.scale
        if maximum is None or value > maximum or (value == 0 and maximum == 5):
            return None
        return max(1.0, round(5 * value / maximum, 6))


# --- dates ------------------------------------------------------------------------------------------------------------

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janvier janv enero ene gennaio gen janeiro januari janner",
            "february feb februar fevrier fevr febrero febbraio fevereiro fev februari",
            "march mar marz maerz mrz mars marzo marco maart mrt",
            "april apr avril avr abril abr aprile",
            "may mai mayo maggio mag maio mei",
            "june jun juni juin junio giugno giu junho",
            "july jul juli juillet juil julio luglio lug julho",
            "august aug aout agosto ago augustus",
            "september sep sept septembre septiembre settembre set setembro",
            "october oct oktober okt octobre octubre ottobre ott outubro out",
            "november nov novembre noviembre novembro",
            "december dec dezember dez decembre diciembre dic dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
_CLOCK = (
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?\s*(am|pm|a\.m\.|p\.m\.)?"
    r"\s*(z|utc|gmt)?(?:\s*([+-]\d{2}):?(\d{2}))?"
)
_TIME = rf"(?:,?\s*(?:t|at|um|a|,)?\s*{_CLOCK}(?:\s*\([^()]*\))?)?"
_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}})(?:{_TIME}))?", re.ASCII)
_COMPACT = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})", re.ASCII)
_YEAR = re.compile(r"(?:19|20)\d{2}", re.ASCII)
_NUMBERS = re.compile(rf"(\d{{1,2}})([./-])\s?(\d{{1,2}})\2\s?(\d{{4}}|\d{{2}}){_TIME}", re.ASCII)
_WORD = r"([^\W\d_]{3,12})\.?"
_WEEKDAY = r"(?:[^\W\d_]{2,12}\.?,?\s+)?"
_DAY_MONTH = re.compile(
    rf"{_WEEKDAY}(\d{{1,2}})(?:st|nd|rd|th|\.|er|º)?[\s-]+(?:of\s+|de\s+)?{_WORD},?[\s-]+(?:de\s+)?(\d{{4}}){_TIME}",
    re.ASCII,
)
_MONTH_DAY = re.compile(rf"{_WEEKDAY}{_WORD}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}}){_TIME}", re.ASCII)
_MONTH_YEAR = re.compile(rf"{_WORD},?\s+(?:de\s+)?(\d{{4}})", re.ASCII)
_EPOCH = re.compile(r"\d{9,10}|\d{12,13}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
_FIRST_SERIAL_YEAR = 2000  # no review site is older, and smaller numbers may count anything


@dataclasses.dataclass(frozen=True, slots=True)
class ReadDate:
    """``day_first`` and ``month_first``: the date in ISO 8601 each way, "" when it is none that way; both the same
    where the cell leaves no doubt. ``sure``: the two numbers can only be read one way, which tells about others."""

    day_first: str
    month_first: str
    sure: DateOrder | None = None


def read_date(cell: Cell, *, in_utc: bool = False) -> ReadDate | None:
    """A date, None when it is none. ``in_utc``: a time without a zone is in UTC; else it may be anybody's and only its
    date is kept."""
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, datetime):
        cell = cell.strftime("%Y-%m-%d %H:%M:%S") if cell.time() != time() else cell.strftime("%Y-%m-%d")
    elif isinstance(cell, date):
        cell = cell.strftime("%Y-%m-%d")
    if isinstance(cell, int | float):
        return _epoch(float(cell))
    text = " ".join(cell.split())
    if not 4 <= len(text) <= 80:
        return None
    if _EPOCH.fullmatch(text):
        return _epoch(float(text))
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(letter)
    )
    if found := _NUMBERS.fullmatch(plain):
        return _of_numbers(found, in_utc)
    return _certain(_unambiguous(text, plain, in_utc))


def of_serial(serial: float, since_1904: bool) -> datetime | None:
    """The date that a spreadsheet shows for a number of days (ECMA-376 part 1, 18.17.4.1); None for a time of the day
    alone and for what is no date. ``since_1904``: what its workbook counts from."""
    if not 1 <= serial < 2_958_466:
        return None
    if since_1904:
        first = datetime(1904, 1, 1)
    else:
        # Excel takes 1900 for a leap year, so the days before its 29 February are one off.
        first = datetime(1899, 12, 30) if serial >= 60 else datetime(1899, 12, 31)
    try:
        return first + timedelta(seconds=round(serial * 86_400))
    except OverflowError:  # past the year 9999
        return None


def _certain(written: str) -> ReadDate | None:
    return ReadDate(written, written) if written else None


def _epoch(seconds: float) -> ReadDate | None:
    if not math.isfinite(seconds):
        return None
    if seconds >= 1e11:
        seconds /= 1000
    if not 631_152_000 <= seconds < 4_102_444_800:  # 1990 to 2100
        return None
    return _certain(_utc(datetime.fromtimestamp(int(seconds), UTC)))


def _of_numbers(found: re.Match[str], in_utc: bool) -> ReadDate | None:
    first, separator, second, written_year, *clock = found.groups()
    # Two digits of a year are of this century: review sites are no older.
    year = int(written_year) + (2000 if len(written_year) == 2 else 0)
    one, other = int(first), int(second)
    day_first, month_first = _date(year, other, one, clock, in_utc), _date(year, one, other, clock, in_utc)
    if separator == "." or one == other:  # no country writes month.day.year
        return _certain(day_first)
    if not day_first and not month_first:
        return None
    if day_first and month_first:
        return ReadDate(day_first, month_first)
    sure: DateOrder = "day_first" if day_first else "month_first"
    return ReadDate(day_first or month_first, day_first or month_first, sure)


def _unambiguous(text: str, plain: str, in_utc: bool) -> str:
    if found := _ISO.fullmatch(plain):
        year, month, day, *clock = found.groups()
        return _date(int(year), int(month), int(day), clock, in_utc) if day else _month(int(year), int(month))
    if found := _COMPACT.fullmatch(plain):
        return _date(int(found[1]), int(found[2]), int(found[3]), (), in_utc)
    if _YEAR.fullmatch(plain):
        return plain
    if found := _DAY_MONTH.fullmatch(plain):
        day, name, year, *clock = found.groups()
        return _date(int(year), _MONTHS.get(name, 0), int(day), clock, in_utc)
    if found := _MONTH_DAY.fullmatch(plain):
        name, day, year, *clock = found.groups()
        return _date(int(year), _MONTHS.get(name, 0), int(day), clock, in_utc)
    if found := _MONTH_YEAR.fullmatch(plain):
        return _month(int(found[2]), _MONTHS.get(found[1], 0))
    return _mail_or_browser(text)


def _mail_or_browser(text: str) -> str:
    """``Sun, 22 Nov 2026 10:00:00 +0000`` (RFC 5322) and ``Sun Nov 22 2026 10:00:00 GMT+0100 (CET)`` of browsers."""
    script = re.fullmatch(r"\w{3} (\w{3}) (\d{1,2}) (\d{4}) (\d\d:\d\d:\d\d) GMT([+-]\d{4})(?: \(.*\))?", text)
    if script:
        month, day, year, clock, zone = script.groups()
        text = f"{day} {month} {year} {clock} {zone}"
    parsed = email.utils.parsedate_tz(text) if re.search(r"\d:\d", text) else None
    if parsed is None or parsed[9] is None:
        return ""
    try:
        local = datetime(*parsed[:6], tzinfo=UTC)
        return _utc(local - timedelta(seconds=parsed[9])) if _FIRST_YEAR <= local.year < _LAST_YEAR else ""
    except (ValueError, OverflowError):
        return ""


def _month(year: int, month: int) -> str:
    return f"{year:04}-{month:02}" if 1 <= month <= 12 and _FIRST_YEAR <= year < _LAST_YEAR else ""


def _date(year: int, month: int, day: int, clock: Sequence[str | None], in_utc: bool) -> str:
    """ISO 8601 of a date and, where the clock has a zone, the time in UTC; "" for what no calendar has."""
    if not _FIRST_YEAR <= year < _LAST_YEAR:
        return ""
    try:
        when = datetime(year, month, day, tzinfo=UTC)
        if not clock or clock[0] is None:
            return when.strftime("%Y-%m-%d")
        hour, minute, second, half, utc, hours, minutes = clock
        hour_of_day = int(hour or 0)
        if half:
            if not 1 <= hour_of_day <= 12:
                return ""
            hour_of_day = hour_of_day % 12 + (12 if half.startswith("p") else 0)
        when = when.replace(hour=hour_of_day, minute=int(minute or 0), second=int(second or 0))
    except ValueError:
        return ""
    if hours is not None:
        away = timedelta(hours=abs(int(hours)), minutes=int(minutes or 0))
        return _utc(when + away if hours.startswith("-") else when - away)
    return _utc(when) if utc or in_utc else when.strftime("%Y-%m-%d")


def _utc(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class DateColumn:
    """Whether the day or the month comes first in a column. ``name``: of the column; one with «UTC» says what zone its
    times are in. ``order``: what the importing person says, over what the cells show.

    A workbook holds dates as numbers of days. One without a date's format may also be a year or an amount, so numbers
    are read as dates only when all numbers of the column would be dates from 2000 to 2099. ``since_1904``: what the
    workbook counts from; None for files that are none.
    """

    def __init__(self, name: str = "", order: DateOrder | None = None, since_1904: bool | None = None) -> None:
        self._since_1904 = since_1904
        self._in_utc = "utc" in name.casefold()
        self._asked = order
        self._shown = {"day_first": 0, "month_first": 0}
        self._count = 0
        self.ambiguous = 0
        """Cells of which the column has to show whether the day or the month comes first."""
        self.serials = 0
        """Cells that are plain numbers of days, as a workbook counts them."""
        self.other_numbers = 0
        """Cells of a workbook that are numbers and no dates."""

    def see(self, cell: Cell) -> None:
        """Take a cell into account."""
        read = read_date(cell, in_utc=self._in_utc)
        if read is None and self._since_1904 is not None and isinstance(cell, int | float):
            if self._serial(cell):
                self.serials += 1
            else:
                self.other_numbers += 1
        if read is not None:
            if read.sure:
                self._shown[read.sure] += 1
            self.ambiguous += read.day_first != read.month_first
            self._count += 1

    @property
    def order(self) -> DateOrder | None:
        """None when nothing shows it, or when some cells show the one and some the other."""
        if self._asked:
            return self._asked
        day_first, month_first = self._shown["day_first"], self._shown["month_first"]
        if bool(day_first) == bool(month_first):
            return None
        return "day_first" if day_first else "month_first"

    @property
    def readable(self) -> int:
        """How many of the cells seen are dates that are known."""
        return self._count - (self.ambiguous if self.order is None else 0) + (self.serials if self.counts_days else 0)

    @property
    def counts_days(self) -> bool:
        """Whether plain numbers are read as dates."""
        return self.serials > 0 and not self.other_numbers

    def _serial(self, cell: Cell) -> str:
        if self._since_1904 is None or isinstance(cell, bool) or not isinstance(cell, int | float):
            return ""
        when = of_serial(float(cell), self._since_1904)
        if when is None or not _FIRST_SERIAL_YEAR <= when.year < _LAST_YEAR:
            return ""
        read = read_date(when, in_utc=self._in_utc)
        return "" if read is None else read.day_first

    def written(self, cell: Cell) -> str:
        """The date in ISO 8601, "" when the cell is none or does not tell which of two it is."""
        read = read_date(cell, in_utc=self._in_utc)
        if read is None:
            return self._serial(cell) if self.counts_days else ""
        if read.day_first == read.month_first:
            return read.day_first
        return read.day_first if self.order == "day_first" else read.month_first if self.order == "month_first" else ""
