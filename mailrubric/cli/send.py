"""``mailrubric send``: test messages from an account of one's own to mailboxes of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, complain, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailrubric.evidence.observation import Observation
    from mailrubric.mail.sending import Message, Outcome, Plan
    from probes.network import Options

NOTHING_ACCEPTED = 3
STOPPED = 130


def send(
    vendor: options.Vendor,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help="A recipient: a mailbox of your own, or of somebody who agreed. Repeatable.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        list[str] | None,
        typer.Option(
            "--seed",
            metavar="NAME",
            help="A mailbox of mailrubric.yaml (sending: seeds) to send to and to look for the message in. Repeatable.",
            show_default=False,
        ),
    ] = None,
    own_account: Annotated[
        bool,
        typer.Option(
            "--own-account",
            help="Yes: log in to the account of my own that mailrubric.yaml names, and really send. Without it, the "
            "command only says what it would do.",
            show_default=False,
        ),
    ] = False,
    messages: Annotated[
        int,
        typer.Option("--messages", metavar="N", min=1, max=20, help="Messages to each recipient; 20 in all at most."),
    ] = 1,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            max=7200,
            help="How long to look for the messages. What is not there after 900 s counts as not delivered; after a "
            "shorter wait it stays unknown.",
        ),
    ] = 900,
    spacing: Annotated[
        float, typer.Option("--spacing", metavar="SECONDS", min=0, max=600, help="Pause between messages.")
    ] = 5,
    malformed_recipients: Annotated[
        bool,
        typer.Option(
            "--malformed-recipients",
            help="Also see which malformed recipients are taken; no message follows.",
            show_default=False,
        ),
    ] = False,
    unknown_recipient: Annotated[
        bool,
        typer.Option(
            "--unknown-recipient",
            help="Also see whether a recipient that nobody is is taken; no message follows.",
            show_default=False,
        ),
    ] = False,
    deadline: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            min=1,
            max=900,
            help="How long one session may take. Default: 360, since servers may look at a message for minutes.",
            show_default=False,
        ),
    ] = None,
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Store nothing of what was found.", show_default=False)
    ] = False,
    allow_private: options.AllowPrivate = False,
    resolver: options.Resolver = None,
    ca: options.TrustAnchor = None,
    ehlo: options.Ehlo = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Send test messages from your own account at a vendor, and look where and when they arrive.

    The account and the seed mailboxes stand in mailrubric.yaml, their secrets in environment variables. Exit code 3
    when no message was accepted.
    """
    from mailrubric.cli import network
    from mailrubric.cli.catalogue import choose, read_catalogue, store_of
    from mailrubric.cli.workspace import open_workspace
    from mailrubric.mail import sending

    place = open_workspace(workspace)
    catalogue = read_catalogue(place)
    choose(catalogue, (vendor,))
    settings = network.options(
        workspace,
        allow_private=allow_private,
        resolver=resolver,
        ca=ca,
        ehlo=ehlo,
        deadline=deadline if deadline is not None else sending.SESSION_SECONDS,
    )
    try:
        account = sending.account_of(place.settings, vendor, catalogue.endpoints(vendor))
        plan = sending.Plan(
            account=account,
            recipients=tuple(to or ()),
            seeds=tuple(sending.seeds_of(place.settings, seed or ())),
            each=messages,
            wait=wait,
            spacing=spacing,
            malformed_recipients=malformed_recipients,
            unknown_recipient=unknown_recipient,
        )
    except sending.SendingError as error:
        raise Usage(str(error)) from None
    _announce(plan)
    if not own_account:
        raise Usage("nothing was sent: say --own-account when this account and these mailboxes are yours to use")
    outcome = _run(plan, settings)
    report = ""
    if no_store:
        observed = sending.observations(outcome)
    else:
        with store_of(place) as store:
            report = store.add_report(vendor, outcome.report())
            observed = sending.observations(outcome, report)
            store.add_observations(observed)
    if json:
        print_json(_document(outcome, observed, report))
    else:
        _show(outcome, observed)
    raise typer.Exit(STOPPED if outcome.stopped else 0 if outcome.accepted else NOTHING_ACCEPTED)


def _run(plan: Plan, settings: Options) -> Outcome:
    """Send and look. The first Ctrl-C ends it after one more look, and what was seen is kept; the second ends it at
    once."""
    from mailrubric.cli import stopping
    from mailrubric.mail.sending import run

    return stopping.run(
        lambda stop: run(plan, settings, complain, stop), "stopping after one more look; what was seen is kept"
    )


def _announce(plan: Plan) -> None:
    """Say on stderr what is about to be done, and with what, before it is."""
    from mailrubric.mail.sending import server_url

    account = plan.account
    letters = plan.letters
    said = ", ".join(dict.fromkeys(address for address, _ in letters))
    complain(f"From your own account at {account.vendor}: {server_url(account.endpoint)}, as {account.sender}")
    complain(f"  {len(letters)} test message{'s' if len(letters) > 1 else ''} to {said}")
    for each in plan.seeds:
        complain(f"  looked for in {each.name}: {server_url(each.endpoint)}, which is only read")
    if plan.malformed_recipients or plan.unknown_recipient:
        complain("  then a session with recipients that are no good, given up before any text")


