"""Which clips stand in a grid, and the grid itself."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.compare.panel_styles import Limits, Panel, Style
from pipelines.errors import DataError, UnknownName
from pipelines.schema import LabelledClip, LabelledClips
from pipelines.units import LabelName

PANELS = 9


def of_emotion(data: LabelledClips, emotion: LabelName) -> tuple[LabelledClip, ...]:
    """The clips of one emotion, in the order of their ids. Raises UnknownName, DataError where there is none."""
    if emotion not in data.labels:
        raise UnknownName("emotion", emotion, data.labels)
    clips = tuple(sorted((clip for clip in data.clips if clip.label == emotion), key=lambda clip: clip.clip.clip_id))
    if not clips:
        there = sorted({clip.label for clip in data.clips})
        raise DataError(f"no clip of '{data.name}' is labelled '{emotion}'; it has {', '.join(there) or 'no labels'}")
    return clips


def choose(data: LabelledClips, emotion: LabelName, seed: int, n: int = PANELS) -> tuple[LabelledClip, ...]:
    """Up to `n` clips of `emotion`, drawn by `seed` and spread over groups: no group gives a second clip before all
    have given one. The order of `data.clips` does not matter. Raises UnknownName, DataError.
    """
    rng = np.random.default_rng([seed, *emotion.encode()])
    groups: dict[str, list[LabelledClip]] = {}
    for clip in of_emotion(data, emotion):
        groups.setdefault(clip.clip.group_id, []).append(clip)
    shuffled = [[groups[name][i] for i in rng.permutation(len(groups[name]))] for name in sorted(groups)]
    order = rng.permutation(len(shuffled))
    rounds = max(len(clips) for clips in shuffled)
    spread = [shuffled[group][turn] for turn in range(rounds) for group in order if turn < len(shuffled[group])]
    return tuple(spread[:n])


@dataclass(frozen=True, eq=False)
class Grid:
    """Up to nine panels of one emotion of one corpus in one style.

    `limits` holds the colour scale of each panel; `n_clips` and `n_groups` count what the panels were drawn from.
    `mark`: colour and sign of the emotion.
    """

    style: Style
    corpus: str
    title: str
    emotion: LabelName
    seed: int
    panels: tuple[Panel, ...]
    limits: tuple[Limits, ...]
    n_clips: int
    n_groups: int
    group_word: str
    mark: tuple[str, str] = ("#000000", "")
    png: Path | None = None
    svg: Path | None = None

    @property
    def counts(self) -> str:
        """`9 of 101 clips, 2 speakers`."""
        groups = f"{self.n_groups} {self.group_word}{'s' if self.n_groups != 1 else ''}"
        return f"{len(self.panels)} of {self.n_clips:,} clip{'s' if self.n_clips != 1 else ''}, {groups}"

    @property
    def caption(self) -> str:
        """What a paper prints under the figure."""
        return (
            f"{self.title}, {self.emotion}: spectrograms of {self.counts}, "
            f"chosen at random (seed {self.seed}), spread over {self.group_word}s. {self.style.method}"
        )


def grid(data: LabelledClips, emotion: LabelName, panels: tuple[Panel, ...], style: Style, seed: int) -> Grid:
    """The grid of these panels with a colour scale of its own. Raises UnknownName, DataError."""
    clips = of_emotion(data, emotion)
    shared = style.limits([panel.values for panel in panels])
    return Grid(
        style=style,
        corpus=data.name,
        title=data.origin.get("title", data.name),
        emotion=emotion,
        seed=seed,
        panels=panels,
        limits=tuple(shared if style.shares_limits else style.limits([panel.values]) for panel in panels),
        n_clips=len(clips),
        n_groups=len({clip.clip.group_id for clip in clips}),
        group_word=data.group_word,
        mark=data.marks.get(emotion, ("#000000", "")),
    )


def share_limits(grids: tuple[Grid, ...]) -> tuple[Grid, ...]:
    """The same grids with one colour scale over all panels of each style that shares it."""
    limits = {
        style.name: style.limits([p.values for g in grids if g.style is style for p in g.panels])
        for style in {g.style.name: g.style for g in grids}.values()
        if style.shares_limits
    }
    return tuple(
        replace(g, limits=(limits[g.style.name],) * len(g.panels)) if g.style.name in limits else g for g in grids
    )
