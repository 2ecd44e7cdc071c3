"""Reads criteria, presets, vendors and settings from YAML; every error of every file in one run.

A file with a fault is still looked at piece by piece, so that one bad criterion hides no other; and what a faulty file
declares counts as declared, so that one fault is not reported again by everything that relies on it.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from mailrubric.catalogue import checks, yamlfile
from mailrubric.catalogue.catalogue import Catalogue, overlay
from mailrubric.catalogue.messages import (
    CatalogueError,
    Finding,
    Problem,
    findings_of,
    listed,
    order,
    place,
    shown,
    shown_path,
)
from mailrubric.catalogue.models import (
    CriteriaFile,
    Criterion,
    DomainEndpoint,
    EndpointBase,
    Fact,
    FactDeclaration,
    Group,
    Judgement,
    MailEndpoint,
    Model,
    MXEndpoint,
    Plan,
    Preset,
    Settings,
    Sourced,
    Vendor,
    WebEndpoint,
    Weights,
)
from mailrubric.catalogue.yamlfile import Document, Location, YAMLFault
from mailrubric.files import write_new
from probes import registry
from probes.model import Metric

__all__ = [
    "Catalogue",
    "CatalogueError",
    "Problem",
    "check",
    "examine",
    "judgements_of",
    "known_metrics",
    "load",
    "parse_criteria",
    "read_judgement",
    "read_settings",
    "save_criteria",
]

Kind = Literal["criteria", "preset", "vendor", "settings", "weights"]
M = TypeVar("M", bound=Model)

SETTINGS_FILE = "mailrubric.yaml"
EVALUATIONS = "evaluations"
"""The folder of a workspace that holds one file of weights for each evaluator."""
_MODELS: dict[Kind, type[Model]] = {
    "criteria": CriteriaFile,
    "preset": Preset,
    "vendor": Vendor,
    "settings": Settings,
    "weights": Judgement,
}
_FOLDERS: tuple[tuple[Kind, str], ...] = (
    ("criteria", "criteria"),
    ("preset", "criteria/presets"),
    ("vendor", "vendors"),
    ("weights", EVALUATIONS),
)
OWN = ("criteria", "vendors", EVALUATIONS, SETTINGS_FILE)
"""What makes a folder a workspace, as far as this module reads it."""
_ENDPOINTS: dict[str, type[EndpointBase]] = {
    "submission": MailEndpoint,
    "mx": MXEndpoint,
    "imap": MailEndpoint,
    "pop3": MailEndpoint,
    "sieve": MailEndpoint,
    "domain": DomainEndpoint,
    "sending": DomainEndpoint,
    "api": WebEndpoint,
    "status": WebEndpoint,
    "web": WebEndpoint,
}


# --- public -----------------------------------------------------------------------------------------------------------


def load(folders: Sequence[Path], *, without_vendors: Collection[Path] = ()) -> Catalogue:
    """The catalogue of these folders, each with ``criteria/``, ``criteria/presets/`` and ``vendors/`` (any may be
    absent). Later folders extend earlier ones and replace by id; a group's file is merged with the group of that id.

    ``without_vendors``: folders whose vendors are left out. Raises ``CatalogueError`` with every error; warnings are
    in ``Catalogue.warnings``.
    """
    catalogue, problems = examine(folders, without_vendors=without_vendors)
    if any(problem.severity == "error" for problem in problems):
        raise CatalogueError(problems)
    return catalogue


def examine(folders: Sequence[Path], *, without_vendors: Collection[Path] = ()) -> tuple[Catalogue, list[Problem]]:
    """Like ``load``, but with all problems instead of an exception; the catalogue is made of the files without errors
    of form."""
    layers = [_read_folder(folder, with_vendors=folder not in without_vendors) for folder in folders]
    return _assemble(layers)


def check(paths: Sequence[Path], *, folders: Sequence[Path] | None = None) -> list[Problem]:
    """Every problem of these files and folders, sorted.

    A file or folder in a ``criteria/``, ``vendors/`` or ``evaluations/`` is judged beside its neighbours, and all of
    them beside the catalogue of ``folders`` (default: the shipped one), whose own problems are not reported unless they
    were asked for.
    """
    if folders is None:
        from mailrubric.workspace import shipped_folder

        folders = [shipped_folder()]
    roots = {folder.resolve(): folder for folder in folders}
    wanted: list[Path] = []
    loose = _Layer()
    problems: list[Problem] = []
    for path in paths:
        path = path.absolute()
        if not path.exists():
            problems.append(Problem(path, 0, 0, "there is no such file or folder"))
            continue
        root = _root_of(path)
        if root is not None:
            roots.setdefault(root.resolve(), root)
            wanted += _ways_to(path)
        elif path.is_dir():
            inside, faults = listing(path)
            problems += faults
            loose.files += [_open(file, _guess_kind) for file in inside]
            if not inside:
                problems.append(Problem(path, 0, 0, "holds no criteria, presets, vendors or mailrubric.yaml"))
        else:
            loose.files.append(_open(path, _guess_kind))
    layers = [_read_folder(root, whole=True) for root in roots.values()]
    _, found = _assemble([*layers, loose])
    loose_paths = {file.path for file in loose.files}
    for problem in found:
        asked_for = any(way == path or path in way.parents for way in _ways_to(problem.path) for path in wanted)
        if problem.path in loose_paths or asked_for:
            problems.append(problem)
    return sorted(set(problems), key=order)


def _ways_to(path: Path) -> tuple[Path, Path]:
    """As it is named, and where that leads: a file of a folder may be a link to one elsewhere, or to nothing."""
    return Path(os.path.abspath(path)), path.resolve()


def parse_criteria(text: bytes, name: str, context: Catalogue) -> tuple[CriteriaFile | None, list[Problem]]:
    """A criteria file that is not saved yet, judged beside a catalogue: (the file or None, its problems).

    It may have warnings and still be usable. ``name``: what to call it in messages; only its last part is used.
    """
    simple = "".join(character for character in name.replace("\\", "/").rpartition("/")[2] if character.isprintable())
    file = _parse(lambda: yamlfile.read(text), Path(simple or "criteria.yaml"), _always("criteria"))
    facts = dict(context.facts)
    doubtful: set[str] = set()
    _declare(file, facts, doubtful, context.facts)
    known = checks.Known(context.metrics, facts, doubtful=doubtful)
    file.findings += _duplicates_inside(file)
    file.findings += _criteria_findings(file, known)
    if isinstance(file.model, CriteriaFile):
        for at, criterion in file.criteria():
            home = context.group_of.get(criterion.id, file.model.group.id)
            if home != file.model.group.id:
                message = f"replaces the criterion of that id in the group {home}"
                file.findings.append(Finding((*at, "id"), message, "warning"))
        file.findings += _group_findings(overlay(context, file.model), file.model.group.id)
    problems = file.problems()
    if isinstance(file.model, CriteriaFile) and not _errors(problems):
        return file.model, problems
    return None, problems


def save_criteria(directory: Path, name: str, content: bytes) -> Path:
    """Put a criteria file, checked before by ``parse_criteria``, into a workspace: the path it got.

    ``name``: as it was uploaded; only its last part counts, and it must be a plain file name. Raises ``ValueError`` for
    another one or for more than 1 MiB, ``FileExistsError`` rather than replace a file, ``OSError`` when it cannot be
    written.
    """
    plain = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.ya?ml", name.replace("\\", "/").rpartition("/")[2])
    if plain is None:
        raise ValueError("a criteria file's name is made of letters, digits, - and _, and ends in .yaml")
    if len(content) > yamlfile.MAX_BYTES:
        raise ValueError("the file is larger than 1 MiB")
    path = directory / "criteria" / f"{plain.group(1)}.yaml"
    return write_new(path, content)


def read_settings(path: Path) -> Settings:
    """``mailrubric.yaml``. An empty file means the defaults. Raises ``CatalogueError``."""
    file = _open(path, _always("settings"))
    file.findings += _settings_findings(file)
    problems = file.problems()
    if isinstance(file.model, Settings) and not _errors(problems):
        return file.model
    raise CatalogueError(problems)


def read_judgement(path: Path, catalogue: Catalogue) -> Judgement:
    """One person's weights as they were said, judged beside the catalogue. Raises ``CatalogueError``."""
    judgement, problems = _judgement(path, catalogue)
    if judgement is None:
        raise CatalogueError(problems)
    return judgement


