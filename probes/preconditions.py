"""What this machine lets a run measure, found out once before the endpoints: does the resolver know the internet's
names, is outbound port 25 open, is there IPv6, does the resolver validate DNSSEC, does a blocklist answer, what can our
TLS library complete.

Where something is missing, whole groups of metrics get their cause at once instead of one time-out each
(``Surroundings.known_obstacle``). Nothing here is about anybody's server. Where private addresses are allowed (a lab),
nobody outside is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from probes import blocklists
from probes.addresses import blocked_reason, is_localhost, literal
from probes.connection import tls_context
from probes.model import ROLES as EVERY_ROLE
from probes.model import Role, Unmeasured
from probes.network import VALIDATION_REFERENCES
from probes.replies import printable
from probes.resolver import Answer

if TYPE_CHECKING:
    from OpenSSL import SSL

    from probes.network import Options, Surroundings

Name = Literal["names", "port_25", "ipv6", "dnssec", "blocklists", "tls"]
NAMES: tuple[Name, ...] = ("names", "port_25", "ipv6", "dnssec", "blocklists", "tls")

_MAIL: frozenset[Role] = frozenset({"submission", "mx", "imap", "pop3", "sieve"})
ROLES: dict[Name, frozenset[Role]] = {
    "names": frozenset(EVERY_ROLE),
    "port_25": frozenset({"mx"}),
    "ipv6": frozenset({*_MAIL, "domain"}),
    "dnssec": frozenset({"domain", "mx"}),
    "blocklists": frozenset({"mx", "submission"}),
    "tls": frozenset({*_MAIL, "api", "status", "web"}),
}
"""The roles of which something cannot be measured where a precondition is not met."""

_LAB = "not asked: private addresses are allowed, so this is a lab"


@dataclasses.dataclass(frozen=True, slots=True)
class Precondition:
    """``ok``: True, False, or None when neither can be said. ``detail``: one printable line."""

    name: Name
    ok: bool | None
    detail: str = ""


async def check(surroundings: Surroundings, wanted: Collection[Name] = NAMES) -> tuple[Precondition, ...]:
    """These preconditions, in the order of ``NAMES``; side by side, within the time limits of connections and DNS.

    What is found out is kept in the surroundings, where the networks of the run's endpoints find it.
    """
    checks = {
        "names": _names,
        "port_25": _port_25,
        "ipv6": _ipv6,
        "dnssec": _dnssec,
        "blocklists": _blocklists,
        "tls": _tls,
    }
    return tuple(await asyncio.gather(*(checks[name](surroundings) for name in NAMES if name in wanted)))


def _shown(references: tuple[tuple[str, int], ...]) -> str:
    return " and ".join(printable(host, 80) for host, _ in references) or "nobody"


async def _names(surroundings: Surroundings) -> Precondition:
    """Whether the resolver knows at least one of the names that the other preconditions rest on: that of a network
    without a way out often says of every name that it does not exist."""
    options = surroundings.options
    if options.allow_private:
        return Precondition("names", None, _LAB)
    hosts = [host for host, _ in options.port_25_references if literal(host) is None]
    asked = [(options.validation_references[0], "SOA"), *((host, "A") for host in dict.fromkeys(hosts))]
    answers = await asyncio.gather(*(_answer(surroundings, *each) for each in asked))
    if any(isinstance(answer, Answer) and answer.records for answer in answers):
        return Precondition("names", True, "the resolver knows the internet's names")
    shown = printable(" and ".join(name for name, _ in asked), 200)
    failed = [answer for answer in answers if isinstance(answer, Unmeasured)]
    if failed:
        return Precondition("names", False, printable(f"no answer about {shown}: {failed[0].detail}", 500))
    return Precondition("names", False, f"it says that there is no {shown}")


async def _answer(surroundings: Surroundings, name: str, kind: str) -> Answer | Unmeasured:
    try:
        return await surroundings.resolver.ask(name, kind)
    except Unmeasured as problem:
        return problem


async def _port_25(surroundings: Surroundings) -> Precondition:
    options = surroundings.options
    if options.allow_private:
        return Precondition("port_25", None, _LAB)
    asked = _shown(options.port_25_references)
    match await surroundings.port_25_works():
        case True:
            return Precondition("port_25", True, "outbound port 25 is open")
        case False:
            return Precondition("port_25", False, f"no connection to port 25 of {asked}")
    names = [host for host, _ in options.port_25_references]
    if names and all(await asyncio.gather(*(_is_unknown(surroundings, name) for name in names))):
        return Precondition("port_25", None, f"not tried: the resolver knows no address of {asked}")
    return Precondition("port_25", None, f"neither reached nor timed out: {asked}")


async def _is_unknown(surroundings: Surroundings, host: str) -> bool:
    """Whether the resolver gives no address for a host, or no answer."""
    if literal(host) is not None:
        return False
    answers = await asyncio.gather(*(_answer(surroundings, host, kind) for kind in ("A", "AAAA")))
    return not any(isinstance(answer, Answer) and answer.records for answer in answers)


async def _ipv6(surroundings: Surroundings) -> Precondition:
    options = surroundings.options
    if options.allow_private:
        return Precondition("ipv6", None, _LAB)
    asked = _shown(options.ipv6_references)
    match await surroundings.ipv6_works():
        case True:
            return Precondition("ipv6", True, "the IPv6 internet can be reached")
        case False:
            return Precondition("ipv6", False, f"no connection over IPv6 to {asked}")
    return Precondition("ipv6", None, f"neither reached nor timed out: {asked}")


async def _dnssec(surroundings: Surroundings) -> Precondition:
    if _asks_outside(surroundings.options):
        return Precondition("dnssec", None, _LAB)
    mistrust = await surroundings.resolver_mistrust()
    if not mistrust:
        return Precondition("dnssec", True, "the resolver validates DNSSEC")
    return Precondition("dnssec", False, mistrust)


def _asks_outside(options: Options) -> bool:
    """Whether a lab's question would leave it: the resolver is not one of its own, or the names are the internet's,
    which a lab's resolver knows nothing of."""
    if not options.allow_private:
        return False
    if options.resolver is None or options.validation_references == VALIDATION_REFERENCES:
        return True
    host = options.resolver[0]
    address = literal(host)
    return not is_localhost(host) and (address is None or blocked_reason(address) is None)


