"""Analyzer: feature tracks of a recording in one pass (speech, level, pitch, bands, steady tones, fingerprint).

One stream at 16 kHz and one short-time spectrum serve all features. Tracks are small (about 3 MB an hour), are saved
with the study, and suffice to score any window of the recording again. Values are rounded before use, so that saved
tracks give the same scores as fresh ones.
"""

import zipfile
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.atomic_write import atomic_path
from pipelines.errors import DataError
from pipelines.ingest.analysis.fingerprint import Items, SpectrumFingerprinter
from pipelines.ingest.analysis.power_spectrum import (
    BINS,
    FRAME,
    FULL_SCALE,
    MODEL_HZ,
    STEP,
    WINDOW,
    Resampler16k,
    SpectrumStream,
    frame_count,
)
from pipelines.ingest.analysis.silero_vad import HOP
from pipelines.ingest.analysis.speech import HOP_S, SpeechTracker
from pipelines.units import Audio, Float32Array, Hertz, Samples, Seconds

#: Version of the file format; a file of another version is created again.
VERSION = "tracks-1"
#: Step between frames of bands, pitch and tones; frame k is centred on k * FRAME_S.
FRAME_S: Seconds = STEP / MODEL_HZ
#: Amplitudes are averaged over this many hops (128 ms).
HOPS_PER_SUM = 4
SUM_S: Seconds = HOPS_PER_SUM * HOP_S

BANDS, BANDS_LOW_HZ, BANDS_HIGH_HZ = 24, 80.0, 7600.0
PITCH_LOW_HZ, PITCH_HIGH_HZ = 65.0, 600.0
_BAND_DB, _BAND_FLOOR_DB = 0.5, -115.0
_POWER_DB, _POWER_FLOOR_DB = 0.01, -160.0
#: Half of the least step of 16 bits: below it the logarithm of an amplitude carries no information.
_LEAST_AMPLITUDE = 2.0**-16
#: First and last bin of the peak search (94 and 3500 Hz).
_PEAKS_FROM, _PEAKS_TO = 6, 224
#: A tone is steady if a peak was in the same bin, or a neighbour, at each of these numbers of frames ago.
_HELD_AGO = (2, 4, 6, 8)
#: Frames per pitch estimation batch: they fit the processor cache, which is twice as fast as all at once.
_TOGETHER = 128

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTracks:
    """Features of a recording. Hops last 32 ms (`HOP_S`), frames 31.25 ms, sums 128 ms; values rounded as stored.

    `speech_16`, `power_16`: [hops]. `bands_8`: [frames, BANDS]. `pitch_8`, `voiced_8`, `held_8`: [frames].
    `amplitudes`: [sums, 2], mean of |x| and of ln |x|. `items`: the fingerprint.
    """

    samples: Samples
    rate_hz: Hertz
    speech_16: Words
    power_16: Words
    bands_8: Bytes
    pitch_8: Bytes
    voiced_8: Bytes
    held_8: Bytes
    amplitudes: Float32Array
    items: Items

    @property
    def duration_s(self) -> Seconds:
        return self.samples / self.rate_hz

    @property
    def speech(self) -> Float32Array:
        """Probability of speech, [hops]."""
        return self.speech_16.astype(np.float32) / np.float32(65535)

    @property
    def power(self) -> Float32Array:
        """Mean square, [hops]; full scale is 1."""
        return self.power_between(0, len(self.power_16))

    def power_between(self, first: int, last: int) -> Float32Array:
        """Mean square of the hops from `first` to before `last`."""
        decibels = self.power_16[first:last].astype(np.float32) * np.float32(_POWER_DB) + np.float32(_POWER_FLOOR_DB)
        found: Float32Array = np.exp(decibels * np.float32(np.log(10) / 10))
        return found

    def bands_db(self, start_s: Seconds, end_s: Seconds) -> Float32Array:
        """Level in each of BANDS mel bands between two times, dB of full scale: [frames, BANDS]."""
        levels = self.bands_8[self.frames(start_s, end_s)].astype(np.float32)
        return levels * np.float32(_BAND_DB) + np.float32(_BAND_FLOOR_DB)

    def pitch_hz(self, start_s: Seconds, end_s: Seconds) -> tuple[Float32Array, Float32Array]:
        """Pitch in Hz and periodicity (0 to 1) between two times: [frames], [frames]."""
        semitones, periodic = self.semitones(start_s, end_s)
        hz: Float32Array = np.float32(PITCH_LOW_HZ) * np.exp2(semitones / np.float32(12))
        return hz, periodic

    def semitones(self, start_s: Seconds, end_s: Seconds) -> tuple[Float32Array, Float32Array]:
        """Pitch in semitones above PITCH_LOW_HZ and periodicity between two times: [frames], [frames]."""
        where = self.frames(start_s, end_s)
        octaves = np.float32(np.log2(PITCH_HIGH_HZ / PITCH_LOW_HZ))
        return _shares(self.pitch_8[where]) * (octaves * np.float32(12)), _shares(self.voiced_8[where])

    def held(self, start_s: Seconds, end_s: Seconds) -> Float32Array:
        """Share of the power in spectral peaks that have been steady for 250 ms: [frames]."""
        return _shares(self.held_8[self.frames(start_s, end_s)])

    def frames(self, start_s: Seconds, end_s: Seconds) -> slice:
        """The frames centred between two times."""
        return slice(max(0, int(np.ceil(start_s / FRAME_S - 1e-9))), max(0, int(np.ceil(end_s / FRAME_S - 1e-9))))

    def save(self, path: Path) -> None:
        """Write an .npz atomically. Same tracks, same bytes."""
        with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", compresslevel=1) as archive:
            for name, array in _stored(self).items():
                entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that the bytes do not depend on the clock
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


