"""The network: what ends a wait and by which cause, what is dialled and what is refused, manners, TLS, DNS, HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import errno
import ipaddress
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

import probes.network
from probes.addresses import blocked_reason, host_name, split_url
from probes.connection import BUFFER_BYTES, Connection, Wire, connect, handshake_ms
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import Limits, Network, Options, Surroundings
from probes.suites import iana_name
from tests import needs
from tests.hostile.server import (
    Alert,
    Close,
    CloseNotify,
    Drip,
    Expect,
    Flood,
    HalfClose,
    Pause,
    Raw,
    ReadRecord,
    Reset,
    Script,
    Send,
    Server,
    Silence,
    StartTLS,
    Step,
    authority,
    serve,
)
from tests.leaping import leaping
from tests.probes.dnsserver import name_server, txt

LIMITS = Limits(
    deadline=5, connect_timeout=1, greeting_timeout=0.3, greeting_timeout_mx=0.4, read_timeout=0.3, dns_timeout=0.6,
    spacing_mx=0.0,
)  # fmt: skip
OPTIONS = Options(limits=LIMITS, allow_private=True)


def submission(port: int, host: str = "127.0.0.1") -> Endpoint:
    return Endpoint("submission", host=host, port=port)


def limited(options: Options = OPTIONS, **limits: Any) -> Options:
    return dataclasses.replace(options, limits=dataclasses.replace(options.limits, **limits))


@contextlib.asynccontextmanager
async def dialled(*script: Step, options: Options = OPTIONS) -> AsyncIterator[tuple[Connection, Server, Network]]:
    async with serve(tuple(script)) as server, Network(submission(server.port), options) as network:
        yield await network.dial("127.0.0.1", server.port), server, network


@contextlib.contextmanager
def unmeasured(cause: Cause, words: str = "") -> Any:
    with pytest.raises(Unmeasured) as problem:
        yield
    assert problem.value.cause is cause
    assert words in problem.value.detail


# --- one connection ---------------------------------------------------------------------------------------------------


async def test_a_dialogue_of_lines_and_replies() -> None:
    async with dialled(
        Send(b"220-teaser\n220 mx ESMTP\r\n"), Expect(b"EHLO me"), Send(b"250-mx\r\n250 STARTTLS\r\nleft"), Silence()
    ) as (connection, _, network):
        greeting = await connection.read_reply()
        assert (greeting.code, greeting.lines) == (220, (b"teaser", b"mx ESMTP"))
        assert connection.buffered == b""
        await connection.send_line("EHLO me")
        assert (await connection.read_reply()).lines == (b"mx", b"STARTTLS")
        await asyncio.sleep(0.01)
        assert connection.buffered == b"left"
        assert [(step.direction, step.text, step.connection) for step in network.transcript[1:]] == [
            ("in", "220-teaser", 1),
            ("in", "220 mx ESMTP", 1),
            ("out", "EHLO me", 1),
            ("in", "250-mx", 1),
            ("in", "250 STARTTLS", 1),
        ]
        assert connection.address == "127.0.0.1"
        assert connection.local_address == "127.0.0.1"
        assert connection.connect_ms > 0


@leaping
async def test_each_wait_ends_at_its_own_time_whatever_those_before_it_were_given() -> None:
    async with dialled(Silence(), options=limited(deadline=1000)) as (connection, _, _):
        wire, loop = connection._wire, asyncio.get_running_loop()
        for seconds in (100, 20, 40, 30):
            began = loop.time()
            with pytest.raises(TimeoutError):
                await wire.changed(began + seconds)
            assert seconds <= loop.time() - began < seconds + 10
        waiting = asyncio.create_task(wire.changed(loop.time() + 50))
        await asyncio.sleep(0)
        waiting.cancel()  # its alarm stays, for the next wait
        await asyncio.wait({waiting})
        began = loop.time()
        for seconds in (70, 10):
            with pytest.raises(TimeoutError):
                await wire.changed(began + seconds)
            assert began + seconds <= loop.time()
        assert loop.time() - began < 80, "a time that is past ends the wait at once"
        connection.abort()
        await connection.close()
        assert wire._alarm is None, "nothing is left that would keep what is closed in memory"


@pytest.mark.parametrize(
    ("script", "cause", "words"),
    [
        ((Silence(),), Cause.GREETING_TIMEOUT, ""),
        ((Send(b"220-mx\r\n"), Silence()), Cause.GREETING_TIMEOUT, ""),
        ((Drip(b"220 mx ESMTP and so on\r\n", 0.1), Silence()), Cause.GREETING_TIMEOUT, ""),
        ((Close(),), Cause.CONNECTION_RESET, "closed"),
        ((Send(b"220 mx"), Close()), Cause.CONNECTION_RESET, "middle of a line"),
        ((Send(b"220-mx\r\n"), HalfClose(), Silence()), Cause.CONNECTION_RESET, "closed"),
        ((Pause(0.05), Reset()), Cause.CONNECTION_RESET, "reset"),
        ((Flood(b"220-more\r\n"),), Cause.REPLY_TOO_LONG, "64 lines"),
        ((Flood(b"220-" + b"x" * 1000 + b"\r\n"),), Cause.REPLY_TOO_LONG, "16384 bytes"),
        ((Flood(b"x" * 1000),), Cause.REPLY_TOO_LONG, "a line"),
        ((Send(b"220 " + b"x" * (1 << 20) + b"\r\n"), Silence()), Cause.REPLY_TOO_LONG, "a line"),
        ((Send(b"SSH-2.0-OpenSSH_9.2\r\n"), Silence()), Cause.PROTOCOL_ERROR, "SSH-2.0"),
    ],
)
async def test_what_ends_the_wait_for_a_greeting(script: Script, cause: Cause, words: str) -> None:
    async with dialled(*script) as (connection, _, _):
        began = time.monotonic()
        with unmeasured(cause, words):
            await connection.read_reply()
        assert time.monotonic() - began < 1


async def test_after_the_greeting_a_slow_reply_ends_at_the_read_timeout_and_says_what_it_waited_for() -> None:
    script = (Send(b"220 mx\r\n"), Expect(b"NOOP"), Drip(b"250-a\r\n" * 20, 0.02), Silence())
    async with dialled(*script) as (connection, _, _):
        await connection.read_reply()
        await connection.send_line("NOOP")
        began = time.monotonic()
        with unmeasured(Cause.DEADLINE_EXCEEDED, "waiting for a reply"):
            await connection.read_reply()
        assert 0.25 < time.monotonic() - began < 0.6


async def test_the_deadline_cuts_every_step_short() -> None:
    options = limited(deadline=0.2, greeting_timeout=30, read_timeout=30)
    async with dialled(Silence(), options=options) as (connection, _, network):
        began = time.monotonic()
        with unmeasured(Cause.DEADLINE_EXCEEDED, "deadline"):
            await connection.read_reply()
        assert time.monotonic() - began < 0.4
        assert network.remaining == 0
        with unmeasured(Cause.DEADLINE_EXCEEDED):
            await connection.receive()


async def test_a_step_bounds_all_its_reads_together() -> None:
    script = (Send(b"* OK\r\n"), Pause(0.2), Send(b"* one\r\n"), Pause(0.2), Send(b"* two\r\n"), Silence())
    async with dialled(*script) as (connection, _, _):
        await connection.read_line()
        with unmeasured(Cause.DEADLINE_EXCEEDED), connection.step():
            while True:
                await connection.read_line()


async def test_an_mx_has_longer_to_greet() -> None:
    async with (
        serve((Pause(0.35), Send(b"220 mx\r\n"), Silence())) as server,
        Network(Endpoint("mx", host="127.0.0.1", port=server.port), OPTIONS) as network,
        await network.dial("127.0.0.1", server.port) as connection,
    ):
        assert (await connection.read_reply()).code == 220


async def test_a_flood_nobody_reads_stays_outside() -> None:
    async with dialled(Flood(b"x" * 8192, at_most=64 << 20)) as (connection, server, _):
        await asyncio.sleep(0.3)
        assert BUFFER_BYTES <= len(connection.buffered) < BUFFER_BYTES + 16 * 1024 + 1
        assert not server.sessions[0].finished
        received = 0
        while received < 1 << 20:  # and reading goes on where it stopped
            received += len(await connection.receive(65536))


async def test_bytes_before_the_end_of_stream_are_readable_and_we_may_still_send() -> None:
    async with dialled(Send(b"last words"), HalfClose(), Expect(b"BYE"), Close()) as (connection, server, _):
        assert await connection.receive() == b"last words"
        assert await connection.receive() == b""
        assert connection.ended
        await connection.send_line("BYE")
        await asyncio.sleep(0.05)
        assert server.sessions[0].lines == [b"BYE"]


async def test_sending_after_a_reset_is_a_cause() -> None:
    async with dialled(Reset()) as (connection, _, _):
        await asyncio.sleep(0.05)
        with unmeasured(Cause.CONNECTION_RESET):
            await connection.send_line("EHLO me")


async def test_a_peer_that_reads_nothing_does_not_hold_us() -> None:
    async with dialled(Pause(2)) as (connection, _, _):
        with unmeasured(Cause.DEADLINE_EXCEEDED, "sending"):
            await connection.send(b"x" * (32 << 20), shown="much")


async def test_counted_bytes_are_read_exactly_and_not_beyond_the_cap() -> None:
    async with dialled(Send(b"abc\r\ndef"), Close()) as (connection, _, _):
        assert await connection.read_exactly(5) == b"abc\r\n"
        with unmeasured(Cause.REPLY_TOO_LONG, "20000 bytes"):
            await connection.read_exactly(20000)
        with unmeasured(Cause.CONNECTION_RESET, "middle of a reply"):
            await connection.read_exactly(4)


async def test_a_line_with_a_line_end_in_it_is_not_sent() -> None:
    async with dialled(Silence()) as (connection, _, network):
        for line in ("EHLO me\r\nMAIL FROM:<>", "a\nb", "a\rb"):
            with pytest.raises(ValueError, match="line ends"):
                await connection.send_line(line)
        assert [step for step in network.transcript if step.direction == "out"] == []


async def test_the_transcript_is_escaped_capped_and_without_secrets() -> None:
    options = limited(transcript_steps=5, transcript_text=20)
    script = (
        Send(b"220 \x1b[2J\x07h\xf6st\r\n"),
        Expect(),
        Send(b"250 " + b"y" * 100 + b"\r\n" + b"250 z\r\n" * 9),
        Silence(),
    )
    async with dialled(*script, options=options) as (connection, server, network):
        await connection.read_reply()
        await connection.send_line("AUTH PLAIN c2VjcmV0", shown="AUTH PLAIN …")
        for _ in range(10):
            await connection.read_reply()
        texts = [step.text for step in network.transcript]
        assert texts[1] == "220 \\x1b[2J\\x07h\\xf6…"
        assert texts[2] == "AUTH PLAIN \\xe2\\x80\\…"
        assert server.sessions[0].lines == [b"AUTH PLAIN c2VjcmV0"]
        assert not any("c2VjcmV0" in text for text in texts)
        assert texts[3] == "250 yyyyyyyyyyyyyyyy…"
        assert len(texts) == 6
        assert "full" in texts[-1]
        assert all(len(text) <= 60 and text.replace("…", "").isascii() for text in texts)


async def test_close_is_quick_and_may_come_twice() -> None:
    async with dialled(Send(b"220 mx\r\n"), Silence()) as (connection, server, _):
        await connection.close()
        await connection.close()
        await asyncio.sleep(0.05)
        assert server.sessions[0].finished


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "version", "cipher"),
    [
        (StartTLS(), "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        (
            StartTLS(maximum=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
            "TLSv1.2",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            StartTLS(minimum=ssl.TLSVersion.TLSv1_1, maximum=ssl.TLSVersion.TLSv1_1),
            "TLSv1.1",
            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        ),
        (
            StartTLS(minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1),
            "TLSv1.0",
            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_handshake_shows_version_suite_group_and_chain(step: StartTLS, version: str, cipher: str) -> None:
    async with dialled(step, Send(b"220 under TLS\r\n"), Expect(b"HELLO"), Send(b"250 ok\r\n"), Silence()) as (
        connection,
        server,
        network,
    ):
        session = await connection.start_tls("localhost", alpn=("h2",))
        assert (session.version, session.cipher, session.alpn) == (version, cipher, "")
        assert session.group.lower() in ("x25519", "x25519mlkem768")
        assert x509.load_der_x509_certificate(session.chain[0]).issuer == _authority().subject
        assert session.ocsp_staple is None
        assert 0 < session.handshake_ms < 1000
        assert connection.tls == session
        assert (await connection.read_reply()).text == "under TLS"
        await connection.send_line("HELLO")
        assert (await connection.read_reply()).code == 250
        assert server.sessions[0].lines == [b"HELLO"]
        assert f"TLS {version} {cipher} {session.group}" in [step.text for step in network.transcript]


def _authority() -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority().cert_pem.bytes())


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="the system has no such option")
async def test_tickets_are_acknowledged_at_once() -> None:
    def patient(connection: Connection) -> bool:
        return not connection._wire.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, option)

    option = socket.TCP_QUICKACK
    async with dialled(StartTLS(), Expect(b"NOOP"), Silence()) as (connection, _, _):
        plug = connection._wire.transport.get_extra_info("socket")
        plug.setsockopt(socket.IPPROTO_TCP, option, 0)
        assert patient(connection)
        session = await connection.start_tls("localhost")
        assert session.version == "TLSv1.3"
        assert not patient(connection)
        plug.setsockopt(socket.IPPROTO_TCP, option, 0)
        await connection.send_line("NOOP")
        assert not patient(connection), "the first command does not change that"


async def test_alpn_is_told() -> None:
    async with dialled(StartTLS(alpn=("http/1.1",)), Silence()) as (connection, _, _):
        assert (await connection.start_tls("localhost", alpn=("h2", "http/1.1"))).alpn == "http/1.1"


@pytest.mark.parametrize(
    ("script", "cause", "words"),
    [
        ((Alert(40),), Cause.TLS_ALERT, "handshake_failure"),
        ((Alert(70),), Cause.TLS_ALERT, "protocol_version"),
        ((Alert(112),), Cause.TLS_ALERT, "unrecognized_name"),
        ((Alert(199),), Cause.TLS_ALERT, "alert 199"),
        ((Alert(0),), Cause.CONNECTION_RESET, "closed TLS"),
        ((StartTLS(maximum=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA"),), Cause.TLS_ALERT, "handshake_failure"),
        ((Send(b"220 mx ESMTP\r\n"), Silence()), Cause.TLS_HANDSHAKE_ERROR, "plain text"),
        ((ReadRecord(), Send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Silence()), Cause.TLS_HANDSHAKE_ERROR, "HTTP/1.1"),
        ((ReadRecord(), Send(b"\x16\x03\x03\x00\x04abcd"), Silence()), Cause.TLS_HANDSHAKE_ERROR, ""),
        ((ReadRecord(), Send(bytes(64)), Silence()), Cause.TLS_HANDSHAKE_ERROR, "plain text"),
        ((ReadRecord(), Send(b"\x16\x03\x03\x40\x00" + bytes(100)), Close()), Cause.CONNECTION_RESET, "TLS handshake"),
        ((ReadRecord(), Close()), Cause.CONNECTION_RESET, "closed"),
        ((Close(),), Cause.CONNECTION_RESET, "TLS handshake"),
        ((ReadRecord(), Reset()), Cause.CONNECTION_RESET, "reset"),
        ((Silence(),), Cause.DEADLINE_EXCEEDED, "TLS handshake"),
        ((Flood(b"\x15\x03\x03\x00\x02\x01\x64"),), Cause.TLS_HANDSHAKE_ERROR, ""),
    ],
)
async def test_what_ends_a_handshake(script: Script, cause: Cause, words: str) -> None:
    async with dialled(*script) as (connection, _, _):
        if isinstance(script[0], Send):
            await asyncio.sleep(0)  # the bytes come while we shake hands, not before
        with unmeasured(cause, words):
            await connection.start_tls("localhost")


async def test_what_our_tls_library_cannot_do_is_not_the_servers_fault() -> None:
    hello = b"\x02\x00\x00\x26\x03\x00" + bytes(32) + b"\x00\x00\x05\x00"  # a ServerHello of SSLv3
    script = (ReadRecord(), Send(b"\x16\x03\x00\x00\x2a" + hello), Silence())
    async with dialled(*script) as (connection, _, _):
        with unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, "unsupported protocol"):
            await connection.start_tls("localhost")


async def test_no_upgrade_over_leftovers() -> None:
    async with dialled(Send(b"220 go\r\n250 injected\r\n"), StartTLS()) as (connection, _, _):
        await connection.read_reply()
        with unmeasured(Cause.PROTOCOL_ERROR, "250 injected"):
            await connection.start_tls("localhost")


@pytest.mark.parametrize(
    ("name", "sent"), [("localhost.", b"\x00\x09localhost"), ("LocalHost", b"\x00\x09localhost"), ("127.0.0.1", b"")]
)
async def test_sni_has_no_trailing_dot_and_is_left_out_for_addresses(name: str, sent: bytes) -> None:
    async with dialled(ReadRecord(), Close()) as (connection, server, _):
        with unmeasured(Cause.CONNECTION_RESET):
            await connection.start_tls(name)
        hello = server.sessions[0].records[0]
        assert hello.count(b"localhost") == (1 if sent else 0)
        assert sent in hello
        assert b"\x00\x05\x00\x05\x01\x00\x00\x00\x00" in hello  # status_request: OCSP


async def test_a_name_that_cannot_be_sent_is_a_cause() -> None:
    async with dialled(Silence()) as (connection, _, _):
        with unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, "63 characters"):
            await connection.start_tls("x" * 64 + ".example")


async def test_the_end_of_tls_with_and_without_close_notify() -> None:
    for ending in ((CloseNotify(), Close()), (Close(),)):
        async with dialled(StartTLS(), Send(b"220 hello\r\n"), *ending) as (connection, _, _):
            await connection.start_tls("localhost")
            assert (await connection.read_reply()).code == 220
            with unmeasured(Cause.CONNECTION_RESET, "closed"):
                await connection.read_reply()


async def test_an_alert_after_the_handshake_is_a_cause() -> None:
    script = (StartTLS(client_certificate=True), Silence())
    async with dialled(*script) as (connection, server, _):
        await connection.start_tls("localhost")  # TLS 1.3 refuses us only after our last flight
        with unmeasured(Cause.TLS_ALERT, "certificate_required"):
            await connection.read_reply()
        assert "CERTIFICATE" in server.sessions[0].failure


async def test_garbage_under_tls_is_a_cause() -> None:
    async with dialled(StartTLS(), Raw(b"250 in plain text\r\n"), Silence()) as (connection, _, _):
        await connection.start_tls("localhost")
        with unmeasured(Cause.TLS_HANDSHAKE_ERROR):
            await connection.read_reply()


async def test_a_flood_under_tls_is_bounded_too() -> None:
    async with dialled(StartTLS(), Flood(b"220-more\r\n")) as (connection, _, _):
        await connection.start_tls("localhost")
        with unmeasured(Cause.REPLY_TOO_LONG):
            await connection.read_reply()


def test_suite_names_are_those_of_openssl_stdname() -> None:
    listed = subprocess.run(
        [needs.require("openssl"), "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    pairs = [(line.split()[2], line.split()[0]) for line in listed.splitlines()]
    assert len(pairs) > 100
    assert {ours: iana_name(ours) for ours, _ in pairs} == dict(pairs)
    assert iana_name("ECDHE-RSA-DES-CBC3-SHA") == "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"
    assert iana_name("RC4-MD5") == "TLS_RSA_WITH_RC4_128_MD5"


async def test_a_real_server_staples_and_serves_its_chain_in_order(tmp_path: Path) -> None:
    leaf, issuer = _chain_with_staple(tmp_path)
    extra = ("-cert_chain", str(tmp_path / "issuer.pem"), "-status_file", str(tmp_path / "staple.der"))
    async with (
        _openssl_server(tmp_path, *extra) as port,
        Network(submission(port), OPTIONS) as network,
        await network.dial("127.0.0.1", port) as connection,
    ):
        session = await connection.start_tls("localhost")
    assert session.chain == (leaf, issuer)
    assert session.ocsp_staple == (tmp_path / "staple.der").read_bytes()


async def test_rsa_key_exchange_has_no_group(tmp_path: Path) -> None:
    make = [needs.require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    await asyncio.to_thread(subprocess.run, [*make, *files], check=True, capture_output=True)
    async with (
        _openssl_server(tmp_path, "-tls1_2", "-cipher", "AES128-SHA") as port,
        Network(submission(port), OPTIONS) as network,
        await network.dial("127.0.0.1", port) as connection,
    ):
        session = await connection.start_tls("localhost")
    assert (session.cipher, session.group) == ("TLS_RSA_WITH_AES_128_CBC_SHA", "")


def _chain_with_staple(folder: Path) -> tuple[bytes, bytes]:
    """A leaf, its issuer and an OCSP response in ``folder``; the two certificates as DER."""
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("localhost", "issuer")]
    certificates = [
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(keys[1], hashes.SHA256())
        for number, (name, key) in enumerate(zip(names, keys, strict=True), start=1)
    ]
    staple = (
        ocsp.OCSPResponseBuilder()
        .add_response(certificates[0], certificates[1], hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, now, None, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.NAME, certificates[1])
        .sign(keys[1], hashes.SHA256())
    )
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    private = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(keys[0].private_bytes(*private))
    (folder / "cert.pem").write_bytes(certificates[0].public_bytes(pem))
    (folder / "issuer.pem").write_bytes(certificates[1].public_bytes(pem))
    (folder / "staple.der").write_bytes(staple.public_bytes(der))
    return certificates[0].public_bytes(der), certificates[1].public_bytes(der)


@contextlib.asynccontextmanager
async def _openssl_server(folder: Path, *arguments: str) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        needs.require("openssl"), "s_server", "-accept", "127.0.0.1:0", "-key", str(folder / "key.pem"),
        "-cert", str(folder / "cert.pem"), *arguments,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while not (line := await asyncio.wait_for(process.stdout.readline(), 10)).startswith(b"ACCEPT"):
            assert line, "openssl s_server did not start"
        yield int(line.rpartition(b":")[2])
    finally:
        process.kill()
        await process.wait()


# --- dialling ---------------------------------------------------------------------------------------------------------


async def test_refused_connections_are_told_and_not_tried_again() -> None:
    async with serve((Close(),)) as server:
        port = server.port
    async with Network(submission(port), OPTIONS) as network:
        for _ in range(3):
            with unmeasured(Cause.CONNECTION_REFUSED, "127.0.0.1"):
                await network.dial("127.0.0.1", port)
        assert len(network.transcript) == 1


async def test_addresses_are_tried_in_turn_and_the_first_that_answers_is_pinned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = {"two.test": ["127.0.0.99", "127.0.0.1", "::1"]}
    monkeypatch.setattr("probes.resolver._read_hosts_file", lambda: written)
    async with (
        serve((Send(b"220 mx\r\n"), Silence())) as server,
        Network(submission(server.port, "two.test"), OPTIONS) as network,
    ):
        assert await network.addresses("two.test") == ("127.0.0.99", "127.0.0.1", "::1")
        first, second = await asyncio.gather(*(network.dial("two.test", server.port) for _ in range(2)))
        assert [first.address, second.address] == ["127.0.0.1", "127.0.0.1"]
        assert network.address == "127.0.0.1"
        refusals = [step.text for step in network.transcript if "127.0.0.99" in step.text]
        assert len(refusals) == 1
        assert "connection_refused" in refusals[0]


async def test_when_every_address_fails_the_first_ones_cause_is_told() -> None:
    async with serve((Close(),)) as server:
        port = server.port
    async with Network(submission(port, "localhost"), OPTIONS) as network:
        with unmeasured(Cause.CONNECTION_REFUSED, "127.0.0.1"):
            await network.dial("localhost", port)
        assert network.address == "127.0.0.1"
        assert network.transcript[0].text.startswith("connection_refused")
        assert len(network.transcript) == 2


@pytest.mark.parametrize(
    ("address", "number", "cause"),
    [
        ("192.0.2.1", errno.ECONNREFUSED, Cause.CONNECTION_REFUSED),
        ("192.0.2.1", errno.ETIMEDOUT, Cause.CONNECTION_TIMEOUT),
        ("192.0.2.1", errno.ECONNRESET, Cause.CONNECTION_RESET),
        ("192.0.2.1", errno.EPERM, Cause.PORT_BLOCKED_LOCALLY),
        ("192.0.2.1", errno.EACCES, Cause.PORT_BLOCKED_LOCALLY),
        ("192.0.2.1", errno.ENETUNREACH, Cause.PORT_BLOCKED_LOCALLY),
        ("192.0.2.1", errno.EHOSTUNREACH, Cause.CONNECTION_TIMEOUT),
        ("2001:db8::1", errno.ENETUNREACH, Cause.NO_IPV6_LOCALLY),
        ("2001:db8::1", errno.EADDRNOTAVAIL, Cause.NO_IPV6_LOCALLY),
        ("2001:db8::1", errno.EACCES, Cause.PORT_BLOCKED_LOCALLY),
        ("2001:db8::1", errno.EHOSTUNREACH, Cause.CONNECTION_TIMEOUT),
        ("192.0.2.1", errno.EIO, Cause.CONNECTION_TIMEOUT),
    ],
)
async def test_causes_of_failed_connections(
    monkeypatch: pytest.MonkeyPatch, address: str, number: int, cause: Cause
) -> None:
    async def fail(address: str, port: int, until: float) -> Any:
        raise OSError(number, "as the system says")

    monkeypatch.setattr(probes.network, "connect", fail)
    async with Network(submission(587, address), OPTIONS) as network:
        with unmeasured(cause):
            await network.dial(address, 587)


async def test_a_port_that_drops_packets_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drop(address: str, port: int, until: float) -> Any:
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        raise TimeoutError

    monkeypatch.setattr(probes.network, "connect", drop)
    async with Network(submission(587), limited(connect_timeout=0.1)) as network:
        with unmeasured(Cause.CONNECTION_TIMEOUT):
            await network.dial("127.0.0.1", 587)
    async with Network(submission(587), limited(deadline=0.1)) as network:
        with unmeasured(Cause.DEADLINE_EXCEEDED):
            await network.dial("127.0.0.1", 587)


@pytest.mark.parametrize("reachable", [(), (1,), (0, 1)])
async def test_a_timeout_on_port_25_is_ours_when_no_big_host_answers_either(
    monkeypatch: pytest.MonkeyPatch, reachable: tuple[int, ...]
) -> None:
    dialled_addresses: list[str] = []

    async def drop(address: str, port: int, until: float) -> Any:
        dialled_addresses.append(address)
        if address in [("8.8.4.4", "1.1.1.1")[number] for number in reachable]:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        raise TimeoutError

    monkeypatch.setattr(probes.network, "connect", drop)
    surroundings = Surroundings(Options(limits=LIMITS), port_25_references=(("8.8.4.4", 25), ("1.1.1.1", 25)))
    expected = Cause.CONNECTION_TIMEOUT if reachable else Cause.PORT_BLOCKED_LOCALLY
    for host in ("8.8.8.8", "9.9.9.9"):
        endpoint = Endpoint("mx", host=host, port=25)
        async with Network(endpoint, surroundings.options, surroundings) as network:
            with unmeasured(expected):
                await network.dial(host, 25)
    # Once it is known to be blocked, nobody has to wait for it again.
    assert dialled_addresses == ["8.8.8.8", "8.8.4.4", "1.1.1.1", *(["9.9.9.9"] if reachable else [])]
    async with Network(submission(587, "8.8.8.8"), surroundings.options, surroundings) as network:
        with unmeasured(Cause.CONNECTION_TIMEOUT):  # 587 says nothing about 25, nor 25 about 587
            await network.dial("8.8.8.8", 587)


async def test_port_25_references_on_loopback_that_answer_mean_that_it_works() -> None:
    async with serve((Silence(),)) as server:
        surroundings = Surroundings(OPTIONS, port_25_references=(("127.0.0.1", server.port),))
        assert not await surroundings.port_25_blocked()
        assert len(server.sessions) == 1
        await surroundings.close()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.0.1", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("10.1.2.3", "private"),
        ("172.31.0.1", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "carrier-grade"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fd00:ec2::254", "private"),
        ("fec0::1", "site-local"),
        ("224.0.0.251", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", ""),
        ("255.255.255.255", ""),
        ("192.0.2.1", "private"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a00:1::1", "private"),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b:1::6440:1", "carrier-grade"),
        ("2001:0:a00:1::1", "private"),
        ("2a00:1450::5efe:a00:1", "ISATAP"),
        ("fd00::5efe:808:808", "private"),
    ],
)
async def test_private_addresses_are_refused(address: str, reason: str) -> None:
    assert reason in (blocked_reason(ipaddress.ip_address(address)) or "not blocked")
    assert blocked_reason(ipaddress.ip_address(address)) is not None
    async with Network(submission(587, address), Options(limits=LIMITS)) as network:
        with unmeasured(Cause.BLOCKED_ADDRESS, "address"):
            await network.dial(address, 587)
        with unmeasured(Cause.BLOCKED_ADDRESS):
            await network.http(f"http://{f'[{address}]' if ':' in address else address}/")


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public_addresses_are_not(address: str) -> None:
    assert blocked_reason(ipaddress.ip_address(address)) is None


async def test_the_guard_looks_at_what_a_name_resolves_to() -> None:
    async with name_server({"evil.test": {"A": ["127.0.0.1", "10.0.0.1"]}}) as names:
        options = Options(limits=LIMITS, resolver=names.resolver)
        async with Network(submission(587, "evil.test"), options) as network:
            with unmeasured(Cause.BLOCKED_ADDRESS, "10.0.0.1 is a private address"):
                await network.dial("evil.test", 587)
            with unmeasured(Cause.BLOCKED_ADDRESS):
                await network.http("http://evil.test/")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a TCP handshake took")
async def test_connecting_takes_no_longer_because_we_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has shaken hands long before we come round to look."""
    busy = 0.4
    taken: list[socket.socket] = []

    def greet_and_be_busy() -> None:
        taken.append(server.accept()[0])
        taken[0].sendall(b"220 early\r\n")
        time.sleep(busy)

    async def connect_and_be_late(address: str, port: int, until: float) -> Wire:
        asyncio.get_running_loop().call_soon(greet_and_be_busy)
        return await connect(address, port, until)

    monkeypatch.setattr("probes.network.connect", connect_and_be_late)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with Network(submission(port), OPTIONS) as network, await network.dial("127.0.0.1", port) as connection:
            opened = connection.clock()
            assert await connection.read_line() == b"220 early"
            assert 0 < connection.connect_ms < 1000 * busy
            assert 0 <= connection.ms_since(opened) < 1000 * busy, "neither is the greeting late"
        taken[0].close()


