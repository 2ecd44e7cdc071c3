"""What a server's TLS accepts: versions, suites, groups and the parameters it agrees to.

All that comes from hand-made ClientHellos (``probes.hello``, ``probes.offers``), so that the limits of our own TLS
library shape no answer; suite, group and time of ``tls.cipher``, ``tls.group`` and ``tls.handshake_ms`` come from the
endpoint's one shared handshake.

Connections at standard depth, besides that handshake: one hello for weak suites, the version hellos (two for a server
that speaks TLS 1.3 and refuses TLS 1.1 and older, at most six, see ``probes.versions``), one for post-quantum groups
where TLS 1.3 is accepted, and one with the fallback signal where there is a version to fall back to and our manners
leave room (``probes.tls_hellos``). The first hellos (at most TLS 1.2, at most TLS 1.1, weak suites) go out together as
soon as a mail server has listed its capabilities, or a web server has shaken hands; the rest as soon as it is known
whether it makes sense. On ``mx`` everything waits for the end of the conversation and goes one by one. At full depth,
suites, groups and the server's order are found by leaving out what was chosen (``probes.offers``).

A server that chooses what was not offered commits a protocol error, and nothing else is taken from that answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, get_args

from probes import ciphers
from probes.certificate import has_tls
from probes.flight import Flight, KeyExchange, group_name, signature_name
from probes.hello import EXTENDED_MASTER_SECRET, RENEGOTIATION_INFO, SESSION_TICKET, VERSIONS
from probes.model import MAIL_ROLES, WEB_ROLES, Cause, Endpoint, Measurement, Metric, Unmeasured, Value
from probes.offers import Accepted, ended
from probes.tls_hellos import Everything, FirstHellos, Order, ask_everything, first_hellos, prime_of

if TYPE_CHECKING:
    from probes.network import Network, TLSSession

_HASHES = ("md5", "sha1", "md5+sha1", "sha224", "sha256", "sha384", "sha512", "shake256")
_UP_TO_1_2 = "in the newest version of at most TLS 1.2 that the server accepts"

METRICS: tuple[Metric, ...] = (
    Metric(
        "tls.versions",
        "set",
        "Versions the server accepts, each from SSLv3 to TLSv1.3 decided by an answer of its own.",
        reference="RFC 8446 §4.1.3, RFC 5246 appendix E.1",
    ),
    Metric(
        "tls.oldest_version",
        "level",
        "Oldest version the server accepts; known only when every older one was refused.",
        reference="RFC 8996",
        levels=VERSIONS,
    ),
    Metric(
        "tls.newest_version",
        "level",
        "Newest version the server accepts; known only when every newer one was refused.",
        reference="RFC 8446",
        levels=VERSIONS,
    ),
    Metric(
        "tls.cipher",
        "text",
        "Cipher suite (IANA name) the server chose in a full handshake that offers everything our library has.",
        reference="RFC 8446 §4.1.3",
    ),
    Metric(
        "tls.group",
        "text",
        "Key exchange group of that handshake, such as x25519 or X25519MLKEM768; not applicable to RSA key exchange.",
        reference="RFC 8446 §4.2.7",
    ),
    Metric(
        "tls.handshake_ms",
        "number",
        "Time of that handshake, from our ClientHello to our Finished.",
        unit="ms",
        reference="RFC 8446 §2",
    ),
    Metric(
        "tls.sslv2",
        "boolean",
        "Whether the server answers a hello of SSL 2.0 with one of its own. Asked at full depth only.",
        reference="RFC 6176",
    ),
    Metric(
        "tls.suites",
        "set",
        "Every cipher suite (IANA name) that the server accepts in any version, of all that are registered and need no "
        "shared secret, password or Kerberos. Asked at full depth only.",
        reference="RFC 5246 §7.4.1.3, RFC 8446 §4.1.3",
    ),
    Metric(
        "tls.server_order",
        "level",
        "Whose order decides which accepted suite is used, seen when the server is offered all it accepts and then the "
        "same in reverse: client (it took the first of each), server (it took the same twice), mixed (neither). Not "
        "applicable to a server with one suite. Asked at full depth only.",
        reference="RFC 5246 §7.4.1.3",
        levels=get_args(Order),
    ),
    Metric(
        "tls.weak_suites",
        "boolean",
        f"Whether the server accepts a suite of a weak family {_UP_TO_1_2}: one without authentication or encryption, "
        "of export grade, or with DES, RC4, RC2, IDEA or Triple-DES.",
        reference="RFC 9325 §4.1",
    ),
    Metric(
        "tls.weak_families",
        "set",
        "Which weak families it accepts suites of: anonymous, null, export, des, rc4, rc2, 3des, idea. When it accepts "
        "any, all of them are found out at full depth only.",
        reference="RFC 9325 §4.1",
    ),
    Metric(
        "tls.forward_secrecy",
        "boolean",
        "Whether the server accepts a suite with forward secrecy (ephemeral Diffie-Hellman, all of TLS 1.3).",
        reference="RFC 9325 §4.2",
    ),
    Metric(
        "tls.forward_secrecy_only",
        "boolean",
        "Whether it refuses every suite without forward secrecy, such as those with RSA key exchange. When no answer "
        "shows one by itself, asked at full depth only.",
        reference="RFC 9325 §4.1",
    ),
    Metric(
        "tls.aead",
        "boolean",
        "Whether the server accepts a suite with authenticated encryption (GCM, CCM, ChaCha20-Poly1305); if not, it "
        "has block ciphers in CBC mode and stream ciphers alone.",
        reference="RFC 9325 §4.2",
    ),
    Metric(
        "tls.aead_only",
        "boolean",
        "Whether it refuses every suite without authenticated encryption. When no answer shows one by itself, asked at "
        "full depth only.",
        reference="RFC 9325 §4.2",
    ),
    Metric(
        "tls.groups",
        "set",
        "Every key exchange group (IANA name) that the server accepts: elliptic curves, finite fields and post-quantum "
        "groups in TLS 1.3, named curves in its newest version of at most TLS 1.2. Asked at full depth only.",
        reference="RFC 8446 §4.2.7, RFC 8422 §5.1.1",
    ),
    Metric(
        "tls.post_quantum",
        "boolean",
        "Whether the server accepts a hybrid of a post-quantum mechanism and an elliptic curve (X25519MLKEM768, "
        "SecP256r1MLKEM768, SecP384r1MLKEM1024) when it is offered nothing else. Not applicable without TLS 1.3.",
        reference="draft-ietf-tls-ecdhe-mlkem, RFC 8446 §4.1.4",
    ),
    Metric(
        "tls.post_quantum_groups",
        "set",
        "Which of the three it accepts. When it accepts any, all of them are found out at full depth only.",
        reference="draft-ietf-tls-ecdhe-mlkem, RFC 8446 §4.1.4",
    ),
    Metric(
        "tls.curve",
        "text",
        f"Elliptic curve (IANA name) that the server uses {_UP_TO_1_2}, when it is offered all usual ones. Not "
        "applicable where it chooses a suite without one.",
        reference="RFC 8422 §5.4",
    ),
    Metric(
        "tls.dh_bits",
        "integer",
        f"Size of the prime that the server uses for finite-field Diffie-Hellman {_UP_TO_1_2}. Not applicable where it "
        "accepts no such suite; when it prefers another suite, asked at full depth only.",
        unit="bit",
        reference="RFC 9325 §4.4",
    ),
    Metric(
        "tls.key_exchange_hash",
        "level",
        f"Hash function under the signature on its key exchange {_UP_TO_1_2}, when it is offered all, the strongest "
        "first. Not applicable to key exchange without a signature.",
        reference="RFC 5246 §7.4.1.4.1, RFC 9155",
        levels=_HASHES,
    ),
    Metric(
        "tls.extended_master_secret",
        "boolean",
        f"Whether the server agrees to the extended master secret {_UP_TO_1_2}. Not applicable to TLS 1.3 alone, which "
        "needs no extension for it.",
        reference="RFC 7627 §5.2",
    ),
    Metric(
        "tls.secure_renegotiation",
        "boolean",
        f"Whether the server signals secure renegotiation {_UP_TO_1_2}. Not applicable to TLS 1.3 alone, which has no "
        "renegotiation.",
        reference="RFC 5746 §3.6",
    ),
    Metric(
        "tls.compression",
        "boolean",
        f"Whether the server agrees to compress (DEFLATE) {_UP_TO_1_2}. Not applicable to TLS 1.3 alone, which has no "
        "compression.",
        reference="RFC 9325 §3.3, RFC 3749",
    ),
    Metric(
        "tls.session_tickets",
        "boolean",
        f"Whether the server announces a session ticket {_UP_TO_1_2}. Not applicable to TLS 1.3 alone.",
        reference="RFC 5077 §3.2",
    ),
    Metric(
        "tls.fallback_scsv",
        "boolean",
        "Whether the server refuses a hello of an older version that says it is a fallback, although it accepts a "
        "newer one. Not applicable to a server with one version.",
        reference="RFC 7507 §3",
    ),
)

_OF_FLIGHT = (
    "tls.extended_master_secret", "tls.secure_renegotiation", "tls.compression", "tls.session_tickets", "tls.curve",
    "tls.key_exchange_hash",
)  # fmt: skip
_OF_EVERYTHING = ("tls.sslv2", "tls.server_order", "tls.suites", "tls.groups")
_ONLY_FULL = "takes many connections: measured at full depth only"


# --- what the answers mean --------------------------------------------------------------------------------------------


def _measured(metric: str, value: Value | Unmeasured, detail: str = "") -> Measurement:
    if isinstance(value, Unmeasured):
        return Measurement.missing(metric, value.cause, value.detail)
    return Measurement(metric, value, detail=detail)


def _of_flight(first: FirstHellos) -> list[Measurement]:
    """What the answer to the hello of at most TLS 1.2 shows."""
    versions = first.versions
    flight = versions.flights.get("TLSv1.2")
    if flight is None:
        problem = versions.why_nothing_older()
        if problem.cause is not Cause.NOT_APPLICABLE:
            problem = versions.unknown.get("TLSv1.2") or problem
        return [_measured(key, problem) for key in _OF_FLIGHT]
    hello = flight.hello
    shown = f"{hello.version} {ciphers.name(hello.suite)}"
    renegotiation: bool | Unmeasured = RENEGOTIATION_INFO in hello.extensions
    if hello.extensions.get(RENEGOTIATION_INFO, b"\x00") != b"\x00":
        renegotiation = Unmeasured(Cause.PROTOCOL_ERROR, "renegotiation_info of a first handshake is not empty")
    return [
        _measured("tls.extended_master_secret", EXTENDED_MASTER_SECRET in hello.extensions, shown),
        _measured("tls.secure_renegotiation", renegotiation, shown),
        _measured("tls.compression", hello.compression != 0, shown),
        _measured("tls.session_tickets", SESSION_TICKET in hello.extensions, shown),
        _measured("tls.curve", _curve_of(flight), shown),
        _measured("tls.key_exchange_hash", *_hash_of(flight)),
    ]


def _exchange_of(flight: Flight) -> KeyExchange | Unmeasured:
    """The flight's ServerKeyExchange. Not applicable when a complete flight has none."""
    shown = ciphers.name(flight.hello.suite)
    if flight.key_exchange is not None:
        return flight.key_exchange
    if not ciphers.forward_secret(flight.hello.suite):
        return Unmeasured(Cause.NOT_APPLICABLE, f"the server chose {shown}, whose key exchange sends no parameters")
    problem = ended(flight, "a hello of at most TLSv1.2")
    return problem or Unmeasured(Cause.PROTOCOL_ERROR, f"no ServerKeyExchange, which {shown} needs")