_PLAIN = tuple(field.name for field in fields(FeatureTracks) if field.name not in ("samples", "rate_hz", "bands_8"))


def load(path: Path) -> FeatureTracks:
    """Read tracks that `save` wrote. Raises DataError for another version or a damaged file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["version"]) != VERSION:
                raise DataError(f"{path.name}: holds '{stored['version']}', expected '{VERSION}'; ingest again")
            return FeatureTracks(
                samples=int(stored["samples"]),
                rate_hz=int(stored["rate_hz"]),
                bands_8=np.cumsum(stored["bands_8"], axis=0, dtype=np.uint8),
                **{name: stored[name] for name in _PLAIN},
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        raise DataError(f"{path.name}: cannot be read; ingest its recording again") from None


def _stored(tracks: FeatureTracks) -> dict[str, npt.NDArray[np.generic]]:
    found = {field.name: np.asarray(getattr(tracks, field.name)) for field in fields(tracks)}
    found["bands_8"] = np.diff(tracks.bands_8, axis=0, prepend=np.uint8(0))  # differences compress better than levels
    return {"version": np.array(VERSION), **found}


class Analyzer:
    """Takes a recording block by block and returns its tracks. Memory grows by about 1.2 kB per second of audio."""

    def __init__(self, rate_hz: Hertz) -> None:
        self._rate_hz = rate_hz
        self._samples = self._n_samples_16k = 0
        self._resampler = Resampler16k(rate_hz)
        self._speech = SpeechTracker(MODEL_HZ)
        self._spectra = SpectrumStream()
        self._slopes = SpectrumFingerprinter()
        self._frames = _Frames()
        self._amplitudes = _Amplitudes()

    def feed(self, mono: Audio) -> None:
        """One block of the channel mean, float32 [n] at the recording's rate."""
        self._samples += len(mono)
        self._take(self._resampler.take(mono))

    def finish(self) -> FeatureTracks:
        """The tracks of the whole recording."""
        self._take(self._resampler.finish())
        for power in self._spectra.finish():
            self._slopes.take(power)
            self._frames.take(power)
        speech = self._speech.finish()
        frames = self._frames.finish(frame_count(self._n_samples_16k))
        return FeatureTracks(
            samples=self._samples,
            rate_hz=self._rate_hz,
            speech_16=np.rint(speech * np.float32(65535)).astype(np.uint16),
            power_16=_rounded(_db(self._speech.power, 1e-16), _POWER_DB, _POWER_FLOOR_DB).astype(np.uint16),
            bands_8=frames[:, :BANDS],
            pitch_8=frames[:, BANDS],
            voiced_8=frames[:, BANDS + 1],
            held_8=frames[:, BANDS + 2],
            amplitudes=self._amplitudes.finish(),
            items=self._slopes.items(self._samples / self._rate_hz),
        )

    def _take(self, audio: Audio) -> None:
        self._n_samples_16k += len(audio)
        self._speech.feed(audio)
        self._amplitudes.take(audio)
        for power in self._spectra.take(audio):
            self._slopes.take(power)
            self._frames.take(power)


