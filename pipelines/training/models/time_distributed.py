"""2-D convolution blocks over each window of a framed spectrogram, then LSTM layers over the windows."""

from typing import Annotated, Any

from pydantic import Field

from pipelines.training.models.keras_model import KerasModel, Shape

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class TimeDistributedLstm(KerasModel):
    """Conv2D 3x3, batch normalisation, ELU, max pooling 3x3 and dropout per entry of `filters`; LSTM layers; softmax.

    Input [windows, mel bands, frames, 1]; output probabilities [labels]. Kernel 3, pool 3 with stride 3, both padded.
    Source: "Emotions Classification from Speech with Deep Learning", MODEL-1 to MODEL-5: 4,036,933; 4,036,933;
    4,168,517; 2,211,909; 656,069 parameters for windows of 128 x 64 and five labels.
    """

    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 64)
    lstm_units: Annotated[tuple[Count, ...], Field(min_length=1)] = (128,)
    bidirectional: bool = False
    dropout: Rate = 0.3

    def build(self, input_shape: Shape, labels: int) -> Any:
        from keras import Input, Sequential, layers

        model = Sequential([Input(input_shape)], name="time_distributed_lstm")
        for filters in self.filters:
            for layer in (
                layers.Conv2D(filters, 3, padding="same"),
                layers.BatchNormalization(),
                layers.ELU(),
                layers.MaxPooling2D(3, strides=3, padding="same"),
                layers.Dropout(self.dropout),
            ):
                model.add(layers.TimeDistributed(layer))
        model.add(layers.TimeDistributed(layers.Flatten()))
        for number, units in enumerate(self.lstm_units, start=1):
            lstm = layers.LSTM(units, return_sequences=number < len(self.lstm_units))
            model.add(layers.Bidirectional(lstm) if self.bidirectional else lstm)
        model.add(layers.Dense(labels, activation="softmax", name="output"))
        return model
