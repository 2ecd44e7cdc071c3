"""OCSP staples that count and those that do not, must-staple, and signed certificate timestamps."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from probes.certificate import measure_chain
from probes.model import Cause, Measurement
from probes.revocation import ERRORS
from tests.probes import certificates as zoo

CA = str(zoo.ca_file())
RESPONDER = "http://ocsp.example/"
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN

LEAF = zoo.issue(zoo.intermediate(), ["localhost"], responder=RESPONDER)
MUST = zoo.issue(zoo.intermediate(), ["localhost"], responder=RESPONDER, extensions=[zoo.MUST_STAPLE])


def judged(
    leaf: zoo.Issued, staple: bytes | None, chain: tuple[bytes, ...] | None = None, ca: str | None = CA
) -> dict[str, Measurement]:
    found = measure_chain(leaf.chain if chain is None else chain, "localhost", ca, staple=staple)
    return {each.metric.removeprefix("certificate."): each for each in found}


def value_or_cause(each: Measurement) -> object:
    return each.value if each.cause is None else each.cause


def status(leaf: zoo.Issued, staple: bytes, ca: str | None = CA) -> tuple[object, object]:
    """The error and the status, or the causes."""
    found = judged(leaf, staple, ca=ca)
    assert found["ocsp_stapled"].value is True
    return value_or_cause(found["ocsp_error"]), value_or_cause(found["ocsp_status"])


@pytest.mark.parametrize(("said", "expected"), [(GOOD, "good"), (REVOKED, "revoked"), (UNKNOWN, "unknown")])
def test_a_staple_of_the_issuer(said: ocsp.OCSPCertStatus, expected: str) -> None:
    staple = zoo.staple(LEAF, status=said)
    assert status(LEAF, staple) == ("none", expected)
    detail = judged(LEAF, staple)["ocsp_status"].detail
    assert "UTC, until 20" in detail
    assert ("because of keyCompromise" in detail) is (expected == "revoked")


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384()], ids=lambda digest: digest.name)
def test_the_issuer_may_be_named_by_any_hash(digest: hashes.HashAlgorithm) -> None:
    assert status(LEAF, zoo.staple(LEAF, digest=digest)) == ("none", "good")


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), zoo.rsa_key(), ed25519.Ed25519PrivateKey.generate()],
    ids=["EC", "RSA", "Ed25519"],
)
def test_issuers_with_keys_of_all_kinds(key: object) -> None:
    issuer = zoo.issue(zoo.root(), common="Another Intermediate", authority=True, key=key)
    leaf = zoo.issue(issuer, ["localhost"], responder=RESPONDER)
    assert status(leaf, zoo.staple(leaf, issuer)) == ("none", "good")
    # Signed by a key of another kind, in its issuer's name.
    assert status(leaf, zoo.staple(leaf, issuer, signer=zoo.issue(None, key=other_than(key)))) == (
        "wrong_signature", Cause.PROTOCOL_ERROR,
    )  # fmt: skip


def other_than(key: object) -> object:
    return ec.generate_private_key(ec.SECP256R1()) if key is zoo.rsa_key() else zoo.rsa_key()


def test_the_issuer_need_not_be_served_when_it_is_an_anchor() -> None:
    leaf = zoo.issue(zoo.root(), ["localhost"], responder=RESPONDER)
    staple = zoo.staple(leaf, zoo.root())
    assert len(leaf.chain) == 1
    assert status(leaf, staple) == ("none", "good")
    assert status(leaf, staple, ca=None) == (Cause.TLS_CLIENT_UNSUPPORTED, Cause.TLS_CLIENT_UNSUPPORTED)
    # What is wrong without looking at the signature is known all the same.
    assert status(leaf, zoo.staple(leaf, zoo.root(), hours=(-50, -2)), ca=None) == ("expired", Cause.PROTOCOL_ERROR)


def test_a_delegated_responder() -> None:
    responder = zoo.responder()
    staple = zoo.staple(LEAF, signer=responder, carried=[responder])
    assert status(LEAF, staple) == ("none", "good")
    # Its certificate has to come along: nobody else shows it.
    assert status(LEAF, zoo.staple(LEAF, signer=responder))[0] == "wrong_signature"


@pytest.mark.parametrize(
    ("case", "issuer", "usages", "days"),
    [
        ("not meant for it", zoo.intermediate, [ExtendedKeyUsageOID.SERVER_AUTH], (-1, 30)),
        ("meant for nothing", zoo.intermediate, [], (-1, 30)),
        ("expired", zoo.intermediate, [ExtendedKeyUsageOID.OCSP_SIGNING], (-30, -1)),
        ("not yet valid", zoo.intermediate, [ExtendedKeyUsageOID.OCSP_SIGNING], (1, 30)),
        ("of another authority", zoo.other_root, [ExtendedKeyUsageOID.OCSP_SIGNING], (-1, 30)),
        ("of the authority above", zoo.root, [ExtendedKeyUsageOID.OCSP_SIGNING], (-1, 30)),
    ],
)
def test_responders_that_nobody_delegated_it_to(
    case: str, issuer: object, usages: list[x509.ObjectIdentifier], days: tuple[float, float]
) -> None:
    assert callable(issuer)
    responder = zoo.issue(issuer(), common="Test Responder", usages=usages, days=days)
    staple = zoo.staple(LEAF, signer=responder, carried=[responder])
    assert status(LEAF, staple) == ("unauthorised_responder", Cause.PROTOCOL_ERROR), case


def test_a_leaf_cannot_vouch_for_itself() -> None:
    # Its key is the server's: a server with a revoked certificate could say what it likes.
    staple = zoo.staple(LEAF, signer=LEAF, carried=[LEAF])
    assert status(LEAF, staple) == ("unauthorised_responder", Cause.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    ("error", "staple"),
    [
        ("expired", lambda: zoo.staple(LEAF, hours=(-50, -2))),
        ("expired", lambda: zoo.staple(LEAF, hours=(-50, -0.1))),  # beyond the five minutes that clocks may differ
        ("none", lambda: zoo.staple(LEAF, hours=(-50, -0.05))),
        ("not_yet_valid", lambda: zoo.staple(LEAF, hours=(2, 24))),
        ("none", lambda: zoo.staple(LEAF, hours=(0.05, 24))),
        ("without_end", lambda: zoo.staple(LEAF, hours=(-1, None))),
        ("wrong_signature", lambda: zoo.staple(LEAF, signer=zoo.other_root())),
        ("wrong_signature", lambda: zoo.staple(LEAF, signer=zoo.other_root(), carried=[zoo.responder()])),
        ("expired", lambda: zoo.staple(LEAF, signer=zoo.other_root(), hours=(-50, -2))),
        ("other_certificate", lambda: zoo.staple(MUST)),
        ("other_certificate", lambda: zoo.staple(same_serial(), zoo.other_root())),
        ("responder_error", lambda: refusal(ocsp.OCSPResponseStatus.TRY_LATER)),
        ("malformed", lambda: b""),
        ("malformed", lambda: b"garbage"),
        ("malformed", lambda: zoo.staple(LEAF)[:-1]),
        ("malformed", lambda: b"\x30" * 70000),
    ],
)
def test_staples_with_and_without_faults(error: str, staple: object) -> None:
    assert callable(staple)
    der = staple()
    found = judged(LEAF, der)
    assert found["ocsp_error"].value == error
    assert found["ocsp_stapled"].value is True
    if error == "none":
        assert found["ocsp_status"].value == "good"
    else:
        assert error in ERRORS
        assert found["ocsp_error"].detail
        # Worthless is neither good nor revoked.
        assert found["ocsp_status"].cause is Cause.PROTOCOL_ERROR
        assert error in found["ocsp_status"].detail
    # And it says nothing of the rest.
    assert found["trusted"].value is True


def same_serial() -> zoo.Issued:
    """Another authority's certificate with the same serial number."""
    return zoo.issue(zoo.other_root(), ["localhost"], serial=LEAF.certificate.serial_number)


