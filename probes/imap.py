"""IMAP (RFC 9051, RFC 3501): greeting, CAPABILITY, STARTTLS, CAPABILITY again, LOGOUT. Nobody is logged in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes import mail_metrics
from probes.conversation import Capabilities, Dialogue, Findings
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import Budget, keywords, printable, quoted, sasl_mechanisms
from probes.second_conversation import sent_before_tls
from probes.upgrade import conversation

if TYPE_CHECKING:
    from probes.network import Network

METRICS = (
    Metric(
        "imap.greeting_ms",
        "number",
        "Time from the established connection (with implicit TLS: from the finished handshake) to the greeting, one "
        "sample.",
        unit="ms",
        reference="RFC 9051 §7.1",
    ),
    Metric(
        "imap.capabilities",
        "set",
        "Capabilities before login in the first complete reply, in upper case: in plain text, or under implicit TLS.",
        reference="RFC 9051 §6.1.1",
    ),
    Metric(
        "imap.capabilities_after_tls",
        "set",
        "Capabilities before login under TLS, in upper case: after STARTTLS, or under implicit TLS.",
        reference="RFC 9051 §6.2.1",
    ),
    Metric("imap.starttls", "boolean", "Whether STARTTLS is offered.", reference="RFC 9051 §6.2.1"),
    Metric(
        "imap.starttls_works",
        "boolean",
        "Whether the offered STARTTLS leads to TLS. False when the server refuses its own offer, sends a TLS alert or "
        "answers with something that is not valid TLS.",
        reference="RFC 9051 §6.2.1",
    ),
    Metric(
        "imap.starttls_injection",
        "boolean",
        "Whether bytes came in plain text after the OK to STARTTLS (response injection).",
        reference="RFC 9051 §11.3; CVE-2021-33515",
    ),
    Metric(
        "imap.login_disabled",
        "boolean",
        "Whether the server refuses the LOGIN command before TLS (LOGINDISABLED), so that no password travels in "
        "plain text. Not applicable under implicit TLS.",
        reference="RFC 9051 §6.2.3; RFC 8314 §4.1",
    ),
    Metric(
        "imap.auth_mechanisms",
        "set",
        "SASL mechanisms offered to a client that uses TLS where there is TLS; empty when there are none.",
        reference="RFC 9051 §6.2.2",
    ),
    *mail_metrics.shared("imap", "STARTTLS", "the greeting", "RFC 9051 §6.2.1"),
)


class IMAPDialogue(Dialogue):
    """IMAP's words."""

    upgrade = "STARTTLS"
    farewell = "z LOGOUT"
    _tag = 0
    _early_tag = b""
    _early_answered = False

    async def greet(self) -> tuple[bytes, ...]:
        """The one untagged line that opens a session."""
        line = await self.connection.read_line()
        word = line.upper()
        if word.startswith((b"* OK", b"* PREAUTH")):
            return (line,)
        if word.startswith(b"* BYE"):
            raise Unmeasured(Cause.GREETING_REJECTED, printable(line, 300))
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"not an IMAP greeting: {quoted(line, 200)}")

    async def capabilities(self, after_tls: bool = False) -> Capabilities:
        """CAPABILITY. A positive reply without a list is a ``protocol_error``: nothing was listed, so nothing is known
        to be missing."""
        status, text, untagged = await self._command("CAPABILITY")
        listed = [line for line in untagged if line.upper().startswith(b"CAPABILITY ")]
        if status != b"OK" or not listed:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"no capabilities: {printable(status, 20)} {text}")
        return {printable(word).upper(): () for line in listed for word in line.split()[1:]}

    async def request_tls(self) -> Unmeasured | None:
        """STARTTLS."""
        status, text, _ = await self._command("STARTTLS")
        if status == b"OK":
            return None
        return Unmeasured(Cause.TLS_HANDSHAKE_ERROR, f"the server refuses the STARTTLS that it offers: {text}")

    async def request_tls_and_more(self) -> Unmeasured | None:
        """STARTTLS and NOOP."""
        tag, self._early_tag = self._new_tag(), self._new_tag()
        command = b"%s STARTTLS\r\n%s NOOP\r\n" % (tag, self._early_tag)
        with self.connection.step():
            await self.connection.send(command, shown=f"{tag.decode()} STARTTLS, and NOOP in the same segment")
            status, text, _ = await self._tagged(tag)
        if status == b"OK":
            return None
        return Unmeasured(Cause.TLS_HANDSHAKE_ERROR, f"the server refuses STARTTLS with a command behind it: {text}")

    async def answers_twice(self) -> bool:
        """CAPABILITY, and whether the tag of NOOP is seen before its answer is whole."""
        self._early_answered = False
        await self.capabilities(after_tls=True)
        return self._early_answered

    async def quit(self) -> int:
        """LOGOUT."""
        await self._command("LOGOUT")
        return 0

    def _new_tag(self) -> bytes:
        self._tag += 1
        return b"m%d" % self._tag

    async def _command(self, command: str) -> tuple[bytes, str, list[bytes]]:
        """Send a command; its status (``OK``, ``NO``, ``BAD``), printable text, and the untagged lines before it."""
        tag = self._new_tag()
        with self.connection.step():
            await self.connection.send_line(f"{tag.decode()} {command}")
            return await self._tagged(tag, leaving=command == "LOGOUT")

    async def _tagged(self, tag: bytes, leaving: bool = False) -> tuple[bytes, str, list[bytes]]:
        """Read up to the answer to the command of this tag. BYE ends the session, unless we are ``leaving``."""
        limits = self.network.options.limits
        budget = Budget(limits.reply_lines, limits.reply_bytes)
        untagged: list[bytes] = []
        while True:
            line = await self._whole_line(budget)
            if line.startswith(b"* "):
                if line[2:5].upper() == b"BYE" and not leaving:
                    raise Unmeasured(Cause.CONNECTION_RESET, f"the server hangs up: {printable(line, 300)}")
                untagged.append(line[2:])
                continue
            words = line.split(maxsplit=2)
            if len(words) > 1 and words[1].upper() in (b"OK", b"NO", b"BAD"):
                if words[0] == tag:
                    return words[1].upper(), printable(words[2] if len(words) > 2 else b"", 300), untagged
                if words[0] == self._early_tag and self.connection.tls is not None:
                    self._early_answered = True
                    continue
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"not an IMAP reply: {quoted(line, 200)}")

    async def _whole_line(self, budget: Budget) -> bytes:
        """One line with its literals (RFC 9051 §4.3) read in full."""
        line = await self.connection.read_line()
        budget.spend(line)
        while (literal := re.search(rb"\{(\d{1,9})\+?\}$", line)) is not None:
            data = await self.connection.read_exactly(int(literal.group(1)))
            rest = await self.connection.read_line()
            budget.spend(data + rest)
            line = line[: literal.start()] + data + rest
        return line


