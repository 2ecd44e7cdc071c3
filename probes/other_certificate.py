"""The certificate of the other kind: that of an RSA key where the shared handshake showed an EC one, and the reverse.

A server may have both and shows each client the one that it can use, so that an expired RSA certificate can stand
behind a good EC one. One TLS 1.2 hello that offers only suites of the other kind brings the other chain in plain text
(RFC 5246 §7.4.2); TLS 1.3 encrypts it, so that of a server that speaks nothing older it cannot be seen.

In TLS 1.2 the suite alone decides the kind of key (RFC 8422 §2, RFC 5246 appendix A.5). The hello offers every
signature algorithm all the same: they are for the signatures within the chain too (RFC 5246 §7.4.2), and EC
certificates are often signed by RSA ones.

What is evidence:

==========================================================  ==================================================
answer to that hello                                         it shows
==========================================================  ==================================================
a chain whose leaf has a key of that kind                    the server has it
alert ``handshake_failure`` or ``insufficient_security``     it has none (a server that speaks TLS 1.3 only must
                                                             say ``protocol_version``, RFC 8446 §4.2.1 and §D.2)
anything else                                                nothing: a cause
==========================================================  ==================================================
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from typing import TYPE_CHECKING, Literal

from probes import ciphers
from probes.der import load, public_key
from probes.flight import Flight, ask_flight, describe_problem, hello_shown
from probes.hello import Alert, HelloError, Unreadable, client_hello
from probes.model import Cause, Endpoint, Unmeasured
from probes.tls_hellos import room_beside_hellos

if TYPE_CHECKING:
    from probes.network import Network

Kind = Literal["RSA", "EC"]

_EXCHANGES: dict[Kind, tuple[str, ...]] = {"RSA": ("ECDHE_RSA", "DHE_RSA", "RSA"), "EC": ("ECDHE_ECDSA",)}
_KEYS: dict[Kind, frozenset[str]] = {
    "RSA": frozenset({"RSA", "RSA-PSS"}),
    "EC": frozenset({"EC", "Ed25519", "Ed448"}),
}
_MAXIMUM_SUITES = 64
"""Old servers (Windows Server 2003) look at the first 64 suites only."""
_GROUPS = (0x001D, 0x0017, 0x0018, 0x0019, 0x001E, 0x001A, 0x001B, 0x001C, 0x0016, 0x0100, 0x0101)
"""The curve of an EC key must be among the offered ones (RFC 8422 §5.1): also brainpool's and secp256k1."""
_FIRST = ("first hellos", "second conversation")
"""Keys of ``Network.once`` (``probes.tls``, ``probes.second_conversation``) for what gets its connections first."""
_REFUSALS = frozenset({"handshake_failure", "insufficient_security"})
_UNREADABLE = {
    "plaintext": Cause.TLS_HANDSHAKE_ERROR,
    "garbage": Cause.PROTOCOL_ERROR,
    "too_long": Cause.REPLY_TOO_LONG,
}


@dataclasses.dataclass(frozen=True, slots=True)
class OtherChain:
    """``key_type``: of the leaf, as ``certificate.key_type``. ``chain``: DER, leaf first."""

    key_type: str
    chain: tuple[bytes, ...]


def other_kind(key_type: str) -> Kind:
    """The kind to ask for beside a certificate with a key of this type (``certificate.key_type``)."""
    return "EC" if key_type in _KEYS["RSA"] else "RSA"


@functools.cache
def suites_of(kind: Kind) -> tuple[int, ...]:
    """Suites of TLS 1.2 and older that a server can choose only with a certificate of this kind, common ones first."""
    found = [number for number in ciphers.candidates(tls13=False) if ciphers.key_exchange(number) in _EXCHANGES[kind]]
    found.sort(key=lambda number: (*_rarity(number), _EXCHANGES[kind].index(ciphers.key_exchange(number))))
    return tuple(found[:_MAXIMUM_SUITES])


def _rarity(number: int) -> tuple[bool, bool, bool]:
    name = ciphers.name(number)
    return "ARIA" in name, any(rare in name for rare in ("NULL", "CAMELLIA", "CCM")), not ciphers.aead(number)


async def other_chain(endpoint: Endpoint, network: Network, kind: Kind, host: str) -> OtherChain | None:
    """The chain that the server shows to clients that can use only keys of this ``kind``; None when it has none.
    ``host``: for server_name. Raises ``Unmeasured`` when neither is known.

    Waits, where the hellos of the tls probe and the second conversation are under way, until these are over or certain
    to get their connections: where connections are few, they matter more, and what is left over does not depend on
    chance.
    """
    try:
        hello = client_hello(
            "TLSv1.2",
            host,
            offer=suites_of(kind),
            groups=_GROUPS,
            random=lambda size: network.random("other certificate", size),
        )
    except HelloError as error:
        raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, str(error)) from None
    await _our_turn(network)
    shown = hello_shown("TLSv1.2", f"for a certificate with a key of kind {kind}")
    answer = await ask_flight(endpoint, network, hello, shown)
    what = f"in answer to a hello for a certificate with a key of kind {kind}"
    match answer:
        case Unmeasured():
            raise Unmeasured(answer.cause, f"{answer.detail} {what}")
        case Alert() if answer.name in _REFUSALS:
            return None
        case Alert(name="protocol_version"):
            raise Unmeasured(
                Cause.TLS_CLIENT_UNSUPPORTED,
                "the server speaks TLS 1.3 only, where certificates travel encrypted: a second one cannot be seen",
            )
        case Alert():
            raise Unmeasured(Cause.TLS_ALERT, f"{answer.name} {what}")
        case Unreadable():
            raise Unmeasured(_UNREADABLE[answer.kind], f"{describe_problem(answer)} {what}")
    return _chain_of(answer, kind, what)


async def _our_turn(network: Network) -> None:
    """Wait until a connection of ours takes none from others."""
    room = asyncio.create_task((await room_beside_hellos(network)).wait())
    over = asyncio.create_task(network.after(*_FIRST))
    try:
        await asyncio.wait((room, over), return_when=asyncio.FIRST_COMPLETED)
    finally:
        room.cancel()
        over.cancel()


def _chain_of(flight: Flight, kind: Kind, what: str) -> OtherChain:
    if flight.hello.suite not in suites_of(kind):
        name = ciphers.name(flight.hello.suite)
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"the suite {name}, which was not offered, {what}")
    if not flight.chain:
        problem = flight.problem
        detail = f"{describe_problem(problem) if problem else 'no certificate'} {what}"
        match problem:
            case Unmeasured():
                raise Unmeasured(problem.cause, detail)
            case Alert():
                raise Unmeasured(Cause.TLS_ALERT, detail)
            case Unreadable():
                raise Unmeasured(_UNREADABLE[problem.kind], detail)
        raise Unmeasured(Cause.PROTOCOL_ERROR, detail)
    found = public_key(load(flight.chain[0])).kind
    if found not in _KEYS[kind]:
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"a certificate with a key of kind {found} {what}")
    return OtherChain(found, flight.chain)
