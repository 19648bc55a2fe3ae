"""Caps on their way from study.toml and speakers.csv into clips.csv, and back out."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipelines.ingest.selection.manual_picks import Speaker, read_picks, speakers_file, speakers_to_csv
from pipelines.ingest.selection.speaker_quotas import read_clip_speakers
from pipelines.ingest.selection.threshold_preview import preview_thresholds, read_candidates
from pipelines.ingest.state.queue import Queue
from pipelines.manifest import read_clips, read_table
from pipelines.study import Study, create_study
from tests.pipelines.ingest.run.test_finalize import bounds, decodes, fresh, media, recordings, result, retable, study
from tests.pipelines.ingest.run.test_run import RIGHTS, ingest

__all__ = ["media", "recordings", "study"]


def cap(study: Study, text: str) -> None:
    bounds(study, f"[select]\nrandom_share = 0.5\n{text}")


def say(study: Study, speaker: str) -> None:
    said = {row["clip_id"]: Speaker(speaker, "") for row in read_table(study.clips_csv)}
    speakers_file(study).write_text(speakers_to_csv(said))


def reasons(study: Study) -> Counter[str]:
    return Counter(code for codes in read_candidates(study.candidates).reasons for code in codes)


def foreseen(study: Study) -> bool:
    """Whether the page would say that bounds as they are keep what is kept, and for the same reasons."""
    study = Study(study.root, study.name)
    candidates = read_candidates(study.candidates)
    said = read_clip_speakers(study, candidates.rows_by_source.keys())
    told = preview_thresholds(candidates, study.settings, {}, picks=read_picks(study), speakers=said)
    return [(one.status, one.reasons) for one in told.decisions] == list(
        zip(candidates.status, candidates.reasons, strict=True)
    )


def test_caps_decode_nothing_and_end_as_if_they_had_always_stood_there(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap(study, "")
    ingest(study, media)
    say(study, "the landlady")
    cap(study, "")
    retable(study)
    free = result(study)
    everything = read_clips(study.clips_csv)
    with decodes(monkeypatch) as opened:
        cap(study, "max_per_source = 2\n")
        assert retable(study).rejected["source_full"] == len(everything) - 4 > 0
        two = read_clips(study.clips_csv)
        assert Counter(clip.source_id for clip in two) == {"one": 2, "two": 2} and foreseen(study)
        assert {clip.clip_id for clip in two} < {clip.clip_id for clip in everything}
        assert not {clip.config_hash for clip in two} & {clip.config_hash for clip in everything}

        cap(study, "max_per_source = 2\nmax_per_speaker = 3\n")
        retable(study)
        three = read_clips(study.clips_csv)
        assert {clip.clip_id for clip in three} < {clip.clip_id for clip in two} and len(three) == 3
        assert reasons(study)["speaker_full"] == 1 and foreseen(study)
        before = result(study)
        assert retable(study).changed is False

        say(study, "somebody else")  # of three clips; the fourth is not said to be anybody's
        retable(study)
        assert len(read_clips(study.clips_csv)) == 4 and foreseen(study)
        speakers_file(study).write_text(
            speakers_to_csv({clip.clip_id: Speaker("the landlady", "") for clip in everything})
        )
        retable(study)
        assert result(study) == before
        cap(study, "")
        retable(study)
        assert result(study) == free and opened == []
    cap(study, "max_per_source = 2\nmax_per_speaker = 3\n")
    assert {**result(fresh(study, media, tmp_path))} == before


def test_stopped_between_any_two_sources_it_ends_in_the_same_bytes(study: Study, media: Path, tmp_path: Path) -> None:
    cap(study, "")
    ingest(study, media)
    say(study, "the landlady")
    cap(study, "max_per_source = 3\nmax_per_speaker = 2\n")
    real, left, ended = Queue.decide, 0, False

    def decide(*args: object) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(*args)  # type: ignore[arg-type]

    for allowed in range(9):
        left = allowed
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Queue, "decide", decide)
            try:
                retable(study)
                ended = True
            except KeyboardInterrupt:
                pass
    assert ended
    retable(study)
    assert result(study) == result(fresh(study, media, tmp_path))


def test_clips_of_sources_that_another_machine_has_count_and_stay(study: Study, media: Path, tmp_path: Path) -> None:
    cap(study, "")
    ingest(study, media)
    say(study, "the landlady")
    here = create_study("night", rights_basis=RIGHTS, root=tmp_path / "here")
    for name in ("study.toml", "sources.csv", "clips.csv", "speakers.csv"):
        shutil.copy(study.manifests / name, here.manifests / name)
    theirs = {clip.clip_id for clip in read_clips(study.clips_csv) if clip.source_id == "two"}
    cap(here, f"max_per_speaker = {len(theirs) + 1}\n")
    for _ in range(2):
        ingest(Study(here.root, here.name), media / "one.wav")
        kept = {clip.clip_id for clip in read_clips(here.clips_csv)}
        assert theirs < kept and len(kept) == len(theirs) + 1
        assert foreseen(here)
