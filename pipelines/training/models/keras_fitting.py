"""Settings of a training as Keras objects: optimiser, callbacks, weights of rows. Keras is imported late."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.recipes.training_settings import Monitor, TrainingSettings
from pipelines.training.models.model import Tell
from pipelines.units import Float32Array

Numbers = npt.NDArray[np.int64]


def optimizer(settings: TrainingSettings) -> Any:
    """The optimiser with its schedule."""
    from keras import optimizers

    chosen = settings.optimizer
    rate: Any = settings.learning_rate
    if chosen.decay:
        rate = optimizers.schedules.InverseTimeDecay(rate, decay_steps=1, decay_rate=chosen.decay)
    if chosen.name == "adam":
        return optimizers.Adam(rate)
    if chosen.name == "sgd":
        return optimizers.SGD(rate, momentum=chosen.momentum)
    return optimizers.RMSprop(rate, momentum=chosen.momentum)


def row_weights(truth: Numbers, labels: int, settings: TrainingSettings) -> Float32Array | None:
    """A weight per training row whose mean is 1, or None where all count alike; [n]."""
    if settings.class_weights == "none":
        return None
    counts = np.bincount(truth, minlength=labels)
    present = int((counts > 0).sum())
    weights: Float32Array = (len(truth) / (present * counts[truth])).astype(np.float32)
    return weights


def sampled_rows(truth: Numbers, settings: TrainingSettings, seed: int) -> Numbers:
    """Numbers of the training rows to fit on: all of them once, and with oversampling some again; [m]."""
    everyone: Numbers = np.arange(len(truth), dtype=np.int64)
    if settings.sampling == "shuffle":
        return everyone
    rng = np.random.default_rng(seed)
    largest = int(np.bincount(truth).max())
    again = [
        rng.choice(rows, largest - len(rows))
        for label in np.unique(truth)
        if len(rows := np.flatnonzero(truth == label)) < largest
    ]
    return np.concatenate([everyone, *again])


def is_better(monitor: Monitor, value: float, best: float | None) -> bool:
    """Whether `value` of an epoch beats the best so far; NaN never does."""
    if np.isnan(value):
        return False
    return best is None or (value > best if monitor.endswith("accuracy") else value < best)


def callbacks_of(settings: TrainingSettings, batches: int, tell: Tell) -> tuple[list[Any], Any]:
    """Callbacks for `model.fit`, and the one among them that holds the kept epoch in `kept_epoch`."""
    from keras import callbacks

    class Reporter(callbacks.Callback):  # type: ignore[misc]
        """Passes progress on; an exception raised by the receiver ends the training."""

        def __init__(self) -> None:
            super().__init__()
            self.epochs = 0
            self.numbers: dict[str, float] = {}

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            tell(self.epochs + (batch + 1) / batches * 0.99, self.numbers)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epochs = epoch + 1
            self.numbers = {"epoch": self.epochs, **{name: float(value) for name, value in (logs or {}).items()}}
            tell(self.epochs, self.numbers)

    class Keeper(callbacks.Callback):  # type: ignore[misc]
        """Remembers the weights of the best epoch and gives them back at the end; the last epoch's are kept as is."""

        def __init__(self) -> None:
            super().__init__()
            self.kept_epoch = 0
            self.best: float | None = None
            self.weights: Any = None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            kept_by = settings.kept_by
            if kept_by == "last":
                self.kept_epoch = epoch + 1
            elif is_better(kept_by, float((logs or {})[kept_by]), self.best):
                self.kept_epoch, self.best = epoch + 1, float((logs or {})[kept_by])
                self.weights = self.model.get_weights()

        def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
            if self.weights is not None:
                self.model.set_weights(self.weights)

    keeper = Keeper()
    chosen: list[Any] = [Reporter(), keeper]
    plateau, stopping = settings.reduce_on_plateau, settings.early_stopping
    if plateau is not None:
        chosen.append(
            callbacks.ReduceLROnPlateau(
                monitor=plateau.monitor,
                mode="max" if plateau.monitor.endswith("accuracy") else "min",
                factor=plateau.factor,
                patience=plateau.patience,
                min_lr=plateau.min_learning_rate,
            )
        )
    if stopping is not None:
        mode = "max" if stopping.monitor.endswith("accuracy") else "min"
        chosen.append(callbacks.EarlyStopping(monitor=stopping.monitor, mode=mode, patience=stopping.patience))
    return chosen, keeper
