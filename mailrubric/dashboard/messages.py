"""Messages: what real mail shows of the platform that sent it, one message by one and over weeks; keeping it."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

from mailrubric.causes import explain, short
from mailrubric.dashboard import message_charts
from mailrubric.dashboard.state import View, view
from mailrubric.dashboard.text import plain
from mailrubric.display import how_many
from mailrubric.evidence.store import StoreError
from mailrubric.mail.aggregate import Aggregate, Figure
from mailrubric.mail.analysis import Analysis, Settings
from mailrubric.mail.cadence import Cadence, Estimate, Feature, Known, Recipient, Rules, cadence, cases
from mailrubric.mail.cadence_metrics import METRICS as CADENCE_METRICS
from mailrubric.mail.cadence_metrics import TITLES as CADENCE_TITLES
from mailrubric.mail.cadence_metrics import observations
from mailrubric.mail.message import AnalysedMessage
from mailrubric.mail.metrics import METRICS, TITLES
from mailrubric.mail.recipients import RecipientsError, moment, parse
from mailrubric.mail.words import figure_words, interval_words
from probes.network import Options

FOLDER = "mail"
"""Under the workspace: mailboxes that are too large to be uploaded, or that are folders."""
MOST_MESSAGES = 100_000
"""That one session keeps; more are read by ``mailrubric mail`` on the command line."""
_LARGEST_MEGABYTES = 200
_ENDINGS = (".eml", ".mbox", ".mbx")
_UNKNOWN = "unknown"
_UPLOAD = "Upload"
_SHOWN = 200
_WATCHED = 1000
_METRICS = {metric.key: metric for metric in (*METRICS, *CADENCE_METRICS)}
_NAMES: Mapping[str, str] = {**TITLES, **CADENCE_TITLES}
_DRAWN = frozenset(metric.key for metric in METRICS if metric.unit == "%") - {
    "trial.bulk_share",
    "trial.dkim_body_unsigned_share",
    "trial.dmarc_stated_pass_share",
    "trial.picture_only_share",
    "trial.plain_text_likeness",
}
"""Shares that the chart shows; the table has the others, too."""
_FEATURES: Mapping[str, Feature] = {"sending by local time": "local-time", "letting go who never opens": "sunset"}


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    """One mailbox, read. ``key``: which, and how. ``messages``: what cadence needs of each; ``skipped``: how many were
    not read, by reason."""

    key: str
    total: Aggregate
    messages: tuple[AnalysedMessage, ...]
    skipped: dict[str, int]
    cut: bool


def page() -> None:
    """Draw the page."""
    st.title("Messages")
    current = view()
    done = st.session_state.pop("messages_stored", None)
    if done:
        st.success(done, icon=":material/task_alt:")
    read = _source(current)
    if read is None:
        return
    _lead(read)
    if not read.total.messages:
        return
    total = read.total.taken_for_bulk() if _all_bulk(read) else read.total
    _signed(total)
    found = _over_weeks(read)
    if found is not None:
        _keep(current, total, found)


# --- reading ----------------------------------------------------------------------------------------------------------


def _source(current: View) -> _Read | None:
    boxes = _mailboxes(current.workspace.directory)
    chosen = _UPLOAD
    if boxes:
        chosen = st.segmented_control("From where?", [_UPLOAD, *boxes], default=_UPLOAD, key="mailbox") or _UPLOAD
    if chosen in boxes:
        ask, options = _dns(current)
        path = current.workspace.directory / FOLDER / chosen
        try:
            return _path(str(path), _stamp(path), ask, options)
        except OSError as error:
            st.error(f"This mailbox cannot be read: {plain(error.strerror or error)}", icon=":material/error:")
            return None
    upload = st.file_uploader(
        "Messages (.eml or mbox)",
        type=[ending[1:] for ending in _ENDINGS],
        max_upload_size=_LARGEST_MEGABYTES,
        key="messages_file",
        help=f"Maildirs and larger mailboxes: put them into the folder {FOLDER} of the workspace, or use "
        "mailrubric mail on the command line. An upload is read once and not kept.",
    )
    ask, options = _dns(current)
    if upload is None:
        st.info(
            "Choose mail that a platform has sent: a trial of your own, or what its customers sent to mailboxes of "
            "yours. One message shows how it is signed and encrypted; some weeks of them show how much comes, when, "
            "and whether the sender heeds who does not read it.",
            icon=":material/mail:",
        )
        return None
    data = upload.getvalue()
    return _bytes(data, hashlib.sha256(data).hexdigest(), ask, options)


def _dns(current: View) -> tuple[bool, Options | None]:
    ask = st.toggle(
        "Ask DNS for the keys of the signatures",
        key="messages_dns",
        help="Without it nothing is asked of the network, and it stays unknown whether signatures are good.",
    )
    return ask, Options(**current.workspace.network_options()) if ask else None


def _all_bulk(read: _Read) -> bool:
    # Of one mailbox: what was said of it must not be taken for said of the next.
    return st.toggle(
        "All of this is bulk mail",
        key=f"messages_bulk {read.key}",
        help="Shares of the bulk messages are then of all messages. Otherwise a message counts as bulk mail only by "
        "other signs than the field that is counted, and where these are too few, the share is unknown.",
    )


def _mailboxes(workspace: Path) -> list[str]:
    """Files and folders under the workspace's ``mail``; links out of it do not count."""
    try:
        found = [
            each.name
            for each in (workspace / FOLDER).iterdir()
            if not each.is_symlink() and not each.name.startswith(".") and (each.is_dir() or each.suffix in _ENDINGS)
        ]
    except OSError:
        return []
    return sorted(found)[:_SHOWN]


