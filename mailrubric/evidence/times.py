"""Times as evidence gives them: exact, as precise as a source, or not at all."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime

_PARTIAL = re.compile(r"^\d{4}(-\d{2}(-\d{2})?)?$")


def written(when: datetime) -> str:
    """A time as files and evidence give it: UTC, to the second, ``2026-11-22T10:00:00Z``."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.lru_cache(maxsize=65_536)
def moment(when: str) -> datetime | None:
    """The time that a text names, in UTC; the earliest day of a partial date; None for ``undated`` or nonsense."""
    try:
        if _PARTIAL.match(when):
            year, month, day = [*when.split("-"), "01", "01"][:3]
            return datetime(int(year), int(month), int(day), tzinfo=UTC)
        parsed = datetime.fromisoformat(when)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
