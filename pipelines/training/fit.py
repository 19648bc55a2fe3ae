"""One model fitted to one dataset under one seed. The only place that trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.progress import Progress, ProgressCallback
from pipelines.training.dataset import Dataset
from pipelines.training.models.model import Rows
from pipelines.training.plan import Plan
from pipelines.training.splits import Part
from pipelines.units import Float32Array


@dataclass(frozen=True)
class Fitted:
    """What one seed gave: curves by epoch (from 1), the epoch that is kept, test probabilities [n, k]."""

    seed: int
    history: tuple[Mapping[str, float], ...]
    kept_epoch: int
    probabilities: Float32Array
    parameters: int

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The number of the most probable label of each test row, [n]."""
        codes: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return codes


def fit(plan: Plan, dataset: Dataset, seed: int, report: ProgressCallback, folder: Path | None) -> Fitted:
    """Train with `seed` and predict the test rows. Saves the model into `folder` when one is given.

    Reports epochs with the last one's numbers; stops at once when `report` raises.
    """

    def rows(part: Part) -> Rows:
        numbers = plan.of(part)
        return Rows(dataset.inputs[numbers], dataset.truth[numbers])

    def tell(done: float, numbers: Mapping[str, float]) -> None:
        epoch = {"epoch": float(int(done)), **numbers}
        report(Progress("train", done, plan.recipe.training.epochs, f"seed {seed}", epoch))

    learnt = plan.model.fit(rows("train"), rows("valid"), len(plan.labels), plan.recipe.training, seed, tell)
    probabilities = learnt.predict(rows("test").inputs)
    if folder is not None:
        learnt.save(folder / plan.model.file_name)
    return Fitted(seed, learnt.history, learnt.kept_epoch, probabilities, learnt.parameters)
