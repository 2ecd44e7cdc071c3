from __future__ import annotations

import contextlib
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from mailrubric.evidence.observation import Observation
from mailrubric.evidence.runs import Condition, Run
from mailrubric.evidence.store import SCHEMA_VERSION, Store, StoreError, masked
from mailrubric.reviews.review import Review
from probes.model import Cause, Endpoint, Measurement, Report, Step

SMTP = Endpoint("submission", host="smtp.acme.example", port=587, label="Europe")
VERSIONS = {"mailrubric": "0.1.0", "openssl": "3.5"}


def report(
    started: str,
    *measurements: Measurement,
    endpoint: Endpoint = SMTP,
    vantage: str = "local",
    also: tuple[Report, ...] = (),
    transcript: tuple[Step, ...] = (Step(1.5, "in", "220 smtp.acme.example ESMTP", 1),),
) -> Report:
    return Report(endpoint, started, vantage, VERSIONS, measurements, transcript, also, 123.5, "192.0.2.1")


def value(metric: str = "tls.oldest_version", seen: object = "TLSv1.2") -> Measurement:
    return Measurement(metric, seen)  # type: ignore[arg-type]


def failure(cause: Cause, metric: str = "tls.oldest_version") -> Measurement:
    return Measurement.missing(metric, cause, "no reply in 8 s")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh store's URL: a file, or a database of its own on the PostgreSQL server for tests."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'evidence.sqlite'}"
        return
    server = sa.make_url(request.getfixturevalue("postgresql_url"))
    if server.drivername == "postgresql":
        server = server.set(drivername="postgresql+pg8000")
    name = f"mailrubric_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "evidence.sqlite"


# --- what goes in comes out -------------------------------------------------------------------------------------------


def test_a_report_comes_back_whole(store: Store) -> None:
    identifier = store.add_report(
        "acme",
        report(
            "2026-11-20T10:00:00.125Z",
            value("smtp.starttls", True),
            value("smtp.size_limit", 26_214_400),
            value("smtp.greeting_ms", 12.5),
            value("smtp.extensions", ("PIPELINING", "SIZE")),
            value("smtp.auth_before_tls", ()),
            failure(Cause.CONNECTION_TIMEOUT),
        ),
    )
    found = store.report(identifier)
    assert found["endpoint"] == SMTP.to_json()
    assert found["endpoint_key"] == "submission smtp.acme.example:587"
    assert (found["vendor"], found["vantage"], found["address"], found["duration_ms"]) == (
        "acme", "local", "192.0.2.1", 123.5,
    )  # fmt: skip
    assert found["started"] == "2026-11-20T10:00:00.125Z"
    assert found["versions"] == VERSIONS
    assert found["transcript"] == [
        {"ms": 1.5, "direction": "in", "text": "220 smtp.acme.example ESMTP", "connection": 1}
    ]
    assert [(each["metric"], each["value"], each["cause"]) for each in found["measurements"]] == [
        ("smtp.starttls", True, None),
        ("smtp.size_limit", 26_214_400, None),
        ("smtp.greeting_ms", 12.5, None),
        ("smtp.extensions", ["PIPELINING", "SIZE"], None),
        ("smtp.auth_before_tls", [], None),
        ("tls.oldest_version", None, "connection_timeout"),
    ]
    values = {each.metric: each.value for each in store.observations()}
    assert values["smtp.extensions"] == ("PIPELINING", "SIZE")
    assert values["smtp.auth_before_tls"] == ()
    assert values["smtp.starttls"] is True
    assert values["smtp.size_limit"] == 26_214_400


def test_an_observation_says_where_when_and_how(store: Store) -> None:
    identifier = store.add_report("acme", report("2026-11-20T10:00:00Z", value("smtp.size_limit", 1000)))
    (found,) = store.observations()
    assert (found.vendor, found.kind, found.source, found.unit) == ("acme", "measured", "probe smtp", "B")
    assert (found.endpoint, found.role, found.label) == ("submission smtp.acme.example:587", "submission", "Europe")
    assert (found.observed, found.vantage, found.report) == ("2026-11-20T10:00:00Z", "local", identifier)
    assert dict(found.versions) == VERSIONS


