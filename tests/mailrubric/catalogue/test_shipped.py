"""The shipped criteria ask what buyers of email platforms compare, and score it between the ends argued for."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import load
from mailrubric.catalogue.models import NoneFunction
from mailrubric.evidence.observation import Observation
from mailrubric.scoring.evaluate import evaluate
from mailrubric.scoring.evaluation import Cell
from mailrubric.scoring.value_functions import apply
from mailrubric.workspace import shipped_folder
from probes.network import BLOCKLISTS
from tests.mailrubric.scoring.building import FRESH, NOW, fact, vendor

COMPARED = {
    "deliverability": {
        "share of mail in the inbox": "inbox-placement",
        "addresses of one's own": "dedicated-address address-warm-up",
        "streams kept apart": "separate-streams",
        "blocklists": "blocklists",
        "confirmed reverse names": "reverse-names",
        "feedback loops": "feedback-loops",
        "suppression": "suppression-list",
        "one-click unsubscribe": "one-click-unsubscribe",
    },
    "transport and authentication": {
        "DKIM": "dkim-own-domain dkim-key-size dkim-key-rotation",
        "SPF alignment": "spf-alignment",
        "the vendor's own DMARC": "vendor-dmarc-policy",
        "versions of TLS": "tls-oldest-version tls-newest-version",
        "ports of submission": "smtp-port-choice smtp-implicit-tls starttls-offered",
        "certificates": "certificate-trusted certificate-name certificate-days-left",
        "MTA-STS and reports": "mta-sts-published tls-reporting",
        "DANE": "dane-published dane-matches",
        "passwords after TLS only": "smtp-authentication-before-tls smtp-oauth",
        "extensions": "smtp-extensions smtp-size-limit",
    },
    "interfaces": {
        "ways to send": "idempotency batch-size",
        "webhooks": "webhooks webhook-events webhook-signing webhook-retries",
        "event logs": "log-retention",
        "inbound mail": "inbound-parsing",
        "rate of sending": "send-rate",
        "libraries": "client-libraries openapi-file",
        "templates": "stored-templates",
        "sub-accounts": "sub-accounts",
    },
    "reliability": {
        "promised uptime": "promised-uptime service-level-agreement",
        "incidents": "incident-hours incident-count public-status-page",
        "connection": "handshake-time greeting-time",
        "time to the inbox": "delivery-time",
        "regions": "regions",
    },
    "data protection": {
        "audits": "soc2 iso27001",
        "place of data": "eu-data-residency",
        "processing": "processing-agreement",
        "single sign-on": "single-sign-on",
        "second factor": "second-factor second-factor-enforced",
        "rights": "roles audit-log api-key-scopes",
        "web site": "web-hsts security-contact",
    },
    "ease of use": {
        "SUS": "usability-scale",
        "first message": "time-to-first-send",
        "DNS": "dns-records",
        "reviewers": "ease-in-reviews",
        "campaigns": "visual-editor segmentation variant-testing automations send-time-optimisation",
    },
    "price and terms": {
        "10,000": "price-10k",
        "100,000": "price-100k",
        "a million": "price-1m",
        "public prices": "price-list",
        "free": "free-messages",
        "leaving": "monthly-contract data-export",
    },
    "support": {
        "channels": "support-channels support-around-the-clock",
        "first reply": "support-first-reply support-slow-reply",
        "reviewers": "support-in-reviews",
        "documentation": "documentation-set",
    },
    "reviews and viability": {
        "stars": "review-rating",
        "texts": "review-sentiment",
        "age": "years-in-service",
        "changes": "last-change release-age source-scorecard",
    },
}
"""What decision records, requests for proposals and lists of buyers compare, and the criteria that ask it."""


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load([shipped_folder()])


@pytest.mark.parametrize("subject", COMPARED)
def test_what_buyers_compare_is_asked(shipped: Catalogue, subject: str) -> None:
    there = {item.id for item in shipped.criteria}
    asked = {identifier for each in COMPARED[subject].values() for identifier in each.split()}
    assert asked <= there


@pytest.mark.parametrize(
    ("identifier", "values", "points"),
    [
        ("send-rate", (0.5, 1, 10, 100, 10_000), (0, 0, 50, 100, 100)),
        ("dns-records", (0, 3, 6, 10, 12), (100, 90, 50, 0, 0)),
        ("price-list", ("quote", "partial", "full"), (0, 50, 100)),
        ("data-export", ((), ("logs",), ("suppressions", "templates", "logs")), (0, 100 / 3, 100)),
        ("documentation-set", ((), ("reference", "changelog")), (0, 40)),
        ("promised-uptime", (99.0, 99.9, 99.95, 99.99, 100.0), (20, 60, 80, 100, 100)),
        ("processing-agreement", ("none", "public", "with_subprocessors"), (0, 50, 100)),
        ("years-in-service", (1, 3, 10, 25), (10, 50, 100, 100)),
        ("last-change", (14, 120), (90, 50)),
        ("webhook-retries", (0, 1, 24, 72), (0, 40, 100, 100)),
    ],
)
def test_the_ends_are_those_that_the_rationale_argues_for(
    shipped: Catalogue, identifier: str, values: tuple[Any, ...], points: tuple[float, ...]
) -> None:
    (item,) = (each for each in shipped.criteria if each.id == identifier)
    np.testing.assert_allclose(apply(item.score, values), points)


def test_every_blocklist_that_is_asked_counts(shipped: Catalogue) -> None:
    (item,) = (each for each in shipped.criteria if each.id == "blocklists")
    assert isinstance(item.score, NoneFunction)
    assert set(item.score.none_of) == set(BLOCKLISTS)


def slow_reply(shipped: Catalogue, observations: list[Observation], **facts: Any) -> Cell:
    catalogue = dataclasses.replace(shipped, vendors={"acme": vendor("acme", facts=facts)})
    cells = evaluate(catalogue, observations, as_of=NOW).vendors[0].cells
    (found,) = (each for each in cells if each.criterion == "support-slow-reply")
    return found


def replied(hours: float) -> Observation:
    return Observation(
        vendor="acme",
        metric="trial.support_first_reply_p90_hours",
        value=hours,
        kind="tested",
        source="ledger",
        observed=FRESH,
        unit="h",
        n=20,
    )


def test_a_promised_reply_stands_in_for_tickets_and_is_broken_by_slower_ones(shipped: Catalogue) -> None:
    promised = {"support_response_hours": fact(8)}
    assert slow_reply(shipped, []).score is None
    claim = slow_reply(shipped, [], **promised)
    assert (claim.value, claim.kind, claim.contradiction) == (8, "claimed", None)
    quicker = slow_reply(shipped, [replied(3.0)], **promised)
    assert (quicker.value, quicker.contradiction) == (3.0, None)
    slower = slow_reply(shipped, [replied(30.0)], **promised)
    assert slower.value == 30.0
    assert slower.contradiction is not None
    assert slower.score is not None
    assert claim.score is not None
    assert slower.score < claim.score


def test_no_claim_is_shipped_about_a_rate_without_the_text_that_it_was_read_from(shipped: Catalogue) -> None:
    rates = {name: profile.facts for name, profile in shipped.vendors.items() if "send_rate" in profile.facts}
    assert rates
    for name, facts in rates.items():
        texts = [facts[key] for key in ("api_rate_limit", "smtp_rate_limit") if key in facts]
        assert any(
            (text.source, text.as_of) == (facts["send_rate"].source, facts["send_rate"].as_of) for text in texts
        ), name