async def test_what_was_there_before_we_spoke_has_kept_nobody_waiting() -> None:
    async with (
        serve((Send(b"220 one\r\n220 two\r\n"), Silence())) as server,
        Network(submission(server.port), OPTIONS) as network,
        await network.dial("127.0.0.1", server.port) as connection,
    ):
        opened = connection.clock()
        await connection.read_line()
        assert connection.ms_since(opened) >= 0
        await connection.send_line("NOOP")
        sent = connection.clock()
        assert await connection.read_line() == b"220 two"
        assert connection.ms_since(sent) == 0


@pytest.mark.parametrize("again", [0, 1])
async def test_a_lost_syn_is_part_of_the_time_to_connect(again: int) -> None:
    """What the system tells is the last round trip: no answer for a handshake that had to begin anew."""

    class Plug:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            told = bytearray(size)
            told[68:72], told[100:104] = (1500).to_bytes(4, sys.byteorder), again.to_bytes(4, sys.byteorder)
            return bytes(told)

    class Transport(asyncio.Transport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return Plug() if name == "socket" else default

    wire = Wire()
    wire.connection_made(Transport())
    if sys.platform == "linux":
        assert handshake_ms(wire) == (None if again else 1.5)
    wire.connection_made(asyncio.Transport())  # a transport that knows no socket
    assert handshake_ms(wire) is None


# --- manners ----------------------------------------------------------------------------------------------------------


async def test_eight_connections_and_no_more_to_one_address_and_port() -> None:
    async with serve((Silence(),)) as server:
        surroundings = Surroundings(OPTIONS)
        for _ in range(2):  # the count is the run's, not the endpoint's
            async with Network(submission(server.port), OPTIONS, surroundings) as network:
                for _ in range(4):
                    await (await network.dial("127.0.0.1", server.port)).close()
        async with Network(submission(server.port), OPTIONS, surroundings) as network:
            # Not "throttled": the server has asked for nothing.
            with unmeasured(Cause.NOT_PERMITTED, "our own limit of 8 connections per address"):
                await network.dial("127.0.0.1", server.port)
        assert len(server.sessions) == 8


@pytest.mark.parametrize(("role", "allowed"), [("mx", 1), ("submission", 4)])
async def test_so_many_connections_at_a_time(role: Any, allowed: int) -> None:
    async with serve((Silence(),)) as server:
        surroundings = Surroundings(OPTIONS)
        endpoint = Endpoint(role, host="127.0.0.1", port=server.port)
        async with Network(endpoint, OPTIONS, surroundings) as one, Network(endpoint, OPTIONS, surroundings) as other:
            connections = [await one.dial("127.0.0.1", server.port) for _ in range(allowed)]
            waiting = asyncio.create_task(other.dial("127.0.0.1", server.port))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await connections[0].close()
            assert (await waiting).number == 1
            assert len(server.sessions) == allowed + 1


async def test_waiting_for_a_turn_ends_at_the_deadline_and_costs_nobody_his_turn() -> None:
    async with serve((Silence(),)) as server:
        endpoint = Endpoint("mx", host="127.0.0.1", port=server.port)
        surroundings = Surroundings(OPTIONS)
        async with Network(endpoint, OPTIONS, surroundings) as patient:
            connection = await patient.dial("127.0.0.1", server.port)
            async with Network(endpoint, limited(deadline=0.1), surroundings) as hasty:
                with unmeasured(Cause.DEADLINE_EXCEEDED, "our turn"):
                    await hasty.dial("127.0.0.1", server.port)
            await connection.close()
            await (await patient.dial("127.0.0.1", server.port)).close()


async def test_connections_to_an_mx_keep_their_distance() -> None:
    options = limited(spacing_mx=0.2)
    async with (
        serve((Silence(),)) as server,
        Network(Endpoint("mx", host="127.0.0.1", port=server.port), options) as network,
    ):
        began = time.monotonic()
        for _ in range(3):
            await (await network.dial("127.0.0.1", server.port)).close()
        assert 0.39 < time.monotonic() - began < 1


async def test_after_421_the_address_is_left_alone_for_the_rest_of_the_run() -> None:
    async with serve((Silence(),)) as server, serve((Silence(),)) as neighbour:
        surroundings = Surroundings(OPTIONS)
        async with Network(submission(server.port), OPTIONS, surroundings) as network:
            connection = await network.dial("127.0.0.1", server.port)
            network.throttled(connection.address)
            with unmeasured(Cause.THROTTLED, "421"):
                await network.dial("127.0.0.1", server.port)
        async with Network(submission(server.port), OPTIONS, surroundings) as network:
            with unmeasured(Cause.THROTTLED, "421"):
                await network.dial("127.0.0.1", server.port)
        assert len(server.sessions) == 1
        async with Network(submission(neighbour.port), OPTIONS, surroundings) as network:
            await network.dial("127.0.0.1", neighbour.port)  # another lab server that shares the loopback address


def test_a_public_address_is_left_alone_on_every_port() -> None:
    surroundings = Surroundings(OPTIONS)
    surroundings.stop("8.8.8.8", 25)
    assert surroundings.stopped("8.8.8.8", 587)
    assert not surroundings.stopped("8.8.4.4", 25)


async def test_closing_the_network_closes_its_connections_and_frees_their_turns() -> None:
    async with serve((Silence(),)) as server:
        surroundings = Surroundings(OPTIONS)
        endpoint = Endpoint("mx", host="127.0.0.1", port=server.port)
        async with Network(endpoint, OPTIONS, surroundings) as network:
            await network.dial("127.0.0.1", server.port)
        async with Network(endpoint, OPTIONS, surroundings) as network:
            await network.dial("127.0.0.1", server.port)
        await asyncio.sleep(0.05)
        assert all(session.finished for session in server.sessions)


# --- sharing ----------------------------------------------------------------------------------------------------------


async def test_once_runs_once_for_everybody() -> None:
    calls = 0

    async def work() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        return calls

    async with Network(submission(1), OPTIONS) as network:
        assert await asyncio.gather(*(network.once("work", work) for _ in range(5))) == [1] * 5
        assert await network.once("work", work) == 1
        assert await network.once("other work", work) == 2


async def test_once_gives_everybody_the_same_exception() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise Unmeasured(Cause.TLS_ALERT, "handshake_failure")

    async with Network(submission(1), OPTIONS) as network:
        problems = await asyncio.gather(*(network.once("fail", fail) for _ in range(3)), return_exceptions=True)
        assert [str(problem) for problem in problems] == ["tls_alert: handshake_failure"] * 3


async def test_a_cancelled_caller_takes_nothing_from_the_others() -> None:
    async def work() -> str:
        await asyncio.sleep(0.05)
        return "done"

    async with Network(submission(1), OPTIONS) as network:
        first, second = (asyncio.create_task(network.once("work", work)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        assert await second == "done"
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_closing_the_network_ends_shared_work() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with Network(submission(1), OPTIONS) as network:
        task = asyncio.create_task(network.once("work", work))
        await asyncio.sleep(0.01)
        task.cancel()
    assert ended.is_set()


# --- DNS --------------------------------------------------------------------------------------------------------------

RECORDS = {
    "example.test": {
        "A": ["127.0.0.1"],
        "MX": ["20 b.example.test.", "10 a.example.test."],
        "TXT": ['"v=spf1 " "-all"', txt("8-bit \xff")],
    },
    "six.example.test": {"AAAA": ["::1"]},
    "empty.example.test": {"TXT": ["x"]},
    "alias.example.test": {"CNAME": ["example.test."]},
    "broken.test": {"FAULT": ["SERVFAIL"]},
    "refused.test": {"FAULT": ["REFUSED"]},
    "silent.test": {"FAULT": ["SILENT"]},
    "half.test": {"A": ["127.0.0.1"], "FAULT/AAAA": ["SILENT"]},
    "big.test": {"TXT": [txt("x" * 200 + str(number)) for number in range(30)]},
}


@contextlib.asynccontextmanager
async def resolving() -> AsyncIterator[tuple[Network, list[tuple[str, str]]]]:
    async with name_server(RECORDS) as names:
        options = dataclasses.replace(OPTIONS, resolver=names.resolver)
        async with Network(submission(587, "example.test"), options) as network:
            yield network, names.questions


async def test_answers_hold_their_records_in_text() -> None:
    async with resolving() as (network, _):
        mx = await network.resolve("Example.TEST.", "MX")
        assert (mx.name, mx.kind, mx.exists) == ("example.test", "MX", True)
        assert sorted(mx.records) == ["10 a.example.test.", "20 b.example.test."]
        assert not mx.authenticated
        assert mx.message.answer[0].ttl == 60
        assert sorted((await network.resolve("example.test", "txt")).records) == ["8-bit \\xff", "v=spf1 -all"]
        assert (await network.resolve("alias.example.test", "A")).records == ("127.0.0.1",)


async def test_absence_is_an_answer() -> None:
    async with resolving() as (network, _):
        nothing = await network.resolve("nothing.test", "TXT")
        assert (nothing.exists, nothing.records) == (False, ())
        empty = await network.resolve("six.example.test", "TXT")
        assert (empty.exists, empty.records) == (True, ())


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        ("broken.test", Cause.DNS_SERVFAIL, "SERVFAIL"),
        ("refused.test", Cause.DNS_SERVFAIL, "REFUSED"),
        ("silent.test", Cause.DNS_TIMEOUT, "within 0.6 s"),
        ("x" * 64 + ".test", Cause.DNS_NXDOMAIN, "is no DNS name"),
        ("a..test", Cause.DNS_NXDOMAIN, "is no DNS name"),
        ("\u2603" * 70 + ".test", Cause.DNS_NXDOMAIN, "is no DNS name"),
        ("a b.test", Cause.DNS_NXDOMAIN, "is no DNS name"),
        ("a\\000.test", Cause.DNS_NXDOMAIN, "is no DNS name"),
        (("x" * 60 + ".") * 5 + "test", Cause.DNS_NXDOMAIN, "is no DNS name"),
    ],
)
async def test_what_is_no_answer_is_a_cause(name: str, cause: Cause, words: str) -> None:
    async with resolving() as (network, _):
        with unmeasured(cause, words):
            await network.resolve(name, "TXT")


async def test_a_refused_port_is_no_answer() -> None:
    async with serve((Close(),)) as server:
        port = server.port
    async with Network(submission(1), dataclasses.replace(OPTIONS, resolver=("127.0.0.1", port))) as network:
        with pytest.raises(Unmeasured) as problem:
            await network.resolve("example.test", "A")
        assert problem.value.cause in (Cause.DNS_TIMEOUT, Cause.DNS_SERVFAIL)


async def test_the_resolver_must_be_an_address() -> None:
    async with Network(submission(1), dataclasses.replace(OPTIONS, resolver=("dns.test", 53))) as network:
        with unmeasured(Cause.DNS_SERVFAIL, "is not an IP address"):
            await network.resolve("example.test", "A")


async def test_a_question_is_asked_once_in_a_run_but_a_failed_one_again() -> None:
    async with resolving() as (network, questions):
        await asyncio.gather(*(network.resolve("example.test", "A") for _ in range(3)))
        await network.resolve("EXAMPLE.test.", "a")
        assert questions == [("example.test", "A")]
        for _ in range(2):
            with unmeasured(Cause.DNS_SERVFAIL):
                await network.resolve("broken.test", "A")
        assert len(questions) > 2


async def test_a_long_answer_comes_over_tcp() -> None:
    async with resolving() as (network, questions):
        assert len((await network.resolve("big.test", "TXT")).records) == 30
        assert questions == [("big.test", "TXT")] * 2


async def test_a_cancelled_question_does_not_disturb_the_others() -> None:
    async with resolving() as (network, _):
        first, second = (asyncio.create_task(network.resolve("example.test", "MX")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert len((await second).records) == 2


async def test_the_deadline_bounds_dns_too() -> None:
    async with name_server(RECORDS) as names:
        options = dataclasses.replace(limited(deadline=0.1), resolver=names.resolver)
        async with Network(submission(1), options) as network:
            with unmeasured(Cause.DEADLINE_EXCEEDED, "asking DNS"):
                await network.resolve("silent.test", "A")


async def test_addresses_of_names_and_literals() -> None:
    async with resolving() as (network, questions):
        assert await network.addresses("127.0.0.9") == ("127.0.0.9",)
        assert await network.addresses("[::1]") == ("::1",)
        assert await network.addresses("localhost") == ("127.0.0.1", "::1")
        assert await network.addresses("Mail.LocalHost.") == ("127.0.0.1", "::1")
        assert questions == []
        assert await network.addresses("six.example.test") == ("::1",)
        assert await network.addresses("alias.example.test") == ("127.0.0.1",)
        with unmeasured(Cause.DNS_NXDOMAIN, "does not exist"):
            await network.addresses("nothing.test")
        with unmeasured(Cause.DNS_NXDOMAIN, "has no address"):
            await network.addresses("empty.example.test")
        with unmeasured(Cause.DNS_SERVFAIL):
            await network.addresses("broken.test")
        with unmeasured(Cause.DNS_NXDOMAIN, "is no host name"):
            await network.addresses("127.1")
        assert await network.addresses("half.test") == ("127.0.0.1",)
        assert any("AAAA half.test: no answer" in step.text for step in network.transcript)


async def test_the_hosts_file_counts_only_without_a_resolver_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {"mail.hosts.test": ["::1", "127.0.0.7", "nonsense"]}
    monkeypatch.setattr("probes.resolver._read_hosts_file", lambda: written)
    async with Network(submission(1), OPTIONS) as network:
        assert await network.addresses("Mail.Hosts.TEST") == ("127.0.0.7", "::1")
    async with name_server({}) as names:
        options = dataclasses.replace(OPTIONS, resolver=names.resolver)
        async with Network(submission(1), options) as network:
            with unmeasured(Cause.DNS_NXDOMAIN):
                await network.addresses("mail.hosts.test")


def test_host_names() -> None:
    assert host_name("Smtp.Example.COM.") == "smtp.example.com"
    assert host_name("münchen.example") == "xn--mnchen-3ya.example"
    assert host_name("_dmarc.example") == "_dmarc.example"
    for bad in (
        "",
        ".",
        "a..b",
        ".a",
        "x" * 64,
        "1.2.3",
        "0x7f.0x1",
        "a b",
        "-a",
        "a-",
        "☃" * 70,
        "\ud800",
        "x." * 127 + "yy",
    ):
        with pytest.raises(ValueError, match="it "):
            host_name(bad)


def test_urls() -> None:
    assert split_url("https://API.example.com") == ("https", "api.example.com", 443, "/")
    assert split_url("http://[::1]:8080/a?b=c") == ("http", "::1", 8080, "/a?b=c")
    for bad in (
        "ftp://x",
        "https://",
        "https://u:p@x/",
        "https://x:0/",
        "https://x:99999/",
        "https://a..b/",
        "http://[::1",
        "https://x/ä",
        "x",
    ):
        with pytest.raises(ValueError, match=r".+"):
            split_url(bad)


# --- HTTP -------------------------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Twice: a\r\nx-twice: b\r\n\r\nhi"


async def test_a_plain_request() -> None:
    async with (
        serve((Expect(b"GET /status?x=1 HTTP/1.1"), Send(OK), Silence())) as server,
        Network(Endpoint("web", url="http://127.0.0.1/"), OPTIONS) as network,
    ):
        url = f"http://127.0.0.1:{server.port}/status?x=1"
        answer = await network.http(url, headers={"Accept": "application/json"})
    assert (answer.status, answer.http_version, answer.body, answer.truncated) == (200, "HTTP/1.1", b"hi", False)
    assert answer.headers["x-twice"] == "a, b"
    assert answer.elapsed_ms > 0
    assert answer.connect_ms > 0
    assert (answer.url, answer.tls) == (url, None)
    assert server.sessions[0].failure == ""


async def test_a_request_names_us_and_asks_for_no_compression() -> None:
    async with (
        serve((*[Expect()] * 6, Send(OK), Silence())) as server,
        Network(Endpoint("web", url="http://127.0.0.1/"), OPTIONS) as network,
    ):
        await network.http(f"http://127.0.0.1:{server.port}/", method="HEAD", headers={"Accept": "text/html"})
    lines = [line.lower() for line in server.sessions[0].lines]
    assert lines[0] == b"head / http/1.1"
    assert b"host: 127.0.0.1:%d" % server.port in lines
    assert b"user-agent: mailrubric-probe" in lines[2]
    assert b"accept-encoding: identity" in lines
    assert b"accept: text/html" in lines


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    redirect = b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with (
        serve((Expect(), Send(redirect), Silence())) as server,
        Network(Endpoint("web", url="http://127.0.0.1/"), OPTIONS) as network,
    ):
        answer = await network.http(f"http://127.0.0.1:{server.port}/")
    assert (answer.status, answer.headers["location"]) == (301, "http://127.0.0.1:1/")


async def test_a_long_body_is_cut_and_the_rest_not_waited_for() -> None:
    script = (Expect(), Send(b"HTTP/1.1 200 OK\r\n\r\n"), Flood(b"y" * 4096))
    async with (
        serve(script) as server,
        Network(Endpoint("web", url="http://127.0.0.1/"), limited(http_bytes=10000)) as network,
    ):
        answer = await network.http(f"http://127.0.0.1:{server.port}/")
    assert (answer.body, answer.truncated) == (b"y" * 10000, True)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ((Expect(), Close()), Cause.CONNECTION_RESET),
        ((Reset(),), Cause.CONNECTION_RESET),
        ((Expect(), Send(b"HTTP/1.1 200 OK\r\nConte"), Close()), Cause.CONNECTION_RESET),
        ((Expect(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), Close()), Cause.CONNECTION_RESET),
        ((Send(b"220 mx ESMTP\r\n\r\n"), Silence()), Cause.PROTOCOL_ERROR),
        ((Expect(), Send(b"\x00\x01\x02\r\n\r\n"), Silence()), Cause.PROTOCOL_ERROR),
        (
            (Expect(), Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), Silence()),
            Cause.PROTOCOL_ERROR,
        ),
        ((Expect(), Flood(b"x" * 1000)), Cause.REPLY_TOO_LONG),
        ((Expect(), Send(b"HTTP/1.1 200 OK\r\n"), Flood(b"X-Y: z\r\n" * 100)), Cause.REPLY_TOO_LONG),
        ((Silence(),), Cause.DEADLINE_EXCEEDED),
        ((Expect(), Drip(b"HTTP/1.1 200 OK\r\n\r\n" * 99, 0.1)), Cause.DEADLINE_EXCEEDED),
    ],
)
async def test_what_is_no_response_is_a_cause(script: Script, cause: Cause) -> None:
    async with (
        serve(script) as server,
        Network(Endpoint("web", url="http://127.0.0.1/"), limited(deadline=1.0)) as network,
    ):
        began = time.monotonic()
        with unmeasured(cause):
            await network.http(f"http://127.0.0.1:{server.port}/")
        assert time.monotonic() - began < 1.5


