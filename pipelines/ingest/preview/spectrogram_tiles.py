"""Spectrogram tiles of a long recording: loudness by time and frequency, and the waveform envelope, at every zoom.

At level k one column stands for `finest << k` samples. From level PEAKS_LEVEL (envelope) and BANDS_LEVEL (spectrum) on,
columns are stored on disk, computed while the recording is decoded; finer ones are computed from the decoded audio when
they are requested. A tile is COLUMNS columns of one level, so a page requests what it shows and no more.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.media.audio import Pcm16
from pipelines.units import Decibels, Float32Array, Hertz, Samples

Bytes = npt.NDArray[np.uint8]
SmallInts = npt.NDArray[np.int8]
Small = TypeVar("Small", np.uint8, np.int8)

COLUMNS = 256
ROWS = 128
FLOOR_DB: Decibels = -90.0
TOP_DB: Decibels = 0.0

#: About 21 ms: the hop of the stored spectra, and half of every analysis window.
HOP_S = 0.02
LOWEST_HZ, HIGHEST_HZ = 50.0, 8000.0
PEAKS_LEVEL = 4
BANDS_LEVEL = 6

#: Spectra computed at once: they fit in the processor's cache.
_FRAMES = 128


@dataclass(frozen=True, slots=True)
class TileGeometry:
    """The levels and columns of one recording's tiles."""

    rate_hz: Hertz
    n_samples: Samples

    @property
    def hop(self) -> Samples:
        """Samples between stored spectra: the power of two nearest to HOP_S."""
        return 1 << max(PEAKS_LEVEL, round(math.log2(self.rate_hz * HOP_S)))

    @property
    def finest(self) -> Samples:
        """Samples per column at level 0."""
        return self.hop >> PEAKS_LEVEL

    @property
    def levels(self) -> int:
        """The number of levels; at the last one a single tile shows the whole recording."""
        wanted = math.ceil(self.n_samples / (COLUMNS * self.finest))
        return max(BANDS_LEVEL, math.ceil(math.log2(max(1, wanted)))) + 1

    def samples_per_column(self, level: int) -> Samples:
        """Samples per column."""
        return self.finest << level

    def columns(self, level: int) -> int:
        """Columns of a level; the last may stand for fewer samples."""
        return -(-self.n_samples // self.samples_per_column(level))

    def stored_columns(self, first_level: int) -> tuple[int, ...]:
        """Columns of each level that is stored on disk, from `first_level` on."""
        return tuple(self.columns(level) for level in range(first_level, self.levels))


@lru_cache(maxsize=16)
def row_frequencies_hz(rate_hz: Hertz) -> tuple[float, ...]:
    """Centre frequency of every row, lowest first: evenly spaced in mel (O'Shaughnessy 1987), to 8 kHz or the band."""
    edges = _edges(rate_hz)
    return tuple(float(hz) for hz in (edges[:-1] + edges[1:]) / 2)


def spectrum(audio: Float32Array, count: int, hop: Samples, rate_hz: Hertz) -> Bytes:
    """Loudness of `count` windows that start every `hop` samples in `audio`, as bytes [count, ROWS].

    0 is FLOOR_DB or less and 255 TOP_DB, the level of a full-scale sine within one row. `audio`: float32 [-1, 1],
    [n >= (count - 1) * hop + window]; the window is a Hann window of twice the view's hop.
    """
    from scipy.fft import rfft

    window = _window(rate_hz)
    frames = np.lib.stride_tricks.sliding_window_view(audio, len(window))[::hop][:count]
    starts, scale = _bins(rate_hz)
    found = np.empty((count, ROWS), np.uint8)
    for first in range(0, count, _FRAMES):
        part = rfft(frames[first : first + _FRAMES] * window, axis=1)
        power = np.square(part.real) + np.square(part.imag)
        # reduceat adds from each start to the next; every other sum is of the gap between two rows
        level_db = 10 * np.log10(np.add.reduceat(power, starts, axis=1)[:, ::2] * scale + np.float32(1e-12))
        found[first : first + _FRAMES] = np.clip(
            np.rint((level_db - FLOOR_DB) * (255 / (TOP_DB - FLOOR_DB))), 0, 255
        ).astype(np.uint8)
    return found


def waveform_envelope(pcm: Pcm16, per_column: Samples) -> SmallInts:
    """Lowest and highest sample of every `per_column` samples, rounded outwards to int8: [columns, 2]."""
    count = -(-len(pcm) // per_column)
    whole = len(pcm) // per_column * per_column
    low, high = np.zeros(count, np.int16), np.zeros(count, np.int16)
    if whole:
        parts = pcm[:whole].reshape(-1, per_column)
        low[: len(parts)], high[: len(parts)] = parts.min(axis=1), parts.max(axis=1)
    if whole < len(pcm):
        low[-1], high[-1] = pcm[whole:].min(), pcm[whole:].max()
    upper = np.minimum((high.astype(np.int32) + 255) >> 8, 127)
    return np.stack([low >> 8, upper], axis=1).astype(np.int8)


class TileWriter:
    """Writes the stored columns while a recording is decoded: feed every sample once, then finish. Constant memory."""

    def __init__(self, rate_hz: Hertz, bands: IO[bytes], peaks: IO[bytes]) -> None:
        self._geometry = TileGeometry(rate_hz, 0)
        self._bands, self._peaks = bands, peaks
        self._n_samples = 0
        self._frames = 0
        self._pending = np.zeros(self._geometry.hop // 2, np.float32)  # the first window starts before the recording
        self._pending_envelope: Pcm16 = np.empty(0, np.int16)

    def feed(self, pcm: Pcm16) -> None:
        """The next samples."""
        hop = self._geometry.hop
        self._n_samples += len(pcm)
        self._pending = np.concatenate([self._pending, pcm.astype(np.float32) / np.float32(32768)])
        ready = (len(self._pending) - hop) // hop
        self._write_spectra(ready - ready % _POOLED)
        waiting = np.concatenate([self._pending_envelope, pcm])
        whole = len(waiting) // hop * hop
        self._peaks.write(waveform_envelope(waiting[:whole], hop).tobytes())
        self._pending_envelope = waiting[whole:]

    def finish(self) -> TileGeometry:
        """Write the remaining columns and every coarser level."""
        geometry = TileGeometry(self._geometry.rate_hz, self._n_samples)
        remaining = -(-self._n_samples // geometry.hop) - self._frames
        self._pending = np.concatenate([self._pending, np.zeros(2 * geometry.hop, np.float32)])
        self._write_spectra(remaining)
        self._peaks.write(waveform_envelope(self._pending_envelope, geometry.hop).tobytes())
        _coarsen(self._bands, geometry.stored_columns(BANDS_LEVEL), ROWS, np.uint8, _mean)
        _coarsen(self._peaks, geometry.stored_columns(PEAKS_LEVEL), 2, np.int8, _extremes)
        return geometry

    def _write_spectra(self, count: int) -> None:
        if count <= 0:
            return
        hop = self._geometry.hop
        levels = spectrum(self._pending, count, hop, self._geometry.rate_hz)
        self._bands.write(_pooled(levels, _POOLED).tobytes())
        self._pending = self._pending[count * hop :]
        self._frames += count


class SpectrogramTiles:
    """The tiles of one recording: from `bands` and `peaks` as TileWriter wrote them, and from its decoded samples."""

    def __init__(
        self, geometry: TileGeometry, bands: Path, peaks: Path, samples: Callable[[Samples, Samples], Pcm16]
    ) -> None:
        self.geometry = geometry
        self._samples = samples
        self._bands = _stored_levels(bands, geometry.stored_columns(BANDS_LEVEL), ROWS, np.uint8)
        self._peaks = _stored_levels(peaks, geometry.stored_columns(PEAKS_LEVEL), 2, np.int8)

    def tile(self, level: int, index: int) -> tuple[Bytes, SmallInts]:
        """Columns [COLUMNS * index, + COLUMNS) of `level`: bytes [COLUMNS, ROWS] and int8 [COLUMNS, 2].

        Columns past the end are 0. Raises ValueError for a tile that does not exist.
        """
        geometry = self.geometry
        first = COLUMNS * index
        if not (0 <= level < geometry.levels and 0 <= first < geometry.columns(level)):
            raise ValueError(f"there is no tile {index} at level {level}")
        last = min(first + COLUMNS, geometry.columns(level))
        bands, peaks = np.zeros((COLUMNS, ROWS), np.uint8), np.zeros((COLUMNS, 2), np.int8)
        if level >= BANDS_LEVEL:
            bands[: last - first] = self._bands[level - BANDS_LEVEL][first:last]
        else:
            bands[: last - first], computed = self._compute(level, first, last)
        peaks[: last - first] = computed if level < PEAKS_LEVEL else self._peaks[level - PEAKS_LEVEL][first:last]
        return bands, peaks

    def _compute(self, level: int, first: int, last: int) -> tuple[Bytes, SmallInts]:
        """Columns from the samples, read once. A window is centred on its column; longer columns pool several."""
        geometry = self.geometry
        per_column = geometry.samples_per_column(level)
        step = min(per_column, geometry.hop)
        start, end = first * per_column, min(last * per_column, geometry.n_samples)
        count = -(-(end - start) // step)
        begin = start + step // 2 - geometry.hop
        n_needed = (count - 1) * step + 2 * geometry.hop
        low, high = max(0, begin), min(begin + n_needed, geometry.n_samples)
        pcm = self._samples(low, high - low)
        audio = np.zeros(n_needed, np.float32)
        audio[low - begin : high - begin] = pcm.astype(np.float32) / np.float32(32768)
        peaks = waveform_envelope(pcm[start - low : end - low], per_column)
        return _pooled(spectrum(audio, count, step, geometry.rate_hz), per_column // step), peaks


_POOLED = 1 << (BANDS_LEVEL - PEAKS_LEVEL)


def _pooled(levels: Bytes, by: int) -> Bytes:
    """Mean of every `by` rows, the last of those that remain: [n, ROWS] -> [ceil(n / by), ROWS]."""
    if by == 1:
        return levels
    starts = np.arange(0, len(levels), by)
    sums = np.add.reduceat(levels.astype(np.uint16), starts, axis=0)
    sizes = np.minimum(by, len(levels) - starts).astype(np.uint16)[:, None]
    pooled: Bytes = ((sums + sizes // 2) // sizes).astype(np.uint8)
    return pooled


def _mean(pairs: npt.NDArray[np.uint8]) -> Bytes:
    mean: Bytes = ((pairs[:, 0].astype(np.uint16) + pairs[:, 1] + 1) >> 1).astype(np.uint8)
    return mean


def _extremes(pairs: npt.NDArray[np.int8]) -> SmallInts:
    return np.stack([pairs[:, :, 0].min(axis=1), pairs[:, :, 1].max(axis=1)], axis=1)


def _coarsen(
    file: IO[bytes],
    columns: Sequence[int],
    width: int,
    kind: type[Small],
    pool: Callable[[npt.NDArray[Small]], npt.NDArray[Small]],
) -> None:
    """Append every coarser level to a file that holds the first one, in parts of some thousand columns."""
    at_once = 1 << 15
    begin = 0
    for count in columns[:-1]:
        for first in range(0, count, at_once):
            taken = min(at_once, count - first)
            file.seek((begin + first) * width)
            part = np.frombuffer(file.read(taken * width), kind).reshape(taken, width)
            if taken % 2:
                part = np.concatenate([part, part[-1:]])
            file.seek(0, 2)
            file.write(pool(part.reshape(-1, 2, width)).tobytes())
        begin += count


def _stored_levels(file: Path, columns: Sequence[int], width: int, kind: type[Small]) -> list[npt.NDArray[Small]]:
    whole = np.memmap(file, kind, "r", shape=(sum(columns), width))
    ends = np.cumsum(columns)
    return [whole[end - count : end] for end, count in zip(ends, columns, strict=True)]


@lru_cache(maxsize=16)
def _window(rate_hz: Hertz) -> Float32Array:
    size = 2 * TileGeometry(rate_hz, 0).hop
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


@lru_cache(maxsize=16)
def _bins(rate_hz: Hertz) -> tuple[npt.NDArray[np.intp], np.float32]:
    """First bin of every row and of the gap after it, for reduceat; and the scale that makes a full-scale sine 1."""
    window = _window(rate_hz)
    size = len(window)
    edges = np.rint(_edges(rate_hz) * size / rate_hz).astype(np.intp)
    first = np.minimum(edges[:-1], size // 2 - 1)
    after = np.minimum(np.maximum(edges[1:], first + 1), size // 2)
    scale = 4 / (size * float(np.square(window, dtype=np.float64).sum()))
    return np.stack([first, after], axis=1).reshape(-1), np.float32(scale)


def _edges(rate_hz: Hertz) -> npt.NDArray[np.float64]:
    top = min(HIGHEST_HZ, rate_hz / 2)
    low_mel, top_mel = (2595 * math.log10(1 + hz / 700) for hz in (min(LOWEST_HZ, top / 2), top))
    mel = np.linspace(low_mel, top_mel, ROWS + 1)
    return np.asarray(700 * (10 ** (mel / 2595) - 1))
