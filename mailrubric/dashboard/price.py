"""Price: what each vendor costs at your volume, how that grows, and from where on which of two is cheaper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from mailrubric.dashboard import charts
from mailrubric.dashboard.state import View, view
from mailrubric.dashboard.text import plain
from mailrubric.price import CURVE_VOLUMES, LARGEST_VOLUME, Need, Offer, break_even, curve, offer

_ROWS = 30


def page() -> None:
    """Draw the page."""
    st.title("Price")
    current = view()
    vendors = [current.catalogue.vendors[line.id] for line in current.shown]
    planned = [vendor for vendor in vendors if vendor.plans]
    if not planned:
        st.info("No profile here states a price plan. Add plans: to a vendor's file, each with its source and date.")
        return
    currencies = sorted({plan.currency for vendor in planned for plan in vendor.plans}, key=lambda each: each != "USD")
    with st.container(horizontal=True):
        volume = st.number_input(
            "Messages a month", 0, LARGEST_VOLUME, 100_000, step=10_000, key="volume", bind="query-params"
        )
        users = st.number_input("Mailboxes", 0, 10_000, 0, key="users", bind="query-params")
        currency = st.selectbox("Currency", currencies, key="currency", bind="query-params")
        ahead = st.toggle(
            "A year paid ahead will do",
            True,
            key="ahead",
            bind="query-params",
            help="Off: prices that are to be had only by paying a year ahead are left out",
        )
    currency = currency if currency in currencies else currencies[0]
    optional = sorted({name for vendor in planned for plan in vendor.plans for name in (*plan.add_ons, *plan.includes)})
    options = (
        st.pills("With", optional, selection_mode="multi", format_func=_words, key="with", bind="query-params")
        if optional
        else []
    )
    need = Need(
        min(LARGEST_VOLUME, max(0, int(volume))),
        min(10_000, max(0, int(users))),
        {name: 1 for name in options if name in optional},
        ahead=bool(ahead),
    )
    wanted = [vendor for vendor in planned if any(plan.currency == currency for plan in vendor.plans)]
    offers = [offer(vendor, need, currency=currency) for vendor in wanted]
    known = sorted((each for each in offers if each.best is not None), key=_amount)
    if known:
        cheapest = known[0]
        st.markdown(
            f"**{plain(current.name(cheapest.vendor))}** is the "
            + (f"cheapest of the {len(known)} vendors" if len(known) > 1 else "only vendor")
            + f" whose price can be computed: {_amount(cheapest):,.2f} {currency} a month for {need.volume:,} messages."
        )
    else:
        st.markdown("No price can be computed for this need.")
    _table(current, [*known, *(each for each in offers if each.best is None)], currency)
    metered = [vendor for vendor in wanted if any(not plan.per_user for plan in vendor.plans)]
    if not metered:
        return
    st.subheader("How it grows")
    curves = {current.name(vendor.id): curve(vendor, need=need, currency=currency) for vendor in metered}
    drawn = {name: offers for name, offers in curves.items() if any(each.best is not None for each in offers)}
    st.plotly_chart(
        charts.cost_curves(drawn, currency, need.volume),
        config={"displayModeBar": False},
        alt="Price a month by messages a month",
    )
    st.caption(
        f"Price a month of each vendor's cheapest stated plan by volume, both scales logarithmic; the dotted line is "
        f"at {need.volume:,} messages. {_cheapest(drawn)} Free stands on the lower edge. A curve ends where the "
        "profile's plans no longer say what it costs; it does not mean that nothing more can be had."
    )
    if len(metered) > 1:
        # To begin with, the two cheapest at this volume.
        order = [each.vendor for each in known]
        ids = sorted((each.id for each in metered), key=lambda name: order.index(name) if name in order else len(order))
        _break_even(current, ids, need, currency)


def _cheapest(curves: Mapping[str, Sequence[Offer]]) -> str:
    """Who is cheapest at the volumes of the curves, as a sentence."""
    said: list[tuple[str, int]] = []
    for index, volume in enumerate(CURVE_VOLUMES):
        known = {name: _amount(offers[index]) for name, offers in curves.items() if offers[index].best is not None}
        if known:
            least = min(known.values())
            level = [name for name, amount in known.items() if amount == least]
            who = plain(" and ".join(level)) if len(level) <= 2 else f"{len(level)} vendors level"
            who += "" if least else " (free)"
            if not said or said[-1][0] != who:
                said.append((who, volume))
    return f"Cheapest: {', '.join(f'{who} from {volume:,} on' for who, volume in said)}." if said else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def _amount(each: Offer) -> float:
    return float(each.best.amount) if each.best is not None and each.best.amount is not None else float("inf")


def _table(current: View, offers: list[Offer], currency: str) -> None:
    rows = []
    for each in offers:
        best = each.best
        rows.append(
            {
                "Vendor": current.name(each.vendor),
                "A month": None if best is None else _amount(each),
                "Plan": "" if best is None else best.plan.name,
                "Made of": _words(
                    each.why
                    if best is None
                    else " + ".join(f"{name} {amount:,.2f}" for name, amount in best.parts if amount) or "free"
                ),
                "All plans known": None if best is None else each.complete,
                "As of": "" if best is None else str(best.plan.as_of),
                "Source": best.plan.source if best and re.match(r"https?://", best.plan.source) else None,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content" if len(rows) <= _ROWS else 36 * _ROWS,
        placeholder="unknown",
        column_config={
            "Vendor": st.column_config.TextColumn(pinned=True, width="medium"),
            "A month": st.column_config.NumberColumn(f"{currency} a month", format="%.2f"),
            "Made of": st.column_config.TextColumn("Made of, or why unknown", width=300),
            "All plans known": st.column_config.CheckboxColumn(
                help="Unticked: another stated plan of this vendor has no computable price here, and might be cheaper"
            ),
            "Source": st.column_config.LinkColumn(display_text="open"),
        },
        alt="Cheapest plan of each vendor for this need",
    )


def _break_even(current: View, vendors: list[str], need: Need, currency: str) -> None:
    st.subheader("Who is cheaper from where on?")
    with st.container(horizontal=True):
        one = st.selectbox("One", vendors, format_func=current.name, key="one", bind="query-params")
        others = [vendor for vendor in vendors if vendor != one]
        other = st.selectbox("The other", others, format_func=current.name, key="second", bind="query-params")
    one = one if one in vendors else vendors[0]
    other = other if other in vendors and other != one else next(each for each in vendors if each != one)
    profiles = current.catalogue.vendors
    for each in break_even(profiles[one], profiles[other], need=need, currency=currency):
        said = each.words(lambda vendor: plain(current.name(vendor)))
        st.markdown(f"- from **{each.volume:,}** messages a month: {said}")
