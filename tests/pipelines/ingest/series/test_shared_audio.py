"""pipelines.ingest.series.shared_audio: who else in a study holds what a source holds."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.atomic_write import write_text
from pipelines.ingest.repeats import Repeat
from pipelines.ingest.series.repeat_masks import SourceCopy, StudyRepeats, _SavedRepeats, repeats_file
from pipelines.ingest.series.shared_audio import RelatedSource, related_sources
from pipelines.manifest import table_to_csv
from pipelines.study import Study, create_study

LENGTH_S = 100.0


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study("night", rights_basis="made", root=tmp_path)


def listed(study: Study, *rows: tuple[str, dict[str, str]]) -> None:
    columns = ("source_id", "uri", "status", "dup_of", "dup_overlap")
    cells = [{"source_id": name, "uri": f"{name}.wav", "status": "ok", **more} for name, more in rows]
    write_text(study.sources_csv, table_to_csv(columns, cells))


def found(study: Study, repeats: Sequence[Repeat], copies: dict[str, SourceCopy] | None = None) -> None:
    names = tuple(dict.fromkeys(name for one in repeats for name in (one.source_a, one.source_b)))
    told = StudyRepeats(names, dict.fromkeys(names, LENGTH_S), tuple(repeats), copies or {})
    write_text(repeats_file(study), _SavedRepeats(told).text(""))


def repeat(a: str, a_s: float, b: str, b_s: float, length_s: float, kind: str = "recap", speed: float = 1.0) -> Repeat:
    return Repeat(a, a_s, b, b_s, length_s, kind, 0.9, speed)  # type: ignore[arg-type]


def test_a_study_without_anything_has_no_kin(study: Study) -> None:
    assert related_sources(study, "a") == ()
    listed(study, ("a", {}), ("b", {}))
    assert related_sources(study, "a") == ()


def test_copies_originals_siblings_and_parts_are_told_apart(study: Study) -> None:
    listed(study, *((name, {}) for name in "abcde"))
    repeats = [
        repeat("a", 0, "b", 0, 90, "reupload"),
        repeat("a", 0, "c", 0, 95, "reupload"),
        repeat("a", 20, "d", 50, 30),
        repeat("a", 40, "d", 0, 20),
        repeat("a", 10, "e", 10, 4),
    ]
    found(study, repeats, {"b": SourceCopy("a", 0.9), "c": SourceCopy("a", 0.95)})
    of_a = related_sources(study, "a")
    assert [(one.source_id, one.why, one.is_close) for one in of_a] == [
        ("c", "copy", True),
        ("b", "copy", True),
        ("d", "part", True),
        ("e", "part", False),
    ]
    part = of_a[2]
    assert (part.seconds, part.share, part.own_share) == (40.0, 0.4, 0.5), "what overlaps counts once"
    of_b = related_sources(study, "b")
    assert of_b[0] == RelatedSource("a", "original", 90.0, 0.9, 0.9)
    assert [(one.source_id, one.why) for one in of_b] == [("a", "original"), ("c", "sibling")]


def test_openings_belong_to_a_series_and_a_source_is_not_its_own_kin(study: Study) -> None:
    listed(study, ("a", {}), ("b", {}))
    songs = [repeat("a", 0, "b", 0, 30, "opening"), repeat("a", 70, "b", 70, 30, "ending")]
    found(study, [*songs, repeat("a", 40, "a", 60, 20)])
    assert related_sources(study, "a") == related_sources(study, "b") == ()


def test_a_copy_that_runs_faster_is_measured_on_either_clock(study: Study) -> None:
    listed(study, ("a", {}), ("b", {}))
    found(study, [repeat("a", 0, "b", 0, 80, "reupload", speed=0.5)], {"b": SourceCopy("a", 0.4)})
    assert related_sources(study, "a") == (RelatedSource("b", "copy", 80.0, 0.8, 0.4),)
    assert related_sources(study, "b") == (RelatedSource("a", "original", 40.0, 0.4, 0.8),)


def test_what_another_machine_found_is_told_from_the_table_and_the_withdrawn_are_left_out(study: Study) -> None:
    copy = {"dup_of": "a", "dup_overlap": "0.83"}
    listed(study, ("a", {}), ("b", copy), ("c", {**copy, "status": "taken_down"}))
    assert related_sources(study, "a") == (RelatedSource("b", "copy", None, None, 0.83),)
    assert related_sources(study, "b") == (RelatedSource("a", "original", None, 0.83),)
    assert [one.source_id for one in related_sources(study, "c")] == ["a", "b"]


def test_windows_with_the_same_samples_count_where_they_are_clips_or_would_be(study: Study) -> None:
    listed(study, *((name, {}) for name in "abc"))
    rows = [
        ("a", "1", "keep", ""),
        ("a", "2", "reject", "overlap"),
        ("b", "1", "reject", "same_clip"),
        ("b", "2", "keep", ""),
        ("c", "1", "reject", "music_p_high"),
        ("c", "", "keep", ""),
    ]
    columns = dict(zip(("source_id", "pcm_sha256", "status", "reasons"), zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table({name: list(cells) for name, cells in columns.items()}), study.candidates)
    (kin,) = related_sources(study, "a")
    assert kin == RelatedSource("b", "part", same_windows=1) and kin.is_close


@given(
    drawn=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.floats(0, 90), st.floats(0, 90), st.floats(3, 60)),
        max_size=8,
    )
)
def test_kinship_is_mutual_and_shares_are_shares(
    drawn: list[tuple[str, str, float, float, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    study = create_study("night", root=tmp_path_factory.mktemp("kin"))
    listed(study, *((name, {}) for name in "abc"))
    found(study, [repeat(a, at, b, to, length) for a, b, at, to, length in drawn])
    kin = {name: {one.source_id: one for one in related_sources(study, name)} for name in "abc"}
    for name, others in kin.items():
        assert name not in others
        for other, one in others.items():
            back = kin[other][name]
            assert (one.share, one.own_share) == (back.own_share, back.share)
            assert 0 < (one.share or 0) <= 1 and (one.seconds or 0) > 0
