"""What a server's TLS accepts: versions, suites, groups and the parameters it agrees to.

All that comes from hand-made ClientHellos (``probes.hello``, ``probes.offers``), so that the limits of our own TLS
library shape no answer; suite, group and time of ``tls.cipher``, ``tls.group`` and ``tls.handshake_ms`` come from the
endpoint's one shared handshake.

Connections at standard depth, besides that handshake: one hello for weak suites, the version hellos (two for a server
that refuses TLS 1.1 and older, at most seven: one for each version, one for TLS 1.3 that the handshake did not show,
and one to confirm a refusal, see below), one for post-quantum groups where TLS 1.3 is accepted, and one with the
fallback signal where there is a version to fall back to and our manners leave room. The first hellos (at most TLS 1.2,
at most TLS 1.1, weak suites) go out together as soon as a mail server has listed its capabilities, or a web server has
shaken hands; the rest as soon as it is known whether it makes sense. On ``mx`` everything waits for the end of the
conversation and goes one by one. At full depth, suites, groups and the server's order are found by leaving out what was
chosen.

What is evidence of a version (RFC 5246 appendix E.1, RFC 8446 §4.1.3 and appendix D):

=========================================================  ==================================================
answer to a hello whose maximum is X                        it shows
=========================================================  ==================================================
ServerHello with version Y                                  Y is accepted; nothing in (Y, X] is
alert ``protocol_version``                                  nothing up to X is accepted
alert ``handshake_failure`` or ``insufficient_security``    X is not accepted (with any suite we know)
alert ``internal_error``, confirmed (see below)             X is not accepted
any other alert, close, reset, silence, anything else       nothing: the version stays unknown, with a cause
=========================================================  ==================================================

OpenSSL 3 answers a hello of TLS 1.1 or older with ``internal_error`` when its security level leaves it no signature
algorithm for them, which is the default of many mail and web servers. One such alert is a fault like any other; from a
server that has answered another hello with a ServerHello, and that gives the same alert to a second hello (the next
older one, which has to be sent anyway, or the same again), it is a refusal of both.

A server that chooses what was not offered commits a protocol error, and nothing else is taken from that answer.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from probes import ciphers
from probes.certificate import has_tls
from probes.flight import Flight, FlightAnswer, KeyExchange, group_name, signature_name
from probes.hello import (
    CODES,
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    SESSION_TICKET,
    VERSIONS,
    Alert,
    HelloAnswer,
    ServerHello,
    Unreadable,
    Version,
)
from probes.model import MAIL_ROLES, WEB_ROLES, Cause, Endpoint, Measurement, Metric, Unmeasured, Value
from probes.offers import (
    CHUNK,
    Accepted,
    Hellos,
    candidate_groups,
    decided,
    ended,
    hybrid_groups,
    undecided,
    weak_families,
)
from probes.sslv2 import Error2, ServerHello2, ask_sslv2

if TYPE_CHECKING:
    from probes.network import Network, TLSSession

Order = Literal["client", "mixed", "server"]

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
        levels=("client", "mixed", "server"),
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

_TLS_CAUSES = frozenset({Cause.TLS_ALERT, Cause.TLS_HANDSHAKE_ERROR, Cause.TLS_CLIENT_UNSUPPORTED})
"""A handshake that ended like this reached a TLS server, or what should be one: hellos may still learn its versions."""

_ANSWERS_TLS = frozenset({Cause.TLS_ALERT, Cause.TLS_CLIENT_UNSUPPORTED})
"""A handshake that ended like this was answered in the words of TLS."""

_FIRST: tuple[Version, ...] = ("TLSv1.2", "TLSv1.1")
"""Maxima of the first two hellos: what nearly every server has, and what it should no longer have."""

_SUITE_REFUSED = frozenset({"handshake_failure", "insufficient_security"})
_SSLV2_REFUSED = _SUITE_REFUSED | {"protocol_version"}
_OF_FLIGHT = (
    "tls.extended_master_secret", "tls.secure_renegotiation", "tls.compression", "tls.session_tickets", "tls.curve",
    "tls.key_exchange_hash",
)  # fmt: skip
_OF_EVERYTHING = ("tls.sslv2", "tls.server_order", "tls.suites", "tls.groups")
_ONLY_FULL = "takes many connections: measured at full depth only"
_ONE_VERSION = "the server accepts one version alone"
_NO_TLS_13 = "the server refuses TLS 1.3"
_ONLY_TLS_13 = "the server refuses TLS 1.2 and everything older"


@dataclasses.dataclass(slots=True)
class Versions:
    """What is known about each version: ``accepted[version]`` is True, False or not there yet. ``unknown``: why a
    hello did not decide its version. ``stopped``: why no more hellos could be sent."""

    accepted: dict[Version, bool] = dataclasses.field(default_factory=dict)
    unknown: dict[Version, Unmeasured] = dataclasses.field(default_factory=dict)
    stopped: Unmeasured | None = None
    answered: bool = False
    """Whether a hello was answered with a ServerHello."""
    internal_errors: set[Version] = dataclasses.field(default_factory=set)
    """Versions whose hello met ``internal_error`` from a server that had answered another."""
    refuses_so: bool = False
    """Whether ``internal_error`` is how this server refuses: it said so to two hellos."""
    heard: bool = False
    """Whether any hello was answered in the words of TLS."""
    flights: dict[Version, Flight] = dataclasses.field(default_factory=dict)
    """The answers that were a ServerHello, by the hello's maximum."""

    @property
    def seen(self) -> list[Version]:
        """The accepted versions, oldest first."""
        return [version for version in VERSIONS if self.accepted.get(version)]

    def learn(self, maximum: Version, answer: HelloAnswer) -> None:
        """Take the answer to a hello with this maximum. Raises ``Unmeasured`` when it shows nothing."""
        self.heard = self.heard or not isinstance(answer, Unreadable)
        match answer:
            case ServerHello(version=version):
                if CODES[version] > CODES[maximum]:
                    detail = f"{version} in answer to a hello of at most {maximum}"
                    raise Unmeasured(Cause.PROTOCOL_ERROR, detail)
                self.accepted[version] = self.answered = True
                self._refuse(CODES[version] + 1, CODES[maximum])
            case Alert(name="protocol_version"):
                # A server that was seen to accept an older version contradicts itself: then only what is newer is out.
                known = [CODES[version] for version in self.seen if CODES[version] <= CODES[maximum]]
                self._refuse(max(known) + 1 if known else 0, CODES[maximum])
            case Alert() if answer.name in _SUITE_REFUSED:
                self._refuse(CODES[maximum], CODES[maximum])
            case Alert(name="internal_error") if self.answered:
                self.refuses_so = self.refuses_so or bool(self.internal_errors)
                self.internal_errors.add(maximum)  # as long as it is alone, this version is asked once more
                for version in self.internal_errors if self.refuses_so else ():
                    self._refuse(CODES[version], CODES[version])
            case _:
                raise undecided(answer, f"a hello of at most {maximum}")

    def _refuse(self, lowest: int, highest: int) -> None:
        for version in VERSIONS:
            if lowest <= CODES[version] <= highest:
                self.accepted.setdefault(version, False)

    def next(self, at_most: int) -> list[Version]:
        """The maximum versions to try next, newest first, those to be asked again last; empty when there is nothing
        more to find out."""
        if self.stopped is not None:
            return []
        open_ = [version for version in reversed(VERSIONS) if version not in self.accepted]
        # Below an undecided version nothing can become certain any more, unless something older was seen already.
        oldest = CODES[self.seen[0]] if self.seen else CODES["TLSv1.3"] + 1
        undecided_below = [CODES[version] for version in self.unknown if CODES[version] < oldest]
        if undecided_below:
            open_ = [version for version in open_ if CODES[version] > max(undecided_below)]
        open_.sort(key=lambda version: version in self.internal_errors)
        return [version for version in open_ if version not in self.unknown][:at_most]

    @property
    def only_tls_13(self) -> bool:
        """Whether TLS 1.3 is accepted and everything older known to be refused."""
        return all(self.accepted.get(version) is (version == "TLSv1.3") for version in VERSIONS)

    @property
    def newest_up_to_12(self) -> Version | None:
        """The newest accepted version before TLS 1.3, as far as is known."""
        seen = [version for version in self.seen if version != "TLSv1.3"]
        return seen[-1] if seen else None

    def why_not(self, version: Version) -> Unmeasured:
        """Why it is not known whether a version is accepted."""
        others = [*self.unknown.values(), *([self.stopped] if self.stopped else [])]
        refused = Unmeasured(Cause.TLS_ALERT, f"the server refused a hello of at most {version}")
        return self.unknown.get(version) or (others[0] if others else refused)

    def measurements(self) -> list[Measurement]:
        """``tls.versions``, ``tls.oldest_version`` and ``tls.newest_version``, as far as the answers bear them."""
        return [
            self._measurement("tls.versions", VERSIONS, lambda seen: tuple(sorted(seen))),
            self._measurement("tls.oldest_version", self._up_to_seen(VERSIONS), lambda seen: seen[0]),
            self._measurement("tls.newest_version", self._up_to_seen(VERSIONS[::-1]), lambda seen: seen[-1]),
        ]

    def _up_to_seen(self, order: tuple[Version, ...]) -> tuple[Version, ...]:
        """The versions of ``order`` that must be decided for its first accepted one to be known."""
        accepted = [index for index, version in enumerate(order) if self.accepted.get(version)]
        return order[: accepted[0] + 1] if accepted else order

    def _measurement(
        self, metric: str, needed: tuple[Version, ...], value: Callable[[list[Version]], Value]
    ) -> Measurement:
        missing = [version for version in needed if version not in self.accepted]
        if not missing and self.seen:
            return Measurement(metric, value(self.seen))
        if not missing:
            return Measurement.missing(metric, Cause.TLS_ALERT, "the server refused every version, SSLv3 to TLSv1.3")
        reasons = [self.unknown[version] for version in reversed(missing) if version in self.unknown]
        reasons += [self.stopped] if self.stopped is not None else []
        reason = (reasons + list(self.unknown.values()))[0]
        refused = [version for version in VERSIONS if self.accepted.get(version) is False]
        detail = f"{reason.detail}; accepted: {', '.join(self.seen) or 'none seen'}"
        detail += f"; refused: {', '.join(refused)}" if refused else ""
        return Measurement.missing(metric, reason.cause, f"{detail}; not decided: {', '.join(missing)}")


