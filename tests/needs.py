"""What a test needs beyond Python: said in one place, so that it is a skip on a bare machine and a failure in CI.

A test that is skipped where everything should be installed is a test that nobody runs. ``tests/conftest.py`` therefore
turns every skip into a failure when ``CI=true``, apart from those made by ``machine_cannot``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

MACHINE = "this machine cannot: "
"""How the reason of a skip begins that is in order in CI too."""

CACHE = Path(
    os.environ.get("MAILRUBRIC_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailrubric-tests"
)
"""Where ``.ci/run`` unpacks servers that can't be installed beside the others (Exim, Haraka)."""

# Servers and their tools lie where a user's PATH does not always look.
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def in_ci() -> bool:
    """Whether everything that a test may need has to be here."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def lacking(reason: str) -> NoReturn:
    """The test can't run here: a skip on a person's machine, a failure in CI."""
    if in_ci():
        pytest.fail(f"missing in CI: {reason}", pytrace=False)
    pytest.skip(reason)


def machine_cannot(reason: str) -> NoReturn:
    """A skip that is in order everywhere: the kernel or the network of this machine lacks something."""
    pytest.skip(MACHINE + reason)


def find(program: str) -> str | None:
    """The path of a program on PATH, in the folders of system programs, or None."""
    return shutil.which(program, path=SYSTEM_PATH)


def require(program: str, package: str = "") -> str:
    """The path of ``program``; without it the test is skipped, in CI failed. ``package``: Debian's name for it."""
    path = find(program)
    if path is None:
        lacking(f"{program} is not installed" + (f" (Debian package {package})" if package else ""))
    return path


def require_root() -> None:
    """Servers that drop privileges themselves have to be started by root."""
    if os.geteuid() != 0:
        lacking("the server has to be started by root")