def _curve_of(flight: Flight) -> str | Unmeasured:
    exchange = _exchange_of(flight)
    if isinstance(exchange, Unmeasured):
        return exchange
    if exchange.kind == "own_curve":
        return f"own curve of {exchange.bits} bits"
    if exchange.group is None:
        return Unmeasured(Cause.NOT_APPLICABLE, f"the server chose {ciphers.name(flight.hello.suite)}, without a curve")
    return group_name(exchange.group)


def _hash_of(flight: Flight) -> tuple[str | Unmeasured, str]:
    """The hash under the signature, and what signature it is."""
    exchange = _exchange_of(flight)
    if isinstance(exchange, Unmeasured):
        return exchange, ""
    suite = ciphers.name(flight.hello.suite)
    if not exchange.signed:
        return Unmeasured(Cause.NOT_APPLICABLE, f"the server chose {suite}, whose key exchange is not signed"), ""
    if exchange.signature is None:  # before TLS 1.2 the hash is fixed: RFC 4346 §7.4.3, RFC 8422 §5.4
        by_rsa = "RSA" in ciphers.key_exchange(flight.hello.suite)
        return "md5+sha1" if by_rsa else "sha1", f"{flight.hello.version} {suite}"
    name = signature_name(exchange.signature)
    hashed = {"ed25519": "sha512", "ed448": "shake256"}.get(name, name.rpartition("_")[2])
    if hashed not in _HASHES:
        return Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, f"the signature scheme {name} is unknown here"), ""
    return hashed, name


