"""From a recipe and labelled clips to a sealed Run."""

import hashlib
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import pipelines
from pipelines.atomic_write import write_json, write_text
from pipelines.errors import ConfigError
from pipelines.manifest import table_to_csv
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.recipes.recipe import Recipe
from pipelines.schema import LabelledClips
from pipelines.schemes import LabelScheme
from pipelines.statistics.human_ceiling import human_ceiling
from pipelines.training.dataset import Dataset, make_dataset
from pipelines.training.evaluation import figures, spectrogram_comparison
from pipelines.training.evaluation import report as words
from pipelines.training.evaluation.metrics import evaluate
from pipelines.training.fit import Fitted, fit
from pipelines.training.models.model import Model
from pipelines.training.plan import Plan, make_plan
from pipelines.training.run import FACTS, Run, new_run_id, open_run, sealed
from pipelines.units import LabelName

SCHEMA = 1
_LIBRARIES = ("numpy", "scipy", "librosa", "soxr", "av")


def train(
    recipe: Recipe,
    data: LabelledClips | Sequence[LabelledClips],
    *,
    out: Path,
    cache: Path,
    seeds: Sequence[int] | None = None,
    report: ProgressCallback = ignore_progress,
    against: LabelledClips | None = None,
    scheme: LabelScheme | None = None,
    workers: int = 2,
) -> Run:
    """Train `recipe` on `data` under each of `seeds` and seal the result as a new folder in `out`.

    `cache` keeps features by content. The split is the same for all seeds. `against`: an acted corpus to draw the
    spectrograms of this data beside. Refusals (see `make_plan`) come before TensorFlow is imported; Cancelled from
    `report` leaves nothing behind. Same recipe, data and seeds give the same predictions on the same machine.
    """
    plan = make_plan(recipe, data, scheme)
    seeds = tuple(seeds) if seeds is not None else (recipe.training.seed,)
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds must be one or more different numbers, not {list(seeds)}")
    began = time.monotonic()
    dataset = make_dataset(plan, cache, report, workers)
    run_id = new_run_id(recipe.name)
    with sealed(out, run_id) as folder:
        fitted = [fit(plan, dataset, seed, report, folder if seed == seeds[0] else None) for seed in seeds]
        facts = _facts(plan, dataset, fitted, run_id, time.monotonic() - began)
        facts["comparison"] = None
        if against is not None:
            facts["comparison"], note = spectrogram_comparison.beside(plan.data, against, folder / "comparison", report)
            facts["notes"] += note
        _write_tables(folder, plan, dataset, fitted, facts)
        _draw(folder, facts, fitted)
        write_json(folder / FACTS, facts)
        write_text(folder / "recipe.toml", recipe.to_toml())
        write_text(folder / "report.md", words.markdown(facts))
        report(Progress("seal", 1, 1, run_id))
    return open_run(out / run_id)


def _facts(plan: Plan, dataset: Dataset, fitted: Sequence[Fitted], run_id: str, seconds: float) -> dict[str, Any]:
    """run.json."""
    test = plan.of("test")
    predicted = np.stack([one.predicted for one in fitted])
    common = Counter(plan.rows[number].label for number in plan.of("train")).most_common(1)[0][0]
    planned = plan.document()
    recipe = plan.recipe
    metrics = evaluate(
        dataset.truth[test],
        predicted,
        [plan.rows[number].group_id for number in test],
        plan.labels,
        common=common,
    )
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": {
            "name": recipe.name,
            "title": recipe.title,
            "system": recipe.system,
            "form": recipe.form,
            "settings": recipe.document(),
        },
        "scheme": plan.scheme.model_dump(mode="json", by_alias=True),
        "data": {**planned["data"], "digest": _digest(plan), "labels_learnt": list(plan.labels)},
        "seeds": [one.seed for one in fitted],
        "split": planned["split"],
        "leak": planned["leak"],
        "metrics": metrics,
        "ceiling": _ceiling(plan, predicted),
        "published": None if recipe.published is None else recipe.published.model_dump(mode="json", exclude_none=True),
        "features": {
            "extractor": plan.extractor.name,
            "version": plan.extractor.version,
            "rate_hz": plan.extractor.rate_hz,
            "shape": list(plan.extractor.shape),
        },
        "training": {
            "model_file": plan.model.file_name,
            "parameters": fitted[0].parameters,
            "epochs": [len(one.history) for one in fitted],
            "epoch_kept": [one.kept_epoch for one in fitted],
            "seconds": round(seconds, 1),
        },
        "notes": list(plan.notes),
        "versions": _versions(plan.model),
    }


