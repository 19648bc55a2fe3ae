"""Funnel from recordings to clips: seconds of audio left after each step, and counts of rejected windows.

Speech is counted in seconds. Between "speech" and "kept" the counts are shares of the windows placed over that
speech, each weighted by its seconds of speech.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.ingest.selection.decision import REPEATED
from pipelines.ingest.selection.screens import SCREENS, effective_thresholds, failed_screens
from pipelines.ingest.selection.threshold_preview import Candidates
from pipelines.study import StudySettings
from pipelines.units import Seconds, SourceId

#: Screens that detect several voices or music, as far as this version has them.
VOICE_SCREENS = tuple(name for name in ("music_p", "speaker_change_p", "overlap_p") if name in SCREENS)
#: The screen for speech: windows that fail it do not count in the loudness quartiles.
SPEECH_SCREEN = "speech_ratio"
LOUDNESS = "loudness_lufs"


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds left after one step, and its name in words."""

    name: str
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class LoudnessQuartile:
    """A quarter of the windows with speech, by loudness in LUFS (`low` to `high`): how many there are, and pass."""

    low: float
    high: float
    windows: int
    passing: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """Funnel from audio to clips. `reasons`: windows by first reason code; `arms`: kept windows by arm.

    `random_would_fail`: kept windows of the random arm that fail a screen.
    """

    steps: tuple[Step, ...]
    loudness_quartiles: tuple[LoudnessQuartile, ...]
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    arms: Mapping[str, int]
    random_would_fail: int

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
                for one in self.loudness_quartiles
            ],
            "status": dict(self.statuses),
            "reasons": dict(self.reasons),
            "arms": dict(self.arms),
            "random_that_a_screen_would_refuse": self.random_would_fail,
        }


def funnel(
    candidates: Candidates, settings: StudySettings, spoken: Mapping[SourceId, tuple[Seconds, Seconds]]
) -> Funnel:
    """Compute the funnel. `spoken`: seconds of audio and of speech by source."""
    bounds = effective_thresholds(settings)
    refused = [failed_screens(window.scores, bounds) for window in candidates.windows]
    repeated = np.array([REPEATED in reasons for reasons in candidates.reasons], dtype=bool)
    voices = np.array([any(_screen(one.reason) in VOICE_SCREENS for one in found) for found in refused], dtype=bool)
    passes = np.array([not found for found in refused], dtype=bool)
    speech_s = np.nan_to_num(candidates.scores[SPEECH_SCREEN]) * candidates.lengths_s
    steps = [
        Step("audio", sum(seconds for seconds, _ in spoken.values())),
        Step("speech", sum(speech for _, speech in spoken.values())),
        Step("not repeated", _left(candidates, spoken, speech_s, ~repeated)),
        *(
            [Step("one voice, no music", _left(candidates, spoken, speech_s, ~repeated & ~voices))]
            if VOICE_SCREENS
            else []
        ),
        Step("passes every screen", _left(candidates, spoken, speech_s, ~repeated & passes)),
        Step("speech in clips", float(speech_s[candidates.kept].sum())),
    ]
    kept = np.flatnonzero(candidates.kept)
    random = [row for row in kept if candidates.arms[row] == "random"]
    return Funnel(
        steps=tuple(steps),
        loudness_quartiles=_loudness_quartiles(candidates, settings, passes, ~repeated),
        statuses=dict(Counter(candidates.status)),
        reasons=dict(Counter(reasons[0] for reasons in candidates.reasons if reasons).most_common()),
        arms=dict(Counter(candidates.arms[row] for row in kept).most_common()),
        random_would_fail=sum(bool(refused[row]) for row in random),
    )


def _left(
    candidates: Candidates,
    spoken: Mapping[SourceId, tuple[Seconds, Seconds]],
    speech_s: npt.NDArray[np.float64],
    left: npt.NDArray[np.bool_],
) -> Seconds:
    total = 0.0
    for source_id, rows in candidates.rows_by_source.items():
        weight = speech_s[list(rows)]
        share = float(weight[left[list(rows)]].sum() / weight.sum()) if weight.sum() else 0.0
        total += share * spoken.get(source_id, (0.0, 0.0))[1]
    return total


def _loudness_quartiles(
    candidates: Candidates,
    settings: StudySettings,
    passes: npt.NDArray[np.bool_],
    not_repeated: npt.NDArray[np.bool_],
) -> tuple[LoudnessQuartile, ...]:
    least = effective_thresholds(settings)[SPEECH_SCREEN].min or 0.0
    loudness = candidates.scores[LOUDNESS]
    rows = np.flatnonzero(not_repeated & np.isfinite(loudness) & (candidates.scores[SPEECH_SCREEN] >= least))
    if len(rows) < 8:
        return ()
    ordered: Sequence[npt.NDArray[np.int64]] = np.array_split(rows[np.argsort(loudness[rows], kind="stable")], 4)
    return tuple(
        LoudnessQuartile(float(loudness[part[0]]), float(loudness[part[-1]]), len(part), int(passes[part].sum()))
        for part in ordered
    )


def _screen(reason: str) -> str:
    return reason.rpartition("_")[0]
