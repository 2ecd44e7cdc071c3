"""Charts over an evaluation. Unknown is drawn as an interval, never as zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import streamlit as st

from mailrubric.dashboard.text import label
from mailrubric.display import interval, points
from mailrubric.price import Offer
from mailrubric.scoring.decision import Reason, RobustRanking, WeightFlip
from mailrubric.scoring.evaluation import VendorScore

BAR_HEIGHT = 26


@dataclasses.dataclass(frozen=True, slots=True)
class Palette:
    """Colours that hold on the page's own background; told apart by lightness too, not by hue alone."""

    score: str
    interval: str
    text: str
    muted: str
    bad: str
    background: str


_LIGHT = Palette("#0f6b6b", "#33413f", "#12211f", "#64748b", "#b23a48", "#ffffff")
_DARK = Palette("#4cc2b8", "#c8d6d3", "#e8f0ee", "#94a3b8", "#ef8a94", "#0f1716")
_SERIES_LIGHT = ("#0f6b6b", "#c2571a", "#3f5fb5", "#8a3d7c")
_MORE_LIGHT = ("#7a7f1f", "#2e8bc0", "#b23a48")
_MORE_DARK = ("#c3c75a", "#6dbde8", "#ef8a94")
_SERIES_DARK = ("#4cc2b8", "#f0975a", "#8fa6f0", "#d58ac7")


def _dark() -> bool:
    return getattr(st.context.theme, "type", "light") == "dark"


def palette() -> Palette:
    """Colours for the viewer's light or dark appearance."""
    return _DARK if _dark() else _LIGHT


def series_colours() -> tuple[str, ...]:
    """Up to four colours for vendors side by side."""
    return _SERIES_DARK if _dark() else _SERIES_LIGHT


def readable(figure: go.Figure) -> go.Figure:
    """Write the axes dark enough to be read: left alone, their grey has a contrast below 4.5 on white."""
    colours = palette()
    figure.update_xaxes(tickfont_color=colours.text, title_font_color=colours.text)
    figure.update_yaxes(tickfont_color=colours.text, title_font_color=colours.text)
    return figure


def _layout(figure: go.Figure, rows: int, *, legend: bool = False) -> go.Figure:
    figure.update_layout(
        height=max(140, rows * BAR_HEIGHT + 70),
        margin={"l": 0, "r": 8, "t": 8, "b": 34},
        showlegend=legend,
        bargap=0.35,
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return readable(figure)


def ranking(vendors: Sequence[VendorScore]) -> go.Figure:
    """Score bars with intervals; the paler a bar, the less of the vendor's weight is known.

    A vendor of which nothing is known gets no bar, only the interval from 0 to 100.
    """
    colours = palette()
    figure = go.Figure()
    names = [label(vendor.name, 34) for vendor in vendors]
    drawn = [(name, vendor) for name, vendor in zip(names, vendors, strict=True) if vendor.score is not None]
    figure.add_bar(
        orientation="h",
        y=[name for name, _ in drawn],
        x=[vendor.score for _, vendor in drawn],
        marker_color=colours.score,
        marker_opacity=[
            0.62 if vendor.status == "ranked" else 0.1 + 0.3 * vendor.coverage / 100 for _, vendor in drawn
        ],
        hovertemplate=[_hover(vendor) for _, vendor in drawn],
        name="score",
    )
    figure.add_scatter(
        x=[(vendor.low + vendor.high) / 2 for vendor in vendors],
        y=names,
        mode="markers",
        marker={"size": 1, "opacity": 0},
        error_x={
            "type": "data",
            "array": [(vendor.high - vendor.low) / 2 for vendor in vendors],
            "color": colours.interval,
            "thickness": 1.4,
            "width": 4,
        },
        hovertemplate=[_hover(vendor) for vendor in vendors],
        name="interval",
    )
    estimated = [
        (name, vendor) for name, vendor in zip(names, vendors, strict=True) if vendor.ranking_score is not None
    ]
    figure.add_scatter(
        x=[vendor.ranking_score for _, vendor in estimated],
        y=[name for name, _ in estimated],
        mode="markers",
        marker={
            "size": 10,
            "symbol": "diamond",
            "color": series_colours()[1],
            "line": {"width": 1, "color": colours.background},
        },
        hovertemplate=[_hover(vendor) for _, vendor in estimated],
        name="estimate",
    )
    figure.update_xaxes(range=[0, 104], title_text="Score, 0 to 100", zeroline=False, fixedrange=True)
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=names[::-1],
        range=[-0.5, len(names) - 0.5],  # markers would widen it by a share of its length
        fixedrange=True,
        automargin=True,
        ticksuffix="  ",
    )
    return _layout(figure, len(vendors))