async def test_a_url_that_cannot_be_fetched_is_not_applicable() -> None:
    async with Network(Endpoint("web", url="x"), OPTIONS) as network:
        for url in ("ftp://x/", "https://a..b/", "http://x:99999/"):
            with unmeasured(Cause.NOT_APPLICABLE):
                await network.http(url)


async def test_http_over_tls_picks_http2_when_the_server_has_it() -> None:
    async with (
        _http2_server() as port,
        Network(Endpoint("web", url=f"https://localhost:{port}/"), OPTIONS) as network,
    ):
        answer = await network.http(f"https://localhost:{port}/status")
    assert (answer.status, answer.http_version, answer.body) == (200, "HTTP/2", b"/status of localhost")
    assert answer.headers["x-served-by"] == "h2"
    assert answer.tls is not None
    assert (answer.tls.alpn, answer.tls.version) == ("h2", "TLSv1.3")


async def test_http_over_tls_falls_back_to_http11() -> None:
    async with (
        serve((StartTLS(alpn=("http/1.1",)), Expect(b"GET / HTTP/1.1"), Send(OK), Silence())) as server,
        Network(Endpoint("web", url=f"https://localhost:{server.port}/"), OPTIONS) as network,
    ):
        answer = await network.http(f"https://localhost:{server.port}/")
    assert (answer.status, answer.http_version) == (200, "HTTP/1.1")
    assert answer.tls is not None


