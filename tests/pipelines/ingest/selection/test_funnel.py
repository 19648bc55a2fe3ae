"""pipelines.ingest.selection.funnel and standing: counted from what a real ingest left behind."""

import sqlite3
from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.ingest.selection.funnel import Funnel, funnel
from pipelines.ingest.selection.threshold_preview import Candidates, preview_thresholds, read_candidates
from pipelines.ingest.state.queue import open_queue
from pipelines.ingest.state.status import opened_beside, source_standings, unlisted_inputs
from pipelines.manifest import read_clips
from pipelines.study import ScreenThresholds, Study, create_study


@pytest.fixture
def study(ingested: Study) -> Study:
    return ingested


def counted(study: Study) -> tuple[Candidates, Funnel]:
    candidates = read_candidates(study.candidates)
    spoken = {one.source_id: (one.seconds or 0.0, one.speech_s or 0.0) for one in source_standings(study)}
    return candidates, funnel(candidates, study.settings, spoken)


def test_no_step_leaves_more_than_the_one_before_it(study: Study) -> None:
    candidates, found = counted(study)
    seconds = [step.seconds for step in found.steps]
    assert [step.name for step in found.steps][0::2][0] == "audio" and found.steps[-1].name == "speech in clips"
    assert seconds[:-1] == sorted(seconds[:-1], reverse=True) and 0 < seconds[-1] <= seconds[0]
    clips = read_clips(study.clips_csv)
    inside = sum((clip.metrics["speech_ratio"] or 0) * clip.n_samples / clip.rate_hz for clip in clips)
    assert seconds[-1] == pytest.approx(inside, rel=1e-3)
    assert sum(found.arms.values()) == len(clips) == found.statuses["keep"]
    assert sum(found.reasons.values()) == len(candidates) - len(clips)


def test_quarters_by_loudness_hold_every_window_of_speech_once(study: Study) -> None:
    candidates, found = counted(study)
    assert len(found.loudness_quartiles) == 4
    spoken = int((candidates.scores["speech_ratio"] >= 0.6).sum())
    assert sum(one.windows for one in found.loudness_quartiles) == spoken
    assert all(one.passing <= one.windows and one.low <= one.high for one in found.loudness_quartiles)
    assert [one.low for one in found.loudness_quartiles] == sorted(one.low for one in found.loudness_quartiles)
    bounds = {**study.settings.screen, "loudness_lufs": ScreenThresholds(max=found.loudness_quartiles[1].high)}
    strict = study.settings.model_copy(update={"screen": bounds})
    loud = funnel(candidates, strict, {}).loudness_quartiles
    assert loud[-1].passing == 0 < loud[0].passing, "a choice that turns the loud away shows"


def test_what_a_page_foretells_is_what_the_study_becomes(study: Study) -> None:
    candidates = read_candidates(study.candidates)
    now = preview_thresholds(candidates, study.settings, {})
    assert (now.gained, now.lost) == ((), ()) and now.n_kept == len(read_clips(study.clips_csv))


def test_standings_tell_of_every_source_beside_a_run(study: Study, tmp_path: Path) -> None:
    with open_queue(study.ingest_db):
        standings = source_standings(study)  # another run holds the lock, and this is not refused
        with pytest.raises(ConfigError, match="another ingest"), open_queue(study.ingest_db):
            pass
    assert [(one.source_id, one.state, one.listed) for one in standings] == [
        ("episode_1", "done", True), ("episode_2", "done", True)
    ]  # fmt: skip
    assert all(0 < (one.speech_s or 0) < (one.seconds or 0) and one.attempts == 1 for one in standings)
    assert all(one.path is not None and one.path.is_file() for one in standings)
    assert unlisted_inputs(standings) == ()


def test_a_source_that_no_table_lists_is_still_told(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made up", root=tmp_path)
    assert source_standings(study) == ()
    with opened_beside(study) as queue:
        assert queue is None
    study.sources_csv.write_text("uri,rights_basis\nhttps://example.org/a.mp4,mine\n")
    (waiting,) = source_standings(study)
    assert (waiting.state, waiting.source_id, waiting.uri) == ("waiting", "", "https://example.org/a.mp4")
    with open_queue(study.ingest_db):
        pass
    with sqlite3.connect(study.ingest_db) as db:
        db.execute(
            "INSERT INTO items (source_id, uri, status, reason_code, reason, failure, attempts) "
            "VALUES ('b', 'https://example.org/b.mp4', 'failed', 'too_many_requests', 'asked for a rest', 'defer', 2)"
        )
        db.execute("INSERT INTO hosts VALUES ('example.org', 4e9, 1)")
    _, failed = source_standings(study)
    assert (failed.state, failed.failure, failed.attempts, failed.listed) == ("failed", "defer", 2, False)
    assert failed.until == 4e9, "its host rests"
    assert unlisted_inputs((failed,)) == ("https://example.org/b.mp4",)
