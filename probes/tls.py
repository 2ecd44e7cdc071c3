"""Which TLS versions a server accepts, and what one full handshake negotiated.

The versions come from hand-made ClientHellos (``probes.hello``) with a falling maximum, so that the limits of our own
TLS library shape no answer. Suite, group and time come from the endpoint's one shared handshake.

Connections, besides that handshake: at most five (one for each version, when the server's every answer decides only
one) and a sixth to confirm a refusal (see below), two for a server that speaks TLS 1.3 and 1.2 or TLS 1.2 alone. Two
hellos are under way at once, on ``mx`` and after a failed handshake one.

What is evidence (RFC 5246 appendix E.1, RFC 8446 §4.1.3 and appendix D):

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
server that has answered another hello with a ServerHello, and that gives the same alert when asked again, it is a
refusal.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from probes.certificate import has_tls, host_of
from probes.hello import (
    CODES,
    VERSIONS,
    Alert,
    AnswerReader,
    HelloAnswer,
    HelloError,
    ServerHello,
    Version,
    client_hello,
)
from probes.model import MAIL_ROLES, WEB_ROLES, Cause, Endpoint, Measurement, Metric, Unmeasured, Value
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Connection, Network, TLSSession

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
)

_TLS_CAUSES = frozenset({Cause.TLS_ALERT, Cause.TLS_HANDSHAKE_ERROR, Cause.TLS_CLIENT_UNSUPPORTED})
"""A handshake that ended like this reached a TLS server, or what should be one: hellos may still learn its versions."""

_CAUSES = {
    "plaintext": Cause.TLS_HANDSHAKE_ERROR,
    "garbage": Cause.PROTOCOL_ERROR,
    "too_long": Cause.REPLY_TOO_LONG,
}
_SUITE_REFUSED = frozenset({"handshake_failure", "insufficient_security"})
_ANSWER_BYTES = 4096


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
    """Whether ``internal_error`` is how this server refuses: it said so twice to the same hello."""

    @property
    def seen(self) -> list[Version]:
        """The accepted versions, oldest first."""
        return [version for version in VERSIONS if self.accepted.get(version)]

    def learn(self, maximum: Version, answer: HelloAnswer) -> None:
        """Take the answer to a hello with this maximum. Raises ``Unmeasured`` when it shows nothing."""
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
                if maximum in self.internal_errors or self.refuses_so:
                    self.refuses_so = True
                    self._refuse(CODES[maximum], CODES[maximum])
                self.internal_errors.add(maximum)  # undecided, so it is asked once more
            case Alert():
                raise Unmeasured(Cause.TLS_ALERT, f"{answer.name} in answer to a hello of at most {maximum}")
            case _:
                cause = _CAUSES[answer.kind]
                shown = f": {printable(answer.excerpt, 60)!r}" if answer.excerpt else ""
                detail = f"{answer.why} in answer to a hello of at most {maximum}{shown}"
                raise Unmeasured(cause, detail)

    def _refuse(self, lowest: int, highest: int) -> None:
        for version in VERSIONS:
            if lowest <= CODES[version] <= highest:
                self.accepted.setdefault(version, False)

    def next(self, at_most: int) -> list[Version]:
        """The maximum versions to try next, newest first; empty when there is nothing more to find out."""
        if self.stopped is not None:
            return []
        open_ = [version for version in reversed(VERSIONS) if version not in self.accepted]
        # Below an undecided version nothing can become certain any more, unless something older was seen already.
        oldest = CODES[self.seen[0]] if self.seen else CODES["TLSv1.3"] + 1
        if any(CODES[version] < oldest for version in self.unknown):
            open_ = [version for version in open_ if CODES[version] > oldest]
        return [version for version in open_ if version not in self.unknown][:at_most]

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


async def _ask(endpoint: Endpoint, network: Network, maximum: Version) -> HelloAnswer | Unmeasured:
    """Send one hello on a connection of its own and read the answer; the reason when none came. Raises ``Unmeasured``
    when no hello could be sent, which is no answer about this version."""
    from probes.upgrade import ready_for_tls

    connection = await ready_for_tls(endpoint, network)
    try:
        return await _exchange(connection, network, client_hello(maximum, host_of(endpoint)), maximum)
    except HelloError as error:
        raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, str(error)) from None
    finally:
        await connection.close()


async def _exchange(
    connection: Connection, network: Network, hello: bytes, maximum: Version
) -> HelloAnswer | Unmeasured:
    reader = AnswerReader()
    answer: HelloAnswer | None = None
    loop = asyncio.get_running_loop()
    until = loop.time() + network.options.limits.read_timeout  # for the whole answer, however it trickles in
    try:
        await connection.send(hello, shown=f"(ClientHello of at most {maximum})")
        while answer is None:
            data = await connection.receive(_ANSWER_BYTES, max(0.0, until - loop.time()))
            if not data:
                shown = f"only a warning {reader.warning.name}" if reader.warning else "without an alert"
                after = f" after {reader.received} bytes" if reader.received else ""
                detail = f"closed {shown}{after} in answer to a hello of at most {maximum}"
                reason = Unmeasured(Cause.CONNECTION_RESET, detail)
                network.note(detail, connection.number)
                return reason
            answer = reader.feed(data)
    except Unmeasured as reason:
        detail = f"{reason.detail} (a hello of at most {maximum})"
        network.note(detail, connection.number)
        return Unmeasured(reason.cause, detail)
    network.note(_shown(answer), connection.number)
    return answer


def _shown(answer: HelloAnswer) -> str:
    """An answer as a line of the transcript."""
    match answer:
        case ServerHello():
            kind = "HelloRetryRequest" if answer.retry else "ServerHello"
            return f"{kind} {answer.version}, suite 0x{answer.suite:04X}"
        case Alert():
            return f"alert {answer.name}"
        case _:
            return f"{answer.why}: {printable(answer.excerpt, 60)}"


async def find_versions(endpoint: Endpoint, network: Network, negotiated: str, *, at_once: int) -> Versions:
    """Ask until every version is decided or nothing more can be learnt. ``negotiated``: the version of a full
    handshake, "" when there was none. ``at_once``: how many hellos may be under way."""
    versions = Versions()
    for version in VERSIONS:
        if negotiated in (version, version.removesuffix(".0")):  # OpenSSL says TLSv1 for TLS 1.0
            versions.accepted[version] = True

    async def attempt(maximum: Version) -> HelloAnswer | Unmeasured | None:
        try:
            return await _ask(endpoint, network, maximum)
        except Unmeasured as reason:  # refused, throttled, out of time: whatever keeps us out keeps the next one out
            versions.stopped = reason
            return None

    while maxima := versions.next(at_once):
        answers = await asyncio.gather(*(attempt(maximum) for maximum in maxima))
        for maximum, answer in zip(maxima, answers, strict=True):
            if isinstance(answer, Unmeasured):
                versions.unknown[maximum] = answer
            elif answer is not None:
                try:
                    versions.learn(maximum, answer)
                except Unmeasured as reason:
                    versions.unknown[maximum] = reason
    return versions


def _of_handshake(session: TLSSession) -> list[Measurement]:
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
    """Version matrix by hand-made hellos; suite, group and time of the shared handshake."""

    name = "tls"
    roles = MAIL_ROLES | WEB_ROLES
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, or ``Unmeasured`` when the endpoint cannot be reached or offers no TLS."""
        from probes.upgrade import handshake

        if not has_tls(endpoint):
            raise Unmeasured(Cause.NOT_APPLICABLE, "this endpoint is without TLS")
        try:
            session = await handshake(endpoint, network)
        except Unmeasured as reason:
            if reason.cause not in _TLS_CAUSES:
                raise
            versions = await find_versions(endpoint, network, "", at_once=1)
            keys = ("tls.cipher", "tls.group", "tls.handshake_ms")
            return versions.measurements() + [Measurement.missing(key, reason.cause, reason.detail) for key in keys]
        at_once = 1 if endpoint.role == "mx" else 2
        versions = await find_versions(endpoint, network, session.version, at_once=at_once)
        return versions.measurements() + _of_handshake(session)