def _stamp(path: Path) -> tuple[tuple[str, int], ...]:
    """Changes when the mailbox does: times of its files of many messages, and of folders, which new mail touches."""
    places = [path]
    for root, folders, files in os.walk(path):
        places += (Path(root, name) for name in (*folders, *files) if name in folders or name.endswith(_ENDINGS[1:]))
        if len(places) > _WATCHED:
            break
    return tuple((str(each), each.stat().st_mtime_ns) for each in places[:_WATCHED])


@st.cache_resource(max_entries=2, show_spinner="Reading the messages…")
def _path(path: str, stamp: tuple[tuple[str, int], ...], ask: bool, _options: Options | None) -> _Read:
    return _all(Path(path), _options, repr((path, stamp, ask)))


@st.cache_resource(max_entries=2, show_spinner="Reading the messages…")
def _bytes(_data: bytes, digest: str, ask: bool, _options: Options | None) -> _Read:
    with tempfile.TemporaryDirectory(prefix="mailrubric-") as folder:
        # Never by the name it came with; what it is, its first bytes say.
        path = Path(folder) / "upload.eml"
        path.write_bytes(_data)
        return _all(path, _options, repr((digest, ask)))


def _all(path: Path, options: Options | None, key: str) -> _Read:
    total = Aggregate()
    kept: list[AnalysedMessage] = []
    analysis = Analysis(path, options=options, settings=Settings())
    cut = False
    for message in analysis:
        if total.messages >= MOST_MESSAGES:
            cut = True
            break
        total.add(message)
        kept.append(_slim(message))
    return _Read(key, total, tuple(kept), dict(analysis.skipped), cut)


def _slim(message: AnalysedMessage) -> AnalysedMessage:
    """What cadence needs, and no more: a session may hold a hundred thousand."""
    return AnalysedMessage(
        sent=message.sent,
        arrived=message.arrived,
        from_domain=message.from_domain,
        recipient=message.recipient,
        seen=message.seen,
        bulk=message.bulk,
        feedback_id=message.feedback_id,
        campaign_id=message.campaign_id,
        subject=message.subject,
    )


# --- one by one -------------------------------------------------------------------------------------------------------


def _lead(read: _Read) -> None:
    total = read.total
    when = f", {total.first:%Y-%m-%d} to {total.last:%Y-%m-%d}" if total.first and total.last else ""
    senders = total.senders.most_common(3)
    who = ", ".join(f"{plain(name, 60)} ({count:,})" for name, count in senders)
    more = f" and {len(total.senders) - 3:,} more" if len(total.senders) > 3 else ""
    st.markdown(f"**{total.messages:,} messages**{when}" + (f" from {who}{more}." if who else "."))
    notes = [f"{count:,} not read: {plain(reason)}" for reason, count in sorted(read.skipped.items())]
    if read.cut:
        notes.append(f"only the first {MOST_MESSAGES:,} messages were read; the command line reads more")
    if notes:
        st.warning("\n".join(f"- {each}" for each in notes), title="Not everything was read")


