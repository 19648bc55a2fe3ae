"""A made series the whole way: what is planted twice is masked, nothing else is, and clips follow as episodes come."""

import itertools
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.errors import Cancelled
from pipelines.ingest.run.run import ingest, retable
from pipelines.ingest.selection.manual_picks import Pick, picks_file, picks_to_csv
from pipelines.ingest.series.repeat_masks import read_study_repeats, repeats_file
from pipelines.ingest.sources import read_sources
from pipelines.manifest import read_clips, table_to_csv
from pipelines.progress import Progress
from pipelines.study import Study, create_study
from pipelines.units import Seconds, SourceId
from tests.synthetic_series import RATE_HZ, Plan, Series, make

pytest.importorskip("espeakng_loader", reason="the extra 'demo' is not installed")

NEAR_S: Seconds = 0.25


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    from benchmarks.synthetic_speech import HELD_OUT_VOICES, speaking

    plan = Plan(episodes=3, body_s=40, opening_s=20, ending_s=20, cuts=2, seed=11)
    with speaking(HELD_OUT_VOICES) as speech:
        return make(tmp_path_factory.mktemp("series"), plan, speech)


def listed(series: Series, names: tuple[SourceId, ...], file: Path) -> str:
    rows = [
        {"source_id": name, "uri": str(series.files[name]), "series": "Night Bus", "episode": name[1:]}
        if name != "again"
        else {"source_id": name, "uri": str(series.files[name])}
        for name in names
    ]
    file.write_text(table_to_csv(("source_id", "uri", "series", "episode"), rows), encoding="utf-8")
    return str(file)


def made(root: Path, series: Series, *batches: tuple[SourceId, ...]) -> tuple[Study, list[str]]:
    """A study into which the episodes came in these batches, and what was told of clips that left."""
    study = create_study("night", rights_basis="made up for a test", root=root)
    told = []
    for number, names in enumerate(batches):
        report = ingest(study, [listed(series, names, root / f"batch{number}.csv")], jobs=1)
        assert report.exit_code == 0, report.document()
        told += [row.reason for row in report.sources if row.status == "left"]
    return study, told


def tables(study: Study) -> dict[str, bytes]:
    checks, found = study.manifests / "clips_check.parquet", repeats_file(study)
    files = (study.sources_csv, study.clips_csv, checks, study.candidates, found)
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def whole(series: Series, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made(tmp_path_factory.mktemp("whole"), series, ("e01", "e02", "e03", "again"))[0]


def test_what_is_planted_is_masked_and_nothing_else(whole: Study, series: Series) -> None:
    spans = {name: [(one.start_s, one.end_s) for one in series.planted if one.source == name] for name in series.files}
    rows = pq.read_table(whole.candidates).to_pylist()
    found: dict[str, list[bool]] = {"inside": [], "outside": []}
    for row in rows:
        planted = spans[row["source_id"]]
        masked = row["reasons"].split(";")[0] == "repeated"
        overlap_s = max(min(end, row["end_s"]) - max(start, row["start_s"]) for start, end in planted)
        if overlap_s > 1.5:
            found["inside"].append(masked)
        elif overlap_s < -NEAR_S:
            found["outside"].append(masked)
    assert len(found["inside"]) > 30 and sum(found["inside"]) >= 0.95 * len(found["inside"])
    assert len(found["outside"]) > 20 and not any(found["outside"])


def test_no_clip_holds_an_opening_or_what_an_earlier_clip_holds(whole: Study, series: Series) -> None:
    clips = read_clips(whole.clips_csv)
    assert {clip.source_id for clip in clips} == {"e01", "e02", "e03"}
    for clip in clips:
        for planted in series.planted:
            if planted.source == clip.source_id:
                assert min(planted.end_s, clip.end_s) - max(planted.start_s, clip.start_s) < 1.0, clip.clip_id


def test_the_table_names_the_original_of_a_re_upload(whole: Study) -> None:
    rows = {source.source_id: source.measured for source in read_sources(whole.sources_csv)}
    assert rows["again"]["dup_of"] == "e02" and float(rows["again"]["dup_overlap"]) > 0.9
    assert "dup_of" not in rows["e02"]
    assert all(row["fp_algo"] == "slopes-1" and len(row["fp_b64"]) > 1000 for row in rows.values())


def test_a_later_run_searches_nothing_and_changes_nothing(whole: Study) -> None:
    before, stages = tables(whole), set()
    report = ingest(whole, report=lambda progress: stages.add(progress.stage), jobs=1)
    assert not report.changed and tables(whole) == before
    (again,) = [row for row in report.sources if row.source_id == "again"]
    assert (again.reason_code, again.clips) == (
        "reupload",
        0,
    ) and "of it is in 'e02', which aired earlier" in again.reason
    assert not {"searching for repeats", "refining repeats", "decide", "cut"} & stages


def test_episodes_that_come_later_give_the_same_tables(whole: Study, series: Series, tmp_path: Path) -> None:
    study, told = made(tmp_path, series, ("again", "e03"), ("e02",), ("e01",))
    assert tables(study) == tables(whole)
    assert {clip.clip_id for clip in read_clips(study.clips_csv)} <= {file.stem for file in study.audio.iterdir()}
    assert any(reason.startswith("again: ") and "left clips.csv" in reason for reason in told)


def test_a_clip_picked_in_a_copy_is_of_the_group_of_its_original(whole: Study, tmp_path: Path) -> None:
    shutil.copytree(whole.root, tmp_path / "root")
    study = Study(tmp_path / "root", "night")
    picks_file(study).write_text(picks_to_csv({"again": [Pick(20 * RATE_HZ, 3 * RATE_HZ)]}), encoding="utf-8")
    retable(study, jobs=1)
    picked = [clip for clip in read_clips(study.clips_csv) if clip.arm == "picked"]
    assert [(clip.source_id, clip.group_id) for clip in picked] == [("again", "night_bus-e02")]
    rows = {source.source_id: source.group_id for source in read_sources(study.sources_csv)}
    assert (rows["again"], rows["e02"]) == ("again", "night_bus-e02")


def test_a_run_that_is_stopped_leaves_no_opening_in_the_table(series: Series, tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made up for a test", root=tmp_path)
    table = listed(series, ("e01", "e02", "e03"), tmp_path / "all.csv")

    def stop(progress: Progress) -> None:
        if progress.stage == "sources" and progress.done == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        ingest(study, [table], report=stop, jobs=1)
    clips = read_clips(study.clips_csv)
    assert {clip.source_id for clip in clips} == {"e01", "e02", "e03"}
    songs = [one for one in series.planted if one.kind in ("opening", "ending")]
    for clip, one in itertools.product(clips, songs):
        inside_s = min(one.end_s, clip.end_s) - max(one.start_s, clip.start_s)
        assert one.source != clip.source_id or inside_s < 1.5, clip.clip_id


def test_an_original_that_is_taken_out_lets_its_copy_in(whole: Study, tmp_path: Path) -> None:
    shutil.copytree(whole.root, tmp_path / "root")
    study = Study(tmp_path / "root", "night")
    lines = study.sources_csv.read_text(encoding="utf-8").splitlines(keepends=True)
    study.sources_csv.write_text("".join(line for line in lines if not line.startswith("e02,")), encoding="utf-8")
    ingest(study, jobs=1)
    assert {clip.source_id for clip in read_clips(study.clips_csv)} == {"e01", "e03", "again"}
    assert read_study_repeats(study).copies == {}
    assert all("dup_of" not in source.measured for source in read_sources(study.sources_csv))
