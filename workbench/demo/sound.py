"""Tunes, rooms and deliveries, made of numbers; pydub joins and mixes them."""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from pipelines.units import Audio, Hertz, Seconds
from workbench.demo.script import Delivery

if TYPE_CHECKING:
    from pydub import AudioSegment

_TUNE = (64, 67, 71, 72, 71, 67, 64, 62, 64, 69, 72, 76, 74, 72, 69, 67)


def segment(samples: Audio, rate_hz: Hertz) -> "AudioSegment":
    """float32 mono [n] as a pydub segment."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # pydub looks for ffmpeg on import and its source has stray escapes; neither matters
        from pydub import AudioSegment

    pcm = np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
    return AudioSegment(data=pcm.tobytes(), sample_width=2, frame_rate=rate_hz, channels=1)


def opening_tune(rate_hz: Hertz) -> Audio:
    """The same eight seconds at the head of every episode."""
    return np.concatenate([_note(pitch, 0.5, rate_hz, 0.35) for pitch in _TUNE])


def music_bed(rate_hz: Hertz, length_s: Seconds, rng: np.random.Generator) -> Audio:
    """Slow chords, quiet enough to speak over."""
    chords = rng.choice([(57, 60, 64), (53, 57, 60), (55, 59, 62), (50, 53, 57)], size=int(np.ceil(length_s / 2)))
    bed = np.concatenate(
        [np.sum([_note(int(pitch), 2.0, rate_hz, 0.05) for pitch in chord], axis=0) for chord in chords]
    )
    return bed[: int(length_s * rate_hz)].astype(np.float32)


def room_tone(rate_hz: Hertz, length_s: Seconds, rng: np.random.Generator) -> Audio:
    """Very quiet noise, as between lines."""
    return (rng.standard_normal(int(length_s * rate_hz)) * 0.0012).astype(np.float32)


def deliver(samples: Audio, rate_hz: Hertz, delivery: Delivery, rng: np.random.Generator) -> Audio:
    """Give a spoken line its delivery; shape stays [n]."""
    from scipy.signal import butter, sosfilt

    voice = samples.astype(np.float64)
    if delivery.drive:
        voice = np.tanh(delivery.drive * voice) / np.tanh(delivery.drive)
    if delivery.tremolo_hz:
        time = np.arange(len(voice)) / rate_hz
        voice = voice * (1.0 + 0.45 * np.sin(2 * np.pi * delivery.tremolo_hz * time))
    if delivery.breath:
        voice = voice + delivery.breath * np.abs(voice) * rng.standard_normal(len(voice))
    if delivery.dull_hz:
        voice = sosfilt(butter(2, delivery.dull_hz, fs=rate_hz, output="sos"), voice)
    gain = 10 ** ((delivery.gain_db + rng.normal(0, 1.0)) / 20)
    return np.clip(0.6 * gain * voice, -0.98, 0.98).astype(np.float32)


def _note(pitch: int, length_s: Seconds, rate_hz: Hertz, level: float) -> Audio:
    time = np.arange(int(length_s * rate_hz)) / rate_hz
    hertz = 440.0 * 2 ** ((pitch - 69) / 12)
    harmonics = np.arange(1, 6)[:, None]
    tone = (np.sin(2 * np.pi * hertz * harmonics * time) / harmonics**1.5).sum(axis=0)
    return np.asarray(level * tone * np.exp(-1.5 * time / length_s), np.float32)
