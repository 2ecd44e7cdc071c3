"""HTTP/1.1 and HTTP/2 over a ``Connection``, by httpcore; imported only when something is fetched.

httpcore gets a stream that is connected already, so address guard, pinning, manners, deadline and TLS are the
network's own, and the time of a request can be told from the time of its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpcore
from h2.exceptions import H2Error

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
_AGAIN_BYTES = 64 * 1024  # of a body that may be asked for several times
_AGAIN_SECONDS = 5.0  # for all repetitions together
_AGAIN_RESERVE = 1.5  # what must be left before the deadline after them


class _Stream(httpcore.AsyncNetworkStream):
    """A ``Connection`` as httpcore wants to see one."""

    def __init__(self, connection: Connection, at_most: int) -> None:
        self._connection = connection
        self._left = at_most
        self.ended = False
        self.began: float | None = None
        """The connection's clock when the request had been sent."""

    def allow(self, at_most: int) -> None:
        """Take so many more bytes, for one more response."""
        self._left = at_most

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
            if self.began is None:
                self.began = self._connection.clock()

    async def aclose(self) -> None:
        await self._connection.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise RuntimeError("TLS begins before httpcore gets the stream")

    def get_extra_info(self, info: str) -> Any:
        return None


_HTTP = httpcore.AsyncHTTP2Connection | httpcore.AsyncHTTP11Connection
_Site = tuple[str, str, int]
"""Scheme, host and port."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Open:
    """A connection to a web server, and who speaks HTTP on it."""

    connection: Connection
    http: _HTTP
    stream: _Stream

    @property
    def idle(self) -> bool:
        """Whether it takes one more request, as far as we know."""
        return self.http.is_idle() and not self.connection.ended


class Visit:
    """Several requests to web servers, one after the other, over connections that are kept open between them where the
    servers agree. Use as ``async with``, or ``close`` it; the network closes what is forgotten."""

    def __init__(self) -> None:
        self._open: dict[_Site, _Open] = {}

    async def __aenter__(self) -> Visit:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection. Safe to call twice."""
        while self._open:
            await self._open.popitem()[1].connection.close()

    async def take(self, site: _Site) -> _Open | None:
        """The open connection to this site, if there is one; it has to be kept again, or closed."""
        found = self._open.pop(site, None)
        if found is not None and not found.idle:
            await found.connection.close()
            return None
        return found

    async def keep(self, site: _Site, opened: _Open) -> None:
        """Keep a connection for the next request to its site; it is closed where that cannot be, or another is."""
        if opened.idle and site not in self._open:
            self._open[site] = opened
        else:
            await opened.connection.close()


async def fetch(
    network: Network, url: str, method: str, headers: dict[str, str], repeat: int = 1, visit: Visit | None = None
) -> HTTPResponse:
    """One request and its response, by ``Network.http``. ``repeat``: how often it is sent in all, for the sake of more
    times (``Connection.samples``): on the same connection, one after the other, while the server agrees to that and
    answers with little. Only the first response is returned, and nothing that happens later takes it away. ``visit``:
    whose connections are used, and to whom this one is left."""
    try:
        scheme, host, port, target = split_url(url)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_APPLICABLE, str(error)) from None
    site = (scheme, host, port)
    request = _request(network, (scheme, host, port, target), method, headers)
    async with contextlib.AsyncExitStack() as own:
        kept_by = await own.enter_async_context(Visit()) if visit is None else visit
        opened = await kept_by.take(site)
        if opened is not None:
            try:
                return await _ask(network, url, kept_by, site, opened, request, 1)
            except Unmeasured as reason:
                if reason.cause is not Cause.CONNECTION_RESET:
                    raise
                # Many servers hang up after a response although they said that they would not: that is no answer yet.
                network.note(f"{reason}; once more on a new connection", opened.connection.number)
        opened = await _connect(network, site)
        return await _ask(network, url, kept_by, site, opened, request, repeat)


