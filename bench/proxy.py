"""A TCP proxy that delays: half the round trip each way, as a process of its own so that its CPU is not counted.

    python -m bench.proxy LISTEN_PORT TARGET_HOST TARGET_PORT ROUND_TRIP_MS

The TCP handshake itself ends at the proxy and is not delayed, so a program that opens many connections is flattered
a little: each real connection would cost one round trip more.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def drain() -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    sender = asyncio.create_task(drain())
    try:
        while True:
            data = await reader.read(65536)
            queue.put_nowait((loop.time() + delay, data))
            if not data:
                break
        await sender
    except (ConnectionError, asyncio.CancelledError):
        sender.cancel()


async def serve(port: int, host: str, target: int, round_trip_ms: float) -> None:
    """Listen on 127.0.0.1:``port`` until killed."""
    delay = round_trip_ms / 2000

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(host, target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            _pump(reader, upstream_writer, delay), _pump(upstream_reader, writer, delay), return_exceptions=True
        )
        upstream_writer.close()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    # Ended by a signal, at once: nobody is interested in what was still under way.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
