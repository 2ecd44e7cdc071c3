"""What surveys, trials and tickets give, declared as every other metric is."""

from __future__ import annotations

from probes.model import Metric

WORKING_HOURS = "working h"
"""The unit of waits within working hours: not ``h``, of which 24 are a day."""
_SUS = "Brooke, SUS: a quick and dirty usability scale, 1996"

METRICS: tuple[Metric, ...] = (
    Metric(
        "survey.sus",
        "number",
        "Mean score of one's own testers on the System Usability Scale, 0 to 100, with its t-interval.",
        reference=_SUS,
    ),
    Metric(
        "survey.reference_score",
        "number",
        "Mean answer of references, 0 to 10, to whether they would choose the platform again, with its t-interval.",
    ),
    Metric(
        "survey.reference_nps",
        "number",
        "Net promoter score of references, -100 to 100: per cent that answer 9 or 10 less per cent that answer 0 to 6, "
        "with its adjusted Wald interval.",
        reference="Reichheld, The One Number You Need to Grow, 2003; Rocks, Interval Estimation for the NPS, 2016",
    ),
    Metric(
        "trial.first_send_minutes",
        "number",
        "Minutes of work, without pauses, from the beginning of sign-up to the first message sent: the median of the "
        "testers, with their range.",
        "min",
    ),
    Metric(
        "trial.tasks_completed",
        "number",
        "Share of the hands-on tasks that came to an end in which they were completed rather than given up, with its "
        "Wilson interval; tasks that nobody tried do not count.",
        "%",
    ),
    Metric(
        "trial.support_first_reply_hours",
        "number",
        "Median hours from opening a ticket to the first reply of a person, by the clock; tickets that wait count with "
        "what they have waited so far.",
        "h",
        "Kaplan and Meier 1958; interval of order statistics",
    ),
    Metric(
        "trial.support_first_reply_p90_hours",
        "number",
        "Hours, by the clock, within which nine of ten tickets had a first reply.",
        "h",
        "Kaplan and Meier 1958; interval of order statistics",
    ),
    Metric(
        "trial.support_first_reply_working_hours",
        "number",
        "Median hours from opening a ticket to the first reply, counting only the vendor's working hours, where these "
        "are known.",
        WORKING_HOURS,
        "Kaplan and Meier 1958; interval of order statistics",
    ),
    Metric(
        "trial.support_solved_hours",
        "number",
        "Median hours from opening a ticket to its solution, by the clock.",
        "h",
        "Kaplan and Meier 1958; interval of order statistics",
    ),
    Metric(
        "trial.support_solved_p90_hours",
        "number",
        "Hours, by the clock, within which nine of ten tickets were solved.",
        "h",
        "Kaplan and Meier 1958; interval of order statistics",
    ),
    Metric(
        "trial.support_solved_working_hours",
        "number",
        "Median hours from opening a ticket to its solution, counting only the vendor's working hours, where these are "
        "known.",
        WORKING_HOURS,
        "Kaplan and Meier 1958; interval of order statistics",
    ),
    Metric(
        "trial.support_helpful_share",
        "number",
        "Share of the answered tickets whose answer helped, with its Wilson interval.",
        "%",
    ),
)
"""In the order in which they are shown."""
