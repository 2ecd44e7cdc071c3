"""Every vendor of the lab, probed once by everything there is, shows precisely the quality that it was built for."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from mailrubric import lab
from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.evidence.store import Store
from mailrubric.probing import Summary, plan, probe_vendors
from mailrubric.scoring.evaluate import evaluate
from mailrubric.scoring.evaluation import Evaluation
from mailrubric.workspace import Workspace
from probes import registry
from probes.model import Measurement, Report
from probes.network import Options

pytestmark = pytest.mark.slow

ORDINARY_TLS = {
    "tls.oldest_version": "TLSv1.2",
    "tls.newest_version": "TLSv1.3",
    "tls.versions": ("TLSv1.2", "TLSv1.3"),
}
GOOD_CERTIFICATE = {
    "certificate.trusted": True,
    "certificate.trust_error": "none",
    "certificate.name_matches": True,
    "certificate.self_signed": False,
    "certificate.chain_length": 2,
}
PRIVATE = {"dns.ptr", "dns.forward_confirmed"}
"""What does not apply to the lab's addresses, which are on loopback."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run over the whole lab."""

    catalogue: Catalogue
    summary: Summary
    evaluation: Evaluation
    mta_sts_served: bool

    def reports(self, vendor: str, role: str) -> list[Report]:
        found = [report for name, report in self.summary.reports if name == vendor and report.endpoint.role == role]
        assert found
        return found

    def measurements(self, vendor: str) -> list[Measurement]:
        return [each for name, report in self.summary.reports if name == vendor for each in report.measurements]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with lab.start(tmp_path_factory.mktemp("lab") / "workspace") as running:
        workspace = Workspace.open(running.workspace)
        catalogue = workspace.catalogue()
        options = Options(**workspace.network_options())
        options = dataclasses.replace(options, limits=dataclasses.replace(options.limits, spacing_mx=0.05))
        with Store(workspace.store_url()) as store:
            summary = asyncio.run(
                probe_vendors(
                    plan(catalogue, catalogue.vendors), options=options, store=store, concurrency=8, keep_reports=True
                )
            )
            evaluation = evaluate(catalogue, store.observations(), minimum_coverage=workspace.settings.minimum_coverage)
        served = not any("443" in note for note in running.notes)
        yield Run(catalogue, summary, evaluation, served)


def expect(reports: list[Report], expected: dict[str, Any]) -> None:
    """Each report must hold these values: equal, or a predicate that holds."""
    for report in reports:
        found = {each.metric: each for each in report.measurements}
        for metric, value in expected.items():
            measurement = found[metric]
            seen = measurement.value
            assert measurement.cause is None, (report.endpoint.key, measurement)
            assert value(seen) if callable(value) else (seen == value and type(seen) is type(value)), (
                report.endpoint.key,
                measurement,
            )


def starttls(run: Run, vendor: str) -> list[Report]:
    return [report for report in run.reports(vendor, "submission") if report.endpoint.tls == "starttls"]


def test_nothing_failed_on_our_side_and_nothing_is_left_out(run: Run) -> None:
    assert run.summary.faults == []
    assert run.summary.done == run.summary.total == len(run.summary.reports)
    assert "probe_bug" not in run.summary.causes
    assert "deadline_exceeded" not in run.summary.causes
    for _, report in run.summary.reports:
        role = report.endpoint.role
        wanted = {
            metric.key
            for probe in registry.applicable(report.endpoint)
            for metric in probe.metrics
            if metric.roles is None or role in metric.roles
        }
        assert [each.metric for each in report.measurements] == sorted(wanted)


