"""What is said about certificates of every kind: the judging over DER, and the probe against a real TLS server."""

from __future__ import annotations

import asyncio
import datetime
import subprocess
import sys
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import certificate
from probes.certificate import CHAIN_METRICS, dns_name_matches, load, measure_chain, name_matches, trust_error
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.network import Network
from tests import needs
from tests.probes import certificates as zoo
from tests.probes.loopback import measure, options, scripted
from tests.probes.tlsserver import openssl_server

CA = str(zoo.ca_file())


def judged(chain: tuple[bytes, ...], host: str = "localhost", ca: str | None = CA) -> dict[str, Measurement]:
    found = {each.metric.removeprefix("certificate."): each for each in measure_chain(chain, host, ca)}
    assert len(found) == len(CHAIN_METRICS)
    assert {f"certificate.{key}" for key in found} == {metric.key for metric in CHAIN_METRICS}
    return found


def values(chain: tuple[bytes, ...], host: str = "localhost", ca: str | None = CA) -> dict[str, object]:
    return {key: each.value for key, each in judged(chain, host, ca).items()}


def test_a_good_certificate() -> None:
    good = zoo.issue(zoo.intermediate(), ["localhost", "*.example.com", "192.0.2.7"], key=zoo.rsa_key())
    found = values(good.chain)
    assert {key: found[key] for key in found if not key.startswith(("timestamp", "must", "ocsp"))} == {
        "trusted": True,
        "trust_error": "none",
        "name_matches": True,
        "days_left": pytest.approx(90, abs=0.1),
        "key_type": "RSA",
        "key_bits": 2048,
        "signature_algorithm": "ecdsa-with-SHA256",
        "self_signed": False,
        "chain_length": 2,
        "chain_in_order": True,
        "chain_complete": True,
        "root_sent": False,
        "superfluous": 0,
        "trusted_by": ("given",),
        "subject_names": ("*.example.com", "192.0.2.7", "localhost"),
        "issuer": "CN=Test Intermediate,O=Mailrubric tests",
    }


def test_faults_do_not_hide_each_other() -> None:
    bad = values(zoo.issue(None, ["elsewhere.example"], days=(-20, -5)).chain)
    assert bad["trusted"] is False
    assert bad["trust_error"] == "self_signed"
    assert bad["name_matches"] is False
    assert bad["days_left"] == pytest.approx(-5, abs=0.1)
    assert bad["self_signed"] is True


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        (lambda: zoo.issue(zoo.root(), ["localhost"]).chain, "none"),
        (lambda: zoo.issue(zoo.intermediate(), ["localhost"]).chain, "none"),
        (lambda: (*zoo.issue(zoo.intermediate(), ["localhost"]).chain, zoo.root().der), "none"),
        (lambda: zoo.issue(zoo.intermediate(), ["localhost"], days=(-20, -1)).chain, "expired"),
        (lambda: zoo.issue(zoo.intermediate(), ["localhost"], days=(1, 20)).chain, "not_yet_valid"),
        (lambda: zoo.issue(None, ["localhost"]).chain, "self_signed"),
        (lambda: zoo.issue(zoo.other_root(), ["localhost"]).chain, "unknown_issuer"),
        (lambda: (*zoo.issue(zoo.other_root(), ["localhost"]).chain, zoo.other_root().der), "unknown_issuer"),
        (lambda: zoo.issue(zoo.intermediate(), ["localhost"]).chain[:1], "unknown_issuer"),
        (lambda: zoo.issue(zoo.intermediate(), ["localhost"], aia="http://a.example/").chain[:1], "incomplete_chain"),
        (lambda: (*zoo.issue(zoo.intermediate(), ["localhost"]).chain, b"broken"), "none"),
        (lambda: (zoo.root().der,), "none"),
    ],
)  # fmt: skip
def test_trust(chain: object, expected: str) -> None:
    assert callable(chain)
    served = chain()
    assert trust_error(served, CA) == expected
    found = judged(served)
    assert found["trusted"].value is (expected == "none")
    assert found["trust_error"].value == expected


def test_trust_at_another_time() -> None:
    chain = zoo.issue(zoo.intermediate(), ["localhost"]).chain
    assert trust_error(chain, CA, zoo.NOW + datetime.timedelta(days=100)) == "expired"
    assert trust_error(chain, CA, zoo.NOW - datetime.timedelta(days=11)) == "not_yet_valid"
    assert trust_error(chain, CA, zoo.NOW) == "none"


def test_other_faults_of_the_path() -> None:
    not_an_authority = zoo.issue(zoo.root(), ["middle.example"], common="no authority")
    leaf = zoo.issue(not_an_authority, ["localhost"])
    error = trust_error(leaf.chain, CA)
    assert error.startswith("other: ")
    # The right issuer name, another key: the signature does not verify.
    impostor = zoo.issue(None, common="Test Root", authority=True)
    assert trust_error(zoo.issue(impostor, ["localhost"]).chain, CA) != "none"


