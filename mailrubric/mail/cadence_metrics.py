"""What a stream of mail gives, declared as every other metric is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mailrubric.evidence.observation import Observation, ObservedValue
from probes.model import Metric

if TYPE_CHECKING:
    from mailrubric.mail.cadence import Cadence, Estimate

_SENDERS = "Google, Email sender guidelines"

METRICS: tuple[Metric, ...] = (
    Metric(
        "trial.messages_per_week",
        "number",
        "Messages a week that the median recipient gets from one sender, over the weeks that were seen whole; its "
        "interval covers weeks and recipients.",
        "messages/week",
        "docs/methodology.md, Cadence",
    ),
    Metric(
        "trial.messages_per_week_p90",
        "number",
        "Messages a week that one recipient in ten gets at least; it takes 36 recipients.",
        "messages/week",
        "docs/methodology.md, Cadence",
    ),
    Metric(
        "trial.overfed_weeks_share",
        "number",
        "Share of the weeks of one recipient in which more messages came than he tolerates: what he says, else 3.",
        "%",
        "Litmus, consumer survey on email frequency; MarketingSherpa 2015",
    ),
    Metric(
        "trial.same_day_share",
        "number",
        "Share of the days with mail on which a recipient got several messages from one sender.",
        "%",
    ),
    Metric(
        "trial.burstiness",
        "number",
        "How unevenly messages come to the median recipient: -1 like a clock, 0 by chance, towards 1 in bursts; "
        "corrected for few messages.",
        "",
        "Goh and Barabasi 2008; Kim and Jo 2016",
    ),
    Metric(
        "trial.waking_hours_share",
        "number",
        "Share of the messages that arrived between 8 and 22 o'clock (unless set otherwise) on the recipient's clock.",
        "%",
    ),
    Metric(
        "trial.working_hours_share",
        "number",
        "Share of the messages that arrived from Monday to Friday between 9 and 18 o'clock (unless set otherwise) on "
        "the recipient's clock.",
        "%",
    ),
    Metric(
        "trial.zone_following_share",
        "number",
        "Share of the campaigns to recipients in several time zones whose times of day agree better on the recipients' "
        "own clocks than on one clock.",
        "%",
    ),
    Metric(
        "trial.local_time_sending",
        "boolean",
        "Whether the mail shows sending by the recipient's time zone: yes when most campaigns to several zones "
        "followed it, no when most did not although it was switched on, by the whole interval.",
    ),
    Metric(
        "trial.never_opened_share",
        "number",
        "Share of the messages older than a week that nobody has opened, in mailboxes that say it (flag Seen).",
        "%",
        "RFC 9051 section 2.3.2",
    ),
    Metric(
        "trial.sunset_ratio",
        "number",
        "Messages to recipients who never opened any: those in the second half of the time divided by those in the "
        "first, measured by what others got in the same weeks; 1 when nothing changes, 0 when sending stops.",
    ),
    Metric(
        "trial.sunset_policy",
        "boolean",
        "Whether the mail shows that who never opens gets less: yes at half as much or less, no when it did not "
        "although it was switched on, by the whole interval.",
    ),
    Metric(
        "trial.frequency_capping",
        "boolean",
        "Whether, with a cap on messages a week switched on, no recipient got more in any seven days; not known while "
        "the cap was never reached.",
    ),
    Metric(
        "trial.first_mail_minutes",
        "number",
        "Minutes from sign-up to the first mail, the median of those who signed up.",
        "min",
    ),
    Metric(
        "trial.mail_after_unsubscribing",
        "integer",
        "Messages of bulk mail that came more than 48 hours (unless set otherwise) after unsubscribing.",
        "",
        _SENDERS,
    ),
    Metric(
        "trial.unsubscribe_obeyed",
        "boolean",
        "Whether nothing came after 48 hours (unless set otherwise) since unsubscribing, for so long that at the rate "
        "before three messages would have come.",
        "",
        _SENDERS,
    ),
)

TITLES: Mapping[str, str] = {
    "trial.messages_per_week": "Messages a week",
    "trial.messages_per_week_p90": "… to one recipient in ten",
    "trial.overfed_weeks_share": "Weeks over the tolerance",
    "trial.same_day_share": "Days with several messages",
    "trial.burstiness": "Burstiness, −1 to 1",
    "trial.waking_hours_share": "In waking hours",
    "trial.working_hours_share": "In working hours",
    "trial.zone_following_share": "Campaigns by local time",
    "trial.local_time_sending": "Sends by local time",
    "trial.never_opened_share": "Never opened",
    "trial.sunset_ratio": "Later ÷ earlier, to who never opens",
    "trial.sunset_policy": "Lets go who never opens",
    "trial.frequency_capping": "Keeps to a cap",
    "trial.first_mail_minutes": "Sign-up to first mail",
    "trial.mail_after_unsubscribing": "Mail after unsubscribing",
    "trial.unsubscribe_obeyed": "Obeys unsubscriptions",
}
"""What tables and charts call each metric."""

SOURCE = "mailrubric mail cadence"
UNASKED = "not_told"
"""Cause of figures that take a word from people which was not said: nobody tried, so nothing is kept."""

PRACTICE = frozenset(
    {
        "trial.messages_per_week",
        "trial.messages_per_week_p90",
        "trial.overfed_weeks_share",
        "trial.same_day_share",
        "trial.burstiness",
        "trial.waking_hours_share",
        "trial.working_hours_share",
        "trial.zone_following_share",
        "trial.never_opened_share",
        "trial.sunset_ratio",
    }
)
"""How a sender writes: evidence about a platform only where several of its customers were looked at. The others are
what the platform itself does, which one customer's mail shows."""


def of_customers(found: Cadence) -> dict[str, Estimate]:
    """The figures as evidence about the platform behind the mail."""
    from mailrubric.mail.cadence import Estimate
    from mailrubric.mail.intervals import SAMPLE

    if found.senders >= SAMPLE:
        return found.estimates
    customers = "1 customer tells" if found.senders == 1 else f"{found.senders} customers tell"
    why = f"{customers} how they write, not how those of a platform do; it takes {SAMPLE}"
    return {
        key: Estimate(None, n=each.n, counted=each.counted, cause="too_few", detail=why)
        if key in PRACTICE and not each.cause
        else each
        for key, each in found.estimates.items()
    }


def observations(found: Cadence, vendor: str, observed: str) -> list[Observation]:
    """What was found, as evidence about a vendor. ``observed``: when it was read, which counts where there is no mail;
    else the time of the last message does."""
    units = {metric.key: metric for metric in METRICS}
    return [
        Observation(
            vendor=vendor,
            metric=key,
            value=_value(each, units[key]),
            kind="tested",
            source=SOURCE,
            observed=found.last or observed,
            cause=each.cause or None,
            detail=_detail(each),
            unit=units[key].unit,
            label=found.sender,
            n=each.n,
            low=each.low,
            high=each.high,
        )
        for key, each in of_customers(found).items()
        if each.cause != UNASKED
    ]


def _value(estimate: Estimate, metric: Metric) -> ObservedValue | None:
    if isinstance(estimate.value, float) and metric.type == "integer":
        return round(estimate.value)
    return estimate.value


def _detail(estimate: Estimate) -> str:
    """``41 messages; over 3 messages a week``."""
    from mailrubric.mail.cadence import cases

    return "; ".join(part for part in (cases(estimate), estimate.detail) if part)
