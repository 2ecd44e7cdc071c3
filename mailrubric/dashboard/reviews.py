"""Reviews: what people say about a vendor and how sure that is, in whose words, what counts less; reading them in."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from mailrubric.causes import explain
from mailrubric.dashboard import review_charts
from mailrubric.dashboard.review_import import form
from mailrubric.dashboard.state import View, told_unknown, view
from mailrubric.dashboard.text import link, plain
from mailrubric.evidence.store import Store
from mailrubric.reviews.metrics import ASPECTS, FEWEST_MENTIONS
from mailrubric.reviews.reading import keeping
from mailrubric.reviews.summary import Figure, Quotation, VendorSummary, quotations, summarise

_QUARTERS = 20
_BURSTS = 10


def page() -> None:
    """Draw the page."""
    st.title("Reviews")
    current = view()
    found = _summaries(current.store, current.store.name, current.store.revision(), current.evaluated_at)
    reviewed = sorted(
        (name for name in found if name in current.catalogue.vendors), key=lambda name: current.name(name)
    )
    if not reviewed:
        st.info(
            "No review is stored yet. Export the reviews of a vendor from where they stand (G2, Capterra, Trustpilot, "
            "an app store, a table of your own) as CSV, JSON or XLSX and read the file in here, or with "
            "`mailrubric reviews import FILE --vendor ID`; `mailrubric reviews collect ID` asks public sources.",
            icon=":material/rate_review:",
        )
        form(current)
        return
    told_unknown(current, "reviewed")
    chosen = st.selectbox("Vendor", reviewed, format_func=current.name, key="reviewed", bind="query-params")
    summary = found[chosen if chosen in reviewed else reviewed[0]]
    _lead(current, summary)
    _trend(summary)
    _aspects(summary)
    _quotations(current, summary)
    _discounted(summary)
    _sources(summary)
    _beside(current, [(name, found[name]) for name in reviewed])
    st.subheader("Read in more")
    form(current, summary.vendor)


@st.cache_resource(max_entries=2, show_spinner="Reading the reviews…")
def _summaries(
    _store: Store, store: str, evidence: tuple[int, int], as_of: datetime.datetime
) -> dict[str, VendorSummary]:
    # Of all vendors, those of other kinds too: what is usual is learnt from all.
    return summarise(_store.reviews(), as_of, keeping(_store))


@st.cache_resource(max_entries=8, show_spinner=False)
def _quoted(
    _store: Store, _summary: VendorSummary, vendor: str, store: str, evidence: tuple[int, int], as_of: str
) -> tuple[Quotation, ...]:
    return quotations(_summary, keeping(_store))


def _lead(current: View, summary: VendorSummary) -> None:
    rating, sentiment = summary.rating, summary.sentiment
    parts = []
    if rating.value is not None:
        parts.append(f"is rated **{rating.words(rating.value)} stars** ({rating.range_words()})")
    if sentiment.value is not None:
        said = f"**{sentiment.words(sentiment.value)}** of what is written is positive"
        parts.append(f"{said} ({sentiment.range_words()})")
    said = "; ".join(parts) if parts else "has too few reviews for a figure"
    st.markdown(f"**{plain(current.name(summary.vendor))}** {said}.")
    with st.container(horizontal=True):
        st.metric("Stars", rating.words(rating.value), border=True)
        st.metric("Positive texts", sentiment.words(sentiment.value), border=True)
        st.metric("Reviews that count", f"{len(summary.counted):,} of {summary.reviews:,}", border=True)
        st.metric("Newest", summary.last[:10] or "undated", border=True)
    for name, figure in (("Rating", rating), ("Texts", sentiment)):
        st.caption(f"{name}: {plain(_why(figure))}.")


def _why(figure: Figure) -> str:
    if figure.cause:
        why = explain(figure.cause).sentence.removesuffix(".")
        return f"unknown. {why}: {figure.detail}"
    return figure.detail


def _trend(summary: VendorSummary) -> None:
    st.subheader("How it went")
    quarters = summary.trend[-_QUARTERS:]
    if not quarters:
        st.markdown("No review tells when it was written.")
        return
    stars = any(each.mean is not None for each in quarters)
    st.plotly_chart(
        review_charts.trend(quarters, stars=stars),
        config={"displayModeBar": False},
        alt="Mean rating and number of reviews of each quarter",
    )
    above = "mean stars with its 95 % interval" if stars else "share of texts classified as positive"
    st.caption(f"Above, each quarter's {above}; below, how many reviews it had and what their texts say.")


def _aspects(summary: VendorSummary) -> None:
    st.subheader("What they are pleased with")
    known = [(ASPECTS[name], figure) for name, figure in summary.aspects.items() if figure.value is not None]
    known.sort(key=lambda each: -(each[1].value or 0.0))
    if known:
        st.plotly_chart(
            review_charts.figures(known, "% pleased; 95 % intervals", (0, 100)),
            config={"displayModeBar": False},
            alt="Share of pleased reviewers for each aspect with its interval",
        )
        st.caption(
            "For each aspect the share of pleased reviewers among those who speak of it (their number in brackets), "
            "corrected for how often the classifier errs."
        )
    missing = [(ASPECTS[name], figure.n) for name, figure in summary.aspects.items() if figure.value is None]
    if missing:
        listed = ", ".join(f"{name} ({count})" for name, count in missing)
        st.markdown(f"Fewer than {FEWEST_MENTIONS} mentions, so no figure: {plain(listed)}.")


def _quotations(current: View, summary: VendorSummary) -> None:
    st.subheader("In their words")
    quoted = _quoted(
        current.store, summary, summary.vendor, current.store.name, current.store.revision(), summary.as_of
    )
    if not quoted:
        st.markdown("No sentence is clear and short enough to be quoted.")
        return
    st.caption(
        "One sentence for each aspect and opinion, chosen by rule: clear to the classifier, and of the newest reviews "
        "the most typical one. As written by its author, not checked."
    )
    for aspect in ("", *ASPECTS):
        some = [each for each in quoted if each.aspect == aspect]
        if not some:
            continue
        st.markdown(f"**{ASPECTS[aspect][0].upper() + ASPECTS[aspect][1:] if aspect else 'On the whole'}**")
        columns = st.columns(2)
        for each in some:
            with columns[each.label == "negative"].container(border=True):
                _quotation(each)


def _quotation(each: Quotation) -> None:
    colour = "red" if each.label == "negative" else "green"
    st.markdown(f":{colour}-badge[{each.label}] {plain(each.text, 400)}")
    parts = [link(each.source, each.url)]
    if each.rating is not None:
        parts.append(f"{each.rating:g} star{'' if each.rating == 1 else 's'}")
    parts.append(plain(each.written[:10]) or "undated")
    st.caption(" · ".join(parts))


def _discounted(summary: VendorSummary) -> None:
    st.subheader("What counts less")
    if not summary.discounts:
        st.markdown("Every stored review counts in full.")
        return
    lines = []
    for each in summary.discounts:
        counted = (
            "" if each.counted == each.count else f" They count as {each.counted:g}." if each.counted else " Left out."
        )
        lines.append(f"- **{each.count:,}** {plain(each.words)}.{counted}")
    st.markdown("\n".join(lines))
    if not summary.bursts:
        return
    largest = sorted(summary.bursts, key=lambda burst: (burst.counted - burst.count, burst.week, burst.source))
    which = "The largest bursts" if len(largest) > _BURSTS else "Bursts"
    st.caption(
        f"{which}: weeks with more than three times as many reviews as usual. They may be honest (a piece of news, "
        "say); they count as three usual weeks."
    )
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Week of": each.week,
                    "Source": each.source,
                    "Reviews": each.count,
                    "Usually": each.expected,
                    "Count as": each.counted,
                }
                for each in largest[:_BURSTS]
            ]
        ),
        hide_index=True,
        alt="Weeks with unusually many reviews",
    )


def _sources(summary: VendorSummary) -> None:
    st.subheader("Where they come from")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Source": each.name,
                    "Reviews": each.reviews,
                    "Count": each.counted,
                    "With stars": each.rated,
                    "Mean stars": each.mean,
                    "Level": each.offset,
                    "Texts read": each.texts,
                    "Share of the rating": None if each.weight is None else 100 * each.weight,
                    "From": each.first[:10],
                    "To": each.last[:10],
                }
                for each in summary.sources
            ]
        ),
        hide_index=True,
        placeholder="",
        column_config={
            "Mean stars": st.column_config.NumberColumn(format="%.2f"),
            "Level": st.column_config.NumberColumn(
                format="%+.2f",
                help="By how many stars people rate all vendors higher here than on average; taken out of the rating. "
                "Empty where no two vendors have ratings.",
            ),
            "Share of the rating": st.column_config.NumberColumn(format="%.0f %%"),
        },
        alt="Reviews of each source",
    )


def _beside(current: View, summaries: Sequence[tuple[str, VendorSummary]]) -> None:
    rated = [(current.name(name), each.rating) for name, each in summaries if each.rating.value is not None]
    if len(rated) < 2:
        return
    rated.sort(key=lambda each: -(each[1].value or 0.0))
    st.subheader("Beside the others")
    st.plotly_chart(
        review_charts.figures(rated[:30], "Stars; 95 % intervals", (1, 5)),
        config={"displayModeBar": False},
        alt="Ratings of all vendors with reviews, with their intervals",
    )
    first, last = rated[0], rated[-1]
    st.caption(
        f"Ratings of all vendors with enough reviews (number of ratings in brackets), from {plain(first[0])} "
        f"({first[1].range_words()}) to {plain(last[0])} ({last[1].range_words()}); where intervals overlap much, the "
        "order may be chance."
    )
