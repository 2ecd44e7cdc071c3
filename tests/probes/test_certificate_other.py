"""The certificate of the other kind: asked for with one hello, against OpenSSL's server and against scripted ones."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from probes import ciphers, hello
from probes.certificate import ALL_METRICS, METRICS, OTHER_METRICS, CertificateProbe
from probes.model import Cause, Endpoint, Measurement
from probes.network import Network
from probes.offers import Hellos
from probes.other_certificate import other_kind, suites_of
from probes.runner import probe_endpoint
from probes.tls import TLSProbe
from probes.tls_hellos import _leave_room
from probes.versions import Versions
from tests.probes import certificates as zoo
from tests.probes.loopback import QUICK, Listening, measure, options, reset, scripted
from tests.probes.test_hello import Reader
from tests.probes.tlsmodel import kind_of
from tests.probes.tlsserver import openssl_server, openssl_servers, pump, relay

NAMES = ("localhost",)


def rsa(**how: object) -> zoo.Issued:
    return zoo.issue(zoo.intermediate(), NAMES, common="rsa", key=zoo.rsa_key(), **how)  # type: ignore[arg-type]


def ec(**how: object) -> zoo.Issued:
    return zoo.issue(zoo.intermediate(), NAMES, common="ec", **how)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def server(first: zoo.Issued, second: zoo.Issued | None = None, *arguments: str) -> AsyncIterator[int]:
    """OpenSSL's server with one certificate or two."""
    more: list[str] = []
    if second is not None:
        other = zoo.save(second)
        more = ["-dcert", str(other.chain), "-dkey", str(other.key)]
        more += ["-dcert_chain", str(other.above)] if other.above.stat().st_size else []
    with openssl_servers(*more, *arguments, served=zoo.save(first)) as ports:
        async with scripted(relay(ports)) as state:
            yield state.port


async def found_at(port: int) -> dict[str, Measurement]:
    found = await measure(CertificateProbe(), Endpoint("web", url=f"https://localhost:{port}/"))
    return {key.removeprefix("certificate."): each for key, each in found.items()}


async def found_on(first: zoo.Issued, second: zoo.Issued | None = None, *arguments: str) -> dict[str, Measurement]:
    async with server(first, second, *arguments) as port:
        return await found_at(port)


def names_of(metrics: object) -> list[str]:
    assert isinstance(metrics, tuple)
    return [metric.key.removeprefix("certificate.") for metric in metrics]


OTHERS = names_of(OTHER_METRICS)[1:]


async def test_both_kinds() -> None:
    found = await found_on(rsa(days=(-10, 60)), ec())
    assert found["key_type"].value == "EC"  # which our library prefers
    values = {name: found[name].value for name in ("key_types", *OTHERS, *names_of(ALL_METRICS))}
    assert values == {
        "key_types": ("EC", "RSA"),
        "other_trusted": True,
        "other_trust_error": "none",
        "other_name_matches": True,
        "other_days_left": pytest.approx(60, abs=0.1),
        "other_key_bits": 2048,
        "other_signature_algorithm": "ecdsa-with-SHA256",
        "other_chain_in_order": True,
        "other_chain_complete": True,
        "all_trusted": True,
        "all_names_match": True,
        "fewest_days_left": pytest.approx(60, abs=0.1),
    }


async def test_a_bad_certificate_behind_a_good_one() -> None:
    found = await found_on(
        zoo.issue(zoo.intermediate(), ["elsewhere.example"], key=zoo.rsa_key(1024), days=(-30, -3)),
        ec(),
        "-cipher",
        "ALL:@SECLEVEL=0",
    )
    assert (found["trusted"].value, found["name_matches"].value) == (True, True)
    assert found["other_trusted"].value is False
    assert found["other_trust_error"].value == "expired"
    assert found["other_name_matches"].value is False
    assert found["other_key_bits"].value == 1024
    assert found["all_trusted"].value is False
    assert found["all_trusted"].detail == "expired"
    assert found["all_names_match"].value is False
    assert found["fewest_days_left"].value == pytest.approx(-3, abs=0.1)


