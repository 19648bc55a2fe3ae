"""Figures for the screen, drawn by plotly from plain numbers. Files are drawn elsewhere, by matplotlib.

Pure functions: the same emotion has the same colour, sign and place in every figure; axes have units; a scale is
shared wherever panels are meant to be compared.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb, sequential
from plotly.subplots import make_subplots

from pipelines.features.stft import hann, stft
from pipelines.schemes import CollapsedLabel, Label
from pipelines.units import Audio, Hertz
from workbench.app.formatting import estimate_text, number

if TYPE_CHECKING:
    from pipelines.compare import Grid

Entries: TypeAlias = Sequence[Label] | Sequence[CollapsedLabel]

HUMAN = "#4B5563"
TRAIN = "#9CA3AF"
VALID = "#1F5F8B"
ENDED = "#D9D9D9"
PERCEPTUAL = "Viridis"
LOUDNESS = "Magma"
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


def confusion(entries: Entries, counts: npt.ArrayLike, *, rows: str, columns: str, unit: str = "clips") -> go.Figure:
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


def _bound(estimate: Mapping[str, Any], end: str) -> float:
    """One end of an interval; the value itself where there is no interval."""
    return float(estimate["value"] if estimate[end] is None else estimate[end])


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
                "array": [_bound(estimate, "high") - estimate["value"] for _, estimate in known],
                "arrayminus": [estimate["value"] - _bound(estimate, "low") for _, estimate in known],
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
    low = min([0.0, *(_bound(estimate, "low") for _, estimate in known)])
    figure.update_xaxes(title=axis, range=[low - 0.02, 1.02])
    figure.update_yaxes(autorange="reversed", automargin=True)
    return _framed(figure, height=80 + 34 * max(1, len(known)), top=26)


def training_curves(
    history: Mapping[str, Sequence[float]],
    *,
    chance: float | None = None,
    ceiling: float | None = None,
    ceiling_name: str = "human ceiling",
    epochs: int | None = None,
) -> go.Figure:
    """Accuracy and loss by epoch, training and validation.

    `history` has loss, accuracy, val_loss, val_accuracy, each of shape [epochs so far]; `epochs` fixes the axis while
    it runs. `chance` and `ceiling` (how often one rater agrees with the others) are lines in the accuracy panel; where
    raters are simulated, `ceiling_name` says so.
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
    for value, text in ((chance, "chance"), (ceiling, ceiling_name)):
        if value is not None:
            figure.add_hline(
                y=value,
                line={"dash": "dot", "color": HUMAN, "width": 1.5},
                annotation={"text": text, "font": {"size": 12}},
                annotation_position="bottom right",
                row=1,
                col=1,
            )
    figure.update_yaxes(range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=2)
    length = epochs or max((len(values) for values in history.values()), default=1)
    figure.update_xaxes(title="epoch", range=[0.5, max(2, length) + 0.5])
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return _framed(figure, height=300, top=30)


def spectrogram_grid(grid: "Grid", *, chosen: int | None = None) -> go.Figure:
    """A grid of up to nine panels in rows of three, on the colour scales that the grid states.

    Each panel carries a ▶ mark whose `customdata` is the panel's number, so that a click on it can play its clip; that
    of `chosen` is filled. Grey: the clip has ended.
    """
    style = grid.style
    titles = [f"{number}  {panel.title}" for number, panel in enumerate(grid.panels, start=1)]
    figure = make_subplots(
        3,
        3,
        horizontal_spacing=0.025,
        vertical_spacing=0.06,
        shared_xaxes=True,
        shared_yaxes=True,
        subplot_titles=titles,
    )
    for index, (panel, (low, high)) in enumerate(zip(grid.panels, grid.limits, strict=True)):
        row, column = divmod(index, 3)
        figure.add_heatmap(
            z=panel.values,
            x=panel.x,
            y=panel.y,
            zmin=low,
            zmax=high,
            colorscale=_scale(style.colour_map.capitalize()),
            showscale=style.shares_limits and index == 0,
            colorbar={"title": {"text": style.value_label, "side": "right"}, "thickness": 10},
            hovertemplate=f"{style.x_label} %{{x:.3g}}<br>{style.y_label} %{{y:.3g}}<br>%{{z:.3g}}<extra></extra>",
            row=row + 1,
            col=column + 1,
        )
        figure.add_scatter(
            x=[panel.x[0] + 0.07 * (panel.x[-1] - panel.x[0])],
            y=[panel.y[0] + 0.88 * (panel.y[-1] - panel.y[0])],
            mode="markers",
            marker={
                "symbol": "triangle-right" if index == chosen else "triangle-right-open",
                "size": 14,
                "color": "white",
                "line": {"color": "white", "width": 2},
            },
            customdata=[index],
            hovertemplate=f"hear panel {index + 1}<extra></extra>",
            showlegend=False,
            row=row + 1,
            col=column + 1,
        )
    figure.update_xaxes(showgrid=False, zeroline=False, range=_extent([panel.x for panel in grid.panels]))
    figure.update_yaxes(showgrid=False, zeroline=False, range=_extent([panel.y for panel in grid.panels]))
    figure.update_yaxes(title=style.y_label, row=2, col=1)
    figure.update_xaxes(title=style.x_label, row=3, col=2)
    figure.update_annotations(font={"size": 11})
    _framed(figure, height=440, top=22)
    figure.update_layout(dragmode=False, plot_bgcolor=ENDED, margin_pad=0)
    return figure


