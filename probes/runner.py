"""From a target to a report: which probes, on which hosts, each guarded from the others' faults."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import math
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import probes as package
from probes import registry
from probes.addresses import host_name, is_localhost, literal, split_url
from probes.connection import now
from probes.model import (
    DEFAULT_PORTS,
    MAIL_ROLES,
    Cause,
    Endpoint,
    Measurement,
    Metric,
    Probe,
    Report,
    Role,
    TLSMode,
    Unmeasured,
)
from probes.network import FULL_DEPTH_ONLY, NOT_OWN_SERVER, Network, Options, Surroundings, purpose
from probes.replies import printable, quoted

if TYPE_CHECKING:
    from probes.recording import Tape, Tapes

MX_HOSTS = 3
"""How many MX hosts of a domain are probed: the most preferred ones."""
MX_HOSTS_FULL = 16
"""How many at full depth: all of them, but for a domain that lists more than anybody needs."""

_GRACE = 1.0  # seconds beyond the network's deadline after which a probe that ignores it is stopped

_SCHEMES: dict[str, tuple[Role, TLSMode]] = {
    "smtp": ("submission", "starttls"),
    "submission": ("submission", "starttls"),
    "smtps": ("submission", "implicit"),
    "submissions": ("submission", "implicit"),
    "mx": ("mx", "starttls"),
    "imap": ("imap", "starttls"),
    "imaps": ("imap", "implicit"),
    "pop3": ("pop3", "starttls"),
    "pop3s": ("pop3", "implicit"),
    "sieve": ("sieve", "starttls"),
}
SCHEMES = (*_SCHEMES, "dns", "https", "http")
"""The URL schemes that :func:`parse_target` takes."""


def parse_target(url: str) -> Endpoint:
    """The endpoint that a URL names.

    ``smtp://host[:587]`` (STARTTLS; also ``submission://``), ``smtps://host[:465]``, ``imap://``, ``imaps://``,
    ``pop3://``, ``pop3s://``, ``sieve://``, ``mx://domain[:25]`` (its MX hosts; an IP address or localhost is the
    host itself), ``dns://domain``, ``https://…`` and ``http://…`` (role ``web``). IPv6 addresses stand in brackets.

    Raises ``ValueError`` with a sentence for people.
    """
    shown = quoted(re.sub(r"//[^/]*@", "//", url), 100)  # never with a password in it
    scheme, separator, _ = url.strip().partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise ValueError(f"{shown} begins with none of {known}")
    if scheme in ("http", "https"):
        split_url(url.strip())
        return Endpoint("web", url=url.strip())
    host, port = _host_and_port(url.strip(), shown, scheme)
    if scheme == "dns":
        if port is not None or literal(host) is not None:
            raise ValueError(f"{shown}: dns:// takes a domain and nothing else; --resolver sets whom to ask")
        return Endpoint("domain", domain=host)
    role, tls = _SCHEMES[scheme]
    port = port or DEFAULT_PORTS[role, tls]
    if role == "mx" and literal(host) is None and not is_localhost(host):
        return Endpoint(role, port=port, tls=tls, domain=host)
    return Endpoint(role, host=host, port=port, tls=tls)


def _host_and_port(url: str, shown: str, scheme: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"{shown}: the IPv6 address in brackets is not valid") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{shown}: a user name or password has no place here; nobody is logged in")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{shown}: nothing may follow the host and port")
    port = _port(parts, shown)
    host = parts.hostname or ""
    if not host:
        raise ValueError(f"{shown} names no {'domain' if scheme in ('dns', 'mx') else 'host'}")
    address = literal(host)
    if address is not None:
        return str(address), port
    try:
        return host_name(host), port
    except ValueError as error:
        raise ValueError(f"{shown}: {quoted(host, 80)} is no host name: {error}") from None


def _port(parts: SplitResult, shown: str) -> int | None:
    if parts.netloc.count(":") > 1 and not parts.netloc.startswith("["):
        raise ValueError(f"{shown}: an IPv6 address stands in brackets, as in smtp://[2001:db8::1]:587")
    if parts.netloc.endswith(":"):
        raise ValueError(f"{shown}: the port after the colon is missing")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"{shown}: the port must be a number from 1 to 65535")
    return port


async def expand(endpoint: Endpoint, network: Network, at_most: int = MX_HOSTS) -> tuple[Endpoint, ...]:
    """The hosts of an ``mx`` endpoint that names a domain, the most preferred first, without repetition; any other
    endpoint comes back as it is.

    A domain without MX records is its own mail host (RFC 5321 §5.1). Raises ``Unmeasured``: ``not_applicable`` for a
    null MX (RFC 7505), ``dns_nxdomain`` …
    """
    if endpoint.role != "mx" or endpoint.host:
        return (endpoint,)
    answer = await network.resolve(endpoint.domain, "MX")
    if not answer.exists:
        raise Unmeasured(Cause.DNS_NXDOMAIN, f"{printable(endpoint.domain, 255)} does not exist")
    records = []
    for record in answer.records:
        number, _, host = record.partition(" ")
        records.append((int(number), host.removesuffix(".").lower()))
    if records and all(not host for _, host in records):
        raise Unmeasured(Cause.NOT_APPLICABLE, "the domain takes no mail: it publishes a null MX (RFC 7505)")
    hosts = dict.fromkeys(host for _, host in sorted(records) if host) or {endpoint.domain: None}
    for preference, name in sorted(records):
        network.note(f"MX {preference} {name or '.'}")
    return tuple(dataclasses.replace(endpoint, host=host) for host in list(hosts)[:at_most])


async def probe_endpoint(
    endpoint: Endpoint,
    *,
    options: Options,
    surroundings: Surroundings | None = None,
    probes: Sequence[Probe] | None = None,
    started: datetime.datetime | None = None,
    tapes: Tapes | None = None,
) -> Report:
    """Run every applicable probe on one endpoint and report: exactly one measurement for each metric that applies,
    sorted by key. Raises nothing but ``CancelledError``, and ``RecordingError`` when ``Options.record_to`` asks for a
    recording that cannot be written.

    ``surroundings``: what the endpoints of one run share; None makes them for this one. ``probes``: only these; None
    for all that are registered. ``started``: None for now. ``tapes``: what is recorded or replayed goes through them.
    An ``mx`` endpoint that names a domain is reported on by its most preferred MX host, with the reports on up to
    ``MX_HOSTS`` - 1 others (at full depth ``MX_HOSTS_FULL`` - 1) in ``also``.
    """
    shared = surroundings or Surroundings(options)
    began = started or datetime.datetime.now(datetime.UTC)
    recorder = None
    if options.record_to is not None and tapes is None:
        from probes.recording import Recorder

        tapes = recorder = Recorder(endpoint, options, began)
    try:
        if endpoint.role == "mx" and not endpoint.host:
            report = await _probe_domain(endpoint, options, shared, probes, began, tapes)
        else:
            report = await _probe_host(endpoint, options, shared, probes, began, None, tapes)
    finally:
        if surroundings is None:
            await shared.close()
    if recorder is not None:
        recorder.save(Path(options.record_to or ""), report.versions)
    return report


async def _probe_domain(
    endpoint: Endpoint,
    options: Options,
    surroundings: Surroundings,
    probes: Sequence[Probe] | None,
    started: datetime.datetime,
    tapes: Tapes | None,
) -> Report:
    # One deadline and one clock for the look-up and for the hosts, which are probed side by side.
    since = now()
    async with Network(endpoint, options, surroundings, started=since, tape=_tape(tapes, endpoint)) as network:
        try:
            hosts = await expand(endpoint, network, MX_HOSTS if options.depth == "standard" else MX_HOSTS_FULL)
        except Unmeasured as problem:
            missing = _Guard(_chosen(endpoint, probes), endpoint, network).without(problem)
            return _report(endpoint, network, missing, started)
        found = network.transcript
    reports = await asyncio.gather(
        *(_probe_host(host, options, surroundings, probes, started, since, tapes) for host in hosts)
    )
    first = dataclasses.replace(reports[0], transcript=(*found, *reports[0].transcript))
    return dataclasses.replace(first, also=tuple(reports[1:]))


async def _probe_host(
    endpoint: Endpoint,
    options: Options,
    surroundings: Surroundings,
    probes: Sequence[Probe] | None,
    started: datetime.datetime,
    since: float | None = None,
    tapes: Tapes | None = None,
) -> Report:
    async with Network(endpoint, options, surroundings, started=since, tape=_tape(tapes, endpoint)) as network:
        guard = _Guard(_chosen(endpoint, probes), endpoint, network)
        if await _does_not_exist(endpoint, network):
            # Otherwise a misspelt domain would read as one that publishes no policy.
            nothing = Unmeasured(Cause.DNS_NXDOMAIN, f"{printable(endpoint.domain, 255)} does not exist")
            return _report(endpoint, network, guard.without(nothing), started)
        return _report(endpoint, network, await guard.measure(), started)


def _tape(tapes: Tapes | None, endpoint: Endpoint) -> Tape | None:
    return None if tapes is None else tapes.tape(endpoint)


async def _does_not_exist(endpoint: Endpoint, network: Network) -> bool:
    """Whether the resolver says that the domain of a ``domain`` or ``sending`` endpoint is not there at all
    (RFC 8020). No answer to that is no answer: the probes then find their own causes."""
    if endpoint.role not in ("domain", "sending"):
        return False
    try:
        # The question that the SPF part asks as well, so that it costs nothing.
        return not (await network.resolve(endpoint.domain, "TXT")).exists
    except Unmeasured:
        return False


def _chosen(endpoint: Endpoint, probes: Sequence[Probe] | None) -> Sequence[Probe]:
    if probes is None:
        return registry.applicable(endpoint)
    return [each for each in probes if endpoint.role in each.roles]


def _report(
    endpoint: Endpoint, network: Network, measurements: Iterable[Measurement], started: datetime.datetime
) -> Report:
    return Report(
        endpoint=endpoint,
        started=started.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        vantage=network.options.vantage,
        versions=versions(),
        measurements=tuple(sorted(measurements, key=lambda each: each.metric)),
        transcript=tuple(network.transcript),
        duration_ms=round(network.elapsed_ms, 3),
        address=network.address,
    )


class _Guard:
    """Runs probes side by side so that none can cost another its results."""

    def __init__(self, probes: Sequence[Probe], endpoint: Endpoint, network: Network) -> None:
        self._probes = probes
        self._endpoint = endpoint
        self._network = network

    async def measure(self) -> list[Measurement]:
        """One measurement for each applicable metric. Probes that want to be the last wait for the others."""
        until = asyncio.get_running_loop().time() + self._network.remaining + _GRACE
        found: list[Measurement] = []
        for last in (False, True):
            turn = [probe for probe in self._probes if getattr(probe, "last", False) is last]
            for result in await asyncio.gather(*(self._one(probe, until) for probe in turn)):
                found += result
        return found

    def without(self, problem: Unmeasured) -> list[Measurement]:
        """Every applicable metric missing for the same reason."""
        return [
            Measurement.missing(metric.key, problem.cause, problem.detail)
            for probe in self._probes
            for metric in self._applicable(probe)
        ]

    def _applicable(self, probe: Probe) -> list[Metric]:
        return [metric for metric in probe.metrics if metric.roles is None or self._endpoint.role in metric.roles]

    async def _one(self, probe: Probe, until: float) -> list[Measurement]:
        """``until``: the loop time at which a probe that ignores the deadline is stopped."""
        returned: Iterable[Measurement] = ()
        purpose.set(probe.name)
        limit = asyncio.timeout_at(until)
        problem = Unmeasured(Cause.PROBE_BUG, f"the {probe.name} probe returned nothing for this metric")
        try:
            async with limit:
                returned = list(await probe.measure(self._endpoint, self._network))
        except Unmeasured as raised:
            problem = raised
        except TimeoutError as error:
            problem = (
                Unmeasured(Cause.DEADLINE_EXCEEDED, f"the {probe.name} probe went on after the deadline")
                if limit.expired()
                else _bug(error)
            )
        except Exception as error:
            # Any other exception is a fault of the probe: a named cause for its metrics, and nobody else's loss.
            problem = _bug(error)
        if problem.cause is Cause.PROBE_BUG and not returned:
            self._network.note(f"{probe.name} probe: {problem}")
        return self._complete(probe, returned, problem)

    def _complete(self, probe: Probe, returned: Iterable[Measurement], problem: Unmeasured) -> list[Measurement]:
        """The probe's measurements, one for each applicable metric: what is missing gets the cause of ``problem``, what
        is not of the declared type or comes twice is a bug, what does not apply is left out."""
        found: dict[str, Measurement] = {}
        for measurement in returned:
            if measurement.metric in found:
                detail = f"the {probe.name} probe returned this metric twice"
                measurement = Measurement.missing(measurement.metric, Cause.PROBE_BUG, detail)
            found[measurement.metric] = measurement
        complete = []
        for metric in self._applicable(probe):
            given = found.get(metric.key) or Measurement.missing(metric.key, problem.cause, problem.detail)
            if not _fits(given, metric):
                shown = printable(repr(given.value), 80)
                detail = f"the {probe.name} probe returned {shown} for a metric of type {metric.type}"
                given = Measurement.missing(metric.key, Cause.PROBE_BUG, detail)
            complete.append(given)
        return complete


def _bug(error: Exception) -> Unmeasured:
    """A cause that names the exception's class and the first line of its text."""
    text = printable(str(error).partition("\n")[0], 200)
    return Unmeasured(Cause.PROBE_BUG, f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _fits(measurement: Measurement, metric: Metric) -> bool:
    value = measurement.value
    if value is None:
        return True
    match metric.type:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        case "set":
            return isinstance(value, tuple) and list(value) == sorted(set(value))
        case "level":
            return value in metric.levels
        case "text":
            return isinstance(value, str)
    return False


_ABOUT_NAMES = ("dns.", "dnssec.", "dane.present", "dane.parameters", "dane.usable", "blocklist.")


def answered(report: Report) -> bool:
    """Whether the endpoint itself showed at least one value, on this host or a further one. What DNS says of a mail
    host is no sign of life."""
    return any(
        measurement.cause is None
        and not (each.endpoint.role in MAIL_ROLES and measurement.metric.startswith(_ABOUT_NAMES))
        for each in (report, *report.also)
        for measurement in each.measurements
    )


def unasked(measurement: Measurement) -> bool:
    """Whether this was not even tried, since it is for servers of one's own or for full depth: no loss in a run that
    asked for neither."""
    return measurement.cause is Cause.NOT_PERMITTED and (
        measurement.detail == NOT_OWN_SERVER or FULL_DEPTH_ONLY in measurement.detail
    )


def versions() -> dict[str, str]:
    """What the results depend on: the probes, Python, and the libraries that were in use."""
    found = {"mailrubric-probes": package.VERSION, "python": platform.python_version()}
    if "OpenSSL.SSL" in sys.modules:
        from OpenSSL import SSL

        found["openssl"] = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode("ascii", "replace").removeprefix("OpenSSL ")
    if "dns.version" in sys.modules:
        import dns.version

        found["dnspython"] = dns.version.version
    return found


def report_to_json(report: Report) -> dict[str, Any]:
    """The report as a JSON document: ``version`` 1, described in the command line's contract. ``value`` is null
    exactly when ``cause`` is set; sets are sorted lists."""
    return {
        "version": 1,
        "endpoint": report.endpoint.to_json(),
        "address": report.address,
        "started": report.started,
        "duration_ms": report.duration_ms,
        "vantage": report.vantage,
        "versions": dict(report.versions),
        "measurements": [
            {
                "metric": each.metric,
                "value": list(each.value) if isinstance(each.value, tuple) else each.value,
                "unit": registry.unit(each.metric),
                "cause": None if each.cause is None else each.cause.value,
                "detail": each.detail,
            }
            for each in report.measurements
        ],
        "transcript": [
            {"ms": step.ms, "direction": step.direction, "text": step.text, "connection": step.connection}
            for step in report.transcript
        ],
        "also": [report_to_json(other) for other in report.also],
    }
