"""How the times of an endpoint are distributed: percentiles over every connection that was made to it.

At standard depth no connection is made for this: the conversations, handshakes and requests of the other probes are
timed as they go by (``Network.samples``), so this probe waits until they are done. At full depth further connections
follow, one at a time, until each step has 20 samples. Only steps that went well count: how long a failure takes is our
own time-out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from probes.model import MAIL_ROLES, WEB_ROLES, Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.network import FULL_DEPTH_ONLY

if TYPE_CHECKING:
    from probes.network import Network, Sample, SampledStep

FEWEST_FOR_P95 = 5
"""Samples below which there is no 95th percentile."""
FULL_DEPTH_SAMPLES = 20
"""Samples of each step that are wanted at full depth: from so many on the 95th percentile is no longer the maximum."""
_TIME_TO_STOP = 2.0  # seconds before the deadline at which no further sample is begun

_EVERY = MAIL_ROLES | WEB_ROLES
_WITH_FIRST_COMMAND: frozenset[Role] = MAIL_ROLES - {"sieve"}  # ManageSieve lists capabilities in its greeting

STEPS: dict[SampledStep, tuple[str, frozenset[Role], str]] = {
    "connect": ("the TCP handshake", _EVERY, "RFC 9293 §3.5"),
    "greeting": (
        "the wait for a greeting that welcomes us, from the open connection (with implicit TLS: from the finished "
        "handshake)",
        MAIL_ROLES,
        "RFC 5321 §4.3.2",
    ),
    "reply": (
        "the wait for the reply to the first command (EHLO, CAPABILITY, CAPA), which costs the server no more than a "
        "look at its settings",
        _WITH_FIRST_COMMAND,
        "RFC 5321 §4.1.1.1",
    ),
    "handshake": ("a full TLS handshake, from our ClientHello to our Finished", _EVERY, "RFC 8446 §2"),
    "response": (
        "the wait for response headers, from the request on an open connection",
        WEB_ROLES,
        "RFC 9110 §3.4",
    ),
}
"""Step → what it is, where it is measured, and its definition."""


def _percentiles(step: SampledStep, what: str, roles: frozenset[Role], reference: str) -> tuple[Metric, ...]:
    return (
        Metric(
            f"latency.{step}_p50_ms",
            "number",
            f"Median time of {what}, over all such steps of this run that went well; the detail says how many.",
            unit="ms",
            reference=reference,
            roles=roles,
        ),
        Metric(
            f"latency.{step}_p95_ms",
            "number",
            f"95th percentile of the time of {what}: the shortest time that 95 of 100 samples do not exceed (nearest "
            f"rank), which below {FULL_DEPTH_SAMPLES} samples is the longest. There is no value below "
            f"{FEWEST_FOR_P95} samples.",
            unit="ms",
            reference=reference,
            roles=roles,
        ),
    )


METRICS: tuple[Metric, ...] = (
    Metric(
        "latency.samples",
        "integer",
        "Connections to the endpoint's host and port that came about and were timed, over all its addresses; the "
        f"percentiles rest on them. At standard depth those that other probes make anyway, at full depth at least "
        f"{FULL_DEPTH_SAMPLES} where our manners allow.",
    ),
    *(metric for step, about in STEPS.items() for metric in _percentiles(step, *about)),
)


def median(values: Sequence[float]) -> float:
    """The median of at least one value; between two in the middle, their mean."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The smallest of at least one value that at least ``percent`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def place_of(endpoint: Endpoint) -> tuple[str, int]:
    """Host and port of a mail or web endpoint. ``Unmeasured(not_applicable)`` for what is no URL."""
    if endpoint.role in MAIL_ROLES:
        return endpoint.host, endpoint.port
    from probes.addresses import split_url

    try:
        _, host, port, _ = split_url(endpoint.url)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_APPLICABLE, str(error)) from None
    return host, port


async def _reached(endpoint: Endpoint, network: Network) -> None:
    """Wait for what every run makes of this endpoint; it raises ``Unmeasured`` when nothing was reached at all."""
    host, port = place_of(endpoint)
    if endpoint.role in MAIL_ROLES:
        from probes.upgrade import conversation

        talk = await conversation(endpoint, network)
        if talk.connect_ms is None:
            raise talk.why()
        return
    from probes.http import page

    try:
        await page(endpoint, network)
    except Unmeasured:
        if None not in network.attempts(host, port).values():
            raise


