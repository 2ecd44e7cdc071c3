"""A workspace: the folder with one team's settings, criteria, vendors and store, over the shipped catalogue."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailrubric.catalogue.load import check, load, read_settings
from mailrubric.catalogue.messages import CatalogueError, Problem
from mailrubric.catalogue.models import Settings

if TYPE_CHECKING:
    from mailrubric.catalogue.catalogue import Catalogue

SETTINGS_FILE = "mailrubric.yaml"
STORE_FILE = "mailrubric.sqlite"
STORE_VARIABLE = "MAILRUBRIC_STORE"


def shipped_folder() -> Path:
    """The folder with the shipped ``criteria/`` and ``vendors/``: the repository in a checkout, else the wheel's."""
    package = Path(__file__).resolve().parent
    checkout = package.parent
    if all((checkout / name).exists() for name in ("pyproject.toml", "criteria", "vendors")):
        return checkout
    return package / "shipped"


class Workspace:
    """One workspace. Made by ``open``; the catalogue is read at the first use and kept."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self.settings = settings

    @classmethod
    def open(cls, directory: Path | None = None) -> Workspace:
        """The workspace in ``directory`` (default: the current folder). ``CatalogueError`` when there is no such
        folder or its ``mailrubric.yaml`` is at fault."""
        folder = (directory if directory is not None else Path.cwd()).absolute()
        if not folder.is_dir():
            raise CatalogueError([Problem(folder, 0, 0, "there is no such folder")])
        file = folder / SETTINGS_FILE
        return cls(folder, read_settings(file) if file.exists() else Settings())

    @functools.cached_property
    def _catalogue(self) -> Catalogue:
        return load(self.folders())

    def folders(self) -> list[Path]:
        """Where criteria and vendors are read, the shipped ones first; no folder twice."""
        folders: list[Path] = []
        if self.settings.shipped:
            folders.append(shipped_folder())
        if self.directory not in folders:
            folders.append(self.directory)
        return folders

    def catalogue(self) -> Catalogue:
        """The shipped catalogue with this folder's over it. ``CatalogueError`` with every fault of every file."""
        return self._catalogue

    def check(self, paths: Sequence[Path] = ()) -> list[Problem]:
        """Every problem of these files or folders; of the whole workspace when none are named."""
        return check(paths or [self.directory])

    def store_url(self) -> str:
        """SQLAlchemy URL of the store. May hold a password when it came from the environment: never print it."""
        return os.environ.get(STORE_VARIABLE, "") or self.settings.store or f"sqlite:///{self.directory / STORE_FILE}"

    def network_options(self) -> dict[str, Any]:
        """Keyword arguments for ``probes.network.Options``."""
        from probes.network import Limits

        settings = self.settings
        resolver: tuple[str, int] | None = None
        if settings.resolver:
            host, _, port = settings.resolver.rpartition(":")
            resolver = (host.strip("[]"), int(port))
        return {
            "limits": Limits(deadline=settings.deadline),
            "allow_private": settings.allow_private,
            "resolver": resolver,
            "ca_file": str(self.directory / settings.ca) if settings.ca else None,
            "ehlo_name": settings.ehlo,
            "vantage": settings.vantage,
        }
