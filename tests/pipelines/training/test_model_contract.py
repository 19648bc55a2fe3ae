"""One suite over every model: it learns, predicts shares, repeats, and loads as it was saved. And one without Keras."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pipelines.recipe import TrainingSettings, load_recipe
from pipelines.strict import Strict
from pipelines.training import MODELS, models, open_run, train
from pipelines.training.learner import Learnt, Rows
from tests.pipelines.training.made import labelled

SETTINGS = TrainingSettings(epochs=12, batch_size=8, learning_rate=0.01)
LABELS = 3


def rows(seed: int, n: int = 30, features: int = 20) -> Rows:
    """Rows whose label is the third of the features that stands out."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(LABELS, size=n)
    inputs = rng.normal(0, 0.3, (n, features)).astype(np.float32)
    inputs[np.arange(n), truth * 6] += 3
    return Rows(inputs, truth)


def account(name: str, folder: Path) -> dict[str, Any]:
    """What a model does under the contract, for JSON."""
    model = models.model(name, {})
    told: list[float] = []
    one, again = (model.fit(rows(1), rows(2), LABELS, SETTINGS, 7, lambda done, _: told.append(done)) for _ in "ab")
    test = rows(3)
    shares = one.predict(test.inputs)
    file = folder / model.file_name
    one.save(file)
    return {
        "shares": np.asarray(shares).tolist(),
        "again": np.asarray(again.predict(test.inputs)).tolist(),
        "loaded": np.asarray(model.load(file)(test.inputs)).tolist(),
        "dtype": str(shares.dtype),
        "truth": test.truth.tolist(),
        "history": list(one.history),
        "kept": one.kept_epoch,
        "parameters": one.parameters,
        "told": told,
        "versions": dict(model.versions()),
    }


@pytest.mark.parametrize("name", MODELS)
def test_every_model_keeps_the_contract(name: str, tmp_path: Path) -> None:
    """In a process of its own, since no test process imports TensorFlow."""
    code = (
        "import json, sys; from pathlib import Path\n"
        "from tests.pipelines.training.test_model_contract import account\n"
        "Path(sys.argv[2], 'told.json').write_text(json.dumps(account(sys.argv[1], Path(sys.argv[2]))))"
    )
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, name, str(tmp_path)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    check(json.loads((tmp_path / "told.json").read_text()))


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


class Centroids(Strict):
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
    monkeypatch.setattr(models, "MODELS", {"centroids": Centroids})
    check(account("centroids", tmp_path))
    recipe = load_recipe("soap_five", ["model.name=centroids", "model.settings={}", "augmentation.copies=[]"])
    made = train(recipe, labelled(tmp_path / "audio", seconds=0.3), out=tmp_path / "runs", cache=tmp_path / "cache")
    run = open_run(made.folder)
    run.verify()
    assert run.model_file.name == "centroids.json" and run.model_file.is_file()
    assert run.facts["versions"]["centroids"] == "1" and "tensorflow" not in run.facts["versions"]
    assert run.scheme.name == "five" and run.scheme.label_names == tuple(run.metrics["confusion"]["labels"])
