"""``python -m bench [SECTION …] [--write] [--repeats N] [--only PEER …]``: benchmarks, as Markdown.

Sections: endpoint report batch many raw scoring robustness ratings duplicates mail cadence; ``probing`` means the
first five; none means all.
``--write`` puts each section into docs/benchmarks.md as soon as it is measured and leaves the others there as they are,
so a run that was stopped goes on with the sections that are missing. ``--only`` measures some peers only and writes
nothing.

Needs root, for Postfix and the network namespaces. Times are compared within one run on one machine; they are never
asserted on.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import measuring
from bench.measuring import progress
from bench.tables import Table

FILE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
TITLES = {
    "endpoint": "One endpoint, beside each peer",
    "report": "One endpoint, a full report",
    "batch": "A batch of 30 endpoints",
    "many": "500 endpoints at 100 ms",
    "raw": "The raw limit: greeting, EHLO, STARTTLS, handshake",
    "scoring": "Scoring",
    "robustness": "How sure a ranking is: 10,000 draws",
    "ratings": "Star ratings: which figure tells the better vendor",
    "duplicates": "Repeated reviews: found and missed",
    "mail": "100,000 real messages",
    "cadence": "Cadence: how often the intervals hold the truth",
}
BUSY = 1.0
"""A load average from which on a section says that the machine was busy."""
PROBING = ("endpoint", "report", "batch", "many", "raw")
HEAD = """# Benchmarks

Made by `python -m bench --write` (`make bench`), each section as it says. Every comparison is of one run on one
machine; sections may be of different days. How to repeat one: `python -m bench SECTION`, as root, with Debian's
iproute2, postfix, chasquid, nsd, testssl.sh, nmap, swaks and prometheus-blackbox-exporter; SSLyze and checkdmarc come
from PyPI into environments of their own. "time ÷ ours" is how many times longer the peer takes: below 1, it is quicker.
"""


def sections(names: Sequence[str]) -> list[str]:
    """The sections that these words mean, in order; all for none."""
    chosen = {each for name in names for each in (PROBING if name == "probing" else (name,))}
    return [name for name in TITLES if name in chosen or not chosen]


def section(name: str, repeats: int, only: Sequence[str]) -> Table:
    """Measure one section."""
    measure: Callable[[int, Sequence[str]], Table]
    if name == "scoring":
        from bench import scoring

        return scoring.table()
    if name == "robustness":
        from bench import robustness

        return robustness.table(repeats)
    if name == "ratings":
        from bench import ratings

        return ratings.table()
    if name == "duplicates":
        from bench import duplicates

        return duplicates.table()
    if name == "cadence":
        from bench import cadence

        return cadence.table()
    if name == "mail":
        from bench import mail

        return mail.table()
    if name in ("endpoint", "report"):
        from bench import probing

        measure = {"endpoint": probing.endpoint, "report": probing.report}[name]
    elif name in ("batch", "many"):
        from bench import batch

        measure = {"batch": batch.batch, "many": batch.many}[name]
    else:
        from bench import raw_limit

        measure = raw_limit.raw
    return measure(repeats, only)


def words(name: str, table: Table, load: float = 0.0) -> str:
    """A section of the document. ``load``: the machine's load average when it began."""
    root = FILE.parent.parent
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "an unknown commit"
    busy = f", a machine with a load of {load:.0f} from others" if load >= BUSY else ""
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"## {TITLES[name]}\n\n{table.markdown()}\n\n"
        f"*`python -m bench {name}`, {today}, {commit}: {os.cpu_count()} cores, {processor()}, {platform.machine()}, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}{busy}.*\n"
    )


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return "an unknown processor"
    return found[1] if found else "an unknown processor"


def merged(document: str, name: str, text: str) -> str:
    """``document`` with this section in its place, instead of an older one; sections that there are no more go."""
    parts = re.split(r"(?m)^(?=## )", document)
    found = {title: part for part in parts for title in TITLES.values() if part.startswith(f"## {title}\n")}
    found[TITLES[name]] = text
    return "\n".join([HEAD, *(found[title].rstrip() + "\n" for title in TITLES.values() if title in found)])


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write when asked to; gives the exit code: 1 when a section failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("sections", nargs="*", metavar="SECTION", choices=[[], "probing", *TITLES])
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="runs that a median is of; default 7")
    parser.add_argument("--only", action="append", default=[], metavar="PEER", help="only this peer; repeatable")
    parser.add_argument(
        "--patience", type=float, default=5, metavar="SECONDS", help="what takes longer is run 3 times; default 5"
    )
    given = parser.parse_args(arguments)
    measuring.patience = given.patience
    if given.write and given.only:
        parser.error("--only measures a part of a section, which is not to be written")
    if given.repeats < 1:
        parser.error("--repeats: at least 1")
    names = sections(given.sections)
    failed = []
    network = [name for name in names if name in PROBING]
    if network:
        from bench import peers, world

        if not world.inside():
            peers.prepare(given.only)
            options = [word for word in arguments if word not in given.sections]
            code = world.enter([*network, *options])
            if code is not None:
                names = [name for name in names if name not in network]
                failed += ["some that need the network"] if code else []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the servers are stopped then, too
    for name in names:
        progress(f"section {name}")
        try:
            load = os.getloadavg()[0] if name == names[0] else 0.0  # later it is our own
            text = words(name, section(name, given.repeats, given.only), load)
        except Exception as error:  # one section's failure must not cost the others; it ends the run with exit code 1
            progress(f"section {name} failed: {type(error).__name__}: {error}")
            failed.append(name)
            continue
        print(text, flush=True)
        if given.write:
            FILE.write_text(merged(FILE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    progress(f"failed: {', '.join(failed)}" if failed else "done")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
