"""``mailrubric mail analyse``: authentication, encryption, lists, content of real messages, one by one or summed up."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, complain, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from mailrubric.mail.aggregate import Aggregate, Figure
    from mailrubric.mail.analysis import Analysis
    from mailrubric.mail.message import AnalysedMessage
    from mailrubric.mail.reading import Place, Skipped
    from probes.model import Unmeasured
    from probes.network import Options

PASSWORD_VARIABLE = "MAILRUBRIC_IMAP_PASSWORD"  # noqa: S105 - the name of a variable
NOTHING_READ = 3
KEPT = 10_000
"""Messages that are kept for ``--each --json``, the first ones: the sum is over all."""


def analyse(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PATH|URL",
            help="An .eml file, an mbox, a Maildir, a folder of these, or imaps://user@host/FOLDER.",
        ),
    ],
    vendor: Annotated[
        str | None,
        typer.Option("--vendor", metavar="ID", help="Store what was found for this vendor.", show_default=False),
    ] = None,
    sender: Annotated[
        str | None,
        typer.Option(
            "--sender",
            metavar="DOMAIN",
            help="Only messages from this domain, or signed by it, and what is below it.",
            show_default=False,
        ),
    ] = None,
    bulk: Annotated[
        bool,
        typer.Option(
            "--bulk",
            help="All of these messages are bulk mail: count the shares of bulk messages over all of them.",
            show_default=False,
        ),
    ] = False,
    authserv_id: Annotated[
        str | None,
        typer.Option(
            "--authserv-id",
            metavar="NAME",
            help="The receiving server whose Authentication-Results to trust. Default: whoever wrote the topmost.",
            show_default=False,
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Ask DNS nothing: signatures stay unchecked, and alignment unknown where names differ.",
            show_default=False,
        ),
    ] = False,
    each: Annotated[
        bool,
        typer.Option("--each", help="Every message by itself, too (with --json the first 10,000).", show_default=False),
    ] = False,
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", min=0, max=64, help="Processes; 0: one for each core.")
    ] = 0,
    password_variable: options.PasswordVariable = PASSWORD_VARIABLE,
    token_variable: options.TokenVariable = None,
    allow_private: options.AllowPrivate = False,
    resolver: options.Resolver = None,
    ca: options.TrustAnchor = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """What real messages show: signatures, encryption, unsubscription, text and links.

    One .eml file is shown in full, everything else summed up. Exit code 3 when not one message could be read.
    """
    from mailrubric.causes import with_detail
    from mailrubric.cli import network
    from mailrubric.mail import fields
    from mailrubric.mail.aggregate import Aggregate
    from mailrubric.mail.analysis import Analysis, Settings

    domain = fields.domain(sender) if sender is not None else ""
    if sender is not None and not domain:
        raise Usage("--sender: a domain such as example.com")
    if vendor is not None:
        check_vendor(workspace, vendor)
    settings = network.options(workspace, allow_private=allow_private, resolver=resolver, ca=ca)
    distant = "://" in source
    if distant:
        found: Path | Iterable[Place | Skipped] = remote(source, settings, password_variable, token_variable)
    else:
        found = Path(source)
    analysis = Analysis(
        found,
        options=None if offline else settings,
        settings=Settings(authserv_id or "", domain),
        processes=processes,
    )
    single = not distant and Path(source).is_file() and not _is_mbox(Path(source))
    total = Aggregate(all_bulk=bulk)
    kept: list[AnalysedMessage] = []
    problem = _read(analysis, total, kept if single or (each and json) else None, _line if each and not json else None)
    stored = 0
    if vendor is not None and total.messages:
        stored = _store(workspace, vendor, total)
    if json:
        print_json(_document(analysis, total, kept, vendor, stored, problem))
    else:
        if single and kept:
            _show_message(kept[0])
        elif total.messages:
            _show(total)
        _show_skipped(analysis)
        if stored:
            say()
            say(f"{stored:,} figures stored for {vendor}")
    if problem is not None:
        complain(f"Error: the mailbox was not read to its end: {with_detail(problem.cause, problem.detail)}")
    elif not total.messages:
        complain(f"Error: there is no message to analyse in {source}")
    if problem is not None or not total.messages:
        raise typer.Exit(NOTHING_READ)  # no failure: what there is to say has been printed


def check_vendor(workspace: Path | None, vendor: str) -> None:
    """``Usage`` for a vendor that the catalogue does not have: said before hours of reading, not after."""
    from mailrubric.cli.catalogue import choose, read_catalogue
    from mailrubric.cli.workspace import open_workspace

    choose(read_catalogue(open_workspace(workspace)), (vendor,))


def _store(workspace: Path | None, vendor: str, total: Aggregate) -> int:
    import datetime

    from mailrubric.cli.catalogue import store_of
    from mailrubric.cli.workspace import open_workspace

    observed = total.observations(vendor, datetime.datetime.now(datetime.UTC))
    with store_of(open_workspace(workspace)) as store:
        store.add_observations(observed)
    return len(observed)


def remote(
    url: str, settings: Options, password_variable: str, token_variable: str | None
) -> Iterable[Place | Skipped]:
    """The messages of an IMAP folder; ``Usage`` for a URL or a secret that can't be used."""
    from mailrubric.mail import folder
    from probes.authentication import Credentials, Secret
    from probes.send import Login

    try:
        place = folder.parse_url(url)
    except ValueError as error:
        raise Usage(str(error)) from None
    variable = token_variable or password_variable
    secret = os.environ.get(variable, "")
    if not secret:
        raise Usage(f"the environment variable {variable} is not set: it holds the secret of {place.user}")
    try:
        hidden = Secret(secret)
        login = Login(Credentials(place.user, None, hidden) if token_variable else Credentials(place.user, hidden))
    except ValueError as error:
        raise Usage(str(error)) from None
    return folder.messages(place, login, settings)


