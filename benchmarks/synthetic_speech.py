"""Made speech by the hour for what is measured here: espeak-ng (extra `demo`), random words, no text twice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from pipelines.media.audio import resample
from pipelines.units import Audio, Seconds
from tests.synthetic_scenes import sentence
from tests.synthetic_series import RATE_HZ, Speech
from workbench.demo.voice import Manner, Synthesiser, Voice, synthesiser

#: Far enough from each other that no speed is found again in another.
SPEEDS = (0.85, 0.92, 1.0, 1.09, 1.19)
TUNED_VOICES = ("en-gb-x-rp+m1", "en-us+f2", "en-gb-scotland+m3", "en-us+f3")
HELD_OUT_VOICES = ("en-us+adam", "en-gb-x-rp+belinda", "en-gb-scotland+ian", "en+anika", "it+f1", "de+m4")


def spoken(synth: Synthesiser, voices: Sequence[str], seconds: Seconds, seed: int) -> Audio:
    """Sentences by several voices with pauses, float32 [n] at 16 kHz, peak 0.3; no text comes twice."""
    rng = np.random.default_rng(seed)
    parts: list[Audio] = []
    length = 0
    while length < seconds * RATE_HZ:
        voice = Voice("", str(rng.choice(voices)), "", int(rng.integers(30, 70)))
        manner = Manner(int(rng.integers(140, 200)), int(rng.integers(-10, 25)), int(rng.integers(30, 90)), 100)
        said = resample(synth.speak(sentence(rng), voice, manner), synth.rate_hz, RATE_HZ)
        parts += [said * np.float32(10 ** rng.uniform(-0.5, 0)), np.zeros(round(rng.uniform(0.05, 0.8) * RATE_HZ))]
        length += len(parts[-2]) + len(parts[-1])
    sound = np.concatenate(parts)[: round(seconds * RATE_HZ)]
    return (0.3 * sound / np.abs(sound).max() + 1e-4 * rng.standard_normal(len(sound))).astype(np.float32)


def source_sound(number: int, seconds: Seconds) -> Audio:
    with synthesiser() as synth:
        return spoken(synth, HELD_OUT_VOICES, seconds, 50_000 + number)


def at_speed(sound: Audio, speed: float, rate_hz: int = RATE_HZ) -> Audio:
    """Made speech so much faster and higher."""
    return resample(sound, round(RATE_HZ * speed), rate_hz)


@contextmanager
def speaking(voices: Sequence[str]) -> Iterator[Speech]:
    """Speech for a made series."""
    with synthesiser() as synth:
        yield lambda seconds, seed: spoken(synth, voices, seconds, seed)
