"""Numbers beside the pictures: how many clips, how long, and how alike the panels of one emotion are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.compare.grids import of_emotion
from pipelines.compare.panel_styles import Panel
from pipelines.schema import Estimate, LabelledClips, NoEstimate
from pipelines.units import Float32Array, Float64Array, LabelName

RESAMPLES = 2000
#: With fewer groups a bootstrap over groups has too few different samples to mean anything.
MIN_GROUPS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One emotion of one corpus. `similarity` is that of the panels shown, over `pairs`, resampled by `unit`."""

    corpus: str
    emotion: LabelName
    clips: int
    groups: int
    group_word: str
    median_s: float
    shortest_s: float
    longest_s: float
    similarity: Estimate | NoEstimate
    pairs: str
    unit: str

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "corpus": self.corpus,
            "emotion": self.emotion,
            "clips": self.clips,
            "groups": self.groups,
            "group_word": self.group_word,
            "duration_s": {"min": self.shortest_s, "median": self.median_s, "max": self.longest_s},
            "similarity": self.similarity,
            "similarity_pairs": self.pairs,
            "similarity_resampled_by": self.unit,
        }


def row(data: LabelledClips, emotion: LabelName, panels: Sequence[Panel], rng: np.random.Generator) -> Row:
    """Counts over all clips of `emotion`, similarity over `panels` (of the fair style)."""
    clips = of_emotion(data, emotion)
    seconds = [clip.clip.n_samples / clip.clip.rate_hz for clip in clips]
    groups = np.array([panel.clip.clip.group_id for panel in panels])
    several, enough = len(set(groups)) > 1, len(set(groups)) >= MIN_GROUPS
    apart = groups[:, None] != groups if several else ~np.eye(len(groups), dtype=bool)
    return Row(
        corpus=data.name,
        emotion=emotion,
        clips=len(clips),
        groups=len({clip.clip.group_id for clip in clips}),
        group_word=data.group_word,
        median_s=round(float(np.median(seconds)), 3),
        shortest_s=round(min(seconds), 3),
        longest_s=round(max(seconds), 3),
        similarity=similarity(correlations(panels), apart, list(groups if enough else range(len(groups))), rng),
        pairs=f"clips of different {data.group_word}s" if several else f"clips of one {data.group_word}",
        unit=data.group_word if enough else f"clip, for want of {data.group_word}s",
    )


def correlations(panels: Sequence[Panel]) -> Float64Array:
    """How alike each two panels are: Pearson's r over the columns in which both clips have sound.

    From each row its mean over those columns is taken first. What stays the same through a clip is the voice and the
    channel: two recordings of one film would be alike by their hiss alone.

    Panels of one shape [frequency, time]. Returns [len(panels), len(panels)], symmetric, 1 on the diagonal; 0 where a
    panel does not vary.
    """
    table = np.eye(len(panels))
    for i, a in enumerate(panels):
        for j in range(i):
            both = np.isfinite(a.values[0]) & np.isfinite(panels[j].values[0])
            x, y = (_pattern(values[:, both]) for values in (a.values, panels[j].values))
            scale = np.sqrt((x @ x) * (y @ y))
            table[i, j] = table[j, i] = x @ y / scale if scale > 0 else 0.0
    return table


def _pattern(values: Float32Array) -> Float64Array:
    rows = values.astype(np.float64)
    return np.asarray((rows - rows.mean(axis=1, keepdims=True)).ravel())


def similarity(
    table: Float64Array, counted: npt.NDArray[np.bool_], units: Sequence[object], rng: np.random.Generator
) -> Estimate | NoEstimate:
    """Mean correlation over the pairs counted, with a 95 % bootstrap interval over `units`.

    A resample draws units with replacement; a clip drawn twice counts twice but is never paired with itself.
    table: shape [n, n] as `correlations` gives. counted: symmetric, shape [n, n], which pairs, none on the diagonal.
    units: one per clip; clips of a unit are drawn together.
    """
    n = len(units)
    if not counted.any():
        return NoEstimate(value=None, reason="similarity needs two clips", n=n)
    names = list(dict.fromkeys(units))
    member = np.array([names.index(unit) for unit in units])
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)[:, member]
    weight = np.einsum("bi,ij,bj->b", drawn, counted.astype(float), drawn)
    total = np.einsum("bi,ij,bj->b", drawn, table * counted, drawn)
    low, high = np.quantile(total[weight > 0] / weight[weight > 0], (0.025, 0.975))
    value = float(table[counted].mean())
    return Estimate(value=round(value, 4), low=round(float(low), 4), high=round(float(high), 4), n=n)
