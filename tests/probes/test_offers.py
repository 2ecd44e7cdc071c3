"""What a server accepts of what it is offered, seen at servers that accept what no library has any more."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import struct
import subprocess
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import ciphers, hello
from probes.flight import SIGNATURES
from probes.model import Cause, Endpoint, Measurement
from probes.network import Limits
from probes.offers import take_apart
from probes.sslv2 import Error2, Reader2, ServerHello2, client_hello2
from probes.suites import iana_name
from probes.tls import TLSProbe
from tests import needs
from tests.probes.loopback import QUICK, Handler, measure, options, scripted
from tests.probes.test_hello import RETRY, Reader, extension, record, server_hello
from tests.probes.tlsmodel import Kind, Model, alert

Depth = Literal["standard", "full"]

GCM, CBC, RSA_CBC, DHE = 0xC02F, 0xC013, 0x002F, 0x0033
DES3, RC4, EXPORT, DES, IDEA, NULL, ANON = 0x000A, 0x0005, 0x0003, 0x0009, 0x0007, 0x0002, 0x0034
NAMES = {each: ciphers.name(each) for each in (GCM, CBC, RSA_CBC, DHE, 0x1301, 0x1302, 0x1303)}
MODERN: dict[hello.Version, tuple[int, ...]] = {"TLSv1.3": (0x1302, 0x1301), "TLSv1.2": (GCM, 0xC030)}


async def at(handler: Handler, depth: Depth = "standard", limits: Limits = QUICK) -> dict[str, Measurement]:
    async with scripted(handler) as state:
        endpoint = Endpoint("submission", host="localhost", port=state.port, tls="implicit")
        chosen = dataclasses.replace(options(limits=limits), depth=depth)
        return await measure(TLSProbe(), endpoint, chosen)


async def of(model: Model, depth: Depth = "standard", limits: Limits = QUICK) -> dict[str, Measurement]:
    return await at(model.handler(), depth, limits)


# --- how many connections ---------------------------------------------------------------------------------------------


async def test_connections_to_a_modern_server() -> None:
    model = Model(MODERN)
    found = await of(model)
    # The refused handshake shows no TLS 1.3, so there is a third version hello, and no place for the fallback signal:
    # one is for the second conversation and one for the other kind of certificate. (Without that: test_tls.)
    assert sorted(model.seen) == ["handshake", "hybrid", "version", "version", "version", "weak"]
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")
    assert found["tls.fallback_scsv"].cause is Cause.NOT_PERMITTED


async def test_connections_to_a_modern_server_at_full_depth() -> None:
    model = Model(MODERN)
    found = await of(model, "full")
    assert {found[key].cause for key in ("tls.suites", "tls.groups", "tls.server_order", "tls.sslv2")} == {None}
    assert model.seen.count("sslv2") == 1
    suites = 1 + 1 + 4  # one more of TLS 1.3, its end, the end of each of four chunks; one was known
    groups = 3  # two and the end
    older = 1  # groups of TLS 1.2: the end
    assert len(model.seen) <= 9 + suites + 2 + groups + older + 1 + 2


async def test_connections_to_a_legacy_server() -> None:
    model = Model(dict.fromkeys(hello.VERSIONS[:3], (CBC, DES3, RC4)))
    found = await of(model)
    assert found["tls.versions"].value == ("SSLv3", "TLSv1.0", "TLSv1.1")
    assert model.seen.count("version") == 5
    assert len(model.seen) <= 7, "one is left for the second conversation"
    assert found["tls.post_quantum"].cause is Cause.NOT_APPLICABLE
    assert found["tls.fallback_scsv"].cause is Cause.NOT_PERMITTED


async def test_connections_to_a_legacy_server_at_full_depth() -> None:
    suites = (CBC, RSA_CBC, DHE, DES3, RC4)
    model = Model(dict.fromkeys(hello.VERSIONS[:3], suites))
    found = await of(model, "full")
    assert found["tls.suites"].value == tuple(sorted(ciphers.name(each) for each in suites))
    assert found["tls.weak_families"].value == ("3des", "rc4")
    first = 1 + 5 + 3 + 1  # the refused handshake, versions, weak families, the fallback signal
    apart = 1 + 1 + 3  # SSL 2.0, the prime, two curves and their end
    # Those that TLS 1.1 accepts were seen already but for two; then the end of each chunk of every version; the order.
    assert len(model.seen) <= first + apart + 2 + 3 * 2 + 2


async def test_a_long_list_ends_at_our_limit_and_says_so() -> None:
    model = Model({"TLSv1.2": ciphers.candidates(False)})
    found = await of(model, "full")
    assert len(model.seen) <= QUICK.connections_per_address_full - 7
    assert found["tls.suites"].cause is Cause.NOT_PERMITTED
    assert "accepted so far: TLS_" in found["tls.suites"].detail
    assert found["tls.server_order"].value == "server", "for which two are kept"
    assert found["tls.weak_suites"].value is True
    assert found["tls.forward_secrecy_only"].value is False
    assert found["tls.groups"].value == ("secp256r1", "x25519")


# --- weak families ----------------------------------------------------------------------------------------------------


async def test_no_weak_suite() -> None:
    found = await of(Model(MODERN))
    assert found["tls.weak_suites"].value is False
    assert found["tls.weak_families"].value == ()


@pytest.mark.parametrize(
    ("suite", "families"),
    [
        (ANON, ("anonymous",)),
        (NULL, ("null",)),
        (DES, ("des",)),
        (RC4, ("rc4",)),
        (DES3, ("3des",)),
        (IDEA, ("idea",)),
        (EXPORT, ("export", "rc4")),
        (0x0006, ("export", "rc2")),
        (0x0017, ("anonymous", "export", "rc4")),
    ],
)
async def test_each_weak_family(suite: int, families: tuple[str, ...]) -> None:
    model = Model({"TLSv1.2": (GCM, suite)})
    found = await of(model)
    assert found["tls.weak_suites"].value is True
    assert ciphers.name(suite) in found["tls.weak_suites"].detail
    assert found["tls.weak_families"].cause is Cause.NOT_PERMITTED
    assert ", ".join(families) in found["tls.weak_families"].detail
    found = await of(model, "full")
    assert found["tls.weak_families"].value == families


async def test_all_weak_families_at_full_depth() -> None:
    found = await of(Model({"TLSv1.0": (CBC, DES3, RC4, EXPORT, 0x0006, DES, IDEA, NULL, ANON)}), "full")
    assert found["tls.weak_families"].value == ("3des", "anonymous", "des", "export", "idea", "null", "rc2", "rc4")


async def test_tls_1_3_alone_has_no_weak_suites() -> None:
    found = await of(Model({"TLSv1.3": (0x1301,)}))
    assert found["tls.weak_suites"].value is False
    assert found["tls.weak_families"].value == ()
    assert found["tls.forward_secrecy_only"].value is True
    assert found["tls.aead_only"].value is True


async def test_weak_suites_met_with_silence_are_unknown() -> None:
    model = Model(MODERN)
    found = await at(instead(model, "weak", b""))
    assert found["tls.weak_suites"].cause is found["tls.weak_families"].cause is Cause.CONNECTION_RESET
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")


def instead(model: Model, kind: Kind, said: bytes) -> Handler:
    """The model, but for what it says to one kind of hello."""

    class Other(Model):
        def answer(self, parsed: Reader) -> bytes:
            answer = super().answer(parsed)
            return said if self.seen[-1] == kind else answer

    return Other(**{each.name: getattr(model, each.name) for each in dataclasses.fields(model)}).handler()


# --- servers that hang up ---------------------------------------------------------------------------------------------


class HangsUp(Model):
    """Closes the connection where an alert is due."""

    def answer(self, parsed: Reader) -> bytes:
        answer = super().answer(parsed)
        return b"" if answer.startswith(b"\x15") else answer


# The model refuses the full handshake, so that one hello more than usual has to find TLS 1.3.
ONE_MORE = dataclasses.replace(QUICK, connections_per_address=9)


@pytest.mark.parametrize("depth", ["standard", "full"])
async def test_a_server_that_hangs_up_where_it_refuses(depth: Depth) -> None:
    model = HangsUp({"TLSv1.3": (0x1302, 0x1301), "TLSv1.2": (GCM, CBC)}, sslv2=b"")
    found = await of(model, depth, ONE_MORE)
    assert found["tls.weak_suites"].value is False
    assert found["tls.weak_families"].value == ()
    assert found["tls.post_quantum"].value is False
    assert found["tls.post_quantum_groups"].value == ()
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3"), "it hung up twice on the hello of TLS 1.1"
    assert found["tls.oldest_version"].value == "TLSv1.2"
    if depth == "full":
        assert found["tls.fallback_scsv"].value is True
        assert found["tls.groups"].value == ("secp256r1", "x25519")
        assert found["tls.server_order"].value == "server"
        assert found["tls.sslv2"].value is False
        assert found["tls.dh_bits"].cause is Cause.NOT_APPLICABLE
        assert found["tls.suites"].value == tuple(sorted(NAMES[each] for each in (0x1301, 0x1302, GCM, CBC)))
        assert model.seen[-1] == "version", "in the end it still answers"
    assert len(model.seen) <= (8 if depth == "standard" else 32)


async def test_where_few_connections_are_left_hanging_up_is_no_evidence() -> None:
    model = HangsUp({"TLSv1.3": (0x1302, 0x1301), "TLSv1.2": (GCM, CBC)})
    found = await of(model)
    for key in ("weak_suites", "post_quantum", "versions", "oldest_version"):
        assert found[f"tls.{key}"].cause is Cause.CONNECTION_RESET
    assert found["tls.newest_version"].value == "TLSv1.3"


class HasHadEnough(Model):
    """Hangs up on every hello after the first ``patience``."""

    patience = 0

    def answer(self, parsed: Reader) -> bytes:
        return super().answer(parsed) if len(self.seen) <= self.patience else b""


# Everything that a refusal would hide: a weak suite, an old version, a hybrid group, primes.
RICH: dict[hello.Version, tuple[int, ...]] = {
    "TLSv1.3": (0x1302, 0x1301),
    "TLSv1.2": (GCM, DHE, RC4),
    "TLSv1.1": (CBC, RC4),
    "TLSv1.0": (CBC, RC4),
}


@pytest.mark.parametrize("depth", ["standard", "full"])
async def test_a_server_that_has_had_enough_of_us_refuses_nothing(depth: Depth) -> None:
    """However many hellos it answers before it hangs up on all: no value but what it shows to the patient."""
    limits = dataclasses.replace(QUICK, connections_per_address=12)

    async def asked(patience: int) -> dict[str, Measurement]:
        model = HasHadEnough(RICH, groups=(0x001D, 0x0017, 0x11EC))
        model.patience = patience
        return await of(model, depth, limits)

    patient = await asked(1000)
    assert patient["tls.post_quantum"].value is patient["tls.weak_suites"].value is True
    for patience in (*range(1, 13), *range(14, 40, 4)) if depth == "full" else range(1, 10):
        for key, measured in (await asked(patience)).items():
            assert measured.cause is not None or measured.value == patient[key].value, (patience, key, measured)


async def test_a_server_that_hangs_up_on_weak_suites_alone_is_not_understood() -> None:
    model = Model(MODERN)
    found = await at(instead(model, "weak", b""))
    assert found["tls.weak_suites"].cause is Cause.CONNECTION_RESET
    assert "other" in model.seen, "reserved numbers, which this server answers with an alert"


async def test_a_server_that_always_hangs_up_is_not_understood() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5000)

    async with scripted(serve) as state:
        endpoint = Endpoint("submission", host="localhost", port=state.port, tls="implicit")
        found = await measure(TLSProbe(), endpoint, options())
    assert {each.cause for each in found.values()} == {Cause.CONNECTION_RESET}
    assert state.connections <= 1 + 3


# --- choices that were not offered ------------------------------------------------------------------------------------

NOT_OFFERED = record(22, server_hello(0x0303, 0x0005, b""))


@pytest.mark.parametrize(
    ("kind", "said", "keys"),
    [
        ("weak", record(22, server_hello(0x0303, GCM, b"")), ("tls.weak_suites", "tls.weak_families")),
        ("hybrid", record(22, server_hello(0x0303, 0x1301, extension(43, b"\x03\x04"))), ("tls.post_quantum",)),
        (
            "hybrid",
            record(22, server_hello(0x0303, 0x1301, extension(43, b"\x03\x04") + extension(51, b"\x00\x1d"), RETRY)),
            ("tls.post_quantum", "tls.post_quantum_groups"),
        ),
        ("fallback", record(22, server_hello(0x0303, 0xFF85, b"")), ("tls.fallback_scsv",)),
    ],
)
async def test_what_was_not_offered_is_a_protocol_error(kind: Kind, said: bytes, keys: tuple[str, ...]) -> None:
    model = Model(MODERN)
    found = await at(instead(model, kind, said), "full" if kind == "fallback" else "standard")
    for key in keys:
        assert found[key].cause is Cause.PROTOCOL_ERROR, found[key]
        assert "not offered" in found[key].detail or "no group" in found[key].detail
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")


async def test_a_suite_that_was_not_offered_ends_the_list_of_suites() -> None:
    class Careless(Model):
        def choose(self, own: Sequence[int], offered: Sequence[int]) -> int | None:
            chosen = super().choose(own, offered)
            return GCM if chosen is None and own == (GCM,) else chosen

    found = await of(Careless({"TLSv1.2": (GCM,)}), "full")
    assert found["tls.suites"].cause is Cause.PROTOCOL_ERROR
    assert NAMES[GCM] in found["tls.suites"].detail
    assert found["tls.weak_suites"].cause is Cause.PROTOCOL_ERROR


# --- parameters of TLS 1.2 and older ----------------------------------------------------------------------------------


async def test_parameters_of_a_good_server() -> None:
    found = await of(Model(MODERN))
    values = {
        "tls.extended_master_secret": True,
        "tls.secure_renegotiation": True,
        "tls.session_tickets": True,
        "tls.compression": False,
        "tls.curve": "x25519",
        "tls.key_exchange_hash": "sha256",
        "tls.forward_secrecy": True,
        "tls.aead": True,
    }
    assert {key: found[key].value for key in values} == values


async def test_parameters_of_a_bad_server() -> None:
    model = Model({"TLSv1.2": (CBC, RSA_CBC)}, extensions=b"", compression=1, signature=0x0201, curves=(0x0018,))
    found = await of(model)
    values = {
        "tls.extended_master_secret": False,
        "tls.secure_renegotiation": False,
        "tls.session_tickets": False,
        "tls.compression": True,
        "tls.curve": "secp384r1",
        "tls.key_exchange_hash": "sha1",
    }
    assert {key: found[key].value for key in values} == values
    assert found["tls.aead"].cause is Cause.NOT_PERMITTED
    full = await of(dataclasses.replace(model, compression=0), "full")
    assert full["tls.aead"].value is False
    assert full["tls.forward_secrecy"].value is True
    assert full["tls.forward_secrecy_only"].value is False


async def test_parameters_of_tls_1_3_alone_do_not_apply() -> None:
    found = await of(Model({"TLSv1.3": (0x1301,)}))
    for what in ("extended_master_secret", "secure_renegotiation", "session_tickets", "compression", "curve",
                 "key_exchange_hash", "dh_bits"):  # fmt: skip
        assert found[f"tls.{what}"].cause is Cause.NOT_APPLICABLE


async def test_parameters_are_missing_with_the_hello() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5000)
        if number == 1:
            writer.write(alert(40))

    found = await at(serve)
    for what in ("extended_master_secret", "compression", "curve", "forward_secrecy", "aead_only", "post_quantum"):
        assert found[f"tls.{what}"].cause is Cause.CONNECTION_RESET, what


@pytest.mark.parametrize(
    ("suite", "curve", "hashed", "bits"),
    [
        (RSA_CBC, Cause.NOT_APPLICABLE, Cause.NOT_APPLICABLE, Cause.NOT_PERMITTED),
        (DHE, Cause.NOT_APPLICABLE, "sha256", 1024),
        (ANON, Cause.NOT_APPLICABLE, Cause.NOT_APPLICABLE, 1024),
        (0xC018, "x25519", Cause.NOT_APPLICABLE, Cause.NOT_PERMITTED),
        (CBC, "x25519", "sha256", Cause.NOT_PERMITTED),
    ],
)
async def test_key_exchanges(suite: int, curve: object, hashed: object, bits: object) -> None:
    found = await of(Model({"TLSv1.2": (suite,)}, prime=1024))
    for key, expected in (("tls.curve", curve), ("tls.key_exchange_hash", hashed), ("tls.dh_bits", bits)):
        assert (found[key].cause or found[key].value) == expected, found[key]


@pytest.mark.parametrize(
    ("version", "suite", "signature", "expected"),
    [
        ("TLSv1.2", GCM, 0x0807, "sha512"),
        ("TLSv1.2", GCM, 0x0808, "shake256"),
        ("TLSv1.2", GCM, 0x0101, "md5"),
        ("TLSv1.2", GCM, 0x0806, "sha512"),
        ("TLSv1.2", GCM, 0x7777, Cause.TLS_CLIENT_UNSUPPORTED),
        ("TLSv1.1", CBC, 0, "md5+sha1"),
        ("TLSv1.0", 0xC009, 0, "sha1"),
    ],
)
async def test_hashes(version: hello.Version, suite: int, signature: int, expected: object) -> None:
    found = await of(Model({version: (suite,)}, signature=signature))
    each = found["tls.key_exchange_hash"]
    assert (each.cause or each.value) == expected


async def test_a_renegotiation_extension_that_is_not_empty() -> None:
    found = await of(Model(MODERN, extensions=extension(0xFF01, b"\x01x")))
    assert found["tls.secure_renegotiation"].cause is Cause.PROTOCOL_ERROR
    assert found["tls.session_tickets"].value is False


async def test_a_compression_method_that_was_not_offered() -> None:
    found = await of(Model(MODERN, compression=64))
    assert found["tls.compression"].cause is Cause.PROTOCOL_ERROR
    assert "compression method 64" in found["tls.compression"].detail


@pytest.mark.parametrize(
    ("rest", "cause"),
    [
        (b"", Cause.CONNECTION_RESET),
        (alert(80), Cause.TLS_ALERT),
        (record(22, b"\x0b\x00\x00\x01x"), Cause.PROTOCOL_ERROR),
        (record(22, b"\x0e\x00\x00\x00"), Cause.PROTOCOL_ERROR),
        (record(22, b"\x0c\xff\xff\xff"), Cause.REPLY_TOO_LONG),
    ],
)
async def test_a_flight_that_is_cut_short_shows_its_beginning(rest: bytes, cause: Cause) -> None:
    said = record(22, server_hello(0x0303, GCM, extension(23, b""))) + rest
    found = await at(instead(Model({"TLSv1.2": (GCM,)}), "version", said))
    assert found["tls.extended_master_secret"].value is True
    assert found["tls.session_tickets"].value is False
    for what in ("curve", "key_exchange_hash"):
        assert found[f"tls.{what}"].cause is cause, found[f"tls.{what}"]


# --- fallback ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fallback", [True, False])
async def test_the_fallback_signal(fallback: bool) -> None:
    found = await of(Model(MODERN, fallback=fallback), "full")
    assert found["tls.fallback_scsv"].value is fallback


async def test_the_fallback_signal_needs_two_versions() -> None:
    found = await of(Model({"TLSv1.2": (GCM,)}), "full")
    assert found["tls.fallback_scsv"].cause is Cause.NOT_APPLICABLE


async def test_another_alert_says_nothing_of_the_fallback_signal() -> None:
    found = await at(instead(Model(MODERN), "fallback", alert(40)), "full")
    assert found["tls.fallback_scsv"].cause is Cause.TLS_ALERT


# --- groups -----------------------------------------------------------------------------------------------------------


async def test_post_quantum_groups() -> None:
    model = Model(MODERN, groups=(0x11EC, 0x001D, 0x11ED))
    found = await of(model)
    assert found["tls.post_quantum"].value is True
    assert "X25519MLKEM768" in found["tls.post_quantum"].detail
    assert found["tls.post_quantum_groups"].cause is Cause.NOT_PERMITTED
    found = await of(model, "full")
    assert found["tls.post_quantum_groups"].value == ("SecP384r1MLKEM1024", "X25519MLKEM768")
    assert found["tls.groups"].value == ("SecP384r1MLKEM1024", "X25519MLKEM768", "secp256r1", "x25519")


async def test_no_post_quantum_group() -> None:
    found = await of(Model(MODERN))
    assert found["tls.post_quantum"].value is False
    assert found["tls.post_quantum_groups"].value == ()


async def test_no_groups_at_all() -> None:
    found = await of(Model({"TLSv1.2": (RSA_CBC, DHE)}, prime=3072), "full")
    assert found["tls.groups"].value == ()
    assert found["tls.dh_bits"].value == 3072
    assert found["tls.forward_secrecy"].value is True


async def test_no_finite_field() -> None:
    found = await of(Model({"TLSv1.2": (GCM,)}), "full")
    assert found["tls.dh_bits"].cause is Cause.NOT_APPLICABLE


async def test_no_forward_secrecy() -> None:
    standard = await of(Model({"TLSv1.2": (RSA_CBC,)}))
    assert standard["tls.forward_secrecy"].cause is Cause.NOT_PERMITTED
    assert standard["tls.forward_secrecy_only"].value is False
    full = await of(Model({"TLSv1.2": (RSA_CBC,)}), "full")
    assert full["tls.forward_secrecy"].value is full["tls.aead"].value is False


# --- suites and their order -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["server", "client"])
async def test_suites_and_order(order: Literal["server", "client"]) -> None:
    accepts: dict[hello.Version, tuple[int, ...]] = {
        "TLSv1.3": (0x1303, 0x1301),
        "TLSv1.2": (GCM, CBC, DHE),
        "TLSv1.0": (CBC, RC4),
    }
    found = await of(Model(accepts, order=order), "full")
    assert found["tls.suites"].value == tuple(
        sorted(ciphers.name(each) for each in (0x1303, 0x1301, GCM, CBC, DHE, RC4))
    )
    assert found["tls.server_order"].value == order
    assert found["tls.aead_only"].value is False


async def test_the_order_may_be_mixed() -> None:
    class Mixed(Model):
        def choose(self, own: Sequence[int], offered: Sequence[int]) -> int | None:
            """The client's order within the first two, which the server likes equally well."""
            equal = [each for each in offered if each in (GCM, 0xC030)]
            return equal[0] if equal and GCM in own else super().choose(own, offered)

    found = await of(Mixed({"TLSv1.2": (GCM, 0xC030, CBC, RSA_CBC)}, order="server"), "full")
    assert found["tls.server_order"].value == "mixed"