def test_the_shipped_trust_anchors_are_used_and_ours_is_not_among_them() -> None:
    with open(certificate.certifi_bundle(), "rb") as bundle:
        pem = bundle.read().split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
    anchor = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN") :])
    moment = anchor.not_valid_before_utc + datetime.timedelta(days=1)
    assert trust_error((anchor.public_bytes(serialization.Encoding.DER),), None, moment) == "none"
    assert trust_error(zoo.issue(zoo.intermediate(), ["localhost"]).chain, None) == "unknown_issuer"


def test_a_certificate_for_clients_is_not_trusted() -> None:
    for usages, expected in (
        ([ExtendedKeyUsageOID.CLIENT_AUTH], "other: not meant for servers (extended key usage)"),
        ([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH], "none"),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], "none"),
    ):
        assert trust_error(zoo.issue(zoo.intermediate(), ["localhost"], usages=usages).chain, CA) == expected


def test_a_new_authority_in_the_same_file_is_noticed() -> None:
    path = zoo.folder() / "changing.pem"
    path.write_bytes(zoo.other_root().pem)
    chain = zoo.issue(zoo.intermediate(), ["localhost"]).chain
    assert trust_error(chain, str(path)) == "unknown_issuer"
    path.write_bytes(zoo.other_root().pem + zoo.root().pem)
    assert trust_error(chain, str(path)) == "none"


def test_unreadable_trust_anchors_are_our_fault() -> None:
    chain = zoo.issue(zoo.intermediate(), ["localhost"]).chain
    found = judged(chain, ca=str(zoo.folder() / "missing.pem"))
    assert found["trusted"].cause is Cause.PROBE_BUG
    assert found["trust_error"].cause is Cause.PROBE_BUG
    assert found["name_matches"].value is True


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("mail.example.com", "mail.example.com", True),
        ("*.example.com", "mail.example.com", True),
        ("*.example.com", "a.mail.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("m*.example.com", "mail.example.com", False),
        ("mail.*.com", "mail.example.com", False),
        ("*.*.com", "mail.example.com", False),
        ("*", "localhost", False),
        ("*.", "localhost", False),
        ("*.com", "example.com", True),
        ("example.com", "mail.example.com", False),
        ("", "", True),
        ("*.example.com", "*.example.com", False),
    ],
)
def test_wildcards(pattern: str, name: str, expected: bool) -> None:
    assert dns_name_matches(pattern, name) is expected


def test_names() -> None:
    leaf = zoo.issue(None, ["Mail.Example.com", "*.mx.example", "192.0.2.1", "2001:db8::1", "xn--bcher-kva.example"])
    for host in (
        "mail.example.com", "MAIL.example.COM.", "a.mx.example", "192.0.2.1", "2001:db8::1", "[2001:db8:0::1]",
        "bücher.example",
    ):  # fmt: skip
        assert name_matches(leaf.certificate, host), host
    for host in ("example.com", "a.b.mx.example", "mx.example", "192.0.2.2", "2001:db8::2", "1.mx.example.org"):
        assert not name_matches(leaf.certificate, host), host
    # A dot at the end changes nothing, in the certificate or in the endpoint (RFC 9525 §6.3, RFC 1034 §3.1).
    dotted = zoo.issue(None, ["mail.example.com.", "*.mx.example."]).certificate
    assert name_matches(dotted, "mail.example.com")
    assert name_matches(dotted, "a.mx.example.")
    # A wildcard stands for one label, an internationalised one too (RFC 9525 §6.3), but within no label.
    assert name_matches(zoo.issue(None, ["*.xn--bcher-kva.example"]).certificate, "münchen.bücher.example")
    assert not name_matches(zoo.issue(None, ["xn--*-kva.example"]).certificate, "xn--bcher-kva.example")
    # An address written as a DNS name is none, nor does a name stand for an address.
    assert not name_matches(zoo.issue(None, [zoo.x509.DNSName("192.0.2.1")]).certificate, "192.0.2.1")
    # Other kinds of names are for other protocols and are not looked at.
    others = [zoo.x509.UniformResourceIdentifier("https://mail.example/"), zoo.x509.RFC822Name("a@mail.example")]
    assert not name_matches(zoo.issue(None, others).certificate, "mail.example")
    # An address is never compared with DNS names, nor the common name with anything (RFC 9525 §6.4).
    assert not name_matches(zoo.issue(None, ["mail.example"], common="other.example").certificate, "other.example")
    assert not name_matches(zoo.issue(None, common="localhost").certificate, "localhost")
    with pytest.raises(Unmeasured) as caught:
        name_matches(leaf.certificate, "a..b")
    assert caught.value.cause is Cause.NOT_APPLICABLE


