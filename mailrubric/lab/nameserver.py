"""A small authoritative DNS server for the top-level domain ``test``, over UDP and TCP (RFC 1034, 1035, 2308, 6891)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

ZONE = "lab.test"
"""Where the lab's names are: under .test, which RFC 6761 keeps free for tests for ever."""
_ORIGIN = "test"
"""What the lab answers for. All of .test, since probes climb to it (CAA, RFC 8659 §3; DMARC, RFC 9989 §4.10)."""
_TTL = 60
_UDP_BYTES = 512
_UDP_BYTES_EDNS = 1232
_QUESTIONS_PER_CONNECTION = 100
_IDLE_SECONDS = 10.0
_CNAME_CHAIN = 8

Record = tuple[str, str, str]
"""(name, type, data in presentation form), such as ("modern.lab.test", "MX", "10 mx.modern.lab.test.")."""


class Zone:
    """The records of ``lab.test`` in the zone ``test``, and how to answer from them."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._origin = dns.name.from_text(_ORIGIN)
        self._rrsets: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        self._names: set[dns.name.Name] = {self._origin}
        for name, kind, data in records:
            self._add(dns.name.from_text(name), kind, data)
        self._add(self._origin, "SOA", f"ns.{ZONE}. hostmaster.{ZONE}. 1 3600 600 86400 {_TTL}")
        self._add(self._origin, "NS", f"ns.{ZONE}.")

    def _add(self, name: dns.name.Name, kind: str, data: str) -> None:
        rdtype = dns.rdatatype.from_text(kind)
        rrset = self._rrsets.setdefault((name, rdtype), dns.rrset.RRset(name, dns.rdataclass.IN, rdtype))
        rrset.add(dns.rdata.from_text(dns.rdataclass.IN, rdtype, data), _TTL)
        while name != self._origin:  # names above a record exist too, though they may own nothing (RFC 8020)
            self._names.add(name)
            name = name.parent()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The whole answer, of whatever size.

        REFUSED outside the zone; NXDOMAIN or no data with the SOA record in the authority section (RFC 2308).
        """
        response = dns.message.make_response(query, our_payload=_UDP_BYTES_EDNS)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return response
        question = query.question[0]
        if question.rdclass != dns.rdataclass.IN or not question.name.is_subdomain(self._origin):
            response.set_rcode(dns.rcode.REFUSED)
            return response
        response.flags |= dns.flags.AA
        name = question.name
        for _ in range(_CNAME_CHAIN):
            found = self._rrsets.get((name, question.rdtype))
            alias = self._rrsets.get((name, dns.rdatatype.CNAME))
            if found is not None:
                response.answer.append(found)
                return response
            if alias is None:
                break
            response.answer.append(alias)
            name = alias[0].target
            if not name.is_subdomain(self._origin):
                return response
        if name not in self._names:
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(self._rrsets[self._origin, dns.rdatatype.SOA])
        return response

    def answer_wire(self, data: bytes, *, udp: bool) -> bytes | None:
        """Wire form in, wire form out; None for what deserves no answer. Over UDP an answer that is too long is cut
        and marked so (TC), which makes the client ask again over TCP."""
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR:
            return None
        response = self.answer(query)
        limit = 65535
        if udp:
            limit = min(max(query.payload, _UDP_BYTES), _UDP_BYTES_EDNS) if query.edns >= 0 else _UDP_BYTES
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            cut = dns.message.make_response(query, our_payload=_UDP_BYTES_EDNS)
            cut.flags |= dns.flags.AA | dns.flags.TC
            return cut.to_wire(max_size=limit)


class UDPNameserver(asyncio.DatagramProtocol):
    """Answers datagrams."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the socket is ready."""
        # What asyncio passes here is a DatagramTransport in all but its class.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Called by asyncio for each datagram."""
        answer = self._zone.answer_wire(data, udp=True)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


async def serve_tcp(zone: Zone, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer length-prefixed messages on one connection (RFC 7766) until the client is done."""
    try:
        for _ in range(_QUESTIONS_PER_CONNECTION):
            async with asyncio.timeout(_IDLE_SECONDS):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                data = await reader.readexactly(length)
            answer = zone.answer_wire(data, udp=False)
            if answer is None:
                return
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        pass  # the client is done, silent or gone: nobody is left to tell
    finally:
        writer.close()
