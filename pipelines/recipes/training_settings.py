"""How a model is fitted: optimiser, learning-rate schedule, stopping, which epoch is kept, weights of classes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.toml_config import StrictModel

#: What an epoch is judged by. Accuracies are better when larger, losses when smaller.
Monitor = Literal["loss", "accuracy", "val_loss", "val_accuracy"]


class ReduceOnPlateau(StrictModel):
    """Multiply the learning rate by `factor` when `monitor` has not improved for `patience` epochs."""

    monitor: Monitor = "loss"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.4
    patience: Annotated[int, Field(ge=1)] = 2
    min_learning_rate: Annotated[float, Field(gt=0)] = 1e-7


class EarlyStopping(StrictModel):
    """Stop when `monitor` has not improved for `patience` epochs."""

    monitor: Monitor = "val_loss"
    patience: Annotated[int, Field(ge=1)] = 10


class OptimizerSettings(StrictModel):
    """An optimiser of Keras. `decay` divides the learning rate by 1 + decay · batches done, as Keras 2 did."""

    name: Literal["adam", "sgd", "rmsprop"] = "adam"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decay: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.momentum and self.name == "adam":
            raise ValueError("adam takes no momentum: choose sgd or rmsprop, or leave it out")
        return self


class TrainingSettings(StrictModel):
    """How the model is fitted with categorical cross-entropy.

    `keep`: the epoch whose weights are used, the last or the best by a value; with early stopping the best by its
    monitor unless said otherwise. `class_weights`: "balanced" weighs each row by n / (labels · rows of its label).
    `sampling`: "oversample" draws rows of smaller classes again, up to the largest class, training rows only.
    `label_smoothing`: share of each target spread evenly over all labels.
    """

    epochs: Annotated[int, Field(ge=1, le=5000)] = 50
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    seed: Annotated[int, Field(ge=0)] = 0
    optimizer: OptimizerSettings = OptimizerSettings()
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    sampling: Literal["shuffle", "oversample"] = "shuffle"
    keep: Monitor | Literal["last"] | None = None
    reduce_on_plateau: ReduceOnPlateau | None = None
    early_stopping: EarlyStopping | None = None

    @property
    def kept_by(self) -> Monitor | Literal["last"]:
        """`keep` with its default."""
        if self.keep is not None:
            return self.keep
        return "last" if self.early_stopping is None else self.early_stopping.monitor
