"""DNSSEC and DANE probes against resolvers on loopback that validate, and that do not, and a real TLS server."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from probes.dane import TLSA, DANEProbe, chain_matches, parse_tlsa, record_matches, subject_public_key_info
from probes.dnssec import DNSSECProbe
from probes.model import Cause, Endpoint, Measurement, Probe, Unmeasured
from probes.network import Network, Options, Surroundings
from probes.upgrade import handshake
from tests import needs
from tests.hostile.server import serve, smtp
from tests.probes import certificates as zoo
from tests.probes.dnsserver import name_server
from tests.probes.loopback import measure, options

Zone = dict[str, dict[str, Sequence[str]]]
HOST = "mx1.shop.example"

VALIDATING: Zone = {
    "signed.example": {"SOA": ["ns. a. 1 2 3 4 5"], "SIGNED": ["yes"]},
    "bogus.example": {"FAULT": ["BOGUS"]},
}
"""The resolver proves itself by these."""
NOT_VALIDATING: dict[str, Zone] = {
    "no AD bit": {**VALIDATING, "signed.example": {"SOA": ["ns. a. 1 2 3 4 5"]}},
    "answers for the bogus name": {**VALIDATING, "bogus.example": {"A": ["192.0.2.1"]}},
    "AD for everything": {**VALIDATING, "bogus.example": {"A": ["192.0.2.1"], "SIGNED": ["yes"]}},
    "finds no address of the bogus name": {**VALIDATING, "bogus.example": {}},
    "refuses the bogus name": {**VALIDATING, "bogus.example": {"FAULT": ["REFUSED"]}},
    "is silent about the bogus name": {**VALIDATING, "bogus.example": {"FAULT": ["SILENT"]}},
    "refuses the signed name": {**VALIDATING, "signed.example": {"FAULT": ["REFUSED"]}},
    "is silent about the signed name": {**VALIDATING, "signed.example": {"FAULT": ["SILENT"]}},
}


def asking(resolver: tuple[str, int]) -> Options:
    return dataclasses.replace(options(resolver), validation_references=("signed.example", "bogus.example"))


async def look_at(zone: Mapping[str, Any], probe: Probe, endpoint: Endpoint) -> dict[str, Measurement]:
    async with name_server(zone) as asked:
        return await measure(probe, endpoint, asking(asked.resolver))


def signed_zone() -> Zone:
    return {
        **VALIDATING,
        "shop.example": {"MX": [f"10 {HOST}."], "SIGNED": ["yes"]},
        HOST: {"A": ["127.0.0.1"]},
    }


# --- DNSSEC -----------------------------------------------------------------------------------------------------------


async def domain(zone: Mapping[str, Any], name: str = "shop.example") -> Measurement:
    return (await look_at(zone, DNSSECProbe(), Endpoint("domain", domain=name)))["dnssec.domain"]


async def mx(zone: Mapping[str, Any], name: str = HOST) -> Measurement:
    return (await look_at(zone, DNSSECProbe(), Endpoint("mx", host=name, port=25)))["dnssec.mx"]


async def test_secure_insecure_and_bogus() -> None:
    zone = signed_zone()
    assert (await domain(zone)).value == (await mx(zone)).value == "secure"
    zone["shop.example"] = {**zone["shop.example"], "SIGNED": ["no"]}
    assert (await domain(zone)).value == (await mx(zone)).value == "insecure"
    assert (await domain(zone, "signed.example")).value == "secure", "no MX record, and that is authenticated"
    zone["shop.example"] = zone[HOST] = {"FAULT": ["BOGUS"]}
    assert (await domain(zone)).value == (await mx(zone)).value == "bogus"


async def test_one_answer_without_authentication_is_enough() -> None:
    zone = signed_zone()
    zone[HOST] = {"CNAME": ["mx.elsewhere.example."]}
    zone["mx.elsewhere.example"] = {"A": ["127.0.0.1"]}
    assert (await mx(zone)).value == "insecure"


@pytest.mark.parametrize("zone", NOT_VALIDATING.values(), ids=NOT_VALIDATING)
@pytest.mark.parametrize("fault", [None, "BOGUS"])
async def test_only_a_resolver_that_has_proved_itself_is_believed(zone: Zone, fault: str | None) -> None:
    zone = {**signed_zone(), **zone}
    if fault:
        zone["shop.example"] = {"FAULT": [fault]}
    found = await domain(zone)
    assert found.cause is Cause.RESOLVER_NOT_VALIDATING
    assert found.detail


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("SERVFAIL", Cause.DNS_SERVFAIL), ("REFUSED", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)],
)
async def test_a_fault_is_never_a_fact(fault: str, cause: Cause) -> None:
    zone = signed_zone()
    zone["shop.example"] = {"FAULT": [fault]}
    zone[HOST] = {"A": ["127.0.0.1"], "FAULT/AAAA": [fault]}
    assert (await domain(zone)).cause is cause
    assert (await mx(zone)).cause is cause


async def test_what_is_in_no_dns() -> None:
    zone = signed_zone()
    assert (await domain(zone, "gone.shop.example")).cause is Cause.DNS_NXDOMAIN
    assert (await mx(zone, "127.0.0.1")).cause is Cause.NOT_APPLICABLE
    assert (await mx(zone, "localhost")).cause is Cause.NOT_APPLICABLE
    assert (await domain(zone, "a..b")).cause is Cause.NOT_APPLICABLE


async def test_the_proof_is_asked_for_once_in_a_run() -> None:
    async with name_server(signed_zone()) as asked:
        chosen = asking(asked.resolver)
        surroundings = Surroundings(chosen, port_25_references=())
        for endpoint in (Endpoint("domain", domain="shop.example"), Endpoint("mx", host=HOST, port=25)):
            async with Network(endpoint, chosen, surroundings) as network:
                await DNSSECProbe().measure(endpoint, network)
        await surroundings.close()
    assert [name for name, _ in asked.questions if name in VALIDATING] == ["signed.example", "bogus.example"]


# --- DANE: records and chains -----------------------------------------------------------------------------------------


def tlsa(usage: int, selector: int, matching: int, der: bytes) -> str:
    data = der if selector == 0 else subject_public_key_info(der)
    if matching:
        data = (hashlib.sha256 if matching == 1 else hashlib.sha512)(data).digest()
    return f"{usage} {selector} {matching} {data.hex()}"


def record(usage: int, selector: int, matching: int, der: bytes) -> TLSA:
    parsed = parse_tlsa(tlsa(usage, selector, matching, der))
    assert parsed is not None
    return parsed


def leaf(*names: str, **arguments: Any) -> zoo.Issued:
    return zoo.issue(zoo.intermediate(), names or (HOST,), **arguments)


@pytest.mark.parametrize("key", [None, zoo.rsa_key()], ids=["EC", "RSA"])
def test_the_key_is_taken_as_it_stands_in_the_certificate(key: Any) -> None:
    issued = leaf(key=key)
    assert subject_public_key_info(issued.der) == issued.certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for wrong in (b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", issued.der[:40], b"\x30\x80" + bytes(9)):
        with pytest.raises(Unmeasured):
            subject_public_key_info(wrong)


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
def test_records_match_what_they_were_made_from(selector: int, matching: int) -> None:
    issued, other = leaf(), leaf()
    assert record_matches(record(3, selector, matching, issued.der), issued.der)
    assert not record_matches(record(3, selector, matching, issued.der), other.der)


def test_openssl_agrees_on_the_digest() -> None:
    program = needs.require("openssl", "openssl")
    issued = leaf()
    key = subprocess.run([program, "x509", "-pubkey", "-noout"], input=issued.pem, capture_output=True, check=True)
    der = subprocess.run(
        [program, "pkey", "-pubin", "-outform", "DER"], input=key.stdout, capture_output=True, check=True
    )
    assert record_matches(TLSA(3, 1, 1, hashlib.sha256(der.stdout).digest()), issued.der)


def test_dane_ee_needs_neither_name_nor_dates() -> None:
    for issued in (leaf("other.example"), leaf(days=(-90, -1)), zoo.issue(None, ["nobody.example"])):
        assert chain_matches([record(3, 1, 1, issued.der)], issued.chain, [HOST])


def test_dane_ta_needs_name_dates_and_path() -> None:
    authority = zoo.intermediate().der
    good = leaf()
    anchor = [record(2, 0, 1, authority)]
    assert chain_matches(anchor, good.chain, [HOST])
    assert chain_matches(anchor, good.chain, ["alias.example", HOST])
    assert not chain_matches(anchor, good.chain, ["mx2.shop.example"])
    assert not chain_matches(anchor, leaf(days=(-90, -1)).chain, [HOST])
    stranger = zoo.issue(zoo.other_root(), [HOST])
    assert not chain_matches(anchor, (stranger.der, authority), [HOST]), "the authority is there, but signed nothing"
    assert not chain_matches(anchor, good.chain[:1], [HOST]), "the authority has to be in the chain"
    assert not chain_matches([record(2, 0, 1, good.der)], good.chain, [HOST]), "the leaf is no authority"


def test_unusable_records_match_nothing() -> None:
    issued = leaf()
    for usage in (0, 1, 4, 255):
        assert not record(usage, 1, 1, issued.der).usable
        assert not chain_matches([record(usage, 1, 1, issued.der)], issued.chain, [HOST])
    for text in ("3 2 1 " + 64 * "0", "3 1 3 " + 64 * "0", "3 1 1 00", "3 1 2 " + 64 * "0", "3 1 0 "):
        parsed = parse_tlsa(text)
        assert parsed is not None
        assert not parsed.usable
    for text in ("", "3 1 1", "x", "3 1 1 0", "3 1 1 zz", "-3 1 1 00"):
        assert parse_tlsa(text) is None


def test_the_strongest_digest_alone_counts() -> None:
    issued, other = leaf(), leaf()
    weak, strong = record(3, 1, 1, issued.der), record(3, 1, 2, other.der)
    assert chain_matches([weak], issued.chain, [HOST])
    assert not chain_matches([weak, strong], issued.chain, [HOST])
    assert chain_matches([weak, strong, record(3, 1, 0, issued.der)], issued.chain, [HOST])
    assert chain_matches([record(3, 0, 1, issued.der), strong], issued.chain, [HOST]), "of another selector"


# --- DANE: the probe --------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def mail_host() -> AsyncIterator[tuple[int, bytes]]:
    """A mail server's port and its certificate."""
    async with serve(smtp()) as server:
        endpoint = Endpoint("mx", host="127.0.0.1", port=server.port)
        surroundings = Surroundings(options(), port_25_references=())
        async with Network(endpoint, options(), surroundings) as network:
            session = await handshake(endpoint, network)
        await surroundings.close()
        yield server.port, session.chain[0]


