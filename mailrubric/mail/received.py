"""The way of a message, as its Received fields tell it (RFC 5321 §4.4): who handed it to whom, and whether encrypted.

Each field is written by the server that took the message, so what it says of the other side is as trustworthy as that
server; a sender can put invented fields below the first true one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from mailrubric.mail import fields
from mailrubric.mail.message import Hop
from probes.addresses import IPAddress, blocked_reason, literal
from probes.replies import printable

HOPS = 50
"""Fields that are read; a message with more is in a loop."""

_WITH_TLS = frozenset(
    {
        "ESMTPS",
        "ESMTPSA",
        "LMTPS",
        "LMTPSA",
        "SMTPS",
        "SMTPSA",
        "UTF8SMTPS",
        "UTF8SMTPSA",
        "UTF8LMTPS",
        "UTF8LMTPSA",
        "ASMTPS",
    }
)
"""Transmission types (RFC 3848, RFC 6531) that mean TLS, and what some servers write in their place."""
_WITHOUT_TLS = frozenset({"SMTP", "ESMTP", "ESMTPA", "SMTPA", "UTF8SMTP", "UTF8SMTPA", "ASMTP"})
_INSIDE = frozenset(
    {
        "LMTP",
        "LMTPA",
        "UTF8LMTP",
        "UTF8LMTPA",
        "LOCAL",
        "HTTP",
        "HTTPS",
        "HTTP2",
        "MAPI",
        "HTTPREST",
        "BSMTP",
        "UUCP",
        "PIPE",
        "STORE",
        "SCANNED",
    }
)
"""Not SMTP between two servers: delivery on the spot, or the way from a program into the platform."""

_NEVER_SAY = re.compile(r"inbound-smtp\.[a-z0-9-]+\.amazonaws\.com")
"""Servers that write SMTP whether a hop was encrypted or not."""

_VERSION = re.compile(r"(?<![0-9A-Za-z_-])(TLS ?v?1(?:[._][0-3])?|SSLv[23])(?![.-]?[0-9A-Za-z])", re.IGNORECASE)
"""Not a part of a host's name, such as tls1.example.com."""
_CIPHER = re.compile(
    r"(?:cipher[= ]|\btls |:)"
    r"((?:TLS_|TLS1|ECDHE|DHE|AES|RSA|CAMELLIA|CHACHA|DES|RC4|ADH|AECDH|PSK)[A-Za-z0-9_+-]{2,60})",
    re.IGNORECASE,
)
_ENCRYPTED = re.compile(r"(?:TLS|([A-Za-z0-9_-]{4,60}) encrypted|cipher=([A-Za-z0-9_-]{4,60}))", re.ASCII)
"""Comments that tell of TLS without its version: of older Exchange servers, of qmail's patches, of Momentum."""
_ADDRESS = re.compile(
    r"\[(?:IPv6:)?([0-9A-Fa-f:.]{3,45})\]|(?<![\w.:])((?:\d{1,3}\.){3}\d{1,3})(?![\w.])", re.IGNORECASE
)
_IPV6 = re.compile(r"(?<![\w.:])([0-9A-Fa-f]{1,4}:[0-9A-Fa-f:.]{2,40})(?![\w.:])")
_FROM = re.compile(r"\s*from\s+(\S+)", re.IGNORECASE)
_BY = re.compile(r"(?:^|\s)by\s+(\S+)", re.IGNORECASE)
_WITH = re.compile(r"(?:^|\s)with\s+(\S+)", re.IGNORECASE)


def hops(values: Sequence[str]) -> tuple[Hop, ...]:
    """The hops that these fields (from the top of the message) tell of, the oldest first."""
    return tuple(hop(value) for value in reversed(values[:HOPS]))