def test_an_unknown_report_is_a_key_error(store: Store) -> None:
    with pytest.raises(KeyError):
        store.report("00000000-0000-0000-0000-000000000000")


def test_hostile_text_is_stored_and_cannot_break_out(store: Store) -> None:
    nasty = "a\x00b\ud800c'); DROP TABLE reports; --"
    identifier = store.add_report(
        "acme",
        report(
            "2026-11-20T10:00:00Z",
            value("smtp.greeting_name", nasty),
            Measurement.missing("tls.versions", Cause.PROTOCOL_ERROR, nasty),
            transcript=(Step(0, "in", nasty),),
        ),
    )
    found = store.report(identifier)
    assert found["transcript"][0]["text"] == nasty
    assert found["measurements"][0]["value"] == nasty
    assert found["measurements"][1]["detail"] == "a\\u0000b\\ud800c'); DROP TABLE reports; --"
    assert store.counts()["reports"] == 1


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_becomes_a_probe_bug(store: Store, number: float) -> None:
    store.add_report("acme", report("2026-11-20T10:00:00Z", value("tls.handshake_ms", number), value()))
    found = {each.metric: each for each in store.observations()}
    assert (found["tls.handshake_ms"].value, found["tls.handshake_ms"].cause) == (None, "probe_bug")
    assert found["tls.oldest_version"].value == "TLSv1.2"


def test_a_report_without_measurements_is_still_a_report(store: Store) -> None:
    store.add_report("acme", report("2026-11-20T10:00:00Z"))
    assert store.counts() == {"reports": 1, "measurements": 0, "observations": 0, "vendors": 1}
    assert store.observations() == []


# --- what counts ------------------------------------------------------------------------------------------------------


def test_the_newest_value_and_a_newer_failure_are_both_given(store: Store) -> None:
    store.add_report("acme", report("2026-11-01T10:00:00Z", value(seen="TLSv1.0")))
    store.add_report("acme", report("2026-11-05T10:00:00Z", value(seen="TLSv1.2")))
    store.add_report("acme", report("2026-11-06T10:00:00Z", failure(Cause.THROTTLED)))
    store.add_report("acme", report("2026-11-07T10:00:00Z", failure(Cause.CONNECTION_RESET)))
    # Imported late, observed early: the time of observation counts, not that of storing.
    store.add_report("acme", report("2026-10-01T10:00:00Z", value(seen="SSLv3")))
    found = store.observations()
    assert [(each.value, each.cause, each.observed[:10]) for each in found] == [
        ("TLSv1.2", None, "2026-11-05"),
        (None, "connection_reset", "2026-11-07"),
    ]


def test_a_finding_supersedes_in_the_database_as_in_select(store: Store) -> None:
    store.add_report("acme", report("2026-11-05T10:00:00Z", value()))
    store.add_report("acme", report("2026-11-06T10:00:00Z", failure(Cause.TLS_NOT_OFFERED)))
    assert [(each.value, each.cause) for each in store.observations()] == [(None, "tls_not_offered")]


def test_endpoints_and_vantages_are_kept_apart_and_vendors_can_be_chosen(store: Store) -> None:
    other = Endpoint("submission", host="smtp.acme.example", port=2525)
    for vendor in ("acme", "zeta"):
        store.add_report(vendor, report("2026-11-05T10:00:00Z", value()))
        store.add_report(vendor, report("2026-11-05T10:00:00Z", value(), endpoint=other))
        store.add_report(vendor, report("2026-11-05T10:00:00Z", value(), vantage="frankfurt"))
    assert len(store.observations()) == 6
    assert {each.vendor for each in store.observations(["zeta"])} == {"zeta"}
    assert store.observations([]) == []
    assert store.observations(["nobody"]) == []


