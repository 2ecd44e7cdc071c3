"""``mailrubric support``: tickets opened to test a vendor's support, and how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, print_json, print_title, say

if TYPE_CHECKING:
    from datetime import datetime

    from mailrubric.trials.intervals import Quantile
    from mailrubric.trials.support import Ticket, Wait

app = options.group("Tickets opened to test a vendor's support, in trials/support.csv.")


@app.command("log")
def log_ticket(
    vendor: options.Vendor,
    channel: Annotated[
        str, typer.Option("--channel", metavar="NAME", help="email, chat, phone, form …", show_default=False)
    ] = "",
    opened_at: Annotated[
        str | None,
        typer.Option(
            "--opened",
            metavar="TIME",
            help="When the ticket was opened, with the offset (2026-11-23T09:30+01:00), or now. It names the ticket "
            "when a reply is logged.",
            show_default=False,
        ),
    ] = None,
    replied: Annotated[
        str | None,
        typer.Option(
            "--replied",
            metavar="TIME",
            help="When a person replied first, or now. An automatic receipt is no reply.",
            show_default=False,
        ),
    ] = None,
    solved: Annotated[
        str | None,
        typer.Option(
            "--solved",
            metavar="TIME",
            help="When it was solved, or now. Also the first reply, if there was none.",
            show_default=False,
        ),
    ] = None,
    helpful: Annotated[
        bool | None, typer.Option("--helpful/--not-helpful", help="Whether the answer helped.", show_default=False)
    ] = None,
    note: Annotated[str, typer.Option("--note", help="What was asked, without names.", show_default=False)] = "",
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write down a ticket, or what came of it.

    Without --replied, --solved or --helpful a new ticket is opened. With one of them the vendor's only ticket that
    still waits for it is meant, or the one that --opened names.
    """
    from mailrubric.cli.by_hand import now, opened, time_of, writing
    from mailrubric.display import one_line
    from mailrubric.evidence.times import written
    from mailrubric.trials import support

    place = opened(workspace, (vendor,))
    begun = time_of(opened_at, "--opened")
    changes = {
        "channel": one_line(channel),
        "first_reply": _written(time_of(replied, "--replied")),
        "solved": _written(time_of(solved, "--solved")),
        "helpful": "" if helpful is None else "yes" if helpful else "no",
        "note": one_line(note),
    }
    changes = {name: text for name, text in changes.items() if text}
    tickets = [each for each in place.trials.tickets if each.vendor == vendor]
    known = next((each for each in tickets if begun is not None and each.opened == begun), None)
    answer: set[str] = {"first_reply", "solved", "helpful"} & changes.keys()
    if known is None and begun is None and answer:
        known = _waiting(vendor, tickets, answer)
    if "solved" in changes and "first_reply" not in changes and (known is None or known.first_reply is None):
        changes["first_reply"] = changes["solved"]  # the solution was the first that was heard
    with writing():
        if known is not None:
            path = support.update_ticket(place.folder, known, changes)
        else:
            ticket = support.Ticket(
                vendor,
                changes.get("channel", ""),
                begun or now(),
                time_of(changes.get("first_reply"), "--replied"),
                time_of(changes.get("solved"), "--solved"),
                helpful,
                changes.get("note", ""),
            )
            path = support.open_ticket(place.folder, ticket)
    begun_text = written(known.opened if known is not None else ticket.opened)
    if json:
        print_json(
            {
                "vendor": vendor,
                "opened": begun_text,
                "new": known is None,
                "changes": changes,
                "path": place.shown(path),
            }
        )
        return
    said = ", ".join(f"{name.replace('_', ' ')}: {text}" for name, text in changes.items())
    what = "written down" if known is None else "filled in"
    say(f"{vendor}: the ticket opened at {begun_text} is {what}{f' ({said})' if said else ''}; {place.shown(path)}")


def _waiting(vendor: str, tickets: list[Ticket], answer: set[str]) -> Ticket:
    """The only ticket that lacks what is said of it."""
    from mailrubric.evidence.times import written

    missing = [each for each in tickets if any(getattr(each, name) is None for name in answer)]
    if "first_reply" in answer:
        missing = [each for each in missing if each.first_reply is None]
    if not missing:
        raise Usage(f"no ticket of {vendor} waits for that; --opened TIME writes down a new one")
    if len(missing) > 1:
        times = ", ".join(written(each.opened) for each in missing[:10])
        raise Usage(f"{len(missing)} tickets of {vendor} wait; say which with --opened: {times}")
    return missing[0]


def _written(when: datetime | None) -> str:
    from mailrubric.evidence.times import written

    return "" if when is None else written(when)


@app.command()
def summary(
    vendors: options.Vendors = None,
    hours: Annotated[
        str | None,
        typer.Option(
            "--hours",
            metavar="HOURS",
            help='Working hours for vendors whose file states none: "Europe/Berlin mon-fri 09:00-17:00".',
            show_default=False,
        ),
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """How long replies and solutions took, waiting tickets included. Exit code 3 when there is no ticket."""
    from mailrubric.cli.by_hand import chosen, estimate_json, now, opened
    from mailrubric.evidence.times import written
    from mailrubric.trials.hours import HoursError, parse
    from mailrubric.trials.support import summarise
    from mailrubric.trials.tasks import hours_of

    place = opened(workspace, vendors or ())
    known = hours_of(place.trials.trials)
    if hours is not None:
        try:
            given = parse(hours)
        except HoursError as error:
            raise Usage(f"--hours: {error}") from error
        known = {**dict.fromkeys(place.trials.categories, given), **known}
    found = summarise(place.trials.tickets, known, now())
    names = chosen(vendors, sorted(found))
    if json:
        print_json(
            {
                "vendors": [
                    {
                        "id": name,
                        "tickets": found[name].tickets,
                        "hours": found[name].hours or None,
                        "first_reply": _wait_json(found[name].first_reply),
                        "solved": _wait_json(found[name].solved),
                        "helpful": estimate_json(found[name].helpful),
                        "newest": written(found[name].newest),
                        "sentences": list(found[name].sentences),
                    }
                    for name in names
                ]
            }
        )
    for name in () if json else names:
        print_title(name)
        for sentence in found[name].sentences:
            say(f"  {sentence}")
        if found[name].hours:
            say(f"  Working hours: {found[name].hours}.")
    if not names:
        if not json:
            say("No tickets yet: mailrubric support log VENDOR --channel email writes one down.")
        raise typer.Exit(3)


def _wait_json(wait: Wait) -> dict[str, Any]:
    return {
        "waiting": wait.waiting,
        "median": _quantile_json(wait.median),
        "p90": _quantile_json(wait.slow),
        "working_median": _quantile_json(wait.business_median),
        "working_p90": _quantile_json(wait.business_slow),
    }


def _quantile_json(found: Quantile | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"value": found.value, "at_least": found.at_least, "low": found.low, "high": found.high, "n": found.n}
