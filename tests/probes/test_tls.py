"""The version matrix: against OpenSSL in several settings, and against servers whose every answer is scripted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Literal

import pytest

from probes import hello
from probes.hello import Alert, ServerHello, Unreadable
from probes.model import Cause, Endpoint, Measurement, Role, Unmeasured
from probes.tls import TLSProbe
from probes.versions import Versions
from tests.probes import certificates as zoo
from tests.probes.loopback import Handler, Listening, measure, options, reset, scripted
from tests.probes.test_hello import Reader, extension, record, server_hello
from tests.probes.tlsmodel import kind_of, maximum_of
from tests.probes.tlsserver import openssl_servers, relay

Answer = Callable[[asyncio.StreamWriter], None]
OLD_SUITES = ("-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")


def https(port: int) -> Endpoint:
    return Endpoint("api", url=f"https://localhost:{port}/")


async def against_openssl(
    *arguments: str, depth: Literal["standard", "full"] = "standard", served: zoo.Served | None = None
) -> tuple[dict[str, Measurement], int]:
    """The measurements, and how many connections were made (counted by a relay in front of the servers)."""
    with openssl_servers(*arguments, served=served) as ports:
        async with scripted(relay(ports)) as state:
            found = await measure(TLSProbe(), https(state.port), dataclasses.replace(options(), depth=depth))
            assert state.most_at_once <= 4
            return found, state.connections


HANDSHAKE, WEAK, HYBRID, FALLBACK = 1, 1, 1, 1
"""Connections for each."""


async def test_a_modern_server_takes_two_version_hellos() -> None:
    found, connections = await against_openssl("-min_protocol", "TLSv1.2", "-groups", "X25519")
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")
    assert found["tls.oldest_version"].value == "TLSv1.2"
    assert found["tls.newest_version"].value == "TLSv1.3"
    assert found["tls.cipher"].value == "TLS_AES_256_GCM_SHA384"
    assert str(found["tls.group"].value).lower() == "x25519"
    milliseconds = found["tls.handshake_ms"].value
    assert isinstance(milliseconds, float)
    assert 0 < milliseconds < 5000
    assert connections == HANDSHAKE + 2 + WEAK + HYBRID + FALLBACK


async def test_an_old_server_shows_all_its_versions() -> None:
    found, connections = await against_openssl(*OLD_SUITES)
    assert found["tls.versions"].value == ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
    assert found["tls.oldest_version"].value == "TLSv1.0"
    assert connections == HANDSHAKE + 4 + WEAK + HYBRID
    assert found["tls.post_quantum"].value is False
    # One more is for the second conversation, and one for the other kind of certificate.
    assert found["tls.fallback_scsv"].cause is Cause.NOT_PERMITTED


async def test_tls_1_2_alone() -> None:
    found, connections = await against_openssl("-tls1_2", "-cipher", "AES128-SHA256")
    assert found["tls.versions"].value == ("TLSv1.2",)
    assert found["tls.newest_version"].value == found["tls.oldest_version"].value == "TLSv1.2"
    assert found["tls.cipher"].value == "TLS_RSA_WITH_AES_128_CBC_SHA256"
    assert found["tls.group"].cause is Cause.NOT_APPLICABLE
    assert connections == HANDSHAKE + 3 + WEAK


async def test_tls_1_3_alone() -> None:
    found, connections = await against_openssl("-tls1_3")
    assert found["tls.versions"].value == ("TLSv1.3",)
    assert connections == HANDSHAKE + 2 + WEAK + HYBRID


async def test_tls_1_0_alone() -> None:
    found, connections = await against_openssl("-tls1", *OLD_SUITES)
    assert found["tls.versions"].value == ("TLSv1.0",)
    assert found["tls.newest_version"].value == "TLSv1.0"
    assert connections <= HANDSHAKE + 4 + WEAK


async def test_versions_that_our_library_cannot_speak() -> None:
    # The handshake fails for want of a common suite; the hellos still find the version.
    found, connections = await against_openssl("-tls1_2", "-cipher", "ECDHE-RSA-NULL-SHA:AECDH-AES128-SHA:@SECLEVEL=0")
    assert found["tls.cipher"].cause is Cause.TLS_ALERT
    assert found["tls.group"].cause is Cause.TLS_ALERT
    assert found["tls.handshake_ms"].cause is Cause.TLS_ALERT
    assert found["tls.versions"].value == ("TLSv1.2",)
    assert connections <= HANDSHAKE + 3 + WEAK


# --- scripted answers -------------------------------------------------------------------------------------------------


def alert(number: int) -> Answer:
    return lambda writer: writer.write(b"\x15\x03\x01\x00\x02\x02" + bytes([number]))


def chooses(version: hello.Version, suite: int | None = None, extensions: bytes = b"", rest: bytes = b"") -> Answer:
    """A ServerHello, and what follows it."""
    if version == "TLSv1.3":
        extensions = extension(43, b"\x03\x04") + extensions
    suite = suite or (0x1301 if version == "TLSv1.3" else 0xC013)
    message = server_hello(min(hello.CODES[version], 0x0303), suite, extensions)
    return lambda writer: writer.write(record(22, message + rest))


@dataclasses.dataclass
class Asked:
    """What a scripted server was asked: the maxima of the version hellos in their order, and every other hello."""

    maxima: list[hello.Version] = dataclasses.field(default_factory=list)
    others: list[str] = dataclasses.field(default_factory=list)
    connections: int = 0


async def ask(
    answers: Mapping[hello.Version, Answer | None], depth: Literal["standard", "full"] = "standard", **others: Answer
) -> tuple[dict[str, Measurement], Asked]:
    """Measure a server that answers version hellos by their maximum; None is silence. It refuses all else, the full
    handshake too, unless ``others`` says what it answers to ``handshake``, ``weak``, ``hybrid`` or ``fallback``."""
    asked = Asked()

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readexactly(5)
        parsed = Reader(header + await reader.readexactly(int.from_bytes(header[3:5], "big")))
        kind: str = kind_of(parsed)
        answer: Answer | None = others.get(kind, alert(40))
        if kind == "version":
            asked.maxima.append(maximum_of(parsed))
            answer = answers[maximum_of(parsed)]
        else:
            asked.others.append(kind)
        if answer is None:
            await asyncio.sleep(30)
        else:
            answer(writer)

    async with scripted(serve) as state:
        endpoint = Endpoint("submission", host="localhost", port=state.port, tls="implicit")
        found = await measure(TLSProbe(), endpoint, dataclasses.replace(options(), depth=depth))
        asked.connections = state.connections
    assert set(asked.maxima[:2]) == {"TLSv1.2", "TLSv1.1"}, "these go out together"
    asked.maxima[:2] = ["TLSv1.2", "TLSv1.1"]
    assert asked.connections == len(asked.maxima) + len(asked.others) <= 7, "one is kept for the second conversation"
    return found, asked


def nothing(writer: asyncio.StreamWriter) -> None:
    """Close without an alert."""


async def test_a_suite_alert_speaks_of_one_version_only() -> None:
    found, asked = await ask(
        {
            "TLSv1.3": alert(40),
            "TLSv1.2": alert(71),
            "TLSv1.1": alert(40),
            "TLSv1.0": chooses("TLSv1.0"),
            "SSLv3": chooses("SSLv3"),
        }
    )
    assert asked.maxima == ["TLSv1.2", "TLSv1.1", "TLSv1.3", "TLSv1.0", "SSLv3"]
    assert found["tls.versions"].value == ("SSLv3", "TLSv1.0")
    assert found["tls.oldest_version"].value == "SSLv3"
    assert found["tls.newest_version"].value == "TLSv1.0"


async def test_a_version_alert_ends_the_search() -> None:
    found, asked = await ask({"TLSv1.3": chooses("TLSv1.3"), "TLSv1.2": alert(70), "TLSv1.1": alert(70)})
    assert asked.maxima == ["TLSv1.2", "TLSv1.1", "TLSv1.3"]
    assert found["tls.versions"].value == ("TLSv1.3",)
    assert found["tls.oldest_version"].value == "TLSv1.3"


async def test_internal_error_given_twice_is_how_openssl_3_refuses() -> None:
    found, asked = await ask(
        {
            "TLSv1.3": chooses("TLSv1.3"),
            "TLSv1.2": chooses("TLSv1.2"),
            "TLSv1.1": alert(80),
            "TLSv1.0": alert(80),
            "SSLv3": alert(70),
        }
    )
    assert asked.maxima == ["TLSv1.2", "TLSv1.1", "TLSv1.3", "TLSv1.0", "SSLv3"]
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")
    assert found["tls.oldest_version"].value == "TLSv1.2"


async def test_internal_error_given_once_is_a_fault_that_passed() -> None:
    times = iter((alert(80), chooses("TLSv1.1")))
    found, asked = await ask(
        {
            "TLSv1.3": chooses("TLSv1.3"),
            "TLSv1.2": chooses("TLSv1.2"),
            "TLSv1.1": lambda writer: next(times)(writer),
            "TLSv1.0": alert(70),
        }
    )
    assert asked.maxima == ["TLSv1.2", "TLSv1.1", "TLSv1.3", "TLSv1.0", "TLSv1.1"]
    assert found["tls.versions"].value == ("TLSv1.1", "TLSv1.2", "TLSv1.3")


async def test_internal_error_and_then_silence_decides_nothing() -> None:
    times = iter((alert(80), nothing))
    found, asked = await ask(
        {
            "TLSv1.3": chooses("TLSv1.3"),
            "TLSv1.2": chooses("TLSv1.2"),
            "TLSv1.1": lambda writer: next(times)(writer),
            "TLSv1.0": alert(70),
        }
    )
    assert asked.maxima == ["TLSv1.2", "TLSv1.1", "TLSv1.3", "TLSv1.0", "TLSv1.1"]
    assert found["tls.versions"].cause is Cause.CONNECTION_RESET
    assert found["tls.newest_version"].value == "TLSv1.3"


async def test_internal_error_from_a_server_that_never_answered_is_no_refusal() -> None:
    found, asked = await ask({"TLSv1.3": alert(80), "TLSv1.2": alert(80), "TLSv1.1": alert(80)})
    assert asked.maxima == ["TLSv1.2", "TLSv1.1", "TLSv1.3"]
    for key in ("tls.versions", "tls.oldest_version", "tls.newest_version"):
        assert found[key].cause is Cause.TLS_ALERT


async def test_every_version_refused_is_no_version() -> None:
    found, _ = await ask({version: alert(70) for version in hello.VERSIONS})
    for metric in ("tls.versions", "tls.oldest_version", "tls.newest_version", "tls.fallback_scsv", "tls.compression"):
        assert found[metric].cause is Cause.TLS_ALERT, found[metric]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (nothing, Cause.CONNECTION_RESET),
        (reset, Cause.CONNECTION_RESET),
        (None, Cause.DEADLINE_EXCEEDED),
        (alert(0), Cause.TLS_ALERT),
        (lambda writer: writer.write(b"\x15\x03\x01\x00\x02\x01\x00"), Cause.CONNECTION_RESET),
        (lambda writer: writer.write(b"\x16\x03"), Cause.CONNECTION_RESET),
        (lambda writer: writer.write(b"220 hello\r\n"), Cause.TLS_HANDSHAKE_ERROR),
        (lambda writer: writer.write(b"\xde\xad\xbe\xef"), Cause.PROTOCOL_ERROR),
        (lambda writer: writer.write(b"\x15\x03\x01\x00\x02\x01\x70" * 12000), Cause.REPLY_TOO_LONG),
        (chooses("TLSv1.2"), Cause.PROTOCOL_ERROR),
        (chooses("TLSv1.1", 0xC02F), Cause.PROTOCOL_ERROR),
        (chooses("TLSv1.1", 0x1301), Cause.PROTOCOL_ERROR),
    ],
)
async def test_what_is_no_evidence_becomes_no_value(answer: Answer | None, cause: Cause) -> None:
    found, asked = await ask({"TLSv1.3": chooses("TLSv1.3"), "TLSv1.2": chooses("TLSv1.2"), "TLSv1.1": answer})
    # Whoever hung up is asked once more; there is no connection left to see whether it would still answer another.
    again = ["TLSv1.1"] if answer in (nothing, reset) else []
    assert asked.maxima == ["TLSv1.2", "TLSv1.1", "TLSv1.3", *again], "nothing older can become certain"
    assert found["tls.newest_version"].value == "TLSv1.3"
    for key in ("tls.versions", "tls.oldest_version"):
        assert found[key].cause is cause, found[key]
        assert "accepted: TLSv1.2, TLSv1.3" in found[key].detail
        assert "not decided: SSLv3, TLSv1.0, TLSv1.1" in found[key].detail
        assert found[key].detail.isprintable()


async def test_an_answer_that_trickles_in_is_given_up() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readexactly(5)
        await reader.readexactly(int.from_bytes(header[3:5], "big"))
        if number == 1:
            alert(40)(writer)
            return
        for _ in range(1000):
            writer.write(b"\x16\x03\x03\x00\x04" + bytes(4))  # HelloRequests, which say nothing
            await asyncio.sleep(0.05)

    async with scripted(serve) as state:
        found = await measure(TLSProbe(), https(state.port))
    assert found["tls.versions"].cause is Cause.DEADLINE_EXCEEDED
    assert found["tls.weak_suites"].cause is Cause.DEADLINE_EXCEEDED
    assert state.connections == 1 + 3 + 1, "the first three, and TLS 1.3 of a server that answers alerts"


async def test_garbage_everywhere_stops_at_once() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x00" * 100)

    for role in ("mx", "api"):
        async with smtp_before(serve) if role == "mx" else scripted(serve) as state:
            endpoint = mail("mx", state.port) if role == "mx" else https(state.port)
            found = await measure(TLSProbe(), endpoint)
        assert {each.cause for each in found.values()} <= {Cause.TLS_HANDSHAKE_ERROR, Cause.PROTOCOL_ERROR}
        assert state.connections <= 1 + 3


# --- what answers mean, without a server ------------------------------------------------------------------------------


def test_a_server_that_contradicts_itself() -> None:
    versions = Versions({"TLSv1.2": True})
    versions.learn("TLSv1.3", Alert(2, 70))
    assert versions.accepted == {"TLSv1.2": True, "TLSv1.3": False}
    versions.learn("TLSv1.1", Alert(2, 70))
    assert [each.value for each in versions.measurements()] == [("TLSv1.2",), "TLSv1.2", "TLSv1.2"]


def test_a_newer_version_that_is_unknown_leaves_the_oldest_known() -> None:
    versions = Versions({"TLSv1.2": True})
    with pytest.raises(Unmeasured):
        versions.learn("TLSv1.3", Unreadable("garbage", "odd"))
    versions.unknown["TLSv1.3"] = Unmeasured(Cause.PROTOCOL_ERROR, "odd")
    assert versions.next(2) == ["TLSv1.1", "TLSv1.0"]
    versions.learn("TLSv1.1", ServerHello("TLSv1.0", 0x0005))
    assert versions.next(2) == ["SSLv3"]
    versions.learn("SSLv3", Alert(2, 40))
    assert versions.next(2) == []
    every, oldest, newest = versions.measurements()
    assert oldest.value == "TLSv1.0"
    assert every.cause is newest.cause is Cause.PROTOCOL_ERROR


def test_an_answer_above_the_maximum_is_an_error() -> None:
    with pytest.raises(Unmeasured) as caught:
        Versions().learn("TLSv1.1", ServerHello("TLSv1.2", 0xC02F))
    assert caught.value.cause is Cause.PROTOCOL_ERROR


# --- mail -------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def smtp_before(behind: Handler, *, starttls: bool = True, throttled_from: int = 99) -> AsyncIterator[Listening]:
    """SMTP up to STARTTLS, then what is ``behind`` it; 421 from the given connection on."""

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number >= throttled_from:
            writer.write(b"421 4.7.0 too many connections\r\n")
            return
        writer.write(b"220 mx.example ESMTP\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"EHLO"):
                writer.write(b"250-mx.example\r\n" + (b"250 STARTTLS\r\n" if starttls else b"250 PIPELINING\r\n"))
            elif line.upper() == b"STARTTLS\r\n":
                writer.write(b"220 go ahead\r\n")
                break
            elif line.upper() == b"QUIT\r\n":
                writer.write(b"221 bye\r\n")
                return
        else:
            return
        await behind(number, reader, writer)

    async with scripted(serve) as state:
        yield state


def mail(role: Role, port: int) -> Endpoint:
    return Endpoint(role, host="localhost", port=port, tls="starttls")


@pytest.mark.parametrize("role", ["submission", "mx"])
async def test_behind_starttls(role: Role) -> None:
    with openssl_servers("-min_protocol", "TLSv1.2") as ports:
        async with smtp_before(relay(ports)) as state:
            found = await measure(TLSProbe(), mail(role, state.port))
            assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")
            assert found["tls.cipher"].value == "TLS_AES_256_GCM_SHA384"
            assert found["tls.fallback_scsv"].value is True
            assert state.connections == HANDSHAKE + 2 + WEAK + HYBRID + FALLBACK
            assert state.most_at_once <= (1 if role == "mx" else 4)


async def test_a_throttle_in_between_costs_the_versions_alone() -> None:
    with openssl_servers() as ports:
        async with smtp_before(relay(ports), throttled_from=4) as state:
            found = await measure(TLSProbe(), mail("mx", state.port))
            assert state.connections == 4, "none after the 421"
    assert found["tls.cipher"].value == "TLS_AES_256_GCM_SHA384"
    assert found["tls.handshake_ms"].value is not None
    assert found["tls.newest_version"].value == "TLSv1.3"
    for key in ("tls.versions", "tls.oldest_version"):
        assert found[key].cause is Cause.THROTTLED, found[key]
        assert "accepted: TLSv1.2, TLSv1.3" in found[key].detail


async def test_starttls_that_is_not_offered() -> None:
    async with smtp_before(close_at_once, starttls=False) as state:
        found = await measure(TLSProbe(), mail("submission", state.port))
    assert {each.cause for each in found.values()} == {Cause.TLS_NOT_OFFERED}


async def test_without_tls_nothing_applies() -> None:
    for endpoint in (
        Endpoint("submission", host="127.0.0.1", port=9, tls="none"),
        Endpoint("web", url="http://x.test/"),
    ):
        found = await measure(TLSProbe(), endpoint)
        assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}


async def test_no_server_at_all() -> None:
    async with scripted(close_at_once) as state:
        port = state.port
    found = await measure(TLSProbe(), https(port))
    assert {each.cause for each in found.values()} == {Cause.CONNECTION_REFUSED}


async def close_at_once(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up."""