def _judgement(path: Path, catalogue: Catalogue) -> tuple[Judgement | None, list[Problem]]:
    file = _open(path, _always("weights"))
    file.findings += _judgement_findings(file, catalogue, checks.Known.of(catalogue))
    problems = file.problems()
    usable = isinstance(file.model, Judgement) and not _errors(problems)
    return file.model if usable and isinstance(file.model, Judgement) else None, problems


def judgements_of(directory: Path, catalogue: Catalogue) -> dict[str, Judgement]:
    """Every evaluator's weights in a workspace, by name (the file's when it says none), in the order of the files.
    Raises ``CatalogueError`` with every error of all files."""
    found: dict[str, Judgement] = {}
    paths, problems = listing(directory / EVALUATIONS)
    for path in paths:
        judgement, faults = _judgement(path, catalogue)
        problems += faults
        if judgement is not None:
            name = judgement.name or path.stem
            found[name if name not in found else f"{name} ({path.stem})"] = judgement
    if _errors(problems):
        raise CatalogueError(problems)
    return found


def _errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def known_metrics() -> dict[str, Metric]:
    """Every metric that the probes can yield, by key, with the roles it is measured at filled in."""
    found = {
        metric.key: dataclasses.replace(metric, roles=metric.roles or probe.roles)
        for probe in registry.probes()
        for metric in probe.metrics
    }
    return dict(sorted(found.items()))