def test_keys_and_signatures() -> None:
    def kind(key: object, digest: hashes.HashAlgorithm | None = None) -> tuple[object, object, object]:
        found = values(zoo.issue(None, ["localhost"], key=key, digest=digest).chain)
        assert found["self_signed"] is True
        return found["key_type"], found["key_bits"], found["signature_algorithm"]

    assert kind(zoo.rsa_key(), hashes.SHA512()) == ("RSA", 2048, "sha512WithRSAEncryption")
    assert kind(zoo.rsa_key(1024)) == ("RSA", 1024, "sha256WithRSAEncryption")
    assert kind(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()) == ("EC", 384, "ecdsa-with-SHA384")
    assert kind(ed25519.Ed25519PrivateKey.generate()) == ("Ed25519", 256, "Ed25519")
    assert kind(ed448.Ed448PrivateKey.generate()) == ("Ed448", 456, "Ed448")


def test_weak_certificates_made_by_openssl() -> None:
    def made(*arguments: str) -> dict[str, Measurement]:
        command = [needs.require("openssl"), "req", "-x509", "-nodes", "-keyout", "/dev/null", "-outform", "DER"]
        command += ["-subj", "/CN=weak", "-days", "5", *arguments]
        return judged((subprocess.run(command, check=True, capture_output=True).stdout,))

    short = made("-newkey", "rsa:512", "-sha1")
    assert short["key_type"].value == "RSA"
    assert short["key_bits"].value == 512
    assert short["signature_algorithm"].value == "sha1WithRSAEncryption"
    assert short["self_signed"].value is True
    assert made("-newkey", "rsa:1024", "-md5")["signature_algorithm"].value == "md5WithRSAEncryption"
    assert made("-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss")["signature_algorithm"].value == "rsassaPss"
    odd = made("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp160r1")
    assert odd["key_type"].value == "EC"
    assert odd["key_bits"].value in (160, 161) or odd["key_bits"].cause is Cause.TLS_CLIENT_UNSUPPORTED
    # Serial numbers that RFC 5280 forbids are served all the same.
    for serial in ("0", "-5"):
        unlawful = made("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-set_serial", serial)
        assert unlawful["trust_error"].value == "self_signed"


