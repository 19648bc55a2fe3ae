"""Where films cut: how many cuts are found, how many where none is, and what looking costs.

Run: python -m benchmarks.shot_detection [--check] [--films N]. Films of two minutes, 640 x 360 at 25 frames/s, are made
of shots of 0.8 to 6 s: still, panned slowly, whipped round, shaken, with flashes, with somebody running through; each
with grain. Nothing was set by these makings. They are coded as H.264 with and without pictures that no other is made
from (`medium`, `baseline`), as sites give them. A cut counts as found where one is told up to 0.17 s after it.
`cost`: processor time against decoding every picture of the same film and nothing else, and in seconds per hour.
The claims: 0.9 of the cuts found, 0.1 as many told where none is, at most twice the cost of decoding alone. With
--check it leaves with 1 when a figure misses its claim by more than a tenth.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from pipelines.ingest.video.shot_detection import find_cuts

WIDTH, HEIGHT, FPS, LENGTH_S = 640, 360, 25, 120
FIRST_SEED = 100
KINDS = ("still", "pan", "whip", "shake", "flash", "runner")
CODED = {
    "medium": {"preset": "medium", "crf": "24"},
    "baseline": {"preset": "veryfast", "crf": "24", "profile": "baseline"},
}
CLAIMS = {"found": 0.9, "false": 0.1, "cost": 2.0}
SLACK = 0.1

Plane = npt.NDArray[np.float64]


def scene(rng: np.random.Generator) -> Plane:
    """A picture four times as wide as the film: soft light, patches and a few edges."""
    from scipy.ndimage import gaussian_filter, zoom

    high, wide = HEIGHT + 120, 4 * WIDTH
    made = np.full((high, wide), float(rng.uniform(30, 200)))
    for size, level in ((80, 36), (25, 24), (6, 11)):
        soft = gaussian_filter(rng.normal(size=(high // 4, wide // 4)), size / 4)
        made += level * zoom(soft / soft.std(), 4, order=1)[:high, :wide]
    for _ in range(12):
        y, x = rng.integers(0, high - 80), rng.integers(0, wide - 80)
        made[y : y + rng.integers(30, 200), x : x + rng.integers(30, 200)] += rng.uniform(-48, 48)
    return np.clip(made, 5, 250)


def view(big: Plane, kind: str, k: int, rng: np.random.Generator) -> Plane:
    """The k-th picture of a shot of `big`."""
    y, x = 0, 0
    if kind == "pan":
        x = min(80 * k // FPS, 3 * WIDTH)
    if kind == "whip":
        x = min(max(0, 1400 * (k - FPS // 2) // FPS), 3 * WIDTH)
    if kind == "shake":
        y, x = (int(c + d * np.sin(w * k) + rng.normal(0, 4)) for c, d, w in ((40, 22, 0.9), (50, 28, 0.67)))
    picture = big[max(0, y) : max(0, y) + HEIGHT, max(0, x) : max(0, x) + WIDTH].copy()
    if kind == "runner":
        at = 700 * k // FPS % (WIDTH + 400) - 200
        picture[40 : HEIGHT - 20, max(0, at) : max(0, at + 180)] = 30
    if kind == "flash" and k % 17 == 9:
        picture = picture * 0.3 + 180
    return picture


def pictures(seed: int, cuts: list[float]) -> Iterator[av.VideoFrame]:
    """The pictures of one film; `cuts` gets when each shot but the first begins."""
    rng = np.random.default_rng(seed)
    number = 0
    while number < LENGTH_S * FPS:
        if number:
            cuts.append(number / FPS)
        big, kind = scene(rng), KINDS[int(rng.integers(len(KINDS)))]
        for k in range(min(int(rng.uniform(0.8, 6) * FPS), LENGTH_S * FPS - number)):
            grainy = np.clip(view(big, kind, k, rng) + rng.normal(0, 3, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(grainy, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            yield frame
            number += 1


def make(folder: Path, seed: int) -> tuple[dict[str, Path], list[float]]:
    """One film in every coding, and where it cuts."""
    cuts: list[float] = []
    films = {name: folder / f"{seed}-{name}.mp4" for name in CODED}
    outs = {name: av.open(str(path), "w") for name, path in films.items()}
    streams = {name: out.add_stream("libx264", rate=FPS, options=CODED[name]) for name, out in outs.items()}
    for stream in streams.values():
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    for frame in pictures(seed, cuts):
        for name, out in outs.items():
            out.mux(streams[name].encode(frame))
    for name, out in outs.items():
        out.mux(streams[name].encode(None))
        out.close()
    return films, cuts


def compared(found: Sequence[float], true: Sequence[float]) -> tuple[int, int]:
    """How many true cuts are found, and how many are told where none is."""
    hits = sum(any(-0.05 <= at - cut <= 0.17 for at in found) for cut in true)
    return hits, sum(not any(-0.05 <= at - cut <= 0.17 for cut in true) for at in found)


def decode_all(film: Path) -> float:
    """Processor seconds to decode every picture, on one thread."""
    began = time.process_time()
    with av.open(str(film)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass
    return time.process_time() - began


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="leave with 1 when a figure misses its claim")
    parser.add_argument("--films", type=int, default=2, help="how many films of two minutes")
    asked = parser.parse_args(arguments)
    totals = {name: {"cuts": 0, "found": 0, "false": 0, "looking_s": 0.0, "decoding_s": 0.0} for name in CODED}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(FIRST_SEED, FIRST_SEED + asked.films):
            films, cuts = make(Path(folder), seed)
            for name, film in films.items():
                began = time.process_time()
                found = find_cuts(film, lambda *_: None)
                total = totals[name]
                total["looking_s"] += time.process_time() - began
                total["decoding_s"] += decode_all(film)
                hits, false = compared(found, cuts)
                total["cuts"], total["found"], total["false"] = (
                    total["cuts"] + len(cuts), total["found"] + hits, total["false"] + false
                )  # fmt: skip
    hours = asked.films * LENGTH_S / 3600
    report = {
        name: {
            "cuts": int(total["cuts"]),
            "found": round(total["found"] / total["cuts"], 3),
            "false": round(total["false"] / total["cuts"], 3),
            "cost": round(total["looking_s"] / total["decoding_s"], 3),
            "seconds_per_hour": round(total["looking_s"] / hours, 1),
        }
        for name, total in totals.items()
    }
    sys.stdout.write(json.dumps({"made": report, "claimed": CLAIMS}, indent=2) + "\n")
    holds = all(
        one["found"] >= CLAIMS["found"] * (1 - SLACK)
        and one["false"] <= CLAIMS["false"] * (1 + SLACK)
        and one["cost"] <= CLAIMS["cost"] * (1 + SLACK)
        for one in report.values()
    )
    return 0 if holds or not asked.check else 1


if __name__ == "__main__":
    sys.exit(main())
