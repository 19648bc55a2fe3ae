"""A made series with known repeats: speech that never repeats, tunes, openings, endings, recaps, a re-upload."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pipelines.media.audio import Codec, encode, resample
from pipelines.units import Audio, Hertz, Samples, Seconds, SourceId
from tests.synthetic_audio import noise, voice

RATE_HZ: Hertz = 16000
SUFFIXES: dict[Codec, str] = {"aac": "m4a", "opus": "webm", "mp3": "mp3", "flac": "flac", "pcm16": "wav"}

#: Speech of a length, in seconds, that differs for each seed: float32 [n] at `RATE_HZ`.
Speech = Callable[[Seconds, int], Audio]


@dataclass(frozen=True, slots=True)
class Planted:
    """A stretch of one source that should be masked, and where it stands."""

    source: SourceId
    start_s: Seconds
    end_s: Seconds
    kind: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a series is made of. All of its chance comes from `seed`."""

    episodes: int = 4
    body_s: Seconds = 120.0
    opening_s: Seconds = 30.0
    ending_s: Seconds = 20.0
    cuts: int = 3
    codecs: tuple[Codec, ...] = ("aac", "opus", "mp3")
    reupload: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """Files in the order of airing, and every planted stretch that a mask should cover."""

    files: dict[SourceId, Path]
    planted: tuple[Planted, ...]


@cache
def talk(seconds: Seconds, seed: int) -> Audio:
    """Babble in phrases of many lengths, pitches and throats, with pauses; it does not repeat. Level near a tune's."""
    rng = np.random.default_rng(seed)
    parts: list[Audio] = []
    while sum(map(len, parts)) < seconds * RATE_HZ:
        seconds_here, throat = rng.uniform(0.8, 2.5), int(rng.integers(800, 1250))
        phrase = voice(seconds_here, pitch_hz=rng.uniform(110, 200), seed=int(rng.integers(2**31)))
        phrase = resample(phrase, 1000, throat)
        parts += [np.float32(0.5) * phrase, noise(rng.uniform(0.1, 0.6), level=1e-3, seed=int(rng.integers(2**31)))]
    return np.concatenate(parts)[: round(seconds * RATE_HZ)]


