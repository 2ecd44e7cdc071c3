"""What all tests share: no skip goes unnoticed in CI, and a PostgreSQL server for those that ask for one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests import needs, postgresql


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not needs.in_ci() or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(needs.MACHINE):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything should be installed: {reason}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one worker, so that what they share is set up once; files that share nothing say so with
    ``pytestmark = pytest.mark.spread``."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and item.get_closest_marker("spread") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """In CI a skipped test is a failed test."""
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """In CI a skipped test file is a failed one."""
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """SQLAlchemy's URL of a PostgreSQL database for tests: the environment's, or a cluster started for this run."""
    given = os.environ.get(postgresql.VARIABLE)
    if given:
        yield given
        return
    if postgresql.programs() is None:
        needs.lacking("PostgreSQL's server programs are not installed (Debian package postgresql)")
    with postgresql.cluster() as url:
        yield url
