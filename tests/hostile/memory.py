"""Probe endpoints one after the other and print how much memory it took: run as a process of its own, so that what is
measured is the probes' memory and nobody else's.

Reads a JSON list of {"role", "host", "port", "tls", "url", "kind"} from standard input; the first endpoint is probed to
warm up. Prints JSON: {"growth": bytes by which the peak of the resident memory grew, "causes": [{cause: metrics}]}.
"""

from __future__ import annotations

import asyncio
import collections
import json
import re
import resource
import sys
from pathlib import Path
from typing import Any

from probes.model import Endpoint
from probes.network import Limits, Options
from probes.runner import probe_endpoint

OPTIONS = Options(
    limits=Limits(deadline=5, greeting_timeout=1, greeting_timeout_mx=1, read_timeout=1, spacing_mx=0.01),
    allow_private=True,
    ehlo_name="probe.example.test",
)


def peak() -> int:
    """The highest resident memory so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage tells begins with the parent's peak on Linux
        return 1024 * int(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def main(places: list[dict[str, Any]]) -> dict[str, Any]:
    """Probe them all."""
    causes = []
    before = 0
    for number, place in enumerate(places):
        report = await probe_endpoint(Endpoint(**place), options=OPTIONS)
        causes.append(dict(collections.Counter(each.cause or "" for each in report.measurements)))
        if number == 0:
            before = peak()
    return {"growth": peak() - before, "causes": causes}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
