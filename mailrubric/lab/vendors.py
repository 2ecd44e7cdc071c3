"""Who is in the lab: invented platforms, each built to show one quality, good or bad.

A ``LabVendor`` says how its servers behave, what its DNS holds and what its profile claims. Nothing here listens:
``mailrubric.lab.servers`` does, from these descriptions.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Any, Literal

from mailrubric.lab.authority import Authority, Identity
from mailrubric.lab.claims import CONTRADICTION, DOCUMENTED, GOOD, MAILBOX, ORDINARY, POOR, FactValue
from mailrubric.lab.mailbox import IMAPService, POP3Service, SieveService
from mailrubric.lab.nameserver import ZONE, Record
from mailrubric.lab.smtp import SMTPService
from mailrubric.lab.stream import TLSVersion
from mailrubric.lab.web import Page, WebService

Service = Literal[
    "submission", "submissions", "mx", "imap", "imaps", "pop3", "pop3s", "sieve", "https", "policy", "dns"
]  # fmt: skip
Protocol = SMTPService | IMAPService | POP3Service | SieveService | WebService

PREFERRED_PORTS: dict[Service, int] = {
    "submission": 10587, "submissions": 10465, "mx": 10025, "imap": 10143, "imaps": 10993, "pop3": 10110,
    "pop3s": 10995, "sieve": 14190, "https": 10443, "dns": 10053,
    # An MTA-STS policy is only ever fetched from port 443 (RFC 8461 §3.3): where the lab may not open that port,
    # its policies cannot be fetched, and the probe says so.
    "policy": 443,
}  # fmt: skip
"""Taken where they are free; the usual port plus 10000, so that a person recognises it."""

IMPLICIT: frozenset[Service] = frozenset({"submissions", "imaps", "pop3s", "https", "policy"})
"""Services whose TLS begins at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One service of one host; it gets an address and a port of its own."""

    host: str
    service: Service


Ports = Mapping[Place, int]

_INVENTED = f"https://{ZONE}/invented"
"""Where every claim of the lab comes from: nowhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class LabVendor:
    """One invented platform.

    ``purpose``: what it was built to show, one sentence. ``smtp``: its submission servers on port ``submission``
    (STARTTLS where it is offered) and, with ``implicit``, on port ``submissions``. ``identity``: makes the certificate
    of its mail servers; its web servers always have a good one. ``listens``: False reserves its ports, but nobody
    answers there. Its profile says STARTTLS of port ``submission`` whether its server offers it or not.
    """

    short: str
    name: str
    purpose: str
    category: Literal["esp", "mailbox"] = "esp"
    smtp: SMTPService | None = None
    implicit: bool = True
    mailbox: bool = False
    mx: bool = False
    identity: Callable[[Authority, list[str]], Identity] = Authority.issue
    oldest: TLSVersion = "TLSv1.2"
    newest: TLSVersion = "TLSv1.3"
    web: bool = True
    api_delay: float = 0.0
    incident: bool = False
    dns: tuple[tuple[str, str, str], ...] | None = None
    listens: bool = True
    claims: Mapping[str, FactValue] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        """The vendor id."""
        return f"lab-{self.short}"

    @property
    def domain(self) -> str:
        """Its own domain."""
        return f"{self.short}.{ZONE}"

    def host(self, label: str) -> str:
        """One of its hosts."""
        return f"{label}.{self.domain}"

    def places(self) -> list[Place]:
        """Everything that it serves."""
        places: list[Place] = []
        if self.smtp is not None:
            places.append(Place(self.host("smtp"), "submission"))
            if self.implicit:
                places.append(Place(self.host("smtp"), "submissions"))
        if self.mx:
            places.append(Place(self.host("mx"), "mx"))
        if self.mailbox:
            places += [Place(self.host("imap"), "imap"), Place(self.host("imap"), "imaps")]
            places += [Place(self.host("pop3"), "pop3"), Place(self.host("pop3"), "pop3s")]
            places.append(Place(self.host("imap"), "sieve"))
        if self.web:
            places += [Place(self.host(label), "https") for label in ("api", "status", "www")]
        if any(kind == "TXT" and "v=STSv1" in data for _, kind, data in self.dns or ()):
            places.append(Place(self.host("mta-sts"), "policy"))
        return places

    def protocol(self, place: Place, ports: Ports) -> Protocol:
        """What is spoken at a place."""
        label = place.host.removesuffix(f".{self.domain}")
        match place.service:
            case "submission" | "submissions":
                assert self.smtp is not None
                return dataclasses.replace(self.smtp, name=place.host)
            case "mx":
                return SMTPService(
                    place.host, (*_MODERN_EXTENSIONS, "SIZE 52428800"), only_plain=("STARTTLS",), domains=(self.domain,)
                )
            case "imap" | "imaps":
                return IMAPService(place.host)
            case "pop3" | "pop3s":
                return POP3Service(place.host)
            case "sieve":
                return SieveService(place.host)
            case "policy":
                return _policy(self)
            case _:
                origin = f"https://{place.host}:{ports[place]}"
                return {"api": _api, "status": _status, "www": _website}[label](self, origin)

    def records(self, addresses: Mapping[str, str]) -> list[Record]:
        """Its DNS records, given the address of each of its hosts."""
        records: list[Record] = [(host, "A", address) for host, address in addresses.items()]
        for label, kind, data in self.dns or ():
            name = self.domain if label == "@" else self.host(label)
            records.append((name, kind, data.replace("{domain}", self.domain)))
        return records

    def profile(self, ports: Ports, today: datetime.date) -> dict[str, Any]:
        """Its vendor file (see ``mailrubric.catalogue.models.Vendor``)."""
        sourced = {"source": _INVENTED, "as_of": today.isoformat()}
        facts = {}
        for name, value in sorted(self.claims.items()):
            facts[name] = {"value": list(value) if isinstance(value, tuple) else value, **sourced, "grade": "official"}
            if name in DOCUMENTED and value != "none":
                facts[name]["document"] = f"{_INVENTED}/{name}.pdf"
        return {
            "id": self.id,
            "name": f"{self.name} (lab)",
            "category": self.category,
            "homepage": f"https://{ZONE}/{self.short}",
            "lab": True,
            "endpoints": self._endpoints(ports, sourced),
            "facts": facts,
        }

    def _endpoints(self, ports: Ports, sourced: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
        endpoints: dict[str, list[dict[str, Any]]] = {}
        for place in self.places():
            if place.service == "policy":  # belongs to the domain
                continue
            port = ports[place]
            label = place.host.removesuffix(f".{self.domain}")
            match place.service:
                case "submission":
                    entry = {"host": place.host, "port": port, "tls": "starttls", **sourced}
                    endpoints.setdefault("submission", []).append(entry)
                case "submissions":
                    endpoints["submission"].append({"host": place.host, "port": port, "tls": "implicit", **sourced})
                case "mx":
                    endpoints["mx"] = [{"domain": self.domain, "port": port}]
                case "imap" | "pop3" | "sieve":
                    endpoints[place.service] = [{"host": place.host, "port": port, "tls": "starttls"}]
                case "imaps" | "pop3s":
                    entry = {"host": place.host, "port": port, "tls": "implicit"}
                    endpoints[place.service.removesuffix("s")].append(entry)
                case _:
                    role, path, kind = _WEB_ROLES[label]
                    entry = {"url": f"https://{place.host}:{port}{path}"}
                    endpoints[role] = [entry | ({"kind": kind} if kind else {})]
        if self.dns is not None:
            endpoints["domain"] = [{"domain": self.domain, "selectors": ["lab1"]}]
            if self.category == "esp":
                endpoints["sending"] = [{"domain": self.host("_spf")}]
        return endpoints


# --- what they serve --------------------------------------------------------------------------------------------------

_WEB_ROLES = {"api": ("api", "/v1", ""), "status": ("status", "", "statuspage"), "www": ("web", "/", "")}
_HSTS = ("strict-transport-security", "max-age=31536000; includeSubDomains")


def _api(vendor: LabVendor, origin: str) -> WebService:
    """An API that wants a key: 401 in JSON, and its rate limit in headers (draft-ietf-httpapi-ratelimit-headers)."""
    error = {
        "error": {"code": "unauthorized", "message": "A key is needed. This is the Mailrubric lab: there are none."}
    }
    refusal = Page.of_json(error, 401, (("www-authenticate", 'Bearer realm="lab"'),))
    limits = (("ratelimit-limit", "600"), ("ratelimit-remaining", "599"), ("ratelimit-reset", "60"))
    return WebService({}, otherwise=refusal, headers=(_HSTS, *limits), delay=vendor.api_delay)


def _status(vendor: LabVendor, origin: str) -> WebService:
    """A status page in the form that Statuspage serves at /api/v2/summary.json and /api/v2/incidents.json."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    page = {"id": f"lab{vendor.short}", "name": f"{vendor.name} (lab)", "url": origin, "time_zone": "Etc/UTC",
            "updated_at": now}  # fmt: skip
    component = {
        "id": "smtp1", "name": "SMTP", "status": "degraded_performance" if vendor.incident else "operational",
        "created_at": now, "updated_at": now, "position": 1, "description": None, "showcase": True, "group": False,
        "group_id": None, "page_id": page["id"], "only_show_if_degraded": False,
    }  # fmt: skip
    incident = {
        "id": "incident1", "name": "Some messages leave late", "status": "investigating", "impact": "minor",
        "created_at": now, "updated_at": now, "monitoring_at": None, "resolved_at": None, "started_at": now,
        "shortlink": f"{origin}/incidents/incident1", "page_id": page["id"], "components": [component],
        "incident_updates": [],
    }  # fmt: skip
    status = {
        "indicator": "minor" if vendor.incident else "none",
        "description": "Minor Service Outage" if vendor.incident else "All Systems Operational",
    }
    incidents = [incident] if vendor.incident else []
    summary = {"page": page, "components": [component], "incidents": incidents, "scheduled_maintenances": [],
               "status": status}  # fmt: skip
    pages = {
        "/": Page(200, "text/html; charset=utf-8", f"<title>{vendor.name} (lab): status</title>\n".encode()),
        "/api/v2/summary.json": Page.of_json(summary),
        "/api/v2/status.json": Page.of_json({"page": page, "status": status}),
        "/api/v2/incidents.json": Page.of_json({"page": page, "incidents": incidents}),
        "/api/v2/incidents/unresolved.json": Page.of_json({"page": page, "incidents": incidents}),
    }
    return WebService(pages, headers=(_HSTS,))


def _website(vendor: LabVendor, origin: str) -> WebService:
    text = f"<!doctype html><title>{vendor.name} (lab)</title><p>{vendor.purpose} An invented platform.\n"
    return WebService({"/": Page(200, "text/html; charset=utf-8", text.encode())}, headers=(_HSTS,))


def _policy(vendor: LabVendor) -> WebService:
    """An MTA-STS policy (RFC 8461 §3.2)."""
    text = f"version: STSv1\r\nmode: enforce\r\nmx: {vendor.host('mx')}\r\nmax_age: 604800\r\n"
    return WebService({"/.well-known/mta-sts.txt": Page(200, "text/plain", text.encode())})


# --- how their mail servers behave ------------------------------------------------------------------------------------

_MODERN_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES")

_MODERN = SMTPService(
    "",
    (*_MODERN_EXTENSIONS, "SIZE 52428800"),
    only_plain=("STARTTLS",),
    only_tls=("AUTH PLAIN LOGIN SCRAM-SHA-256 XOAUTH2", "REQUIRETLS"),
    needs_tls=True,
    needs_login=True,
)
_ORDINARY = SMTPService(
    "",
    ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 26214400"),
    only_plain=("STARTTLS",),
    only_tls=("AUTH PLAIN LOGIN",),
    needs_tls=True,
    needs_login=True,
)
_LEGACY = SMTPService(
    "",
    ("SIZE 10240000", "8BITMIME"),
    only_plain=("STARTTLS",),
    only_tls=("AUTH LOGIN PLAIN",),
    needs_tls=True,
    needs_login=True,
)
_BARE = SMTPService("", ("PIPELINING", "8BITMIME", "SIZE 26214400"))
_PLAINTEXT_AUTH = SMTPService(
    "",
    ("PIPELINING", "8BITMIME", "SIZE 26214400", "AUTH PLAIN LOGIN"),
    only_plain=("STARTTLS",),
    needs_login=True,
)
_SLOW = dataclasses.replace(_ORDINARY, delay=2.5)
_THROTTLE = SMTPService("", rejection="421 4.7.0 Too many connections from your address, try again later")
# What lab-contradiction's profile claims is in claims.py; this is what its server does.
_CONTRADICTION = SMTPService(
    "",
    ("PIPELINING", "8BITMIME", "SIZE 10485760"),
    only_plain=("STARTTLS",),
    only_tls=("AUTH PLAIN LOGIN",),
    needs_tls=True,
    needs_login=True,
)


def _expired(authority: Authority, names: list[str]) -> Identity:
    return authority.issue(names, days_left=-5)


def _wrong_name(authority: Authority, names: list[str]) -> Identity:
    return authority.issue([f"mail.elsewhere.{ZONE}"])


def _short_lived(authority: Authority, names: list[str]) -> Identity:
    return authority.issue(names, days_left=5)


def _rsa(authority: Authority, names: list[str]) -> Identity:
    return authority.issue(names, key="rsa")


# --- what their DNS holds ---------------------------------------------------------------------------------------------

# The example key of RFC 8463 appendix A.2: nothing is ever signed with it.
_DKIM_KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
_DNS_ORDINARY = (
    ("@", "TXT", '"v=spf1 include:_spf.{domain} ~all"'),
    ("_spf", "TXT", '"v=spf1 ip4:192.0.2.0/27 ip4:198.51.100.0/27 ~all"'),
    ("_dmarc", "TXT", '"v=DMARC1; p=quarantine; rua=mailto:dmarc@{domain}"'),
    ("lab1._domainkey", "TXT", f'"{_DKIM_KEY}"'),
)
_DNS_GOOD = (
    ("@", "MX", "10 mx.{domain}."),
    ("@", "TXT", '"v=spf1 include:_spf.{domain} -all"'),
    ("_spf", "TXT", '"v=spf1 ip4:192.0.2.0/27 ip4:198.51.100.0/27 -all"'),
    ("_dmarc", "TXT", '"v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s; rua=mailto:dmarc@{domain}"'),
    ("_mta-sts", "TXT", '"v=STSv1; id=20260101T000000"'),
    ("_smtp._tls", "TXT", '"v=TLSRPTv1; rua=mailto:tls@{domain}"'),
    ("lab1._domainkey", "CNAME", "lab1.keys.{domain}."),
    ("lab1.keys", "TXT", f'"{_DKIM_KEY}"'),
    ("@", "CAA", '0 issue "lab.test"'),
)
_DNS_POOR = (
    ("@", "TXT", '"v=spf1 include:_spf.{domain} a mx ptr ?all"'),
    ("_spf", "TXT", '"v=spf1 include:_spf1.{domain} include:_spf2.{domain} ?all"'),
    ("_spf1", "TXT", '"v=spf1 ip4:192.0.2.0/24 ?all"'),
    ("_spf2", "TXT", '"v=spf1 ip4:198.51.100.0/24 ?all"'),
    ("_dmarc", "TXT", '"v=DMARC1; p=none"'),
)


# --- who they are -----------------------------------------------------------------------------------------------------

VENDORS: tuple[LabVendor, ...] = (
    LabVendor(
        "modern", "Modern", "Does everything right.",
        smtp=_MODERN, mx=True, dns=_DNS_GOOD, claims=GOOD,
    ),
    LabVendor(
        "legacy", "Legacy", "Still accepts TLS 1.0, offers few extensions, and has an incident open.",
        smtp=_LEGACY, oldest="TLSv1.0", newest="TLSv1.2", identity=_rsa, incident=True, dns=_DNS_POOR, claims=POOR,
    ),
    LabVendor(
        "expired", "Expired", "Its mail servers' certificate has expired.",
        smtp=_ORDINARY, identity=_expired, dns=_DNS_ORDINARY, claims=ORDINARY,
    ),
    LabVendor(
        "wrong-name", "Wrong name", "Its mail servers' certificate is for another name.",
        smtp=_ORDINARY, identity=_wrong_name, dns=_DNS_ORDINARY, claims=ORDINARY,
    ),
    LabVendor(
        "self-signed", "Self-signed", "Its mail servers' certificate is signed by nobody but itself.",
        smtp=_ORDINARY, identity=Authority.self_signed, dns=_DNS_ORDINARY, claims=ORDINARY,
    ),
    LabVendor(
        "short-lived", "Short-lived", "Its mail servers' certificate has five days left.",
        smtp=_ORDINARY, identity=_short_lived, dns=_DNS_ORDINARY, claims=ORDINARY,
    ),
    LabVendor(
        "no-starttls", "No STARTTLS", "Takes mail in the clear and offers no encryption.",
        smtp=_BARE, implicit=False, dns=_DNS_ORDINARY, claims=ORDINARY,
    ),
    LabVendor(
        "plaintext-auth", "Plaintext AUTH", "Asks for passwords before TLS.",
        smtp=_PLAINTEXT_AUTH, dns=_DNS_ORDINARY, claims=ORDINARY,
    ),
    LabVendor(
        "slow", "Slow", "Greets after 2.5 seconds; its API takes 1.2 seconds to answer.",
        smtp=_SLOW, api_delay=1.2, dns=_DNS_ORDINARY, claims=ORDINARY,
    ),
    LabVendor(
        "contradiction", "Contradiction", "Claims what its servers do not do.",
        smtp=_CONTRADICTION, oldest="TLSv1.0", newest="TLSv1.2", identity=_rsa, dns=_DNS_ORDINARY,
        claims=CONTRADICTION,
    ),
    LabVendor(
        "throttle", "Throttle", "Turns every connection away with 421.",
        smtp=_THROTTLE, implicit=False, web=False,
    ),
    LabVendor(
        "down", "Down", "Nothing listens: every connection is refused.",
        smtp=_ORDINARY, listens=False,
    ),
    LabVendor(
        "mailbox", "Mailbox", "A mailbox host: IMAP and POP3 refuse logins before TLS.", category="mailbox",
        smtp=_MODERN, mailbox=True, mx=True, dns=_DNS_GOOD, claims=MAILBOX,
    ),
)  # fmt: skip
