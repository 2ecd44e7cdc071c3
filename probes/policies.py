"""The records and files by which a mail domain states its policies: DMARC, MTA-STS, TLS-RPT, DKIM keys.

Pure parsing of texts that anybody may have written; ``probes.dns`` fetches them. A parser returns None for what its RFC
tells receivers to treat as absent, and never raises.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Literal

TEXT_CHARACTERS = 16 * 1024
"""A longer TXT record is cut before parsing."""


def tags(text: str) -> dict[str, str]:
    """A tag list (RFC 6376 §3.2) as lower-case name → value; the first of equal names counts, malformed tags are left
    out."""
    found: dict[str, str] = {}
    for part in text[:TEXT_CHARACTERS].split(";"):
        name, equals, value = part.partition("=")
        name = name.strip(" \t\r\n").lower()
        if equals and re.fullmatch(r"[a-z][a-z0-9_]*", name):
            found.setdefault(name, value.strip(" \t\r\n"))
    return found


# --- DMARC, RFC 9989 --------------------------------------------------------------------------------------------------

DMARCPolicy = Literal["none", "quarantine", "reject"]
_DMARC_POLICIES: dict[str, DMARCPolicy] = {"none": "none", "quarantine": "quarantine", "reject": "reject"}
_DMARC_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^ \t]+")


@dataclasses.dataclass(frozen=True, slots=True)
class DMARCRecord:
    """A DMARC policy record. The policies are None when receivers must ignore the record, because a policy tag is
    invalid and no report address makes up for it (RFC 9989 §4.10.1). ``subdomains`` and ``nonexistent``: what holds
    for them, by ``sp`` and ``np`` or what stands in for them. ``report_domains``: of the mail addresses in ``rua``."""

    policy: DMARCPolicy | None
    subdomains: DMARCPolicy | None
    nonexistent: DMARCPolicy | None
    testing: bool
    reports: bool
    report_domains: tuple[str, ...]
    psd: Literal["y", "n", "u"]


def parse_dmarc(text: str) -> DMARCRecord | None:
    """The record, or None when it does not begin with ``v=DMARC1`` (RFC 9989 §4.7, §4.8)."""
    if not _DMARC_VERSION.match(text):
        return None
    found = tags(text)
    uris = [uri.strip(" \t") for uri in found.get("rua", "").split(",")]
    reports = any(map(_URI.fullmatch, uris))
    mailboxes = (re.fullmatch(r"mailto:[^ \t@]+@([a-z0-9_.-]+?)\.?(?:!.*)?", uri.lower()) for uri in uris)
    stated = [found[tag].lower() for tag in ("p", "sp", "np") if tag in found]
    policy: DMARCPolicy | None
    subdomains: DMARCPolicy | None
    nonexistent: DMARCPolicy | None
    if all(each in _DMARC_POLICIES for each in stated):
        policy = _DMARC_POLICIES[found.get("p", "none").lower()]
        subdomains = _DMARC_POLICIES[found["sp"].lower()] if "sp" in found else policy
        nonexistent = _DMARC_POLICIES[found["np"].lower()] if "np" in found else subdomains
    else:
        policy = "none" if reports else None
        subdomains = nonexistent = policy
    psd = found.get("psd", "u").lower()
    return DMARCRecord(
        policy,
        subdomains,
        nonexistent,
        testing=found.get("t", "n").lower() == "y",
        reports=reports,
        report_domains=tuple(sorted({match[1] for match in mailboxes if match})),
        psd="y" if psd == "y" else "n" if psd == "n" else "u",
    )


def dmarc_record(texts: Sequence[str]) -> DMARCRecord | None:
    """The one DMARC record among TXT records; None when there is none or more than one (RFC 9989 §4.10, step 2)."""
    found = [record for record in map(parse_dmarc, texts) if record is not None]
    return found[0] if len(found) == 1 else None


def tree_walk(domain: str) -> tuple[str, ...]:
    """The names whose ``_dmarc`` child is asked, in order: the domain, then its parents down to the top-level domain;
    names of eight labels or more continue with their last seven (RFC 9989 §4.10)."""
    labels = domain.split(".")
    rest = labels[-7:] if len(labels) >= 8 else labels[1:]
    return (domain, *(".".join(rest[index:]) for index in range(len(rest))))


def dmarc_applies(domain: str, found: Mapping[str, DMARCRecord]) -> str | None:
    """Which of the records found on a tree walk applies to ``domain`` (RFC 9989 §4.10.1, §4.10.2): the name it stands
    at, or None. ``found``: name → record, for the names of ``tree_walk`` that have one."""
    if domain in found:
        return domain
    walked = [name for name in tree_walk(domain) if name in found]
    for name in walked:  # from the longest to the shortest
        if found[name].psd == "n":
            return name
        if found[name].psd == "y":
            # The organisation is one label below the public suffix; without a record of its own the suffix's applies.
            organisation = ".".join(domain.split(".")[-len(name.split(".")) - 1 :])
            return organisation if organisation in found else name
    return walked[-1] if walked else None


def organisation(domain: str, found: Mapping[str, DMARCRecord]) -> str:
    """The organisational domain by a whole tree walk (RFC 9989 §4.10.2). ``found``: name → record, for the names of
    ``tree_walk`` that have one."""
    walked = [name for name in tree_walk(domain) if name in found]
    for name in walked:
        if found[name].psd == "n":
            return name
        if found[name].psd == "y" and name != domain:
            return ".".join(domain.split(".")[-len(name.split(".")) - 1 :])
    return walked[-1] if walked else domain


# --- MTA-STS, RFC 8461 ------------------------------------------------------------------------------------------------

STSMode = Literal["none", "testing", "enforce"]
_STS_MODES: dict[str, STSMode] = {"none": "none", "testing": "testing", "enforce": "enforce"}
_STS_RECORD = re.compile(
    r"v=STSv1[ \t]*;[ \t]*(?P<fields>[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[!-:<>-~]+"
    r"(?:[ \t]*;[ \t]*[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[!-:<>-~]+)*)[ \t]*;?[ \t]*"
)
_STS_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_STS_PATTERN = re.compile(rf"(?:\*\.)?{_STS_LABEL}(?:\.{_STS_LABEL})*")
STS_MAXIMUM_AGE = 31557600
STS_BYTES = 64 * 1024


def sts_record(texts: Sequence[str]) -> str | None:
    """The ``id`` of the one MTA-STS record among TXT records; None when there is none, more than one, or when it is
    malformed (RFC 8461 §3.1)."""
    found = [text for text in texts if re.match(r"v=STSv1[ \t]*;", text)]
    match = _STS_RECORD.fullmatch(found[0][:TEXT_CHARACTERS]) if len(found) == 1 else None
    if match is None:
        return None
    ids = [field.strip(" \t")[3:] for field in match["fields"].split(";") if field.strip(" \t").startswith("id=")]
    return ids[0] if len(ids) == 1 and re.fullmatch(r"[A-Za-z0-9]{1,32}", ids[0]) else None


@dataclasses.dataclass(frozen=True, slots=True)
class STSPolicy:
    """An MTA-STS policy file. ``max_age`` in seconds; ``mx``: patterns in lower case."""

    mode: STSMode
    max_age: int
    mx: tuple[str, ...]


def parse_sts_policy(body: bytes) -> STSPolicy | str:
    """The policy, or in words what is wrong with it (RFC 8461 §3.2). Unknown fields are ignored, and of fields that
    come twice, but for ``mx``, the first counts. White space may stand behind the colon and at the end of a line, not
    before the colon."""
    if len(body) > STS_BYTES:
        return f"the policy is longer than {STS_BYTES} bytes"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return "the policy is not UTF-8"
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in re.split(r"\r?\n", text):
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not line.strip(" \t"):
            continue
        if not colon or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", name):
            return "a line of the policy is no field"
        if name == "mx":
            patterns.append(value.lower())
        else:
            fields.setdefault(name, value)
    if fields.get("version") != "STSv1":
        return "the policy's version is not STSv1"
    mode = _STS_MODES.get(fields.get("mode", ""))
    if mode is None:
        return "the policy has no valid mode"
    age = fields.get("max_age", "")
    if not re.fullmatch(r"[0-9]{1,10}", age) or int(age) > STS_MAXIMUM_AGE:
        return "the policy has no valid max_age"
    if mode != "none" and not patterns:
        return "the policy names no mx"
    if not all(len(pattern) <= 255 and _STS_PATTERN.fullmatch(pattern) for pattern in patterns):
        return "an mx of the policy is malformed"
    return STSPolicy(mode, int(age), tuple(patterns))


# --- TLS-RPT, RFC 8460 ------------------------------------------------------------------------------------------------


def tls_report_addresses(texts: Sequence[str]) -> tuple[str, ...]:
    """The report addresses (mailto: and https:) of the one TLS-RPT record among TXT records; empty when there is none,
    more than one, or when it names no such address (RFC 8460 §3)."""
    found = [text for text in texts if re.match(r"v=TLSRPTv1[ \t]*;", text)]
    if len(found) != 1:
        return ()
    uris = (uri.strip(" \t") for uri in tags(found[0]).get("rua", "").split(","))
    return tuple(uri for uri in uris if re.fullmatch(r"(?:mailto:[^ \t@]+@|https://)[^ \t]+", uri, re.IGNORECASE))


# --- BIMI, draft-brand-indicators-for-message-identification ----------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class BIMIRecord:
    """``logo``: URL of the indicator. ``evidence``: URL of the mark certificate, "" when none is named."""

    logo: str
    evidence: str


def bimi_record(texts: Sequence[str]) -> BIMIRecord | None:
    """The one BIMI record among TXT records; None when there is none, more than one, or when it declines to take part
    or is malformed: both URLs must be https ones (draft §4.2, §4.3)."""
    found = [text for text in texts if re.match(r"v=BIMI1[ \t]*;", text)]
    if len(found) != 1:
        return None
    fields = tags(found[0])
    logo, evidence = fields.get("l", ""), fields.get("a", "")
    if not _HTTPS.fullmatch(logo) or (evidence and not _HTTPS.fullmatch(evidence)):
        return None
    return BIMIRecord(logo, evidence)


_HTTPS = re.compile(r"https://[!-~]+", re.IGNORECASE)


# --- DKIM keys, RFC 6376 §3.6.1, RFC 8463 -----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class DKIMKey:
    """``kind``: ``rsa`` or ``ed25519``. ``bits``: of the modulus; 256 for Ed25519. ``testing``: the flag ``t=y``.
    ``hashes``, ``services``: what ``h=`` and ``s=`` limit the key to; empty without a limit."""

    kind: Literal["rsa", "ed25519"]
    bits: int
    testing: bool = False
    hashes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


REVOKED = "the key has been revoked"
"""What ``parse_dkim`` says of a record with an empty key."""


def parse_dkim(text: str) -> DKIMKey | str:
    """The published key, or in words why there is none to use."""
    found = tags(text)
    if found.get("v", "DKIM1") != "DKIM1" or ("v" in found and not re.match(r"[ \t]*v[ \t]*=", text)):
        return "the version is not DKIM1"
    if "p" not in found:
        return "no DKIM key record"
    if found["p"] == "":
        return REVOKED
    try:
        key = base64.b64decode(re.sub(r"[ \t\r\n]", "", found["p"]), validate=True)
    except (binascii.Error, ValueError):
        return "the key is no base64"
    kind = found.get("k", "rsa").lower()
    limits = ("y" in _words(found.get("t", "")), _words(found.get("h", "")), _words(found.get("s", "")))
    if kind == "ed25519":
        return DKIMKey("ed25519", 256, *limits) if len(key) == 32 else "an Ed25519 key of the wrong length"
    if kind != "rsa":
        return "a key of an unknown kind"
    modulus = _rsa_modulus(key)
    return DKIMKey("rsa", modulus.bit_length(), *limits) if modulus else "a malformed RSA key"


def _words(text: str) -> tuple[str, ...]:
    """The words of a list with colons between them, in lower case, each once (RFC 6376 §3.6.1)."""
    words = (re.sub(r"[ \t\r\n]", "", word).lower() for word in text.split(":"))
    return tuple(sorted({word for word in words if re.fullmatch(r"[a-z0-9*-]{1,40}", word)}))


def _rsa_modulus(der: bytes) -> int:
    """The modulus of a SubjectPublicKeyInfo or a bare RSAPublicKey (RFC 6376 says the one and shows the other); 0 when
    it is neither."""
    outer = _element(der, 0x30)
    if outer is None:
        return 0
    algorithm = _element(outer[0], 0x30)
    if algorithm is not None:
        bits = _element(algorithm[1], 0x03)
        if bits is None or bits[0][:1] != b"\x00" or not algorithm[0].startswith(_RSA_ENCRYPTION):
            return 0
        outer = _element(bits[0][1:], 0x30)
    modulus = _element(outer[0], 0x02) if outer is not None else None
    exponent = _element(modulus[1], 0x02) if modulus is not None else None
    if modulus is None or exponent is None or not modulus[0] or modulus[0][0] & 0x80:
        return 0
    return int.from_bytes(modulus[0], "big")


_RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")


def _element(data: bytes, tag: int) -> tuple[bytes, bytes] | None:
    """The content of the DER element that ``data`` begins with, and what follows it; None when it is no ``tag``."""
    if len(data) < 2 or data[0] != tag:
        return None
    length, at = data[1], 2
    if length & 0x80:
        width = length & 0x7F
        if not 1 <= width <= 4 or len(data) < 2 + width:
            return None
        length, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
    if len(data) < at + length:
        return None
    return data[at : at + length], data[at + length :]
