"""Claims that measurements contradict: the same lines on every page that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mailrubric.dashboard.text import plain
from mailrubric.scoring.evaluation import CriterionInfo, VendorScore

_AT_ONCE = 8


def lines(vendor: VendorScore, criteria: Sequence[CriterionInfo]) -> list[str]:
    """Markdown, a line for each: what was asked, what the profile says of it and what was measured."""
    questions = {info.id: info.question for info in criteria}
    return [
        f"**{plain(questions.get(each.subject, 'Endpoint in the profile'))}** {plain(each.sentence)}"
        for each in vendor.contradictions
    ]


def listed(vendors: Sequence[VendorScore], criteria: Sequence[CriterionInfo]) -> None:
    """Draw those of these vendors under a heading, the later ones folded away; nothing when there are none."""
    found = [f"- {plain(vendor.name)}: {line}" for vendor in vendors for line in lines(vendor, criteria)]
    if not found:
        return
    st.subheader("Claims that measurements contradict")
    st.markdown("\n".join(found[:_AT_ONCE]))
    if found[_AT_ONCE:]:
        with st.expander(f"{len(found) - _AT_ONCE} more"):
            st.markdown("\n".join(found[_AT_ONCE:]))
