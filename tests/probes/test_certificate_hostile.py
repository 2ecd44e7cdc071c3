"""Mutated certificates, chains and OCSP responses: nothing raises, nothing takes long, nothing false is believed."""

from __future__ import annotations

import time

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.certificate import CHAIN_METRICS, OTHER_METRICS, measure_chain
from probes.model import Cause, Measurement, Unmeasured
from probes.revocation import ERRORS, STATUSES
from probes.served_chain import measure_other_chain
from tests.probes import certificates as zoo

pytestmark = pytest.mark.slow

CA = str(zoo.ca_file())
HONEST = {None, Cause.PROTOCOL_ERROR, Cause.TLS_CLIENT_UNSUPPORTED, Cause.NOT_APPLICABLE, Cause.REPLY_TOO_LONG}
"""Causes that a hostile certificate or staple may have: never a bug of ours, never something of the network."""

LEAF = zoo.issue(
    zoo.intermediate(),
    ["localhost", "*.mail.example", "127.0.0.1"],
    aia="http://ca.example/",
    responder="http://ocsp.example/",
    extensions=[zoo.MUST_STAPLE, zoo.timestamps(zoo.timestamp(b"a" * 32), zoo.timestamp(b"b" * 32))],
)
RSA_LEAF = zoo.issue(zoo.intermediate(), ["localhost"], key=zoo.rsa_key())
SEEDS = (LEAF.der, RSA_LEAF.der, zoo.root().der, zoo.intermediate().der)
STAPLES = (
    zoo.staple(LEAF),
    zoo.staple(LEAF, status=zoo.ocsp.OCSPCertStatus.REVOKED),
    zoo.staple(LEAF, signer=zoo.responder(), carried=[zoo.responder()]),
    zoo.staple_with_timestamps(LEAF, zoo.timestamp_list(zoo.timestamp(b"c" * 32))),
    zoo.signed_answers([zoo.single_answer(LEAF), zoo.single_answer(RSA_LEAF)]),
)

changes = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 4000), st.integers(0, 255)),
        st.tuples(st.just("drop"), st.integers(0, 4000), st.integers(1, 40)),
        st.tuples(st.just("repeat"), st.integers(0, 4000), st.integers(1, 40)),
    ),
    min_size=1,
    max_size=5,
)


def mutate(der: bytes, how: list[tuple[str, int, int]]) -> bytes:
    changed = bytearray(der)
    for kind, place, amount in how:
        at = place % max(1, len(changed))
        if kind == "set" and changed:
            changed[at] = amount
        elif kind == "drop":
            del changed[at : at + amount]
        elif kind == "repeat":
            changed[at:at] = changed[at : at + amount]
    return bytes(changed)


def judged(chain: tuple[bytes, ...], staple: bytes | None) -> dict[str, Measurement]:
    """Every metric, in bounded time; each with an honest cause or a value."""
    began = time.perf_counter()
    try:
        found = measure_chain(chain, "localhost", CA, staple=staple)
    except Unmeasured as reason:
        found = [Measurement.missing(metric.key, reason.cause, reason.detail) for metric in CHAIN_METRICS]
    assert time.perf_counter() - began < 2
    assert [each.metric for each in found] == [metric.key for metric in CHAIN_METRICS]
    for each in found:
        assert each.cause in HONEST, each
        assert each.detail.isprintable(), each
    return {each.metric.removeprefix("certificate."): each for each in found}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SEEDS), changes, st.sampled_from([None, *STAPLES]))
def test_mutated_leaves(der: bytes, how: list[tuple[str, int, int]], staple: bytes | None) -> None:
    tampered = mutate(der, how)
    found = judged((tampered, zoo.intermediate().der), staple)
    if tampered not in SEEDS:
        assert found["trusted"].value is not True
        assert not found["trusted_by"].value


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SEEDS), changes), max_size=6))
def test_mutated_chains(others: list[tuple[bytes, list[tuple[str, int, int]]]]) -> None:
    chain = (LEAF.der, *(mutate(der, how) for der, how in others), zoo.intermediate().der)
    found = judged(chain, STAPLES[0])
    # Leaf and intermediate are there. (A twin of the intermediate with a broken signature before it costs the trust of
    # OpenSSL, which does not look for another one: that is what clients see. So does a twin under a strange root.)
    assert found["chain_complete"].value is not False
    assert found["trust_error"].value in ("none", "other: certificate signature failure", "unknown_issuer")
    assert found["chain_length"].value == len(chain)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(STAPLES), changes)
