"""Order and completeness of served chains, roots that are sent along, strangers among them; several trust stores."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from probes import anchors
from probes.certificate import measure_chain
from probes.chain import MAXIMUM_CHAIN, Arrangement
from probes.model import Cause, Measurement, Unmeasured
from tests import needs
from tests.probes import certificates as zoo

CA = str(zoo.ca_file())


def judged(chain: tuple[bytes, ...], ca: str | None = CA) -> dict[str, Measurement]:
    return {each.metric.removeprefix("certificate."): each for each in measure_chain(chain, "localhost", ca)}


def arranged(chain: tuple[bytes, ...], ca: str | None = CA) -> dict[str, object]:
    found = judged(chain, ca)
    keys = ("chain_in_order", "chain_complete", "root_sent", "superfluous")
    return {key: found[key].value if found[key].cause is None else found[key].cause for key in keys}


def second_intermediate() -> zoo.Issued:
    return zoo.issue(zoo.intermediate(), common="Lower Intermediate", authority=True)


POLICIES = x509.CertificatePolicies(
    [x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)]  # domain validated
)


# --- order ------------------------------------------------------------------------------------------------------------


def test_order() -> None:
    lower = second_intermediate()
    leaf = zoo.issue(lower, ["localhost"])
    good = leaf.chain
    assert len(good) == 3
    assert arranged(good) == {
        "chain_in_order": True, "chain_complete": True, "root_sent": False, "superfluous": 0,
    }  # fmt: skip
    swapped = (good[0], good[2], good[1])
    assert arranged(swapped) == {
        "chain_in_order": False, "chain_complete": True, "root_sent": False, "superfluous": 0,
    }  # fmt: skip
    assert judged(swapped)["trusted"].value is True
    assert judged(swapped)["chain_in_order"].detail == (
        "number 1 (CN=leaf,O=Mailrubric tests) was not issued by number 2"
    )
    assert judged(good[:1])["chain_in_order"].detail == "a single certificate"


def test_a_name_alone_makes_no_issuer() -> None:
    impostor = zoo.issue(zoo.other_root(), common="Test Intermediate", authority=True)
    leaf = zoo.issue(zoo.intermediate(), ["localhost"])
    found = arranged((leaf.der, impostor.der))
    assert found["chain_in_order"] is False
    assert found["superfluous"] == 1


def test_names_are_compared_without_regard_to_case_and_blanks() -> None:
    # RFC 5280 §7.1; here the issuer's name in the leaf is written differently from the issuer's own.
    issuer = zoo.issue(None, common="Odd  Case", authority=True)
    shown = dataclasses.replace(issuer, certificate=zoo.issue(None, common="odd case", key=issuer.key).certificate)
    leaf = zoo.issue(shown, ["localhost"])
    assert leaf.certificate.issuer != issuer.certificate.subject
    assert arranged((leaf.der, issuer.der))["chain_in_order"] is True


def test_a_signature_that_our_library_cannot_check_leaves_names_and_key_identifiers(tmp_path: Path) -> None:
    openssl = needs.require("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=tmp_path)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp160r1", "-nodes")
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Odd", "-days", "5")
    run("req", "-x509", *curve, "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=Odd", "-days", "5")
    run("req", "-new", *curve, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf")
    (tmp_path / "ids").write_text("authorityKeyIdentifier=keyid:always\n")
    run(
        "x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "leaf.pem", "-days", "5",
        "-extfile", "ids",
    )  # fmt: skip
    leaf, ca, other = (
        x509.load_pem_x509_certificate((tmp_path / f"{name}.pem").read_bytes()).public_bytes(serialization.Encoding.DER)
        for name in ("leaf", "ca", "other")
    )
    assert arranged((leaf, ca))["chain_in_order"] is True
    assert arranged((leaf, other))["chain_in_order"] is False


# --- completeness -----------------------------------------------------------------------------------------------------


def test_a_missing_intermediate_of_a_publicly_trusted_leaf() -> None:
    leaf = zoo.issue(zoo.intermediate(), ["localhost"], extensions=[POLICIES], aia="http://ca.example/i.der")
    assert arranged(leaf.chain)["chain_complete"] is True
    found = judged(leaf.chain[:1])
    assert found["chain_complete"].value is False
    assert found["chain_complete"].detail == (
        "the intermediate authority CN=Test Intermediate,O=Mailrubric tests is missing"
    )
    assert found["trust_error"].value == "incomplete_chain"
    # A stranger in its place does not make up for it.
    assert arranged((leaf.der, zoo.other_root().der))["chain_complete"] is False


def test_where_nothing_tells_whether_one_is_missing() -> None:
    # A private authority's leaf alone: its issuer may be a root.
    alone = judged(zoo.issue(zoo.intermediate(), ["localhost"]).chain[:1])["chain_complete"]
    assert alone.cause is Cause.TLS_CLIENT_UNSUPPORTED
    assert "no trust store here knows" in alone.detail
    # The same for the end of a longer chain, even of a leaf that says that it is publicly trusted.
    leaf = zoo.issue(zoo.intermediate(), ["localhost"], extensions=[POLICIES])
    assert arranged(leaf.chain, ca=None)["chain_complete"] is Cause.TLS_CLIENT_UNSUPPORTED


def test_dates_do_not_hide_completeness() -> None:
    expired = zoo.issue(zoo.intermediate(), ["localhost"], days=(-20, -1))
    found = judged(expired.chain)
    assert found["trust_error"].value == "expired"
    assert found["chain_complete"].value is True
    assert found["chain_complete"].detail == "up to the trust anchor CN=Test Root,O=Mailrubric tests"
    assert arranged(zoo.issue(zoo.root(), ["localhost"], days=(-20, -1)).chain)["chain_complete"] is True


def test_a_chain_of_ones_own_may_be_complete() -> None:
    self_signed = arranged(zoo.issue(None, ["localhost"]).chain)
    assert self_signed == {
        "chain_in_order": True, "chain_complete": True, "root_sent": False, "superfluous": 0,
    }  # fmt: skip
    unknown = judged((*zoo.issue(zoo.other_root(), ["localhost"]).chain, zoo.other_root().der))
    assert unknown["chain_complete"].value is True
    assert "signed itself and is no trust anchor" in unknown["chain_complete"].detail


# --- roots and strangers ----------------------------------------------------------------------------------------------


def test_a_root_that_is_sent() -> None:
    leaf = zoo.issue(zoo.intermediate(), ["localhost"])
    assert arranged((*leaf.chain, zoo.root().der)) == {
        "chain_in_order": True, "chain_complete": True, "root_sent": True, "superfluous": 0,
    }  # fmt: skip
    assert arranged((*leaf.chain, zoo.other_root().der)) == {
        "chain_in_order": False, "chain_complete": True, "root_sent": True, "superfluous": 1,
    }  # fmt: skip


def test_superfluous_certificates() -> None:
    leaf = zoo.issue(zoo.intermediate(), ["localhost"])
    twice = judged((*leaf.chain, leaf.chain[1]))
    assert twice["superfluous"].value == 1
    assert twice["superfluous"].detail == "CN=Test Intermediate,O=Mailrubric tests"
    assert twice["chain_in_order"].value is False
    stranger = zoo.issue(zoo.other_root(), common="stranger", authority=True)
    assert arranged((leaf.der, stranger.der, leaf.chain[1]))["superfluous"] == 1
    # Two ways up, by a root and by its cross-signed twin, are both of use.
    cross = zoo.issue(zoo.other_root(), common="Test Root", key=zoo.root().key, authority=True)
    assert arranged((*leaf.chain, cross.der, zoo.root().der))["superfluous"] == 0


def test_what_cannot_be_read_or_is_too_much_is_no_value() -> None:
    leaf = zoo.issue(zoo.intermediate(), ["localhost"])
    broken = arranged((*leaf.chain, b"broken"))
    assert broken["chain_in_order"] is Cause.PROTOCOL_ERROR
    assert broken["root_sent"] is Cause.PROTOCOL_ERROR
    assert broken["superfluous"] is Cause.PROTOCOL_ERROR
    assert broken["chain_complete"] is True
    # What has been seen stays seen.
    assert arranged((leaf.der, b"broken", zoo.root().der, leaf.chain[1]))["chain_in_order"] is False
    assert arranged((leaf.der, b"broken", zoo.root().der))["root_sent"] is True
    many = arranged((*leaf.chain, *[zoo.intermediate().der] * MAXIMUM_CHAIN))
    assert many["superfluous"] is Cause.REPLY_TOO_LONG


def test_a_chain_of_many_certificates_of_one_name_takes_bounded_work() -> None:
    same = [zoo.issue(None, common="same", authority=True) for _ in range(MAXIMUM_CHAIN - 1)]
    leaf = zoo.issue(same[0], ["localhost"], common="same")
    chain = (leaf.der, *(each.der for each in same))
    assert arranged(chain)["superfluous"] == len(same) - 1
    arrangement = Arrangement(chain, CA)

    def every_pair() -> None:
        for certificate in arrangement.certificates:
            for other in arrangement.certificates:
                arrangement.issued(certificate, other)

    with pytest.raises(Unmeasured) as caught:
        every_pair()
    assert caught.value.cause is Cause.REPLY_TOO_LONG


# --- trust stores -----------------------------------------------------------------------------------------------------


@pytest.fixture
def system_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is the system's trust store, for OpenSSL and for us, and no folder."""
    path = tmp_path / "system.pem"
    path.write_bytes(zoo.other_root().pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))
    return path


