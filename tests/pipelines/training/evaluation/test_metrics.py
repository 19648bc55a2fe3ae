"""Numbers of a model against scikit-learn, and by hand where scikit-learn has no say."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.training.evaluation import metrics as evaluate

LABELS = ("happy", "sad", "angry", "fearful", "neutral")
pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def metrics(truth, predicted, groups=None, labels=LABELS):
    truth, predicted = np.asarray(truth), np.atleast_2d(predicted)
    groups = groups or [str(number) for number in range(len(truth))]
    return evaluate.evaluate(truth, predicted, groups, labels, common=labels[0])


@given(pairs)
def test_agrees_with_scikit_learn(drawn):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from sklearn import metrics as sk

    truth, predicted = (np.array(column) for column in zip(*drawn, strict=True))
    found = metrics(truth, predicted)
    assert found["confusion"]["counts"] == sk.confusion_matrix(truth, predicted, labels=range(5)).tolist()
    assert found["accuracy"]["value"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert found["macro_f1"]["value"] == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        truth, predicted, labels=range(5), zero_division=np.nan
    )
    for number, row in enumerate(found["per_class"]):
        assert row["support"] == support[number]
        for name, expected in (("precision", precision[number]), ("recall", recall[number]), ("f1", f1[number])):
            value = row[name]["value"]
            assert np.isnan(expected) if value is None else value == pytest.approx(expected)


def test_never_predicted_and_never_there_have_reasons():
    found = metrics([0, 0, 1], [0, 2, 0])
    by_label = {row["label"]: row for row in found["per_class"]}
    assert by_label["sad"]["precision"] == {"value": None, "reason": "undefined for these items", "n": 0}
    assert by_label["angry"]["recall"]["value"] is None and by_label["angry"]["support"] == 0
    assert by_label["sad"]["recall"]["value"] == 0 and by_label["sad"]["recall"]["n"] == 1
    assert by_label["happy"]["precision"]["n"] == 2


def test_several_seeds_are_averaged_and_their_spread_told():
    truth = np.array([0, 1, 0, 1])
    found = metrics(truth, [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0]], labels=("a", "b"))
    assert found["accuracy"]["value"] == pytest.approx(0.5)
    assert found["seeds"]["accuracy"] == [1.0, 0.0, 0.5]
    assert found["seeds"]["spread"] == pytest.approx(0.5)
    assert found["accuracy"]["n"] == 4
    assert sum(map(sum, found["confusion"]["counts"])) == 12
    assert metrics(truth, [0, 1, 0, 1], labels=("a", "b"))["seeds"]["spread"] is None


def test_intervals_resample_groups():
    truth = np.zeros(200, dtype=int)
    predicted = np.repeat([0, 1] * 4, 25)
    wide = metrics(truth, predicted, [str(i // 25) for i in range(200)])["accuracy"]
    narrow = metrics(truth, predicted)["accuracy"]
    assert wide["value"] == narrow["value"] == 0.5
    assert wide["high"] - wide["low"] > 3 * (narrow["high"] - narrow["low"])


def test_chance_is_the_training_parts_most_common_label():
    found = metrics([0, 0, 0, 1], [1, 1, 1, 1])["chance"]
    assert found["uniform"] == 0.2
    assert found["most_common"]["label"] == "happy" and found["most_common"]["accuracy"]["value"] == 0.75


def test_table_has_the_papers_layout_with_its_numbers_beside():
    published = {"classes": [{"label": "happy", "precision": 0.4, "recall": 0.14, "f1": 0.21}]}
    rows = evaluate.table(metrics([0, 1], [0, 0]), published)
    assert rows[0] == {
        "label": "happy",
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "support": 1,
        "published_precision": 0.4,
        "published_recall": 0.14,
        "published_f1": 0.21,
    }
    assert rows[1]["published_f1"] is None and rows[1]["precision"] is None


@given(pairs)
def test_confusion_counts_every_item_once(drawn):
    truth, predicted = (np.array(column) for column in zip(*drawn, strict=True))
    counts = np.array(metrics(truth, predicted)["confusion"]["counts"])
    assert counts.sum() == len(drawn)
    assert np.trace(counts) == (truth == predicted).sum()
