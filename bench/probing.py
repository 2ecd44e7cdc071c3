"""One endpoint: each peer beside us with the same findings, and what a full report costs in round trips.

    python -m bench endpoint report

The findings are compared before anything is timed; a peer that finds something else is named with what differs.
"""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from bench import peers
from bench.measuring import Failed, Figure, median, progress, ratio, run, seconds
from bench.tables import Table, differences
from bench.world import Way, World, cpu_seconds, far, name_server, peak_mib, postfix, world

ROUND_TRIPS_MS = (0, 20, 100)
BLACKBOX = "blackbox"
KEYS = (*(peer.key for peer in peers.PEERS), BLACKBOX)


def endpoint(repeats: int, only: Sequence[str]) -> Table:
    """Whole processes at 0, 20 and 100 ms round trip."""
    table = Table(
        ("findings", "peer", "round trip", "peer: wall, CPU, memory", "ours", "time ÷ ours", "CPU ÷ ours", "findings"),
        "Whole processes, started anew for each run, against one Postfix. Wall clock, CPU of the process and its "
        f"children, memory of its largest process; medians of {repeats} runs, of fewer where the number says so. Ours "
        "is `mailrubric probe --target … --json` with the probes that yield the same findings (and more: at full depth "
        "also the groups, the order of preference, compression, renegotiation, tickets, SSL 2.0). Python programs find "
        "their modules compiled.",
    )
    with world() as made, name_server(made), postfix(made) as port:
        table.notes.append(f"The way: {made.how}.")
        ours: dict[tuple[str, float], Figure] = {}
        for round_trip in ROUND_TRIPS_MS:
            with far(made, round_trip, port) as way:
                for peer in peers.PEERS:
                    if not only or peer.key in only:
                        _rows(table, made, way, peer, repeats, ours)
                if not only or BLACKBOX in only:
                    _blackbox_row(table, made, way, repeats)
        table.notes.append(peers.versions())
    return table


def _rows(
    table: Table, world: World, way: Way, peer: peers.Peer, repeats: int, known: dict[tuple[str, float], Figure]
) -> None:
    """One row for each of our calls that the peer is compared with. ``known``: our figures so far."""
    label = f"{way.round_trip_ms:.0f} ms"
    progress(f"{peer.name} at {label}")
    try:
        command = [*way.prefix, *peer.command(world, world.host, way.port)]
        if not way.round_trip_ms:
            run(command)  # once for nothing: what is read from disk
        first, output = run(command)
        theirs = _read(peer, world, output)
        figure = median(lambda: run(command)[0], repeats, first=first)
    except (peers.Absent, Failed) as problem:
        table.rows.append((peer.ours[0].what, peer.name, label, str(problem), "", "", "", ""))
        return
    for ours in peer.ours:
        our_command = [*way.prefix, *ours.command(world, world.host, way.port)]
        found = ours.read(run(our_command)[1])
        differing = differences(found, {key: theirs.get(key) for key in found}, peer.name)
        words = (" ".join(map(str, our_command[len(way.prefix) + 1 :])), way.round_trip_ms)
        if words not in known:
            known[words] = median(lambda words=our_command: run(words)[0], repeats)  # type: ignore[misc]
        mine = known[words]
        told = (f"{figure.words}{_runs(figure, repeats)}", f"{mine.words}{_runs(mine, repeats)}")
        table.rows.append(_row((ours.what, peer.name, label), told, figure, mine, differing))
        if differing:
            table.notes.append(f"{peer.name} and we differ: {differing}.")


def _read(peer: peers.Peer, world: World, output: bytes) -> peers.Findings:
    try:
        return peer.read(world, output)
    except Exception as error:  # whatever a peer prints: it costs its own row only
        raise Failed(f"what it says cannot be read: {type(error).__name__}: {error}") from error


def _row(
    first: tuple[str, str, str], told: tuple[str, str], theirs: Figure, ours: Figure, differing: str
) -> tuple[str, ...]:
    """One row of a table: what was done, by whom and where; both figures, how they compare, whether they agree."""
    same = "the same" if not differing else "differ, see below"
    return (*first, *told, ratio(theirs.wall, ours.wall), ratio(theirs.cpu, ours.cpu), same)


def _runs(figure: Figure, repeats: int) -> str:
    return "" if figure.runs == repeats else f" ({figure.runs} run{'s' if figure.runs > 1 else ''})"


# --- blackbox_exporter ------------------------------------------------------------------------------------------------

_MODULE = """
modules:
  smtp_starttls:
    prober: tcp
    timeout: 30s
    tcp:
      preferred_ip_protocol: ip4
      query_response:
        - expect: "^220 "
        - send: "EHLO probe.example"
        - expect: "^250-STARTTLS"
        - send: "STARTTLS"
        - expect: "^220"
        - starttls: true
        - send: "EHLO probe.example"
        - expect: "^250"
        - send: "QUIT"
      tls_config:
        ca_file: {authority}
        server_name: {host}
"""