def test_an_earlier_time_gives_what_was_known_then(store: Store) -> None:
    store.add_report("acme", report("2026-11-01T10:00:00Z", value(seen="TLSv1.0")))
    store.add_report("acme", report("2026-11-05T10:00:00Z", value(seen="TLSv1.2")))
    (found,) = store.observations(as_of=datetime(2026, 11, 3, tzinfo=UTC))
    assert found.value == "TLSv1.0"
    assert store.observations(as_of=datetime(2026, 10, 1, tzinfo=UTC)) == []


def mx(host: str = "") -> Endpoint:
    return Endpoint("mx", host=host, domain="acme.example", port=25)


def test_hosts_of_a_domain_belong_to_the_profiles_endpoint(store: Store) -> None:
    started = "2026-11-05T10:00:00Z"
    second = report(started, value(), endpoint=mx("mx2.acme.example"))
    identifier = store.add_report("acme", report(started, value(), endpoint=mx("mx1.acme.example"), also=(second,)))
    found = store.observations()
    assert {(each.endpoint, each.parent) for each in found} == {
        ("mx mx1.acme.example:25", "mx acme.example"),
        ("mx mx2.acme.example:25", "mx acme.example"),
    }
    top = store.report(identifier)
    (also,) = top["also"]
    assert store.report(also)["endpoint_key"] == "mx mx2.acme.example:25"
    assert store.report(also)["run"] == identifier
    assert [line.parent for line in store.reports("acme")] == ["mx acme.example"] * 2


def test_a_host_that_the_domain_no_longer_names_does_not_count(store: Store) -> None:
    old = report("2026-11-05T10:00:00Z", value(), endpoint=mx("mx2.acme.example"))
    store.add_report("acme", report("2026-11-05T10:00:00Z", value(), endpoint=mx("mx1.acme.example"), also=(old,)))
    store.add_report("acme", report("2026-11-06T10:00:00Z", value(), endpoint=mx("mx3.acme.example")))
    assert [each.endpoint for each in store.observations()] == ["mx mx3.acme.example:25"]


def test_a_failed_look_at_the_domain_leaves_its_hosts_and_its_end_takes_their_place(store: Store) -> None:
    store.add_report("acme", report("2026-11-05T10:00:00Z", value(), endpoint=mx("mx1.acme.example")))
    store.add_report("acme", report("2026-11-06T10:00:00Z", failure(Cause.DNS_TIMEOUT), endpoint=mx()))
    assert [each.endpoint for each in store.observations()] == ["mx mx1.acme.example:25"]
    store.add_report("acme", report("2026-11-07T10:00:00Z", failure(Cause.DNS_NXDOMAIN), endpoint=mx()))
    assert [(each.endpoint, each.cause) for each in store.observations()] == [("mx acme.example", "dns_nxdomain")]
    store.add_report("acme", report("2026-11-08T10:00:00Z", value(), endpoint=mx("mx1.acme.example")))
    assert [each.endpoint for each in store.observations()] == ["mx mx1.acme.example:25"]


def test_history_has_everything_oldest_first(store: Store) -> None:
    store.add_report("acme", report("2026-11-06T10:00:00Z", failure(Cause.THROTTLED)))
    store.add_report("acme", report("2026-11-05T10:00:00Z", value()))
    store.add_report("acme", report("2026-11-05T10:00:00Z", value("tls.newest_version", "TLSv1.3")))
    found = store.history("acme", "tls.oldest_version")
    assert [(each.value, each.cause) for each in found] == [("TLSv1.2", None), (None, "throttled")]
    assert store.history("nobody", "tls.oldest_version") == []


