"""SMTP (RFC 5321) on submission and MX endpoints: greeting, EHLO, STARTTLS, EHLO again, QUIT.

One conversation is shared by this probe and those of TLS and certificate. On submission endpoints with STARTTLS a
second, plain connection finds out whether mail is taken without TLS; it names no recipient and sends no message.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes.addresses import literal
from probes.conversation import Capabilities, Conversation, Dialogue, Findings
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import Reply, keywords, parse_ehlo, printable, quoted, sasl_mechanisms
from probes.upgrade import conversation, conversation_so_far

if TYPE_CHECKING:
    from probes.network import Network

SUBMISSION: frozenset[Role] = frozenset({"submission"})
_EHLO_UNKNOWN = (500, 502)
"""Replies that say that the server does not know EHLO (RFC 5321 §4.2.4), so that it has no extensions."""

_SPEAKS_OF_TLS = re.compile(r"start\s?tls|\btls\b|\bssl\b|encrypt|secur", re.IGNORECASE)
_NAMES_STARTTLS = re.compile(r"start\s?tls", re.IGNORECASE)
_SPEAKS_OF_AUTH = re.compile(r"\bauth", re.IGNORECASE)

METRICS = (
    Metric(
        "smtp.connect_ms",
        "number",
        "Time from the first SYN to the established TCP connection, one sample.",
        unit="ms",
        reference="RFC 9293 §3.5",
    ),
    Metric(
        "smtp.greeting_ms",
        "number",
        "Time from the established connection (with implicit TLS: from the finished handshake) to the complete final "
        "line of the greeting, one sample. Some servers delay it on purpose, to see whether the client speaks first.",
        unit="ms",
        reference="RFC 5321 §3.1",
    ),
    Metric(
        "smtp.greeting_name",
        "text",
        "The host name by which the server introduces itself: the first word of its greeting.",
        reference="RFC 5321 §4.2",
    ),
    Metric(
        "smtp.extensions",
        "set",
        "Keywords of the first complete EHLO reply, in upper case: in plain text, or under implicit TLS. Empty when "
        "the server knows HELO only.",
        reference="RFC 5321 §4.1.1.1; IANA MAIL Parameters",
    ),
    Metric(
        "smtp.extensions_after_tls",
        "set",
        "Keywords of the EHLO reply under TLS, in upper case: after STARTTLS, or under implicit TLS.",
        reference="RFC 3207 §4.2",
    ),
    Metric(
        "smtp.starttls",
        "boolean",
        "Whether the first complete EHLO reply offers STARTTLS.",
        reference="RFC 3207 §4",
    ),
    Metric(
        "smtp.starttls_works",
        "boolean",
        "Whether the offered STARTTLS leads to TLS. False when the server refuses its own offer (5xx), sends a TLS "
        "alert or answers with something that is not valid TLS; a timeout, a reset or a limit of our own TLS library "
        "leaves it unmeasured.",
        reference="RFC 3207 §4.1",
    ),
    Metric(
        "smtp.starttls_injection",
        "boolean",
        "Whether bytes came in plain text after the 220 reply to STARTTLS, which a careless client would take for "
        "replies received under TLS (response injection).",
        reference="RFC 3207 §6; CVE-2011-0411; CVE-2021-33515",
    ),
    Metric(
        "smtp.size_limit",
        "integer",
        "The largest message that the server says it takes. SIZE without a number, or SIZE 0, states no limit.",
        unit="B",
        reference="RFC 1870 §3",
    ),
    Metric(
        "smtp.auth_mechanisms",
        "set",
        "SASL mechanisms offered to a client that uses TLS where there is TLS; empty when AUTH is not offered.",
        reference="RFC 4954 §3",
    ),
    Metric(
        "smtp.auth_before_tls",
        "set",
        "SASL mechanisms offered in plain text, before TLS; empty when AUTH is not offered there.",
        reference="RFC 4954 §4; RFC 8314 §4.1",
    ),
    Metric(
        "smtp.auth_before_tls_offered",
        "boolean",
        "Whether any SASL mechanism is offered in plain text, before TLS.",
        reference="RFC 4954 §4; RFC 8314 §4.1",
    ),
    Metric(
        "smtp.pipelining",
        "boolean",
        "Whether commands may be sent in groups without waiting for each reply (PIPELINING).",
        reference="RFC 2920",
    ),
    Metric(
        "smtp.eight_bit_mime",
        "boolean",
        "Whether message bodies may hold 8-bit text (8BITMIME).",
        reference="RFC 6152",
    ),
    Metric(
        "smtp.smtputf8",
        "boolean",
        "Whether addresses and headers may be international (SMTPUTF8).",
        reference="RFC 6531",
    ),
    Metric(
        "smtp.chunking",
        "boolean",
        "Whether messages may be sent in counted chunks (CHUNKING, BDAT).",
        reference="RFC 3030",
    ),
    Metric(
        "smtp.dsn",
        "boolean",
        "Whether the sender may ask for delivery status notifications (DSN).",
        reference="RFC 3461",
    ),
    Metric(
        "smtp.enhanced_status_codes",
        "boolean",
        "Whether replies carry codes such as 5.1.1 that a program can act on (ENHANCEDSTATUSCODES).",
        reference="RFC 2034",
    ),
    Metric(
        "smtp.requiretls",
        "boolean",
        "Whether a message can demand TLS on its whole way (REQUIRETLS).",
        reference="RFC 8689",
    ),
    Metric(
        "smtp.tls_required",
        "boolean",
        "Whether the server refuses MAIL FROM before TLS: with a 530 reply that speaks of TLS, or by demanding "
        "authentication that it does not offer before TLS. Not applicable under implicit TLS.",
        reference="RFC 3207 §4; RFC 4954 §4; RFC 8314 §3.3",
        roles=SUBMISSION,
    ),
    Metric(
        "smtp.quit_code",
        "integer",
        "The code of the reply to QUIT; 221 is the right one.",
        reference="RFC 5321 §4.1.1.10",
    ),
)

_EXTENSION_METRICS = {
    "smtp.pipelining": "PIPELINING",
    "smtp.eight_bit_mime": "8BITMIME",
    "smtp.smtputf8": "SMTPUTF8",
    "smtp.chunking": "CHUNKING",
    "smtp.dsn": "DSN",
    "smtp.enhanced_status_codes": "ENHANCEDSTATUSCODES",
    "smtp.requiretls": "REQUIRETLS",
}


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
            return parse_ehlo(reply)
        if reply.code in _EHLO_UNKNOWN:
            reply = await self.command(f"HELO {name}")
            if reply.code == 250:
                return {}
        if reply.code >= 400:
            raise Unmeasured(Cause.GREETING_REJECTED, f"the server refuses to serve us: {reply}")
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"the reply to EHLO is not 250: {reply}")

    async def request_tls(self) -> Unmeasured | None:
        """STARTTLS."""
        reply = await self.command("STARTTLS")
        if reply.code == 220:
            return None
        if reply.code >= 500:
            return Unmeasured(Cause.TLS_HANDSHAKE_ERROR, f"the server refuses the STARTTLS that it offers: {reply}")
        raise Unmeasured(Cause.PROTOCOL_ERROR, f"no TLS for now: {reply}")

    async def quit(self) -> int:
        """QUIT; its reply code."""
        return (await self.command("QUIT")).code

    def _own_name(self) -> str:
        if self.network.ehlo_name:
            return self.network.ehlo_name
        address = literal(self.connection.local_address.partition("%")[0])
        if address is None:
            return "[127.0.0.1]"
        return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


class SMTPProbe:
    """Measures the SMTP dialogue of an endpoint."""

    name = "smtp"
    roles: frozenset[Role] = frozenset({"submission", "mx"})
    metrics: tuple[Metric, ...] = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS`` that apply, each with a value or its own cause."""
        if endpoint.role != "submission":
            return self._measurements(endpoint, await conversation(endpoint, network))
        talk, tls_required = await asyncio.gather(conversation(endpoint, network), _tls_required(endpoint, network))
        return [*self._measurements(endpoint, talk), tls_required]

    def _measurements(self, endpoint: Endpoint, talk: Conversation) -> list[Measurement]:
        findings = Findings(talk)
        implicit = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
        findings.add("smtp.connect_ms", talk.connect_ms)
        findings.add("smtp.greeting_ms", talk.greeting_ms)
        nameless = Unmeasured(Cause.PROTOCOL_ERROR, "the greeting names no host")
        findings.add("smtp.greeting_name", _greeting_name(talk), nameless if talk.greeting is not None else None)
        findings.add("smtp.extensions", None if talk.before is None else keywords(talk.before))
        under_tls = talk.before if endpoint.tls == "implicit" else talk.after
        after_tls = findings.after_tls(endpoint)
        findings.add("smtp.extensions_after_tls", None if under_tls is None else keywords(under_tls), after_tls)
        findings.add_upgrade("smtp", endpoint)

        offered = talk.offered(endpoint)
        for metric, keyword in _EXTENSION_METRICS.items():
            findings.add(metric, None if offered is None else keyword in offered, talk.tls_failure)
        size, why = _size_limit(offered)
        findings.add("smtp.size_limit", size, why or talk.tls_failure)
        findings.add("smtp.auth_mechanisms", _auth(offered), talk.tls_failure)
        if endpoint.tls == "implicit":
            findings.add("smtp.auth_before_tls", None, implicit)
            findings.add("smtp.auth_before_tls_offered", None, implicit)
        else:
            in_the_clear = _auth(talk.before)
            findings.add("smtp.auth_before_tls", in_the_clear)
            findings.add("smtp.auth_before_tls_offered", None if in_the_clear is None else bool(in_the_clear))
        findings.add("smtp.quit_code", talk.quit_code)
        return findings.measurements