# --- what is asked, in this order -------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class WeakFamilies:
    """``families``: weak families that are accepted. ``problem``: why there may be more; None when there are not."""

    families: set[ciphers.Family]
    problem: Unmeasured | None


@dataclasses.dataclass(slots=True)
class FirstHellos:
    """What is asked of every server. ``fallback``: whether the fallback signal is heeded."""

    hellos: Hellos
    session: TLSSession | Unmeasured
    versions: Versions
    weak: WeakFamilies
    hybrid: Accepted
    fallback: bool | Unmeasured

    @property
    def tls_13(self) -> bool | None:
        """Whether TLS 1.3 is accepted; None when that is not known."""
        return self.versions.accepted.get("TLSv1.3")


async def first_hellos(endpoint: Endpoint, network: Network) -> FirstHellos:
    """All hellos of standard depth, sent once and shared by every probe that asks. Who wants to connect when they are
    over awaits this.

    Raises ``Unmeasured`` when the endpoint cannot be reached, offers no TLS, or its TLS says nothing.
    """
    return await network.once("first hellos", lambda: _ask_first(endpoint, network))


async def hellos_over(endpoint: Endpoint, network: Network) -> None:
    """Wait until :func:`first_hellos` has ended, however it ended."""
    if has_tls(endpoint):
        try:
            await first_hellos(endpoint, network)
        except Unmeasured:
            return


