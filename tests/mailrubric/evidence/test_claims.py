from __future__ import annotations

from mailrubric.catalogue.models import FactDeclaration, Vendor
from mailrubric.evidence.claims import all_claims, claims, normal_value, stated_values

ACME = Vendor.model_validate(
    {
        "id": "acme",
        "name": "Acme",
        "category": "esp",
        "facts": {
            "log_days": {
                "value": 45,
                "source": "https://acme.example/pricing",
                "as_of": "2026-08",
                "grade": "official",
                "note": "on the basic plan",
                "via": "https://archive.example/acme",
                "disputed": [
                    {"source": "https://other.example", "as_of": "2025", "value": 30},
                    {"source": "https://third.example", "as_of": "undated", "note": "says something else"},
                ],
            },
            "channels": {"value": ["phone", "chat", "chat"], "source": "https://acme.example", "as_of": "undated"},
            "soc2": {
                "value": True,
                "source": "https://acme.example/trust",
                "as_of": "2026-01-31",
                "document": "https://acme.example/soc2.pdf",
            },
        },
    }
)
DECLARED = {"log_days": FactDeclaration(type="integer", unit="d", meaning="Days of log")}


def test_a_fact_becomes_a_claim_with_everything_said_about_it() -> None:
    log_days, channels, soc2 = claims(ACME, DECLARED)
    assert (log_days.vendor, log_days.metric, log_days.value, log_days.kind) == ("acme", "log_days", 45, "claimed")
    assert (log_days.unit, log_days.observed, log_days.grade) == ("d", "2026-08", "official")
    assert log_days.source == "https://acme.example/pricing"
    assert log_days.note == "on the basic plan; read at https://archive.example/acme"
    assert log_days.disputed == (("30", "https://other.example", "2025"),)
    assert channels.value == ("chat", "phone")
    assert channels.unit == ""
    assert soc2.value is True
    assert soc2.document == "https://acme.example/soc2.pdf"
    assert all(claim.cause is None and claim.endpoint == "" for claim in (log_days, channels, soc2))


def test_all_stated_values_come_with_the_profiles_first() -> None:
    assert stated_values(ACME.facts["log_days"]) == (45, 30)


def test_claims_of_several_profiles() -> None:
    assert len(all_claims([ACME, ACME.model_copy(update={"id": "other"})], DECLARED)) == 6


def test_values_take_the_shape_that_observations_have() -> None:
    assert normal_value({"b", "a"}) == ("a", "b")
    assert normal_value([]) == ()
    assert normal_value(2.5) == 2.5
    assert normal_value(None) == "None"