def _greeting_name(talk: Conversation) -> str | None:
    if talk.greeting is None:
        return None
    words = talk.greeting[0].split(maxsplit=1)
    return printable(words[0], 255) if words else None


def _auth(capabilities: Capabilities | None) -> tuple[str, ...] | None:
    return None if capabilities is None else sasl_mechanisms(capabilities.get("AUTH", ()))


def _size_limit(capabilities: Capabilities | None) -> tuple[int | None, Unmeasured | None]:
    if capabilities is None:
        return None, None
    if "SIZE" not in capabilities:
        return None, Unmeasured(Cause.NOT_APPLICABLE, "no limit stated: SIZE is not offered")
    parameters = capabilities["SIZE"]
    if not parameters:
        return None, Unmeasured(Cause.NOT_APPLICABLE, "no limit stated: SIZE comes without a number")
    if re.fullmatch(r"[0-9]{1,20}", parameters[0]) is None:
        return None, Unmeasured(Cause.PROTOCOL_ERROR, f"SIZE is followed by {quoted(parameters[0], 80)}")
    limit = int(parameters[0])
    return (limit, None) if limit else (None, Unmeasured(Cause.NOT_APPLICABLE, "no limit stated: SIZE is 0"))


async def _tls_required(endpoint: Endpoint, network: Network) -> Measurement:
    """Whether MAIL FROM is refused before TLS, asked on a plain connection of its own.

    It is opened once the shared conversation has seen a complete EHLO reply: a server that does not talk to us is not
    bothered twice.
    """
    metric = "smtp.tls_required"
    if endpoint.tls == "implicit":
        return Measurement.missing(metric, Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
    talk = await conversation_so_far(network)
    await talk.listed.wait()
    try:
        if talk.before is None:
            raise talk.why()
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            return Measurement(metric, await _refuses_plain_mail(SMTPDialogue(connection, network)))
    except Unmeasured as problem:
        return Measurement.missing(metric, problem.cause, problem.detail)


async def _refuses_plain_mail(dialogue: SMTPDialogue) -> bool:
    async with dialogue.greeted():
        capabilities = await dialogue.capabilities()
        reply = await dialogue.command("MAIL FROM:<>")
    await dialogue.leave()  # QUIT gives up a transaction that has begun (RFC 5321 §4.1.1.10); no RSET is needed
    if reply.positive:
        return False
    if reply.code == 530 and _SPEAKS_OF_TLS.search(reply.text):
        return True
    if reply.code >= 500 and _NAMES_STARTTLS.search(reply.text):
        return True
    if reply.code == 530 or (reply.code >= 500 and _SPEAKS_OF_AUTH.search(reply.text)):
        # Authentication is demanded: impossible before TLS when it is not offered there, so TLS is demanded as well.
        return "AUTH" not in capabilities
    raise Unmeasured(Cause.PROTOCOL_ERROR, f"the reply to MAIL FROM says nothing about TLS: {reply}")
