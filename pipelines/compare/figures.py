"""Grids as files: PNG and SVG by matplotlib, no window system and no shared state."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.atomic_write import atomic_path
from pipelines.compare.grids import Grid

ROWS = COLUMNS = 3
ENDED = "#D9D9D9"
DPI = 300

#: matplotlib's settings belong to the process: one figure is written at a time.
_SETTINGS = threading.Lock()


def save(grid: Grid, folder: Path) -> tuple[Path, Path]:
    """Write the grid as `<style>-<corpus>-<emotion>.png` and `.svg` into `folder`; returns both paths.

    The same grid gives the same bytes.
    """
    import matplotlib as mpl

    figure = draw(grid)
    stem = f"{grid.style.name}-{grid.corpus}-{grid.emotion}"
    png, svg = folder / f"{stem}.png", folder / f"{stem}.svg"
    with _SETTINGS, mpl.rc_context({"svg.hashsalt": stem}):
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None, "Description": grid.caption})
        with atomic_path(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Description": grid.caption})
    return png, svg


def draw(grid: Grid) -> Any:
    """The grid as a matplotlib Figure: one column wide and one colour bar where the scale is shared, else the paper's
    form with a colour bar per panel.
    """
    return _shared(grid) if grid.style.shares_limits else _separate(grid)


def _shared(grid: Grid) -> Any:
    figure = _figure(4.3, 4.3, DPI)
    left, right, bottom, top = 0.105, 0.84, 0.095, 0.86
    axes = figure.subplots(
        ROWS, COLUMNS, sharex=True, sharey=True,
        gridspec_kw={"left": left, "right": right, "bottom": bottom, "top": top, "wspace": 0.16, "hspace": 0.24},
    )  # fmt: skip
    picture = None
    for axis, panel, limits in zip(axes.flat, grid.panels, grid.limits, strict=False):
        half_x, half_y = np.diff(panel.x[:2])[0] / 2, np.diff(panel.y[:2])[0] / 2
        picture = axis.imshow(
            panel.values,
            origin="lower", aspect="auto", interpolation="nearest", cmap=grid.style.colour_map,
            vmin=limits[0], vmax=limits[1],
            extent=(panel.x[0] - half_x, panel.x[-1] + half_x, panel.y[0] - half_y, panel.y[-1] + half_y),
        )  # fmt: skip
        axis.set_title(panel.title, fontsize=7, pad=2.5)
        axis.set(facecolor=ENDED, xlim=(0, round(panel.x[-1], 1)), ylim=(0, round(panel.y[-1], 1)))
        axis.tick_params(labelsize=7, length=2, width=0.6, pad=1.5)
        for spine in axis.spines.values():
            spine.set_linewidth(0.6)
    for axis in list(axes.flat)[len(grid.panels) :]:
        axis.set_axis_off()
    figure.supxlabel(grid.style.x_label, fontsize=8, x=(left + right) / 2, y=0.012)
    figure.supylabel(grid.style.y_label, fontsize=8, x=0.012, y=(bottom + top) / 2)
    bar = figure.colorbar(picture, cax=figure.add_axes((0.862, bottom, 0.025, top - bottom)))
    bar.set_label(grid.style.value_label, fontsize=8, labelpad=2)
    bar.ax.tick_params(labelsize=7, length=2, width=0.6, pad=1.5)
    bar.outline.set_linewidth(0.6)
    _heading(figure, grid, left, 8)
    return figure


def _separate(grid: Grid) -> Any:
    figure = _figure(6.5, 3.8, 200)
    axes = figure.subplots(
        ROWS, COLUMNS,
        gridspec_kw={"left": 0.065, "right": 0.985, "bottom": 0.1, "top": 0.845, "wspace": 0.2, "hspace": 0.62},
    )  # fmt: skip
    for axis, panel, limits in zip(axes.flat, grid.panels, grid.limits, strict=False):
        picture = axis.pcolormesh(
            panel.x, panel.y, panel.values,
            shading="nearest", cmap=grid.style.colour_map, vmin=limits[0], vmax=limits[1], rasterized=True,
        )  # fmt: skip
        axis.set_title(panel.title, fontsize=6, pad=2)
        bar = figure.colorbar(picture, ax=axis, pad=0.03)
        for ticked in (axis, bar.ax):
            ticked.tick_params(labelsize=5.5, length=1.5, width=0.5, pad=1)
    for axis in list(axes.flat)[len(grid.panels) :]:
        axis.set_axis_off()
    figure.supxlabel(grid.style.x_label, fontsize=6, y=0.005)
    figure.supylabel(f"{grid.style.y_label}; colour: {grid.style.value_label}", fontsize=6, x=0.005)
    _heading(figure, grid, 0.065, 7)
    return figure


def _figure(width_in: float, height_in: float, dpi: int) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _heading(figure: Any, grid: Grid, left: float, size: float) -> None:
    """The emotion in its own colour and sign, then corpus and n."""
    colour, sign = grid.mark
    indent = left + 0.17 * size / 8 / figure.get_figwidth()
    figure.text(left, 0.978, sign, color=colour, fontsize=size + 1, va="top", ha="left")
    figure.text(indent, 0.978, f"{grid.title} · {grid.emotion}", fontsize=size + 1, weight="bold", va="top")
    figure.text(indent, 0.932, f"n = {grid.counts}", fontsize=size - 0.5, color="#444444", va="top")
