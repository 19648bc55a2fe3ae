"""Search for stretches that occur twice among recordings, from fingerprints alone.

An inverted index of parts of items gives places that may match. A window of 2 s on the same lag decides. Matching
windows grow outwards while the bits agree, and pieces of almost the same lag are joined across short gaps. A lag that
drifts (a copy that runs a little faster) is a chain of pieces on neighbouring lags.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.fingerprint import ITEM_S, NO_EVIDENCE, Fingerprint, Items, bit_errors
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.units import Float64Array, Seconds

Places = npt.NDArray[np.int64]

#: Shortest repeat that counts, minus what the blurred edges of a fingerprint may remove.
SHORTEST_S: Seconds = 3.0
_SHORTEST = round((SHORTEST_S - 0.5) / ITEM_S)
_GAP = round(3.5 / ITEM_S)
_WINDOW = 16
_WINDOW_ERROR = 0.25
#: A stretch grows over an item that has fewer unequal bits than this (chance has 0.5; speech over a tune has 0.3).
_GROW_ERROR = 0.36
_GROW = 120
#: An item covers half a second to either side, so growing overshoots an edge by this many items.
_BLUR = 1
#: Highest mean error of a whole stretch, by its length in items: shorter stretches have to match better.
_ERRORS = ((_SHORTEST, 0.215), (23, 0.23), (26, 0.24), (44, 0.28), (120, 0.31))
#: A stretch has to differ from the audio a little later by this much more, and at least by this much: a ringing phone
#: does not.
_CONTRAST, _UNLIKE = 0.08, 0.28
#: If one lag explains this share of a chain, pieces on other lags are chance, not a copy that runs faster.
_ONE_LAG = 0.7
_SHIFTS = (*range(-12, -4), *range(5, 13))
_PADDING = 40

#: The 32 bits in six parts; any two unequal parts leave four equal ones, and each choice of four is looked up.
_PARTS = (0x0000001F, 0x000003E0, 0x00007C00, 0x001F8000, 0x03E00000, 0xFC000000)
_KEYS = tuple(np.uint32(sum(four)) for four in combinations(_PARTS, 4))
#: How far to look along a list of equal keys; common keys carry little information, and their lists are long.
_LIST = 64


@dataclass(frozen=True, slots=True)
class MatchedStretch:
    """The same audio twice. Sources by number, places in items of each source; `error` is the share of unequal bits."""

    source_a: int
    start_a: float
    source_b: int
    start_b: float
    length: float
    error: float
    speed: float  # items of b for one item of a


def find_stretches(
    fingerprints: Sequence[Fingerprint], report: ProgressCallback = ignore_progress
) -> tuple[MatchedStretch, ...]:
    """Every repeat of 3 s or more between two recordings, or within one; `a` is the earlier in the order given."""
    items, owner, first = _joined(fingerprints)
    seeds = _verified(items, _seeds(items, owner, report))
    found: list[MatchedStretch] = []
    for in_a, in_b in _by_pair(seeds, owner):
        pieces = _pieces(items, in_a, in_b - in_a)
        chains = [_joined_up(chain) for chain in _chains(pieces)]
        for one in _best(chains):
            if one.length < _SHORTEST or one.error > _allowed(one.length) or _is_periodic(items, one.clearest):
                continue
            a, b = int(owner[round(one.a)]), int(owner[round(one.b)])
            if a == b and one.a + one.length > one.b:
                continue
            start_a, start_b = one.a - int(first[a]), one.b - int(first[b])
            found.append(MatchedStretch(a, start_a, b, start_b, one.length, one.error, one.speed))
    return tuple(sorted(found, key=lambda s: (s.source_a, s.source_b, s.start_b, s.start_a)))


def _joined(fingerprints: Sequence[Fingerprint]) -> tuple[Items, npt.NDArray[np.int32], Places]:
    """All items in one row with padding between sources, the source of each place, and where each source begins."""
    padding = np.full(_PADDING, NO_EVIDENCE, np.uint32)
    rows = [padding]
    owners = [np.full(_PADDING, -1, np.int32)]
    first: list[int] = []
    at = _PADDING
    for number, mark in enumerate(fingerprints):
        first.append(at)
        rows += [mark.items, padding]
        owners += [np.full(len(mark.items), number, np.int32), np.full(_PADDING, -1, np.int32)]
        at += len(mark.items) + _PADDING
    return np.concatenate(rows), np.concatenate(owners), np.array(first, np.int64)


def _seeds(items: Items, owner: npt.NDArray[np.int32], report: ProgressCallback) -> Places:
    """Pairs of places [n, 2], the earlier first, where four parts of six are equal and two items nearby are alike."""
    speaking = np.flatnonzero(items != NO_EVIDENCE)
    reach = max(_LIST, 2 * int(owner.max(initial=0)) + 2)
    found = np.zeros(0, np.int64)  # pairs as one number each: many are met under several keys, and lie here once
    for number, key in enumerate(_KEYS):
        report(Progress("searching for repeats", number, len(_KEYS)))
        # Value and place in one number: sorting those is many times as fast as a stable argsort, and the same order.
        keyed = (items[speaking] & key).astype(np.uint64) << np.uint64(32) | np.arange(len(speaking), dtype=np.uint64)
        keyed.sort()
        values, places = keyed >> np.uint64(32), speaking[keyed & np.uint64(0xFFFFFFFF)]
        here = np.arange(len(values))
        met = [found]
        for step in range(1, reach + 1):
            here = here[: np.searchsorted(here, len(values) - step)]
            here = here[values[here] == values[here + step]]
            if not len(here):
                break
            a, b = places[here], places[here + step]
            near = (owner[a] == owner[b]) & (b - a < _SHORTEST)
            alike = ~near & (_two_alike(items, a, b, 1) | _two_alike(items, a, b, -1))
            met.append(a[alike] * len(items) + b[alike])
        found = np.unique(np.concatenate(met))
    return np.stack(np.divmod(found, max(1, len(items))), axis=1)


def _two_alike(items: Items, a: Places, b: Places, side: int) -> npt.NDArray[np.bool_]:
    """Whether the items half a second and a second to one side differ in a quarter of their bits or fewer."""
    unequal = np.zeros(len(a), np.uint8)
    for away in (4 * side, 8 * side):
        unequal += np.bitwise_count(items[a + away] ^ items[b + away])
    return unequal <= 16


def _verified(items: Items, seeds: Places) -> Places:
    """Starts of windows [n, 2] that match as a whole, for each seed the best of the windows around it."""
    kept = [np.zeros((0, 2), np.int64)]
    for part in np.array_split(seeds, len(seeds) // 20_000 + 1):  # few enough that memory stays flat
        offsets = np.arange(-_WINDOW + 1, _WINDOW)
        errors = bit_errors(items[part[:, :1] + offsets], items[part[:, 1:] + offsets])
        sums = np.cumsum(np.pad(errors, ((0, 0), (1, 0))), axis=1)
        means = (sums[:, _WINDOW:] - sums[:, :-_WINDOW]) / _WINDOW
        best = means.argmin(axis=1)
        good = means.min(axis=1, initial=1.0) <= _WINDOW_ERROR
        kept.append(part[good] + (best[good] - _WINDOW + 1)[:, None])
    return np.unique(np.concatenate(kept), axis=0)


def _by_pair(windows: Places, owner: npt.NDArray[np.int32]) -> Iterator[tuple[Places, Places]]:
    """The windows of each pair of sources: starts in `a`, starts in `b`."""
    middle = windows + _WINDOW // 2
    inside = (owner[middle] >= 0).all(axis=1)
    windows, pairs = windows[inside], owner[middle[inside]].astype(np.int64)
    names = pairs[:, 0] * (int(owner.max(initial=0)) + 1) + pairs[:, 1]
    order = np.argsort(names, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(names[order])) + 1):
        if len(group):
            yield windows[group, 0], windows[group, 1]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Matching items from `start` to `end` in `a`, `lag` later in `b`; `error` is a sum over items."""

    start: int
    end: int
    lag: int
    error: float


