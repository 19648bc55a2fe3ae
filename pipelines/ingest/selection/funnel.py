"""How much sound is left after each step from recordings to clips, and whom the screens turn away: counts, no opinion.

Speech is counted in seconds. Between "speech" and "kept" the counts are shares of the windows laid over that speech,
each weighing as many seconds as somebody speaks in it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.ingest.selection.decision import REPEATED
from pipelines.ingest.selection.screens import SCREENS, bounds_of, weigh
from pipelines.ingest.selection.threshold_preview import Candidates
from pipelines.study import StudySettings
from pipelines.units import Seconds, SourceId

#: Screens that tell one voice from several, and from music: those of them that this version has.
VOICE = tuple(name for name in ("music_p", "speaker_change_p", "overlap_p") if name in SCREENS)
#: Screens that only ask whether there is speech at all: the windows that they refuse count for no loudness.
SPOKEN = "speech_ratio"
LOUDNESS = "loudness_lufs"


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds left after one step, and its name in words."""

    name: str
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of the windows of speech, by loudness in LUFS from `low` to `high`: how many there are, and pass."""

    low: float
    high: float
    windows: int
    passing: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """From hours to clips. `reasons`: windows by the first reason against each; `arms`: kept ones by how they came in.

    `random_saved`: of those that came in by lot, how many a screen would have turned away.
    """

    steps: tuple[Step, ...]
    quarters: tuple[Quarter, ...]
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    arms: Mapping[str, int]
    random_saved: int

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "steps": [{"name": step.name, "seconds": round(step.seconds, 3)} for step in self.steps],
            "loudness": [
                {
                    "from_lufs": round(one.low, 2),
                    "to_lufs": round(one.high, 2),
                    "windows": one.windows,
                    "passing": one.passing,
                }
                for one in self.quarters
            ],
            "status": dict(self.statuses),
            "reasons": dict(self.reasons),
            "arms": dict(self.arms),
            "random_that_a_screen_would_refuse": self.random_saved,
        }


def funnel(
    candidates: Candidates, settings: StudySettings, spoken: Mapping[SourceId, tuple[Seconds, Seconds]]
) -> Funnel:
    """Count. `spoken`: seconds of sound and of speech by source."""
    bounds = bounds_of(settings)
    refused = [weigh(window.scores, bounds) for window in candidates.windows]
    repeated = np.array([REPEATED in reasons for reasons in candidates.reasons], dtype=bool)
    voices = np.array([any(_screen(one.reason) in VOICE for one in found) for found in refused], dtype=bool)
    passes = np.array([not found for found in refused], dtype=bool)
    speech_s = np.nan_to_num(candidates.scores[SPOKEN]) * candidates.lengths_s
    steps = [
        Step("sound", sum(seconds for seconds, _ in spoken.values())),
        Step("speech", sum(speech for _, speech in spoken.values())),
        Step("not repeated", _left(candidates, spoken, speech_s, ~repeated)),
        *([Step("one voice, no music", _left(candidates, spoken, speech_s, ~repeated & ~voices))] if VOICE else []),
        Step("passes every screen", _left(candidates, spoken, speech_s, ~repeated & passes)),
        Step("speech in clips", float(speech_s[candidates.kept].sum())),
    ]
    kept = np.flatnonzero(candidates.kept)
    by_lot = [row for row in kept if candidates.arms[row] == "random"]
    return Funnel(
        steps=tuple(steps),
        quarters=_quarters(candidates, settings, passes, ~repeated),
        statuses=dict(Counter(candidates.status)),
        reasons=dict(Counter(reasons[0] for reasons in candidates.reasons if reasons).most_common()),
        arms=dict(Counter(candidates.arms[row] for row in kept).most_common()),
        random_saved=sum(bool(refused[row]) for row in by_lot),
    )


def _left(
    candidates: Candidates,
    spoken: Mapping[SourceId, tuple[Seconds, Seconds]],
    speech_s: npt.NDArray[np.float64],
    left: npt.NDArray[np.bool_],
) -> Seconds:
    total = 0.0
    for source_id, rows in candidates.places.items():
        weight = speech_s[list(rows)]
        share = float(weight[left[list(rows)]].sum() / weight.sum()) if weight.sum() else 0.0
        total += share * spoken.get(source_id, (0.0, 0.0))[1]
    return total


def _quarters(
    candidates: Candidates,
    settings: StudySettings,
    passes: npt.NDArray[np.bool_],
    heard_once: npt.NDArray[np.bool_],
) -> tuple[Quarter, ...]:
    least = bounds_of(settings)[SPOKEN].min or 0.0
    loudness = candidates.scores[LOUDNESS]
    rows = np.flatnonzero(heard_once & np.isfinite(loudness) & (candidates.scores[SPOKEN] >= least))
    if len(rows) < 8:
        return ()
    ordered: Sequence[npt.NDArray[np.int64]] = np.array_split(rows[np.argsort(loudness[rows], kind="stable")], 4)
    return tuple(
        Quarter(float(loudness[part[0]]), float(loudness[part[-1]]), len(part), int(passes[part].sum()))
        for part in ordered
    )


def _screen(reason: str) -> str:
    return reason.rpartition("_")[0]
