"""picks.csv and speakers.csv: read strictly, written so that the same picks give the same bytes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import TableError
from pipelines.ingest.selection.manual_picks import (
    GENDERS,
    Pick,
    Speaker,
    picks_file,
    picks_to_csv,
    read_picks,
    read_speakers,
    speakers_file,
    speakers_to_csv,
)
from pipelines.study import Study, create_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study("night", root=tmp_path)


@given(
    st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True), st.lists(st.integers(1, 9), max_size=5))
)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, gaps: dict[str, list[int]]) -> None:
    """Whatever the order they come in; the text does not depend on it either."""
    study = Study(tmp_path_factory.mktemp("root"), "night")
    picks = {}
    for source_id, steps in gaps.items():
        starts = [10 * sum(steps[: n + 1]) for n in range(len(steps))]
        picks[source_id] = tuple(Pick(start, 10) for start in starts)
    text = picks_to_csv(picks)
    assert text == picks_to_csv({name: reversed(picks[name]) for name in reversed(picks)})
    study.manifests.mkdir(parents=True)
    picks_file(study).write_text(text, encoding="utf-8")
    assert read_picks(study) == {name: found for name, found in picks.items() if found}


def test_no_tables_are_no_picks(study: Study) -> None:
    assert read_picks(study) == {}
    assert read_speakers(study) == {}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("film,12.5,9", "picks.csv, row 1, column 'start_sample': expected a whole number of 0 or more, found '12.5'"),
        ("film,-1,100", "column 'start_sample': expected a whole number of 0 or more, found '-1'"),
        ("film,0,0", "column 'n_samples': expected a whole number of 1 or more, found '0'"),
        ("film,١,5", "found '١'"),
        ("../film,0,10", "row 1, column 'source_id': expected a source's id, found '../film'"),
        ("a,9,5\na,0,5\na,4,2", "row 3, column 'start_sample': expected a stretch of its own, found one that overlaps"),
        ("film,0,50\nfilm,0,50", "row 2, column 'start_sample'"),
        ("film,0", "row 1: expected 3 cells, found 2"),
    ],
)  # fmt: skip
def test_a_bad_pick_is_named_by_row_and_column(study: Study, rows: str, said: str) -> None:
    picks_file(study).write_text(f"source_id,start_sample,n_samples\n{rows}\n", encoding="utf-8")
    with pytest.raises(TableError) as caught:
        read_picks(study)
    assert said in str(caught.value)


def test_picks_that_touch_do_not_overlap(study: Study) -> None:
    picks_file(study).write_text("source_id,start_sample,n_samples\nfilm,50,50\nfilm,0,50\nplay,0,50\n")
    assert read_picks(study) == {"film": (Pick(0, 50), Pick(50, 50)), "play": (Pick(0, 50),)}


def test_speakers_are_read_again_and_blanks_left_out(study: Study) -> None:
    said = {"film-000001000": Speaker("Ann, the elder", "female"), "film-000000000": Speaker("", "male")}
    text = speakers_to_csv({**said, "film-000009000": Speaker()})
    assert [line.split(",")[0] for line in text.splitlines()] == ["clip_id", "film-000000000", "film-000001000"]
    speakers_file(study).write_text(text, encoding="utf-8")
    assert read_speakers(study) == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("film-000000000,Ann,woman", f"column 'gender': expected {', '.join(GENDERS)} or nothing, found 'woman'"),
        ("film-000000000,,", "row 1: expected a speaker or a gender, found neither"),
        (",Ann,", "row 1, column 'clip_id': expected a clip id, found an empty cell"),
        ("a-000000000,Ann,\na-000000000,Bob,", "row 2: expected one row per clip, found 'a-000000000' again"),
        (f"a-000000000,{'x' * 101},", "column 'speaker': expected a name on one line of at most 100 characters"),
    ],
)  # fmt: skip
def test_a_bad_speaker_is_named_by_row_and_column(study: Study, rows: str, said: str) -> None:
    speakers_file(study).write_text(f"clip_id,speaker,gender\n{rows}\n", encoding="utf-8")
    with pytest.raises(TableError) as caught:
        read_speakers(study)
    assert said in str(caught.value)