async def _ask_first(endpoint: Endpoint, network: Network) -> FirstHellos:
    from probes.upgrade import conversation_so_far, handshake

    async def shake_hands() -> TLSSession | Unmeasured:
        try:
            return await handshake(endpoint, network)
        except Unmeasured as problem:
            return problem

    hellos = Hellos(endpoint, network)
    shaking = asyncio.create_task(shake_hands(), name=f"handshake of {endpoint.key}")
    try:
        one_by_one = endpoint.role == "mx"
        talk = await conversation_so_far(network) if endpoint.role in MAIL_ROLES and not one_by_one else None
        if talk is not None:
            await talk.listed.wait()
        if talk is None or talk.before is None or (endpoint.tls == "starttls" and not talk.starttls):
            session = await shaking
            if isinstance(session, Unmeasured) and session.cause not in _TLS_CAUSES:
                raise Unmeasured(session.cause, session.detail)
        return await _ask_of_tls(hellos, shaking, one_by_one=one_by_one)
    finally:
        shaking.cancel()


async def _ask_of_tls(
    hellos: Hellos, shaking: asyncio.Task[TLSSession | Unmeasured], *, one_by_one: bool
) -> FirstHellos:
    # The order in which these begin is the order in which they get connections where those are few.
    weak = asyncio.create_task(_find_weak(hellos))
    hybrid = None
    try:
        versions = await find_versions(hellos, shaking, one_by_one=one_by_one)
        session, found = await shaking, await weak
        heard = versions.heard or found.problem is None or found.problem.cause in (Cause.TLS_ALERT, Cause.NOT_PERMITTED)
        if isinstance(session, Unmeasured) and session.cause not in _ANSWERS_TLS and not heard:
            raise Unmeasured(session.cause, session.detail)
        hybrid = asyncio.create_task(_find_hybrid(hellos, versions))
        await asyncio.sleep(0)  # it takes its place before the next
        fallback = await _ask_fallback(hellos, versions)
        return FirstHellos(hellos, session, versions, found, await hybrid, fallback)
    finally:
        weak.cancel()
        if hybrid is not None:
            hybrid.cancel()


