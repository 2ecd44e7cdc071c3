"""The store: append-only evidence in SQLite or PostgreSQL.

Reports, other observations and reviews are added and never changed; triggers in the database refuse UPDATE and DELETE,
whoever asks. The same holds for what the classifier said of a text, which is kept to spare time and is no evidence.
One report is one transaction, so a process killed in the middle loses at most the reports in flight. SQLite runs in WAL
mode: the command line may write while the dashboard reads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import getpass
import json
import math
import re
import sqlite3
import ssl
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, Connection, Engine, Row
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from mailrubric.evidence.observation import Kind, Observation, ObservedValue
from mailrubric.evidence.runs import Run, conditions_from_json, conditions_to_json
from mailrubric.evidence.select import CONCLUSIVE_CAUSES
from mailrubric.evidence.times import moment
from mailrubric.reviews.review import Review
from probes.model import Cause, Endpoint, Measurement, Report

SCHEMA_VERSION = 4
"""Version of the tables. A store with a newer one is refused; to an older one is added what it lacks (2: runs,
3: reviews, 4: classified texts)."""

BUSY_TIMEOUT_SECONDS = 30.0
"""How long a writer waits for another one to finish."""

UNDATED = -1e15
"""Sorting place of undated observations: before every dated one."""

_CREATION_LOCK = 7_245_014
"""PostgreSQL advisory lock held while the tables are made; any number that nobody else uses."""

_metadata = sa.MetaData()
_identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_schema = sa.Table("mailrubric_schema", _metadata, sa.Column("version", sa.Integer, nullable=False))


def _table(name: str, *items: sa.schema.SchemaItem) -> sa.Table:
    """A table whose rows keep the order in which they came, in ``number``, which is never given twice."""
    number = sa.Column("number", _identity, primary_key=True, autoincrement=True)
    return sa.Table(name, _metadata, number, *items, sqlite_autoincrement=True)


def _texts(*names: str) -> Iterator[sa.Column[str]]:
    """Columns of texts that every row has."""
    for name in names:
        yield sa.Column(name, sa.Text, nullable=False)


def _value_or_cause(name: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("(value IS NULL) <> (cause IS NULL)", name=name)


def _newest_first(name: str, *columns: str) -> sa.Index:
    """For the newest row that counts of each combination of these columns: see select.py."""
    return sa.Index(name, *columns, "conclusive", sa.desc("at"), sa.desc("number"))


def _conclusive_column() -> sa.Column[int]:
    """Whether the row has a value, or a cause that supersedes one: see select.py."""
    return sa.Column("conclusive", sa.Integer, nullable=False)


def _at_column() -> sa.Column[float]:
    """Seconds since 1970, to sort by."""
    return sa.Column("at", sa.Double, nullable=False)


_reports = _table(
    "reports",
    sa.Column("id", sa.Text, nullable=False, unique=True),
    *_texts("run"),  # id of the report that this one came with; its own id at the top
    *_texts("vendor", "endpoint"),
    *_texts("parent"),  # the profile's endpoint, when this one was found through it
    *_texts("role", "started"),
    _at_column(),
    *_texts("stored", "vantage", "address", "versions", "endpoint_json", "transcript"),
    sa.Column("duration_ms", sa.Double, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Index("reports_by_vendor", "vendor", "endpoint", "at"),
    sa.Index("reports_by_run", "run"),
)

_measurements = _table(
    "measurements",
    sa.Column("report", sa.Text, sa.ForeignKey("reports.id"), nullable=False),
    *_texts("vendor", "metric", "probe", "endpoint", "vantage"),
    sa.Column("value", sa.Text),  # JSON
    sa.Column("cause", sa.Text),
    _conclusive_column(),
    *_texts("detail", "unit", "observed"),
    _at_column(),
    _value_or_cause("value_or_cause"),
    _newest_first("measurements_newest", "vendor", "metric", "endpoint", "vantage"),
    sa.Index("measurements_by_report", "report"),
)

_observations = _table(
    "observations",
    *_texts("vendor", "metric", "kind", "endpoint", "vantage"),
    sa.Column("value", sa.Text),
    sa.Column("cause", sa.Text),
    _conclusive_column(),
    *_texts("observed"),
    _at_column(),
    *_texts("stored"),
    *_texts("record"),  # JSON of all other fields
    _value_or_cause("value_or_cause_of_observation"),
    _newest_first("observations_newest", "vendor", "metric", "kind", "endpoint", "vantage"),
)

_runs = _table(
    "runs",
    *_texts("started"),
    _at_column(),
    *_texts("stored", "vantage"),
    sa.Column("endpoints", sa.Integer, nullable=False),
    *_texts("preconditions"),  # JSON
)

_reviews = _table(
    "reviews",
    *_texts("vendor", "source", "id", "written"),
    sa.Column("rating", sa.Double),
    *_texts("title", "text", "author", "url", "language", "stored"),
    sa.CheckConstraint("rating IS NULL OR (rating >= 1 AND rating <= 5)", name="rating_in_stars"),
    sa.Index("reviews_newest", "vendor", "source", "id", "number"),
)

_classified = sa.Table(
    "classified_texts",
    _metadata,
    sa.Column("sha256", sa.LargeBinary, primary_key=True),  # of the text
    sa.Column("classifier", sa.Text, primary_key=True),  # which one: rows of older ones may stay
    sa.Column("answer", sa.Text, nullable=False),  # JSON
    sqlite_with_rowid=False,  # the key is most of the row
)

_EVIDENCE = (_reports, _measurements, _observations)
_APPEND_ONLY = (*_EVIDENCE, _runs, _reviews, _classified)
_ADDED_IN = {2: (_runs,), 3: (_reviews,), 4: (_classified,)}
"""Version → the tables that came with it; all others are of the first."""

_REVIEWS_AT_ONCE = 500
"""Reviews that are looked up in one query, well under the number of variables that either database takes."""

_TEXTS_AT_ONCE = 1_000
"""Classified texts that are looked up in one query, or added by one statement."""

_ADDING_REVIEWS_LOCK = 7_245_015
"""PostgreSQL advisory lock held while reviews are added, lest two imports of one file both find it new."""

_RECORD_FIELDS = (
    "source", "detail", "unit", "role", "label", "grade", "document", "note", "n", "low", "high", "report", "parent",
)  # fmt: skip


class StoreError(Exception):
    """The store can't be used; the text is a sentence for people and never holds a password."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReportSummary:
    """One line of a list of reports. ``run``: id of the report that this one came with (its own id at the top);
    ``parent``: the profile's endpoint when this one was found through it (an MX host of a domain), else ""."""

    id: str
    run: str
    vendor: str
    endpoint: str
    parent: str
    role: str
    started: str
    stored: str
    vantage: str
    address: str
    duration_ms: float


