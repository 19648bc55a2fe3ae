"""Where the sound of a clip stands in another edition of its recording, found without the original sound.

A clip's own fingerprint items tell the place to about a tenth of a second; its sketch tells it to the sample: a sketch
holds 64 sums of signed samples, and the place where the same sums come out of the new sound is the place of the clip.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from pipelines.ingest.analysis.fingerprint import INNER_S, ITEM_S, NOTHING, Items, bit_errors
from pipelines.ingest.reproduce.clip_checks import Check
from pipelines.ingest.reproduce.sketch import Sketch, groups_of, patterns, snr_db
from pipelines.media.audio import Pcm16
from pipelines.units import Decibels, Hertz, Samples, Seconds

#: From here on another CPU or decoder build is explanation enough (measured: 108 dB).
EQUIVALENT_DB: Decibels = 60.0
#: A place is believed from here on; two strangers give -3 dB, the same sound through two codecs 15 and more.
SAME_SOUND_DB: Decibels = 10.0
#: How far around a place that the fingerprint or a neighbour gives the sample is looked for.
REACH_S: Seconds = 0.2

_GROUPS = 16
_PLACES = 3
_WORST_BITS = 0.35


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clip begins in the new sound, and how near the sound there is to the original."""

    start_sample: Samples
    snr_db: Decibels


class Recording:
    """Random access to a decoded recording: mono s16 [n] at `rate_hz`, and its fingerprint items [k]."""

    def __init__(self, pcm: Pcm16, rate_hz: Hertz, items: Items) -> None:
        self._pcm = pcm
        self.rate_hz = rate_hz
        self.items = items

    def samples(self, start: Samples, count: Samples) -> Pcm16:
        """[count] samples from `start`, with silence where the recording is not."""
        begin, end = max(0, min(start, len(self._pcm))), max(0, min(start + count, len(self._pcm)))
        inside = np.asarray(self._pcm[begin:end], dtype=np.int16)
        before = min(count, max(0, -start))
        return np.pad(inside, (before, count - before - len(inside)))


def find(check: Check, n_samples: Samples, there: Recording, guesses: Iterable[Samples]) -> Place | None:
    """The place of a clip of `n_samples` in `there`, or None where its sound is not.

    `guesses` are start samples that its neighbours suggest: they are tried first, and the first believed one counts.
    Of the places that the fingerprint gives, the nearest to the original does.
    """
    reach = round(REACH_S * there.rate_hz)
    asked = list(dict.fromkeys(guesses))
    for start in asked:
        near = snr_db(check.sketch, there.samples(start, n_samples))
        if near >= EQUIVALENT_DB:
            return Place(start, near)
    best: Place | None = None
    tried: list[Samples] = []
    for start in (*asked, *_places(check.items, there)):
        if any(abs(start - other) < reach // 2 for other in tried):
            continue
        tried.append(start)
        region = there.samples(start - reach, n_samples + 2 * reach)
        found, near = best_start(check.sketch, region, n_samples)
        if near >= SAME_SOUND_DB and (best is None or near > best.snr_db):
            best = Place(start - reach + found, near)
            if near >= EQUIVALENT_DB or start in asked:
                break
    return best


def best_start(original: Sketch, region: Pcm16, n_samples: Samples) -> tuple[Samples, Decibels]:
    """Where in `region` [m] the `n_samples` stand whose sketch is nearest to `original`, and their SNR against it.

    Correlates the region with the signs of 16 of the 64 groups at once, and takes the whole sketch to confirm.
    """
    last = len(region) - n_samples
    size = scipy.fft.next_fast_len(len(region), real=True)
    sound = scipy.fft.rfft(region.astype(np.float32), size)
    sums = scipy.fft.irfft(sound[None, :] * _transforms(n_samples, size), size, axis=1)[:, : last + 1]
    wanted = groups_of(original)[:_GROUPS, None].astype(np.float32)
    found = int(np.square(sums - wanted).sum(axis=0).argmin())
    return found, snr_db(original, region[found : found + n_samples])


@lru_cache(maxsize=2)
def _transforms(n_samples: Samples, size: int) -> npt.NDArray[np.complex64]:
    """Conjugate spectra of the sign patterns of the first groups: [16, size // 2 + 1]."""
    groups, signs = patterns(n_samples)
    rows = np.stack([np.where(groups == group, signs, 0.0) for group in range(_GROUPS)]).astype(np.float32)
    spectra: npt.NDArray[np.complex64] = np.conj(scipy.fft.rfft(rows, size, axis=1))
    return spectra


def _places(items: Items, there: Recording) -> Sequence[Samples]:
    """Start samples at which the fingerprint of the recording is most like that of the clip, likeliest first."""
    count = len(items)
    if count == 0 or len(there.items) < count or bool((items == NOTHING).all()):
        return ()
    windows = np.lib.stride_tricks.sliding_window_view(there.items, count)
    errors = bit_errors(windows, items[None, :]).mean(axis=1)
    places: list[int] = []
    for index in np.argsort(errors, kind="stable"):
        if errors[index] > _WORST_BITS or len(places) == _PLACES:
            break
        if all(abs(int(index) - other) > 1 for other in places):
            places.append(int(index))
    return [round((index * ITEM_S - INNER_S) * there.rate_hz) for index in places]
