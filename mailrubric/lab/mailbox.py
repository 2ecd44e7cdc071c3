"""Small IMAP (RFC 9051), POP3 (RFC 1939) and ManageSieve (RFC 5804) servers: greeting, capabilities, TLS, goodbye.

There are no mailboxes in them: whoever logs in is turned away.
"""

from __future__ import annotations

import dataclasses

from OpenSSL import SSL

from mailrubric.lab.stream import Stream

_MAXIMUM_COMMANDS = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class IMAPService:
    """An IMAP server. ``plain``: capabilities before TLS, ``encrypted``: after it."""

    name: str
    plain: tuple[str, ...] = ("IMAP4rev2", "IMAP4rev1", "ID", "LITERAL+", "STARTTLS", "LOGINDISABLED")
    encrypted: tuple[str, ...] = (
        "IMAP4rev2", "IMAP4rev1", "ID", "LITERAL+", "IDLE", "QUOTA", "CONDSTORE", "AUTH=PLAIN", "AUTH=OAUTHBEARER",
    )  # fmt: skip

    async def run(self, stream: Stream, context: SSL.Context | None) -> None:
        """Greet and answer until LOGOUT."""

        def capabilities() -> str:
            return " ".join(self.encrypted if stream.encrypted else self.plain)

        await stream.write_line(f"* OK [CAPABILITY {capabilities()}] {self.name} Mailrubric lab ready")
        for _ in range(_MAXIMUM_COMMANDS):
            line = (await stream.read_line()).decode("utf-8", "replace").strip()
            tag, _, rest = line.partition(" ")
            verb = rest.partition(" ")[0].upper()
            match verb:
                case "CAPABILITY":
                    await stream.write_line(f"* CAPABILITY {capabilities()}", f"{tag} OK done")
                case "ID":
                    await stream.write_line('* ID ("name" "Mailrubric lab")', f"{tag} OK done")
                case "NOOP":
                    await stream.write_line(f"{tag} OK done")
                case "STARTTLS" if context is not None and "STARTTLS" in capabilities().split():
                    await stream.write_line(f"{tag} OK begin TLS now")
                    await stream.start_tls(context)
                case "LOGIN" | "AUTHENTICATE":
                    code = "AUTHENTICATIONFAILED" if stream.encrypted else "PRIVACYREQUIRED"
                    await stream.write_line(f"{tag} NO [{code}] the lab has no mailboxes")
                case "LOGOUT":
                    await stream.write_line("* BYE goodbye", f"{tag} OK done")
                    return
                case _:
                    await stream.write_line(f"{tag or '*'} BAD command not known")
        await stream.write_line("* BYE too many commands")


@dataclasses.dataclass(frozen=True, slots=True)
class POP3Service:
    """A POP3 server. ``plain``: CAPA lines before TLS, ``encrypted``: after it."""

    name: str
    plain: tuple[str, ...] = ("TOP", "UIDL", "RESP-CODES", "PIPELINING", "STLS")
    encrypted: tuple[str, ...] = ("TOP", "UIDL", "RESP-CODES", "PIPELINING", "USER", "SASL PLAIN OAUTHBEARER")

    async def run(self, stream: Stream, context: SSL.Context | None) -> None:
        """Greet and answer until QUIT."""
        await stream.write_line(f"+OK {self.name} Mailrubric lab ready")
        for _ in range(_MAXIMUM_COMMANDS):
            line = (await stream.read_line()).decode("utf-8", "replace").strip()
            capabilities = self.encrypted if stream.encrypted else self.plain
            match line.partition(" ")[0].upper():
                case "CAPA":
                    await stream.write_line("+OK capabilities follow", *capabilities, ".")
                case "STLS" if context is not None and "STLS" in capabilities:
                    await stream.write_line("+OK begin TLS now")
                    await stream.start_tls(context)
                case "USER" | "PASS" | "APOP" | "AUTH":
                    await stream.write_line("-ERR [AUTH] the lab has no mailboxes")
                case "NOOP":
                    await stream.write_line("+OK")
                case "QUIT":
                    await stream.write_line("+OK goodbye")
                    return
                case _:
                    await stream.write_line("-ERR command not known")


@dataclasses.dataclass(frozen=True, slots=True)
class SieveService:
    """A ManageSieve server."""

    name: str

    async def run(self, stream: Stream, context: SSL.Context | None) -> None:
        """Show capabilities (as RFC 5804 §1.7 asks, again after TLS) and answer until LOGOUT."""
        await self._capabilities(stream, context)
        for _ in range(_MAXIMUM_COMMANDS):
            line = (await stream.read_line()).decode("utf-8", "replace").strip()
            match line.partition(" ")[0].upper():
                case "CAPABILITY":
                    await self._capabilities(stream, context)
                case "STARTTLS" if context is not None and not stream.encrypted:
                    await stream.write_line('OK "begin TLS now"')
                    await stream.start_tls(context)
                    await self._capabilities(stream, context)
                case "NOOP":
                    await stream.write_line('OK "done"')
                case "LOGOUT":
                    await stream.write_line('OK "goodbye"')
                    return
                case _:
                    await stream.write_line('NO "the lab has no scripts"')

    async def _capabilities(self, stream: Stream, context: SSL.Context | None) -> None:
        upgrade = ['"STARTTLS"'] if context is not None and not stream.encrypted else []
        await stream.write_line(
            '"IMPLEMENTATION" "Mailrubric lab"',
            '"VERSION" "1.0"',
            '"SASL" "PLAIN"' if stream.encrypted else '"SASL" ""',
            '"SIEVE" "fileinto reject envelope vacation"',
            *upgrade,
            'OK "ready"',
        )
