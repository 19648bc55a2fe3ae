"""Models built of Keras layers: fitted with Adam and categorical cross-entropy. Keras is imported late."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipelines.recipes.recipe import TrainingSettings
from pipelines.toml_config import StrictModel
from pipelines.training.models import tensorflow_backend
from pipelines.training.models.model import Learnt, Predict, Rows, Tell
from pipelines.units import Float32Array

Shape = tuple[int, ...]


class KerasModel(StrictModel):
    """A model that only has to say how it is built, and what its first layer takes."""

    file_name: ClassVar[str] = "model.keras"

    @abstractmethod
    def build(self, input_shape: Shape, labels: int) -> Any:
        """An uncompiled keras model: input [batch, *input_shape], output probabilities [batch, labels]."""

    def shaped(self, inputs: Float32Array) -> Float32Array:
        """Rows as the first layer takes them; as they are unless the model says otherwise."""
        return inputs

    def fit(self, train: Rows, valid: Rows, labels: int, settings: TrainingSettings, seed: int, tell: Tell) -> Learnt:
        """Fit with `seed`; reports after every batch."""
        tensorflow_backend.start(seed)
        from keras import optimizers

        one_hot = np.eye(labels, dtype=np.float32)
        inputs = self.shaped(train.inputs)
        model = self.build(inputs.shape[1:], labels)
        model.compile(optimizers.Adam(settings.learning_rate), "categorical_crossentropy", metrics=["accuracy"])
        with tensorflow_backend.old_numpy_protocol():
            columns = model.fit(
                inputs,
                one_hot[train.truth],
                validation_data=(self.shaped(valid.inputs), one_hot[valid.truth]),
                batch_size=settings.batch_size,
                epochs=settings.epochs,
                shuffle=True,
                verbose=0,
                callbacks=_callbacks(settings, -(-len(inputs) // settings.batch_size), tell),
            ).history
        history = tuple(
            {"epoch": number + 1, **{name: float(values[number]) for name, values in columns.items()}}
            for number in range(len(columns["loss"]))
        )
        stops_early = settings.early_stopping is not None
        return Learnt(
            history,
            int(np.argmin(columns["val_loss"])) + 1 if stops_early else len(history),
            int(model.count_params()),
            self._predicting(model),
            model.save,
        )

    def load(self, file: Path) -> Predict:
        """The model that `fit` saved."""
        tensorflow_backend.start(0)
        from keras import models

        return self._predicting(models.load_model(file))

    def versions(self) -> Mapping[str, str]:
        """TensorFlow and Keras."""
        return tensorflow_backend.versions()

    def _predicting(self, model: Any) -> Predict:
        def predict(inputs: Float32Array) -> Float32Array:
            with tensorflow_backend.old_numpy_protocol():
                return np.asarray(model.predict(self.shaped(inputs), batch_size=256, verbose=0), dtype=np.float32)

        return predict


def _callbacks(settings: TrainingSettings, batches: int, tell: Tell) -> list[Any]:
    from keras import callbacks

    class Telling(callbacks.Callback):  # type: ignore[misc]
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

    chosen: list[Any] = [Telling()]
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
