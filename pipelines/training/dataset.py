"""From a plan to arrays: features of every row, and a scaler that has seen training rows only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.features import Extractor, PreparedExtractor, feature_rows
from pipelines.progress import ProgressCallback
from pipelines.recipes.audio_settings import AudioSettings
from pipelines.training.augmentation import CLEAN, Chain
from pipelines.training.plan import Plan
from pipelines.units import Audio, Float32Array, Float64Array, Hertz


@dataclass(frozen=True)
class CopyExtractor:
    """An extractor of a changed copy: its own name and cache entries, the same shape."""

    original: Extractor
    chain: Chain

    @property
    def name(self) -> str:
        return f"{self.original.name}+{self.chain.name}-{self.chain.digest}"

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
        return self.original(self.chain(mono, rate_hz), rate_hz)


@dataclass(frozen=True)
class Scaler:
    """z = (x - mean) / scale per feature. A feature that does not vary keeps scale 1."""

    mean: Float64Array
    scale: Float64Array

    @classmethod
    def fit(cls, values: Float32Array) -> "Scaler":
        """Mean and (population) standard deviation over the rows [n, ...] given: training rows, and no others."""
        mean = values.mean(axis=0, dtype=np.float64)
        deviation = values.std(axis=0, dtype=np.float64)
        varies = deviation > 10 * np.finfo(np.float32).eps * np.abs(mean)
        return cls(mean, np.where(varies, deviation, 1.0))

    @classmethod
    def identity(cls, shape: tuple[int, ...]) -> "Scaler":
        """Changes nothing: for recipes without scaling."""
        return cls(np.zeros(shape), np.ones(shape))

    def __call__(self, values: Float32Array) -> Float32Array:
        return ((values - self.mean) / self.scale).astype(np.float32)

    def document(self) -> dict[str, Any]:
        """For JSON; `scaler_of` reads it back."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}


def scaler_of(document: dict[str, Any]) -> Scaler:
    """The scaler that `Scaler.document` wrote."""
    return Scaler(np.asarray(document["mean"], dtype=np.float64), np.asarray(document["scale"], dtype=np.float64))


@dataclass(frozen=True)
class Dataset:
    """Scaled features [rows, *shape of the extractor] and label numbers [rows], in the plan's order."""

    inputs: Float32Array
    truth: npt.NDArray[np.int64]
    scaler: Scaler


def make_dataset(plan: Plan, cache: Path, report: ProgressCallback, workers: int) -> Dataset:
    """Extract what is not cached, fit the scaler on training rows, scale everything. Raises MediaError."""
    makers: dict[str, Extractor] = {CLEAN: plan.extractor}
    makers |= {name: CopyExtractor(plan.extractor, chain) for name, chain in plan.chains.items()}
    if plan.recipe.audio != AudioSettings():
        makers = {name: PreparedExtractor(made_of, plan.recipe.audio) for name, made_of in makers.items()}
    rows = [(makers[row.copy], plan.clips[row.clip_id]) for row in plan.rows]
    values = feature_rows(rows, plan.extractor.shape, cache, report, workers=workers)
    if plan.recipe.features.scaling == "standard":
        scaler = Scaler.fit(values[plan.of("train")])
    else:
        scaler = Scaler.identity(plan.extractor.shape)
    truth = np.array([plan.labels.index(row.label) for row in plan.rows], dtype=np.int64)
    return Dataset(scaler(values), truth, scaler)
