"""What a server says in plain text after its ServerHello: certificate chain, OCSP staple, key exchange.

Up to TLS 1.2 the server's first flight is not encrypted (RFC 5246 §7.3), so that one ClientHello is enough to see the
chain that belongs to a kind of certificate and the group, the prime and the signature that belong to a key exchange.
TLS 1.3 encrypts all of that: there a flight holds the ServerHello alone.

Wire format: RFC 5246 §7.4.2 (Certificate), RFC 6066 §8 (CertificateStatus), RFC 5246 §7.4.3 and RFC 8422 §5.4
(ServerKeyExchange). Whatever a server sends becomes a ``Flight``, an ``Alert`` or an ``Unreadable``; nothing raises on
hostile bytes.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from probes import ciphers
from probes.hello import CODES, GROUP_NAMES, Alert, Cursor, RecordReader, ServerHello, Unreadable, Version, server_hello
from probes.model import Cause, Endpoint, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Network

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MAXIMUM_FLIGHT = 64 * 1024
"""Bytes of a flight that are looked at."""
MAXIMUM_CHAIN = 32
"""Certificates of a chain that are looked at."""
_PIECE = 4096

SIGNATURES: dict[int, str] = {
    0x0804: "rsa_pss_rsae_sha256", 0x0805: "rsa_pss_rsae_sha384", 0x0806: "rsa_pss_rsae_sha512", 0x0807: "ed25519",
    0x0808: "ed448", 0x0809: "rsa_pss_pss_sha256", 0x080A: "rsa_pss_pss_sha384", 0x080B: "rsa_pss_pss_sha512",
}  # fmt: skip
"""IANA registry "TLS SignatureScheme", those that are no pair of a hash and a signature as in TLS 1.2."""
_HASHES = {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}
_SIGNERS = {1: "rsa_pkcs1", 2: "dsa", 3: "ecdsa"}


@dataclasses.dataclass(frozen=True, slots=True)
class KeyExchange:
    """A ServerKeyExchange. ``kind``: named curve, own curve, finite field or the short RSA key of an export suite.
    ``group``: IANA number of a named curve. ``bits``: size of the prime or the RSA modulus. ``signature``: IANA number
    of the signature scheme, which TLS 1.2 alone says. ``signed``: whether there is a signature at all."""

    kind: Literal["named_curve", "own_curve", "finite_field", "rsa"]
    group: int | None = None
    bits: int | None = None
    signature: int | None = None
    signed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Flight:
    """A server's first flight, as far as it could be read. ``chain``: DER, as served; () without a Certificate message.
    ``staple``: the OCSP response of CertificateStatus, DER. ``key_exchange``: None when there was none, as with RSA key
    exchange, or in a form that is unknown. ``problem``: what ended it before ServerHelloDone; None when it is complete
    (and always for TLS 1.3, whose flight ends with the ServerHello here)."""

    hello: ServerHello
    chain: tuple[bytes, ...] = ()
    staple: bytes | None = None
    key_exchange: KeyExchange | None = None
    problem: Alert | Unreadable | Unmeasured | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, so that what is not there was not sent."""
        return self.problem is None


FlightAnswer = Flight | Alert | Unreadable


def signature_name(scheme: int) -> str:
    """The IANA name of a signature scheme, such as ``rsa_pss_rsae_sha256`` or ``ecdsa_sha1``; its number when there is
    none."""
    high, low = scheme >> 8, scheme & 0xFF
    if scheme in SIGNATURES:
        return SIGNATURES[scheme]
    if high in _HASHES and low in _SIGNERS:
        return f"{_SIGNERS[low]}_{_HASHES[high]}"
    return f"0x{scheme:04X}"


def group_name(number: int) -> str:
    """The IANA name of a group; its number when there is none."""
    return GROUP_NAMES.get(number, f"0x{number:04X}")