@pytest.mark.parametrize(
    ("only", "kind"),
    [
        (rsa, "RSA"),
        (ec, "EC"),
        (lambda: zoo.issue(zoo.intermediate(), NAMES, key=zoo.ed25519.Ed25519PrivateKey.generate()), "Ed25519"),
    ],
)
@pytest.mark.parametrize("version", ["", "-no_tls1_3"])
async def test_one_kind_alone(only: Callable[[], zoo.Issued], kind: str, version: str) -> None:
    found = await found_on(only(), None, *([version] if version else []))
    assert found["key_types"].value == (kind,)
    assert {found[name].cause for name in OTHERS} == {Cause.NOT_APPLICABLE}
    assert found["all_trusted"].value is True
    assert found["all_names_match"].value is True
    assert found["fewest_days_left"].value == found["days_left"].value


async def test_tls_1_3_alone_hides_a_second_certificate() -> None:
    found = await found_on(rsa(), ec(), "-tls1_3")
    for name in ("key_types", *OTHERS, *names_of(ALL_METRICS)):
        assert found[name].cause is Cause.TLS_CLIENT_UNSUPPORTED, name
        assert "TLS 1.3 only" in found[name].detail
    # What the first decides alone is known of all.
    bad = await found_on(zoo.issue(None, ["elsewhere.example"]), None, "-tls1_3")
    assert bad["all_trusted"].value is False
    assert bad["all_names_match"].value is False
    assert bad["fewest_days_left"].cause is Cause.TLS_CLIENT_UNSUPPORTED


async def test_curves_that_are_rare() -> None:
    curve = zoo.ec.generate_private_key(zoo.ec.BrainpoolP256R1())
    found = await found_on(rsa(), zoo.issue(zoo.intermediate(), NAMES, key=curve), "-tls1_2")
    assert found["key_types"].value == ("EC", "RSA")


async def test_an_ec_certificate_that_rsa_signed() -> None:
    authority = zoo.issue(zoo.root(), common="RSA Intermediate", authority=True, key=zoo.rsa_key())
    mixed = zoo.issue(authority, NAMES, common="ec")
    # With no ECDHE for the first, the library is shown the RSA certificate.
    found = await found_on(
        rsa(), mixed, "-tls1_2", "-cipher", "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA", "-serverpref"
    )
    assert found["key_type"].value == "RSA"
    assert found["key_types"].value == ("EC", "RSA")
    assert found["other_signature_algorithm"].value == "sha256WithRSAEncryption"


# --- the hello --------------------------------------------------------------------------------------------------------


def test_the_suites_leave_no_choice_of_the_kind() -> None:
    for kind, authenticated in (("RSA", {"RSA", "DHE_RSA", "ECDHE_RSA"}), ("EC", {"ECDHE_ECDSA"})):
        suites = suites_of(kind)  # type: ignore[arg-type]
        assert {ciphers.key_exchange(number) for number in suites} == authenticated
        assert 20 <= len(suites) <= 64
        assert len(set(suites)) == len(suites)
    # What servers really have must not fall off the end: 3DES, CBC, Camellia, with every key exchange.
    names = [ciphers.name(number) for number in suites_of("RSA")]
    for exchange in ("RSA", "DHE_RSA", "ECDHE_RSA"):
        assert f"TLS_{exchange}_WITH_3DES_EDE_CBC_SHA" in names
        assert f"TLS_{exchange}_WITH_AES_128_CBC_SHA" in names
        assert f"TLS_{exchange}_WITH_AES_256_GCM_SHA384" in names
    assert "TLS_RSA_WITH_RC4_128_MD5" in names
    assert [other_kind(key) for key in ("RSA", "RSA-PSS", "EC", "Ed25519", "DSA")] == ["EC", "EC", "RSA", "RSA", "RSA"]


# --- scripted servers -------------------------------------------------------------------------------------------------

Answer = Callable[[asyncio.StreamWriter], None]