def _hover(vendor: VendorScore) -> str:
    score = points(vendor.score)
    return (
        f"<b>{label(vendor.name)}</b><br>score {score}<br>estimate {points(vendor.ranking_score)}"
        f"<br>interval {interval(vendor.low, vendor.high)}"
        f"<br>coverage {points(vendor.coverage)} %<extra></extra>"
    )


def group_scores(vendors: Sequence[VendorScore]) -> go.Figure:
    """Each group's own score, one marker a vendor, with its interval."""
    figure = go.Figure()
    asked = {group.id for vendor in vendors for group in vendor.groups if group.applicable}
    groups = [label(group.title, 34) for group in vendors[0].groups if group.id in asked] if vendors else []
    # Drawn from below: the last one first, so that they stand in the order of the legend.
    for offset, (vendor, colour) in reversed(list(enumerate(zip(vendors, series_colours(), strict=False)))):
        known = [group for group in vendor.groups if group.applicable]
        figure.add_scatter(
            x=[(group.low + group.high) / 2 for group in known],
            y=[label(group.title, 34) for group in known],
            mode="markers",
            marker={"size": 1, "opacity": 0, "color": colour},
            error_x={
                "type": "data",
                "array": [(group.high - group.low) / 2 for group in known],
                "color": colour,
                "thickness": 1.2,
                "width": 0,
            },
            showlegend=False,
            hoverinfo="skip",
            offsetgroup=str(offset),
            orientation="h",
        )
        scored = [group for group in known if group.score is not None]
        figure.add_scatter(
            x=[group.score for group in scored],
            y=[label(group.title, 34) for group in scored],
            mode="markers",
            marker={"size": 11, "color": colour, "symbol": ("circle", "diamond", "square", "triangle-up")[offset % 4]},
            name=label(vendor.name, 30),
            offsetgroup=str(offset),
            orientation="h",
            hovertemplate="%{y}: %{x:.1f}<extra>" + label(vendor.name, 30) + "</extra>",
        )
    # Side by side within a group, so that no vendor's line hides another's.
    figure.update_layout(scattermode="group", scattergap=0.35, legend_traceorder="reversed")
    figure.update_xaxes(range=[-2, 102], title_text="Group score; the line is its interval", fixedrange=True)
    figure.update_yaxes(categoryorder="array", categoryarray=groups[::-1], fixedrange=True, automargin=True)
    rows = len(groups) * max(1.0, 0.62 * len(vendors)) + 1
    return _layout(figure, round(rows), legend=len(vendors) > 1)


def value_function(ends: Sequence[tuple[float, float]], unit: str, *, log: bool) -> go.Figure:
    """A numeric value function as a curve from value to score."""
    colours = palette()
    figure = go.Figure(
        go.Scatter(
            x=[value for value, _ in ends],
            y=[score for _, score in ends],
            mode="lines" if len(ends) > 12 else "lines+markers",
            line_color=colours.score,
            hovertemplate="%{x:g} → %{y:.0f}<extra></extra>",
        )
    )
    figure.update_xaxes(title_text=f"Value in {label(unit)}" if unit else "Value", type="log" if log else "linear")
    figure.update_yaxes(range=[-3, 103], title_text="Score")
    figure.update_layout(height=240, margin={"l": 0, "r": 8, "t": 8, "b": 34})
    return readable(figure)


_PLACES = 10


def rank_probabilities(found: RobustRanking) -> go.Figure:
    """How often each vendor takes each place: vendors best first from the top, up to ten places."""
    places = min(_PLACES, len(found.standings))
    shown = found.standings[:20][::-1]  # drawn from below; ordering the axis would leave the numbers where they were
    names = [f"{each.rank}. {label(each.name, 32)}" for each in shown]
    values = [[100 * share for share in each.ranks[:places]] for each in shown]
    said = [["" if not value else "<1" if value < 0.5 else f"{value:.0f}" for value in row] for row in values]
    colours = palette()
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=[str(place + 1) for place in range(places)],
            y=names,
            zmin=0,
            zmax=100,
            colorscale=[[0, "#17211f" if _dark() else "#f2f6f5"], [1, colours.score]],  # opaque: the numbers contrast
            text=said,
            texttemplate="%{text}",
            hovertemplate="%{y}: place %{x} in %{z:.1f} %<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_yaxes(fixedrange=True, automargin=True)
    figure.update_xaxes(side="top", type="category", title_text="Place", fixedrange=True)
    _layout(figure, len(shown))
    figure.update_layout(margin={"l": 0, "r": 8, "t": 48, "b": 8})
    return figure


