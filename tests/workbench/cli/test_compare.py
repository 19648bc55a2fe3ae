"""`workbench compare` on two small corpora: figures, one JSON document, refusals of one sentence."""

import json
from pathlib import Path

import pytest

from pipelines.corpora import add
from tests.synthetic_corpora import ravdess, tess
from tests.workbench.command_line import call


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "here"
    monkeypatch.setenv("WORKBENCH_ROOT", str(here))
    add(here, "tess", tess(tmp_path / "a").folder)
    add(here, "ravdess", ravdess(tmp_path / "b").folder)
    return here


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    return call(capsys, "compare", *arguments)


def test_figures_and_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures"
    code, text, _ = run(
        capsys, "tess", "ravdess", "--emotion", "fearful", "--style", "fair", "--seed", 3, "--out", out, "--json"
    )
    assert code == 0
    document = json.loads(text)
    assert document["corpora"] == ["tess", "ravdess"]
    assert sorted(Path(path).name for path in document["figures"]) == [
        "fair-ravdess-fearful.png", "fair-ravdess-fearful.svg", "fair-tess-fearful.png", "fair-tess-fearful.svg",
    ]  # fmt: skip
    assert all(Path(path).is_file() for path in document["figures"])
    assert {row["similarity"]["n"] for row in document["statistics"]} == {4, 6}


def test_people_read_where_the_figures_are(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = run(capsys, "tess", "--emotion", "sad", "--style", "as_published")
    assert code == 0
    assert "sad        tess" in text and "4 of 4 clips, 2 speakers" in text
    assert (root / "data/comparisons/tess/as_published-tess-sad.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tess", "ravdes"), "'ravdes'"),
        (("tess", "--emotion", "anger"), "unknown emotion 'anger'; did you mean 'angry'?"),
        (("tess", "--style", "nice"), "unknown style 'nice'"),
        (("tess", "tess"), "'tess' is named twice"),
    ],
)
def test_refused_before_any_work(
    arguments: tuple[str, ...], sentence: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err and err.count("\n") == 1
    assert not (root / "data/comparisons").exists()
