"""Which TLS versions a server accepts, found out by hand-made ClientHellos with different maxima.

What is evidence of a version (RFC 5246 appendix E.1, RFC 8446 §4.1.3 and appendix D):

=========================================================  ==================================================
answer to a hello whose maximum is X                        it shows
=========================================================  ==================================================
ServerHello with version Y                                  Y is accepted; nothing in (Y, X] is
alert ``protocol_version``                                  nothing up to X is accepted
alert ``handshake_failure`` or ``insufficient_security``    X is not accepted (with any suite we know)
alert ``internal_error``, confirmed (see below)             X is not accepted
close or reset, shown to be how it refuses (see below)      nothing up to X is accepted
any other alert, close, reset, silence, anything else       nothing: the version stays unknown, with a cause
=========================================================  ==================================================

OpenSSL 3 answers a hello of TLS 1.1 or older with ``internal_error`` when its security level leaves it no signature
algorithm for them, which is the default of many mail and web servers. One such alert is a fault like any other; from a
server that has answered another hello with a ServerHello, and that gives the same alert to a second hello (the next
older one, which has to be sent anyway, or the same again), it is a refusal of both.

Dovecot 2.3 hangs up without the alert ``protocol_version``. From a server that hangs up on the same hello again, all
alone, and answers another right after that, it is a refusal (``probes.offers.Hellos.learn_refusal``): a server has to
agree to the newest version that it knows up to the hello's (RFC 5246 appendix E.1), so that it knows none of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from probes.flight import Flight, FlightAnswer, HungUp
from probes.hello import CODES, VERSIONS, Alert, HelloAnswer, ServerHello, Unreadable, Version
from probes.model import Cause, Measurement, Unmeasured, Value
from probes.offers import REFUSED, Hellos, undecided

if TYPE_CHECKING:
    from probes.network import TLSSession

ANSWERS_TLS = frozenset({Cause.TLS_ALERT, Cause.TLS_CLIENT_UNSUPPORTED})
"""A handshake that ended like this was answered in the words of TLS."""

_FIRST: tuple[Version, ...] = ("TLSv1.2", "TLSv1.1")
"""Maxima of the first two hellos: what nearly every server has, and what it should no longer have."""


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
            case Alert() if answer.name in REFUSED:
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
    def hung_up_on(self) -> Version | None:
        """The newest version whose hello the server hung up on; None for none."""
        cut = [version for version in VERSIONS if isinstance(self.unknown.get(version), HungUp)]
        return cut[-1] if cut else None

    def take_hanging_up_for_refusal(self) -> None:
        """Hanging up has turned out to be how this server refuses."""
        version = self.hung_up_on
        if version is None:
            return
        known = [CODES[each] for each in self.seen if CODES[each] <= CODES[version]]
        self._refuse(max(known) + 1 if known else 0, CODES[version])
        self.unknown = {each: why for each, why in self.unknown.items() if each not in self.accepted}

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

    def why_nothing_older(self) -> Unmeasured:
        """Why nothing is known of a version before TLS 1.3: it may be that there is none."""
        if self.only_tls_13:
            return Unmeasured(Cause.NOT_APPLICABLE, "the server refuses TLS 1.2 and everything older")
        unknown = [version for version in VERSIONS[:-1] if version not in self.accepted]
        return self.why_not(unknown[-1] if unknown else "TLSv1.2")

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


async def find_versions(
    hellos: Hellos, shaking: asyncio.Task[TLSSession | Unmeasured], *, one_by_one: bool
) -> Versions:
    """Ask until every version is decided or nothing more can be learnt. ``shaking``: the full handshake, whose version
    counts; the first hellos do not wait for it, unless all go ``one_by_one``."""
    versions = Versions()
    await _send(hellos, versions, _FIRST[:1] if one_by_one else _FIRST)
    session = await shaking
    if isinstance(session, Unmeasured):
        if session.cause not in ANSWERS_TLS and not versions.heard:
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
