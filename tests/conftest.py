"""What all tests share: no skip goes unnoticed in CI, and a PostgreSQL server for those that ask for one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import needs, postgresql, starvation

SPREAD = {
    "tests/hostile/test_fault_matrix.py",
    "tests/hostile/test_mutated_replies.py",
    "tests/mailrubric/reviews/test_hostile_files.py",
}
"""Files whose tests share nothing, so that any worker may run any of them."""


def pytest_configure(config: pytest.Config) -> None:
    """Tests that failed while the machine stood still get another turn."""
    config.pluginmanager.register(starvation.Plugin(), "starvation")


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not needs.in_ci() or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(needs.MACHINE):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything should be installed: {reason}"


class FileByFile(LoadScopeScheduling):
    """Keeps a file's tests in one worker, so that what they share is set up once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file in SPREAD else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile:
    """How tests are shared out between the workers of pytest-xdist. (Its own ``--dist loadgroup`` does nothing beside
    pytest 9.2, where the name of a test can no longer be changed.)"""
    return FileByFile(config, log)


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
