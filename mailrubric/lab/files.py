"""The folder that the lab writes: a workspace that points at its servers. Never a user's own file is overwritten."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import yaml

from mailrubric.files import replace
from mailrubric.lab.servers import LabError

MARKER = ".mailrubric-lab.json"
"""Says that a folder is the lab's, which files in it the lab wrote (with their hashes), and the ports it had."""
_HEADER = """\
# Written by `mailrubric lab`, and written anew at each start. Put your own criteria and vendors into files of your own.
"""


class Folder:
    """The lab's folder, held by one running lab at a time."""

    def __init__(self, directory: Path) -> None:
        """Take the folder. Raises ``LabError`` when it holds files of others or another lab runs over it."""
        self.directory = directory.absolute()
        marker = self.directory / MARKER
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not marker.exists():
                strangers = sorted(path.name for path in self.directory.iterdir())
                if strangers:
                    shown = ", ".join(strangers[:3]) + (" …" if len(strangers) > 3 else "")
                    raise LabError(
                        f"{directory} holds files that the lab did not write ({shown}); name an empty or new folder"
                    )
            self._marker: TextIO = marker.open("a+", encoding="utf-8")
        except OSError as error:
            raise LabError(f"{directory} cannot be the lab's folder: {error.strerror}") from error
        if not _lock(self._marker):
            self._marker.close()
            raise LabError(f"a lab is already running over {directory}")
        self._marker.seek(0)
        self._state = _read_state(self._marker.read())
        self.notes: list[str] = []

    @property
    def former_ports(self) -> dict[str, int]:
        """``host/service`` → port, of the last run over this folder: with the same ports, evidence in the store stays
        evidence of the same endpoints."""
        ports: dict[str, int] = self._state["ports"]
        return ports

    def write(self, files: Mapping[str, bytes], ports: Mapping[str, int]) -> None:
        """Write the workspace. A file that someone edited since is kept beside it as ``.bak`` (see ``notes``).

        Raises ``LabError``.
        """
        hashes: dict[str, str] = self._state["files"]
        try:
            for name, content in files.items():
                path = self.directory / name
                path.parent.mkdir(exist_ok=True)
                if path.exists() and _digest(path.read_bytes()) not in (hashes.get(name), _digest(content)):
                    kept = _unused(path)
                    path.rename(kept)
                    self.notes.append(f"{name} had been edited: kept as {kept.name}")
                replace(path, content)
            for name in hashes.keys() - files.keys():  # of vendors that this lab no longer has
                path = self.directory / name
                if path.exists() and _digest(path.read_bytes()) == hashes[name]:
                    path.unlink()
            state = {"ports": dict(ports), "files": {name: _digest(content) for name, content in files.items()}}
            self._marker.seek(0)
            self._marker.truncate()
            json.dump(state, self._marker, indent=1)
            self._marker.flush()
        except OSError as error:
            raise LabError(f"the lab's workspace cannot be written: {error}") from error

    def release(self) -> None:
        """Let another lab have the folder. What was written stays."""
        self._marker.close()


def as_yaml(data: Any, *, comment: str = "") -> bytes:
    """A YAML file with the lab's header."""
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    # The same by libyaml, ten times faster, where PyYAML was built with it.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    return (_HEADER + lines + text).encode("utf-8")


def _lock(file: TextIO) -> bool:
    """Whether we now hold the file. The system lets it go when we close it or die."""
    if sys.platform == "win32":
        return True  # no advisory locks there; the ports still keep two labs apart
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read_state(text: str) -> dict[str, Any]:
    """The marker's content; empty when it is new, or was cut short by a crash."""
    try:
        state = json.loads(text)
        ports = {str(name): int(port) for name, port in state["ports"].items()}
        files = {str(name): str(digest) for name, digest in state["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"ports": {}, "files": {}}
    return {"ports": {name: port for name, port in ports.items() if 0 < port < 65536}, "files": files}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unused(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.bak{'' if number == 1 else number}")).exists():
        number += 1
    return kept
