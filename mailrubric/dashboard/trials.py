"""Trials: what a team finds out by hand, asked for and summed up: tasks with a clock, surveys, references, tickets.

Everything is written into the workspace's ``trials/`` by the functions that the command line uses.
"""

from __future__ import annotations

import dataclasses
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from mailrubric.causes import explain
from mailrubric.dashboard import charts
from mailrubric.dashboard.state import View, told_unknown, view
from mailrubric.dashboard.text import label, plain
from mailrubric.display import how_many, one_line, tenths, value_words
from mailrubric.evidence.observation import Observation
from mailrubric.evidence.times import written
from mailrubric.trials import folder, support, surveys, tasks
from mailrubric.trials.folder import Trials
from mailrubric.trials.table import TableError

SHOWN = {
    "survey.sus": ("Usability (SUS)", "Score, 0 to 100", (0.0, 100.0)),
    "survey.reference_score": ("References", "Would choose it again, 0 to 10", (0.0, 10.0)),
    "trial.first_send_minutes": ("First message", "Minutes of work from sign-up", None),
    "trial.tasks_completed": ("Tasks completed", "Per cent of the tasks that came to an end", (0.0, 100.0)),
    "trial.support_first_reply_hours": ("First reply", "Median hours, by the clock", None),
    "trial.support_solved_hours": ("Solution", "Median hours, by the clock", None),
    "trial.support_helpful_share": ("Helpful answers", "Per cent of the tickets", (0.0, 100.0)),
}
"""Metric → short name, title of the axis, its range where the scale has ends."""
CHANNELS = ("email", "chat", "phone", "form", "forum")
_HAPPENED = {
    "First reply": ("first_reply",),
    "Solved": ("solved",),
    "Reply that solved it": ("first_reply", "solved"),
}
_STATES = {
    "running": ":green-badge[the clock runs]",
    "paused": ":orange-badge[paused]",
    "done": ":blue-badge[done]",
    "gave-up": ":red-badge[given up]",
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """What the parts of the page share. ``zone``: the viewer's time zone."""

    current: View
    trials: Trials
    vendor: str
    now: datetime
    zone: tzinfo
    zone_name: str


def page() -> None:
    """Draw the page."""
    st.title("Trials")
    current = view()
    st.markdown(
        "What no probe can see: try the platforms by hand, let people answer, ask the support something. Every answer "
        "is a line in a file of the workspace's `trials/` folder, to be kept in git, and counts in the scores at once."
    )
    now = datetime.now(UTC).replace(microsecond=0)
    found = folder.of_workspace(current.workspace.directory, current.catalogue)
    options = current.everyone
    if not options:
        st.info("There is no vendor yet. Add one to vendors/.")
        return
    told_unknown(current, "trial_vendor")
    # To begin with, one of which there is something to see.
    tried = {each.vendor for each in folder.observations(found, now)}
    begin = next((index for index, name in enumerate(options) if name in tried), 0)
    vendor = st.selectbox("Vendor", options, begin, format_func=current.name, key="trial_vendor", bind="query-params")
    zone, zone_name = _zone()
    place = _Place(current, found, vendor if vendor in options else options[0], now, zone, zone_name)
    parts: dict[str, Callable[[_Place], None]] = {
        "Overview": _overview,
        "Tasks": _tasks,
        "Usability": _usability,
        "References": _references,
        "Support": _support,
    }
    chosen = st.segmented_control(
        "Part", list(parts), default="Overview", key="trial_part", bind="query-params", label_visibility="collapsed"
    )
    parts.get(str(chosen), _overview)(place)


def _zone() -> tuple[tzinfo, str]:
    name = st.context.timezone
    try:
        return (zoneinfo.ZoneInfo(name), name) if name else (UTC, "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC, "UTC"


def _written(write: Callable[[], object], said: str) -> None:
    """Write, say so and draw the page anew; or say what kept it from being written."""
    try:
        write()
    except (ValueError, TableError, OSError) as error:
        st.error(plain(error), title="Nothing was written", icon=":material/error:")
    else:
        st.toast(said, icon=":material/check:")
        st.session_state["trial_form"] = int(st.session_state.get("trial_form", 0)) + 1
        st.rerun()


def _form_key(name: str, place: _Place) -> str:
    """A key that changes with every answer, so that the next one begins with an empty form."""
    return f"{name}_{place.vendor}_{st.session_state.get('trial_form', 0)}"


# --- overview ---------------------------------------------------------------------------------------------------------


def _overview(place: _Place) -> None:
    observations = folder.observations(place.trials, place.now)
    if not observations:
        st.info(
            "Nothing has been tried or answered yet. Choose a vendor above, then begin with the tasks: the first one "
            "is to sign up. On the command line: mailrubric trial start VENDOR sign-up."
        )
        return
    by_metric = {name: [each for each in observations if each.metric == name] for name in SHOWN}
    present = [name for name, found in by_metric.items() if found]
    metric = st.pills("What", present, default=present[0], format_func=lambda name: SHOWN[name][0], key="trial_metric")
    metric = metric if metric in present else present[0]
    _compared(place, metric, by_metric[metric])
    st.subheader(plain(place.current.name(place.vendor)))
    own = [each for each in observations if each.vendor == place.vendor]
    sentences = _sentences(place)
    if not own:
        st.markdown("Nothing has been tried or answered about it yet.")
        return
    for sentence in sentences:
        st.markdown(f"- {plain(sentence)}")


def _sentences(place: _Place) -> list[str]:
    """What is known of the vendor, in words."""
    said = []
    sus, references = surveys.summarise(place.trials.answers)
    if place.vendor in sus:
        said.append(f"System Usability Scale: {sus[place.vendor].sentence}")
    if place.vendor in references:
        said.append(f"References: {references[place.vendor].sentence}")
    trial = place.trials.trials.get(place.vendor)
    if trial is not None:
        category = place.trials.categories[place.vendor]
        found = tasks.summarise(trial, place.trials.tasks, category, place.now)
        said += found.sentences if found.work else ()
    tickets = support.summarise(place.trials.tickets, tasks.hours_of(place.trials.trials), place.now)
    if place.vendor in tickets:
        said += tickets[place.vendor].sentences
    return said


def _compared(place: _Place, metric: str, found: list[Observation]) -> None:
    known = _in_order(metric, found)
    if known:
        st.plotly_chart(
            _intervals(place, metric, known), config={"displayModeBar": False}, alt=f"{SHOWN[metric][0]} of each vendor"
        )
        said = f"{SHOWN[metric][1]}: the best is {plain(place.current.name(known[0].vendor))} with "
        said += f"{plain(value_words(known[0].value, known[0].unit))}"
        said += f", of {how_many(len(known), 'vendor')}. "
        if metric == "trial.first_send_minutes":
            said += "The point is the median of the testers, the line goes from the quickest to the slowest."
        elif SHOWN[metric][2] is None:
            said += "The line is the 95 % interval; where it reaches the right edge, so few tickets bound nothing."
        else:
            said += "The line is the 95 % interval; where two overlap much, the order may be chance."
        st.caption(said)
    heading = SHOWN[metric][0] + (f" ({found[0].unit})" if found[0].unit else "")
    rows: list[dict[str, object]] = [
        {
            "Vendor": place.current.name(each.vendor),
            heading: None if each.value is None else _number(each),
            "Interval": _interval(each),
            "Answers": each.n,
            "Newest": each.observed[:10],
            "Why unknown": "" if each.cause is None else each.detail or explain(each.cause).sentence,
        }
        for each in (*known, *(each for each in found if each.value is None))
    ]
    if len(known) == len(found):
        for row in rows:
            del row["Why unknown"]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        placeholder="unknown",
        column_config={
            "Vendor": st.column_config.TextColumn(pinned=True, width="medium"),
            heading: st.column_config.NumberColumn(format="%.1f"),
            "Interval": st.column_config.TextColumn(help="Open where so few tickets bound nothing"),
            "Answers": st.column_config.NumberColumn(help="Answers, testers, tasks or tickets behind the value"),
            "Why unknown": st.column_config.TextColumn(width="large"),
        },
        alt=f"{SHOWN[metric][0]} of each vendor with its interval",
    )


def _interval(each: Observation) -> str | None:
    if each.low is None or each.high is None:
        return None
    # In the unit of the column beside it.
    return f"{tenths(each.low)} to {'open' if each.high == folder.OPEN_END else tenths(each.high)}"


def _intervals(place: _Place, metric: str, known: list[Observation]) -> go.Figure:
    """A point and a line a vendor, in the order given."""
    _, title, ends = SHOWN[metric]
    shown = known
    closed = [
        each.high for each in shown if each.high is not None and each.high != folder.OPEN_END
    ] + [_number(each) for each in shown]  # fmt: skip
    edge = ends[1] if ends is not None else 1.15 * max(closed) or 1.0
    names = [label(place.current.name(each.vendor), 34) for each in shown]
    colours = charts.palette()
    figure = go.Figure()
    for each, name in zip(shown, names, strict=True):
        low = each.low if each.low is not None else _number(each)
        high = min(edge, each.high) if each.high is not None else _number(each)
        figure.add_scatter(
            x=[low, high], y=[name, name], mode="lines", line={"color": colours.interval, "width": 1.6},
            hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        x=[_number(each) for each in shown],
        y=names,
        mode="markers",
        marker={"size": 12, "color": colours.score},
        hovertemplate=[
            f"%{{y}}: {label(value_words(each.value, each.unit))}, n = {each.n}<extra></extra>" for each in shown
        ],
    )
    span = edge - (ends[0] if ends is not None else 0.0)
    figure.update_xaxes(range=[-0.02 * span, edge + (0.02 * span if ends else 0)], title_text=title, fixedrange=True)
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], fixedrange=True, automargin=True, ticksuffix="  "
    )
    figure.update_layout(
        height=max(150, 34 * len(shown) + 80), margin={"l": 0, "r": 8, "t": 8, "b": 34}, showlegend=False
    )
    return charts.readable(figure)


