"""Curves and confusion of a run as PNG and SVG, drawn without a screen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TRAIN_COLOUR = "#0072B2"
VALID_COLOUR = "#D55E00"
_SIZE_IN = (7.2, 3.2)


def draw_curves(
    histories: Mapping[int, Sequence[Mapping[str, float]]],
    kept: Mapping[int, int],
    out: Path,
    *,
    title: str,
    valid_name: str,
    chance: float,
    ceiling: float | None,
) -> list[Path]:
    """Loss and accuracy against epoch, training solid and validation dashed, one thin line per seed after the first.

    `histories`: seed → rows of history.csv; `kept`: seed → epoch whose weights the run uses. Chance and the human
    ceiling are drawn as levels of the accuracy. Returns the files written.
    """
    figure = _figure(_SIZE_IN)
    loss, accuracy = figure.subplots(1, 2)
    for number, (seed, history) in enumerate(histories.items()):
        epochs = [row["epoch"] for row in history]
        for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
            weight = {"linewidth": 1.8 if number == 0 else 0.7, "alpha": 1.0 if number == 0 else 0.6}
            known = {"label": "training"} if number == 0 else {}
            axes.plot(epochs, [row[name] for row in history], color=TRAIN_COLOUR, **weight, **known)
            known = {"label": valid_name} if number == 0 else {}
            axes.plot(epochs, [row[f"val_{name}"] for row in history], "--", color=VALID_COLOUR, **weight, **known)
            if number == 0:
                axes.axvline(kept[seed], color="0.5", linewidth=0.8, linestyle=":", label="epoch kept")
    accuracy.axhline(chance, color="0.4", linewidth=0.9, linestyle="-.", label="most common label")
    if ceiling is not None:
        accuracy.axhline(ceiling, color="#009E73", linewidth=0.9, linestyle="-.", label="one rater against the others")
    loss.set(xlabel="epoch", ylabel="loss (cross-entropy, nats)")
    accuracy.set(xlabel="epoch", ylabel="accuracy (fraction)", ylim=(0, 1.02))
    loss.set_ylim(bottom=0)
    handles, names = accuracy.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=7.5, frameon=False)
    figure.suptitle(title, fontsize=9)
    return _save(figure, out)


def draw_confusion(confusion: Mapping[str, Any], out: Path, *, title: str) -> list[Path]:
    """Confusion counts as a grid, coloured by the share of each true label; cells say share and count."""
    labels = list(confusion["labels"])
    counts = np.asarray(confusion["counts"])
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = 2.4 + 0.75 * len(labels)
    figure = _figure((side + 0.7, side - 0.35))
    axes = figure.subplots()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="viridis")
    for i, j in np.ndindex(*counts.shape):
        colour = "black" if shares[i, j] > 0.5 else "white"
        axes.text(j, i, f"{shares[i, j]:.0%}\n{counts[i, j]}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), [f"{label} (n={n})" for label, n in zip(labels, totals[:, 0], strict=True)])
    axes.set(xlabel="predicted", ylabel="true")
    figure.colorbar(image, ax=axes, shrink=0.75, label="share of the true label")
    axes.set_title(title, fontsize=9)
    return _save(figure, out)


def _figure(size_in: tuple[float, float]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, out: Path) -> list[Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    files = [out.with_suffix(".png"), out.with_suffix(".svg")]
    figure.savefig(files[0], dpi=200, metadata={"Software": None})
    figure.savefig(files[1], metadata={"Date": None})
    return files
