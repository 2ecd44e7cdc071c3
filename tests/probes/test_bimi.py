"""BIMI: logos and mark certificates as pure data, and fetched from an HTTPS server on loopback."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.bimi import (
    BIMIProbe,
    mark_deviations,
    mark_type,
    of_certificate,
    pem_certificates,
    svg_deviations,
    unpacked,
)
from probes.model import Cause, Endpoint, Measurement
from tests.probes import certificates as zoo
from tests.probes.dnsserver import name_server
from tests.probes.loopback import measure, options
from tests.probes.webserver import response, web_server

KIND = "image/svg+xml"
LOGO = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 100 100">\n'
    b"<title>Shop</title><defs><linearGradient id='g'><stop offset='0' stop-color='#fff'/></linearGradient></defs>"
    b'<g fill="url(#g)"><circle cx="50" cy="50" r="40"/><use href="#x"/></g></svg>\n'
)


# --- the logo ---------------------------------------------------------------------------------------------------------


def test_a_good_logo() -> None:
    assert svg_deviations(LOGO, KIND) == ()
    assert svg_deviations(LOGO, "image/SVG+xml; charset=utf-8") == ()
    assert svg_deviations(gzip.compress(LOGO), KIND) == ()
    assert unpacked(gzip.compress(LOGO)) == LOGO


@pytest.mark.parametrize(
    ("old", "new", "deviation"),
    [
        (b'baseProfile="tiny-ps"', b'baseProfile="tiny"', "baseProfile is not tiny-ps"),
        (b'baseProfile="tiny-ps"', b"", "baseProfile is not tiny-ps"),
        (b' version="1.2"', b' version="1.1"', "version is not 1.2"),
        (b"<title>Shop</title>", b"", "no title"),
        (b"<title>Shop</title>", b"<title> </title>", "no title"),
        (b"viewBox=", b'x="0" viewBox=', "x or y on the root element"),
        (b"</svg>", b"<script>alert(1)</script></svg>", "script"),
        (b"<circle", b'<circle onclick="alert(1)"', "script"),
        (b"</svg>", b"<g><animate attributeName='r' to='0'/></g></svg>", "animation"),
        (b"</svg>", b"<image href='#a'/></svg>", "embedded image, video or audio"),
        (b"</svg>", b"<foreignObject/></svg>", "embedded image, video or audio"),
        (b'href="#x"', b'href="https://tracker.test/x.svg#x"', "external reference"),
        (b'href="#x"', b'xlink:href="//tracker.test/x" xmlns:xlink="a"', "external reference"),
        (b"url(#g)", b"url( 'http://tracker.test/#g')", "external reference"),
        (b"</svg>", b"<filter id='f'/></svg>", "element filter"),
        (b"</svg>", b"<style>a{}</style></svg>", "element style"),
        (b"<svg ", b"<!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg ", "document type"),
    ],
)
def test_deviations(old: bytes, new: bytes, deviation: str) -> None:
    assert LOGO.count(old) == 1
    assert svg_deviations(LOGO.replace(old, new), KIND) == (deviation,)


def test_references_within_the_document_are_none() -> None:
    for inside in (b"url('#g')", b"url( #g )", b"url(#g) #fff", b"none"):
        assert svg_deviations(LOGO.replace(b"url(#g)", inside), KIND) == (), inside


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (LOGO, "text/xml", ("content type text/xml",)),
        (LOGO, "", ("content type not stated",)),
        (LOGO.replace(b"Shop", b"Shop" * 9000), KIND, ("larger than 32 KiB",)),
        (b"<html><title>x</title></html>", KIND, (
            "baseProfile is not tiny-ps", "element html", "root element is not svg", "version is not 1.2")),
        (b"\x89PNG\r\n", KIND, (
            "not readable: it is not well-formed XML (not well-formed (invalid token): line 1, column 0)",)),
        (b"\x1f\x8bnothing", KIND, ("not readable: damaged compression",)),
        (b"", KIND, ("not readable: it is not well-formed XML (no element found: line 1, column 0)",)),
    ],
)  # fmt: skip
def test_what_is_hardly_a_logo(body: bytes, kind: str, expected: tuple[str, ...]) -> None:
    assert svg_deviations(body, kind) == expected


def test_hostile_logos_cost_little() -> None:
    bombs = (
        gzip.compress(b" " * 50_000_000),
        b"<svg" + b" " * 500_000,
        b'<svg a="' + b"url(" * 200_000 + b'"/>',
        b"<a>" * 100_000,
        b"<svg>" + b"<script/>" * 19_000 + b"</svg>",
        b"<svg>" + b"".join(b"<e%d/>" % number for number in range(19_000)) + b"</svg>",
    )
    for bomb in bombs:
        began = time.perf_counter()
        found = svg_deviations(bomb, KIND)
        assert found
        assert len(found) <= 50
        assert time.perf_counter() - began < 2


# --- the mark certificate ---------------------------------------------------------------------------------------------

NOW = zoo.NOW
MARK_TYPE = x509.ObjectIdentifier("1.3.6.1.4.1.53087.1.13")
LOGOTYPE = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.12")
FOR_BIMI = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.31")


def embedded(logo: bytes) -> bytes:
    """As issuers write it: a data URI with the packed logo, in whatever DER is around it."""
    return b"\x30\x82" + b"data:image/svg+xml;base64," + base64.b64encode(gzip.compress(logo)) + b"\x30\x10"


def mark(
    names: Sequence[str] = ("shop.example",),
    kind: str = "Registered Mark",
    logotype: bytes | None = None,
    purpose: x509.ObjectIdentifier | None = FOR_BIMI,
    days: tuple[float, float] = (-10, 100),
) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop")]
    if kind:
        subject.append(x509.NameAttribute(MARK_TYPE, kind))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(zoo.name("Marks"))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW + datetime.timedelta(days=days[0]))
        .not_valid_after(NOW + datetime.timedelta(days=days[1]))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
    held = embedded(LOGO) if logotype is None else logotype
    if held:
        builder = builder.add_extension(x509.UnrecognizedExtension(LOGOTYPE, held), False)
    return builder.sign(key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Registered Mark", "VMC"),
        ("Government Mark", "VMC"),
        ("Prior Use Mark", "CMC"),
        ("Modified Registered Mark", "CMC"),
        ("Some Other Mark", "unstated"),
        ("", "unstated"),
    ],
)
def test_kinds_of_mark_certificates(kind: str, expected: str) -> None:
    assert mark_type(mark(kind=kind)) == (expected, kind)


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        (lambda: mark(), ()),
        (lambda: mark(names=("default._bimi.shop.example",)), ()),
        (lambda: mark(logotype=hashlib.sha256(LOGO).digest()), ()),
        (lambda: mark(days=(-100, -1)), ("expired",)),
        (lambda: mark(days=(1, 100)), ("not valid yet",)),
        (lambda: mark(purpose=None), ("not for BIMI",)),
        (lambda: mark(purpose=x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")), ("not for BIMI",)),
        (lambda: mark(names=("other.example",)), ("not for this domain",)),
        (lambda: mark(names=("example",)), ("not for this domain",)),
        (lambda: mark(names=()), ("not for this domain",)),
        (lambda: mark(logotype=b""), ("no logo in it",)),
        (lambda: mark(logotype=embedded(LOGO + b" ")), ("another logo in it",)),
        (lambda: mark(logotype=b"data:image/svg+xml;base64,!!!"), ("another logo in it",)),
    ],
)
def test_deviations_of_mark_certificates(
    certificate: Callable[[], x509.Certificate], expected: tuple[str, ...]
) -> None:
    assert mark_deviations(certificate(), "shop.example", LOGO, NOW) == expected


def test_a_mark_certificate_is_for_subdomains_too_and_a_logo_that_is_not_known_is_not_compared() -> None:
    assert mark_deviations(mark(), "news.shop.example", LOGO, NOW) == ()
    assert mark_deviations(mark(), "shop.example", None, NOW) == ()
    assert mark_deviations(mark(), "shop.example", gzip.compress(LOGO), NOW) == ()


def test_pem_files() -> None:
    one, two = mark(), mark()
    der = [each.public_bytes(serialization.Encoding.DER) for each in (one, two)]
    assert pem_certificates(b"subject=Shop\r\n" + pem(one) + pem(two)) == der
    assert pem_certificates(pem(one).replace(b"\n", b"\r\n")) == der[:1]
    for nothing in (b"", b"<html>", b"-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----"):
        assert pem_certificates(nothing) == []
    began = time.perf_counter()
    for bomb in (b"-----BEGIN CERTIFICATE-----" + b" " * 1_000_000, b"-----BEGIN CERTIFICATE-----" * 40_000):
        assert pem_certificates(bomb) == []
    assert time.perf_counter() - began < 2


# --- whatever the bytes are -------------------------------------------------------------------------------------------

_CHANGES = st.lists(st.tuples(st.integers(0, 100_000), st.binary(max_size=6)), min_size=1, max_size=8)


def mutated(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    for place, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + len(new) + (place % 3) :]
    return data


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300) | _CHANGES.map(lambda changes: mutated(LOGO, changes)), st.text(max_size=40))
def test_any_logo_has_deviations_or_none(body: bytes, kind: str) -> None:
    found = svg_deviations(body, kind)
    assert list(found) == sorted(set(found))
    assert all(text.isprintable() for text in found)


_MARK = base64.b64encode(mark().public_bytes(serialization.Encoding.DER))


@settings(max_examples=600, deadline=None)
@given(changes=_CHANGES)
def test_any_certificate_is_described_or_has_a_cause(changes: list[tuple[int, bytes]]) -> None:
    der = mutated(base64.b64decode(_MARK), changes)
    body = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der) + b"\n-----END CERTIFICATE-----\n"
    for each in of_certificate(body, "shop.example", LOGO, NOW):
        assert each.cause in (None, Cause.PROTOCOL_ERROR), each


# --- the probe --------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def logo_server(pages: Mapping[str, bytes], served: zoo.Served | None = None) -> AsyncIterator[str]:
    async with web_server(pages, served or zoo.localhost()) as port:
        yield f"https://127.0.0.1:{port}"


def svg(body: bytes = LOGO, kind: str = KIND) -> bytes:
    return response(body=body, Content_Type=kind)


GOOD = {"/logo.svg": svg(), "/mark.pem": response(body=pem(mark()))}


async def probe(
    pages: Mapping[str, bytes], record: str = "v=BIMI1; l={at}/logo.svg; a={at}/mark.pem",
    served: zoo.Served | None = None,
) -> dict[str, Measurement]:  # fmt: skip
    async with logo_server(pages, served) as at:
        text = record.format(at=at)
        zone = {"shop.example": {"MX": ["0 ."]}, "default._bimi.shop.example": {"TXT": [f'"{text}"']} if text else {}}
        async with name_server(zone) as asked:
            endpoint = Endpoint("domain", domain="shop.example")
            return await measure(BIMIProbe(), endpoint, options(asked.resolver))


def values(found: Mapping[str, Measurement]) -> dict[str, object]:
    return {key.removeprefix("bimi."): each.value if each.cause is None else each.cause for key, each in found.items()}


async def test_a_good_domain() -> None:
    found = values(await probe(GOOD))
    days = found.pop("certificate_days_left")
    assert isinstance(days, float)
    assert 99 < days <= 100
    assert found == {
        "svg_served": True,
        "svg_deviations": (),
        "svg_bytes": len(LOGO),
        "certificate_served": True,
        "certificate_type": "VMC",
        "certificate_issuer": "CN=Marks,O=Mailrubric tests",
        "certificate_deviations": (),
    }


async def test_no_record_and_no_evidence() -> None:
    assert set(values(await probe(GOOD, "")).values()) == {Cause.NOT_APPLICABLE}
    found = values(await probe(GOOD, "v=BIMI1; l={at}/logo.svg"))
    assert found["svg_served"] is True
    assert {value for key, value in found.items() if key.startswith("certificate")} == {Cause.NOT_APPLICABLE}


async def test_a_logo_that_is_packed_and_an_old_certificate_for_another() -> None:
    old = mark(kind="", days=(-400, -3), logotype=embedded(b"<svg/>"))
    pages = {"/logo.svg": svg(gzip.compress(LOGO)), "/mark.pem": response(body=pem(old))}
    found = values(await probe(pages))
    assert (found["svg_deviations"], found["svg_bytes"]) == ((), len(LOGO))
    assert found["certificate_type"] == "unstated"
    assert found["certificate_deviations"] == ("another logo in it", "expired")
    assert found["certificate_days_left"] == pytest.approx(-3, abs=0.1)


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({}, "HTTP 404"),
        ({"/logo.svg": response("301 Moved", Location="http://127.0.0.1/logo.svg")}, "not https"),
        ({"/logo.svg": response("302 Found", Location="/logo.svg")}, "more than 3 times"),
        ({"/logo.svg": response("302 Found")}, "more than 3 times"),
    ],
)
async def test_a_logo_that_is_not_there(pages: Mapping[str, bytes], said: str) -> None:
    found = await probe({**pages, "/mark.pem": GOOD["/mark.pem"]})
    assert found["bimi.svg_served"].value is False
    assert said in found["bimi.svg_served"].detail
    assert found["bimi.svg_deviations"].cause is found["bimi.svg_bytes"].cause is Cause.NOT_APPLICABLE
    assert found["bimi.certificate_deviations"].value == ()  # what the logo is, is not known


async def test_redirects_are_followed() -> None:
    pages = {**GOOD, "/logo.svg": response("302 Found", Location="/other.svg"), "/other.svg": svg()}
    assert values(await probe(pages))["svg_deviations"] == ()


async def test_a_server_that_receivers_do_not_trust() -> None:
    unknown = zoo.save(zoo.issue(zoo.other_root(), ("127.0.0.1",)))
    found = await probe(GOOD, served=unknown)
    assert found["bimi.svg_served"].value is found["bimi.certificate_served"].value is False
    assert "not trusted" in found["bimi.svg_served"].detail
    elsewhere = zoo.save(zoo.issue(zoo.intermediate(), ("other.example",)))
    found = await probe(GOOD, served=elsewhere)
    assert "another name" in found["bimi.certificate_served"].detail


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        (response("503 Busy"), Cause.PROTOCOL_ERROR),
        (response("429 Slow down"), Cause.PROTOCOL_ERROR),
        (b"", Cause.CONNECTION_RESET),
        (b"garbage\r\n\r\n", Cause.PROTOCOL_ERROR),
        (response(body=b"x" * 1_100_000), Cause.REPLY_TOO_LONG),
    ],
)
async def test_a_fault_on_the_way_is_no_statement(page: bytes, cause: Cause) -> None:
    found = values(await probe({"/logo.svg": page, "/mark.pem": page}))
    assert set(found.values()) == {cause}


async def test_hosts_that_cannot_be_reached() -> None:
    found = values(await probe(GOOD, "v=BIMI1; l=https://127.0.0.1:1/logo.svg; a=https://gone.example/mark.pem"))
    assert found["svg_served"] is found["svg_bytes"] is Cause.CONNECTION_REFUSED
    assert found["certificate_served"] is False  # its host does not exist


@pytest.mark.parametrize("body", [b"", b"<html>no</html>"])
async def test_evidence_that_is_no_certificate(body: bytes) -> None:
    found = values(await probe({**GOOD, "/mark.pem": response(body=body)}))
    assert found["certificate_served"] is False
    assert found["certificate_type"] is Cause.NOT_APPLICABLE


async def test_evidence_that_is_no_readable_certificate() -> None:
    fake = (
        b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"\x30\x03\x02\x01\x01") + b"\n-----END CERTIFICATE-----\n"
    )
    found = values(await probe({**GOOD, "/mark.pem": response(body=fake)}))
    assert found["certificate_served"] is True
    assert found["certificate_type"] is found["certificate_deviations"] is Cause.PROTOCOL_ERROR


@pytest.mark.parametrize(("fault", "cause"), [("SERVFAIL", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)])
async def test_a_name_server_that_fails(fault: str, cause: Cause) -> None:
    async with name_server({"default._bimi.shop.example": {"FAULT": [fault]}}) as asked:
        found = await measure(BIMIProbe(), Endpoint("domain", domain="shop.example"), options(asked.resolver))
    assert {each.cause for each in found.values()} == {cause}
