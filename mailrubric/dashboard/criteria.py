"""Criteria: what is asked, how a value becomes a score, and a trial of a file of one's own before it is saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from mailrubric.catalogue.load import parse_criteria, save_criteria
from mailrubric.catalogue.models import CriteriaFile, Criterion, CurveFunction, PointsFunction
from mailrubric.dashboard import charts
from mailrubric.dashboard.state import View, view
from mailrubric.dashboard.text import plain
from mailrubric.display import points
from mailrubric.evidence.everything import observations
from mailrubric.scoring import value_functions
from mailrubric.scoring.evaluate import tabulate, weigh

UPLOAD_LIMIT = 1024 * 1024


def page() -> None:
    """Draw the page."""
    st.title("Criteria")
    current = view()
    browse, trial = st.tabs(
        ["Browse", "Try a file of your own"], key="criteria_tab", on_change="rerun", bind="query-params"
    )
    if browse.open:
        with browse:
            _browse(current)
    if trial.open:
        with trial:
            _trial(current)


def _browse(current: View) -> None:
    groups = {group.id: group for group in current.catalogue.groups}
    shares = {name: sum(info.weight for info in current.evaluation.criteria if info.group == name) for name in groups}
    chosen = st.selectbox(
        "Group",
        list(groups),
        format_func=lambda name: groups[name].title,
        key="group",
        bind="query-params",
    )
    if chosen not in groups:
        chosen = next(iter(groups))
    description = f"{plain(groups[chosen].description)} " if groups[chosen].description else ""
    st.markdown(f"{description}This group has {points(shares[chosen])} % of all weight.")
    infos = {info.id: info for info in current.evaluation.criteria}
    for criterion in current.catalogue.criteria_in(chosen):
        info = infos[criterion.id]
        scores = [
            cell.score
            for vendor in current.shown
            for cell in vendor.cells
            if cell.criterion == criterion.id and cell.applicable
        ]
        known = [score for score in scores if score is not None]
        with st.expander(f"**{plain(info.question)}** · {info.weight:.2f} % of all weight"):
            st.markdown(
                f"**Value from** {plain(info.sources)}  \n**Score** {plain(info.value_function)}"
                + (f"  \n**Must** {plain(info.must)}" if info.must else "")
                + f"  \n**Why** {plain(info.rationale)}"
                + (f"  \n**Reference** {plain(info.reference)}" if info.reference else "")
            )
            _curve(criterion)
            st.caption(
                f"`{criterion.id}` · known for {len(known)} of {len(scores)} vendors shown"
                + (f", scores from {points(min(known))} to {points(max(known))}" if known else "")
            )


def _curve(criterion: Criterion) -> None:
    function = criterion.score
    if isinstance(function, PointsFunction):
        ends = [(float(value), float(score)) for value, score in function.points]
        figure = charts.value_function(ends, criterion.unit, log=function.scale == "log")
    elif isinstance(function, CurveFunction):
        low, high = sorted((function.curve.worth_90, function.curve.worth_50))
        values = [low / 3 * (high / low * 9) ** (step / 40) for step in range(41)]
        scores = value_functions.curve(np.array(values), function).tolist()
        figure = charts.value_function(list(zip(values, scores, strict=True)), criterion.unit, log=True)
    else:
        return
    st.plotly_chart(
        figure,
        key=f"curve_{criterion.id}",
        config={"displayModeBar": False},
        alt="How a value becomes a score",
    )


def _trial(current: View) -> None:
    st.markdown(
        "Upload a criteria file. It is checked and scored here first; nothing is saved until you say so. "
        "`mailrubric new criterion ID` writes a commented example to start from."
    )
    upload = st.file_uploader("Criteria file (YAML)", type=["yaml", "yml"], max_upload_size=1)
    if upload is None:
        return
    content = upload.getvalue()
    if len(content) > UPLOAD_LIMIT:
        st.error("The file is larger than 1 MiB.")
        return
    name = Path(str(upload.name)).name
    parsed, problems = parse_criteria(content, name, current.catalogue)
    errors = [problem for problem in problems if problem.severity == "error"]
    for problem in problems:
        (st.error if problem.severity == "error" else st.warning)(plain(problem))
    if parsed is None or errors:
        return
    st.success(f"Valid: group “{plain(parsed.group.title)}” with {len(parsed.criteria)} criteria.")
    _preview(current, parsed)
    if st.button("Save into the workspace", icon=":material/save:", type="primary"):
        try:
            path = save_criteria(current.workspace.directory, name, content)
        except (FileExistsError, OSError, ValueError) as error:
            st.error(plain(error), title="Not saved")
        else:
            st.success(f"Saved as {plain(path)}. Reload the page to score with it.")


def _preview(current: View, parsed: CriteriaFile) -> None:
    extended = current.catalogue.extended(parsed)
    table = tabulate(
        extended,
        observations(current.workspace, current.store),
        as_of=current.evaluated_at,
        vendors=[vendor.id for vendor in current.shown],
    )
    changed = weigh(
        table,
        preset=None if current.preset not in extended.presets else current.preset,
        weights=current.weights,
        minimum_coverage=current.minimum_coverage,
    )
    before = {vendor.id: vendor for vendor in current.evaluation.vendors}
    rows = [
        {
            "Vendor": vendor.name,
            "Score now": before[vendor.id].score,
            "Score with this file": vendor.score,
            "Rank now": before[vendor.id].rank,
            "Rank with this file": vendor.rank,
            "Coverage with this file": vendor.coverage,
        }
        for vendor in changed.vendors
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Score now": st.column_config.NumberColumn(format="%.1f"),
            "Score with this file": st.column_config.NumberColumn(format="%.1f"),
            "Coverage with this file": st.column_config.NumberColumn(format="%.0f %%"),
        },
        alt="Scores and ranks now and with the uploaded file",
    )