def test_every_store_for_itself(system_store: Path) -> None:
    ours = zoo.issue(zoo.intermediate(), ["localhost"])
    theirs = zoo.issue(zoo.other_root(), ["localhost"])
    assert judged(ours.chain)["trusted_by"].value == ("given",)
    assert judged(ours.chain)["trusted_by"].detail == "bundled: unknown_issuer; given: none; system: unknown_issuer"
    assert judged(theirs.chain)["trusted_by"].value == ("system",)
    assert judged(theirs.chain)["trusted"].value is False  # which asks the bundled and the given store
    assert judged(theirs.chain)["chain_complete"].value is True
    system_store.write_bytes(zoo.other_root().pem + zoo.root().pem)
    assert judged(ours.chain)["trusted_by"].value == ("given", "system")
    assert judged(ours.chain, ca=None)["trusted_by"].value == ("system",)
    nobody = judged(zoo.issue(None, ["localhost"]).chain)["trusted_by"]
    assert nobody.value == ()
    assert nobody.detail == "bundled: self_signed; given: self_signed; system: self_signed"


def test_the_bundled_store() -> None:
    with open(anchors.certifi_bundle(), "rb") as bundle:
        pem = bundle.read().split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
    anchor = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN") :])
    found = judged((anchor.public_bytes(serialization.Encoding.DER),), ca=None)["trusted_by"]
    assert isinstance(found.value, tuple)
    assert "bundled" in found.value