def tune(seconds: Seconds, seed: int) -> Audio:
    """Chords, bass, melody and a drum, drawn from `seed`: float32 [n] at `RATE_HZ`, peak 0.4."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    sound = np.zeros(n + 2 * RATE_HZ)
    beat_s = 60 / rng.uniform(80, 150)
    scale = np.array([0, 2, 4, 5, 7, 9, 11] if rng.random() < 0.5 else [0, 2, 3, 5, 7, 8, 10])
    root, chords, bright = rng.integers(48, 62), rng.integers(0, 7, 8), rng.uniform(0.8, 1.8)

    def note(degree: int, octave: int, start_s: Seconds, length_s: Seconds, level: float, decay: float) -> None:
        hz = 440 * 2 ** ((root + 12 * octave + scale[degree % 7] + 12 * (degree // 7) - 69) / 12)
        at, t = round(start_s * RATE_HZ), np.arange(round((length_s + 0.3) * RATE_HZ)) / RATE_HZ
        if at >= n:
            return
        shape = np.minimum(t / 0.01, 1) * np.exp(-decay * t) * np.clip((length_s + 0.25 - t) / 0.2, 0, 1)
        parts = [k for k in range(1, 9) if hz * k < 0.47 * RATE_HZ]
        wave = sum(np.sin(2 * np.pi * hz * k * t + rng.uniform(0, 6)) / k**bright for k in parts)
        end = min(len(sound), at + len(t))
        sound[at:end] += (level * shape * wave)[: end - at]

    for bar in range(int(seconds / (4 * beat_s)) + 1):
        chord, bar_s = int(chords[bar % len(chords)]), 4 * bar * beat_s
        for degree in (0, 2, 4):
            note(chord + degree, 0, bar_s, 4 * beat_s, 0.12, 0.6)
        for quarter in range(4):
            beat_at_s = bar_s + quarter * beat_s
            note(chord, -1, beat_at_s, 0.9 * beat_s, 0.2, 2)
            for half in (0, 0.5):
                if rng.random() < 0.75:
                    note(int(rng.integers(7)), 1, beat_at_s + half * beat_s, 0.5 * beat_s * rng.integers(1, 3), 0.2, 3)
            at = round(beat_at_s * RATE_HZ)
            if at < n:
                hit = np.arange(RATE_HZ // 10)
                sound[at : at + len(hit)] += 0.15 * rng.standard_normal(len(hit)) * np.exp(-hit / 300)
    return (0.4 * sound[:n] / np.abs(sound[:n]).max()).astype(np.float32)


def make(folder: Path, plan: Plan, speech: Speech, treat: Callable[[Audio, int], Audio] | None = None) -> Series:
    """Write the episodes of `plan` into `folder`, each through the next of its codecs and at a level of its own.

    `treat` may change the sound of an episode, by its number, before it is encoded.

    Speech is heard over the last quarter of each opening and the first of each ending; recaps quote earlier bodies.
    """
    rng = np.random.default_rng(plan.seed)
    opening, ending = tune(plan.opening_s, 10 * plan.seed + 1), tune(plan.ending_s, 10 * plan.seed + 2)
    sounds: list[Audio] = []
    bodies: list[tuple[Samples, Samples]] = []
    planted: list[Planted] = []
    for number in range(plan.episodes):
        row = _Row(f"e{number + 1:02d}", planted)
        talk = iter(
            range(1_000_000 * (plan.seed + 1) + 1000 * number, 1_000_000 * (plan.seed + 1) + 1000 * number + 999)
        )
        row.add(speech(rng.uniform(3, 10), next(talk)))
        row.add(_talked_over(opening, speech(plan.opening_s / 4, next(talk)), at_end=True), "opening")
        for _ in range(plan.cuts if number else 0):
            earlier = int(rng.integers(number))
            start, end = bodies[earlier]
            length = round(rng.uniform(3, 10) * RATE_HZ)
            at = int(rng.integers(start, end - length))
            row.add(sounds[earlier][at : at + length] * np.float32(rng.uniform(0.5, 1.0)), "recap")
            row.add(speech(rng.uniform(4, 6), next(talk)))
        begin = row.length
        row.add(speech(plan.body_s, next(talk)))
        bodies.append((begin, row.length))
        row.add(_talked_over(ending, speech(plan.ending_s / 4, next(talk)), at_end=False), "ending")
        row.add(speech(rng.uniform(1, 4), next(talk)))
        sounds.append(row.sound())
    files = {}
    if treat is not None:
        sounds = [treat(sound, number) for number, sound in enumerate(sounds)]
    for number, sound in enumerate(sounds):
        files[f"e{number + 1:02d}"] = _written(folder / f"e{number + 1:02d}", sound, plan, number, rng)
    if plan.reupload:
        again = sounds[1][round(2.345 * RATE_HZ) :]
        files["again"] = _written(folder / "again", again, plan, len(sounds) + 1, rng)
        planted.append(Planted("again", 0.0, len(again) / RATE_HZ, "reupload"))
    return Series(files, tuple(planted))


class _Row:
    """One episode under way."""

    def __init__(self, source: SourceId, planted: list[Planted]) -> None:
        self._source, self._planted = source, planted
        self._parts: list[Audio] = []
        self.length: Samples = 0

    def add(self, sound: Audio, kind: str = "") -> None:
        if kind:
            start, end = self.length, self.length + len(sound)
            self._planted.append(Planted(self._source, start / RATE_HZ, end / RATE_HZ, kind))
        self._parts.append(sound)
        self.length += len(sound)

    def sound(self) -> Audio:
        return np.concatenate(self._parts)


def _talked_over(music: Audio, talk: Audio, *, at_end: bool) -> Audio:
    mixed = music.copy()
    if at_end:
        mixed[len(mixed) - len(talk) :] += talk
    else:
        mixed[: len(talk)] += talk
    return mixed


def _written(stem: Path, sound: Audio, plan: Plan, number: int, rng: np.random.Generator) -> Path:
    codec = plan.codecs[number % len(plan.codecs)]
    path = stem.with_suffix(f".{SUFFIXES[codec]}")
    encode(path, sound * np.float32(rng.uniform(0.2, 0.9) / max(1.0, float(np.abs(sound).max()))), RATE_HZ, codec)
    return path