def masked(url: str) -> str:
    """A store's URL fit to be shown: without its password, whether before the host or among the options."""
    try:
        parsed = sa.make_url(url)
        hidden = {name: "hidden" if "pass" in name.lower() else value for name, value in parsed.query.items()}
        return parsed.set(query=hidden).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.partition(':')[0]}:…" if ":" in url else "(not a URL)"


class Store:
    """One store. May be shared by threads; any number of processes may use the same one.

    ``url``: SQLAlchemy's, ``sqlite:///path`` or ``postgresql://user:password@host/database``. Tables are made at the
    first use. Raises ``StoreError`` when it can't be opened, belongs to something else or has a newer schema.
    """

    def __init__(self, url: str) -> None:
        self.name = masked(url)
        try:
            parsed = sa.make_url(url)
        except (ArgumentError, ValueError):
            raise StoreError(
                f"the store's URL can't be read: {self.name}; write sqlite:///file or postgresql://user@host/database"
            ) from None
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+pg8000")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise StoreError(f"{self.name}: only sqlite and postgresql stores are supported")
        self._secrets = _secrets(parsed)
        self._in_memory = parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")
        # One connection carries a database in memory, so its users take turns.
        self._turn: contextlib.AbstractContextManager[Any] = (
            threading.RLock() if self._in_memory else contextlib.nullcontext()
        )
        self._engine = self._connect(parsed)
        self._prepare()

    # --- life ---------------------------------------------------------------------------------------------------------

    def _connect(self, url: URL) -> Engine:
        try:
            if url.get_backend_name() == "postgresql":
                url, arguments = _for_driver(url)
                return sa.create_engine(
                    url,
                    hide_parameters=True,
                    pool_pre_ping=True,
                    pool_size=5,
                    max_overflow=10,
                    connect_args=arguments,
                )
            options: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}}
            if self._in_memory:
                options["poolclass"] = StaticPool
            engine = sa.create_engine(url, hide_parameters=True, **options)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{self.name}: the driver {error.name} is not installed; pip install 'mailrubric[postgresql]'"
            ) from None
        except (NoSuchModuleError, ArgumentError, ValueError):
            raise StoreError(f"{self.name}: there is no driver for this kind of store") from None
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _prepare(self) -> None:
        with self._reading() as connection:
            if self._version(connection) == SCHEMA_VERSION:
                return
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":
                # Two processes may find an empty database at once; SQLite's BEGIN IMMEDIATE takes turns by itself.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION_LOCK)))
            version = self._version(connection)
            if version == SCHEMA_VERSION:
                return
            # Nothing that is there is touched: a version adds tables.
            new = _APPEND_ONLY if version == 0 else _added_since(version)
            if taken := sorted(set(sa.inspect(connection).get_table_names()) & {table.name for table in new}):
                raise StoreError(
                    f"the store {self.name} needs a table that is there already and belongs to something else "
                    f"({', '.join(taken)}); nothing was changed"
                )
            _metadata.create_all(connection)
            for statement in _triggers(connection.dialect.name, new, first=version == 0):
                connection.execute(sa.text(statement))
            connection.execute(sa.insert(_schema).values(version=SCHEMA_VERSION))

    def _version(self, connection: Connection) -> int:
        """The version of the tables that are there, 0 for none; ``StoreError`` when they are of a newer version or of
        something else."""
        tables = set(sa.inspect(connection).get_table_names())
        if _schema.name in tables:
            version = connection.execute(sa.select(sa.func.max(_schema.c.version))).scalar()
            if version is None or version > SCHEMA_VERSION:
                raise StoreError(
                    f"the store {self.name} was made by a newer Mailrubric (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}): update Mailrubric, or use another store"
                )
            return int(version)
        # A PostgreSQL database may well hold other things beside; an SQLite file is one application's.
        foreign = tables if connection.dialect.name == "sqlite" else tables & {table.name for table in _APPEND_ONLY}
        if foreign:
            raise StoreError(
                f"{self.name} is not a Mailrubric store: it has other tables ({', '.join(sorted(foreign)[:3])}); "
                "nothing was changed"
            )
        return 0

    def close(self) -> None:
        """Close all connections; the store can't be used afterwards in memory, and reopens itself on disk."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.name!r})"

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._turn, self._translating(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._turn, self._translating(), self._engine.connect() as connection:
            # SQLite must take the write lock at BEGIN: a reader that upgrades later fails at once instead of waiting.
            connection = connection.execution_options(mailrubric_write=True)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(self._sentence(error)) from None
        except TypeError as error:
            # The driver's own words for an option in the URL that it does not have.
            if "connect()" not in str(error):
                raise
            raise StoreError(f"the store {self.name} can't be used: its URL has an option the driver lacks") from None

    def _sentence(self, error: SQLAlchemyError) -> str:
        original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = " ".join(str(original).split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        lower = text.lower()
        for mark, words in (
            ("database is locked", "is busy: another process has been writing for too long; try again"),
            ("file is not a database", "is not a Mailrubric store: the file is no SQLite database"),
            ("unable to open database file", "can't be opened: is the folder there, and may you read and write it?"),
            ("readonly database", "can't be written: the file or its folder is read-only for you"),
            ("append-only", "is append-only: evidence is added, never changed or deleted"),
            ("disk is full", "can't be written: the disk is full"),
            ("malformed", "is damaged; restore it from a copy"),
            ("disk i/o error", "can't be read or written: the disk reports an error"),
        ):
            if mark in lower:
                return f"the store {self.name} {words}"
        return f"the store {self.name} can't be used: {text[:500]}"

    # --- adding -------------------------------------------------------------------------------------------------------

    def add_report(self, vendor_id: str, report: Report) -> str:
        """Store a report, and those that came with it, in one transaction; returns its id.

        Probe and unit of each metric are what the registry of probes says. A value that is no finite number becomes
        ``probe_bug``: no probe may put into the store what JSON can't hold.
        """
        stored = _now()
        top = _profile_key(report.endpoint) or report.endpoint.key
        run = str(uuid.uuid4())
        report_rows: list[dict[str, Any]] = []
        measurement_rows: list[dict[str, Any]] = []
        for identifier, each in [(run, report), *((str(uuid.uuid4()), other) for other in report.also)]:
            key = _clean(each.endpoint.key)
            at = _seconds(each.started)
            parent = _profile_key(each.endpoint) or (top if each is not report else "")
            report_rows.append(
                {
                    "id": identifier,
                    "run": run,
                    "vendor": vendor_id,
                    "endpoint": key,
                    "parent": "" if parent == key else _clean(parent),
                    "role": each.endpoint.role,
                    "started": _clean(each.started),
                    "at": at,
                    "stored": stored,
                    "vantage": _clean(each.vantage),
                    "address": _clean(each.address),
                    "versions": _json(each.versions),
                    "endpoint_json": _json(each.endpoint.to_json()),
                    "transcript": _json([dataclasses.asdict(step) for step in each.transcript]),
                    "duration_ms": float(each.duration_ms) if math.isfinite(each.duration_ms) else 0.0,
                    "schema_version": SCHEMA_VERSION,
                }
            )
            for measurement in map(_storable, each.measurements):
                probe, unit = _declared(measurement.metric)
                measurement_rows.append(
                    {
                        "report": identifier,
                        "vendor": vendor_id,
                        "metric": measurement.metric,
                        "probe": probe,
                        "endpoint": key,
                        "vantage": _clean(each.vantage),
                        "value": None if measurement.value is None else _json(measurement.value),
                        "cause": None if measurement.cause is None else str(measurement.cause.value),
                        "conclusive": _conclusive(measurement.value, measurement.cause),
                        "detail": _clean(measurement.detail),
                        "unit": unit,
                        "observed": _clean(each.started),
                        "at": at,
                    }
                )
        with self._writing() as connection:
            connection.execute(sa.insert(_reports), report_rows)
            if measurement_rows:
                connection.execute(sa.insert(_measurements), measurement_rows)
        return run

    def add_observations(self, observations: Sequence[Observation]) -> int:
        """Store observations of other kinds (reviews, surveys, trials) in one transaction; returns how many.

        ``ValueError`` for measurements, which come with their report, and for claims, which live in profiles.
        """
        stored = _now()
        rows = []
        for each in observations:
            if each.kind in ("measured", "claimed"):
                raise ValueError(f"observations of kind {each.kind} are not stored this way")
            if (each.value is None) == (each.cause is None):
                raise ValueError(f"{each.vendor} {each.metric}: an observation has either a value or a cause")
            record = {name: getattr(each, name) for name in _RECORD_FIELDS}
            record["versions"] = [list(pair) for pair in each.versions]
            record["disputed"] = [list(entry) for entry in each.disputed]
            rows.append(
                {
                    "vendor": each.vendor,
                    "metric": each.metric,
                    "kind": each.kind,
                    "endpoint": _clean(each.endpoint),
                    "vantage": _clean(each.vantage),
                    "value": None if each.value is None else _json(each.value),
                    "cause": each.cause,
                    "conclusive": _conclusive(each.value, each.cause),
                    "observed": _clean(each.observed),
                    "at": _seconds(each.observed),
                    "stored": stored,
                    "record": _json(record),
                }
            )
        if rows:
            with self._writing() as connection:
                connection.execute(sa.insert(_observations), rows)
        return len(rows)

    def add_run(self, run: Run) -> None:
        """Store what a run found out about this machine before it began."""
        row = {
            "started": _clean(run.started),
            "at": _seconds(run.started),
            "stored": _now(),
            "vantage": _clean(run.vantage),
            "endpoints": run.endpoints,
            "preconditions": _json(conditions_to_json(run.preconditions)),
        }
        with self._writing() as connection:
            connection.execute(sa.insert(_runs), [row])

    def add_reviews(self, reviews: Sequence[Review]) -> int:
        """Store reviews in one transaction; returns how many rows were added.

        A review that is there already, the same in every field, is not added again; one whose fields differ from the
        newest row of its vendor, source and id was edited and becomes a new row, unless it is an older version that was
        stored before (somebody imports last year's file once more). Characters that a database's text can't hold (NUL,
        lone surrogates) are stored as escapes. ``ValueError`` for a review without vendor, source or id, and for a
        rating that is not between 1 and 5.
        """
        for each in reviews:
            if not (each.vendor and each.source and each.id):
                raise ValueError("a review has a vendor, a source and an id")
            if each.rating is not None and not 1 <= each.rating <= 5:
                raise ValueError(f"{each.vendor} {each.source} {each.id}: a rating is between 1 and 5 stars")
        stored = _now()
        added = 0
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADDING_REVIEWS_LOCK)))
            for start in range(0, len(reviews), _REVIEWS_AT_ONCE):
                some = [_storable_review(each) for each in reviews[start : start + _REVIEWS_AT_ONCE]]
                newest = {
                    (row.vendor, row.source, row.id): _review(row) for row in connection.execute(_newest_reviews(some))
                }
                rows = []
                older = [
                    each
                    for each in some
                    if each.written < newest.get((each.vendor, each.source, each.id), each).written
                ]
                known = {_review(row) for row in connection.execute(_every_version(older))} if older else set()
                for each in some:
                    key = (each.vendor, each.source, each.id)
                    before = newest.get(key)
                    if before != each and not (before is not None and each.written < before.written and each in known):
                        newest[key] = each
                        rows.append({**dataclasses.asdict(each), "stored": stored})
                if rows:
                    connection.execute(sa.insert(_reviews), rows)
                added += len(rows)
        return added

    def add_classified(self, classifier: str, answers: Mapping[bytes, str]) -> None:
        """Keep what a classifier said of texts (SHA-256 of each → JSON) in one transaction; of a text that it was kept
        of already the first answer stays."""
        # In one order for all, lest two writers wait for each other.
        rows = [{"sha256": key, "classifier": classifier, "answer": _clean(answers[key])} for key in sorted(answers)]
        if not rows:
            return
        with self._writing() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(sqlite_insert(_classified).on_conflict_do_nothing(), rows)
                return
            for start in range(0, len(rows), _TEXTS_AT_ONCE):  # pg8000 would send row by row
                some = rows[start : start + _TEXTS_AT_ONCE]
                connection.execute(postgresql_insert(_classified).values(some).on_conflict_do_nothing())

    # --- reading ------------------------------------------------------------------------------------------------------

    def observations(self, vendors: Iterable[str] | None = None, as_of: datetime | None = None) -> list[Observation]:
        """What scoring needs: per vendor, metric, endpoint and vantage the newest conclusive row and the newest of all.

        ``as_of``: look only at what was observed until then (default: everything), so that an old scorecard can be
        made again. MX hosts that the newest run over a domain no longer found are left out. Sorted, deterministic.
        """
        names = None if vendors is None else sorted(set(vendors))
        until = math.inf if as_of is None else as_of.timestamp()
        with self._reading() as connection:
            measured = connection.execute(_newest_measurements(names, until)).all()
            runs = connection.execute(_newest_runs(names, until)).all()
            others = connection.execute(_newest_observations(names, until)).all()
        return [*map(_measured, _still_found(measured, runs)), *map(_other, others)]

    def history(self, vendor: str, metric: str) -> list[Observation]:
        """Every observation of one metric of one vendor, oldest first."""
        with self._reading() as connection:
            measured = connection.execute(
                _with_reports(sa.select(*_MEASUREMENT_COLUMNS))
                .where(_measurements.c.vendor == vendor, _measurements.c.metric == metric)
                .order_by(_measurements.c.at, _measurements.c.number)
            ).all()
            others = connection.execute(
                sa.select(_observations)
                .where(_observations.c.vendor == vendor, _observations.c.metric == metric)
                .order_by(_observations.c.at, _observations.c.number)
            ).all()
        return [*map(_measured, measured), *map(_other, others)]

    def reports(self, vendor: str, endpoint: str | None = None, limit: int = 200) -> list[ReportSummary]:
        """Reports of a vendor, newest first, at most ``limit``; ``endpoint``: only those of this endpoint key."""
        fields = [_reports.c[field.name] for field in dataclasses.fields(ReportSummary)]
        query = sa.select(*fields).where(_reports.c.vendor == vendor)
        if endpoint is not None:
            query = query.where(_reports.c.endpoint == endpoint)
        query = query.order_by(_reports.c.at.desc(), _reports.c.number.desc()).limit(max(0, limit))
        with self._reading() as connection:
            return [ReportSummary(*row) for row in connection.execute(query)]

    def report(self, identifier: str) -> dict[str, Any]:
        """One report with its measurements and transcript, in the shape of a report's JSON plus ``id``, ``vendor``,
        ``stored``; ``also``: ids of those that came with it. ``KeyError`` when there is none."""
        with self._reading() as connection:
            row = connection.execute(sa.select(_reports).where(_reports.c.id == identifier)).one_or_none()
            if row is None:
                raise KeyError(identifier)
            measurements = connection.execute(
                sa.select(_measurements).where(_measurements.c.report == identifier).order_by(_measurements.c.number)
            ).all()
            also = connection.execute(
                sa.select(_reports.c.id)
                .where(_reports.c.run == identifier, _reports.c.id != identifier)
                .order_by(_reports.c.number)
            ).scalars()
            return {
                "version": 1,
                "id": row.id,
                "vendor": row.vendor,
                "run": row.run,
                "endpoint": json.loads(row.endpoint_json),
                "endpoint_key": row.endpoint,
                "parent": row.parent,
                "role": row.role,
                "started": row.started,
                "stored": row.stored,
                "vantage": row.vantage,
                "address": row.address,
                "versions": json.loads(row.versions),
                "duration_ms": row.duration_ms,
                "measurements": [
                    {
                        "metric": each.metric,
                        "value": None if each.value is None else json.loads(each.value),
                        "unit": each.unit,
                        "cause": each.cause,
                        "detail": each.detail,
                    }
                    for each in measurements
                ],
                "transcript": json.loads(row.transcript),
                "also": list(also),
            }

    def runs(self, limit: int = 50) -> list[Run]:
        """The newest runs, newest first, at most ``limit``."""
        query = sa.select(_runs).order_by(_runs.c.at.desc(), _runs.c.number.desc()).limit(max(0, limit))
        with self._reading() as connection:
            return [
                Run(row.started, row.vantage, row.endpoints, conditions_from_json(json.loads(row.preconditions)))
                for row in connection.execute(query)
            ]

    def reviews(self, vendor: str | None = None) -> list[Review]:
        """The reviews of one vendor or of all, each as it was last stored; sorted by vendor, source, time and id."""
        query = _newest_reviews() if vendor is None else _newest_reviews().where(_reviews.c.vendor == vendor)
        with self._reading() as connection:
            found = [_review(row) for row in connection.execute(query)]
        return sorted(found, key=lambda review: (review.vendor, review.source, review.written, review.id))

    def classified(self, classifier: str, keys: Sequence[bytes]) -> dict[bytes, str]:
        """What this classifier said of texts: SHA-256 → JSON, of those of ``keys`` that it is kept of."""
        found: dict[bytes, str] = {}
        with self._reading() as connection:
            for start in range(0, len(keys), _TEXTS_AT_ONCE):
                some = list(keys[start : start + _TEXTS_AT_ONCE])
                query = sa.select(_classified.c.sha256, _classified.c.answer).where(
                    _classified.c.classifier == classifier, _classified.c.sha256.in_(some)
                )
                found.update((bytes(row.sha256), row.answer) for row in connection.execute(query))
        return found

    def counts(self) -> dict[str, int]:
        """How much is stored: reports, measurements, observations of other kinds, vendors with a report."""
        with self._reading() as connection:
            found = {
                table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in _EVIDENCE
            }
            vendors = connection.execute(sa.select(sa.func.count(sa.distinct(_reports.c.vendor)))).scalar_one()
        return {**found, "vendors": vendors}

    def revision(self) -> tuple[int, int]:
        """Changes whenever something was added: (number of reports, number of other observations and of reviews)."""
        with self._reading() as connection:
            reports, others, reviews = (
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in (_reports, _observations, _reviews)
            )
            return int(reports), int(others) + int(reviews)


# --- SQL --------------------------------------------------------------------------------------------------------------


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")  # in WAL mode a killed process loses nothing it has committed
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")  # otherwise INSERT OR REPLACE deletes past the trigger
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("mailrubric_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _added_since(version: int) -> tuple[sa.Table, ...]:
    return tuple(table for added_in, tables in _ADDED_IN.items() if added_in > version for table in tables)


def _triggers(dialect: str, tables: Iterable[sa.Table], *, first: bool) -> list[str]:
    """What keeps these tables append-only. ``first``: the function that they share is not there yet."""
    tables = tuple(tables)
    function = (
        "CREATE FUNCTION mailrubric_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table.name}_no_{verb.lower()} BEFORE {verb} ON {table.name} "
            f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
            for table in tables
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        *([function] if first else []),
        *(
            f"CREATE TRIGGER {table.name}_append_only BEFORE UPDATE OR DELETE ON {table.name} "
            "FOR EACH ROW EXECUTE FUNCTION mailrubric_append_only()"
            for table in tables
        ),
        *(
            f"CREATE TRIGGER {table.name}_no_truncate BEFORE TRUNCATE ON {table.name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION mailrubric_append_only()"
            for table in tables
        ),
    ]


_MEASUREMENT_COLUMNS = (
    *(_measurements.c[name] for name in
      ("vendor", "metric", "probe", "endpoint", "vantage", "value", "cause", "conclusive", "detail", "unit",
       "observed", "at", "report")),
    *(_reports.c[name] for name in ("role", "parent", "run", "versions", "endpoint_json")),
)  # fmt: skip


def _with_reports(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.join_from(_measurements, _reports, _measurements.c.report == _reports.c.id)


def _narrowed(query: sa.Select[Any], table: sa.Table, names: list[str] | None, until: float) -> sa.Select[Any]:
    if names is not None:
        query = query.where(table.c.vendor.in_(names))
    return query if math.isinf(until) else query.where(table.c.at <= until)


def _newest_numbers(table: sa.Table, keys: Sequence[str], names: list[str] | None, until: float) -> sa.Select[Any]:
    """Numbers of the newest conclusive and the newest inconclusive row of each key: the newest of all is one of them.

    The window runs over the index alone, in its order, so that a long history costs a scan of it and no sorting.
    """
    place = (
        sa.func.row_number()
        .over(
            partition_by=[*(table.c[key] for key in keys), table.c.conclusive],
            order_by=[table.c.at.desc(), table.c.number.desc()],
        )
        .label("place")
    )
    ranked = _narrowed(sa.select(table.c.number, place), table, names, until).subquery()
    return sa.select(ranked.c.number).where(ranked.c.place == 1)


def _newest_measurements(names: list[str] | None, until: float) -> sa.Select[Any]:
    table = _measurements
    newest = _newest_numbers(table, ("vendor", "metric", "endpoint", "vantage"), names, until)
    return (
        _with_reports(sa.select(*_MEASUREMENT_COLUMNS))
        .where(table.c.number.in_(newest))
        .order_by(table.c.vendor, table.c.metric, table.c.endpoint, table.c.vantage, table.c.at, table.c.number)
    )


def _newest_observations(names: list[str] | None, until: float) -> sa.Select[Any]:
    table = _observations
    newest = _newest_numbers(table, ("vendor", "metric", "kind", "endpoint", "vantage"), names, until)
    return (
        sa.select(table)
        .where(table.c.number.in_(newest))
        .order_by(table.c.vendor, table.c.metric, table.c.kind, table.c.endpoint, table.c.vantage, table.c.number)
    )


def _newest_runs(names: list[str] | None, until: float) -> sa.Select[Any]:
    """All hosts of the newest run through each endpoint that leads to others, with the time of that run."""
    place = sa.func.row_number().over(
        partition_by=[_reports.c.vendor, _reports.c.parent, _reports.c.vantage],
        order_by=[_reports.c.at.desc(), _reports.c.number.desc()],
    )
    ranked = _narrowed(
        sa.select(_reports.c.run, _reports.c.vendor, _reports.c.parent, _reports.c.vantage, _reports.c.at,
                  place.label("place")).where(_reports.c.parent != ""),
        _reports, names, until,
    ).subquery()  # fmt: skip
    last = sa.select(ranked).where(ranked.c.place == 1).subquery()
    return sa.select(last.c.vendor, last.c.parent, last.c.vantage, last.c.at, _reports.c.endpoint).join_from(
        last, _reports, (_reports.c.run == last.c.run) & (_reports.c.parent == last.c.parent)
    )


_REVIEW_FIELDS = tuple(field.name for field in dataclasses.fields(Review))


def _like(reviews: Sequence[Review]) -> Iterator[sa.ColumnElement[bool]]:
    """Of the vendors, sources and ids of these: all three, so that the index is used."""
    for name in ("vendor", "source", "id"):
        yield _reviews.c[name].in_(sorted({getattr(each, name) for each in reviews}))


def _every_version(like: Sequence[Review]) -> sa.Select[Any]:
    """Every row of reviews with the vendors, sources and ids of these."""
    return sa.select(*(_reviews.c[name] for name in _REVIEW_FIELDS)).where(*_like(like))


def _newest_reviews(like: Sequence[Review] | None = None) -> sa.Select[Any]:
    """The newest row of each review; ``like``: of reviews with the vendors, sources and ids of these."""
    newest = sa.select(sa.func.max(_reviews.c.number)).group_by(_reviews.c.vendor, _reviews.c.source, _reviews.c.id)
    if like is not None:
        newest = newest.where(*_like(like))
    return sa.select(*(_reviews.c[name] for name in _REVIEW_FIELDS)).where(_reviews.c.number.in_(newest))


# --- rows -------------------------------------------------------------------------------------------------------------


def _still_found(measured: Sequence[Row[Any]], runs: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """Measurements without those of hosts that the domain's newest run no longer led to.

    A look at the domain that failed says nothing while hosts found earlier have values; one that found the domain
    gone (a conclusive cause, newer than the hosts) takes their place.
    """
    hosts: dict[tuple[str, str, str], set[str]] = {}
    seen_at: dict[tuple[str, str, str], float] = {}
    for row in runs:
        place = (row.vendor, row.parent, row.vantage)
        hosts.setdefault(place, set()).add(row.endpoint)
        seen_at[place] = row.at
    domain_gone = {
        (row.vendor, row.endpoint, row.vantage)
        for row in measured
        if row.conclusive and row.at > seen_at.get((row.vendor, row.endpoint, row.vantage), math.inf)
    }
    for row in measured:
        as_parent = (row.vendor, row.endpoint, row.vantage)
        if as_parent in hosts:
            if as_parent in domain_gone and row.conclusive:
                yield row
            continue
        through = (row.vendor, row.parent, row.vantage)
        if row.parent and (through in domain_gone or row.endpoint not in hosts.get(through, ())):
            continue
        yield row


@functools.lru_cache(maxsize=4096)
def _versions(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(version)) for name, version in json.loads(text).items()))


@functools.lru_cache(maxsize=4096)
def _label(endpoint_json: str) -> str:
    return str(json.loads(endpoint_json).get("label", ""))


def _value(text: str | None) -> ObservedValue | None:
    if text is None:
        return None
    value = json.loads(text)
    return tuple(value) if isinstance(value, list) else value


def _measured(row: Row[Any]) -> Observation:
    return Observation(
        vendor=row.vendor,
        metric=row.metric,
        value=_value(row.value),
        kind="measured",
        source=f"probe {row.probe}",
        observed=row.observed,
        cause=row.cause,
        detail=row.detail,
        unit=row.unit,
        endpoint=row.endpoint,
        role=row.role,
        label=_label(row.endpoint_json),
        vantage=row.vantage,
        report=row.report,
        versions=_versions(row.versions),
        parent=row.parent,
    )


def _other(row: Row[Any]) -> Observation:
    record = json.loads(row.record)
    fields = {name: record[name] for name in _RECORD_FIELDS if name in record}
    kind: Kind = row.kind
    return Observation(
        vendor=row.vendor,
        metric=row.metric,
        value=_value(row.value),
        kind=kind,
        observed=row.observed,
        cause=row.cause,
        endpoint=row.endpoint,
        vantage=row.vantage,
        versions=tuple((name, version) for name, version in record.get("versions", ())),
        disputed=tuple((value, source, when) for value, source, when in record.get("disputed", ())),
        **fields,
    )


def _review(row: Row[Any]) -> Review:
    return Review(*tuple(row))  # the columns of _newest_reviews


def _storable_review(review: Review) -> Review:
    fields: dict[str, Any] = {name: getattr(review, name) for name in _REVIEW_FIELDS}
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = _clean(value)
    return Review(**fields)


# --- values on their way in -------------------------------------------------------------------------------------------


def _declared(metric: str) -> tuple[str, str]:
    """(probe, unit) of a metric as the registry of probes has it; for a stranger its first word and no unit."""
    first_word = metric.partition(".")[0]
    try:
        from probes import registry

        # The probe named like the metric first, so that no other need be imported.
        for name in sorted(registry.names(), key=lambda name: name != first_word):
            for declared in registry.probe(name).metrics:
                if declared.key == metric:
                    return name, declared.unit
    except ImportError:
        # A probe that can't be imported must not cost the others their results; the catalogue knows units too.
        return first_word, ""
    return first_word, ""


def _profile_key(endpoint: Endpoint) -> str:
    """Key of the profile's endpoint behind an MX host that was looked up through its domain; "" for others."""
    if endpoint.host and endpoint.domain:
        return Endpoint(role=endpoint.role, domain=endpoint.domain, port=endpoint.port).key
    return ""


