"""What every page shares: the workspace, the evaluation, and the sidebar that sets preset, categories and weights.

All of it stands in the URL, so a copied link shows a colleague the same view. Widgets' limits hold in the browser only,
so every value is checked again here before it is used.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import streamlit as st

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import CatalogueError
from mailrubric.catalogue.models import Criterion, Group, Vendor, Weights
from mailrubric.dashboard.text import plain
from mailrubric.evidence.everything import observations
from mailrubric.evidence.store import Store, StoreError
from mailrubric.scoring.decision import RobustRanking, robust
from mailrubric.scoring.elicitation import swings
from mailrubric.scoring.evaluate import Table, tabulate, weigh
from mailrubric.scoring.evaluation import Evaluation, VendorScore
from mailrubric.scoring.robustness import SPREAD, WeightsKind
from mailrubric.scoring.words import end_points
from mailrubric.trials import folder as trials
from mailrubric.workspace import Workspace

CATEGORY_NAMES = {
    "esp": "Sending services",
    "marketing": "Campaign tools",
    "mailbox": "Mailbox hosts",
    "self-hosted": "Self-hosted",
}
NO_PRESET = "default"
GROUP_LIMIT = 40.0
CRITERION_LIMIT = 20.0


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """One reader's choice and what it gives. ``evaluation`` is over the vendors of the chosen categories."""

    workspace: Workspace
    catalogue: Catalogue
    store: Store
    evaluation: Evaluation
    preset: str
    weights: Weights
    minimum_coverage: float

    @property
    def shown(self) -> tuple[VendorScore, ...]:
        """The vendors of the chosen categories, best first."""
        return self.evaluation.vendors

    @property
    def everyone(self) -> list[str]:
        """Ids of all vendors that may be looked at: those shown first, then the others by name."""
        shown = [vendor.id for vendor in self.shown]
        others = [
            vendor
            for vendor in self.catalogue.vendors.values()
            if vendor.id not in shown and _wanted(self.catalogue, vendor)
        ]
        return shown + [vendor.id for vendor in sorted(others, key=lambda each: each.name.casefold())]

    def including(self, vendor_ids: Sequence[str]) -> View:
        """This view, with these vendors besides when they are of other categories."""
        shown = tuple(vendor.id for vendor in self.shown)
        more = tuple(name for name in vendor_ids if name in self.catalogue.vendors and name not in shown)
        if not more:
            return self
        evaluation = weigh(
            table(self.workspace, self.store, tuple(sorted({*shown, *more}))),
            preset=None if self.preset == NO_PRESET else self.preset,
            weights=self.weights,
            minimum_coverage=self.minimum_coverage,
        )
        return dataclasses.replace(self, evaluation=evaluation)

    @property
    def evaluated_at(self) -> datetime.datetime:
        """The time that ages refer to."""
        return datetime.datetime.fromisoformat(self.evaluation.as_of)

    def name(self, vendor_id: str) -> str:
        """A vendor's display name, with its id where another has the same name. Bound widgets put it in the URL."""
        vendor = self.catalogue.vendors.get(vendor_id)
        if vendor is None:
            return vendor_id
        alike = sum(other.name == vendor.name for other in self.catalogue.vendors.values())
        return vendor.name if alike == 1 else f"{vendor.name} ({vendor_id})"


def workspace_directory() -> Path:
    """The workspace folder: what ``mailrubric serve --workspace`` was given, else the current folder."""
    return Path(os.environ.get("MAILRUBRIC_WORKSPACE") or ".").resolve()


@st.cache_resource(max_entries=2, show_spinner="Reading criteria and vendors…")
def _workspace(directory: str, fingerprint: tuple[tuple[str, int, int], ...]) -> Workspace:
    workspace = Workspace.open(Path(directory))
    workspace.catalogue()
    return workspace


@st.cache_resource(max_entries=2, show_spinner=False)
def _store(url: str) -> Store:
    return Store(url)