# --- one file ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _File:
    """One file as far as it could be read. ``fault``: why it could not be read at all."""

    path: Path
    kind: Kind | None
    document: Document | None = None
    model: Model | None = None
    findings: list[Finding] = dataclasses.field(default_factory=list)
    fault: Problem | None = None

    def problems(self) -> list[Problem]:
        if self.fault is not None:
            return [self.fault]
        return place(self.findings, self.path, self.document)

    def part(self, key: str, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
        """A part of the raw document when it has the expected shape, otherwise an empty one."""
        data = self.document.data if self.document is not None else None
        part = data.get(key) if isinstance(data, dict) else None
        return part if isinstance(part, kind) else kind()

    def text(self, key: str) -> str:
        """A text at the top of the raw document; empty when there is none."""
        data = self.document.data if self.document is not None else None
        value = data.get(key) if isinstance(data, dict) else None
        return value if isinstance(value, str) else ""

    def group(self) -> Group | None:
        if isinstance(self.model, CriteriaFile):
            return self.model.group
        return _valid(Group, self.part("group", dict))

    def criteria(self) -> Iterator[tuple[Location, Criterion]]:
        """The criteria without errors of form, with their places."""
        if isinstance(self.model, CriteriaFile):
            for index, criterion in enumerate(self.model.criteria):
                yield ("criteria", index), criterion
            return
        for index, raw in enumerate(self.part("criteria", list)):
            salvaged = _valid(Criterion, raw)
            if salvaged is not None:
                yield ("criteria", index), salvaged

    def declarations(self) -> Iterator[tuple[str, FactDeclaration]]:
        if isinstance(self.model, CriteriaFile):
            yield from self.model.facts.items()
            return
        for name, raw in self.part("facts", dict).items():
            salvaged = _valid(FactDeclaration, raw)
            if salvaged is not None:
                yield name, salvaged

    def facts(self) -> Iterator[tuple[Location, Fact]]:
        if isinstance(self.model, Vendor):
            for name, fact in self.model.facts.items():
                yield ("facts", name), fact
            return
        for name, raw in self.part("facts", dict).items():
            salvaged = _valid(Fact, raw)
            if salvaged is not None:
                yield ("facts", name), salvaged

    def endpoints(self) -> Iterator[tuple[Location, EndpointBase]]:
        if isinstance(self.model, Vendor):
            for role in _ENDPOINTS:
                for index, endpoint in enumerate(getattr(self.model.endpoints, role)):
                    yield ("endpoints", role, index), endpoint
            return
        declared = self.part("endpoints", dict)
        for role, model in _ENDPOINTS.items():
            entries = declared.get(role)
            for index, raw in enumerate(entries if isinstance(entries, list) else ()):
                salvaged = _valid(model, raw)
                if salvaged is not None:
                    yield ("endpoints", role, index), salvaged

    def weights(self) -> Weights:
        """Of a preset or a file of weights: those without errors of form."""
        if isinstance(self.model, Weights):
            return self.model
        found: dict[str, dict[str, float]] = {"groups": {}, "criteria": {}}
        for key, weights in found.items():
            for name, raw in self.part(key, dict).items():
                if _valid(Weights, {key: {name: raw}}) is not None:
                    weights[name] = raw
        return Weights(**found)

    def plans(self) -> Iterator[tuple[Location, Plan]]:
        for index, raw in enumerate(self.part("plans", list)):
            plan = self.model.plans[index] if isinstance(self.model, Vendor) else _valid(Plan, raw)
            if plan is not None:
                yield ("plans", index), plan

    def review_sources(self) -> Iterator[tuple[Location, Sourced]]:
        if isinstance(self.model, Vendor):
            for name in ("apple", "google_play", "stack_exchange"):
                for index, place in enumerate(getattr(self.model.reviews, name)):
                    yield ("reviews", name, index), place


def _valid(model: type[M], raw: Any) -> M | None:
    try:
        return model.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError:
        return None  # reported already, by the validation of the whole file


def _open(path: Path, kind_of: Callable[[Document], Kind | None]) -> _File:
    return _parse(lambda: yamlfile.read_file(path), path, kind_of)


_NOTHING = Document(None, (1, 1))


def _parse(reader: Callable[[], Document], path: Path, kind_of: Callable[[Document], Kind | None]) -> _File:
    try:
        document = reader()
    except yamlfile.EmptyFile as fault:
        document = _NOTHING
        if kind_of(document) not in ("settings", "weights"):
            return _File(path, kind_of(document), fault=Problem(path, fault.line, fault.column, fault.message))
    except YAMLFault as fault:
        return _File(path, kind_of(_NOTHING), fault=Problem(path, fault.line, fault.column, fault.message))
    kind = kind_of(document)
    if kind is None:
        message = (
            "what is this file? A criteria file has the key group, a vendor profile category, a preset groups and "
            "title, somebody's weights groups, ranking, swing or pairwise"
        )
        return _File(path, None, fault=Problem(path, *document.position(()), message))
    file = _File(path, kind, document)
    for duplicate in document.duplicates:
        line, column = duplicate.first
        message = (
            f"this key stands twice: first at {line}:{column}, again at {duplicate.second[0]}:{duplicate.second[1]}"
        )
        file.findings.append(Finding(duplicate.location, message, of_key=True))
    data = {} if document.data is None and kind in ("settings", "weights") else document.data
    try:
        file.model = _MODELS[kind].model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        file.findings += findings_of(error, _MODELS[kind], data)
    return file


def _always(kind: Kind) -> Callable[[Document], Kind]:
    return lambda document: kind


def _guess_kind(document: Document) -> Kind | None:
    """What a file outside of the folders of a workspace is, by its keys."""
    data = document.data
    if not isinstance(data, dict):
        return None
    if "group" in data:
        return "criteria"
    if "category" in data or "endpoints" in data:
        return "vendor"
    if "title" in data and ("groups" in data or "criteria" in data):
        return "preset"
    named = "id" in data or "title" in data
    if data.keys() & {"ranking", "swing", "pairwise"} or (isinstance(data.get("groups"), dict) and not named):
        return "weights"
    return None


# --- one folder -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Layer:
    """The files of one folder, and what was wrong with the folder itself."""

    files: list[_File] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)


