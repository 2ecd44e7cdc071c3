"""Compare: two to four vendors side by side, the criteria that tell them apart first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mailrubric.dashboard import charts
from mailrubric.dashboard.state import find, view
from mailrubric.dashboard.text import plain
from mailrubric.display import interval, points, value_words
from mailrubric.scoring.evaluation import Cell, VendorScore


def page() -> None:
    """Draw the page."""
    current = view()
    st.title("Compare")
    options = current.everyone
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
                delta=f"{interval(vendor.low, vendor.high)}, {points(vendor.coverage)} % covered",
                delta_color="off",
                delta_arrow="off",
            )
    st.plotly_chart(
        charts.group_scores(vendors),
        config={"displayModeBar": False},
        alt="Group scores of the chosen vendors with their intervals",
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
        row: dict[str, object] = {"Criterion": info.question, "Group": infos[info.id].group_title, "Difference": spread}
        for vendor, cell in zip(vendors, cells, strict=True):
            row[_heading(vendor, vendors)] = _words(cell)
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
            "Criterion": st.column_config.TextColumn(pinned=True, width="large"),
            "Difference": st.column_config.NumberColumn(format="%.2f"),
        },
        alt="Criteria with the value and score of each chosen vendor, largest difference first",
    )


def _heading(vendor: VendorScore, vendors: list[VendorScore]) -> str:
    same = sum(other.name == vendor.name for other in vendors) > 1
    return f"{vendor.name} ({vendor.id})" if same else vendor.name


def _words(cell: Cell) -> str:
    if not cell.applicable:
        return "not applicable"
    if cell.score is None:
        return "unknown"
    return f"{value_words(cell.value, cell.unit)} ({cell.kind}, {points(cell.score)})"
