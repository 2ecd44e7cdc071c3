"""ManageSieve (RFC 5804): capabilities as greeting, STARTTLS, capabilities again, LOGOUT. Nobody is logged in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
        "sieve.greeting_ms",
        "number",
        "Time from the established connection (with implicit TLS: from the finished handshake) to the end of the "
        "greeting, one sample.",
        unit="ms",
        reference="RFC 5804 §1.7",
    ),
    Metric(
        "sieve.capabilities",
        "set",
        "Names of the capabilities in the greeting, in upper case: in plain text, or under implicit TLS.",
        reference="RFC 5804 §1.7",
    ),
    Metric(
        "sieve.capabilities_after_tls",
        "set",
        "Names of the capabilities under TLS, in upper case: after STARTTLS, or under implicit TLS.",
        reference="RFC 5804 §2.2",
    ),
    Metric(
        "sieve.extensions",
        "set",
        "Sieve extensions that scripts may use, such as vacation or imap4flags, in lower case; empty when none is "
        "listed.",
        reference="RFC 5804 §1.7; RFC 5228 §6",
    ),
    Metric("sieve.starttls", "boolean", "Whether STARTTLS is offered.", reference="RFC 5804 §2.2"),
    Metric(
        "sieve.starttls_works",
        "boolean",
        "Whether the offered STARTTLS leads to TLS. False when the server refuses its own offer, sends a TLS alert or "
        "answers with something that is not valid TLS.",
        reference="RFC 5804 §2.2",
    ),
    Metric(
        "sieve.starttls_injection",
        "boolean",
        "Whether bytes came in plain text after the OK to STARTTLS (response injection).",
        reference="RFC 5804 §2.2; CVE-2021-33515",
    ),
    Metric(
        "sieve.login_disabled",
        "boolean",
        "Whether no SASL mechanism is offered before TLS, so that no password travels in plain text. Not applicable "
        "under implicit TLS.",
        reference="RFC 5804 §1.7, §2.1; RFC 8314 §4.1",
    ),
    Metric(
        "sieve.auth_mechanisms",
        "set",
        "SASL mechanisms offered to a client that uses TLS where there is TLS; empty when there are none.",
        reference="RFC 5804 §1.7",
    ),
    *mail_metrics.shared("sieve", "STARTTLS", "the IMPLEMENTATION capability", "RFC 5804 §2.2"),
)

_ATOM = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^\s"(){}]+)|\{(\d{1,9})\+?\}$')


class SieveDialogue(Dialogue):
    """ManageSieve's words. The server lists its capabilities unasked: as its greeting, and again after TLS."""

    upgrade = "STARTTLS"
    farewell = "LOGOUT"
    _listed: Capabilities | None = None
    _said: Sequence[bytes] = ()
    """The words of the line that ended the latest response."""

    async def greet(self) -> tuple[bytes, ...]:
        """The capabilities up to OK."""
        words, status, text = await self._response()
        if status != b"OK":
            raise Unmeasured(Cause.GREETING_REJECTED, f"{printable(status)} {text}")
        self._listed = _capabilities(words)
        return tuple(b" ".join(line) for line in words)

    async def capabilities(self, after_tls: bool = False) -> Capabilities:
        """Those of the greeting; after TLS the new ones, which the server sends of its own accord."""
        if self._listed is not None and not after_tls:
            return self._listed
        words, status, text = await self._response()
        if status != b"OK":
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"no capabilities: {printable(status)} {text}")
        return _capabilities(words)

    async def request_tls(self) -> Unmeasured | None:
        """STARTTLS."""
        await self.connection.send_line("STARTTLS")
        return await self._agreement("the STARTTLS that it offers")

    async def request_tls_and_more(self) -> Unmeasured | None:
        """STARTTLS and NOOP, whose answer repeats the word that it is given (RFC 5804 §2.13)."""
        command = b'STARTTLS\r\nNOOP "early"\r\n'
        await self.connection.send(command, shown="STARTTLS, and NOOP in the same segment")
        return await self._agreement("STARTTLS with a command behind it")

    async def _agreement(self, what: str) -> Unmeasured | None:
        _, status, text = await self._response()
        if status == b"OK":
            return None
        if status == b"BYE":
            raise Unmeasured(Cause.CONNECTION_RESET, f"the server hangs up: BYE {text}")
        return Unmeasured(Cause.TLS_HANDSHAKE_ERROR, f"the server refuses {what}: {text}")

    async def answers_twice(self) -> bool:
        """The capabilities, which come unasked, then NOOP with another word: which of the two comes first?"""
        await self.capabilities(after_tls=True)
        await self.connection.send_line('NOOP "late"')
        _, status, text = await self._response()
        if status == b"OK" and self._said[1:3] in ([b"TAG", b"early"], [b"TAG", b"late"]):
            return self._said[2] == b"early"
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"the answer to NOOP does not say which: {printable(status)} {text}")

    async def quit(self) -> int:
        """LOGOUT."""
        await self.connection.send_line("LOGOUT")
        await self._response()
        return 0

    async def _response(self) -> tuple[list[list[bytes]], bytes, str]:
        """One response: the words of its lines, then its status (``OK``, ``NO``, ``BYE``) and printable text."""
        limits = self.network.options.limits
        budget = Budget(limits.reply_lines, limits.reply_bytes)
        lines: list[list[bytes]] = []
        with self.connection.step():
            while True:
                line = await self.connection.read_line()
                budget.spend(line)
                status = line.split(maxsplit=1)[0].upper() if line.strip() else b""
                if status in (b"OK", b"NO", b"BYE"):
                    self._said = await self._rest_of_line(line, budget)
                    return lines, status, printable(line[len(status) :].strip(), 300)
                if not line.startswith((b'"', b"{")):
                    raise Unmeasured(Cause.PROTOCOL_ERROR, f"not a ManageSieve reply: {quoted(line, 200)}")
                lines.append(await self._rest_of_line(line, budget))

    async def _rest_of_line(self, line: bytes, budget: Budget) -> list[bytes]:
        """The words of a line: quoted strings, atoms, and literals, which go on in the bytes that follow."""
        words: list[bytes] = []
        while True:
            length = None
            for match in _ATOM.finditer(line):
                quoted, atom, literal = match.groups()
                if literal is not None:
                    length = int(literal)
                else:
                    words.append(atom if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted))
            if length is None:
                return words
            words.append(await self.connection.read_exactly(length))
            line = await self.connection.read_line()
            budget.spend(words[-1] + line)


