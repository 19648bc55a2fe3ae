"""Training end to end on synthetic voices: what a Run holds, that it repeats, and what a leak is worth."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from pipelines.errors import DataError, UnknownName
from pipelines.recipes.recipe import Recipe, load_recipe, recipe_names
from pipelines.toml_config import load
from pipelines.training import open_run, runs
from pipelines.training.run import RUN_ID, run_ids

pytestmark = pytest.mark.timeout(900)  # all of it waits for one process that trains

FILES = {
    "run.json",
    "recipe.toml",
    "report.md",
    "split.csv",
    "history.csv",
    "predictions.csv",
    "confusion.csv",
    "preprocessing.json",
    "model.keras",
    "SHA256SUMS",
    "figures/curves.png",
    "figures/curves.svg",
    "figures/confusion.png",
    "figures/confusion.svg",
}


def test_a_run_is_whole_and_sealed(trained):
    for run in runs(trained.folder / "runs"):
        files = {str(file.relative_to(run.folder)) for file in run.folder.rglob("*") if file.is_file()}
        assert {file for file in files if not file.startswith("comparison/")} == FILES
        assert RUN_ID.fullmatch(run.run_id)
        run.verify()
        assert all(file.stat().st_mode & 0o222 == 0 for file in run.folder.rglob("*") if file.is_file())
    assert not list((trained.folder / "runs").glob(".*"))


def test_a_changed_file_is_noticed(trained, tmp_path):
    import shutil

    copy = tmp_path / trained.known["binary"]
    shutil.copytree(trained.run("binary").folder, copy)
    (copy / "history.csv").chmod(0o644)
    (copy / "history.csv").write_text("epoch\n")
    with pytest.raises(DataError, match=r"history\.csv was changed after the run was sealed"):
        open_run(copy).verify()
    (copy / "history.csv").unlink()
    with pytest.raises(DataError, match=r"history\.csv is gone"):
        open_run(copy).verify()


def test_nothing_reaches_the_terminal(trained):
    assert trained.noise == ""


def test_separable_voices_are_told_apart_in_episodes_never_heard(trained):
    run = trained.run("corrected")
    assert run.metrics["accuracy"]["value"] >= 0.8
    assert run.facts["seeds"] == [0, 1] and len(run.metrics["seeds"]["accuracy"]) == 2
    assert run.metrics["chance"]["uniform"] == 0.2


def test_the_same_seed_gives_the_same_predictions_and_curves(trained):
    both, again = trained.run("corrected"), trained.run("again")
    for name in ("predictions", "history"):
        first = [row for row in both.table(name) if row["seed"] == "0"]
        assert first == again.table(name)
    assert both.facts["data"]["digest"] == again.facts["data"]["digest"]
    second = [row for row in both.table("history") if row["seed"] == "1"]
    assert second[0]["loss"] != first[0]["loss"]


def test_only_training_rows_are_copies_and_no_episode_is_on_two_sides(trained):
    rows = trained.run("corrected").table("split")
    part_of = {}
    for row in rows:
        part_of.setdefault(row["group_id"], set()).add(row["part"])
        assert row["part"] == "train" or row["copy"] == "clean"
    assert all(len(parts) == 1 for parts in part_of.values())
    counts = Counter((row["part"], row["copy"]) for row in rows)
    assert counts["train", "noise"] == counts["train", "shift+noise"] == counts["train", "clean"] == 20
    assert trained.run("corrected").leak["found"] is False


def test_a_leak_is_worth_what_it_hides(trained):
    """Labels drawn at random cannot be learnt: what is above chance was remembered from copies."""
    leaky, fair = trained.run("noise_as_published"), trained.run("noise_corrected")
    assert leaky.metrics["accuracy"]["value"] > 0.5
    assert fair.metrics["accuracy"]["value"] < 0.45
    assert leaky.leak["found"] and leaky.leak["test_rows_with_copy_in_training"] >= 0.95 * leaky.leak["test_rows"]
    assert leaky.leak["clips_shared"] == leaky.leak["test_clips"]
    sentence = leaky.leak["sentence"]
    assert sentence.startswith("LEAK") and f"**{sentence}**" in leaky.report
    assert leaky.report.index("LEAK") < leaky.report.index(" % (95 % interval")
    sides = {}
    for row in leaky.table("split"):
        sides.setdefault(row["clip_id"], set()).add(row["part"])
    assert sum(parts == {"train", "test"} for parts in sides.values()) > len(sides) / 2


def test_confusion_and_metrics_follow_from_the_predictions(trained):
    for name in ("corrected", "noise_as_published", "binary"):
        run = trained.run(name)
        labels = run.metrics["confusion"]["labels"]
        counts = np.zeros((len(labels), len(labels)), dtype=int)
        for row in run.table("predictions"):
            counts[labels.index(row["label"]), labels.index(row["predicted"])] += 1
            shares = [float(row[f"p_{label}"]) for label in labels]
            assert labels[int(np.argmax(shares))] == row["predicted"]
            assert sum(shares) == pytest.approx(1, abs=1e-4)
            assert (row["correct"] == "true") == (row["label"] == row["predicted"])
        assert counts.tolist() == run.metrics["confusion"]["counts"]
        printed = [[int(row[label]) for label in labels] for row in run.table("confusion")]
        assert printed == counts.tolist()
        assert np.trace(counts) / counts.sum() == pytest.approx(run.metrics["accuracy"]["value"])
        assert {row["clip_id"] for row in run.table("predictions")} == {
            row["clip_id"] for row in run.table("split") if row["part"] == "test"
        }


def test_the_ceiling_is_measured_on_the_test_clips(trained):
    ceiling = trained.run("corrected").facts["ceiling"]
    assert ceiling["test"]["clips"] == 5 and ceiling["test"]["targets"] == 15
    assert ceiling["all"]["clips"] == 30
    assert 0.5 < ceiling["all"]["rater"]["value"] < 1
    assert ceiling["test"]["model"]["n"] == ceiling["test"]["rater"]["n"] == 15
    assert "1/k" in ceiling["test"]["rule"]


def test_binary_learns_the_collapse(trained):
    run = trained.run("binary")
    assert run.facts["data"]["labels"] == {"neutral": 12, "intense": 18}
    assert [row["label"] for row in run.metrics["per_class"]] == ["neutral", "intense"]
    assert "| Neutral | " in run.report and "[0.75]" in run.report


def test_spectrograms_stand_beside_those_of_an_acted_corpus(trained):
    run = trained.run("binary")
    told = run.facts["comparison"]
    assert told["corpora"] == ["made", "acted"] and told["emotions"] == ["neutral"], "the acted set has no fearful clip"
    drawn = [figure for figure in run.figures if figure.parent.name == "comparison"]
    assert len(drawn) >= 2
    assert {(run.folder / name) for name in told["figures"]} == set(drawn)
    assert trained.run("corrected").facts["comparison"] is None


def test_a_run_carries_what_repeating_it_needs(trained):
    run = trained.run("noise_corrected")
    recipe = load(Recipe, run.folder / "recipe.toml")
    assert recipe.training.epochs == 6 and recipe.model.settings["filters"] == [16, 16, 16]
    facts = run.facts
    assert facts["data"]["origin"]["digest"] == "d" and len(facts["data"]["digest"]) == 64
    assert {"tensorflow", "keras", "numpy", "librosa", "python", "pipelines", "source"} <= facts["versions"].keys()
    assert facts["training"]["epoch_kept"][0] <= facts["training"]["epochs"][0] <= 6
    preprocessing = json.loads((run.folder / "preprocessing.json").read_text())
    assert len(preprocessing["scaler"]["mean"]) == 162 and preprocessing["labels"] == facts["data"]["labels_learnt"]
    with (run.folder / "history.csv").open() as file:
        assert {"seed", "epoch", "loss", "accuracy", "val_loss", "val_accuracy"} <= set(next(csv.reader(file)))


def test_early_stopping_keeps_the_epoch_of_least_validation_loss(trained):
    run = trained.run("noise_corrected")
    losses = [float(row["val_loss"]) for row in run.table("history")]
    assert run.facts["training"]["epoch_kept"][0] == int(np.argmin(losses)) + 1


def test_the_report_says_what_a_reader_must_know(trained):
    run = trained.run("corrected")
    report = run.report
    assert report.splitlines()[4] == run.leak["sentence"]
    assert "only 1 test episode here" in report
    assert "Mean of 2 seeds" in report and "One seed (0) only" in trained.run("again").report
    assert "does not rule out that the same actor speaks in two of them" in report
    assert "table 3" in report and "accuracy 43.9 %" in report
    assert "always saying" in report and "None" not in report


def test_progress_is_told_by_epoch_with_numbers(trained):
    steps = trained.known["steps"]
    epochs = [
        (done, numbers)
        for stage, done, total, item, numbers in steps
        if stage == "train" and item == "seed 1" and total == 8
    ]
    assert [done for done, _ in epochs] == sorted(done for done, _ in epochs)
    whole = [numbers for done, numbers in epochs if done == int(done)]
    assert len(whole) == 8
    assert all({"epoch", "loss", "accuracy", "val_loss", "val_accuracy"} <= numbers.keys() for numbers in whole)
    assert {stage for stage, *_ in steps} >= {"features", "train"}


def test_a_cancel_leaves_nothing(trained):
    assert trained.known["cancelled"] == "stopped by the test"
    assert list((trained.folder / "cancelled").iterdir()) == []


@pytest.mark.parametrize("name", recipe_names())
def test_parameter_counts_are_exact(trained, name):
    stated = [example.parameters for example in load_recipe(name).example if example.parameters]
    assert stated, "a recipe states the size of its model"
    assert trained.known["parameters"][name] == stated
    if name.startswith("soap"):
        assert stated == [249_634 if "binary" in name else 249_733]


def test_an_unknown_run_suggests_the_nearest(trained):
    given = trained.known["binary"][:-1] + "z"
    with pytest.raises(UnknownName, match=re.escape(f"did you mean '{trained.known['binary']}'")):
        open_run(trained.folder / "runs" / given)


def test_runs_are_listed_oldest_first(trained):
    ids = run_ids(trained.folder / "runs")
    assert [run_id[-20:-5] for run_id in ids] == sorted(run_id[-20:-5] for run_id in ids)
    assert set(ids) == {
        trained.known[name] for name in ("corrected", "again", "binary", "noise_as_published", "noise_corrected")
    }


def test_planning_imports_no_tensorflow():
    code = (
        "import sys; from pipelines import training; from pipelines.recipes.recipe import load_recipe\n"
        "from tests.pipelines.training.synthetic_clips import labelled\n"
        "training.make_plan(load_recipe('soap_five'), labelled(None)).document()\n"
        "assert not {'tensorflow', 'keras', 'matplotlib', 'pandas', 'sklearn'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