def test_reports_are_listed_newest_first(store: Store) -> None:
    other = Endpoint("imap", host="imap.acme.example", port=993, tls="implicit")
    first = store.add_report("acme", report("2026-11-01T10:00:00Z", value()))
    third = store.add_report("acme", report("2026-11-03T10:00:00Z", value()))
    second = store.add_report("acme", report("2026-11-02T10:00:00Z", value(), endpoint=other))
    store.add_report("zeta", report("2026-11-02T10:00:00Z", value()))
    assert [line.id for line in store.reports("acme")] == [third, second, first]
    assert [line.id for line in store.reports("acme", limit=1)] == [third]
    assert [line.id for line in store.reports("acme", endpoint=other.key)] == [second]
    line = store.reports("acme", endpoint=other.key)[0]
    assert (line.role, line.vantage, line.duration_ms, line.run) == ("imap", "local", 123.5, second)


def test_the_revision_changes_with_every_addition(store: Store) -> None:
    seen = {store.revision()}
    store.add_report("acme", report("2026-11-05T10:00:00Z", value()))
    seen.add(store.revision())
    store.add_observations([rating(4.2)])
    seen.add(store.revision())
    store.add_reviews([review()])
    seen.add(store.revision())
    assert len(seen) == 4
    assert store.revision() in seen


# --- other kinds ------------------------------------------------------------------------------------------------------


def rating(stars: float, observed: str = "2026-11-01", **fields: object) -> Observation:
    return Observation(
        vendor="acme",
        metric="reviews.rating",
        value=stars,
        kind="reviewed",
        source="https://reviews.example/acme",
        observed=observed,
        unit="stars",
        n=120,
        low=stars - 0.2,
        high=stars + 0.2,
        note="shrunk towards the mean",
        **fields,  # type: ignore[arg-type]
    )


def test_other_kinds_come_back_as_they_were_and_the_newest_counts(store: Store) -> None:
    assert store.add_observations([rating(4.2), rating(3.9, "2026-10")]) == 2
    assert store.add_observations([]) == 0
    assert store.observations() == [rating(4.2)]
    assert store.history("acme", "reviews.rating") == [rating(3.9, "2026-10"), rating(4.2)]
    assert store.counts()["observations"] == 2


def test_measurements_claims_and_half_observations_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="claimed"):
        store.add_observations([Observation("acme", "x", 1, "claimed", "https://x", "2026")])
    with pytest.raises(ValueError, match="value or a cause"):
        store.add_observations([Observation("acme", "x", None, "surveyed", "survey", "2026")])
    assert store.counts()["observations"] == 0


# --- runs -------------------------------------------------------------------------------------------------------------


def run(started: str, ok: bool | None = False) -> Run:
    return Run(started, "local", 40, (Condition("port_25", ok, "no connection to port 25 of \x00nobody", 34),))


def test_runs_come_back_newest_first(store: Store) -> None:
    assert store.runs() == []
    for started in ("2026-11-22T10:00:00.000Z", "2026-11-23T10:00:00.000Z", "2026-11-21T10:00:00.000Z"):
        store.add_run(run(started))
    assert [each.started[:10] for each in store.runs()] == ["2026-11-23", "2026-11-22", "2026-11-21"]
    assert store.runs(limit=1) == [run("2026-11-23T10:00:00.000Z")]
    assert store.counts()["reports"] == 0


def test_runs_cannot_be_changed_or_deleted(store: Store) -> None:
    store.add_run(run("2026-11-22T10:00:00.000Z"))
    for statement in ("DELETE FROM runs", "UPDATE runs SET vantage = 'x'"):
        with store._engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.exec_driver_sql(statement)


# --- reviews ----------------------------------------------------------------------------------------------------------


def review(number: int = 1, **fields: object) -> Review:
    plain = {"written": "2026-11-01", "rating": 4.5, "title": "Good", "text": "Mail arrives.", "author": "a1"}
    return Review(**{"vendor": "acme", "source": "g2", "id": str(number), **plain, **fields})


