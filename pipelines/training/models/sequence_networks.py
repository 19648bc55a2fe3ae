"""Networks over sequences of frames: LSTM, LSTM with attention pooling, row convolutions, and both side by side."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipelines.training.models.keras_model import KerasModel, Shape
from pipelines.units import Float32Array

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Output = Literal["softmax", "relu_softmax"]


class LstmNetwork(KerasModel):
    """LSTM layers, the last of them pooled by attention or by its last state, and the output layer.

    Input [steps, features]; output probabilities [labels]. With [282, 15] and eight labels: 54,024 parameters
    (two layers of 64, last state), 21,346 (one layer of 64, attention).
    Source: "A Study on Speech Emotion Recognition using Neural Networks", models LSTM and LSTM with attention.
    """

    units: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 64)
    attention: bool = False
    output: Output = "softmax"

    def build(self, input_shape: Shape, labels: int) -> Any:
        from keras import Input, Model

        inputs = Input(input_shape)
        return Model(inputs, classify(lstm_pooled(inputs, self.units, self.attention), labels, self.output))


class RowConvolutions(KerasModel):
    """2-D convolutions over a sequence laid on one row [1, steps, features], each pooled, then dense layers.

    `kernel_height` 5 is as published (four of five kernel rows see padding only); 1 is the corrected form.
    Source: as `LstmNetwork`, model CNN: 3,073,064 parameters for [282, 15] and eight labels.
    """

    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 256, 128, 64)
    kernel: Count = 5
    kernel_height: Count = 5
    pool: Count = 5
    pool_stride: Count = 2
    dropout_after_pool: tuple[Rate, ...] = (0.0, 0.0, 0.2, 0.0)
    dense: tuple[Count, ...] = (256, 64, 32)
    dense_dropout: Rate = 0.3
    output: Output = "softmax"

    def shaped(self, inputs: Float32Array) -> Float32Array:
        """[n, steps, features] with the row axis in front of the steps."""
        return inputs[:, None] if inputs.ndim == 3 else inputs

    def build(self, input_shape: Shape, labels: int) -> Any:
        from keras import Input, Model, layers

        inputs = Input(input_shape)
        outputs = row_convolved(inputs, self)
        for units in self.dense:
            outputs = layers.Dense(units, activation="relu")(outputs)
        if self.dense_dropout:
            outputs = layers.Dropout(self.dense_dropout)(outputs)
        return Model(inputs, classify(outputs, labels, self.output))


class HybridNetwork(KerasModel):
    """Row convolutions beside an LSTM with attention, each ended by a Dense of `branch_units`; then dense layers.

    Source: as `LstmNetwork`, the hybrid model: 3,264,738 parameters for [282, 15] and eight labels. As published its
    output layer is ReLU before softmax (`output = "relu_softmax"`), which lets every logit die.
    """

    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 256, 128, 64)
    kernel: Count = 5
    kernel_height: Count = 5
    pool: Count = 5
    pool_stride: Count = 2
    dropout_after_pool: tuple[Rate, ...] = (0.1, 0.1, 0.1, 0.1)
    lstm_units: Count = 64
    branch_units: Count = 256
    dense: tuple[Count, ...] = (256, 128, 64)
    dense_dropout: Rate = 0.1
    output: Output = "softmax"

    def build(self, input_shape: Shape, labels: int) -> Any:
        from keras import Input, Model, layers

        inputs = Input(input_shape)
        row = layers.Reshape((1, *input_shape))(inputs)
        convolved = layers.Dense(self.branch_units, activation="relu")(row_convolved(row, self))
        pooled = lstm_pooled(inputs, (self.lstm_units,), attention=True)
        outputs = layers.Concatenate()([convolved, layers.Dense(self.branch_units, activation="relu")(pooled)])
        for units in self.dense:
            outputs = layers.Dense(units, activation="relu")(outputs)
            if self.dense_dropout:
                outputs = layers.Dropout(self.dense_dropout)(outputs)
        return Model(inputs, classify(outputs, labels, self.output))


def lstm_pooled(inputs: Any, units: tuple[int, ...], attention: bool) -> Any:
    """LSTM layers over [batch, steps, features], pooled to [batch, units[-1]]."""
    from keras import layers

    from pipelines.training.models.keras_layers import attention_pooling

    outputs = inputs
    for number, width in enumerate(units, start=1):
        outputs = layers.LSTM(width, return_sequences=attention or number < len(units))(outputs)
    return attention_pooling()(outputs) if attention else outputs


def row_convolved(inputs: Any, settings: "RowConvolutions | HybridNetwork") -> Any:
    """Convolutions with ReLU and pooling over [batch, 1, steps, features], flattened to [batch, n]."""
    from keras import layers

    outputs = inputs
    rates = settings.dropout_after_pool + (0.0,) * len(settings.filters)
    for filters, rate in zip(settings.filters, rates, strict=False):
        kernel = (settings.kernel_height, settings.kernel)
        outputs = layers.Conv2D(filters, kernel, padding="same", activation="relu")(outputs)
        outputs = layers.MaxPooling2D(settings.pool, strides=settings.pool_stride, padding="same")(outputs)
        if rate:
            outputs = layers.Dropout(rate)(outputs)
    return layers.Flatten()(outputs)


def classify(inputs: Any, labels: int, output: Output) -> Any:
    """Probabilities [batch, labels] of [batch, n]."""
    from keras import layers

    if output == "softmax":
        return layers.Dense(labels, activation="softmax", name="output")(inputs)
    return layers.Softmax()(layers.Dense(labels, activation="relu", name="output")(inputs))
