"""The clipper's sound and picture: every sample where the linear decode has it, at any place, from any codec."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import Cancelled, ConfigError, MediaError
from pipelines.ingest.preview import decoded_audio as sounds
from pipelines.ingest.preview.decoded_audio import Sound, SoundTask, make_sound, open_sound, sound_folder
from pipelines.ingest.preview.spectrogram_tiles import (
    BANDS_LEVEL,
    COLUMNS,
    PEAKS_LEVEL,
    ROWS,
    Painter,
    View,
    outline,
    rows_hz,
)
from pipelines.media import audio
from pipelines.media.audio import Codec, Pcm16
from pipelines.study import Study
from tests.synthetic_audio import noise, tone, voice

CODECS: dict[Codec, tuple[str, int]] = {"aac": ("m4a", 44100), "opus": ("webm", 48000), "mp3": ("mp3", 22050)}


def silent(_done: float, _total: float | None) -> None:
    """Nobody listens."""


def decoded(path: Path) -> Pcm16:
    return np.concatenate([audio.to_pcm16(audio.to_mono(block)) for block in audio.decode_blocks(path, block_s=1.7)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Sound, Pcm16]]:
    """11 s of stereo through each codec, its sound made, beside the linear decode of the same file."""
    study = Study(tmp_path_factory.mktemp("sound"), "night")
    found = {}
    for codec, (suffix, rate_hz) in CODECS.items():
        path = study.root / f"play.{suffix}"
        left = voice(11.3, rate_hz) + noise(11.3, rate_hz, 0.02)
        audio.encode(path, np.stack([left, 0.5 * left]), rate_hz, codec)
        make_sound(SoundTask(codec, path, "ab" * 32, sound_folder(study, codec, "ab" * 32)), silent)
        sound = open_sound(study, codec, "ab" * 32)
        assert sound is not None
        found[codec] = (sound, decoded(path))
    return found


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1.01), count=st.integers(0, 60_000))
def test_any_stretch_is_that_of_the_linear_decode(
    made: dict[str, tuple[Sound, Pcm16]], codec: str, place: float, count: int
) -> None:
    sound, whole = made[codec]
    start = int(place * len(whole))
    assert np.array_equal(sound.samples(start, count), whole[start : start + count])


@pytest.mark.parametrize("codec", CODECS)
def test_facts_are_those_of_the_recording(made: dict[str, tuple[Sound, Pcm16]], codec: str) -> None:
    sound, whole = made[codec]
    assert (sound.facts.n_samples, sound.facts.rate_hz) == (len(whole), CODECS[codec][1])  # type: ignore[index]
    assert sound.facts.pcm_sha256 == audio.pcm_sha256(whole)
    with pytest.raises(ValueError, match="a stretch of the sound"):
        sound.samples(-1, 5)


@pytest.mark.parametrize("codec", CODECS)
def test_the_outline_is_true_at_every_level(made: dict[str, tuple[Sound, Pcm16]], codec: str) -> None:
    """Also at kept levels, which are made of the level beneath: no peak is ever lost."""
    sound, whole = made[codec]
    view = sound.picture.view
    for level in range(view.levels):
        expected = outline(whole, view.per_column(level))
        for index in {0, (len(expected) - 1) // COLUMNS}:
            peaks = sound.picture.tile(level, index)[1]
            part = expected[COLUMNS * index : COLUMNS * (index + 1)]
            assert np.array_equal(peaks[: len(part)], part)
            assert not peaks[len(part) :].any()


@pytest.mark.parametrize("codec", CODECS)
def test_kept_and_fresh_columns_agree(made: dict[str, tuple[Sound, Pcm16]], codec: str) -> None:
    """Two columns made afresh from the samples give the kept one above them, up to rounding; so do two kept ones."""
    picture = made[codec][0].picture
    view = picture.view
    for level in range(PEAKS_LEVEL, view.levels - 1):
        whole_columns = min(view.columns(level + 1) - 1, COLUMNS // 2)  # the last may pool fewer than the others
        finer = picture.tile(level, 0)[0].astype(float)
        coarser = picture.tile(level + 1, 0)[0].astype(float)
        pooled = finer.reshape(-1, 2, ROWS).mean(axis=1)
        assert np.abs(pooled - coarser[: COLUMNS // 2])[:whole_columns].max(initial=0) <= 1
    assert coarser.max() > 100
    assert view.columns(view.levels - 1) <= COLUMNS


def test_a_tile_that_is_not_there_is_refused(made: dict[str, tuple[Sound, Pcm16]]) -> None:
    picture = made["aac"][0].picture
    last = (picture.view.columns(0) - 1) // COLUMNS
    picture.tile(0, last)
    for level, index in [(-1, 0), (picture.view.levels, 0), (0, -1), (0, last + 1)]:
        with pytest.raises(ValueError, match="there is no tile"):
            picture.tile(level, index)


def test_a_full_scale_sine_is_the_top_of_its_row_and_nothing_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    audio.write_pcm16(path, audio.to_pcm16(tone(20, 16000, 1000.0, 0.999)), 16000)
    make_sound(SoundTask("tone", path, "cd", tmp_path / "tone.cd"), silent)
    sound = Sound(tmp_path / "tone.cd", make_sound(SoundTask("tone", path, "cd", tmp_path / "tone.cd"), silent))
    centres = np.array(rows_hz(16000))
    row = int(np.abs(centres - 1000).argmin())
    for level in (0, PEAKS_LEVEL, BANDS_LEVEL):
        column = sound.picture.tile(level, 0)[0][COLUMNS // 4]
        assert abs(int(column.argmax()) - row) <= 1
        assert column.max() >= 245
        assert column[np.abs(centres - 1000) > 300].max() < 60


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=6))
def test_the_picture_does_not_depend_on_how_the_sound_comes(sizes: list[int]) -> None:
    pcm = audio.to_pcm16(voice(1.0, 8000, seed=3))
    pcm = np.resize(pcm, sum(sizes))
    pieces = np.split(pcm, np.cumsum(sizes)[:-1])
    assert _painted(pieces) == _painted([pcm])


def _painted(pieces: list[Pcm16]) -> tuple[bytes, bytes, View]:
    bands, peaks = io.BytesIO(), io.BytesIO()
    painter = Painter(8000, bands, peaks)
    for piece in pieces:
        painter.feed(piece)
    view = painter.finish()
    assert len(bands.getvalue()) == ROWS * sum(view.kept_columns(BANDS_LEVEL))
    assert len(peaks.getvalue()) == 2 * sum(view.kept_columns(PEAKS_LEVEL))
    return bands.getvalue(), peaks.getvalue(), view


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "play.wav"
    audio.write_pcm16(path, audio.to_pcm16(voice(12, 16000)), 16000)
    return path


def test_a_stopped_making_leaves_nothing(tmp_path: Path, recording: Path) -> None:
    def stop(_done: float, _total: float | None) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        make_sound(SoundTask("play", recording, "ab", tmp_path / "sound" / "play.ab"), stop)
    assert [path.name for path in (tmp_path / "sound").iterdir()] == ["play.lock"]


def test_what_a_killed_making_and_other_editions_left_goes(tmp_path: Path, recording: Path) -> None:
    place = tmp_path / "sound"
    for name in (".play.ab.x81_kz", "play.cd", "player.ab", ".play-2.ab.x"):
        (place / name).mkdir(parents=True)
    make_sound(SoundTask("play", recording, "ab", place / "play.ab"), silent)
    assert sorted(path.name for path in place.iterdir() if path.is_dir()) == [".play-2.ab.x", "play.ab", "player.ab"]


def test_a_sound_is_made_once_and_by_one(tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = SoundTask("play", recording, "ab", tmp_path / "sound" / "play.ab")
    with sounds._alone(task), pytest.raises(ConfigError, match="another process is making this sound"):
        make_sound(task, silent)
    facts = make_sound(task, silent)
    recording.unlink()
    assert make_sound(task, silent) == facts


def test_a_missing_recording_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone.mp4: there is no such file in .*; check the path"):
        make_sound(SoundTask("gone", tmp_path / "gone.mp4", "ab", tmp_path / "gone.ab"), silent)


def test_another_edition_is_refused(tmp_path: Path, recording: Path) -> None:
    task = SoundTask("play", recording, "ab", tmp_path / "play.ab", n_samples=5)
    with pytest.raises(MediaError, match=r"holds 192000 samples, the recording that was ingested as 'play' 5: ingest"):
        make_sound(task, silent)
    assert not task.folder.exists()


def test_another_edition_never_passes_for_it(tmp_path: Path, recording: Path) -> None:
    study = Study(tmp_path, "night")
    mark = "ab" * 6
    make_sound(SoundTask("play", recording, mark + "1", sound_folder(study, "play", mark + "1")), silent)
    assert open_sound(study, "play", mark + "1") is not None
    assert open_sound(study, "play", mark + "2") is None
    assert open_sound(study, "other", mark + "1") is None


@pytest.mark.parametrize("name", ["NOTLD_1968/*.wav", "AMI_excerpts/*.wav", "TESS/OAF_Fear/OAF_food_fear.wav"])
def test_real_recordings_are_kept_to_the_sample(real_recordings: Path, tmp_path: Path, name: str) -> None:
    """Film sound, 32-bit float of a meeting, 96 kHz."""
    path = sorted(real_recordings.glob(name))[0]
    facts = make_sound(SoundTask("real", path, "ab", tmp_path / "real.ab"), silent)
    sound, whole = Sound(tmp_path / "real.ab", facts), decoded(path)
    assert facts.pcm_sha256 == audio.pcm_sha256(whole)
    for start in range(0, len(whole), max(1, len(whole) // 7)):
        assert np.array_equal(sound.samples(start, 4321), whole[start : start + 4321])
    assert sound.picture.tile(sound.picture.view.levels - 1, 0)[0].max() > 80
