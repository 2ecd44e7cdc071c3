"""``mailrubric mail cadence``: what weeks of mail show of how much, when and how a sender writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.mail_analyse import NOTHING_READ, PASSWORD_VARIABLE, check_vendor, reading_faults, remote
from mailrubric.cli.terminal import Failure, Usage, print_json, print_table, print_title, say

if TYPE_CHECKING:
    import datetime

    from mailrubric.mail.cadence import Cadence, Feature, Known, Rules

_LISTED = 12
"""Recipients in the table for people; JSON has them all."""


def cadence(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH|URL",
            help="An mbox, a Maildir, an .eml file, a folder of these, or imaps://user@host/FOLDER. Repeatable.",
        ),
    ],
    sender: Annotated[
        str,
        typer.Option(
            "--sender",
            metavar="DOMAIN",
            help="Only mail from this domain and those below it. Default: all, each domain a sender of its own.",
            show_default=False,
        ),
    ] = "",
    recipient_zone: Annotated[
        str,
        typer.Option(
            "--recipient-zone",
            metavar="ZONE",
            help="The recipients' time zone, such as Europe/Berlin. (A message's own date is its sender's.)",
            show_default=False,
        ),
    ] = "",
    zones: Annotated[
        Path | None,
        typer.Option(
            "--zones",
            metavar="FILE",
            help="CSV: address,zone and, if known, signed_up,unsubscribed,tolerance.",
            show_default=False,
        ),
    ] = None,
    signed_up: Annotated[
        str,
        typer.Option("--signed-up", metavar="TIME", help="When everybody signed up.", show_default=False),
    ] = "",
    unsubscribed: Annotated[
        str,
        typer.Option("--unsubscribed", metavar="TIME", help="When everybody unsubscribed.", show_default=False),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Look at nothing before. Default: the first message.",
            show_default=False,
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--until",
            metavar="TIME",
            help="How long the mailbox was watched. Default: to its last message.",
            show_default=False,
        ),
    ] = "",
    tried: Annotated[
        list[str] | None,
        typer.Option(
            "--tried",
            metavar="FEATURE",
            help="What was switched on for this mail: local-time, sunset, frequency-cap=3 (a week). Only then does not "
            "seeing it count against the platform. Repeatable.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="N", help="Messages a week that a recipient bears.")
    ] = 3.0,
    waking: Annotated[str, typer.Option("--waking", metavar="FROM-TO", help="Waking hours.")] = "8-22",
    working: Annotated[str, typer.Option("--working", metavar="FROM-TO", help="Working hours.")] = "9-18",
    working_days: Annotated[
        str, typer.Option("--working-days", metavar="DAYS", help="Working days; Monday is 1.")
    ] = "1-5",
    vendor: Annotated[
        str, typer.Option("--vendor", metavar="ID", help="Store the figures for this vendor.", show_default=False)
    ] = "",
    password_variable: options.PasswordVariable = PASSWORD_VARIABLE,
    token_variable: options.TokenVariable = None,
    allow_private: options.AllowPrivate = False,
    resolver: options.Resolver = None,
    ca: options.TrustAnchor = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """How much mail, when, how evenly, and whether its sender heeds who does not open it or has left."""
    import datetime

    from mailrubric.causes import with_detail
    from mailrubric.cli import network
    from mailrubric.mail import fields
    from mailrubric.mail.analysis import Analysis
    from mailrubric.mail.cadence import cadence as look
    from probes.model import Unmeasured

    domain = fields.domain(sender)
    if sender and not domain:
        raise Usage("--sender: a domain such as example.com")
    now = datetime.datetime.now(datetime.UTC)
    rules = _rules(tolerance, waking, working, working_days)
    known = _known(recipient_zone, zones, signed_up, unsubscribed, tried or ())
    begin = _moment("--since", since) if since else None
    end = _moment("--until", until) if until else None
    if vendor:
        check_vendor(workspace, vendor)
    settings = network.options(workspace, allow_private=allow_private, resolver=resolver, ca=ca)
    # Signatures do not matter here, so DNS is not asked.
    analyses = [
        Analysis(
            remote(source, settings, password_variable, token_variable) if "://" in source else Path(source),
            processes=0,
        )
        for source in sources
    ]
    skipped: dict[str, int] = {}
    try:
        with reading_faults():
            found = look(
                (message for analysis in analyses for message in analysis),
                known,
                rules,
                sender=domain,
                since=begin,
                until=end,
                latest=now + datetime.timedelta(days=1),
            )
    except Unmeasured as problem:
        # A part of a mailbox would look like a sender who has stopped.
        why = with_detail(problem.cause, problem.detail)
        raise Failure(f"the mailbox was not read to its end: {why}", NOTHING_READ) from None
    for analysis in analyses:
        for reason, count in analysis.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
    if not found.messages:
        left_out = {**found.left_out, **skipped}
        why = "".join(f"; {count:,} × {reason}" for reason, count in left_out.items())
        raise Failure(f"there is no mail to look at{why}", NOTHING_READ)
    stored = _store(workspace, vendor, found, now) if vendor else 0
    if json:
        print_json(_document(found, rules, skipped, vendor, stored))
    else:
        _show(found, rules, skipped, vendor, stored)


def _moment(option: str, text: str) -> datetime.datetime:
    from mailrubric.mail.recipients import moment

    try:
        return moment(text)
    except ValueError as error:
        raise Usage(f"{option}: {error}") from None


def _hours(option: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text.strip())
    if not match:
        raise Usage(f"{option}: expected hours such as 8-22, got {text}")
    return int(match[1]), int(match[2])


def _days(text: str) -> frozenset[int]:
    """``1-5`` or ``1,2,7``: days from Monday, which is 1."""
    days: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-7])(?:-([1-7]))?\s*", part)
        if not match:
            raise Usage(f"--working-days: expected days such as 1-5 or 1,2,7, got {text}")
        days |= set(range(int(match[1]) - 1, int(match[2] or match[1])))
    if not days:
        raise Usage("--working-days: no day at all; the first must not come after the last")
    return frozenset(days)


def _rules(tolerance: float, waking: str, working: str, working_days: str) -> Rules:
    from mailrubric.mail.cadence import Rules

    try:
        return Rules(
            waking=_hours("--waking", waking),
            working=_hours("--working", working),
            working_days=_days(working_days),
            tolerance=tolerance,
        )
    except ValueError as error:
        raise Usage(str(error)) from None


def _known(zone: str, zones: Path | None, signed_up: str, unsubscribed: str, tried: Sequence[str]) -> Known:
    from mailrubric.mail.cadence import Known, Recipient
    from mailrubric.mail.cadence import zone as check
    from mailrubric.mail.recipients import RecipientsError, read

    try:
        if zone:
            check(zone)
    except ValueError as error:
        raise Usage(f"--recipient-zone: {error}") from None
    try:
        recipients = read(zones) if zones is not None else {}
    except RecipientsError as error:
        raise Usage(f"--zones: {error}") from None
    except OSError as error:
        raise Usage(f"--zones: {zones} cannot be read: {error.strerror or error}") from None
    everybody = Recipient(
        zone=zone,
        signed_up=_moment("--signed-up", signed_up) if signed_up else None,
        unsubscribed=_moment("--unsubscribed", unsubscribed) if unsubscribed else None,
    )
    return Known(everybody, recipients, _tried(tried))


def _tried(words: Sequence[str]) -> dict[Feature, float]:
    from mailrubric.mail.cadence import FEATURES

    found: dict[Feature, float] = {}
    for word in words:
        name, _, amount = word.partition("=")
        feature = next((each for each in FEATURES if each == name), None)
        if feature is None:
            raise Usage(f"--tried: expected one of {', '.join(FEATURES)}, got {word}")
        if (feature == "frequency-cap") != bool(re.fullmatch(r"[1-9]\d{0,4}", amount)) or (
            feature != "frequency-cap" and "=" in word
        ):
            raise Usage("--tried: write local-time, sunset, or frequency-cap=N with the messages a week, such as =3")
        found[feature] = float(amount) if amount else 1.0
    return found


def _store(workspace: Path | None, vendor: str, found: Cadence, now: datetime.datetime) -> int:
    from mailrubric.cli.catalogue import store_of
    from mailrubric.cli.workspace import open_workspace
    from mailrubric.evidence.times import written
    from mailrubric.mail.cadence_metrics import observations

    with store_of(open_workspace(workspace)) as store:
        return store.add_observations(observations(found, vendor, written(now)))


def _document(found: Cadence, rules: Rules, skipped: dict[str, int], vendor: str, stored: int) -> dict[str, Any]:
    """The figures for programs (docs/json.md)."""
    from dataclasses import asdict

    from mailrubric.mail.cadence_metrics import METRICS

    units = {metric.key: metric.unit for metric in METRICS}
    return {
        "sender": found.sender or None,
        "messages": found.messages,
        "senders": found.senders,
        "recipients": found.recipients,
        "campaigns": found.campaigns,
        "first": found.first,
        "last": found.last,
        "left_out": [{"reason": reason, "count": count} for reason, count in found.left_out.items()],
        "skipped": [{"reason": reason, "count": count} for reason, count in sorted(skipped.items())],
        "rules": {
            "waking": list(rules.waking),
            "working": list(rules.working),
            "working_days": sorted(day + 1 for day in rules.working_days),
            "tolerance": rules.tolerance,
            "settled_days": rules.settled_days,
            "grace_hours": rules.grace_hours,
        },
        "figures": [
            {
                "metric": key,
                "value": each.value,
                "unit": units[key],
                "n": each.n,
                "counted": each.counted,
                "low": each.low,
                "high": each.high,
                "cause": each.cause or None,
                "detail": each.detail,
            }
            for key, each in found.estimates.items()
        ],
        "recommendations": list(found.recommendations),
        "heat": None if found.heat is None else [list(row) for row in found.heat],
        "weeks": [asdict(week) for week in found.weeks],
        "subscriptions": [asdict(each) for each in found.subscriptions],
        "vendor": vendor or None,
        "stored": stored,
    }


def _show(found: Cadence, rules: Rules, skipped: dict[str, int], vendor: str, stored: int) -> None:
    from mailrubric.causes import explain, short
    from mailrubric.display import how_many, tenths
    from mailrubric.mail.cadence import cases
    from mailrubric.mail.cadence_metrics import METRICS, TITLES
    from mailrubric.mail.words import figure_words, interval_words

    metrics = {metric.key: metric for metric in METRICS}
    of = f" from {found.sender}" if found.sender else f" of {how_many(found.senders, 'sender')}"
    print_title(
        f"{how_many(found.messages, 'message')}{of} to {how_many(found.recipients, 'recipient')}, "
        f"{found.first[:10]} to {found.last[:10]}"
    )
    for reason, count in {**found.left_out, **skipped}.items():
        say(f"left out: {count:,} × {reason}")
    say()
    rows = []
    for key, each in found.estimates.items():
        unit = metrics[key].unit
        rows.append(
            (
                TITLES[key],
                short(each.cause) if each.cause else figure_words(each.value, each.low, each.high, unit),
                interval_words(each.low, each.high, unit),
                cases(each),
                each.detail,
            )
        )
    print_table(("figure", "value", "95 % interval", "from", ""), rows, whole=(0, 1, 2))
    if found.subscriptions:
        say()
        print_table(
            ("recipient", "sender", "zone", "messages", "a week", "most", "over", "opened"),
            [
                (
                    each.name,
                    each.sender,
                    each.zone or "unknown",
                    f"{each.messages:,}",
                    "" if each.per_week is None else tenths(each.per_week),
                    "" if each.most is None else str(each.most),
                    f"{each.over} of {how_many(each.weeks, 'week')}" if each.weeks else "",
                    "unknown" if each.opened is None else f"{100 * each.opened:.0f}%",
                )
                for each in found.subscriptions[:_LISTED]
            ],
            right=(3, 4, 5),
        )
        if len(found.subscriptions) > _LISTED:
            say(f"… and {len(found.subscriptions) - _LISTED:,} more")
        say(
            "over: weeks with more messages than the recipient tolerates "
            f"({rules.tolerance:g}, unless his own is given)"
        )
    say()
    for sentence in found.recommendations:
        say(f"- {sentence}")
    if not found.recommendations:
        say("Nothing in these figures asks for a change, as far as they are known.")
    causes = dict.fromkeys(each.cause for each in found.estimates.values() if each.cause)
    if causes:
        say()
        for cause in causes:
            words = explain(cause)
            say(f"{short(cause)}: {words.sentence} {words.advice}")
    if vendor:
        say()
        say(f"{how_many(stored, 'figure')} stored for {vendor}")
