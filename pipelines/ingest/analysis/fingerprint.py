"""Fingerprint of a recording: 8 items of 32 bits per second, similar for the same audio through any codec.

Each bit says whether the difference between two neighbouring bands (33 bands, 300 to 3500 Hz) rises or falls around
its time. Gain and equalisation cancel, a codec flips few, and a shift by half an item flips about one bit in eight.
Source of the idea: Haitsma and Kalker (2002), A Highly Robust Audio Fingerprinting System, ISMIR. Theirs looks at
neighbouring frames 12 ms apart; the wide slope taken here is what makes 8 items a second enough, as Chromaprint's are.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.ingest.analysis.power_spectrum import (
    FRAME,
    FULL_SCALE,
    MODEL_HZ,
    STEP,
    Resampler16k,
    SpectrumStream,
    power_spectra,
)
from pipelines.media.audio import decode_blocks, probe, resample, to_mono
from pipelines.units import Audio, Float32Array, Float64Array, Hertz, Samples, Seconds, SourceId

Items = npt.NDArray[np.uint32]

#: Version of the bits, written to saved tables: change it with any of the constants below.
ALGORITHM = "slopes-1"
ITEM_SAMPLES: Samples = 2000
ITEM_S: Seconds = ITEM_SAMPLES / MODEL_HZ
#: Item of audio that does not change (silence, a steady tone): it is no evidence of a match.
NO_EVIDENCE = 0

_FRAMES_PER_ITEM = ITEM_SAMPLES // STEP
_SLOPE_FRAMES = 5.0  # standard deviation of the Gaussian whose derivative is the slope: 156 ms
_REACH = 15
#: Distance from the edge of a stretch at which only its own audio affects an item.
INNER_S: Seconds = (_REACH * STEP + FRAME // 2) / MODEL_HZ
_BANDS, _LOW_HZ, _HIGH_HZ = 33, 300.0, 3500.0
#: Power to this is near loudness; unlike a logarithm it keeps signs free of gain and quiet noise without weight.
_COMPRESSION = 0.25
_FLOOR = 1e-7  # about -85 dBFS of noise in one band
_STILL = 0.02  # mean slope against mean level below which nothing changes


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """One recording's items [n]; item k is centred on k times 0.125 s."""

    source_id: SourceId
    duration_s: Seconds
    items: Items


class SpectrumFingerprinter:
    """Items from power spectra, pass by pass as `SpectrumStream` gives them; memory grows by 32 bytes per second."""

    def __init__(self) -> None:
        self._levels = np.zeros((_REACH, _BANDS), np.float32)
        self._items: list[Items] = []

    def take(self, power: Float32Array) -> None:
        """One pass of power, float32 [BATCH, BINS]."""
        levels = np.concatenate([self._levels, _levels(power)])
        items = (len(levels) - 2 * _REACH - 1) // _FRAMES_PER_ITEM + 1
        self._items.append(_bits(levels, items))
        self._levels = levels[items * _FRAMES_PER_ITEM :]

    def items(self, duration_s: Seconds) -> Items:
        """Items [ceil(duration / 0.125 s)], once the spectra are finished."""
        return np.concatenate(self._items)[: int(np.ceil(duration_s / ITEM_S - 1e-9))]


class Fingerprinter:
    """Fingerprints a recording block by block, float32 [n] at `rate_hz`."""

    def __init__(self, rate_hz: Hertz) -> None:
        self._rate_hz = rate_hz
        self._resampler, self._spectra, self._slopes = Resampler16k(rate_hz), SpectrumStream(), SpectrumFingerprinter()
        self._samples: Samples = 0

    def feed(self, mono: Audio) -> None:
        """One block of the channel mean."""
        self._samples += len(mono)
        self._take(self._resampler.take(mono))

    def finish(self, source_id: SourceId) -> Fingerprint:
        """The whole recording's fingerprint; ceil(duration / 0.125 s) items."""
        self._take(self._resampler.finish())
        for power in self._spectra.finish():
            self._slopes.take(power)
        duration_s = self._samples / self._rate_hz
        return Fingerprint(source_id, duration_s, self._slopes.items(duration_s))

    def _take(self, audio: Audio) -> None:
        for power in self._spectra.take(audio):
            self._slopes.take(power)


def fingerprint(path: Path, source_id: SourceId, track: int = 0) -> Fingerprint:
    """The fingerprint of a file, by one linear decode. Raises MediaError as `decode_blocks` does."""
    return fingerprint_blocks(map(to_mono, decode_blocks(path, track)), probe(path, track).rate_hz, source_id)


def fingerprint_blocks(blocks: Iterable[Audio], rate_hz: Hertz, source_id: SourceId) -> Fingerprint:
    """The fingerprint of mono blocks, each float32 [n] at `rate_hz`."""
    maker = Fingerprinter(rate_hz)
    for block in blocks:
        maker.feed(block)
    return maker.finish(source_id)


