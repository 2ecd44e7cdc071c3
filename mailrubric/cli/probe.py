"""``mailrubric probe``: vendors of the catalogue into the store, or one ad-hoc target and nothing stored.

Only what a probe of a target needs is imported at the top: that command must start fast.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, Usage, complain, print_json, print_table, print_title, say
from probes.model import ROLES, WEB_ROLES, Cause, Role

if TYPE_CHECKING:
    from probes.model import Endpoint, Measurement, Probe, Report
    from probes.network import Options

NOTHING_MEASURED = 3
_WIDTH = 118  # of a line of names, indented
_MANY, _FEW = 10, 2  # metrics of a family: with so many, so few others are named instead of all
_FAMILIES: tuple[frozenset[Role], ...] = (
    frozenset({"submission", "mx"}),
    frozenset({"domain", "sending"}),
    WEB_ROLES,
)
"""Roles that a target's URL alone does not tell apart."""


def probe(
    vendors: options.Vendors = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="URL",
            help="Probe this one endpoint and store nothing: smtp://HOST[:587], smtps://HOST[:465], mx://DOMAIN, "
            "imap://, imaps://, pop3://, pop3s://, sieve://, dns://DOMAIN, https://…",
            show_default=False,
        ),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Probe every vendor.", show_default=False)] = False,
    category: options.Category = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help=f"Only endpoints of this role: {', '.join(ROLES)}. Repeatable. With --target: its role.",
            show_default=False,
        ),
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            "--probe",
            metavar="NAME",
            help="Only this probe: smtp, tls, certificate, dns, http … Repeatable.",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="N",
            min=1,
            max=500,
            help="How many endpoints at once. Default: the workspace's, else 20.",
            show_default=False,
        ),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            min=0.1,
            max=600,
            help="How long one endpoint may take. Default: the workspace's, else 30; 120 at full depth.",
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            metavar="DEPTH",
            help="standard: at most 8 connections to each address and port. full: up to 128, for what takes one each, "
            "such as the list of cipher suites. Default: the workspace's, else standard.",
            show_default=False,
        ),
    ] = None,
    own_server: Annotated[
        bool,
        typer.Option(
            "--own-server",
            help="Also ask what is intrusive, of the servers that mailrubric.yaml names under own_servers: malformed "
            "addresses, VRFY, relaying, smuggling; test messages go to its own_server_recipient (docs/own-server.md).",
            show_default=False,
        ),
    ] = False,
    skip_fresh: Annotated[
        float | None,
        typer.Option(
            "--skip-fresh",
            metavar="HOURS",
            min=0,
            help="Leave out endpoints probed less than HOURS ago: takes up a run that was stopped.",
            show_default=False,
        ),
    ] = None,
    allow_private: options.AllowPrivate = False,
    resolver: options.Resolver = None,
    ca: options.TrustAnchor = None,
    ehlo: options.Ehlo = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="DIR",
            help="Also keep all that was sent and received, one file an endpoint. Never overwrites.",
            show_default=False,
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            metavar="DIR",
            help="Run the probes over the recordings in DIR instead of over the network. What they ask for and the "
            "recordings do not hold stays unknown.",
            show_default=False,
        ),
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Probe vendors and store what was found, or probe one --target.

    Exit code 3 when not one value could be measured.
    """
    raise typer.Exit(
        answer(
            vendors=vendors,
            target=target,
            everyone=everyone,
            category=category,
            role=role,
            probe=probe,
            concurrency=concurrency,
            deadline=deadline,
            depth=depth,
            own_server=own_server,
            skip_fresh=skip_fresh,
            allow_private=allow_private,
            resolver=resolver,
            ca=ca,
            ehlo=ehlo,
            record=record,
            replay=replay,
            workspace=workspace,
            json=json,
        )
    )


def answer(
    *,
    vendors: Sequence[str] | None,
    target: str | None,
    everyone: bool,
    category: Sequence[str] | None,
    role: Sequence[str] | None,
    probe: Sequence[str] | None,
    concurrency: int | None,
    deadline: float | None,
    depth: str | None,
    own_server: bool,
    skip_fresh: float | None,
    allow_private: bool,
    resolver: str | None,
    ca: Path | None,
    ehlo: str | None,
    record: Path | None,
    replay: Path | None,
    workspace: Path | None,
    json: bool,
) -> int:
    """What ``probe`` does, as an exit code."""
    from mailrubric.cli import network

    if replay is not None:
        here = (concurrency, deadline, depth, skip_fresh, resolver, ehlo, record)
        if allow_private or own_server or any(each is not None for each in here):
            raise Usage(
                "--replay runs as the recording did: --record, --concurrency, --deadline, --depth, --own-server, "
                "--skip-fresh, --resolver, --ehlo and --allow-private don't go with it"
            )
        if not replay.is_dir():
            raise Usage(f"--replay: there is no folder {replay}")
    if record is not None and record.exists() and not record.is_dir():
        raise Usage(f"--record: {record} is no folder")
    roles = _roles(role or ())
    _add_own_probes(workspace)
    chosen = _probes(probe or ())
    if target is not None:
        if vendors or everyone or category or skip_fresh is not None or concurrency is not None:
            raise Usage(
                "--target probes one endpoint: vendors, --all, --category, --concurrency, --skip-fresh don't go with it"
            )
        endpoint = _endpoint(target, roles)
        settings = network.options(
            workspace,
            allow_private=allow_private,
            resolver=resolver,
            ca=ca,
            ehlo=ehlo,
            deadline=deadline,
            depth=depth,
            own_server=own_server,
        )
        if own_server:
            from mailrubric.cli.own_server import announce

            announce([endpoint], settings)
        from probes.runner import answered, report_to_json

        report = _report(endpoint, settings, chosen, record, replay)
        if json:
            document = report_to_json(report)
            document.pop("version")
            print_json(document)
        else:
            _show(report)
        return 0 if answered(report) else NOTHING_MEASURED

    from mailrubric.cli import probe_vendors

    return probe_vendors.answer(
        workspace=workspace,
        vendors=tuple(vendors or ()),
        everyone=everyone,
        categories=tuple(category or ()),
        roles=roles,
        probes=chosen,
        concurrency=concurrency,
        skip_fresh=skip_fresh,
        settings=lambda: network.options(
            workspace,
            allow_private=allow_private,
            resolver=resolver,
            ca=ca,
            ehlo=ehlo,
            deadline=deadline,
            depth=depth,
            own_server=own_server,
        ),
        record=record,
        replay=replay,
        as_json=json,
    )


def _report(
    endpoint: Endpoint, settings: Options, probes: Sequence[Probe] | None, record: Path | None, replay: Path | None
) -> Report:
    """The report on one endpoint, from the network or from a recording."""
    import asyncio

    from probes.runner import probe_endpoint

    if record is None and replay is None:
        return asyncio.run(probe_endpoint(endpoint, options=settings, probes=probes))
    from probes import recording

    name = recording.file_name(endpoint)
    try:
        if replay is None:
            assert record is not None
            if (record / name).exists():
                raise Failure(f"{record / name} exists already and is left as it is", 1)
            settings = dataclasses.replace(settings, record_to=str(record))
            return asyncio.run(probe_endpoint(endpoint, options=settings, probes=probes))
        from probes import replay as player

        if not (replay / name).is_file():
            raise Failure(f"{replay} holds no recording of {endpoint.key}: there is no {name}", 1)
        return player.replay(recording.read(replay / name), endpoint=endpoint, probes=probes, ca_file=settings.ca_file)
    except recording.RecordingError as error:
        raise Failure(str(error), 1) from None


def _roles(names: Sequence[str]) -> tuple[Role, ...]:
    for name in names:
        if name not in ROLES:
            raise Usage(f"no such role: {name}; there are {', '.join(ROLES)}")
    return cast("tuple[Role, ...]", tuple(dict.fromkeys(names)))


def _add_own_probes(workspace: Path | None) -> None:
    """Make the probes of the workspace's own ``probes/`` known, and tell of those that do not work."""
    folder = (workspace if workspace is not None else Path()) / "probes"
    if not folder.is_dir():
        return
    from probes import registry

    _, broken = registry.add_folder(folder)
    for problem in broken:
        complain(f"{problem} (left out)")


