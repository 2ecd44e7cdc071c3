"""What reviews can tell, declared for criteria and for the reference of metrics. Imports nothing heavy."""

from __future__ import annotations

from probes.model import Metric

ASPECTS: dict[str, str] = {
    "ease_of_use": "ease of use",
    "deliverability": "deliverability",
    "support": "support",
    "price": "price",
    "reliability": "reliability",
    "features": "features",
    "integration": "integration",
    "security": "security",
    "speed": "speed",
}
"""Aspect → as people write it."""

FEWEST_MENTIONS = 30
"""Reviews that must speak of an aspect before its share is published."""
FEWEST_TEXTS = 10
"""Texts that it takes before the share of positive ones is published."""
FEWEST_RATINGS = 5
"""Star ratings that it takes before a rating is published."""

PREFIX = "reviews."

METRICS: tuple[Metric, ...] = (
    Metric(
        "reviews.rating",
        "number",
        "Star rating from 1 to 5 over all sources: newer reviews count more, bursts and repeated reviews less, each "
        "source's own level is taken out, and few ratings are drawn to the mean of all vendors with reviews. The prior "
        f"comes from all vendors in the store. From {FEWEST_RATINGS} ratings on.",
        unit="stars",
        reference="Efron and Morris 1975; Morris and Tang 2011",
    ),
    Metric(
        "reviews.sentiment",
        "number",
        "Share of review texts that are positive, corrected for the classifier's measured errors and for how people "
        f"write at each source. From {FEWEST_TEXTS} texts on.",
        unit="%",
        reference="Rogan and Gladen 1978",
    ),
    *(
        Metric(
            f"{PREFIX}{name}",
            "number",
            f"Share of the reviews speaking of {words} that speak well of it, corrected for the classifier's measured "
            f"errors on this aspect and for how people write at each source. From {FEWEST_MENTIONS} mentions on.",
            unit="%",
            reference="Rogan and Gladen 1978",
        )
        for name, words in ASPECTS.items()
    ),
)
