"""``mailrubric reviews import``: reviews from a file that a site or a team exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailrubric.cli import options


def import_reviews(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines, JSON or XLSX with one review a row.")],
    vendor: Annotated[
        str, typer.Option("--vendor", metavar="ID", help="Whom the reviews are about.", show_default=False)
    ],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Read the reviews of an exported file into the evidence."""
