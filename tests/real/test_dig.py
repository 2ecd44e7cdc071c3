"""dig and delv as a second opinion on DNS: from the same NSD, our resolver reads the same answers as BIND's tools do,
and denies what they deny."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from probes.model import Endpoint
from probes.network import Network, Options
from probes.resolver import Answer, ServerAnswer
from tests import needs
from tests.real.servers import DOMAIN, Zone, nsd, scratch

pytestmark = pytest.mark.real

SIGNED = "signed.test"
_KEY = ec.generate_private_key(ec.SECP256R1())
_DNSKEY = dns.dnssec.make_dnskey(_KEY.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)


class SignedZone(Zone):
    """A zone with signatures and NSEC records (RFC 4034), by one key."""

    def text(self) -> str:
        """The signed zone file."""
        zone = dns.zone.from_text(super().text(), origin=self.origin, relativize=False)
        now = datetime.datetime.now(datetime.UTC)
        with zone.writer() as writer:
            dns.dnssec.sign_zone(
                zone,
                writer,
                keys=[(_KEY, _DNSKEY)],
                dnskey_ttl=60,
                inception=now - datetime.timedelta(hours=1),
                expiration=now + datetime.timedelta(days=1),
            )
        return str(zone.to_text(relativize=False))


ZONES = [
    Zone("test", [f"{SIGNED}. IN NS ns.{DOMAIN}."]),
    Zone(DOMAIN),
    SignedZone(
        SIGNED,
        [
            "@ IN MX 20 mx2",
            "@ IN MX 10 MX1",
            "mx1 IN A 192.0.2.1",
            "mx1 IN AAAA 2001:db8::1",
            "mx2 IN CNAME mx1",
            '@ IN TXT "v=spf1 " "ip4:192.0.2.0/24 -all"',
            r'@ IN TXT "quoted \" and \\ and \195\188 and \255"',
            '@ IN CAA 0 issue "authority.test; account=7"',
            '@ IN CAA 128 iodef "mailto:security@signed.test"',
            "_25._tcp.mx1 IN TLSA 3 1 1 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
            'x17._domainkey IN TXT "v=DKIM1; p="',
            "_imaps._tcp IN SRV 0 1 993 mx1",
        ],
    ),
]

QUESTIONS = [
    (SIGNED, "MX"),
    (SIGNED, "TXT"),
    (SIGNED, "CAA"),
    (SIGNED, "NS"),
    (SIGNED, "SOA"),
    (f"mx1.{SIGNED}", "A"),
    (f"mx1.{SIGNED}", "AAAA"),
    (f"mx2.{SIGNED}", "A"),  # an alias
    (f"_25._tcp.mx1.{SIGNED}", "TLSA"),
    (f"_imaps._tcp.{SIGNED}", "SRV"),
    (f"_domainkey.{SIGNED}", "TXT"),  # an empty non-terminal
    (f"mx1.{SIGNED}", "TXT"),  # no such record
    (f"gone.{SIGNED}", "MX"),  # no such name
    (f"_25._tcp.mx2.{SIGNED}", "TLSA"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """An NSD with the zones of this module."""
    with nsd(ZONES) as place:
        yield place


@dataclasses.dataclass(frozen=True)
class Said:
    """What one of BIND's tools said: status, flags, and the records asked for."""

    status: str
    flags: frozenset[str]
    records: frozenset[str]


def dig(server: tuple[str, int], name: str, kind: str, *options: str) -> Said:
    program = needs.require("dig", "bind9-dnsutils")
    address, port = server
    command = [program, f"@{address}", "-p", str(port), "+norecurse", "+noall", "+comments", "+answer", *options]
    done = subprocess.run([*command, name, kind], check=True, capture_output=True, text=True, timeout=20)
    status = re.search(r"status: (\w+)", done.stdout)
    flags = re.search(r"flags: ([a-z ]*);", done.stdout)
    assert status is not None, done.stdout
    assert flags is not None, done.stdout
    return Said(status[1], frozenset(flags[1].split()), records_of(done.stdout, kind))


