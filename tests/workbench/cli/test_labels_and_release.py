"""The commands for labels and releases: one document, one sentence, and the exit code that is meant."""

import csv
import io
import json
import re

import pytest

from tests.workbench.command_line import call
from tests.workbench.silent_study import study_with_clips
from workbench.labels.queue import items


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    return study_with_clips(tmp_path, 12)


def told(capsys, *arguments):
    code, out, err = call(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def answers(study, tmp_path):
    rows = [
        f"{clip_id},{rater},{study.scheme.label_names[(n + (rater == 'cat' and n % 4 == 0)) % 5]}"
        for n, clip_id in enumerate(items(study).clip_ids)
        for rater in ("ann", "ben", "cat")
    ]
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(["clip_id,rater,label", *rows]) + "\n", encoding="utf-8")
    return path


def test_labels_in_and_out(capsys, answers, tmp_path):
    first = told(capsys, "labels", "import", answers)
    assert (first["rows"], first["added"], first["raters"]) == (36, 36, ["ann", "ben", "cat"])
    assert told(capsys, "labels", "import", answers)["already_there"] == 36
    out = tmp_path / "out.csv"
    assert told(capsys, "labels", "export", "--out", out) == {
        "ok": True, "study": "night", "rows": 36, "file": str(out),
    }  # fmt: skip
    code, text, _ = call(capsys, "labels", "export")
    assert code == 0 and text == out.read_text()
    assert len(list(csv.DictReader(io.StringIO(text)))) == 36
    assert len(told(capsys, "labels", "export")["annotations"]) == 36


def test_a_wrong_table_is_refused(capsys, study, answers):
    answers.write_text(answers.read_text().replace("happy", "hapy", 1))
    code, out, err = call(capsys, "labels", "import", answers)
    assert (code, out) == (2, "")
    assert "row 1, column 'label': unknown label 'hapy'; did you mean 'happy'?" in err
    assert call(capsys, "labels", "import", answers, "--kind", "persn")[0] == 2


def test_simulated_labels_say_so(capsys, study):
    document = told(capsys, "labels", "simulate", "--errors", "0.1,0.2")
    assert (document["simulated"], document["raters"], document["annotations"]) == (
        True,
        ["simulated-1", "simulated-2"],
        24,
    )
    assert "simulated" in call(capsys, "labels", "simulate")[1]
    assert "Simulated raters are among these" in call(capsys, "agreement")[1]
    assert call(capsys, "labels", "simulate", "--errors", "much")[0] == 2


def test_truth_from_a_table(capsys, study, tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text(f"clip_id,label\n{items(study).clip_ids[0]},angry\n", encoding="utf-8")
    assert told(capsys, "labels", "simulate", "--truth", path, "--errors", "0")["annotations"] == 1
    assert told(capsys, "labels", "export")["annotations"][0]["label"] == "angry"


def test_a_release_from_cut_to_export(capsys, answers, tmp_path):
    call(capsys, "labels", "import", answers)
    made = told(capsys, "release", "create", "r1")
    assert (made["name"], made["rule"], made["counts"]["clips"]) == ("r1", "majority", 12)
    assert {"value", "low", "high", "n"} <= set(made["human_ceiling"]["five"]["rater"])
    assert re.fullmatch("[0-9a-f]{64}", made["digest"])
    told(capsys, "release", "create", "r2", "--rule", "soft")
    assert [each["name"] for each in told(capsys, "release", "list")["releases"]] == ["r1", "r2"]
    assert told(capsys, "release", "verify", "r1") == {"ok": True, "release": "r1", "problems": [], "withdrawn": []}
    assert told(capsys, "release", "diff", "r1", "r2")["same"] == 12
    files = told(capsys, "release", "export", "r1", "--format", "datapackage", "--out", tmp_path / "out")["files"]
    assert [path.rsplit("/", 1)[1] for path in files] == [
        "README.md", "annotations.csv", "clips.csv", "datapackage.json", "labels.csv", "soft_labels.csv",
    ]  # fmt: skip


def test_what_people_read(capsys, answers, tmp_path):
    assert "No release of study 'night' yet" in call(capsys, "release", "list")[1]
    call(capsys, "labels", "import", answers)
    text = call(capsys, "release", "create", "r1")[1]
    assert "12 labelled clips" in text and "Krippendorff's alpha 0.79" in text
    assert call(capsys, "release", "verify", "r1")[1] == "Release 'r1' is as it was made.\n"
    assert "0 clips added" in call(capsys, "release", "diff", "r1", "r1")[1]


def test_a_broken_release_ends_with_1(capsys, study, answers):
    call(capsys, "labels", "import", answers)
    call(capsys, "release", "create", "r1")
    (study.releases / "r1" / "labels.csv").write_text("clip_id,label\n")
    code, out, _ = call(capsys, "release", "verify", "r1", "--json")
    assert code == 1
    assert json.loads(out)["ok"] is False and "labels.csv" in json.loads(out)["problems"][0]
    assert "CHANGED: labels.csv does not match" in call(capsys, "release", "list")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("release", "create", "r1"), "has a label yet"),
        (("release", "create", "../r"), "is not valid"),
        (("release", "create", "r1", "--rule", "majorty"), "did you mean 'majority'"),
        (("release", "verify", "r1"), "unknown release 'r1'"),
        (("release", "export", "r1", "--out", "x"), "unknown release"),
    ],
)
def test_refused_in_one_sentence(capsys, study, arguments, words):
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1
    assert not study.releases.exists()


def test_export_refuses_a_folder_that_holds_something(capsys, answers, tmp_path):
    call(capsys, "labels", "import", answers)
    call(capsys, "release", "create", "r1")
    code, _, err = call(capsys, "release", "export", "r1", "--out", tmp_path)
    assert code == 2 and "not empty" in err
    code, _, err = call(capsys, "release", "export", "r1", "--format", "datapackge", "--out", tmp_path / "new")
    assert code == 2 and "did you mean 'datapackage'" in err