async def dane(zone: Zone, port: int, host: str = HOST) -> dict[str, object]:
    found = await look_at(zone, DANEProbe(), Endpoint("mx", host=host, port=port))
    return {key.removeprefix("dane."): each.value if each.cause is None else each.cause for key, each in found.items()}


async def test_records_and_the_served_chain() -> None:
    async with mail_host() as (port, der):
        zone = signed_zone()
        name = f"_{port}._tcp.{HOST}"
        zone[name] = {"TLSA": [tlsa(3, 1, 1, der), tlsa(3, 1, 1, leaf().der), tlsa(1, 1, 1, der)]}
        assert await dane(zone, port) == {
            "present": True,
            "parameters": ("1 1 1", "3 1 1"),
            "usable": True,
            "usable_records": 2,
            "matches": True,
        }
        zone[name] = {"TLSA": [tlsa(3, 1, 1, leaf().der)]}
        found = await dane(zone, port)
        assert (found["matches"], found["usable_records"]) == (False, 1)
        zone[name] = {"TLSA": [tlsa(0, 1, 1, der), tlsa(1, 1, 1, der)]}
        found = await dane(zone, port)
        assert (found["present"], found["usable"], found["usable_records"]) == (True, False, 0)
        assert found["matches"] is Cause.NOT_APPLICABLE


