"""BIMI's two files: the logo (an SVG of the profile Tiny PS) and the mark certificate that is the evidence for it.

Both come from whatever server the record names, over HTTPS with a trusted certificate. What is wrong with them is
listed, not judged. The chain of a mark certificate leads to authorities that no trust store holds, so it is not
followed; its dates, purpose, names and the logo in it are looked at.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import hashlib
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin

from probes.chain import MAXIMUM_CHAIN, trust_error
from probes.der import alternative_names, days_left, issuer_name, load, malformed, name_matches, quiet
from probes.markup import parse_xml
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.names import named
from probes.policies import bimi_record
from probes.replies import printable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from cryptography import x509

    from probes.network import HTTPResponse, Network

_DOMAIN: frozenset[Role] = frozenset({"domain"})
_DRAFT = "draft-brand-indicators-for-message-identification"
_TINY_PS = "draft-svg-tiny-ps-abrotman"

MAXIMUM_REDIRECTS = 3
SVG_BYTES = 32 * 1024
"""A logo should be no larger (draft-svg-tiny-ps-abrotman)."""
_UNPACKED_BYTES = 1024 * 1024
_MAXIMUM_DEVIATIONS = 50

METRICS: tuple[Metric, ...] = (
    Metric(
        "bimi.svg_served",
        "boolean",
        "Whether the logo's URL answers with a file, over HTTPS with a trusted certificate for its host.",
        reference=f"{_DRAFT} §4.3",
    ),
    Metric(
        "bimi.svg_deviations",
        "set",
        "What in the logo deviates from the profile SVG Tiny PS: profile and version not stated, no title, scripts, "
        "animations, raster images, external references, other elements that the profile leaves out, another content "
        f"type than image/svg+xml, more than {SVG_BYTES // 1024} KiB.",
        reference=_TINY_PS,
    ),
    Metric("bimi.svg_bytes", "integer", "Size of the logo, unpacked.", unit="B", reference=_TINY_PS),
    Metric(
        "bimi.certificate_served",
        "boolean",
        "Whether the URL of the evidence answers with a certificate, over HTTPS with a trusted certificate for its "
        "host.",
        reference=f"{_DRAFT} §4.3",
    ),
    Metric(
        "bimi.certificate_type",
        "text",
        "Kind of the mark certificate: VMC (for a registered or government mark), CMC (for a mark in prior use or a "
        "modified registered one), unstated when it names no kind of mark.",
        reference="Minimum Security Requirements for Issuance of Mark Certificates",
    ),
    Metric(
        "bimi.certificate_days_left",
        "number",
        "Days until the mark certificate expires; negative when it has.",
        unit="d",
        reference="RFC 5280 §4.1.2.5",
    ),
    Metric(
        "bimi.certificate_issuer",
        "text",
        "Who issued the mark certificate (distinguished name).",
        reference="RFC 5280 §4.1.2.4",
    ),
    Metric(
        "bimi.certificate_deviations",
        "set",
        "What keeps the mark certificate from being evidence for this domain's logo: not valid yet, expired, not for "
        "BIMI (extended key usage), not for this domain, no logo in it, another logo in it than the one published. Its "
        "chain is not followed.",
        reference="draft-fetch-validation-vmc-wchuang, RFC 9399",
    ),
)
_SVG_KEYS = ("bimi.svg_deviations", "bimi.svg_bytes")
_CERTIFICATE_KEYS = (
    "bimi.certificate_type",
    "bimi.certificate_days_left",
    "bimi.certificate_issuer",
    "bimi.certificate_deviations",
)


# --- the logo ---------------------------------------------------------------------------------------------------------

_ELEMENTS = frozenset(
    (
        "svg",
        "g",
        "defs",
        "desc",
        "title",
        "metadata",
        "use",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "textArea",
        "tspan",
        "tbreak",
        "linearGradient",
        "radialGradient",
        "stop",
        "solidColor",
        "switch",
    )
)
"""What SVG Tiny 1.2 has and the profile Portable/Secure leaves in."""
_ANIMATIONS = frozenset(
    ("animate", "animateColor", "animateMotion", "animateTransform", "animation", "discard", "mpath", "set")
)
_SCRIPTS = frozenset(("script", "handler", "listener"))
_IMAGES = frozenset(("image", "video", "audio", "foreignObject"))
_URL = re.compile(r"url\(", re.IGNORECASE)


def unpacked(body: bytes) -> bytes:
    """The SVG of an SVGZ file, cut at 1 MiB; what is not packed comes back as it is. ``ValueError`` for a damaged
    one."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, _UNPACKED_BYTES)
    except zlib.error:
        raise ValueError("damaged compression") from None


