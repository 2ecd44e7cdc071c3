"""Files are written whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mailrubric import files


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "card.csv"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_writers_one_wins_and_the_other_is_told(tmp_path):
    path = tmp_path / "card.csv"
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def write(data: bytes) -> None:
        start.wait()
        try:
            files.write_new(path, data)
            outcomes.append("wrote")
        except FileExistsError:
            outcomes.append("refused")

    threads = [threading.Thread(target=write, args=(text,)) for text in (b"a" * 9, b"b" * 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "wrote"]
    assert path.read_bytes() in (b"a" * 9, b"b" * 9)


def test_a_file_has_the_usual_rights(tmp_path):
    files.write_new(tmp_path / "card.csv", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "card.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_replaced_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    files.replace(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o600


def test_a_new_file_never_takes_the_name_of_a_link_to_nothing(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        files.write_new(tmp_path / "link", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_where_there_are_no_hard_links_nothing_is_overwritten_either(tmp_path, monkeypatch):
    def none_here(_self: Path, _target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", none_here)
    path = files.write_new(tmp_path / "made" / "card.csv", b"one")
    with pytest.raises(FileExistsError):
        files.write_new(path, b"two")
    assert path.read_bytes() == b"one"
