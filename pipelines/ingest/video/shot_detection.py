"""Shot detection: the hard cuts of a video, found on frames of 32 x 18 grey values.

A cut is a moment at which the frame changes much (mean absolute difference), to a different frame (low correlation, so
that a flash or a fade of the same scene is not a cut), far more than at neighbouring moments (so that a fast pan or a
moving person is not), and permanently (so that a single odd frame is not). After Yeo and Liu, Rapid scene analysis on
compressed video, IEEE Trans. CSVT 5 (1995), section III: the highest peak in a sliding window, n times the second.
Dissolves and wipes are not detected.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.units import Seconds

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: Name of the algorithm; change it whenever it may find other cuts.
ALGORITHM = "shots-1"

WIDTH, HEIGHT = 32, 18
#: Shortest time between two analysed frames.
FRAME_INTERVAL_S: Seconds = 0.095
#: In grey levels of 256, mean over the frame.
MIN_CHANGE = 8.0
MAX_CORRELATION = 0.65
#: A cut is at least so many times the highest change within `NEIGHBOUR_S` before and after.
PEAK_RATIO = 2.5
NEIGHBOUR_S: Seconds = 0.25
#: Share of the change that remains two frames later.
MIN_REMAINING_CHANGE = 0.6
#: Damaged frames in a row after which a video is rejected.
_MAX_DAMAGED_FRAMES = 200


def find_cuts(video: Path, on_progress: OnProgress) -> tuple[Seconds, ...]:
    """When each new shot starts, by the container's clock, in order; empty for a video of one shot.

    Exact to the time between two analysed frames, about 0.1 s. Audio is not decoded, nor are frames that no other
    frame depends on. Raises MediaError as pipelines.media.recording.open_video does, Cancelled out of `on_progress`.
    """
    from pipelines.media.recording import open_video

    times: list[Seconds] = []
    rows: list[tuple[float, float, float, float]] = []
    last: list[npt.NDArray[np.float32]] = []
    with open_video(video) as (container, stream):
        duration_s = None if container.duration is None else container.duration / 1e6
        for at_s, frame in _frames(container, stream, video):
            earlier = [frame, *last][1:4]
            changes = [float(np.abs(frame - one).mean()) for one in earlier] + [np.inf] * (3 - len(earlier))
            rows.append((changes[0], changes[1], changes[2], _correlation(frame, last[0]) if last else 1.0))
            times.append(at_s)
            last = [frame, *last][:3]
            if len(times) % 300 == 0:
                on_progress(at_s, duration_s)
    if not times:
        raise MediaError("no_picture", f"{video.name}: none of its video frames can be decoded", "gone")
    return select_cuts(np.array(times), np.array(rows))


def shot_cut_score(cuts_s: Sequence[Seconds], start_s: Seconds, end_s: Seconds) -> float:
    """How near to its middle a window is cut, with `cuts_s` in order: 1 in the middle, 0.5 a quarter of its length from
    an end, 0 where no cut falls inside."""
    middle_s, half_s = (start_s + end_s) / 2, (end_s - start_s) / 2
    after = bisect_left(cuts_s, middle_s)
    away_s = min((abs(cut_s - middle_s) for cut_s in cuts_s[max(0, after - 1) : after + 1]), default=half_s)
    return max(0.0, 1.0 - away_s / half_s)


def select_cuts(times: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> tuple[Seconds, ...]:
    """The cuts among frames at `times` [n]. `rows` [n, 4] hold the change against the frame one, two and three before
    (infinite where there is none), and the correlation with the frame before."""
    change = np.where(np.isfinite(rows[:, 0]), rows[:, 0], 0.0)
    strength = change * (1 - rows[:, 3])  # a flash changes much, but correlates
    # Permanent: k + 1 or, if that is an odd frame, k + 2 still differs from k - 1, and k is no return from an odd one.
    later = np.full((2, len(times)), np.inf)
    later[0, :-1] = rows[1:, 1]
    later[1, :-2] = rows[2:, 2]
    is_permanent = np.minimum(later.max(axis=0), rows[:, 1]) >= MIN_REMAINING_CHANGE * change
    peaks = (change >= MIN_CHANGE) & (rows[:, 3] <= MAX_CORRELATION) & is_permanent
    found = []
    for place in np.flatnonzero(peaks):
        near = slice(*np.searchsorted(times, (times[place] - NEIGHBOUR_S - 1e-9, times[place] + NEIGHBOUR_S + 1e-9)))
        neighbours = np.delete(strength[near], place - near.start)
        if not len(neighbours) or strength[place] >= PEAK_RATIO * neighbours.max():
            found.append(float(times[place]))
    return tuple(found)


def _correlation(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Correlation of two frames; a blank frame correlates only with another blank frame."""
    first, second = one - one.mean(), other - other.mean()
    power = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / power if power > 1e-3 else float(not first.any() and not second.any())


def _frames(
    container: "InputContainer", stream: "VideoStream", video: Path
) -> Iterator[tuple[Seconds, npt.NDArray[np.float32]]]:
    """Frames [HEIGHT, WIDTH] of 0 to 255 with their times, at least `FRAME_INTERVAL_S` apart."""
    import av

    next_s = -np.inf
    damaged = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            if damaged > _MAX_DAMAGED_FRAMES:
                raise MediaError("damaged", f"{video.name}: its video cannot be decoded", "gone") from None
            continue
        for frame in frames:
            if frame.time is None or frame.time < next_s:
                continue
            small = frame.reformat(WIDTH, HEIGHT, "gray", interpolation="AREA")
            yield frame.time, small.to_ndarray().astype(np.float32)
            next_s, damaged = frame.time + FRAME_INTERVAL_S, 0
