"""pipelines.ingest.bounds: one screen's table in study.toml moves, and nothing else in the file does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.bounds import set_bounds
from pipelines.study import Bounds, Study, create_study

WRITTEN = """\
# The night study.
name = "night"
rights_basis = "mine # not a remark"

[screen.speech_ratio]  # film, not theatre
# half is enough here
min = 0.5   # was 0.6 until May

[labels]
raters_per_clip = 5
"""


def study(tmp_path: Path, text: str = WRITTEN) -> Study:
    made = create_study("night", rights_basis="made up", root=tmp_path)
    made.settings_file.write_text(text)
    return made


def again(of: Study) -> Study:
    return Study(of.root, of.name)


def test_a_moved_bound_keeps_every_remark_and_every_other_line(tmp_path: Path) -> None:
    night = study(tmp_path)
    assert set_bounds(night, "speech_ratio", Bounds(min=0.65, max=0.9)) == Bounds(min=0.5)
    wanted = WRITTEN.replace("min = 0.5   # was", "min = 0.65   # was").replace("May\n", "May\nmax = 0.9\n")
    assert night.settings_file.read_text() == wanted
    assert again(night).settings.screen["speech_ratio"] == Bounds(min=0.65, max=0.9)


def test_what_stood_before_undoes_it_to_the_byte(tmp_path: Path) -> None:
    for text in (WRITTEN, WRITTEN.split("\n[screen")[0] + "\n", 'name = "night"'):
        night = study(tmp_path / str(len(text)), text)
        before = set_bounds(night, "longest_pause_s", Bounds(max=0.7))
        assert before is None and "[screen.longest_pause_s]" in night.settings_file.read_text()
        assert set_bounds(again(night), "longest_pause_s", before) == Bounds(max=0.7)
        assert night.settings_file.read_text() == text.rstrip("\n") + "\n"


def test_a_bound_can_be_opened(tmp_path: Path) -> None:
    night = study(tmp_path)
    set_bounds(night, "speech_ratio", Bounds())
    assert again(night).settings.screen == {"speech_ratio": Bounds()}
    assert "# half is enough here" in night.settings_file.read_text()


def test_a_table_that_is_taken_out_leaves_its_remarks(tmp_path: Path) -> None:
    night = study(tmp_path)
    assert set_bounds(night, "speech_ratio", None) == Bounds(min=0.5)
    assert again(night).settings.screen == {} and again(night).settings.labels.raters_per_clip == 5
    assert "# half is enough here\n" in night.settings_file.read_text()


@pytest.mark.parametrize(
    "text",
    [
        'name = "night"\nscreen = { speech_ratio = { min = 0.5 } }\n',
        'name = "night"\n[screen]\nspeech_ratio = { min = 0.5 }\n',
        'name = "night"\nscreen.speech_ratio.min = 0.5\n',
        'name = "night"\nrights_basis = """\n[screen.speech_ratio]\nmin = 0.5\n"""\n[screen.speech_ratio]\nmin = 0.4\n',
    ],
)
def test_a_file_that_says_it_in_another_way_is_refused_and_untouched(tmp_path: Path, text: str) -> None:
    night = study(tmp_path, text)
    with pytest.raises(ConfigError, match=r"write \[screen\.speech_ratio\] on a line of its own"):
        set_bounds(night, "speech_ratio", Bounds(min=0.7))
    assert night.settings_file.read_text() == text


def test_what_no_screen_has_and_what_keeps_nothing_is_refused(tmp_path: Path) -> None:
    night = study(tmp_path)
    with pytest.raises(UnknownName, match=r"unknown screen 'speech_ration'; did you mean 'speech_ratio'\?"):
        set_bounds(night, "speech_ration", Bounds(min=0.7))
    with pytest.raises(ConfigError, match=r"keeps nothing: min 0\.7 is above max 0\.2"):
        set_bounds(night, "speech_ratio", Bounds(min=0.7, max=0.2))
    assert night.settings_file.read_text() == WRITTEN


limits = st.none() | st.floats(-1e9, 1e9, allow_nan=False)


@given(low=limits, high=limits)
def test_any_number_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, low: float, high: float) -> None:
    night = study(tmp_path_factory.mktemp("any"))
    if low is not None and high is not None and low > high:
        low, high = high, low
    set_bounds(night, "loudness_lufs", Bounds(min=low, max=high))
    assert again(night).settings.screen["loudness_lufs"] == Bounds(min=low, max=high)
    assert again(night).settings.screen["speech_ratio"] == Bounds(min=0.5)
