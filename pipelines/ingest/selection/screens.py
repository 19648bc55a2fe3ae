"""Screens: each scores one window; thresholds decide; the score becomes a column of clips.csv.

A new screen is a function of a Window and one line in SCREENS. A study sets thresholds in study.toml, [screen.NAME].
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.analysis import levels
from pipelines.ingest.analysis.speech import SpeechSpan
from pipelines.manifest import digest
from pipelines.media.audio import Pcm16
from pipelines.study import ScreenThresholds, StudySettings
from pipelines.units import Decibels, Hertz, Seconds

if TYPE_CHECKING:  # it brings in scipy.fft and the network, which bounds and decisions do without
    from pipelines.ingest.analysis.analyzer import FeatureTracks


@dataclass(frozen=True)
class Window:
    """Input of a screen: the samples of the clip, and the speech spans in it, in seconds from its start.

    `tracks`: features of the whole recording, in which the clip begins at `start_s`; without it, the scores that
    depend on it are unknown.
    """

    pcm: Pcm16
    rate_hz: Hertz
    speech: tuple[SpeechSpan, ...]
    start_s: Seconds = 0.0
    tracks: "FeatureTracks | None" = None

    @property
    def length_s(self) -> Seconds:
        return len(self.pcm) / self.rate_hz

    @property
    def place_s(self) -> tuple[Seconds, Seconds]:
        """Start and end in the recording."""
        return self.start_s, self.start_s + self.length_s

    @cached_property
    def spectra(self) -> npt.NDArray[np.complex64]:
        """Spectra of each 100 ms, which loudness and bandwidth share."""
        return levels.spectra_100ms(self.pcm, self.rate_hz)


@dataclass(frozen=True, slots=True)
class Screen:
    """A score and its default thresholds. A score of None (unknown) passes.

    A window of the random arm has to pass hard screens only: what fails these is not usable speech.
    """

    score: Callable[[Window], float | None]
    thresholds: ScreenThresholds
    description: str
    is_hard: bool = False


def speech_ratio(window: Window) -> float:
    """Share of the clip that is speech."""
    return sum(span.length_s for span in window.speech) / window.length_s


def longest_pause_s(window: Window) -> Seconds:
    """The longest stretch without speech, including the start and the end of the clip."""
    edges = [0.0, *(edge for span in window.speech for edge in (span.start_s, span.end_s)), window.length_s]
    return max(end - start for start, end in list(pairwise(edges))[::2])


def dropout_ratio(window: Window) -> float | None:
    """Share of the speech that is digital silence; a gated pause between words does not count."""
    parts = [
        window.pcm[round(span.start_s * window.rate_hz) : round(span.end_s * window.rate_hz)] for span in window.speech
    ]
    spoken = np.concatenate(parts) if parts else window.pcm[:0]
    return levels.zero_ratio(spoken, window.rate_hz) if len(spoken) else None


def music_p(window: Window) -> float | None:
    """See pipelines.ingest.analysis.music."""
    from pipelines.ingest.analysis import music

    return None if window.tracks is None else music.music_p(window.tracks, *window.place_s)


def shot_cut(window: Window) -> None:
    """None: pipelines.ingest.video.shot_scores adds this score from the video, once that is analysed."""


def speaker_change_p(window: Window) -> float | None:
    """See pipelines.ingest.analysis.speaker_change."""
    from pipelines.ingest.analysis import speaker_change

    return None if window.tracks is None else speaker_change.speaker_change_p(window.tracks, *window.place_s)


def snr_wada_db(window: Window) -> Decibels | None:
    """See pipelines.ingest.analysis.background."""
    from pipelines.ingest.analysis import background

    return None if window.tracks is None else background.snr_wada_db(window.tracks, *window.place_s)


def cut_edge_db(window: Window) -> Decibels | None:
    """See pipelines.ingest.analysis.background."""
    from pipelines.ingest.analysis import background

    return None if window.tracks is None else background.cut_edge_db(window.tracks, *window.place_s)


def flatness(window: Window) -> float | None:
    """See pipelines.ingest.analysis.background."""
    from pipelines.ingest.analysis import background

    return None if window.tracks is None else background.flatness(window.tracks, *window.place_s)


def f0_med_hz(window: Window) -> float | None:
    """See pipelines.ingest.analysis.background."""
    from pipelines.ingest.analysis import background

    return None if window.tracks is None else background.f0_med_hz(window.tracks, *window.place_s)


#: Change it with every change to a score, so that recordings are analysed again.
SCORES_VERSION = "scores-2"

#: In the order of the score columns; a rejected window is counted under the first screen that it fails.
SCREENS: Mapping[str, Screen] = {
    "speech_ratio": Screen(
        speech_ratio, ScreenThresholds(min=0.6, review_min=0.4), "share of the clip that is speech", is_hard=True
    ),
    "longest_pause_s": Screen(longest_pause_s, ScreenThresholds(max=1.0), "longest stretch without speech, in seconds"),
    "music_p": Screen(music_p, ScreenThresholds(max=0.5, review_max=0.9), "probability of music or song", is_hard=True),
    "speaker_change_p": Screen(
        speaker_change_p, ScreenThresholds(max=0.75, review_max=1.0), "probability of a speaker change"
    ),
    "cut_edge_db": Screen(
        cut_edge_db, ScreenThresholds(), "level of speech cut at an edge, dB relative to the speech within"
    ),
    "snr_wada_db": Screen(
        snr_wada_db, ScreenThresholds(min=10.0, review_min=5.0), "signal-to-noise ratio around the clip, dB"
    ),
    "bandwidth_hz": Screen(
        lambda w: levels.bandwidth_hz(w.spectra, w.rate_hz),
        ScreenThresholds(min=4000.0, review_min=2000.0),
        "highest frequency with energy, Hz; telephone audio ends below 4000",
    ),
    "clip_ratio": Screen(
        lambda w: levels.clip_ratio(w.pcm), ScreenThresholds(max=0.001, review_max=0.01), "share of clipped samples"
    ),
    "dropout_ratio": Screen(
        dropout_ratio, ScreenThresholds(max=0.05), "share of the speech that is digital silence", is_hard=True
    ),
    "peak_dbfs": Screen(lambda w: levels.peak_dbfs(w.pcm), ScreenThresholds(), "peak, dB below full scale"),
    "loudness_lufs": Screen(
        lambda w: levels.loudness_lufs(w.pcm, w.rate_hz, w.spectra), ScreenThresholds(), "integrated loudness, LUFS"
    ),
    "flatness": Screen(flatness, ScreenThresholds(), "spectral flatness, 0 to 1 (noise)"),
    "f0_med_hz": Screen(f0_med_hz, ScreenThresholds(), "median pitch of the voice, Hz"),
    "shot_cut": Screen(
        shot_cut,
        ScreenThresholds(max=0.5, review_max=1.0),
        "distance of a shot cut from the edge: 1 in the middle, 0.5 a quarter from an end",
    ),
}


def effective_thresholds(settings: StudySettings) -> Mapping[str, ScreenThresholds]:
    """Thresholds in effect, by screen. Raises UnknownName for an unknown [screen.NAME], and ConfigError."""
    for name, limit in settings.screen.items():
        if name not in SCREENS:
            raise UnknownName("screen", name, SCREENS, hint="(in study.toml)")
        check_thresholds(name, limit)
    return {name: settings.screen.get(name, screen.thresholds) for name, screen in SCREENS.items()}


def check_thresholds(name: str, limit: ScreenThresholds) -> None:
    """Raise ConfigError unless review_min <= min <= max <= review_max; a review limit needs the limit it widens."""
    where = f"study.toml, [screen.{name}]"
    if limit.min is not None and limit.max is not None and limit.min > limit.max:
        raise ConfigError(f"{where}: keeps nothing: min {limit.min:g} is above max {limit.max:g}; swap them")
    if limit.review_min is not None and (limit.min is None or limit.review_min > limit.min):
        raise ConfigError(
            f"{where}: review_min {limit.review_min:g} has to lie below min; review applies to what min rejects"
        )
    if limit.review_max is not None and (limit.max is None or limit.review_max < limit.max):
        raise ConfigError(
            f"{where}: review_max {limit.review_max:g} has to lie above max; review applies to what max rejects"
        )


def scores_of(window: Window) -> dict[str, float | None]:
    """The score of one window per screen."""
    return {name: screen.score(window) for name, screen in SCREENS.items()}


@dataclass(frozen=True, slots=True)
class ScreenFailure:
    """A reason code, `<screen>_low` or `<screen>_high`; whether the screen is hard; whether it is for review."""

    reason: str
    hard: bool
    review: bool


def failure_reasons(scores: Mapping[str, float | None], bounds: Mapping[str, ScreenThresholds]) -> tuple[str, ...]:
    """Reason codes, `<screen>_low` or `<screen>_high`, in the order of SCREENS; empty for a window that passes."""
    return tuple(refusal.reason for refusal in failed_screens(scores, bounds))


def failed_screens(
    scores: Mapping[str, float | None], bounds: Mapping[str, ScreenThresholds]
) -> tuple[ScreenFailure, ...]:
    """The screens that a window fails, in the order of SCREENS; empty for a window that passes."""
    found = []
    for name, limit in bounds.items():
        score = scores.get(name)
        if score is None:
            continue
        if limit.min is not None and score < limit.min:
            near = limit.review_min is not None and score >= limit.review_min
            found.append(ScreenFailure(f"{name}_low", SCREENS[name].is_hard, near))
        elif limit.max is not None and score > limit.max:
            near = limit.review_max is not None and score <= limit.review_max
            found.append(ScreenFailure(f"{name}_high", SCREENS[name].is_hard, near))
    return tuple(found)


def config_hash(settings: StudySettings, recipe: str) -> str:
    """16 hex digits over all settings that determine the clips: format, placement, thresholds, arms, quotas, recipe.

    A screen without thresholds, or a threshold equal to its default, does not change the hash.
    """
    bounds = {
        name: limit.model_dump(mode="json", exclude_none=True) for name, limit in effective_thresholds(settings).items()
    }
    deciding = {
        **settings.model_dump(mode="json", include={"clip", "place", "select"}, exclude_none=True),
        "bounds": {name: limit for name, limit in bounds.items() if limit},
        "recipe": recipe,
        **({"film": True} if settings.fetch.video else {}),
    }
    return digest(json.dumps(deciding, sort_keys=True))[:16]
