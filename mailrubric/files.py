"""Writing files whole or not at all: nobody ever reads half of one. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_new(path: Path, content: bytes) -> Path:
    """Write a file that must not exist yet, in a folder that is made when it is missing; gives ``path``. Of two who do
    so at once, one wins. Raises ``FileExistsError`` and ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _complete(path, content) as temporary:
        temporary.chmod(_usual_mode())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise _taken(path) from None
        except OSError:  # no hard links here (FAT, some network drives)
            if os.path.lexists(path):
                raise _taken(path) from None
            temporary.rename(path)
    return path


def replace(path: Path, content: bytes) -> None:
    """Write a file that may exist: it keeps its mode, and a link stays a link. Raises ``OSError``."""
    target = path.resolve()
    with _complete(target, content) as temporary:
        temporary.chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else _usual_mode())
        temporary.replace(target)


@contextlib.contextmanager
def _complete(path: Path, content: bytes) -> Iterator[Path]:
    """A hidden file beside ``path`` that holds all of ``content``; gone afterwards unless it was renamed."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    except OSError as error:
        error.filename = str(path)  # the one that people know
        raise
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _taken(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _usual_mode() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