@st.cache_resource(max_entries=12, show_spinner="Scoring…")
def _table(
    directory: str,
    fingerprint: tuple[tuple[str, int, int], ...],
    evidence: tuple[tuple[int, int], tuple[tuple[str, int, int], ...]],
    hour: datetime.datetime,
    vendors: tuple[str, ...],
) -> Table:
    # Scored as of the moment that the evidence changed or the hour did: every page and rerun then shows the same.
    workspace = _workspace(directory, fingerprint)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    found = observations(workspace, _store(workspace.store_url()))
    return tabulate(workspace.catalogue(), found, as_of=max(now, hour), vendors=vendors)


def load() -> tuple[Workspace, Catalogue, Store]:
    """Workspace, catalogue and store; ends the page with readable errors when a file is wrong."""
    directory = workspace_directory()
    try:
        workspace = Workspace.open(directory)
        workspace = _workspace(str(directory), workspace.fingerprint())
        catalogue = workspace.catalogue()
    except CatalogueError as error:
        _refuse(error, "The catalogue has errors; nothing is scored until they are mended")
    if workspace.broken_probes:
        st.warning(
            "\n".join(f"- {plain(problem)}" for problem in workspace.broken_probes[:50]),
            title="Probes of this workspace do not work and are left out",
            icon=":material/warning:",
        )
    try:
        store = _store(workspace.store_url())
    except StoreError as error:
        st.error(plain(error), title="The evidence store cannot be opened", icon=":material/error:")
        st.stop()
    return workspace, catalogue, store


def robustness(current: View, *, kind: WeightsKind = "around", spread: float = SPREAD) -> RobustRanking:
    """``mailrubric.scoring.decision.robust`` of what is shown, drawn once for the same evidence and rules: pages share
    it, and a choice further down the page does not draw anew. Raises ``DecisionError`` when no vendor has a rank."""
    evaluation = current.evaluation
    evidence = (current.store.name, current.store.revision(), trials.fingerprint(current.workspace.directory))
    vendors = tuple(vendor.id for vendor in evaluation.vendors)
    return _robustness(evaluation, evaluation.rules_hash, evaluation.as_of, evidence, vendors, kind, spread)


@st.cache_resource(max_entries=16, show_spinner=False)
def _robustness(
    _evaluation: Evaluation,
    rules: str,
    as_of: str,
    evidence: tuple[str, tuple[int, int], tuple[tuple[str, int, int], ...]],
    vendors: tuple[str, ...],
    kind: WeightsKind,
    spread: float,
) -> RobustRanking:
    return robust(_evaluation, kind=kind, spread=spread)


def _refuse(error: CatalogueError, title: str) -> NoReturn:
    """End the page with every fault of the files."""
    st.error("\n".join(f"- {plain(problem)}" for problem in error.problems[:50]), title=title, icon=":material/error:")
    st.stop()


def table(workspace: Workspace, store: Store, vendors: tuple[str, ...]) -> Table:
    """The scored cells of these vendors, cached until a file or the evidence changes, or the hour does.

    As on the command line, a vendor is ranked among those that were chosen.
    """
    hour = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)
    evidence = (store.revision(), trials.fingerprint(workspace.directory))
    try:
        return _table(str(workspace.directory), workspace.fingerprint(), evidence, hour, vendors)
    except CatalogueError as error:
        _refuse(error, "A file in trials/ has errors; nothing is scored until they are mended")


def _set_weights(catalogue: Catalogue, preset: str) -> None:
    chosen = catalogue.presets.get(preset)
    for group in catalogue.groups:
        weight = chosen.groups.get(group.id, group.weight) if chosen else group.weight
        st.session_state[f"w_{group.id}"] = _clamp(weight, GROUP_LIMIT)
    for criterion in catalogue.criteria:
        weight = chosen.criteria.get(criterion.id, criterion.weight) if chosen else criterion.weight
        st.session_state[f"c_{criterion.id}"] = _clamp(weight, CRITERION_LIMIT)


