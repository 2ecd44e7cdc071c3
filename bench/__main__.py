"""``python -m bench [scoring] [probe] [endpoints]``: runs benchmarks and prints Markdown; ``--write`` keeps it.

Times are compared within one run on one machine; they are never asserted on.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
from pathlib import Path

TITLES = {
    "probe": "One endpoint, whole process: versions and certificate, against SSLyze with the same findings "
    "(SSLyze finds versions by trying their cipher suites, so it learns those too)",
    "endpoints": "Many endpoints at once, full reports, one process",
    "scoring": "Scoring",
}


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, or all."""
    names = [each for each in arguments if not each.startswith("-")] or list(TITLES)
    today = datetime.datetime.now(datetime.UTC).date()
    text = [
        "# Benchmarks",
        "",
        f"Made by `python -m bench --write` (`make bench`) on {today}: {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}. Medians of seven runs. The mail server is Postfix on loopback; the delay "
        "comes from a delaying proxy in a process of its own, which does not delay the TCP handshake.",
    ]
    for name in names:
        if name == "scoring":
            from bench import scoring

            rows = scoring.run()
        else:
            from bench import probing

            rows = {"probe": probing.probe, "endpoints": probing.endpoints}[name]()
        text += ["", f"## {TITLES[name]}", "", "| what | figure |", "|---|---|"]
        text += [f"| {what} | {figure} |" for what, figure in rows]
    output = "\n".join(text) + "\n"
    print(output)
    if "--write" in arguments:
        (Path(__file__).parent.parent / "docs" / "benchmarks.md").write_text(output)


if __name__ == "__main__":
    main(sys.argv[1:])
