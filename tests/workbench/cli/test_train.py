"""`workbench recipes`, `train` and `runs`: choice of data, dry run, one JSON document, refusals of one sentence."""

import json
import shutil
from pathlib import Path

import pytest

import pipelines.training
from pipelines.corpora import add
from pipelines.progress import Progress
from pipelines.study import create_study
from pipelines.training import Run, open_run
from pipelines.training.run import sealed
from tests.synthetic_corpora import ravdess, tess
from tests.workbench.command_line import call

ESTIMATE = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 8}
RUN_ID = "soap_five-20260504-101500-3f2a"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "here"
    monkeypatch.setenv("WORKBENCH_ROOT", str(here))
    add(here, "tess", tess(tmp_path / "a").folder)
    add(here, "ravdess", ravdess(tmp_path / "b").folder)
    return here


def sealed_run(folder: Path, plan_document: dict, run_id: str = RUN_ID) -> Run:
    """A run as training seals it, with invented numbers."""
    facts = {
        **plan_document,
        "run_id": run_id,
        "created": "2026-05-04T10:15:00+00:00",
        "recipe": {"name": "soap_five", "title": "Soap", "form": "corrected", "settings": {}},
        "seeds": [0],
        "metrics": {
            "accuracy": ESTIMATE,
            "macro_f1": ESTIMATE,
            "per_class": [{"label": "sad", "precision": ESTIMATE, "recall": ESTIMATE, "f1": ESTIMATE, "support": 8}],
            "chance": {"most_common": {"label": "sad", "accuracy": ESTIMATE}},
        },
        "ceiling": {"test": None, "all": None, "reason": "no raters"},
        "published": None,
    }
    with sealed(folder, run_id) as making:
        (making / "run.json").write_text(json.dumps(facts))
    return open_run(folder / run_id)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Calls of the core function, which is replaced: training itself is tested with the core."""
    calls: list[dict] = []

    def stand_in(recipe, data, **options):
        calls.append({"recipe": recipe, "data": data, **options})
        options["report"](Progress("train", 1, 1))
        plan = pipelines.training.make_plan(recipe, data, options["scheme"])
        return sealed_run(options["out"], plan.document())

    monkeypatch.setattr(pipelines.training, "train", stand_in)
    return calls


def test_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "recipes", "--json")
    found = {recipe["name"]: recipe for recipe in json.loads(out)["recipes"]}
    assert code == 0
    assert found["soap_five"]["form"] == "corrected" and found["soap_five"]["published_accuracy"] == 0.439
    assert found["soap_binary_as_published"]["view"] == "binary"
    code, out, _ = call(capsys, "recipes")
    assert code == 0 and "soap_binary: " in out and "published accuracy 70.9 %" in out


def test_a_dry_run_shows_parts_and_verdict_and_leaves_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "train", "soap_binary", "--corpus", "tess+ravdess", "--dry-run", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["dry_run"] is True and document["leak"]["found"] is False
    assert set(document["split"]["parts"]) == {"train", "valid", "test"}
    assert not (root / "data/_corpora").exists()
    code, out, _ = call(capsys, "train", "soap_five_as_published", "--corpus", "tess", "--dry-run")
    assert code == 0 and "LEAK: " in out and "Nothing was trained" in out


def test_training_on_corpora(root: Path, trained: list[dict], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(
        capsys, "train", "soap_binary", "--corpus", "tess+ravdess", "--seeds", 3, "--set", "epochs=4", "--json"
    )
    assert code == 0
    assert json.loads(out)["metrics"]["accuracy"] == ESTIMATE
    asked = trained[0]
    assert asked["recipe"].training.epochs == 4
    assert list(asked["seeds"]) == [0, 1, 2]
    assert [one.name for one in asked["data"]] == ["tess", "ravdess"]
    assert asked["out"] == root / "data/_corpora/runs" and asked["against"] is None


def test_runs_are_listed_and_shown(root: Path, trained: list[dict], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "runs", "list")
    assert code == 0 and "No runs yet" in out
    call(capsys, "train", "soap_binary", "--corpus", "tess+ravdess")
    code, out, _ = call(capsys, "runs", "list", "--json")
    assert code == 0 and [row["run_id"] for row in json.loads(out)["runs"]] == [RUN_ID]
    code, out, _ = call(capsys, "runs", "show", RUN_ID)
    assert code == 0
    assert "50.0 % (95 % interval 25.0 to 75.0)" in out and "No leak found" in out and "| Sad | 0.50 |" in out
    code, out, err = call(capsys, "runs", "show", RUN_ID[:-1] + "b")
    assert code == 2 and f"did you mean '{RUN_ID}'" in err
    folder = root / "data/_corpora/runs" / RUN_ID
    (folder / "run.json").chmod(0o644)
    (folder / "run.json").write_text((folder / "run.json").read_text() + " ")
    code, out, err = call(capsys, "runs", "show", RUN_ID)
    assert code == 2 and "was changed after the run was sealed" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("soap_fiv", "--corpus", "tess"), "unknown recipe 'soap_fiv'; did you mean 'soap_five'?"),
        (("soap_five", "--corpus", "tes"), "unknown corpus 'tes'; did you mean 'tess'?"),
        (("soap_five", "--corpus", "tess", "--release", "r1"), "give --release or --corpus, not both"),
        (("soap_five", "--corpus", "tess", "--set", "epoch=3"), "did you mean 'training.epochs'?"),
        (("soap_five", "--corpus", "tess", "--set", "epochs=0"), "'training.epochs'"),
        (("soap_five", "--corpus", "tess"), "at least 3 are needed"),
        (("soap_five", "--corpus", "tess+ravdess", "--set", "split.rule=random_rows", "--set", "split.settings={}"),
         "would test on what it trains on"),
        (("soap_five",), "there is no study here yet"),
        (("soap_five", "--release", "r1"), "there is no study here yet"),
    ],
)  # fmt: skip
def test_refused_before_any_work(
    arguments: tuple[str, ...], sentence: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "train", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err and err.count("\n") == 1
    assert not (root / "data/_corpora").exists()


def test_an_unknown_release_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = create_study("night", root=root)
    code, _, err = call(capsys, "train", "soap_five", "--release", "r9")
    assert code == 2 and "unknown release 'r9'" in err and "workbench release create" in err
    assert not study.runs.exists()


def test_a_corpus_that_moved_costs_the_spectrograms_only(root: Path, tmp_path: Path, capsys) -> None:
    from pipelines.schemes import load_scheme
    from workbench.cli.train import acted_corpus

    assert acted_corpus(root, load_scheme("five")).name == "tess"
    shutil.move(tmp_path / "a", tmp_path / "elsewhere")
    assert acted_corpus(root, load_scheme("five")) is None
    assert "no spectrograms beside 'tess'" in capsys.readouterr().err
