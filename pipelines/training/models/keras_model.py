"""Models built of Keras layers, fitted with categorical cross-entropy. Keras is imported late."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipelines.recipes.training_settings import TrainingSettings
from pipelines.toml_config import StrictModel
from pipelines.training.models import keras_layers, tensorflow_backend
from pipelines.training.models.keras_fitting import callbacks_of, optimizer, row_weights, sampled_rows
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
        from keras import losses

        one_hot = np.eye(labels, dtype=np.float32)
        rows = sampled_rows(train.truth, settings, seed)
        inputs, truth = self.shaped(train.inputs)[rows], train.truth[rows]
        model = self.build(inputs.shape[1:], labels)
        loss = losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
        model.compile(optimizer(settings), loss, metrics=["accuracy"])
        callbacks, keeper = callbacks_of(settings, -(-len(inputs) // settings.batch_size), tell)
        with tensorflow_backend.old_numpy_protocol():
            columns = model.fit(
                inputs,
                one_hot[truth],
                sample_weight=row_weights(truth, labels, settings),
                validation_data=(self.shaped(valid.inputs), one_hot[valid.truth]),
                batch_size=settings.batch_size,
                epochs=settings.epochs,
                shuffle=True,
                verbose=0,
                callbacks=callbacks,
            ).history
        history = tuple(
            {"epoch": number + 1, **{name: float(values[number]) for name, values in columns.items()}}
            for number in range(len(columns["loss"]))
        )
        return Learnt(
            history,
            keeper.kept_epoch or len(history),
            int(model.count_params()),
            self._predicting(model),
            model.save,
        )

    def load(self, file: Path) -> Predict:
        """The model that `fit` saved."""
        tensorflow_backend.start(0)
        from keras import models

        keras_layers.attention_pooling_class()  # registered under its name, so that a file holds no code
        return self._predicting(models.load_model(file))

    def versions(self) -> Mapping[str, str]:
        """TensorFlow and Keras."""
        return tensorflow_backend.versions()

    def _predicting(self, model: Any) -> Predict:
        def predict(inputs: Float32Array) -> Float32Array:
            with tensorflow_backend.old_numpy_protocol():
                return np.asarray(model.predict(self.shaped(inputs), batch_size=256, verbose=0), dtype=np.float32)

        return predict
