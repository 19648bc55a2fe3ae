"""Trains in a process of its own, since TensorFlow must not be imported into the test process. Arguments: folder."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from pipelines.errors import Cancelled
from pipelines.progress import Progress
from pipelines.recipes.recipe import load_recipe, recipe_names
from pipelines.training import train
from pipelines.training.models import tensorflow_backend
from pipelines.training.models.registry import MODELS, model
from tests.pipelines.training.model_contract import account
from tests.pipelines.training.models.published_parameters import counted
from tests.pipelines.training.synthetic_clips import labelled

#: Copies without a phase vocoder, which takes seconds to load and is tested with the augmentation itself.
SMALL = [
    "model.settings.filters=[16, 16, 16]",
    "training.learning_rate=0.005",
    "training.batch_size=16",
    "augmentation.copies=['noise', 'shift', 'noise+shift', 'shift+noise']",
]
NO_DROPOUT = ["model.settings.dropout=0.0", "model.settings.dense_dropout=0.0"]


def main(folder: Path) -> None:
    data = labelled(folder / "audio")
    noise = labelled(folder / "noise", noise_labels=True, groups=8)
    without_fear = tuple(clip for clip in data.clips if clip.label != "fearful")
    against = replace(data, name="acted", clips=without_fear, votes=(), group_word="speaker")
    steps: list[Progress] = []

    def run(recipe, on, *overrides, **more):
        chosen = load_recipe(recipe, [*SMALL, *overrides])
        return train(chosen, on, out=folder / "runs", cache=folder / "cache", workers=1, **more).run_id

    known = {
        "corrected": run("soap_five", data, "epochs=8", seeds=[0, 1], report=steps.append),
        "again": run("soap_five", data, "epochs=8"),
        "binary": run("soap_binary", data, "epochs=1", against=against),
        "noise_as_published": run("soap_five_as_published", noise, "epochs=20", *NO_DROPOUT),
        "noise_corrected": run("soap_five", noise, "epochs=6", *NO_DROPOUT),
        "steps": [[step.stage, step.done, step.total, step.item, step.numbers] for step in steps],
        "cancelled": cancel(data, folder),
        "parameters": parameters(),
        "published_parameters": counted(),
        "contract": {name: account(name, folder) for name in MODELS},
    }
    (folder / "known.json").write_text(json.dumps(known))


def cancel(data, folder: Path) -> str:
    """Stop in the middle of the second epoch."""

    def stop(progress: Progress) -> None:
        if progress.stage == "train" and progress.done > 1:
            raise Cancelled("stopped by the test")

    try:
        train(load_recipe("soap_five", SMALL), data, out=folder / "cancelled", cache=folder / "cache", report=stop)
    except Cancelled as stopped:
        return str(stopped)
    return "was not stopped"


def parameters() -> dict[str, list[int]]:
    """recipe name → parameters of its model for every example that states them."""
    tensorflow_backend.start(0)
    found = {}
    for name in recipe_names():
        recipe = load_recipe(name)
        built = model(recipe.model.name, recipe.model.settings)
        found[name] = [
            built.build((162, 1), example.labels).count_params() for example in recipe.example if example.parameters
        ]
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
