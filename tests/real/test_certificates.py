"""Certificates and staples of nginx and Postfix, with OpenSSL's verify, ocsp and s_client as a second opinion."""

from __future__ import annotations

import datetime
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from probes.certificate import measure_chain, trust_error
from probes.model import Cause, Measurement
from tests import needs
from tests.probes import certificates as zoo
from tests.probes.tlsserver import openssl_server
from tests.real.conftest import Probe
from tests.real.reports import Expected, Reported
from tests.real.servers import DOMAIN, Listener, Service, nginx, postfix, scratch

pytestmark = pytest.mark.real

WEB, MAIL = f"www.{DOMAIN}", f"postfix.{DOMAIN}"
RESPONDER = "http://ocsp.example.test/"
CA = str(zoo.ca_file())


def openssl(*arguments: str | Path, stdin: bytes = b"") -> str:
    """What OpenSSL's program says, on both channels, whatever its exit code."""
    command = [needs.require("openssl"), *map(str, arguments)]
    done = subprocess.run(command, check=False, input=stdin, capture_output=True, timeout=30)
    return (done.stdout + done.stderr).decode(errors="replace")


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


# --- openssl verify ---------------------------------------------------------------------------------------------------

LOWER = zoo.issue(zoo.intermediate(), common="Lower Intermediate", authority=True)
DEEP = zoo.issue(LOWER, [WEB])
GOOD = zoo.issue(zoo.intermediate(), [WEB], responder=RESPONDER)
OTHER = zoo.issue(zoo.intermediate(), ["elsewhere.example"], responder=RESPONDER)

CHAINS: dict[str, tuple[bytes, ...]] = {
    "good": GOOD.chain,
    "deep": DEEP.chain,
    "deep, swapped": (DEEP.chain[0], DEEP.chain[2], DEEP.chain[1]),
    "root sent": (*GOOD.chain, zoo.root().der),
    "lacks the intermediate": GOOD.chain[:1],
    "lacks the lower intermediate": (DEEP.chain[0], DEEP.chain[2]),
    "expired": zoo.issue(zoo.intermediate(), [WEB], days=(-20, -1)).chain,
    "not yet valid": zoo.issue(zoo.intermediate(), [WEB], days=(1, 20)).chain,
    "self-signed": zoo.issue(None, [WEB]).chain,
    "unknown root": (*zoo.issue(zoo.other_root(), [WEB]).chain, zoo.other_root().der),
    "for clients": zoo.issue(zoo.root(), [WEB], usages=[ExtendedKeyUsageOID.CLIENT_AUTH]).chain,
    "issued by a leaf": zoo.issue(zoo.issue(zoo.root(), common="no authority"), [WEB]).chain,
}

ERRORS = {9: "not_yet_valid", 10: "expired", 18: "self_signed", 19: "unknown_issuer", 20: "unknown_issuer"}
"""OpenSSL's numbers, as certificate.trust_error names them."""


@pytest.mark.parametrize("case", CHAINS)
def test_openssl_verify_agrees(case: str, tmp_path: Path) -> None:
    leaf, *above = CHAINS[case]
    (tmp_path / "leaf.pem").write_bytes(pem(leaf))
    command: list[str | Path] = ["verify", "-CAfile", CA, "-no-CApath", "-partial_chain", "-purpose", "sslserver"]
    if above:
        (tmp_path / "above.pem").write_bytes(b"".join(map(pem, above)))
        command += ["-untrusted", tmp_path / "above.pem"]
    said = openssl(*command, tmp_path / "leaf.pem")
    number = re.search(r"^error (\d+) at", said, re.MULTILINE)
    ours = trust_error(CHAINS[case], CA)
    if number is None:
        assert ": OK" in said
        assert ours == "none"
    else:
        assert ours.startswith(ERRORS.get(int(number[1]), "other: ")), said


# --- openssl ocsp -----------------------------------------------------------------------------------------------------


def ours(leaf: zoo.Issued, staple: bytes) -> dict[str, Measurement]:
    found = measure_chain(leaf.chain, WEB, CA, staple=staple)
    return {each.metric.removeprefix("certificate."): each for each in found}