async def _blocklists(surroundings: Surroundings) -> Precondition:
    options = surroundings.options
    if options.allow_private:
        return Precondition("blocklists", None, _LAB)
    zones = tuple(dict.fromkeys(options.blocklists))[: blocklists.MAXIMUM_LISTS]
    if not zones:
        return Precondition("blocklists", None, "no blocklist is configured")
    proofs = await asyncio.gather(*(blocklists.prove(zone, 4, surroundings) for zone in zones))
    working = [proof.zone for proof in proofs if proof.works]
    if working:
        return Precondition("blocklists", True, printable(f"{', '.join(working)} answer properly", 500))
    reasons: dict[str, list[str]] = {}
    for proof in proofs:
        reasons.setdefault(proof.why, []).append(proof.zone)
    why = "; ".join(f"{', '.join(lists)}: {reason}" for reason, lists in reasons.items())
    return Precondition("blocklists", False, printable(f"no list answers properly: {why}", 500))


# --- our TLS library --------------------------------------------------------------------------------------------------

_VERSIONS: dict[str, int] = {"TLSv1.0": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


async def _tls(surroundings: Surroundings) -> Precondition:
    from OpenSSL import SSL

    completed = await surroundings.once("which TLS versions can we complete?", _completed)
    library = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode("ascii", "replace")
    lacking = [version for version in _VERSIONS if version not in completed]
    if not lacking:
        return Precondition("tls", True, f"{library} completes handshakes from TLSv1.0 to TLSv1.3")
    return Precondition("tls", False, f"{library} completes no handshake of {', '.join(lacking)}")


async def _completed() -> tuple[str, ...]:
    return tuple(version for version, number in _VERSIONS.items() if _completes(number))


def _completes(version: int) -> bool:
    """Whether the client context of our handshakes completes one of this version, against a server of the same library
    in memory. What it cannot complete, it can complete with nobody."""
    from OpenSSL import SSL

    try:
        client = SSL.Connection(tls_context(), None)
        server = SSL.Connection(_server_context(version), None)
        client.set_connect_state()
        server.set_accept_state()
        for _ in range(10):
            ended = [_step(one, other) for one, other in ((client, server), (server, client))]
            if all(ended):
                return True
    except SSL.Error:
        return False
    return False


def _step(one: SSL.Connection, other: SSL.Connection) -> bool:
    """Go on with one side's handshake and hand its bytes to the other; whether it is complete."""
    from OpenSSL import SSL

    complete = True
    try:
        one.do_handshake()
    except SSL.WantReadError:
        complete = False
    with contextlib.suppress(SSL.WantReadError):  # nothing to hand over
        other.bio_write(one.bio_read(65536))
    return complete


def _server_context(version: int) -> SSL.Context:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from OpenSSL import SSL

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self-test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    return context
