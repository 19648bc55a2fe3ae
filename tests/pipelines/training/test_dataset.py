"""Features in row order, copies kept apart in the cache, and a scaler that has seen training rows only."""

import json

import numpy as np
import pytest

from pipelines.errors import Cancelled
from pipelines.features import extractor, features
from pipelines.features.preparation import prepare
from pipelines.media.audio import read_mono
from pipelines.recipes.recipe import load_recipe
from pipelines.training import dataset, make_plan
from pipelines.training.augmentation import CLEAN
from pipelines.training.dataset import Scaler, make_dataset, scaler_of
from tests.pipelines.training.synthetic_clips import labelled

COPIES = "augmentation.copies=['noise', 'shift']"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return labelled(tmp_path_factory.mktemp("audio"), groups=4, seconds=0.2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def silent(_):
    pass


def test_rows_hold_their_own_clips_features(made, cache):
    plan = make_plan(load_recipe("soap_five", [COPIES, "features.scaling=none"]), made)
    table = make_dataset(plan, cache, silent, 1)
    assert table.inputs.shape == (len(plan.rows), 162) and table.inputs.dtype == np.float32
    clean = [number for number, row in enumerate(plan.rows) if row.copy == "clean"]
    again = features(extractor("mean_vector"), [plan.clips[plan.rows[n].clip_id] for n in clean], cache, workers=1)
    assert np.array_equal(table.inputs[clean], again)
    assert [plan.labels[n] for n in table.truth] == [row.label for row in plan.rows]
    by_copy = {(row.clip_id, row.copy): table.inputs[number] for number, row in enumerate(plan.rows)}
    some = next(row.clip_id for row in plan.rows if row.copy == "noise")
    assert not np.array_equal(by_copy[some, "noise"], by_copy[some, "clean"])
    assert not np.array_equal(by_copy[some, "noise"], by_copy[some, "shift"])


def test_the_scaler_has_seen_training_rows_only(made, cache, monkeypatch):
    plan = make_plan(load_recipe("soap_five", [COPIES]), made)
    raw = make_dataset(make_plan(load_recipe("soap_five", [COPIES, "features.scaling=none"]), made), cache, silent, 1)
    table = make_dataset(plan, cache, silent, 1)
    train = raw.inputs[plan.of("train")]
    assert np.allclose(table.scaler.mean, train.mean(axis=0), rtol=1e-5)
    inside = table.inputs[plan.of("train")]
    assert np.abs(inside.mean(axis=0)).max() < 1e-3
    # What stands in the other parts may be anything: the scaler must not move.
    original = dataset.feature_rows
    seen = []

    def disturbed(rows, *more, **named):
        values = original(rows, *more, **named).copy()
        for number, (_, clip) in enumerate(rows):
            if clip.clip.group_id in {plan.rows[n].group_id for n in plan.of("test") + plan.of("valid")}:
                values[number] += 1e6
                seen.append(clip)
        return values

    monkeypatch.setattr(dataset, "feature_rows", disturbed)
    moved = make_dataset(plan, cache, silent, 1)
    assert seen
    assert np.array_equal(moved.scaler.mean, table.scaler.mean)
    assert np.array_equal(moved.scaler.scale, table.scaler.scale)


def test_audio_is_prepared_before_it_is_augmented_and_measured(made, cache):
    half = ["audio.offset_s=0.2", "audio.duration_s=0.3", "audio.peak_normalize=true", COPIES, "features.scaling=none"]
    plan = make_plan(load_recipe("soap_five", half), made)
    table = make_dataset(plan, cache, silent, 1)
    for number in [*plan.of("train")[:4], *plan.of("test")[:2]]:
        row = plan.rows[number]
        mono, rate_hz = read_mono(plan.clips[row.clip_id].path, plan.extractor.rate_hz)
        audio = prepare(mono, rate_hz, plan.recipe.audio)
        audio = audio if row.copy == CLEAN else plan.chains[row.copy](audio, rate_hz)
        assert np.array_equal(table.inputs[number], plan.extractor(audio, rate_hz))


def test_scaler_agrees_with_scikit_learn_and_survives_json():
    from sklearn.preprocessing import StandardScaler

    values = np.random.default_rng(0).normal(3, 2, (50, 7)).astype(np.float32)
    values[:, 3] = 4.2
    scaler = Scaler.fit(values)
    assert np.allclose(scaler(values), StandardScaler().fit_transform(values.astype(float)), atol=1e-5)
    again = scaler_of(json.loads(json.dumps(scaler.document())))
    assert np.array_equal(again(values), scaler(values))


def test_a_cancel_while_extracting_passes_through(made, tmp_path):
    def stop(progress):
        if progress.done >= 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        make_dataset(make_plan(load_recipe("soap_five", [COPIES]), made), tmp_path / "cache", stop, 1)
