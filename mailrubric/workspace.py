"""A workspace: the folder with one team's settings, criteria, vendors and store, over the shipped catalogue."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailrubric.catalogue import checks, yamlfile
from mailrubric.catalogue.load import OWN, SETTINGS_FILE, check, load, read_settings
from mailrubric.catalogue.messages import CatalogueError, Problem, order, shown, suggestion
from mailrubric.catalogue.models import Settings
from probes.addresses import literal

if TYPE_CHECKING:
    from mailrubric.catalogue.catalogue import Catalogue
    from probes.network import Depth

STORE_FILE = "mailrubric.sqlite"
STORE_VARIABLE = "MAILRUBRIC_STORE"


def _and_parents(path: Path) -> set[Path]:
    return {path, *path.parents}


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
        self.broken_probes: list[Problem] = []
        """What is wrong with probes of this folder that are left out; known once the catalogue has been read."""

    @classmethod
    def open(cls, directory: Path | None = None) -> Workspace:
        """The workspace in ``directory`` (default: the current folder). Raises ``CatalogueError`` when there is no
        such folder or its ``mailrubric.yaml`` is at fault."""
        folder = (directory if directory is not None else Path.cwd()).absolute()
        if not folder.is_dir():
            raise CatalogueError([Problem(folder, 0, 0, "there is no such folder")])
        file = folder / SETTINGS_FILE
        return cls(folder, read_settings(file) if file.exists() else Settings())

    def folders(self) -> list[Path]:
        """Where criteria and vendors are read: the shipped ones first unless ``shipped`` is false; no folder twice."""
        shipped = shipped_folder()
        if not self.settings.shipped or shipped == self.directory.resolve():
            return [self.directory]
        return [shipped, self.directory]

    def catalogue(self) -> Catalogue:
        """The shipped catalogue with this folder's over it. Raises ``CatalogueError`` with every error of all files."""
        return self._catalogue

    @functools.cached_property
    def _catalogue(self) -> Catalogue:
        broken = self.broken_probes = self.add_probes()
        folders = self.folders()
        shipped = [] if self.settings.shipped_vendors else folders[:-1]  # the last one is this folder
        try:
            catalogue = load(folders, without_vendors=shipped)
        except CatalogueError as error:
            raise CatalogueError([*error.problems, *broken]) from None  # a criterion may lack just that probe's metric
        preset = self.settings.preset
        if preset and preset not in catalogue.presets:
            file = self.directory / SETTINGS_FILE
            line, column = yamlfile.read_file(file).position(("preset",))
            message = f"there is no preset {shown(preset)}{suggestion(preset, catalogue.presets)}"
            raise CatalogueError([Problem(file, line, column, message, "preset")])
        return catalogue

    def check(self, paths: Sequence[Path] = ()) -> list[Problem]:
        """Every problem of these files and folders, judged beside this workspace's catalogue; of the whole folder when
        none are named."""
        broken = self.add_probes()
        if not paths:
            broken += self._check_trials()
            if not any((self.directory / name).exists() for name in OWN):
                return broken  # no catalogue of its own: the shipped one as it is
            paths = [self.directory]
        else:
            chosen = {path.resolve() for path in paths}
            broken += self._check_trials() if any(map(self._holds_trials, chosen)) else []
            broken = [each for each in broken if chosen & {each.path.resolve(), *each.path.resolve().parents}]
            own = self.trials_folder().resolve()
            paths = [path for path in paths if path.suffix != ".py" and own not in _and_parents(path.resolve())]
        return sorted([*(check(paths, folders=self.folders()) if paths else ()), *broken], key=order)

    def trials_folder(self) -> Path:
        """Where surveys, trials and tickets are kept; it need not exist."""
        from mailrubric.trials.folder import FOLDER

        return self.directory / FOLDER

    def _holds_trials(self, path: Path) -> bool:
        """Whether a file or folder to check has to do with this folder's trials."""
        own = self.trials_folder().resolve()
        return path in _and_parents(own) or own in path.parents

    def _check_trials(self) -> list[Problem]:
        """Every problem of the files in ``trials/``, judged beside the catalogue; none while that cannot be read, since
        its own problems come first."""
        from mailrubric.trials.folder import read

        if not self.trials_folder().exists():
            return []
        try:
            catalogue = self.catalogue()
        except CatalogueError:
            return []
        return read(self.directory, {vendor.id: vendor.category for vendor in catalogue.vendors.values()})[1]

    def add_probes(self) -> list[Problem]:
        """Make the Python probes of this folder's ``probes/`` known; what is wrong with those that do not work. This
        runs the folder's code, which is why no other folder's is ever run. Reading the catalogue does it too, since
        criteria may use their metrics."""
        from probes import registry
        from probes.replies import printable

        _, broken = registry.add_folder(self.directory / "probes")
        return [Problem(each.path, each.line, 1 if each.line else 0, printable(each.message, 300)) for each in broken]

    def fingerprint(self) -> tuple[tuple[str, int, int], ...]:
        """Path, time of change (ns) and size of every file the catalogue and the settings come from: when it differs,
        open the workspace anew."""
        found = []
        for path in (self.directory / SETTINGS_FILE, *self.files(), *self.own_probes()):
            try:
                status = path.stat()
            except OSError:
                continue  # removed since it was listed, or never there
            found.append((str(path), status.st_mtime_ns, status.st_size))
        return tuple(found)

    def files(self) -> list[Path]:
        """The criteria, preset and vendor files of all folders that are read."""
        patterns = ("criteria/*.yaml", "criteria/presets/*.yaml", "vendors/*.yaml")
        return [path for folder in self.folders() for pattern in patterns for path in sorted(folder.glob(pattern))]

    def own_probes(self) -> list[Path]:
        """The files of this folder that are to give a probe."""
        from probes import registry

        return registry.own_files(self.directory / "probes")

    def store_url(self) -> str:
        """SQLAlchemy URL of the store: ``MAILRUBRIC_STORE`` from the environment, the ``store`` setting, or the SQLite
        file of this folder. It may hold a password: print ``store_label`` instead. A relative SQLite path is of this
        folder."""
        url = os.environ.get(STORE_VARIABLE, "").strip() or self.settings.store
        if not url:
            return f"sqlite:///{self.directory / STORE_FILE}"
        relative = re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:|[A-Za-z]:)([^?]+)(.*)", url)
        if relative:
            scheme, path, query = relative.groups()
            return f"{scheme}{self.directory / path}{query}"
        return url

    def store_label(self) -> str:
        """``store_url`` without its password and without options, for people."""
        # All up to the last @, since a password may hold any character, before the options are cut off at the first ?.
        return re.sub(r"^([^:]+://).*@", r"\1…@", self.store_url(), flags=re.DOTALL).partition("?")[0]

    def network_options(self, depth: Depth | None = None) -> dict[str, Any]:
        """Keyword arguments for ``probes.network.Options``, as ``mailrubric.yaml`` sets them. ``depth``: instead of the
        workspace's. A deadline that it does not set is the default of that depth."""
        from probes.network import DEADLINES, Limits

        settings = self.settings
        depth = depth or settings.depth
        deadline = settings.deadline if "deadline" in settings.model_fields_set else DEADLINES[depth]
        return {
            "limits": Limits(deadline=deadline),
            "depth": depth,
            "allow_private": settings.allow_private,
            "resolver": checks.split_resolver(settings.resolver) if settings.resolver else None,
            "ca_file": str(self.directory / settings.ca) if settings.ca else None,
            "ehlo_name": settings.ehlo,
            "vantage": settings.vantage,
        }

    def own_server_options(self) -> dict[str, Any]:
        """Further arguments for a run that asks for what is intrusive on servers of one's own. ``network_options``
        leaves them out: it takes both, the settings and the run."""
        settings = self.settings
        names = (name.lower().removesuffix(".") for name in settings.own_servers)
        return {
            "own_servers": frozenset(str(literal(name) or name) for name in names),
            "own_server_recipient": settings.own_server_recipient,
        }