@contextlib.asynccontextmanager
async def then(answer: Answer | None, *, silent: bool = False) -> AsyncIterator[Listening]:
    """A server whose first connection is OpenSSL's, which has an EC certificate; further ones get ``answer`` to what
    they send first and are closed, or held open when ``silent``."""
    with openssl_server(zoo.save(ec())) as port:

        async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if number == 1:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)
                return
            await reader.read(4096)
            if answer is not None:
                answer(writer)
                await writer.drain()
            if silent:
                await reader.read()

        async with scripted(serve) as state:
            yield state


def sends(*data: bytes) -> Answer:
    return lambda writer: writer.write(b"".join(data))


def alert(number: int, level: int = 2) -> bytes:
    return bytes([21, 3, 3, 0, 2, level, number])


def message(kind: int, body: bytes) -> bytes:
    inner = bytes([kind]) + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x03" + len(inner).to_bytes(2, "big") + inner


def server_hello(suite: int) -> bytes:
    return message(2, b"\x03\x03" + bytes(32) + b"\x00" + suite.to_bytes(2, "big") + b"\x00")


def certificate(*chain: bytes) -> bytes:
    listed = b"".join(len(each).to_bytes(3, "big") + each for each in chain)
    return message(11, len(listed).to_bytes(3, "big") + listed)


RSA_SUITE, EC_SUITE = 0x009C, 0xC02B
DONE = message(14, b"")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (sends(alert(40)), None),
        (sends(alert(71)), None),
        (sends(alert(70)), Cause.TLS_CLIENT_UNSUPPORTED),
        (sends(alert(80)), Cause.TLS_ALERT),
        (sends(alert(112)), Cause.TLS_ALERT),
        (sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Cause.TLS_HANDSHAKE_ERROR),
        (sends(bytes(100)), Cause.PROTOCOL_ERROR),
        (None, Cause.CONNECTION_RESET),
        (reset, Cause.CONNECTION_RESET),
        (sends(server_hello(RSA_SUITE)), Cause.CONNECTION_RESET),
        (sends(server_hello(RSA_SUITE), alert(80)), Cause.TLS_ALERT),
        (sends(server_hello(RSA_SUITE), alert(40)), Cause.TLS_ALERT),  # it had chosen already: no refusal
        (sends(server_hello(RSA_SUITE), DONE), Cause.PROTOCOL_ERROR),
        (sends(server_hello(RSA_SUITE), certificate()), Cause.PROTOCOL_ERROR),
        (sends(server_hello(RSA_SUITE), certificate(b"garbage"), DONE), Cause.PROTOCOL_ERROR),
        (sends(server_hello(RSA_SUITE), certificate(ec().der), DONE), Cause.PROTOCOL_ERROR),
        (sends(server_hello(EC_SUITE), certificate(ec().der), DONE), Cause.PROTOCOL_ERROR),
        (sends(server_hello(EC_SUITE), certificate(rsa().der), DONE), Cause.PROTOCOL_ERROR),
    ],
)
async def test_only_a_refusal_shows_that_there_is_no_other(answer: Answer | None, cause: Cause | None) -> None:
    async with then(answer) as state:
        found = await found_at(state.port)
    assert state.connections == 2
    assert found["trusted"].value is True
    if cause is None:
        assert found["key_types"].value == ("EC",)
        assert found["all_trusted"].value is True
    else:
        assert {found[name].cause for name in ("key_types", *OTHERS, *names_of(ALL_METRICS))} == {cause}


async def test_a_server_that_falls_silent() -> None:
    async with then(sends(server_hello(RSA_SUITE)), silent=True) as state:
        found = await found_at(state.port)
    assert found["key_types"].cause is Cause.DEADLINE_EXCEEDED
    assert found["trusted"].value is True


async def test_a_chain_that_is_cut_short_after_the_certificates_counts() -> None:
    chain = certificate(*rsa().chain)
    async with then(sends(server_hello(RSA_SUITE), chain)) as state:
        found = await found_at(state.port)
    assert found["key_types"].value == ("EC", "RSA")
    assert found["other_trusted"].value is True


async def test_strangers_in_the_other_chain() -> None:
    chain = certificate(rsa().der, b"garbage", zoo.intermediate().der)
    async with then(sends(server_hello(RSA_SUITE), chain, DONE)) as state:
        found = await found_at(state.port)
    assert found["other_trusted"].value is True
    assert found["other_chain_in_order"].cause is Cause.PROTOCOL_ERROR


