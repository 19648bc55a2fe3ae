"""The clipper's sound and picture: every sample where the linear decode has it, at any place, from any codec."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import Cancelled, ConfigError, MediaError
from pipelines.ingest.preview import decoded_audio as sounds
from pipelines.ingest.preview.decoded_audio import (
    DecodedAudio,
    DecodeTask,
    decode_to_cache,
    decoded_audio_folder,
    open_decoded_audio,
)
from pipelines.ingest.preview.spectrogram_tiles import (
    BANDS_LEVEL,
    COLUMNS,
    PEAKS_LEVEL,
    ROWS,
    TileGeometry,
    TileWriter,
    row_frequencies_hz,
    waveform_envelope,
)
from pipelines.media import audio
from pipelines.media.audio import Codec, Pcm16
from pipelines.study import Study
from tests.synthetic_audio import noise, tone, voice

CODECS: dict[Codec, tuple[str, int]] = {"aac": ("m4a", 44100), "opus": ("webm", 48000), "mp3": ("mp3", 22050)}


def ignore_progress(_done: float, _total: float | None) -> None:
    """Do nothing."""


def decoded(path: Path) -> Pcm16:
    return np.concatenate([audio.to_pcm16(audio.to_mono(block)) for block in audio.decode_blocks(path, block_s=1.7)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[DecodedAudio, Pcm16]]:
    """11 s of stereo in each codec: the decoded audio, and the linear decode of the same file."""
    study = Study(tmp_path_factory.mktemp("sound"), "night")
    found = {}
    for codec, (suffix, rate_hz) in CODECS.items():
        path = study.root / f"play.{suffix}"
        left = voice(11.3, rate_hz) + noise(11.3, rate_hz, 0.02)
        audio.encode(path, np.stack([left, 0.5 * left]), rate_hz, codec)
        decode_to_cache(
            DecodeTask(codec, path, "ab" * 32, decoded_audio_folder(study, codec, "ab" * 32)), ignore_progress
        )
        sound = open_decoded_audio(study, codec, "ab" * 32)
        assert sound is not None
        found[codec] = (sound, decoded(path))
    return found


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1.01), count=st.integers(0, 60_000))
def test_any_range_equals_the_linear_decode(
    made: dict[str, tuple[DecodedAudio, Pcm16]], codec: str, place: float, count: int
) -> None:
    sound, whole = made[codec]
    start = int(place * len(whole))
    assert np.array_equal(sound.samples(start, count), whole[start : start + count])


@pytest.mark.parametrize("codec", CODECS)
def test_facts_are_those_of_the_recording(made: dict[str, tuple[DecodedAudio, Pcm16]], codec: str) -> None:
    sound, whole = made[codec]
    assert (sound.facts.n_samples, sound.facts.rate_hz) == (len(whole), CODECS[codec][1])  # type: ignore[index]
    assert sound.facts.pcm_sha256 == audio.pcm_sha256(whole)
    with pytest.raises(ValueError, match="a range within the audio"):
        sound.samples(-1, 5)


@pytest.mark.parametrize("codec", CODECS)
def test_the_envelope_is_exact_at_every_level(made: dict[str, tuple[DecodedAudio, Pcm16]], codec: str) -> None:
    """Also at stored levels, which are made from the level below: no peak is ever lost."""
    sound, whole = made[codec]
    view = sound.tiles.geometry
    for level in range(view.levels):
        expected = waveform_envelope(whole, view.samples_per_column(level))
        for index in {0, (len(expected) - 1) // COLUMNS}:
            peaks = sound.tiles.tile(level, index)[1]
            part = expected[COLUMNS * index : COLUMNS * (index + 1)]
            assert np.array_equal(peaks[: len(part)], part)
            assert not peaks[len(part) :].any()


@pytest.mark.parametrize("codec", CODECS)
def test_stored_and_computed_columns_agree(made: dict[str, tuple[DecodedAudio, Pcm16]], codec: str) -> None:
    """Two columns computed from the samples give the stored one above them, up to rounding; so do two stored ones."""
    picture = made[codec][0].tiles
    view = picture.geometry
    for level in range(PEAKS_LEVEL, view.levels - 1):
        whole_columns = min(view.columns(level + 1) - 1, COLUMNS // 2)  # the last may pool fewer than the others
        finer = picture.tile(level, 0)[0].astype(float)
        coarser = picture.tile(level + 1, 0)[0].astype(float)
        pooled = finer.reshape(-1, 2, ROWS).mean(axis=1)
        assert np.abs(pooled - coarser[: COLUMNS // 2])[:whole_columns].max(initial=0) <= 1
    assert coarser.max() > 100
    assert view.columns(view.levels - 1) <= COLUMNS


def test_a_missing_tile_is_an_error(made: dict[str, tuple[DecodedAudio, Pcm16]]) -> None:
    picture = made["aac"][0].tiles
    last = (picture.geometry.columns(0) - 1) // COLUMNS
    picture.tile(0, last)
    for level, index in [(-1, 0), (picture.geometry.levels, 0), (0, -1), (0, last + 1)]:
        with pytest.raises(ValueError, match="there is no tile"):
            picture.tile(level, index)


def test_a_full_scale_sine_is_the_maximum_of_its_row_only(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    audio.write_pcm16(path, audio.to_pcm16(tone(20, 16000, 1000.0, 0.999)), 16000)
    decode_to_cache(DecodeTask("tone", path, "cd", tmp_path / "tone.cd"), ignore_progress)
    sound = DecodedAudio(
        tmp_path / "tone.cd", decode_to_cache(DecodeTask("tone", path, "cd", tmp_path / "tone.cd"), ignore_progress)
    )
    centres = np.array(row_frequencies_hz(16000))
    row = int(np.abs(centres - 1000).argmin())
    for level in (0, PEAKS_LEVEL, BANDS_LEVEL):
        column = sound.tiles.tile(level, 0)[0][COLUMNS // 4]
        assert abs(int(column.argmax()) - row) <= 1
        assert column.max() >= 245
        assert column[np.abs(centres - 1000) > 300].max() < 60


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=6))
def test_tiles_do_not_depend_on_block_sizes(sizes: list[int]) -> None:
    pcm = audio.to_pcm16(voice(1.0, 8000, seed=3))
    pcm = np.resize(pcm, sum(sizes))
    pieces = np.split(pcm, np.cumsum(sizes)[:-1])
    assert _tile_bytes(pieces) == _tile_bytes([pcm])


def _tile_bytes(pieces: list[Pcm16]) -> tuple[bytes, bytes, TileGeometry]:
    bands, peaks = io.BytesIO(), io.BytesIO()
    painter = TileWriter(8000, bands, peaks)
    for piece in pieces:
        painter.feed(piece)
    view = painter.finish()
    assert len(bands.getvalue()) == ROWS * sum(view.stored_columns(BANDS_LEVEL))
    assert len(peaks.getvalue()) == 2 * sum(view.stored_columns(PEAKS_LEVEL))
    return bands.getvalue(), peaks.getvalue(), view


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "play.wav"
    audio.write_pcm16(path, audio.to_pcm16(voice(12, 16000)), 16000)
    return path


def test_a_cancelled_decode_leaves_nothing(tmp_path: Path, recording: Path) -> None:
    def stop(_done: float, _total: float | None) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        decode_to_cache(DecodeTask("play", recording, "ab", tmp_path / "sound" / "play.ab"), stop)
    assert [path.name for path in (tmp_path / "sound").iterdir()] == ["play.lock"]


def test_folders_of_killed_processes_and_other_editions_are_removed(tmp_path: Path, recording: Path) -> None:
    place = tmp_path / "sound"
    for name in (".play.ab.x81_kz", "play.cd", "player.ab", ".play-2.ab.x"):
        (place / name).mkdir(parents=True)
    decode_to_cache(DecodeTask("play", recording, "ab", place / "play.ab"), ignore_progress)
    assert sorted(path.name for path in place.iterdir() if path.is_dir()) == [".play-2.ab.x", "play.ab", "player.ab"]


def test_a_recording_is_decoded_once_by_one_process(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = DecodeTask("play", recording, "ab", tmp_path / "sound" / "play.ab")
    with sounds._locked(task), pytest.raises(ConfigError, match="another process is decoding this recording"):
        decode_to_cache(task, ignore_progress)
    facts = decode_to_cache(task, ignore_progress)
    recording.unlink()
    assert decode_to_cache(task, ignore_progress) == facts


def test_a_missing_recording_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone.mp4: there is no such file in .*; check the path"):
        decode_to_cache(DecodeTask("gone", tmp_path / "gone.mp4", "ab", tmp_path / "gone.ab"), ignore_progress)


def test_another_edition_is_rejected(tmp_path: Path, recording: Path) -> None:
    task = DecodeTask("play", recording, "ab", tmp_path / "play.ab", n_samples=5)
    with pytest.raises(MediaError, match=r"has 192000 samples, the recording that was ingested as 'play' 5: ingest"):
        decode_to_cache(task, ignore_progress)
    assert not task.folder.exists()


def test_another_edition_is_not_mistaken_for_it(tmp_path: Path, recording: Path) -> None:
    study = Study(tmp_path, "night")
    mark = "ab" * 6
    decode_to_cache(
        DecodeTask("play", recording, mark + "1", decoded_audio_folder(study, "play", mark + "1")), ignore_progress
    )
    assert open_decoded_audio(study, "play", mark + "1") is not None
    assert open_decoded_audio(study, "play", mark + "2") is None
    assert open_decoded_audio(study, "other", mark + "1") is None


@pytest.mark.parametrize("name", ["NOTLD_1968/*.wav", "AMI_excerpts/*.wav", "TESS/OAF_Fear/OAF_food_fear.wav"])
def test_real_recordings_are_exact_to_the_sample(real_recordings: Path, tmp_path: Path, name: str) -> None:
    """Film sound, 32-bit float of a meeting, 96 kHz."""
    path = sorted(real_recordings.glob(name))[0]
    facts = decode_to_cache(DecodeTask("real", path, "ab", tmp_path / "real.ab"), ignore_progress)
    sound, whole = DecodedAudio(tmp_path / "real.ab", facts), decoded(path)
    assert facts.pcm_sha256 == audio.pcm_sha256(whole)
    for start in range(0, len(whole), max(1, len(whole) // 7)):
        assert np.array_equal(sound.samples(start, 4321), whole[start : start + 4321])
    assert sound.tiles.tile(sound.tiles.geometry.levels - 1, 0)[0].max() > 80
