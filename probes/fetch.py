"""HTTP/1.1 and HTTP/2 over a ``Connection``, by httpcore; imported only when something is fetched.

httpcore gets a stream that is connected already, so address guard, pinning, manners, deadline and TLS are the
network's own, and the time of a request can be told from the time of its connection.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import httpcore

from probes import VERSION
from probes.addresses import split_url
from probes.model import Cause, Unmeasured
from probes.network import HTTPResponse
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Connection, Network

USER_AGENT = f"mailrubric-probe/{VERSION}"
"""How we introduce ourselves to web servers."""

_HEADER_CHARACTERS = 64 * 1024
_OVERHEAD_BYTES = 256 * 1024  # what headers and framing may take beside the body


class _Stream(httpcore.AsyncNetworkStream):
    """A ``Connection`` as httpcore wants to see one."""

    def __init__(self, connection: Connection, at_most: int) -> None:
        self._connection = connection
        self._left = at_most
        self.ended = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._connection.receive(max_bytes, timeout)
        self.ended = not data
        self._left -= len(data)
        if self._left < 0:
            raise Unmeasured(Cause.REPLY_TOO_LONG, "the response is too long, or its parts are")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            await self._connection.send(buffer, shown=f"({len(buffer)} bytes of HTTP)")

    async def aclose(self) -> None:
        await self._connection.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise RuntimeError("TLS begins before httpcore gets the stream")

    def get_extra_info(self, info: str) -> Any:
        return None


async def fetch(network: Network, url: str, method: str, headers: dict[str, str]) -> HTTPResponse:
    """One request and its response, by ``Network.http``."""
    try:
        scheme, host, port, target = split_url(url)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_APPLICABLE, str(error)) from None
    connection = await network.dial(host, port)
    async with connection:
        alpn = ""
        if scheme == "https":
            alpn = (await connection.start_tls(host, alpn=("h2", "http/1.1"))).alpn
        return await _exchange(network, connection, url, (scheme, host, port, target), method, headers, alpn == "h2")


async def _exchange(
    network: Network,
    connection: Connection,
    url: str,
    parts: tuple[str, str, int, str],
    method: str,
    headers: dict[str, str],
    http2: bool,
) -> HTTPResponse:
    scheme, host, port, target = parts
    origin = httpcore.Origin(scheme.encode(), host.encode(), port)
    stream = _Stream(connection, network.options.limits.http_bytes + _OVERHEAD_BYTES)
    http: httpcore.AsyncHTTP2Connection | httpcore.AsyncHTTP11Connection
    http = httpcore.AsyncHTTP2Connection(origin, stream) if http2 else httpcore.AsyncHTTP11Connection(origin, stream)
    bracketed = f"[{host}]" if ":" in host else host
    default_port = port == (443 if scheme == "https" else 80)
    sent = {
        "host": bracketed if default_port else f"{bracketed}:{port}",
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "accept-encoding": "identity",
    } | {name.lower(): value for name, value in headers.items()}
    limit = network.options.limits.read_timeout
    request = httpcore.Request(
        method=method,
        url=httpcore.URL(scheme=scheme.encode(), host=host.encode(), port=port, target=target.encode()),
        headers=list(sent.items()),
        extensions={"timeout": {"read": limit, "write": limit}},
    )
    network.note(f"{method} {url}", connection.number)
    began = time.perf_counter()
    try:
        response = await http.handle_async_request(request)
        elapsed_ms = 1000 * (time.perf_counter() - began)
        received = _headers(response.headers)
        version = response.extensions.get("http_version", b"HTTP/2").decode("ascii", "backslashreplace")
        network.note(f"{version} {response.status}", connection.number)
        body, truncated = await _body(response, network.options.limits.http_bytes)
    except httpcore.RemoteProtocolError as error:
        if stream.ended:
            raise Unmeasured(Cause.CONNECTION_RESET, "the server closed the connection within its response") from None
        if "too long" in str(error):  # h11 on headers that do not end
            raise Unmeasured(Cause.REPLY_TOO_LONG, printable(str(error), 200)) from None
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"not HTTP: {printable(str(error), 200)}") from None
    except httpcore.LocalProtocolError as error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, printable(str(error), 200)) from None
    return HTTPResponse(
        url=url,
        status=response.status,
        http_version=version,
        headers=received,
        body=body,
        truncated=truncated,
        elapsed_ms=elapsed_ms,
        connect_ms=connection.connect_ms,
        tls=connection.tls,
    )


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case name → value, printable; several values joined by ", "."""
    joined: dict[str, str] = {}
    size = 0
    for raw_name, raw_value in headers:
        size += len(raw_name) + len(raw_value)
        if size > _HEADER_CHARACTERS:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"more than {_HEADER_CHARACTERS} bytes of headers")
        name = printable(raw_name).lower()
        value = printable(raw_value, _HEADER_CHARACTERS)
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


async def _body(response: httpcore.Response, at_most: int) -> tuple[bytes, bool]:
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > at_most:
            return bytes(body[:at_most]), True
    return bytes(body), False
