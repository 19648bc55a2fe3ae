"""What a recording is heard to be, in one pass: speech, level, pitch, bands, held tones, fingerprint.

One stream at 16 kHz and one short-time spectrum serve all of it. Tracks are small (about 3 MB an hour), saved beside
the study, and enough to score any window of the recording again; numbers are rounded before anything is made of them,
so that saved tracks give the same scores as fresh ones.
"""

import zipfile
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.atomic_write import atomic_path
from pipelines.errors import DataError
from pipelines.ingest.analysis.fingerprint import Items, Slopes
from pipelines.ingest.analysis.power_spectrum import (
    BINS,
    FRAME,
    FULL_SCALE,
    MODEL_HZ,
    STEP,
    WINDOW,
    Spectra,
    To16k,
    frames_of,
)
from pipelines.ingest.analysis.silero_vad import HOP
from pipelines.ingest.analysis.speech import HOP_S, SpeechTracker
from pipelines.units import Audio, Hertz, Reals, Samples, Seconds

#: Names the form of the tracks; a file of another form is made again.
VERSION = "tracks-1"
#: Frames of bands, pitch and tones are so far apart; frame k is centred on k * FRAME_S.
FRAME_S: Seconds = STEP / MODEL_HZ
#: Amplitudes are summed over so many hops (128 ms).
HOPS_PER_SUM = 4
SUM_S: Seconds = HOPS_PER_SUM * HOP_S

BANDS, BANDS_LOW_HZ, BANDS_HIGH_HZ = 24, 80.0, 7600.0
PITCH_LOW_HZ, PITCH_HIGH_HZ = 65.0, 600.0
_BAND_DB, _BAND_FLOOR_DB = 0.5, -115.0
_POWER_DB, _POWER_FLOOR_DB = 0.01, -160.0
#: Half of the least step of 16 bits: below it the logarithm of an amplitude says nothing of the sound.
_LEAST_AMPLITUDE = 2.0**-16
#: Peaks are looked for between these (94 and 3500 Hz).
_PEAKS_FROM, _PEAKS_TO = 6, 224
#: A tone is held where a peak stood in the same place (one bin beside is the same) so many frames ago, each time.
_HELD_AGO = (2, 4, 6, 8)
#: Frames whose pitch is sought together: few enough for the processor's cache, twice as fast as all at once.
_TOGETHER = 128

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """What was heard of a recording. Hops last 32 ms (`HOP_S`), frames 31.25 ms, sums 128 ms; rounded as stored.

    `speech_16`, `power_16`: [hops]. `bands_8`: [frames, BANDS]. `pitch_8`, `voiced_8`, `held_8`: [frames].
    `amplitudes`: [sums, 2], mean of |x| and of ln |x|. `items`: the fingerprint's.
    """

    samples: Samples
    rate_hz: Hertz
    speech_16: Words
    power_16: Words
    bands_8: Bytes
    pitch_8: Bytes
    voiced_8: Bytes
    held_8: Bytes
    amplitudes: Reals
    items: Items

    @property
    def duration_s(self) -> Seconds:
        return self.samples / self.rate_hz

    @property
    def speech(self) -> Reals:
        """Probability of speech, [hops]."""
        return self.speech_16.astype(np.float32) / np.float32(65535)

    @property
    def power(self) -> Reals:
        """Mean square, [hops]; full scale is 1."""
        return self.power_between(0, len(self.power_16))

    def power_between(self, first: int, last: int) -> Reals:
        """Mean square of the hops from `first` to before `last`."""
        decibels = self.power_16[first:last].astype(np.float32) * np.float32(_POWER_DB) + np.float32(_POWER_FLOOR_DB)
        found: Reals = np.exp(decibels * np.float32(np.log(10) / 10))
        return found

    def bands_db(self, start_s: Seconds, end_s: Seconds) -> Reals:
        """Level in each of BANDS mel bands between two times, dB of full scale: [frames, BANDS]."""
        levels = self.bands_8[self.frames(start_s, end_s)].astype(np.float32)
        return levels * np.float32(_BAND_DB) + np.float32(_BAND_FLOOR_DB)

    def pitch_hz(self, start_s: Seconds, end_s: Seconds) -> tuple[Reals, Reals]:
        """Pitch in Hz and how periodic the sound is (0 to 1) between two times: [frames], [frames]."""
        semitones, periodic = self.semitones(start_s, end_s)
        hz: Reals = np.float32(PITCH_LOW_HZ) * np.exp2(semitones / np.float32(12))
        return hz, periodic

    def semitones(self, start_s: Seconds, end_s: Seconds) -> tuple[Reals, Reals]:
        """Pitch in semitones above PITCH_LOW_HZ and how periodic the sound is between two times: [frames], [frames]."""
        where = self.frames(start_s, end_s)
        octaves = np.float32(np.log2(PITCH_HIGH_HZ / PITCH_LOW_HZ))
        return _shares(self.pitch_8[where]) * (octaves * np.float32(12)), _shares(self.voiced_8[where])

    def held(self, start_s: Seconds, end_s: Seconds) -> Reals:
        """Share of the power in spectral peaks that have stood still for a quarter of a second: [frames]."""
        return _shares(self.held_8[self.frames(start_s, end_s)])

    def frames(self, start_s: Seconds, end_s: Seconds) -> slice:
        """The frames centred between two times."""
        return slice(max(0, int(np.ceil(start_s / FRAME_S - 1e-9))), max(0, int(np.ceil(end_s / FRAME_S - 1e-9))))

    def save(self, path: Path) -> None:
        """Write an .npz; the file appears whole or not at all. Same tracks, same bytes."""
        with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", compresslevel=1) as archive:
            for name, array in _stored(self).items():
                entry = zipfile.ZipInfo(f"{name}.npy")  # of 1980, whatever the clock says
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