async def test_one_suite_has_no_order() -> None:
    found = await of(Model({"TLSv1.2": (GCM,)}), "full")
    assert found["tls.server_order"].cause is Cause.NOT_APPLICABLE
    assert found["tls.suites"].value == (NAMES[GCM],)
    assert found["tls.aead_only"].value is found["tls.forward_secrecy_only"].value is True


async def test_standard_depth_permits_no_lists() -> None:
    found = await of(Model(MODERN))
    for what in ("suites", "server_order", "groups", "sslv2", "dh_bits"):
        assert found[f"tls.{what}"].cause is Cause.NOT_PERMITTED


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (b"", Cause.CONNECTION_RESET),
        (alert(80), Cause.TLS_ALERT),
        (alert(70), Cause.TLS_ALERT),
        (b"220 hello\r\n", Cause.TLS_HANDSHAKE_ERROR),
        (b"\x16\x03\x03\xff\xff", Cause.PROTOCOL_ERROR),
        (b"\x16\x03\x03\x40\x00" + b"\x00\x00\x00\x00" * 40000, Cause.PROTOCOL_ERROR),
        (record(22, b"\x02\xff\xff\xff"), Cause.REPLY_TOO_LONG),
        (record(22, server_hello(0x0303, GCM, b"")), Cause.PROTOCOL_ERROR),
    ],
)
async def test_lists_that_meet_a_fault_are_missing_with_its_cause(said: bytes, cause: Cause) -> None:
    model = Model({"TLSv1.3": (0x1301,), "TLSv1.2": (GCM, CBC)})
    found = await at(instead(model, "other", said), "full")
    for what in ("suites", "groups", "dh_bits"):
        assert found[f"tls.{what}"].cause is cause, found[f"tls.{what}"]
        assert found[f"tls.{what}"].detail.isprintable()
    assert found["tls.versions"].value == ("TLSv1.2", "TLSv1.3")
    assert found["tls.weak_suites"].value is False


