"""What the further DNS probes find out can be replayed without a socket: name servers asked one by one, blocklists, the
files of BIMI."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from probes import registry
from probes.model import Endpoint, Report
from probes.recording import read
from probes.replay import replay
from probes.runner import probe_endpoint
from tests.hostile.test_dns_faults import DOMAIN, HOST, ZONE
from tests.probes import test_bimi
from tests.probes.dnsserver import name_server
from tests.probes.loopback import options


def values(report: Report) -> dict[str, object]:
    return {each.metric: (each.value, each.cause, each.detail) for each in report.measurements}


async def recorded(endpoint: Endpoint, probe: str, folder: Path) -> Report:
    async with (
        test_bimi.logo_server(test_bimi.GOOD) as at,
        name_server(
            {
                **ZONE,
                "default._bimi.hostile.test": {"TXT": [f'"v=BIMI1; l={at}/logo.svg; a={at}/mark.pem"']},
                "x._domainkey.hostile.test": {"TXT": ['"v=DKIM1; p="']},
            }
        ) as asked,
        name_server(ZONE, address="127.0.0.2", port=asked.port),
    ):
        chosen = dataclasses.replace(options(asked.resolver), blocklists=("list.test",), record_to=str(folder))
        return await probe_endpoint(endpoint, options=chosen, probes=[registry.probe(probe)])


@pytest.mark.parametrize(
    ("endpoint", "probe"), [(DOMAIN, "delegation"), (HOST, "blocklist"), (DOMAIN, "bimi"), (DOMAIN, "dns")]
)
def test_a_replay_finds_the_same(endpoint: Endpoint, probe: str, tmp_path: Path) -> None:
    report = asyncio.run(recorded(endpoint, probe, tmp_path))
    assert any(each.value is not None for each in report.measurements)
    (file,) = tmp_path.iterdir()
    again = replay(read(file), probes=[registry.probe(probe)], ca_file=options().ca_file)
    found = values(again)
    for name, seen in values(report).items():
        if name == "bimi.certificate_days_left":  # counted from the recording's time
            assert found[name][0] == pytest.approx(seen[0], abs=0.01)  # type: ignore[index]
        else:
            assert found[name] == seen, name
