"""workbench.status.source_requests: what somebody asks for is checked as it is typed, row by row."""

from pathlib import Path

import pytest

from pipelines.study import Study, create_study
from workbench.status.source_requests import asked_lines, asked_table


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create_study("night", root=tmp_path)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "one.wav").write_bytes(b"x")
    return made


def test_lines_are_addresses_files_and_folders(study: Study) -> None:
    text = f"\n HTTPS://Example.org/a.mp4#t=3 \nhttps://example.org/a.mp4\n'media/one.wav'\n{study.root / 'media'}\n"
    found = asked_lines(text, study.root)
    assert found.is_ready and found.count == 3, "the same thing twice is there once"
    assert found.inputs == (
        "https://example.org/a.mp4", str(study.root / "media" / "one.wav"), str(study.root / "media")
    )  # fmt: skip
    assert not asked_lines("", study.root).is_ready


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ftp://example.org/a.mp4", "Line 2: "),
        ("https://me:secret@example.org/a", "Line 2: "),
        ("media/two.wav", "Line 2: there is no file or folder"),
        ("www.example.org/a.mp4", "Line 2: write the whole address, https://www.example.org/a.mp4"),
    ],
)
def test_a_line_that_will_not_do_is_named(study: Study, line: str, words: str) -> None:
    found = asked_lines(f"media/one.wav\n{line}", study.root)
    assert not found.is_ready
    (problem,) = found.problems
    assert problem.startswith(words) and "secret" not in problem


def test_a_table_is_kept_for_the_run_to_read(study: Study) -> None:
    text = "uri,rights_basis,episode\nmedia/one.wav,mine,1\nhttps://example.org/a.mp4,,2"
    found = asked_table(text, study, rights_basis="public domain")
    assert found.is_ready and found.count == 2
    (path,) = found.inputs
    assert Path(path).name == "sources.csv" and Path(path).read_text() == text + "\n"
    assert Path(path).is_relative_to(study.private), "nothing that is not begun stands among what is shared"
    assert asked_table(text, study, rights_basis="public domain").inputs == found.inputs
    assert asked_table("  \n", study).problems == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("uri,season\nmedia/one.wav,two", "row 1, column 'season': expected a whole number"),
        ("uri,right_basis\nmedia/one.wav,x", "did you mean 'rights_basis'"),
        ("file\nmedia/one.wav", "expected a column 'uri'"),
        ("uri\n", "has no rows"),
        ("uri,rights_basis\nmedia/two.wav,mine", "Row 1, column 'uri': there is no file"),
        ("uri,rights_basis\nmedia/one.wav,mine\nhttps://me:pw@example.org/a,mine", "Row 2, column 'uri': "),
        ("uri,rights_basis\nmedia/one.wav,", "Row 1, column 'rights_basis': say on what ground"),
    ],
)
def test_a_table_that_will_not_do_says_row_column_and_what_is_wrong(study: Study, text: str, words: str) -> None:
    found = asked_table(text, study)
    assert not found.is_ready and len(found.problems) == 1
    assert words in found.problems[0]


def test_many_problems_are_counted(study: Study) -> None:
    found = asked_table("uri,rights_basis\n" + "".join(f"media/{n}.wav,x\n" for n in range(20)), study)
    assert len(found.problems) == 9 and found.problems[-1] == "... and 12 more."