def svg_deviations(body: bytes, content_type: str) -> tuple[str, ...]:
    """In what the file is no SVG Tiny PS document; sorted, without repetition, empty for one that is."""
    found: set[str] = set()
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "image/svg+xml":
        found.add(f"content type {printable(kind, 80) or 'not stated'}")
    try:
        text = unpacked(body)
        if len(text) > SVG_BYTES:
            found.add(f"larger than {SVG_BYTES // 1024} KiB")
        root = parse_xml(text)
    except ValueError as fault:
        found.add("document type" if "document type" in str(fault) else f"not readable: {printable(str(fault), 100)}")
        return tuple(sorted(found))
    found |= _root_deviations(root)
    for element in root.iter():
        found |= _element_deviations(element)
    return tuple(sorted(found)[:_MAXIMUM_DEVIATIONS])


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _root_deviations(root: Element) -> set[str]:
    found = set()
    if _local(root.tag) != "svg":
        found.add("root element is not svg")
    if root.get("baseProfile") != "tiny-ps":
        found.add("baseProfile is not tiny-ps")
    if root.get("version") != "1.2":
        found.add("version is not 1.2")
    if "x" in root.attrib or "y" in root.attrib:
        found.add("x or y on the root element")
    if not any(_local(child.tag) == "title" and (child.text or "").strip() for child in root):
        found.add("no title")
    return found


def _element_deviations(element: Element) -> set[str]:
    found = set()
    name = _local(element.tag)
    if name in _SCRIPTS:
        found.add("script")
    elif name in _ANIMATIONS:
        found.add("animation")
    elif name in _IMAGES:
        found.add("embedded image, video or audio")
    elif name not in _ELEMENTS and ":" not in element.tag:  # (what has a prefix is no SVG and is not drawn)
        found.add(f"element {printable(name, 40)}")
    for attribute, value in element.attrib.items():
        if _local(attribute) == "href" and not value.startswith("#"):
            found.add("external reference")
        elif attribute.startswith("on"):
            found.add("script")
        elif attribute != "xmlns" and not attribute.startswith("xmlns:") and _leads_elsewhere(value):
            found.add("external reference")
    return found


def _leads_elsewhere(value: str) -> bool:
    """Whether a ``url(…)`` in the value points outside the document."""
    return any(value[at.end() : at.end() + 80].lstrip(" \t\r\n'\"")[:1] != "#" for at in _URL.finditer(value))


# --- the mark certificate ---------------------------------------------------------------------------------------------