def _of_weak(first: FirstHellos, everything: Everything | None) -> list[Measurement]:
    families = set(first.weak.families)
    problem = first.weak.problem
    accepted = first.hellos.chosen
    if everything is not None:
        accepted = accepted | set(everything.suites.found)
        problem = problem and everything.suites.problem
    if first.versions.only_tls_13:  # which has no such suite
        problem = None
    elif problem is None and not first.versions.seen:
        problem = Unmeasured(Cause.TLS_ALERT, "the server refuses everything, not weak suites alone")
    for suite in accepted:
        families |= ciphers.families(suite)
    shown = ", ".join(sorted(families))
    names = ", ".join(sorted(ciphers.name(suite) for suite in accepted if ciphers.families(suite)))
    if problem is None:
        return [
            _measured("tls.weak_suites", bool(families), names),
            _measured("tls.weak_families", tuple(sorted(families)), names),
        ]
    more = Unmeasured(problem.cause, f"{problem.detail}; accepted: {shown}" if families else problem.detail)
    return [
        _measured("tls.weak_suites", True if families else problem, names if families else ""),
        _measured("tls.weak_families", more),
    ]


def _of_suites(first: FirstHellos, everything: Everything | None) -> list[Measurement]:
    """Forward secrecy and authenticated encryption: what one answer shows counts, and what no answer can show follows
    from the list of all suites alone, or from TLS 1.3 being the only version."""
    versions = first.versions
    seen = set(first.hellos.chosen)
    problem: Unmeasured | None = Unmeasured(Cause.NOT_PERMITTED, f"the list of cipher suites {_ONLY_FULL}")
    if everything is not None:
        seen |= set(everything.suites.found)
        problem = everything.suites.problem
    elif "TLSv1.2" not in versions.flights:
        problem = versions.why_nothing_older()
    if versions.only_tls_13:
        problem = None
    found = []
    for what, has in (("forward_secrecy", ciphers.forward_secret), ("aead", ciphers.aead)):
        having = [suite for suite in seen if has(suite)]
        lacking = [suite for suite in seen if has(suite) is False]
        some = True if having or first.tls_13 else (problem or False)
        only = False if lacking else (problem or True)
        found += [
            _measured(f"tls.{what}", some, _example(having)),
            _measured(f"tls.{what}_only", only, _example(lacking)),
        ]
    return found


