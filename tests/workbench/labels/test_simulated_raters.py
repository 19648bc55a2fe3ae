"""Simulated raters: marked as machines, as wrong as stated, the same every time."""

import pytest

from pipelines.errors import DataError
from pipelines.study import create_study
from tests.workbench.silent_study import study_with_clips
from workbench.labels.queue import items, lease
from workbench.labels.simulated_raters import simulate
from workbench.store import open_store


def test_they_err_as_often_as_stated(tmp_path):
    study = study_with_clips(tmp_path, 900)
    truth = {clip_id: study.scheme.label_names[n % 5] for n, clip_id in enumerate(items(study).clip_ids)}
    made = simulate(study, truth=truth, error_rates=(0.0, 0.3))
    assert (made.raters, made.annotations, made.added) == (("simulated-1", "simulated-2"), 1800, 1800)
    with open_store(study) as store:
        for rater, rate in zip(made.raters, made.error_rates, strict=True):
            answers = store.standing(rater=rater)
            wrong = sum(one.label != truth[one.clip_id] for one in answers) / len(answers)
            assert wrong == pytest.approx(rate, abs=0.05)
            assert {one.rater_kind for one in answers} == {"machine"}
        assert all("imulated" in rater.name for rater in store.raters())


def test_a_second_time_adds_nothing_and_new_clips_change_nothing(tmp_path):
    study = study_with_clips(tmp_path, 20)
    first = simulate(study, seed=4)
    assert (first.annotations, first.truth_known) == (60, False)
    assert simulate(study, seed=4).added == 0
    with open_store(study) as store:
        before = {(one.clip_id, one.rater): one.label for one in store.standing()}
    grown = study_with_clips(tmp_path / "more", 30)
    simulate(grown, seed=4)
    with open_store(grown) as store:
        after = {(one.clip_id, one.rater): one.label for one in store.standing()}
    assert {key: after[key] for key in before} == before


def test_people_still_have_everything_to_label(tmp_path):
    study = study_with_clips(tmp_path, 6)
    simulate(study)
    with open_store(study) as store:
        store.add_rater("ann")
        assert len(lease(store, items(study), "ann", 10)) == 6


def test_what_cannot_be_simulated_is_said(tmp_path):
    with pytest.raises(DataError, match="has no clips yet"):
        simulate(create_study("empty", root=tmp_path))
    study = study_with_clips(tmp_path, 3)
    with pytest.raises(DataError, match="'rage'; expected one of happy"):
        simulate(study, truth={items(study).clip_ids[0]: "rage"})
    with pytest.raises(DataError, match="names no clip"):
        simulate(study, truth={"x": "sad"})
    with pytest.raises(DataError, match="between 0 and 1"):
        simulate(study, error_rates=(1.5,))
    with open_store(study) as store:
        store.add_rater("simulated-1")
    with pytest.raises(DataError, match="is called 'simulated-1'"):
        simulate(study)
