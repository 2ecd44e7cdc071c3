"""A small HTTPS server: HTTP/1.1 (RFC 9112) and, where the client agrees to it, HTTP/2 (RFC 9113)."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
from collections.abc import Mapping
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from mailrubric.lab.stream import Closed, Stream

_MAXIMUM_HEADERS = 100
_MAXIMUM_REQUESTS = 1000
_BODY_BYTES = 1024 * 1024
_request_numbers = itertools.count(1)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_json(cls, value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Page:
        """An answer in JSON."""
        return cls(status, "application/json", json.dumps(value, indent=1).encode("utf-8"), headers)


_NOT_FOUND = Page(404, "text/plain", b"not found\n")


@dataclasses.dataclass(frozen=True, slots=True)
class WebService:
    """Pages by path; ``otherwise`` answers every other path. ``delay``: seconds before each answer."""

    pages: Mapping[str, Page]
    otherwise: Page = _NOT_FOUND
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    alpn: tuple[str, ...] = ("h2", "http/1.1")

    async def run(self, stream: Stream, protocol: str) -> None:
        """Answer requests until the client is done. ``protocol``: agreed on by ALPN."""
        if protocol == "h2":
            await self._run_2(stream)
        else:
            await self._run_1(stream)

    async def _answer(self, path: str) -> tuple[Page, list[tuple[str, str]]]:
        if self.delay:
            await asyncio.sleep(self.delay)
        page = self.pages.get(path.partition("?")[0], self.otherwise)
        headers = [
            ("content-type", page.content_type),
            ("content-length", str(len(page.body))),
            ("x-request-id", f"lab-{next(_request_numbers):06}"),
            *self.headers,
            *page.headers,
        ]
        return page, headers

    async def _run_1(self, stream: Stream) -> None:
        for _ in range(_MAXIMUM_REQUESTS):
            request = (await stream.read_line()).decode("latin-1").split(" ")
            if len(request) != 3 or not request[2].startswith("HTTP/1."):
                await stream.write_line("HTTP/1.1 400 Bad Request", "content-length: 0", "connection: close", "")
                return
            headers: dict[str, str] = {}
            while line := (await stream.read_line()).decode("latin-1"):
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
                if len(headers) > _MAXIMUM_HEADERS:
                    raise Closed("too many headers")
            length = headers.get("content-length", "0")
            if not (length.isascii() and length.isdigit()) or int(length) > _BODY_BYTES:
                await stream.write_line("HTTP/1.1 413 Content Too Large", "content-length: 0", "connection: close", "")
                return
            await stream.skip(int(length))
            keep = "close" not in headers.get("connection", "").lower() and request[2] != "HTTP/1.0"
            page, answer = await self._answer(request[1])
            lines = [f"HTTP/1.1 {page.status} {_PHRASES.get(page.status, 'Unknown')}"]
            lines += [f"{name}: {value}" for name, value in answer]
            lines += [f"connection: {'keep-alive' if keep else 'close'}", "", ""]
            body = b"" if request[0] == "HEAD" else page.body
            await stream.write("\r\n".join(lines).encode("latin-1") + body)
            if not keep:
                return

    async def _run_2(self, stream: Stream) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        await stream.write(connection.data_to_send())
        while data := await stream.read():
            try:
                events = connection.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                await stream.write(connection.data_to_send())  # the GOAWAY that says why
                raise Closed(f"HTTP/2: {error!r}") from error
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    request = {str(name): str(value) for name, value in event.headers}
                    page, headers = await self._answer(request.get(":path", "/"))
                    without_body = request.get(":method") == "HEAD"
                    connection.send_headers(
                        event.stream_id, [(":status", str(page.status)), *headers], end_stream=without_body
                    )
                    if not without_body:
                        # Every page of the lab is far below the window and frame size that a client must allow.
                        connection.send_data(event.stream_id, page.body, end_stream=True)
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.ConnectionTerminated):
                    return
            await stream.write(connection.data_to_send())


_PHRASES = {200: "OK", 401: "Unauthorized", 404: "Not Found"}
