"""One authority and one DNS server for all real servers of a test run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.real import reports
from tests.real.servers import ADDRESSES, DOMAIN, Authority, Zone, nsd, scratch


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """The authority that issues every server's certificate; the probes are told to trust it."""
    with scratch("authority") as folder:
        yield Authority(folder)


def zones() -> list[Zone]:
    """The zones of this run. Each test states which of their records its prediction comes from."""
    # Authentication and transport policies as a careful sender has them.
    careful = Zone(
        DOMAIN,
        [
            "@ IN MX 10 mx1",
            "@ IN MX 20 mx2",
            f'@ IN TXT "v=spf1 include:_spf.{DOMAIN} ip4:192.0.2.0/24 -all"',
            '@ IN TXT "unrelated=1"',
            # The mx term asks for the MX of _spf.example.test, which has none: one empty answer.
            f'_spf IN TXT "v=spf1 a:mx1.{DOMAIN} mx ip6:2001:db8::/32 ~all"',
            f'_dmarc IN TXT "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=s; rua=mailto:reports@{DOMAIN}"',
            '_mta-sts IN TXT "v=STSv1; id=20261122T000000;"',
            f'_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tls@{DOMAIN}"',
            '@ IN CAA 0 issue "authority.test"',
            's1._domainkey IN TXT "v=DKIM1; p="',
        ],
    )
    # Faults that a checker has to tell apart from absence.
    careless = Zone(
        "careless.test",
        [
            "@ IN MX 0 .",
            '@ IN TXT "v=spf1 +all"',
            '@ IN TXT "v=spf1 -all"',
            '_dmarc IN TXT "v=DMARC1; p=none"',
            '_mta-sts IN TXT "v=STSv1; id=1;"',
            '_mta-sts IN TXT "v=STSv1; id=2;"',
        ],
    )
    # Six includes with one look-up each inside: twelve, where ten are allowed; and a policy that nobody serves.
    heavy = Zone(
        "heavy.test",
        [
            "@ IN MX 5 mail",
            "mail IN AAAA ::1",
            f'@ IN TXT "v=spf1 {" ".join(f"include:s{number}.heavy.test" for number in range(6))} ?all"',
            *(f's{number} IN TXT "v=spf1 a:mx1.{DOMAIN} -all"' for number in range(6)),
            '_dmarc IN TXT "v=DMARC1; p=quarantine; t=y"',
            '_mta-sts IN TXT "v=STSv1; id=1;"',
            f"mta-sts IN A {ADDRESSES[f'nobody.{DOMAIN}']}",
        ],
    )
    # DMARC and CAA are looked for in parent domains too: somebody has to answer for them.
    return [Zone("test"), careful, careless, heavy, Zone("bare.test", [f"@ IN NS nobody.{DOMAIN}."])]


@pytest.fixture(scope="session")
def resolver() -> Iterator[str]:
    """``HOST:PORT`` of an NSD that knows the zones of this run."""
    with nsd(zones()) as (address, port):
        assert address in ADDRESSES.values()
        yield f"{address}:{port}"


Probe = Callable[..., reports.Reported]


@pytest.fixture(scope="session")
def probe(authority: Authority, resolver: str) -> Probe:
    """Run ``mailrubric probe --target …`` with this run's resolver and authority. ``only``: these probes, for tests
    that look at all that is reported."""

    def run(target: str, *options: str, trust: bool = True, only: str = "") -> reports.Reported:
        options = (*options, *(word for name in only.split() for word in ("--probe", name)))
        trusted = ("--ca", str(authority.file)) if trust else ()
        return reports.run(target, "--resolver", resolver, "--ehlo", "probe.example.test", *trusted, *options)

    return run
