"""Many endpoints in one run: 30 beside SSLyze and testssl.sh, and 500 with full reports.

    python -m bench batch many

Every endpoint is an address of its own with a name of its own, so everybody's manners towards one server stay as they
are. One chasquid serves them all; whether it was the bottleneck can be read from its CPU.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import peers
from bench.measuring import Failed, Figure, median, progress, ratio, run, seconds
from bench.tables import Table, differences
from bench.world import MOST, PORT, TARGETS, Way, World, chasquid, cpu_seconds, far, name_server, peak_mib, world

COUNT = 30
ROUND_TRIPS_MS = (0, 20)
TESTSSL_MS = 20
"""testssl.sh spends its time on the processor, whatever the round trip: once is enough."""
GOAL_SECONDS, GOAL_MIB = 30, 300
KEYS = ("sslyze", "testssl")


# --- ours -------------------------------------------------------------------------------------------------------------


def _workspace(world: World, count: int, name: str) -> Path:
    """A workspace with one vendor that has this many endpoints."""
    folder = world.folder / name
    (folder / "vendors").mkdir(parents=True, exist_ok=True)
    endpoints = "".join(f"    - {{host: {host}, port: {PORT}, tls: starttls}}\n" for host in list(TARGETS)[:count])
    (folder / "vendors" / "bench.yaml").write_text(
        f"id: bench\nname: Bench\ncategory: esp\nendpoints:\n  submission:\n{endpoints}", encoding="utf-8"
    )
    (folder / "mailrubric.yaml").write_text(
        f"shipped_vendors: false\nallow_private: true\nca: {world.authority}\n", encoding="utf-8"
    )
    return folder


def _store(folder: Path) -> Path:
    return folder / "mailrubric.sqlite"


def _probe_all(folder: Path, count: int, *words: str) -> peers.Command:
    """``mailrubric probe --all``: the command that people use, into a store."""
    return [
        peers.mailrubric(), "probe", "--all", "--workspace", folder, "--json", "--concurrency", str(count), *words,
    ]  # fmt: skip


def _reports(folder: Path) -> dict[str, bytes]:
    """Host → its report, as ``--json`` gives it for one target, from the store."""
    from mailrubric.evidence.store import Store

    with Store(f"sqlite:///{_store(folder)}") as store:
        documents = [store.report(each.id) for each in store.reports("bench", limit=MOST)]
    return {document["endpoint"]["host"]: json.dumps(document).encode() for document in documents}


# --- a batch of 30 ----------------------------------------------------------------------------------------------------


def batch(repeats: int, only: Sequence[str]) -> Table:
    """Wall clock and CPU for each endpoint."""
    table = Table(
        ("findings", "peer", "round trip", "peer: wall, CPU for each endpoint", "ours", "wall, CPU for each endpoint",
         "time ÷ ours", "CPU ÷ ours", "findings"),
        f"{COUNT} hosts in one run, figures divided by {COUNT}, start of the program and all. Ours: a script of a few "
        "lines that asks `probes.runner` for all hosts at once and prints the reports, and `mailrubric probe --all`, "
        "which stores everything in SQLite; both one process. SSLyze with all targets in one process; testssl.sh with "
        f"`--file` and `--mode parallel`. Medians of {repeats} runs, of fewer where the number says so.",
    )  # fmt: skip
    with world() as made:
        if not made.targets:
            table.notes.append("Not measured: there are no network namespaces here, so no addresses for a batch.")
            return table
        table.notes.append(f"The way: {made.how}. The server: one chasquid (Go) for all addresses.")
        with name_server(made), chasquid(made) as server:
            for round_trip in ROUND_TRIPS_MS:
                with far(made, round_trip) as way:
                    if not only or "sslyze" in only:
                        _against_sslyze(table, made, way, repeats, server)
                    if round_trip == TESTSSL_MS and (not only or "testssl" in only):
                        _against_testssl(table, made, way, repeats, server)
    return table


@dataclasses.dataclass(slots=True)
class _Ours:
    """Our figures for the whole batch: ``script`` without a store, ``command`` with one, ``bare``: a bare asyncio
    protocol that makes as many connections and judges nothing (``bench.bare_hellos``). ``reports`` by host, of the
    script. ``served``: CPU seconds of the server in one run of the script. ``connections``: of one endpoint."""

    script: Figure
    command: Figure
    bare: Figure
    reports: dict[str, bytes]
    served: float
    connections: int


def _measured_ours(world: World, way: Way, repeats: int, server: int, depth: str, probes: Sequence[str]) -> _Ours:
    progress(f"ours, {COUNT} endpoints at {way.round_trip_ms:.0f} ms")
    targets = world.folder / "targets.txt"
    targets.write_text("".join(f"smtp://{host}:{PORT}\n" for host in list(TARGETS)[:COUNT]), encoding="ascii")
    script: peers.Command = [
        *way.prefix, sys.executable, "-m", "bench.inside", "together", targets, depth, world.authority, *probes,
    ]  # fmt: skip
    reports: dict[str, bytes] = {}
    served = 0.0

    def once() -> Figure:
        nonlocal served
        before = cpu_seconds(server)
        figure, output = run(script)
        served = cpu_seconds(server) - before
        for report in json.loads(output)["reports"]:
            reports[report["endpoint"]["host"]] = json.dumps(report).encode()
        return figure

    folder = _workspace(world, COUNT, "thirty")
    words = [word for probe in probes for word in ("--probe", probe)]
    command = [*way.prefix, *_probe_all(folder, COUNT, *words, "--depth", depth)]

    def stored() -> Figure:
        _store(folder).unlink(missing_ok=True)
        return run(command)[0]

    first = once()
    each = [len({step["connection"] for step in json.loads(report)["transcript"]} - {0}) for report in reports.values()]
    connections = round(sum(each) / len(each))
    bare: peers.Command = [*way.prefix, sys.executable, "-m", "bench.bare_hellos", targets, str(connections)]
    return _Ours(
        median(once, repeats, first=first),
        median(stored, min(repeats, 3)),
        median(lambda: run(bare)[0], repeats),
        reports,
        served,
        connections,
    )


def _add(
    table: Table, what: str, name: str, way: Way, repeats: int, theirs: Figure, ours: _Ours, differing: str
) -> None:
    def shown(figure: Figure) -> str:
        each = figure.share(COUNT)
        runs = "" if figure.runs == repeats else f" ({figure.runs} run{'s' if figure.runs > 1 else ''})"
        return f"{seconds(each.wall)}, {seconds(each.cpu)} CPU; {figure.peak:.0f} MiB{runs}"

    for kind, figure in (("a script", ours.script), ("`probe --all`", ours.command)):
        table.rows.append(
            (
                what,
                name,
                f"{way.round_trip_ms:.0f} ms",
                shown(theirs),
                kind,
                shown(figure),
                ratio(theirs.wall, figure.wall),
                ratio(theirs.cpu, figure.cpu),
                differing,
            )
        )
    table.notes.append(
        f"The script at {way.round_trip_ms:.0f} ms ({what}): {seconds(ours.script.wall)} for all; the server used "
        f"{seconds(ours.served)} of CPU meanwhile."
    )
    table.notes.append(
        f"The limit at {way.round_trip_ms:.0f} ms ({what}): a bare asyncio protocol that makes as many connections, "
        f"{ours.connections} to each host with one hello each, without limits, record, TLS or judgement, takes "
        f"{seconds(ours.bare.share(COUNT).wall)}, {seconds(ours.bare.share(COUNT).cpu)} CPU for each endpoint: "
        f"{name} takes {ratio(theirs.wall, ours.bare.wall)} as long and {ratio(theirs.cpu, ours.bare.cpu)} the CPU of "
        f"that, and our script {ours.script.cpu / ours.bare.cpu:.1f} × its CPU."
    )


def _compare(
    table: Table,
    name: str,
    theirs: dict[str, peers.Findings],
    reports: dict[str, bytes],
    read: Callable[[bytes], peers.Findings],
) -> str:
    """In words, for how many hosts the findings are the same; what differs goes into a note."""
    same = 0
    for host in list(TARGETS)[:COUNT]:
        ours = read(reports[host]) if host in reports else {}
        differing = differences(ours, {key: theirs.get(host, {}).get(key) for key in ours}, name) or (
            "" if ours else "we have no report"
        )
        if not differing:
            same += 1
        elif same == 0 or len(table.notes) < 12:
            table.notes.append(f"{name} and we differ on {host}: {differing}.".replace(host, "a host"))
    return "the same" if same == COUNT else f"the same for {same} of {COUNT}"


def _against_sslyze(table: Table, world: World, way: Way, repeats: int, server: int) -> None:
    name = "SSLyze"
    progress(f"{name}, {COUNT} endpoints at {way.round_trip_ms:.0f} ms")
    targets = [f"{host}:{PORT}" for host in list(TARGETS)[:COUNT]]
    try:
        command = [*way.prefix, *peers.sslyze_flags(world), *targets]
        figure = median(lambda: run(command)[0], repeats)
    except (peers.Absent, Failed) as problem:
        table.rows.append((peers.EVERY_SUITE, name, f"{way.round_trip_ms:.0f} ms", str(problem), *[""] * 5))
        return
    document = json.loads((world.folder / "sslyze.json").read_bytes())
    theirs = {}
    for each in document["server_scan_results"]:
        host = each["server_location"]["hostname"]
        theirs[host] = peers.read_sslyze_server(each, host) if each["scan_result"] else {}
    for what, depth, read in (
        (peers.EVERY_SUITE, "full", peers.our_tls_and_certificate),
        (peers.NO_SUITES, "standard", peers.our_versions_and_certificate),
    ):
        ours = _measured_ours(world, way, repeats, server, depth, ("tls", "certificate"))
        differing = _compare(table, name, theirs, ours.reports, read)
        _add(table, what, name, way, repeats, figure, ours, differing)


def _against_testssl(table: Table, world: World, way: Way, repeats: int, server: int) -> None:
    name, what = "testssl.sh -p -s", "versions, weak suites by family"
    progress(f"{name}, {COUNT} endpoints at {way.round_trip_ms:.0f} ms")
    hosts = list(TARGETS)[:COUNT]
    said = b""
    try:
        flags = peers.testssl_flags(world)
        lines = [" ".join([*map(str, flags[1:]), "--ip", TARGETS[host], f"{host}:{PORT}"]) for host in hosts]
        file = world.folder / "testssl.txt"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

        def once() -> Figure:
            nonlocal said
            command = [*way.prefix, flags[0], "--quiet", "--color", "0", "--file", file, "--mode", "parallel"]
            figure, said = run(command, folder=world.folder)
            return figure

        figure = median(once, repeats)
    except (peers.Absent, Failed) as problem:
        table.rows.append((what, name, f"{way.round_trip_ms:.0f} ms", str(problem), *[""] * 5))
        return
    # One server's part goes from the line that names its address to the one that says it is done.
    parts = re.findall(r"Start .*?\((\S+)\) <<--(.*?)Done ", said.decode("utf-8", "replace"), re.DOTALL)
    theirs = {host: peers.read_testssl(text) for host, text in parts}
    ours = _measured_ours(world, way, repeats, server, "standard", ("tls",))
    differing = _compare(table, name, theirs, ours.reports, peers.our_versions_and_families)
    _add(table, what, name, way, repeats, figure, ours, differing)


# --- 500 --------------------------------------------------------------------------------------------------------------


def many(repeats: int, only: Sequence[str]) -> Table:
    """Full reports of 500 endpoints at 100 ms in one process."""
    repeats = min(repeats, 3)
    table = Table(
        ("what", "wall", "CPU", "memory", "reports", "values", "missing for want of an answer"),
        f"`mailrubric probe --all --concurrency {MOST}`: one process, every probe, standard depth, {MOST} hosts at "
        f"100 ms round trip, all stored in SQLite. Medians of {repeats} runs.",
    )
    with world() as made:
        if not made.targets:
            table.notes.append("Not measured: there are no network namespaces here, so no addresses for so many.")
            return table
        folder = _workspace(made, MOST, "many")
        with name_server(made), chasquid(made) as server, far(made, 100) as way:
            command = [*way.prefix, *_probe_all(folder, MOST)]
            served = 0.0

            def once() -> Figure:
                nonlocal served
                progress(f"{MOST} endpoints at 100 ms")
                _store(folder).unlink(missing_ok=True)
                before = cpu_seconds(server)
                figure = run(command)[0]
                served = cpu_seconds(server) - before
                return figure

            figure = median(once, repeats)
            table.notes.append(
                f"The way: {made.how}. The server, one chasquid for all addresses on the same {os.cpu_count()} cores, "
                f"used {seconds(served)} of CPU and {peak_mib(server):.0f} MiB."
            )
        reports, values, missing = _counted(folder)
        table.rows.append(
            (
                f"{MOST} full reports",
                f"{seconds(figure.wall)} ({MOST / figure.wall:.0f} a second)",
                f"{seconds(figure.cpu)}, {1000 * figure.cpu / MOST:.0f} ms for each",
                f"{figure.peak:.0f} MiB",
                str(reports),
                str(values),
                missing,
            )
        )
        table.notes.append(f"Goal: under {GOAL_SECONDS} s, at most {GOAL_MIB} MiB.")
    return table


def _counted(folder: Path) -> tuple[int, int, str]:
    """How many reports there are in the store, how many values they have, and how many are missing because time ran
    out or somebody did not answer, by cause. What our own limits and depth leave out is no loss of the load."""
    reports = [json.loads(report)["measurements"] for report in _reports(folder).values()]
    every = [each for measurements in reports for each in measurements]
    missing = Counter(
        each["cause"]
        for each in every
        if each["cause"] not in (None, "not_applicable", "not_permitted", "resolver_not_validating")
        and not each["detail"].startswith("our own limit")
    )
    words = ", ".join(f"{cause} {count}" for cause, count in missing.most_common())
    return len(reports), sum(each["cause"] is None for each in every), words or "none"