def _in_order(metric: str, found: list[Observation]) -> list[Observation]:
    """Those with a value, the best first: on a scale with ends that is the most, of a time the least."""
    sign = -1.0 if SHOWN[metric][2] is not None else 1.0
    return sorted(
        (each for each in found if each.value is not None), key=lambda each: (sign * _number(each), each.vendor)
    )


def _number(each: Observation) -> float:
    return float(each.value) if isinstance(each.value, int | float) else 0.0


# --- tasks ------------------------------------------------------------------------------------------------------------


def _tasks(place: _Place) -> None:
    tester = st.text_input(
        "Tester", "tester-1", max_chars=64, key="tester", bind="query-params", help="A label, not a name"
    )
    try:
        tester = tasks.tester_label(tester.strip())
    except ValueError as error:
        st.error(plain(error))
        return
    trial = place.trials.trials.get(place.vendor)
    works = trial.work if trial is not None else ()
    running = any(work.state == "running" for work in works)
    # The minutes go on while the page is open.
    st.fragment(lambda: _task_list(place, tester), run_every=20.0 if running else None)()
    st.caption(
        f"Kept in trials/{plain(place.vendor)}.yaml as a log that only grows. Pauses do not count. The list of tasks "
        "is your own after: mailrubric trial tasks --write."
    )
    if trial is not None and works:
        summary = tasks.summarise(trial, place.trials.tasks, place.trials.categories[place.vendor], place.now)
        st.subheader("So far")
        for sentence in summary.sentences:
            st.markdown(f"- {plain(sentence)}")


