"""An authoritative DNS server on loopback, over UDP and TCP, that can also fail in every way a name server fails."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import cast

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Records = Mapping[str, Mapping[str, Sequence[str]]]
"""Name → type → data in presentation form. The type ``FAULT`` holds what happens to questions about the name, or
(``FAULT/TXT``) about one type of it: ``SERVFAIL``, ``REFUSED``, ``SILENT`` or ``BOGUS`` (SERVFAIL with the extended
error of a failed DNSSEC validation). The type ``SIGNED`` holds ``yes`` or ``no`` for a name and all below it: for
signed names the AD bit is set, as a validating resolver does. The type ``DELEGATED`` holds the name servers that the
server refers to for a name and all below it."""


def txt(text: str) -> str:
    """A TXT record in presentation form, cut into strings of at most 255 bytes."""
    data = text.encode("latin-1")
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{byte:03d}" for byte in piece) + '"' for piece in pieces)


@dataclasses.dataclass
class Asked:
    """Where the server is, and what it was asked: (name, type)."""

    port: int
    questions: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    @property
    def resolver(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


def _signed(records: Records, name: str) -> bool:
    labels = name.split(".")
    for at in range(len(labels)):
        said = records.get(".".join(labels[at:]), {}).get("SIGNED")
        if said:
            return said[0] == "yes"
    return False


def _delegated(records: Records, name: str) -> tuple[str, Sequence[str]] | None:
    labels = name.split(".")
    for at in range(len(labels)):
        found = records.get(".".join(labels[at:]), {}).get("DELEGATED")
        if found:
            return ".".join(labels[at:]), found
    return None


def _answer(
    records: Records, wire: bytes, asked: list[tuple[str, str]], udp: bool, authoritative: bool = True
) -> bytes | None:
    query = dns.message.from_wire(wire)
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    kind = dns.rdatatype.to_text(question.rdtype)
    asked.append((name, kind))
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA | dns.flags.RA if authoritative else dns.flags.RA
    referred = _delegated(records, name)
    if referred is not None:
        response.flags &= ~dns.flags.AA
        cut = dns.rrset.RRset(dns.name.from_text(referred[0]), dns.rdataclass.IN, dns.rdatatype.NS)
        for text in referred[1]:
            cut.add(dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.NS, text), 60)
        response.authority.append(cut)
        return response.to_wire()
    authenticated = True
    for _ in range(8):
        authenticated = authenticated and _signed(records, name)
        owned = records.get(name)
        fault = (owned or {}).get(f"FAULT/{kind}") or (owned or {}).get("FAULT")
        if fault:
            if fault[0] == "SILENT":
                return None
            if fault[0] == "BOGUS":
                response.use_edns(0, 0, 1232, options=[dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS)])
                fault = ["SERVFAIL"]
            response.set_rcode(dns.rcode.from_text(fault[0]))
            response.answer.clear()
            return response.to_wire()
        if owned is None:
            below = any(other.endswith(f".{name}") for other in records)
            if not below and not response.answer:
                response.set_rcode(dns.rcode.NXDOMAIN)
            break
        wanted = kind if kind in owned else "CNAME"
        data = owned.get(wanted, ())
        if not data:
            break
        rrset = dns.rrset.RRset(dns.name.from_text(name), dns.rdataclass.IN, dns.rdatatype.from_text(wanted))
        for text in data:
            rrset.add(dns.rdata.from_text(dns.rdataclass.IN, rrset.rdtype, text), 60)
        response.answer.append(rrset)
        if wanted == kind:
            break
        name = data[0].removesuffix(".").lower()
    if authenticated:
        response.flags |= dns.flags.AD
    result = response.to_wire(max_size=65535)
    if udp and len(result) > 1232:
        response.answer.clear()
        response.flags |= dns.flags.TC
        result = response.to_wire()
    return result


class _UDP(asyncio.DatagramProtocol):
    def __init__(self, records: Records, asked: list[tuple[str, str]], authoritative: bool) -> None:
        self.records = records
        self.asked = asked
        self.authoritative = authoritative

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # no such instance in Python 3.11, only in name

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = _answer(self.records, data, self.asked, udp=True, authoritative=self.authoritative)
        if answer is not None:
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def name_server(
    records: Records, *, address: str = "127.0.0.1", port: int = 0, authoritative: bool = True
) -> AsyncIterator[Asked]:
    """Serve these records on this loopback address, UDP and TCP on one port, which is a free one for 0."""
    records = {name.lower(): owned for name, owned in records.items()}
    asked = Asked(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                query = await reader.readexactly(length)
                answer = _answer(records, query, asked.questions, udp=False, authoritative=authoritative)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
        writer.close()

    loop = asyncio.get_running_loop()
    # A port that is free for TCP may be taken for UDP: then another is tried.
    for attempt in range(20):
        server = await asyncio.start_server(serve, address, port)
        asked.port = server.sockets[0].getsockname()[1]
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _UDP(records, asked.questions, authoritative), local_addr=(address, asked.port)
            )
        except OSError:
            server.close()
            if attempt == 19:
                raise
        else:
            break
    try:
        yield asked
    finally:
        transport.close()
        server.close()