def test_a_folder_of_hashed_names_is_a_store_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root.pem").write_bytes(zoo.root().pem)
    subprocess.run([needs.require("openssl"), "rehash", str(tmp_path)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    good = zoo.issue(zoo.intermediate(), ["localhost"])
    assert judged(good.chain, ca=None)["trusted_by"].value == ("system",)
    expired = zoo.issue(zoo.intermediate(), ["localhost"], days=(-20, -1))
    assert judged(expired.chain, ca=None)["chain_complete"].value is True
    assert "system: 1 anchors" in anchors.describe_stores(None)


def test_a_system_without_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    found = judged(zoo.issue(zoo.intermediate(), ["localhost"]).chain)
    assert found["trusted_by"].cause is Cause.TLS_CLIENT_UNSUPPORTED
    assert found["trusted_by"].detail == (
        "this machine's operating system has no trust store; bundled: unknown_issuer; given: none"
    )
    assert found["trusted"].value is True
    assert found["chain_complete"].value is True
    assert anchors.describe_stores(CA).endswith("; system: none")


def test_stores_where_openssl_was_built_to_look_elsewhere(tmp_path: Path) -> None:
    """Without the variables and without OpenSSL's own places, the usual places of systems are looked at."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(zoo.root().pem)
    code = (
        "import ssl\n"
        "nowhere = ssl.DefaultVerifyPaths(None, None, 'SSL_CERT_FILE', '/none', 'SSL_CERT_DIR', '/none')\n"
        "ssl.get_default_verify_paths = lambda: nowhere\n"
        "from probes import anchors\n"
        f"anchors._SYSTEM_FILES = ('/none', {str(bundle)!r})\n"
        "print(anchors.system_anchors().files)\n"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT")}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=plain)
    assert done.stdout.strip() == repr((str(bundle),))


def test_the_line_about_the_stores(system_store: Path) -> None:
    import certifi

    with open(anchors.certifi_bundle(), "rb") as bundle:
        bundled = bundle.read().count(b"BEGIN CERTIFICATE")
    line = anchors.describe_stores(CA)
    assert line.startswith(
        f"trust stores: bundled: {bundled} anchors of certifi {certifi.__version__}; given: 1 anchors of "
    )
    assert "; system: 1 anchors of 20" in line
    assert str(system_store) not in line  # whose name may hold the user's


def test_an_anchor_that_cannot_be_read_vouches_for_nobody(tmp_path: Path) -> None:
    path = tmp_path / "broken.pem"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    found = judged(zoo.issue(zoo.intermediate(), ["localhost"], days=(-20, -1)).chain, ca=str(path))
    assert found["trusted_by"].cause is Cause.PROBE_BUG  # our own file
    assert found["chain_complete"].cause is Cause.TLS_CLIENT_UNSUPPORTED
