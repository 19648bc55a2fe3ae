"""What any model must do, told as plain values; where it needs TensorFlow, a process of its own tells it."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.recipes.training_settings import TrainingSettings
from pipelines.training.models import registry
from pipelines.training.models.model import Rows

SETTINGS = TrainingSettings(epochs=12, batch_size=8, learning_rate=0.01)
LABELS = 3
#: Small settings, the shape that the 20 numbers of a row are given, and epochs; defaults for a model not named here.
SMALL: dict[str, tuple[dict[str, Any], tuple[int, ...], int]] = {
    "lstm": ({"units": [16], "attention": True}, (5, 4), 40),
    "row_convolutions": (
        {"filters": [16, 16], "dropout_after_pool": [], "dense": [16], "dense_dropout": 0},
        (5, 4),
        40,
    ),
    "hybrid": (
        {"filters": [8, 8], "lstm_units": 8, "branch_units": 16, "dense": [16], "dropout_after_pool": []},
        (5, 4),
        40,
    ),
    "time_distributed_lstm": ({"filters": [8], "lstm_units": [16], "dropout": 0}, (2, 5, 2, 1), 40),
}


def rows(seed: int, shape: tuple[int, ...] = (20,), n: int = 30, features: int = 20) -> Rows:
    """Rows whose label is the third of the features that stands out."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(LABELS, size=n)
    inputs = rng.normal(0, 0.3, (n, features)).astype(np.float32)
    inputs[np.arange(n), truth * 6] += 3
    return Rows(inputs.reshape(n, *shape), truth)


def account(name: str, folder: Path) -> dict[str, Any]:
    """What a model does under the contract, for JSON."""
    settings, shape, epochs = SMALL.get(name, ({}, (20,), SETTINGS.epochs))
    model = registry.model(name, settings)
    training = SETTINGS.model_copy(update={"epochs": epochs})
    told: list[float] = []
    one, again = (
        model.fit(rows(1, shape), rows(2, shape), LABELS, training, 7, lambda done, _: told.append(done)) for _ in "ab"
    )
    test = rows(3, shape)
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