def _probes(names: Sequence[str]) -> tuple[Probe, ...] | None:
    if not names:
        return None
    from probes import registry

    for name in names:
        if name not in registry.names():
            close = difflib.get_close_matches(name, registry.names(), 1)
            hint = f"; did you mean {close[0]}? There are" if close else "; there are"
            raise Usage(f"no such probe: {name}{hint} {', '.join(registry.names())}")
    return tuple(registry.probe(name) for name in dict.fromkeys(names))


def _endpoint(target: str, roles: tuple[Role, ...]) -> Endpoint:
    from probes.runner import parse_target

    try:
        endpoint = parse_target(target)
    except ValueError as error:
        raise Usage(f"--target: {error}") from error
    if len(roles) > 1:
        raise Usage("--target is probed in one role: give --role once")
    if not roles or roles[0] == endpoint.role:
        return endpoint
    role = roles[0]
    if not any({role, endpoint.role} <= family for family in _FAMILIES):
        raise Usage(f"--role {role} does not fit {target}, which is of role {endpoint.role}")
    return dataclasses.replace(endpoint, role=role)


def _show(report: Report) -> None:
    """A report for people: the conversation with its times, then what was found."""
    from mailrubric.causes import explain, short
    from mailrubric.display import value_words
    from probes import registry
    from probes.network import NOT_OWN_SERVER
    from probes.runner import unasked

    for each in (report, *report.also):
        where = f" at {each.address}" if each.address else ""
        mark = ", replayed" if "replayed" in each.versions else ""
        print_title(f"{each.endpoint.key}{where}, {each.started}, {each.duration_ms:.0f} ms{mark}")
        # Connections run side by side; each is read as a conversation of its own, and the times say what overlapped.
        for number in sorted({step.connection for step in each.transcript}):
            if number:
                say(f"  connection {number}")
            for step in each.transcript:
                if step.connection == number:
                    mark = {"in": "<", "out": ">", "note": "·"}[step.direction]
                    say(f"  {step.ms:9.1f} ms  {mark} {step.text}")
        say()
        shown = [one for one in each.measurements if one.cause is not Cause.NOT_APPLICABLE and not unasked(one)]
        found = [one for one in shown if one.cause is None]
        if found:
            rows = [(one.metric, value_words(one.value, registry.unit(one.metric))) for one in found]
            print_table(("metric", "value"), rows)
            say()
        _show_unknown(shown)
        causes = dict.fromkeys(one.cause.value for one in shown if one.cause is not None)
        for cause in causes:
            words = explain(cause)
            say(f"{short(cause)}: {words.sentence} {words.advice}")
        left = {one.detail == NOT_OWN_SERVER for one in each.measurements if unasked(one)}
        if True in left:
            say("What is intrusive was not asked: it is for servers of one's own (--own-server).")
        if False in left:
            say("What takes many connections was not asked (--depth full).")
        if causes:
            say()


