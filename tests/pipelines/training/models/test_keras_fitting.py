"""Settings of a training mean what they say, where no TensorFlow is needed to see it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ConfigError
from pipelines.recipes.training_settings import TrainingSettings
from pipelines.toml_config import parse
from pipelines.training.models.keras_fitting import is_better, row_weights, sampled_rows

truths = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(lambda values: np.array(values, dtype=np.int64))


@given(truths)
def test_balanced_weights_give_every_class_the_same_say(truth):
    weights = row_weights(truth, 4, TrainingSettings(class_weights="balanced"))
    assert weights is not None and weights.mean() == pytest.approx(1, abs=1e-5)
    sums = [weights[truth == label].sum() for label in np.unique(truth)]
    assert np.allclose(sums, sums[0], rtol=1e-4)
    assert row_weights(truth, 4, TrainingSettings()) is None


@given(truths, st.integers(0, 5))
def test_oversampling_makes_classes_equal_and_loses_no_row(truth, seed):
    rows = sampled_rows(truth, TrainingSettings(sampling="oversample"), seed)
    assert set(rows) == set(range(len(truth)))
    counts = np.bincount(truth[rows])
    assert len({count for count in counts if count}) == 1
    np.testing.assert_array_equal(rows, sampled_rows(truth, TrainingSettings(sampling="oversample"), seed))
    np.testing.assert_array_equal(sampled_rows(truth, TrainingSettings(), seed), np.arange(len(truth)))


def test_the_kept_epoch_is_the_last_or_the_best_by_what_stops():
    assert TrainingSettings().kept_by == "last"
    stopping = {"early_stopping": {"monitor": "val_accuracy"}}
    assert parse(TrainingSettings, stopping, "r").kept_by == "val_accuracy"
    assert parse(TrainingSettings, {**stopping, "keep": "last"}, "r").kept_by == "last"


def test_accuracies_rise_losses_fall_and_nan_never_wins():
    assert is_better("val_loss", 0.4, 0.5) and not is_better("val_loss", 0.6, 0.5)
    assert is_better("val_accuracy", 0.6, 0.5) and not is_better("val_accuracy", 0.4, 0.5)
    assert is_better("loss", 3.0, None) and not is_better("loss", float("nan"), None)


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match="adam takes no momentum"):
        parse(TrainingSettings, {"optimizer": {"name": "adam", "momentum": 0.9}}, "recipe")