def _task_list(place: _Place, tester: str) -> None:
    trial = place.trials.trials.get(place.vendor)
    now = datetime.now(UTC).replace(microsecond=0)
    listed = tasks.applicable(place.trials.tasks, place.trials.categories[place.vendor])
    works = {task.id: trial.of(tester, task.id) if trial is not None else None for task in listed}
    nothing_runs = all(work is None or work.state != "running" for work in works.values())
    following = next((task.id for task in listed if works[task.id] is None), "") if nothing_runs else ""
    for task in listed:
        work = works[task.id]
        with st.container(border=True):
            words, buttons = st.columns([0.55, 0.45], vertical_alignment="center")
            with words:
                state = _STATES[work.state] if work is not None else ":gray-badge[not begun]"
                minutes = f" {work.minutes(now):.0f} min" if work is not None else ""
                st.markdown(f"**{plain(task.title)}**  \n{state}{minutes}")
                for note in work.notes if work is not None else ():
                    st.caption(plain(note))
            with buttons:
                _buttons(place, tester, task, work, first=task.id == following)


def _buttons(place: _Place, tester: str, task: tasks.Task, work: tasks.Work | None, *, first: bool) -> None:
    """``first``: this is the task to begin next."""
    state = work.state if work is not None else None
    key = f"{place.vendor}_{task.id}"
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="right"):
        if state == "running":
            if st.button("Pause", icon=":material/pause:", key=f"pause_{key}"):
                _log(place, tester, task, "pause")
        elif st.button(
            {None: "Start", "paused": "Go on"}.get(state, "Start again"),
            icon=":material/play_arrow:",
            key=f"start_{key}",
            type="primary" if first or state == "paused" else "secondary",
        ):
            _log(place, tester, task, "start")
        if state in ("running", "paused"):
            if st.button(
                "Done",
                icon=":material/check:",
                key=f"done_{key}",
                type="primary" if state == "running" else "secondary",
            ):
                _log(place, tester, task, "done")
            if st.button("Give up", icon=":material/close:", key=f"gave_{key}"):
                _log(place, tester, task, "gave-up")
        with st.popover("Note", icon=":material/edit_note:"):
            form = _form_key(f"note_{task.id}", place)
            with st.form(form, border=False):
                note = st.text_area("What was seen on the way", max_chars=tasks.LONGEST_NOTE, key=f"{form}_text")
                if st.form_submit_button("Write it down") and note.strip():
                    _log(place, tester, task, "note", note)