def hop(value: str) -> Hop:
    """One field."""
    value = value[:4000]
    clauses, comments = fields.outside(value)
    clauses, semicolon, when = clauses.rpartition(";")
    if not semicolon:
        clauses, when = when, ""
    helo, by, with_ = (match[1] if match else "" for match in (each.search(clauses) for each in (_FROM, _BY, _WITH)))
    if not _FROM.match(clauses):
        helo = ""
    # Cisco's gateways write ESMTP/TLS/TLS_AES_256_GCM_SHA384.
    with_, _, behind = with_.partition("/TLS/")
    protocol = with_.upper().strip(",;")
    said = " ".join([clauses, *(f"({comment})" for comment in comments)])
    version, cipher = _VERSION.search(said), _CIPHER.search(said)
    encrypted = next((match for comment in comments if (match := _ENCRYPTED.fullmatch(comment.strip()))), None)
    address = _address(value, by) if helo else ""
    tls: bool | None = None
    if protocol in _WITH_TLS or ((version or encrypted or behind) and protocol not in _INSIDE):
        tls = True
    elif protocol in _WITHOUT_TLS and not _NEVER_SAY.fullmatch(_name(by)):
        tls = False
    stated = (cipher[1] if cipher else "", *(encrypted.groups("") if encrypted else ()), printable(behind, 60))
    time, _ = fields.date(when)
    return Hop(
        by=_name(by),
        helo=_name(helo),
        address=address,
        protocol=printable(protocol, 40),
        tls=tls,
        tls_version=_version(version[1]) if version and tls else "",
        cipher=next(filter(None, stated), "") if tls else "",
        internal=_internal(helo, by, protocol, address),
        time=time,
    )


def _name(text: str) -> str:
    return printable(text.strip("[]<>;,").lower(), 255)


def _version(text: str) -> str:
    """``TLSv1.3`` for whatever way of writing it."""
    text = text.replace(" ", "").replace("_", ".")
    if text.upper().startswith("SSL"):
        return f"SSLv{text[-1]}"
    number = text[3:].lstrip("vV")
    return f"TLSv{'1.0' if number == '1' else number}"


def _address(value: str, by: str) -> str:
    """The sending side's address: in brackets before "by", or bare in a comment there."""
    match = re.search(r"\sby\s", value)
    before = value[: match.start()] if match else value
    bracketed = _ADDRESS.findall(before)
    # The last one is what the server saw itself; the first may be a literal that the client gave as its name.
    for first, second in reversed(bracketed):
        found = literal(first or second)
        if found is not None:
            return str(found)
    for text in reversed(_IPV6.findall(before)):
        found = literal(text)
        if found is not None:
            return str(found)
    return ""


def _internal(helo: str, by: str, protocol: str, address: str) -> bool:
    if not helo or protocol in _INSIDE:
        return True
    if address:
        found = ipaddress.ip_address(address)
        if blocked_reason(found) is not None and not _documentation(found):
            return True
    one, other = (name.strip("[]<>;,").lower().rstrip(".") for name in (helo, by))
    if one == other or one in ("localhost", "localhost.localdomain"):
        return not address or one == other
    labels = zip(reversed(one.split(".")), reversed(other.split(".")), strict=False)
    shared = 0
    for mine, theirs in labels:
        if mine != theirs:
            break
        shared += 1
    return shared >= 3


_DOCUMENTATION = tuple(
    map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"))
)


def _documentation(address: IPAddress) -> bool:
    """Whether examples use it (RFC 5737, RFC 3849, RFC 9637): they stand for addresses on the internet."""
    return any(address in network for network in _DOCUMENTATION if network.version == address.version)


def boundary(hops: Sequence[Hop]) -> Hop | None:
    """The hop by which the message came to the receiver's side: the newest that is not internal. None when there is
    none."""
    return next((each for each in reversed(hops) if not each.internal), None)


def network_of(address: str) -> str:
    """The network that neighbours share: 24 bits of IPv4, 48 of IPv6; "" for no address."""
    found = literal(address)
    if found is None:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
