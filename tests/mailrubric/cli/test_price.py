"""``mailrubric price`` over the shipped profiles and over a workspace's own."""

from __future__ import annotations

from pathlib import Path

import pytest

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