def clip_picture(mono: Audio, rate_hz: Hertz) -> go.Figure:
    """One clip, float32 [n]: its wave above (full scale ±1), its spectrogram below in dB under its loudest point.

    The spectrogram has 1,024-sample Hann frames and some 300 columns, up to 10 kHz or half the rate.
    """
    seconds = len(mono) / rate_hz
    levels, hertz = _levels(mono, rate_hz)
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.28, 0.72], vertical_spacing=0.04)
    width = max(1, len(mono) // 600)
    slices = mono[: len(mono) // width * width].reshape(-1, width)
    times = (np.arange(len(slices)) + 0.5) * width / rate_hz
    outline = {"mode": "lines", "line": {"width": 1, "color": VALID}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(x=times, y=slices.max(axis=1), row=1, col=1, **outline)
    figure.add_scatter(x=times, y=slices.min(axis=1), fill="tonexty", row=1, col=1, **outline)
    figure.add_heatmap(
        z=levels,
        x=np.linspace(0, seconds, levels.shape[1]),
        y=hertz / 1000,
        colorscale=_scale(LOUDNESS),
        zmin=-80,
        zmax=0,
        colorbar={"title": {"text": "dB"}, "thickness": 10, "len": 0.72, "y": 0.36},
        hovertemplate="%{x:.2f} s, %{y:.1f} kHz: %{z:.0f} dB<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_yaxes(range=[-1, 1], title="level", showticklabels=False, row=1, col=1)
    figure.update_yaxes(title="kHz", row=2, col=1)
    figure.update_xaxes(title="seconds", row=2, col=1)
    return _framed(figure, height=260, top=8)


def _extent(axes: Sequence[npt.NDArray[np.float64]]) -> list[float]:
    """From half a cell before the first middle to half a cell after the last."""
    half = float(axes[0][1] - axes[0][0]) / 2
    return [min(float(axis[0]) for axis in axes) - half, max(float(axis[-1]) for axis in axes) + half]


def _levels(mono: Audio, rate_hz: Hertz) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    n_fft = 1024
    padded = np.pad(mono, (0, max(0, n_fft - len(mono))))
    spectrum = np.abs(stft(padded, n_fft=n_fft, hop=max(1, (len(padded) - n_fft) // 300 or 1), window=hann(n_fft))).T
    hertz = np.arange(len(spectrum)) * rate_hz / n_fft
    shown = hertz <= 10_000
    loudest = max(float(spectrum.max()), 1e-9)
    levels = 20 * np.log10(np.maximum(spectrum[shown] / loudest, 1e-4))
    return levels.astype(np.float32), hertz[shown]


def short(entry: Label | CollapsedLabel) -> str:
    """A label's name for a person, such as `Neutral`."""
    return entry.text.get("en", entry.name).split(" (")[0]


def signed(entry: Label | CollapsedLabel) -> str:
    """`short` with the sign that stands beside its colour, such as `● Neutral`."""
    return f"{entry.sign} {short(entry)}".strip()


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
            z=[[None if math.isnan(value) else value for value in row] for row in values],
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


def _scale(name: str) -> list[str]:
    """A colour scale of plotly as rgb(): Streamlit takes #000001 to #000010 for places to put its own theme's colours,
    and magma begins with #000004.
    """
    named: list[str] = getattr(sequential, name)
    return [f"rgb{hex_to_rgb(colour)}" if colour.startswith("#") else colour for colour in named]


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