def use_groups(weights: Mapping[str, float]) -> None:
    """Set the sliders of the groups, each from 0 to ``GROUP_LIMIT``, to the nearest half."""
    for group, weight in weights.items():
        st.session_state[f"w_{group}"] = round(2 * _clamp(weight, GROUP_LIMIT)) / 2


def _preset_changed(catalogue: Catalogue) -> None:
    preset = str(st.session_state.get("preset", NO_PRESET))
    _set_weights(catalogue, preset)
    chosen = catalogue.presets.get(preset)
    if chosen and chosen.categories:
        st.session_state["category"] = list(chosen.categories)


def _clamp(value: object, most: float) -> float:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return min(max(number, 0.0), most) if number == number else 0.0


def default_categories(catalogue: Catalogue, preset: str) -> list[str]:
    """The categories a preset's buyer looks at; without a preset, the most frequent category."""
    chosen = catalogue.presets.get(preset)
    present = [name for name in CATEGORY_NAMES if any(v.category == name for v in catalogue.vendors.values())]
    if chosen and chosen.categories:
        return [name for name in chosen.categories if name in present] or present
    return present[:1]


def view() -> View:
    """Draw the sidebar and give the evaluation that follows from it."""
    workspace, catalogue, store = load()
    presets = [NO_PRESET, *catalogue.presets]
    default_preset = workspace.settings.preset if workspace.settings.preset in catalogue.presets else NO_PRESET
    with st.sidebar:
        preset = st.selectbox(
            "What kind of buyer are you?",
            presets,
            index=presets.index(default_preset),
            format_func=lambda name: catalogue.presets[name].title if name in catalogue.presets else "General buyer",
            key="preset",
            bind="query-params",
            on_change=_preset_changed,
            args=(catalogue,),
            help="Sets the weights below. Move any slider afterwards; the link in the address bar keeps your choice.",
        )
        preset = preset if preset in catalogue.presets else NO_PRESET
        present = [name for name in CATEGORY_NAMES if any(v.category == name for v in catalogue.vendors.values())]
        categories: list[str] = st.pills(
            "Kinds of platform",
            present,
            selection_mode="multi",
            default=default_categories(catalogue, preset),
            format_func=lambda name: CATEGORY_NAMES.get(name, name),
            key="category",
            bind="query-params",
        )
        chosen = {name for name in categories if name in CATEGORY_NAMES} or set(CATEGORY_NAMES)
        words = _slider_words(str(workspace.directory), workspace.fingerprint(), catalogue)
        weights = _weight_sliders(catalogue, preset, chosen, words)
        minimum_coverage = _clamp(
            st.slider(
                "Rank only from this coverage on",
                0,
                100,
                int(workspace.settings.minimum_coverage),
                5,
                format="%d %%",
                key="coverage",
                bind="query-params",
                help="Coverage is the share of the weight whose criteria have a value. "
                "A vendor below it is listed as insufficient evidence, without a rank.",
            ),
            100.0,
        )
        st.button("Reset weights", icon=":material/restart_alt:", on_click=_set_weights, args=(catalogue, preset))
    vendors = tuple(
        vendor.id for vendor in catalogue.vendors.values() if vendor.category in chosen and _wanted(catalogue, vendor)
    )
    return View(
        workspace=workspace,
        catalogue=catalogue,
        store=store,
        preset=preset,
        weights=weights,
        minimum_coverage=minimum_coverage,
        evaluation=weigh(
            table(workspace, store, vendors),
            preset=None if preset == NO_PRESET else preset,
            weights=weights,
            minimum_coverage=minimum_coverage,
        ),
    )


def _wanted(catalogue: Catalogue, vendor: Vendor) -> bool:
    """Lab servers never stand beside real platforms."""
    return not vendor.lab or all(other.lab for other in catalogue.vendors.values())


def concerned(catalogue: Catalogue, group: str, categories: Collection[str]) -> bool:
    """Whether a group asks anything of platforms of these kinds."""
    return any(not each.applies_to or set(each.applies_to) & set(categories) for each in catalogue.criteria_in(group))


