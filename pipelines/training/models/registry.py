"""Every model by the name that recipes and runs save. A new one: a class as learner.Model says, one line in MODELS."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from pipelines.errors import UnknownName
from pipelines.toml_config import StrictModel, parse
from pipelines.training.models.keras_model import KerasModel, Shape
from pipelines.training.models.model import Model
from pipelines.units import Float32Array


class SoapCnn(KerasModel):
    """Conv1D+ReLU and max pooling per entry of `filters`, dropout after the second pooling, one Dense, softmax.

    Input [162], as one channel [162, 1]; with the defaults 249,733 parameters for five labels and 249,634 for two.
    Source: "Taiwanese Soap Opera Speech Emotion Recognition" names three Conv1D and two Dense layers; their sizes are
    those of its public code family.
    """

    filters: Annotated[tuple[int, ...], Field(min_length=1)] = (256, 128, 64)
    kernel: Annotated[int, Field(ge=1)] = 5
    pool: Annotated[int, Field(ge=1)] = 5
    stride: Annotated[int, Field(ge=1)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    dense: Annotated[int, Field(ge=1)] = 32
    dense_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.filters) < 1:
            raise ValueError("every layer needs at least one filter")
        return self

    def shaped(self, inputs: Float32Array) -> Float32Array:
        """A vector per row gets the one channel that a convolution slides over; what has more axes stays."""
        return inputs[..., None] if inputs.ndim == 2 else inputs

    def build(self, input_shape: Shape, labels: int) -> Any:
        from keras import Input, Sequential, layers

        model = Sequential(name="soap_cnn")
        model.add(Input(input_shape))
        for number, filters in enumerate(self.filters):
            model.add(layers.Conv1D(filters, self.kernel, padding="same", activation="relu"))
            model.add(layers.MaxPooling1D(self.pool, strides=self.stride, padding="same"))
            if number == 1:
                model.add(layers.Dropout(self.dropout))
        model.add(layers.Flatten())
        model.add(layers.Dense(self.dense, activation="relu"))
        model.add(layers.Dropout(self.dense_dropout))
        model.add(layers.Dense(labels, activation="softmax"))
        return model


MODELS: Mapping[str, type[StrictModel]] = {
    "soap_cnn": SoapCnn,
}


def model(name: str, settings: Mapping[str, Any]) -> Model:
    """The model called `name` with its settings. Raises UnknownName, ConfigError."""
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    return parse(MODELS[name], dict(settings), "model.settings")  # type: ignore[return-value]
