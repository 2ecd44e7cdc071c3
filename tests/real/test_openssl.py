"""OpenSSL's server in several settings, with what we must find predicted from its command line; its client as a second
opinion; and a newer OpenSSL (the one behind pyOpenSSL) for what Debian's has not."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import select
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Literal

import pytest
from OpenSSL import SSL

from probes.hello import Version
from probes.model import Cause, Endpoint, Measurement
from probes.suites import iana_name
from probes.tls import TLSProbe
from tests import needs
from tests.probes import certificates as zoo
from tests.probes.loopback import measure, options, scripted
from tests.probes.tlsserver import openssl_servers, prime, relay

pytestmark = pytest.mark.real

Depth = Literal["standard", "full"]
NOTHING_LESS = ("-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
ECDSA = zoo.save(zoo.issue(zoo.intermediate(), ["localhost"]))
BOTH = ("-dcert", str(ECDSA.chain), "-dkey", str(ECDSA.key), "-dcert_chain", str(ECDSA.above))
NEW = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


async def probed(*arguments: str, depth: Depth = "full", served: zoo.Served | None = None) -> dict[str, Measurement]:
    """What we find at s_server with these arguments."""
    with openssl_servers(*arguments, served=served) as ports:
        async with scripted(relay(ports)) as state:
            return await at(state.port, depth)


async def at(port: int, depth: Depth = "full") -> dict[str, Measurement]:
    chosen = dataclasses.replace(options(), depth=depth)
    return await measure(TLSProbe(), Endpoint("api", url=f"https://localhost:{port}/"), chosen)


def check(found: dict[str, Measurement], **expected: object) -> None:
    """Compare with what is predicted: a value, or a cause; sets as lists of names."""
    for name, value in expected.items():
        each = found[f"tls.{name}"]
        shown = each.cause or (set(each.value) if isinstance(each.value, tuple) else each.value)
        assert shown == (set(value) if isinstance(value, list | tuple) else value), each


def suites(*openssl: str) -> list[str]:
    """IANA names of suites that OpenSSL names its own way."""
    return [iana_name(each) for each in openssl]


async def test_modern_with_the_servers_order() -> None:
    ciphers = ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256")
    found = await probed(
        "-min_protocol", "TLSv1.2", "-cipher", ":".join(ciphers), "-groups", "X25519:P-256", "-serverpref",
        "-ciphersuites", "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
    )  # fmt: skip
    check(
        found,
        versions=["TLSv1.2", "TLSv1.3"],
        suites=[*suites(*ciphers), "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
        server_order="server",
        groups=["x25519", "secp256r1"],
        curve="x25519",
        weak_suites=False,
        weak_families=[],
        forward_secrecy=True,
        forward_secrecy_only=True,
        aead=True,
        aead_only=True,
        dh_bits=Cause.NOT_APPLICABLE,
        key_exchange_hash="sha256",
        extended_master_secret=True,
        secure_renegotiation=True,
        compression=False,
        session_tickets=True,
        post_quantum=False,
        post_quantum_groups=[],
        fallback_scsv=True,
        sslv2=False,
    )


async def test_the_clients_order_no_tickets_and_static_keys() -> None:
    ciphers = ("ECDHE-RSA-AES256-SHA384", "AES256-GCM-SHA384", "AES128-SHA", "CAMELLIA128-SHA")
    found = await probed("-tls1_2", "-cipher", ":".join(ciphers), "-no_ticket", "-groups", "P-384")
    check(
        found,
        versions=["TLSv1.2"],
        suites=suites(*ciphers),
        server_order="client",
        groups=["secp384r1"],
        forward_secrecy=True,
        forward_secrecy_only=False,
        aead=True,
        aead_only=False,
        session_tickets=False,
        post_quantum=Cause.NOT_APPLICABLE,
        fallback_scsv=Cause.NOT_APPLICABLE,
    )


async def test_cbc_and_static_keys_alone() -> None:
    found = await probed("-tls1_2", "-cipher", "AES128-SHA:AES256-SHA256")
    check(
        found,
        suites=suites("AES128-SHA", "AES256-SHA256"),
        forward_secrecy=False,
        forward_secrecy_only=False,
        aead=False,
        aead_only=False,
        groups=[],
        curve=Cause.NOT_APPLICABLE,
        key_exchange_hash=Cause.NOT_APPLICABLE,
    )


async def test_tls_1_3_alone() -> None:
    found = await probed("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-groups", "P-521:ffdhe3072:X448")
    check(
        found,
        versions=["TLSv1.3"],
        suites=["TLS_AES_128_GCM_SHA256"],
        server_order=Cause.NOT_APPLICABLE,
        groups=["secp521r1", "ffdhe3072", "x448"],
        weak_suites=False,
        weak_families=[],
        forward_secrecy_only=True,
        aead_only=True,
        extended_master_secret=Cause.NOT_APPLICABLE,
        compression=Cause.NOT_APPLICABLE,
        session_tickets=Cause.NOT_APPLICABLE,
        secure_renegotiation=Cause.NOT_APPLICABLE,
        key_exchange_hash=Cause.NOT_APPLICABLE,
        fallback_scsv=Cause.NOT_APPLICABLE,
        dh_bits=Cause.NOT_APPLICABLE,
    )


@pytest.mark.parametrize(
    ("arguments", "maximum", "hashed"),
    [
        (("-tls1_2",), "TLSv1.2", "sha512"),  # without -serverpref it takes the first that it was offered
        (("-tls1_2", "-sigalgs", "RSA+SHA1"), "TLSv1.2", "sha1"),
        (("-tls1_2", "-sigalgs", "RSA-PSS+SHA512:RSA+SHA512"), "TLSv1.2", "sha512"),
        (("-tls1_1",), "TLSv1.1", "md5+sha1"),
    ],
)
async def test_the_hash_of_the_key_exchange(arguments: Sequence[str], maximum: Version, hashed: str) -> None:
    found = await probed(*arguments, "-cipher", "ECDHE:@SECLEVEL=0", depth="standard")
    check(found, versions=[maximum], key_exchange_hash=hashed)


async def test_the_hash_of_an_ecdsa_key_before_tls_1_2() -> None:
    found = await probed("-tls1", "-cipher", "ECDHE:@SECLEVEL=0", depth="standard", served=ECDSA)
    check(found, versions=["TLSv1.0"], key_exchange_hash="sha1")


@pytest.mark.parametrize("bits", [2048, 3072])
async def test_the_prime(bits: int) -> None:
    ciphers = ("ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256")
    arguments = ("-tls1_2", "-cipher", ":".join(ciphers), "-dhparam", str(prime(f"ffdhe{bits}")))
    check(await probed(*arguments), dh_bits=bits, suites=suites(*ciphers), curve="x25519")
    check(await probed(*arguments, depth="standard"), dh_bits=Cause.NOT_PERMITTED)
    check(await probed(*arguments[:2], ciphers[1], *arguments[3:], depth="standard"), dh_bits=bits)


async def test_weak_families_and_old_versions() -> None:
    weak = ("AECDH-AES128-SHA", "NULL-SHA")
    strong = ("ECDHE-RSA-AES128-SHA",)
    found = await probed("-no_tls1_3", "-cipher", ":".join((*strong, *weak, "@SECLEVEL=0")))
    check(
        found,
        versions=["TLSv1.0", "TLSv1.1", "TLSv1.2"],
        oldest_version="TLSv1.0",
        suites=suites(*strong, *weak),
        weak_suites=True,
        weak_families=["anonymous", "null"],
    )
    found = await probed("-no_tls1_3", "-cipher", ":".join((*strong, *weak, "@SECLEVEL=0")), depth="standard")
    check(found, weak_suites=True, weak_families=Cause.NOT_PERMITTED)


async def test_openssl_by_itself_refuses_old_versions_with_internal_error() -> None:
    found = await probed("-min_protocol", "TLSv1", depth="standard")
    check(found, versions=["TLSv1.2", "TLSv1.3"], oldest_version="TLSv1.2", weak_suites=False)


async def test_suites_of_both_kinds_of_key() -> None:
    ciphers = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES256-SHA")
    found = await probed("-tls1_2", "-cipher", ":".join(ciphers), *BOTH)
    check(found, suites=suites(*ciphers))


def agreed(port: int, cipher: str) -> bool:
    """Whether OpenSSL's client agrees on this suite with the server."""
    program = needs.require("openssl", "openssl")
    command = [program, "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-brief"]
    command += ["-cipher", f"{cipher}:@SECLEVEL=0"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    match = re.search(rb"^Ciphersuite: (\S+)", done.stderr + done.stdout, re.MULTILINE)
    return match is not None and match[1].decode() == cipher


async def test_the_client_of_openssl_finds_the_same_suites_one_by_one() -> None:
    program = needs.require("openssl", "openssl")
    command = [program, "ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:!PSK:!SRP:@SECLEVEL=0"]
    listed = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    every = listed.stdout.decode().strip().split(":")
    assert len(every) > 60
    arguments = ("-tls1_2", "-cipher", "AES:!PSK:!SRP:!aNULL:!CCM:@SECLEVEL=0", "-no_ticket")
    with openssl_servers(*arguments) as ports:
        turn = asyncio.Semaphore(2)

        async def one(cipher: str) -> str | None:
            async with turn:
                return cipher if await asyncio.to_thread(agreed, ports[0], cipher) else None

        theirs = [cipher for cipher in await asyncio.gather(*map(one, every)) if cipher is not None]
        async with scripted(relay(ports)) as state:
            found = await at(state.port)
    assert 10 < len(theirs) < 40
    check(found, suites=suites(*theirs))


# --- a newer OpenSSL --------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def newer_openssl() -> AsyncIterator[int]:
    """The OpenSSL of pyOpenSSL as a server on loopback; it shakes hands and says no more. Its port."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_privatekey_file(str(zoo.localhost().key))
    context.use_certificate_chain_file(str(zoo.localhost().chain))
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    listening = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def one(connected: socket.socket) -> None:
        with connected:
            tls = SSL.Connection(context, connected)
            tls.set_accept_state()
            with contextlib.suppress(SSL.Error, OSError):
                tls.do_handshake()
                tls.recv(1000)

    def serve() -> None:
        while not stopping.is_set():
            if select.select([listening], [], [], 0.1)[0]:
                threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        stopping.set()
        thread.join()
        listening.close()


async def test_post_quantum_groups_of_a_newer_openssl() -> None:
    # The default of OpenSSL 3.5 and later begins with X25519MLKEM768 (SSL_CONF_cmd(3), Groups); later ones have more.
    async with newer_openssl() as port:
        standard, full = await at(port, "standard"), await at(port)
    check(standard, group="X25519MLKEM768", post_quantum=True, post_quantum_groups=Cause.NOT_PERMITTED)
    groups, hybrids = full["tls.groups"].value, full["tls.post_quantum_groups"].value
    assert isinstance(groups, tuple)
    assert isinstance(hybrids, tuple)
    assert {"X25519MLKEM768", "x25519", "secp256r1"} <= set(groups)
    assert set(hybrids) == set(groups) & {"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"}
    assert not {"ffdhe8192", "secp160r1", "sect163k1"} & set(groups), "what the default leaves out"
