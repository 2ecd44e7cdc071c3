"""Charts over reviews: how ratings went, what people are pleased with. What is uncertain is drawn with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mailrubric.dashboard.charts import palette, readable
from mailrubric.dashboard.interval_chart import Sampled, of_samples
from mailrubric.dashboard.text import label
from mailrubric.reviews.summary import Figure, Quarter


def trend(quarters: Sequence[Quarter], *, stars: bool) -> go.Figure:
    """Above, each quarter's mean stars with its interval (or the share of positive texts, when there are no stars);
    below, how many reviews it had, by what the texts say."""
    colours = palette()
    names = [each.name for each in quarters]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.6, 0.4])
    if stars:
        known = [each for each in quarters if each.mean is not None]
        figure.add_scatter(
            x=[each.name for each in known],
            y=[each.mean for each in known],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [0 if each.high is None else each.high - (each.mean or 0) for each in known],
                "arrayminus": [0 if each.low is None else (each.mean or 0) - each.low for each in known],
                "color": colours.interval,
                "thickness": 1.2,
                "width": 3,
            },
            mode="lines+markers",
            line_color=colours.score,
            marker={"size": 8},
            customdata=[each.rated for each in known],
            hovertemplate="%{x}: %{y:.2f} stars, %{customdata} ratings<extra></extra>",
            showlegend=False,
            row=1,
            col=1,
        )
        figure.update_yaxes(title_text="Stars", range=[0.9, 5.1], dtick=1, row=1, col=1)
    else:
        read = [each for each in quarters if each.positive + each.neutral + each.negative]
        figure.add_scatter(
            x=[each.name for each in read],
            y=[100 * each.positive / (each.positive + each.neutral + each.negative) for each in read],
            mode="lines+markers",
            line_color=colours.score,
            marker={"size": 8},
            hovertemplate="%{x}: %{y:.0f} % positive<extra></extra>",
            showlegend=False,
            row=1,
            col=1,
        )
        figure.update_yaxes(title_text="% positive", range=[-3, 103], row=1, col=1)
    unread = [each.reviews - each.positive - each.neutral - each.negative for each in quarters]
    for said, counts, colour, opacity in (
        ("positive", [each.positive for each in quarters], colours.score, 1.0),
        ("neutral", [each.neutral for each in quarters], colours.muted, 1.0),
        ("negative", [each.negative for each in quarters], colours.bad, 1.0),
        ("without a text", unread, colours.muted, 0.4),
    ):
        if any(counts):
            figure.add_bar(
                x=names,
                y=counts,
                name=said,
                marker_color=colour,
                marker_opacity=opacity,
                hovertemplate="%{x}: %{y} " + said + "<extra></extra>",
                row=2,
                col=1,
            )
    figure.update_yaxes(title_text="Reviews", rangemode="tozero", row=2, col=1)
    step = -(-len(names) // 8)  # more labels than eight would be turned and cut on a narrow screen
    figure.update_xaxes(categoryorder="array", categoryarray=names, tickvals=names[::step], fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    figure.update_layout(
        height=420,
        barmode="stack",
        bargap=0.25,
        margin={"l": 0, "r": 8, "t": 8, "b": 34},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "y": -0.14, "yanchor": "top", "x": 0},
    )
    return readable(figure)


def figures(given: Sequence[tuple[str, Figure]], title: str, scale: tuple[float, float]) -> go.Figure:
    """One marker a figure on a common scale, with its 95 % interval; all of them have a value."""
    drawn = []
    for name, each in given:
        value, low, high = each.value or 0.0, each.low or 0.0, each.high or 0.0
        said = f"{value:.2f}, {low:.2f} to {high:.2f}<br>worth {each.effective:.0f} reviews of today"
        drawn.append(Sampled(f"{label(name, 30)} ({each.n:,})", value, low, high, said))
    return of_samples(drawn, title, scale)
