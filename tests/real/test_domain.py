"""Mail domains served by NSD, an authoritative DNS server, with a policy file served by nginx: what the probes report
is what the zone files say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes.model import Cause
from tests.real.conftest import Probe
from tests.real.servers import ADDRESSES, DOMAIN, Authority, Service, nginx

pytestmark = pytest.mark.real

POLICY = f"version: STSv1\r\nmode: enforce\r\nmx: mx1.{DOMAIN}\r\nmx: *.{DOMAIN}\r\nmax_age: 604800\r\n"


@pytest.fixture(scope="module")
def policy_host(authority: Authority) -> Iterator[Service]:
    """nginx on port 443 of the name that RFC 8461 gives to the host of the policy."""
    service = Service.on(f"mta-sts.{DOMAIN}", 443)
    certificate = authority.issue(service.host)
    server = f"""
        server {{
            listen {service.address}:443 ssl;
            server_name {service.host};
            ssl_certificate {certificate.chain};
            ssl_certificate_key {certificate.key};
            root @ROOT@;
        }}"""
    with nginx([server], [service], {".well-known/mta-sts.txt": POLICY}):
        yield service


def test_careful_domain(policy_host: Service, probe: Probe) -> None:
    probe(f"dns://{DOMAIN}").check(
        {
            "dns.mx_hosts": {f"mx1.{DOMAIN}", f"mx2.{DOMAIN}"},
            "dns.mx_null": False,
            "dns.addresses_ipv6": False,  # A records alone
            "spf.present": True,
            "spf.record": f"v=spf1 include:_spf.{DOMAIN} ip4:192.0.2.0/24 -all",
            "spf.valid": True,
            "spf.error": "none",
            "spf.lookups": 3,  # include, and in it a and mx
            "spf.void_lookups": 1,  # that mx
            "spf.all": "-all",
            "dmarc.present": True,
            "dmarc.policy": "reject",
            "dmarc.testing": False,
            "dmarc.reports": True,
            "mta_sts.record": True,
            "mta_sts.mode": "enforce",
            "mta_sts.max_age": 604800,
            "mta_sts.covers_mx": True,
            "tls_rpt.present": True,
            "caa.present": True,
            "spf.includes": {f"_spf.{DOMAIN}"},
            "dkim.selectors": Cause.NOT_APPLICABLE,  # a target names none
            "dkim.evidence": True,  # s1._domainkey is there, and NSD knows the name above it (RFC 8020)
            "delegation.name_servers_answering": 1,
            "delegation.lame": set(),
            "delegation.consistent": True,
            "delegation.ipv4_reachable": True,
            "delegation.ipv6_reachable": False,
            "delegation.networks": 1,
            "delegation.parent_matches": Cause.NOT_APPLICABLE,  # one server has both zones: it never refers
            "bimi.svg_served": Cause.NOT_APPLICABLE,
        }
    )


def test_subdomain_falls_under_its_parents_policy(probe: Probe) -> None:
    probe(f"dns://mx1.{DOMAIN}").check(
        {
            "dns.mx_hosts": set(),
            "spf.present": False,
            "dmarc.present": True,
            "dmarc.policy": "quarantine",  # sp= of example.test
            "mta_sts.record": False,
            "caa.present": True,  # of example.test
        }
    )


def test_bare_domain(probe: Probe) -> None:
    probe("dns://bare.test").check(
        {
            "dns.mx_hosts": set(),
            "dns.mx_null": False,
            "spf.present": False,
            "spf.valid": False,
            "spf.all": "absent",
            "spf.record": Cause.NOT_APPLICABLE,
            "spf.lookups": Cause.NOT_APPLICABLE,
            "dmarc.present": False,
            "dmarc.policy": "absent",
            "mta_sts.record": False,
            "mta_sts.mode": "absent",
            "mta_sts.covers_mx": Cause.NOT_APPLICABLE,
            "tls_rpt.present": False,
            "caa.present": False,
            "dkim.evidence": Cause.NOT_APPLICABLE,  # NXDOMAIN proves nothing
            # Its second name server has the address of a host at which no name server listens.
            "delegation.name_servers_answering": Cause.CONNECTION_REFUSED,
            "delegation.lame": Cause.CONNECTION_REFUSED,
            "delegation.ipv4_reachable": True,
        }
    )


def test_careless_domain(probe: Probe) -> None:
    probe("dns://careless.test").check(
        {
            "dns.mx_hosts": set(),
            "dns.mx_null": True,  # MX 0 .
            "spf.present": True,
            "spf.valid": False,
            "spf.error": "there are 2 SPF records",
            "spf.all": Cause.PROTOCOL_ERROR,
            "spf.lookups": Cause.PROTOCOL_ERROR,
            "dmarc.present": True,
            "dmarc.policy": "none",
            "dmarc.reports": False,
            "mta_sts.record": False,  # two records are none, RFC 8461 §3.1
            "mta_sts.mode": "absent",
        }
    )


def test_too_many_lookups_and_a_policy_that_nobody_serves(probe: Probe) -> None:
    reported = probe("dns://heavy.test")
    reported.check(
        {
            "dns.mx_hosts": {"mail.heavy.test"},
            "dns.addresses_ipv6": True,
            "spf.valid": False,
            "spf.lookups": 12,
            "spf.all": "?all",
            "dmarc.policy": "quarantine",
            "dmarc.testing": True,
            "mta_sts.record": True,
            # Nobody listens there: that is no statement about the policy.
            "mta_sts.mode": Cause.CONNECTION_REFUSED,
            "mta_sts.max_age": Cause.CONNECTION_REFUSED,
            "mta_sts.covers_mx": Cause.CONNECTION_REFUSED,
        }
    )


def test_mail_for_a_domain_that_takes_none(probe: Probe) -> None:
    reported = probe("mx://careless.test", only="smtp tls certificate")
    assert reported.exit_code == 3
    assert set(reported.found.values()) == {Cause.NOT_APPLICABLE}


def test_server_that_refuses(probe: Probe) -> None:
    # NSD answers REFUSED for what is none of its zones. That is no NXDOMAIN.
    reported = probe("dns://somewhere.invalid", only="dns")
    assert reported.exit_code == 3
    missing = {metric: value for metric, value in reported.found.items() if not metric.startswith("dkim.")}
    assert set(missing.values()) == {Cause.DNS_SERVFAIL}, missing


def test_no_resolver(probe: Probe) -> None:
    # The last --resolver counts; nobody listens at this one.
    reported = probe(
        "dns://bare.test", "--resolver", f"{ADDRESSES[f'nobody.{DOMAIN}']}:53", "--deadline", "8", only="dns"
    )
    assert reported.exit_code == 3
    missing = {metric: value for metric, value in reported.found.items() if not metric.startswith("dkim.")}
    assert set(missing.values()) <= {Cause.DNS_TIMEOUT, Cause.DNS_SERVFAIL, Cause.DEADLINE_EXCEEDED}, missing