ABSENT = {
    "present": False,
    "parameters": Cause.NOT_APPLICABLE,
    "usable": Cause.NOT_APPLICABLE,
    "usable_records": Cause.NOT_APPLICABLE,
    "matches": Cause.NOT_APPLICABLE,
}
NAME = f"_25._tcp.{HOST}"


async def test_what_is_not_authenticated_is_not_there() -> None:
    der = leaf().der
    zone = signed_zone()
    assert await dane(zone, 25) == ABSENT
    zone[NAME] = {"TLSA": [tlsa(3, 1, 1, der)], "SIGNED": ["no"]}
    assert await dane(zone, 25) == ABSENT
    zone[NAME] = {"TLSA": [tlsa(3, 1, 1, der)], "SIGNED": ["yes"]}
    zone[HOST] = {"A": ["127.0.0.1"], "SIGNED": ["no"]}
    assert await dane(zone, 25) == ABSENT, "insecure addresses: the TLSA records are not even asked for"


async def test_aliases() -> None:
    async with mail_host() as (port, der):
        zone = signed_zone()
        zone[HOST] = {"CNAME": ["real.shop.example."]}
        zone["real.shop.example"] = {"A": ["127.0.0.1"]}
        zone[f"_{port}._tcp.{HOST}"] = {"TLSA": [tlsa(3, 1, 1, leaf().der)]}
        assert (await dane(zone, port))["matches"] is False, "the alias's, when its target has none"
        zone[f"_{port}._tcp.real.shop.example"] = {"TLSA": [tlsa(3, 1, 1, der)]}
        assert (await dane(zone, port))["matches"] is True, "the target's come first"
        # The way to an insecure target is authenticated as far as the alias: its own records count.
        zone["real.shop.example"] = {"A": ["127.0.0.1"], "SIGNED": ["no"]}
        zone[HOST] = {"CNAME": ["real.shop.example."], "SIGNED": ["yes"]}
        assert (await dane(zone, port))["matches"] is False
        zone[HOST] = {"CNAME": ["real.shop.example."], "SIGNED": ["no"]}
        assert await dane(zone, port) == ABSENT


