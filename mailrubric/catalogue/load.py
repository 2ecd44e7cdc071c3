"""Reads criteria, presets, vendors and settings from YAML; every error of every file in one run."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from mailrubric.catalogue.catalogue import Catalogue, overlay
from mailrubric.catalogue.messages import CatalogueError, Problem
from mailrubric.catalogue.models import CriteriaFile, Model, Preset, Settings, Vendor
from probes.model import Metric

M = TypeVar("M", bound=Model)

__all__ = [
    "Catalogue",
    "CatalogueError",
    "Problem",
    "check",
    "known_metrics",
    "load",
    "parse_criteria",
    "read_settings",
]


def known_metrics() -> dict[str, Metric]:
    """Every metric that the installed probes can yield, by key."""
    import probes

    found: dict[str, Metric] = {}
    for module in pkgutil.iter_modules(probes.__path__, "probes."):
        for item in vars(importlib.import_module(module.name)).values():
            metrics = getattr(item, "metrics", None)
            if isinstance(metrics, tuple) and hasattr(item, "measure"):
                found.update({metric.key: metric for metric in metrics if isinstance(metric, Metric)})
    return dict(sorted(found.items()))


def _text(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            {True: "yes", False: "no"}.get(key, str(key)) if isinstance(key, bool) else str(key): (
                str(value) if key == "as_of" else _text(value)
            )
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [_text(item) for item in data]
    return data


def _read(path: Path, model: type[M], problems: list[Problem]) -> M | None:
    try:
        return model.model_validate(_text(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except (yaml.YAMLError, ValidationError, OSError, UnicodeDecodeError) as error:
        problems.append(Problem(path, 0, 0, str(error)))
        return None


def load(folders: Sequence[Path]) -> Catalogue:
    """The catalogue of these folders, later ones over earlier ones."""
    problems: list[Problem] = []
    catalogue = Catalogue(metrics=known_metrics())
    vendors: dict[str, Vendor] = {}
    presets: dict[str, Preset] = {}
    paths: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((folder / "criteria").glob("*.yaml")):
            criteria = _read(path, CriteriaFile, problems)
            if criteria is not None:
                catalogue = overlay(catalogue, criteria, path)
        for path in sorted((folder / "criteria" / "presets").glob("*.yaml")):
            preset = _read(path, Preset, problems)
            if preset is not None:
                presets[preset.id] = preset
                paths[f"preset:{preset.id}"] = path
        for path in sorted((folder / "vendors").glob("*.yaml")):
            vendor = _read(path, Vendor, problems)
            if vendor is not None:
                vendors[vendor.id] = vendor
                paths[f"vendor:{vendor.id}"] = path
    if problems:
        raise CatalogueError(problems)
    return Catalogue(
        groups=catalogue.groups,
        criteria=catalogue.criteria,
        group_of=catalogue.group_of,
        facts=catalogue.facts,
        metrics=catalogue.metrics,
        vendors=dict(sorted(vendors.items())),
        presets=dict(sorted(presets.items())),
        paths={**catalogue.paths, **paths},
    )


def check(paths: Sequence[Path]) -> list[Problem]:
    """Every problem of these files or folders."""
    try:
        load(paths)
    except CatalogueError as error:
        return error.problems
    return []


def parse_criteria(text: bytes, name: str, context: Catalogue) -> tuple[CriteriaFile | None, list[Problem]]:
    """A criteria file that is not saved yet, judged in the context of a catalogue."""
    try:
        return CriteriaFile.model_validate(_text(yaml.safe_load(text))), []
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        return None, [Problem(Path(name), 0, 0, str(error))]


def read_settings(path: Path) -> Settings:
    """``mailrubric.yaml``; ``CatalogueError`` when it is at fault."""
    problems: list[Problem] = []
    settings = _read(path, Settings, problems)
    if settings is None:
        raise CatalogueError(problems)
    return settings
