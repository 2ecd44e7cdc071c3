"""A submission server on loopback with TLS and logins, which can be told to misbehave at one reply of a session.

It takes PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256, OAUTHBEARER and XOAUTH2, checks what it is told, and keeps what it was
sent. The certificate is for 127.0.0.1, from ``tests.hostile.server.authority``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable

from tests.probes.misbehaving import PASSWORD, TOKEN, USER, Gone, Misbehaving, Session, serving

SALT, ITERATIONS = b"salt-and-pepper", 4096


@dataclasses.dataclass
class Server(Misbehaving):
    """How the server behaves, and what it has seen. ``instead``: after TLS alone. ``echo``: every reply repeats all
    that was sent so far, as it came and decoded. ``signs``: whether SCRAM ends with a right signature."""

    implicit: bool = False
    mechanisms: str = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 XOAUTH2 OAUTHBEARER"
    extensions: tuple[str, ...] = ("SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES")
    starttls: bool = True
    recipient: Callable[[str], str] = lambda path: "250 2.1.5 ok"
    signs: bool = True
    echo: bool = False

    said: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """(what is answered, reply), numbered from 1."""
    delivered: list[bytes] = dataclasses.field(default_factory=list)


@contextlib.asynccontextmanager
async def serve(server: Server) -> AsyncIterator[Server]:
    async with serving(server, lambda reader, writer: _Connection(server, reader, writer)):
        yield server


class _Connection(Session):
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(server, reader, writer)
        self._server = server

    async def run(self) -> None:
        if self._server.implicit:
            await self._start_tls()
        await self._reply("greeting", "220 own.test ESMTP")
        while True:
            line = await self._line()
            verb, _, rest = line.partition(" ")
            instead = self._server.instead.get(verb.upper()) if self._tls or verb.upper() == "STARTTLS" else None
            if instead is not None:
                await self._reply(verb.upper(), instead)
                continue
            match verb.upper():
                case "EHLO":
                    await self._reply("EHLO", self._listing())
                case "STARTTLS":
                    await self._reply("STARTTLS", "220 2.0.0 go")
                    await self._start_tls()
                case "AUTH":
                    await self._auth(*rest.split())
                case "MAIL" | "RCPT" | "DATA" if not self._in:
                    await self._reply(verb.upper(), "530 5.7.0 Authentication required")
                case "MAIL":
                    await self._reply("MAIL", "250 2.1.0 ok")
                case "RCPT":
                    await self._reply("RCPT", self._server.recipient(rest))
                case "DATA":
                    await self._reply("DATA", "354 go on")
                    text = await self._reader.readuntil(b"\r\n.\r\n")
                    reply = self._server.instead.get("TEXT", "250 2.0.0 Ok: queued as 4ZABCD1234")
                    if reply.startswith("250"):
                        self._server.delivered.append(text)
                    await self._reply("TEXT", reply)
                case "RSET":
                    await self._reply("RSET", "250 2.0.0 ok")
                case "QUIT":
                    await self._reply("QUIT", "221 2.0.0 bye")
                    return
                case _:
                    await self._reply(verb, "500 5.5.1 what?")

    def _listing(self) -> str:
        lines = ["own.test", *self._server.extensions]
        if self._tls:
            lines += [f"AUTH {self._server.mechanisms}"]
        elif self._server.starttls:
            lines += ["STARTTLS"]
        *more, last = lines
        return "".join(f"250-{each}\r\n" for each in more) + f"250 {last}"

    # -- logins -------------------------------------------------------------------------------------------------------

    async def _auth(self, mechanism: str, initial: str | None = None) -> None:
        methods = {
            "PLAIN": self._plain,
            "LOGIN": self._login,
            "CRAM-MD5": self._cram,
            "SCRAM-SHA-256": self._scram,
            "XOAUTH2": self._bearer,
            "OAUTHBEARER": self._bearer,
        }
        first = None if initial is None else base64.b64decode("" if initial == "=" else initial)
        if await methods[mechanism](first):
            self._in = True
            await self._reply("AUTH done", "235 2.7.0 welcome")
        else:
            await self._reply("AUTH done", "535 5.7.8 no")

    async def _ask(self, challenge: bytes) -> bytes:
        await self._reply("AUTH", "334 " + base64.b64encode(challenge).decode())
        line = await self._line()
        if line == "*":
            await self._reply("AUTH", "501 5.7.0 cancelled")
            raise Gone
        return base64.b64decode(line)

    async def _plain(self, first: bytes | None) -> bool:
        return (await self._ask(b"") if first is None else first) == f"\0{USER}\0{PASSWORD}".encode()

    async def _login(self, first: bytes | None) -> bool:
        return [await self._ask(b"Username:"), await self._ask(b"Password:")] == [USER.encode(), PASSWORD.encode()]

    async def _cram(self, first: bytes | None) -> bool:
        challenge = b"<1.2@own.test>"
        digest = hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest()
        return await self._ask(challenge) == f"{USER} {digest}".encode()

    async def _scram(self, first: bytes | None) -> bool:
        bare = (await self._ask(b"") if first is None else first).decode().removeprefix("n,,")
        nonce = bare.partition("r=")[2] + "server"
        server_first = f"r={nonce},s={base64.b64encode(SALT).decode()},i={ITERATIONS}"
        final = (await self._ask(server_first.encode())).decode()
        without, _, proof = final.rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, ITERATIONS)
        everything = f"{bare},{server_first},{without}".encode()
        client_key = hmac.new(salted, b"Client Key", "sha256").digest()
        signature = hmac.new(hashlib.sha256(client_key).digest(), everything, "sha256").digest()
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.new(salted, b"Server Key", "sha256").digest()
        signed = hmac.new(server_key, everything if self._server.signs else b"?", "sha256").digest()
        if base64.b64decode(proof) != expected:
            return False
        return await self._ask(b"v=" + base64.b64encode(signed)) == b""

    async def _bearer(self, first: bytes | None) -> bool:
        sent = await self._ask(b"") if first is None else first
        if f"auth=Bearer {TOKEN}\x01".encode() in sent and USER.encode() in sent:
            return True
        await self._ask(b'{"status":"invalid_token"}')
        return False

    # -- lines --------------------------------------------------------------------------------------------------------

    def _echo(self) -> str:
        """All that was said, in every form, in one line."""
        said = " ".join(self._server.lines)
        for word in re.findall(r"[A-Za-z0-9+/]{8,}=*", said):
            with contextlib.suppress(ValueError):
                said += " " + base64.b64decode(word).decode("latin-1").replace("\0", " ").replace("\x01", " ")
        return re.sub(r"[^ -~]", "?", said)[-3000:]

    async def _reply(self, to: str, reply: str) -> None:
        server = self._server
        server.said.append((to, reply))
        if server.echo and not reply.startswith("334"):
            *more, last = reply.split("\r\n")
            reply = "\r\n".join([*more, f"{last[:3]}-{last[4:]}", f"{last[:3]} {self._echo()}"])
        await self._answer(reply.encode() + b"\r\n")
