"""SMTP's words (RFC 5321, RFC 3207) on one connection: greeting, EHLO or HELO, STARTTLS, MAIL before TLS, QUIT."""

from __future__ import annotations

import re

from probes.addresses import literal
from probes.conversation import Capabilities, Dialogue
from probes.model import Cause, Unmeasured
from probes.replies import Reply, parse_ehlo

_EHLO_UNKNOWN = (500, 502)
"""Replies that say that the server does not know EHLO (RFC 5321 §4.2.4), so that it has no extensions."""

_SPEAKS_OF_TLS = re.compile(r"start\s?tls|\btls\b|\bssl\b|encrypt|secur", re.IGNORECASE)
_NAMES_STARTTLS = re.compile(r"start\s?tls", re.IGNORECASE)
_SPEAKS_OF_AUTH = re.compile(r"\bauth", re.IGNORECASE)


class SMTPDialogue(Dialogue):
    """SMTP's words. A 421 reply, at whatever step, ends the dialogue and every later one with this address."""

    upgrade = "STARTTLS"
    farewell = "QUIT"

    async def reply(self) -> Reply:
        """The next complete reply. ``throttled`` for 421, after which the address is left alone."""
        reply = await self.connection.read_reply()
        if reply.code == 421:
            self.network.throttled(self.connection.address)
            raise Unmeasured(Cause.THROTTLED, str(reply))
        return reply

    async def command(self, line: str) -> Reply:
        """Send one command and read its complete reply."""
        await self.connection.send_line(line)
        return await self.reply()

    async def greet(self) -> tuple[bytes, ...]:
        """Read to the final line of the greeting; nothing is sent before it.

        A first greeting of 421 turns us away (``greeting_rejected``); one on a later connection, after we were let in
        before, says that we came too often (``throttled``). Either way this address is left alone.
        """
        try:
            reply = await self.reply()
        except Unmeasured as problem:
            if problem.cause is Cause.THROTTLED and self.connection.number == 1:
                raise Unmeasured(Cause.GREETING_REJECTED, problem.detail) from None
            raise
        if reply.code == 220:
            return reply.lines
        if reply.code >= 400:
            raise Unmeasured(Cause.GREETING_REJECTED, str(reply))
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"the greeting is not 220: {reply}")

    async def capabilities(self, after_tls: bool = False) -> Capabilities:
        """EHLO, or HELO for servers that do not know it (500, 502): then nothing is offered.

        Any other refusal (5xx for policy, 4xx) is ``greeting_rejected``: it is us whom the server does not want, and
        that says nothing about its extensions.
        """
        name = self._own_name()
        reply = await self.command(f"EHLO {name}")
        if reply.code == 250:
            self.listing = reply.lines
            return parse_ehlo(reply)
        if reply.code in _EHLO_UNKNOWN:
            reply = await self.command(f"HELO {name}")
            if reply.code == 250:
                self.listing = reply.lines[:1]
                return {}
        if reply.code >= 400:
            raise Unmeasured(Cause.GREETING_REJECTED, f"the server refuses to serve us: {reply}")
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"the reply to EHLO is not 250: {reply}")

    async def request_tls(self) -> Unmeasured | None:
        """STARTTLS."""
        return self._agreement(await self.command("STARTTLS"), "the STARTTLS that it offers")

    async def request_tls_and_more(self) -> Unmeasured | None:
        """STARTTLS and NOOP."""
        await self.connection.send(b"STARTTLS\r\nNOOP\r\n", shown="STARTTLS, and NOOP in the same segment")
        return self._agreement(await self.reply(), "STARTTLS with a command behind it")

    def _agreement(self, reply: Reply, what: str) -> Unmeasured | None:
        self.gives_codes |= bool(reply.enhanced)
        if reply.code == 220:
            return None
        if reply.code >= 500:
            return Unmeasured(Cause.TLS_HANDSHAKE_ERROR, f"the server refuses {what}: {reply}")
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"no TLS for now: {reply}")

    async def answers_twice(self) -> bool:
        """EHLO. A reply that lists extensions is its own; when another one comes first, QUIT is sent, and whatever is
        answered before its 221 tells whose replies they are."""
        first = await self.command(f"EHLO {self._own_name()}")
        if first.code == 250 and parse_ehlo(first):
            return False
        second = await self.command("QUIT")
        if second.code == 250 and (parse_ehlo(second) or (await self.reply()).code == 221):
            return True
        if second.code != 221:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"the replies to EHLO and QUIT are {first} and {second}")
        if first.code != 250:
            raise Unmeasured(Cause.GREETING_REJECTED, f"the server refuses to serve us: {first}")
        return False

    async def takes_plain_mail(self, capabilities: Capabilities) -> bool | Unmeasured:
        """MAIL before TLS: True when it is accepted (RSET or QUIT then gives it up, RFC 5321 §4.1.1.5) or lacks only
        what can be had before TLS; False when it is refused for want of TLS. No recipient is named."""
        reply = await self.command("MAIL FROM:<>")
        if reply.positive:
            return True
        if reply.code == 530 and _SPEAKS_OF_TLS.search(reply.text):
            return False
        if reply.code >= 500 and _NAMES_STARTTLS.search(reply.text):
            return False
        if reply.code == 530 or (reply.code >= 500 and _SPEAKS_OF_AUTH.search(reply.text)):
            # Authentication is demanded: impossible before TLS when it is not offered there, so TLS is demanded too.
            return "AUTH" in capabilities
        return Unmeasured(Cause.PROTOCOL_ERROR, f"the reply to MAIL FROM says nothing about TLS: {reply}")

    async def forget(self) -> None:
        """RSET: give up the transaction that MAIL has begun."""
        await self.command("RSET")

    async def quit(self) -> int:
        """QUIT; its reply code."""
        reply = await self.command("QUIT")
        self.gives_codes |= bool(reply.enhanced)
        return reply.code

    def _own_name(self) -> str:
        if self.network.ehlo_name:
            return self.network.ehlo_name
        address = literal(self.connection.local_address.partition("%")[0])
        if address is None:
            return "[127.0.0.1]"
        return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
