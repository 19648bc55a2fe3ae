"""The picture of repeats as a file: PNG, SVG or PDF by matplotlib, no window system and no shared state."""

import threading
from pathlib import Path
from typing import Any

from pipelines.atomic_write import atomic_path
from pipelines.errors import ConfigError
from pipelines.ingest.repeats.timeline import EDGE, STYLES, Picture

FORMATS = ("png", "svg", "pdf")
LONGEST_LABEL = 28
#: A stretch is drawn at least so wide, as a share of the width: 20 s of two hours would be a hair.
THINNEST = 0.004
#: Beside what is narrower than this share its sign stands, else on it.
NARROW = 0.015

#: matplotlib's settings belong to the process: one figure is written at a time.
_SETTINGS = threading.Lock()


def save(picture: Picture, path: Path) -> None:
    """Write the picture to `path`, in the format of its suffix; the same picture gives the same bytes.

    Raises ConfigError for another suffix than .png, .svg or .pdf.
    """
    import matplotlib as mpl

    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise ConfigError(f"{path.name}: a picture is written as .png, .svg or .pdf; name the file so")
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[suffix]
    with (
        _SETTINGS,
        mpl.rc_context({"svg.hashsalt": "repeats", "hatch.linewidth": 0.6}),
        atomic_path(path) as temporary,
    ):
        draw(picture).savefig(temporary, format=suffix, metadata=undated)


def draw(picture: Picture) -> Any:
    """A matplotlib Figure: a row per recording, a bar per repeated stretch, filled where no clip may stand."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows = {row.source_id: number for number, row in enumerate(picture.rows)}
    longest_s = max((row.seconds for row in picture.rows), default=1.0)
    unit_s, unit = (60.0, "minutes") if longest_s >= 180 else (1.0, "seconds")
    figure = Figure(figsize=(9, 1.3 + 0.22 * max(3, len(rows))), dpi=150, layout="constrained", facecolor="white")
    axis = figure.subplots()
    for row in picture.rows:
        y = rows[row.source_id]
        axis.barh(y, row.seconds / unit_s, height=0.62, color="#EEEEEE", edgecolor="#BBBBBB", linewidth=0.5)
    for group in picture.groups:
        _, sign, colour, _, hatch = STYLES[group.kind]
        for place in group.places:
            if place.source_id not in rows:
                continue
            width = max(place.end_s - place.start_s, THINNEST * longest_s) / unit_s
            axis.barh(
                rows[place.source_id], width, left=place.start_s / unit_s, height=0.62, linewidth=0.8,
                color=colour if place.is_masked else "none", edgecolor="white" if place.is_masked else EDGE,
                hatch=hatch if place.is_masked else None,
            )  # fmt: skip
            is_narrow = width < NARROW * longest_s / unit_s
            axis.text(
                place.start_s / unit_s + (width if is_narrow else width / 2), rows[place.source_id], sign,
                ha="left" if is_narrow else "center", va="center", fontsize=6, clip_on=True,
                bbox=None if is_narrow else {"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            )  # fmt: skip
    axis.set_yticks(list(rows.values()), [_short(name) for name in rows], fontsize=7)
    axis.set(xlim=(0, longest_s * 1.01 / unit_s), ylim=(max(3, len(rows)) - 0.4, -0.6), xlabel=unit)
    axis.tick_params(axis="x", labelsize=7)
    kinds = list(dict.fromkeys(group.kind for group in picture.groups))
    handles = [
        Patch(
            facecolor=STYLES[kind][2],
            edgecolor="white",
            hatch=STYLES[kind][4],
            label=f"{STYLES[kind][1]} {STYLES[kind][0]}",
        )
        for kind in kinds
    ]
    handles.append(Patch(facecolor="none", edgecolor=EDGE, label="only outlined: kept here, the earliest place"))
    figure.legend(handles=handles, loc="outside upper left", ncols=5, fontsize=7, frameon=False)
    axis.set_title(title(picture), fontsize=8, loc="left")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure


def title(picture: Picture) -> str:
    """The picture in one line."""
    if not picture.groups:
        return f"Nothing repeats among {len(picture.rows) + picture.others} recordings."
    counts = {kind: sum(group.kind == kind for group in picture.groups) for kind in STYLES}
    words = ", ".join(f"{count} {STYLES[kind][0]}{'s' if count > 1 else ''}" for kind, count in counts.items() if count)
    masked_s, whole_s = (sum(getattr(row, name) for row in picture.rows) for name in ("masked_s", "seconds"))
    others = f"; {picture.others} recordings without any are not shown" if picture.others else ""
    return (
        f"{words} in {len(picture.rows)} recordings: {masked_s / 60:.1f} of {whole_s / 60:.1f} minutes masked{others}"
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"
