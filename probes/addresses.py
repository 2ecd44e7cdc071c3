"""Which addresses must not be dialled, and which texts are host names or URLs. Pure functions, no socket."""

from __future__ import annotations

import functools
import ipaddress
import re
from urllib.parse import urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_CARRIER_NAT = ipaddress.IPv4Network("100.64.0.0/10")
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
_REMEMBERED = 1024
"""How many texts and addresses are remembered with what they are: each connection asks for the same few again."""


@functools.lru_cache(_REMEMBERED)
def literal(text: str) -> IPAddress | None:
    """The address that ``text`` writes out (IPv6 with or without brackets), or None when it is none."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        return None


@functools.lru_cache(_REMEMBERED)
def blocked_reason(address: IPAddress) -> str | None:
    """Why this address is no public host ("a loopback address" …), or None when it is one.

    Covers what reaches a private host in disguise as well: IPv4-mapped and IPv4-compatible addresses, 6to4
    (RFC 3056), Teredo (RFC 4380), NAT64 (RFC 6052, RFC 8215) and ISATAP (RFC 5214) that embed such an address.
    """
    if isinstance(address, ipaddress.IPv6Address):
        embedded = _embedded(address)
        for inner in embedded:
            reason = blocked_reason(inner)
            if reason is not None and not (address.is_loopback or address.is_unspecified):
                return f"{reason} ({inner}) inside an IPv6 address"
        if address.is_site_local:
            return "a site-local address"
        number = int(address)
        if (number >> 32) & 0xFFFFFFFF in _ISATAP and blocked_reason(ipaddress.IPv4Address(number & 0xFFFFFFFF)):
            return "an ISATAP address of a private host"
        if embedded and not (address.is_loopback or address.is_unspecified):
            return None
    if address.is_loopback:
        return "a loopback address"
    if address.is_unspecified:
        return "the unspecified address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if isinstance(address, ipaddress.IPv4Address) and address in _CARRIER_NAT:
        return "a carrier-grade NAT address"
    if address.is_private:
        return "a private address"
    if address.is_reserved:
        return "a reserved address"
    return None


def _embedded(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that packets to this IPv6 address would end up at."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if any(address in network for network in (*_NAT64, _IPV4_COMPATIBLE)):
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


@functools.lru_cache(_REMEMBERED)
def host_name(text: str) -> str:
    """``text`` as an ASCII host or DNS name in lower case without a trailing dot; international names become A-labels.

    Raises ``ValueError`` with a reason for people, and nothing else (never ``UnicodeError``).
    """
    name = text.strip().removesuffix(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("it cannot be written as an international domain name") from None
    if not name:
        raise ValueError("it is empty")
    if len(name) > 253:
        raise ValueError("it is longer than 253 characters")
    labels = name.split(".")
    for label in labels:
        if not label:
            raise ValueError("it has an empty label (two dots in a row, or a leading dot)")
        if len(label) > 63:
            raise ValueError("it has a label longer than 63 characters")
        if _LABEL.fullmatch(label) is None:
            raise ValueError("it has a label with characters other than letters, digits, '-' and '_'")
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        raise ValueError("its last label is a number, so it is neither a name nor a complete IP address")
    return name


def is_localhost(name: str) -> bool:
    """Whether RFC 6761 §6.3 says that this name means the loopback addresses, whatever DNS says."""
    return name == "localhost" or name.endswith(".localhost")


def split_url(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and request target of an http or https URL. ``ValueError`` says what is wrong with it."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a user name or password is not fetched")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{url[:100]!a} is neither http nor https")
    if not parts.hostname:
        raise ValueError(f"{url[:100]!a} names no host")
    host = parts.hostname
    address = literal(host)
    try:
        host = str(address) if address is not None else host_name(host)
    except ValueError as error:
        raise ValueError(f"{host[:100]!a} is no host name: {error}") from None
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{url[:100]!a} has no valid port") from None
    if port == 0:
        raise ValueError(f"{url[:100]!a} has no valid port")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(ord(character) <= 0x20 or character == "\x7f" for character in target):
        raise ValueError(f"{url[:100]!a} has characters that a URL must escape")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target
