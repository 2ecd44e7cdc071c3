"""Decision: how sure the ranking is, what would flip it, what to find out next, and why one vendor beats another."""

from __future__ import annotations

from typing import cast

import pandas as pd
import streamlit as st

from mailrubric.catalogue.load import CatalogueError, judgements_of
from mailrubric.causes import short
from mailrubric.dashboard import charts, contradictions, pages
from mailrubric.dashboard.state import NO_PRESET, View, find, robustness, table, view
from mailrubric.dashboard.text import plain
from mailrubric.display import how_many, tenths
from mailrubric.scoring import weighting
from mailrubric.scoring.additive import WeightError
from mailrubric.scoring.decision import (
    Comparison,
    DecisionError,
    RobustRanking,
    Sensitivity,
    WeightFlip,
    compare,
    sensitive,
)
from mailrubric.scoring.people import agreement
from mailrubric.scoring.robustness import WeightsKind

_KINDS = {
    "around": "Within a spread of ours",
    "order": "Any in our order",
    "any": "Any at all",
}
_METHODS = {"direct": "numbers", "ranking": "an order", "swing": "swings", "pairwise": "two at a time"}
_SHOWN = 12


def page() -> None:
    """Draw the page."""
    st.title("Decision")
    current = view()
    ranked = [vendor for vendor in current.shown if vendor.status == "ranked"]
    if len(ranked) < 2:
        st.info(
            "A decision needs at least two vendors with a rank. Probe some, or lower the coverage threshold in the "
            "sidebar and read the result with care.",
            icon=":material/hourglass_empty:",
        )
        st.page_link(pages.named("probe"), label="Probe vendors", icon=":material/radar:")
        return
    _robust(current)
    # Another pair is looked at without drawing the rest of the page anew.
    st.fragment(lambda: _flips(current, [vendor.id for vendor in ranked]))()
    _people(current)


def _robust(current: View) -> None:
    st.subheader("How sure is the ranking?")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Weights to try",
            list(_KINDS),
            format_func=_KINDS.__getitem__,
            key="weights",
            bind="query-params",
            help="10,000 sets of weights are drawn, and what is unknown or old with them.",
        )
        spread = st.slider(
            "Each weight may be off by",
            0,
            100,
            30,
            format="%d %%",
            key="spread",
            bind="query-params",
            disabled=chosen != "around",
        )
    kind = cast(WeightsKind, chosen if chosen in _KINDS else "around")
    try:
        found = robustness(current, kind=kind, spread=min(100, max(0, spread)) / 100)
    except DecisionError as error:
        st.error(plain(error))
        return
    st.markdown(plain(found.sentence))
    st.plotly_chart(
        charts.rank_probabilities(found),
        config={"displayModeBar": False},
        alt="Heat map: how often each vendor takes each place",
    )
    st.caption(
        f"How often each vendor takes each place, in per cent of {found.draws:,} draws. All in one cell is a safe "
        "place; a smear is a place that depends on what you value or do not know yet."
    )
    for each in found.standings:
        if each.dominated_by:
            names = ", ".join(plain(current.name(vendor)) for vendor in each.dominated_by)
            st.markdown(
                f":material/filter_none: {plain(each.name)} is nowhere better than {names}: no weights put it before."
            )
    with st.expander("What you would have to value for each to win"):
        _central(current, found)


def _central(current: View, found: RobustRanking) -> None:
    titles = {criterion.group: criterion.group_title for criterion in current.evaluation.criteria}
    rows = []
    for each in found.standings:
        row: dict[str, object] = {"Vendor": each.name, "Wins": 100 * each.win}
        row |= {titles[group]: each.central.get(group) for group in titles}
        rows.append(row)
    st.caption("Mean weight of each group, in per cent, over the draws that the vendor wins; empty when it wins none.")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        placeholder="never wins",
        column_config={
            "Vendor": st.column_config.TextColumn(pinned=True),
            "Wins": st.column_config.NumberColumn(format="%.1f %%"),
            **{title: st.column_config.NumberColumn(format="%.1f") for title in titles.values()},
        },
        alt="Central weights of each vendor",
    )


