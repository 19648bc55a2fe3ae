"""Two or more data sets side by side: grids in every style asked for, and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.atomic_write import write_json
from pipelines.compare import figures, statistics
from pipelines.compare.grids import Grid, choose, grid, share_limits
from pipelines.compare.panel_styles import STYLES, Panel, panel, style
from pipelines.errors import ConfigError
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.schema import LabelledClip, LabelledClips
from pipelines.units import LabelName

#: Drawn where nobody says which, as far as the data hold them.
DEFAULT_EMOTIONS: tuple[LabelName, ...] = ("neutral", "fearful")
#: Similarity is measured on these panels, whatever is drawn: only they can be compared.
MEASURED = "fair"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Grids in the order style, emotion, corpus, with the arrays they show; rows of numbers; where files lie."""

    corpora: tuple[str, ...]
    emotions: tuple[LabelName, ...]
    seed: int
    grids: tuple[Grid, ...]
    rows: tuple[statistics.Row, ...]
    citations: tuple[str, ...]
    out: Path | None = None

    def grid(self, style_name: str, corpus: str, emotion: LabelName) -> Grid:
        """One grid. Raises KeyError when it was not asked for."""
        for made in self.grids:
            if (made.style.name, made.corpus, made.emotion) == (style_name, corpus, emotion):
                return made
        raise KeyError((style_name, corpus, emotion))

    @property
    def figures(self) -> tuple[Path, ...]:
        """Every file that was written, PNG before SVG."""
        return tuple(path for made in self.grids for path in (made.png, made.svg) if path is not None)

    def document(self, relative_to: Path | None = None) -> dict[str, Any]:
        """For JSON: everything but the arrays. Paths as they are, or from the folder `relative_to`."""

        def place(path: Path | None) -> str | None:
            if path is None:
                return None
            return path.relative_to(relative_to).as_posix() if relative_to else str(path)

        return {
            "corpora": list(self.corpora),
            "emotions": list(self.emotions),
            "seed": self.seed,
            "figures": [place(path) for path in self.figures],
            "grids": [_grid_document(made) | {"png": place(made.png), "svg": place(made.svg)} for made in self.grids],
            "statistics": [row.document() for row in self.rows],
            "citations": list(self.citations),
        }


def compare(
    sets: Sequence[LabelledClips],
    emotions: Sequence[LabelName] | None = None,
    *,
    styles: Sequence[str] = tuple(STYLES),
    seed: int = 0,
    out: Path | None = None,
    report: ProgressCallback = ignore_progress,
) -> Comparison:
    """Grids of up to nine clips for every set, emotion and style; the same nine in each style.

    Without `emotions` those of `shared_emotions`.

    With `out`, PNG and SVG of each grid and comparison.json are written there. Raises UnknownName for an emotion or
    style that is not there, DataError for a set without a clip of an emotion, MediaError for audio that is not here.
    """
    emotions = shared_emotions(sets) if emotions is None else emotions
    if not sets or not emotions or not styles:
        raise ConfigError("a comparison needs at least one data set, one emotion and one style")
    names = [data.name for data in sets]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"'{doubled[0]}' is named twice: name different data sets to compare")
    wanted = [style(name) for name in styles]
    chosen = {(data.name, emotion): choose(data, emotion, seed) for emotion in emotions for data in sets}
    total = len(chosen) * len(wanted)

    drawn: list[Grid] = []
    for made_in in wanted:
        for emotion in emotions:
            for data in sets:
                report(Progress("spectrograms", len(drawn), total))
                panels = tuple(panel(clip, made_in) for clip in chosen[data.name, emotion])
                drawn.append(grid(data, emotion, panels, made_in, seed))
    report(Progress("spectrograms", total, total))
    grids = share_limits(tuple(drawn))

    rng = np.random.default_rng(seed)
    measured = {(made.corpus, made.emotion): made.panels for made in grids if made.style.name == MEASURED}
    rows = tuple(
        statistics.row(data, emotion, measured.get((data.name, emotion)) or _measured(chosen[data.name, emotion]), rng)
        for emotion in emotions
        for data in sets
    )
    if out is not None:
        written: list[Grid] = []
        for made in grids:
            report(Progress("figures", len(written), total))
            png, svg = figures.save(made, out)
            written.append(replace(made, png=png, svg=svg))
        grids = tuple(written)
        report(Progress("figures", total, total))
    citations = tuple(dict.fromkeys(data.origin["citation"] for data in sets if "citation" in data.origin))
    comparison = Comparison(tuple(names), tuple(emotions), seed, grids, rows, citations, out)
    if out is not None:
        write_json(out / "comparison.json", comparison.document(relative_to=out))
    return comparison


def shared_emotions(sets: Sequence[LabelledClips]) -> tuple[LabelName, ...]:
    """Those of DEFAULT_EMOTIONS that every set has clips of; else the first two that every set has clips of."""
    held = [{clip.label for clip in data.clips} for data in sets]
    shared = tuple(label for label in (sets[0].labels if sets else ()) if all(label in labels for labels in held))
    return tuple(label for label in DEFAULT_EMOTIONS if label in shared) or shared[:2]


def _measured(clips: Sequence[LabelledClip]) -> tuple[Panel, ...]:
    return tuple(panel(clip, STYLES[MEASURED]) for clip in clips)


def _grid_document(made: Grid) -> dict[str, Any]:
    return {
        "style": made.style.name,
        "corpus": made.corpus,
        "emotion": made.emotion,
        "clips": [panel.clip.clip.clip_id for panel in made.panels],
        "limits": [list(limits) for limits in made.limits],
        "n_clips": made.n_clips,
        "n_groups": made.n_groups,
        "caption": made.caption,
    }