def _read_folder(folder: Path, *, with_vendors: bool = True, whole: bool = False) -> _Layer:
    """The catalogue's files; with ``whole`` the settings and the evaluators' weights, too."""
    layer = _Layer()
    for kind, name in _FOLDERS:
        if (kind == "vendor" and not with_vendors) or (kind == "weights" and not whole):
            continue
        paths, problems = listing(folder / name)
        layer.problems += problems
        layer.files += [_open(path, _always(kind)) for path in paths]
    settings = folder / SETTINGS_FILE
    if whole and settings.exists():
        layer.files.append(_open(settings, _always("settings")))
    return layer


def listing(folder: Path) -> tuple[list[Path], list[Problem]]:
    """The YAML files of a folder by name, and what is wrong with the folder or with other names in it. A folder that
    does not exist holds none."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [Problem(folder, 0, 0, f"cannot be read: {error.strerror or error}")]
    visible = [name for name in names if not name.startswith(".")]
    return [folder / name for name in visible if name.endswith(".yaml")], [
        Problem(folder / name, 0, 0, "is not read: its name must end in .yaml", severity="warning")
        for name in visible
        if name.endswith(".yml")
    ]


def _root_of(path: Path) -> Path | None:
    """The workspace folder that a file or folder belongs to, or None for one that lies elsewhere."""
    if path.is_dir():
        if any((path / name).exists() for name in OWN):
            return path
        path = path / "any.yaml"
    parents = path.parents
    if path.name == SETTINGS_FILE:
        return path.parent
    if path.suffix == ".yaml" and len(parents) > 2:
        if path.parent.name in ("criteria", "vendors", EVALUATIONS):
            return parents[1]
        if path.parent.name == "presets" and parents[1].name == "criteria":
            return parents[2]
    return None


# --- all files together -----------------------------------------------------------------------------------------------


def _assemble(layers: Sequence[_Layer]) -> tuple[Catalogue, list[Problem]]:
    """One catalogue of all layers, later over earlier, and every problem of every file."""
    files = [file for layer in layers for file in layer.files]
    catalogue = Catalogue(metrics=known_metrics())
    vendors: dict[str, Vendor] = {}
    presets: dict[str, Preset] = {}
    paths: dict[str, Path] = {}
    facts: dict[str, FactDeclaration] = {}
    doubtful: set[str] = set()
    for layer in layers:
        _cross_file_duplicates(layer)
        earlier = dict(facts)
        for file in layer.files:
            _declare(file, facts, doubtful, earlier)
            match file.model:
                case CriteriaFile():
                    catalogue = overlay(catalogue, file.model, file.path)
                case Preset():
                    presets[file.model.id] = file.model
                    paths[f"preset:{file.model.id}"] = file.path
                case Vendor():
                    vendors[file.model.id] = file.model
                    paths[f"vendor:{file.model.id}"] = file.path
    catalogue = dataclasses.replace(
        catalogue,
        vendors=dict(sorted(vendors.items())),
        presets=dict(sorted(presets.items())),
        paths={**catalogue.paths, **paths},
    )
    complete = all(file.fault is None for file in files if file.kind == "criteria")
    known = dataclasses.replace(checks.Known.of(catalogue), facts=facts, doubtful=doubtful, complete=complete)
    today = datetime.datetime.now(datetime.UTC).date()
    for file in files:
        match file.kind:
            case "criteria":
                file.findings += _criteria_findings(file, known)
                group = file.group()
                if group is not None and catalogue.paths.get(f"group:{group.id}") == file.path:
                    file.findings += _group_findings(catalogue, group.id)
            case "vendor":
                file.findings += _vendor_findings(file, known, today)
            case "preset":
                file.findings += _weights_findings(file.weights(), catalogue, known)
            case "weights":
                file.findings += _judgement_findings(file, catalogue, known)
            case "settings":
                file.findings += _settings_findings(file)
    problems = [problem for layer in layers for problem in layer.problems]
    for file in files:
        problems += file.problems()
    problems.sort(key=order)
    warnings = tuple(problem for problem in problems if problem.severity == "warning")
    return dataclasses.replace(catalogue, warnings=warnings), problems


def _declare(
    file: _File, facts: dict[str, FactDeclaration], doubtful: set[str], earlier: Mapping[str, FactDeclaration]
) -> None:
    """Note the facts that a criteria file declares, and the names in the parts of it that are at fault.

    ``earlier``: what the folders before this one declare. Their criteria and profiles rely on it, so that it may be
    said again or given further levels, but not be made something else; the fault is told here and not at each of them.
    """
    if file.kind != "criteria":
        return
    for name, declaration in file.declarations():
        before = earlier.get(name)
        if before is not None and not _agree(declaration, before):
            meant = " in ".join(filter(None, (before.type, before.unit)))
            levels = f" of {listed(before.levels, 'and')}" if before.levels else ""
            message = f"this fact is declared already, as {meant}{levels}; give yours another name"
            file.findings.append(Finding(("facts", name), message, of_key=True))
        else:
            facts[name] = declaration
    if file.model is None:
        doubtful.update(name for name in file.part("facts", dict) if name not in facts)
        entries = [file.part("group", dict), *file.part("criteria", list)]
        doubtful.update(
            entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)
        )


def _agree(declaration: FactDeclaration, before: FactDeclaration) -> bool:
    """Whether everything that goes by the earlier declaration can go by this one."""
    same = (declaration.type, declaration.unit) == (before.type, before.unit)
    return same and set(before.levels) <= set(declaration.levels)


def _cross_file_duplicates(layer: _Layer) -> None:
    """Ids that two files of one folder, or one file twice, claim."""
    first: dict[str, tuple[_File, Location]] = {}
    for file in layer.files:
        for what, at in _claims(file):
            if what in first:
                other, place_of_first = first[what]
                assert other.document is not None
                line, column = other.document.position(place_of_first, of_key=what.startswith("fact:"))
                where = f"{line}:{column}" if other is file else f"{shown_path(other.path)}:{line}:{column}"
                kind, _, name = what.partition(":")
                message = f"there is a {kind} {shown(name)} already, at {where}"
                file.findings.append(Finding(at, message, of_key=kind == "fact"))
            else:
                first[what] = (file, at)


def _duplicates_inside(file: _File) -> list[Finding]:
    before = len(file.findings)
    _cross_file_duplicates(_Layer([file]))
    found = file.findings[before:]
    del file.findings[before:]
    return found


def _claims(file: _File) -> Iterator[tuple[str, Location]]:
    """The ids that a file takes, such as ``criterion:tls-versions``, with their places."""
    match file.kind:
        case "criteria":
            group = file.group()
            if group is not None:
                yield f"group:{group.id}", ("group", "id")
            for at, criterion in file.criteria():
                yield f"criterion:{criterion.id}", (*at, "id")
            for name, _ in file.declarations():
                yield f"fact:{name}", ("facts", name)
        case "vendor" | "preset":
            if isinstance(file.model, Vendor | Preset):
                yield f"{file.kind}:{file.model.id}", ("id",)


def _criteria_findings(file: _File, known: checks.Known) -> Iterator[Finding]:
    for name, declaration in file.declarations():
        yield from checks.declaration_findings(declaration, ("facts", name))
    for at, criterion in file.criteria():
        yield from checks.criterion_findings(criterion, at, known)
    if isinstance(file.model, CriteriaFile) and not file.model.criteria and not file.model.facts:
        yield Finding(("group",), "this group has no criteria", "warning", of_key=True)


def _group_findings(catalogue: Catalogue, identifier: str) -> Iterator[Finding]:
    """Weights that sum to 0, in one group and over all groups, as the group's own file shall say."""
    criteria = catalogue.criteria_in(identifier)
    if criteria and not any(criterion.weight for criterion in criteria):
        yield Finding(("criteria",), "the weights of all criteria of this group are 0", of_key=True)
    groups = [group for group in catalogue.groups if catalogue.criteria_in(group.id)]
    if groups and not any(group.weight for group in groups):
        if identifier == groups[0].id:
            yield Finding(("group", "weight"), "the weights of all groups are 0")
    elif catalogue.group(identifier).weight == 0:
        yield Finding(("group", "weight"), "this group counts for nothing; was that meant?", "warning")


