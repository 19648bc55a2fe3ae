"""Changed copies of a clip: small methods on mono audio, and chains of them named like "stretch+pitch".

Draws are seeded by the recipe's seed, the chain and the clip's own samples, never by the order of clips.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from pipelines.errors import UnknownName
from pipelines.toml_config import StrictModel, parse
from pipelines.units import Audio, Hertz

#: The name of the row that is the clip itself.
CLEAN = "clean"


class Method(Protocol):
    """A change to mono audio float32 [n] at a rate in hertz; gives float32 [m]."""

    def __call__(self, mono: Audio, rate_hz: Hertz, rng: np.random.Generator) -> Audio: ...


class Noise(StrictModel):
    """White noise: x + amount · U(0, 1) · max(x) · N(0, 1). Source: the public code family of system 1 (RECIPES)."""

    amount: Annotated[float, Field(gt=0)] = 0.035

    def __call__(self, mono: Audio, rate_hz: Hertz, rng: np.random.Generator) -> Audio:  # noqa: ARG002
        level = self.amount * rng.uniform() * float(mono.max(initial=0.0))
        return (mono + level * rng.standard_normal(len(mono))).astype(np.float32)


class Stretch(StrictModel):
    """Slower (rate < 1) or faster at the same pitch, by a phase vocoder; length n / rate."""

    rate: Annotated[float, Field(gt=0.1, lt=10)] = 0.8

    def __call__(self, mono: Audio, rate_hz: Hertz, rng: np.random.Generator) -> Audio:  # noqa: ARG002
        from librosa.effects import time_stretch

        return np.asarray(time_stretch(mono, rate=self.rate), dtype=np.float32)


class Shift(StrictModel):
    """Circular shift by int(U(-1, 1) · max_samples) samples."""

    max_samples: Annotated[int, Field(ge=1)] = 5000

    def __call__(self, mono: Audio, rate_hz: Hertz, rng: np.random.Generator) -> Audio:  # noqa: ARG002
        return np.roll(mono, int(rng.uniform(-1, 1) * self.max_samples))


class Pitch(StrictModel):
    """Pitch moved by `semitones` (twelve per octave) at the same length."""

    semitones: Annotated[float, Field(ge=-24, le=24)] = 0.7

    def __call__(self, mono: Audio, rate_hz: Hertz, rng: np.random.Generator) -> Audio:  # noqa: ARG002
        from librosa.effects import pitch_shift

        return np.asarray(pitch_shift(mono, sr=rate_hz, n_steps=self.semitones), dtype=np.float32)


METHODS: Mapping[str, type[StrictModel]] = {
    "noise": Noise,
    "stretch": Stretch,
    "shift": Shift,
    "pitch": Pitch,
}


@dataclass(frozen=True)
class Chain:
    """One kind of copy: methods applied in turn. `name` is what recipes and tables call it."""

    name: str
    methods: tuple[Method, ...]
    seed: int

    @property
    def digest(self) -> str:
        """16 hex digits over everything that decides the copy, for caches."""
        steps = [
            [type(method).__name__, method.model_dump()] for method in self.methods if isinstance(method, StrictModel)
        ]
        return hashlib.sha256(json.dumps([steps, self.seed]).encode()).hexdigest()[:16]

    def __call__(self, mono: Audio, rate_hz: Hertz) -> Audio:
        """The changed copy of mono audio float32 [n]."""
        content = hashlib.sha256(np.ascontiguousarray(mono).tobytes()).digest()
        rng = np.random.default_rng([self.seed, *self.name.encode(), *content])
        for method in self.methods:
            mono = method(mono, rate_hz, rng)
        return mono


def chain(name: str, settings: Mapping[str, Mapping[str, Any]], seed: int) -> Chain:
    """The chain called `name`: method names joined by "+". Raises UnknownName, and ConfigError for wrong settings."""
    unknown = sorted(set(settings) - set(METHODS))
    if unknown:
        raise UnknownName("augmentation method", unknown[0], METHODS)
    methods = []
    for part in name.split("+"):
        if part not in METHODS:
            raise UnknownName("augmentation method", part, METHODS)
        methods.append(parse(METHODS[part], dict(settings.get(part, {})), f"augmentation.settings.{part}"))
    return Chain(name, tuple(methods), seed)  # type: ignore[arg-type]
