"""Ranking: who scores best under these weights, how sure that is, and what would make it surer."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mailrubric.dashboard import charts, contradictions, pages
from mailrubric.dashboard.preconditions import notice
from mailrubric.dashboard.state import CATEGORY_NAMES, View, robustness, view
from mailrubric.dashboard.text import plain
from mailrubric.display import interval, points
from mailrubric.scoring.evaluation import VendorScore

_ROWS = 30


def page() -> None:
    """Draw the page."""
    st.title("Ranking")
    current = view()
    notice(current.store)
    if not current.shown:
        _nothing(current)
        return
    surety = _headline(current)
    _vendors(current)
    if surety is not None:
        # Drawing takes longer than ranking: the new order is there before it.
        _sure(current, surety)


def _vendors(current: View) -> None:
    wanted = st.text_input(
        "Filter by name",
        key="name",
        bind="query-params",
        placeholder="Filter by name",
        label_visibility="collapsed",
        icon=":material/search:",
        max_chars=60,
        type="search",
    )
    words = (wanted or "")[:60].casefold().split()
    shown = [
        vendor for vendor in current.shown if all(word in f"{vendor.name} {vendor.id}".casefold() for word in words)
    ]
    if not shown:
        st.info("No vendor has such a name. Clear the filter, or choose another kind of platform in the sidebar.")
        return
    drawn = [vendor for vendor in shown if vendor.status != "failed"]
    if drawn:
        st.plotly_chart(
            charts.ranking(drawn),
            config={"displayModeBar": False},
            alt="Bar chart of vendor scores with their intervals, best first",
        )
        st.caption(
            "Bar: score over what is known. Line: the score if all that is unknown or aged were worth 0, or 100. "
            "Diamond: the estimate, in which unknown criteria are filled in cautiously; ranks follow it. "
            "Pale bars have too little evidence for a rank, the paler the less; they stand in order of coverage."
        )
        _table(current, drawn)
    failed = [vendor for vendor in shown if vendor.status == "failed"]
    if failed:
        _failed(failed)
    contradictions.listed(shown, current.evaluation.criteria)


def _nothing(current: View) -> None:
    if current.everyone:
        st.info("No vendor is of this kind. Choose another kind of platform in the sidebar.")
    else:
        st.info("There is no vendor yet. `mailrubric new vendor ID` writes a profile to start from.")


def _sure(current: View, place: DeltaGenerator) -> None:
    sure = robustness(current)
    place.markdown(
        f"How likely that is, drawn {sure.draws:,} times with weights up to {100 * sure.spread:.0f} % off yours and "
        f"with all that is uncertain: {plain(sure.sentence)}"
    )


def _headline(current: View) -> DeltaGenerator | None:
    """The answer of all that is shown, whatever the filter hides. Gives the place for how sure it is, if it can be."""
    surety = None
    ranked = [vendor for vendor in current.shown if vendor.status == "ranked"]
    insufficient = [vendor for vendor in current.shown if vendor.status == "insufficient"]
    if ranked:
        first = ranked[0]
        # What the order is made of: scores over different gaps may stand the other way round.
        sentence = f"**{plain(first.name)}** leads with {points(first.ranking_score)} points"
        if len(ranked) > 1:
            second = ranked[1]
            sentence += f", ahead of **{plain(second.name)}** with {points(second.ranking_score)}"
            sentence += (
                ". Their intervals overlap, so what is still unknown could turn this round."
                if second.high > first.low
                else ", and no missing evidence can turn this round."
            )
        else:
            sentence += "; no other vendor has enough evidence for a rank."
        st.markdown(sentence)
        if len(ranked) > 1:
            surety = st.container()
            st.page_link(
                pages.named("decision"), label="How sure that is, and what would change it", icon=":material/balance:"
            )
    with st.container(horizontal=True):
        st.metric("Ranked", len(ranked), border=True)
        st.metric("Insufficient evidence", len(insufficient), border=True, help="Under the coverage set in the sidebar")
        st.metric(
            "Failed a gate",
            len(current.shown) - len(ranked) - len(insufficient),
            border=True,
            help="A gate is a requirement that must hold. Who fails one gets no rank.",
        )
        coverage = sum(vendor.coverage for vendor in current.shown) / len(current.shown)
        st.metric(
            "Mean coverage",
            f"{points(coverage)} %",
            border=True,
            help="Coverage: the share of the weight whose criteria have a value",
        )
    if insufficient and not ranked:
        st.warning(
            f"No vendor here reaches {current.minimum_coverage:.0f} % coverage, so none is given a rank. Probing fills "
            "in everything that the servers themselves can tell; surveys, trials and reviews fill in the rest. "
            "You can also lower the threshold in the sidebar and read the intervals with care.",
            title="Too little evidence for a ranking",
            icon=":material/hourglass_empty:",
        )
        st.page_link(pages.named("probe"), label="Probe vendors now", icon=":material/radar:")
    return surety


def _table(current: View, vendors: list[VendorScore]) -> None:
    frame = pd.DataFrame(
        {
            "Rank": pd.array([vendor.rank for vendor in vendors], dtype="Int64"),
            "Vendor": [vendor.name for vendor in vendors],
            "Kind": [CATEGORY_NAMES.get(vendor.category, vendor.category) for vendor in vendors],
            "Estimate": pd.array([vendor.ranking_score for vendor in vendors], dtype="Float64"),
            "Score": pd.array([vendor.score for vendor in vendors], dtype="Float64"),
            "Interval": [interval(vendor.low, vendor.high) for vendor in vendors],
            "Coverage": [vendor.coverage for vendor in vendors],
            "Measured": [_share(vendor, "measured") for vendor in vendors],
            "Claimed": [_share(vendor, "claimed") for vendor in vendors],
            "Gates": [_gates(vendor) for vendor in vendors],
            "Contradictions": [len(vendor.contradictions) for vendor in vendors],
        }
    )
    if frame["Kind"].nunique() == 1:
        del frame["Kind"]
    st.markdown("Select a row to open the vendor.")
    event = st.dataframe(
        frame,
        hide_index=True,
        height="content" if len(vendors) <= _ROWS else 36 * _ROWS,
        on_select="rerun",
        selection_mode="single-row",
        key="ranking_table",
        placeholder="–",
        alt="Vendors with rank, score, interval, coverage and gates",
        column_config={
            "Rank": st.column_config.NumberColumn(width=60, pinned=True),
            "Vendor": st.column_config.TextColumn(pinned=True, width=190),
            "Score": st.column_config.NumberColumn(format="%.1f", help="Over what is known; empty when nothing is"),
            "Estimate": st.column_config.NumberColumn(
                format="%.1f",
                help="The score with unknown criteria filled in from the other vendors and this one's other criteria, "
                "times 0.8. Ranks follow it, so that a gap is never an advantage.",
            ),
            "Coverage": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
            "Measured": st.column_config.NumberColumn(format="%.0f %%", help="Share of the weight that was measured"),
            "Claimed": st.column_config.NumberColumn(
                format="%.0f %%", help="Share of the weight that rests on what the vendor says"
            ),
            "Gates": st.column_config.TextColumn(help="Requirements that must hold; undecided while unknown"),
        },
    )
    rows = event.selection.rows if hasattr(event, "selection") else []
    if rows and 0 <= rows[0] < len(vendors):
        parameters = {name: st.query_params.get_all(name) for name in st.query_params if name != "vendor"}
        st.switch_page(pages.named("vendor"), query_params={**parameters, "vendor": current.name(vendors[rows[0]].id)})


def _share(vendor: VendorScore, kind: str) -> float:
    applicable = sum(cell.weight for cell in vendor.cells if cell.applicable)
    known = sum(cell.weight for cell in vendor.cells if cell.kind == kind and cell.score is not None)
    return 100 * known / applicable if applicable else 0.0


def _gates(vendor: VendorScore) -> str:
    if not vendor.gates:
        return "none set"
    undecided = sum(gate.status == "provisional" for gate in vendor.gates)
    return f"{undecided} undecided" if undecided else "passed"


def _failed(failed: list[VendorScore]) -> None:
    st.subheader("Failed a gate")
    st.caption("These are not ranked, whatever their score.")
    for vendor in failed:
        reasons = "; ".join(plain(gate.reason) for gate in vendor.gates if gate.status == "fail")
        score = points(vendor.score)
        st.markdown(f":material/block: **{plain(vendor.name)}** (score {score}): {reasons}")
