"""The Streamlit dashboard: pages over the engine, with no logic that the command line lacks."""
