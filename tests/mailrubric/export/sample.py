"""One evaluation made by hand, with everything that an export has to show, and every kind of hostile text."""

from __future__ import annotations

from mailrubric.evidence.observation import Observation
from mailrubric.scoring.evaluation import (
    Cell,
    Contradiction,
    CriterionInfo,
    Evaluation,
    Gate,
    GroupScore,
    VendorScore,
)

HOSTILE_NAME = '=HYPERLINK("http://evil.example","x")<script>alert(1)</script>|`x`[a](http://b)'
HOSTILE_TEXTS = (
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "\u00a0=1",
    "\u200b=1",
    "\ufeff=1",
    "\u3000＝1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    "﹦1",
    "−1",
    "a;=1",
    "a; ＋1",
)


def info(identifier: str, group: str, weight: float, unit: str = "", must: str = "") -> CriterionInfo:
    return CriterionInfo(
        id=identifier,
        group=group,
        group_title={"tls": "TLS and certificates", "price": "Price | value"}[group],
        question=f"Question about {identifier}?",
        weight=weight,
        unit=unit,
        value_function="100 for yes, 0 for no",
        must=must,
        rationale="Because <it> matters.",
        reference="RFC 8996",
        sources="probe tls.oldest_version (submission; worst counts)",
    )


def observation(vendor: str, value: object, **changes: object) -> Observation:
    fields: dict[str, object] = {
        "vendor": vendor,
        "metric": "tls.oldest_version",
        "value": value,
        "kind": "measured",
        "source": "probe tls",
        "observed": "2026-11-20T10:00:00Z",
        "endpoint": "submission smtp.example.com:587",
        "role": "submission",
        "vantage": "local",
        "report": "17",
        "versions": (("tls", "1"), ("openssl", "3.5.0")),
    }
    return Observation(**{**fields, **changes})  # type: ignore[arg-type]


def cell(criterion: str, weight: float, **changes: object) -> Cell:
    fields: dict[str, object] = {
        "criterion": criterion,
        "value": None,
        "unit": "",
        "kind": None,
        "cause": "no_evidence",
        "detail": "",
        "source": "",
        "observed": "",
        "age_days": None,
        "score": None,
        "low": 0.0,
        "high": 100.0,
        "imputed": 48.123456789,
        "applicable": True,
        "weight": weight,
        "contribution": None,
    }
    return Cell(**{**fields, **changes})  # type: ignore[arg-type]


def group(identifier: str, weight: float, score: float | None, contribution: float, **changes: object) -> GroupScore:
    fields: dict[str, object] = {
        "id": identifier,
        "title": {"tls": "TLS and certificates", "price": "Price | value"}[identifier],
        "weight": weight,
        "score": score,
        "low": 0.0 if score is None else score - 5,
        "high": 100.0 if score is None else score,
        "coverage": 0.0 if score is None else 100.0,
        "contribution": contribution,
        "applicable": True,
    }
    return GroupScore(**{**fields, **changes})  # type: ignore[arg-type]


