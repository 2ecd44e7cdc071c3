"""What people, messages and reviews can tell: every metric that is not a probe's, by key."""

from __future__ import annotations

import functools

from probes.model import Metric


@functools.cache
def rooms() -> tuple[tuple[str, tuple[Metric, ...]], ...]:
    """Where such metrics come from, and which: (title, metrics sorted by key)."""
    # Imported when asked for: the rooms import the observations beside this module.
    from mailrubric.mail import cadence_metrics, metrics, send_metrics
    from mailrubric.reviews import metrics as reviews
    from mailrubric.trials import metrics as trials

    found = (
        ("Reviews", reviews.METRICS),
        ("Surveys, trials and tickets", trials.METRICS),
        ("Test messages sent", send_metrics.METRICS),
        ("Messages received", metrics.METRICS),
        ("Cadence of messages received", cadence_metrics.METRICS),
    )
    return tuple((title, tuple(sorted(each, key=lambda metric: metric.key))) for title, each in found)


@functools.cache
def declared() -> dict[str, Metric]:
    """The metrics of all rooms by key (``reviews.rating``, ``survey.sus``, ``trial.inbox_rate``)."""
    found: dict[str, Metric] = {}
    for title, metrics in rooms():
        for metric in metrics:
            if metric.key in found:
                raise ValueError(f"{metric.key} is declared twice, the second time among {title}")
            found[metric.key] = metric
    return found