def theirs(leaf: zoo.Issued, staple: bytes, folder: Path, digest: str) -> tuple[bool, str, bool]:
    """Whether OpenSSL finds the response signed by one who may, its status of the leaf, and whether its time is now."""
    files = {"leaf": leaf.chain[0], "issuer": zoo.intermediate().der}
    for name, der in files.items():
        (folder / f"{name}.pem").write_bytes(pem(der))
    (folder / "staple").write_bytes(staple)
    said = openssl(
        "ocsp", "-respin", folder / "staple", f"-{digest}", "-issuer", folder / "issuer.pem",
        "-cert", folder / "leaf.pem", "-CAfile", CA, "-verify_other", folder / "issuer.pem", "-no_nonce",
    )  # fmt: skip
    status = re.search(rf"^{re.escape(str(folder / 'leaf.pem'))}: (\w+)", said, re.MULTILINE)
    return "Response verify OK" in said, status[1] if status else "", "Status times invalid" not in said


def unauthorised() -> zoo.Issued:
    return zoo.issue(zoo.intermediate(), common="Not a responder", usages=[ExtendedKeyUsageOID.SERVER_AUTH])


STAPLES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "good": (lambda: zoo.staple(GOOD), "none", "good"),
    "revoked": (lambda: zoo.staple(GOOD, status=ocsp.OCSPCertStatus.REVOKED), "none", "revoked"),
    "unknown": (lambda: zoo.staple(GOOD, status=ocsp.OCSPCertStatus.UNKNOWN), "none", "unknown"),
    "SHA-256": (lambda: zoo.staple(GOOD, digest=hashes.SHA256()), "none", "good"),
    "delegated": (lambda: zoo.staple(GOOD, signer=zoo.responder(), carried=[zoo.responder()]), "none", "good"),
    "expired": (lambda: zoo.staple(GOOD, hours=(-50, -2)), "expired", ""),
    "of the future": (lambda: zoo.staple(GOOD, hours=(2, 50)), "not_yet_valid", ""),
    "wrong key": (lambda: zoo.staple(GOOD, signer=zoo.other_root()), "wrong_signature", ""),
    "not delegated": (
        lambda: zoo.staple(GOOD, signer=(who := unauthorised()), carried=[who]), "unauthorised_responder", "",
    ),
    "several": (lambda: zoo.signed_answers([zoo.single_answer(OTHER), zoo.single_answer(GOOD)]), "none", "good"),
}  # fmt: skip


@pytest.mark.parametrize("case", STAPLES)
def test_openssl_ocsp_agrees(case: str, tmp_path: Path) -> None:
    make, error, status = STAPLES[case]
    staple = make()
    found = ours(GOOD, staple)
    assert found["ocsp_error"].value == error
    assert found["ocsp_status"].value == (status or None)
    signed, said, current = theirs(GOOD, staple, tmp_path, "sha256" if case == "SHA-256" else "sha1")
    assert signed is (error not in ("wrong_signature", "unauthorised_responder"))
    assert current is (error not in ("expired", "not_yet_valid"))
    if status:
        assert said == status


@pytest.fixture(scope="module")
def responder() -> Iterator[Callable[..., bytes]]:
    """OpenSSL as the intermediate's OCSP responder: gives its responses, made from a list of what has been revoked."""
    with scratch("ocsp") as folder:
        (folder / "ca.pem").write_bytes(pem(zoo.intermediate().der))
        (folder / "leaf.pem").write_bytes(pem(GOOD.der))
        for name, who in (("ca", zoo.intermediate()), ("delegate", zoo.responder())):
            (folder / f"{name}.pem").write_bytes(pem(who.der))
            (folder / f"{name}.key").write_bytes(who.key_pem)

        def respond(signer: str, revoked: str = "", days: str = "1") -> bytes:
            serial = f"{GOOD.certificate.serial_number:X}"
            serial = serial if len(serial) % 2 == 0 else f"0{serial}"
            until = GOOD.certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ")
            line = f"{'R' if revoked else 'V'}\t{until}\t{revoked}\t{serial}\tunknown\t/CN=leaf\n"
            (folder / "index.txt").write_text(line)
            openssl(
                "ocsp", "-index", folder / "index.txt", "-CA", folder / "ca.pem", "-rsigner", folder / f"{signer}.pem",
                "-rkey", folder / f"{signer}.key", "-issuer", folder / "ca.pem", "-cert", folder / "leaf.pem",
                "-ndays", days, "-respout", folder / "response", "-no_nonce",
            )  # fmt: skip
            return (folder / "response").read_bytes()

        yield respond


