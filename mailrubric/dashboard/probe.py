"""Probe: choose vendors, watch the measuring, stop it, and read in plain words why something has no value.

The run lives in a background thread of the server process (``mailrubric.probing.ProbeService``); this page only
starts it, looks at it and asks it to stop.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mailrubric.causes import explain
from mailrubric.dashboard import pages
from mailrubric.dashboard.preconditions import notice
from mailrubric.dashboard.state import View, view
from mailrubric.dashboard.text import plain
from mailrubric.display import how_many
from mailrubric.probing import Job, ProbeService, ProbingError, RunStatus, plan, shared_service
from probes.model import ROLES
from probes.network import Options

ROLE_NAMES = {
    "submission": "Submission",
    "mx": "Receiving (MX)",
    "imap": "IMAP",
    "pop3": "POP3",
    "sieve": "ManageSieve",
    "domain": "Domain (DNS)",
    "sending": "Sending (SPF)",
    "api": "API",
    "status": "Status page",
    "web": "Web site",
}


def page() -> None:
    """Draw the page."""
    st.title("Probe")
    current = view()
    notice(current.store)
    st.markdown(
        "Measures what the servers do: the SMTP session, TLS, certificates, DNS policy, API and status page. "
        "Polite by design: few connections, no mail is sent, and a server that asks for a rest is left alone."
    )
    options = current.everyone
    chosen = st.multiselect(
        "Vendors",
        options,
        default=[vendor.id for vendor in current.shown],
        format_func=current.name,
        key="probe_vendors",
        persist_state="session",
    )
    roles = st.pills(
        "Endpoints",
        list(ROLES),
        selection_mode="multi",
        default=list(ROLES),
        format_func=lambda role: ROLE_NAMES.get(role, role),
        key="probe_roles",
        persist_state="session",
    )
    known = [name for name in chosen if name in current.catalogue.vendors]
    jobs = plan(current.catalogue, known, roles=[role for role in roles if role in ROLES])
    service = shared_service()
    running = service.current(str(current.workspace.directory))
    busy = running is not None and not running.finished
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            f"Probe {len(jobs)} endpoints of {len(known)} vendors",
            type="primary",
            icon=":material/play_arrow:",
            disabled=busy or not jobs,
        ):
            try:
                _start(current, service, jobs)
            except ProbingError as error:
                st.error(plain(error), title="Not started")
            else:
                st.rerun()
        if running is not None and busy and st.button("Stop", icon=":material/stop:"):
            service.cancel(running.run_id)
            st.rerun()
    without = [current.name(name) for name in known if not current.catalogue.endpoints(current.catalogue.vendors[name])]
    if without:
        st.caption(f"No endpoint is known for {plain(', '.join(without))}: nothing to probe there.")
    if running is not None:
        _watch(current, service, busy)
    elif not jobs:
        st.info("Choose at least one vendor with an endpoint.")


def _start(current: View, service: ProbeService, jobs: list[Job]) -> None:
    service.start(
        str(current.workspace.directory),
        jobs,
        options=Options(**current.workspace.network_options()),
        store_url=current.workspace.store_url(),
        concurrency=current.workspace.settings.concurrency,
    )


def _watch(current: View, service: ProbeService, busy: bool) -> None:
    def body() -> None:
        status = service.current(str(current.workspace.directory))
        if status is None:
            return
        _status(current, status)
        if busy and status.finished:
            # The whole page again: its buttons and the ranking's evidence have changed.
            st.rerun(scope="app")

    st.fragment(body, run_every=1.0 if busy else None)()


def _status(current: View, status: RunStatus) -> None:
    share = status.done / status.total if status.total else 1.0
    if not status.finished:
        st.progress(share, text=f"{status.done} of {status.total} endpoints")
    elif status.error:
        st.error(plain(status.error), title="The run stopped")
    elif status.cancelled:
        over = sum(item.state not in ("cancelled", "waiting") for item in status.items)
        st.warning(f"Stopped after {over} of {status.total} endpoints. What was measured is kept.")
    else:
        st.success(
            f"{status.done} endpoints: {status.values} values measured, {status.missing} without a value.",
            icon=":material/check_circle:",
        )
    if status.finished:
        st.page_link(pages.named("ranking"), label="See the ranking", icon=":material/leaderboard:")
    rows = [
        {
            "Vendor": current.name(item.vendor),
            "Endpoint": item.endpoint,
            "State": item.state,
            "Values": item.values,
            "No value": item.missing,
            "Mostly because": explain(item.main_cause).sentence if item.main_cause else "",
        }
        for item in status.items
    ]
    if rows:
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            height=min(560, 60 + 35 * len(rows)),
            column_config={"Mostly because": st.column_config.TextColumn(width="large")},
            alt="State of each endpoint of this run",
        )
    if status.causes:
        st.subheader("Why values are missing, and what to do")
        for cause, count in sorted(status.causes.items(), key=lambda pair: -pair[1]):
            why = explain(cause)
            st.markdown(f"**{plain(why.sentence)}** ({how_many(count, 'value')}, `{cause}`)  \n{plain(why.advice)}")
        if any("--" in explain(cause).advice for cause in status.causes):
            st.caption("Options that begin with two hyphens are those of `mailrubric probe` on the command line.")
