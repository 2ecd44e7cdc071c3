"""Compare: two to four vendors side by side, the criteria that tell them apart first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mailrubric.dashboard import charts
from mailrubric.dashboard.state import find, told_unknown, view
from mailrubric.dashboard.text import plain
from mailrubric.display import interval, points, value_words
from mailrubric.scoring.evaluation import Cell, VendorScore


def page() -> None:
    """Draw the page."""
    st.title("Compare")
    current = view()
    options = current.everyone
    if len(options) < 2:
        st.info(
            "There is no vendor yet. `mailrubric new vendor ID` writes a profile to start from."
            if not options
            else "There is only one vendor, so there is nothing to compare it with. `mailrubric new vendor ID` writes "
            "the profile of another."
        )
        return
    told_unknown(current, "compare")
    chosen = st.multiselect(
        "Vendors to compare",
        options,
        default=[vendor.id for vendor in current.shown[:3]],
        format_func=current.name,
        max_selections=4,
        key="compare",
        bind="query-params",
    )
    current = current.including(list(chosen)[:4])
    vendors = find(current.evaluation, list(chosen)[:4])
    if len(vendors) < 2:
        st.info("Choose two to four vendors.")
        return
    with st.container(horizontal=True):
        for vendor in vendors:
            st.metric(
                plain(vendor.name, 30),
                points(vendor.score),
                border=True,
                delta=f"{_place(vendor)}, {interval(vendor.low, vendor.high)}, {points(vendor.coverage)} % covered",
                delta_color="off",
                delta_arrow="off",
            )
    st.plotly_chart(
        charts.group_scores(vendors),
        config={"displayModeBar": False},
        alt="Group scores of the chosen vendors with their intervals",
    )
    st.caption(
        f"Score of each group over what is known. {_ahead(vendors)} The lines go from where all that is unknown or "
        "aged is worth 0 to where it is worth 100: where they overlap much, the order is open."
    )
    st.subheader("What tells them apart")
    only = st.toggle("Only where they differ", value=True, key="differences", bind="query-params")
    infos = {info.id: info for info in current.evaluation.criteria}
    rows = []
    for index, info in enumerate(current.evaluation.criteria):
        cells = [vendor.cells[index] for vendor in vendors]
        known = [cell.score for cell in cells if cell.score is not None]
        weight = max(cell.weight for cell in cells)
        spread = (max(known) - min(known)) * weight / 100 if len(known) > 1 else 0.0
        unknown = sum(cell.applicable and cell.score is None for cell in cells)
        if only and spread == 0 and not (known and unknown):
            continue
        row: dict[str, object] = {"Criterion": info.question}
        for vendor, cell in zip(vendors, cells, strict=True):
            row[_heading(vendor, vendors)] = _words(cell)
        row |= {"Difference": spread, "Group": infos[info.id].group_title}
        rows.append((-spread, -unknown, index, row))
    rows.sort(key=lambda item: item[:3])
    st.caption(
        "Difference: points of the whole score between the best and the worst of them on this criterion. "
        "Unknown is not a difference; it is listed because it may become one."
    )
    st.dataframe(
        pd.DataFrame([row for *_, row in rows]),
        hide_index=True,
        height=min(760, 60 + 35 * len(rows)),
        column_config={
            "Criterion": st.column_config.TextColumn(pinned=True, width=330),
            **{_heading(vendor, vendors): st.column_config.TextColumn(width=190) for vendor in vendors},
            "Difference": st.column_config.NumberColumn(format="%.2f"),
        },
        alt="Criteria with the value and score of each chosen vendor, largest difference first",
    )


def _place(vendor: VendorScore) -> str:
    if vendor.rank is not None:
        return f"rank {vendor.rank}"
    return "failed a gate" if vendor.status == "failed" else "no rank"


def _ahead(vendors: list[VendorScore]) -> str:
    """Who scores best in how many groups, as a sentence."""
    first: dict[str, int] = {}
    for groups in zip(*(vendor.groups for vendor in vendors), strict=True):
        scores = [group.score for group in groups if group.applicable and group.score is not None]
        if len(scores) < len(vendors):
            continue
        best = [index for index, score in enumerate(scores) if score == max(scores)]
        if len(best) == 1:
            first[_heading(vendors[best[0]], vendors)] = first.get(_heading(vendors[best[0]], vendors), 0) + 1
    if not first:
        return "None of them is alone at the front of any group."
    asked = sum(any(group.applicable for group in groups) for groups in zip(*(v.groups for v in vendors), strict=True))
    said = [f"{plain(name)} in {count}" for name, count in sorted(first.items(), key=lambda each: -each[1])]
    return f"Alone at the front: {', '.join(said)} of {asked} groups."


def _heading(vendor: VendorScore, vendors: list[VendorScore]) -> str:
    same = sum(other.name == vendor.name for other in vendors) > 1
    return f"{vendor.name} ({vendor.id})" if same else vendor.name


def _words(cell: Cell) -> str:
    if not cell.applicable:
        return "not applicable"
    if cell.score is None:
        return "unknown"
    return f"{value_words(cell.value, cell.unit)} ({cell.kind}, {points(cell.score)})"
