"""One name for a study or a corpus."""

import pytest

from pipelines.corpora import add
from pipelines.errors import UnknownName
from tests.synthetic_corpora import tess
from tests.workbench.silent_study import study_with_clips
from workbench.labels.simulated_raters import simulate
from workbench.releases.create import create_release
from workbench.releases.datasets import labelled_clips


def test_a_study_stands_for_its_release_else_its_labels_now(tmp_path):
    study = study_with_clips(tmp_path, 6)
    simulate(study)
    assert labelled_clips(tmp_path, "night").origin["kind"] == "snapshot"
    create_release(study, "r1")
    found = labelled_clips(tmp_path, "night")
    assert (found.origin["kind"], found.origin["name"], found.name) == ("release", "r1", "night")


def test_a_corpus_by_its_name(tmp_path):
    add(tmp_path, "acted", tess(tmp_path / "files").folder, "tess")
    found = labelled_clips(tmp_path, "acted")
    assert found.group_word == "speaker"
    assert found.labels == ("happy", "sad", "angry", "fearful", "neutral")


def test_an_unknown_name_lists_both(tmp_path):
    study_with_clips(tmp_path, 3)
    add(tmp_path, "acted", tess(tmp_path / "files").folder, "tess")
    with pytest.raises(UnknownName, match="known: acted, night"):
        labelled_clips(tmp_path, "zzz")
    with pytest.raises(UnknownName, match="did you mean 'night'"):
        labelled_clips(tmp_path, "nigth")
