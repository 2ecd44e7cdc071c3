"""A scorecard as a file. ``render`` is the one way in, for the command line and the dashboard alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailrubric.scoring.evaluation import Evaluation

FORMATS: tuple[str, ...] = ("xlsx", "html", "md", "csv", "json")
"""The endings that ``render`` knows."""

MEDIA_TYPES: dict[str, str] = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}


class UnknownFormat(ValueError):
    """There is no such format; the text names those that exist."""


def render(evaluation: Evaluation, format: str, vendors: Collection[str] | None = None) -> bytes:
    """The scorecard as the bytes of a file. The same evaluation always gives the same bytes.

    ``format``: one of ``FORMATS``, else ``UnknownFormat``. ``vendors``: ids to keep (None keeps all); ranks and scores
    stay those of the whole evaluation.
    """
    from mailrubric.scoring.decision import DecisionError, robust

    try:
        sure = robust(evaluation)
    except DecisionError:  # nobody has a rank
        sure = None
    kept = evaluation.vendors if vendors is None else tuple(v for v in evaluation.vendors if v.id in vendors)
    shown = dataclasses.replace(evaluation, vendors=kept)
    # Each writer is imported when it is asked for: a CSV needs no spreadsheet library.
    match format:
        case "json":
            from mailrubric.export.document import dumps, scorecard

            document = scorecard(shown, evidence=True)
            return dumps(document | {"robust": None if sure is None else dataclasses.asdict(sure)}).encode()
        case "csv":
            from mailrubric.export.comma_separated import write_csv

            return write_csv(shown, sure)
        case "md":
            from mailrubric.export.markdown import write_markdown

            return write_markdown(shown, sure)
        case "html":
            from mailrubric.export.web_page import write_html

            return write_html(shown, sure)
        case "xlsx":
            from mailrubric.export.workbook import write_xlsx

            return write_xlsx(shown, sure)
    raise UnknownFormat(f"no such format: {format!r}; there are " + ", ".join(f".{name}" for name in FORMATS))
