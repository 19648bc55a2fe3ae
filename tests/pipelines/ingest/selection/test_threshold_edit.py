"""pipelines.ingest.selection.threshold_edit: one screen's table in study.toml changes, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.selection import threshold_edit
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.selection.threshold_edit import set_thresholds
from pipelines.study import ScreenThresholds, Study, create_study

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
    assert set_thresholds(night, "speech_ratio", ScreenThresholds(min=0.65, max=0.9)) == ScreenThresholds(min=0.5)
    wanted = WRITTEN.replace("min = 0.5   # was", "min = 0.65   # was").replace("May\n", "May\nmax = 0.9\n")
    assert night.settings_file.read_text() == wanted
    assert again(night).settings.screen["speech_ratio"] == ScreenThresholds(min=0.65, max=0.9)


def test_what_stood_before_undoes_it_to_the_byte(tmp_path: Path) -> None:
    for text in (WRITTEN, WRITTEN.split("\n[screen")[0] + "\n", 'name = "night"'):
        night = study(tmp_path / str(len(text)), text)
        before = set_thresholds(night, "longest_pause_s", ScreenThresholds(max=0.7))
        assert before is None and "[screen.longest_pause_s]" in night.settings_file.read_text()
        assert set_thresholds(again(night), "longest_pause_s", before) == ScreenThresholds(max=0.7)
        assert night.settings_file.read_text() == text.rstrip("\n") + "\n"


def test_a_bound_can_be_opened(tmp_path: Path) -> None:
    night = study(tmp_path)
    set_thresholds(night, "speech_ratio", ScreenThresholds())
    assert again(night).settings.screen == {"speech_ratio": ScreenThresholds()}
    assert "# half is enough here" in night.settings_file.read_text()


def test_a_table_that_is_taken_out_leaves_its_remarks(tmp_path: Path) -> None:
    night = study(tmp_path)
    assert set_thresholds(night, "speech_ratio", None) == ScreenThresholds(min=0.5)
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
        set_thresholds(night, "speech_ratio", ScreenThresholds(min=0.7))
    assert night.settings_file.read_text() == text


def test_what_no_screen_has_and_what_keeps_nothing_is_refused(tmp_path: Path) -> None:
    night = study(tmp_path)
    with pytest.raises(UnknownName, match=r"unknown screen 'speech_ration'; did you mean 'speech_ratio'\?"):
        set_thresholds(night, "speech_ration", ScreenThresholds(min=0.7))
    with pytest.raises(ConfigError, match=r"keeps nothing: min 0\.7 is above max 0\.2"):
        set_thresholds(night, "speech_ratio", ScreenThresholds(min=0.7, max=0.2))
    assert night.settings_file.read_text() == WRITTEN


limits = st.none() | st.floats(-1e9, 1e9, allow_nan=False)


@given(low=limits, high=limits)
def test_any_number_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, low: float, high: float) -> None:
    night = study(tmp_path_factory.mktemp("any"))
    if low is not None and high is not None and low > high:
        low, high = high, low
    set_thresholds(night, "loudness_lufs", ScreenThresholds(min=low, max=high))
    assert again(night).settings.screen["loudness_lufs"] == ScreenThresholds(min=low, max=high)
    assert again(night).settings.screen["speech_ratio"] == ScreenThresholds(min=0.5)


def test_what_an_editor_saves_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = study(tmp_path)
    saved = WRITTEN.replace("raters_per_clip = 5", "raters_per_clip = 2  # from May on")
    real, saves = threshold_edit._edited, [saved, saved + "\n# and again\n"]

    def edited(*asked: Any) -> str:
        made = real(*asked)
        if saves:
            night.settings_file.write_text(saves.pop(0))  # just after it was read
        return made

    monkeypatch.setattr(threshold_edit, "_edited", edited)
    set_thresholds(night, "speech_ratio", ScreenThresholds(min=0.65))
    assert night.settings_file.read_text() == f"{saved}\n# and again\n".replace("min = 0.5 ", "min = 0.65 ")
    saves = [f"{saved}\n# {number}\n" for number in range(99)]
    with pytest.raises(ConfigError, match="another program keeps saving it"):
        set_thresholds(again(night), "speech_ratio", ScreenThresholds(min=0.7))
    assert "min = 0.5 " in night.settings_file.read_text(), "what they saved last stands"
    assert not list(night.manifests.glob(".*"))


def test_what_somebody_else_has_moved_since_one_looked_is_not_moved_in_silence(tmp_path: Path) -> None:
    night = study(tmp_path)
    seen = ScreenThresholds(min=0.5)
    set_thresholds(night, "speech_ratio", ScreenThresholds(min=0.7), seen=seen)
    refusal = r"somebody else has changed 'speech_ratio' in the meantime, to min = 0\.7; check"
    with pytest.raises(ConfigError, match=refusal):
        set_thresholds(again(night), "speech_ratio", ScreenThresholds(min=0.4), seen=seen)
    assert again(night).settings.screen["speech_ratio"] == ScreenThresholds(min=0.7)
    set_thresholds(
        again(night), "longest_pause_s", ScreenThresholds(max=0.7), seen=SCREENS["longest_pause_s"].thresholds
    )
    assert again(night).settings.screen["longest_pause_s"] == ScreenThresholds(max=0.7)


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    night = study(tmp_path)
    names = [name for name in SCREENS if name != "speech_ratio"]
    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(lambda name: set_thresholds(again(night), name, ScreenThresholds()), names))
    assert set(again(night).settings.screen) == set(SCREENS)
    assert night.settings_file.read_text().startswith(WRITTEN)


def test_a_file_that_is_held_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = study(tmp_path)
    monkeypatch.setattr(threshold_edit, "_LOCK_TIMEOUT_S", 0.05)
    with threshold_edit._exclusive(night), pytest.raises(ConfigError, match="somebody else is changing it; try again"):
        set_thresholds(night, "speech_ratio", ScreenThresholds(min=0.7))
    assert night.settings_file.read_text() == WRITTEN


def test_line_ends_stay_those_of_its_editor(tmp_path: Path) -> None:
    night = study(tmp_path)
    night.settings_file.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    set_thresholds(night, "speech_ratio", ScreenThresholds(min=0.65, max=0.9))
    wanted = WRITTEN.replace("min = 0.5   # was", "min = 0.65   # was").replace("May\n", "May\nmax = 0.9\n")
    assert night.settings_file.read_bytes() == wanted.replace("\n", "\r\n").encode()
