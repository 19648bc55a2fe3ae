"""Blocks of 1-D convolutions, then dense layers: the networks of four of the five published systems."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipelines.toml_config import StrictModel
from pipelines.training.models.keras_model import KerasModel, Shape
from pipelines.units import Float32Array

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Block(StrictModel):
    """Convolutions of one kernel size, each with ReLU, then dropout, pooling and dropout where they are asked for.

    `filters`: one convolution each. `batch_norm` stands between the last convolution and its ReLU. `pool_stride`
    defaults to `pool`.
    """

    filters: Annotated[tuple[Count, ...], Field(min_length=1)]
    kernel: Count = 5
    batch_norm: bool = False
    dropout_before_pool: Rate = 0.0
    pool: Count | None = None
    pool_stride: Count | None = None
    pool_padding: Literal["valid", "same"] = "valid"
    dropout: Rate = 0.0


class Conv1dBlocks(KerasModel):
    """`blocks` in their order, flatten, a Dense of each size in `dense` with ReLU and dropout, and the output layer.

    Input [n] (a vector, given one channel) or [steps, channels]; output probabilities [labels].
    `output`: "softmax", or "relu" as two of the published systems have it (a flaw: logits below zero are lost).
    Sources: RECIPES of the systems soap, emovo and reza; the transferred network is that of
    github.com/MiteshPuthran/Speech-Emotion-Analyzer.
    """

    blocks: Annotated[tuple[Block, ...], Field(min_length=1)] = (Block(filters=(64,), pool=4),)
    dense: tuple[Count, ...] = ()
    dense_dropout: Rate = 0.0
    output: Literal["softmax", "relu"] = "softmax"

    def shaped(self, inputs: Float32Array) -> Float32Array:
        """A vector per row gets the one channel that a convolution slides over; what has more axes stays."""
        return inputs[..., None] if inputs.ndim == 2 else inputs

    def build(self, input_shape: Shape, labels: int) -> Any:
        from keras import Input, Sequential, layers

        model = Sequential(name="conv1d_blocks")
        model.add(Input(input_shape))
        for number, block in enumerate(self.blocks, start=1):
            for layer in _block_layers(block, f"block{number}"):
                model.add(layer)
        model.add(layers.Flatten())
        for number, units in enumerate(self.dense, start=1):
            model.add(layers.Dense(units, activation="relu", name=f"dense{number}"))
            if self.dense_dropout:
                model.add(layers.Dropout(self.dense_dropout))
        model.add(layers.Dense(labels, activation=self.output, name="output"))
        return model


class SoapCnn(KerasModel):
    """Conv1D+ReLU and max pooling per entry of `filters`, dropout after the second pooling, one Dense, softmax.

    Input [162], as one channel [162, 1]; with the defaults 249,733 parameters for five labels and 249,634 for two.
    Source: "Taiwanese Soap Opera Speech Emotion Recognition" names three Conv1D and two Dense layers; their sizes are
    those of its public code family.
    """

    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 128, 64)
    kernel: Count = 5
    pool: Count = 5
    stride: Count = 2
    dropout: Rate = 0.2
    dense: Count = 32
    dense_dropout: Rate = 0.3

    def shaped(self, inputs: Float32Array) -> Float32Array:
        """As `Conv1dBlocks.shaped`."""
        return self._blocks().shaped(inputs)

    def build(self, input_shape: Shape, labels: int) -> Any:
        return self._blocks().build(input_shape, labels)

    def _blocks(self) -> Conv1dBlocks:
        blocks = [
            Block(
                filters=(filters,),
                kernel=self.kernel,
                pool=self.pool,
                pool_stride=self.stride,
                pool_padding="same",
                dropout=self.dropout if number == 1 else 0.0,
            )
            for number, filters in enumerate(self.filters)
        ]
        return Conv1dBlocks(blocks=tuple(blocks), dense=(self.dense,), dense_dropout=self.dense_dropout)


def _block_layers(block: Block, name: str) -> list[Any]:
    from keras import layers

    made: list[Any] = []
    for number, filters in enumerate(block.filters, start=1):
        made.append(layers.Conv1D(filters, block.kernel, padding="same", name=f"{name}_conv{number}"))
        if block.batch_norm and number == len(block.filters):
            made.append(layers.BatchNormalization(name=f"{name}_batch_norm"))
        made.append(layers.ReLU())
    if block.dropout_before_pool:
        made.append(layers.Dropout(block.dropout_before_pool))
    if block.pool is not None:
        made.append(layers.MaxPooling1D(block.pool, strides=block.pool_stride, padding=block.pool_padding))
    if block.dropout:
        made.append(layers.Dropout(block.dropout))
    return made