_MARK_TYPE = "1.3.6.1.4.1.53087.1.13"
_FOR_BIMI = "1.3.6.1.5.5.7.3.31"
_LOGOTYPE = "1.3.6.1.5.5.7.1.12"
_KINDS = {
    "registered mark": "VMC",
    "government mark": "VMC",
    "prior use mark": "CMC",
    "modified registered mark": "CMC",
}
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_EMBEDDED = re.compile(rb"data:image/svg\+xml(?:;[a-z0-9=-]+)*;base64,([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


def pem_certificates(body: bytes) -> list[bytes]:
    """The certificates of a PEM file (RFC 7468 §5), as DER; empty when there is none."""
    found = []
    for text in _PEM.findall(body)[:MAXIMUM_CHAIN]:
        try:
            found.append(base64.b64decode(b"".join(text.split()), validate=True))
        except binascii.Error:
            return []
    return found


def mark_type(certificate: x509.Certificate) -> tuple[str, str]:
    """Kind of the certificate (VMC, CMC, unstated), and the type of its mark in its own words."""
    stated = [str(attribute.value) for attribute in certificate.subject if attribute.oid.dotted_string == _MARK_TYPE]
    if not stated:
        return "unstated", ""
    return _KINDS.get(stated[0].strip().lower(), "unstated"), printable(stated[0], 100)


def mark_deviations(
    certificate: x509.Certificate, domain: str, logo: bytes | None, now: datetime.datetime
) -> tuple[str, ...]:
    """What keeps the certificate from being evidence for this logo (as published; None: not known) of this domain."""
    found = set()
    if certificate.not_valid_before_utc > now:
        found.add("not valid yet")
    if certificate.not_valid_after_utc < now:
        found.add("expired")
    if not _is_for_bimi(certificate):
        found.add("not for BIMI")
    labels = domain.split(".")
    ours = {".".join(labels[at:]) for at in range(max(1, len(labels) - 1))}
    if not {name.removeprefix("default._bimi.") for name in alternative_names(certificate)[0]} & ours:
        found.add("not for this domain")
    embedded = _logotype(certificate)
    if embedded is None:
        found.add("no logo in it")
    elif logo is not None and not _same_logo(embedded, logo):
        found.add("another logo in it")
    return tuple(sorted(found))


def _is_for_bimi(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return any(purpose.dotted_string == _FOR_BIMI for purpose in usage)


def _logotype(certificate: x509.Certificate) -> bytes | None:
    """The content of the logotype extension (RFC 9399 §4.1); None when there is none."""
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(_LOGOTYPE))
    except x509.ExtensionNotFound:
        return None
    return extension.value.value if isinstance(extension.value, x509.UnrecognizedExtension) else None


def _same_logo(logotype: bytes, logo: bytes) -> bool:
    """Whether the extension holds this logo, as a data URI or by its digest (RFC 9399 §4.1, §4.6)."""
    wanted = unpacked(logo)
    for text in _EMBEDDED.findall(logotype):
        try:
            if unpacked(base64.b64decode(text, validate=True)) == wanted:
                return True
        except (binascii.Error, ValueError):
            continue
    digests = (hashlib.new(name, data).digest() for name in ("sha256", "sha1") for data in (logo, wanted))
    return any(digest in logotype for digest in digests)


# --- fetching ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Absent:
    """In words, why there is no file that receivers could use."""

    why: str


async def _fetch(url: str, network: Network) -> HTTPResponse | _Absent:
    """The file at an https URL, redirects to other https URLs followed. Raises ``Unmeasured`` when a fault on the way
    leaves open whether there is one."""
    for _ in range(MAXIMUM_REDIRECTS + 1):
        try:
            response = await network.http(url)
        except Unmeasured as reason:
            if reason.cause is Cause.DNS_NXDOMAIN:
                return _Absent(reason.detail)
            raise
        if response.tls is None:
            return _Absent("it is not served over HTTPS")
        mistrust = trust_error(response.tls.chain, network.options.ca_file)
        if mistrust != "none":
            return _Absent(f"its server's certificate is not trusted: {mistrust}")
        if not name_matches(load(response.tls.chain[0]), _host(url)):
            return _Absent("its server's certificate is for another name")
        if 500 <= response.status < 600 or response.status == 429:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"its server answers with HTTP {response.status}")
        if response.status not in (301, 302, 303, 307, 308):
            if response.status != 200:
                return _Absent(f"its server answers with HTTP {response.status}")
            return response
        url = urljoin(url, response.headers.get("location", ""))
        if not url.lower().startswith("https://"):
            return _Absent("it is redirected to a URL that is not https")
    return _Absent(f"it is redirected more than {MAXIMUM_REDIRECTS} times")


