"""Recordings of real servers: the replay of each measures the same to the microsecond."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile import record_replies

pytestmark = pytest.mark.real


def test_every_replay_measures_what_the_live_run_did(tmp_path: Path) -> None:
    assert record_replies.main(tmp_path / "kept") == []
    assert len(list((tmp_path / "kept").glob("*.json"))) == 14
