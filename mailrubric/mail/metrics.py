"""What analysed messages give, declared as every other metric is. Shares are in per cent of the messages that each
meaning names (bulk messages: by other signs than the field that is counted, or because their reader says so); their
intervals cover whatever the messages are of which nothing is known, and where these are more than one in ten, there is
no value."""

from __future__ import annotations

from collections.abc import Mapping

from probes.model import Metric

METRICS: tuple[Metric, ...] = (
    Metric("trial.messages_analysed", "integer", "Messages that were analysed.", reference="docs/messages.md"),
    Metric(
        "trial.dkim_pass_share",
        "number",
        "Share of the messages that carry at least one DKIM signature that we have verified.",
        "%",
        "RFC 6376 §6.1",
    ),
    Metric(
        "trial.dkim_aligned_share",
        "number",
        "Share of the messages with a verified DKIM signature by the organisation in From.",
        "%",
        "RFC 9989 §4.4.1",
    ),
    Metric(
        "trial.dkim_key_bits",
        "integer",
        "Size of the smallest RSA key among the verified signatures of the organisation in From; Ed25519 keys, which "
        "are sized otherwise, do not count.",
        "bit",
        "RFC 8301 §3.2",
    ),
    Metric(
        "trial.dkim_body_unsigned_share",
        "number",
        "Share of the messages with a verified signature in which a signature's l= leaves a part of the body out.",
        "%",
        "RFC 6376 §8.2",
    ),
    Metric(
        "trial.spf_aligned_share",
        "number",
        "Share of the messages for which the trusted receiver states that SPF passed, by the organisation in From.",
        "%",
        "RFC 9989 §4.4.2",
    ),
    Metric(
        "trial.dmarc_aligned_share",
        "number",
        "Share of the messages that DKIM (verified by us) or SPF (stated by the receiver) ties to the organisation in "
        "From.",
        "%",
        "RFC 9989 §4.4",
    ),
    Metric(
        "trial.dmarc_stated_pass_share",
        "number",
        "Share of the messages for which the trusted receiver states that DMARC passed, of those where it states a "
        "result.",
        "%",
        "RFC 8601 §2.7",
    ),
    Metric(
        "trial.tls_hop_share",
        "number",
        "Share of the hops between servers that were encrypted, by the Received fields, of those that let one know; "
        "hops inside one house do not count. The interval takes hops for independent.",
        "%",
        "RFC 5321 §4.4, RFC 3848",
    ),
    Metric(
        "trial.tls_last_hop_share",
        "number",
        "Share of the messages that came to the receiver encrypted, by the newest Received field from outside.",
        "%",
        "RFC 5321 §4.4, RFC 3848",
    ),
    Metric(
        "trial.sending_addresses",
        "integer",
        "Different addresses that the messages came from to the receiver.",
        reference="RFC 5321 §4.4",
    ),
    Metric(
        "trial.sending_networks",
        "integer",
        "Different networks of those addresses: 24 bits of IPv4, 48 of IPv6.",
        reference="RFC 5321 §4.4",
    ),
    Metric(
        "trial.bulk_share",
        "number",
        "Share of the messages with signs of bulk mail, of those with signs of either.",
        "%",
        "docs/messages.md",
    ),
    Metric(
        "trial.list_unsubscribe_share",
        "number",
        "Share of the bulk messages with an address to unsubscribe at.",
        "%",
        "RFC 2369 §3.2",
    ),
    Metric(
        "trial.one_click_share",
        "number",
        "Share of the bulk messages that one can unsubscribe from with one click.",
        "%",
        "RFC 8058 §3.1",
    ),
    Metric(
        "trial.one_click_signed_share",
        "number",
        "Share of the messages with one-click unsubscription in which a verified DKIM signature covers both of its "
        "fields.",
        "%",
        "RFC 8058 §4",
    ),
    Metric("trial.list_id_share", "number", "Share of the bulk messages with a List-Id.", "%", "RFC 2919"),
    Metric(
        "trial.feedback_id_share",
        "number",
        "Share of the bulk messages with a Feedback-ID, by which complaints are told apart.",
        "%",
        "Google, Feedback loop",
    ),
    Metric(
        "trial.plain_text_share",
        "number",
        "Share of the messages with HTML that also have a plain-text part.",
        "%",
        "RFC 2046 §5.1.4",
    ),
    Metric(
        "trial.plain_text_likeness",
        "number",
        "How much of the HTML's words the plain text has as well, in the median message with both.",
        "%",
        "RFC 2046 §5.1.4",
    ),
    Metric(
        "trial.picture_only_share",
        "number",
        "Share of the messages with HTML that show pictures and fewer than 20 words.",
        "%",
        "docs/messages.md",
    ),
    Metric(
        "trial.https_links_share",
        "number",
        "Share of the messages with web links in which every one is https.",
        "%",
        "RFC 9110 §4.2.2",
    ),
    Metric(
        "trial.tracking_pixel_share",
        "number",
        "Share of the messages with HTML that hold a remote picture nobody can see: a sign of open tracking.",
        "%",
        "docs/messages.md",
    ),
    Metric(
        "trial.redirect_links_share",
        "number",
        "Share of the messages with web links in which at least one looks as if it led by way of a click counter.",
        "%",
        "docs/messages.md",
    ),
    Metric("trial.message_bytes", "integer", "Size of the median message.", "B", "RFC 5322"),
)
"""Every metric that ``aggregate`` gives."""

TITLES: Mapping[str, str] = {
    "trial.messages_analysed": "Messages analysed",
    "trial.dkim_pass_share": "DKIM signature verified",
    "trial.dkim_aligned_share": "DKIM aligned with From",
    "trial.dkim_key_bits": "Smallest RSA key of DKIM",
    "trial.dkim_body_unsigned_share": "Body signed in part only (l=)",
    "trial.spf_aligned_share": "SPF aligned with From",
    "trial.dmarc_aligned_share": "Either aligned (DMARC)",
    "trial.dmarc_stated_pass_share": "DMARC passed, receiver says",
    "trial.tls_hop_share": "Hops over TLS",
    "trial.tls_last_hop_share": "Last hop over TLS",
    "trial.sending_addresses": "Sending addresses",
    "trial.sending_networks": "Sending networks",
    "trial.bulk_share": "Signs of bulk mail",
    "trial.list_unsubscribe_share": "Bulk: List-Unsubscribe",
    "trial.one_click_share": "Bulk: one-click unsubscribe",
    "trial.one_click_signed_share": "One-click signed by DKIM",
    "trial.list_id_share": "Bulk: List-Id",
    "trial.feedback_id_share": "Bulk: Feedback-ID",
    "trial.plain_text_share": "HTML with a plain-text part",
    "trial.plain_text_likeness": "HTML's words in plain text",
    "trial.picture_only_share": "Pictures, hardly any words",
    "trial.https_links_share": "All links over HTTPS",
    "trial.tracking_pixel_share": "Hidden picture (tracking)",
    "trial.redirect_links_share": "Links by way of a counter",
    "trial.message_bytes": "Size of a message",
}
"""What tables and charts call each metric."""