def refusal(why: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(why).public_bytes(serialization.Encoding.DER)


def test_a_refusal_says_which() -> None:
    assert judged(LEAF, refusal(ocsp.OCSPResponseStatus.TRY_LATER))["ocsp_error"].detail == "try_later"


def test_a_revoked_answer_that_is_not_signed_rightly_revokes_nothing() -> None:
    staple = zoo.staple(LEAF, status=REVOKED, signer=zoo.other_root())
    assert status(LEAF, staple) == ("wrong_signature", Cause.PROTOCOL_ERROR)


def test_one_bit_of_the_answer_changed() -> None:
    staple = zoo.staple(LEAF, status=REVOKED)
    at = staple.index(LEAF.certificate.serial_number.to_bytes(20, "big").lstrip(b"\0")) + 25
    tampered = staple[:at] + bytes([staple[at] ^ 1]) + staple[at + 1 :]
    assert judged(LEAF, tampered)["ocsp_status"].value is None


# --- no staple --------------------------------------------------------------------------------------------------------


def test_no_staple() -> None:
    found = judged(LEAF, None)
    assert found["ocsp_stapled"].value is False
    assert found["ocsp_status"].cause is Cause.NOT_APPLICABLE
    assert found["ocsp_status"].detail == (
        "the server stapled no OCSP response; revocation lists and responders of others are not asked"
    )
    assert found["ocsp_error"].cause is Cause.NOT_APPLICABLE
    assert found["must_staple"].value is False
    assert found["must_staple_honoured"].cause is Cause.NOT_APPLICABLE


def test_no_staple_where_there_is_no_responder() -> None:
    found = judged(leaf := zoo.issue(zoo.intermediate(), ["localhost"]), None)
    assert found["ocsp_stapled"].cause is Cause.NOT_APPLICABLE
    # But one that comes all the same is one.
    assert judged(leaf, zoo.staple(leaf))["ocsp_stapled"].value is True


# --- must-staple ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("staple", "honoured"),
    [
        (None, False),
        (zoo.staple(MUST), True),
        (zoo.staple(MUST, status=REVOKED), True),  # it is honoured; the certificate is revoked
        (zoo.staple(MUST, hours=(-50, -2)), False),
        (zoo.staple(MUST, signer=zoo.other_root()), False),
        (b"garbage", False),
    ],
)
def test_must_staple(staple: bytes | None, honoured: bool) -> None:
    found = judged(MUST, staple)
    assert found["must_staple"].value is True
    assert found["ocsp_stapled"].value is (staple is not None)
    assert found["must_staple_honoured"].value is honoured


