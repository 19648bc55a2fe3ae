"""pipelines.ingest.run.finalize: decided as often as one likes, cut once, the same bytes whatever ran before."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import Cancelled, ConfigError, TableError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest import candidates, source_analysis
from pipelines.ingest.analysis import analyzer
from pipelines.ingest.report import IngestReport
from pipelines.ingest.reproduce import clip_cutting
from pipelines.ingest.reproduce.clip_cutting import ClipSlice, CutTask
from pipelines.ingest.run import finalize, run, stages, tables
from pipelines.ingest.selection import threshold_preview
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.state.queue import Queue, open_queue
from pipelines.manifest import read_clips, read_table, table_to_csv
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.study import Study, create_study
from tests.pipelines.ingest.run.test_run import RIGHTS, ingest, snapshot
from tests.synthetic_audio import noise, voice

RATE = 16000


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings: speech with short and long pauses, quiet and loud."""
    folder = tmp_path_factory.mktemp("recordings")
    turns = ((3.4, 0.6), (1.2, 0.9), (1.6, 0.7), (1.1, 1.3), (4.5, 0.4), (0.9, 2.0), (6.5, 1.0), (1.5, 1.3), (1.4, 1.5))
    for name, seed, pitch_hz, told in (("one.wav", 0, 115.0, turns), ("two.flac", 20, 190.0, turns[::-1])):
        parts = []
        for turn, (length, pause) in enumerate(told):
            spoken = (0.1 + 0.05 * turn) * voice(length, RATE, pitch_hz + 9 * turn, seed + turn)
            parts += [noise(pause, RATE, 0.001, seed + turn), spoken]
        audio.encode(folder / name, np.concatenate(parts), RATE, "flac" if name.endswith("flac") else "pcm16")
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create_study("night", rights_basis=RIGHTS, root=tmp_path / "root")
    bounds(made)
    return made


@pytest.fixture
def media(tmp_path: Path, recordings: Path) -> Path:
    return Path(shutil.copytree(recordings, tmp_path / "media"))


def bounds(study: Study, text: str = "") -> None:
    """Move bounds as `text` says, from those of speech and pauses alone: what is made up here is no real voice."""
    head = study.settings_file.read_text().partition("\n# moved")[0]
    others = [name for name in SCREENS if name not in ("speech_ratio", "longest_pause_s")]
    opened = "".join(f"[screen.{name}]\n" for name in others)
    study.settings_file.write_text(f"{head}\n# moved\n{text}{opened}")


LOOSE = "[screen.longest_pause_s]\nmax = 2.5\n[screen.speech_ratio]\nmin = 0.2\n"
TIGHT = "[screen.longest_pause_s]\nmax = 0.3\n"


def retable(study: Study) -> IngestReport:
    return run.retable(Study(study.root, study.name), jobs=1)


def result(study: Study) -> dict[str, bytes]:
    """The tables and the files of the clips that are in them."""
    kept = {study.clip_path(clip.clip_id) for clip in read_clips(study.clips_csv)}
    tables = (study.clips_csv, study.sources_csv, study.manifests / "clips_check.parquet", study.candidates)
    return {file.name: file.read_bytes() for file in (*tables, *kept)}


