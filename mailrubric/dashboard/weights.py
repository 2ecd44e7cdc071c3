"""Weights: say what matters by an order, by swings or by comparisons, see what it comes to, use it and keep it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pandas as pd
import streamlit as st

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.models import Judgement
from mailrubric.dashboard.state import GROUP_LIMIT, View, concerned, use_groups, view
from mailrubric.dashboard.text import plain
from mailrubric.scoring import weighting
from mailrubric.scoring.elicitation import judgement_text, save_judgement, swings
from mailrubric.scoring.people import judged

_WAYS = {"ranking": "By order", "swing": "By swings", "pairwise": "Two at a time"}
_TIMES = {
    1 / 9: "9 times less",
    1 / 7: "7 times less",
    1 / 5: "5 times less",
    1 / 3: "3 times less",
    1.0: "as much",
    3.0: "3 times more",
    5.0: "5 times more",
    7.0: "7 times more",
    9.0: "9 times more",
}
_MOST_COMPARED = 7
"""Seven groups are 21 comparisons; who has to do more stops thinking."""


def page() -> None:
    """Draw the page."""
    st.title("Weights")
    current = view()
    st.markdown(
        "A weight says what it is worth to go from the worst to the best value. Look at both ends first: what hardly "
        "differs deserves little weight, however important it sounds."
    )
    way = st.segmented_control(
        "How do you want to say it?", list(_WAYS), default="ranking", format_func=_WAYS.__getitem__, key="way",
        bind="query-params",
    )  # fmt: skip
    ask: dict[str, Callable[[Catalogue, list[str]], Judgement | None]] = {
        "ranking": _ranking,
        "swing": _swing,
        "pairwise": _pairwise,
    }
    kinds = {vendor.category for vendor in current.shown}
    groups = [group.id for group in current.catalogue.groups if concerned(current.catalogue, group.id, kinds)]
    judgement = ask.get(str(way), _ranking)(current.catalogue, groups)
    if judgement is not None:
        _outcome(current, judgement)


def _title(catalogue: Catalogue) -> Callable[[str], str]:
    titles = {group.id: group.title for group in catalogue.groups}
    return lambda group: plain(titles.get(group, group))


def _ranking(catalogue: Catalogue, groups: list[str]) -> Judgement | None:
    chosen: list[str] = st.multiselect(
        "Groups, the most important first",
        groups,
        format_func=_title(catalogue),
        key="weights_order",
        placeholder="Choose the one whose swing matters most, then the next",
        help="Groups that you leave out weigh nothing",
    )
    steep = st.toggle("The first ones much more than the others", True, key="weights_steep",
                      help="On: rank order centroid weights. Off: the flatter rank sums.")  # fmt: skip
    _ends(catalogue, groups, chosen)
    if not chosen:
        return None
    return Judgement(ranking=tuple(chosen), rule="centroid" if steep else "sum")


def _swing(catalogue: Catalogue, groups: list[str]) -> Judgement | None:
    st.markdown(
        "Imagine a platform that is at its worst everywhere. Which one group would you lift to its best first? "
        "Give that 100, and the others what their lift is worth beside it."
    )
    points: dict[str, float] = {}
    title = _title(catalogue)
    for group in groups:
        with st.container(border=True):
            points[group] = float(
                st.slider(title(group), 0, 100, 50, 5, key=f"swing_{group}", help="0: does not count at all")
            )
            st.caption(_ends_text(catalogue, group))
    if not any(points.values()):
        st.warning("Every swing is 0, so nothing would count.")
        return None
    return Judgement(swing=points)


def _pairwise(catalogue: Catalogue, groups: list[str]) -> Judgement | None:
    title = _title(catalogue)
    chosen: list[str] = st.multiselect(
        "Groups to compare, three to seven",
        groups,
        format_func=title,
        max_selections=_MOST_COMPARED,
        key="weights_compared",
        placeholder="Groups that you leave out weigh nothing",
    )
    _ends(catalogue, groups, chosen)
    if len(chosen) < 2:
        return None
    more: dict[str, dict[str, float]] = {}
    for one, other in itertools.combinations(chosen, 2):
        times = st.select_slider(
            f"**{title(one)}**, beside **{title(other)}**, matters",
            list(_TIMES),
            1.0,
            format_func=_TIMES.__getitem__,
            key=f"pair_{one}_{other}",
        )
        more.setdefault(one, {})[other] = float(times)
    _, ratio = weighting.pairwise(weighting.comparison_matrix(chosen, more))
    if ratio > weighting.CONSISTENT:
        st.warning(
            f"These comparisons contradict each other (consistency ratio {ratio:.2f}; up to {weighting.CONSISTENT:.2f} "
            "is usual). If A matters more than B and B more than C, A must matter more than C.",
            icon=":material/sync_problem:",
        )
    else:
        st.caption(f"Consistency ratio {ratio:.2f}: the comparisons agree with each other.")
    return Judgement(pairwise=more)


def _ends_text(catalogue: Catalogue, group: str) -> str:
    found = swings(catalogue, group)
    said = [f"{plain(each.question)} {plain(each.worst)} → {plain(each.best)}" for each in found[:3]]
    rest = f" … and {len(found) - 3} more." if len(found) > 3 else ""
    return "  \n".join(said) + rest


def _ends(catalogue: Catalogue, groups: list[str], chosen: list[str]) -> None:
    """Both ends of every group; folded away once the reader has begun to choose."""
    with st.expander("From the worst to the best: what each group's weight is worth", expanded=not chosen):
        for group in groups:
            st.markdown(f"**{_title(catalogue)(group)}**  \n:small[{_ends_text(catalogue, group)}]")


def _outcome(current: View, judgement: Judgement) -> None:
    catalogue = current.catalogue
    weights = judged(judgement, catalogue).groups
    total = sum(weights.values())
    st.subheader("What it comes to")
    frame = pd.DataFrame(
        {
            "Group": [group.title for group in catalogue.groups if weights.get(group.id)],
            "Weight": [100 * weights[group.id] / total for group in catalogue.groups if weights.get(group.id)],
        }
    ).sort_values("Weight", ascending=False, kind="stable")
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"Weight": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100)},
        alt="Share of each group in the whole weight",
    )
    most = max(weights.values())
    sliders = {group.id: GROUP_LIMIT * weights.get(group.id, 0.0) / most for group in catalogue.groups}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Use these weights",
            icon=":material/tune:",
            type="primary",
            on_click=use_groups,
            args=(sliders,),
            help="Sets the sliders of the sidebar; the link in the address bar keeps them",
        )
        name = st.text_input("Whose weights?", key="weights_name", placeholder="ana")
        if st.button("Keep in the workspace", icon=":material/save:", disabled=not name):
            try:
                path = save_judgement(current.workspace.directory, name, catalogue, judgement)
            except (ValueError, FileExistsError, OSError) as error:
                st.error(plain(error), title="Not saved")
            else:
                st.success(f"Saved as {plain(path)}. The page Decision shows it beside the others.")
        st.download_button(
            "Download",
            judgement_text(catalogue, judgement),
            f"{name or 'weights'}.yaml",
            "application/yaml",
            icon=":material/download:",
        )