def _log(place: _Place, tester: str, task: tasks.Task, event: tasks.EventKind, note: str = "") -> None:
    when = written(datetime.now(UTC))
    entry = tasks.Event(at=when, tester=tester, task=task.id, event=event, note=one_line(note)[: tasks.LONGEST_NOTE])
    _written(
        lambda: tasks.log(
            place.trials.folder, place.vendor, [entry], place.trials.categories, place.trials.tasks
        ),
        f"{task.id}: {event.replace('-', ' ')}",
    )  # fmt: skip


# --- surveys ----------------------------------------------------------------------------------------------------------


def _usability(place: _Place) -> None:
    st.markdown(
        f"Ten statements about **{plain(place.current.name(place.vendor))}**, for one person who has tried it, from 1 "
        "(strongly disagree) to 5 (strongly agree). Every second one says the contrary of the others."
    )
    form = _form_key("sus", place)
    with st.form(form):
        answers = [
            st.segmented_control(
                f"{number}. {statement}", [1, 2, 3, 4, 5], format_func=_agreement, key=f"{form}_q{number}"
            )
            for number, statement in enumerate(surveys.ITEMS, 1)
        ]  # fmt: skip
        comment = st.text_input("A remark, without names", max_chars=1000, key=f"{form}_comment")
        if st.form_submit_button("Keep this answer", type="primary", icon=":material/save:"):
            missing = [str(number) for number, answer in enumerate(answers, 1) if answer is None]
            if missing:
                st.error(f"Not kept yet: please answer statement {', '.join(missing)} too.")
            else:
                items = tuple(int(answer) for answer in answers if answer is not None)
                given = surveys.Answer(place.vendor, "sus", _today(place), items, None, one_line(comment))
                _written(
                    lambda: surveys.add(place.trials.folder, given), f"Kept: {surveys.sus_score(items):.1f} of 100"
                )
    _said(surveys.summarise(place.trials.answers)[0].get(place.vendor))
    st.caption("System Usability Scale, Brooke 1996; grades and percentiles after Sauro and Lewis 2016.")


def _agreement(answer: int) -> str:
    return {1: "1 disagree", 5: "5 agree"}.get(answer, str(answer))


def _references(place: _Place) -> None:
    name = plain(place.current.name(place.vendor))
    st.markdown(f"One question to somebody who uses **{name}**. Note what kind of team it is, not who.")
    form = _form_key("reference", place)
    with st.form(form):
        score = st.segmented_control(
            surveys.REFERENCE_QUESTION, list(range(11)), key=f"{form}_score"
        )  # fmt: skip
        comment = st.text_input("A remark, without names", max_chars=1000, key=f"{form}_comment")
        if st.form_submit_button("Keep this answer", type="primary", icon=":material/save:"):
            if score is None:
                st.error("Not kept yet: please choose a figure.")
            else:
                given = surveys.Answer(place.vendor, "reference", _today(place), (), int(score), one_line(comment))
                _written(lambda: surveys.add(place.trials.folder, given), f"Kept: {score} of 10")
    _said(surveys.summarise(place.trials.answers)[1].get(place.vendor))
    st.caption(
        "The mean of 0 to 10 counts in the score; the net promoter score is shown with its adjusted Wald interval."
    )


def _said(summary: surveys.SusSummary | surveys.ReferenceSummary | None) -> None:
    st.subheader("So far")
    st.markdown("No answer yet." if summary is None else plain(summary.sentence))


def _today(place: _Place) -> str:
    # In UTC, as all of the evidence: a day that has not begun there would not count yet.
    return place.now.date().isoformat()


# --- support ----------------------------------------------------------------------------------------------------------


def _support(place: _Place) -> None:
    tickets = [each for each in place.trials.tickets if each.vendor == place.vendor]
    waiting = [each for each in tickets if each.first_reply is None or each.solved is None or each.helpful is None]
    st.markdown(
        "Ask the support what its documentation should say, or for something that only it can do, and note when a "
        f"person replied and when it was solved. An automatic receipt is no reply. Times in {plain(place.zone_name)}."
    )
    left, right = st.columns(2)
    with left:
        st.markdown("**A new ticket**")
        _new_ticket(place)
    with right:
        st.markdown("**What came of it**")
        if waiting:
            _came_of(place, waiting)
        else:
            st.caption("No ticket waits.")
    _ticket_table(place, tickets)
    found = support.summarise(tickets, tasks.hours_of(place.trials.trials), place.now).get(place.vendor)
    st.subheader("So far")
    if found is None:
        st.markdown("No ticket yet.")
        return
    for sentence in found.sentences:
        st.markdown(f"- {plain(sentence)}")
    st.caption(
        f"Working hours: {plain(found.hours)}."
        if found.hours
        else f"For waits in working hours, state support_hours in trials/{plain(place.vendor)}.yaml: "
        "zone, days and hours of its support."
    )


def _new_ticket(place: _Place) -> None:
    form = _form_key("ticket", place)
    with st.form(form):
        channel = st.selectbox("Channel", CHANNELS, key=f"{form}_channel")
        opened = _moment("Opened", place, f"{form}_opened")
        note = st.text_input("What was asked, without names", max_chars=1000, key=f"{form}_note")
        if st.form_submit_button("Write it down", type="primary", icon=":material/save:"):
            if opened is None:
                st.error("Not kept yet: when was it opened?")
            else:
                ticket = support.Ticket(place.vendor, str(channel), opened, note=one_line(note))
                _written(lambda: support.open_ticket(place.trials.folder, ticket), "Ticket written down")


def _came_of(place: _Place, waiting: list[support.Ticket]) -> None:
    form = _form_key("came", place)
    with st.form(form):
        chosen = st.selectbox(
            "Ticket", range(len(waiting)), format_func=lambda at: _ticket_name(place, waiting[at]), key=f"{form}_ticket"
        )
        what = st.segmented_control("What happened", list(_HAPPENED), default="First reply", key=f"{form}_what")
        when = _moment("When", place, f"{form}_when")
        helpful = st.segmented_control("Did the answer help?", ["yes", "no"], key=f"{form}_helpful")
        if st.form_submit_button("Write it down", type="primary", icon=":material/save:"):
            ticket = waiting[chosen if chosen is not None and chosen < len(waiting) else 0]
            columns = _HAPPENED.get(str(what), ())
            changes = {} if when is None else {column: written(when) for column in columns}
            if helpful:
                changes["helpful"] = str(helpful)
            if changes:
                _written(lambda: support.update_ticket(place.trials.folder, ticket, changes), "Ticket filled in")
            else:
                st.error("Not kept yet: choose what happened and when, or whether it helped.")


def _moment(name: str, place: _Place, key: str) -> datetime | None:
    """A time in the viewer's zone, in UTC."""
    # The same preset on every run of one form, so that the widget keeps what was chosen.
    local = st.session_state.setdefault(
        f"{key}_preset", place.now.astimezone(place.zone).replace(tzinfo=None, second=0)
    )
    given = st.datetime_input(name, local, key=key, step=60)
    return None if given is None else given.replace(tzinfo=place.zone).astimezone(UTC)


def _ticket_name(place: _Place, ticket: support.Ticket) -> str:
    opened = ticket.opened.astimezone(place.zone).strftime("%Y-%m-%d %H:%M")
    return one_line(f"{opened} {ticket.channel} {ticket.note}".strip())[:80]


def _ticket_table(place: _Place, tickets: list[support.Ticket]) -> None:
    if not tickets:
        return

    def local(when: datetime | None) -> str | None:
        return None if when is None else when.astimezone(place.zone).strftime("%Y-%m-%d %H:%M")

    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Opened": local(each.opened),
                    "Channel": one_line(each.channel),
                    "First reply": local(each.first_reply),
                    "Solved": local(each.solved),
                    "Helped": {True: "yes", False: "no", None: None}[each.helpful],
                    "Note": one_line(each.note),
                }
                for each in sorted(tickets, key=lambda each: each.opened, reverse=True)
            ]
        ),
        hide_index=True,
        placeholder="not yet",
        alt="Tickets of this vendor, the newest first",
    )
