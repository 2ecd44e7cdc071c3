"""The words every probe speaks: endpoints, metrics, measurements, causes.

Nothing here opens a socket, and nothing here judges: a measurement says what was seen,
or names why nothing could be seen.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from probes.network import Network

Role = Literal["submission", "mx", "imap", "pop3", "sieve", "domain", "sending", "api", "status", "web"]
ROLES: tuple[Role, ...] = (
    "submission", "mx", "imap", "pop3", "sieve", "domain", "sending", "api", "status", "web",
)  # fmt: skip
MAIL_ROLES: frozenset[Role] = frozenset({"submission", "mx", "imap", "pop3", "sieve"})
WEB_ROLES: frozenset[Role] = frozenset({"api", "status", "web"})

TLSMode = Literal["starttls", "implicit", "none"]
"""How TLS begins: by an upgrade command, at once (RFC 8314), or not at all."""

DEFAULT_PORTS: dict[tuple[Role, TLSMode], int] = {
    ("submission", "starttls"): 587,
    ("submission", "implicit"): 465,
    ("submission", "none"): 587,
    ("mx", "starttls"): 25,
    ("mx", "none"): 25,
    ("imap", "starttls"): 143,
    ("imap", "implicit"): 993,
    ("imap", "none"): 143,
    ("pop3", "starttls"): 110,
    ("pop3", "implicit"): 995,
    ("pop3", "none"): 110,
    ("sieve", "starttls"): 4190,
    ("sieve", "none"): 4190,
}


class Cause(enum.StrEnum):
    """Why there is no value. A closed vocabulary: a fault is never a fact."""

    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_SERVFAIL = "dns_servfail"
    DNS_TIMEOUT = "dns_timeout"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_TIMEOUT = "connection_timeout"
    CONNECTION_RESET = "connection_reset"
    GREETING_TIMEOUT = "greeting_timeout"
    GREETING_REJECTED = "greeting_rejected"
    THROTTLED = "throttled"
    PROTOCOL_ERROR = "protocol_error"
    REPLY_TOO_LONG = "reply_too_long"
    TLS_ALERT = "tls_alert"
    TLS_HANDSHAKE_ERROR = "tls_handshake_error"
    TLS_NOT_OFFERED = "tls_not_offered"
    TLS_CLIENT_UNSUPPORTED = "tls_client_unsupported"
    PORT_BLOCKED_LOCALLY = "port_blocked_locally"
    NO_IPV6_LOCALLY = "no_ipv6_locally"
    RESOLVER_NOT_VALIDATING = "resolver_not_validating"
    NOT_APPLICABLE = "not_applicable"
    NOT_PERMITTED = "not_permitted"
    BLOCKED_ADDRESS = "blocked_address"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    PROBE_BUG = "probe_bug"


class Unmeasured(Exception):
    """Raised by a probe or by the network when a value cannot be had; carries the cause.

    ``detail`` is one line for people; bytes from outside in it must be escaped already
    (``probes.replies.printable``).
    """

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(f"{cause.value}: {detail}" if detail else cause.value)
        self.cause = cause
        self.detail = detail


MetricType = Literal["boolean", "integer", "number", "text", "set", "level"]


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """A named, typed, documented quantity that a probe may yield.

    ``type``: ``boolean``; ``integer``/``number`` in ``unit``; ``text``; ``set`` of texts (a sorted list in
    JSON); ``level``: one of ``levels``, listed from worst to best or oldest to newest.
    ``roles``: where it applies; None means on every role of its probe. On other roles it is absent.
    ``reference``: RFC section or document that defines it.
    """

    key: str
    type: MetricType
    meaning: str
    unit: str = ""
    reference: str = ""
    levels: tuple[str, ...] = ()
    roles: frozenset[Role] | None = None


Value = bool | int | float | str | tuple[str, ...]
"""A measured value; a set is a sorted tuple of texts without duplicates."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one endpoint at one time: a value, or no value and a cause, never both, never neither."""

    metric: str
    value: Value | None
    cause: Cause | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.cause is None):
            raise ValueError(f"{self.metric}: a measurement has either a value or a cause")

    @classmethod
    def missing(cls, metric: str, cause: Cause, detail: str = "") -> Measurement:
        """A measurement without a value."""
        return cls(metric, None, cause, detail)


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One place of a vendor that can be probed.

    Mail roles use ``host``, ``port`` and ``tls``. ``mx`` may name a ``domain`` instead of a host: the runner
    then looks up its MX hosts (``probes.runner.expand``). ``domain`` and ``sending`` use ``domain``; for
    ``sending`` it is the name that customers must ``include:`` in their SPF record. ``api``, ``status`` and
    ``web`` use ``url``; ``kind`` says what a status page claims to be (``statuspage``, ``incident-io`` …).
    ``selectors`` are DKIM selectors to look for (domain, sending). ``label`` is free text (a region, say).
    """

    role: Role
    host: str = ""
    port: int = 0
    tls: TLSMode = "starttls"
    domain: str = ""
    url: str = ""
    kind: str = ""
    label: str = ""
    selectors: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A stable text naming the endpoint in the store, such as ``submission smtp.example.com:587``."""
        if self.url:
            return f"{self.role} {self.url}"
        if self.host:
            return f"{self.role} {self.host}:{self.port}"
        return f"{self.role} {self.domain}" + (f":{self.port}" if self.role == "mx" and self.port != 25 else "")

    def to_json(self) -> dict[str, Any]:
        """The fields that are set, as in a report."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
            if value not in ("", 0, ()) and not (name == "tls" and self.role not in MAIL_ROLES)
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One line of a transcript. ``ms``: since the probe began. ``text``: printable, secrets redacted."""

    ms: float
    direction: Literal["in", "out", "note"]
    text: str
    connection: int = 0
    """Which connection of this endpoint it belongs to, counted from 1; 0 for notes about none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """All that one run found at one endpoint. ``started``: ISO 8601 in UTC, ending in Z."""

    endpoint: Endpoint
    started: str
    vantage: str
    versions: dict[str, str]
    measurements: tuple[Measurement, ...]
    transcript: tuple[Step, ...] = ()
    also: tuple[Report, ...] = ()
    """Reports of further hosts, when the endpoint was a domain with several MX hosts."""
    duration_ms: float = 0.0
    address: str = ""
    """The address that was dialled, as text; empty when there was none."""


class Probe(Protocol):
    """One protocol's measurements: pure dialogue over a network, no judgement.

    A probe that sets ``last = True`` is measured after all others of its endpoint: it looks at what they did (the times
    of their connections), or leaves them the first turn.
    """

    name: str
    roles: frozenset[Role]
    metrics: tuple[Metric, ...]

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """Measure what can be measured.

        A metric that applies and is neither returned nor covered by a raised ``Unmeasured`` is a bug of the
        probe; the runner reports it as ``probe_bug``.
        """
        ...
