"""One model fitted to one dataset under one seed. The only place that trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.progress import Progress, Report
from pipelines.recipe import TrainingSettings
from pipelines.training import backend
from pipelines.training.dataset import Dataset, Reals
from pipelines.training.plan import Plan


@dataclass(frozen=True)
class Fitted:
    """What one seed gave: curves by epoch (from 1), the epoch whose weights are kept, test probabilities [n, k]."""

    seed: int
    history: tuple[Mapping[str, float], ...]
    kept_epoch: int
    probabilities: Reals
    parameters: int


def fit(plan: Plan, dataset: Dataset, seed: int, report: Report, model_file: Path | None) -> Fitted:
    """Train with `seed` and predict the test rows. Saves the model to `model_file` when one is named.

    Reports after every batch, with the last epoch's numbers; stops at once when `report` raises.
    """
    backend.start(seed)
    from keras import optimizers

    settings = plan.recipe.training
    inputs = dataset.inputs
    outputs = np.eye(len(plan.labels), dtype=np.float32)[dataset.truth]
    train, valid, test = (plan.of(part) for part in ("train", "valid", "test"))
    model = plan.model.build(inputs.shape[1:], len(plan.labels))
    model.compile(optimizers.Adam(settings.learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    with backend.old_numpy_protocol():
        columns = model.fit(
            inputs[train],
            outputs[train],
            validation_data=(inputs[valid], outputs[valid]),
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            shuffle=True,
            verbose=0,
            callbacks=_callbacks(settings, seed, -(-len(train) // settings.batch_size), report),
        ).history
        probabilities = np.asarray(model.predict(inputs[test], batch_size=256, verbose=0), dtype=np.float32)
        if model_file is not None:
            model.save(model_file)
    history = tuple(
        {"epoch": number + 1, **{name: float(values[number]) for name, values in columns.items()}}
        for number in range(len(columns["loss"]))
    )
    stopped_early = settings.early_stopping is not None
    kept = int(np.argmin(columns["val_loss"])) + 1 if stopped_early else len(history)
    parameters = int(model.count_params())
    backend.forget()
    return Fitted(seed, history, kept, probabilities, parameters)


def _callbacks(settings: TrainingSettings, seed: int, batches: int, report: Report) -> list[Any]:
    from keras import callbacks

    class Tell(callbacks.Callback):  # type: ignore[misc]
        """Passes progress on; an exception raised by the receiver ends the training."""

        def __init__(self) -> None:
            super().__init__()
            self.epochs = 0
            self.numbers: dict[str, float] = {}

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.tell(self.epochs + (batch + 1) / batches * 0.99)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epochs = epoch + 1
            self.numbers = {name: float(value) for name, value in (logs or {}).items()}
            self.tell(self.epochs)

        def tell(self, done: float) -> None:
            report(Progress("train", done, settings.epochs, f"seed {seed}", {"epoch": self.epochs, **self.numbers}))

    chosen: list[Any] = [Tell()]
    plateau, stopping = settings.reduce_on_plateau, settings.early_stopping
    if plateau is not None:
        chosen.append(
            callbacks.ReduceLROnPlateau(
                monitor=plateau.monitor,
                factor=plateau.factor,
                patience=plateau.patience,
                min_lr=plateau.min_learning_rate,
            )
        )
    if stopping is not None:
        chosen.append(
            callbacks.EarlyStopping(monitor="val_loss", patience=stopping.patience, restore_best_weights=True)
        )
    return chosen
