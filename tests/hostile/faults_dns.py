"""A name server that fails, over UDP and TCP, in every way of the fault matrix."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from probes.model import Cause

NO_ANSWER = frozenset({Cause.DNS_TIMEOUT})
FAILURE = frozenset({Cause.DNS_SERVFAIL})


@dataclasses.dataclass(frozen=True)
class Fault:
    """``answer``: query → what is sent back (None: nothing). ``tcp``: what becomes of TCP: the same answer, a refused
    connection, or a connection on which nothing comes. ``causes``: for everything that DNS was needed for."""

    name: str
    answer: Callable[[bytes], bytes | None]
    causes: frozenset[Cause]
    tcp: str = "answer"


def _response(query: bytes, code: dns.rcode.Rcode = dns.rcode.NOERROR, flags: int = 0) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(query))
    message.set_rcode(code)
    message.flags |= flags
    return message.to_wire()


def _code(code: dns.rcode.Rcode) -> Callable[[bytes], bytes]:
    return lambda query: _response(query, code)


def _truncated(query: bytes) -> bytes:
    return _response(query, flags=dns.flags.TC)


def _alias_of_itself(query: bytes) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(query))
    name = message.question[0].name
    message.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", name.to_text()))
    return message.to_wire()


def _other_question(query: bytes) -> bytes:
    other = dns.message.make_query("other.test", "TXT", id=int.from_bytes(query[:2], "big"))
    return dns.message.make_response(other).to_wire()


def _pointing_at_itself(query: bytes) -> bytes:
    """An answer whose name is a compression pointer to itself (RFC 1035 §4.1.4)."""
    at = len(query)
    header = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    question = query[12:]
    return (
        header
        + question
        + (0xC000 | at).to_bytes(2, "big")
        + b"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"
    )


FAULTS = (
    Fault("servfail", _code(dns.rcode.SERVFAIL), FAILURE),
    Fault("refused", _code(dns.rcode.REFUSED), FAILURE),
    Fault("formerr", _code(dns.rcode.FORMERR), FAILURE),
    Fault("not implemented", _code(dns.rcode.NOTIMP), FAILURE),
    Fault("yxdomain", _code(dns.rcode.YXDOMAIN), FAILURE),
    Fault("silence", lambda query: None, NO_ANSWER, "silence"),
    Fault("truncated, TCP refused", _truncated, NO_ANSWER | FAILURE, "refused"),
    Fault("truncated, TCP silent", _truncated, NO_ANSWER, "silence"),
    Fault("truncated over TCP too", _truncated, NO_ANSWER | FAILURE),
    Fault("garbage", lambda query: b"\xff" * 40, NO_ANSWER | FAILURE),
    Fault("garbage with the right number", lambda query: query[:2] + b"\xff" * 60, NO_ANSWER | FAILURE),
    Fault("one byte", lambda query: b"\x00", NO_ANSWER | FAILURE),
    Fault("nothing but a header", lambda query: query[:2] + b"\x81\x80" + bytes(8), NO_ANSWER | FAILURE),
    Fault("another number", lambda query: bytes([query[0] ^ 255]) + _response(query)[1:], NO_ANSWER | FAILURE),
    Fault("another question", _other_question, NO_ANSWER | FAILURE),
    Fault("the query itself", lambda query: query, NO_ANSWER | FAILURE),
    Fault("alias of itself", _alias_of_itself, FAILURE),
    Fault("name that points at itself", _pointing_at_itself, NO_ANSWER | FAILURE),
    Fault("cut off", lambda query: _response(query)[:-3], NO_ANSWER | FAILURE),
)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._fault.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def failing_server(fault: Fault, *, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[tuple[str, int]]:
    """The address of a name server with this fault; port 0: a free one."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                query = await reader.readexactly(length)
                answer = None if fault.tcp == "silence" else fault.answer(query)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
        writer.close()
        tasks.discard(task)

    # TCP first: its ports are the busy ones. For a refused connection the port is taken, but nobody listens.
    held = socket.socket()
    held.bind((address, port))
    port = held.getsockname()[1]
    server = None if fault.tcp == "refused" else await asyncio.start_server(serve, sock=held)
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(fault), local_addr=(address, port))
    try:
        yield address, port
    finally:
        transport.close()
        if server is not None:
            server.close()
        held.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
