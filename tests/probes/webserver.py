"""HTTP/1.1 servers on loopback, with and without TLS, whose answers are bytes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping

from tests.probes.certificates import Served

Pages = Mapping[str, bytes] | Callable[[str, Mapping[str, str]], bytes]
"""Path → whole response, or a function of path and request headers."""


def response(status: str = "200 OK", body: bytes = b"", version: str = "HTTP/1.1", **headers: str) -> bytes:
    """A whole response; header names with _ for -."""
    lines = [f"{version} {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextlib.asynccontextmanager
async def web_server(pages: Pages, served: Served | None = None) -> AsyncIterator[int]:
    """Yields the port. Other paths answer 404; a path that maps to b"" hangs up without an answer."""
    context = None
    if served is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(served.chain, served.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            path = head[0].split(" ")[1]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            page = pages(path, headers) if callable(pages) else pages.get(path, response("404 Not Found"))
            writer.write(page)
            await writer.drain()
            if page:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 2)  # let the client hang up first
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
