"""One cell at a time: which evidence counts, what it is worth, how sure that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailrubric.catalogue.models import Criterion
from mailrubric.evidence.observation import Observation
from mailrubric.evidence.select import CONCLUSIVE_CAUSES
from mailrubric.scoring.cells import ScoringError, Table, tabulate
from mailrubric.scoring.evaluation import Cell, Gate
from probes.model import Metric
from tests.mailrubric.scoring.building import (
    FRESH,
    LINE,
    NOW,
    catalogue,
    criterion,
    fact,
    measured,
    submission,
    vendor,
)

HOSTS = ("a.example", "b.example", "c.example")
SPEED = Metric("smtp.speed", "number", "made up", roles=frozenset({"submission"}))


def probed(identifier: str = "speed", **fields: Any) -> Criterion:
    """A criterion that reads smtp.speed, and the fact ``speed`` when nothing was measured."""
    source = {"probe": "smtp.speed", "fact": "speed", "roles": ["submission"], **fields.pop("source", {})}
    return criterion(identifier, **{"from": source, **fields})


def table(
    one: Criterion,
    observations: list[Observation] | None = None,
    *,
    as_of: datetime = NOW,
    endpoints: dict[str, Any] | None = None,
    **profile: Any,
) -> Table:
    acme = vendor("acme", endpoints=submission("mx.example") if endpoints is None else endpoints, **profile)
    return tabulate(catalogue({"group": [one]}, [acme], metrics=[SPEED]), observations or [], as_of)


def cell(one: Criterion, observations: list[Observation] | None = None, **fields: Any) -> Cell:
    return table(one, observations, **fields).cells[0][0]


def gate(one: Criterion, observations: list[Observation] | None = None, **fields: Any) -> Gate:
    (found,) = table(one, observations, **fields).gates[0]
    return found


def bounds(found: Cell) -> tuple[float, float]:
    return found.low, found.high


# --- where a value comes from -----------------------------------------------------------------------------------------


def test_a_fresh_measurement_is_worth_its_value_exactly() -> None:
    found = cell(probed(), [measured("acme", "smtp.speed", 40)])
    assert (found.value, found.score, found.low, found.high) == (40, 40, 40, 40)
    assert (found.kind, found.cause, found.source, found.observed) == ("measured", None, "probe smtp", FRESH)
    assert (found.age_days, found.vantage, found.applicable) == (0, "local", True)
    assert found.detail == "submission mx.example:587"
    assert len(found.evidence) == 1


def test_a_measurement_beats_a_claim_and_both_are_evidence() -> None:
    found = cell(probed(), [measured("acme", "smtp.speed", 40)], facts={"speed": fact(41)})
    assert (found.value, found.kind, found.contradiction) == (40, "measured", None)
    assert [each.kind for each in found.evidence] == ["measured", "claimed"]


def test_a_claim_stands_in_when_nothing_could_be_measured() -> None:
    failed = measured("acme", "smtp.speed", cause="connection_timeout", detail="no reply in 8 s")
    found = cell(probed(), [failed], facts={"speed": fact(70, grade="unverified", note="on the basic plan")})
    assert (found.value, found.score, found.kind, found.grade) == (70, 70, "claimed", "unverified")
    assert found.source == "https://vendor.example/page"
    assert "connection_timeout" in found.detail
    assert "on the basic plan" in found.detail


def test_nothing_at_all_is_unknown_and_never_zero() -> None:
    found = cell(probed())
    assert (found.value, found.score, found.cause, found.kind) == (None, None, "no_evidence", None)
    assert bounds(found) == (0, 100)
    assert found.imputed == pytest.approx(40)
    assert found.detail == "not probed yet: submission mx.example:587; the profile does not state speed"


def test_a_vendor_without_such_an_endpoint_is_unknown_not_excused() -> None:
    found = cell(probed(), endpoints={})
    assert (found.cause, found.applicable) == ("no_evidence", True)
    assert "the profile has no submission endpoint" in found.detail


def test_a_failure_names_its_cause() -> None:
    found = cell(probed(), [measured("acme", "smtp.speed", cause="connection_refused", detail="111")])
    assert (found.value, found.score, found.cause) == (None, None, "connection_refused")
    assert found.detail == "submission mx.example:587 from local (connection_refused: 111)"
    assert found.observed == FRESH


def test_the_most_frequent_of_several_causes_stands_for_all() -> None:
    observations = [
        measured("acme", "smtp.speed", cause=cause, host=host)
        for host, cause in zip(HOSTS, ("throttled", "connection_reset", "connection_reset"), strict=True)
    ]
    found = cell(probed(), observations, endpoints=submission(*HOSTS))
    assert found.cause == "connection_reset"
    assert all(host in found.detail for host in HOSTS)


@pytest.mark.parametrize(
    ("key", "kind", "metric"),
    [
        ("trial", "tested", "trial.first_send"),
        ("survey", "surveyed", "survey.first_send"),
        ("reviews", "reviewed", "reviews.first_send"),
        ("price", "claimed", "price.first_send"),
    ],
)
def test_other_kinds_of_evidence(key: str, kind: Any, metric: str) -> None:
    one = criterion("first-send", **{"from": {key: "first_send"}})
    assert cell(one).detail.startswith("no ")
    found = cell(one, [Observation("acme", metric, 30.0, kind, "https://somewhere.example", FRESH, n=12)])
    assert (found.score, found.kind, found.n) == (30, kind, 12)


def test_experience_stands_between_measurement_and_claim() -> None:
    one = criterion("speed", **{"from": {"probe": "smtp.speed", "survey": "speed", "fact": "speed"}})
    survey = Observation("acme", "survey.speed", 55.0, "surveyed", "survey of spring", FRESH)
    assert cell(one, [survey], facts={"speed": fact(10)}).score == 55
    assert cell(one, [survey, measured("acme", "smtp.speed", 99)]).score == 99


def test_a_sample_gives_its_own_bounds() -> None:
    one = criterion("ease", **{"from": {"survey": "sus"}})
    found = cell(one, [Observation("acme", "survey.sus", 70.0, "surveyed", "x", FRESH, n=8, low=60.0, high=85.0)])
    assert (found.score, bounds(found), found.n) == (70, (60, 85), 8)


# --- units ------------------------------------------------------------------------------------------------------------


def test_values_are_converted_to_the_criterions_unit() -> None:
    size = criterion(
        "size", unit="MB", **{"from": {"probe": "smtp.size_limit"}, "score": {"points": [[0, 0], [50, 100]]}}
    )
    found = cell(size, [measured("acme", "smtp.size_limit", 25_000_000, unit="B")])
    assert (found.value, found.unit, found.score) == (25, "MB", 50)


def test_the_metrics_own_unit_counts_when_the_observation_names_none() -> None:
    delay = criterion("delay", unit="s", **{"from": {"probe": "smtp.delay"}})
    metric = Metric("smtp.delay", "number", "made up", unit="ms")
    acme = vendor("acme", endpoints=submission("mx.example"))
    made = tabulate(
        catalogue({"group": [delay]}, [acme], metrics=[metric]), [measured("acme", "smtp.delay", 2500)], NOW
    )
    assert made.cells[0][0].value == 2.5


def test_a_unit_that_cannot_be_converted_leaves_the_cell_unknown_and_says_so() -> None:
    one = probed(unit="d")
    found = cell(one, [measured("acme", "smtp.speed", 40, unit="USD")])
    assert (found.value, found.cause) == (None, "unscored")
    assert "40 USD" in found.detail


def test_a_value_that_the_function_does_not_know_is_unknown_not_zero() -> None:
    one = criterion("oldest", **{"from": {"probe": "tls.oldest"}, "score": {"map": {"TLSv1.3": 100}}})
    found = cell(one, [measured("acme", "tls.oldest", "TLSv1.7")])
    assert (found.value, found.score, found.cause) == (None, None, "unscored")
    assert "TLSv1.7" in found.detail


# --- several endpoints ------------------------------------------------------------------------------------------------


def speeds(*values: float | str) -> list[Observation]:
    return [
        measured("acme", "smtp.speed", None, cause=value, host=host)
        if isinstance(value, str)
        else measured("acme", "smtp.speed", value, host=host)
        for host, value in zip(HOSTS, values, strict=False)
    ]


@pytest.mark.parametrize(
    ("combine", "value", "score"), [("worst", 20, 20), ("best", 90, 90), ("mean", 50, 50), ("median", 40, 40)]
)
def test_values_of_several_endpoints_become_one(combine: str, value: float, score: float) -> None:
    found = cell(probed(source={"combine": combine}), speeds(20, 90, 40), endpoints=submission(*HOSTS))
    assert (found.value, found.score, bounds(found)) == (value, score, (score, score))


def test_mean_and_median_go_by_value_and_worst_by_score() -> None:
    steep = {"points": [[0, 100], [100, 0]]}
    found = cell(probed(score=steep), speeds(20, 90), endpoints=submission(*HOSTS[:2]))
    assert (found.value, found.score) == (90, pytest.approx(10))
    flat_end = {"points": [[0, 0], [50, 100]]}
    found = cell(probed(score=flat_end, source={"combine": "mean"}), speeds(20, 60), endpoints=submission(*HOSTS[:2]))
    assert (found.value, found.score) == (40, 80)  # the mean of the scores would be 70


def test_texts_have_no_mean_so_the_worst_counts() -> None:
    one = criterion(
        "oldest",
        **{"from": {"probe": "tls.oldest", "combine": "mean"}, "score": {"map": {"TLSv1.3": 100, "TLSv1.0": 0}}},
    )
    observations = [
        measured("acme", "tls.oldest", "TLSv1.3", host="a.example"),
        measured("acme", "tls.oldest", "TLSv1.0", host="b.example"),
    ]
    assert cell(one, observations, endpoints=submission("a.example", "b.example")).value == "TLSv1.0"


@pytest.mark.parametrize(
    ("combine", "wanted"),
    [("worst", (40, (20, 40))), ("best", (80, (80, 90))), ("mean", (60, (30, 80))), ("median", (60, (30, 80)))],
)
def test_unmeasured_endpoints_open_the_interval_in_proportion(combine: str, wanted: tuple[float, Any]) -> None:
    four = (*HOSTS, "d.example")
    observations = [
        *speeds(40, 80, "connection_timeout"),
        measured("acme", "smtp.speed", None, cause="throttled", host="d.example"),
    ]
    found = cell(probed(source={"combine": combine}), observations, endpoints=submission(*four))
    assert (found.score, bounds(found)) == (wanted[0], pytest.approx(wanted[1]))
    assert "c.example:587 from local (connection_timeout)" in found.detail
    assert "d.example:587 from local (throttled)" in found.detail


def test_an_endpoint_that_was_never_probed_is_unmeasured_too() -> None:
    found = cell(probed(), speeds(40), endpoints=submission(*HOSTS[:2]))
    assert bounds(found) == pytest.approx((20, 40))
    assert "not probed yet: submission b.example:587" in found.detail


def test_a_probe_that_left_the_metric_out_says_that_it_does_not_apply() -> None:
    looked = measured("acme", "smtp.starttls", True, host="b.example")
    found = cell(probed(), [*speeds(40), looked], endpoints=submission(*HOSTS[:2]))
    assert bounds(found) == (40, 40)


def test_endpoints_to_which_the_metric_does_not_apply_stand_aside() -> None:
    found = cell(probed(), speeds(40, "not_applicable"), endpoints=submission(*HOSTS[:2]))
    assert (found.score, bounds(found)) == (40, (40, 40))


def test_other_roles_do_not_count() -> None:
    endpoints = {**submission("mx.example"), "mx": [{"host": "in.example"}]}
    inbound = measured("acme", "smtp.speed", 1, endpoint="mx in.example:25", role="mx")
    assert cell(probed(), [inbound, measured("acme", "smtp.speed", 40)], endpoints=endpoints).score == 40
    assert (
        cell(probed(source={"roles": []}), [inbound, measured("acme", "smtp.speed", 40)], endpoints=endpoints).score
        == 1
    )


def test_an_endpoint_that_left_the_profile_does_not_count() -> None:
    gone = measured("acme", "smtp.speed", 5, host="old.example")
    assert cell(probed(), [gone]).cause == "no_evidence"
    assert cell(probed(), [gone, measured("acme", "smtp.speed", 40)]).score == 40


def test_hosts_found_through_a_domain_of_the_profile_count() -> None:
    one = probed(source={"roles": ["mx"]})
    metric = Metric("smtp.speed", "number", "made up")
    acme = vendor("acme", endpoints={"mx": [{"domain": "acme.example"}]})
    host = measured("acme", "smtp.speed", 40, endpoint="mx in.acme.example:25", role="mx", parent="mx acme.example")
    made = tabulate(catalogue({"group": [one]}, [acme], metrics=[metric]), [host], NOW)
    assert (made.cells[0][0].score, bounds(made.cells[0][0])) == (40, (40, 40))


def test_vantages_are_combined_and_one_that_saw_nothing_opens_nothing() -> None:
    near, far = measured("acme", "smtp.speed", 60), measured("acme", "smtp.speed", 30, vantage="sydney")
    found = cell(probed(), [near, far])
    assert (found.score, found.vantage) == (30, "sydney")
    blocked = measured("acme", "smtp.speed", cause="port_blocked_locally", vantage="office")
    found = cell(probed(), [near, blocked])
    assert (found.score, bounds(found)) == (60, (60, 60))
    assert "from office (port_blocked_locally)" in found.detail


# --- not applicable ---------------------------------------------------------------------------------------------------


def test_a_criterion_for_other_categories_does_not_apply() -> None:
    found = cell(probed(applies_to=["mailbox"]), [measured("acme", "smtp.speed", 40)])
    assert (found.applicable, found.cause, found.score, found.value) == (False, "not_applicable", None, None)
    assert found.imputed is None
    assert cell(probed(applies_to=["esp", "mailbox"]), [measured("acme", "smtp.speed", 40)]).score == 40


def test_evidence_that_all_says_not_applicable_takes_the_criterion_out() -> None:
    found = cell(probed(), speeds("not_applicable", "not_applicable"), endpoints=submission(*HOSTS[:2]))
    assert (found.applicable, found.cause) == (False, "not_applicable")


@pytest.mark.parametrize("other", ["connection_timeout", None])
def test_one_unanswered_endpoint_keeps_it_in(other: str | None) -> None:
    observations = speeds("not_applicable", other) if other else speeds("not_applicable")
    found = cell(probed(), observations, endpoints=submission(*HOSTS[:2]))
    assert found.applicable
    assert found.cause == (other or "no_evidence")


def test_a_claim_keeps_it_in_as_well() -> None:
    found = cell(probed(), speeds("not_applicable"), endpoints=submission(HOSTS[0]), facts={"speed": fact(70)})
    assert (found.applicable, found.score, found.kind) == (True, 70, "claimed")


def test_a_gate_is_not_asked_where_the_criterion_does_not_apply() -> None:
    one = probed(applies_to=["mailbox"], must={"above": 50, "else": "too slow"})
    assert table(one, [measured("acme", "smtp.speed", 40)]).gates == ((),)


# --- newer failures ---------------------------------------------------------------------------------------------------


def test_a_newer_failure_leaves_the_value_with_its_age_and_is_told() -> None:
    old = measured("acme", "smtp.speed", 40, observed="2026-10-23T12:00:00Z")
    failed = measured("acme", "smtp.speed", cause="connection_timeout", observed="2026-11-20T12:00:00Z")
    found = cell(probed(), [old, failed])
    assert (found.score, found.age_days) == (40, 30)
    assert bounds(found) == pytest.approx((20, 70))
    assert (
        "a newer attempt on submission mx.example:587 at 2026-11-20T12:00:00Z failed: connection_timeout"
        in found.detail
    )
    assert len(found.evidence) == 2


@pytest.mark.parametrize("cause", sorted(CONCLUSIVE_CAUSES - {"not_applicable"}))
def test_a_newer_finding_takes_the_value_away(cause: str) -> None:
    old = measured("acme", "smtp.speed", 40, observed="2026-10-23T12:00:00Z")
    found = cell(probed(), [old, measured("acme", "smtp.speed", cause=cause)])
    assert (found.score, found.cause) == (None, cause)


# --- age --------------------------------------------------------------------------------------------------------------


def test_age_opens_the_interval_and_never_lowers_the_score() -> None:
    found = cell(probed(), [measured("acme", "smtp.speed", 80, observed="2026-09-23T12:00:00Z")])
    assert (found.age_days, found.score) == (60, 80)
    assert bounds(found) == pytest.approx((20, 95))  # 80·¼ and 80·¼ + 100·¾


@pytest.mark.parametrize(
    ("as_of", "fields", "trust"),
    [
        ("2025-11-22T12:00:00Z", {}, 0.5),
        ("2026-11-22T12:00:00Z", {"half_life": 30}, 1),
        ("2026-10-23T12:00:00Z", {"half_life": 30}, 0.5),
        ("undated", {}, 0.25),
    ],
)
def test_claims_wear_off_over_a_year_unless_the_criterion_says_otherwise(
    as_of: str, fields: dict[str, Any], trust: float
) -> None:
    claim = Observation("acme", "price.speed", 80.0, "claimed", "https://x.example", as_of)
    one = criterion("speed", **{"from": {"price": "speed"}, "half_life": 365, **fields})
    found = cell(one, [claim])
    assert found.score == 80
    assert bounds(found) == pytest.approx((80 * trust, 80 * trust + 100 * (1 - trust)))


def test_prices_wear_off_in_a_quarter() -> None:
    monthly = criterion("monthly", unit="USD")
    found = cell(monthly, facts={"monthly": fact(80, as_of="2026-08-24")})
    assert found.age_days == 90.5
    assert found.low == pytest.approx(80 * 0.5 ** (90.5 / 90))


def test_partial_dates_count_from_their_earliest_day_and_undated_says_so() -> None:
    assert cell(criterion("x"), facts={"x": fact(80, as_of="2026-11")}).age_days == 21.5
    found = cell(criterion("x"), facts={"x": fact(80, as_of="undated")})
    assert (found.age_days, found.observed) == (None, "undated")
    assert "undated" in found.detail


def test_what_was_seen_after_the_as_of_time_was_not_known_then() -> None:
    early = measured("acme", "smtp.speed", 40, observed="2026-11-01T12:00:00Z")
    late = measured("acme", "smtp.speed", 90, observed="2026-11-20T12:00:00Z")
    as_of = datetime(2026, 11, 10, 12, tzinfo=UTC)
    assert cell(probed(), [early, late], as_of=as_of).score == 40
    assert cell(probed(), [early, late]).score == 90
    assert cell(probed(), facts={"speed": fact(70, as_of="2026-11-15")}, as_of=as_of).cause == "no_evidence"


def test_clocks_may_differ_a_little() -> None:
    ahead = (NOW + timedelta(minutes=2)).isoformat()
    assert cell(probed(), [measured("acme", "smtp.speed", 40, observed=ahead)]).age_days == 0


def expiry(days: float, observed: str) -> tuple[Criterion, list[Observation]]:
    one = criterion(
        "days-left",
        unit="d",
        **{
            "from": {"probe": "certificate.days_left"},
            "score": {"points": [[0, 0], [50, 100]]},
            "must": {"above": 0, "else": "the certificate has expired"},
        },
    )
    return one, [measured("acme", "certificate.days_left", days, observed=observed, unit="d")]


def test_days_left_are_counted_down_to_the_as_of_time_with_full_confidence() -> None:
    found = cell(*expiry(35, "2026-11-12T12:00:00Z"))
    assert (found.value, found.score, bounds(found)) == (25, 50, (50, 50))
    assert gate(*expiry(35, "2026-11-12T12:00:00Z")).status == "pass"


def test_an_expiry_that_passed_unseen_is_unknown_not_an_expired_certificate() -> None:
    one, observations = expiry(5, "2026-11-12T12:00:00Z")
    found = cell(one, observations)
    assert (found.value, found.score, found.cause) == (None, None, "outdated")
    assert bounds(found) == (0, 100)
    assert gate(one, observations).status == "provisional"


def test_a_certificate_that_had_expired_when_seen_stays_expired() -> None:
    one, observations = expiry(-2, "2026-10-23T12:00:00Z")
    found = cell(one, observations)
    assert (found.value, found.score) == (-32, 0)
    assert bounds(found) == pytest.approx((0, 50))
    assert gate(one, observations).status == "fail"


# --- claims: documents, disputes, contradictions ----------------------------------------------------------------------


def certified(**fields: Any) -> Criterion:
    return criterion(
        "certified",
        **{"from": {"fact": "certified"}, "score": {"yes": 100, "no": 0}, "document_required": True, **fields},
    )


def test_a_claim_that_needs_a_document_earns_nothing_without_one() -> None:
    found = cell(certified(), facts={"certified": fact(True, grade="official")})
    assert (found.value, found.score, found.cause) == (None, None, "no_document")
    assert "claimed yes without a document" in found.detail
    assert len(found.evidence) == 1
    proven = fact(True, grade="official", document="https://vendor.example/report.pdf")
    assert cell(certified(), facts={"certified": proven}).score == 100


def test_saying_no_needs_no_proof() -> None:
    found = cell(certified(), facts={"certified": fact(False, as_of="2026-01-01")})
    assert (found.score, found.cause) == (0, None)


def test_an_unproven_claim_leaves_a_gate_provisional() -> None:
    one = certified(must={"equals": True, "else": "it has no certificate"})
    assert gate(one, facts={"certified": fact(True)}).status == "provisional"
    assert gate(one, facts={"certified": fact(False)}).status == "fail"


def test_disputed_claims_span_the_scores_of_all_stated_values() -> None:
    others = [
        {"source": "https://other.example", "as_of": "2026-05", "value": 30},
        {"source": "https://third.example", "as_of": "2026", "value": 90},
    ]
    found = cell(criterion("speed", half_life=1e12), facts={"speed": fact(60, disputed=others)})
    assert (found.value, found.score) == (60, 60)
    assert bounds(found) == pytest.approx((30, 90))
    assert "sources disagree: 30 (https://other.example, 2026-05)" in found.detail


def test_disputed_claims_that_disagree_about_a_gate_leave_it_provisional() -> None:
    one = criterion("speed", must={"above": 50, "else": "too slow"})
    other = {"source": "https://other.example", "as_of": "2026-05", "value": 30}
    found = gate(one, facts={"speed": fact(60, disputed=[other])})
    assert found.status == "provisional"
    assert "sources disagree: one says 30" in found.reason
    assert gate(one, facts={"speed": fact(60)}).status == "pass"


def test_a_claim_that_the_measurement_does_not_bear_out_is_a_contradiction() -> None:
    made = table(probed(), [measured("acme", "smtp.speed", 40)], facts={"speed": fact(70, as_of="2026-08-13")})
    found = made.cells[0][0]
    assert (found.value, found.kind) == (40, "measured")
    assert found.contradiction is not None
    assert found.contradiction.sentence == (
        "Profile says 70 (https://vendor.example/page, 2026-08-13), "
        f"measured 40 on submission mx.example:587 at {FRESH}."
    )
    assert made.contradictions == ((found.contradiction,),)


def test_claims_and_measurements_are_compared_in_one_unit() -> None:
    one = criterion("size", unit="MB", **{"from": {"probe": "smtp.size_limit", "fact": "size"}})
    close = [measured("acme", "smtp.size_limit", 26_214_400, unit="B")]
    assert cell(one, close, facts={"size": fact(25)}).contradiction is None
    assert cell(one, close, facts={"size": fact(50)}).contradiction is not None


def test_the_tolerance_is_the_criterions() -> None:
    observations = [measured("acme", "smtp.speed", 40)]
    facts = {"speed": fact(60)}
    assert cell(probed(source={"tolerance": 0.5}), observations, facts=facts).contradiction is None
    assert cell(probed(source={"tolerance": 0.1}), observations, facts=facts).contradiction is not None


def test_a_claim_alone_contradicts_nothing() -> None:
    failed = [measured("acme", "smtp.speed", cause="connection_timeout")]
    assert cell(probed(), failed, facts={"speed": fact(60)}).contradiction is None


@pytest.mark.parametrize(
    ("tls", "offered", "wanted"),
    [("starttls", False, True), ("starttls", True, False), ("none", True, True), ("implicit", False, False)],
)
def test_what_the_profile_says_of_an_endpoint_is_checked_too(tls: str, offered: bool, wanted: bool) -> None:
    observations = [measured("acme", "smtp.starttls", offered)]
    (found,) = table(probed(), observations, endpoints=submission("mx.example", tls=tls)).contradictions
    assert bool(found) is wanted
    if wanted:
        assert found[0].subject == "endpoint"
        assert found[0].sentence.startswith("Profile says ")
        assert "submission mx.example:587" in found[0].sentence


def test_a_reply_cut_short_contradicts_nothing() -> None:
    observations = [measured("acme", "smtp.starttls", cause="connection_reset")]
    assert table(probed(), observations).contradictions == ((),)


# --- gates ------------------------------------------------------------------------------------------------------------


def test_gates_ask_the_value_of_every_endpoint() -> None:
    one = probed(score=LINE, must={"above": 30, "else": "too slow"})
    assert gate(one, speeds(40, 90), endpoints=submission(*HOSTS[:2])).status == "pass"
    assert gate(one, speeds(40, 20), endpoints=submission(*HOSTS[:2])).status == "fail"
    assert gate(one, []).status == "provisional"


def test_a_gate_passed_on_some_endpoints_says_how_many_were_not_measured() -> None:
    one = probed(must={"above": 30, "else": "too slow"})
    found = gate(one, speeds(40, "throttled"), endpoints=submission(*HOSTS[:2]))
    assert found.status == "pass"
    assert found.reason.endswith("1 of 2 endpoints not measured")


# --- the table --------------------------------------------------------------------------------------------------------


def test_lab_vendors_stand_aside_unless_named_or_alone() -> None:
    real, lab = vendor("real"), vendor("lab", lab=True)
    both = catalogue({"group": [criterion("x")]}, [real, lab])
    assert [each.id for each in tabulate(both, [], NOW).vendors] == ["real"]
    assert [each.id for each in tabulate(both, [], NOW, vendors=["lab", "real", "lab"]).vendors] == ["lab", "real"]
    alone = catalogue({"group": [criterion("x")]}, [lab])
    assert [each.id for each in tabulate(alone, [], NOW).vendors] == ["lab"]


def test_an_unknown_vendor_is_refused_by_name() -> None:
    with pytest.raises(ScoringError, match="no vendor has the id nobody, zeta"):
        tabulate(catalogue({"group": [criterion("x")]}, [vendor("acme")]), [], NOW, vendors=["zeta", "acme", "nobody"])


def test_a_value_function_that_defines_nothing_names_its_criterion() -> None:
    one = criterion("x", score={"curve": {"worth_90": 5, "worth_50": 5}})
    with pytest.raises(ScoringError, match="criterion x: "):
        cell(one, facts={"x": fact(5)})


def test_no_vendors_and_no_criteria_are_no_fault() -> None:
    assert tabulate(catalogue({"group": [criterion("x")]}, []), [], NOW).scores.shape == (0, 1)
    assert tabulate(catalogue({"group": []}, [vendor("acme")]), [], NOW).scores.shape == (1, 0)


def test_the_as_of_time_is_whole_seconds_in_utc() -> None:
    made = catalogue({"group": [criterion("x")]}, [vendor("acme")])
    assert tabulate(made, [], datetime(2026, 11, 22, 12, 0, 0, 999_999)).as_of == "2026-11-22T12:00:00Z"
    assert tabulate(made, [], datetime.fromisoformat("2026-11-22T14:00:00+02:00")).as_of == "2026-11-22T12:00:00Z"


# --- hands-on tests beside claims -------------------------------------------------------------------------------------


def by_hand(metric: str, value: Any, **fields: Any) -> Observation:
    return Observation("acme", f"trial.{metric}", value, "tested", "mailrubric mail cadence", FRESH, **fields)


def one_click(**fields: Any) -> Criterion:
    """As the shipped criterion: a share that is tested, and a claim in words."""
    source = {
        "trial": "one_click_share",
        "fact": "one_click",
        "promises": {"automatic": [90, 100], "manual": [0, 100], "none": [0, 0]},
    }
    return criterion("one-click", unit="%", **{"from": source, "score": {"points": [[10, 0], [90, 100]]}, **fields})


@pytest.mark.parametrize(
    ("said", "score", "span"), [("automatic", 100, (100, 100)), ("manual", 50, (0, 100)), ("none", 0, (0, 0))]
)
def test_a_claim_in_words_is_worth_what_it_promises(said: str, score: float, span: tuple[float, float]) -> None:
    found = cell(one_click(), facts={"one_click": fact(said)})
    assert (found.value, found.kind, found.score) == (said, "claimed", score)
    assert bounds(found) == pytest.approx(span, abs=0.2)  # the claim is half a day old
    assert found.contradiction is None


def test_a_claim_that_promises_nothing_is_unscored() -> None:
    found = cell(one_click(), facts={"one_click": fact("sometimes")})
    assert (found.score, found.cause) == (None, "unscored")


def test_sources_that_disagree_span_all_that_they_promise() -> None:
    other = {"value": "none", "source": "https://other.example", "as_of": "2026-11-22"}
    found = cell(one_click(), facts={"one_click": fact("automatic", disputed=[other])})
    assert found.score == 100
    assert bounds(found) == pytest.approx((0, 100), abs=0.2)


def test_a_test_counts_before_a_claim_and_contradicts_it() -> None:
    none_of_forty = by_hand("one_click_share", 0.0, unit="%", n=40, low=0.0, high=8.8)
    found = cell(one_click(), [none_of_forty], facts={"one_click": fact("automatic", as_of="2026-08-13")})
    assert (found.value, found.kind, found.score, found.n) == (0, "tested", 0, 40)
    assert found.contradiction is not None
    assert found.contradiction.sentence == (
        "Profile says automatic (https://vendor.example/page, 2026-08-13), "
        f"tested 0% (95 % interval 0% to 8.8%), n = 40 at {FRESH}."
    )


@pytest.mark.parametrize(
    ("said", "low", "high", "wanted"),
    [
        ("automatic", 0.0, 89.9, True),
        ("automatic", 0.0, 90.0, False),  # chance alone could have done it
        ("manual", 0.0, 8.8, False),
        ("none", 0.0, 8.8, False),
        ("none", 0.1, 8.8, True),
    ],
)
def test_only_a_whole_interval_outside_contradicts(said: str, low: float, high: float, wanted: bool) -> None:
    seen = by_hand("one_click_share", (low + high) / 2, unit="%", n=40, low=low, high=high)
    found = cell(one_click(), [seen], facts={"one_click": fact(said)})
    assert (found.contradiction is not None) is wanted


def yes_no() -> Criterion:
    return criterion(
        "local-time", **{"from": {"trial": "local_time", "fact": "local_time"}, "score": {"yes": 100, "no": 0}}
    )


@pytest.mark.parametrize(("said", "seen", "wanted"), [(True, False, True), (False, True, True), (True, True, False)])
def test_a_tested_truth_value_contradicts_a_claimed_one(said: bool, seen: bool, wanted: bool) -> None:
    found = cell(yes_no(), [by_hand("local_time", seen, n=12)], facts={"local_time": fact(said)})
    assert (found.kind, found.score) == ("tested", 100 if seen else 0)
    assert (found.contradiction is not None) is wanted
    if found.contradiction is not None:
        assert f"tested {'yes' if seen else 'no'}, n = 12 at" in found.contradiction.sentence


def test_a_test_that_says_nothing_leaves_the_claim_standing() -> None:
    silent = by_hand("local_time", None, cause="not_tried", detail="0 % of campaigns")
    found = cell(yes_no(), [silent], facts={"local_time": fact(True)})
    assert (found.value, found.kind, found.contradiction) == (True, "claimed", None)


def test_a_number_within_a_tested_interval_is_not_contradicted() -> None:
    one = criterion("speed", **{"from": {"trial": "speed", "fact": "speed"}})
    wide = [by_hand("speed", 40.0, n=5, low=20.0, high=70.0)]
    assert cell(one, wide, facts={"speed": fact(60)}).contradiction is None
    narrow = [by_hand("speed", 40.0, n=500, low=38.0, high=42.0)]
    assert cell(one, narrow, facts={"speed": fact(60)}).contradiction is not None
    assert cell(one, [by_hand("speed", 40.0)], facts={"speed": fact(60)}).contradiction is not None


def test_a_truth_value_may_promise_a_range_too() -> None:
    source = {"trial": "share", "fact": "always", "promises": {"yes": [90, 100], "no": [0, 100]}}
    one = criterion("always", unit="%", **{"from": source})
    assert cell(one, facts={"always": fact(True)}).score == 95
    few = [by_hand("share", 3.0, unit="%", n=30, low=1.0, high=9.0)]
    assert cell(one, few, facts={"always": fact(True)}).contradiction is not None
    assert cell(one, few, facts={"always": fact(False)}).contradiction is None