@contextmanager
def decodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of recordings as they are decoded, with a star where they are listened to as well."""
    opened: list[str] = []
    real = audio.open_recording
    with monkeypatch.context() as patched:
        patched.setattr(
            clip_cutting, "open_recording", lambda path, track=0: opened.append(path.name) or real(path, track)
        )
        patched.setattr(source_analysis, "Analyzer", lambda rate: opened.append("*") or analyzer.Analyzer(rate))
        yield opened


def test_a_run_without_work_makes_no_row_anew(study: Study, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(study, media)
    expected = result(study)
    made: list[str] = []
    real = tables.clips_to_csv
    monkeypatch.setattr(tables, "clips_to_csv", lambda clips: made.append("clips") or real(clips))
    assert ingest(study, media).changed is False and retable(study).changed is False and not made
    for spoil in (
        lambda: study.clips_csv.write_text(study.clips_csv.read_text().replace("model", "random", 1)),
        study.clips_csv.unlink,
        (study.manifests / "clips_check.parquet").unlink,
        study.candidates.unlink,
    ):
        spoil()
        made.clear()
        ingest(study, media)
        assert made and result(study) == expected
    (study.manifests / "speakers.csv").write_text(
        f"clip_id,speaker,gender\n{read_clips(study.clips_csv)[0].clip_id},Lin,female\n"
    )
    assert ingest(study).changed is True and read_clips(study.clips_csv)[0].speaker == "Lin"


NOTHING = "[select]\nrandom_share = 0.0\n[screen.speech_ratio]\nmin = 1.0\n[screen.longest_pause_s]\nmax = 0.0\n"


@pytest.mark.parametrize("text", ["", NOTHING], ids=["with clips", "of which nothing is kept"])
def test_a_source_that_leaves_takes_its_windows_along_and_brings_them_back(
    study: Study, media: Path, tmp_path: Path, text: str
) -> None:
    bounds(study, text)
    ingest(study, media)
    listed, before = study.sources_csv.read_text(), snapshot(study)
    assert bool(text) == (not study.clips_csv.exists())
    study.sources_csv.write_text("".join(row for row in listed.splitlines(True) if not row.startswith("two,")))
    ingest(study)
    (media / "two.flac").rename(tmp_path / "two.flac")
    assert study.candidates.read_bytes() == fresh(study, media, tmp_path).candidates.read_bytes()
    (tmp_path / "two.flac").rename(media / "two.flac")
    study.sources_csv.write_text(listed)
    ingest(study)
    assert snapshot(study) == before


def test_candidates_of_an_earlier_version_are_written_again(study: Study, media: Path) -> None:
    ingest(study, media)
    expected = result(study)
    with sqlite3.connect(study.ingest_db) as database:
        database.execute("DROP TABLE candidate_tables")
    study.candidates.write_bytes(b"without the windows of a source that had left and come back")
    ingest(study)
    assert result(study) == expected


def test_a_table_edited_while_it_is_written_is_written_again(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = candidates._write

    def slow(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        study.clips_csv.write_text(study.clips_csv.read_text().replace("model", "random", 1))

    monkeypatch.setattr(candidates, "_write", slow)
    ingest(study, media)
    monkeypatch.undo()
    spoilt = study.clips_csv.read_bytes()
    assert ingest(study).changed is True and study.clips_csv.read_bytes() != spoilt
    assert ingest(study).changed is False


def fresh(study: Study, media: Path, tmp_path: Path) -> Study:
    """Another study with the same settings, ingested in one go."""
    other = create_study("night", rights_basis=RIGHTS, root=tmp_path / "fresh")
    other.settings_file.write_text(study.settings_file.read_text())
    for name in ("picks.csv", "speakers.csv"):
        if (study.manifests / name).is_file():
            shutil.copy(study.manifests / name, other.manifests / name)
    ingest(other, media)
    return other


@pytest.mark.parametrize("how", ["ingest", "retable"])
def test_a_moved_bound_decodes_only_what_has_no_file_and_ends_as_if_it_had_always_stood_there(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def again() -> IngestReport:
        return ingest(study) if how == "ingest" else retable(study)

    first = ingest(study, media)
    assert first.clips >= 6 and {row["arm"] for row in read_table(study.clips_csv)} <= {"model", "random"}
    before = snapshot(study)
    with decodes(monkeypatch) as opened:
        bounds(study, TIGHT)
        tight = again()
        assert tight.clips < first.clips and tight.changed and opened == []
        assert tight.rejected["longest_pause_s_high"] > first.rejected.get("longest_pause_s_high", 0)
        bounds(study)
        back = again()
        assert back.clips == first.clips and opened == []
        assert {name: body for name, body in snapshot(study).items() if "study.toml" not in name} == {
            name: body for name, body in before.items() if "study.toml" not in name
        }
        bounds(study, LOOSE)
        loose = again()
        assert loose.clips > first.clips and sorted(opened) == ["one.wav", "two.flac"]
        opened.clear()
        assert again().changed is False and opened == []
    assert {row.status for row in loose.sources} == {"ingested"}
    assert result(study) == result(fresh(study, media, tmp_path))


def test_nothing_is_decided_twice(study: Study, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(study, media)
    monkeypatch.setattr(finalize, "decide", lambda *_, **__: pytest.fail("decided again"))
    assert ingest(study).changed is False and retable(study).changed is False


def test_every_candidate_has_its_scores_and_hash_and_kept_ones_an_arm(study: Study, media: Path) -> None:
    import pyarrow.parquet as pq

    bounds(study, "[select]\nrandom_share = 0.5\n[screen.longest_pause_s]\nmax = 1.0\nreview_max = 1.5\n")
    report = ingest(study, media)
    rows = pq.read_table(study.candidates).to_pylist()
    assert all(len(row["pcm_sha256"]) == 64 for row in rows)
    assert {row["arm"] for row in rows if row["status"] == "keep"} == {"model", "random"}
    assert all((row["reasons"] == "") == (row["status"] == "keep") == (row["arm"] != "") for row in rows)
    assert "review" in {row["status"] for row in rows}
    in_table = {row["clip_id"]: row["arm"] for row in rows if row["status"] == "keep"}
    assert in_table == {clip.clip_id: clip.arm for clip in read_clips(study.clips_csv)}
    assert report.document()["arms"] == report.arms and sum(report.arms.values()) == report.clips
    sounds = {row["pcm_sha256"]: row["start_sample"] for row in rows if row["source_id"] == "one"}
    whole = audio.to_pcm16(audio.read_mono(media / "one.wav")[0])
    assert all(audio.pcm_sha256(whole[start : start + 48000]) == mark for mark, start in sounds.items())


def test_a_file_of_an_earlier_length_never_passes_for_the_clip(study: Study, media: Path, tmp_path: Path) -> None:
    bounds(study, LOOSE)
    ingest(study, media)
    study.settings_file.write_text(study.settings_file.read_text().replace("length_s = 3.0", "length_s = 2.0"))
    bounds(study, TIGHT)
    ingest(study)
    bounds(study, LOOSE)
    retable(study)
    assert result(study) == result(fresh(study, media, tmp_path))


def test_stopped_while_it_cuts_and_run_again(study: Study, media: Path, tmp_path: Path) -> None:
    ingest(study, media)
    bounds(study, LOOSE)

    def stop(progress: Progress) -> None:
        if progress.stage == "cut":
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run.retable(Study(study.root, study.name), stop)
    listed = {clip.clip_id for clip in read_clips(study.clips_csv)}
    assert all(study.clip_path(name).is_file() for name in listed)
    retable(study)
    assert result(study) == result(fresh(study, media, tmp_path))


def test_the_form_of_files_can_change_without_listening(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    study.settings_file.write_text(study.settings_file.read_text().replace("[clip]", '[clip]\nformat = "flac"'))
    with decodes(monkeypatch) as opened:
        ingest(study)
    assert sorted(opened) == ["one.wav", "two.flac"]
    assert result(study) == result(fresh(study, media, tmp_path))


def test_a_recording_that_is_away_costs_new_clips_only_and_that_is_told(study: Study, media: Path) -> None:
    first = ingest(study, media)
    (media / "one.wav").rename(media / "elsewhere.bin")
    bounds(study, LOOSE)
    report = retable(study)
    (row,) = report.failed
    assert (row.source_id, row.reason_code, row.failure, report.exit_code) == ("one", "away", "fix", 3)
    assert "of its clips have no sound here" in row.reason and str(media / "one.wav") in row.reason
    listed = read_clips(study.clips_csv)
    assert len([clip for clip in listed if clip.source_id == "two"]) > 0 and len(listed) > first.clips - 5
    assert all(study.clip_path(clip.clip_id).is_file() for clip in listed)
    bounds(study)
    retable(study)
    lost = next(clip for clip in read_clips(study.clips_csv) if clip.source_id == "one")
    study.clip_path(lost.clip_id).unlink()
    assert [row.reason_code for row in retable(study).failed] == ["away"]
    assert lost in read_clips(study.clips_csv)  # its labels go on; the file comes back with the recording
    (media / "elsewhere.bin").rename(media / "one.wav")
    assert retable(study).failed == () and study.clip_path(lost.clip_id).is_file()


def test_another_recording_under_the_same_name_is_never_cut(study: Study, media: Path) -> None:
    ingest(study, media)
    shutil.copy(media / "two.flac", media / "one.wav")
    bounds(study, LOOSE)
    assert [row.reason_code for row in retable(study).failed] == ["away"]


def test_cut_refuses_other_sound_and_sound_that_ends_too_early(media: Path, tmp_path: Path) -> None:
    def tell(*_: object) -> None:
        pass

    def task(*slices: ClipSlice) -> CutTask:
        return CutTask("one", media / "one.wav", tmp_path / "clips", "wav", slices)

    telling: OnProgress = tell
    with pytest.raises(Exception, match=r"is no longer the recording.*the audio of a differs"):
        clip_cutting.cut_clips(task(ClipSlice("a", 0, 16000, "0" * 64)), telling)
    with pytest.raises(Exception, match=r"it ends after \d+"):
        clip_cutting.cut_clips(task(ClipSlice("b", 10**7, 16000)), telling)
    whole = audio.to_pcm16(audio.read_mono(media / "one.wav")[0])
    starts = (90_001, 0, 80_000, 79_999)
    clip_cutting.cut_clips(task(*(ClipSlice(f"c{start}", start, 48_000) for start in starts)), telling)
    for start in starts:
        there = audio.to_pcm16(audio.read_mono(tmp_path / "clips" / f"c{start}.wav")[0])
        np.testing.assert_array_equal(there, whole[start : start + 48_000])


def aged(study: Study) -> None:
    """Turn the queue into what an earlier version wrote: one reason or none, hashes of kept windows only."""
    with sqlite3.connect(study.ingest_db) as db:
        db.execute("UPDATE candidates SET reasons = 'longest_pause_s_high', pcm_sha256 = '' WHERE status != 'keep'")
        db.execute("UPDATE items SET config_hash = clips_hash")
        for table, column in (
            ("candidates", "status"),
            ("candidates", "arm"),
            ("items", "decided_by"),
            ("items", "clips_hash"),
        ):
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    db.close()


def test_a_queue_of_an_earlier_version_is_read_and_its_recordings_are_heard_again(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    before = result(study)
    aged(study)
    assert [row.status for row in ingest(study).sources] == ["ingested", "ingested"]
    assert result(study) == before
    aged(study)
    (media / "one.wav").rename(media / "one.bin")  # what cannot be heard again stays as it was
    report = ingest(study)
    assert [(row.source_id, row.status) for row in report.sources] == [("one", "failed"), ("two", "ingested")]
    kept = {clip.clip_id for clip in read_clips(study.clips_csv)}
    assert {name.removesuffix(".wav") for name in before if name.endswith(".wav")} == kept
    with open_queue(study.ingest_db) as queue:
        assert {one.decision.status for one in queue.decided(queue.items()["one"])} == {"keep", "reject"}


def test_settings_and_lists_that_change_during_a_run_count_at_its_end(study: Study, media: Path) -> None:
    study.sources_csv.write_text(f"source_id,uri,notes\none,{media / 'one.wav'},\n")

    def edit(progress: Progress) -> None:
        if progress.stage == "analyse":
            bounds(study, TIGHT)
            text = study.sources_csv.read_text()
            study.sources_csv.write_text(text.replace("one.wav,\n", "one.wav,mine\n"))

    report = ingest(study, report=edit)
    assert report.rejected["longest_pause_s_high"] > 0
    assert read_table(study.sources_csv)[0]["notes"] == "mine"
    assert ingest(study).changed is False


@pytest.mark.parametrize("stage", ["analyse", "cut"])
@pytest.mark.parametrize("stops", [True, False], ids=["stopped", "to its end"])
def test_a_list_that_is_edited_while_a_run_goes_on_keeps_the_edit(
    study: Study, media: Path, stage: str, stops: bool
) -> None:
    study.sources_csv.write_text(f"source_id,uri,notes\none,{media / 'one.wav'},\ntwo,{media / 'two.flac'},\n")
    if stage == "cut":
        ingest(study)
        for clip in study.audio.glob("*.wav"):
            clip.unlink()
    seen: list[str] = []

    def edit(progress: Progress) -> None:
        if progress.stage != stage or seen:
            return
        seen.append(stage)
        rows = read_table(study.sources_csv)
        rows[0] |= {"notes": "mine"}
        rows.append(dict.fromkeys(rows[0], "") | {"uri": "https://example.org/later.mp4"})
        study.sources_csv.write_text(table_to_csv(list(rows[0]), rows))
        if stops:
            raise Cancelled("stopped")

    if stops:
        with pytest.raises(Cancelled):
            ingest(study, report=edit)
    else:
        ingest(study, report=edit)
    assert seen
    told = {row["uri"].rpartition("/")[2]: row["notes"] for row in read_table(study.sources_csv)}
    assert told == {"one.wav": "mine", "two.flac": "", "later.mp4": ""}


def test_rows_of_a_list_that_are_taken_out_while_clips_are_cut_stay_out(study: Study, media: Path) -> None:
    ingest(study, media)
    for clip in study.audio.glob("*.wav"):
        clip.unlink()

    def edit(progress: Progress) -> None:
        if progress.stage == "cut":
            rows = [row for row in read_table(study.sources_csv) if row["source_id"] == "one"]
            study.sources_csv.write_text(table_to_csv(list(rows[0]), rows))

    run.retable(study, edit, jobs=1)
    assert [row["source_id"] for row in read_table(study.sources_csv)] == ["one"]
    assert {clip.source_id for clip in read_clips(study.clips_csv)} == {"one"}


def test_a_list_that_is_half_edited_when_a_run_is_stopped_is_left_alone(study: Study, media: Path) -> None:
    study.sources_csv.write_text(f"source_id,uri\none,{media / 'one.wav'}\n")
    half = f"source_id,uri\none,{media / 'one.wav'}\none,\n"

    def edit(progress: Progress) -> None:
        if progress.stage == "analyse":
            study.sources_csv.write_text(half)
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        ingest(study, report=edit)
    assert study.sources_csv.read_text() == half


def test_tables_are_brought_up_to_date_from_a_list_that_is_read_when_nobody_else_writes_it(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media / "one.wav")

    @contextmanager
    def late(file: Path) -> Iterator[Queue]:
        monkeypatch.undo()
        ingest(study, media / "two.flac")  # it ends just before this run gets the queue
        with open_queue(file) as queue:
            yield queue

    monkeypatch.setattr(run, "open_queue", late)
    retable(study)
    assert {clip.source_id for clip in read_clips(study.clips_csv)} == {"one", "two"}


def test_settings_that_are_taken_back_after_a_kill_leave_no_clip_with_the_sound_of_another(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    before, settings = result(study), study.settings_file.read_text()

    class Died(KeyboardInterrupt):
        """The laptop, after the clips' files were written and before the queue said so."""

    def died(task: source_analysis.Task, tell: OnProgress) -> source_analysis.Analysed:
        source_analysis.analyse(task, tell)
        raise Died

    study.settings_file.write_text(settings.replace("length_s = 3.0", "length_s = 4.0"))
    with monkeypatch.context() as patch:
        patch.setattr(stages, "analyse", died)
        patch.setattr(run, "settle", lambda *_args, **_options: None)
        with pytest.raises(Died):
            ingest(study)
    assert result(study) != before
    study.settings_file.write_text(settings)
    ingest(study)
    assert result(study) == before