def good() -> VendorScore:
    contradiction = Contradiction(
        vendor="good",
        subject="oldest-tls",
        claimed="TLSv1.2",
        claimed_source="https://good.example/docs?a=1&b=2",
        claimed_as_of="2026-08",
        measured="TLSv1.0",
        measured_source="probe tls",
        measured_at="2026-11-20T10:00:00Z",
        sentence="The profile says TLSv1.2, the probe saw TLSv1.0.",
    )
    return VendorScore(
        id="good",
        name="Good & Sons",
        category="esp",
        lab=False,
        status="ranked",
        rank=1,
        score=62.25,
        low=41.249999999999996,
        high=78.94999999999999,
        coverage=66.66666666666667,
        ranking_score=55.05,
        gates=(Gate("days-left", "provisional", "the value is unknown"),),
        groups=(group("tls", 60.0, 62.25, 62.25), group("price", 40.0, None, 0.0)),
        cells=(
            cell(
                "oldest-tls",
                30.0,
                value="TLSv1.0",
                kind="measured",
                cause=None,
                source="probe tls",
                observed="2026-11-20T10:00:00Z",
                age_days=2.5,
                score=25.0,
                low=20.0,
                high=25.0,
                imputed=None,
                contribution=12.5,
                vantage="local",
                evidence=(
                    observation("good", "TLSv1.0"),
                    observation("good", None, cause="connection_timeout", endpoint="submission b.example.com:465"),
                    observation(
                        "good",
                        "TLSv1.2",
                        kind="claimed",
                        source="https://good.example/docs?a=1&b=2",
                        observed="2026-08",
                        endpoint="",
                        vantage="",
                        versions=(),
                        disputed=(("TLSv1.1", "https://other.example/", "2025"),),
                    ),
                ),
                contradiction=contradiction,
            ),
            cell(
                "days-left",
                30.0,
                value=-3,
                unit="d",
                kind="measured",
                cause=None,
                score=99.5,
                low=99.5,
                high=99.5,
                imputed=None,
                contribution=49.75,
                source="https://good.example/status",
                observed="2026-11-21",
                age_days=1.0,
            ),
            cell("monthly-price", 40.0),
        ),
        contradictions=(
            contradiction,
            Contradiction(
                "good",
                "endpoint",
                "STARTTLS",
                "https://good.example",
                "2026",
                "no TLS",
                "probe smtp",
                "2026-11-20",
                "The profile says STARTTLS; the server offers none.",
            ),
        ),
        newest="2026-11-21",
        oldest="2026-08",
    )


def hostile() -> VendorScore:
    return VendorScore(
        id="hostile",
        name=HOSTILE_NAME,
        category="marketing",
        lab=True,
        status="failed",
        rank=None,
        score=0.0,
        low=0.0,
        high=12.0,
        coverage=60.0,
        ranking_score=1.0,
        gates=(Gate("days-left", "fail", "=cmd|' /C calc'!A0 <b>expired</b>"),),
        groups=(group("tls", 60.0, 0.0, 0.0), group("price", 40.0, None, 0.0, applicable=False)),
        cells=(
            cell(
                "oldest-tls",
                30.0,
                value="\x1b[31m@evil\u202e\x00\x9b",
                kind="claimed",
                cause=None,
                detail="<img src=x onerror=alert(1)> www.evil.example me@evil.example :smile:",
                source="javascript:alert(1)",
                observed="undated",
                score=0.0,
                low=0.0,
                high=0.0,
                imputed=None,
                contribution=0.0,
                grade="unverified",
                evidence=tuple(
                    observation("hostile", text, kind="claimed", source=text, note=text, detail=text, endpoint=text)
                    for text in HOSTILE_TEXTS
                ),
            ),
            cell("days-left", 30.0, unit="d", cause="connection_refused", detail='closed "port" \' & | `'),
            cell("monthly-price", 40.0, cause="not_applicable", applicable=False, imputed=None),
        ),
        contradictions=(),
        newest="",
        oldest="",
    )


def unknown() -> VendorScore:
    return VendorScore(
        id="unknown",
        name="Unknown Mail",
        category="mailbox",
        lab=False,
        status="insufficient",
        rank=None,
        score=None,
        low=0.0,
        high=100.0,
        coverage=0.0,
        ranking_score=None,
        gates=(Gate("days-left", "provisional", "the value is unknown"),),
        groups=(group("tls", 60.0, None, 0.0), group("price", 40.0, None, 0.0)),
        cells=(cell("oldest-tls", 30.0), cell("days-left", 30.0), cell("monthly-price", 40.0)),
        contradictions=(),
        newest="",
        oldest="",
    )


def evaluation(*vendors: VendorScore) -> Evaluation:
    return Evaluation(
        rules_hash="ab" * 32,
        as_of="2026-11-22T10:00:00Z",
        preset="transactional",
        minimum_coverage=60.0,
        engine_version="1",
        group_weights={"tls": 6.0, "price": 4.0},
        criterion_weights={"oldest-tls": 1.0, "days-left": 1.0, "monthly-price": 1.0},
        criteria=(
            info("oldest-tls", "tls", 30.0),
            info("days-left", "tls", 30.0, "d", "must be above 0 d, else the certificate has expired"),
            info("monthly-price", "price", 40.0, "USD"),
        ),
        vendors=vendors or (good(), unknown(), hostile()),
    )
