"""SMTP (RFC 5321) on submission and MX endpoints: greeting, EHLO, STARTTLS, EHLO again, QUIT.

One conversation is shared by this probe and those of TLS and certificate. A second one, after it, finds out whether
mail is taken without TLS and whether a command from before TLS is carried out under TLS; it names no recipient and
sends no message.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from probes import extensions, software
from probes.addresses import blocked_reason, host_name, literal
from probes.conversation import Capabilities, Conversation, Findings
from probes.model import Cause, Endpoint, Measurement, Metric, Role, Unmeasured
from probes.replies import keywords, printable, quoted, sasl_mechanisms
from probes.second_conversation import sent_before_tls
from probes.upgrade import conversation

if TYPE_CHECKING:
    from probes.network import Network

SUBMISSION: frozenset[Role] = frozenset({"submission"})

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
        "smtp.greeting_name_is_fqdn",
        "boolean",
        "Whether that name is a fully qualified host name, not an address literal, a single label or no name at all.",
        reference="RFC 5321 §4.2, §2.3.5",
    ),
    Metric(
        "smtp.greeting_name_leads_here",
        "boolean",
        "Whether DNS leads from that name to the address that was dialled, by an A or AAAA record. Not applicable to a "
        "name that is not fully qualified, and to a private address unless a resolver was named that may know it.",
        reference="RFC 5321 §4.1.4, §2.3.5",
    ),
    *software.metrics("smtp", "the greeting or the first line of the EHLO reply", "RFC 5321 §4.2, §4.3.1"),
    Metric(
        "smtp.ehlo_name",
        "text",
        "The host name at the beginning of the first complete reply to EHLO or HELO.",
        reference="RFC 5321 §4.1.1.1",
    ),
    Metric(
        "smtp.ehlo_name_is_fqdn",
        "boolean",
        "Whether the name in the reply to EHLO is a fully qualified host name.",
        reference="RFC 5321 §4.1.1.1, §2.3.5",
    ),
    Metric(
        "smtp.ehlo_name_is_greeting_name",
        "boolean",
        "Whether the reply to EHLO gives the same name as the greeting, in whatever case.",
        reference="RFC 5321 §4.1.1.1, §4.2",
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
        reference="RFC 3207 §6; CVE-2021-33515",
    ),
    Metric(
        "smtp.starttls_command_injection",
        "boolean",
        "Whether a command that was sent in plain text, in the same segment as STARTTLS, is carried out under TLS "
        "(command injection): the harmless NOOP is sent and its reply looked for before that of the first command "
        "under TLS. False as well when the server refuses STARTTLS with a command behind it.",
        reference="RFC 3207 §6; CVE-2011-0411",
    ),
    Metric(
        "smtp.starttls_unadvertised",
        "boolean",
        "Whether the server agrees to STARTTLS although its complete EHLO reply does not offer it, as if somebody on "
        "the way had taken the offer out. Not applicable when it is offered.",
        reference="RFC 3207 §4, §6",
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
        "smtp.enhanced_codes_used",
        "boolean",
        "Whether a reply to STARTTLS or QUIT really carries an enhanced status code, whatever is offered.",
        reference="RFC 2034 §4",
    ),
    Metric(
        "smtp.quit_code",
        "integer",
        "The code of the reply to QUIT; 221 is the right one.",
        reference="RFC 5321 §4.1.1.10",
    ),
    *extensions.METRICS,
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


class SMTPProbe:
    """Measures the SMTP dialogue of an endpoint."""

    name = "smtp"
    roles: frozenset[Role] = frozenset({"submission", "mx"})
    metrics: tuple[Metric, ...] = METRICS

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """All of ``METRICS`` that apply, each with a value or its own cause."""
        talk = await conversation(endpoint, network)
        leads_here, second = await asyncio.gather(_leads_here(talk, network), sent_before_tls(endpoint, network))
        findings = Findings(talk)
        _add_greeting(findings, leads_here)
        _add_extensions(findings, endpoint)
        findings.add_upgrade("smtp", endpoint)
        findings.add_answer("smtp.starttls_command_injection", second.command_injection)
        if endpoint.role == "submission":
            findings.add_answer("smtp.tls_required", second.tls_required)
        findings.add("smtp.enhanced_codes_used", talk.gives_codes)
        findings.add("smtp.quit_code", talk.quit_code)
        return findings.measurements


def _add_greeting(findings: Findings, leads_here: bool | Unmeasured) -> None:
    talk = findings.talk
    findings.add("smtp.connect_ms", talk.connect_ms)
    findings.add("smtp.greeting_ms", talk.greeting_ms)
    name = _first_word(talk.greeting)
    nameless = Unmeasured(Cause.PROTOCOL_ERROR, "the greeting names no host")
    findings.add("smtp.greeting_name", name or None, nameless if name == "" else None)
    findings.add("smtp.greeting_name_is_fqdn", None if name is None else is_fqdn(name))
    findings.add_answer("smtp.greeting_name_leads_here", leads_here)
    listed = _first_word(talk.listing or None)
    nameless = Unmeasured(Cause.PROTOCOL_ERROR, "the reply to EHLO names no host")
    findings.add("smtp.ehlo_name", listed or None, nameless if listed == "" else None)
    findings.add("smtp.ehlo_name_is_fqdn", None if listed is None else is_fqdn(listed))
    same = None if listed is None or name is None else listed.lower() == name.lower()
    findings.add("smtp.ehlo_name_is_greeting_name", same)
    texts = None
    if talk.greeting is not None and talk.listing:
        # What comes behind the host names; a greeting of several lines is one text.
        texts = [text.partition(b" ")[2] for text in (b" ".join(talk.greeting), talk.listing[0])]
    findings.measurements += software.measurements("smtp", texts, talk.why())


def _add_extensions(findings: Findings, endpoint: Endpoint) -> None:
    talk = findings.talk
    implicit = Unmeasured(Cause.NOT_APPLICABLE, "TLS begins before the dialogue")
    findings.add("smtp.extensions", None if talk.before is None else keywords(talk.before))
    under_tls = talk.before if endpoint.tls == "implicit" else talk.after
    after_tls = findings.after_tls(endpoint)
    findings.add("smtp.extensions_after_tls", None if under_tls is None else keywords(under_tls), after_tls)
    findings.add_difference("smtp.extensions", endpoint)
    offered = talk.offered(endpoint)
    for metric, keyword in _EXTENSION_METRICS.items():
        findings.add(metric, None if offered is None else keyword in offered, talk.tls_failure)
    extensions.add(findings, offered, talk.listing if offered is talk.before else talk.listing_after)
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


def is_fqdn(name: str) -> bool:
    """Whether a name is a fully qualified host name: two labels or more, of which the last is no number."""
    if literal(name) is not None:
        return False
    try:
        host_name(name)
    except ValueError:
        return False
    labels = name.removesuffix(".").split(".")
    return len(labels) > 1 and not labels[-1].isdigit() and "_" not in name


async def _leads_here(talk: Conversation, network: Network) -> bool | Unmeasured:
    """Whether the greeting's name has the dialled address."""
    name = _first_word(talk.greeting)
    if name is None:
        return talk.why()
    if not is_fqdn(name):
        return Unmeasured(Cause.NOT_APPLICABLE, "the greeting gives no fully qualified name")
    address = literal(network.address.partition("%")[0])
    if address is None:
        return Unmeasured(Cause.NOT_APPLICABLE, "no address was dialled")
    if blocked_reason(address) is not None and network.options.resolver is None:
        return Unmeasured(Cause.NOT_APPLICABLE, "a private address, which public DNS does not know")
    try:
        answer = await network.resolve(name, "A" if address.version == 4 else "AAAA")
    except Unmeasured as problem:
        return problem
    return any(literal(text) == address for text in answer.records)


def _first_word(lines: tuple[bytes, ...] | None) -> str | None:
    """The first word of a reply; "" when it has none, None when there is no reply."""
    if lines is None:
        return None
    words = lines[0].split(maxsplit=1)
    return printable(words[0], 255) if words else ""


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
