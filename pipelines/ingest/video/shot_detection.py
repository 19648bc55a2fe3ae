"""Where a film cuts from one shot to the next: hard cuts, found on pictures of 32 x 18 grey values.

A cut is a moment at which the picture changes much (mean absolute difference), into another picture (low correlation,
so that a flash or a fade of the same scene is none), far more than at the moments beside it (so that a fast pan or a
runner is none), and for good (so that a single odd picture is none). After Yeo and Liu, Rapid scene analysis on
compressed video, IEEE Trans. CSVT 5 (1995), section III: the highest peak in a sliding window, n times the second.
Dissolves and wipes are not looked for.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipelines.errors import MediaError
from pipelines.execution.process_pool import Tell
from pipelines.units import Seconds

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: What found the cuts: another name where other cuts may be found.
ALGORITHM = "shots-1"

WIDTH, HEIGHT = 32, 18
#: Pictures are looked at no more often than this.
EVERY_S: Seconds = 0.095
#: In grey levels of 256, mean over the picture.
LEAST_CHANGE = 8.0
MOST_ALIKE = 0.65
#: So many times the highest change within `BESIDE_S` before and after.
TIMES = 2.5
BESIDE_S: Seconds = 0.25
#: How much of the change is still there two pictures later.
FOR_GOOD = 0.6
#: Broken pictures in a row after which a film is given up.
_PATIENCE = 200


def find_cuts(film: Path, tell: Tell) -> tuple[Seconds, ...]:
    """When each new shot is first to be seen, by the container's clock, in order; empty for a film of one shot.

    Good to the time between two pictures that were looked at, about 0.1 s. Sound is not decoded, nor are pictures that
    no other is made from, where the film has such. Raises MediaError as pipelines.media.recording.open_pictures does, and
    Cancelled out of `tell`.
    """
    from pipelines.media.recording import open_pictures

    times: list[Seconds] = []
    rows: list[tuple[float, float, float, float]] = []
    last: list[npt.NDArray[np.float32]] = []
    with open_pictures(film) as (container, stream):
        duration_s = None if container.duration is None else container.duration / 1e6
        for at_s, picture in _pictures(container, stream, film):
            earlier = [picture, *last][1:4]
            changes = [float(np.abs(picture - one).mean()) for one in earlier] + [np.inf] * (3 - len(earlier))
            rows.append((changes[0], changes[1], changes[2], _alike(picture, last[0]) if last else 1.0))
            times.append(at_s)
            last = [picture, *last][:3]
            if len(times) % 300 == 0:
                tell(at_s, duration_s)
    if not times:
        raise MediaError("no_picture", f"{film.name}: none of its pictures can be decoded", "gone")
    return cuts_among(np.array(times), np.array(rows))


def shot_cut(cuts_s: Sequence[Seconds], start_s: Seconds, end_s: Seconds) -> float:
    """How near to its middle a stretch is cut by its film, `cuts_s` in order: 1 in the middle, 0.5 a quarter of its
    length from an end, 0 where no cut falls inside."""
    middle_s, half_s = (start_s + end_s) / 2, (end_s - start_s) / 2
    after = bisect_left(cuts_s, middle_s)
    away_s = min((abs(cut_s - middle_s) for cut_s in cuts_s[max(0, after - 1) : after + 1]), default=half_s)
    return max(0.0, 1.0 - away_s / half_s)


def cuts_among(times: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> tuple[Seconds, ...]:
    """The cuts among pictures at `times` [n], of which `rows` [n, 4] tell the change against the one, two and three
    before (infinite where there is none), and the likeness to the one before (correlation)."""
    change = np.where(np.isfinite(rows[:, 0]), rows[:, 0], 0.0)
    turn = change * (1 - rows[:, 3])  # a flash changes everything and turns nothing
    # For good: k + 1 or, if that is an odd one, k + 2 still differs from k - 1, and k is no way back from an odd one.
    later = np.full((2, len(times)), np.inf)
    later[0, :-1] = rows[1:, 1]
    later[1, :-2] = rows[2:, 2]
    for_good = np.minimum(later.max(axis=0), rows[:, 1]) >= FOR_GOOD * change
    peaks = (change >= LEAST_CHANGE) & (rows[:, 3] <= MOST_ALIKE) & for_good
    found = []
    for place in np.flatnonzero(peaks):
        near = slice(*np.searchsorted(times, (times[place] - BESIDE_S - 1e-9, times[place] + BESIDE_S + 1e-9)))
        beside = np.delete(turn[near], place - near.start)
        if not len(beside) or turn[place] >= TIMES * beside.max():
            found.append(float(times[place]))
    return tuple(found)


def _alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Correlation of two pictures; a blank one is like none but another blank one."""
    first, second = one - one.mean(), other - other.mean()
    power = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / power if power > 1e-3 else float(not first.any() and not second.any())


def _pictures(
    container: "InputContainer", stream: "VideoStream", film: Path
) -> Iterator[tuple[Seconds, npt.NDArray[np.float32]]]:
    """Pictures [HEIGHT, WIDTH] of 0 to 255 with their times, `EVERY_S` apart or more."""
    import av

    next_s = -np.inf
    broken = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            broken += 1
            if broken > _PATIENCE:
                raise MediaError("damaged", f"{film.name}: its picture cannot be decoded", "gone") from None
            continue
        for frame in frames:
            if frame.time is None or frame.time < next_s:
                continue
            small = frame.reformat(WIDTH, HEIGHT, "gray", interpolation="AREA")
            yield frame.time, small.to_ndarray().astype(np.float32)
            next_s, broken = frame.time + EVERY_S, 0