class IMAPProbe:
    """Measures what an IMAP server offers before login."""

    name = "imap"
    roles: frozenset[Role] = frozenset({"imap"})
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, each with a value or its own cause."""
        talk = await conversation(endpoint, network)
        findings = Findings(talk)
        findings.add("imap.greeting_ms", talk.greeting_ms)
        findings.add("imap.capabilities", None if talk.before is None else keywords(talk.before))
        under_tls = talk.before if endpoint.tls == "implicit" else talk.after
        why = findings.after_tls(endpoint)
        findings.add("imap.capabilities_after_tls", None if under_tls is None else keywords(under_tls), why)
        findings.add_upgrade("imap", endpoint)
        if endpoint.tls == "implicit":
            implicit = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
            findings.add("imap.login_disabled", None, implicit)
        else:
            findings.add("imap.login_disabled", None if talk.before is None else "LOGINDISABLED" in talk.before)
        offered = talk.offered(endpoint)
        findings.add("imap.auth_mechanisms", None if offered is None else _auth(offered), talk.tls_failure)
        second = await sent_before_tls(endpoint, network)
        return mail_metrics.add(findings, "imap", endpoint, second, talk.greeting)


def _auth(capabilities: Capabilities) -> tuple[str, ...]:
    return sasl_mechanisms(tuple(word.removeprefix("AUTH=") for word in capabilities if word.startswith("AUTH=")))
