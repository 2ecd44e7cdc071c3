"""A run and what its machine lets it measure: found out first, stored, told, and a cause for whole groups at once."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailrubric.evidence.runs import Run
from mailrubric.evidence.store import Store, StoreError
from mailrubric.probing import Job, ProbeService, StoreFailure, Summary, probe_vendors
from probes import registry
from probes.connection import connect as really
from probes.model import Endpoint
from probes.network import Limits, Options
from tests.hostile.faults import black_hole

PUBLIC = "9.9.9"  # .1 to .30: nobody there is dialled, which ``only_loopback`` makes sure of


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(address: str, *rest: Any, **more: Any) -> Any:
        assert address.startswith("127.")
        return await really(address, *rest, **more)

    monkeypatch.setattr("probes.network.connect", connect)


@pytest.fixture
def blocked() -> Iterator[Options]:
    """Options of a machine whose outbound port 25 is blocked, and that has no resolver."""
    with black_hole() as silent:
        yield Options(
            limits=Limits(deadline=5, connect_timeout=0.5, dns_timeout=0.3),
            resolver=("127.0.0.1", 1),
            port_25_references=(("127.0.0.1", silent),),
            ipv6_references=(),
            blocklists=(),
        )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'store.sqlite'}") as opened:
        yield opened


def jobs(count: int) -> list[Job]:
    return [Job("acme", Endpoint("mx", host=f"{PUBLIC}.{number}", port=25)) for number in range(1, count + 1)]


async def test_thirty_mx_endpoints_have_their_cause_at_once(blocked: Options, store: Store) -> None:
    told: list[Run] = []
    began = time.monotonic()
    summary = await probe_vendors(
        jobs(30), options=blocked, store=store, probes=[registry.probe("smtp")], began=told.append, concurrency=2
    )
    assert time.monotonic() - began < 5  # one after the other they would have taken 15 times half a second
    assert summary.causes["port_blocked_locally"] > 30 * 10
    assert (summary.values, summary.done, summary.vendors["acme"].states["failed"]) == (0, 30, 30)
    assert told == store.runs() == [summary.record]
    found = {each.name: (each.ok, each.endpoints) for each in told[0].preconditions}
    assert found == {
        "names": (False, 30), "port_25": (False, 30), "ipv6": (None, 30),
        "dnssec": (False, 30), "blocklists": (None, 30), "tls": (True, 30),
    }  # fmt: skip
    assert told[0].endpoints == 30


async def test_only_what_concerns_the_endpoints_is_looked_at(blocked: Options) -> None:
    allowing = dataclasses.replace(blocked, allow_private=True)
    other_port = Job("acme", Endpoint("mx", host="127.0.0.1", port=2525))
    summary = await probe_vendors([other_port], options=allowing, probes=[])
    assert summary.record is not None
    assert [each.name for each in summary.record.preconditions] == ["names", "ipv6", "dnssec", "blocklists", "tls"]
    summary = await probe_vendors([], options=allowing, probes=[])
    assert summary.record is None


async def test_a_run_can_be_stopped_while_it_looks(blocked: Options, store: Store) -> None:
    patient = dataclasses.replace(blocked, limits=Limits(connect_timeout=30))
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, stop.set)
    began = time.monotonic()
    summary = await probe_vendors(jobs(3), options=patient, store=store, stop=stop)
    assert time.monotonic() - began < 3
    assert (summary.cancelled, summary.record, summary.vendors["acme"].states["cancelled"]) == (True, None, 3)
    assert store.runs() == []


async def test_a_cancelled_task_stays_cancelled(blocked: Options) -> None:
    patient = dataclasses.replace(blocked, limits=Limits(connect_timeout=30))
    running = asyncio.create_task(probe_vendors(jobs(3), options=patient))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_store_that_fails_ends_the_run_before_anybody_is_asked(
    blocked: Options, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Run) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "add_run", full)
    with pytest.raises(StoreFailure, match="the disk is full") as raised:
        await probe_vendors(jobs(3), options=blocked, store=store)
    summary: Summary = raised.value.summary
    assert (summary.done, summary.values) == (0, 0)


def test_the_service_shows_it_while_it_runs(blocked: Options, tmp_path: Path) -> None:
    service = ProbeService()
    try:
        url = f"sqlite:///{tmp_path / 'store.sqlite'}"
        identifier = service.start("here", jobs(2), options=blocked, store_url=url, probes=[registry.probe("smtp")])
        status = service.wait(identifier, 30)
    finally:
        service.close()
    assert (status.finished, status.error) == (True, "")
    assert status.record is not None
    assert status.record.preconditions[0].ok is False