_PLAIN = tuple(field.name for field in fields(Tracks) if field.name not in ("samples", "rate_hz", "bands_8"))


def load(path: Path) -> Tracks:
    """Tracks that `save` wrote. Raises DataError for a file of another form or a damaged one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["version"]) != VERSION:
                raise DataError(f"{path.name}: holds '{stored['version']}', expected '{VERSION}'; ingest again")
            return Tracks(
                samples=int(stored["samples"]),
                rate_hz=int(stored["rate_hz"]),
                bands_8=np.cumsum(stored["bands_8"], axis=0, dtype=np.uint8),
                **{name: stored[name] for name in _PLAIN},
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        raise DataError(f"{path.name}: cannot be read; ingest its recording again") from None


def _stored(tracks: Tracks) -> dict[str, npt.NDArray[np.generic]]:
    found = {field.name: np.asarray(getattr(tracks, field.name)) for field in fields(tracks)}
    found["bands_8"] = np.diff(tracks.bands_8, axis=0, prepend=np.uint8(0))  # steps pack better than levels
    return {"version": np.array(VERSION), **found}


class Listener:
    """Feed a recording block by block; get its tracks. Memory grows by about 1.2 kB a second."""

    def __init__(self, rate_hz: Hertz) -> None:
        self._rate_hz = rate_hz
        self._samples = self._heard = 0
        self._resampler = To16k(rate_hz)
        self._speech = SpeechTracker(MODEL_HZ)
        self._spectra = Spectra()
        self._slopes = Slopes()
        self._frames = _Frames()
        self._amplitudes = _Amplitudes()

    def feed(self, mono: Audio) -> None:
        """One block of the channel mean, float32 [n] at the recording's rate."""
        self._samples += len(mono)
        self._take(self._resampler.take(mono))

    def finish(self) -> Tracks:
        """The tracks of the whole recording."""
        self._take(self._resampler.finish())
        for power in self._spectra.finish():
            self._slopes.take(power)
            self._frames.take(power)
        speech = self._speech.finish()
        frames = self._frames.finish(frames_of(self._heard))
        return Tracks(
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

    def _take(self, heard: Audio) -> None:
        self._heard += len(heard)
        self._speech.feed(heard)
        self._amplitudes.take(heard)
        for power in self._spectra.take(heard):
            self._slopes.take(power)
            self._frames.take(power)


class _Amplitudes:
    """Mean of |x| and of ln |x| over each 128 ms."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._sums: list[Reals] = []

    def take(self, heard: Audio) -> None:
        sound = np.concatenate([self._rest, heard])
        size = HOPS_PER_SUM * HOP
        whole = len(sound) // size
        self._rest = sound[whole * size :]
        if whole:
            self._sums.append(_amplitudes(sound[: whole * size].reshape(whole, size)))

    def finish(self) -> Reals:
        if len(self._rest):
            self._sums.append(_amplitudes(self._rest[None]))
        return np.concatenate(self._sums) if self._sums else np.zeros((0, 2), np.float32)


def _amplitudes(sound: Reals) -> Reals:
    size = np.maximum(np.abs(sound), np.float32(_LEAST_AMPLITUDE))
    return np.stack([size.mean(axis=1), np.log(size).mean(axis=1)], axis=1).astype(np.float32)


class _Frames:
    """Bands, pitch, periodicity and held tones of each frame, as bytes [frames, BANDS + 3]."""

    def __init__(self) -> None:
        self._peaks = np.zeros((max(_HELD_AGO), _PEAKS_TO - _PEAKS_FROM), np.bool_)
        self._rows: list[Bytes] = []

    def take(self, power: Reals) -> None:
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

    def _held(self, power: Reals) -> Reals:
        """Share of the power of spectral peaks that is in peaks which have stood still for 250 ms, [frames]."""
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
        held: Reals = np.einsum("ij,ij->i", weight, still) / np.maximum(whole, np.float32(1e-9))
        return held


def _pitch(power: Reals) -> tuple[Reals, Reals]:
    """Pitch on a scale of octaves from 0 to 1 and periodicity from 0 to 1, each [frames], of power [frames, BINS].

    The largest of the autocorrelation (of what lies below 4 kHz) over that of the window itself, with a slight
    preference for short periods: Boersma (1993), Accurate short-term analysis of the fundamental frequency.
    """
    from scipy.fft import irfft  # see spectra.power_of

    below = power[:, : BINS // 2 + 1]
    found: Reals = irfft(below, n=FRAME, axis=1)[:, : _lags()[-1] + 2]
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
def _long_period_cost() -> Reals:
    lags = _lags()
    cost: Reals = (0.03 * np.log2(lags / lags[0])).astype(np.float32)
    return cost


@lru_cache(maxsize=1)
def _window_alike() -> Reals:
    """The window's own autocorrelation, 1 at lag 0."""
    alike = np.fft.irfft(np.square(np.abs(np.fft.rfft(WINDOW, 2 * FRAME))))[: FRAME // 2]
    found: Reals = (alike / alike[0]).astype(np.float32)
    return found


@lru_cache(maxsize=1)
def _band_weights() -> Reals:
    """Triangles on the mel scale, [BINS, BANDS]; each sums to one, so that a level is a mean power."""
    mel = np.linspace(_to_mel(BANDS_LOW_HZ), _to_mel(BANDS_HIGH_HZ), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hz = np.arange(BINS) * MODEL_HZ / FRAME
    low, middle, high = (edges[i : BANDS + i, None] for i in range(3))
    triangles = np.clip(np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)), 0, None)
    weights: Reals = np.ascontiguousarray((triangles / triangles.sum(axis=1, keepdims=True)).T, dtype=np.float32)
    return weights


def _shares(stored: Bytes) -> Reals:
    """What was stored as 0 to 255 as 0 to 1."""
    return stored.astype(np.float32) / np.float32(255)


def _to_mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _db(power: Reals, least: float) -> Reals:
    found: Reals = np.float32(10) * np.log10(np.maximum(power, np.float32(least)))
    return found


def _rounded(values: Reals, step: float, floor: float) -> Reals:
    top = 255 if step != _POWER_DB else 65535
    found: Reals = np.clip(np.rint((values - np.float32(floor)) / np.float32(step)), 0, top)
    return found
