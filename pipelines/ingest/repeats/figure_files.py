"""Figure files of the repeat timeline: PNG, SVG or PDF by matplotlib, without a display and without shared state."""

import threading
from pathlib import Path
from typing import Any

from pipelines.atomic_write import atomic_path
from pipelines.errors import ConfigError
from pipelines.ingest.repeats.model import Kind
from pipelines.ingest.repeats.timeline import OUTLINE_COLOR, STYLES, Occurrence, RepeatTimeline
from pipelines.units import Seconds

FORMATS = ("png", "svg", "pdf")
LONGEST_LABEL = 28
#: Least width of a bar, as a share of the axis: 20 s of two hours would be a hairline.
MIN_BAR_SHARE = 0.004
#: The sign of a bar narrower than this share stands next to it, else on it.
NARROW_BAR_SHARE = 0.015

#: matplotlib's settings are global to the process: one figure is written at a time.
_RC_LOCK = threading.Lock()


def save(timeline: RepeatTimeline, path: Path) -> None:
    """Write the figure to `path`, in the format of its suffix; the same timeline gives the same bytes.

    Raises ConfigError if the suffix is not .png, .svg or .pdf.
    """
    import matplotlib as mpl

    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise ConfigError(f"{path.name}: expected a file name that ends in .png, .svg or .pdf")
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[suffix]
    with (
        _RC_LOCK,
        mpl.rc_context({"svg.hashsalt": "repeats", "hatch.linewidth": 0.6}),
        atomic_path(path) as temporary,
    ):
        draw(timeline).savefig(temporary, format=suffix, metadata=undated)


def draw(timeline: RepeatTimeline) -> Any:
    """A matplotlib Figure: a row per recording, a bar per repeated stretch, filled if it is masked."""
    from matplotlib.figure import Figure

    rows = {row.source_id: number for number, row in enumerate(timeline.rows)}
    longest_s = max((row.seconds for row in timeline.rows), default=1.0)
    unit_s, unit = (60.0, "minutes") if longest_s >= 180 else (1.0, "seconds")
    figure = Figure(figsize=(9, 1.3 + 0.22 * max(3, len(rows))), dpi=150, layout="constrained", facecolor="white")
    axis = figure.subplots()
    for row in timeline.rows:
        y = rows[row.source_id]
        axis.barh(y, row.seconds / unit_s, height=0.62, color="#EEEEEE", edgecolor="#BBBBBB", linewidth=0.5)
    for group in timeline.groups:
        for place in group.occurrences:
            if place.source_id in rows:
                _draw_bar(axis, rows[place.source_id], group.kind, place, unit_s, longest_s)
    axis.set_yticks(list(rows.values()), [_short(name) for name in rows], fontsize=7)
    axis.set(xlim=(0, longest_s * 1.01 / unit_s), ylim=(max(3, len(rows)) - 0.4, -0.6), xlabel=unit)
    axis.tick_params(axis="x", labelsize=7)
    figure.legend(handles=_legend(timeline), loc="outside upper left", ncols=5, fontsize=7, frameon=False)
    axis.set_title(title(timeline), fontsize=8, loc="left")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure


def _draw_bar(axis: Any, y: int, kind: Kind, place: Occurrence, unit_s: Seconds, longest_s: Seconds) -> None:
    """One bar with its sign: filled and hatched where masked, else only outlined."""
    _, sign, colour, _, hatch = STYLES[kind]
    width = max(place.end_s - place.start_s, MIN_BAR_SHARE * longest_s) / unit_s
    fill = {"color": colour, "edgecolor": "white", "hatch": hatch}
    outline = {"color": "none", "edgecolor": OUTLINE_COLOR, "hatch": None}
    style = fill if place.is_masked else outline
    axis.barh(y, width, left=place.start_s / unit_s, height=0.62, linewidth=0.8, **style)
    is_narrow = width < NARROW_BAR_SHARE * longest_s / unit_s
    axis.text(
        place.start_s / unit_s + (width if is_narrow else width / 2), y, sign,
        ha="left" if is_narrow else "center", va="center", fontsize=6, clip_on=True,
        bbox=None if is_narrow else {"facecolor": "white", "edgecolor": "none", "pad": 0.4},
    )  # fmt: skip


def _legend(timeline: RepeatTimeline) -> list[Any]:
    """A legend entry per kind, and one for what is only outlined."""
    from matplotlib.patches import Patch

    handles = []
    for kind in dict.fromkeys(group.kind for group in timeline.groups):
        word, sign, colour, _, hatch = STYLES[kind]
        handles.append(Patch(facecolor=colour, edgecolor="white", hatch=hatch, label=f"{sign} {word}"))
    outlined = "only outlined: kept here, the earliest place"
    return [*handles, Patch(facecolor="none", edgecolor=OUTLINE_COLOR, label=outlined)]


def title(timeline: RepeatTimeline) -> str:
    """Summary of the timeline in one line."""
    if not timeline.groups:
        return f"Nothing repeats among {len(timeline.rows) + timeline.others} recordings."
    counts = {kind: sum(group.kind == kind for group in timeline.groups) for kind in STYLES}
    words = ", ".join(f"{count} {STYLES[kind][0]}{'s' if count > 1 else ''}" for kind, count in counts.items() if count)
    masked_s, whole_s = (sum(getattr(row, name) for row in timeline.rows) for name in ("masked_s", "seconds"))
    others = f"; {timeline.others} recordings without any are not shown" if timeline.others else ""
    return (
        f"{words} in {len(timeline.rows)} recordings: {masked_s / 60:.1f} of {whole_s / 60:.1f} minutes masked{others}"
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"
