"""The dashboard's entry: the list of pages and nothing else."""

import streamlit as st

from mailrubric.dashboard import pages

st.set_page_config(page_title="Mailrubric", page_icon=str(pages.ICON), layout="wide")
st.navigation(pages.navigation()).run()