def _signed(total: Aggregate) -> None:
    st.subheader("Authentication, encryption, unsubscribing")
    figures = total.figures()
    known = [
        (_NAMES[each.metric], float(each.value), each.low, each.high, each.n)
        for each in figures
        if each.metric in _DRAWN and each.value is not None and each.low is not None and each.high is not None
    ]
    if known:
        st.plotly_chart(
            message_charts.shares(known),
            config={"displayModeBar": False},
            alt="Share of the messages that have each property, with its interval",
        )
        st.caption(
            "Share of the messages with each property, of those of which it is known (their number in brackets); the "
            "line is the 95 % interval."
        )
    _missing([(_NAMES[each.metric], each.cause, each.detail) for each in figures if each.metric in _DRAWN])
    inferred, why = total.sharing()
    addresses = total.addresses()
    if addresses:
        st.markdown(
            f"Sent from **{len(addresses):,}** address{'es' if len(addresses) > 1 else ''}, by what this mailbox shows "
            f"**{plain(inferred)}**: {plain(why)}."
        )
    with st.expander("Every figure, and the addresses"):
        st.dataframe(_table_of(figures), hide_index=True, placeholder="", alt="Every figure about the messages")
        if addresses:
            st.dataframe(
                pd.DataFrame(addresses[:_SHOWN], columns=["Address", "Network", "Sender domains"]),
                hide_index=True,
                alt="Addresses that the messages came from",
            )


def _missing(given: list[tuple[str, str, str]]) -> None:
    """Why there is no figure, one line for each cause."""
    by_cause: dict[str, list[str]] = {}
    for name, cause, _ in given:
        if cause and cause != "not_applicable":
            by_cause.setdefault(cause, []).append(name)
    for cause, names in by_cause.items():
        words = explain(cause)
        st.caption(f"Unknown ({plain(', '.join(names))}): {plain(words.sentence)} {plain(words.advice)}")


def _table_of(figures: list[Figure]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Figure": _NAMES[each.metric],
                "Value": short(each.cause) if each.cause else _value(each, each.metric),
                "95 % interval": _interval(each, each.metric),
                "From": f"{each.n:,}",
                "Unknown": f"{each.unknown:,}" if each.unknown else "",
                "Remark": each.detail[:300],
                "Meaning": _METRICS[each.metric].meaning,
            }
            for each in figures
        ]
    )


def _value(each: Figure | Estimate, metric: str) -> str:
    return _spaced(figure_words(each.value, each.low, each.high, _unit(metric)))


def _interval(each: Figure | Estimate, metric: str) -> str:
    return _spaced(interval_words(each.low, each.high, _unit(metric)))


def _unit(metric: str) -> str:
    # What the name says already would only fill the column.
    unit = _METRICS[metric].unit
    return "" if unit == "messages/week" else unit


def _spaced(words: str) -> str:
    return words.replace("%", " %")


# --- over weeks -------------------------------------------------------------------------------------------------------


def _over_weeks(read: _Read) -> Cadence | None:
    st.subheader("Cadence: how much, when, and to whom")
    asked = _asked(read)
    if asked is None:
        return None
    known, rules, sender = asked
    today = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = _cadence(read, known, rules, sender, today + datetime.timedelta(days=2), repr((read.key, known, rules)))
    if not found.messages:
        st.info("There is no bulk mail with a time among these messages.", icon=":material/mail:")
        return None
    left_out = ", ".join(f"{count:,} {plain(reason)}" for reason, count in found.left_out.items())
    st.markdown(
        f"**{found.messages:,} messages** of {how_many(found.campaigns, 'campaign')} to "
        f"{how_many(found.recipients, 'recipient')}" + (f"; left out: {left_out}." if left_out else ".")
    )
    with st.container(horizontal=True):
        for key in ("messages_per_week", "overfed_weeks_share", "waking_hours_share", "never_opened_share"):
            _metric(f"trial.{key}", found.estimates[f"trial.{key}"])
    _recommended(found)
    _clock(found, rules)
    _volume(found, rules)
    _figures(found)
    return found


