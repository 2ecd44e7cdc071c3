"""Vendor: every criterion with its value, source, age and contribution; the conversations; the claims."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from mailrubric.causes import explain
from mailrubric.dashboard import charts, contradictions
from mailrubric.dashboard.state import CATEGORY_NAMES, View, find, told_unknown, view
from mailrubric.dashboard.text import link, plain
from mailrubric.display import age_words, interval, points, value_words
from mailrubric.evidence.changes import changes, in_words, observations_of, other_versions, pairs
from mailrubric.evidence.store import ReportSummary
from mailrubric.findings import ways
from mailrubric.scoring.evaluation import Cell, VendorScore
from probes.model import ROLES

KIND_COLOURS = {"measured": "green", "claimed": "blue", "reviewed": "violet", "surveyed": "violet", "tested": "orange"}


def page() -> None:
    """Draw the page."""
    current = view()
    options = current.everyone
    if not options:
        st.info("There is no vendor yet. `mailrubric new vendor ID` writes a profile to start from.")
        return
    told_unknown(current, "vendor")
    chosen = st.selectbox(
        "Vendor",
        options,
        format_func=current.name,
        key="vendor",
        bind="query-params",
        label_visibility="collapsed",
    )
    current = current.including([chosen])
    scores = find(current.evaluation, [chosen])
    if not scores:
        st.info("That vendor is not in this workspace. Choose another.")
        return
    vendor = scores[0]
    profile = current.catalogue.vendors[vendor.id]
    st.title(plain(vendor.name))
    badges = [f":gray-badge[{CATEGORY_NAMES.get(vendor.category, vendor.category)}]"]
    if vendor.lab:
        badges.append(":orange-badge[Lab server, not a real platform]")
    if profile.homepage:
        badges.append(link("Home page", profile.homepage))
    st.markdown(" ".join(badges))
    _figures(vendor)
    for gate in vendor.gates:
        if gate.status == "fail":
            st.error(plain(gate.reason), title="Fails a gate", icon=":material/block:")
    if vendor.contradictions:
        count = len(vendor.contradictions)
        st.warning(
            "\n".join(f"- {line}" for line in contradictions.lines(vendor, current.evaluation.criteria)),
            title=f"{count} of its claims {'is' if count == 1 else 'are'} contradicted by measurements",
            icon=":material/compare_arrows:",
        )
    criteria, conversations, claims = st.tabs(
        ["Criteria", "Conversations", "Claims"], key="vendor_tab", on_change="rerun", bind="query-params"
    )
    if criteria.open:
        with criteria:
            _criteria(current, vendor)
    if conversations.open:
        with conversations:
            _conversations(current, vendor)
    if claims.open:
        with claims:
            _claims(current, vendor)


def _figures(vendor: VendorScore) -> None:
    with st.container(horizontal=True):
        st.metric("Rank", "none" if vendor.rank is None else vendor.rank, border=True)
        st.metric("Score", points(vendor.score), border=True)
        st.metric("Interval", interval(vendor.low, vendor.high), border=True)
        st.metric("Coverage", f"{points(vendor.coverage)} %", border=True)
        undecided = sum(gate.status == "provisional" for gate in vendor.gates)
        failed = sum(gate.status == "fail" for gate in vendor.gates)
        gates = f"{failed} failed" if failed else f"{undecided} undecided" if undecided else "passed"
        st.metric("Gates", gates if vendor.gates else "none", border=True)


def _criteria(current: View, vendor: VendorScore) -> None:
    st.plotly_chart(
        charts.group_scores([vendor]),
        config={"displayModeBar": False},
        alt="Score of each group of criteria with its interval",
    )
    scored = [group for group in vendor.groups if group.applicable and group.score is not None]
    if scored:
        best, worst = (pick(scored, key=lambda group: group.score or 0.0) for pick in (max, min))
        st.caption(
            f"Score of each group over what is known: best in {plain(best.title)} ({points(best.score)}), worst in "
            f"{plain(worst.title)} ({points(worst.score)}). The line goes from where all that is unknown or aged is "
            "worth 0 to where it is worth 100."
        )
    infos = {info.id: info for info in current.evaluation.criteria}
    found = ways(current.catalogue, vendor)
    if found:
        with st.expander(f"What would find out more ({points(sum(way.weight for way in found))} % is unknown)"):
            for way in found:
                questions = ", ".join(way.criteria)
                st.markdown(f"**{points(way.weight)} %** {plain(way.sentence)}  \n:small[{plain(questions, 400)}]")
    for group in vendor.groups:
        cells = [cell for cell in vendor.cells if infos[cell.criterion].group == group.id]
        if not group.applicable:
            st.caption(f"{plain(group.title)}: not applicable to this kind of platform.")
            continue
        score = points(group.score)
        title = (
            f"**{plain(group.title)}** · score {score} · weight {points(group.weight)} % · "
            f"coverage {points(group.coverage)} % · contributes {points(group.contribution)} points"
        )
        with st.expander(title, expanded=group.score is not None and group.coverage > 0):
            for cell in cells:
                _cell(infos[cell.criterion].question, cell)


def _cell(question: str, cell: Cell) -> None:
    if not cell.applicable:
        st.caption(f"{plain(question)} Not applicable.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if cell.score is None:
            st.markdown(f"{plain(question)}", width="stretch")
            st.badge("unknown", color="gray", icon=":material/help:")
        else:
            st.markdown(f"{plain(question)}", width="stretch")
            st.markdown(f"**{plain(value_words(cell.value, cell.unit), 160)}**", width="content")
            st.badge(cell.kind or "", color=KIND_COLOURS.get(cell.kind or "", "gray"))  # type: ignore[arg-type]
            if cell.grade == "unverified":
                st.badge("unverified", color="orange")
            st.badge(f"{points(cell.score)} of 100", color="primary")
    notes = []
    if cell.score is None:
        why = explain(cell.cause or "no_evidence")
        # What to do about nothing being recorded stands once, above; it differs by where the value would come from.
        advice = "" if cell.cause in (None, "no_evidence") else f" {plain(why.advice)}"
        notes.append(plain(why.sentence) + advice)
    else:
        notes.append(f"contributes {cell.contribution or 0:.2f} points (weight {cell.weight:.2f} %)")
        if cell.source.startswith("http"):
            notes.append(link("source", cell.source))
        elif cell.source:
            notes.append(plain(cell.source))
        if cell.observed:
            notes.append(plain(age_words(cell.age_days, cell.observed)))
        if cell.low < cell.score - 0.5 or cell.high > cell.score + 0.5:
            notes.append(f"could be worth {interval(cell.low, cell.high)}")
    if cell.detail:
        notes.append(plain(cell.detail, 300))
    st.caption(" · ".join(notes))


def _conversations(current: View, vendor: VendorScore) -> None:
    reports = current.store.reports(vendor.id)
    if not reports:
        st.info("Nothing was probed yet. The Probe page measures this vendor's servers.")
        return
    newest: dict[str, str] = {}
    for summary in sorted(reports, key=lambda each: ROLES.index(each.role) if each.role in ROLES else len(ROLES)):
        newest.setdefault(summary.endpoint, summary.id)
    endpoint = st.selectbox("Endpoint", list(newest), key="endpoint", bind="query-params")
    report = current.store.report(newest.get(endpoint, reports[0].id))
    st.caption(
        f"{plain(report['started'])} · from vantage “{plain(report['vantage'])}” · "
        f"{len(report['measurements'])} metrics · {report['duration_ms']:.0f} ms"
    )
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Conversation")
        _transcript(report["transcript"])
    with right:
        _certificate(report["measurements"])
        st.subheader("Measurements")
        units = current.catalogue.metrics
        frame = pd.DataFrame(
            {
                "Metric": [row["metric"] for row in report["measurements"]],
                "Value": [
                    ""
                    if row["value"] is None
                    else value_words(row["value"], units[row["metric"]].unit if row["metric"] in units else "")
                    for row in report["measurements"]
                ],
                "No value because": [
                    "" if row["cause"] is None else explain(row["cause"]).sentence for row in report["measurements"]
                ],
                "Detail": [row["detail"] for row in report["measurements"]],
            }
        )
        st.dataframe(frame, hide_index=True, height=560, alt="Metrics measured at this endpoint")
    _changes(current, reports, report["id"])


def _changes(current: View, reports: list[ReportSummary], shown: str) -> None:
    """What is different in the report that is shown from the one before it over the same endpoint and vantage."""
    pair = next((pair for pair in pairs(reports)[0] if pair.after.id == shown), None)
    if pair is None:
        return
    before, after = (observations_of(current.store.report(each.id)) for each in (pair.before, pair.after))
    found = changes(before, after)
    st.subheader("Changes")
    since = f"since {plain(pair.before.started)}"
    versions = other_versions(before, after)
    if versions:
        since += f", when it was measured with other versions of {plain(', '.join(versions))}"
    if not found:
        st.caption(f"Nothing has changed {since}; times count as changed only when they differ much.")
        return
    st.caption(f"What has changed {since}.")
    rows = [(each.after.metric, *in_words(each)) for each in found]
    st.dataframe(
        pd.DataFrame(rows, columns=["Metric", "Was", "Is"]),
        hide_index=True,
        alt="Metrics that have another value than in the run before",
    )


def _certificate(measurements: list[dict[str, Any]]) -> None:
    values = {str(row["metric"]): row["value"] for row in measurements if str(row["metric"]).startswith("certificate.")}
    if values.get("certificate.days_left") is None:
        return
    st.subheader("Certificate")
    days = float(values["certificate.days_left"])
    lines = {
        "For": value_words(values.get("certificate.subject_names")),
        "Issued by": value_words(values.get("certificate.issuer")),
        "Valid": f"{value_words(days, 'd')} more" if days >= 0 else f"expired {value_words(-days, 'd')} ago",
        "Leads to a trusted authority": value_words(values.get("certificate.trusted")),
        "Is for this host": value_words(values.get("certificate.name_matches")),
        "Key": value_words(values.get("certificate.key_type")),
        "Key size": value_words(values.get("certificate.key_bits"), "bit"),
        "Signature": value_words(values.get("certificate.signature_algorithm")),
    }
    st.markdown("  \n".join(f"{name}: **{plain(text, 300)}**" for name, text in lines.items()))


def _transcript(steps: list[dict[str, object]]) -> None:
    marks = {"in": "S", "out": "C", "note": "·"}
    connections = sorted({int(str(step.get("connection", 0))) for step in steps})
    for connection in connections:
        lines = [
            f"{float(str(step['ms'])):9.1f} ms  {marks.get(str(step['direction']), '?')}  {step['text']}"
            for step in steps
            if int(str(step.get("connection", 0))) == connection
        ]
        st.caption(f"Connection {connection}" if connection else "Notes")
        st.code("\n".join(lines), language=None, wrap_lines=True)
    st.caption("S: the server said. C: we said. Times since the probe of this endpoint began.")


def _claims(current: View, vendor: VendorScore) -> None:
    profile = current.catalogue.vendors[vendor.id]
    if not profile.facts:
        st.info("The profile states no facts.")
        return
    rows = []
    for name, fact in sorted(profile.facts.items()):
        declared = current.catalogue.facts.get(name)
        disputed = "; ".join(
            f"{value_words(other.value, '')} ({other.source}, {other.as_of})" for other in fact.disputed
        )
        rows.append(
            {
                "Fact": name.replace("_", " "),
                "Value": value_words(fact.value, declared.unit if declared else ""),
                "As of": fact.as_of,
                "Grade": fact.grade,
                "Source": fact.source if fact.source.startswith(("http://", "https://")) else None,
                "Note": fact.note,
                "Other sources say": disputed,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"Source": st.column_config.LinkColumn(display_text="open")},
        alt="Facts the profile states, each with its source",
    )
    if profile.plans:
        st.subheader("Plans")
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Plan": plan.name,
                        "A month": f"{plan.monthly:g} {plan.currency}" + (" per user" if plan.per_user else ""),
                        "Emails included": plan.included_emails,
                        "Per further thousand": plan.overage_per_thousand,
                        "As of": plan.as_of,
                        "Source": plan.source if plan.source.startswith("http") else None,
                    }
                    for plan in profile.plans
                ]
            ),
            hide_index=True,
            column_config={"Source": st.column_config.LinkColumn(display_text="open")},
        )