def test_must_staple_of_an_unknown_authority_stays_open() -> None:
    found = judged(MUST, zoo.staple(MUST), chain=MUST.chain[:1])
    assert found["must_staple_honoured"].cause is Cause.TLS_CLIENT_UNSUPPORTED


def test_must_staple_without_a_responder_is_a_demand_all_the_same() -> None:
    leaf = zoo.issue(zoo.intermediate(), ["localhost"], extensions=[zoo.MUST_STAPLE])
    assert judged(leaf, None)["ocsp_stapled"].value is False
    assert judged(leaf, None)["must_staple_honoured"].value is False


def test_other_features_are_no_demand_and_a_malformed_one_is_no_value() -> None:
    feature = x509.TLSFeature([x509.TLSFeatureType.status_request_v2])
    assert (
        judged(zoo.issue(zoo.intermediate(), ["localhost"], extensions=[feature]), None)["must_staple"].value is False
    )
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.24"), b"\x30\x7f")
    found = judged(zoo.issue(zoo.intermediate(), ["localhost"], extensions=[broken]), None)
    assert found["must_staple"].cause is Cause.PROTOCOL_ERROR
    assert found["must_staple_honoured"].cause is Cause.PROTOCOL_ERROR


# --- timestamps -------------------------------------------------------------------------------------------------------

ARGON, XENON = b"a" * 32, b"x" * 32


def with_timestamps(*found: bytes, listed: bytes | None = None) -> zoo.Issued:
    return zoo.issue(zoo.intermediate(), ["localhost"], extensions=[zoo.timestamps(*found, listed=listed)])


def shown(leaf: zoo.Issued, staple: bytes | None = None) -> tuple[object, object]:
    found = judged(leaf, staple)
    return value_or_cause(found["timestamps"]), value_or_cause(found["timestamp_logs"])


def test_timestamps_in_the_certificate() -> None:
    logs = tuple(base64.b64encode(log).decode() for log in (ARGON, XENON))
    assert shown(with_timestamps(zoo.timestamp(ARGON), zoo.timestamp(XENON))) == (2, logs)
    # Two of one log are two timestamps of one log.
    twice = with_timestamps(zoo.timestamp(ARGON), zoo.timestamp(ARGON, signature=b"\x30\x06\x02\x01\x02\x02\x01\x01"))
    assert shown(twice) == (2, logs[:1])
    assert shown(LEAF) == (0, ())


def test_timestamps_in_the_staple() -> None:
    leaf = with_timestamps(zoo.timestamp(ARGON))
    both = zoo.timestamp_list(zoo.timestamp(ARGON), zoo.timestamp(XENON))
    staple = zoo.staple_with_timestamps(leaf, both)
    assert status(leaf, staple) == ("none", "good")
    assert shown(leaf, staple) == (2, tuple(base64.b64encode(log).decode() for log in (ARGON, XENON)))
    assert judged(leaf, staple)["timestamps"].detail == "1 in the certificate, 2 in the staple"
    assert shown(leaf, zoo.staple(leaf))[0] == 1
    assert shown(leaf, b"garbage")[0] == 1
    assert shown(leaf, refusal(ocsp.OCSPResponseStatus.INTERNAL_ERROR))[0] == 1


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"\x00",
        b"\x00\x05abc",
        b"\x00\x04\x00\x20ab",
        zoo.timestamp_list(b"\x00"),
        zoo.timestamp_list(b"\x07" * 60),
    ],
)
def test_malformed_timestamps_are_no_value(listed: bytes) -> None:
    assert shown(with_timestamps(listed=listed)) == (Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR)
    assert shown(LEAF, zoo.staple_with_timestamps(LEAF, listed)) == (Cause.PROTOCOL_ERROR, Cause.PROTOCOL_ERROR)
    # Which is a fault of theirs alone.
    assert status(LEAF, zoo.staple_with_timestamps(LEAF, listed)) == ("none", "good")


def test_no_more_logs_are_listed_than_can_be_read() -> None:
    many = [zoo.timestamp(number.to_bytes(32, "big")) for number in range(300)]
    count, logs = shown(with_timestamps(*many))
    assert count == 300
    assert isinstance(logs, tuple)
    assert len(logs) == 100


def test_a_staple_of_many_answers() -> None:
    """Answers for others before the one for this certificate."""
    others = [zoo.issue(zoo.intermediate(), common=f"other {number}") for number in range(3)]
    parts = [zoo.single_answer(each) for each in (*others, LEAF)]
    assert status(LEAF, zoo.signed_answers(parts)) == ("none", "good")
    assert status(LEAF, zoo.signed_answers(parts[:3]))[0] == "other_certificate"
    assert shown(LEAF, zoo.signed_answers(parts))[0] == 0