def inner_items(mono: Audio, rate_hz: Hertz) -> Items:
    """Items of a short stretch, float32 [n] at `rate_hz`, that depend on nothing outside it.

    The first is centred on INNER_S after its beginning, and so on each 0.125 s; none under 1.01 s.
    """
    sound = resample(mono, rate_hz, MODEL_HZ)
    frames = (len(sound) - FRAME) // STEP + 1
    count = (frames - 2 * _REACH - 1) // _FRAMES_PER_ITEM + 1
    if count < 1:
        return np.zeros(0, np.uint32)
    return _bits(_levels(power_spectra(sound[: (frames - 1) * STEP + FRAME])), count)


def bit_errors(a: Items, b: Items) -> Float64Array:
    """Share of unequal bits, item by item, for `a` and `b` of one shape; 0.5 where either is NO_EVIDENCE."""
    unequal = np.bitwise_count(a ^ b) / 32.0
    return np.where((a == NO_EVIDENCE) | (b == NO_EVIDENCE), 0.5, unequal)


def to_text(mark: Fingerprint) -> str:
    """Base64 of deflated bits, band by band along time: about 35 characters per second; `ALGORITHM` is the version."""
    planes = np.unpackbits(mark.items.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1).T
    packed = np.packbits(planes, axis=1).tobytes()
    head = struct.pack("<Id", len(mark.items), mark.duration_s)
    return base64.b64encode(head + zlib.compress(packed, 9)).decode("ascii")


def from_text(source_id: SourceId, algorithm: str, text: str) -> Fingerprint:
    """The fingerprint that `to_text` wrote. Raises DataError for another algorithm or a damaged text."""
    if algorithm != ALGORITHM:
        raise DataError(
            f"{source_id}: its fingerprint is '{algorithm}', expected '{ALGORITHM}'; "
            "remove fp_algo and fp_b64 from its row and ingest it again"
        )
    try:
        raw = base64.b64decode(text, validate=True)
        count, duration_s = struct.unpack_from("<Id", raw)
        packed = np.frombuffer(zlib.decompress(raw[struct.calcsize("<Id") :]), np.uint8).reshape(32, -1)
        planes = np.unpackbits(packed, axis=1, count=count)
    except (binascii.Error, struct.error, zlib.error, ValueError):
        raise DataError(
            f"{source_id}: its fingerprint is damaged; remove fp_algo and fp_b64 from its row and ingest it again"
        ) from None
    items = np.packbits(planes.T, axis=1).reshape(-1).view("<u4").astype(np.uint32)
    return Fingerprint(source_id, duration_s, items)


def _band_weights() -> npt.NDArray[np.float32]:
    edges = np.geomspace(_LOW_HZ, _HIGH_HZ, _BANDS + 2)
    hz = np.arange(int(_HIGH_HZ / MODEL_HZ * FRAME) + 2) * MODEL_HZ / FRAME
    low, middle, high = (edges[i : _BANDS + i, None] for i in range(3))
    triangles = np.clip(np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)), 0, None)
    weights: npt.NDArray[np.float32] = (triangles / triangles.sum(axis=1, keepdims=True)).T.astype(np.float32)
    return weights


_WEIGHTS = _band_weights()
_TIMES = np.arange(-_REACH, _REACH + 1) / _SLOPE_FRAMES
_BELL = (np.exp(-np.square(_TIMES) / 2) / np.exp(-np.square(_TIMES) / 2).sum()).astype(np.float32)
_SLOPE = (_TIMES * _BELL / np.abs(_TIMES * _BELL).sum()).astype(np.float32)
_PLACES = (np.uint32(1) << np.arange(_BANDS - 1, dtype=np.uint32)).astype(np.uint32)


def _levels(power: Float32Array) -> Float32Array:
    """Compressed power in each band, [frames, bands], of power spectra [frames, BINS]."""
    scaled: Float32Array = power[:, : len(_WEIGHTS)] @ _WEIGHTS / np.float32(FULL_SCALE) + np.float32(_FLOOR)
    levels: Float32Array = scaled ** np.float32(_COMPRESSION)
    return levels


def _bits(levels: npt.NDArray[np.float32], items: int) -> Items:
    around = np.lib.stride_tricks.sliding_window_view(levels, 2 * _REACH + 1, axis=0)[::_FRAMES_PER_ITEM][:items]
    slopes = around @ _SLOPE
    contrast = slopes[:, 1:] - slopes[:, :-1]
    still = np.abs(slopes).mean(axis=1) < _STILL * (around @ _BELL).mean(axis=1)
    bits = ((contrast > 0) * _PLACES).sum(axis=1, dtype=np.uint32)
    return np.where(still, np.uint32(NO_EVIDENCE), bits).astype(np.uint32)