# --- SSL 2.0 ----------------------------------------------------------------------------------------------------------


def server_hello2(kinds: bytes = b"\x07\x00\xc0", certificate: bytes = b"certificate") -> bytes:
    body = b"\x04\x00\x01\x00\x02" + struct.pack(">3H", len(certificate), len(kinds), 16) + certificate + kinds
    body += bytes(16)
    return struct.pack(">H", 0x8000 | len(body)) + body


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (server_hello2(), True),
        (server_hello2(b""), True),
        (b"\x80\x03\x00\x00\x01", False),
        (alert(70), False),
        (alert(40), False),
        (alert(80), Cause.TLS_ALERT),
        (b"", Cause.CONNECTION_RESET),
        (b"220 hello\r\n", Cause.PROTOCOL_ERROR),
        (record(22, server_hello()), Cause.PROTOCOL_ERROR),
    ],
)
async def test_sslv2(said: bytes, expected: object) -> None:
    found = await of(Model(MODERN, sslv2=said), "full")
    assert (found["tls.sslv2"].cause or found["tls.sslv2"].value) == expected, found["tls.sslv2"]


def test_the_hello_of_sslv2() -> None:
    data = client_hello2(lambda size: b"r" * size)
    assert data[:2] == struct.pack(">H", 0x8000 | len(data) - 2)
    assert data[2:5] == b"\x01\x00\x02"
    kinds, session, challenge = struct.unpack(">3H", data[5:11])
    assert (kinds % 3, session, challenge) == (0, 0, 16)
    assert len(data) == 11 + kinds + 16