@contextlib.contextmanager
def reading_faults() -> Iterator[None]:
    """Messages that are read inside can be missing or unreadable: a failure that names the file."""
    from concurrent.futures.process import BrokenProcessPool

    try:
        yield
    except BrokenPipeError:
        raise  # the reader of our own output has gone
    except FileNotFoundError as error:
        raise Usage(f"there is no file or folder {error.filename}") from None
    except OSError as error:
        file = error.filename if error.filename is not None else "it"
        raise Failure(f"{file} cannot be read: {error.strerror or error}", NOTHING_READ) from None
    except BrokenProcessPool:
        raise Failure("a process that analysed messages was ended from outside", NOTHING_READ) from None


def _is_mbox(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(5) == b"From " or path.suffix.lower() in (".mbox", ".mbx")
    except OSError:
        return False


def _read(
    analysis: Analysis,
    total: Aggregate,
    kept: list[AnalysedMessage] | None,
    tell: Callable[[AnalysedMessage], None] | None,
) -> Unmeasured | None:
    """Go through all messages. Why the mailbox was not read to its end, or None; a failure when it was not begun."""
    from mailrubric.causes import with_detail
    from probes.model import Unmeasured

    try:
        with reading_faults():
            for message in analysis:
                total.add(message)
                if kept is not None and len(kept) < KEPT:
                    kept.append(message)
                if tell is not None:
                    tell(message)
    except Unmeasured as problem:
        if not total.messages:
            why = with_detail(problem.cause, problem.detail)
            raise Failure(f"the mailbox can't be read: {why}", NOTHING_READ) from None
        return problem
    return None


# --- for people -------------------------------------------------------------------------------------------------------


def _show(total: Aggregate) -> None:
    from mailrubric.causes import explain, short
    from mailrubric.display import how_many
    from mailrubric.mail.metrics import TITLES
    from mailrubric.mail.words import interval_words

    when = f", {total.first:%Y-%m-%d} to {total.last:%Y-%m-%d}" if total.first and total.last else ""
    print_title(f"{how_many(total.messages, 'message')}{when}")
    say()
    figures = total.figures()
    print_table(
        ("figure", "value", "95 % interval", "n", "unknown", "why not, or how"),
        [
            (
                TITLES[each.metric],
                _value(each),
                interval_words(each.low, each.high, "%"),
                f"{each.n:,}",
                f"{each.unknown:,}" if each.unknown else "",
                f"{short(each.cause)}: {each.detail}" if each.cause else each.detail,
            )
            for each in figures
        ],
        right=(1, 3, 4),
        whole=(0, 1, 2),
    )
    say()
    rows = [
        ("senders (From)", _counted(total.senders)),
        ("signed by", _counted(total.signers)),
        ("TLS from outside", _counted(total.tls_versions)),
        *((f"receiver says of {name}", _counted(counter)) for name, counter in total.results.items()),
        ("ARC chains, verified", _counted(total.chains)),
        ("mailers", _counted(total.mailers)),
        ("platforms' fields", _counted(total.fingerprints)),
        ("link hosts", _counted(total.link_hosts)),
        (
            "addresses",
            ", ".join(f"{address} ({how_many(count, 'domain')})" for address, _, count in total.addresses()[:5])
            or "unknown",
        ),
        ("shared or dedicated", ": ".join(total.sharing())),
    ]
    print_table(("", ""), [row for row in rows if row[1]], whole=(0,))
    for cause in dict.fromkeys(each.cause for each in figures if each.cause):
        say()
        say(f"{short(cause)}: {explain(cause).sentence} {explain(cause).advice}")


def _value(figure: Figure) -> str:
    from mailrubric.mail.metrics import METRICS
    from mailrubric.mail.words import figure_words

    unit = next(metric.unit for metric in METRICS if metric.key == figure.metric)
    return figure_words(figure.value, figure.low, figure.high, unit)


def _counted(counter: dict[str, int]) -> str:
    most = sorted(counter.items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{word} ({count:,})" for word, count in most[:5])
    return f"{shown} and {len(most) - 5} more" if len(most) > 5 else shown


def _line(message: AnalysedMessage) -> None:
    """One line about one message of many."""
    bulk = {True: "bulk", False: "for one person", None: "kind unknown"}[message.bulk]
    one_click = "one-click" if message.one_click else "unsubscribe" if message.list_unsubscribe else ""
    when = message.arrived or message.sent
    words = (
        message.place,
        f"{when:%Y-%m-%d %H:%M}" if when else "no date",
        message.from_domain or "no sender",
        f"dkim {message.dkim or 'unknown'}",
        f"dmarc {_yes(message.dmarc_aligned, 'aligned', 'not aligned')}",
        bulk,
        one_click,
    )
    say("  ".join(word for word in words if word))


def _arc(message: AnalysedMessage) -> str:
    if message.arc == "pass":
        return f"pass, sealed by {', '.join(message.arc_sealers)}"
    return f"{message.arc}: {message.arc_detail}" if message.arc_detail else message.arc or ""


def _yes(value: bool | None, yes: str = "yes", no: str = "no") -> str:
    return "unknown" if value is None else yes if value else no


def _show_message(message: AnalysedMessage) -> None:
    from mailrubric.causes import explain, short
    from mailrubric.display import how_many

    print_title(f"{message.place}: from {message.from_domain or 'nobody'}, {message.size:,} B")
    why = {missing.field: missing for missing in message.causes}

    def known(field: str, words: str) -> str:
        missing = why.get(field)
        return words if missing is None else f"unknown ({short(missing.cause)}: {missing.detail})"

    rows = [
        ("sent", known("sent", message.sent.isoformat() if message.sent else "")),
        ("arrived", known("arrived", message.arrived.isoformat() if message.arrived else "")),
        ("DKIM, verified now", known("dkim", message.dkim or "")),
        ("DKIM aligned with From", known("dkim_aligned", _yes(message.dkim_aligned))),
        ("receiver says of DKIM", known("dkim_stated", message.dkim_stated or "")),
        ("receiver says of SPF", known("spf", f"{message.spf} for {message.spf_domain or 'no domain'}")),
        ("SPF aligned with From", known("spf_aligned", _yes(message.spf_aligned))),
        ("receiver says of DMARC", known("dmarc", message.dmarc or "")),
        ("aligned as DMARC asks", known("dmarc_aligned", _yes(message.dmarc_aligned))),
        ("receiver (authserv-id)", message.authserv_id or "none"),
        (
            "ARC",
            f"{how_many(message.arc_sets, 'set')}, cv={message.arc_cv or 'none stated'}"
            if message.arc_sets
            else "none",
        ),
        ("ARC, verified now", known("arc", _arc(message))),
        ("sent from", known("sending_address", message.sending_address)),
        ("kind", known("bulk", f"{'bulk' if message.bulk else 'for one person'}: {', '.join(message.bulk_reasons)}")),
        ("List-Unsubscribe", _yes(message.list_unsubscribe)),
        ("one-click unsubscription", _yes(message.one_click)),
        ("… covered by DKIM", known("one_click_signed", _yes(message.one_click_signed))),
        ("List-Id", message.list_id or "none"),
        ("Feedback-ID", message.feedback_id or "none"),
        ("plain text", known("plain_text", _yes(message.plain_text))),
        ("HTML", known("html", _yes(message.html))),
    ]
    if message.html:
        alike = (
            "" if message.text_alike is None else f", {100 * message.text_alike:.0f}% of its words in the plain text"
        )
        rows += [
            (
                "words, pictures",
                f"{how_many(message.words or 0, 'word')}{alike}, {how_many(message.images or 0, 'picture')}",
            ),
            ("links", f"{message.https_links} of {message.links} over https: {', '.join(message.link_hosts[:5])}"),
            (
                "signs of tracking",
                f"{how_many(message.tracking_pixels or 0, 'hidden picture')}, "
                f"{how_many(message.redirect_links or 0, 'redirecting link')}",
            ),
        ]
    if message.mailer or message.fingerprints:
        rows.append(("mailer", ", ".join(filter(None, (message.mailer, *message.fingerprints)))))
    if message.defects:
        rows.append(("defects", "; ".join(message.defects)))
    print_table(("", ""), rows, whole=(0,))
    if message.signatures:
        say()
        print_table(
            ("signature of", "selector", "algorithm", "key", "result", ""),
            [
                (
                    each.domain or "unreadable",
                    each.selector,
                    each.algorithm,
                    f"{each.bits} bit" if each.bits else "",
                    each.result or f"unknown ({short(each.cause)})",
                    "; ".join(
                        filter(
                            None,
                            (
                                each.detail,
                                f"{each.unsigned_bytes:,} B of the body unsigned" if each.unsigned_bytes else "",
                                "in testing" if each.testing else "",
                            ),
                        )
                    ),
                )
                for each in message.signatures
            ],
        )
    if message.hops:
        say()
        print_table(
            ("hop", "from", "address", "by", "with", "encrypted", ""),
            [
                (
                    str(number),
                    hop.helo,
                    hop.address,
                    hop.by,
                    hop.protocol,
                    " ".join(filter(None, (_yes(hop.tls), hop.tls_version, hop.cipher))),
                    "inside" if hop.internal else "",
                )
                for number, hop in enumerate(message.hops, start=1)
            ],
        )
    for cause in dict.fromkeys(missing.cause for missing in message.causes):
        if cause not in ("not_applicable", "not_stated"):
            say()
            say(f"{short(cause)}: {explain(cause).sentence} {explain(cause).advice}")


def _show_skipped(analysis: Analysis) -> None:
    for reason, count in sorted(analysis.skipped.items()):
        places = ", ".join(analysis.examples[reason])
        complain(f"skipped: {count:,} × {reason} ({places}{' …' if count > len(analysis.examples[reason]) else ''})")
    if analysis.others:
        complain(f"left out: {analysis.others:,} of other senders")


# --- for programs -----------------------------------------------------------------------------------------------------


def _document(
    analysis: Analysis,
    total: Aggregate,
    kept: list[AnalysedMessage],
    vendor: str | None,
    stored: int,
    problem: Unmeasured | None,
) -> dict[str, Any]:
    """The analysis (docs/json.md)."""
    return {
        "summary": total.as_json(),
        "skipped": [
            {"reason": reason, "count": count, "places": analysis.examples[reason]}
            for reason, count in sorted(analysis.skipped.items())
        ],
        "of_other_senders": analysis.others,
        "vendor": vendor,
        "stored": stored,
        "cause": None if problem is None else problem.cause.value,
        "detail": "" if problem is None else problem.detail,
        "messages": [_plain(dataclasses.asdict(message)) for message in kept],
    }


def _plain(value: Any) -> Any:
    """Times as ISO 8601 in UTC, tuples as lists."""
    import datetime

    from mailrubric.evidence.times import written

    if isinstance(value, datetime.datetime):
        return written(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