def _example(suites: Sequence[int]) -> str:
    """Up to three of the suites by name."""
    return ", ".join(sorted(ciphers.name(suite) for suite in suites)[:3])


def _of_hybrid(hybrid: Accepted) -> list[Measurement]:
    names = tuple(sorted(group_name(group) for group in hybrid.found))
    shown = ", ".join(names)
    if hybrid.problem is None:
        return [_measured("tls.post_quantum", bool(names), shown), _measured("tls.post_quantum_groups", names)]
    more = Unmeasured(
        hybrid.problem.cause, f"{hybrid.problem.detail}; accepted: {shown}" if names else hybrid.problem.detail
    )
    return [
        _measured("tls.post_quantum", True if names else hybrid.problem, shown),
        _measured("tls.post_quantum_groups", more),
    ]


def _of_everything(first: FirstHellos, everything: Everything | None) -> list[Measurement]:
    """What is asked at full depth only."""
    flight = first.versions.flights.get("TLSv1.2")
    prime = prime_of(flight) if flight is not None else None
    if everything is None:
        asked = Unmeasured(Cause.NOT_PERMITTED, f"taking an offer apart {_ONLY_FULL}")
        if not first.versions.seen:
            asked = first.versions.why_not("TLSv1.2")
        bits: int | Unmeasured = first.versions.why_nothing_older() if first.versions.newest_up_to_12 is None else asked
        if prime is not None:
            bits = prime
        return [_measured("tls.dh_bits", bits), *(_measured(key, asked) for key in _OF_EVERYTHING)]
    return [
        _measured("tls.dh_bits", everything.dh_bits if prime is None else prime),
        _measured("tls.sslv2", everything.sslv2),
        _measured("tls.server_order", everything.order),
        _all("tls.suites", everything.suites, ciphers.name),
        _all("tls.groups", everything.groups, group_name),
    ]


