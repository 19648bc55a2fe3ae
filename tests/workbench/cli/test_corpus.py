"""`workbench corpus`: parse, one core call, show; refusals are one sentence and change nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.synthetic_corpora import ravdess, tess
from tests.workbench.command_line import call
from workbench.cli.main import main


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path / "here"))
    return tmp_path / "here"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    return call(capsys, "corpus", *arguments)


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_add_list_describe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tess(tmp_path).folder
    added = document(capsys, "add", "tess", folder)
    assert (added["ok"], added["files"], added["labels"]["angry"]) == (True, 31, 5)
    assert document(capsys, "list")["corpora"] == [{"name": "tess", "card": "tess", "path": str(folder), "there": True}]
    assert document(capsys, "describe", "tess")["licence"] == "CC-BY-NC-ND-4.0"
    code, out, _ = run(capsys, "describe", "tess")
    assert code == 0
    assert "31 recordings, of 2,800 in the whole corpus" in out
    assert "Not read: 1 files, the same recording lies nearer to the top" in out


def test_another_corpus_is_refused_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    code, out, err = run(capsys, "add", "tess", ravdess(tmp_path).folder)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "holds RAVDESS, not TESS" in err
    assert not root.exists()


def test_download_says_where_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "download", "savee")
    assert code == 2
    assert "SAVEE is not fetched by this version: get it from http://kahlan.eps.surrey.ac.uk/savee/" in err


def test_an_empty_list_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list")
    assert "workbench corpus add NAME PATH" in out and "tess" in out


def test_a_study_may_not_take_a_corpuss_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert run(capsys, "add", "night", tess(tmp_path).folder)[0] == 0
    with pytest.raises(SystemExit) as left:
        main(["init", "night"])
    assert left.value.code == 2
    assert "there is already a corpus 'night' here" in capsys.readouterr().err
    assert not (root / "data_manifests").exists()
