"""Alignment of clips: the position of a clip in another edition of its recording, found without the original audio.

A clip's fingerprint items give the position to about a tenth of a second; its sketch gives it to the sample: a sketch
holds 64 sums of signed samples, and the position where the new audio gives the same sums is that of the clip.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from pipelines.ingest.analysis.fingerprint import INNER_S, ITEM_S, NO_EVIDENCE, Items, bit_errors
from pipelines.ingest.reproduce.clip_checks import ClipCheck
from pipelines.ingest.reproduce.sketch import Sketch, recover_group_sums, sign_patterns, snr_db
from pipelines.media.audio import Pcm16
from pipelines.units import Decibels, Hertz, Samples, Seconds

#: From this level on, another CPU or decoder build explains the difference (measured: 108 dB).
EQUIVALENT_DB: Decibels = 60.0
#: A position is accepted from this level on; unrelated audio gives -3 dB, the same audio in two codecs 15 and more.
SAME_AUDIO_DB: Decibels = 10.0
#: How far around a position from the fingerprint or a neighbour the exact sample is searched.
SEARCH_RADIUS_S: Seconds = 0.2

_GROUPS = 16
_CANDIDATES = 3
_MAX_BIT_ERROR = 0.35


@dataclass(frozen=True, slots=True)
class ClipPosition:
    """Where a clip starts in the new audio, and the signal-to-noise ratio there against the original."""

    start_sample: Samples
    snr_db: Decibels


class DecodedRecording:
    """Random access to a decoded recording: mono s16 [n] at `rate_hz`, and its fingerprint items [k]."""

    def __init__(self, pcm: Pcm16, rate_hz: Hertz, items: Items) -> None:
        self._pcm = pcm
        self.rate_hz = rate_hz
        self.items = items

    def samples(self, start: Samples, count: Samples) -> Pcm16:
        """[count] samples from `start`, with silence outside the recording."""
        begin, end = max(0, min(start, len(self._pcm))), max(0, min(start + count, len(self._pcm)))
        inside = np.asarray(self._pcm[begin:end], dtype=np.int16)
        before = min(count, max(0, -start))
        return np.pad(inside, (before, count - before - len(inside)))


def locate_clip(
    check: ClipCheck, n_samples: Samples, recording: DecodedRecording, guesses: Iterable[Samples]
) -> ClipPosition | None:
    """The position of a clip of `n_samples` in `recording`, or None where its audio is absent.

    `guesses` are start samples that its neighbours suggest: they are tried first, and the first accepted one is taken.
    Of the positions that the fingerprint gives, the one with the highest SNR is taken.
    """
    radius = round(SEARCH_RADIUS_S * recording.rate_hz)
    suggested = list(dict.fromkeys(guesses))
    for start in suggested:
        snr = snr_db(check.sketch, recording.samples(start, n_samples))
        if snr >= EQUIVALENT_DB:
            return ClipPosition(start, snr)
    best: ClipPosition | None = None
    tried: list[Samples] = []
    for start in (*suggested, *_fingerprint_positions(check.items, recording)):
        if any(abs(start - other) < radius // 2 for other in tried):
            continue
        tried.append(start)
        region = recording.samples(start - radius, n_samples + 2 * radius)
        found, snr = best_start(check.sketch, region, n_samples)
        if snr >= SAME_AUDIO_DB and (best is None or snr > best.snr_db):
            best = ClipPosition(start - radius + found, snr)
            if snr >= EQUIVALENT_DB or start in suggested:
                break
    return best


def best_start(original: Sketch, region: Pcm16, n_samples: Samples) -> tuple[Samples, Decibels]:
    """Where in `region` [m] the `n_samples` start whose sketch is nearest to `original`, and their SNR against it.

    Correlates the region with the signs of 16 of the 64 groups at once, and confirms with the whole sketch.
    """
    last = len(region) - n_samples
    size = scipy.fft.next_fast_len(len(region), real=True)
    spectrum = scipy.fft.rfft(region.astype(np.float32), size)
    sums = scipy.fft.irfft(spectrum[None, :] * _transforms(n_samples, size), size, axis=1)[:, : last + 1]
    wanted = recover_group_sums(original)[:_GROUPS, None].astype(np.float32)
    found = int(np.square(sums - wanted).sum(axis=0).argmin())
    return found, snr_db(original, region[found : found + n_samples])


@lru_cache(maxsize=2)
def _transforms(n_samples: Samples, size: int) -> npt.NDArray[np.complex64]:
    """Conjugate spectra of the sign patterns of the first groups: [16, size // 2 + 1]."""
    groups, signs = sign_patterns(n_samples)
    rows = np.stack([np.where(groups == group, signs, 0.0) for group in range(_GROUPS)]).astype(np.float32)
    spectra: npt.NDArray[np.complex64] = np.conj(scipy.fft.rfft(rows, size, axis=1))
    return spectra


def _fingerprint_positions(items: Items, recording: DecodedRecording) -> Sequence[Samples]:
    """Start samples where the recording's fingerprint is most similar to the clip's, most similar first."""
    count = len(items)
    if count == 0 or len(recording.items) < count or bool((items == NO_EVIDENCE).all()):
        return ()
    windows = np.lib.stride_tricks.sliding_window_view(recording.items, count)
    errors = bit_errors(windows, items[None, :]).mean(axis=1)
    indices: list[int] = []
    for index in np.argsort(errors, kind="stable"):
        if errors[index] > _MAX_BIT_ERROR or len(indices) == _CANDIDATES:
            break
        if all(abs(int(index) - other) > 1 for other in indices):
            indices.append(int(index))
    return [round((index * ITEM_S - INNER_S) * recording.rate_hz) for index in indices]