def _all(metric: str, accepted: Accepted, name: Callable[[int], str]) -> Measurement:
    names = tuple(sorted({name(number) for number in accepted.found}))
    if accepted.problem is None:
        return Measurement(metric, names)
    so_far = f"; accepted so far: {', '.join(names)}" if names else ""
    return Measurement.missing(metric, accepted.problem.cause, accepted.problem.detail + so_far)


def _of_handshake(session: TLSSession | Unmeasured) -> list[Measurement]:
    if isinstance(session, Unmeasured):
        return [_measured(key, session) for key in ("tls.cipher", "tls.group", "tls.handshake_ms")]
    if session.group:
        group = Measurement("tls.group", session.group)
    elif session.cipher.startswith("TLS_RSA_"):
        group = Measurement.missing("tls.group", Cause.NOT_APPLICABLE, "RSA key exchange has no group")
    else:
        group = Measurement.missing(
            "tls.group", Cause.TLS_CLIENT_UNSUPPORTED, "our TLS library does not name the group"
        )
    return [
        Measurement("tls.cipher", session.cipher),
        group,
        Measurement("tls.handshake_ms", round(session.handshake_ms, 3)),
    ]


class TLSProbe:
    """Versions, suites, groups and parameters by hand-made hellos; suite, group and time of the shared handshake."""

    name = "tls"
    roles = MAIL_ROLES | WEB_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, or ``Unmeasured`` when the endpoint cannot be reached or offers no TLS."""
        if not has_tls(endpoint):
            raise Unmeasured(Cause.NOT_APPLICABLE, "this endpoint is without TLS")
        first = await first_hellos(endpoint, network)
        everything = await ask_everything(first) if first.hellos.full else None
        return [
            *first.versions.measurements(),
            *_of_handshake(first.session),
            *_of_flight(first),
            *_of_weak(first, everything),
            *_of_suites(first, everything),
            *_of_hybrid(first.hybrid),
            *_of_everything(first, everything),
            _measured("tls.fallback_scsv", first.fallback),
        ]
