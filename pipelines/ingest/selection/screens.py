"""What a clip must be like. A screen scores one window; its bounds decide; its score becomes a column of clips.csv.

A new rule is a function of a Window and one line in SCREENS. A study moves the bounds in study.toml, [screen.NAME].
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
from pipelines.ingest.analysis.speech import Span
from pipelines.manifest import digest
from pipelines.media.audio import Pcm16
from pipelines.study import Bounds, StudySettings
from pipelines.units import Decibels, Hertz, Seconds

if TYPE_CHECKING:  # it brings in scipy.fft and the network, which bounds and decisions do without
    from pipelines.ingest.analysis.analyzer import Tracks


@dataclass(frozen=True)
class Window:
    """What a screen hears: exactly the samples of the clip, and the speech found in it, in seconds from its start.

    `tracks` is what was heard of the whole recording, in which the clip begins at `start_s`; without it, the scores
    that rest on it are not known.
    """

    pcm: Pcm16
    rate_hz: Hertz
    speech: tuple[Span, ...]
    start_s: Seconds = 0.0
    tracks: "Tracks | None" = None

    @property
    def length_s(self) -> Seconds:
        return len(self.pcm) / self.rate_hz

    @property
    def place_s(self) -> tuple[Seconds, Seconds]:
        """From when to when in the recording."""
        return self.start_s, self.start_s + self.length_s

    @cached_property
    def spectra(self) -> npt.NDArray[np.complex64]:
        """Those of each 100 ms, which loudness and bandwidth share."""
        return levels.tenths(self.pcm, self.rate_hz)


@dataclass(frozen=True, slots=True)
class Screen:
    """A score and the bounds that hold where the study says nothing. A score of None, not known, passes.

    A window of the random arm is held to `hard` screens only: what they refuse is no speech, whatever it sounds like.
    """

    score: Callable[[Window], float | None]
    bounds: Bounds
    says: str
    hard: bool = False


def speech_ratio(window: Window) -> float:
    """Share of the clip in which somebody speaks."""
    return sum(span.length_s for span in window.speech) / window.length_s


def longest_pause_s(window: Window) -> Seconds:
    """The longest stretch without speech, the end of the clip included, its lead too."""
    edges = [0.0, *(edge for span in window.speech for edge in (span.start_s, span.end_s)), window.length_s]
    return max(end - start for start, end in list(pairwise(edges))[::2])


def dropout_ratio(window: Window) -> float | None:
    """Share of the speech that is digital silence; a gated pause between words is no fault and does not count."""
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
    """Nothing that is heard: pipelines.ingest.video.shot_scores puts beside it what the film shows, once looked at."""


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


#: Changes with every change to what a score says, so that recordings are heard again.
SCORES_VERSION = "scores-2"

#: In the order in which their scores stand in the tables; a rejected window is counted under the first that refuses it.
SCREENS: Mapping[str, Screen] = {
    "speech_ratio": Screen(
        speech_ratio, Bounds(min=0.6, review_min=0.4), "share of the clip that is speech", hard=True
    ),
    "longest_pause_s": Screen(longest_pause_s, Bounds(max=1.0), "longest stretch without speech, in seconds"),
    "music_p": Screen(music_p, Bounds(max=0.5, review_max=0.9), "how likely it is music or song", hard=True),
    "speaker_change_p": Screen(
        speaker_change_p, Bounds(max=0.75, review_max=1.0), "how likely another voice takes over"
    ),
    "cut_edge_db": Screen(cut_edge_db, Bounds(), "speech cut through at an edge, dB against the speech within"),
    "snr_wada_db": Screen(snr_wada_db, Bounds(min=10.0, review_min=5.0), "speech above noise around the clip, dB"),
    "bandwidth_hz": Screen(
        lambda w: levels.bandwidth_hz(w.spectra, w.rate_hz),
        Bounds(min=4000.0, review_min=2000.0),
        "highest frequency with sound, Hz; a telephone's ends below 4000",
    ),
    "clip_ratio": Screen(
        lambda w: levels.clip_ratio(w.pcm), Bounds(max=0.001, review_max=0.01), "share of clipped samples"
    ),
    "dropout_ratio": Screen(dropout_ratio, Bounds(max=0.05), "share of the speech that is digital silence", hard=True),
    "peak_dbfs": Screen(lambda w: levels.peak_dbfs(w.pcm), Bounds(), "peak, dB below full scale"),
    "loudness_lufs": Screen(
        lambda w: levels.loudness_lufs(w.pcm, w.rate_hz, w.spectra), Bounds(), "integrated loudness, LUFS"
    ),
    "flatness": Screen(flatness, Bounds(), "how noise-like the sound is, 0 to 1"),
    "f0_med_hz": Screen(f0_med_hz, Bounds(), "median pitch of the voice, Hz"),
    "shot_cut": Screen(
        shot_cut, Bounds(max=0.5, review_max=1.0), "how near to its middle the film cuts: 0.5 a quarter from an end"
    ),
}


def bounds_of(settings: StudySettings) -> Mapping[str, Bounds]:
    """The bounds in force, by screen. Raises UnknownName for a [screen.NAME] that no screen has, and ConfigError."""
    for name, limit in settings.screen.items():
        if name not in SCREENS:
            raise UnknownName("screen", name, SCREENS, hint="(in study.toml)")
        check_bounds(name, limit)
    return {name: settings.screen.get(name, screen.bounds) for name, screen in SCREENS.items()}


def check_bounds(name: str, limit: Bounds) -> None:
    """Raise ConfigError unless review_min <= min <= max <= review_max; a zone of review needs the bound it widens."""
    where = f"study.toml, [screen.{name}]"
    if limit.min is not None and limit.max is not None and limit.min > limit.max:
        raise ConfigError(f"{where}: keeps nothing: min {limit.min:g} is above max {limit.max:g}; swap them")
    if limit.review_min is not None and (limit.min is None or limit.review_min > limit.min):
        raise ConfigError(f"{where}: review_min {limit.review_min:g} has to lie below min; review is what min refuses")
    if limit.review_max is not None and (limit.max is None or limit.review_max < limit.max):
        raise ConfigError(f"{where}: review_max {limit.review_max:g} has to lie above max; review is what max refuses")


def scores_of(window: Window) -> dict[str, float | None]:
    """Every screen's score of one window."""
    return {name: screen.score(window) for name, screen in SCREENS.items()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason code, `<screen>_low` or `<screen>_high`; whether a hard screen says it, and whether for review only."""

    reason: str
    hard: bool
    review: bool


def refusals(scores: Mapping[str, float | None], bounds: Mapping[str, Bounds]) -> tuple[str, ...]:
    """Reason codes, `<screen>_low` or `<screen>_high`, in the order of SCREENS; empty for a window that is kept."""
    return tuple(refusal.reason for refusal in weigh(scores, bounds))


def weigh(scores: Mapping[str, float | None], bounds: Mapping[str, Bounds]) -> tuple[Refusal, ...]:
    """What speaks against a window and how much, in the order of SCREENS; nothing against one that is kept."""
    found = []
    for name, limit in bounds.items():
        score = scores.get(name)
        if score is None:
            continue
        if limit.min is not None and score < limit.min:
            near = limit.review_min is not None and score >= limit.review_min
            found.append(Refusal(f"{name}_low", SCREENS[name].hard, near))
        elif limit.max is not None and score > limit.max:
            near = limit.review_max is not None and score <= limit.review_max
            found.append(Refusal(f"{name}_high", SCREENS[name].hard, near))
    return tuple(found)


def config_hash(settings: StudySettings, recipe: str) -> str:
    """16 hex digits over all that decides which clips there are: form, places, bounds in force, arms, caps, recipe.

    A screen without bounds decides nothing, and a bound that says what holds anyway changes nothing.
    """
    bounds = {name: limit.model_dump(mode="json", exclude_none=True) for name, limit in bounds_of(settings).items()}
    deciding = {
        **settings.model_dump(mode="json", include={"clip", "place", "select"}, exclude_none=True),
        "bounds": {name: limit for name, limit in bounds.items() if limit},
        "recipe": recipe,
        **({"film": True} if settings.fetch.video else {}),
    }
    return digest(json.dumps(deciding, sort_keys=True))[:16]
