"""POP3 (RFC 1939): greeting, CAPA (RFC 2449), STLS (RFC 2595), CAPA again, QUIT. Nobody is logged in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes import mail_metrics
from probes.conversation import Capabilities, Dialogue, Findings
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import Budget, keywords, printable, quoted, sasl_mechanisms, whole
from probes.second_conversation import sent_before_tls
from probes.upgrade import conversation

if TYPE_CHECKING:
    from probes.network import Network

METRICS = (
    Metric(
        "pop3.greeting_ms",
        "number",
        "Time from the established connection (with implicit TLS: from the finished handshake) to the greeting, one "
        "sample.",
        unit="ms",
        reference="RFC 1939 §4",
    ),
    Metric(
        "pop3.capabilities",
        "set",
        "Capabilities before login in the first complete CAPA reply, in upper case: in plain text, or under implicit "
        "TLS. Empty when the server does not know CAPA.",
        reference="RFC 2449 §5",
    ),
    Metric(
        "pop3.capabilities_after_tls",
        "set",
        "Capabilities before login under TLS, in upper case: after STLS, or under implicit TLS.",
        reference="RFC 2595 §4",
    ),
    Metric("pop3.starttls", "boolean", "Whether STLS is offered.", reference="RFC 2595 §4"),
    Metric(
        "pop3.starttls_works",
        "boolean",
        "Whether the offered STLS leads to TLS. False when the server refuses its own offer, sends a TLS alert or "
        "answers with something that is not valid TLS.",
        reference="RFC 2595 §4",
    ),
    Metric(
        "pop3.starttls_injection",
        "boolean",
        "Whether bytes came in plain text after the +OK to STLS (response injection).",
        reference="RFC 2595 §4; CVE-2021-33515",
    ),
    Metric(
        "pop3.login_disabled",
        "boolean",
        "Whether neither USER nor a SASL mechanism is offered before TLS, so that no password travels in plain text. "
        "Not applicable under implicit TLS, or when the server does not know CAPA.",
        reference="RFC 2595 §2.1; RFC 8314 §4.1",
    ),
    Metric(
        "pop3.auth_mechanisms",
        "set",
        "SASL mechanisms offered to a client that uses TLS where there is TLS; empty when there are none.",
        reference="RFC 5034 §3",
    ),
    *mail_metrics.shared("pop3", "STLS", "the greeting or the IMPLEMENTATION capability", "RFC 2595 §4"),
)


class POP3Dialogue(Dialogue):
    """POP3's words."""

    upgrade = "STLS"
    farewell = "QUIT"

    async def greet(self) -> tuple[bytes, ...]:
        """The one line that opens a session."""
        line = await self.connection.read_line()
        positive = _status(line)
        if not positive:
            raise Unmeasured(Cause.GREETING_REJECTED, printable(line, 300))
        return (line,)

    async def capabilities(self, after_tls: bool = False) -> Capabilities:
        """CAPA. A server that does not know it (a bare ``-ERR``, without a response code) offers nothing."""
        with self.connection.step():
            first = await self._command("CAPA")
            if not _status(first):
                if b"[" in first:
                    raise Unmeasured(Cause.PROTOCOL_ERROR, f"no capabilities: {printable(first, 300)}")
                return {}
            return await self._list()

    async def _list(self) -> dict[str, tuple[str, ...]]:
        """The lines of a list up to its end."""
        limits = self.network.options.limits
        budget = Budget(limits.reply_lines, limits.reply_bytes)
        capabilities: dict[str, tuple[str, ...]] = {}
        while (line := await self.connection.read_line()) != b".":
            budget.spend(line)
            words = whole(line.removeprefix(b".")).split()
            if words:
                capabilities[words[0].upper()] = tuple(words[1:])
        return capabilities

    async def request_tls(self) -> Unmeasured | None:
        """STLS."""
        return _agreement(await self._command("STLS"), "the STLS that it offers")

    async def request_tls_and_more(self) -> Unmeasured | None:
        """STLS and NOOP."""
        await self.connection.send(b"STLS\r\nNOOP\r\n", shown="STLS, and NOOP in the same segment")
        return _agreement(await self.connection.read_line(), "STLS with a command behind it")

    async def answers_twice(self) -> bool:
        """CAPA, which lists STLS and so is known. A status line of its own before that of the list belongs to NOOP,
        which servers refuse before login, but have to answer (RFC 1939 §3)."""
        with self.connection.step():
            early = not _status(await self._command("CAPA"))
            if early and not _status(line := await self.connection.read_line()):
                raise Unmeasured(Cause.PROTOCOL_ERROR, f"no capabilities: {printable(line, 300)}")
            return "+OK" in await self._list() or early

    async def quit(self) -> int:
        """QUIT."""
        await self._command("QUIT")
        return 0

    async def _command(self, command: str) -> bytes:
        await self.connection.send_line(command)
        return await self.connection.read_line()


def _agreement(line: bytes, what: str) -> Unmeasured | None:
    """None when the server agrees to begin TLS, else what it refuses."""
    if _status(line):
        return None
    text = printable(line, 300)
    if b"[SYS/TEMP]" in line.upper():
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"no TLS for now: {text}")
    return Unmeasured(Cause.TLS_HANDSHAKE_ERROR, f"the server refuses {what}: {text}")


def _status(line: bytes) -> bool:
    """Whether a status line is positive. ``protocol_error`` when it is no status line."""
    word = line.split(maxsplit=1)[:1]
    if word == [b"+OK"]:
        return True
    if word == [b"-ERR"]:
        return False
    raise Unmeasured(Cause.PROTOCOL_ERROR, f"not a POP3 reply: {quoted(line, 200)}")


class POP3Probe:
    """Measures what a POP3 server offers before login."""

    name = "pop3"
    roles: frozenset[Role] = frozenset({"pop3"})
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, each with a value or its own cause."""
        talk = await conversation(endpoint, network)
        findings = Findings(talk)
        findings.add("pop3.greeting_ms", talk.greeting_ms)
        findings.add("pop3.capabilities", None if talk.before is None else keywords(talk.before))
        under_tls = talk.before if endpoint.tls == "implicit" else talk.after
        why = findings.after_tls(endpoint)
        findings.add("pop3.capabilities_after_tls", None if under_tls is None else keywords(under_tls), why)
        findings.add_upgrade("pop3", endpoint)
        if endpoint.tls == "implicit":
            implicit = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
            findings.add("pop3.login_disabled", None, implicit)
        elif talk.before is not None and not talk.before:
            unlisted = Unmeasured(Cause.NOT_APPLICABLE, "the server lists no capabilities (CAPA)")
            findings.add("pop3.login_disabled", None, unlisted)
        else:
            findings.add("pop3.login_disabled", None if talk.before is None else not _takes_passwords(talk.before))
        offered = talk.offered(endpoint)
        mechanisms = None if offered is None else sasl_mechanisms(offered.get("SASL", ()))
        findings.add("pop3.auth_mechanisms", mechanisms, talk.tls_failure)
        second = await sent_before_tls(endpoint, network)
        texts = None if talk.before is None else talk.greeting
        implementation = (talk.before or {}).get("IMPLEMENTATION", ())
        return mail_metrics.add(findings, "pop3", endpoint, second, texts, implementation)


def _takes_passwords(capabilities: Capabilities) -> bool:
    """Whether USER or a SASL mechanism is offered. Dovecot lists ``SASL`` without a single one before TLS."""
    return "USER" in capabilities or bool(capabilities.get("SASL"))
