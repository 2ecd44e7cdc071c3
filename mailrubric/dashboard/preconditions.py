"""What could not be measured from here at all: said on top of a page, before anything that rests on it."""

from __future__ import annotations

import streamlit as st

from mailrubric.dashboard.text import plain
from mailrubric.evidence.runs import newest
from mailrubric.evidence.store import Store


def notice(store: Store) -> None:
    """Draw what the newest runs found missing on their machine; nothing when nothing is."""
    said = newest(store.runs())
    if said:
        st.warning("  \n".join(plain(each) for each in said), icon=":material/cloud_off:")