def _show_unknown(shown: Sequence[Measurement]) -> None:
    """What has no value, once for each reason: a server that turns us away leaves a hundred metrics with the same."""
    import textwrap

    from mailrubric.causes import with_detail

    reasons: dict[str, list[str]] = {}
    for one in shown:
        if one.cause is not None:
            reasons.setdefault(with_detail(one.cause, one.detail), []).append(one.metric)
    families: dict[str, list[str]] = {}
    for one in shown:
        families.setdefault(_family(one.metric), []).append(one.metric)
    for reason, metrics in reasons.items():
        say(f"unknown, {reason}")
        of_reason = set(metrics)
        names: dict[str, None] = {}  # in order, each once
        for metric in metrics:
            of_family = families[_family(metric)]
            others = [each for each in of_family if each not in of_reason]
            if len(of_family) > 1 and not others:
                names[f"all {len(of_family)} of {_family(metric)}.*"] = None
            elif len(of_family) >= _MANY and len(others) <= _FEW:
                names[f"all {len(of_family)} of {_family(metric)}.* but {' and '.join(others)}"] = None
            else:
                names[metric] = None
        for line in textwrap.wrap(", ".join(names), _WIDTH, break_on_hyphens=False):
            say(f"  {line}")
        say()


def _family(metric: str) -> str:
    return metric.partition(".")[0]