def test_modern_does_everything_right(run: Run) -> None:
    submission = run.reports("lab-modern", "submission")
    assert sorted(report.endpoint.tls for report in submission) == ["implicit", "starttls"]
    expect(
        submission,
        {
            **ORDINARY_TLS,
            **GOOD_CERTIFICATE,
            "certificate.days_left": lambda days: 80 <= days < 80.1,
            "certificate.key_type": "EC",
            "smtp.auth_mechanisms": ("LOGIN", "PLAIN", "SCRAM-SHA-256", "XOAUTH2"),
            "smtp.size_limit": 52428800,
            "smtp.smtputf8": True,
            "smtp.chunking": True,
            "smtp.dsn": True,
            "smtp.pipelining": True,
            "smtp.eight_bit_mime": True,
            "smtp.enhanced_status_codes": True,
            "smtp.requiretls": True,
            "smtp.quit_code": 221,
            "smtp.greeting_name": "smtp.modern.lab.test",
            "smtp.greeting_ms": lambda ms: 0 <= ms < 2000,
        },
    )
    expect(
        starttls(run, "lab-modern"),
        {
            "smtp.starttls": True,
            "smtp.starttls_works": True,
            "smtp.starttls_injection": False,
            "smtp.auth_before_tls": (),
            "smtp.auth_before_tls_offered": False,
            "smtp.tls_required": True,
        },
    )
    expect(
        run.reports("lab-modern", "domain"),
        {
            "dns.mx_hosts": ("mx.modern.lab.test",),
            "spf.all": "-all",
            "spf.lookups": 1,
            "dmarc.policy": "reject",
            "mta_sts.record": True,
            "tls_rpt.present": True,
            "caa.present": True,
            "dkim.selectors": ("lab1",),
        },
    )
    expect(run.reports("lab-modern", "sending"), {"spf.include_lookups": 1, "spf.include_addresses": 64})
    expect(
        run.reports("lab-modern", "api"),
        {**ORDINARY_TLS, **GOOD_CERTIFICATE, "http.status": 401, "http.version": "HTTP/2", "http.hsts": True},
    )
    expect(
        run.reports("lab-modern", "status"),
        {"status.indicator": "none", "status.open_incidents": 0, "status.incidents_90_days": 0},
    )
    (mx,) = run.reports("lab-modern", "mx")
    assert (mx.endpoint.host, mx.endpoint.domain) == ("mx.modern.lab.test", "modern.lab.test")
    expect([mx], {**ORDINARY_TLS, **GOOD_CERTIFICATE, "smtp.starttls_works": True, "smtp.auth_mechanisms": ()})


def test_an_mta_sts_policy_is_read_where_port_443_may_be_opened(run: Run) -> None:
    (report,) = run.reports("lab-modern", "domain")
    mode = next(each for each in report.measurements if each.metric == "mta_sts.mode")
    if run.mta_sts_served:
        assert mode.value == "enforce"
    else:
        assert (mode.value, str(mode.cause)) == (None, "connection_refused")


def test_legacy_is_old(run: Run) -> None:
    expect(
        run.reports("lab-legacy", "submission"),
        {
            **GOOD_CERTIFICATE,
            "certificate.key_type": "RSA",
            "certificate.key_bits": 2048,
            "tls.oldest_version": "TLSv1.0",
            "tls.newest_version": "TLSv1.2",
            "tls.versions": ("TLSv1.0", "TLSv1.1", "TLSv1.2"),
            "smtp.size_limit": 10240000,
            "smtp.smtputf8": False,
            "smtp.pipelining": False,
            "smtp.enhanced_status_codes": False,
        },
    )
    expect(
        run.reports("lab-legacy", "domain"),
        {"spf.all": "?all", "dmarc.policy": "none", "mta_sts.mode": "absent", "tls_rpt.present": False},
    )
    expect(
        run.reports("lab-legacy", "status"),
        {"status.indicator": "minor", "status.open_incidents": 1, "status.incidents_90_days": 1},
    )
    expect(run.reports("lab-legacy", "sending"), {"spf.include_lookups": 3})


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [
        ("lab-expired", {"certificate.days_left": lambda days: -5 < days < -4.9, "certificate.name_matches": True,
                         "certificate.trusted": False, "certificate.self_signed": False}),
        ("lab-wrong-name", {"certificate.name_matches": False, "certificate.trusted": True,
                            "certificate.subject_names": ("mail.elsewhere.lab.test",),
                            "certificate.days_left": lambda days: days > 79}),
        ("lab-self-signed", {"certificate.self_signed": True, "certificate.trusted": False,
                             "certificate.chain_length": 1, "certificate.name_matches": True}),
        ("lab-short-lived", {"certificate.days_left": lambda days: 5 <= days < 5.1, **GOOD_CERTIFICATE}),
        ("lab-plaintext-auth", GOOD_CERTIFICATE),
        ("lab-slow", GOOD_CERTIFICATE),
        ("lab-mailbox", GOOD_CERTIFICATE),
    ],
)  # fmt: skip
def test_certificates_are_good_or_bad_in_one_way(run: Run, vendor: str, expected: dict[str, Any]) -> None:
    expect(run.reports(vendor, "submission"), {**ORDINARY_TLS, **expected, "smtp.quit_code": 221})
    expect(run.reports(vendor, "web"), {**GOOD_CERTIFICATE, "http.status": 200})