@pytest.mark.parametrize("signer", ["ca", "delegate"])
def test_responses_of_openssl_s_own_responder(responder: Callable[..., bytes], signer: str) -> None:
    good = ours(GOOD, responder(signer))
    assert (good["ocsp_error"].value, good["ocsp_status"].value) == ("none", "good")
    when = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)).strftime("%y%m%d%H%M%SZ")
    revoked = ours(GOOD, responder(signer, f"{when},keyCompromise"))
    assert (revoked["ocsp_error"].value, revoked["ocsp_status"].value) == ("none", "revoked")
    assert "because of keyCompromise" in revoked["ocsp_status"].detail


# --- openssl s_client, and the real servers ---------------------------------------------------------------------------


def client(address: str, port: int, *options: str) -> str:
    """What ``openssl s_client`` sees of a server."""
    name = ("-servername", WEB)
    return openssl("s_client", "-connect", f"{address}:{port}", *name, "-CAfile", CA, "-showcerts", "-status", *options)


def shown(said: str) -> tuple[int, int, str, str]:
    """How many certificates s_client was shown, the number of its verification error, the status of the staple (""
    without one), the kind of key."""
    code = re.search(r"Verify return code: (\d+)", said)
    status = re.search(r"Cert Status: (\w+)", said)
    kind = re.search(r"a:PKEY: (\w+)", said)
    assert code is not None, said
    keys = {"rsaEncryption": "RSA", "id": "EC"}
    return (
        said.count("-----BEGIN CERTIFICATE-----"),
        int(code[1]),
        status[1] if status else "",
        keys.get(kind[1], kind[1]) if kind else "",
    )


@pytest.mark.parametrize(
    ("case", "staple"), [("good", "good"), ("deep, swapped", ""), ("root sent", "revoked"), ("expired", "unknown")]
)
async def test_openssl_s_client_sees_what_we_see(case: str, staple: str, tmp_path: Path) -> None:
    """The same loopback server asked by both."""
    from probes.certificate import CertificateProbe
    from probes.model import Endpoint
    from tests.probes.loopback import measure

    chain = CHAINS[case]
    keys = {each.der: each for each in (GOOD, DEEP)}
    leaf = keys.get(chain[0]) or zoo.issue(zoo.intermediate(), ["localhost"], days=(-20, -1))
    chain = chain if chain[0] in keys else leaf.chain
    served = zoo.Served(tmp_path / "chain", tmp_path / "key", tmp_path / "above")
    served.chain.write_bytes(b"".join(map(pem, chain)))
    served.above.write_bytes(b"".join(map(pem, chain[1:])))
    served.key.write_bytes(leaf.key_pem)
    arguments: list[str] = []
    if staple:
        (tmp_path / "staple").write_bytes(zoo.staple(leaf, status=ocsp.OCSPCertStatus[staple.upper()]))
        arguments = ["-status_file", str(tmp_path / "staple")]
    with openssl_server(served, *arguments) as port:
        found = await measure(CertificateProbe(), Endpoint("web", url=f"https://localhost:{port}/"))
        count, code, status, kind = shown(client("127.0.0.1", port))
    assert found["certificate.chain_length"].value == count == len(chain)
    assert found["certificate.trusted"].value is (code == 0)
    assert (found["certificate.ocsp_status"].value or "") == status == staple
    assert found["certificate.key_type"].value == kind
    assert found["certificate.chain_in_order"].value is (case != "deep, swapped")
    assert found["certificate.root_sent"].value is (case == "root sent")


def judged(probe: Probe, target: str) -> Reported:
    return probe(target, "--ca", CA, trust=False, only="certificate")


