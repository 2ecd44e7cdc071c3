"""Several requests on few connections, and their own share of the connections that our manners allow."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable

import pytest

from probes.fetch import Visit
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import Limits, Network
from tests.probes.loopback import QUICK, options, scripted

Answering = Callable[[int, int, str], bytes | None]
"""(connection, request on it, path) → response, or None to hang up; both counted from 1."""


def plain(body: bytes = b"hello", status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@dataclasses.dataclass
class Site:
    port: int
    asked: list[list[str]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def site(answer: Answering) -> AsyncIterator[Site]:
    """A web server that keeps its connections open, and what was asked on each."""
    asked: list[list[str]] = []

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append([])
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            asked[number - 1].append(path)
            said = answer(number, len(asked[number - 1]), path)
            if said is None:
                return
            writer.write(said)

    async with scripted(serve) as state:
        yield Site(state.port, asked)


@contextlib.asynccontextmanager
async def network(limits: Limits = QUICK) -> AsyncIterator[Network]:
    async with Network(Endpoint("web", url="http://127.0.0.1/"), options(limits=limits)) as made:
        yield made


async def test_a_visit_keeps_its_connection() -> None:
    async with site(lambda *_: plain()) as web, network() as net, Visit() as visit:
        for path in ("/a", "/b", "/c"):
            response = await net.http(web.url + path, visit=visit)
            assert (response.status, response.body, response.url) == (200, b"hello", web.url + path)
    assert web.asked == [["/a", "/b", "/c"]]
    async with site(lambda *_: plain()) as web, network() as net:
        await net.http(web.url + "/a")
        await net.http(web.url + "/b")
    assert web.asked == [["/a"], ["/b"]], "without a visit each request has its own"


async def test_servers_that_announce_that_they_hang_up_get_a_new_connection() -> None:
    async with site(lambda *_: plain(more="Connection: close\r\n")) as web, network() as net, Visit() as visit:
        await net.http(web.url + "/a", visit=visit)
        await net.http(web.url + "/b", visit=visit)
        assert not any("once more" in step.text for step in net.transcript)
    assert web.asked == [["/a"], ["/b"]]


async def test_servers_that_hang_up_unannounced_are_asked_once_more() -> None:
    async with (
        site(lambda number, request, _: plain() if request == 1 else None) as web, network() as net, Visit() as visit,
    ):  # fmt: skip
        await net.http(web.url + "/a", visit=visit)
        assert (await net.http(web.url + "/b", visit=visit)).status == 200
        assert any("once more" in step.text for step in net.transcript)
    assert web.asked == [["/a", "/b"], ["/b"]]


async def test_any_other_fault_on_a_kept_connection_is_the_answer() -> None:
    def answer(number: int, request: int, path: str) -> bytes | None:
        return plain() if request == 1 else b"nonsense\r\n\r\n"

    async with site(answer) as web, network() as net, Visit() as visit:
        await net.http(web.url + "/a", visit=visit)
        with pytest.raises(Unmeasured) as problem:
            await net.http(web.url + "/b", visit=visit)
        assert problem.value.cause is Cause.PROTOCOL_ERROR
    assert web.asked == [["/a", "/b"]]


async def test_a_body_that_is_cut_ends_its_connection() -> None:
    small = dataclasses.replace(QUICK, http_bytes=1000)
    async with (
        site(lambda *_: plain(b"x" * 5000)) as web, network(small) as net, Visit() as visit,
    ):  # fmt: skip
        assert (await net.http(web.url + "/a", visit=visit)).truncated
        assert (await net.http(web.url + "/b", visit=visit)).truncated
    assert web.asked == [["/a"], ["/b"]]


async def test_each_response_of_a_connection_has_the_whole_allowance() -> None:
    """What the first response took is not taken from the second."""
    tight = dataclasses.replace(QUICK, http_bytes=200_000)
    async with site(lambda *_: plain(b"x" * 199_000)) as web, network(tight) as net, Visit() as visit:
        for _ in range(5):
            assert len((await net.http(web.url + "/", visit=visit)).body) == 199_000
    assert web.asked == [["/"] * 5]


async def test_several_sites_at_once() -> None:
    async with site(lambda *_: plain(b"1")) as one, site(lambda *_: plain(b"2")) as two:
        async with network() as net, Visit() as visit:
            bodies = [(await net.http(each.url + "/", visit=visit)).body for each in (one, two, one, two)]
        assert bodies == [b"1", b"2", b"1", b"2"]
        assert [len(each.asked) for each in (one, two)] == [1, 1]


async def test_two_requests_at_once_of_one_visit() -> None:
    async with site(lambda *_: plain()) as web, network() as net, Visit() as visit:
        both = await asyncio.gather(net.http(web.url + "/a", visit=visit), net.http(web.url + "/b", visit=visit))
        assert [each.status for each in both] == [200, 200]
    assert sorted(web.asked) == [["/a"], ["/b"]]


async def test_requests_have_connections_of_their_own() -> None:
    limits = dataclasses.replace(QUICK, connections_per_address=2, connections_for_requests=1)
    async with site(lambda *_: plain()) as web, network(limits) as net:
        for _ in range(2):
            await (await net.dial("127.0.0.1", web.port)).close()
        with pytest.raises(Unmeasured) as problem:
            await net.dial("127.0.0.1", web.port)
        assert problem.value.cause is Cause.NOT_PERMITTED
        assert (await net.http(web.url + "/a")).status == 200, "what hellos used up costs no page"
        with pytest.raises(Unmeasured) as problem:
            await net.http(web.url + "/b")
        assert problem.value.cause is Cause.NOT_PERMITTED
    assert [asked for asked in web.asked if asked] == [["/a"]]
