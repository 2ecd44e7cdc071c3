"""Charts over real messages: shares with their intervals, when mail comes, how much of it."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from mailrubric.dashboard.charts import palette, readable
from mailrubric.dashboard.interval_chart import Sampled, of_samples
from mailrubric.dashboard.text import label
from mailrubric.mail.cadence import Rules, Week

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def shares(given: Sequence[tuple[str, float, float, float, int]]) -> go.Figure:
    """(name, value, low, high, n) in per cent: one marker each, with its 95 % interval."""
    return of_samples(
        [
            Sampled(f"{label(name, 40)} ({n:,})", value, low, high, f"{value:.1f} %, {low:.1f} to {high:.1f}")
            for name, value, low, high, n in given
        ],
        "% of messages",
        (0.0, 100.0),
    )


def heat(table: Sequence[Sequence[int]], rules: Rules) -> go.Figure:
    """Messages by weekday (from Monday, at the top) and local hour; lines mark the waking hours."""
    colours = palette()
    total = max(1, sum(map(sum, table)))
    figure = go.Figure(
        go.Heatmap(
            z=[[100 * count / total for count in row] for row in table],
            x=list(range(24)),
            y=list(DAYS),
            customdata=[list(row) for row in table],
            zmin=0,
            colorscale=[[0, "rgba(128,128,128,0.09)"], [1, colours.score]],
            hovertemplate="%{y} from %{x} o'clock: %{customdata:,} messages, %{z:.1f} %<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    for hour in rules.waking:
        if 0 < hour < 24:
            figure.add_vline(x=hour - 0.5, line={"color": colours.bad, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(
        title_text="Hour on the recipient's clock",
        tickvals=[0, 6, 12, 18, 23],
        fixedrange=True,
        showgrid=False,
    )
    figure.update_yaxes(autorange="reversed", fixedrange=True, automargin=True, showgrid=False)
    return _plain(figure, 290)


def weeks(given: Sequence[Week], tolerance: float) -> go.Figure:
    """Messages to a recipient in each week: the mean, and the range from the least to the most."""
    colours = palette()
    starts = [week.start[:10] for week in given]
    figure = go.Figure()
    if any(week.most > week.least for week in given):
        for values, fill in (([week.most for week in given], None), ([week.least for week in given], "tonexty")):
            figure.add_scatter(
                x=starts,
                y=values,
                mode="lines",
                line={"width": 0, "color": colours.muted},
                fill=fill,
                fillcolor="rgba(128,128,128,0.22)",
                hoverinfo="skip",
                showlegend=fill is not None,
                name="from the least to the most",
            )
    figure.add_scatter(
        x=starts,
        y=[week.mean for week in given],
        mode="lines+markers",
        line={"color": colours.score},
        marker={"size": 7},
        customdata=[[week.recipients, week.least, week.most] for week in given],
        hovertemplate="week from %{x}: %{y:.1f} messages a recipient (%{customdata[1]} to %{customdata[2]}, "
        "%{customdata[0]:,} recipients)<extra></extra>",
        name="mean",
    )
    figure.add_hline(
        y=tolerance,
        line={"color": colours.bad, "width": 1.5, "dash": "dot"},
        annotation={"text": f"tolerance {tolerance:g}", "font": {"color": colours.bad}},
        annotation_position="top left",
    )
    highest = max([*(week.most for week in given), tolerance])
    figure.update_yaxes(title_text="Messages in the week", range=[0, highest * 1.15], fixedrange=True)
    figure.update_xaxes(fixedrange=True, title_text="Week from", nticks=6)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    return _plain(figure, 330, legend=True)


def _plain(figure: go.Figure, height: int, *, legend: bool = False) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 8, "t": 8 if not legend else 30, "b": 34},
        hoverlabel={"align": "left"},
        showlegend=legend,
    )
    return readable(figure)
