"""A small SMTP server (RFC 5321) whose manners are told to it.

It answers every command politely and forgets every message: nothing is stored, nothing is sent on.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses

from OpenSSL import SSL

from mailrubric.lab.stream import Stream

LAB_ACCOUNT = ("lab", "lab")
"""The one name and password that AUTH PLAIN and LOGIN accept."""
_MAXIMUM_COMMANDS = 1000
_CHUNK_BYTES = 64 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class SMTPService:
    """How one SMTP server behaves.

    ``extensions``: EHLO lines offered at any time; ``only_plain`` before TLS alone, ``only_tls`` after it alone.
    ``greeting``: its lines without the code. ``rejection``: a whole reply said in place of the greeting.
    ``delay``: seconds of silence before the greeting.
    ``needs_tls``: 530 to MAIL and AUTH before TLS (RFC 3207 §4).
    ``needs_login``: 530 to MAIL before AUTH (RFC 4954 §6).
    ``domains``: the only recipient domains accepted; empty accepts all.
    """

    name: str
    extensions: tuple[str, ...] = ()
    only_plain: tuple[str, ...] = ()
    only_tls: tuple[str, ...] = ()
    greeting: tuple[str, ...] = ()
    rejection: str = ""
    delay: float = 0.0
    needs_tls: bool = False
    needs_login: bool = False
    domains: tuple[str, ...] = ()

    def offered(self, encrypted: bool) -> tuple[str, ...]:
        """The EHLO lines at this moment."""
        return self.extensions + (self.only_tls if encrypted else self.only_plain)


class SMTPSession:
    """One conversation."""

    def __init__(self, service: SMTPService, stream: Stream, context: SSL.Context | None) -> None:
        self._service = service
        self._stream = stream
        self._context = context
        self._authenticated = False
        self._sender: str | None = None
        self._recipients = 0

    async def run(self) -> None:
        """Greet, answer commands until QUIT, end of stream or too many commands."""
        service, stream = self._service, self._stream
        if service.delay:
            await asyncio.sleep(service.delay)
        if service.rejection:
            await stream.write_line(service.rejection)
            return
        await self._reply(220, *(service.greeting or (f"{service.name} ESMTP Mailrubric lab",)))
        for _ in range(_MAXIMUM_COMMANDS):
            line = (await stream.read_line()).decode("utf-8", "replace")
            verb, _, argument = line.strip().partition(" ")
            match verb.upper():
                case "QUIT":
                    await self._reply(221, "2.0.0 goodbye")
                    return
                case "EHLO":
                    await self._ehlo(argument)
                case "HELO":
                    self._reset()
                    await self._reply(250, service.name)
                case "STARTTLS":
                    await self._starttls()
                case "AUTH":
                    await self._auth(argument)
                case "MAIL":
                    await self._mail(argument)
                case "RCPT":
                    await self._rcpt(argument)
                case "DATA":
                    await self._data()
                case "BDAT":
                    await self._bdat(argument)
                case "RSET":
                    self._reset()
                    await self._reply(250, "2.0.0 forgotten")
                case "NOOP":
                    await self._reply(250, "2.0.0 nothing done")
                case "VRFY":
                    await self._reply(252, "2.5.0 try to send something")
                case "HELP":
                    await self._reply(214, "2.0.0 a server of the Mailrubric lab; see docs/lab.md")
                case _:
                    await self._reply(500, "5.5.1 command not known")
        await self._reply(421, "4.7.0 too many commands")

    def _offers(self, keyword: str) -> bool:
        return any(line.split()[0].upper() == keyword for line in self._service.offered(self._stream.encrypted))

    def _reset(self) -> None:
        self._sender = None
        self._recipients = 0

    async def _reply(self, code: int, *lines: str) -> None:
        last = len(lines) - 1
        await self._stream.write_line(
            *(f"{code}{' ' if number == last else '-'}{line}" for number, line in enumerate(lines))
        )

    async def _ehlo(self, argument: str) -> None:
        if not argument.strip():
            await self._reply(501, "5.5.4 EHLO needs a name")
            return
        self._reset()
        await self._reply(250, self._service.name, *self._service.offered(self._stream.encrypted))

    async def _starttls(self) -> None:
        if self._context is None or not self._offers("STARTTLS"):
            await self._reply(502, "5.5.1 STARTTLS is not offered")
            return
        await self._reply(220, "2.0.0 go ahead")
        await self._stream.start_tls(self._context)
        self._authenticated = False  # RFC 3207 §4.2: all that was said before is forgotten
        self._reset()

    async def _auth(self, argument: str) -> None:
        mechanism, _, initial = argument.strip().partition(" ")
        offered = next(
            (line.upper().split()[1:] for line in self._service.offered(self._stream.encrypted) if line[:5] == "AUTH "),
            [],
        )
        if not offered:
            must_encrypt = self._service.needs_tls and not self._stream.encrypted
            reply = (530, "5.7.0 Must issue a STARTTLS command first") if must_encrypt else (502, "5.5.1 not offered")
            await self._reply(*reply)
            return
        if mechanism.upper() not in offered:
            await self._reply(504, "5.5.4 mechanism not known")
            return
        answers = [initial.strip()] if initial.strip() else [await self._ask("")]
        if mechanism.upper() == "LOGIN":
            answers.append(await self._ask("UGFzc3dvcmQ6"))  # "Password:"
        self._authenticated = _is_lab_account(mechanism.upper(), answers)
        if self._authenticated:
            await self._reply(235, "2.7.0 welcome to the lab")
        else:
            await self._reply(535, "5.7.8 the lab knows one account only, and not by this")

    async def _ask(self, challenge: str) -> str:
        await self._reply(334, challenge)
        return (await self._stream.read_line()).decode("ascii", "replace").strip()

    async def _mail(self, argument: str) -> None:
        service = self._service
        if service.needs_tls and not self._stream.encrypted:
            await self._reply(530, "5.7.0 Must issue a STARTTLS command first")
        elif service.needs_login and not self._authenticated:
            await self._reply(530, "5.7.0 Authentication required")
        elif not argument.upper().startswith("FROM:"):
            await self._reply(501, "5.5.4 MAIL FROM:<address>")
        else:
            self._reset()
            self._sender = argument[5:].strip()
            await self._reply(250, "2.1.0 sender fine")

    async def _rcpt(self, argument: str) -> None:
        if self._sender is None:
            await self._reply(503, "5.5.1 MAIL first")
            return
        if not argument.upper().startswith("TO:"):
            await self._reply(501, "5.5.4 RCPT TO:<address>")
            return
        address = argument[3:].strip().split(">")[0].lstrip("<")
        domain = address.rpartition("@")[2].lower()
        if self._service.domains and domain not in self._service.domains:
            await self._reply(550, "5.7.1 no relaying")
            return
        self._recipients += 1
        await self._reply(250, "2.1.5 recipient fine")

    async def _data(self) -> None:
        if not self._recipients:
            await self._reply(503, "5.5.1 RCPT first")
            return
        await self._reply(354, "end with a single dot")
        while await self._stream.read_line() != b".":
            pass
        self._reset()
        await self._reply(250, "2.0.0 accepted, and thrown away: this is a lab")

    async def _bdat(self, argument: str) -> None:
        """BDAT size [LAST] (RFC 3030). The octets follow whatever the reply will be, so they are always read."""
        size, _, last = argument.strip().partition(" ")
        if not (size.isascii() and size.isdigit()) or int(size) > _CHUNK_BYTES:
            await self._reply(501, "5.5.4 BDAT size")
            return
        await self._stream.skip(int(size))
        if not self._offers("CHUNKING"):
            await self._reply(502, "5.5.1 CHUNKING is not offered")
        elif not self._recipients:
            await self._reply(503, "5.5.1 RCPT first")
        elif last.strip().upper() == "LAST":
            self._reset()
            await self._reply(250, "2.0.0 accepted, and thrown away: this is a lab")
        else:
            await self._reply(250, f"2.0.0 {size} octets")


def _is_lab_account(mechanism: str, answers: list[str]) -> bool:
    try:
        decoded = [base64.b64decode(answer, validate=True).decode("utf-8") for answer in answers]
    except (binascii.Error, UnicodeDecodeError):
        return False
    if mechanism == "PLAIN":
        return tuple(decoded[0].split("\0")[1:]) == LAB_ACCOUNT
    return mechanism == "LOGIN" and tuple(decoded) == LAB_ACCOUNT
