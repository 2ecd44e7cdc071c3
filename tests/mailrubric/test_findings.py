"""What is said to do about an unknown criterion."""

from __future__ import annotations

from datetime import UTC, datetime

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import load
from mailrubric.evidence.observation import Observation
from mailrubric.findings import Way, ways
from mailrubric.scoring.evaluate import tabulate, weigh
from mailrubric.workspace import shipped_folder

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def found(catalogue: Catalogue, *observations: Observation) -> list[Way]:
    (vendor,) = weigh(tabulate(catalogue, observations, as_of=NOW, vendors=["postmark"])).vendors
    return ways(catalogue, vendor)


def test_reviews_are_to_be_read_in_and_more_of_them_when_there_were_too_few() -> None:
    catalogue = load([shipped_folder()])
    from_reviews = {criterion.id for criterion in catalogue.criteria if criterion.source.reviews}
    (way,) = [way for way in found(catalogue) if set(way.criteria) & from_reviews]
    assert set(way.criteria) <= from_reviews
    assert way.command == "mailrubric reviews import FILE --vendor postmark"
    assert way.sentence == f"read in reviews of it: {way.command}"
    few = Observation(
        "postmark", "reviews.support", None, "reviewed", "reviews: g2 12", "2026-11-01", "too_few_reviews",
        "12 mentions; 30 are needed",
    )  # fmt: skip
    more = [way.sentence for way in found(catalogue, few) if "support-in-reviews" in way.criteria]
    assert more == [f"read in more reviews of it: {way.command}"]