def _flips(current: View, ranked: list[str]) -> None:
    st.subheader("What would change it?")
    with st.container(horizontal=True):
        leader = st.selectbox("Is ahead", ranked, format_func=current.name, key="leader", bind="query-params")
        others = [vendor for vendor in ranked if vendor != leader]
        challenger = st.selectbox("Could overtake", others, format_func=current.name, key="other", bind="query-params")
    leader = leader if leader in ranked else ranked[0]
    challenger = challenger if challenger in ranked and challenger != leader else others[0]
    try:
        found = sensitive(current.evaluation, leader=leader, challenger=challenger, criteria=current.catalogue.criteria)
        reasons = compare(current.evaluation, found.leader, found.challenger, at_most=6)
    except DecisionError as error:
        st.error(plain(error))
        return
    st.markdown(plain(found.sentence))
    moving = [flip for flip in found.groups if flip.at is not None]
    if moving:
        st.plotly_chart(
            charts.weight_flips(moving),
            config={"displayModeBar": False},
            alt="For each group its weight today and the weight at which the two are level",
        )
        st.caption(
            "From each group's weight today (circle) to the weight at which the two are level (diamond), all other "
            "weights keeping their proportions. Short lines are the fragile ones; groups without a line cannot flip it."
        )
    why, weights, values = st.tabs(["Why it is ahead", "Weights of criteria", "Values"])
    with why:
        _why(reasons)
    with weights:
        _criteria(found.criteria)
    with values:
        _values(current, found)
    contradictions.listed(find(current.evaluation, [found.leader, found.challenger]), current.evaluation.criteria)
    _unknowns(current, found)


def _why(found: Comparison) -> None:
    st.markdown(plain(found.sentences[0]))
    st.plotly_chart(
        charts.differences(found.reasons[:_SHOWN]),
        config={"displayModeBar": False},
        alt="Points by which each criterion puts one vendor ahead of the other",
    )
    few = f", the largest {_SHOWN} of {len(found.reasons)}" if len(found.reasons) > _SHOWN else ""
    st.caption(
        f"Points by which each criterion puts the first ahead (right) or behind (left){few}; all of them add up to the "
        "difference."
    )
    with st.expander("The same in words"):
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in found.sentences[1:]))


def _criteria(flips: tuple[WeightFlip, ...]) -> None:
    moving = [flip for flip in flips if flip.at is not None]
    if not moving:
        st.markdown("No weight of a single criterion changes the order of these two.")
        return
    st.dataframe(
        pd.DataFrame([{"Criterion": flip.title, "Weight now": flip.now, "Level at": flip.at} for flip in moving]),
        hide_index=True,
        column_config={
            "Criterion": st.column_config.TextColumn(width="large"),
            "Weight now": st.column_config.NumberColumn(format="%.1f %%"),
            "Level at": st.column_config.NumberColumn(format="%.1f %%"),
        },
        alt="Weights of single criteria at which the two vendors are level, the nearest first",
    )


def _values(current: View, found: Sensitivity) -> None:
    if not found.values:
        st.markdown("No single value, however good or bad, changes the order of these two.")
        return
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Vendor": current.name(each.vendor),
                    "Criterion": each.title,
                    "Known": each.known,
                    "Points now": each.points,
                    "Level at": each.at,
                    "Which is": each.value,
                }
                for each in found.values
            ]
        ),
        hide_index=True,
        column_config={
            "Criterion": st.column_config.TextColumn(width="large"),
            "Known": st.column_config.CheckboxColumn(help="Otherwise the points are what the unknown is taken for"),
            "Points now": st.column_config.NumberColumn(format="%.0f"),
            "Level at": st.column_config.NumberColumn(format="%.0f"),
        },
        alt="Points of single criteria at which the two vendors are level, the smallest change first",
    )


