"""Catalogue, store and evaluation as commands need them, with every failure turned into words."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import read_judgement
from mailrubric.catalogue.models import Weights
from mailrubric.cli.terminal import Usage
from mailrubric.cli.workspace import catalogue_faults, open_workspace
from mailrubric.evidence.observation import Observation
from mailrubric.evidence.store import Store, StoreError
from mailrubric.evidence.times import moment
from mailrubric.workspace import Workspace

if TYPE_CHECKING:
    from mailrubric.frozen import Inputs
    from mailrubric.scoring.evaluation import Evaluation, VendorScore

CATEGORIES = ("esp", "marketing", "mailbox", "self-hosted")


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What the options of ``score``, ``explain`` and ``export`` say."""

    workspace: Path | None = None
    vendors: Sequence[str] = ()
    categories: Sequence[str] = ()
    all_categories: bool = False
    preset: str | None = None
    weights: Path | None = None
    minimum_coverage: float | None = None
    as_of: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """An evaluation with what it was made from. ``workspace``: None for a frozen scorecard. ``categories``: those it
    was limited to; empty for all."""

    workspace: Workspace | None
    catalogue: Catalogue
    evaluation: Evaluation
    categories: tuple[str, ...]


def read_catalogue(workspace: Workspace) -> Catalogue:
    """Its catalogue; a failure that lists every fault."""
    with catalogue_faults():
        return workspace.catalogue()


@contextlib.contextmanager
def store_of(workspace: Workspace) -> Iterator[Store]:
    """Its store, closed at the end. What goes wrong with it on the way is a failure with exit code 2."""
    try:
        with Store(workspace.store_url()) as store:
            yield store
    except StoreError as error:
        raise Usage(f"the evidence store cannot be used: {error}") from error


def store_words(workspace: Workspace) -> str:
    """Where the evidence is kept: a file's path, or the database's address without its password."""
    label = workspace.store_label()
    return label.removeprefix("sqlite:///") if label.startswith("sqlite:////") else label


def choose(
    catalogue: Catalogue, vendors: Sequence[str], categories: Sequence[str] = (), *, lab_too: bool = False
) -> list[str]:
    """Ids of the vendors meant: those named, else all of the categories; a usage failure for what does not exist.

    Lab vendors stand beside real ones only when named: a catalogue's own are taken when it has no others.
    """
    for vendor in vendors:
        if vendor not in catalogue.vendors:
            raise Usage(f"no vendor has the id {vendor}{_meant(vendor, catalogue.vendors)}")
    for category in categories:
        if category not in CATEGORIES:
            raise Usage(f"no such category: {category}; there are {', '.join(CATEGORIES)}")
    if vendors:
        return [name for name in dict.fromkeys(vendors) if not categories or _in(catalogue, name, categories)]
    found = [name for name in catalogue.vendors if not categories or _in(catalogue, name, categories)]
    real = [name for name in found if not catalogue.vendors[name].lab]
    return found if lab_too or not real else real


def gather(choice: Choice) -> tuple[Workspace, Catalogue, Inputs, tuple[str, ...]]:
    """What was chosen, ready to be evaluated; the categories it was limited to."""
    from mailrubric.frozen import inputs

    workspace = open_workspace(choice.workspace)
    catalogue = read_catalogue(workspace)
    preset = choice.preset if choice.preset is not None else workspace.settings.preset or None
    if preset is not None and preset not in catalogue.presets:
        raise Usage(
            f"no preset has the id {preset}{_meant(preset, catalogue.presets)}"
            f"; there are {', '.join(catalogue.presets) or 'none'}"
        )
    categories = tuple(choice.categories)
    if preset is not None and not (categories or choice.vendors or choice.all_categories):
        categories = tuple(catalogue.presets[preset].categories)
    vendors = choose(catalogue, choice.vendors, categories)
    if not vendors:
        raise Usage("no vendor is left to score; widen the choice with --category or --all")
    weights = _weights(choice.weights, catalogue)
    as_of = parse_as_of(choice.as_of)
    minimum = choice.minimum_coverage if choice.minimum_coverage is not None else workspace.settings.minimum_coverage
    given = inputs(
        catalogue,
        _observations(workspace, vendors, as_of),
        vendors=vendors,
        preset=preset,
        weights=weights,
        as_of=as_of,
        minimum_coverage=minimum,
    )
    return workspace, catalogue, given, categories


def score(choice: Choice) -> Scored:
    """Evaluate what was chosen."""
    workspace, catalogue, given, categories = gather(choice)
    return Scored(workspace, catalogue, evaluated(given), categories)


def evaluated(given: Inputs) -> Evaluation:
    """The evaluation; a usage failure when the weights define none."""
    from mailrubric.scoring.evaluate import ScoringError, WeightError

    try:
        return given.evaluate()
    except (ScoringError, WeightError) as error:
        raise Usage(str(error)) from error


def explained(vendor: str, choice: Choice) -> tuple[Scored, VendorScore]:
    """The evaluation of what was chosen with this vendor in it, and the vendor's line: its rank is among the others."""
    workspace = open_workspace(choice.workspace)
    catalogue = read_catalogue(workspace)
    choose(catalogue, (vendor,))
    preset = choice.preset if choice.preset is not None else workspace.settings.preset or None
    categories: Sequence[str] = choice.categories
    if not categories and not choice.all_categories and preset is not None and preset in catalogue.presets:
        categories = catalogue.presets[preset].categories
    others = [name for name in choose(catalogue, (), categories) if name != vendor]
    scored = score(dataclasses.replace(choice, vendors=(vendor, *others), categories=()))
    line = next(line for line in scored.evaluation.vendors if line.id == vendor)
    return dataclasses.replace(scored, categories=tuple(categories)), line


def parse_as_of(text: str | None, option: str = "--as-of") -> datetime.datetime:
    """``--as-of``, or another option of its kind: a date means the end of that day in UTC; None means now, to the
    second."""
    if text is None:
        return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    when = moment(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ].+)?", text) else None
    if when is None:
        raise Usage(f"{option}: {text!r} is not a date such as 2026-11-22 or 2026-11-22T10:00:00Z")
    return when.replace(hour=23, minute=59, second=59) if len(text) == 10 else when


def nothing_stored(workspace: Workspace) -> bool:
    """Whether its store is a file that does not exist yet: looking must not make it."""
    url = workspace.store_url()
    return url.startswith("sqlite:////") and "?" not in url and not Path(url.removeprefix("sqlite:///")).exists()


def _observations(workspace: Workspace, vendors: Sequence[str], as_of: datetime.datetime) -> Sequence[Observation]:
    """What is stored, and what the files of the trials say; looking never makes a store."""
    from mailrubric.evidence.everything import observations

    with catalogue_faults():
        if nothing_stored(workspace):
            return observations(workspace, None, vendors, as_of)
        with store_of(workspace) as store:
            return observations(workspace, store, vendors, as_of)


def _weights(path: Path | None, catalogue: Catalogue) -> Weights | None:
    if path is None:
        return None
    if not path.is_file():
        raise Usage(f"--weights: there is no file {path}")
    from mailrubric.scoring.people import judged

    with catalogue_faults():
        return judged(read_judgement(path, catalogue), catalogue)


def _in(catalogue: Catalogue, vendor: str, categories: Sequence[str]) -> bool:
    return catalogue.vendors[vendor].category in categories


def _meant(word: str, known: Sequence[str] | dict[str, Any]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
