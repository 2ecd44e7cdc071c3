"""``mailrubric preconditions``: what this machine lets a run measure, before any vendor is asked anything."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import print_json, print_table, say

if TYPE_CHECKING:
    from mailrubric.evidence.runs import Run
    from probes.network import Options

NOT_MET = 1


def preconditions(
    allow_private: Annotated[
        bool,
        typer.Option(
            "--allow-private", help="As for a lab: nobody outside of this machine is asked.", show_default=False
        ),
    ] = False,
    resolver: options.Resolver = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Find out what can be measured from here: outbound port 25, IPv6, DNSSEC validation, blocklists, TLS versions.

    Connects to two well-known mail servers and two services over IPv6, and asks DNS. Exit code 1 when something is
    missing.
    """
    import asyncio

    from mailrubric.cli import network

    found = asyncio.run(_check(network.options(workspace, allow_private=allow_private, resolver=resolver)))
    if json:
        from mailrubric.evidence.runs import conditions_to_json

        print_json(
            {
                "started": found.started,
                "vantage": found.vantage,
                "preconditions": [
                    {name: value for name, value in each.items() if name != "endpoints"}
                    for each in conditions_to_json(found.preconditions)
                ],
            }
        )
    else:
        show(found)
    raise typer.Exit(NOT_MET if any(each.ok is False for each in found.preconditions) else 0)


async def _check(settings: Options) -> Run:
    from mailrubric.evidence.runs import Condition, Run
    from probes.network import Surroundings
    from probes.preconditions import check

    now = datetime.datetime.now(datetime.UTC)
    surroundings = Surroundings(settings)
    try:
        found = await check(surroundings)
    finally:
        await surroundings.close()
    return Run(
        started=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        vantage=settings.vantage,
        endpoints=0,
        preconditions=tuple(Condition(each.name, each.ok, each.detail, 0) for each in found),
    )


def show(run: Run) -> None:
    """A table, then what follows from what is missing."""
    from mailrubric.evidence.runs import sentences, title

    words = {True: "yes", False: "no", None: "unknown"}
    rows = [(title(each.name), words[each.ok], each.detail) for each in run.preconditions]
    print_table(("precondition", "met", "what was found"), rows)
    said = sentences(run)
    if said:
        say()
    for each in said:
        say(each)