def test_no_starttls_is_a_value_and_what_tls_would_show_is_a_cause(run: Run) -> None:
    (report,) = run.reports("lab-no-starttls", "submission")
    expect([report], {"smtp.starttls": False, "smtp.tls_required": False, "smtp.auth_mechanisms": ()})
    causes = {each.metric: str(each.cause) for each in report.measurements if each.value is None}
    assert set(causes.values()) == {"tls_not_offered", "not_applicable", "not_permitted"}
    under_tls = {
        "smtp.starttls_works", "smtp.starttls_injection", "smtp.starttls_command_injection",
        "smtp.extensions_after_tls", "smtp.extensions_only_before_tls", "smtp.extensions_only_after_tls",
    }  # fmt: skip
    not_offered = {metric for metric, cause in causes.items() if cause == "tls_not_offered"}
    assert {metric for metric in not_offered if metric.startswith("smtp.")} == under_tls
    assert {metric.partition(".")[0] for metric in not_offered} == {"smtp", "tls", "certificate", "latency"}
    assert {metric for metric, cause in causes.items() if cause == "not_applicable"} >= PRIVATE


def test_plaintext_auth_is_named(run: Run) -> None:
    expect(
        starttls(run, "lab-plaintext-auth"),
        {
            "smtp.auth_before_tls": ("LOGIN", "PLAIN"),
            "smtp.auth_before_tls_offered": True,
            "smtp.auth_mechanisms": ("LOGIN", "PLAIN"),
            "smtp.tls_required": False,
            "smtp.starttls_works": True,
        },
    )


def test_slow_is_measured_as_slow_and_not_as_a_fault(run: Run) -> None:
    expect(run.reports("lab-slow", "submission"), {"smtp.greeting_ms": lambda ms: 2400 < ms < 15000})
    expect(run.reports("lab-slow", "api"), {"http.latency_ms": lambda ms: 1200 <= ms < 10000, "http.status": 401})
    assert set(run.summary.vendors["lab-slow"].causes) == {"resolver_not_validating"}


def test_down_has_causes_and_not_one_value(run: Run) -> None:
    measurements = run.measurements("lab-down")
    measurements = [each for each in measurements if not each.metric.startswith(("dns.", "dnssec.", "dane."))]
    assert [each for each in measurements if each.value is not None] == []
    assert {str(each.cause) for each in measurements} <= {"connection_refused", "not_applicable", "not_permitted"}
    assert run.summary.vendors["lab-down"].states == {"failed": 5}


def test_throttle_has_causes_and_the_one_value_that_was_observed(run: Run) -> None:
    measurements = [each for each in run.measurements("lab-throttle") if not each.metric.startswith("dns.")]
    assert [each.metric for each in measurements if each.value is not None] == [
        "latency.connect_p50_ms",
        "latency.samples",
        "smtp.connect_ms",
    ]
    refused = {"greeting_rejected", "throttled", "not_permitted", "not_applicable"}
    assert {str(each.cause) for each in measurements if each.value is None} <= refused


def test_mailboxes_refuse_logins_before_tls(run: Run) -> None:
    for role in ("imap", "pop3"):
        expect(run.reports("lab-mailbox", role), {**ORDINARY_TLS, **GOOD_CERTIFICATE})
    plain = [report for report in run.reports("lab-mailbox", "imap") if report.endpoint.tls == "starttls"]
    expect(
        plain, {"imap.starttls": True, "imap.login_disabled": True, "imap.auth_mechanisms": ("OAUTHBEARER", "PLAIN")}
    )
    expect(run.reports("lab-mailbox", "sieve"), {"sieve.starttls_works": True})


def test_the_ranking_follows_the_qualities(run: Run) -> None:
    lines = {line.id: line for line in run.evaluation.vendors}
    assert lines["lab-modern"].rank == 1
    ranked = [line for line in run.evaluation.vendors if line.category == "esp" and line.status == "ranked"]
    assert ranked[-1].id == "lab-legacy"
    gates = {
        line.id: {gate.criterion for gate in line.gates if gate.status == "fail"}
        for line in run.evaluation.vendors
        if line.status == "failed"
    }
    assert gates == {
        "lab-expired": {"certificate-trusted", "certificate-days-left"},
        "lab-wrong-name": {"certificate-name"},
        "lab-self-signed": {"certificate-trusted"},
        "lab-no-starttls": {"starttls-offered"},
    }
    assert {line.id for line in run.evaluation.vendors if line.status == "insufficient"} == {"lab-throttle", "lab-down"}
    for line in run.evaluation.vendors:
        assert line.lab
        assert line.status == "insufficient" or line.coverage >= 60


def test_claims_that_do_not_hold_are_contradictions_and_others_are_not(run: Run) -> None:
    found = {line.id: {each.subject for each in line.contradictions} for line in run.evaluation.vendors}
    assert found.pop("lab-contradiction") == {
        "smtp-extensions", "smtp-size-limit", "tls-oldest-version", "tls-newest-version", "vendor-dmarc-policy",
    }  # fmt: skip
    assert found.pop("lab-no-starttls") == {"endpoint"}
    assert set().union(*found.values()) == set()
