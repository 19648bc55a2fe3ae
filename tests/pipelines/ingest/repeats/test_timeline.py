"""The picture says of each repeated stretch where it is, where else, which place is kept, on screen and in files."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.ingest.repeats import Repeat, masked_intervals
from pipelines.ingest.repeats.figure_files import save, title
from pipelines.ingest.repeats.timeline import STYLES, RepeatTimeline, clock, hover_lines, repeat_timeline
from workbench.app.charts.repeats_chart import KEPT, repeats_figure


def series(episodes: int) -> RepeatTimeline:
    """An opening that all share, a recap in the second of the first, and a re-upload of the first."""
    order = [f"e{number:02d}" for number in range(1, episodes + 1)]
    repeats = [Repeat(a, 5.0, b, 6.0, 20.0, "opening", 0.9) for i, a in enumerate(order) for b in order[i + 1 :]]
    repeats += [
        Repeat("e01", 100.0, "e02", 30.0, 5.0, "recap", 0.9),
        Repeat("e01", 3.0, "again", 0.0, 590.0, "reupload", 0.9),
        Repeat("e02", 6.0, "again", 3.0, 20.0, "recap", 0.9),
    ]
    names = [*order, "again"]
    return repeat_timeline(
        names, dict.fromkeys(names, 600.0), repeats, {name: masked_intervals(repeats, name) for name in names}
    )


def test_each_stretch_is_one_group_with_all_its_places() -> None:
    picture = series(3)
    assert [(group.name, len(group.occurrences)) for group in picture.groups] == [
        ("opening 1", 3), ("recap 1", 2), ("re-upload 1", 2),
    ]  # fmt: skip
    opening, recap, copy = picture.groups
    assert all(place.is_masked for place in opening.occurrences)
    assert [(place.source_id, place.start_s, place.is_masked) for place in recap.occurrences] == [
        ("e01", 100.0, False), ("e02", 30.0, True),
    ]  # fmt: skip
    assert [(place.source_id, place.start_s, place.end_s, place.is_masked) for place in copy.occurrences] == [
        ("e01", 3.0, 593.0, False), ("again", 0.0, 600.0, True),
    ]  # fmt: skip
    assert [row.masked_s for row in picture.rows] == [20.0, 26.0, 20.0, 600.0]


def test_pointing_at_a_place_tells_the_others() -> None:
    opening = series(12).groups[0]
    first, *_ = hover_lines(opening, opening.occurrences[0], most=2)
    assert first == "opening 1 in e01"
    assert hover_lines(opening, opening.occurrences[0], most=2)[1:] == (
        "0:05 to 0:25: no clip is made here", "also e02 at 0:05", "also e03 at 0:05", "and 9 more",
    )  # fmt: skip
    recap = series(2).groups[1]
    assert hover_lines(recap, recap.occurrences[0])[1] == "1:40 to 1:45: kept here: the earliest place"
    assert (clock(7.9), clock(3723)) == ("0:07", "1:02:03")


def test_nothing_repeats_and_nothing_compared_are_drawn_too(tmp_path: Path) -> None:
    for picture in (repeat_timeline([], {}, [], {}), repeat_timeline(["a", "b"], {"a": 60.0, "b": 90.0}, [], {})):
        assert picture.groups == () and repeats_figure(picture).layout.height > 0
        save(picture, tmp_path / "none.png")
        assert title(picture) == f"Nothing repeats among {len(picture.rows)} recordings."


def test_of_many_recordings_only_those_with_repeats_have_a_row() -> None:
    order = [f"e{number:03d}" for number in range(100)]
    repeats = [Repeat("e004", 5.0, "e050", 6.0, 20.0, "recap", 0.9)]
    picture = repeat_timeline(
        order, dict.fromkeys(order, 60.0), repeats, {name: masked_intervals(repeats, name) for name in order}
    )
    assert [row.source_id for row in picture.rows] == ["e004", "e050"] and picture.others == 98
    assert "98 recordings without any are not shown" in title(picture)


def test_a_recording_of_unknown_length_is_left_out() -> None:
    repeats = [Repeat("a", 5.0, "b", 6.0, 20.0, "recap", 0.9)]
    assert repeat_timeline(["a", "b"], {"a": 60.0}, repeats, {}).groups == ()


@pytest.mark.parametrize("episodes", [2, 50])
def test_the_screen_shows_every_place_by_colour_pattern_and_sign(episodes: int) -> None:
    picture = series(episodes)
    figure = repeats_figure(picture)
    named = [trace for trace in figure.data if trace.type == "bar" and trace.name]
    legend = {trace.name: trace.marker for trace in named if trace.showlegend is not False}
    bars = {trace.name: trace for trace in named if trace.showlegend is False}
    assert list(bars) == list(legend) == ["O opening", "R recap", "= re-upload"]
    for group in picture.groups:
        word, sign, colour, pattern, _ = STYLES[group.kind]
        trace = bars[f"{sign} {word}"]
        assert len(trace.x) == len(group.occurrences) and set(trace.text) == {sign}
        looks = sorted((colour, pattern) if place.is_masked else (KEPT, "") for place in group.occurrences)
        assert sorted(zip(trace.marker.color, trace.marker.pattern.shape, strict=True)) == looks
        entry = legend[trace.name]
        assert (entry.color, entry.pattern.shape) == (colour, pattern), "of many colours a legend draws none"
    assert list(figure.layout.yaxis.ticktext) == [row.source_id for row in picture.rows]
    links = next(trace for trace in figure.data if trace.type == "scatter")
    assert len(links.x) == 6  # one recap and one re-upload, each two ends and a gap
    assert figure.layout.height < 1100


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_picture_gives_the_same_file(tmp_path: Path, suffix: str) -> None:
    one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
    save(series(3), one)
    save(series(3), two)
    assert one.read_bytes() == two.read_bytes() and one.stat().st_size > 2000
    save(series(4), two)
    assert one.read_bytes() != two.read_bytes()


def test_another_form_of_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"repeats.gif: expected a file name that ends in .png, .svg or .pdf"):
        save(series(2), tmp_path / "repeats.gif")


def test_reading_what_repeats_takes_no_signal_processing_library() -> None:
    code = (
        "import sys, pipelines.ingest.repeats.timeline, pipelines.ingest.series.repeat_masks; "
        "print({'scipy.signal', 'matplotlib', 'plotly', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