class FlightReader:
    """Reads the answer to a ClientHello and what follows it, in whatever pieces and records.

    ``feed`` returns the flight once it has ended, or what came instead of it; None as long as it goes on. Never raises
    and keeps no more than ``MAXIMUM_FLIGHT`` bytes and a record.
    """

    def __init__(self) -> None:
        self._reader = RecordReader(MAXIMUM_FLIGHT)
        self._flight: Flight | None = None
        self._answer: FlightAnswer | None = None

    @property
    def received(self) -> int:
        """How many bytes came in all."""
        return self._reader.received

    @property
    def warning(self) -> Alert | None:
        """The last warning alert that was passed over, such as unrecognized_name."""
        return self._reader.warning

    def feed(self, data: bytes) -> FlightAnswer | None:
        """Take the next bytes."""
        if self._answer is None:
            self._reader.feed(data)
            while self._answer is None:
                found = self._reader.next()
                if found is None:
                    break
                self._take(found)
            if self._answer is None and self.received > MAXIMUM_FLIGHT:
                self._end(Unreadable("too_long", f"no end of the first flight in {MAXIMUM_FLIGHT} bytes"))
        return self._answer

    def cut_off(self, reason: Unmeasured) -> Flight | None:
        """There are no more bytes: the flight so far, or None when not even a ServerHello came."""
        if self._answer is None and self._flight is not None:
            self._end(reason)
        return self._answer if isinstance(self._answer, Flight) else None

    def _end(self, problem: Alert | Unreadable | Unmeasured | None) -> None:
        if self._flight is not None:
            self._answer = dataclasses.replace(self._flight, problem=problem)
        elif isinstance(problem, Alert | Unreadable):
            self._answer = problem

    def _take(self, found: tuple[int, bytes] | Alert | Unreadable) -> None:
        if not isinstance(found, tuple):
            self._end(found)
            return
        kind, body = found
        if self._flight is None:
            hello = server_hello(body) if kind == 2 else _misplaced(kind, "a ServerHello")
            if isinstance(hello, Unreadable):
                self._end(hello)
                return
            self._flight = Flight(hello)
            if hello.version == "TLSv1.3":
                self._end(None)
            return
        flight, hello = self._flight, self._flight.hello
        broken = Unreadable("garbage", f"a malformed handshake message {kind}")
        match kind:
            case 11 if not flight.chain:
                chain = _certificates(body)
                self._flight = dataclasses.replace(flight, chain=chain or ())
                if chain is None:
                    self._end(broken)
            case 22 if flight.staple is None:
                staple = _status(body)
                self._flight = dataclasses.replace(flight, staple=staple)
                if staple is None:
                    self._end(broken)
            case 12 if flight.key_exchange is None:
                exchange = _key_exchange(body, hello)
                if isinstance(exchange, Unreadable):
                    self._end(exchange)
                else:
                    self._flight = dataclasses.replace(flight, key_exchange=exchange)
            case 13 | 4:  # CertificateRequest; a NewSessionTicket has no place here and does no harm
                pass
            case 14:
                self._end(None if not body else broken)
            case _:
                self._end(_misplaced(kind, "the rest of the first flight"))


def _misplaced(kind: int, wanted: str) -> Unreadable:
    return Unreadable("garbage", f"handshake message {kind} instead of {wanted}")


def _certificates(body: bytes) -> tuple[bytes, ...] | None:
    """RFC 5246 §7.4.2; None when malformed. An empty list is no chain a server may send."""
    cursor = Cursor(body)
    listed = cursor.vector(3)
    if not listed or cursor.left:
        return None
    inner = Cursor(listed)
    chain: list[bytes] = []
    while inner.left:
        certificate = inner.vector(3)
        if not certificate or len(chain) == MAXIMUM_CHAIN:
            return None
        chain.append(certificate)
    return tuple(chain)


def _status(body: bytes) -> bytes | None:
    """The OCSP response of a CertificateStatus, RFC 6066 §8; None when malformed or of another type."""
    cursor = Cursor(body)
    if cursor.number(1) != 1:
        return None
    response = cursor.vector(3)
    return response if response and not cursor.left else None


def _key_exchange(body: bytes, hello: ServerHello) -> KeyExchange | Unreadable | None:
    """None for suites whose parameters have a form that is unknown here (shared secrets, unknown suites)."""
    exchange = ciphers.key_exchange(hello.suite)
    cursor = Cursor(body)
    if exchange.startswith(("ECDHE_", "ECDH_anon")) and "PSK" not in exchange:
        found = _curve(cursor)
    elif exchange.startswith(("DHE_", "DH_anon")) and "PSK" not in exchange:
        prime, generator, public = cursor.vector(2), cursor.vector(2), cursor.vector(2)
        found = KeyExchange("finite_field", bits=_bits(prime)) if prime and generator and public else None
    elif exchange.startswith("RSA_EXPORT"):
        modulus, exponent = cursor.vector(2), cursor.vector(2)
        found = KeyExchange("rsa", bits=_bits(modulus)) if modulus and exponent else None
    else:
        return None
    broken = Unreadable("garbage", "a malformed ServerKeyExchange")
    if found is None:
        return broken
    if "_anon" in exchange:
        return found if not cursor.left else broken
    scheme = cursor.number(2) if CODES[hello.version] >= CODES["TLSv1.2"] else None
    signature = cursor.vector(2)
    if not signature or cursor.left:
        return broken
    return dataclasses.replace(found, signature=scheme, signed=True)


