"""What any model must do, told as plain values; where it needs TensorFlow, a process of its own tells it."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.recipes.recipe import TrainingSettings
from pipelines.training.models import registry
from pipelines.training.models.model import Rows

SETTINGS = TrainingSettings(epochs=12, batch_size=8, learning_rate=0.01)
LABELS = 3


def rows(seed: int, n: int = 30, features: int = 20) -> Rows:
    """Rows whose label is the third of the features that stands out."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(LABELS, size=n)
    inputs = rng.normal(0, 0.3, (n, features)).astype(np.float32)
    inputs[np.arange(n), truth * 6] += 3
    return Rows(inputs, truth)


def account(name: str, folder: Path) -> dict[str, Any]:
    """What a model does under the contract, for JSON."""
    model = registry.model(name, {})
    told: list[float] = []
    one, again = (model.fit(rows(1), rows(2), LABELS, SETTINGS, 7, lambda done, _: told.append(done)) for _ in "ab")
    test = rows(3)
    shares = one.predict(test.inputs)
    file = folder / model.file_name
    one.save(file)
    return {
        "shares": np.asarray(shares).tolist(),
        "again": np.asarray(again.predict(test.inputs)).tolist(),
        "loaded": np.asarray(model.load(file)(test.inputs)).tolist(),
        "dtype": str(shares.dtype),
        "truth": test.truth.tolist(),
        "history": list(one.history),
        "kept": one.kept_epoch,
        "parameters": one.parameters,
        "told": told,
        "versions": dict(model.versions()),
    }
