"""ClientHellos against a real TLS server, and the reader of answers against everything else."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probes import hello
from probes.hello import Alert, AnswerReader, HelloError, ServerHello, Unreadable, client_hello
from tests.probes import certificates
from tests.probes.tlsserver import openssl_server

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def record(kind: int, payload: bytes) -> bytes:
    return bytes([kind]) + b"\x03\x03" + struct.pack(">H", len(payload)) + payload


def server_hello(
    code: int = 0x0303, suite: int = 0xC02F, extensions: bytes | None = None, random: bytes = bytes(32)
) -> bytes:
    body = struct.pack(">H", code) + random + b"\x00" + struct.pack(">H", suite) + b"\x00"
    if extensions is not None:
        body += struct.pack(">H", len(extensions)) + extensions
    return b"\x02" + len(body).to_bytes(3, "big") + body


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">HH", kind, len(data)) + data


def read(data: bytes, piece: int = 0) -> hello.HelloAnswer | None:
    reader = AnswerReader()
    answer = None
    for at in range(0, len(data), piece or len(data) or 1):
        answer = reader.feed(data[at : at + (piece or len(data))])
    return answer


# --- building ---------------------------------------------------------------------------------------------------------


class Reader:
    """A second, independent reading of a ClientHello."""

    def __init__(self, data: bytes) -> None:
        kind, self.record_version, length = struct.unpack(">BHH", data[:5])
        assert kind == 22
        assert length == len(data) - 5
        assert data[5] == 1
        body = data[9:]
        assert int.from_bytes(data[6:9], "big") == len(body)
        self.version = int.from_bytes(body[:2], "big")
        at = 34
        at += 1 + body[at]
        suites = int.from_bytes(body[at : at + 2], "big")
        self.suites = struct.unpack(f">{suites // 2}H", body[at + 2 : at + 2 + suites])
        at += 2 + suites
        self.compressions = body[at + 1 : at + 1 + body[at]]
        at += 1 + body[at]
        self.extensions: dict[int, bytes] = {}
        self.has_extensions = at < len(body)
        if self.has_extensions:
            assert int.from_bytes(body[at : at + 2], "big") == len(body) - at - 2
            at += 2
        while at < len(body):
            number, size = struct.unpack(">HH", body[at : at + 4])
            assert number not in self.extensions
            self.extensions[number] = body[at + 4 : at + 4 + size]
            assert len(self.extensions[number]) == size
            at += 4 + size


@pytest.mark.parametrize("version", hello.VERSIONS)
def test_a_hello_is_well_formed(version: hello.Version) -> None:
    data = client_hello(version, "smtp.example.com")
    parsed = Reader(data)
    assert parsed.version == min(hello.CODES[version], 0x0303)
    assert parsed.compressions == b"\x00"
    assert len(set(parsed.suites)) == len(parsed.suites) <= 64
    assert not 256 <= len(data) - 5 < 512, "a length that makes some load balancers hang"
    assert parsed.has_extensions == (version != "SSLv3")
    assert (0x00FF in parsed.suites) == (version == "SSLv3")
    assert (13 in parsed.extensions) == (version in ("TLSv1.2", "TLSv1.3"))
    assert (43 in parsed.extensions) == (51 in parsed.extensions) == (version == "TLSv1.3")
    assert (0x1301 in parsed.suites) == (version == "TLSv1.3")
    assert (0xC02F in parsed.suites) == (version in ("TLSv1.2", "TLSv1.3"))
    assert 0x000A in parsed.suites
    assert 0x0005 in parsed.suites
    assert 0x0003 in parsed.suites, "an export suite"


def test_the_server_name_is_an_a_label_without_its_dot() -> None:
    def name(host: str) -> bytes | None:
        return Reader(client_hello("TLSv1.2", host)).extensions.get(0)

    assert name("Smtp.Example.COM.") == b"\x00\x13\x00\x00\x10smtp.example.com"
    assert name("bücher.example") is not None
    assert b"xn--bcher-kva.example" in (name("bücher.example") or b"")
    for literal in ("192.0.2.1", "2001:db8::1", "[2001:db8::1]", "fe80::1%eth0", ""):
        assert name(literal) is None
    for wrong in ("a" * 64 + ".example", "a..b", ".example", "a b.example", "ü" * 70 + ".example", "x." * 127 + "xx"):
        with pytest.raises(HelloError):
            client_hello("TLSv1.2", wrong)


def test_an_empty_key_share_offers_no_key() -> None:
    assert Reader(client_hello("TLSv1.3", key_share=False)).extensions[51] == b"\x00\x00"
    share = Reader(client_hello("TLSv1.3", random=lambda size: b"\x07" * size)).extensions[51]
    assert share == b"\x00\x24\x00\x1d\x00\x20" + b"\x07" * 32


def test_a_hello_offers_what_it_is_told_to() -> None:
    def parsed(maximum: hello.Version, **what: object) -> Reader:
        return Reader(client_hello(maximum, "smtp.example.com", **what))  # type: ignore[arg-type]

    chosen = parsed("TLSv1.2", offer=(0x0005, 0x000A), groups=(0x0017,), signatures=(0x0401,), compressions=(1, 0))
    assert chosen.suites == (0x0005, 0x000A)
    assert chosen.extensions[10] == b"\x00\x02\x00\x17"
    assert chosen.extensions[13] == b"\x00\x02\x04\x01"
    assert chosen.compressions == b"\x01\x00"
    assert 10 not in parsed("TLSv1.2", groups=()).extensions
    assert parsed("TLSv1.1", fallback=True).suites[-1] == 0x5600
    assert parsed("SSLv3", fallback=True, offer=(0x000A,)).suites == (0x000A, 0x00FF, 0x5600)
    assert parsed("TLSv1.3").extensions[43] == b"\x08\x03\x04\x03\x03\x03\x02\x03\x01"
    assert parsed("TLSv1.3", older=False).extensions[43] == b"\x02\x03\x04"
    # What TLS 1.2 shows in plain text is asked for there alone.
    assert {35, 5} <= set(parsed("TLSv1.2").extensions)
    assert not {35, 5} & set(parsed("TLSv1.1").extensions) | {35, 5} & set(parsed("TLSv1.3").extensions)
    for count in range(1, 60, 3):
        data = client_hello("TLSv1.2", "smtp.example.com", offer=range(1, count))
        assert not 256 <= len(data) - 5 < 512, "a length that makes some load balancers hang"


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [0, 1, 3, 7])
def test_a_server_hello_in_any_pieces(piece: int) -> None:
    old = record(22, server_hello(0x0301, 0x0005))
    assert read(old, piece) == ServerHello("TLSv1.0", 0x0005)
    assert read(record(22, server_hello(0x0300, 0x0004)), piece) == ServerHello("SSLv3", 0x0004)
    new = server_hello(0x0303, 0x1301, extension(43, b"\x03\x04") + extension(51, b"\x00\x1d\x00\x20" + bytes(32)))
    chosen = {43: b"\x03\x04", 51: b"\x00\x1d\x00\x20" + bytes(32)}
    assert read(record(22, new), piece) == ServerHello("TLSv1.3", 0x1301, 0x001D, extensions=chosen)
    # One message over many records, and something after it in the last one.
    message = server_hello(0x0302, 0xC013, extension(0xFF01, b"\x00")) + b"\x0b\x00\x00\x01\x00"
    scattered = b"".join(record(22, message[at : at + 5]) for at in range(0, len(message), 5))
    assert read(scattered, piece) == ServerHello("TLSv1.1", 0xC013, extensions={0xFF01: b"\x00"})


def test_a_hello_retry_request_chooses_too() -> None:
    retry = server_hello(0x0303, 0x1302, extension(43, b"\x03\x04") + extension(51, b"\x11\xec"), random=RETRY)
    assert read(record(22, retry)) == ServerHello(
        "TLSv1.3", 0x1302, 0x11EC, retry=True, extensions={43: b"\x03\x04", 51: b"\x11\xec"}
    )


def test_alerts() -> None:
    answer = read(record(21, b"\x02\x46"))
    assert answer == Alert(2, 70)
    assert isinstance(answer, Alert)
    assert answer.name == "protocol_version"
    assert read(record(21, b"\x02\x28"), 1) == Alert(2, 40)
    # In two records, and a warning-level refusal is a refusal.
    assert read(record(21, b"\x02") + record(21, b"\x47")) == Alert(2, 71)
    assert read(record(21, b"\x01\x28")) == Alert(1, 40)
    unknown = read(record(21, b"\x02\xc8"))
    assert isinstance(unknown, Alert)
    assert unknown.name == "alert 200"


def test_a_warning_does_not_end_the_handshake() -> None:
    reader = AnswerReader()
    assert reader.feed(record(21, b"\x01\x70")) is None
    assert reader.warning == Alert(1, 112)
    assert reader.feed(record(22, b"\x00\x00\x00\x00" + server_hello())) == ServerHello("TLSv1.2", 0xC02F)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"220 mail.example.com ESMTP\r\n", "plaintext"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "plaintext"),
        (b"\x00\x01\x02", "garbage"),
        (b"\xff" * 40, "garbage"),
        (b"\x16\x02\x00\x00\x05hello", "garbage"),
        (record(20, b"\x01"), "garbage"),
        (record(22, b""), "garbage"),
        (b"\x16\x03\x01\xff\xff", "garbage"),
        (record(21, b"\x05\x28"), "garbage"),
        (record(22, b"\x0b\x00\x00\x00"), "garbage"),
        (record(22, server_hello(0x0304)), "garbage"),
        (record(22, server_hello(0x0305)), "garbage"),
        (record(22, server_hello(0x0303, 0x1301, extension(43, b"\x03\x03"))), "garbage"),
        (record(22, server_hello(0x0303, 0x1301, extension(43, b"\x03"))), "garbage"),
        (record(22, server_hello(0x0303, 0x1301, b"\x00")), "garbage"),
        (record(22, server_hello(0x0303, 0x1301, extension(0, b"") + extension(0, b""))), "garbage"),
        (record(22, server_hello(0x0303, random=RETRY)), "garbage"),
        (record(22, b"\x02\x00\x00\x02\x03\x03"), "garbage"),
        (record(22, b"\x02\xff\xff\xff"), "too_long"),
        (record(21, b"\x01\x70") * 6000, "too_long"),
        (record(22, b"\x00\x00\x00\x00" * 4000) * 3, "too_long"),
    ],
)
def test_what_is_no_answer(data: bytes, kind: str) -> None:
    for piece in (0, 1000):
        answer = read(data, piece)
        assert isinstance(answer, Unreadable)
        assert answer.kind == kind
        assert len(answer.excerpt) <= 64


hostile = st.one_of(
    st.binary(max_size=200),
    st.lists(st.builds(record, st.sampled_from([20, 21, 22, 23]), st.binary(max_size=60)), max_size=6).map(b"".join),
    st.builds(lambda body: record(22, b"\x02" + len(body).to_bytes(3, "big") + body), st.binary(max_size=90)),
    st.builds(
        lambda data, at, byte: data[:at] + bytes([byte]) + data[at + 1 :],
        st.just(
            record(22, server_hello(0x0303, 0x1301, extension(43, b"\x03\x04") + extension(51, b"\x00\x1d\x00\x00")))
        ),
        st.integers(0, 60),
        st.integers(0, 255),
    ),
)


@given(hostile, st.integers(1, 40))
@example(b"", 1)
def test_no_bytes_break_the_reader_and_pieces_do_not_matter(data: bytes, piece: int) -> None:
    whole = read(data)
    assert whole is None or isinstance(whole, ServerHello | Alert | Unreadable)
    pieces = read(data, piece)
    if isinstance(whole, Unreadable):
        # How much of the garbage is shown may depend on how it came, and so may the impression that it is text.
        assert isinstance(pieces, Unreadable)
    else:
        assert pieces == whole


@given(st.binary(max_size=120))
def test_a_cut_server_hello_is_never_an_answer(tail: bytes) -> None:
    complete = record(22, server_hello(0x0302, 0xC013, extension(0xFF01, b"\x00")))
    for length in range(len(complete)):
        assert read(complete[:length]) is None
    assert read(complete + tail) == ServerHello("TLSv1.1", 0xC013, extensions={0xFF01: b"\x00"})


def test_memory_stays_bounded() -> None:
    reader = AnswerReader()
    for _ in range(200):
        reader.feed(record(22, b"\x00\x00\x00\x00" * 4000))
    assert isinstance(reader.feed(b""), Unreadable)
    assert len(reader._reader._records) <= hello.MAXIMUM_ANSWER + 1 + 16384


# --- against OpenSSL --------------------------------------------------------------------------------------------------


def ask(
    port: int, maximum: hello.Version, host: str = "localhost", *, key_share: bool = True
) -> hello.HelloAnswer | None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(client_hello(maximum, host, key_share=key_share))
        reader = AnswerReader()
        while data := connection.recv(4096):
            answer = reader.feed(data)
            if answer is not None:
                return answer
    return None


def test_openssl_understands_every_hello() -> None:
    with openssl_server(certificates.localhost(), "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0") as port:
        for version in hello.VERSIONS[1:]:
            answer = ask(port, version)
            assert isinstance(answer, ServerHello), (version, answer)
            assert answer.version == version
            assert answer.suite in hello.suites(version)
        # Debian's OpenSSL has no SSLv3, and says so in an alert (SSLv3 has none named protocol_version).
        answer = ask(port, "SSLv3")
        assert isinstance(answer, Alert)
        assert answer.name == "handshake_failure"


def test_openssl_names_its_group() -> None:
    with openssl_server(certificates.localhost(), "-tls1_3", "-groups", "X25519") as port:
        answer = ask(port, "TLSv1.3")
        assert isinstance(answer, ServerHello)
        assert (answer.group, answer.retry) == (hello.GROUPS["x25519"], False)
        answer = ask(port, "TLSv1.2")
        assert isinstance(answer, Alert)
        assert answer.name == "protocol_version"
    with openssl_server(certificates.localhost(), "-tls1_3", "-groups", "P-384") as port:
        for key_share in (True, False):
            answer = ask(port, "TLSv1.3", key_share=key_share)
            assert isinstance(answer, ServerHello)
            assert (answer.group, answer.retry) == (hello.GROUPS["secp384r1"], True)
