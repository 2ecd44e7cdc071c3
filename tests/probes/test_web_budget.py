"""What a whole report costs a web server: few connections, and most requests on one of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from probes.model import Endpoint, Role
from probes.network import Depth, Limits, Options
from probes.runner import probe_endpoint
from probes.security_txt import SECURITY_TXT
from tests.hostile import faults_web
from tests.hostile.server import Script, Send, authority_file, serve
from tests.probes.loopback import QUICK

KINDS: dict[Role, str] = {"api": "", "web": "", "status": "statuspage"}


async def cost(role: Role, script: Script, folder: Path, depth: Depth = "standard") -> tuple[int, int, list[list[str]]]:
    """Connections in all, values measured, and the paths that were asked for on each connection with a GET."""
    options = Options(
        limits=QUICK, allow_private=True, ca_file=str(authority_file(folder)), ehlo_name="probe.example", depth=depth
    )
    async with serve(script) as server:
        endpoint = Endpoint(role, url=f"https://127.0.0.1:{server.port}/", kind=KINDS[role])
        report = await probe_endpoint(endpoint, options=options)
        made = len(server.sessions)
    asked: dict[int, list[str]] = {}
    for step in report.transcript:
        if step.text.startswith("GET "):
            path = step.text.partition(f":{server.port}")[2]
            asked.setdefault(step.connection, []).append(path)
    return made, sum(each.cause is None for each in report.measurements), list(asked.values())


@pytest.mark.parametrize("role", KINDS)
async def test_a_whole_report_takes_eight_connections_and_one_for_its_requests(role: Role, tmp_path: Path) -> None:
    made, values, asked = await cost(role, faults_web.served("https", (Send(faults_web.response()),)), tmp_path)
    assert made <= Limits().connections_per_address + 1
    assert values > 30
    expected = {
        "api": [["/"] * 5],
        "web": [["/", SECURITY_TXT]],
        "status": [["/", "/api/v2/summary.json", "/api/v2/incidents.json"]],
    }
    assert asked == expected[role], "all that is asked for goes over one connection"


@pytest.mark.parametrize("role", KINDS)
async def test_a_server_that_hangs_up_costs_a_few_more(role: Role, tmp_path: Path) -> None:
    closing = faults_web.response(headers=b"Connection: close\r\n")
    made, values, asked = await cost(role, faults_web.served("https", (Send(closing),)), tmp_path)
    limits = Limits()
    assert made <= limits.connections_per_address + limits.connections_for_requests
    assert values > 30
    assert all(len(paths) == 1 for paths in asked)
    assert len(asked) <= limits.connections_for_requests


async def test_full_depth_has_its_limit_too(tmp_path: Path) -> None:
    limits = dataclasses.replace(Limits(), connections_per_address_full=64)
    made, values, _ = await cost("web", faults_web.served("https", (Send(faults_web.response()),)), tmp_path, "full")
    assert 20 <= made <= limits.connections_per_address_full + limits.connections_for_requests
    assert values > 30
