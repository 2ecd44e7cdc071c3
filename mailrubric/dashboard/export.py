"""Export: the scorecard as a file, the same as ``mailrubric export`` writes."""

from __future__ import annotations

import streamlit as st

from mailrubric.dashboard.state import view
from mailrubric.dashboard.text import plain
from mailrubric.export import FORMATS, MEDIA_TYPES, render

DESCRIPTIONS = {
    "xlsx": "Workbook with ranking, criteria, evidence and rules",
    "html": "One page to read, print or mail; needs nothing else",
    "md": "For a wiki, an issue or a pull request",
    "csv": "One row for each vendor and criterion",
    "json": "Everything, for programs; the shape is documented",
}


def page() -> None:
    """Draw the page."""
    st.title("Export")
    current = view()
    if st.toggle("All vendors, not only the kinds chosen in the sidebar", key="everyone", bind="query-params"):
        current = current.including(current.everyone)
    count = len(current.evaluation.vendors)
    st.caption(
        f"{count} vendors, scored as of {plain(current.evaluation.as_of)} under rules "
        f"`{current.evaluation.rules_hash[:12]}`. Same evidence, same time and same rules give the same bytes."
    )
    grid = st.grid("auto", min_column_width=300)
    for name in FORMATS:
        with grid.container(border=True):
            st.markdown(f"**{name.upper()}**")
            st.caption(DESCRIPTIONS.get(name, ""))
            st.download_button(
                f"Download .{name}",
                data=lambda name=name: render(current.evaluation, name),  # type: ignore[misc]
                file_name=f"scorecard.{name}",
                mime=MEDIA_TYPES[name],
                on_click="ignore",
                icon=":material/download:",
                key=f"download_{name}",
            )
    st.caption("The address bar holds vendors, preset and weights: a copied link shows a colleague this same view.")