async def _find_weak(hellos: Hellos) -> WeakFamilies:
    return WeakFamilies(*await weak_families(hellos, "TLSv1.2", to_the_end=hellos.full))


async def _find_hybrid(hellos: Hellos, versions: Versions) -> Accepted:
    """The hybrid groups of a server that accepts TLS 1.3."""
    match versions.accepted.get("TLSv1.3"):
        case True:
            return await hybrid_groups(hellos, to_the_end=hellos.full)
        case False if versions.seen:
            return Accepted(problem=Unmeasured(Cause.NOT_APPLICABLE, _NO_TLS_13))
    return Accepted(problem=versions.why_not("TLSv1.3"))


async def find_versions(
    hellos: Hellos, shaking: asyncio.Task[TLSSession | Unmeasured], *, one_by_one: bool
) -> Versions:
    """Ask until every version is decided or nothing more can be learnt. ``shaking``: the full handshake, whose version
    counts; the first hellos do not wait for it, unless all go ``one_by_one``."""
    versions = Versions()
    await _send(hellos, versions, _FIRST[:1] if one_by_one else _FIRST)
    session = await shaking
    if isinstance(session, Unmeasured):
        if session.cause not in _ANSWERS_TLS and not versions.heard:
            return versions
    elif (negotiated := next((each for each in VERSIONS if each == session.version), None)) is not None:
        versions.accepted[negotiated] = True
    at_once = 1 if one_by_one or isinstance(session, Unmeasured) else 2
    while maxima := versions.next(at_once):
        await _send(hellos, versions, maxima)
    return versions


async def _send(hellos: Hellos, versions: Versions, maxima: Sequence[Version]) -> None:
    """Send hellos with these maxima, and take in what their answers show."""

    async def attempt(maximum: Version) -> FlightAnswer | Unmeasured | None:
        try:
            return await hellos.ask(maximum, compress=maximum == "TLSv1.2")
        except Unmeasured as reason:  # refused, throttled, out of time: whatever keeps us out keeps the next one out
            versions.stopped = versions.stopped or reason
            return None

    answers = await asyncio.gather(*(attempt(maximum) for maximum in maxima))
    for maximum, answer in zip(maxima, answers, strict=True):
        if isinstance(answer, Unmeasured):
            versions.unknown[maximum] = answer
            continue
        if answer is None:
            continue
        if isinstance(answer, Flight):
            versions.flights[maximum] = answer
        try:
            versions.learn(maximum, answer.hello if isinstance(answer, Flight) else answer)
        except Unmeasured as reason:
            versions.unknown[maximum] = reason


