"""Our probes several times, one after the other, in one running process: what a daemon would take for each.

    python -m bench.inside URL TIMES CA_FILE PROBE …

Prints JSON: ``walls`` in seconds, ``cpu`` in seconds of all together, and the last ``report``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from probes import registry
from probes.network import Options
from probes.runner import parse_target, probe_endpoint, report_to_json


def main(url: str, times: int, authority: str, names: list[str]) -> None:
    """See the module's text."""
    options = Options(allow_private=True, ca_file=authority)
    chosen = [registry.probe(name) for name in names]
    endpoint = parse_target(url)

    async def everything() -> dict[str, object]:
        report = await probe_endpoint(endpoint, options=options, probes=chosen)  # once for the imports
        walls = []
        before = time.process_time()
        for _ in range(times):
            start = time.perf_counter()
            report = await probe_endpoint(endpoint, options=options, probes=chosen)
            walls.append(time.perf_counter() - start)
        return {"walls": walls, "cpu": time.process_time() - before, "report": report_to_json(report)}

    print(json.dumps(asyncio.run(everything())))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
