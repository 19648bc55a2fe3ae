"""A corpus that cannot be drawn costs a run its spectrograms and leaves a note, never its numbers."""

from dataclasses import replace

from pipelines.progress import ignore_progress
from pipelines.training.evaluation.spectrogram_comparison import beside
from tests.pipelines.training.synthetic_clips import labelled


def test_nothing_to_compare_has_a_reason(tmp_path):
    data = labelled(None)
    assert beside(data, data, tmp_path / "out", ignore_progress) == (None, [])
    happy = replace(data, name="acted", clips=tuple(clip for clip in data.clips if clip.label == "happy"))
    others = replace(data, clips=tuple(clip for clip in data.clips if clip.label != "happy"))
    told, notes = beside(others, happy, tmp_path / "out", ignore_progress)
    assert told is None and notes == ["no spectrograms beside 'acted': the two share no label"]


def test_missing_audio_has_a_reason(tmp_path):
    data = labelled(None)
    told, notes = beside(data, replace(data, name="acted"), tmp_path / "out", ignore_progress)
    assert told is None and notes[0].startswith("no spectrograms beside 'acted': ")
