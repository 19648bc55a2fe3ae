"""Figures say what they should: same colours and order, units, intervals, shared scales."""


import pytest

from pipelines.schemes import load_scheme
from workbench.app import charts

FIVE = load_scheme("five")
ENTRIES = FIVE.view_entries("five")


def test_bars_stand_in_scheme_order_in_the_schemes_colours() -> None:
    figure = charts.label_counts(ENTRIES, {"neutral": 3, "happy": 12})
    (bars,) = figure.data
    assert list(bars.x) == ["▲ Happy", "▼ Sad", "◆ Angry", "■ Fearful", "● Neutral"]
    assert list(bars.y) == [12, 0, 0, 0, 3]
    assert list(bars.marker.color) == ["#E69F00", "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"]
    assert figure.layout.yaxis.title.text == "clips"


def test_the_kappa_map_is_symmetric_on_a_fixed_scale_and_tells_intervals() -> None:
    pairs = [
        {"a": "ann", "b": "bo", "n": 40, "kappa": {"value": 0.512345, "low": 0.4, "high": 0.6, "n": 40}},
        {"a": "ann", "b": "cy", "n": 0, "kappa": {"value": None, "reason": "no clip in common", "n": 0}},
        {"a": "ann", "b": "gone", "n": 1, "kappa": {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}},
    ]
    (cells,) = charts.kappa_map(["ann", "bo", "cy"], pairs).data
    assert cells.z[0][1] == cells.z[1][0] == pytest.approx(0.512345)
    assert cells.z[0][0] is None and cells.z[1][2] is None
    assert (cells.zmin, cells.zmax) == (0.0, 1.0)
    assert "0.512 (95 % interval 0.4 to 0.6, n = 40 clips)" in cells.customdata[0][1]
    assert "no clip in common" in cells.customdata[0][2]


def test_confusion_is_coloured_by_row_and_an_empty_row_is_no_number() -> None:
    binary = FIVE.view_entries("binary")
    figure = charts.confusion(binary, [[3, 1], [0, 0]], rows="label", columns="model said")
    (cells,) = figure.data
    assert list(cells.z[0]) == [0.75, 0.25] and list(cells.z[1]) == [None, None]
    assert [note.text for note in figure.layout.annotations] == ["3", "1", "0", "0"]
    assert cells.customdata[0][1] == "label Neutral, model said Intense: 1 of 4 clips"
    assert figure.layout.yaxis.autorange == "reversed"


def test_intervals_are_drawn() -> None:
    rows = [
        ("five", {"value": 0.4, "low": 0.3, "high": 0.55, "n": 9}),
        ("binary", {"value": None, "reason": "x", "n": 0}),
    ]
    (points,) = charts.intervals(rows, axis="alpha", marks={"0.667": 0.667}).data
    assert list(points.y) == ["five"]
    assert points.error_x.array[0] == pytest.approx(0.15)
    assert points.error_x.arrayminus[0] == pytest.approx(0.1)


def test_training_curves_draw_chance_and_ceiling_and_keep_the_whole_axis_while_running() -> None:
    history = {"loss": [1.6, 1.2], "accuracy": [0.2, 0.4], "val_loss": [1.7, 1.5], "val_accuracy": [0.2, 0.3]}
    figure = charts.training_curves(history, chance=0.2, ceiling=0.66, epochs=50)
    assert {note.text for note in figure.layout.annotations} >= {"chance", "human ceiling"}
    assert {shape.y0 for shape in figure.layout.shapes} == {0.2, 0.66}
    assert figure.layout.xaxis.range == (0.5, 50.5)
    assert [trace.name for trace in figure.data] == ["training", "validation", "training", "validation"]
    assert list(figure.data[1].y) == [0.2, 0.3]
    assert not charts.training_curves({}).layout.shapes, "no line is drawn for what is not known"


def test_reasons_are_sorted_commonest_on_top() -> None:
    (bars,) = charts.reason_counts({"too quiet": 2, "no speech": 30}).data
    assert list(bars.y) == ["too quiet", "no speech"] and list(bars.x) == [2, 30]
