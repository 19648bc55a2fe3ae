"""Figures say what they should: same colours and order, units, intervals, shared scales."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.compare import STYLES, Grid, Panel
from pipelines.compare.grids import grid as make_grid
from pipelines.schema import Clip, LabelledClip, LabelledClips
from pipelines.schemes import load_scheme
from tests.synthetic_audio import noise
from workbench.app.charts import charts

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


def test_a_clip_is_seen_on_seconds_and_kilohertz() -> None:
    rate_hz = 16000
    time = np.arange(3 * rate_hz) / rate_hz
    mono = (0.5 * np.sin(2 * np.pi * 2000 * time)).astype(np.float32)
    figure = charts.clip_picture(mono, rate_hz)
    (picture,) = [trace for trace in figure.data if trace.type == "heatmap"]
    loudest = picture.y[np.argmax(np.asarray(picture.z).mean(axis=1))]
    assert loudest == pytest.approx(2.0, abs=0.02)
    assert picture.x[-1] == pytest.approx(3.0) and max(picture.y) <= 10
    assert "seconds" in str(figure.layout) and "kHz" in str(figure.layout)


def test_no_colour_is_one_that_streamlit_would_replace() -> None:
    figure = charts.clip_picture(np.zeros(16000, np.float32), 16000)
    scales = [trace.colorscale for trace in figure.data if trace.type == "heatmap"]
    assert all(colour.startswith("rgb") for scale in scales for _, colour in scale)


def grid(style_name: str, count: int = 9) -> Grid:
    style = STYLES[style_name]
    clips = [
        LabelledClip(Clip(f"c{number}", "s", 0, 16000, 16000, "s", speaker=f"S{number}"), Path("none.wav"), "sad")
        for number in range(count)
    ]
    panels = []
    for number, clip in enumerate(clips):
        values, x, y = style.spectrogram(noise(1.0, level=0.01 * (number + 1), seed=number), 16000)
        panels.append(Panel(clip, style.title(clip), values, x, y))
    return make_grid(LabelledClips("made", ("sad",), tuple(clips)), "sad", tuple(panels), style, 0)


def test_a_fair_grid_shares_one_scale_and_the_published_one_does_not() -> None:
    fair = [trace for trace in charts.spectrogram_grid(grid("fair")).data if trace.type == "heatmap"]
    assert len(fair) == 9 and len({(trace.zmin, trace.zmax) for trace in fair}) == 1
    paper = [trace for trace in charts.spectrogram_grid(grid("as_published")).data if trace.type == "heatmap"]
    assert len({(trace.zmin, trace.zmax) for trace in paper}) == 9


def test_a_panel_on_the_screen_is_the_panels_own_numbers_and_can_be_clicked() -> None:
    made = grid("fair", count=4)
    figure = charts.spectrogram_grid(made, chosen=2)
    pictures = [trace for trace in figure.data if trace.type == "heatmap"]
    for panel, picture in zip(made.panels, pictures, strict=True):
        np.testing.assert_array_equal(np.asarray(picture.z), panel.values)
    marks = [trace for trace in figure.data if trace.type == "scatter"]
    assert [list(mark.customdata) for mark in marks] == [[0], [1], [2], [3]]
    assert [mark.marker.symbol for mark in marks].index("triangle-right") == 2
    assert "time (s)" in str(figure.layout) and "frequency (kHz)" in str(figure.layout)