def _capabilities(lines: list[list[bytes]]) -> Capabilities:
    return {whole(words[0]).upper(): tuple(whole(b" ".join(words[1:])).split()) for words in lines if words}


class SieveProbe:
    """Measures what a ManageSieve server offers before login."""

    name = "sieve"
    roles: frozenset[Role] = frozenset({"sieve"})
    metrics = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS``, each with a value or its own cause."""
        talk = await conversation(endpoint, network)
        findings = Findings(talk)
        findings.add("sieve.greeting_ms", talk.greeting_ms)
        findings.add("sieve.capabilities", None if talk.before is None else keywords(talk.before))
        under_tls = talk.before if endpoint.tls == "implicit" else talk.after
        why = findings.after_tls(endpoint)
        findings.add("sieve.capabilities_after_tls", None if under_tls is None else keywords(under_tls), why)
        offered = talk.offered(endpoint)
        extensions = None if offered is None else [word.lower() for word in offered.get("SIEVE", ())]
        findings.add_set("sieve.extensions", extensions, talk.tls_failure)
        findings.add_upgrade("sieve", endpoint)
        mechanisms = None if offered is None else sasl_mechanisms(offered.get("SASL", ()))
        findings.add("sieve.auth_mechanisms", mechanisms, talk.tls_failure)
        if endpoint.tls == "implicit":
            implicit = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
            findings.add("sieve.login_disabled", None, implicit)
        else:
            findings.add("sieve.login_disabled", None if talk.before is None else not talk.before.get("SASL"))
        second = await sent_before_tls(endpoint, network)
        texts = None if talk.before is None else ()
        implementation = (talk.before or {}).get("IMPLEMENTATION", ())
        return mail_metrics.add(findings, "sieve", endpoint, second, texts, implementation)
