"""A server's side of one connection, plain at first, TLS on demand.

TLS runs over memory BIOs instead of asyncio's own transport because asyncio drops a failed handshake without sending
the alert that says why, and that alert is what a prober takes for evidence. Here every alert is sent, and the
connection is closed gently enough for the peer to read it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Literal

from OpenSSL import SSL

from mailrubric.lab.authority import Identity

TLSVersion = Literal["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]

_VERSIONS: dict[TLSVersion, int] = {
    "TLSv1.0": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}
# At security level 0 OpenSSL still speaks TLS 1.0 and 1.1 (their hash is below its level 1).
_OLD_CIPHERS = b"ALL:!aNULL:!eNULL@SECLEVEL=0"
_NEW_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

LINE_BYTES = 4096
"""A longer line ends the connection."""
IDLE_SECONDS = 30.0
"""A peer that is silent for longer loses the connection."""
LINGER_SECONDS = 1.0
"""How long a closing server waits for its peer to close too, so that the last bytes are not lost to a reset."""


class Closed(Exception):
    """The peer went away, fell silent, sent a line that is too long, or its TLS failed."""


def server_context(
    identity: Identity,
    *,
    oldest: TLSVersion = "TLSv1.2",
    newest: TLSVersion = "TLSv1.3",
    alpn: Sequence[str] = (),
) -> SSL.Context:
    """A TLS server's settings: its identity, the versions it accepts, and the protocols it prefers (RFC 7301)."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(_VERSIONS[oldest])
    context.set_max_proto_version(_VERSIONS[newest])
    context.set_cipher_list(_OLD_CIPHERS if oldest in ("TLSv1.0", "TLSv1.1") else _NEW_CIPHERS)
    context.use_certificate(identity.chain[0])
    for certificate in identity.chain[1:]:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(identity.key)
    if alpn:
        preferred = [name.encode("ascii") for name in alpn]

        def choose(_: SSL.Connection, offered: list[bytes]) -> Any:
            # Without overlap the handshake goes on, and the peer speaks the protocol's default.
            return next((name for name in preferred if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

        context.set_alpn_select_callback(choose)
    return context


class Stream:
    """Lines and bytes over one accepted connection. Every method raises ``Closed`` when the peer is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tls: SSL.Connection | None = None
        self._buffer = bytearray()

    @property
    def encrypted(self) -> bool:
        """Whether TLS has begun."""
        return self._tls is not None

    async def read(self) -> bytes:
        """Some bytes, b"" at the end of the stream."""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        return await self._decrypted()

    async def read_line(self) -> bytes:
        """One line without its line end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_BYTES:
                raise Closed("line too long")
            data = await self._decrypted()
            if not data:
                raise Closed("end of stream")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    async def skip(self, count: int) -> None:
        """Read ``count`` bytes and throw them away."""
        while count > 0:
            data = await self.read()
            if not data:
                raise Closed("end of stream")
            self._buffer += data[count:]
            count -= len(data)

    async def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        if self._tls is None:
            self._writer.write(data)
        else:
            try:
                self._tls.sendall(data)
            except SSL.Error as error:
                raise Closed(f"TLS: {error!r}") from error
            self._pass_on()
        await self._drain()

    async def write_line(self, *lines: str) -> None:
        """Send lines in one segment, each with CRLF."""
        await self.write("".join(f"{line}\r\n" for line in lines).encode("utf-8"))

    async def start_tls(self, context: SSL.Context) -> str:
        """The server's side of a handshake; the protocol agreed on by ALPN, "" without.

        Plain text that came too early is forgotten, never read as if it had come over TLS (RFC 3207 §6).
        """
        self._buffer.clear()
        tls = SSL.Connection(context, None)
        tls.set_accept_state()
        self._tls = tls
        while True:
            try:
                tls.do_handshake()
            except SSL.WantReadError:
                self._pass_on()
                await self._drain()
                data = await self._receive()
                if not data:
                    raise Closed("end of stream in the TLS handshake") from None
                tls.bio_write(data)
            except SSL.Error as error:
                self._pass_on()  # the alert
                raise Closed(f"TLS handshake: {error!r}") from error
            else:
                self._pass_on()
                await self._drain()
                return tls.get_alpn_proto_negotiated().decode("ascii")

    async def close(self) -> None:
        """Say goodbye (close_notify), send what is left, wait briefly for the peer, and close. Never raises."""
        if self._writer.transport.is_closing():
            return
        try:
            if self._tls is not None:
                with contextlib.suppress(SSL.Error):  # a handshake that never ended leaves nothing to say goodbye to
                    self._tls.shutdown()
                self._pass_on()
            if self._writer.can_write_eof():
                self._writer.write_eof()
            async with asyncio.timeout(LINGER_SECONDS):
                while await self._reader.read(65536):
                    pass
        except (OSError, TimeoutError):
            pass  # the peer has gone or does not want to go: closing is all that is left
        finally:
            self._writer.transport.abort()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    async def _decrypted(self) -> bytes:
        if self._tls is None:
            return await self._receive()
        while True:
            try:
                return self._tls.recv(65536)
            except SSL.WantReadError:
                self._pass_on()
                await self._drain()
                data = await self._receive()
                if not data:
                    return b""
                self._tls.bio_write(data)
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                self._pass_on()
                raise Closed(f"TLS: {error!r}") from error

    async def _receive(self) -> bytes:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._reader.read(65536)
        except TimeoutError:
            raise Closed("silent for too long") from None
        except OSError as error:
            raise Closed(str(error)) from error

    def _pass_on(self) -> None:
        """Move what TLS wants to send to the socket."""
        assert self._tls is not None
        while True:
            try:
                self._writer.write(self._tls.bio_read(65536))
            except SSL.Error:  # WantReadError: nothing more to send
                return

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except OSError as error:
            raise Closed(str(error)) from error