async def _ask_fallback(hellos: Hellos, versions: Versions) -> bool | Unmeasured:
    """Whether a hello of the second newest version that says it is a fallback is refused. A place is kept for the other
    kind of certificate, which tells more."""
    seen = versions.seen
    if len(seen) < 2:
        unknown = [version for version in VERSIONS if version not in versions.accepted]
        if unknown or not seen:
            return versions.why_not(unknown[-1] if unknown else "TLSv1.2")
        return Unmeasured(Cause.NOT_APPLICABLE, _ONE_VERSION)
    try:
        hellos.require(2)
        answer = await hellos.ask(seen[-2], "as a fallback", fallback=True)
    except Unmeasured as problem:
        return problem
    if isinstance(answer, Alert) and answer.name == "inappropriate_fallback":
        return True
    return False if isinstance(answer, Flight) else undecided(answer, f"a hello of {seen[-2]} as a fallback")


# --- what is asked at full depth --------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Everything:
    """What full depth adds; each is a value or why there is none."""

    sslv2: bool | Unmeasured
    dh_bits: int | Unmeasured
    groups: Accepted
    suites: Accepted
    order: Order | Unmeasured


async def _ask_everything(first: FirstHellos) -> Everything:
    """Small questions first, so that a long list of suites, should it meet our limit, takes nothing from them."""
    hellos, versions = first.hellos, first.versions
    sslv2 = await _ask_sslv2(hellos)
    dh_bits = await _ask_prime(hellos, versions)
    groups = await _find_groups(first)
    suites, older = await _find_suites(first)
    order = suites.problem or await _ask_order(hellos, versions, suites.found, older)
    return Everything(sslv2, dh_bits, groups, suites, order)


async def _ask_sslv2(hellos: Hellos) -> bool | Unmeasured:
    try:
        hellos.require()
        hellos.sent += 1
        answer = await ask_sslv2(hellos.endpoint, hellos.network)
    except Unmeasured as problem:
        return problem
    if isinstance(answer, Unmeasured):
        return Unmeasured(answer.cause, f"{answer.detail} in answer to a hello of SSL 2.0")
    if isinstance(answer, ServerHello2):
        return True
    if isinstance(answer, Error2) or (isinstance(answer, Alert) and answer.name in _SSLV2_REFUSED):
        return False
    return undecided(answer, "a hello of SSL 2.0")


async def _ask_prime(hellos: Hellos, versions: Versions) -> int | Unmeasured:
    """The size of the prime, seen when nothing but finite-field Diffie-Hellman is offered, and no group of RFC 7919:
    then the server uses its own."""
    maximum = versions.newest_up_to_12
    if maximum is None:
        return _why_nothing_older(versions)
    offer = [each for each in ciphers.candidates(False) if ciphers.key_exchange(each) in ("DHE_RSA", "DHE_DSS")]
    asked = f"a hello of at most {maximum} (finite-field Diffie-Hellman alone)"
    try:
        answer = await hellos.ask(
            maximum, "finite-field Diffie-Hellman alone", offer=offer[:CHUNK], groups=candidate_groups("TLSv1.2")
        )
        flight = decided(answer, asked)
    except Unmeasured as problem:
        return problem
    if flight is None:
        return Unmeasured(Cause.NOT_APPLICABLE, "the server refuses every suite with finite-field Diffie-Hellman")
    return _prime(flight) or ended(flight, asked) or Unmeasured(Cause.PROTOCOL_ERROR, f"no prime in answer to {asked}")


async def _find_groups(first: FirstHellos) -> Accepted:
    """The groups of TLS 1.3, and then those that TLS 1.2 or an older version has besides."""
    hellos, versions = first.hellos, first.versions
    if first.tls_13 is None:
        return Accepted(problem=versions.why_not("TLSv1.3"))
    accepted = Accepted()
    if first.tls_13:
        accepted = await hellos.all_groups("TLSv1.3", candidate_groups("TLSv1.3"), first.hybrid.found)
    if accepted.problem is None and versions.newest_up_to_12 is not None:
        curves = candidate_groups(versions.newest_up_to_12)
        accepted = await hellos.all_groups(versions.newest_up_to_12, curves, accepted.found)
    elif accepted.problem is None and not versions.only_tls_13:
        accepted.problem = versions.why_not("TLSv1.2")
    return accepted