async def test_garbage_instead_of_http2_is_a_cause() -> None:
    settings = b"\x00\x00\x05\x04\x00\x00\x00\x00\x00nonsense"  # a frame of a length that is not a multiple of 6
    async with (
        serve((StartTLS(alpn=("h2",)), Send(settings), Silence())) as server,
        Network(Endpoint("web", url=f"https://localhost:{server.port}/"), OPTIONS) as network,
    ):
        with unmeasured(Cause.PROTOCOL_ERROR):
            await network.http(f"https://localhost:{server.port}/")


async def test_a_frame_of_a_stream_that_nobody_opened_is_no_fault_of_ours() -> None:
    """It comes in the middle of a body, where httpcore lets the error of h2 through as it is."""
    data = b"\x00\x00\x02\x00\x00\x00\x00\x00\x41no"  # RFC 9113 §6.1: DATA of stream 65
    async with (
        _http2_server(data) as port,
        Network(Endpoint("web", url="https://localhost/"), OPTIONS) as network,
    ):
        with unmeasured(Cause.PROTOCOL_ERROR, "NoSuchStreamError"):
            await network.http(f"https://localhost:{port}/")


@contextlib.asynccontextmanager
async def _http2_server(instead: bytes = b"") -> AsyncIterator[int]:
    """``instead``: what comes in place of the body."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2"])

    async def serve_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="ascii"))
        http.initiate_connection()
        writer.write(http.data_to_send())
        while data := await reader.read(65536):
            for event in http.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = dict(event.headers)
                    http.send_headers(event.stream_id, [(":status", "200"), ("x-served-by", "h2")])
                    host = headers[":authority"].partition(":")[0]
                    if not instead:
                        http.send_data(event.stream_id, f"{headers[':path']} of {host}".encode(), end_stream=True)
                    else:
                        writer.write(http.data_to_send())
                        await asyncio.sleep(0.05)
                        writer.write(instead)
            writer.write(http.data_to_send())
        writer.close()

    server = await asyncio.start_server(serve_http2, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_many_sites_behind_one_address_have_limits_of_their_own():
    from probes.model import Endpoint
    from probes.network import Limits, Network, Options, Surroundings

    async def hang_up(_reader: object, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    options = Options(limits=Limits(connections_per_address=2), allow_private=True)
    surroundings = Surroundings(options)

    async def dials(role: str, host: str) -> int:
        endpoint = Endpoint(role, host=host, port=port, url=f"http://{host}:{port}/" if role == "status" else "")
        network = Network(endpoint, options, surroundings)
        made = 0
        with contextlib.suppress(Unmeasured):
            while made < 4:
                await (await network.dial(host, port)).close()
                made += 1
        return made

    async with server:
        # Names below localhost are this machine's (RFC 6761 §6.3).
        assert await dials("status", "one.localhost") == 2
        assert await dials("status", "two.localhost") == 2
        assert await dials("submission", "three.localhost") == 2
        assert await dials("submission", "four.localhost") == 0
    await surroundings.close()
