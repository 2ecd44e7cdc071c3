"""Read a file of reviews and print what became of it and how much memory it took: run as a process of its own, so that
what is measured is the reading's memory and nobody else's.

Arguments: the file, and a small file that is read first to warm up. Prints JSON: {"growth": bytes by which the peak of
the resident memory grew, "reviews": how many, "skipped": {reason: rows}, "error": the sentence or ""}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mailrubric.reviews.columns import ColumnError
from mailrubric.reviews.importing import inspect
from mailrubric.reviews.rows import Unreadable
from tests.hostile.memory import peak


def main(path: Path, warm_up: Path) -> dict[str, object]:
    """Read both."""
    for _ in inspect(warm_up, source="ours").reviews("acme"):
        pass
    before = peak()
    count, skipped, error = 0, {}, ""
    try:
        found = inspect(path, source="ours")
        for _ in found.reviews("acme"):
            count += 1
        skipped = dict(found.skipped.counts)
    except (Unreadable, ColumnError) as fault:
        error = str(fault)
    return {"growth": peak() - before, "reviews": count, "skipped": skipped, "error": error}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
