"""How likely a stretch is music or song: four measures of what was heard, weighed by a logistic function.

A speech detector takes sung words for speech, so what tells them apart is mostly pitch: notes stand still and lie on
a scale, speech glides. The 4-Hz modulation and the flux of Scheirer and Slaney (1997), Construction and evaluation of
a robust multifeature speech/music discriminator, ICASSP, the low-energy frames of Saunders (1996), flatness and the
depth of the level's movement were tried: beside these four they add nothing on held-out makings, or harm.
"""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.analyzer import Tracks
from pipelines.units import Floats, Reals, Seconds

#: Notes are looked for so far before and after the stretch as well: three seconds hold few of them.
AROUND_S: Seconds = 3.0
#: A note stands still where so many frames in a row (190 ms) stay within so many semitones, vibrato and all.
_NOTE_FRAMES, _NOTE_SEMITONES = 6, 0.9
_VOICED = 0.6
#: Frames more than 20 dB below the loud ones are not heard.
_HEARD = 0.01
#: A glide: by so many semitones within 125 ms; more is another note or an error.
_GLIDE_FRAMES, _GLIDE_SEMITONES = 4, (0.4, 3.0)


class Evidence(NamedTuple):
    """What speaks for music, or against it (`glide`), in a stretch; each from 0 to 1.

    `tuned`: how far steady pitch keeps to one scale of semitones. `held`: share of power in tones that stood still for
    250 ms, the nine in tenth of the heard frames. `under`: the same share in the softest third, by how near that comes
    to the loud: tones under speech. `glide`: share of frames in which a voice glides, 0.3 at most.
    """

    tuned: float
    held: float
    under: float
    glide: float


def music_p(tracks: Tracks, start_s: Seconds, end_s: Seconds) -> float:
    """Probability, between 0 and 1, that a stretch is music, or speech in which music is as loud as the speech."""
    weights = weights_of(Evidence._fields)
    return float(1 / (1 + np.exp(-(weights[:-1] @ np.array(evidence(tracks, start_s, end_s)) + weights[-1]))))


def evidence(tracks: Tracks, start_s: Seconds, end_s: Seconds) -> Evidence:
    """The four measures of a stretch, in seconds of the recording."""
    inside = tracks.frames(start_s, end_s)
    around = tracks.frames(max(0.0, start_s - AROUND_S), end_s + AROUND_S)
    power = np.exp(tracks.bands_db(start_s - AROUND_S, end_s + AROUND_S) * np.float32(np.log(10) / 10)).sum(axis=1)
    semitones, periodic = tracks.semitones(start_s - AROUND_S, end_s + AROUND_S)
    here = slice(inside.start - around.start, inside.stop - around.start)
    total = power[here]
    if not len(total):
        return Evidence(0.0, 0.0, 0.0, 0.0)
    order = np.argsort(total, kind="stable")
    soft, loud = order[: max(1, len(order) // 3)], total[order[int(0.95 * (len(order) - 1))]]
    heard = total > _HEARD * _nine_in_tenth(total)
    held = tracks.held(start_s, end_s)
    below_db = float(10 * np.log10(loud / total[soft]).mean())
    voiced = heard & (periodic[here] > _VOICED)
    moved = np.abs(semitones[here][_GLIDE_FRAMES:] - semitones[here][:-_GLIDE_FRAMES])
    moved = moved[voiced[_GLIDE_FRAMES:] & voiced[:-_GLIDE_FRAMES]]
    glides = np.count_nonzero((moved >= _GLIDE_SEMITONES[0]) & (moved < _GLIDE_SEMITONES[1]))
    return Evidence(
        tuned=_tuned(semitones, (periodic > _VOICED) & (power > _HEARD * _nine_in_tenth(power))),
        held=_nine_in_tenth(held[heard]),
        under=float(held[soft].mean()) * (1 - min(1.0, below_db / 40)),
        glide=min(0.3, glides / np.count_nonzero(heard)),
    )


def _tuned(semitones: Reals, voiced: npt.NDArray[np.bool_]) -> float:
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


def _nine_in_tenth(values: Reals) -> float:
    """The value that nine in ten stay below, in a tenth of the time that a quantile takes."""
    at = int(0.9 * (len(values) - 1))
    return float(np.partition(values, at)[at])


@lru_cache(maxsize=4)
def weights_of(names: tuple[str, ...], table: str = "music") -> Floats:
    """Weights of the named measures and the constant, [n + 1], from screens.toml, which says how they were fitted."""
    stored = tomllib.loads((files("pipelines.ingest.analysis") / "score_weights.toml").read_text(encoding="utf-8"))[
        table
    ]
    return np.array([*(stored["weights"][name] for name in names), stored["constant"]])