def _ceiling(plan: Plan, predicted: np.ndarray) -> dict[str, Any]:
    """Raters against each other on the test clips and on all clips, and the model by the same targets."""
    if not plan.votes:
        return {"test": None, "all": None, "reason": "these labels come without several raters' answers"}
    guesses: dict[str, list[LabelName]] = {}
    for column, number in enumerate(plan.of("test")):
        for seed in range(len(predicted)):
            guesses.setdefault(plan.rows[number].clip_id, []).append(plan.labels[predicted[seed, column]])
    votes = [vote for vote in plan.votes if vote.label in plan.mapping]
    groups = {clip_id: clip.clip.group_id for clip_id, clip in plan.clips.items()}
    return {
        "test": human_ceiling(votes, list(guesses), plan.mapping, groups, predictions=guesses).document(),
        "all": human_ceiling(votes, list(plan.clips), plan.mapping, groups).document(),
    }


def _write_tables(
    folder: Path, plan: Plan, dataset: Dataset, fitted: Sequence[Fitted], facts: Mapping[str, Any]
) -> None:
    write_text(
        folder / "split.csv",
        table_to_csv(
            ("clip_id", "copy", "group_id", "label", "part"),
            [
                {"clip_id": row.clip_id, "copy": row.copy, "group_id": row.group_id, "label": row.label, "part": part}
                for row, part in zip(plan.rows, plan.parts, strict=True)
            ],
        ),
    )
    names = list(dict.fromkeys(name for one in fitted for epoch in one.history for name in epoch))
    write_text(
        folder / "history.csv",
        table_to_csv(("seed", *names), [{"seed": one.seed, **epoch} for one in fitted for epoch in one.history]),
    )
    shares = [f"p_{label}" for label in plan.labels]
    write_text(
        folder / "predictions.csv",
        table_to_csv(
            ("seed", "clip_id", "copy", "group_id", "label", "predicted", "correct", *shares),
            [
                _prediction(plan, one.seed, number, plan.labels[code], dict(zip(shares, probabilities, strict=True)))
                for one in fitted
                for number, code, probabilities in zip(
                    plan.of("test"), one.predicted, one.probabilities.tolist(), strict=True
                )
            ],
        ),
    )
    confusion = facts["metrics"]["confusion"]
    write_text(
        folder / "confusion.csv",
        table_to_csv(
            ("true", *confusion["labels"]),
            [
                {"true": label, **dict(zip(confusion["labels"], counts, strict=True))}
                for label, counts in zip(confusion["labels"], confusion["counts"], strict=True)
            ],
        ),
    )
    write_json(
        folder / "preprocessing.json",
        {
            "extractor": plan.extractor.name,
            "version": plan.extractor.version,
            "scaler": dataset.scaler.document(),
            "labels": list(plan.labels),
        },
    )


def _prediction(
    plan: Plan, seed: int, number: int, predicted: LabelName, shares: Mapping[str, float]
) -> dict[str, object]:
    row = plan.rows[number]
    return {
        "seed": seed,
        "clip_id": row.clip_id,
        "copy": row.copy,
        "group_id": row.group_id,
        "label": row.label,
        "predicted": predicted,
        "correct": predicted == row.label,
        **shares,
    }


def _draw(folder: Path, facts: Mapping[str, Any], fitted: Sequence[Fitted]) -> None:
    metrics, ceiling = facts["metrics"], facts["ceiling"]["test"]
    n = facts["split"]["parts"]["test"]["rows"]
    leak = "  ·  LEAK: test clips known to training" if facts["leak"]["found"] else ""
    times = f" × {len(fitted)} seeds" if len(fitted) > 1 else ""
    title = f"{facts['recipe']['name']} on {facts['data']['name']}, n = {n} test rows{times}{leak}"
    figures.draw_curves(
        {one.seed: one.history for one in fitted},
        {one.seed: one.kept_epoch for one in fitted},
        folder / "figures" / "curves.png",
        title=title,
        valid_name="validation" if facts["split"]["validation"] == "its own part" else "test (as published)",
        chance=metrics["chance"]["most_common"]["accuracy"]["value"],
        ceiling=None if ceiling is None else ceiling["rater"]["value"],
    )
    figures.draw_confusion(metrics["confusion"], folder / "figures" / "confusion.png", title=title)


def _digest(plan: Plan) -> str:
    """SHA-256 over what was learnt from: id, group, sound and label of every clip."""
    lines = [
        f"{clip_id},{clip.clip.group_id},{clip.clip.pcm_sha256},{plan.mapping[clip.label]}\n"
        for clip_id, clip in sorted(plan.clips.items())
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _versions(model: Model) -> dict[str, str]:
    """Of this package (its number, and a digest of its source files), the interpreter and what computes."""
    source = hashlib.sha256()
    for file in sorted(Path(str(files(pipelines))).rglob("*.py")):
        source.update(file.read_bytes())
    return {
        "pipelines": pipelines.__version__,
        "source": source.hexdigest()[:12],
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        **model.versions(),
        **{name: version(name) for name in _LIBRARIES},
    }