class _Amplitudes:
    """Mean of |x| and of ln |x| over each 128 ms."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._sums: list[Float32Array] = []

    def take(self, audio: Audio) -> None:
        sound = np.concatenate([self._rest, audio])
        size = HOPS_PER_SUM * HOP
        whole = len(sound) // size
        self._rest = sound[whole * size :]
        if whole:
            self._sums.append(_amplitudes(sound[: whole * size].reshape(whole, size)))

    def finish(self) -> Float32Array:
        if len(self._rest):
            self._sums.append(_amplitudes(self._rest[None]))
        return np.concatenate(self._sums) if self._sums else np.zeros((0, 2), np.float32)


def _amplitudes(sound: Float32Array) -> Float32Array:
    size = np.maximum(np.abs(sound), np.float32(_LEAST_AMPLITUDE))
    return np.stack([size.mean(axis=1), np.log(size).mean(axis=1)], axis=1).astype(np.float32)


class _Frames:
    """Bands, pitch, periodicity and steady tones of each frame, as bytes [frames, BANDS + 3]."""

    def __init__(self) -> None:
        self._peaks = np.zeros((max(_HELD_AGO), _PEAKS_TO - _PEAKS_FROM), np.bool_)
        self._rows: list[Bytes] = []

    def take(self, power: Float32Array) -> None:
        rows = np.empty((len(power), BANDS + 3), np.uint8)
        levels = _db(power @ _band_weights() / np.float32(FULL_SCALE), 1e-12)
        rows[:, :BANDS] = _rounded(levels, _BAND_DB, _BAND_FLOOR_DB)
        for at in range(0, len(power), _TOGETHER):
            octaves, periodic = _pitch(power[at : at + _TOGETHER])
            rows[at : at + _TOGETHER, BANDS] = _rounded(octaves, 1 / 255, 0)
            rows[at : at + _TOGETHER, BANDS + 1] = _rounded(periodic, 1 / 255, 0)
        rows[:, BANDS + 2] = _rounded(self._held(power), 1 / 255, 0)
        self._rows.append(rows)

    def finish(self, count: int) -> Bytes:
        return np.concatenate(self._rows)[:count]

    def _held(self, power: Float32Array) -> Float32Array:
        """Share of the power of spectral peaks that is in peaks that have been steady for 250 ms, [frames]."""
        middle = power[:, _PEAKS_FROM:_PEAKS_TO]
        is_peak = middle > power[:, _PEAKS_FROM - 1 : _PEAKS_TO - 1]
        is_peak &= middle >= power[:, _PEAKS_FROM + 1 : _PEAKS_TO + 1]
        # Above what lies two bins beside: a ripple on noise is no tone.
        beside = np.maximum(power[:, _PEAKS_FROM - 3 : _PEAKS_TO - 3], power[:, _PEAKS_FROM + 3 : _PEAKS_TO + 3])
        is_peak &= middle > 4 * beside
        peaks = np.concatenate([self._peaks, is_peak])
        near = peaks.copy()
        near[:, 1:] |= peaks[:, :-1]
        near[:, :-1] |= peaks[:, 1:]
        still = is_peak.copy()
        first = max(_HELD_AGO)
        for ago in _HELD_AGO:
            still &= near[first - ago : len(near) - ago]
        self._peaks = is_peak[-first:]
        weight = np.sqrt(middle)
        whole = np.einsum("ij,ij->i", weight, is_peak)
        held: Float32Array = np.einsum("ij,ij->i", weight, still) / np.maximum(whole, np.float32(1e-9))
        return held


def _pitch(power: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Pitch on a scale of octaves from 0 to 1 and periodicity from 0 to 1, each [frames], of power [frames, BINS].

    The largest of the autocorrelation (of what lies below 4 kHz) over that of the window itself, with a slight
    preference for short periods: Boersma (1993), Accurate short-term analysis of the fundamental frequency.
    """
    from scipy.fft import irfft  # see power_spectrum.power_spectra

    below = power[:, : BINS // 2 + 1]
    found: Float32Array = irfft(below, n=FRAME, axis=1)[:, : _lags()[-1] + 2]
    whole = np.maximum(found[:, :1], np.float32(1e-9))
    alike = found / (whole * _window_alike()[: found.shape[1]])
    lags = _lags()
    best = np.argmax(alike[:, lags[0] : lags[-1] + 1] - _long_period_cost(), axis=1) + lags[0]
    rows = np.arange(len(alike))
    before, peak, after = alike[rows, best - 1], alike[rows, best], alike[rows, best + 1]
    bend = before - 2 * peak + after
    shift = np.where(bend < -1e-6, np.clip((before - after) / (2 * np.minimum(bend, -1e-6)), -0.5, 0.5), 0)
    hz = np.float32(MODEL_HZ) / (best + shift)
    scale = np.log2(hz / PITCH_LOW_HZ) / np.log2(PITCH_HIGH_HZ / PITCH_LOW_HZ)
    return scale.astype(np.float32), np.clip(peak, 0, 1).astype(np.float32)


@lru_cache(maxsize=1)
def _lags() -> npt.NDArray[np.int64]:
    """Periods in samples."""
    return np.arange(int(MODEL_HZ / PITCH_HIGH_HZ), int(MODEL_HZ / PITCH_LOW_HZ) + 1)


@lru_cache(maxsize=1)
def _long_period_cost() -> Float32Array:
    lags = _lags()
    cost: Float32Array = (0.03 * np.log2(lags / lags[0])).astype(np.float32)
    return cost


@lru_cache(maxsize=1)
def _window_alike() -> Float32Array:
    """The window's own autocorrelation, 1 at lag 0."""
    alike = np.fft.irfft(np.square(np.abs(np.fft.rfft(WINDOW, 2 * FRAME))))[: FRAME // 2]
    found: Float32Array = (alike / alike[0]).astype(np.float32)
    return found


@lru_cache(maxsize=1)
def _band_weights() -> Float32Array:
    """Triangles on the mel scale, [BINS, BANDS]; each sums to one, so that a level is a mean power."""
    mel = np.linspace(_to_mel(BANDS_LOW_HZ), _to_mel(BANDS_HIGH_HZ), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hz = np.arange(BINS) * MODEL_HZ / FRAME
    low, middle, high = (edges[i : BANDS + i, None] for i in range(3))
    triangles = np.clip(np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)), 0, None)
    weights: Float32Array = np.ascontiguousarray((triangles / triangles.sum(axis=1, keepdims=True)).T, dtype=np.float32)
    return weights


def _shares(stored: Bytes) -> Float32Array:
    """Bytes 0 to 255 as shares 0 to 1."""
    return stored.astype(np.float32) / np.float32(255)


def _to_mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _db(power: Float32Array, least: float) -> Float32Array:
    found: Float32Array = np.float32(10) * np.log10(np.maximum(power, np.float32(least)))
    return found


def _rounded(values: Float32Array, step: float, floor: float) -> Float32Array:
    top = 255 if step != _POWER_DB else 65535
    found: Float32Array = np.clip(np.rint((values - np.float32(floor)) / np.float32(step)), 0, top)
    return found