def test_mutated_staples(staple: bytes, how: list[tuple[str, int, int]]) -> None:
    tampered = mutate(staple, how)
    found = judged(LEAF.chain, tampered)
    error, status = found["ocsp_error"], found["ocsp_status"]
    assert found["ocsp_stapled"].value is True
    assert error.value in (None, "none", *ERRORS)
    assert status.value in (None, *STATUSES)
    assert (status.value is None) == (error.value != "none")
    if status.value is not None:
        # The signature holds, so it is what was signed: at most something outside of it has changed.
        said = "revoked" if staple == STAPLES[1] else "good"
        assert status.value == said
    assert found["trusted"].value is True


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    judged((data,), None)
    assert judged(LEAF.chain, data)["ocsp_error"].value == "malformed"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), changes)
def test_mutated_certificates_of_the_other_kind(der: bytes, how: list[tuple[str, int, int]]) -> None:
    metrics = OTHER_METRICS[1:]
    try:
        found = measure_other_chain((mutate(der, how), zoo.intermediate().der), "localhost", CA)
    except Unmeasured as reason:
        found = [Measurement.missing(metric.key, reason.cause, reason.detail) for metric in metrics]
    assert [each.metric for each in found] == [metric.key for metric in metrics]
    assert all(each.cause in HONEST for each in found)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_mutated_lists_of_timestamps(listed: bytes) -> None:
    leaf = zoo.issue(zoo.intermediate(), ["localhost"], extensions=[zoo.timestamps(listed=listed)])
    found = judged(leaf.chain, zoo.staple_with_timestamps(LEAF, listed))
    assert found["trusted"].value is True


MALFORMED = {
    "1.3.6.1.5.5.7.1.24": ("must_staple",),
    "1.3.6.1.4.1.11129.2.4.2": ("timestamps", "timestamp_logs"),
    "1.3.6.1.5.5.7.1.1": ("ocsp_stapled",),
    "2.5.29.17": ("name_matches", "subject_names"),
    "2.5.29.32": (),
}
"""Extension → what depends on it alone."""


@pytest.mark.parametrize("extension", MALFORMED)
@pytest.mark.parametrize("content", [b"", b"\x05\x00", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x04" * 300])
def test_a_malformed_extension_costs_what_depends_on_it_alone(extension: str, content: bytes) -> None:
    good: dict[str, x509.ExtensionType] = {
        "1.3.6.1.5.5.7.1.24": zoo.MUST_STAPLE,
        "1.3.6.1.4.1.11129.2.4.2": zoo.timestamps(zoo.timestamp(b"a" * 32)),
        "1.3.6.1.5.5.7.1.1": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.1"), ACCESS),
        "2.5.29.17": x509.SubjectAlternativeName([x509.DNSName("localhost")]),
    }
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier(extension), content)
    leaf = zoo.issue(zoo.intermediate(), extensions=[*(good | {extension: broken}).values()])
    found = judged(leaf.chain, None)
    expected = {
        "name_matches": True, "subject_names": ("localhost",), "must_staple": True, "ocsp_stapled": False,
        "timestamps": 1, "key_type": "EC", "chain_in_order": True,
    }  # fmt: skip
    for name in MALFORMED[extension]:
        # (Without a readable demand, a staple that does not come is a fact all the same.)
        assert found[name].cause is Cause.PROTOCOL_ERROR or name == "ocsp_stapled"
        expected.pop(name, None)
    assert {name: found[name].value for name in expected} == expected


ACCESS = zoo.tlv(0x30, zoo.tlv(0x30, bytes.fromhex("06082b06010505073001"), zoo.tlv(0x86, b"http://ocsp.example/")))


def test_a_feature_that_our_library_has_no_name_for() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.24"), b"\x30\x03\x02\x01\x5d")
    found = judged(zoo.issue(zoo.intermediate(), ["localhost"], extensions=[unknown]).chain, None)
    assert found["must_staple"].cause is Cause.TLS_CLIENT_UNSUPPORTED
    assert found["name_matches"].value is True
    assert found["trusted"].value is True


def test_a_chain_of_slow_signatures_takes_bounded_time() -> None:
    """The costliest keys that OpenSSL will look at, as many as a chain may hold, all of one name."""
    key = zoo.rsa.generate_private_key(65537, 4096)
    authority = zoo.issue(None, common="slow", authority=True, key=key)
    chain = [zoo.issue(authority, ["localhost"], common="slow", key=key)]
    chain += [zoo.issue(authority, common="slow", key=key, authority=True) for _ in range(18)]
    found = judged(tuple(each.der for each in chain), zoo.staple(chain[0], authority))
    assert found["trusted"].value is False
    assert found["chain_in_order"].value is True


def test_many_answers_and_many_responders_take_bounded_time() -> None:
    many = zoo.signed_answers([zoo.single_answer(RSA_LEAF)] * 300)
    assert len(many) < 64 * 1024
    assert judged(LEAF.chain, many)["ocsp_error"].value == "other_certificate"
    crowd = zoo.staple(LEAF, signer=zoo.other_root(), carried=[zoo.responder()] * 40)
    assert judged(LEAF.chain, crowd)["ocsp_error"].value == "wrong_signature"
