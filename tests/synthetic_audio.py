"""Synthetic audio and media files for tests; no recordings of people."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipelines.units import Audio, Hertz, Seconds

#: First three formants in Hz of five vowels (Peterson and Barney 1952, men, rounded).
_FORMANTS = np.array([(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410)])
_SYLLABLE_S = 0.2


def tone(seconds: Seconds, rate_hz: Hertz = 16000, hz: float = 440.0, level: float = 0.3) -> Audio:
    """A sine, float32 [n]."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def noise(seconds: Seconds, rate_hz: Hertz = 16000, level: float = 0.1, seed: int = 0) -> Audio:
    """White Gaussian noise, float32 [n]."""
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))).astype(np.float32)


def silence(seconds: Seconds, rate_hz: Hertz = 16000) -> Audio:
    """Digital zeros, float32 [n]."""
    return np.zeros(round(seconds * rate_hz), np.float32)


def voice(seconds: Seconds, rate_hz: Hertz = 16000, pitch_hz: float = 115.0, seed: int = 0) -> Audio:
    """Vowels at five syllables a second, similar enough to a voice for a speech detector; float32 [n], peak 0.5."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch = pitch_hz * (1 + 0.12 * np.sin(2 * np.pi * 0.7 * t + 1) + 0.05 * np.sin(2 * np.pi * 2.3 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    syllable = (t / _SYLLABLE_S).astype(int)
    # Each vowel once a second, so that one voice sounds alike throughout; in an order that does not repeat.
    rounds = syllable.max() // len(_FORMANTS) + 1
    order = np.concatenate([rng.permutation(len(_FORMANTS)) for _ in range(rounds)])
    formants = _FORMANTS[order[syllable]].astype(float)
    glide = round(0.05 * rate_hz)
    kernel = np.ones(glide) / glide
    for column in range(3):
        padded = np.pad(formants[:, column], glide, mode="edge")
        formants[:, column] = np.convolve(padded, kernel, "same")[glide:-glide]
    sound = np.zeros(len(t))
    for harmonic in range(1, int(min(4000, rate_hz / 2) / pitch_hz / 0.8)):
        hz = harmonic * pitch
        peaks = zip((1.0, 0.6, 0.3), (60, 80, 120), formants.T, strict=True)
        level = sum(gain / (1 + ((hz - formant) / width) ** 2) for gain, width, formant in peaks) / harmonic**0.5
        sound += np.where(hz < 0.475 * rate_hz, level * np.sin(harmonic * phase), 0)
    sound += 0.03 * rng.standard_normal(len(t))  # breath, up to the highest frequencies
    sound *= 0.25 + 0.75 * np.abs(np.sin(np.pi * t / _SYLLABLE_S)) ** 0.7
    sound += 0.002 * rng.standard_normal(len(t))
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def video_without_sound(path: Path, frames: int = 12) -> Path:
    """A small video with no audio track."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), number * 8 % 255, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