def _pieces(items: Items, starts: Places, lags: Places) -> list[_Piece]:
    """Overlapping windows of one lag as one piece, grown outwards from its middle while the bits agree."""
    order = np.lexsort((starts, lags))
    starts, lags = starts[order], lags[order]
    breaks = np.flatnonzero((np.diff(lags) != 0) | (np.diff(starts) > _WINDOW)) + 1
    found: list[_Piece] = []
    for group in np.split(np.arange(len(starts)), breaks):
        lag = int(lags[group[0]])
        core_start, core_end = int(starts[group[0]]), int(starts[group[-1]]) + _WINDOW
        if found and found[-1].lag == lag and core_end <= found[-1].end:
            continue
        low = max(0, core_start - _GROW)
        high = min(len(items) - max(0, lag), core_end + _GROW)
        gain = _GROW_ERROR - bit_errors(items[low:high], items[low + lag : high + lag])
        middle = (core_start + core_end) // 2 - low
        end = middle + 1 + int(np.cumsum(gain[middle:]).argmax())
        start = middle - int(np.cumsum(gain[:middle][::-1]).argmax()) - 1 if middle else 0
        if end - start > _WINDOW:
            start, end = start + _BLUR, end - _BLUR
        error = _GROW_ERROR * (end - start) - float(gain[start:end].sum())
        found.append(_Piece(low + start, low + end, lag, error))
    return found


