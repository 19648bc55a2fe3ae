"""One suite over every model: it learns, predicts shares, repeats, and loads as it was saved. And one without Keras."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pipelines.recipes.recipe import load_recipe
from pipelines.toml_config import StrictModel
from pipelines.training import MODELS, open_run, train
from pipelines.training.models import registry
from pipelines.training.models.model import Learnt, Rows
from tests.pipelines.training.conftest import Trained
from tests.pipelines.training.model_contract import LABELS, account
from tests.pipelines.training.models.published_parameters import PUBLISHED
from tests.pipelines.training.synthetic_clips import labelled


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_keeps_the_contract(name: str, trained: Trained) -> None:
    """Told by a process of its own, since no test process imports TensorFlow."""
    check(trained.known["contract"][name])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", PUBLISHED)
def test_layers_have_as_many_parameters_as_published(case: str, trained: Trained) -> None:
    assert trained.known["published_parameters"][case] == PUBLISHED[case][-1]


def check(told: dict[str, Any]) -> None:
    shares = np.array(told["shares"])
    assert shares.shape == (30, LABELS) and told["dtype"] == "float32"
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5) and (shares >= 0).all()
    assert (shares.argmax(axis=1) == told["truth"]).mean() > 0.8, "it does not learn what is easy"
    assert told["again"] == told["shares"], "the same seed gives other predictions"
    assert np.allclose(told["loaded"], shares, atol=1e-6), "what was saved is not what was learnt"
    assert [row["epoch"] for row in told["history"]] == list(range(1, len(told["history"]) + 1))
    assert all({"loss", "accuracy", "val_loss", "val_accuracy"} <= row.keys() for row in told["history"])
    assert 1 <= told["kept"] <= len(told["history"]) and told["parameters"] > 0
    assert told["told"] and told["versions"]


class Centroids(StrictModel):
    """Nearest class mean: a model of numpy alone."""

    file_name: ClassVar[str] = "centroids.json"

    def fit(self, train: Rows, valid: Rows, labels: int, settings: Any, seed: int, tell: Any) -> Learnt:
        del settings, seed
        means = np.stack([train.inputs[train.truth == label].mean(axis=0) for label in range(labels)])
        predict = self._predicting(means)

        def right(part: Rows) -> float:
            return float((predict(part.inputs).argmax(axis=1) == part.truth).mean())

        row = {"epoch": 1, "loss": 0.0, "accuracy": right(train), "val_loss": 0.0, "val_accuracy": right(valid)}
        tell(1, row)
        return Learnt((row,), 1, means.size, predict, lambda file: file.write_text(json.dumps(means.tolist())))

    def load(self, file: Path) -> Any:
        return self._predicting(np.array(json.loads(file.read_text()), dtype=np.float32))

    def versions(self) -> dict[str, str]:
        return {"centroids": "1"}

    def _predicting(self, means: np.ndarray) -> Any:
        def predict(inputs: np.ndarray) -> np.ndarray:
            near = np.exp(-((inputs[:, None] - means) ** 2).mean(axis=2).astype(np.float64))
            return (near / near.sum(axis=1, keepdims=True)).astype(np.float32)

        return predict


def test_a_model_without_keras_trains_to_a_sealed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MODELS", {"centroids": Centroids})
    check(account("centroids", tmp_path))
    recipe = load_recipe("soap_five", ["model.name=centroids", "model.settings={}", "augmentation.copies=[]"])
    made = train(recipe, labelled(tmp_path / "audio", seconds=0.3), out=tmp_path / "runs", cache=tmp_path / "cache")
    run = open_run(made.folder)
    run.verify()
    assert run.model_file.name == "centroids.json" and run.model_file.is_file()
    assert run.facts["versions"]["centroids"] == "1" and "tensorflow" not in run.facts["versions"]
    assert run.scheme.name == "five" and run.scheme.label_names == tuple(run.metrics["confusion"]["labels"])