def _weights_findings(weights: Weights, catalogue: Catalogue, known: checks.Known) -> Iterator[Finding]:
    yield from checks.weight_names_findings(weights, known)
    if not known.complete:
        return
    groups = {group.id: weights.groups.get(group.id, group.weight) for group in catalogue.groups}
    if groups and not any(groups.values()):
        yield Finding(("groups",), "the weights of all groups are 0", of_key=True)
    for identifier, weight in groups.items():
        criteria = catalogue.criteria_in(identifier)
        touched = identifier in weights.groups or any(item.id in weights.criteria for item in criteria)
        if not touched and not any(item.weight for item in criteria):
            continue  # the fault is the group's own, and told there
        if weight and criteria and not any(weights.criteria.get(item.id, item.weight) for item in criteria):
            message = f"the weights of all criteria of the group {identifier} are 0; give the group itself the weight 0"
            yield Finding(("criteria",), message, of_key=True)


def _judgement_findings(file: _File, catalogue: Catalogue, known: checks.Known) -> Iterator[Finding]:
    if isinstance(file.model, Judgement):
        yield from checks.judgement_findings(file.model, known)
    yield from _weights_findings(file.weights(), catalogue, known)


def _vendor_findings(file: _File, known: checks.Known, today: datetime.date) -> Iterator[Finding]:
    identifier, homepage = file.text("id"), file.text("homepage")
    if re.fullmatch(r"[a-z0-9-]{1,64}", identifier) and identifier != file.path.stem:
        message = f"must be the file's name, {shown(file.path.stem)}, or the file be called {identifier}.yaml"
        yield Finding(("id",), message)
    if homepage:
        yield from checks.url_findings(homepage, ("homepage",))
    for at, fact in file.facts():
        yield from checks.fact_findings(str(at[-1]), fact, at, known, today)
    seen: dict[EndpointBase, Location] = {}
    for at, endpoint in file.endpoints():
        yield from checks.endpoint_findings(endpoint, at, today)
        same = seen.setdefault(endpoint, at)
        if same != at and same[:2] == at[:2]:
            yield Finding(at, "this endpoint stands twice", "warning")
    for at, plan in file.plans():
        yield from checks.plan_findings(plan, at, today)
    for at, said in file.review_sources():
        yield from checks.sourced_findings(said, at, today)


def _settings_findings(file: _File) -> Iterator[Finding]:
    if isinstance(file.model, Settings):
        yield from checks.settings_findings(file.model)
        if file.model.ca and not (file.path.parent / file.model.ca).is_file():
            yield Finding(("ca",), f"there is no file {shown(file.model.ca)} in this folder")
