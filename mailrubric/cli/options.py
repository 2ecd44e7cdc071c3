"""Options that several commands share, declared once. Read by typer, and by ``cli.quick`` for the fast path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Workspace = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="DIR",
        help="Folder with mailrubric.yaml, criteria/, vendors/ and the evidence. Default: the current folder.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON (documented in docs/json.md).", show_default=False)]
Category = Annotated[
    list[str] | None,
    typer.Option(
        "--category",
        metavar="CATEGORY",
        help="Only vendors of this category: esp, marketing, mailbox or self-hosted. Repeatable.",
        show_default=False,
    ),
]
Vendors = Annotated[
    list[str] | None, typer.Argument(metavar="VENDOR", help="Ids of vendors, such as postmark.", show_default=False)
]
Vendor = Annotated[str, typer.Argument(metavar="VENDOR", help="Id of a vendor, such as postmark.", show_default=False)]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="ID",
        help="Weights of one kind of buyer; also chooses the categories that this buyer looks at.",
        show_default=False,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="YAML file with weights of groups and criteria, over the preset's.",
        show_default=False,
    ),
]
MinimumCoverage = Annotated[
    float | None,
    typer.Option(
        "--min-coverage",
        metavar="PERCENT",
        min=0,
        max=100,
        help="Rank vendors from this coverage on. Default: the workspace's, else 60.",
        show_default=False,
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="Score what was known at this date (2026-11-22, the end of that day in UTC) or time "
        "(2026-11-22T10:00:00Z). Default: now.",
        show_default=False,
    ),
]
AllCategories = Annotated[
    bool, typer.Option("--all", help="Vendors of all categories, whatever the preset's.", show_default=False)
]
AllowPrivate = Annotated[
    bool, typer.Option("--allow-private", help="Also use private and loopback addresses.", show_default=False)
]
Resolver = Annotated[
    str | None,
    typer.Option("--resolver", metavar="HOST:PORT", help="DNS resolver. Default: the system's.", show_default=False),
]
TrustAnchor = Annotated[
    Path | None,
    typer.Option("--ca", metavar="FILE", help="PEM file with one more trust anchor.", show_default=False),
]
Ehlo = Annotated[
    str | None,
    typer.Option("--ehlo", metavar="NAME", help="Name said in EHLO. Default: this machine's name.", show_default=False),
]
PasswordVariable = Annotated[
    str,
    typer.Option("--password-variable", metavar="NAME", help="Environment variable with the mailbox's password."),
]
TokenVariable = Annotated[
    str | None,
    typer.Option(
        "--token-variable",
        metavar="NAME",
        help="Environment variable with an OAuth 2.0 access token, in the place of a password.",
        show_default=False,
    ),
]


def group(help_text: str) -> typer.Typer:
    """Commands below one name, such as ``mail analyse`` and ``mail cadence``."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
