"""What the commands ``survey``, ``trial`` and ``support`` share: the files of ``trials/``, vendors and times."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailrubric.cli.terminal import Failure, Usage

if TYPE_CHECKING:
    from mailrubric.catalogue.catalogue import Catalogue
    from mailrubric.trials.folder import Trials
    from mailrubric.trials.intervals import Estimate


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A workspace's folder, its catalogue and what its ``trials/`` hold."""

    directory: Path
    catalogue: Catalogue
    trials: Trials

    @property
    def folder(self) -> Path:
        """``trials/``."""
        return self.trials.folder

    def shown(self, path: Path) -> str:
        """A path for people."""
        from mailrubric.catalogue.messages import shown_path

        return shown_path(path)


def opened(workspace: Path | None, vendors: Sequence[str] = ()) -> Place:
    """The files of a workspace. A failure with every fault when one cannot be used, and for a vendor that is none."""
    from mailrubric.cli.catalogue import choose, read_catalogue
    from mailrubric.cli.workspace import catalogue_faults, open_workspace
    from mailrubric.trials.folder import of_workspace

    place = open_workspace(workspace)
    catalogue = read_catalogue(place)
    if vendors:
        choose(catalogue, vendors)
    with catalogue_faults():
        return Place(place.directory, catalogue, of_workspace(place.directory, catalogue))


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """What keeps a file from being written, for people."""
    from mailrubric.trials.table import TableError

    try:
        yield
    except ValueError as error:
        raise Usage(str(error)) from error
    except TableError as error:
        raise Failure(f"nothing was written: {error}", 1) from error
    except OSError as error:
        raise Usage(f"nothing was written: {error.filename or 'the file'}: {error.strerror or error}") from error


def time_of(text: str | None, option: str) -> datetime | None:
    """A time given with an option, ``now`` included."""
    from mailrubric.trials.support import instant

    if text is None:
        return None
    if text == "now":
        return now()
    try:
        return instant(text)
    except ValueError as error:
        raise Usage(f"{option}: {error}, or now") from error


def now() -> datetime:
    """To the second."""
    return datetime.now(UTC).replace(microsecond=0)


def chosen(vendors: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Those of the vendors of which something is known: all, or those that were named."""
    return [vendor for vendor in known if not vendors or vendor in vendors]


def estimate_json(found: Estimate | None) -> dict[str, Any] | None:
    """A figure with its interval for programs."""
    return None if found is None else dataclasses.asdict(found)
