"""SSL 2.0, which has a record format and a hello of its own (draft-hickman-netscape-ssl-00), so that a server has to be
asked for it apart. A server that still answers endangers every other one with the same key (RFC 6176, CVE-2016-0800).

The reader takes whatever bytes come; nothing raises on hostile ones.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from probes.hello import Alert, AnswerReader, ServerHello, Unreadable
from probes.model import Endpoint, Unmeasured

if TYPE_CHECKING:
    from probes.network import Network

_KINDS: dict[int, str] = {
    0x010080: "SSL_CK_RC4_128_WITH_MD5", 0x020080: "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
    0x030080: "SSL_CK_RC2_128_CBC_WITH_MD5", 0x040080: "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
    0x050080: "SSL_CK_IDEA_128_CBC_WITH_MD5", 0x060040: "SSL_CK_DES_64_CBC_WITH_MD5",
    0x0700C0: "SSL_CK_DES_192_EDE3_CBC_WITH_MD5", 0x080080: "SSL_CK_RC4_64_WITH_MD5",
}  # fmt: skip
_MAXIMUM = 32 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class ServerHello2:
    """The server speaks SSL 2.0. ``ciphers``: names of the cipher kinds that it accepts out of ours; unknown ones as
    numbers. A server without any speaks the protocol all the same (CVE-2015-3197: it may use one regardless)."""

    ciphers: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Error2:
    """The server speaks SSL 2.0 and refuses. ``code``: 1 is "no cipher"."""

    code: int


Answer2 = ServerHello2 | Error2 | Alert | Unreadable


def describe2(answer: Answer2) -> str:
    """An answer as a line of the transcript."""
    match answer:
        case ServerHello2():
            return f"SERVER-HELLO of SSL 2.0, {', '.join(answer.ciphers) or 'no cipher kind'}"
        case Error2():
            return f"error {answer.code} of SSL 2.0"
        case Alert():
            return f"alert {answer.name}"
        case _:
            return answer.why


def client_hello2(random: Callable[[int], bytes] = os.urandom) -> bytes:
    """A CLIENT-HELLO of SSL 2.0 that offers every cipher kind."""
    kinds = b"".join(kind.to_bytes(3, "big") for kind in _KINDS)
    body = b"\x01\x00\x02" + len(kinds).to_bytes(2, "big") + b"\x00\x00" + b"\x00\x10" + kinds + random(16)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


class Reader2:
    """Reads the answer as the bytes arrive; ``feed`` returns it once there is one, else None. A server without SSL 2.0
    may answer with an alert of a later version."""

    def __init__(self) -> None:
        self._data = b""
        self._later: AnswerReader | None = None

    @property
    def received(self) -> int:
        """How many bytes came before an alert."""
        return len(self._data)

    @property
    def warning(self) -> Alert | None:
        """The last warning alert that was passed over."""
        return None if self._later is None else self._later.warning

    def feed(self, data: bytes) -> Answer2 | None:
        """Take the next bytes."""
        if self._later is not None:
            return _of_later_version(self._later, data)
        self._data += data[: _MAXIMUM + 1]
        if not self._data:
            return None
        if self._data[0] in (0x15, 0x16):
            self._later = AnswerReader()
            return _of_later_version(self._later, self._data)
        return self._read()

    def _read(self) -> Answer2 | None:
        data = self._data
        if not data[0] & 0x80:  # a header of three bytes is for padding, which nothing in plain text needs
            return Unreadable("garbage", "no record of SSL 2.0", data[:64])
        if len(data) < 3:
            return None
        length = (data[0] & 0x7F) << 8 | data[1]
        if data[2] not in (0, 4):
            return Unreadable("garbage", f"message {data[2]} of SSL 2.0 instead of a SERVER-HELLO", data[:64])
        if len(data) < 2 + length:
            return None
        body = data[2 : 2 + length]
        if body[:1] == b"\x00" and length == 3:
            return Error2(int.from_bytes(body[1:], "big"))
        return _server_hello(body) or Unreadable("garbage", "a malformed SERVER-HELLO of SSL 2.0", data[:64])


def _of_later_version(reader: AnswerReader, data: bytes) -> Answer2 | None:
    answer = reader.feed(data)
    if isinstance(answer, ServerHello):
        return Unreadable("garbage", f"a ServerHello of {answer.version} in answer to a hello of SSL 2.0")
    return answer


def _server_hello(body: bytes) -> ServerHello2 | None:
    """Type, session id hit, certificate type, version, three lengths, certificate, cipher kinds, connection id."""
    if len(body) < 11 or body[0] != 4 or body[3:5] != b"\x00\x02":
        return None
    certificate, kinds, connection = (int.from_bytes(body[at : at + 2], "big") for at in (5, 7, 9))
    if len(body) != 11 + certificate + kinds + connection or kinds % 3:
        return None
    listed = body[11 + certificate : 11 + certificate + kinds]
    codes = [int.from_bytes(listed[at : at + 3], "big") for at in range(0, kinds, 3)]
    return ServerHello2(tuple(_KINDS.get(code, f"0x{code:06X}") for code in codes))


async def ask_sslv2(endpoint: Endpoint, network: Network) -> Answer2 | Unmeasured:
    """Send a hello of SSL 2.0 on a connection of its own and read the answer; ``Unmeasured`` when none came.

    Raises ``Unmeasured`` when no hello could be sent.
    """
    from probes.flight import AnswerTaker, ask

    shown = "(CLIENT-HELLO of SSL 2.0)"
    hello = client_hello2(lambda size: network.random(shown, size))
    reader: AnswerTaker[Answer2] = Reader2()
    return await ask(endpoint, network, hello, reader, describe2, shown)
