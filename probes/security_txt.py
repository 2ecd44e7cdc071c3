"""security.txt (RFC 9116): whom to tell about a weakness, in a file that programs find.

The file is asked for on the connection that fetched the site's page; where the server has hung up, on one of its own.
HTTP 404 and 410 are observed absence, and so is a complete page that is something else: many sites answer every path
with their front page. Whatever else stands in the way is a cause.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes.http import follow, page, visit_of
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import printable, quoted

if TYPE_CHECKING:
    from probes.network import HTTPResponse, Network

_WEB: frozenset[Role] = frozenset({"web"})

SECURITY_TXT = "/.well-known/security.txt"
MAXIMUM_BYTES = 64 * 1024
"""Of a file that is read; the standard advises readers to stop at 32 KB (RFC 9116 §5.4)."""
MAXIMUM_CONTACTS = 20
_DAY = 86_400.0

METRICS: tuple[Metric, ...] = (
    Metric(
        "security_txt.present",
        "boolean",
        f"Whether the site has a file with at least one Contact at {SECURITY_TXT}, over https. False when it answers "
        "404 or 410, or with a page that is something else.",
        reference="RFC 9116 §3, §2.5.3",
    ),
    Metric(
        "security_txt.valid",
        "boolean",
        "Whether that file is in the standard form: text/plain in UTF-8, nothing but fields and comments, every "
        "Contact a URI of type https, mailto or tel, exactly one Expires with a date and time, at most one "
        "Preferred-Languages. The detail names the first fault. Whether it has expired is a metric of its own.",
        reference="RFC 9116 §2.2, §2.3, §2.5, §3",
    ),
    Metric(
        "security_txt.contact",
        "set",
        f"The URIs to which weaknesses are to be reported, the first {MAXIMUM_CONTACTS} of them.",
        reference="RFC 9116 §2.5.3",
    ),
    Metric(
        "security_txt.expires_days",
        "number",
        "Days until the file is to be taken for outdated; negative once it is.",
        unit="d",
        reference="RFC 9116 §2.5.5",
    ),
    Metric(
        "security_txt.signed",
        "boolean",
        "Whether the file says that it is signed with OpenPGP. The signature is not verified.",
        reference="RFC 9116 §2.3",
    ),
)
_OF_FILE = ("security_txt.valid", "security_txt.contact", "security_txt.expires_days", "security_txt.signed")

_FIELD = re.compile(r"([\x21-\x39\x3b-\x7e]{1,100}):[ \t]*(.*)")
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_CONTACT = re.compile(r"(https://|mailto:|tel:)[\x21-\x7e]+", re.IGNORECASE)
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"


@dataclasses.dataclass(frozen=True, slots=True)
class SecurityText:
    """What a file says. ``expires``: the one valid date, else None. ``fault``: the first deviation from the standard's
    form in words, "" when there is none."""

    contacts: tuple[str, ...]
    expires: datetime.datetime | None
    signed: bool
    fault: str


def parse(body: bytes, content_type: str) -> SecurityText | str:
    """The file, or in words why it is none: it has no Contact."""
    faults: list[str] = []
    kind, _, parameters = content_type.partition(";")
    charset = re.search(r'charset\s*=\s*"?([\w-]+)', parameters, re.IGNORECASE)
    if kind.strip().lower() != "text/plain" or (
        charset is not None and charset[1].lower() not in ("utf-8", "us-ascii")
    ):
        faults.append(f"its type is {printable(content_type.strip(), 80) or 'not stated'}")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
        faults.append("it is not in UTF-8")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    signed = lines[0].strip() == _SIGNED
    fields: dict[str, list[str]] = {}
    for line in _signed_text(lines) if signed else lines:
        if not line.strip() or line.startswith("#"):
            continue
        match = _FIELD.fullmatch(line.rstrip())
        if match is None:
            faults.append(f"a line is neither field nor comment: {quoted(line, 60)}")
        else:
            fields.setdefault(match[1].lower(), []).append(match[2])
    contacts = [value for value in fields.get("contact", ()) if value]
    if not contacts:
        return f"what is there ({printable(kind.strip(), 60) or 'of no type'}) names no contact"
    if any(_CONTACT.fullmatch(contact) is None for contact in fields["contact"]):
        faults.append("a Contact is no URI of type https, mailto or tel")
    expiries = fields.get("expires", [])
    expires = _moment(expiries[0]) if len(expiries) == 1 else None
    if expires is None:
        faults.append(f"it has {len(expiries)} Expires" if len(expiries) != 1 else "its Expires is no date and time")
    if len(fields.get("preferred-languages", ())) > 1:
        faults.append("it has several Preferred-Languages")
    shown = tuple(sorted({printable(contact, 200) for contact in contacts[:MAXIMUM_CONTACTS]}))
    return SecurityText(shown, expires, signed, faults[0] if faults else "")


def _signed_text(lines: list[str]) -> list[str]:
    """The lines inside an OpenPGP cleartext signature (RFC 9580 §7): after the armour's headers, with dashes
    unescaped."""
    begin = next((at for at, line in enumerate(lines) if not line.strip()), len(lines))
    end = next((at for at, line in enumerate(lines) if line.strip() == _SIGNATURE), len(lines))
    return [line.removeprefix("- ") for line in lines[begin:end]]


def _moment(text: str) -> datetime.datetime | None:
    """A date and time with its offset (RFC 3339); None for anything else."""
    text = text.strip()
    if re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", text) is None:
        return None
    try:
        return datetime.datetime.fromisoformat(text.upper())
    except ValueError:
        return None


async def _file(endpoint: Endpoint, network: Network) -> HTTPResponse:
    """The response to the request for the file, after redirects."""
    responses, _ = await page(endpoint, network)
    site = "/".join(responses[0].url.split("/", 3)[:3])
    async with await visit_of(network) as visit:
        found, dead_end = await follow(site + SECURITY_TXT, network, visit)
    if dead_end is not None:
        raise dead_end
    return found[-1]


class SecurityTextProbe:
    """The security.txt of a web site."""

    name = "security_txt"
    roles = _WEB
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, or ``Unmeasured`` when nothing shows whether there is such a file."""
        if not endpoint.url.lower().startswith("https:"):
            raise Unmeasured(Cause.NOT_APPLICABLE, "the endpoint is plain http, and the file counts over https only")
        response = await _file(endpoint, network)
        shown = f"{printable(response.url, 200)} answers with HTTP {response.status}"
        if response.status in (404, 410):
            return _absent(shown)
        if response.status == 429:
            raise Unmeasured(Cause.THROTTLED, shown)
        if response.status != 200:
            raise Unmeasured(Cause.PROTOCOL_ERROR, shown)
        content_type = response.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() in _HTML:
            return _absent("what is there is a web page")
        if response.truncated or len(response.body) > MAXIMUM_BYTES:
            raise Unmeasured(Cause.REPLY_TOO_LONG, f"{printable(response.url, 200)}: more than {MAXIMUM_BYTES} bytes")
        found = parse(response.body, content_type)
        if isinstance(found, str):
            return _absent(found)
        if found.expires is None:
            expires = Measurement.missing(
                "security_txt.expires_days", Cause.NOT_APPLICABLE, "the file has no single valid Expires"
            )
        else:
            days = (found.expires - network.now).total_seconds() / _DAY
            expires = Measurement("security_txt.expires_days", round(days, 3))
        return [
            Measurement("security_txt.present", True, detail=printable(response.url, 200)),
            Measurement("security_txt.valid", not found.fault, detail=found.fault),
            Measurement("security_txt.contact", found.contacts),
            expires,
            Measurement("security_txt.signed", found.signed),
        ]


def _absent(why: str) -> list[Measurement]:
    none = "there is no security.txt"
    return [
        Measurement("security_txt.present", False, detail=why),
        *(Measurement.missing(key, Cause.NOT_APPLICABLE, none) for key in _OF_FILE),
    ]
