"""An IMAP server on loopback with TLS, a login and folders, which can be told to misbehave at one reply of a run."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import re
from collections.abc import AsyncIterator

from tests.probes.misbehaving import PASSWORD, TOKEN, USER, Gone, Misbehaving, Session, serving


@dataclasses.dataclass
class Mail:
    """A message in a folder, there from ``after`` so many searches on."""

    headers: bytes
    folder: str = "INBOX"
    internal: str = "23-Nov-2026 06:00:02 +0000"
    after: int = 0
    labels: str = ""


@dataclasses.dataclass
class Mailbox(Misbehaving):
    """How the server behaves, and what it was told. ``folders``: lines of LIST. ``instead``: ``{tag}`` stands for the
    command's tag. ``lines``: those that came under TLS."""

    implicit: bool = True
    capabilities: str = "IMAP4rev1 SASL-IR IDLE AUTH=PLAIN AUTH=LOGIN SPECIAL-USE LIST-EXTENDED"
    folders: tuple[str, ...] = (
        '(\\HasNoChildren) "/" INBOX',
        '(\\HasNoChildren \\Junk) "/" "Junk"',
        '(\\HasNoChildren \\Sent) "/" "Sent"',
        '(\\HasNoChildren) "/" "Some \\"list\\""',
        '(\\HasChildren \\Noselect) "/" "nothing"',
    )
    mails: list[Mail] = dataclasses.field(default_factory=list)
    flood: int = 100_000
    greeting: str = "* OK ready"
    extra: str = ""
    """Untagged lines before every answer."""

    searches: int = 0
    said: list[str] = dataclasses.field(default_factory=list)
    early: list[str] = dataclasses.field(default_factory=list)
    """Lines that came before TLS."""


@contextlib.asynccontextmanager
async def serve(mailbox: Mailbox) -> AsyncIterator[Mailbox]:
    async with serving(mailbox, lambda reader, writer: _Connection(mailbox, reader, writer)):
        yield mailbox


class _Connection(Session):
    def __init__(self, mailbox: Mailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(mailbox, reader, writer)
        self._box = mailbox
        self._folder = ""

    async def run(self) -> None:
        if self._box.implicit:
            await self._start_tls()
        await self._reply("greeting", self._box.greeting + "\r\n")
        while True:
            line = await self._line()
            tag, _, command = line.partition(" ")
            verb, _, rest = command.partition(" ")
            if verb == "UID":
                verb, _, rest = rest.partition(" ")
            instead = self._box.instead.get(verb)
            if instead is not None:
                await self._reply(verb, instead.format(tag=tag) + "\r\n")
                continue
            match verb:
                case "CAPABILITY":
                    listed = self._box.capabilities if self._tls else "IMAP4rev1 STARTTLS LOGINDISABLED"
                    await self._ok(tag, verb, f"* CAPABILITY {listed}\r\n")
                case "STARTTLS":
                    await self._ok(tag, verb)
                    await self._start_tls()
                case "AUTHENTICATE":
                    await self._authenticate(tag, *rest.split())
                case "LOGIN":
                    self._in = rest == f'"{USER}" "{PASSWORD}"'
                    await self._logged(tag, verb)
                case "LOGOUT":
                    await self._ok(tag, verb, "* BYE bye\r\n")
                    return
                case _ if not self._in:
                    await self._reply(verb, f"{tag} BAD log in first\r\n")
                case "LIST":
                    await self._ok(tag, verb, "".join(f"* LIST {each}\r\n" for each in self._box.folders))
                case "EXAMINE":
                    self._folder = re.sub(r"\\(.)", r"\1", rest[1:-1])
                    await self._ok(tag, verb, "* 3 EXISTS\r\n* FLAGS (\\Seen)\r\n")
                case "SEARCH":
                    self._box.searches += 1
                    found = re.search(r'SUBJECT "(\w+)"', rest)
                    assert found is not None
                    numbers = [
                        number
                        for number, mail in enumerate(self._box.mails, 1)
                        if mail.folder == self._folder
                        and mail.after < self._box.searches
                        and found[1].encode() in mail.headers
                    ]
                    await self._ok(tag, verb, f"* SEARCH {' '.join(map(str, numbers))}".rstrip() + "\r\n")
                case "FETCH":
                    data = b"".join(self._fetched(int(number)) for number in rest.split()[0].split(","))
                    await self._reply(verb, data + f"{tag} OK done\r\n".encode())
                case "IDLE":
                    await self._reply(verb, "+ idling\r\n")
                    assert (await self._line()) == "DONE"
                    await self._ok(tag, "DONE")
                case _:
                    await self._reply(verb, f"{tag} BAD what?\r\n")

    def _fetched(self, number: int) -> bytes:
        mail = self._box.mails[number - 1]
        labels = f" X-GM-LABELS ({mail.labels})" if "X-GM-EXT-1" in self._box.capabilities else ""
        head = f'* {number} FETCH (UID {number} INTERNALDATE "{mail.internal}"{labels} BODY[HEADER]<0> '
        return f"{head}{{{len(mail.headers)}}}\r\n".encode() + mail.headers + b")\r\n"

    async def _authenticate(self, tag: str, mechanism: str, initial: str | None = None) -> None:
        async def ask(challenge: bytes) -> bytes:
            await self._reply("challenge", "+ " + base64.b64encode(challenge).decode() + "\r\n")
            line = await self._line()
            if line == "*":
                await self._reply("AUTHENTICATE", f"{tag} BAD cancelled\r\n")
                raise Gone
            return base64.b64decode(line)

        match mechanism:
            case "PLAIN":
                first = await ask(b"") if initial is None else base64.b64decode(initial)
                self._in = first == f"\0{USER}\0{PASSWORD}".encode()
            case "LOGIN":
                self._in = [await ask(b"Username:"), await ask(b"Password:")] == [USER.encode(), PASSWORD.encode()]
            case "XOAUTH2":
                first = await ask(b"") if initial is None else base64.b64decode(initial)
                self._in = f"auth=Bearer {TOKEN}\x01".encode() in first
                if not self._in:
                    await ask(b'{"status":"400"}')
        await self._logged(tag, "AUTHENTICATE")

    async def _logged(self, tag: str, verb: str) -> None:
        said = " ".join(self._box.lines)[-200:]
        if self._in:
            await self._ok(tag, verb)
        else:
            await self._reply(verb, f"{tag} NO [AUTHENTICATIONFAILED] no, you said {said}\r\n")

    async def _ok(self, tag: str, verb: str, untagged: str = "") -> None:
        await self._reply(verb, f"{self._box.extra}{untagged}{tag} OK done\r\n")

    def _hear(self, line: str) -> None:
        (self._box.lines if self._tls else self._box.early).append(line)

    async def _reply(self, verb: str, reply: str | bytes) -> None:
        self._box.said.append(verb)
        await self._answer(reply if isinstance(reply, bytes) else reply.encode())


def today() -> str:
    """INTERNALDATE of now."""
    return datetime.datetime.now(datetime.UTC).strftime("%d-%b-%Y %H:%M:%S +0000")
