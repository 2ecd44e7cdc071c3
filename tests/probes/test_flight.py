"""The plain-text flight of TLS 1.2 and older: read from scripted bytes, from mutated ones, and from OpenSSL."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from probes import flight, hello
from probes.flight import Flight, FlightAnswer, FlightReader, KeyExchange, ask_flight
from probes.hello import Alert, ServerHello, Unreadable, client_hello
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import Network, Surroundings
from tests.probes import certificates as zoo
from tests.probes.loopback import options, reset, scripted
from tests.probes.test_hello import extension, record, server_hello
from tests.probes.tlsserver import openssl_server, prime

ECDHE_RSA, DHE_RSA, RSA, DH_ANON, RSA_EXPORT = 0xC02F, 0x009E, 0x002F, 0x0034, 0x0003


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def certificates(*chain: bytes) -> bytes:
    return message(11, vector(b"".join(vector(each, 3) for each in chain), 3))


def staple(response: bytes) -> bytes:
    return message(22, b"\x01" + vector(response, 3))


def curve(group: int, scheme: int | None = 0x0804) -> bytes:
    signed = b"" if scheme is None else struct.pack(">H", scheme)
    return message(12, b"\x03" + struct.pack(">H", group) + vector(b"\x04" * 65, 1) + signed + vector(b"s" * 256, 2))


def field(bits: int, after: bytes = b"\x08\x04\x00\x01s") -> bytes:
    prime = (1 << (bits - 1) | 1).to_bytes((bits + 7) // 8, "big")
    return message(12, vector(prime, 2) + vector(b"\x02", 2) + vector(b"y" * 128, 2) + after)


DONE = message(14, b"")
WHOLE = server_hello(0x0303, ECDHE_RSA) + certificates(b"leaf", b"above") + staple(b"ocsp") + curve(0x001D) + DONE


def read(data: bytes, piece: int = 0) -> FlightAnswer | None:
    reader = FlightReader()
    answer = None
    for at in range(0, len(data), piece or len(data) or 1):
        answer = reader.feed(data[at : at + (piece or len(data))])
    return answer


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("fragment", [len(WHOLE), 5, 60])
def test_a_flight_in_any_records_and_pieces(piece: int, fragment: int) -> None:
    data = b"".join(record(22, WHOLE[at : at + fragment]) for at in range(0, len(WHOLE), fragment))
    assert read(data, piece) == Flight(
        ServerHello("TLSv1.2", ECDHE_RSA),
        (b"leaf", b"above"),
        b"ocsp",
        KeyExchange("named_curve", group=0x001D, signature=0x0804, signed=True),
    )
    for length in range(0, len(data), 11):
        assert read(data[:length]) is None


@pytest.mark.parametrize(
    ("code", "suite", "exchange", "expected"),
    [
        (0x0303, DHE_RSA, field(2048), KeyExchange("finite_field", bits=2048, signature=0x0804, signed=True)),
        (0x0301, DHE_RSA, field(1024, b"\x00\x01s"), KeyExchange("finite_field", bits=1024, signed=True)),
        (0x0303, DH_ANON, field(1023, b""), KeyExchange("finite_field", bits=1023)),
        (0x0301, ECDHE_RSA, curve(0x0017, None), KeyExchange("named_curve", group=0x0017, signed=True)),
        (
            0x0301,
            RSA_EXPORT,
            message(12, vector(b"\x80" + bytes(63), 2) + vector(b"\x03", 2) + b"\x00\x01s"),
            KeyExchange("rsa", bits=512, signed=True),
        ),
        (
            0x0302,
            ECDHE_RSA,
            message(12, b"\x01" + vector(b"\x80" + bytes(19), 1) + vector(b"x", 1) * 6 + b"\x00\x01s"),
            KeyExchange("own_curve", bits=160, signed=True),
        ),
        (0x0303, RSA, b"", None),
        (0x0303, 0xC035, message(12, b"what a shared secret needs"), None),
    ],
)
def test_key_exchanges(code: int, suite: int, exchange: bytes, expected: KeyExchange | None) -> None:
    answer = read(record(22, server_hello(code, suite) + certificates(b"leaf") + exchange + DONE))
    assert isinstance(answer, Flight)
    assert answer.complete
    assert answer.key_exchange == expected


@pytest.mark.parametrize(
    "rest",
    [
        message(11, b""),
        message(11, vector(b"", 3)),
        message(11, vector(vector(b"", 3), 3)),
        message(11, vector(vector(b"x", 3), 3) + b"more"),
        message(11, vector(vector(b"x", 3) * (flight.MAXIMUM_CHAIN + 1), 3)),
        message(11, b"\x00\x00\x09\x00\x00\x09x"),
        certificates(b"leaf") * 2,
        staple(b""),
        message(22, b"\x02" + vector(b"ocsp", 3)),
        message(12, b""),
        message(12, b"\x03\x00\x1d\x01x\x08\x04"),
        message(12, b"\x02\x00\x1d\x01x\x08\x04\x00\x01s"),
        curve(0x001D) + curve(0x001D),
        message(14, b"x"),
        message(2, b""),
        message(20, b""),
        message(11, b"")[:1] + b"\xff\xff\xff",
    ],
)
def test_what_is_malformed_after_the_hello_leaves_the_hello(rest: bytes) -> None:
    answer = read(record(22, server_hello(0x0303, ECDHE_RSA) + rest + DONE))
    assert isinstance(answer, Flight)
    assert answer.hello == ServerHello("TLSv1.2", ECDHE_RSA)
    assert isinstance(answer.problem, Unreadable)


def test_an_alert_before_and_after_the_hello() -> None:
    assert read(record(21, b"\x02\x28")) == Alert(2, 40)
    answer = read(record(22, server_hello()) + record(21, b"\x02\x50"))
    assert answer == Flight(ServerHello("TLSv1.2", 0xC02F), problem=Alert(2, 80))


def test_tls_1_3_ends_with_its_hello() -> None:
    chosen = server_hello(0x0303, 0x1301, extension(43, b"\x03\x04"))
    answer = read(record(22, chosen) + record(23, b"secret"))
    assert isinstance(answer, Flight)
    assert answer.complete
    assert (answer.hello.version, answer.chain) == ("TLSv1.3", ())


def test_an_endless_flight_is_cut() -> None:
    reader = FlightReader()
    answer = reader.feed(record(22, server_hello()))
    for _ in range(200):
        answer = reader.feed(record(22, b"\x00\x00\x00\x00" * 4000))
    assert isinstance(answer, Flight)
    assert isinstance(answer.problem, Unreadable)
    assert answer.problem.kind == "too_long"
    assert len(reader._reader._records) <= flight.MAXIMUM_FLIGHT + 16384


mutated = st.builds(
    lambda at, byte, cut, tail: (WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])[: len(WHOLE) - cut] + tail,
    st.integers(0, len(WHOLE) - 1),
    st.integers(0, 255),
    st.integers(0, 40),
    st.binary(max_size=20),
)
noise = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda data: record(22, data), mutated),
    st.builds(lambda data: record(22, server_hello(0x0303, ECDHE_RSA) + data), st.binary(min_size=1, max_size=80)),
    st.builds(
        lambda suite, kind, body: record(22, server_hello(0x0301, suite) + message(kind, body)),
        st.integers(0, 0xFFFF),
        st.integers(0, 24),
        st.binary(max_size=60),
    ),
)


@given(noise, st.integers(1, 40))
def test_no_bytes_break_the_reader(data: bytes, piece: int) -> None:
    whole, pieces = read(data), read(data, piece)
    if isinstance(whole, Unreadable):
        assert isinstance(pieces, Unreadable)
    else:
        assert whole is None or isinstance(whole, Flight | Alert)
        if isinstance(whole, Flight) and isinstance(whole.problem, Unreadable):
            assert isinstance(pieces, Flight)
            assert isinstance(pieces.problem, Unreadable)
            pieces = Flight(pieces.hello, pieces.chain, pieces.staple, pieces.key_exchange, whole.problem)
        assert pieces == whole
    if isinstance(whole, Flight):
        for found in (*whole.chain, whole.staple or b""):
            assert found in data, "nothing is made up"
        assert flight.describe(whole).isprintable()


def test_names() -> None:
    names = {flight.signature_name(each) for each in (0x0401, 0x0203, 0x0804, 0x0807, 0x0202, 0x0101)}
    assert names == {"rsa_pkcs1_sha256", "ecdsa_sha1", "rsa_pss_rsae_sha256", "ed25519", "dsa_sha1", "rsa_pkcs1_md5"}
    assert flight.signature_name(0x0904) == "0x0904"
    assert flight.group_name(0x11EC) == "X25519MLKEM768"
    assert flight.group_name(0x1A1A) == "0x1A1A"


# --- on a connection --------------------------------------------------------------------------------------------------


async def ask(port: int, *, offer: tuple[int, ...] | None = None, signatures: tuple[int, ...] | None = None) -> object:
    endpoint = Endpoint("api", url=f"https://localhost:{port}/")
    chosen = options()
    surroundings = Surroundings(chosen, port_25_references=())
    try:
        async with Network(endpoint, chosen, surroundings) as network:
            data = client_hello("TLSv1.2", "localhost", offer=offer, signatures=signatures)
            return await ask_flight(endpoint, network, data)
    finally:
        await surroundings.close()


@contextlib.asynccontextmanager
async def saying(data: bytes, end: str) -> AsyncIterator[int]:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readexactly(5)
        await reader.readexactly(int.from_bytes(header[3:5], "big"))
        writer.write(data)
        await writer.drain()
        if end == "silence":
            await asyncio.sleep(30)
        if end == "reset":
            await asyncio.sleep(0.1)  # what was sent is read first
            reset(writer)

    async with scripted(serve) as state:
        yield state.port


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("close", Cause.CONNECTION_RESET),
        ("reset", Cause.CONNECTION_RESET),
        ("silence", Cause.DEADLINE_EXCEEDED),
    ],
)
async def test_a_flight_that_is_cut_off(end: str, cause: Cause) -> None:
    async with saying(record(22, server_hello(0x0303, ECDHE_RSA) + certificates(b"leaf")), end) as port:
        answer = await ask(port)
    assert isinstance(answer, Flight)
    assert answer.chain == (b"leaf",)
    assert isinstance(answer.problem, Unmeasured)
    assert answer.problem.cause is cause
    async with saying(b"", end) as port:
        nothing = await ask(port)
    assert isinstance(nothing, Unmeasured)
    assert nothing.cause is cause


async def test_openssl_shows_the_chain_of_each_kind_of_key() -> None:
    rsa, ecdsa = zoo.localhost(), zoo.save(zoo.issue(zoo.intermediate(), ["localhost"]))
    second = ("-dcert", str(ecdsa.chain), "-dkey", str(ecdsa.key), "-dcert_chain", str(ecdsa.above))
    with openssl_server(rsa, *second, "-tls1_2") as port:
        by_rsa = await ask(port, offer=(0xC030, 0xC02F), signatures=(0x0804, 0x0401))
        by_ecdsa = await ask(port, offer=(0xC02C, 0xC02B), signatures=(0x0403, 0x0503))
        neither = await ask(port, offer=(0x00A2,))
    for answer, served, scheme in ((by_rsa, rsa, 0x0804), (by_ecdsa, ecdsa, 0x0403)):
        assert isinstance(answer, Flight)
        assert answer.complete
        first = x509.load_pem_x509_certificates(served.chain.read_bytes())
        assert answer.chain == tuple(each.public_bytes(serialization.Encoding.DER) for each in first)
        assert answer.key_exchange == KeyExchange(
            "named_curve", group=hello.GROUPS["x25519"], signature=scheme, signed=True
        )
    assert neither == Alert(2, 40)


@pytest.mark.parametrize("bits", [2048, 3072])
async def test_openssl_shows_its_prime(bits: int) -> None:
    with openssl_server(zoo.localhost(), "-tls1_2", "-dhparam", str(prime(f"ffdhe{bits}"))) as port:
        answer = await ask(port, offer=(DHE_RSA,), signatures=(0x0401,))
    assert isinstance(answer, Flight)
    assert answer.key_exchange == KeyExchange("finite_field", bits=bits, signature=0x0401, signed=True)
