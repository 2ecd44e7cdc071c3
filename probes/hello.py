"""Hand-made ClientHellos and a reader of what a server answers to them.

A TLS library offers what it can speak itself; these hellos offer what a server might speak, from SSLv3 with export
suites to TLS 1.3 with a post-quantum group. One hello, one answer, then we hang up: no key is ever computed, so no
cryptography is needed. Nothing here opens a socket or raises on hostile bytes: whatever a server sends becomes a
``HelloAnswer``.

Wire format: RFC 8446 §4 and §5 (TLS 1.3), RFC 5246 §6, §7.4 and appendix E (TLS 1.2 and version negotiation),
RFC 6101 (SSL 3.0), RFC 6066 §3 (server name), RFC 7685 (padding), RFC 5746 (renegotiation indication).
"""

from __future__ import annotations

import dataclasses
import functools
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from probes import addresses

Version = Literal["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
VERSIONS: tuple[Version, ...] = ("SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""Oldest first."""
CODES: dict[Version, int] = {
    "SSLv3": 0x0300,
    "TLSv1.0": 0x0301,
    "TLSv1.1": 0x0302,
    "TLSv1.2": 0x0303,
    "TLSv1.3": 0x0304,
}
_BY_CODE: dict[int, Version] = {code: version for version, code in CODES.items()}

MAXIMUM_ANSWER = 32 * 1024
"""Bytes of an answer that are looked at; a ServerHello is far smaller."""

ALERTS: dict[int, str] = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
    43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
    60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
    116: "certificate_required", 117: "general_error", 120: "no_application_protocol", 121: "ech_required",
}  # fmt: skip
"""IANA registry "TLS Alerts"."""

GROUP_NAMES: dict[int, str] = {
    0x0001: "sect163k1", 0x0002: "sect163r1", 0x0003: "sect163r2", 0x0004: "sect193r1", 0x0005: "sect193r2",
    0x0006: "sect233k1", 0x0007: "sect233r1", 0x0008: "sect239k1", 0x0009: "sect283k1", 0x000A: "sect283r1",
    0x000B: "sect409k1", 0x000C: "sect409r1", 0x000D: "sect571k1", 0x000E: "sect571r1", 0x000F: "secp160k1",
    0x0010: "secp160r1", 0x0011: "secp160r2", 0x0012: "secp192k1", 0x0013: "secp192r1", 0x0014: "secp224k1",
    0x0015: "secp224r1", 0x0016: "secp256k1", 0x0017: "secp256r1", 0x0018: "secp384r1", 0x0019: "secp521r1",
    0x001A: "brainpoolP256r1", 0x001B: "brainpoolP384r1", 0x001C: "brainpoolP512r1", 0x001D: "x25519", 0x001E: "x448",
    0x001F: "brainpoolP256r1tls13", 0x0020: "brainpoolP384r1tls13", 0x0021: "brainpoolP512r1tls13", 0x0022: "GC256A",
    0x0023: "GC256B", 0x0024: "GC256C", 0x0025: "GC256D", 0x0026: "GC512A", 0x0027: "GC512B", 0x0028: "GC512C",
    0x0029: "curveSM2", 0x0100: "ffdhe2048", 0x0101: "ffdhe3072", 0x0102: "ffdhe4096", 0x0103: "ffdhe6144",
    0x0104: "ffdhe8192", 0x0200: "MLKEM512", 0x0201: "MLKEM768", 0x0202: "MLKEM1024", 0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768", 0x11ED: "SecP384r1MLKEM1024", 0x11EE: "curveSM2MLKEM768",
    0x6399: "X25519Kyber768Draft00", 0x639A: "SecP256r1Kyber768Draft00",
}  # fmt: skip
"""IANA registry "TLS Supported Groups"; number → name."""
GROUPS: dict[str, int] = {name: code for code, name in GROUP_NAMES.items()}
HYBRID_GROUPS: tuple[int, ...] = (0x11EC, 0x11EB, 0x11ED)
"""X25519MLKEM768, SecP256r1MLKEM768 and SecP384r1MLKEM1024: a post-quantum mechanism beside an elliptic curve (RFC 9794
§2), in TLS 1.3 only."""
_OFFERED_GROUPS: tuple[int, ...] = (0x11EC, 0x11EB, 0x001D, 0x0017, 0x0018, 0x0019, 0x001E, 0x0100, 0x0101)
"""What hellos offer unless they are told otherwise, in order of preference."""

# At most 64 suites in all: old servers (Windows Server 2003) look at the first 64 only, and others break at 128.
_SUITES_13: tuple[int, ...] = (0x1302, 0x1303, 0x1301, 0x1304, 0x1305)
# AEAD and SHA-2 suites, which exist from TLS 1.2 on: ECDHE, DHE, RSA, anonymous.
_SUITES_12: tuple[int, ...] = (
    0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F, 0xC0AC, 0xC024, 0xC028, 0xC023, 0xC027,
    0x009F, 0xCCAA, 0x009E, 0x006B, 0x0067, 0x00A2, 0x009D, 0x009C, 0x003D, 0x003C, 0x00A6,
)  # fmt: skip
# Suites that every version knows: AES-CBC with ECDHE, DHE, RSA and DSS; Camellia; 3DES; RC4; SEED; IDEA; DES;
# anonymous; export grade. The weak ones are there to elicit an answer from a server that has nothing better.
_SUITES_OLD: tuple[int, ...] = (
    0xC00A, 0xC014, 0xC009, 0xC013, 0x0039, 0x0033, 0x0038, 0x0032, 0x0035, 0x002F, 0x0084, 0x0041,
    0xC008, 0xC012, 0x0016, 0x000A, 0x0013, 0xC007, 0xC011, 0x0005, 0x0004, 0x0096, 0x0007, 0x0015, 0x0009,
    0xC018, 0x0034, 0x001B, 0x0018, 0x0014, 0x0008, 0x0006, 0x0003,
)  # fmt: skip
_RENEGOTIATION_SCSV = 0x00FF
_FALLBACK_SCSV = 0x5600

EXTENDED_MASTER_SECRET, SESSION_TICKET, RENEGOTIATION_INFO = 23, 35, 0xFF01
"""Extensions that a ServerHello may hold: RFC 7627, RFC 5077 §3.2, RFC 5746."""
NO_COMPRESSION, DEFLATE = 0, 1
"""Compression methods, RFC 3749."""

_PASSED_OVER = frozenset({"close_notify", "user_canceled", "no_renegotiation", "unrecognized_name"})
"""Warnings that end nothing by themselves (RFC 6066 §3 lets a handshake go on after unrecognized_name): what counts is
whether a ServerHello follows."""

_SIGNATURES: tuple[int, ...] = (
    0x0603, 0x0503, 0x0403, 0x0808, 0x0807, 0x0806, 0x0805, 0x0804, 0x080B, 0x080A, 0x0809, 0x0601, 0x0501, 0x0401,
    0x0906, 0x0905, 0x0904, 0x0303, 0x0301, 0x0203, 0x0201, 0x0402, 0x0202,
)  # fmt: skip
"""ECDSA, EdDSA, RSA-PSS, RSA PKCS #1 and ML-DSA, down to SHA-1 and DSA; of each kind the strongest hash first, for most
servers take the first that they can."""

_HELLO_RETRY_REQUEST = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The ServerHello random that marks a HelloRetryRequest, RFC 8446 §4.1.3."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerHello:
    """The server answered with a version. ``suite``: IANA number. ``group``: IANA number of the key share, None when
    the message names none (TLS 1.2 and older). ``retry``: it was a HelloRetryRequest, which chooses version, suite
    and group all the same. ``compression``: IANA number of the method, 0 for none. ``extensions``: number → data."""

    version: Version
    suite: int
    group: int | None = None
    retry: bool = False
    compression: int = NO_COMPRESSION
    extensions: Mapping[int, bytes] = dataclasses.field(default_factory=dict, hash=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """The server refused. ``level``: 1 warning, 2 fatal; ``description``: IANA number."""

    level: int
    description: int

    @property
    def name(self) -> str:
        """The registered name, or ``alert N``."""
        return ALERTS.get(self.description, f"alert {self.description}")


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no answer to a ClientHello. ``kind``: ``plaintext`` (another protocol's text), ``garbage`` or
    ``too_long``. ``why``: one line, without bytes from outside. ``excerpt``: the first bytes as they came."""

    kind: Literal["plaintext", "garbage", "too_long"]
    why: str
    excerpt: bytes = b""


HelloAnswer = ServerHello | Alert | Unreadable


class HelloError(ValueError):
    """A ClientHello that cannot be built: a server name that is no host name."""


def sni(host: str) -> str:
    """``host`` as it goes into the server_name extension: without its trailing dot, as an A-label, lower case; "" for
    an IP literal, which never goes there (RFC 6066 §3). Raises ``HelloError`` for what is no host name."""
    if addresses.literal(host.strip().partition("%")[0]) is not None:
        return ""
    try:
        return addresses.host_name(host)
    except ValueError as error:
        raise HelloError(f"not a host name: {error}") from None


def suites(maximum: Version) -> tuple[int, ...]:
    """The suites offered with this maximum version, in order of preference; at most 64."""
    offered = _SUITES_OLD
    if CODES[maximum] >= CODES["TLSv1.2"]:
        offered = _SUITES_12 + offered
    if maximum == "TLSv1.3":
        offered = _SUITES_13 + offered
    return offered


def _vector(data: bytes, width: int) -> bytes:
    """``data`` behind its length in ``width`` bytes."""
    return len(data).to_bytes(width, "big") + data


def _numbers(numbers: Sequence[int]) -> bytes:
    return struct.pack(f">{len(numbers)}H", *numbers)


def _extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _vector(data, 2)


def client_hello(
    maximum: Version,
    host: str = "",
    *,
    key_share: bool = True,
    offer: Sequence[int] | None = None,
    groups: Sequence[int] | None = None,
    signatures: Sequence[int] | None = None,
    compressions: Sequence[int] = (NO_COMPRESSION,),
    fallback: bool = False,
    older: bool = True,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """One TLS record with a ClientHello that offers ``maximum`` and, as far as the protocol allows, all older versions.

    ``host`` goes into server_name unless it is empty or an IP literal; SSLv3 hellos have no extensions at all.
    ``key_share``: offer an x25519 share (any 32 bytes are a valid x25519 public key), or an empty list, which makes a
    TLS 1.3 server name its group in a HelloRetryRequest. ``offer``, ``groups``, ``signatures``: IANA numbers in order
    of preference, in place of the usual ones (more than 64 suites are too many for old servers); without groups that
    extension is left out. ``compressions``: methods in order of preference; in a hello of TLS 1.3 none but 0 may be
    there (RFC 8446 §4.1.2). ``fallback``: say that this is a second attempt with a lower version (RFC 7507).
    ``older``: False keeps a hello of TLS 1.3 to that version. ``random``: source of random bytes, for tests.
    """
    code = CODES[maximum]
    # Looks like a resumption to middleboxes, RFC 8446 appendix D.4.
    session = random(32) if maximum == "TLSv1.3" else b""
    body = min(code, CODES["TLSv1.2"]).to_bytes(2, "big") + random(32) + _vector(session, 1)
    offered = tuple(suites(maximum) if offer is None else offer)
    if maximum == "SSLv3":  # without extensions the signalling suite says what renegotiation_info says, RFC 5746 §3.3
        offered += (_RENEGOTIATION_SCSV,)
    if fallback:
        offered += (_FALLBACK_SCSV,)
    body += _vector(_numbers(offered), 2) + _vector(bytes(compressions), 1)
    if maximum != "SSLv3":
        extensions = _server_name(sni(host)) if host else b""
        extensions += _extensions(
            maximum,
            None if groups is None else tuple(groups),
            tuple(_SIGNATURES if signatures is None else signatures),
        )
        if maximum == "TLSv1.3":
            extensions += _extensions_13(random(32) if key_share else b"", older)
        body += _vector(_padded(extensions, len(body)), 2)
    # A record version of 3.1 is what the widest range of servers accepts in front of a newer hello (RFC 8446 §5.1).
    record_version = b"\x03\x00" if maximum == "SSLv3" else b"\x03\x01"
    return b"\x16" + record_version + _vector(b"\x01" + _vector(body, 3), 2)


def _server_name(name: str) -> bytes:
    return _extension(0, _vector(b"\x00" + _vector(name.encode("ascii"), 2), 2)) if name else b""


@functools.lru_cache(64)
def _extensions(maximum: Version, groups: tuple[int, ...] | None, signatures: tuple[int, ...]) -> bytes:
    extensions = _extension(EXTENDED_MASTER_SECRET, b"")
    extensions += _extension(RENEGOTIATION_INFO, b"\x00")
    if groups is None:
        groups = tuple(code for code in _OFFERED_GROUPS if maximum == "TLSv1.3" or code not in HYBRID_GROUPS)
    if groups:
        extensions += _extension(10, _vector(_numbers(groups), 2))
    extensions += _extension(11, _vector(b"\x00", 1))  # ec_point_formats: uncompressed
    if CODES[maximum] >= CODES["TLSv1.2"]:  # older clients must not send it, RFC 5246 §7.4.1.4.1
        extensions += _extension(13, _vector(_numbers(signatures), 2))
    if maximum == "TLSv1.2":
        extensions += _extension(SESSION_TICKET, b"")  # none yet, but we would take one
        extensions += _extension(5, b"\x01\x00\x00\x00\x00")  # status_request: OCSP, RFC 6066 §8
    return extensions


def _extensions_13(share: bytes, older: bool) -> bytes:
    """What TLS 1.3 has brought: the x25519 ``share`` ("" for none), how to resume, and the versions."""
    shares = _numbers((GROUPS["x25519"],)) + _vector(share, 2) if share else b""
    versions = (0x0304, 0x0303, 0x0302, 0x0301) if older else (0x0304,)
    return (
        _extension(51, _vector(shares, 2))
        + _extension(45, _vector(b"\x01", 1))  # psk_key_exchange_modes: psk_dhe_ke
        + _extension(43, _vector(_numbers(versions), 1))
    )


def _padded(extensions: bytes, before: int) -> bytes:
    """Some load balancers hang on hellos of 256 to 511 bytes (RFC 7685 §1): 4 bytes of handshake header and 2 of
    extension length count as well as what is ``before`` the extensions."""
    total = 4 + before + 2 + len(extensions)
    return extensions + _extension(21, bytes(max(1, 512 - total - 4))) if 256 <= total < 512 else extensions


class RecordReader:
    """Takes bytes as they come and gives alerts and handshake messages, however they are cut into records (RFC 5246
    §6.2.1). Never raises, and keeps no more than ``most`` bytes and a record."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._records = b""
        self._messages = b""
        self._alerts = b""
        self.received = 0
        """How many bytes came in all."""
        self.warning: Alert | None = None
        """The last warning alert that was passed over, such as unrecognized_name."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.received += len(data)
        self._records += data[: self._most + 1]

    def next(self) -> tuple[int, bytes] | Alert | Unreadable | None:
        """The next handshake message (type, body) or alert that means something; None when more bytes are needed. After
        ``Unreadable`` it must not be asked again."""
        while True:
            found = self._next_alert() or self._next_message()
            if found is not None:
                return found
            if not self._records:
                return None
            broken = self._read_record()
            if broken is not None:
                return broken if isinstance(broken, Unreadable) else None

    def _read_record(self) -> Unreadable | Literal["short"] | None:
        """Take one record in; None when that has been done."""
        kind = self._records[0]
        if kind not in (0x15, 0x16):
            return _no_record(self._records)
        if len(self._records) >= 2 and self._records[1] != 3:
            return Unreadable("garbage", "a record of an unknown version", self._records[:64])
        if len(self._records) < 5:
            return "short"
        length = int.from_bytes(self._records[3:5], "big")
        if not 0 < length <= 16384 + 2048:  # RFC 5246 §6.2.3
            return Unreadable("garbage", f"a record of {length} bytes", self._records[:64])
        if len(self._records) < 5 + length:
            return "short"
        fragment, self._records = self._records[5 : 5 + length], self._records[5 + length :]
        if kind == 0x15:
            self._alerts += fragment
        else:
            self._messages += fragment
        return None

    def _next_alert(self) -> Alert | Unreadable | None:
        while len(self._alerts) >= 2:
            alert, self._alerts = Alert(self._alerts[0], self._alerts[1]), self._alerts[2:]
            if alert.level not in (1, 2):
                return Unreadable("garbage", f"an alert of level {alert.level}")
            if alert.level == 1 and alert.name in _PASSED_OVER:
                self.warning = alert
                continue
            return alert
        return None

    def _next_message(self) -> tuple[int, bytes] | Unreadable | None:
        while len(self._messages) >= 4:
            kind, length = self._messages[0], int.from_bytes(self._messages[1:4], "big")
            if kind == 0 and length == 0:  # HelloRequest, to be ignored during a handshake (RFC 5246 §7.4.1.1)
                self._messages = self._messages[4:]
                continue
            if length > self._most:
                return Unreadable("too_long", f"a handshake message of {length} bytes")
            if len(self._messages) < 4 + length:
                return None
            body, self._messages = self._messages[4 : 4 + length], self._messages[4 + length :]
            return kind, body
        return None


class AnswerReader:
    """Reads a server's answer as the bytes arrive, in whatever pieces and records.

    ``feed`` returns the answer once there is one, else None; after that it must not be fed again (it returns the
    same answer). Never raises and never keeps more than ``MAXIMUM_ANSWER`` bytes.
    """

    def __init__(self) -> None:
        self._reader = RecordReader(MAXIMUM_ANSWER)
        self._answer: HelloAnswer | None = None

    @property
    def warning(self) -> Alert | None:
        """The last warning alert that was passed over, such as unrecognized_name."""
        return self._reader.warning

    @property
    def received(self) -> int:
        """How many bytes came in all."""
        return self._reader.received

    def feed(self, data: bytes) -> HelloAnswer | None:
        """Take the next bytes; the answer when it is complete."""
        if self._answer is None:
            self._reader.feed(data)
            self._answer = self._read()
            if self._answer is None and self.received > MAXIMUM_ANSWER:
                self._answer = Unreadable("too_long", f"no ServerHello in {MAXIMUM_ANSWER} bytes")
        return self._answer

    def _read(self) -> HelloAnswer | None:
        match self._reader.next():
            case (2, body):
                return server_hello(body)
            case (kind, _):
                return Unreadable("garbage", f"handshake message {kind} instead of a ServerHello")
            case found:
                return found


def _no_record(data: bytes) -> Unreadable:
    """What begins like no alert and no handshake record."""
    excerpt = data[:64]
    if data[0] in (0x14, 0x17):
        return Unreadable("garbage", f"a record of type {data[0]} instead of a ServerHello", excerpt)
    if all(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in excerpt):
        return Unreadable("plaintext", "text of another protocol", excerpt)
    return Unreadable("garbage", "not a TLS record", excerpt)


class Cursor:
    """Reads fields from the front of a message; every method returns None past its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes | None:
        """So many bytes."""
        if self.at + length > len(self.data):
            return None
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, width: int) -> int | None:
        """A number of so many bytes."""
        field = self.take(width)
        return None if field is None else int.from_bytes(field, "big")

    def vector(self, width: int) -> bytes | None:
        """What stands behind its length of so many bytes."""
        length = self.number(width)
        return None if length is None else self.take(length)

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.at


def server_hello(body: bytes) -> ServerHello | Unreadable:
    """The body of a ServerHello or HelloRetryRequest, RFC 5246 §7.4.1.3 and RFC 8446 §4.1.3."""
    cursor = Cursor(body)
    code, nonce, session = cursor.number(2), cursor.take(32), cursor.vector(1)
    suite, compression = cursor.number(2), cursor.number(1)
    broken = Unreadable("garbage", "a malformed ServerHello")
    if code is None or session is None or len(session) > 32 or suite is None or compression is None:
        return broken
    extensions = _read_extensions(cursor)
    if extensions is None:
        return broken
    retry = nonce == _HELLO_RETRY_REQUEST
    selected = extensions.get(43)
    if selected is not None:
        # supported_versions in a ServerHello chooses TLS 1.3 and nothing older (RFC 8446 §4.2.1).
        if code != CODES["TLSv1.2"] or selected != CODES["TLSv1.3"].to_bytes(2, "big"):
            return Unreadable("garbage", "a ServerHello that chooses an unknown version")
        group = _key_share_group(extensions.get(51), retry)
        return ServerHello("TLSv1.3", suite, group, retry, compression, extensions)
    version = _BY_CODE.get(code)
    if version is None or version == "TLSv1.3" or retry:
        return Unreadable("garbage", "a ServerHello that chooses an unknown version")
    return ServerHello(version, suite, compression=compression, extensions=extensions)


def _read_extensions(cursor: Cursor) -> dict[int, bytes] | None:
    """The rest of a ServerHello: extensions by number, {} when there are none, None when malformed."""
    if cursor.left == 0:
        return {}
    block = cursor.vector(2)
    if block is None or cursor.left:
        return None
    inner = Cursor(block)
    extensions: dict[int, bytes] = {}
    while inner.left:
        kind, data = inner.number(2), inner.vector(2)
        if kind is None or data is None or kind in extensions:
            return None
        extensions[kind] = data
    return extensions


def _key_share_group(data: bytes | None, retry: bool) -> int | None:
    """The group of a key_share: alone in a HelloRetryRequest, before the key in a ServerHello (RFC 8446 §4.2.8)."""
    if data is None or len(data) < 2 or (retry and len(data) != 2):
        return None
    return int.from_bytes(data[:2], "big")
