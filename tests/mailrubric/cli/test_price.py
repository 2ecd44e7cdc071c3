"""``mailrubric price`` over the shipped profiles and over a workspace's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailrubric.catalogue.load import load
from mailrubric.price import Need, cost
from mailrubric.workspace import shipped_folder

PROFILE = """\
id: acme
name: Acme
category: esp
plans:
  - {name: Pay, monthly: 0, included_emails: 0, overage_per_thousand: 0.3, source: https://a.example, as_of: 2026}
"""
FLAT = """\
id: flat
name: Flat
category: esp
plans:
  - {name: Flat, monthly: 15, included_emails: 100000, source: https://flat.example, as_of: 2026-08-13}
  - {name: Odd, monthly: 3, source: https://flat.example, as_of: 2026-08-13}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    (folder / "vendors").mkdir(parents=True)
    (folder / "mailrubric.yaml").write_text("shipped_vendors: false\n")
    (folder / "vendors" / "acme.yaml").write_text(PROFILE)
    (folder / "vendors" / "flat.yaml").write_text(FLAT)
    return folder


def test_the_cheapest_comes_first_with_what_it_is_made_of(call, own):
    result = call("price", "--volume", 60_000, "--workspace", own)
    lines = result.out.splitlines()
    assert lines[0] == "60,000 messages a month, in USD"
    assert lines[2].split()[:3] == ["flat", "Flat", "15.00"]
    assert lines[3].split()[:3] == ["acme", "Pay", "18.00"]
    assert "18.00 60,000 further messages" in lines[3]
    assert "Of flat the prices of some plans are not known" in result.out


def test_unknown_prices_stand_last_with_their_reason(call, own):
    found = call("price", "--volume", 200_000, "--workspace", own, "--json").json["vendors"]
    assert [(each["id"], each["amount"]) for each in found] == [("acme", 60.0), ("flat", None)]
    assert "no price stated beyond 100,000 messages" in found[1]["why"]


def test_mailboxes_are_priced_by_their_number(call):
    found = {each["id"]: each["amount"] for each in call("price", "--users", 10, "--json").json["vendors"]}
    assert found["zoho-mail"] == 10
    assert "resend" not in found
    assert call("price", "--users", 10, "--currency", "eur", "mailbox-org", "--json").json["vendors"][0]["amount"] == 30


def test_break_even_in_words(call, own):
    lines = call("price", "acme", "flat", "--break-even", "--workspace", own).out.splitlines()
    assert lines[0] == "from 1 messages a month: acme is cheaper than flat"
    assert lines[1] == "from 50,000 messages a month: both cost the same"
    assert lines[2] == "from 50,001 messages a month: flat is cheaper than acme"
    assert lines[3] == "from 100,001 messages a month: the price of one of them is not known"


BY_HAND: dict[str, tuple[float | None, float | None, float | None, float | None]] = {
    # From the sources that the plans name, at 1,000, 10,000, 100,000 and a million messages a month.
    "amazon-ses": (0.10, 1.00, 10.00, 100.00),  # 0.10 a thousand
    "azure-email": (0.25, 2.50, 25.00, 250.00),  # 0.00025 each
    "brevo": (0.00, 69.00, 69.00, None),  # free below 9,000; the step of 100,000 is the next that is stated
    "customer-io": (0.40, 4.00, 40.00, 100.00),  # Builder at 0.40 a thousand; Essentials with a million for 100
    "mailchimp": (None, None, None, None),  # by contacts
    "mailerlite": (None, None, None, None),  # by subscribers
    "mailgun": (0.00, 15.00, 80.00, None),  # Free, Basic, Foundation 100k
    "mailjet": (0.00, 95.00, 95.00, None),  # free below 6,000
    "mailtrap": (0.00, 15.00, 30.00, 750.00),  # Free, Basic 10K, Basic 100K, Enterprise 1.5M
    "mandrill": (40.00, 40.00, 100.00, None),  # 20 for the plan it needs, 20 for each block of 25,000
    "postmark": (15.00, 15.00, None, None),  # the smallest step; the others' prices are not stated
    "resend": (0.00, 20.00, 35.00, 650.00),  # Free, Pro 50k, Pro 100k, Scale 1M
    "sendgrid": (19.95, 19.95, None, None),  # Essentials 50K; the price of Essentials 100K is not stated
    "smtp2go": (0.00, 8.33, 62.50, None),  # 100 and 750 a year
    "sparkpost": (20.00, 20.00, None, None),
    "zeptomail": (2.50, 2.50, 25.00, 250.00),  # credits of 10,000 messages
}


def test_shipped_prices_are_those_that_the_sources_come_to_by_hand(call):
    found = call("price", "--curve", "--json").json
    volumes = [found["volumes"].index(volume) for volume in (1_000, 10_000, 100_000, 1_000_000)]
    amounts = {each["id"]: tuple(each["amounts"][place] for place in volumes) for each in found["vendors"]}
    assert {name: amounts[name] for name in BY_HAND} == BY_HAND


def test_a_dedicated_address_is_paid_for_or_included(call):
    found = call("price", "--volume", 100_000, "--option", "dedicated_ip", "--monthly", "--json").json["vendors"]
    plans = {each["id"]: (each["plan"], each["amount"]) for each in found if each["amount"] is not None}
    assert plans == {
        "amazon-ses": ("A la carte", 34.95),  # 10 + 24.95
        "smtp2go": ("Professional 100,000", 75.0),
        "mailgun": ("Foundation 100k", 80.0),
        "mailtrap": ("Business 100K", 85.0),
        "resend": ("Scale 100k", 120.0),  # 90 + 30
    }
    lines = call("price", "mailgun", "--volume", 90_000, "--option", "dedicated_ip=2").out
    assert "139.00  80.00 base + 59.00 1 × dedicated_ip + 1 × dedicated_ip included" in lines
    assert "free of charge" in call("price", "mailgun", "--volume", 1_000).out


def test_rates_fall_beyond_what_the_curve_shows():
    # Amazon's Essentials: 10 million at 0.16 a thousand, the next ten at 0.14.
    vendor = load([shipped_folder()]).vendors["amazon-ses"]
    essentials = next(plan for plan in vendor.plans if plan.name == "Essentials")
    assert cost(essentials, Need(10_000_000)).amount == 1600
    assert cost(essentials, Need(20_000_000)).amount == 1600 + 1400


def test_the_curve_of_the_shipped_profiles(call):
    found = call("price", "--curve", "--json").json
    by_id = {each["id"]: dict(zip(found["volumes"], each["amounts"], strict=True)) for each in found["vendors"]}
    assert by_id["amazon-ses"][100_000] == 10
    assert by_id["amazon-ses"][10_000_000] == 1000
    assert by_id["resend"][1_000_000] == 650
    assert by_id["sendgrid"][100_000] is None
    assert "amazon-ses" in call("price", "--curve").out


def test_a_price_counts_as_the_criterion_says(call, own):
    explained = call("explain", "acme", "--workspace", own, "--json").json
    cell = next(each for each in explained["vendor"]["criteria"] if each["id"] == "price-100k")
    assert (cell["value"], cell["kind"], cell["source"]) == (30.0, "claimed", "https://a.example")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--volume", 5, "--curve"],
        ["--break-even"],
        ["acme", "--break-even"],
        ["--volume", 5, "--option", "=3"],
        ["--volume", 5, "--option", "dedicated_ip=many"],
        ["--volume", 5, "--users", 10_000_000],
        ["nobody", "--volume", 5],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(call, own, words):
    result = call("price", *words, "--workspace", own)
    assert result.code == 2
    assert result.err


def test_a_plan_that_contradicts_itself_is_an_error_with_its_place(call, own):
    (own / "vendors" / "flat.yaml").write_text(
        FLAT.replace("included_emails: 100000", "included_emails: 9, maximum_emails: 3")
    )
    result = call("validate", "--workspace", own)
    assert result.code == 1
    assert "plans[0].maximum_emails: less than the 9 included_emails" in result.out + result.err