def _storable(measurement: Measurement) -> Measurement:
    value = measurement.value
    if isinstance(value, float) and not math.isfinite(value):
        return Measurement.missing(measurement.metric, Cause.PROBE_BUG, "the probe's value is not a finite number")
    return measurement


def _conclusive(value: object, cause: str | None) -> int:
    return int(value is not None or cause in CONCLUSIVE_CAUSES)


def _json(value: object) -> str:
    # ASCII only: NUL and lone surrogates, which PostgreSQL's text refuses, travel as escapes.
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _clean(text: str) -> str:
    """Text without what a database's text can't hold (NUL, lone surrogates), shown as escapes instead."""
    return _UNSTORABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _seconds(when: str) -> float:
    then = moment(when)
    return UNDATED if then is None else then.timestamp()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _for_driver(url: URL) -> tuple[URL, dict[str, Any]]:
    """libpq's options in a URL as pg8000 wants them: a user, a password before the host, a TLS context."""
    query = dict(url.query)
    user, password = query.pop("user", None), query.pop("password", None)
    mode = str(query.pop("sslmode", "") or "")
    if mode not in ("", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"):
        raise StoreError(f"{masked(url.render_as_string())}: sslmode can be disable, require, verify-ca or verify-full")
    arguments: dict[str, Any] = {}
    if mode in ("require", "verify-ca", "verify-full"):
        context = ssl.create_default_context()
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        arguments["ssl_context"] = context
    url = url.set(
        query=query,
        username=url.username or (str(user) if user else getpass.getuser()),
        password=url.password or (str(password) if password else None),
    )
    return url, arguments


def _secrets(url: URL) -> list[str]:
    """Everything in a URL that must not show, to be blotted out of drivers' messages too."""
    found = [str(url.password)] if url.password else []
    for name, value in url.query.items():
        if "pass" in name.lower():
            found.extend([value] if isinstance(value, str) else value)
    return [secret for secret in found if secret]
