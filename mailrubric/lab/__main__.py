"""``python -m mailrubric.lab DIR``: the lab in the foreground, until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from mailrubric.lab import LabError, start


def main() -> int:
    """Run until SIGINT or SIGTERM; 0 then, 2 when the lab cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m mailrubric.lab", description="Local mail platforms to try Mailrubric on."
    )
    parser.add_argument("directory", type=Path, help="workspace to write: new, empty or written by the lab before")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        lab = start(parser.parse_args().directory)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with lab:
        for vendor in lab.vendors:
            print(f"{vendor.id:20} {vendor.purpose}")
        for note in lab.notes:
            print(f"note: {note}")
        print(f"The lab is up; try: mailrubric probe --workspace {lab.workspace} --all. Ctrl-C ends it.", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