@st.cache_resource(max_entries=2, show_spinner=False)
def _slider_words(
    directory: str, fingerprint: tuple[tuple[str, int, int], ...], _catalogue: Catalogue
) -> tuple[dict[str, str], dict[str, str]]:
    """Help of each group and label of each criterion: the same at every move of a slider."""
    return (
        {group.id: _swing_help(_catalogue, group) for group in _catalogue.groups},
        {criterion.id: _swing_label(criterion) for criterion in _catalogue.criteria},
    )


def _weight_sliders(
    catalogue: Catalogue, preset: str, categories: Collection[str], words: tuple[dict[str, str], dict[str, str]]
) -> Weights:
    helps, labels = words
    chosen = catalogue.presets.get(preset)
    groups: dict[str, float] = {}
    criteria: dict[str, float] = {}
    st.caption("How much does each group matter? Only the proportions count.")
    for group in catalogue.groups:
        default = chosen.groups.get(group.id, group.weight) if chosen else group.weight
        if not concerned(catalogue, group.id, categories):
            groups[group.id] = default  # it changes no score here
            continue
        groups[group.id] = _clamp(
            st.slider(
                group.title,
                0.0,
                GROUP_LIMIT,
                _clamp(default, GROUP_LIMIT),
                0.5,
                format="%g",
                key=f"w_{group.id}",
                bind="query-params",
                help=helps[group.id],
            ),
            GROUP_LIMIT,
        )
    with st.expander("Weights inside the groups", icon=":material/tune:"):
        for group in catalogue.groups:
            if concerned(catalogue, group.id, categories):
                st.caption(plain(group.title))
            for criterion in catalogue.criteria_in(group.id):
                default = chosen.criteria.get(criterion.id, criterion.weight) if chosen else criterion.weight
                if criterion.applies_to and not set(criterion.applies_to) & set(categories):
                    criteria[criterion.id] = default
                    continue
                criteria[criterion.id] = _clamp(
                    st.slider(
                        labels[criterion.id],
                        0.0,
                        CRITERION_LIMIT,
                        _clamp(default, CRITERION_LIMIT),
                        0.5,
                        format="%g",
                        key=f"c_{criterion.id}",
                        bind="query-params",
                    ),
                    CRITERION_LIMIT,
                )
    counted = sum(groups[catalogue.group_of[name]] * weight for name, weight in criteria.items())
    if counted <= 0:
        st.warning("All weights are zero, so nothing can be ranked. The preset's own weights are used.")
        return Weights()
    return Weights(groups=groups, criteria=criteria)


def _swing_label(criterion: Criterion) -> str:
    """The question with both ends: a weight is the weight of the step from one to the other."""
    worst, best = end_points(criterion.score, criterion.unit)
    return f"{plain(criterion.question, 90)} :gray[{plain(worst, 30)} → {plain(best, 30)}]"


def _swing_help(catalogue: Catalogue, group: Group) -> str:
    """What a group's weight is the weight of: its heaviest criteria from worst to best."""
    found = swings(catalogue, group.id)[:4]
    said = [f"- {plain(each.question, 90)} {plain(each.worst)} → {plain(each.best)}" for each in found]
    return "\n".join([plain(group.description), "", "What it is worth to go from the worst to the best:", "", *said])


def told_unknown(current: View, key: str) -> None:
    """Say so when the link asks for a vendor that is not here; to be called before the widget of this key, which then
    takes the link over and shows another vendor instead."""
    here = {current.name(name) for name in current.everyone}
    wrong = [name for name in st.query_params.get_all(key)[:8] if name not in here]
    if wrong:
        st.warning(f"The link asks for {plain(', '.join(wrong), 200)}, and no vendor here has this name.")


def find(evaluation: Evaluation, vendor_ids: Sequence[str]) -> list[VendorScore]:
    """The scores of these vendors, in this order, unknown ids left out."""
    by_id = {vendor.id: vendor for vendor in evaluation.vendors}
    return [by_id[name] for name in vendor_ids if name in by_id]