async def test_a_server_that_may_not_be_dialled_again() -> None:
    chosen = options(limits=dataclasses.replace(QUICK, connections_per_address=1))
    async with then(sends(alert(40))) as state:
        endpoint = Endpoint("web", url=f"https://localhost:{state.port}/")
        found = await measure(CertificateProbe(), endpoint, chosen)
    assert state.connections == 1
    assert found["certificate.trusted"].value is True
    assert {found[f"certificate.{name}"].cause for name in ("key_types", *OTHERS)} == {Cause.NOT_PERMITTED}


async def test_what_matters_more_gets_its_connections_first() -> None:
    over = asyncio.Event()
    async with then(sends(alert(40))) as state:
        endpoint = Endpoint("web", url=f"https://localhost:{state.port}/")
        async with Network(endpoint, options()) as network:
            first = asyncio.create_task(network.once("first hellos", over.wait))
            measuring = asyncio.create_task(_measured(endpoint, network))
            done, _ = await asyncio.wait({measuring}, timeout=0.3)
            assert not done
            assert state.connections == 1
            over.set()
            found = await measuring
            await first
    assert state.connections == 2
    assert found["certificate.key_types"].value == ("EC",)


async def test_where_there_is_a_place_for_everybody_the_last_hellos_go_at_once() -> None:
    last, come, all_there = {"hybrid", "fallback", "other"}, set[str](), asyncio.Event()

    async def hold(first: bytes) -> None:
        kind = kind_of(Reader(first))
        if kind in last:
            come.add(kind)
            if come == last:
                all_there.set()
            await all_there.wait()

    patient = options(limits=dataclasses.replace(QUICK, deadline=60, read_timeout=40))
    with openssl_servers("-min_protocol", "TLSv1.2", served=zoo.save(ec())) as ports:
        async with scripted(relay(ports, hold)) as state:
            endpoint = Endpoint("api", url=f"https://localhost:{state.port}/")
            report = await probe_endpoint(endpoint, options=patient, probes=[TLSProbe(), CertificateProbe()])
    found = {each.metric: each for each in report.measurements}
    assert found["tls.fallback_scsv"].value is True
    assert found["tls.post_quantum"].cause is None
    assert found["certificate.key_types"].value == ("EC",)
    assert state.connections == 7, "and one is kept for the second conversation"
    assert state.most_at_once <= 4


async def test_who_gets_a_place_is_the_same_at_once_as_one_after_the_other() -> None:
    endpoint = Endpoint("submission", host="localhost", port=587, tls="implicit")
    async with Network(endpoint, options()) as network:
        for sent, tls_13, older in itertools.product(range(7), (True, False), range(3)):
            seen = dict.fromkeys(("TLSv1.2", "TLSv1.1")[:older], True)
            versions = Versions({"TLSv1.3": tls_13, **seen})  # type: ignore[dict-item]
            hellos = Hellos(endpoint, network)
            assert hellos.allowance == 6, "the first conversation and the second one have their own"
            left = hellos.allowance - sent
            hybrid = tls_13 and left > 0
            fallback = len(versions.seen) > 1 and left - hybrid >= 2
            other = left - hybrid - fallback > 0
            hellos.sent = sent
            assert _leave_room(hellos, versions) is other
            if other:
                hellos.sent += hybrid
                assert (hellos.sent < hellos.allowance) >= fallback, "its place is still there"
                assert hellos.allowance == 5, "and nobody takes that of the other certificate"


async def _measured(endpoint: Endpoint, network: Network) -> dict[str, Measurement]:
    return {each.metric: each for each in await CertificateProbe().measure(endpoint, network)}


def test_metrics_and_alerts_are_what_they_are_said_to_be() -> None:
    keys = [metric.key for metric in METRICS]
    assert len(keys) == len(set(keys))
    assert hello.ALERTS[40] == "handshake_failure"
    assert hello.ALERTS[71] == "insufficient_security"
