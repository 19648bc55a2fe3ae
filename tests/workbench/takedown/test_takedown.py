"""workbench.takedown.takedown: a source leaves whole, whatever interrupts it, and never comes back."""

import http.server
import json
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.errors import ConfigError, MediaError, UnknownName
from pipelines.execution.process_pool import OnProgress
from pipelines.execution.shared_storage import Storage, StorageError
from pipelines.features import FeatureCache, extractor, pcm_content
from pipelines.features.cache import row_key
from pipelines.ingest.fetch.probe import Outlook
from pipelines.ingest.preview.decoded_audio import DecodedAudioFacts, DecodeTask, decode_to_cache
from pipelines.ingest.reproduce.clip_checks import checks_path, read_checks
from pipelines.ingest.run import run
from pipelines.ingest.selection.manual_picks import read_picks, read_speakers
from pipelines.ingest.series.repeat_masks import read_study_repeats, repeats_file
from pipelines.ingest.sources import read_sources, sources_to_csv
from pipelines.ingest.state.queue import open_queue
from pipelines.manifest import read_clips, read_table
from pipelines.media import audio
from pipelines.study import Study
from tests.small_study import lenient_study
from tests.synthetic_audio import noise, voice
from tests.workbench.command_line import call
from workbench.curation import clipper_source
from workbench.curation.picks import Desk, follow
from workbench.curation.recordings import Mined, mineable
from workbench.releases.create import create_release
from workbench.status.source_requests import asked_table
from workbench.store import Event, open_store
from workbench.store.curation import CurationEvent
from workbench.takedown import takedown
from workbench.takedown.takedown import STEPS, take_down

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Copy:
    """An extractor of a changed copy, as training keeps them: a name with a hyphen."""

    name, version, rate_hz, shape = "mean_vector+noise-0a1b", "1", None, (162,)

    def __call__(self, mono: audio.Audio, rate_hz: int) -> np.ndarray:
        return np.zeros(162, np.float32)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings ingested, labelled and released; 'two' lies in the study as if it had been fetched."""
    root = tmp_path_factory.mktemp("takedown")
    study = lenient_study(root)
    study.media.mkdir()
    for seed, path in enumerate((root / "one.wav", study.media / "two.wav")):
        turns = [part for turn in range(3) for part in (noise(1, level=0.001), voice(3.2, seed=10 * seed + turn))]
        audio.encode(path, np.concatenate(turns), 16000, "pcm16")
        run.ingest(study, [str(path)], jobs=1)
    with open_store(study) as store:
        store.ensure_rater("r", kind="person")
        desk = Desk(study, store)
        for name in ("one", "two"):
            mined = mineable(study)[name]
            task = (
                clipper_source.sound_task(study, mined, clipper_source.known(study))
                if isinstance(mined, Mined)
                else mined
            )
            assert isinstance(task, DecodeTask), task
            decode_to_cache(task, lambda *_: None)
            said = {"speaker": f"who speaks in {name}", "gender": "other"}
            follow(study, desk.record([CurationEvent(f"pick-{name}", "r", "pick", name, start_sample=5001, **said)]))
        desk.write_tables()
        run.retable(study)
        clips = read_clips(study.clips_csv)
        store.record([Event(clip.clip_id, "r", clip_id=clip.clip_id, label="happy") for clip in clips])
    create_release(study, "r1")
    for place in (
        "media/partial/two.m4a.part",
        "media/partial/video/two.mp4.part",
        "video/two.mp4",
        "cache/peaks/two.json",
        "cache/tiles/two/0.png",
    ):
        (study.private / place).parent.mkdir(parents=True, exist_ok=True)
        (study.private / place).write_bytes(b"x")
    (study.media / "two-000000001.wav").write_bytes(b"another source of that name")
    for folder in (study.cache / "features", root / "data" / "_corpora" / "cache"):
        for clip in clips:
            for made in (extractor("mean_vector"), Copy()):
                row = np.zeros(162, np.float32)
                content = pcm_content(clip.pcm_sha256, clip.rate_hz)
                FeatureCache(folder).store(made).write([row_key(content)], row[None])
    return root


@pytest.fixture
def study(template: Path, tmp_path: Path) -> Study:
    shutil.copytree(template, tmp_path / "root")
    return Study(tmp_path / "root", "night")


def state(study: Study) -> dict[str, bytes]:
    """All but the queue, what the next ingest finds out anew about repeats, and what is told of runs."""
    files = [file for half in (study.manifests, study.root / "data") for file in half.rglob("*") if file.is_file()]
    return {
        str(f.relative_to(study.root)): f.read_bytes()
        for f in files
        if not f.name.startswith(("ingest.", "repeats.", "runs."))
    }


def test_everything_of_the_source_goes_and_the_rest_stays(study: Study) -> None:
    before, clips = state(study), read_clips(study.clips_csv)
    assert read_study_repeats(study).order == ("one", "two")
    gone = tuple(clip.clip_id for clip in clips if clip.source_id == "two")
    rows_of_both = [row_key(pcm_content(clip.pcm_sha256, clip.rate_hz)) for clip in clips]
    assert len(gone) >= 2
    done = take_down(study, "two.wav", "the owner asked", now=NOW)
    after = state(study)
    assert (done.source_id, done.clips, done.releases, done.is_again) == ("two", gone, {"r1": len(gone)}, False)
    assert done.feature_rows == 2 * 2 * len(gone)
    left = [name for name in after if "two" in name]
    assert left == ["data/night/media/two-000000001.wav"]
    assert {clip.source_id for clip in read_clips(study.clips_csv)} == {"one"}
    assert all(name.startswith("one-") for name in read_checks(checks_path(study.clips_csv)))
    assert set(pq.read_table(study.candidates)["source_id"].to_pylist()) == {"one"}
    assert read_study_repeats(study).order == ("one",)
    assert "two" not in repeats_file(study).read_text(encoding="utf-8")
    prints = {source.source_id: "fp_b64" in source.measured for source in read_sources(study.sources_csv)}
    assert prints == {"one": True, "two": False}
    (row,) = read_table(study.takedowns_csv)
    assert row == {
        "date": "2026-11-21T12:00:00Z", "source_id": "two", "clips": ";".join(gone), "reason": "the owner asked"
    }  # fmt: skip
    stone = {row["source_id"]: row for row in read_table(study.sources_csv)}["two"]
    assert (stone["status"], stone["uri"], len(stone["sha256"])) == ("taken_down", "two.wav", 64)
    kept = {name for name in before if "releases" in name or "one" in Path(name).name or Path(name).name == "labels.db"}
    assert all(after[name] == before[name] for name in kept)
    for folder in (study.cache / "features", study.root / "data" / "_corpora" / "cache"):
        for made in (extractor("mean_vector"), Copy()):
            _, found = FeatureCache(folder).store(made).read(rows_of_both)
            assert found.sum() == len(rows_of_both) - len(gone)


@pytest.mark.parametrize("broken", range(len(STEPS)))
def test_an_interrupted_takedown_is_ended_by_the_same_command(
    study: Study, template: Path, tmp_path: Path, broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_work: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(takedown, "STEPS", (*STEPS[:broken], stop))
    with pytest.raises(KeyboardInterrupt):
        take_down(study, "two", "the owner asked", now=NOW)
    monkeypatch.undo()
    if broken:
        run.ingest(study, jobs=1)  # the night's run comes in between
    take_down(study, "two", "the owner asked", now=NOW)
    shutil.copytree(template, tmp_path / "whole")
    whole = Study(tmp_path / "whole", "night")
    take_down(whole, "two", "the owner asked", now=NOW)
    run.ingest(whole, jobs=1)
    run.ingest(study, jobs=1)
    assert state(study) == state(whole)
    again = take_down(study, "two")
    assert (again.is_again, again.files, again.feature_rows, again.reason) == (True, 0, 0, "the owner asked")
    assert state(study) == state(whole)


def test_what_many_machines_have_of_it_goes_too(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_STORAGE_URL", f"file://{tmp_path}/storage")
    storage = Storage(f"file://{tmp_path}/storage")
    sums = {source.source_id: source.measured["sha256"] for source in read_sources(study.sources_csv)}
    left = {name: storage.put_bytes(sha256, name.encode()) for name, sha256 in sums.items()}
    monkeypatch.setattr(
        Storage, "delete", lambda _storage, _recording: (_ for _ in ()).throw(StorageError("out of reach"))
    )
    with pytest.raises(StorageError, match="out of reach"):
        take_down(study, "two")
    monkeypatch.undo()
    monkeypatch.setenv("WORKBENCH_STORAGE_URL", f"file://{tmp_path}/storage")
    take_down(study, "two")
    assert [name for name, sha256 in sums.items() if storage.has(sha256, left[name])] == ["one"]


def test_a_machine_that_never_ingested_it_clears_what_others_left(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_STORAGE_URL", f"file://{tmp_path}/storage")
    storage = Storage(f"file://{tmp_path}/storage")
    sums = {source.source_id: source.measured["sha256"] for source in read_sources(study.sources_csv)}
    left = {name: storage.put_bytes(sha256, name.encode()) for name, sha256 in sums.items()}
    shutil.rmtree(study.private)  # as after a fresh checkout of the shareable half
    take_down(study, "two")
    assert [name for name, sha256 in sums.items() if storage.has(sha256, left[name])] == ["one"]


def test_no_sound_of_it_is_left_by_who_began_to_make_it_before(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night of making sounds reads its list once; the owner's file outside the study is there to be decoded."""
    monkeypatch.setenv("WORKBENCH_ROOT", str(study.root))
    shutil.rmtree(study.cache / "sound")

    def late(task: DecodeTask, tell: OnProgress) -> DecodedAudioFacts:
        if task.source_id == "one":
            take_down(study, "one")
        return decode_to_cache(task, tell)

    monkeypatch.setattr("pipelines.ingest.preview.decoded_audio.decode_to_cache", late)
    code, out, _ = call(capsys, "clips", "sound", "one", "two", "--json")
    told = json.loads(out)
    assert (code, told["made"], told["failed"]) == (3, ["two"], {"one": "'one' was taken down"})
    assert [path.name.partition(".")[0] for path in (study.cache / "sound").iterdir() if path.is_dir()] == ["two"]


