"""Features made of one short-time spectrum: mean vectors, contours, frame sequences, windows of a mel spectrogram."""

import hashlib
import json
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.errors import DataError
from pipelines.features.spectral_analysis import PartName, SpectralAnalysis, SpectralSettings
from pipelines.units import Audio, Float32Array, Hertz

Count = Annotated[int, Field(ge=1)]
Parts = Annotated[tuple[PartName, ...], Field(min_length=1)]


class SpectralFeature(SpectralSettings):
    """What all of them share: the rate, the settings of the spectrum, and a name that holds every setting."""

    kind: ClassVar[str]
    version: ClassVar[str] = "1"

    rate_hz: Annotated[int, Field(ge=1_000)] = 22_050

    @property
    def name(self) -> str:
        """The kind and a digest of the settings: equal settings give equal names in caches and runs."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return f"{self.kind}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        raise NotImplementedError

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> Float32Array:
        """One row of `mono` [n], float32 [shape]. Raises DataError for audio that cannot be analysed."""
        raise NotImplementedError

    def analysis(self, mono: Audio, rate_hz: Hertz) -> SpectralAnalysis:
        """The spectrum of `mono` [n]. Raises DataError for another rate than `rate_hz`."""
        if rate_hz != self.rate_hz:
            raise DataError(f"{self.kind} is set to {self.rate_hz} Hz; resample this audio from {rate_hz} Hz first")
        return SpectralAnalysis(mono, rate_hz, self)

    def fitted(self, frames: Float32Array, count: int) -> Float32Array:
        """`frames` [t, ...] cut to `count` frames, or filled with zeros at the end."""
        padded = np.zeros((count, *frames.shape[1:]), dtype=np.float32)
        padded[: len(frames)] = frames[:count]
        return padded


class MeanVector(SpectralFeature):
    """Means over time of `parts`, joined in their order.

    The default is the 162-vector of "Taiwanese Soap Opera Speech Emotion Recognition": zero-crossing rate 1, chroma 12,
    MFCC 20, RMS 1, mel power 128. `parts = ["log_mel", "mfcc", "chroma"]` is the 160-vector of "EMOVO Dataset:
    Exploiting CNNs for Speech Emotion Recognition".
    """

    kind: ClassVar[str] = "mean_vector"

    parts: Parts = ("zcr", "chroma", "mfcc", "rms", "mel")

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(self.widths()[part] for part in self.parts),)

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> Float32Array:
        """mono: float32 [n]. Returns float32 [shape]."""
        analysis = self.analysis(mono, rate_hz)
        return np.concatenate([analysis.mean(part) for part in self.parts], dtype=np.float32)


class MfccContour(SpectralFeature):
    """Mean over the cepstral coefficients, one value per frame, zero-filled or cut to `frames`.

    216 frames of 2.5 s at 44,100 Hz with 13 coefficients: the input of the base model that systems 1 and 4 build on;
    259 frames of 3 s: "Speech Emotion Recognition with Convolution Neural Network" (Reza Chu).
    """

    kind: ClassVar[str] = "mfcc_contour"

    rate_hz: Annotated[int, Field(ge=1_000)] = 44_100
    n_mfcc: Count = 13
    frames_kept: Annotated[int, Field(ge=1, alias="frames")] = 216

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames_kept,)

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> Float32Array:
        """mono: float32 [n]. Returns float32 [frames]."""
        return self.fitted(self.analysis(mono, rate_hz).mfcc.mean(axis=1), self.frames_kept)


class FrameSequence(SpectralFeature):
    """`parts` frame by frame, zero-filled or cut to `frames`: [frames, width].

    The default is data set 3 of "A Study on Speech Emotion Recognition using Neural Networks": zero-crossing rate,
    RMS and 13 MFCCs of 144,000 samples at 48,000 Hz, [282, 15]; its data set 2 is `parts = ["log_mel"]` with
    `log_reference = "max"`, [282, 128].
    """

    kind: ClassVar[str] = "frame_sequence"

    rate_hz: Annotated[int, Field(ge=1_000)] = 48_000
    n_mfcc: Count = 13
    parts: Parts = ("zcr", "rms", "mfcc")
    frames_kept: Annotated[int, Field(ge=1, alias="frames")] = 282

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames_kept, sum(self.widths()[part] for part in self.parts))

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> Float32Array:
        """mono: float32 [n]. Returns float32 [frames, width]."""
        analysis = self.analysis(mono, rate_hz)
        return self.fitted(np.concatenate([analysis.part(part) for part in self.parts], axis=1), self.frames_kept)


class MelWindows(SpectralFeature):
    """Windows of `size` frames, `step` apart, of a log-mel spectrogram: [windows, mel bands, size, 1].

    Source: "Emotions Classification from Speech with Deep Learning": 48,000 samples at 16,000 Hz, 128 bands up to
    4,000 Hz, FFT 2,048 of windows of 256. As written (hop 512, size 64, step 128) there is a single window.
    """

    kind: ClassVar[str] = "mel_windows"

    rate_hz: Annotated[int, Field(ge=1_000)] = 16_000
    window_length: Count | None = 256
    hop: Count = 128
    fmax_hz: Annotated[float, Field(gt=0)] | None = 4_000
    log_reference: Literal["one", "max"] = "max"
    frames_kept: Annotated[int, Field(ge=1, alias="frames")] = 376
    size: Count = 128
    step: Count = 64

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size > self.frames_kept:
            raise ValueError(f"a window of {self.size} frames does not fit into {self.frames_kept}")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        return (1 + (self.frames_kept - self.size) // self.step, self.n_mels, self.size, 1)

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> Float32Array:
        """mono: float32 [n]. Returns float32 [windows, mel bands, size, 1]."""
        frames = self.fitted(self.analysis(mono, rate_hz).log_mel, self.frames_kept)
        starts = range(0, self.shape[0] * self.step, self.step)
        return np.stack([frames[start : start + self.size].T for start in starts])[..., None]
