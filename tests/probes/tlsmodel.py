"""A TLS server that goes as far as its first flight and accepts what it is told to, even what no library still has."""

from __future__ import annotations

import asyncio
import dataclasses
import struct
from collections.abc import Mapping, Sequence
from typing import Literal

from probes import ciphers, hello
from probes.hello import Version
from tests.probes.loopback import Handler
from tests.probes.test_hello import RETRY, Reader, extension, record, server_hello

Kind = Literal["handshake", "version", "weak", "hybrid", "fallback", "other", "sslv2"]


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(data: bytes, width: int) -> bytes:
    """``data`` behind its length."""
    return len(data).to_bytes(width, "big") + data


def maximum_of(parsed: Reader) -> Version:
    """The newest version that a hello offers."""
    if 43 in parsed.extensions:
        return "TLSv1.3"
    return next(version for version, code in hello.CODES.items() if code == parsed.version)


def groups_of(parsed: Reader) -> tuple[int, ...]:
    """The groups that a hello offers."""
    data = parsed.extensions.get(10, b"\x00\x00")[2:]
    return struct.unpack(f">{len(data) // 2}H", data)


def kind_of(parsed: Reader) -> Kind:
    """Which of our hellos it is, or the handshake of our library."""
    if 0x5600 in parsed.suites:
        return "fallback"
    if groups_of(parsed) == hello.HYBRID_GROUPS:
        return "hybrid"
    if 43 in parsed.extensions and 0x1304 not in parsed.suites and len(parsed.suites) > 20:
        return "handshake"
    if all(ciphers.families(suite) for suite in parsed.suites):
        return "weak"
    own = hello.suites(maximum_of(parsed))
    return "version" if parsed.suites[: len(own)] == own else "other"


@dataclasses.dataclass
class Model:
    """``accepts``: version → suites in the server's order. ``order``: whose order counts. ``groups``: those of TLS 1.3;
    ``curves``: those of ECDHE before; ``prime``: bits of its own prime. ``signature``: scheme that TLS 1.2 names."""

    accepts: Mapping[Version, Sequence[int]]
    order: Literal["server", "client"] = "server"
    groups: Sequence[int] = (0x001D, 0x0017)
    curves: Sequence[int] = (0x001D, 0x0017)
    prime: int = 2048
    signature: int = 0x0804
    extensions: bytes = extension(23, b"") + extension(0xFF01, b"\x00") + extension(35, b"")
    compression: int = 0
    fallback: bool = True
    sslv2: bytes = b"\x15\x03\x01\x00\x02\x02\x46"
    seen: list[Kind] = dataclasses.field(default_factory=list)
    """The hellos that came."""

    def handler(self) -> Handler:
        """Serves one connection."""

        async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            header = await reader.readexactly(5)
            if header[0] != 22:
                self.seen.append("sslv2")
                await reader.read(100)
                writer.write(self.sslv2)
                return
            parsed = Reader(header + await reader.readexactly(int.from_bytes(header[3:5], "big")))
            kind = kind_of(parsed)
            self.seen.append(kind)
            writer.write(alert(40) if kind == "handshake" else self.answer(parsed))

        return serve

    def answer(self, parsed: Reader) -> bytes:
        """The first flight, or the alert that refuses."""
        maximum = maximum_of(parsed)
        versions = [version for version in self.accepts if hello.CODES[version] <= hello.CODES[maximum]]
        if maximum == "TLSv1.3" and parsed.extensions[43] == b"\x02\x03\x04":
            versions = [version for version in versions if version == "TLSv1.3"]
        if not versions:
            return alert(70)
        version = max(versions, key=lambda each: hello.CODES[each])
        newest = max(self.accepts, key=lambda each: hello.CODES[each])
        if self.fallback and 0x5600 in parsed.suites and hello.CODES[maximum] < hello.CODES[newest]:
            return alert(86)
        suite = self.choose(self.accepts[version], parsed.suites)
        if suite is None:
            return alert(40)
        if version == "TLSv1.3":
            group = self.choose(self.groups, groups_of(parsed))
            if group is None:
                return alert(40)
            chosen = extension(43, b"\x03\x04") + extension(51, struct.pack(">H", group))
            return record(22, server_hello(0x0303, suite, chosen, RETRY))
        flight = self.flight(version, suite, parsed)
        return alert(40) if flight is None else record(22, flight)

    def flight(self, version: Version, suite: int, parsed: Reader) -> bytes | None:
        """ServerHello, Certificate, ServerKeyExchange, ServerHelloDone."""
        exchange = ciphers.key_exchange(suite)
        extensions = None if version == "SSLv3" else self.extensions
        first = bytearray(server_hello(hello.CODES[version], suite, extensions))
        first[4 + 2 + 32 + 1 + 2] = self.compression
        flight = bytes(first)
        if "_anon" not in exchange:
            flight += message(11, vector(vector(b"certificate", 3), 3))
        signed = b"" if version != "TLSv1.2" else struct.pack(">H", self.signature)
        signed = b"" if "_anon" in exchange else signed + vector(b"signature", 2)
        if exchange.startswith("ECDH"):
            group = self.choose(self.curves, groups_of(parsed) or self.curves)
            if group is None:
                return None
            flight += message(12, b"\x03" + struct.pack(">H", group) + vector(b"\x04point", 1) + signed)
        elif exchange.startswith("DH"):
            prime = (1 << (self.prime - 1) | 1).to_bytes((self.prime + 7) // 8, "big")
            flight += message(12, vector(prime, 2) + vector(b"\x02", 2) + vector(b"public", 2) + signed)
        elif "EXPORT" in exchange:
            flight += message(12, vector(b"\x80" + bytes(63), 2) + vector(b"\x03", 2) + signed)
        return flight + message(14, b"")

    def choose(self, own: Sequence[int], offered: Sequence[int]) -> int | None:
        """The first in whichever order counts."""
        first, second = (own, offered) if self.order == "server" else (offered, own)
        return next((each for each in first if each in second), None)


def alert(number: int) -> bytes:
    """A fatal alert."""
    return b"\x15\x03\x01\x00\x02\x02" + bytes([number])