@contextlib.contextmanager
def _blackbox(world: World, way: Way) -> Iterator[int]:
    """The exporter as a daemon in the clients' namespace; its id. It listens on loopback's port 9115 there."""
    program = peers.debian("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
    config = world.folder / "blackbox.yml"
    config.write_text(_MODULE.format(authority=world.authority, host=world.host), encoding="utf-8")
    words = [f"--config.file={config}", "--web.listen-address=127.0.0.1:9115", "--log.level=error"]
    daemon = subprocess.Popen(
        [*way.prefix, program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(Failed):
                run([*way.prefix, sys.executable, "-m", "bench.scrape", "http://127.0.0.1:9115/-/healthy", "1"])
                break
            if daemon.poll() is not None:
                raise Failed(f"blackbox_exporter ended with {daemon.returncode}")
            time.sleep(0.1)
        yield daemon.pid
    finally:
        daemon.terminate()
        daemon.wait()


def _blackbox_row(table: Table, world: World, way: Way, repeats: int) -> None:
    name, what = "blackbox_exporter tcp STARTTLS", "STARTTLS works, negotiated version, days left of the certificate"
    label = f"{way.round_trip_ms:.0f} ms"
    progress(f"{name} at {label}")
    host = f"{world.host}:{way.port}"
    url = f"http://127.0.0.1:9115/probe?module=smtp_starttls&target={host}"
    try:
        with _blackbox(world, way) as daemon:
            command = [*way.prefix, sys.executable, "-m", "bench.scrape", url]
            run([*command, "1"])
            before = cpu_seconds(daemon)
            # The kernel counts a process's CPU in hundredths of a second, so a few are not enough.
            times = 20 if way.round_trip_ms < 50 else max(repeats, 10)
            said = json.loads(run([*command, str(times)])[1])
            cpu = (cpu_seconds(daemon) - before) / times
            figure = Figure(statistics.median(said["walls"]), cpu, peak_mib(daemon), times)
    except (peers.Absent, Failed) as problem:
        table.rows.append((what, name, label, str(problem), "", "", "", ""))
        return
    lines = dict(line.rsplit(" ", 1) for line in said["body"].splitlines() if line and not line.startswith("#"))
    version = next((key for key in lines if key.startswith("probe_tls_version_info")), "")
    expiry = float(lines.get("probe_ssl_earliest_cert_expiry", 0))
    theirs = {
        "works": lines.get("probe_success") == "1",
        "version": "".join(re.findall(r'version="TLS (\S+)"', version)),
        "days left": round((expiry - time.time()) / 86400),
    }
    words = [f"smtp://{host}", str(times), str(world.authority), "smtp", "tls", "certificate"]
    mine, output = run([*way.prefix, sys.executable, "-m", "bench.inside", "turns", *words])
    took = json.loads(output)
    values = peers.values_of(json.dumps(took["report"]).encode())
    days = values.get("certificate.days_left")
    ours = {
        "works": values.get("smtp.starttls_works"),
        "version": str(values.get("tls.newest_version")).removeprefix("TLSv"),
        "days left": round(days) if isinstance(days, int | float) else None,
    }
    differing = differences(ours, theirs, name)
    mine = Figure(statistics.median(took["walls"]), took["cpu"] / times, mine.peak, times)
    told = (
        f"{figure.words} (of {times} requests to the running daemon)",
        f"{mine.words} (of {times} in one running process)",
    )
    table.rows.append(_row((what, name, label), told, figure, mine, differing))
    table.notes.append(
        "blackbox_exporter is a daemon: its figure is one request to it while it runs; ours beside it is one endpoint "
        "in a process that runs, one after the other, with the smtp, tls and certificate probes whole, which say much "
        "more (versions and weak suites by hellos of their own, the extensions before and after TLS, the chain)."
    )
    if differing:
        table.notes.append(f"{name} and we differ: {differing}.")


# --- a full report ----------------------------------------------------------------------------------------------------


def report(repeats: int, only: Sequence[str]) -> Table:
    """Every probe of one submission endpoint at standard depth: time, and time in round trips."""
    table = Table(
        ("round trip", "whole process: wall, CPU, memory", "in the process", "connections", "longest dialogue"),
        "`mailrubric probe --target smtp://…` with every probe, standard depth, against one Postfix; names by a name "
        f"server as far away as the mail server. Medians of {repeats} runs.",
    )
    walls: dict[float, float] = {}
    inside: dict[float, float] = {}
    with world() as made, name_server(made), postfix(made) as port:
        table.notes.append(f"The way: {made.how}.")
        for round_trip in ROUND_TRIPS_MS:
            progress(f"a full report at {round_trip} ms")
            with far(made, round_trip, port) as way:
                command = [*way.prefix, *peers.our_command()(made, made.host, way.port)]
                documents: list[dict[str, object]] = []

                def once(command: peers.Command = command, documents: list[dict[str, object]] = documents) -> Figure:
                    figure, output = run(command)
                    documents.append(json.loads(output))
                    return figure

                figure = median(once, repeats)
            walls[round_trip] = figure.wall
            inside[round_trip] = statistics.median(float(str(each["duration_ms"])) for each in documents) / 1000
            trips, number, connections = _longest(documents, round_trip)
            table.rows.append(
                (
                    f"{round_trip} ms",
                    figure.words,
                    seconds(inside[round_trip]),
                    str(connections),
                    f"connection {number}: {trips} round trips" if round_trip else "",
                )
            )
        least, most = ROUND_TRIPS_MS[0], ROUND_TRIPS_MS[-1]
        taken = (inside[most] - inside[least]) / (most / 1000)
        whole = (walls[most] - walls[least]) / (most / 1000)
        table.notes.append(
            f"The whole report takes {taken:.1f} round trips (time at {most} ms less time at 0 ms; whole process: "
            f"{whole:.1f}), {taken / trips:.2f} × the {trips} of its longest dialogue on one connection, counted from "
            f"its TCP handshake to its last reply. Goal: at most {GOAL} ×."
        )
        table.notes.append(_timeline(documents[-1]))
        table.notes.append(_bound(documents, most, taken))
    return table


def _dialogues(document: dict[str, object]) -> dict[int, tuple[float, float]]:
    """Connection → when it began to be made and when its last step was, in ms."""
    found: dict[int, tuple[float, float]] = {}
    for step in json.loads(json.dumps(document["transcript"])):
        number, ms = step["connection"], step["ms"]
        if not number:
            continue
        if number not in found:
            connected = re.search(r"in ([\d.]+) ms", step["text"])
            found[number] = (ms - (float(connected[1]) if connected else 0.0), ms)
        found[number] = (found[number][0], max(ms, found[number][1]))
    return found


def _lengths(documents: Sequence[dict[str, object]], round_trip: float) -> dict[int, int]:
    """Connection → round trips of its dialogue, by the median of all runs; all 0 without a round trip."""
    runs = [_dialogues(document) for document in documents]
    times = {number: [run[number][1] - run[number][0] for run in runs if number in run] for number in sorted(runs[-1])}
    return {number: round(statistics.median(each) / round_trip) if round_trip else 0 for number, each in times.items()}


def _longest(documents: Sequence[dict[str, object]], round_trip: float) -> tuple[int, int, int]:
    """Round trips of the longest dialogue, its connection, and how many connections there were."""
    lengths = _lengths(documents, round_trip)
    number = max(lengths, key=lambda each: lengths[each])
    return lengths[number], number, len(lengths)


def _bound(documents: Sequence[dict[str, object]], round_trip: float, taken: float) -> str:
    """In words, how many round trips these dialogues cannot do without, and how near ``taken`` is."""
    lengths = list(_lengths(documents, round_trip).values())
    listed = [_listed(document) - _dialogues(document)[1][0] for document in documents]
    alone = round(statistics.median(listed) / round_trip)
    longest, shortest = max(lengths), min(lengths)
    possible = least(lengths, alone)
    unbounded = alone + max(longest, 2 * shortest)
    beyond = (
        "Nobody who holds these dialogues with these manners reaches the goal. " if possible > GOAL * longest else ""
    )
    return (
        f"{beyond}What bounds it: {len(lengths)} connections of {', '.join(map(str, lengths))} round trips, at most "
        f"{AT_ONCE} at once, the first alone until the server has listed what it offers ({alone}). In whatever order, "
        f"that takes {possible} round trips at least, {possible / longest:.2f} × the longest; we take {taken:.1f}, "
        "names and all. Without a limit on how many at once it would still be "
        f"{unbounded}, "
        f"{unbounded / longest:.2f} × the longest: the last hellos depend on what the first ones show, and these on "
        "the list."
    )


def _listed(document: dict[str, object]) -> float:
    """When the first connection had the server's list of what it offers, in ms."""
    steps = json.loads(json.dumps(document["transcript"]))
    return float(next(step["ms"] for step in steps if step["connection"] == 1 and step["text"] == "STARTTLS"))


GOAL = 1.3
AT_ONCE = 4
"""``Limits.concurrent_per_address``."""


def least(lengths: Sequence[int], alone: int) -> int:
    """The least time in which dialogues of these lengths can be held, the first one alone for the time ``alone``, at
    most ``AT_ONCE`` at a time after that, in whatever order. What depends on what is left out, so it may be less than
    is possible, never more."""
    first, *others = lengths
    best = first + sum(others)
    slots = [first, *[alone] * (AT_ONCE - 1)]

    def place(rest: Sequence[int]) -> None:
        nonlocal best
        if not rest or max(slots) >= best:
            best = min(best, max(slots))
            return
        tried = set()
        for slot, until in enumerate(slots):
            if until not in tried:
                tried.add(until)
                slots[slot] = until + rest[0]
                place(rest[1:])
                slots[slot] = until

    place(sorted(others, reverse=True))
    return max(best, first) if others else first


def _timeline(document: dict[str, object]) -> str:
    spans = (
        f"{number}: {began / ROUND_TRIPS_MS[-1]:.1f} to {ended / ROUND_TRIPS_MS[-1]:.1f}"
        for number, (began, ended) in sorted(_dialogues(document).items())
    )
    return f"When each connection was used, in round trips since the start: {', '.join(spans)}."