def test_the_answer_of_sslv2_in_pieces() -> None:
    reader = Reader2()
    whole = server_hello2(b"\x01\x00\x80\x09\x09\x09")
    answers = [reader.feed(whole[at : at + 1]) for at in range(len(whole))]
    assert answers == [None] * (len(whole) - 1) + [ServerHello2(("SSL_CK_RC4_128_WITH_MD5", "0x090909"))]
    assert Reader2().feed(b"\x80\x03\x00\x00\x02") == Error2(2)


@given(st.one_of(st.binary(max_size=80), st.builds(lambda body: b"\x80" + bytes([len(body)]) + body,
                                                    st.binary(max_size=80))), st.integers(1, 9))  # fmt: skip
def test_no_bytes_break_the_reader_of_sslv2(data: bytes, piece: int) -> None:
    reader = Reader2()
    for at_ in range(0, len(data), piece):
        answer = reader.feed(data[at_ : at_ + piece])
        if answer is not None:
            assert isinstance(answer, ServerHello2 | Error2 | hello.Alert | hello.Unreadable)
            break
    assert len(reader._data) <= len(data)


# --- taking apart -----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 300), unique=True, max_size=120).flatmap(
        lambda every: st.tuples(st.just(every), st.sets(st.sampled_from(every or [0])), st.integers(1, 70))
    )
)
def test_taking_apart_finds_all_and_nothing_else(drawn: tuple[list[int], set[int], int]) -> None:
    every, accepted, most = drawn
    accepted &= set(every)
    asked = 0

    async def choose(offer: Sequence[int]) -> int | None:
        nonlocal asked
        asked += 1
        assert len(offer) <= most
        return next((each for each in offer if each in accepted), None)

    found = asyncio.run(take_apart(every, choose, [], most))
    assert set(found.found) == accepted
    assert len(found.found) == len(accepted)
    assert found.problem is None
    assert asked <= len(accepted) + -(-len(every) // most)


# --- the registry -----------------------------------------------------------------------------------------------------


def test_weak_suites_fit_into_one_hello() -> None:
    first = ciphers.weak()[:64]
    assert {family for suite in first for family in ciphers.families(suite)} == set(ciphers.FAMILIES)
    left_out = [ciphers.name(suite) for suite in ciphers.weak()[64:]]
    assert all("_anon_" in name and ("ARIA" in name or "CAMELLIA" in name) for name in left_out)
    assert not any(ciphers.families(suite) for suite in hello.suites("TLSv1.3")[:20])


@pytest.mark.parametrize(
    ("number", "exchange", "secret", "aead"),
    [
        (0xC02F, "ECDHE_RSA", True, True),
        (0x009D, "RSA", False, True),
        (0x0033, "DHE_RSA", True, False),
        (0xC09E, "DHE_RSA", True, True),
        (0xC004, "ECDH_ECDSA", False, False),
        (0x0003, "RSA_EXPORT", False, False),
        (0xCCA8, "ECDHE_RSA", True, True),
        (0x1301, "", True, True),
        (0xC102, "GOSTR341112_256", False, False),
    ],
)
def test_what_a_name_says(number: int, exchange: str, secret: bool, aead: bool) -> None:
    assert ciphers.key_exchange(number) == exchange
    assert ciphers.forward_secret(number) is secret
    assert ciphers.aead(number) is aead


def test_unknown_suites() -> None:
    assert ciphers.name(0xFF85) == "0xFF85"
    assert ciphers.forward_secret(0xFF85) is ciphers.aead(0xFF85) is None
    assert ciphers.families(0xFF85) == frozenset()
    assert set(SIGNATURES.values()).isdisjoint({"", None})


def test_the_registry_agrees_with_openssl() -> None:
    program = needs.require("openssl", "openssl")
    command = [program, "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    rows = re.findall(r"0x(..),0x(..) - (\S+) +- (\S+) +(\S+) +Kx=(\S+) +Au=(\S+) +Enc=(\S+) +Mac=(\S+)", listed)
    assert len(rows) > 100
    for high, low, name, own, version, exchange, authentication, cipher, mac in rows:
        number = int(high + low, 16)
        assert ciphers.name(number) == name == iana_name(own)
        assert ciphers.numbers(name) == {number}
        assert ciphers.aead(number) is (mac == "AEAD")
        shared = "PSK" in exchange + authentication or "SRP" in exchange
        if version != "TLSv1.3" and not shared:
            assert ciphers.forward_secret(number) is (exchange in ("ECDH", "DH"))
            assert ("anonymous" in ciphers.families(number)) is (authentication == "None")
            assert ("null" in ciphers.families(number)) is cipher.startswith("None")
            assert number in ciphers.candidates(False)
        assert (number in ciphers.candidates(False) + ciphers.candidates(True)) is not shared
