"""What every model is: it learns from rows, predicts rows, knows its file on disk. Its library stays inside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.recipes.training_settings import TrainingSettings
from pipelines.units import Float32Array

#: From inputs [n, *shape] to probabilities [n, labels], float32.
Predict: TypeAlias = Callable[[Float32Array], Float32Array]
#: Takes how many epochs are done, a fraction while one runs, and the last whole one's numbers; may raise to stop.
Tell: TypeAlias = Callable[[float, Mapping[str, float]], None]


@dataclass(frozen=True)
class Rows:
    """Inputs [n, *shape of the features] and label numbers [n]."""

    inputs: Float32Array
    truth: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Learnt:
    """A fitted model. `history`: epoch (from 1), loss, accuracy, val_loss, val_accuracy; `kept_epoch` is the one used.

    `save` writes it to the file that `Model.load` reads.
    """

    history: tuple[Mapping[str, float], ...]
    kept_epoch: int
    parameters: int
    predict: Predict
    save: Callable[[Path], None]


class Model(Protocol):
    """Settings of one architecture, and everything that is done with it.

    The same rows, settings and seed give the same predictions on the same machine.
    """

    #: What it is called inside a run's folder.
    file_name: ClassVar[str]

    def fit(self, train: Rows, valid: Rows, labels: int, settings: TrainingSettings, seed: int, tell: Tell) -> Learnt:
        """Learn to tell `labels` labels apart. Imports its library here at the earliest."""
        ...

    def load(self, file: Path) -> Predict:
        """What `Learnt.save` wrote, predicting the same."""
        ...

    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries it computes with, by name."""
        ...