async def _find_suites(first: FirstHellos) -> tuple[Accepted, list[int]]:
    """The suites of every accepted version, newest first, each asked for what the newer ones have not shown; and those
    of the newest version up to TLS 1.2 apart."""
    hellos, versions = first.hellos, first.versions
    every = Accepted()
    newest: list[int] = []
    for version in reversed(versions.seen):
        modern = version == "TLSv1.3"
        candidates = ciphers.candidates(modern, before_tls12=CODES[version] < CODES["TLSv1.2"])
        known = [suite for suite in candidates if suite in hellos.chosen and suite not in every.found]
        rest = [suite for suite in candidates if suite not in every.found]
        accepted = await hellos.all_suites(version, rest, known)
        every.found += accepted.found
        newest = newest or ([] if modern else list(accepted.found))
        every.problem = every.problem or accepted.problem
        if every.problem is not None:
            break
    unknown = [version for version in VERSIONS if version not in versions.accepted]
    if every.problem is None and (unknown or not versions.seen):
        every.problem = versions.why_not(unknown[-1] if unknown else "TLSv1.3")
    return every, newest


async def _ask_order(
    hellos: Hellos, versions: Versions, found: Sequence[int], older: Sequence[int]
) -> Order | Unmeasured:
    """Offer all that is accepted, and then the same in reverse. ChaCha20 is left out: some servers put it first for
    clients that do, whatever their order is."""
    version = versions.newest_up_to_12
    offers: list[tuple[Version, Sequence[int]]] = [] if version is None else [(version, older)]
    offers += [("TLSv1.3", [suite for suite in found if suite in ciphers.registered(True)])]
    for maximum, suites in offers:
        offer = [suite for suite in suites if "CHACHA20" not in ciphers.name(suite)][:CHUNK]
        if len(offer) < 2:
            continue
        try:
            first = await hellos.choose_suite(maximum, offer, "all accepted suites")
            second = await hellos.choose_suite(maximum, offer[::-1], "all accepted suites in reverse")
        except Unmeasured as problem:
            return problem
        if first is None or second is None:
            return Unmeasured(Cause.PROTOCOL_ERROR, "the server refused suites that it had accepted one by one")
        if first.hello.suite == second.hello.suite:
            return "server"
        return "client" if (first.hello.suite, second.hello.suite) == (offer[0], offer[-1]) else "mixed"
    return Unmeasured(Cause.NOT_APPLICABLE, "the server accepts no two suites that there could be an order of")


# --- what the answers mean --------------------------------------------------------------------------------------------


def _measured(metric: str, value: Value | Unmeasured, detail: str = "") -> Measurement:
    if isinstance(value, Unmeasured):
        return Measurement.missing(metric, value.cause, value.detail)
    return Measurement(metric, value, detail=detail)


def _why_nothing_older(versions: Versions) -> Unmeasured:
    """Why nothing is known of a version before TLS 1.3."""
    if versions.only_tls_13:
        return Unmeasured(Cause.NOT_APPLICABLE, _ONLY_TLS_13)
    unknown = [version for version in VERSIONS[:-1] if version not in versions.accepted]
    return versions.why_not(unknown[-1] if unknown else "TLSv1.2")


def _prime(flight: Flight) -> int | None:
    exchange = flight.key_exchange
    return exchange.bits if exchange is not None and exchange.kind == "finite_field" else None


def _of_flight(first: FirstHellos) -> list[Measurement]:
    """What the answer to the hello of at most TLS 1.2 shows."""
    versions = first.versions
    flight = versions.flights.get("TLSv1.2")
    if flight is None:
        problem = _why_nothing_older(versions)
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
    if not isinstance(first.session, Unmeasured):
        seen |= {number for number in _numbers() if ciphers.name(number) == first.session.cipher}
    problem: Unmeasured | None = Unmeasured(Cause.NOT_PERMITTED, f"the list of cipher suites {_ONLY_FULL}")
    if everything is not None:
        seen |= set(everything.suites.found)
        problem = everything.suites.problem
    elif "TLSv1.2" not in versions.flights:
        problem = _why_nothing_older(versions)
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


def _numbers() -> list[int]:
    return [*ciphers.registered(False), *ciphers.registered(True)]


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
    prime = _prime(flight) if flight is not None else None
    if everything is None:
        asked = Unmeasured(Cause.NOT_PERMITTED, f"taking an offer apart {_ONLY_FULL}")
        bits: int | Unmeasured = _why_nothing_older(first.versions) if first.versions.newest_up_to_12 is None else asked
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
        everything = await _ask_everything(first) if first.hellos.full else None
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