def test_nginx_with_two_certificates_and_a_staple(probe: Probe) -> None:
    """ssl_certificate twice, ssl_stapling_file."""
    ec = zoo.issue(zoo.intermediate(), [WEB], responder=RESPONDER, extensions=[zoo.MUST_STAPLE])
    rsa = zoo.issue(zoo.intermediate(), [WEB], responder=RESPONDER, key=zoo.rsa_key(), days=(-10, 20))
    service = Service.on(WEB)
    with scratch("certificates") as folder:
        (folder / "staple").write_bytes(zoo.staple(ec))
        certificates = ""
        for name, each in (("ec", ec), ("rsa", rsa)):
            (folder / f"{name}.pem").write_bytes(each.pem)
            (folder / f"{name}.key").write_bytes(each.key_pem)
            certificates += f"ssl_certificate {folder}/{name}.pem; ssl_certificate_key {folder}/{name}.key;"
        server = f"""
        server {{
            listen {service.address}:{service.port} ssl;
            {certificates}
            ssl_protocols TLSv1.2 TLSv1.3;
            ssl_stapling on;
            ssl_stapling_file {folder}/staple;
            root @ROOT@;
        }}"""
        with nginx([server], [service], {"index.html": "<p>ok"}):
            reported = judged(probe, f"https://{WEB}:{service.port}/")
            ec_seen = shown(
                client(service.address, service.port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
            )
            rsa_seen = shown(client(service.address, service.port, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"))
    assert (ec_seen[3], rsa_seen[3]) == ("EC", "RSA")
    assert (ec_seen[:2], rsa_seen[:2]) == ((2, 0), (2, 0))
    assert ec_seen[2] == "good"
    reported.check(
        {
            "certificate.key_type": "EC",
            "certificate.key_types": {"EC", "RSA"},
            "certificate.trusted": True,
            "certificate.chain_in_order": True,
            "certificate.chain_complete": True,
            "certificate.must_staple": True,
            "certificate.ocsp_stapled": True,
            "certificate.ocsp_error": "none",
            "certificate.ocsp_status": "good",
            "certificate.must_staple_honoured": True,
            "certificate.other_trusted": True,
            "certificate.other_name_matches": True,
            "certificate.all_trusted": True,
        }
    )
    days = reported.found["certificate.fewest_days_left"]
    assert isinstance(days, float)
    assert 19 < days <= 20
    assert "trust stores: bundled: " in reported.transcript


POSTFIX: dict[str, tuple[list[zoo.Issued], Mapping[str, str], Mapping[str, Expected]]] = {
    "an expired RSA certificate behind a good EC one": (
        [
            zoo.issue(zoo.intermediate(), [MAIL]),
            zoo.issue(zoo.intermediate(), [MAIL], key=zoo.rsa_key(), days=(-90, -2)),
        ],
        {},
        {
            "certificate.key_types": {"EC", "RSA"},
            "certificate.trusted": True,
            "certificate.other_trusted": False,
            "certificate.other_trust_error": "expired",
            "certificate.all_trusted": False,
            "certificate.all_names_match": True,
        },
    ),
    "one certificate": (
        [zoo.issue(zoo.intermediate(), [MAIL], key=zoo.rsa_key())],
        {},
        {
            "certificate.key_types": {"RSA"},
            "certificate.other_trusted": Cause.NOT_APPLICABLE,
            "certificate.all_trusted": True,
            "certificate.ocsp_stapled": Cause.NOT_APPLICABLE,  # Postfix does not staple, and there is no responder
            "certificate.must_staple_honoured": Cause.NOT_APPLICABLE,
        },
    ),
    "a certificate that demands what Postfix does not do": (
        [zoo.issue(zoo.intermediate(), [MAIL], responder=RESPONDER, extensions=[zoo.MUST_STAPLE])],
        {},
        {
            "certificate.must_staple": True,
            "certificate.ocsp_stapled": False,
            "certificate.must_staple_honoured": False,
            "certificate.trusted": True,
        },
    ),
    "TLS 1.3 alone": (
        [zoo.issue(zoo.intermediate(), [MAIL]), zoo.issue(zoo.intermediate(), [MAIL], key=zoo.rsa_key())],
        {"smtpd_tls_protocols": ">=TLSv1.3"},
        {
            "certificate.trusted": True,
            "certificate.key_types": Cause.TLS_CLIENT_UNSUPPORTED,
            "certificate.all_trusted": Cause.TLS_CLIENT_UNSUPPORTED,
        },
    ),
}


def test_postfix(probe: Probe) -> None:
    """smtpd_tls_chain_files with one or two keys and chains, behind STARTTLS."""
    places = {case: Service.on(MAIL) for case in POSTFIX}
    with scratch("certificates") as folder:
        listeners = []
        for number, (case, (served, settings, _)) in enumerate(POSTFIX.items()):
            path = folder / f"{number}.pem"
            path.write_bytes(b"".join(each.key_pem + each.pem for each in served))
            files = {"smtpd_tls_chain_files": str(path), "smtpd_tls_security_level": "may"}
            listeners.append(Listener(places[case], {**files, **settings}))
        with postfix(listeners, {}):
            for case, (_, _, expected) in POSTFIX.items():
                judged(probe, f"smtp://{MAIL}:{places[case].port}").check(expected)
            # OpenSSL's client is shown the expired one too, when it can use no other.
            place = places["an expired RSA certificate behind a good EC one"]
            options = ("-starttls", "smtp", "-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384")
            assert shown(client(place.address, place.port, *options)) == (2, 10, "", "RSA")
