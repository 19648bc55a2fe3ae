"""Figures of the Ingest page, drawn by plotly from plain numbers: pure functions, axes with units."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from pipelines.ingest.selection.threshold_preview import Histogram
from pipelines.study import ScreenThresholds
from workbench.app.formatting import duration, number, share

KEPT = "#1F5F8B"
OTHERS = "#9AA3AD"
LIMIT = "#D55E00"
ZONE = "rgba(213,94,0,0.12)"


def scores(histogram: Histogram, bounds: ScreenThresholds, *, says: str, height: int = 260) -> go.Figure:
    """How many windows have which score, kept ones apart, with the limits in force drawn and named."""
    middles = (histogram.edges[:-1] + histogram.edges[1:]) / 2
    width = float(histogram.edges[1] - histogram.edges[0])
    ends = [float(histogram.edges[0]), float(histogram.edges[-1])]
    ends += [limit for limit in (bounds.min, bounds.max) if limit is not None]
    figure = go.Figure()
    for name, counts, colour in (("kept", histogram.kept, KEPT), ("not kept", histogram.others, OTHERS)):
        figure.add_bar(
            x=middles,
            y=counts,
            width=width,
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            customdata=[
                [number(low), number(high)] for low, high in zip(histogram.edges, histogram.edges[1:], strict=False)
            ],
            hovertemplate="%{customdata[0]} to %{customdata[1]}: %{y} " + name + "<extra></extra>",
        )
    for limit, zone_end, words in (
        (bounds.min, bounds.review_min, "at least"),
        (bounds.max, bounds.review_max, "at most"),
    ):
        if limit is None:
            continue
        if zone_end is not None:
            figure.add_vrect(
                x0=min(limit, zone_end), x1=max(limit, zone_end), fillcolor=ZONE, line_width=0, layer="below"
            )
        figure.add_vline(x=limit, line={"color": LIMIT, "width": 2})
        figure.add_annotation(
            x=limit,
            y=1,
            yref="paper",
            yanchor="bottom",
            xanchor=_towards_middle(limit, min(ends), max(ends)),
            text=f"{words} {number(limit)}",
            showarrow=False,
            font={"color": LIMIT, "size": 13},
        )
    figure.update_layout(
        barmode="stack",
        bargap=0,
        height=height,
        margin={"l": 10, "r": 10, "t": 52, "b": 10},
        # above the limit's name: below, it would lie over the name of the axis
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.13, "yanchor": "bottom"},
    )
    figure.update_xaxes(title=says, range=[min(ends) - width, max(ends) + width], automargin=True)
    figure.update_yaxes(title="windows", rangemode="tozero", automargin=True)
    return figure


def _towards_middle(place: float, low: float, high: float) -> str:
    """Where a label is to be held so that none of it is cut off at an end of the axis."""
    share = (place - low) / (high - low) if high > low else 0.5
    return "left" if share < 0.15 else "right" if share > 0.85 else "center"


def funnel(steps: Sequence[tuple[str, float]]) -> go.Figure:
    """Seconds of sound left after each step, one bar below the other, with its share of the first."""
    first = steps[0][1] if steps else 0.0
    unit_s, unit = (3600, "hours") if first >= 3600 else (60, "minutes")
    texts = [
        duration(seconds) + (f" · {share(seconds / first)}" if place and first else "")
        for place, (_, seconds) in enumerate(steps)
    ]
    figure = go.Figure(
        go.Bar(
            y=[name for name, _ in steps],
            x=[seconds / unit_s for _, seconds in steps],
            orientation="h",
            marker_color=[OTHERS if place < len(steps) - 1 else KEPT for place in range(len(steps))],
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"{unit} of sound", rangemode="tozero", range=[0, max(first, 1e-9) / unit_s * 1.35])
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(height=70 + 36 * max(1, len(steps)), margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure


def shares(rows: Sequence[tuple[str, float | None, int]], *, axis: str) -> go.Figure:
    """A share per row in per cent with its n: (name, share in [0, 1] or None, n)."""
    figure = go.Figure(
        go.Bar(
            y=[name for name, _, _ in rows],
            x=[None if value is None else 100 * value for _, value, _ in rows],
            orientation="h",
            marker_color=KEPT,
            text=[f"{share(value)} of {number(n)}" for _, value, n in rows],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text} windows<extra></extra>",
        )
    )
    figure.update_xaxes(title=axis, range=[0, 150], tickvals=[0, 25, 50, 75, 100])
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(height=70 + 36 * max(1, len(rows)), margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure


def counts(found: Mapping[str, int], *, unit: str) -> go.Figure:
    """How often each thing was found, the commonest on top."""
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    figure = go.Figure(
        go.Bar(
            y=[name for name, _ in ordered],
            x=[count for _, count in ordered],
            orientation="h",
            marker_color=OTHERS,
            text=[number(count) for _, count in ordered],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x} " + unit + "<extra></extra>",
        )
    )
    figure.update_xaxes(title=unit, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(height=70 + 30 * max(1, len(ordered)), margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure
