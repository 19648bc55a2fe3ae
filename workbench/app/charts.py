"""Figures for the screen, drawn by plotly from plain numbers. Files are drawn elsewhere, by matplotlib.

Pure functions: the same emotion has the same colour, sign and place in every figure; axes have units; a scale is
shared wherever panels are meant to be compared.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pipelines.schemes import CollapsedLabel, Label
from workbench.app.words import estimate_text, number

if TYPE_CHECKING:
    from pipelines.compare import Panel

Entries: TypeAlias = Sequence[Label] | Sequence[CollapsedLabel]

HUMAN = "#4B5563"
TRAIN = "#9CA3AF"
VALID = "#1F5F8B"
PERCEPTUAL = "Viridis"
SEQUENTIAL = "Blues"


def kappa_map(raters: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Cohen's kappa of every pair of raters as a heat map.

    `pairs` are `{"a", "b", "n", "kappa": estimate}`; the colour runs from 0 (chance) to 1 on every map.
    """
    place = {rater: index for index, rater in enumerate(raters)}
    values = np.full((len(raters), len(raters)), np.nan)
    hover = [["" for _ in raters] for _ in raters]
    for pair in pairs:
        if pair["a"] not in place or pair["b"] not in place:
            continue
        for row, column in ((pair["a"], pair["b"]), (pair["b"], pair["a"])):
            value = pair["kappa"]["value"]
            values[place[row], place[column]] = math.nan if value is None else value
            hover[place[row]][place[column]] = f"{row} and {column}: kappa {estimate_text(pair['kappa'], 'clips')}"
    figure = _cells(values, raters, raters, _texts(values, number), hover, (0.0, 1.0), "kappa", PERCEPTUAL)
    figure.update_yaxes(autorange="reversed")
    return figure


def confusion(
    entries: Entries, counts: Sequence[Sequence[float]], *, rows: str, columns: str, unit: str = "clips"
) -> go.Figure:
    """Counts [row, column] over the labels in scheme order, coloured by the share of each row."""
    table = np.asarray(counts, dtype=float)
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.full_like(table, np.nan), where=totals > 0)
    names = [signed(entry) for entry in entries]
    texts = [[number(value) for value in row] for row in table]
    hover = [
        [
            f"{rows} {short(entries[i])}, {columns} {short(entries[j])}: {texts[i][j]} of {number(totals[i, 0])} {unit}"
            for j in range(len(entries))
        ]
        for i in range(len(entries))
    ]
    figure = _cells(shares, names, names, texts, hover, (0.0, 1.0), "share of row", SEQUENTIAL)
    figure.update_yaxes(autorange="reversed", title=rows)
    figure.update_xaxes(title=columns)
    return figure


def label_counts(entries: Entries, counts: Mapping[str, float], *, unit: str = "clips") -> go.Figure:
    """One bar per label in scheme order, each in its own colour, with its number on it."""
    values = [counts.get(entry.name, 0) for entry in entries]
    figure = go.Figure(
        go.Bar(
            x=[signed(entry) for entry in entries],
            y=values,
            marker_color=[entry.colour for entry in entries],
            text=[number(value) for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x}: %{text} " + unit + "<extra></extra>",
        )
    )
    figure.update_yaxes(title=unit, rangemode="tozero")
    return _framed(figure, height=260)


def reason_counts(counts: Mapping[str, int], *, unit: str = "candidates") -> go.Figure:
    """Why something was left out: one horizontal bar per reason, the commonest on top."""
    ordered = sorted(counts.items(), key=lambda pair: pair[1])
    figure = go.Figure(
        go.Bar(
            y=[reason for reason, _ in ordered],
            x=[count for _, count in ordered],
            orientation="h",
            marker_color=VALID,
            text=[number(count) for _, count in ordered],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x} " + unit + "<extra></extra>",
        )
    )
    figure.update_xaxes(title=unit, rangemode="tozero")
    return _framed(figure, height=80 + 34 * max(1, len(ordered)))


def intervals(rows: Sequence[tuple[str, Mapping[str, Any]]], *, axis: str, marks: Mapping[str, float]) -> go.Figure:
    """Estimates as points with their 95 % intervals, one below the other; `marks` are named vertical lines."""
    known = [(name, estimate) for name, estimate in rows if estimate.get("value") is not None]
    figure = go.Figure(
        go.Scatter(
            x=[estimate["value"] for _, estimate in known],
            y=[name for name, _ in known],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [estimate["high"] - estimate["value"] for _, estimate in known],
                "arrayminus": [estimate["value"] - estimate["low"] for _, estimate in known],
                "thickness": 2,
            },
            mode="markers",
            marker={"size": 12, "color": VALID},
            text=[estimate_text(estimate) for _, estimate in known],
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    for name, value in marks.items():
        figure.add_vline(x=value, line={"dash": "dot", "color": HUMAN, "width": 1})
        figure.add_annotation(x=value, y=1, yref="paper", yanchor="bottom", text=name, showarrow=False)
    low = min([0.0, *(estimate["low"] for _, estimate in known)])
    figure.update_xaxes(title=axis, range=[low - 0.02, 1.02])
    figure.update_yaxes(autorange="reversed", automargin=True)
    return _framed(figure, height=90 + 38 * max(1, len(known)), top=26)


def training_curves(
    history: Mapping[str, Sequence[float]],
    *,
    chance: float | None = None,
    ceiling: float | None = None,
    epochs: int | None = None,
) -> go.Figure:
    """Accuracy and loss by epoch, training and validation.

    `history` has loss, accuracy, val_loss, val_accuracy, each of shape [epochs so far]; `epochs` fixes the axis while
    it runs. `chance` and `ceiling` (how often one rater agrees with the others) are lines in the accuracy panel.
    """
    figure = make_subplots(1, 2, subplot_titles=("accuracy (share of clips)", "loss (nats)"), horizontal_spacing=0.1)
    for column, name in enumerate(("accuracy", "loss"), start=1):
        for key, colour, title, dash in (
            (name, TRAIN, "training", "dash"),
            (f"val_{name}", VALID, "validation", "solid"),
        ):
            values = list(history.get(key, ()))
            figure.add_scatter(
                x=list(range(1, len(values) + 1)),
                y=values,
                mode="lines+markers" if len(values) < 3 else "lines",
                name=title,
                legendgroup=title,
                showlegend=column == 1,
                line={"color": colour, "dash": dash, "width": 2},
                hovertemplate=f"{title}, epoch %{{x}}: %{{y:.3g}}<extra></extra>",
                row=1,
                col=column,
            )
    for value, text in ((chance, "chance"), (ceiling, "human ceiling")):
        if value is not None:
            figure.add_hline(
                y=value,
                line={"dash": "dot", "color": HUMAN, "width": 1.5},
                annotation={"text": text, "font": {"size": 12}},
                annotation_position="top left",
                row=1,
                col=1,
            )
    figure.update_yaxes(range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=2)
    length = epochs or max((len(values) for values in history.values()), default=1)
    figure.update_xaxes(title="epoch", range=[0.5, max(2, length) + 0.5])
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return _framed(figure, height=300, top=30)


def spectrogram_grid(
    panels: Sequence["Panel"], *, limits: tuple[float, float] | None = None, unit: str = "dB", chosen: int | None = None
) -> go.Figure:
    """Nine (or fewer) panels in rows of three. With `limits` all share one colour scale, else each has its own.

    Each panel carries a ▶ mark whose `customdata` is the panel's number, so that a click on it can play its clip;
    `chosen` is drawn with a filled mark.
    """
    figure = make_subplots(3, 3, horizontal_spacing=0.03, vertical_spacing=0.07, shared_xaxes=True, shared_yaxes=True)
    for index, panel in enumerate(panels):
        row, column = divmod(index, 3)
        x, y, x_title, y_title = _panel_axes(panel)
        low, high = limits or (float(np.min(panel.values)), float(np.max(panel.values)))
        figure.add_heatmap(
            z=np.asarray(panel.values, dtype=np.float32),
            x=x,
            y=y,
            zmin=low,
            zmax=high,
            colorscale=PERCEPTUAL,
            showscale=bool(limits) and index == 0,
            colorbar={"title": {"text": unit}, "thickness": 10, "len": 0.9},
            hovertemplate=f"%{{x:.2f}} {x_title}, %{{y:.0f}} {y_title}: %{{z:.3g}} {unit}<extra></extra>",
            row=row + 1,
            col=column + 1,
        )
        figure.add_scatter(
            x=[x[0] + 0.07 * (x[-1] - x[0])],
            y=[y[0] + 0.9 * (y[-1] - y[0])],
            mode="markers",
            marker={
                "symbol": "triangle-right" if index == chosen else "triangle-right-open",
                "size": 15,
                "color": "white",
                "line": {"color": "white", "width": 2},
            },
            customdata=[index],
            name=f"panel {index + 1}",
            hovertemplate=f"hear panel {index + 1}<extra></extra>",
            showlegend=False,
            row=row + 1,
            col=column + 1,
        )
        if column == 0:
            figure.update_yaxes(title=y_title if row == 1 else None, row=row + 1, col=1)
        if row == 2:
            figure.update_xaxes(title=x_title if column == 1 else None, row=3, col=column + 1)
    figure.update_layout(dragmode=False)
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False)
    return _framed(figure, height=560, top=8)