def test_reviews_come_back_as_they_were_once(store: Store) -> None:
    written = [review(number, vendor=vendor, source=source)
               for vendor in ("acme", "other") for source in ("capterra", "g2") for number in range(1, 4)]  # fmt: skip
    assert store.add_reviews(written[3:] + written[:3]) == 12
    assert store.add_reviews(written) == 0
    assert store.reviews() == written
    assert store.reviews("other") == written[6:]
    assert store.reviews("nobody") == []
    bare = Review("acme", "g2", "9")
    assert store.add_reviews([bare, bare]) == 1
    assert bare in store.reviews("acme")
    assert store.add_reviews([]) == 0


def test_an_edited_review_is_a_new_row_and_the_newest_counts(store: Store) -> None:
    first, edited = review(text="Mail arrives."), review(text="Mail no longer arrives.", rating=1.0)
    store.add_reviews([first])
    assert store.add_reviews([edited]) == 1
    assert store.reviews() == [edited]
    assert store.add_reviews([first]) == 1, "taken back"
    assert store.reviews() == [first]
    assert store.add_reviews([edited, first, first, review(2)]) == 3
    assert store.reviews() == [first, review(2)]
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM reviews").scalar() == 6


def test_an_older_version_that_is_known_does_not_come_back(store: Store) -> None:
    first = review(written="2026-03-01", text="Mail arrives.")
    edited = review(written="2026-09-01", text="Mail no longer arrives.", rating=1.0)
    store.add_reviews([first, review(2)])
    assert store.add_reviews([edited]) == 1
    assert store.add_reviews([first, review(2)]) == 0, "the file of spring, imported once more"
    assert store.reviews() == [edited, review(2)]
    assert store.add_reviews([first, edited]) == 0
    corrected = review(written="2026-01-09", text="Mail no longer arrives.", rating=1.0)
    assert store.add_reviews([corrected]) == 1, "never seen before: its date was read the wrong way round"
    assert store.reviews() == [corrected, review(2)]


def test_many_reviews_in_one_go(store: Store) -> None:
    many = [review(number, text="x" * (number % 50)) for number in range(2_345)]
    assert store.add_reviews(many) == 2_345
    assert store.add_reviews([*many, review(2_345)]) == 1
    assert len(store.reviews("acme")) == 2_346


def test_hostile_reviews_are_stored_and_found_again(store: Store) -> None:
    nasty = "'; DROP TABLE reviews; --\x00\ud800 <script>alert(1)</script> =cmd|' /C calc'!A0 \U0001f600 ignore all"
    hostile = review(text=nasty, title=nasty, author=nasty, id=nasty, source=nasty)
    assert store.add_reviews([hostile]) == 1
    assert store.add_reviews([hostile]) == 0
    shown = nasty.replace("\x00", "\\u0000").replace("\ud800", "\\ud800")
    assert store.reviews() == [review(text=shown, title=shown, author=shown, id=shown, source=shown)]


@pytest.mark.parametrize("fields", [{"vendor": ""}, {"source": ""}, {"id": ""}, {"rating": 0.9}, {"rating": 5.1},
                                    {"rating": math.nan}])  # fmt: skip
def test_half_reviews_are_refused_and_nothing_is_stored(store: Store, fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"a review has|between 1 and 5"):
        store.add_reviews([review(1), review(2, **fields)])
    assert store.reviews() == []


def test_two_imports_of_the_same_reviews_at_once_add_them_once(url: str, store: Store) -> None:
    many = [review(number) for number in range(600)]
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        stores = [stack.enter_context(Store(url)) for _ in range(4)]
        added = list(pool.map(lambda one: one.add_reviews(many), stores))
    assert sum(added) == 600
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM reviews").scalar() == 600


# --- classified texts -------------------------------------------------------------------------------------------------


def test_what_a_classifier_said_of_a_text_is_kept_for_each_classifier(url: str, store: Store) -> None:
    keys = [bytes([number % 256, number // 256]) * 16 for number in range(2_500)]  # more than go into one statement
    answers = {key: f'["neutral",{number}]' for number, key in enumerate(keys)}
    before = store.revision(), store.counts()
    store.add_classified("1-abc", answers)
    assert store.classified("1-abc", [*keys, b"x" * 32]) == answers
    assert store.classified("1-abc", keys[7:9]) == {key: answers[key] for key in keys[7:9]}
    assert store.classified("2-abc", keys) == {}
    store.add_classified("2-abc", {keys[0]: "[]"})
    assert store.classified("2-abc", keys) == {keys[0]: "[]"}
    # The first answer stays, and what is new beside it is taken.
    store.add_classified("1-abc", {keys[0]: "[]", b"x" * 32: "[]"})
    assert store.classified("1-abc", [keys[0], b"x" * 32]) == {keys[0]: answers[keys[0]], b"x" * 32: "[]"}
    # It is no evidence: nobody who waits for some is woken.
    assert (store.revision(), store.counts()) == before
    for statement in ("DELETE FROM classified_texts", "UPDATE classified_texts SET answer = '[]'"):
        with store._engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.exec_driver_sql(statement)


def test_several_may_keep_the_same_texts_at_once(url: str, store: Store) -> None:
    answers = {bytes([number % 256, number // 256]) * 16: "[]" for number in range(3_000)}
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        stores = [stack.enter_context(Store(url)) for _ in range(4)]
        orders = [answers, dict(reversed(answers.items())), answers, dict(reversed(answers.items()))]
        list(pool.map(lambda one, some: one.add_classified("1-abc", some), stores, orders))
    assert store.classified("1-abc", list(answers)) == answers


# --- older stores -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "tables"),
    [(1, ["runs", "reviews", "classified_texts"]), (2, ["reviews", "classified_texts"]), (3, ["classified_texts"])],
)
def test_an_older_store_gets_what_it_lacks_and_keeps_what_it_has(url: str, version: int, tables: list[str]) -> None:
    with Store(url) as store:
        store.add_report("acme", report("2026-11-05T10:00:00Z", value()))
        with store._engine.begin() as connection:  # as the first version left it
            for table in tables:
                connection.exec_driver_sql(f"DROP TABLE {table}")
            connection.exec_driver_sql(f"UPDATE mailrubric_schema SET version = {version}")
    for new in (1, 0):  # the second time there is nothing left to do
        with Store(url) as store:
            assert store.counts()["reports"] == 1
            store.add_run(run("2026-11-22T10:00:00.000Z"))
            assert store.add_reviews([review()]) == new
            store.add_classified("1-abc", {b"k" * 32: "[]"})
            for table in ("runs", "reviews", "classified_texts"):
                with store._engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
                    connection.exec_driver_sql(f"DELETE FROM {table}")
    with Store(url) as store:
        assert len(store.runs()) == 2
        assert store.reviews() == [review()]
        assert store.classified("1-abc", [b"k" * 32]) == {b"k" * 32: "[]"}


def test_a_table_of_somebody_else_is_not_taken_over(url: str) -> None:
    with (
        Store(url) as store,
        store._engine.begin() as connection,
    ):  # a version that had no reviews, in a shared database
        connection.exec_driver_sql("DROP TABLE classified_texts")
        connection.exec_driver_sql("DROP TABLE reviews")
        connection.exec_driver_sql("CREATE TABLE reviews (stars integer)")
        connection.exec_driver_sql("INSERT INTO reviews VALUES (5)")
        connection.exec_driver_sql("UPDATE mailrubric_schema SET version = 2")
    with pytest.raises(StoreError, match=r"there already and belongs to something else \(reviews\)"):
        Store(url)
    engine = sa.create_engine(sa.make_url(url).set(drivername=store._engine.url.drivername))
    with engine.begin() as connection:
        assert connection.exec_driver_sql("UPDATE reviews SET stars = 4").rowcount == 1
    engine.dispose()


# --- what must never happen -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["reports", "measurements", "observations", "reviews"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET vendor = 'x'"])
def test_evidence_cannot_be_changed_or_deleted(url: str, store: Store, table: str, statement: str) -> None:
    store.add_report("acme", report("2026-11-05T10:00:00Z", value()))
    store.add_observations([rating(4.2)])
    store.add_reviews([review()])
    engine = sa.create_engine(sa.make_url(url).set(drivername=store._engine.url.drivername))
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        connection.exec_driver_sql(statement.format(table))
    engine.dispose()
    assert store.counts() == {"reports": 1, "measurements": 1, "observations": 1, "vendors": 1}


def test_a_report_cannot_be_replaced_under_its_id(file: Path) -> None:
    with Store(f"sqlite:///{file}") as store:
        store.add_report("acme", report("2026-11-05T10:00:00Z", value()))
        with store._engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.exec_driver_sql("INSERT OR REPLACE INTO reports SELECT * FROM reports")


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_truncate_is_refused_too(store: Store) -> None:
    with store._engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        connection.exec_driver_sql("TRUNCATE measurements")


def test_a_measurement_needs_its_report(url: str, store: Store) -> None:
    with store._engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"(?i)foreign key"):
        connection.exec_driver_sql(
            "INSERT INTO measurements (report, vendor, metric, probe, endpoint, vantage, value, conclusive, detail, "
            "unit, observed, at) VALUES ('none', 'a', 'm', 'p', 'e', 'v', '1', 1, '', '', '2026', 0)"
        )


def test_a_newer_store_is_refused_with_advice(url: str) -> None:
    with Store(url) as store, store._engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO mailrubric_schema (version) VALUES ({SCHEMA_VERSION + 1})")
    with pytest.raises(StoreError, match=rf"newer Mailrubric \(schema {SCHEMA_VERSION + 1}.*update Mailrubric"):
        Store(url)


# --- faults, in words -------------------------------------------------------------------------------------------------


def test_another_applications_database_is_left_alone(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE addresses (name TEXT)")
        connection.commit()
    before = file.read_bytes()
    with pytest.raises(StoreError, match="not a Mailrubric store: it has other tables \\(addresses\\)"):
        Store(f"sqlite:///{file}")
    with contextlib.closing(sqlite3.connect(file)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("addresses",)]
    assert len(file.read_bytes()) == len(before)


def test_a_file_that_is_no_database(file: Path) -> None:
    file.write_text("vendors: []\n" * 200)
    with pytest.raises(StoreError, match="no SQLite database"):
        Store(f"sqlite:///{file}")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is the folder there"):
        Store(f"sqlite:///{tmp_path / 'missing' / 'evidence.sqlite'}")


def test_a_store_that_is_held_too_long_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailrubric.evidence.store.BUSY_TIMEOUT_SECONDS", 0.1)
    with Store(f"sqlite:///{file}") as store, contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="busy: another process"):
            store.add_report("acme", report("2026-11-05T10:00:00Z", value()))
        assert store.counts()["reports"] == 0  # readers are not held up
        holder.execute("ROLLBACK")
        store.add_report("acme", report("2026-11-05T10:00:00Z", value()))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://anna:s3cret@db.example/mail", "postgresql://anna:***@db.example/mail"),
        (
            "postgresql://db.example/mail?password=s3cret&user=anna",
            "postgresql://db.example/mail?password=hidden&user=anna",
        ),
        ("sqlite:////var/lib/evidence.sqlite", "sqlite:////var/lib/evidence.sqlite"),
        ("postgresql://anna:s3cret@db.example:port/mail", "postgresql:…"),
        ("anna s3cret", "(not a URL)"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:s3cret@127.0.0.1:1/mail",
        "postgresql://127.0.0.1:1/mail?password=s3cret",
        "postgresql://anna:s3cret@127.0.0.1:1/mail?sslmode=verify-full",
        "postgresql://anna:s3cret@127.0.0.1:1/mail?sslmode=nonsense",
        "postgresql://anna:s3cret@127.0.0.1:1/mail?nosuchoption=1",
        "mysql://anna:s3cret@127.0.0.1/mail",
        "nonsense://anna:s3cret@127.0.0.1/mail",
        "postgresql://anna:s3cret@127.0.0.1:port/mail",
        "postgresql+nodriver://anna:s3cret@127.0.0.1/mail",
    ],
)
def test_a_store_that_cannot_be_opened_tells_no_password(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(url)
    error: BaseException | None = caught.value
    assert "s3cret" not in str(error)
    assert error is not None
    assert error.__suppress_context__ or error.__cause__ is None


def test_the_stores_own_name_tells_no_password(file: Path) -> None:
    with Store(f"sqlite:///{file}") as store:
        assert repr(store) == f"Store('sqlite:///{file}')"


# --- several at once --------------------------------------------------------------------------------------------------

WRITER = """
import sys
from mailrubric.evidence.store import Store
from probes.model import Endpoint, Measurement, Report
store = Store(sys.argv[1])
count = int(sys.argv[3])
for number in range(count) if count else iter(int, 1):
    measurements = tuple(Measurement(f"tls.m{metric}", metric) for metric in range(20))
    store.add_report(sys.argv[2], Report(
        Endpoint("submission", host="h", port=587), "2026-11-20T10:00:00Z", "local", {}, measurements))
    print("stored", flush=True)
"""


def writer(url: str, vendor: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, vendor, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


def test_a_process_killed_while_writing_loses_no_stored_report(url: str) -> None:
    Store(url).close()
    process = writer(url, "acme", 0)
    assert process.stdout is not None
    acknowledged = 0
    for _ in range(25):
        assert process.stdout.readline() == "stored\n"
        acknowledged += 1
    process.send_signal(signal.SIGKILL)
    acknowledged += len(process.stdout.read().splitlines())
    process.wait(10)
    process.stdout.close()
    with Store(url) as store:
        found = store.counts()
        # The one in flight may have been committed but not yet told of; half of one never.
        assert acknowledged <= found["reports"] <= acknowledged + 1
        assert found["measurements"] == 20 * found["reports"]
        store.add_report("acme", report("2026-11-21T10:00:00Z", value()))
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(sa.make_url(url).database or "")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_several_processes_write_and_one_reads(url: str) -> None:
    # The store does not exist yet: they race to make it too.
    processes = [writer(url, f"vendor-{number}", 20) for number in range(3)]
    seen = []
    deadline = time.monotonic() + 60
    with Store(url) as store:
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            seen.append(store.counts()["reports"])
            assert len(store.observations()) % 20 == 0
            time.sleep(0.02)
        for process in processes:
            assert process.wait(10) == 0
            assert process.stdout is not None
            process.stdout.close()
        assert seen == sorted(seen)
        assert store.counts()["reports"] == 60
        assert {each.vendor for each in store.observations()} == {"vendor-0", "vendor-1", "vendor-2"}


@pytest.mark.parametrize("where", ["file", "memory"])
def test_threads_share_one_store(where: str, file: Path) -> None:
    faults: list[BaseException] = []

    def attempt(work: Callable[[], object]) -> None:
        try:
            for _ in range(15):
                work()
        except BaseException as error:
            faults.append(error)

    with Store(f"sqlite:///{file}" if where == "file" else "sqlite://") as store:
        threads = [
            threading.Thread(
                target=attempt,
                args=(lambda name=f"v{number}": store.add_report(name, report("2026-11-20T10:00:00Z", value())),),
            )
            for number in range(4)
        ]
        threads.append(threading.Thread(target=attempt, args=(store.observations,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert faults == []
        assert store.counts()["reports"] == 60
