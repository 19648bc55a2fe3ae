"""What every style promises, and what each of the two is measured to be."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.compare import STYLES, panel, style
from pipelines.errors import DataError, UnknownName
from pipelines.media.audio import to_pcm16, write_pcm16
from pipelines.schema import Clip, LabelledClip
from pipelines.units import Audio
from tests.synthetic_audio import noise, silence, tone, voice


@pytest.fixture(params=sorted(STYLES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def labelled(path: Path, sound: Audio, rate_hz: int, speaker: str = "") -> LabelledClip:
    write_pcm16(path, to_pcm16(sound), rate_hz)
    clip = Clip(
        "a-long-source-id-000012000", "a-long-source-id", 12 * rate_hz, len(sound), rate_hz, "g", speaker=speaker
    )
    return LabelledClip(clip, path, "fearful")


def test_is_registered_under_its_own_name_and_can_be_described(name: str) -> None:
    made = style(name)
    assert made.name == name
    assert made.x_label and made.y_label and made.value_label and made.method.endswith(".")
    with pytest.raises(UnknownName, match="unknown style 'fare'; did you mean 'fair'"):
        style("fare")


def test_panels_have_one_shape_whatever_the_clip(name: str, tmp_path: Path) -> None:
    made = style(name)
    clips = [
        labelled(tmp_path / "a.wav", voice(3, 44_100), 44_100),
        labelled(tmp_path / "b.wav", voice(0.4, 8_000), 8_000),
        labelled(tmp_path / "c.wav", silence(1, 16_000), 16_000),
        labelled(tmp_path / "d.wav", noise(5, 24_414), 24_414),
        labelled(tmp_path / "e.wav", np.full(3, 0.1, np.float32), 16_000),
    ]
    panels = [panel(clip, made) for clip in clips]
    assert len({one.values.shape for one in panels}) == 1
    for one in panels:
        assert one.values.dtype == np.float32
        assert one.values.shape == (len(one.y), len(one.x))
        assert (np.diff(one.x) > 0).all() and (np.diff(one.y) > 0).all()
        assert np.isfinite(one.values).any()
        assert not np.isinf(one.values).any()
        low, high = made.limits([one.values])
        assert low < high
    again = panel(clips[0], made)
    np.testing.assert_array_equal(again.values, panels[0].values)


def test_refuses_what_is_no_audio(name: str) -> None:
    with pytest.raises(DataError):
        style(name).spectrogram(np.zeros(0, np.float32), 16_000)


def test_as_published_has_the_measured_grid_facts(tmp_path: Path) -> None:
    made = style("as_published")
    sound = np.concatenate([tone(0.5, 24_414, hz=5_000), silence(0.5, 24_414)])
    one = panel(labelled(tmp_path / "a.wav", sound, 24_414, speaker="OAF"), made)
    assert one.values.shape == (129, 199)
    assert (one.y[0], one.y[-1]) == (0, 128)
    assert (one.x[0], one.x[-1]) == (0, 129 * 199)  # an element index: neither samples nor seconds
    assert one.title == "OAF_fearful"
    assert panel(labelled(tmp_path / "b.wav", sound, 24_414), made).title == "fearful"
    assert one.values[:, -1] == pytest.approx(-36.0437, abs=1e-3)  # digital silence: ln(2.2e-16)
    assert one.values[:, 5].argmax() == round(5_000 / 24_414 * 256)  # no resampling
    assert made.colour_map == "viridis" and not made.shares_limits
    assert made.limits([one.values]) == (one.values.min(), one.values.max())


def test_as_published_is_the_transform_of_the_tutorial_it_follows(tmp_path: Path) -> None:
    sound = voice(3, 16_000)
    one = panel(labelled(tmp_path / "a.wav", sound, 16_000), style("as_published"))
    heard = to_pcm16(sound).astype(np.float64) / 32768
    k = np.arange(255)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * k / 254)
    for column in (0, 7, 198):
        expected = np.log(np.abs(np.fft.rfft(heard[240 * column : 240 * column + 255] * window, 256)) + 2.2204460e-16)
        np.testing.assert_allclose(one.values[:, column], expected, atol=1e-3)


def test_fair_is_hertz_seconds_and_decibels_below_the_loudest(tmp_path: Path) -> None:
    made = style("fair")
    loud, quiet = (
        panel(labelled(tmp_path / f"{level}.wav", tone(1.5, 48_000, hz=2_000, level=level), 48_000), made)
        for level in (0.9, 0.09)
    )
    assert np.nanmax(loud.values) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(loud.values[60:68], quiet.values[60:68], atol=0.2)  # the recording's level is taken out
    assert loud.y[np.nanargmax(loud.values[:, 50])] == pytest.approx(2.0, abs=0.02)
    assert (loud.y[0], loud.y[-1]) == (0, 8) and 2.9 < loud.x[-1] < 3.0
    heard = np.isfinite(loud.values[0])
    assert loud.x[heard].max() == pytest.approx(1.5 - 0.0125, abs=0.011)  # nothing is filled in after the end
    assert np.isnan(loud.values[:, ~heard]).all()
    assert made.shares_limits and made.limits([loud.values]) == (-70.0, 0.0)
    assert loud.title == "…g-source-id, 12 s"


def test_fair_is_a_plain_transform(tmp_path: Path) -> None:
    sound = voice(3, 16_000)
    one = panel(labelled(tmp_path / "a.wav", sound, 16_000), style("fair"))
    heard = to_pcm16(sound).astype(np.float64) / 32768
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    magnitude = np.array([np.abs(np.fft.rfft(heard[160 * c : 160 * c + 400] * window, 512)) for c in range(298)]).T
    expected = 20 * np.log10(np.maximum(magnitude / magnitude.max(), 1e-6))
    np.testing.assert_allclose(one.values, expected, atol=0.01)
