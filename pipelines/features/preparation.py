"""Audio as a recipe wants it before features are made, as a part of the extractor's name so that caches know it."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from pipelines.features.registry import Extractor
from pipelines.recipes.audio_settings import AudioSettings
from pipelines.units import Audio, Float32Array, Hertz


def prepare(mono: Audio, rate_hz: Hertz, settings: AudioSettings) -> Audio:
    """`mono` [n] at `rate_hz` through the steps of `settings`, float32 [m], m >= 1.

    An offset behind the end leaves one sample of silence. An all-silent clip is levelled to itself.
    """
    start = round(settings.offset_s * rate_hz)
    stop = None if settings.duration_s is None else start + round(settings.duration_s * rate_hz)
    audio = mono[start:stop]
    if not audio.size:
        audio = np.zeros(1, dtype=np.float32)
    if settings.peak_normalize:
        audio = audio / np.float32(np.abs(audio).max() or 1)
    if settings.trim_db is not None:
        audio = _trimmed(audio, settings.trim_db)
    if settings.z_score:
        audio = (audio - audio.mean()) / np.float32(audio.std() or 1)
    if settings.samples is not None:
        audio = np.pad(audio[: settings.samples], (0, max(0, settings.samples - audio.size)))
    return np.ascontiguousarray(audio, dtype=np.float32)


@dataclass(frozen=True)
class PreparedExtractor:
    """An extractor whose audio is prepared first: its own name and cache entries, the same shape."""

    original: Extractor
    settings: AudioSettings

    @property
    def name(self) -> str:
        text = json.dumps(self.settings.model_dump(mode="json"), sort_keys=True)
        return f"{self.original.name}_audio_{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    @property
    def version(self) -> str:
        return self.original.version

    @property
    def rate_hz(self) -> Hertz | None:
        return self.original.rate_hz

    @property
    def shape(self) -> tuple[int, ...]:
        return self.original.shape

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> Float32Array:
        return self.original(prepare(mono, rate_hz, self.settings), rate_hz)


def _trimmed(audio: Audio, top_db: float) -> Audio:
    from librosa.effects import trim

    kept: Audio = trim(audio, top_db=top_db)[0]
    return kept if kept.size else audio[:1]
