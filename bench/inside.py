"""Our probes in one running process, without a store: what a daemon or a script takes for each endpoint.

    python -m bench.inside turns URL TIMES CA_FILE PROBE …        one endpoint several times, one after the other
    python -m bench.inside together FILE DEPTH CA_FILE PROBE …    the URLs of a file, all at once

Prints JSON. ``turns``: ``walls`` in seconds, ``cpu`` in seconds of all together, and the last ``report``. ``together``:
the ``reports``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from probes import registry
from probes.model import Probe
from probes.network import DEADLINES, Limits, Options, Surroundings
from probes.runner import parse_target, probe_endpoint, report_to_json


async def turns(url: str, times: int, options: Options, probes: Sequence[Probe]) -> dict[str, object]:
    """One endpoint ``times`` times, after once for the imports."""
    endpoint = parse_target(url)
    report = await probe_endpoint(endpoint, options=options, probes=probes)
    walls = []
    before = time.process_time()
    for _ in range(times):
        start = time.perf_counter()
        report = await probe_endpoint(endpoint, options=options, probes=probes)
        walls.append(time.perf_counter() - start)
    return {"walls": walls, "cpu": time.process_time() - before, "report": report_to_json(report)}


async def together(urls: Sequence[str], options: Options, probes: Sequence[Probe]) -> dict[str, object]:
    """All endpoints at once."""
    surroundings = Surroundings(options)
    reports = await asyncio.gather(
        *(probe_endpoint(parse_target(url), options=options, surroundings=surroundings, probes=probes) for url in urls)
    )
    await surroundings.close()
    return {"reports": [report_to_json(report) for report in reports]}


def main(how: str, what: str, setting: str, authority: str, names: Sequence[str]) -> None:
    """See the module's text."""
    probes = [registry.probe(name) for name in names]
    if how == "turns":
        options = Options(allow_private=True, ca_file=authority)
        found = asyncio.run(turns(what, int(setting), options, probes))
    else:
        depth = next(each for each in DEADLINES if each == setting)
        limits = Limits(deadline=DEADLINES[depth])
        options = Options(limits=limits, allow_private=True, ca_file=authority, depth=depth)
        found = asyncio.run(together(Path(what).read_text(encoding="ascii").split(), options, probes))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