def clip_picture(
    samples: np.ndarray[Any, Any], rate_hz: int, levels: np.ndarray[Any, Any], hertz: Sequence[float]
) -> go.Figure:
    """One clip: its wave above (shape [n], full scale ±1), its spectrogram below (dB, shape [freq, time])."""
    seconds = len(samples) / rate_hz
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.3, 0.7], vertical_spacing=0.04)
    bins = max(1, len(samples) // 600)
    cut = samples[: len(samples) // bins * bins].reshape(-1, bins)
    times = (np.arange(len(cut)) + 0.5) * bins / rate_hz
    outline = {"mode": "lines", "line": {"width": 1, "color": VALID}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(x=times, y=cut.max(axis=1), row=1, col=1, **outline)
    figure.add_scatter(x=times, y=cut.min(axis=1), fill="tonexty", row=1, col=1, **outline)
    figure.add_heatmap(
        z=levels,
        x=np.linspace(0, seconds, levels.shape[1]),
        y=np.asarray(hertz) / 1000,
        colorscale="Magma",
        colorbar={"title": {"text": "dB"}, "thickness": 10, "len": 0.7, "y": 0.35},
        hovertemplate="%{x:.2f} s, %{y:.1f} kHz: %{z:.0f} dB<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_yaxes(range=[-1, 1], title="level", row=1, col=1)
    figure.update_yaxes(title="kHz", row=2, col=1)
    figure.update_xaxes(title="seconds", row=2, col=1)
    return _framed(figure, height=330, top=8)


def short(entry: Label | CollapsedLabel) -> str:
    """A label's name for a person, such as `Neutral`."""
    return entry.text.get("en", entry.name).split(" (")[0]


def signed(entry: Label | CollapsedLabel) -> str:
    """`short` with the sign that stands beside its colour, such as `● Neutral`."""
    return f"{entry.sign} {short(entry)}".strip()


def _panel_axes(panel: "Panel") -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str, str]:
    return np.asarray(panel.x), np.asarray(panel.y), panel.x_unit, panel.y_unit


def _texts(values: np.ndarray[Any, Any], as_text: Any) -> list[list[str]]:
    return [["" if math.isnan(value) else as_text(value) for value in row] for row in values]


def _cells(
    values: np.ndarray[Any, Any],
    columns: Sequence[str],
    rows: Sequence[str],
    texts: Sequence[Sequence[str]],
    hover: Sequence[Sequence[str]],
    limits: tuple[float, float],
    title: str,
    scale: str,
) -> go.Figure:
    """A heat map with a number in each cell, its text light or dark as the colour under it asks."""
    low, high = limits
    figure = go.Figure(
        go.Heatmap(
            z=np.where(np.isnan(values), None, values),
            x=list(columns),
            y=list(rows),
            zmin=low,
            zmax=high,
            colorscale=scale,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={"title": {"text": title}, "thickness": 10},
            xgap=2,
            ygap=2,
        )
    )
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            share = (values[row, column] - low) / (high - low)
            figure.add_annotation(
                x=columns[column],
                y=rows[row],
                text=text,
                showarrow=False,
                font={"color": _ink(share, scale), "size": 14},
            )
    figure.update_xaxes(type="category", automargin=True, showgrid=False)
    figure.update_yaxes(type="category", automargin=True, showgrid=False)
    return _framed(figure, height=max(220, 90 + 48 * len(rows)))


def _ink(share: float, scale: str) -> str:
    """Black or white: Blues are dark at the top, Viridis at the bottom."""
    if math.isnan(share):
        return "#111111"
    if scale == SEQUENTIAL:
        return "#FFFFFF" if share > 0.55 else "#111111"
    return "#FFFFFF" if share < 0.6 else "#111111"


def _framed(figure: go.Figure, *, height: int, top: int = 14) -> go.Figure:
    figure.update_layout(height=height, margin={"l": 10, "r": 10, "t": top, "b": 10}, hoverlabel={"namelength": -1})
    return figure