@st.cache_resource(max_entries=4, show_spinner="Looking at the weeks…")
def _cadence(_read: _Read, _known: Known, _rules: Rules, sender: str, latest: datetime.datetime, key: str) -> Cadence:
    return cadence(_read.messages, _known, _rules, sender=sender, latest=latest)


@functools.cache
def _zones() -> list[str]:
    return [_UNKNOWN, *sorted(available_timezones())]


def _asked(read: _Read) -> tuple[Known, Rules, str] | None:
    """What the reader says of senders and recipients; None when something of it can't be used."""
    senders = [name for name, _ in read.total.senders.most_common(_SHOWN)]
    with st.container(horizontal=True):
        sender = st.selectbox("Sender", ["all", *senders], key="cadence_sender")
        place = st.selectbox(
            "Recipients' time zone",
            _zones(),
            key="cadence_zone",
            help="Where the recipients live. A message's own date is the sender's and says nothing about it.",
        )
        tolerance = st.number_input("Messages a week that people bear", 0.5, 1000.0, 3.0, 0.5, key="cadence_tolerance")
    with st.expander("More about the recipients and the trial"):
        hours = st.slider("Waking hours", 0, 24, (8, 22), key="cadence_waking")
        upload = st.file_uploader(
            "Recipients (CSV: address,zone and, if known, signed_up,unsubscribed,tolerance)",
            type=["csv"],
            max_upload_size=16,
            key="cadence_recipients",
            help="Addresses are hashed and not kept.",
        )
        with st.container(horizontal=True):
            signed_up = st.text_input("Signed up at", key="cadence_signed_up", placeholder="2026-11-22T10:00:00Z")
            left = st.text_input("Unsubscribed at", key="cadence_left", placeholder="2026-11-22T10:00:00Z")
        with st.container(horizontal=True):
            tried = st.multiselect(
                "What was switched on?",
                list(_FEATURES),
                key="cadence_tried",
                help="Only then does not seeing it count against the platform.",
            )
            cap = st.number_input("Cap on messages a week (0: none)", 0, 1000, 0, key="cadence_cap")
    features: dict[Feature, float] = {_FEATURES[name]: 1.0 for name in tried}
    if cap:
        features["frequency-cap"] = float(cap)
    try:
        recipients = parse(upload.getvalue()) if upload is not None else {}
        everybody = Recipient(
            zone="" if place == _UNKNOWN else place,
            signed_up=moment(signed_up) if signed_up.strip() else None,
            unsubscribed=moment(left) if left.strip() else None,
        )
        rules = Rules(waking=(int(hours[0]), int(hours[1])), tolerance=float(tolerance))
    except (RecipientsError, ValueError) as error:
        st.error(plain(error), icon=":material/error:")
        return None
    return Known(everybody, recipients, features), rules, "" if sender == "all" else str(sender)


def _metric(key: str, each: Estimate) -> None:
    unit = _METRICS[key].unit
    shown = "unknown" if each.value is None else f"{each.value:.0f} %" if unit == "%" else f"{each.value:.1f}"
    if each.cause:
        said = short(each.cause)
    elif each.low is None or each.high is None:
        said = ""
    else:
        said = f"{each.low:.0f} to {each.high:.0f} %" if unit == "%" else f"{each.low:.1f} to {each.high:.1f}"
    st.metric(_NAMES[key], shown, said, delta_color="off", delta_arrow="off", border=True)


def _recommended(found: Cadence) -> None:
    if not found.recommendations:
        st.markdown("Nothing in these figures asks for a change, as far as they are known.")
        return
    st.markdown("**What the sender should change**")
    st.markdown("\n".join(f"- {plain(each)}" for each in found.recommendations))