async def _ask(
    network: Network, url: str, visit: Visit, site: _Site, opened: _Open, request: httpcore.Request, repeat: int
) -> HTTPResponse:
    try:
        opened.stream.allow(network.options.limits.http_bytes + _OVERHEAD_BYTES)
        response = await _exchange(network, url, opened, request)
        await _again(network, opened, response, request, repeat - 1)
    except BaseException:
        await opened.connection.close()
        raise
    await visit.keep(site, opened)
    return response


async def _connect(network: Network, site: _Site) -> _Open:
    scheme, host, port = site
    connection = await network.dial(host, port, for_request=True)
    try:
        alpn = ""
        if scheme == "https":
            alpn = (await connection.start_tls(host, alpn=("h2", "http/1.1"))).alpn
    except BaseException:
        await connection.close()
        raise
    origin = httpcore.Origin(scheme.encode(), host.encode(), port)
    stream = _Stream(connection, network.options.limits.http_bytes + _OVERHEAD_BYTES)
    if alpn == "h2":
        return _Open(connection, httpcore.AsyncHTTP2Connection(origin, stream), stream)
    return _Open(connection, httpcore.AsyncHTTP11Connection(origin, stream), stream)


def _request(
    network: Network, parts: tuple[str, str, int, str], method: str, headers: dict[str, str]
) -> httpcore.Request:
    scheme, host, port, target = parts
    sent = {
        "host": _authority(scheme, host, port),
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "accept-encoding": "identity",
    } | {name.lower(): value for name, value in headers.items()}
    limit = network.options.limits.read_timeout
    return httpcore.Request(
        method=method,
        url=httpcore.URL(scheme=scheme.encode(), host=host.encode(), port=port, target=target.encode()),
        headers=list(sent.items()),
        extensions={"timeout": {"read": limit, "write": limit}},
    )


def _authority(scheme: str, host: str, port: int) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port == (443 if scheme == "https" else 80) else f"{bracketed}:{port}"


async def _again(
    network: Network, opened: _Open, response: HTTPResponse, request: httpcore.Request, times: int
) -> None:
    """Send the request again, to see how long the answer takes. Whatever goes wrong ends it, and costs nothing."""
    left = min(_AGAIN_SECONDS, network.remaining - _AGAIN_RESERVE)
    if left <= 0 or response.truncated or len(response.body) > _AGAIN_BYTES:
        return
    number = opened.connection.number
    try:
        async with asyncio.timeout(left):
            for _ in range(times):
                if response.status == 429 or response.status >= 500 or not opened.idle:
                    return
                opened.stream.allow(network.options.limits.http_bytes + _OVERHEAD_BYTES)
                response = await _exchange(network, response.url, opened, request)
    except Unmeasured as reason:
        network.note(f"no more requests on this connection: {reason}", number)
    except TimeoutError:
        network.note("no more requests on this connection: enough time was spent", number)


async def _exchange(network: Network, url: str, opened: _Open, request: httpcore.Request) -> HTTPResponse:
    connection, http, stream = opened.connection, opened.http, opened.stream
    network.note(f"{request.method.decode('ascii')} {url}", connection.number)
    stream.began = None
    try:
        response = await http.handle_async_request(request)
        elapsed_ms = connection.ms_since(stream.began or 0.0)
        received = _headers(response.headers)
        version = response.extensions.get("http_version", b"HTTP/2").decode("ascii", "backslashreplace")
        network.note(f"{version} {response.status}", connection.number)
        body, truncated = await _body(response, network.options.limits.http_bytes)
        connection.samples.append(("response", elapsed_ms))
        if not truncated:
            await response.aclose()
    except httpcore.RemoteProtocolError as error:
        if stream.ended:
            raise Unmeasured(Cause.CONNECTION_RESET, "the server closed the connection within its response") from None
        if "too long" in str(error):  # h11 on headers that do not end
            raise Unmeasured(Cause.REPLY_TOO_LONG, printable(str(error), 200)) from None
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"not HTTP: {printable(str(error), 200)}") from None
    except (httpcore.LocalProtocolError, H2Error) as error:  # httpcore translates most of h2's, not all
        inner = error.args[0] if error.args and isinstance(error.args[0], H2Error) else error
        raise Unmeasured(Cause.PROTOCOL_ERROR, printable(f"{type(inner).__name__}: {inner}", 200)) from None
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