def _host(url: str) -> str:
    from probes.addresses import split_url

    return split_url(url)[1]


def _missing(keys: Iterable[str], cause: Cause, detail: str) -> list[Measurement]:
    return [Measurement.missing(key, cause, detail) for key in keys]


async def _file(
    url: str, key: Literal["bimi.svg_served", "bimi.certificate_served"], keys: Sequence[str], network: Network
) -> tuple[HTTPResponse | None, list[Measurement]]:
    """The file, or None and what is to be said then."""
    try:
        found = await _fetch(url, network)
    except Unmeasured as reason:
        return None, _missing((key, *keys), reason.cause, reason.detail)
    if isinstance(found, _Absent):
        why = printable(found.why, 300)
        return None, [Measurement(key, False, detail=why), *_missing(keys, Cause.NOT_APPLICABLE, why)]
    if found.truncated:
        return None, _missing((key, *keys), Cause.REPLY_TOO_LONG, f"it is longer than {len(found.body)} bytes")
    return found, []


class BIMIProbe:
    """Logo and mark certificate of the domain's own default BIMI record."""

    name = "bimi"
    roles = _DOMAIN
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, each with its value or cause."""
        domain = named(endpoint.domain, "domain")
        record = bimi_record((await network.resolve(f"default._bimi.{domain}", "TXT")).records)
        if record is None:
            raise Unmeasured(Cause.NOT_APPLICABLE, "there is no BIMI record")
        logo, found = await _file(record.logo, "bimi.svg_served", _SVG_KEYS, network)
        if logo is not None:
            found += _of_logo(logo)
        if not record.evidence:
            why = "the record names no evidence"
            return [*found, *_missing(("bimi.certificate_served", *_CERTIFICATE_KEYS), Cause.NOT_APPLICABLE, why)]
        evidence, said = await _file(record.evidence, "bimi.certificate_served", _CERTIFICATE_KEYS, network)
        if evidence is not None:
            said += of_certificate(evidence.body, domain, None if logo is None else logo.body, network.now)
        return [*found, *said]


def _of_logo(response: HTTPResponse) -> list[Measurement]:
    deviations = svg_deviations(response.body, response.headers.get("content-type", ""))
    served = Measurement("bimi.svg_served", True)
    try:
        size = Measurement("bimi.svg_bytes", len(unpacked(response.body)))
    except ValueError as fault:
        size = Measurement.missing("bimi.svg_bytes", Cause.PROTOCOL_ERROR, str(fault))
    return [served, Measurement("bimi.svg_deviations", deviations), size]


@quiet
def of_certificate(body: bytes, domain: str, logo: bytes | None, now: datetime.datetime) -> list[Measurement]:
    """What a file of evidence shows, for this domain and its logo (None: not known)."""
    chain = pem_certificates(body)
    if not chain:
        why = "the file holds no certificate in PEM"
        return [
            Measurement("bimi.certificate_served", False, detail=why),
            *_missing(_CERTIFICATE_KEYS, Cause.NOT_APPLICABLE, why),
        ]
    served = Measurement("bimi.certificate_served", True)
    try:
        certificate = load(chain[0])
        kind, words = mark_type(certificate)
        return [
            served,
            Measurement("bimi.certificate_type", kind, detail=words),
            Measurement("bimi.certificate_days_left", days_left(certificate, now)),
            Measurement("bimi.certificate_issuer", issuer_name(certificate)),
            Measurement("bimi.certificate_deviations", mark_deviations(certificate, domain, logo, now)),
        ]
    except Unmeasured as reason:
        return [served, *_missing(_CERTIFICATE_KEYS, reason.cause, reason.detail)]
    except malformed() as error:
        # What the library raises over a certificate that nobody should have issued.
        why = f"a malformed certificate: {printable(str(error), 200)}"
        return [served, *_missing(_CERTIFICATE_KEYS, Cause.PROTOCOL_ERROR, why)]