def _people(current: View) -> None:
    st.subheader("What each of us would choose")
    try:
        judgements = judgements_of(current.workspace.directory, current.catalogue)
    except CatalogueError as error:
        st.error("\n".join(f"- {plain(problem)}" for problem in error.problems[:20]), title="Weights with errors")
        return
    if not judgements:
        st.markdown("Nobody has kept weights of his own yet. Those of each evaluator stand here side by side.")
        st.page_link(pages.named("weights"), label="Say what matters to you, and keep it", icon=":material/tune:")
        return
    try:
        found = agreement(
            table(current.workspace, current.store, tuple(sorted(vendor.id for vendor in current.shown))),
            judgements,
            preset=None if current.preset == NO_PRESET else current.preset,
            minimum_coverage=current.minimum_coverage,
        )
    except WeightError as error:
        st.error(plain(error), title="Weights with errors")
        return
    st.markdown(plain(found.sentence))
    unsure = [each.name for each in found.people if (each.consistency or 0.0) > weighting.CONSISTENT]
    if unsure:
        st.warning(
            f"The comparisons of {plain(', '.join(unsure))} contradict each other: a consistency ratio above "
            f"{weighting.CONSISTENT:g}.",
            icon=":material/sync_problem:",
        )
    rows = []
    for person in (*found.people, found.together):
        first = {rank: current.name(vendor) for vendor, rank in person.ranks.items() if rank <= 3}
        rows.append(
            {
                "Who": person.name,
                "Weights by": _METHODS.get(person.method, person.method),
                "First": first.get(1, ""),
                "Second": first.get(2, ""),
                "Third": first.get(3, ""),
                "Consistency ratio": person.consistency,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        placeholder="",
        column_config={
            "Consistency ratio": st.column_config.NumberColumn(
                format="%.2f", help="Of comparisons two at a time: above 0.1 they contradict each other"
            )
        },
        alt="First three vendors of each evaluator and of all together",
    )
    titles = {group.id: group.title for group in current.catalogue.groups}
    weights = {titles[group]: {p.name: p.groups[group] for p in (*found.people, found.together)} for group in titles}
    shown = [titles[group] for group in found.disagreement]
    st.caption(
        "Weights of the groups in per cent, those on which you disagree most first. "
        f"Agreement on the order of the {how_many(found.ranked_by_all, 'vendor')} that all of you rank: "
        f"{found.concordance:.2f}, from 0 (none) to 1 (the same order; Kendall's W)."
    )
    st.dataframe(
        pd.DataFrame(weights).T.loc[shown].rename_axis("Group").reset_index(),
        hide_index=True,
        height="content",
        column_config={
            "Group": st.column_config.TextColumn(pinned=True),
            **{each.name: st.column_config.NumberColumn(format="%.1f") for each in (*found.people, found.together)},
        },
        alt="Weights of the groups by evaluator, largest disagreement first",
    )


def _unknowns(current: View, found: Sensitivity) -> None:
    st.subheader("What to find out next")
    if not found.unknowns:
        st.markdown("No single unknown can change who comes first.")
        return
    st.caption("How likely it is that knowing this one thing puts another vendor first, everything else as estimated.")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Vendor": current.name(each.vendor),
                    "Criterion": each.title,
                    "Changes the winner": 100 * each.probability,
                    "Weight": f"{tenths(each.weight)} %",
                    "Why unknown": "known, but old" if each.cause == "aged" else short(each.cause),
                }
                for each in found.unknowns[:_SHOWN]
            ]
        ),
        hide_index=True,
        height="content",
        column_config={
            "Criterion": st.column_config.TextColumn(width="large"),
            "Changes the winner": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
        },
        alt="Unknown criteria by how likely they are to change the winner",
    )
    st.page_link(pages.named("vendor"), label="How to find out: see the vendor's page", icon=":material/storefront:")