def records_of(text: str, kind: str) -> frozenset[str]:
    """The data of the answer's records of this kind, strings of a TXT record joined as our resolver does."""
    found = set()
    for line in text.splitlines():
        fields = line.split(None, 4)
        if line.startswith(";") or len(fields) < 5 or fields[3] != kind:
            continue
        data = fields[4]
        if kind == "TXT":
            unescaped = re.sub(
                rb"\\(\d{3})", lambda match: bytes([int(match[1])]), "".join(strings(data)).encode("latin-1")
            )
            data = unescaped.decode("utf-8", "backslashreplace")
        elif kind == "TLSA":
            data = " ".join(data.split()[:3]) + " " + "".join(data.split()[3:])
        found.add(comparable(data, kind))
    return frozenset(found)


def strings(data: str) -> list[str]:
    """The strings of a TXT record as dig prints them; escapes of numbers stay."""
    return [re.sub(r'\\(["\\])', r"\1", text) for text in re.findall(r'"((?:[^"\\]|\\.)*)"', data)]


def comparable(data: str, kind: str) -> str:
    return data if kind == "TXT" else data.lower()


async def ours(server: tuple[str, int], name: str, kind: str) -> tuple[Answer, ServerAnswer]:
    """The answer by the run's resolver, and by asking the server itself."""
    options = Options(resolver=server, allow_private=True)
    async with Network(Endpoint("domain", domain=SIGNED), options) as network:
        return await network.resolve(name, kind), await network.ask_server(server[0], name, kind)


@pytest.mark.parametrize(("name", "kind"), QUESTIONS)
def test_the_same_answers_as_dig(server: tuple[str, int], name: str, kind: str) -> None:
    theirs = dig(server, name, kind)
    answer, direct = asyncio.run(ours(server, name, kind))
    assert theirs.status == direct.code == ("NOERROR" if answer.exists else "NXDOMAIN")
    assert direct.authoritative is ("aa" in theirs.flags)
    assert {comparable(each, kind) for each in answer.records} == theirs.records
    if "mx2" not in name:  # an alias's records stand at another name, which asking the server itself leaves alone
        assert {comparable(each, kind) for each in direct.records} == theirs.records


def test_a_server_that_knows_nothing_of_the_name(server: tuple[str, int]) -> None:
    assert dig(server, "somewhere.invalid", "SOA").status == "REFUSED"

    async def ask() -> ServerAnswer:
        options = Options(resolver=server, allow_private=True)
        async with Network(Endpoint("domain", domain=SIGNED), options) as network:
            return await network.ask_server(server[0], "somewhere.invalid", "SOA")

    assert asyncio.run(ask()).code == "REFUSED"


def test_a_long_answer_comes_whole(server: tuple[str, int]) -> None:
    """DNSKEY and NSEC records too; dig asks over TCP."""
    for kind in ("DNSKEY", "NSEC"):
        theirs = dig(server, SIGNED, kind, "+tcp")
        answer, _ = asyncio.run(ours(server, SIGNED, kind))
        assert len(answer.records) == len(theirs.records) > 0


# --- delv -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def anchors() -> Iterator[Path]:
    """The zone's key as a trust anchor in BIND's format."""
    _, algorithm, *data = _DNSKEY.to_text().split()[1:]
    with scratch("delv") as folder:
        file = folder / "anchors"
        key = "".join(data)
        text = f'trust-anchors {{ {SIGNED}. static-key 257 3 {algorithm} "{key}"; }};\n'
        file.write_text(text, encoding="ascii")
        yield file


def delv(server: tuple[str, int], anchors: Path, name: str, kind: str) -> str:
    program = needs.require("delv", "bind9-dnsutils")
    address, port = server
    command = [program, f"@{address}", "-p", str(port), "-a", str(anchors), f"+root={SIGNED}", name, kind]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize(("name", "kind"), QUESTIONS)
def test_the_same_answers_as_delv_after_validation(
    server: tuple[str, int], anchors: Path, name: str, kind: str
) -> None:
    """delv follows the signatures, those of the denials (NSEC) too: what we read is what was signed."""
    theirs = delv(server, anchors, name, kind)
    assert "fully validated" in theirs, theirs
    answer, _ = asyncio.run(ours(server, name, kind))
    assert {comparable(each, kind) for each in answer.records} == records_of(theirs, kind)
    negative = re.search(r"negative response|resolution failed: ncache (\w+)", theirs)
    assert bool(negative) is (not answer.records), theirs
    if not answer.records:
        assert ("nxdomain" in theirs.lower()) is (not answer.exists), theirs
