"""A full local ingest of 30 minutes of AAC against decoding the same file to 16-kHz mono and nothing else.

Run: python -m benchmarks.ingest [--check] [--minutes N]. The file is synthetic voice with pauses, 44.1 kHz stereo AAC.
Each part runs in a fresh process of its own, in turn; clocks start after the imports; peak memory is the whole
process's. The ingest is everything: probe, checksum, decode, speech, placement, screens, clips on disk, tables. The
claim: at most 4 times as long. With --check it leaves with 1 when the ratio is above that by more than a tenth.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from pipelines import audio
from pipelines.ingest import run
from pipelines.study import create_study
from tests.builders import noise, voice

RATE_HZ, ROUNDS = 44_100, 3
WANTED_RATIO, SLACK = 4.0, 0.1


def write_episode(path: Path, minutes: float) -> None:
    """Voices of several pitches with pauses in a quiet room, the second channel softer."""
    parts = []
    for turn in range(24):
        parts += [
            voice(2.0 + turn % 5, RATE_HZ, 95 + 3 * turn, turn),
            noise(0.3 + 0.2 * (turn % 6), RATE_HZ, 0.002, turn),
        ]
    scene = np.concatenate(parts)
    whole = np.resize(scene, round(minutes * 60 * RATE_HZ)).astype(np.float32)
    audio.encode(path, np.stack([whole, 0.8 * whole]), RATE_HZ, "aac")


def decode_only(path: Path) -> int:
    """The floor: PyAV's own linear decode and resampling to 16-kHz mono, the samples thrown away."""
    samples = 0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
        for frame in container.decode(audio=0):
            samples += sum(part.samples for part in resampler.resample(frame))
        samples += sum(part.samples for part in resampler.resample(None))
    return samples


def ingest(path: Path) -> int:
    """The whole way, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        study = create_study("bench", rights_basis="made for this benchmark", root=Path(folder))
        return run.ingest(study, [str(path)], jobs=1).clips


def measured(part: str, path: str) -> dict[str, float]:
    """Seconds, processor seconds and peak memory of one part; runs in a process of its own."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = decode_only(Path(path)) if part == "decode" else ingest(Path(path))
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "count": count,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="leave with 1 when the claim does not hold")
    parser.add_argument("--minutes", type=float, default=30.0)
    asked = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"decode": [], "ingest": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "episode.m4a"
        with multiprocessing.get_context("spawn").Pool(1) as fresh:  # a child's peak memory begins with its parent's
            fresh.apply(write_episode, (path, asked.minutes))
        for _ in range(ROUNDS):  # in turn, so that a busy machine slows both
            for part, results in found.items():
                with multiprocessing.get_context("spawn").Pool(1) as fresh:
                    results.append(fresh.apply(measured, (part, str(path))))

    def middle(part: str, key: str) -> float:
        return statistics.median(result[key] for result in found[part])

    def ratio(key: str) -> float:
        return statistics.median(a[key] / b[key] for a, b in zip(found["ingest"], found["decode"], strict=True))

    report = {
        "ratio": round(ratio("wall_s"), 2),
        "wanted_ratio": WANTED_RATIO,
        "ratio_of_processor_time": round(ratio("cpu_s"), 2),
        "minutes": asked.minutes,
        "decode_s": round(middle("decode", "wall_s"), 2),
        "ingest_s": round(middle("ingest", "wall_s"), 2),
        "clips": round(middle("ingest", "count")),
        "decode_peak_mib": round(middle("decode", "peak_mib")),
        "ingest_peak_mib": round(middle("ingest", "peak_mib")),
        "rounds": ROUNDS,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    holds = report["ratio"] <= WANTED_RATIO * (1 + SLACK)
    return 0 if holds or not asked.check else 1


if __name__ == "__main__":
    sys.exit(main())