def test_a_group_that_a_person_wrote_wins_and_stays(study: Study, media: Path) -> None:
    head = "source_id,uri,series,season,episode,group_id\n"
    study.sources_csv.write_text(
        f"{head}one,{media / 'one.wav'},Show,1,2,the_pilot\ntwo,{media / 'two.flac'},Show,1,3,\n"
    )
    ingest(study)

    def groups() -> dict[str, str]:
        return {clip.source_id: clip.group_id for clip in read_clips(study.clips_csv)}

    assert groups() == {"one": "the_pilot", "two": "show-s01e03"}
    assert ingest(study).changed is False
    text = study.sources_csv.read_text()
    study.sources_csv.write_text(text.replace("Show,1,2", "Show,1,7").replace("Show,1,3", "Show,1,8"))
    ingest(study)
    assert groups() == {"one": "the_pilot", "two": "show-s01e08"}
    study.sources_csv.write_text(study.sources_csv.read_text().replace("the_pilot", "").replace("show-s01e08", "odd"))
    ingest(study)
    assert groups() == {"one": "show-s01e07", "two": "odd"}


def test_tables_of_people_that_do_not_parse_are_refused_before_any_work(study: Study, media: Path) -> None:
    (study.manifests / "picks.csv").write_text("source_id,start_sample,n_samples\none,x,48000\n")
    with pytest.raises(TableError, match=r"picks\.csv, row 1, column 'start_sample'"):
        ingest(study, media)
    assert not study.sources_csv.exists()


def test_retable_waits_for_no_other_run(study: Study, media: Path) -> None:
    ingest(study, media)
    with open_queue(study.ingest_db), pytest.raises(ConfigError, match="another ingest of this study is running"):
        retable(study)


def test_the_report_counts_from_hours_to_clips(study: Study, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = ingest(study, media)
    found = report.document()["funnel"]
    steps = [step["seconds"] for step in found["steps"]]
    assert steps == sorted(steps, reverse=True) and steps[0] == pytest.approx(63.6, abs=1)
    assert sum(found["arms"].values()) == report.clips and found["status"]["keep"] == report.clips
    assert found["reasons"] == report.rejected
    assert sum(quarter["windows"] for quarter in found["loudness"]) > 8
    assert retable(study).document()["funnel"] == found == ingest(study).document()["funnel"]
    assert ingest(study, dry_run=True).document()["funnel"] is None

    def unread(_path: object) -> None:
        raise AssertionError("nothing changed and nobody asked: the candidates need not be read")

    monkeypatch.setattr(threshold_preview, "read_candidates", unread)
    again = ingest(study)
    assert not again.changed
    with pytest.raises(AssertionError, match="nobody asked"):
        again.document()
