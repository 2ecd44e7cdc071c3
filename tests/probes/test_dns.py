"""The DNS probe against a real name server on loopback, and the MTA-STS policy against a real HTTPS server."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from probes.dkim import CONTROL, KEYS
from probes.dns import METRICS, DNSProbe
from probes.model import Cause, Endpoint, Measurement, Probe
from tests.probes import certificates as zoo
from tests.probes.certificates import Served, rsa_key
from tests.probes.dnsserver import Asked, name_server, txt
from tests.probes.loopback import measure, options
from tests.probes.webserver import response, web_server

DOMAIN = "shop.example"
Zone = dict[str, Mapping[str, Sequence[str]]]


def der(key: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    encoded = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    return base64.b64encode(encoded).decode()


def good() -> Zone:
    return {
        "shop.example": {
            "MX": ["10 mx1.shop.example.", "20 MX2.shop.example."],
            "TXT": [txt("unrelated"), txt("v=spf1 include:_spf.platform.example ip4:192.0.2.0/24 -all")],
            "CAA": ['0 issue "ca.example"'],
        },
        "mx1.shop.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
        "mx2.shop.example": {"A": ["192.0.2.2"]},
        "_spf.platform.example": {"TXT": [txt("v=spf1 ip4:198.51.100.0/24 a:out.platform.example ~all")]},
        "out.platform.example": {"A": ["198.51.100.1"]},
        "_dmarc.shop.example": {
            "TXT": [txt("v=DMARC1; p=reject; rua=mailto:dmarc@shop.example,mailto:a@in.reports.test")]
        },
        "shop.example._report._dmarc.in.reports.test": {"TXT": [txt("v=DMARC1")]},
        "default._bimi.shop.example": {
            "TXT": [txt("v=BIMI1; l=https://shop.example/logo.svg; a=https://shop.example/mark.pem")]
        },
        "_mta-sts.shop.example": {"TXT": [txt("v=STSv1; id=20261122T000000;")]},
        "mta-sts.shop.example": {"A": ["127.0.0.1"]},
        "_smtp._tls.shop.example": {"TXT": [txt("v=TLSRPTv1; rua=mailto:tls@shop.example")]},
        "s1._domainkey.shop.example": {"CNAME": ["s1.platform.example."]},
        "s1.platform.example": {"TXT": [txt(f"v=DKIM1; k=rsa; p={der(rsa_key(2048))}")]},
        "s2._domainkey.shop.example": {"TXT": [txt(f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(32)).decode()}")]},
    }


POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: *.shop.example\r\nmax_age: 604800\r\n"


def policy_page(body: bytes = POLICY, status: str = "200 OK", kind: str = "text/plain; charset=utf-8") -> bytes:
    return response(status, body, Content_Type=kind)


def host_certificate(*names: str, **arguments: Any) -> Served:
    return zoo.save(zoo.issue(zoo.intermediate(), names or ("mta-sts.shop.example",), key=rsa_key(), **arguments))


@contextlib.asynccontextmanager
async def policy_host(page: bytes, served: Served | None = None) -> AsyncIterator[DNSProbe]:
    """A probe that fetches MTA-STS policies from a host with this page and certificate."""
    async with web_server({"/.well-known/mta-sts.txt": page}, served or host_certificate()) as port:
        yield DNSProbe(mta_sts_port=port)


async def probe_zone(
    zone: Zone,
    *,
    role: str = "domain",
    domain: str = DOMAIN,
    probe: Probe | None = None,
    selectors: tuple[str, ...] = (),
) -> tuple[dict[str, Measurement], Asked]:
    assert role in ("domain", "sending")
    async with name_server(zone) as asked:
        endpoint = Endpoint("domain" if role == "domain" else "sending", domain=domain, selectors=selectors)
        return await measure(probe or DNSProbe(1), endpoint, options(asked.resolver)), asked


def values(found: dict[str, Measurement], *prefixes: str) -> dict[str, object]:
    return {
        key: each.value if each.cause is None else each.cause for key, each in found.items() if key.startswith(prefixes)
    }


async def test_a_good_domain() -> None:
    async with policy_host(policy_page()) as probe:
        found, _ = await probe_zone(good(), probe=probe, selectors=("s1", "s2", "gone"))
    assert values(found, "") == {
        "dns.mx_hosts": ("mx1.shop.example", "mx2.shop.example"),
        "dns.mx_null": False,
        "dns.addresses_ipv6": True,
        "spf.present": True,
        "spf.record": "v=spf1 include:_spf.platform.example ip4:192.0.2.0/24 -all",
        "spf.valid": True,
        "spf.error": "none",
        "spf.bytes": 58,
        "spf.answer_bytes": 12 + 9 + 58,
        "spf.lookups": 2,
        "spf.void_lookups": 0,
        "spf.includes": ("_spf.platform.example",),
        "spf.all": "-all",
        "dmarc.present": True,
        "dmarc.policy": "reject",
        "dmarc.testing": False,
        "dmarc.reports": True,
        "dmarc.reports_authorised": True,
        "bimi.present": True,
        "bimi.logo": "https://shop.example/logo.svg",
        "bimi.evidence": True,
        "mta_sts.record": True,
        "mta_sts.mode": "enforce",
        "mta_sts.max_age": 604800,
        "mta_sts.covers_mx": True,
        "tls_rpt.present": True,
        "caa.present": True,
        "dkim.selectors": ("s1", "s2"),
        "dkim.key_type": "rsa",
        "dkim.key_bits": 2048,
        "dkim.keys": ("s1: rsa 2048", "s2: ed25519 256"),
        "dkim.testing": (),
        "dkim.revoked": (),
        "dkim.hashes": ("any",),
        "dkim.services": ("*",),
        "dkim.evidence": True,
    }
    assert found["dkim.selectors"].detail == "gone: no record"


async def test_a_domain_with_nothing() -> None:
    found, _ = await probe_zone({"shop.example": {"A": ["192.0.2.1"]}}, selectors=("s1",))
    absent = Cause.NOT_APPLICABLE
    assert values(found, "") == {
        "dns.mx_hosts": (),
        "dns.mx_null": False,
        "dns.addresses_ipv6": absent,
        "spf.present": False,
        "spf.record": absent,
        "spf.valid": False,
        "spf.error": absent,
        "spf.bytes": absent,
        "spf.answer_bytes": absent,
        "spf.lookups": absent,
        "spf.void_lookups": absent,
        "spf.includes": absent,
        "spf.all": "absent",
        "dmarc.present": False,
        "dmarc.policy": "absent",
        "dmarc.testing": absent,
        "dmarc.reports": absent,
        "dmarc.reports_authorised": absent,
        "bimi.present": False,
        "bimi.logo": absent,
        "bimi.evidence": absent,
        "mta_sts.record": False,
        "mta_sts.mode": "absent",
        "mta_sts.max_age": absent,
        "mta_sts.covers_mx": absent,
        "tls_rpt.present": False,
        "caa.present": False,
        "dkim.selectors": (),
        "dkim.key_type": absent,
        "dkim.key_bits": absent,
        "dkim.keys": absent,
        "dkim.testing": absent,
        "dkim.revoked": (),
        "dkim.hashes": absent,
        "dkim.services": absent,
        "dkim.evidence": absent,
    }


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("SERVFAIL", Cause.DNS_SERVFAIL), ("REFUSED", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)],
)
async def test_a_fault_is_never_a_fact(fault: str, cause: Cause) -> None:
    below = ("_dmarc.example", "_domainkey.shop.example", f"{CONTROL}.shop.example")
    zone: Zone = {name: {"FAULT": [fault]} for name in (*good(), *below)}
    found, _ = await probe_zone(zone, selectors=("s1",))
    assert {each.cause for each in found.values()} == {cause}


OF_THE_TREE = {"spf.valid", "spf.error", "spf.lookups", "spf.void_lookups", "spf.includes", "spf.all"}


@pytest.mark.parametrize(
    ("name", "kind", "lost"),
    [
        ("shop.example", "MX", {"dns.mx_hosts", "dns.mx_null", "dns.addresses_ipv6", "mta_sts.covers_mx"}),
        ("shop.example", "TXT", {key for key in (metric.key for metric in METRICS) if key.startswith("spf.")}),
        ("_spf.platform.example", "TXT", OF_THE_TREE),
        ("out.platform.example", "A", OF_THE_TREE),
        ("_dmarc.shop.example", "TXT", {key for key in (metric.key for metric in METRICS) if key.startswith("dmarc.")}),
        ("_dmarc.in.reports.test", "TXT", {"dmarc.reports_authorised"}),
        ("shop.example._report._dmarc.in.reports.test", "TXT", {"dmarc.reports_authorised"}),
        ("default._bimi.shop.example", "TXT", {"bimi.present", "bimi.logo", "bimi.evidence"}),
        ("_mta-sts.shop.example", "TXT", {"mta_sts.record", "mta_sts.mode", "mta_sts.max_age", "mta_sts.covers_mx"}),
        ("mta-sts.shop.example", "A", {"mta_sts.mode", "mta_sts.max_age", "mta_sts.covers_mx"}),
        ("_smtp._tls.shop.example", "TXT", {"tls_rpt.present"}),
        ("shop.example", "CAA", {"caa.present"}),
        ("s1._domainkey.shop.example", "TXT", set(KEYS)),
        ("_domainkey.shop.example", "TXT", set()),  # a key is evidence enough
        ("mx2.shop.example", "AAAA", set()),
        ("mx1.shop.example", "AAAA", {"dns.addresses_ipv6"}),
    ],
)
async def test_one_failing_name_costs_only_what_depends_on_it(name: str, kind: str, lost: set[str]) -> None:
    zone = good()
    zone[name] = {**zone.get(name, {}), f"FAULT/{kind}": ["SERVFAIL"]}
    async with policy_host(policy_page()) as probe:
        found, _ = await probe_zone(zone, probe=probe, selectors=("s1",))
    missing = {key for key, each in found.items() if each.cause is not None}
    assert missing == {key for key in lost if key in found}
    assert all(found[key].cause is Cause.DNS_SERVFAIL for key in missing)


# --- MX ---------------------------------------------------------------------------------------------------------------


async def test_null_mx() -> None:
    found, _ = await probe_zone({"shop.example": {"MX": ["0 ."]}})
    assert values(found, "dns.") == {
        "dns.mx_hosts": (), "dns.mx_null": True, "dns.addresses_ipv6": Cause.NOT_APPLICABLE,
    }  # fmt: skip
    found, _ = await probe_zone({"shop.example": {"MX": ["0 .", "10 mx.shop.example."]}})
    assert found["dns.mx_hosts"].value == ("mx.shop.example",)
    assert found["dns.mx_null"].value is False


async def test_no_ipv6() -> None:
    zone = good()
    zone["mx1.shop.example"] = {"A": ["192.0.2.1"]}
    found, _ = await probe_zone(zone)
    assert found["dns.addresses_ipv6"].value is False


async def test_what_is_no_domain() -> None:
    found, asked = await probe_zone({}, domain="a..b")
    assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}
    assert asked.questions == []


# --- SPF --------------------------------------------------------------------------------------------------------------


async def spf_of(*records: str, more: Zone | None = None) -> dict[str, object]:
    found, _ = await probe_zone({"shop.example": {"TXT": [txt(record) for record in records]}, **(more or {})})
    return {key.removeprefix("spf."): value for key, value in values(found, "spf.").items()}


async def test_two_spf_records() -> None:
    found = await spf_of("v=spf1 -all", "v=spf1 +all")
    assert found["present"] is True
    assert found["valid"] is False
    assert found["error"] == "there are 2 SPF records"
    assert found["all"] is found["lookups"] is found["void_lookups"] is Cause.PROTOCOL_ERROR


async def test_a_record_that_cannot_be_parsed() -> None:
    found = await spf_of("v=spf1 ip4:nonsense\x1b[2J -all")
    assert found["valid"] is False
    assert "ASCII" in str(found["error"])
    assert found["record"] == "v=spf1 ip4:nonsense\\x1b[2J -all"
    assert found["all"] is Cause.PROTOCOL_ERROR


async def test_too_many_lookups_have_a_number() -> None:
    more: Zone = {f"i{number}.example": {"TXT": [txt("v=spf1 ip4:192.0.2.1 -all")]} for number in range(11)}
    found = await spf_of(
        "v=spf1 " + " ".join(f"include:i{number}.example" for number in range(11)) + " ~all", more=more
    )
    assert found["lookups"] == 11
    assert found["valid"] is False
    assert "11 DNS look-ups" in str(found["error"])
    assert found["all"] == "~all"


async def test_all_levels() -> None:
    for qualifier in ("+", "?", "~", "-"):
        assert (await spf_of(f"v=spf1 {qualifier}all"))["all"] == f"{qualifier}all"
    assert (await spf_of("v=spf1 all"))["all"] == "+all"
    assert (await spf_of("v=spf1 ip4:192.0.2.1"))["all"] == "none"


async def test_macros_leave_the_count_open() -> None:
    found = await spf_of("v=spf1 include:%{i}._spf.example.com -all")
    assert found["lookups"] is Cause.NOT_APPLICABLE
    assert found["all"] == "-all"
    assert found["valid"] is True


async def test_a_loop_has_no_count() -> None:
    found = await spf_of("v=spf1 include:shop.example -all")
    assert found["lookups"] is Cause.PROTOCOL_ERROR
    assert found["valid"] is False


async def test_a_long_record_comes_over_tcp() -> None:
    networks = " ".join(f"ip4:192.0.2.{number}" for number in range(250))
    found = await spf_of(f"v=spf1 {networks} -all")
    assert found["all"] == "-all"
    assert len(str(found["record"])) <= 1001


async def test_what_an_include_costs_the_customer() -> None:
    found, asked = await probe_zone(good(), role="sending", domain="_spf.platform.example", selectors=("s1",))
    assert values(found, "spf.", "dns.", "dmarc.") == {
        "spf.present": True,
        "spf.record": "v=spf1 ip4:198.51.100.0/24 a:out.platform.example ~all",
        "spf.valid": True,
        "spf.error": "none",
        "spf.bytes": 54,
        "spf.answer_bytes": 21 + 54,
        "spf.void_lookups": 0,
        "spf.include_lookups": 2,
        "spf.include_addresses": 256,
        "spf.include_networks_ipv6": 0,
        "spf.includes": (),
    }
    assert found["dkim.selectors"].value == ()
    assert not [question for question in asked.questions if question[1] in ("MX", "CAA")]
    zone = {**good(), "out.platform.example": {"A": ["203.0.113.9"], "AAAA": ["2001:db8::1", "2001:db8:0:1::1"]}}
    found, _ = await probe_zone(zone, role="sending", domain="_spf.platform.example")
    assert (found["spf.include_addresses"].value, found["spf.include_networks_ipv6"].value) == (257, 2)
    zone["_spf.platform.example"] = {"TXT": [txt("v=spf1 exists:%{i}._s.platform.example ip4:192.0.2.1 -all")]}
    found, _ = await probe_zone(zone, role="sending", domain="_spf.platform.example")
    assert found["spf.include_lookups"].value == 2
    assert found["spf.include_addresses"].cause is found["spf.include_networks_ipv6"].cause is Cause.NOT_APPLICABLE
    zone["_spf.platform.example"] = {"TXT": [txt("v=spf1 a:out.platform.example -all")]}
    zone["out.platform.example"] = {"A": ["203.0.113.9"], "FAULT/AAAA": ["SERVFAIL"]}
    found, _ = await probe_zone(zone, role="sending", domain="_spf.platform.example")
    assert (found["spf.valid"].value, found["spf.include_lookups"].value) == (True, 2)
    assert found["spf.include_addresses"].cause is Cause.DNS_SERVFAIL
    found, _ = await probe_zone(
        {"_spf.platform.example": {"A": ["192.0.2.1"]}}, role="sending", domain="_spf.platform.example"
    )
    assert found["spf.include_lookups"].cause is Cause.NOT_APPLICABLE
    assert found["spf.present"].value is False


# --- DMARC ------------------------------------------------------------------------------------------------------------


async def dmarc_of(zone: Zone, domain: str = "mail.shop.example") -> tuple[dict[str, object], list[str]]:
    found, asked = await probe_zone({domain: {"A": ["192.0.2.1"]}, **zone}, domain=domain)
    names = [name for name, kind in asked.questions if kind == "TXT" and name.startswith("_dmarc.")]
    return {key.removeprefix("dmarc."): value for key, value in values(found, "dmarc.").items()}, names


async def test_the_own_record_ends_the_walk() -> None:
    found, names = await dmarc_of(
        {
            "_dmarc.mail.shop.example": {"TXT": [txt("v=DMARC1; p=none; sp=reject")]},
            "_dmarc.shop.example": {"TXT": [txt("v=DMARC1; p=reject")]},
        }
    )
    assert found == {
        "present": True, "policy": "none", "testing": False, "reports": False,
        "reports_authorised": Cause.NOT_APPLICABLE,
    }  # fmt: skip
    assert names == ["_dmarc.mail.shop.example"]


async def test_a_parent_speaks_for_the_subdomain() -> None:
    parent = "v=DMARC1; p=reject; sp=quarantine; np=none; t=y; rua=mailto:a@shop.example"
    zone: Zone = {"_dmarc.shop.example": {"TXT": [txt(parent)]}}
    found, names = await dmarc_of(zone)
    assert found == {
        "present": True, "policy": "quarantine", "testing": True, "reports": True,
        "reports_authorised": Cause.NOT_APPLICABLE,
    }  # fmt: skip
    assert names == ["_dmarc.mail.shop.example", "_dmarc.shop.example", "_dmarc.example"]
    # A domain that does not exist gets np.
    found, _ = await dmarc_of({**zone, "mail.shop.example": {}, "shop.example": {}}, "gone.shop.example")
    assert found["policy"] == "quarantine", "dmarc_of gives it an address"
    missing, _ = await probe_zone(zone, domain="gone.shop.example")
    assert missing["dmarc.policy"].value == "none"


async def test_duplicate_and_invalid_records() -> None:
    found, _ = await dmarc_of(
        {"_dmarc.mail.shop.example": {"TXT": [txt("v=DMARC1; p=reject"), txt("v=DMARC1; p=none")]}}
    )
    assert found["policy"] == "absent"
    assert found["present"] is False
    found, _ = await dmarc_of({"_dmarc.mail.shop.example": {"TXT": [txt("v=DMARC1; p=rejected")]}})
    assert found["policy"] == "absent"
    assert found["present"] is True


async def reports_of(rua: str, zone: Zone | None = None, domain: str = "shop.example") -> Measurement:
    record: Zone = {
        "_dmarc.shop.example": {"TXT": [txt(f"v=DMARC1; p=reject; rua={rua}")]},
        domain: {"A": ["192.0.2.1"]},
    }
    found, _ = await probe_zone({**record, **(zone or {})}, domain=domain)
    return found["dmarc.reports_authorised"]


async def test_who_else_gets_reports_has_to_agree() -> None:
    own = await reports_of("mailto:a@shop.example, mailto:b@mail.shop.example!10m,https://collect.test/")
    assert own.cause is Cause.NOT_APPLICABLE
    refused = await reports_of("mailto:a@shop.example,mailto:a@reports.test!10m")
    assert refused.value is False
    assert refused.detail == "not agreed: reports.test"
    agreed: Zone = {"shop.example._report._dmarc.reports.test": {"TXT": [txt("v=DMARC1; rua=mailto:x@reports.test")]}}
    assert (await reports_of("mailto:a@reports.test", agreed)).value is True
    assert (await reports_of("mailto:a@reports.test,mailto:b@other.test", agreed)).value is False
    # What is agreed is the place of the record, also when it speaks for a subdomain.
    assert (await reports_of("mailto:a@reports.test", agreed, "mail.shop.example")).value is True
    # A public suffix that says so parts the organisations.
    suffix: Zone = {"_dmarc.example": {"TXT": [txt("v=DMARC1; p=none; psd=y")]}}
    assert (await reports_of("mailto:a@other.example", suffix)).value is False
    assert (await reports_of("mailto:a@mail.shop.example", suffix)).cause is Cause.NOT_APPLICABLE


# --- MTA-STS ----------------------------------------------------------------------------------------------------------


async def sts_of(page: bytes, served: Served | None = None, zone: Zone | None = None) -> dict[str, Measurement]:
    async with policy_host(page, served) as probe:
        found, _ = await probe_zone(zone or good(), probe=probe)
    assert found["mta_sts.record"].value is True
    return found


async def test_policies_by_mode_and_mx() -> None:
    found = await sts_of(policy_page(POLICY.replace(b"enforce", b"testing").replace(b"*.shop", b"mx1.shop")))
    assert found["mta_sts.mode"].value == "testing"
    assert found["mta_sts.covers_mx"].value is False
    assert found["mta_sts.covers_mx"].detail == "not named: mx2.shop.example"
    # A wildcard covers exactly one label.
    zone = good()
    zone["shop.example"] = {**zone["shop.example"], "MX": ["10 a.mx1.shop.example.", "20 shop.example."]}
    assert (await sts_of(policy_page(), zone=zone))["mta_sts.covers_mx"].value is False
    found = await sts_of(policy_page(b"version: STSv1\nmode: none\nmax_age: 86400\n"))
    assert found["mta_sts.mode"].value == "none"
    assert found["mta_sts.covers_mx"].cause is Cause.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("page", "served", "said"),
    [
        (policy_page(status="404 Not Found"), None, "HTTP 404"),
        (policy_page(status="301 Moved") , None, "HTTP 301"),
        (policy_page(kind="text/html"), None, "text/html instead"),
        (policy_page(b"nonsense"), None, "no field"),
        (policy_page(), lambda: host_certificate("shop.example"), "not for mta-sts.shop.example"),
        (policy_page(), lambda: host_certificate(days=(-30, -1)), "not trusted: expired"),
        (policy_page(), lambda: zoo.save(zoo.issue(None, ["mta-sts.shop.example"], key=rsa_key())), "self_signed"),
    ],
)  # fmt: skip
async def test_policies_that_no_sender_accepts(page: bytes, served: Any, said: str) -> None:
    found = await sts_of(page, served() if served else None)
    assert found["mta_sts.mode"].value == "absent"
    assert said in found["mta_sts.mode"].detail
    assert found["mta_sts.max_age"].cause is found["mta_sts.covers_mx"].cause is Cause.NOT_APPLICABLE


async def test_a_policy_host_that_does_not_exist() -> None:
    zone = good()
    del zone["mta-sts.shop.example"]
    found, _ = await probe_zone(zone)
    assert found["mta_sts.mode"].value == "absent"


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        (policy_page(status="503 Busy"), Cause.PROTOCOL_ERROR),
        (policy_page(status="429 Slow down"), Cause.PROTOCOL_ERROR),
        (b"", Cause.CONNECTION_RESET),
        (b"nonsense\r\n\r\n", Cause.PROTOCOL_ERROR),
    ],
)
async def test_faults_of_the_policy_host(page: bytes, cause: Cause) -> None:
    found = await sts_of(page)
    for key in ("mta_sts.mode", "mta_sts.max_age", "mta_sts.covers_mx"):
        assert found[key].cause is cause, found[key]


async def test_nobody_listens_at_the_policy_host() -> None:
    found, _ = await probe_zone(good(), probe=DNSProbe(mta_sts_port=1))
    assert found["mta_sts.mode"].cause is Cause.CONNECTION_REFUSED
    assert found["mta_sts.record"].value is True


# --- BIMI -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "present", "evidence"),
    [
        (["v=BIMI1; l=https://a.test/l.svg; a=https://a.test/m.pem;"], True, True),
        (["v=BIMI1; l=https://a.test/l.svg; a="], True, False),
        (["v=BIMI1;l=https://a.test/l.svg", "unrelated"], True, False),
        (["v=BIMI1; l=; a="], False, Cause.NOT_APPLICABLE),
        (["v=BIMI1; l=http://a.test/l.svg"], False, Cause.NOT_APPLICABLE),
        (["v=BIMI1; l=https://a.test/l.svg; a=http://a.test/m.pem"], False, Cause.NOT_APPLICABLE),
        (["v=BIMI1; l=https://a.test/l.svg", "v=BIMI1; l=https://b.test/l.svg"], False, Cause.NOT_APPLICABLE),
        (["v=BIMI2; l=https://a.test/l.svg"], False, Cause.NOT_APPLICABLE),
        ([], False, Cause.NOT_APPLICABLE),
    ],
)
async def test_bimi(records: list[str], present: bool, evidence: object) -> None:
    found, _ = await probe_zone({"default._bimi.shop.example": {"TXT": [txt(record) for record in records]}})
    assert found["bimi.present"].value is present
    assert values(found, "bimi.evidence")["bimi.evidence"] is evidence
    assert found["bimi.logo"].value == ("https://a.test/l.svg" if present else None)


async def test_spf_sizes_count_bytes_of_every_text() -> None:
    found = await spf_of("v=spf1 -all", more={})
    assert (found["bytes"], found["answer_bytes"]) == (11, 12 + 11)
    long = "v=spf1 " + " ".join(f"ip4:192.0.2.{number}" for number in range(40)) + " -all"
    found = await spf_of(long)
    assert found["bytes"] == len(long) > 450


# --- CAA, DKIM --------------------------------------------------------------------------------------------------------


async def test_caa_of_a_parent() -> None:
    zone: Zone = {"mail.shop.example": {"A": ["192.0.2.1"]}, "shop.example": {"CAA": ['0 issue ";"']}}
    found, _ = await probe_zone(zone, domain="mail.shop.example")
    assert found["caa.present"].value is True
    assert found["caa.present"].detail == "at shop.example"


async def test_the_shortest_rsa_key_counts() -> None:
    zone = good()
    zone["s3._domainkey.shop.example"] = {"TXT": [txt(f"p={der(rsa_key(1024))}")]}
    zone["s4._domainkey.shop.example"] = {"TXT": [txt("v=DKIM1; p=")]}
    found, _ = await probe_zone(zone, selectors=("s1", "s2", "s3", "s4"))
    assert found["dkim.selectors"].value == ("s1", "s2", "s3")
    assert found["dkim.selectors"].detail == "s4: the key has been revoked"
    assert (found["dkim.key_type"].value, found["dkim.key_bits"].value) == ("rsa", 1024)
    found, _ = await probe_zone(zone, selectors=("s2",))
    assert (found["dkim.key_type"].value, found["dkim.key_bits"].value) == ("ed25519", 256)


async def test_what_the_keys_say_of_themselves() -> None:
    zone = good()
    ed25519 = base64.b64encode(bytes(32)).decode()
    zone["s3._domainkey.shop.example"] = {"TXT": [txt(f"k=ed25519; t = S : y; h=sha256; s=email; p={ed25519}")]}
    zone["s4._domainkey.shop.example"] = {"TXT": [txt(f"v=DKIM1; k=ed25519; h=sha1:sha256; s=email:*; p={ed25519}")]}
    zone["s5._domainkey.shop.example"] = {"TXT": [txt("v=DKIM1; p=")]}
    found, _ = await probe_zone(zone, selectors=("s3", "s4", "s5"))
    assert values(found, "dkim.") == {
        "dkim.selectors": ("s3", "s4"),
        "dkim.key_type": "ed25519",
        "dkim.key_bits": 256,
        "dkim.keys": ("s3: ed25519 256", "s4: ed25519 256"),
        "dkim.testing": ("s3",),
        "dkim.revoked": ("s5",),
        "dkim.hashes": ("sha1", "sha256"),
        "dkim.services": ("*", "email"),
        "dkim.evidence": True,
    }


async def evidence(zone: Zone, *selectors: str) -> Measurement:
    found, _ = await probe_zone({"shop.example": {"MX": ["0 ."]}, **zone}, selectors=selectors)
    return found["dkim.evidence"]


async def test_evidence_of_keys() -> None:
    below: Zone = {"x17._domainkey.shop.example": {"TXT": [txt("v=DKIM1; p=")]}}
    assert (await evidence(below)).value is True  # at a selector that nobody named
    assert (await evidence(below, "x17")).detail == "a key at x17"  # one that was revoked is evidence too
    # A name server that answers NXDOMAIN for a name with others below it (against RFC 8020) hides keys.
    assert (await evidence({})).cause is Cause.NOT_APPLICABLE
    # Every name exists, by a wildcard or because the zone's signer says so of every name (RFC 9824).
    everything: Zone = {"_domainkey.shop.example": {}, f"{CONTROL}.shop.example": {}}
    assert (await evidence(everything)).cause is Cause.NOT_APPLICABLE
    assert (await evidence({**everything, **below}, "x17")).value is True


@pytest.mark.parametrize(("fault", "cause"), [("SERVFAIL", Cause.DNS_SERVFAIL), ("SILENT", Cause.DNS_TIMEOUT)])
async def test_evidence_of_keys_needs_both_answers(fault: str, cause: Cause) -> None:
    below: Zone = {"x17._domainkey.shop.example": {"TXT": [txt("v=DKIM1; p=")]}}
    assert (await evidence({**below, "_domainkey.shop.example": {"FAULT": [fault]}})).cause is cause
    assert (await evidence({**below, f"{CONTROL}.shop.example": {"FAULT": [fault]}})).cause is cause
    assert (await evidence({**below, "gone._domainkey.shop.example": {"FAULT": [fault]}}, "gone")).value is True


async def test_without_selectors_nothing_is_claimed() -> None:
    found, _ = await probe_zone(good())
    assert found["dkim.selectors"].cause is Cause.NOT_APPLICABLE
    assert found["dkim.key_bits"].cause is Cause.NOT_APPLICABLE


async def test_a_selector_that_is_no_name() -> None:
    found, _ = await probe_zone(good(), selectors=("bad selector", "s1"))
    assert found["dkim.selectors"].cause is not None