@pytest.mark.parametrize("zone", NOT_VALIDATING.values(), ids=NOT_VALIDATING)
async def test_dane_from_a_resolver_that_does_not_validate(zone: Zone) -> None:
    zone = {**signed_zone(), NAME: {"TLSA": [tlsa(3, 1, 1, leaf().der)]}, **zone}
    assert set((await dane(zone, 25)).values()) == {Cause.RESOLVER_NOT_VALIDATING}


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("SERVFAIL", Cause.DNS_SERVFAIL), ("BOGUS", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)],
)
async def test_failing_questions(fault: str, cause: Cause) -> None:
    broken: tuple[tuple[str, dict[str, Sequence[str]]], ...] = (
        (NAME, {"FAULT": [fault]}),
        (HOST, {"A": ["127.0.0.1"], "FAULT/AAAA": [fault]}),
        (HOST, {"FAULT/A": [fault]}),
    )
    for name, records in broken:
        zone: Zone = {**signed_zone(), name: records}
        assert set((await dane(zone, 25)).values()) == {cause}


async def test_a_host_that_is_not_in_dns() -> None:
    assert set((await dane(signed_zone(), 25, "127.0.0.1")).values()) == {Cause.NOT_APPLICABLE}
    assert set((await dane(signed_zone(), 25, "gone.shop.example")).values()) == {Cause.DNS_NXDOMAIN}


async def test_a_server_without_a_chain_costs_the_match_alone() -> None:
    zone = signed_zone()
    zone[f"_1._tcp.{HOST}"] = {"TLSA": [tlsa(3, 1, 1, leaf().der)]}
    found = await dane(zone, 1)
    assert found.pop("matches") is Cause.CONNECTION_REFUSED
    assert found == {"present": True, "parameters": ("3 1 1",), "usable": True, "usable_records": 1}
