"""Music score: the probability that a stretch is music or song, from four features and a logistic function.

A speech detector accepts sung words as speech, so the difference is mostly pitch: notes are steady and lie on a scale,
speech glides. The 4-Hz modulation and the flux of Scheirer and Slaney (1997), Construction and evaluation of
a robust multifeature speech/music discriminator, ICASSP, the low-energy frames of Saunders (1996), flatness and the
depth of level changes were tried: next to these four they add nothing on held-out synthetic data, or harm.
"""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.analyzer import FeatureTracks
from pipelines.units import Float32Array, Float64Array, Seconds

#: Notes are also searched this far before and after the stretch: three seconds hold few of them.
CONTEXT_S: Seconds = 3.0
#: A note is steady if this many frames in a row (190 ms) stay within this many semitones, vibrato included.
_NOTE_FRAMES, _NOTE_SEMITONES = 6, 0.9
_VOICED = 0.6
#: Frames more than 20 dB below the loud ones do not count.
_MIN_POWER = 0.01
#: A glide: a pitch change by this many semitones within 125 ms; more is another note or an error.
_GLIDE_FRAMES, _GLIDE_SEMITONES = 4, (0.4, 3.0)


class MusicFeatures(NamedTuple):
    """Features for music, or against it (`glide`), of a stretch; each from 0 to 1.

    `tuned`: how far steady pitch keeps to one scale of semitones. `held`: share of power in tones that are steady for
    250 ms, 90th percentile of the audible frames. `under`: the same share in the softest third, scaled by how close its
    level is to the loud frames: tones under speech. `glide`: share of frames in which a voice glides, 0.3 at most.
    """

    tuned: float
    held: float
    under: float
    glide: float


def music_p(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> float:
    """Probability, between 0 and 1, that a stretch is music, or speech in which music is as loud as the speech."""
    weights = score_weights(MusicFeatures._fields)
    return float(1 / (1 + np.exp(-(weights[:-1] @ np.array(music_features(tracks, start_s, end_s)) + weights[-1]))))


def music_features(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> MusicFeatures:
    """The four measures of a stretch, in seconds of the recording."""
    inside = tracks.frames(start_s, end_s)
    around = tracks.frames(max(0.0, start_s - CONTEXT_S), end_s + CONTEXT_S)
    power = np.exp(tracks.bands_db(start_s - CONTEXT_S, end_s + CONTEXT_S) * np.float32(np.log(10) / 10)).sum(axis=1)
    semitones, periodic = tracks.semitones(start_s - CONTEXT_S, end_s + CONTEXT_S)
    here = slice(inside.start - around.start, inside.stop - around.start)
    total = power[here]
    if not len(total):
        return MusicFeatures(0.0, 0.0, 0.0, 0.0)
    order = np.argsort(total, kind="stable")
    soft, loud = order[: max(1, len(order) // 3)], total[order[int(0.95 * (len(order) - 1))]]
    audible = total > _MIN_POWER * _nine_in_tenth(total)
    held = tracks.held(start_s, end_s)
    below_db = float(10 * np.log10(loud / total[soft]).mean())
    voiced = audible & (periodic[here] > _VOICED)
    moved = np.abs(semitones[here][_GLIDE_FRAMES:] - semitones[here][:-_GLIDE_FRAMES])
    moved = moved[voiced[_GLIDE_FRAMES:] & voiced[:-_GLIDE_FRAMES]]
    glides = np.count_nonzero((moved >= _GLIDE_SEMITONES[0]) & (moved < _GLIDE_SEMITONES[1]))
    return MusicFeatures(
        tuned=_tuned(semitones, (periodic > _VOICED) & (power > _MIN_POWER * _nine_in_tenth(power))),
        held=_nine_in_tenth(held[audible]),
        under=float(held[soft].mean()) * (1 - min(1.0, below_db / 40)),
        glide=min(0.3, glides / np.count_nonzero(audible)),
    )


def _tuned(semitones: Float32Array, voiced: npt.NDArray[np.bool_]) -> float:
    """Length of the mean direction of steady pitches on a circle of one semitone, freed of what chance alone gives."""
    if len(semitones) < _NOTE_FRAMES:
        return 0.0
    sums = np.cumsum(voiced)
    whole = np.flatnonzero(
        sums[_NOTE_FRAMES - 1 :] - sums[: 1 - _NOTE_FRAMES] + voiced[: 1 - _NOTE_FRAMES] >= _NOTE_FRAMES
    )
    runs = np.lib.stride_tricks.sliding_window_view(semitones, _NOTE_FRAMES)[whole]
    still = runs[runs.max(axis=1) - runs.min(axis=1) < _NOTE_SEMITONES].mean(axis=1)
    notes = len(still) / _NOTE_FRAMES
    if notes <= 1.5:
        return 0.0
    square = float(np.abs(np.exp(2j * np.pi * still).mean()) ** 2)
    return float(np.sqrt(max(0.0, (notes * square - 1) / (notes + 3))))


def _nine_in_tenth(values: Float32Array) -> float:
    """The value that nine in ten stay below, in a tenth of the time that a quantile takes."""
    at = int(0.9 * (len(values) - 1))
    return float(np.partition(values, at)[at])


@lru_cache(maxsize=4)
def score_weights(names: tuple[str, ...], table: str = "music") -> Float64Array:
    """Weights of the named features and the constant, [n + 1], from score_weights.toml, with how they were fitted."""
    stored = tomllib.loads((files("pipelines.ingest.analysis") / "score_weights.toml").read_text(encoding="utf-8"))[
        table
    ]
    return np.array([*(stored["weights"][name] for name in names), stored["constant"]])
