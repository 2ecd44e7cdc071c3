"""One chart for every page that shows figures of samples: a marker each on a common scale, with its interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import plotly.graph_objects as go

from mailrubric.dashboard.charts import BAR_HEIGHT, palette, readable


@dataclasses.dataclass(frozen=True, slots=True)
class Sampled:
    """One figure with ``low`` ≤ ``value`` ≤ ``high``. ``name``: fit for a chart; ``hover``: what is said of it when it
    is pointed at, behind its name."""

    name: str
    value: float
    low: float
    high: float
    hover: str


def of_samples(given: Sequence[Sampled], title: str, scale: tuple[float, float]) -> go.Figure:
    """The first on top. ``scale``: ends of the scale; ``title``: what it measures."""
    colours = palette()
    names = [each.name for each in given]
    figure = go.Figure(
        go.Scatter(
            x=[each.value for each in given],
            y=names,
            mode="markers",
            marker={"size": 11, "color": colours.score},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [each.high - each.value for each in given],
                "arrayminus": [each.value - each.low for each in given],
                "color": colours.interval,
                "thickness": 1.6,
                "width": 5,
            },
            hovertemplate=[f"%{{y}}: {each.hover}<extra></extra>" for each in given],
        )
    )
    low, high = scale
    edge = (high - low) * 0.02
    figure.update_xaxes(title_text=title, range=[low - edge, high + edge], fixedrange=True)
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], fixedrange=True, automargin=True, ticksuffix="  "
    )
    figure.update_layout(
        height=max(150, len(names) * (BAR_HEIGHT + 6) + 70),
        margin={"l": 0, "r": 8, "t": 8, "b": 34},
        hoverlabel={"align": "left"},
        showlegend=False,
    )
    return readable(figure)
