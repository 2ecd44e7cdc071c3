"""Metrics that IMAP, POP3 and ManageSieve share, since their conversations take the same course."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probes import software
from probes.conversation import Findings
from probes.model import Endpoint, Measurement, Metric
from probes.second_conversation import SecondConversation


def shared(protocol: str, upgrade: str, where: str, reference: str) -> tuple[Metric, ...]:
    """Their declarations. ``upgrade``: the command; ``where``: what names the software; ``reference``: of the
    upgrade."""
    return (
        Metric(
            f"{protocol}.capabilities_only_before_tls",
            "set",
            "Capabilities of the list in plain text that the one under TLS lacks.",
            reference=reference,
        ),
        Metric(
            f"{protocol}.capabilities_only_after_tls",
            "set",
            "Capabilities of the list under TLS that the one in plain text lacks.",
            reference=reference,
        ),
        Metric(
            f"{protocol}.starttls_unadvertised",
            "boolean",
            f"Whether the server agrees to {upgrade} although its complete list does not offer it, as if somebody on "
            "the way had taken the offer out. Not applicable when it is offered.",
            reference=reference,
        ),
        Metric(
            f"{protocol}.starttls_command_injection",
            "boolean",
            f"Whether a command that was sent in plain text, in the same segment as {upgrade}, is carried out under "
            "TLS (command injection): the harmless NOOP is sent and its answer looked for under TLS. False as well "
            f"when the server refuses {upgrade} with a command behind it.",
            reference=f"{reference}; CVE-2011-0411",
        ),
        *software.metrics(protocol, where, reference),
    )


def add(
    findings: Findings,
    protocol: str,
    endpoint: Endpoint,
    second: SecondConversation,
    texts: Iterable[bytes | str] | None,
    implementation: Sequence[str] = (),
) -> list[Measurement]:
    """The findings with all of these but ``starttls_unadvertised``, which ``add_upgrade`` adds. ``texts``: what may
    name the software, None when it was not observed; ``implementation``: the words that name it expressly."""
    findings.add_difference(f"{protocol}.capabilities", endpoint)
    findings.add_answer(f"{protocol}.starttls_command_injection", second.command_injection)
    return findings.measurements + software.measurements(protocol, texts, findings.talk.why(), " ".join(implementation))
