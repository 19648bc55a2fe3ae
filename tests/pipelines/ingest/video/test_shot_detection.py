"""pipelines.ingest.video.shot_detection: finds hard cuts, and none in fast motion, flashes and fades."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import Cancelled, MediaError
from pipelines.ingest.video.shot_detection import find_cuts, select_cuts, shot_cut_score
from tests.synthetic_audio import tone

FPS = 25
H, W = 90, 160
Picture = npt.NDArray[np.uint8]
View = Callable[[npt.NDArray[np.float64], int, np.random.Generator], npt.NDArray[np.float64]]


def scene(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A picture four times as wide as the film: patches of light and dark, large and small."""
    made = np.full((H + 30, 4 * W), rng.uniform(60, 160))
    for size, level in ((40, 45.0), (12, 25.0)):
        grid = rng.normal(0, level, (1 + (H + 30) // size, 1 + 4 * W // size))
        made += np.kron(grid, np.ones((size, size)))[: H + 30, : 4 * W]
    return np.clip(made, 5, 250)


def still(big: npt.NDArray[np.float64], k: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return big[:H, :W]


def pan(big: npt.NDArray[np.float64], k: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    x = min(2 * k, 3 * W)
    return big[:H, x : x + W]


def shake(big: npt.NDArray[np.float64], k: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    y, x = int(8 + 6 * np.sin(0.9 * k)), int(12 + 8 * np.sin(0.67 * k + 1))
    return big[y : y + H, x : x + W]


def flash(big: npt.NDArray[np.float64], k: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return big[:H, :W] * 0.3 + 170 if k % 20 in (9, 10) else big[:H, :W]


def fade(big: npt.NDArray[np.float64], k: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return big[:H, :W] * min(1.0, 0.1 + k / 12)


def runner(big: npt.NDArray[np.float64], k: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    picture, x = big[:H, :W].copy(), 5 * k % (W + 60) - 30
    picture[25:, max(0, x) : max(0, x + 28)] = 20
    return picture


VIEWS: tuple[View, ...] = (still, pan, shake, flash, fade, runner)


def film(path: Path, shots: Sequence[tuple[View, float]], seed: int, codec: str = "libx264", start: int = 0) -> Path:
    """Shots of so many seconds, each of a scene of its own, with grain; the first picture is `start` pictures late."""
    rng = np.random.default_rng(seed)
    options = {"preset": "ultrafast", "bf": "2", "crf": "28"} if codec == "libx264" else {}
    number = start
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = W, H, "yuv420p"
        for view, seconds in shots:
            big = scene(rng)
            for k in range(round(seconds * FPS)):
                seen = np.clip(view(big, k, rng) + rng.normal(0, 3, (H, W)), 0, 255).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(seen, format="gray").reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(frame))
                number += 1
        container.mux(stream.encode(None))
    return path


def silent(done: float, total: float | None) -> None:
    pass


def held_out(seed: int, count: int = 16) -> list[tuple[View, float]]:
    rng = np.random.default_rng(seed)
    return [(VIEWS[int(rng.integers(len(VIEWS)))], round(float(rng.uniform(1.0, 3.0)), 2)) for _ in range(count)]


def compared(found: Sequence[float], shots: Sequence[tuple[View, float]]) -> tuple[int, int, int]:
    """How many cuts there are, are found to 0.17 s, and are found where none is."""
    true = np.cumsum([round(seconds * FPS) for _, seconds in shots])[:-1] / FPS
    hits = sum(any(-0.05 <= at - cut <= 0.17 for at in found) for cut in true)
    return len(true), hits, sum(not any(-0.05 <= at - cut <= 0.17 for cut in true) for at in found)


@pytest.mark.parametrize(("codec", "name"), [("libx264", "film.mp4"), ("mpeg4", "film.mkv")])
def test_most_cuts_are_found_and_few_where_none_is(tmp_path: Path, codec: str, name: str) -> None:
    shots = held_out(101)  # nothing was set by these
    cuts, hits, false = compared(find_cuts(film(tmp_path / name, shots, 101, codec), silent), shots)
    assert hits >= 0.9 * cuts and false <= 1, f"{cuts} cuts, {hits} found, {false} where none is"


@pytest.mark.parametrize("view", VIEWS)
def test_a_video_of_one_shot_has_no_cut_whatever_moves_in_it(tmp_path: Path, view: View) -> None:
    assert len(find_cuts(film(tmp_path / "one.mp4", [(view, 6.0)], 7), silent)) <= (view is runner)


def test_times_are_those_of_the_containers_clock(tmp_path: Path) -> None:
    shots = [(still, 2.0), (still, 2.0)]
    (plain,) = find_cuts(film(tmp_path / "a.mkv", shots, 1), silent)
    (late,) = find_cuts(film(tmp_path / "b.mkv", shots, 1, start=50), silent)
    assert plain == pytest.approx(2.0, abs=0.13) and late - plain == pytest.approx(2.0, abs=0.1)


def test_unreadable_videos_are_reported_and_cancelling_works(tmp_path: Path) -> None:
    from pipelines.media import audio

    audio.encode(tmp_path / "sound.m4a", tone(1.0, 22050), 22050, "aac")
    with pytest.raises(MediaError, match="has no video"):
        find_cuts(tmp_path / "sound.m4a", silent)
    with pytest.raises(MediaError, match="no such file"):
        find_cuts(tmp_path / "missing.mp4", silent)
    long = film(tmp_path / "long.mp4", [(still, 40.0)], 3)

    def stop(done: float, total: float | None) -> None:
        assert total == pytest.approx(40.0, abs=0.5)
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        find_cuts(long, stop)
    spoilt = bytearray(long.read_bytes())
    spoilt[len(spoilt) // 3 : len(spoilt) // 3 + 4000] = bytes(4000)
    long.write_bytes(spoilt)
    assert len(find_cuts(long, silent)) <= 2  # what is broken is stepped over


@given(st.lists(st.floats(0, 100), max_size=8).map(sorted), st.floats(0, 90), st.floats(0.5, 10))
def test_how_near_a_cut_is_to_the_middle(cuts: list[float], start_s: float, length_s: float) -> None:
    end_s = start_s + length_s
    score = shot_cut_score(cuts, start_s, end_s)
    assert 0.0 <= score <= 1.0 and score == shot_cut_score(cuts, start_s, end_s)
    margin = 1e-6
    quarter_s = length_s / 4
    inside = [cut for cut in cuts if start_s + quarter_s + margin < cut < end_s - quarter_s - margin]
    outside = all(cut < start_s + quarter_s - margin or cut > end_s - quarter_s + margin for cut in cuts)
    assert not (inside and score <= 0.5) and not (outside and score > 0.5)
    assert shot_cut_score([*cuts, end_s + 1], start_s, end_s) == score


def test_the_middle_half_is_what_scores_more_than_a_half() -> None:
    told: list[Any] = [shot_cut_score([at], 10.0, 13.0) for at in (9.9, 10.0, 10.75, 11.5, 12.2, 12.25, 13.0)]
    assert told == pytest.approx([0, 0, 0.5, 1.0, 1.6 / 3, 0.5, 0])
    assert shot_cut_score([], 10.0, 13.0) == 0.0


def test_no_frame_too_few_frames_and_one_odd_frame() -> None:
    blank = np.array([[np.inf, np.inf, np.inf, 1], [0, np.inf, np.inf, 1]])
    assert select_cuts(np.array([0.0, 0.1]), blank) == ()
    # A single odd frame changes twice and leaves the scene as it was.
    odd = np.array([*blank, [50, 50, np.inf, 0], [50, 0, 0, 0], [0, 50, 0, 1], [0, 0, 50, 1]], float)
    assert select_cuts(np.arange(6) * 0.3, odd) == ()
    cut = np.array([*blank, [50, 50, np.inf, 0], [0, 50, 50, 1], [0, 0, 50, 1], [0, 0, 0, 1]], float)
    assert select_cuts(np.arange(6) * 0.3, cut) == (0.6,)
