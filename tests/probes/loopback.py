"""Small servers on loopback whose every connection is a script, and a network that may reach them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

from probes.model import Endpoint, Measurement, Probe, Unmeasured
from probes.network import Limits, Network, Options, Surroundings
from tests.probes import certificates as zoo

Handler = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""(number of the connection from 1, reader, writer); the connection is closed when it returns."""

QUICK = Limits(deadline=10, connect_timeout=2, greeting_timeout=1, greeting_timeout_mx=1, read_timeout=0.6,
               dns_timeout=1, spacing_mx=0.05)  # fmt: skip


@dataclasses.dataclass
class Listening:
    """``port``, and how many connections came."""

    port: int = 0
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0


@contextlib.asynccontextmanager
async def scripted(handler: Handler) -> AsyncIterator[Listening]:
    """A TCP server on 127.0.0.1 that runs ``handler`` for each connection."""
    state = Listening()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        state.connections += 1
        state.at_once += 1
        state.most_at_once = max(state.most_at_once, state.at_once)
        try:
            await handler(state.connections, reader, writer)
            with contextlib.suppress(OSError):
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has hung up, or the test is over
        finally:
            state.at_once -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    import socket
    import struct

    connected = writer.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def options(resolver: tuple[str, int] | None = None, limits: Limits = QUICK, ca: bool = True) -> Options:
    return Options(
        limits=limits, allow_private=True, resolver=resolver, ca_file=str(zoo.ca_file()) if ca else None,
        ehlo_name="probe.example",
    )  # fmt: skip


async def measure(probe: Probe, endpoint: Endpoint, chosen: Options | None = None) -> dict[str, Measurement]:
    """All of the probe's metrics by key, as the runner would have them: what is raised counts for every metric."""
    chosen = chosen or options()
    surroundings = Surroundings(chosen, port_25_references=())
    async with Network(endpoint, chosen, surroundings) as network:
        try:
            found = {each.metric: each for each in await probe.measure(endpoint, network)}
        except Unmeasured as reason:
            found = {
                metric.key: Measurement.missing(metric.key, reason.cause, reason.detail)
                for metric in probe.metrics
                if metric.roles is None or endpoint.role in metric.roles
            }
    await surroundings.close()
    expected = {metric.key for metric in probe.metrics if metric.roles is None or endpoint.role in metric.roles}
    assert set(found) == expected
    by_key = {metric.key: metric for metric in probe.metrics}
    for key, each in found.items():
        _check_type(by_key[key].type, by_key[key].levels, each)
    return found


def _check_type(kind: str, levels: tuple[str, ...], each: Measurement) -> None:
    value = each.value
    if value is None:
        return
    match kind:
        case "boolean":
            assert isinstance(value, bool), each
        case "integer":
            assert isinstance(value, int), each
            assert not isinstance(value, bool), each
        case "number":
            assert isinstance(value, int | float), each
            assert not isinstance(value, bool), each
        case "set":
            assert isinstance(value, tuple), each
            assert list(value) == sorted(set(value)), each
        case "level":
            assert value in levels, each
        case _:
            assert isinstance(value, str), each
            assert value, each