def _clock(found: Cadence, rules: Rules) -> None:
    st.markdown("**When it comes**")
    if found.heat is None:
        words = explain("zone_unknown")
        st.caption(f"{plain(words.sentence)} Choose it above, or upload one for each recipient.")
        return
    st.plotly_chart(
        message_charts.heat(found.heat, rules),
        config={"displayModeBar": False},
        alt="Messages by weekday and hour on the recipient's clock",
    )
    busiest = max(range(7 * 24), key=lambda at: found.heat[at // 24][at % 24] if found.heat else 0)
    waking = found.estimates["trial.waking_hours_share"]
    share = "" if waking.value is None else f"; {waking.value:.0f} % come while people are awake (dotted lines)"
    st.caption(
        f"Messages by weekday and hour on the recipient's own clock: most come on {message_charts.DAYS[busiest // 24]} "
        f"from {busiest % 24} o'clock{share}."
    )


def _volume(found: Cadence, rules: Rules) -> None:
    st.markdown("**How much of it**")
    if len(found.weeks) < 2:
        st.caption("There are fewer than two whole weeks of mail.")
        return
    st.plotly_chart(
        message_charts.weeks(found.weeks, rules.tolerance),
        config={"displayModeBar": False},
        alt="Messages to a recipient in each week",
    )
    over = found.estimates["trial.overfed_weeks_share"]
    said = "" if over.value is None else f" {over.value:.0f} % of the weeks are over the recipient's tolerance."
    st.caption(f"Messages that a recipient gets in each week, of those who were there all of it.{said}")


def _figures(found: Cadence) -> None:
    st.markdown("**Every figure**")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Figure": _NAMES[key],
                    "Value": short(each.cause) if each.cause else _value(each, key),
                    "95 % interval": _interval(each, key),
                    "From": cases(each),
                    "Remark": each.detail[:300],
                    "Meaning": _METRICS[key].meaning,
                }
                for key, each in found.estimates.items()
            ]
        ),
        hide_index=True,
        height="content",
        alt="Every figure of cadence with its interval",
        column_config={
            "Figure": st.column_config.TextColumn(pinned=True, width="medium"),
            "Value": st.column_config.TextColumn(width=120),
            "95 % interval": st.column_config.TextColumn(width=130),
            "From": st.column_config.TextColumn(width=140),
        },
    )
    with st.expander("Each recipient"):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Recipient": each.name,
                        "Sender": each.sender,
                        "Zone": each.zone or _UNKNOWN,
                        "Messages": each.messages,
                        "A week": each.per_week,
                        "Busiest week": each.most,
                        "Tolerance": each.tolerance,
                        "Weeks over it": each.over,
                        "Whole weeks": each.weeks,
                        "Opened": None if each.opened is None else 100 * each.opened,
                    }
                    for each in found.subscriptions
                ]
            ),
            hide_index=True,
            placeholder=_UNKNOWN,
            column_config={
                "A week": st.column_config.NumberColumn(format="%.1f"),
                "Opened": st.column_config.NumberColumn(format="%.0f %%"),
            },
            alt="Each recipient of each sender",
        )
        st.caption("Recipients are named by a hash of their address, the busiest first.")


# --- keeping ----------------------------------------------------------------------------------------------------------


def _keep(current: View, total: Aggregate, found: Cadence) -> None:
    st.subheader("Keep it as evidence")
    st.caption(
        "The figures are stored as tested by hand; the criteria that ask for them count them before what the vendor "
        "claims, and show where the two disagree. How much and when one customer writes is not held against its "
        "platform: that takes six customers or more."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        vendor = st.selectbox("Whose platform sent it?", current.everyone, format_func=current.name, index=None)
        pressed = st.button("Store the figures", type="primary", icon=":material/save:", disabled=vendor is None)
    if not pressed or vendor is None:
        return
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    stamp = now.isoformat().replace("+00:00", "Z")
    figures = [*total.observations(vendor, now), *observations(found, vendor, stamp)]
    try:
        count = current.store.add_observations(figures)
    except StoreError as error:
        st.error(plain(error), title="Nothing was stored", icon=":material/error:")
        return
    st.session_state["messages_stored"] = f"{count:,} figures stored for {plain(current.name(vendor))}."
    st.rerun()
