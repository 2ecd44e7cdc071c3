"""What a run of ``mailrubric probe --target … --json`` reported, compared with what a test predicts."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from probes.model import Cause

Expected = bool | int | float | str | set[str] | Cause
"""A value (a set for sets) or the cause why there is none."""


@dataclasses.dataclass(frozen=True)
class Reported:
    """One report as JSON, and the exit code of the command that printed it."""

    document: dict[str, Any]
    exit_code: int

    @property
    def found(self) -> dict[str, Expected]:
        """Metric → its value, or its cause."""
        found: dict[str, Expected] = {}
        for each in self.document["measurements"]:
            value, cause = each["value"], each["cause"]
            assert (value is None) != (cause is None), each
            found[each["metric"]] = Cause(cause) if value is None else set(value) if isinstance(value, list) else value
        return found

    def of(self, group: str) -> dict[str, Expected]:
        """The metrics whose key begins with ``group`` and a dot."""
        return {metric: value for metric, value in self.found.items() if metric.startswith(group + ".")}

    def detail(self, metric: str) -> str:
        """The words beside a metric."""
        return next(str(each["detail"]) for each in self.document["measurements"] if each["metric"] == metric)

    @property
    def transcript(self) -> str:
        """The transcript as text, for the messages of failed tests."""
        return "\n".join(
            f"{step['ms']:9.1f} {step['connection']} {step['direction']:4} {step['text']}"
            for step in self.document["transcript"]
        )

    def other(self, number: int) -> Reported:
        """The report on a further MX host."""
        return Reported(self.document["also"][number], self.exit_code)

    def check(self, expected: Mapping[str, Expected]) -> None:
        """Every expected metric has the predicted value or cause; all differences in one message."""
        found = self.found
        wrong = [
            f"{metric}: predicted {wanted!r}, reported {found.get(metric)!r}"
            + (f" ({self.detail(metric)})" if metric in found else "")
            for metric, wanted in expected.items()
            if metric not in found
            or found[metric] != wanted
            or isinstance(found[metric], bool) != isinstance(wanted, bool)
            or isinstance(found[metric], Cause) != isinstance(wanted, Cause)
        ]
        assert not wrong, "\n".join([*wrong, "", self.transcript])

    def check_no_bug(self) -> None:
        """Nothing was our own fault."""
        bugs = [f"{metric}: {self.detail(metric)}" for metric, value in self.found.items() if value is Cause.PROBE_BUG]
        assert not bugs, "\n".join([*bugs, "", self.transcript])


def run(target: str, *options: str) -> Reported:
    """Probe a target by the command line, as a person would."""
    command = [sys.executable, "-m", "mailrubric", "probe", "--target", target, "--json", "--allow-private", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode in {0, 3}, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    document = json.loads(done.stdout)
    assert document["version"] == 1
    reported = Reported(document, done.returncode)
    reported.check_no_bug()
    return reported