def _show(outcome: Outcome, observed: Sequence[Observation]) -> None:
    from mailrubric.causes import explain, short, with_detail
    from mailrubric.display import value_words

    for message in outcome.messages:
        print_title(f"message {message.number} to {message.recipient}")
        print_table(
            ("step", "ms", "reply"),
            [(step.name, f"{step.ms:.1f}", step.said) for step in message.sending.steps],
            right=(1,),
        )
        if (problem := message.sending.problem) is not None:
            say(f"{message.sending.failed_at}: {with_detail(problem.cause, problem.detail)}")
        if message.sending.queue_id:
            say(f"queue id {message.sending.queue_id}")
        if message.seed:
            say(_arrival_words(message))
        say()
    print_table(
        ("metric", "value", "95 % interval", "n", "why not, or how"),
        [
            (
                each.metric,
                value_words(each.value, each.unit),
                "" if each.low is None or each.high is None else f"{each.low:.4g}–{each.high:.4g}",
                "" if each.n is None else str(each.n),
                f"{short(each.cause)}: {each.detail}" if each.cause is not None else each.detail,
            )
            for each in observed
        ],
        right=(3,),
        whole=(0, 1),
    )
    causes = dict.fromkeys(each.cause for each in observed if each.cause is not None)
    for cause in causes:
        say()
        say(f"{short(cause)}: {explain(cause).sentence}")


def _arrival_words(message: Message) -> str:
    from mailrubric.causes import with_detail

    if message.arrival is None:
        if message.problem is None:
            return "arrival unknown"
        return f"arrival unknown: {with_detail(message.problem.cause, message.problem.detail)}"
    seconds = message.delivery_seconds
    after = "" if seconds is None else f", {seconds:.1f} s after it was sent"
    where = {"inbox": "in the inbox", "spam": "in the spam folder", "other": "elsewhere"}[message.arrival.placement]
    return f"found {where} ({message.arrival.folder}){after}"


def _document(outcome: Outcome, observed: Sequence[Observation], report: str) -> dict[str, Any]:
    """The run for programs (docs/json.md)."""
    from mailrubric.mail.sending import server_url

    plan = outcome.plan
    return {
        "vendor": plan.account.vendor,
        "run": outcome.run,
        "started": outcome.started_text,
        "duration_ms": outcome.duration_ms,
        "vantage": outcome.vantage,
        "server": server_url(plan.account.endpoint),
        "from": plan.account.sender,
        "wait": plan.wait,
        "waited": outcome.waited,
        "report": report or None,
        "accepted": outcome.accepted,
        "messages": [_message(message) for message in outcome.messages],
        "seeds": [
            {
                "name": each.name,
                "server": server_url(each.endpoint),
                "mechanism": watched.mechanism or None,
                "folders": watched.folders,
                "complete": watched.complete,
                "cause": None if watched.problem is None else watched.problem.cause.value,
                "detail": "" if watched.problem is None else watched.problem.detail,
            }
            for each in plan.seeds
            for watched in [outcome.watches[each.name]]
        ],
        "observations": [
            {
                "metric": each.metric,
                "value": list(each.value) if isinstance(each.value, tuple) else each.value,
                "unit": each.unit,
                "n": each.n,
                "low": each.low,
                "high": each.high,
                "cause": each.cause,
                "detail": each.detail,
            }
            for each in observed
        ],
        "transcript": [
            {"ms": step.ms, "direction": step.direction, "text": step.text, "connection": step.connection}
            for step in outcome.transcript
        ],
    }


def _message(message: Message) -> dict[str, Any]:
    sending, arrival, sent = message.sending, message.arrival, message.sending.sent_at
    found = None
    if arrival is not None and sent is not None:
        earliest, latest = arrival.bounds_since(sent)
        found = {
            "placement": arrival.placement,
            "folder": arrival.folder,
            "labels": list(arrival.labels),
            "seconds": arrival.seconds_since(sent),
            "seconds_by_stamp": arrival.stamped_since(sent),
            "seconds_not_before": earliest,
            "seconds_seen": latest,
            "headers": list(arrival.headers),
        }
    return {
        "number": message.number,
        "recipient": message.recipient,
        "seed": message.seed or None,
        "accepted": sending.accepted or None,
        "accepted_ms": sending.accepted_ms,
        "sent": None if sent is None else sent.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "queue_id": sending.queue_id or None,
        "reply": sending.reply,
        "tls": sending.tls or None,
        "mechanism": sending.mechanism or None,
        "steps": [{"step": step.name, "ms": step.ms, "reply": step.said} for step in sending.steps],
        "failed_at": sending.failed_at,
        "cause": None if sending.problem is None else sending.problem.cause.value,
        "detail": "" if sending.problem is None else sending.problem.detail,
        "arrival": found,
        "arrival_cause": None if message.problem is None else message.problem.cause.value,
        "arrival_detail": "" if message.problem is None else message.problem.detail,
    }
