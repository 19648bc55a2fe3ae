"""Features are kept by content: made once, found again, never stale."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import Cancelled, DataError
from pipelines.features import FeatureCache, cache, content_id, extractor, feature_rows, features
from pipelines.media.audio import pcm_sha256, read_mono, to_pcm16, write_pcm16
from pipelines.progress import Progress
from pipelines.schema import Clip, LabelledClip
from pipelines.units import Audio, Hertz
from tests.synthetic_audio import noise, voice


class Counting:
    """An extractor that counts its calls: mean and peak."""

    name, rate_hz, shape = "counting", 8_000, (2,)

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.calls = 0

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> np.ndarray:
        assert rate_hz == self.rate_hz
        self.calls += 1
        return np.array([mono.mean(), np.abs(mono).max()], np.float32)


def labelled(path: Path, sound: Audio, rate_hz: int = 16_000, *, hashed: bool = True) -> LabelledClip:
    pcm = to_pcm16(sound)
    write_pcm16(path, pcm, rate_hz)
    digest = pcm_sha256(pcm) if hashed else ""
    clip = Clip(path.stem, path.stem, 0, len(pcm), rate_hz, path.stem, pcm_sha256=digest)
    return LabelledClip(clip, path, "neutral")


@pytest.fixture
def clips(tmp_path: Path) -> list[LabelledClip]:
    return [labelled(tmp_path / f"c{n}.wav", voice(0.5, seed=n) * np.float32(1 - n / 10)) for n in range(5)]


def test_made_once_in_order_then_found(clips: list[LabelledClip], tmp_path: Path) -> None:
    counting = Counting()
    heard: list[Progress] = []
    table = features(counting, clips, tmp_path / "cache", heard.append)
    assert table.shape == (5, 2) and table.dtype == np.float32
    assert (np.diff(table[:, 1]) < 0).all()
    assert [progress.done for progress in heard] == [1, 2, 3, 4, 5]
    again = features(counting, clips[::-1], tmp_path / "cache", workers=1)
    np.testing.assert_array_equal(again, table[::-1])
    assert counting.calls == 5


def test_equal_audio_under_another_name_is_one_row(tmp_path: Path) -> None:
    counting = Counting()
    sound = voice(0.5)
    twins = [labelled(tmp_path / name, sound, hashed=hashed) for name in ("a.wav", "b.wav") for hashed in (True, False)]
    assert len({content_id(twin) for twin in twins}) == 2  # by PCM hash, and by file where that is not known
    features(counting, twins, tmp_path / "cache", workers=1)
    assert counting.calls == 2


def test_rate_version_and_content_make_new_rows(tmp_path: Path) -> None:
    clip = labelled(tmp_path / "a.wav", voice(0.5))
    at_another_rate = replace(clip, clip=replace(clip.clip, rate_hz=8_000))
    assert content_id(clip) != content_id(at_another_rate)
    first, second = Counting("1"), Counting("2")
    features(first, [clip], tmp_path / "cache")
    features(second, [clip], tmp_path / "cache")
    assert (first.calls, second.calls) == (1, 1)
    unhashed = labelled(tmp_path / "b.wav", voice(0.5), hashed=False)
    features(first, [unhashed], tmp_path / "cache")
    labelled(tmp_path / "b.wav", noise(0.5), hashed=False)
    features(first, [unhashed], tmp_path / "cache")
    assert first.calls == 3


def test_a_damaged_block_is_made_again(clips: list[LabelledClip], tmp_path: Path) -> None:
    counting = Counting()
    table = features(counting, clips, tmp_path / "cache")
    (block,) = (tmp_path / "cache").rglob("*.block")
    block.write_bytes(block.read_bytes()[:-9])
    np.testing.assert_array_equal(features(counting, clips, tmp_path / "cache"), table)
    assert counting.calls == 10


def test_a_recording_is_read_once_for_all_its_rows(
    clips: list[LabelledClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Louder(Counting):
        name = "louder"

    reads: list[Path] = []
    monkeypatch.setattr(cache, "read_mono", lambda path, rate: reads.append(path) or read_mono(path, rate))
    both = [(made, clip) for made in (Counting(), Louder()) for clip in clips]
    table = feature_rows(both, (2,), tmp_path / "cache")
    np.testing.assert_array_equal(table[:5], table[5:])
    assert sorted(reads) == sorted(clip.path for clip in clips)


def test_stopping_keeps_what_was_made_and_leaves_no_litter(clips: list[LabelledClip], tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        features(Counting(), clips, tmp_path / "cache", stop, workers=1)
    assert not [file for file in (tmp_path / "cache").rglob("*.*") if file.name.startswith(".")]
    again = Counting()
    features(again, clips, tmp_path / "cache", workers=1)
    assert again.calls <= 3


def test_an_extractor_that_breaks_its_word_is_refused_and_not_kept(tmp_path: Path) -> None:
    class Wrong(Counting):
        shape = (3,)

    with pytest.raises(DataError, match=r"feature 'counting' gave float32 \(2,\), not float32 \(3,\)"):
        features(Wrong(), [labelled(tmp_path / "a.wav", voice(0.1, 8_000), 8_000)], tmp_path / "cache")
    assert not list(tmp_path.rglob("*.block"))


def test_audio_is_brought_to_the_extractors_rate(tmp_path: Path) -> None:
    mean_vector = extractor("mean_vector")
    clip = labelled(tmp_path / "a.wav", voice(1, 48_000), 48_000)
    table = features(mean_vector, [clip], tmp_path / "cache")
    assert table.shape == (1, 162) and np.isfinite(table).all()


def test_rows_of_a_withdrawn_clip_are_removed_from_every_store(clips: list[LabelledClip], tmp_path: Path) -> None:
    first, second = Counting("1"), Counting("2")
    for made in (first, second):
        features(made, clips, tmp_path / "cache")
    kept = FeatureCache(tmp_path / "cache")
    assert kept.forget([content_id(clip) for clip in clips[:2]]) == 4
    assert kept.forget([content_id(clip) for clip in clips[:2]]) == 0
    features(first, clips, tmp_path / "cache")
    assert first.calls == 7