def _chains(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Pieces in order of `start`, joined where lags differ by two items or fewer and the gap is short."""
    chains: list[list[_Piece]] = []
    ends: list[int] = []
    for piece in sorted(pieces, key=lambda p: (p.start, p.lag)):
        for number in range(len(chains) - 1, -1, -1):
            if abs(chains[number][-1].lag - piece.lag) <= 2 and piece.start <= ends[number] + _GAP:
                chains[number].append(piece)
                ends[number] = max(ends[number], piece.end)
                break
        else:
            chains.append([piece])
            ends.append(piece.end)
    return chains


@dataclass(frozen=True, slots=True)
class _Joined:
    """A chain as one stretch from `a` and from `b`, in places of the whole row; `clearest` is its best piece."""

    a: float
    b: float
    length: float
    error: float
    speed: float
    clearest: _Piece


def _joined_up(chain: list[_Piece]) -> _Joined:
    """A chain as one stretch; better pieces have more weight in its lag."""
    best = max(chain, key=_worth)
    drifts = _drifts(chain, best)
    if not drifts:
        chain = [p for p in chain if abs(p.lag - best.lag) <= 1]
    start, end = _extent(chain)
    starts, ends, lags, errors = np.array([(p.start, p.end, p.lag, p.error) for p in chain], np.float64).T
    weights = np.array([_worth(p) for p in chain])
    middles = (starts + ends) / 2
    slope = _drift(middles, lags, weights) if drifts else 0.0
    lag = float(np.average(lags - slope * (middles - start), weights=weights))
    # Pieces on neighbouring lags cover the same items: the better one has more weight.
    error = float(np.average(errors / (ends - starts), weights=weights))
    return _Joined(float(start), start + lag, float(end - start), error, 1.0 + slope, best)


def _extent(chain: Sequence[_Piece]) -> tuple[int, int]:
    return min(p.start for p in chain), max(p.end for p in chain)


def _drifts(chain: Sequence[_Piece], best: _Piece) -> bool:
    """Whether the lag changes along the chain, so that the best piece explains only a part of it."""
    start, end = _extent(chain)
    return max(abs(p.lag - best.lag) for p in chain) >= 2 and best.end - best.start < _ONE_LAG * (end - start)


def _worth(piece: _Piece) -> float:
    length = piece.end - piece.start
    return length * max(0.5 - piece.error / length, 1e-6) ** 2


def _drift(places: Float64Array, lags: Float64Array, weights: Float64Array) -> float:
    away = places - np.average(places, weights=weights)
    return float((weights * away * lags).sum() / (weights * away * away).sum())


def _best(chains: list[_Joined]) -> Iterator[_Joined]:
    """Chains whose place in b no better one explains for the most part: a loop matches itself at many lags."""
    taken: list[_Joined] = []
    for chain in sorted(chains, key=lambda c: (-c.length * (0.5 - c.error), c.a, c.b)):
        if not any(_covers(other, chain) for other in taken):
            taken.append(chain)
            yield chain


def _covers(better: _Joined, chain: _Joined) -> bool:
    """Whether the better chain already explains most of this one's place in b."""
    overlap = min(better.b + better.length, chain.b + chain.length) - max(better.b, chain.b)
    return overlap > chain.length / 2


def _allowed(length: float) -> float:
    return max(error for least, error in _ERRORS if length >= least)


def _is_periodic(items: Items, piece: _Piece) -> bool:
    """Whether the piece matches the same audio 0.6 to 1.5 s away nearly as well: an alarm, a hum that beats."""
    sound, b, length = items[piece.start : piece.end], piece.start + piece.lag, piece.end - piece.start
    least = max(_UNLIKE, bit_errors(sound, items[b : b + length]).mean() + _CONTRAST)
    starts = [b + shift for shift in _SHIFTS if b + shift >= 0 and b + shift + length <= len(items)]
    return any(bit_errors(sound, items[start : start + length]).mean() < least for start in starts)
