"""Ask a URL on loopback several times and tell how long each answer took.

    python -m bench.scrape URL TIMES

For daemons that live in the clients' namespace. Prints JSON: ``walls`` in seconds, ``body`` of the last answer.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request


def main(url: str, times: int) -> None:
    """See the module's text."""
    walls = []
    body = b""
    for _ in range(times):
        start = time.perf_counter()
        with urllib.request.urlopen(url, timeout=60) as answer:
            body = answer.read()
        walls.append(time.perf_counter() - start)
    print(json.dumps({"walls": walls, "body": body.decode()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