def weight_flips(flips: Sequence[WeightFlip]) -> go.Figure:
    """From each group's weight today to the one at which two vendors are level; the nearest at the top."""
    colours = palette()
    names = [label(flip.title, 34) for flip in flips]
    figure = go.Figure()
    for flip, name in zip(flips, names, strict=True):
        figure.add_scatter(
            x=[flip.now, flip.at], y=[name, name], mode="lines", line={"color": colours.muted, "width": 3},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    for values, symbol, colour, said in (
        ([flip.now for flip in flips], "circle", colours.score, "today"),
        ([flip.at for flip in flips], "diamond", colours.bad, "level"),
    ):
        figure.add_scatter(
            x=values,
            y=names,
            mode="markers",
            marker={"size": 11, "symbol": symbol, "color": colour},
            name=said,
            hovertemplate="%{y}: " + said + " %{x:.1f} %<extra></extra>",
        )
    figure.update_xaxes(title_text="Per cent of all weight", rangemode="tozero", fixedrange=True)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], fixedrange=True, automargin=True)
    return _layout(figure, len(names) + 1, legend=True)


def differences(reasons: Sequence[Reason]) -> go.Figure:
    """Points by which each criterion puts one vendor ahead (right) or behind (left)."""
    colours = palette()
    names = [label(reason.title, 60) for reason in reasons]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=names,
            x=[reason.points for reason in reasons],
            marker_color=[colours.score if reason.points >= 0 else colours.bad for reason in reasons],
            marker_opacity=[1.0 if reason.first_known and reason.second_known else 0.45 for reason in reasons],
            hovertemplate="%{y}<br>%{x:+.2f} points<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="Points; pale where one side is unknown", zeroline=True, fixedrange=True)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], fixedrange=True, automargin=True)
    return _layout(figure, len(names))


def cost_curves(curves: Mapping[str, Sequence[Offer]], currency: str, volume: int) -> go.Figure:
    """Price a month by messages a month, a line a vendor; free offers stand on the lower edge. ``volume`` is marked."""
    from mailrubric.price import CURVE_VOLUMES

    figure = go.Figure()
    dashes = ("solid", "dash", "dot", "dashdot")
    colours = (*series_colours(), *(_MORE_DARK if _dark() else _MORE_LIGHT))
    for index, (name, offers) in enumerate(curves.items()):
        amounts = [
            None if each.best is None or each.best.amount is None else max(float(each.best.amount), 0.1)
            for each in offers
        ]
        figure.add_scatter(
            x=list(CURVE_VOLUMES),
            y=amounts,
            mode="lines+markers",
            name=label(name, 30),
            line={"color": colours[index % len(colours)], "dash": dashes[(index // len(colours)) % len(dashes)]},
            customdata=[
                "free" if each.best is not None and not each.best.amount else f"{amount or 0:,.2f} {label(currency)}"
                for each, amount in zip(offers, amounts, strict=True)
            ],
            hovertemplate="%{x:,} messages: %{customdata}<extra>" + label(name, 30) + "</extra>",
        )
    if CURVE_VOLUMES[0] <= volume <= CURVE_VOLUMES[-1]:
        figure.add_vline(x=volume, line={"color": palette().muted, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(
        type="log",
        title_text="Messages a month",
        fixedrange=True,
        tickvals=[10**power for power in range(3, 8)],
        ticktext=["1,000", "10,000", "100,000", "1 M", "10 M"],
    )
    figure.update_yaxes(type="log", title_text=f"{label(currency)} a month", fixedrange=True, dtick=1, tickformat=",~f")
    figure.update_layout(
        height=460 + 12 * len(curves),
        showlegend=True,
        margin={"l": 0, "r": 8, "t": 8, "b": 34},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0},
    )
    return readable(figure)
