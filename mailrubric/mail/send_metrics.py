"""What sending test messages from an account of one's own shows: the metrics of ``mailrubric send``."""

from __future__ import annotations

from probes.model import Metric
from probes.send import ASKED_FORMS, MALFORMED_METRIC, UNKNOWN_METRIC

INBOX_RATE = "trial.inbox_rate"
SPAM_RATE = "trial.spam_rate"
DELIVERED_RATE = "trial.delivered_rate"
DELIVERY_SECONDS = "trial.delivery_seconds"
ACCEPTED_MS = "trial.send_accepted_ms"
MECHANISM = "trial.send_login_mechanism"

_SHARE = "of the test messages that the platform accepted for seed mailboxes which could be read to the end of the wait"

METRICS: tuple[Metric, ...] = (
    Metric(
        INBOX_RATE,
        "number",
        f"Share {_SHARE}: those that were first seen in the inbox. What was in no folder by the end of a wait of at "
        "least 15 minutes counts as not there; after a shorter wait there is no value. 95 % interval by Wilson.",
        unit="%",
        reference="docs/send.md",
    ),
    Metric(
        SPAM_RATE,
        "number",
        f"Share {_SHARE}: those that were first seen in the spam folder. Otherwise as trial.inbox_rate.",
        unit="%",
        reference="docs/send.md; RFC 6154 §2",
    ),
    Metric(
        DELIVERED_RATE,
        "number",
        f"Share {_SHARE}: those that were seen in any folder. Otherwise as trial.inbox_rate.",
        unit="%",
        reference="docs/send.md",
    ),
    Metric(
        DELIVERY_SECONDS,
        "number",
        "Time from the end of a test message's text, as we sent it to the platform, to its arrival in the seed "
        "mailbox, in whichever folder; the median, in which a message not found counts as later than all others.",
        unit="s",
        reference="docs/send.md; RFC 5321 §4.4",
    ),
    Metric(
        ACCEPTED_MS,
        "number",
        "Time that the submission server took for a whole session up to its acceptance of the message: connection, "
        "TLS, login, envelope and text; the median over messages.",
        unit="ms",
        reference="RFC 5321 §3.3, RFC 4954 §4",
    ),
    Metric(
        "trial.send_connect_ms",
        "number",
        "Time to the established connection of a session that sends; the median.",
        unit="ms",
        reference="RFC 5321 §3.1",
    ),
    Metric(
        "trial.send_greeting_ms",
        "number",
        "Time to the complete greeting of a session that sends; the median.",
        unit="ms",
        reference="RFC 5321 §3.1",
    ),
    Metric(
        "trial.send_tls_ms",
        "number",
        "Time of the TLS handshake of a session that sends; the median.",
        unit="ms",
        reference="RFC 8446 §4",
    ),
    Metric(
        "trial.send_login_ms",
        "number",
        "Time that the server took for AUTH, all challenges together; the median.",
        unit="ms",
        reference="RFC 4954 §4",
    ),
    Metric(
        "trial.send_recipient_ms",
        "number",
        "Time that the server took to accept the recipient (RCPT); the median.",
        unit="ms",
        reference="RFC 5321 §4.1.1.3",
    ),
    Metric(
        "trial.send_text_ms",
        "number",
        "Time from the lone dot that ends the text to the server's acceptance of the message; the median.",
        unit="ms",
        reference="RFC 5321 §4.1.1.4",
    ),
    Metric(
        MECHANISM,
        "text",
        "SASL mechanism by which the login of a session that sends succeeded.",
        reference="RFC 4954 §4",
    ),
    Metric(
        MALFORMED_METRIC,
        "set",
        f"Malformed writings of a recipient that the server takes after a login (2xx to RCPT), of {len(ASKED_FORMS)} "
        "that are tried where the user asks for it; no message follows.",
        reference="RFC 5321 §4.1.2",
    ),
    Metric(
        UNKNOWN_METRIC,
        "boolean",
        "Whether the server takes, after a login, a recipient that nobody is (2xx to RCPT), where the user asks for "
        "it. A relay that cannot know takes him and returns the message later; no message follows here.",
        reference="RFC 5321 §3.3",
    ),
)

STEP_METRICS = {
    "connect": "trial.send_connect_ms",
    "greeting": "trial.send_greeting_ms",
    "tls": "trial.send_tls_ms",
    "auth": "trial.send_login_ms",
    "rcpt": "trial.send_recipient_ms",
    "text": "trial.send_text_ms",
}
"""Step of a session (``probes.send.STEPS``) → its metric."""