async def _why_not(step: SampledStep, endpoint: Endpoint, network: Network) -> Unmeasured:
    """Why an endpoint that takes connections has no sample of this step."""
    try:
        if step == "handshake":
            from probes.upgrade import handshake

            await handshake(endpoint, network)
        elif step == "response":
            from probes.http import page

            await page(endpoint, network)
        else:
            from probes.upgrade import conversation

            talk = await conversation(endpoint, network)
            return talk.tls_failure if endpoint.tls == "implicit" and talk.tls_failure else talk.why()
    except Unmeasured as reason:
        return reason
    return Unmeasured(Cause.PROTOCOL_ERROR, f"no connection got as far as the {step}")


async def _more_samples(endpoint: Endpoint, network: Network, steps: Sequence[SampledStep]) -> Unmeasured | None:
    """Make connections, one at a time, until every step has enough samples; what kept us from it, if anything did."""
    host, port = place_of(endpoint)
    for _ in range(FULL_DEPTH_SAMPLES):
        samples = _of_place(network, host, port)
        counts = [sum(each.step == step for each in samples) for step in steps]
        if min(counts) >= FULL_DEPTH_SAMPLES:
            return None
        if network.remaining < _TIME_TO_STOP:
            return Unmeasured(Cause.DEADLINE_EXCEEDED, "the deadline left no time for more samples")
        try:
            if endpoint.role in MAIL_ROLES:
                await _one_more_conversation(endpoint, network)
            else:
                await network.http(endpoint.url)
        except Unmeasured as reason:
            return reason
    return None


async def _one_more_conversation(endpoint: Endpoint, network: Network) -> None:
    """From the connection to the last step that can be timed, and goodbye."""
    from probes.conversation import leftover_bytes
    from probes.upgrade import dialogue_of

    async with await network.dial(endpoint.host, endpoint.port) as connection:
        dialogue = dialogue_of(endpoint)(connection, network)
        if endpoint.tls == "implicit":
            await connection.start_tls(endpoint.host)
        async with dialogue.greeted():
            capabilities = await dialogue.capabilities()
            dialogue.sample_first_reply()
            upgrades = endpoint.tls == "starttls" and dialogue.upgrade in capabilities
            if upgrades and await dialogue.request_tls() is None and not await leftover_bytes(connection):
                await connection.start_tls(endpoint.host)
        await dialogue.leave()


def _of_place(network: Network, host: str, port: int) -> list[Sample]:
    return [each for each in network.samples if (each.host.lower(), each.port) == (host.lower(), port)]


def _measured(step: SampledStep, samples: Sequence[Sample], few: Unmeasured) -> list[Measurement]:
    times = [each.ms for each in samples]
    addresses = len({each.address for each in samples})
    over = f" over {addresses} addresses" if addresses > 1 else ""
    detail = f"{len(times)} sample{'' if len(times) == 1 else 's'}{over}"
    found = [Measurement(f"latency.{step}_p50_ms", round(median(times), 3), detail=detail)]
    if len(times) >= FEWEST_FOR_P95:
        return [*found, Measurement(f"latency.{step}_p95_ms", round(nearest_rank(times, 95), 3), detail=detail)]
    return [*found, Measurement.missing(f"latency.{step}_p95_ms", few.cause, f"{detail}; {few.detail}")]


class LatencyProbe:
    """Percentiles of the times of each step. Measured last: it looks at what the other probes' connections took."""

    name = "latency"
    roles = _EVERY
    metrics = METRICS
    last = True

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS`` that apply, or ``Unmeasured`` when no connection came about."""
        await _reached(endpoint, network)
        steps = [step for step, (_, roles, _) in STEPS.items() if endpoint.role in roles]
        host, port = place_of(endpoint)
        few = Unmeasured(
            Cause.NOT_PERMITTED, f"connections for the sake of {FEWEST_FOR_P95} samples: {FULL_DEPTH_ONLY}"
        )
        missing: dict[SampledStep, Unmeasured] = {}
        for step in steps:
            if not any(each.step == step for each in _of_place(network, host, port)):
                missing[step] = await _why_not(step, endpoint, network)
        if network.options.depth == "full":
            stopped = await _more_samples(endpoint, network, [step for step in steps if step not in missing])
            few = stopped or Unmeasured(Cause.PROTOCOL_ERROR, f"{FULL_DEPTH_SAMPLES} attempts brought no more")
        found: list[Measurement] = []
        samples = _of_place(network, host, port)
        for step in steps:
            of_step = [each for each in samples if each.step == step]
            if of_step:
                found += _measured(step, of_step, few)
            else:
                reason = missing[step]
                found += [
                    Measurement.missing(f"latency.{step}_{which}_ms", reason.cause, reason.detail)
                    for which in ("p50", "p95")
                ]
        return [Measurement("latency.samples", sum(each.step == "connect" for each in samples)), *found]