@pytest.mark.parametrize(
    "der", [b"", b"garbage", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x02\x01\x01", b"\x30" * 70000]
)
def test_garbage_is_a_protocol_error(der: bytes) -> None:
    with pytest.raises(Unmeasured) as caught:
        measure_chain((der,), "localhost", CA)
    assert caught.value.cause is Cause.PROTOCOL_ERROR


def test_no_certificate_at_all() -> None:
    with pytest.raises(Unmeasured) as caught:
        measure_chain((), "localhost", CA)
    assert caught.value.cause is Cause.PROTOCOL_ERROR


def test_a_broken_extension_costs_only_the_names() -> None:
    der = zoo.issue(zoo.intermediate(), ["localhost"]).der
    at = der.index(b"localhost") - 2
    assert der[at : at + 2] == b"\x82\x09"
    found = judged((der[:at] + b"\x82\x7f" + der[at + 2 :],))
    assert found["name_matches"].cause is Cause.PROTOCOL_ERROR
    assert found["subject_names"].cause is Cause.PROTOCOL_ERROR
    assert found["key_bits"].value == 256
    assert found["trusted"].value is False


def test_what_the_libraries_do_not_call_a_value_error() -> None:
    der = zoo.issue(zoo.intermediate(), ["localhost"]).der
    # A name attribute that is a bit string is a TypeError of the library.
    odd_name = der.replace(b"\x0c\x04leaf", b"\x03\x04\x00eaf")
    assert odd_name != der
    found = judged((odd_name, *zoo.issue_chain()))
    assert found["self_signed"].cause is Cause.PROTOCOL_ERROR
    assert found["key_bits"].value == 256
    # An unknown version is none of its ValueErrors either.
    odd_version = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09", 1)
    with pytest.raises(Unmeasured) as caught:
        measure_chain((odd_version,), "localhost", CA)
    assert caught.value.cause is Cause.PROTOCOL_ERROR


def test_odd_certificates_leave_the_terminal_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        command = [needs.require("openssl"), "req", "-x509", "-nodes", "-newkey", "ec", "-keyout", "/dev/null"]
        command += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=zero", "-set_serial", "0", "-outform", "DER"]
        judged((subprocess.run(command, check=True, capture_output=True).stdout,))


def test_what_is_shown_is_printable_and_capped() -> None:
    many = zoo.issue(None, [f"host{number}.example" for number in range(300)], common="bad\x1b[2J\u202e name")
    found = values(many.chain)
    names = found["subject_names"]
    assert isinstance(names, tuple)
    assert len(names) == certificate.MAXIMUM_NAMES
    assert str(found["issuer"]).isascii()
    assert str(found["issuer"]).isprintable()


_SEEDS = (
    zoo.issue(zoo.intermediate(), ["localhost", "127.0.0.1"], aia="http://a.example/").der,
    zoo.issue(None, ["localhost"], key=zoo.rsa_key(1024)).der,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_SEEDS), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_tampered_certificate_never_breaks_the_probe(der: bytes, changes: list[tuple[int, int]]) -> None:
    tampered = bytearray(der)
    for at, byte in changes:
        tampered[at % len(tampered)] = byte
    try:
        found = measure_chain((bytes(tampered), *zoo.issue_chain()), "localhost", CA)
    except Unmeasured as reason:
        found = [Measurement.missing(metric.key, reason.cause) for metric in CHAIN_METRICS]
    assert [each.metric for each in found] == [metric.key for metric in CHAIN_METRICS]
    for each in found:
        staple = "ocsp" in each.metric or "staple" in each.metric  # there is none
        allowed = [Cause.NOT_APPLICABLE] if staple else []
        assert each.cause in (None, Cause.PROTOCOL_ERROR, Cause.TLS_CLIENT_UNSUPPORTED, *allowed), each
    if bytes(tampered) != der:
        assert found[0].value is not True


def test_importing_the_probe_loads_no_cryptography() -> None:
    code = "import sys, probes.certificate; print(sorted({'cryptography', 'OpenSSL', 'certifi'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "[]"


def test_load_keeps_to_a_size() -> None:
    with pytest.raises(Unmeasured, match="bytes"):
        load(zoo.root().der + bytes(70000))


# --- the probe, against OpenSSL's server ------------------------------------------------------------------------------


async def served(issued: zoo.Issued, host: str = "localhost") -> dict[str, Measurement]:
    with openssl_server(zoo.save(issued)) as port:
        found = await measure(certificate.CertificateProbe(), Endpoint("web", url=f"https://{host}:{port}/"))
    return {key.removeprefix("certificate."): each for key, each in found.items()}


async def test_a_good_certificate_on_the_wire() -> None:
    found = await served(zoo.issue(zoo.intermediate(), ["localhost", "127.0.0.1"], days=(-10, 30)))
    assert found["trusted"].value is True
    assert found["name_matches"].value is True
    assert found["chain_length"].value == 2
    assert found["days_left"].value == pytest.approx(30, abs=0.1)
    by_address = await served(zoo.issue(zoo.intermediate(), ["localhost"]), "127.0.0.1")
    assert by_address["name_matches"].value is False
    assert by_address["trusted"].value is True


async def test_a_bad_certificate_on_the_wire() -> None:
    found = await served(zoo.issue(zoo.intermediate(), ["elsewhere.example"], days=(-30, -2)))
    assert found["trusted"].value is False
    assert found["trust_error"].value == "expired"
    assert found["name_matches"].value is False
    assert found["days_left"].value == pytest.approx(-2, abs=0.1)


async def test_dates_are_judged_at_the_time_of_the_measurement() -> None:
    """Which is long ago where a recording is replayed."""
    with openssl_server(zoo.save(zoo.issue(zoo.intermediate(), ["localhost"], days=(-10, 30)))) as port:
        endpoint = Endpoint("web", url=f"https://localhost:{port}/")
        async with Network(endpoint, options()) as network:
            network.now += datetime.timedelta(days=40)
            found = {
                each.metric: each.value for each in await certificate.CertificateProbe().measure(endpoint, network)
            }
    assert found["certificate.trust_error"] == "expired"
    assert found["certificate.days_left"] == pytest.approx(-10, abs=0.1)


async def test_no_certificate_on_the_wire() -> None:
    async with scripted(hang_up) as state:
        found = await measure(certificate.CertificateProbe(), Endpoint("web", url=f"https://localhost:{state.port}/"))
        assert {each.cause for each in found.values()} == {Cause.CONNECTION_RESET}
        port = state.port
    found = await measure(certificate.CertificateProbe(), Endpoint("web", url=f"https://localhost:{port}/"))
    assert {each.cause for each in found.values()} == {Cause.CONNECTION_REFUSED}
    for endpoint in (
        Endpoint("imap", host="localhost", port=port, tls="none"),
        Endpoint("web", url="http://localhost/"),
    ):
        found = await measure(certificate.CertificateProbe(), endpoint)
        assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}


async def hang_up(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close in the middle of the handshake."""
    await reader.read(5)
