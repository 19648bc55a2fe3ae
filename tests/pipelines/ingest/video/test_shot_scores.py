"""Where a film cuts, on its way into what is decided of the sound: later, and without hearing the sound again."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.errors import Cancelled
from pipelines.execution.process_pool import Failed, WorkerCrashed
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import run
from pipelines.ingest.selection.decision import ScoredWindow
from pipelines.ingest.selection.manual_picks import Pick, picks_file, picks_to_csv
from pipelines.ingest.selection.screens import SCREENS, config_hash
from pipelines.ingest.selection.threshold_preview import read_candidates
from pipelines.ingest.state.queue import Item, Queue, open_queue
from pipelines.ingest.video import shot_scores as films
from pipelines.ingest.video.shot_detection import ALGORITHM, shot_cut_score
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.study import Study, StudySettings, create_study
from tests.pipelines.ingest.run.test_finalize import decodes, result
from tests.synthetic_audio import noise, voice

RATE = 16000
#: Seconds of the sound at which the film cuts.
CUTS = (1.4, 9.5, 14.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`talk.wav`, and `talk.mkv` with the same sound and a picture that cuts at CUTS."""
    folder = tmp_path_factory.mktemp("made")
    parts = []
    for turn, (pause, length) in enumerate(((0.5, 2.8), (0.7, 7.0), (0.6, 3.2), (0.5, 2.8), (0.7, 4.5))):
        parts += [noise(pause, RATE, 0.001, turn), 0.3 * voice(length, RATE, 115.0 + 9 * turn, turn)]
    sound = np.concatenate(parts)
    audio.encode(folder / "talk.wav", sound, RATE, "pcm16")
    rng = np.random.default_rng(0)
    with av.open(str(folder / "talk.mkv"), "w") as container:
        spoken = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        picture = container.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        shots = [np.kron(rng.integers(20, 230, (6, 8)), np.ones((8, 8))).astype(np.uint8) for _ in range(4)]
        for number in range(len(sound) * 10 // RATE):
            shot = shots[sum(number / 10 >= cut for cut in CUTS)]
            frame = av.VideoFrame.from_ndarray(shot, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        pcm = (sound * 32767).astype(np.int16)
        for start in range(0, len(pcm), 1600):
            heard = av.AudioFrame.from_ndarray(pcm[None, start : start + 1600].copy(), format="s16", layout="mono")
            heard.sample_rate, heard.pts = RATE, start
            container.mux(spoken.encode(heard))
        container.mux(spoken.encode(None))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return new(tmp_path / "root")


def new(root: Path, film: bool = True) -> Study:
    study = create_study("films", rights_basis="made for this test", root=root)
    others = [name for name in SCREENS if name not in ("speech_ratio", "longest_pause_s", "shot_cut")]
    opened = "".join(f"[screen.{name}]\n" for name in others)
    study.settings_file.write_text(f"{study.settings_file.read_text()}[select]\nrandom_share = 0\n{opened}")
    asks(study, film)
    return study


def asks(study: Study, film: bool) -> None:
    head = study.settings_file.read_text().partition("\n[fetch]")[0]
    study.settings_file.write_text(f"{head}\n[fetch]\nvideo = {str(film).lower()}\n")


def ingest(study: Study, *inputs: Path, retry_failed: bool = False) -> IngestReport:
    asked = [str(path) for path in inputs]
    return run.ingest(Study(study.root, study.name), asked, jobs=1, retry_failed=retry_failed)


def retable(study: Study) -> IngestReport:
    return run.retable(Study(study.root, study.name), jobs=1)


def middles(study: Study) -> list[bool]:
    """Of each clip, whether the film cuts in its middle half."""
    places = [(clip.start_sample / RATE, clip.n_samples / RATE) for clip in read_clips(study.clips_csv)]
    return [any(at + n / 4 < cut < at + 3 * n / 4 for cut in CUTS) for at, n in places]


def test_a_recording_with_video_is_analysed_where_the_study_fetches_video(
    study: Study, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = Path(shutil.copy(made / "talk.mkv", tmp_path / "talk.mkv"))
    asks(study, False)
    ingest(study, media)
    candidates = read_candidates(study.candidates)
    assert np.isnan(candidates.scores["shot_cut"]).all() and any(middles(study))
    without, heard_only = result(study), read_clips(study.clips_csv)

    asks(study, True)
    with decodes(monkeypatch) as opened:
        told_now = ingest(study)
        assert [(row.status, row.left) for row in told_now.sources[1:]] == [("left", {"shot_cut_high": 2})]
        assert told_now.changed and told_now.clips == 5
        assert opened == ["talk.mkv"]  # nothing is heard again; decoded for a clip that was never cut
    assert not any(middles(study)) and {clip.metrics["shot_cut"] for clip in read_clips(study.clips_csv)} >= {0.0}
    candidates = read_candidates(study.candidates)
    for window, score in zip(candidates.windows, candidates.scores["shot_cut"], strict=True):
        at = window.start_sample / RATE
        assert score == pytest.approx(shot_cut_score(CUTS, at, at + 3), abs=0.1)
    told = dict(zip(candidates.clip_ids, zip(candidates.status, candidates.reasons, strict=True), strict=True))
    now = {clip.clip_id for clip in read_clips(study.clips_csv)}
    gone = {clip.clip_id for clip in heard_only} - now
    assert {told[name] for name in gone} == {("review", ("shot_cut_high",))} and len(gone) == 2
    assert now - {clip.clip_id for clip in heard_only} == {"talk-000000956"}  # had stood over one of them

    after = result(study)
    with decodes(monkeypatch) as opened:
        monkeypatch.setattr(films, "run_each", lambda work, tasks, **_: iter(()) if not tasks else 1 / 0)
        assert not ingest(study).changed and result(study) == after and opened == []  # a film is looked at once
    monkeypatch.undo()
    again = new(tmp_path / "again")
    first = ingest(again, media)
    assert [row.status for row in first.sources] == ["ingested"]  # what was never in the study does not leave it
    assert first.clips == len(now) and first.changed
    assert result(again) == after
    asks(study, False)
    retable(study)
    assert result(study) == without


def test_a_later_video_adds_scores_without_a_new_audio_analysis(
    study: Study, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, Path(shutil.copy(made / "talk.wav", tmp_path / "talk.wav")))
    assert any(middles(study))
    picks_file(study).write_text(picks_to_csv({"talk": [Pick(round(7.4 * RATE), 3 * RATE)]}))
    retable(study)
    study.video.mkdir()
    shutil.copy(made / "talk.mkv", study.video / "talk.mkv")
    with decodes(monkeypatch) as opened:
        ingest(study)
        assert "*" not in opened
    by_arm = {clip.arm: clip for clip in read_clips(study.clips_csv)}
    assert by_arm["picked"].metrics["shot_cut"] == pytest.approx(shot_cut_score((9.5,), 7.4, 10.4), abs=0.1)
    assert sum(middles(study)) == 1  # what was picked by hand stays
    (study.video / "talk.mkv").unlink()
    before = result(study)
    ingest(study)
    assert result(study) == before  # what was seen stays known


def test_a_video_that_cannot_be_analysed_is_one_sentence_and_not_retried(
    study: Study, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, Path(shutil.copy(made / "talk.wav", tmp_path / "talk.wav")))
    before = result(study)
    study.video.mkdir()
    (study.video / "talk.mp4").write_bytes(b"no film at all" * 99)
    (row,) = ingest(study).sources
    assert row.status == "unchanged" and "could not be analysed" in row.video and result(study) == before
    with monkeypatch.context() as patched:
        patched.setattr(films, "run_each", lambda work, tasks, **_: iter(()) if not tasks else 1 / 0)
        (row,) = ingest(study).sources
        assert "could not be analysed" in row.video
    monkeypatch.setattr(films, "run_each", lambda work, tasks, **_: [(name, CUTS) for name in tasks])
    row, *_ = ingest(study, retry_failed=True).sources
    assert row.video == "" and row.rejected["shot_cut_high"] and not any(middles(study))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WorkerCrashed("died twice"), "analysed: died twice"),
        (MemoryError(), "analysed: MemoryError"),
        (KeyError("x"), "please report"),
    ],
)
def test_no_video_error_ends_a_run(
    study: Study, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    failed = Failed(error)
    monkeypatch.setattr(films, "run_each", lambda work, tasks, **_: [(name, failed) for name in tasks])
    (row,) = ingest(study, Path(shutil.copy(made / "talk.mkv", tmp_path / "talk.mkv"))).sources
    assert row.status == "ingested" and words in row.video and read_clips(study.clips_csv)


def test_an_unreadable_video_does_not_end_a_run(
    study: Study, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, Path(shutil.copy(made / "talk.wav", tmp_path / "talk.wav")))
    study.video.mkdir()
    film, real = Path(shutil.copy(made / "talk.mkv", study.video / "talk.mkv")), Queue.sha256

    def sha256(queue: Queue, path: Path) -> str:
        if path == film:
            raise PermissionError(13, "Permission denied", str(path))
        return real(queue, path)

    monkeypatch.setattr(Queue, "sha256", sha256)
    (row,) = ingest(study).sources
    assert row.status == "unchanged" and "Permission denied" in row.video


def test_cancelling_works_between_two_videos(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def stop(_: Progress) -> None:
        if read:
            raise Cancelled("enough")

    study.video.mkdir(parents=True)
    for name in ("one", "two"):
        (study.video / f"{name}.mp4").touch()
    monkeypatch.setattr(Queue, "sha256", lambda _queue, path: read.append(path.name) or "")
    with open_queue(study.ingest_db) as queue, pytest.raises(Cancelled):
        films.detect_shots(study, queue, [Item("one", "one"), Item("two", "two")], stop)
    assert read == ["one.mp4"]


def test_cancelled_anywhere_a_rerun_gives_the_same_bytes(study: Study, made: Path, tmp_path: Path) -> None:
    media = Path(shutil.copy(made / "talk.mkv", tmp_path / "talk.mkv"))
    stages: list[str] = []
    for stop_at in range(40):
        seen: list[str] = []

        def report(told: Progress, seen: list[str] = seen, stop_at: int = stop_at) -> None:
            if told.stage in ("shots", "decide", "cut"):
                seen.append(told.stage)
                if len(seen) > stop_at // 2:
                    raise KeyboardInterrupt

        try:
            run.ingest(Study(study.root, study.name), [str(media)], jobs=1, report=report)
            break
        except KeyboardInterrupt:
            stages += seen[-1:]
    else:
        pytest.fail("it never ended")
    assert {"shots", "decide"} <= set(stages)
    other = new(tmp_path / "other")
    ingest(other, media)
    assert result(study) == result(other) and not any(middles(study))


def test_cuts_are_in_seconds_of_the_audio_and_absent_where_it_has_gaps(tmp_path: Path) -> None:
    facts: Mapping[str, str] = {"sample_rate_hz": str(RATE), "first_pts_s": "0.500000"}
    item = Item("a", "a", status="done", facts=facts)
    study = new(tmp_path / "root")
    with open_queue(study.ingest_db) as queue:
        queue.put_film("a", ALGORITHM, (1.0, 2.5))
        queue.put_film("b", ALGORITHM, None, "could not be")
        assert films.cuts_by_source(study, queue, {"a": item, "b": replace(item, source_id="b")}) == {"a": (0.5, 2.0)}
        assert films.cuts_by_source(study, queue, {"a": replace(item, reason_code="gaps")}) == {}
        assert films.cuts_by_source(study, queue, {}) == {}
        queue.forget("a", (), "a")  # as a takedown does
        assert queue.films().keys() == {"b"}
    window = ScoredWindow(0, 3 * RATE, 0.0, {"speech_ratio": 0.9, "shot_cut": 0.4})
    assert films.with_shot_score(window, RATE, (1.5,)).scores == {"speech_ratio": 0.9, "shot_cut": 1.0}
    assert films.with_shot_score(window, RATE, None).scores == {"speech_ratio": 0.9, "shot_cut": None}
    assert json.dumps(films.with_shot_score(window, RATE, (0.1,)).scores["shot_cut"])


def test_the_config_hash_depends_on_the_video_setting() -> None:
    plain = StudySettings(name="x")
    asking = plain.model_copy(update={"fetch": plain.fetch.model_copy(update={"video": True})})
    assert config_hash(plain, "r") != config_hash(asking, "r")