def test_a_recording_laid_into_the_study_by_hand_goes_whatever_its_name(study: Study) -> None:
    moved = (study.media / "two.wav").rename(study.media / "Episode Two (final).wav")
    with open_queue(study.ingest_db) as queue:
        queue.put(replace(queue.items()["two"], path=str(moved)))
    done = take_down(study, "two")
    assert not moved.exists() and done.kept_files == ()


def test_the_same_recording_under_another_address_is_not_brought_back(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copy(study.media / "two.wav", folder / "again.wav")
    study.settings_file.write_text("allow_private_hosts = true\n" + study.settings_file.read_text())
    study = Study(study.root, "night")
    take_down(study, "two")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(handler.func, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (row,) = run.ingest(study, [f"http://127.0.0.1:{server.server_port}/again.wav"], jobs=1).sources
        server.shutdown()
    assert (row.status, row.reason_code) == ("failed", "taken_down"), row
    assert "source 'two', which was taken down" in row.reason
    assert not list(study.media.rglob("again*")) and not list(study.audio.glob("again*"))


def test_its_picks_and_speakers_are_not_written_again(study: Study) -> None:
    assert set(read_picks(study)) == {"one", "two"}
    take_down(study, "two")
    with open_store(study) as store:
        desk = Desk(study, store)
        assert not desk.write_tables()
        (refused,) = desk.record([CurationEvent("again", "r", "pick", "two", start_sample=9)]).refused
    assert refused.reason == "'two' was taken down"
    assert list(read_picks(study)) == ["one"] and list(read_speakers(study)) == ["one-000000313"]


def test_ingest_never_brings_it_back(study: Study, tmp_path: Path) -> None:
    copy = tmp_path / "other_name.wav"
    shutil.copy(study.media / "two.wav", copy)
    original = tmp_path / "two.wav"
    shutil.copy(copy, original)
    take_down(study, "two")
    before = state(study)
    for inputs in ([str(original)], [str(copy)], [str(study.sources_csv)]):
        report = run.ingest(study, inputs, jobs=1)
        row = report.sources[-1]
        assert (row.status, row.reason_code, row.source_id) == ("failed", "taken_down", "two")
        assert "was taken down and is not brought back" in row.reason
    night = run.ingest(study, jobs=1)
    assert (night.exit_code, [row.source_id for row in night.sources]) == (0, ["one"])
    assert state(study) == before


def test_its_address_is_not_even_asked(study: Study) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    study.settings_file.write_text("allow_private_hosts = true\n" + study.settings_file.read_text())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/play.mp3"
        lines = study.sources_csv.read_text().splitlines()
        row = ["web", address] + [""] * (lines[0].count(",") - 1)
        study.sources_csv.write_text("\n".join([*lines, ",".join(row)]) + "\n")
        take_down(Study(study.root, "night"), address)
        for inputs in ([address], [str(study.sources_csv)], []):
            report = run.ingest(Study(study.root, "night"), inputs, jobs=1)
            assert [row.reason_code for row in report.sources if row.source_id == "web"] == ["taken_down"] * bool(
                inputs
            )
        server.shutdown()
    assert asked == []


def test_a_file_of_the_owner_stays_and_is_named(study: Study) -> None:
    done = take_down(study, "one")
    assert [Path(path).name for path in done.kept_files] == ["one.wav"] and (study.root / "one.wav").is_file()
    assert not list(study.audio.glob("one-*"))


def test_what_cannot_be_taken_down_is_refused(study: Study) -> None:
    before = state(study)
    with pytest.raises(UnknownName, match="unknown source 'twoo'; did you mean 'two'"):
        take_down(study, "twoo")
    with pytest.raises(ConfigError, match="expected one line"):
        take_down(study, "two", "a\nb")
    assert state(study) == before


def test_the_commands_ask_first_and_a_release_names_what_was_withdrawn(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_ROOT", str(study.root))
    before = state(study)
    code, out, _ = call(capsys, "takedown", "two", "--json")
    assert code == 2 and "add --yes to do it" in json.loads(out)["error"] and state(study) == before
    code, out, _ = call(capsys, "release", "verify", "r1", "--json")
    assert (code, json.loads(out)["withdrawn"]) == (0, [])
    code, out, _ = call(capsys, "takedown", "two", "--yes", "--reason", "asked", "--json")
    done = json.loads(out)
    assert code == 0 and done["ok"] and done["releases"] == {"r1": len(done["clips"])}
    code, out, _ = call(capsys, "release", "verify", "r1", "--json")
    told = json.loads(out)
    assert code == 0 and told["ok"] and [row["clip_id"] for row in told["withdrawn"]] == done["clips"]
    assert told["withdrawn"][0]["reason"] == "asked"
    code, out, _ = call(capsys, "release", "verify", "r1")
    assert "is as it was made" in out and all(clip in out for clip in done["clips"])


TITLE = "The Night Bus, part two"


def titled(study: Study) -> Study:
    """The study with what a site would have said of 'two', and what pages and jobs wrote down of that."""
    sources = read_sources(study.sources_csv)
    facts = {"title": TITLE, "uploader": "the owner", "uploader_id": "@owner"}
    known = [
        replace(one, measured={**one.measured, **facts}) if one.source_id == "two" else one
        for one in sources
    ]  # fmt: skip
    study.sources_csv.write_text(sources_to_csv(known), encoding="utf-8")
    with open_queue(study.ingest_db) as queue:
        item = queue.items()["two"]
        queue.put(replace(item, facts={**item.facts, **facts}))
        queue.keep_outlook("two.wav", Outlook("reject", "private", f"{TITLE} is private", "gone"), 1e12)
        queue.put_video("two", MediaError("site_error", f"{TITLE}: no film", "gone"))
    asked_table(f"uri,rights_basis,notes\ntwo.wav,mine,{TITLE!r}\none.wav,mine,\n", study)
    folder = study.jobs / "look"
    folder.mkdir(parents=True)
    row = {"source_id": "two", "input": "two.wav", "reason": f"ERROR: {TITLE}: private"}
    (folder / "out.json").write_text(json.dumps({"sources": [row]}))
    (folder / "job.json").write_text(json.dumps({"title": "Look at 1 recording"}))
    (folder / "log.txt").write_text(f"{TITLE}\n")
    return study


def says(study: Study, words: str) -> list[str]:
    """Files of both halves that hold these words."""
    files = [file for half in (study.manifests, study.root / "data") for file in half.rglob("*") if file.is_file()]
    return sorted(str(file.relative_to(study.root)) for file in files if words.encode() in file.read_bytes())


def test_no_title_of_it_is_left_anywhere(study: Study) -> None:
    titled(study)
    assert len(says(study, TITLE)) == 5, "sources.csv, the queue, a pasted table, a job's result and its log"
    done = take_down(study, "two", now=NOW)
    assert (says(study, TITLE), says(study, "@owner"), done.files_wiped) == ([], [], 3)
    (stone,) = [source for source in read_sources(study.sources_csv) if source.source_id == "two"]
    assert stone.is_taken_down and stone.uri == "two.wav" and len(stone.measured["sha256"]) == 64
    again = take_down(study, "two")
    assert (again.files_wiped, again.running) == (0, ())


@pytest.mark.parametrize("broken", range(len(STEPS)))
def test_an_interrupted_takedown_leaves_no_title_either(
    study: Study, broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_work: object) -> None:
        raise KeyboardInterrupt

    titled(study)
    monkeypatch.setattr(takedown, "STEPS", (*STEPS[:broken], stop))
    with pytest.raises(KeyboardInterrupt):
        take_down(study, "two")
    monkeypatch.undo()
    take_down(study, "two")
    assert says(study, TITLE) == []


def test_sources_with_the_same_sound_are_named_before_and_after(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A re-upload is masked while the original is there: without a word it would come in by itself afterwards."""
    monkeypatch.setenv("WORKBENCH_ROOT", str(study.root))
    mono, rate_hz = audio.read_mono(study.media / "two.wav")
    audio.encode(tmp_path / "two_again.m4a", mono, rate_hz, "aac")
    run.ingest(study, [str(tmp_path / "two_again.m4a")], jobs=1)
    assert {row["source_id"]: row["dup_of"] for row in read_table(study.sources_csv)}["two_again"] == "two"
    assert not [clip for clip in read_clips(study.clips_csv) if clip.source_id == "two_again"]
    code, out, _ = call(capsys, "takedown", "two", "--json")
    assert code == 2 and "two_again" in json.loads(out)["error"].partition("the same sound is in ")[2]
    code, out, _ = call(capsys, "takedown", "two", "--yes")
    assert code == 0 and "Source 'two_again' is a re-upload of it: " in out
    assert "to withdraw it too: workbench takedown two_again --study night" in out
    run.ingest(study, jobs=1)
    assert [clip for clip in read_clips(study.clips_csv) if clip.source_id == "two_again"], "as was said"
    code, out, _ = call(capsys, "takedown", "two_again", "--yes", "--json")
    assert code == 0 and "two" not in [one["source_id"] for one in json.loads(out)["kin"]]
    run.ingest(study, jobs=1)
    assert {clip.source_id for clip in read_clips(study.clips_csv)} == {"one"}