def _curve(cursor: Cursor) -> KeyExchange | None:
    """ECParameters and the public point, RFC 8422 §5.4 and, for curves of the server's own, RFC 4492 §5.4."""
    kind = cursor.number(1)
    if kind == 3:
        group, point = cursor.number(2), cursor.vector(1)
        return KeyExchange("named_curve", group=group) if group is not None and point else None
    if kind == 1:
        prime = cursor.vector(1)
        fields = [cursor.vector(1) for _ in ("a", "b", "base", "order", "cofactor", "point")]
        return KeyExchange("own_curve", bits=_bits(prime)) if prime and all(fields) else None
    return None


def _bits(number: bytes) -> int:
    return int.from_bytes(number, "big").bit_length()


class AnswerTaker(Protocol[T_co]):
    """Something that takes bytes until they make an answer."""

    @property
    def received(self) -> int:
        """How many bytes came in all."""
        ...

    @property
    def warning(self) -> Alert | None:
        """The last warning alert that was passed over."""
        ...

    def feed(self, data: bytes) -> T_co | None:
        """Take the next bytes; the answer when it is complete."""
        ...


class HungUp(Unmeasured):
    """The server closed or reset the connection on a hello, without one byte of an answer."""


async def ask_flight(
    endpoint: Endpoint, network: Network, hello: bytes, shown: str = "(ClientHello)"
) -> FlightAnswer | Unmeasured:
    """Send one ClientHello on a connection of its own and read the flight that answers it; ``Unmeasured`` when nothing
    came that could be read as an answer. What came before the end is a ``Flight`` with a ``problem``. ``shown`` stands
    in the transcript for the hello.

    Raises ``Unmeasured`` when no hello could be sent: that is no answer to this hello.
    """
    reader = FlightReader()
    answer: FlightAnswer | Unmeasured = await ask(endpoint, network, hello, reader, describe, shown)
    return (reader.cut_off(answer) or answer) if isinstance(answer, Unmeasured) else answer


async def ask(
    endpoint: Endpoint,
    network: Network,
    hello: bytes,
    reader: AnswerTaker[T],
    describe: Callable[[T], str],
    shown: str,
) -> T | Unmeasured:
    """Send a hello of any kind on a connection of its own, and give its ``reader`` what comes until that has an answer;
    ``Unmeasured`` when it has none at the end. ``describe`` makes a line of the transcript of the answer.

    Raises ``Unmeasured`` when no hello could be sent.
    """
    from probes.upgrade import ready_for_tls

    connection = await ready_for_tls(endpoint, network)
    loop = asyncio.get_running_loop()
    until = loop.time() + network.options.limits.read_timeout  # for the whole answer, however it trickles in
    try:
        await connection.send(hello, shown=shown)
        answer: T | None = None
        while answer is None:
            data = await connection.receive(_PIECE, max(0.0, until - loop.time()))
            if not data:
                said = f"only a warning {reader.warning.name}" if reader.warning else "without an alert"
                after = f" after {reader.received} bytes" if reader.received else ""
                raise Unmeasured(Cause.CONNECTION_RESET, f"closed {said}{after}")
            answer = reader.feed(data)
    except Unmeasured as reason:
        network.note(reason.detail, connection.number)
        silent = reason.cause is Cause.CONNECTION_RESET and not reader.received
        return HungUp(reason.cause, reason.detail) if silent else reason
    finally:
        await connection.close()
    network.note(describe(answer), connection.number)
    return answer


def describe(answer: FlightAnswer | Unmeasured) -> str:
    """An answer as a line of the transcript."""
    match answer:
        case Flight():
            hello = answer.hello
            kind = "HelloRetryRequest" if hello.retry else "ServerHello"
            parts = [f"{kind} {hello.version}", ciphers.name(hello.suite)]
            parts += [f"group {group_name(hello.group)}"] if hello.group is not None else []
            parts += [f"compression {hello.compression}"] if hello.compression else []
            parts += [f"{len(answer.chain)} certificates"] if answer.chain else []
            parts += [_shown_exchange(answer.key_exchange)] if answer.key_exchange else []
            parts += [f"cut short: {describe_problem(answer.problem)}"] if answer.problem else []
            return ", ".join(parts)
        case _:
            return describe_problem(answer)


def describe_problem(problem: Alert | Unreadable | Unmeasured) -> str:
    """What came instead of an answer, as one printable line."""
    match problem:
        case Alert():
            return f"alert {problem.name}"
        case Unreadable():
            return f"{problem.why}: {printable(problem.excerpt, 60)!r}" if problem.excerpt else problem.why
        case _:
            return problem.detail


def _shown_exchange(exchange: KeyExchange) -> str:
    named = group_name(exchange.group) if exchange.group is not None else f"{exchange.kind} of {exchange.bits} bits"
    return f"{named} signed {signature_name(exchange.signature)}" if exchange.signature is not None else named


def hello_shown(maximum: Version, what: str = "") -> str:
    """A ClientHello as it stands in the transcript."""
    return f"(ClientHello of at most {maximum}{', ' + what if what else ''})"
